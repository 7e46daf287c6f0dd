"""Every answer of the kglite fixtures, through the public names."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import nkgraph as nk

ONE_SEGMENT = ("basic", "compacted", "converted", "legacy", "nodes_only")
SEVERAL = ("seg_local", "seg_full", "seg_props_ok", "deleted", "recycled", "overflow")
COUNTED = ONE_SEGMENT + SEVERAL


def expected(folder: Path) -> dict:
    table = json.loads((folder / "expected.json").read_text())
    want = {**table["kglite"], **{k: v for k, v in table["truth"].items() if k != "queries"}}
    queries = {**table["kglite"].get("queries", {}), **table["truth"].get("queries", {})}
    return {**want, "queries": queries}


def plain(value):
    """Values as the fixtures spell them."""
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[D]"))
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    return value


def by_json(values) -> list[str]:
    return sorted(json.dumps(value, sort_keys=True) for value in values)


def props_by_row(table: nk.Table) -> list[dict]:
    columns = {name: column.tolist() for name, column in table.columns.items()}
    return [
        {name: plain(values[row]) for name, values in columns.items() if values[row] is not None}
        for row in range(len(table))
    ]


class Names:
    """(type, id) of nodes, fetched once."""

    def __init__(self, g: nk.Graph) -> None:
        nodes = g.nodes()
        keys = zip(g.types(nodes).tolist(), map(plain, g.ids(nodes).tolist()), strict=True)
        self.key = dict(zip(nodes.tolist(), keys, strict=True))
        self.node = {f"{kind}:{key}": node for node, (kind, key) in self.key.items()}

    def of(self, nodes) -> list[list]:
        return [list(self.key[node]) for node in nodes.tolist()]


@pytest.fixture(params=COUNTED)
def opened(request, data):
    folder = data / "kglite" / request.param
    with nk.open(folder / "graph") as g:
        yield g, expected(folder), Names(g)


def test_counts(opened):
    g, want, _ = opened
    assert g.format == "kglite"
    assert (g.node_count, g.edge_count) == (want["node_count"], want["edge_count"])
    assert g.node_types == want["nodes_by_type"]
    assert g.connection_types == want["edges_by_type"]
    assert list(g.node_types) == sorted(g.node_types)


def test_nodes_and_properties(opened):
    g, want, names = opened
    found = []
    for kind in g.node_types:
        table = g.read_nodes(kind)
        titles = g.titles(table.rows).tolist()
        for node, title, props in zip(
            table.rows.tolist(), titles, props_by_row(table), strict=True
        ):
            found.append({"type": kind, "id": names.key[node][1], "title": title, "props": props})
    assert by_json(found) == by_json(want["nodes"])


def test_edges_and_properties(opened):
    g, want, names = opened
    found = []
    for kind in g.connection_types:
        sources, targets, edges = g.edges(kind)
        table = g.read_edges(kind)
        assert table.rows.tolist() == edges.tolist()
        rows = zip(names.of(sources), names.of(targets), props_by_row(table), strict=True)
        found += [[*s, kind, *t, props] for s, t, props in rows]
    assert by_json(found) == by_json(want["edges"])
    assert by_json(edge[:5] for edge in found) == by_json(want["edges_bare"])


def test_ids(opened):
    g, want, _ = opened
    for kind in g.node_types:
        nodes = g.nodes(kind)
        assert g.find(kind, g.ids(nodes)).tolist() == nodes.tolist()
    for query, count in want["missing_ids"].items():
        kind, key = query.split(":")
        given = int(key) if key.isdecimal() else key
        assert count == 0
        assert g.find(kind, [given], missing="sentinel").tolist() == [nk.NO_NODE]
        with pytest.raises(nk.NotFoundError):
            g.find(kind, [given])


def test_neighbors(opened):
    g, want, names = opened
    for query, sides in want["neighbors"].items():
        node = names.node[query]
        for direction in ("out", "in"):
            found = []
            for kind in g.connection_types:
                peers = g.neighbors(node, kind, direction)
                found += [[kind, *key] for key in names.of(peers)]
            assert by_json(found) == by_json(sides[direction])
            everything = g.neighbors(node, direction=direction)
            assert by_json(names.of(everything)) == by_json([p[1:] for p in sides[direction]])


def test_typed_out(opened):
    g, want, names = opened
    for query, peers in want["typed_out"].items():
        head, kind = query.rsplit(":", 1)
        found = g.neighbors(names.node[head], kind)
        assert by_json(names.of(found)) == by_json(peers)


def test_typed_pairs(opened):
    g, want, names = opened
    for kind, pairs in want["typed_pairs"].items():
        csr = g.csr(kind)
        sources = np.repeat(np.arange(csr.node_count), np.diff(csr.offsets))
        found = [a + b for a, b in zip(names.of(sources), names.of(csr.targets), strict=True)]
        assert by_json(found) == by_json(pairs)
        assert g.sources(kind).tolist() == sorted(set(sources.tolist()))


def test_peer_counts(opened):
    g, want, names = opened
    assert set(want["peer_counts"]) == set(g.connection_types)
    for kind, counts in want["peer_counts"].items():
        targets, found = g.peer_counts(kind)
        rows = [[*key, count] for key, count in zip(names.of(targets), found.tolist(), strict=True)]
        assert by_json(rows) == by_json(counts)


def test_seg_props_answers_what_the_files_hold(data):
    folder = data / "kglite" / "seg_props"
    table = json.loads((folder / "expected.json").read_text())
    with nk.open(folder / "graph") as g:
        names, found = Names(g), []
        for kind in g.connection_types:
            sources, targets, _ = g.edges(kind)
            rows = zip(names.of(sources), names.of(targets), strict=True)
            props = props_by_row(g.read_edges(kind))
            found += [[*s, kind, *t, p] for (s, t), p in zip(rows, props, strict=True)]
    assert by_json(found) == by_json(table["kglite"]["edges"])


def test_basic_queries(data):
    folder = data / "kglite" / "basic"
    queries = expected(folder)["queries"]
    with nk.open(folder / "graph") as g:
        people = g.read_nodes("Person", ["nick"])
        match = [row for row, nick in enumerate(people["nick"].tolist()) if nick == "øamber"]
        found = [{"id": int(key)} for key in g.ids(people.rows[match])]
        assert by_json(found) == by_json(queries["nick_eq"]["rows"])
        titles = g.titles(g.nodes("City"))
        keys = g.ids(g.nodes("City"))
        exact = [{"id": key} for key in keys[titles == "fjord dune"].tolist()]
        assert by_json(exact) == by_json(queries["title_eq"]["rows"])
        starts = [{"id": key} for key in keys[np.strings.startswith(titles, "fjo")].tolist()]
        assert by_json(starts) == by_json(queries["title_prefix"]["rows"])


def test_basic_aliases_name_id_and_title(data):
    with nk.open(data / "kglite" / "basic" / "graph") as g:
        table = g.read_nodes("Person", ["pid", "id", "name", "title"])
        assert table["pid"].values.tolist() == table["id"].values.tolist()
        assert table["name"].tolist() == g.titles(table.rows).tolist()


VALUES = ("name", "flag", "f", "l", "d", "p", "m", "big")


def test_values(data):
    folder = data / "kglite" / "values"
    queries = expected(folder)["queries"]
    with nk.open(folder / "graph") as g:
        names, found = Names(g), []
        starred = set(g.nodes("Starred").tolist())
        for kind in g.node_types:
            table = g.read_nodes(kind)
            for node, props in zip(table.rows.tolist(), props_by_row(table), strict=True):
                labels = [kind, "Starred"] if node in starred else [kind]
                title = g.titles([node])[0]
                row = {name: props.get(name) for name in VALUES}
                row["ll"] = row.pop("l")
                found.append({**row, "l": labels, "id": names.key[node][1], "title": title})
        for row in found:
            row["name"] = row["name"] or row["title"]
        assert by_json(found) == by_json(queries["nodes"]["rows"])
        assert by_json({"id": key[1]} for key in names.of(g.nodes("Starred"))) == by_json(
            queries["starred"]["rows"]
        )


def test_values_edges(data):
    folder = data / "kglite" / "values"
    rename = {"b": "bo"}
    with nk.open(folder / "graph") as g:
        names, found = Names(g), []
        for kind in g.connection_types:
            sources, targets, _ = g.edges(kind)
            table = g.read_edges(kind)
            for s, t, props in zip(
                names.of(sources), names.of(targets), props_by_row(table), strict=True
            ):
                row = dict.fromkeys(("k", "s", "f", "bo", "l", "d", "p", "m"))
                row.update({rename.get(name, name): value for name, value in props.items()})
                found.append({**row, "a": s[1], "b": t[1], "t": kind})
    assert by_json(found) == by_json(expected(folder)["queries"]["edges"]["rows"])


def test_values_ids_coerce_numbers_and_never_text(data):
    with nk.open(data / "kglite" / "values" / "graph") as g:

        def name(kind, key):
            found = g.find(kind, [key], missing="sentinel")
            return None if found[0] == nk.NO_NODE else g.titles(found)[0]

        assert name("Item", 1) == "amber"
        assert name("Item", 1.0) == "amber"
        assert name("Item", np.uint8(1)) == "amber"
        assert name("Item", -9) == "cedar"
        assert name("Item", "s-birch") == "birch"
        assert name("Item", "1") is None
        assert name("Item", True) is None
        assert name("Item", float("nan")) is None
        assert name("Firm", 1099511627776) == "wide"
        keys = [1, "s-birch", -9, 3.0, "1", None]
        found = g.find("Item", keys, missing="sentinel")
        assert g.titles(found[:4]).tolist() == ["amber", "birch", "cedar", "auto id"]
        assert found[4:].tolist() == [nk.NO_NODE, nk.NO_NODE]


def test_columns_bin(data):
    folder = data / "kglite" / "columns_bin"
    queries = expected(folder)["queries"]
    with nk.open(folder / "graph") as g:
        names, found = Names(g), []
        for kind in g.node_types:
            table = g.read_nodes(kind)
            for node, props in zip(table.rows.tolist(), props_by_row(table), strict=True):
                row = {
                    name.lower(): props.get(name)
                    for name in ("nid", "P1082", "P999", "P998", "P997")
                }
                title = g.titles([node])[0]
                found.append({**row, "l": kind, "id": names.key[node][1], "title": title})
        assert by_json(found) == by_json(queries["nodes"]["rows"])
        person = g.find("Person", [5])
        assert g.titles(person).tolist() == ["fjord 5"]
        assert g.read_nodes("Person", ["P999"], person)["P999"].tolist() == ["rare ø"]
        for key, query, field in (("Q10", "by_nid", "t"), ("Q12", "nid_where", "i")):
            rows = []
            for kind in g.node_types:
                table = g.read_nodes(kind, ["nid"])
                nodes = table.rows[[v == key for v in table["nid"].tolist()]]
                value = g.titles(nodes) if field == "t" else g.ids(nodes)
                rows += [{field: plain(v)} for v in value.tolist()]
            assert by_json(rows) == by_json(queries[query]["rows"])
        rows = []
        for kind in g.connection_types:
            sources, targets, _ = g.edges(kind)
            pairs = zip(names.of(sources), names.of(targets), strict=True)
            rows += [{"a": s[1], "b": t[1], "t": kind} for s, t in pairs]
        assert by_json(rows) == by_json(queries["edges"]["rows"])
        targets, counts = g.peer_counts("P31")
        peers = zip(g.ids(targets).tolist(), counts.tolist(), strict=True)
        assert by_json({"b": b, "c": c} for b, c in peers) == by_json(queries["peers"]["rows"])


@pytest.mark.parametrize("name", [*COUNTED, "values", "columns_bin", "seg_props"])
def test_reading_changes_no_byte(name, data):
    folder = data / "kglite" / name / "graph"

    def digest() -> dict[str, tuple[str, int]]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {
            str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in files
        }

    before = digest()
    with nk.open(folder) as g:
        for kind in g.node_types:
            g.read_nodes(kind)
            g.find(kind, g.ids(g.nodes(kind)))
        for kind in g.connection_types:
            g.read_edges(kind)
            g.csr(kind, "both")
            g.peer_counts(kind)
            g.sources(kind)
        repr(g)
    assert digest() == before
