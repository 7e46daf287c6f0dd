"""Shortest paths from one node, with weights."""

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.traversal import one_node, search_from
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.dtypes import F64, I64, U32, U64
from nkgraph.errors import GraphError
from nkgraph.threads import run, split

FEW_NODES = 1 << 10
"""Queues that are not longer are drawn on one thread, in one call."""
MOST_EDGES = 1 << 25
"""So many edges are looked at in one call of a kernel, about: it can be interrupted between."""
SAMPLE = 1 << 12
STEP = 2.0
"""The first step is so many mean weights, divided by the mean degree."""
NARROW, WIDE = 1 << 9, 1 << 13
"""Steps double while they draw fewer nodes, and are halved again when they draw more."""
BUFFER = 1 << 10


def sssp(
    graph: AnyGraph,
    source: int,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    weight: str | None = None,
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> F64:
    """Return the length of a shortest path from one node to each.

    Parameters
    ----------
    graph : Graph or CSR
    source : int
        A node id.
    connection_type : str, optional
        Go along edges of this type only; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Along the edges, against them, or either way.
    weight : str, optional
        The edge property of a ``Graph`` that is the length of an edge; without it each edge
        counts 1. A CSR has its own weights; without any, each edge counts 1.
    threads : int, optional
        ``NKGRAPH_THREADS``, or all cores, if not given; the answer is the same for any number.
    progress : bool or callable, optional
        Told after each step how many nodes have been drawn from the queue.

    Returns
    -------
    (n,) float64
        Infinity for nodes that are not reached, or were removed.

    Raises
    ------
    GraphError
        A weight is negative or NaN (the edge is named), missing or no number; the source is not a
        node of the graph; an argument that does not fit it.
    NotFoundError
        There is no such connection type.
    LimitError
        There is not enough memory.

    Notes
    -----
    As Graphalytics 1.0 and the GAP Benchmark Suite define it, in float64: the least, over all
    paths, of the weights added up in order from the source on, which is one number whatever order
    edges are looked at in. Of parallel edges the lightest counts; loops change nothing; a path
    whose length is infinite reaches nothing.

    Delta-stepping (Meyer and Sanders, 2003) with steps that adapt to how many nodes they draw.
    O(n + m) times a small factor for usual weights. Allocates 16 bytes a node, the answer
    included, with more than one thread 20; and 8 an edge where weights are not float64 by slot, as
    properties never are.

    Examples
    --------
    >>> from nkgraph.algorithms.sssp import sssp
    >>> from nkgraph.csr import CSR
    >>> sssp(CSR.from_edges([0, 0, 1], [1, 2, 2], 4, [1.0, 5.0, 2.5]), 0).tolist()
    [0.0, 1.0, 3.5, inf]
    """
    view = View(graph, connection_type, direction, weight, weighted=True)
    start, count = one_node(view, source), thread_count(threads)
    refuse_too_much("sssp", NEEDS["sssp"](view))
    told = Progress("sssp", progress)
    if view.forward.weights is None:
        depths = search_from(view, start, count, told).depths
        return np.where(depths < 0, np.inf, depths.astype(np.float64))
    check_weights(view.forward, direction, count)
    return _Steps.begin(view.forward, start, count).run(told)


def check_weights(rows: Rows, direction: str, threads_: int) -> None:
    """Raise GraphError, naming the edge, if a weight is negative or NaN; O(m)."""
    weights = rows.weights
    assert weights is not None
    pieces = 1 + weights.size // (16 * MOST_EDGES)
    for first, stop in split(weights.size, pieces, 1):
        parts = [(first + a, first + b) for a, b in split(stop - first, threads_)]
        found = run([partial(kernels.sssp.first_bad_weight, weights, a, b) for a, b in parts])
        bad = [int(slot) for slot in found if slot >= 0]  # type: ignore[call-overload,operator]  # ints
        if not bad:
            continue
        slot = bad[0]
        node = int(np.searchsorted(rows.offsets, slot, "right")) - 1
        ends = node, int(rows.flat[slot << rows.shift])
        source, target = ends[::-1] if direction == "in" else ends
        name = f"{int(rows.flat[2 * slot + 1])} " if rows.shift else ""
        raise GraphError(
            f"the weight of edge {name}from node {source} to {target} is {weights[slot]}: "
            "shortest paths want weights of 0 and more"
        )


@dataclass
class _Steps:
    """The state of a search: what is queued below the limit, and what waits beyond it."""

    rows: Rows
    weights: F64
    threads: int
    step: float
    distances: F64
    near: U64
    pending: U64
    queue: U32
    following: U32
    buffers: list[U32]
    queued: int = 1
    drawn: int = 0
    state: I64 = field(default_factory=lambda: np.zeros(2, np.int64))

    @classmethod
    def begin(cls, rows: Rows, source: int, threads_: int) -> "_Steps":
        n, weights = rows.node_count, rows.weights
        assert weights is not None
        distances, queue = np.full(n, np.inf), np.zeros(n, np.uint32)  # ever node ids
        distances[source], queue[0] = 0.0, source
        near = np.zeros((n >> 6) + 1, np.uint64)
        near[source >> 6] = np.uint64(1 << (source & 63))
        return cls(
            rows,
            weights,
            threads_,
            first_step(rows, weights),
            distances,
            near,
            np.zeros_like(near),
            queue,
            np.zeros(n if threads_ > 1 else 0, np.uint32),
            [np.empty(BUFFER, np.uint32) for _ in range(threads_)],
        )

    def run(self, told: Progress) -> F64:
        """Raise the limit until nothing waits."""
        factor, limit, before = 1.0, self.step, 0
        while self.queued:
            self._drain(limit)
            told.step(self.drawn)
            if self.drawn - before < NARROW:
                factor = min(2.0 * factor, 2.0**60)
            elif self.drawn - before > WIDE:
                factor = max(1.0, 0.5 * factor)
            final, before = limit, self.drawn
            limit = _above(limit, self.step * factor)
            least = self._collect(final, limit)
            if not self.queued and least < math.inf:
                limit = _above(least, self.step * factor)
                self._collect(final, limit)
        return self.distances

    def _drain(self, limit: float) -> None:
        while self.queued:
            if self.threads == 1 or self.queued <= FEW_NODES:
                self._relax_alone(limit)
            else:
                self._relax(limit)

    def _relax_alone(self, limit: float) -> None:
        """On one thread, for as long as that is best; then move what is left to the start."""
        rows = self.rows
        enough = self.queue.size if self.threads == 1 else FEW_NODES
        counts = np.array([self.queued, 0, 0], np.int64)
        while counts[0] and counts[0] <= enough:
            kernels.sssp.relax_alone(
                rows.offsets,
                rows.flat,
                rows.shift,
                self.weights,
                limit,
                enough,
                MOST_EDGES,
                int(counts[1]),
                self.queue,
                self.distances,
                self.near,
                self.pending,
                counts,
            )
        self.queued, head, drawn = counts.tolist()
        self.drawn += drawn
        if head + self.queued > self.queue.size:
            self.queue = np.roll(self.queue, -head)
        else:
            self.queue[: self.queued] = self.queue[head : head + self.queued]

    def _relax(self, limit: float) -> None:
        rows, state, count = self.rows, self.state, self.queued
        state[:] = 0
        edges = count * (1 + rows.edge_count // max(1, rows.node_count))
        for first, stop in split(count, 1 + edges // MOST_EDGES, 1):
            state[0] = first
            job = partial(kernels.sssp.relax, rows.offsets, rows.flat, rows.shift, self.weights)
            job = partial(job, limit, self.queue, stop, state)
            rest = self.distances, self.near, self.pending, self.following
            run([partial(job, buffer, *rest) for buffer in self.buffers])
        self.queue, self.following = self.following, self.queue
        self.queued = int(state[1])
        self.drawn += count

    def _collect(self, final: float, limit: float) -> float:
        """Queue what waits below the limit; return the least distance of the rest."""
        self.state[1] = 0
        job = partial(kernels.sssp.collect, final, limit)
        rest = self.state, self.distances, self.near, self.pending, self.queue
        parts = split(self.pending.size, self.threads, 1 << 9)
        least = run([partial(job, a, b, *rest) for a, b in parts])
        self.queued = int(self.state[1])
        return min(least)  # type: ignore[type-var,return-value]  # floats


def first_step(rows: Rows, weights: F64) -> float:
    """How far to raise the limit at a time: a guess from some weights and the mean degree."""
    some = weights[:: 1 + weights.size // SAMPLE]
    some = some[np.isfinite(some)]
    with np.errstate(over="ignore"):
        mean = float(some.mean()) if some.size else 1.0
    step = STEP * mean * rows.node_count / max(1, rows.edge_count)
    return step if 0.0 < step < math.inf else 1.0


def _above(distance: float, step: float) -> float:
    return max(distance + step, math.nextafter(distance, math.inf))


def _sssp_bytes(view: View) -> int:
    """The answer, two queues and two bitmaps; what a search without weights needs is less."""
    return rows_bytes(view) + 16 * view.node_count + 2 * (view.node_count // 8 + 8)


NEEDS["sssp"] = _sssp_bytes
