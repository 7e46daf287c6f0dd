"""Check every rule of an opened directory, and say what does not hold.

A native directory is compared with its checksums and with what its endpoints and slots imply.
In a foreign one, what kglite leaves behind is found too: indexes that were not kept up, rows out
of type order (typed look-ups then miss edges), edges listed twice.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nkgraph import build, ids
from nkgraph.adjacency import SIDES
from nkgraph.dtypes import I64, TOMBSTONE, U32, U64
from nkgraph.edges import EdgeTable
from nkgraph.errors import FormatError
from nkgraph.nodes import NodeTable, TypeTable
from nkgraph.storage import checks, files
from nkgraph.storage.kglite.reader import Rows, Stored


@dataclass(frozen=True)
class Finding:
    """One rule that does not hold: where, and what is wrong."""

    file: str
    field: str
    offset: int | None
    problem: str

    def __str__(self) -> str:
        at = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.file}: {self.field}{at}: {self.problem}"


@dataclass(frozen=True)
class Report:
    """What ``Graph.verify`` found; ``ok`` if nothing."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every rule holds."""
        return not self.findings

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "every rule holds"


Check = Callable[[], Iterator[Finding]]


def verify(stored: Stored) -> Report:
    """Run all checks on a directory. Reads every byte; allocates rows and indexes anew."""
    state = _State(stored)
    found: list[Finding] = []
    for check in (
        state.checksums, state.counts, state.types, state.rows, state.indexes, state.stores,
        state.edge_properties, state.leftovers,
    ):  # fmt: skip
        try:
            with warnings.catch_warnings():
                # Differing counts are a finding of their own.
                warnings.filterwarnings("ignore", "(?s).*the arrays are believed", RuntimeWarning)
                found += check()
        except FormatError as error:
            problem = f"expected {error.expected}, found {error.found}"
            found.append(Finding(error.path, error.field, error.offset, problem))
    return Report(list(dict.fromkeys(found)))


