import datetime
import json
import math
import os
import shutil
import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph import gathering, threads
from nkgraph.errors import FormatError, GraphError, LimitError, VersionError
from nkgraph.storage import columns, files, intake
from nkgraph.storage.kglite import id_maps
from nkgraph.storage.kglite.id_index import IdIndex
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.text import TextArray

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))
NONE = 2**32 - 1
FIXTURES = (
    "basic", "columns_bin", "compacted", "converted", "deleted", "nodes_only", "overflow",
    "recycled", "seg_full", "seg_local", "seg_props", "seg_props_ok", "values", "legacy",
)  # fmt: skip


# -- the format by hand: section 9.1 of its description ---------------------------------------


def encoded(value, form=None):
    if isinstance(value, bool):
        return struct.pack("<IB", 4, value)
    if isinstance(value, int):
        unique = form == "U" or (form is None and 0 <= value < 2**32)
        return struct.pack("<II", 0, value) if unique else struct.pack("<Iq", 1, value)
    if isinstance(value, float):
        return struct.pack("<Id", 2, value)
    tag, text = (3, value) if isinstance(value, str) else (5, value.isoformat())
    return struct.pack("<IQ", tag, len(text.encode())) + text.encode()


def general(pairs):
    """A bincode map; an id may be (value, form)."""
    parts = [struct.pack("<Q", len(pairs))]
    for value, node in pairs:
        whole = value if isinstance(value, tuple) else (value,)
        parts.append(encoded(*whole) + struct.pack("<I", node))
    return b"".join(parts)


def integers(pairs):
    pairs = sorted(pairs)
    keys, nodes = [key for key, _ in pairs], [node for _, node in pairs]
    return struct.pack(f"<{2 * len(pairs)}I", *keys, *nodes)


def index_file(types, order=None):
    """The file of {name: (variant, pairs)}, payloads in ``order``."""
    payloads = {name: (integers, general)[kind](pairs) for name, (kind, pairs) in types.items()}
    start = 32 + 48 * len(types)
    at, places = start, {}
    for name in order or types:
        places[name] = at
        at += len(payloads[name])
    parts = [struct.pack("<8sIIQQ", b"KGLIIDXR", 1, len(types), 32, start)]
    for name in sorted(types, key=fnv1a):
        kind, pairs = types[name]
        size = len(payloads[name])
        parts.append(struct.pack("<QB7xQQQQ", fnv1a(name), kind, len(pairs), places[name], size, 0))
    return b"".join(parts + [payloads[name] for name in order or types])


SAMPLE = {
    "Text": (1, [("a", 0), ("é", 1), (True, 2), (0.5, 3), (7, 4)]),
    "Whole": (0, [(key * 3, key + 100) for key in range(40)]),
    "Mixed": (1, [((5, "U"), 10), ((5, "I"), 11), (5.0, 12), ((2**40, "I"), 13), ("x", 14)]),
    "Empty": (0, []),
}


@pytest.fixture
def sample(tmp_path):
    """A file in which the integer payload starts at an odd byte."""
    path = tmp_path / "id_indices.bin"
    path.write_bytes(index_file(SAMPLE))
    return path


# -- a slow twin ------------------------------------------------------------------------------


def key_of(value):
    """What equal ids share; None for what equals nothing."""
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        value = value.item()
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, (int, float)):
        if math.isfinite(value) and value == int(value):
            return ("int", int(value)) if -(2**63) <= value < 2**63 else ("big", repr(value))
        return ("float", value)
    return (type(value).__name__, value)


class Model:
    def __init__(self):
        self.types = {}

    def find(self, kind, ids):
        known = self.types.get(kind, {})
        return [known.get(key_of(value), NONE) for value in ids]

    def insert(self, kind, ids, nodes):
        known = self.types.setdefault(kind, {})
        known.update(zip(map(key_of, ids), nodes, strict=True))

    def get_or_insert(self, kind, ids, nodes):
        known = self.types.setdefault(kind, {})
        return [known.setdefault(key_of(v), node) for v, node in zip(ids, nodes, strict=True)]

    def remove(self, kind, ids):
        there = [node != NONE for node in self.find(kind, ids)]
        for value in ids:
            self.types.get(kind, {}).pop(key_of(value), None)
        return there

    def replace(self, kind, ids, nodes):
        self.types[kind] = dict(zip(map(key_of, ids), nodes, strict=True))

    def clear(self, kind):
        if kind is None:
            self.types = {}
        self.types.pop(kind, None)


def items_of(index, kind):
    ids, nodes = index.items(kind)
    values, valid = columns.to_user(ids)
    assert valid is None
    return {key_of(v): n for v, n in zip(values.tolist(), nodes.tolist(), strict=True)}


def agree(index, model, universe):
    kinds = ("A", "B", "C")
    assert index.counts() == {kind: len(known) for kind, known in model.types.items()}
    for kind in kinds:
        assert index.find(kind, universe).tolist() == model.find(kind, universe)
        assert index.has_type(kind) == (kind in model.types)
        assert items_of(index, kind) == model.types.get(kind, {})
    assert {kind: len(nodes) for kind, (_, nodes) in index.snapshot().items()} == index.counts()


