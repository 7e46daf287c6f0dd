"""Rows *triangles*, *clustering*: on simple undirected graphs.

Ours is the whole public call, from rows as GAP's ``tc`` gets them (each edge at both of its ends,
ascending): it takes nothing of that for granted and makes its own simple rows first. GAP's time
is its trial time, in which relabelling by degree is counted and the making of simple rows is not;
both run on as many threads. GraphBLAS and scipy multiply lower triangles of the adjacency matrix.
Clustering stands against networkit's turbo form, whose run makes its own index, as ours does.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from nkgraph.algorithms.triangles import local_clustering, triangle_count
from nkgraph.csr import CSR
from nkgraph.dtypes import F64
from perf import gap, graphs, rivals
from perf.harness import Call, Contest, Rival, Row, Scale


def counting(kind: str, scale: int, degree: int) -> Contest:
    """``triangle_count`` against GAP ``tc`` and a masked product."""
    graph = kind, scale, degree
    csr = graphs.graph(*graph)

    def by_gap() -> Call:
        gap.program("tc")
        return gap.rival("tc", graphs.serialized(*graph), count=1)

    def by_graphblas() -> Call:
        blas, matrix = rivals.library("graphblas"), rivals.graphblas(*graph)

        def call() -> Any:
            lower = blas.select.tril(matrix).new()
            found = blas.Matrix(blas.dtypes.INT64, *matrix.shape)
            found(lower.S) << blas.semiring.plus_pair(lower @ lower.T)
            return found.reduce_scalar(blas.monoid.plus).new().get(0)

        return call

    found = {"GAP tc": Rival(by_gap), "graphblas": Rival(by_graphblas, rivals.equal)}
    return Contest(lambda: triangle_count(csr), found, moved(csr))


def moved(csr: CSR) -> int:
    """The rows, read once."""
    return 4 * csr.edge_count + 8 * csr.node_count


def by_scipy(kind: str, scale: int, degree: int) -> Contest:
    """``triangle_count`` against a masked product of sparse matrices."""
    from scipy.sparse import tril

    csr = graphs.graph(kind, scale, degree)
    matrix = csr.to_scipy()

    def rival() -> float:
        lower = tril(matrix, format="csr")
        return float((lower @ lower).multiply(lower).sum())

    found = {"scipy": Rival(lambda: rival, rivals.equal)}
    return Contest(lambda: triangle_count(csr), found, moved(csr))


def clustering(kind: str, scale: int, degree: int) -> Contest:
    """``local_clustering`` against networkit and igraph."""
    graph = kind, scale, degree
    csr = graphs.graph(*graph)

    def by_networkit() -> Call:
        centrality = rivals.library("networkit").centrality
        made = rivals.networkit(*graph)
        return lambda: centrality.LocalClusteringCoefficient(made, turbo=True).run()

    def by_igraph() -> Call:
        return partial(rivals.igraph(*graph).transitivity_local_undirected, mode="zero")

    found = {
        "networkit": Rival(by_networkit, lambda ours, its: rivals.close(ours, its.scores())),
        "igraph": Rival(by_igraph, rivals.close),
    }
    return Contest(lambda: local_clustering(csr), found, moved(csr) + 8 * csr.node_count)


def clustering_by_scipy(kind: str, scale: int, degree: int) -> Contest:
    """``local_clustering`` of a directed graph against products of sparse matrices."""
    csr = graphs.graph(kind, scale, degree, directed=True)
    matrix = csr.to_scipy()

    def rival() -> F64:
        either = matrix + matrix.T
        either.data[:] = 1.0
        degrees = np.diff(either.indptr)
        inner = (either @ matrix).multiply(either).sum(axis=1)
        found: F64 = np.asarray(inner).ravel() / np.maximum(degrees * (degrees - 1), 1)
        return found

    moved_too = 2 * moved(csr) + 8 * csr.node_count
    found = {"scipy": Rival(lambda: rival, rivals.close)}
    return Contest(lambda: local_clustering(csr), found, moved_too)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top, degree = scale.bits, scale.degree
    for size in (top - 2, top):
        for kind in ("rmat", "uniform"):
            make = partial(counting, kind, size, degree)
            yield Row(f"triangles {kind} {size}", make, 0.4, 0.2, rival="GAP tc")
    for kind in ("rmat", "uniform"):
        make = partial(clustering, kind, top - 2, degree)
        yield Row(f"clustering {kind} {top - 2}", make, 0.6, 0.3, rival="networkit")
    graphs.forget()
    for kind in ("rmat", "uniform"):
        small = max(1, top - 6)
        make = partial(by_scipy, kind, small, degree)
        yield Row(f"triangles {kind} {small} scipy", make, 0.4, 0.2, rival="scipy")
        make = partial(clustering_by_scipy, kind, small, degree)
        yield Row(f"clustering {kind} {small} scipy", make, 0.2, 0.1, rival="scipy")
    graphs.forget()
