"""What is computed from degrees, of nodes and of their neighbors."""

import math
from collections.abc import Iterator

import numpy as np

from nkgraph.dtypes import F64, I64, U32
from nkgraph.errors import GraphError
from nkgraph.nx_backend.graph import BackendGraph, Rows, of
from nkgraph.nx_backend.library import Node, Number, nx

SIDES = ("in", "out", "in+out")


def _degrees(graph: BackendGraph, side: str) -> I64:
    """Degrees of a directed graph by side; of an undirected one, degrees."""
    if not graph.is_directed() or side == "in+out":
        return graph.degrees
    return graph.out_degrees if side == "out" else graph.in_degrees


def _sums(rows: Rows, values: I64) -> I64:
    """Sum the values of the targets of each row."""
    offsets, targets = rows
    running = np.zeros(targets.size + 1, np.int64)
    np.cumsum(values[targets], out=running[1:])
    return running[offsets[1:]] - running[offsets[:-1]]


# -- of nodes ---------------------------------------------------------------------------------


def _centrality(graph: BackendGraph, degrees: I64) -> dict[Node, Number]:
    n = len(graph)
    if n <= 1:
        return dict.fromkeys(graph.nodes, 1)
    return graph.by_node((degrees * (1.0 / (n - 1.0))).tolist())


def degree_centrality(G: object) -> dict[Node, Number]:
    """Return the degree of each node over n - 1."""
    graph = of(G)
    return _centrality(graph, graph.degrees)


def in_degree_centrality(G: object) -> dict[Node, Number]:
    """Return the in-degree of each node over n - 1."""
    graph = of(G)
    return _centrality(graph, graph.in_degrees)


def out_degree_centrality(G: object) -> dict[Node, Number]:
    """Return the out-degree of each node over n - 1."""
    graph = of(G)
    return _centrality(graph, graph.out_degrees)


def isolates(G: object) -> Iterator[Node]:
    """Yield the nodes without edges."""
    return iter(of(G).without_edges())


def number_of_isolates(G: object) -> int:
    """Count the nodes without edges."""
    return len(of(G).without_edges())


# -- of neighbors -----------------------------------------------------------------------------


def average_neighbor_degree(
    G: object, source: str = "out", target: str = "out", nodes: object = None, weight: None = None
) -> dict[Node, float]:
    """Return the mean degree of the neighbors of each node."""
    graph = of(G)
    if graph.is_directed():
        for name, side in (("source", source), ("target", target)):
            if side not in SIDES:
                raise nx.NetworkXError(f"{name} argument {side} must be 'in', 'out' or 'in+out'")
    elif source != "out" or target != "out":
        raise nx.NetworkXError("source and target arguments are only supported for directed graphs")
    if nodes is not None and nodes in graph:
        raise TypeError("'int' object is not iterable")  # so says NetworkX: no single nodes
    of_target = _degrees(graph, target)
    own = _degrees(graph, source)
    sums = np.zeros(len(graph), np.int64)
    if "out" in source:
        sums += _sums(graph.forward, of_target)
    if "in" in source:
        sums += _sums(graph.turned, of_target)
    chosen = graph.chosen(nodes)
    means = np.zeros(len(graph))
    np.divide(sums, own, out=means, where=own > 0)
    return dict(zip(graph.names(chosen), means[chosen].tolist(), strict=True))


def average_degree_connectivity(
    G: object,
    source: str = "in+out",
    target: str = "in+out",
    nodes: object = None,
    weight: None = None,
) -> dict[int, Number]:
    """Return the mean degree of the neighbors of the nodes of each degree."""
    graph = of(G)
    if graph.is_directed():
        for name, side in (("source", source), ("target", target)):
            if side not in SIDES:
                raise nx.NetworkXError(f'{name} must be one of "in", "out", or "in+out"')
    elif source != "in+out" or target != "in+out":
        raise nx.NetworkXError("source and target arguments are only supported for directed graphs")
    chosen = graph.chosen(nodes)
    own = _degrees(graph, source)[chosen]
    rows = graph.turned if graph.is_directed() and source == "in" else graph.forward
    sums = _sums(rows, _degrees(graph, target))[chosen]
    kinds, first, at = np.unique(own, return_index=True, return_inverse=True)
    totals, norms = np.zeros((2, kinds.size), np.int64)
    np.add.at(totals, at, sums)
    np.add.at(norms, at, own)
    order = np.argsort(first)
    return {
        kind: total / norm if norm else total
        for kind, total, norm in zip(
            kinds[order].tolist(), totals[order].tolist(), norms[order].tolist(), strict=True
        )
    }


