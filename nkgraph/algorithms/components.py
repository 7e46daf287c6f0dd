"""Connected components, weak and strong."""

from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph.algorithms.blocks import LEAST, run_blocks
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.arrays import read_only
from nkgraph.csr import CSR
from nkgraph.dtypes import I64, NO_NODE, U32
from nkgraph.threads import run, split

SAMPLES = 1024
"""Nodes looked at to guess the largest tree."""
STEPS = 5
"""Of a search for weak components, as progress counts them."""
AT_ONCE = 1 << 22
"""Slots of one call of the depth-first search: below a second even where each waits for memory."""


def connected_components(
    graph: AnyGraph,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> U32:
    """Find the weakly connected components: nodes that edges join, whichever way these go.

    So ``direction`` is without effect; loops and parallel edges are, too (Graphalytics 1.0,
    section 2.3.3; the method is Afforest, Sutton, Ben-Nun and Barak, IPDPS 2018).

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Of a Graph: only edges of this type. All nodes take part.
    direction : {"out", "in", "both"}
        Checked, and not used.
    threads : int, optional
    progress : bool or callable, optional
        There are five steps.

    Returns
    -------
    (n,) uint32
        By node id, the smallest node id of its component; of a node without edges, itself.
        ``NO_NODE`` for removed nodes.

    Raises
    ------
    GraphError
        An unknown direction, or a connection type with a CSR.
    NotFoundError
        No such connection type.
    LimitError
        Too little memory.

    Notes
    -----
    Near O(n + m) time, and less where a giant component is found early and the graph has rows
    against its edges. 4 bytes a node are allocated; one connection type has its rows built.

    Examples
    --------
    >>> from nkgraph.algorithms.components import connected_components
    >>> from nkgraph.csr import CSR
    >>> connected_components(CSR.from_edges([4, 2, 2], [1, 3, 2], node_count=6)).tolist()
    [0, 1, 2, 2, 1, 5]
    """
    View(graph, connection_type, direction)  # checks them; which way the rows go does not matter
    view = View(graph, connection_type)
    refuse_too_much("connected_components", NEEDS["connected_components"](view))
    told = Progress("connected_components", progress)
    labels = _afforest(view, thread_count(threads), told)
    if view.live is not None:
        labels[~view.live] = NO_NODE
    return labels


def _need(view: View) -> int:
    return rows_bytes(view) + 4 * view.node_count + view.node_count // 8


NEEDS["connected_components"] = _need


def _afforest(view: View, threads: int, told: Progress) -> U32:
    """Labels of all node ids, each removed one alone; see ``kernels.components``."""
    rows, loops, count = view.forward, kernels.components, view.node_count
    labels = np.arange(count, dtype=np.uint32)
    given = rows.offsets, rows.flat, rows.shift

    def link_first(cursor: I64, stop: int) -> None:
        loops.link_first(*given, cursor, stop, labels)

    def compress(cursor: I64, stop: int) -> None:
        loops.compress(cursor, stop, labels)

    run_blocks(link_first, count, loops.BLOCK, threads)
    told.step(1, STEPS)
    run_blocks(compress, count, loops.BLOCK, threads)
    told.step(2, STEPS)
    giant = _most_frequent(labels)
    if _turned_for_free(view):
        _link_outside(rows, giant, loops.FIRST, labels, threads)
        told.step(3, STEPS)
        _link_outside(view.backward, giant, 0, labels, threads)
    else:
        _link_by_marks(rows, giant, labels, threads)
    told.step(4, STEPS)
    run_blocks(compress, count, loops.BLOCK, threads)
    told.step(5, STEPS)
    return labels


def _most_frequent(labels: U32) -> int:
    """The label that most of ``SAMPLES`` nodes, evenly spaced, have; the smallest of several."""
    if labels.size == 0:
        return 0
    sample = labels[:: max(1, labels.size // SAMPLES)]
    values, counts = np.unique(sample, return_counts=True)
    return int(values[counts.argmax()])


def _turned_for_free(view: View) -> bool:
    """Whether rows against the edges are on a map, or in memory already."""
    if isinstance(view.graph, CSR):
        return getattr(view.graph, "_turned", None) is not None
    return view.connection_type is None and view.graph._rows.has("in")


def _link_outside(rows: Rows, giant: int, skip: int, labels: U32, threads: int) -> None:
    """Link nodes outside the tree ``giant`` with all targets but the first ``skip``."""

    def work(cursor: I64, stop: int) -> None:
        kernels.components.link_outside(
            *(rows.offsets, rows.flat, rows.shift, giant, skip, cursor, stop, labels)
        )

    run_blocks(work, labels.size, kernels.components.BLOCK, threads, rows.offsets)


def _link_by_marks(rows: Rows, giant: int, labels: U32, threads: int) -> None:
    """Link across all edges with an end outside the tree ``giant``, without rows against them."""
    loops = kernels.components
    outside = np.empty(-(-labels.size // 8), np.uint8)
    known = read_only(labels)
    parts = split(outside.size, threads, LEAST // 8)
    found = run(
        [partial(loops.mark_outside, known, giant, start, stop, outside) for start, stop in parts]
    )
    if not any(found):
        return
    marked = read_only(outside)

    def work(cursor: I64, stop: int) -> None:
        loops.link_by_marks(*(rows.offsets, rows.flat, rows.shift, marked, cursor, stop, labels))

    run_blocks(work, labels.size, loops.BLOCK, threads, rows.offsets)


def strongly_connected_components(
    graph: AnyGraph,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> U32:
    """Find the strongly connected components: two nodes are in one if paths lead both ways.

    Loops and parallel edges are without effect. One depth-first pass (Pearce, Inf. Process.
    Lett. 116, 2016, after Tarjan 1972), iterative and on one thread.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Of a Graph: only edges of this type. All nodes take part.
    direction : {"out", "in", "both"}
        Against the edges the components are the same; either way they are the weak ones, and
        found as such.
    threads : int, optional
        Checked; of use with direction "both" alone.
    progress : bool or callable, optional
        Counts the nodes that searches started from, or passed over.

    Returns
    -------
    (n,) uint32
        By node id, the smallest node id of its component. ``NO_NODE`` for removed nodes.

    Raises
    ------
    GraphError
        An unknown direction, or a connection type with a CSR.
    NotFoundError
        No such connection type.
    LimitError
        Too little memory.

    Notes
    -----
    O(n + m) time. 20 bytes a node are allocated; one connection type has its rows built.

    Examples
    --------
    >>> from nkgraph.algorithms.components import strongly_connected_components
    >>> from nkgraph.csr import CSR
    >>> strongly_connected_components(CSR.from_edges([0, 3, 2, 1], [3, 2, 3, 2])).tolist()
    [0, 1, 2, 2]
    """
    count = thread_count(threads)
    asked = View(graph, connection_type, direction)
    name = "strongly_connected_components"
    told = Progress(name, progress)
    view = View(graph, connection_type)
    refuse_too_much(name, NEEDS[name](view))
    labels = _afforest(view, count, told) if asked.direction == "both" else _strong(view, told)
    if view.live is not None:
        labels[~view.live] = NO_NODE
    return labels


def _need_strong(view: View) -> int:
    return rows_bytes(view) + 20 * view.node_count


NEEDS["strongly_connected_components"] = _need_strong


def _strong(view: View, told: Progress) -> U32:
    rows, loops, count = view.forward, kernels.strong, view.node_count
    state = np.array([0, 0, count, 1], np.int64)
    ranks = np.zeros(count, np.uint32)
    stack, labels = np.empty((2, count), np.uint32)
    slots = np.empty(count, np.int64)
    done = False
    while not done:
        done = loops.find(
            *(rows.offsets, rows.flat, rows.shift, AT_ONCE, state),
            *(ranks, stack, slots, labels),
        )
        told.step(int(state[loops.ROOT]), count)
    return labels
