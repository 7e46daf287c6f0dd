"""Batched look-ups in sorted arrays."""

import sys
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nkgraph import kernels, threads
from nkgraph.arguments import integer_array
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, MAX_IDS, U32, U64
from nkgraph.errors import GraphError

UINT32 = np.dtype(np.uint32)
FEW = 64
"""Up to so many queries numpy answers, unless the kernels are loaded already."""
VERY_FEW = 8
"""Up to so many queries numpy always answers: calling a kernel takes 4 microseconds."""
NODE = 16
"""Keys in a node of the search tree: one cache line."""
TREE_SHARE = 256
"""A tree pays from one query for so many keys."""
SIGN = np.uint64(1 << 63)


def find_sorted(keys: U32, queries: ArrayLike) -> I64:
    """Find the position of each query in sorted keys.

    Parameters
    ----------
    keys : (n,) uint32, ascending, each once
        May be read-only or a map; a strided or unaligned one is copied. That they ascend is
        not checked, which would cost more than the search: where they do not, some positions
        are wrong or missing, and nothing worse.
    queries : (q,) integers, in any order
        Of any width and sign. A value that uint32 cannot hold is absent.

    Returns
    -------
    (q,) int64
        Positions; -1 where the key is absent.

    Raises
    ------
    GraphError
        ``keys`` are not (n,) uint32, or ``queries`` are not (q,) integers.

    Notes
    -----
    O(q log n) time, on all threads. Many queries build a search tree of n / 15 uint32 for the
    call; queries that are not uint32 are copied. Ascending queries are walked.

    Examples
    --------
    >>> import numpy as np
    >>> from nkgraph.search import find_sorted
    >>> find_sorted(np.array([2, 3, 5, 7], np.uint32), [5, 4, -1]).tolist()
    [2, -1, -1]
    """
    if not (isinstance(keys, np.ndarray) and keys.dtype == UINT32 and keys.ndim == 1):
        raise GraphError(f"keys: expected (n,) uint32, found {describe(keys)}")
    if isinstance(queries, np.ndarray) and queries.dtype == UINT32 and queries.ndim == 1:
        return find_one(keys, queries) if queries.size == 1 else find_uint32(keys, queries)
    given = integer_array(queries, "query")
    narrow: U32 = given.astype(np.uint32)
    positions = find_uint32(keys, narrow)
    if given.size and not (given.min() >= 0 and given.max() <= MAX_IDS):
        positions[narrow != given] = -1
    return positions


def describe(value: object) -> str:
    """Shape and dtype of an array, or the type of anything else."""
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}"
    return type(value).__name__


def find_uint32(keys: U32, queries: U32) -> I64:
    """``find_sorted`` of uint32 queries: choose how."""
    count = queries.size
    if keys.size == 0 or count == 0:
        return np.full(count, -1, np.int64)
    if keys.size < NODE or suits_numpy(count):
        return find_few(keys, queries)
    keys, queries = read_only(keys), read_only(queries)
    positions = np.empty(count, np.int64)
    if count > FEW and count * TREE_SHARE >= keys.size:
        if kernels.search.ascending(queries):
            find_by_walk(keys, queries, positions)
        else:
            find_by_tree(keys, queries, positions)
    elif count <= threads.MIN_ITEMS:
        kernels.search.search_sorted(keys, queries, 0, count, positions)
    else:
        search = partial(kernels.search.search_sorted, keys, queries)
        threads.run([partial(search, *span, positions) for span in threads.split(count)])
    return positions


def suits_numpy(count: int) -> bool:
    """Whether so few queries are answered before a kernel is even called, or imported."""
    return count <= VERY_FEW or (count <= FEW and "nkgraph.kernels.search" not in sys.modules)


def find_one(keys: U32, query: U32) -> I64:
    """Find one query: what ``find_few`` does, with the fewest calls."""
    if type(keys) is not np.ndarray:  # a map, whose answers would be maps
        keys = keys.view(np.ndarray)
    slots: I64 = keys.searchsorted(query)
    slot = slots.item()
    if slot == keys.size or keys.item(slot) != query.item():
        slots[0] = -1
    return slots


def find_few(keys: NDArray[Any], queries: NDArray[Any]) -> I64:
    """Find queries of the dtype of ``keys``, which are not empty, with numpy."""
    keys = keys.view(np.ndarray)
    slots = keys.searchsorted(queries)
    found: I64 = np.where(keys.take(slots, mode="clip") == queries, slots, -1)
    return found


def find_by_walk(keys: U32, queries: U32, positions: I64) -> None:
    """Find ascending queries; each thread starts its walk by one search."""
    spans = threads.split(queries.size)
    firsts = keys.searchsorted(queries[[start for start, _ in spans]])
    slots = np.minimum(firsts, keys.size - NODE).tolist()
    walk = partial(kernels.search.walk_sorted, keys, queries)
    threads.run(
        [partial(walk, *span, slot, positions) for span, slot in zip(spans, slots, strict=True)]
    )


def find_by_tree(keys: U32, queries: U32, positions: I64) -> None:
    """Build the search tree of ``keys``, and find queries in it."""
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
    fill = partial(kernels.search.fill_leaf_level, keys, skip)
    threads.run([partial(fill, *span, leaf) for span in threads.split(leaf.size)])
    tables = np.array(starts, np.int64), np.array(sizes, np.int64)
    kernels.search.fill_upper_levels(levels, *tables)
    search = partial(kernels.search.search_tree, keys, np.uint64(skip), levels, *tables, queries)
    threads.run([partial(search, *span, positions) for span in threads.split(queries.size)])


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


def ordered_uint64(values: I64) -> U64:
    """Map int64 to uint64 so that order is kept: flip the sign bit."""
    return values.view(np.uint64) ^ SIGN
