"""Which calls the backend cannot answer, and which are better left to NetworkX."""

from collections.abc import Callable, Mapping
from functools import cache
from inspect import Signature, signature

from nkgraph.nx_backend.library import NxGraph, nx

Arguments = Mapping[str, object]
Reason = Callable[[NxGraph, Arguments], str | None]
"""Says why a call cannot be answered; None if it can."""


def without(*names: str) -> Reason:
    """Arguments that must be None or False."""

    def check(graph: NxGraph, given: Arguments) -> str | None:
        for name in names:
            if given.get(name) is not None and given[name] is not False:
                return f"{name} is not supported"
        return None

    return check


def both(*checks: Reason) -> Reason:
    """Several reasons, of which the first counts."""

    def check(graph: NxGraph, given: Arguments) -> str | None:
        return next((found for each in checks if (found := each(graph, given))), None)

    return check


def no_tree(graph: NxGraph, given: Arguments) -> str | None:
    """Refuse undirected trees, for which NetworkX has another method, and order."""
    if given.get("e") is not None or graph.is_directed():
        return None
    if len(graph) == 0 or graph.number_of_edges() == len(graph) - 1:
        return "NetworkX has a method of its own for trees"
    return None


def with_pairs(graph: NxGraph, given: Arguments) -> str | None:
    """Ask for ``ebunch``."""
    return "all pairs are not supported: give ebunch" if given.get("ebunch") is None else None


def plain_lengths(graph: NxGraph, given: Arguments) -> str | None:
    """Lengths without weights only."""
    if given.get("weight") is not None or given.get("method") not in (None, "unweighted"):
        return "weights and their methods are not supported"
    return None


def no_bellman_ford(graph: NxGraph, given: Arguments) -> str | None:
    """No negative weights."""
    if given.get("method") == "bellman-ford" and given.get("weight") is not None:
        return "negative weights are not supported"
    return None


def simple_only(graph: NxGraph, given: Arguments) -> str | None:
    """No parallel edges."""
    return "multigraphs are not supported" if graph.is_multigraph() else None


def undirected_only(graph: NxGraph, given: Arguments) -> str | None:
    """No directed graphs."""
    return "directed graphs are not supported" if graph.is_directed() else None


def digraph_only(graph: NxGraph, given: Arguments) -> str | None:
    """Directed graphs without parallel edges."""
    if graph.is_directed() and not graph.is_multigraph():
        return None
    return "only directed graphs without parallel edges are supported"


def not_normalized(graph: NxGraph, given: Arguments) -> str | None:
    """No random graphs to compare with."""
    return "normalized=True is not supported" if given.get("normalized", True) else None


UNWEIGHTED = without("weight")
BOUNDED = without("weight", "usebounds")
UNSUPPORTED: dict[str, Reason] = {
    "adamic_adar_index": with_pairs,
    "average_clustering": UNWEIGHTED,
    "average_degree_connectivity": UNWEIGHTED,
    "average_neighbor_degree": UNWEIGHTED,
    "average_shortest_path_length": plain_lengths,
    "barycenter": both(without("weight", "attr", "sp"), no_tree),
    "betweenness_centrality": UNWEIGHTED,
    "bfs_edges": without("sort_neighbors"),
    "center": both(BOUNDED, no_tree),
    "closeness_centrality": without("distance"),
    "clustering": UNWEIGHTED,
    "degree_assortativity_coefficient": without("weight", "nodes"),
    "diameter": BOUNDED,
    "eccentricity": without("weight", "sp"),
    "edge_betweenness_centrality": both(UNWEIGHTED, simple_only),
    "harmonic_centrality": without("nbunch", "distance", "sources"),
    "jaccard_coefficient": with_pairs,
    "periphery": BOUNDED,
    "preferential_attachment": with_pairs,
    "radius": BOUNDED,
    "overall_reciprocity": digraph_only,
    "reciprocity": both(without("nodes"), digraph_only),
    "resource_allocation_index": with_pairs,
    "rich_club_coefficient": not_normalized,
    "shortest_path_length": no_bellman_ford,
    "square_clustering": undirected_only,
    "transitivity": undirected_only,
    "wiener_index": UNWEIGHTED,
}

QUICK = {
    "bfs_edges": "depth_limit",
    "clustering": "nodes",
    "square_clustering": "nodes",
    "triangles": "nodes",
    "average_neighbor_degree": "nodes",
    "average_degree_connectivity": "nodes",
    "closeness_centrality": "u",
    "eccentricity": "v",
}
"""Arguments that make an answer need so little of a graph that to convert it costs more."""


ONE_WALK = (
    "degree_centrality",
    "descendants_at_distance",
    "single_source_shortest_path",
    "single_source_shortest_path_length",
    "single_target_shortest_path_length",
)
"""What NetworkX does by walking a graph once, or less: converting it takes about as long."""


ONE_SAMPLE = (
    "connected_components",
    "is_connected",
    "node_connected_component",
    "number_connected_components",
)
TIMES = 20
"""Half a millisecond, which their kernels take to get going, is a walk over many more edges."""


def arguments(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Arguments:
    """Return the arguments of a call by name."""
    return _signature(name).bind(*args, **kwargs).arguments


@cache
def _signature(name: str) -> Signature:
    return signature(nx.utils.backends._registered_algorithms[name])


def reason_not_to_run(name: str, given: Arguments) -> str | None:
    """Say why the backend cannot answer a call; None if it can."""
    for key in ("weight", "distance"):
        if callable(given.get(key)):
            return f"{key} is a function"
    check = UNSUPPORTED.get(name)
    return None if check is None else check(given.get("G"), given)


def reason_to_leave(name: str, given: Arguments, min_edges: int) -> str | None:
    """Say why NetworkX answers a call sooner; None if it does not."""
    graph: NxGraph = given.get("G")
    one_end = given.get("source") is not None or given.get("target") is not None
    plain_length = name == "shortest_path_length" and given.get("weight") is None and one_end
    if name in ONE_WALK or plain_length:
        return "NetworkX walks the graph about as fast as it is converted"
    if given.get(QUICK.get(name, "")) is not None:
        return f"with {QUICK[name]} NetworkX looks at little of the graph"
    if name in ("shortest_path_length", "dijkstra_path_length") and not (
        given.get("source") is None or given.get("target") is None
    ):
        return "between two nodes NetworkX looks at little of the graph"
    least = min_edges * (TIMES if name in ONE_SAMPLE else 1)
    if graph.number_of_edges() < least:
        return f"fewer than {least} edges are sooner walked than converted"
    return None
