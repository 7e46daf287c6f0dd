"""Graphs to the formats of stores: native, kglite's flat one, RedDB dumps, SparrowDB nodes."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from nkgraph.errors import GraphError
from nkgraph.exporting import Contents, Edges, Losses, Nodes, present, without
from nkgraph.printing import printed
from nkgraph.storage import columns, files
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.sparrowdb import NodeStore, catalog, wal
from nkgraph.storage.sparrowdb.encoding import INT_LIMIT, MAX_LENGTH
from nkgraph.storage.sparrowdb.names import column_ids

if TYPE_CHECKING:
    from nkgraph.graph import Graph

EXTERNAL_ID: Final = "external_id"
"""Property of a SparrowDB node that keeps an id which is not the engine's."""


def write_native(contents: Contents, folder: Path, losses: Losses) -> None:
    """Write a native directory, which holds all of a graph."""
    contents.graph.save(folder)


# -- kglite -----------------------------------------------------------------------------------


def write_flat(contents: Contents, folder: Path, losses: Losses) -> None:
    """Write kglite's flat layout; what has timestamps is copied without them."""
    held = _with_timestamps(contents)
    if not held:
        contents.graph.save(folder, layout="flat")
        return
    for name in held:
        losses.add(f"{name}: timestamps, which kglite reads from 0.11.9 on")
    contents.note_labels(losses)
    without_timestamps(contents, held).save(folder, layout="flat")


def _with_timestamps(contents: Contents) -> list[str]:
    found = []
    owners: list[Nodes | Edges] = [*contents.nodes(), *contents.edges()]
    for owner in owners:
        for name, column in owner.properties().items():
            if columns.has_timestamps(column):
                found.append(f"{owner.name}.{name}")
    return found


def without_timestamps(contents: Contents, left_out: list[str]) -> "Graph":
    """Copy a graph without some properties, each ``type.name``; further labels stay behind."""
    from nkgraph.graph import Graph

    copy = Graph()
    numbers = np.zeros(contents.graph._nodes.slot_count, np.uint32)
    for table in contents.nodes():
        held = _kept(table.name, table.properties(), left_out)
        titles = table.titles if table.has_titles() else None
        numbers[table.nodes] = copy.add_nodes(table.name, table.ids, held, titles)
    for edges in contents.edges():
        held = _kept(edges.name, edges.properties(), left_out)
        copy.add_edges(edges.name, numbers[edges.sources], numbers[edges.targets], held)
    return copy


def _kept(owner: str, held: dict[str, AnyColumn], left_out: list[str]) -> dict[str, AnyColumn]:
    return {name: column for name, column in held.items() if f"{owner}.{name}" not in left_out}


# -- RedDB ------------------------------------------------------------------------------------


def write_dump(contents: Contents, path: Path, losses: Losses) -> None:
    """Write a dump of version 10."""
    from nkgraph.storage import reddb

    contents.note_labels(losses)
    for edges in contents.edges():
        if "weight" not in edges.properties():
            losses.add(f"{edges.name}: edges without a weight, they get one of 1.0")
    store = reddb.from_graph(contents.graph)
    for remark in store.remarks:
        losses.add(f"{remark.field}: {remark.problem}")
    reddb.save(store, path)


# -- SparrowDB --------------------------------------------------------------------------------


