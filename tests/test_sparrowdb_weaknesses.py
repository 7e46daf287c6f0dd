"""The known weaknesses of SparrowDB's node store (format description, section 10), one by one."""

import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import sparrow_traces as traces
from sparrow_twin import TOMBSTONE

from nkgraph.errors import FormatError, GraphError, LimitError, LockedError, NotFoundError
from nkgraph.storage import files
from nkgraph.storage.sparrowdb import NodeStore, column_id, column_ids, node_files
from nkgraph.storage.sparrowdb import encoding as encoding_module
from nkgraph.storage.sparrowdb import names as names_module

INT_MIN, INT_MAX = -(2**55), 2**55 - 1
LONG = "a string for the heap"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "db"


@pytest.fixture
def store(root):
    with NodeStore.open(root, sync=False) as opened:
        yield opened


def nullable(store, node, *cols):
    return [word for _, word in store.get_node_raw_nullable(node, cols)]


def refuses(store, error, call, *arguments, match="."):
    """The call raises, and changes neither files nor marks."""
    before = traces.contents(store.path), dict(store._marks), set(store._dirty)
    with pytest.raises(error, match=match):
        call(*arguments)
    assert (traces.contents(store.path), dict(store._marks), set(store._dirty)) == before


@pytest.mark.parametrize("value", [INT_MAX + 1, INT_MIN - 1, 2**63, -(2**64), 2**70])
def test_w01_integers_beyond_56_bits_are_refused(store, value):
    node = store.create_node(1, {1: INT_MIN, 2: INT_MAX})
    assert store.get_node(node, [1, 2]) == [(1, INT_MIN), (2, INT_MAX)]
    match = "56 bits"
    refuses(store, LimitError, store.encode_value, value, match=match)
    refuses(store, LimitError, store.create_node, 1, {3: LONG, 1: value}, match=match)
    refuses(store, LimitError, store.set_node_col, node, 1, value, match=match)
    refuses(store, LimitError, store.upsert_node_col, node, 9, value, match=match)
    refuses(store, LimitError, store.create_node_at_slot, 1, 5, {1: value}, match=match)
    refuses(store, LimitError, store.encode_values, [0, value], match="row 1.*56 bits")
    refuses(store, LimitError, store.write_nodes, 1, None, {3: [LONG], 1: [value]}, match=match)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_w01_arrays_of_integers_name_the_row(store, dtype):
    with pytest.raises(LimitError, match=f"row 1: {INT_MAX + 1} does not fit the 56 bits"):
        store.encode_values(np.array([INT_MAX, INT_MAX + 1], dtype))
    assert store.encode_values(np.array([INT_MAX], dtype)).tolist() == [INT_MAX]


def test_w02_strings_and_heaps_that_are_too_long_are_refused(store, monkeypatch):
    node = store.create_node(1, {1: "x" * 65535})
    assert store.get_node(node, [1]) == [(1, b"x" * 65535)]
    for call in (
        lambda: store.encode_value("x" * 65536),
        lambda: store.create_node(1, [(2, LONG), (1, b"x" * 65536)]),
        lambda: store.encode_values(["short", "x" * 65536]),
        lambda: store.write_nodes(1, None, {2: [LONG], 1: ["é" * 32768]}),
        lambda: store.upsert_node_col(node, 1, "x" * 65545),
    ):
        refuses(store, LimitError, call, match="65536|65545")
    monkeypatch.setattr(encoding_module, "LIMIT", 65535 + 30)
    assert store.encode_value("y" * 30) >> 56 == 2
    for call in (
        lambda: store.encode_value("y" * 8),
        lambda: store.encode_value(0.5),
        lambda: store.encode_values([1.5]),
        lambda: store.encode_values(["y" * 8]),
        lambda: store.create_node(1, {1: 1.5}),
    ):
        refuses(store, LimitError, call, match="the heap holds 65565 bytes")
    assert store.encode_value("short") >> 56 == 1


@pytest.mark.parametrize("text", [b"\0", b"a\0", b"a\0b", b"\0ab", b"\0" * 7, b"abcdef\0"])
def test_w03_zero_bytes_of_short_strings_are_kept(store, text):
    node = store.create_node(1, {1: text})
    assert store.get_node(node, [1]) == [(1, text)]
    assert store.get_node_raw(node, [1])[0][1] >> 56 == 2
    words = store.encode_values([text, b"ab"])
    assert [store.decode_raw_value(word) for word in words] == [text, b"ab"]
    assert store.raw_str_matches(int(words[0]), text)
    assert not store.raw_str_matches(int(words[1]), b"ab\0")
    ((values, _),) = store.batch_read_node_values(1, [0], [1])
    assert values.tolist() == [text.decode()]


