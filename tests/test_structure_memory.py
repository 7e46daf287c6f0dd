"""What triangles, clustering, cores and labels say that they will allocate, and what they do."""

import tracemalloc

import numpy as np
import pytest
from structure_graphs import graph_of, random_edges

import nkgraph as nk
from nkgraph.algorithms.cores import core_numbers
from nkgraph.algorithms.labels import label_propagation
from nkgraph.algorithms.memory import memory_estimate
from nkgraph.algorithms.triangles import local_clustering, triangle_count, triangles
from nkgraph.csr import CSR

FUNCTIONS = [triangles, triangle_count, local_clustering, core_numbers, label_propagation]


def peak(call):
    """Bytes that a call has allocated at the highest."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """Uniform edges without loops as a CSR, and skewed ones of two types in a mapped graph."""
    ends = np.random.default_rng(8).integers(0, 1 << 15, (2, 1 << 20))
    path = tmp_path_factory.mktemp("g") / "g"
    memory_graph = graph_of(4000, random_edges(4000, 200_000, 8), ("A", "B"))
    memory_graph.save(path)
    with nk.open(path) as mapped:
        yield {"csr": CSR.from_edges(*ends, 1 << 15), "mapped": mapped}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("form", ["csr", "mapped", "typed"])
def test_no_more_is_allocated_than_was_said(graphs, function, form):
    graph = graphs["mapped" if form == "typed" else form]
    kind = "A" if form == "typed" else None
    function(graph, connection_type=kind)  # compile, and check what is mapped
    if form == "csr":
        graph._turned = None
        if hasattr(graph, "_simple"):
            del graph._simple
    said = memory_estimate(function.__name__, graph, connection_type=kind)
    found = peak(lambda: function(graph, connection_type=kind))
    assert found <= said
    if form == "csr":
        assert said <= 2 * found
