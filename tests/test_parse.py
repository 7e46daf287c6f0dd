import itertools
import math
import struct

import numpy as np
import pytest
import reference as reference
from hypothesis import example, given
from hypothesis import strategies as st

from nkgraph.kernels import parse

BLANKS = (ord(" "), ord("\t"), True)
COMMA = (ord(","), ord(","), False)


def split(text, count, form=COMMA, comments=False, quotes=False, trim=False, wanted=None):
    data = np.frombuffer(bytearray(text), np.uint8)
    wanted = np.arange(count) if wanted is None else np.array(wanted)
    lines = text.count(b"\n")
    starts = np.zeros((lines, max(wanted.max() + 1, 1)), np.int64)
    stops = np.zeros_like(starts)
    rows, problem, at, found = parse.split_fields(
        data, 0, data.size, *form, comments, quotes, trim, wanted, starts, stops
    )
    which = np.arange(starts.shape[1])
    offsets = np.empty(rows * which.size + 1, np.int64)
    parse.measure_texts(data, starts, stops, rows, which, offsets)
    texts = np.empty(offsets[-1], np.uint8)
    parse.copy_texts(data, starts, stops, rows, which, offsets, texts)
    cells = [texts[a:b].tobytes() for a, b in itertools.pairwise(offsets)]
    width = which.size
    return [cells[n : n + width] for n in range(0, len(cells), width)], problem, at, found


def fields_of(words):
    """One field a line, as the converting kernels take them."""
    data = np.frombuffer(bytearray(b"".join(words) + b"\n"), np.uint8)
    stops = np.cumsum([len(word) for word in words]).reshape(-1, 1)
    starts = stops - np.array([len(word) for word in words]).reshape(-1, 1)
    return data, starts.astype(np.int64), stops.astype(np.int64), len(words), np.array([0])


def parse_int(word):
    values, valid = np.zeros(1, np.int64), np.zeros(1, bool)
    bad = parse.parse_ints(*fields_of([word]), values, valid)
    return None if bad == 0 else (int(values[0]) if valid[0] else "")


def parse_float(word, zeros=True):
    values, valid, hard = np.zeros(1), np.zeros(1, bool), np.zeros(1, np.int64)
    bad, count = parse.parse_floats(*fields_of([word]), zeros, values, valid, hard)
    if bad == 0:
        return None
    return "hard" if count else (float(values[0]) if valid[0] else "")


def bits(value):
    return struct.pack("<d", value)


CELL = st.binary(max_size=8).map(lambda cell: cell.translate(None, b'\n\r,"'))


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=8), st.sampled_from([b"\n", b"\r\n"]))
def test_split_fields_matches_reference(rows, end):
    text = b"".join(b",".join(row) + end for row in rows)
    assert split(text, 3) == ([list(row) for row in rows], parse.GOOD, len(text), 0)


@given(st.lists(st.tuples(st.text('a," b'), st.text('x"')), max_size=8))
def test_split_fields_reads_quotes(rows):
    quote = lambda cell: b'"%s"' % cell.replace('"', '""').encode()  # noqa: E731 - short
    text = b"".join(b",".join(map(quote, row)) + b"\n" for row in rows)
    expected = [[cell.encode() for cell in row] for row in rows]
    assert split(text, 2, quotes=True)[:2] == (expected, parse.GOOD)


@given(st.lists(st.tuples(*[st.sampled_from([b"a", b"bc", b"-7"])] * 2), max_size=8), st.data())
def test_split_fields_takes_runs_of_blanks(rows, draw):
    blank = st.text(" \t", max_size=3).map(str.encode)
    text = b""
    for first, second in rows:
        one = b" " + draw.draw(blank)
        text += draw.draw(blank) + first + one + second + draw.draw(blank) + b"\n"
    assert split(text, 2, BLANKS)[:2] == ([list(row) for row in rows], parse.GOOD)


@pytest.mark.parametrize(
    ("text", "problem", "at", "found"),
    [
        (b"a,b\nc\n", parse.RAGGED, 4, 1),
        (b"a,b\nc,d,e\n", parse.RAGGED, 4, 3),
        (b'a,b\nc,"d\n', parse.OPEN_QUOTE, 4, 2),
        (b'"a"b,c\n', parse.AFTER_QUOTE, 0, 1),
        (b'"\n', parse.OPEN_QUOTE, 0, 1),
        (b'a,"b""\n', parse.OPEN_QUOTE, 0, 2),
    ],
)
def test_split_fields_says_what_is_wrong(text, problem, at, found):
    assert split(text, 2, quotes=True)[1:] == (problem, at, found)


def test_split_fields_skips_blank_lines_comments_and_columns():
    text = b"#x\n\n\r\n1,2,3\n%y\n4,5,6\n\n"
    answer = split(text, 3, comments=True, wanted=[1, -1, 0])
    assert answer[0] == [[b"3", b"1"], [b"6", b"4"]]


@pytest.mark.parametrize("text", [b"", b"\n", b"\r\n\n", b"  \n", b" \t\r\n"])
def test_split_fields_of_nothing(text):
    assert split(text, 2, BLANKS)[:2] == ([], parse.GOOD)


