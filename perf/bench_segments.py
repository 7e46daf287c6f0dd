"""Rows *seal local*, *seal full*: publish 1 % more of a graph, against a save of all of it.

And limits of a graph of eight segments: the first answer after opening, and what a thousand
random look-ups leave resident. Those two run in a fresh interpreter, which measures itself.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

import nkgraph as nk
from perf.harness import Call, Limit, Row, Scale

FIRST_ANSWER = """
import sys, time
import nkgraph as nk
nk.Graph()
start = time.perf_counter()
with nk.open(sys.argv[1]) as g:
    g.neighbors(3)
print(time.perf_counter() - start)
"""
LOOK_UPS = """
import sys
import numpy as np
import nkgraph as nk

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

nk.Graph()
before = resident()
rng = np.random.default_rng(1)
with nk.open(sys.argv[1]) as g:
    for node in rng.integers(0, g.node_count, 200):
        g.neighbors(node)
        g.neighbors(node, "T3", "in")
        g.find("N1", g.ids([node]), missing="sentinel")
        g.titles([node])
        g.read_nodes(g.types([node])[0], ["age", "name"], nodes=[node])
    print((resident() - before) / 1e9)
"""


class Growing:
    """A graph on disk that gets a hundredth more at a time."""

    def __init__(self, path: Path, nodes: int, edges: int) -> None:
        self.rng = np.random.default_rng(3)
        self.nodes, self.edges = nodes, edges
        self.keys = count(1)
        self.graph = nk.create(path)
        for number in range(4):
            self.add_nodes(f"N{number}", nodes // 4)
        for number in range(8):
            ends = self.rng.integers(0, nodes, (2, edges // 8))
            values = {"w": self.rng.random(edges // 8)} if number < 2 else None
            self.graph.add_edges(f"T{number}", ends[0], ends[1], values)
        self.graph.save()

    def add_nodes(self, node_type: str, size: int) -> np.ndarray:
        """Add nodes with a number and a text each."""
        texts = np.array([f"name {row % 1000}" for row in range(1000)], np.dtypes.StringDType())
        ids = np.arange(size) + next(self.keys) * 10**7
        values = {"age": self.rng.integers(0, 99, size), "name": np.resize(texts, size)}
        return self.graph.add_nodes(node_type, ids, values)

    def add(self, local: bool) -> None:
        """Add 1 %: edges among the new nodes, or among all."""
        new = self.add_nodes("N1", self.nodes // 100)
        first = int(new[0]) if local else 0
        ends = self.rng.integers(first, int(new[-1]) + 1, (2, self.edges // 100))
        self.graph.add_edges("T3", ends[0], ends[1])


def grown(scale: Scale) -> tuple[Growing, Path, object]:
    """Make the graph in a folder that lives as long as what is returned."""
    folder = tempfile.TemporaryDirectory(prefix="nkgraph-perf-")
    path = Path(folder.name)
    return Growing(path / "g", 2 * scale.node_count, scale.edge_count * 5 // 8), path, folder


def sealing(scale: Scale, local: bool) -> tuple[Call, Call]:
    """Add and seal 1 %, against a save of everything to a new place."""
    held, path, folder = grown(scale)

    def ours() -> object:
        held.add(local)
        held.graph.seal()
        return folder

    def rival() -> None:
        held.graph.save(path / "full")
        shutil.rmtree(path / "full")

    return ours, rival


def fresh(scale: Scale, code: str) -> Callable[[], float]:
    """Run code on eight segments in a fresh interpreter; it prints the figure last."""
    held, path, folder = grown(scale)
    for number in range(7):
        held.add(local=number % 2 == 0)
        held.graph.seal()
    held.graph.close()

    def call() -> float:
        _ = folder
        arguments = [sys.executable, "-c", code, str(path / "g")]
        result = subprocess.run(arguments, capture_output=True, text=True, check=True)
        return float(result.stdout.splitlines()[-1])

    return call


def bytes_written(scale: Scale) -> Callable[[], float]:
    """Share of a graph's bytes that a seal of 1 % writes, without the offsets of all nodes."""
    held, path, folder = grown(scale)

    def files() -> dict[int, tuple[int, str]]:
        current = path / "g" / "generations" / (path / "g" / "CURRENT").read_text().strip()
        found = [(file.stat(), file.name) for file in current.rglob("*") if file.is_file()]
        return {stat.st_ino: (stat.st_size, name) for stat, name in found}

    def call() -> float:
        _ = folder
        before = files()
        held.add(local=False)
        held.graph.seal()
        new = [item for inode, item in files().items() if inode not in before]
        written = sum(
            size for size, name in new if name not in ("out_offsets.bin", "in_offsets.bin")
        )
        return written / sum(size for size, _ in before.values())

    return call


def rows(scale: Scale) -> Iterator[Row | Limit]:
    """Give the rows of this stage."""
    yield Row("seal local", partial(sealing, scale, True), 0.10, 0.05, rival="full save")
    yield Row("seal full", partial(sealing, scale, False), 0.10, 0.05, rival="full save")
    yield Limit("seal: share of bytes (‰)", partial(bytes_written, scale), 0.050)
    yield Limit("8 segments: first answer", partial(fresh, scale, FIRST_ANSWER), 0.050)
    yield Limit("8 segments: resident MB", partial(fresh, scale, LOOK_UPS), 0.300)
