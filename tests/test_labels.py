"""Label propagation against a slow twin."""

import numpy as np
import pytest
import reference_structure as reference
from hypothesis import given
from hypothesis import strategies as st
from structure_graphs import (
    csr_of,
    edge_lists,
    graph_of,
    random_edges,
)

import nkgraph as nk
from nkgraph.algorithms import labels as module
from nkgraph.algorithms import memory
from nkgraph.algorithms.labels import label_propagation
from nkgraph.csr import CSR
from nkgraph.errors import GraphError, LimitError, NotFoundError

LABEL = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))


@given(edge_lists(), st.integers(0, 6), st.data())
def test_labels_match_reference(edges, iterations, data):
    count = edges[0]
    first = data.draw(st.lists(LABEL, min_size=count, max_size=count))
    expected = reference.label_propagation(*edges, iterations, first)
    from_ids = reference.label_propagation(*edges, iterations, range(count))
    for graph in (csr_of(*edges), graph_of(*edges)):
        for direction in ("out", "in", "both"):
            found = label_propagation(
                graph, iterations=iterations, labels=first, direction=direction
            )
            assert found.tolist() == expected
            assert found.dtype == np.int64
        assert label_propagation(graph, iterations=iterations).tolist() == from_ids


def test_threads_and_forms_give_the_same_bits(tmp_path):
    edges = [(150 * part + a, 150 * part + b) for part in range(10)
             for a, b in random_edges(150, 3000, part)]  # fmt: skip
    edges += random_edges(1500, 3000, 99)
    expected = reference.label_propagation(1500, edges, 4, range(1500))
    assert len(set(expected)) > 5
    memory_graph = graph_of(1500, edges)
    memory_graph.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as mapped:
        for graph in (csr_of(1500, edges), memory_graph, mapped):
            for count in (1, 2, 3):
                assert label_propagation(graph, iterations=4, threads=count).tolist() == expected


def test_stamps_begin_anew_before_they_run_out(monkeypatch):
    edges = random_edges(300, 3000, 6)
    expected = reference.label_propagation(300, edges, 5, range(300))
    begun = []
    spread = module._Worker.spread

    def late(self, *rest):
        if not begun:
            self._stamp = (1 << 32) - 450  # room for one round of 300 nodes, not for two
        spread(self, *rest)
        begun.append(self._stamp)

    monkeypatch.setattr(module._Worker, "spread", late)
    csr = csr_of(300, edges)
    assert label_propagation(csr, iterations=5, threads=1).tolist() == expected
    assert begun[0] > 1 << 31
    assert begun[1] < 1 << 31


def test_hub_of_many_neighbors():
    leaves = np.arange(1, 1 + (1 << 16))
    csr = CSR.from_edges(np.zeros_like(leaves), leaves)
    first = np.full(leaves.size + 1, 9)
    first[-1] = first[-2] = 4
    first[0] = 2**63 - 1
    assert label_propagation(csr, iterations=1, labels=first)[0] == 9
    once = label_propagation(csr, iterations=1)
    assert (once[0], set(once[1:].tolist())) == (1, {0})  # all once: the least one
    assert set(label_propagation(csr, iterations=2)[1:].tolist()) == {1}


def test_rounds_end_where_nothing_changes():
    told = []
    csr = CSR.from_edges([0, 1, 2], [1, 2, 0])
    found = label_propagation(
        csr, iterations=50, labels=[5, 5, 5], progress=lambda *step: told.append(step)
    )
    assert found.tolist() == [5, 5, 5]
    assert told == [("label_propagation", 1, 50)]


def test_removed_nodes_and_connection_types():
    edges = random_edges(40, 400, 2)
    graph = graph_of(40, edges, ("A", "B"))
    removed = [0, 7, 39]
    graph.remove_nodes(removed)
    for kind, own in (("A", edges[::2]), ("B", edges[1::2]), (None, edges)):
        left = [(a, b) for a, b in own if a not in removed and b not in removed]
        expected = np.array(reference.label_propagation(40, left, 10, range(40)))
        expected[removed] = -1
        assert label_propagation(graph, connection_type=kind).tolist() == expected.tolist()


def test_small_graphs():
    assert label_propagation(CSR.from_edges([], [])).tolist() == []
    assert label_propagation(CSR.from_edges([], []), labels=[]).tolist() == []
    assert label_propagation(CSR.from_edges([0, 0], [0, 0]), labels=[-7]).tolist() == [-7]
    assert label_propagation(CSR.from_edges([], [], 2), labels=[3, 1]).tolist() == [3, 1]
    assert label_propagation(nk.Graph()).tolist() == []


def test_bad_arguments_are_named(monkeypatch):
    csr = CSR.from_edges([0], [1])
    with pytest.raises(GraphError, match="iterations is -1, not at least 0"):
        label_propagation(csr, iterations=-1)
    with pytest.raises(GraphError, match=r"labels: expected \(2,\) integers, found \(3,\)"):
        label_propagation(csr, labels=[1, 2, 3])
    with pytest.raises(GraphError, match="label 9223372036854775808 does not fit int64"):
        label_propagation(csr, labels=[1, 2**63])
    with pytest.raises(GraphError, match="label"):
        label_propagation(csr, labels=["a", "b"])
    with pytest.raises(GraphError, match="direction is 'up'"):
        label_propagation(csr, direction="up")
    with pytest.raises(GraphError, match="threads is 0, not at least 1"):
        label_propagation(csr, threads=0)
    with pytest.raises(NotFoundError):
        label_propagation(graph_of(2, [(0, 1)]), connection_type="A")
    monkeypatch.setattr(memory, "available", lambda: 10)
    with pytest.raises(LimitError, match=r"label_propagation needs .* 10 are available"):
        label_propagation(csr)
