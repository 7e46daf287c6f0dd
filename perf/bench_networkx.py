"""Row *networkx*: functions of NetworkX through the backend, against NetworkX itself.

Of NetworkX graphs of 100,000 edges, 10,000 nodes that are ints; converted anew in each call. Where
all pairs of nodes are concerned the graph has 2,000 nodes, so that NetworkX ends in seconds.
Generators are drawn to their end. The target is 1: no function may be slower for the backend.
The backend must be installed. It is no stage of ``python -m perf``, as NetworkX takes minutes:

    python -m perf.bench_networkx [function ...]
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from perf.harness import Call, Row, Scale

LONG = 3.0
"""Seconds after which nothing is measured once more."""
NxGraph = Any  # networkx.Graph: the library is optional and has no type information
EDGES = 100_000
MANY, FEW = 10_000, 2_000
"""Nodes; of the small graph, for what asks all pairs."""


@cache
def graph(kind: str, nodes: int = MANY, edges: int = EDGES) -> NxGraph:
    """Make a random graph: "Graph", "DiGraph", "weighted", "dag" or "forest"."""
    import networkx as nx

    rng = np.random.default_rng(27)
    made = (nx.DiGraph if kind in ("DiGraph", "dag") else nx.Graph)()
    made.add_nodes_from(range(nodes))
    if kind == "forest":
        parents = (rng.random(nodes - 1) * np.arange(1, nodes)).astype(int)
        made.add_edges_from(zip(range(1, nodes), parents.tolist(), strict=True))
    while made.number_of_edges() < edges:
        ends = rng.integers(0, nodes, (edges - made.number_of_edges(), 2))
        ends = ends[ends[:, 0] != ends[:, 1]]
        if kind == "dag":
            ends = np.sort(ends)
        made.add_edges_from(map(tuple, ends.tolist()))
    if kind == "weighted":
        weights = rng.random(made.number_of_edges()).tolist()
        for data, weight in zip(made.edges.values(), weights, strict=True):
            data["weight"] = weight
    made.__networkx_cache__ = None  # nothing that was converted is kept
    return made


def pairs(nodes: int = MANY) -> list[tuple[int, int]]:
    """Pairs of nodes to predict edges of."""
    return [
        tuple(pair) for pair in np.random.default_rng(5).integers(0, nodes, (EDGES, 2)).tolist()
    ]


Case = tuple[str, str, int, dict[str, object]]
UNDIRECTED: list[Case] = [
    (name, "Graph", MANY, {})
    for name in (
        "average_clustering",
        "average_degree_connectivity",
        "average_neighbor_degree",
        "clustering",
        "connected_components",
        "core_number",
        "degree_assortativity_coefficient",
        "degree_centrality",
        "eigenvector_centrality",
        "hits",
        "is_connected",
        "isolates",
        "number_connected_components",
        "number_of_isolates",
        "onion_layers",
        "pagerank",
        "s_metric",
        "transitivity",
        "triangles",
    )
]
DIRECTED: list[Case] = [
    (name, "DiGraph", MANY, {})
    for name in (
        "attracting_components",
        "flow_hierarchy",
        "in_degree_centrality",
        "is_attracting_component",
        "is_strongly_connected",
        "is_weakly_connected",
        "number_attracting_components",
        "number_strongly_connected_components",
        "number_weakly_connected_components",
        "out_degree_centrality",
        "overall_reciprocity",
        "reciprocity",
        "strongly_connected_components",
        "weakly_connected_components",
    )
]
ALL_PAIRS: list[Case] = [
    (name, "Graph", FEW, {})
    for name in (
        "all_pairs_shortest_path_length",
        "average_shortest_path_length",
        "barycenter",
        "center",
        "closeness_centrality",
        "diameter",
        "eccentricity",
        "global_efficiency",
        "harmonic_centrality",
        "periphery",
        "radius",
        "square_clustering",
        "wiener_index",
    )
]
OTHERS: list[Case] = [
    ("all_pairs_dijkstra_path_length", "weighted", 500, {}),
    ("ancestors", "DiGraph", MANY, {"source": 0}),
    ("betweenness_centrality", "Graph", MANY, {"k": 20, "seed": 1}),
    ("bfs_edges", "Graph", MANY, {"source": 0}),
    ("bfs_layers", "Graph", MANY, {"sources": 0}),
    ("descendants", "DiGraph", MANY, {"source": 0}),
    ("descendants_at_distance", "Graph", MANY, {"source": 0, "distance": 4}),
    ("dijkstra_path_length", "weighted", MANY, {"source": 0, "target": MANY - 1}),
    ("edge_betweenness_centrality", "Graph", MANY, {"k": 20, "seed": 1}),
    ("is_directed_acyclic_graph", "dag", MANY, {}),
    ("is_forest", "forest", EDGES + 1, {}),
    ("katz_centrality", "Graph", MANY, {"alpha": 0.01}),
    ("multi_source_dijkstra", "weighted", MANY, {"sources": [0, 1]}),
    ("multi_source_dijkstra_path_length", "weighted", MANY, {"sources": [0, 1]}),
    ("node_connected_component", "Graph", MANY, {"n": 0}),
    ("rich_club_coefficient", "Graph", MANY, {"normalized": False}),
    ("shortest_path_length", "Graph", MANY, {"source": 0}),
    ("single_source_dijkstra", "weighted", MANY, {"source": 0}),
    ("single_source_dijkstra_path_length", "weighted", MANY, {"source": 0}),
    ("single_source_shortest_path", "Graph", MANY, {"source": 0}),
    ("single_source_shortest_path_length", "Graph", MANY, {"source": 0}),
    ("single_target_shortest_path_length", "DiGraph", MANY, {"target": 0}),
    ("topological_generations", "dag", MANY, {}),
    ("topological_sort", "dag", MANY, {}),
]
PAIRS = (
    "adamic_adar_index",
    "jaccard_coefficient",
    "preferential_attachment",
    "resource_allocation_index",
)


def cases() -> list[Case]:
    """Every function, the kind of graph, its nodes and further arguments."""
    ebunch: list[Case] = [(name, "Graph", MANY, {"ebunch": pairs()}) for name in PAIRS]
    found = [*UNDIRECTED, *DIRECTED, *ALL_PAIRS, *OTHERS, *ebunch]
    return sorted(found, key=lambda case: case[0])


def drawn(function: Callable[..., object], *args: object, **kwargs: object) -> object:
    """Call a function, and draw a generator to its end."""
    found = function(*args, **kwargs)
    if isinstance(found, Iterator):
        deque(found, maxlen=0)
    return found


def make(case: Case) -> tuple[Call, Call]:
    """Both call the same function, with another backend."""
    import networkx as nx

    name, kind, nodes, more = case
    given = graph(kind, nodes, EDGES if kind != "forest" else 0)
    call = partial(drawn, getattr(nx, name), given, **more)
    return partial(call, backend="nkgraph"), partial(call, backend="networkx")


def seconds(call: Call, most: int) -> float:
    """The least CPU time of a call: of ``most`` calls, or of fewer if they take long."""
    best = spent = 0.0
    for done in range(most):
        start = time.process_time()
        call()
        took = time.process_time() - start
        best = took if done == 0 else min(best, took)
        spent += took
        if spent > LONG:
            break
    return best


def main(wanted: list[str]) -> None:
    """Print CPU times, of all threads; the rows of ``perf`` call NetworkX too often for that."""
    print(f"{'function':42} {'ours ms':>10} {'networkx ms':>12} {'times as fast':>14}")
    slower = 0
    for case in cases():
        if wanted and case[0] not in wanted:
            continue
        ours, rival = make(case)
        ours()  # compile outside the clock
        mine, theirs = seconds(ours, 15), seconds(rival, 5)
        slower += mine >= theirs
        line = f"{case[0]:42} {mine * 1e3:10.2f} {theirs * 1e3:12.2f} {theirs / mine:14.1f}"
        print(line, flush=True)
    print(f"{slower} not faster")


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    for case in cases():
        yield Row(f"networkx {case[0]}", partial(make, case), 1.0, 0.5)


if __name__ == "__main__":
    main(sys.argv[1:])
