import threading

import numpy as np
import pytest
import reference_traversal as reference
import traversal_graphs as graphs
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.algorithms import traversal
from nkgraph.algorithms.memory import memory_estimate
from nkgraph.algorithms.traversal import bfs
from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError, NotFoundError
from nkgraph.graph import Graph

DIRECTIONS = ["out", "in", "both"]


def check(case, source, direction, kind=None, threads=1):
    sources, targets, _ = case.ends(kind)
    arcs = reference.arcs(sources, targets, direction)
    found = bfs(case.graph, source, connection_type=kind, direction=direction, threads=threads)
    assert (found.depths.dtype, found.parents.dtype) == (np.int32, np.uint32)
    depths, parents = reference.bfs(case.node_count, arcs, source)
    assert found.depths.tolist() == depths
    assert found.parents.tolist() == parents
    return found


edge_lists = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40)


@given(edge_lists, st.sampled_from(DIRECTIONS), st.integers(0, 8))
def test_bfs_matches_reference(edges, direction, source):
    case = graphs.csr_case(9, [(s, t, "A", 1.0) for s, t in edges])
    check(case, source, direction)
    check(case, source, direction, threads=2)  # with rows against the edges


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", [None, "A", "C"])
def test_bfs_of_graphs_of_types(direction, kind, tmp_path):
    edges = graphs.random_edges(60, 150, 1)
    removed = {0, 13, 59}
    for case in (
        graphs.graph_case(60, edges),
        graphs.graph_case(60, edges, removed),
        graphs.mapped_case(60, edges, tmp_path / "g"),
    ):
        found = check(case, 7, direction, kind)
        assert all(found.depths[u] == -1 for u in set(range(60)) - set(case.live))
        case.graph.close()


@pytest.fixture(params=[1, 4], ids=["uniform", "skewed"])
def large(request):
    """Enough nodes and edges that levels go up, down, and over several threads."""
    return graphs.random_edges(3000, 24000, 5, request.param)


def small_limits(monkeypatch):
    monkeypatch.setattr(traversal, "FEW_EDGES", 50)
    monkeypatch.setattr(traversal, "MOST_EDGES", 1000)
    monkeypatch.setattr(traversal, "BUFFER", 3)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("ordered", [False, True])
def test_bfs_large_levels(large, direction, ordered, monkeypatch):
    small_limits(monkeypatch)
    edges = sorted(large) if ordered else large
    edges = [(s, t, "A", w) for s, t, _, w in edges]
    source = edges[0][0]
    arcs = reference.arcs([e[0] for e in edges], [e[1] for e in edges], direction)
    depths, parents = reference.bfs(3000, arcs, source)
    for case in (graphs.csr_case(3000, edges), graphs.graph_case(3000, edges)):
        for threads in (1, 2, 3):
            found = bfs(case.graph, source, direction=direction, threads=threads)
            assert found.depths.tolist() == depths
            assert found.parents.tolist() == parents


def test_bfs_goes_up_and_down(large, monkeypatch):
    small_limits(monkeypatch)
    steps = []
    for name in ("_go_up", "_go_down", "_go_down_alone"):
        real = getattr(traversal._Search, name)

        def step(self, *rest, name=name, real=real):
            steps.append(name)
            return real(self, *rest)

        monkeypatch.setattr(traversal._Search, name, step)
    case = graphs.csr_case(3000, large)
    bfs(case.graph, large[0][0], threads=2)
    assert set(steps) == {"_go_down", "_go_down_alone"}  # first search of a CSR
    bfs(case.graph, large[0][0], threads=2)
    assert "_go_up" in steps


