"""Text, values and columns against slow twins, and what users may give."""

import datetime
import math
import struct

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.errors import FormatError, GraphError
from nkgraph.interop import frames
from nkgraph.storage import columns, intake, values
from nkgraph.storage.columns import FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.kglite import edge_properties
from nkgraph.storage.text import TextArray

TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        st.sampled_from(["", "\0", "a\0", "\0\0", "\U0010ffff" * 20, "x" * 300, "é" * 9]),
    ),
    max_size=150,
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    st.dates(),
)


def by_bytes(items):
    """Maps are stored in the order of their keys' bytes."""
    return dict(sorted(items.items(), key=lambda pair: pair[0].encode()))


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(by_bytes),
    ),
    max_leaves=8,
)


# -- text -------------------------------------------------------------------------------------


@given(TEXTS)
def test_text_round_trip(strings):
    text = TextArray.from_strings(np.array(strings, object))
    data = b"".join(s.encode() for s in strings)
    assert text.data.tobytes() == data
    assert text.offsets.tolist() == [
        0, *np.cumsum([len(s.encode()) for s in strings], dtype=int).tolist(),
    ]  # fmt: skip
    assert text.to_strings().tolist() == strings
    assert text.first_bad() == -1


def test_many_texts_of_all_lengths():
    rng = np.random.default_rng(3)
    alphabet = np.array(list("aé日\U0001f600\0"))
    strings = ["".join(rng.choice(alphabet, size)) for size in rng.integers(0, 70, 3000)]
    strings.append("日" * 100_000)
    text = TextArray.from_strings(np.array(strings, np.dtypes.StringDType()))
    assert text.to_strings().tolist() == strings
    rows = rng.integers(0, len(strings) - 1, 500)
    assert text.take(rows).to_strings().tolist() == [strings[row] for row in rows]
    twice = TextArray.concatenate([text, text])
    assert twice.to_strings().tolist() == strings * 2
    assert text.equals(rows, twice, rows + len(strings)).all()
    assert not text.equals(np.array([0]), twice, np.array([len(strings) - 1])).any()


@given(TEXTS)
def test_hashes_depend_on_content_alone(strings):
    text = TextArray.from_strings(np.array(strings, object))
    padded = TextArray.from_strings(np.array(["before", *strings], object))
    assert text.hashes().tolist() == padded.hashes().tolist()[1:]
    by_text = dict(zip(strings, text.hashes().tolist(), strict=True))
    assert len(set(by_text.values())) == len(by_text)


STORED_HASHES = [
    "0000000000000000",
    "bd80224e75759c82",
    "abad492fa61e3a9d",
    "7de0000f028411e7",
    "b810d34c30b85aa6",
]


def test_hashes_stored_on_disk_do_not_change():
    text = TextArray.from_strings(["", "a", "Person", "日本", "x" * 100])
    assert [f"{value:016x}" for value in text.hashes().tolist()] == STORED_HASHES


@given(st.lists(st.binary(max_size=6), max_size=80))
def test_utf8_check_is_pythons(rows):
    offsets = np.cumsum([0, *map(len, rows)])
    text = TextArray(offsets, np.frombuffer(b"".join(rows), np.uint8))

    def good(row):
        try:
            row.decode()
        except UnicodeDecodeError:
            return False
        return True

    bad = [index for index, row in enumerate(rows) if not good(row)]
    assert text.first_bad() == (bad[0] if bad else -1)


@pytest.mark.parametrize("size", [3, 500])
def test_a_lone_surrogate_is_named(size):
    strings = ["a"] * size
    strings[2] = "\ud800"
    with pytest.raises(GraphError, match="text: row 2 holds a lone surrogate"):
        TextArray.from_strings(strings)
    with pytest.raises(GraphError, match="text: row 2 holds a lone surrogate"):
        TextArray.from_strings(np.array(strings, "U1"))


# -- values -----------------------------------------------------------------------------------


@given(st.lists(VALUES, max_size=20))
def test_streams_are_those_of_the_reference(items):
    blob = np.frombuffer(b"".join(map(reference.value, items)), np.uint8)
    found, end = values.read_stream("x", blob, 0, blob.size, len(items))
    assert end == blob.size
    assert repr(found.tolist()) == repr(items)
    assert values.write_stream(found).tobytes() == blob.tobytes()
    assert b"".join(map(values.encode, items)) == blob.tobytes()
    column = columns.from_values(found)
    assert values.write_stream(columns.to_values(column)).tobytes() == blob.tobytes()


