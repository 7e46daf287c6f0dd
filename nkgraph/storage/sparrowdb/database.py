"""A whole SparrowDB database, read only: nodes by label, edges by relationship table.

    catalog.tlv        labels and relationship tables
    nodes/, strings.bin  columns of words, presence bitmaps, marks, the heap
    edges/             checkpointed and pending edges, edge properties
    wal/               names of properties; never content

The node ids of a label follow each other as its slots do, labels by their number. So a column is
read at the places of its nodes, and a deleted node is a dead slot. Edge ids go by relationship
table, in each first the checkpointed edges in file order, then the pending ones; edges without a
node at both ends get none. The external id of a node is the engine's node id, label << 32 | slot.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, MAX_IDS, NODE_SLOT, U8, U32, U64, Bool
from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn
from nkgraph.storage.kglite.manifest import Segment as ManifestSegment
from nkgraph.storage.kglite.metadata import ConnectionType, GraphMeta
from nkgraph.storage.kglite.names import Names, check_name, fnv1a
from nkgraph.storage.kglite.property_ranges import Pair, Summary
from nkgraph.storage.kglite.segment import Segment
from nkgraph.storage.kglite.stitch import physical_memory
from nkgraph.storage.sparrowdb import catalog, changes, node_files, wal
from nkgraph.storage.sparrowdb.edges import (
    LabelNodes,
    RelationFiles,
    RelationProperties,
    join_tables,
)
from nkgraph.storage.sparrowdb.string_heap import Heap
from nkgraph.storage.sparrowdb.values import decode_words, survey

__all__ = ["Database", "is_database", "is_node_store"]
SLOT_BYTES = NODE_SLOT.itemsize + 1
"""Memory that a slot takes once nodes are used."""
KINDS = ("int64", "text", "float64")
"""Kinds of columns, as ``survey`` counts them."""


def is_database(root: Path) -> bool:
    """Whether a directory holds a catalog."""
    return (root / catalog.NAME).is_file()


def is_node_store(root: Path) -> bool:
    """Whether a directory holds nodes by label, as a node store without a catalog does."""
    nodes = root / "nodes"
    return nodes.is_dir() and any(name.isdecimal() for name in os.listdir(nodes))


class LabelStore:
    """The columns of one label. Values of deleted nodes are absent.

    Parameters
    ----------
    root : Path
    label : int
    mark : int
        Slots that were ever used.
    names : mapping of int to str
        Property names by column id.
    alive : (mark,) uint8
    """

    def __init__(
        self, root: Path, label: int, mark: int, names: Mapping[int, str], alive: U8
    ) -> None:
        self.row_count = mark
        self._root, self._label = root, label
        self._alive: Bool = alive.view(np.bool_)
        held = node_files.column_ids(root, label)
        self._columns = {names[col]: col for col in held if col}
        self._kinds: dict[int, str | None] = {}

    @property
    def names(self) -> list[str]:
        """Property names."""
        return sorted(self._columns)

    def ids(self) -> AnyColumn:
        """Return the engine's node ids."""
        return self._ids(np.arange(self.row_count))

    def _ids(self, rows: I64) -> AnyColumn:
        return FixedColumn("int64", rows + (self._label << 32), None)

    def titles(self) -> AnyColumn:
        """Return absent values: the engine has no titles."""
        return columns.absent(self.row_count)

    def column(self, name: str) -> AnyColumn:
        """Decode a property of all slots; 8 bytes a slot and the bytes of texts."""
        col, count = self._columns[name], self.row_count
        words, bitmap = self._files(col)
        valid = node_files.presence(words, bitmap, count) & self._alive
        held = np.zeros(count, np.uint64)
        if words is not None:
            kept = min(words.size, count)
            held = words[:count] if kept == count else held
            if kept < count:
                held[:kept] = words[:kept]
        return self._decode(col, held, valid, None)

    def pick(self, part: str, name: str | None, rows: I64) -> AnyColumn:
        """Return some rows, of the kind that the whole column has.

        To learn the kind takes one pass over the words, once.
        """
        if name is None:
            return self._ids(rows) if part == "ids" else columns.absent(rows.size)
        col = self._columns[name]
        words, bitmap = self._files(col)
        valid = self._alive[rows]
        held = np.zeros(rows.size, np.uint64)
        inside = rows < (0 if words is None else words.size)
        if words is not None:
            held[inside] = words[rows[inside]]
        valid &= inside
        if bitmap is not None:
            valid &= node_files.presence_of(bitmap, rows)
        return self._as_kind(col, self._decode(col, held, valid, rows))

    def _as_kind(self, col: int, column: AnyColumn) -> AnyColumn:
        if col not in self._kinds:
            words, bitmap = self._files(col)
            self._kinds[col] = self._kind(col, words, bitmap)
        kind = self._kinds[col]
        if columns.is_absent(column):
            return columns.nothing(kind, len(column)) if kind else columns.absent(len(column))
        return column if kind else MixedColumn(columns.to_values(column))

    def _kind(self, col: int, words: U64 | None, bitmap: U8 | None) -> str | None:
        """Kind of a column; None where kinds differ or no value is there."""
        if words is None:
            return None
        words = words[: self.row_count]
        valid = node_files.presence(words, bitmap, words.size) & self._alive[: words.size]
        valid = read_only(valid)
        where = node_files.column_path(self._root, self._label, col)
        counts = survey(words, valid, Heap.open(self._root), where)[:3]
        held = [kind for kind, count in zip(KINDS, counts.tolist(), strict=True) if count]
        return held[0] if len(held) == 1 else None

    def _files(self, col: int) -> tuple[U64 | None, U8 | None]:
        words = node_files.words(self._root, self._label, col)
        return words, node_files.bitmap(self._root, self._label, col)

    def _decode(self, col: int, words: U64, valid: Bool, rows: I64 | None) -> AnyColumn:
        where = node_files.column_path(self._root, self._label, col)
        return decode_words(words, valid, Heap.open(self._root), where, rows)


