"""Typed property graphs bigger than memory, as NumPy arrays, with Numba kernels over them.

    >>> import nkgraph as nk
    >>> g = nk.Graph()
    >>> towns = g.add_nodes("Town", ["Bern", "Chur", "Visp"])
    >>> _ = g.add_edges("ROAD", towns[[0, 0, 1]], towns[[1, 2, 2]], {"km": [241.0, 85.0, 186.5]})
    >>> g.ids(g.neighbors(towns[0], "ROAD"))
    array(['Chur', 'Visp'], dtype=StringDType())
    >>> g.read_edges("ROAD")["km"].values
    array([241. ,  85. , 186.5])

Names are listed here in the order data flows. Each is imported when it is first used, so that
``import nkgraph`` costs little more than ``import numpy``: no kernel is compiled, and neither
numba nor zstandard is imported.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from nkgraph.algorithms import HOMES as ALGORITHMS
from nkgraph.dtypes import NO_NODE
from nkgraph.errors import (
    ClosedError,
    FormatError,
    GraphError,
    LimitError,
    LockedError,
    NkgraphError,
    NotFoundError,
    VersionError,
)

if TYPE_CHECKING:
    from nkgraph import plots as plots
    from nkgraph.algorithms.betweenness import betweenness as betweenness
    from nkgraph.algorithms.components import connected_components as connected_components
    from nkgraph.algorithms.components import (
        strongly_connected_components as strongly_connected_components,
    )
    from nkgraph.algorithms.cores import core_numbers as core_numbers
    from nkgraph.algorithms.histograms import degree_histogram as degree_histogram
    from nkgraph.algorithms.histograms import peer_histogram as peer_histogram
    from nkgraph.algorithms.labels import label_propagation as label_propagation
    from nkgraph.algorithms.memory import memory_estimate as memory_estimate
    from nkgraph.algorithms.pagerank import pagerank as pagerank
    from nkgraph.algorithms.paths import k_hop as k_hop
    from nkgraph.algorithms.paths import path_counts as path_counts
    from nkgraph.algorithms.paths import random_walks as random_walks
    from nkgraph.algorithms.sssp import sssp as sssp
    from nkgraph.algorithms.traversal import BFS as BFS
    from nkgraph.algorithms.traversal import bfs as bfs
    from nkgraph.algorithms.triangles import local_clustering as local_clustering
    from nkgraph.algorithms.triangles import triangle_count as triangle_count
    from nkgraph.algorithms.triangles import triangles as triangles
    from nkgraph.build import PeerCounts as PeerCounts
    from nkgraph.build import count_peers as count_peers
    from nkgraph.converting import convert as convert
    from nkgraph.csr import CSR as CSR
    from nkgraph.front import create as create
    from nkgraph.front import open_graph as open  # noqa: A004, F401 - public, as nk.open
    from nkgraph.graph import Graph as Graph
    from nkgraph.ingest import import_csv as import_csv
    from nkgraph.ingest import import_edges as import_edges
    from nkgraph.ingest import import_graphalytics as import_graphalytics
    from nkgraph.ingest import import_triples as import_triples
    from nkgraph.ingest_graphml import import_graphml as import_graphml
    from nkgraph.ingest_matrix import import_matrix_market as import_matrix_market
    from nkgraph.ingest_ntriples import import_ntriples as import_ntriples
    from nkgraph.ingest_parquet import import_parquet as import_parquet
    from nkgraph.interop.networkx import from_networkx as from_networkx
    from nkgraph.search import find_sorted as find_sorted
    from nkgraph.storage.values import Duration as Duration
    from nkgraph.table import Column as Column
    from nkgraph.table import Table as Table
    from nkgraph.warm import warmup as warmup
    from nkgraph.word_columns import gather as gather

if sys.byteorder != "little":
    raise ImportError("nkgraph works on little-endian machines only")

__version__ = "0.1.0"

_HOMES = {
    "import_edges": ("ingest", "import_edges"),
    "import_csv": ("ingest", "import_csv"),
    "import_triples": ("ingest", "import_triples"),
    "import_graphalytics": ("ingest", "import_graphalytics"),
    "import_parquet": ("ingest_parquet", "import_parquet"),
    "import_ntriples": ("ingest_ntriples", "import_ntriples"),
    "import_matrix_market": ("ingest_matrix", "import_matrix_market"),
    "import_graphml": ("ingest_graphml", "import_graphml"),
    "convert": ("converting", "convert"),
    "from_networkx": ("interop.networkx", "from_networkx"),
    "Graph": ("graph", "Graph"),
    "create": ("front", "create"),
    "open": ("front", "open_graph"),
    "CSR": ("csr", "CSR"),
    "Table": ("table", "Table"),
    "Column": ("table", "Column"),
    "Duration": ("storage.values", "Duration"),
    "find_sorted": ("search", "find_sorted"),
    "count_peers": ("build", "count_peers"),
    "PeerCounts": ("build", "PeerCounts"),
    "gather": ("word_columns", "gather"),
    **{name: (f"algorithms.{home}", name) for name, home in ALGORITHMS.items()},
    "BFS": ("algorithms.traversal", "BFS"),
    "memory_estimate": ("algorithms.memory", "memory_estimate"),
    "warmup": ("warm", "warmup"),
}

_MODULES = ("plots",)
"""Modules that are names of their own, as ``nkgraph.plots``."""

__all__ = [
    *_HOMES,
    *_MODULES,
    "NO_NODE",
    "NkgraphError",
    "GraphError",
    "NotFoundError",
    "FormatError",
    "VersionError",
    "LimitError",
    "LockedError",
    "ClosedError",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"nkgraph.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'nkgraph' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(f"nkgraph.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