def write_sparrow(contents: Contents, folder: Path, losses: Losses) -> None:
    """Write a database of nodes: catalog, columns, and a log that names them.

    ``formats/sparrowdb.md`` section 8.5: the log only creates nodes that are there already, so no
    engine changes anything when it replays it.
    """
    tables = list(contents.nodes())
    contents.note_labels(losses)
    contents.note_titles(losses)
    if contents.graph.edge_count:
        losses.add(f"edges: {', '.join(contents.connection_types)}")
    names: dict[int, list[str]] = {}
    with NodeStore.open(folder, "r+", sync=False) as store:
        for label, table in enumerate(tables):
            held: dict[str, AnyColumn] = {}
            for name, column in {**table.properties(), **_external_ids(table, label)}.items():
                fitting = _fitting(column, f"{table.name}.{name}", losses)
                if fitting is not None and not columns.is_absent(fitting):
                    held[name] = fitting
            numbers = column_ids(held)
            given = {numbers[name]: _values(column) for name, column in held.items()}
            store.write_nodes(label, np.arange(table.nodes.size), given)
            names[label] = list(held)
            if EXTERNAL_ID in names[label] and EXTERNAL_ID not in table.properties():
                losses.add(f"ids of {table.name}: kept as property {EXTERNAL_ID!r}")
        column_ids(dict.fromkeys(name for held_names in names.values() for name in held_names))
        store.flush_hwms()
    (folder / wal.FOLDER).mkdir()
    files.write_file(folder / wal.FOLDER / wal.SEGMENT, [wal.encode_names(names)])
    files.write_file(folder / catalog.NAME, [catalog.encode([table.name for table in tables])])
    files.sync_files(path for path in folder.rglob("*") if path.is_file())


def _external_ids(table: Nodes, label: int) -> dict[str, AnyColumn]:
    """Ids that are not the engine's own, label << 32 | slot, go into a property."""
    own = np.arange(table.nodes.size) + (label << 32)
    ids = table.ids
    if isinstance(ids, FixedColumn) and ids.kind == "int64" and np.array_equal(ids.data, own):
        return {}
    if EXTERNAL_ID in table.properties():
        raise GraphError(f"{table.name} has a property {EXTERNAL_ID!r}, where its ids would go")
    return {EXTERNAL_ID: ids}


def _fitting(column: AnyColumn, where: str, losses: Losses) -> AnyColumn | None:
    """Return what a column of words and heap holds."""
    if isinstance(column, MixedColumn):
        return _mixed(column, where, losses)
    if column.kind in ("date", "timestamp"):
        losses.add(f"{where}: {column.kind}s become texts")
        column = TextColumn(printed(column), column.valid)
    if column.kind == "bool":
        losses.add(f"{where}: booleans become 0 and 1")
        assert isinstance(column, FixedColumn)
        return FixedColumn("int64", column.data.astype(np.int64), column.valid)
    if isinstance(column, TextColumn):
        gone = present(column) & (np.diff(column.text.offsets) > MAX_LENGTH)
        losses.count(gone, where, f"texts of more than {MAX_LENGTH:,} bytes")
        return without(column, gone) if gone.any() else column
    if column.kind == "int64":
        data = column.data
        gone = present(column) & ((data < -INT_LIMIT) | (data >= INT_LIMIT))
        losses.count(gone, where, "integers beyond 56 bits")
        return without(column, gone) if gone.any() else column
    return column


def _mixed(column: MixedColumn, where: str, losses: Losses) -> MixedColumn | None:
    tags = np.unique(column.values.tags).tolist()
    if not set(tags) <= {kinds.NULL, kinds.INT, kinds.FLOAT, kinds.TEXT}:
        losses.add(f"{where}: values that are no integers, floats or texts")
        return None
    ints = column.values.tags == kinds.INT
    words = column.values.words.view(np.int64)
    if (ints & ((words < -INT_LIMIT) | (words >= INT_LIMIT))).any():
        losses.add(f"{where}: integers beyond 56 bits")
        return None
    if any(isinstance(value, str) and len(value.encode()) > MAX_LENGTH for value in _list(column)):
        losses.add(f"{where}: texts of more than {MAX_LENGTH:,} bytes")
        return None
    return column


def _list(column: MixedColumn) -> list[object]:
    return column.values.tolist()


def _values(column: AnyColumn) -> object:
    """Return a column as the node store takes it."""
    if isinstance(column, MixedColumn):
        return _list(column)
    if isinstance(column, TextColumn):
        if column.valid is None:
            return column.text
        return np.ma.MaskedArray(column.text.to_strings(), ~column.valid)
    return column.data if column.valid is None else np.ma.MaskedArray(column.data, ~column.valid)
