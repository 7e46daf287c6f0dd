"""PageRank: how much of a random walk each node sees."""

import math
import warnings
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from nkgraph import kernels, threads
from nkgraph.algorithms import blocks
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.arrays import read_only
from nkgraph.dtypes import F64
from nkgraph.errors import GraphError

BLOCK = 1024
"""Nodes in a block, as ``kernels.pagerank`` has it: an estimate need not import numba."""

AT_ONCE = 1 << 27
"""Slots and nodes of one call of the kernel: well below a second, so that Ctrl-C is heard."""
MOST_ROUNDS = 256
"""Rounds of one call of the kernel, however small the graph."""


def pagerank(
    graph: AnyGraph,
    *,
    damping: float = 0.85,
    tolerance: float = 1e-6,
    max_iterations: int = 100,
    personalization: ArrayLike | None = None,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> F64:
    """Rank nodes by the probability that a random walk with teleports is at them.

    The walk follows one of the edges that leave its node, each alike, with probability
    ``damping``; otherwise, and from a node that no edge leaves, it goes to a node drawn from
    ``personalization``, or from all alike (Page, Brin, Motwani and Winograd 1999; Graphalytics
    1.0, section 2.3.2). With P that distribution, N nodes and D those without out-edges, a round is

        score'[u] = (1 - damping + damping * sum of score[D]) * P[u]
                    + damping * sum of score[v] / out_degree(v) over edges (v, u)

    and the first scores are P. Parallel edges count each, in degrees too; a loop is an edge from
    a node to itself.

    Parameters
    ----------
    graph : Graph or CSR
    damping : float
        From 0 to 1.
    tolerance : float
        Ends when the sum of all absolute changes in a round is not above it. 0: exactly
        ``max_iterations`` rounds.
    max_iterations : int
        At least 0, which gives P.
    personalization : (n,) numbers, optional
        By node id, none negative, not all 0; scaled to sum to 1. Those of removed nodes are
        not looked at.
    connection_type : str, optional
        Of a Graph: only edges of this type. All nodes take part.
    direction : {"out", "in", "both"}
        Along the edges, against them, or either way.
    threads : int, optional
    progress : bool or callable, optional

    Returns
    -------
    (n,) float64
        By node id; they sum to 1. NaN for removed nodes.

    Raises
    ------
    GraphError
        A parameter is out of range; personalization of a wrong size, negative, NaN or all 0.
    NotFoundError
        No such connection type.
    LimitError
        Too little memory.

    Warns
    -----
    RuntimeWarning
        The change was still above ``tolerance`` (not 0) after ``max_iterations`` rounds.

    Notes
    -----
    O(n + m) time a round. 24 bytes a node are allocated, and rows where the graph has none against
    the direction (those of a CSR, of one connection type, of both directions). All sums are in
    float64, in an order that does not depend on the number of threads.

    Examples
    --------
    >>> from nkgraph.algorithms.pagerank import pagerank
    >>> from nkgraph.csr import CSR
    >>> pagerank(CSR.from_edges([0, 1, 2, 3], [1, 2, 1, 1])).round(3).tolist()
    [0.038, 0.48, 0.445, 0.038]
    """
    _check(damping, tolerance, max_iterations)
    view = View(graph, connection_type, direction)
    refuse_too_much("pagerank", NEEDS["pagerank"](view))
    spread, count = _spread(view, personalization), thread_count(threads)
    walk = _Walk(view, float(damping), float(tolerance), max_iterations, spread)
    told = Progress("pagerank", progress)
    done = 0
    while not walk.ended:
        walk.go_on(count)
        while done < walk.done:
            done += 1
            told.step(done, max_iterations if tolerance == 0 else None)
    if tolerance and view.live_count and walk.change > tolerance:
        warnings.warn(
            f"pagerank: scores still changed by {walk.change:.3g} in round {max_iterations}, "
            f"which is more than the tolerance {tolerance:.3g}",
            RuntimeWarning,
            stacklevel=2,
        )
    if view.live is not None:
        walk.scores[~view.live] = np.nan
    return walk.scores


def _need(view: View) -> int:
    blocks = -(-view.node_count // BLOCK)
    spread = 0 if view.live_count == view.node_count else 17
    return rows_bytes(view, 2) + (24 + spread) * view.node_count + 24 * blocks


NEEDS["pagerank"] = _need


def _check(damping: float, tolerance: float, max_iterations: int) -> None:
    if not 0 <= damping <= 1:
        raise GraphError(f"damping is {damping}, not from 0 to 1")
    if not tolerance >= 0:
        raise GraphError(f"tolerance is {tolerance}, not at least 0")
    if max_iterations < 0:
        raise GraphError(f"max_iterations is {max_iterations}, not at least 0")


def _spread(view: View, personalization: ArrayLike | None) -> F64:
    """Where teleports go: one item if to all nodes alike, otherwise by node id."""
    if personalization is None:
        one = np.full(1, 1.0 / max(view.live_count, 1))
        return one if view.live is None else np.where(view.live, one, 0.0)
    given = np.asarray(personalization)
    if given.shape != (view.node_count,) or given.dtype.kind not in "biuf":
        wanted = f"({view.node_count},) numbers"
        raise GraphError(f"personalization: expected {wanted}, found {given.shape} {given.dtype}")
    spread = given.astype(np.float64)
    if view.live is not None:
        spread[~view.live] = 0.0
    wrong = ~((spread >= 0) & np.isfinite(spread))
    if wrong.any():
        node = int(wrong.argmax())
        raise GraphError(f"personalization of node {node} is {spread[node]}")
    highest = spread.max(initial=0.0)
    if highest == 0 and view.live_count:
        raise GraphError("personalization is 0 for all nodes")
    if highest > 0:
        spread /= highest  # the sum of large ones would be infinite
        spread /= spread.sum()
    return spread


class _Walk:
    """Scores, and what goes on from one call of the kernel to the next."""

    def __init__(
        self, view: View, damping: float, tolerance: float, rounds: int, spread: F64
    ) -> None:
        self.rows: Rows = view.backward
        out_offsets, nodes = view.forward.offsets, view.node_count
        self.scores = np.empty(nodes)
        self.scores[:] = spread
        self.blocks = -(-nodes // BLOCK)
        degrees = np.diff(out_offsets)
        shares = np.zeros(nodes)
        np.divide(self.scores, degrees, out=shares, where=degrees > 0)
        hung = float(self.scores[degrees == 0].sum())
        loops = kernels.pagerank
        self.marks = np.zeros(loops.MARKS, np.int64)
        self.marks[loops.LAST] = rounds if nodes else 0
        self.totals = np.array([hung, math.inf])
        self.until = 0
        self._given = (
            *(self.rows.offsets, self.rows.flat, self.rows.shift, out_offsets),
            *(read_only(spread), damping, tolerance),
        )
        scratch = np.zeros((2, self.blocks))
        self._kept = (
            *(self.marks, self.totals, self.scores, shares, np.empty(nodes)),
            *(scratch[0], scratch[1]),
        )

    @property
    def done(self) -> int:
        """Rounds done."""
        return int(self.marks[kernels.pagerank.ROUND])

    @property
    def ended(self) -> bool:
        """Whether no round is left to do."""
        return self.done == int(self.marks[kernels.pagerank.LAST])

    @property
    def change(self) -> float:
        """The sum of all absolute changes in the last round."""
        return float(self.totals[kernels.pagerank.CHANGE])

    def go_on(self, thread_count: int) -> None:
        """Do rounds, or a part of one, of about ``AT_ONCE`` slots and nodes."""
        loops = kernels.pagerank
        work = self.rows.edge_count + self.scores.size
        tickets = min(max(1, self.blocks * AT_ONCE // work), MOST_ROUNDS * self.blocks)
        last = int(self.marks[loops.LAST]) * self.blocks
        self.marks[loops.TICKET] = self.until
        self.until = min(last, self.until + tickets)
        job = partial(loops.sweep, *self._given, self.until, *self._kept)
        count = len(threads.split(work, thread_count, blocks.LEAST))
        threads.run([job] * min(count, self.blocks))
