"""Graphs for the tests of triangles, clustering, cores and labels, in every form there is."""

import numpy as np
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.csr import CSR


@st.composite
def edge_lists(draw):
    """How many nodes, and edges: loops, parallel and opposite ones, isolated nodes, none at all."""
    count = draw(st.integers(0, 14))
    node = st.integers(0, max(count - 1, 0))
    return count, draw(st.lists(st.tuples(node, node), max_size=60 if count else 0))


def csr_of(count, edges):
    ends = np.array(edges, np.int64).reshape(-1, 2)
    return CSR.from_edges(ends[:, 0], ends[:, 1], count)


def graph_of(count, edges, kinds=("EDGE",)):
    """A graph in memory whose edges have these connection types in turn."""
    graph = nk.Graph()
    graph.add_nodes("Node", list(range(count)))
    for turn, kind in enumerate(kinds):
        own = edges[turn :: len(kinds)]
        graph.add_edges(kind, [a for a, _ in own], [b for _, b in own])
    return graph


def random_edges(count, edge_count, seed):
    """Skewed random edges with loops, parallel and opposite ones."""
    ends = np.random.default_rng(seed).random((edge_count, 2)) ** 2.5 * count
    return [tuple(pair) for pair in ends.astype(int).tolist()]
