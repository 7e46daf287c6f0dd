"""A dump as a graph: nodes and edges of all collections in one id space.

    graph               dump
    node type           the node's type; ``Node`` where it has none
    connection type     the edge's label; ``EDGE`` where it has none
    external id         the entity id, or metadata ``nkgraph.id`` where that is an integer or a text
    title               the node's label
    property            a property of the data: of a node, an edge or a named row
    weight              the edge's property ``weight``, else the float32 of its data, else the
                        thousandths of its kind

What a graph has no place for is not in it: embeddings, times, other metadata, entities of other
kinds. What belongs in a graph but cannot be taken is left out and remarked.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nkgraph import threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U32, U64, Bool
from nkgraph.errors import GraphError
from nkgraph.storage.columns import AnyColumn, FixedColumn
from nkgraph.storage.keys import IntKeys, TextKeys
from nkgraph.storage.kglite.node_columns import RESERVED
from nkgraph.storage.reddb import graph_parts as parts
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.cursor import MOST_REMARKS, Remarks, quoted
from nkgraph.storage.reddb.graph_columns import Filled, Survey, Table
from nkgraph.storage.reddb.graph_values import Decoder
from nkgraph.storage.reddb.index import Index
from nkgraph.storage.reddb.layout import Remark
from nkgraph.storage.text import TextArray

if TYPE_CHECKING:
    from nkgraph import Graph

NODE_TYPE, CONNECTION_TYPE = "Node", "EDGE"
"""Of nodes and edges that name none."""
RESOLVE = ("id", "logical", "label")
_NODE, _EDGE = (
    next(kind.code for kind in layout.KINDS if kind.name == name)
    for name in ("graph_node", "graph_edge")
)
_EDGE_DATA = next(data.code for data in layout.DATA if data.name == "edge")
_NAMED = [data.code for data in layout.DATA if any(form == "properties" for _, form in data.fields)]
"""Data that holds properties."""
_ENDS = ("from_node", "to_node")
NOBODY, SEVERAL = -1, -2
"""Instead of a node: none, or no single one, has the id."""


def to_graph(
    data: U8,
    index: Index,
    *,
    snapshot: int | None = None,
    resolve: str = "id",
    cross_references: bool = False,
) -> "tuple[Graph, list[Remark]]":
    """Make a graph in memory of the nodes and edges of a dump.

    Parameters
    ----------
    data : (b,) uint8
        The file.
    index : Index
        What ``nkgraph.storage.reddb.index.index`` found in it.
    snapshot : int, optional
        Take what a transaction of this number saw. Without it, what has not been replaced or
        removed (xmax is 0).
    resolve : {"id", "logical", "label"}
        What the ends of an edge may name: the id of a node as decimal text; or else a logical id;
        or else a label that one node has.
    cross_references : bool
        Also take references between two nodes, once each, as edges of the reference's type with a
        weight. Those that edges hold are left out: they repeat the edge's ends.

    Returns
    -------
    graph : Graph
        Nodes by type, in the order of the file; edges in the order of the file.
    remarks : list of Remark
        What was left out, and where it stands: edges without two ends, nodes with an id that
        their type has already, ...; the first thousand by name.

    Raises
    ------
    GraphError
        ``snapshot`` or ``resolve`` are none.
    LimitError
        An entity id beyond 63 bits; columns out of all proportion to the file; more nodes or
        edges than a graph can have.

    Notes
    -----
    Two passes over nodes and edges, each on a thread of its own. Allocates the graph, and at most
    about half of the file besides. Values of one kind are decoded by kernels; columns of several
    kinds, and of kinds that a graph prints, value by value.

    Examples
    --------
    >>> from nkgraph.storage import reddb
    >>> from nkgraph.storage.reddb.index import index
    >>> store = reddb.Store()
    >>> ann = reddb.Entity(1024, reddb.GraphNode("ann", "Person"), reddb.NodeData({"age": 30}))
    >>> knows = reddb.Entity(1025, reddb.GraphEdge("KNOWS", "1024", "1024"), reddb.EdgeData(0.5))
    >>> store.collections["people"] = [ann, knows]
    >>> data = np.frombuffer(reddb.dumps(store), np.uint8)
    >>> graph, remarks = to_graph(data, index(data))
    >>> graph.node_types, graph.read_edges("KNOWS")["weight"].tolist(), remarks
    ({'Person': 1}, [0.5], [])
    """
    if resolve not in RESOLVE:
        raise GraphError(f"resolve is {resolve!r}, not one of {', '.join(map(repr, RESOLVE))}")
    mapping = _Mapping(read_only(data), index, snapshot)
    graph = mapping.run(resolve)
    if cross_references:
        mapping.add_references(graph)
    return graph, mapping.remarks


@dataclass
class _Nodes:
    """Nodes that stay: rows of the index, external ids, and then node ids."""

    rows: I64
    column: AnyColumn
    keep: Bool
    ids: U32


class _Mapping:
    """One call of ``to_graph``."""

    def __init__(self, data: U8, index: Index, snapshot: int | None) -> None:
        self.data, self.index = data, index
        self.remarks = Remarks()
        self.visible = parts.visible(data, index, snapshot)
        kinds = index.flags & 7
        self.node_rows = np.flatnonzero((kinds == _NODE) & self.visible)
        self.edge_rows = np.flatnonzero((kinds == _EDGE) & self.visible)

    def run(self, resolve: str) -> "Graph":
        """Make the graph without references."""
        from nkgraph import Graph

        nodes_found, edges_found = self._both(
            partial(self._survey, self.node_rows, NODE_TYPE, False),
            partial(self._survey, self.edge_rows, CONNECTION_TYPE, True),
        )
        assert isinstance(nodes_found, Survey)
        assert isinstance(edges_found, Survey)
        self.nodes = self._nodes(nodes_found)
        ends = self._ends(edges_found, resolve)
        keep = np.asarray((ends >= 0).all(axis=1))
        self._remark_ends(ends, keep)
        edge_rows = self.edge_rows[keep]
        self._remark_data(self.nodes.rows, [_EDGE_DATA])
        self._remark_data(edge_rows, [])
        nodes, edges = self._both(
            partial(self._fill, nodes_found, self.nodes.keep),
            partial(self._fill, edges_found, keep),
        )
        del nodes_found, edges_found
        assert isinstance(nodes, Filled)
        assert isinstance(edges, Filled)
        graph = Graph()
        self._add_nodes(graph, nodes)
        self._add_edges(graph, edges, self.nodes.ids[ends[keep]])
        return graph

    def _both(self, first: Callable[[], object], second: Callable[[], object]) -> list[object]:
        return threads.run([first, second])

    def _survey(self, rows: I64, default: str, edges: bool) -> Survey:
        return Survey(self.data, self.index.version, self.index.places[rows], default, edges)

    def _fill(self, survey: Survey, keep: Bool) -> Filled:
        decoder = Decoder(self.data, self.index.path, self.index.limits)
        return Filled(survey, keep, decoder, int(self.index.packed.size))

    # -- nodes --------------------------------------------------------------------------------

    def _nodes(self, survey: Survey) -> _Nodes:
        """Leave out nodes whose type has their id already."""
        rows = self.node_rows
        column, codes = parts.external_ids(self.data, self.index, rows)
        keep = np.ones(rows.size, bool)
        if codes.size and int(codes.max()) + 1 < codes.size:
            order = np.lexsort((codes, survey.table_of))
            same = codes[order[1:]] == codes[order[:-1]]
            same &= survey.table_of[order[1:]] == survey.table_of[order[:-1]]
            keep[order[1:][same]] = False
        left_out = np.flatnonzero(~keep)

        def remark(place: int) -> Remark:
            kind = quoted(survey.name_of(int(survey.table_of[place])))
            problem = f"{kind} has this id already: the node is left out"
            return self._remark(int(rows[place]), "entity id", problem)

        self._report(left_out, remark)
        if left_out.size:
            rows, column = rows[keep], column.take(np.flatnonzero(keep))
        return _Nodes(rows, column, keep, np.empty(rows.size, np.uint32))

    def _add_nodes(self, graph: "Graph", filled: Filled) -> None:
        for table in filled.tables():
            whole = table.rows.size == self.nodes.rows.size
            column = self.nodes.column if whole else self.nodes.column.take(table.rows)
            usable = self._usable(table, ("", *RESERVED))
            self.nodes.ids[table.rows] = graph._add_nodes_unchecked(
                table.name, column, usable, table.titles
            )
        self._remark_values(filled)

    # -- edges --------------------------------------------------------------------------------

    def _ends(self, survey: Survey, resolve: str) -> I64:
        """Return which of the nodes are the ends of each edge, (m, 2); or NOBODY, SEVERAL."""
        find = _finder(self.index.ids[self.nodes.rows])
        found = np.stack([find(survey.ends[:, end]) for end in range(2)], axis=1)
        found[~survey.known] = NOBODY
        if resolve == "logical":
            logical = parts.tails(self.data, self.index, self.nodes.rows)[:, 0]
            open_ends = (found == NOBODY) & survey.known
            found[open_ends] = _finder(logical)(survey.ends[open_ends])
        elif resolve == "label":
            self._resolve_labels(found)
        return found

    def _resolve_labels(self, found: I64) -> None:
        labels = parts.kind_texts(self.data, self.index, self.nodes.rows, 0)
        keys = TextKeys(len(labels))
        node_at = _single(keys.insert(labels.offsets, labels.data), len(keys))
        for end in range(2):
            rows = np.flatnonzero(found[:, end] == NOBODY)
            texts = self._end_texts(self.edge_rows[rows], end)
            found[rows, end] = _pick(node_at, keys.find(texts.offsets, texts.data))

    def _end_texts(self, rows: I64, end: int) -> TextArray:
        return parts.kind_texts(self.data, self.index, rows, end + 1)

    def _add_edges(self, graph: "Graph", filled: Filled, ends: U32) -> None:
        tables = list(filled.tables())
        if tables:
            codes = (np.cumsum(filled.counts > 0) - 1).astype(np.uint32)[filled.table_of]
            usable = [self._usable(table, ("",)) for table in tables]
            names = [table.name for table in tables]
            graph._add_edges_typed(names, codes, ends[:, 0], ends[:, 1], usable)
        self._remark_values(filled)

    # -- references ---------------------------------------------------------------------------

    def add_references(self, graph: "Graph") -> None:
        """Add references between two nodes as edges."""
        index = self.index
        holders = np.flatnonzero(self.visible & (index.flags & 7 != _EDGE))
        found = parts.references(self.data, index, holders)
        find = _finder(index.ids[self.nodes.rows])
        ends = np.stack([find(found.ids[:, end]) for end in range(2)], axis=1)
        known = IntKeys(len(index))
        known.insert(index.ids.view(np.int64))
        there = np.stack([known.find(found.ids[:, end].view(np.int64)) >= 0 for end in range(2)], 1)
        odd = np.flatnonzero((ends == SEVERAL).any(axis=1) | ~there.all(axis=1))

        def remark(row: int) -> Remark:
            end = int(np.argmax((ends[row] == SEVERAL) | ~there[row]))
            what = "several nodes have" if ends[row, end] == SEVERAL else "no entity has"
            problem = f"{what} the id {found.ids[row, end]}: the reference is left out"
            field = f"cross-reference {('source', 'target')[end]}"
            return Remark(field, int(found.places[row]), problem)

        self._report(odd, remark)
        keep = np.asarray((ends >= 0).all(axis=1))
        if not keep.any():
            return
        found, nodes = found.take(keep), self.nodes.ids[ends[keep]]
        used = np.unique(found.types)
        names = [layout.REF_TYPES[code][0] for code in used.tolist()]
        codes = np.searchsorted(used, found.types).astype(np.uint32)
        weights = FixedColumn("float64", found.weights, None)
        graph._add_edges_typed(names, codes, nodes[:, 0], nodes[:, 1], {"weight": weights})

    # -- remarks ------------------------------------------------------------------------------

    def _remark(self, row: int, field: str, problem: str) -> Remark:
        return Remark(f"{self.index.words(row)}: {field}", int(self.index.places[row]), problem)

    def _report(self, rows: I64, remark: Callable[[int], Remark]) -> None:
        """Remark on rows: the first by name, then how many there are besides."""
        room = max(0, MOST_REMARKS + 1 - len(self.remarks))
        for row in rows[:room].tolist():
            self.remarks.add(remark(row))
        more = rows.size - room
        if more > 0:
            self.remarks.unlisted += more - 1
            self.remarks.add(remark(int(rows[-1])))

    def _remark_ends(self, ends: I64, keep: Bool) -> None:
        def remark(place: int) -> Remark:
            row, end = self.edge_rows[place : place + 1], int(np.argmax(ends[place] < 0))
            text = quoted(self._end_texts(row, end).data.tobytes().decode())
            what = "no node" if ends[place, end] == NOBODY else "more than one node"
            return self._remark(int(row[0]), _ENDS[end], f"{text} names {what}: it is left out")

        self._report(np.flatnonzero(~keep), remark)

    def _remark_data(self, rows: I64, weighted: list[int]) -> None:
        """Remark on data that a graph takes nothing of, or not its weight."""
        tags = self.index.flags[rows] >> 3 & 7
        odd = rows[~np.isin(tags, _NAMED) | np.isin(tags, weighted)]

        def remark(row: int) -> Remark:
            tag = int(self.index.flags[row] >> 3 & 7)
            name = layout.DATA[tag].name
            taken = "its weight is left out" if tag in weighted else "it is left out"
            return self._remark(row, "data", f"of kind {name}: {taken}")

        self._report(odd, remark)

    def _usable(self, table: Table, refused: Collection[str]) -> dict[str, AnyColumn]:
        """Return the properties whose names a graph can have; remark on others."""
        for name in refused:
            if name in table.properties:
                field = f"property {name!r} of {quoted(table.name)}"
                self.remarks.add(Remark(field, None, "a graph has no such name: it is left out"))
        return {name: held for name, held in table.properties.items() if name not in refused}

    def _remark_values(self, filled: Filled) -> None:
        for at, problem in filled.problems:
            self.remarks.add(Remark("value", at, f"{problem}: it is left out"))


# -- from ids to nodes ----------------------------------------------------------------------------


def _single(positions: I64, count: int) -> I64:
    """Return the row of each key, SEVERAL where there is more than one."""
    rows = np.empty(count, np.int64)
    rows[positions] = np.arange(positions.size)
    if count < positions.size:
        rows[np.bincount(positions, minlength=count) > 1] = SEVERAL
    return rows


def _pick(rows: I64, at: I64) -> I64:
    """Return ``rows[at]``, NOBODY where ``at`` is -1."""
    return np.append(rows, NOBODY)[at]


def _finder(ids: U64) -> Callable[[U64], I64]:
    """Return what finds the row of each id."""
    keys = IntKeys(ids.size)
    rows = _single(keys.insert(ids.view(np.int64)), len(keys))
    return lambda queries: _pick(rows, keys.find(np.ascontiguousarray(queries).view(np.int64)))
