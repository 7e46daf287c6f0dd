"""Whole SparrowDB databases: what the engine recorded, and what a slow twin reads."""

import hashlib
import json
import os
import struct

import comparing
import numpy as np
import pytest
import sparrow_databases as sparrow
from model import plain

import nkgraph as nk

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))
FIXTURES = ("graph_small", "graph_ldbc_mini")


@pytest.fixture(params=FIXTURES)
def recorded(request, data):
    """The directory of a database that the engine wrote, and what it answered."""
    folder = data / "sparrowdb" / request.param
    return folder / "db", json.loads((folder / "expected.json").read_text())


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


def value_of(given):
    """A value as the engine's answers spell it."""
    if "hex" in given:
        return bytes.fromhex(given["hex"]).decode()
    if "f64" in given:
        return struct.unpack(">d", bytes.fromhex(given["f64"][2:]))[0]
    return given["int"]


def values_of(given):
    return {name: plain(value_of(value)) for name, value in given.items()}


def by_row(table):
    """What each row of a table has."""
    held = {name: table[name].tolist() for name in table}
    return [
        {name: plain(values[row]) for name, values in held.items() if values[row] is not None}
        for row in range(len(table))
    ]


# -- what the engine recorded -----------------------------------------------------------------


def test_nodes_as_recorded(recorded):
    folder, want = recorded
    live = [node for node in want["nodes"] if not node["deleted"]]
    with nk.open(folder) as g:
        assert (g.format, g.mode, g.node_count) == ("sparrowdb", "r", len(live))
        assert set(g.node_types) == {node["label"] for node in live}
        for kind in g.node_types:
            held = [node for node in live if node["label"] == kind]
            table = g.read_nodes(kind)
            assert g.ids(table.rows).tolist() == [node["id"] for node in held]
            assert [node["id"] & 0xFFFFFFFF for node in held] == [node["slot"] for node in held]
            assert set(g.types(table.rows).tolist()) == {kind}
            assert by_row(table) == [values_of(node["props"]) for node in held]
            assert g.find(kind, [node["id"] for node in held]).tolist() == table.rows.tolist()
        assert g.ids(g.nodes()).tolist() == [node["id"] for node in live]
        for node in want["nodes"]:
            found = g.find(node["label"], [node["id"]], missing="sentinel")[0]
            assert (found == nk.NO_NODE) == node["deleted"]


def test_edges_as_recorded(recorded):
    folder, want = recorded
    live = {node["id"] for node in want["nodes"] if not node["deleted"]}
    edges, held = [], {}
    for table in want["rel_tables"]:
        last = {(s, t): values_of(props) for s, t, props in table["props"]}
        for s, t in table["edges"]:
            if {s, t} <= live:
                held.setdefault(table["type"], []).append(last.get((s % 2**32, t % 2**32), {}))
                edges.append((table["type"], s, t))
    with nk.open(folder) as g:
        assert g.edge_count == len(edges)
        sources, targets, ids = g.edges()
        assert ids.tolist() == list(range(len(edges)))
        pairs = zip(g.ids(sources).tolist(), g.ids(targets).tolist(), strict=True)
        assert list(pairs) == [edge[1:] for edge in edges]
        for kind in g.connection_types:
            numbers = [number for number, edge in enumerate(edges) if edge[0] == kind]
            assert g.edges(kind)[2].tolist() == numbers
            table = g.read_edges(kind)
            assert table.rows.tolist() == numbers
            assert by_row(table) == held[kind]


def test_the_slow_twin_reads_what_the_engine_recorded(recorded):
    """Shows the twin to be right where the engine can be asked."""
    folder, want = recorded
    model = sparrow.read(sparrow.load(folder))
    live = [node for node in want["nodes"] if not node["deleted"]]
    found = [(n.kind, n.key, {k: plain(v) for k, v in n.properties.items()})
             for _, n in sorted(model.nodes.items())]  # fmt: skip
    assert found == [(n["label"], n["id"], values_of(n["props"])) for n in live]
    keys = {node["id"] for node in live}
    edges = [
        (table["type"], s, t)
        for table in want["rel_tables"]
        for s, t in table["edges"]
        if {s, t} <= keys
    ]
    assert edges == [
        (e.kind, model.nodes[e.source].key, model.nodes[e.target].key)
        for _, e in sorted(model.edges.items())
    ]


