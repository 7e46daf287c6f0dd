"""Values of any kind: a tag, a word, and a heap for what does not fit a word.

This is the form that files of kglite hold (``formats``: bincode ``Value``) and the common ground
for columns that mix kinds. Layout and tags: ``nkgraph.kernels.values``.
"""

import datetime
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U64, Bool
from nkgraph.errors import FormatError
from nkgraph.storage.text import TextArray

UNIQUE_ID, INT, FLOAT, TEXT, BOOL, DATE, POINT, NULL = range(8)
DURATION, NODE, RELATIONSHIP, PATH, LIST, MAP, TIMESTAMP = range(9, 16)
KINDS = {
    UNIQUE_ID: "unique id", INT: "integer", FLOAT: "float", TEXT: "text", BOOL: "boolean",
    DATE: "date", POINT: "point", NULL: "null", DURATION: "duration", NODE: "node",
    RELATIONSHIP: "relationship", PATH: "path", LIST: "list", MAP: "map", TIMESTAMP: "timestamp",
}  # fmt: skip
INLINE = (UNIQUE_ID, INT, FLOAT, BOOL, NULL)
"""Tags whose payload is the word itself."""
POINT_KEYS = frozenset({"latitude", "longitude"})


class Duration(NamedTuple):
    """A span of time in calendar months, days and seconds."""

    months: int
    days: int
    seconds: int


DURATIONS = np.dtype([("months", "<i4"), ("days", "<i4"), ("seconds", "<i8")])
POINTS = np.dtype([("latitude", "<f8"), ("longitude", "<f8")])


class Values:
    """Rows of values; immutable.

    Parameters
    ----------
    tags : (n,) uint8
    words : (n,) uint64
    heap : (h,) uint8
        May be a file: rows of a stream point into it.
    """

    def __init__(self, tags: U8, words: U64, heap: U8) -> None:
        self.tags: U8 = read_only(tags)
        self.words: U64 = read_only(words)
        self.heap: U8 = read_only(heap)

    def __len__(self) -> int:
        return int(self.tags.size)

    @classmethod
    def nulls(cls, count: int) -> "Values":
        """Return ``count`` absent values."""
        tags = np.full(count, NULL, np.uint8)
        return cls(tags, np.zeros(count, np.uint64), np.zeros(0, np.uint8))

    def take(self, rows: I64) -> "Values":
        """Return the chosen rows; the heap is shared."""
        return Values(self.tags[rows], self.words[rows], self.heap)

    @classmethod
    def concatenate(cls, parts: Sequence["Values"]) -> "Values":
        """Put rows one after the other."""
        words, base = [], 0
        for part in parts:
            moved = part.words.copy()
            moved[~np.isin(part.tags, INLINE)] += np.uint64(base)
            words.append(moved)
            base += part.heap.size
        return cls(
            np.concatenate([part.tags for part in parts]),
            np.concatenate(words),
            np.concatenate([part.heap for part in parts]),
        )

    def texts(self) -> TextArray:
        """Return the payloads of rows that are all of text form (text, date, timestamp)."""
        offsets = np.empty(len(self) + 1, np.int64)
        if kernels.values.text_lengths(self.words, self.heap, offsets) >= 0:
            raise AssertionError("values were walked when they were read")
        data = np.empty(int(offsets[-1]), np.uint8)
        kernels.values.text_bytes(self.words, self.heap, offsets, data)
        return TextArray(offsets, data)

    def records(self, dtype: np.dtype) -> np.ndarray:
        """Return the payloads of rows that are all of one fixed width, ``dtype``; (n,)."""
        at = self.words.astype(np.int64)[:, None] + np.arange(dtype.itemsize)
        if at.size and int(at[:, -1].max()) >= self.heap.size:
            raise AssertionError("values were walked when they were read")
        records: np.ndarray = self.heap[at].view(dtype).reshape(len(self))
        return records

    def sizes(self, extra: int = 0) -> I64:
        """Return the encoded size of each row, (n,), with ``extra`` bytes more."""
        sizes = np.zeros(len(self), np.int64)
        bad = kernels.values.add_sizes(
            self.tags, self.words, self.heap, extra, True, sizes, _stack()
        )
        if bad >= 0:
            raise AssertionError(f"value {bad} does not lie in its heap")
        return sizes

    def tolist(self) -> list[object]:
        """Decode to Python values, None where absent. Takes Python time a row."""
        return [
            decode(int(tag), int(word), self.heap)
            for tag, word in zip(self.tags.tolist(), self.words.tolist(), strict=True)
        ]


def _stack() -> I64:
    return np.zeros(kernels.values.STACK_SIZE, np.int64)


def from_durations(records: np.ndarray, valid: Bool | None) -> Values:
    """Make values of (n,) ``DURATIONS``, null where not valid."""
    tags = np.full(records.size, DURATION, np.uint8)
    words = np.arange(records.size, dtype=np.uint64) * np.uint64(DURATIONS.itemsize)
    if valid is not None:
        tags[~valid], words[~valid] = NULL, 0
    return Values(tags, words, np.ascontiguousarray(records, DURATIONS).view(np.uint8))


