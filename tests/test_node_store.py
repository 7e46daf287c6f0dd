"""The node store: recorded operations of the engine, and what its users meet."""

import json

import numpy as np
import pytest
import sparrow_traces as traces

from nkgraph.storage.sparrowdb import NodeStore

INT_MIN, INT_MAX = -(2**55), 2**55 - 1


@pytest.fixture
def store(tmp_path):
    with NodeStore.open(tmp_path / "db", sync=False) as opened:
        yield opened


def differences(data):
    return json.loads((data / "sparrowdb" / "differences.json").read_text())


# -- the engine's answers ---------------------------------------------------------------------


@pytest.mark.parametrize("case", traces.CASES)
def test_recorded_operations(case, data, tmp_path):
    expected = traces.load(data, case)
    known = differences(data)["operations"][case]
    runner = traces.Runner(tmp_path / "db", sync=False)
    twin = traces.TwinRunner()
    plain = not any("file" in op["op"] or "dir" in op["op"] for op in expected["ops"])
    for place, op in enumerate(expected["ops"]):
        why, want = known.pop(str(place), ["as recorded", traces.wanted(op)])
        assert runner.run(op) == want, (place, why, op)
        if why != "as recorded":
            assert want != traces.wanted(op), f"operation {place} is no difference"
        if plain:
            assert twin.run(op) == want, (place, why, op)
    assert not known
    if "files" in expected:
        wrong = differences(data)["files"].get(case, None)
        if wrong is not None:
            found = traces.digests(runner.root)
            both = found.keys() | expected["files"].keys()
            assert {n for n in both if found.get(n) != expected["files"].get(n)} == set(wrong)
    runner.store.close()


def test_every_marked_operation_that_is_answered_alike_is_known(data):
    alike = {
        (case, op["weakness"])
        for case in traces.CASES
        for place, op in enumerate(traces.load(data, case)["ops"])
        if "weakness" in op and str(place) not in differences(data)["operations"][case]
    }
    # Decoding what a faulty encoder made is not at fault; nor is a mark that happens to be right.
    assert alike == {("value_codec", "W1"), ("value_codec", "W3"), ("batch_and_hwm", "W11")}


@pytest.mark.parametrize("case", ["sparse_columns", "batch_and_hwm", "batch_read", "random_ops"])
def test_files_of_the_engine_are_read_without_a_write(case, data, tmp_path):
    root = data / "sparrowdb" / case / "db"
    before = traces.contents(root)
    twin = traces.twin_of(root)
    with NodeStore.open(root, "r") as store:
        for label in sorted({label for label, _ in twin.words}):
            cols = store.col_ids_for_label(label)
            assert cols == twin.columns(label)
            mark = store.disk_hwm_for_label(label)
            assert mark == twin.disk_hwm(label)
            slots = np.random.default_rng(label).integers(0, mark + 3, 2 * mark)
            words, present = store.batch_read_node_props_nullable(label, slots, cols)
            assert words.tolist() == twin.batch_read(label, slots.tolist(), cols)
            for row, slot in enumerate(slots.tolist()):
                want = [word for _, word in twin.nullable(label, slot, cols)]
                have = zip(words[row].tolist(), present[row].tolist(), strict=True)
                assert [word if there else None for word, there in have] == want
            gone = store.deleted(label, np.arange(mark)).tolist()
            assert gone == [twin.is_deleted(label, slot) for slot in range(mark)]
    assert traces.contents(root) == before


def test_a_recorded_database_is_written_again_with_the_same_bytes(data, tmp_path):
    """Through whole columns, rather than the operations by which the engine made it."""
    root = data / "sparrowdb" / "batch_read" / "db"
    with NodeStore.open(root, "r") as store:
        columns = {}
        for col in store.col_ids_for_label(6):
            slots = np.arange(store.hwm_for_label(6))
            ((values, valid),) = store.batch_read_node_values(6, slots, [col])
            valid = np.ones(slots.size, bool) if valid is None else valid
            listed = [v.item() if hasattr(v, "item") else v for v in values]
            columns[col] = [v if ok else None for v, ok in zip(listed, valid.tolist(), strict=True)]
    with NodeStore.open(tmp_path / "db", sync=False) as store:
        store.write_nodes(6, slots, {})
        for slot in slots.tolist():  # the heap holds values in the order of the nodes
            row = {col: [values[slot]] for col, values in columns.items()}
            store.write_nodes(6, [slot], row)
        store.flush_hwms()
    assert traces.contents(tmp_path / "db") == traces.contents(root)
