"""Properties in slots: of edges, by edge id, and of nodes, in the overflow bags of their rows.

    edge slot  u64 count, then count x (u64 key, value)
    bag        u16 count, then count x (u64 key, u8 tag, payload)

Keys are name hashes. Statuses and value layout: ``nkgraph.kernels.values``.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32, U64, Int
from nkgraph.kernels._jit import kernel, kernel_step
from nkgraph.kernels.values import (
    TRUNCATED,
    UNKNOWN_TAG,
    fixed_size,
    load_u32,
    load_u64,
    read_count,
    read_value,
    skip_payload,
    store_u64,
    write_value,
)

# -- edge property slots ----------------------------------------------------------------------


@kernel_step
def open_slot(offsets: U64, heap: U8, edge: Int, row: Int, where: I64) -> Int:
    """Return where the properties of an edge start, behind their count; 0 if it has none.

    A negative status for a slot that is no slot; ``where`` is set to its byte and ``row``.
    """
    if edge + 1 >= offsets.size or offsets[edge] == offsets[edge + 1]:
        return 0
    where[0] = np.int64(offsets[edge] & np.uint64(0x7FFFFFFFFFFFFFFF))
    where[1] = row
    if offsets[edge] > offsets[edge + 1] or offsets[edge + 1] > np.uint64(heap.size):
        return TRUNCATED
    at: Int = np.int64(offsets[edge])
    if read_count(heap, at, np.int64(offsets[edge + 1])) < 0:
        return TRUNCATED
    return at + 8


@kernel
def read_slots(
    offsets: U64, heap: U8, edges: U32, key: np.uint64, tags: U8, words: U64, stack: I64, where: I64
) -> Int:
    """Find one key in the slots of edges: u64 count, then count x (u64 key, value).

    ``tags`` comes in as all null. Returns 0, or a status with ``where`` = byte, row.
    """
    for row in range(edges.size):
        at = open_slot(offsets, heap, np.int64(edges[row]), row, where)
        if at == 0:
            continue
        if at < 0:
            return at
        stop: Int = np.int64(offsets[np.int64(edges[row]) + 1])
        count = read_count(heap, at - 8, stop)
        for _ in range(count):
            where[0] = at
            if stop - at < 12:
                return TRUNCATED
            if load_u64(heap, at) == key:
                at = read_value(heap, at + 8, stop, row, tags, words, stack)
            else:
                at = skip_payload(heap, at + 12, stop, load_u32(heap, at + 8), stack)
            if at < 0:
                return at
        if at != stop:
            return TRUNCATED
    return 0


@kernel
def slot_keys(
    offsets: U64, heap: U8, edges: U32, keys: U64, known: Int, stack: I64, where: I64
) -> Int:
    """Collect the distinct keys of slots into ``keys``; how many, or a status.

    Stops when ``keys`` is full: the caller compares the count with its size.
    """
    for row in range(edges.size):
        at = open_slot(offsets, heap, np.int64(edges[row]), row, where)
        if at == 0:
            continue
        if at < 0:
            return at
        stop: Int = np.int64(offsets[np.int64(edges[row]) + 1])
        count = read_count(heap, at - 8, stop)
        for _ in range(count):
            where[0] = at
            if stop - at < 12:
                return TRUNCATED
            key = load_u64(heap, at)
            seen = False
            for k in range(known):
                if keys[k] == key:
                    seen = True
                    break
            if not seen:
                if known == keys.size:
                    return known
                keys[known] = key
                known += 1
            at = skip_payload(heap, at + 12, stop, load_u32(heap, at + 8), stack)
            if at < 0:
                return at
    return known


@kernel
def add_slot_sizes(
    edges: U32, tags: U8, words: U64, heap: U8, sizes: I64, counts: U32, stack: I64
) -> Int:
    """Add key, tag and payload of present values to the slots; the first bad row, or -1."""
    for row in range(tags.size):
        tag = np.int64(tags[row])
        if tag == 7:
            continue
        size = fixed_size(tag)
        if size < 0:
            at = np.int64(words[row])
            end = skip_payload(heap, at, heap.size, tag, stack)
            if end < 0:
                return row
            size = end - at
        edge = edges[row]
        sizes[edge] += 12 + size + (8 if counts[edge] == 0 else 0)
        counts[edge] += 1
    return -1


@kernel
def write_slot_counts(offsets: U64, counts: U32, cursor: I64, out: U8) -> None:
    """Write the u64 count at the head of each slot that has one; set the cursors behind it."""
    for edge in range(counts.size):
        cursor[edge] = np.int64(offsets[edge])
        if counts[edge]:
            store_u64(out, cursor[edge], np.uint64(counts[edge]))
            cursor[edge] += 8


@kernel
def write_slots(
    edges: U32, key: np.uint64, tags: U8, words: U64, heap: U8, cursor: I64, out: U8, stack: I64
) -> None:
    """Append (key, value) of present values to their slots."""
    for row in range(tags.size):
        tag = np.int64(tags[row])
        if tag == 7:
            continue
        size = fixed_size(tag)
        if size < 0:
            start = np.int64(words[row])
            size = skip_payload(heap, start, heap.size, tag, stack) - start
        at = cursor[edges[row]]
        store_u64(out, at, key)
        cursor[edges[row]] = write_value(tag, words[row], heap, size + 4, out, at + 8)


# -- overflow bags ----------------------------------------------------------------------------


@kernel
def read_bags(offsets: U64, data: U8, key: np.uint64, tags: U8, words: U64, where: I64) -> Int:
    """Find one key in bags: u16 count, then count x (u64 key, u8 tag, payload).

    Tags: 0 null, 1 i64, 2 f64, 3 u32, 4 bool, 5 i32 days, 6 text (u32 length, bytes), 7 i64
    seconds, 8 list (u32 length, bincode). ``words`` of 6 and 8 is the position of the length.
    ``tags`` comes in as all 0. Returns 0, or a status with ``where`` = byte, row.
    """
    for row in range(tags.size):
        where[1] = row
        where[0] = np.int64(offsets[row] & np.uint64(0x7FFFFFFFFFFFFFFF))
        if offsets[row] > offsets[row + 1] or offsets[row + 1] > np.uint64(data.size):
            return TRUNCATED
        at, stop = np.int64(offsets[row]), np.int64(offsets[row + 1])
        if at == stop:
            continue
        if stop - at < 2:
            return TRUNCATED
        count = np.int64(data[at]) | np.int64(data[at + 1]) << 8
        at += 2
        for _ in range(count):
            where[0] = at
            if stop - at < 9:
                return TRUNCATED
            found = load_u64(data, at) == key
            tag = data[at + 8]
            at += 9
            size: Int = 0
            if tag == 0:
                pass
            elif tag == 1 or tag == 2 or tag == 7:
                size = 8
            elif tag == 3 or tag == 5:
                size = 4
            elif tag == 4:
                size = 1
            elif tag == 6 or tag == 8:
                if stop - at < 4:
                    return TRUNCATED
                size = 4 + load_u32(data, at)
            else:
                return UNKNOWN_TAG
            if stop - at < size:
                return TRUNCATED
            if found:
                tags[row] = tag
                if size == 8:
                    words[row] = load_u64(data, at)
                elif tag == 3 or tag == 5:
                    words[row] = np.uint64(load_u32(data, at))
                elif tag == 4:
                    words[row] = np.uint64(data[at] != 0)
                else:
                    words[row] = np.uint64(at)
            at += size
    return 0


@kernel
def bag_keys(offsets: U64, data: U8, keys: U64, known: Int) -> Int:
    """Collect the distinct keys of bags; as ``slot_keys``. Bags were walked before."""
    for row in range(offsets.size - 1):
        at, stop = np.int64(offsets[row]), np.int64(offsets[row + 1])
        if at == stop:
            continue
        count = np.int64(data[at]) | np.int64(data[at + 1]) << 8
        at += 2
        for _ in range(count):
            key, tag = load_u64(data, at), data[at + 8]
            at += 9
            if tag == 1 or tag == 2 or tag == 7:
                at += 8
            elif tag == 3 or tag == 5:
                at += 4
            elif tag == 4:
                at += 1
            elif tag == 6 or tag == 8:
                at += 4 + load_u32(data, at)
            seen = False
            for k in range(known):
                if keys[k] == key:
                    seen = True
                    break
            if not seen:
                if known == keys.size:
                    return known
                keys[known] = key
                known += 1
    return known


@kernel
def bag_texts(words: U64, data: U8, offsets: I64) -> None:
    """Write offsets of bag texts: u32 length at each word."""
    offsets[0] = 0
    for row in range(words.size):
        offsets[row + 1] = offsets[row] + load_u32(data, np.int64(words[row]))


@kernel
def copy_behind(words: U64, data: U8, offsets: I64, out: U8, head: Int) -> None:
    """Copy what stands ``head`` bytes behind each word."""
    for row in range(words.size):
        at = np.int64(words[row]) + head
        to = offsets[row]
        for k in range(offsets[row + 1] - to):
            out[to + k] = data[at + k]
