"""A graph larger than the memory it may have: built in parts, opened mapped, searched and ranked.

``python -m perf --larger-than-memory --folder FOLDER --scale N --edges M [--limit-memory BYTES]``

An RMAT graph is written to ``FOLDER/graph`` as a native directory, a part sealed after the other,
and its rows, which lie in as many segments, are joined once into files in ``FOLDER/rows``. Both,
and the algorithms after them, run in processes of their own, which may allocate ``BYTES`` beyond
what the interpreter and the kernels take: ``RLIMIT_DATA``, which counts private memory but no maps
of files; where there is none (not Linux), or none is asked for, they run without. A graph that
is in the folder already is taken as it is, if it has these sizes.

There is no rival: none of them opens such a graph. The physical limit is the bytes that the
algorithm must read, at the speed of the disk if the rows are more than the physical memory, and
of memory otherwise.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import nkgraph as nk
from nkgraph.front import create, open_graph
from perf import graphs, machine
from perf.harness import OURS, Result

ROOT = Path(__file__).parent.parent
PART_BYTES = 160
"""Memory that an edge takes while its part is sealed."""
SEGMENTS = 48
"""So many parts at most."""
ROUNDS = 5
WARM_BITS = 17
"""Of the graph that loads the kernels and starts the threads before the limit holds."""


def run(folder: Path, bits: int, edges: int, limit: int | None) -> list[Result]:
    """Build if needed, run everything, print lines; results hold one time each."""
    folder.mkdir(parents=True, exist_ok=True)
    described = f"{1 << bits:,} nodes, {edges:,} edges"
    held = "no limit" if limit is None else f"at most {limit:,} bytes of memory"
    print(f"larger than memory: {described}, {held}, in {folder}", flush=True)
    print(f"{'step':32} {'seconds':>10} {'of limit':>9} {'peak MB':>9}")
    results = []
    for step in ("build", "run"):
        for found in _in_process(step, folder, bits, edges, limit):
            if "seconds" not in found:
                print(f"larger: {found['step']:24} {found['says']}", flush=True)
                continue
            results.append(_result(found))
            print(line(results[-1], found), flush=True)
    return results


def _in_process(
    step: str, folder: Path, bits: int, edges: int, limit: int | None
) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "perf.larger", step]
    given = [str(folder), str(bits), str(edges), str(limit or 0)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command + given, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            yield json.loads(text)
    if process.returncode:
        raise RuntimeError(f"{step} of {folder}: exit {process.returncode}")


def _result(found: dict[str, Any]) -> Result:
    times, floor = {OURS: [found["seconds"]]}, found.get("floor")
    peaks = {OURS: found["peak"]} if "peak" in found else {}
    name = f"larger: {found['step']}"
    return Result(name, 1.0, 1.0, "none", times, floor=floor, peaks=peaks, stage="larger")


def line(result: Result, found: dict[str, Any]) -> str:
    """One line of the table."""
    limit = "" if result.over_floor is None else f"{result.over_floor:.1f} x"
    peak = f"{result.peaks[OURS] / 1e6:.1f}" if result.peaks else ""
    return (
        f"{result.name:32} {result.ours or 0.0:10.3f} {limit:>9} {peak:>9}  {found.get('says', '')}"
    )


# -- in the processes -------------------------------------------------------------------------


def say(step: str, **more: object) -> None:
    """Tell the parent of a step."""
    print(json.dumps({"step": step, **more}), flush=True)


def build(folder: Path, bits: int, edges: int, limit: int | None) -> None:
    """Write the graph, a part at a time."""
    path = folder / "graph"
    if path.exists():
        with open_graph(path) as graph:
            assert (graph.node_count, graph.edge_count) == (1 << bits, edges), (
                f"{path} holds another graph: {graph.node_count} nodes, {graph.edge_count} edges"
            )
        say("build", says="is there already")
        return
    allowed = limit or (machine.memory() or 1 << 32) // 2
    part = max(allowed // 2 // PART_BYTES, -(-edges // SEGMENTS))
    part = -(-part // graphs.BLOCK) * graphs.BLOCK
    warm(folder)
    start = time.perf_counter()
    with limited(limit), create(path) as graph:
        graph.add_nodes("Node", np.arange(1 << bits))
        graph.seal()
        for sources, targets in graphs.kronecker_parts(bits, edges, part):
            graph.add_edges("EDGE", sources, targets)
            graph.seal()
        segments = graph.segment_count
    says = f"{size(path):,} bytes, {segments} segments of at most {part:,} edges"
    say("build", seconds=time.perf_counter() - start, says=says)


def algorithms(folder: Path, limit: int | None) -> None:
    """Open the graph, join its rows, search, rank, find components."""
    warm(folder)
    start = time.perf_counter()
    graph = open_graph(folder / "graph", cache=folder / "rows")
    say("open", seconds=time.perf_counter() - start)
    n, m = graph.node_count, graph.edge_count
    rows = 2 * 8 * (n + 1 + m)
    speed, says = read_speed(folder / "graph", rows)
    with graph, limited(limit):
        seconds, peak = measured(lambda: [graph._rows.rows(side) for side in ("out", "in")])
        reading = f"{rows:,} bytes; {says}"
        say("rows", seconds=seconds, peak=peak, floor=2 * rows / speed, says=reading)
        first = int(np.argmax(graph.degrees()))
        steps: dict[str, tuple[Callable[[], Any], float]] = {
            "bfs": (lambda: nk.bfs(graph, first), 24 * n),
            "components": (lambda: nk.connected_components(graph), (8 + 2 * 8 + 4) * n),
            f"pagerank, {ROUNDS} rounds": (
                lambda: nk.pagerank(graph, tolerance=0, max_iterations=ROUNDS),
                ROUNDS * (8 * m + 5 * 8 * n),
            ),
        }
        answers = []
        for name, (call, moved) in steps.items():
            answers.append(call())
            seconds, peak = measured(call)
            say(name, seconds=seconds, peak=peak, floor=moved / speed)
        check(first, *answers)
        if limit is not None:
            say("limit", says=holds(rows))


def check(first: int, search: nk.BFS, labels: np.ndarray, ranks: np.ndarray) -> None:
    """What is reached is in the component of the first node; ranks sum to 1."""
    reached = search.depths >= 0
    assert reached.any(), "nothing was reached"
    assert (labels[reached] == labels[first]).all(), "a node was reached in another component"
    assert abs(float(ranks.sum()) - 1.0) < 1e-6, "ranks do not sum to 1"


def holds(rows: int) -> str:
    """Show that the rows could not have been held."""
    try:
        np.ones(rows, np.uint8)
    except MemoryError:
        return "holds: the rows cannot be allocated"
    return "there is none here, or it is larger than the rows"


def measured(call: Callable[[], object]) -> tuple[float, int]:
    """Seconds of a call, and what it allocates at its highest."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        call()
        return time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def warm(folder: Path) -> None:
    """Load the kernels and start the threads, on a small graph that is gone afterwards."""
    path = folder / "warm"
    with create(path) as graph:
        graph.add_nodes("Node", np.arange(1 << WARM_BITS))
        half = max(2 << WARM_BITS, graphs.BLOCK)
        for sources, targets in graphs.kronecker_parts(WARM_BITS, 2 * half, half):
            graph.add_edges("EDGE", sources, targets)
            graph.seal()
    with open_graph(path, cache=folder / "warm-rows") as graph:
        nk.bfs(graph, 0), nk.connected_components(graph)
        nk.pagerank(graph, tolerance=0, max_iterations=1)
    remove(path)
    remove(folder / "warm-rows")


