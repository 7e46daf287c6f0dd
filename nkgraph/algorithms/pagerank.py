"""PageRank: how much of a random walk each node sees."""

import math
import warnings

import numpy as np
from numpy.typing import ArrayLike

from nkgraph import kernels
from nkgraph.algorithms.blocks import run_blocks
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.arrays import read_only
from nkgraph.dtypes import F64, I64
from nkgraph.errors import GraphError

BLOCK = 1024
"""Nodes in a block, as ``kernels.pagerank`` has it: an estimate need not import numba."""


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
    spread = _spread(view, personalization)
    walk = _Walk(view, float(damping), spread, thread_count(threads))
    told = Progress("pagerank", progress)
    change = math.inf
    for done in range(max_iterations):
        change = walk.step()
        told.step(done + 1, max_iterations if tolerance == 0 else None)
        if tolerance and change <= tolerance:
            break
    if tolerance and view.live_count and change > tolerance:
        warnings.warn(
            f"pagerank: scores still changed by {change:.3g} in round {max_iterations}, "
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
    """Scores, and what one round needs of the last."""

    def __init__(self, view: View, damping: float, spread: F64, thread_count: int) -> None:
        self.rows: Rows = view.backward
        self.out_offsets = view.forward.offsets
        self.damping, self.threads = damping, thread_count
        self.spread = read_only(spread)
        count = view.node_count
        self.scores = np.empty(count)
        self.scores[:] = spread
        degrees = np.diff(self.out_offsets)
        self.shares = np.zeros(count)
        np.divide(self.scores, degrees, out=self.shares, where=degrees > 0)
        self.hung = float(self.scores[degrees == 0].sum())
        self.next_shares = np.empty(count)
        self.changes, self.dangling = np.zeros((2, -(-count // BLOCK)))

    def step(self) -> float:
        """Do a round; return the sum of all absolute changes."""
        base = 1.0 - self.damping + self.damping * self.hung
        rows, shares = self.rows, read_only(self.shares)

        def work(cursor: I64, stop: int) -> None:
            kernels.pagerank.sweep(
                *(rows.offsets, rows.flat, rows.shift, self.out_offsets, self.spread),
                *(base, self.damping, shares, cursor, stop),
                *(self.scores, self.next_shares, self.changes, self.dangling),
            )

        run_blocks(work, self.scores.size, BLOCK, self.threads, rows.offsets)
        self.shares, self.next_shares = self.next_shares, self.shares
        self.hung = float(self.dangling.sum())
        return float(self.changes.sum())
