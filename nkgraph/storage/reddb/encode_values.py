"""Values of a graph as values of a dump: code and payload, one by one.

For what no column of one kind holds: mixed kinds, lists, maps, points, durations, stamps finer
than a second, and texts that are long enough to be compressed.
"""

import json
import re
import struct
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from nkgraph.errors import FormatError, GraphError
from nkgraph.storage import values as kinds
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.varint import write as write_varint
from nkgraph.storage.text import TextArray
from nkgraph.storage.values import Duration, Reader, Values

CODES = {entry.name: entry.code for entry in layout.VALUES}
"""Codes by the name of the type."""
NULL = bytes([CODES["null"]])
Compress: TypeAlias = Callable[[bytes], bytes]

_STAMP = re.compile(r"[+-]?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
_DAY = 86_400


class _Days(int):
    """A date: days since 1970."""


class _Millis(int):
    """A timestamp: milliseconds since 1970."""


def varint(value: int) -> bytes:
    """Return the shortest varint of a number."""
    out = bytearray()
    write_varint(out, value)
    return bytes(out)


def with_length(data: bytes) -> bytes:
    """Return bytes after their length."""
    return varint(len(data)) + data


def text_value(data: bytes, compress: Compress) -> bytes:
    """Encode a text from its UTF-8: compressed if it is long and gets shorter."""
    if len(data) >= layout.COMPRESSED_FROM:
        packed = compress(data)
        if len(packed) < len(data):
            head = bytes([layout.PACKED_TEXT]) + varint(len(data))
            return head + with_length(packed)
    return bytes([CODES["text"]]) + with_length(data)


class Encoder:
    """Encodes rows of one column; ``notes`` counts what comes back as something else.

    Parameters
    ----------
    name : str
        What the column is called in errors.
    compress : callable
    """

    def __init__(self, name: str, compress: Compress) -> None:
        self.name = name
        self.compress = compress
        self.notes: Counter[str] = Counter()

    def encode(self, held: Values, null: bytes = b"") -> TextArray:
        """Encode values, absent ones as ``null``. Takes Python time a row.

        Raises
        ------
        GraphError
            A value that no code holds exactly, with its row.
        """
        parts: list[bytes] = []
        tags, words = held.tags.tolist(), held.words.tolist()
        for row, (tag, word) in enumerate(zip(tags, words, strict=True)):
            if tag == kinds.NULL:
                parts.append(null)
            elif tag in (kinds.INT, kinds.FLOAT):
                code = CODES["integer" if tag == kinds.INT else "float"]
                parts.append(bytes([code]) + word.to_bytes(8, "little"))
            elif tag == kinds.UNIQUE_ID:
                parts.append(struct.pack("<BQ", CODES["unsigned"], word))
            else:
                parts.append(self._encode_row(row, tag, word, held))
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=offsets[1:])
        return TextArray(offsets, np.frombuffer(b"".join(parts), np.uint8))

    def _encode_row(self, row: int, tag: int, word: int, held: Values) -> bytes:
        try:
            if tag == kinds.BOOL:
                return self.value(bool(word))
            return self.value(_Exactly(held.heap, word).payload(tag))
        except _Unfit as error:
            message = f"{self.name}: row {row}: {error} has no exact form in a dump"
            raise GraphError(message) from None
        except FormatError as error:
            raise GraphError(f"{self.name}: row {row}: {error}") from None

    def value(self, value: object) -> bytes:
        """Encode one decoded value."""
        if value is None:
            return NULL
        if isinstance(value, bool):
            return bytes([CODES["boolean"], value])
        if isinstance(value, _Days):
            return _packed("date", "i", int(value))
        if isinstance(value, _Millis):
            return _packed("timestamp_ms", "q", int(value))
        if isinstance(value, int):
            return _packed("integer", "q", value)
        if isinstance(value, float):
            return _packed("float", "d", value)
        if isinstance(value, str):
            return text_value(value.encode(), self.compress)
        if isinstance(value, list):
            items = [self.value(item) for item in value]
            return bytes([CODES["array"]]) + varint(len(items)) + b"".join(items)
        if isinstance(value, Duration):
            found = self._duration(value)
            if found is not None:
                return found
        text = json.dumps(
            self._plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        return bytes([CODES["json"]]) + with_length(text.encode())

    def _duration(self, value: Duration) -> bytes | None:
        """Encode what is a number of milliseconds."""
        millis = (value.days * _DAY + value.seconds) * 1000
        if value.months or not -(2**63) <= millis < 2**63:
            return None
        if not 0 <= value.seconds < _DAY:
            self.notes["durations come back with seconds of less than a day"] += 1
        return _packed("duration", "q", millis)

    def _plain(self, value: object) -> object:
        """What JSON holds of a value; refuses what it does not hold exactly."""
        if isinstance(value, dict):
            return {key: self._plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if isinstance(value, Duration):
            self.notes["durations in months or in maps come back as maps"] += 1
            return value._asdict()
        if isinstance(value, float) and not np.isfinite(value):
            raise _Unfit(f"{value!r} in a map or a point")
        if isinstance(value, (_Days, _Millis)):
            raise _Unfit("a date or a timestamp in a map")
        return value


class _Unfit(Exception):
    """A value that no code holds."""


def _packed(name: str, form: str, value: int | float) -> bytes:
    try:
        return struct.pack(f"<B{form}", CODES[name], value)
    except struct.error:
        raise _Unfit(f"{value} as {name}") from None


class _Exactly(Reader):
    """Decodes values so that nothing is lost: stamps as numbers, no graph parts as maps."""

    def payload(self, tag: int) -> object:
        if tag in (kinds.NODE, kinds.RELATIONSHIP, kinds.PATH):
            raise _Unfit(f"a {kinds.KINDS[tag]}")
        if tag == kinds.TIMESTAMP:
            return _millis(self.text())
        if tag == kinds.DATE:
            days = np.datetime64(kinds.parse_date(self.text()), "D")  # type: ignore[call-overload]  # a date or datetime64
            return _Days(days.astype(np.int64))
        return super().payload(tag)


def _millis(text: str) -> _Millis:
    """Read a timestamp to the millisecond."""
    if not _STAMP.fullmatch(text):
        raise _Unfit(f"timestamp {text[:40]!r}")
    whole, _, fraction = text.removeprefix("+").partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > 3:
        raise _Unfit(f"timestamp {text[:40]!r}, finer than a millisecond,")
    try:
        seconds = int(np.datetime64(whole, "s").astype(np.int64))
    except (ValueError, OverflowError):
        raise _Unfit(f"timestamp {text[:40]!r}") from None
    return _Millis(seconds * 1000 + int(fraction.ljust(3, "0")))
