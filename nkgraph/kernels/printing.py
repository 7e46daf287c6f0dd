"""Columns of texts to lines of bytes: replace bytes, and put fields side by side.

    offsets  int64  (n + 1,)   row i is data[offsets[i]:offsets[i + 1]]
    data     uint8  (b,)

A table of replacements is such a column of 256 rows: what each byte becomes.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, Bool
from nkgraph.kernels._jit import kernel


@kernel
def measure_replaced(offsets: I64, data: U8, table: I64, out_offsets: I64) -> None:
    """Write where each row will lie when its bytes are replaced; ``table`` are its offsets."""
    out_offsets[0] = 0
    for row in range(offsets.size - 1):
        size = np.int64(0)
        for at in range(offsets[row], offsets[row + 1]):
            size += table[np.int64(data[at]) + 1] - table[data[at]]
        out_offsets[row + 1] = out_offsets[row] + size


@kernel
def replace_bytes(
    offsets: I64, data: U8, table: I64, table_data: U8, out_offsets: I64, out: U8
) -> None:
    """Copy rows, each byte replaced; ``measure_replaced`` made ``out_offsets``."""
    for row in range(offsets.size - 1):
        to = out_offsets[row]
        for at in range(offsets[row], offsets[row + 1]):
            for k in range(table[data[at]], table[np.int64(data[at]) + 1]):
                out[to] = table_data[k]
                to += 1


@kernel
def find_bytes(offsets: I64, data: U8, wanted: Bool, found: Bool) -> None:
    """Say which rows hold a byte of ``wanted``, (256,)."""
    for row in range(found.size):
        found[row] = False
        for at in range(offsets[row], offsets[row + 1]):
            if wanted[data[at]]:
                found[row] = True
                break


@kernel
def place_texts(offsets: I64, data: U8, cursor: I64, out: U8) -> None:
    """Copy row i to ``out`` from ``cursor[i]`` on, and move the cursor behind it."""
    for row in range(cursor.size):
        to = cursor[row]
        for at in range(offsets[row], offsets[row + 1]):
            out[to] = data[at]
            to += 1
        cursor[row] = to


@kernel
def place_constant(text: U8, shown: Bool, cursor: I64, out: U8) -> None:
    """Copy ``text`` to the rows that are ``shown``."""
    for row in range(cursor.size):
        if shown[row]:
            to = cursor[row]
            for at in range(text.size):
                out[to + at] = text[at]
            cursor[row] = to + text.size


@kernel
def find_plain_integers(offsets: I64, data: U8, found: Bool) -> None:
    """Say which rows are integers of 64 bits in their one plain form: no sign but -, no zeros."""
    for row in range(found.size):
        at = offsets[row]
        stop = offsets[row + 1]
        found[row] = False
        negative = stop > at and data[at] == 45
        if negative:
            at += 1
        length = stop - at
        if length < 1 or length > 19 or (data[at] == 48 and (length > 1 or negative)):
            continue
        value = np.uint64(0)
        others = 0
        for k in range(at, stop):
            digit = np.uint8(data[k] - 48)
            others += int(digit > 9)
            value = value * np.uint64(10) + np.uint64(digit)
        found[row] = others == 0 and value <= np.uint64(0x7FFFFFFFFFFFFFFF) + np.uint64(negative)


@kernel
def find_no_xml(offsets: I64, data: U8, found: Bool) -> None:
    """Say which rows hold a character that XML 1.0 has no place for."""
    for row in range(found.size):
        found[row] = False
        stop = offsets[row + 1]
        for at in range(offsets[row], stop):
            byte = data[at]
            if byte < 32 and byte != 9 and byte != 10 and byte != 13:
                found[row] = True
            # U+FFFE and U+FFFF are EF BF BE and EF BF BF
            if byte == 0xEF and at + 2 < stop and data[at + 1] == 0xBF and data[at + 2] >= 0xBE:
                found[row] = True
