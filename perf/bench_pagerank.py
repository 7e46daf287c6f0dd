"""Rows *pagerank*: 20 rounds, against the GAP suite's ``pr_spmv``, libraries and scipy.

Ours are float64; GAP's are float32. Rows *mapped* are in place on a mapped graph, which has an edge
id beside each target, twice the bytes to read: their targets are our own. Rows
against the edges are there before the clock starts, as they are for GAP. GAP and ours are the best
of as many trials in turn. igraph and rustworkx cannot be held to a number of rounds: they stand in
the rows *converged*, on the smaller graph.
"""

import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from nkgraph.algorithms.pagerank import pagerank
from nkgraph.dtypes import F64
from nkgraph.front import open_graph
from nkgraph.graph import Graph
from perf import gap, graphs, rivals
from perf.harness import Call, Contest, Rival, Row, Scale

ROUNDS = 20
TRIALS = 3
DAMPING = 0.85
TOLERANCE = 1e-8
"""Of the converged rows, for ours the sum of all changes."""


@cache
def mapped(kind: str, scale: int, degree: int = 16) -> Graph:
    """Give the graph of a kind, saved and opened."""
    path = Path(tempfile.mkdtemp(prefix=f"{kind}-{scale}-", dir=graphs.folder().name)) / "graph"
    csr = graphs.graph(kind, scale, degree)
    with Graph() as graph:
        nodes = graph.add_nodes("Node", np.arange(csr.node_count))
        graph.add_edges("EDGE", nodes[csr.row_ids()], csr.targets)
        graph.save(path)
    return open_graph(path)


def rounds(kind: str, scale: int, degree: int, on_map: bool) -> Contest:
    """Do the rounds; GAP prints what its best trial took."""
    graph = kind, scale, degree
    csr = graphs.graph(*graph)
    given = mapped(*graph) if on_map else csr
    if not on_map:
        csr._against()

    def by_gap() -> Call:
        options = ("-i", str(ROUNDS), "-t", "0")
        return gap.rival("pr_spmv", graphs.serialized(*graph), options, TRIALS)

    found = {"GAP pr_spmv": Rival(by_gap)}
    if not on_map:
        found["networkit"] = Rival(partial(by_networkit, *graph, 1e-300, ROUNDS), as_networkit)
        found["graphblas"] = Rival(partial(by_graphblas, *graph), as_graphblas)
    ours = partial(pagerank, given, tolerance=0, max_iterations=ROUNDS)
    return Contest(ours, found, ROUNDS * round_bytes(csr.node_count, csr.edge_count, on_map))


def round_bytes(n: int, m: int, on_map: bool) -> int:
    """Rows, shares and scores read, shares and scores written; entries of a map have edge ids."""
    return (8 if on_map else 4) * m + 5 * 8 * n


def by_networkit(kind: str, scale: int, degree: int, tolerance: float, most: int) -> Call:
    """Rounds of networkit, which handles no sinks of undirected graphs."""
    centrality = rivals.library("networkit").centrality
    graph = rivals.networkit(kind, scale, degree)

    def call() -> Any:
        ranks = centrality.PageRank(graph, DAMPING, tolerance)
        ranks.maxIterations = most
        return ranks.run()

    return call


def as_networkit(ours: F64, theirs: Any) -> bool:
    """Whether the scores are nearly the same once they sum to 1.

    Nodes without edges lose theirs there, so that early rounds differ where there are such nodes.
    """
    return near(ours, unit(theirs), 1e-2)


def unit(theirs: Any) -> F64:
    """Scores of networkit, summing to 1."""
    scores = np.asarray(theirs.scores())
    found: F64 = scores / scores.sum()
    return found


