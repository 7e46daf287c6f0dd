"""Rows *stitch local*, *stitch full*, *merge index*, *merge counts*: eight segments as one."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from nkgraph import build
from nkgraph.dtypes import ENDPOINTS, I64, U64
from nkgraph.stitching import (
    CountPart,
    IndexPart,
    SegmentRows,
    edge_ranks,
    merge_counts,
    merge_index,
    stitch,
)
from perf.bench_build import edges, sorted_keys
from perf.harness import Call, Contest, Rival, Row, Scale

SEGMENTS = 8


def spans(scale: Scale) -> list[slice]:
    """Edges of each segment."""
    each = scale.edge_count // SEGMENTS
    return [slice(i * each, (i + 1) * each) for i in range(SEGMENTS)]


def hashes(scale: Scale) -> U64:
    """Name hashes of the connection types, ascending."""
    rng = np.random.default_rng(3)
    return np.sort(rng.integers(0, 2**63, scale.type_count, dtype=np.uint64))


def local(scale: Scale) -> tuple[Call, Call]:
    """Segments of a range of nodes each, against joining arrays; both allocate the result."""
    sources, targets, ranks = edges(scale, False)
    own = scale.node_count // SEGMENTS
    segments = []
    for i, span in enumerate(spans(scale)):
        rows = sources[span] % np.uint32(own)
        arrays = build.typed_rows(own, rows, targets[span], ranks[span], scale.type_count)
        segments.append(SegmentRows(i * own, span.start, *arrays))
    n, m = own * SEGMENTS, segments[-1].first_edge + segments[-1].entries.shape[0]

    def rival() -> None:
        offsets, entries = np.empty(n + 1, np.int64), np.empty((m, 2), np.uint32)
        np.concatenate([s.offsets[:-1] for s in segments], out=offsets[:-1])
        np.concatenate([s.entries for s in segments], out=entries)

    return lambda: stitch(n, segments, None), rival


def full(scale: Scale, skewed: bool) -> tuple[Call, Call]:
    """Segments of all nodes each, with the types still to be ranked, against sorting keys.

    The rival's keys are packed outside the clock.
    """
    sources, targets, ranks = edges(scale, skewed)
    n, t = scale.node_count, scale.type_count
    codes = hashes(scale)
    segments, endpoints = [], []
    for span in spans(scale):
        arrays = build.typed_rows(n, sources[span], targets[span], ranks[span], t)
        segments.append(SegmentRows(0, span.start, *arrays))
        records = np.empty(ranks[span].size, ENDPOINTS)
        records["source"], records["target"] = sources[span], targets[span]
        records["connection_type"] = codes[ranks[span]]
        endpoints.append(records)
    id_bits = np.uint64((scale.edge_count - 1).bit_length())
    keys = sources.astype(np.uint64) * np.uint64(t) + ranks
    keys = (keys << id_bits) | np.arange(scale.edge_count, dtype=np.uint64)

    def ours() -> None:
        places, _ = edge_ranks(endpoints, codes)
        stitch(n, segments, places)

    return ours, lambda: np.sort(keys)


def counted(scale: Scale, skewed: bool) -> tuple[list[CountPart], U64]:
    """Peer counts of each segment, and the (type, target) keys of all their items."""
    _, targets, ranks = edges(scale, skewed)
    parts, keys = [], []
    for span in spans(scale):
        arrays = build.peer_counts(scale.node_count, targets[span], ranks[span], scale.type_count)
        parts.append(CountPart(hashes(scale), *arrays))
        types = np.repeat(np.arange(scale.type_count, dtype=np.uint32), np.diff(arrays[0]))
        keys.append(sorted_keys(arrays[1], types, by_type=True))
    return parts, np.concatenate(keys)


def index(scale: Scale, skewed: bool) -> Contest:
    """Type indexes, against sorting packed keys and taking differences."""
    parts, key = counted(scale, skewed)
    indexes = [IndexPart(part.hashes, part.offsets, part.targets, 0) for part in parts]

    def rival() -> tuple[U64, I64]:
        order = np.sort(key)
        first = np.flatnonzero(np.concatenate([[True], order[1:] != order[:-1]]))
        return order[first], first

    ours = partial(merge_index, scale.node_count, indexes)
    return Contest(ours, {"numpy": Rival(lambda: rival)}, 4 * key.size)


def counts(scale: Scale, skewed: bool) -> Contest:
    """Peer counts, against adding scipy's sparse matrices one after another."""
    from scipy import sparse

    parts, key = counted(scale, skewed)
    shape = scale.type_count, scale.node_count
    matrices = []
    for part in parts:
        places = part.targets.astype(np.int32), part.offsets.astype(np.int32)
        matrices.append(sparse.csr_array((part.counts.astype(np.int64), *places), shape=shape))

    def rival() -> object:
        total = matrices[0]
        for matrix in matrices[1:]:
            total = total + matrix
        return total

    ours = partial(merge_counts, scale.node_count, parts)
    return Contest(ours, {"scipy": Rival(lambda: rival)}, (4 + 8) * key.size)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    n, m = scale.node_count, scale.edge_count
    copied = 2 * (8 * m + 8 * n)
    # endpoints, whose types are ranked, and rows read; rows written
    joined = (16 + 8 + 8) * m + (SEGMENTS + 1) * 8 * n
    yield Row("stitch local", partial(local, scale), 1.1, 0.9, moved=copied)
    for skewed in (False, True):
        end = " skewed" if skewed else ""
        yield Row(f"stitch full{end}", partial(full, scale, skewed), 0.35, 0.2, moved=joined)
        yield Row(f"merge index{end}", partial(index, scale, skewed), 0.2, 0.1)
        yield Row(f"merge counts{end}", partial(counts, scale, skewed), 0.45, 0.25, rival="scipy")
    edges.cache_clear()
