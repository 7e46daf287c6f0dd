"""Rows *search 1*, *1k*, *10M*, *sorted*, *skewed*.

Queries are new in each call, four of five among the keys: asking the same again would measure
the cache.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from nkgraph.dtypes import I64, U32
from nkgraph.search import find_sorted
from perf.harness import Call, Row, Scale, cycle


@cache
def keys_of(count: int, kind: str) -> U32:
    """Sorted unique keys: uniform or Zipf-like gaps, dense, or 256 clusters."""
    rng = np.random.default_rng(count)
    if kind == "dense":
        return np.arange(5, count + 5, dtype=np.uint32)
    if kind == "clustered":
        width = 8 * count // 256
        starts = np.sort(rng.integers(0, 2**32 - width, 256))
        room = starts[:, None] + rng.integers(0, width, (256, count // 256))
        ordered = np.sort(room.ravel())
        return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))].astype(np.uint32)
    if kind == "zipf":
        gaps = np.minimum(rng.zipf(1.8, count), 2**22)
    else:
        gaps = rng.integers(1, max(2 * (2**32 // count) - 2, 3), count)
    sums = np.cumsum(gaps)
    return sums[sums < 2**32 - 1].astype(np.uint32)


def queries_of(keys: U32, count: int, seed: int) -> U32:
    """Queries in random order."""
    rng = np.random.default_rng(seed)
    present = rng.random(count) < 0.8
    chosen = keys[rng.integers(0, keys.size, count)]
    return np.where(present, chosen, rng.integers(0, 2**32, count, np.uint32))


def compare(keys: U32, queries: U32) -> I64:
    """``np.searchsorted``, and -1 where the key is another."""
    slots = np.searchsorted(keys, queries)
    same = keys[np.minimum(slots, keys.size - 1)] == queries
    return np.where(same, slots, -1)


def compare_in_order(keys: U32, queries: U32) -> I64:
    """The same with the queries sorted first, and the answers put back."""
    order = np.argsort(queries)
    positions = np.empty(queries.size, np.int64)
    positions[order] = compare(keys, queries[order])
    return positions


def small(key_count: int, query_count: int, rival: Callable[[U32, U32], I64]) -> tuple[Call, Call]:
    """Few queries, new ones in each call."""
    keys = keys_of(key_count, "uniform")
    total = max(20_000, 400 * query_count)
    batches = list(queries_of(keys, total, 1).reshape(-1, query_count))
    return cycle(batches, partial(find_sorted, keys)), cycle(batches, partial(rival, keys))


def against_hash(key_count: int, query_count: int, kind: str) -> tuple[Call, Call]:
    """Many random queries, against a pandas index whose hash table is built."""
    import pandas as pd

    keys = keys_of(key_count, kind)
    queries = queries_of(keys, query_count, 2)
    index: Any = pd.Index(keys)
    index.get_indexer(queries[:10])
    return lambda: find_sorted(keys, queries), lambda: index.get_indexer(queries)


def ascending(key_count: int, query_count: int) -> tuple[Call, Call]:
    """Many ascending queries, against ``np.searchsorted`` alone."""
    keys = keys_of(key_count, "uniform")
    queries = np.sort(queries_of(keys, query_count, 3))
    return lambda: find_sorted(keys, queries), lambda: np.searchsorted(keys, queries)


def searched(key_count: int, query_count: int) -> int:
    """Bytes: queries, positions, and a line of the keys for each, if it takes not all of them."""
    return (4 + 8) * query_count + min(4 * key_count, 64 * query_count)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    first, last = scale.key_counts[0], scale.key_counts[-1]
    one, some = searched(first, 1), searched(first, 1000)
    yield Row("search 1", partial(small, first, 1, compare), 0.5, 0.2, 2000, moved=one)
    make = partial(small, first, 1000, compare_in_order)
    yield Row("search 1k", make, 0.1, 0.05, 100, moved=some)
    many = scale.query_count
    for count in scale.key_counts:
        name = f"search 10M in {count >> 20} M"
        moved = searched(count, many)
        make = partial(against_hash, count, many, "uniform")
        yield Row(name, make, 0.35, 0.2, rival="pandas", moved=moved)
    moved = searched(last, many)
    yield Row("search sorted", partial(ascending, last, many), 0.2, 0.06, moved=moved)
    keys_of.cache_clear()
    for kind in ("clustered", "zipf", "dense"):
        name = f"search skewed {kind}"
        make, moved = partial(against_hash, first, many, kind), searched(first, many)
        yield Row(name, make, 0.5, 0.25, rival="pandas", moved=moved)
    keys_of.cache_clear()
