"""Rows and indexes of one part of a graph: of a stored segment, or built from its endpoints."""

from functools import cached_property
from typing import TypeAlias

import numpy as np

from nkgraph import build
from nkgraph.dtypes import I64, TOMBSTONE, U32, U64
from nkgraph.errors import FormatError
from nkgraph.storage import checks
from nkgraph.storage.kglite.segment import Segment

Rows: TypeAlias = tuple[I64, U32]
"""Offsets (n + 1,) int64, and entries (m, 2) uint32: peer and edge id, ordered by (type, edge)."""
TypeIndex: TypeAlias = tuple[U64, I64, U32]
PeerIndex: TypeAlias = tuple[U64, I64, U32, U64]
SIDES = ("out", "in")
NO_ENTRIES = np.zeros((0, 2), np.uint32)


class StoredRows:
    """Rows and indexes of one native segment, checked before they are trusted."""

    def __init__(self, segment: Segment, node_limit: int) -> None:
        self.segment = segment
        self.first_edge = segment.first_edge
        self._node_limit = node_limit
        self._checked: dict[str, Rows] = {}

    @property
    def first_row(self) -> int:
        """The node of the first row."""
        return self.segment.first_row

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
        limit = self._node_limit - self.first_row
        self._check_index("conn_type_index_sources.bin", offsets.view(np.int64), flat, limit)
        return hashes, offsets.view(np.int64), flat

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


class BuiltRows:
    """Rows and indexes of the live edges of a part, built when they are asked for.

    Parameters
    ----------
    first_row, stop_row : int
        The nodes that get rows: all ends in them, unless the range starts at 0.
    first_edge : int
        Id of the first endpoint.
    endpoints : (e,) ENDPOINTS
        Of the part, removed edges too; nodes in range, types among ``hashes``.
    hashes : (t,) uint64, ascending
    """

    def __init__(
        self, first_row: int, stop_row: int, first_edge: int, endpoints: np.ndarray, hashes: U64
    ) -> None:
        self.first_row = first_row
        self.stop_row = stop_row
        self.first_edge = first_edge
        sources, targets, ranks, edges, bad = build.split_endpoints(endpoints, hashes)
        if bad >= 0:
            raise AssertionError("live edges have a known type: the table of edges counted them")
        self._ends = {"out": sources, "in": targets}
        self._edges = edges
        present = np.bincount(ranks, minlength=hashes.size) > 0
        codes = (np.cumsum(present) - 1).astype(np.uint32)
        self.hashes: U64 = hashes[present]
        self._ranks = codes[ranks]
        self._rows: dict[str, Rows] = {}

    def _own(self, side: str) -> U32:
        ends = self._ends[side]
        return ends - np.uint32(self.first_row) if self.first_row else ends

    def rows(self, side: str) -> Rows:
        """Rows with local edge ids."""
        if side not in self._rows:
            peers = self._ends["in" if side == "out" else "out"]
            count, types = self.stop_row - self.first_row, int(self.hashes.size)
            offsets, entries = build.typed_rows(count, self._own(side), peers, self._ranks, types)
            entries[:, 1] = self._edges[entries[:, 1]]
            self._rows[side] = offsets, entries
        return self._rows[side]

    def index(self) -> TypeIndex:
        """Type hashes, offsets and sources, counted from the first row."""
        count = self.stop_row - self.first_row
        built = build.type_index(count, self._own("out"), self._ranks, int(self.hashes.size))
        return self.hashes, *built

    def peers(self) -> PeerIndex:
        """Type hashes, offsets, targets and counts."""
        targets = self._ends["in"]
        built = build.peer_counts(self.stop_row, targets, self._ranks, int(self.hashes.size))
        return self.hashes, *built


PartRows: TypeAlias = StoredRows | BuiltRows


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