def agree(g, model, native=False):
    """Compare all answers; where no property is called "id" or "title", also those two columns."""
    rng = np.random.default_rng(5)
    comparing.agree_on_counts(g, model)
    held = {name for node in model.nodes.values() for name in node.properties}
    if not held & {"id", "title"}:
        comparing.agree_on_nodes(g, model, rng)
    for kind in model.node_types():
        nodes = model.nodes_of(kind)
        own = {node: model.nodes[node].properties for node in nodes}
        comparing.agree_on_table(g.read_nodes(kind), own, nodes)
        comparing.agree_on_columns(
            lambda names, ids, kind=kind: g.read_nodes(kind, names, ids), own, nodes
        )
        comparing.agree_on_conditions(g, kind, own, nodes, rng)
    comparing.agree_on_ids(g, model, (), rng)
    comparing.agree_on_edges(g, model, rng)
    comparing.agree_on_rows(g, model)
    if model.edges or not native:
        comparing.agree_on_the_removed(g, model)
    comparing.agree_on_indexes(g, model)
    assert {name: nodes.tolist() for name, nodes in g.secondary_labels.items()} == model.labels
    for name in set(model.labels) - set(model.node_types()):
        assert g.nodes(name).tolist() == model.labels[name]


def add_indexes(g, model):
    """Index each column that holds a text, in each type and across all."""
    pairs = {(node.kind, name) for node in model.nodes.values()
             for name, value in node.properties.items() if isinstance(value, str)}  # fmt: skip
    pairs = {(kind, name) for kind, name in pairs if name not in ("id", "title")}
    for pair in sorted(pairs | {(None, name) for _, name in pairs}, key=str):
        g.create_index(*pair)
        model.indexes.add(pair)


def use(folder, tmp_path, given=()):
    """Compare a database, and what it is saved as, with the twin; no byte of it may change."""
    model = sparrow.read(sparrow.load(folder), given)
    before = digest(folder)
    with nk.open(folder, property_names=given) as g:
        agree(g, model)
        add_indexes(g, model)
        agree(g, model)
        g.verify()
        repr(g)
        g.save(tmp_path / "native")
        g.save(tmp_path / "flat", layout="flat")
        for change in (
            lambda: g.add_nodes("Person", [1]),
            lambda: g.remove_nodes(g.nodes()),
            g.save,
            g.seal,
            g.compact,
        ):
            with pytest.raises(nk.GraphError):
                change()
    with pytest.raises(nk.GraphError, match="save it elsewhere"):
        nk.open(folder, "r+")
    assert digest(folder) == before
    for name in ("native", "flat"):
        with nk.open(tmp_path / name) as g:
            if name == "flat":
                model.indexes = set(g.indexes)
            agree(g, model, native=True)
            assert g.verify().ok, str(g.verify())
    return model


def test_every_answer_about_what_the_engine_wrote(recorded, tmp_path):
    use(recorded[0], tmp_path)


# -- what the slow twin reads -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(max(12, ROUNDS // 10)))
def test_random_databases(seed, tmp_path):
    files, given = sparrow.random_database(seed)
    sparrow.save(files, tmp_path / "db")
    use(tmp_path / "db", tmp_path, given)


def test_a_case_of_each_kind(tmp_path):
    sparrow.save(sparrow.everything().files(), tmp_path / "db")
    model = use(tmp_path / "db", tmp_path)
    known = {name for node in model.nodes.values() for name in node.properties}
    unknown = f"col_{sparrow.fnv32('nobody knows this')}"
    assert known == {"age", "name", "score", "mixed", "late", unknown}
    assert model.labels == {"Town": [0, 14], "Bare": [0]}
    with nk.open(tmp_path / "db", property_names=["nobody knows this"]) as g:
        assert g.read_nodes("Person")["nobody knows this"].tolist()[:3] == [None, 4, 4]


# -- names ------------------------------------------------------------------------------------


def one_label(tmp_path, names, values=(1, 2), log=True, **files):
    """A database of one label with the same values in each column; returns its directory."""
    draft = sparrow.Draft()
    label = draft.label("Person", len(values))
    draft.table(0, label, label, "KNOWS")
    draft.delta(0, label, label, [(0, 1)])
    held = sparrow.Log()
    for name in names:
        draft.column(label, name, values)
        draft.edge_property(0, 0, 1, name, 5)
        held.node(name)
    if log:
        draft.log(held)
    sparrow.save({**draft.files(), **files}, tmp_path / "db")
    return tmp_path / "db"


