"""What an algorithm sees of a graph: rows of targets, perhaps weights, and which nodes live.

A ``View`` is made of a ``Graph`` (of one connection type, or of all) or of a ``CSR``, along a
direction. ``forward`` are the rows along which the algorithm goes, ``backward`` those against it;
with direction "both" the two are the same. Rows of a mapped graph stay on their maps.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from nkgraph.arguments import integer_array
from nkgraph.arrays import read_only
from nkgraph.csr import CSR
from nkgraph.dtypes import F64, I64, U32, Bool
from nkgraph.errors import GraphError
from nkgraph.graph import Graph

Direction: TypeAlias = Literal["out", "in", "both"]
AnyGraph: TypeAlias = Graph | CSR
_AGAINST: dict[str, Direction] = {"out": "in", "in": "out", "both": "both"}


@dataclass(frozen=True)
class Rows:
    """Rows as kernels take them: the target of slot s is ``flat[s << shift]``.

    Parameters
    ----------
    offsets : (n + 1,) int64
        Row u is the slots ``offsets[u]`` to ``offsets[u + 1]``.
    flat : (m,) uint32, or (2 m,) if ``shift`` is 1
        Targets; or pairs of a target and an edge id, as files have them.
    shift : {0, 1}
    weights : (m,) float64 or None
        By slot.
    """

    offsets: I64
    flat: U32
    shift: int
    weights: F64 | None = None

    @property
    def node_count(self) -> int:
        """How many rows."""
        return int(self.offsets.size) - 1

    @property
    def edge_count(self) -> int:
        """How many slots."""
        return int(self.flat.size) >> self.shift

    def targets(self) -> U32:
        """Return the targets alone, (m,): a copy of 4 bytes an edge if they lie in pairs."""
        return read_only(np.ascontiguousarray(self.flat[:: 1 << self.shift]))


class View:
    """A graph along a direction.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Only edges of this type; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        Along the edges, against them, or either way (each edge in the rows of both its ends).
    weight : str, optional
        Of a ``Graph``: the edge property to take as weights, which every edge must have. A CSR
        has its own, which are taken if ``weighted``.
    weighted : bool
        Whether the algorithm uses weights at all.

    Raises
    ------
    GraphError
        An unknown direction; a connection type or a weight's name with a CSR; a weight that is
        missing or no number.
    NotFoundError
        There is no such connection type.
    """

    def __init__(
        self,
        graph: AnyGraph,
        connection_type: str | None = None,
        direction: str = "out",
        weight: str | None = None,
        weighted: bool = False,
    ) -> None:
        if direction not in _AGAINST:
            raise GraphError(f'direction is {direction!r}, not "out", "in" or "both"')
        if isinstance(graph, CSR) and not (connection_type is None and weight is None):
            given = "connection_type" if weight is None else "weight"
            raise GraphError(f"{given} is for a Graph: a CSR has one set of rows and weights")
        if not isinstance(graph, Graph | CSR):
            raise GraphError(f"expected a Graph or a CSR, found a {type(graph).__name__}")
        if isinstance(graph, Graph) and connection_type is not None:
            graph._edges.table(connection_type)  # NotFoundError
        self.graph, self.connection_type = graph, connection_type
        self.direction: Direction = direction  # type: ignore[assignment]  # one of the keys above
        self.weight, self.weighted = weight, weighted

    @cached_property
    def forward(self) -> Rows:
        """Rows along the direction."""
        return self._rows(self.direction)

    @cached_property
    def backward(self) -> Rows:
        """Rows against the direction: for each node, where an edge of ``forward`` comes from."""
        if self.direction == "both":
            return self.forward
        return self._rows(_AGAINST[self.direction])

    @cached_property
    def either(self) -> Rows:
        """Rows in which each edge stands at both of its ends; a loop twice."""
        return self.forward if self.direction == "both" else self._rows("both")

    @cached_property
    def node_count(self) -> int:
        """How many node ids there are, those of removed nodes included."""
        if isinstance(self.graph, CSR):
            return self.graph.node_count
        return self.graph._nodes.slot_count

    @cached_property
    def live(self) -> Bool | None:
        """Which node ids are of live nodes, (n,); None if all are."""
        if isinstance(self.graph, CSR) or self.graph.node_count == self.node_count:
            return None
        live = np.zeros(self.node_count, bool)
        live[self.graph.nodes()] = True
        return read_only(live)

    @property
    def live_count(self) -> int:
        """How many nodes live."""
        return self.node_count if isinstance(self.graph, CSR) else self.graph.node_count

    def check_nodes(self, nodes: object, what: str) -> U32:
        """Return node ids as (k,) uint32; GraphError if one is not of a live node."""
        given = np.atleast_1d(np.asarray(nodes))
        found = integer_array(given, what)
        wrong = (found < 0) | (found >= self.node_count)
        if self.live is not None:
            wrong |= ~self.live[np.where(wrong, 0, found).astype(np.int64)]
        if wrong.any():
            raise GraphError(f"{what} {found[int(wrong.argmax())]} is not a node of the graph")
        return found.astype(np.uint32)

    # -- rows -----------------------------------------------------------------------------------

    def _rows(self, direction: Direction) -> Rows:
        if isinstance(self.graph, CSR):
            return self._rows_of_csr(self.graph, direction)
        weights = self._edge_weights()
        plain = self.connection_type is None and direction != "both"
        if plain:
            offsets, entries = self.graph._rows.rows(direction)
            by_slot = None if weights is None else weights[entries[:, 1]]
            return Rows(read_only(offsets), read_only(entries.reshape(-1)), 1, _kept(by_slot))
        csr = self.graph.csr(self.connection_type, direction)
        by_slot = None if weights is None else weights[csr.edges]
        return Rows(read_only(csr.offsets), read_only(csr.targets), 0, _kept(by_slot))

    def _rows_of_csr(self, csr: CSR, direction: Direction) -> Rows:
        if direction == "in":
            offsets, targets, given = csr._against()
        else:
            turned = csr if direction == "out" else csr.symmetrized()
            offsets, targets, given = turned.offsets, turned.targets, turned.weights
        weights = None
        if self.weighted and given is not None:
            weights = given.astype(np.float64, copy=False)
        return Rows(read_only(offsets), read_only(targets), 0, _kept(weights))

    def _edge_weights(self) -> F64 | None:
        """Return the weight of each edge id, (all edge ids,); of edges not looked at, NaN."""
        graph, name = self.graph, self.weight
        assert isinstance(graph, Graph)
        if name is None or not self.weighted:
            return None
        types = list(graph.connection_types)
        if self.connection_type is not None:
            types = [self.connection_type]
        parts = [(kind, graph.edges(kind)[2]) for kind in types]
        count = max((int(edges[-1]) + 1 for _, edges in parts if edges.size), default=0)
        weights = np.full(count, np.nan)
        for kind, edges in parts:
            if edges.size:
                weights[edges] = _numbers(graph, kind, name, edges)
        return weights


def _kept(weights: F64 | None) -> F64 | None:
    return None if weights is None else read_only(np.ascontiguousarray(weights))


def _numbers(graph: Graph, kind: str, name: str, edges: U32) -> F64:
    column = graph.read_edges(kind, [name])[name]
    if column.values.dtype.kind not in "biuf":
        raise GraphError(f"weight {name!r} of {kind} is of {column.values.dtype}, not numbers")
    if column.valid is not None and not column.valid.all():
        edge = edges[int(column.valid.argmin())]
        raise GraphError(f"weight {name!r}: edge {edge} of {kind} has none")
    return column.values.astype(np.float64)
