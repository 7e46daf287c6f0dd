"""The node store: recorded operations of the engine, and what its users meet."""

import json
import struct

import numpy as np
import pytest
import sparrow_traces as traces
from sparrow_twin import Twin

from nkgraph.errors import ClosedError, GraphError
from nkgraph.storage.sparrowdb import NodeStore
from nkgraph.storage.sparrowdb.node_arguments import WRITES, group_rows


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


# -- what users meet --------------------------------------------------------------------------


def words_of(store, label, col):
    return store.read_col_all(label, col).tolist()


def test_a_batch_may_have_any_of_these_forms(tmp_path):
    rows = [(1, 2, 3, 4, True), (1, 2, 0, 5, False), (6, 2, 1, 7, True)]
    nodes = [(1, 3), (6, 1), (1, 5)]
    columns = tuple(np.array(column) for column in zip(*rows, strict=True))
    forms = {
        "rows": (rows, nodes),
        "lists": ([list(row) for row in rows], [list(node) for node in nodes]),
        "iterators": (iter(rows), iter(nodes)),
        "arrays": (columns, (np.array([1, 6, 1]), np.array([3, 1, 5]))),
        "small": (tuple(c.astype(np.uint8) for c in columns), np.array(nodes, np.uint16)),
        "matrix": (np.array(rows, np.uint64), np.array(nodes)),
        "records": (np.array(rows, WRITES), np.array(nodes)),
        "reversed": (tuple(c[::-1][::-1] for c in columns), np.array(nodes)[::-1]),
    }
    found = {}
    for name, (writes, slots) in forms.items():
        with NodeStore.open(tmp_path / name, sync=False) as store:
            store.batch_write_node_creates(writes, slots)
            store.flush_hwms()
        found[name] = traces.contents(tmp_path / name)
    assert all(content == found["rows"] for content in found.values())
    assert found["rows"]["nodes/1/col_2.bin"] == struct.pack("<4Q", 5, 0, 0, 4)
    assert found["rows"]["nodes/1/hwm.bin"] == struct.pack("<Q", 6)


@pytest.mark.parametrize(
    ("writes", "nodes", "message"),
    [
        ([(1, 2, 3, 4)], [], "row 0 is no tuple of 5"),
        ([(1, 2, 3, 4, True), 5], [], "row 1 is no tuple of 5"),
        ([(1, 2, -1, 4, True)], [], "slot -1 is not from 0 to 4294967295"),
        ([(1, 2**32, 1, 4, True)], [], "col 4294967296 is not from 0"),
        ([(1, 2, 1, 2**64, True)], [], "word 18446744073709551616 is not from 0"),
        ([(1, 2, 1, -1, True)], [], "word -1 is not from 0"),
        ([(1, 2, 1.5, 4, True)], [], "slot 1.5 is not an integer"),
        ([(1, "a", 1, 4, True)], [], "col 'a' is not an integer"),
        (np.zeros((3, 4), np.int64), [], "expected rows or arrays, found ndarray"),
        (np.zeros(3, [("label", "u4")]), [], "writes have no field 'col'"),
        ((np.zeros(2, int),) * 4, [], "4 arrays, not label, column, slot, word, present"),
        (
            (np.zeros(2, int),) * 4 + (np.zeros(3, bool),),
            [],
            r"\[2, 2, 2, 2, 3\] rows do not match",
        ),
        ((np.zeros(2, int),) * 3 + (np.zeros(2), True), [], "words are uint64, not float64"),
        ((0, 0, np.array([0.5]), 1, True), [], "expected one dimension of integers, found float64"),
        ((0, 0, np.array([1]), np.array([-4]), True), [], "row 0: a word is uint64"),
        ([], [(1, 2, 3)], "row 0 is no tuple of 2"),
        ([], [(1, 2**32)], "slot 4294967296 is not from 0"),
        ([], (np.zeros(2, int), np.zeros(3, int)), r"\[2, 3\] rows do not match"),
        (5, [], "expected rows or arrays, found int"),
    ],
)
def test_a_batch_of_another_form_is_refused(store, writes, nodes, message):
    before = sorted(store.path.rglob("*"))
    with pytest.raises(GraphError, match=message):
        store.batch_write_node_creates(writes, nodes)
    assert sorted(store.path.rglob("*")) == before


def test_batches_of_many_columns_and_labels(store):
    rng = np.random.default_rng(4)
    labels, cols = rng.integers(0, 3, 30_000), rng.integers(0, 9000, 30_000)
    slots, words = rng.integers(0, 4, 30_000), np.arange(30_000)
    twin = Twin()
    rows = [
        (*row, True)
        for row in zip(*map(np.ndarray.tolist, (labels, cols, slots, words)), strict=True)
    ]
    kept = [row for row in rows if row[1] % 30 == 0]
    twin.batch(kept, [])
    mask = cols % 30 == 0
    store.batch_write_node_creates((labels[mask], cols[mask], slots[mask], words[mask], True), [])
    for (label, col), want in twin.words.items():
        assert words_of(store, label, col) == want


