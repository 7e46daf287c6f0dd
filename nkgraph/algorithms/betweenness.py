"""Betweenness centrality: exact, from given sources, or estimated from a sample of them."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph import threads as pool
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.view import AnyGraph, View
from nkgraph.csr import CSR
from nkgraph.dtypes import F64, I64, U32
from nkgraph.errors import GraphError, LimitError

NAME = "betweenness"
BLOCKS = 64
"""Sources are cut into so many blocks at most; scores are summed within each, then over them."""
BUDGET = 1 << 24
"""Edges between two looks at what the user wants: some tenths of a second."""
FEW = 6
"""For fewer sources, rows against the edges of a CSR cost more than they save."""


def betweenness(
    graph: AnyGraph,
    *,
    sources: object = None,
    samples: int | None = None,
    seed: int = 0,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> F64:
    """Sum, for each node, the shares of shortest paths between two others that go through it.

    ``score[v] = sum over s, t (s != v != t, s != t) of sigma(s, t through v) / sigma(s, t)``, with
    ``sigma`` the number of shortest paths along the direction, all edges being of length 1
    (Brandes, A Faster Algorithm for Betweenness Centrality, 2001). Not normalised: divide by
    (n - 1)(n - 2), or half of that with direction "both", for scores up to 1.

    Parameters
    ----------
    graph : Graph or CSR
    sources : (k,) integers, optional
        Sum over paths from these nodes alone. The sum is not scaled up; a node given twice counts
        twice.
    samples : int, optional
        Estimate by paths from so many live nodes, drawn at random without repetition; the sum is
        multiplied by n / samples, n being the number of live nodes (Brandes and Pich, Centrality
        Estimation in Large Networks, 2007). Without it and without ``sources``: exact, from all.
    seed : int
        Of the draw; the same seed draws the same nodes.
    connection_type : str, optional
        Only edges of this type; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Along the edges, against them, or either way. With "both" every score is halved, so that
        each pair of nodes counts once; with ``sources`` too, so that all nodes give the exact sum.
    threads : int, optional
        How many; the scores have the same bits for any number.
    progress : bool or callable, optional
        Hears of sources done.

    Returns
    -------
    (n,) float64
        By node id; NaN for removed nodes.

    Raises
    ------
    GraphError
        Both ``sources`` and ``samples``; a source that is no live node; more samples than live
        nodes, or none.
    LimitError
        More than 2**1000 shortest paths lead from a source to a node: float64 cannot hold shares
        of them. Or too little memory.

    Notes
    -----
    Parallel edges are paths of their own: two of them double the paths through them, as in
    igraph; on a graph without parallel edges the scores are those of networkx too. With direction
    "both" an edge and its reverse are parallel. Loops lie on no shortest path.

    O(k (n + m)) time for k sources. 8 bytes a node are allocated for the answer, 40 a node and
    thread as scratch, besides rows that the graph does not hold: see ``memory_estimate``.

    Examples
    --------
    >>> import nkgraph as nk
    >>> from nkgraph.algorithms.betweenness import betweenness
    >>> path = nk.CSR.from_edges([0, 1, 2], [1, 2, 3])
    >>> betweenness(path)
    array([0., 2., 2., 0.])
    >>> betweenness(path, sources=[1])
    array([0., 0., 1., 0.])
    """
    view = View(graph, connection_type, direction)
    starts, scale = _sources(view, sources, samples, seed)
    if view.direction == "both":
        scale /= 2
    count = max(1, min(thread_count(threads), len(starts)))
    pulls = _pulls(view, starts.size)
    refuse_too_much(NAME, _bytes(view, count, pulls))
    scores = np.zeros(view.node_count)
    if starts.size and view.node_count:
        _sum(view, starts, count, pulls, Progress(NAME, progress), scores)
    scores *= scale
    if view.live is not None:
        scores[~view.live] = np.nan
    return scores


def _sources(view: View, given: object, samples: int | None, seed: int) -> tuple[U32, float]:
    """Sources, and what the sum over them is to be multiplied by."""
    if given is not None:
        if samples is not None:
            raise GraphError("sources and samples: give one of them")
        return view.check_nodes(given, "source"), 1.0
    nodes = np.arange(view.node_count, dtype=np.uint32)
    if view.live is not None:
        nodes = nodes[view.live]
    if samples is None:
        return nodes, 1.0
    if not 1 <= samples <= nodes.size:
        raise GraphError(f"samples is {samples}, not from 1 to the {nodes.size} nodes there are")
    drawn = np.random.default_rng(seed).choice(nodes.size, samples, replace=False)
    return nodes[np.sort(drawn)], nodes.size / samples


def _pulls(view: View, source_count: int) -> bool:
    """Whether rows against the edges are at hand, or worth building."""
    if view.direction == "both":
        return True
    if isinstance(view.graph, CSR):
        return source_count >= FEW
    return view.connection_type is None or source_count >= FEW


def _bytes(view: View, workers: int, pulls: bool) -> int:
    rows = rows_bytes(view, sides=1 + pulls)
    return rows + view.node_count * (16 + workers * (8 + 8 + 8 + 4 + 4))


NEEDS[NAME] = lambda view: _bytes(view, pool.thread_count(), True)


@dataclass
class _Worker:
    """Scratch of one thread, and how far it is with its block of sources."""

    order: U32
    starts: U32
    values: F64
    sums: F64
    scores: F64
    state: I64

    @classmethod
    def of(cls, node_count: int) -> "_Worker":
        return cls(
            np.empty(node_count, np.uint32),
            np.empty(node_count + 2, np.uint32),
            np.zeros(node_count),
            np.empty(node_count),
            np.zeros(node_count),
            np.zeros(kernels.betweenness.STATE, np.int64),
        )


def _sum(
    view: View, sources: U32, count: int, pulls: bool, progress: Progress, scores: F64
) -> None:
    """Add up the blocks of sources, ``count`` of them at a time, in their order."""
    ahead = view.forward
    against = view.backward if pulls else ahead
    rows = (ahead.offsets, ahead.flat, ahead.shift, against.offsets, against.flat, against.shift)
    workers = [_Worker.of(view.node_count) for _ in range(count)]
    blocks = pool.split(sources.size, parts=BLOCKS, least=1)
    for first in range(0, len(blocks), count):
        group = blocks[first : first + count]
        jobs = [
            (partial(_advance, rows, pulls, sources[start:stop], worker), worker, stop - start)
            for worker, (start, stop) in zip(workers, group, strict=False)
        ]
        for _, worker, _ in jobs:
            worker.state[:] = 0
        before = group[0][0]
        waiting = [job for job, _, _ in jobs]
        while waiting:
            ended = pool.run(waiting)
            waiting = [job for job, end in zip(waiting, ended, strict=True) if not end]
            done = sum(int(worker.state[kernels.betweenness.SOURCE]) for _, worker, _ in jobs)
            progress.step(before + done, sources.size)
        for (start, _), (_, worker, size) in zip(group, jobs, strict=True):
            reached = int(worker.state[kernels.betweenness.SOURCE])
            if reached < size:
                raise LimitError(
                    f"more than 2**1000 shortest paths lead from node {sources[start + reached]} "
                    "to another: float64 cannot hold shares of them"
                )
            scores += worker.scores
            worker.scores.fill(0.0)


def _advance(
    rows: tuple[I64, U32, int, I64, U32, int], pulls: bool, sources: U32, worker: _Worker
) -> bool:
    ended: bool = kernels.betweenness.advance(
        *rows,
        pulls,
        sources,
        BUDGET,
        worker.state,
        worker.order,
        worker.starts,
        worker.values,
        worker.sums,
        worker.scores,
    )
    return ended
