"""Values of a dump as values of a graph, one by one: for what no column of one kind holds.

Codes that become columns of one kind are decoded by ``nkgraph.kernels.dump_columns``; ``FORMS``
says which. What they give for a value is what ``encode`` gives.
"""

import datetime as dt
import json
import struct
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache
from os import PathLike

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import U8
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, from_values, to_values
from nkgraph.storage.reddb import value_types as vt
from nkgraph.storage.reddb.cursor import Cursor
from nkgraph.storage.reddb.layout import PACKED_TEXT, VALUES, Limits
from nkgraph.storage.reddb.values import read_value
from nkgraph.storage.values import Duration

_DEEPEST = 100
"""Levels of arrays that a graph takes; its own limit is a little higher."""
_EXACT = 1 << 53
_DAY = 86_400
NULL = kinds.encode(None)


@cache
def forms() -> U8:
    """Return how kernels read each code, (256,): a form of ``kernels.dump_columns``."""
    k = kernels.dump_columns
    by_name = {
        "null": k.NULL, "boolean": k.BOOL, "integer": k.I64_INT, "bigint": k.I64_INT,
        "unsigned": k.U64_INT, "phone": k.U64_INT, "port": k.U16_INT, "enum": k.U8_INT,
        "pageref": k.U32_INT, "float": k.FLOAT, "decimal": k.DECIMAL, "latitude": k.MICRO,
        "longitude": k.MICRO, "date": k.DATE, "timestamp": k.SECONDS, "timestamp_ms": k.MILLIS,
        "text": k.TEXT, "noderef": k.TEXT, "edgeref": k.TEXT, "email": k.TEXT, "url": k.TEXT,
        "tableref": k.TEXT, "password": k.TEXT, "asset_code": k.TEXT,
    }  # fmt: skip
    found = np.full(256, k.OTHER, np.uint8)
    for layout in VALUES:
        found[layout.code] = by_name.get(layout.name, k.OTHER)
    found[PACKED_TEXT] = k.PACKED
    return read_only(found)


class Decoder:
    """Reads values of a dump that has been walked.

    Parameters
    ----------
    data : (b,) uint8
    path : path
        What errors name.
    limits : Limits
        Those of the walk.
    """

    def __init__(self, data: U8, path: str | PathLike[str], limits: Limits) -> None:
        self._cursor = Cursor(data, path, limits=limits)

    def value(self, at: int) -> object:
        """Return the natural value whose code is at a byte."""
        self._cursor.at, self._cursor.unpacked = at, 0
        found = read_value(self._cursor)
        self._cursor.remarks.clear()
        return found

    def text(self, at: int) -> bytes:
        """Return the UTF-8 of a text that may be compressed."""
        found = self.value(at)
        assert isinstance(found, str)
        return found.encode()

    def encoded(self, place: int) -> bytes:
        """Encode what a general column holds for a row; ValueError if it is too deep."""
        if place >= 0:
            return encode(self.value(place))
        if place == kernels.dump_columns.ABSENT:
            return NULL
        at, of_kind = divmod(-2 - place, 2)
        raw = bytes(self._cursor.data[at : at + 4])
        if of_kind:
            return kinds.encode(int.from_bytes(raw, "little") / 1000)
        return kinds.encode(float(struct.unpack("<f", raw)[0]))


def column_of(encoded: Iterable[bytes], count: int) -> AnyColumn:
    """Make a column of encoded values, of one kind if they are."""
    blob = np.frombuffer(b"".join(encoded), np.uint8)
    found, _ = kinds.read_stream("dump", blob, 0, blob.size, count)
    return from_values(found, "dump")


# -- one value ------------------------------------------------------------------------------------


def encode(value: object, depth: int = 0) -> bytes:
    """Encode a natural value as the graph holds it.

    Raises
    ------
    ValueError
        Arrays deeper than a graph takes.

    Examples
    --------
    >>> kinds.decode(kinds.TEXT, 4, np.frombuffer(encode(vt.Semver(1002003)), np.uint8))
    '1.2.3'
    """
    if type(value) in (list, tuple):
        return _encode_list(value, depth)
    convert = _CONVERSIONS.get(type(value))
    if convert is None:
        return kinds.encode(str(value))
    found = convert(value)
    return found if isinstance(found, bytes) else kinds.encode(found)


