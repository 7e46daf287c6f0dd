import numpy as np
import pytest
import reference as reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nkgraph import build, threads
from nkgraph.dtypes import ENDPOINTS
from nkgraph.errors import GraphError

TYPE_COUNTS = (1, 2, 5, 64, 5000, 100_000)


@pytest.fixture(autouse=True)
def small_work(monkeypatch):
    """Use several threads and buckets even for a few edges."""
    monkeypatch.setattr(build, "BUCKET_ITEMS", 4)
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(threads.split, "__defaults__", (None, 8))
    monkeypatch.setattr(threads, "MIN_ITEMS", 8)


@st.composite
def typed_edges(draw):
    n = draw(st.integers(0, 40))
    type_count = draw(st.sampled_from(TYPE_COUNTS))
    m = draw(st.integers(0, 120 if n else 0))
    hot = draw(st.booleans())  # most edges in one row
    nodes = st.integers(0, max(n, 1) - 1)
    rows = draw(hnp.arrays(np.uint32, m, elements=nodes, fill=st.just(0) if hot else None))
    peers = draw(hnp.arrays(np.uint32, m, elements=nodes))
    ranks = draw(hnp.arrays(np.uint32, m, elements=st.integers(0, type_count - 1)))
    return n, rows, peers, ranks, type_count


@given(typed_edges())
def test_typed_rows_matches_reference(edges):
    n, rows, peers, ranks, type_count = edges
    offsets, entries = build.typed_rows(n, rows, peers, ranks, type_count)
    expected = reference.typed_rows(n, rows.tolist(), peers.tolist(), ranks.tolist())
    assert (offsets.tolist(), entries.tolist()) == expected
    assert (offsets.dtype, entries.dtype, entries.shape) == (np.int64, np.uint32, (rows.size, 2))


@given(typed_edges())
def test_untyped_rows_matches_reference(edges):
    n, rows, peers, _, _ = edges
    answer = build.untyped_rows(n, rows, peers)
    expected = reference.untyped_rows(n, rows.tolist(), peers.tolist())
    assert tuple(part.tolist() for part in answer) == expected
    assert [part.dtype for part in answer] == [np.int64, np.uint32, np.uint32]


@given(typed_edges())
def test_type_index_and_peer_counts_match_reference(edges):
    n, nodes, _, ranks, type_count = edges
    if type_count > 5000:
        type_count, ranks = 5000, ranks % 5000
    index = build.type_index(n, nodes, ranks, type_count)
    counted = build.peer_counts(n, nodes, ranks, type_count)
    expected = reference.peer_counts(nodes.tolist(), ranks.tolist(), type_count)
    assert [part.tolist() for part in counted] == list(expected)
    assert [part.tolist() for part in index] == list(expected[:2])
    assert [part.dtype for part in counted] == [np.int64, np.uint32, np.uint64]


@given(typed_edges())
def test_degrees_counts_each_node(edges):
    n, nodes, _, _, _ = edges
    assert build.degrees(nodes, n).tolist() == [nodes.tolist().count(u) for u in range(n)]


