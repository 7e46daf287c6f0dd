"""Simple undirected rows of a graph: what triangles, clustering and cores are defined on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from nkgraph import kernels
from nkgraph import threads as pool
from nkgraph.algorithms.manners import Progress
from nkgraph.algorithms.view import AnyGraph, Rows, View
from nkgraph.arrays import read_only
from nkgraph.build import bucket_bits
from nkgraph.dtypes import I64, U8, U32, U64

NONE: U32 = np.empty(0, np.uint32)
MAX_DIGIT = 11
"""Bits that one counting pass sorts by."""
PIECES = 64
"""Ranges into which long work is cut, so that it can be shared out, watched and interrupted."""

Range = tuple[int, int]


@dataclass(frozen=True)
class SimpleRows:
    """Rows without loops, in which each peer stands once, ascending.

    Parameters
    ----------
    offsets : (n + 1,) int64
    peers : (k,) uint32
    ways : (k,) uint8, or (0,)
        1 where an edge leaves the row for that peer, 2 where one comes from it, 3 for both.
    """

    offsets: I64
    peers: U32
    ways: U8


def undirected(graph: AnyGraph, connection_type: str | None, direction: str) -> View:
    """Check a direction that makes no difference, and give the view that costs least."""
    View(graph, connection_type, direction)
    return View(graph, connection_type, "out")


def simple_rows(rows: Rows, count: int) -> SimpleRows:
    """Make simple undirected rows, each edge at both of its ends.

    As ``half_rows``, mirrored; allocates 8 bytes an edge and 8 a node and thread more.
    """
    half = half_rows(rows, count)
    pieces, cursors, in_degrees = targets_by_piece(half, count)
    degrees = np.diff(half.offsets)
    ends = np.zeros(half.offsets.size, np.int64)
    np.cumsum(degrees + in_degrees, out=ends[1:])
    cursors += ends[:-1] + degrees
    ends = read_only(ends)
    whole = np.empty(2 * half.peers.size, np.uint32)

    def mirror(span: Range, cursor: I64) -> None:
        for piece in steps(half.offsets, span):
            kernels.simple_rows.mirror_rows(*piece, half.offsets, half.peers, ends, cursor, whole)

    pool.run([partial(mirror, *item) for item in zip(pieces, cursors, strict=True)])
    return SimpleRows(ends, read_only(whole), half.ways)


def targets_by_piece(rows: SimpleRows, count: int) -> tuple[list[Range], I64, I64]:
    """Count how often each node is a peer, by pieces of rows that threads take.

    Returns
    -------
    pieces : list of (start, stop)
    before : (pieces, n) int64
        How often each node is a peer in earlier pieces.
    total : (n,) int64
    """
    pieces = even_pieces(rows.offsets, count)
    counts = np.zeros((len(pieces), rows.offsets.size - 1), np.int64)
    count_targets = kernels.simple_rows.count_targets
    spans = [rows.offsets[list(piece)].astype(np.uint64) for piece in pieces]
    pool.run(
        [
            partial(count_targets, rows.peers, np.uint64(0), *span, own)
            for span, own in zip(spans, counts, strict=True)
        ]
    )
    total = np.zeros(rows.offsets.size - 1, np.int64)
    for own in counts:
        total += own
        np.subtract(total, own, out=own)
    return pieces, counts, total


def half_rows(rows: Rows, count: int, names: U32 = NONE, with_ways: bool = False) -> SimpleRows:
    """Make simple undirected rows in which each edge stands once, at its higher end.

    Parameters
    ----------
    rows : Rows
        Along the edges or against them; edges that already stand at both ends do no harm.
    count : int
        Threads.
    names : (n,) uint32, optional
        New name of each node: a permutation.
    with_ways : bool
        Whether to keep in which directions edges go.

    Returns
    -------
    SimpleRows
        Of as many nodes, under their new names.

    Notes
    -----
    O(n + m). Allocates 8 bytes an edge as scratch, and 4 or 5 an edge and 8 a node for the
    answer; see ``simple_bytes``.
    """
    nodes = rows.node_count
    node_bits = max(nodes - 1, 1).bit_length()
    wanted = max(bucket_bits(rows.edge_count), 2 * node_bits + 2 - 64)  # a key has 64 bits
    low = node_bits - min(node_bits, wanted)
    bounds, records = _scatter(rows, count, read_only(names), low, node_bits)
    offsets, slots = np.zeros(nodes + 1, np.int64), np.zeros(bounds.size, np.int64)
    sizes = np.diff(bounds)
    bits = node_bits + low
    digit = -(-bits // -(-bits // MAX_DIGIT))
    largest = int(sizes.max(initial=0))
    widths = np.uint64(low), np.uint64(node_bits), np.uint64(digit)
    pieces = even_pieces(bounds, PIECES)

    def merger() -> Callable[[int, int], object]:
        scratch = np.empty(1 << digit, np.int64), np.empty(largest, np.uint64)
        outputs = records, slots[1:], offsets[1:]
        return lambda start, stop: kernels.simple_rows.merge_buckets(
            start, stop, *widths, bounds, *scratch, *outputs
        )

    share(pieces, [merger() for _ in range(count)])
    np.cumsum(offsets, out=offsets)
    np.cumsum(slots, out=slots)
    peers = np.empty(int(slots[-1]), np.uint32)
    ways = np.empty(peers.size if with_ways else 0, np.uint8)

    def write(start: int, stop: int) -> None:
        kernels.simple_rows.write_peers(start, stop, widths[1], bounds, slots, records, peers, ways)

    share(pieces, [write] * count)
    return SimpleRows(read_only(offsets), read_only(peers), read_only(ways))


def simple_bytes(view: View, with_ways: bool = False) -> int:
    """Bytes that ``half_rows`` and ``simple_rows`` allocate at the highest, the answer included."""
    per_node = 16 + 8 * pool.thread_count()
    return (12 + with_ways) * view.graph.edge_count + per_node * (view.node_count + 1) + (1 << 20)


def _scatter(rows: Rows, count: int, names: U32, low: int, node_bits: int) -> tuple[I64, U64]:
    """Give the bounds of the buckets, (buckets + 1,), and the keys in them."""
    bucket_count = max(1, -(-rows.node_count >> low))
    spans = even_pieces(rows.offsets, count)
    counts = np.zeros((len(spans), bucket_count), np.uint64)
    graph = rows.offsets, rows.flat, np.uint64(rows.shift), names
    bits, more = np.uint64(low), (np.uint64(low), np.uint64(node_bits))

    def count_span(span: Range, counts: U64) -> None:
        for piece in steps(rows.offsets, span):
            kernels.simple_rows.count_keys(*graph, *piece, bits, counts)

    def scatter_span(span: Range, cursor: U64) -> None:
        for piece in steps(rows.offsets, span):
            kernels.simple_rows.scatter_keys(*graph, *piece, *more, cursor, records)

    pool.run([partial(count_span, *item) for item in zip(spans, counts, strict=True)])
    ends = np.cumsum(counts.T.ravel(), dtype=np.uint64)
    cursors = np.ascontiguousarray((ends - counts.T.ravel()).reshape(bucket_count, -1).T)
    bounds = np.zeros(bucket_count + 1, np.int64)
    bounds[1:] = ends.reshape(bucket_count, -1)[:, -1]
    records = np.empty(int(bounds[-1]), np.uint64)
    pool.run([partial(scatter_span, *item) for item in zip(spans, cursors, strict=True)])
    return bounds, records


# -- work in pieces -------------------------------------------------------------------------------


def even_pieces(bounds: I64, parts: int) -> list[Range]:
    """Cut the rows of ``bounds`` (n + 1,) into ranges of about as many rows and slots each."""
    rows = bounds.size - 1
    parts = max(1, min(parts, rows, (rows + int(bounds[-1])) >> 12))
    low, marks = 0, []
    total = rows + int(bounds[-1])
    for part in range(1, parts):  # where bounds[row] + row reaches the mark
        low = _first_at_least(bounds, total * part // parts, low)
        marks.append(low)
    cuts = [0, *marks, rows]
    return [span for span in pairwise(cuts) if span[0] < span[1]] or [(0, rows)]


def steps(bounds: I64, span: Range) -> list[Range]:
    """Cut a range of rows, so that no step of it takes long enough to delay an interruption."""
    start, stop = span
    own = bounds[start : stop + 1] - bounds[start]
    return [(start + a, start + b) for a, b in even_pieces(own, 1 + (int(own[-1]) >> 24))]


def _first_at_least(bounds: I64, mark: int, low: int) -> int:
    high = bounds.size - 1
    while low < high:
        middle = (low + high) >> 1
        if int(bounds[middle]) + middle < mark:
            low = middle + 1
        else:
            high = middle
    return low


def share(
    pieces: Sequence[Range],
    workers: Sequence[Callable[[int, int], object]],
    progress: Progress | None = None,
) -> None:
    """Let each worker, on a thread of its own, take pieces until none is left.

    The last worker runs on the calling thread, which also reports progress. Where one fails or
    is interrupted, the others stop after the piece at hand.
    """
    pending = list(reversed(pieces))
    reporter = len(workers) - 1

    def drain(number: int, worker: Callable[[int, int], object]) -> None:
        try:
            while True:
                try:
                    piece = pending.pop()
                except IndexError:  # none left; asking first would race with the other threads
                    return
                worker(*piece)
                if progress is not None and number == reporter:
                    progress.step(len(pieces) - len(pending), len(pieces))
        except BaseException:
            pending.clear()
            raise

    few = workers[: max(1, len(pieces))]
    reporter = len(few) - 1
    pool.run([partial(drain, number, worker) for number, worker in enumerate(few)])
