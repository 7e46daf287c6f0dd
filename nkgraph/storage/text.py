"""A column of text as offsets and UTF-8 bytes, and its way to and from NumPy."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, TEXT, U8, U64, Bool
from nkgraph.errors import GraphError

_FEW = 64
"""Up to so many rows, plain Python beats loading kernels."""


_STEP = 1 << 24
"""Items of a matrix that is made at once."""
_PADDING = 4
"""Rows of one width, of all rows at once, may take so many times the bytes of the rows."""


class TextArray:
    """Row i is ``data[offsets[i]:offsets[i + 1]]``, UTF-8.

    Parameters
    ----------
    offsets : (n + 1,) int64
        From 0, ascending, up to at most ``data.size``; the caller has checked that.
    data : (b,) uint8
    """

    def __init__(self, offsets: I64, data: U8) -> None:
        self.offsets: I64 = read_only(np.asarray(offsets, np.int64))
        self.data: U8 = read_only(data)

    def __len__(self) -> int:
        return int(self.offsets.size) - 1

    @property
    def nbytes(self) -> int:
        """Bytes that the two arrays take."""
        return int(self.offsets.nbytes + self.data.nbytes)

    @classmethod
    def empty(cls, length: int = 0) -> "TextArray":
        """Return ``length`` empty texts."""
        return cls(np.zeros(length + 1, np.int64), np.zeros(0, np.uint8))

    @classmethod
    def from_strings(cls, strings: object, name: str = "text") -> "TextArray":
        """Encode texts: an array of StringDType, U or str objects, or a sequence of str.

        Raises
        ------
        GraphError
            A text holds a lone surrogate: it has no UTF-8. Names ``name`` and the row.
        """
        array = _as_text(strings, name)
        if array.size <= _FEW:
            return cls._from_few(array.tolist())
        counts = np.strings.str_len(array).astype(np.int64)
        sizes = np.zeros(array.size, np.int64)
        buckets = list(_buckets(counts))
        for rows, width in buckets:
            points = _points(array, rows, width)
            bad = kernels.text.utf8_lengths(points, width, counts[rows], rows, sizes)
            if bad >= 0:
                raise GraphError(f"{name}: row {rows[bad]} holds a lone surrogate")
        offsets = np.zeros(array.size + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        data = np.empty(int(offsets[-1]), np.uint8)
        for rows, width in buckets:
            points = _points(array, rows, width)
            kernels.text.utf8_encode(points, width, counts[rows], rows, offsets, data)
        return cls(offsets, data)

    @classmethod
    def from_list(cls, strings: Sequence[str], name: str = "text") -> "TextArray":
        """Encode str objects, without a detour through NumPy: no more than C does for each.

        Raises
        ------
        GraphError
            As ``from_strings``.
        """
        joined = "".join(strings)
        try:
            data = joined.encode()
        except UnicodeEncodeError:
            return cls.from_strings(strings, name)  # words the error
        encoded = strings if len(data) == len(joined) else map(str.encode, strings)
        offsets = np.zeros(len(strings) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(strings)), out=offsets[1:])
        return cls(offsets, np.frombuffer(data, np.uint8))

    @classmethod
    def _from_few(cls, strings: Sequence[str]) -> "TextArray":
        encoded = [string.encode() for string in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(item) for item in encoded], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(encoded), np.uint8))

    def to_strings(self) -> np.ndarray:
        """Decode to StringDType, (n,); allocates 16 bytes a row and the bytes of long texts."""
        result: np.ndarray = np.zeros(len(self), TEXT)
        if len(self) <= _FEW:
            data = self.data.tobytes()
            edges = self.offsets.tolist()
            result[:] = [data[start:stop].decode() for start, stop in pairwise(edges)]
            return result
        lengths = np.diff(self.offsets)
        width = max(int(lengths.max()), 1)
        if width * len(self) <= min(_PADDING * int(lengths.sum()), _STEP):
            result = self._decode(np.arange(len(self)), width)
        else:
            for rows, width in _buckets(lengths):
                result[rows] = self._decode(rows, width)
        # A fixed-width row cannot tell a NUL at the end of a text from its own padding.
        last = self.offsets[1:][lengths > 0] - 1
        for row in np.flatnonzero(lengths > 0)[self.data[last] == 0]:
            start, stop = self.offsets[row], self.offsets[row + 1]
            result[row] = self.data[start:stop].tobytes().decode()
        return result

    def _decode(self, rows: I64, width: int) -> np.ndarray:
        """Decode rows of at most ``width`` bytes; NULs at their ends are lost."""
        matrix = np.zeros(rows.size * width, np.uint8)
        kernels.text.gather_matrix(self.offsets, self.data, rows, width, matrix)
        return matrix.view(f"S{width}").astype(TEXT)

    def take(self, rows: I64) -> "TextArray":
        """Return the chosen rows."""
        rows = read_only(np.asarray(rows, np.int64))
        offsets = np.empty(rows.size + 1, np.int64)
        size = kernels.text.take_lengths(self.offsets, rows, offsets)
        data = np.empty(size, np.uint8)
        kernels.text.take_bytes(self.offsets, self.data, rows, offsets, data)
        return TextArray(offsets, data)

    @classmethod
    def concatenate(cls, parts: Iterable["TextArray"]) -> "TextArray":
        """Put columns one after the other."""
        parts = list(parts)
        offsets, base = [np.zeros(1, np.int64)], 0
        for part in parts:
            first = part.offsets[0]
            offsets.append(part.offsets[1:] - first + base)
            base += int(part.offsets[-1] - first)
        data = [part.data[part.offsets[0] : part.offsets[-1]] for part in parts]
        return cls(np.concatenate(offsets), np.concatenate([np.zeros(0, np.uint8), *data]))

    def hashes(self) -> U64:
        """Hash each row, (n,) uint64. Files hold these: the function never changes."""
        hashes = np.empty(len(self), np.uint64)
        kernels.text.hash_rows(self.offsets, self.data, hashes)
        return hashes

    def equals(self, rows: I64, other: "TextArray", other_rows: I64) -> Bool:
        """Say which of ``rows`` equal their partners in ``other``."""
        same = np.empty(len(rows), bool)
        mine = read_only(np.asarray(rows, np.int64))
        theirs = read_only(np.asarray(other_rows, np.int64))
        compare = kernels.text.equal_rows
        threads.run([
            partial(
                compare, self.offsets, self.data, mine[a:b],
                other.offsets, other.data, theirs[a:b], same[a:b],
            )
            for a, b in threads.split(mine.size)
        ])  # fmt: skip
        return same

    def starts_with(self, prefix: str) -> Bool:
        """Say which rows start with a text."""
        found = np.empty(len(self), bool)
        wanted = read_only(np.frombuffer(prefix.encode(), np.uint8))
        kernels.text_keys.starts_with(self.offsets, self.data, wanted, found)
        return found

    def first_bad(self) -> int:
        """Return the first row that is not UTF-8, or -1."""
        return int(kernels.text.first_bad_utf8(self.offsets, self.data))


def _as_text(strings: object, name: str) -> np.ndarray:
    array = np.asarray(strings)
    if array.size == 0:
        return np.zeros(0, TEXT)
    if array.dtype.kind == "O" or isinstance(strings, (list, tuple)):
        try:
            return np.array(strings, TEXT)
        except UnicodeEncodeError:
            values = list(np.asarray(strings, object))
            row = next(i for i, v in enumerate(values) if not _encodes(v))
            raise GraphError(f"{name}: row {row} holds a lone surrogate") from None
    if array.dtype.kind == "U":
        points = array.view("u4") if array.flags.c_contiguous else array.copy().view("u4")
        surrogate = (points >= 0xD800) & (points <= 0xDFFF)
        if surrogate.any():
            row = int(np.argmax(surrogate)) // (array.dtype.itemsize // 4)
            raise GraphError(f"{name}: row {row} holds a lone surrogate")
    return array.astype(TEXT)


def _encodes(value: object) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _buckets(lengths: I64) -> Iterable[tuple[I64, int]]:
    """Yield (rows, width) of rows whose length is in (width / 2, width]; empty rows in none."""
    width, longest = 8, int(lengths.max(initial=0))
    low = 0
    while low < longest:
        rows = np.flatnonzero((lengths > low) & (lengths <= width))
        if rows.size:
            # Bounded steps: a matrix of one step takes at most 64 MiB, or one row.
            step = max(1, _STEP // width)
            for start in range(0, rows.size, step):
                yield rows[start : start + step], width
        low, width = width, 2 * width


def _points(array: np.ndarray, rows: I64, width: int) -> np.ndarray:
    return array[rows].astype(f"U{width}").view(np.uint32)
