from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from nkgraph import build, stitching, threads
from nkgraph.dtypes import ENDPOINTS, TOMBSTONE
from nkgraph.stitching import CountPart, IndexPart, SegmentRows

DTYPES = (np.uint8, np.uint16, np.uint32)
HASHES = (0, 3, 2**53 + 1, 2**63, 2**64 - 1)


@pytest.fixture(autouse=True)
def small_work(monkeypatch):
    """Use several threads, windows and tasks even for a few edges."""
    monkeypatch.setattr(stitching, "WINDOW", 16)
    monkeypatch.setattr(stitching, "MAX_ROWS", 8)
    monkeypatch.setattr(stitching, "TASK_NODES", 70)
    monkeypatch.setattr(stitching, "TASK_ITEMS", 8)
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(threads.split, "__defaults__", (None, 4))


def in_threads(count, call):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "thread_count", lambda: count)
        return call()


# -- rows ------------------------------------------------------------------------------------------


def arrays_of(segment):
    """``SegmentRows`` of a (first node, first edge, rows) of the reference, read-only."""
    first_node, first_edge, rows = segment
    flat = [(peer, int(TOMBSTONE) if edge is None else edge) for row in rows for peer, edge in row]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    entries = np.array(flat, np.uint32).reshape(-1, 2)
    offsets.flags.writeable = entries.flags.writeable = False
    return SegmentRows(first_node, first_edge, offsets, entries)


@st.composite
def stitchings(draw, is_sorted=True, local=None, removed=True):
    """Segments that are local or have all nodes; loops, parallel edges, hubs, none at all."""
    n = draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    type_count = draw(st.sampled_from((1, 2, 5, 200)))
    segments, ranks, start = [], [], 0
    for _ in range(draw(st.integers(1, 9))):
        is_local = draw(st.booleans()) if local is None else local
        stop = min(n, start + draw(st.integers(0, 20))) if is_local else n
        low = start if is_local else 0
        start = stop if is_local else start
        m = draw(st.sampled_from((0, 1, 7, 60))) if stop > low else 0
        first_edge = len(ranks) + draw(st.integers(0, 3))  # ids may be left out
        ranks += rng.integers(0, type_count, first_edge - len(ranks) + m).tolist()
        rows = [[] for _ in range(stop - low)]
        hub = draw(st.booleans())
        gone = draw(st.sampled_from((0, 0, 0.3, 1))) if removed else 0
        for edge in range(m):
            row = 0 if hub and rng.random() < 0.8 else int(rng.integers(stop - low))
            peer = low + row if rng.random() < 0.1 else int(rng.integers(n))
            rows[row].append((peer, edge))
        for row in rows:
            if is_sorted:
                row.sort(key=lambda entry: (ranks[first_edge + entry[1]], entry[1]))
            else:
                rng.shuffle(row)
        rows = [[(p, None if rng.random() < gone else e) for p, e in row] for row in rows]
        segments.append((low, first_edge, rows))
    return n, segments, ranks


def check(n, segments, ranks, **options):
    """Stitch with one thread and three, and compare with the reference."""
    arrays = [arrays_of(segment) for segment in segments]
    expected = reference.stitch(n, segments, ranks)
    for dtype in DTYPES if ranks is not None else (None,):
        places = None if ranks is None else np.array(ranks, dtype)
        for count in (1, 3):
            offsets, entries = in_threads(
                count, lambda places=places: stitching.stitch(n, arrays, places, **options)
            )
            assert (offsets.tolist(), entries.tolist()) == expected
            assert (offsets.dtype, entries.dtype) == (np.int64, np.uint32)
            assert entries.shape == (len(expected[1]), 2)


@given(stitchings())
def test_stitch_of_sorted_rows_matches_reference(program):
    check(*program)


@given(stitchings(is_sorted=False))
def test_stitch_of_unsorted_rows_matches_reference(program):
    check(*program, sorted_rows=False)


@given(stitchings())
def test_stitch_sorts_what_is_sorted_already(program):
    check(*program, sorted_rows=False)


@given(stitchings(local=True), st.booleans())
def test_stitch_of_local_segments_needs_no_ranks(program, doubled):
    n, segments, ranks = program
    if doubled:  # a segment of all nodes that has none of them is no hindrance
        segments = [*segments, (0, len(ranks), [[(0, None)] for _ in range(n)])]
    expected = reference.stitch(n, segments, ranks)
    check(n, segments, None)
    assert reference.stitch(n, segments, None) == expected


