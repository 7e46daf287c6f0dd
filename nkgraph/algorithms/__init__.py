"""Analytics over a ``Graph`` or a ``CSR``: checked front doors to the kernels.

Every function takes ``connection_type=`` and ``direction=`` (and ``weight=`` where it has weights),
``threads=`` and ``progress=``. Answers are arrays by node id, the same bits for any number of
threads; removed node ids carry the sentinel of the answer.
"""

HOMES = {
    "bfs": "traversal",
    "sssp": "sssp",
    "k_hop": "paths",
    "path_counts": "paths",
    "random_walks": "paths",
    "pagerank": "pagerank",
    "connected_components": "components",
    "strongly_connected_components": "components",
    "triangles": "triangles",
    "triangle_count": "triangles",
    "local_clustering": "triangles",
    "core_numbers": "cores",
    "label_propagation": "labels",
    "betweenness": "betweenness",
    "degree_histogram": "histograms",
    "peer_histogram": "histograms",
}
"""The module of each algorithm, which is imported when it is first asked for."""
