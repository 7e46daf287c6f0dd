"""What a segment holds of each property: never leaves out a match; damaged files."""

import itertools
import json
import math

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from test_filtering import EDGES, HUGE, conditions, integers, typed_columns

from nkgraph.errors import FormatError, GraphError, VersionError
from nkgraph.filtering import OPERATORS, Condition, evaluate
from nkgraph.storage import intake
from nkgraph.storage.columns import FixedColumn, TextColumn, absent
from nkgraph.storage.kglite import property_ranges
from nkgraph.storage.kglite.property_ranges import (
    NumericRange,
    TextSet,
    float_above,
    float_below,
    from_manifest,
    may_match,
    of_column,
    read_text_sets,
    to_manifest,
    write_text_sets,
)
from nkgraph.storage.text import TextArray

PAIR = (2**64 - 1, 3)
NUMBERS = itertools.count()
"""For file names: a map may still hold the file of the last example."""


def text_set(*texts):
    return of_column(intake.from_user(list(texts), None, "a"))


def write(path, sets):
    path.write_bytes(b"".join(bytes(part) for part in write_text_sets(sets)))
    return path


def stored(found, path):
    """What comes back of a summary from the manifest or the file."""
    if isinstance(found, TextSet):
        return read_text_sets(write(path, {PAIR: found}))[PAIR]
    entries = json.loads(json.dumps(to_manifest({PAIR: found}), allow_nan=False))
    return from_manifest("m", entries).get(PAIR)


@settings(max_examples=400)
@given(st.data())
def test_what_may_not_match_does_not(tmp_path, data):
    column, held = data.draw(typed_columns(size=5))
    operator, wanted = data.draw(conditions(held))
    found = of_column(column)
    may = may_match(found, operator, wanted)
    if found is not None:
        again = stored(found, tmp_path / f"{next(NUMBERS)}")
        if again is not None:
            assert may_match(again, operator, wanted) == may
    if not may:
        assert not any(reference.satisfies(value, operator, wanted) for value in held)
        assert not evaluate(column, Condition("a", operator, wanted)).any()


@given(st.lists(st.one_of(integers, st.none()), max_size=5))
def test_range_is_the_tightest(held):
    valid = np.array([value is not None for value in held], bool)
    data = np.array([value or 0 for value in held], np.int64)
    found = of_column(FixedColumn("int64", data, valid))
    present = [value for value in held if value is not None]
    if not present:
        assert found is None
        return
    assert found.low <= min(present) < math.nextafter(found.low, math.inf)
    assert math.nextafter(found.high, -math.inf) < max(present) <= found.high


@given(st.one_of(st.integers(), st.floats(), st.sampled_from(EDGES + HUGE)))
def test_float_neighbours(number):
    low, high = float_below(number), float_above(number)
    if number != number:
        assert math.isnan(low)
        assert math.isnan(high)
        return
    assert low <= number <= high
    assert low == high == number or math.nextafter(low, math.inf) == high


def test_ranges_prune():
    found = of_column(intake.from_user([3, None, 9], None, "a"))
    assert found == NumericRange(3.0, 9.0)
    pruned = [
        ("==", 2), ("==", 9.5), ("==", "3"), ("==", True), ("<", 3), ("<=", 2.9), (">", 9),
        (">=", 10**400), ("==", math.nan), ("<", math.nan), ("in", [1, "x", 10]), ("in", []),
    ]  # fmt: skip
    for operator, value in pruned:
        assert not may_match(found, operator, value), (operator, value)
    kept = [
        ("==", 3), ("==", np.float32(4)), ("<", 4), ("<=", 3), (">", 8), (">=", 9), ("!=", 3),
        ("<", "x"), ("in", {1, 4}), ("in", np.arange(5)), ("==", object()), ("?", 1),
        (">", np.datetime64(1, "ns")),
    ]  # fmt: skip
    for operator, value in kept:
        assert may_match(found, operator, value), (operator, value)


def test_text_sets_prune():
    found = text_set("a", None, "b", "a")
    assert found.hashes.size == 2
    assert (np.diff(found.hashes) > 0).all()
    for operator, value in [("==", "c"), ("==", ""), ("in", ["c", 3]), ("==", 3), ("in", ())]:
        assert not may_match(found, operator, value), (operator, value)
    kept = [
        ("==", "a"), ("!=", "a"), ("<", "a"), ("in", {"c", "b"}), ("<", 3), ("==", "\ud800"),
        ("==", object()),
    ]  # fmt: skip
    for operator, value in kept:
        assert may_match(found, operator, value), (operator, value)
    nothing = TextSet(np.zeros(0, np.uint64))
    assert not may_match(nothing, "==", "a")
    assert all(may_match(None, operator, "a") for operator in OPERATORS)


