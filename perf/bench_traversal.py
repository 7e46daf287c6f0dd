"""Rows *bfs* and *sssp*: against the GAP suite's programs, and against scipy.

Each call is one search from one node; GAP's best of several trials from the same node counts, and
for shortest paths the best of several of its deltas. Weights are 1 to 255, float64 here and int32
there. The rows against the edges are there before the clock starts, as they are for GAP.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from nkgraph.algorithms.paths import random_walks
from nkgraph.algorithms.sssp import sssp
from nkgraph.algorithms.traversal import bfs
from nkgraph.csr import CSR
from perf import gap, graphs
from perf.harness import Call, Clocked, Row, Scale, timed

DELTAS = (8, 16, 32, 64)
WALKS, STEPS = 1 << 16, 16


def source_of(csr: CSR) -> int:
    """Give a node that has an edge."""
    return int(graphs.source_nodes(csr, 1)[0])


def bfs_against_gap(kind: str, scale: int) -> tuple[Call, Call]:
    """Search from a node, both ways at hand."""
    csr = graphs.graph(kind, scale)
    path = graphs.serialized(kind, scale)
    source = source_of(csr)
    bfs(csr, source)  # the second search of a CSR makes its rows against the edges
    return partial(bfs, csr, source), gap.rival("bfs", path, ("-r", str(source)), 7)


def bfs_against_scipy(kind: str, scale: int) -> tuple[Call, Call]:
    """Search from a node; scipy's gives an order and parents."""
    from scipy.sparse.csgraph import breadth_first_order

    csr = graphs.graph(kind, scale)
    source, matrix = source_of(csr), csr.to_scipy()
    bfs(csr, source)
    return partial(bfs, csr, source), partial(breadth_first_order, matrix, source)


def sssp_against_gap(kind: str, scale: int) -> tuple[Call, Call]:
    """Shortest paths from a node; GAP with the delta that is best here."""
    csr = with_floats(kind, scale)
    path = graphs.serialized_weighted(kind, scale)
    source = source_of(csr)
    rivals = [gap.rival("sssp", path, ("-r", str(source), "-d", str(delta)), 3) for delta in DELTAS]
    return partial(sssp, csr, source), best_of(rivals)


def best_of(rivals: list[Clocked]) -> Clocked:
    """Whichever is fastest in a first run."""
    return min(rivals, key=lambda rival: timed(rival, 1))


def sssp_against_scipy(kind: str, scale: int) -> tuple[Call, Call]:
    """Shortest paths from a node; scipy's Dijkstra."""
    from scipy.sparse.csgraph import dijkstra

    csr = with_floats(kind, scale)
    source, matrix = source_of(csr), csr.to_scipy()
    return partial(sssp, csr, source), lambda: dijkstra(matrix, indices=source)


def with_floats(kind: str, scale: int) -> CSR:
    """Give the weighted graph with float64 weights."""
    csr = graphs.weighted(kind, scale)
    assert csr.weights is not None
    return CSR(csr.offsets, csr.targets, csr.edges, csr.weights.astype(np.float64))


def walks_against_numpy(kind: str, scale: int) -> tuple[Call, Call]:
    """Random walks; numpy's way is one gather a step for all walks."""
    csr = graphs.graph(kind, scale)
    starts = graphs.source_nodes(csr, WALKS)

    def by_numpy() -> object:
        rng, nodes = np.random.default_rng(1), starts.astype(np.int64)
        walks = [nodes]
        for _ in range(STEPS):
            rows = csr.offsets[nodes]
            degrees = csr.offsets[nodes + 1] - rows
            slots = rows + (rng.random(WALKS) * degrees).astype(np.int64)
            nodes = csr.targets[slots].astype(np.int64)
            walks.append(nodes)
        return np.stack(walks, axis=1)

    return partial(random_walks, csr, starts, STEPS, seed=1), by_numpy


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top = scale.node_count.bit_length() - 1
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            name = f"{kind} {size}"
            yield Row(f"bfs {name}", partial(bfs_against_gap, kind, size), 2.0, 1.2)
            yield Row(f"sssp {name}", partial(sssp_against_gap, kind, size), 2.0, 1.2)
        name = f"{kind} {top} scipy"
        yield Row(f"bfs {name}", partial(bfs_against_scipy, kind, top), 0.5, 0.2)
        yield Row(f"sssp {name}", partial(sssp_against_scipy, kind, top), 0.5, 0.2)
        name = f"walks {kind} {top}"
        yield Row(name, partial(walks_against_numpy, kind, top), 0.5, 0.25)
        graphs.forget()
