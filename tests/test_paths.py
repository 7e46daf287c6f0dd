from itertools import pairwise

import numpy as np
import pytest
import reference_traversal as reference
import traversal_graphs as graphs
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.algorithms import paths
from nkgraph.algorithms.histograms import degree_histogram, peer_histogram
from nkgraph.algorithms.memory import memory_estimate
from nkgraph.algorithms.paths import k_hop, path_counts, random_walks
from nkgraph.csr import CSR
from nkgraph.dtypes import NO_NODE
from nkgraph.errors import GraphError, LimitError, NotFoundError
from nkgraph.graph import Graph

DIRECTIONS = ["out", "in", "both"]
KINDS = [None, "A", "C"]
edge_lists = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40)


def typed_cases(tmp_path):
    edges = graphs.random_edges(60, 150, 1)
    yield graphs.graph_case(60, edges)
    yield graphs.graph_case(60, edges, {0, 13, 59})
    yield graphs.mapped_case(60, edges, tmp_path / "g")


# -- k_hop --------------------------------------------------------------------------------------


@given(edge_lists, st.sampled_from(DIRECTIONS), st.lists(st.integers(0, 8), max_size=4))
def test_k_hop_matches_reference(edges, direction, sources):
    csr = CSR.from_edges([s for s, _ in edges], [t for _, t in edges], 9)
    arcs = reference.arcs(*([e[i] for e in edges] for i in (0, 1)), direction)
    for hops in (0, 1, 2, 20):
        found = k_hop(csr, sources, hops, direction=direction)
        assert (found.nodes.dtype, found.depths.dtype) == (np.uint32, np.int32)
        expected = reference.k_hop(9, arcs, sources, hops)
        assert (found.nodes.tolist(), found.depths.tolist()) == expected


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_k_hop_of_types_in_pieces(direction, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MOST_EDGES", 7)
    for case in typed_cases(tmp_path):
        for kind in KINDS:
            arcs = reference.arcs(*case.ends(kind)[:2], direction)
            found = k_hop(case.graph, [7, 8], 3, connection_type=kind, direction=direction)
            expected = reference.k_hop(60, arcs, [7, 8], 3)
            assert (found.nodes.tolist(), found.depths.tolist()) == expected
        case.graph.close()


# -- path_counts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "direction"),
    [
        ([], "out"),
        (["A"], "out"),
        (["A", "B", None], "out"),
        (["A", "A"], ["out", "in"]),
        (["C", None, "A", "B"], "both"),
        ([None, "C"], ("in", "both")),
    ],
)
def test_path_counts_match_reference(kinds, direction, tmp_path):
    ways = [direction] * len(kinds) if isinstance(direction, str) else direction
    for case in typed_cases(tmp_path):
        steps = [
            reference.arcs(*case.ends(kind)[:2], way) for kind, way in zip(kinds, ways, strict=True)
        ]
        for sources in ([7], [7, 9, 7], case.live, []):
            expected = reference.path_counts(sources, steps)
            for threads in (1, 3):
                counts = path_counts(
                    case.graph, sources, kinds, direction=direction, threads=threads
                )
                assert (counts.dtype, counts.size) == (np.uint64, 60)
                found = np.flatnonzero(counts)
                assert dict(zip(found.tolist(), counts[found].tolist(), strict=True)) == expected
        case.graph.close()


def test_path_counts_on_several_threads_and_in_pieces(monkeypatch):
    monkeypatch.setattr(paths, "MOST_EDGES", 10_000)
    edges = graphs.random_edges(5000, 40_000, 2, 3)
    case = graphs.csr_case(5000, edges)
    arcs = reference.arcs(*case.ends()[:2], "out")
    expected = reference.path_counts(case.live, [arcs] * 4)
    for threads in (1, 2, 3):
        counts = path_counts(case.graph, case.live, [None] * 4, threads=threads)
        assert {u: int(c) for u, c in enumerate(counts) if c} == expected


def test_too_many_paths_are_refused():
    doubling = CSR.from_edges([0, 0], [0, 0])
    assert path_counts(doubling, 0, [None] * 63).tolist() == [2**63]
    with pytest.raises(LimitError, match="paths of 64 edges"):
        path_counts(doubling, 0, [None] * 64)


def test_path_counts_say_what_is_wrong():
    case = graphs.graph_case(3, [(0, 1, "A", 1.0)])
    with pytest.raises(GraphError, match="as many directions"):
        path_counts(case.graph, 0, ["A"], direction=["out", "in"])
    with pytest.raises(GraphError, match="expected a sequence"):
        path_counts(case.graph, 0, "A")
    with pytest.raises(NotFoundError):
        path_counts(case.graph, 0, ["A", "Z"])
    with pytest.raises(GraphError, match="for a Graph"):
        path_counts(CSR.from_edges([0], [1]), 0, ["A"])


