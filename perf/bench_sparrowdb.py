"""Rows *sparrowdb ...*: the node store, against numpy doing the least that such a job needs.

Files are new in each call and the page cache is warm; nothing is synced.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from time import perf_counter

import numpy as np

from nkgraph.dtypes import I64, U64
from nkgraph.storage.sparrowdb import NodeStore
from perf.harness import Call, Limit, Row, Scale

LABEL = 5
MILLION = 10**6
TEXTS = 100_000


@cache
def directory() -> tempfile.TemporaryDirectory[str]:
    """Where stores are written; goes with the process."""
    return tempfile.TemporaryDirectory()


def numbers(count: int) -> I64:
    """Integers of 50 bits."""
    return np.random.default_rng(count).integers(-(2**50), 2**50, count)


def fresh(name: str) -> Path:
    """A new empty directory."""
    return Path(tempfile.mkdtemp(prefix=name, dir=directory().name))


def timed_write(write: Callable[[NodeStore], object]) -> float:
    """Seconds of one write to a new store."""
    with NodeStore.open(fresh("write"), sync=False) as store:
        start = perf_counter()
        write(store)
        seconds = perf_counter() - start
    for path in sorted(store.path.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    return seconds


def batch_write() -> Callable[[], float]:
    """Encoded words of a million nodes, two columns, node after node."""
    words = numbers(2 * MILLION).view(np.uint64) & np.uint64(2**56 - 1)
    slots = np.repeat(np.arange(MILLION), 2)
    cols = np.tile([1, 2], MILLION)
    nodes = np.arange(MILLION)
    return partial(
        timed_write,
        lambda store: store.batch_write_node_creates(
            (np.full(slots.size, LABEL), cols, slots, words, np.ones(slots.size, bool)),
            (np.full(MILLION, LABEL), nodes),
        ),
    )


def column_write() -> Callable[[], float]:
    """The same as whole columns, encoded here."""
    first, second = numbers(MILLION), numbers(MILLION + 1)[1:]
    return partial(timed_write, lambda store: store.write_nodes(LABEL, None, {1: first, 2: second}))


@cache
def text_store() -> tuple[Path, list[str]]:
    """A store with a column of texts that lie in the heap."""
    texts = [f"a text of the heap, number {number}" * (1 + number % 3) for number in range(TEXTS)]
    path = fresh("texts")
    with NodeStore.open(path, sync=False) as store:
        store.write_nodes(LABEL, None, {1: texts})
        store.flush_hwms()
    return path, texts


@cache
def number_store(count: int) -> tuple[Path, U64]:
    """A store with two columns of integers, and the words of the first."""
    path = fresh("numbers")
    with NodeStore.open(path, sync=False) as store:
        store.write_nodes(LABEL, None, {1: numbers(count), 2: numbers(count)})
        store.flush_hwms()
        return path, np.array(store.read_col_all(LABEL, 1))


def seconds_of(call: Call) -> Callable[[], float]:
    """Give a call that returns seconds."""

    def timed() -> float:
        start = perf_counter()
        call()
        return perf_counter() - start

    return timed


def decode_numbers() -> tuple[Call, Call]:
    """All integers of a column, as it is read, against three numpy steps over the same words."""
    path, words = number_store(MILLION)
    store = NodeStore.open(path, "r")

    def rival() -> I64:
        assert (((words >> np.uint64(56)) - np.uint64(1)) >= np.uint64(3)).all()
        return (words << np.uint64(8)).view(np.int64) >> 8

    return lambda: store.read_column_values(LABEL, 1), rival


def decode_texts() -> tuple[Call, Call]:
    """All texts of a column, against slicing and decoding one by one."""
    path, texts = text_store()
    store = NodeStore.open(path, "r")
    words, heap = store.read_col_all(LABEL, 1), store.heap.data

    def rival() -> np.ndarray:
        data = heap.tobytes()
        starts = (words & np.uint64(2**40 - 1)).tolist()
        sizes = (words >> np.uint64(40) & np.uint64(2**16 - 1)).tolist()
        found = [data[at : at + size].decode() for at, size in zip(starts, sizes, strict=True)]
        return np.array(found, np.dtypes.StringDType())

    assert rival().tolist() == texts
    return lambda: store.read_column_values(LABEL, 1), rival


def batch_read(count: int, wanted: int) -> tuple[Call, Call]:
    """Words of chosen nodes, two columns, in random order, against fancy indexing."""
    path, words = number_store(count)
    store = NodeStore.open(path, "r")
    slots = np.random.default_rng(wanted).integers(0, count, wanted)

    def rival() -> U64:
        out = np.empty((wanted, 2), np.uint64)
        for place in range(2):
            out[:, place] = words[slots]
        return out

    return lambda: store.batch_read_node_props(LABEL, slots, [1, 2]), rival


def rows(scale: Scale) -> Iterator[Row | Limit]:
    """Give the rows of this stage."""
    yield Limit("sparrowdb batch write", batch_write, 0.3)
    yield Limit("sparrowdb column write", column_write, 0.3)
    yield Limit("sparrowdb 1 M integers", lambda: seconds_of(decode_numbers()[0]), 0.003)
    yield Limit("sparrowdb 100k texts", lambda: seconds_of(decode_texts()[0]), 0.015)
    yield Row("sparrowdb decode integers", decode_numbers, 0.8, 0.4, moved=16 * MILLION)
    yield Row("sparrowdb decode texts", decode_texts, 0.5, 0.2, rival="python")
    sparse, dense = scale.node_count >> 4, scale.node_count
    # two columns: a slot read, words written, and a line read for each word or all of them
    many = (8 + 2 * 8) * dense + 2 * min(8 * 16 * dense, 64 * dense)
    few = (8 + 2 * 8) * sparse + 2 * min(8 * dense, 64 * sparse)
    make = partial(batch_read, 16 * dense, dense)
    yield Row("sparrowdb read sparse", make, 1.0, 0.6, moved=many)
    yield Row("sparrowdb read few", partial(batch_read, dense, sparse), 1.5, 0.8, 50, moved=few)
