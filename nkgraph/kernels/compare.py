"""Compare the rows of a text column with one text, or with rows of another.

    offsets  int64  (n + 1,)  row i is data[offsets[i]:offsets[i + 1]], UTF-8
    data     uint8  (b,)

The order of UTF-8 bytes is that of code points. Eight bytes are compared at once, as the number
that they are with the first byte on top; a short text is filled up with zeros, and where that
makes two texts equal they are compared byte by byte.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, Bool, Int
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.intrinsics import load_word, prefetch

AHEAD = 16
_8 = np.uint64(8)
_16 = np.uint64(16)
_32 = np.uint64(32)
_64 = np.uint64(64)
_BYTES = np.uint64(0x00FF00FF00FF00FF)
_PAIRS = np.uint64(0x0000FFFF0000FFFF)


@inlined
def _turned(word: np.uint64) -> np.uint64:
    """Reverse the bytes of a word."""
    word = ((word >> _8) & _BYTES) | ((word & _BYTES) << _8)
    word = ((word >> _16) & _PAIRS) | ((word & _PAIRS) << _16)
    return (word >> _32) | (word << _32)


@inlined
def _head(data: U8, at: np.int64, size: np.int64) -> np.uint64:
    """First eight bytes of a text as a number, the first byte on top; zeros after its end."""
    if at + 8 <= data.size:
        word = _turned(load_word(data, at))
        if size >= 8:
            return word
        return word & ~(~np.uint64(0) >> (_8 * np.uint64(size))) if size > 0 else np.uint64(0)
    word = np.uint64(0)
    for k in range(min(int(size), 8)):
        word |= np.uint64(data[at + k]) << (_64 - _8 * np.uint64(k + 1))
    return word


@kernel
def compare_text(
    offsets: I64,
    data: U8,
    wanted: U8,
    below: bool,
    equal: bool,
    above: bool,
    start: Int,
    stop: Int,
    found: Bool,
) -> None:
    """Write for each row of a range whether it has one of the wanted orders.

    Parameters
    ----------
    offsets, data : the column; ascending offsets, of which none passes ``data.size``
    wanted : (s,) uint8
        The text to compare with.
    below, equal, above : bool
        What to write for a row that comes before it, is the same, comes after it.
    found : (n,) bool, written in place
    """
    size = np.int64(wanted.size)
    head = _head(wanted, np.int64(0), size)
    for row in range(start, stop):
        at = offsets[row]
        length = offsets[row + 1] - at
        first = _head(data, at, length)
        if first != head:
            found[row] = below if first < head else above
            continue
        k = np.int64(0)
        while k < length and k < size and data[at + k] == wanted[k]:
            k += 1
        if k == length or k == size:
            found[row] = equal if length == size else (below if k == length else above)
        else:
            found[row] = below if data[at + k] < wanted[k] else above


@kernel
def equal_pairs(
    offsets: I64,
    data: U8,
    rows: I64,
    other_offsets: I64,
    other: U8,
    other_rows: I64,
    start: Int,
    stop: Int,
    same: Bool,
) -> None:
    """Write for a range of pairs whether ``rows[i]`` equals ``other_rows[i]`` of another column.

    The others are in no order: what is needed of them soon is prefetched, first their offsets.
    """
    for i in range(start, stop):
        if i + 2 * AHEAD < stop:
            prefetch(other_offsets, other_rows[i + 2 * AHEAD])
        if i + AHEAD < stop:
            prefetch(other, other_offsets[other_rows[i + AHEAD]])
        a, b = offsets[rows[i]], other_offsets[other_rows[i]]
        length = offsets[rows[i] + 1] - a
        equal = other_offsets[other_rows[i] + 1] - b == length
        k = np.int64(0)
        while equal and k < length:
            equal = data[a + k] == other[b + k]
            k += 1
        same[i] = equal
