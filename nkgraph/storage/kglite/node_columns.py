"""Node properties of a type, in two encodings.

``columns/<Type>/columns.zst``, the sidecar, is zstd of

    "KGLCOLv1"  u32 rows  u32 columns
    per column: u16 name length, name, u16 tag length, tag, u64 data length, data

    int64 float64 uniqueid bool date   rows elements, then rows null bytes (0 = present)
    string                             u64 offsets[rows + 1] from 0, bytes, rows null bytes
    mixed                              bincode Vec<Value>
    raw                                __overflow_offsets__, __overflow_data__: a bag

``seg_000/columns.bin`` with ``columns_meta.bin.zst`` is mapped; see ``mapped_columns``. The
reserved columns ``__id__`` and ``__title__`` hold ids and titles.
"""

import struct
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U64
from nkgraph.errors import FormatError
from nkgraph.storage import columns, values
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.kglite.cursor import Cursor
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.text import TextArray

MAGIC = b"KGLCOLv1"
ID, TITLE = "__id__", "__title__"
BAG_OFFSETS, BAG_DATA = "__overflow_offsets__", "__overflow_data__"
RESERVED = (ID, TITLE, BAG_OFFSETS, BAG_DATA)
ELEMENTS: dict[str, np.dtype] = {
    "int64": np.dtype("<i8"),
    "float64": np.dtype("<f8"),
    "uniqueid": np.dtype("<u4"),
    "bool": np.dtype("u1"),
    "date": np.dtype("<i4"),
}
SYNONYMS = {"boolean": "bool", "datetime": "date"}


class Store(Protocol):
    """The stored columns of one node type."""

    row_count: int

    def ids(self) -> AnyColumn:
        """Return the id column."""

    def titles(self) -> AnyColumn:
        """Return the title column."""

    @property
    def names(self) -> list[str]:
        """Names of the other columns."""

    def column(self, name: str) -> AnyColumn:
        """Return a column by name."""


# -- parts that both encodings share ----------------------------------------------------------


def fixed_column(kind: str, data: np.ndarray, nulls: U8 | None, path: Path) -> FixedColumn:
    """Make a column of elements and null bytes (0 = present); None means all are null."""
    valid = _valid(nulls, data.size)
    if kind == "bool":
        if data.size and int(data.max()) > 1:
            row = int(np.argmax(data > 1))
            raise FormatError(path, f"bool of row {row}", None, "0 or 1", int(data[row]))
        data = data.view(np.bool_)
    return FixedColumn(kind, data, valid)


def _valid(nulls: U8 | None, rows: int) -> np.ndarray | None:
    if nulls is None:
        return np.zeros(rows, bool)
    return None if not nulls.any() else nulls == 0


def text_column(offsets: I64, data: U8, nulls: U8 | None, path: Path, field: str) -> TextColumn:
    """Make a text column after checking its offsets and bytes."""
    bad = kernels.text.first_bad_offset(read_only(offsets), data.size)
    if bad >= 0 or offsets[0] != 0:
        expected = f"ascending from 0, <= {data.size}"
        raise FormatError(path, f"{field}: offset {max(bad, 0)}", None, expected, "others")
    text = TextArray(offsets, data)
    row = text.first_bad()
    if row >= 0:
        raise FormatError(path, f"{field}: row {row}", None, "UTF-8", "other bytes")
    return TextColumn(text, _valid(nulls, offsets.size - 1))


