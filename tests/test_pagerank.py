"""PageRank against a slow twin."""

import warnings

import numpy as np
import pytest
import rank_graphs as graphs
import reference_ranks as reference
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.algorithms import blocks
from nkgraph.algorithms import pagerank as module
from nkgraph.algorithms.memory import memory_estimate
from nkgraph.algorithms.pagerank import pagerank
from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError, NotFoundError

DIRECTIONS = ("out", "in", "both")


def rounds(graph, count, **options):
    return pagerank(graph, tolerance=0, max_iterations=count, **options)


# -- the slow twin ----------------------------------------------------------------------------

EDGES = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8), st.sampled_from("AB")), max_size=40
)


@given(
    EDGES,
    st.sampled_from(DIRECTIONS),
    st.sampled_from([0.0, 0.5, 0.85, 1.0]),
    st.integers(0, 5),
    st.none() | st.lists(st.integers(0, 3), min_size=9, max_size=9).filter(any),
)
def test_matches_reference(edges, direction, damping, count, personal):
    csr = CSR.from_edges([e[0] for e in edges], [e[1] for e in edges], 9)
    found = rounds(csr, count, damping=damping, direction=direction, personalization=personal)
    ends = reference.along(graphs.kept(edges, ()), direction)
    wanted, _ = reference.pagerank(range(9), ends, damping, count, personal)
    np.testing.assert_allclose(found, [wanted[u] for u in range(9)], rtol=1e-12, atol=1e-18)
    assert found.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("form", graphs.FORMS[2:])
@pytest.mark.parametrize("kind", [None, "A"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_types_and_removed_nodes(tmp_path, form, kind, direction):
    edges = graphs.skewed(50, 170, 3)
    removed = {0, 7, 49}
    live = [u for u in range(50) if u not in removed]
    personal = [(u * 7) % 5 for u in range(50)]
    ends = reference.along(graphs.kept(edges, removed, kind), direction)
    with graphs.typed(50, edges, tmp_path, form, removed) as graph:
        for given_personal in (None, personal):
            found = rounds(
                graph, 6, connection_type=kind, direction=direction, personalization=given_personal
            )
            wanted, _ = reference.pagerank(live, ends, 0.85, 6, given_personal)
            np.testing.assert_allclose(found[live], [wanted[u] for u in live], rtol=1e-12)
            assert np.isnan(found[sorted(removed)]).all()


@pytest.mark.parametrize("form", graphs.FORMS)
def test_same_bits_for_any_threads(tmp_path, form, monkeypatch):
    """Many blocks, a row of 2**16 slots, small chunks; against the twin once."""
    edges = [*graphs.skewed(5000, 20_000, 5), *((u % 4999, 4999, "A") for u in range(1 << 16))]
    graph = graphs.typed(5000, edges, tmp_path, form)
    wanted = rounds(graph, 4, threads=1)
    twin, _ = reference.pagerank(range(5000), graphs.kept(edges, ()), 0.85, 4)
    np.testing.assert_allclose(wanted, [twin[u] for u in range(5000)], rtol=1e-11)
    monkeypatch.setattr(blocks, "LEAST", 1)
    for at_once in (module.AT_ONCE, 20_000, 300_000):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
        for threads in (1, 2, 3):
            assert rounds(graph, 4, threads=threads).tobytes() == wanted.tobytes()
    assert wanted.sum() == pytest.approx(1, abs=1e-12)


def test_few_nodes():
    empty = CSR.from_edges([], [])
    assert pagerank(empty).shape == (0,)
    assert pagerank(empty, personalization=[]).shape == (0,)
    assert pagerank(nk.Graph()).shape == (0,)
    assert pagerank(CSR.from_edges([], [], 1)).tolist() == [1.0]
    assert pagerank(CSR.from_edges([0], [0], 1)).tolist() == pytest.approx([1.0])
    assert pagerank(CSR.from_edges([], [], 4)).tolist() == [0.25] * 4
    graph = nk.Graph()
    graph.remove_nodes(graph.add_nodes("N", [1, 2]))
    assert np.isnan(pagerank(graph)).all()


# -- when it ends -----------------------------------------------------------------------------


def test_ends_at_the_tolerance():
    edges = graphs.skewed(40, 200, 8)
    csr = graphs.typed(40, edges, None, "csr")
    for tolerance in (1e-3, 1e-6):
        told = []
        found = pagerank(
            csr, tolerance=tolerance, progress=lambda *args, told=told: told.append(args)
        )
        count = len(told)
        assert told == [("pagerank", done + 1, None) for done in range(count)]
        assert found.tobytes() == rounds(csr, count).tobytes()
        ends = graphs.kept(edges, ())
        assert reference.pagerank(range(40), ends, 0.85, count)[1] <= tolerance
        assert reference.pagerank(range(40), ends, 0.85, count - 1)[1] > tolerance


def test_says_if_it_did_not_converge():
    csr = CSR.from_edges([0, 1, 2, 3], [1, 2, 1, 1])
    with pytest.warns(RuntimeWarning, match=r"still changed by 0\.\d+ in round 3, .*1e-06"):
        pagerank(csr, max_iterations=3)
    with pytest.warns(RuntimeWarning, match="round 0"):
        found = pagerank(csr, max_iterations=0)
    assert found.tolist() == [0.25] * 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = []
        pagerank(csr, tolerance=0, max_iterations=3, progress=lambda *args: told.append(args[1:]))
    assert told == [(1, 3), (2, 3), (3, 3)]


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": 1.1}, "damping is 1.1, not from 0 to 1"),
        ({"damping": float("nan")}, "damping is nan"),
        ({"tolerance": -1}, "tolerance is -1, not at least 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"max_iterations": -1}, "max_iterations is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"direction": "up"}, "direction is 'up'"),
        ({"connection_type": "A"}, "connection_type is for a Graph"),
        ({"personalization": [1, 1]}, r"expected \(3,\) numbers, found \(2,\) int64"),
        ({"personalization": ["a", "b", "c"]}, r"expected \(3,\) numbers, found \(3,\) <U1"),
        ({"personalization": [1, -1, 0]}, "personalization of node 1 is -1.0"),
        ({"personalization": [1, 0, float("nan")]}, "personalization of node 2 is nan"),
        ({"personalization": [float("inf"), 0, 0]}, "personalization of node 0 is inf"),
        ({"personalization": [0, 0, 0]}, "personalization is 0 for all nodes"),
    ],
)
def test_errors(options, message):
    with pytest.raises(GraphError, match=message):
        pagerank(CSR.from_edges([0, 1], [1, 2]), **options)


def test_large_personalization_does_not_overflow():
    csr = CSR.from_edges([0], [1])
    found = pagerank(csr, personalization=[1e308, 1e308], damping=0)
    assert found.tolist() == [0.5, 0.5]


def test_unknown_type_and_too_little_memory(monkeypatch):
    graph = nk.Graph()
    graph.add_nodes("N", range(3))
    with pytest.raises(NotFoundError):
        pagerank(graph, connection_type="X")
    assert memory_estimate("pagerank", graph) >= 24 * 3
    monkeypatch.setattr("nkgraph.algorithms.memory.available", lambda: 50)
    with pytest.raises(LimitError, match="pagerank needs"):
        pagerank(graph)


def test_the_estimate_counts_blocks_as_the_kernel_has_them():
    from nkgraph import kernels

    assert module.BLOCK == kernels.pagerank.BLOCK
