"""Values: one table joins each code with a Python type; reader, writer and JSON follow from it.

    Python                      code            Python                     code
    None                        null            timedelta                  duration
    bool                        boolean         IPv4Address, IPv6Address   ipaddr
    int                         integer, or unsigned if only that holds it
    float                       float           float32 array, 1-d         vector
    str                         text            UUID                       uuid
    bytes                       blob            date                       date
    aware datetime              timestamp_ms    time                       time
    list, tuple                 array           Decimal                    decimal

Each other code has a type of ``value_types``, which comes back as the same code; so do the raw
types there, for what Python's times cannot hold. Text and blobs of ``COMPRESSED_FROM`` bytes are
compressed if that makes them shorter. What no code holds exactly is refused.
"""

import datetime as dt
import ipaddress
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import numpy as np

from nkgraph.errors import GraphError, LimitError
from nkgraph.storage.reddb import value_types as vt
from nkgraph.storage.reddb.cursor import Cursor
from nkgraph.storage.reddb.forms import (
    FORMS,
    Form,
    encode,
    expect,
    fields_from_json,
    fields_to_json,
    member,
    write_length,
)
from nkgraph.storage.reddb.layout import (
    COMPRESSED_FROM,
    COMPRESSION_LEVEL,
    PACKED_BLOB,
    PACKED_TEXT,
    VALUES,
    Fields,
    Limits,
)
from nkgraph.storage.reddb.packing import pack, unpack

Value = object
"""None, bool, int, float, str, … as the table above says."""


class Place(Protocol):
    """A list or a dict, as far as items are put in it."""

    def __setitem__(self, key: Any, item: object, /) -> None:  # an index or a key
        ...


Children = Iterator[tuple[Place, object, object]]
Step = Callable[[object], tuple[object, Children]]


class _Row(NamedTuple):
    """A type of values: the Python types that stand for it, and the way to and from them."""

    types: tuple[type, ...]
    make: Callable[..., Value]
    parts: Callable[[Value], tuple[object, ...]]


def _itself(value: Value) -> tuple[object, ...]:
    return (value,)


def _as_is(raw: object) -> Value:
    return raw


def _plain(*types: type) -> _Row:
    return _Row(types, _as_is, _itself)


def _wrapped(kind: type) -> _Row:
    return _Row((kind,), kind, _itself)


def _pair(kind: type) -> _Row:
    return _Row((kind,), kind, lambda value: tuple(expect(value, tuple, "value")))


def _duration(value: Value) -> tuple[object, ...]:
    if isinstance(value, dt.timedelta):
        return (_whole(vt.microseconds(value), 1000, value),)
    return (value,)


def _whole(units: int, scale: int, value: Value) -> int:
    found, rest = divmod(units, scale)
    if rest:
        raise GraphError(f"{value!r} is not a whole number of milliseconds")
    return found


def _date(value: Value) -> tuple[object, ...]:
    return (vt.days_of(value) if isinstance(value, dt.date) else value,)


def _time(value: Value) -> tuple[object, ...]:
    if not isinstance(value, dt.time):
        return (value,)
    if value.tzinfo is not None:
        raise GraphError(f"{value!r}: a time of day has no time zone here")
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return (_whole(seconds * 1_000_000 + value.microsecond, 1000, value),)


def _timestamp(value: Value) -> tuple[object, ...]:
    if not isinstance(value, dt.datetime):
        return (value,)
    if value.utcoffset() is None:
        raise GraphError(f"{value!r} has no time zone; give it one, such as datetime.timezone.utc")
    return (_whole(vt.microseconds(value - vt.EPOCH), 1000, value),)


def _decimal(value: Value) -> tuple[object, ...]:
    number = expect(value, Decimal, "value")
    sign, digits, exponent = number.as_tuple()
    wrong = GraphError(f"{number!r} is not a number of four places and 64 bits")
    if isinstance(exponent, str) or (number.is_zero() and sign) or number.adjusted() > 18:
        raise wrong
    if number.is_zero():
        return (0,)
    if number.adjusted() < -4:
        raise wrong
    units = int("".join(map(str, digits)))
    if exponent >= -4:
        units *= 10 ** (exponent + 4)
    else:
        units, rest = divmod(units, 10 ** (-4 - exponent))
        if rest:
            raise wrong
    return (-units if sign else units,)


