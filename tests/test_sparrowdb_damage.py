"""Damaged stores: an error of nkgraph, or what the bytes say; never a crash, never other text."""

import os
import random
import shutil

import numpy as np
import pytest
import sparrow_traces as traces
from sparrow_twin import Refused

from nkgraph.errors import NkgraphError
from nkgraph.storage.sparrowdb import NodeStore

CASES = int(os.environ.get("NKGRAPH_DAMAGE", "600"))
SEEDS = 30
SLOTS = 70


def damage(rng, held):
    """Change one file, or two."""
    for _ in range(rng.choice([1, 1, 2])):
        name = rng.choice([*held, *[name for name in held if "hwm" in name or "strings" in name]])
        data = bytearray(held[name])
        kind = rng.choice(["byte", "byte", "byte", "cut", "grow", "zero", "gone", "swap"])
        if kind == "byte":
            for _ in range(rng.randrange(1, 5)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
        elif kind == "cut":
            del data[rng.randrange(len(data) + 1) :]
        elif kind == "grow":
            data += rng.randbytes(rng.randrange(1, 40))
        elif kind == "zero":
            start = rng.randrange(len(data) + 1)
            data[start : start + 16] = bytes(len(data[start : start + 16]))
        elif kind == "swap":
            data = bytearray(held[rng.choice(list(held))])
        held[name] = None if kind == "gone" else bytes(data)
        if kind == "gone":
            del held[name]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_damaged_stores(seed, data, tmp_path):
    good = traces.contents(data / "sparrowdb" / ("random_ops", "sparse_columns")[seed % 2] / "db")
    rng = random.Random(seed)
    for case in range(CASES // SEEDS):
        root = tmp_path / "db"
        shutil.rmtree(root, ignore_errors=True)
        held = dict(good)
        damage(rng, held)
        for name, content in held.items():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        twin = traces.twin_of(root)
        with NodeStore.open(root, "r") as store:
            read_all(store, twin, (seed, case))
        assert traces.contents(root) == held
        with NodeStore.open(root, sync=False) as store:
            write_some(store, rng)


def read_all(store, twin, where):
    for label in (0, 1, 3, 9):
        slots = np.arange(SLOTS)
        cols = store.col_ids_for_label(label)
        assert cols == twin.columns(label), where
        words, present = store.batch_read_node_props_nullable(label, slots, cols)
        assert words.tolist() == twin.batch_read(label, range(SLOTS), cols), where
        for place, col in enumerate(cols):
            nullable = [twin.nullable(label, slot, [col])[0][1] for slot in range(SLOTS)]
            assert present[:, place].tolist() == [word is not None for word in nullable], where
            values_of(store, twin, label, col, nullable, where)
        try:
            mark = store.hwm_for_label(label)
        except NkgraphError:
            assert twin.disk[label] > 2**32, where
        else:
            assert mark == twin.disk_hwm(label), where


def values_of(store, twin, label, col, nullable, where):
    if col == 0:
        nullable = [None if word == 2**64 - 1 else word for word in nullable]
    wanted = [None if word is None else decoded(word, twin.heap) for word in nullable]
    for binary in (True, False):
        try:
            ((have, valid),) = store.batch_read_node_values(
                label, np.arange(SLOTS), [col], binary=binary
            )
        except NkgraphError:
            assert Refused in wanted or not binary, where
            continue
        assert Refused not in wanted, where
        for row, want in enumerate(wanted):
            there = valid is None or bool(valid[row])
            assert there == (want is not None), where
            if there:
                item = have[row].item() if hasattr(have[row], "item") else have[row]
                item = item.encode() if isinstance(item, str) else item
                assert traces.spelled(item) == traces.spelled(want), where


def decoded(word, heap):
    try:
        return traces.decode(word, heap)
    except Refused:
        return Refused


def write_some(store, rng):
    """New nodes and changes come back; or they are refused, and nothing has changed."""
    for label in (0, 9):
        try:
            if store.hwm_for_label(label) > 10**6:
                continue  # the mark is damaged, but nothing says so: files would become huge
            value = rng.choice([5, "a text of some length", 2.5])
            node = store.create_node(label, {1: value, 77: value})
        except NkgraphError:
            continue
        want = value.encode() if isinstance(value, str) else value
        assert store.get_node(node, [1, 77]) == [(1, want), (77, want)]
        cols = [col for col in store.col_ids_for_label(label) if col not in (1, 77)]
        bits = {col for col in cols if (store.path / f"nodes/{label}/col_{col}_null.bin").exists()}
        for col, word in store.get_node_raw_nullable(node, cols):
            assert word is None if col in bits else word in (0, None)
        store.upsert_node_col(node, 300, "changed, and long enough")
        assert store.get_node(node, [300]) == [(300, b"changed, and long enough")]
        store.tombstone_node(node)
        assert store.deleted(label, [node & 0xFFFFFFFF]).all()