@given(stitchings())
def test_stitch_fills_arrays_that_it_is_given(program):
    n, segments, ranks = program
    asked = {}

    def allocate(name, size, dtype):
        assert name not in asked
        asked[name] = np.full(size, 77, dtype)
        return asked[name]

    arrays = [arrays_of(segment) for segment in segments]
    offsets, entries = stitching.stitch(n, arrays, np.array(ranks, np.uint8), allocate=allocate)
    assert (offsets.tolist(), entries.tolist()) == reference.stitch(n, segments, ranks)
    assert np.shares_memory(offsets, asked["offsets"])
    assert entries.size == 0 or np.shares_memory(entries, asked["entries"])


def test_stitch_says_when_ranks_are_needed():
    shared = [(0, 0, [[(1, 0)], []]), (0, 1, [[(0, 0)], [(1, 1)]])]
    arrays = [arrays_of(segment) for segment in shared]
    with pytest.raises(ValueError, match="two segments: ranks are needed"):
        stitching.stitch(2, arrays, None)
    with pytest.raises(ValueError, match="not sorted need ranks"):
        stitching.stitch(2, arrays[:1], None, sorted_rows=False)
    apart = [arrays_of(shared[0]), arrays_of((0, 1, [[(0, None)], [(1, 1)]]))]
    offsets, entries = stitching.stitch(2, apart, None)
    assert (offsets.tolist(), entries.tolist()) == ([0, 1, 2], [[1, 0], [1, 2]])


def test_stitch_of_nothing():
    for segments in ([], [arrays_of((0, 0, []))], [arrays_of((2, 5, []))]):
        offsets, entries = stitching.stitch(3, segments, None)
        assert (offsets.tolist(), entries.shape) == ([0, 0, 0, 0], (0, 2))
    assert stitching.stitch(0, [], None)[0].tolist() == [0]


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("type_count", [3, 5000, 10**6])
@pytest.mark.parametrize("window", [1 << 9, 1 << 15])
def test_a_large_graph_with_hubs_is_in_order(monkeypatch, is_sorted, type_count, window):
    monkeypatch.setattr(stitching, "WINDOW", window)
    monkeypatch.setattr(stitching, "MAX_ROWS", 1 << 15)
    n, m, count = 1 << 11, 1 << 16, 5
    rng = np.random.default_rng(4)
    rows = (rng.random(m) ** 6 * n).astype(np.uint32)
    peers = rng.integers(0, n, m, dtype=np.uint32)
    ranks = rng.integers(0, type_count, m, dtype=np.uint32)
    bounds = np.linspace(0, m, count + 1).astype(int)
    segments = []
    for start, stop in pairwise(bounds.tolist()):
        part = slice(start, stop)
        offsets, entries = build.typed_rows(n, rows[part], peers[part], ranks[part], type_count)
        if not is_sorted:
            shuffled = np.lexsort(
                (rng.random(stop - start), np.repeat(np.arange(n), np.diff(offsets)))
            )
            entries = entries[shuffled]
        segments.append(SegmentRows(0, int(start), offsets, entries))
    offsets, entries = stitching.stitch(n, segments, ranks, is_sorted)
    expected = build.typed_rows(n, rows, peers, ranks, type_count)
    assert np.array_equal(offsets, expected[0])
    assert np.array_equal(entries, expected[1])


def test_a_few_rows_of_a_large_segment_are_shared():
    n, m = 500, 20_000
    rng = np.random.default_rng(9)
    rows, peers = rng.integers(0, n, (2, m + 30), dtype=np.uint32)
    ranks = rng.integers(0, 9, m + 30, dtype=np.uint32)
    segments = [
        SegmentRows(0, first, *build.typed_rows(n, rows[part], peers[part], ranks[part], 9))
        for first, part in ((0, slice(0, m)), (m, slice(m, None)))
    ]
    offsets, entries = stitching.stitch(n, segments, ranks.astype(np.uint8))
    expected = build.typed_rows(n, rows, peers, ranks, 9)
    assert np.array_equal(offsets, expected[0])
    assert np.array_equal(entries, expected[1])


def test_edge_ids_reach_the_largest():
    last = 2**32 - 2
    segments = [arrays_of((1, 0, [[(0, 3)]])), arrays_of((0, last - 1, [[(2**32 - 2, 1)]]))]
    offsets, entries = stitching.stitch(2, segments, None)
    assert entries.tolist() == [[2**32 - 2, last], [0, 3]]
    assert offsets.tolist() == [0, 1, 2]


