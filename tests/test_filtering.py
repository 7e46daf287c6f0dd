"""Conditions against a slow twin; what users may give, and what they are told."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from nkgraph import filtering, threads
from nkgraph.errors import GraphError
from nkgraph.filtering import OPERATORS, ORDERINGS, Condition, evaluate, parse
from nkgraph.storage import intake, values
from nkgraph.storage.columns import FixedColumn, MixedColumn, TextColumn, absent, to_values
from nkgraph.storage.kglite.property_ranges import of_column
from nkgraph.storage.text import TextArray

INT64 = (-(2**63), 2**63 - 1)
EDGES = [-(2**63), -(2**53) - 1, -1, 0, 1, 2, 2**53, 2**53 + 1, 2**62 + 1, 2**63 - 513, 2**63 - 1]
HUGE = [2**63, -(2**63) - 1, 2**64, 10**400, -(10**400)]
DAYS = [datetime.date(1, 1, 1), datetime.date(1969, 12, 31), datetime.date(2024, 2, 29)]
MOMENTS = [
    datetime.datetime(1969, 12, 31, 23, 59, 59), datetime.datetime(1970, 1, 1),
    datetime.datetime(2024, 2, 29, 12), datetime.datetime(2024, 2, 29, 12, 0, 1),
]  # fmt: skip
PARTS = [
    datetime.datetime(1969, 12, 31, 23, 59, 58, 1),
    datetime.datetime(2024, 2, 29, 12, 0, 0, 5),
]
SPELLED = ["2024-02-29", "1969-12-31", "2024-02-30", "2024-02-29T12:00:00", "1970-01-01 00:00:00.5"]

integers = st.one_of(st.sampled_from(EDGES), st.integers(-3, 3), st.integers(*INT64))
floats = st.one_of(
    st.sampled_from([float(n) for n in EDGES] + [0.5, -0.0, 1.5, math.inf, -math.inf, math.nan]),
    st.floats(),
)
texts = st.one_of(
    st.sampled_from(["", "a", "a\0", "ab", "é", "\uffff", "\U0001f600", *SPELLED]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
PRESENT = {
    "int64": integers,
    "uniqueid": st.sampled_from([0, 1, 2, 2**31, 2**32 - 1]),
    "float64": floats,
    "bool": st.booleans(),
    "text": texts,
    "date": st.one_of(st.sampled_from(DAYS), st.dates()),
    "timestamp": st.one_of(
        st.sampled_from(MOMENTS), st.datetimes().map(lambda moment: moment.replace(microsecond=0))
    ),
}  # fmt: skip
nested = st.sampled_from([[1, 2], [1.0, 2], [True], [1], [[]], {"a": 1}, {"a": True}, {"b": [1]}])
scalars = st.one_of(*PRESENT.values(), st.sampled_from(HUGE), st.sampled_from(PARTS))


@st.composite
def typed_columns(draw, size=12):
    """(column, its values, None where absent)"""
    kind = draw(st.sampled_from(sorted(PRESENT)))
    held = draw(st.lists(st.one_of(st.none(), PRESENT[kind], PRESENT[kind]), max_size=size))
    some = [value for value in held if value is not None]
    if kind == "uniqueid":
        valid = np.array([value is not None for value in held], bool)
        data = np.array([value or 0 for value in held], np.uint32)
        return FixedColumn(kind, data, None if valid.all() else valid), held
    # A first value of the kind settles it; the rest may all be absent.
    filler = some[0] if some else draw(PRESENT[kind])
    column = intake.from_user([filler, *held], None, "a")
    assert column.kind == kind
    return column.take(np.arange(1, len(held) + 1)), held


@st.composite
def conditions(draw, held=(), wanted=scalars):
    """(operator, value); often a value of the column, or near one"""
    near = [v for v in held if v is not None]
    near += [n + d for n in near for d in (-1, 0.5) if type(n) is int]
    one = st.one_of(wanted, st.sampled_from(near)) if near else wanted
    operator = draw(st.sampled_from(OPERATORS))
    if operator == "startswith":
        parts = ["", *(v[: len(v) // 2 + 1] for v in near if isinstance(v, str))]
        return operator, draw(st.one_of(st.sampled_from(parts), texts))
    return operator, draw(st.lists(one, max_size=4) if operator == "in" else one)


@settings(max_examples=400)
@given(st.data())
def test_typed_columns_match_reference(data):
    column, held = data.draw(typed_columns())
    operator, wanted = data.draw(conditions(held, st.one_of(scalars, nested)))
    condition = Condition("a", operator, wanted)
    name = {"int64": "number", "uniqueid": "number", "float64": "number", "bool": "boolean"}
    if operator in ORDERINGS and not reference.has_order(
        name.get(column.kind, column.kind), wanted
    ):
        with pytest.raises(GraphError, match=r"^a: values of kind .* have no order"):
            evaluate(column, condition)
        return
    mask = evaluate(column, condition)
    assert mask.dtype == bool
    assert mask.tolist() == [reference.satisfies(value, operator, wanted) for value in held]


@settings(max_examples=400)
@given(st.data())
def test_mixed_columns_match_reference(data):
    present = st.one_of(
        *(PRESENT[kind] for kind in sorted(PRESENT)), nested, st.sampled_from(PARTS)
    )
    held = data.draw(st.lists(st.one_of(st.none(), present), max_size=12))
    operator, wanted = data.draw(conditions(held, st.one_of(scalars, nested)))
    encoded = b"".join(values.encode(value) for value in held)
    stream, _ = values.read_stream(
        "a", np.frombuffer(encoded, np.uint8), 0, len(encoded), len(held)
    )
    mask = evaluate(MixedColumn(stream), Condition("a", operator, wanted))
    assert mask.dtype == bool
    assert mask.tolist() == [reference.satisfies(value, operator, wanted) for value in held]


UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "10D", "250ms"]


@st.composite
def arrays(draw):
    """What ``in`` may be given as an array, with values that columns are likely to hold."""
    kind = draw(st.sampled_from(["integer", "float", "bool", "text", "stamp"]))
    size = draw(st.integers(0, 5))
    if kind == "integer":
        dtype = np.dtype(draw(st.sampled_from(["i1", "u1", "i4", ">i4", "u4", "i8", "u8"])))
        limits = np.iinfo(dtype)
        near = [n for n in [*EDGES, 2**31, 2**32 - 1, 2**63, 2**64 - 2048, 2**64 - 1]
                if limits.min <= n <= limits.max]  # fmt: skip
        return np.array([draw(st.sampled_from(near)) for _ in range(size)], dtype)
    if kind == "float":
        held = [draw(floats) for _ in range(size)]
        with np.errstate(over="ignore"):
            return np.array(held, draw(st.sampled_from(["f8", "f4", "f2", ">f8"])))
    if kind == "bool":
        return np.array([draw(st.booleans()) for _ in range(size)], bool)
    if kind == "text":
        held = [draw(texts) for _ in range(size)]
        return np.array(held, draw(st.sampled_from([np.dtypes.StringDType(), "U", object])))
    unit = draw(st.sampled_from(UNITS))
    moments = [draw(st.one_of(PRESENT["timestamp"], st.sampled_from(PARTS))) for _ in range(size)]
    if unit in ("ps", "fs", "as", "ns") or draw(st.booleans()):
        few = st.integers(-3, 3).map(lambda n: n * 10**9)
        counts = [draw(st.one_of(few, st.integers(-(2**63) + 1, 2**63 - 1))) for _ in range(size)]
        if unit in ("Y", "M"):
            counts = [count // 2**24 for count in counts]
        return np.array(counts, np.int64).view(f"M8[{unit}]")
    return np.array(moments, "M8[us]").astype(f"M8[{unit}]")


@settings(max_examples=600)
@given(st.data())
def test_arrays_of_members_are_those_of_a_list(data):
    """Given whole, one by one, or not at all: the same rows."""
    column, held = data.draw(typed_columns())
    wanted = data.draw(arrays())
    one_by_one = [Condition("a", "==", item) for item in wanted]
    whole = Condition("a", "in", wanted)
    assert len(whole.given) == wanted.size
    mixed = MixedColumn(to_values(column))
    for part in (column, mixed):
        expected = np.zeros(len(part), bool)
        for condition in one_by_one:
            expected |= evaluate(part, condition)
        assert evaluate(part, whole).tolist() == expected.tolist()
        assert evaluate(part, Condition("a", "in", list(wanted))).tolist() == expected.tolist()
    if wanted.dtype.kind != "M":
        plain = wanted.tolist()
        expected = [reference.satisfies(value, "in", plain) for value in held]
        assert evaluate(column, whole).tolist() == expected
        assert evaluate(column, Condition("a", "in", plain)).tolist() == expected
    if evaluate(column, whole).any():
        assert whole.may_match(of_column(column))


@settings(max_examples=300)
@given(st.data())
def test_lists_of_one_kind_match_reference(data):
    column, held = data.draw(typed_columns())
    some = [value for value in held if value is not None]
    own = PRESENT[column.kind]
    wanted = data.draw(st.lists(st.one_of(own, st.sampled_from(some)) if some else own, max_size=5))
    condition = Condition("a", "in", wanted)
    expected = [reference.satisfies(value, "in", wanted) for value in held]
    assert evaluate(column, condition).tolist() == expected
    if any(expected):
        assert condition.may_match(of_column(column))


@settings(max_examples=300)
@given(st.lists(texts, max_size=12), st.one_of(texts, st.text(max_size=20)), st.integers(0, 9))
def test_texts_are_ordered_as_strings(held, wanted, size):
    shared = wanted[:size]
    held = [*held, *(shared + text for text in held), wanted, shared]
    column = TextColumn(TextArray.from_strings(held), None)
    for operator in ("==", "!=", *ORDERINGS):
        found = evaluate(column, Condition("a", operator, wanted)).tolist()
        assert found == [reference.satisfies(value, operator, wanted) for value in held]
        # Rows that do not start at the first byte of the data.
        part = TextColumn(TextArray(column.text.offsets[2:], column.text.data), None)
        assert evaluate(part, Condition("a", operator, wanted)).tolist() == found[2:]


def test_many_members_and_many_rows(monkeypatch):
    monkeypatch.setattr(threads, "MIN_ITEMS", 64)
    rng = np.random.default_rng(8)
    numbers, wanted = rng.integers(-9000, 9000, 6000), rng.integers(-9000, 2**62, 3000)
    wanted[:1500] %= 9000
    expected = [number in set(wanted.tolist()) for number in numbers.tolist()]
    assert 300 < sum(expected) < 3000
    stamps = numbers.view("M8[s]")
    days = (numbers + 9000).view("M8[D]")
    for column, members in [
        (numbers, wanted), (numbers.astype(float), wanted), (numbers, wanted.astype(float)),
        (numbers.astype(str), wanted.astype(str)), (stamps, wanted.view("M8[s]")),
        (days, (wanted + 9000).view("M8[D]")), (numbers, [*wanted.tolist(), True]),
        (numbers.astype("T"), wanted.astype("T")),
        (numbers.astype("T"), wanted.astype(str).tolist()),
    ]:  # fmt: skip
        found = evaluate(intake.from_user(column, None, "a"), Condition("a", "in", members))
        assert found.tolist() == expected
    assert rows(np.array([-0.0, 0.0, 1.0] * 2000), "in", np.array([0.0] * 9)) == [
        row for row in range(6000) if row % 3 < 2
    ]


def test_members_are_as_exact_as_values():
    """What a conversion to another dtype would make equal is not."""
    whole = [0, 1, 2, 2**53, 2**63 - 1]
    for some in ([0.5, 2.0], np.array([0.5, 2.0])):
        assert rows(whole, "in", some) == [2]
    assert rows(whole, "in", np.array([2**63, 2**64 - 1], np.uint64)) == []
    assert rows(whole, "in", np.array([2.0**63, -(2.0**63), math.nan, math.inf])) == []
    assert rows([0.0, 2.0**53, 2.0**63, 2.0**64], "in", np.array([2**53 + 1, 2**63 - 1])) == []
    assert rows([0.0, 2.0**53, 2.0**63], "in", np.array([2**63], np.uint64)) == [2]
    assert rows([0.0, 2.0**53, 2.0**63], "in", np.array([2**63 + 1], np.uint64)) == []
    moments = np.array(["1970-01-01T00:00:00", "2024-02-29T12:00:00"], "M8[s]")
    assert rows(moments, "in", ["1970-01-01T00:00:00.5"]) == []
    assert rows(moments, "in", ["1970-01-01T00:00:00.0"]) == [0]
    assert rows(moments, "in", np.array(["2024-02-29T12:00:00.001"], "M8[ms]")) == []
    assert rows(moments, "in", np.array([2**60, -(2**60)], "M8[h]")) == []  # 0 modulo 2**64
    zeros = np.zeros(5000)
    for some in ([-0.0], [0.0], [-0.0, *range(100, 200)], [0.0, *range(100, 200)]):
        assert len(rows(zeros, "in", np.array(some, float))) == 5000
        assert len(rows(-zeros, "in", np.array(some, float))) == 5000
        assert not rows(zeros + 1, "in", np.array(some, float))


def test_members_are_not_taken_one_by_one(monkeypatch):
    def refuse(value):
        raise AssertionError(f"{value!r} was looked at")

    monkeypatch.setattr(filtering, "operand", refuse)
    stamps = np.array(["2024-02-29", "2024-03-01"], "M8[ns]")
    for held, members in [
        ([1, 2], np.array([2, 3])), ([1, 2], [2, 3]), ([1.0, 2.0], np.array([2.0])),
        ([1.0, 2.0], [2.0]), (["a", "b"], np.array(["b", "c"])), (["a", "b"], {"b"}),
        (["a", "b"], pd.Series(["b"])), ([False, True], np.array([True])),
        (stamps[::-1].astype("M8[s]"), stamps[:1]), (DAYS[1:], stamps[:1].astype("M8[D]")),
    ]:  # fmt: skip
        condition = Condition("a", "in", members)
        column = intake.from_user(held, None, "a")
        assert evaluate(column, condition).tolist() == [False, True]
        assert condition.may_match(of_column(column))


def rows(held, operator, wanted):
    found = evaluate(intake.from_user(held, None, "a"), Condition("a", operator, wanted))
    return np.flatnonzero(found).tolist()


def test_integers_compare_exactly_with_floats():
    held = [2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1]
    assert rows(held, "==", float(2**53)) == [0]
    assert rows(held, "<=", float(2**53)) == [0]
    assert rows(held, ">", float(2**53)) == [1, 2, 3]
    assert rows(held, "<", 2.0**63) == [0, 1, 2, 3]
    assert rows(held, "in", [float(2**53), 2**53 + 1, 2.0**63, 0.5]) == [0, 1]
    floats = [2.0**53, 2.0**53 + 2, math.inf, math.nan]
    assert rows(floats, "<", 2**53 + 1) == [0]
    assert rows(floats, ">=", 2**53 + 1) == [1, 2]
    assert rows(floats, ">", 10**400) == [2]
    assert rows(floats, "!=", 2**53) == [1, 2, 3]
    assert rows(floats, "in", [math.nan, math.inf]) == [2]


def test_booleans_are_no_numbers():
    assert rows([True, False, None], "==", 1) == []
    assert rows([True, False, None], "!=", 1) == [0, 1]
    assert rows([True, False, None], "in", [np.True_, 0]) == [0]
    assert rows([1, 0, None], "==", True) == []
    assert rows([1, True, None, 1.0], "==", 1) == [0, 3]


def test_numpy_and_pandas_values():
    assert rows([1, 2, 3], "==", np.uint64(2)) == [1]
    assert rows([1, 2, 3], "==", np.array(2)) == [1]
    assert rows([0.5, float(np.float32(0.1))], "==", np.float32(0.1)) == [1]
    assert rows(["a", "b"], "==", np.str_("b")) == [1]
    days = [datetime.date(2024, 2, 28), datetime.date(2024, 3, 1), None]
    assert rows(days, ">=", np.datetime64("2024-03")) == [1]
    assert rows(days, "in", np.array(["2024-02-28", "2024-02-29"], "M8[D]")) == [0]
    assert rows(days, "<", np.datetime64(10**9, "W")) == [0, 1]
    assert rows(days, ">", "-0044-03-15") == [0, 1]
    moments = np.array(["2024-02-29T12:00:00", "2024-02-29T12:00:01", "NaT"], "M8[s]")
    assert rows(moments, ">", np.datetime64("2024-02-29T12:00:00.000000001")) == [1]
    assert rows(moments, "<", pd.Timestamp("2024-02-29T12:00:00.000000001")) == [0]
    assert rows(moments, "==", np.datetime64("2024-02-29T12")) == [0]
    assert rows(moments, "==", "2024-02-29T12:00") == [0]
    assert rows(moments, "in", pd.Series(moments[:1])) == [0]


def test_fractions_of_a_second_beyond_python():
    texts = ["2024-02-29T12:00:00.0000001", "2024-02-29T12:00:00.0000002", "soon"]
    column = MixedColumn(values.from_texts(TextArray.from_strings(texts), values.TIMESTAMP))

    def found(operator, wanted):
        return evaluate(column, Condition("at", operator, wanted)).tolist()

    assert found("==", np.datetime64("2024-02-29T12:00:00.000000100")) == [True, False, False]
    assert found(">", texts[0]) == [False, True, False]
    assert found("!=", 3) == [True, True, True]
    assert found("in", [texts[0], texts[1][:-1], 4]) == [True, False, False]


def test_nested_values():
    held = [[1, 2], [True, 2], {"a": [1]}, values.Duration(1, 2, 3), [math.nan], None, [None]]
    assert rows(held, "==", (1.0, np.int64(2))) == [0]
    assert rows(held, "==", [True, 2]) == [1]
    assert rows(held, "==", {"a": [1]}) == [2]
    assert rows(held, "in", [[np.array([1])], values.Duration(1, 2, 3), [None]]) == [3, 6]
    assert rows(held, "==", [1, 2, 3]) == []
    assert rows(held, "!=", [math.nan]) == [0, 1, 2, 3, 4, 6]
    assert rows(held, "<", [9]) == []
    assert parse({"span": values.Duration(1, 2, 3)})[0].operator == "=="


def test_equal_hashes_do_not_make_equal_texts(monkeypatch):
    monkeypatch.setattr(TextArray, "hashes", lambda self: np.full(len(self), 7, np.uint64))
    held = ["a", "b", None, "c", "a", ""]
    assert rows(held, "==", "a") == [0, 4]
    assert rows(held, "!=", "a") == [1, 3, 5]
    assert rows(held, "in", ["c", "x", "", "b"]) == [1, 3, 5]


def test_long_columns():
    held = [None if n % 7 == 0 else str(n % 50) * (n % 3) for n in range(3000)]
    numbers = [None if n % 7 == 0 else n % 50 for n in range(3000)]
    for operator, text, number in (("==", "4", 4), ("<=", "33", 33.5), ("in", ["1", "44"], [1, 4])):
        for items, wanted in ((held, text), (numbers, number)):
            expected = [n for n, v in enumerate(items) if reference.satisfies(v, operator, wanted)]
            assert rows(items, operator, wanted) == expected


def test_absent_and_empty_columns():
    for operator in OPERATORS:
        condition = Condition("a", operator, {"in": [1], "startswith": "a"}.get(operator, 1))
        assert evaluate(absent(3), condition).tolist() == [False] * 3
        assert evaluate(FixedColumn("int64", np.zeros(0, np.int64), None), condition).size == 0
    assert evaluate(TextColumn(TextArray.empty(2), None), Condition("a", "in", [])).tolist() == [
        False, False,
    ]  # fmt: skip


def test_prefixes():
    held = ["ab", "a", "", None, "b", "é", "éa", "a" * 40]
    assert rows(held, "startswith", "") == [0, 1, 2, 4, 5, 6, 7]
    assert rows(held, "startswith", "a") == [0, 1, 7]
    assert rows(held, "startswith", "é") == [5, 6]
    assert rows(held, "startswith", "a" * 9) == [7]
    assert rows([1, 2], "startswith", "1") == rows([DAYS[0]], "startswith", "0") == []
    with pytest.raises(GraphError, match="a: startswith takes a str, not int 1"):
        Condition("a", "startswith", 1)


def test_parse():
    assert parse({}) == parse([]) == []
    assert parse({"age": 36, "name": ["Ann", "Bo"]}) == [
        Condition("age", "==", 36), Condition("name", "in", ("Ann", "Bo")),
    ]  # fmt: skip
    triples = [("age", ">=", 30), ["age", "<", 40], ("id", "in", [0, 1, 2]), ("x", "in", {7})]
    assert [(c.operator, c.value) for c in parse(triples)] == [
        (">=", 30), ("<", 40), ("in", (0, 1, 2)), ("in", (7,)),
    ]  # fmt: skip
    assert parse(parse(triples)) == parse(triples)
    assert parse({"n": range(2)})[0].value == (0, 1)
    assert parse({"place": {"latitude": 1.0, "longitude": 2.0}})[0].operator == "=="
    assert parse({"n": np.int64(3)})[0].operator == "=="


def test_what_texts_alone_satisfy():
    def found(operator, value):
        texts = filtering.only_texts(Condition("a", operator, value))
        return None if texts is None else texts.to_strings().tolist()

    assert found("==", "x") == ["x"]
    assert found("startswith", "2024-02-29") == ["2024-02-29"]
    for some in (["x", "2024"], np.array(["x", "2024"]), np.array(["x", "2024"], "T")):
        assert found("in", some) == ["x", "2024"]
    assert found("in", []) == []
    day, other = "2024-02-29", [1, True, 0.5, MOMENTS[0], PARTS[0], DAYS[0], [1], 10**400, math.nan]
    for operator, value in [("==", day), ("in", ["x", day]), ("<", "x"), ("==", 1)]:
        assert found(operator, value) is None
    assert all(found("in", ["x", one]) is None for one in other)


def test_conditions_keep_a_copy_of_an_array():
    ids = np.arange(3)
    condition = Condition("id", "in", ids)
    ids[:] = 7
    assert condition.value.tolist() == [0, 1, 2]
    assert not condition.value.flags.writeable
    assert [one.exact for one in condition.given] == [0, 1, 2]
    assert condition == Condition("id", "in", np.arange(3))
    assert condition != Condition("id", "in", np.arange(4))
    assert condition != Condition("id", "in", np.arange(3.0))
    assert condition != Condition("id", "in", [0, 1, 2])
    assert condition != Condition("ids", "in", np.arange(3))
    assert Condition("id", "==", 1) != Condition("id", "<", 1)
    assert Condition("id", "==", 1) != 1


ZONE = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)  # noqa: UP017  # as users do


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (None, "where: expected a mapping such as .* found NoneType None"),
        ("age > 3", "where: expected a mapping .* found str 'age > 3'"),
        (("age", ">=", 30), "condition 0: expected a triple .* found str 'age'; put a single"),
        ([("age", 30)], r"condition 0: expected a triple .* found tuple \('age', 30\)$"),
        ([("age", "~", 30)], "age: unknown operator '~'; use == != < <= > >= in"),
        ([("age", ["<"], 30)], "age: unknown operator"),
        ([(3, "<", 30)], "a condition names a column by a string, not 3"),
        ([("", "<", 30)], "a condition names a column by a string, not ''"),
        ({"age": None}, "age: no condition compares with None"),
        ({"age": [1, None]}, "age: no condition compares with None"),
        ({"age": np.ma.array([1, 2], mask=[0, 1])}, "age: no condition compares with a masked"),
        ({"at": np.array(["2024", "NaT"], "M8[s]")}, "at: row 1: no condition compares with NaT"),
        ({"at": np.array([2**62], "M8[M]")}, "at: .* is out of the range of dates"),
        ({"name": np.array(["a", "b\ud800"])}, "name: texts: row 1 holds a lone surrogate"),
        ({"name": ["a", "b\ud800"]}, "name: texts: row 1 holds a lone surrogate"),
        ({"name": np.array([b"a"])}, "name: no column can hold bytes b'a'"),
        ({"n": np.array([5], "m8[ns]")}, "n: no column can hold"),
        ({"n": np.array([1j])}, "n: no column can hold complex"),
        ({"at": np.datetime64("NaT")}, "at: no condition compares with NaT"),
        ({"at": pd.NaT}, "at: no condition compares with NaT"),
        ({"at": ZONE}, "at: 2024-01-01 00:00:00.00:00 has a time zone"),
        ({"at": np.datetime64(2**62, "M")}, "at: .* is out of the range of dates"),
        ({"name": "a\ud800"}, "name: text .* holds a lone surrogate"),
        ({"name": b"a"}, "name: no column can hold bytes b'a'"),
        ({"n": np.timedelta64(5, "ns")}, "n: no column can hold timedelta64"),
        ({"n": 1j}, "n: no column can hold complex 1j"),
        ([("n", "in", 3)], "n: in takes a list, tuple, set or 1-d array of values, not int 3"),
        ([("n", "in", "abc")], "n: in takes .* not str 'abc'"),
        ([("n", "in", np.zeros((2, 2)))], "n: in takes .* not ndarray"),
    ],
)
def test_parse_says_what_is_wrong(where, message):
    with pytest.raises(GraphError, match=message):
        parse(where)


@pytest.mark.parametrize(
    ("held", "wanted", "message"),
    [
        ([1], "x", "age: values of kind number and text 'x' have no order for <: give a number"),
        ([1.5], True, "number and boolean True have no order"),
        (["x"], 1, "text and number 1 have no order for <: give a str"),
        ([True], False, "boolean False have no order .* only by ==, != and in"),
        ([DAYS[0]], "soon", "date and text 'soon' .* give a datetime.date or text such as"),
        ([DAYS[0]], MOMENTS[0], "date and timestamp .* have no order"),
        (np.array([0], "M8[s]"), DAYS[0], "timestamp and date .* give a datetime.datetime"),
    ],
)
def test_values_without_order_are_refused(held, wanted, message):
    with pytest.raises(GraphError, match=message):
        evaluate(intake.from_user(held, None, "age"), Condition("age", "<", wanted))