@given(st.lists(VALUES, min_size=1, max_size=5), st.data())
def test_cut_and_changed_streams_are_refused_or_read(items, data):
    blob = bytearray(b"".join(map(reference.value, items)))
    cut = data.draw(st.integers(0, len(blob) - 1))
    short = np.frombuffer(bytes(blob[:cut]), np.uint8)
    with pytest.raises(FormatError):
        values.read_stream("x", short, 0, short.size, len(items))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    changed = np.frombuffer(bytes(blob), np.uint8)
    try:
        found, _ = values.read_stream("x", changed, 0, changed.size, len(items))
        columns.to_user(columns.from_values(found))
    except FormatError:
        pass


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (struct.pack("<I", 99), "at byte 0: expected a known value tag, found tag 99"),
        (struct.pack("<I", 8)[:3], "value count"),
        (struct.pack("<IQ", 3, 2**63), "a whole value"),
        (struct.pack("<IQ", 13, 2**62), "a whole value"),
        (struct.pack("<IQ", 13, 1) * 300 + struct.pack("<I", 7), "<= 128 levels"),
        (struct.pack("<IQ", 3, 1) + b"\xff", "UTF-8"),
    ],
)
def test_values_that_cannot_be(blob, message):
    data = np.frombuffer(blob, np.uint8)
    with pytest.raises(FormatError, match=message):
        values.read_stream("x", data, 0, data.size, 1)


def test_rare_kinds():
    name = reference.text
    pairs = struct.pack("<Q", 1) + name("k") + reference.value(5)
    node = struct.pack("<IQ", 9, 1) + name("L") + pairs
    edge = struct.pack("<III", 1, 2, 3) + name("T") + pairs
    blobs = [
        struct.pack("<Idd", 6, 1.5, -2.0),
        struct.pack("<Iiiq", 9, 1, -2, 3),
        struct.pack("<I", 10) + node,
        struct.pack("<I", 11) + edge,
        struct.pack("<IQ", 12, 1) + node + struct.pack("<Q", 2) + edge + edge,
        struct.pack("<II", 0, 2**32 - 1),
        struct.pack("<I", 15) + name("2024-01-01T00:00:00.5"),
    ]
    data = np.frombuffer(b"".join(blobs), np.uint8)
    found, _ = values.read_stream("x", data, 0, data.size, len(blobs))
    item = {"id": 9, "labels": ["L"], "properties": {"k": 5}}
    relation = {"id": 1, "start": 2, "end": 3, "type": "T", "properties": {"k": 5}}
    assert found.tolist() == [
        {"latitude": 1.5, "longitude": -2.0},
        values.Duration(1, -2, 3),
        item,
        relation,
        {"nodes": [item], "relationships": [relation, relation]},
        2**32 - 1,
        datetime.datetime(2024, 1, 1, 0, 0, 0, 500000),
    ]
    assert values.write_stream(found).tobytes() == data.tobytes()
    for cut in range(data.size):
        with pytest.raises(FormatError):
            values.read_stream("x", data[:cut], 0, cut, len(blobs))


def test_years_outside_four_digits():
    days = np.array(["-0044-03-15", "12345-06-07", "0000-01-01"], "datetime64[D]")
    column = intake.from_user(days, 3, "d")
    assert columns.to_values(column).texts().to_strings().tolist() == [
        "-0044-03-15", "+12345-06-07", "0000-01-01",
    ]  # fmt: skip
    again = columns.from_values(columns.to_values(column))
    assert columns.to_user(again)[0].tolist() == columns.to_user(column)[0].tolist()


# -- edge property slots ----------------------------------------------------------------------


@given(st.data())
def test_slots_are_those_of_the_reference(data):
    count = data.draw(st.integers(0, 12))
    keys = [3, 2**63 + 1, 2**64 - 1]
    held = {
        edge: data.draw(st.dictionaries(st.sampled_from(keys), VALUES, max_size=3))
        for edge in range(count)
    }
    halves = [range(0, count, 2), range(1, count, 2)]
    batches = []
    for half in halves:
        edges = np.array(half, np.uint32)
        table = {k: intake.from_user([held[e].get(k) for e in half], None, "x") for k in keys}
        batches.append((edges, table))
    offsets, heap = edge_properties.encode(count, batches)
    want_offsets, want_heap = reference.slots(count, held)
    assert heap.tobytes() == want_heap
    assert offsets.tolist() == (want_offsets if want_heap else [])
    stored = edge_properties.EdgeProperties(offsets, heap, "x")
    edges = np.arange(count + 2, dtype=np.uint32)[::-1]
    for key in keys:
        found, valid = columns.to_user(stored.read(edges, key))
        found = [v if valid is None or valid[i] else None for i, v in enumerate(found.tolist())]
        want = [held.get(edge, {}).get(key) for edge in edges.tolist()]
        assert repr(found) == repr(want)
    present = {k for edge in held.values() for k, v in edge.items() if v is not None}
    assert stored.keys(edges).tolist() == sorted(present)


