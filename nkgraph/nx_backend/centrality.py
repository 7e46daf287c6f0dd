"""Centralities that count shortest paths, or that are eigenvectors."""

import math
from collections.abc import Mapping
from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph import threads as pool
from nkgraph.algorithms import betweenness as shares
from nkgraph.dtypes import F64, U32
from nkgraph.errors import LimitError
from nkgraph.interop.arrow import require
from nkgraph.nx_backend.config import threads
from nkgraph.nx_backend.distances import sum_distances
from nkgraph.nx_backend.graph import BackendGraph, of
from nkgraph.nx_backend.library import Node, NxGraph, nx

NONE: F64 = np.empty(0)
PARTS = 8
"""Sources of edge betweenness are cut into so many parts, whose sums are added in order."""

Random = NxGraph
"""A ``random.Random``, made by NetworkX of what the user gave as a seed."""


# -- shortest paths ---------------------------------------------------------------------------


def _sources(graph: BackendGraph, k: int | None, seed: Random) -> U32:
    """All positions; or those that NetworkX would draw."""
    if k is None:
        return np.arange(len(graph), dtype=np.uint32)
    drawn = seed.sample(graph.nodes, k)
    return np.fromiter(map(graph.index.__getitem__, drawn), np.uint32, k)


def betweenness_centrality(
    G: object,
    k: int | None = None,
    normalized: bool = True,
    weight: None = None,
    endpoints: bool = False,
    seed: Random = None,
) -> dict[Node, float]:
    """Return the part of the shortest paths that goes through each node."""
    graph = of(G)
    n = len(graph)
    if k == n:
        k = None
    sources = _sources(graph, k, seed)
    if not n:
        return {}
    try:
        scores = shares.betweenness(graph.csr(), sources=sources, threads=threads())
    except LimitError as error:
        raise NotImplementedError(f"nkgraph: {error}") from error
    if endpoints:
        found = sum_distances(graph.forward, sources)
        scores[sources] += found.reached - 1
        scores += found.arrivals
    drawn = None if k is None else sources
    _scale(scores, n, normalized, graph.is_directed(), endpoints, drawn)
    return graph.by_node(scores.tolist())


def edge_betweenness_centrality(
    G: object,
    k: int | None = None,
    normalized: bool = True,
    weight: None = None,
    seed: Random = None,
) -> dict[tuple[Node, Node], float]:
    """Return the part of the shortest paths that goes over each edge."""
    graph = of(G)
    sources = _sources(graph, k, seed)
    rows, targets = graph.slot_rows, graph.forward[1]
    scores = _edge_shares(graph, sources)
    if graph.is_directed():
        kept = np.arange(targets.size)
    else:
        kept = np.flatnonzero(targets >= rows)  # as NetworkX lists them: at the end it meets first
        low, high = np.minimum(rows, targets), np.maximum(rows, targets)
        codes = low.astype(np.uint64) << np.uint64(32) | high
        _, edges = np.unique(codes, return_inverse=True)
        scores = np.bincount(edges, scores).astype(np.float64)[edges[kept]]
    drawn = None if k is None else sources
    _scale(scores, len(graph), normalized, graph.is_directed(), True, drawn)
    ends = zip(graph.names(rows[kept]), graph.names(targets[kept]), strict=True)
    return dict(zip(ends, scores.tolist(), strict=True))


def _edge_shares(graph: BackendGraph, sources: U32) -> F64:
    n, m = len(graph), graph.forward[1].size
    parts = pool.split(sources.size, PARTS, 1)
    sums: list[F64] = [NONE] * len(parts)

    def work(first: int, step: int) -> None:
        order, depths = np.empty(n, np.uint32), np.full(n, -1, np.int64)
        paths, passed = np.zeros((2, n))
        for part in range(first, len(parts), step):
            own = np.zeros(m)
            for source in sources[slice(*parts[part])]:
                kernels.distances.share_edges(
                    *graph.forward, source, order, depths, paths, passed, own
                )
            sums[part] = own

    count = max(1, min(threads() or pool.thread_count(), len(parts)))
    pool.run([partial(work, first, count) for first in range(count)])
    total = sums[0]
    for other in sums[1:]:
        total += other
    return total


def _scale(
    scores: F64, n: int, normalized: bool, directed: bool, endpoints: bool, drawn: U32 | None
) -> None:
    """Scale sums over ordered pairs in place, as NetworkX does: see its ``_rescale``."""
    pairs = n if endpoints else n - 1
    if pairs < 2:
        return
    count = pairs if drawn is None else drawn.size
    both = 1 if directed else 2
    usual = 1 / (count * (pairs - 1)) if normalized else pairs / (count * both)
    if drawn is None or endpoints:
        scores *= usual
        return
    own = math.nan
    if count > 1:
        own = 1 / ((count - 1) * (pairs - 1)) if normalized else pairs / ((count - 1) * both)
    mine = scores[drawn] * own
    scores *= usual
    scores[drawn] = mine


# -- eigenvectors -----------------------------------------------------------------------------


def _push(graph: BackendGraph, weights: F64, values: F64, onto: F64 | None = None) -> F64:
    """Add each node's value times the weight at the targets of its edges."""
    sums = np.zeros(len(graph)) if onto is None else onto
    kernels.neighborhoods.push_values(*graph.forward, weights, values, sums)
    return sums


def _slot_weights(graph: BackendGraph, weight: str | None) -> F64:
    if weight is not None:
        return graph.weights(weight, "sum")[0]
    return NONE if graph.counts is None else graph.counts.astype(np.float64)