class HeldSegment(Segment):
    """Slots and endpoints that lie in memory."""

    def __init__(self, folder: Path, slots: np.ndarray, endpoints: np.ndarray) -> None:
        self.folder = self.sidecar_folder = self.index_folder = folder
        self.first_node = self.first_edge = 0
        self.slots, self.endpoints = slots, endpoints
        self.row_counts = {}


class Database:
    """An opened database.

    Opening reads catalog and marks. The first use of nodes or edges makes 16 bytes a slot and 16 an
    edge of memory, in one pass over the edges; columns are read when they are asked for.

    Parameters
    ----------
    root : Path
    property_names : iterable of str
        Names to try for columns whose names the log does not hold.

    Raises
    ------
    FormatError
        The catalog or a mark is damaged, or a node store left a change half-way.
    VersionError
        An entry of the catalog is not known, or the log is encrypted and no names are given.
    LimitError
        More slots than there are node ids; when nodes are first used, also more than fit in memory.
    GraphError
        A name to try is no name.
    """

    format = "sparrowdb"
    native = None
    segment_count = 1

    def __init__(self, root: Path, property_names: Iterable[str] = ()) -> None:
        changes.refuse_unfinished(root)
        self.path = root
        self.catalog = catalog.read(root)
        if isinstance(property_names, str):
            raise GraphError(f"property_names is one text, {property_names!r}, not several")
        if not property_names:
            wal.refuse_encrypted(root)
        self._given = [check_name(name, "a name of property_names") for name in property_names]
        marks = {label: node_files.read_mark(root, label) for label in sorted(self.catalog.labels)}
        self.marks = {label: mark for label, (mark, _) in marks.items()}
        self.inferred = [label for label, (_, inferred) in marks.items() if inferred]
        """Labels whose mark had to be found from the lengths of their columns."""
        self.slot_count = sum(self.marks.values())
        if self.slot_count > MAX_IDS:
            raise LimitError(f"{root}: {self.slot_count} slots: node ids end at {MAX_IDS - 1}")
        self.metadata: dict[str, object] = {}
        self.manifest: list[ManifestSegment] = []
        self.node_types: dict[str, dict[str, str]] = {}
        self.connection_types: dict[str, ConnectionType] = {}

    # -- names --------------------------------------------------------------------------------

    @cached_property
    def property_names(self) -> wal.PropertyNames:
        """What is known of the names of columns."""
        found = wal.read_names(self.path)
        for name in self._given:
            found.add(name)
        return found

    @cached_property
    def column_names(self) -> dict[int, str]:
        """A name for each column of nodes and edges; ``col_{id}`` where none is known."""
        ids = {col for label in self.catalog.labels for col in self._column_ids(label)}
        for table in self.relations:
            ids.update(table.columns)
        known = self.property_names.by_id
        names = {col: known[col] for col in sorted(ids) if col in known}
        taken = set(names.values())
        for col in sorted(ids - set(names)):
            name = f"col_{col}"
            while name in taken:
                name += "_"
            names[col] = name
            taken.add(name)
        return names

    def _column_ids(self, label: int) -> list[int]:
        return [col for col in node_files.column_ids(self.path, label) if col]

    @cached_property
    def names(self) -> Names:
        """All names of types and properties."""
        types = [table.type for table in self.catalog.tables]
        return Names([*self.catalog.labels.values(), *types, *self.column_names.values()])

    # -- nodes --------------------------------------------------------------------------------

    @cached_property
    def label_nodes(self) -> dict[int, LabelNodes]:
        """First node id and live slots of each label."""
        self._check_memory()
        found, base = {}, 0
        for label, mark in self.marks.items():
            alive = np.ones(mark, np.uint8)
            alive[node_files.deleted_slots(self.path, label, mark)] = 0
            alive.flags.writeable = False
            found[label] = LabelNodes(base, alive)
            base += mark
        return found

    def _check_memory(self) -> None:
        """A mark is a number that no file size confirms: damage to it must not take the machine."""
        wanted, there = SLOT_BYTES * self.slot_count, physical_memory()
        if wanted > there:
            label = max(self.marks, key=self.marks.__getitem__)
            raise LimitError(
                f"{self.path}: {self.slot_count} slots take {wanted} bytes of memory, there are "
                f"{there}; most are of {node_files.mark_path(self.path, label)}: is it damaged?"
            )

    def _slots(self) -> np.ndarray:
        slots = np.zeros(self.slot_count, NODE_SLOT)
        for label, nodes in self.label_nodes.items():
            part = slots[nodes.base : nodes.base + nodes.alive.size]
            part["node_type"] = fnv1a(self.catalog.labels[label])
            part["row_id"] = np.arange(part.size, dtype=np.uint32)
            part["flags"] = nodes.alive
        slots.flags.writeable = False
        return slots

    def store(self, node_type: str, number: int) -> LabelStore | None:
        """Return the columns of a label."""
        for label, name in self.catalog.labels.items():
            if name == node_type:
                nodes = self.label_nodes[label]
                mark = self.marks[label]
                return LabelStore(self.path, label, mark, self.column_names, nodes.alive)
        return None

    def labels(self) -> dict[str, U32]:
        """Return the nodes that carry a further label, by label, ascending."""
        sets, found = self.catalog.label_sets, {}
        for label in np.unique(sets.labels).tolist():
            if label not in self.catalog.labels:
                path, known = self.catalog.path, sorted(self.catalog.labels)
                raise FormatError(path, "label of a label set", None, f"one of {known}", label)
            chosen = sets.labels == label
            nodes = [
                self._nodes_of(primary, sets.slots[chosen & (sets.primaries == primary)])
                for primary in np.unique(sets.primaries[chosen]).tolist()
            ]
            found[self.catalog.labels[label]] = np.unique(np.concatenate(nodes))
        return found

    def _nodes_of(self, label: int, slots: U32) -> U32:
        nodes = self.label_nodes.get(label)
        count = 0 if nodes is None else nodes.alive.size
        if nodes is None or (slots.size and int(slots.max()) >= count):
            path = self.catalog.path
            found = int(slots.max())
            raise FormatError(path, f"slot of label {label}", None, f"< {count}", found)
        return np.asarray(slots[nodes.alive[slots] != 0] + np.uint32(nodes.base), np.uint32)

    # -- edges --------------------------------------------------------------------------------

    @cached_property
    def relations(self) -> list[RelationFiles]:
        """The files of each relationship table."""
        nodes = self.label_nodes
        return [
            RelationFiles(self.path, table, nodes[table.source_label], nodes[table.target_label])
            for table in self.catalog.tables
        ]

    @cached_property
    def segments(self) -> list[Segment]:
        """All nodes and edges, as one segment in memory."""
        endpoints = join_tables(self.relations, MAX_IDS)
        return [HeldSegment(self.path, self._slots(), endpoints)]

    @property
    def edge_id_count(self) -> int:
        """How many edges there are."""
        return int(self.segments[0].endpoints.size)

    @cached_property
    def edge_properties(self) -> RelationProperties:
        """Properties of edges."""
        self.segments  # noqa: B018 - gives each table its edges
        return RelationProperties(self.path, self.relations, self.column_names)

    # -- what only other formats have ---------------------------------------------------------

    @property
    def meta(self) -> GraphMeta:
        """Counts of what there is; the engine states none."""
        slots, edges = self.slot_count, self.edge_id_count
        return GraphMeta(
            node_count=slots, node_slots_len=slots, edge_count=edges, next_edge_idx=edges,
            out_offsets_len=0, out_edges_len=0, in_offsets_len=0, in_edges_len=0,
            edge_endpoints_len=edges, free_node_slots=[], free_edge_slots=[],
        )  # fmt: skip

    def ranges(self, number: int) -> Mapping[Pair, Summary | None]:
        """Nothing is stated of values."""
        return {}

    def aliases(self, node_type: str) -> dict[str, str]:
        """Ids and titles have no other names."""
        return {}

    def compare(self, field: str, found: int, what: str) -> None:
        """No count is stated, hence none differs."""
