"""Positions of many queries in sorted keys.

Few queries: a branch-free binary search, taken for ``GROUP`` queries at once, so that
their cache misses overlap. The step is the same for all queries of a group; only their
bases differ. The last steps are guessed.

Many queries in uint32 keys: a static search tree of 16 keys a node, so that a node is one
cache line and one vector comparison, whatever the spacing of the keys:

    keys    uint32  (n,), n >= 16   block j is 16 keys ending at 16 * j + 16 - skip
    levels  uint32  (size,)         all levels above the keys, the top first; level k starts
                                    at starts[k] and item j is the last key of block j below,
                                    padded to whole nodes with the largest value

uint32 keys that are not aligned, as in the middle of a file, come as their bytes, (4 n,) uint8.

``skip`` shifts the blocks so that they start at cache lines. Groups go down level by
level, each node prefetched while the others of the group are compared.

Keys are trusted to be sorted for the answer only: every index is bounded by sizes, so
unsorted keys give wrong positions, not a read out of bounds.
"""

import numpy as np

from nkgraph.dtypes import I64, NO_NODE, U8, U32, U64
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.csr import ONE
from nkgraph.kernels.intrinsics import as_keys, match16, prefetch, rank16

GROUP = 128
FAN = np.uint64(16)
FAN_BITS = np.uint64(4)
SKEW = np.uint64(6)
EVEN = np.uint64(1 << 16)
WIDE = np.uint64(512)
WINDOW = np.uint64(32)
AHEAD = np.uint64(32)
Key = np.uint32 | np.uint64
Keys = U32 | U64 | U8


@inlined
def narrow(keys: Keys, base: np.uint64, size: np.uint64, goal: np.uint64, query: Key) -> np.uint64:
    """Start of ``goal`` keys within ``size`` from ``base`` that hold the query's place."""
    while size > goal:
        half = size >> ONE
        size -= half
        base += half * np.uint64(keys[base + half - ONE] < query)
    return min(base, np.uint64(keys.size) - goal)


@inlined
def search_within(keys: Keys, base: np.uint64, size: np.uint64, query: Key) -> np.int64:
    """First of ``keys[base : base + size]`` equal to ``query``, or -1; none before is equal."""
    base = narrow(keys, base, size, FAN, query)
    lane = match16(keys, base, query)
    return np.int64(base + lane) if lane < FAN else np.int64(-1)


@inlined
def guess(keys: Keys, base: np.uint64, size: np.uint64, goal: np.uint64, query: Key) -> np.uint64:
    """What ``narrow`` gives, if the keys are evenly spaced."""
    low, high = keys[base], keys[base + size - ONE]
    above = np.float32(query - low) if query > low else np.float32(0.0)
    share = min(above / (np.float32(high - low) + np.float32(1.0)), np.float32(1.0))
    place = np.uint64(np.int64(share * np.float32(size - ONE)))
    return base + min(place - min(place, goal >> ONE), size - goal)


@inlined
def halve(
    keys: Keys, queries: Keys, first: np.uint64, lanes: np.uint64, goal: np.uint64, bases: U64
) -> np.uint64:
    """Take a group down to ``goal`` keys or fewer, a level at a time; how many they are."""
    bases[:] = 0
    size = np.uint64(keys.size)
    while size > goal:
        # Slightly less than half: halves of a power of two would all be read from the
        # same few sets of the cache.
        half = (size >> ONE) - (size >> SKEW)
        size -= half
        for lane in range(lanes):
            base = bases[lane]
            below = np.uint64(keys[base + half - ONE] < queries[first + lane])
            bases[lane] = base + below * half
    return size


@inlined
def guess_group(
    keys: Keys,
    queries: Keys,
    first: np.uint64,
    lanes: np.uint64,
    size: np.uint64,
    bases: U64,
    windows: U64,
    positions: I64,
) -> np.uint64:
    """Find a group among ``size`` keys from its bases by two guesses; how many were wrong."""
    for lane in range(lanes):
        wide = guess(keys, bases[lane], size, WIDE, queries[first + lane])
        windows[lane] = wide
        prefetch(keys, wide)
        prefetch(keys, wide + WIDE - ONE)
    wrong = np.uint64(0)
    for lane in range(lanes):
        query, base, wide = queries[first + lane], bases[lane], windows[lane]
        if (keys[wide] >= query and wide != base) or keys[wide + WIDE - ONE] < query:
            wrong += ONE
            wide = narrow(keys, base, size, WIDE, query)
        window = guess(keys, wide, WIDE, WINDOW, query)
        bases[lane], windows[lane] = wide, window
        prefetch(keys, window)
        prefetch(keys, window + FAN)
        prefetch(keys, window + WINDOW - ONE)
    for lane in range(lanes):
        query, base, window = queries[first + lane], bases[lane], windows[lane]
        rank = rank16(keys, window, query) + rank16(keys, window + FAN, query)
        if rank < WINDOW and (rank > np.uint64(0) or window == base):
            slot = window + rank
            positions[first + lane] = np.int64(slot) if keys[slot] == query else np.int64(-1)
        else:
            wrong += ONE
            positions[first + lane] = search_within(keys, base, WIDE, query)
    return wrong


