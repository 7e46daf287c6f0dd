"""What lies within some hops, how many paths lead where, and random walks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.arrays import read_only
from nkgraph.dtypes import I32, U32, U64
from nkgraph.errors import GraphError, LimitError
from nkgraph.threads import run, split

MOST_EDGES = 1 << 26
"""So many edges are looked at in one call of a kernel, about: it can be interrupted between."""
MOST_STEPS = 1 << 22
"""Steps of random walks in one call."""


@dataclass(frozen=True)
class KHop:
    """Nodes within some hops.

    Parameters
    ----------
    nodes : (k,) uint32
        Ascending; the sources are among them.
    depths : (k,) int32
        How many hops each is from the nearest source.
    """

    nodes: U32
    depths: I32


def k_hop(
    graph: AnyGraph,
    sources: object,
    hops: int,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> KHop:
    """Find the nodes within some hops of one or several nodes.

    Parameters
    ----------
    graph : Graph or CSR
    sources : int or (s,) integers
        Node ids; one that comes twice counts once.
    hops : int
        0 gives the sources alone.
    connection_type : str, optional
        Go along edges of this type only; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Along the edges, against them, or either way.
    threads : int, optional
        For rows that must be built. The search itself takes one.
    progress : bool or callable, optional
        Told after each hop.

    Returns
    -------
    KHop
        ``nodes``, ascending, and ``depths``, as ``bfs`` from a node joined to all sources would
        give them, less 1.

    Raises
    ------
    GraphError
        A source is not a node of the graph, or ``hops`` is negative.
    NotFoundError
        There is no such connection type.
    LimitError
        There is not enough memory.

    Notes
    -----
    Time and memory go with the edges that leave the nodes found, and one bit a node; where rows
    must be built first (of one type, or of both directions), O(n + m).

    Examples
    --------
    >>> from nkgraph.algorithms.paths import k_hop
    >>> from nkgraph.csr import CSR
    >>> found = k_hop(CSR.from_edges([0, 1, 2, 3], [3, 2, 3, 4]), [0, 1], 2)
    >>> found.nodes.tolist(), found.depths.tolist()
    ([0, 1, 2, 3, 4], [0, 0, 1, 1, 2])
    """
    view = View(graph, connection_type, direction)
    starts = view.check_nodes(sources, "source")
    whole_number(hops, "hops")
    thread_count(threads)
    refuse_too_much("k_hop", NEEDS["k_hop"](view))
    told, rows = Progress("k_hop", progress), view.forward
    seen = np.zeros((view.node_count >> 6) + 1, np.uint64)
    found = np.empty(starts.size, np.uint32)
    levels = [found[: kernels.walks.take_new(read_only(starts), seen, found)]]
    while len(levels) <= hops and levels[-1].size:
        levels.append(_next_level(rows, levels[-1], seen))
        told.step(len(levels) - 1, hops)
    nodes = np.concatenate(levels)
    depths = np.repeat(np.arange(len(levels), dtype=np.int32), [level.size for level in levels])
    order = np.argsort(nodes)
    return KHop(nodes[order], depths[order])


def _next_level(rows: Rows, level: U32, seen: U64) -> U32:
    ends = np.cumsum(rows.offsets[level.astype(np.int64) + 1] - rows.offsets[level])
    pieces, start = [], 0
    while start < level.size:
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + MOST_EDGES, "right")))
        room = min(int(ends[stop - 1]) - before, rows.node_count)
        found = np.empty(room, np.uint32)
        count = kernels.walks.take_new_targets(
            rows.offsets, rows.flat, rows.shift, read_only(level), start, stop, seen, found
        )
        pieces.append(found[:count])
        start = stop
    return np.concatenate(pieces)


def whole_number(value: object, name: str) -> int:
    """Check that an argument is an integer of at least 0."""
    if not isinstance(value, int | np.integer) or value < 0:
        raise GraphError(f"{name} is {value!r}, not an integer of at least 0")
    return int(value)


def path_counts(
    graph: AnyGraph,
    sources: object,
    connection_types: Sequence[str | None],
    *,
    direction: str | Sequence[str] = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> U64:
    """Count the paths that follow a sequence of connection types, by their last node.

    Parameters
    ----------
    graph : Graph or CSR
    sources : int or (s,) integers
        Node ids; of one that comes twice, each path counts twice.
    connection_types : sequence of str or None
        The type of the first edge of a path, of the second, and so on; None for any, and always
        None for a CSR.
    direction : {"out", "in", "both"}, or a sequence of them
        For all edges of a path, or for each.
    threads : int, optional
        ``NKGRAPH_THREADS``, or all cores, if not given; the answer is the same for any number.
    progress : bool or callable, optional
        Told after each step.

    Returns
    -------
    (n,) uint64
        How many paths end in each node; 0 for removed ones.

    Raises
    ------
    GraphError
        A source is not a node of the graph; other directions than types.
    NotFoundError
        There is no such connection type.
    LimitError
        More than 2**64 - 1 paths end in one node, or there is not enough memory.

    Notes
    -----
    Paths in the sense of matrix products and of Cypher's patterns without uniqueness: nodes and
    edges may come again, parallel edges make paths of their own, and a loop can be taken (with
    "both", in two ways). O(n + m) for each step; 16 bytes a node, and rows of types, one step's at
    a time.

    Examples
    --------
    >>> from nkgraph.algorithms.paths import path_counts
    >>> from nkgraph.csr import CSR
    >>> csr = CSR.from_edges([0, 0, 1, 2], [1, 2, 3, 3])
    >>> path_counts(csr, 0, [None, None]).tolist()
    [0, 0, 0, 2]
    """
    kinds = list(connection_types)
    ways = [direction] * len(kinds) if isinstance(direction, str) else list(direction)
    if isinstance(connection_types, str) or len(ways) != len(kinds):
        raise GraphError(
            f"expected a sequence of connection types and as many directions, "
            f"found {connection_types!r} and {direction!r}"
        )
    views = [View(graph, kind, way) for kind, way in zip(kinds, ways, strict=True)]
    plain = View(graph)
    starts, count = plain.check_nodes(sources, "source"), thread_count(threads)
    needed = max((NEEDS["path_counts"](view) for view in views), default=16 * plain.node_count)
    refuse_too_much("path_counts", needed)
    told = Progress("path_counts", progress)
    counts = np.zeros(plain.node_count, np.uint64)
    np.add.at(counts, starts, np.uint64(1))
    while views:
        view = views.pop(0)  # its rows go with it
        if not _add_paths(view.forward, counts, count):
            step = len(kinds) - len(views)
            raise LimitError(f"more than 2**64 - 1 paths of {step} edges end in one node")
        told.step(len(kinds) - len(views), len(kinds))
    return counts


def _add_paths(rows: Rows, counts: U64, threads_: int) -> bool:
    """Replace counts by those one edge further; False if one is too large."""
    nodes = read_only(np.flatnonzero(counts).astype(np.uint32))
    before, fits = read_only(counts.copy()), True
    counts[:] = 0
    edges = nodes.size * (1 + rows.edge_count // max(1, rows.node_count))
    for first, stop in split(nodes.size, 1 + edges // MOST_EDGES, 1):
        job = partial(kernels.walks.add_paths, rows.offsets, rows.flat, rows.shift, nodes)
        parts = split(stop - first, threads_, 1 << 10)
        jobs = [partial(job, first + a, first + b, before, counts) for a, b in parts]
        fits = fits and not any(run(jobs))
    return fits


def random_walks(
    graph: AnyGraph,
    sources: object,
    length: int,
    *,
    seed: int,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> U32:
    """Walk along random edges.

    Parameters
    ----------
    graph : Graph or CSR
    sources : int or (k,) integers
        Where each walk starts; a node may come as often as you like.
    length : int
        Edges of a walk.
    seed : int
        From 0 to 2**64 - 1. Walk i of a seed takes the same random numbers whatever else is asked.
    connection_type : str, optional
        Go along edges of this type only; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Along the edges, against them, or either way.
    threads : int, optional
        ``NKGRAPH_THREADS``, or all cores, if not given; the answer is the same for any number.
    progress : bool or callable, optional
        Told now and then how many walks are done.

    Returns
    -------
    (k, length + 1) uint32
        Nodes of each walk, the source first; ``NO_NODE`` behind a node that no edge leaves.

    Raises
    ------
    GraphError
        A source is not a node of the graph, ``length`` is negative, or ``seed`` out of range.
    NotFoundError
        There is no such connection type.
    LimitError
        There is not enough memory.

    Notes
    -----
    Each edge that leaves a node is as likely as any other, up to 2**-32: parallel edges make their
    target likelier, and a loop stays (with "both", it counts twice). Random numbers are
    splitmix64's, one for each walk and step. O(k length).

    Examples
    --------
    >>> from nkgraph.algorithms.paths import random_walks
    >>> from nkgraph.csr import CSR
    >>> random_walks(CSR.from_edges([0, 1], [1, 2]), [0, 1], 2, seed=7).tolist()
    [[0, 1, 2], [1, 2, 4294967295]]
    """
    view = View(graph, connection_type, direction)
    starts = view.check_nodes(sources, "source")
    whole_number(length, "length")
    if whole_number(seed, "seed") >= 1 << 64:
        raise GraphError(f"seed is {seed}, not below 2**64")
    count = thread_count(threads)
    needed = NEEDS["random_walks"](view) + 4 * starts.size * (length + 1)
    refuse_too_much("random_walks", needed)
    told, graph_rows = Progress("random_walks", progress), view.forward
    walks = np.empty((starts.size, length + 1), np.uint32)
    walks[:, 0] = starts
    way = graph_rows.offsets, graph_rows.flat, graph_rows.shift
    job = partial(kernels.walks.walk, *way, np.uint64(seed))
    scratch = np.empty((count, 2, kernels.walks.GROUP), np.uint64)
    rows = 1 << 8  # fewer would wait for memory one by one
    pieces = 1 + starts.size * length // (MOST_STEPS * count)
    for first, stop in split(starts.size, pieces, rows * count):
        parts = split(stop - first, count, rows)
        for begin, end in split(length, 1 + (stop - first) * length // (MOST_STEPS * count), 1):
            run(
                [
                    partial(job, first + a, first + b, 1 + begin, 1 + end, *scratch[part], walks)
                    for part, (a, b) in enumerate(parts)
                ]
            )
            told.step(stop if end == length else first, starts.size)
    return walks


NEEDS["k_hop"] = lambda view: rows_bytes(view) + 24 * view.node_count
NEEDS["path_counts"] = lambda view: rows_bytes(view) + 28 * view.node_count
NEEDS["random_walks"] = rows_bytes
