"""Rows and graphs as those of scipy, igraph and networkit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import nkgraph as nk
from nkgraph.errors import GraphError, LimitError
from nkgraph.interop import scipy as scipy_door

EDGES = [(0, 3), (0, 1), (2, 2), (0, 3), (3, 0)]
SOURCES, TARGETS = np.array(EDGES, np.uint32).T
WEIGHTS = np.array([1.5, 0.0, 2.0, 3.0, -1.0])


def sample(weights=WEIGHTS):
    return nk.CSR.from_edges(SOURCES, TARGETS, 5, weights)


def entries(csr):
    """Source, target, weight and id of each entry."""
    weights = [None] * csr.edge_count if csr.weights is None else csr.weights.tolist()
    ends = zip(csr.row_ids().tolist(), csr.targets.tolist(), strict=True)
    return sorted(zip(ends, weights, csr.edges.tolist(), strict=True))


# -- scipy ------------------------------------------------------------------------------------


def test_to_scipy_shares_targets_and_weights():
    csr = sample()
    matrix = csr.to_scipy()
    assert isinstance(matrix, sparse.csr_array)
    assert (matrix.indices.dtype, matrix.indptr.dtype) == (np.int32, np.int32)
    assert np.shares_memory(matrix.indices, csr.targets)
    assert np.shares_memory(matrix.data, csr.weights)
    matrix.check_format(full_check=True)
    dense = np.zeros((5, 5))
    np.add.at(dense, (SOURCES, TARGETS), WEIGHTS)
    assert matrix.toarray().tolist() == dense.tolist()
    assert (matrix @ np.arange(5.0)).tolist() == (dense @ np.arange(5.0)).tolist()
    assert matrix.nnz == 5  # parallel edges and zeros stay apart


def test_scipy_cannot_sort_or_sum_what_is_shared():
    csr = sample()
    before = entries(csr)
    matrix = csr.to_scipy()
    for change in (matrix.sort_indices, matrix.sum_duplicates, matrix.eliminate_zeros):
        with pytest.raises(ValueError, match=r"read-only|not writeable|read only"):
            change()
    assert entries(csr) == before
    copied = csr.to_scipy(copy=True)
    assert not np.shares_memory(copied.indices, csr.targets)
    assert not np.shares_memory(copied.data, csr.weights)
    copied.sum_duplicates()
    copied.data *= 2
    assert copied.nnz == 4
    assert entries(csr) == before


def test_scipy_uses_what_is_shared():
    from scipy.sparse import csgraph

    matrix = nk.CSR.from_edges([0, 1, 3], [1, 2, 4], 5).to_scipy()
    count, labels = csgraph.connected_components(matrix)
    assert (count, labels.tolist()) == (2, [0, 0, 0, 1, 1])
    assert csgraph.dijkstra(matrix, indices=0)[2] == 2
    assert (matrix @ matrix).toarray()[0, 2] == 1
    assert (matrix + matrix.T).nnz == 6
    assert matrix.tocsc().tocoo().nnz == 3


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.bool_, np.float32])
def test_weights_keep_their_dtype(dtype):
    weights = np.array([1, 0, 1, 1, 0]).astype(dtype)
    matrix = sample(weights).to_scipy()
    assert matrix.dtype == dtype
    assert nk.CSR.from_scipy(matrix).weights.dtype == dtype
    assert sample(None).to_scipy().dtype == np.float64


def test_rows_that_int32_cannot_number(monkeypatch):
    """More than 2**31 nodes or edges, or here 4: offsets are shared, and targets become int64."""
    monkeypatch.setattr(scipy_door, "_NARROW", 4)
    csr = sample()
    matrix = csr.to_scipy()
    assert (matrix.indices.dtype, matrix.indptr.dtype) == (np.int64, np.int64)
    assert np.shares_memory(matrix.indptr, csr.offsets)
    assert np.shares_memory(matrix.data, csr.weights)
    assert matrix.toarray().tolist() == sample().to_scipy(copy=True).toarray().tolist()
    few = nk.CSR.from_edges([0, 3], [3, 0]).to_scipy()  # 4 nodes: the largest id is 3
    assert few.indices.dtype == np.int32
    assert nk.CSR.from_edges([0], [4]).to_scipy().indices.dtype == np.int64
    assert nk.CSR.from_edges([0] * 4, [1] * 4).to_scipy().indices.dtype == np.int64


@st.composite
def entry_lists(draw):
    n = draw(st.integers(1, 6))
    nodes = st.integers(0, n - 1)
    return n, draw(st.lists(st.tuples(nodes, nodes, st.integers(-2, 2)), max_size=14))


@given(entry_lists())
def test_from_scipy_keeps_every_entry(given):
    n, items = given
    rows, cols, data = (np.array([item[k] for item in items], np.int64) for k in range(3))
    matrix = sparse.coo_array((data, (rows, cols)), shape=(n, n))
    order = sorted(range(len(items)), key=lambda place: items[place][:2])
    want = [((items[place][0], items[place][1]), items[place][2], place) for place in order]
    assert entries(nk.CSR.from_scipy(matrix)) == sorted(want)
    # csr and csc with duplicates, unsorted: built by hand, as scipy sums on the way
    pairs = list(zip(rows.tolist(), cols.tolist(), strict=True))
    for form, major, minor in ((sparse.csr_array, 0, 1), (sparse.csc_array, 1, 0)):
        by_major = sorted(range(len(items)), key=lambda place: pairs[place][major])
        counts = np.bincount([pair[major] for pair in pairs], minlength=n)
        built = form((n, n), dtype=np.int64)
        built.indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        built.indices = np.array([pairs[place][minor] for place in by_major], np.int32)
        built.data = data[by_major]
        found = entries(nk.CSR.from_scipy(built))
        assert found == sorted(
            (pairs[place], items[place][2], slot) for slot, place in enumerate(by_major)
        )


def test_there_and_back():
    csr = sample()
    again = nk.CSR.from_scipy(csr.to_scipy())
    assert again.offsets.tolist() == csr.offsets.tolist()
    assert again.targets.tolist() == csr.targets.tolist()
    assert again.weights.tolist() == csr.weights.tolist()
    assert not np.shares_memory(again.weights, csr.weights)


def broken(**arrays):
    matrix = sparse.csr_array(np.eye(3))
    for name, values in arrays.items():
        setattr(matrix, name, np.array(values))
    return matrix


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), "expected one of scipy.sparse, found ndarray"),
        (sparse.csr_array((2, 3)), r"expected a square one, found the shape \(2, 3\)"),
        (sparse.lil_array((2, 2)), r"expected csr, csc or coo, found lil: .*tocoo\(\)"),
        (sparse.dia_array((2, 2)), "found dia"),
        (sparse.csr_array(np.eye(2) * 1j), "complex128"),
        (broken(indices=[0, 3, 1]), "target 3 is not below 3"),
        (broken(indices=[0, -1, 1]), "target -1 is not from 0"),
        (broken(indptr=[0, 2, 1, 3]), "indptr does not lead"),
        (broken(indptr=[0, 1, 2, 2]), "indptr does not lead"),
        (broken(indptr=[1, 1, 2, 3]), "indptr does not lead"),
    ],
)
def test_matrices_that_are_refused(matrix, message):
    with pytest.raises((GraphError, LimitError), match=message):
        nk.CSR.from_scipy(matrix)


# -- igraph and networkit ---------------------------------------------------------------------


def small():
    g = nk.Graph()
    towns = g.add_nodes("Town", ["Bern", "Chur", "Genf"])
    lakes = g.add_nodes("Lake", [7])
    g.add_edges("ROAD", towns[[0, 0, 1]], towns[[1, 1, 1]], {"km": [2.5, 3.5, 0.0]})
    g.add_edges("BY", towns[[2, 0]], lakes[[0, 0]], {"km": [1, 2]})
    return g, towns


def test_igraph():
    made = sample().to_igraph()
    found = [(pair, edge["weight"], edge["edge"]) for pair, edge in
             zip(made.get_edgelist(), made.es, strict=True)]  # fmt: skip
    assert (made.vcount(), made.is_directed(), sorted(found)) == (5, True, entries(sample()))
    assert "weight" not in sample(None).to_igraph().es.attributes()

    g, towns = small()
    made = g.to_igraph(weight="km")
    assert made.vs["id"] == ["Bern", "Chur", "Genf", 7]
    assert made.vs["type"] == ["Town", "Town", "Town", "Lake"]
    assert made.get_edgelist() == [(0, 1), (0, 1), (1, 1), (2, 3), (0, 3)]
    assert made.es["type"] == ["ROAD"] * 3 + ["BY"] * 2
    assert made.es["edge"] == [0, 1, 2, 3, 4]
    assert made.es["weight"] == [2.5, 3.5, 0.0, 1.0, 2.0]
    assert g.to_igraph("BY").es["type"] == ["BY", "BY"]
    g.remove_nodes(towns[1])
    made = g.to_igraph()
    assert made.vs["id"] == ["Bern", None, "Genf", 7]
    assert made.es["edge"] == [3, 4]
    assert nk.Graph().to_igraph().vcount() == 0
    with pytest.raises(nk.NotFoundError):
        g.to_igraph("NOTHING")


def test_networkit():
    made = sample().to_networkit()
    found = [((u, v), w) for u, v, w in made.iterEdgesWeights()]
    assert sorted(found) == [(pair, weight) for pair, weight, _ in entries(sample())]
    assert (made.numberOfNodes(), made.isDirected(), made.isWeighted()) == (5, True, True)
    assert not sample(None).to_networkit().isWeighted()

    g, towns = small()
    made = g.to_networkit(weight="km")
    assert sorted(made.iterEdgesWeights())[:2] == [(0, 1, 2.5), (0, 1, 3.5)]
    assert g.to_networkit("BY").numberOfEdges() == 2
    g.remove_nodes(towns[1])
    made = g.to_networkit()
    assert (list(made.iterNodes()), sorted(made.iterEdges())) == ([0, 2, 3], [(0, 3), (2, 3)])
    assert nk.Graph().to_networkit().numberOfNodes() == 0


@pytest.mark.parametrize("large", [2**53 + 1, -(2**53) - 1, 2**63])
def test_networkit_refuses_weights_that_it_would_round(large):
    weights = np.array([1, large], np.uint64 if large == 2**63 else np.int64)
    with pytest.raises(GraphError, match=f"weights: row 1: {large} is not exact"):
        nk.CSR.from_edges([0, 1], [1, 0], weights=weights).to_networkit()
