"""Writes that fail, and processes that die, at every step: all of a call or nothing of it."""

import json
import shutil
import zlib

import faults
import numpy as np
import pytest
import sparrow_traces as traces

from nkgraph.errors import ClosedError, NkgraphError
from nkgraph.storage.sparrowdb import NodeStore, changes

LONG = "a string for the heap"


def create(store):
    store.create_node(1, [(1, 7), (2, LONG), (5, 1.5)])


def create_first(store):
    store.create_node(8, {1: LONG})


def append(store):
    store.write_nodes(1, None, {1: np.arange(40), 2: [LONG] * 40, 6: [None] * 39 + [3]})
    store.flush_hwms()


def append_labels(store):
    rows = [
        (label, col, slot, 5, True) for label in (1, 2, 9) for col in (1, 4) for slot in (3, 11)
    ]
    store.batch_write_node_creates(rows, [(1, 11), (2, 11), (9, 11)])
    store.flush_hwms()


def overwrite(store):
    store.write_nodes(1, [0, 2, 1], {1: [LONG, 8, 9], 2: ["x", 2.5, LONG], 3: [None, 1, None]})
    store.flush_hwms()


def create_over(store):
    store.create_node_at_slot(1, 1, {1: 70, 2: LONG, 4: 6})


def set_present(store):
    store.set_node_col(1 << 32 | 1, 2, LONG)


def set_absent(store):
    store.set_node_col(1 << 32 | 2, 2, LONG)


def upsert_new(store):
    store.upsert_node_col(1 << 32 | 1, 7, LONG)


def upsert_bare(store):
    store.upsert_node_col(4 << 32 | 3, 1, LONG)


def remove_first(store):
    store.tombstone_node(1 << 32 | 1)


def remove_more(store):
    store.tombstone_node(2 << 32 | 1)


