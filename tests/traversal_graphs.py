"""Graphs for the tests of traversals, each beside its plain edge list."""

from dataclasses import dataclass

import numpy as np

import nkgraph as nk
from nkgraph.csr import CSR


@dataclass
class Case:
    """A graph and what is in it: node ids, live ones, and (source, target, type, weight)."""

    graph: object
    node_count: int
    live: list
    edges: list

    def ends(self, kind=None):
        """Sources, targets and weights of the edges of a type, or of all."""
        kept = [e for e in self.edges if kind is None or e[2] == kind]
        return [e[0] for e in kept], [e[1] for e in kept], [e[3] for e in kept]


def random_edges(n, m, seed, skew=1):
    """Edges with loops and parallel ones; some nodes have none."""
    rng = np.random.default_rng(seed)
    ends = (rng.random((2, m)) ** skew * n).astype(int).tolist()
    kinds = rng.choice(["A", "B", "C"], m, p=[0.6, 0.3, 0.1]).tolist()
    return list(zip(*ends, kinds, rng.integers(0, 9, m).astype(float).tolist(), strict=True))


def csr_case(n, edges):
    sources, targets, _, weights = zip(*edges, strict=True) if edges else ([], [], [], [])
    csr = CSR.from_edges(sources, targets, n, weights)
    return Case(csr, n, list(range(n)), edges)


def graph_case(n, edges, removed=()):
    """A graph in memory; edges are added in runs of a type."""
    graph = nk.Graph()
    graph.add_nodes("N", np.arange(n))
    for kind in sorted({e[2] for e in edges}):
        part = [e for e in edges if e[2] == kind]
        sources, targets, _, weights = zip(*part, strict=True)
        graph.add_edges(kind, sources, targets, {"weight": np.array(weights)})
    graph.remove_nodes(np.array(list(removed), np.int64))
    kept = [e for e in edges if e[0] not in removed and e[1] not in removed]
    return Case(graph, n, [u for u in range(n) if u not in removed], kept)


def mapped_case(n, edges, path):
    case = graph_case(n, edges)
    case.graph.save(path)
    case.graph.close()
    case.graph = nk.open(path)
    return case
