"""Tables as Arrow, and through Arrow as pandas and polars frames.

Fixed-width columns are shared without a copy; text goes from its offsets and bytes to
``large_string`` without making a Python string. Booleans are copied (Arrow packs them in bits),
and so are mixed columns, whose values become what Arrow infers from the Python ones.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from nkgraph.dtypes import Bool
from nkgraph.errors import GraphError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn

if TYPE_CHECKING:
    from nkgraph.table import Table

ArrowTable = Any  # pyarrow.Table: the library is optional and has no type information
ArrowArray = Any  # pyarrow.Array, likewise
ArrowType = Any  # pyarrow.DataType, likewise


def require(name: str, extra: str) -> ModuleType:
    """Import an optional library, or say how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        if error.name != name:
            raise
        raise ImportError(
            f"{name} is not installed: pip install 'nkgraph[{extra}]'", name=name
        ) from None


def to_arrow(table: "Table") -> ArrowTable:
    """Return a ``pyarrow.Table`` with the columns of ``table``."""
    pa = require("pyarrow", "arrow")
    names = list(table.columns)
    arrays = [_array(pa, name, table.columns[name].stored) for name in names]
    if not names:
        raise GraphError("the table has no columns; an Arrow table of none has no rows")
    return pa.table(arrays, names=names)


def to_pandas(table: "Table") -> object:
    """Return a ``pandas.DataFrame`` of Arrow-backed columns."""
    pandas = require("pandas", "pandas")
    return to_arrow(table).to_pandas(types_mapper=pandas.ArrowDtype)


def to_polars(table: "Table") -> object:
    """Return a ``polars.DataFrame``."""
    return require("polars", "polars").from_arrow(to_arrow(table))


def _array(pa: ModuleType, name: str, column: AnyColumn) -> ArrowArray:
    bitmap = _bitmap(pa, column.valid)
    if isinstance(column, TextColumn):
        text = column.text
        offsets = np.ascontiguousarray(text.offsets, np.int64)
        buffers = [bitmap, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text.data))]
        return pa.Array.from_buffers(pa.large_string(), len(column), buffers)
    if isinstance(column, FixedColumn):
        if column.kind == "bool":
            mask = None if column.valid is None else ~column.valid
            return pa.array(np.asarray(column.data, bool), mask=mask)
        data = np.ascontiguousarray(column.data)
        kind = _types(pa)[column.kind]
        return pa.Array.from_buffers(kind, len(column), [bitmap, pa.py_buffer(data)])
    values, valid = columns.to_user(column)
    python = values.tolist()
    if valid is not None:
        python = [v if ok else None for v, ok in zip(python, valid.tolist(), strict=True)]
    try:
        return pa.array(python)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        message = f"column {name!r} mixes values that Arrow has no type for: {error}"
        raise GraphError(message) from None


def _types(pa: ModuleType) -> dict[str, ArrowType]:
    return {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "uniqueid": pa.uint32(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("s"),
    }


def _bitmap(pa: ModuleType, valid: Bool | None) -> ArrowArray:
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
