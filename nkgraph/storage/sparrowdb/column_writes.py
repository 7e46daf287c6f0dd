"""Turn new words of a column into writes to its two files.

Three numbers say what a column held before:

    old    complete words of the file
    clean  slots below it are nodes, or were written by this store; what files hold at or above it
           was left by a writer that died before it raised the mark
    until  slots below it are nodes, or written, once the change is made; at least ``clean``

Slots at or above ``min(old, clean)`` have no value, whatever the files say: words and bits that
lie there become 0 unless they are written now.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U64, Bool
from nkgraph.storage.sparrowdb import node_files
from nkgraph.storage.sparrowdb.changes import Change

ALL, NONZERO = "all", "nonzero"
"""Which words of a column without a bitmap count as values once it gets one."""
_SPREAD = 8
"""A range may hold so many slots a word before it is cut where nothing is written."""
_GAP = 512
"""Slots between two words that are worth a write of their own."""


@dataclass(frozen=True)
class Fresh:
    """Slots that become nodes: see ``clean`` and ``until`` above."""

    clean: int
    until: int


class ColumnWrites:
    """The writes to one column, and what its files held.

    Parameters
    ----------
    change : Change
        Where writes are put down.
    label, col : int
    fresh : Fresh
    missing_bitmap : str
        ``NONZERO`` or ``ALL``.
    """

    def __init__(
        self, change: Change, label: int, col: int, fresh: Fresh, missing_bitmap: str
    ) -> None:
        root = change.root
        self._change, self._col, self._fresh = change, col, fresh
        self._missing_bitmap = missing_bitmap
        self.path = node_files.column_path(root, label, col)
        self.bitmap_path = node_files.bitmap_path(root, label, col)
        self._size = node_files.file_size(self.path)
        self.old = (self._size or 0) // 8
        held = node_files.words(root, label, col)
        self._words: U64 = read_only(np.zeros(0, np.uint64)) if held is None else held
        self._bitmap: U8 | None = None
        if node_files.file_size(self.bitmap_path) is not None:
            self._bitmap = node_files.bitmap(root, label, col)

    @property
    def has_bitmap(self) -> bool:
        """Whether the column has a bitmap."""
        return self._bitmap is not None

    def add(self, slots: I64, words: U64, present: Bool | None, ordered: bool = False) -> None:
        """Write words, and set the bits of those that are values; a later row wins.

        Parameters
        ----------
        slots : (k,) int64
            At least one; in any order.
        words : (k,) uint64
        present : (k,) bool or None
            Which words are values; None if all. A bit that is set stays.
        ordered : bool
            Whether words must be durable before their bits are set: for slots that are nodes.
        """
        slots, words = read_only(slots), read_only(words)
        values = slots if present is None else read_only(slots[present])
        top = int(slots.max()) + 1
        born = values.size > 0 and self._bitmap is None
        if born:
            # A column without a bitmap has a value in every slot, so the bitmap comes first.
            if self._size is None:
                self._change.write(self.bitmap_path, *self._new_bits(values))
            else:
                self._publish_bitmap(values)
            if self._fresh.clean:
                self._change.barrier()
        self.scrub(top)
        for low, high, rows in _ranges(slots):
            buffer = self._old_words(low, high)
            chosen = (slots, words) if rows is None else (slots[rows], words[rows])
            kernels.words.scatter_words(*map(read_only, chosen), low, buffer)
            self._change.write(self.path, 8 * low, buffer)
        if self._bitmap is not None and values.size:
            if ordered:
                self._change.barrier()
            for first, last, rows in _ranges(read_only(values >> 3)):
                self._set_bits(first, last, values if rows is None else values[rows], top)

    def scrub(self, top: int) -> None:
        """Blank what lies where there is no value, in slots below ``until`` and below ``top``."""
        end = max(top, self._fresh.until)
        whole = -(-(self._size or 0) // 8)
        start = min(self._fresh.clean, self.old) if top > self.old else self._fresh.clean
        stop = min(end, whole)
        if start < stop:
            self._change.write(self.path, 8 * start, np.zeros(stop - start, np.uint64))
        empty = min(self.old, self._fresh.clean)
        if self._bitmap is not None and empty < min(end, 8 * self._bitmap.size):
            first, last = empty >> 3, min(-(-end // 8), self._bitmap.size)
            bits = self._old_bits(first, last, end)
            if not np.array_equal(bits, self._bitmap[first:last]):
                self._change.write(self.bitmap_path, first, bits)

    def extend(self, count: int) -> None:
        """Make the column ``count`` words long if it is shorter."""
        if count > self.old:
            self._change.extend(self.path, 8 * count)

    def _old_words(self, low: int, high: int) -> U64:
        """Words of a range of slots, 0 where there is no value."""
        buffer = np.zeros(high - low, np.uint64)
        held = self._words[low : max(low, min(high, self.old, self._fresh.clean))]
        buffer[: held.size] = held
        return buffer

    def _old_bits(self, first: int, last: int, end: int) -> U8:
        """Bytes of the bitmap, with the bits cleared of slots below ``end`` that have no value."""
        bits = np.zeros(last - first, np.uint8)
        if self._bitmap is not None:
            held = self._bitmap[first:last]
            bits[: held.size] = held
        empty = min(self.old, self._fresh.clean)
        start, stop = max(empty, 8 * first), min(end, 8 * last)
        if start < stop:
            keep = np.unpackbits(bits, bitorder="little")
            keep[start - 8 * first : stop - 8 * first] = 0
            bits = np.packbits(keep, bitorder="little")
        return bits

    def _set_bits(self, first: int, last: int, values: I64, top: int) -> None:
        bits = self._old_bits(first, last, max(top, self._fresh.until))
        before = bits.copy()
        kernels.bitmap.set_bits(read_only(values), first, bits)
        held = self._bitmap[first:last] if self._bitmap is not None else before
        if held.size < bits.size or not np.array_equal(bits, held):
            self._change.write(self.bitmap_path, first, bits)

    def _new_bits(self, values: I64) -> tuple[int, U8]:
        """A bitmap with the bits of some slots alone."""
        first, last = int(values.min()) >> 3, (int(values.max()) >> 3) + 1
        bits = np.zeros(last - first, np.uint8)
        kernels.bitmap.set_bits(read_only(values), first, bits)
        return first, bits

    def _publish_bitmap(self, values: I64) -> None:
        """Give a column that has words its first bitmap."""
        held = self._words[: min(self.old, self._fresh.clean)]
        present = (held != np.uint64(0)) | (self._missing_bitmap == ALL)
        if self._col == 0:
            present &= held != np.uint64(node_files.TOMBSTONE)
        rows = np.flatnonzero(present)
        last = int(max(values.max(), rows[-1] if rows.size else 0))
        bits = np.zeros((last >> 3) + 1, np.uint8)
        kernels.bitmap.set_bits(read_only(rows), 0, bits)
        kernels.bitmap.set_bits(read_only(values), 0, bits)
        self._change.publish(self.bitmap_path, bits)


def _ranges(slots: I64) -> Iterator[tuple[int, int, I64 | None]]:
    """Cut into ranges worth one write each: first, last + 1, and their rows in the order given.

    One range where slots lie close, with None for all rows.
    """
    low, high = int(slots.min()), int(slots.max()) + 1
    if high - low <= _SPREAD * slots.size + _GAP:
        yield low, high, None
        return
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    cuts = np.flatnonzero(np.diff(ordered) > _GAP) + 1
    edges = [0, *cuts.tolist(), slots.size]
    for start, stop in pairwise(edges):
        yield int(ordered[start]), int(ordered[stop - 1]) + 1, order[start:stop]


def blank_stale(
    change: Change, label: int, fresh: Fresh, written: set[int], missing_bitmap: str
) -> None:
    """Blank what a dead writer left in the other columns of slots that become nodes."""
    if fresh.clean < fresh.until:
        for col in node_files.column_ids(change.root, label):
            if col not in written:
                ColumnWrites(change, label, col, fresh, missing_bitmap).scrub(0)
