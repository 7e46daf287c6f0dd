"""``seg_000/columns.bin``: node properties that are read on the map.

``columns_meta.bin.zst`` (bincode) or ``columns_meta.json`` says where in the file each region of
each type lies; a region is {offset, len} in bytes, len 0 meaning that there is none (and a null
region that is not there, that all are null). Per type, in this order:

    type_name String · row_count u32 · id_is_string bool
    id_data, id_nulls, id_str_data, id_str_offsets, title_data, title_offsets, title_nulls
    col_map     Vec of {key_u64: u64 hash, col_type_str: String, idx: u64}
    fixed_cols  Vec of {col_type_str: String, data, nulls}
    str_cols    Vec of {data, offsets, nulls}
    overflow_offsets, overflow_data · has_overflow bool

Text offsets are the ends of the rows, without a leading zero. Integer ids are u32. Regions are
written at multiples of 64 bytes, so that columns are used as they lie.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from nkgraph.dtypes import I64, U8
from nkgraph.errors import FormatError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.kglite.cursor import Cursor
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.node_columns import (
    ELEMENTS,
    ID,
    RESERVED,
    SYNONYMS,
    TITLE,
    Bag,
    bag_names,
    fixed_column,
    null_bytes,
    text_column,
    through_bag,
)

Region = tuple[int, int]
Entry = TypeVar("Entry")
ALIGN = 64
HEAD = ("id_data", "id_nulls", "id_str_data", "id_str_offsets")
TITLES = ("title_data", "title_offsets", "title_nulls")
BAG = ("overflow_offsets", "overflow_data")


@dataclass
class Layout:
    """Where the regions of one type lie."""

    type_name: str
    row_count: int
    id_is_string: bool
    regions: dict[str, Region]
    col_map: list[tuple[int, str, int]] = field(default_factory=list)
    fixed_cols: list[tuple[str, Region, Region]] = field(default_factory=list)
    str_cols: list[tuple[Region, Region, Region]] = field(default_factory=list)


class MappedStore:
    """The columns of one type; each is made when it is asked for."""

    def __init__(self, path: Path, file: U8, layout: Layout, names: Mapping[int, str]) -> None:
        self.path = path
        self.row_count = layout.row_count
        self._file = file
        self._layout = layout
        self._known = names

    @cached_property
    def _columns(self) -> dict[str, tuple[str, int]]:
        found = {}
        for key, kind, index in self._layout.col_map:
            name = self._known.get(key)
            if name is None:
                raise FormatError(self.path, "col_map key", None, "a known name", hex(key))
            found[name] = (SYNONYMS.get(kind, kind), index)
        return found

    @cached_property
    def _bag(self) -> Bag | None:
        offsets, data = (self._layout.regions[name] for name in BAG)
        if not offsets[1]:
            return None
        return Bag(
            self._view(offsets, np.dtype("<u8"), self.row_count + 1, BAG[0]),
            self._bytes(data, BAG[1]),
            self.path,
        )

    @property
    def names(self) -> list[str]:
        """Names of the columns, of the bag's too, in code point order."""
        rare = [] if self._bag is None else bag_names(self._bag, self._known)
        return sorted({*self._columns, *rare})

    def ids(self) -> AnyColumn:
        """Return the id column."""
        regions = self._layout.regions
        if self._layout.id_is_string:
            return self._text(
                regions["id_str_data"], regions["id_str_offsets"], regions["id_nulls"], ID
            )
        return self._fixed("uniqueid", regions["id_data"], regions["id_nulls"], ID)

    def titles(self) -> AnyColumn:
        """Return the title column."""
        data, offsets, nulls = (self._layout.regions[name] for name in TITLES)
        if not offsets[1]:
            return columns.absent(self.row_count)
        return self._text(data, offsets, nulls, TITLE)

    def column(self, name: str) -> AnyColumn:
        """Return a column by name; nulls fall through to the bag."""
        own = None
        if name in self._columns:
            kind, index = self._columns[name]
            if kind == "string":
                own = self._text(*self._entry(self._layout.str_cols, index, name), name)
            else:
                stored, data, nulls = self._entry(self._layout.fixed_cols, index, name)
                own = self._fixed(SYNONYMS.get(stored, stored), data, nulls, name)
        found = through_bag(own, self._bag, name)
        return columns.absent(self.row_count) if found is None else found

    def _entry(self, entries: list[Entry], index: int, name: str) -> Entry:
        if index >= len(entries):
            raise FormatError(self.path, f"idx of {name!r}", None, f"< {len(entries)}", index)
        return entries[index]

    def _bytes(self, region: Region, name: str) -> U8:
        at, size = region
        if at + size > self._file.size:
            field_name = f"region of {name!r}"
            expected = f"within {self._file.size} bytes"
            raise FormatError(self.path, field_name, at, expected, f"{size} bytes")
        return self._file[at : at + size]

    def _view(self, region: Region, dtype: np.dtype, count: int, name: str) -> np.ndarray:
        part = self._bytes(region, name)
        if part.size != count * dtype.itemsize:
            field_name = f"bytes of {name!r}"
            raise FormatError(self.path, field_name, region[0], count * dtype.itemsize, part.size)
        if region[0] % dtype.alignment:
            part = part.copy()
        return part.view(dtype)

    def _nulls(self, region: Region, name: str) -> U8 | None:
        if not region[1]:
            return None
        return self._view(region, np.dtype("u1"), self.row_count, name)

    def _fixed(self, kind: str, data: Region, nulls: Region, name: str) -> AnyColumn:
        if kind not in ELEMENTS:
            expected = ", ".join([*ELEMENTS, "string"])
            raise FormatError(self.path, f"type of {name!r}", None, expected, kind)
        if not data[1]:
            return columns.absent(self.row_count)
        elements = self._view(data, ELEMENTS[kind], self.row_count, name)
        return fixed_column(kind, elements, self._nulls(nulls, name), self.path)

    def _text(self, data: Region, ends: Region, nulls: Region, name: str) -> AnyColumn:
        offsets: I64 = np.zeros(self.row_count + 1, np.int64)
        offsets[1:] = self._view(ends, np.dtype("<i8"), self.row_count, name)
        text = self._bytes(data, name)
        return text_column(offsets, text, self._nulls(nulls, name), self.path, f"column {name!r}")