class Bag:
    """Rare properties of a store: per row, u16 count, then (u64 key, u8 tag, payload)."""

    def __init__(self, offsets: U64, data: U8, path: Path) -> None:
        self.offsets: U64 = read_only(offsets)
        self.data: U8 = read_only(data)
        self.path = path

    def keys(self) -> list[int]:
        """Return the key hashes, ascending; every bag is walked and checked."""
        self._walk(0)
        keys, known = np.zeros(64, np.uint64), 0
        while True:
            known = kernels.slots.bag_keys(self.offsets, self.data, keys, known)
            if known < keys.size:
                return sorted(keys[:known].tolist())
            keys = np.concatenate([keys, np.zeros(keys.size, np.uint64)])

    def _walk(self, key: int) -> tuple[U8, U64]:
        rows = self.offsets.size - 1
        tags, words = np.zeros(rows, np.uint8), np.zeros(rows, np.uint64)
        where = np.zeros(2, np.int64)
        status = kernels.slots.read_bags(
            self.offsets, self.data, np.uint64(key), tags, words, where
        )
        if status < 0:
            field = f"overflow bag of row {where[1]}"
            raise FormatError(self.path, field, None, "a whole bag of known tags", "damage")
        return tags, words

    def column(self, key: int) -> AnyColumn:
        """Return one property; kinds may differ by row."""
        tags, words = self._walk(key)
        result: AnyColumn = columns.absent(tags.size)
        for tag in np.unique(tags[tags != 0]).tolist():
            rows = np.flatnonzero(tags == tag)
            result = columns.overlay(result, rows, self._of_tag(tag, words[rows]))
        return result

    def _of_tag(self, tag: int, words: U64) -> AnyColumn:
        if tag == 6:
            offsets = np.empty(words.size + 1, np.int64)
            kernels.slots.bag_texts(read_only(words), self.data, offsets)
            out = np.empty(int(offsets[-1]), np.uint8)
            kernels.slots.copy_behind(read_only(words), self.data, offsets, out, 4)
            return text_column(offsets, out, np.zeros(words.size, np.uint8), self.path, "bag text")
        if tag == 8:
            return self._lists(words)
        kind, dtype = {
            1: ("int64", "<i8"), 2: ("float64", "<f8"), 3: ("uniqueid", "<u4"),
            4: ("bool", "?"), 5: ("date", "<i4"), 7: ("timestamp", "<i8"),
        }[tag]  # fmt: skip
        if dtype in ("<i8", "<f8"):
            return FixedColumn(kind, words.view(dtype), None)
        narrow = words.astype(np.uint32)
        data = narrow.view("<i4") if dtype == "<i4" else narrow.astype(dtype)
        return FixedColumn(kind, data, None)

    def _lists(self, words: U64) -> AnyColumn:
        """Lists are rare among rare values, and Python objects to the user: one at a time."""
        blobs = []
        for word in words.tolist():
            size = int.from_bytes(bytes(self.data[word : word + 4]), "little")
            blobs.append(values.LIST.to_bytes(4, "little") + bytes(self.data[word + 4 :][:size]))
        blob = np.frombuffer(b"".join(blobs), np.uint8)
        found, _ = values.read_stream(self.path, blob, 0, blob.size, len(blobs))
        return MixedColumn(found)


def through_bag(column: AnyColumn | None, bag: Bag | None, name: str) -> AnyColumn | None:
    """Fill the nulls of a column from the bag."""
    if bag is None:
        return column
    rare = bag.column(fnv1a(name))
    if column is None:
        return rare
    if column.valid is None or rare.valid is None:
        return column
    rows = np.flatnonzero(~column.valid & rare.valid)
    return columns.overlay(column, rows, rare.take(rows)) if rows.size else column


# -- sidecar ----------------------------------------------------------------------------------


class SidecarStore:
    """A decompressed sidecar; columns are decoded when they are asked for."""

    def __init__(
        self,
        path: Path,
        row_count: int,
        parts: dict[str, tuple[str, int, int]],
        data: bytes,
        names: Mapping[int, str],
    ) -> None:
        self.path = path
        self.row_count = row_count
        self._parts = parts
        self._data: U8 = np.frombuffer(data, np.uint8)
        self._known = names

    @cached_property
    def _bag(self) -> Bag | None:
        if BAG_OFFSETS not in self._parts or BAG_DATA not in self._parts:
            return None
        _, at, size = self._parts[BAG_OFFSETS]
        offsets = self._elements(at, size, np.dtype("<u8"), self.row_count + 1, BAG_OFFSETS)
        _, at, size = self._parts[BAG_DATA]
        return Bag(offsets, self._data[at : at + size], self.path)

    @property
    def names(self) -> list[str]:
        """Names of the columns, of the bag's too, in code point order."""
        own = [name for name in self._parts if name not in RESERVED]
        if self._bag is not None:
            own += bag_names(self._bag, self._known)
        return sorted(set(own))

    def ids(self) -> AnyColumn:
        """Return the id column."""
        return self._decoded(ID)

    def titles(self) -> AnyColumn:
        """Return the title column."""
        return self._decoded(TITLE)

    def column(self, name: str) -> AnyColumn:
        """Return a column by name; nulls fall through to the bag."""
        own = self._decoded(name) if name in self._parts else None
        found = through_bag(own, self._bag, name)
        return columns.absent(self.row_count) if found is None else found

    def _decoded(self, name: str) -> AnyColumn:
        if name not in self._parts:
            return columns.absent(self.row_count)
        tag, at, size = self._parts[name]
        tag = SYNONYMS.get(tag, tag)
        rows = self.row_count
        if tag in ELEMENTS:
            dtype = ELEMENTS[tag]
            whole = self._elements(at, size, np.dtype("u1"), rows * (dtype.itemsize + 1), name)
            data = np.frombuffer(whole[: rows * dtype.itemsize].tobytes(), dtype)
            return fixed_column(tag, data, whole[rows * dtype.itemsize :], self.path)
        if tag == "string":
            return self._text(name, at, size)
        if tag == "mixed":
            return self._mixed(name, at, size)
        known = ", ".join([*ELEMENTS, "string", "mixed", "raw"])
        raise FormatError(self.path, f"tag of column {name!r}", at, known, tag)

    def _elements(self, at: int, size: int, dtype: np.dtype, count: int, name: str) -> np.ndarray:
        if size != count * dtype.itemsize:
            field = f"bytes of column {name!r}"
            raise FormatError(self.path, field, at, count * dtype.itemsize, size)
        return np.frombuffer(self._data[at : at + size].tobytes(), dtype)

    def _text(self, name: str, at: int, size: int) -> AnyColumn:
        rows = self.row_count
        head = 8 * (rows + 1)
        if size < head + rows:
            field = f"bytes of column {name!r}"
            raise FormatError(self.path, field, at, f">= {head + rows}", size)
        offsets = np.frombuffer(self._data[at : at + head].tobytes(), "<i8")
        text = self._data[at + head : at + size - rows]
        nulls = self._data[at + size - rows : at + size]
        return text_column(offsets, text, nulls, self.path, f"column {name!r}")

    def _mixed(self, name: str, at: int, size: int) -> AnyColumn:
        count = int.from_bytes(bytes(self._data[at : at + 8]), "little") if size >= 8 else -1
        if count != self.row_count:
            field = f"values of column {name!r}"
            raise FormatError(self.path, field, at, self.row_count, count)
        found, end = values.read_stream(self.path, self._data, at + 8, at + size, count)
        if end != at + size:
            raise FormatError(self.path, f"end of column {name!r}", end, at + size, end)
        return columns.from_values(found, self.path)


