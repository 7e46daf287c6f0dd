"""Searches by breadth, and the distances and paths that they give."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nkgraph import kernels
from nkgraph.dtypes import F64, U32, U64
from nkgraph.nx_backend.graph import BackendGraph, of
from nkgraph.nx_backend.library import Node, Number, nx
from nkgraph.nx_backend.walking import Found, Search, walk


def _position(graph: BackendGraph, node: object, message: str) -> int:
    if node not in graph:
        raise nx.NodeNotFound(message)
    return graph.index[node]


def _lengths(found: Found) -> dict[Node, int]:
    return dict(zip(found.nodes, found.depths(), strict=True))


def single_source_shortest_path_length(
    G: object, source: Node, cutoff: float | None = None
) -> dict[Node, int]:
    """Return the distance of each node that can be reached."""
    graph = of(G)
    _position(graph, source, f"Source {source} is not in G")
    return _lengths(walk(graph, [source], cutoff))


def single_target_shortest_path_length(
    G: object, target: Node, cutoff: float | None = None
) -> dict[Node, int]:
    """Return how far each node that reaches the target is from it."""
    graph = of(G)
    _position(graph, target, f"Target {target} is not in G")
    return _lengths(walk(graph, [target], cutoff, against=True))


def all_pairs_shortest_path_length(
    G: object, cutoff: float | None = None
) -> Iterator[tuple[Node, dict[Node, int]]]:
    """Yield each node with the distances of what it reaches."""
    graph = of(G)
    search = Search(graph.forward)
    for position, node in enumerate(graph.nodes):
        order = search.run([position], cutoff)
        yield node, dict(zip(graph.names(order), search.depths[order].tolist(), strict=True))


def single_source_shortest_path(
    G: object, source: Node, cutoff: float | None = None
) -> dict[Node, list[Node]]:
    """Return a shortest path to each node that can be reached."""
    graph = of(G)
    _position(graph, source, f"Source {source} not in G")
    found = walk(graph, [source], cutoff)
    paths = {source: [source]}
    for node, parent in zip(found.nodes[1:], found.parents, strict=True):
        paths[node] = [*paths[parent], node]
    return paths


def bfs_layers(G: object, sources: object) -> Iterator[list[Node]]:
    """Yield the nodes at distance 0, 1, 2 and so on from the sources."""
    graph = of(G)
    given = {sources} if sources in graph else set(sources)  # type: ignore[call-overload]  # nodes, then
    for node in given:
        if node not in graph:
            raise nx.NetworkXError(f"The node {node} is not in the graph.")
    if given:
        yield from walk(graph, list(given)).levels()


def descendants_at_distance(G: object, source: Node, distance: int) -> set[Node]:
    """Return the nodes at one distance from a node."""
    graph = of(G)
    if source not in graph:
        raise nx.NetworkXError(f"The node {source} is not in the graph.")
    found = walk(graph, [source], distance)
    layers = enumerate(found.levels())
    return next((set(layer) for depth, layer in layers if depth == distance), set())


def bfs_edges(
    G: object,
    source: Node,
    reverse: bool = False,
    depth_limit: float | None = None,
    sort_neighbors: None = None,
) -> Iterator[tuple[Node, Node]]:
    """Yield the edges by which a search by breadth finds its nodes."""
    found = walk(_with(of(G), source), [source], depth_limit, against=reverse)
    yield from zip(found.parents, found.nodes[1:], strict=True)


def descendants(G: object, source: Node) -> set[Node]:
    """Return what can be reached from a node, itself left out."""
    return set(walk(_with(of(G), source), [source]).nodes[1:])


def ancestors(G: object, source: Node) -> set[Node]:
    """Return what a node can be reached from, itself left out."""
    return set(walk(_with(of(G), source), [source], against=True).nodes[1:])


def _with(graph: BackendGraph, source: Node) -> BackendGraph:
    """The graph, which must have the node."""
    if source not in graph:
        kind = "digraph" if graph.is_directed() else "graph"
        raise nx.NetworkXError(f"The node {source} is not in the {kind}.")
    return graph


# -- with weights -----------------------------------------------------------------------------


@dataclass
class Weighted:
    """Dijkstra's searches in one graph, one after the other, with the same scratch."""

    graph: BackendGraph
    weight: str | None
    against: bool = False

    def __post_init__(self) -> None:
        n = len(self.graph)
        self.rows = self.graph.forward
        if self.weight is None:
            self.values, self.whole = np.ones(self.rows[1].size), True
        else:
            self.values, self.whole = self.graph.weights(self.weight, "min")
        if not (self.values >= 0).all():
            raise NotImplementedError(f"nkgraph: some weights {self.weight!r} are negative or NaN")
        if self.against and self.graph.is_directed():
            self.rows = self.graph.backward
            self.values = _weights_against(self.graph, self.values)
        self.keys = np.empty(n)
        self.places = np.full(n, -1, np.int64)
        self.parents, self._order = np.empty((2, n), np.uint32)
        self._counts, self._heap = np.empty(n, np.int64), np.empty(n, np.uint32)
        self.count = 0

    def run(self, sources: list[int], goal: int = -1, cutoff: float | None = None) -> U32:
        """Search from some nodes; return what is settled, nearest first."""
        self.places.fill(-1)
        self.count = int(
            kernels.ordered.nearest_first(
                *self.rows,
                self.values,
                np.array(sources, np.uint32),
                goal,
                math.inf if cutoff is None else float(cutoff),
                self.keys,
                self._counts,
                self.places,
                self._heap,
                self.parents,
                self._order,
            )
        )
        return self._order[: self.count]

    def numbers(self, order: U32, sources: int = 1) -> list[Number]:
        """Distances of settled nodes as Python numbers; of the sources 0, as in NetworkX."""
        found = self.keys[order]
        numbers: list[Number] = (found.astype(np.int64) if self.whole else found).tolist()
        numbers[:sources] = [number or 0 for number in numbers[:sources]]
        return numbers


