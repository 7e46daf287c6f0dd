"""A copy of a database whose heap holds only what words point to.

The heap only grows: what replaced or abandoned values had in it is never used again. Words of
columns and of edge properties point into it, so that it cannot change alone; a copy needs no step
that could be interrupted half-way.

    ROOT/edges/{table}/edge_props.bin   EDGE_PROPERTY records, see ``EDGE_PROPERTY``
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import U64
from nkgraph.errors import FormatError, GraphError
from nkgraph.storage import files
from nkgraph.storage.sparrowdb import node_files, string_heap, values
from nkgraph.storage.sparrowdb.changes import JOURNAL
from nkgraph.storage.sparrowdb.encoding import HeapTail, encode_column
from nkgraph.storage.sparrowdb.string_heap import Heap

EDGE_PROPERTY = np.dtype([("source", "<u8"), ("target", "<u8"), ("col", "<u4"), ("word", "<u8")])
"""A property of an edge, 28 bytes."""
_SKIPPED = frozenset({string_heap.NAME, JOURNAL, files.WriterLock.NAME})


def copy_compacted(root: Path, target: Path, intern: bool) -> tuple[int, int]:
    """Copy a database to a new directory; its heap bytes before and after.

    Raises
    ------
    GraphError
        ``target`` is not empty, or lies in the database.
    FormatError
        A word points out of the heap.
    """
    if target.resolve().is_relative_to(root.resolve()):
        raise GraphError(f"{target} lies in {root}: a compacted copy needs a place of its own")
    if target.exists() and any(target.iterdir()):
        raise GraphError(f"{target} is not empty: a compacted copy needs a directory of its own")
    made = not target.exists()
    target.mkdir(exist_ok=True)
    try:
        heap, tail = Heap.open(root), HeapTail(lambda: 0)
        for path, kind in _files(root):
            place = target / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "column":
                words, rest = _split(path, node_files.WORDS)
                words = _committed(root, path, words)
                files.write_file(place, [_moved(words, heap, tail, path, intern), rest])
            elif kind == "edges":
                records, rest = _split(path, EDGE_PROPERTY)
                moved = records.copy()
                moved["word"] = _moved(records["word"], heap, tail, path, intern)
                files.write_file(place, [moved.tobytes(), rest])
            else:
                shutil.copyfile(path, place)
                files.sync_files([place])
        if len(tail) or heap.path.exists():
            files.write_file(target / string_heap.NAME, [tail.joined()])
        for directory in sorted({place for place in target.rglob("*") if place.is_dir()}):
            files.fsync_directory(directory)
        files.fsync_directory(target)
    except BaseException:
        for child in target.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        if made:
            target.rmdir()
        raise
    return len(heap), len(tail)


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    """Files of a database in a fixed order, with those whose words move told apart."""
    for place, directories, names in os.walk(root):
        directories.sort()
        parts = Path(place).relative_to(root).parts
        for name in sorted(names):
            path = Path(place) / name
            if parts == () and name in _SKIPPED:
                continue
            if len(parts) == 2 and parts[0] == "nodes" and node_files.is_column(name):
                yield path, "column"
            elif len(parts) == 2 and parts[0] == "edges" and name == "edge_props.bin":
                yield path, "edges"
            else:
                yield path, "other"


def _split(path: Path, dtype: np.dtype) -> tuple[np.ndarray, bytes]:
    """The whole items of a file, and the bytes behind them."""
    data = path.read_bytes()
    whole = len(data) // dtype.itemsize * dtype.itemsize
    if dtype == EDGE_PROPERTY and whole != len(data):
        raise FormatError(path, "file size", 0, f"a multiple of {dtype.itemsize}", len(data))
    return np.frombuffer(data[:whole], dtype), data[whole:]


def _committed(root: Path, path: Path, words: U64) -> U64:
    """Words with 0 for what a dead writer left behind the mark."""
    label = path.parent.name
    if not label.isdecimal():
        return words
    kept = words.copy()
    kept[node_files.read_mark(root, int(label))[0] :] = 0
    return kept


def _moved(words: U64, heap: Heap, tail: HeapTail, path: Path, intern: bool) -> U64:
    """Words that point into a new heap."""
    moved = np.array(words, np.uint64)
    tags = moved >> np.uint64(56)
    values.survey(read_only(moved), values.ALL_VALID, heap, path)
    for tag in (values.HEAP, values.FLOAT):
        rows = np.flatnonzero(tags == np.uint64(tag))
        if not rows.size:
            continue
        if tag == values.HEAP:
            # Short strings without a zero byte move into their words.
            text = values.gather_texts(moved[rows], values.ALL_VALID, heap)
            moved[rows] = encode_column(text, tail, path.name, intern).words
        else:
            bits = np.empty(rows.size, np.uint64)
            pointers = read_only(moved[rows])
            kernels.words.decode_floats(pointers, values.ALL_VALID, heap.data, bits)
            moved[rows] = encode_column(bits.view(np.float64), tail, path.name).words
    return moved