def by_graphblas(kind: str, scale: int, degree: int) -> Call:
    """Rounds as products of a matrix and a vector."""
    blas = rivals.library("graphblas")
    matrix = rivals.graphblas(kind, scale, degree)
    csr = graphs.graph(kind, scale, degree)
    count, degrees = csr.node_count, np.diff(csr.offsets)
    ends, hung = np.flatnonzero(degrees), np.flatnonzero(degrees == 0)
    shared = blas.Vector.from_coo(ends, DAMPING / degrees[ends], size=count)
    hanging = blas.Vector.from_coo(hung, 1.0, dtype=float, size=count)

    def call() -> Any:
        scores = blas.Vector.from_scalar(1 / count, size=count)
        for _ in range(ROUNDS):
            lost = (scores @ hanging).new().get(0.0) if hung.size else 0.0
            shares = scores.ewise_mult(shared, blas.binary.times).new()
            after = blas.Vector.from_scalar((1 - DAMPING + DAMPING * lost) / count, size=count)
            # the matrix is symmetric
            after(blas.binary.plus) << matrix.mxv(shares, blas.semiring.plus_second)
            change = after.ewise_mult(scores, blas.binary.minus).apply(blas.unary.abs)
            change.new().reduce().get()
            scores = after
        return scores

    return call


def as_graphblas(ours: F64, theirs: Any) -> bool:
    """Whether the scores are the same."""
    return rivals.close(ours, theirs.to_dense())


def by_scipy(kind: str, scale: int, degree: int) -> Contest:
    """Do the rounds; with scipy they are products of a matrix and a vector."""
    csr = graphs.graph(kind, scale, degree)
    csr._against()
    count, degrees = csr.node_count, np.diff(csr.offsets)
    matrix = csr.to_scipy().T.tocsr()

    def rival() -> F64:
        scores = np.full(count, 1 / count)
        for _ in range(ROUNDS):
            shares = np.divide(scores, degrees, out=np.zeros(count), where=degrees > 0)
            hung = scores[degrees == 0].sum()
            after = (1 - DAMPING + DAMPING * hung) / count + DAMPING * (matrix @ shares)
            np.abs(after - scores).sum()
            scores = after
        return scores

    ours = partial(pagerank, csr, tolerance=0, max_iterations=ROUNDS)
    moved = ROUNDS * round_bytes(count, csr.edge_count, False)
    return Contest(ours, {"scipy": Rival(lambda: rival, rivals.close)}, moved)


def converged(kind: str, scale: int, degree: int) -> Contest:
    """Rounds until the scores change no more; each library as it does that."""
    graph = kind, scale, degree
    csr = graphs.graph(*graph)
    csr._against()

    def by_igraph() -> Call:
        return partial(rivals.igraph(*graph).pagerank, damping=DAMPING)

    def by_rustworkx() -> Call:
        module, given = rivals.library("rustworkx"), rivals.rustworkx(*graph).to_directed()
        # it stops below its tolerance times the number of nodes
        settled = TOLERANCE / csr.node_count
        return partial(module.pagerank, given, alpha=DAMPING, tol=settled, max_iter=200)

    def as_rustworkx(ours: F64, theirs: Any) -> bool:
        return near(ours, [theirs[node] for node in range(ours.size)])

    found = {
        "networkit": Rival(
            partial(by_networkit, *graph, TOLERANCE, 200),
            lambda ours, theirs: near(ours, unit(theirs)),
        ),
        "igraph": Rival(by_igraph, near),
        "rustworkx": Rival(by_rustworkx, as_rustworkx),
    }
    return Contest(partial(pagerank, csr, tolerance=TOLERANCE), found)


def near(ours: Any, theirs: Any, most: float = 1e-4) -> bool:
    """Whether scores, which sum to 1, differ by little in all."""
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).sum()) < most


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top, degree = scale.bits, scale.degree
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            for on_map in (False, True):
                name = f"pagerank {kind} {size}" + (" mapped" if on_map else "")
                make = partial(rounds, kind, size, degree, on_map)
                targets = (1.25, 1.0) if on_map else (1.0, 0.75)
                yield Row(name, make, *targets, rival="GAP pr_spmv", trials=TRIALS)
        make = partial(by_scipy, kind, top, degree)
        yield Row(f"pagerank {kind} {top} scipy", make, 0.6, 0.35, rival="scipy")
        make = partial(converged, kind, top - 2, degree)
        yield Row(f"pagerank {kind} {top - 2} converged", make, 1.0, 0.5, rival="networkit")
        mapped.cache_clear()
        graphs.forget()
