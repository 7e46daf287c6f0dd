"""The portable file: store dumps of RedDB (``RDST``), versions 1 to 10.

``load`` reads one, ``save`` writes version 10. A ``Store`` holds collections of entities; each
``Entity`` is of a kind and holds data, of which the values are natural Python ones (``values``).
"""

from os import PathLike
from pathlib import Path

from nkgraph.storage.reddb.dump import dumps, save
from nkgraph.storage.reddb.entity import (
    CrossReference,
    EdgeData,
    Embedding,
    Entity,
    GraphEdge,
    GraphNode,
    NamedRowData,
    NodeData,
    QueueData,
    QueueMessage,
    RefType,
    RowData,
    StoreReference,
    TableRow,
    TimeSeriesData,
    TimeSeriesPoint,
    VectorData,
    VectorEntry,
)
from nkgraph.storage.reddb.json_form import from_json, to_json
from nkgraph.storage.reddb.layout import MAGIC, VERSION, Limits, Remark
from nkgraph.storage.reddb.lazy import from_graph, load, loads
from nkgraph.storage.reddb.store import Entities, Store

__all__ = [
    "VERSION",
    "CrossReference",
    "EdgeData",
    "Embedding",
    "Entities",
    "Entity",
    "GraphEdge",
    "GraphNode",
    "Limits",
    "NamedRowData",
    "NodeData",
    "QueueData",
    "QueueMessage",
    "RefType",
    "Remark",
    "RowData",
    "Store",
    "StoreReference",
    "TableRow",
    "TimeSeriesData",
    "TimeSeriesPoint",
    "VectorData",
    "VectorEntry",
    "dumps",
    "from_graph",
    "from_json",
    "is_dump",
    "load",
    "loads",
    "save",
    "to_json",
]


def is_dump(path: str | PathLike[str]) -> bool:
    """Whether a path is a file that starts as a dump does."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
