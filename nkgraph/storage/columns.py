"""Property columns: what a user gives, what a file holds, what a user gets.

Three immutable forms, each with ``len``, ``take(rows)``, ``kind`` and ``valid`` (a bool array, or
None where all values are there):

    FixedColumn   int64, float64, uniqueid (uint32), bool, date (int32 days), timestamp (int64 s)
    TextColumn    offsets and UTF-8 bytes
    MixedColumn   a tag for each value: mixed kinds, lists, maps, points
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, TEXT, Bool
from nkgraph.errors import FormatError
from nkgraph.storage import values as kinds
from nkgraph.storage.text import TextArray
from nkgraph.storage.values import Values

DTYPES: dict[str, np.dtype] = {
    "int64": np.dtype(np.int64),
    "float64": np.dtype(np.float64),
    "uniqueid": np.dtype(np.uint32),
    "bool": np.dtype(np.bool_),
    "date": np.dtype(np.int32),
    "timestamp": np.dtype(np.int64),
}
_TAGS = {
    "int64": kinds.INT,
    "float64": kinds.FLOAT,
    "uniqueid": kinds.UNIQUE_ID,
    "bool": kinds.BOOL,
}


@dataclass(frozen=True)
class FixedColumn:
    """Values of one width; ``data`` has the dtype that ``DTYPES`` gives for ``kind``."""

    kind: str
    data: np.ndarray
    valid: Bool | None

    def __len__(self) -> int:
        return int(self.data.size)

    def take(self, rows: I64) -> "FixedColumn":
        """Return the chosen rows."""
        valid = None if self.valid is None else self.valid[rows]
        return FixedColumn(self.kind, self.data[rows], valid)


@dataclass(frozen=True)
class TextColumn:
    """Text; absent rows are empty."""

    text: TextArray
    valid: Bool | None
    kind: str = "text"

    def __len__(self) -> int:
        return len(self.text)

    def take(self, rows: I64) -> "TextColumn":
        """Return the chosen rows."""
        valid = None if self.valid is None else self.valid[rows]
        return TextColumn(self.text.take(rows), valid)


@dataclass(frozen=True)
class MixedColumn:
    """Values of any kind; the null tag marks absent ones."""

    values: Values
    kind: str = "mixed"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def valid(self) -> Bool | None:
        """Which values are there; None if all are."""
        valid = self.values.tags != kinds.NULL
        return None if valid.all() else valid

    def take(self, rows: I64) -> "MixedColumn":
        """Return the chosen rows."""
        return MixedColumn(self.values.take(rows))


AnyColumn: TypeAlias = FixedColumn | TextColumn | MixedColumn


def absent(length: int) -> MixedColumn:
    """Return a column without a value."""
    return MixedColumn(Values.nulls(length))


def is_absent(column: AnyColumn) -> bool:
    """Whether a column has no value at all, and so no kind of its own."""
    return column.valid is not None and not column.valid.any()


def has_timestamps(column: AnyColumn) -> bool:
    """Whether a value of the column is a timestamp. Those nested in lists are not looked for."""
    if isinstance(column, MixedColumn):
        return bool((column.values.tags == kinds.TIMESTAMP).any())
    return column.kind == "timestamp"


def concatenate(parts: Sequence[AnyColumn]) -> AnyColumn:
    """Put columns one after the other: of their common kind, or mixed if they have none."""
    if len(parts) == 1:
        return parts[0]
    own = {part.kind for part in parts if len(part) and not is_absent(part)}
    if own == {"uniqueid", "int64"}:
        parts = [_widened(part) for part in parts]
        own = {"int64"}
    if len(own) != 1 or own == {"mixed"}:
        return MixedColumn(Values.concatenate([to_values(part) for part in parts]))
    kind = own.pop()
    same = [part if part.kind == kind else _nothing(kind, len(part)) for part in parts]
    valid = None
    if any(part.valid is not None for part in same):
        valid = np.concatenate([
            np.ones(len(part), bool) if part.valid is None else part.valid for part in same
        ])  # fmt: skip
    texts = [part.text for part in same if isinstance(part, TextColumn)]
    if kind == "text":
        return TextColumn(TextArray.concatenate(texts), valid)
    fixed = [part.data for part in same if isinstance(part, FixedColumn)]
    return FixedColumn(kind, np.concatenate(fixed), valid)


def _widened(column: AnyColumn) -> AnyColumn:
    if isinstance(column, FixedColumn) and column.kind == "uniqueid":
        return FixedColumn("int64", column.data.astype(np.int64), column.valid)
    return column


def _nothing(kind: str, length: int) -> AnyColumn:
    valid = np.zeros(length, bool)
    if kind == "text":
        return TextColumn(TextArray.empty(length), valid)
    return FixedColumn(kind, np.zeros(length, DTYPES[kind]), valid)


def overlay(base: AnyColumn, rows: I64, new: AnyColumn) -> AnyColumn:
    """Return ``base`` with ``rows`` replaced by ``new``; a later row wins."""
    places = np.arange(len(base))
    places[rows] = len(base) + np.arange(len(new))
    return concatenate([base, new]).take(places)


def canonical(column: AnyColumn) -> AnyColumn:
    """Return a column in the one form of its content: its narrowest kind, nothing under nulls.

    Unique ids among other values become integers: which of them were narrowed once is chance.
    """
    if isinstance(column, MixedColumn):
        column = from_values(column.values)
    if isinstance(column, MixedColumn):
        held = column.values
        tags = np.where(held.tags == kinds.UNIQUE_ID, np.uint8(kinds.INT), held.tags)
        column = from_values(Values(tags, held.words, held.heap))
    if isinstance(column, MixedColumn) or column.valid is None:
        return column
    if column.valid.all():
        if isinstance(column, TextColumn):
            return TextColumn(column.text, None)
        return FixedColumn(column.kind, column.data, None)
    if not column.valid.any():
        return absent(len(column))
    if isinstance(column, FixedColumn):
        blank = np.where(column.valid, column.data, np.zeros(1, column.data.dtype))
        return FixedColumn(column.kind, blank, column.valid)
    if (np.diff(column.text.offsets)[~column.valid] == 0).all():
        return column
    places = np.where(column.valid, np.arange(len(column)), len(column))
    text = TextArray.concatenate([column.text, TextArray.empty(1)]).take(places)
    return TextColumn(text, column.valid)


def gather(
    parts: Sequence[tuple[I64, Callable[[], AnyColumn]]],
) -> AnyColumn:
    """Put rows from several columns into one order: (places in the answer, what gives the rows)."""
    pieces = [take() for _, take in parts]
    if len(pieces) == 1:
        return pieces[0]
    order = np.concatenate([at for at, _ in parts])
    places = np.empty(order.size, np.int64)
    places[order] = np.arange(order.size)
    return concatenate(pieces).take(places)


def texts(column: AnyColumn) -> tuple[TextArray, I64]:
    """Return the texts of a column, and the rows that they are in."""
    if isinstance(column, MixedColumn):
        rows = np.flatnonzero(column.values.tags == kinds.TEXT)
        return column.values.take(rows).texts(), rows
    if isinstance(column, FixedColumn):
        return TextArray.empty(), np.zeros(0, np.int64)
    if column.valid is None or column.valid.all():
        return column.text, np.arange(len(column))
    rows = np.flatnonzero(column.valid)
    return column.text.take(rows), rows


# -- to and from tagged values ----------------------------------------------------------------


def to_values(column: AnyColumn) -> Values:
    """Return a column as tagged values; allocates 9 bytes a row, and its text again."""
    if isinstance(column, MixedColumn):
        return column.values
    if isinstance(column, TextColumn):
        found = kinds.from_texts(column.text, kinds.TEXT)
    elif column.kind == "date":
        found = kinds.from_texts(_date_texts(column.data), kinds.DATE)
    elif column.kind == "timestamp":
        texts = np.datetime_as_string(column.data.astype("datetime64[s]")).astype(TEXT)
        found = kinds.from_texts(TextArray.from_strings(texts), kinds.TIMESTAMP)
    else:
        tags = np.full(len(column), _TAGS[column.kind], np.uint8)
        found = Values(tags, _words(column), np.zeros(0, np.uint8))
    if column.valid is None:
        return found
    tags = np.where(column.valid, found.tags, np.uint8(kinds.NULL))
    words = np.where(column.valid, found.words, np.uint64(0))
    return Values(tags, words, found.heap)


def _words(column: FixedColumn) -> np.ndarray:
    if column.kind in ("int64", "float64"):
        return np.ascontiguousarray(column.data).view(np.uint64)
    return column.data.astype(np.uint64)


def _date_texts(days: np.ndarray) -> TextArray:
    """Spell days as the format does: a sign before years outside 0 to 9999."""
    texts = np.datetime_as_string(days.astype("datetime64[D]"), unit="D").astype(TEXT)
    far = days.astype(np.int64) >= 2932897  # 10000-01-01
    texts[far] = np.strings.add("+", texts[far])
    before = np.flatnonzero(days.astype(np.int64) < -719528)  # 0000-01-01
    for row in before:  # NumPy pads such years to four places, the sign among them
        year, month, day = texts[row][1:].split("-")
        texts[row] = f"-{int(year):04}-{month}-{day}"
    return TextArray.from_strings(texts)


def from_values(values: Values, path: Path | str = "memory") -> AnyColumn:
    """Return tagged values as a column, typed where all present ones are of one simple kind.

    Raises
    ------
    FormatError
        A stored date is no date.
    """
    present = values.tags != kinds.NULL
    rows = np.flatnonzero(present)
    if not rows.size:
        return MixedColumn(values)
    first = int(values.tags[rows[0]])
    if not (values.tags[rows] == first).all():
        return MixedColumn(values)
    valid = None if rows.size == len(values) else present
    for kind, tag in _TAGS.items():
        if tag == first:
            return FixedColumn(kind, _from_words(kind, np.where(present, values.words, 0)), valid)
    if first in (kinds.TEXT, kinds.DATE, kinds.TIMESTAMP):
        return _from_texts(values, first, rows, valid, path)
    return MixedColumn(values)


def _from_words(kind: str, words: np.ndarray) -> np.ndarray:
    if kind in ("int64", "float64"):
        return words.astype(np.uint64).view(DTYPES[kind])
    return words.astype(DTYPES[kind])


def _from_texts(
    values: Values, tag: int, rows: I64, valid: Bool | None, path: Path | str
) -> AnyColumn:
    text = values.take(rows).texts()
    if tag == kinds.TEXT:
        if valid is not None:
            places = np.full(len(values), len(text))
            places[rows] = np.arange(rows.size)
            text = TextArray.concatenate([text, TextArray.empty(1)]).take(places)
        return TextColumn(text, valid)
    spelled = text.to_strings()
    kind, unit = ("date", "D") if tag == kinds.DATE else ("timestamp", "s")
    if tag == kinds.TIMESTAMP and np.strings.find(spelled, ".").max() >= 0:
        return MixedColumn(values)  # a fraction of a second does not fit whole seconds
    try:
        stamps = np.strings.lstrip(spelled, "+").astype(f"datetime64[{unit}]")
    except ValueError as error:
        raise FormatError(path, kind, None, f"a {kind} in ISO 8601", str(error)) from None
    if np.isnat(stamps).any():
        raise FormatError(path, kind, None, f"a {kind} in ISO 8601", "an empty one")
    data = np.zeros(len(values), DTYPES[kind])
    data[rows] = stamps.astype(np.int64)
    return FixedColumn(kind, data, valid)


# -- to a user --------------------------------------------------------------------------------


def to_user(column: AnyColumn) -> tuple[np.ndarray, Bool | None]:
    """Return values and their validity as a user reads them; see ``nkgraph.Column``."""
    if isinstance(column, TextColumn):
        return column.text.to_strings(), column.valid
    if isinstance(column, FixedColumn):
        if column.kind in ("date", "timestamp"):
            unit = "D" if column.kind == "date" else "s"
            stamps = column.data.astype(f"datetime64[{unit}]")
            if column.valid is not None:
                stamps[~column.valid] = np.datetime64("NaT")
            return stamps, column.valid
        return read_only(column.data), column.valid
    return _mixed_to_user(column)


def _mixed_to_user(column: MixedColumn) -> tuple[np.ndarray, Bool | None]:
    typed = from_values(column.values)
    if not isinstance(typed, MixedColumn):
        return to_user(typed)
    tags = column.values.tags
    if np.isin(tags, (kinds.UNIQUE_ID, kinds.INT, kinds.NULL)).all() and len(tags):
        if column.valid is not None and not column.valid.any():
            return np.full(len(column), None, object), column.valid
        return column.values.words.view(np.int64), column.valid
    result = np.full(len(column), None, object)
    for tag in np.unique(tags[tags != kinds.NULL]).tolist():
        rows = np.flatnonzero(tags == tag)
        part = column.values.take(rows)
        whole = from_values(part)
        if isinstance(whole, MixedColumn):  # lists, maps, points: Python objects, one by one
            values = np.empty(rows.size, object)
            values[:] = part.tolist()
            result[rows] = values
        else:
            result[rows] = to_user(whole)[0].astype(object)
    return result, column.valid
