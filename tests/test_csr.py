import numpy as np
import pytest
import reference as reference
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError

edge_lists = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40)


def rows(csr):
    """Entries of each row as (target, edge, weight)."""
    weights = [None] * csr.edge_count if csr.weights is None else csr.weights.tolist()
    entries = list(zip(csr.targets.tolist(), csr.edges.tolist(), weights, strict=True))
    bounds = csr.offsets.tolist()
    return [entries[bounds[u] : bounds[u + 1]] for u in range(csr.node_count)]


@given(edge_lists, st.booleans())
def test_from_edges_matches_reference(edges, weighted):
    sources, targets = [s for s, _ in edges], [t for _, t in edges]
    weights = [i / 2 for i in range(len(edges))] if weighted else None
    csr = CSR.from_edges(sources, targets, 9, weights)
    expected = reference.untyped_rows(9, sources, targets)
    assert (csr.offsets.tolist(), csr.targets.tolist(), csr.edges.tolist()) == expected
    if weighted:
        assert csr.weights.tolist() == [e / 2 for e in expected[2]]
        assert csr.weights.dtype == np.float64
    assert (csr.node_count, csr.edge_count) == (9, len(edges))


@given(edge_lists)
def test_reverse_and_symmetrized_keep_edges(edges):
    sources, targets = [s for s, _ in edges], [t for _, t in edges]
    csr = CSR.from_edges(sources, targets, 9, np.arange(len(edges)))
    back = rows(csr.reverse())
    both = rows(csr.symmetrized())
    for node in range(9):
        arriving = [(s, e, e) for e, (s, t) in enumerate(edges) if t == node]
        leaving = [(t, e, e) for e, (s, t) in enumerate(edges) if s == node]
        assert sorted(back[node]) == sorted(arriving)
        assert sorted(both[node]) == sorted(arriving + leaving)
    assert [[entry[0] for entry in row] for row in back] == [
        sorted(entry[0] for entry in row) for row in back
    ]


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.uint64, np.float64, object])
def test_ids_of_any_dtype(dtype):
    csr = CSR.from_edges(np.array([0, 2], dtype), np.array([2, 1], dtype))
    assert csr.node_count == 3
    assert csr.neighbors(2).tolist() == [1]


def test_empty_graphs():
    csr = CSR.from_edges([], [])
    assert (csr.node_count, csr.edge_count, csr.offsets.tolist()) == (0, 0, [0])
    assert CSR.from_edges([], [], 3).offsets.tolist() == [0, 0, 0, 0]
    assert csr.symmetrized().node_count == 0
    assert csr.to_scipy().shape == (0, 0)


@pytest.mark.parametrize(
    ("sources", "targets", "node_count", "message"),
    [
        ([0, 1], [1], None, "2 sources but 1 targets"),
        ([0, -1], [1, 1], None, "row 1: source -1 is not from 0 to 4294967294"),
        ([0, 1], [1, 2**32 - 1], None, "row 1: target 4294967295 is not from 0"),
        ([0, 1], [1, 2**63], None, "row 1: target 9223372036854775808 is not from 0"),
        ([0, 1.5], [1, 1], None, "row 1: source 1.5 is not an integer"),
        (np.array([0, np.nan]), [1, 1], None, "row 1: source nan is not an integer"),
        (np.array([np.inf, 1]), [1, 1], None, "row 0: source inf is not an integer"),
        ([0, float("nan")], [1, 1], None, "row 1: source nan is not an integer"),
        ([0, None], [1, 1], None, "row 1: source None is not an integer"),
        ([0, 3], [1, 1], 3, "row 1: source 3 is not below 3"),
        ([0, 1], [7, 1], 3, "row 0: target 7 is not below 3"),
        ([[0]], [[1]], None, "sources: expected one dimension"),
        ([], [], -1, "node_count -1 is negative"),
    ],
)
def test_from_edges_says_what_is_wrong(sources, targets, node_count, message):
    with pytest.raises(GraphError, match=message):
        CSR.from_edges(sources, targets, node_count)


def test_more_nodes_than_ids_are_refused():
    with pytest.raises(LimitError, match="4294967296 nodes are more than 4294967295"):
        CSR.from_edges([], [], 2**32)


@pytest.mark.parametrize("weights", [[1.0], [[1.0, 2.0]], ["a", "b"]])
def test_wrong_weights_are_refused(weights):
    with pytest.raises(GraphError, match="weight"):
        CSR.from_edges([0, 1], [1, 0], weights=weights)


OFFSETS = np.array([0, 1, 2], np.int64)
TARGETS = np.array([1, 0], np.uint32)


@pytest.mark.parametrize(
    ("offsets", "targets", "edges", "message"),
    [
        (OFFSETS.astype(np.int32), TARGETS, TARGETS, r"offsets: expected \(n,\) int64"),
        (OFFSETS, TARGETS.astype(np.int64), TARGETS, r"targets: expected \(n,\) uint32"),
        (OFFSETS, TARGETS, TARGETS[:1], r"edges: expected \(2,\) uint32, found \(1,\)"),
        (OFFSETS[:0], TARGETS, TARGETS, "offsets: expected"),
        (np.array([0, 2, 1]), TARGETS, TARGETS, r"offsets\[2\]: 1 does not lead"),
        (np.array([0, -1, 2]), TARGETS, TARGETS, r"offsets\[1\]: -1 does not lead"),
        (np.array([1, 1, 2]), TARGETS, TARGETS, r"offsets\[0\]: 1 does not lead"),
        (np.array([0, 1, 1]), TARGETS, TARGETS, r"offsets\[2\]: 1 does not lead"),
        (np.array([0, 1, 3]), TARGETS, TARGETS, r"offsets\[2\]: 3 does not lead"),
        (OFFSETS, TARGETS + np.uint32(1), TARGETS, "row 0: target 2 is not below 2"),
        ([0, 1, 2], TARGETS, TARGETS, "offsets: expected .* found list"),
    ],
)
def test_the_constructor_says_what_is_wrong(offsets, targets, edges, message):
    with pytest.raises(GraphError, match=message):
        CSR(offsets, targets, edges)


def test_the_constructor_keeps_its_arrays():
    weights = np.array([2, 3], np.int16)
    csr = CSR(OFFSETS, TARGETS, TARGETS, weights)
    for held, own in ((csr.offsets, OFFSETS), (csr.weights, weights), (csr.targets, TARGETS)):
        assert np.shares_memory(held, own)
        assert own.flags.writeable
        with pytest.raises(ValueError, match="read-only"):  # else kept rows would be stale
            held[0] = 1
    assert repr(csr).startswith("CSR(2 nodes, 2 edges, weights int16, ")


@pytest.mark.parametrize("node", [-1, 2, 2**40])
def test_neighbors_of_no_node_is_an_error(node):
    with pytest.raises(GraphError, match=f"node {node} is not below 2"):
        CSR(OFFSETS, TARGETS, TARGETS).neighbors(node)


def test_to_scipy_shares_memory_and_multiplies():
    csr = CSR.from_edges([0, 0, 2], [1, 1, 0], weights=np.array([1.5, 2.0, 3.0]))
    matrix = csr.to_scipy()
    assert matrix.toarray().tolist() == [[0, 3.5, 0], [0, 0, 0], [3, 0, 0]]
    assert np.shares_memory(matrix.data, csr.weights)
    assert np.shares_memory(matrix.indices, csr.targets)
    assert (matrix @ np.ones(3)).tolist() == [3.5, 0, 3]
    assert CSR.from_edges([0], [1]).to_scipy().toarray().tolist() == [[0, 1], [0, 0]]
