"""Check every rule of an opened directory, and say what does not hold.

A native directory is compared with its checksums and with what its endpoints and slots imply.
In a foreign one, what kglite leaves behind is found too: indexes that were not kept up, rows out
of type order (typed look-ups then miss edges), edges listed twice.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from nkgraph import build, ids
from nkgraph.adjacency import SIDES
from nkgraph.dtypes import I64, TOMBSTONE, U32, U64, Bool
from nkgraph.edges import EdgeTable, check_ends
from nkgraph.errors import FormatError
from nkgraph.indexing import is_current
from nkgraph.nodes import NodeTable, TypeTable
from nkgraph.storage import checks, files
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.kglite import text_index_files
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.property_ranges import NumericRange, TextSet, of_column
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.kglite.segment import Rows, Segment
from nkgraph.storage.kglite.text_index_files import Listed, Pair
from nkgraph.text_columns import TextColumns


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
    checks: list[Check] = [
        state.checksums, state.counts, state.types, state.rows, state.indexes,
        state.edge_properties, state.leftovers, state.joined,
    ]  # fmt: skip
    for check in checks:
        found += _guarded(check)
    tables: list[Check] = []
    found += _guarded(lambda: state.list_tables(tables))
    found += _guarded(lambda: state.list_text_indexes(tables))
    for check in tables:  # one by one: damage to the columns of a type says nothing of others
        found += _guarded(check)
    return Report(list(dict.fromkeys(found)))


def _guarded(check: Check) -> Iterator[Finding]:
    """Run a check; what cannot even be read is a finding too."""
    try:
        with warnings.catch_warnings():
            # Differing counts are a finding of their own.
            warnings.filterwarnings("ignore", "(?s).*the arrays are believed", RuntimeWarning)
            yield from check()
    except FormatError as error:
        problem = f"expected {error.expected}, found {error.found}"
        yield Finding(error.path, error.field, error.offset, problem)


def _live_count(segment: Segment) -> int:
    return int(np.count_nonzero(segment.endpoints["source"] != TOMBSTONE))


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
        alive = sum(int(np.count_nonzero(s.slots["flags"] & 1)) for s in stored.segments)
        live = sum(_live_count(segment) for segment in stored.segments)
        for name, stated, found in (
            ("node_count", stored.meta.node_count, alive),
            ("edge_count", stored.meta.edge_count, live),
        ):
            if stated != found:
                yield self._finding(path, name, f"is {stated}, but the arrays hold {found}")
        covered = max((segment.node_id_hi for segment in stored.manifest), default=None)
        if covered is not None and covered != stored.slot_count:
            problem = f"is {covered}, but there are {stored.slot_count} slots"
            yield self._finding(stored.path / "seg_manifest.json", "node_id_hi", problem)

    def types(self) -> Iterator[Finding]:
        """Compare node types and connection types with a scan of slots and endpoints."""
        self.edges.checked_parts()
        slots, endpoints = self.nodes.slots.whole(), self.edges.records.whole()
        alive = slots["flags"] & 1 != 0
        path = self.stored.path / "type_indices.bin"
        for table in self.nodes.tables.values():
            want = np.flatnonzero(alive & (slots["node_type"] == np.uint64(table.hash)))
            if not np.array_equal(want, table.base_nodes):
                yield self._finding(path, f"nodes of {table.name}", "are not those of the slots")
            table.rows_of(self.nodes.slots, table.base_nodes)
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
        """Check the rows of each segment against its endpoints."""
        for segment in self.stored.segments:
            for side in SIDES:
                yield from self._row_findings(segment, side, segment.rows(side))

    def _row_findings(self, segment: Segment, side: str, rows: Rows) -> Iterator[Finding]:
        offsets, entries = rows
        path = segment.folder / f"{side}_offsets.bin"
        nodes, edges = self.stored.slot_count, int(segment.endpoints.size)
        count = segment.last_node - segment.first_row
        if offsets.size == count and not entries.size:
            return  # kglite writes one offset too few for a graph that never had an edge
        if offsets.size != count + 1 or not _is_whole(offsets, entries):
            problem = f"do not ascend from 0 to {entries.shape[0]}"
            bad = checks.first_bad_offset(offsets, entries.shape[0])
            yield self._finding(path, "offsets", problem, 8 * max(bad, 0))
            return
        path = segment.folder / f"{side}_edges.bin"
        live = entries[:, 1] != TOMBSTONE
        ends: I64 = offsets.view(np.int64)
        row_of = np.repeat(np.arange(count) + segment.first_row, ends[1:] - ends[:-1])[live]
        kept = entries[live]
        if kept.size and (int(kept[:, 0].max()) >= nodes or int(kept[:, 1].max()) >= edges):
            yield self._finding(path, "entries", f"name a node >= {nodes} or an edge >= {edges}")
            return
        endpoints = segment.endpoints[kept[:, 1]]
        own, other = ("source", "target") if side == "out" else ("target", "source")
        wrong = (endpoints[own] != row_of) | (endpoints[other] != kept[:, 0])
        if wrong.any():
            at = 8 * int(np.flatnonzero(live)[np.argmax(wrong)])
            yield self._finding(path, "entry", "is not what the endpoints of its edge say", at)
        listed = np.zeros(edges, bool)
        listed[kept[:, 1]] = True
        missing = _live_count(segment) - int(np.count_nonzero(listed))
        if missing and not (self.stored.path / "overflow_edges.bin.zst").exists():
            yield self._finding(path, "entries", f"{missing} live edges are in no row")
        if kept.shape[0] > np.count_nonzero(listed):
            yield self._finding(path, "entries", "an edge is listed twice")
        yield from self._order_findings(path, endpoints["connection_type"], row_of, kept, live)

    def _order_findings(
        self, path: Path, types: U64, row_of: I64, kept: U32, live: Bool
    ) -> Iterator[Finding]:
        same = row_of[1:] == row_of[:-1]
        falls = (types[1:] < types[:-1]) & same
        if self.native:
            falls |= (types[1:] == types[:-1]) & same & (kept[1:, 1] <= kept[:-1, 1])
        if self.stored.meta.csr_sorted_by_type and (falls.any() or not live.all()):
            what = (
                "rows are out of type order or hold tombstones: typed look-ups of kglite miss edges"
            )
            yield self._finding(path, "csr_sorted_by_type", what)

    def indexes(self) -> Iterator[Finding]:
        """Compare connection-type indexes and peer counts with the endpoints of the segments."""
        for segment in self.stored.segments:
            check_ends(segment, segment.first_row, segment.last_node)
            endpoints = segment.endpoints
            live = endpoints["source"] != TOMBSTONE
            hashes = np.sort(np.array([*set(endpoints["connection_type"][live].tolist())], "<u8"))
            sources, targets, ranks, _, _ = build.split_endpoints(endpoints, hashes)
            first, stop, types = segment.first_row, segment.last_node, int(hashes.size)
            index = build.type_index(stop - first, sources - np.uint32(first), ranks, types)
            offsets, peers, counts = build.peer_counts(stop, targets, ranks, types)
            pairs = np.stack([peers.astype(np.uint64), counts], 1).astype(np.uint32).reshape(-1)
            for stem, content, want in (
                ("conn_type_index", "sources", index),
                ("peer_count", "entries", (offsets, pairs)),
            ):
                yield from self._index_findings(segment, stem, content, hashes, want)

    def _index_findings(
        self, segment: Segment, stem: str, content: str, hashes: U64, want: tuple[I64, U32]
    ) -> Iterator[Finding]:
        needed = self.native and want[1].size > 0
        if not needed and not (segment.folder / f"{stem}_types.bin").exists():
            return
        trio = segment.index(stem, content)
        if not (
            np.array_equal(trio[0], hashes)
            and np.array_equal(trio[1], want[0])
            and np.array_equal(trio[2], want[1])
        ):
            stale = "is not that of the edges: it was not kept up with a change"
            yield self._finding(segment.folder / f"{stem}_*.bin", stem, stale)

    def list_tables(self, checks: list[Check]) -> Iterator[Finding]:
        """Add a check for each node type."""
        checks += [partial(self._store_findings, table) for table in self.nodes.tables.values()]
        return iter(())

    def list_text_indexes(self, checks: list[Check]) -> Iterator[Finding]:
        """Add a check for each part of a text index; find files that belong to none."""
        entries = self.stored.native or {}
        listed = text_index_files.read_list(self.stored.path, entries, len(self.stored.segments))
        known = {text_index_files.LIST}
        for pair, parts in listed.items():
            checks += [partial(self._text_index_findings, pair, part) for part in parts]
            known |= {name for p in parts for name in text_index_files.file_names(p.stem).values()}
        for name in sorted(filter(text_index_files.is_index_file, entries)):
            if name not in known:
                yield self._finding(self.stored.path / name, "file", "belongs to no text index")

    def _text_index_findings(self, pair: Pair, part: Listed) -> Iterator[Finding]:
        """Compare a part with what sorting the texts of its rows gives."""
        path, held = self.stored.path, TextColumns(self.nodes, self.stored)
        name = f"text index of {pair[1]} of {pair[0] or 'all types'}, segment {part.segment}"
        sources = held.sources(pair)
        ranges = held.part_ranges(sources, part.segment)
        now = {n: (sources[n].kind, stop - start) for n, (start, stop) in ranges.items()}
        stated = all(now.get(n, source) == source for n, source in part.sources.items())
        if not stated or not is_current(self.stored, part):
            problem = "is stale: it was taken from other columns, and is not believed"
            yield self._finding(path / text_index_files.LIST, name, problem)
            return
        entries = text_index_files.read(path, part, self.stored.slot_count)
        files_of = text_index_files.file_names(part.stem)
        at = entries.first_out_of_order()
        if at >= 0:
            problem = f"entry {at} is not above the one before by (key, node)"
            yield self._finding(path / files_of["ids"], name, problem, 4 * at)
            return
        want = held.entries(pair[1], sources, ranges)
        if pair[0] is None:
            want = want.without_empty()
        found = entries.keep(held.valid(entries.nodes, ranges, {}))
        if not found.equals(want):
            problem = "has other texts or nodes than the column: look-ups answer wrongly"
            yield self._finding(path / files_of["keys"], name, problem)

    def _store_findings(self, table: TypeTable) -> Iterator[Finding]:
        """Decode every column of a node type, and look every id up."""
        table.titles.read()
        for name, column in table.properties.items():
            column.read()
            for number, part in enumerate(column.stored):
                yield from self._range_findings(table, name, number, part.read())
        yield from self._id_findings(table)

    def _range_findings(
        self, table: TypeTable, name: str, number: int, column: AnyColumn
    ) -> Iterator[Finding]:
        """What a segment states of its values must cover them, or filters would skip some."""
        stated, own = table.ranges(number).get((table.hash, fnv1a(name))), of_column(column)
        outside = False
        if isinstance(stated, NumericRange) and isinstance(own, NumericRange):
            outside = own.low < stated.low or own.high > stated.high
        elif isinstance(stated, TextSet) and isinstance(own, TextSet):
            outside = not np.isin(own.hashes, stated.hashes).all()
        if outside:
            path = self.stored.path / "seg_manifest.json"
            field_name = f"segments[{number}].indexed_prop_ranges of {table.name}.{name}"
            yield self._finding(path, field_name, "does not cover the values: filters miss nodes")

    def _id_findings(self, table: TypeTable) -> Iterator[Finding]:
        slots = self.nodes.slots
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
        everything = np.arange(stored.edge_id_count, dtype=np.uint32)
        for key in stored.edge_properties.keys(everything).tolist():
            name = stored.names.name_of(key)
            if name is None:
                path = stored.edge_properties.path
                yield self._finding(path, "property key", f"{key:#018x} is the hash of no name")
            stored.edge_properties.read(everything, key)

    def leftovers(self) -> Iterator[Finding]:
        """Find an overflow file whose edges are in the rows already."""
        path = self.stored.path / "overflow_edges.bin.zst"
        if not path.exists():
            return
        entries = [segment.rows("out")[1] for segment in self.stored.segments]
        listed = sum(int(np.count_nonzero(part[:, 1] != TOMBSTONE)) for part in entries)
        if listed >= sum(_live_count(segment) for segment in self.stored.segments):
            problem = "its edges are in the rows as well: kglite shows them twice"
            yield self._finding(path, "overflow", problem)

    def joined(self) -> Iterator[Finding]:
        """Find what kglite makes wrong when it joins the segments of a foreign directory."""
        segments = self.stored.segments
        if self.native or len(segments) == 1:
            return
        if not all(_is_whole(*segment.rows(side)) for segment in segments for side in SIDES):
            return  # a finding of its own
        meta = self.stored.path / "disk_graph_meta.json"
        for side in SIDES:
            rows, types = (np.concatenate(parts) for parts in zip(
                *(_typed_rows(segment, side) for segment in segments), strict=True
            ))  # fmt: skip
            order = np.argsort(rows, kind="stable")
            rows, types = rows[order], types[order]
            broken = rows[1:][(types[1:] < types[:-1]) & (rows[1:] == rows[:-1])]
            if self.stored.meta.csr_sorted_by_type and broken.size:
                what = (
                    f"{np.unique(broken).size} {side} rows fall in type order where segments meet: "
                    "typed look-ups of kglite miss edges"
                )
                yield self._finding(meta, "csr_sorted_by_type", what)
        known: set[tuple[int, int]] = set()
        twice = 0
        for segment in segments:
            rows, types = _typed_rows(segment, "out")
            pairs = set(zip(types.tolist(), rows.tolist(), strict=True))
            twice += len(known & pairs)
            known |= pairs
        if twice:
            what = f"{twice} sources stand in two segments: kglite gives their edges twice"
            yield self._finding(meta.with_name("seg_*"), "conn_type_index", what)


def _is_whole(offsets: U64, entries: U32) -> bool:
    """Whether offsets lead through all entries."""
    if not offsets.size:
        return not entries.size
    count = entries.shape[0]
    ends = int(offsets[0]), int(offsets[-1])
    return ends == (0, count) and checks.first_bad_offset(offsets, count) < 0


def _typed_rows(segment: Segment, side: str) -> tuple[I64, U64]:
    """Row and connection type of each live entry of a segment."""
    offsets, entries = segment.rows(side)
    ends: I64 = offsets.astype(np.int64)
    rows = np.repeat(np.arange(ends.size - 1) + segment.first_row, np.diff(ends))
    live = entries[:, 1] < segment.endpoints.size
    return rows[live], segment.endpoints["connection_type"][entries[live, 1]]