def test_many_keys_in_slots():
    edges = np.zeros(1, np.uint32)
    table = {key: intake.from_user([key], 1, "x") for key in range(1000)}
    offsets, heap = edge_properties.encode(1, [(edges, table)])
    stored = edge_properties.EdgeProperties(offsets, heap, "x")
    assert stored.keys(edges).tolist() == list(range(1000))
    for at in range(0, heap.size, 7):
        cut = offsets.copy()
        cut[1] = at
        damaged = edge_properties.EdgeProperties(cut, heap, "x")
        if at:
            with pytest.raises(FormatError, match="property slot of edge 0 at byte"):
                damaged.read(edges, 999)
            with pytest.raises(FormatError, match="property slot of edge 0 at byte"):
                damaged.keys(edges)


# -- what users give --------------------------------------------------------------------------

DAY = datetime.date(2020, 2, 29)
MOMENT = datetime.datetime(2020, 1, 1, 2)


@pytest.mark.parametrize(
    ("given", "kind", "want"),
    [
        ([1, None, -(2**63)], "int64", [1, None, -(2**63)]),
        ([np.int8(1), 2], "int64", [1, 2]),
        ([1.5, None, math.inf], "float64", [1.5, None, math.inf]),
        ([True, None], "bool", [True, None]),
        (["a", None, ""], "text", ["a", None, ""]),
        ([np.str_("a"), "b"], "text", ["a", "b"]),
        ([DAY, None], "date", [DAY, None]),
        ([1, 2.5, "x", None, True], "mixed", [1, 2.5, "x", None, True]),
        ([None, None], "mixed", [None, None]),
        ([pd.NA, pd.NaT, 3], "int64", [None, None, 3]),
        ([MOMENT, None], "timestamp", [MOMENT, None]),
        (np.arange(3, dtype=np.uint8), "int64", [0, 1, 2]),
        (np.array([1, 2], np.float16), "float64", [1.0, 2.0]),
        (np.array(["a", "bc"]), "text", ["a", "bc"]),
        (np.array(["2020-02", "NaT"], "datetime64[M]"), "date", [datetime.date(2020, 2, 1), None]),
        (np.ma.masked_array([1, 2], [False, True]), "int64", [1, None]),
        (np.ma.masked_array(["a", "b"], [True, False]), "text", [None, "b"]),
        (range(3), "int64", [0, 1, 2]),
        (pd.Series([1, 2]), "int64", [1, 2]),
        (pd.Series([1, None], dtype="Int64"), "int64", [1, None]),
        (pd.Series([1.5, math.inf]), "float64", [1.5, math.inf]),
        (pd.Series(["a", None]), "text", ["a", None]),
        (pd.Series([True, None], dtype="boolean"), "bool", [True, None]),
        (pd.Series(["a", "b"], dtype="string"), "text", ["a", "b"]),
        (pa.array([1, None]), "int64", [1, None]),
        (pa.chunked_array([["a"], [None]]), "text", ["a", None]),
        (pl.Series([1, None]), "int64", [1, None]),
        (pl.Series(["a", "b"]), "text", ["a", "b"]),
    ],
)  # fmt: skip
def test_given_values(given, kind, want):
    column = frames.as_column(given, len(want), "x")
    assert column.kind == kind
    found, valid = columns.to_user(column)
    shown = [v if valid is None or valid[i] else None for i, v in enumerate(found.tolist())]
    assert [(type(v), v) for v in shown] == [(type(v), v) for v in want]


def test_nan_is_a_value():
    for floats in ([1.0, math.nan], np.array([1.0, math.nan]), pd.Series([1.0, math.nan])):
        column = intake.from_user(floats, 2, "x")
        assert column.valid is None
        assert math.isnan(column.data[1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2**63], "x: row 1: 9223372036854775808 does not fit 64 bits"),
        ([1, "a", 2**70], "x: row 2: 1180591620717411303424 does not fit 64 bits"),
        (np.array([0, 2**63], np.uint64), "x: row 1"),
        ([b"bytes"], "x: row 0: bytes"),
        ([1, object()], "x: row 1: object"),
        (np.array([1j]), "x holds complex128"),
        (np.array([b"a"]), "x holds |S1"),
        (np.array([1], "timedelta64[s]"), "x holds timedelta64"),
        (np.array(["2020-01-01T00:00:00.5"], "datetime64[ms]"), "x: row 0: .* finer than a second"),
        (np.zeros((2, 2)), "x has 2 dimensions"),
        ("text", "x is a str"),
        (None, "x is a NoneType"),
        (7, "x is a int"),
        ([1, 2, 3], "x has 3 rows, not 2"),
        ([["\ud800"]], "x: row 0 holds a lone surrogate"),
        ([{1: 2}], "keys that are no strings"),
        ([datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)], "time zone"),
    ],
)
def test_values_that_are_refused(given, message):
    with pytest.raises(GraphError, match=message):
        intake.from_user(given, 2 if isinstance(given, list) and len(given) == 3 else None, "x")