# -- of edges ---------------------------------------------------------------------------------


def _per_edge(graph: BackendGraph, values: U32) -> U32:
    """Repeat what is given by slot for parallel edges."""
    counts = graph.counts
    return values if counts is None else np.repeat(values, counts)


def degree_assortativity_coefficient(
    G: object, x: str = "out", y: str = "in", weight: None = None, nodes: None = None
) -> float:
    """Return the correlation of the degrees at both ends of the edges."""
    graph = of(G)
    ones = _degrees(graph, x)[_per_edge(graph, graph.slot_rows)]
    others = _degrees(graph, y)[_per_edge(graph, graph.forward[1])]
    return _correlation(ones, others)


def _correlation(ones: I64, others: I64) -> float:
    """Pearson's correlation, from sums that are integers as long as they fit."""
    if ones.size * max(int(ones.max(initial=0)), int(others.max(initial=0)), 1) ** 2 >= 1 << 62:
        found: F64 = np.corrcoef(ones, others)
        return float(found[0, 1])
    count = ones.size
    sum_x, sum_y = int(ones.sum()), int(others.sum())
    both = count * int(ones @ others) - sum_x * sum_y
    own = (count * int(ones @ ones) - sum_x**2) * (count * int(others @ others) - sum_y**2)
    return both / math.sqrt(own) if own else math.nan


def s_metric(G: object) -> float:
    """Return the sum over the edges of the products of the degrees of their ends."""
    graph = of(G)
    rows, targets, degrees = graph.slot_rows, graph.forward[1], graph.degrees
    if degrees.size and targets.size * int(degrees.max()) ** 2 >= 1 << 62:
        raise NotImplementedError("nkgraph: the sum may be beyond 64 bits")
    kept = slice(None) if graph.is_directed() else targets >= rows
    products = degrees[rows[kept]] * degrees[targets[kept]]
    if graph.counts is not None:
        products *= graph.counts[kept]
    return float(int(products.sum()))


def rich_club_coefficient(
    G: object, normalized: bool = True, Q: float = 100, seed: object = None
) -> dict[int, float]:
    """Return how many of the pairs of nodes of more than each degree are joined."""
    graph = of(G)
    if normalized:
        raise GraphError("normalized is not computed here")  # can_run sees to it
    if graph.loops.size:
        raise Exception("rich_club_coefficient is not implemented for graphs with self loops.")
    rows, targets, degrees = graph.slot_rows, graph.forward[1], graph.degrees
    kept = targets > rows
    if not kept.any():
        return {}
    least = np.minimum(degrees[rows[kept]], degrees[targets[kept]])
    most = int(degrees.max())
    nodes = len(graph) - np.cumsum(np.bincount(degrees, minlength=most + 1))
    edges = least.size - np.cumsum(np.bincount(least, minlength=most + 1))
    pairs = zip(nodes.tolist(), edges.tolist(), strict=True)
    return {
        degree: 2 * inside / (count * (count - 1))
        for degree, (count, inside) in enumerate(pairs)
        if count > 1
    }


def reciprocity(G: object, nodes: None = None) -> float:
    """Return the part of the edges of a directed graph that go both ways."""
    return overall_reciprocity(G)


def overall_reciprocity(G: object) -> float:
    """Return the part of the edges of a directed graph that go both ways."""
    graph = of(G)
    rows, targets = graph.slot_rows, graph.forward[1]
    count = targets.size
    if count == 0:
        raise nx.NetworkXError("Not defined for empty graphs")
    low, high = np.minimum(rows, targets), np.maximum(rows, targets)
    codes = np.sort(low.astype(np.uint64) << np.uint64(32) | high)
    twice = int(np.count_nonzero(codes[1:] == codes[:-1]))
    return 2 * twice / count
