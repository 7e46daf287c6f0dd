"""Graphs and rows as graphs of python-igraph."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nkgraph.interop import ends
from nkgraph.interop.arrow import require

if TYPE_CHECKING:
    from nkgraph.csr import CSR
    from nkgraph.graph import Graph

IGraph = Any  # igraph.Graph: the library is optional


def from_csr(csr: "CSR") -> IGraph:
    """Return a directed graph of rows; see ``CSR.to_igraph``."""
    weights = None if csr.weights is None else csr.weights.tolist()
    graph = _directed(csr.node_count, csr.row_ids(), csr.targets, csr.edges)
    if weights is not None:
        graph.es["weight"] = weights
    return graph


def from_graph(graph: "Graph", connection_type: str | None, weight: str | None) -> IGraph:
    """Return a directed graph of edges with their attributes; see ``Graph.to_igraph``."""
    found = ends.of_graph(graph, connection_type, weight)
    made = _directed(found.node_count, found.sources, found.targets, found.edges)
    made.vs["id"] = _spread(found.nodes, graph.ids(found.nodes), found.node_count)
    made.vs["type"] = _spread(found.nodes, graph.types(found.nodes), found.node_count)
    made.es["type"] = found.types()
    if found.weights is not None:
        made.es["weight"] = found.weights.tolist()
    return made


def _directed(count: int, sources: np.ndarray, targets: np.ndarray, edges: np.ndarray) -> IGraph:
    pairs = np.empty((sources.size, 2), np.int64)
    pairs[:, 0], pairs[:, 1] = sources, targets
    graph = require("igraph", "igraph").Graph(n=count, edges=pairs, directed=True)
    graph.es["edge"] = edges.tolist()
    return graph


def _spread(nodes: np.ndarray, values: np.ndarray, count: int) -> list[object]:
    """Values by node id, None for removed ones."""
    spread = np.full(count, None, object)
    spread[nodes] = values
    listed: list[object] = spread.tolist()
    return listed
