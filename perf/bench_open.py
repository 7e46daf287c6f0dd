"""Limits of opening and starting: they hold for any size, so they are times, not ratios.

``start`` rows run a fresh interpreter and report what it measured itself; kernels come from the
cache on disk, which an unmeasured first run has filled.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

import nkgraph as nk
from nkgraph.front import open_graph
from perf.harness import Limit, Scale

IMPORT = """
import time, numpy
start = time.perf_counter()
import nkgraph
print(time.perf_counter() - start)
"""
FIRST_QUERIES = """
import sys, time
start = time.perf_counter()
import nkgraph as nk
from nkgraph.front import open_graph
with nk.open(sys.argv[1]) as g:
    g.find("Node", [3])
    g.neighbors(3, "B")
    g.csr("B")
print(time.perf_counter() - start)
"""
HELP = """
import sys, time
start = time.perf_counter()
from nkgraph import cli
try:
    cli.main(["--help"])
except SystemExit:
    pass
print()
print(time.perf_counter() - start)
"""


def graph(folder: Path, nodes: int, edges: int) -> Path:
    """Save a random graph of two connection types with a property each."""
    rng = np.random.default_rng(5)
    g = nk.Graph()
    ids = g.add_nodes("Node", np.arange(nodes), {"x": rng.random(nodes)})
    for name in ("A", "B"):
        ends = ids[rng.integers(0, nodes, (2, edges // 2))]
        g.add_edges(name, ends[0], ends[1])
    g.save(folder / "g")
    return folder / "g"


def opening(nodes: int, edges: int) -> Callable[[], float]:
    """Time ``open`` and ``close`` of a native directory."""
    folder = tempfile.TemporaryDirectory(prefix="nkgraph-perf-")
    path = graph(Path(folder.name), nodes, edges)

    def call() -> float:
        _ = folder
        start = time.perf_counter()
        open_graph(path).close()
        return time.perf_counter() - start

    return call


def starting(code: str, with_graph: bool) -> Callable[[], float]:
    """Run code in a fresh interpreter; it prints the seconds last."""
    folder = tempfile.TemporaryDirectory(prefix="nkgraph-perf-")
    arguments = [str(graph(Path(folder.name), 1000, 8000))] if with_graph else []

    def call() -> float:
        _ = folder
        result = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        return float(result.stdout.splitlines()[-1])

    return call


def rows(scale: Scale) -> Iterator[Limit]:
    """Give the rows of this stage."""
    for edges in (scale.edge_count // 16, scale.edge_count):
        name = f"open {edges:,} edges"
        yield Limit(name, partial(opening, scale.node_count, edges), 0.020)
    yield Limit("start: import over numpy", partial(starting, IMPORT, False), 0.060)
    yield Limit("start: first queries", partial(starting, FIRST_QUERIES, True), 1.5)
    yield Limit("start: --help", partial(starting, HELP, False), 0.5)
