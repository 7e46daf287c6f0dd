"""From edge lists to rows, type index, peer counts and degrees.

Arrays in, arrays out: allocation and the split over threads happen here, loops in
``nkgraph.kernels``. All but ``count_peers`` trust their arguments to be in range, since
their callers have checked them. Answers do not depend on the number of threads.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from nkgraph import kernels, threads
from nkgraph.arguments import integer_array, uint32_array
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, MAX_IDS, U32, U64
from nkgraph.errors import GraphError, LimitError

BUCKET_ITEMS = 1 << 14
"""Items aimed at in one bucket of a partition: about what stays in an L2 cache."""
MAX_BUCKETS = 1 << 11
"""More write streams than this cost more than larger buckets do."""
MAX_DIGIT = 12
"""Bits of a rank that one counting pass sorts by; longer ranks take several of ``LONG_DIGIT``."""
LONG_DIGIT = 11

PIECES = 16
"""Ranges of buckets that a worker takes, more or less."""

Ranges: TypeAlias = list[tuple[int, int]]
Worker: TypeAlias = Callable[[int, int], object]


class PeerCounts(NamedTuple):
    """Targets of each connection type, counted.

    Attributes
    ----------
    types : (t,) integers, ascending, each once
    offsets : (t + 1,) int64
        Type ``types[i]`` has the entries ``offsets[i]`` to ``offsets[i + 1]``.
    targets : (p,) uint32
        Ascending within each type, each once.
    counts : (p,) uint64
        How many edges of that type lead to that target.
    """

    types: I64 | U64
    offsets: I64
    targets: U32
    counts: U64


class Partition(NamedTuple):
    """Where the items of each bucket go."""

    ranges: Ranges
    """The range of items that each thread reads."""
    cursors: U64
    """(threads, buckets): the first slot of each thread in each bucket."""
    bounds: I64
    """(buckets + 1,): the first slot of each bucket."""


def typed_rows(
    node_count: int, rows: U32, peers: U32, ranks: U32, type_count: int
) -> tuple[I64, U32]:
    """Group edges by row, ordered by (row, rank, edge id).

    Parameters
    ----------
    node_count : int
        Every row is below it.
    rows, peers : (m,) uint32
        The end to group by, and the other one.
    ranks : (m,) uint32
        Connection type of each edge, as its place in the order wanted; below ``type_count``.
    type_count : int

    Returns
    -------
    offsets : (node_count + 1,) int64
    entries : (m, 2) uint32
        Peer, and edge id, which is the position in the input.

    Notes
    -----
    O(n + m) time; 16 bytes an edge and 8 bytes an edge of the largest bucket are scratch.
    """
    edge_count = rows.size
    rank_bits = (type_count - 1).bit_length() if type_count > 1 else 0
    digit = max(rank_bits, 1) if rank_bits <= MAX_DIGIT else LONG_DIGIT
    shift, partition, records = partition_rows(node_count, rows, peers, ranks, rank_bits)
    offsets = np.empty(node_count + 1, np.int64)
    offsets[0] = 0
    entries = np.empty(edge_count, np.uint64)
    largest = int(np.diff(partition.bounds).max(initial=0))
    inputs = (partition.bounds, records)
    workers: list[Worker] = []
    for _ in partition.ranges:
        counts = np.empty(1 << digit, np.uint32)
        order = np.empty(largest, np.uint32)
        other = np.empty(largest if rank_bits > digit else 0, np.uint32)
        outputs = (*inputs, counts, order, other, offsets, entries)
        bits = np.uint64(rank_bits), np.uint64(digit)
        workers.append(on_span(kernels.csr.sort_typed, (node_count, shift, *bits), outputs))
    share_out(partition.bounds, workers)
    return offsets, entries.view(np.uint32).reshape(edge_count, 2)


def untyped_rows(node_count: int, rows: U32, peers: U32) -> tuple[I64, U32, U32]:
    """Group edges by row, in the order of their ids.

    Parameters
    ----------
    node_count : int
        Every row is below it.
    rows, peers : (m,) uint32

    Returns
    -------
    offsets : (node_count + 1,) int64
    row_peers : (m,) uint32
    edges : (m,) uint32
        Edge ids, which are the positions in the input; ascending within each row.

    Notes
    -----
    O(n + m) time; 16 bytes an edge are scratch.
    """
    edge_count = rows.size
    shift, partition, records = partition_rows(node_count, rows, peers, np.empty(0, np.uint32), 0)
    offsets = np.empty(node_count + 1, np.int64)
    offsets[0] = 0
    row_peers = np.empty(edge_count, np.uint32)
    edges = np.empty(edge_count, np.uint32)
    outputs = (partition.bounds, records, offsets, row_peers, edges)
    sort = on_span(kernels.csr.sort_untyped, (node_count, shift), outputs)
    share_out(partition.bounds, [sort] * len(partition.ranges))
    return offsets, row_peers, edges


def partition_rows(
    node_count: int, rows: U32, peers: U32, ranks: U32, rank_bits: int
) -> tuple[int, Partition, U64]:
    """Bucket edges by the high bits of their rows; give shift, buckets and records."""
    rows, peers, ranks = read_only(rows), read_only(peers), read_only(ranks)
    row_bits = max(node_count - 1, 0).bit_length()
    shift = row_bits - min(row_bits, bucket_bits(rows.size))
    bucket_count = -(-node_count >> shift)
    count = partial(kernels.csr.count_buckets, rows, np.uint64(shift))
    partition = partition_items(rows.size, bucket_count, count)
    records = np.empty(2 * rows.size, np.uint64)
    scatter = partial(
        kernels.csr.scatter_edges, rows, peers, ranks, np.uint64(shift), np.uint64(rank_bits)
    )
    threads.run(
        [
            partial(scatter, *span, cursor, records)
            for span, cursor in zip(partition.ranges, partition.cursors, strict=True)
        ]
    )
    return shift, partition, records


def bucket_bits(item_count: int) -> int:
    """Logarithm of the number of buckets to partition ``item_count`` items into."""
    return min(max(item_count // BUCKET_ITEMS, 1), MAX_BUCKETS).bit_length() - 1


def partition_items(item_count: int, bucket_count: int, count: Callable[..., object]) -> Partition:
    """Count items per bucket on all threads, and turn the counts into slots.

    ``count(start, stop, counts)`` adds to ``counts`` one for each item of a range.
    """
    ranges = threads.split(item_count)
    counts = np.zeros((len(ranges), bucket_count), np.uint64)
    threads.run([partial(count, *span, counts[i]) for i, span in enumerate(ranges)])
    by_bucket = counts.T.ravel()
    ends = np.cumsum(by_bucket, dtype=np.uint64)
    cursors = np.ascontiguousarray((ends - by_bucket).reshape(bucket_count, len(ranges)).T)
    bounds = np.empty(bucket_count + 1, np.int64)
    bounds[:-1] = cursors[0]
    bounds[-1] = item_count
    return Partition(ranges, cursors, bounds)


def on_span(kernel: Callable[..., object], before: Any, after: Any) -> Worker:
    """Give ``kernel`` as a function of start and stop, which stand amid its arguments."""
    return lambda start, stop: kernel(*before, start, stop, *after)


def share_out(bounds: I64, workers: Sequence[Worker]) -> None:
    """Let each worker, on a thread of its own, take ranges of buckets until none is left.

    There are several ranges a worker, of about equally many items, so that a worker which got
    a slow range, or a busy core, does not hold up the others.
    """
    parts = PIECES * len(workers) if len(workers) > 1 else 1
    cost = bounds + np.arange(bounds.size)
    cuts = np.searchsorted(cost, [cost[-1] * part // parts for part in range(1, parts)])
    pending = list(pairwise([0, *cuts.tolist(), bounds.size - 1]))

    def drain(worker: Worker) -> None:
        while True:
            try:
                start, stop = pending.pop(0)
            except IndexError:  # none left; asking first would race with the other threads
                return
            if start < stop:
                worker(start, stop)

    threads.run([partial(drain, worker) for worker in workers])


def type_index(node_count: int, sources: U32, ranks: U32, type_count: int) -> tuple[I64, U32]:
    """List, for each type, the nodes with at least one such edge.

    Parameters
    ----------
    node_count : int
        Every source is below it.
    sources, ranks : (m,) uint32
        Source and type, as a rank below ``type_count``, of each edge.

    Returns
    -------
    offsets : (type_count + 1,) int64
    nodes : (s,) uint32
        Ascending within each type, each once.

    Notes
    -----
    O(m) time. Scratch is 4 bytes an edge and 16 bytes a type and thread, whatever
    ``type_count * node_count`` is.
    """
    pairs = sort_pairs(node_count, sources, ranks, type_count)
    nodes = np.empty(int(pairs.targets_at[-1]), np.uint32)
    inputs = (pairs.node_mask, pairs.shift)
    outputs = (pairs.bounds, pairs.lows, pairs.targets_at, nodes)
    emit = on_span(kernels.histogram.emit_nodes, inputs, outputs)
    share_out(pairs.bounds, [emit] * pairs.workers)
    return pairs.offsets, nodes


def peer_counts(node_count: int, targets: U32, ranks: U32, type_count: int) -> tuple[I64, U32, U64]:
    """Count, for each type, the edges that lead to each target.

    Parameters
    ----------
    node_count : int
        Every target is below it.
    targets, ranks : (m,) uint32
        Target and type, as a rank below ``type_count``, of each edge.

    Returns
    -------
    offsets : (type_count + 1,) int64
    targets : (p,) uint32
        Ascending within each type, each once.
    counts : (p,) uint64

    Notes
    -----
    O(m) time; scratch as for ``type_index``.
    """
    pairs = sort_pairs(node_count, targets, ranks, type_count)
    nodes = np.empty(int(pairs.targets_at[-1]), np.uint32)
    counts = np.empty(nodes.size, np.uint64)
    inputs = (pairs.node_mask, pairs.shift)
    outputs = (pairs.bounds, pairs.lows, pairs.targets_at, nodes, counts)
    emit = on_span(kernels.histogram.emit_counts, inputs, outputs)
    share_out(pairs.bounds, [emit] * pairs.workers)
    return pairs.offsets, nodes, counts


class SortedPairs(NamedTuple):
    """(type, node) pairs, sorted in buckets; see ``kernels.histogram``."""

    node_mask: np.uint64
    shift: np.uint64
    workers: int
    bounds: I64
    lows: U32
    targets_at: I64
    """(buckets + 1,): where the distinct nodes of each bucket go."""
    offsets: I64
    """(type_count + 1,): where the distinct nodes of each type go."""


def sort_pairs(node_count: int, nodes: U32, ranks: U32, type_count: int) -> SortedPairs:
    """Partition and sort pairs, and count the distinct ones of each bucket and type."""
    nodes, ranks = read_only(nodes), read_only(ranks)
    node_bits = max(node_count - 1, 0).bit_length()
    rank_bits = max(type_count - 1, 0).bit_length()
    bits = max(bucket_bits(nodes.size) - rank_bits, 0)
    shift = node_bits - min(node_bits, bits)  # at most node_bits: a bucket holds one type
    split = np.uint64(node_bits), np.uint64(shift)
    per_type = 1 << (node_bits - shift)
    count = partial(kernels.histogram.count_pairs, nodes, ranks, *split)
    partition = partition_items(nodes.size, type_count * per_type, count)
    lows = np.empty(nodes.size, np.uint32)
    scatter = partial(kernels.histogram.scatter_pairs, nodes, ranks, *split)
    threads.run(
        [
            partial(scatter, *span, cursor, lows)
            for span, cursor in zip(partition.ranges, partition.cursors, strict=True)
        ]
    )
    targets_at = np.zeros(partition.bounds.size, np.int64)
    largest = int(np.diff(partition.bounds).max(initial=0))
    workers: list[Worker] = []
    for _ in partition.ranges:
        counters = np.empty(256, np.uint32)
        scratch = np.empty(largest, np.uint32)
        outputs = (partition.bounds, lows, counters, scratch, targets_at[1:])
        workers.append(on_span(kernels.histogram.sort_buckets, (np.uint32(shift),), outputs))
    share_out(partition.bounds, workers)
    np.cumsum(targets_at, out=targets_at)
    return SortedPairs(
        np.uint64((1 << node_bits) - 1),
        np.uint64(shift),
        len(partition.ranges),
        partition.bounds,
        lows,
        targets_at,
        targets_at[::per_type].copy(),
    )


def degrees(nodes: U32, node_count: int) -> I64:
    """Count how often each node occurs; ``nodes`` (m,) uint32, below ``node_count``.

    O(n + m) time. Threads count apart where that costs less memory than the nodes take.
    """
    nodes = read_only(nodes)
    spans = threads.split(nodes.size, least=max(threads.MIN_ITEMS, 2 * node_count))
    counts = np.zeros((len(spans), node_count), np.int64)
    threads.run(
        [
            partial(kernels.csr.count_degrees, nodes, *span, counts[i])
            for i, span in enumerate(spans)
        ]
    )
    for part in counts[1:]:
        counts[0] += part
    total: I64 = counts[0].copy() if len(spans) > 1 else counts[0]
    return total


def split_endpoints(
    endpoints: np.ndarray[tuple[int, ...], np.dtype[np.void]] | U32, hashes: U64
) -> tuple[U32, U32, U32, U32, int]:
    """Take endpoint records apart, without the removed edges.

    Parameters
    ----------
    endpoints : (m,) ENDPOINTS, or the same bytes as (m, 4) uint32
    hashes : (t,) uint64, ascending
        The connection types.

    Returns
    -------
    sources, targets, ranks, edges : (k,) uint32
        Ends, place of the type in ``hashes``, and id of each edge that is not removed.
    unknown : int
        The first edge that is not removed and whose type is not in ``hashes``, or -1. Where
        it is not -1 the arrays are incomplete and must not be used.

    Notes
    -----
    O(m + t) time; no scratch but a table of 48 to 96 bytes a type.
    """
    records = read_only(np.ascontiguousarray(endpoints).view(np.uint32).reshape(-1, 4))
    kernel = kernels.endpoints
    table_bits = max(4 * hashes.size, 4).bit_length()
    table_hashes = np.zeros(1 << table_bits, np.uint64)
    table_ranks = np.full(1 << table_bits, kernel.EMPTY, np.uint32)
    shift = np.uint64(64 - table_bits)
    kernel.fill_table(read_only(hashes), shift, table_hashes, table_ranks)
    spans = threads.split(records.shape[0])
    kept = threads.run([partial(kernel.count_kept, records, *span) for span in spans])
    slots = np.concatenate([[0], np.cumsum(np.array(kept, np.int64))])
    outputs = tuple(np.empty(int(slots[-1]), np.uint32) for _ in range(4))
    split = partial(kernel.split_records, records, shift, table_hashes, table_ranks)
    unknown: list[Any] = threads.run(
        [
            partial(split, *span, int(slot), *outputs)
            for span, slot in zip(spans, slots[:-1], strict=True)
        ]
    )
    sources, targets, ranks, edges = outputs
    first = min((int(edge) for edge in unknown if edge >= 0), default=-1)
    return sources, targets, ranks, edges, first


def typed_ranges(
    offsets: I64 | U64, entries: U32, endpoint_types: U64, nodes: U32, type_hash: int
) -> tuple[I64, I64]:
    """Find one connection type in the rows of some nodes, by binary search.

    Parameters
    ----------
    offsets : (n + 1,) int64 or uint64
        Checked to be non-decreasing and at most m.
    entries : (m, 2) uint32
        Peer and edge id; edge ids checked to be below e.
    endpoint_types : (e, 2) uint64
        Endpoint records; column 1 is the connection type.
    nodes : (k,) uint32, below n
    type_hash : int

    Returns
    -------
    starts, stops : (k,) int64
        The entries of that type in each node's row. If a row is not in order of type the
        range is unspecified, but it lies in the row.
    """
    starts = np.empty(nodes.size, np.int64)
    stops = np.empty(nodes.size, np.int64)
    inputs = (
        read_only(offsets.view(np.int64)),
        read_only(entries),
        read_only(endpoint_types),
        read_only(nodes),
        np.uint64(type_hash),
    )
    find = partial(kernels.csr.find_typed_ranges, *inputs)
    spans = threads.split(nodes.size, least=1 << 12)
    threads.run([partial(find, *span, starts, stops) for span in spans])
    return starts, stops


def count_peers(conn_types: ArrayLike, targets: ArrayLike) -> PeerCounts:
    """Count, for each connection type, the edges that lead to each target.

    Parameters
    ----------
    conn_types : (m,) integers
        Type of each edge, as any code or hash from -2**63 to 2**64 - 1.
    targets : (m,) integers
        Node ids, from 0 to 2**32 - 2.

    Returns
    -------
    PeerCounts
        ``types`` are int64 if ``conn_types`` are signed, else uint64.

    Raises
    ------
    GraphError
        Lengths differ, or a value is no integer or out of range; the row is named.
    LimitError
        More than 2**32 - 1 edges.

    Notes
    -----
    O(m) time where few edges bring a new type, else O(m log m) to rank them; about 16 bytes
    an edge are scratch.

    Examples
    --------
    >>> from nkgraph.build import count_peers
    >>> count = count_peers([7, 7, 5, 7], [1, 0, 2, 1])
    >>> count.types.tolist(), count.offsets.tolist()
    ([5, 7], [0, 1, 3])
    >>> count.targets.tolist(), count.counts.tolist()
    ([2, 0, 1], [1, 1, 2])
    """
    codes = integer_array(conn_types, "connection type")
    nodes = uint32_array(targets, "target")
    if codes.size != nodes.size:
        raise GraphError(f"{codes.size} connection types but {nodes.size} targets")
    if codes.size > MAX_IDS:
        raise LimitError(f"{codes.size} edges are more than {MAX_IDS}")
    signed = codes.dtype.kind == "i"
    types, ranks = rank_codes(codes.astype(np.int64) if signed else codes.astype(np.uint64))
    node_count = int(nodes.max(initial=0)) + 1
    offsets, peers, counts = peer_counts(node_count, nodes, ranks, types.size)
    return PeerCounts(types, offsets, peers, counts)


def rank_codes(codes: I64 | U64) -> tuple[I64 | U64, U32]:
    """Distinct codes in ascending order, and the rank of each item's code.

    Codes are numbered by a hash table that grows with what it holds; where one in 16 is
    new, they are sorted instead.
    """
    bits = codes.view(np.uint64)
    kernel = kernels.endpoints
    numbers = np.empty(bits.size, np.uint32)
    distinct: U64 = np.empty(0, np.uint64)
    table_bits, done, found = 12, 0, 0
    while done < bits.size:
        if found > max(bits.size >> 4, 1 << 12):
            return rank_by_sorting(codes)
        shift = np.uint64(64 - table_bits)
        table_hashes = np.zeros(1 << table_bits, np.uint64)
        table_ranks = np.full(1 << table_bits, kernel.EMPTY, np.uint32)
        kernel.fill_table(read_only(distinct[:found]), shift, table_hashes, table_ranks)
        distinct = np.concatenate(
            [distinct[:found], np.empty((1 << table_bits) // 4 - found, np.uint64)]
        )
        table = shift, table_hashes, table_ranks
        done, found = kernel.number_codes(read_only(bits), *table, done, found, distinct, numbers)
        table_bits += 2
    unsigned = distinct[:found]
    types: I64 | U64 = unsigned if codes.dtype == np.uint64 else unsigned.view(np.int64)
    order = np.argsort(types)
    ranks = np.empty(found, np.uint32)
    ranks[order] = np.arange(found, dtype=np.uint32)
    return types[order], ranks.take(numbers)


def rank_by_sorting(codes: I64 | U64) -> tuple[I64 | U64, U32]:
    """``rank_codes`` where there are many distinct ones; O(m log m)."""
    ordered = np.sort(codes)
    types = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    return types, np.searchsorted(types, codes).astype(np.uint32)


__all__ = [
    "PeerCounts",
    "count_peers",
    "degrees",
    "peer_counts",
    "split_endpoints",
    "type_index",
    "typed_ranges",
    "typed_rows",
    "untyped_rows",
]
