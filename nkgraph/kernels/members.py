"""Sets of 64-bit words, and which rows of a column are in one.

    slots   uint64  (capacity,)      a word, or 0 where the slot is free: 0 itself is in no slot
    places  uint32  (capacity,)      row that the word in the slot came from
    bits    uint64  (capacity / 8,)  eight bits a slot: one for each word, by the same hash

Open addressing with linear probing.
``capacity`` is a power of two, at least twice the words; the home slot of a word is its hash
shifted right by ``shift``, which is 64 - log2(capacity), and its bit by three less. Most words of
other sets are ruled out by their bit, which is in the cache where the slot is not.

Words of floats are made one where the floats are equal: ``real`` says to take -0.0 for 0.0.

A set of few words is ``wanted``, uint64 (16 * k,), filled up by repeating one of them.
"""

import numpy as np

from nkgraph.dtypes import I64, U32, U64, Bool, Int
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.intrinsics import match16, prefetch, prefetch_write

GROUP = 128
AHEAD = 16
_MIX_1 = np.uint64(0x9E3779B97F4A7C15)
_MIX_2 = np.uint64(0xD6E8FEB86659FD93)
_0 = np.uint64(0)
_1 = np.uint64(1)
_3 = np.uint64(3)
_6 = np.uint64(6)
_16 = np.uint64(16)
_32 = np.uint64(32)
_63 = np.uint64(63)
_SIGN = np.uint64(1 << 63)


@inlined
def _mix(word: np.uint64) -> np.uint64:
    """Spread a word over 64 bits; the high bits are the good ones."""
    word = (word ^ (word >> _32)) * _MIX_1
    return (word ^ (word >> _32)) * _MIX_2


@inlined
def _one_zero(word: np.uint64, real: bool) -> np.uint64:
    return _0 if real and word == _SIGN else word


@kernel
def insert_words(words: U64, real: bool, shift: Int, slots: U64, places: U32, bits: U64) -> None:
    """Put words into an empty set, each once; 0 is left out. O(words)."""
    by = np.uint64(shift)
    mask = np.uint64(slots.size) - _1
    last = np.uint64(words.size) - _1
    for row in range(np.uint64(words.size)):
        ahead = _mix(words[min(row + np.uint64(AHEAD), last)]) >> by
        prefetch_write(slots, ahead)
        word = _one_zero(words[row], real)
        if word == _0:
            continue
        code = _mix(word)
        bit = code >> (by - _3)
        bits[bit >> _6] |= _1 << (bit & _63)
        slot = code >> by
        while slots[slot] != _0 and slots[slot] != word:
            slot = (slot + _1) & mask
        if slots[slot] == _0:
            slots[slot] = word
            places[slot] = np.uint32(row)


@kernel
def find_words(
    words: U64,
    real: bool,
    with_zero: bool,
    shift: Int,
    slots: U64,
    bits: U64,
    start: Int,
    stop: Int,
    found: Bool,
) -> None:
    """Write for each row of a range whether its word is in the set, or is 0 ``with_zero``."""
    by = np.uint64(shift)
    mask = np.uint64(slots.size) - _1
    rows = np.empty(GROUP, np.uint64)
    for first in range(start, stop, GROUP):
        count = _0
        for row in range(np.uint64(first), np.uint64(min(first + GROUP, stop))):
            word = _one_zero(words[row], real)
            found[row] = with_zero and word == _0
            bit = _mix(word) >> (by - _3)
            rows[count] = row
            count += (bits[bit >> _6] >> (bit & _63)) & np.uint64(word != _0)
        for lane in range(count):
            prefetch(slots, _mix(_one_zero(words[rows[lane]], real)) >> by)
        for lane in range(count):
            word = _one_zero(words[rows[lane]], real)
            slot = _mix(word) >> by
            while slots[slot] != _0 and slots[slot] != word:
                slot = (slot + _1) & mask
            found[rows[lane]] = slots[slot] == word


@kernel
def place_words(words: U64, shift: Int, slots: U64, places: U32, found: I64) -> None:
    """Write the place of each word, all of which are in the set and none of which is -0.0."""
    by = np.uint64(shift)
    mask = np.uint64(slots.size) - _1
    for row in range(words.size):
        slot = _mix(words[row]) >> by
        while slots[slot] != _0 and slots[slot] != words[row]:
            slot = (slot + _1) & mask
        found[row] = np.int64(places[slot])


@kernel
def find_few(words: U64, real: bool, wanted: U64, start: Int, stop: Int, found: Bool) -> None:
    """Write for each row of a range whether its word is among ``wanted``."""
    for row in range(start, stop):
        word = _one_zero(words[row], real)
        seen = False
        for at in range(_0, np.uint64(wanted.size), _16):
            seen |= match16(wanted, at, word) < _16
        found[row] = seen