def _given(graph: BackendGraph, values: Mapping[Node, float]) -> F64:
    """Values that a user gave for some nodes, 0 for the others, summing to 1."""
    found = np.array([values.get(node, 0) for node in graph.nodes], np.float64)
    total = found.sum()
    if total == 0:
        raise ZeroDivisionError
    shares: F64 = found / total
    return shares


def pagerank(
    G: object,
    alpha: float = 0.85,
    personalization: Mapping[Node, float] | None = None,
    max_iter: int = 100,
    tol: float = 1.0e-6,
    nstart: Mapping[Node, float] | None = None,
    weight: str | None = "weight",
    dangling: Mapping[Node, float] | None = None,
) -> dict[Node, float]:
    """Return how often a random walk that restarts is at each node."""
    graph = of(G)
    n = len(graph)
    if n == 0:
        return {}
    weights = _slot_weights(graph, weight)
    if weights.size:
        leaving = np.bincount(graph.slot_rows, weights, n)
    else:
        leaving = graph.out_degrees.astype(np.float64)
    ends = leaving == 0
    inverse = np.divide(1.0, leaving, out=np.zeros(n), where=~ends)
    ranks = np.full(n, 1 / n) if nstart is None else _given(graph, nstart)
    restart = np.full(n, 1 / n) if personalization is None else _given(graph, personalization)
    lost = restart if dangling is None else _given(graph, dangling)
    for _ in range(max_iter):
        last = ranks
        ranks = _push(graph, weights, last * inverse)
        ranks += last[ends].sum() * lost
        ranks *= alpha
        ranks += (1 - alpha) * restart
        if np.abs(ranks - last).sum() < n * tol:
            return graph.by_node(ranks.tolist())
    raise nx.PowerIterationFailedConvergence(max_iter)


def hits(
    G: object,
    max_iter: int = 100,
    tol: float = 1.0e-8,
    nstart: Mapping[Node, float] | None = None,
    normalized: bool = True,
) -> tuple[dict[Node, float], dict[Node, float]]:
    """Return how good a hub, and how good an authority, each node is."""
    graph = of(G)
    if len(graph) == 0:
        return {}, {}
    linalg = require("scipy.sparse.linalg", "scipy")
    csr = graph.csr()
    csr.weights = _slot_weights(graph, "weight")
    matrix = csr.to_scipy()
    start = None if nstart is None else np.array(list(nstart.values()))
    if max_iter <= 0:
        raise nx.PowerIterationFailedConvergence(max_iter)
    try:
        _, _, vectors = linalg.svds(matrix, k=1, v0=start, maxiter=max_iter, tol=tol)
    except linalg.ArpackNoConvergence as error:
        raise nx.PowerIterationFailedConvergence(max_iter) from error
    authorities = vectors.flatten().real
    hubs = matrix @ authorities
    if normalized:
        hubs /= hubs.sum()
        authorities /= authorities.sum()
    return graph.by_node(hubs.tolist()), graph.by_node(authorities.tolist())


def eigenvector_centrality(
    G: object,
    max_iter: int = 100,
    tol: float = 1.0e-6,
    nstart: Mapping[Node, float] | None = None,
    weight: str | None = None,
) -> dict[Node, float]:
    """Return the principal eigenvector of the adjacency matrix, by power iteration."""
    graph = of(G)
    n = len(graph)
    if n == 0:
        raise nx.NetworkXPointlessConcept("cannot compute centrality for the null graph")
    start = np.ones(n)
    if nstart is not None:
        start = np.array([nstart[node] for node in graph.nodes], np.float64)
    if not start.any():
        raise nx.NetworkXError("initial vector cannot have all zero values")
    values = start / start.sum()
    weights = _slot_weights(graph, weight or None)
    for _ in range(max_iter):
        last = values
        values = _push(graph, weights, last, last.copy())
        values /= math.hypot(*values.tolist()) or 1
        if np.abs(values - last).sum() < n * tol:
            return graph.by_node(values.tolist())
    raise nx.PowerIterationFailedConvergence(max_iter)


def katz_centrality(
    G: object,
    alpha: float = 0.1,
    beta: float | Mapping[Node, float] = 1.0,
    max_iter: int = 1000,
    tol: float = 1.0e-6,
    nstart: Mapping[Node, float] | None = None,
    normalized: bool = True,
    weight: str | None = None,
) -> dict[Node, float]:
    """Return a centrality that counts walks, longer ones less."""
    graph = of(G)
    n = len(graph)
    if n == 0:
        return {}
    values = np.zeros(n)
    if nstart is not None:
        values = np.array([nstart[node] for node in graph.nodes], np.float64)
    base = _base(graph, beta)
    weights = _slot_weights(graph, weight)
    for _ in range(max_iter):
        last = values
        values = alpha * _push(graph, weights, last) + base
        if np.abs(values - last).sum() < n * tol:
            norm = math.hypot(*values.tolist()) if normalized else 1.0
            if norm:
                values *= 1.0 / norm
            return graph.by_node(values.tolist())
    raise nx.PowerIterationFailedConvergence(max_iter)


def _base(graph: BackendGraph, beta: float | Mapping[Node, float]) -> F64:
    if not isinstance(beta, Mapping):
        try:
            return np.full(len(graph), float(beta))
        except (TypeError, ValueError, AttributeError):
            raise nx.NetworkXError("beta dictionary must have a value for every node") from None
    if set(beta) != set(graph):
        raise nx.NetworkXError("beta dictionary must have a value for every node")
    return np.array([beta[node] for node in graph.nodes], np.float64)
