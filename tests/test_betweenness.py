"""Betweenness against its definition, against networkx, and against recorded answers."""

import networkx
import numpy as np
import pytest
import reference_betweenness
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.algorithms import betweenness as home
from nkgraph.algorithms.betweenness import betweenness
from nkgraph.algorithms.memory import memory_estimate
from nkgraph.errors import GraphError, LimitError

DIRECTIONS = ("out", "in", "both")


@st.composite
def graphs(draw):  # loops, parallel edges and isolated nodes included
    n = draw(st.integers(1, 9))
    node = st.integers(0, n - 1)
    return n, draw(st.lists(st.tuples(node, node), max_size=20))


def csr_of(n, edges):
    sources, targets = np.array(edges, int).reshape(-1, 2).T
    return nk.CSR.from_edges(sources, targets, n)


@pytest.fixture(params=["as chosen", "push", "pull"])
def steps(request, monkeypatch):
    """Rows against the edges or not: each way of finding a level must give the same scores."""
    if request.param != "as chosen":
        monkeypatch.setattr(home, "_pulls", lambda *_: request.param == "pull")


@given(graphs(), st.sampled_from(DIRECTIONS), st.integers(1, 3), st.data())
def test_it_is_the_sum_of_shares_of_paths(steps, graph, direction, threads, data):
    n, edges = graph
    sources = data.draw(st.one_of(st.none(), st.lists(st.integers(0, n - 1), max_size=5)))
    found = betweenness(csr_of(n, edges), sources=sources, direction=direction, threads=threads)
    given_sources = range(n) if sources is None else sources
    expected = reference_betweenness.betweenness(n, edges, given_sources, direction)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [float(score) for score in expected], rtol=1e-13, atol=1e-13)


def rmat_like(n, m, seed=27):
    ends = np.random.default_rng(seed).random((2, m)) ** 3 * n
    return ends.astype(np.int64)