def test_w04_text_matches_whole_texts_only(store):
    word = store.encode_value("abcdefg")
    assert [store.raw_str_matches(word, "abcdefgh"[:n]) for n in range(9)] == [False] * 7 + [
        True,
        False,
    ]
    long = store.encode_value("abcdefgh")
    assert [store.raw_str_matches(long, "abcdefghi"[:n]) for n in (7, 8, 9)] == [False, True, False]


def test_w05_set_and_upsert_make_values_visible(store):
    first, second = store.create_node(3, {7: 5}), store.create_node(3, {})
    assert nullable(store, second, 7) == [None]
    store.set_node_col(second, 7, 0)
    assert nullable(store, second, 7) == [0]
    third = store.create_node(3, {})
    store.upsert_node_col(third, 7, 9)
    assert [nullable(store, node, 7) for node in (first, second, third)] == [[5], [0], [9]]
    assert (store.path / "nodes/3/col_7_null.bin").read_bytes() == b"\x07"


def test_w06_a_column_born_from_upsert_has_only_its_own_value(store):
    nodes = [store.create_node(3, {}) for _ in range(12)]
    store.upsert_node_col(nodes[9], 4, 8)
    assert [nullable(store, node, 4)[0] for node in nodes] == [None] * 9 + [8, None, None]
    last = store.create_node(3, {4: 1})
    assert [nullable(store, n, 4)[0] for n in [*nodes, last]] == [None] * 9 + [8, None, None, 1]


@pytest.mark.parametrize(("rule", "first"), [("nonzero", [5, None, 7]), ("all", [5, 0, 7])])
def test_w06_a_first_bitmap_keeps_the_values_of_an_old_column(root, rule, first):
    old_column(root, [5, 0, 7])
    with NodeStore.open(root, sync=False, missing_bitmap=rule) as store:
        assert [nullable(store, 2 << 32 | slot, 1)[0] for slot in range(3)] == [5, 0, 7]
        store.create_node(2, {1: 0})
        assert [nullable(store, 2 << 32 | slot, 1)[0] for slot in range(4)] == [*first, 0]
    old_column(root, [5, 0, 7], col=6, mark=8)
    with NodeStore.open(root, sync=False, missing_bitmap=rule) as store:
        store.upsert_node_col(2 << 32 | 1, 6, 3)  # in the file: without a bitmap it is visible
        assert not (root / "nodes/2/col_6_null.bin").exists()
        store.upsert_node_col(2 << 32 | 6, 6, 2)  # behind its end: what lies between is no value
        want = [first[0], 3, 7, None, None, None, 2, None]
        assert [nullable(store, 2 << 32 | slot, 6)[0] for slot in range(8)] == want


def test_w06_deletion_marks_are_no_values_of_a_first_bitmap(store):
    nodes = [store.create_node(2, {}) for _ in range(3)]
    store.tombstone_node(nodes[0])
    store.upsert_node_col(nodes[1], 0, 4)
    last = store.create_node(2, {0: 5})
    assert [nullable(store, node, 0)[0] for node in [*nodes, last]] == [None, 4, None, 5]


def old_column(root, words, col=1, mark=None):
    """A column as SparrowDB 0.1.0 wrote it: no bitmap."""
    place = root / "nodes" / "2"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"col_{col}.bin").write_bytes(struct.pack(f"<{len(words)}Q", *words))
    (place / "hwm.bin").write_bytes(struct.pack("<Q", mark or len(words)))


def test_w07_batches_tell_zero_from_absent(store):
    store.write_nodes(5, [0, 1, 3], {1: [0, None, 3], 2: [None, "b", None]})
    words, present = store.batch_read_node_props_nullable(5, [3, 0, 1, 2, 9, 0], [1, 2, 8])
    assert present[:, 0].tolist() == [True, True, False, False, False, True]
    assert present[:, 1].tolist() == [False, False, True, False, False, False]
    assert not present[:, 2].any()
    assert words[:, 0].tolist() == [3, 0, 0, 0, 0, 0]
    assert words.dtype == np.uint64
    assert words.shape == present.shape == (6, 3)


