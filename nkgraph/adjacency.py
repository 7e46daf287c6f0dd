"""Rows, connection-type index and peer counts of a graph: from the files, or built.

A native directory of one segment that was not changed answers from its maps. With several
segments, point queries ask each of them, and what was added after them; whole arrays are stitched
on first use. A graph in memory and a foreign directory are built from the endpoints, by counting
sorts on all cores. What was stitched or built is made anew after the next change.
"""

from functools import cached_property

import numpy as np

from nkgraph import build
from nkgraph.dtypes import I64, TOMBSTONE, U32, U64
from nkgraph.edges import EdgeTable
from nkgraph.errors import FormatError
from nkgraph.nodes import NodeTable
from nkgraph.storage import checks
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.kglite.segment import Segment

Rows = tuple[I64, U32]
"""Offsets (n + 1,) int64, and entries (m, 2) uint32: peer and edge id, ordered by (type, edge)."""
TypeIndex = tuple[U64, I64, U32]
PeerIndex = tuple[U64, I64, U32, U64]
SIDES = ("out", "in")
NO_ENTRIES = np.zeros((0, 2), np.uint32)


class StoredRows:
    """Rows and indexes of one native segment, checked before they are trusted."""

    def __init__(self, segment: Segment, node_limit: int) -> None:
        self.segment = segment
        self._node_limit = node_limit
        self._checked: dict[str, Rows] = {}

    @cached_property
    def _raw(self) -> dict[str, Rows]:
        found = {}
        for side in SIDES:
            offsets, entries = self.segment.rows(side)
            found[side] = offsets.view(np.int64), entries
        return found

    def rows(self, side: str) -> Rows:
        """Rows with local edge ids, every offset, peer and edge id known to be in range."""
        if side not in self._checked:
            self._check_rows(side)
            self._checked[side] = self._raw[side]
        return self._checked[side]

    def _check_rows(self, side: str) -> None:
        offsets, entries = self._raw[side]
        folder = self.segment.folder
        count = entries.shape[0]
        node = checks.first_bad_offset(offsets, count)
        if node < 0 and (offsets[0] != 0 or offsets[-1] != count):
            node = 0 if offsets[0] != 0 else offsets.size - 1
        if node >= 0:
            raise FormatError(
                folder / f"{side}_offsets.bin", f"offsets[{node}]", 8 * node,
                f"ascending, 0 up to {count}", int(offsets[node]),
            )  # fmt: skip
        for column, limit, field in (
            (0, self._node_limit, "peer"),
            (1, int(self.segment.endpoints.size), "edge_idx"),
        ):
            at = checks.first_not_below(entries, limit, column)
            if at >= 0:
                raise FormatError(
                    folder / f"{side}_edges.bin", field, 8 * at + 4 * column,
                    f"< {limit}", int(entries[at, column]),
                )  # fmt: skip

    def row(self, side: str, node: int, type_hash: int | None) -> U32:
        """Entries (k, 2) of one node, edge ids global; checks what it touches, reads no more."""
        offsets, entries = self._raw[side]
        row = node - self.segment.first_row
        if not 0 <= row < offsets.size - 1:
            return NO_ENTRIES
        start, stop = int(offsets[row]), int(offsets[row + 1])
        if not 0 <= start <= stop <= entries.shape[0]:
            raise self._bad_row(f"{side}_offsets.bin", 8 * row, "offsets in order", (start, stop))
        if type_hash is not None:
            start, stop = self._typed(side, entries, start, stop, type_hash)
        found = entries[start:stop]
        if not found.size:
            return NO_ENTRIES
        for column, limit, what in (
            (0, self._node_limit, "peers"), (1, self.segment.endpoints.size, "edges")
        ):  # fmt: skip
            if int(found[:, column].max()) >= limit:
                raise self._bad_row(f"{side}_edges.bin", 8 * start, f"{what} < {limit}", "others")
        if self.segment.first_edge:
            found = found + np.array([0, self.segment.first_edge], np.uint32)
        return found

    def _typed(self, side: str, entries: U32, start: int, stop: int, value: int) -> tuple[int, int]:
        types = self.segment.endpoints["connection_type"]
        limit = types.size

        def first(least: int, low: int) -> int:
            high = stop
            while low < high:
                middle = (low + high) >> 1
                edge = int(entries[middle, 1])
                if edge >= limit:
                    at = 8 * middle + 4
                    raise self._bad_row(f"{side}_edges.bin", at, f"edge < {limit}", edge)
                if int(types[edge]) < least:
                    low = middle + 1
                else:
                    high = middle
            return low

        start = first(value, start)
        return start, first(value + 1, start)

    def _bad_row(self, name: str, at: int, expected: str, found: object) -> FormatError:
        return FormatError(self.segment.folder / name, "row", at, expected, found)

    def index(self) -> TypeIndex:
        """Type hashes, offsets and sources, of the segment's own numbering."""
        hashes, offsets, flat = self.segment.index("conn_type_index", "sources")
        limit = self._node_limit - self._shift
        self._check_index("conn_type_index_sources.bin", offsets.view(np.int64), flat, limit)
        return hashes, offsets.view(np.int64), flat

    @property
    def _shift(self) -> int:
        return self.segment.first_row

    def peers(self) -> PeerIndex:
        """Type hashes, offsets, targets (global) and counts."""
        hashes, offsets, flat = self.segment.index("peer_count", "entries")
        pairs = flat.reshape(-1, 2)
        targets = np.ascontiguousarray(pairs[:, 0])
        ends: I64 = offsets.view(np.int64)
        self._check_index("peer_count_entries.bin", ends, targets, self._node_limit)
        return hashes, ends, targets, pairs[:, 1].astype(np.uint64)

    def _check_index(self, name: str, offsets: I64, nodes: U32, limit: int) -> None:
        at = checks.first_not_below(nodes, limit)
        if at < 0:
            at = checks.first_not_ascending_in_ranges(offsets, nodes)
        if at >= 0:
            expected = f"ascending nodes below {limit}"
            raise FormatError(self.segment.folder / name, "node", None, expected, int(nodes[at]))


