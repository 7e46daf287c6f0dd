"""Core numbers, against a slow twin and recorded answers."""

import numpy as np
import pytest
import reference_structure as reference
from hypothesis import given
from structure_graphs import csr_of, edge_lists, graph_of, random_edges

import nkgraph as nk
from nkgraph.algorithms import cores, memory
from nkgraph.algorithms.cores import core_numbers
from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError, NotFoundError


@given(edge_lists())
def test_core_numbers_match_reference(edges):
    expected = reference.core_numbers(*edges)
    for graph in (csr_of(*edges), graph_of(*edges)):
        for direction in ("out", "in", "both"):
            found = core_numbers(graph, direction=direction)
            assert found.tolist() == expected
            assert found.dtype == np.int32


def test_threads_forms_and_small_steps_give_the_same_bits(tmp_path, monkeypatch):
    edges = random_edges(1500, 30_000, 1)
    expected = reference.core_numbers(1500, edges)
    memory_graph = graph_of(1500, edges)
    memory_graph.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as mapped:
        for graph in (csr_of(1500, edges), memory_graph, mapped):
            for count in (1, 2, 3):
                assert core_numbers(graph, threads=count).tolist() == expected
    told = []
    monkeypatch.setattr(cores, "BUDGET", 100)
    found = core_numbers(mapped_again(tmp_path), progress=lambda *step: told.append(step))
    assert found.tolist() == expected
    assert len(told) > 100
    assert [step[1] for step in told] == sorted(step[1] for step in told)
    assert told[-1][2] == 1500


def mapped_again(tmp_path):
    return nk.open(tmp_path / "g")


def test_cores_inside_each_other():
    """A complete graph of 300 nodes, a ring through one of them, and a tail on the ring."""
    sources, targets = np.triu_indices(300, 1)
    ring = np.arange(299, 1300)
    ends = np.append(ring[1:], 299)
    csr = CSR.from_edges(
        np.concatenate([sources, ring, [700]]), np.concatenate([targets, ends, [1300]])
    )
    assert core_numbers(csr).tolist() == [299] * 300 + [2] * 1000 + [1]


def test_hub_of_many_neighbors():
    leaves = np.arange(1, 1 + (1 << 16))
    for repeats in (1, 3):  # parallel edges count once
        csr = CSR.from_edges(np.zeros(repeats * leaves.size, int), np.tile(leaves, repeats))
        assert set(core_numbers(csr).tolist()) == {1}


def test_removed_nodes_and_connection_types():
    edges = random_edges(40, 400, 2)
    graph = graph_of(40, edges, ("A", "B"))
    removed = [0, 7, 39]
    graph.remove_nodes(removed)
    for kind, own in (("A", edges[::2]), ("B", edges[1::2]), (None, edges)):
        left = [(a, b) for a, b in own if a not in removed and b not in removed]
        expected = np.array(reference.core_numbers(40, left))
        expected[removed] = -1
        assert core_numbers(graph, connection_type=kind).tolist() == expected.tolist()


def test_small_graphs():
    assert core_numbers(CSR.from_edges([], [])).tolist() == []
    assert core_numbers(CSR.from_edges([0, 0], [0, 0])).tolist() == [0]
    assert core_numbers(CSR.from_edges([], [], 3)).tolist() == [0, 0, 0]
    assert core_numbers(nk.Graph()).tolist() == []


def test_bad_arguments_are_named(monkeypatch):
    csr = CSR.from_edges([0], [1])
    with pytest.raises(GraphError, match="direction is 'up'"):
        core_numbers(csr, direction="up")
    with pytest.raises(GraphError, match="threads is 0, not at least 1"):
        core_numbers(csr, threads=0)
    with pytest.raises(NotFoundError):
        core_numbers(graph_of(2, [(0, 1)]), connection_type="A")
    monkeypatch.setattr(memory, "available", lambda: 1000)
    with pytest.raises(LimitError, match=r"core_numbers needs .* 1,000 are available"):
        core_numbers(csr)


def test_a_csr_keeps_its_simple_rows():
    csr = csr_of(500, random_edges(500, 4000, 3))
    before = memory.memory_estimate("core_numbers", csr)
    first = core_numbers(csr)
    kept = csr._simple
    assert core_numbers(csr, threads=3).tolist() == first.tolist()
    assert csr._simple is kept
    assert memory.memory_estimate("core_numbers", csr) < before
