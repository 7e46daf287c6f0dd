"""What users give for a column: arrays, masked arrays, sequences, pandas columns over NumPy.

Columns of other libraries come to this form in ``nkgraph.interop.frames``.
"""

import datetime
from collections.abc import Callable

import numpy as np

from nkgraph.dtypes import I64, TEXT, U8, Bool
from nkgraph.errors import GraphError
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import (
    AnyColumn,
    FixedColumn,
    MixedColumn,
    TextColumn,
    absent,
    concatenate,
    from_values,
)
from nkgraph.storage.text import TextArray


def from_user(data: object, length: int | None, name: str) -> AnyColumn:
    """Turn what a user gave into a column.

    Parameters
    ----------
    data : array, masked array, sequence, TextArray, stored column, or a pandas column over NumPy
        None, NaT, masked and null entries are absent; NaN among floats is a value.
    length : int or None
        Rows that must be there.
    name : str
        What to call it in an error.

    Raises
    ------
    GraphError
        Another length or more than one dimension; a value that cannot be stored exactly, with
        its row.
    """
    column = _convert(data, name)
    if length is not None and len(column) != length:
        raise GraphError(f"{name} has {len(column)} rows, not {length}")
    return column


def _convert(data: object, name: str) -> AnyColumn:
    if isinstance(data, (FixedColumn, TextColumn, MixedColumn)):
        return data
    if isinstance(data, TextArray):
        return TextColumn(data, None)
    if isinstance(data, (str, bytes, dict)) or data is None:
        raise GraphError(f"{name} is a {type(data).__name__}, not a sequence of values")
    if isinstance(data, (list, tuple, range)):
        return _from_objects(_object_array(data), name)
    array, nulls = _as_array(data, name)
    if array.ndim != 1:
        raise GraphError(f"{name} has {array.ndim} dimensions, not 1")
    if getattr(array.dtype, "na_object", False) is not False:  # StringDType with nulls of its own
        array = array.astype(object)
    if array.dtype == object:
        if nulls is not None:
            array = array.copy()
            array[nulls] = None
        return _from_objects(array, name)
    valid = None if nulls is None or not nulls.any() else ~nulls
    return _from_typed(array, valid, name)


def _object_array(data: object) -> np.ndarray:
    items = list(data)  # type: ignore[call-overload]  # a list, tuple or range: the caller checked
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _as_array(data: object, name: str) -> tuple[np.ndarray, Bool | None]:
    """Return an array and which of its entries are null."""
    kind = getattr(data, "dtype", getattr(data, "type", None))
    if getattr(kind, "time_zone", None) or getattr(kind, "tz", None):
        raise GraphError(f"{name} has a time zone, which has no form here: convert it to one")
    if isinstance(data, np.ma.MaskedArray):
        return np.asarray(data.data), np.ma.getmaskarray(data)
    if isinstance(data, np.ndarray):
        return data, None
    if hasattr(data, "isna"):  # pandas: Series, Index and extension arrays
        nulls = np.asarray(data.isna())
        if nulls.any() or str(getattr(data, "dtype", "")).startswith(("string", "str")):
            # NaN in a plain float column is a value; in every other column it marks a null.
            if getattr(data, "dtype", None) in (np.float64, np.float32, np.float16):
                return np.asarray(data), None
            return np.asarray(data.astype(object)), nulls  # type: ignore[attr-defined]  # as above
        return np.asarray(data), None
    if hasattr(data, "__array__"):
        return np.asarray(data), None
    raise GraphError(f"{name} is a {type(data).__name__}, not a sequence of values")


def _from_typed(array: np.ndarray, valid: Bool | None, name: str) -> AnyColumn:
    kind = array.dtype.kind
    if kind == "b":
        return FixedColumn("bool", _clean(array, valid), valid)
    if kind in "iu":
        if kind == "u" and array.size and int(array.max()) > 2**63 - 1:
            row = int(np.argmax(array > np.uint64(2**63 - 1)))
            raise GraphError(f"{name}: row {row}: {array[row]} does not fit 64 bits with a sign")
        return FixedColumn("int64", _clean(array.astype(np.int64), valid), valid)
    if kind == "f" and array.dtype.itemsize <= 8:
        return FixedColumn("float64", _clean(array.astype(np.float64), valid), valid)
    if kind == "M":
        return _from_stamps(array, valid, name)
    if kind in "UT":
        return _from_text(array, valid, name)
    raise GraphError(f"{name} holds {array.dtype}, which has no form here")


def _clean(array: np.ndarray, valid: Bool | None) -> np.ndarray:
    """Return an array of our own, zero where absent: what is behind a mask is nobody's value."""
    array = array.copy()
    if valid is not None:
        array[~valid] = 0
    array.flags.writeable = False
    return array


def _from_text(array: np.ndarray, valid: Bool | None, name: str) -> TextColumn:
    if valid is not None:
        array = np.where(valid, array, "").astype(TEXT) if array.dtype.kind == "U" else array.copy()
        array[~valid] = ""
    return TextColumn(TextArray.from_strings(array, name), valid)