class AddedRows:
    """Rows of the edges that were added to an opened graph: the overflow of point queries.

    O(k log k) to make for k edges; 16 bytes each.
    """

    def __init__(self, first_edge: int, endpoints: np.ndarray) -> None:
        live = np.flatnonzero(endpoints["source"] != TOMBSTONE)
        self._rows: dict[str, tuple[U32, U64, U32]] = {}
        for side, own, other in (("out", "source", "target"), ("in", "target", "source")):
            held = endpoints[live]
            order = np.lexsort((held["connection_type"], held[own]))
            entries = np.empty((live.size, 2), np.uint32)
            entries[:, 0] = held[other][order]
            entries[:, 1] = live[order] + first_edge
            types = np.ascontiguousarray(held["connection_type"][order])
            self._rows[side] = np.ascontiguousarray(held[own][order]), types, entries

    def row(self, side: str, node: int, type_hash: int | None) -> U32:
        """Entries (k, 2) of one node, of one connection type if given."""
        nodes, types, entries = self._rows[side]
        start, stop = np.searchsorted(nodes, np.array([node, node + 1], np.uint64)).tolist()
        if type_hash is not None:
            part, value = types[start:stop], np.uint64(type_hash)
            low, high = (int(np.searchsorted(part, value, end)) for end in ("left", "right"))
            start, stop = start + low, start + high
        return entries[start:stop]


class Adjacency:
    """The rows and indexes of a graph, kept up with its changes.

    Built rows take 8 bytes an edge and 8 a node for each direction; building them takes 16 bytes
    an edge more for as long as it lasts.
    """

    def __init__(self, nodes: NodeTable, edges: EdgeTable, stored: Stored | None) -> None:
        self._nodes = nodes
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
            only = self.only
            self._rows[side] = self._built(side) if only is None else only.rows(side)
        return self._rows[side]

    def _built(self, side: str) -> Rows:
        sources, targets, ranks, edges = self._edges.split()
        rows, peers = (sources, targets) if side == "out" else (targets, sources)
        types = int(self._edges.hashes.size)
        offsets, entries = build.typed_rows(self._nodes.slot_count, rows, peers, ranks, types)
        if edges.size != self._edges.id_count:
            entries[:, 1] = edges[entries[:, 1]]
        return offsets, entries

    def index(self) -> TypeIndex:
        """Type hashes, offsets, and the sources that have an edge of each type, ascending."""
        if self._index is None:
            if self.only is not None:
                self._index = self.only.index()
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


def slice_of(hashes: U64, offsets: I64, value: int) -> slice:
    """Return the range of one type in an index; empty where it has none."""
    code = int(np.searchsorted(hashes, np.uint64(value)))
    if code == hashes.size or int(hashes[code]) != value:
        return slice(0, 0)
    return slice(int(offsets[code]), int(offsets[code + 1]))
