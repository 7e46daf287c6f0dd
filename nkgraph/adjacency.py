"""Rows, connection-type index and peer counts of a graph: from the files, or built.

A native directory that was not changed answers from its maps. Everything else (a graph in
memory, a foreign directory, an opened graph with additions) is built once, on first use, from
the endpoints, by counting sorts on all cores; and built anew after the next change.
"""

import numpy as np

from nkgraph import build
from nkgraph.dtypes import I64, U32, U64
from nkgraph.edges import EdgeTable
from nkgraph.errors import FormatError
from nkgraph.nodes import NodeTable
from nkgraph.storage import checks
from nkgraph.storage.kglite.reader import Stored

Rows = tuple[I64, U32]
"""Offsets (n + 1,) int64, and entries (m, 2) uint32: peer and edge id, ordered by (type, edge)."""
TypeIndex = tuple[U64, I64, U32]
PeerIndex = tuple[U64, I64, U32, U64]
SIDES = ("out", "in")


class Adjacency:
    """The rows and indexes of one state of a graph.

    Built rows take 8 bytes an edge and 8 a node for each direction; building them takes 16 bytes
    an edge more for as long as it lasts.
    """

    def __init__(self, nodes: NodeTable, edges: EdgeTable, stored: Stored | None) -> None:
        self._nodes = nodes
        self._edges = edges
        self._stored = stored if stored is not None and stored.native is not None else None
        self._rows: dict[str, Rows] = {}
        self._index: TypeIndex | None = None
        self._peers: PeerIndex | None = None

    def files(self) -> Stored | None:
        """The native directory, if what it holds is the present state."""
        return self._stored

    def point_rows(self, side: str) -> Rows:
        """Rows for queries that check what they touch; does not read the arrays."""
        if self._stored is not None and side not in self._rows:
            rows = self._stored.rows(side)
            assert rows is not None
            return rows[0].view(np.int64), rows[1]
        return self.rows(side)

    def rows(self, side: str) -> Rows:
        """Rows whose every offset, peer and edge id is known to be in range."""
        if side not in self._rows:
            if self._stored is not None:
                rows = self.point_rows(side)
                self._check_rows(self._stored, side, rows)
                self._rows[side] = rows
            else:
                self._rows[side] = self._built(side)
        return self._rows[side]

    def _check_rows(self, stored: Stored, side: str, rows: Rows) -> None:
        offsets, entries = rows
        folder = stored.segments[0]
        count = entries.shape[0]
        node = checks.first_bad_offset(offsets, count)
        if node < 0 and (offsets[0] != 0 or offsets[-1] != count):
            node = 0 if offsets[0] != 0 else offsets.size - 1
        if node >= 0:
            raise FormatError(
                folder / f"{side}_offsets.bin", f"offsets[{node}]", 8 * node,
                f"ascending, 0 up to {entries.shape[0]}", int(offsets[node]),
            )  # fmt: skip
        for column, limit, field in (
            (0, self._nodes.slot_count, "peer"),
            (1, self._edges.id_count, "edge_idx"),
        ):
            at = checks.first_not_below(entries, limit, column)
            if at >= 0:
                raise FormatError(
                    folder / f"{side}_edges.bin", field, 8 * at + 4 * column,
                    f"< {limit}", int(entries[at, column]),
                )  # fmt: skip

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
            if self._stored is not None:
                self._index = self._stored_index(self._stored)
            else:
                sources, _, ranks, _ = self._edges.split()
                hashes = self._edges.hashes
                offsets, flat = build.type_index(
                    self._nodes.slot_count, sources, ranks, int(hashes.size)
                )
                self._index = hashes, offsets, flat
        return self._index

    def _stored_index(self, stored: Stored) -> TypeIndex:
        trio = stored.index("conn_type_index", "sources")
        assert trio is not None
        hashes, offsets, flat = trio
        self._check_index(stored, "conn_type_index_sources.bin", offsets.view(np.int64), flat)
        return hashes, offsets.view(np.int64), flat

    def _check_index(self, stored: Stored, name: str, offsets: I64, nodes: U32) -> None:
        limit = self._nodes.slot_count
        at = checks.first_not_below(nodes, limit)
        if at < 0:
            at = checks.first_not_ascending_in_ranges(offsets, nodes)
        if at >= 0:
            expected = f"ascending nodes below {limit}"
            raise FormatError(stored.segments[0] / name, "node", None, expected, int(nodes[at]))

    def peers(self) -> PeerIndex:
        """Type hashes, offsets, and targets ascending with the number of edges into each."""
        if self._peers is None:
            if self._stored is not None:
                self._peers = self._stored_peers(self._stored)
            else:
                _, targets, ranks, _ = self._edges.split()
                hashes = self._edges.hashes
                built = build.peer_counts(self._nodes.slot_count, targets, ranks, int(hashes.size))
                self._peers = hashes, *built
        return self._peers

    def _stored_peers(self, stored: Stored) -> PeerIndex:
        trio = stored.index("peer_count", "entries")
        assert trio is not None
        hashes, offsets, flat = trio
        pairs = flat.reshape(-1, 2)
        targets = np.ascontiguousarray(pairs[:, 0])
        self._check_index(stored, "peer_count_entries.bin", offsets.view(np.int64), targets)
        return hashes, offsets.view(np.int64), targets, pairs[:, 1].astype(np.uint64)

    def row(self, side: str, node: int, type_hash: int | None) -> U32:
        """Entries (k, 2) of one node, of one connection type if given; O(log degree + k)."""
        offsets, entries = self.point_rows(side)
        if node + 1 >= offsets.size:
            return entries[:0]
        start, stop = int(offsets[node]), int(offsets[node + 1])
        if not 0 <= start <= stop <= entries.shape[0]:
            raise self._bad_row(f"{side}_offsets.bin", 8 * node, "offsets in order", (start, stop))
        if type_hash is not None:
            start, stop = self._typed(side, entries, start, stop, type_hash)
        found = entries[start:stop]
        if found.size and int(found[:, 0].max()) >= self._nodes.slot_count:
            raise self._bad_row(f"{side}_edges.bin", 8 * start, "peers that exist", "others")
        return found

    def _typed(self, side: str, entries: U32, start: int, stop: int, value: int) -> tuple[int, int]:
        types = self._edges.endpoints["connection_type"]
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
        folder = self._stored.segments[0] if self._stored else "memory"
        path = folder / name if self._stored and not isinstance(folder, str) else name
        return FormatError(path, "row", at, expected, found)


def slice_of(hashes: U64, offsets: I64, value: int) -> slice:
    """Return the range of one type in an index; empty where it has none."""
    code = int(np.searchsorted(hashes, np.uint64(value)))
    if code == hashes.size or int(hashes[code]) != value:
        return slice(0, 0)
    return slice(int(offsets[code]), int(offsets[code + 1]))
