"""The edges of a graph: endpoints by edge id, and per connection type the properties.

An edge id is a position in ``endpoints``. The rows of a connection type are its live edges in
the order of their ids; its property columns are parallel to those.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial

import numpy as np

from nkgraph import build, kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import ENDPOINTS, I64, MAX_IDS, TOMBSTONE, U32, U64, Bool
from nkgraph.errors import FormatError, GraphError, LimitError, NotFoundError
from nkgraph.nodes import as_ids, candidate_hashes
from nkgraph.search import find_sorted
from nkgraph.storage import checks
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.growing import GrowingColumn, Part
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.segment import Segment
from nkgraph.storage.records import Records
from nkgraph.storage.stored import StoredGraph
from nkgraph.type_table import NO_IDS


class ConnectionTable:
    """One connection type: its edges and their properties.

    Rows are given to the edges that were stored when the directory was opened, ascending, and
    then to those that were added. Removing an edge leaves its row.
    """

    def __init__(
        self, name: str, records: Records, stored: StoredGraph | None = None, base_count: int = 0
    ) -> None:
        self.name = name
        self.hash = fnv1a(name)
        self.base_count = base_count
        self._records = records
        self._stored = stored
        self.added_count = 0
        self.removed_count = 0
        self._added: list[U32 | range] = []
        self._edges: U32 | None = None
        self._properties: dict[str, GrowingColumn] | None = None if base_count else {}

    @property
    def count(self) -> int:
        """How many live edges there are."""
        return self.row_count - self.removed_count

    @property
    def row_count(self) -> int:
        """How many edges were stored or added."""
        return self.base_count + self.added_count

    @cached_property
    def base_parts(self) -> list[U32]:
        """Stored edges of each segment, ascending: one pass over the endpoints."""
        if self._stored is None:
            return []
        parts = []
        for segment in self._stored.segments:
            edges = np.empty(segment.endpoints.size, np.uint32)
            words = segment.endpoints.view("<u8").reshape(-1, 2)
            count = kernels.codes.select_endpoints(words, np.uint64(self.hash), edges)
            parts.append(edges[:count] + np.uint32(segment.first_edge))
        found = sum(part.size for part in parts)
        if found != self.base_count:
            path = self._stored.path
            raise FormatError(path, f"edges of {self.name}", None, self.base_count, found)
        return parts

    @property
    def added(self) -> U32:
        """Edges that were added, removed ones too; ascending."""
        parts = [
            np.arange(part.start, part.stop, dtype=np.uint32) if isinstance(part, range) else part
            for part in self._added
        ]
        if len(parts) > 1:  # one part from now on
            parts = [np.concatenate(parts)]
            self._added = [parts[0]]
        return parts[0] if parts else NO_IDS

    @property
    def ever(self) -> U32:
        """Edges by row, removed ones too; ascending."""
        base = self.base_parts if self.base_count else []
        parts = [part for part in (*base, self.added) if part.size]
        return parts[0] if len(parts) == 1 else np.concatenate([NO_IDS, *parts])

    @property
    def edges(self) -> U32:
        """Live edges, ascending."""
        if self._edges is None:
            edges = self.ever
            self._edges = edges[self._live(edges)] if self.removed_count else edges
        return self._edges

    def _live(self, edges: U32) -> Bool:
        return np.asarray(self._records.field("source", edges) != TOMBSTONE)

    @property
    def names(self) -> list[str]:
        """Property names, in code point order."""
        return sorted(self.properties)

    @property
    def changed(self) -> bool:
        """Whether an edge was added or a value changed since the directory was opened."""
        return self.added_count > 0 or any(c.changed for c in (self._properties or {}).values())

    def changed_segments(self) -> set[int]:
        """Segments whose stored edges had a value updated."""
        held = (self._properties or {}).values()
        return {number for column in held for number in column.changed_parts}

    @property
    def properties(self) -> dict[str, GrowingColumn]:
        """Columns by property name, by row."""
        if self._properties is None:
            assert self._stored is not None
            self._properties = {
                name: GrowingColumn(self.base_count, partial(self._parts, name))
                for name in self._stored_names(self._stored)
            }
        return self._properties

    def _stored_names(self, stored: StoredGraph) -> list[str]:
        if stored.native is not None:
            entry = stored.connection_types.get(self.name)
            return [] if entry is None else sorted(entry.properties)
        names = []
        for value in stored.edge_properties.keys(self.ever).tolist():
            name = stored.names.name_of(value)
            if name is None:
                raise FormatError(
                    stored.path, f"properties of {self.name}", None, "a known name", hex(value)
                )
            names.append(name)
        return sorted(names)

    def _parts(self, name: str) -> list[Part]:
        assert self._stored is not None
        read = partial(self._stored.edge_properties.read, key=fnv1a(name))
        return [
            Part(edges.size, partial(read, edges), partial(_pick, read, edges))
            for edges in self.base_parts
        ]

    def read(self, name: str, edges: U32 | None) -> AnyColumn:
        """Return a property of ``edges`` (all of the type if None)."""
        column = self.properties.get(name)
        if column is None:
            raise NotFoundError(
                f"connection type {self.name!r} has no property {name!r}; it has {self.names}"
            )
        if edges is None:
            if not self.removed_count:
                return column.read()
            return column.take(np.flatnonzero(self._live(self.ever)))
        if self._stored is not None and not self.changed:
            return self._stored.edge_properties.read(edges, fnv1a(name))
        return column.take(self.rows(edges))

    def rows(self, edges: U32) -> I64:
        """Return the row of each edge; each must be of this type."""
        rows: I64 = find_sorted(self.ever, edges)
        if rows.size and int(rows.min()) < 0:
            row = int(np.argmin(rows))
            raise GraphError(f"edges: row {row}: edge {edges[row]} is not of type {self.name!r}")
        return rows

    def update(self, rows: I64, properties: Mapping[str, AnyColumn]) -> None:
        """Set checked values of rows."""
        for name, values in properties.items():
            self._column_of(name, self.row_count).update(rows, values)

    def _column_of(self, name: str, length: int) -> GrowingColumn:
        """The column of a property; a new one is absent in all of its ``length`` rows."""
        column = self.properties.get(name)
        if column is None:
            column = GrowingColumn(self.base_count, self._absent_parts)
            column.pad(length)
            self.properties[name] = column
        return column

    def _absent_parts(self) -> list[Part]:
        return [Part(part.size) for part in self.base_parts]

    def add(self, edges: U32 | range, properties: Mapping[str, AnyColumn]) -> None:
        """Append checked edges, ids ascending; a run of ids as a range."""
        first = self.row_count
        for name, values in properties.items():
            self._column_of(name, first).extend(values)
        known = self.properties
        self._added.append(edges)
        self.added_count += len(edges)
        for target in known.values():
            target.pad(self.row_count)
        self._edges = None

    def remove(self, count: int) -> None:
        """Take note that so many edges were removed."""
        self.removed_count += count
        self._edges = None


def _pick(read: Callable[[U32], AnyColumn], edges: U32, rows: I64) -> AnyColumn:
    return read(edges[rows])


class Ends:
    """Ends of edges to be added: sources and targets, known to be in range."""

    def __init__(self, sources: U32, targets: U32) -> None:
        self.count = int(sources.size)
        self._sources, self._targets = read_only(sources), read_only(targets)

    def join(self, codes: U32, hashes: U64, words: U64) -> None:
        """Fill endpoint records, as (count, 2) words, on all threads."""
        fill = partial(kernels.codes.join_endpoints, self._sources, self._targets, codes, hashes)
        threads.run([partial(fill, *span, words) for span in threads.split(self.count)])


class PairedEnds(Ends):
    """The same in parts where sources and targets take turns, as tables are read."""

    def __init__(self, parts: Sequence[U32]) -> None:
        self.count = sum(part.size for part in parts) // 2
        self._parts = [read_only(part).view(np.uint64) for part in parts]

    def join(self, codes: U32, hashes: U64, words: U64) -> None:
        """Fill endpoint records, part by part."""
        first = 0
        for pairs in self._parts:
            fill = partial(kernels.codes.join_pairs, pairs, codes, hashes, first)
            threads.run([partial(fill, *span, words) for span in threads.split(pairs.size)])
            first += pairs.size


class EdgeTable:
    """All edges of a graph.

    Holds 16 bytes an edge that was added. Endpoints of an opened graph stay on their maps until
    an edge is removed: then those of its segment are copied to memory.
    """

    def __init__(self, stored: StoredGraph | None = None) -> None:
        self._stored = stored
        self.records = Records(
            ENDPOINTS, [] if stored is None else [s.endpoints for s in stored.segments]
        )
        self._tables: dict[str, ConnectionTable] | None = None if stored else {}
        self._checked: set[int] = set()
        self._removed: list[int] = []

    def checked_parts(self) -> list[tuple[int, np.ndarray]]:
        """(First id, endpoints) of each part, every node in range: what kernels may follow."""
        for number in range(len(self.records.parts)):
            self.check_part(number)
        return self.records.all_parts()

    def check_part(self, number: int) -> None:
        """Check that the nodes of a stored part are in range."""
        if self._stored is not None and number not in self._checked:
            segment = self._stored.segments[number]
            if self._stored.native is None:  # rows are built for all nodes at once
                check_ends(segment, 0, self._stored.slot_count)
            else:
                check_ends(segment, segment.first_row, segment.last_node)
            self._checked.add(number)

    @property
    def changed(self) -> bool:
        """Whether an edge was added or a property changed since the directory was opened."""
        return any(table.changed for table in (self._tables or {}).values())

    @property
    def id_count(self) -> int:
        """How many edge ids were ever given."""
        return self.records.size

    @property
    def live_count(self) -> int:
        """How many edges are alive."""
        return sum(table.count for table in self.tables.values())

    @property
    def counted(self) -> bool:
        """Whether the tables are made already."""
        return self._tables is not None

    @property
    def tables(self) -> dict[str, ConnectionTable]:
        """Connection types by name, in code point order."""
        if self._tables is None:
            assert self._stored is not None
            self._tables = dict(sorted(_stored_tables(self._stored, self.records).items()))
        return self._tables

    def table(self, connection_type: str) -> ConnectionTable:
        """Return one connection type, or say which there are."""
        found = self.tables.get(connection_type)
        if found is None or not found.count:
            known = [name for name, table in self.tables.items() if table.count]
            raise NotFoundError(f"no connection type {connection_type!r}; there are {known}")
        return found

    @property
    def hashes(self) -> U64:
        """Hashes of the connection types that have edges, ascending, read-only."""
        hashes = sorted(table.hash for table in self.tables.values() if table.count)
        array = np.array(hashes, np.uint64)
        array.flags.writeable = False
        return array

    def split(self) -> tuple[U32, U32, U32, U32]:
        """Return sources, targets, ranks (positions in ``hashes``) and ids of live edges.

        Allocates 16 bytes an edge, and twice as much for the time it takes to join parts.
        """
        hashes, parts = self.hashes, []
        for base, endpoints in self.checked_parts():
            sources, targets, ranks, edges, bad = build.split_endpoints(endpoints, hashes)
            if bad >= 0:
                path = self._stored.path if self._stored else "memory"
                found = hex(int(endpoints["connection_type"][bad]))
                field = f"edge_endpoints[{base + bad}]"
                raise FormatError(path, field, 16 * bad, "a known connection type", found)
            parts.append((sources, targets, ranks, edges + np.uint32(base) if base else edges))
        if len(parts) == 1:
            return parts[0]
        joined = [np.concatenate([NO_IDS, *arrays]) for arrays in zip(*parts, strict=True)]
        return (joined[0], joined[1], joined[2], joined[3]) if parts else (NO_IDS,) * 4

    def types(self, edges: U32) -> U64:
        """Return the hash of the connection type of each edge."""
        return self.records.field("connection_type", edges)

    def check(self, edges: object, name: str = "edges") -> U32:
        """Return edge ids as uint32, each in range and alive."""
        array = as_ids(edges, self.id_count, name, "edge")
        gone = self.records.field("source", array) == TOMBSTONE
        if gone.any():
            row = int(np.argmax(gone))
            raise GraphError(f"{name}: row {row}: edge {array[row]} was removed")
        return array

    def remove(self, edges: U32) -> None:
        """Mark live edges, each once, as removed."""
        hashes = self.types(edges)
        removed = np.zeros(edges.size, ENDPOINTS)
        removed["source"] = removed["target"] = TOMBSTONE
        tables = list(self.tables.values())
        self.records.put(edges, removed)
        self._removed += edges.tolist()
        for table in tables:
            count = int(np.count_nonzero(hashes == np.uint64(table.hash)))
            if count:
                table.remove(count)

    def _table_to_extend(self, name: str) -> ConnectionTable:
        """The table of a type; a new one also where all edges were removed, as after a save."""
        known = self.tables.get(name)
        return known if known is not None and known.count else ConnectionTable(name, self.records)

    def removed_ids(self) -> list[int]:
        """Ids of all removed edges, in the order of their removal."""
        stored = [] if self._stored is None else self._stored.meta.free_edge_slots
        return [*stored, *self._removed]

    def add(
        self,
        names: list[str],
        codes: U32 | None,
        ends: Ends,
        properties: Mapping[str, AnyColumn] | Sequence[Mapping[str, AnyColumn]],
    ) -> range:
        """Append edges of one type, or of several by code; see ``Graph.add_edges``.

        ``properties`` are of all edges, or for each name those of its edges, in their order.
        """
        first, count = self.id_count, ends.count
        if first + count > MAX_IDS:
            raise LimitError(f"{first} + {count} edges: edge ids end at {MAX_IDS - 1}")
        edges = range(first, first + count)
        tables = {name: self._table_to_extend(name) for name in names}
        for table in tables.values():
            table.properties  # noqa: B018 - what cannot be read must fail before a change
        hashes = read_only(np.array([fnv1a(name) for name in names], np.uint64))
        words = self.records.grow(count).view("<u8").reshape(-1, 2)
        ends.join(read_only(NO_IDS if codes is None else codes), hashes, words)
        if codes is None:
            tables[names[0]].add(edges, _of_code(properties, 0, None))
        else:
            _add_by_code(list(tables.values()), codes, edges, properties)
        used = {name: table for name, table in tables.items() if table.row_count}
        self._tables = dict(sorted({**self.tables, **used}.items()))
        return edges


def _of_code(
    properties: Mapping[str, AnyColumn] | Sequence[Mapping[str, AnyColumn]],
    code: int,
    rows: I64 | None,
) -> Mapping[str, AnyColumn]:
    """Return the properties of the edges of one type; ``rows``: which they are, None for all."""
    if not isinstance(properties, Mapping):
        return properties[code]
    if rows is None:
        return properties
    return {name: column.take(rows) for name, column in properties.items()}


def _add_by_code(
    tables: list[ConnectionTable],
    codes: U32,
    edges: range,
    properties: Mapping[str, AnyColumn] | Sequence[Mapping[str, AnyColumn]],
) -> None:
    offsets, _, order = build.untyped_rows(len(tables), codes, codes)
    for code, table in enumerate(tables):
        at = order[offsets[code] : offsets[code + 1]]
        if at.size:
            rows = at.astype(np.int64)
            table.add(at + np.uint32(edges.start), _of_code(properties, code, rows))


def _stored_tables(stored: StoredGraph, records: Records) -> dict[str, ConnectionTable]:
    counts = _native_counts(stored) if stored.native is not None else _scanned_counts(stored)
    return {
        name: ConnectionTable(name, records, stored, count)
        for name, count in counts.items()
        if count
    }


def _native_counts(stored: StoredGraph) -> dict[str, int]:
    counts = stored.metadata.get("edge_type_counts")
    path = stored.path / "metadata.json"
    if not isinstance(counts, dict) or not all(isinstance(v, int) for v in counts.values()):
        raise FormatError(path, "edge_type_counts", None, "an object of counts", counts)
    if sum(counts.values()) != stored.meta.edge_count:
        total = sum(counts.values())
        raise FormatError(path, "sum of edge_type_counts", None, stored.meta.edge_count, total)
    return counts


def _scanned_counts(stored: StoredGraph) -> dict[str, int]:
    hashes = candidate_hashes(stored)
    counts = np.zeros(hashes.size, np.int64)
    for segment in stored.segments:
        words = segment.endpoints.view("<u8").reshape(-1, 2)
        edge = kernels.codes.count_endpoints(words, hashes, 0, words.shape[0], counts)
        if edge >= 0:
            path = segment.folder / "edge_endpoints.bin"
            found = hex(int(words[edge, 1]))
            raise FormatError(path, "connection_type", 16 * edge + 8, "the hash of a name", found)
    stored.compare("edge_count", int(counts.sum()), "live endpoints")
    by_hash = stored.names.by_hash()
    return {by_hash[int(hashes[code])]: int(counts[code]) for code in np.flatnonzero(counts)}


def check_ends(segment: Segment, first: int, stop: int) -> None:
    """Check that the ends of a segment's edges are nodes from ``first`` up to ``stop``.

    Raises
    ------
    FormatError
        One is not.
    """
    bad = [checks.first_bad_ends(segment.endpoints, stop)]
    if first and segment.endpoints.size:
        ends = [segment.endpoints[name] for name in ("source", "target")]
        bad += [int(np.argmax(nodes < first)) for nodes in ends if nodes.min() < first]
    edge = min((edge for edge in bad if edge >= 0), default=-1)
    if edge >= 0:
        path = segment.folder / "edge_endpoints.bin"
        found = " and ".join(str(int(segment.endpoints[edge][at])) for at in range(2))
        field = f"ends of edge {segment.first_edge + edge}"
        expected = f"nodes below {stop}" if not first else f"nodes from {first} to {stop - 1}"
        raise FormatError(path, field, 16 * edge, expected, found)
