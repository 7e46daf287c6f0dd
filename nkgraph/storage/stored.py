"""What the tables of a graph need of an opened directory, whoever wrote it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from nkgraph.dtypes import I64, U32, U64
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.kglite.extras import Entry
from nkgraph.storage.kglite.manifest import Segment as SegmentEntry
from nkgraph.storage.kglite.metadata import ConnectionType, GraphMeta, NodeTypes
from nkgraph.storage.kglite.names import Names
from nkgraph.storage.kglite.node_columns import Store
from nkgraph.storage.kglite.property_ranges import Pair, Summary
from nkgraph.storage.kglite.segment import Segment


class EdgeColumns(Protocol):
    """Properties of edges by edge id, and by the hash of their name."""

    @property
    def path(self) -> Path:
        """What errors name."""

    def keys(self, edges: U32) -> U64:
        """Return the distinct key hashes that edges have, ascending."""

    def read(self, edges: U32, key: int) -> AnyColumn:
        """Return one property of edges."""


@runtime_checkable
class PickingStore(Protocol):
    """A store that gives some rows of a column without reading all of it."""

    def pick(self, part: str, name: str | None, rows: I64) -> AnyColumn:
        """Return rows of the "ids", the "titles", or the "column" of a name."""


class StoredGraph(Protocol):
    """An opened directory: slots and endpoints by segment, names, and columns by node type.

    Opening reads headers alone. What takes a look at whole arrays waits for its first use:
    ``prepare`` says that the tables of a graph are about to be made.
    """

    @property
    def path(self) -> Path:
        """The directory."""

    @property
    def format(self) -> str:
        """``"nkgraph"``, ``"kglite"`` or ``"sparrowdb"``."""

    @property
    def native(self) -> Mapping[str, Entry] | None:
        """Listed files of a native directory; None of any other."""

    @property
    def segment_count(self) -> int:
        """How many segments there are."""

    @property
    def names(self) -> Names:
        """All names of types and properties."""

    @property
    def meta(self) -> GraphMeta:
        """Counts; believed only of native directories."""

    @property
    def metadata(self) -> Mapping[str, object]:
        """Settings that a save carries over."""

    @property
    def manifest(self) -> Sequence[SegmentEntry]:
        """What is stated of each segment."""

    @property
    def node_types(self) -> NodeTypes:
        """Properties of node types."""

    @property
    def connection_types(self) -> Mapping[str, ConnectionType]:
        """What connection types join, and their properties."""

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments."""

    @property
    def slot_count(self) -> int:
        """How many node ids were given."""

    @property
    def edge_id_count(self) -> int:
        """How many edge ids were given."""

    @property
    def edge_properties(self) -> EdgeColumns:
        """Properties of edges."""

    def store(self, node_type: str, number: int) -> Store | None:
        """Return the columns of a node type in a segment; None where it has none."""

    def ranges(self, number: int) -> Mapping[Pair, Summary | None]:
        """What is known of the property values of a segment."""

    def aliases(self, node_type: str) -> dict[str, str]:
        """What else the id and the title of a type are called: name -> "id" or "title"."""

    def labels(self) -> dict[str, U32]:
        """Return the nodes that carry a further label, by label."""

    def compare(self, field: str, found: int, what: str) -> None:
        """Warn where a count of the directory is not what its arrays hold."""
