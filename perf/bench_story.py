"""Rows *story*: ``examples/story_fb15k.py`` on 310,116 triples, a limit for a warm run.

Import, typed query, peers, properties, PageRank, pandas and a plot. "again" is a further run in a
process that has run it before. "fresh" is from the start of an interpreter to its end: kernels,
bytecode and files are cached by an earlier run, and all libraries are imported within: pandas,
pyarrow and matplotlib alone take over a second, which its limit leaves them.
"""

import contextlib
import io
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from perf.harness import Limit, Scale

ROOT = Path(__file__).parent.parent
STORY = ROOT / "examples" / "story_fb15k.py"
DATA = ROOT / "tests" / "data" / "fb15k-237"
SECONDS, FRESH = 2.0, 3.5


def telling_again() -> Callable[[], float]:
    """Time a run in this process."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder = tempfile.TemporaryDirectory(prefix="nkgraph-perf-")

    def call() -> float:
        picture = Path(folder.name) / "degrees.png"
        before, sys.argv = sys.argv, [str(STORY), str(DATA), str(picture)]
        try:
            start = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(str(STORY))
            return time.perf_counter() - start
        finally:
            sys.argv = before
            pyplot.close("all")

    return call


def telling_afresh() -> Callable[[], float]:
    """Time a whole run in a process of its own."""
    folder = tempfile.TemporaryDirectory(prefix="nkgraph-perf-")
    arguments = [sys.executable, str(STORY), str(DATA), "degrees.png"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": path}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def call() -> float:
        start = time.perf_counter()
        subprocess.run(arguments, cwd=folder.name, env=environment, capture_output=True, check=True)
        return time.perf_counter() - start

    return call


def rows(scale: Scale) -> Iterator[Limit]:
    """Give the rows of this stage; their size does not change."""
    yield Limit("story: again", telling_again, SECONDS)
    yield Limit("story: fresh", telling_afresh, FRESH)