_ROWS: dict[str, _Row] = {
    "null": _Row((type(None),), lambda: None, lambda value: ()),
    "boolean": _plain(bool),
    "integer": _plain(int),
    "unsigned": _wrapped(vt.UInt),
    "float": _plain(float),
    "text": _plain(str),
    "blob": _plain(bytes),
    "timestamp": _wrapped(vt.Timestamp),
    "duration": _Row((dt.timedelta, vt.RawDuration), vt.duration_of, _duration),
    "ipaddr": _plain(ipaddress.IPv4Address, ipaddress.IPv6Address),
    "macaddr": _wrapped(vt.MacAddr),
    "vector": _plain(np.ndarray),
    "json": _wrapped(vt.Json),
    "uuid": _Row(
        (uuid.UUID,),
        lambda raw: uuid.UUID(bytes=raw),
        lambda value: (expect(value, uuid.UUID, "value").bytes,),
    ),
    "noderef": _wrapped(vt.NodeRef),
    "edgeref": _wrapped(vt.EdgeRef),
    "vectorref": _pair(vt.VectorRef),
    "rowref": _pair(vt.RowRef),
    "color": _wrapped(vt.Color),
    "email": _wrapped(vt.Email),
    "url": _wrapped(vt.Url),
    "phone": _wrapped(vt.Phone),
    "semver": _wrapped(vt.Semver),
    "cidr": _pair(vt.Cidr),
    "date": _Row((dt.date, vt.RawDate), vt.date_of, _date),
    "time": _Row((dt.time, vt.RawTime), vt.time_of, _time),
    "decimal": _Row((Decimal,), vt.decimal_of, _decimal),
    "enum": _wrapped(vt.EnumValue),
    "array": _plain(list, tuple),
    "timestamp_ms": _Row((dt.datetime, vt.RawTimestampMs), vt.timestamp_of, _timestamp),
    "ipv4": _wrapped(vt.Ipv4),
    "ipv6": _wrapped(vt.Ipv6),
    "subnet": _pair(vt.Subnet),
    "port": _wrapped(vt.Port),
    "latitude": _wrapped(vt.Latitude),
    "longitude": _wrapped(vt.Longitude),
    "geopoint": _pair(vt.GeoPoint),
    "country2": _wrapped(vt.Country2),
    "country3": _wrapped(vt.Country3),
    "lang2": _wrapped(vt.Lang2),
    "lang5": _wrapped(vt.Lang5),
    "currency": _wrapped(vt.Currency),
    "color_alpha": _wrapped(vt.ColorAlpha),
    "bigint": _wrapped(vt.BigInt),
    "keyref": _pair(vt.KeyRef),
    "docref": _pair(vt.DocRef),
    "tableref": _wrapped(vt.TableRef),
    "pageref": _wrapped(vt.PageRef),
    "secret": _wrapped(vt.Secret),
    "password": _wrapped(vt.Password),
    "asset_code": _wrapped(vt.AssetCode),
    "money": _pair(vt.Money),
}


class ValueType(NamedTuple):
    """A code with all that follows from it."""

    code: int
    name: str
    fields: Fields
    forms: tuple[Form, ...]
    make: Callable[..., Value]
    parts: Callable[[Value], tuple[object, ...]]


ARRAY = next(layout.code for layout in VALUES if layout.name == "array")
TYPES: tuple[ValueType, ...] = tuple(
    ValueType(
        layout.code,
        layout.name,
        layout.fields,
        () if layout.code == ARRAY else tuple(FORMS[form] for _, form in layout.fields),
        _ROWS[layout.name].make,
        _ROWS[layout.name].parts,
    )
    for layout in VALUES
)
"""All types by code."""
BY_NAME = {kind.name: kind for kind in TYPES}
BY_TYPE = {python: kind for kind in TYPES for python in _ROWS[kind.name].types}
"""What is written for a Python type; an ``int`` beyond 63 bits is ``unsigned``."""
_UNSIGNED, _TEXT, _BLOB = BY_NAME["unsigned"], BY_NAME["text"], BY_NAME["blob"]


