"""Rows *dump ...*: a RedDB dump of 200,000 nodes and edges with five properties each.

To and from a graph, against ``orjson`` with the same content in the JSON form; Python's garbage
collector is on, as users have it, and takes much of the time of the rival that reads. And as
limits, in bytes of the dump a second: to a graph 150 MB/s, saving a graph 100 MB/s. Those two say
something of a quiet machine alone, so the quick form leaves them out. What both allocate at their
highest is measured in a fresh interpreter, in bytes of the dump: at most 3.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from time import perf_counter

import numpy as np

import nkgraph as nk
from nkgraph.front import open_graph
from nkgraph.storage import reddb
from perf.harness import Contest, Limit, Rival, Row, Scale

EACH = 100_000
"""So many nodes, and so many edges."""
READ_RATE, WRITE_RATE, MEMORY = 150e6, 100e6, 3.0
PEAK = """
import os, sys, tempfile
import nkgraph as nk
from nkgraph.storage import reddb

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))

def reset():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")

small, path = sys.argv[1:]
size = os.path.getsize(path)
with tempfile.TemporaryDirectory() as folder:
    with nk.open(small) as g:  # loads what the code itself needs
        reddb.save(reddb.from_graph(g), folder + "/small.rdst")
    reset()
    before = status("VmRSS")
    g = nk.open(path)
    opened = status("VmHWM") - before
    reset()
    before = status("VmRSS")
    reddb.save(reddb.from_graph(g), folder + "/large.rdst")
    saved = status("VmHWM") - before
print(max(opened, saved) / size)
"""


def properties(rng: np.random.Generator, count: int) -> dict[str, object]:
    """Five columns: an integer, a number, a text, a flag and a date."""
    words = np.array([f"word {number:06}" for number in range(1000)], np.dtypes.StringDType())
    return {
        "age": rng.integers(0, 2**40, count),
        "score": rng.random(count),
        "name": words[rng.integers(0, words.size, count)],
        "active": rng.random(count) < 0.5,
        "since": np.datetime64("2001-01-01") + rng.integers(0, 9000, count),
    }


def graph(count: int) -> nk.Graph:
    """Nodes of two types, edges of two types."""
    rng = np.random.default_rng(count)
    made = nk.Graph()
    half = count // 2
    nodes = np.concatenate([
        made.add_nodes(name, np.arange(half) + 1024 + half * number, properties(rng, half))
        for number, name in enumerate(("person", "company"))
    ])  # fmt: skip
    for name in ("KNOWS", "PAYS"):
        ends = nodes[rng.integers(0, nodes.size, (2, half))]
        made.add_edges(name, ends[0], ends[1], properties(rng, half))
    return made


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """Where dumps are written; goes with the process."""
    return tempfile.TemporaryDirectory(prefix="nkgraph-perf-")


@cache
def dump(count: int) -> Path:
    """A dump of so many nodes and as many edges."""
    path = Path(folder().name) / f"{count}.rdst"
    reddb.save(reddb.from_graph(graph(count)), path)
    return path


def reading_against_json() -> Contest:
    """Open a dump; parse the same content as JSON."""
    import orjson

    path = dump(EACH)
    text = orjson.dumps(reddb.load(path).to_json())
    found = {"orjson": Rival(lambda: lambda: orjson.loads(text))}
    return Contest(lambda: open_graph(path).close(), found, path.stat().st_size)


def writing_against_json() -> Contest:
    """Save a graph; spell the same content, which is at hand as Python objects, as JSON."""
    import orjson

    content = reddb.load(dump(EACH)).to_json()
    made, path = graph(EACH), Path(folder().name) / "saved.rdst"
    found = {"orjson": Rival(lambda: lambda: orjson.dumps(content))}
    moved = dump(EACH).stat().st_size
    return Contest(lambda: reddb.save(reddb.from_graph(made), path), found, moved)


def seconds_a_megabyte(call: Callable[[], object]) -> Callable[[], float]:
    """Time a call, for each 10**6 bytes of the dump."""
    size = dump(EACH).stat().st_size / 1e6

    def run() -> float:
        start = perf_counter()
        call()
        return (perf_counter() - start) / size

    return run


def opening() -> Callable[[], float]:
    """A dump to a graph."""
    path = dump(EACH)
    return seconds_a_megabyte(lambda: open_graph(path).close())


def saving() -> Callable[[], float]:
    """A graph to a dump."""
    made, path = graph(EACH), Path(folder().name) / "saved.rdst"
    return seconds_a_megabyte(lambda: reddb.save(reddb.from_graph(made), path))


def peak() -> Callable[[], float]:
    """Highest memory over what was there before, in sizes of the dump, in thousandths."""
    command = [sys.executable, "-c", PEAK, str(dump(100)), str(dump(EACH))]

    def run() -> float:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout) / 1e3

    return run


def rows(scale: Scale) -> Iterator[Row | Limit]:
    """Give the rows of this stage."""
    yield Row("dump to graph", reading_against_json, 1.0, 0.3, rival="orjson")
    yield Row("dump from graph", writing_against_json, 2.0, 1.0, rival="orjson")
    yield Limit("dump: memory, of its size", peak, MEMORY / 1e3)
    if scale != Scale.quick():
        yield Limit("dump to graph: 1 MB", opening, 1e6 / READ_RATE)
        yield Limit("dump from graph: 1 MB", saving, 1e6 / WRITE_RATE)
