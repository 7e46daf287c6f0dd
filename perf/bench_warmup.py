"""Limits of compiling: all kernels with an empty cache, and a first call with a full one.

``compile all`` is ``nkgraph.warmup`` with an empty cache, on two cores. It takes most of a minute,
so it runs with full sizes or when it is named.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from perf.bench_open import graph
from perf.harness import Limit, Scale

COMPILE_ALL = """
import time
import nkgraph as nk
start = time.perf_counter()
ready = nk.warmup()
assert sum(one.cached for one in ready) < 20  # those compiled in both processes at once
print(time.perf_counter() - start)
"""
FIRST_PAGERANK = """
import sys
import nkgraph as nk
with nk.open(sys.argv[1]) as g:
    assert abs(nk.pagerank(g).sum() - 1) < 1e-9
"""


def compiling() -> Callable[[], float]:
    """Compile everything in a fresh process with a cache of its own; once, however often asked."""
    found: list[float] = []

    def call() -> float:
        if not found:
            with tempfile.TemporaryDirectory(prefix="nkgraph-perf-") as folder:
                found.append(float(_run(COMPILE_ALL, NUMBA_CACHE_DIR=folder)))
        return found[0]

    return call


def first_pagerank() -> Callable[[], float]:
    """From the start of the interpreter to its end, with a rank of each node in between."""
    folder = tempfile.TemporaryDirectory(prefix="nkgraph-perf-")
    path = graph(Path(folder.name), 1000, 8000)

    def call() -> float:
        _ = folder
        start = time.perf_counter()
        _run(FIRST_PAGERANK, str(path))
        return time.perf_counter() - start

    return call


def _run(code: str, *arguments: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def rows(scale: Scale) -> Iterator[Limit]:
    """Give the rows of this stage."""
    yield Limit("compile all", compiling, 60.0, full_only=True)
    yield Limit("start: first pagerank", first_pagerank, 1.5)
