"""Simple undirected rows: loops dropped, parallel and opposite edges merged, peers ascending.

Edges are read from rows ``(offsets, flat, shift)`` of some direction, the target of slot s being
``flat[s << shift]``. Each becomes one key in the bucket of its higher end, its row:

    key  uint64  (row & (2**low - 1)) << (2 + node_bits) | peer << 2 | way

where ``way`` is 1 for an edge that leaves the row, 2 for one that comes into it. A bucket is
``2**low`` rows. It is radix-sorted, equal pairs are merged (their ways or-ed: 3 is both), and what
is left is written out as half rows:

    offsets  int64   (n + 1,)
    peers    uint32  (k,)      below the row, ascending in each row, each once
    ways     uint8   (k,)      1, 2 or 3; or none, (0,)

Whole rows, with each edge at both of its ends, are made of these by ``mirror_rows``. ``names``
renames nodes: (n,) uint32, a permutation, or (0,) for none.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32, U64, Int
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.intrinsics import prefetch, prefetch_write

ONE = np.uint64(1)
TWO = np.uint64(2)
WAYS = np.uint64(3)
AHEAD = np.uint64(64)  # slots: names of targets come from all over memory


@kernel
def count_targets(
    flat: U32, shift: np.uint64, start: np.uint64, stop: np.uint64, counts: I64
) -> None:
    """Add one to ``counts[v]``, (n,), for the target v of each slot of a range."""
    for slot in range(start, stop):
        counts[np.uint64(flat[np.uint64(slot) << shift])] += 1


@kernel
def count_keys(
    offsets: I64,
    flat: U32,
    shift: np.uint64,
    names: U32,
    start: Int,
    stop: Int,
    low: np.uint64,
    counts: U64,
) -> None:
    """Add to ``counts``, (buckets,), the keys that ``scatter_keys`` will place for these nodes."""
    named = names.size > 0
    for node in range(start, stop):
        source = np.uint64(names[node]) if named else np.uint64(node)
        for slot in range(np.uint64(offsets[node]), np.uint64(offsets[node + 1])):
            target = np.uint64(flat[slot << shift])
            if named:
                prefetch(names, flat[min((slot + AHEAD) << shift, np.uint64(flat.size - 1))])
                target = np.uint64(names[target])
            if target != source:
                counts[max(source, target) >> low] += ONE


@inlined
def place(key: np.uint64, bucket: np.uint64, cursor: U64, records: U64) -> None:
    """Append a key to its bucket."""
    slot = cursor[bucket]
    cursor[bucket] = slot + ONE
    prefetch_write(records, slot + np.uint64(10))
    records[slot] = key


@kernel
def scatter_keys(
    offsets: I64,
    flat: U32,
    shift: np.uint64,
    names: U32,
    start: Int,
    stop: Int,
    low: np.uint64,
    node_bits: np.uint64,
    cursor: U64,
    records: U64,
) -> None:
    """Place the keys of the edges of a range of nodes in their buckets.

    Parameters
    ----------
    cursor : (buckets,) uint64, updated in place
        Next free record of each bucket, for this range alone.
    records : uint64, written in place
    """
    named = names.size > 0
    mask = (ONE << low) - ONE
    up = node_bits + TWO
    for node in range(start, stop):
        source = np.uint64(names[node]) if named else np.uint64(node)
        for slot in range(np.uint64(offsets[node]), np.uint64(offsets[node + 1])):
            target = np.uint64(flat[slot << shift])
            if named:
                prefetch(names, flat[min((slot + AHEAD) << shift, np.uint64(flat.size - 1))])
                target = np.uint64(names[target])
            if source > target:
                key = ((source & mask) << up) | (target << TWO) | ONE
                place(key, source >> low, cursor, records)
            elif target > source:
                key = ((target & mask) << up) | (source << TWO) | TWO
                place(key, target >> low, cursor, records)


@kernel
def merge_buckets(
    start: Int,
    stop: Int,
    low: np.uint64,
    node_bits: np.uint64,
    digit: np.uint64,
    bounds: I64,
    counters: I64,
    other: U64,
    records: U64,
    kept: I64,
    degrees: I64,
) -> None:
    """Sort the buckets of a range, merge equal pairs in place, and count each row.

    Parameters
    ----------
    digit : uint64
        Bits to sort by in one pass.
    bounds : (buckets + 1,) int64
        Bucket b is records ``bounds[b]`` to ``bounds[b + 1]``.
    counters : (2**digit,) int64, scratch
    other : uint64, scratch
        As long as the largest bucket.
    kept : (buckets,) int64, written
        How many pairs are left: the first so many records of the bucket.
    degrees : (n,) int64, added to
    """
    up = node_bits + TWO
    mask = (ONE << digit) - ONE
    for b in range(start, stop):
        keys = records[bounds[b] : bounds[b + 1]]
        size = np.uint64(keys.size)
        items, spare = keys, other[: keys.size]
        at = TWO
        while at < up + low:
            counters[:] = 0
            for i in range(size):
                counters[(items[i] >> at) & mask] += 1
            total = np.int64(0)
            for value in range(counters.size):
                count = counters[value]
                counters[value] = total
                total += count
            for i in range(size):
                key = items[i]
                value = (key >> at) & mask
                spare[np.uint64(counters[value])] = key
                counters[value] += 1
            items, spare = spare, items
            at += digit
        first = np.uint64(b) << low
        count, previous = np.uint64(0), ~np.uint64(0)
        for i in range(size):
            key = items[i]
            if key >> TWO == previous:
                keys[count - ONE] |= key & WAYS
            else:
                keys[count] = key
                count += ONE
                previous = key >> TWO
                degrees[first + (key >> up)] += 1
        kept[b] = count


@kernel
def write_peers(
    start: Int,
    stop: Int,
    node_bits: np.uint64,
    bounds: I64,
    slots: I64,
    records: U64,
    peers: U32,
    ways: U8,
) -> None:
    """Write the merged pairs of a range of buckets, bucket b from slot ``slots[b]``."""
    mask = (ONE << node_bits) - ONE
    told = ways.size > 0
    for b in range(start, stop):
        at, first = np.uint64(bounds[b]), np.uint64(slots[b])
        for i in range(np.uint64(slots[b + 1]) - first):
            key = records[at + np.uint64(i)]
            peers[first + np.uint64(i)] = np.uint32((key >> TWO) & mask)
            if told:
                ways[first + np.uint64(i)] = np.uint8(key & WAYS)


@kernel
def mirror_rows(
    start: Int, stop: Int, offsets: I64, peers: U32, ends: I64, cursor: I64, whole: U32
) -> None:
    """Write the edges of a range of half rows into whole rows.

    Parameters
    ----------
    ends : (n + 1,) int64
        Offsets of the whole rows, which begin with the half row and end with the nodes above.
    cursor : (n,) int64, updated in place
        Next slot of each row for a node above, for this range alone.
    whole : (2 k,) uint32, written in place
    """
    last = np.uint64(peers.size - 1) if peers.size else np.uint64(0)
    for node in range(np.uint64(start), np.uint64(stop)):
        first = np.uint64(offsets[node])
        at = np.uint64(ends[node])
        for slot in range(first, np.uint64(offsets[node + ONE])):
            prefetch_write(cursor, peers[min(slot + np.uint64(48), last)])
            peer = peers[slot]
            whole[at + (slot - first)] = peer
            whole[np.uint64(cursor[np.uint64(peer)])] = np.uint32(node)
            cursor[np.uint64(peer)] += 1
