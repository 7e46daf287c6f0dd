"""Triangles and local clustering against slow twins."""

import numpy as np
import pytest
import reference_structure as reference
from hypothesis import given
from structure_graphs import (
    csr_of,
    edge_lists,
    graph_of,
    random_edges,
)

import nkgraph as nk
from nkgraph.algorithms import memory
from nkgraph.algorithms.simple import (
    SimpleRows,
    even_pieces,
    half_rows,
    share,
    simple_rows,
    steps,
)
from nkgraph.algorithms.triangles import local_clustering, triangle_count, triangles
from nkgraph.algorithms.view import View
from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError, NotFoundError

DIRECTIONS = ("out", "in", "both")


# -- simple rows ------------------------------------------------------------------------------


def pairs_of(rows: SimpleRows):
    nodes = np.repeat(np.arange(rows.offsets.size - 1), np.diff(rows.offsets))
    return list(zip(nodes.tolist(), rows.peers.tolist(), strict=True))


@given(edge_lists())
def test_simple_rows_match_reference(edges):
    count, pairs = edges
    around = reference.peers(count, pairs)
    wanted = [(node, peer) for node in range(count) for peer in sorted(around[node])]
    for rows in (View(csr_of(*edges)).forward, View(graph_of(*edges)).backward):
        assert pairs_of(simple_rows(rows, 2)) == wanted


@given(edge_lists())
def test_half_rows_match_reference(edges):
    count, pairs = edges
    names = np.random.default_rng(3).permutation(count).astype(np.uint32)
    for forward, rows in (
        (True, View(csr_of(*edges)).forward),
        (False, View(graph_of(*edges)).backward),
    ):
        renamed = [(int(names[a]), int(names[b])) for a, b in pairs]
        if not forward:
            renamed = [(b, a) for a, b in renamed]
        wanted = sorted({(max(pair), min(pair)) for pair in renamed if pair[0] != pair[1]})
        found = half_rows(rows, 1, names, with_ways=True)
        assert pairs_of(found) == wanted
        ways = [((a, b) in renamed) + 2 * ((b, a) in renamed) for a, b in wanted]
        assert found.ways.tolist() == ways
        assert half_rows(rows, 1, names).ways.size == 0


def test_simple_rows_of_many_buckets_and_threads():
    edges = random_edges(3000, 300_000, 5)
    around = reference.peers(3000, edges)
    wanted = [(node, peer) for node in range(3000) for peer in sorted(around[node])]
    for count in (1, 2, 3):
        assert pairs_of(simple_rows(View(csr_of(3000, edges)).forward, count)) == wanted


def test_pieces_are_even_and_cover_all_rows():
    bounds = np.concatenate([[0], np.cumsum(np.random.default_rng(0).integers(0, 90, 5000))])
    for parts in (1, 2, 7, 64, 10**6):
        pieces = even_pieces(bounds, parts)
        assert [a for a, _ in pieces] + [5000] == [0] + [b for _, b in pieces]
        costs = [bounds[b] - bounds[a] + b - a for a, b in pieces]
        assert max(costs) <= 2 * min(costs)
        assert len(pieces) == min(parts, (5000 + bounds[-1]) >> 12)
    assert even_pieces(np.zeros(1, np.int64), 4) == [(0, 0)]
    assert steps(np.array([0, 9, 9 + (1 << 25), 9 + (1 << 26)]), (1, 3)) == [(1, 2), (2, 3)]


def test_one_failure_ends_shared_work():
    done = []

    def work(start, stop):
        if start == 3:
            raise KeyboardInterrupt
        done.append(start)

    with pytest.raises(KeyboardInterrupt):
        share([(at, at + 1) for at in range(9)], [work])
    assert done == [0, 1, 2]


# -- triangles --------------------------------------------------------------------------------


@given(edge_lists())
def test_triangles_match_reference(edges):
    expected = reference.triangles(*edges)
    for graph in (csr_of(*edges), graph_of(*edges)):
        for direction in DIRECTIONS:
            found = triangles(graph, direction=direction)
            assert found.tolist() == expected
            assert found.dtype == np.int64
            assert triangle_count(graph, direction=direction) == sum(expected) // 3


@given(edge_lists())
def test_clustering_matches_reference(edges):
    directed = reference.local_clustering(*edges)
    undirected = reference.local_clustering(*edges, undirected=True)
    for graph in (csr_of(*edges), graph_of(*edges)):
        for direction, expected in zip(DIRECTIONS, (directed, directed, undirected), strict=True):
            found = local_clustering(graph, direction=direction)
            assert found.tolist() == expected
            assert found.dtype == np.float64


