"""Positions of many queries in sorted keys: which kernel answers, on how many threads.

The part of ``nkgraph.search`` that needs no checks, for every layer that holds sorted keys.
"""

import sys
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, MAX_IDS, NO_NODE, U8, U32, U64, Bool

FEW = 64
"""Up to so many queries numpy answers, unless the kernels are loaded already."""
VERY_FEW = 8
"""Up to so many queries numpy always answers: calling a kernel takes 4 microseconds."""
NODE = 16
"""Keys in a node of the search tree: one cache line."""
TREE_SHARE = 256
"""A tree pays from one query for so many keys."""
SIGN = np.uint64(1 << 63)
STEP = 1 << 18
"""Positions of so many queries stay in the cache until their items are taken."""
Search: TypeAlias = Callable[[U32, I64], None]
"""Writes the position of each of its queries, -1 where absent."""


def find_integers(keys: U32, queries: NDArray[np.integer[Any]]) -> I64:
    """Find the position of each query, -1 where absent; queries of any width and sign.

    Parameters
    ----------
    keys : (n,) uint32, ascending, each once
        At any byte of a map, aligned or not.
    """
    narrow: U32 = queries.astype(np.uint32, copy=False)
    positions = find_one(keys, narrow) if narrow.size == 1 else find_uint32(keys, narrow)
    if beyond_uint32(queries):
        positions[narrow != queries] = -1
    return positions


def beyond_uint32(queries: NDArray[np.integer[Any]]) -> bool:
    """Whether a query does not fit uint32."""
    if queries.dtype == np.uint32 or not queries.size:
        return False
    return not (queries.min() >= 0 and queries.max() <= MAX_IDS)


def find_uint32(keys: U32, queries: U32) -> I64:
    """``find_sorted`` of uint32 queries: choose how."""
    count = queries.size
    if keys.size == 0 or count == 0:
        return np.full(count, -1, np.int64)
    if keys.size < NODE or suits_numpy(count):
        return find_few(keys, queries)
    queries = read_only(queries)
    search = way_to_find(keys, queries)
    positions = np.empty(count, np.int64)
    spans = threads.split(count)
    threads.run([partial(search, queries[a:b], positions[a:b]) for a, b in spans])
    return positions


def find_items(keys: U32, items: U32, queries: NDArray[np.integer[Any]]) -> U32:
    """Return ``items[position]`` of the key that equals each query, NO_NODE where none does.

    Parameters
    ----------
    keys : (n,) uint32, ascending, each once
    items : (n,) uint32
        Both at any byte of a map, aligned or not.
    queries : (q,) integers of any width and sign

    Notes
    -----
    As ``find_integers`` and then a gather, but positions stay in the cache between the two.
    """
    narrow: U32 = queries.astype(np.uint32, copy=False)
    count = queries.size
    if keys.size < NODE or suits_numpy(count):
        return take_few(items, find_integers(keys, queries))
    narrow = read_only(narrow)
    search = way_to_find(keys, narrow)
    taken = np.empty(count, np.uint32)
    take = partial(_take_span, search, as_it_lies(items), narrow, taken)
    threads.run([partial(take, *span) for span in threads.split(count)])
    if beyond_uint32(queries):
        taken[narrow != queries] = NO_NODE
    return taken


def _take_span(
    search: Search, items: U32 | U8, queries: U32, taken: U32, start: int, stop: int
) -> None:
    positions = np.empty(min(STEP, stop - start), np.int64)
    for at in range(start, stop, STEP):
        end = min(at + STEP, stop)
        part = positions[: end - at]
        search(queries[at:end], part)
        kernels.search.take_found(items, read_only(part), taken[at:end])


def take_few(items: U32, positions: I64) -> U32:
    """Return the item at each position; NO_NODE where it is -1."""
    if not items.size:
        return np.full(positions.size, NO_NODE, np.uint32)
    return np.where(positions >= 0, items[positions], NO_NODE)


def way_to_find(keys: U32, queries: U32) -> Search:
    """Choose and prepare the search for so many queries, which may come in spans."""
    lying = as_it_lies(keys)
    if queries.size > FEW and queries.size * TREE_SHARE >= keys.size:
        if kernels.search.ascending(queries):
            return partial(_walk, keys, lying)
        return tree_search(keys, lying)
    return partial(_search, lying)


def as_it_lies(items: U32) -> U32 | U8:
    """Give kernels items that are not aligned as their bytes: nothing is copied."""
    flags = items.flags
    if flags.c_contiguous and not flags.aligned:
        return read_only(items.view(np.uint8))
    return read_only(items)


def suits_numpy(count: int) -> bool:
    """Whether so few queries are answered before a kernel is even called, or imported."""
    return count <= VERY_FEW or (count <= FEW and "nkgraph.kernels.search" not in sys.modules)


def find_one(keys: U32, query: U32) -> I64:
    """Find one query: what ``find_few`` does, with the fewest calls."""
    if type(keys) is not np.ndarray:  # a map, whose answers would be maps
        keys = keys.view(np.ndarray)
    slots = keys.searchsorted(query) if keys.flags.aligned else lower_bounds(keys, query)
    slot = slots.item()
    if slot == keys.size or keys.item(slot) != query.item():
        slots[0] = -1
    return slots


