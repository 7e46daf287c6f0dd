"""``edges/{table}/``: the edges of one relationship table, and their properties.

    base.fwd.csr    n u64, offsets (n + 1) x u64, neighbours offsets[n] x u64: checkpointed edges;
                    rows and neighbours are slots, trailing bytes are ignored
    base.bwd.csr    the same edges by target; not needed to read
    delta.log       edges since: source node id u64, target node id u64, table u32 (20 bytes)
    edge_props.bin  source slot u64, target slot u64, column u32, word u64 (28 bytes)

Of the properties of one pair of slots and one column the last record counts, and parallel edges
share them. Real databases hold edges whose ends were deleted: they are left out.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import ENDPOINTS, I64, U8, U32, U64
from nkgraph.errors import FormatError, LimitError
from nkgraph.storage import checks, columns, files
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.sparrowdb.catalog import RelationTable
from nkgraph.storage.sparrowdb.string_heap import Heap
from nkgraph.storage.sparrowdb.values import decode_words

DELTA_RECORD, PROPERTY_RECORD = 20, 28
WORD = np.dtype("<u8")
HALF = np.dtype("<u4")


@dataclass(frozen=True)
class LabelNodes:
    """The nodes of a label: the node id of slot 0, and which slots are alive."""

    base: int
    alive: U8


@dataclass(frozen=True)
class RowFile:
    """A CSR file whose offsets lead through its neighbours."""

    offsets: U64
    neighbours: U64


def read_rows(path: Path) -> RowFile | None:
    """Map a CSR file; None where there is none.

    Raises
    ------
    FormatError
        It is too short for its rows or neighbours, or offsets descend.
    """
    if not path.exists():
        return None
    size = path.stat().st_size
    held = files.map_array(path, WORD, size // WORD.itemsize)
    count = int(held[0]) if held.size else -1
    if count < 0 or count > held.size - 2:
        found = "no bytes" if count < 0 else f"{count} in a file of {size} bytes"
        raise FormatError(path, "rows", 0, "as many as there are offsets of", found)
    offsets, neighbours = held[1 : count + 2], held[count + 2 :]
    bad = checks.first_bad_offset(offsets, neighbours.size)
    if bad < 0 and int(offsets[0]):
        bad = 0
    if bad >= 0:
        expected = f"offsets that ascend from 0 to at most {neighbours.size}"
        raise FormatError(path, f"offset {bad}", 8 * (bad + 1), expected, int(offsets[bad]))
    return RowFile(offsets, neighbours[: int(offsets[-1])])


def map_records(path: Path, size: int) -> U32:
    """Map a file of records as (r, size / 4) uint32; an absent file holds none.

    Raises
    ------
    FormatError
        Its size is no multiple of a record.
    """
    width = size // HALF.itemsize
    if not path.exists():
        return np.zeros((0, width), np.uint32)
    found = path.stat().st_size
    if found % size:
        raise FormatError(path, "file size", 0, f"a multiple of {size}", found)
    return files.map_array(path, HALF, found // HALF.itemsize).reshape(-1, width)


class RelationFiles:
    """The files of one relationship table.

    Parameters
    ----------
    root : Path
        The database.
    table : RelationTable
    sources, targets : LabelNodes
    """

    def __init__(
        self, root: Path, table: RelationTable, sources: LabelNodes, targets: LabelNodes
    ) -> None:
        self.table = table
        self.folder = root / "edges" / str(table.number)
        self.sources, self.targets = sources, targets
        self.first_edge = 0
        """Edge id of the first edge; set once all tables are read."""
        self.kept: I64 = np.zeros(2, np.int64)
        """How many checkpointed and pending edges have a node at both ends."""
        self._words: U64 = np.zeros((0, 2), np.uint64)
        self._last: dict[int, tuple[U64, U64, U32]] = {}

    @cached_property
    def rows(self) -> RowFile | None:
        """Checkpointed edges by source."""
        found = read_rows(self.folder / "base.fwd.csr")
        other = self.folder / "base.bwd.csr"
        if found is None and other.exists():
            path = self.folder / "base.fwd.csr"
            raise FormatError(path, "file", None, f"the edges that {other.name} holds", "no file")
        return found

    @cached_property
    def delta(self) -> U32:
        """Pending edges."""
        return map_records(self.folder / "delta.log", DELTA_RECORD)

    @property
    def stored_count(self) -> int:
        """How many edges the files hold, with those that have no node at an end."""
        rows = 0 if self.rows is None else int(self.rows.neighbours.size)
        return rows + int(self.delta.shape[0])

    def join(self, words: U64, at: int) -> int:
        """Write the endpoint records of edges from ``words[at]`` on; returns where they end."""
        conn_type, start = np.uint64(fnv1a(self.table.type)), at
        alive = self.sources.alive, self.targets.alive
        bases = np.uint64(self.sources.base), np.uint64(self.targets.base)
        if self.rows is not None:
            rows = self.rows
            offsets, neighbours = read_only(rows.offsets), read_only(rows.neighbours)
            at = kernels.relations.join_rows(
                offsets, neighbours, *alive, *bases, conn_type, at, words
            )
        middle = at
        labels = np.uint32(self.table.source_label), np.uint32(self.table.target_label)
        number = np.uint32(self.table.number & 0xFFFFFFFF)
        at, bad, status = kernels.relations.join_delta(
            read_only(self.delta), number, *labels, *alive, *bases, conn_type, at, words
        )
        if bad >= 0:
            raise self._delta_error(int(bad), int(status))
        self.kept = np.array([middle - start, at - middle])
        self._words = read_only(words[start:at])
        return int(at)

    def _delta_error(self, record: int, status: int) -> FormatError:
        path, start = self.folder / "delta.log", DELTA_RECORD * record
        held = self.delta[record].tolist()
        if status == kernels.relations.TABLE:
            field = f"table of record {record}"
            return FormatError(path, field, start + 16, self.table.number, held[4])
        expected = f"{self.table.source_label} and {self.table.target_label}"
        found = f"{held[1]} and {held[3]}"
        return FormatError(path, f"labels of the ends of record {record}", start, expected, found)

    # -- properties ---------------------------------------------------------------------------

    @property
    def property_path(self) -> Path:
        """The file of edge properties."""
        return self.folder / "edge_props.bin"

    @cached_property
    def properties(self) -> U32:
        """Records of edge properties, (r, 7)."""
        return map_records(self.property_path, PROPERTY_RECORD)

    @cached_property
    def columns(self) -> list[int]:
        """Column ids that have a record, ascending."""
        if not self.properties.shape[0]:
            return []
        ordered = np.sort(self.properties[:, 4])
        return [int(col) for col in ordered[np.r_[True, ordered[1:] != ordered[:-1]]]]

    def last_words(self, column: int) -> tuple[U64, U64, U32]:
        """Keys (slot << 32 | slot) that have a value, ascending; its word, and its record."""
        held = self._last.get(column)
        if held is None:
            most = self.properties.shape[0]
            keys, words = np.empty(most, np.uint64), np.empty(most, np.uint64)
            rows = np.empty(most, np.uint32)
            records = read_only(self.properties)
            count = kernels.relations.select_properties(
                records, np.uint32(column), keys, words, rows
            )
            order = np.argsort(keys[:count], kind="stable")
            ordered = keys[order]
            last = np.ones(count, bool)
            last[:-1] = ordered[1:] != ordered[:-1]
            order = order[last]
            held = self._last[column] = ordered[last], words[order], rows[order]
        return held

    @cached_property
    def keys(self) -> U64:
        """Source slot << 32 | target slot of each edge that was kept."""
        keys = np.empty(self._words.shape[0], np.uint64)
        bases = np.uint64(self.sources.base), np.uint64(self.targets.base)
        kernels.relations.join_keys(self._words, *bases, keys)
        return keys

    def find(self, column: int, edges: U32) -> I64:
        """Positions in ``last_words`` of edges, numbered within the table; -1 without a value."""
        keys, wanted = self.last_words(column)[0], self.keys[edges]
        at = np.searchsorted(keys, wanted)
        found = at < keys.size
        found[found] = keys[at[found]] == wanted[found]
        at[~found] = -1
        return np.asarray(at, np.int64)

    def read(self, column: int, edges: U32, root: Path) -> AnyColumn:
        """Decode one property of edges, numbered within the table."""
        at = self.find(column, edges)
        valid = at >= 0
        if not valid.any():
            return columns.absent(edges.size)
        _, words, rows = self.last_words(column)
        at[~valid] = 0
        try:
            return decode_words(
                words[at], valid, Heap.open(root), self.property_path, rows[at].astype(np.int64)
            )
        except FormatError as error:  # worded for slots of a column of nodes
            record = (error.offset or 0) // 8
            where = PROPERTY_RECORD * record + 20
            found = error.expected, error.found
            raise FormatError(error.path, f"word of record {record}", where, *found) from None


def join_tables(tables: list[RelationFiles], limit: int) -> np.ndarray:
    """Return the endpoint records of all tables, one after the other; 16 bytes an edge.

    Raises
    ------
    LimitError
        More than ``limit`` edges.
    """
    most = sum(table.stored_count for table in tables)
    if most > limit:
        raise LimitError(f"{most} edges: edge ids end at {limit - 1}")
    endpoints = np.empty(most, ENDPOINTS)
    words, at = endpoints.view("<u8").reshape(-1, 2), 0
    for table in tables:
        table.first_edge = at
        at = table.join(words, at)
    return read_only(endpoints[:at])


class RelationProperties:
    """Edge properties of a database, by edge id and by the hash of their name.

    Parameters
    ----------
    root : Path
    tables : list of RelationFiles
        By their first edge; joined.
    names : mapping of int to str
        Property names by column id.
    """

    def __init__(self, root: Path, tables: list[RelationFiles], names: dict[int, str]) -> None:
        self.path = root / "edges"
        self._root = root
        self._tables = tables
        self._bases: I64 = np.array([table.first_edge for table in tables], np.int64)
        self._hashes = {col: fnv1a(names[col]) for table in tables for col in table.columns}

    def _split(self, edges: U32) -> list[tuple[RelationFiles, I64, U32]]:
        # Of tables without edges, which start where the next one does, search takes the last.
        places = np.searchsorted(self._bases, edges, side="right") - 1
        found = []
        for number, table in enumerate(self._tables):
            at = np.flatnonzero(places == number)
            if at.size:
                found.append((table, at, edges[at] - np.uint32(table.first_edge)))
        return found

    def keys(self, edges: U32) -> U64:
        """Return the distinct key hashes of properties that edges have, ascending."""
        found = {
            self._hashes[column]
            for table, _, local in self._split(edges)
            for column in table.columns
            if (table.find(column, local) >= 0).any()
        }
        return np.array(sorted(found), np.uint64)

    def read(self, edges: U32, key: int) -> AnyColumn:
        """Return one property of edges; asks the tables concerned."""
        if not edges.size:
            return columns.absent(0)
        return columns.gather([
            (at, partial(self._piece, table, local, key)) for table, at, local in self._split(edges)
        ])  # fmt: skip

    def _piece(self, table: RelationFiles, edges: U32, key: int) -> AnyColumn:
        for column in table.columns:
            if self._hashes[column] == key:
                return table.read(column, edges, self._root)
        return columns.absent(edges.size)
