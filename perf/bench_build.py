"""Rows *build*, *build untyped*, *type index*, *peer counts*, *degrees*."""

from collections.abc import Iterator
from functools import cache, partial

import numpy as np

from nkgraph import build
from nkgraph.csr import CSR
from nkgraph.dtypes import I64, U32, U64
from perf.harness import Call, Row, Scale


@cache
def edges(scale: Scale, skewed: bool) -> tuple[U32, U32, U32]:
    """Sources, targets and type ranks: uniform, or RMAT-like with Zipf-like types."""
    rng = np.random.default_rng(27)
    n, m = scale.node_count, scale.edge_count
    ranks = rng.random(m)
    if not skewed:
        sources, targets = rng.integers(0, n, (2, m), dtype=np.uint32)
        return sources, targets, (ranks * scale.type_count).astype(np.uint32)
    sources, targets = np.zeros((2, m), np.uint32)
    for _ in range((n - 1).bit_length()):  # a=0.57, b=c=0.19, d=0.05
        quadrant = np.searchsorted([0.57, 0.76, 0.95], rng.random(m, np.float32)).astype(np.uint32)
        sources = (sources << np.uint32(1)) | (quadrant >> np.uint32(1))
        targets = (targets << np.uint32(1)) | (quadrant & np.uint32(1))
    return sources, targets, (ranks**4 * scale.type_count).astype(np.uint32)


def sorted_keys(nodes: U32, ranks: U32, by_type: bool) -> U64:
    """Pack (node, type) or (type, node) into 64-bit keys, unsorted."""
    high, low = (ranks, nodes) if by_type else (nodes, ranks)
    return (high.astype(np.uint64) << np.uint64(32)) | low


def both_directions(scale: Scale, skewed: bool) -> tuple[Call, Call]:
    """Rows of both directions, against sorting packed keys (with edge ids) twice."""
    sources, targets, ranks = edges(scale, skewed)
    n, t = scale.node_count, scale.type_count
    id_bits = np.uint64((scale.edge_count - 1).bit_length())
    ids = np.arange(scale.edge_count, dtype=np.uint64)
    keys = []
    for nodes in (sources, targets):
        pair = nodes.astype(np.uint64) * np.uint64(t) + ranks
        keys.append((pair << id_bits) | ids)

    def ours() -> None:
        build.typed_rows(n, sources, targets, ranks, t)
        build.typed_rows(n, targets, sources, ranks, t)

    def rival() -> None:
        for key in keys:
            np.sort(key)

    return ours, rival


def untyped(scale: Scale, skewed: bool) -> tuple[Call, Call]:
    """``CSR.from_edges`` against scipy's conversion, outputs allocated in both."""
    from scipy.sparse._sparsetools import coo_tocsr

    sources, targets, _ = edges(scale, skewed)
    n, m = scale.node_count, scale.edge_count
    rows, columns, data = sources.view(np.int32), targets.view(np.int32), np.ones(m)

    def rival() -> None:
        outputs = np.empty(n + 1, np.int32), np.empty(m, np.int32), np.empty(m)
        coo_tocsr(n, n, m, rows, columns, data, *outputs)

    return lambda: CSR.from_edges(sources, targets, n), rival


def pairs(scale: Scale, skewed: bool, counted: bool) -> tuple[Call, Call]:
    """Type index or peer counts, against sorting packed keys and taking differences."""
    sources, targets, ranks = edges(scale, skewed)
    n, t = scale.node_count, scale.type_count
    nodes = targets if counted else sources
    key = sorted_keys(nodes, ranks, by_type=True)

    def rival() -> tuple[U64, I64]:
        order = np.sort(key)
        first = np.flatnonzero(np.concatenate([[True], order[1:] != order[:-1]]))
        return order[first], np.diff(np.append(first, key.size)) if counted else first

    if counted:
        return lambda: build.peer_counts(n, nodes, ranks, t), rival
    return lambda: build.type_index(n, nodes, ranks, t), rival


def degrees(scale: Scale, skewed: bool) -> tuple[Call, Call]:
    """Degrees against ``np.bincount``."""
    sources, _, _ = edges(scale, skewed)
    n = scale.node_count
    return lambda: build.degrees(sources, n), lambda: np.bincount(sources, minlength=n)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    n, m = scale.node_count, scale.edge_count
    typed = 2 * ((12 + 8) * m + 8 * n)  # three columns read, entries and offsets written, twice
    plain = (8 + 8) * m + 8 * n
    for skewed in (False, True):
        end, given = " skewed" if skewed else "", (scale, skewed)
        yield Row(f"build{end}", partial(both_directions, *given), 0.3, 0.15, moved=typed)
        make = partial(untyped, *given)
        yield Row(f"build untyped{end}", make, 0.3, 0.15, rival="scipy", moved=plain)
        # of these two the input alone: how much comes out hangs on the edges
        yield Row(f"type index{end}", partial(pairs, *given, False), 0.2, 0.1, moved=8 * m)
        yield Row(f"peer counts{end}", partial(pairs, *given, True), 0.5, 0.25, moved=8 * m)
        yield Row(f"degrees{end}", partial(degrees, *given), 1.0, 0.5, moved=4 * m + 8 * n)
    edges.cache_clear()
