"""Orders of graphs without cycles."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from nkgraph import kernels
from nkgraph.dtypes import I64, U32
from nkgraph.nx_backend.graph import BackendGraph, of
from nkgraph.nx_backend.library import Node, nx

NONE: I64 = np.empty(0, np.int64)


def _generations(graph: BackendGraph) -> tuple[U32, I64]:
    """Positions by generation, and where each generation starts and the last ends."""
    n = len(graph)
    order, starts = np.empty(n, np.uint32), np.empty(n + 1, np.int64)
    counts = NONE if graph.counts is None else graph.counts
    degrees = graph.in_degrees.copy()
    count = kernels.ordered.generations(*graph.forward, counts, degrees, order, starts)
    return order[: starts[count]], starts[: count + 1]


def topological_generations(G: object) -> Iterator[list[Node]]:
    """Yield lists of nodes, each led to by earlier ones only."""
    graph = of(G)
    if not graph.is_directed():
        raise nx.NetworkXError("Topological sort not defined on undirected graphs.")
    order, starts = _generations(graph)
    names = graph.names(order)
    ends = starts.tolist()
    for start, stop in pairwise(ends):
        yield names[start:stop]
    if order.size < len(graph):
        raise nx.NetworkXUnfeasible("Graph contains a cycle or graph changed during iteration")


def topological_sort(G: object) -> Iterator[Node]:
    """Yield nodes, each after all that lead to it."""
    for generation in topological_generations(G):
        yield from generation


def is_directed_acyclic_graph(G: object) -> bool:
    """Whether the graph is directed and has no cycle."""
    graph = of(G)
    return graph.is_directed() and _generations(graph)[0].size == len(graph)
