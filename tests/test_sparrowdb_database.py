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
    assert model.labels == {"Town": [1], "Bare": [1]}
    with nk.open(tmp_path / "db", property_names=["nobody knows this"]) as g:
        assert g.read_nodes("Person")["nobody knows this"].tolist()[:3] == [None, 4, 4]
