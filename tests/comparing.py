"""Every public answer of a graph against the model of it."""

import itertools

import numpy as np
import pytest
from model import ORDERED, kind_of, plain, satisfies

import nkgraph as nk

ABSENT = (-77, "no such id", 2**62, "7")


def agree_on_counts(g, model):
    assert g.node_count == len(model.nodes)
    assert g.edge_count == len(model.edges)
    assert list(g.node_types.items()) == list(model.node_types().items())
    assert list(g.connection_types.items()) == list(model.connection_types().items())


def agree(g, model, gone=(), rng=None):
    """Compare all that ``g`` answers; ``gone`` are (type, id) pairs that were removed."""
    rng = np.random.default_rng(0) if rng is None else rng
    agree_on_counts(g, model)
    agree_on_nodes(g, model, rng)
    agree_on_ids(g, model, gone, rng)
    agree_on_edges(g, model, rng)
    agree_on_rows(g, model)
    agree_on_the_removed(g, model)
    agree_on_indexes(g, model)
    report = g.verify()
    assert report.ok, str(report)


def agree_on_nodes(g, model, rng):
    everyone = model.nodes_of()
    assert g.nodes().tolist() == everyone
    mixed = rng.permutation(everyone).astype(np.uint32)
    for nodes in (everyone, mixed):
        held = [model.nodes[int(node)] for node in nodes]
        assert g.ids(nodes).tolist() == [node.key for node in held]
        assert g.titles(nodes).tolist() == [node.title for node in held]
        assert g.types(nodes).tolist() == [node.kind for node in held]
    for kind in model.node_types():
        nodes = model.nodes_of(kind)
        assert g.nodes(kind).tolist() == nodes
        some = rng.permutation(nodes)[: 1 + len(nodes) // 2]
        held = {n: model.nodes[n].properties for n in nodes}
        agree_on_table(g.read_nodes(kind), held, nodes)
        agree_on_table(g.read_nodes(kind, nodes=some), held, some.tolist())
        agree_on_columns(lambda names, ids, kind=kind: g.read_nodes(kind, names, ids), held, nodes)
        agree_on_conditions(g, kind, held, nodes, rng)
        table = g.read_nodes(kind, ["title", "id"])
        assert table["id"].tolist() == [model.nodes[n].key for n in nodes]
        assert [title or "" for title in table["title"].tolist()] == [
            model.nodes[n].title for n in nodes
        ]


def agree_on_table(table, held, rows):
    """All columns; one of which no row has a value may be there or not."""
    assert table.rows.tolist() == rows
    assert list(table) == sorted(table)
    assert {name for row in rows for name in held[row]} <= set(table)
    for name in table:
        found = [plain(value) for value in table[name].tolist()]
        assert found == [plain(held[row].get(name)) for row in rows], name


def agree_on_columns(read, held, rows):
    """Columns that are asked for one by one, for the last rows first."""
    for name in sorted({name for row in rows for name in held[row]}):
        column = read([name], rows[::-2])[name].tolist()
        assert list(map(plain, column)) == [plain(held[row].get(name)) for row in rows[::-2]]


def agree_on_conditions(g, kind, held, nodes, rng):
    """Which nodes satisfy a condition on one of the values that are there."""
    for name in sorted({name for node in nodes for name in held[node]}):
        values = [held[node][name] for node in nodes if name in held[node]]
        value = values[int(rng.integers(0, len(values)))]
        if kind_of(value) == "nested" or value != value:
            continue
        operators = (
            ["==", "!=", "<", "<=", ">", ">="] if kind_of(value) in ORDERED else ["==", "!="]
        )
        if kind_of(value) == "text":
            agree_on_texts(g, kind, name, held, nodes, value)
        for operator in rng.permutation(operators)[:2].tolist():
            found = g.read_nodes(kind, ["id"], where=[(name, operator, value)]).rows.tolist()
            want = [node for node in nodes if satisfies(held[node].get(name), operator, value)]
            assert found == want, (kind, name, operator, value)


def agree_on_texts(g, kind, name, held, nodes, value):
    """Conditions that a text index may answer."""
    for where in (
        [(name, "startswith", value[:1])],
        [(name, "==", value), (name, "startswith", value)],
        {name: [value, "none", value]},
    ):
        want = [n for n in nodes if satisfies(held[n].get(name), "==", value)]
        if len(where) == 1 and isinstance(where, list):
            want = [n for n in nodes if satisfies(held[n].get(name), "startswith", value[:1])]
        assert g.read_nodes(kind, ["id"], where=where).rows.tolist() == want, (kind, where)
        some = nodes[::-2]
        want = [n for n in some if n in set(want)]
        assert g.read_nodes(kind, ["id"], some, where).rows.tolist() == want, (kind, where)


def agree_on_indexes(g, model):
    """Look-ups in each index: of texts that are there, of others, and of prefixes."""
    key = lambda pair: (pair[0] is not None, *(name or "" for name in pair))  # noqa: E731
    assert g.indexes == sorted(model.indexes, key=key)
    for kind, column in g.indexes:
        values = model.values_of(kind, column).values()
        texts = sorted({value for value in values if isinstance(value, str)})
        texts += ["", "no such", "zz"] + [text[:-1] + "\x7f" for text in texts[:3]]
        parts = sorted({text[:size] for text in texts for size in (0, 1, 2, 9)}) + texts[:2]
        if column == "title":  # the model does not tell an empty title from none
            texts, parts = list(filter(None, texts)), list(filter(None, parts))
        for find, asked in ((g.find_by_text, texts), (g.find_by_prefix, parts)):
            offsets, nodes = find(kind, column, asked)
            want = model.found(kind, column, asked, find == g.find_by_prefix)
            found = [nodes[s:t].tolist() for s, t in itertools.pairwise(offsets.tolist())]
            assert found == want, (find, kind, column, asked)


def agree_on_ids(g, model, gone, rng):
    for kind in model.node_types():
        known = model.keys_of(kind)
        removed = [key for name, key in gone if name == kind and key not in known]
        absent = removed + [key for key in ABSENT if key not in known]
        keys = [*known, *absent]
        keys = [keys[at] for at in rng.permutation(len(keys))]
        want = [known.get(key, nk.NO_NODE) for key in keys]
        assert g.find(kind, keys, missing="sentinel").tolist() == want
        assert g.find(kind, list(known)).tolist() == list(known.values())
        for key in absent[:3]:
            with pytest.raises(nk.NotFoundError):
                g.find(kind, [key])
    for kind in {name for name, _ in gone} - set(model.node_types()):
        for ask in (g.nodes, g.read_nodes, lambda kind: g.find(kind, [1], missing="sentinel")):
            with pytest.raises(nk.NotFoundError):
                ask(kind)


def agree_on_edges(g, model, rng):
    for kind in (None, *model.connection_types()):
        edges = model.edges_of(kind)
        found = [part.tolist() for part in g.edges(kind)]
        ends = [(model.edges[e].source, model.edges[e].target, e) for e in edges]
        assert list(zip(*found, strict=True)) == ends
    for kind in model.connection_types():
        edges = model.edges_of(kind)
        held = {e: model.edges[e].properties for e in edges}
        agree_on_table(g.read_edges(kind), held, edges)
        mixed = rng.permutation(edges)
        for some in (mixed, mixed[: len(edges) // 2]):
            agree_on_table(g.read_edges(kind, edges=some), held, some.tolist())
        agree_on_columns(lambda names, ids, kind=kind: g.read_edges(kind, names, ids), held, edges)


def agree_on_rows(g, model):
    for kind in (None, *model.connection_types()):
        for direction, rows in model.rows(kind).items():
            offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
            csr = g.csr(kind, direction)
            assert csr.offsets.tolist() == offsets.tolist()
            assert csr.targets.tolist() == [entry[3] for row in rows for entry in row]
            assert csr.edges.tolist() == [entry[1] for row in rows for entry in row]
            assert g.degrees(None, kind, direction).tolist() == np.diff(offsets).tolist()
            nodes = model.nodes_of()[::-1]
            want = [len(rows[node]) for node in nodes]
            assert g.degrees(nodes, kind, direction).tolist() == want
            for node in nodes:
                peers = [entry[3] for entry in rows[node]]
                assert g.neighbors(node, kind, direction).tolist() == peers
        if kind is not None:
            assert g.sources(kind).tolist() == model.sources(kind)
            peers, counts = g.peer_counts(kind)
            found = list(zip(peers.tolist(), counts.tolist(), strict=True))
            assert found == model.peer_counts(kind)


def agree_on_the_removed(g, model):
    """Ids that were given and are no more are refused by name."""
    for node in [*model.free[-2:], model.slots]:
        for ask in (g.ids, g.titles, g.types, g.neighbors, g.degrees):
            with pytest.raises(nk.GraphError, match=f"node {node} "):
                ask([node])
    gone = [e for e in range(model.next_edge) if e not in model.edges]
    for kind in list(model.connection_types())[:1]:
        for edge in [*gone[-2:], model.next_edge]:
            with pytest.raises(nk.GraphError, match=f"edge {edge} "):
                g.read_edges(kind, edges=[edge])
