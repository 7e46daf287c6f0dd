"""Entities: what a dump consists of, read in all versions and written in the newest.

An entity is of a kind and holds data; the two are independent, and every combination is legal.
The classes of kinds and data have the fields of ``layout.KINDS`` and ``layout.DATA``, in order;
reader, writer and JSON form follow from those tables.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from nkgraph.storage.reddb import layout as lay
from nkgraph.storage.reddb import metadata as meta
from nkgraph.storage.reddb.values import Value

ONE = np.float32(1)


class _Stored:
    """Equal is what is stored alike, bit for bit; an unstorable one equals only itself."""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or not isinstance(other, _Stored):
            return NotImplemented
        return self._stored() == other._stored()

    __hash__ = None  # type: ignore[assignment]  # can change

    def _stored(self) -> bytes:
        raise NotImplementedError


# -- kinds --------------------------------------------------------------------------------------


@dataclass(slots=True)
class TableRow:
    """A row of a table."""

    table: str
    row_id: int = 0


@dataclass(slots=True)
class GraphNode:
    """A node; ``label`` is its name, ``node_type`` may be empty."""

    label: str
    node_type: str = ""


@dataclass(slots=True)
class GraphEdge:
    """An edge; its ends are ids of entities, as text, and ``weight`` is in thousandths."""

    label: str
    from_node: str
    to_node: str
    weight: int = 1000


@dataclass(slots=True)
class VectorEntry:
    """A vector of a collection."""

    collection: str


@dataclass(slots=True)
class TimeSeriesPoint:
    """A point of a series."""

    series: str
    metric: str


@dataclass(slots=True)
class QueueMessage:
    """A message in a queue."""

    queue: str
    position: int = 0


Kind = TableRow | GraphNode | GraphEdge | VectorEntry | TimeSeriesPoint | QueueMessage

# -- data ---------------------------------------------------------------------------------------


class _Data(_Stored):
    def _stored(self) -> bytes:
        from nkgraph.storage.reddb import records

        out = bytearray()
        records.write_data(out, cast(Data, self))
        if isinstance(self, QueueData):
            records.write_fields(out, lay.QUEUE_TAIL, self)
        return bytes(out)


@dataclass(eq=False)
class RowData(_Data):
    """The columns of a row, by position."""

    columns: list[Value] = field(default_factory=list)


@dataclass(eq=False)
class NodeData(_Data):
    """The properties of a node."""

    properties: dict[str, Value] = field(default_factory=dict)


@dataclass(eq=False)
class EdgeData(_Data):
    """The weight of an edge, a float32, and its properties."""

    weight: np.float32 | float = ONE
    properties: dict[str, Value] = field(default_factory=dict)


def _no_floats() -> np.ndarray:
    return np.zeros(0, np.float32)


@dataclass(eq=False)
class VectorData(_Data):
    """A dense vector, float32, and what it was made of."""

    dense: np.ndarray = field(default_factory=_no_floats)
    content: str | None = None


@dataclass(eq=False)
class TimeSeriesData(_Data):
    """A measurement with its tags."""

    metric: str
    timestamp_ns: int
    value: float
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class QueueData(_Data):
    """A message, and how far it is."""

    payload: Value = None
    enqueued_at_ns: int = 0
    attempts: int = 0
    priority: int | None = None
    max_attempts: int = 3
    acked: bool = False


@dataclass(eq=False)
class NamedRowData(_Data):
    """The columns of a row, by name."""

    fields: dict[str, Value] = field(default_factory=dict)


Data = RowData | NodeData | EdgeData | VectorData | TimeSeriesData | QueueData | NamedRowData


def _encoded(layout: lay.Fields, item: object) -> bytes:
    from nkgraph.storage.reddb import records

    out = bytearray()
    records.write_fields(out, layout, item)
    return bytes(out)


# -- references and embeddings ------------------------------------------------------------------

RefType = enum.IntEnum(  # type: ignore[misc]  # names from the table
    "RefType", [(name, code) for code, (name, _) in enumerate(lay.REF_TYPES)]
)
"""The types of references by name."""


def ref_type_of(code: int) -> RefType:
    """Return the type that a stored byte reads as: unknown ones are RelatedTo."""
    return RefType(code if code < len(lay.REF_TYPES) else lay.RELATED_TO)


def inverse_of(kind: int) -> RefType | None:
    """Return the type of the same reference the other way round, None if there is none.

    Examples
    --------
    >>> inverse_of(RefType.RowToNode).name
    'NodeToRow'
    """
    code = lay.REF_TYPES[ref_type_of(kind)][1]
    return None if code is None else RefType(code)


@dataclass(slots=True)
class StoreReference:
    """An entry of the cross-reference section; ``ref_type`` is the stored byte."""

    source: int
    target: int
    ref_type: int
    target_collection: str

    @property
    def type(self) -> RefType:
        """What ``ref_type`` reads as."""
        return ref_type_of(self.ref_type)


@dataclass(eq=False)
class CrossReference(_Stored):
    """A reference that an entity has itself; ``ref_type`` is the stored byte."""

    source: int
    target: int
    ref_type: int
    target_collection: str = ""
    weight: np.float32 | float = ONE
    created_at: int = 0

    @property
    def type(self) -> RefType:
        """What ``ref_type`` reads as."""
        return ref_type_of(self.ref_type)

    def _stored(self) -> bytes:
        return _encoded(lay.OWN_REFERENCE, self)


@dataclass(eq=False)
class Embedding(_Stored):
    """A dense vector, float32, with its name and the model that made it."""

    name: str
    vector: np.ndarray
    model: str

    def _stored(self) -> bytes:
        return _encoded(lay.EMBEDDING, self)


@dataclass(eq=False)
class Entity(_Stored):
    """One entity; times are Unix seconds.

    Examples
    --------
    >>> ann = Entity(1024, GraphNode("ann", "person"), NodeData({"age": 30}))
    >>> ann == Entity(1024, GraphNode("ann", "person"), NodeData({"age": 30}))
    True
    """

    id: int
    kind: Kind
    data: Data
    created_at: int = 0
    updated_at: int = 0
    embeddings: list[Embedding] = field(default_factory=list)
    cross_refs: list[CrossReference] = field(default_factory=list)
    sequence_id: int = 0
    logical_id: int | None = None
    xmin: int = 0
    xmax: int = 0
    metadata: dict[str, meta.MetadataValue] = field(default_factory=dict)

    def _stored(self) -> bytes:
        from nkgraph.storage.reddb import records

        out = bytearray()
        records.write_record(out, self)
        return bytes(out)


# -- classes by tag ----------------------------------------------------------------------------

KIND_CLASSES: tuple[type[Kind], ...] = (
    TableRow,
    GraphNode,
    GraphEdge,
    VectorEntry,
    TimeSeriesPoint,
    QueueMessage,
)
DATA_CLASSES: tuple[type[Data], ...] = (
    RowData,
    NodeData,
    EdgeData,
    VectorData,
    TimeSeriesData,
    QueueData,
    NamedRowData,
)
"""Classes by tag."""
KIND_TAGS: Mapping[type, int] = {kind: tag for tag, kind in enumerate(KIND_CLASSES)}
DATA_TAGS: Mapping[type, int] = {kind: tag for tag, kind in enumerate(DATA_CLASSES)}
