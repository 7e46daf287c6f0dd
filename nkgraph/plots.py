"""``nkgraph.plots``: pictures of a graph. Needs matplotlib: ``pip install 'nkgraph[plot]'``.

    import nkgraph as nk
    ax = nk.plots.degree_distribution(graph)
    ax.figure.savefig("degrees.png")

The bodies are in ``nkgraph.interop.plots`` and ``nkgraph.interop.neighborhoods``; matplotlib is
imported when the first picture is drawn.
"""

from nkgraph.interop.neighborhoods import neighborhood
from nkgraph.interop.plots import (
    degree_distribution,
    overview,
    peer_distribution,
    save_overview,
    segment_map,
    type_counts,
    type_matrix,
)

__all__ = [
    "degree_distribution",
    "neighborhood",
    "overview",
    "peer_distribution",
    "save_overview",
    "segment_map",
    "type_counts",
    "type_matrix",
]