def remove(path: Path) -> None:
    """Remove a folder."""
    import shutil

    shutil.rmtree(path)


@contextlib.contextmanager
def limited(limit: int | None) -> Iterator[None]:
    """Allow so many bytes beyond what there is; Linux alone counts maps of files apart."""
    if limit is None or sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = machine.status_bytes("VmData") + limit
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def size(folder: Path) -> int:
    """Bytes of the files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def read_speed(folder: Path, rows: int) -> tuple[float, str]:
    """Bytes a second at which the rows come: of the disk, or of memory where they fit."""
    memory = machine.memory() or 1 << 62
    if rows <= memory:
        speed = machine.bandwidth(1 << 26)
        return speed, f"memory moves {speed / 1e9:.1f} GB/s"
    path = max((p for p in folder.rglob("*.bin")), key=lambda p: p.stat().st_size)
    block, read = bytearray(1 << 24), 0
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        while read < 1 << 30 and (got := file.readinto(block)):
            read += got
        speed = read / (time.perf_counter() - start)
    return speed, f"the disk reads {speed / 1e9:.2f} GB/s"


if __name__ == "__main__":
    what, place, *numbers = sys.argv[1:]
    node_bits, edge_total, most = map(int, numbers)
    if what == "build":
        build(Path(place), node_bits, edge_total, most or None)
    else:
        algorithms(Path(place), most or None)
