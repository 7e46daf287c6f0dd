"""Rows *pagerank*: 20 rounds, against the GAP suite's ``pr_spmv`` and against scipy.

Ours are float64, in place on a mapped graph in the rows that say so; GAP's are float32. Rows
against the edges are there before the clock starts, as they are for GAP. Each side is the best of
as many trials in turn. For the first call in a fresh process see ``bench_warmup``.
"""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np

from nkgraph.algorithms.pagerank import pagerank
from nkgraph.dtypes import F64
from nkgraph.front import open_graph
from nkgraph.graph import Graph
from perf import gap, graphs
from perf.harness import Call, Clocked, Row, Scale, timed

ROUNDS = 20
TRIALS = 3


@cache
def mapped(kind: str, scale: int) -> Graph:
    """Give the graph of a kind, saved and opened."""
    path = Path(graphs.folder().name) / f"{kind}-{scale}"
    csr = graphs.graph(kind, scale)
    with Graph() as graph:
        nodes = graph.add_nodes("Node", np.arange(csr.node_count))
        graph.add_edges("EDGE", nodes[csr.row_ids()], csr.targets)
        graph.save(path)
    return open_graph(path)


def against_gap(kind: str, scale: int, on_map: bool) -> tuple[Call, Call]:
    """Do the rounds; GAP prints what its best trial took."""
    options = ("-i", str(ROUNDS), "-t", "0")
    rival = gap.rival("pr_spmv", graphs.serialized(kind, scale), options, TRIALS)
    graph = mapped(kind, scale) if on_map else graphs.graph(kind, scale)
    return best_of(TRIALS, partial(pagerank, graph, tolerance=0, max_iterations=ROUNDS)), rival


def best_of(count: int, call: Call) -> Clocked:
    """Time so many calls and take the best, as is done with the trials of a program."""
    return Clocked(lambda: min(timed(call, 1) for _ in range(count)))


def against_scipy(kind: str, scale: int) -> tuple[Call, Call]:
    """Do the rounds; with scipy they are products of a matrix and a vector."""
    csr = graphs.graph(kind, scale)
    count, degrees = csr.node_count, np.diff(csr.offsets)
    matrix = csr.to_scipy().T.tocsr()

    def by_scipy() -> F64:
        scores = np.full(count, 1 / count)
        for _ in range(ROUNDS):
            shares = np.divide(scores, degrees, out=np.zeros(count), where=degrees > 0)
            hung = scores[degrees == 0].sum()
            after = (0.15 + 0.85 * hung) / count + 0.85 * (matrix @ shares)
            np.abs(after - scores).sum()
            scores = after
        return scores

    ours = partial(pagerank, csr, tolerance=0, max_iterations=ROUNDS)
    np.testing.assert_allclose(ours(), by_scipy(), rtol=1e-9)
    return ours, by_scipy


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top = scale.node_count.bit_length() - 1
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            name = f"pagerank {kind} {size}"
            yield Row(name, partial(against_gap, kind, size, False), 1.0, 0.75)
            yield Row(f"{name} mapped", partial(against_gap, kind, size, True), 1.0, 0.75)
        yield Row(f"pagerank {kind} {top} scipy", partial(against_scipy, kind, top), 0.6, 0.35)
        mapped.cache_clear()
        graphs.forget()
