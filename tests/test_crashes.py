"""Processes that are killed while they write, and readers beside a writer.

``NKGRAPH_KILLS`` sets how many writers are killed, ``NKGRAPH_SECONDS`` for how long readers read.
A directory holds state ``n`` if it is that which ``n`` rounds of ``write`` make: a window of the
last nodes, a chain of edges between them, and the number itself.
"""

import os
import random
import select
import signal
import struct
import time

import numpy as np
import pytest
from faults import PATIENCE, ended, start

import nkgraph as nk

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")

KILLS = int(os.environ.get("NKGRAPH_KILLS", "25"))
SECONDS = float(os.environ.get("NKGRAPH_SECONDS", "3"))
READERS = 4
NEW, WINDOW = 3, 12
SAVES = ("save", "seal", "save", "compact")


def create(path):
    with nk.create(path) as g:
        g.add_nodes("State", ["n"], {"number": [0]})
        g.save()


def write(g):
    """Go from one state to the next, and save it; return its number."""
    number = int(g.read_nodes("State")["number"].values[0]) + 1
    keys = np.arange(NEW * (number - 1), NEW * number)
    nodes = g.add_nodes("N", keys, {"x": keys * 7, "name": [f"né {key}" for key in keys]})
    before = nodes[:1]
    if number > 1:
        before = g.find("N", [int(keys[0]) - 1])
    chain = np.concatenate([before, nodes])
    g.add_edges("NEXT", chain[:-1], chain[1:], {"w": keys * 5})
    g.update_nodes(g.find("State", ["n"]), {"number": [number]})
    if number > WINDOW // NEW:
        g.remove_nodes(g.find("N", keys - WINDOW))
    getattr(g, SAVES[number % len(SAVES)])()
    return number


def check(g):
    """Return the number of the state, of which everything must be there and nothing else."""
    number = int(g.read_nodes("State")["number"].values[0])
    last = NEW * number
    keys = np.arange(max(0, last - WINDOW), last)
    assert g.node_types == ({"N": keys.size, "State": 1} if number else {"State": 1})
    if not number:
        assert g.edge_count == 0
        return number
    nodes = g.find("N", keys)
    table = g.read_nodes("N", nodes=nodes)
    assert table["x"].tolist() == (keys * 7).tolist()
    assert table["name"].tolist() == [f"né {key}" for key in keys]
    sources, targets, edges = g.edges("NEXT")
    weights = g.read_edges("NEXT", ["w"], edges=edges)["w"].tolist()
    ends = zip(g.ids(sources).tolist(), g.ids(targets).tolist(), weights, strict=True)
    links = [(key - 1, key, key * 5) for key in keys[1:].tolist()]
    first = [(0, 0, 0)] if keys[0] == 0 else []  # the very first node leads to itself
    assert sorted(ends) == first + links
    assert g.csr("NEXT").edge_count == g.edge_count == len(first + links)
    for node, key in zip(nodes[:-1], keys[:-1], strict=True):
        assert key + 1 in g.ids(g.neighbors(node, "NEXT"))
    return number


def read_numbers(pipe):
    """What a child wrote to its pipe, up to its end."""
    with open(pipe, "rb") as file:
        data = file.read()
    return [number for (number,) in struct.iter_unpack("<q", data[: len(data) // 8 * 8])]


def piped(work):
    """Start a child with a function that reports numbers; return it and where they come out."""
    out, into = os.pipe()

    def report(number):
        os.write(into, struct.pack("<q", number))

    child = start(lambda: work(report), PATIENCE + SECONDS)
    os.close(into)
    return child, out


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    path = tmp_path / "g"
    create(path)
    with nk.open(path, "r+") as g:  # compiles what the children call
        for _ in SAVES:
            write(g)
        state = check(g)
    chance = random.Random(7)
    written = 0

    def work(report):
        with nk.open(path, "r+") as g:
            while True:
                report(write(g))

    for number in range(KILLS):
        child, out = piped(work)
        if number % 2:  # others may die before their first save
            select.select([out], [], [], PATIENCE)
        time.sleep(chance.uniform(0, 0.15))
        os.kill(child, signal.SIGKILL)
        assert not ended(child)
        numbers = read_numbers(out)
        acknowledged = numbers[-1] if numbers else state
        with nk.open(path) as g:
            state = check(g)
            report = g.verify()
        assert state in (acknowledged, acknowledged + 1)
        assert report.ok, str(report)
        written += len(numbers)
    assert written >= KILLS // 2
    with nk.open(path, "r+") as g:
        assert write(g) == state + 1
        assert check(g) == state + 1
    assert len(list((path / "generations").iterdir())) == 1
    assert {child.name for child in path.iterdir()} == {"CURRENT", "generations", ".lock"}


def test_readers_beside_a_writer_see_one_state_each(tmp_path):
    path = tmp_path / "g"
    create(path)
    with nk.open(path, "r+") as g:
        for _ in SAVES:
            write(g)
        check(g)
    stop = time.monotonic() + SECONDS

    def writes(report):
        with nk.open(path, "r+") as g:
            while time.monotonic() < stop:
                report(write(g))

    def reads(report):
        old = nk.open(path)
        was = check(old)
        while time.monotonic() < stop:
            with nk.open(path) as g:
                number = check(g)
                report(number)
                assert check(g) == number
            assert check(old) == was  # the generation that it opened, however old
            if number > was + 20:
                old.close()
                old = nk.open(path)
                was = check(old)

    children = [piped(work) for work in [writes] + [reads] * READERS]
    reported = [read_numbers(out) for _, out in children]
    for child, _ in children:
        assert ended(child)
    for numbers in reported:
        assert numbers == sorted(numbers)
    assert len(reported[0]) >= 3
    assert all(len(numbers) >= 3 for numbers in reported)
    assert len(set(reported[1])) >= 2
    with nk.open(path, "r+") as g:
        assert check(g) == reported[0][-1]
        g.save()
    assert len(list((path / "generations").iterdir())) == 1
