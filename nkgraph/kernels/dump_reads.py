"""Read a dump that has been walked (``nkgraph.kernels.dump``): nothing is checked again."""

from typing import Final

import numpy as np

from nkgraph.dtypes import I8, U8, Int
from nkgraph.kernels import dump_steps as s
from nkgraph.kernels._jit import lean_inlined, lean_step
from nkgraph.kernels.intrinsics import load_word

_ONES: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@lean_step
def _long_number(data: U8, at: Int) -> tuple[np.uint64, Int]:
    value, shift = np.uint64(0), np.uint64(0)
    byte = np.uint64(128)
    while byte >= 128:
        byte = np.uint64(s.byte_at(data, at))
        value |= (byte & np.uint64(127)) << shift
        shift += np.uint64(7)
        at += 1
    return value, at


@lean_inlined
def number_at(data: U8, at: Int) -> tuple[np.uint64, Int]:
    """Read a varint of 64 bits; return it and the byte behind."""
    byte = s.byte_at(data, at)
    if byte < 128:
        return np.uint64(byte), at + 1
    return _long_number(data, at)


@lean_inlined
def length_at(data: U8, at: Int) -> tuple[Int, Int]:
    """Read a varint of 32 bits likewise."""
    byte = s.byte_at(data, at)
    if byte < 128:
        return byte, at + 1
    value, behind = _long_number(data, at)
    return np.int64(value & np.uint64(0xFFFFFFFF)), behind


@lean_step
def _skip_rare(step: Int, data: U8, at: Int) -> Int:
    if step == s.FLOATS:
        size, at = length_at(data, at)
        return at + 4 * size
    if step == s.ADDRESS:
        return at + (5 if s.byte_at(data, at) == 4 else 17)
    if step == s.PACKED_TEXT or step == s.PACKED_BYTES:
        _, at = length_at(data, at)
        size, at = length_at(data, at)
        return at + size
    return number_at(data, at)[1]


@lean_inlined
def skip_value(data: U8, at: Int, steps: I8) -> Int:
    """Return the byte behind a value, whose code is at ``at``."""
    pending: Int = 1
    while pending > 0:
        pending -= 1
        place = np.uint64(s.STEPS * s.byte_at(data, at))
        at += 1
        step = np.int64(steps[place])
        while step != s.END:
            if step > 0:
                at += step
            elif step == s.FLAG:
                at += 1
            elif step <= s.TEXT and step >= s.LONG_BYTES:
                size, at = length_at(data, at)
                at += size
            elif step == s.ARRAY:
                count, at = length_at(data, at)
                pending += count
            else:
                at = _skip_rare(step, data, at)
            place += np.uint64(1)
            step = np.int64(steps[place])
    return at


@lean_inlined
def entity_at(data: U8, place: Int, magic: Int) -> Int:
    """Return where the entity of an item begins; ``magic`` is that of records, or -1."""
    if magic < 0:
        return place
    if s.u32_at(data, place) >= 8 and s.u32_at(data, place + 4) == magic:
        return place + 12
    return place + 4


@lean_inlined
def kind_at(data: U8, place: Int, magic: Int) -> Int:
    """Return where the payload of an entity's kind begins."""
    return number_at(data, entity_at(data, place, magic))[1] + 1


@lean_inlined
def properties_at(data: U8, at: Int, steps: I8) -> tuple[Int, Int]:
    """Return where the properties of data begin, or -1, and the weight before them, or -1."""
    place = s.STEPS * (s.DATA + s.byte_at(data, at))
    weight: Int = -1
    at += 1
    if steps[place] > 0 and steps[place + 1] == s.PROPERTIES:
        weight = at
        at += np.int64(steps[place])
        place += 1
    if steps[place] == s.PROPERTIES:
        return at, weight
    return -1, -1


@lean_inlined
def word_of(data: U8, at: Int, size: Int) -> np.uint64:
    """Read at most eight bytes as one word, zeros above them."""
    if size <= 0:
        return np.uint64(0)
    if at + 8 <= data.size:
        return load_word(data, at) & (_ONES >> np.uint64(64 - 8 * size))
    word = np.uint64(0)
    for step in range(size):
        word |= np.uint64(s.byte_at(data, at + step)) << np.uint64(8 * step)
    return word


@lean_inlined
def same_bytes(data: U8, at: Int, other: Int, size: Int) -> bool:
    """Say whether two runs of bytes are equal."""
    while size > 8:
        if load_word(data, at) != load_word(data, other):
            return False
        at += 8
        other += 8
        size -= 8
    return bool(word_of(data, at, size) == word_of(data, other, size))
