"""Rows *triangles*, *triangles scipy*, *clustering*: on simple undirected graphs.

Ours is the whole public call, from rows as GAP's ``tc`` gets them (each edge at both of its ends,
ascending): it takes nothing of that for granted and makes its own simple rows first. GAP's time
is its trial time, in which relabelling by degree is counted and the making of simple rows is not;
both run on as many threads. scipy multiplies lower triangles of the adjacency matrix.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from nkgraph.algorithms.triangles import local_clustering, triangle_count
from nkgraph.dtypes import F64
from perf import gap, graphs
from perf.harness import Call, Row, Scale


def against_gap(kind: str, scale: int) -> tuple[Call, Call]:
    """``triangle_count`` against GAP ``tc``."""
    gap.program("tc")
    csr = graphs.graph(kind, scale)
    return lambda: triangle_count(csr), gap.rival("tc", graphs.serialized(kind, scale), count=1)


def against_scipy(kind: str, scale: int) -> tuple[Call, Call]:
    """``triangle_count`` against a masked product of sparse matrices."""
    from scipy.sparse import tril

    csr = graphs.graph(kind, scale)
    matrix = csr.to_scipy()

    def rival() -> float:
        lower = tril(matrix, format="csr")
        return float((lower @ lower).multiply(lower).sum())

    return lambda: triangle_count(csr), rival


def clustering(kind: str, scale: int) -> tuple[Call, Call]:
    """``local_clustering`` of a directed graph against products of sparse matrices."""
    csr = graphs.graph(kind, scale, directed=True)
    matrix = csr.to_scipy()

    def rival() -> F64:
        either = matrix + matrix.T
        either.data[:] = 1.0
        degrees = np.diff(either.indptr)
        inner = (either @ matrix).multiply(either).sum(axis=1)
        found: F64 = np.asarray(inner).ravel() / np.maximum(degrees * (degrees - 1), 1)
        return found

    return lambda: local_clustering(csr), rival


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    full = scale.node_count.bit_length() - 1
    for size in (full - 2, full):
        for kind in ("rmat", "uniform"):
            yield Row(f"triangles {kind} {size}", partial(against_gap, kind, size), 0.4, 0.2)
    graphs.forget()
    for kind in ("rmat", "uniform"):
        small = full - 6
        yield Row(f"triangles scipy {kind}", partial(against_scipy, kind, small), 0.4, 0.2)
        yield Row(f"clustering {kind}", partial(clustering, kind, small), 0.2, 0.1)
    graphs.forget()