def find_few(keys: NDArray[Any], queries: NDArray[Any]) -> I64:
    """Find queries of the dtype of ``keys``, which are not empty, with numpy."""
    keys = keys.view(np.ndarray)
    if keys.size < NODE:
        keys = read_only(keys)
    slots = lower_bounds(keys, queries)
    found: I64 = np.where(keys[np.minimum(slots, keys.size - 1)] == queries, slots, -1)
    return found


def lower_bounds(keys: NDArray[Any], queries: NDArray[Any]) -> I64:
    """Position of the first key that is not below each query; for few queries."""
    if keys.flags.aligned:
        return keys.searchsorted(queries)
    # numpy would copy all keys to where they are aligned.
    return np.array([bisect_left(keys, query) for query in queries.tolist()], np.int64)


def _search(lying: U32 | U8, queries: U32, positions: I64) -> None:
    kernels.search.search_sorted(lying, queries, 0, queries.size, positions)


def _walk(keys: U32, lying: U32 | U8, queries: U32, positions: I64) -> None:
    """Find ascending queries; the walk starts by one search."""
    slot = min(int(lower_bounds(keys, queries[:1])[0]), keys.size - NODE)
    kernels.search.walk_sorted(lying, queries, 0, queries.size, slot, positions)


def tree_search(keys: U32, lying: U32 | U8) -> Search:
    """Build the search tree of ``keys``, which ``lying`` gives to kernels."""
    skip = -(keys.ctypes.data // keys.itemsize) % NODE
    skip = NODE - skip if skip else 0  # items before the first key in its cache line
    sizes = [-(-(keys.size + skip) // NODE)]
    while sizes[0] > NODE:
        sizes.insert(0, -(-sizes[0] // NODE))
    padded = [-(-size // NODE) * NODE for size in sizes]
    starts = [sum(padded[:level]) for level in range(len(sizes))]
    levels = aligned_uint32(sum(padded))
    for start, size, room in zip(starts, sizes, padded, strict=True):
        levels[start + size : start + room] = MAX_IDS
    leaf = levels[starts[-1] : starts[-1] + sizes[-1]]
    fill = partial(kernels.search.fill_leaf_level, lying, skip)
    threads.run([partial(fill, *span, leaf) for span in threads.split(leaf.size)])
    tables = np.array(starts, np.int64), np.array(sizes, np.int64)
    kernels.search.fill_upper_levels(levels, *tables)
    return partial(_search_tree, lying, np.uint64(skip), levels, *tables)


def _search_tree(
    lying: U32 | U8,
    skip: np.uint64,
    levels: U32,
    starts: I64,
    sizes: I64,
    queries: U32,
    positions: I64,
) -> None:
    span = 0, queries.size
    kernels.search.search_tree(lying, skip, levels, starts, sizes, queries, *span, positions)


def aligned_uint32(size: int) -> U32:
    """Uninitialised (size,) uint32 that starts at a cache line."""
    room = np.empty(size + NODE, np.uint32)
    start = -(room.ctypes.data // room.itemsize) % NODE
    return room[start : start + size]


def find_sorted_u64(keys: U64, queries: U64) -> I64:
    """Find the first position of each query in ascending 64-bit keys, which may repeat.

    Parameters
    ----------
    keys : (n,) uint64, ascending
        Not checked, as for ``find_sorted``. Signed keys: see ``ordered_uint64``.
    queries : (q,) uint64, in any order

    Returns
    -------
    (q,) int64
        Positions; -1 where the key is absent.

    Notes
    -----
    O(q log n) time, on all threads; nothing is allocated but the answer.
    """
    count = queries.size
    if keys.size == 0 or count == 0:
        return np.full(count, -1, np.int64)
    if keys.size < NODE or suits_numpy(count):
        return find_few(keys, queries)
    positions = np.empty(count, np.int64)
    search = partial(kernels.search.search_sorted, read_only(keys), read_only(queries))
    spans = threads.split(count, least=1 << 13)
    threads.run([partial(search, *span, positions) for span in spans])
    return positions


def find_hashed(hashes: U64, queries: U64, same: Callable[[I64, I64], Bool]) -> I64:
    """Find queries by sorted hashes: first position of an equal hash for which ``same``, or -1.

    Parameters
    ----------
    hashes : (n,) uint64, ascending
    queries : (q,) uint64
    same : callable
        Says of (positions, rows of queries) which are equal.

    Notes
    -----
    In rounds: one unless different keys share a hash.
    """
    found = np.full(queries.size, -1, np.int64)
    at = find_sorted_u64(hashes, queries)
    open_rows = np.flatnonzero(at >= 0)
    while open_rows.size:
        equal = same(at[open_rows], open_rows)
        found[open_rows[equal]] = at[open_rows[equal]]
        open_rows = open_rows[~equal]
        at[open_rows] += 1
        open_rows = open_rows[at[open_rows] < hashes.size]
        open_rows = open_rows[hashes[at[open_rows]] == queries[open_rows]]
    return found


def ordered_uint64(values: I64) -> U64:
    """Map int64 to uint64 so that order is kept: flip the sign bit."""
    return values.view(np.uint64) ^ SIGN
