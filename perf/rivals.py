"""Graphs in the forms of the libraries that users have, and whether answers are the same.

A library is imported when it is first asked for; ``ModuleNotFoundError`` says that it is missing.
Making a graph is no part of what is timed. The graphs of one kind and size are kept while rows of
that size are measured.
"""

from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nkgraph.csr import CSR
from nkgraph.dtypes import U32
from nkgraph.threads import thread_count
from perf import graphs

KEPT, KEPT_LONG = 2, 4
"""Graphs that are kept of libraries that make them in little time, and in much."""


def library(name: str) -> Any:
    """Import a library by name, and let it use as many threads as nkgraph does."""
    found: Any = import_module(name)
    if name == "networkit":
        found.setNumberOfThreads(thread_count())
    if name == "graphblas":
        found.ss.config["nthreads"] = thread_count()
    return found


def ends(csr: CSR, directed: bool) -> tuple[U32, U32, NDArray[Any] | None]:
    """Sources, targets and weights of the edges; of an undirected graph each edge once."""
    sources = csr.row_ids()
    if directed:
        return sources, csr.targets, csr.weights
    once = sources < csr.targets
    weights = None if csr.weights is None else csr.weights[once]
    return sources[once], csr.targets[once], weights


def graph(kind: str, scale: int, degree: int, directed: bool, weighted: bool) -> CSR:
    """Give the graph that all contenders get."""
    make = graphs.weighted if weighted else graphs.graph
    return make(kind, scale, degree, directed)


@lru_cache(KEPT)
def networkit(
    kind: str, scale: int, degree: int, directed: bool = False, weighted: bool = False
) -> Any:
    """``networkit.Graph`` with sorted rows."""
    module = library("networkit")
    csr = graph(kind, scale, degree, directed, weighted)
    sources, targets, weights = ends(csr, directed)
    pairs = sources.astype(np.uint64), targets.astype(np.uint64)
    data = pairs if weights is None else (weights.astype(np.float64), pairs)
    made = module.GraphFromCoo(data, csr.node_count, weighted, directed)
    made.sortEdges()
    return made


@lru_cache(KEPT_LONG)
def igraph(kind: str, scale: int, degree: int, directed: bool = False) -> Any:
    """``igraph.Graph``; its edges are in the order of ``ends``."""
    module = library("igraph")
    csr = graph(kind, scale, degree, directed, False)
    sources, targets, _ = ends(csr, directed)
    pairs = np.stack([sources, targets], axis=1).astype(np.int64)
    return module.Graph(n=csr.node_count, edges=pairs, directed=directed)


@lru_cache(KEPT_LONG)
def rustworkx(
    kind: str, scale: int, degree: int, directed: bool = False, weighted: bool = False
) -> Any:
    """``rustworkx.PyGraph`` or ``PyDiGraph``; edges carry their weight."""
    module = library("rustworkx")
    csr = graph(kind, scale, degree, directed, weighted)
    sources, targets, weights = ends(csr, directed)
    made = (module.PyDiGraph if directed else module.PyGraph)()
    made.add_nodes_from(range(csr.node_count))
    pairs = sources.tolist(), targets.tolist()
    if weights is None:
        made.add_edges_from_no_data(list(zip(*pairs, strict=True)))
    else:
        made.add_edges_from(list(zip(*pairs, weights.astype(float).tolist(), strict=True)))
    return made


@lru_cache(KEPT)
def graphblas(kind: str, scale: int, degree: int, directed: bool = False) -> Any:
    """``graphblas.Matrix`` of float64 ones by rows."""
    module = library("graphblas")
    csr = graph(kind, scale, degree, directed, False)
    offsets, targets = csr.offsets.astype(np.uint64), csr.targets.astype(np.uint64)
    return module.Matrix.from_csr(offsets, targets, 1.0, ncols=csr.node_count)


def forget() -> None:
    """Let go of all of them."""
    for kept in (networkit, igraph, rustworkx, graphblas):
        kept.cache_clear()


# -- whether answers agree --------------------------------------------------------------------


def close(ours: Any, theirs: Any) -> bool:
    """Numbers that differ by rounding alone."""
    return bool(np.allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-6, atol=1e-9))


def equal(ours: Any, theirs: Any) -> bool:
    """The very same numbers."""
    return np.array_equal(np.asarray(ours), np.asarray(theirs))


def same_parts(ours: Any, theirs: Any) -> bool:
    """Labels that part the nodes in the same way, whatever the labels are."""
    one, other = np.asarray(ours).astype(np.int64), np.asarray(theirs).astype(np.int64)
    if one.size != other.size:
        return False
    _, one = np.unique(one, return_inverse=True)
    _, other = np.unique(other, return_inverse=True)
    pairs = np.unique(one * (int(other.max(initial=0)) + 1) + other)
    return bool(pairs.size == one.max(initial=-1) + 1 == other.max(initial=-1) + 1)
