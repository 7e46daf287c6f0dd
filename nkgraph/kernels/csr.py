"""Compressed sparse rows by partition and counting sort.

A graph of ``n`` nodes and ``m`` edges, grouped by one end (the *row*):

    offsets  int64   (n + 1,)  row u is entries[offsets[u]:offsets[u + 1]]
    entries  uint64  (m,)      peer in the low, edge id in the high 32 bits

Edges are first partitioned by the high bits of their row into buckets of
``2**shift`` rows, few enough edges that one bucket fits the L2 cache; then each
bucket is counting-sorted, by rank and then by row. Both steps are stable, so edge
ids ascend within equal keys. Between the steps an edge is a record of two words:

    records[2 * i]      the entry: edge id << 32 | peer
    records[2 * i + 1]  the key: (row & (2**shift - 1)) << rank_bits | rank

Kernels trust their inputs; ``nkgraph.build`` prepares them. A range of edges or of
buckets is one thread's work.
"""

import numpy as np

from nkgraph.dtypes import I64, U32, U64
from nkgraph.kernels._jit import kernel, kernel_step
from nkgraph.kernels.intrinsics import prefetch_write

ONE = np.uint64(1)
HALF = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
AHEAD = np.uint64(10)  # words: the line after next of a bucket, while this one is written


@kernel
def count_buckets(rows: U32, shift: np.uint64, start: int, stop: int, counts: U64) -> None:
    """Add to ``counts``, (buckets,), one for each edge of a range; O(stop - start)."""
    for row in rows[start:stop]:
        counts[np.uint64(row) >> shift] += ONE


@kernel
def scatter_edges(
    rows: U32,
    peers: U32,
    ranks: U32,
    shift: np.uint64,
    rank_bits: np.uint64,
    start: int,
    stop: int,
    cursor: U64,
    records: U64,
) -> None:
    """Place the edges of a range in their buckets.

    Parameters
    ----------
    rows, peers : (m,) uint32
    ranks : (m,) uint32, each below ``2**rank_bits``, or (0,) where all are 0
    cursor : (buckets,) uint64, updated in place
        Next free record of each bucket, for this range alone.
    records : (2 * m,) uint64, written in place
    """
    mask = (ONE << shift) - ONE
    typed = ranks.size > 0
    for edge in range(np.uint64(start), np.uint64(stop)):
        row = np.uint64(rows[edge])
        bucket = row >> shift
        slot = cursor[bucket]
        cursor[bucket] = slot + ONE
        slot += slot
        prefetch_write(records, slot + AHEAD)
        records[slot] = (np.uint64(edge) << HALF) | np.uint64(peers[edge])
        key = (row & mask) << rank_bits
        if typed:
            key |= np.uint64(ranks[edge])
        records[slot + ONE] = key


@kernel_step
def scan_counts(counts: U32) -> None:
    """Replace counts by their exclusive prefix sum."""
    total = np.uint32(0)
    for item in range(counts.size):
        count = counts[item]
        counts[item] = total
        total += count


@kernel_step
def count_rows(bucket: U64, rank_bits: np.uint64, first: int, ends: I64) -> None:
    """Write where each row of a bucket starts; ``ends[row]``, which filling moves to its end.

    ``first`` is the entry at which the bucket starts.
    """
    ends[:] = 0
    for record in range(np.uint64(0), np.uint64(bucket.size), np.uint64(2)):
        ends[bucket[record + ONE] >> rank_bits] += 1
    total = np.int64(first)
    for row in range(ends.size):
        count = ends[row]
        ends[row] = total
        total += count


@kernel_step
def order_by_rank(
    bucket: U64, rank_bits: np.uint64, digit: np.uint64, counts: U32, order: U32, other: U32
) -> U32:
    """Positions of a bucket's records, stably by rank: radix sort, ``digit`` bits a pass.

    ``counts`` is (2**digit,) scratch; ``order`` and ``other`` hold the positions in turn, and
    the one that ended up sorted is returned.
    """
    mask = (ONE << digit) - ONE
    size = np.uint64(bucket.size) >> ONE
    counts[:] = 0
    for i in range(size):
        counts[bucket[i + i + ONE] & mask] += np.uint32(1)
    scan_counts(counts)
    for i in range(size):
        rank = bucket[i + i + ONE] & mask
        slot = counts[rank]
        counts[rank] = slot + np.uint32(1)
        order[slot] = np.uint32(i)
    for at in range(digit, rank_bits, digit):
        low = np.uint64(at)
        top = mask & ((ONE << (rank_bits - low)) - ONE)
        counts[:] = 0
        for i in range(size):
            counts[(bucket[i + i + ONE] >> low) & top] += np.uint32(1)
        scan_counts(counts)
        for i in range(size):
            record = np.uint64(order[i])
            rank = (bucket[record + record + ONE] >> low) & top
            slot = counts[rank]
            counts[rank] = slot + np.uint32(1)
            other[slot] = np.uint32(record)
        order, other = other, order
    return order


