"""How many nodes have how many edges."""

from typing import NamedTuple

import numpy as np

from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much
from nkgraph.algorithms.view import AnyGraph, Direction, View
from nkgraph.csr import CSR
from nkgraph.dtypes import I64


class Histogram(NamedTuple):
    """How often each value occurs.

    Parameters
    ----------
    values : (k,) int64
        Ascending, each once.
    counts : (k,) int64
        At least 1.
    """

    values: I64
    counts: I64


def degree_histogram(
    graph: AnyGraph,
    connection_type: str | None = None,
    direction: Direction = "out",
    *,
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> Histogram:
    """Count the nodes of each degree.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Count edges of this type only; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Edges that leave a node, that arrive, or the sum of both, to which a loop adds 2.
    threads, progress
        As everywhere; one thread is enough.

    Returns
    -------
    Histogram
        ``values``, the degrees that occur, and ``counts``, of how many live nodes.

    Raises
    ------
    GraphError
        An unknown direction, or a connection type with a CSR.
    NotFoundError
        There is no such connection type.

    Notes
    -----
    O(n), times the logarithm of the degrees for one type of a ``Graph``. Of a CSR, O(n + m)
    against the edges. Allocates 16 bytes a node and as much as the degrees that occur take.

    Examples
    --------
    >>> from nkgraph.algorithms.histograms import degree_histogram
    >>> from nkgraph.csr import CSR
    >>> values, counts = degree_histogram(CSR.from_edges([0, 0, 1], [1, 2, 2]))
    >>> values.tolist(), counts.tolist()
    ([0, 1, 2], [1, 1, 1])
    """
    view = View(graph, connection_type, direction)
    thread_count(threads)
    refuse_too_much("degree_histogram", NEEDS["degree_histogram"](view))
    found = histogram(_degrees(view))
    Progress("degree_histogram", progress).step(1, 1)
    return found


def peer_histogram(
    graph: AnyGraph,
    connection_type: str | None = None,
    *,
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> Histogram:
    """Count the targets that have each number of edges of a type into them.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Of a ``Graph`` alone; edges of any type if not given.
    threads, progress
        As everywhere; one thread is enough.

    Returns
    -------
    Histogram
        ``values``, the numbers of edges, 1 and more, and ``counts``, of how many targets.

    Raises
    ------
    GraphError
        A connection type with a CSR.
    NotFoundError
        There is no such connection type.

    Notes
    -----
    From the stored peer counts of a ``Graph`` where a type is given, in O(targets); otherwise as
    ``degree_histogram`` with direction "in", without the nodes of degree 0. Parallel edges count
    each, as in ``Graph.peer_counts``.

    Examples
    --------
    >>> from nkgraph.algorithms.histograms import peer_histogram
    >>> from nkgraph.csr import CSR
    >>> values, counts = peer_histogram(CSR.from_edges([0, 0, 1], [1, 2, 2]))
    >>> values.tolist(), counts.tolist()
    ([1, 2], [1, 1])
    """
    view = View(graph, connection_type, "in")
    thread_count(threads)
    refuse_too_much("peer_histogram", NEEDS["peer_histogram"](view))
    if isinstance(graph, CSR) or connection_type is None:
        counts = _degrees(view)
        found = histogram(counts[counts > 0])
    else:
        found = histogram(graph.peer_counts(connection_type)[1].astype(np.int64))
    Progress("peer_histogram", progress).step(1, 1)
    return found


def _degrees(view: View) -> I64:
    graph = view.graph
    if not isinstance(graph, CSR):
        return graph.degrees(graph.nodes(), view.connection_type, view.direction)
    degrees: I64 = np.zeros(graph.node_count, np.int64)
    if view.direction != "in":
        degrees += np.diff(graph.offsets)
    if view.direction != "out":
        degrees += np.bincount(graph.targets, minlength=graph.node_count)
    return degrees


def histogram(numbers: I64) -> Histogram:
    """Count each of (k,) int64 numbers, none negative; by counting, or by sorting large ones."""
    if not numbers.size:
        return Histogram(np.zeros(0, np.int64), np.zeros(0, np.int64))
    if int(numbers.max()) <= 4 * numbers.size:
        counts = np.bincount(numbers)
        values = np.flatnonzero(counts)
        return Histogram(values, counts[values])
    ordered = np.sort(numbers)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return Histogram(ordered[first], np.diff(np.append(first, ordered.size)))


def _bytes(view: View) -> int:
    """Degrees, node ids, and counts of up to four times as many degrees as nodes, all int64."""
    targets = 8 * view.graph.edge_count if isinstance(view.graph, CSR) else 0
    return 64 * view.node_count + (targets if view.direction != "out" else 0)


NEEDS["degree_histogram"] = NEEDS["peer_histogram"] = _bytes