def test_w08_column_0_reaches_the_mark_when_a_node_is_removed(store):
    nodes = [store.create_node(3, {7: place}) for place in range(5)]
    refuses(store, NotFoundError, store.tombstone_node, 3 << 32 | 5, match="mark is 5")
    refuses(store, NotFoundError, store.tombstone_node, 4 << 32, match="mark is 0")
    store.tombstone_node(nodes[1])
    assert store.read_col_all(3, 0).tolist() == [0, TOMBSTONE, 0, 0, 0]
    store.create_node_at_slot(3, 9, {7: 1})  # a short column 0 deletes nobody
    assert store.deleted(3, range(10)).tolist() == [False, True] + [False] * 8
    before = traces.contents(store.path)
    store.tombstone_node(nodes[1])
    assert traces.contents(store.path) == before


def test_w09_removed_nodes_are_not_written(store):
    node = store.create_node(3, {0: 4, 7: 5})
    store.create_node(3, {0: 4, 7: 5})
    store.tombstone_node(node)
    for call in (
        lambda: store.upsert_node_col(node, 0, 5),
        lambda: store.set_node_col(node, 0, LONG),
        lambda: store.set_node_col(node, 7, LONG),
        lambda: store.create_node_at_slot(3, 0, {7: LONG}),
        lambda: store.batch_write_node_creates([(3, 7, 1, 1, True), (3, 7, 0, 1, True)], []),
        lambda: store.batch_write_node_creates([(3, 7, 1, 1, True)], [(3, 0)]),
        lambda: store.write_nodes(3, [1, 0], {7: [LONG, LONG]}),
    ):
        refuses(store, GraphError, call, match="label 3: the node of slot 0 was removed")
    assert store.get_node_raw(node, [0, 7]) == [(0, TOMBSTONE), (7, 5)]


def test_w10_slots_beyond_the_mark_are_refused(store):
    node = store.create_node(3, {9: 1})
    for call in (store.set_node_col, store.upsert_node_col):
        refuses(store, NotFoundError, call, node + 1, 9, LONG, match="no slot 1, the mark is 1")
    refuses(store, NotFoundError, store.set_node_col, node, 8, LONG, match="no column 8")
    slot = store.peek_next_slot(3)
    store.upsert_node_col(3 << 32 | slot, 9, 6)  # reserved slots may be written
    assert store.read_col_all(3, 9).tolist() == [1, 6]


def test_w11_only_columns_count_for_an_inferred_mark_and_it_is_said(root):
    place = root / "nodes" / "2"
    place.mkdir(parents=True)
    for name in ("col_5_null", "col_zz", "col_007", "col_4294967296", "col_-1", "col_+3", "col_"):
        (place / f"{name}.bin").write_bytes(bytes(800))
    (place / "col_5.bin").write_bytes(bytes(26))
    before = traces.contents(root)
    with NodeStore.open(root, "r") as store:
        assert (store.hwm_for_label(2), store.mark_was_inferred(2)) == (3, True)
        assert (store.hwm_for_label(1), store.mark_was_inferred(1)) == (0, False)
    assert traces.contents(root) == before
    with NodeStore.open(root, sync=False) as store:
        assert (store.disk_hwm_for_label(2), store.mark_was_inferred(2)) == (3, True)
        assert store.peek_next_slot(2) == 3
    assert (place / "hwm.bin").read_bytes() == struct.pack("<Q", 3)


def test_w12_w13_w14_a_failed_call_restores_bits_words_and_heap(store):
    for place in range(3):
        store.create_node(1, {1: place, 2: LONG})
    (store.path / "nodes/1/col_9.bin").mkdir()
    both = [(1, 1, 0, 77, True), (1, 9, 1, 1, True), (1, 2, 40, 2, True), (1, 3, 1, 2, True)]
    for call in (
        lambda: store.create_node(1, [(1, 7), (2, LONG), (3, 1), (9, 1)]),
        lambda: store.create_node_at_slot(1, 0, [(1, 7), (2, LONG), (9, 1)]),
        lambda: store.create_node_at_slot(1, 70, [(1, 7), (2, LONG), (9, 1)]),
        lambda: store.batch_write_node_creates(both, [(1, 50)]),
        lambda: store.write_nodes(1, [0, 60], {1: [3.5, LONG], 5: [1, 1], 9: [1, 1]}),
        lambda: store.upsert_node_col(1 << 32, 9, LONG),
    ):
        before = traces.contents(store.path), sorted(store.path.rglob("*"))
        marks = {label: store.hwm_for_label(label) for label in (1, 2)}
        with pytest.raises(OSError, match="directory"):
            call()
        assert (traces.contents(store.path), sorted(store.path.rglob("*"))) == before
        assert {label: store.hwm_for_label(label) for label in (1, 2)} == marks


