"""Write a graph: gather what a directory holds, and have it written."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nkgraph import build, ids, kernels
from nkgraph.dtypes import ENDPOINTS, U32, U64
from nkgraph.edges import EdgeTable
from nkgraph.errors import FormatError, LimitError, LockedError
from nkgraph.nodes import NodeTable, TypeTable
from nkgraph.storage import columns, files, generations
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn
from nkgraph.storage.kglite import edge_properties, writer
from nkgraph.storage.kglite.id_index_file import GeneralIds, IntegerIds
from nkgraph.storage.kglite.id_lookup import SortedIds
from nkgraph.storage.kglite.metadata import ConnectionType, GraphMeta
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.reader import OPAQUE

if TYPE_CHECKING:
    from nkgraph.graph import Graph

_TYPE_STRINGS = {
    "int64": "Int64",
    "float64": "Float64",
    "uniqueid": "UniqueId",
    "bool": "Boolean",
    "date": "DateTime",
    "text": "String",
}


def save_new(graph: "Graph", path: Path, layout: str | None) -> None:
    """Write ``graph`` to a path that holds nothing; nothing is left there on failure."""
    generations.check_free(path)
    if layout == "flat":
        _save_flat(graph, path)
        return
    existed = path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        with files.WriterLock(path):
            generations.create_root(path)
            save_generation(graph, path)
    except LockedError:
        raise  # what is there belongs to the other writer
    except BaseException:
        _remove(path, keep=existed)
        raise


def _save_flat(graph: "Graph", path: Path) -> None:
    contents = gather(graph)
    _refuse_timestamps(contents)
    existed = path.exists()
    beside = path.with_name(f".{path.name}.nkgraph-tmp")
    try:
        beside.mkdir(parents=True)
        writer.write(beside, contents, native=False)
        if existed:
            shutil.rmtree(path)  # holds nothing: see above
        beside.rename(path)
        files.fsync_directory(path.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        if existed:
            path.mkdir(exist_ok=True)
        raise


def _remove(path: Path, keep: bool) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if keep:
        path.mkdir(exist_ok=True)


def save_generation(graph: "Graph", root: Path) -> None:
    """Write ``graph`` as the next generation of ``root`` and publish it."""
    contents = gather(graph)
    temporary = generations.begin(root)
    try:
        previous = generations.current(root) if (root / generations.CURRENT).exists() else None
        writer.write(temporary, contents, native=True, previous=previous)
        generations.publish(root, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _refuse_timestamps(contents: writer.Contents) -> None:
    for store in contents.stores:
        for name, column in store.columns.items():
            if columns.has_timestamps(column):
                raise LimitError(
                    f"{store.name}.{name} holds timestamps, which kglite reads from 0.11.9 on and "
                    'the flat layout does not: store dates or texts, or leave out layout="flat"'
                )


# -- gathering --------------------------------------------------------------------------------


def gather(graph: "Graph") -> writer.Contents:
    """Collect everything that a directory of ``graph`` holds.

    Removed edges are left out and the others renumbered densely; node slots stay.
    """
    nodes, edges, rows = graph._nodes, graph._edges, graph._rows
    sources, targets, ranks, kept = edges.split()
    native = rows.files() if kept.size == edges.id_count else None
    if native is not None:
        built = {side: rows.rows(side) for side in ("out", "in")}
    else:
        count, types = nodes.slot_count, int(edges.hashes.size)
        built = {
            "out": build.typed_rows(count, sources, targets, ranks, types),
            "in": build.typed_rows(count, targets, sources, ranks, types),
        }
    endpoints = edges.endpoints
    if kept.size != endpoints.size:
        endpoints = np.empty(kept.size, ENDPOINTS)
        endpoints["source"], endpoints["target"] = sources, targets
        endpoints["connection_type"] = edges.hashes[ranks]
    stores = [_store(nodes, table) for table in nodes.tables.values() if table.row_count]
    node_types = {store.name: _type_strings(store.columns) for store in stores}
    connectivity = _connectivity(nodes, endpoints, edges)
    offsets, heap = _edge_properties(edges, kept)
    opened = graph._opened
    return writer.Contents(
        meta=_meta(nodes, endpoints, offsets, heap),
        names=graph._names,
        settings={} if opened is None else dict(opened.stored.metadata),
        node_types=node_types,
        connection_types=_connection_types(nodes, edges, connectivity),
        connectivity=[(*key, count) for key, count in connectivity.items()],
        edge_type_counts={name: table.count for name, table in edges.tables.items()},
        slots=nodes.slots,
        endpoints=endpoints,
        rows=built,
        index=rows.index(),
        peers=rows.peers(),
        edge_properties=(offsets, heap),
        stores=stores,
        type_nodes={table.hash: table.nodes for table in nodes.tables.values()},
        labels=graph.secondary_labels,
        opaque=[] if opened is None else [
            path for name in OPAQUE if (path := opened.stored.path / name).exists()
        ],
    )  # fmt: skip


def _meta(nodes: NodeTable, endpoints: np.ndarray, offsets: U64, heap: np.ndarray) -> GraphMeta:
    slots, edges = nodes.slot_count, int(endpoints.size)
    dead = np.flatnonzero(nodes.slots["flags"] & 1 == 0)
    return GraphMeta(
        node_count=nodes.live_count,
        node_slots_len=slots,
        edge_count=edges,
        next_edge_idx=edges,
        out_offsets_len=slots + 1,
        out_edges_len=edges,
        in_offsets_len=slots + 1,
        in_edges_len=edges,
        edge_endpoints_len=edges,
        free_node_slots=dead.tolist(),
        free_edge_slots=[],
        csr_sorted_by_type=True,
        has_tombstones=False,
        edge_properties_format=1,
        edge_properties_meta={"offsets_len": int(offsets.size), "heap_len": int(heap.size)},
        csr_layout_version=1,
        sealed_nodes_bound=slots,
    )


def _store(nodes: NodeTable, table: TypeTable) -> writer.StoreContents:
    """Columns of one type and what finds its ids."""
    column = _unique_ids(table.ids.read())
    properties = {name: table.properties[name].read() for name in sorted(table.properties)}
    lookup, index = _id_indexes(nodes, table, column)
    return writer.StoreContents(
        name=table.name,
        row_count=table.row_count,
        columns={writer.ID: column, writer.TITLE: table.titles.read(), **properties},
        id_index=index,
        lookup=lookup,
    )


def _id_indexes(
    nodes: NodeTable, table: TypeTable, column: AnyColumn
) -> tuple[SortedIds | None, IntegerIds | GeneralIds | None]:
    """Build the look-up file and the entry of ``id_indices.bin`` for the live nodes of a type.

    32-bit ids need no look-up file; nor do ids that are neither integers nor texts (those come
    from foreign graphs), which are looked up through their column.
    """
    live = table.nodes
    rows = table.rows_of(nodes.slots, live)
    live_ids = column if rows.size == len(column) else column.take(rows)
    keys = ids.split_keys(live_ids)
    if keys.null_row() >= 0:
        return None, None
    lookup, others = ids.build_sorted(keys, live)
    if isinstance(column, FixedColumn) and column.kind == "uniqueid":
        return None, IntegerIds(np.sort(column.data[rows]), lookup.int_nodes)
    index = GeneralIds(columns.to_values(live_ids), live)
    return (None if others else lookup), index


def _unique_ids(column: AnyColumn) -> AnyColumn:
    """Narrow integer ids to the format's 32-bit unique ids where all of them fit."""
    if not isinstance(column, FixedColumn) or column.kind != "int64" or column.valid is not None:
        return column
    data = column.data
    if data.size and (int(data.min()) < 0 or int(data.max()) > 0xFFFFFFFF):
        return column
    return FixedColumn("uniqueid", data.astype(np.uint32), None)


