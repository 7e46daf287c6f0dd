"""Weak and strong components against slow twins."""

import numpy as np
import pytest
import rank_graphs as graphs
import reference_ranks as reference
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.algorithms import blocks, components
from nkgraph.algorithms.components import connected_components, strongly_connected_components
from nkgraph.algorithms.memory import memory_estimate
from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError, NotFoundError

BOTH = pytest.mark.parametrize(
    ("find", "twin"),
    [(connected_components, reference.weak), (strongly_connected_components, reference.strong)],
    ids=["weak", "strong"],
)


def labels(twin, node_count, edges, removed=(), kind=None, direction="out"):
    """What is expected, by node id."""
    live = [u for u in range(node_count) if u not in removed]
    found = twin(live, reference.along(graphs.kept(edges, removed, kind), direction))
    return [found.get(u, int(nk.NO_NODE)) for u in range(node_count)]


# -- slow twins -------------------------------------------------------------------------------

EDGES = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 11), st.sampled_from("AB")), max_size=30
)


@BOTH
@given(EDGES, st.booleans(), st.sampled_from(["out", "in", "both"]))
def test_matches_reference(find, twin, edges, turned, direction):
    graph = graphs.typed(12, edges, None, "turned csr" if turned else "csr")
    found = find(graph, direction=direction)
    assert found.dtype == np.uint32
    assert found.tolist() == labels(twin, 12, edges, direction=direction)


@BOTH
@pytest.mark.parametrize("form", graphs.FORMS[2:])
@pytest.mark.parametrize("direction", ["out", "in", "both"])
@pytest.mark.parametrize("kind", [None, "A"])
def test_types_and_removed_nodes(find, twin, tmp_path, form, direction, kind):
    edges = graphs.skewed(90, 110, 4)
    removed = {0, 11, 89}
    with graphs.typed(90, edges, tmp_path, form, removed) as graph:
        found = find(graph, connection_type=kind, direction=direction)
        assert found.tolist() == labels(twin, 90, edges, removed, kind, direction)


@BOTH
@pytest.mark.parametrize("form", graphs.FORMS)
@pytest.mark.parametrize("edge_count", [0, 2000, 12_000, 60_000])
def test_many_blocks_and_threads(find, twin, tmp_path, form, edge_count, monkeypatch):
    """With a giant component and without, in small chunks of work and large ones."""
    graph, size = graphs.typed(10_000, graphs.skewed(10_000, edge_count, 6), tmp_path, form), 10_000
    ends = graphs.kept(graphs.skewed(10_000, edge_count, 6), ())
    wanted = by_scipy(size, ends, "weak" if twin is reference.weak else "strong")
    monkeypatch.setattr(blocks, "LEAST", 1)
    for at_once in (1000, blocks.AT_ONCE):
        monkeypatch.setattr(blocks, "AT_ONCE", at_once)
        monkeypatch.setattr(components, "AT_ONCE", at_once)
        for threads in (1, 2, 3):
            assert find(graph, threads=threads).tolist() == wanted


def by_scipy(node_count, edges, connection):
    """Smallest node of each node's component, as scipy finds them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components as found_by_scipy

    ends = np.array(edges, np.int64).reshape(-1, 2)
    shape = (node_count, node_count)
    matrix = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape).tocsr()
    _, classes = found_by_scipy(matrix, connection=connection)
    smallest = np.full(node_count, node_count)
    np.minimum.at(smallest, classes, np.arange(node_count))
    return smallest[classes].tolist()


def shapes(count):
    """Graphs that are hard on forests and on depth-first searches."""
    nodes = np.arange(count)
    mixed = np.random.default_rng(2).permutation(count)
    yield "path", nodes[:-1], nodes[1:]
    yield "path back", nodes[1:], nodes[:-1]
    yield "ring", nodes, np.roll(nodes, -1)
    yield "mixed ring", mixed, np.roll(mixed, -1)
    yield "star out", np.zeros(count, int), nodes
    yield "star in", nodes, np.zeros(count, int)
    yield "star of the last", nodes, np.full(count, count - 1)
    yield "pairs", nodes, nodes ^ 1
    yield "two rings", nodes, np.where(nodes % (count // 2) == 0, nodes + count // 2 - 1, nodes - 1)
    # A hub with many targets of its own, which the giant component (a ring) reaches by one edge
    # that is not among the first of its row.
    ring, rest = nodes[: count // 2], nodes[count // 2 :]
    sources = np.concatenate([ring, [5, 5, 5], np.full(rest.size, rest[0])])
    yield "hub outside", sources, np.concatenate([np.roll(ring, -1), [7, 8, rest[0]], rest])


@pytest.mark.parametrize("turned", [False, True])
def test_shapes(turned, monkeypatch):
    monkeypatch.setattr(blocks, "LEAST", 1)
    monkeypatch.setattr(components, "AT_ONCE", 5000)
    for name, sources, targets in shapes(1 << 16):
        csr = CSR.from_edges(sources, targets, 1 << 16)
        if turned:
            csr._against()
        edges = np.stack([sources, targets], axis=1)
        for find, kind in (
            (connected_components, "weak"),
            (strongly_connected_components, "strong"),
        ):
            for threads in (1, 2):
                wanted = by_scipy(1 << 16, edges, kind)
                assert find(csr, threads=threads).tolist() == wanted, (name, kind, threads)


@BOTH
def test_few_nodes(find, twin):
    assert find(CSR.from_edges([], [])).tolist() == []
    assert find(nk.Graph()).tolist() == []
    assert find(CSR.from_edges([0], [0], 1)).tolist() == [0]
    assert find(CSR.from_edges([], [], 3)).tolist() == [0, 1, 2]
    graph = nk.Graph()
    graph.remove_nodes(graph.add_nodes("N", [1, 2]))
    assert find(graph).tolist() == [nk.NO_NODE] * 2


# -- manners ----------------------------------------------------------------------------------


@BOTH
def test_progress_and_errors(find, twin, monkeypatch):
    csr = CSR.from_edges([0, 1], [1, 2])
    told = []
    find(csr, progress=lambda *args: told.append(args))
    assert {name for name, _, _ in told} == {find.__name__}
    assert told[-1][1] == told[-1][2]
    graph = nk.Graph()
    graph.add_nodes("N", range(3))
    with pytest.raises(GraphError, match="direction is 'up'"):
        find(csr, direction="up")
    with pytest.raises(GraphError, match="threads is 0"):
        find(csr, threads=0)
    with pytest.raises(GraphError, match="connection_type is for a Graph"):
        find(csr, connection_type="A")
    with pytest.raises(NotFoundError):
        find(graph, connection_type="A")
    assert memory_estimate(find.__name__, csr) >= 4 * 3
    monkeypatch.setattr("nkgraph.algorithms.memory.available", lambda: 5)
    with pytest.raises(LimitError, match=f"{find.__name__} needs"):
        find(csr)