def type_of(value: Value) -> ValueType:
    """Return the type that a value is stored as.

    Raises
    ------
    GraphError
        There is none.

    Examples
    --------
    >>> type_of(3).name, type_of(2**63).name, type_of(vt.Port(80)).name
    ('integer', 'unsigned', 'port')
    """
    kind = BY_TYPE.get(type(value))
    if kind is None:
        remedy = ""
        if isinstance(value, np.generic):
            remedy = "; value.item() gives the number of Python"
        raise GraphError(f"no type of values holds a {type(value).__name__}{remedy}")
    if type(value) is int and value >= 1 << 63:
        return _UNSIGNED
    return kind


# -- reading ------------------------------------------------------------------------------------


def read_value(cursor: Cursor, field: str = "value") -> Value:
    """Read a code and its payload; arrays in arrays without recursion.

    Raises
    ------
    FormatError
        The code is unknown, or the payload is cut short or not what it must be.
    LimitError
        It is too deep, or too long, or too much is compressed.

    Examples
    --------
    >>> read_value(Cursor(bytes.fromhex("1c02 0500 21 5000")))
    ['', Port(80)]
    """
    if cursor.at < cursor.stop and cursor.data[cursor.at] != ARRAY:
        return _read_plain(cursor, field)
    found: list[Value] = []
    _read_into(cursor, field, found, 1)
    return found[0]


def read_values(cursor: Cursor, field: str = "value") -> list[Value]:
    """Read a count and so many values."""
    found: list[Value] = []
    _read_into(cursor, field, found, cursor.count(f"count of {field}", "value"))
    return found


def _read_into(cursor: Cursor, field: str, found: list[Value], count: int) -> None:
    """Read ``count`` values to a list."""
    outer: list[tuple[list[Value], int]] = []
    while True:
        while count:
            count -= 1
            if cursor.at < cursor.stop and cursor.data[cursor.at] == ARRAY:
                at = cursor.at
                cursor.at += 1
                if len(outer) >= cursor.limits.depth:
                    depth = f"arrays {len(outer) + 1} deep"
                    cursor.exceed(field, at, depth, "depth", cursor.limits.depth)
                inner: list[Value] = []
                found.append(inner)
                outer.append((found, count))
                found, count = inner, cursor.count(field, "value")
            else:
                found.append(_read_plain(cursor, field))
        if not outer:
            return
        found, count = outer.pop()


def _read_plain(cursor: Cursor, field: str) -> Value:
    at = cursor.at
    code = cursor.u8(field)
    if code < len(TYPES):
        kind = TYPES[code]
        if len(kind.forms) == 1:
            return kind.make(kind.forms[0].read(cursor, field))
        return kind.make(*[form.read(cursor, field) for form in kind.forms])
    if code == PACKED_BLOB:
        return unpack(cursor, field)
    if code != PACKED_TEXT:
        expected = f"a value code up to {len(TYPES) - 1}, {PACKED_TEXT} or {PACKED_BLOB}"
        cursor.fail(field, at, expected, code)
    data = unpack(cursor, field)
    return cursor.decode(data, field, at)


# -- writing ------------------------------------------------------------------------------------


def write_value(out: bytearray, value: Value, depth: int = Limits().depth) -> None:
    """Append the code and the payload of a value.

    Raises
    ------
    GraphError
        It cannot be stored exactly.
    LimitError
        Arrays more than ``depth`` deep, or a length beyond 32 bits.

    Examples
    --------
    >>> out = bytearray()
    >>> write_value(out, ["", vt.Port(80)])
    >>> out.hex(" ")
    '1c 02 05 00 21 50 00'
    """
    _write_all(out, [(value, 1)], depth)


def write_values(out: bytearray, values: object, depth: int = Limits().depth) -> None:
    """Append a count and so many values."""
    row = expect(values, (list, tuple), "values")
    write_length(out, len(row), "count of values")
    _write_all(out, [(value, 1) for value in reversed(row)], depth)