# -- reading the layout -----------------------------------------------------------------------


def read_mapped(
    path: Path, file: U8, meta: bytes, meta_path: Path, names: Mapping[int, str]
) -> dict[str, MappedStore]:
    """Return the stores of ``columns.bin`` by type name."""
    if meta_path.suffix == ".json":
        layouts = _layouts_of_json(meta_path, meta)
    else:
        cursor = Cursor(meta_path, meta)
        layouts = [_layout(cursor) for _ in range(cursor.count("types", 8))]
        cursor.end()
    return {layout.type_name: MappedStore(path, file, layout, names) for layout in layouts}


def _region(cursor: Cursor) -> Region:
    return cursor.u64("region offset"), cursor.u64("region len")


def _flag(cursor: Cursor, name: str) -> bool:
    return cursor.take(1, name) != b"\0"


def _layout(cursor: Cursor) -> Layout:
    layout = Layout(
        cursor.text64("type_name"), cursor.u32("row_count"), _flag(cursor, "id_is_string"), {}
    )
    layout.regions = {name: _region(cursor) for name in (*HEAD, *TITLES)}
    for _ in range(cursor.count("col_map", 24)):
        key = cursor.u64("key_u64")
        layout.col_map.append((key, cursor.text64("col_type_str"), cursor.u64("idx")))
    for _ in range(cursor.count("fixed_cols", 40)):
        kind = cursor.text64("col_type_str")
        layout.fixed_cols.append((kind, _region(cursor), _region(cursor)))
    for _ in range(cursor.count("str_cols", 48)):
        layout.str_cols.append((_region(cursor), _region(cursor), _region(cursor)))
    layout.regions |= {name: _region(cursor) for name in BAG}
    _flag(cursor, "has_overflow")
    return layout


