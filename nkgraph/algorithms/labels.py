"""Communities by label propagation."""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from nkgraph import kernels
from nkgraph import threads as pool
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.simple import PIECES, even_pieces, share, undirected
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.arguments import integer_array
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U32
from nkgraph.errors import GraphError


def label_propagation(
    graph: AnyGraph,
    *,
    iterations: int = 10,
    labels: ArrayLike | None = None,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> I64:
    """Give each node the label that most of its neighbors have, again and again.

    In each round all nodes take, at once, the label that occurs most often among their neighbors
    of the round before, the least one of those that do. A neighbor counts once for each edge to
    it and once for each edge from it: twice if there are edges both ways; parallel edges count
    each, a loop counts its own node twice. Nodes without edges keep their label. This is CDLP of
    the LDBC Graphalytics specification 1.0.

    Parameters
    ----------
    graph : Graph or CSR
    iterations : int
        Rounds at most; it stops early, with the same answer, where a round changes nothing.
    labels : (n,) integers, optional
        First label of each node id, each fitting int64; what stands at removed nodes is not used.
        By default the node ids. Graphalytics begins with external ids, as
        ``labels=graph.ids(graph.nodes())`` does where none is removed.
    connection_type : str, optional
        Only edges of this type; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Makes no difference: edges count at both of their ends.
    threads : int, optional
        How many; the labels are the same for any number.
    progress : bool or callable, optional
        Told of each round.

    Returns
    -------
    (n,) int64
        By node id; -1 for removed nodes.

    Raises
    ------
    GraphError
        A negative number of rounds, labels that are no integers, too large or not (n,), or as
        for ``View``.
    NotFoundError
        There is no such connection type.
    LimitError
        There is not enough memory; see ``memory_estimate``.

    Notes
    -----
    O(n + m) a round. Allocates 16 bytes a node (48 with ``labels``), 8 a node and thread, and 4
    a thread for each edge of one node at most; for a CSR the reversed rows too.

    Examples
    --------
    >>> from nkgraph.csr import CSR
    >>> from nkgraph.algorithms.labels import label_propagation
    >>> csr = CSR.from_edges([0, 0, 1, 3, 4, 4, 5], [1, 2, 2, 4, 5, 6, 6])
    >>> label_propagation(csr).tolist()
    [0, 0, 0, 3, 3, 3, 3]
    """
    view = undirected(graph, connection_type, direction)
    if iterations < 0:
        raise GraphError(f"iterations is {iterations}, not at least 0")
    distinct, places = _places(labels, view)
    refuse_too_much("label_propagation", NEEDS["label_propagation"](view))
    count = thread_count(threads)
    told = Progress("label_propagation", progress)
    ends = view.forward.offsets + view.backward.offsets
    sizes = places.size if distinct is None else distinct.size, int(np.diff(ends).max(initial=0))
    workers = [_Worker(view, *sizes) for _ in range(count)]
    pieces = even_pieces(ends, PIECES * (1 + (int(ends[-1]) >> 28)))
    before, after = places, np.empty_like(places)
    for done in range(iterations):
        given = read_only(before)
        share(pieces, [partial(worker.spread, given, after) for worker in workers])
        before, after = after, before
        told.step(done + 1, iterations)
        if not sum(worker.changed() for worker in workers):
            break
    found: I64 = before.astype(np.int64) if distinct is None else distinct.take(before)
    if view.live is not None:
        found[~view.live] = -1
    return found


class _Worker:
    """What one thread counts with."""

    def __init__(self, view: View, label_count: int, longest: int) -> None:
        self._rows = *_arguments(view.forward), *_arguments(view.backward)
        self._counters = np.zeros(label_count, np.uint64)
        self._found = np.empty(longest, np.uint32)
        self._stamp = 1
        self._changed = 0

    def spread(self, labels: U32, new_labels: U32, start: int, stop: int) -> None:
        """Do one round for a range of nodes."""
        if self._stamp + stop - start >= 1 << 32:
            self._counters[:] = 0
            self._stamp = 1
        scratch = np.uint64(self._stamp), self._counters, self._found
        self._stamp += stop - start
        self._changed += kernels.labels.spread_labels(
            start, stop, *self._rows, labels, *scratch, new_labels
        )

    def changed(self) -> int:
        """How many labels changed since this was asked last."""
        changed, self._changed = self._changed, 0
        return changed


def _arguments(rows: Rows) -> tuple[I64, U32, np.uint64]:
    return rows.offsets, rows.flat, np.uint64(rows.shift)


def _places(labels: ArrayLike | None, view: View) -> tuple[I64 | None, U32]:
    """Give distinct labels, ascending, or None for node ids; and the place of each node's."""
    nodes = view.node_count
    if labels is None:
        return None, np.arange(nodes, dtype=np.uint32)
    given = integer_array(labels, "label")
    if given.shape != (nodes,):
        raise GraphError(f"labels: expected ({nodes},) integers, found {given.shape}")
    if given.dtype.kind == "u" and given.size and int(given.max()) > np.iinfo(np.int64).max:
        raise GraphError(f"label {int(given.max())} does not fit int64")
    values = given.astype(np.int64)
    ordered = np.sort(values)
    distinct = ordered[np.concatenate([np.ones(min(nodes, 1), bool), ordered[1:] != ordered[:-1]])]
    return distinct, np.searchsorted(distinct, values).astype(np.uint32)


def _bytes(view: View) -> int:
    """With labels given, and the longest row as long as it can be below 2**24."""
    nodes, edges, count = view.node_count, view.graph.edge_count, pool.thread_count()
    rounds = nodes * (56 + 8 * count) + 8 * count * min(edges, 1 << 24)
    rows = rows_bytes(view, 2)
    return rows + (max(rounds, 20 * (edges + nodes)) if rows else rounds)  # to turn them


NEEDS["label_propagation"] = _bytes
