"""Triangles, squares and cores."""

from collections.abc import Iterable

import numpy as np

from nkgraph import kernels
from nkgraph.algorithms import triangles as counting
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64
from nkgraph.nx_backend.config import threads
from nkgraph.nx_backend.graph import BackendGraph, Rows, distinct_rows, of
from nkgraph.nx_backend.library import Node, Number, nx

BUDGET = 1 << 24


def _triangles(graph: BackendGraph) -> I64:
    return counting.triangles(graph.csr(), threads=threads())


def _peers(graph: BackendGraph) -> I64:
    """How many neighbors other than itself each node has; of an undirected graph."""
    offsets, _ = graph.forward
    sizes = np.diff(offsets)
    sizes[graph.slot_rows[graph.loops]] -= 1
    return sizes


def triangles(G: object, nodes: object = None) -> object:
    """Count the triangles of each node, or of some."""
    graph = of(G)
    if nodes is not None:
        _simple(graph)  # as in NetworkX, for which it makes a difference
    chosen = graph.chosen(nodes)
    counts = _triangles(graph)[chosen].tolist()
    if nodes is not None and nodes in graph:
        return counts[0]
    return dict(zip(graph.names(chosen), counts, strict=True))


def clustering(G: object, nodes: object = None, weight: None = None) -> object:
    """Return the part of the pairs of neighbors that are joined, of each node or of some."""
    graph = of(G)
    found, pairs = _directed(graph) if graph.is_directed() else _undirected(graph)
    chosen = graph.chosen(nodes)
    values = _ratios(found[chosen].tolist(), pairs[chosen].tolist())
    if nodes is not None and nodes in graph:
        return values[0]
    return dict(zip(graph.names(chosen), values, strict=True))


def _ratios(parts: Iterable[int], wholes: Iterable[int]) -> list[Number]:
    return [part / whole if part else 0 for part, whole in zip(parts, wholes, strict=True)]


def _simple(graph: BackendGraph) -> None:
    if graph.is_multigraph():
        raise nx.NetworkXNotImplemented("not implemented for multigraph type")


def _undirected(graph: BackendGraph) -> tuple[I64, I64]:
    """Twice the triangles through each node, and ordered pairs of its neighbors."""
    _simple(graph)
    peers = _peers(graph)
    return 2 * _triangles(graph), peers * (peers - 1)


def _directed(graph: BackendGraph) -> tuple[I64, I64]:
    """Directed triangles through each node, and how many there could be; Fagiolo (2007)."""
    _simple(graph)
    n = len(graph)
    offsets, targets = graph.either
    rows = np.repeat(np.arange(n, dtype=np.uint32), np.diff(offsets))
    other = rows != targets
    ends = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(rows[other], minlength=n), out=ends[1:])
    peers_rows, groups = distinct_rows(ends, targets[other])
    ways = np.ones(peers_rows[1].size, np.uint8)
    if groups is not None:
        ways = np.bincount(groups).astype(np.uint8)
    counts, marks = np.empty(n, np.int64), np.zeros(n, np.uint8)
    kernels.neighborhoods.triangles_both_ways(0, n, *peers_rows, ways, marks, counts)
    total = np.diff(ends)
    return counts, 2 * (total * (total - 1) - 2 * (total - np.diff(peers_rows[0])))


def average_clustering(
    G: object, nodes: object = None, weight: None = None, count_zeros: bool = True
) -> float:
    """Return the mean of the clustering of the nodes."""
    found = clustering(G, nodes).values()  # type: ignore[attr-defined]  # one node fails in NetworkX too
    values = list(found) if count_zeros else [value for value in found if abs(value) > 0]
    mean: float = sum(values) / len(values)
    return mean


def transitivity(G: object) -> Number:
    """Return the part of the pairs of neighbors that are joined, over all nodes."""
    graph = of(G)
    found, pairs = _undirected(graph)
    closed = int(found.sum())
    return closed / int(pairs.sum()) if closed else 0


def square_clustering(G: object, nodes: object = None) -> object:
    """Return the part of the possible squares through each node that are there."""
    graph = of(G)
    n, chosen = len(graph), graph.chosen(nodes)
    rows = _without_loops(graph)
    found, possible = np.empty((2, chosen.size), np.int64)
    marks, hits, queue = np.zeros(n, np.uint8), np.zeros(n, np.int64), np.empty(n, np.uint32)
    kernels.neighborhoods.squares(chosen, *rows, marks, hits, queue, found, possible)
    pairs = zip(found.tolist(), possible.tolist(), strict=True)
    values = [part / whole if whole > 0 else 0 for part, whole in pairs]
    if nodes is not None and nodes in graph:
        return values[0]
    return dict(zip(graph.names(chosen), values, strict=True))


def _without_loops(graph: BackendGraph) -> Rows:
    if not graph.loops.size:
        return graph.forward
    offsets, targets = graph.forward
    ends = np.zeros_like(offsets)
    np.cumsum(_peers(graph), out=ends[1:])
    return read_only(ends), read_only(np.delete(targets, graph.loops))


# -- cores ------------------------------------------------------------------------------------


def _no_loops(graph: BackendGraph, subject: str) -> None:
    if graph.loops.size:
        raise nx.NetworkXNotImplemented(
            f"Input graph {subject} self loops which is not permitted; "
            "Consider using G.remove_edges_from(nx.selfloop_edges(G))."
        )


def core_number(G: object) -> dict[Node, Number]:
    """Return the largest k whose k-core each node is in."""
    graph = of(G)
    _no_loops(graph, "has")
    offsets, peers = graph.either
    n = len(graph)
    degrees = np.diff(offsets).astype(np.uint32)
    left, queue = np.arange(n, dtype=np.uint32), np.empty(n + 1, np.uint32)
    state = np.array([-1, 0, 0, n], np.int64)
    while kernels.cores.peel(offsets, peers, BUDGET, degrees, left, queue, state):
        pass
    return graph.by_node(degrees.tolist())


def onion_layers(G: object) -> dict[Node, int]:
    """Return the round in which each node goes when cores are peeled."""
    graph = of(G)
    _no_loops(graph, "contains")
    offsets, peers = graph.forward
    n = len(graph)
    layers, last = np.zeros(n, np.int32), np.zeros(n, np.int64)
    left, marks = np.empty(n, np.uint32), np.zeros(n, np.uint8)
    kernels.ordered.onion(offsets, peers, np.diff(offsets), left, marks, last, layers)
    order = np.lexsort((last, layers))  # stable: equal ones by position
    return dict(zip(graph.names(order), layers[order].tolist(), strict=True))
