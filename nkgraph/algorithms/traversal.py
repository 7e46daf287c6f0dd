"""Breadth-first search, and what lies within some hops."""

import weakref
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.csr import CSR
from nkgraph.dtypes import I32, I64, NO_NODE, U32, U64
from nkgraph.errors import GraphError
from nkgraph.threads import run, split

FEW_EDGES = 1 << 15
"""Levels that fewer edges leave are gone down on one thread, many in one call."""
MOST_EDGES = 1 << 26
"""So many edges are looked at in one call of a kernel, about: it can be interrupted between."""
ALPHA = 15
ALPHA_UNORDERED = 2
"""Go up once more than this part of the edges left lead out of the front; Beamer's alpha."""
BETA = 18
"""Go down again once the front is smaller than this part of the nodes, and shrinks."""
BUFFER = 1 << 10


@dataclass(frozen=True)
class BFS:
    """How far each node is from the source, and through which node.

    Parameters
    ----------
    depths : (n,) int32
        Edges on a shortest path from the source; -1 for what is not reached or was removed.
    parents : (n,) uint32
        The smallest of the nodes one level up with an edge to the node; the source is its own
        parent; ``NO_NODE`` where the depth is -1.
    """

    depths: I32
    parents: U32


def bfs(
    graph: AnyGraph,
    source: int,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> BFS:
    """Search a graph by breadth from one node.

    Parameters
    ----------
    graph : Graph or CSR
    source : int
        A node id.
    connection_type : str, optional
        Go along edges of this type only; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Along the edges, against them, or either way.
    threads : int, optional
        ``NKGRAPH_THREADS``, or all cores, if not given; the answer is the same for any number.
    progress : bool or callable, optional
        Told after each few levels how many nodes are reached, of how many.

    Returns
    -------
    BFS
        ``depths``, (n,) int32, and ``parents``, (n,) uint32.

    Raises
    ------
    GraphError
        The source is not a node of the graph; an argument that does not fit it.
    NotFoundError
        There is no such connection type.
    LimitError
        There is not enough memory.

    Notes
    -----
    Depths are those of Graphalytics 1.0 and of the GAP Benchmark Suite (where GAP takes any parent,
    this takes the smallest). Loops and parallel edges change nothing. O(n + m) time; 8 bytes a
    node for the answer, and 5 for the search.

    Large levels are searched from the other side, which skips most edges (Beamer et al., SC 2012),
    where there are rows against the direction: of a ``Graph`` along all its edges, with direction
    "both", of a CSR against its edges, and along them from the second search on, which builds
    the rows and keeps them with the CSR. Most is skipped if sources ascend in these rows, as after
    an import of a sorted edge list; of a ``Graph`` that is looked up once, in O(m), else each time.

    Examples
    --------
    >>> from nkgraph.algorithms.traversal import bfs
    >>> from nkgraph.csr import CSR
    >>> found = bfs(CSR.from_edges([0, 0, 1, 2], [1, 2, 3, 3], 5), 0)
    >>> found.depths.tolist(), found.parents[:4].tolist()
    ([0, 1, 1, 2, -1], [0, 0, 0, 1])
    """
    view = View(graph, connection_type, direction)
    start = one_node(view, source)
    refuse_too_much("bfs", NEEDS["bfs"](view))
    return search_from(view, start, thread_count(threads), Progress("bfs", progress))


def search_from(view: View, start: int, threads: int, told: Progress) -> BFS:
    """Search a view from a node of it: ``bfs``, after its checks."""
    search = _Search.begin(view, threads)
    search.add_source(start)
    while search.start < search.stop:
        search.step()
        told.step(search.reached, view.live_count)
    if isinstance(view.graph, CSR) and not hasattr(view.graph, "_turned"):
        view.graph._turned = (
            None  # the next search of it finds rows against the edges worth building
        )
    return BFS(search.depths, search.parents)


def one_node(view: View, source: object) -> int:
    """Return the one node id that was given; GraphError for several."""
    given = np.asarray(source)
    if given.ndim:
        raise GraphError(f"source: expected one node, found shape {given.shape}")
    return int(view.check_nodes(source, "source")[0])


def has_backward(view: View) -> bool:
    """Whether the rows against the direction are there already, or are those along it."""
    if view.direction == "both":
        return True
    if isinstance(view.graph, CSR):
        return view.direction == "in" or hasattr(view.graph, "_turned")
    return view.connection_type is None


@dataclass
class _Search:
    """The state of a search: the level in the queue, and what has been reached."""

    rows: Rows
    back: Rows | None
    ascending: bool
    threads: int
    parents: U32
    depths: I32
    queue: U32
    visited: U64
    buffers: list[U32]
    start: int = 0
    stop: int = 0
    level: int = 0
    leaving: int = 0
    left: int = 0
    reached: int = 0
    state: I64 = field(default_factory=lambda: np.zeros(2, np.int64))

    @classmethod
    def begin(cls, view: View, threads: int) -> "_Search":
        n, rows = view.node_count, view.forward
        back = view.backward if has_backward(view) else None
        visited = np.zeros((n >> 6) + 1, np.uint64)
        visited[-1] = ~np.uint64((1 << (n & 63)) - 1)  # bits behind the last node
        return cls(
            rows,
            back,
            back is not None and ascends(view, back, threads),
            threads,
            np.full(n, NO_NODE),
            np.full(n, -1, np.int32),
            np.empty(n, np.uint32),
            visited,
            [np.empty(BUFFER, np.uint32) for _ in range(threads)],
            left=rows.edge_count,
        )

    def add_source(self, node: int) -> None:
        """Start a level of one node."""
        self.queue[0] = self.parents[node] = node
        self.depths[node] = 0
        self.visited[node >> 6] |= np.uint64(1 << (node & 63))
        self.stop = self.reached = 1
        self.leaving = int(self.rows.offsets[node + 1] - self.rows.offsets[node])

    def step(self) -> None:
        """Go on by one level, or by several small ones."""
        limit = self.left // (ALPHA if self.ascending else ALPHA_UNORDERED)
        limit = max(limit, self.visited.size)
        if self.back is not None and self.leaving > limit:
            self._go_up(self.back)
        elif self.leaving > FEW_EDGES:
            self._go_down()
        else:
            self._go_down_alone(limit if self.back is not None else FEW_EDGES)

    def _go_down_alone(self, limit: int) -> None:
        rows, before = self.rows, self.stop
        where = np.array([self.start, self.stop, self.level, self.leaving, 0], np.int64)
        kernels.bfs.go_down_alone(
            rows.offsets,
            rows.flat,
            rows.shift,
            min(limit, FEW_EDGES),
            MOST_EDGES,
            where,
            self.visited,
            self.queue,
            self.parents,
            self.depths,
        )
        self.start, self.stop, self.level, self.leaving, done = where.tolist()
        self.left -= done
        self.reached += self.stop - before

    def _go_down(self) -> None:
        rows, state = self.rows, self.state
        state[:] = self.start, self.stop
        pieces = 1 + self.leaving // MOST_EDGES
        for _, stop in split(self.stop - self.start, pieces, 1):
            state[0] = self.start + _
            job = partial(
                kernels.bfs.go_down, rows.offsets, rows.flat, rows.shift, self.start + stop, state
            )
            jobs = [partial(job, buffer, *self._claims()) for buffer in self.buffers]
            run(jobs)
        self.left -= self.leaving
        self.start, self.stop = self.stop, int(state[1])
        self.level += 1
        self.reached += self.stop - self.start
        self.leaving = self._settle()

    def _claims(self) -> tuple[U64, U32, U32]:
        return self.visited, self.queue, self.parents

    def _settle(self) -> int:
        parts = split(self.stop - self.start, self.threads, 1 << 12)
        job = partial(kernels.bfs.settle, self.rows.offsets, self.queue)
        rest = self.level, self.visited, self.depths
        jobs = [partial(job, self.start + a, self.start + b, *rest) for a, b in parts]
        return sum(run(jobs))  # type: ignore[arg-type]  # each an int

    def _go_up(self, back: Rows) -> None:
        """Levels from the other side, until they are small again."""
        words = self.visited.size
        front, following = np.zeros(words, np.uint64), np.empty(words, np.uint64)
        kernels.bfs.mark_front(self.queue, self.start, self.stop, front)
        count, before = self.stop - self.start, 0
        while count and (count >= before or count > self.depths.size // BETA):
            self.level += 1
            before, count = count, self._up(back, front, following)
            front, following = following, front
            self.reached += count
        self.leaving = kernels.bfs.list_front(self.rows.offsets, front, self.queue)
        self.start, self.stop = 0, count

    def _up(self, back: Rows, front: U64, following: U64) -> int:
        count, pieces = 0, 1 + back.edge_count // (4 * MOST_EDGES)
        for first, stop in split(front.size, pieces, 1):
            self.state[0] = first
            job = partial(
                kernels.bfs.go_up,
                back.offsets,
                back.flat,
                back.shift,
                self.ascending,
                stop,
                self.level,
                self.state,
                front,
                self.visited,
                following,
                self.parents,
                self.depths,
            )
            count += sum(run([job] * self.threads))  # type: ignore[arg-type]  # each an int
        return count


def _bfs_bytes(view: View) -> int:
    """The answer, the queue and three bitmaps."""
    sides = 2 if has_backward(view) else 1
    return rows_bytes(view, sides) + 12 * view.node_count + 3 * (view.node_count // 8 + 8)


NEEDS["bfs"] = _bfs_bytes

_ASCENDING: dict[tuple[int, int], tuple[weakref.ref[object], bool]] = {}
"""By address and size, of rows that a ``Graph`` keeps: what keeps them, and whether they ascend."""


def ascends(view: View, rows: Rows, threads: int) -> bool:
    """Whether sources ascend in each row against the direction; O(m).

    Remembered with a CSR, and for as long as a ``Graph`` keeps its rows; not of rows that are
    built for one call.
    """
    graph, owner = view.graph, rows.flat.base
    if isinstance(graph, CSR):
        if view.direction == "both":
            return rows_ascend(rows, threads)
        if not hasattr(graph, "_ascends"):
            graph._ascends = {}
        if view.direction not in graph._ascends:
            graph._ascends[view.direction] = rows_ascend(rows, threads)
        return graph._ascends[view.direction]
    if rows.shift == 0 or owner is None:
        return rows_ascend(rows, threads)
    key = int(rows.flat.ctypes.data), int(rows.flat.size)
    kept = _ASCENDING.get(key)
    if kept is None or kept[0]() is not owner:
        forget = partial(_forget, key)
        kept = _ASCENDING[key] = weakref.ref(owner, forget), rows_ascend(rows, threads)
    return kept[1]


def _forget(key: tuple[int, int], owner: weakref.ref[object]) -> None:
    if key in _ASCENDING and _ASCENDING[key][0] is owner:
        del _ASCENDING[key]


def rows_ascend(rows: Rows, threads: int) -> bool:
    """Whether targets ascend within each row."""
    job = partial(kernels.bfs.rows_ascend, rows.offsets, rows.flat, rows.shift)
    for first, stop in split(rows.node_count, 1 + rows.edge_count // (16 * MOST_EDGES), 1):
        parts = split(stop - first, threads, 1 << 10)
        if not all(run([partial(job, first + a, first + b) for a, b in parts])):
            return False
    return True