@pytest.mark.parametrize("skew", [1, 6])
@pytest.mark.parametrize("type_count", [1, 64, 100_000])
def test_a_large_graph_is_in_order(monkeypatch, skew, type_count):
    monkeypatch.setattr(build, "BUCKET_ITEMS", 1 << 10)
    n, m = 1 << 12, 1 << 16
    ends = np.random.default_rng(5).random((3, m)) ** skew
    rows, peers = (ends[:2] * n).astype(np.uint32)
    ranks = (ends[2] * type_count).astype(np.uint32)
    offsets, entries = build.typed_rows(n, rows, peers, ranks, type_count)
    order = np.lexsort((ranks, rows))
    assert np.array_equal(entries[:, 1], order)
    assert np.array_equal(entries[:, 0], peers[order])
    assert np.array_equal(np.diff(offsets), np.bincount(rows, minlength=n))
    starts, nodes, counts = build.peer_counts(n, peers, ranks, type_count)
    keys = (ranks.astype(np.uint64) << np.uint64(32)) | peers
    distinct, times = np.unique(keys, return_counts=True)
    assert np.array_equal(nodes, distinct.astype(np.uint32))
    assert np.array_equal(counts, times)
    bounds = np.arange(type_count + 1, dtype=np.uint64) << np.uint64(32)
    assert np.array_equal(starts, np.searchsorted(distinct, bounds))


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_answers_do_not_depend_on_threads(monkeypatch, parts):
    monkeypatch.setattr(threads, "thread_count", lambda: parts)
    rng = np.random.default_rng(3)
    rows, peers = rng.integers(0, 50, (2, 4000), dtype=np.uint32)
    ranks = rng.integers(0, 7, 4000, dtype=np.uint32)
    offsets, entries = build.typed_rows(50, rows, peers, ranks, 7)
    assert np.array_equal(entries[:, 1], np.lexsort((ranks, rows)))
    assert offsets[-1] == 4000


def test_nodes_may_have_the_largest_ids():
    nodes = np.array([2**32 - 2, 0, 2**32 - 2, 7], np.uint32)
    ranks = np.array([1, 1, 1, 0], np.uint32)
    offsets, targets, counts = build.peer_counts(2**32 - 1, nodes, ranks, 2)
    assert offsets.tolist() == [0, 1, 3]
    assert targets.tolist() == [7, 0, 2**32 - 2]
    assert counts.tolist() == [1, 1, 2]


HASHES = (0, 3, 2**53 + 1, 2**63, 2**64 - 1)


@given(st.data())
def test_split_endpoints_matches_reference(data):
    ends = st.integers(0, 2**32 - 2)
    live = st.tuples(ends, ends, st.sampled_from(HASHES))
    removed = st.tuples(st.just(2**32 - 1), st.just(2**32 - 1), st.sampled_from((0, 3, 99)))
    records = data.draw(st.lists(st.one_of(live, removed), max_size=60))
    known = sorted(data.draw(st.sets(st.sampled_from(HASHES), min_size=3)))
    array = np.array(records, ENDPOINTS)
    array.flags.writeable = False
    *arrays, unknown = build.split_endpoints(array, np.array(known, np.uint64))
    expected = reference.split_endpoints(records, known)
    if isinstance(expected, int):
        assert unknown == expected
    else:
        assert unknown == -1
        assert tuple(part.tolist() for part in arrays) == expected
        view = array.view(np.uint32).reshape(-1, 4)
        again = build.split_endpoints(view, np.array(known, np.uint64))
        assert [part.tolist() for part in again[:4]] == list(expected)


def test_split_endpoints_without_types_or_edges():
    none = np.empty(0, np.uint64)
    assert build.split_endpoints(np.empty(0, ENDPOINTS), none)[4] == -1
    assert build.split_endpoints(np.array([(1, 2, 0)], ENDPOINTS), none)[4] == 0


@pytest.mark.parametrize("wanted", HASHES)
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_typed_ranges_matches_reference(wanted, dtype):
    rng = np.random.default_rng(8)
    n, m = 20, 300
    sources = rng.integers(0, n - 3, m, dtype=np.uint32)
    records = np.zeros(m, ENDPOINTS)
    codes = np.array(HASHES, np.uint64)
    ranks = rng.choice(np.array([0, 1, 3, 4], np.uint32), m)
    records["connection_type"] = codes[ranks]
    offsets, entries = build.typed_rows(n, sources, sources, ranks, 5)
    nodes = rng.integers(0, n, 200, dtype=np.uint32)
    types = records.view(np.uint64).reshape(m, 2)
    starts, stops = build.typed_ranges(offsets.astype(dtype), entries, types, nodes, wanted)
    for node, start, stop in zip(nodes.tolist(), starts.tolist(), stops.tolist(), strict=True):
        row = entries[offsets[node] : offsets[node + 1], 1]
        row_types = records["connection_type"][row].tolist()
        assert (start, stop) == reference.typed_range(row_types, wanted, offsets[node])