CALLS = (
    create, create_first, append, append_labels, overwrite, create_over, set_present,
    set_absent, upsert_new, upsert_bare, remove_first, remove_more,
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A store with a bit of everything: presence, deletion, leftovers, a column without bitmap."""
    root = tmp_path_factory.mktemp("base") / "db"
    with NodeStore.open(root, sync=False) as store:
        store.write_nodes(1, None, {1: [1, 0, None], 2: [LONG, "ab", None]})
        store.write_nodes(2, None, {1: [LONG, 0.5, 3]})
        store.flush_hwms()
        store.tombstone_node(2 << 32)
        place = root / "nodes/4"
        place.mkdir()
        (place / "col_1.bin").write_bytes(bytes([5]) + bytes(15))
        (place / "hwm.bin").write_bytes(bytes([4]) + bytes(7))
        store.write_nodes(1, None, {1: [90, 91], 2: ["lost", LONG], 4: [92, 93]})
    return root


def copy(base, tmp_path, name="db"):
    shutil.rmtree(tmp_path / name, ignore_errors=True)
    return shutil.copytree(base, tmp_path / name)


def said(store):
    """All that a store says about its nodes."""
    found = []
    for label in range(10):
        mark = store.disk_hwm_for_label(label)
        slots = np.arange(mark)
        cols = range(1, 9)  # column 0 says which are deleted
        parts = store.batch_read_node_values(label, slots, cols, binary=True)
        rows = [
            [
                None if valid is not None and not valid[slot] else values[slot]
                for values, valid in parts
            ]
            for slot in slots
        ]
        found.append((label, mark, store.deleted(label, slots).tolist(), repr(rows)))
    return found


def state(root, mode="r+"):
    with NodeStore.open(root, mode, sync=False) as store:
        return said(store)


def is_whole(found, states):
    """Each label has a mark of its own: there it is all or nothing."""
    return all(part in both for part, *both in zip(found, *states, strict=True))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_call_that_fails_at_any_step_changes_nothing(call, base, tmp_path):
    root = copy(base, tmp_path)
    with NodeStore.open(root) as store:
        call(store)
        after = traces.contents(root)
    before, failures = traces.contents(base), 0
    for step in range(1, 200):
        root = copy(base, tmp_path)
        with NodeStore.open(root) as store:
            marks = [store.hwm_for_label(label) for label in range(10)]
            try:
                with faults.at_step(step, faults.fail):
                    call(store)
            except OSError as error:
                assert not getattr(error, "__notes__", None)  # noqa: PT017 - it may not be raised
                flushing = store._dirty or store._unsynced
                if not flushing:  # of two calls the first may be through
                    assert traces.contents(root) == before
                    assert sorted(place.name for place in root.rglob("*")) == sorted(
                        place.name for place in base.rglob("*")
                    )
                    assert [store.hwm_for_label(label) for label in range(10)] == marks
                    call(store)
                else:
                    store.flush_hwms()
                assert traces.contents(root) == after
                failures += 1
            else:
                assert step > failures == step - 1
                assert traces.contents(root) == after
                break
    assert failures >= 2


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_process_that_dies_at_any_step_leaves_all_or_nothing(call, base, tmp_path):
    root = copy(base, tmp_path)
    states = [state(root)]
    with NodeStore.open(root, sync=False) as store:
        call(store)
    states.append(state(root))
    assert states[0] != states[1]
    seen = []
    for step in range(1, 200):
        root = copy(base, tmp_path)

        def work(step=step, root=root):
            with NodeStore.open(root) as store, faults.at_step(step, faults.die):
                call(store)

        if faults.ended(faults.start(work)):
            break
        found = state(root)
        assert is_whole(found, states), step
        seen.append(sum(part == after for part, after in zip(found, states[1], strict=True)))
        assert not changes.is_unfinished(root)
        with NodeStore.open(root, sync=False) as store:  # and it can go on
            node = store.create_node(1, {})
            assert {word for _, word in store.get_node_raw_nullable(node, range(1, 9))} == {None}
    assert state(root) == states[1]
    assert seen == sorted(seen)
    assert seen[0] < len(states[0])


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_where_nothing_can_be_taken_back_the_next_writer_does(call, base, tmp_path):
    """The disk is gone from some step on: undoing fails too."""
    states = [state(copy(base, tmp_path))]
    root = copy(base, tmp_path)
    with NodeStore.open(root, sync=False) as store:
        call(store)
    states.append(state(root))
    for step in range(1, 200):
        root = copy(base, tmp_path)
        with NodeStore.open(root) as store:
            try:
                with faults.at_step(step, faults.fail, onwards=True):
                    call(store)
            except OSError as error:
                if getattr(error, "__notes__", None):
                    with pytest.raises(ClosedError):
                        store.hwm_for_label(1)
            else:
                break
        found = state(root)
        assert is_whole(found, states), step
    assert step > 2


def test_a_change_of_many_nodes_is_taken_back_by_the_next_writer(base, tmp_path):
    root = copy(base, tmp_path)
    before = state(root)

    def work():
        with NodeStore.open(root) as store, faults.at_step(8, faults.die):
            overwrite(store)

    assert not faults.ended(faults.start(work))
    assert changes.is_unfinished(root)
    with pytest.raises(NkgraphError, match="half-way"):
        NodeStore.open(root, "r")
    assert state(root) == before
    assert state(root, "r") == before


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (["../other", 0, []], "expected a file below"),
        (["/etc/passwd", 0, []], "expected a file below"),
        (["nodes", 0, []], "expected a file below"),
        (["nodes/1/col_1.bin", -5, []], "ranges: expected >= 0"),
        (["nodes/1/col_1.bin", 5, [[-1, 8]]], "ranges: expected >= 0"),
    ],
)
def test_old_bytes_that_are_not_of_the_store_are_refused(entry, message, base, tmp_path):
    root = copy(base, tmp_path)
    head = json.dumps({"files": [entry], "marks": {}}).encode() + b"\n"
    check = json.dumps({"crc32": zlib.crc32(head)}).encode() + b"\n"
    (root / changes.JOURNAL).write_bytes(changes.MAGIC + check + head)
    before = traces.contents(root)
    with pytest.raises(NkgraphError, match=message):
        NodeStore.open(root)
    assert traces.contents(root) == before
    (root / changes.JOURNAL).unlink()
    NodeStore.open(root).close()  # the lock was given back


@pytest.mark.parametrize("cut", [0, 10, 40, 80, -1])
def test_old_bytes_that_were_not_put_aside_whole_are_not_used(cut, base, tmp_path):
    """The process died before it changed anything."""
    root = copy(base, tmp_path)
    head = b'{"files": [["nodes/1/col_1.bin", 0, [[0, 8]]]], "marks": {}}\n'
    journal = changes.MAGIC + b'{"crc32": 5}\n' + head + bytes(8)
    (root / changes.JOURNAL).write_bytes(journal[:cut])
    before = traces.contents(base)
    NodeStore.open(root, sync=False).close()
    assert traces.contents(root) == before