def test_w14_equal_strings_are_stored_once_on_demand(store):
    texts = [LONG, "another long string", LONG, "short", LONG, None]
    store.write_nodes(1, None, {1: texts}, intern=True)
    assert (store.path / "strings.bin").read_bytes() == (LONG + "another long string").encode()
    ((values, valid),) = store.batch_read_node_values(1, range(6), [1])
    assert [v if ok else None for v, ok in zip(values, valid, strict=True)] == texts
    words = store.encode_values([LONG] * 3, intern=True)
    assert len(set(words.tolist())) == 1
    assert len(set(store.encode_values([LONG] * 3).tolist())) == 3


def test_w14_a_compacted_copy_holds_only_what_is_used(store, tmp_path):
    store.write_nodes(1, None, {1: ["used in the end", 2.5, "x\0y", 7, "ab", None]})
    for _ in range(9):
        store.set_node_col(1 << 32, 1, "used for a while only")
    store.set_node_col(1 << 32, 1, "used in the end")
    store.flush_hwms()
    edge = struct.pack("<QQIQ", 0, 1, 5, store.encode_value("on an edge, long"))
    (store.path / "edges" / "0").mkdir(parents=True)
    (store.path / "edges" / "0" / "edge_props.bin").write_bytes(edge * 2)
    (store.path / "catalog.tlv").write_bytes(b"as it is")
    before = traces.contents(store.path)
    sizes = store.copy_compacted(tmp_path / "copy", intern=True)
    assert traces.contents(store.path) == before
    assert sizes == (len(before["strings.bin"]), 15 + 8 + 3 + 16)
    with NodeStore.open(tmp_path / "copy", "r") as copy:
        want = store.batch_read_node_values(1, range(6), [1], binary=True)
        have = copy.batch_read_node_values(1, range(6), [1], binary=True)
        assert [(v.tolist(), ok.tolist()) for v, ok in have] == [
            (v.tolist(), ok.tolist()) for v, ok in want
        ]
        moved = traces.contents(tmp_path / "copy")
        word = int.from_bytes(moved["edges/0/edge_props.bin"][20:28], "little")
        assert copy.decode_raw_value(word) == b"on an edge, long"
        assert moved["catalog.tlv"] == b"as it is"
        assert moved.keys() == before.keys()
    with pytest.raises(GraphError, match="is not empty"):
        store.copy_compacted(tmp_path / "copy")
    with pytest.raises(GraphError, match="lies in"):
        store.copy_compacted(store.path / "copy")


def test_w15_columns_are_mapped_not_read(store):
    store.write_nodes(1, None, {1: np.arange(1000), 2: ["text of some length"] * 1000})
    assert not store.read_col_all(1, 1).flags.owndata
    assert not store.heap.data.flags.owndata
    assert store.read_col_all(1, 1) is store.read_col_all(1, 1)
    with pytest.raises(ValueError, match="read-only"):
        store.read_col_all(1, 1)[0] = 1


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (0x0200FF00FFFFFFFF, "expected bytes within the 8 of strings.bin"),
        (0x0200010000000008, "expected bytes within the 8"),
        (0x03000800FFFFFFFF, "expected bytes within the 8"),
        (0x0300080000000001, "expected bytes within the 8"),
        (0x0300070000000000, "expected a float of 8 bytes, found 7"),
        (0x0300090000000000, "expected a float of 8 bytes, found 9"),
    ],
)
def test_w16_damage_of_the_heap_is_said(store, word, message):
    store.encode_value(0.5)
    store.batch_write_node_creates([(1, 1, 0, 5, True), (1, 1, 2, word, True)], [(1, 2)])
    with pytest.raises(FormatError, match=message):
        store.decode_raw_value(word)
    match = rf"nodes/1/col_1.bin: slot 2 at byte 16: {message}"
    with pytest.raises(FormatError, match=match):
        store.get_node(1 << 32 | 2, [1])
    for binary in (False, True):
        if binary and word >> 56 == 3:
            continue
        with pytest.raises(FormatError, match=match):
            store.batch_read_node_values(1, [0, 2], [1], binary=binary)
    assert store.raw_str_matches(word, "x") is False
    assert store.batch_read_node_values(1, [0, 1], [1])[0][0].tolist() == [5, 0]


