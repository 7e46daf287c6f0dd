"""What nkgraph tells NetworkX of itself, in a module that imports nothing.

NetworkX asks for it whenever it is imported, in programs too that never use nkgraph. So it lies
beside the package and not in it: ``import nkgraph`` imports numpy.
"""

FUNCTIONS = {
    "centrality": (
        "betweenness_centrality",
        "edge_betweenness_centrality",
        "eigenvector_centrality",
        "hits",
        "katz_centrality",
        "pagerank",
    ),
    "clusters": (
        "average_clustering",
        "clustering",
        "core_number",
        "onion_layers",
        "square_clustering",
        "transitivity",
        "triangles",
    ),
    "components": (
        "attracting_components",
        "connected_components",
        "flow_hierarchy",
        "is_attracting_component",
        "is_connected",
        "is_forest",
        "is_strongly_connected",
        "is_weakly_connected",
        "node_connected_component",
        "number_attracting_components",
        "number_connected_components",
        "number_strongly_connected_components",
        "number_weakly_connected_components",
        "strongly_connected_components",
        "weakly_connected_components",
    ),
    "dags": (
        "is_directed_acyclic_graph",
        "topological_generations",
        "topological_sort",
    ),
    "degrees": (
        "average_degree_connectivity",
        "average_neighbor_degree",
        "degree_assortativity_coefficient",
        "degree_centrality",
        "in_degree_centrality",
        "isolates",
        "number_of_isolates",
        "out_degree_centrality",
        "overall_reciprocity",
        "reciprocity",
        "rich_club_coefficient",
        "s_metric",
    ),
    "distances": (
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
        "wiener_index",
    ),
    "pairs": (
        "adamic_adar_index",
        "jaccard_coefficient",
        "preferential_attachment",
        "resource_allocation_index",
    ),
    "traversal": (
        "all_pairs_dijkstra_path_length",
        "all_pairs_shortest_path_length",
        "ancestors",
        "bfs_edges",
        "bfs_layers",
        "descendants",
        "descendants_at_distance",
        "dijkstra_path_length",
        "multi_source_dijkstra",
        "multi_source_dijkstra_path_length",
        "shortest_path_length",
        "single_source_dijkstra",
        "single_source_dijkstra_path_length",
        "single_source_shortest_path",
        "single_source_shortest_path_length",
        "single_target_shortest_path_length",
    ),
}
"""The functions of each module of ``nkgraph.nx_backend``."""

HOMES = {name: module for module, names in FUNCTIONS.items() for name in names}

LIMITS = {
    "adamic_adar_index": "``ebunch`` must be given.",
    "average_clustering": "Without ``weight``.",
    "average_degree_connectivity": "Without ``weight``.",
    "average_neighbor_degree": "Without ``weight``.",
    "average_shortest_path_length": 'Without ``weight``; ``method`` None or "unweighted".',
    "barycenter": "Without ``weight``, ``attr`` and ``sp``; not for undirected trees.",
    "betweenness_centrality": "Without ``weight``.",
    "bfs_edges": "Without ``sort_neighbors``.",
    "center": "Without ``weight`` and ``usebounds``; not for undirected trees.",
    "closeness_centrality": "Without ``distance``.",
    "clustering": "Without ``weight``.",
    "degree_assortativity_coefficient": "Without ``weight`` and ``nodes``.",
    "diameter": "Without ``weight`` and ``usebounds``.",
    "eccentricity": "Without ``weight`` and ``sp``.",
    "edge_betweenness_centrality": "Without ``weight``; not for multigraphs.",
    "harmonic_centrality": "Without ``nbunch``, ``distance`` and ``sources``.",
    "jaccard_coefficient": "``ebunch`` must be given.",
    "periphery": "Without ``weight`` and ``usebounds``.",
    "preferential_attachment": "``ebunch`` must be given.",
    "radius": "Without ``weight`` and ``usebounds``.",
    "overall_reciprocity": "Of directed graphs without parallel edges.",
    "reciprocity": "Without ``nodes``; of directed graphs without parallel edges.",
    "resource_allocation_index": "``ebunch`` must be given.",
    "rich_club_coefficient": "With ``normalized=False`` only.",
    "shortest_path_length": '``method="bellman-ford"`` only without ``weight``.',
    "square_clustering": "Of undirected graphs only.",
    "transitivity": "Of undirected graphs only.",
    "wiener_index": "Without ``weight``.",
}
"""What the backend leaves to NetworkX, by function."""


DEFAULTS: dict[str, object] = {"active": True, "min_edges": 500, "threads": None}
"""What ``networkx.config.backends.nkgraph`` holds; see ``nkgraph.nx_backend``."""


def get_info() -> dict[str, object]:
    """Return what NetworkX asks of a backend's ``networkx.backend_info``."""
    weights = "Weights are ints and floats, and none negative where paths are searched."
    return {
        "backend_name": "nkgraph",
        "project": "nkgraph",
        "package": "nkgraph",
        "short_summary": "Compiled kernels over arrays, and over opened graphs without conversion.",
        "default_config": dict(DEFAULTS),
        "functions": {
            name: {"additional_docs": LIMITS.get(name, weights)} for name in sorted(HOMES)
        },
    }
