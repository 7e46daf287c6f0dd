"""Arrow arrays to stored columns: buffers to arrays, text from its offsets and bytes.

A stored column is a copy: what a frame's owner changes in place must not change a graph. No value
passes through Python but those of lists, structs and maps, which have no array form to begin with.
Every conversion is exact or refused, with the name of the column, the row and the Arrow type.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import numpy as np

from nkgraph.dtypes import I64, Bool
from nkgraph.errors import GraphError
from nkgraph.interop.arrow import DURATION_FIELDS, ArrowArray, ArrowType, require
from nkgraph.storage import columns, intake
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.text import TextArray

Chunked = Any  # pyarrow.ChunkedArray: the library is optional and has no type information
_NUMBERS: Final = {
    "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "halffloat": "f2", "float": "f4", "double": "f8",
}  # fmt: skip
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MS_PER_DAY: Final = 86_400_000
_INTERVAL: Final = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
_TEXTUAL_EXTENSIONS: Final = ("arrow.json",)


def columns_of(data: object, name: str) -> list[tuple[str, object]]:
    """Read a stream of record batches: names and columns, in order."""
    pa = require("pyarrow", "arrow")
    try:
        table = data if isinstance(data, pa.Table) else pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        found = type(data).__name__
        raise GraphError(f"{name} is a {found} that Arrow reads as no table: {error}") from None
    return list(zip(table.column_names, table.columns, strict=True))


def from_arrow(data: object, name: str) -> AnyColumn:
    """Turn one column into a stored one.

    Parameters
    ----------
    data : pyarrow.Array, ChunkedArray, or an object with an Arrow C stream or array
    name : str
        What to call it in an error.

    Raises
    ------
    GraphError
        A type that has no form here, or a value that would be cut or rounded.
    """
    pa = require("pyarrow", "arrow")
    chunks = _chunked(pa, data, name)
    kind = chunks.type
    try:
        if pa.types.is_nested(kind) and not _are_durations(pa, chunks):
            return _from_nested(pa, chunks, name)
        convert = _converter(pa, kind, name)
        parts, first = [], 0
        for chunk in chunks.chunks or [pa.array([], kind)]:
            parts.append(convert(chunk, first))
            first += len(chunk)
    except pa.ArrowException as error:
        raise GraphError(f"{name}, of the Arrow type {kind}: {error}") from None
    return columns.concatenate(parts)


def pick(values: AnyColumn, codes: I64) -> AnyColumn:
    """Return ``values[codes]``, absent where the code is -1."""
    there = codes >= 0
    if there.all():
        return values.take(codes)
    if not there.any():
        return columns.absent(codes.size)
    places = np.where(there, codes, len(values))
    return columns.concatenate([values, columns.absent(1)]).take(places)


def _chunked(pa: ModuleType, data: object, name: str) -> Chunked:
    try:
        if isinstance(data, pa.ChunkedArray):
            return data
        if isinstance(data, pa.Array):
            return pa.chunked_array([data])
        if hasattr(data, "__arrow_c_stream__"):
            return pa.chunked_array(data)
        return pa.chunked_array([pa.array(data)])
    except pa.ArrowException as error:
        raise GraphError(f"{name} is a {type(data).__name__} with no Arrow form: {error}") from None


Convert = Callable[[ArrowArray, int], AnyColumn]
"""A chunk and the row that it begins with to a column."""


def _converter(pa: ModuleType, kind: ArrowType, name: str) -> Convert:
    """Choose how chunks of a type are converted."""
    types = pa.types
    if str(kind) in _NUMBERS:
        dtype = np.dtype(_NUMBERS[str(kind)])
        return lambda chunk, first: _number(chunk, first, dtype, name)
    if types.is_string(kind) or types.is_large_string(kind):
        return lambda chunk, first: _text(chunk)
    if types.is_boolean(kind):
        return lambda chunk, first: _bool(chunk)
    if types.is_null(kind):
        return lambda chunk, first: columns.absent(len(chunk))
    if types.is_date(kind):
        return lambda chunk, first: _date(chunk, first, name)
    if types.is_timestamp(kind):
        if kind.tz is not None:
            raise GraphError(f"{name} has a time zone, which has no form here: convert it to one")
        return lambda chunk, first: _timestamp(chunk, first, kind.unit, name)
    if types.is_dictionary(kind):
        return lambda chunk, first: _dictionary(pa, chunk, name)
    if types.is_struct(kind):
        return lambda chunk, first: _durations(chunk, _struct_fields(chunk))
    if types.is_interval(kind):
        return lambda chunk, first: _durations(chunk, _interval_fields(chunk, first, name))
    return _by_other_types(pa, kind, name)


def _by_other_types(pa: ModuleType, kind: ArrowType, name: str) -> Convert:
    """Convert by way of a type that holds the same values, or refuse."""
    if getattr(kind, "extension_name", None) in _TEXTUAL_EXTENSIONS:
        inner = _converter(pa, kind.storage_type, name)
        return lambda chunk, first: inner(chunk.storage, first)
    if str(kind) == "string_view":
        return lambda chunk, first: _text(chunk.cast(pa.large_string()))
    if str(kind).startswith("run_end_encoded"):
        compute = require("pyarrow.compute", "arrow")
        plain = _converter(pa, kind.value_type, name)
        return lambda chunk, first: plain(compute.run_end_decode(chunk), first)
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return lambda chunk, first: _number(chunk.cast(pa.int64()), first, np.dtype("i8"), name)
    raise GraphError(
        f"{name} is of the Arrow type {kind}, which has no form here: "
        "cast it to integers, floats, text, dates or timestamps"
    )


# -- kinds ------------------------------------------------------------------------------------


def _valid(chunk: ArrowArray) -> Bool | None:
    if not chunk.null_count:
        return None
    bits = np.frombuffer(chunk.buffers()[0], np.uint8)
    stop = chunk.offset + len(chunk)
    return np.unpackbits(bits, count=stop, bitorder="little")[chunk.offset :].view(np.bool_)


def _view(chunk: ArrowArray, dtype: np.dtype) -> np.ndarray:
    """The values, whatever lies under nulls; not a copy."""
    if not len(chunk):
        return np.zeros(0, dtype)
    return np.frombuffer(chunk.buffers()[1], dtype, len(chunk), chunk.offset * dtype.itemsize)


def _kept(data: np.ndarray, valid: Bool | None) -> np.ndarray:
    """Put zeros under nulls, in place."""
    if valid is not None:
        data[~valid] = 0
    return data


def _number(chunk: ArrowArray, first: int, dtype: np.dtype, name: str) -> AnyColumn:
    given, valid = _view(chunk, dtype), _valid(chunk)
    if dtype.kind == "f":
        return FixedColumn("float64", _kept(given.astype(np.float64), valid), valid)
    if dtype == np.uint64:
        wide = given > np.uint64(2**63 - 1)
        row = _first(wide, valid)
        if row >= 0:
            found = f"{name}: row {first + row}: {given[row]}"
            raise GraphError(f"{found} does not fit 64 bits with a sign")
    return FixedColumn("int64", _kept(given.astype(np.int64), valid), valid)


def _first(wrong: Bool, valid: Bool | None) -> int:
    """The first valid row that is wrong, or -1."""
    if valid is not None:
        wrong = wrong & valid
    return int(wrong.argmax()) if wrong.any() else -1


def _bool(chunk: ArrowArray) -> AnyColumn:
    valid, stop = _valid(chunk), chunk.offset + len(chunk)
    if not len(chunk):
        return FixedColumn("bool", np.zeros(0, bool), None)
    bits = np.frombuffer(chunk.buffers()[1], np.uint8)
    data = np.unpackbits(bits, count=stop, bitorder="little")[chunk.offset :].view(np.bool_)
    return FixedColumn("bool", _kept(data, valid), valid)


def _date(chunk: ArrowArray, first: int, name: str) -> AnyColumn:
    valid = _valid(chunk)
    if str(chunk.type).startswith("date32"):
        return FixedColumn("date", _kept(_view(chunk, np.dtype("i4")).copy(), valid), valid)
    given = _view(chunk, np.dtype("i8"))
    days = given // _MS_PER_DAY
    row = _first((days * _MS_PER_DAY != given) | (days != days.astype(np.int32)), valid)
    if row >= 0:
        raise GraphError(f"{name}: row {first + row}: {given[row]} ms is no whole day, or too far")
    return FixedColumn("date", _kept(days.astype(np.int32), valid), valid)


def _timestamp(chunk: ArrowArray, first: int, unit: str, name: str) -> AnyColumn:
    given, valid = _view(chunk, np.dtype("i8")), _valid(chunk)
    seconds = given // _PER_SECOND[unit]
    row = _first(seconds * _PER_SECOND[unit] != given, valid)
    if row >= 0:
        shown = given[row : row + 1].view(f"datetime64[{unit}]")[0]
        raise GraphError(
            f"{name}: row {first + row}: {shown}, of a timestamp in {unit}, is finer than a "
            "second: round it, or give a number"
        )
    seconds = seconds.copy() if seconds is given else seconds
    lowest = np.iinfo(np.int64).min  # what NumPy takes for NaT
    row = _first(seconds == lowest, valid)
    if row >= 0:
        raise GraphError(f"{name}: row {first + row}: {lowest} s is no timestamp")
    return FixedColumn("timestamp", _kept(seconds, valid), valid)


def _text(chunk: ArrowArray) -> AnyColumn:
    """Copy offsets and bytes; Arrow checks order, bounds and UTF-8 before they are used."""
    if not len(chunk):
        return TextColumn(TextArray.empty(), None)
    chunk.validate(full=True)
    _, where, data = chunk.buffers()
    wide = np.dtype("i8" if str(chunk.type).startswith("large") else "i4")
    offsets = np.frombuffer(where, wide, len(chunk) + 1, chunk.offset * wide.itemsize)
    start, stop = int(offsets[0]), int(offsets[-1])
    held = np.frombuffer(data, np.uint8)[start:stop].copy() if stop else np.zeros(0, np.uint8)
    text, valid = TextArray(offsets.astype(np.int64) - start, held), _valid(chunk)
    if valid is not None and np.diff(text.offsets)[~valid].any():  # absent rows are empty here
        places = np.where(valid, np.arange(len(text)), len(text))
        text = TextArray.concatenate([text, TextArray.empty(1)]).take(places)
    return TextColumn(text, valid)


def _dictionary(pa: ModuleType, chunk: ArrowArray, name: str) -> AnyColumn:
    values = from_arrow(chunk.dictionary, name)
    codes = _number(chunk.indices.cast(pa.int64()), 0, np.dtype("i8"), name)
    assert isinstance(codes, FixedColumn)
    places: I64 = codes.data
    if codes.valid is not None:
        places = np.where(codes.valid, places, -1)
    row = int(np.argmax((places >= len(values)) | (places < -1))) if places.size else 0
    if places.size and not -1 <= places[row] < len(values):
        raise GraphError(f"{name}: row {row}: code {places[row]} is not below {len(values)}")
    return pick(values, places)


# -- durations, and what is nested ------------------------------------------------------------


def _are_durations(pa: ModuleType, chunks: Chunked) -> bool:
    """Whether a column is of the struct that durations are exported as, each field there."""
    kind = chunks.type
    if not pa.types.is_struct(kind):
        return False
    fields = [kind.field(place) for place in range(kind.num_fields)]
    if [(field.name, str(field.type)) for field in fields] != list(DURATION_FIELDS):
        return False
    return all(
        part.null_count == chunk.null_count for chunk in chunks.chunks for part in chunk.flatten()
    )


def _struct_fields(chunk: ArrowArray) -> np.ndarray:
    records = np.zeros(len(chunk), kinds.DURATIONS)
    for field, (name, kind) in enumerate(DURATION_FIELDS):
        records[name] = _view(chunk.field(field), np.dtype(_NUMBERS[kind]))
    return records


def _interval_fields(chunk: ArrowArray, first: int, name: str) -> np.ndarray:
    given = _view(chunk, _INTERVAL)
    records = np.zeros(len(chunk), kinds.DURATIONS)
    records["months"], records["days"] = given["months"], given["days"]
    records["seconds"] = given["nanoseconds"] // 10**9
    row = _first(given["nanoseconds"] % 10**9 != 0, _valid(chunk))
    if row >= 0:
        raise GraphError(f"{name}: row {first + row}: an interval in ns is finer than a second")
    return records


def _durations(chunk: ArrowArray, records: np.ndarray) -> AnyColumn:
    return MixedColumn(kinds.from_durations(records, _valid(chunk)))


def _from_nested(pa: ModuleType, chunks: Chunked, name: str) -> AnyColumn:
    if pa.types.is_union(chunks.type):
        raise GraphError(f"{name} is of the Arrow type {chunks.type}, which has no form here")
    options = {"maps_as_pydicts": "strict"} if "map<" in str(chunks.type) else {}
    try:
        listed = [value for chunk in chunks.chunks for value in chunk.to_pylist(**options)]
    except (ValueError, KeyError, OverflowError) as error:
        raise GraphError(f"{name}, of the Arrow type {chunks.type}: {error}") from None
    return intake.from_user(listed, None, name)