@kernel
def sort_typed(
    node_count: int,
    shift: int,
    rank_bits: np.uint64,
    digit: np.uint64,
    start: int,
    stop: int,
    bounds: I64,
    records: U64,
    counts: U32,
    order: U32,
    other: U32,
    offsets: I64,
    entries: U64,
) -> None:
    """Sort the buckets of a range by (row, rank) into their entries, and write row offsets.

    Parameters
    ----------
    bounds : (buckets + 1,) int64
        Bucket b is records ``bounds[b]`` to ``bounds[b + 1]``.
    counts : (2**digit,) uint32, scratch
    order, other : uint32, scratch
        As long as the largest bucket; ``other`` may be empty if rank_bits <= digit.
    offsets : (n + 1,) int64
        ``offsets[u + 1]`` is written for each row of these buckets.
    entries : (m,) uint64, written in place
    """
    for b in range(start, stop):
        bucket = records[2 * bounds[b] : 2 * bounds[b + 1]]
        last = min(node_count, (b + 1) << shift)
        ends = offsets[(b << shift) + 1 : last + 1]
        count_rows(bucket, rank_bits, bounds[b], ends)
        sorted_order = order_by_rank(bucket, rank_bits, digit, counts, order, other)
        for i in range(np.uint64(bucket.size) >> ONE):
            record = np.uint64(sorted_order[i])
            record += record
            row = bucket[record + ONE] >> rank_bits
            slot = ends[row]
            ends[row] = slot + 1
            entries[np.uint64(slot)] = bucket[record]


@kernel
def sort_untyped(
    node_count: int,
    shift: int,
    start: int,
    stop: int,
    bounds: I64,
    records: U64,
    offsets: I64,
    peers: U32,
    edges: U32,
) -> None:
    """As ``sort_typed``, by row alone, into separate peers and edge ids."""
    for b in range(start, stop):
        bucket = records[2 * bounds[b] : 2 * bounds[b + 1]]
        last = min(node_count, (b + 1) << shift)
        ends = offsets[(b << shift) + 1 : last + 1]
        count_rows(bucket, np.uint64(0), bounds[b], ends)
        for record in range(np.uint64(0), np.uint64(bucket.size), np.uint64(2)):
            row = bucket[record + ONE]
            slot = ends[row]
            ends[row] = slot + 1
            entry = bucket[record]
            peers[np.uint64(slot)] = np.uint32(entry)
            edges[np.uint64(slot)] = np.uint32(entry >> HALF)


@kernel
def count_degrees(nodes: U32, start: int, stop: int, degrees: I64) -> None:
    """Add one to ``degrees[u]`` for each u in a range of ``nodes``; O(stop - start)."""
    for node in nodes[start:stop]:
        degrees[np.uint64(node)] += 1


@kernel
def find_typed_ranges(
    offsets: I64,
    entries: U32,
    endpoint_types: U64,
    nodes: U32,
    type_hash: np.uint64,
    start: int,
    stop: int,
    starts: I64,
    stops: I64,
) -> None:
    """Binary search of one connection type in the rows of a range of ``nodes``.

    Parameters
    ----------
    entries : (m, 2) uint32
        Peer and edge id; within a row the types of the edges ascend.
    endpoint_types : (m, 2) uint64
        Endpoint records; column 1 is the connection type.
    """
    for i in range(start, stop):
        row_start = offsets[nodes[i]]
        row_stop = offsets[np.int64(nodes[i]) + 1]
        low, high = row_start, row_stop
        while low < high:
            middle = (low + high) >> 1
            if endpoint_types[entries[middle, 1], 1] < type_hash:
                low = middle + 1
            else:
                high = middle
        starts[i] = low
        high = row_stop
        while low < high:
            middle = (low + high) >> 1
            if endpoint_types[entries[middle, 1], 1] <= type_hash:
                low = middle + 1
            else:
                high = middle
        stops[i] = low