def _layouts_of_json(path: Path, meta: bytes) -> list[Layout]:
    def region(value: Mapping[str, int]) -> Region:
        return int(value["offset"]), int(value["len"])

    try:
        return [
            Layout(
                str(entry["type_name"]),
                int(entry["row_count"]),
                bool(entry["id_is_string"]),
                {name: region(entry[name]) for name in (*HEAD, *TITLES, *BAG)},
                [
                    (int(item["key_u64"]), str(item["col_type_str"]), int(item["idx"]))
                    for item in entry["col_map"]
                ],
                [
                    (str(item["col_type_str"]), region(item["data"]), region(item["nulls"]))
                    for item in entry["fixed_cols"]
                ],
                [
                    (region(item["data"]), region(item["offsets"]), region(item["nulls"]))
                    for item in entry["str_cols"]
                ],
            )
            for entry in json.loads(meta)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(path, "layout", None, "the keys of columns_meta", repr(error)) from None


# -- writing ----------------------------------------------------------------------------------


def fits_mapped(held: Mapping[str, AnyColumn]) -> bool:
    """Whether ``columns.bin`` can hold a store: typed columns, and ids of 32 bits or text."""
    ids, titles = held[ID], held[TITLE]
    return (
        ids.kind in ("uniqueid", "text")
        and ids.valid is None
        and (titles.kind == "text" or columns.is_absent(titles))
        and all(
            column.kind == "text" or column.kind in ELEMENTS or columns.is_absent(column)
            for name, column in held.items()
            if name not in RESERVED
        )
    )


class _Writer:
    """Collects regions, each at a multiple of ``ALIGN``."""

    def __init__(self) -> None:
        self.parts: list[bytes | np.ndarray] = []
        self.at = 0

    def add(self, array: np.ndarray) -> Region:
        if not array.nbytes:
            return 0, 0
        gap = -self.at % ALIGN
        self.parts += [bytes(gap), array]
        start = self.at + gap
        self.at = start + array.nbytes
        return start, array.nbytes

    def text(self, column: TextColumn) -> tuple[Region, Region, Region]:
        ends = np.ascontiguousarray(column.text.offsets[1:])
        data = self.add(column.text.data)
        return data, self.add(ends), self.add(null_bytes(column))


def write_mapped(
    stores: Mapping[str, Mapping[str, AnyColumn]],
) -> tuple[list[bytes | np.ndarray], bytes]:
    """Encode stores that fit: the parts of ``columns.bin`` and its bincode metadata."""
    writer = _Writer()
    packed = [_pack_store(writer, name, stores[name]) for name in sorted(stores)]
    return writer.parts, struct.pack("<Q", len(packed)) + b"".join(packed)


def _pack_store(writer: _Writer, type_name: str, held: Mapping[str, AnyColumn]) -> bytes:
    none: Region = (0, 0)
    ids, titles = held[ID], held[TITLE]
    regions = dict.fromkeys((*HEAD, *TITLES), none)
    if isinstance(ids, TextColumn):
        data, ends, nulls = writer.text(ids)
        regions.update(id_str_data=data, id_str_offsets=ends, id_nulls=nulls)
    elif isinstance(ids, FixedColumn):
        regions["id_data"] = writer.add(ids.data.astype("<u4"))
        regions["id_nulls"] = writer.add(null_bytes(ids))
    if isinstance(titles, TextColumn):
        regions.update(zip(TITLES, writer.text(titles), strict=True))
    col_map: list[tuple[int, str, int]] = []
    fixed: list[tuple[str, Region, Region]] = []
    texts: list[tuple[Region, Region, Region]] = []
    for name in sorted(set(held) - set(RESERVED)):
        column = held[name]
        if isinstance(column, TextColumn):
            kind, index = "string", len(texts)
            texts.append(writer.text(column))
        else:
            # A column without a value has no kind; its elements are never looked at.
            known = column if isinstance(column, FixedColumn) else _empty(len(column))
            kind, index = known.kind, len(fixed)
            data = writer.add(known.data.astype(ELEMENTS[kind]))
            fixed.append((kind, data, writer.add(null_bytes(known))))
        col_map.append((fnv1a(name), kind, index))
    return b"".join([
        _text(type_name),
        struct.pack("<I?", len(ids), isinstance(ids, TextColumn)),
        *(struct.pack("<QQ", *regions[name]) for name in (*HEAD, *TITLES)),
        struct.pack("<Q", len(col_map)),
        *(struct.pack("<Q", k) + _text(t) + struct.pack("<Q", i) for k, t, i in col_map),
        struct.pack("<Q", len(fixed)),
        *(_text(kind) + struct.pack("<QQQQ", *data, *nulls) for kind, data, nulls in fixed),
        struct.pack("<Q", len(texts)),
        *(struct.pack("<QQQQQQ", *d, *e, *n) for d, e, n in texts),
        struct.pack("<QQQQ?", *none, *none, False),
    ])  # fmt: skip


def _empty(rows: int) -> FixedColumn:
    return FixedColumn("int64", np.zeros(rows, np.int64), np.zeros(rows, bool))


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data