def bag_names(bag: Bag, names: Mapping[int, str]) -> list[str]:
    """Return the names of the properties in a bag."""
    found = []
    for key in bag.keys():  # noqa: SIM118 - a method, not a mapping
        if key not in names:
            raise FormatError(bag.path, "key in an overflow bag", None, "a known name", hex(key))
        found.append(names[key])
    return found


def read_sidecar(
    path: Path, data: bytes, rows_if_old: int, names: Mapping[int, str]
) -> SidecarStore:
    """Find the columns of a decompressed sidecar.

    ``rows_if_old`` counts the rows for files from before the row count was stored.
    """
    cursor = Cursor(path, data)
    rows = rows_if_old
    if data[: len(MAGIC)] == MAGIC:
        cursor.take(len(MAGIC), "magic")
        rows = cursor.u32("row count")
    parts: dict[str, tuple[str, int, int]] = {}
    for _ in range(cursor.count32("columns", 12)):
        name = _text16(cursor, "column name")
        tag = _text16(cursor, f"tag of column {name!r}")
        size = cursor.u64(f"bytes of column {name!r}")
        if name in parts:
            raise FormatError(path, "column name", cursor.at, "each name once", f"{name!r} again")
        parts[name] = (tag, cursor.at, size)
        cursor.take(size, f"column {name!r}")
    cursor.end()
    return SidecarStore(path, rows, parts, data, names)


def _text16(cursor: Cursor, field: str) -> str:
    at = cursor.at
    (size,) = struct.unpack("<H", cursor.take(2, field))
    try:
        return cursor.take(size, field).decode()
    except UnicodeDecodeError as error:
        raise FormatError(cursor.path, field, at + 2, "UTF-8", error.reason) from None


def write_sidecar(held: Mapping[str, AnyColumn], rows: int) -> bytes:
    """Encode a sidecar, not yet compressed; columns by name."""
    parts = [MAGIC, struct.pack("<II", rows, len(held))]
    for name in sorted(held):
        tag, data = _encoded(name, held[name])
        key, label = name.encode(), tag.encode()
        parts += [struct.pack("<H", len(key)), key, struct.pack("<H", len(label)), label]
        parts += [struct.pack("<Q", len(data)), data]
    return b"".join(parts)


def _encoded(name: str, column: AnyColumn) -> tuple[str, bytes]:
    typed = name not in (ID, TITLE)  # kglite writes these two as mixed, and reads them best so
    if typed and isinstance(column, FixedColumn) and column.kind in ELEMENTS:
        data = column.data.astype(ELEMENTS[column.kind])
        return column.kind, data.tobytes() + null_bytes(column).tobytes()
    if typed and isinstance(column, TextColumn):
        text = column.text
        return "string", b"".join(
            [text.offsets.tobytes(), text.data.tobytes(), null_bytes(column).tobytes()]
        )
    stream = values.write_stream(columns.to_values(column))
    return "mixed", struct.pack("<Q", len(column)) + stream.tobytes()


def null_bytes(column: AnyColumn) -> U8:
    """Return one byte a row: 0 where there is a value, 1 where there is none."""
    if column.valid is None:
        return np.zeros(len(column), np.uint8)
    return (~column.valid).view(np.uint8)