@given(
    st.lists(st.tuples(st.sampled_from((-(2**63), -1, 0, 5, 2**63 - 1)), st.integers(0, 9))),
    st.booleans(),
)
def test_count_peers_of_signed_codes(pairs, as_list):
    codes, targets = [c for c, _ in pairs], [t for _, t in pairs]
    given_codes = codes if as_list else np.array(codes, np.int64)
    counted = build.count_peers(given_codes, targets)
    types = sorted(set(codes))
    expected = reference.peer_counts(targets, [types.index(c) for c in codes], len(types))
    assert counted.types.tolist() == types
    assert [part.tolist() for part in counted[1:]] == list(expected)


def test_count_peers_of_hashes_keeps_every_bit():
    codes = np.array([2**64 - 1, 2**53 + 1, 2**63, 2**53, 2**53 + 1], np.uint64)
    counted = build.count_peers(codes, np.array([2**32 - 2, 1, 2, 3, 1], np.int64))
    assert counted.types.tolist() == [2**53, 2**53 + 1, 2**63, 2**64 - 1]
    assert counted.types.dtype == np.uint64
    assert counted.targets.tolist() == [3, 1, 2, 2**32 - 2]
    assert counted.counts.tolist() == [1, 2, 1, 1]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32])
def test_count_peers_of_narrow_codes_spanning_their_dtype(dtype):
    info = np.iinfo(dtype)
    codes = np.array([info.max, info.min, info.max], dtype)
    counted = build.count_peers(codes, [0, 1, 0])
    assert counted.types.tolist() == [info.min, info.max]
    assert counted.counts.tolist() == [1, 2]


@pytest.mark.parametrize("type_count", [1, 1000, 3000, 20_000])
@pytest.mark.parametrize("repeats", [1, 40])
def test_count_peers_ranks_many_types(type_count, repeats):
    rng = np.random.default_rng(6)
    types = np.sort(rng.choice(2**62, type_count, replace=False)).astype(np.int64) - 2**61
    ranks = rng.permutation(np.repeat(np.arange(type_count), repeats))
    counted = build.count_peers(types[ranks], np.zeros(ranks.size, np.int16))
    assert np.array_equal(counted.types, types)
    assert np.array_equal(counted.counts, np.full(type_count, repeats))
    assert np.array_equal(counted.offsets, np.arange(type_count + 1))


@pytest.mark.parametrize(
    ("codes", "targets", "message"),
    [
        ([1, 2], [1], "2 connection types but 1 targets"),
        ([1, 2], [1, -1], "row 1: target -1 is not from 0 to 4294967294"),
        ([1, 2], [2**32 - 1, 1], "row 0: target 4294967295 is not from 0"),
        ([1, 2.5], [1, 1], "row 1: connection type 2.5 is not an integer"),
        ([1, 2], np.array([1, np.nan]), "row 1: target nan is not an integer"),
        ([1, 2**64], [1, 1], "row 1: connection type 18446744073709551616 does not fit"),
        ([2**63, -1], [1, 1], "row 1: connection type -1 beside one of"),
        ([[1]], [1], r"connection types: expected one dimension, found shape \(1, 1\)"),
        (["a"], [1], "row 0: connection type 'a' is not an integer"),
        ([True], [1], "row 0: connection type True is not an integer"),
    ],
)
def test_count_peers_says_what_is_wrong(codes, targets, message):
    with pytest.raises(GraphError, match=message):
        build.count_peers(codes, targets)


def test_bitcoin_graph_is_counted_as_by_numpy(data):
    table = np.loadtxt(data / "bitcoin-otc" / "edges.csv.gz", delimiter=",", usecols=(0, 1, 2))
    counted = build.count_peers(table[:, 2], table[:, 1])
    keys, counts = np.unique(table[:, [2, 1]], axis=0, return_counts=True)
    assert np.array_equal(counted.targets, keys[:, 1])
    assert np.array_equal(counted.counts, counts)
    assert np.array_equal(counted.types, np.unique(table[:, 2]))