@pytest.mark.parametrize("directed", [True, False])
def test_it_agrees_with_networkx_on_a_simple_graph(steps, directed):
    n = 300
    sources, targets = rmat_like(n, 1500)
    theirs = (networkx.DiGraph if directed else networkx.Graph)()
    theirs.add_nodes_from(range(n))
    theirs.add_edges_from((u, v) for u, v in zip(sources, targets, strict=True) if u != v)
    scores = networkx.betweenness_centrality(theirs, normalized=False)
    found = betweenness(csr_of(n, list(theirs.edges)), direction="out" if directed else "both")
    np.testing.assert_allclose(found, [scores[node] for node in range(n)], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_bits_are_the_same_for_any_number_of_threads(steps, monkeypatch, direction):
    graph = csr_of(2000, rmat_like(2000, 20_000).T)
    wanted = betweenness(graph, samples=150, direction=direction, threads=1).tobytes()
    monkeypatch.setattr(home, "BUDGET", 1000)  # pieces do not show either
    for threads in (1, 2, 3):
        found = betweenness(graph, samples=150, direction=direction, threads=threads)
        assert found.tobytes() == wanted


def test_graph_in_memory_mapped_and_csr_agree(tmp_path, steps):
    n = 400
    sources, targets = rmat_like(n, 3000)
    graph = nk.Graph()
    nodes = graph.add_nodes("N", np.arange(n))
    odd = np.arange(3000) % 2 == 1
    graph.add_edges("A", nodes[sources[odd]], nodes[targets[odd]])
    graph.add_edges("B", nodes[sources[~odd]], nodes[targets[~odd]])
    graph.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as mapped:
        for direction in DIRECTIONS:
            for kind in (None, "A", "B"):
                rows = graph.csr(kind)
                wanted = betweenness(rows, samples=20, seed=3, direction=direction)
                for given_graph in (graph, mapped):
                    found = betweenness(
                        given_graph, samples=20, seed=3, connection_type=kind, direction=direction
                    )
                    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_removed_nodes_have_no_score_and_are_no_sources():
    graph = nk.Graph()
    nodes = graph.add_nodes("N", np.arange(6))
    graph.add_edges("E", nodes[[0, 1, 2, 3, 0, 4]], nodes[[1, 2, 3, 5, 4, 5]])
    graph.remove_nodes(nodes[[4]])
    found = betweenness(graph)
    np.testing.assert_array_equal(found, [0, 3, 4, 3, np.nan, 0])
    sampled = betweenness(graph, samples=5, seed=9)  # all that live: exact
    np.testing.assert_array_equal(sampled, found)
    with pytest.raises(GraphError, match="source 4 is not a node"):
        betweenness(graph, sources=[0, 4])
    with pytest.raises(GraphError, match="samples is 6, not from 1 to the 5 nodes"):
        betweenness(graph, samples=6)


def test_parallel_edges_are_paths_of_their_own():
    # From 0 to 3 by 1 on three paths of four: one edge of it is doubled, then tripled by a type.
    edges = [(0, 1), (0, 1), (0, 1), (1, 3), (0, 2), (2, 3), (1, 1), (3, 3)]
    assert betweenness(csr_of(4, edges)).tolist() == [0.0, 0.75, 0.25, 0.0]


def test_no_node_no_edge_and_one_node():
    assert betweenness(nk.CSR.from_edges([], [], 0)).shape == (0,)
    assert betweenness(nk.Graph()).shape == (0,)
    assert betweenness(nk.CSR.from_edges([], [], 3), direction="both").tolist() == [0.0, 0.0, 0.0]
    assert betweenness(nk.CSR.from_edges([0, 0], [0, 0], 1)).tolist() == [0.0]
    assert betweenness(nk.CSR.from_edges([0], [1]), sources=[]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_hub_of_many_edges(steps, direction):
    leaves = 1 << 16
    spokes = np.arange(1, leaves + 1)
    half = leaves // 2
    graph = nk.CSR.from_edges(
        np.concatenate([spokes[:half], np.zeros(half, int)]),
        np.concatenate([np.zeros(half, int), spokes[half:]]),
    )
    found = betweenness(graph, sources=[1, leaves, 0], direction=direction)
    through = {"out": half, "in": half, "both": leaves - 1}[direction]
    assert found[0] == through
    assert not found[1:].any()


def test_a_long_path_has_a_level_for_each_node():
    n = 1 << 15
    graph = nk.CSR.from_edges(np.arange(n - 1), np.arange(1, n))
    found = betweenness(graph, sources=[0, n - 1])
    np.testing.assert_array_equal(found[1:], np.arange(n - 2, -1, -1))


def diamonds(count, width=2):
    """A chain of diamonds: ``width ** count`` shortest paths from end to end."""
    edges = []
    for diamond in range(count):
        start = diamond * (width + 1)
        for middle in range(start + 1, start + width + 1):
            edges += [(start, middle), (middle, start + width + 1)]
    return csr_of(count * (width + 1) + 1, edges)


def test_counts_beyond_whole_numbers_of_a_float_stay_right():
    graph = diamonds(200)
    n = graph.node_count
    scores = betweenness(graph)
    joints, middles = np.arange(n) % 3 == 0, np.arange(n) % 3 == 1
    before = np.arange(n)
    after = n - 1 - before
    np.testing.assert_allclose(scores[joints], (before * after)[joints], rtol=1e-12)
    assert scores[middles][0] == scores[np.arange(n) % 3 == 2][0]
    total = sum(float(score) for score in scores)
    assert total == pytest.approx(_sum_of_inner_nodes(graph), rel=1e-12)


def _sum_of_inner_nodes(graph):
    """All scores together: over all pairs, the nodes between them on one shortest path."""
    total = 0
    for source in range(graph.node_count):
        depth = {source: 0}
        level = [source]
        while level:
            reached = []
            for node in level:
                for target in graph.neighbors(node).tolist():
                    if target not in depth:
                        depth[target] = depth[node] + 1
                        reached.append(target)
            level = reached
        total += sum(depth.values()) - (len(depth) - 1)
    return total


def test_too_many_paths_are_refused_by_name():
    graph = diamonds(1001)
    with pytest.raises(LimitError, match=r"more than 2\*\*1000 shortest paths lead from node 0 "):
        betweenness(graph, sources=[7, 0])
    assert betweenness(graph, sources=[7])[9] > 0


def test_samples_are_seeded_scaled_and_near():
    graph = csr_of(500, rmat_like(500, 4000).T)
    exact = betweenness(graph)
    found = betweenness(graph, samples=250, seed=1)
    assert found.tobytes() == betweenness(graph, samples=250, seed=1).tobytes()
    assert found.tobytes() != betweenness(graph, samples=250, seed=2).tobytes()
    mean = np.mean([betweenness(graph, samples=50, seed=seed) for seed in range(60)], axis=0)
    np.testing.assert_allclose(mean.sum(), exact.sum(), rtol=0.05)
    halves = [betweenness(graph, sources=part) for part in (range(200), range(200, 500))]
    np.testing.assert_allclose(sum(halves), exact, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sources": [0], "samples": 1}, "sources and samples: give one of them"),
        ({"sources": [5]}, "source 5 is not a node"),
        ({"sources": [-1]}, "source -1 is not a node"),
        ({"sources": [0.5]}, "source"),
        ({"samples": 0}, "samples is 0, not from 1 to the 3 nodes"),
        ({"direction": "up"}, "direction is 'up'"),
        ({"threads": 0}, "threads is 0"),
        ({"connection_type": "A"}, "connection_type is for a Graph"),
    ],
)
def test_what_is_wrong_is_said(arguments, message):
    with pytest.raises(GraphError, match=message):
        betweenness(nk.CSR.from_edges([0, 1], [1, 2]), **arguments)


def test_progress_and_memory():
    heard = []
    graph = csr_of(200, rmat_like(200, 900).T)
    betweenness(graph, threads=2, progress=lambda *what: heard.append(what))
    assert heard[-1] == ("betweenness", 200, 200)
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    estimate = memory_estimate("betweenness", graph)
    assert estimate >= 8 * 200 + 40 * 200
    assert estimate < memory_estimate("betweenness", graph, direction="both")


def test_memory_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("nkgraph.algorithms.memory.available", lambda: 1000)
    with pytest.raises(LimitError, match="betweenness needs"):
        betweenness(csr_of(200, [(0, 1)]))
