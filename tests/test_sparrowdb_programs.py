"""Random programs on a node store, compared with the twin after every step."""

import os
import random

import numpy as np
import pytest
import sparrow_traces as traces

from nkgraph.storage.sparrowdb import NodeStore

COLS = (0, 1, 2, 300)
PROGRAMS = int(os.environ.get("NKGRAPH_PROGRAMS", "60"))
TEXTS = ("", "abc", "sieben!", "a\0", "eight by", "ein längerer Text, mehr als einmal")


def value(rng):
    return rng.choice([
        {"int": rng.choice([0, 1, -1, 2**55 - 1, -(2**55), 2**55, rng.getrandbits(40)])},
        {"str": rng.choice(TEXTS)},
        {"hex": rng.randbytes(rng.randrange(12)).hex()},
        {"f64": f"0x{rng.getrandbits(64):016x}"},
    ])  # fmt: skip


def props(rng):
    return [[rng.choice(COLS), value(rng)] for _ in range(rng.choice([0, 1, 1, 2, 4]))]


def operation(rng):
    label, slot = rng.randrange(3), rng.choice([0, 1, 2, 5, rng.randrange(20), rng.randrange(70)])
    node, cols = label * 2**32 + slot, [*COLS, 9]
    kind = rng.choice(
        ["create"] * 6 + ["create_at", "create_at", "batch", "batch", "batch_raw", "peek"]
        + ["flush_hwms", "flush_hwms", "open", "set", "set", "upsert", "upsert", "tombstone"]
        + ["raw", "nullable", "nullable", "col_all", "batch_read", "hwm", "disk_hwm", "cols"]
    )  # fmt: skip
    op = {"op": kind, "label": label, "node": node, "slot": slot, "cols": cols}
    if kind in ("create", "create_at"):
        op["props"] = props(rng)
    elif kind == "batch":
        first = rng.randrange(30)
        slots = rng.sample(range(first, first + 12), rng.randrange(8))
        op["rows"] = [[label, place, legal(props(rng))] for place in slots]
    elif kind == "batch_raw":
        op["writes"] = [
            [rng.randrange(3), rng.choice(COLS), rng.randrange(30), f"0x{rng.getrandbits(56):016x}",
             rng.random() < 0.7]
            for _ in range(rng.randrange(6))
        ]  # fmt: skip
        op["slots"] = [[rng.randrange(3), rng.randrange(30)] for _ in range(rng.randrange(3))]
    elif kind in ("set", "upsert"):
        op |= {"col": rng.choice(COLS), "value": value(rng)}
    elif kind == "col_all":
        op["col"] = rng.choice(COLS)
    elif kind == "batch_read":
        op["slots"] = [rng.randrange(70) for _ in range(rng.randrange(9))]
    return op


def legal(pairs):
    """Without what would be refused half-way: a batch encodes its values one by one."""
    return [[col, v] for col, v in pairs if v != {"int": 2**55}]


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_programs(seed, tmp_path):
    rng = random.Random(seed)
    runner, twin = traces.Runner(tmp_path / "db", sync=False), traces.TwinRunner()
    for step in range(80):
        op = operation(rng)
        found, wanted = runner.run(op), twin.run(op)
        assert found == wanted, (step, op)
    runner.store.close()
    same_files(tmp_path / "db", twin.twin)
    with NodeStore.open(tmp_path / "db", "r") as store:
        same_answers(store, twin.twin)


def same_files(root, twin):
    held = traces.twin_of(root)
    assert held.words == twin.words
    assert held.heap == twin.heap
    assert held.disk == {label: m for label, m in twin.disk.items() if m} | {
        label: 0 for label in held.disk if not held.disk[label]
    }
    assert held.bits == twin.bits


def same_answers(store, twin):
    for label in range(3):
        slots = np.random.default_rng(label).integers(0, 75, 50)
        words, present = store.batch_read_node_props_nullable(label, slots, COLS)
        values = store.batch_read_node_values(label, slots, COLS, binary=True)
        for row, slot in enumerate(slots.tolist()):
            for place, (col, word) in enumerate(twin.nullable(label, slot, COLS)):
                assert present[row, place] == (word is not None)
                assert word is None or words[row, place] == word
                decoded, valid = values[place]
                there = valid is None or valid[row]
                if col or word != 2**64 - 1:
                    assert there == (word is not None)
                if there:
                    ((_, want),) = twin.get(label, slot, [col])
                    have = decoded[row].item() if hasattr(decoded[row], "item") else decoded[row]
                    assert traces.spelled(have) == traces.spelled(want)
