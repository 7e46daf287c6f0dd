"""Components, weak and strong, of NetworkX's name and order."""

from collections.abc import Iterator

import numpy as np

from nkgraph import kernels
from nkgraph.algorithms import components as weak
from nkgraph.csr import CSR
from nkgraph.dtypes import I64, NO_NODE, U32
from nkgraph.nx_backend.config import threads
from nkgraph.nx_backend.graph import BackendGraph, Converted, of
from nkgraph.nx_backend.library import Node, Number, nx

NULL = "Connectivity is undefined for the null graph."


def _labels(graph: BackendGraph) -> U32:
    """The first position in the component of each node."""
    if isinstance(graph, Converted) and not graph.is_directed() and not graph.is_read:
        return _labels_by_sample(graph)
    return weak.connected_components(graph.csr(), threads=threads())


def _labels_by_sample(graph: Converted) -> U32:
    """As ``_labels``, of an undirected graph of which no rows are read.

    Two edges of each node join most nodes; all edges of the others do the rest, as each edge is in
    the rows of both its ends (the idea of Afforest, which ``nkgraph.algorithms`` uses). That spares
    to read most of the graph, which takes longer than all else.
    """
    first = graph.csr(graph.sample(2))
    labels = weak.connected_components(first, threads=threads())
    if not labels.any():
        return labels
    giant = np.bincount(labels).argmax()
    outside = np.flatnonzero(labels != giant)
    sources, targets = graph.edges_of(outside)
    rows = np.concatenate([first.row_ids(), sources])
    peers = np.concatenate([first.targets, targets])
    joined = CSR.from_edges(rows, peers, len(graph))
    return weak.connected_components(joined, threads=threads())


def _sets(graph: BackendGraph, labels: U32 | I64) -> Iterator[set[Node]]:
    """Yield the nodes of each label, labels ascending."""
    order = np.argsort(labels, kind="stable")
    names = graph.names(order)
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    start = 0
    for stop in [*ends.tolist(), len(names)]:
        if stop > start:
            yield set(names[start:stop])
        start = stop


def connected_components(G: object) -> Iterator[set[Node]]:
    """Yield the nodes of each component."""
    graph = of(G)
    yield from _sets(graph, _labels(graph))


def number_connected_components(G: object) -> int:
    """Count the components."""
    labels = _labels(of(G))
    return int(np.count_nonzero(labels == np.arange(labels.size)))


def is_connected(G: object) -> bool:
    """Whether there is one component."""
    graph = of(G)
    if len(graph) == 0:
        raise nx.NetworkXPointlessConcept(NULL)
    return not _labels(graph).any()


def node_connected_component(G: object, n: Node) -> set[Node]:
    """Return the nodes of the component of one node."""
    graph = of(G)
    position, labels = graph.index[n], _labels(graph)
    return set(graph.names(np.flatnonzero(labels == labels[position])))


weakly_connected_components = connected_components
number_weakly_connected_components = number_connected_components
is_weakly_connected = is_connected


def _strong(graph: BackendGraph) -> tuple[I64 | U32, int]:
    """The number of the component of each node, in the order in which they end; how many."""
    n = len(graph)
    found = np.full(n, NO_NODE)
    ranks, lows = np.zeros((2, n), np.uint32)
    path, stack = np.empty((2, n), np.uint32)
    count = kernels.ordered.strong(
        *graph.forward, ranks, lows, np.empty(n, np.int64), path, stack, found
    )
    return found, int(count)


def strongly_connected_components(G: object) -> Iterator[set[Node]]:
    """Yield the nodes of each strong component."""
    graph = of(G)
    yield from _sets(graph, _strong(graph)[0])


def number_strongly_connected_components(G: object) -> int:
    """Count the strong components."""
    return _strong(of(G))[1]


def is_strongly_connected(G: object) -> bool:
    """Whether there is one strong component."""
    graph = of(G)
    if len(graph) == 0:
        raise nx.NetworkXPointlessConcept(NULL)
    return _strong(graph)[1] == 1


def _attracting(graph: BackendGraph) -> tuple[U32 | I64, I64]:
    """Strong components, and which of them no edge leaves."""
    found, count = _strong(graph)
    rows, targets = graph.slot_rows, graph.forward[1]
    leaving = found[rows] != found[targets]
    left = np.zeros(count, bool)
    left[found[rows[leaving]]] = True
    return found, np.flatnonzero(~left)


def attracting_components(G: object) -> Iterator[set[Node]]:
    """Yield the nodes of each strong component that no edge leaves."""
    graph = of(G)
    found, kept = _attracting(graph)
    inside = np.flatnonzero(np.isin(found, kept))
    order = inside[np.argsort(found[inside], kind="stable")]
    names, ends = graph.names(order), np.flatnonzero(np.diff(found[order])) + 1
    start = 0
    for stop in [*ends.tolist(), len(names)]:
        if stop > start:
            yield set(names[start:stop])
        start = stop


def number_attracting_components(G: object) -> int:
    """Count the strong components that no edge leaves."""
    return int(_attracting(of(G))[1].size)


def is_attracting_component(G: object) -> bool:
    """Whether the whole graph is one strong component."""
    graph = of(G)
    found, kept = _attracting(graph)
    return kept.size == 1 and bool((found == kept[0]).all())


def flow_hierarchy(G: object, weight: str | None = None) -> float:
    """Return the part of the edges, or of their weight, that is in no cycle."""
    graph = of(G)
    if graph.forward[1].size == 0:
        raise nx.NetworkXError("flow_hierarchy not applicable to empty graphs")
    if not graph.is_directed():
        raise nx.NetworkXError("G must be a digraph in flow_hierarchy")
    found, _ = _strong(graph)
    inside = found[graph.slot_rows] == found[graph.forward[1]]
    sizes: np.ndarray
    if weight is not None:
        sizes, whole = graph.weights(weight, "sum")
        if not whole:
            return float(1 - sizes[inside].sum() / sizes.sum())
    else:
        sizes = np.ones(inside.size, np.int64) if graph.counts is None else graph.counts
    total: Number = int(sizes.sum())
    return 1 - int(sizes[inside].sum()) / total


def is_forest(G: object) -> bool:
    """Whether no component has a cycle, whatever the direction of the edges."""
    graph = of(G)
    if len(graph) == 0:
        raise nx.NetworkXPointlessConcept("G has no nodes.")
    return graph.number_of_edges() == len(graph) - number_connected_components(graph)
