"""Small tables about a whole graph that a directory carries: counts, types, what joins what."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import TOMBSTONE, U32, U64
from nkgraph.edges import ConnectionTable
from nkgraph.errors import FormatError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, MixedColumn
from nkgraph.storage.kglite import metadata
from nkgraph.storage.kglite.contents import LinkedSegment, SegmentContents
from nkgraph.storage.kglite.metadata import ConnectionType, GraphMeta

if TYPE_CHECKING:
    from nkgraph.graph import Graph

Segments = Sequence[SegmentContents | LinkedSegment]
Connectivity = dict[tuple[int, int, int], int]
"""(source type, connection type, target type), all hashes -> live edges."""
UNKNOWN = "Unknown"
_TYPE_STRINGS = {
    "int64": "Int64",
    "float64": "Float64",
    "uniqueid": "UniqueId",
    "bool": "Boolean",
    "date": "DateTime",
    "text": "String",
}
DENSE_COUNTERS = 1 << 26
"""Most counters of a dense table, 512 MiB; beyond that edges are counted by sorting."""


def graph_meta(graph: "Graph", segments: Segments) -> GraphMeta:
    """Fill in the meta file."""
    nodes, edges = graph._nodes, graph._edges
    first = segments[0]
    # A whole graph may be written without its removed edges; segments keep theirs.
    ids = edges.id_count
    if len(segments) == 1 and isinstance(first, SegmentContents):
        ids = int(first.endpoints.size)
    tombstones = ids > edges.live_count
    meta = GraphMeta(
        node_count=nodes.live_count,
        node_slots_len=nodes.slot_count,
        edge_count=edges.live_count,
        next_edge_idx=ids,
        out_offsets_len=0,
        out_edges_len=0,
        in_offsets_len=0,
        in_edges_len=0,
        edge_endpoints_len=0,
        free_node_slots=list(nodes.free),
        free_edge_slots=edges.removed_ids() if tombstones else [],
        csr_sorted_by_type=True,
        has_tombstones=tombstones,
        edge_properties_format=1,
        csr_layout_version=1,
        sealed_nodes_bound=nodes.slot_count,
    )
    lengths, properties = _first_lengths(graph, first)
    meta.edge_properties_meta = properties
    return replace(meta, **lengths)


def _first_lengths(
    graph: "Graph", first: SegmentContents | LinkedSegment
) -> tuple[dict[str, Any], dict[str, int]]:
    """Lengths of the arrays of the first segment, and of its edge properties, by key."""
    names = [f"{side}_{part}_len" for side in ("out", "in") for part in ("offsets", "edges")]
    if isinstance(first, LinkedSegment):
        assert graph._opened is not None
        old = graph._opened.stored.meta
        lengths = {name: getattr(old, name) for name in (*names, "edge_endpoints_len")}
        return lengths, dict(old.edge_properties_meta)
    sizes = [part.shape[0] for side in ("out", "in") for part in first.rows[side]]
    lengths = dict(zip(names, sizes, strict=True))
    lengths["edge_endpoints_len"] = int(first.endpoints.size)
    offsets, heap = first.edge_properties
    return lengths, {"offsets_len": int(offsets.size), "heap_len": int(heap.size)}


# -- types of properties ----------------------------------------------------------------------


def type_string(column: AnyColumn) -> str:
    """Return the format's word for what a column holds."""
    if isinstance(column, MixedColumn):
        return UNKNOWN
    return _TYPE_STRINGS.get(column.kind, UNKNOWN)


def _joined(known: str | None, column: AnyColumn) -> str:
    """The word for a column of which a part is known already."""
    if known is not None and columns.is_absent(column):
        return known
    found = type_string(column)
    if known in (None, found):
        return found
    return "Int64" if {known, found} == {"Int64", "UniqueId"} else UNKNOWN


def node_types(graph: "Graph", segments: Segments) -> metadata.NodeTypes:
    """Properties of each node type with the words for their types."""
    result: dict[str, dict[str, str]] = {}
    if any(isinstance(segment, LinkedSegment) for segment in segments):
        assert graph._opened is not None
        result = {name: dict(held) for name, held in graph._opened.stored.node_types.items()}
    for segment in segments:
        if isinstance(segment, SegmentContents):
            for store in segment.stores:
                known = result.setdefault(store.name, {})
                for name, column in store.columns.items():
                    if not name.startswith("__"):
                        known[name] = _joined(known.get(name), column)
    return result


