"""Hash tables from keys to dense positions.

A table of ``count`` distinct keys numbers them 0, 1, ... in the order in which they came:

    slots     int64  (2 * capacity,)  slot s is a pair: key (or text hash), position + 1; 0 free
    keys      int64  (>= count,)      key of each position; in a text table, the text's hash
    offsets   int64  (>= count + 1,)  text tables: text of position p is
    data      uint8  (...)            data[offsets[p]:offsets[p + 1]]

Open addressing with linear probing. ``capacity`` is a power of two, and callers keep at least one
slot in three free. The home slot of a key is its mixed hash shifted right by ``shift``, which is
64 - log2(capacity). The tables are in memory only, so the hashes may change between releases.

Integers of a small range have a direct table instead: ``direct[key - base]`` is position + 1.

Looking up is read-only, so ranges of queries may run on several threads; inserting is serial, and
only walks the queries that looking up left at -1. Slots are prefetched ``AHEAD`` queries early.
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import I64, U8, U32
from nkgraph.kernels._jit import kernel, kernel_step
from nkgraph.kernels.intrinsics import prefetch

AHEAD: Final = 24
_MIX_1: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_2: Final = np.uint64(0xD6E8FEB86659FD93)
_SEED: Final = np.uint64(0x243F6A8885A308D3)
_32: Final = np.uint64(32)
_1: Final = np.uint64(1)


@kernel_step
def mix(key: np.int64) -> np.uint64:
    """Spread a key over 64 bits; the high bits are the good ones."""
    word = np.uint64(key)
    word = (word ^ (word >> _32)) * _MIX_1
    return (word ^ (word >> _32)) * _MIX_2


@kernel
def rehash(keys: I64, count: int, shift: int, slots: I64) -> None:
    """Fill the zeroed ``slots`` with ``keys[:count]``, which are distinct entries; O(count)."""
    mask = (slots.size >> 1) - 1
    by = np.uint64(shift)
    for position in range(count):
        ahead = min(position + AHEAD, count - 1)
        prefetch(slots, mix(keys[ahead]) >> by << _1)
        slot = np.int64(mix(keys[position]) >> by)
        while slots[2 * slot + 1] != 0:
            slot = (slot + 1) & mask
        slots[2 * slot] = keys[position]
        slots[2 * slot + 1] = position + 1


@kernel
def move_slots(slots: I64, shift: int, wider: I64) -> None:
    """Fill the zeroed, larger ``wider`` from ``slots``; ``shift`` is that of ``wider``.

    O(capacity), and near sequential: both tables are in the order of the same hash.
    """
    mask = (wider.size >> 1) - 1
    by = np.uint64(shift)
    for old in range(slots.size >> 1):
        if slots[2 * old + 1] != 0:
            slot = np.int64(mix(slots[2 * old]) >> by)
            while wider[2 * slot + 1] != 0:
                slot = (slot + 1) & mask
            wider[2 * slot] = slots[2 * old]
            wider[2 * slot + 1] = slots[2 * old + 1]


# -- integers ---------------------------------------------------------------------------------


@kernel
def find_ints(
    slots: I64, shift: int, queries: I64, start: int, stop: int, positions: I64
) -> np.int64:
    """Write the position of each query, or -1, for a range; return how many are absent."""
    mask = (slots.size >> 1) - 1
    by = np.uint64(shift)
    missing = 0
    for row in range(start, stop):
        ahead = min(row + AHEAD, stop - 1)
        prefetch(slots, mix(queries[ahead]) >> by << _1)
        query = queries[row]
        slot = np.int64(mix(query) >> by)
        found = slots[2 * slot + 1]
        while found != 0 and slots[2 * slot] != query:
            slot = (slot + 1) & mask
            found = slots[2 * slot + 1]
        positions[row] = found - 1
        missing += found == 0
    return np.int64(missing)


@kernel
def insert_ints(
    slots: I64, shift: int, keys: I64, count: int, queries: I64, positions: I64
) -> np.int64:
    """Number the queries whose position is -1; return the new count.

    The caller has made room: ``slots`` and ``keys`` can take one more key for each of them.
    """
    mask = (slots.size >> 1) - 1
    by = np.uint64(shift)
    for row in range(queries.size):
        ahead = min(row + AHEAD, queries.size - 1)
        if positions[ahead] < 0:
            prefetch(slots, mix(queries[ahead]) >> by << _1)
        if positions[row] >= 0:
            continue
        query = queries[row]
        slot = np.int64(mix(query) >> by)
        found = slots[2 * slot + 1]
        while found != 0 and slots[2 * slot] != query:
            slot = (slot + 1) & mask
            found = slots[2 * slot + 1]
        if found == 0:
            keys[count] = query
            count += 1
            found = np.int64(count)
            slots[2 * slot] = query
            slots[2 * slot + 1] = found
        positions[row] = found - 1
    return np.int64(count)


@kernel
def find_direct(
    direct: U32, base: np.int64, queries: I64, start: int, stop: int, positions: I64
) -> np.int64:
    """As ``find_ints``, in a direct table."""
    size = np.uint64(direct.size)
    missing = 0
    for row in range(start, stop):
        # Unsigned, so that a query below the base wraps to a place far behind the end.
        place = np.uint64(queries[row]) - np.uint64(base)
        found = np.int64(0)
        if place < size:
            found = np.int64(direct[place])
        positions[row] = found - 1
        missing += found == 0
    return np.int64(missing)


@kernel
def insert_direct(
    direct: U32, base: np.int64, keys: I64, count: int, queries: I64, positions: I64
) -> np.int64:
    """As ``insert_ints``, in a direct table that covers every query."""
    for row in range(queries.size):
        if positions[row] >= 0:
            continue
        place = np.uint64(queries[row]) - np.uint64(base)
        found = np.int64(direct[place])
        if found == 0:
            keys[count] = queries[row]
            count += 1
            found = np.int64(count)
            direct[place] = found
        positions[row] = found - 1
    return np.int64(count)


# -- texts ------------------------------------------------------------------------------------


@kernel_step
def _word(data: U8, at: np.uint64) -> np.uint64:
    """Eight bytes, the first lowest; LLVM makes one load of it."""
    word = np.uint64(0)
    for step in range(8):
        word |= np.uint64(data[at + np.uint64(step)]) << np.uint64(8 * step)
    return word


@kernel
def hash_texts(offsets: I64, data: U8, start: int, stop: int, hashes: I64) -> None:
    """Write a 64-bit hash of each text of a range; O(bytes), eight bytes a step."""
    for row in range(start, stop):
        at = np.uint64(offsets[row])
        left = offsets[row + 1] - offsets[row]
        code = _SEED ^ (np.uint64(left) * _MIX_2)
        while left >= 8:
            code = (code ^ _word(data, at)) * _MIX_1
            code ^= code >> _32
            at += np.uint64(8)
            left -= 8
        tail = np.uint64(0)
        for step in range(left):
            tail |= np.uint64(data[at + np.uint64(step)]) << np.uint64(8 * step)
        code = (code ^ tail) * _MIX_1
        code = (code ^ (code >> _32)) * _MIX_2
        hashes[row] = np.int64(code ^ (code >> _32))


@kernel_step
def _same_text(
    offsets: I64, data: U8, position: np.int64, other_offsets: I64, other_data: U8, row: int
) -> bool:
    mine = np.uint64(offsets[position])
    theirs = np.uint64(other_offsets[row])
    length = other_offsets[row + 1] - other_offsets[row]
    if offsets[position + 1] - offsets[position] != length:
        return False
    for step in range(length):
        if data[mine + np.uint64(step)] != other_data[theirs + np.uint64(step)]:
            return False
    return True


@kernel
def find_texts(
    slots: I64,
    shift: int,
    offsets: I64,
    data: U8,
    query_offsets: I64,
    query_data: U8,
    query_hashes: I64,
    start: int,
    stop: int,
    positions: I64,
) -> np.int64:
    """Write the position of each query text, or -1, for a range; return how many are absent."""
    mask = (slots.size >> 1) - 1
    by = np.uint64(shift)
    missing = 0
    for row in range(start, stop):
        ahead = min(row + AHEAD, stop - 1)
        prefetch(slots, mix(query_hashes[ahead]) >> by << _1)
        code = query_hashes[row]
        slot = np.int64(mix(code) >> by)
        found = slots[2 * slot + 1]
        while found != 0 and not (
            slots[2 * slot] == code
            and _same_text(offsets, data, found - 1, query_offsets, query_data, row)
        ):
            slot = (slot + 1) & mask
            found = slots[2 * slot + 1]
        positions[row] = found - 1
        missing += found == 0
    return np.int64(missing)


@kernel
def insert_texts(
    slots: I64,
    shift: int,
    hashes: I64,
    offsets: I64,
    data: U8,
    count: int,
    query_offsets: I64,
    query_data: U8,
    query_hashes: I64,
    positions: I64,
) -> np.int64:
    """As ``insert_ints``; new texts are appended to ``offsets`` and ``data``, which have room."""
    mask = (slots.size >> 1) - 1
    by = np.uint64(shift)
    for row in range(positions.size):
        if positions[row] >= 0:
            continue
        code = query_hashes[row]
        slot = np.int64(mix(code) >> by)
        found = slots[2 * slot + 1]
        while found != 0 and not (
            slots[2 * slot] == code
            and _same_text(offsets, data, found - 1, query_offsets, query_data, row)
        ):
            slot = (slot + 1) & mask
            found = slots[2 * slot + 1]
        if found == 0:
            at = offsets[count]
            first = query_offsets[row]
            length = query_offsets[row + 1] - first
            for step in range(length):
                data[at + step] = query_data[first + step]
            hashes[count] = code
            count += 1
            offsets[count] = at + length
            found = np.int64(count)
            slots[2 * slot] = code
            slots[2 * slot + 1] = found
        positions[row] = found - 1
    return np.int64(count)
