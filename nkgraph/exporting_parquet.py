"""Graphs to a folder of Parquet files: what ``import_parquet`` reads as the same graph."""

from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from nkgraph.errors import GraphError
from nkgraph.exporting import Contents, FileNames, Losses, plain_ids, title_texts
from nkgraph.ingest_parquet import EDGES, ENDING, NODES, TYPE_NOTE
from nkgraph.ingest_tables import is_mark
from nkgraph.interop.arrow import require, to_arrow
from nkgraph.storage.columns import AnyColumn, MixedColumn, TextColumn
from nkgraph.table import Column, Table

_ROWS: Final = 1 << 20
"""Rows of a row group."""
_NO_SPACE: Final = "()\n\r"


def write_parquet(contents: Contents, folder: Path, losses: Losses) -> None:
    """Write ``node_*.parquet`` and ``edge_*.parquet``; what they are stands in them too."""
    pa = require("pyarrow", "arrow")
    parquet = require("pyarrow.parquet", "arrow")
    folder.mkdir()
    names = FileNames()
    contents.note_labels(losses)
    ids: dict[str, AnyColumn] = {}
    spaces: dict[str, str] = {}
    for number, table in enumerate(contents.nodes()):
        fits = bool(table.name) and not set(table.name) & set(_NO_SPACE) and ":" not in table.name
        spaces[table.name] = table.name if fits else f"space {number}"
        ids[table.name] = plain_ids(table, losses)
        arrays = {f"id:ID({spaces[table.name]})": _array("id", ids[table.name])}
        if not fits:
            arrays[":LABEL"] = _constant(pa, table.name, table.nodes.size)
        if table.has_titles():
            arrays[":TITLE"] = _array("title", TextColumn(*title_texts(table.titles)))
        arrays |= _properties(pa, table.properties(), f"{table.name}.", losses)
        path = folder / names.take(NODES, table.name, ENDING)
        _write(pa, parquet, path, table.name, arrays)
    if not ids:  # a folder without a table is nothing
        _write(
            pa,
            parquet,
            folder / f"{NODES}Node{ENDING}",
            "Node",
            {"id:ID(Node)": pa.array([], "int64")},
        )
    _, rows = contents.places
    for source, target, edges in contents.edges_by_pair():
        arrays = {
            f":START_ID({spaces[source]})": _array("s", ids[source].take(rows[edges.sources])),
            f":END_ID({spaces[target]})": _array("t", ids[target].take(rows[edges.targets])),
        }
        arrays |= _properties(pa, edges.properties(), f"{edges.name}.", losses)
        _write(pa, parquet, folder / names.take(EDGES, edges.name, ENDING), edges.name, arrays)


def _array(name: str, column: AnyColumn) -> Any:
    rows = np.zeros(len(column), np.uint32)
    return to_arrow(Table({name: Column(column)}, rows)).column(0)


def _constant(pa: ModuleType, name: str, count: int) -> Any:
    indices = pa.array(np.zeros(count, np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array([name]))


def _properties(
    pa: ModuleType, held: dict[str, AnyColumn], owner: str, losses: Losses
) -> dict[str, Any]:
    arrays = {}
    for name, column in held.items():
        if is_mark(name):
            raise losses.refuse(f"a property named {name!r}")
        try:
            array = _array(name, column)
        except (GraphError, pa.ArrowException, OverflowError):
            losses.add(f"{owner}{name}: values of kinds that no Arrow type holds together")
            continue
        if isinstance(column, MixedColumn) and not _is_same(array, column):
            losses.add(f"{owner}{name}: values that come back from Arrow as others")
            continue
        arrays[name] = array
    return arrays


def _is_same(array: Any, column: MixedColumn) -> bool:
    """Whether Arrow gives the values back as they were, their types included."""
    return bool(repr(array.to_pylist()) == repr(column.values.tolist()))


def _write(
    pa: ModuleType, parquet: ModuleType, path: Path, name: str, arrays: dict[str, Any]
) -> None:
    table = pa.table(list(arrays.values()), names=list(arrays))
    table = table.replace_schema_metadata({TYPE_NOTE: name})
    parquet.write_table(table, path, row_group_size=_ROWS, version="2.6")
