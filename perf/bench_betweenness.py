"""Rows *betweenness ...*: scores from four sources, undirected, RMAT and uniform.

Against GAP's ``bc`` on the same graph (it divides by the highest score too, and keeps shares in
float32), and against level-wise matrix products of scipy.
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from nkgraph.algorithms.betweenness import betweenness
from nkgraph.dtypes import F64
from perf import gap, graphs
from perf.harness import Call, Row, Scale

SOURCES = 4


def against_gap(kind: str, scale: int, degree: int) -> tuple[Call, Call]:
    """GAP draws sources of its own in each trial; the best of three trials counts."""
    rival = gap.rival("bc", graphs.serialized(kind, scale, degree), ["-i", str(SOURCES)])
    return ours(kind, scale, degree), rival


def ours(kind: str, scale: int, degree: int) -> Call:
    """Scores of a CSR."""
    csr = graphs.graph(kind, scale, degree)
    sources = graphs.source_nodes(csr, SOURCES)
    return lambda: betweenness(csr, sources=sources)


def against_scipy(kind: str, scale: int, degree: int) -> tuple[Call, Call]:
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

    return ours(kind, scale, degree), rival


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    bits = (scale.node_count - 1).bit_length()
    degree = max(1, scale.edge_count >> bits)
    for kind in ("rmat", "uniform"):
        yield Row(f"betweenness {kind}", partial(against_scipy, kind, bits, degree), 1.0, 0.5)
        yield Row(f"betweenness {kind} GAP", partial(against_gap, kind, bits, degree), 2.0, 1.2)
    graphs.forget()