def test_as_many_texts_as_allowed_have_a_set(monkeypatch):
    monkeypatch.setattr(property_ranges, "MAX_TEXTS", 2)
    assert text_set("a", "b", "a", None).hashes.size == 2
    assert text_set("a", "b", "c") is None


def test_members_prune():
    """As ``test_ranges_prune`` and ``test_text_sets_prune``, of the values of a condition."""
    numbers, texts = NumericRange(3.0, 9.0), text_set("a", "b")
    for summary, operator, value, may in [
        (numbers, "==", 3, True), (numbers, "==", 9, True), (numbers, "==", 2, False),
        (numbers, "in", np.array([1, 10]), False), (numbers, "in", np.array([10, 1, 5]), True),
        (numbers, "in", np.array([1.5, np.nan]), False), (numbers, "in", ["x", 4], True),
        (numbers, "in", [], False), (numbers, "in", ["x", [4]], False), (numbers, "<", 3, False),
        (numbers, "in", [10**400], False), (numbers, "!=", 3, True), (None, "in", [], True),
        (texts, "==", "a", True), (texts, "==", "c", False), (texts, "in", ["c", "b", "d"], True),
        (texts, "in", np.array(["c", "d", "e"]), False), (texts, "in", [], False),
        (texts, "in", [1, 2], False), (texts, "in", np.array(["b"], "T"), True),
    ]:  # fmt: skip
        assert Condition("a", operator, value).may_match(summary) == may, (operator, value)


def test_columns_without_a_summary():
    columns = [
        absent(3),
        FixedColumn("bool", np.ones(2, bool), None),
        FixedColumn("date", np.ones(2, np.int32), None),
        FixedColumn("timestamp", np.ones(2, np.int64), None),
        FixedColumn("float64", np.zeros(0), None),
        FixedColumn("float64", np.full(2, np.nan), None),
        FixedColumn("int64", np.ones(1, np.int64), np.zeros(1, bool)),
        TextColumn(TextArray.empty(2), np.zeros(2, bool)),
        intake.from_user([1, "a"], None, "a"),
    ]
    assert [of_column(column) for column in columns] == [None] * len(columns)
    infinite = of_column(FixedColumn("float64", np.array([1, np.nan, np.inf]), None))
    assert infinite == NumericRange(1.0, math.inf)
    assert to_manifest({PAIR: infinite}) == []


def test_many_texts_have_no_set(monkeypatch):
    monkeypatch.setattr(property_ranges, "MAX_TEXTS", 100)
    monkeypatch.setattr(property_ranges, "_STEP", 30)
    held = [None if n % 5 == 0 else str(n % 100) for n in range(1000)]
    found = text_set(*held)
    expected = TextArray.from_strings(sorted({text for text in held if text})).hashes()
    assert found.hashes.tolist() == sorted(expected.tolist())
    assert text_set(*held, "another", *map(str, range(0, 100, 5))) is None


# -- the manifest -----------------------------------------------------------------------------


def test_manifest():
    ranges = {(7, 2): NumericRange(-0.5, 2.0**60), (7, 1): text_set("a"), PAIR: NumericRange(1, 1)}
    entries = to_manifest(ranges)
    assert json.loads(json.dumps(entries)) == [
        [7, 1, "StringBloomPlaceholder"],
        [7, 2, {"NumericMinMax": {"min": -0.5, "max": 2.0**60}}],
        [*PAIR, {"NumericMinMax": {"min": 1, "max": 1}}],
    ]
    assert to_manifest(dict(reversed(ranges.items()))) == entries
    assert from_manifest("m", json.loads(json.dumps(entries))) == {**ranges, (7, 1): None}
    wide = from_manifest("m", [[1, 2, {"NumericMinMax": {"min": 2**53 + 1, "max": 2**53 + 1}}]])
    assert wide == {(1, 2): NumericRange(2.0**53, 2.0**53 + 2)}
    both = [[1, 2, "StringBloomPlaceholder"], [1, 2, {"NumericMinMax": {"min": 0, "max": 1}}]]
    assert from_manifest("m", both) == from_manifest("m", both[::-1])
    assert from_manifest("m", both) == {(1, 2): NumericRange(0, 1)}


def numeric(low, high):
    return {"NumericMinMax": {"min": low, "max": high}}