def _type_strings(table_columns: dict[str, AnyColumn]) -> dict[str, str]:
    return {
        name: type_string(column)
        for name, column in table_columns.items()
        if not name.startswith("__")
    }


def type_string(column: AnyColumn) -> str:
    """Return the format's word for what a column holds."""
    if isinstance(column, MixedColumn):
        return "Unknown"
    return _TYPE_STRINGS.get(column.kind, "Unknown")


Connectivity = dict[tuple[int, int, int], int]
"""(source type, connection type, target type), all hashes -> live edges."""


def _connectivity(nodes: NodeTable, endpoints: np.ndarray, edges: EdgeTable) -> Connectivity:
    type_hashes = np.array(sorted(table.hash for table in nodes.tables.values()), np.uint64)
    conn_hashes = edges.hashes
    if not endpoints.size:
        return {}
    codes = np.empty(nodes.slot_count, np.uint32)
    type_hashes.flags.writeable = False
    node = kernels.codes.code_slots(words_of(nodes.slots), type_hashes, codes)
    if node >= 0:
        found = hex(int(nodes.slots["node_type"][node]))
        raise FormatError("node_slots.bin", f"type of node {node}", 16 * node, "a node type", found)
    types, conns = type_hashes.size, conn_hashes.size
    if types * types * conns > 1 << 26:  # 512 MiB of counters: count by sorting instead
        return _sparse_connectivity(codes, endpoints, type_hashes, conn_hashes)
    counts = np.zeros((types, conns, types), np.int64)
    kernels.codes.count_connectivity(words_of(endpoints), codes, conn_hashes, counts)
    return {
        (int(type_hashes[s]), int(conn_hashes[c]), int(type_hashes[t])): int(counts[s, c, t])
        for s, c, t in zip(*np.nonzero(counts), strict=True)
    }


