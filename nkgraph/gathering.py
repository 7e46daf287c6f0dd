"""Collect what a segment holds: of a whole graph, of a stored segment as it is now, of the tail.

The *tail* is what was added to an opened graph: node slots and edge ids behind the stored ones,
and the rows of node columns that came with them.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nkgraph import build, ids
from nkgraph.adjacency import SIDES
from nkgraph.dtypes import ENDPOINTS, I64, NODE_SLOT, TOMBSTONE, U32, U64
from nkgraph.edges import ConnectionTable
from nkgraph.errors import GraphError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, FixedColumn
from nkgraph.storage.growing import GrowingColumn
from nkgraph.storage.kglite import edge_properties
from nkgraph.storage.kglite.contents import ID, TITLE, SegmentContents, StoreContents
from nkgraph.storage.kglite.id_index_file import GeneralIds, IntegerIds
from nkgraph.storage.kglite.id_lookup import SortedIds
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.node_columns import RESERVED
from nkgraph.storage.kglite.property_ranges import Pair, Summary, of_column
from nkgraph.storage.kglite.segment import Segment
from nkgraph.type_table import TypeTable

if TYPE_CHECKING:
    from nkgraph.graph import Graph

Batch = tuple[U32, Callable[[str], AnyColumn], list[str]]
"""Edge ids, what gives a column of their properties, and the names of those."""


# -- a whole graph ----------------------------------------------------------------------------


def whole_segment(graph: "Graph", canonical: bool) -> SegmentContents:
    """Collect a graph as one segment without removed edges and unused rows.

    Node ids stay. Edge ids are dense: in their order, or in a canonical graph by (source,
    connection type, id), so that they do not depend on when edges were sealed. Rows of node
    columns are numbered by node id. Allocates about 80 bytes an edge, and what changed of columns.
    """
    edges = graph._edges
    count, hashes = graph._nodes.slot_count, edges.hashes
    sources, targets, ranks, kept = edges.split()
    types = int(hashes.size)
    if not canonical and kept.size == edges.id_count and graph._adjacency.only is not None:
        built = {side: graph._adjacency.rows(side) for side in SIDES}
    else:
        offsets, entries = build.typed_rows(count, sources, targets, ranks, types)
        if canonical:
            order = entries[:, 1].copy()
            sources, targets, ranks = sources[order], targets[order], ranks[order]
            kept = kept[order]
            entries[:, 1] = np.arange(kept.size, dtype=np.uint32)
        in_rows = build.typed_rows(count, targets, sources, ranks, types)
        built = {"out": (offsets, entries), "in": in_rows}
    endpoints = np.empty(kept.size, ENDPOINTS)
    endpoints["source"], endpoints["target"] = sources, targets
    endpoints["connection_type"] = hashes[ranks]
    new_ids = np.empty(edges.id_count, np.uint32)
    new_ids[kept] = np.arange(kept.size, dtype=np.uint32)
    batches = [
        (new_ids[table.edges], partial(table.read, edges=None), table.names)
        for table in edges.tables.values()
        if table.count
    ]
    slots, stores = _dense_stores(graph, canonical)
    return SegmentContents(
        first_node=0,
        slots=slots,
        endpoints=endpoints,
        rows=built,
        index=(hashes, *build.type_index(count, sources, ranks, types)),
        peers=(hashes, *build.peer_counts(count, targets, ranks, types)),
        edge_properties=_edge_properties(kept.size, batches),
        stores=stores,
        type_nodes={t.hash: t.nodes for t in graph._nodes.tables.values() if t.count},
        ranges=_ranges(stores),
    )


def _dense_stores(graph: "Graph", canonical: bool) -> tuple[np.ndarray, list[StoreContents]]:
    """Columns of all types with a row for each live node, and the slots that name these rows.

    A canonical graph has no columns without a value: whether they were dropped before depends on
    when rows were sealed.
    """
    nodes = graph._nodes
    slots = np.zeros(nodes.slot_count, NODE_SLOT)
    stores = []
    for table in nodes.tables.values():
        live = table.nodes
        if not live.size:
            continue
        rows = table.rows_of(nodes.slots, live)
        same = rows.size == table.row_count and bool((np.diff(rows) == 1).all())
        slots["node_type"][live] = table.hash
        slots["row_id"][live] = np.arange(live.size)
        slots["flags"][live] = 1
        held = _held(table)
        found = {
            name: column.read() if same else column.take(rows)
            for name, column in sorted(held.items())
        }
        store = _store(table, found, live, table.ids.take(rows))
        if canonical:
            store.columns = {
                name: column
                for name, column in store.columns.items()
                if name in (ID, TITLE) or not columns.is_absent(column)
            }
        stores.append(store)
    return slots, stores


# -- a stored segment -------------------------------------------------------------------------


def stored_segment(graph: "Graph", number: int) -> SegmentContents:
    """Collect a stored segment as it is now; what did not change is given as it lies."""
    nodes, edges = graph._nodes, graph._edges
    rows, segment = graph._adjacency.part(number), graph._adjacency.stored[number].segment
    changed = number in edges.records.changed or any(
        number in table.changed_segments() for table in edges.tables.values()
    )
    held, stores = segment.edge_properties, _part_stores(graph, number, segment)
    return SegmentContents(
        first_node=segment.first_node,
        slots=nodes.slots.parts[number],
        endpoints=edges.records.parts[number],
        rows={side: rows.rows(side) for side in SIDES},
        index=rows.index(),
        peers=rows.peers(),
        edge_properties=(
            _edge_properties(segment.endpoints.size, _part_batches(graph, number, segment))
            if changed
            else (held.offsets, held.heap)
        ),
        stores=stores,
        type_nodes=_nodes_between(graph, segment.first_node, segment.last_node),
        ranges=_ranges(stores),
    )


def _part_batches(graph: "Graph", number: int, segment: Segment) -> list[Batch]:
    batches: list[Batch] = []
    for table in graph._edges.tables.values():
        if not table.base_count:
            continue
        part = table.base_parts[number]
        live = np.flatnonzero(graph._edges.records.field("source", part) != TOMBSTONE)
        take = partial(_take_part, table, number, live)
        batches.append((part[live] - np.uint32(segment.first_edge), take, table.names))
    return batches


def _take_part(table: ConnectionTable, number: int, rows: I64, name: str) -> AnyColumn:
    column = table.properties[name]
    return column.stored[number].take(rows)


def _part_stores(graph: "Graph", number: int, segment: Segment) -> list[StoreContents]:
    stores = []
    for table in graph._nodes.tables.values():
        rows = table.segment_rows[number] if table.segment_rows else 0
        held = _held(table)
        parts = {name: column.stored[number] for name, column in held.items()} if rows else {}
        found = {
            name: parts[name].read()
            for name in sorted(parts)
            # A property that came later is absent here, and stays away.
            if parts[name].load is not None or not columns.is_absent(parts[name].read())
        }
        nodes = _between(table.nodes, segment.first_node, segment.last_node)
        if rows or nodes.size:
            stores.append(_store(table, found, nodes, _ids(graph, table, nodes)))
    return stores


def _ids(graph: "Graph", table: TypeTable, nodes: U32) -> AnyColumn:
    return table.ids.take(table.rows_of(graph._nodes.slots, nodes))


def _between(nodes: U32, first: int, stop: int) -> U32:
    low, high = np.searchsorted(nodes, np.array([first, stop], np.uint64))
    return nodes[low:high]


def _nodes_between(graph: "Graph", first: int, stop: int) -> dict[int, U32]:
    found = {t.hash: _between(t.nodes, first, stop) for t in graph._nodes.tables.values()}
    return {value: nodes for value, nodes in found.items() if nodes.size}


# -- the tail ---------------------------------------------------------------------------------


def has_tail(graph: "Graph") -> bool:
    """Whether nodes or edges were added."""
    rows = any(table.row_count > table.base_rows for table in graph._nodes.tables.values())
    return rows or graph._edges.records.added.size > 0


def tail_segment(graph: "Graph") -> SegmentContents:
    """Collect the tail: segment-local if no edge of it leaves the new nodes, else full-range."""
    nodes, edges = graph._nodes, graph._edges
    first, stop = nodes.slots.stored_size, nodes.slot_count
    rows = graph._adjacency.part(len(edges.records.parts))
    stores = _tail_stores(graph, first, stop)
    return SegmentContents(
        first_node=first,
        slots=nodes.slots.added,
        endpoints=edges.records.added,
        rows={side: rows.rows(side) for side in SIDES},
        index=rows.index(),
        peers=rows.peers(),
        edge_properties=_edge_properties(edges.records.added.size, _tail_batches(graph)),
        stores=stores,
        type_nodes=_nodes_between(graph, first, stop),
        ranges=_ranges(stores),
    )


def _tail_batches(graph: "Graph") -> list[Batch]:
    records = graph._edges.records
    batches: list[Batch] = []
    for table in graph._edges.tables.values():
        if not table.added_count or not table.properties:
            continue
        added = table.added
        live = np.flatnonzero(records.field("source", added) != TOMBSTONE)
        take = partial(_take_added, table, live)
        batches.append((added[live] - np.uint32(records.stored_size), take, table.names))
    return batches


def _take_added(table: ConnectionTable, rows: I64, name: str) -> AnyColumn:
    return table.properties[name].added().take(rows)


def _tail_stores(graph: "Graph", first: int, stop: int) -> list[StoreContents]:
    stores = []
    for table in graph._nodes.tables.values():
        nodes = _between(table.nodes, first, stop)
        if table.row_count > table.base_rows:
            held = _held(table)
            found = {name: column.added() for name, column in sorted(held.items())}
            known = set(table.stored_names())
            found = {
                name: column
                for name, column in found.items()
                if name not in known or not columns.is_absent(column)
            }
            stores.append(_store(table, found, nodes, _ids(graph, table, nodes)))
    return stores


# -- parts of each ----------------------------------------------------------------------------


def _held(table: TypeTable) -> dict[str, GrowingColumn]:
    """Return ids, titles and properties of a type by the names of their stored columns.

    Raises
    ------
    GraphError
        A property has the name of a column that means something else: it would take its place.
    """
    for name in RESERVED:
        if name in table.properties:
            raise GraphError(f"{table.name} has a property {name!r}, which names no column on disk")
    return {ID: table.ids, TITLE: table.titles, **table.properties}


def _store(
    table: TypeTable, held: dict[str, AnyColumn], nodes: U32, node_ids: AnyColumn
) -> StoreContents:
    """Make a store of columns, and what finds nodes by their ids."""
    held = {name: columns.canonical(column) for name, column in held.items()}
    if ID in held:
        held[ID] = _unique_ids(held[ID])
    lookup, index = _id_indexes(nodes, columns.canonical(node_ids))
    row_count = len(next(iter(held.values()))) if held else 0
    return StoreContents(table.name, row_count, held, index, lookup)


def _ranges(stores: list[StoreContents]) -> dict[Pair, Summary]:
    """What the values of each property lie in, where that can rule something out."""
    found = {
        (fnv1a(store.name), fnv1a(name)): of_column(column)
        for store in stores
        for name, column in store.columns.items()
        if name not in (ID, TITLE)
    }
    return {pair: summary for pair, summary in found.items() if summary is not None}


def _id_indexes(
    nodes: U32, found: AnyColumn
) -> tuple[SortedIds | None, IntegerIds | GeneralIds | None]:
    """Build the look-up file and the entry of ``id_indices.bin`` for nodes of a type.

    32-bit ids need no look-up file; nor do ids that are neither integers nor texts (those come
    from foreign graphs), which are looked up through their column. The entry is a map, which has
    no room for an id that two nodes of a foreign graph have: such a type has none.
    """
    keys = ids.split_keys(found)
    if keys.null_row() >= 0 or not nodes.size:
        return None, None
    lookup, others = ids.build_sorted(keys, nodes)
    repeated = len(others) < len(keys.others) or any(
        bool((part[1:] == part[:-1]).any()) for part in (lookup.int_keys, lookup.text_hashes)
    )
    narrow = _unique_ids(found)
    if isinstance(narrow, FixedColumn) and narrow.kind == "uniqueid":
        return None, None if repeated else IntegerIds(np.sort(narrow.data), lookup.int_nodes)
    index = None if repeated else GeneralIds(columns.to_values(found), nodes)
    return (None if others else lookup), index


def _unique_ids(column: AnyColumn) -> AnyColumn:
    """Narrow integer ids to the format's 32-bit unique ids where all of them fit."""
    if not isinstance(column, FixedColumn) or column.kind != "int64" or column.valid is not None:
        return column
    data = column.data
    if data.size and (int(data.min()) < 0 or int(data.max()) > 0xFFFFFFFF):
        return column
    return FixedColumn("uniqueid", data.astype(np.uint32), None)


def _edge_properties(count: int, batches: Iterable[Batch]) -> tuple[U64, np.ndarray]:
    """Encode properties of ``count`` edges; a batch is edge ids, and what gives a column."""
    work = [
        (edges, {fnv1a(name): take(name) for name in names})
        for edges, take, names in batches
        if edges.size and names
    ]
    return edge_properties.encode(count, work)
