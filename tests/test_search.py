import subprocess
import sys

import numpy as np
import pytest
import reference as reference
from hypothesis import given
from hypothesis import strategies as st

from nkgraph import search, threads
from nkgraph.dtypes import NO_NODE
from nkgraph.errors import GraphError
from nkgraph.storage import sorted_keys

EDGES = (0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
small_keys = st.lists(
    st.one_of(st.integers(0, 400), st.sampled_from(EDGES)), unique=True, max_size=300
)
queries_of_any_size = st.lists(
    st.one_of(
        st.integers(-5, 405),
        st.sampled_from((*EDGES, 2**32, 2**32 + 5, -(2**63), 2**63 - 1, -(2**32) + 1)),
    ),
    max_size=300,
)


@pytest.fixture(autouse=True)
def small_work(monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(threads.split, "__defaults__", (None, 40))


@given(small_keys, queries_of_any_size, st.booleans(), st.booleans())
def test_find_sorted_matches_reference(keys, queries, ascending, as_list):
    keys.sort()
    if ascending:
        queries.sort()
    given_queries = queries if as_list else np.array(queries, np.int64)
    found = search.find_sorted(np.array(keys, np.uint32), given_queries)
    assert found.tolist() == reference.find(keys, queries)
    assert found.dtype == np.int64


@pytest.mark.parametrize("size", [1, 15, 16, 17, 255, 256, 257, 4096, 4097, 70_000])
@pytest.mark.parametrize("start", range(0, 16, 5))
def test_every_way_finds_every_key(size, start):
    room = np.random.default_rng(size).choice(2**32, size + start, replace=False)
    keys = np.sort(room).astype(np.uint32)[start:]  # a start that is not at a cache line
    queries = np.concatenate([keys, keys + np.uint32(1), keys - np.uint32(1)])
    slots = np.minimum(np.searchsorted(keys, queries), size - 1)
    expected = np.where(keys[slots] == queries, slots, -1)
    shuffle = np.random.default_rng(1).permutation(queries.size)
    assert np.array_equal(search.find_sorted(keys, queries[shuffle]), expected[shuffle])
    order = np.argsort(queries, kind="stable")
    assert np.array_equal(search.find_sorted(keys, queries[order]), expected[order])
    few = shuffle[:40]
    assert np.array_equal(sorted_keys.find_few(keys, queries[few]), expected[few])
    assert np.array_equal(search.find_sorted(keys, queries[few]), expected[few])
    assert search.find_sorted(keys, queries[few[:1]]).tolist() == expected[few[:1]].tolist()
    wide = keys.astype(np.uint64) << np.uint64(31)
    assert np.array_equal(
        sorted_keys.find_sorted_u64(wide, queries[shuffle].astype(np.uint64) << np.uint64(31)),
        expected[shuffle],
    )


@pytest.mark.parametrize("size", [16, 17, 4097, 70_000])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_keys_at_any_byte_are_searched_where_they_lie(size, first, monkeypatch):
    rng = np.random.default_rng(size)
    keys = np.sort(rng.choice(2**32, size, replace=False)).astype(np.uint32)
    lying = np.frombuffer(b"x" * first + keys.tobytes(), "<u4", size, first)
    assert not lying.flags.aligned
    monkeypatch.setattr(np, "require", None)  # what would copy them
    queries = np.concatenate([keys, keys + np.uint32(1)])
    some = rng.permutation(queries.size)
    for asked in (queries[some], np.sort(queries), queries[some[:70]], queries[some[:40]]):
        expected = search.find_sorted(keys, asked)
        assert np.array_equal(search.find_sorted(lying, asked), expected)
        items = np.where(expected >= 0, keys[expected], NO_NODE)
        for given_queries in (asked, asked.astype(np.int64), asked.astype(np.uint64)):
            assert np.array_equal(sorted_keys.find_items(lying, lying, given_queries), items)
    far = queries.astype(np.int64) + np.where(some % 2, 2**32, 0)
    expected = np.where(some % 2, NO_NODE, sorted_keys.find_items(keys, keys, queries))
    assert np.array_equal(sorted_keys.find_items(lying, lying, far), expected)


@pytest.mark.parametrize("kind", ["dense", "clustered", "powers"])
def test_spacing_does_not_matter(kind):
    rng = np.random.default_rng(4)
    if kind == "dense":
        keys = np.arange(2**32 - 50_001, 2**32 - 1, dtype=np.uint32)
    elif kind == "clustered":
        near = rng.integers(0, 2**32 - 2**12, 20)[:, None] + rng.integers(0, 2**12, (20, 2000))
        keys = np.array(sorted(set(near.ravel().tolist())), np.uint32)
    else:
        keys = np.array(sorted({2**i + j for i in range(32) for j in range(50)}), np.uint32)
        keys = keys[keys < 2**32 - 1]
    queries = np.concatenate([rng.choice(keys, 5000), rng.integers(0, 2**32, 5000, np.uint32)])
    slots = np.minimum(np.searchsorted(keys, queries), keys.size - 1)
    expected = np.where(keys[slots] == queries, slots, -1)
    assert np.array_equal(search.find_sorted(keys, queries), expected)
    order = np.argsort(queries)
    assert np.array_equal(search.find_sorted(keys, queries[order]), expected[order])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64])
