"""The edges of a graph as arrays, for libraries that take lists of edges."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nkgraph.dtypes import F64, U32

if TYPE_CHECKING:
    from nkgraph.graph import Graph


@dataclass(frozen=True)
class EdgeArrays:
    """Live edges, ascending by id, and what goes with them."""

    node_count: int
    """How many node ids there are, those of removed nodes included."""
    nodes: U32
    """Live nodes, ascending."""
    sources: U32
    targets: U32
    edges: U32
    weights: F64 | None
    type_names: list[str]
    type_codes: np.ndarray
    """Place in ``type_names`` of the connection type of each edge."""

    def types(self) -> list[str]:
        """Connection type of each edge."""
        names = np.array(self.type_names or [""], object)
        listed: list[str] = names[self.type_codes].tolist()
        return listed


def of_graph(graph: "Graph", connection_type: str | None, weight: str | None) -> EdgeArrays:
    """Collect live edges, of one connection type if given.

    Raises
    ------
    GraphError
        An edge has no weight, or one that is no number.
    NotFoundError
        No such connection type or property.
    """
    from nkgraph.algorithms.view import View

    view = View(graph, connection_type, "out", weight, weighted=True)
    sources, targets, edges = graph.edges(connection_type)
    by_id = view._edge_weights()
    names = list(graph.connection_types) if connection_type is None else [connection_type]
    codes = np.zeros(edges.size, np.int64)
    for code, name in enumerate(names[1:], 1):
        codes[np.searchsorted(edges, graph.edges(name)[2])] = code
    weights = None if by_id is None else by_id[edges]
    nodes = graph.nodes()
    return EdgeArrays(view.node_count, nodes, sources, targets, edges, weights, names, codes)
