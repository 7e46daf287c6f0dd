"""Rows *components*: against the GAP suite's ``cc`` (Afforest too) and against scipy.

A CSR has no rows against its edges at first, and every edge is looked at; a mapped graph has them.
GAP knows that the graph is undirected, which ours do not. Strong components are those of the
graph with each edge one way; no program of the suite finds them.
"""

from collections.abc import Iterator
from functools import cache, partial

from nkgraph.algorithms.components import connected_components, strongly_connected_components
from nkgraph.csr import CSR
from perf import gap, graphs
from perf.bench_pagerank import best_of, mapped
from perf.harness import Call, Row, Scale

TRIALS = 9


@cache
def bare(kind: str, scale: int, directed: bool = False) -> CSR:
    """Give the graph of a kind, which keeps no rows against its edges."""
    csr = graphs.graph(kind, scale, directed=directed)
    return CSR(csr.offsets, csr.targets, csr.edges)


def against_gap(kind: str, scale: int, on_map: bool) -> tuple[Call, Call]:
    """Find weak components; GAP prints what its best trial took."""
    rival = gap.rival("cc", graphs.serialized(kind, scale), (), TRIALS)
    graph = mapped(kind, scale) if on_map else bare(kind, scale)
    return best_of(TRIALS, partial(connected_components, graph)), rival


def against_scipy(kind: str, scale: int, connection: str) -> tuple[Call, Call]:
    """Find components of directed edges."""
    from scipy.sparse.csgraph import connected_components as by_scipy

    csr = bare(kind, scale, directed=True)
    ours = connected_components if connection == "weak" else strongly_connected_components
    matrix = csr.to_scipy()
    count, _ = by_scipy(matrix, connection=connection)
    assert count == len(set(ours(csr).tolist()))
    return partial(ours, csr), partial(by_scipy, matrix, connection=connection)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top = scale.node_count.bit_length() - 1
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            name = f"components {kind} {size}"
            yield Row(name, partial(against_gap, kind, size, False), 1.2, 0.8)
            yield Row(f"{name} mapped", partial(against_gap, kind, size, True), 1.2, 0.8)
        for connection in ("weak", "strong"):
            targets = (0.3, 0.1) if connection == "weak" else (1.0, 0.6)
            make = partial(against_scipy, kind, top, connection)
            yield Row(f"components {kind} {top} {connection} scipy", make, *targets)
        mapped.cache_clear()
        bare.cache_clear()
        graphs.forget()
