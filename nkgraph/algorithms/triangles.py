"""Triangles and local clustering."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from nkgraph import kernels
from nkgraph import threads as pool
from nkgraph.algorithms.manners import Progress, Report, thread_count
from nkgraph.algorithms.memory import NEEDS, refuse_too_much, rows_bytes
from nkgraph.algorithms.simple import (
    PIECES,
    SimpleRows,
    even_pieces,
    half_rows,
    share,
    simple_bytes,
    steps,
    targets_by_piece,
    undirected,
)
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.arrays import read_only
from nkgraph.dtypes import F64, I64, U32


def triangles(
    graph: AnyGraph,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> I64:
    """Count, for each node, the triangles that it is in.

    A triangle is three nodes joined pairwise, by edges of whatever direction: loops are
    dropped, and parallel and opposite edges are one.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Only edges of this type; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Makes no difference.
    threads : int, optional
        How many; the counts are the same for any number.
    progress : bool or callable, optional

    Returns
    -------
    (n,) int64
        By node id; -1 for removed nodes. Their sum is three times ``triangle_count``.

    Raises
    ------
    GraphError, NotFoundError
        As for ``View``.
    LimitError
        There is not enough memory; see ``memory_estimate``.

    Notes
    -----
    Nodes are ordered by degree and each edge is kept at its end of lower degree, in rows of at
    most about sqrt(2 m); each triangle is found once, by marks in an array of bytes (Latapy, 2008).
    O(m sqrt(m)) time at worst. Allocates at the highest 16 bytes an edge, and a node 36 bytes and
    17 for each thread.

    Examples
    --------
    >>> from nkgraph.csr import CSR
    >>> from nkgraph.algorithms.triangles import triangles
    >>> triangles(CSR.from_edges([0, 1, 2, 2, 3], [1, 2, 0, 3, 3])).tolist()
    [1, 1, 1, 0]
    """
    view = undirected(graph, connection_type, direction)
    refuse_too_much("triangles", NEEDS["triangles"](view))
    ordered = _ordered_rows(view, thread_count(threads), with_ways=False)
    counts = _tally(ordered, thread_count(threads), Progress("triangles", progress))
    if view.live is not None:
        counts[~view.live] = -1
    return counts


def triangle_count(
    graph: AnyGraph,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> int:
    """Count the triangles of a graph.

    As ``triangles``, of which it is a third of the sum, in less time.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type, direction, threads, progress
        As for ``triangles``.

    Returns
    -------
    int

    Raises
    ------
    GraphError, NotFoundError, LimitError
        As for ``triangles``.

    Notes
    -----
    O(m sqrt(m)) time at worst. Allocates at the highest 12 bytes an edge, and a node 36 bytes and
    9 for each thread.

    Examples
    --------
    >>> from nkgraph.csr import CSR
    >>> from nkgraph.algorithms.triangles import triangle_count
    >>> triangle_count(CSR.from_edges([0, 1, 2, 2, 3], [1, 2, 0, 3, 3]))
    1
    """
    view = undirected(graph, connection_type, direction)
    refuse_too_much("triangle_count", NEEDS["triangle_count"](view))
    count = thread_count(threads)
    ordered = _ordered_rows(view, count, with_ways=False)
    turned = _turn(ordered.rows, count, with_owners=False)
    rows, found = ordered.rows, []

    def counter() -> Callable[[int, int], object]:
        marks = np.zeros(view.node_count, np.uint8)
        inputs = rows.offsets, rows.peers, turned.offsets, turned.spans, marks
        return lambda start, stop: found.append(
            int(kernels.triangles.count_triangles(start, stop, *inputs))
        )

    pieces = even_pieces(turned.offsets, PIECES)
    share(pieces, [counter() for _ in range(count)], Progress("triangle_count", progress))
    return sum(found)


def local_clustering(
    graph: AnyGraph,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    threads: int | None = None,
    progress: bool | Report | None = None,
) -> F64:
    """Compute the local clustering coefficient of each node.

    Of a node with d neighbors it is the number of edges between those, over d (d - 1). The
    neighbors of a node are the nodes that it has an edge to or from, itself left out; an edge
    counts once in each direction, parallel edges and loops do not count. This is LCC of the LDBC
    Graphalytics specification 1.0.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Only edges of this type; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        With "both" the graph is undirected: two nodes joined at all have an edge each way,
        and the coefficient is twice the triangles over d (d - 1). "out" and "in" give the same.
    threads : int, optional
        How many; the answer is the same for any number.
    progress : bool or callable, optional

    Returns
    -------
    (n,) float64
        By node id, from 0 to 1; 0 where there are fewer than two neighbors, NaN for removed nodes.

    Raises
    ------
    GraphError, NotFoundError
        As for ``View``.
    LimitError
        There is not enough memory; see ``memory_estimate``.

    Notes
    -----
    Time and memory as for ``triangles``, and 1 byte an edge.

    Examples
    --------
    >>> from nkgraph.csr import CSR
    >>> from nkgraph.algorithms.triangles import local_clustering
    >>> csr = CSR.from_edges([0, 1, 2, 2], [1, 2, 0, 3])
    >>> local_clustering(csr, direction="both").tolist()
    [1.0, 1.0, 0.3333333333333333, 0.0]
    >>> local_clustering(csr).tolist()
    [0.5, 0.5, 0.16666666666666666, 0.0]
    """
    view = undirected(graph, connection_type, direction)
    refuse_too_much("local_clustering", NEEDS["local_clustering"](view))
    count = thread_count(threads)
    ordered = _ordered_rows(view, count, with_ways=direction != "both")
    edges = _tally(ordered, count, Progress("local_clustering", progress))
    if direction == "both":
        edges *= 2
    degrees = np.diff(ordered.rows.offsets)
    degrees += np.bincount(ordered.rows.peers, minlength=degrees.size)
    pairs = degrees.take(ordered.names).astype(np.float64)
    pairs *= pairs - 1
    np.maximum(pairs, 1.0, out=pairs)
    found: F64 = np.divide(edges, pairs, out=pairs)
    if view.live is not None:
        found[~view.live] = np.nan
    return found


# -- the steps --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ordered:
    """Each edge in the row of its end of lower degree, and what nodes are called there."""

    names: U32
    rows: SimpleRows


@dataclass(frozen=True)
class _Turned:
    """See ``kernels.triangles``."""

    offsets: I64
    spans: U32
    owners: U32


def _ordered_rows(view: View, count: int, with_ways: bool) -> _Ordered:
    names = _names_by_degree(_degrees(view.forward, count))
    rows = half_rows(view.forward, count, names, with_ways)
    return _Ordered(names, rows)


def _degrees(rows: Rows, count: int) -> I64:
    """Degrees, either way, parallel edges counted: what to order by, nothing hangs on it."""
    spans = pool.split(rows.edge_count, count, max(pool.MIN_ITEMS, 2 * rows.node_count))
    counts = np.zeros((len(spans), rows.node_count), np.int64)

    def count_span(start: int, stop: int, own: I64) -> None:
        for at in range(start, stop, 1 << 25):
            span = np.uint64(at), np.uint64(min(at + (1 << 25), stop))
            kernels.simple_rows.count_targets(rows.flat, np.uint64(rows.shift), *span, own)

    pool.run([partial(count_span, *span, counts[i]) for i, span in enumerate(spans)])
    degrees: I64 = np.diff(rows.offsets)
    for part in counts:
        degrees += part
    return degrees


def _names_by_degree(degrees: I64) -> U32:
    """Number nodes by descending degree, (n,) uint32, equal ones by id.

    Degrees from 2048 up are equal if their first 11 bits are: the order is good enough, and
    sorting keys of 16 bits takes a few ms a million.
    """
    keys = degrees.astype(np.float32).view(np.uint32) >> np.uint32(13)
    keys -= np.minimum(keys, np.uint32(126 << 10))
    order = np.argsort((np.uint16(0xFFFF) - keys).astype(np.uint16), kind="stable")
    names = np.empty(degrees.size, np.uint32)
    names[order] = np.arange(degrees.size, dtype=np.uint32)
    return names


def _turn(rows: SimpleRows, count: int, with_owners: bool) -> _Turned:
    """Turn rows around; (threads, n) int64 are scratch."""
    entries = rows.peers.size
    pieces, cursors, in_degrees = targets_by_piece(rows, count)
    offsets = np.zeros(rows.offsets.size, np.int64)
    np.cumsum(in_degrees, out=offsets[1:])
    cursors += offsets[:-1]
    spans = np.empty(2 * entries, np.uint32)
    owners = np.empty(entries if with_owners else 0, np.uint32)

    def turn(span: tuple[int, int], cursor: I64) -> None:
        for piece in steps(rows.offsets, span):
            kernels.triangles.turn_rows(*piece, rows.offsets, rows.peers, cursor, spans, owners)

    pool.run([partial(turn, *item) for item in zip(pieces, cursors, strict=True)])
    return _Turned(read_only(offsets), read_only(spans), read_only(owners))


def _tally(ordered: _Ordered, count: int, progress: Progress) -> I64:
    """Triangles, or edges among the neighbors, of each node, by node id."""
    rows = ordered.rows
    turned = _turn(rows, count, with_owners=True)
    nodes = rows.offsets.size - 1
    tallies: list[I64] = []

    def tallier() -> Callable[[int, int], object]:
        marks, counts = np.zeros(nodes, np.uint8), np.zeros(nodes, np.int64)
        tallies.append(counts)
        inputs = rows.offsets, rows.peers, rows.ways
        sides = turned.offsets, turned.spans, turned.owners
        return lambda start, stop: kernels.triangles.tally_triangles(
            start, stop, *inputs, *sides, marks, counts
        )

    pieces = even_pieces(turned.offsets, PIECES)
    share(pieces, [tallier() for _ in range(count)], progress)
    for part in tallies[1:]:
        tallies[0] += part
    return tallies[0].take(ordered.names)


def _bytes(view: View, with_owners: bool, with_ways: bool) -> int:
    """The larger of what making rows and what turning them and counting takes."""
    edges, nodes, count = view.graph.edge_count, view.node_count, pool.thread_count()
    making = simple_bytes(view, with_ways) + nodes * 8 * (count + 3)
    counting = edges * (12 + 4 * with_owners + with_ways)
    counting += nodes * (36 + count * (9 + 8 * with_owners))
    return rows_bytes(view) + max(making, counting)


NEEDS["triangles"] = partial(_bytes, with_owners=True, with_ways=False)
NEEDS["triangle_count"] = partial(_bytes, with_owners=False, with_ways=False)
NEEDS["local_clustering"] = partial(_bytes, with_owners=True, with_ways=True)