def test_queries_of_any_width_are_not_wrapped(dtype):
    keys = np.array([0, 5, 127, 2**31, 2**32 - 1], np.uint32)
    info = np.iinfo(dtype)
    queries = np.array([info.min, 5, info.max], dtype)
    expected = reference.find(keys.tolist(), queries.tolist())
    assert search.find_sorted(keys, queries).tolist() == expected


def test_keys_and_queries_may_be_read_only_unaligned_or_strided(tmp_path):
    numbers = np.arange(0, 6000, 3, dtype=np.uint32)
    path = tmp_path / "keys.bin"
    path.write_bytes(b"x" + numbers.tobytes())
    mapped = np.memmap(path, np.uint8, mode="r")[1:].view(np.uint32)
    queries = np.arange(0, 12000, 2, dtype=np.uint32)
    expected = reference.find(numbers.tolist(), queries.tolist())
    queries.flags.writeable = False
    one = search.find_sorted(mapped, queries[3:4])
    assert (one.tolist(), type(one)) == ([2], np.ndarray)
    few = search.find_sorted(mapped, queries[:5])
    assert (few.tolist(), type(few)) == (expected[:5], np.ndarray)
    assert search.find_sorted(mapped, queries).tolist() == expected
    assert search.find_sorted(np.repeat(numbers, 2)[::2], queries).tolist() == expected
    assert search.find_sorted(mapped, queries[::-1]).tolist() == expected[::-1]


def test_keys_out_of_order_are_not_read_out_of_bounds():
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**32, 5000, np.uint32)
    queries = rng.integers(0, 2**32, 5000, np.uint32)
    for asked in (queries, np.sort(queries), queries[:100], queries[:1]):
        found = search.find_sorted(keys, asked)
        assert found.min() >= -1
        assert found.max() < keys.size


@given(
    st.lists(st.sampled_from((0, 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)), max_size=99),
    st.lists(st.sampled_from((0, 2, 2**53 + 1, 2**63, 2**64 - 1)), max_size=99),
)
def test_find_sorted_u64_gives_the_first_of_equal_keys(keys, queries):
    keys.sort()
    found = sorted_keys.find_sorted_u64(np.array(keys, np.uint64), np.array(queries, np.uint64))
    assert found.tolist() == reference.find(keys, queries)


def test_ordered_uint64_keeps_the_order_of_signed_keys():
    signed = np.array([-(2**63), -1, 0, 1, 2**63 - 1], np.int64)
    keys = sorted_keys.ordered_uint64(signed)
    assert np.all(keys[1:] > keys[:-1])
    assert sorted_keys.find_sorted_u64(keys, keys).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("keys", "queries", "message"),
    [
        (np.zeros(2, np.int64), [1], r"keys: expected \(n,\) uint32, found \(2,\) int64"),
        (np.zeros((2, 2), np.uint32), [1], r"found \(2, 2\) uint32"),
        ([1, 2], [1], "found list"),
        (np.zeros(2, np.uint32), [0.5], "row 0: query 0.5 is not an integer"),
        (np.zeros(2, np.uint32), 3, r"querys?: expected one dimension, found shape \(\)"),
    ],
)
def test_find_sorted_says_what_is_wrong(keys, queries, message):
    with pytest.raises(GraphError, match=message):
        search.find_sorted(keys, queries)


def test_a_few_queries_do_not_import_numba():
    code = (
        "import sys, numpy as np; from nkgraph.search import find_sorted;"
        "assert find_sorted(np.arange(9999, dtype=np.uint32), [5, -1]).tolist() == [5, -1];"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def spaced(kind, count):
    rng = np.random.default_rng(7)
    if kind == "even":
        gaps = rng.integers(1, 2**44, count)
    elif kind == "steep":
        gaps = (1.0 + 2e-4) ** np.arange(count)
    elif kind == "steps":
        gaps = np.where(np.arange(count) % 1000, 1, 2**48)
    else:
        gaps = np.where(rng.random(count) < 0.01, 2**44, 0)  # runs of equal keys
    return np.cumsum(gaps.astype(np.uint64), dtype=np.uint64)


@pytest.mark.parametrize("kind", ["even", "steep", "steps", "runs"])
@pytest.mark.parametrize("bits", [32, 64])
def test_guesses_are_checked(kind, bits):
    # Enough keys that the last steps are guessed, and so few queries that no tree is built.
    keys = spaced(kind, 150_000)
    if bits == 32:
        keys = np.unique(keys >> np.uint64(64 - 34)).astype(np.uint32)[:140_000]
        keys = np.unique(np.concatenate([keys, np.arange(2**31, 2**31 + 90_000, dtype="u4")]))
    rng = np.random.default_rng(3)
    queries = rng.choice(keys, 480)
    queries[::3] += queries.dtype.type(1)
    queries[:4] = 0, keys[0], keys[-1], np.iinfo(keys.dtype).max
    slots = np.searchsorted(keys, queries)
    expected = np.where(keys[np.minimum(slots, keys.size - 1)] == queries, slots, -1)
    find = search.find_sorted if bits == 32 else sorted_keys.find_sorted_u64
    assert keys.size > 1 << 16
    assert find(keys, queries).tolist() == expected.tolist()
    backwards = find(keys[::-1].copy(), queries)  # wrong, but in range
    assert backwards.min() >= -1
    assert backwards.max() < keys.size