def _weights_against(graph: BackendGraph, weights: F64) -> F64:
    """The weights of the slots of ``backward``, from those of ``forward``."""
    offsets, sources = graph.backward
    rows = np.repeat(np.arange(len(graph), dtype=np.uint32), np.diff(offsets))
    ahead, against = _codes(graph.slot_rows, graph.forward[1]), _codes(sources, rows)
    order = np.argsort(ahead)
    found: F64 = weights[order[np.searchsorted(ahead, against, sorter=order)]]
    return found


def _codes(sources: U32, targets: U32) -> U64:
    return sources.astype(np.uint64) << np.uint64(32) | targets


def _starts(graph: BackendGraph, sources: object) -> list[int]:
    if not sources:
        raise ValueError("sources must not be empty")
    for node in sources:  # type: ignore[attr-defined]  # nodes
        if node not in graph:
            raise nx.NodeNotFound(f"Node {node} not found in graph")
    return list(dict.fromkeys(graph.index[node] for node in sources))  # type: ignore[attr-defined]  # nodes


def multi_source_dijkstra_path_length(
    G: object, sources: object, cutoff: float | None = None, weight: str | None = "weight"
) -> dict[Node, Number]:
    """Return the distance of each node from the nearest of some nodes."""
    graph = of(G)
    starts = _starts(graph, sources)
    search = Weighted(graph, weight)
    order = search.run(starts, cutoff=cutoff)
    return dict(zip(graph.names(order), search.numbers(order, len(starts)), strict=True))


def single_source_dijkstra_path_length(
    G: object, source: Node, cutoff: float | None = None, weight: str | None = "weight"
) -> dict[Node, Number]:
    """Return the distance of each node from one."""
    return multi_source_dijkstra_path_length(G, {source}, cutoff, weight)


def all_pairs_dijkstra_path_length(
    G: object, cutoff: float | None = None, weight: str | None = "weight"
) -> Iterator[tuple[Node, dict[Node, Number]]]:
    """Yield each node with the distances from it."""
    graph = of(G)
    search = Weighted(graph, weight)  # here, so that what it refuses is refused at once

    def pairs() -> Iterator[tuple[Node, dict[Node, Number]]]:
        for position, node in enumerate(graph.nodes):
            order = search.run([position], cutoff=cutoff)
            yield node, dict(zip(graph.names(order), search.numbers(order), strict=True))

    return pairs()