def test_w17_w26_one_byte_of_a_bitmap_changes_in_place(store, monkeypatch):
    store.write_nodes(1, None, {1: np.arange(80_000)})
    store.flush_hwms()
    place = store.path / "nodes/1/col_1_null.bin"
    number, written = place.stat().st_ino, []
    write = files.as_bytes
    monkeypatch.setattr(files, "as_bytes", lambda part: written.append(write(part)) or write(part))
    store.create_node(1, {1: 5})
    assert place.stat().st_ino == number
    assert place.stat().st_size == 10_001
    assert max(map(len, written)) <= 8  # a word, a byte of bits, a mark


def test_w18_reading_never_writes(root):
    place = root / "nodes" / "4"
    place.mkdir(parents=True)
    (place / "hwm.bin").write_bytes(b"\x02")
    (place / "hwm.bin.tmp").write_bytes(struct.pack("<Q", 42))
    (root / "nodes/5").mkdir()
    (root / "nodes/5/col_1.bin").write_bytes(bytes(24))
    before = traces.contents(root), sorted(root.rglob("*"))
    with NodeStore.open(root, "r") as store:
        assert store.hwm_for_label(4) == store.disk_hwm_for_label(4) == 42
        assert store.hwm_for_label(5) == 3
        for call in (
            lambda: store.create_node(4),
            lambda: store.peek_next_slot(4),
            lambda: store.encode_value(LONG),
            lambda: store.encode_values([1]),
            lambda: store.tombstone_node(4 << 32),
            lambda: store.flush_hwms(),
            lambda: store.batch_write_node_creates([], [(4, 1)]),
        ):
            with pytest.raises(GraphError, match='was opened "r"'):
                call()
        assert store.encode_value("short") >> 56 == 1
    assert (traces.contents(root), sorted(root.rglob("*"))) == before
    with NodeStore.open(root / "missing", "r") as store:
        assert (store.hwm_for_label(1), store.col_ids_for_label(1)) == (0, [])
    assert not (root / "missing").exists()


def test_w19_the_last_slot_is_the_last(root):
    place = root / "nodes" / "1"
    place.mkdir(parents=True)
    (place / "hwm.bin").write_bytes(struct.pack("<Q", 2**32 - 1))
    with NodeStore.open(root, sync=False) as store:
        assert store.create_node(1, {}) == 2**33 - 1
        refuses(store, LimitError, store.create_node, 1, {1: LONG}, match="all of its 4294967296")
        refuses(store, LimitError, store.peek_next_slot, 1)
        refuses(store, LimitError, store.write_nodes, 1, None, {1: [LONG]}, match="0 slots left")
        refuses(store, GraphError, store.create_node_at_slot, 1, 2**32, {1: LONG})
        refuses(store, GraphError, store.batch_write_node_creates, [], [(1, 2**32)])
    (place / "hwm.bin").write_bytes(struct.pack("<Q", 2**32 + 1))
    with NodeStore.open(root, "r") as store, pytest.raises(FormatError, match="high-water mark"):
        store.hwm_for_label(1)


def test_w20_data_is_synced_before_the_mark_and_the_mark_before_its_name(root, monkeypatch):
    log = []
    sync, rename = os.fsync, os.rename

    def synced(handle):
        log.append(os.path.relpath(os.readlink(f"/proc/self/fd/{handle}"), root))
        sync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda path, target: log.append("rename") or rename(path, target)
    )
    with NodeStore.open(root) as store:
        store.write_nodes(1, None, {1: [5, 6], 2: [LONG, None]})
        assert not log
        store.flush_hwms()
        data = {
            "strings.bin", "nodes/1/col_1.bin", "nodes/1/col_1_null.bin",
            "nodes/1/col_2.bin", "nodes/1/col_2_null.bin", "nodes/1", "nodes", ".",
        }  # fmt: skip
        mark = ["nodes/1/hwm.bin.tmp", "rename", "nodes/1"]
        assert set(log[:-3]) == data
        assert log[-3:] == mark
        log.clear()
        store.create_node(1, {1: 7})
        assert set(log[:-3]) >= {"nodes/1/col_1.bin", "nodes/1/col_1_null.bin"}
        assert log[-3:] == mark
        log.clear()
        store.set_node_col(1 << 32, 2, "another long string")
        assert log.index("strings.bin") < log.index("nodes/1/col_2.bin")


