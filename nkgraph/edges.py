"""The edges of a graph: endpoints by edge id, and per connection type the properties.

An edge id is a position in ``endpoints``. The rows of a connection type are its live edges in
the order of their ids; its property columns are parallel to those.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nkgraph import build, kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import ENDPOINTS, I64, MAX_IDS, TOMBSTONE, U32, U64
from nkgraph.errors import FormatError, GraphError, LimitError, NotFoundError
from nkgraph.nodes import NO_IDS, as_ids, candidate_hashes
from nkgraph.search import find_sorted
from nkgraph.storage import checks
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.growing import GrowingColumn
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.mapped import MappedArray


class ConnectionTable:
    """One connection type: its live edges, ascending, and their properties."""

    def __init__(self, name: str, stored: Stored | None = None, base_count: int = 0) -> None:
        self.name = name
        self.hash = fnv1a(name)
        self.base_count = base_count
        self._stored = stored
        self._base: U32 | None = None if base_count else NO_IDS
        self.added_count = 0
        self._added: list[U32 | range] = []
        self._properties: dict[str, GrowingColumn] | None = None if base_count else {}

    @property
    def count(self) -> int:
        """How many live edges there are."""
        return self.base_count + self.added_count

    @property
    def base(self) -> U32:
        """Stored live edges, ascending: one pass over the endpoints on first use."""
        if self._base is None:
            assert self._stored is not None
            edges = np.empty(self._stored.endpoints.size, np.uint32)
            words = self._stored.endpoints.view("<u8").reshape(-1, 2)
            count = kernels.codes.select_endpoints(words, np.uint64(self.hash), edges)
            if count != self.base_count:
                raise FormatError(
                    self._stored.path, f"edges of {self.name}", None, self.base_count, count
                )
            self._base = edges[:count].copy()
        return self._base

    @property
    def edges(self) -> U32:
        """Live edges, ascending."""
        parts = [
            np.arange(part.start, part.stop, dtype=np.uint32) if isinstance(part, range) else part
            for part in self._added
        ]
        if len(parts) > 1:  # one part from now on
            parts = [np.concatenate(parts)]
            self._added = [parts[0]]
        if not parts:
            return self.base
        return np.concatenate([self.base, parts[0]]) if self.base_count else parts[0]

    @property
    def names(self) -> list[str]:
        """Property names, in code point order."""
        return sorted(self.properties)

    @property
    def changed(self) -> bool:
        """Whether an edge was added or a value changed since the directory was opened."""
        return self.added_count > 0 or any(c.changed for c in (self._properties or {}).values())

    @property
    def properties(self) -> dict[str, GrowingColumn]:
        """Columns by property name, parallel to ``edges``."""
        if self._properties is None:
            assert self._stored is not None
            self._properties = {
                name: GrowingColumn(self.base_count, partial(self._load, name))
                for name in self._stored_names(self._stored)
            }
        return self._properties

    def _stored_names(self, stored: Stored) -> list[str]:
        if stored.native is not None:
            entry = stored.connection_types.get(self.name)
            return [] if entry is None else sorted(entry.properties)
        names = []
        for value in stored.edge_properties.keys(self.base).tolist():
            name = stored.names.name_of(value)
            if name is None:
                raise FormatError(
                    stored.path, f"properties of {self.name}", None, "a known name", hex(value)
                )
            names.append(name)
        return sorted(names)

    def _load(self, name: str) -> AnyColumn:
        assert self._stored is not None
        return self._stored.edge_properties.read(self.base, fnv1a(name))

    def read(self, name: str, edges: U32 | None) -> AnyColumn:
        """Return a property of ``edges`` (all of the type if None)."""
        column = self.properties.get(name)
        if column is None:
            raise NotFoundError(
                f"connection type {self.name!r} has no property {name!r}; it has {self.names}"
            )
        if edges is None:
            return column.read()
        if self._stored is not None and not self.changed:
            return self._stored.edge_properties.read(edges, fnv1a(name))
        return column.read().take(self.rows(edges))

    def rows(self, edges: U32) -> I64:
        """Return the row of each edge; each must be of this type."""
        rows: I64 = find_sorted(self.edges, edges)
        if rows.size and int(rows.min()) < 0:
            row = int(np.argmin(rows))
            raise GraphError(f"edges: row {row}: edge {edges[row]} is not of type {self.name!r}")
        return rows

    def update(self, rows: I64, properties: Mapping[str, AnyColumn]) -> None:
        """Set checked values of rows."""
        for name, values in properties.items():
            target = self.properties.setdefault(name, GrowingColumn(self.count))
            target.update(rows, values)

    def add(self, edges: U32 | range, properties: Mapping[str, AnyColumn]) -> None:
        """Append checked edges, ids ascending; a run of ids as a range."""
        first = self.count
        for name, values in properties.items():
            target = self.properties.setdefault(name, GrowingColumn(first))
            target.extend(values)
        known = self.properties
        self._added.append(edges)
        self.added_count += len(edges)
        for target in known.values():
            target.pad(self.count)


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

    Holds 16 bytes an edge for an in-memory graph, and nothing of its own for an opened one until
    an edge is added: then the endpoints are copied to memory.
    """

    def __init__(self, stored: Stored | None = None) -> None:
        self._stored = stored
        self._grown: MappedArray | None = None if stored else MappedArray(ENDPOINTS)
        self._tables: dict[str, ConnectionTable] | None = None if stored else {}
        self._checked = stored is None

    @property
    def endpoints(self) -> np.ndarray:
        """Endpoints by edge id, (e,) ENDPOINTS, removed edges included."""
        if self._grown is not None:
            return self._grown.array
        assert self._stored is not None
        return self._stored.endpoints

    def whole(self) -> np.ndarray:
        """Endpoints whose every node is known to be in range: what kernels may follow."""
        if not self._checked:
            assert self._stored is not None
            _check_ends(self._stored, self._stored.segments[0] / "edge_endpoints.bin")
            self._checked = True
        return self.endpoints

    @property
    def changed(self) -> bool:
        """Whether an edge was added or a property changed since the directory was opened."""
        return any(table.changed for table in (self._tables or {}).values())

    @property
    def id_count(self) -> int:
        """How many edge ids were ever given."""
        return int(self.endpoints.size)

    @property
    def live_count(self) -> int:
        """How many edges are alive."""
        return sum(table.count for table in self.tables.values())

    @property
    def tables(self) -> dict[str, ConnectionTable]:
        """Connection types by name, in code point order."""
        if self._tables is None:
            assert self._stored is not None
            self._tables = dict(sorted(_stored_tables(self._stored).items()))
        return self._tables

    def table(self, connection_type: str) -> ConnectionTable:
        """Return one connection type, or say which there are."""
        found = self.tables.get(connection_type)
        if found is None:
            known = list(self.tables)
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

        Allocates 16 bytes an edge.
        """
        endpoints = self.whole()
        sources, targets, ranks, edges, bad = build.split_endpoints(endpoints, self.hashes)
        if bad >= 0:
            path = self._stored.path if self._stored else "memory"
            found = hex(int(endpoints["connection_type"][bad]))
            raise FormatError(
                path, f"edge_endpoints[{bad}]", 16 * bad, "a known connection type", found
            )
        return sources, targets, ranks, edges

    def check(self, edges: object, name: str = "edges") -> U32:
        """Return edge ids as uint32, each in range and alive."""
        array = as_ids(edges, self.id_count, name, "edge")
        gone = self.endpoints["source"][array] == TOMBSTONE
        if gone.any():
            row = int(np.argmax(gone))
            raise GraphError(f"{name}: row {row}: edge {array[row]} was removed")
        return array

    def add(
        self,
        names: list[str],
        codes: U32 | None,
        ends: Ends,
        properties: Mapping[str, AnyColumn],
    ) -> range:
        """Append edges of one type, or of several by code; see ``Graph.add_edges``."""
        first, count = self.id_count, ends.count
        if first + count > MAX_IDS:
            raise LimitError(f"{first} + {count} edges: edge ids end at {MAX_IDS - 1}")
        edges = range(first, first + count)
        tables = {name: self.tables.get(name) or ConnectionTable(name) for name in names}
        if self._grown is None:
            grown = MappedArray(ENDPOINTS, first + count)
            grown.extend(self.endpoints)
            self._grown = grown
        hashes = read_only(np.array([fnv1a(name) for name in names], np.uint64))
        words = self._grown.grow(count).view("<u8").reshape(-1, 2)
        ends.join(read_only(NO_IDS if codes is None else codes), hashes, words)
        if codes is None:
            tables[names[0]].add(edges, properties)
        else:
            _add_by_code(list(tables.values()), codes, edges, properties)
        used = {name: table for name, table in tables.items() if table.count}
        self._tables = dict(sorted({**self.tables, **used}.items()))
        return edges


def _add_by_code(
    tables: list[ConnectionTable], codes: U32, edges: range, properties: Mapping[str, AnyColumn]
) -> None:
    offsets, _, order = build.untyped_rows(len(tables), codes, codes)
    for code, table in enumerate(tables):
        at = order[offsets[code] : offsets[code + 1]]
        if at.size:
            rows = at.astype(np.int64)
            part = {name: column.take(rows) for name, column in properties.items()}
            table.add(at + np.uint32(edges.start), part)


def _stored_tables(stored: Stored) -> dict[str, ConnectionTable]:
    counts = _native_counts(stored) if stored.native else _scanned_counts(stored)
    return {name: ConnectionTable(name, stored, count) for name, count in counts.items() if count}


def _native_counts(stored: Stored) -> dict[str, int]:
    counts = stored.metadata.get("edge_type_counts")
    path = stored.path / "metadata.json"
    if not isinstance(counts, dict) or not all(isinstance(v, int) for v in counts.values()):
        raise FormatError(path, "edge_type_counts", None, "an object of counts", counts)
    if sum(counts.values()) != stored.meta.edge_count:
        total = sum(counts.values())
        raise FormatError(path, "sum of edge_type_counts", None, stored.meta.edge_count, total)
    return counts


def _scanned_counts(stored: Stored) -> dict[str, int]:
    words = stored.endpoints.view("<u8").reshape(-1, 2)
    hashes = candidate_hashes(stored)
    counts = np.zeros(hashes.size, np.int64)
    edge = kernels.codes.count_endpoints(words, hashes, 0, words.shape[0], counts)
    path = stored.segments[0] / "edge_endpoints.bin"
    if edge >= 0:
        found = hex(int(words[edge, 1]))
        raise FormatError(path, "connection_type", 16 * edge + 8, "the hash of a name", found)
    stored.compare("edge_count", int(counts.sum()), "live endpoints")
    by_hash = stored.names.by_hash()
    return {by_hash[int(hashes[code])]: int(counts[code]) for code in np.flatnonzero(counts)}


def _check_ends(stored: Stored, path: Path) -> None:
    ends = stored.endpoints.view("<u4").reshape(-1, 4)
    limit = stored.slots.size
    bad = [checks.first_not_below(ends, limit, end, allow_tombstone=True) for end in (0, 1)]
    edge = min((edge for edge in bad if edge >= 0), default=-1)
    if edge >= 0:
        found = " and ".join(str(int(end)) for end in ends[edge, :2])
        raise FormatError(path, f"ends of edge {edge}", 16 * edge, f"nodes below {limit}", found)
