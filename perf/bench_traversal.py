"""Rows *bfs*, *sssp*, *walks*: against the GAP suite's programs, libraries, and scipy.

Each call is one search from one node; GAP's best of several trials from the same node counts, and
for shortest paths the best of several of its deltas. Weights are 1 to 255, float64 here and int32
there. The rows against the edges are there before the clock starts, as they are for GAP. igraph
and rustworkx, whose graphs take long to make, run on the smaller graph alone.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from nkgraph.algorithms.paths import random_walks
from nkgraph.algorithms.sssp import sssp
from nkgraph.algorithms.traversal import BFS, bfs
from nkgraph.csr import CSR
from nkgraph.dtypes import F64
from perf import gap, graphs, rivals
from perf.harness import Call, Clocked, Contest, Rival, Row, Scale, timed

DELTAS = (8, 16, 32, 64)
WALKS, STEPS = 1 << 16, 16


def source_of(csr: CSR) -> int:
    """Give a node that has an edge."""
    return int(graphs.source_nodes(csr, 1)[0])


def searching(kind: str, scale: int, degree: int, small: bool) -> Contest:
    """Search from a node, both ways at hand; every node gets a depth and a parent."""
    csr = graphs.graph(kind, scale, degree)
    source = source_of(csr)
    csr._against()  # the second search of a CSR makes its rows against the edges
    graph = kind, scale, degree

    def by_gap() -> Call:
        return gap.rival("bfs", graphs.serialized(*graph), ("-r", str(source)), 7)

    def by_networkit() -> Call:
        distance = rivals.library("networkit").distance
        given = rivals.networkit(*graph)
        return lambda: distance.BFS(given, source, storePaths=False).run()

    def by_igraph() -> Call:
        return partial(rivals.igraph(*graph).bfs, source)

    def by_rustworkx() -> Call:
        return partial(
            rivals.library("rustworkx").bfs_layers, rivals.rustworkx(*graph), [source]
        )  # fmt: skip

    found = {"GAP bfs": Rival(by_gap), "networkit": Rival(by_networkit, far_as_networkit)}
    if small:
        found["igraph"] = Rival(by_igraph, layered_as_igraph)
        found["rustworkx"] = Rival(by_rustworkx, layered_as_rustworkx)
    return Contest(partial(bfs, csr, source), found, 24 * csr.node_count)


def far_as_networkit(ours: BFS, theirs: Any) -> bool:
    """Whether the distances are the same; what is not reached is very far there."""
    far = np.asarray(theirs.getDistances())
    return rivals.equal(ours.depths, np.where(far < 1e300, far, -1.0))


def layered_as_igraph(ours: BFS, theirs: Any) -> bool:
    """Whether the layers are the same; igraph gives nodes in order, and where layers begin."""
    nodes, starts, _ = theirs
    depths = np.full(ours.depths.size, -1)
    depths[nodes] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return rivals.equal(ours.depths, depths)


def layered_as_rustworkx(ours: BFS, theirs: Any) -> bool:
    """Whether the layers are the same."""
    depths = np.full(ours.depths.size, -1)
    for depth, nodes in enumerate(theirs):
        depths[list(nodes)] = depth
    return rivals.equal(ours.depths, depths)


def searching_by_scipy(kind: str, scale: int, degree: int) -> Contest:
    """Search from a node; scipy's gives an order and parents."""
    from scipy.sparse.csgraph import breadth_first_order

    csr = graphs.graph(kind, scale, degree)
    source, matrix = source_of(csr), csr.to_scipy()
    csr._against()

    def reached(ours: BFS, theirs: Any) -> bool:
        return rivals.equal(np.flatnonzero(ours.depths >= 0), np.sort(theirs[0]))

    rival = Rival(lambda: partial(breadth_first_order, matrix, source), reached)
    return Contest(partial(bfs, csr, source), {"scipy": rival}, 24 * csr.node_count)


