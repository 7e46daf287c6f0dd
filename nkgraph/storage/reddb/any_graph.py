"""What is asked of a graph to write it: storage may use a graph, and does not import it."""

from collections.abc import Mapping
from typing import Protocol

from nkgraph.dtypes import I64, U32, U64
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.records import Records


class Growing(Protocol):
    """A column of a graph."""

    def read(self) -> AnyColumn:
        """Return all rows."""


class NodeType(Protocol):
    """One node type of a graph: ``nkgraph.type_table.TypeTable``."""

    @property
    def count(self) -> int:
        """Live nodes."""

    @property
    def row_count(self) -> int:
        """Rows of the columns."""

    @property
    def nodes(self) -> U32:
        """Live nodes, ascending."""

    @property
    def ids(self) -> Growing:
        """External ids by row."""

    @property
    def titles(self) -> Growing:
        """Titles by row."""

    @property
    def properties(self) -> Mapping[str, Growing]:
        """Columns by name, by row."""

    def rows_of(self, slots: Records, nodes: U32) -> I64:
        """Return the rows of nodes."""


class ConnectionType(Protocol):
    """One connection type of a graph: ``nkgraph.edges.ConnectionTable``."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def hash(self) -> int:
        """The hash that stands in endpoints."""

    @property
    def names(self) -> list[str]:
        """Names of the properties."""

    def read(self, name: str, edges: U32 | None) -> AnyColumn:
        """Return a property of all live edges, ascending."""


class Nodes(Protocol):
    """The nodes of a graph: ``nkgraph.nodes.NodeTable``."""

    @property
    def slots(self) -> Records:
        """Types and rows by node id."""

    @property
    def slot_count(self) -> int:
        """Node ids that were ever given."""

    @property
    def tables(self) -> Mapping[str, NodeType]:
        """Node types by name."""


class Edges(Protocol):
    """The edges of a graph: ``nkgraph.edges.EdgeTable``."""

    @property
    def hashes(self) -> U64:
        """Hashes of the connection types that have edges, ascending."""

    @property
    def tables(self) -> Mapping[str, ConnectionType]:
        """Connection types by name."""

    def split(self) -> tuple[U32, U32, U32, U32]:
        """Return sources, targets, positions in ``hashes`` and ids of live edges, ascending."""


class AnyGraph(Protocol):
    """What is read of a ``nkgraph.Graph``."""

    @property
    def _nodes(self) -> Nodes: ...

    @property
    def _edges(self) -> Edges: ...

    @property
    def secondary_labels(self) -> Mapping[str, U32]:
        """Nodes by further label."""

    def nodes(self) -> U32:
        """Return live nodes, ascending."""