@pytest.mark.parametrize("name", ["__id__", "__title__", "__overflow_data__"])
def test_a_property_that_would_take_the_place_of_another_column_is_not_saved(tmp_path, name):
    with nk.open(one_label(tmp_path, ["age", name])) as g:
        assert g.read_nodes("Person")[name].tolist() == [1, 2]
        for layout in (None, "flat"):
            with pytest.raises(nk.GraphError, match=f"Person has a property '{name}'"):
                g.save(tmp_path / "native", layout=layout)
            assert not (tmp_path / "native").exists()


def test_other_names_are_saved_as_they_are(tmp_path):
    names = ["id", "title", "type", "label", "a/b", "x\0y", "", "__", "_id", "é東"]
    with nk.open(one_label(tmp_path, names)) as g:
        assert list(g.read_nodes("Person")) == list(g.read_edges("KNOWS")) == sorted(names)
        g.save(tmp_path / "native")
    with nk.open(tmp_path / "native") as g:
        assert by_row(g.read_nodes("Person")) == [dict.fromkeys(names, f"int {i}") for i in (1, 2)]
        assert by_row(g.read_edges("KNOWS")) == [dict.fromkeys(names, "int 5")]
        assert g.ids(g.nodes()).tolist() == [0, 1]


def test_names_that_the_log_does_not_hold(tmp_path):
    folder = one_label(tmp_path, ["nick", "age"], log=False)
    numbers = [sparrow.fnv32(name) for name in ("age", "nick")]
    assert numbers[0] == 742476188
    with nk.open(folder) as g:
        assert list(g.read_nodes("Person")) == sorted(f"col_{n}" for n in numbers)
    for given in (["age", "other"], iter(["age"]), {"age": 1}):
        with nk.open(folder, property_names=given) as g:
            assert list(g.read_nodes("Person")) == ["age", f"col_{numbers[1]}"]
            assert list(g.read_edges("KNOWS")) == ["age", f"col_{numbers[1]}"]


def test_a_name_in_place_of_an_unknown_one_is_told_apart(tmp_path):
    """A column may be called as another one is for want of its name."""
    other = f"col_{sparrow.fnv32('nick')}"
    with nk.open(one_label(tmp_path, ["nick"], log=False)) as g:
        assert list(g.read_nodes("Person")) == [other]
    draft = sparrow.Draft()
    label = draft.label("Person", 1)
    draft.column(label, "nick", [1])
    draft.column(label, other, [2])
    log = sparrow.Log()
    log.node(other)
    draft.log(log)
    sparrow.save(draft.files(), tmp_path / "two")
    with nk.open(tmp_path / "two") as g:
        assert by_row(g.read_nodes("Person")) == [{other: "int 2", f"{other}_": "int 1"}]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("age", "property_names is one text, 'age', not several"),
        ([5], "must be a string, not int"),
        (["\ud800"], "holds a lone surrogate"),
    ],
)
def test_names_to_try_that_are_none(tmp_path, given, message):
    folder = one_label(tmp_path, ["age"])
    with pytest.raises(nk.GraphError, match=message):
        nk.open(folder, property_names=given)