@pytest.mark.parametrize(
    ("entries", "field"),
    [
        ({}, ""),
        ([7], "[0]"),
        ([[1, 2]], "[0]"),
        ([[True, 2, "StringBloomPlaceholder"]], "[0][0]"),
        ([[1, 2**64, "StringBloomPlaceholder"]], "[0][1]"),
        ([[1, -1, "StringBloomPlaceholder"]], "[0][1]"),
        ([[1, 2.0, "StringBloomPlaceholder"]], "[0][1]"),
        ([[1, 2, "Other"]], "[0][2]"),
        ([[1, 2, None]], "[0][2]"),
        ([[1, 2, {"Other": {}}]], "[0][2]"),
        ([[1, 2, {"NumericMinMax": [0, 1]}]], "[0][2]"),
        ([[1, 2, {**numeric(0, 1), "Other": {}}]], "[0][2]"),
        ([[1, 2, {"NumericMinMax": {"min": 0}}]], "[0][2].NumericMinMax.max"),
        ([[1, 2, numeric(True, 2)]], "[0][2].NumericMinMax.min"),
        ([[1, 2, numeric("0", 2)]], "[0][2].NumericMinMax.min"),
        ([[1, 2, numeric(math.nan, 2)]], "[0][2].NumericMinMax.min"),
        ([[1, 2, numeric(0, math.inf)]], "[0][2].NumericMinMax.max"),
        ([[1, 2, numeric(2, 1)]], "[0][2].NumericMinMax"),
        ([[1, 2, numeric(0, 1)], [1, 2, numeric(0, 2)]], "[1]"),
    ],
)
def test_malformed_manifest(entries, field):
    with pytest.raises(FormatError) as error:
        from_manifest("seg_manifest.json", entries)
    assert error.value.path == "seg_manifest.json"
    assert error.value.field == f"indexed_prop_ranges{field}"


# -- the file of text sets --------------------------------------------------------------------

SETS = {PAIR: text_set("a", "b", "c"), (5, 9): text_set("d"), (5, 8): text_set(*map(str, range(9)))}


@pytest.mark.parametrize("sets", [{}, {PAIR: SETS[PAIR]}, SETS, {PAIR: TextSet(np.zeros(0, "u8"))}])
def test_text_sets_round_trip(tmp_path, sets):
    path = write(tmp_path / "sets", sets)
    found = read_text_sets(path)
    assert list(found) == sorted(sets)
    for pair, held in found.items():
        assert held.hashes.tolist() == sets[pair].hashes.tolist()
        assert not held.hashes.flags.writeable
        assert held.hashes.size == 0 or held.hashes.ctypes.data % 64 == 0
    again = write(tmp_path / "again", dict(reversed(sets.items())))
    assert again.read_bytes() == path.read_bytes()


def test_no_file_is_no_sets(tmp_path):
    assert read_text_sets(tmp_path / "none") == {}


def test_truncated_at_every_byte(tmp_path):
    whole = write(tmp_path / "sets", SETS).read_bytes()
    for size in range(len(whole)):
        path = tmp_path / f"{size}"
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError):
            read_text_sets(path)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_flipped_at_every_byte(tmp_path, flip):
    whole = write(tmp_path / "sets", SETS).read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= flip
        path = tmp_path / f"{at}"
        path.write_bytes(damaged)
        if at < 12:
            with pytest.raises(FormatError if at < 8 else VersionError):
                read_text_sets(path)
            continue
        try:
            found = read_text_sets(path)
        except FormatError:
            continue
        for held in found.values():  # whatever the hashes are, they are safe to ask
            assert may_match(held, "in", ["a", "zz"]) in (True, False)


def test_counts_beyond_the_file(tmp_path):
    path = write(tmp_path / "sets", SETS)
    for at, name in ((16, "set_count"), (64 + 16, "file size")):
        damaged = bytearray(path.read_bytes())
        damaged[at : at + 8] = b"\xff" * 8
        (tmp_path / f"{at}").write_bytes(damaged)
        with pytest.raises(FormatError) as error:
            read_text_sets(tmp_path / f"{at}")
        assert error.value.field == name


def test_pairs_that_do_not_ascend(tmp_path):
    parts = write_text_sets({(1, 2): SETS[5, 9], (3, 4): SETS[5, 9]})
    whole = bytearray(b"".join(bytes(part) for part in parts))
    for pair in ((1, 2), (0, 9)):
        whole[64 + 24 : 64 + 40] = np.array(pair, "<u8").tobytes()
        path = tmp_path / f"{pair[0]}"
        path.write_bytes(whole)
        with pytest.raises(FormatError, match=r"directory\[1\] at byte 88: expected > \(1, 2\)"):
            read_text_sets(path)


def test_what_a_filter_refuses_is_never_pruned():
    found = of_column(intake.from_user([1, 2], None, "a"))
    assert may_match(found, "<", "x")
    with pytest.raises(GraphError):
        evaluate(intake.from_user([1, 2], None, "a"), Condition("a", "<", "x"))
