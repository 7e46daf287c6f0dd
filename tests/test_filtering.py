"""Conditions against a slow twin; what users may give, and what they are told."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from nkgraph.errors import GraphError
from nkgraph.filtering import OPERATORS, ORDERINGS, Condition, evaluate, parse
from nkgraph.storage import intake, values
from nkgraph.storage.columns import FixedColumn, MixedColumn, TextColumn, absent
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
    triples = [("age", ">=", 30), ["age", "<", 40], ("id", "in", np.arange(3)), ("x", "in", {7})]
    assert [(c.operator, c.value) for c in parse(triples)] == [
        (">=", 30), ("<", 40), ("in", (0, 1, 2)), ("in", (7,)),
    ]  # fmt: skip
    assert parse(parse(triples)) == parse(triples)
    assert parse({"n": range(2)})[0].value == (0, 1)
    assert parse({"place": {"latitude": 1.0, "longitude": 2.0}})[0].operator == "=="
    assert parse({"n": np.int64(3)})[0].operator == "=="


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