def _encode_list(value: object, depth: int) -> bytes:
    assert isinstance(value, (list, tuple))
    if depth >= _DEEPEST:
        raise ValueError(f"arrays more than {_DEEPEST} deep")
    items = [encode(item, depth + 1) for item in value]
    return struct.pack("<IQ", kinds.LIST, len(items)) + b"".join(items)


def _same(value: object) -> object:
    return value


def _int(value: object) -> object:
    assert isinstance(value, int)
    number = int(value)
    return number if number < 1 << 63 else str(number)


def _seconds(value: object) -> object:
    assert isinstance(value, int)
    if value == -(1 << 63):  # numpy's mark of no time at all
        return str(int(value))
    return _stamp("timestamp", int(value), np.int64)


def _days(value: object) -> object:
    assert isinstance(value, int)
    return _stamp("date", int(value), np.int32)


def _stamp(kind: str, value: int, dtype: type) -> bytes:
    column = FixedColumn(kind, np.array([value], dtype), None)
    return kinds.write_stream(to_values(column)).tobytes()


def _datetime(value: object) -> object:
    assert isinstance(value, dt.datetime)
    return value.replace(tzinfo=None)


def _millis(value: object) -> object:
    """Spell a time outside of Python's years."""
    assert isinstance(value, int)
    seconds, rest = divmod(int(value), 1000)
    if not rest:
        return _seconds(seconds)
    if value == -(1 << 63):
        return str(int(value))
    text = str(np.datetime_as_string(np.datetime64(int(value), "ms"))).encode()
    return struct.pack("<IQ", kinds.TIMESTAMP, len(text)) + text


def _decimal(value: object) -> object:
    assert isinstance(value, Decimal)
    return int(value.scaleb(4)) / 10_000 if abs(value) * 10_000 <= _EXACT else str(value)


def _time(value: object) -> object:
    assert isinstance(value, dt.time)
    return value.isoformat("milliseconds")


def _point(value: object) -> object:
    assert isinstance(value, vt.GeoPoint)
    latitude, longitude = value.degrees
    return {"latitude": latitude, "longitude": longitude}


def _degrees(value: object) -> object:
    assert isinstance(value, (vt.Latitude, vt.Longitude))
    return value.degrees


def _duration(value: object) -> object:
    if isinstance(value, dt.timedelta):
        milliseconds = vt.microseconds(value) // 1000
    else:
        assert isinstance(value, int)
        milliseconds = int(value)
    sign = -1 if milliseconds < 0 else 1
    seconds, rest = divmod(abs(milliseconds), 1000)
    if rest or seconds // _DAY >= 1 << 31:
        fraction = f".{rest:03}".rstrip("0") if rest else ""
        return f"PT{'-' if sign < 0 else ''}{seconds}{fraction}S"
    return Duration(0, sign * (seconds // _DAY), sign * (seconds % _DAY))


def _hex(value: object) -> object:
    assert isinstance(value, bytes)
    return value.hex()


def _floats(value: object) -> object:
    assert isinstance(value, np.ndarray)
    return value.astype(np.float64).tolist()


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is beyond 64 bits")
    return number


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _json(value: object) -> object:
    """Give what JSON says, if a graph holds it whole; else its text, or else its bytes."""
    raw = bytes(value) if isinstance(value, bytes) else b""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw.hex()
    try:
        said = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_pairs
        )
        return kinds.encode(said)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return text


_CONVERSIONS: dict[type, Callable[[object], object]] = {
    type(None): _same, bool: _same, int: _int, float: _same, str: _same, vt.UInt: _int,
    vt.Phone: _int, vt.BigInt: _int, vt.Port: _int, vt.EnumValue: _int, vt.PageRef: _int,
    vt.Timestamp: _seconds, dt.date: _same, vt.RawDate: _days, dt.datetime: _datetime,
    vt.RawTimestampMs: _millis, Decimal: _decimal, dt.time: _time,
    vt.Latitude: _degrees, vt.Longitude: _degrees,
    vt.GeoPoint: _point, dt.timedelta: _duration, vt.RawDuration: _duration,
    bytes: _hex, vt.Secret: _hex, np.ndarray: _floats, vt.Json: _json,
}  # fmt: skip
"""By type; the others are printed."""