def _sparse_connectivity(
    codes: U32, endpoints: np.ndarray, type_hashes: U64, conn_hashes: U64
) -> Connectivity:
    conn = np.searchsorted(conn_hashes, endpoints["connection_type"]).astype(np.uint64)
    types, conns = np.uint64(type_hashes.size), np.uint64(conn_hashes.size)
    keys = codes[endpoints["source"]].astype(np.uint64) * conns + conn
    keys = keys * types + codes[endpoints["target"]]
    keys.sort()
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    counts = np.diff(np.concatenate([starts, [keys.size]]))
    result = {}
    for key, count in zip(keys[starts].tolist(), counts.tolist(), strict=True):
        rest, target = divmod(key, int(types))
        source, code = divmod(rest, int(conns))
        result[int(type_hashes[source]), int(conn_hashes[code]), int(type_hashes[target])] = count
    return result


def words_of(records: np.ndarray) -> U64:
    """View 16-byte records as read-only (n, 2) words, the form that kernels take."""
    words = records.view("<u8").reshape(-1, 2)
    words.flags.writeable = False
    return words


def _connection_types(
    nodes: NodeTable, edges: EdgeTable, connectivity: Connectivity
) -> dict[str, ConnectionType]:
    type_names = {table.hash: name for name, table in nodes.tables.items()}
    by_hash = {table.hash: name for name, table in edges.tables.items()}
    result = {name: ConnectionType() for name, table in edges.tables.items() if table.count}
    for source, conn, target in connectivity:
        entry = result[by_hash[conn]]
        for ends, value in ((entry.sources, source), (entry.targets, target)):
            if type_names[value] not in ends:
                ends.append(type_names[value])
    for name, entry in result.items():
        properties = edges.tables[name].properties
        entry.properties = {key: type_string(c.read()) for key, c in properties.items()}
    return result


def _edge_properties(edges: EdgeTable, kept: U32) -> tuple[U64, np.ndarray]:
    """Encode all edge properties under the new edge ids."""
    batches = []
    for table in edges.tables.values():
        properties = {fnv1a(name): column.read() for name, column in table.properties.items()}
        if properties:
            ids_now = table.edges
            new = ids_now if kept.size == edges.id_count else np.searchsorted(kept, ids_now)
            batches.append((new.astype(np.uint32), properties))
    return edge_properties.encode(int(kept.size), batches)