@pytest.mark.parametrize("type_count", [1, 5, 256, 257, 70_000])
def test_edge_ranks_are_places_of_hashes(type_count):
    rng = np.random.default_rng(2)
    hashes = np.sort(rng.choice(2**62, type_count, replace=False)).astype(np.uint64)
    hashes[0] = 0
    ranks = rng.integers(0, type_count, 500)
    records = np.zeros(500, ENDPOINTS)
    records["connection_type"] = hashes[ranks]
    records[7] = records[300] = (TOMBSTONE, TOMBSTONE, 12345)
    ranks[[7, 300]] = 0
    found, unknown = stitching.edge_ranks([records[:100], records[:0], records[100:]], hashes)
    assert (found.tolist(), unknown) == (ranks.tolist(), -1)
    assert (
        found.dtype == (np.uint8, np.uint16, np.uint32)[(type_count > 256) + (type_count > 65536)]
    )
    records["source"][300] = 1
    assert stitching.edge_ranks([records[:100], records[100:]], hashes)[1] == 300


# -- type indexes and peer counts ------------------------------------------------------------------


@st.composite
def counted_parts(draw):
    """Dense and sparse lists, with types in one part only or without nodes."""
    wide = draw(st.booleans())  # nodes far apart
    bound = draw(st.sampled_from((1, 70, 300, 2**32 - 100)))
    parts = []
    for _ in range(draw(st.integers(0, 6))):
        shift = draw(st.sampled_from((0, 0, 1, 64, 99)))
        nodes = st.integers(0, bound - 1) if wide else st.integers(0, min(bound, 200) - 1)
        lists = st.dictionaries(nodes, st.integers(1, 2**32 - 1), max_size=40)
        parts.append((shift, draw(st.dictionaries(st.sampled_from(HASHES), lists))))
    return bound + 99, parts


def part_arrays(types, shift=0):
    """Hashes, offsets, nodes and counts of {hash: {node: count}}, read-only."""
    hashes = sorted(types)
    pairs = [(node + shift, types[code][node]) for code in hashes for node in sorted(types[code])]
    arrays = (
        np.array(hashes, np.uint64),
        np.cumsum([0, *(len(types[code]) for code in hashes)], dtype=np.int64),
        np.array([node for node, _ in pairs], np.uint32),
        np.array([count for _, count in pairs], np.uint64),
    )
    for array in arrays:
        array.flags.writeable = False
    return arrays


@given(counted_parts())
def test_merge_index_matches_reference(program):
    node_count, parts = program
    arrays = [IndexPart(*part_arrays(types)[:3], shift) for shift, types in parts]
    expected = reference.merge_counts(parts)[:3]
    for count in (1, 3):
        merged = in_threads(count, lambda: stitching.merge_index(node_count, arrays))
        assert tuple(part.tolist() for part in merged) == expected
        assert [part.dtype for part in merged] == [np.uint64, np.int64, np.uint32]


@given(counted_parts(), st.booleans())
def test_merge_counts_matches_reference(program, narrow):
    node_count, parts = program
    arrays = []
    for i, (shift, types) in enumerate(parts):
        *places, counts = part_arrays(types, shift)
        arrays.append(CountPart(*places, counts.astype(np.uint32) if narrow and i % 2 else counts))
    expected = reference.merge_counts(parts)
    for count in (1, 3):
        merged = in_threads(count, lambda: stitching.merge_counts(node_count, arrays))
        assert tuple(part.tolist() for part in merged) == expected
        assert [part.dtype for part in merged] == [np.uint64, np.int64, np.uint32, np.uint64]


@pytest.mark.parametrize("node_count", [2, 10_000, 2**32 - 1])
def test_sums_are_of_64_bits(node_count):
    targets = {0: 2**32 - 1, node_count - 1: 2**62}
    part = CountPart(*part_arrays({5: targets}))
    hashes, offsets, nodes, counts = stitching.merge_counts(node_count, [part] * 3)
    assert (hashes.tolist(), offsets.tolist()) == ([5], [0, 2])
    assert nodes.tolist() == [0, node_count - 1]
    assert counts.tolist() == [3 * (2**32 - 1), 3 * 2**62]


@pytest.mark.parametrize("node_count", [1 << 11, 1 << 17, 1 << 31])
def test_merges_of_large_parts(monkeypatch, node_count):
    monkeypatch.setattr(stitching, "TASK_NODES", 1 << 14)
    rng = np.random.default_rng(node_count)
    nodes = rng.integers(0, node_count, (4, 20_000), dtype=np.uint32)
    ranks = rng.integers(0, 5, (4, 20_000), dtype=np.uint32)
    hashes = np.arange(5, dtype=np.uint64)
    parts = [
        CountPart(hashes, *build.peer_counts(node_count, own, types, 5))
        for own, types in zip(nodes, ranks, strict=True)
    ]
    expected = build.peer_counts(node_count, nodes.ravel(), ranks.ravel(), 5)
    merged = stitching.merge_counts(node_count, parts)[1:]
    assert all(map(np.array_equal, merged, expected))
    indexes = [IndexPart(*part[:3], 0) for part in parts]
    assert all(map(np.array_equal, stitching.merge_index(node_count, indexes)[1:], expected[:2]))
