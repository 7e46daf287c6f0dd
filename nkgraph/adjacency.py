"""Rows, connection-type index and peer counts of a graph: from the files, or built.

A native directory of one segment that was not changed answers from its maps. With several
segments, point queries ask each of them, and what was added after them; whole arrays are stitched
on first use. A graph in memory and a foreign directory are built from the endpoints, by counting
sorts on all cores. What was stitched or built is made anew after the next change.
"""

from collections.abc import Callable

import numpy as np

from nkgraph import build, kernels, stitching
from nkgraph.arguments import once
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, TOMBSTONE, U32, U64
from nkgraph.edges import EdgeTable
from nkgraph.errors import FormatError
from nkgraph.nodes import NodeTable
from nkgraph.part_rows import (
    NO_ENTRIES,
    SIDES,
    AddedRows,
    BuiltRows,
    PartRows,
    PeerIndex,
    Rows,
    StoredRows,
    TypeIndex,
)
from nkgraph.stitching import CountPart, IndexPart, SegmentRows
from nkgraph.storage.kglite.stitch import RowCache
from nkgraph.storage.stored import StoredGraph

__all__ = ["SIDES", "Adjacency", "slice_of"]

FEW_NODES = 64
"""Up to so many nodes are asked for their edges one by one."""


class Adjacency:
    """The rows and indexes of a graph, kept up with its changes.

    Rows that are built or stitched take 8 bytes an edge and 8 a node for each direction, on the
    heap or in the files of ``cache``. Building takes 16 bytes an edge more for as long as it
    lasts, stitching 1 to 4 and a few MiB.
    """

    def __init__(
        self,
        nodes: NodeTable,
        edges: EdgeTable,
        stored: StoredGraph | None,
        cache: RowCache | None = None,
    ) -> None:
        self._nodes = nodes
        self._cache = cache
        self._edges = edges
        native = stored is not None and stored.native is not None
        segments = stored.segments if stored is not None and native else []
        self._limit = nodes.slot_count
        self.stored = [StoredRows(segment, self._limit) for segment in segments]
        self.changed()

    def changed(self) -> None:
        """Forget what was built: nodes or edges were added or removed."""
        self._rows: dict[str, Rows] = {}
        self._index: TypeIndex | None = None
        self._peers: PeerIndex | None = None
        self._added: AddedRows | None = None
        self._parts: dict[int, PartRows] = {}
        self._ranks: stitching.Ranks | None = None

    @property
    def only(self) -> StoredRows | None:
        """The only segment, if its rows are those of the graph."""
        records = self._edges.records
        if len(self.stored) != 1 or records.changed or records.added.size:
            return None
        return self.stored[0] if self._nodes.slot_count == self._limit else None

    def rows(self, side: str) -> Rows:
        """Rows whose every offset, peer and edge id is known to be in range."""
        if side not in self._rows:
            if self.only is not None:
                self._rows[side] = self.only.rows(side)
            elif self.stored:
                self._rows[side] = self._cached(side)
            else:
                self._rows[side] = self._built(side)
        return self._rows[side]

    def has(self, side: str) -> bool:
        """Whether ``rows`` are on a map or in memory, and need not be built."""
        return side in self._rows or self.only is not None

    def _built(self, side: str) -> Rows:
        sources, targets, ranks, edges = self._edges.split()
        rows, peers = (sources, targets) if side == "out" else (targets, sources)
        types = int(self._edges.hashes.size)
        offsets, entries = build.typed_rows(self._nodes.slot_count, rows, peers, ranks, types)
        if edges.size != self._edges.id_count:
            entries[:, 1] = edges[entries[:, 1]]
        return offsets, entries

    # -- parts --------------------------------------------------------------------------------

    def parts(self) -> list[PartRows]:
        """Rows of each stored segment as it is now, and of what was added if there is any."""
        count = len(self.stored) + (self._edges.records.added.size > 0)
        return [self.part(number) for number in range(count)]

    def part(self, number: int) -> PartRows:
        """Rows of a stored segment as it is now; of what was added for the number behind them."""
        if number < len(self.stored) and number not in self._edges.records.changed:
            return self.stored[number]
        if number not in self._parts:
            self._parts[number] = self._rebuilt(number)
        return self._parts[number]

    def _rebuilt(self, number: int) -> BuiltRows:
        records, hashes = self._edges.records, self._edges.hashes
        if number < len(self.stored):
            self._edges.check_part(number)
            segment, endpoints = self.stored[number].segment, records.parts[number]
            span = segment.first_row, segment.last_node
            return BuiltRows(*span, segment.first_edge, endpoints, hashes)
        added, first = records.added, self._nodes.slots.stored_size
        live = added[added["source"] != TOMBSTONE]
        inside = not live.size or min(int(live["source"].min()), int(live["target"].min())) >= first
        span = (first if inside else 0), self._nodes.slot_count
        return BuiltRows(*span, records.stored_size, added, hashes)

    # -- whole arrays -------------------------------------------------------------------------

    def _cached(self, side: str) -> Rows:
        """Stitched rows: from the files of the cache, or on their way there, or on the heap."""
        records = self._edges.records
        count, edges = self._nodes.slot_count, self._edges.live_count
        unchanged = not records.changed and not records.added.size and count == self._limit
        if self._cache is None or not unchanged or not self._cache.wanted(count, edges):
            return self._stitched(side, None)
        found = self._cache.read(side, count, edges, records.size)
        if found is None:
            with self._cache.write(side) as allocate:
                self._stitched(side, allocate)
            found = self._cache.read(side, count, edges, records.size)
            assert found is not None
        return found

    def _stitched(
        self, side: str, allocate: Callable[[str, int, np.dtype], np.ndarray] | None
    ) -> Rows:
        parts = self.parts()
        segments = [
            SegmentRows(part.first_row, part.first_edge, *part.rows(side)) for part in parts
        ]
        stops = [segment.first_node + segment.offsets.size - 1 for segment in segments]
        firsts = [segment.first_node for segment in segments]
        apart = all(stop <= first for stop, first in zip(stops, firsts[1:], strict=False))
        ranks = None if apart else self._edge_ranks()
        return stitching.stitch(self._nodes.slot_count, segments, ranks, allocate=allocate)

    def degrees(self, side: str, nodes: U32 | None) -> I64:
        """Count the entries of each node (of all, if None); asks the segments, stitches nothing."""
        count = self._nodes.slot_count
        total: I64 = np.zeros(count if nodes is None else nodes.size, np.int64)
        for first, offsets, _, _ in self._row_parts(side):
            if nodes is None:
                total[first : first + offsets.size - 1] += np.diff(offsets)
            else:
                at, rows = _inside(nodes, first, offsets.size - 1)
                total[at] += offsets[rows.astype(np.int64) + 1] - offsets[rows]
        return total

    def typed_degrees(self, side: str, nodes: U32, type_hash: int) -> I64:
        """Count the entries of each node that have one connection type; O(log degree) each."""
        total: I64 = np.zeros(nodes.size, np.int64)
        for first, offsets, entries, endpoints in self._row_parts(side):
            at, rows = _inside(nodes, first, offsets.size - 1)
            words = endpoints.view("<u8").reshape(-1, 2)
            starts, stops = build.typed_ranges(offsets, entries, words, rows, type_hash)
            total[at] += stops - starts
        return total

    def _row_parts(self, side: str) -> list[tuple[int, I64, U32, np.ndarray]]:
        """First node, offsets, entries and the endpoints that their edge ids point into."""
        records = self._edges.records
        if not self.stored:
            return [(0, *self.rows(side), records.whole())]
        endpoints = [*records.parts, records.added]
        return [
            (part.first_row, *part.rows(side), held)
            for part, held in zip(self.parts(), endpoints, strict=False)
        ]

    def _edge_ranks(self) -> stitching.Ranks:
        if self._ranks is None:
            records = self._edges.records
            parts = [*records.parts, records.added]
            ranks, unknown = stitching.edge_ranks(parts, self._edges.hashes)
            if unknown >= 0:
                found = hex(int(self._edges.types(np.array([unknown], np.uint32))[0]))
                field = f"connection_type of edge {unknown}"
                path = self.stored[0].segment.folder.parent
                raise FormatError(path, field, None, "a known connection type", found)
            self._ranks = ranks
        return self._ranks

    def index(self) -> TypeIndex:
        """Type hashes, offsets, and the sources that have an edge of each type, ascending."""
        if self._index is None:
            if self.only is not None:
                self._index = self.only.index()
            elif self.stored:
                parts = [IndexPart(*part.index(), part.first_row) for part in self.parts()]
                self._index = stitching.merge_index(self._nodes.slot_count, parts)
            else:
                sources, _, ranks, _ = self._edges.split()
                hashes = self._edges.hashes
                offsets, flat = build.type_index(
                    self._nodes.slot_count, sources, ranks, int(hashes.size)
                )
                self._index = hashes, offsets, flat
        return self._index

    def peers(self) -> PeerIndex:
        """Type hashes, offsets, and targets ascending with the number of edges into each."""
        if self._peers is None:
            if self.only is not None:
                self._peers = self.only.peers()
            elif self.stored:
                parts = [CountPart(*part.peers()) for part in self.parts()]
                self._peers = stitching.merge_counts(self._nodes.slot_count, parts)
            else:
                _, targets, ranks, _ = self._edges.split()
                hashes = self._edges.hashes
                built = build.peer_counts(self._nodes.slot_count, targets, ranks, int(hashes.size))
                self._peers = hashes, *built
        return self._peers

    def row(self, side: str, node: int, type_hash: int | None) -> U32:
        """Entries (k, 2) of one node, of one connection type if given.

        O(log degree + k) for each segment; where nothing is stored the rows are built first.
        """
        if not self.stored:
            return self._built_row(side, node, type_hash)
        pieces = []
        for number, stored in enumerate(self.stored):
            piece = stored.row(side, node, type_hash)
            if piece.size and number in self._edges.records.changed:
                alive = self._edges.records.field("source", piece[:, 1]) != TOMBSTONE
                piece = piece[alive]
            pieces.append(piece)
        if self._edges.records.added.size:
            if self._added is None:
                records = self._edges.records
                self._added = AddedRows(records.stored_size, records.added)
            pieces.append(self._added.row(side, node, type_hash))
        pieces = [piece for piece in pieces if piece.size]
        if len(pieces) <= 1:
            return pieces[0] if pieces else NO_ENTRIES
        entries = np.concatenate(pieces)
        if type_hash is not None:
            return entries  # edge ids ascend over the parts
        types = self._edges.types(entries[:, 1])
        return np.asarray(entries[np.argsort(types, kind="stable")])

    def incident(self, nodes: U32) -> U32:
        """Live edges that start or end in one of ``nodes``, each once."""
        if nodes.size <= FEW_NODES and self.stored:
            found = [self.row(side, node, None)[:, 1] for side in SIDES for node in nodes.tolist()]
            return once(np.concatenate(found))
        marks = np.zeros(self._nodes.slot_count, np.uint8)
        marks[nodes] = 1
        pieces = []
        for base, endpoints in self._edges.checked_parts():
            edges = np.empty(endpoints.size, np.uint32)
            words = read_only(endpoints.view("<u8").reshape(-1, 2))
            count = kernels.codes.select_incident(words, read_only(marks), edges)
            pieces.append(edges[:count] + np.uint32(base))
        return np.concatenate(pieces) if pieces else np.zeros(0, np.uint32)

    def _built_row(self, side: str, node: int, type_hash: int | None) -> U32:
        offsets, entries = self.rows(side)
        if node + 1 >= offsets.size:
            return NO_ENTRIES
        found = entries[int(offsets[node]) : int(offsets[node + 1])]
        if type_hash is None:
            return found
        types, value = self._edges.types(found[:, 1]), np.uint64(type_hash)
        start, stop = (int(np.searchsorted(types, value, end)) for end in ("left", "right"))
        return found[start:stop]


def _inside(nodes: U32, first: int, count: int) -> tuple[I64, U32]:
    """Which of ``nodes`` have one of ``count`` rows, by place, and which row."""
    rows = nodes.astype(np.int64) - first
    at = np.flatnonzero((rows >= 0) & (rows < count))
    return at, rows[at].astype(np.uint32)


def slice_of(hashes: U64, offsets: I64, value: int) -> slice:
    """Return the range of one type in an index; empty where it has none."""
    code = int(np.searchsorted(hashes, np.uint64(value)))
    if code == hashes.size or int(hashes[code]) != value:
        return slice(0, 0)
    return slice(int(offsets[code]), int(offsets[code + 1]))
