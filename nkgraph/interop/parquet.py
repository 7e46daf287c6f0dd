"""Parquet files in batches: their columns to the form that graphs store, without Python strings."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias

import numpy as np

from nkgraph.dtypes import Bool
from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.interop.arrow import require
from nkgraph.storage import columns, intake
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.text import TextArray

BATCH: Final = 1 << 17
"""Rows that are read at once."""
MAGIC: Final = b"PAR1"
ArrowArray: TypeAlias = Any  # pyarrow is an extra: there may be no such type to name
ArrowType: TypeAlias = Any
_SECONDS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file whose schema has been read."""

    path: Path
    names: tuple[str, ...]
    notes: Mapping[str, str]
    """What the writer noted in the file: keys and values of the schema's metadata."""
    row_count: int

    def batches(self, places: Sequence[int]) -> Iterator[list[AnyColumn]]:
        """Yield some columns of the next rows; each column stays of the kind that its type has."""
        pa, parquet = require("pyarrow", "arrow"), require("pyarrow.parquet", "arrow")
        row = 0
        for batch in _guarded(self.path, pa, _batches(self.path, parquet, len(self.names))):
            found = []
            for place in places:
                name = self.names[place]
                where = f"column {name!r}, rows from {row + 1}"
                found.append(_column(pa, self.path, where, name, batch.column(place)))
            yield found
            row += batch.num_rows


def open_parquet(path: Path) -> ParquetFile:
    """Read the schema of a file.

    Raises
    ------
    FormatError
        It is no Parquet file, or damaged; two columns have one name.
    """
    pa, parquet = require("pyarrow", "arrow"), require("pyarrow.parquet", "arrow")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != MAGIC:
        raise FormatError(path, "magic", 0, MAGIC, magic)

    def read() -> Generator[ParquetFile, None, None]:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            held = dict(schema.metadata or {})
            notes = {
                key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                for key, value in held.items()
                if key.startswith(b"nkgraph.")
            }
            yield ParquetFile(path, tuple(schema.names), notes, int(file.metadata.num_rows))

    found: ParquetFile = next(_guarded(path, pa, read()))
    for name in found.names:
        if found.names.count(name) > 1:
            raise FormatError(path, "schema", None, "distinct names", f"{name!r} twice")
    return found


def _batches(path: Path, parquet: ModuleType, width: int) -> Generator[Any, None, None]:
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH):
            batch.validate(full=True)  # offsets and UTF-8: kernels trust both
            if batch.num_columns != width:
                raise FormatError(path, "columns", None, width, batch.num_columns)
            yield batch


def _guarded(path: Path, pa: ModuleType, items: Generator[Any, None, None]) -> Iterator[Any]:
    """Word what pyarrow finds wrong with a file."""
    try:
        yield from items
    except FormatError:
        raise
    except pa.ArrowNotImplementedError as error:
        raise FormatError(path, "Parquet data", None, "a feature pyarrow reads", error) from None
    except MemoryError as error:
        raise LimitError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        # pyarrow raises plain OSError for pages and footers that it cannot read.
        raise FormatError(path, "Parquet data", None, "a whole Parquet file", error) from None


# -- from Arrow to stored columns -------------------------------------------------------------


def _column(pa: ModuleType, path: Path, where: str, name: str, array: ArrowArray) -> AnyColumn:
    """Turn an array into a column."""
    kind = array.type
    types = pa.types
    if types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if types.is_null(kind):
        return columns.absent(len(array))
    valid = _valid(array)
    if types.is_boolean(kind):
        return FixedColumn("bool", _filled(array, False).astype(bool), valid)
    if types.is_integer(kind):
        return _integers(path, where, array, valid)
    if types.is_floating(kind):
        return FixedColumn("float64", _filled(array, 0.0).astype(np.float64), valid)
    if types.is_string(kind) or types.is_large_string(kind) or _is_view(types, kind):
        return TextColumn(_text(pa, array), valid)
    if types.is_date(kind):
        return _dates(pa, path, where, array, valid)
    if types.is_timestamp(kind):
        return _timestamps(pa, path, where, name, array, valid)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_struct(kind):
        return _nested(path, where, name, array)
    remedy = "convert it to numbers, texts, dates or timestamps, or leave the column out"
    raise FormatError(path, where, None, "a type that graphs have", kind, remedy)