NARROW = [0, 1, 2, 3, 5, 8, 13, 2**31, 2**32 - 1]
WIDE = [
    -1, 2**32, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1.0, -0.0, 0.5, 2.0**53, 2.0**63, 1e300,
    math.inf, -math.inf, "", "1", "5", "long text, longer than the rest", "é", "e\0", True, False,
    datetime.date(2020, 2, 29), datetime.date(1, 1, 1), 5.0, 2.0**32, "日本",
]  # fmt: skip


def batch(rng, pool):
    chosen = rng.integers(0, len(pool), rng.integers(0, 12))
    ids = [pool[i] for i in chosen]
    if (
        ids
        and all(type(value) is int and 0 <= value < 2**32 for value in ids)
        and rng.random() < 0.7
    ):
        dtype = [np.int64, np.uint32, np.uint64, np.float64][rng.integers(0, 4)]
        return np.array(ids, dtype), np.array(ids, dtype).tolist()
    return ids, ids


def run_program(seed, path):
    rng = np.random.default_rng(seed)
    pool = NARROW if seed % 3 == 0 else NARROW + WIDE
    universe = [*NARROW, *WIDE, None, math.nan, 7, "absent", 2**70, -(2**70)]
    index, model = IdIndex(), Model()
    for step in range(30):
        kind = "ABC"[rng.integers(0, 3)]
        given, ids = batch(rng, pool)
        nodes = rng.integers(0, 2**32 - 1, len(ids)).tolist()
        action = rng.integers(0, 11)
        if action < 4:
            index.insert(kind, given, nodes)
            model.insert(kind, ids, nodes)
        elif action < 6:
            assert index.remove(kind, given).tolist() == model.remove(kind, ids)
        elif action == 6:
            found = index.get_or_insert(kind, given, nodes)
            assert found.tolist() == model.get_or_insert(kind, ids, nodes)
        elif action == 7:
            index.replace(kind, given, nodes)
            model.replace(kind, ids, nodes)
        elif action == 8 and rng.random() < 0.4:
            kind = None if rng.random() < 0.3 else kind
            index.clear(kind)
            model.clear(kind)
        elif action == 9:
            index.materialize(kind)
        elif action == 10:
            index.write(path)
            index = IdIndex.open(path, names="ABC")
        assert index.find(kind or "A", universe).tolist() == model.find(kind or "A", universe)
        if step % 6 == 5:
            agree(index, model, universe)
    index.write(path)
    return index, model, universe


