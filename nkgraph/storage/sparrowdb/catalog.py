"""``catalog.tlv``: the labels of a database and its relationship tables.

A sequence of entries, little-endian: tag u16, length u32, payload of that length. Single zero
bytes between entries are skipped.

    tag  payload
    1    label               label_id u16, length u16, name
    2    relationship table  table_id u64, source label u16, target label u16, length u16, type
    3-5  column, secondary-label index, format: defined, never written; passed over
    6    label set           label_id u16, slot u32, n u16, n x label_id u16; from 0.1.14 on
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import U8, U16, U32
from nkgraph.errors import FormatError, GraphError, LimitError, VersionError
from nkgraph.storage import files

NAME = "catalog.tlv"
LABEL, TABLE, LABEL_SET = 1, 2, 6
UNUSED = (3, 4, 5)
RESERVED = "__SO_"
LABELS = 1 << 16
HEAD = 6
"""Bytes of tag and length."""


@dataclass(frozen=True)
class RelationTable:
    """A relationship table: edges of one type between two labels."""

    number: int
    source_label: int
    target_label: int
    type: str


@dataclass(frozen=True)
class LabelSets:
    """Further labels of nodes: a row is one label of the node in ``slots`` of ``primaries``."""

    primaries: U16
    slots: U32
    labels: U16


@dataclass
class Catalog:
    """What a database holds.

    Attributes
    ----------
    path : Path
    labels : dict of int to str
        Names by label id.
    tables : list of RelationTable
        By number.
    label_sets : LabelSets
    """

    path: Path
    labels: dict[int, str] = field(default_factory=dict)
    tables: list[RelationTable] = field(default_factory=list)
    label_sets: LabelSets = field(
        default_factory=lambda: LabelSets(
            np.zeros(0, np.uint16), np.zeros(0, np.uint32), np.zeros(0, np.uint16)
        )
    )


def read(root: Path) -> Catalog:
    """Read the catalog of a database; an absent file is an empty one.

    Raises
    ------
    FormatError
        An entry is cut short, holds no UTF-8, or repeats an id or a name; a table joins a label
        that is not there.
    VersionError
        An entry has a tag that is not known.
    """
    path = root / NAME
    catalog = Catalog(path)
    if not path.exists():
        return catalog
    data = files.map_array(path, np.dtype("u1"))
    reader = _Reader(path, data)
    for at, size in reader.entries(LABEL):
        number, name = reader.u16(at, size, 0), reader.text(at, size, 2)
        reader.refuse_repeat(at, "label", number, name, catalog.labels)
        catalog.labels[number] = name
    tables: dict[int, RelationTable] = {}
    for at, size in reader.entries(TABLE):
        table = reader.table(at, size)
        if table.number in tables:
            field_name = f"relationship table {table.number}"
            raise FormatError(path, field_name, at, "one entry", "a second one")
        for label in (table.source_label, table.target_label):
            if label not in catalog.labels:
                expected = f"one of the labels {sorted(catalog.labels)}"
                raise FormatError(path, f"label of {table.type}", at + 8, expected, label)
        tables[table.number] = table
    catalog.tables = [tables[number] for number in sorted(tables)]
    catalog.label_sets = reader.label_sets()
    return catalog


def encode(labels: list[str]) -> bytes:
    """Encode a catalog of labels, numbered in their order, without relationship tables.

    Raises
    ------
    LimitError
        More labels than there are numbers, or a name of more than 65,535 bytes.
    GraphError
        A name that the engine keeps for itself.
    """
    if len(labels) > LABELS:
        raise LimitError(f"{len(labels)} labels: a database has at most {LABELS}")
    entries = []
    for number, label in enumerate(labels):
        name = label.encode()
        if label.startswith(RESERVED):
            raise GraphError(f"label {label!r}: names that begin with {RESERVED} are reserved")
        if len(name) > 0xFFFF:
            raise LimitError(f"label {label[:40]!r}...: {len(name)} bytes, at most 65,535 fit")
        payload = struct.pack("<HH", number, len(name)) + name
        entries.append(struct.pack("<HI", LABEL, len(payload)) + payload)
    return b"".join(entries)


class _Reader:
    """The entries of a catalog file, found by one walk."""

    def __init__(self, path: Path, data: U8) -> None:
        self.path = path
        self.data = read_only(data)
        where = np.zeros(1, np.int64)
        count = kernels.walk.count_entries(self.data, where)
        if count < 0:
            at = int(where[0])
            left = f"{data.size - at} bytes left"
            raise FormatError(path, "entry", at, "tag, length and payload", left)
        self.tags = np.empty(count, np.uint16)
        self.starts, self.lengths = np.empty(count, np.int64), np.empty(count, np.int64)
        kernels.walk.list_entries(self.data, self.tags, self.starts, self.lengths)
        unknown = ~np.isin(self.tags, (LABEL, TABLE, *UNUSED, LABEL_SET))
        if unknown.any():
            entry = int(np.argmax(unknown))
            at, found = int(self.starts[entry]) - HEAD, int(self.tags[entry])
            remedy = "written by a newer engine: export the database with that engine"
            raise VersionError(path, "tag of an entry", at, "1 to 6", found, remedy)

    def entries(self, tag: int) -> list[tuple[int, int]]:
        """Payload position and size of each entry of a tag."""
        chosen = self.tags == tag
        return list(zip(self.starts[chosen].tolist(), self.lengths[chosen].tolist(), strict=True))

    def number(self, at: int, size: int, skip: int, width: int) -> int:
        if size < skip + width:
            raise FormatError(self.path, "entry", at, f">= {skip + width} bytes", size)
        return int.from_bytes(self.data[at + skip : at + skip + width].tobytes(), "little")

    def u16(self, at: int, size: int, skip: int) -> int:
        return self.number(at, size, skip, 2)

    def text(self, at: int, size: int, skip: int) -> str:
        """Read the text (length u16, bytes) that ends an entry."""
        length = self.u16(at, size, skip)
        if skip + 2 + length != size:
            expected = f"{size - skip - 2}, what is left of the entry"
            raise FormatError(self.path, "length of a name", at + skip, expected, length)
        start = at + skip + 2
        held = self.data[start : start + length].tobytes()
        try:
            name = held.decode()
        except UnicodeDecodeError:
            raise FormatError(self.path, "name", start, "UTF-8", repr(held[:40])) from None
        if not name:
            raise FormatError(self.path, "name", at + skip, "a name", "an empty one")
        return name

    def table(self, at: int, size: int) -> RelationTable:
        number = self.number(at, size, 0, 8)
        ends = self.u16(at, size, 8), self.u16(at, size, 10)
        return RelationTable(number, *ends, self.text(at, size, 12))

    def refuse_repeat(
        self, at: int, what: str, number: int, name: str, known: dict[int, str]
    ) -> None:
        if number in known:
            raise FormatError(self.path, f"{what} {number}", at, "one entry", "a second one")
        if name in known.values():
            raise FormatError(self.path, f"{what} {name!r}", at + 4, "one entry", "a second one")

    def label_sets(self) -> LabelSets:
        chosen = self.tags == LABEL_SET
        starts, lengths = read_only(self.starts[chosen]), read_only(self.lengths[chosen])
        count, bad = kernels.walk.count_further_labels(self.data, starts, lengths)
        if bad >= 0:
            at, size = int(starts[bad]), int(lengths[bad])
            raise FormatError(self.path, "label set", at, "8 bytes and 2 for each label", size)
        primaries, labels = np.empty(count, np.uint16), np.empty(count, np.uint16)
        slots = np.empty(count, np.uint32)
        kernels.walk.list_further_labels(self.data, starts, primaries, slots, labels)
        return LabelSets(primaries, slots, labels)
