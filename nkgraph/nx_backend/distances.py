"""What is computed from the distances between all nodes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph import threads as pool
from nkgraph.dtypes import F64, I64, U32
from nkgraph.nx_backend.config import threads
from nkgraph.nx_backend.graph import BackendGraph, Rows, of
from nkgraph.nx_backend.library import Node, Number, nx

AT_ONCE = 64
"""Sources searched from together, one to each bit of a word."""


@dataclass(frozen=True)
class Sums:
    """Distances from each of k sources, summed up; see ``kernels.distances.sum_up``."""

    reached: I64
    sums: I64
    farthest: I64
    inverses: F64
    arrivals: I64


def sum_distances(rows: Rows, sources: U32) -> Sums:
    """Search from each source and sum up the distances to all nodes that it reaches."""
    n, k = rows[0].size - 1, sources.size
    answers = np.zeros((3, k), np.int64)
    inverses = np.zeros(k)
    batches = pool.split(k, -(-k // AT_ONCE), 1) if k else []
    count = max(1, min(threads() or pool.thread_count(), len(batches)))
    arrivals = np.zeros((count, n), np.int64)

    def work(number: int) -> None:
        scratch = np.zeros((3, n), np.uint64)
        lists, levels = np.empty((2, n), np.uint32), np.empty(AT_ONCE, np.int64)
        for start, stop in batches[number::count]:
            own = sources[start:stop]
            parts = [row[start:stop] for row in answers]
            kernels.distances.sum_up(
                *rows, own, *scratch, *lists, levels, *parts, inverses[start:stop], arrivals[number]
            )

    pool.run([partial(work, number) for number in range(count)])
    return Sums(answers[0], answers[1], answers[2], inverses, arrivals.sum(axis=0))


def _all(graph: BackendGraph, rows: Rows | None = None) -> Sums:
    everyone = np.arange(len(graph), dtype=np.uint32)
    return sum_distances(graph.forward if rows is None else rows, everyone)


# -- eccentricities ---------------------------------------------------------------------------


def eccentricity(G: object, v: object = None, sp: None = None, weight: None = None) -> object:
    """Return the largest distance from each node, or from some."""
    graph = of(G)
    chosen = graph.chosen(v)
    found = sum_distances(graph.forward, chosen)
    if (found.reached != len(graph)).any():
        if graph.is_directed():
            text = "Found infinite path length because the digraph is not strongly connected"
        else:
            text = "Found infinite path length because the graph is not connected"
        raise nx.NetworkXError(text)
    lengths = found.farthest.tolist()
    if v in graph:
        return lengths[0]
    return dict(zip(graph.names(chosen), lengths, strict=True))


def _given(G: object, e: Mapping[Node, int] | None) -> Mapping[Node, int]:
    return e if e is not None else eccentricity(G)  # type: ignore[return-value]  # of all nodes


def diameter(
    G: object, e: Mapping[Node, int] | None = None, usebounds: bool = False, weight: None = None
) -> int:
    """Return the largest distance between two nodes."""
    return max(_given(G, e).values())


def radius(
    G: object, e: Mapping[Node, int] | None = None, usebounds: bool = False, weight: None = None
) -> int:
    """Return the smallest of the largest distances from each node."""
    return min(_given(G, e).values())


def center(
    G: object, e: Mapping[Node, int] | None = None, usebounds: bool = False, weight: None = None
) -> list[Node]:
    """Return the nodes whose largest distance is the radius."""
    given = _given(G, e)
    least = min(given.values())
    return [node for node, length in given.items() if length == least]


def periphery(
    G: object, e: Mapping[Node, int] | None = None, usebounds: bool = False, weight: None = None
) -> list[Node]:
    """Return the nodes whose largest distance is the diameter."""
    given = _given(G, e)
    most = max(given.values())
    return [node for node, length in given.items() if length == most]


# -- sums -------------------------------------------------------------------------------------


def closeness_centrality(
    G: object, u: Node = None, distance: None = None, wf_improved: bool = True
) -> object:
    """Return how near each node is to those that reach it."""
    graph = of(G)
    if u is None:
        chosen = graph.chosen(None)
    elif u in graph:
        chosen = np.array([graph.index[u]], np.uint32)
    else:
        raise nx.NodeNotFound(f"Source {u} is not in G")
    found = sum_distances(graph.turned, chosen)
    n, others = len(graph), found.reached - 1.0
    near = np.zeros(chosen.size)
    np.divide(others, found.sums, out=near, where=found.sums > 0)
    if wf_improved and n > 1:
        near *= others / (n - 1)
    values = near.tolist()
    if u is not None:
        return values[0]
    return graph.by_node(values)


def harmonic_centrality(
    G: object, nbunch: None = None, distance: None = None, sources: None = None
) -> dict[Node, Number]:
    """Return the sum of 1 / distance over the nodes that reach each node."""
    graph = of(G)
    sums = _all(graph, graph.turned).inverses.tolist()
    values = [total if total else 0 for total in sums]
    found = graph.by_node(values)
    return {node: found[node] for node in set(graph.nodes)}


def wiener_index(G: object, weight: None = None) -> Number:
    """Return the sum of the distances between all pairs of nodes."""
    graph = of(G)
    if len(graph) == 0:
        raise nx.NetworkXPointlessConcept("Connectivity is undefined for the null graph.")
    found = _all(graph)
    if (found.reached != len(graph)).any():
        return math.inf
    total = int(found.sums.sum())
    return total if graph.is_directed() else total / 2


def average_shortest_path_length(
    G: object, weight: None = None, method: str | None = None
) -> Number:
    """Return the mean of the distances between all pairs of nodes."""
    graph = of(G)
    n = len(graph)
    if n == 0:
        raise nx.NetworkXPointlessConcept(
            "the null graph has no paths, thus there is no average shortest path length"
        )
    if n == 1:
        return 0
    found = _all(graph)
    if (found.reached != n).any():
        text = "strongly connected" if graph.is_directed() else "connected"
        raise nx.NetworkXError(f"Graph is not {text}.")
    return int(found.sums.sum()) / (n * (n - 1))


def global_efficiency(G: object) -> Number:
    """Return the mean of 1 / distance over all pairs of nodes."""
    graph = of(G)
    pairs = len(graph) * (len(graph) - 1)
    if not pairs:
        return 0
    return float(_all(graph).inverses.sum()) / pairs


def barycenter(G: object, weight: None = None, attr: None = None, sp: None = None) -> list[Node]:
    """Return the nodes with the smallest sum of distances to all others."""
    graph = of(G)
    found = _all(graph)
    if (found.reached != len(graph)).any():
        raise nx.NetworkXNoPath(
            f"Input graph {graph} is disconnected, so every induced subgraph "
            "has infinite barycentricity."
        )
    if not found.sums.size:
        return []
    return graph.names(np.flatnonzero(found.sums == found.sums.min()))