def test_threads_and_forms_give_the_same_bits(tmp_path):
    edges = random_edges(2000, 60_000, 1)
    expected = reference.triangles(2000, edges)
    clustering = reference.local_clustering_fast(2000, edges)
    memory_graph = graph_of(2000, edges)
    memory_graph.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as mapped:
        for graph in (csr_of(2000, edges), memory_graph, mapped):
            for count in (1, 2, 3):
                assert triangles(graph, threads=count).tolist() == expected
                assert triangle_count(graph, threads=count) == sum(expected) // 3
                assert local_clustering(graph, threads=count).tolist() == clustering


def test_complete_graph_has_all_triangles_in_many_buckets():
    count = 400
    sources, targets = np.triu_indices(count, 1)
    csr = CSR.from_edges(targets, sources, count)
    assert set(triangles(csr).tolist()) == {(count - 1) * (count - 2) // 2}
    assert triangle_count(csr) == count * (count - 1) * (count - 2) // 6
    assert set(local_clustering(csr, direction="both").tolist()) == {1.0}
    assert set(local_clustering(csr).tolist()) == {0.5}


def test_hubs_of_many_neighbors():
    """Two hubs joined to 2**16 nodes and to each other: one triangle with each of them."""
    leaves = np.arange(2, 2 + (1 << 16))
    sources = np.concatenate([np.zeros_like(leaves), np.ones_like(leaves), [1]])
    targets = np.concatenate([leaves, leaves, [0]])
    for csr in (CSR.from_edges(sources, targets), CSR.from_edges(targets, sources)):
        found = triangles(csr)
        assert found[:2].tolist() == [1 << 16, 1 << 16]
        assert set(found[2:].tolist()) == {1}
        assert triangle_count(csr, threads=2) == 1 << 16
        degree = (1 << 16) + 1
        both = local_clustering(csr, direction="both")
        assert both[0] == 2 * (1 << 16) / (degree * (degree - 1))
        assert set(both[2:].tolist()) == {1.0}


def test_removed_nodes_and_connection_types():
    edges = random_edges(40, 400, 2)
    graph = graph_of(40, edges, ("A", "B"))
    removed = [0, 7, 39]
    graph.remove_nodes(removed)
    for kind, own in (("A", edges[::2]), ("B", edges[1::2]), (None, edges)):
        left = [(a, b) for a, b in own if a not in removed and b not in removed]
        expected = reference.triangles(40, left)
        found = triangles(graph, connection_type=kind)
        assert triangle_count(graph, connection_type=kind) == sum(expected) // 3
        clustering = local_clustering(graph, connection_type=kind)
        twin = reference.local_clustering(40, left)
        for node in range(40):
            gone = node in removed
            assert found[node] == (-1 if gone else expected[node])
            assert np.isnan(clustering[node]) if gone else clustering[node] == twin[node]


def test_small_graphs():
    empty, one = CSR.from_edges([], []), CSR.from_edges([0, 0], [0, 0])
    assert (triangles(empty).tolist(), triangle_count(empty)) == ([], 0)
    assert (triangles(one).tolist(), triangle_count(one)) == ([0], 0)
    assert local_clustering(empty).tolist() == []
    assert local_clustering(one).tolist() == [0.0]
    assert triangles(nk.Graph()).tolist() == []


@pytest.mark.parametrize("function", [triangles, triangle_count, local_clustering])
def test_bad_arguments_are_named(function, monkeypatch):
    csr = CSR.from_edges([0], [1])
    with pytest.raises(GraphError, match="direction is 'up'"):
        function(csr, direction="up")
    with pytest.raises(GraphError, match="threads is 0, not at least 1"):
        function(csr, threads=0)
    with pytest.raises(GraphError, match="connection_type is for a Graph"):
        function(csr, connection_type="A")
    with pytest.raises(NotFoundError):
        function(graph_of(2, [(0, 1)]), connection_type="A")
    monkeypatch.setattr(memory, "available", lambda: 1000)
    with pytest.raises(LimitError, match=f"{function.__name__} needs .* 1,000 are available"):
        function(csr)


@pytest.mark.parametrize("function", [triangles, triangle_count, local_clustering])
def test_progress_is_told(function):
    told = []
    function(
        csr_of(2000, random_edges(2000, 200_000, 4)),
        threads=1,
        progress=lambda *step: told.append(step),
    )
    assert len(told) > 3
    assert told[-1] == (function.__name__, len(told), len(told))