@kernel
def search_sorted(keys: Keys, queries: Keys, start: int, stop: int, positions: I64) -> None:
    """Find the queries of a range by grouped binary search; first equal key, or -1.

    Parameters
    ----------
    keys : (n,) uint32 or uint64, ascending, n >= 16; or (4 n,) uint8
    queries : (q,) of the same dtype
    positions : (q,) int64, written in place

    Notes
    -----
    The first steps stay in the cache; each of the last ones waits for memory. So where
    keys are spaced about evenly, these are replaced by a guess of ``WIDE`` among ``EVEN`` keys and
    one of ``WINDOW`` among those, both checked. When half a group was guessed wrong, guessing
    ends.
    """
    keys = as_keys(keys)
    bases = np.empty(GROUP, np.uint64)
    windows = np.empty(GROUP, np.uint64)
    guessing = np.uint64(keys.size) > EVEN
    for start_of_group in range(start, stop, GROUP):
        lanes = np.uint64(min(GROUP, stop - start_of_group))
        first = np.uint64(start_of_group)
        size = halve(keys, queries, first, lanes, EVEN if guessing else FAN, bases)
        if guessing:
            wrong = guess_group(keys, queries, first, lanes, size, bases, windows, positions)
            guessing = wrong + wrong < lanes
        else:
            for lane in range(lanes):
                query = queries[first + lane]
                positions[first + lane] = search_within(keys, bases[lane], size, query)


@kernel
def fill_leaf_level(keys: U32 | U8, skip: int, start: int, stop: int, level: U32) -> None:
    """Write the last key of blocks ``start`` to ``stop`` of the keys."""
    keys = as_keys(keys)
    for block in range(start, stop):
        level[block] = keys[min(16 * block + 16 - skip, keys.size) - 1]


@kernel
def fill_upper_levels(levels: U32, starts: I64, sizes: I64) -> None:
    """Write all levels above the lowest, from below; pad each to whole nodes."""
    for k in range(starts.size - 1, 0, -1):
        below = levels[starts[k] : starts[k] + sizes[k]]
        level = levels[starts[k - 1] : starts[k - 1] + sizes[k - 1]]
        for block in range(level.size):
            level[block] = below[min(16 * block + 16, below.size) - 1]


@kernel
def search_tree(
    keys: U32 | U8,
    skip: np.uint64,
    levels: U32,
    starts: I64,
    sizes: I64,
    queries: U32,
    start: int,
    stop: int,
    positions: I64,
) -> None:
    """Find the queries of a range in the tree; position of the equal key, or -1.

    Parameters
    ----------
    keys : (n,) uint32, ascending, each once, n >= 16; or (4 n,) uint8
    starts, sizes : (depth,) int64
        Where each level starts, a multiple of 16, and its items without padding.
    """
    split = keys.itemsize == 1  # not aligned: each block ends in the next cache line
    keys = as_keys(keys)
    blocks = np.empty(GROUP, np.uint64)
    last_start = np.uint64(keys.size) - FAN
    for first in range(start, stop, GROUP):
        lanes = np.uint64(min(GROUP, stop - first))
        at = np.uint64(first)
        for lane in range(lanes):
            blocks[lane] = np.uint64(0)
        for k in range(starts.size):
            base = np.uint64(starts[k])
            last = np.uint64(sizes[k]) - ONE
            lowest = k == starts.size - 1
            below = np.uint64(0 if lowest else starts[k + 1])
            for lane in range(lanes):
                node = blocks[lane] << FAN_BITS
                block = node + rank16(levels, base + node, queries[at + lane])
                block = min(block, last)
                blocks[lane] = block
                if lowest:
                    begin = (block << FAN_BITS) - min(skip, block << FAN_BITS)
                    prefetch(keys, begin)
                    if split:
                        prefetch(keys, begin + FAN - ONE)
                else:
                    prefetch(levels, below + (block << FAN_BITS))
        for lane in range(lanes):
            begin = blocks[lane] << FAN_BITS
            begin = min(begin - min(skip, begin), last_start)
            lane_found = match16(keys, begin, queries[at + lane])
            found = np.int64(begin + lane_found)
            positions[at + lane] = found if lane_found < FAN else np.int64(-1)


@kernel
def walk_sorted(
    keys: U32 | U8, queries: U32, start: int, stop: int, slot: int, positions: I64
) -> None:
    """Find ascending queries of a range by walking the keys from ``slot``, a block at a time.

    Queries that do not ascend may be missed, so the caller makes sure that they do.
    """
    keys = as_keys(keys)
    at = np.uint64(slot)
    size = np.uint64(keys.size)
    last_start = size - FAN
    for i in range(np.uint64(start), np.uint64(stop)):
        query = queries[i]
        step = FAN
        while at < last_start and keys[at + FAN - ONE] < query:
            ahead = at + step
            if ahead >= last_start or keys[ahead + FAN - ONE] >= query:
                step = FAN
                ahead = min(at + step, last_start)
            else:
                step += step
            at = ahead
        found = match16(keys, at, query)
        positions[i] = np.int64(at + found) if found < FAN else np.int64(-1)


@kernel
def ascending(values: U32) -> bool:
    """Whether values never descend; stops at the first that does."""
    for first in range(np.uint64(1), np.uint64(values.size), np.uint64(4096)):
        bad = np.uint64(0)
        for i in range(first, min(first + np.uint64(4096), np.uint64(values.size))):
            bad += np.uint64(values[i] < values[i - ONE])
        if bad > np.uint64(0):
            return False
    return True


@kernel
def take_found(items: U32 | U8, positions: I64, taken: U32) -> None:
    """Write the item at each position; NO_NODE where it is -1.

    Parameters
    ----------
    items : (n,) uint32; or (4 n,) uint8
    positions : (q,) int64, each -1 or < n
    taken : (q,) uint32, written in place
    """
    items = as_keys(items)
    size = np.uint64(positions.size)
    for row in range(size):
        prefetch(items, np.uint64(positions[min(row + AHEAD, size - ONE)]))
        position = positions[row]
        taken[row] = items[np.uint64(position)] if position >= 0 else NO_NODE