@given(st.one_of(st.integers(-(2**70), 2**70).map(str), st.text("0123456789+-. a", max_size=21)))
@example("9223372036854775807")
@example("9223372036854775808")
@example("-9223372036854775808")
@example("-9223372036854775809")
@example("18446744073709551617")
@example("9007199254740993")
@example("4294967294")
@example("-0")
@example("0")
@example("-")
def test_parse_ints_matches_reference(word):
    expected = "" if not word else int(word) if reference.is_int(word) else None
    assert parse_int(word.encode()) == expected


@given(
    st.one_of(
        st.floats(allow_nan=False).map(repr),
        st.floats(-1e6, 1e6).map("{:.4f}".format),
        st.text("0123456789+-.eE", max_size=24),
        st.from_regex(r"[+-]?[0-9]{0,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    )
)
@example("0" * 30 + "1.5")
@example("0." + "0" * 30 + "15e30")
@example("9007199254740993.0")
@example("9007199254740992")
@example("1e22")
@example("1e23")
@example(".5")
@example("5.")
@example(".")
@example("1e")
@example("1e99999999999999999999")
@example("-0.0")
def test_parse_floats_is_exact_or_says_hard(word):
    found = parse_float(word.encode())
    try:
        expected = float(word)
    except ValueError:
        assert found == ("" if not word else None)
        return
    if word.lstrip("+-").isdecimal() and abs(int(word)) > 2**53:
        assert found is None
    elif found != "hard":
        assert found is not None
        assert bits(found) == bits(expected)


@given(st.floats(-1e9, 1e9).map(lambda x: float(f"{x:.6f}")))
def test_parse_floats_reads_usual_ones_itself(value):
    assert parse_float(repr(value).encode()) == value


@pytest.mark.parametrize("word", ["nan", "NaN", "-nan", "inf", "-INF", "+Infinity", "iNfInItY"])
def test_parse_floats_takes_words(word):
    found, expected = parse_float(word.encode()), float(word)
    assert math.isnan(found) if math.isnan(expected) else found == expected


@pytest.mark.parametrize("word", ["007", "-00.5", "+01e3", "00"])
def test_parse_floats_leaves_codes_alone_unless_told(word):
    assert parse_float(word.encode(), zeros=False) is None
    assert parse_float(word.encode()) == float(word)
    assert parse_float(b"0.5", zeros=False) == 0.5


def test_parse_bools():
    words = [b"true", b"FALSE", b"", b"True"]
    values, valid = np.zeros(4, bool), np.zeros(4, bool)
    assert parse.parse_bools(*fields_of(words), values, valid) == -1
    assert values.tolist() == [True, False, False, True]
    assert valid.tolist() == [True, True, False, True]
    for word in (b"tru", b"truE!", b"yes", b"1", b"fals\x05"):
        assert parse.parse_bools(*fields_of([b"true", word]), values, valid) == 1


@given(st.lists(st.tuples(*[st.integers(-(10**18) + 1, 10**18 - 1)] * 3), max_size=10))
def test_parse_int_rows_matches_the_long_way(rows):
    for form, mark in ((BLANKS, " \t"), (COMMA, ",")):
        text = "# c\n\n" + "".join(mark.join(map(str, row)) + "\r\n" for row in rows)
        data = np.frombuffer(bytearray(text.encode()), np.uint8)
        values = np.zeros((len(rows) + 2, 2), np.int64)
        wanted = np.array([1, -1, 0])
        answer = parse.parse_int_rows(data, 0, data.size, *form, True, wanted, values)
        assert answer == (len(rows), data.size)
        assert values[: len(rows)].tolist() == [[row[2], row[0]] for row in rows]


@pytest.mark.parametrize(
    "line",
    [
        "1",
        "1,2,3",
        ",2",
        "1,",
        "01,2",
        "-0,2",
        "+1,2",
        "1,x",
        "1,2 ",
        " 1,2",
        "1.0,2",
        '"1",2',
        "-,1",
        "1000000000000000000,2",
        "\r",
        "1,2\r\r",
    ],
)
def test_parse_int_rows_stops_at_all_else(line):
    data = np.frombuffer(bytearray(f"5,6\n{line}\n7,8\n".encode()), np.uint8)
    values = np.zeros((3, 2), np.int64)
    answer = parse.parse_int_rows(data, 0, data.size, *COMMA, False, np.arange(2), values)
    assert answer == (1, 4)


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ([b"a", b"Nan", b"Inf", b"nano", b"-", b"+1"], -1),
        ([b"a", b""], 1),
        ([b"a", b"nan"], 1),
        ([b"NaN"], 0),
        ([b"x", b"y", b"-NAN"], 2),
        ([b"Infinity"], 0),
        ([b"+inf"], 0),
        ([], -1),
    ],
)
def test_find_no_id(words, row):
    offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
    assert parse.find_no_id(offsets, np.frombuffer(bytearray(b"".join(words)), np.uint8)) == row