def _is_view(types: ModuleType, kind: ArrowType) -> bool:
    return hasattr(types, "is_string_view") and bool(types.is_string_view(kind))


def _valid(array: ArrowArray) -> Bool | None:
    if not array.null_count:
        return None
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)


def _filled(array: ArrowArray, value: object) -> np.ndarray:
    if array.null_count:
        array = array.fill_null(value)
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _integers(path: Path, where: str, array: ArrowArray, valid: Bool | None) -> FixedColumn:
    data = _filled(array, 0)
    if data.dtype == np.uint64 and data.size and int(data.max()) > 2**63 - 1:
        raise FormatError(path, where, None, "integers of 64 bits with a sign", int(data.max()))
    return FixedColumn("int64", data.astype(np.int64), valid)


def _text(pa: ModuleType, array: ArrowArray) -> TextArray:
    """Copy offsets and bytes; absent texts are empty."""
    if array.null_count:
        array = array.fill_null("")
    array = array.cast(pa.large_string())
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.zeros(1, np.int64)
    if len(array):
        offsets = np.frombuffer(offset_buffer, np.int64)[array.offset :][: len(array) + 1]
    if data_buffer is None:
        return TextArray.empty(len(array))
    first = int(offsets[0])
    data = np.frombuffer(data_buffer, np.uint8)[first : int(offsets[-1])].copy()
    return TextArray(offsets - first, data)


def _dates(
    pa: ModuleType, path: Path, where: str, array: ArrowArray, valid: Bool | None
) -> FixedColumn:
    if pa.types.is_date64(array.type):
        data = _filled(array.cast(pa.int64()), 0)
        days = data // 86_400_000
        if (days * 86_400_000 != data).any():
            raise FormatError(path, where, None, "whole days", "a time of day")
        if days.size and (days.max() >= 2**31 or days.min() < -(2**31)):
            raise FormatError(path, where, None, "days of 32 bits", "a farther one")
        return FixedColumn("date", days.astype(np.int32), valid)
    return FixedColumn("date", _filled(array.cast(pa.int32()), 0).astype(np.int32), valid)


def _timestamps(
    pa: ModuleType, path: Path, where: str, name: str, array: ArrowArray, valid: Bool | None
) -> AnyColumn:
    if array.type.tz is not None:
        remedy = "convert it to one time zone and leave the zone out"
        raise FormatError(path, where, None, "timestamps without a zone", array.type.tz, remedy)
    data = _filled(array.cast(pa.int64()), 0)
    per_second = _SECONDS[array.type.unit]
    seconds = data // per_second
    if (seconds * per_second == data).all():
        return FixedColumn("timestamp", seconds, valid)
    if array.type.unit == "ns":
        if (data % 1000 != 0).any():
            raise FormatError(path, where, None, "timestamps to the microsecond", "nanoseconds")
        array = array.cast(pa.timestamp("us"))
    return _nested(path, where, name, array)


def _nested(path: Path, where: str, name: str, array: ArrowArray) -> AnyColumn:
    """Lists, maps and fractions of seconds have no array form to begin with: value by value."""
    try:
        return intake.from_user(_plain(array), len(array), f"column {name!r}")
    except GraphError as error:
        raise FormatError(path, where, None, "values that graphs have", error) from None
    except (ValueError, OverflowError) as error:  # a date that Python has not
        raise FormatError(path, where, None, "values that Python has", error) from None


def _plain(array: ArrowArray) -> list[object]:
    listed: list[object] = array.to_pylist()
    return listed
