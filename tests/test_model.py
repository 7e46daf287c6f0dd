"""Random programs against a model of a graph, in memory and on disk.

``NKGRAPH_MODEL`` sets how many programs run. One of them alone, to look at a failure:
``NKGRAPH_MODEL=500 pytest "tests/test_model.py::test_programs[417]"``; its steps are in the output.
"""

import os

import numpy as np
import pytest
from programs import Program

import nkgraph as nk
from nkgraph import adjacency, reading, saving, selecting, threads
from nkgraph.storage import sorted_texts
from nkgraph.storage.kglite import writer

PROGRAMS = int(os.environ.get("NKGRAPH_MODEL", "40"))
STEPS = 60
FOREIGN = ("basic", "values", "columns_bin", "deleted", "recycled", "seg_full", "converted")


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_programs(seed, tmp_path, monkeypatch):
    if seed % 2:  # else tables are too small for conditions to use an index
        monkeypatch.setattr(selecting, "ROWS_PAY", 1)
    Program(seed, tmp_path).run(STEPS)


@pytest.mark.parametrize("seed", range(PROGRAMS // 5))
def test_programs_with_small_limits(seed, tmp_path, monkeypatch):
    """What only large graphs meet: many threads, rows in files, too many segments, many removed."""
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(threads.split, "__defaults__", (None, 8))
    monkeypatch.setattr(adjacency, "FEW_NODES", 1)
    monkeypatch.setattr(saving, "MAX_SEGMENTS", 3)
    monkeypatch.setattr(writer, "LARGE", 16)
    monkeypatch.setattr(selecting, "ROWS_PAY", 0)
    monkeypatch.setattr(sorted_texts, "STEP", 2)
    monkeypatch.setattr(sorted_texts, "SAMPLES_PAY", 10**9)
    monkeypatch.setattr(sorted_texts, "LEAST", 3)
    monkeypatch.setattr(reading, "RELEASE_AFTER", 2)
    monkeypatch.setattr(reading, "RESIDENT", 0)
    cache = tmp_path / "cache" if seed % 2 else None
    Program(1000 + seed, tmp_path, cache=cache).run(STEPS)


@pytest.mark.parametrize("name", FOREIGN)
def test_programs_that_go_on_with_a_graph_of_the_engine(name, data, tmp_path):
    program = Program(2000 + FOREIGN.index(name), tmp_path, in_memory=True)
    program.adopt(data / "kglite" / name / "graph")
    program.run(STEPS // 2)


@pytest.mark.parametrize("seed", range(max(1, PROGRAMS // 8)))
def test_compact_gives_equal_bytes_whatever_was_saved_when(seed, tmp_path):
    program = Program(seed, tmp_path, in_memory=True)
    program.build(STEPS)
    program.g.compact(tmp_path / "at once")
    for number in range(2):
        path = tmp_path / f"in steps {number}"
        replay(program.calls, path, np.random.default_rng(number))
        assert contents(path) == contents(tmp_path / "at once")


def replay(calls, path, rng):
    """Make the same changes, with saves in between."""
    g = nk.create(path)
    for name, arguments in calls:
        getattr(g, name)(*arguments)
        pause = rng.integers(0, 6)
        if pause == 0:
            g.save()
        elif pause == 1:
            g.seal()
        elif pause == 2:
            g.save()
            g.close()
            g = nk.open(path, "r+")
    g.compact()
    g.close()


def contents(path):
    """Files of the only generation."""
    (generation,) = (path / "generations").iterdir()
    files = sorted(file for file in generation.rglob("*") if file.is_file())
    return {str(file.relative_to(generation)): file.read_bytes() for file in files}
