"""Programs of the GAP Benchmark Suite (C++) as rivals, on the very graph that ours get.

``NKGRAPH_GAP_DIR`` names the folder that holds them, as the suite's ``make`` leaves them. A graph
is written in the suite's serialized form, little-endian, with no padding:

    directed  uint8   ()        1 if rows against the edges follow
    m         int64   ()        slots, which for an undirected graph is twice its edges
    n         int64   ()        nodes
    offsets   int64   (n + 1,)
    targets   int32   (m,)      in ``.wsg`` files pairs (m, 2) of a target and a weight
    offsets, targets            the same against the edges, of a directed graph

What the programs print, "Trial Time:" and seconds, is their time: loading is not in it.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nkgraph.csr import CSR
from nkgraph.threads import thread_count
from perf.harness import Clocked

FOLDER = "NKGRAPH_GAP_DIR"
MAX_NODES = 2**31 - 1


def program(name: str) -> Path:
    """Path of a program, as "bfs" or "pr_spmv".

    Raises
    ------
    ModuleNotFoundError
        ``NKGRAPH_GAP_DIR`` is not set or has no such program: as for any rival that is missing.
    """
    folder = os.environ.get(FOLDER, "")
    path = Path(folder) / name
    if not folder or not os.access(path, os.X_OK):
        missing = f"GAP {name} ({FOLDER}={folder or 'not set'})"
        raise ModuleNotFoundError(f"{missing} is not there", name=missing)
    return path


def write_graph(csr: CSR, path: Path, directed: bool = False, weighted: bool = False) -> Path:
    """Write rows as a serialized graph; ``path`` wants the ending .sg, or .wsg if ``weighted``.

    Parameters
    ----------
    csr : CSR
        Rows that ascend, without loops or parallel edges, as the programs take for granted. If
        not ``directed``, each edge stands in the rows of both its ends.
    path : Path
    directed : bool
        Whether rows against the edges are written too.
    weighted : bool
        Whether the weights of ``csr`` are written, as int32.
    """
    if path.suffix != (".wsg" if weighted else ".sg"):
        raise ValueError(f"{path}: the suite tells its files by .sg and, with weights, .wsg")
    if csr.node_count > MAX_NODES:
        raise ValueError(f"{csr.node_count} nodes are more than int32 ids can name")
    with path.open("wb") as file:
        file.write(np.uint8(directed).tobytes())
        file.write(np.array([csr.edge_count, csr.node_count], "<i8").tobytes())
        for rows in (csr, csr.reverse()) if directed else (csr,):
            rows.offsets.astype("<i8", copy=False).tofile(file)
            _entries(rows, weighted).tofile(file)
    return path


def _entries(csr: CSR, weighted: bool) -> NDArray[Any]:
    targets = csr.targets.view(np.int32)
    if not weighted:
        return targets
    assert csr.weights is not None, "weights are asked for, and there are none"
    return np.stack([targets, csr.weights.astype(np.int32)], axis=1)


def trials(name: str, *options: str, threads: int | None = None) -> list[float]:
    """Run a program; seconds of each trial.

    Parameters
    ----------
    name : str
    *options : str
        As ``"-f", "graph.sg", "-n", "3", "-r", "7"``: file, trials, first node.
    threads : int, optional
        For OpenMP; as many as nkgraph uses, if not given.

    Raises
    ------
    RuntimeError
        The program failed, or printed no times.
    """
    count = str(threads or thread_count())
    done = subprocess.run(
        [program(name), *options],
        env={**os.environ, "OMP_NUM_THREADS": count, "OMP_PROC_BIND": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = seconds_printed(done.stdout, "Trial Time")
    if done.returncode != 0 or not found:
        said = (done.stderr or done.stdout).strip()[-300:]
        raise RuntimeError(f"{name} {' '.join(options)}: exit {done.returncode}: {said}")
    return found


def seconds_printed(text: str, label: str) -> list[float]:
    """Numbers of the lines ``LABEL:   SECONDS``, in their order."""
    lines = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return [float(value) for found, value in lines if found.strip() == label]


def rival(name: str, path: Path, options: Sequence[str] = (), count: int = 3) -> Clocked:
    """Give a rival for a row: a run on ``path`` of ``count`` trials, of which the best counts.

    Raises
    ------
    ModuleNotFoundError
        The program is not there: the row is skipped.
    """
    program(name)
    run: Callable[[], list[float]] = partial(
        trials, name, "-f", str(path), "-n", str(count), *options
    )
    return Clocked(lambda: min(run()))
