"""Python values, arrays and text to tagged words and the bytes they append to the heap.

Everything is encoded, and refused where it does not fit, before a byte is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import F64, I64, U8, U64, Bool
from nkgraph.errors import GraphError, LimitError
from nkgraph.storage import files
from nkgraph.storage.sparrowdb.string_heap import LIMIT
from nkgraph.storage.sparrowdb.values import FLOAT, HEAP, INLINE
from nkgraph.storage.text import TextArray

Value: TypeAlias = int | float | bytes | str
"""What a user may give for one value; text is taken as its UTF-8 bytes, a boolean as 0 or 1."""
INT_LIMIT = 1 << 55
MAX_LENGTH = 65_535


@dataclass(frozen=True)
class Encoded:
    """Words, and which of them are values; None if all."""

    words: U64
    present: Bool | None


class HeapTail:
    """Bytes that will be appended to a heap.

    Parameters
    ----------
    size : callable
        Gives the size of the heap; asked when the first byte comes, and only then.
    """

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._parts: list[memoryview] = []
        self._length = 0
        self.base = 0
        """Where the bytes will stand; of no meaning while there are none."""

    def __len__(self) -> int:
        return self._length

    def reserve(self, count: int) -> int:
        """Return where ``count`` more bytes will stand, or refuse them."""
        if count and not self._length:
            self.base = self._size()
        end = self.base + self._length
        if end + count > LIMIT:
            raise LimitError(f"the heap holds {end} bytes, {count} more would pass {LIMIT}")
        return end

    def add(self, data: bytes | U8) -> int:
        """Append bytes; return where they will stand."""
        at = self.reserve(len(data))
        if len(data):
            self._parts.append(files.as_bytes(data))
            self._length += len(data)
        return at

    def joined(self) -> memoryview | bytes:
        """All bytes."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


# -- one value --------------------------------------------------------------------------------


def encode_one(value: object, tail: HeapTail) -> int:
    """Encode one value to its word; what the word points to goes to ``tail``.

    Raises
    ------
    GraphError
        No kind of value that the format has.
    LimitError
        An integer beyond 56 bits, more than 65,535 bytes, or a full heap.
    """
    if isinstance(value, (int, np.integer, np.bool_)):
        number = int(value)
        if not -INT_LIMIT <= number < INT_LIMIT:
            raise LimitError(f"{_shown(number)} does not fit the 56 bits that integers have")
        return number & ((1 << 56) - 1)
    if isinstance(value, (float, np.floating)):
        data, tag = np.float64(value).tobytes(), FLOAT
        if value.dtype.itemsize > 8 if isinstance(value, np.floating) else False:
            raise GraphError(f"{value!r} has more than the 64 bits that floats have")
    else:
        data, tag = _as_bytes(value), HEAP
        if len(data) <= 7 and 0 not in data:
            return INLINE << 56 | int.from_bytes(data, "little")
        if len(data) > MAX_LENGTH:
            raise LimitError(f"a string of {len(data)} bytes: at most {MAX_LENGTH} fit")
    return tag << 56 | len(data) << 40 | tail.add(data)