def test_w21_one_writer_many_readers(root):
    with NodeStore.open(root, sync=False) as store:
        node = store.create_node(1, {1: LONG})
        with pytest.raises(LockedError):
            NodeStore.open(root)
        code = (
            "import sys\n"
            "from nkgraph.storage.sparrowdb import NodeStore\n"
            "from nkgraph.errors import LockedError\n"
            f"with NodeStore.open({str(root)!r}, 'r') as store:\n"
            f"    assert store.get_node({node}, [1]) == [(1, b{LONG!r})]\n"
            "try:\n"
            f"    NodeStore.open({str(root)!r})\n"
            "except LockedError:\n"
            "    sys.exit(7)\n"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7
        reader = NodeStore.open(root, "r")
        assert reader.get_node(node, [1]) == [(1, LONG.encode())]
        other = store.create_node(1, {1: LONG * 2})
        assert reader.get_node(other, [1]) == [(1, (LONG * 2).encode())]
        reader.close()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert sorted(path.name for path in root.iterdir()) == ["nodes", "strings.bin"]


def test_w22_marks_are_never_lowered(root):
    with NodeStore.open(root, sync=False) as store:
        store.create_node_at_slot(2, 30, {})
        store.flush_hwms()
    for write in (
        lambda store: store.create_node_at_slot(2, 4, {1: 1}),
        lambda store: store.batch_write_node_creates([], [(2, 5)]),
        lambda store: store.write_nodes(2, [6], {1: [1]}),
    ):
        with NodeStore.open(root, sync=False) as store:
            write(store)
            assert store.hwm_for_label(2) == 31
            store.flush_hwms()
            assert store.disk_hwm_for_label(2) == 31


def test_w23_names_that_share_a_column_are_refused(monkeypatch):
    assert column_id("name") == 2369371622
    assert column_id("age") == 742476188
    assert column_id("") == 2166136261
    assert column_id("col_0") == 2141575598
    assert column_ids(["age", "name", "age"]) == {"age": 742476188, "name": 2369371622}
    # Two English words with one hash.
    with pytest.raises(GraphError, match="'costarring' and 'liquid' have one column id"):
        column_ids(["age", "costarring", "liquid"])
    monkeypatch.setattr(names_module, "fnv1a_32", lambda name: 0)
    with pytest.raises(GraphError, match="hashes to 0"):
        column_id("deleted")
    monkeypatch.undo()
    with pytest.raises(GraphError, match="lone surrogate"):
        column_id("\ud800")


def test_w24_a_batch_opens_each_file_once_and_waits_with_the_sync(root, monkeypatch):
    opened, synced = [], []
    original = type(root).open

    def counted(path, mode="r", *arguments, **options):
        if set(mode) & set("wax+"):
            opened.append(path.name)
        return original(path, mode, *arguments, **options)

    monkeypatch.setattr(type(root), "open", counted)
    monkeypatch.setattr(os, "fsync", synced.append)
    with NodeStore.open(root) as store:
        store.write_nodes(1, None, {1: np.arange(1000), 2: [LONG] * 1000})
        assert len(opened) == len(set(opened)) == 5
        assert not synced


def test_w25_the_wal_is_left_alone(root):
    (root / "wal").mkdir(parents=True)
    (root / "wal" / "segment-00000000000000000000.wal").write_bytes(b"\x02whatever")
    with NodeStore.open(root, sync=False) as store:
        store.create_node(1, {1: LONG})
    assert (root / "wal" / "segment-00000000000000000000.wal").read_bytes() == b"\x02whatever"


def test_w27_of_two_writes_to_one_slot_the_last_counts(store):
    rng = np.random.default_rng(3)
    slots = rng.integers(0, 40, 4000)
    words = np.arange(4000)
    last = {int(slot): int(word) for slot, word in zip(slots, words, strict=True)}
    store.batch_write_node_creates((1, 1, slots, words, True), (1, np.unique(slots)))
    assert {slot: int(w) for slot, w in enumerate(store.read_col_all(1, 1))} == last
    spread = slots * 100_000  # far apart: another way of writing
    store.batch_write_node_creates((2, 1, spread, words, True), (2, np.unique(spread)))
    at = np.array(sorted(last)) * 100_000
    assert store.batch_read_node_props(2, at, [1])[:, 0].tolist() == [last[k] for k in sorted(last)]
    assert node_files.file_size(store.path / "nodes/2/col_1.bin") == 8 * (int(at[-1]) + 1)
    store.write_nodes(3, [4, 4, 4], {1: ["first string", "second string", "third string"]})
    assert store.get_node(3 << 32 | 4, [1]) == [(1, b"third string")]
