"""bincode ``Value`` streams: walk, size, write.

A value is a u32 tag and a payload. Rows of values are three arrays:

    tags   uint8   (n,)  0 unique id, 1 int, 2 float, 3 text, 4 bool, 5 date, 6 point, 7 null,
                         9 duration, 10 node, 11 relationship, 12 path, 13 list, 14 map,
                         15 timestamp
    words  uint64  (n,)  the bits of 0, 1, 2, 4; else the position of the payload in ``heap``
    heap   uint8   (h,)  payloads as they stand in a stream

Walking returns the position behind a value, or a negative status: ``TRUNCATED``,
``UNKNOWN_TAG``, ``TOO_DEEP`` or ``BAD_BOOL``. Nested values are walked with an explicit stack,
two int64 a level: what a level holds and how much of it is left.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32, U64, Int
from nkgraph.kernels._jit import kernel, kernel_step

MAX_DEPTH = 128
STACK_SIZE = 2 * MAX_DEPTH + 8
TRUNCATED = -1
UNKNOWN_TAG = -2
TOO_DEEP = -3
BAD_BOOL = -4
NULL = np.uint8(7)

_VALUES, _PAIRS, _NODES, _RELATIONS, _RELATIONS_AHEAD = 0, 1, 2, 3, 4


@kernel_step
def load_u32(data: U8, at: Int) -> Int:
    """Read a u32 at any byte."""
    return (
        np.int64(data[at])
        | np.int64(data[at + 1]) << 8
        | np.int64(data[at + 2]) << 16
        | np.int64(data[at + 3]) << 24
    )


@kernel_step
def load_u64(data: U8, at: Int) -> np.uint64:
    """Read a u64 at any byte."""
    value = np.uint64(0)
    for k in range(8):
        value |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return value


@kernel_step
def store_u32(data: U8, at: Int, value: Int) -> None:
    """Write a u32 at any byte."""
    for k in range(4):
        data[at + k] = (value >> (8 * k)) & 0xFF


@kernel_step
def store_u64(data: U8, at: Int, value: np.uint64) -> None:
    """Write a u64 at any byte."""
    for k in range(8):
        data[at + k] = np.uint8((value >> np.uint64(8 * k)) & np.uint64(0xFF))


@kernel_step
def skip_text(data: U8, at: Int, stop: Int) -> Int:
    """Return the position behind u64 length and bytes."""
    if stop - at < 8:
        return TRUNCATED
    length = load_u64(data, at)
    if length > np.uint64(stop - at - 8):
        return TRUNCATED
    return at + 8 + np.int64(length)


@kernel_step
def read_count(data: U8, at: Int, stop: Int) -> Int:
    """Read a u64 count that the bytes left could hold; TRUNCATED if they could not."""
    if stop - at < 8:
        return TRUNCATED
    value = load_u64(data, at)
    if value > np.uint64(stop - at - 8):
        return TRUNCATED
    return np.int64(value)


@kernel_step
def fixed_size(tag: Int) -> Int:
    """Payload bytes of kinds of one size, else -1."""
    if tag == 0 or tag == 8:
        return 4
    if tag == 1 or tag == 2:
        return 8
    if tag == 4:
        return 1
    if tag == 6 or tag == 9:
        return 16
    if tag == 7:
        return 0
    return -1


@kernel
def skip_payload(data: U8, at: Int, stop: Int, tag: Int, stack: I64) -> Int:
    """Return the position behind the payload of a value of kind ``tag``, or a status."""
    size = fixed_size(tag)
    if size >= 0:
        if stop - at < size:
            return TRUNCATED
        return BAD_BOOL if tag == 4 and data[at] > 1 else at + size
    if tag == 3 or tag == 5 or tag == 15:
        return skip_text(data, at, stop)
    if tag < 10 or tag > 14:
        return UNKNOWN_TAG
    return _skip_nested(data, at, stop, tag, stack)


@kernel_step
def _open_level(data: U8, at: Int, stop: Int, tag: Int, stack: I64, top: Int) -> Int:
    """Push what a nested payload holds; return the position behind its head, or a status."""
    if tag == 13 or tag == 14:
        count = read_count(data, at, stop)
        if count < 0:
            return TRUNCATED
        stack[2 * top] = _VALUES if tag == 13 else _PAIRS
        stack[2 * top + 1] = count
        return at + 8
    if tag == 10:
        stack[2 * top], stack[2 * top + 1] = _NODES, 1
        return at
    if tag == 11:
        stack[2 * top], stack[2 * top + 1] = _RELATIONS, 1
        return at
    count = read_count(data, at, stop)
    if count < 0:
        return TRUNCATED
    stack[2 * top], stack[2 * top + 1] = _RELATIONS_AHEAD, 1
    stack[2 * top + 2], stack[2 * top + 3] = _NODES, count
    return at + 8


@kernel_step
def _node_head(data: U8, at: Int, stop: Int) -> Int:
    """Pass the id and labels of a node."""
    if stop - at < 4:
        return TRUNCATED
    at += 4
    labels = read_count(data, at, stop)
    if labels < 0:
        return TRUNCATED
    at += 8
    for _ in range(labels):
        at = skip_text(data, at, stop)
        if at < 0:
            return TRUNCATED
    return at


@kernel_step
def _skip_nested(data: U8, at: Int, stop: Int, tag: Int, stack: I64) -> Int:
    at = _open_level(data, at, stop, tag, stack, 0)
    if at < 0:
        return at
    top = 1 if tag == 12 else 0
    while top >= 0:
        if top >= MAX_DEPTH:
            return TOO_DEEP
        kind = stack[2 * top]
        if stack[2 * top + 1] == 0:
            top -= 1
            continue
        stack[2 * top + 1] -= 1
        if kind == _RELATIONS_AHEAD:
            count = read_count(data, at, stop)
            if count < 0:
                return TRUNCATED
            stack[2 * top], stack[2 * top + 1] = _RELATIONS, count
            at += 8
            continue
        if kind in (_NODES, _RELATIONS):
            if kind == _NODES:
                at = _node_head(data, at, stop)
            else:
                at = skip_text(data, at + 12, stop) if stop - at >= 12 else TRUNCATED
            if at < 0:
                return TRUNCATED
            pairs = read_count(data, at, stop)
            if pairs < 0:
                return TRUNCATED
            at += 8
            top += 1
            stack[2 * top], stack[2 * top + 1] = _PAIRS, pairs
            continue
        if kind == _PAIRS:
            at = skip_text(data, at, stop)
            if at < 0:
                return TRUNCATED
        if stop - at < 4:
            return TRUNCATED
        inner = load_u32(data, at)
        at += 4
        if inner >= 10 and inner <= 14:
            at = _open_level(data, at, stop, inner, stack, top + 1)
            if at < 0:
                return at
            top += 2 if inner == 12 else 1
        else:
            size = fixed_size(inner)
            if size >= 0:
                if inner == 4 and stop > at and data[at] > 1:
                    return BAD_BOOL
                at = at + size if stop - at >= size else TRUNCATED
            elif inner == 3 or inner == 5 or inner == 15:
                at = skip_text(data, at, stop)
            else:
                return UNKNOWN_TAG
            if at < 0:
                return at
    return at


@kernel
def read_value(data: U8, at: Int, stop: Int, row: Int, tags: U8, words: U64, stack: I64) -> Int:
    """Read tag and payload at ``at`` into ``row``; return the position behind, or a status."""
    if stop - at < 4:
        return TRUNCATED
    tag = load_u32(data, at)
    at += 4
    end = skip_payload(data, at, stop, tag, stack)
    if end < 0:
        return end
    tags[row] = tag
    if tag == 1 or tag == 2:
        words[row] = load_u64(data, at)
    elif tag == 0 or tag == 8:
        words[row] = np.uint64(load_u32(data, at))
    elif tag == 4:
        words[row] = np.uint64(data[at] != 0)
    elif tag == 7:
        words[row] = np.uint64(0)
    else:
        words[row] = np.uint64(at)
    return end


@kernel
def read_stream(
    data: U8, start: Int, stop: Int, tags: U8, words: U64, stack: I64, where: I64
) -> Int:
    """Read ``tags.size`` values; the position behind, or a status with ``where[0]`` its byte."""
    at = start
    for row in range(tags.size):
        where[0] = at
        at = read_value(data, at, stop, row, tags, words, stack)
        if at < 0:
            return at
    return at


@kernel
def read_pairs(
    data: U8, start: Int, stop: Int, tags: U8, words: U64, nodes: U32, stack: I64, where: I64
) -> Int:
    """Read (value, u32) pairs; as ``read_stream``."""
    at = start
    for row in range(tags.size):
        where[0] = at
        at = read_value(data, at, stop, row, tags, words, stack)
        if at < 0:
            return at
        if stop - at < 4:
            return TRUNCATED
        nodes[row] = load_u32(data, at)
        at += 4
    return at


@kernel
def add_sizes(
    tags: U8, words: U64, heap: U8, extra: Int, nulls: bool, sizes: I64, stack: I64
) -> Int:
    """Add tag, payload and ``extra`` bytes of each value to ``sizes``; the first bad row, or -1."""
    for row in range(tags.size):
        tag = np.int64(tags[row])
        if tag == 7 and not nulls:
            continue
        size = fixed_size(tag)
        if size < 0:
            at = np.int64(words[row])
            end = skip_payload(heap, at, heap.size, tag, stack)
            if end < 0:
                return row
            size = end - at
        sizes[row] += 4 + size + extra
    return -1


@kernel
def write_value(tag: Int, word: np.uint64, heap: U8, size: Int, out: U8, at: Int) -> Int:
    """Write one value of ``size`` bytes, tag included; return the position behind it."""
    store_u32(out, at, tag)
    at += 4
    if tag == 1 or tag == 2:
        store_u64(out, at, word)
    elif tag == 0 or tag == 8:
        store_u32(out, at, np.int64(word))
    elif tag == 4:
        out[at] = np.uint8(word)
    elif tag != 7:
        start = np.int64(word)
        for k in range(size - 4):
            out[at + k] = heap[start + k]
    return at + size - 4


@kernel
def write_stream(tags: U8, words: U64, heap: U8, offsets: I64, out: U8) -> None:
    """Write values one after the other, row r at ``offsets[r]``."""
    for row in range(tags.size):
        size = offsets[row + 1] - offsets[row]
        write_value(np.int64(tags[row]), words[row], heap, size, out, offsets[row])


@kernel
def write_pairs(tags: U8, words: U64, heap: U8, nodes: U32, offsets: I64, out: U8) -> None:
    """Write (value, u32) pairs, pair r at ``offsets[r]``."""
    for row in range(tags.size):
        size = offsets[row + 1] - offsets[row] - 4
        at = write_value(np.int64(tags[row]), words[row], heap, size, out, offsets[row])
        store_u32(out, at, np.int64(nodes[row]))


@kernel
def text_heap(offsets: I64, data: U8, out: U8, words: U64) -> None:
    """Write texts as u64 length and bytes; ``words`` is where each stands."""
    at = 0
    for row in range(words.size):
        words[row] = np.uint64(at)
        length = offsets[row + 1] - offsets[row]
        store_u64(out, at, np.uint64(length))
        at += 8
        for k in range(length):
            out[at + k] = data[offsets[row] + k]
        at += length


@kernel
def text_lengths(words: U64, heap: U8, offsets: I64) -> Int:
    """Write the offsets of texts that stand in a heap; the first that does not fit, or -1."""
    offsets[0] = 0
    for row in range(words.size):
        at = np.int64(words[row])
        end = skip_text(heap, at, heap.size) if at >= 0 else TRUNCATED
        if end < 0:
            return row
        offsets[row + 1] = offsets[row] + end - at - 8
    return -1


@kernel
def text_bytes(words: U64, heap: U8, offsets: I64, out: U8) -> None:
    """Copy texts out of a heap."""
    for row in range(words.size):
        at = np.int64(words[row]) + 8
        to = offsets[row]
        for k in range(offsets[row + 1] - to):
            out[to + k] = heap[at + k]
