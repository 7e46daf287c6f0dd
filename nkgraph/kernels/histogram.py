"""Distinct (type, node) pairs, and how often each occurs.

A pair is one key, ``rank << node_bits | node``; ascending keys are the order in which the
type index and the peer counts list them. Keys are partitioned by their high bits into
buckets, each of one type only, of which the low ``shift`` bits remain as uint32:

    lows    uint32  (m,)            low bits of the keys, bucket after bucket
    bounds  int64   (buckets + 1,)  bucket b is lows[bounds[b]:bounds[b + 1]]

Each bucket is then sorted where it lies, by a radix sort that stays in cache, and its
runs are counted; a second pass emits them.
"""

import numpy as np

from nkgraph.dtypes import I64, U32, U64
from nkgraph.kernels._jit import kernel, kernel_step
from nkgraph.kernels.csr import ONE, scan_counts
from nkgraph.kernels.intrinsics import prefetch_write

DIGIT = np.uint32(8)
DIGIT_MASK = np.uint32(255)
SMALL = 48
AHEAD = np.uint64(20)


@kernel
def count_pairs(
    nodes: U32,
    ranks: U32,
    node_bits: np.uint64,
    shift: np.uint64,
    start: int,
    stop: int,
    counts: U64,
) -> None:
    """Add to ``counts``, (buckets,), one for each pair of a range."""
    for i in range(np.uint64(start), np.uint64(stop)):
        key = (np.uint64(ranks[i]) << node_bits) | np.uint64(nodes[i])
        counts[key >> shift] += ONE


@kernel
def scatter_pairs(
    nodes: U32,
    ranks: U32,
    node_bits: np.uint64,
    shift: np.uint64,
    start: int,
    stop: int,
    cursor: U64,
    lows: U32,
) -> None:
    """Place the low bits of the keys of a range in their buckets; moves ``cursor``."""
    mask = np.uint32((ONE << shift) - ONE)
    for i in range(np.uint64(start), np.uint64(stop)):
        node = nodes[i]
        key = (np.uint64(ranks[i]) << node_bits) | np.uint64(node)
        bucket = key >> shift
        slot = cursor[bucket]
        cursor[bucket] = slot + ONE
        prefetch_write(lows, slot + AHEAD)
        lows[slot] = node & mask


@kernel_step
def sort_small(values: U32) -> None:
    """Insertion sort in place, for a few dozen values."""
    for i in range(1, values.size):
        value = values[i]
        hole = i
        while hole > 0 and values[hole - 1] > value:
            values[hole] = values[hole - 1]
            hole -= 1
        values[hole] = value


@kernel_step
def sort_lows(values: U32, bits: np.uint32, counts: U32, other: U32) -> None:
    """Radix sort in place of values below ``2**bits``; ``other`` is scratch as long as they."""
    size = np.uint64(values.size)
    flipped = False
    for at in range(np.uint32(0), bits, DIGIT):
        low = np.uint32(at)
        counts[:] = 0
        for i in range(size):
            counts[(values[i] >> low) & DIGIT_MASK] += np.uint32(1)
        scan_counts(counts)
        for i in range(size):
            value = values[i]
            digit = (value >> low) & DIGIT_MASK
            slot = counts[digit]
            counts[digit] = slot + np.uint32(1)
            other[slot] = value
        values, other = other, values
        flipped = not flipped
    if flipped:
        for i in range(size):
            other[i] = values[i]


@kernel
def sort_buckets(
    bits: np.uint32,
    start: int,
    stop: int,
    bounds: I64,
    lows: U32,
    counts: U32,
    scratch: U32,
    distinct: I64,
) -> None:
    """Sort each bucket of a range in place and count its distinct values.

    Parameters
    ----------
    counts : (256,) uint32, scratch
    scratch : uint32, as long as the largest bucket
    distinct : (buckets,) int64, written in place
    """
    for b in range(start, stop):
        values = lows[bounds[b] : bounds[b + 1]]
        if values.size <= SMALL:
            sort_small(values)
        else:
            sort_lows(values, bits, counts, scratch[: values.size])
        found = np.int64(values.size > 0)
        for i in range(np.uint64(1), np.uint64(values.size)):
            found += np.int64(values[i] != values[i - ONE])
        distinct[b] = found


@kernel
def emit_nodes(
    node_mask: np.uint64,
    shift: np.uint64,
    start: int,
    stop: int,
    bounds: I64,
    lows: U32,
    targets_at: I64,
    nodes: U32,
) -> None:
    """Write the distinct nodes of each sorted bucket from ``nodes[targets_at[b]]`` on."""
    for b in range(start, stop):
        values = lows[bounds[b] : bounds[b + 1]]
        if values.size == 0:
            continue
        high = np.uint32((np.uint64(b) << shift) & node_mask)
        out = nodes[targets_at[b] : targets_at[b + 1]]
        slot = np.uint64(0)
        out[slot] = high | values[0]
        for i in range(np.uint64(1), np.uint64(values.size)):
            slot += np.uint64(values[i] != values[i - ONE])
            out[slot] = high | values[i]


@kernel
def emit_counts(
    node_mask: np.uint64,
    shift: np.uint64,
    start: int,
    stop: int,
    bounds: I64,
    lows: U32,
    targets_at: I64,
    nodes: U32,
    counts: U64,
) -> None:
    """As ``emit_nodes``, and how often each occurs."""
    for b in range(start, stop):
        values = lows[bounds[b] : bounds[b + 1]]
        if values.size == 0:
            continue
        high = np.uint32((np.uint64(b) << shift) & node_mask)
        out = nodes[targets_at[b] : targets_at[b + 1]]
        times = counts[targets_at[b] : targets_at[b + 1]]
        slot = np.uint64(0)
        run = np.uint64(1)
        out[slot] = high | values[0]
        times[slot] = run
        for i in range(np.uint64(1), np.uint64(values.size)):
            same = np.uint64(values[i] == values[i - ONE])
            slot += ONE - same
            run = run * same + ONE
            out[slot] = high | values[i]
            times[slot] = run
