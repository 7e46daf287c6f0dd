"""Odd graphs for the tests of ranks and components."""

import numpy as np

import nkgraph as nk
from nkgraph.csr import CSR

FORMS = ("csr", "turned csr", "memory", "mapped")


def typed(node_count, edges, tmp_path, form, removed=()):
    """A graph of edges (source, target, type) in one of ``FORMS``; types only in the last two."""
    ends = np.array([edge[:2] for edge in edges], np.int64).reshape(-1, 2)
    if "csr" in form:
        csr = CSR.from_edges(ends[:, 0], ends[:, 1], node_count)
        if form == "turned csr":
            csr._against()
        return csr
    graph = nk.Graph()
    graph.add_nodes("N", np.arange(node_count))
    for kind in sorted({edge[2] for edge in edges}):
        mine = ends[[edge[2] == kind for edge in edges]]
        graph.add_edges(kind, mine[:, 0], mine[:, 1])
    if removed:
        graph.remove_nodes(sorted(removed))
    if form == "memory":
        return graph
    graph.save(tmp_path / "g")
    return nk.open(tmp_path / "g")


def kept(edges, removed, kind=None):
    """Edges (source, target) that live, of one type if it is given."""
    return [
        (s, t) for s, t, k in edges if s not in removed and t not in removed and kind in (None, k)
    ]


def skewed(node_count, edge_count, seed):
    """Random edges of types A and B; low node ids have most of them, loops and parallels too."""
    rng = np.random.default_rng(seed)
    ends = (rng.random((2, edge_count)) ** 3 * node_count).astype(int).tolist()
    return list(zip(*ends, rng.choice(["A", "B"], edge_count).tolist(), strict=True))