def _from_stamps(array: np.ndarray, valid: Bool | None, name: str) -> FixedColumn:
    there = ~np.isnat(array) if valid is None else valid & ~np.isnat(array)
    unit, _ = np.datetime_data(array.dtype)
    if unit in ("Y", "M", "W", "D"):
        days = array.astype("datetime64[D]").astype(np.int64)
        far = there & ((days < -(2**31)) | (days >= 2**31))
        if far.any():
            row = int(np.argmax(far))
            raise GraphError(f"{name}: row {row}: {array[row]} is out of the range of dates")
        data = np.where(there, days, 0).astype(np.int32)
        return FixedColumn("date", data, None if there.all() else there)
    seconds = array.astype("datetime64[s]")
    cut = there & (seconds != array)
    if cut.any():
        row = int(np.argmax(cut))
        raise GraphError(
            f"{name}: row {row}: {array[row]} is finer than a second: round it, or give a number"
        )
    data = np.where(there, seconds.astype(np.int64), 0)
    return FixedColumn("timestamp", data, None if there.all() else there)


# -- objects ----------------------------------------------------------------------------------

_SIMPLE: dict[type, str] = {bool: "b", int: "i", float: "f", str: "s", datetime.date: "d"}
_DTYPE_KINDS = {"b": "b", "i": "i", "u": "i", "f": "f", "U": "s"}


def _kind_of(item: type) -> str:
    if item in _SIMPLE:
        return _SIMPLE[item]
    if issubclass(item, np.generic):
        return _DTYPE_KINDS.get(np.dtype(item).kind, "o")
    if item.__name__ in ("NAType", "NaTType"):
        return "n"
    return "n" if item is type(None) else "o"


def _from_objects(array: np.ndarray, name: str) -> AnyColumn:
    types = list(map(type, array.tolist()))
    kind_by_type = {item: _kind_of(item) for item in set(types)}
    own = sorted(set(kind_by_type.values()) - {"n"})
    if not own:
        return absent(array.size)
    codes = np.frombuffer("".join(map(kind_by_type.__getitem__, types)).encode(), "S1")
    nulls = codes == b"n"
    if len(own) == 1:
        return _from_kind(array, nulls if nulls.any() else None, own[0], name, None)
    parts: list[AnyColumn] = [absent(int(np.count_nonzero(nulls)))]
    places = [np.flatnonzero(nulls)]
    for kind in own:
        rows = np.flatnonzero(codes == kind.encode())
        parts.append(_from_kind(array[rows], None, kind, name, rows))
        places.append(rows)
    order = np.empty(array.size, np.int64)
    order[np.concatenate(places)] = np.arange(array.size)
    return concatenate(parts).take(order)


def _from_kind(
    array: np.ndarray, nulls: Bool | None, kind: str, name: str, rows: I64 | None
) -> AnyColumn:
    """Convert objects of one kind; ``rows`` says where they stand, for errors."""
    if kind == "o":
        return _from_nested(array, nulls, name, rows)
    return _from_uniform(array, nulls, kind, name, rows)


def _from_uniform(
    array: np.ndarray, nulls: Bool | None, kind: str, name: str, rows: I64 | None
) -> AnyColumn:
    valid = None if nulls is None else ~nulls
    filler: dict[str, object] = {"b": False, "i": 0, "f": 0.0, "s": "", "d": "1970-01-01"}
    if nulls is not None:
        array = array.copy()
        array[nulls] = filler[kind]
    if kind == "i":
        try:
            return FixedColumn("int64", array.astype(np.int64), valid)
        except OverflowError:
            at = next(i for i, v in enumerate(array) if not -(2**63) <= v < 2**63)
            row = at if rows is None else rows[at]
            message = f"{name}: row {row}: {array[at]} does not fit 64 bits with a sign"
            raise GraphError(message) from None
    if kind == "s":
        return TextColumn(TextArray.from_strings(array, name), valid)
    if kind == "d":
        days = array.astype("datetime64[D]").astype(np.int64).astype(np.int32)
        return FixedColumn("date", days, valid)
    return FixedColumn("bool" if kind == "b" else "float64", _typed(array, kind), valid)


def _typed(array: np.ndarray, kind: str) -> np.ndarray:
    return array.astype(np.bool_ if kind == "b" else np.float64)


def _from_nested(array: np.ndarray, nulls: Bool | None, name: str, rows: I64 | None) -> AnyColumn:
    """Encode value by value: lists, maps and points have no array form to begin with."""
    encoded = []
    for at, value in enumerate(array.tolist()):
        absent_here = nulls is not None and bool(nulls[at])
        row = at if rows is None else int(rows[at])
        encoded.append(_encode(None if absent_here else value, row, name))
    blob: U8 = np.frombuffer(b"".join(encoded), np.uint8)
    found, _ = kinds.read_stream(name, blob, 0, blob.size, len(encoded))
    return from_values(found, name)


def _encode(value: object, row: int, name: str) -> bytes:
    encode: Callable[[object], bytes] = kinds.encode
    try:
        return encode(value)
    except UnicodeEncodeError:
        raise GraphError(f"{name}: row {row} holds a lone surrogate") from None
    except (TypeError, OverflowError, RecursionError) as error:
        raise GraphError(f"{name}: row {row}: {error} cannot be stored") from None
