"""Rows *components*: against the GAP suite's ``cc`` (Afforest too), libraries and scipy.

Rows against the edges are there before the clock starts, as they are for GAP, which knows that the
graph is undirected; a graph on a map has them anyway. In the rows *bare*, of a CSR that has none,
every edge is looked at: GAP has no such case, so their targets are our own. Strong components are
those of the graph with each edge one way; no program of the suite finds them. igraph and rustworkx
run on the smaller graph alone.
"""

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from nkgraph.algorithms.components import connected_components, strongly_connected_components
from nkgraph.csr import CSR
from nkgraph.dtypes import U32
from nkgraph.graph import Graph
from perf import gap, graphs, rivals
from perf.bench_pagerank import mapped
from perf.harness import Call, Contest, Rival, Row, Scale

TRIALS = 9


@cache
def bare(kind: str, scale: int, degree: int, directed: bool = False) -> CSR:
    """Give the graph of a kind, which keeps no rows against its edges."""
    csr = graphs.graph(kind, scale, degree, directed)
    return CSR(csr.offsets, csr.targets, csr.edges)


def weak(kind: str, scale: int, degree: int, form: str, small: bool) -> Contest:
    """Find weak components; GAP prints what its best trial took."""
    graph = kind, scale, degree
    given: Graph | CSR = mapped(*graph) if form == "mapped" else bare(*graph)
    if form == "":
        given = graphs.graph(*graph)
        given._against()

    def by_gap() -> Call:
        return gap.rival("cc", graphs.serialized(*graph), (), TRIALS)

    def by_networkit() -> Call:
        components = rivals.library("networkit").components
        made = rivals.networkit(*graph)
        return lambda: components.ConnectedComponents(made).run()

    def by_networkit_parallel() -> Call:
        components = rivals.library("networkit").components
        made = rivals.networkit(*graph)
        return lambda: components.ParallelConnectedComponents(made).run()

    def by_igraph() -> Call:
        made = rivals.igraph(*graph)
        return lambda: made.connected_components(mode="weak").membership

    def by_rustworkx() -> Call:
        return partial(rivals.library("rustworkx").connected_components, rivals.rustworkx(*graph))

    found = {"GAP cc": Rival(by_gap)}
    if form == "":
        found["networkit"] = Rival(by_networkit, as_networkit)
        found["networkit parallel"] = Rival(by_networkit_parallel, as_networkit)
        if small:
            found["igraph"] = Rival(by_igraph, rivals.same_parts)
            found["rustworkx"] = Rival(by_rustworkx, as_sets)
    return Contest(partial(connected_components, given), found, moved(graphs.graph(*graph)))


def moved(csr: CSR) -> int:
    """Offsets and two targets of each node read, labels written: what settles most edges."""
    return (8 + 2 * 4 + 4) * csr.node_count


def as_networkit(ours: U32, theirs: Any) -> bool:
    """Whether the components are the same."""
    return rivals.same_parts(ours, theirs.getPartition().getVector())


def as_sets(ours: U32, theirs: Any) -> bool:
    """Whether the components are the same, given as sets or lists of nodes."""
    sizes = [len(part) for part in theirs]
    labels = np.empty(ours.size, np.int64)
    labels[np.concatenate([list(part) for part in theirs])] = np.repeat(
        np.arange(len(sizes)), sizes
    )
    return rivals.same_parts(ours, labels)


def directed(kind: str, scale: int, degree: int, connection: str) -> Contest:
    """Find components of directed edges."""
    from scipy.sparse.csgraph import connected_components as by_scipy

    graph = kind, scale, degree
    csr = bare(*graph, directed=True)
    ours = connected_components if connection == "weak" else strongly_connected_components
    matrix = csr.to_scipy()

    def by_networkit() -> Call:
        components = rivals.library("networkit").components
        made = rivals.networkit(*graph, directed=True)
        names = {"weak": "WeaklyConnectedComponents", "strong": "StronglyConnectedComponents"}
        find = getattr(components, names[connection])
        return lambda: find(made).run()

    found = {
        "scipy": Rival(
            lambda: partial(by_scipy, matrix, connection=connection),
            lambda one, other: rivals.same_parts(one, other[1]),
        ),
        "networkit": Rival(by_networkit, as_networkit),
    }
    ways = 1 if connection == "weak" else 2  # strong components need all edges, both ways
    read = moved(csr) if connection == "weak" else ways * (4 * csr.edge_count + 8 * csr.node_count)
    return Contest(partial(ours, csr), found, read)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top, degree = scale.bits, scale.degree
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            for form in ("", "mapped", "bare"):
                name = f"components {kind} {size} {form}".rstrip()
                make = partial(weak, kind, size, degree, form, size < top)
                targets = (1.6, 1.2) if form == "bare" else (1.2, 0.8)
                yield Row(name, make, *targets, rival="GAP cc", trials=TRIALS)
        for connection in ("weak", "strong"):
            targets = (0.3, 0.1) if connection == "weak" else (1.0, 0.6)
            name = f"components {kind} {top} {connection} scipy"
            make_directed = partial(directed, kind, top, degree, connection)
            yield Row(name, make_directed, *targets, rival="scipy")
        mapped.cache_clear()
        bare.cache_clear()
        graphs.forget()
