"""What users give as tables and columns: mappings, pandas and polars frames, Arrow data.

A pandas frame is taken column by column: what lies in NumPy arrays needs no other library, what
lies in Arrow arrays goes through Arrow. Everything else that has ``__arrow_c_stream__`` (polars,
pyarrow, DuckDB, an nkgraph ``Table``) is read through the Arrow C stream interface.
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from nkgraph.errors import GraphError
from nkgraph.storage import intake
from nkgraph.storage.columns import AnyColumn
from nkgraph.table import Column, Table

PandasData = Any  # pandas.Series, Index or extension array: the library is optional
STREAM, ARRAY = "__arrow_c_stream__", "__arrow_c_array__"


def is_frame(data: object) -> bool:
    """Whether ``data`` is a table of named columns (and no mapping)."""
    if isinstance(data, Table) or _is_pandas(data, "DataFrame"):
        return True
    # A column of structs streams as a table does; only frames say which columns they have.
    return _is_arrow(data) and (hasattr(data, "columns") or hasattr(data, "schema"))


def as_mapping(data: object, name: str = "properties") -> Mapping[str, object] | None:
    """Return a frame as columns by name; None and mappings as they are.

    Raises
    ------
    GraphError
        Neither, or two columns of one name.
    """
    if data is None or isinstance(data, Mapping):
        return data
    if isinstance(data, Table):
        return data.columns
    if _is_pandas(data, "DataFrame"):
        frame: Any = data
        pairs = [(key, frame.iloc[:, place]) for place, key in enumerate(frame.columns)]
    elif _is_arrow(data) and not _is_pandas(data, "Series"):
        from nkgraph.interop import arrow_intake

        pairs = arrow_intake.columns_of(data, name)
    else:
        found = type(data).__name__
        advice = ": collect() it first" if found == "LazyFrame" else ""
        expected = "neither a mapping of names to columns nor a frame"
        raise GraphError(f"{name} is a {found}, {expected}{advice}")
    columns = dict(pairs)
    if len(columns) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise GraphError(f"{name} has two columns named {twice!r}")
    return columns


def as_column(data: object, length: int | None, name: str) -> AnyColumn:
    """Turn what a user gave for one column into a stored one; see ``intake.from_user``."""
    if isinstance(data, (np.ndarray, list)):
        return intake.from_user(data, length, name)
    if is_frame(data):
        raise GraphError(f"{name} is a {type(data).__name__}: give one of its columns")
    if isinstance(data, Column):
        return intake.from_user(data.stored, length, name)
    if _is_pandas(data, "Series", "Index", "api.extensions.ExtensionArray"):
        return intake.from_user(_from_pandas(data, name), length, name)
    if _is_arrow(data):
        from nkgraph.interop import arrow_intake

        return intake.from_user(arrow_intake.from_arrow(data, name), length, name)
    return intake.from_user(data, length, name)


def as_numbers(data: object, name: str) -> object:
    """Return a column of numbers of another library as an array; anything else as it is.

    Raises
    ------
    GraphError
        A row has no value.
    """
    if isinstance(data, (np.ndarray, np.generic, int, list, tuple, range)) or not (
        _is_pandas(data, "Series", "Index", "api.extensions.ExtensionArray")
        or _is_arrow(data)
        or isinstance(data, Column)
    ):
        return data
    column = as_column(data, None, name)
    if column.valid is not None and not column.valid.all():
        raise GraphError(f"{name}: row {int(np.argmin(column.valid))} has no value")
    return Column(column).values


def _is_arrow(data: object) -> bool:
    return hasattr(data, STREAM) or hasattr(data, ARRAY)


def _is_pandas(data: object, *names: str) -> bool:
    """Whether ``data`` is of one of the classes: only if pandas was imported it can be."""
    pandas: Any = sys.modules.get("pandas")
    if not hasattr(pandas, "DataFrame"):
        return False
    classes = [pandas.api.extensions.ExtensionArray if "." in name else getattr(pandas, name)
               for name in names]  # fmt: skip
    return isinstance(data, tuple(classes))


def _from_pandas(data: PandasData, name: str) -> object:
    """Return what ``intake`` understands."""
    import pandas

    if isinstance(data, pandas.MultiIndex):
        raise GraphError(f"{name} is a MultiIndex: give one of its levels")
    array: PandasData = getattr(data, "array", data)
    dtype = data.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return _from_categories(array, name)
    in_arrow = isinstance(dtype, pandas.StringDtype) and dtype.storage.startswith("pyarrow")
    if in_arrow or isinstance(dtype, pandas.ArrowDtype):
        from nkgraph.interop import arrow_intake

        return arrow_intake.from_arrow(array.__arrow_array__(), name)
    if hasattr(dtype, "numpy_dtype") and getattr(dtype, "na_value", None) is pandas.NA:
        values = array.to_numpy(dtype=dtype.numpy_dtype, na_value=0)
        return np.ma.MaskedArray(values, np.asarray(array.isna()))
    if dtype.kind in "fO":  # there pandas has no other way to say that a value is missing
        missing = np.asarray(pandas.isna(array))
        if missing.any():
            values = np.array(data)
            values[missing] = None if dtype.kind == "O" else 0
            return values if dtype.kind == "O" else np.ma.MaskedArray(values, missing)
    return data


def _from_categories(array: PandasData, name: str) -> AnyColumn:
    from nkgraph.interop import arrow_intake

    values = as_column(array.categories, None, name)
    return arrow_intake.pick(values, np.asarray(array.codes, np.int64))
