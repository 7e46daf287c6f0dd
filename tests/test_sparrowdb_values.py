"""Words, one by one and a column at a time, against a slow codec."""

import math
import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparrow_twin import Refused, decode, encode

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.storage import columns
from nkgraph.storage.sparrowdb import encoding, node_files, values
from nkgraph.storage.sparrowdb.encoding import HeapTail, encode_column, encode_one
from nkgraph.storage.sparrowdb.string_heap import Heap
from nkgraph.storage.text import TextArray

WHERE = Path("col_7.bin")
INTS = st.integers(-(2**55), 2**55 - 1)
FLOATS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
TEXTS = st.text(max_size=12) | st.sampled_from(["\0", "a\0", "sieben.", "achtacht", "é" * 40])
BINARY = st.binary(max_size=12)


def heap_of(data):
    return Heap(Path("strings.bin"), read_only(np.frombuffer(bytes(data), np.uint8)))


def same(one, other):
    """Equal, of the same type, and bit for bit if they are floats."""
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    return type(one) is type(other) and one == other


@given(INTS | FLOATS | TEXTS | BINARY, st.binary(max_size=5))
def test_one_value_comes_back(value, before):
    heap, tail = bytearray(before), HeapTail(lambda: len(before))
    word = encode_one(value, tail)
    assert word == encode(value, heap)
    assert before + bytes(tail.joined()) == heap
    found = values.decode_one(word, heap_of(heap), WHERE)
    assert same(found, value.encode() if isinstance(value, str) else value)
    assert same(found, decode(word, heap))


@given(st.integers(0, 2**64 - 1), st.binary(max_size=40))
def test_any_word_is_decoded_as_the_slow_codec_does_or_refused(word, data):
    check_word(word, data)


@given(st.sampled_from([1, 2, 3]), st.integers(0, 60), st.integers(0, 20), st.binary(max_size=60))
def test_any_pointer_is_decoded_as_the_slow_codec_does_or_refused(tag, at, size, data):
    check_word(tag << 56 | size << 40 | at, data)


def check_word(word, data):
    heap = heap_of(data)
    try:
        wanted = decode(word, data)
    except Refused:
        with pytest.raises(FormatError):
            values.decode_one(word, heap, WHERE)
        with pytest.raises(FormatError, match="slot 9 at byte 72"):
            values.decode_words(np.array([word], np.uint64), None, heap, WHERE, np.array([9]))
        return
    assert same(values.decode_one(word, heap, WHERE), wanted)
    array = np.array([word, 0], np.uint64)
    found, _ = values.decode_binary(array, np.array([True, False]), heap, WHERE)
    assert same(found[0], wanted)
    assert found[1] is None


@given(st.lists(st.none() | INTS | FLOATS | TEXTS, max_size=80), st.booleans(), st.booleans())
def test_a_column_comes_back(items, one_kind, intern):
    if one_kind and any(item is not None for item in items):
        kind = next(type(item) for item in items if item is not None)
        items = [item if type(item) is kind else None for item in items]
    tail = HeapTail(lambda: 3)
    found = encode_column(items, tail, "column", intern)
    heap = heap_of(b"xyz" + bytes(tail.joined()))
    column = values.decode_words(found.words, found.present, heap, WHERE)
    decoded, valid = columns.to_user(column)
    for row, item in enumerate(items):
        assert (valid is None or bool(valid[row])) == (item is not None)
        if item is not None:
            have = decoded[row].item() if hasattr(decoded[row], "item") else decoded[row]
            assert same(have, item)
    kinds = {type(item) for item in items if item is not None}
    names = {int: "int64", float: "float64", str: "text"}
    assert not items or column.kind == (names[kinds.pop()] if len(kinds) == 1 else "mixed")
    if not intern:
        slow = bytearray(b"xyz")
        want = [0 if item is None else encode(item, slow) for item in items]
        assert found.words.tolist() == want
        assert bytes(slow[3:]) == bytes(tail.joined())


