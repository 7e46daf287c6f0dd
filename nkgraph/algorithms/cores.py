"""Core numbers."""

import numpy as np

from nkgraph import kernels
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.simple import SimpleRows, simple_bytes, simple_rows, undirected
from nkgraph.algorithms.view import AnyGraph, View
from nkgraph.csr import CSR
from nkgraph.dtypes import I32

BUDGET = 1 << 24
"""Slots to read before progress is told and an interruption is noticed."""


def core_numbers(
    graph: AnyGraph,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> I32:
    """Compute the core number of each node.

    The k-core is what is left of a graph when nodes with fewer than k neighbors are taken away
    for as long as there are any; the core number of a node is the largest k whose core it is in.
    The graph is taken as simple and undirected: loops are dropped, and parallel and opposite edges
    are one.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Only edges of this type; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Makes no difference.
    threads : int, optional
        How many; they build the rows, peeling is serial.
    progress : bool or callable, optional
        Told how many nodes have been taken away.

    Returns
    -------
    (n,) int32
        By node id: 0 where there is no neighbor, -1 for removed nodes.

    Raises
    ------
    GraphError, NotFoundError
        As for ``View``.
    LimitError
        There is not enough memory; see ``memory_estimate``.

    Notes
    -----
    Peeling by levels, after Batagelj and Zaversnik (2003): O(n + m). Allocates at the highest 12
    bytes an edge, and a node 36 bytes and 8 for each thread. A CSR keeps its simple rows, at most 8
    bytes an edge and 8 a node, which are half of the work, for further calls.

    Examples
    --------
    >>> from nkgraph.csr import CSR
    >>> from nkgraph.algorithms.cores import core_numbers
    >>> core_numbers(CSR.from_edges([0, 1, 2, 2, 4], [1, 2, 0, 3, 4])).tolist()
    [2, 2, 2, 1, 0]
    """
    view = undirected(graph, connection_type, direction)
    refuse_too_much("core_numbers", NEEDS["core_numbers"](view))
    rows = _rows(view, thread_count(threads))
    degrees = np.diff(rows.offsets).astype(np.uint32)
    left = np.arange(view.node_count, dtype=np.uint32)
    queue = np.empty(view.node_count + 1, np.uint32)
    state = np.array([-1, 0, 0, view.node_count], np.int64)
    told = Progress("core_numbers", progress)
    arguments = rows.offsets, rows.peers, BUDGET, degrees, left, queue, state
    more = True
    while more:
        more = kernels.cores.peel(*arguments)
        told.step(int(state[2]), view.node_count)
    cores = degrees.view(np.int32)  # a core of 2**31 has 2**61 edges
    if view.live is not None:
        cores[~view.live] = -1
    return cores


def _rows(view: View, threads: int) -> SimpleRows:
    """Simple rows; a CSR, which does not change, keeps them for the next call."""
    if not isinstance(view.graph, CSR):
        return simple_rows(view.forward, threads)
    kept: SimpleRows | None = getattr(view.graph, "_simple", None)
    if kept is None:
        kept = view.graph._simple = simple_rows(view.forward, threads)
    return kept


def _bytes(view: View) -> int:
    own = 20 * view.node_count
    return own if hasattr(view.graph, "_simple") else own + rows_bytes(view) + simple_bytes(view)


NEEDS["core_numbers"] = _bytes