class _State:
    """A directory, its tables, and what its endpoints imply."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.nodes = NodeTable(stored)
        self.edges = EdgeTable(stored)
        self.native = stored.native is not None

    def _finding(self, path: Path, name: str, problem: str, at: int | None = None) -> Finding:
        return Finding(str(path), name, at, problem)

    def checksums(self) -> Iterator[Finding]:
        """Compare each listed file with its checksum."""
        for name, entry in (self.stored.native or {}).items():
            path = self.stored.path / name
            found = files.checksum([files.map_array(path, np.dtype("u1"))])
            if found != entry.crc32:
                yield self._finding(path, "crc32", f"expected {entry.crc32}, found {found}")

    def counts(self) -> Iterator[Finding]:
        """Compare the counts of the meta file and the manifest with the arrays."""
        stored, path = self.stored, self.stored.path / "disk_graph_meta.json"
        alive = int(np.count_nonzero(stored.slots["flags"] & 1))
        live = int(np.count_nonzero(stored.endpoints["source"] != TOMBSTONE))
        for name, stated, found in (
            ("node_count", stored.meta.node_count, alive),
            ("edge_count", stored.meta.edge_count, live),
        ):
            if stated != found:
                yield self._finding(path, name, f"is {stated}, but the arrays hold {found}")
        covered = max((segment.node_id_hi for segment in stored.manifest), default=None)
        if covered is not None and covered != stored.slots.size:
            problem = f"is {covered}, but there are {stored.slots.size} slots"
            yield self._finding(stored.path / "seg_manifest.json", "node_id_hi", problem)

    def types(self) -> Iterator[Finding]:
        """Compare node types and connection types with a scan of slots and endpoints."""
        self.edges.whole()
        slots, endpoints = self.stored.slots, self.stored.endpoints
        alive = slots["flags"] & 1 != 0
        path = self.stored.path / "type_indices.bin"
        for table in self.nodes.tables.values():
            want = np.flatnonzero(alive & (slots["node_type"] == np.uint64(table.hash)))
            if not np.array_equal(want, table.base_nodes):
                yield self._finding(path, f"nodes of {table.name}", "are not those of the slots")
            table.rows_of(slots, table.base_nodes)
        if sum(table.count for table in self.nodes.tables.values()) != np.count_nonzero(alive):
            yield self._finding(path, "node types", "do not cover all live slots")
        live = endpoints["source"] != TOMBSTONE
        path = self.stored.path / "metadata.json"
        for name, edge_table in self.edges.tables.items():
            value = np.uint64(edge_table.hash)
            found = int(np.count_nonzero(live & (endpoints["connection_type"] == value)))
            if found != edge_table.count:
                problem = f"is {edge_table.count}, but there are {found} edges"
                yield self._finding(path, f"edge_type_counts of {name}", problem)

    def rows(self) -> Iterator[Finding]:
        """Check the rows of a one-segment directory against the endpoints."""
        if len(self.stored.segments) != 1:
            return
        for side in SIDES:
            offsets, entries = self.stored.raw_rows(side)
            yield from self._row_findings(side, (offsets, entries))

    def _row_findings(self, side: str, rows: Rows) -> Iterator[Finding]:
        offsets, entries = rows
        folder, meta = self.stored.segments[0], self.stored.meta
        path = folder / f"{side}_offsets.bin"
        slots, edges = self.stored.slots.size, self.stored.endpoints.size
        if offsets.size == slots and not entries.size:
            return  # kglite writes one offset too few for a graph that never had an edge
        bad = checks.first_bad_offset(offsets, entries.shape[0])
        if bad >= 0 or offsets.size != slots + 1 or offsets[-1] != entries.shape[0]:
            yield self._finding(path, "offsets", f"do not ascend to {entries.shape[0]}", 8 * bad)
            return
        path = folder / f"{side}_edges.bin"
        live = entries[:, 1] != TOMBSTONE
        ends: I64 = offsets.view(np.int64)
        degrees = ends[1:] - ends[:-1]
        row_of = np.repeat(np.arange(slots), degrees)[live]
        kept = entries[live]
        if kept.size and (int(kept[:, 0].max()) >= slots or int(kept[:, 1].max()) >= edges):
            yield self._finding(path, "entries", f"name a node >= {slots} or an edge >= {edges}")
            return
        endpoints = self.stored.endpoints[kept[:, 1]]
        own, other = ("source", "target") if side == "out" else ("target", "source")
        wrong = (endpoints[own] != row_of) | (endpoints[other] != kept[:, 0])
        if wrong.any():
            at = 8 * int(np.flatnonzero(live)[np.argmax(wrong)])
            yield self._finding(path, "entry", "is not what the endpoints of its edge say", at)
        missing = meta.edge_count - np.unique(kept[:, 1]).size
        if missing and not (self.stored.path / "overflow_edges.bin.zst").exists():
            yield self._finding(path, "entries", f"{missing} live edges are in no row")
        types = endpoints["connection_type"]
        falls = (types[1:] < types[:-1]) & (row_of[1:] == row_of[:-1])
        if meta.csr_sorted_by_type and (falls.any() or not live.all()):
            what = (
                "rows are out of type order or hold tombstones: typed look-ups of kglite miss edges"
            )
            yield self._finding(path, "csr_sorted_by_type", what)

    def indexes(self) -> Iterator[Finding]:
        """Compare the connection-type index and the peer counts with the endpoints."""
        sources, targets, ranks, _ = self.edges.split()
        count, types = self.stored.slots.size, int(self.edges.hashes.size)
        index = build.type_index(count, sources, ranks, types)
        offsets, peers, counts = build.peer_counts(count, targets, ranks, types)
        pairs = np.stack([peers.astype(np.uint64), counts], 1).astype(np.uint32).reshape(-1)
        for stem, content, want in (
            ("conn_type_index", "sources", index),
            ("peer_count", "entries", (offsets, pairs)),
        ):
            yield from self._index_findings(stem, content, want)

    def _index_findings(self, stem: str, content: str, want: tuple[I64, U32]) -> Iterator[Finding]:
        for folder in self.stored.segments:
            path = folder / f"{stem}_types.bin"
            if not path.exists() or len(self.stored.segments) > 1:
                continue
            trio: tuple[U64, U64, U32] = self.stored.raw_index(stem, content)
            if not (
                np.array_equal(trio[0], self.edges.hashes)
                and np.array_equal(trio[1], want[0])
                and np.array_equal(trio[2], want[1])
            ):
                stale = "is not that of the edges: it was not kept up with a change"
                yield self._finding(path.with_name(f"{stem}_*.bin"), stem, stale)

    def stores(self) -> Iterator[Finding]:
        """Decode every column of every node type, and look every id up."""
        for table in self.nodes.tables.values():
            table.titles.read()
            for column in table.properties.values():
                column.read()
            yield from self._id_findings(table)

    def _id_findings(self, table: TypeTable) -> Iterator[Finding]:
        slots = self.stored.slots
        rows = table.rows_of(slots, table.base_nodes)
        keys = ids.split_keys(table.ids.read().take(rows))
        name = f"ids of {table.name}"
        row = keys.null_row()
        if row >= 0:
            problem = f"node {table.base_nodes[row]} has none"
            yield self._finding(self.stored.path, name, problem)
        known = np.setdiff1d(np.arange(keys.count), [row] if row >= 0 else [])
        found = table.find(keys, slots)
        other = found[known] != table.base_nodes[known]
        if other.any():
            node = table.base_nodes[known[np.argmax(other)]]
            problem = f"the id of node {node} leads to another node, or to none"
            yield self._finding(self.stored.path, name, problem)

    def edge_properties(self) -> Iterator[Finding]:
        """Walk every slot and decode every property."""
        stored = self.stored
        everything = np.arange(stored.endpoints.size, dtype=np.uint32)
        for key in stored.edge_properties.keys(everything).tolist():
            name = stored.names.name_of(key)
            if name is None:
                path = stored.edge_properties.path
                yield self._finding(path, "property key", f"{key:#018x} is the hash of no name")
            stored.edge_properties.read(everything, key)

    def leftovers(self) -> Iterator[Finding]:
        """Find an overflow file whose edges are in the rows already."""
        path = self.stored.path / "overflow_edges.bin.zst"
        if not path.exists() or len(self.stored.segments) != 1:
            return
        _, entries = self.stored.raw_rows("out")
        if np.count_nonzero(entries[:, 1] != TOMBSTONE) >= self.stored.meta.edge_count:
            problem = "its edges are in the rows as well: kglite shows them twice"
            yield self._finding(path, "overflow", problem)