@pytest.mark.parametrize(
    ("given_as", "plain"),
    [
        (np.array([1, -2], np.int8), [1, -2]),
        (np.array([1, 2], np.uint64), [1, 2]),
        (np.array([True, False]), [1, 0]),
        (np.array([1.5, 2], np.float32), [1.5, 2.0]),
        (np.array(["a", "longer than seven"]), [b"a", b"longer than seven"]),
        (np.array(["ä", "x\0y"], np.dtypes.StringDType()), ["ä".encode(), b"x\0y"]),
        (np.array([b"a", b"\xff" * 9]), [b"a", b"\xff" * 9]),
        (np.array([1, "a", b"\xff", 2.5, None], object), [1, b"a", b"\xff", 2.5, None]),
        (np.ma.MaskedArray([1, 2, 3], [False, True, False]), [1, None, 3]),
        (np.arange(10)[::-3], [9, 6, 3, 0]),
        ([np.int32(4), np.float64(0.5), np.bool_(True)], [4, 0.5, 1]),
        (TextArray.from_strings(["a", "bc"]), [b"a", b"bc"]),
        ((), []),
        (np.zeros(0), []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_column_may_be(given_as, plain):
    tail = HeapTail(lambda: 0)
    found = encode_column(given_as, tail, "column")
    present = np.ones(len(plain), bool) if found.present is None else found.present
    heap = heap_of(tail.joined())
    have = [
        values.decode_one(int(word), heap, WHERE) if there else None
        for word, there in zip(found.words, present, strict=True)
    ]
    assert have == plain


@pytest.mark.parametrize(
    ("given_as", "error", "message"),
    [
        ("text", GraphError, "a column is an array or a sequence"),
        (5, GraphError, "a column is an array or a sequence"),
        (np.zeros((2, 2)), GraphError, r"expected one dimension, found shape \(2, 2\)"),
        (np.zeros(2, complex), GraphError, "no values for complex128"),
        (np.zeros(2, "M8[D]"), GraphError, "no values for datetime64"),
        ([1, [2]], GraphError, "row 1: a value is an integer, a float, text or bytes, not list"),
        ([1, 2**55], LimitError, "row 1: 36028797018963968 does not fit the 56 bits"),
        ([1, -(2**80)], LimitError, "row 1: -1208925819614629174706176 does not fit"),
        ([1, 2**9000], LimitError, "row 1: an integer of 9001 bits does not fit"),
        (["a", "\ud800"], GraphError, "row 1 holds a lone surrogate"),
        (["a", 1, "\ud800"], GraphError, "row 2: .* holds a lone surrogate"),
        (["a", "x" * 65536], LimitError, "row 1: a string of 65536 bytes"),
        ([1, b"x" * 65536], LimitError, "row 1: a string of 65536 bytes"),
    ],
)
def test_what_a_column_may_not_be(given_as, error, message):
    tail = HeapTail(lambda: 0)
    with pytest.raises(error, match=message):
        encode_column(given_as, tail, "column")


def test_text_that_is_not_utf8_is_said_with_its_slot():
    tail = HeapTail(lambda: 0)
    words = encode_column([b"good", b"\xff\xfe", b"long and wrong \xff"], tail, "column").words
    heap, slots = heap_of(tail.joined()), np.array([4, 8, 15])
    with pytest.raises(FormatError, match=r"col_7.bin: slot 8 at byte 64: expected text in UTF-8"):
        values.decode_words(words, None, heap, WHERE, slots)
    with pytest.raises(FormatError, match=r"slot 15 at byte 120: .*long and wrong"):
        values.decode_words(words, np.array([True, False, True]), heap, WHERE, slots)
    mixed = np.append(words[[0, 2]], np.uint64(7))
    with pytest.raises(FormatError, match="slot 1 at byte 8"):
        values.decode_words(mixed, None, heap, WHERE)
    found = values.decode_words(words, np.array([True, False, False]), heap, WHERE)
    assert columns.to_user(found)[0][0] == "good"


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 600_000])
def test_integers_of_every_length(count):
    numbers = np.random.default_rng(count).integers(-(2**55), 2**55, count)
    words = encode_column(numbers, HeapTail(lambda: 0), "column").words
    found = values.decode_words(words, None, heap_of(b""), WHERE)
    assert columns.to_user(found)[0].tolist() == numbers.tolist()
    if count:
        words[-1] = np.uint64(1 << 56 | 0x61)
        column = values.decode_words(words, None, heap_of(b""), WHERE)
        assert columns.to_user(column)[0].tolist()[-1] == "a"


def test_unknown_tags_and_deletion_marks_read_as_integers():
    words = np.array([0x0400000000000005, 2**64 - 1, 0x7F00000000000001], np.uint64)
    found = values.decode_words(words, None, heap_of(b""), WHERE)
    assert (found.kind, found.data.tolist()) == ("int64", [5, -1, 1])


def test_a_pointer_under_an_absent_row_is_not_followed():
    words = np.array([5, 0x0200FF00FFFFFFFF], np.uint64)
    found = values.decode_words(words, np.array([True, False]), heap_of(b""), WHERE)
    assert (found.kind, found.data.tolist()) == ("int64", [5, 0])
    assert found.valid.tolist() == [True, False]


@given(st.binary(max_size=9), st.integers(0, 80), st.lists(st.integers(0, 100), max_size=20))
def test_bitmaps(data, count, slots):
    bits = [byte >> bit & 1 == 1 for byte in data + bytes(13) for bit in range(8)]
    bitmap = read_only(np.frombuffer(data, np.uint8))
    words = read_only(np.zeros(60, np.uint64))
    present = node_files.presence(words, bitmap, count)
    assert present.tolist() == [bit and slot < 60 for slot, bit in enumerate(bits[:count])]
    assert node_files.presence(words, None, count).sum() == min(60, count)
    assert not node_files.presence(None, bitmap, count).any()
    found = np.zeros(len(slots), bool)
    kernels.bitmap.gather_bits(bitmap, read_only(np.array(slots, np.int64)), found)
    assert found.tolist() == [bits[slot] for slot in slots]


def test_equal_hashes_do_not_make_texts_equal(monkeypatch):
    monkeypatch.setattr(TextArray, "hashes", lambda text: np.zeros(len(text), np.uint64))
    items = [f"text of row number {row % 7}" for row in range(50)]
    tail = HeapTail(lambda: 0)
    words = encode_column(items, tail, "column", intern=True).words
    heap = heap_of(tail.joined())
    assert [values.decode_one(int(w), heap, WHERE).decode() for w in words] == items


def test_floats_keep_all_their_bits():
    bits = [0, 1 << 63, 0x7FF0000000000001, 0xFFF8DEADBEEF0001, 0x7FF0000000000000]
    floats = np.array(bits, np.uint64).view(np.float64)
    tail = HeapTail(lambda: 0)
    words = encode_column(floats, tail, "column").words
    found = values.decode_words(words, None, heap_of(tail.joined()), WHERE)
    assert found.data.view(np.uint64).tolist() == bits
    assert math.isnan(values.decode_one(int(words[2]), heap_of(tail.joined()), WHERE))


def test_the_heap_is_full_at_2_to_the_40(monkeypatch):
    tail = HeapTail(lambda: encoding.LIMIT - 8)
    assert encode_one(0.5, tail) == 3 << 56 | 8 << 40 | encoding.LIMIT - 8
    with pytest.raises(LimitError, match="the heap holds 1099511627776 bytes, 9 more"):
        encode_one("nine byte", tail)


@pytest.mark.parametrize("seed", range(int(os.environ.get("NKGRAPH_DAMAGE", "3000")) // 100))
def test_damaged_columns_are_decoded_as_the_slow_codec_does_or_refused(seed):
    rng = random.Random(seed)
    for _ in range(100):
        kinds = (lambda: rng.getrandbits(50), rng.random, lambda: "xé" * rng.randrange(9))
        items = [rng.choice(kinds)() for _ in range(30)]
        tail = HeapTail(lambda: 0)
        data = bytearray(encode_column(items, tail, "column").words.tobytes())
        heap = bytearray(tail.joined())
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del heap[rng.choice([len(heap), rng.randrange(len(heap) + 1)]) :]
        words = np.frombuffer(bytes(data), np.uint64)
        try:
            wanted = [decode(word, heap) for word in words.tolist()]
        except Refused:
            wanted = None
        for binary in (True, False):
            try:
                if binary:
                    found = values.decode_binary(words, None, heap_of(heap), WHERE)[0]
                else:
                    column = values.decode_words(words, None, heap_of(heap), WHERE)
                    found = columns.to_user(column)[0]
            except FormatError:
                assert wanted is None or (not binary and not all(map(is_text, wanted)))
                continue
            for have, want in zip(found.tolist(), wanted, strict=True):
                assert same(have, want if binary or not isinstance(want, bytes) else want.decode())


def is_text(value):
    try:
        return not isinstance(value, bytes) or value.decode() is not None
    except UnicodeDecodeError:
        return False