def test_bfs_of_a_long_path_and_a_star():
    n = 1 << 17
    path = CSR.from_edges(np.arange(n - 1), np.arange(1, n))
    for _ in range(2):
        found = bfs(path, 0)
        assert (found.depths == np.arange(n)).all()
        assert (found.parents[1:] == np.arange(n - 1)).all()
    star = CSR.from_edges(np.zeros(n - 1, int), np.arange(1, n))
    for threads in (1, 2, 3):
        for direction, source in (("out", 0), ("both", 5), ("in", 5)):
            found = bfs(star, source, direction=direction, threads=threads)
            assert found.depths[0] == (direction != "out")
            far = {"out": 1, "both": 2, "in": -1}[direction]
            assert (np.delete(found.depths, [0, 5]) == far).all()
            assert (np.delete(found.parents, [0, 5]) == (0 if far > 0 else 2**32 - 1)).all()


def test_bfs_of_one_node_and_of_none():
    found = bfs(CSR.from_edges([0], [0]), 0)
    assert (found.depths.tolist(), found.parents.tolist()) == ([0], [0])
    with pytest.raises(GraphError, match="source 0 is not a node"):
        bfs(CSR.from_edges([], []), 0)
    with pytest.raises(GraphError, match="source 0 is not a node"):
        bfs(Graph(), 0)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (3, {}, "source 3 is not a node"),
        (-1, {}, "source -1 is not a node"),
        ([0, 1], {}, "expected one node"),
        (0.5, {}, "is not an integer"),
        (0, {"direction": "up"}, "direction is 'up'"),
        (0, {"connection_type": "A"}, "connection_type is for a Graph"),
        (0, {"threads": 0}, "threads is 0"),
    ],
)
def test_bfs_says_what_is_wrong(source, options, message):
    with pytest.raises(GraphError, match=message):
        bfs(CSR.from_edges([0, 1], [1, 2]), source, **options)


def test_bfs_refuses_removed_sources_and_unknown_types():
    case = graphs.graph_case(5, [(0, 1, "A", 1.0)], {3})
    with pytest.raises(GraphError, match="source 3 is not a node"):
        bfs(case.graph, 3)
    with pytest.raises(NotFoundError):
        bfs(case.graph, 0, connection_type="Z")


def test_bfs_tells_of_progress_and_of_its_memory(monkeypatch):
    csr = CSR.from_edges([0, 1], [1, 2], 4)
    told = []
    bfs(csr, 0, progress=lambda *step: told.append(step))
    assert told[-1] == ("bfs", 3, 4)
    assert memory_estimate("bfs", csr) >= 12 * 4
    monkeypatch.setattr("nkgraph.algorithms.memory.available", lambda: 10)
    with pytest.raises(LimitError, match="bfs needs"):
        bfs(csr, 0)


def test_bfs_twice_at_once(large):
    csr = graphs.csr_case(3000, large).graph
    sources = [edge[0] for edge in large[:8]]
    alone = [bfs(csr, source) for source in sources]
    answers = {}

    def work(at):
        answers[at] = bfs(csr, sources[at])

    workers = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for at, found in enumerate(alone):
        assert (answers[at].depths == found.depths).all()
        assert (answers[at].parents == found.parents).all()


def test_a_symmetric_csr_keeps_no_second_rows():
    csr = CSR.from_edges([0, 1, 1, 2], [1, 0, 2, 1])
    bfs(csr, 0), bfs(csr, 0)
    assert csr._against()[1] is csr.targets
    other = CSR.from_edges([0, 1], [1, 2])
    bfs(other, 0), bfs(other, 0)
    assert other._against()[1].tolist() == [0, 1]


def test_a_changed_graph_is_looked_at_again():
    case = graphs.graph_case(6, [(0, 1, "A", 1.0), (0, 2, "A", 1.0), (1, 3, "A", 1.0)])
    assert bfs(case.graph, 0).depths.tolist() == [0, 1, 1, 2, -1, -1]
    case.graph.add_edges("A", [3, 2], [4, 4])
    found = bfs(case.graph, 0)
    assert found.depths.tolist() == [0, 1, 1, 2, 2, -1]
    assert found.parents[4] == 2
