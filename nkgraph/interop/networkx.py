"""Graphs from NetworkX, and to it.

    NetworkX                                   nkgraph
    node, an int or a text                     external id
    node, anything else (of any node)          position, as external id of every node
    node attribute "node_type", a text         node type
    node attribute "title", a text             title
    edge attribute "connection_type", a text   connection type
    other attributes                           properties; absent where a node or edge has none
    key of a parallel edge                     edge property "key", if any is not 0, 1, 2 ...
    undirected edge                            one edge, from the end that NetworkX names first
    graph attributes                           left out

Going back, everything is put where it came from; ``create_using`` says what kind of graph comes
out. All edges of an nkgraph graph are directed: that a graph was undirected is not kept, and
algorithms are told by ``direction="both"``.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nkgraph.dtypes import NO_NODE, U32
from nkgraph.errors import GraphError
from nkgraph.interop.arrow import require

if TYPE_CHECKING:
    from nkgraph.graph import Graph
    from nkgraph.table import Table

NxGraph: TypeAlias = Any
"""A NetworkX graph: the library is optional and has no type information."""
Attributes: TypeAlias = Mapping[str, object]
NODE_TYPE, TITLE, CONNECTION_TYPE, KEY = "node_type", "title", "connection_type", "key"


def from_networkx(
    graph: NxGraph, *, node_type: str = "Node", connection_type: str = "EDGE"
) -> "Graph":
    """Make a graph in memory of a NetworkX graph.

    Parameters
    ----------
    graph : networkx.Graph, DiGraph, MultiGraph or MultiDiGraph
    node_type, connection_type : str
        Of nodes and edges that have no attribute "node_type" or "connection_type".

    Returns
    -------
    Graph
        Node ids are in the order of ``graph.nodes``, unless there are several node types.

    Raises
    ------
    GraphError
        A name of an attribute is no text, or a value cannot be stored.
    ImportError
        NetworkX is not installed.

    Notes
    -----
    Nodes that are ints (of 64 bits) or texts are external ids. If there are others, every node has
    its position as external id: ``to_networkx(nodes=list(graph))`` gives them back. O(n + m).

    Examples
    --------
    >>> import networkx as nx
    >>> import nkgraph as nk
    >>> g = nk.from_networkx(nx.Graph([("Bern", "Chur", {"km": 241}), ("Chur", "Visp", {})]))
    >>> g.ids(g.nodes()).tolist()
    ['Bern', 'Chur', 'Visp']
    >>> g.to_networkx(create_using=nx.Graph).edges["Bern", "Chur"]
    {'connection_type': 'EDGE', 'km': 241}
    """
    from nkgraph.graph import Graph

    nx = require("networkx", "networkx")
    if not isinstance(graph, nx.Graph):
        raise GraphError(f"expected a NetworkX graph, found a {type(graph).__name__}")
    made = Graph()
    node_ids = _add_nodes(made, graph, node_type)
    _add_edges(made, graph, node_ids, connection_type)
    return made


def _add_nodes(made: "Graph", graph: NxGraph, default: str) -> U32:
    """Add the nodes; return the node id of each, by position."""
    nodes, data = list(graph), list(graph.nodes.values())
    plain = all(_is_id(node) for node in nodes)
    ids: Sequence[Hashable] = nodes if plain else range(len(nodes))
    node_ids = np.full(len(nodes), NO_NODE)
    for kind, positions in _by_kind(data, NODE_TYPE, default).items():
        own = [data[position] for position in positions]
        properties = _columns(own, NODE_TYPE)
        titles = properties.pop(TITLE, None)
        if titles is not None and not all(isinstance(title, str | None) for title in titles):
            raise GraphError('an attribute "title" is no text: give it another name')
        chosen = [ids[position] for position in positions]
        node_ids[positions] = made.add_nodes(kind, _of_ids(chosen), properties, titles)
    return node_ids


def _is_id(node: object) -> bool:
    if isinstance(node, str):
        return True
    return type(node) is int and -(1 << 63) <= node < 1 << 63


def _of_ids(ids: list[Hashable]) -> object:
    return ids if len(set(map(type, ids))) <= 1 else np.array(ids, object)


def _add_edges(made: "Graph", graph: NxGraph, node_ids: U32, default: str) -> None:
    index = dict(zip(graph, range(len(graph)), strict=True))
    if graph.is_multigraph():
        edges = list(graph.edges(keys=True, data=True))
        keys = _told_keys(edges, graph.is_directed())
    else:
        edges, keys = list(graph.edges(data=True)), None
    count = len(edges)
    sources = node_ids[np.fromiter((index[edge[0]] for edge in edges), np.int64, count)]
    targets = node_ids[np.fromiter((index[edge[1]] for edge in edges), np.int64, count)]
    data: list[Attributes] = [edge[-1] for edge in edges]
    for kind, positions in _by_kind(data, CONNECTION_TYPE, default).items():
        properties = _columns([data[position] for position in positions], CONNECTION_TYPE)
        if keys is not None:
            if KEY in properties:
                raise GraphError('the keys of parallel edges are kept as "key": rename that one')
            properties[KEY] = [keys[position] for position in positions]
        made.add_edges(kind, sources[positions], targets[positions], properties)


def _told_keys(edges: list[tuple[Any, ...]], directed: bool) -> list[object] | None:
    """Return the keys of edges; None if NetworkX would give the same ones again."""
    seen: dict[Hashable, int] = {}
    usual = True
    for source, target, key, _ in edges:
        ends = (source, target) if directed else frozenset((source, target))
        number = seen.get(ends, 0)
        usual = usual and key == number
        seen[ends] = number + 1
    return None if usual else [key for _, _, key, _ in edges]


def _by_kind(data: Sequence[Attributes], name: str, default: str) -> dict[str, list[int]]:
    """Positions by the type that an attribute says, in the order in which types come."""
    found: dict[str, list[int]] = {}
    for position, attributes in enumerate(data):
        kind = attributes.get(name, default)
        if not isinstance(kind, str):
            raise GraphError(f"{name} is {kind!r}, not a text")
        found.setdefault(kind, []).append(position)
    return found


def _columns(data: Sequence[Attributes], left_out: str) -> dict[str, list[object]]:
    """Attributes by name, None where one is absent."""
    names: dict[object, None] = {}
    for attributes in data:
        names.update(dict.fromkeys(attributes))
    names.pop(left_out, None)
    for name in names:
        if not isinstance(name, str):
            raise GraphError(f"the attribute {name!r} is not named by a text")
    return {str(name): [attributes.get(str(name)) for attributes in data] for name in names}


# -- to NetworkX ------------------------------------------------------------------------------


def to_networkx(
    graph: "Graph", *, nodes: Sequence[Hashable] | None = None, create_using: NxGraph = None
) -> NxGraph:
    """Make a NetworkX graph.

    Parameters
    ----------
    graph : Graph
    nodes : (node_count,) hashables, optional
        What nodes are called, by ascending node id. Else by their external ids if all are of one
        type, and by node ids if not.
    create_using : NetworkX class or graph, optional
        ``networkx.MultiDiGraph`` if not given. Undirected ones join edges of both directions, and
        of parallel edges those without keys keep the last.

    Returns
    -------
    networkx.MultiDiGraph, or what ``create_using`` is
        With attributes as the table in ``nkgraph.interop.networkx`` says.

    Raises
    ------
    GraphError
        Another number of ``nodes``, or one comes twice.
    ImportError
        NetworkX is not installed.

    Notes
    -----
    O(n + m + values), and a few hundred bytes of Python objects each. To run an algorithm of
    NetworkX on an opened graph, pass the graph itself: see ``nkgraph.nx_backend``.
    """
    nx = require("networkx", "networkx")
    made = nx.empty_graph(0, create_using, default=nx.MultiDiGraph)
    live = graph.nodes()
    names = _names(graph, live, nodes)
    by_node: dict[int, dict[str, object]] = {}
    for kind in graph.node_types:
        own = graph.nodes(kind)
        rows = _rows(graph.read_nodes(kind), own.size, {NODE_TYPE: kind})
        for row, title in zip(rows, graph.titles(own).tolist(), strict=True):
            if title:
                row[TITLE] = title
        by_node.update(zip(own.tolist(), rows, strict=True))
    made.add_nodes_from((name, by_node[node]) for node, name in names.items())
    for kind in graph.connection_types:
        sources, targets, _ = graph.edges(kind)
        rows = _rows(graph.read_edges(kind), sources.size, {CONNECTION_TYPE: kind})
        ends = zip(
            map(names.__getitem__, sources.tolist()),
            map(names.__getitem__, targets.tolist()),
            rows,
            strict=True,
        )
        if made.is_multigraph():
            made.add_edges_from((u, v, row.pop(KEY, None), row) for u, v, row in ends)
        else:
            made.add_edges_from(ends)
    return made


def _names(graph: "Graph", live: U32, given: Sequence[Hashable] | None) -> dict[int, Hashable]:
    """What each node id is called."""
    from nkgraph.nx_backend.graph import node_names

    names = node_names(graph) if given is None else list(given)
    if len(names) != live.size:
        raise GraphError(f"nodes: expected {live.size} of them, found {len(names)}")
    if len(set(names)) != len(names):
        raise GraphError("nodes: one comes twice")
    return dict(zip(live.tolist(), names, strict=True))


def _rows(table: "Table", count: int, more: dict[str, object]) -> list[dict[str, object]]:
    """The attributes of each row, those that it has."""
    rows: list[dict[str, object]] = [dict(more) for _ in range(count)]
    for name, column in table.columns.items():
        values = column.values.tolist()
        if column.valid is None:
            for row, value in zip(rows, values, strict=True):
                row[name] = value
        else:
            for row, value, there in zip(rows, values, column.valid.tolist(), strict=True):
                if there:
                    row[name] = value
    return rows
