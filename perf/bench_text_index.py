"""Rows *text index …*: sorting texts, look-ups of many and of few, prefixes, conditions.

Keys are names of the kinds that graphs have: links that share a long start, words, hex digits.
Look-ups are asked of a directory that was opened, with lists of str as users have them.
"""

import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import nkgraph as nk
from nkgraph.dtypes import TEXT
from nkgraph.front import open_graph
from nkgraph.storage.sorted_texts import SortedTexts
from nkgraph.storage.text import TextArray
from perf.harness import Call, Contest, Rival, Row, Scale, cycle

WORDS = ("amber", "birch", "cedar", "dune", "elm", "fjord", "grove", "heath", "isle", "jade")
KINDS = ("links", "words", "hex")
FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""Kept until the process ends."""


@cache
def texts_of(count: int, kind: str) -> list[str]:
    """Texts in random order; words come about twice."""
    numbers = np.random.default_rng(count).integers(0, 10**9, count).tolist()
    if kind == "links":
        return [f"http://www.wikidata.org/entity/Q{number}" for number in numbers]
    if kind == "words":
        step = [(number // 10, WORDS[number % 10]) for number in numbers]
        return [f"{word} {WORDS[rest % 10]} {rest % (count // 2)}" for rest, word in step]
    return [format(number * 2654435761 % 2**60, "x") for number in numbers]


def sorting(count: int, kind: str, rival: str) -> Contest:
    """Entries from a column, against the order of a StringDType array, or of a polars series."""
    strings = texts_of(count, kind)
    text, nodes = TextArray.from_list(strings), np.arange(count, dtype=np.uint32)
    ours = partial(SortedTexts.build, text, nodes)
    # texts and places read, the order and the places of the entries written
    moved = sum(map(len, strings)) + (8 + 8) * count
    if rival == "numpy":
        array = np.array(strings, TEXT)
        found = Rival(lambda: lambda: np.argsort(array, kind="stable"))
        return Contest(ours, {rival: found}, moved)
    import polars as pl

    series = pl.Series(strings)
    return Contest(ours, {rival: Rival(lambda: series.arg_sort)}, moved)


@cache
def opened(count: int, kind: str) -> nk.Graph:
    """A directory with an index, and as many nodes as there are different texts."""
    FOLDERS.append(tempfile.TemporaryDirectory())
    path = Path(FOLDERS[-1].name) / "g"
    g = nk.Graph()
    keys = list(dict.fromkeys(texts_of(count, kind)))
    g.add_nodes("T", np.arange(len(keys)), {"t": keys})
    g.create_index("T", "t")
    g.save(path)
    return open_graph(path)


def asked(count: int, kind: str, size: int, batches: int) -> list[list[str]]:
    """Batches of queries, four of five among the keys."""
    rng, keys = np.random.default_rng(size), texts_of(count, kind)
    chosen = rng.integers(0, len(keys), (batches, size)).tolist()
    absent = (rng.random((batches, size)) < 0.2).tolist()
    return [
        [keys[at] + "~" if gone else keys[at] for at, gone in zip(*batch, strict=True)]
        for batch in zip(chosen, absent, strict=True)
    ]


def looking_up(count: int, kind: str, size: int) -> Contest:
    """Equality, against a pandas index of str objects whose hash table is built."""
    import pandas as pd

    g, batches = opened(count, kind), asked(count, kind, size, max(4, 2000 // size))
    index: Any = pd.Index(np.array(list(dict.fromkeys(texts_of(count, kind))), object))
    index.get_indexer(batches[0])
    # each query and the key that it is compared with, both with their places, and the answer
    moved = 2 * sum(map(len, batches[0])) + (8 + 8 + 8) * size
    found = Rival(lambda: cycle(batches, index.get_indexer))
    return Contest(cycle(batches, partial(g.find_by_text, "T", "t")), {"pandas": found}, moved)


def by_prefix(count: int, kind: str, size: int) -> tuple[Call, Call]:
    """Prefixes, against two searches in a sorted StringDType array."""
    g = opened(count, kind)
    keys = np.array(sorted(set(texts_of(count, kind))), TEXT)
    batches = [[text[:-2] for text in batch] for batch in asked(count, kind, size, 20)]

    def rival(prefixes: list[str]) -> object:
        low = np.array(prefixes, TEXT)
        high = np.strings.add(low, "\U0010ffff")
        return np.searchsorted(keys, low), np.searchsorted(keys, high)

    return cycle(batches, partial(g.find_by_prefix, "T", "t")), cycle(batches, rival)


def condition(count: int, kind: str) -> tuple[Call, Call]:
    """``read_nodes(where=)``, against a look at every text of an array in memory."""
    g, array = opened(count, kind), np.array(texts_of(count, kind), TEXT)
    queries = asked(count, kind, 1, 50)
    ours = cycle(queries, lambda batch: g.read_nodes("T", ["id"], where={"t": batch[0]}))
    return ours, cycle(queries, lambda batch: np.flatnonzero(array == batch[0]))


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    count = scale.node_count
    for kind in KINDS:
        yield Row(f"text index build {kind}", partial(sorting, count, kind, "numpy"), 0.5, 0.3)
    for kind in KINDS:
        name = f"text index build {kind}, pl"
        yield Row(name, partial(sorting, count, kind, "polars"), 1.2, 0.8, rival="polars")
    for kind in KINDS:
        many = partial(looking_up, count, kind, count // 10)
        yield Row(f"text index 100k {kind}", many, 1.0, 0.7, rival="pandas")
    some, one = (partial(looking_up, count, "links", size) for size in (1000, 1))
    yield Row("text index 1k", some, 2.0, 1.0, 20, rival="pandas")
    yield Row("text index 1", one, 5.0, 2.0, 200, rival="pandas")
    yield Row("text index prefix 1k", partial(by_prefix, count, "links", 1000), 1.0, 0.5, 20)
    yield Row("text index where", partial(condition, count, "links"), 0.2, 0.1, 20)
    opened.cache_clear()
    texts_of.cache_clear()
