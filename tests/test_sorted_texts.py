"""Sorted texts against Python's own sorting and searching."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nkgraph import kernels
from nkgraph.errors import GraphError
from nkgraph.storage import sorted_texts
from nkgraph.storage.sorted_texts import SortedTexts, shared_bytes, sorted_rows
from nkgraph.storage.text import TextArray

PIECES = [
    "",
    "a",
    "\0",
    "a\0",
    "ab",
    "é",
    "日本",
    "\U0001f600",
    "prefix//",
    "12345678",
    "\x7f",
    "z",
]
texts = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)


def entries(strings, nodes):
    return SortedTexts.build(TextArray.from_list(strings), np.array(nodes, np.uint32))


def expected(strings, nodes, queries, is_prefix):
    held = sorted(zip([s.encode() for s in strings], nodes, strict=True))
    found = []
    for number, query in enumerate(queries):
        wanted = query.encode()
        found += [
            (number, node)
            for key, node in held
            if (key.startswith(wanted) if is_prefix else key == wanted)
        ]
    return found


def check(strings, nodes, queries):
    built = entries(strings, nodes)
    assert built.first_out_of_order() == -1
    for is_prefix in (False, True):
        found = built.find(TextArray.from_list(queries), is_prefix)
        pairs = list(zip(*(part.tolist() for part in found), strict=True))
        assert pairs == expected(strings, nodes, queries, is_prefix)


@given(st.lists(texts, max_size=40), st.lists(texts, max_size=20), st.randoms())
def test_any_texts(strings, queries, random):
    nodes = list(range(5, 5 + len(strings)))
    random.shuffle(nodes)
    check(strings, nodes, queries + strings[:5])


@given(st.lists(texts, min_size=5, max_size=60), st.lists(texts, max_size=20))
def test_with_samples_and_threads(strings, queries):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_texts, "STEP", 2)
        patch.setattr(sorted_texts, "SAMPLES_PAY", 10**9)
        patch.setattr(sorted_texts, "LEAST", 2)
        shared = ["//shared " + string for string in strings]
        check(strings, range(len(strings)), queries + strings)
        more = ["", "//", "//shared", "//shared ", "//sharee", "/", *(q[:-1] for q in shared)]
        check(shared, range(len(shared)), more + shared + queries)


@pytest.mark.parametrize("kind", ["few", "long", "words", "equal"])
def test_many_texts(kind):
    """Enough for radix sort, runs of equal texts, and several rounds of eight bytes."""
    rng = np.random.default_rng(7)
    if kind == "few":
        strings = [PIECES[i] for i in rng.integers(0, len(PIECES), 5000)]
    elif kind == "long":
        strings = ["x" * int(i) + "y" * int(k) for i, k in rng.integers(0, 40, (3000, 2))]
    elif kind == "words":
        strings = [f"http://example.org/entity/{i}" for i in rng.integers(0, 4000, 6000)]
    else:
        strings = ["the same text each time"] * 3000
    text = TextArray.from_list(strings)
    order = sorted(range(len(strings)), key=lambda row: strings[row].encode())
    assert sorted_rows(text).tolist() == order
    queries = [strings[i] for i in rng.integers(0, len(strings), 30)]
    nodes = rng.permutation(len(strings)).tolist()
    check(strings, nodes, [*queries, *(q[:-1] for q in queries[:5]), "", "x" * 39, "nothing"])


def test_keep_equals_and_empty():
    built = entries(["b", "a", "", "b"], [3, 4, 5, 1])
    assert (built.texts.to_strings().tolist(), built.nodes.tolist()) == (
        ["", "a", "b", "b"], [5, 4, 1, 3],
    )  # fmt: skip
    assert built.keep(np.ones(4, bool)) is built
    kept = built.keep(np.array([True, False, True, True]))
    assert kept.equals(entries(["", "b", "b"], [5, 1, 3]))
    assert not kept.equals(entries(["", "b", "c"], [5, 1, 3]))
    assert not kept.equals(built)
    assert built.without_empty().equals(entries(["b", "a", "b"], [3, 4, 1]))
    check([], [], ["", "a"])


def test_shared_bytes():
    for first, last, size in (
        (b"", b"", 0),
        (b"abc", b"abd", 2),
        (b"ab", b"abc", 2),
        (b"a", b"b", 0),
    ):
        assert shared_bytes(np.frombuffer(first, "u1"), np.frombuffer(last, "u1")) == size


def test_order_is_by_text_then_node():
    text = TextArray.from_list(["a", "a", "b"])
    for nodes, first in (([1, 2, 0], -1), ([2, 2, 0], 1), ([2, 1, 0], 1)):
        assert SortedTexts(text, np.array(nodes, np.uint32)).first_out_of_order() == first
    text = TextArray.from_list(["a", "b", "a"])
    assert SortedTexts(text, np.array([1, 2, 3], np.uint32)).first_out_of_order() == 2


def test_keys_out_of_order_are_searched_without_harm():
    """A file may claim anything: what is found may be wrong, and nothing worse."""
    rng = np.random.default_rng(3)
    strings = [PIECES[i] * 3 for i in rng.integers(0, len(PIECES), 500)]
    queries = TextArray.from_list(sorted(set(strings)))
    held = SortedTexts(TextArray.from_list(strings), np.arange(500, dtype=np.uint32))
    for is_prefix in (False, True):
        for pay in (0, 10**9):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sorted_texts, "SAMPLES_PAY", pay)
                _, nodes = held.find(queries, is_prefix)
                assert nodes.size == 0 or nodes.max() < 500


@given(st.lists(st.one_of(texts, st.just("long " * 20)), max_size=100))
def test_from_list_and_starts_with(strings):
    text = TextArray.from_list(strings)
    assert text.to_strings().tolist() == strings
    for prefix in ("", "a", "ab", "é", "long long long"):
        assert text.starts_with(prefix).tolist() == [s.startswith(prefix) for s in strings]


def test_from_list_refuses_lone_surrogates():
    with pytest.raises(GraphError, match="names: row 1 holds a lone surrogate"):
        TextArray.from_list(["a", "\ud800"], "names")


def test_word_order_is_text_order_at_the_end_of_the_data():
    """The last bytes are read one by one: no load passes the end."""
    held = entries(["q" * size for size in range(20)], range(20))
    assert held.texts.data[-1] == ord("q")
    found = held.find(TextArray.from_list(["q" * 19, "q" * 20, "q" * 18]), False)[1]
    assert found.tolist() == [19, 18]
    assert kernels.text_keys.GROUP == 64
