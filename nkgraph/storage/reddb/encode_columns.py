"""Property columns as what the kernels of ``dump_write`` take: key, states, words or bytes."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, TEXT, U8, U32
from nkgraph.storage import columns
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.encode_values import (
    CODES,
    NULL,
    Compress,
    Encoder,
    text_value,
    with_length,
)
from nkgraph.storage.text import TextArray

WEIGHT = "weight"
"""The edge property that becomes the weight of the entity."""
F32: TypeAlias = NDArray[np.float32]
NO_STATES: U8 = np.zeros(0, np.uint8)
NO_WEIGHTS: F32 = np.zeros(0, np.float32)
_ABSENT, _VALUE, _NULL = 0, 1, 2  # states of dump_write
_FIXED: Mapping[str, tuple[str, int]] = {
    "int64": ("integer", 8),
    "uniqueid": ("unsigned", 8),
    "float64": ("float", 8),
    "bool": ("boolean", 1),
    "date": ("date", 4),
    "timestamp": ("timestamp", 8),
}
"""Type of value and bytes of its payload, by kind of column."""
_NUMBERS = ("int64", "uniqueid", "float64")
_NUMBER_TAGS = ((kinds.INT, "i8"), (kinds.UNIQUE_ID, "u8"), (kinds.FLOAT, "f8"))  # floats last


def constant(data: bytes) -> U8:
    """Bytes that a kernel copies; it may read a few more."""
    return read_only(np.frombuffer(data + bytes(kernels.dump_write.SLACK), np.uint8))


def constant_size(data: U8) -> int:
    """How many bytes ``constant`` was given."""
    return int(data.size) - int(kernels.dump_write.SLACK)


class FixedSource(NamedTuple):
    """A property of one width: key with length and code; state and unsigned word by row."""

    key: U8
    states: U8
    words: NDArray[Any]
    width: int

    @property
    def everywhere(self) -> int | None:
        """Bytes that it takes in every row, or None."""
        return None if self.states.size else constant_size(self.key) + self.width

    def add_sizes(
        self, rows: I64, places: I64, span: tuple[int, int], counts: U32, sizes: I64
    ) -> None:
        """Add the bytes of each row."""
        kernels.dump_write.add_fixed_sizes(
            rows, places, read_only(self.states), constant_size(self.key), self.width, *span,
            counts, sizes,
        )  # fmt: skip

    def write(self, rows: I64, block: tuple[int, int], cursor: I64, out: U8) -> int:
        """Write a block of rows; the first for which there is no room, or -1."""
        bad: int = kernels.dump_write.write_fixed(
            rows,
            read_only(self.states),
            self.key,
            read_only(self.words),
            self.width,
            *block,
            cursor,
            out,
        )
        return bad


class BytesSource(NamedTuple):
    """A property of texts, or of values encoded already (``bare``: their codes are theirs)."""

    key: U8
    states: U8
    text: TextArray
    bare: bool

    @property
    def everywhere(self) -> int | None:
        """Bytes that it takes in every row: not known."""
        return None

    def add_sizes(
        self, rows: I64, places: I64, span: tuple[int, int], counts: U32, sizes: I64
    ) -> None:
        """Add the bytes of each row."""
        size = constant_size(self.key)
        offsets = self.text.offsets
        kernels.dump_write.add_bytes_sizes(
            rows, places, offsets, read_only(self.states), size, self.bare, *span, counts, sizes
        )

    def write(self, rows: I64, block: tuple[int, int], cursor: I64, out: U8) -> int:
        """Write a block of rows; the first for which there is no room, or -1."""
        bad: int = kernels.dump_write.write_bytes(
            rows, read_only(self.states), self.key, self.text.offsets, self.text.data, self.bare,
            *block, cursor, out,
        )  # fmt: skip
        return bad


Source: TypeAlias = FixedSource | BytesSource


def sources(name: str, column: AnyColumn, encoder: Encoder) -> list[Source]:
    """Return what writes a property: nothing, one source, or two that share out the rows.

    Raises
    ------
    GraphError
        A value that no code holds.
    """
    if columns.is_absent(column):
        return []
    valid = column.valid
    states = NO_STATES if valid is None else read_only(valid.view(np.uint8))
    return _sources(with_length(name.encode()), column, states, encoder)


def _sources(key: bytes, column: AnyColumn, states: U8, encoder: Encoder) -> list[Source]:
    if isinstance(column, MixedColumn):
        return [BytesSource(constant(key), states, encoder.encode(column.values), True)]
    if isinstance(column, TextColumn):
        return _text_sources(key, column.text, states, encoder.compress)
    value, width = _FIXED[column.kind]
    unsigned = np.dtype(f"u{column.data.dtype.itemsize}")
    words = read_only(np.ascontiguousarray(column.data).view(unsigned))
    return [FixedSource(constant(key + bytes([CODES[value]])), states, words, width)]


def _text_sources(key: bytes, text: TextArray, states: U8, compress: Compress) -> list[Source]:
    """Texts as they are, and apart from them those that are compressed."""
    plain = constant(key + bytes([CODES["text"]]))
    long = np.diff(text.offsets) >= layout.COMPRESSED_FROM
    if states.size:
        long &= states == _VALUE
    rows, parts = [], []
    for row in np.flatnonzero(long).tolist():
        data = text.data[text.offsets[row] : text.offsets[row + 1]].tobytes()
        value = text_value(data, compress)
        if value[0] == layout.PACKED_TEXT:
            rows.append(row)
            parts.append(value)
    if not rows:
        return [BytesSource(plain, states, text, False)]
    offsets = np.zeros(len(text) + 1, np.int64)
    offsets[np.array(rows) + 1] = [len(part) for part in parts]
    packed = TextArray(np.cumsum(offsets), np.frombuffer(b"".join(parts), np.uint8))
    left = states.copy() if states.size else np.full(len(text), _VALUE, np.uint8)
    left[rows] = _ABSENT
    chosen = np.zeros(len(text), np.uint8)
    chosen[rows] = _VALUE
    return [
        BytesSource(plain, read_only(left), text, False),
        BytesSource(constant(key), read_only(chosen), packed, True),
    ]


# -- weights ----------------------------------------------------------------------------------


def weights(column: AnyColumn, encoder: Encoder) -> tuple[F32, list[Source]]:
    """Return the float32 weight of each edge, and what writes the rest of it as a property.

    A float64 that is a float32 exactly, bit for bit, needs no property. An absent weight, and
    what is no number, is 1 as a float32; an absent one is a null as a property.
    """
    count, valid = len(column), column.valid
    found, exact = _as_float32(column)
    states = np.where(exact, np.uint8(_ABSENT), np.uint8(_VALUE))
    if valid is not None:
        states[~valid] = _NULL
        found[~valid] = 1
    found, key = read_only(found), with_length(WEIGHT.encode())
    if not states.any():
        return found, []
    if valid is not None and not valid.any():
        nulls = np.full(count, _NULL, np.uint8)
        empty = constant(key + NULL)
        return found, [FixedSource(empty, read_only(nulls), np.zeros(0, np.uint64), 0)]
    if isinstance(column, MixedColumn):
        values = encoder.encode(column.values, NULL)
        states[states == _NULL] = _VALUE
        return found, [BytesSource(constant(key), read_only(states), values, True)]
    return found, _sources(key, column, read_only(states), encoder)


def _as_float32(column: AnyColumn) -> tuple[F32, np.ndarray]:
    """Return numbers as float32, 1 for what is none; and whether that gives back the same."""
    found = np.ones(len(column), np.float32)
    exact = np.zeros(len(column), bool)
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(column, MixedColumn):
            tags, words = column.values.tags, column.values.words
            numbers = (
                (kinds.INT, np.int64),
                (kinds.UNIQUE_ID, np.uint64),
                (kinds.FLOAT, np.float64),
            )
            for tag, dtype in numbers:
                at = np.flatnonzero(tags == tag)
                found[at] = words[at].view(dtype).astype(np.float32)
            exact[at] = found[at].astype(np.float64).view(np.uint64) == words[at]
        elif isinstance(column, FixedColumn) and column.kind in _NUMBERS:
            found = column.data.astype(np.float32)
            if column.kind == "float64":
                bits = np.ascontiguousarray(column.data).view(np.uint64)
                exact = found.astype(np.float64).view(np.uint64) == bits
    return found, exact


# -- titles -----------------------------------------------------------------------------------


def titles(column: AnyColumn) -> tuple[TextArray, U8, int]:
    """Return the titles by row, their states, and how many are no texts but are written as texts.

    No rows at all stand for none that has a title.
    """
    if columns.is_absent(column):
        return TextArray.empty(), NO_STATES, 0
    valid = column.valid
    states = NO_STATES if valid is None else read_only(valid.view(np.uint8))
    if isinstance(column, TextColumn):
        return column.text, states, 0
    spelled, _ = columns.to_user(column)
    if spelled.dtype.kind in "iuM":
        spelled = spelled.astype(TEXT)
    elif spelled.dtype != TEXT:
        spelled = np.array(["" if item is None else str(item) for item in spelled.tolist()], TEXT)
    others = len(column) if valid is None else int(np.count_nonzero(valid))
    if isinstance(column, MixedColumn):
        others -= int(np.count_nonzero(column.values.tags == kinds.TEXT))
    return TextArray.from_strings(spelled), states, others