def connection_types(
    graph: "Graph", joins: Connectivity, anew: bool, canonical: bool
) -> dict[str, ConnectionType]:
    """What each connection type joins, and its properties with the words for their types.

    The words of stored properties are taken over, unless all are to be found ``anew``. In a
    canonical graph properties without a value are left out.
    """
    type_names = {table.hash: name for name, table in graph._nodes.tables.items()}
    tables = {name: table for name, table in graph._edges.tables.items() if table.count}
    by_hash = {table.hash: name for name, table in tables.items()}
    result = {name: ConnectionType() for name in tables}
    for source, conn, target in joins:
        entry = result[by_hash[conn]]
        for ends, value in ((entry.sources, source), (entry.targets, target)):
            if type_names[value] not in ends:
                ends.append(type_names[value])
    for name, entry in result.items():
        entry.properties = _property_types(graph, tables[name], anew)
        if canonical:
            entry.properties = _with_values(tables[name], entry.properties)
    return result


def _with_values(table: ConnectionTable, words: dict[str, str]) -> dict[str, str]:
    """Leave out properties of which no live edge has a value; mixed columns may be such."""
    return {
        name: word
        for name, word in words.items()
        if word != UNKNOWN or not columns.is_absent(columns.canonical(table.read(name, None)))
    }


def _property_types(graph: "Graph", table: ConnectionTable, anew: bool) -> dict[str, str]:
    stored = None if graph._opened is None or anew else graph._opened.stored
    known: dict[str, str] = {}
    if stored is not None and stored.native is not None and not table.changed_segments():
        entry = stored.connection_types.get(table.name)
        known = {} if entry is None else entry.properties
    found = {}
    for name, column in table.properties.items():
        if name in known:
            found[name] = _joined(known[name], column.added())
        else:
            found[name] = type_string(columns.canonical(table.read(name, None)))
    return found


# -- what joins what --------------------------------------------------------------------------


def connectivity(graph: "Graph") -> Connectivity:
    """Count live edges by the types of their ends.

    Of an opened graph only what was added is counted, unless stored edges were removed.
    """
    records = graph._edges.records
    stored = None if graph._opened is None else graph._opened.stored
    if stored is None or stored.native is None or records.changed:
        return _counted(graph, graph._edges.checked_parts())
    result = dict(metadata.read_connectivity(stored.path))
    if records.added.size:
        for key, count in _counted(graph, [(0, records.added)]).items():
            result[key] = result.get(key, 0) + count
    return result


def _counted(graph: "Graph", parts: Iterable[tuple[int, np.ndarray]]) -> Connectivity:
    nodes, conns = graph._nodes, graph._edges.hashes
    types: U64 = np.array(sorted(table.hash for table in nodes.tables.values()), np.uint64)
    held = list(parts)
    total = sum(endpoints.size for _, endpoints in held)
    dense = types.size * types.size * conns.size <= DENSE_COUNTERS
    if not dense or total * 4 < nodes.slot_count:
        result: Connectivity = {}
        for _, endpoints in held:
            for key, count in _counted_by_sorting(graph, endpoints, types, conns).items():
                result[key] = result.get(key, 0) + count
        return result
    counts = np.zeros((types.size, conns.size, types.size), np.int64)
    codes = _type_codes(graph, types)
    for _, endpoints in held:
        kernels.codes.count_connectivity(words_of(endpoints), codes, conns, counts)
    return {
        (int(types[s]), int(conns[c]), int(types[t])): int(counts[s, c, t])
        for s, c, t in zip(*np.nonzero(counts), strict=True)
    }


def _type_codes(graph: "Graph", types: U64) -> U32:
    nodes = graph._nodes
    codes = np.empty(nodes.slot_count, np.uint32)
    for base, slots in nodes.slots.all_parts():
        part = codes[base : base + slots.size]
        node = kernels.codes.code_slots(words_of(slots), read_only(types), part)
        if node >= 0:
            field, found = f"type of node {base + node}", hex(int(slots["node_type"][node]))
            raise FormatError("node_slots.bin", field, 16 * node, "a node type", found)
    return read_only(codes)


def _counted_by_sorting(
    graph: "Graph", endpoints: np.ndarray, types: U64, conns: U64
) -> Connectivity:
    slots = graph._nodes.slots
    held = endpoints[endpoints["source"] != TOMBSTONE]
    keys = np.searchsorted(types, slots.field("node_type", held["source"])).astype(np.uint64)
    keys = keys * np.uint64(conns.size) + np.searchsorted(conns, held["connection_type"])
    ends = np.searchsorted(types, slots.field("node_type", held["target"])).astype(np.uint64)
    keys = np.sort(keys.astype(np.uint64) * np.uint64(types.size) + ends)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: keys.size])
    counts = np.diff(np.concatenate([starts, [keys.size]]))
    result = {}
    for key, count in zip(keys[starts].tolist(), counts.tolist(), strict=True):
        rest, target = divmod(key, int(types.size))
        source, code = divmod(rest, int(conns.size))
        result[int(types[source]), int(conns[code]), int(types[target])] = count
    return result


def words_of(records: np.ndarray) -> U64:
    """View 16-byte records as read-only (n, 2) words, the form that kernels take."""
    return read_only(records.view("<u8").reshape(-1, 2))
