"""Graphs and rows as graphs of networkit."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nkgraph.errors import GraphError
from nkgraph.interop import ends
from nkgraph.interop.arrow import require

if TYPE_CHECKING:
    from nkgraph.csr import CSR
    from nkgraph.graph import Graph

NetworKit = Any  # networkit.Graph: the library is optional


def from_csr(csr: "CSR") -> NetworKit:
    """Return a directed graph of rows; see ``CSR.to_networkit``."""
    return _directed(csr.node_count, csr.row_ids(), csr.targets, csr.weights)


def from_graph(graph: "Graph", connection_type: str | None, weight: str | None) -> NetworKit:
    """Return a directed graph of edges; see ``Graph.to_networkit``."""
    found = ends.of_graph(graph, connection_type, weight)
    made = _directed(found.node_count, found.sources, found.targets, found.weights)
    for node in np.setdiff1d(np.arange(found.node_count), found.nodes).tolist():
        made.removeNode(node)
    return made


def _directed(
    count: int, sources: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
) -> NetworKit:
    networkit = require("networkit", "networkit")
    rows, columns = sources.astype(np.uint64), targets.astype(np.uint64)
    weighted = weights is not None
    data = np.ones(sources.size) if weights is None else _exact(weights)
    return networkit.GraphFromCoo(
        (data, (rows, columns)), n=count, weighted=weighted, directed=True
    )


def _exact(weights: np.ndarray) -> np.ndarray:
    """Weights as float64; an integer that would be rounded is refused."""
    floats = weights.astype(np.float64)
    if weights.dtype.kind in "iu":
        rounded = (weights > 2**53) | (weights < -(2**53) if weights.dtype.kind == "i" else False)
        if rounded.any():
            row = int(rounded.argmax())
            raise GraphError(f"weights: row {row}: {weights[row]} is not exact as a float64")
    return floats