def shortest(kind: str, scale: int, degree: int, small: bool) -> Contest:
    """Shortest paths from a node; GAP with the delta that is best here."""
    csr = with_floats(kind, scale, degree)
    source = source_of(csr)
    graph = kind, scale, degree

    def by_gap() -> Call:
        gap.program("sssp")
        path = graphs.serialized_weighted(*graph)
        options = [("-r", str(source), "-d", str(delta)) for delta in DELTAS]
        return best_of([gap.rival("sssp", path, each, 3) for each in options])

    def by_networkit() -> Call:
        distance = rivals.library("networkit").distance
        given = rivals.networkit(*graph, weighted=True)
        return lambda: distance.Dijkstra(given, source, storePaths=False).run()

    def by_igraph() -> Call:
        given = rivals.igraph(*graph)
        given.es["weight"] = rivals.ends(graphs.weighted(*graph), False)[2]
        return partial(given.distances, source=source, weights="weight")

    def by_rustworkx() -> Call:
        given, module = rivals.rustworkx(*graph, weighted=True), rivals.library("rustworkx")
        return partial(module.dijkstra_shortest_path_lengths, given, source, float)

    found = {"GAP sssp": Rival(by_gap), "networkit": Rival(by_networkit, distant_as_networkit)}
    if small:
        found["igraph"] = Rival(by_igraph, lambda ours, theirs: rivals.close(ours, theirs[0]))
        found["rustworkx"] = Rival(by_rustworkx, partial(distant_as_rustworkx, source))
    return Contest(partial(sssp, csr, source), found, weighted_bytes(csr))


def distant_as_networkit(ours: F64, theirs: Any) -> bool:
    """Whether the distances are the same."""
    far = np.asarray(theirs.getDistances())
    return rivals.close(ours, np.where(far < 1e300, far, np.inf))


def distant_as_rustworkx(source: int, ours: F64, theirs: Any) -> bool:
    """Whether the distances are the same; the source and what is not reached are left out."""
    far = np.full(ours.size, np.inf)
    far[list(theirs.keys())] = list(theirs.values())
    far[source] = 0.0
    return rivals.close(ours, far)


def best_of(clocked: list[Clocked]) -> Clocked:
    """Whichever is fastest in a first run."""
    return min(clocked, key=lambda rival: timed(rival))


def shortest_by_scipy(kind: str, scale: int, degree: int) -> Contest:
    """Shortest paths from a node; scipy's Dijkstra."""
    from scipy.sparse.csgraph import dijkstra

    csr = with_floats(kind, scale, degree)
    source, matrix = source_of(csr), csr.to_scipy()
    rival = Rival(lambda: lambda: dijkstra(matrix, indices=source), rivals.close)
    return Contest(partial(sssp, csr, source), {"scipy": rival}, weighted_bytes(csr))


def weighted_bytes(csr: CSR) -> int:
    """Rows and weights read once, distances written."""
    return 12 * csr.edge_count + 16 * csr.node_count


def with_floats(kind: str, scale: int, degree: int) -> CSR:
    """Give the weighted graph with float64 weights."""
    csr = graphs.weighted(kind, scale, degree)
    assert csr.weights is not None
    return CSR(csr.offsets, csr.targets, csr.edges, csr.weights.astype(np.float64))


def walks_against_numpy(kind: str, scale: int, degree: int) -> tuple[Call, Call]:
    """Random walks; numpy's way is one gather a step for all walks."""
    csr = graphs.graph(kind, scale, degree)
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
    top, degree = scale.bits, scale.degree
    walked = WALKS * STEPS * (64 + 64 + 4)  # a line of offsets and one of targets a step
    for kind in ("rmat", "uniform"):
        for size in (top - 2, top):
            graph = kind, size, degree
            make = partial(searching, *graph, size < top)
            yield Row(f"bfs {kind} {size}", make, 2.0, 1.2, rival="GAP bfs")
            make = partial(shortest, *graph, size < top)
            yield Row(f"sssp {kind} {size}", make, 2.0, 1.2, rival="GAP sssp")
        graph = kind, top, degree
        name = f"{kind} {top} scipy"
        yield Row(f"bfs {name}", partial(searching_by_scipy, *graph), 0.5, 0.2, rival="scipy")
        yield Row(f"sssp {name}", partial(shortest_by_scipy, *graph), 0.5, 0.2, rival="scipy")
        make_walks = partial(walks_against_numpy, *graph)
        yield Row(f"walks {kind} {top}", make_walks, 0.5, 0.25, moved=walked)
        graphs.forget()