# -- columns ----------------------------------------------------------------------------------


@given(st.lists(st.lists(SCALARS, max_size=5), min_size=1, max_size=4), st.data())
def test_concatenate_take_overlay(parts, data):
    made = [intake.from_user(part, None, "x") for part in parts]
    flat = [item for part in parts for item in part]
    whole = columns.concatenate(made)

    def shown(column):
        return repr(columns.to_values(column).tolist())

    assert shown(whole) == repr(flat)
    if flat:
        rows = data.draw(st.lists(st.integers(0, len(flat) - 1), max_size=6, unique=True))
        assert shown(whole.take(np.array(rows, np.int64))) == repr([flat[row] for row in rows])
        new = data.draw(st.lists(SCALARS, min_size=len(rows), max_size=len(rows)))
        changed = columns.overlay(whole, np.array(rows, np.int64), intake.from_user(new, None, "x"))
        for row, item in zip(rows, new, strict=True):
            flat[row] = item
        assert shown(changed) == repr(flat)


def test_unique_ids_widen_when_joined_with_integers():
    ids = FixedColumn("uniqueid", np.array([2**32 - 1], np.uint32), None)
    joined = columns.concatenate([ids, intake.from_user([-1], 1, "x")])
    assert (joined.kind, joined.data.tolist()) == ("int64", [2**32 - 1, -1])
    assert isinstance(columns.absent(2), MixedColumn)
    assert isinstance(
        columns.concatenate([columns.absent(1), intake.from_user(["a"], 1, "x")]), TextColumn
    )


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("2020-02-29", datetime.date(2020, 2, 29)),
        ("2020-02", datetime.date(2020, 2, 1)),
        ("20000-01-01", np.datetime64("20000-01-01")),
        ("-0044-03-15", np.datetime64("-0044-03-15")),
        ("-10044-03-15", np.datetime64("-10044-03-15")),
        ("2020-02-29T01:02", datetime.datetime(2020, 2, 29, 1, 2)),
        ("2020-02-29T01:02:03.000000000", datetime.datetime(2020, 2, 29, 1, 2, 3)),
        ("2020-02-29T01:02:03.000004000", datetime.datetime(2020, 2, 29, 1, 2, 3, 4)),
        ("2020-02-29T01:02:03.5", datetime.datetime(2020, 2, 29, 1, 2, 3, 500000)),
        ("20000-01-01T00:00:00", "20000-01-01T00:00:00"),
        ("NaT", None),
    ],
)
def test_numpys_moments_in_lists_never_become_counts(given, want):
    """``np.datetime64.item`` gives nanoseconds, and days of far years, as integers."""
    (found,) = columns.to_user(intake.from_user([[np.datetime64(given)], ["x"]], 2, "x"))[0][0]
    assert (type(found), found) == (type(want), want)


@pytest.mark.parametrize("given", [np.datetime64(1, "ns"), np.timedelta64(1, "ns")])
def test_numpys_moments_that_have_no_form(given):
    with pytest.raises(GraphError, match=r"x: row 0: .* cannot be stored"):
        intake.from_user([[given]], 1, "x")


def test_deep_and_damaged_nested_values_are_nkgraphs_errors():
    def nested(depth):
        return struct.pack("<IQ", 13, 1) * depth + struct.pack("<I", 7)

    data = np.frombuffer(nested(127), np.uint8)
    assert str(values.read_stream("x", data, 0, data.size, 1)[0].tolist()).count("[") == 128
    given: list = []
    for _ in range(200):
        given = [given]
    with pytest.raises(GraphError, match="x: row 0: nested too deeply"):
        intake.from_user([given], 1, "x")
    inner = [
        (struct.pack("<I", 5) + reference.text("2020-13-01"), "a date in ISO 8601"),
        (struct.pack("<IQ", 3, 1) + b"\xff", "UTF-8"),
        (struct.pack("<IB", 4, 2), "a boolean of 0 or 1"),
    ]
    for item, message in inner:
        for blob in (item, struct.pack("<IQ", 13, 1) + item):
            data = np.frombuffer(blob, np.uint8)
            with pytest.raises(FormatError, match=message):
                columns.to_user(
                    columns.from_values(values.read_stream("x", data, 0, data.size, 1)[0])
                )


def test_nulls_and_time_zones_of_others():
    text = np.array(["a", None], np.dtypes.StringDType(na_object=None))
    assert columns.to_values(intake.from_user(text, 2, "x")).tolist() == ["a", None]
    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    for zoned in (pl.Series([moment]), pd.Series([moment]), pa.array([moment])):
        with pytest.raises(GraphError, match="time zone"):
            frames.as_column(zoned, 1, "x")
