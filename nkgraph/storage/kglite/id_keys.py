"""External ids taken apart by how they are looked up.

Two ids are one *key* where they are equal by section 9.1 of the format:

    integers   unique id, 64-bit integer or whole float: one key for each integer of 64 bits
    the rest   text, other floats, booleans, dates, points, ...: equal kind and payload,
               that is, equal bytes in bincode

An absent value and NaN equal nothing, themselves included.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nkgraph.dtypes import I64, U8, Bool
from nkgraph.errors import GraphError
from nkgraph.storage import columns, intake
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.text import TextArray

Integers = NDArray[np.integer[Any]]
NO_ROWS: I64 = np.zeros(0, np.int64)
NO_TEXT = TextArray.empty()


@dataclass(frozen=True)
class IdKeys:
    """A batch of ids. Rows point into the batch; those in neither part equal nothing.

    Parameters
    ----------
    count : int
        Ids in the batch.
    int_rows : (i,) int64 or None
        Rows that are integers; None where all are.
    ints : (i,) integers of any dtype
    forms : (i,) uint8 or None
        Value tags of the integers as they were given; None where all are 64-bit integers.
    rest_rows : (r,) int64
    rest : TextArray
        The bincode bytes of each of ``rest_rows``.
    """

    count: int
    int_rows: I64 | None
    ints: Integers
    forms: U8 | None
    rest_rows: I64
    rest: TextArray

    @property
    def rows_of_ints(self) -> I64 | slice:
        """Rows of ``ints``, to index with."""
        return slice(None) if self.int_rows is None else self.int_rows

    def missing_row(self) -> int:
        """Return the first row that equals nothing, or -1."""
        if self.int_rows is None or self.ints.size + self.rest_rows.size == self.count:
            return -1
        seen = np.zeros(self.count, bool)
        seen[self.int_rows] = True
        seen[self.rest_rows] = True
        return int(np.argmin(seen))

    def take(self, rows: I64) -> "IdKeys":
        """Return the chosen rows, in any order."""
        if self.int_rows is None:
            forms = None if self.forms is None else self.forms[rows]
            return replace(self, count=rows.size, ints=self.ints[rows], forms=forms)
        place = np.full(self.count, -1, np.int64)
        place[self.int_rows] = np.arange(self.ints.size)
        ints = place[rows]
        place[:] = -1
        place[self.rest_rows] = np.arange(self.rest_rows.size)
        rest = place[rows]
        picked = ints[ints >= 0]
        return IdKeys(
            rows.size,
            np.flatnonzero(ints >= 0),
            self.ints[picked],
            None if self.forms is None else self.forms[picked],
            np.flatnonzero(rest >= 0),
            self.rest.take(rest[rest >= 0]),
        )


def from_user(ids: object, looked_up: bool = False) -> IdKeys:
    """Take apart what a user gives as ids; a scalar is one id.

    Parameters
    ----------
    ids : array, masked array, sequence, column, or one id
        As property columns are given.
    looked_up : bool
        Whether integers beyond 64 bits are ids that nothing equals, rather than an error.

    Raises
    ------
    GraphError
        More than one dimension, or a value that the format has no form for.
    """
    if isinstance(ids, np.ndarray) and ids.ndim == 0:
        ids = ids.reshape(1)
    if isinstance(ids, np.ma.MaskedArray) and ids.dtype == np.uint64 and looked_up:
        wide = np.asarray(ids.data) > np.uint64(2**63 - 1)
        ids = np.ma.array(np.asarray(ids.data), mask=np.ma.getmaskarray(ids) | wide)
        ids = np.ma.array(ids.data.astype(np.int64), mask=ids.mask)
    elif isinstance(ids, np.ndarray) and ids.ndim == 1 and ids.dtype.kind in "iu":
        if not isinstance(ids, np.ma.MaskedArray):
            native = np.asarray(ids).astype(ids.dtype.newbyteorder("="), copy=False)
            return IdKeys(ids.size, None, native, None, NO_ROWS, NO_TEXT)
    elif _is_scalar(ids):
        ids = [ids]
    try:
        column = intake.from_user(ids, None, "ids")
    except GraphError:
        narrowed = _without_wide(ids) if looked_up else None
        if narrowed is None:
            raise
        column = intake.from_user(narrowed, None, "ids")
    return from_column(column)


def _is_scalar(ids: object) -> bool:
    if isinstance(ids, np.ndarray):
        return False
    return ids is None or isinstance(ids, (str, dict)) or not hasattr(ids, "__len__")


def _without_wide(ids: object) -> list[object] | None:
    """Replace integers beyond 64 bits by None; None where there are none."""
    dtype = getattr(ids, "dtype", None)
    if not isinstance(ids, (list, tuple, range)) and dtype not in (object, np.uint64):
        return None
    items = list(ids)  # type: ignore[call-overload]  # a sequence or an array: checked above
    narrow = [
        None if isinstance(item, (int, np.integer)) and not -(2**63) <= int(item) < 2**63 else item
        for item in items
    ]
    return narrow if any(a is not b for a, b in zip(items, narrow, strict=True)) else None


def from_column(column: AnyColumn) -> IdKeys:
    """Take a column of ids apart; O(n), and a copy of its texts."""
    whole, others = _classes(column)
    forms: U8 | None = None
    if isinstance(column, MixedColumn):
        forms = column.values.tags[whole]
    elif column.kind in ("uniqueid", "float64"):
        tag = kinds.UNIQUE_ID if column.kind == "uniqueid" else kinds.FLOAT
        forms = np.full(whole.size, tag, np.uint8)
    rest = columns.to_values(column if others.size == len(column) else column.take(others))
    int_rows = None if whole.size == len(column) else whole
    ints = integer_values(column, whole)
    return IdKeys(len(column), int_rows, ints, forms, others, kinds.encodings(rest))


def integers_of(column: AnyColumn) -> tuple[I64, I64]:
    """Return rows and values of what equals an integer of 64 bits."""
    rows, _ = _classes(column)
    return rows, integer_values(column, rows)


def others_of(column: AnyColumn) -> I64:
    """Return the rows of ids that equal no integer; absent ones and NaN are not among them."""
    return _classes(column)[1]


def _classes(column: AnyColumn) -> tuple[I64, I64]:
    there = np.ones(len(column), bool) if column.valid is None else column.valid
    none = np.zeros(len(column), bool)
    if isinstance(column, MixedColumn):
        tags, floats = column.values.tags, column.values.words.view(np.float64)
        is_float = tags == kinds.FLOAT
        integers = (tags == kinds.UNIQUE_ID) | (tags == kinds.INT) | (is_float & is_whole(floats))
        others = there & ~integers & ~(is_float & np.isnan(floats))
    elif isinstance(column, TextColumn):
        integers, others = none, there
    elif column.kind in ("int64", "uniqueid"):
        integers, others = there, none
    elif column.kind == "float64":
        integers = there & is_whole(column.data)
        others = there & ~integers & ~np.isnan(column.data)
    else:
        integers, others = none, there
    return np.flatnonzero(integers), np.flatnonzero(others)


def is_whole(values: np.ndarray) -> Bool:
    """Say which floats are integers that fit int64 exactly."""
    with np.errstate(invalid="ignore"):
        inside = (values >= -(2.0**63)) & (values < 2.0**63)
        return np.asarray(inside & (np.floor(values) == values))


def integer_values(column: AnyColumn, rows: I64) -> I64:
    """Return the values of rows that equal integers, int64."""
    if isinstance(column, MixedColumn):
        words = column.values.words[rows]
        values: I64 = words.view(np.int64).copy()
        whole = column.values.tags[rows] == kinds.FLOAT
        values[whole] = words.view(np.float64)[whole].astype(np.int64)
        return values
    if isinstance(column, FixedColumn):
        return column.data[rows].astype(np.int64)
    return NO_ROWS
