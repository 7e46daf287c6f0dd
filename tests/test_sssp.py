import numpy as np
import pytest
import reference_traversal as reference
import traversal_graphs as graphs
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.algorithms import sssp as module
from nkgraph.algorithms.memory import memory_estimate
from nkgraph.algorithms.sssp import sssp
from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError, NotFoundError

DIRECTIONS = ["out", "in", "both"]
INF = float("inf")

weights = st.one_of(
    st.integers(0, 9).map(float),
    st.floats(0, allow_nan=False),
    st.sampled_from([0.0, -0.0, 5e-324, 1e-300, 0.1, 1e300, INF]),
)
edge_lists = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), weights), max_size=40)


@given(edge_lists, st.sampled_from(DIRECTIONS), st.integers(0, 8))
def test_sssp_matches_dijkstra_to_the_bit(edges, direction, source):
    case = graphs.csr_case(9, [(s, t, "A", w) for s, t, w in edges])
    expected = reference.sssp(9, reference.arcs(*split(edges), direction, case.ends()[2]), source)
    for threads in (1, 2):
        found = sssp(case.graph, source, direction=direction, threads=threads)
        assert found.dtype == np.float64
        assert found.tolist() == expected


def split(edges):
    return [e[0] for e in edges], [e[1] for e in edges]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", [None, "A", "C"])
def test_sssp_of_graphs_of_types(direction, kind, tmp_path):
    edges = graphs.random_edges(60, 150, 1)
    for case in (
        graphs.graph_case(60, edges),
        graphs.graph_case(60, edges, {0, 13, 59}),
        graphs.mapped_case(60, edges, tmp_path / "g"),
    ):
        sources, targets, lengths = case.ends(kind)
        for weight in (None, "weight"):
            arcs = reference.arcs(sources, targets, direction, lengths if weight else None)
            found = sssp(
                case.graph, 7, connection_type=kind, direction=direction, weight=weight, threads=2
            )
            assert found.tolist() == reference.sssp(60, arcs, 7)
            assert all(found[u] == INF for u in set(range(60)) - set(case.live))
        case.graph.close()


LENGTHS = {
    "bytes": lambda rng, m: rng.integers(1, 256, m).astype(float),
    "floats": lambda rng, m: rng.random(m),
    "zeros": lambda rng, m: np.zeros(m),
    "powers": lambda rng, m: 10.0 ** rng.integers(-200, 200, m),
    "few large": lambda rng, m: np.where(rng.random(m) < 0.01, 1e6, rng.random(m)),
}


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("skew", [1, 4])
def test_sssp_large(kind, skew, monkeypatch):
    for name, value in (("FEW_NODES", 20), ("MOST_EDGES", 500), ("BUFFER", 3), ("NARROW", 4)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "WIDE", 50)
    rng = np.random.default_rng(skew)
    n, m = 3000, 20000
    ends = (rng.random((2, m)) ** skew * n).astype(int)
    lengths = LENGTHS[kind](rng, m)
    arcs = reference.arcs(*ends.tolist(), "out", lengths.tolist())
    expected = reference.sssp(n, arcs, int(ends[0, 0]))
    csr = CSR.from_edges(*ends, n, lengths)
    for threads in (1, 2, 3):
        assert sssp(csr, int(ends[0, 0]), threads=threads).tolist() == expected


def test_sssp_on_a_grid_and_a_long_path():
    side = 60
    at = np.arange(side * side).reshape(side, side)
    ends = np.concatenate(
        [[at[:, :-1].ravel(), at[:, 1:].ravel()], [at[:-1].ravel(), at[1:].ravel()]], axis=1
    )
    lengths = np.random.default_rng(3).integers(1, 1000, ends.shape[1]) / 7
    arcs = reference.arcs(*ends.tolist(), "both", lengths.tolist())
    csr = CSR.from_edges(*ends, weights=lengths)
    found = sssp(csr, 17, direction="both", threads=2)
    assert found.tolist() == reference.sssp(side * side, arcs, 17)
    n = 1 << 16
    path = CSR.from_edges(np.arange(n - 1), np.arange(1, n), weights=np.full(n - 1, 0.1))
    assert sssp(path, 0).tolist() == np.add.accumulate([0.0] + [0.1] * (n - 1)).tolist()


def test_sssp_of_a_star_on_several_threads():
    n = (1 << 16) + 2
    lengths = np.arange(1.0, n)
    star = CSR.from_edges(np.zeros(n - 1, int), np.arange(1, n), weights=lengths)
    for threads in (1, 2, 3):
        assert (sssp(star, 0, threads=threads)[1:] == lengths).all()
        assert sssp(star, 3, direction="both", threads=threads)[5] == 8.0


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32])
def test_weights_of_any_dtype(dtype):
    csr = CSR.from_edges([0, 1], [1, 2], weights=np.array([1, 1], dtype))
    assert sssp(csr, 0).tolist() == [0.0, 1.0, 2.0]


def test_weights_that_are_not_lengths_are_named():
    for bad, shown in ((-1.0, "-1.0"), (np.nan, "nan"), (-np.inf, "-inf")):
        csr = CSR.from_edges([0, 5, 4], [1, 2, 4], weights=[1.0, bad, 2.0])
        for threads in (1, 2):
            message = f"from node 5 to 2 is {shown}"
            with pytest.raises(GraphError, match=message):
                sssp(csr, 0, threads=threads)
            with pytest.raises(GraphError, match=message):
                sssp(csr, 0, direction="in", threads=threads)
    case = graphs.graph_case(4, [(0, 1, "A", 1.0), (2, 3, "A", -2.0)])
    with pytest.raises(GraphError, match=r"edge 1 from node 2 to 3 is -2\.0"):
        sssp(case.graph, 0, weight="weight")


def test_the_first_bad_weight_is_named_whatever_the_threads(monkeypatch):
    rng = np.random.default_rng(0)
    lengths = rng.random(200_000)
    lengths[[70_001, 150_000]] = -1
    nodes = np.arange(200_000)
    csr = CSR.from_edges(nodes, nodes[::-1], weights=lengths)
    for threads in (1, 2, 3):
        with pytest.raises(GraphError, match="from node 70001 to 129998"):
            sssp(csr, 0, threads=threads)


def test_sssp_says_what_is_wrong(monkeypatch):
    case = graphs.graph_case(3, [(0, 1, "A", 1.0)])
    case.graph.add_edges("A", [1], [2])
    with pytest.raises(GraphError, match="has none"):
        sssp(case.graph, 0, weight="weight")
    with pytest.raises(GraphError, match="source 9 is not a node"):
        sssp(case.graph, 9)
    with pytest.raises(NotFoundError):
        sssp(case.graph, 0, connection_type="Z")
    csr = CSR.from_edges([0], [1], weights=[1.0])
    with pytest.raises(GraphError, match="weight is for a Graph"):
        sssp(csr, 0, weight="weight")
    assert memory_estimate("sssp", csr) >= 16 * 2
    monkeypatch.setattr("nkgraph.algorithms.memory.available", lambda: 10)
    with pytest.raises(LimitError, match="sssp needs"):
        sssp(csr, 0)


def test_sssp_of_one_node_and_without_edges():
    assert sssp(CSR.from_edges([], [], 1, []), 0).tolist() == [0.0]
    assert sssp(CSR.from_edges([0], [0], 2, [3.0]), 0).tolist() == [0.0, INF]
    told = []
    sssp(CSR.from_edges([0], [1], 2, [3.0]), 0, progress=lambda *step: told.append(step))
    assert told[-1] == ("sssp", 2, None)