@pytest.mark.parametrize("seed", range(24))
def test_programs_match_a_dict(seed, tmp_path):
    index, model, universe = run_program(seed, tmp_path / "a.bin")
    agree(index, model, universe)
    agree(IdIndex.open(tmp_path / "a.bin", names="ABC"), model, universe)
    # Equal content, another history: the same bytes.
    other = IdIndex()
    for kind, known in model.types.items():
        values = [value if name != "big" else float(value) for name, value in known]
        order = np.random.default_rng(seed).permutation(len(values)).tolist()
        other.insert(kind, [values[i] for i in order], [list(known.values())[i] for i in order])
    other.write(tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()
    IdIndex.open(tmp_path / "a.bin").write(tmp_path / "c.bin")
    assert (tmp_path / "c.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()


@given(st.lists(st.sampled_from([*NARROW, *WIDE])), st.lists(st.sampled_from([*NARROW, *WIDE])))
def test_any_ids_insert_and_remove(ids, removed):
    index, model = IdIndex(), Model()
    nodes = list(range(len(ids)))
    index.insert("A", ids, nodes)
    model.insert("A", ids, nodes)
    assert index.remove("A", removed).tolist() == model.remove("A", removed)
    assert items_of(index, "A") == model.types["A"]


def test_large_batches_on_several_threads(monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(threads.split, "__defaults__", (None, 1000))
    rng = np.random.default_rng(5)
    keys = np.unique(rng.integers(0, 2**32, 80_000, np.uint64)).astype(np.uint32)
    nodes = rng.permutation(keys.size)
    texts = np.array([f"text {key}" for key in keys[:20_000]])
    index = IdIndex()
    index.insert("Whole", keys, nodes)
    index.insert("Text", texts, nodes[:20_000])
    index.write(tmp_path / "i.bin")
    index = IdIndex.open(tmp_path / "i.bin")
    order = rng.permutation(keys.size)
    for queries in (keys, keys.astype(np.int64), keys.astype(np.float64)):
        assert np.array_equal(index.find("Whole", queries[order]), nodes[order])
    assert np.array_equal(index.find("Whole", keys), nodes)
    far = keys.astype(np.int64) + np.where(order % 2, 2**32, 0)
    assert np.array_equal(index.find("Whole", far), np.where(order % 2, NONE, nodes))
    absent = np.char.add(texts, "x")
    assert np.array_equal(index.find("Text", texts[::-1]), nodes[:20_000][::-1])
    assert not index.contains("Text", absent).any()
    assert index.remove("Whole", keys[::2]).all()
    assert np.array_equal(index.contains("Whole", keys), np.arange(keys.size) % 2 == 1)
    index.insert("Whole", keys[::4], nodes[::4])
    index.write(tmp_path / "i.bin")
    kept = (np.arange(keys.size) % 2 == 1) | (np.arange(keys.size) % 4 == 0)
    ids, found = IdIndex.open(tmp_path / "i.bin").items("Whole")
    assert np.array_equal(ids.data, keys[kept])
    assert np.array_equal(found, nodes[kept])


# -- equality ---------------------------------------------------------------------------------


def test_coercions_in_both_variants(sample):
    index = IdIndex.open(sample)
    for kind, seven, other in (("Whole", 9, 103), ("Text", 7, 4)):
        for same in (
            seven, float(seven), np.uint8(seven), np.float32(seven), np.array([seven], np.uint64),
            np.array([seven], ">i4"), [np.int16(seven)], np.ma.array([seven], np.int8),
        ):  # fmt: skip
            assert index.find(kind, same).tolist() == [other]
        for different in (str(seven), seven + 0.5, seven + 2**32, seven - 2**32, -seven, None):
            assert index.find(kind, different).tolist() == [NONE]
    assert index.find("Text", [True, 1, 1.0, "True", "a", b"a".decode(), 0.5, "0.5"]).tolist() == [
        2, NONE, NONE, NONE, 0, 0, 3, NONE,
    ]  # fmt: skip


def test_an_integer_in_several_forms_gives_the_form_asked_for(sample, tmp_path):
    index = IdIndex.open(sample)
    unique = columns.FixedColumn("uniqueid", np.array([5], np.uint32), None)
    assert index.find("Mixed", unique).tolist() == [10]
    assert index.find("Mixed", 5).tolist() == [11]
    assert index.find("Mixed", [5.0]).tolist() == [12]
    assert index.find("Mixed", ["x", 5.0, 5, 2.0**40]).tolist() == [14, 12, 11, 13]
    index.materialize("Mixed")
    assert index.find("Mixed", ["x", 5.0, 5, 2.0**40]).tolist() == [14, 12, 11, 13]
    index.write(tmp_path / "b.bin")
    again = IdIndex.open(tmp_path / "b.bin")
    assert again.find("Mixed", ["x", 5.0, 5]).tolist() == [14, 12, 11]
    assert again.find("Mixed", unique).tolist() == [10]
    assert again.count("Mixed") == 5
    assert again.remove("Mixed", 5).tolist() == [True]
    assert again.find("Mixed", unique).tolist() == again.find("Mixed", 5.0).tolist() == [NONE]
    assert again.count("Mixed") == 2
    index.insert("Mixed", 5, 77)  # replaces all forms
    assert index.find("Mixed", unique).tolist() == index.find("Mixed", 5.0).tolist() == [77]
    assert index.count("Mixed") == 3


def of_form(form, values):
    if form == "U":
        return columns.FixedColumn("uniqueid", np.array(values, np.uint32), None)
    return [int(value) if form == "I" else float(value) for value in values]


def forms_agree(index, model):
    for form in "UIF":
        want = [
            model[value].get(form, next(iter(model[value].values()))) if value in model else NONE
            for value in range(9)
        ]
        assert index.find("A", of_form(form, range(9))).tolist() == want
    both = [
        model[v].get("F", next(iter(model[v].values()))) if v in model else NONE for v in (3, 4)
    ]
    assert index.find("A", ["no", 3.0, 4.0]).tolist()[1:] == both
    assert index.count("A") == sum(map(len, model.values()))


@pytest.mark.parametrize("seed", range(10))
def test_forms_match_a_dict(seed, tmp_path):
    """Payloads of kglite with integers in several forms, changed and written again."""
    rng = np.random.default_rng(seed)
    model, pairs = {}, []
    for value in range(8):
        for form in "IUF":  # the order in which they stand in for each other
            if rng.random() < 0.5:
                node = int(rng.integers(0, 1000))
                model.setdefault(value, {})[form] = node
                pairs.append((float(value) if form == "F" else (value, form), node))
    pairs.append(("a text", 5))
    order = rng.permutation(len(pairs))
    path = tmp_path / "i.bin"
    path.write_bytes(index_file({"A": (1, [pairs[row] for row in order])}))
    model["a text"] = {"": 5}
    index = IdIndex.open(path)
    for step in range(12):
        forms_agree(index, model)
        values = rng.integers(0, 9, 2).tolist()
        form = "UIF"[rng.integers(0, 3)]
        if step % 3 == 0:
            index.insert("A", of_form(form, values), [step, step + 50])
            model.update({values[0]: {"": step}} | {values[1]: {"": step + 50}})
        elif step % 3 == 1:
            there = [value in model for value in values]
            assert index.remove("A", of_form(form, values)).tolist() == there
            for value in values:
                model.pop(value, None)
        elif rng.random() < 0.5:
            index.materialize("A")
        else:
            index.write(path)
            index = IdIndex.open(path)
    forms_agree(index, model)


def test_what_equals_nothing(tmp_path):
    index = IdIndex()
    index.insert("A", [0, 2.0**63], [5, 6])
    absent = [None, math.nan, np.datetime64("NaT"), 2**63, 2**64, -(2**63) - 1]
    assert index.find("A", absent).tolist() == [NONE] * 6
    assert index.find("A", 2.0**63).tolist() == [6]
    masked = np.ma.array([0, 0, 2**64 - 1], np.uint64, mask=[False, True, False])
    assert index.find("A", masked).tolist() == [5, NONE, NONE]
    assert index.find("A", np.array([0, 2**63, 2**64 - 1], np.uint64)).tolist() == [5, NONE, NONE]
    index.insert("U", [2**32 - 1], [1])
    assert index.find("U", np.array([2**64 - 1, 2**32 - 1], np.uint64)).tolist() == [NONE, 1]
    for path in (tmp_path / "nan.bin",):
        path.write_bytes(index_file({"A": (1, [(math.nan, 1), (math.nan, 2), ("x", 3)])}))
        index = IdIndex.open(path)
        assert index.find("A", [math.nan, "x"]).tolist() == [NONE, 3]
        assert index.remove("A", [math.nan, "x"]).tolist() == [False, True]
        index.write(path)
        assert IdIndex.open(path).count("A") == 2  # kept, though nothing finds them


def test_values_of_other_kinds():
    point = {"latitude": 1.0, "longitude": 2.0}
    day = datetime.date(2020, 2, 29)
    ids = [point, day, True, 2.5, "x", [1, 2], np.datetime64("2020-01-01T00:00:01")]
    index = IdIndex()
    index.insert("A", ids, range(7))
    assert index.find("A", ids[::-1]).tolist() == list(range(6, -1, -1))
    days = np.array(["2020-02-29", "2020-03-01", "NaT"], "M8[D]")
    assert index.find("A", days).tolist() == [1, NONE, NONE]
    for scalar, node in (
        (point, 0), (day, 1), (np.bool_(1), 2), (np.float32(2.5), 3), (np.array(2.5), 3),
        (np.str_("x"), 4), (1, NONE), (None, NONE), (np.datetime64("NaT"), NONE),
        (str(day), NONE), ({"latitude": 1.0, "longitude": 3.0}, NONE),
    ):  # fmt: skip
        assert index.find("A", scalar).tolist() == [node]
    assert index.find("A", np.array([True, False])).tolist() == [2, NONE]
    assert index.items("A")[0].values.tolist().count(point) == 1


def test_ids_of_frames():
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    index = IdIndex()
    index.insert("A", pd.Series([3, 4], dtype="Int64"), pa.array([0, 1]).to_numpy())
    index.insert("A", pa.array(["x", "y"]), [2, 3])
    assert index.find("A", pd.Series([4, None, 3], dtype="Int64")).tolist() == [1, NONE, 0]
    assert index.find("A", pd.Series([4, 2**64 - 1], dtype=np.uint64)).tolist() == [1, NONE]
    assert index.find("A", pa.array(["y", None])).tolist() == [3, NONE]


@pytest.mark.parametrize(
    ("ids", "nodes", "message"),
    [
        ([1, None], [0, 1], r"ids: row 1 has no id \(None, NaN or masked\)"),
        ([1.5, math.nan], [0, 1], "ids: row 1 has no id"),
        (np.array(["2020-01-01", "NaT"], "M8[D]"), [0, 1], "ids: row 1 has no id"),
        (np.ma.array([1, 2], mask=[True, False]), [0, 1], "ids: row 0 has no id"),
        (np.array([1, 2**63], np.uint64), [0, 1], "row 1: 9223372036854775808 does not fit"),
        ([1, 2**64], [0, 1], "row 1: 18446744073709551616 does not fit"),
        ([1, 2], [0], "2 ids, but 1 nodes"),
        ([1], [2**32 - 1], "row 0: node 4294967295 is not from 0 to 4294967294"),
        ([1], [-1], "row 0: node -1 is not from 0"),
        ([1], [0.5], "row 0: node 0.5 is not an integer"),
        (np.zeros((2, 2), int), [0, 1], "ids has 2 dimensions"),
        (["a", "\ud800"], [0, 1], "lone surrogate"),
        (b"x", [0], "bytes"),
    ],
)
def test_a_failed_call_changes_nothing(sample, ids, nodes, message):
    index = IdIndex.open(sample)
    before = index.snapshot()
    for call in (index.insert, index.replace, index.get_or_insert):
        for kind in ("Whole", "New"):
            with pytest.raises(GraphError, match=message):
                call(kind, ids, nodes)
    with pytest.raises(GraphError, match=message):
        index.find_or_build("New", [1], lambda: (ids, nodes))
    after = index.snapshot()
    assert list(before) == list(after)
    for kind, (_, found) in before.items():
        assert found.tolist() == after[kind][1].tolist()


def test_types_have_names_where_they_are_known(sample):
    index = IdIndex.open(sample)
    assert index.types == sorted(map(fnv1a, SAMPLE))
    assert index.find(fnv1a("Whole"), 3).tolist() == index.find("Whole", 3).tolist() == [101]
    named = IdIndex.open(sample, names=["Whole", "Other"])
    assert named.count("Whole") == named.counts()["Whole"] == 40
    assert fnv1a("Text") in named.counts()
    assert not named.has_type("Other")
    for wrong in ("", 2**64, -1, None, "\ud800"):
        with pytest.raises(GraphError):
            index.find(wrong, 1)


def test_two_names_of_one_hash_are_refused(monkeypatch):
    monkeypatch.setattr("nkgraph.storage.kglite.names.fnv1a", lambda name: 7)
    monkeypatch.setattr("nkgraph.storage.kglite.id_index.fnv1a", lambda name: 7)
    index = IdIndex()
    index.insert("A", 1, 1)
    for call in (index.insert, index.replace, index.get_or_insert):
        with pytest.raises(LimitError, match="have one hash"):
            call("B", 1, 2)
    assert index.find("A", 1).tolist() == [1]


# -- overlay and base -------------------------------------------------------------------------


def test_clear_masks_the_base_and_a_cleared_type_is_built_again(sample, tmp_path):
    index = IdIndex.open(sample)
    index.clear("Whole")
    assert index.find("Whole", [3]).tolist() == [NONE]
    assert not index.has_type("Whole")
    index.insert("Whole", [6], [1])
    assert index.find("Whole", [3, 6]).tolist() == [NONE, 1]
    index.clear("Text")
    assert index.find_or_build("Text", "a", lambda: (["a"], [9])).tolist() == [9]
    index.write(tmp_path / "b.bin")
    assert IdIndex.open(tmp_path / "b.bin", names=SAMPLE).counts() == {
        kind: {"Whole": 1, "Text": 1, "Mixed": 5, "Empty": 0}[kind]
        for kind in sorted(SAMPLE, key=fnv1a)
    }
    index.clear()
    assert index.types == []


def test_equal_ids_in_one_call():
    index = IdIndex()
    index.insert("A", [1, 1.0, "x", "x"], [5, 6, 7, 8])
    assert index.find("A", [1, "x"]).tolist() == [6, 8]
    assert index.get_or_insert("A", [2, "y", 2.0, "y", 1], [1, 2, 3, 4, 5]).tolist() == [
        1, 2, 1, 2, 6,
    ]  # fmt: skip
    assert index.remove("A", [2, 2, 9]).tolist() == [True, True, False]
    index.replace("A", [3, 3.0], [1, 2])
    assert items_of(index, "A") == {("int", 3): 2}


def test_find_or_build_builds_once(sample):
    index = IdIndex.open(sample)
    calls, answers = [], []
    started = threading.Barrier(4)

    def build():
        calls.append(1)
        assert index.find("Whole", 3).tolist() == [101]  # others can be asked meanwhile
        return np.arange(1000), np.arange(1000)

    def ask(number):
        started.wait()
        answers.append(index.find_or_build("New", [number, 5000], build).tolist())

    workers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(calls) == 1
    assert sorted(answers) == [[number, NONE] for number in range(4)]
    index.find_or_build("Text", "a", build)
    assert len(calls) == 1


def test_a_build_that_fails_can_be_tried_again():
    index = IdIndex()

    def fail():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        index.find_or_build("A", 1, fail)
    assert index.types == []
    assert index.find_or_build("A", 1, lambda: ([1], [4])).tolist() == [4]


def test_look_ups_and_changes_from_several_threads(sample):
    index = IdIndex.open(sample)
    errors = []

    def look():
        for _ in range(200):
            found = index.find("Text", ["a", "é", "new"])
            if found[:2].tolist() != [0, 1] or found[2] not in (NONE, 8):
                errors.append(found)

    def change():
        for number in range(200):
            index.insert("Text", ["new", number], [8, number])
            index.remove("Text", ["new"])

    workers = [threading.Thread(target=work) for work in (look, look, change, change)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []


def test_a_general_payload_is_decoded_once_and_only_when_used(sample, monkeypatch):
    made = []
    original = id_maps._tables
    monkeypatch.setattr(id_maps, "_tables", lambda stored: made.append(1) or original(stored))
    index = IdIndex.open(sample)
    index.find("Whole", [1])
    assert (index.count("Text"), made) == (5, [])
    workers = [threading.Thread(target=index.find, args=("Text", "a")) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert made == [1]


# -- files ------------------------------------------------------------------------------------


def test_integer_payloads_may_start_at_any_byte(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    keys = np.unique(rng.integers(0, 2**20, 3000)).tolist()
    pairs = [(key, key ^ 5) for key in keys]
    for length in range(1, 5):
        path = tmp_path / f"{length}.bin"
        types = {"T": (1, [("x" * length, 0)]), "A": (0, pairs), "B": (0, pairs[:7])}
        path.write_bytes(index_file(types))
        index = IdIndex.open(path)
        base = index._types[fnv1a("A")].base
        assert base.ids.keys.flags.aligned == (length == 4)
        queries = np.array(keys + [key + 1 for key in keys])
        known = dict(pairs)
        expected = [known.get(query, NONE) for query in queries.tolist()]
        assert index.find("A", queries).tolist() == expected
        order = rng.permutation(queries.size)
        assert index.find("A", queries[order]).tolist() == np.array(expected)[order].tolist()
        for some in (1, 5, 60):
            assert index.find("A", queries[:some]).tolist() == expected[:some]
            assert index.find("A", queries[order[:some]].astype(np.uint32)).tolist() == [
                expected[row] for row in order[:some]
            ]
        assert index.find("B", queries[:9]).tolist() == expected[:7] + [NONE] * 2
        ids, nodes = index.items("A")
        assert dict(zip(ids.data.tolist(), nodes.tolist(), strict=True)) == known
        index.write(path)
        assert path.read_bytes() == index_file(
            types, sorted(types, key=lambda name: (types[name][0], fnv1a(name)))
        )


def test_written_general_payloads_have_one_order(tmp_path):
    """Integers ascending, then the rest by hash of their bytes; unique ids among others widen."""
    rest = ["b", "a", True, 0.5, datetime.date(2020, 1, 1)]
    bytes_of = [encoded(value) for value in rest]
    text = TextArray(np.cumsum([0, *map(len, bytes_of)]), np.frombuffer(b"".join(bytes_of), "u1"))
    order = np.argsort(text.hashes()).tolist()
    index = IdIndex()
    index.insert("A", [*rest, 9, -4, 7.0], range(8))
    index.write(tmp_path / "i.bin")
    want = [((-4, "I"), 6), ((7, "I"), 7), ((9, "I"), 5)] + [(rest[row], row) for row in order]
    assert (tmp_path / "i.bin").read_bytes() == index_file({"A": (1, want)})


def test_integer_variant_if_and_only_if_all_are_unique_ids(tmp_path):
    for ids, variant in (
        ([0, 2**32 - 1], 0), ([], 0), ([5.0], 0), ([2**32], 1), ([-1], 1), ([1, "1"], 1),
        ([True], 1), ([0.5], 1),
    ):  # fmt: skip
        index = IdIndex()
        index.insert("A", ids, range(len(ids)))
        index.write(tmp_path / "i.bin")
        assert (tmp_path / "i.bin").read_bytes()[40] == variant
    index.remove("A", 0.5)
    index.insert("A", 4, 4)
    index.write(tmp_path / "i.bin")
    assert (tmp_path / "i.bin").read_bytes()[40] == 0


@pytest.mark.parametrize("ids", [[4, 4], [2**40, 2**40], ["a", "a"], [True, True]])
def test_a_saved_graph_has_no_index_of_ids_that_stand_twice(ids):
    """Foreign graphs may have them; the index is a map."""
    column = intake.from_user(ids, None, "ids")
    _, index = gathering._id_indexes(np.arange(2, dtype=np.uint32), column)
    assert index is None
    _, index = gathering._id_indexes(np.arange(1, dtype=np.uint32), column.take(np.arange(1)))
    assert index is not None


def test_colliding_hashes_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(TextArray, "hashes", lambda self: np.full(len(self), 5, np.uint64))
    ids = ["b", "a", True, 0.5, "c", -1]
    index = IdIndex()
    index.insert("A", ids, range(6))
    index.write(tmp_path / "i.bin")
    again = IdIndex.open(tmp_path / "i.bin")
    assert again.find("A", [*ids, "d", False]).tolist() == [*range(6), NONE, NONE]
    other = IdIndex()
    other.insert("A", ids[::-1], range(5, -1, -1))
    other.write(tmp_path / "j.bin")
    assert (tmp_path / "j.bin").read_bytes() == (tmp_path / "i.bin").read_bytes()


def test_a_failed_write_leaves_the_old_file(sample, monkeypatch):
    before = sample.read_bytes()
    index = IdIndex.open(sample)
    index.insert("Whole", [1], [1])

    def fail(path, parts, sync=True):
        path.write_bytes(b"half")
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_file", fail)
        with pytest.raises(OSError, match="disk full"):
            index.write(sample)
    assert sample.read_bytes() == before
    assert os.listdir(sample.parent) == [sample.name]
    index.write(sample.parent)  # the directory; over what is mapped
    assert index.find("Whole", [1, 3]).tolist() == [1, 101]
    assert IdIndex.open(sample.parent).find("Whole", [1, 3]).tolist() == [1, 101]


def test_absent_and_damaged_are_told_apart(tmp_path):
    for path in (tmp_path, tmp_path / "id_indices.bin", tmp_path / "a.bin.zst"):
        with pytest.raises(FileNotFoundError, match="there is no id index"):
            IdIndex.open(path)
    (tmp_path / "id_indices.bin").write_bytes(b"")
    with pytest.raises(FormatError, match="file size at byte 0: expected >= 32, found 0"):
        IdIndex.open(tmp_path)


def same_or_error(path, expected):
    """Whether all of the index is an error, or still what it was."""
    try:
        index = IdIndex.open(path)
        index.verify()
        found = {
            kind: dict(zip(columns.to_user(ids)[0].tolist(), nodes.tolist(), strict=True))
            for kind, (ids, nodes) in index.snapshot().items()
        }
    except FormatError as error:
        return str(path) in str(error)
    return found == expected


FIELDS = [
    (offset, form, value)
    for offset, form in (
        [(0, "<Q"), (8, "<I"), (12, "<I"), (16, "<Q"), (24, "<Q")]
        + [(32 + 48 * row + at, form) for row in range(4)
           for at, form in ((8, "B"), (16, "<Q"), (24, "<Q"), (32, "<Q"))]
    )
    for value in (0, 1, 2, 3, 5, 39, 40, 41, 255, 2**31, 2**32 - 1, 2**61, 2**63, 2**64 - 1)
    if value < 256 ** struct.calcsize(form)
]  # fmt: skip


def test_each_damaged_field_is_an_error_or_nothing(sample):
    blob = sample.read_bytes()
    expected = {
        kind: dict(zip(columns.to_user(ids)[0].tolist(), nodes.tolist(), strict=True))
        for kind, (ids, nodes) in IdIndex.open(sample).snapshot().items()
    }
    errors = 0
    for offset, form, value in FIELDS:
        changed = bytearray(blob)
        struct.pack_into(form, changed, offset, value)
        sample.write_bytes(changed)
        assert same_or_error(sample, expected), (offset, value)
        errors += bytes(changed) != blob
    assert errors > 200
    for length in range(len(blob)):
        sample.write_bytes(blob[:length])
        with pytest.raises(FormatError):
            IdIndex.open(sample)
    sample.write_bytes(blob + b"\0")
    with pytest.raises(FormatError, match="file size at byte 0"):
        IdIndex.open(sample)


def damaged(blob, offset, form, value):
    changed = bytearray(blob)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (0, "<I", 0, "magic at byte 0: expected b'KGLIIDXR'"),
        (12, "<I", 99, "types at byte 12: expected a directory in"),
        (16, "<Q", 40, "directory_at at byte 16: expected 32, found 40"),
        (24, "<Q", 0, "data_at at byte 24: expected 224, found 0"),
        (32 + 48, "<Q", 0, "type at byte 80: expected > "),
        (32 + 48 * 2 + 24, "<Q", 1, "payload offset at byte 152: expected "),
    ],
)
def test_directory_errors_name_their_byte(sample, offset, form, value, message):
    sample.write_bytes(damaged(sample.read_bytes(), offset, form, value))
    with pytest.raises(FormatError, match=message):
        IdIndex.open(sample)


def test_damage_in_a_payload_is_found_when_it_is_used(tmp_path):
    path = tmp_path / "i.bin"
    cases = (
        ((1, [("a", 0), ("b", 1), ("a", 2)]), "at byte 170: expected each once"),
        ((1, [((4, "I"), 0), ((4, "I"), 1)]), "at byte 152: expected each once, found one twice"),
        ((1, [("a", NONE)]), "node of an id index at byte 149: expected < 4294967295"),
        ((0, [(1, NONE)]), "node of an id index at byte 132: expected < 4294967295"),
        ((0, [(4, 1), (4, 2)]), "keys of an id index at byte 132: expected > 4, found 4"),
    )
    for content, message in cases:
        path.write_bytes(index_file({"A": content, "B": (0, [(1, 1)])}))
        index = IdIndex.open(path)
        assert index.find("B", 1).tolist() == [1]
        for call in (
            index.verify, index.snapshot, lambda i=index: i.items("A"),
            lambda i=index: i.materialize("A"), lambda i=index: i.write(path),
        ):  # fmt: skip
            with pytest.raises(FormatError, match=message):
                call()
        if content[0] == 1:
            for call in (index.find, index.remove):
                with pytest.raises(FormatError, match=message):
                    call("A", ["x"])
            with pytest.raises(FormatError, match=message):
                index.insert("A", ["x"], [1])
    text = index_file({"A": (1, [("ab", 0)])}).replace(b"ab", b"\xff\xff")
    path.write_bytes(text)
    with pytest.raises(FormatError, match="UTF-8"):
        IdIndex.open(path).find("A", "x")


def test_random_damage_is_an_error_or_an_answer(sample):
    blob = sample.read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(ROUNDS * 20):
        changed = bytearray(blob)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(0, len(blob)))
            some = rng.bytes(int(rng.integers(1, 9)))
            changed[at : at + len(some)] = some
        sample.write_bytes(changed)
        try:
            index = IdIndex.open(sample)
            for kind in SAMPLE:
                index.find(kind, [1, 2.5, "a", True])
                index.remove(kind, [3, "x", 5])
                index.insert(kind, [3, "x"], [1, 2])
                index.count(kind)
            index.snapshot()
            index.write(sample)
        except FormatError:
            refused += 1
    assert refused > ROUNDS


# -- older forms ------------------------------------------------------------------------------


def framed(types):
    parts = [b"KGLIIDX1", struct.pack("<II", 1, len(types))]
    for name, (kind, pairs) in types.items():
        parts.append(struct.pack("<QB7xQ", fnv1a(name), kind, len(pairs)))
        if kind == 0:
            keys, nodes = [key for key, _ in pairs], [node for _, node in pairs]
            parts.append(struct.pack(f"<{2 * len(pairs)}I", *keys, *nodes))
        else:
            parts += [struct.pack("<Q", len(general(pairs))), general(pairs)]
    return b"".join(parts)


def oldest(types):
    parts = [struct.pack("<Q", len(types))]
    for name, (kind, pairs) in types.items():
        parts += [struct.pack("<Q", len(name)), name.encode(), struct.pack("<I", kind)]
        if kind == 0:
            parts.append(struct.pack("<Q", len(pairs)))
            parts += [struct.pack("<II", *pair) for pair in pairs]
        else:
            parts.append(general(pairs))
    return b"".join(parts)


UNSORTED = {**SAMPLE, "Whole": (0, SAMPLE["Whole"][1][::-1])}


@pytest.mark.parametrize("form", [framed, oldest])
def test_older_forms_hold_the_same(form, sample, tmp_path):
    path = tmp_path / "old" / "id_indices.bin.zst"
    path.parent.mkdir()
    path.write_bytes(files.compress(form(UNSORTED)))
    IdIndex.open(sample).write(tmp_path / "new.bin")
    for place in (path, path.parent, path.with_suffix("")):
        index = IdIndex.open(place)
        index.write(tmp_path / "copy.bin")
        assert (tmp_path / "copy.bin").read_bytes() == (tmp_path / "new.bin").read_bytes()
    assert index.has_type("Text")
    assert ("Text" in index.types) == (form is oldest)  # which holds names


@pytest.mark.parametrize("form", [framed, oldest])
def test_older_forms_damaged(form, tmp_path):
    path = tmp_path / "id_indices.bin.zst"
    blob = form(UNSORTED)
    rng = np.random.default_rng(2)
    for length in range(len(blob)):
        path.write_bytes(files.compress(blob[:length]))
        with pytest.raises(FormatError):
            IdIndex.open(path).verify()
    for _ in range(ROUNDS * 10):
        changed = bytearray(blob)
        at = int(rng.integers(0, len(blob)))
        some = rng.bytes(int(rng.integers(1, 9)))
        changed[at : at + len(some)] = some
        path.write_bytes(files.compress(bytes(changed)))
        try:
            IdIndex.open(path).snapshot()
        except FormatError as error:
            assert str(path) in str(error)  # noqa: PT017 - any other error fails
    path.write_bytes(files.compress(blob + b"\0"))
    with pytest.raises(FormatError, match="1 bytes more"):
        IdIndex.open(path)
    path.write_bytes(b"no zstd")
    with pytest.raises(FormatError, match="zstd frame"):
        IdIndex.open(path)
    twice = {"A": (0, [(1, 1), (1, 2)])}
    path.write_bytes(files.compress(form(twice)))
    with pytest.raises(FormatError, match="1 twice"):
        IdIndex.open(path)


def test_older_forms_stand_in_for_another_version_and_never_for_damage(tmp_path):
    newer, older = tmp_path / "id_indices.bin", tmp_path / "id_indices.bin.zst"
    blob = index_file({"A": (0, [(1, 1)])})
    for magic, version in ((b"KGLIIDXR", 2), (b"KGLIIDXQ", 1)):
        newer.write_bytes(struct.pack("<8sI", magic, version) + blob[12:])
        older.unlink(missing_ok=True)
        with pytest.raises(VersionError if version == 2 else FormatError):
            IdIndex.open(tmp_path)
        older.write_bytes(files.compress(framed({"A": (0, [(1, 2)])})))
        assert IdIndex.open(tmp_path).find("A", 1).tolist() == [2]
    newer.write_bytes(blob)
    assert IdIndex.open(tmp_path).find("A", 1).tolist() == [1]
    for length in (0, 4, 8, 11, 31, 40, len(blob) - 1):
        newer.write_bytes(blob[:length])
        with pytest.raises(FormatError):
            IdIndex.open(tmp_path)
    older.write_bytes(files.compress(b"KGLIIDX1" + struct.pack("<II", 3, 0)))
    newer.unlink()
    with pytest.raises(VersionError, match="expected 1, found 3"):
        IdIndex.open(tmp_path)


# -- what kglite wrote ------------------------------------------------------------------------


def recorded_nodes(recorded):
    want = {**recorded["kglite"], **recorded.get("truth", {})}
    if "nodes" in want:
        return [(node["type"], node["id"], node["title"]) for node in want["nodes"]]
    rows = recorded["kglite"]["queries"]["nodes"]["rows"]
    return [
        (row["l"][0] if isinstance(row["l"], list) else row["l"], row["id"], row["title"])
        for row in rows
    ]


@pytest.mark.parametrize("fixture", FIXTURES)
def test_fixtures_answer_as_recorded(fixture, data, tmp_path):
    folder = data / "kglite" / fixture
    recorded = json.loads((folder / "expected.json").read_text())
    before = {path: path.read_bytes() for path in (folder / "graph").glob("id_indices*")}
    index = IdIndex.open(folder / "graph")
    index.verify()
    index.write(tmp_path / "i.bin")
    again = IdIndex.open(tmp_path / "i.bin")
    again.write(tmp_path / "j.bin")
    assert (tmp_path / "j.bin").read_bytes() == (tmp_path / "i.bin").read_bytes()
    checked = 0
    shutil.copytree(folder / "graph", tmp_path / "g")
    with nk.open(tmp_path / "g") as g:
        for kind in g.node_types:
            if not index.has_type(kind):
                continue
            rows = [(uid, title) for name, uid, title in recorded_nodes(recorded) if name == kind]
            for opened in (index, again):
                nodes = opened.find(kind, [uid for uid, _ in rows])
                assert (nodes != NONE).all()
                assert g.titles(nodes).tolist() == [title for _, title in rows]
                assert opened.count(kind) == len(rows)
            checked += len(rows)
        for name in recorded["kglite"].get("missing_ids", {}):
            kind, _, text = name.partition(":")
            ids = [text, int(text)] if text.lstrip("-").isdecimal() else [text]
            assert not index.contains(kind, ids).any()
    assert checked
    assert {path: path.read_bytes() for path in before} == before


def test_kglite_coerces_so_too(data):
    """The queries by id of the fixture with ids of several kinds."""
    folder = data / "kglite" / "values"
    queries = json.loads((folder / "expected.json").read_text())["kglite"]["queries"]
    index = IdIndex.open(folder / "graph")
    with nk.open(folder / "graph") as g:
        for name, wanted in (("int", 1), ("float", 1.0), ("str", "s-birch"), ("str_of_int", "1")):
            rows = queries[f"by_id_{name}"]["rows"]
            found = index.find("Item", wanted)
            names = g.read_nodes("Item", ["name"], nodes=found[found != NONE])["name"].tolist()
            assert names == [row["n"] for row in rows]
        assert not index.has_type("Firm")  # kglite dropped it: it has to be built
        firms = g.nodes("Firm")
        found = index.find_or_build("Firm", 2.0**40, lambda: (g.ids(firms), firms))
        assert found.tolist() == firms.tolist()
