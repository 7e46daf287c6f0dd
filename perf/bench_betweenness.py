"""Rows *betweenness ...*: scores from four sources, undirected, RMAT and uniform.

Against GAP's ``bc`` on the same graph (it divides by the highest score too, and keeps shares in
float32), igraph (on the smaller graph alone), and level-wise matrix products of scipy.
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from nkgraph.algorithms.betweenness import betweenness
from nkgraph.csr import CSR
from nkgraph.dtypes import F64
from perf import gap, graphs, rivals
from perf.harness import Call, Contest, Rival, Row, Scale

SOURCES = 4


def against_programs(kind: str, scale: int, degree: int, small: bool) -> Contest:
    """GAP draws sources of its own in each trial; the best of three trials counts."""
    graph = kind, scale, degree
    csr = graphs.graph(*graph)

    def by_gap() -> Call:
        return gap.rival("bc", graphs.serialized(*graph), ["-i", str(SOURCES)])

    def by_igraph() -> Call:
        sources = graphs.source_nodes(csr, SOURCES).tolist()
        return partial(rivals.igraph(*graph).betweenness, sources=sources)

    found = {"GAP bc": Rival(by_gap)}
    if small:  # igraph counts each pair once
        found["igraph"] = Rival(by_igraph, lambda ours, its: rivals.close(ours, 2 * np.array(its)))
    return Contest(ours(csr), found, moved(csr))


def ours(csr: CSR) -> Call:
    """Scores of a CSR."""
    return partial(betweenness, csr, sources=graphs.source_nodes(csr, SOURCES))


def moved(csr: CSR) -> int:
    """Rows read out and back for each source; depths, counts and shares written and read."""
    return SOURCES * 2 * (4 * csr.edge_count + (8 + 16) * csr.node_count)


def by_scipy(kind: str, scale: int, degree: int) -> Contest:
    """A matrix product a level and source, out and back."""
    csr = graphs.graph(kind, scale, degree)
    matrix = csr.to_scipy()
    sources = graphs.source_nodes(csr, SOURCES)

    def rival() -> F64:
        scores = np.zeros(csr.node_count)
        for source in sources:
            paths = np.zeros(csr.node_count)
            paths[source] = 1.0
            fronts = [paths.copy()]
            while fronts[-1].any():
                found = matrix @ fronts[-1]  # the matrix is symmetric
                found[paths > 0] = 0.0
                paths += found
                fronts.append(found)
            shares = np.zeros(csr.node_count)
            for before, front in reversed(list(pairwise(fronts[:-1]))):
                through = np.divide(1.0 + shares, paths, out=np.zeros_like(paths), where=front > 0)
                shares += (matrix @ through) * before
            shares[source] = 0.0
            scores += shares
        return scores

    return Contest(ours(csr), {"scipy": Rival(lambda: rival, rivals.close)}, moved(csr))


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top, degree = scale.bits, scale.degree
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            make = partial(against_programs, kind, size, degree, size < top)
            yield Row(f"betweenness {kind} {size}", make, 2.0, 1.2, rival="GAP bc")
        make = partial(by_scipy, kind, top, degree)
        yield Row(f"betweenness {kind} {top} scipy", make, 1.0, 0.5, rival="scipy")
        graphs.forget()