@pytest.mark.parametrize(
    ("count", "limit"), [(0, 1), (1, 1), (5000, 1), (5000, 3), (90_000, 20_000)]
)
def test_rows_are_grouped_by_key_in_their_order(count, limit):
    keys = np.random.default_rng(limit).integers(0, limit, count).astype(np.uint64)
    keys *= np.uint64(0x0123456700000001)
    wanted = {}
    for row, key in enumerate(keys.tolist()):
        wanted.setdefault(key, []).append(row)
    found = [(key, np.arange(count)[rows].tolist()) for key, rows in group_rows(keys)]
    assert found == sorted(wanted.items())


def test_columns_are_written_and_read_as_arrays(store):
    ids = store.write_nodes(
        4,
        None,
        {1: np.array([3, -4, 5]), 2: np.array([0.5, -0.0, np.inf]), 3: ["a", "ß" * 9, None]},
    )
    more = store.write_nodes(4, [7, 5], {1: ["text", 2.5]})
    assert (ids.dtype, ids.tolist()) == (np.uint64, [4 << 32, 4 << 32 | 1, 4 << 32 | 2])
    assert more.tolist() == [4 << 32 | 7, 4 << 32 | 5]
    assert store.hwm_for_label(4) == 8
    assert store.disk_hwm_for_label(4) == 0
    (numbers, known), (floats, there), (texts, named) = store.batch_read_node_values(
        4, [2, 0, 1, 0], [1, 2, 3]
    )
    assert (numbers.dtype, numbers.tolist(), known) == (np.int64, [5, 3, -4, 3], None)
    assert (floats.dtype, floats.tolist(), there) == (np.float64, [np.inf, 0.5, -0.0, 0.5], None)
    assert texts.dtype == np.dtypes.StringDType()
    assert (texts.tolist(), named.tolist()) == (["", "a", "ß" * 9, "a"], [False, True, True, True])
    store.flush_hwms()
    mixed, valid = store.read_column_values(4, 1)
    assert mixed.tolist() == [3, -4, 5, None, None, 2.5, None, "text"]
    assert valid.tolist() == [True] * 3 + [False, False, True, False, True]
    mixed, _ = store.read_column_values(4, 3, binary=True)
    assert mixed.tolist()[:3] == [b"a", ("ß" * 9).encode(), None]
    for nothing in (store.read_column_values(4, 99), store.read_column_values(5, 1)):
        assert not nothing[1].any() if nothing[1] is not None else not nothing[0].size
    assert store.write_nodes(4, [], {}).size == 0
    assert store.write_nodes(4, None, {1: []}).size == 0


@pytest.mark.parametrize(
    ("slots", "columns", "message"),
    [
        (None, {}, "nothing to write"),
        ([0, 1], {1: [1]}, "column 1 has 1 values, there are 2 slots"),
        (None, {1: [1, 2], 2: [1]}, "column 2 has 1 values, there are 2 slots"),
        ([-1], {1: [1]}, "slot -1 is not from 0"),
        ([0.5], {1: [1]}, "expected one dimension of integers, found float64"),
        ([[0]], {1: [1]}, r"found shape \(1, 1\)"),
        ([0], {2**32: [1]}, "column 4294967296 is not from 0"),
        ([0], {"name": [1]}, "column 'name' is not an integer"),
        ([0], {1: 5}, "column 1: a column is an array or a sequence"),
    ],
)
def test_columns_that_do_not_fit_are_refused(store, slots, columns, message):
    before = sorted(store.path.rglob("*"))
    with pytest.raises(GraphError, match=message):
        store.write_nodes(1, slots, columns)
    assert sorted(store.path.rglob("*")) == before


def test_properties_are_pairs_or_a_mapping(store):
    first = store.create_node(1, {5: 1, 6: None})
    second = store.create_node(np.uint8(1), [(np.int64(5), np.int32(2)), (5, np.float32(0.5))])
    third = store.create_node_at_slot(1, 9, [[6, np.True_]])
    assert store.col_ids_for_label(1) == [5, 6]
    assert store.get_node(first, [5]) == [(5, 1)]
    assert store.get_node(np.uint64(second), np.array([5])) == [(5, 0.5)]
    assert store.get_node(third, (6,)) == [(6, 1)]
    with pytest.raises(GraphError, match="property 5 is not a pair"):
        store.create_node(1, [5])
    with pytest.raises(GraphError, match="not list"):
        store.create_node(1, {5: [1]})
    with pytest.raises(GraphError, match="not NoneType"):
        store.set_node_col(first, 5, None)
    with pytest.raises(GraphError, match="row 1 is absent"):
        store.encode_values([1, None])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda store: store.create_node(2**32, {}), "label 4294967296 is not from 0"),
        (lambda store: store.create_node(-1), "label -1 is not from 0"),
        (lambda store: store.create_node("P"), "label 'P' is not an integer"),
        (lambda store: store.get_node(2**64, [1]), "node id 18446744073709551616 is not from 0"),
        (lambda store: store.get_node_raw(0, [2**32]), "column 4294967296"),
        (lambda store: store.decode_raw_value(-1), "word -1"),
        (lambda store: store.unpack_node_id(-1), "node id -1"),
        (lambda store: store.batch_read_node_props(1, [2**32], [1]), "row 0: slot 4294967296"),
        (lambda store: NodeStore.open("x", "w"), "mode is 'w'"),
        (lambda store: NodeStore.open("x", missing_bitmap="some"), "missing_bitmap is 'some'"),
    ],
)
def test_arguments_out_of_range_are_said(store, call, message):
    with pytest.raises(GraphError, match=message):
        call(store)