def _as_bytes(value: object) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise GraphError(f"{value[:40]!r} holds a lone surrogate") from None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    kind = type(value).__name__
    raise GraphError(f"a value is an integer, a float, text or bytes, not {kind}: {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# -- a column ---------------------------------------------------------------------------------


def encode_column(values: object, tail: HeapTail, name: str, intern: bool = False) -> Encoded:
    """Encode a column.

    Parameters
    ----------
    values : array, TextArray or sequence
        Integers, floats, booleans, text, bytes; a sequence or an object array may mix them.
        None, and masked entries, are no values.
    tail : HeapTail
        What words point to is appended to it.
    name : str
        What errors call the column.
    intern : bool
        Whether equal long strings of the column share their bytes.

    Raises
    ------
    GraphError, LimitError
        As ``encode_one``; the row is named.
    """
    if isinstance(values, TextArray):
        return _texts(values, tail, name, intern)
    if isinstance(values, np.ma.MaskedArray):
        gone = np.ma.getmaskarray(values)
        return _spread(~gone, values.data[~gone], tail, name, intern)
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return _array(values, tail, name, intern)
    if isinstance(values, (str, bytes)) or not isinstance(values, (np.ndarray, Sequence)):
        raise GraphError(f"{name}: a column is an array or a sequence, not {_shown(values)}")
    items = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return _objects(items, tail, name, intern)


def _spread(present: Bool, values: object, tail: HeapTail, name: str, intern: bool) -> Encoded:
    """Encode what is there, and put it into its rows."""
    found = encode_column(values, tail, name, intern)
    words = np.zeros(present.size, np.uint64)
    words[present] = found.words
    return Encoded(words, None if present.all() else present)


def _array(values: np.ndarray, tail: HeapTail, name: str, intern: bool) -> Encoded:
    if values.ndim != 1:
        raise GraphError(f"{name}: expected one dimension, found shape {values.shape}")
    kind = values.dtype.kind
    if kind == "b":
        return Encoded(values.astype(np.uint64), None)
    if kind in "iu":
        if kind == "u" and values.size and int(values.max()) >= INT_LIMIT:
            raise _too_wide(values, int((values >= INT_LIMIT).argmax()), name)
        return _ints(values.astype(np.int64), name)
    if kind == "f" and values.dtype.itemsize <= 8:
        return _floats(values.astype(np.float64), tail)
    if kind in "TU":
        return _texts(TextArray.from_strings(values, name), tail, name, intern)
    if kind == "S":
        return _byte_strings(values.tolist(), tail, name, intern)
    raise GraphError(f"{name}: no values for {values.dtype}")


def _ints(values: I64, name: str) -> Encoded:
    words = np.empty(values.size, np.uint64)
    bad = kernels.words.encode_ints(read_only(values), words)
    if bad >= 0:
        raise _too_wide(values, int(bad), name)
    return Encoded(words, None)


def _too_wide(values: Sequence[int] | np.ndarray, row: int, name: str) -> LimitError:
    shown = _shown(int(values[row]))
    return LimitError(f"{name}: row {row}: {shown} does not fit the 56 bits that integers have")


def _floats(values: F64, tail: HeapTail) -> Encoded:
    base = tail.add(read_only(values).view(np.uint8))
    words = np.arange(values.size, dtype=np.uint64)
    words *= np.uint64(8)
    words += np.uint64(FLOAT << 56 | 8 << 40 | base)
    return Encoded(words, None)


def _texts(text: TextArray, tail: HeapTail, name: str, intern: bool) -> Encoded:
    if intern:
        kept, row_of = distinct(text)
        if kept.size < len(text):
            found = _texts(text.take(kept), tail, name, False)
            return Encoded(found.words[row_of], None)
    need = np.zeros(1, np.int64)
    bad = int(kernels.words.heap_need(text.offsets, text.data, need))
    if bad >= 0:
        size = int(text.offsets[bad + 1] - text.offsets[bad])
        raise LimitError(f"{name}: row {bad}: a string of {size} bytes: at most {MAX_LENGTH} fit")
    base = tail.reserve(int(need[0]))
    words, heap = np.empty(len(text), np.uint64), np.empty(int(need[0]), np.uint8)
    kernels.words.encode_texts(text.offsets, text.data, base, words, heap)
    tail.add(heap)
    return Encoded(words, None)


def distinct(text: TextArray) -> tuple[I64, I64]:
    """Find equal rows: the rows to keep, ascending, and for each row its place among these."""
    count = len(text)
    hashes = text.hashes()
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.ones(count, bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    owner = np.empty(count, np.int64)
    owner[order] = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    rows = np.arange(count)
    owner = np.where(text.equals(rows, text, owner), owner, rows)  # one hash, two texts: both stay
    kept = np.flatnonzero(owner == rows)
    places = np.empty(count, np.int64)
    places[kept] = np.arange(kept.size)
    return kept, places[owner]


def _byte_strings(items: Sequence[bytes], tail: HeapTail, name: str, intern: bool) -> Encoded:
    offsets = np.zeros(len(items) + 1, np.int64)
    np.cumsum([len(item) for item in items], out=offsets[1:])
    text = TextArray(offsets, np.frombuffer(b"".join(items), np.uint8))
    return _texts(text, tail, name, intern)


def _objects(items: list[object], tail: HeapTail, name: str, intern: bool) -> Encoded:
    kinds = set(map(type, items))
    if type(None) in kinds:
        present = np.array([item is not None for item in items])
        return _spread(present, [v for v in items if v is not None], tail, name, intern)
    if kinds == {str}:
        return _texts(TextArray.from_strings(items, name), tail, name, intern)
    if kinds == {bytes}:
        return _byte_strings([v for v in items if isinstance(v, bytes)], tail, name, intern)
    if kinds == {float}:
        return _floats(np.array(items, np.float64), tail)
    if kinds == {int}:
        try:
            return _ints(np.array(items, np.int64), name)
        except OverflowError:
            pass  # the loop below names the row
    words = np.empty(len(items), np.uint64)
    for row, item in enumerate(items):
        try:
            words[row] = encode_one(item, tail)
        except (GraphError, LimitError) as error:
            raise type(error)(f"{name}: row {row}: {error}") from None
    return Encoded(words, None)