def _write_all(out: bytearray, stack: list[tuple[Value, int]], depth: int) -> None:
    while stack:
        value, level = stack.pop()
        kind = type_of(value)
        if kind.code != ARRAY:
            _write_plain(out, kind, value)
            continue
        if level > depth:
            raise LimitError(f"arrays are more than {depth} deep")
        items = expect(value, (list, tuple), "array")
        out.append(ARRAY)
        write_length(out, len(items), "array length")
        stack.extend((item, level + 1) for item in reversed(items))


def _write_plain(out: bytearray, kind: ValueType, value: Value) -> None:
    if kind is _TEXT or kind is _BLOB:
        data = encode(value, "text") if isinstance(value, str) else expect(value, bytes, "blob")
        packed = pack(data, COMPRESSION_LEVEL) if len(data) >= COMPRESSED_FROM else None
        if packed is not None and len(packed) < len(data):
            out.append(PACKED_TEXT if kind is _TEXT else PACKED_BLOB)
            write_length(out, len(data), kind.name)
            data = packed
        else:
            out.append(kind.code)
        write_length(out, len(data), kind.name)
        out += data
        return
    out.append(kind.code)
    for form, (name, _), part in zip(kind.forms, kind.fields, kind.parts(value), strict=True):
        form.write(out, part, kind.name if len(kind.fields) == 1 else f"{kind.name} {name}")


# -- JSON ---------------------------------------------------------------------------------------

DEEPEST = 1 << 20
"""Levels that spelling in JSON follows: more can only be a list that holds itself."""


def transform(item: object, step: Step) -> object:
    """Build a tree from a tree without recursion.

    Parameters
    ----------
    item : object
    step : callable
        Gives what stands for an item, and for each item in it the list or dict that is to hold
        what stands for that, and its index or key.

    Raises
    ------
    LimitError
        More than ``DEEPEST`` levels.
    """
    holder: dict[int, object] = {}
    stack: list[tuple[Place, object, object, int]] = [(holder, 0, item, 0)]
    while stack:
        place, key, item, level = stack.pop()
        if level > DEEPEST:
            raise LimitError(f"arrays are more than {DEEPEST} deep")
        found, children = step(item)
        place[key] = found
        stack.extend((*child, level + 1) for child in children)
    return holder[0]


def value_to_json(value: Value) -> object:
    """Spell a value so that nothing is lost.

    Examples
    --------
    >>> value_to_json([1.0, vt.Port(80)])["items"]
    [{'t': 'float', 'bits': '3ff0000000000000'}, {'t': 'port', 'v': 80}]
    """
    return transform(value, _spell)


def _spell(value: object) -> tuple[object, Children]:
    kind = type_of(value)
    if kind.code != ARRAY:
        return {"t": kind.name, **fields_to_json(kind.fields, kind.parts(value))}, iter(())
    items = expect(value, (list, tuple), "array")
    places: list[object] = [None] * len(items)
    return {"t": kind.name, "items": places}, (
        (places, place, item) for place, item in enumerate(items)
    )


def value_from_json(item: object) -> Value:
    """Return the value that ``value_to_json`` spelled; GraphError if it spelled none.

    Examples
    --------
    >>> value_from_json({"t": "port", "v": 80})
    Port(80)
    """
    return transform(item, _unspell)


def _unspell(item: object) -> tuple[object, Children]:
    name = expect(member(item, "t", "value"), str, "value.t")
    kind = BY_NAME.get(name)
    if kind is None:
        raise GraphError(f"value: there is no type {name!r}")
    if kind.code != ARRAY:
        return kind.make(*fields_from_json(kind.fields, item, name)), iter(())
    items: list[object] = expect(member(item, "items", "array"), list, "array")
    places: list[object] = [None] * len(items)
    return places, ((places, place, each) for place, each in enumerate(items))


FORMS["value"] = Form(
    read_value,
    lambda out, raw, what: write_value(out, raw),
    value_to_json,
    lambda item, what: value_from_json(item),
)
FORMS["values"] = Form(
    read_values,
    lambda out, raw, what: write_values(out, raw),
    lambda raw: [value_to_json(value) for value in expect(raw, (list, tuple), "values")],
    lambda item, what: [value_from_json(each) for each in expect(item, list, what)],
)
