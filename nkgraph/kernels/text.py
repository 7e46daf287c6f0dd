"""Text columns as offsets and UTF-8 bytes: copy, hash, compare, check, convert.

    offsets  int64  (n + 1,)  row i is data[offsets[i]:offsets[i + 1]]
    data     uint8  (b,)

NumPy's StringDType cannot be read by a kernel, so text passes through matrices: rows of equal
width, UTF-8 bytes one way and UTF-32 code points the other.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32, U64, Bool
from nkgraph.kernels._jit import kernel, kernel_step
from nkgraph.kernels.intrinsics import load_word, prefetch

_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)
_FINISH = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)
_BYTE = np.uint64(255)
AHEAD = 16
"""Rows between the one that is copied and the one that is prefetched."""


@kernel
def take_lengths(offsets: I64, rows: I64, out_offsets: I64) -> int:
    """Write the offsets of the chosen rows; return the bytes they need."""
    total = 0
    out_offsets[0] = 0
    for i in range(rows.size):
        row = rows[i]
        total += offsets[row + 1] - offsets[row]
        out_offsets[i + 1] = total
    return total


@kernel
def take_bytes(offsets: I64, data: U8, rows: I64, out_offsets: I64, out: U8) -> None:
    """Copy the bytes of the chosen rows, those that come soon prefetched.

    Eight bytes a step, so up to seven are written behind a row, where the next row is written
    afterwards: serial.
    """
    for i in range(rows.size):
        if i + AHEAD < rows.size:
            prefetch(data, offsets[rows[i + AHEAD]])
        at = offsets[rows[i]]
        to = out_offsets[i]
        stop = out_offsets[i + 1]
        while to < stop and to + 8 <= out.size and at + 8 <= data.size:
            word = load_word(data, at)
            for k in range(8):
                out[to + k] = np.uint8(word >> np.uint64(8 * k) & _BYTE)
            to += 8
            at += 8
        while to < stop:
            out[to] = data[at]
            to += 1
            at += 1


@kernel
def hash_rows(offsets: I64, data: U8, hashes: U64) -> None:
    """Hash each row, 8 bytes a step. Stored on disk: the result must never change."""
    for row in range(hashes.size):
        start, stop = offsets[row], offsets[row + 1]
        value = np.uint64(stop - start) * _MULTIPLY
        at = start
        while at < stop:
            word = np.uint64(0)
            for k in range(min(8, stop - at)):
                word |= np.uint64(data[at + k]) << np.uint64(8 * k)
            value = (value ^ word) * _MULTIPLY
            value ^= value >> _SHIFT
            at += 8
        value = (value ^ (value >> _SHIFT)) * _FINISH
        hashes[row] = value ^ (value >> _SHIFT)


@kernel
def equal_rows(
    offsets: I64, data: U8, rows: I64, other_offsets: I64, other: U8, other_rows: I64, same: Bool
) -> None:
    """Compare row ``rows[i]`` of one column with ``other_rows[i]`` of another.

    Rows in any order wait for memory twice, for their offsets and their bytes: both are asked for
    some rows ahead.
    """
    last = rows.size - 1
    for i in range(rows.size):
        far, near = min(i + 2 * AHEAD, last), min(i + AHEAD, last)
        prefetch(offsets, np.uint64(rows[far]))
        prefetch(other_offsets, np.uint64(other_rows[far]))
        prefetch(data, np.uint64(offsets[rows[near]]))
        prefetch(other, np.uint64(other_offsets[other_rows[near]]))
        a, b = offsets[rows[i]], other_offsets[other_rows[i]]
        length = offsets[rows[i] + 1] - a
        equal = other_offsets[other_rows[i] + 1] - b == length
        k = 0
        while equal and k < length:
            equal = data[a + k] == other[b + k]
            k += 1
        same[i] = equal


@kernel
def first_bad_offset(offsets: I64, limit: int) -> int:
    """Return the first position where offsets fall or pass ``limit``, or -1."""
    last = 0
    for i in range(offsets.size):
        value = offsets[i]
        if value < last or value > limit:
            return i
        last = value
    return -1


@kernel_step
def _sequence_length(data: U8, at: int, stop: int) -> int:
    """Length of the valid UTF-8 sequence at ``at``; 0 where there is none."""
    first = data[at]
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    length = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
    if at + length > stop:
        return 0
    second = data[at + 1]
    low, high = 0x80, 0xBF
    if first == 0xE0:
        low = 0xA0
    elif first == 0xED:
        high = 0x9F
    elif first == 0xF0:
        low = 0x90
    elif first == 0xF4:
        high = 0x8F
    if second < low or second > high:
        return 0
    for k in range(2, length):
        if data[at + k] & 0xC0 != 0x80:
            return 0
    return length


@kernel
def first_bad_utf8(offsets: I64, data: U8) -> int:
    """Return the first row that is not UTF-8, or -1."""
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            if data[at] < 0x80:
                at += 1
                continue
            length = _sequence_length(data, at, stop)
            if length == 0:
                return row
            at += length
    return -1


@kernel
def gather_matrix(offsets: I64, data: U8, rows: I64, width: int, matrix: U8) -> None:
    """Write chosen rows into a zeroed matrix of ``width`` bytes a row."""
    for i in range(rows.size):
        # Unsigned, so that the compiler need not think of negative positions.
        at = np.uint64(offsets[rows[i]])
        length = np.uint64(min(width, offsets[rows[i] + 1] - offsets[rows[i]]))
        to = np.uint64(i * width)
        for k in range(length):
            matrix[to + k] = data[at + k]


@kernel
def utf8_lengths(points: U32, width: int, counts: I64, rows: I64, sizes: I64) -> int:
    """Write the UTF-8 size of each row of code points; the first row with a surrogate, or -1."""
    for i in range(rows.size):
        size = 0
        for k in range(counts[i]):
            point = points[i * width + k]
            if 0xD800 <= point <= 0xDFFF:
                return i
            size += 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)
        sizes[rows[i]] = size
    return -1


@kernel
def utf8_encode(points: U32, width: int, counts: I64, rows: I64, offsets: I64, data: U8) -> None:
    """Write rows of code points as UTF-8 at their offsets."""
    for i in range(rows.size):
        to = offsets[rows[i]]
        for k in range(counts[i]):
            p = points[i * width + k]
            if p < 0x80:
                data[to] = p
                to += 1
            elif p < 0x800:
                data[to] = 0xC0 | (p >> 6)
                data[to + 1] = 0x80 | (p & 0x3F)
                to += 2
            elif p < 0x10000:
                data[to] = 0xE0 | (p >> 12)
                data[to + 1] = 0x80 | ((p >> 6) & 0x3F)
                data[to + 2] = 0x80 | (p & 0x3F)
                to += 3
            else:
                data[to] = 0xF0 | (p >> 18)
                data[to + 1] = 0x80 | ((p >> 12) & 0x3F)
                data[to + 2] = 0x80 | ((p >> 6) & 0x3F)
                data[to + 3] = 0x80 | (p & 0x3F)
                to += 4
