"""Rows *cores*: of simple rows against libraries; of edges with loops and repetitions, numpy.

Libraries have their undirected graph before the clock starts, and so have we: a CSR keeps its
simple rows. numpy makes its simple rows by sorting, and so do we beside it, and peels whole waves
of nodes. igraph and rustworkx run on the smaller graph alone.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from nkgraph.algorithms.cores import core_numbers
from nkgraph.csr import CSR
from nkgraph.dtypes import I32, I64
from perf import graphs, rivals
from perf.harness import Call, Contest, Rival, Row, Scale


def peel(csr: CSR) -> I64:
    """Core numbers of rows that are simple and undirected already."""
    degrees = np.diff(csr.offsets)
    cores = np.zeros(csr.node_count, np.int64)
    left = np.arange(csr.node_count)
    level = 0
    while left.size:
        level = max(level, int(degrees[left].min()))
        wave = left[degrees[left] <= level]
        while wave.size:
            cores[wave] = level
            degrees[wave] = -1
            sizes = csr.offsets[wave + 1] - csr.offsets[wave]
            starts = np.repeat(csr.offsets[wave] - np.cumsum(sizes) + sizes, sizes)
            peers = csr.targets[starts + np.arange(int(sizes.sum()))]
            peers = peers[degrees[peers] >= 0]
            np.subtract.at(degrees, peers, 1)
            wave = np.unique(peers[degrees[peers] <= level])
        left = left[degrees[left] >= 0]
    return cores


def raw(kind: str, scale: int, degree: int) -> Contest:
    """Both get edges as they come, and make their simple rows each time."""
    ends = {"rmat": graphs.kronecker, "uniform": graphs.uniform}[kind](scale, degree)
    csr = CSR.from_edges(*ends, 1 << scale)
    found = {"numpy": Rival(lambda: lambda: peel(graphs.simple(*ends, 1 << scale)), rivals.equal)}
    fresh = partial(CSR, csr.offsets, csr.targets, csr.edges)
    return Contest(lambda: core_numbers(fresh()), found, moved(csr))


def moved(csr: CSR) -> int:
    """The rows read once, cores written."""
    return 4 * csr.edge_count + 12 * csr.node_count


def simple(kind: str, scale: int, degree: int, small: bool) -> Contest:
    """All have simple undirected rows; ours those that the first call made."""
    graph = kind, scale, degree
    csr = graphs.graph(*graph)

    def by_networkit() -> Call:
        centrality, made = rivals.library("networkit").centrality, rivals.networkit(*graph)
        return lambda: centrality.CoreDecomposition(made).run()

    def by_igraph() -> Call:
        return rivals.igraph(*graph).coreness  # type: ignore[no-any-return]  # igraph has no types

    def by_rustworkx() -> Call:
        return partial(rivals.library("rustworkx").core_number, rivals.rustworkx(*graph))

    def as_rustworkx(ours: I32, theirs: Any) -> bool:
        return rivals.equal(ours, [theirs[node] for node in range(ours.size)])

    found = {
        "networkit": Rival(by_networkit, lambda ours, its: rivals.equal(ours, its.scores())),
    }
    if small:
        found["igraph"] = Rival(by_igraph, rivals.equal)
        found["rustworkx"] = Rival(by_rustworkx, as_rustworkx)
    return Contest(lambda: core_numbers(csr), found, moved(csr))


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top, degree = scale.bits, scale.degree
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            make = partial(simple, kind, size, degree, size < top)
            yield Row(f"cores {kind} {size}", make, 0.8, 0.6, rival="networkit")
        yield Row(f"cores {kind} {top - 2} numpy", partial(raw, kind, top - 2, degree), 0.4, 0.2)
        graphs.forget()
