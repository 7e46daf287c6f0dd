"""Columns to text: what values are written as, and lines put together from columns of texts.

Nothing here loops over rows in Python: columns are cut in steps, and kernels copy their bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, Bool
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.text import TextArray

STEP = 1 << 16
"""Rows that are written at once."""
Piece: TypeAlias = "TextArray | bytes | tuple[bytes, Bool]"
"""Part of each line: a text a row, the same for all rows, or for the rows that are chosen."""


def steps(count: int) -> Iterator[I64]:
    """Yield the rows of each step."""
    for start in range(0, count, STEP):
        yield np.arange(start, min(start + STEP, count))


def lines(pieces: Sequence[Piece], count: int) -> TextArray:
    """Put ``count`` lines together: the pieces of each row, one after the other."""
    sizes = np.zeros(count, np.int64)
    for piece in pieces:
        if isinstance(piece, TextArray):
            sizes += np.diff(piece.offsets)
        elif isinstance(piece, bytes):
            sizes += len(piece)
        else:
            sizes += len(piece[0]) * piece[1]
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    cursor = offsets[:-1].copy()
    every = read_only(np.ones(count, bool))
    for piece in pieces:
        if isinstance(piece, TextArray):
            kernels.printing.place_texts(piece.offsets, piece.data, cursor, out)
        else:
            text, shown = (piece, every) if isinstance(piece, bytes) else piece
            constant = read_only(np.frombuffer(text, np.uint8))
            kernels.printing.place_constant(constant, read_only(shown), cursor, out)
    return TextArray(offsets, out)


class Replacement:
    """Bytes, and what is written for them."""

    def __init__(self, table: Mapping[str, str]) -> None:
        rows = [bytes([byte]) for byte in range(256)]
        for character, text in table.items():
            rows[ord(character)] = text.encode()
        self._offsets: I64 = np.zeros(257, np.int64)
        np.cumsum([len(row) for row in rows], out=self._offsets[1:])
        self._offsets.flags.writeable = False
        self._data: U8 = np.frombuffer(b"".join(rows), np.uint8)
        self._wanted = np.zeros(256, bool)
        self._wanted[[ord(character) for character in table]] = True

    def __call__(self, text: TextArray) -> TextArray:
        """Return the texts as they are written."""
        if not self.needed(text).any():
            return text
        offsets = np.empty(len(text) + 1, np.int64)
        kernels.printing.measure_replaced(text.offsets, text.data, self._offsets, offsets)
        data = np.empty(int(offsets[-1]), np.uint8)
        kernels.printing.replace_bytes(
            text.offsets, text.data, self._offsets, read_only(self._data), offsets, data
        )
        return TextArray(offsets, data)

    def needed(self, text: TextArray) -> Bool:
        """Say which texts hold a byte that is replaced."""
        return holding(text, self._wanted)


def holding(text: TextArray, wanted: Bool) -> Bool:
    """Say which texts hold one of some bytes, ``wanted`` (256,)."""
    found = np.empty(len(text), bool)
    kernels.printing.find_bytes(text.offsets, text.data, read_only(wanted), found)
    return found


def byte_set(characters: str) -> Bool:
    """Return (256,) bool: the bytes of ASCII characters."""
    wanted = np.zeros(256, bool)
    wanted[[ord(character) for character in characters]] = True
    return wanted


def plain_integers(text: TextArray) -> Bool:
    """Say which texts are what an integer of 64 bits is written as."""
    found = np.empty(len(text), bool)
    kernels.printing.find_plain_integers(text.offsets, text.data, found)
    return found


def no_xml(text: TextArray) -> Bool:
    """Say which texts hold a character that XML 1.0 cannot."""
    found = np.empty(len(text), bool)
    kernels.printing.find_no_xml(text.offsets, text.data, found)
    return found


def printed(column: AnyColumn) -> TextArray:
    """Write the values of a column of one kind; absent ones are empty.

    Integers and floats in the shortest form that reads as the same number, dates in ISO 8601.
    """
    if isinstance(column, TextColumn):
        text = column.text
    else:
        assert isinstance(column, FixedColumn), "a column of one kind"
        text = _numbers(column)
    if column.valid is None or not len(text):
        return text
    places = np.where(column.valid, np.arange(len(text)), len(text))
    return TextArray.concatenate([text, TextArray.empty(1)]).take(places)


def _numbers(column: FixedColumn) -> TextArray:
    if column.kind == "bool":
        words = TextArray.from_list(["false", "true"])
        return words.take(column.data.astype(np.int64))
    if column.kind in ("date", "timestamp"):
        from nkgraph.storage.columns import to_values

        return to_values(FixedColumn(column.kind, column.data, None)).texts()
    return of_bytes(column.data.astype("S32" if column.kind == "float64" else "S21"))


def of_bytes(array: np.ndarray) -> TextArray:
    """Turn an array of fixed-width bytes without NULs into texts."""
    width = array.dtype.itemsize
    matrix = np.ascontiguousarray(array).view(np.uint8).reshape(-1, width)
    there = matrix != 0
    offsets = np.zeros(array.size + 1, np.int64)
    np.cumsum(there.sum(axis=1), out=offsets[1:])
    return TextArray(offsets, matrix[there])
