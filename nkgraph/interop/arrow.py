"""Tables as Arrow, and through Arrow as pandas and polars frames.

    column here                 Arrow type                        shares memory
    int64, uint32, float64      int64, uint32, double             yes
    date, timestamp             date32, timestamp[s]              yes
    text                        large_string                      yes, offsets and bytes
    bool                        bool                              no: Arrow packs bits
    no value at all             null                              -
    integers and floats         double, if every integer is exact no
    durations                   struct<months, days, seconds>     no
    points                      struct<latitude, longitude>       no
    timestamps with fractions   timestamp[us]                     no
    lists, maps                 list, struct, as far as they fit  no
    other mixtures              refused, or JSON text (``mixed``) no

Gaps are copied to bitmaps, a bit a row. The interval type of Arrow would fit durations too, but
polars does not read it.
"""

import datetime
import json
import math
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from nkgraph.dtypes import Bool
from nkgraph.errors import GraphError
from nkgraph.storage import columns
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, MixedColumn, TextColumn
from nkgraph.storage.text import TextArray

if TYPE_CHECKING:
    from nkgraph.table import Table

ArrowTable = Any  # pyarrow.Table: the library is optional and has no type information
ArrowArray = Any  # pyarrow.Array, likewise
ArrowType = Any  # pyarrow.DataType, likewise
Mixed = Literal["error", "json"]

DURATION_FIELDS: Final = (("months", "int32"), ("days", "int32"), ("seconds", "int64"))
"""The struct that durations are exported as, and read from."""
POINT_FIELDS: Final = (("latitude", "double"), ("longitude", "double"))
_NUMBER_TAGS: Final = {kinds.INT, kinds.UNIQUE_ID, kinds.FLOAT}
_NESTED_TAGS: Final = {kinds.LIST, kinds.MAP, kinds.POINT, kinds.NODE, kinds.RELATIONSHIP,
                       kinds.PATH}  # fmt: skip
_EXACT_FLOAT: Final = 2**53
_MOST_SECONDS: Final = (2**63 - 1) // 1000
"""Whole milliseconds of so many seconds fit 64 bits."""