@pytest.mark.parametrize("version", [2, 21, None])
def test_each_version_of_the_log_gives_names(tmp_path, version):
    """From creates, updates and edges, over two segments, up to a record that is torn."""
    names = ("age", "nick", "since", "late", "lost")
    folder = one_label(tmp_path, names, log=False)
    first, second = sparrow.Log(version), sparrow.Log(version)
    first.record(1)
    first.node("age", "other")
    first.record(2, bytes(12))
    first.update("nick")
    first.record(0x14, bytes(20))
    first.data += bytes(50)
    second.record(1)
    second.edge("since", "age")
    second.record(5)
    second.node("late")
    second.node("lost")
    second.data[-1] ^= 1
    for number, log in enumerate((first, second)):
        path = folder / sparrow.WAL.format(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(log.data)
    (folder / "wal" / "segment-1.wal").write_bytes(b"not one")
    with nk.open(folder) as g:
        unknown = f"col_{sparrow.fnv32('lost')}"
        assert list(g.read_nodes("Person")) == sorted([*names[:4], unknown])


# -- forms of columns -------------------------------------------------------------------------

FORMS = {
    "integers": [4, None, 0, 5],
    "floats": [0.5, None, -0.0, 2.0],
    "texts": ["a", None, "a long enough text", ""],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chosen", [[0], [1], [1, 3], [3, 2, 1, 0], []])
def test_few_nodes_read_as_the_whole_column_does(tmp_path, form, chosen):
    values = FORMS[form]
    folder = one_label(tmp_path, [form], values)
    with nk.open(folder) as g:
        part = g.read_nodes("Person", nodes=chosen)[form]  # before the column is read
        whole = g.read_nodes("Person")[form]
        again = g.read_nodes("Person", nodes=chosen)[form]
        if chosen:
            assert part.values.dtype == whole.values.dtype == again.values.dtype
        assert part.tolist() == again.tolist() == [values[row] for row in chosen]


def test_mixed_kinds_read_alike_in_part(tmp_path):
    values = [1, "a", 2.5, None, "a long enough text", -1]
    with nk.open(one_label(tmp_path, ["x"], values)) as g:
        for chosen in ([0], [1, 4], [2], [3], [5, 3, 1]):
            assert g.read_nodes("Person", nodes=chosen)["x"].tolist() == [values[r] for r in chosen]
        assert g.read_nodes("Person")["x"].tolist() == values


def test_opening_reads_no_column_and_no_edge(tmp_path):
    files = {"nodes/0/col_742476188.bin": sparrow.u64(2 << 56 | 9 << 40 | 1 << 30) * 2}
    folder = one_label(tmp_path, ["age", "nick"], **files)
    (folder / "edges" / "0" / "delta.log").write_bytes(b"odd")
    (folder / "wal" / "segment-00000000000000000001.wal").write_bytes(b"\3")
    nk.open(folder).close()
    (folder / "edges" / "0" / "delta.log").write_bytes(b"")
    (folder / "wal" / "segment-00000000000000000001.wal").unlink()
    with nk.open(folder) as g:
        assert g.node_types == {"Person": 2}
        assert g.read_nodes("Person", ["nick"])["nick"].tolist() == [1, 2]
        for ask in (lambda: g.read_nodes("Person"), lambda: g.read_nodes("Person", nodes=[1])):
            with pytest.raises(nk.FormatError, match=r"col_742476188\.bin: slot"):
                ask()


def test_more_names_than_one_walk_of_the_log_has_room_for(tmp_path):
    names = [f"name {number}" for number in range(3000)]
    draft, log = sparrow.Draft(), sparrow.Log()
    label = draft.label("Person", 1)
    draft.column(label, names[-1], [1])
    draft.column(label, names[0], [2])
    for start in range(0, len(names), 100):
        log.node(*names[start : start + 100], "again")
    draft.log(log)
    sparrow.save(draft.files(), tmp_path)
    with nk.open(tmp_path) as g:
        assert by_row(g.read_nodes("Person")) == [{names[-1]: "int 1", names[0]: "int 2"}]
        assert g.verify().ok


@pytest.mark.parametrize("mark", [None, 0, 3])
def test_databases_without_a_live_node(tmp_path, mark):
    draft = sparrow.Draft()
    label = draft.label("Person", mark)
    draft.table(0, label, label, "KNOWS")
    draft.delta(0, label, label, [(0, 1), (2, 2)])
    if mark:
        draft.delete(label, range(mark))
        draft.label_set(label, 1, [label])
    sparrow.save(draft.files(), tmp_path / "db")
    with nk.open(tmp_path / "db") as g:
        assert (g.node_count, g.edge_count, g.node_types, g.connection_types) == (0, 0, {}, {})
        assert g.nodes().tolist() == g.csr().targets.tolist() == []
        assert g.degrees().tolist() == [0] * (mark or 0)
        with pytest.raises(nk.NotFoundError):
            g.read_nodes("Person")
        assert "2 have no node at an end" in str(g.verify())
        g.save(tmp_path / "native")
    with nk.open(tmp_path / "native") as g:
        assert g.node_count == 0
        assert g.verify().ok
