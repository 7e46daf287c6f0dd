"""A graph as the functions of the backend take it: rows of targets, and what nodes are called.

A ``BackendGraph`` has positions 0..n-1 for its nodes, in the order in which NetworkX lists them,
and rows in which each neighbor stands once, in NetworkX's order too. Parallel edges are kept
beside the rows: ``counts`` of a slot, and weights summed or the least of them. A loop stands once
in its row. The rows of an undirected graph hold each edge at both of its ends.

Everything is read from the graph behind when it is first asked for: degrees cost less than rows,
and most functions need no weights.
"""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, islice
from operator import contains
from typing import Any, Literal

import numpy as np

from nkgraph import build, kernels
from nkgraph.arrays import read_only
from nkgraph.csr import CSR
from nkgraph.dtypes import F64, I64, NO_NODE, U32
from nkgraph.errors import GraphError
from nkgraph.graph import Graph
from nkgraph.nx_backend.library import Node, Number, NxGraph, nx

EXACT = 1 << 53
"""Integers up to here are exact as float64."""
Rows = tuple[I64, U32]
Reduce = Literal["sum", "min"]


class BackendGraph(ABC):
    """What NetworkX passes to the backend; it knows no more of it than this class shows.

    Parameters
    ----------
    directed, multigraph : bool
    """

    __networkx_backend__ = "nkgraph"

    def __init__(self, directed: bool, multigraph: bool) -> None:
        self._directed, self._multigraph = directed, multigraph

    # -- what NetworkX asks -------------------------------------------------------------------

    def is_directed(self) -> bool:
        """Whether edges have a direction."""
        return self._directed

    def is_multigraph(self) -> bool:
        """Whether there may be parallel edges."""
        return self._multigraph

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __contains__(self, node: object) -> bool:
        try:
            return node in self.index
        except TypeError:  # not hashable
            return False

    def number_of_nodes(self) -> int:
        """How many nodes there are."""
        return len(self.nodes)

    def number_of_edges(self) -> int:
        """How many edges there are, parallel ones and loops counted."""
        return int(self.out_degrees.sum() if self._directed else self.degrees.sum() // 2)

    def __repr__(self) -> str:
        kind = "directed" if self._directed else "undirected"
        return f"<nkgraph backend graph, {kind}: {len(self)} nodes>"

    def __str__(self) -> str:
        kind = "MultiDiGraph" if self._multigraph else "DiGraph"
        kind = kind if self._directed else kind.replace("Di", "")
        return f"{kind} with {len(self)} nodes and {self.number_of_edges()} edges"

    # -- nodes --------------------------------------------------------------------------------

    @property
    @abstractmethod
    def nodes(self) -> list[Node]:
        """What nodes are called, by position."""

    @cached_property
    def index(self) -> dict[Node, int]:
        """The position of each node."""
        return dict(zip(self.nodes, range(len(self.nodes)), strict=True))

    @property
    def _adj(self) -> Mapping[Node, int]:
        """What ``networkx.Graph.nbunch_iter`` looks nodes up in."""
        return self.index

    @cached_property
    def plain(self) -> bool:
        """Whether the nodes are the numbers 0..n-1 in order, so that a position is its own name."""
        nodes = self.nodes
        return nodes == list(range(len(nodes))) and set(map(type, nodes)) <= {int}

    def names(self, positions: U32 | I64) -> list[Node]:
        """Return what the nodes at some positions are called."""
        found = positions.tolist()
        return found if self.plain else list(map(self.nodes.__getitem__, found))

    def chosen(self, nodes: object) -> U32:
        """Return the positions of the nodes that a user chose: one, several, or None for all.

        As with NetworkX, those of several that the graph does not have are passed over.
        """
        if nodes is None:
            return np.arange(len(self), dtype=np.uint32)
        bunch: Iterable[Node] = nx.Graph.nbunch_iter(self, nodes)
        return np.fromiter(map(self.index.__getitem__, bunch), np.uint32)

    def by_node(self, values: Iterable[Number]) -> dict[Node, Number]:
        """Pair every node with its value."""
        return dict(zip(self.nodes, values, strict=True))

    # -- rows ---------------------------------------------------------------------------------

    @cached_property
    @abstractmethod
    def forward(self) -> Rows:
        """Offsets, (n + 1,) int64, and targets, (k,) uint32; read-only, as all rows are."""

    @property
    @abstractmethod
    def backward(self) -> Rows:
        """Offsets and sources of the edges into each node, in NetworkX's order."""

    @cached_property
    @abstractmethod
    def groups(self) -> U32 | None:
        """The slot of each edge, (edges,); None if each edge has a slot of its own."""

    @abstractmethod
    def _edge_weights(self, name: str, default: Number) -> tuple[F64, bool]:
        """Weights in the order of ``groups``, or of slots; and whether all are integers."""

    @cached_property
    def turned(self) -> Rows:
        """As ``backward``, in any order: for what does not depend on it."""
        if not self._directed:
            return self.forward
        return _turn(*self.forward)

    @cached_property
    def either(self) -> Rows:
        """Rows with the targets and the sources of each node; who is both stands twice."""
        if not self._directed:
            return self.forward
        return _join(self.forward, self.turned)

    @property
    def slot_rows(self) -> U32:
        """The node in whose row each slot is."""
        offsets, _ = self.forward
        return np.repeat(np.arange(len(self), dtype=np.uint32), np.diff(offsets))

    @cached_property
    def loops(self) -> I64:
        """Slots of loops, ascending."""
        return np.flatnonzero(self.slot_rows == self.forward[1])

    @cached_property
    def counts(self) -> I64 | None:
        """How many parallel edges each slot stands for; None if each for one."""
        groups = self.groups
        return None if groups is None else np.bincount(groups, minlength=self.forward[1].size)

    @cached_property
    def loop_edges(self) -> int:
        """How many loops there are, parallel ones counted."""
        return int(self.loops.size if self.counts is None else self.counts[self.loops].sum())

    @cached_property
    def out_degrees(self) -> I64:
        """Edges in each row, parallel ones counted; a loop counts once."""
        offsets, _ = self.forward
        if self.counts is None:
            return np.diff(offsets)
        return np.bincount(self.slot_rows, self.counts, len(self)).astype(np.int64)

    @cached_property
    def in_degrees(self) -> I64:
        """Edges into each node; of a directed graph."""
        _, targets = self.forward
        if self.counts is None:
            return np.bincount(targets, minlength=len(self))
        return np.bincount(targets, self.counts, len(self)).astype(np.int64)

    @cached_property
    def degrees(self) -> I64:
        """Degrees as NetworkX counts them: a loop counts twice."""
        if self._directed:
            return self.out_degrees + self.in_degrees
        loops = self.loops
        own = 1 if self.counts is None else self.counts[loops]
        degrees = self.out_degrees.copy()
        degrees[self.slot_rows[loops]] += own
        return degrees

    def without_edges(self) -> list[Node]:
        """Nodes without edges."""
        return self.names(np.flatnonzero(self.degrees == 0))

    def weights(self, name: object, reduce: Reduce, default: Number = 1) -> tuple[F64, bool]:
        """Return the weight of each slot, (k,), and whether all of them are integers.

        Raises
        ------
        NotImplementedError
            A weight is no int or float, or an integer beyond 2**53: NetworkX computes with such
            ones as they are.
        """
        if not isinstance(name, str):
            raise NotImplementedError(f"nkgraph: {name!r} is no name of an edge attribute")
        found, whole = self._edge_weights(name, default)
        if whole and found.size and np.abs(found).sum() > EXACT:
            raise NotImplementedError(f"nkgraph: weights {name!r} sum to more than 2**53")
        groups, slots = self.groups, self.forward[1].size
        if found.size != (slots if groups is None else groups.size):
            raise NotImplementedError(UNSETTLED)
        if groups is None:
            return found, whole
        if reduce == "sum":
            summed: F64 = np.bincount(groups, found, slots).astype(np.float64)
            return summed, whole
        least = np.full(slots, np.inf)
        np.minimum.at(least, groups, found)
        return least, whole

    def csr(self, rows: Rows | None = None) -> CSR:
        """Return rows, ``forward`` if not given, as the algorithms of nkgraph take them."""
        offsets, targets = self.forward if rows is None else rows
        return CSR._trusted(offsets, targets, np.empty(0, np.uint32), None)


def _offsets(sizes: I64) -> I64:
    offsets = np.zeros(sizes.size + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return read_only(offsets)


def _turn(offsets: I64, targets: U32) -> Rows:
    n = offsets.size - 1
    sources = np.repeat(np.arange(n, dtype=np.uint32), np.diff(offsets))
    turned, peers, _ = build.untyped_rows(n, targets, sources)
    return read_only(turned), read_only(peers)


def _join(ahead: Rows, against: Rows) -> Rows:
    n = ahead[0].size - 1
    nodes = np.arange(n, dtype=np.uint32)
    rows = np.concatenate([np.repeat(nodes, np.diff(offsets)) for offsets, _ in (ahead, against)])
    peers = np.concatenate([ahead[1], against[1]])
    offsets, targets, _ = build.untyped_rows(n, rows, peers)
    return read_only(offsets), read_only(targets)


def distinct_rows(offsets: I64, targets: U32) -> tuple[Rows, U32 | None]:
    """Keep each target once in its row; and give the new slot of each old one, if any went."""
    n, m = offsets.size - 1, targets.size
    firsts, groups, peers = (
        np.empty(n + 1, np.int64),
        np.empty(m, np.uint32),
        np.empty(m, np.uint32),
    )
    marks = np.empty(n, np.uint32)
    given = read_only(offsets), read_only(targets)
    kernels.neighborhoods.distinct(*given, marks, groups, firsts, peers)
    if firsts[n] == m:
        return given, None
    return (read_only(firsts), read_only(peers[: firsts[n]].copy())), groups


Nested = Mapping[Node, Any]
"""Dictionaries of dictionaries, of depths that mypy need not know."""
UNSETTLED = "nkgraph: the rows of the graph hold other nodes than they say"


def _settled(adjacency: Nested, multigraph: bool) -> Nested:
    """Dictionaries as they are; what a view of a graph filters while it is read is copied.

    The rows of some views say that they are longer than they are.
    """
    if isinstance(adjacency, dict):
        return adjacency
    rows = ((node, dict(row.items())) for node, row in adjacency.items())
    if not multigraph:
        return dict(rows)
    return {node: {peer: dict(keys.items()) for peer, keys in row.items()} for node, row in rows}


def _checked(offsets: I64, targets: U32) -> Rows:
    """Rows that fit each other, so that no kernel reads what is not there."""
    n = offsets.size - 1
    if targets.size != offsets[n] or (targets.size and int(targets.max()) >= n):
        raise NotImplementedError(UNSETTLED)
    return offsets, targets


class Converted(BackendGraph):
    """A NetworkX graph, read when something of it is first needed.

    Parameters
    ----------
    graph : networkx.Graph, DiGraph, MultiGraph or MultiDiGraph
        Must not change as long as this is used, which NetworkX sees to.
    """

    def __init__(self, graph: NxGraph) -> None:
        super().__init__(graph.is_directed(), graph.is_multigraph())
        self.original = graph
        multi = self._multigraph
        self.adjacency: Mapping[Node, Mapping[Node, Mapping[Hashable, object]]]
        self.adjacency = _settled(graph._adj, multi)
        self.against = _settled(graph._pred, multi) if self._directed else self.adjacency

    def __contains__(self, node: object) -> bool:
        try:
            return node in self.adjacency
        except TypeError:  # not hashable
            return False

    def __str__(self) -> str:
        return str(self.original)

    @cached_property
    def nodes(self) -> list[Node]:
        """What nodes are called, by position."""
        return list(self.adjacency)

    def __len__(self) -> int:
        return len(self.adjacency)

    @cached_property
    def forward(self) -> Rows:
        """Offsets and targets, in the order of the dictionaries."""
        return self._read(self.adjacency, self.out_row_sizes)

    @cached_property
    def backward(self) -> Rows:
        """Offsets and sources, in the order of the dictionaries."""
        if not self._directed:
            return self.forward
        return self._read(self.against, self._sizes(self.against))

    @cached_property
    def out_row_sizes(self) -> I64:
        """How many neighbors are in each row."""
        return self._sizes(self.adjacency)

    def _sizes(self, adjacency: Mapping[Node, Mapping[Node, object]]) -> I64:
        return np.fromiter(map(len, adjacency.values()), np.int64, len(adjacency))

    def _read(self, adjacency: Mapping[Node, Mapping[Node, object]], sizes: I64) -> Rows:
        targets = self._positions(chain.from_iterable(adjacency.values()))
        return _checked(_offsets(sizes), targets)

    def _positions(self, nodes: Iterable[Node]) -> U32:
        """The position of each of some nodes."""
        given = list(nodes)
        found = given if self.plain else map(self.index.__getitem__, given)
        # array.array reads a list of ints in a third of the time that numpy needs
        whole = array("I", found)  # type: ignore[type-var]  # plain nodes are ints
        return read_only(np.frombuffer(whole, np.uint32))

    @property
    def is_read(self) -> bool:
        """Whether the rows are there already."""
        return "forward" in vars(self)

    def sample(self, count: int) -> Rows:
        """Rows with the first few targets of each."""
        few = (islice(row, count) for row in self.adjacency.values())
        sizes = np.minimum(self.out_row_sizes, count)
        return _checked(_offsets(sizes), self._positions(chain.from_iterable(few)))

    def edges_of(self, positions: I64) -> tuple[U32, U32]:
        """The ends of all edges in some rows."""
        rows = [self.adjacency[node] for node in map(self.nodes.__getitem__, positions.tolist())]
        sizes = np.fromiter(map(len, rows), np.int64, len(rows))
        sources = np.repeat(positions.astype(np.uint32), sizes)
        targets = self._positions(chain.from_iterable(rows))
        if sources.size != targets.size:
            raise NotImplementedError(UNSETTLED)
        return sources, targets

    @cached_property
    def groups(self) -> U32 | None:
        """The slot of each edge; None if each has one of its own."""
        if not self._multigraph:
            return None
        flat = chain.from_iterable(row.values() for row in self.adjacency.values())
        counts = np.fromiter(map(len, flat), np.int64)
        if (counts == 1).all():
            return None
        return np.repeat(np.arange(counts.size, dtype=np.uint32), counts)

    @cached_property
    def out_degrees(self) -> I64:
        """Edges in each row; without reading rows where there are no parallel edges."""
        return super().out_degrees if self._multigraph else self.out_row_sizes

    @cached_property
    def in_degrees(self) -> I64:
        """Edges into each node; without reading rows where there are no parallel edges."""
        return super().in_degrees if self._multigraph else self._sizes(self.against)

    @cached_property
    def degrees(self) -> I64:
        """Degrees; without reading rows where there are no parallel edges."""
        if self._multigraph or self._directed:
            return super().degrees
        loops = map(contains, self.adjacency.values(), self.adjacency)
        degrees: I64 = self.out_row_sizes + np.fromiter(loops, bool, len(self))
        return degrees

    def without_edges(self) -> list[Node]:
        """Nodes without edges; without reading rows."""
        alone = (node for node, row in self.adjacency.items() if not row)
        return [node for node in alone if not self.against[node]]

    def _edge_weights(self, name: str, default: Number) -> tuple[F64, bool]:
        rows = self.adjacency.values()
        if self._multigraph:
            keyed = (keys for row in rows for keys in row.values())
            values = [data.get(name, default) for keys in keyed for data in keys.values()]  # type: ignore[attr-defined]  # keys to data
        else:
            values = [data.get(name, default) for row in rows for data in row.values()]
        kinds = set(map(type, values))
        if not all(issubclass(kind, int | float | np.integer | np.floating) for kind in kinds):
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise NotImplementedError(f"nkgraph: weights {name!r} are of types {names}")
        whole = all(issubclass(kind, int | np.integer) for kind in kinds)
        return np.array(values, np.float64), whole


class Opened(BackendGraph):
    """A ``nkgraph.Graph``, seen as NetworkX sees graphs; nothing is converted.

    Parameters
    ----------
    graph : nkgraph.Graph
    directed, multigraph : bool
        Not directed: each edge goes both ways. Not a multigraph: parallel edges are one, and have
        the weight of the first.
    """

    def __init__(self, graph: Graph, directed: bool = True, multigraph: bool = True) -> None:
        super().__init__(directed, multigraph)
        self.graph = graph

    @cached_property
    def nodes(self) -> list[Node]:
        """External ids if all nodes are of one type, else node ids."""
        return node_names(self.graph)

    def __len__(self) -> int:
        return self.graph.node_count

    @cached_property
    def _raw(self) -> tuple[Rows, U32]:
        """Rows by position with parallel edges in them, and the edge of each slot."""
        graph = self.graph
        live = graph.nodes()
        if self._directed and live.size == graph._nodes.slot_count:
            csr = graph.csr()
            return (csr.offsets, csr.targets), csr.edges
        sources, targets, edges = graph.edges()
        positions = np.full(graph._nodes.slot_count, NO_NODE)
        positions[live] = np.arange(live.size, dtype=np.uint32)
        sources, targets = positions[sources], positions[targets]
        if not self._directed:
            other = sources != targets  # a loop stands once in its row
            sources, targets, edges = (
                np.concatenate([sources, targets[other]]),
                np.concatenate([targets, sources[other]]),
                np.concatenate([edges, edges[other]]),
            )
        offsets, peers, slots = build.untyped_rows(live.size, sources, targets)
        return (offsets, peers), edges[slots]

    @cached_property
    def _distinct(self) -> tuple[Rows, U32 | None]:
        return distinct_rows(*self._raw[0])

    @cached_property
    def forward(self) -> Rows:
        """Offsets and targets, in the order of the rows of the graph."""
        return self._distinct[0]

    @property
    def backward(self) -> Rows:
        """Offsets and sources."""
        return self.turned

    @cached_property
    def groups(self) -> U32 | None:
        """The slot of each edge; None if each has one of its own, or is alone in it."""
        return self._distinct[1] if self._multigraph else None

    def _edge_weights(self, name: str, default: Number) -> tuple[F64, bool]:
        graph, (_, edges) = self.graph, self._raw
        by_edge = np.full(int(edges.max(initial=0)) + 1, default, np.float64)
        whole = isinstance(default, int)
        for kind in graph.connection_types:
            if name not in graph._edges.table(kind).names:
                continue
            column = graph.read_edges(kind, [name])[name]
            if column.values.dtype.kind not in "biuf":
                found = column.values.dtype
                raise NotImplementedError(f"nkgraph: weights {name!r} of {kind} are of {found}")
            known = slice(None) if column.valid is None else column.valid
            by_edge[graph.edges(kind)[2][known]] = column.values[known]
            whole = whole and column.values.dtype.kind in "biu"
        groups = self._distinct[1]
        if self._multigraph or groups is None:
            return by_edge[edges], whole
        _, first = np.unique(groups, return_index=True)
        return by_edge[edges[first]], whole


def node_names(graph: Graph) -> list[Node]:
    """Return what NetworkX calls the nodes of a graph: external ids of one type, else node ids."""
    live = graph.nodes()
    names: list[Node] = (graph.ids(live) if len(graph.node_types) == 1 else live).tolist()
    return names


def of(graph: object) -> BackendGraph:
    """Return a graph that NetworkX passed on as the functions of the backend take it."""
    if isinstance(graph, BackendGraph):
        return graph
    if isinstance(graph, Graph):
        return Opened(graph)
    raise GraphError(f"expected a graph of nkgraph, found a {type(graph).__name__}")


def view(graph: Graph, directed: bool = True, multigraph: bool = True) -> BackendGraph:
    """See a graph as NetworkX's functions for undirected, or for simple, graphs want it.

    ``networkx`` takes an ``nkgraph.Graph`` itself as a directed multigraph, which some of its
    functions refuse. Nothing is copied until a function asks for rows.

    Parameters
    ----------
    graph : nkgraph.Graph
    directed : bool
        False: each edge goes both ways.
    multigraph : bool
        False: parallel edges are one, with the weight of the first.

    Returns
    -------
    BackendGraph
        To be passed to functions of NetworkX. It does not follow changes of ``graph``.

    Examples
    --------
    >>> import nkgraph as nk
    >>> from nkgraph.nx_backend import triangles, view
    >>> g = nk.Graph()
    >>> towns = g.add_nodes("Town", ["Bern", "Chur", "Visp"])
    >>> _ = g.add_edges("ROAD", towns[[0, 0, 1]], towns[[1, 2, 2]])
    >>> triangles(view(g, directed=False, multigraph=False))  # as nx.triangles calls it
    {'Bern': 1, 'Chur': 1, 'Visp': 1}
    """
    return Opened(graph, directed, multigraph)


__all__ = ["BackendGraph", "Converted", "Opened", "node_names", "of", "view"]
