"""Searches, ranks and components of a graph that is larger than the memory they may have.

    python tests/limited_memory.py FOLDER [NODES EDGES]

makes a random graph in FOLDER (which must not exist), and runs breadth-first search, PageRank and
both kinds of components on it in a process of its own, which may allocate no more than a quarter of
the graph's bytes beyond what it holds when the graph is open and the kernels are loaded:
RLIMIT_DATA, which counts all private memory that can be written to, but not maps of files. The
test of that name runs it with a small graph; where a quarter is twice what the interpreter holds
(4*10**6 nodes and 6*10**7 edges), that quarter is the limit for all of the process.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import nkgraph as nk

PARTS = 4
ROUNDS = 5


def ends(node_count, edge_count):
    """Sources and targets: low node ids have most edges, a tenth of all nodes have none."""
    rng = np.random.default_rng(12)
    used = node_count - node_count // 10
    sources = (rng.random(edge_count) ** 2 * used).astype(np.uint32)
    return sources, rng.integers(0, used, edge_count, np.uint32)


def make(folder, node_count, edge_count):
    """Save the graph; return how many bytes its files have."""
    with nk.Graph() as graph:
        graph.add_nodes("N", np.arange(node_count))
        graph.add_edges("E", *ends(node_count, edge_count))
        graph.save(folder)
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def answers(graph):
    """What is compared."""
    search = nk.bfs(graph, 0)
    return {
        "depths": search.depths,
        "parents": search.parents,
        "ranks": nk.pagerank(graph, tolerance=0, max_iterations=ROUNDS),
        "weak": nk.connected_components(graph),
        "strong": nk.strongly_connected_components(graph),
    }


def data_bytes():
    """What RLIMIT_DATA counts of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))


def run(folder, size):
    """Run all below the limit; then show that the limit holds."""
    import resource  # not on Windows

    with nk.Graph() as small:
        small.add_nodes("N", np.arange(1 << 17))  # large enough to start every thread
        small.add_edges("E", *ends(1 << 17, 1 << 17))
        answers(small)
    graph = nk.open(folder)
    limit, before = size // PARTS, data_bytes()
    if limit < 2 * before:
        limit += before
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    np.savez(f"{folder}.npz", **answers(graph))
    try:
        np.ones(16 * graph.edge_count, np.uint8)  # what both rows would take
    except MemoryError:
        print(f"done: {size:,} bytes; {limit:,} allowed, {before:,} of them for the interpreter")
    else:
        print("there is no limit")


def limited(folder, size):
    """Run in a process of its own; return what it prints, and the answers."""
    done = subprocess.run(
        [sys.executable, __file__, "--run", str(folder), str(size)],
        env={**os.environ, "PYTHONPATH": str(Path(nk.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout, dict(np.load(f"{folder}.npz"))


def check(folder, node_count, edge_count):
    """Make, run, and compare with the same of rows in memory; return what was printed."""
    said, found = limited(folder, make(folder, node_count, edge_count))
    wanted = answers(nk.CSR.from_edges(*ends(node_count, edge_count), node_count))
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, err_msg=name)
    return said


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        run(sys.argv[2], int(sys.argv[3]))
    else:
        sizes = [int(word) for word in sys.argv[2:]] or [10**5, 2 * 10**6]
        print(check(sys.argv[1], *sizes), end="")