def test_a_closed_store_says_so(tmp_path):
    store = NodeStore.open(tmp_path / "db", sync=False)
    node = store.create_node(1, {1: "a string for the heap"})
    words = store.read_col_all(1, 1)
    store.close()
    store.close()
    for call in (
        lambda: store.get_node(node, [1]),
        lambda: store.get_node_raw_nullable(node, [1]),
        lambda: store.create_node(1),
        lambda: store.hwm_for_label(1),
        lambda: store.disk_hwm_for_label(1),
        lambda: store.col_ids_for_label(1),
        lambda: store.encode_value(1),
        lambda: store.raw_str_matches(1 << 56, ""),
        lambda: store.decode_raw_value(5),
        lambda: store.batch_read_node_props(1, [0], [1]),
        lambda: store.flush_hwms(),
        lambda: store.deleted(1, [0]),
        lambda: store.copy_compacted(tmp_path / "copy"),
    ):
        with pytest.raises(ClosedError):
            call()
    assert words.tolist() == [0x0200150000000000]
    NodeStore.open(tmp_path / "db").close()  # the lock is free


def test_marks_that_are_not_flushed_are_lost_and_their_values_too(tmp_path):
    with NodeStore.open(tmp_path / "db", sync=False) as store:
        store.create_node(1, {1: 1})
        store.write_nodes(1, None, {1: [7, 8, 9], 2: ["lost", "lost", "lost"]})
    with NodeStore.open(tmp_path / "db", sync=False) as store:
        assert store.hwm_for_label(1) == 1
        store.create_node_at_slot(1, 3, {2: 5})
        assert [store.get_node_raw_nullable(1 << 32 | slot, [1, 2]) for slot in range(1, 4)] == [
            [(1, None), (2, None)],
            [(1, None), (2, None)],
            [(1, None), (2, 5)],
        ]
        assert words_of(store, 1, 1) == [1, 0, 0, 0]


def test_a_new_label_has_no_nodes_before_its_mark_is_flushed(tmp_path):
    with NodeStore.open(tmp_path / "db", sync=False) as store:
        store.write_nodes(1, None, {1: [7, 8, 9]})
    for mode in ("r", "r+"):
        with NodeStore.open(tmp_path / "db", mode, sync=False) as store:
            assert store.hwm_for_label(1) == 0
            assert not store.mark_was_inferred(1)


def test_slots_far_apart_take_no_memory(store):
    far = 2**31
    store.create_node_at_slot(1, far, {1: 5})
    store.batch_write_node_creates((1, 2, np.array([0, far]), 6, True), [(1, 1)])
    store.set_node_col(1 << 32 | far, 2, 7)
    assert store.batch_read_node_props(1, [far, 5, far - 1], [1, 2]).tolist() == [
        [5, 7],
        [0, 0],
        [0, 0],
    ]
    _, present = store.batch_read_node_props_nullable(1, [0, far, 5], [1, 2])
    assert present.tolist() == [[False, True], [True, True], [False, False]]
    assert (store.path / "nodes/1/col_2.bin").stat().st_blocks < 1000


def test_gathers_of_every_size_and_order(store):
    count = 300_000
    words = np.random.default_rng(1).integers(0, 2**55, count)
    store.write_nodes(1, None, {1: words, 2: words[::-1].copy()})
    for wanted in (0, 1, 33, 70_000, 200_000):
        for ordered in (False, True):
            slots = np.random.default_rng(wanted).integers(0, count + 50, wanted)
            slots = np.sort(slots) if ordered else slots
            found = store.batch_read_node_props(1, slots, [2, 9, 1])
            assert (found.shape, found.dtype) == ((wanted, 3), np.uint64)
            inside = slots < count
            assert np.array_equal(found[inside, 2], words[slots[inside]].astype(np.uint64))
            assert np.array_equal(found[inside, 0], words[::-1][slots[inside]].astype(np.uint64))
            assert not found[~inside].any()
            assert not found[:, 1].any()