def from_texts(text: TextArray, tag: int) -> Values:
    """Make values of one text-like tag."""
    heap = np.empty(text.data.size + 8 * len(text), np.uint8)
    words = np.empty(len(text), np.uint64)
    kernels.values.text_heap(text.offsets, text.data, heap, words)
    return Values(np.full(len(text), tag, np.uint8), words, heap)


# -- streams ----------------------------------------------------------------------------------


def status_error(path: Path | str, data: U8, status: int, at: int, field: str) -> FormatError:
    """Word what a walking kernel found at byte ``at``, where a value's tag stands."""
    if status == kernels.values.UNKNOWN_TAG:
        tag = int.from_bytes(bytes(data[at : at + 4]), "little")
        return FormatError(path, field, at, "a known value tag", f"tag {tag} (or one within)")
    if status == kernels.values.TOO_DEEP:
        return FormatError(path, field, at, f"<= {kernels.values.MAX_DEPTH} levels", "deeper")
    if status == kernels.values.BAD_BOOL:
        return FormatError(path, field, at, "a boolean of 0 or 1", "another byte (or within)")
    return FormatError(path, field, at, "a whole value", "its end missing")


def read_stream(
    path: Path | str, data: U8, start: int, stop: int, count: int
) -> tuple[Values, int]:
    """Read ``count`` values; return them, over ``data``, and the byte behind them."""
    if count * 4 > stop - start:
        limit = (stop - start) // 4
        raise FormatError(path, "value count", start, f"<= {limit}", count)
    data = read_only(data)
    tags, words = np.empty(count, np.uint8), np.empty(count, np.uint64)
    where = np.zeros(2, np.int64)
    end = kernels.values.read_stream(data, start, stop, tags, words, _stack(), where)
    if end < 0:
        raise status_error(path, data, end, int(where[0]), "value")
    check_texts(path, Values(tags, words, data))
    return Values(tags, words, data), int(end)


def check_texts(path: Path | str, values: Values) -> None:
    """Refuse text that is not UTF-8."""
    rows = np.flatnonzero(np.isin(values.tags, (TEXT, DATE, TIMESTAMP)))
    if rows.size:
        text = values.take(rows)
        bad = text.texts().first_bad()
        if bad >= 0:
            at = int(text.words[bad])
            raise FormatError(path, f"text of value {rows[bad]}", at, "UTF-8", "other bytes")


def write_stream(values: Values) -> U8:
    """Encode values one after the other."""
    return encodings(values).data


def encodings(values: Values) -> TextArray:
    """Return the bytes of each value, tag included, as they stand in a stream."""
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values.sizes(), out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    kernels.values.write_stream(values.tags, values.words, values.heap, offsets, out)
    return TextArray(offsets, out)


# -- one value --------------------------------------------------------------------------------


def decode(tag: int, word: int, heap: U8) -> object:
    """Decode one walked value to Python."""
    if tag == NULL:
        return None
    if tag == BOOL:
        return bool(word)
    if tag == UNIQUE_ID:
        return word
    if tag in (INT, FLOAT):
        return struct.unpack("<q" if tag == INT else "<d", word.to_bytes(8, "little"))[0]
    return Reader(heap, word).payload(tag)


class Reader:
    """Decodes payloads that a kernel has walked: in bounds, known tags, bounded depth."""

    def __init__(self, data: U8, at: int) -> None:
        self.data = data
        self.at = at

    def unpack(self, form: str) -> tuple[int, ...]:
        """Read fixed-width parts, as ``struct`` names them."""
        size = struct.calcsize(form)
        self.at += size
        return struct.unpack(form, bytes(self.data[self.at - size : self.at]))

    def text(self) -> str:
        """Read a text after its length."""
        (length,) = self.unpack("<Q")
        self.at += length
        try:
            return bytes(self.data[self.at - length : self.at]).decode()
        except UnicodeDecodeError as error:
            at = self.at - length + error.start
            raise FormatError("values", "nested text", at, "UTF-8", error.reason) from None

    def count(self) -> int:
        """Read a count."""
        return self.unpack("<Q")[0]

    def value(self) -> object:
        """Read a value with its tag."""
        (tag,) = self.unpack("<I")
        if tag == NULL:
            return None
        if tag == BOOL:
            return bool(self.unpack("<B")[0])
        form = {UNIQUE_ID: "<I", INT: "<q", FLOAT: "<d"}.get(tag)
        return self.unpack(form)[0] if form else self.payload(tag)

    def pairs(self) -> dict[str, object]:
        """Read keys and values."""
        return {self.text(): self.value() for _ in range(self.count())}

    def node(self) -> dict[str, object]:
        """Read a node."""
        (number,) = self.unpack("<I")
        labels = [self.text() for _ in range(self.count())]
        return {"id": number, "labels": labels, "properties": self.pairs()}

    def relationship(self) -> dict[str, object]:
        """Read a relationship."""
        number, start, end = self.unpack("<III")
        kind = self.text()
        return {
            "id": number, "start": start, "end": end, "type": kind, "properties": self.pairs(),
        }  # fmt: skip

    def payload(self, tag: int) -> object:
        """Read what stands behind a tag."""
        readers: dict[int, Callable[[], object]] = {
            TEXT: self.text,
            DATE: lambda: parse_date(self.text()),
            POINT: lambda: dict(zip(("latitude", "longitude"), self.unpack("<dd"), strict=True)),
            DURATION: lambda: Duration(*self.unpack("<iiq")),
            NODE: self.node,
            RELATIONSHIP: self.relationship,
            PATH: lambda: {
                "nodes": [self.node() for _ in range(self.count())],
                "relationships": [self.relationship() for _ in range(self.count())],
            },
            LIST: lambda: [self.value() for _ in range(self.count())],
            MAP: self.pairs,
            TIMESTAMP: lambda: parse_timestamp(self.text()),
        }
        return readers[tag]()