def dijkstra_path_length(
    G: object, source: Node, target: Node, weight: str | None = "weight"
) -> Number:
    """Return the distance from one node to another."""
    graph = of(G)
    start = _position(graph, source, f"Node {source} not found in graph")
    if source == target:
        return 0
    search = Weighted(graph, weight)
    goal = graph.index.get(target, -1)
    order = search.run([start], goal)
    if goal < 0 or search.places[goal] != -2:
        raise nx.NetworkXNoPath(f"Node {target} not reachable from {source}")
    return search.numbers(order)[-1]


def multi_source_dijkstra(
    G: object,
    sources: object,
    target: Node = None,
    cutoff: float | None = None,
    weight: str | None = "weight",
) -> object:
    """Return distances from the nearest of some nodes, and paths."""
    graph = of(G)
    starts = _starts(graph, sources)
    if target in sources:  # type: ignore[operator]  # nodes
        return 0, [target]
    search = Weighted(graph, weight)
    goal = -1 if target is None else graph.index.get(target, -1)
    order = search.run(starts, goal, cutoff)
    names, numbers = graph.names(order), search.numbers(order, len(starts))
    if target is None:
        paths = {graph.nodes[start]: [graph.nodes[start]] for start in starts}
        places = dict(zip(order.tolist(), names, strict=True))
        parents = search.parents[order].tolist()
        for node, parent in zip(names[len(starts) :], parents[len(starts) :], strict=True):
            paths[node] = [*paths[places[parent]], node]
        return dict(zip(names, numbers, strict=True)), paths
    if goal < 0 or search.places[goal] != -2:
        raise nx.NetworkXNoPath(f"No path to {target}.")
    path, first = [goal], set(starts)
    while path[-1] not in first:
        path.append(int(search.parents[path[-1]]))
    return numbers[-1], [graph.nodes[position] for position in reversed(path)]


def single_source_dijkstra(
    G: object,
    source: Node,
    target: Node = None,
    cutoff: float | None = None,
    weight: str | None = "weight",
) -> object:
    """Return distances from one node, and paths."""
    return multi_source_dijkstra(G, {source}, target, cutoff, weight)


def shortest_path_length(
    G: object,
    source: Node = None,
    target: Node = None,
    weight: str | None = None,
    method: str = "dijkstra",
) -> object:
    """Return lengths of shortest paths: between two nodes, from or to one, or between all."""
    if method not in ("dijkstra", "bellman-ford"):
        raise ValueError(f"method not supported: {method}")
    graph = of(G)
    if weight is not None:
        return _weighted_lengths(graph, source, target, weight)
    if source is None:
        if target is None:
            return all_pairs_shortest_path_length(graph)
        _position(graph, target, f"Source {target} is not in G")
        return _lengths(walk(graph, [target], against=True))
    if target is None:
        return single_source_shortest_path_length(graph, source)
    for node, end in ((source, "Source"), (target, "Target")):
        if node not in graph:
            raise nx.NodeNotFound(f"{end} {node} is not in G")
    search = Search(graph.forward)
    search.run([graph.index[source]])
    depth = int(search.depths[graph.index[target]])
    if depth < 0:
        raise nx.NetworkXNoPath(f"No path between {source} and {target}.")
    return depth


def _weighted_lengths(graph: BackendGraph, source: Node, target: Node, weight: str) -> object:
    if source is None and target is None:
        return all_pairs_dijkstra_path_length(graph, weight=weight)
    if target is None:
        return single_source_dijkstra_path_length(graph, source, weight=weight)
    if source is not None:
        return dijkstra_path_length(graph, source, target, weight)
    start = _position(graph, target, f"Node {target} not found in graph")
    search = Weighted(graph, weight, against=True)
    order = search.run([start])
    return dict(zip(graph.names(order), search.numbers(order), strict=True))
