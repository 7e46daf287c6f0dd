"""What all algorithms have in common: threads, progress, memory, interruption, removed nodes."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import nkgraph as nk
from nkgraph.algorithms import HOMES, memory
from nkgraph.errors import GraphError, LimitError, NotFoundError

N, M = 3000, 24_000
GIVEN = {
    "bfs": {"source": 1},
    "sssp": {"source": 1},
    "k_hop": {"sources": [1, 2], "hops": 2},
    "path_counts": {"sources": [1, 2], "connection_types": [None, None]},
    "random_walks": {"sources": [1, 2, 3] * 50, "length": 20, "seed": 5},
    "betweenness": {"samples": 20},
}
EVERY = pytest.mark.parametrize("name", sorted(HOMES))


def call(name, graph, **more):
    return getattr(nk, name)(graph, **GIVEN.get(name, {}), **more)


def arrays(answer):
    """The arrays, or the number, of an answer."""
    if isinstance(answer, int | np.ndarray):
        return [np.asarray(answer)]
    fields = getattr(answer, "_fields", None) or answer.__dataclass_fields__
    return [np.asarray(getattr(answer, field)) for field in fields]


def bits(answer):
    return [(part.dtype, part.tobytes()) for part in arrays(answer)]


def ends(seed=3):
    return (np.random.default_rng(seed).random((2, M)) ** 2 * N).astype(np.int64)


@pytest.fixture(scope="module")
def graph():
    made = nk.Graph()
    made.add_nodes("N", np.arange(N))
    made.add_edges("E", *ends())
    return made


@EVERY
def test_one_two_and_three_threads_give_the_same_bits(graph, name):
    wanted = bits(call(name, graph, threads=1))
    for threads in (2, 3, None):
        assert bits(call(name, graph, threads=threads)) == wanted


@EVERY
def test_callers_on_several_python_threads_do_not_meet(graph, name):
    wanted = bits(call(name, graph))
    found = []
    work = lambda: found.extend(bits(call(name, graph, threads=2)) for _ in range(3))  # noqa: E731
    callers = [threading.Thread(target=work) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [wanted] * 9


@EVERY
def test_no_nodes_and_one_node(name):
    for count in (0, 1):
        csr = nk.CSR.from_edges([], [], count)
        if name in ("bfs", "sssp"):
            if count == 1:
                getattr(nk, name)(csr, 0)
            continue
        given = {k: v for k, v in GIVEN.get(name, {}).items() if k != "samples"}
        if "sources" in given:
            given["sources"] = [0] * count
        for part in arrays(getattr(nk, name)(csr, **given)):
            assert part.size <= 21


@EVERY
def test_what_it_needs_is_said_and_refused_in_numbers(graph, name, monkeypatch):
    needed = nk.memory_estimate(name, graph.csr())
    assert needed >= 0
    monkeypatch.setattr(memory, "available", lambda: 100)
    with pytest.raises(LimitError, match=rf"{name} needs [\d,]+ bytes, and 100 are available"):
        call(name, graph.csr())


@EVERY
def test_bad_arguments_are_named(graph, name):
    with pytest.raises(GraphError, match="threads is 0, not at least 1"):
        call(name, graph, threads=0)
    if name != "path_counts":
        with pytest.raises(NotFoundError, match="'KNOWS'"):
            call(name, graph, connection_type="KNOWS")
    if name != "peer_histogram":
        with pytest.raises(GraphError, match="'up'"):
            call(name, graph, direction="up")


@EVERY
def test_progress_is_told(graph, name, capfd):
    told = []
    call(name, graph, progress=lambda *step: told.append(step))
    assert told
    assert {step[0] for step in told} == {name}
    call(name, graph, progress=True)
    assert f"nkgraph {name}: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "sentinel"),
    [
        ("pagerank", np.nan),
        ("connected_components", nk.NO_NODE),
        ("strongly_connected_components", nk.NO_NODE),
        ("sssp", np.inf),
        ("triangles", -1),
        ("local_clustering", np.nan),
        ("label_propagation", -1),
        ("betweenness", np.nan),
        ("core_numbers", -1),
    ],
)
def test_removed_nodes_carry_the_sentinel(name, sentinel):
    made = nk.Graph()
    made.add_nodes("N", np.arange(N))
    made.add_edges("E", *ends())
    removed = np.arange(5, N, 7)
    made.remove_nodes(removed)
    answer = call(name, made)
    np.testing.assert_array_equal(answer[removed], np.full(removed.size, sentinel, answer.dtype))
    if name != "sssp":
        rest = np.delete(answer, removed)
        assert not np.isin(rest, [sentinel]).any()
        assert not (isinstance(sentinel, float) and np.isnan(rest).any())


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import nkgraph as nk

n = 1 << 16
ends = np.random.default_rng(1).integers(0, n // 2, (2, 1 << 20))
csr = nk.CSR.from_edges(*ends, n)
swap = nk.CSR.from_edges(np.arange(n), np.arange(n) ^ 1)  # labels of pairs change every round
calls = {
    "pagerank": lambda k: nk.pagerank(csr, tolerance=0, max_iterations=10**k, threads=2),
    "label_propagation": lambda k: nk.label_propagation(swap, iterations=10**k, threads=2),
    "betweenness": lambda k: nk.betweenness(csr, sources=range(2**k), threads=2),
    "random_walks": lambda k: nk.random_walks(csr, [0] * 1000, 10**k, seed=1, threads=2),
}
for name, call in calls.items():
    call(1)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.process_time()
    try:
        call({"betweenness": 15, "random_walks": 5}.get(name, 8))
    except KeyboardInterrupt:
        print(name, time.process_time() - start - 2 * 0.3)
"""


@pytest.mark.skipif(os.name == "nt", reason="there a process cannot interrupt itself alone")
def test_an_interrupt_is_heard_within_a_second():
    """Of two threads, so within two of their time; that of other programs does not count."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split() for line in done.stdout.splitlines())
    assert set(lines) == {"pagerank", "label_propagation", "betweenness", "random_walks"}
    assert all(float(seconds) < 2 for seconds in lines.values()), lines