def parse_date(text: str) -> object:
    """Parse a stored date; years that ``datetime`` cannot hold become ``datetime64[D]``."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return np.datetime64(text.removeprefix("+"), "D")
    except ValueError:
        raise FormatError("values", "date", None, "a date in ISO 8601", text[:40]) from None


def parse_timestamp(text: str) -> object:
    """Parse a stored timestamp, to the microsecond where the text goes further it stays text."""
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    digits = text.partition(".")[2]
    return parsed if len(digits) <= 6 else text


def encode(value: object, depth: int = 0) -> bytes:
    """Encode one Python value, tag included.

    Raises
    ------
    TypeError
        The format has no form for it.
    OverflowError
        An integer beyond 64 bits.
    """
    if depth > kernels.values.MAX_DEPTH - 8:
        raise TypeError("nested too deeply")
    if isinstance(value, np.datetime64):
        return _encode_moment(value)
    if isinstance(value, np.generic) and not isinstance(value, np.timedelta64):
        value = value.item()
    if value is None:
        return _pack("<I", NULL)
    if isinstance(value, bool):
        return _pack("<IB", BOOL, value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise OverflowError("an integer beyond 64 bits")
        return _pack("<Iq", INT, value)
    if isinstance(value, float):
        return _pack("<Id", FLOAT, value)
    if isinstance(value, str):
        return _pack("<I", TEXT) + _text(value)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            raise TypeError("a datetime with a time zone")
        return _pack("<I", TIMESTAMP) + _text(value.isoformat())
    if isinstance(value, datetime.date):
        return _pack("<I", DATE) + _text(value.isoformat())
    return _encode_nested(value, depth)


def _encode_moment(value: np.datetime64) -> bytes:
    """Encode what ``item`` may give as a bare count: years out of range, and fine units."""
    if np.isnat(value):
        return encode(None)
    unit = np.datetime_data(value.dtype)[0]
    if unit in ("Y", "M", "W", "D"):
        day = value.astype("datetime64[D]")
        return encode(day.item()) if isinstance(day.item(), datetime.date) else _far_date(str(day))
    seconds = value.astype("datetime64[s]")
    moment = seconds if seconds == value else value
    if moment is value and unit not in ("ms", "us"):
        moment = value.astype("datetime64[us]")
        if moment != value:
            raise TypeError(f"datetime64 {value}, finer than a microsecond,")
    if isinstance(moment.item(), datetime.datetime):
        return encode(moment.item())
    return _pack("<I", TIMESTAMP) + _text(str(moment))


def _far_date(spelled: str) -> bytes:
    """Encode a date whose year has a sign."""
    year, month, day = spelled.removeprefix("-").split("-")
    sign = "-" if spelled.startswith("-") else "+"
    return _pack("<I", DATE) + _text(f"{sign}{int(year):04}-{month}-{day}")


def _encode_nested(value: object, depth: int) -> bytes:
    if isinstance(value, Duration):
        return _pack("<Iiiq", DURATION, *value)
    if isinstance(value, (list, tuple)):
        inner = [encode(item, depth + 1) for item in value]
        return _pack("<IQ", LIST, len(inner)) + b"".join(inner)
    if isinstance(value, Mapping):
        if set(value) == POINT_KEYS and all(isinstance(v, float) for v in value.values()):
            return _pack("<Idd", POINT, value["latitude"], value["longitude"])
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a mapping with keys that are no strings")
        items = sorted((key.encode(), item) for key, item in value.items())
        pairs = [_pack("<Q", len(key)) + key + encode(item, depth + 1) for key, item in items]
        return _pack("<IQ", MAP, len(pairs)) + b"".join(pairs)
    raise TypeError(f"{type(value).__name__} {value!r:.40}")


def _pack(form: str, *values: object) -> bytes:
    return struct.pack(form, *values)


def _text(value: str) -> bytes:
    data = value.encode()
    return _pack("<Q", len(data)) + data