def require(name: str, extra: str) -> ModuleType:
    """Import an optional library, or a part of one, or say how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        if error.name not in (root, name):
            raise
        raise ImportError(
            f"{root} is not installed: pip install 'nkgraph[{extra}]'", name=root
        ) from None


def to_arrow(table: "Table", mixed: Mixed = "error") -> ArrowTable:
    """Return a ``pyarrow.Table`` with the columns of ``table``; see ``Table.to_arrow``."""
    if mixed not in ("error", "json"):
        raise GraphError(f'mixed is {mixed!r}, not "error" or "json"')
    pa = require("pyarrow", "arrow")
    names = list(table.columns)
    if not names:
        raise GraphError("the table has no columns; an Arrow table of none has no rows")
    arrays = [_array(pa, name, table.columns[name].stored, mixed) for name in names]
    return pa.table(arrays, names=names)


def to_pandas(table: "Table", mixed: Mixed = "error") -> object:
    """Return a ``pandas.DataFrame`` of Arrow-backed columns."""
    pandas = require("pandas", "pandas")
    return to_arrow(table, mixed).to_pandas(types_mapper=pandas.ArrowDtype)


def to_polars(table: "Table", mixed: Mixed = "error") -> object:
    """Return a ``polars.DataFrame``."""
    polars = require("polars", "polars")
    found = to_arrow(table, mixed)
    extremes = require("pyarrow.compute", "arrow").min_max
    for name, column in zip(found.column_names, found.columns, strict=True):
        if str(column.type) == "timestamp[s]":
            for seconds in extremes(column.cast("int64")).as_py().values():
                if seconds is not None and abs(seconds) > _MOST_SECONDS:
                    what = f"column {name!r} holds a timestamp {seconds} s from 1970"
                    raise GraphError(f"{what}: it overflows the milliseconds that polars counts")
    return polars.from_arrow(found)


def _array(pa: ModuleType, name: str, column: AnyColumn, mixed: Mixed) -> ArrowArray:
    if isinstance(column, MixedColumn):
        column = columns.canonical(column)
    if isinstance(column, MixedColumn):
        return _mixed(pa, name, column, mixed)
    bitmap = _bitmap(pa, column.valid)
    if isinstance(column, TextColumn):
        return _text(pa, column.text, bitmap)
    data = np.ascontiguousarray(column.data)
    if column.kind == "bool":
        data = np.packbits(data, bitorder="little")
    return _from_buffers(pa, _types(pa)[column.kind], len(column), [bitmap, pa.py_buffer(data)])


def _from_buffers(
    pa: ModuleType, kind: ArrowType, length: int, buffers: list[object], children: object = None
) -> ArrowArray:
    return pa.Array.from_buffers(kind, length, buffers, children=children)


def _text(pa: ModuleType, text: TextArray, bitmap: object) -> ArrowArray:
    offsets = pa.py_buffer(np.ascontiguousarray(text.offsets, np.int64))
    data = pa.py_buffer(np.ascontiguousarray(text.data))
    return _from_buffers(pa, pa.large_string(), len(text), [bitmap, offsets, data])


def _types(pa: ModuleType) -> dict[str, ArrowType]:
    return {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "uniqueid": pa.uint32(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("s"),
    }


def _bitmap(pa: ModuleType, valid: Bool | None) -> ArrowArray:
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))


# -- columns of several kinds, and of nested ones ---------------------------------------------


def _mixed(pa: ModuleType, name: str, column: MixedColumn, mixed: Mixed) -> ArrowArray:
    values, valid = column.values, column.valid
    tags = set(np.unique(values.tags).tolist()) - {kinds.NULL}
    if not tags:
        return pa.nulls(len(column))
    if tags == {kinds.DURATION}:
        return _struct(pa, column, kinds.DURATIONS, DURATION_FIELDS)
    if tags == {kinds.POINT}:
        return _struct(pa, column, kinds.POINTS, POINT_FIELDS)
    found = None
    if tags <= _NUMBER_TAGS:
        found = _floats(pa, column)
    elif tags == {kinds.TIMESTAMP} or tags <= _NESTED_TAGS:
        found = _inferred(pa, column, pa.timestamp("us") if kinds.TIMESTAMP in tags else None)
    if found is not None:
        return found
    if mixed == "json":
        return _text(pa, _as_json(column), _bitmap(pa, valid))
    words = " and ".join(sorted(kinds.KINDS[tag] for tag in tags))
    raise GraphError(
        f"column {name!r} holds {words} values that no Arrow type holds together: leave it out "
        'with columns=, or export with mixed="json", as JSON text'
    )


def _struct(
    pa: ModuleType, column: MixedColumn, dtype: np.dtype, fields: tuple[tuple[str, str], ...]
) -> ArrowArray:
    """Payloads of one fixed width, field by field."""
    rows = np.flatnonzero(column.values.tags != kinds.NULL)
    records = np.zeros(len(column), dtype)
    records[rows] = column.values.take(rows).records(dtype)
    types = {"int32": pa.int32(), "int64": pa.int64(), "double": pa.float64()}
    kind = pa.struct([pa.field(field, types[width]) for field, width in fields])
    children = [
        _from_buffers(pa, types[width], len(column),
                      [None, pa.py_buffer(np.ascontiguousarray(records[field]))])
        for field, width in fields
    ]  # fmt: skip
    return _from_buffers(pa, kind, len(column), [_bitmap(pa, column.valid)], children)


def _floats(pa: ModuleType, column: MixedColumn) -> ArrowArray:
    """Integers and floats as floats; None if an integer would be rounded."""
    values = column.values
    integers, floats = values.words.view(np.int64), values.words.view(np.float64)
    is_float = values.tags == kinds.FLOAT
    exact = is_float | ((integers >= -_EXACT_FLOAT) & (integers <= _EXACT_FLOAT))
    if not exact.all():
        return None
    data = np.where(is_float, floats, integers.astype(np.float64))
    return _from_buffers(
        pa, pa.float64(), len(column), [_bitmap(pa, column.valid), pa.py_buffer(data)]
    )


def _inferred(pa: ModuleType, column: MixedColumn, kind: ArrowType) -> ArrowArray:
    """Python values with the type that Arrow infers; None where they have none in common."""
    python = [_plain(value) for value in column.values.tolist()]
    try:
        # Arrow takes the type of the first value that it meets: times are cut off after a date.
        found = pa.array(python, kind)
        return found if _same(python, found.to_pylist()) else None
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None


def _same(given: object, found: object) -> bool:
    """Whether Arrow holds what was given; keys that a map lacks are null."""
    if isinstance(given, dict) and isinstance(found, dict):
        return all(_same(given.get(key), found[key]) for key in found)
    if isinstance(given, list) and isinstance(found, list):
        return len(given) == len(found) and all(map(_same, given, found))
    return given == found or (given != given and found != found)  # NaN


def _plain(value: object) -> object:
    """Name the fields of nested durations: Arrow would take them for lists."""
    if isinstance(value, kinds.Duration):
        return value._asdict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _as_json(column: MixedColumn) -> TextArray:
    """Each value as JSON, absent ones empty."""
    there = column.values.tags != kinds.NULL
    spelled = [
        json.dumps(_jsonable(value), ensure_ascii=False) if ok else ""
        for value, ok in zip(column.values.tolist(), there.tolist(), strict=True)
    ]
    return TextArray.from_list(spelled)


def _jsonable(value: object) -> object:
    """Spell what JSON has no form for: dates in ISO 8601, NaN and infinities by name."""
    value = _plain(value)
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime.date):  # and timestamps
        return value.isoformat()
    return str(value) if isinstance(value, np.datetime64) else value