# -- random_walks -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**63 + 5, 2**64 - 1])
def test_random_walks_match_their_twin(seed):
    edges = graphs.random_edges(40, 90, 3)
    csr = graphs.csr_case(40, edges).graph
    rows = [csr.neighbors(u).tolist() for u in range(40)]
    sources = [u % 40 for u in range(1000)]
    for threads in (1, 2, 3):
        found = random_walks(csr, sources, 6, seed=seed, threads=threads)
        assert (found.dtype, found.shape) == (np.uint32, (1000, 7))
        for number, source in enumerate(sources):
            expected = reference.random_walk(rows, source, 6, seed, number)
            assert found[number].tolist() == expected


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_random_walks_follow_edges(direction, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MOST_STEPS", 50)
    for case in typed_cases(tmp_path):
        for kind in KINDS:
            arcs = {(s, t) for s, t, _ in reference.arcs(*case.ends(kind)[:2], direction)}
            ending = set(case.live) - {s for s, _ in arcs}
            found = random_walks(
                case.graph, case.live, 5, seed=4, connection_type=kind, direction=direction
            )
            for walk in found.tolist():
                for a, b in pairwise(walk):
                    dead = a in ending or a == int(NO_NODE)
                    assert b == int(NO_NODE) if dead else (a, b) in arcs
        case.graph.close()


def test_random_walks_take_every_edge_alike():
    csr = CSR.from_edges([0] * 5, [1, 2, 3, 4, 4])
    ends = random_walks(csr, np.zeros(50_000, int), 1, seed=1)[:, 1]
    counts = np.bincount(ends)[1:]
    # Five standard deviations of 50,000 draws at 1/5 are 447, at 2/5 548.
    assert (np.abs(counts - [10_000, 10_000, 10_000, 20_000]) < [447, 447, 447, 548]).all()
    two = random_walks(csr, np.zeros(50_000, int), 1, seed=2)[:, 1]
    assert (two != ends).mean() > 0.6


def test_walks_of_no_length_and_none_at_all():
    csr = CSR.from_edges([0], [1])
    assert random_walks(csr, [1, 0], 0, seed=0).tolist() == [[1], [0]]
    assert random_walks(csr, [], 3, seed=0).shape == (0, 4)
    assert random_walks(csr, 0, 2, seed=0).tolist() == [[0, 1, int(NO_NODE)]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda csr: k_hop(csr, 0, -1), "hops is -1"),
        (lambda csr: k_hop(csr, 0, 1.5), "hops is 1.5"),
        (lambda csr: k_hop(csr, 7, 1), "source 7 is not a node"),
        (lambda csr: random_walks(csr, 0, -1, seed=0), "length is -1"),
        (lambda csr: random_walks(csr, 0, 1, seed=-1), "seed is -1"),
        (lambda csr: random_walks(csr, 0, 1, seed=2**64), "not below"),
        (lambda csr: path_counts(csr, [0, 7], [None]), "source 7 is not a node"),
    ],
)
def test_errors_say_what_is_wrong(call, message):
    with pytest.raises(GraphError, match=message):
        call(CSR.from_edges([0], [1]))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("k_hop", lambda csr, told: k_hop(csr, 0, 2, progress=told)),
        ("path_counts", lambda csr, told: path_counts(csr, 0, [None], progress=told)),
        ("random_walks", lambda csr, told: random_walks(csr, 0, 2, seed=0, progress=told)),
        ("degree_histogram", lambda csr, told: degree_histogram(csr, progress=told)),
        ("peer_histogram", lambda csr, told: peer_histogram(csr, progress=told)),
    ],
)
def test_progress_and_memory(name, call, monkeypatch):
    csr, told = CSR.from_edges([0, 1], [1, 2]), []
    call(csr, lambda *step: told.append(step))
    assert told[-1][0] == name
    assert memory_estimate(name, csr) >= 0
    monkeypatch.setattr("nkgraph.algorithms.memory.available", lambda: 0)
    with pytest.raises(LimitError, match=f"{name} needs"):
        call(csr, None)


# -- histograms ---------------------------------------------------------------------------------


def test_histograms_match_reference(tmp_path):
    cases = [*typed_cases(tmp_path), graphs.csr_case(60, graphs.random_edges(60, 150, 1))]
    for case in cases:
        for kind in KINDS[: 1 if isinstance(case.graph, CSR) else 3]:
            sources, targets, _ = case.ends(kind)
            ends = {"out": sources, "in": targets, "both": sources + targets}
            for direction, nodes in ends.items():
                expected = reference.histogram([nodes.count(u) for u in case.live])
                found = degree_histogram(case.graph, kind, direction)
                assert (found.values.tolist(), found.counts.tolist()) == expected
                assert (found.values.dtype, found.counts.dtype) == (np.int64, np.int64)
            expected = reference.histogram([targets.count(u) for u in set(targets)])
            found = peer_histogram(case.graph, kind)
            assert (found.values.tolist(), found.counts.tolist()) == expected
        if isinstance(case.graph, Graph):
            case.graph.close()


def test_histograms_of_a_hub_and_of_nothing():
    n = 1 << 16
    csr = CSR.from_edges(np.zeros(n, int), np.arange(n) % 3, 3)  # a degree far above n
    assert [part.tolist() for part in degree_histogram(csr)] == [[0, n], [2, 1]]
    assert [part.tolist() for part in peer_histogram(csr)] == [[21845, 21846], [2, 1]]
    for empty in (CSR.from_edges([], []), Graph()):
        assert [part.tolist() for part in degree_histogram(empty)] == [[], []]
        assert [part.tolist() for part in peer_histogram(empty)] == [[], []]
    with pytest.raises(NotFoundError):
        peer_histogram(Graph(), "A")
