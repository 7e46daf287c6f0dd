"""What a node store reads: columns, bitmaps and heap as maps; nodes one by one and in batches."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U64, Bool
from nkgraph.errors import ClosedError, FormatError, NotFoundError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.sparrowdb import compaction, node_files, string_heap, values
from nkgraph.storage.sparrowdb.node_arguments import integers, node_id, number, numbers
from nkgraph.storage.sparrowdb.string_heap import Heap
from nkgraph.storage.words import gather_into

_NO_BYTES: U8 = read_only(np.zeros(0, np.uint8))
_NO_WORDS: U64 = read_only(np.zeros(0, np.uint64))
_ABSENT, _SHORT, _FOUND = range(3)


class NodeReads:
    """The reading half of ``NodeStore``; it never writes.

    Files are looked at anew in each call, and mapped again when they have grown: a reader sees
    what another process has written so far, committed or not, and one that must not see a batch
    half-way keeps to slots below the mark. No reader may be at work on slots beyond the mark while
    a writer in another process takes back a failed batch: that shortens files under its maps.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._closed = False
        self._maps: dict[Path, tuple[tuple[int, int], np.ndarray]] = {}

    @property
    def path(self) -> Path:
        """The database directory."""
        return self._root

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the node store of {self._root} is closed")

    def _map(self, path: Path, dtype: np.dtype) -> np.ndarray | None:
        """Map a file, or take the map at hand if the file is still that long."""
        self._check_open()
        try:
            found = path.stat()
        except FileNotFoundError:
            self._maps.pop(path, None)
            return None
        state = (found.st_ino, found.st_size)
        held = self._maps.get(path)
        if held is not None and held[0] == state:
            return held[1]
        mapped = node_files.map_items(path, dtype)
        if mapped is not None:
            self._maps[path] = (state, mapped)
        return mapped

    def _words(self, label: int, col: int) -> U64 | None:
        return self._map(node_files.column_path(self._root, label, col), node_files.WORDS)

    def _bitmap(self, label: int, col: int) -> U8 | None:
        return self._map(node_files.bitmap_path(self._root, label, col), node_files.BYTES)

    @property
    def heap(self) -> Heap:
        """The heap as it is now."""
        path = self._root / string_heap.NAME
        data = self._map(path, node_files.BYTES)
        return Heap(path, _NO_BYTES if data is None else data)

    def _heap_of(self, *words: int) -> Heap:
        """The heap if a word points into it; integers and short strings must not need it."""
        if any(word >> 56 in (values.HEAP, values.FLOAT) for word in words):
            return self.heap
        return Heap(self._root / string_heap.NAME, _NO_BYTES)

    # -- marks and columns ---------------------------------------------------------------------

    def col_ids_for_label(self, label: SupportsIndex) -> list[int]:
        """Ids of the columns of a label, ascending; none for an unknown label.

        As the engine lists them: a name such as ``col_007.bin`` counts, though nothing reads it.
        """
        self._check_open()
        return node_files.listed_column_ids(self._root, number(label, "label"))

    def read_col_all(self, label: SupportsIndex, col: SupportsIndex) -> U64:
        """All complete words of a column, (n,) uint64, read-only over its map."""
        found = self._words(number(label, "label"), number(col, "column"))
        return _NO_WORDS if found is None else found

    def deleted(self, label: SupportsIndex, slots: ArrayLike) -> Bool:
        """Which slots hold deleted nodes, (k,) bool. A slot behind the end of column 0 does not."""
        words = self._gather(number(label, "label"), 0, integers(slots, "slot"))
        gone: Bool = words == np.uint64(node_files.TOMBSTONE)
        return gone

    # -- one node ------------------------------------------------------------------------------

    def _word(self, label: int, slot: int, col: int) -> tuple[int, int]:
        """The word of a slot, and whether there is one."""
        words = self._words(label, col)
        if words is None:
            return _ABSENT, 0
        return (_FOUND, int(words[slot])) if slot < words.size else (_SHORT, 0)

    def get_node_raw(
        self, node: SupportsIndex, cols: Iterable[SupportsIndex]
    ) -> list[tuple[int, int]]:
        """(column, word) of each requested column, in the order of the request.

        A column without a file reads as 0. Neither mark nor bitmap nor deletion is looked at.

        Raises
        ------
        NotFoundError
            A column ends before the slot.
        """
        label, slot = node_id(node)
        found = []
        for col in numbers(cols, "column"):
            state, word = self._word(label, slot, col)
            if state == _SHORT:
                raise NotFoundError(f"label {label}: column {col} ends before slot {slot}")
            found.append((col, word))
        return found

    def get_node(
        self, node: SupportsIndex, cols: Iterable[SupportsIndex]
    ) -> list[tuple[int, int | float | bytes]]:
        """As ``get_node_raw``, with the words decoded."""
        label, slot = node_id(node)
        found = []
        for col, word in self.get_node_raw(node, cols):
            where = node_files.column_path(self._root, label, col)
            found.append((col, values.decode_one(word, self._heap_of(word), where, slot)))
        return found

    def get_node_raw_nullable(
        self, node: SupportsIndex, cols: Iterable[SupportsIndex]
    ) -> list[tuple[int, int | None]]:
        """As ``get_node_raw``, with None where the node has no such property."""
        label, slot = node_id(node)
        found: list[tuple[int, int | None]] = []
        for col in numbers(cols, "column"):
            state, word = self._word(label, slot, col)
            there = state == _FOUND and self._has_bit(label, slot, col)
            found.append((col, word if there else None))
        return found

    def _has_bit(self, label: int, slot: int, col: int) -> bool:
        bits = self._bitmap(label, col)
        if bits is None:
            return True
        return slot >> 3 < bits.size and bool(bits[slot >> 3] >> (slot & 7) & 1)

    # -- batches -------------------------------------------------------------------------------

    def _gather(self, label: int, col: int, slots: I64) -> U64:
        out = np.zeros(slots.size, np.uint64)
        found = self._words(label, col)
        if found is not None:
            gather_into([found], slots.view(np.uint64), out.reshape(1, -1))
        return out

    def batch_read_node_props(
        self, label: SupportsIndex, slots: ArrayLike, cols: Iterable[SupportsIndex]
    ) -> U64:
        """Words of many nodes, (k, c) uint64: a row for each slot, in the order of the request.

        Parameters
        ----------
        label : int
        slots : (k,) integers
            In any order; the same slot may come twice.
        cols : c integers

        Returns
        -------
        (k, c) uint64
            0 where a column has no file or ends before the slot. Neither mark nor bitmap nor
            deletion is looked at: 0 may be an integer, see ``batch_read_node_props_nullable``.
            In memory each column is contiguous.

        Notes
        -----
        O(k * c). Slots are taken as they come, whatever their share of the nodes: to sort them
        first, or to sweep the column, never costs less; see ``storage.words``.
        """
        label, wanted = number(label, "label"), integers(slots, "slot")
        cols = numbers(cols, "column")
        out = np.empty((len(cols), wanted.size), np.uint64)
        held = [self._words(label, col) for col in cols]
        found = [_NO_WORDS if part is None else part for part in held]
        gather_into(found, wanted.view(np.uint64), out)
        return out.T

    def batch_read_node_props_nullable(
        self, label: SupportsIndex, slots: ArrayLike, cols: Iterable[SupportsIndex]
    ) -> tuple[U64, Bool]:
        """Words of many nodes, and which of them are values; both (k, c).

        A slot behind the end of a column has no value; with a bitmap its bit decides; without
        one every slot of the column has a value. Words without a value are as they lie.
        """
        wanted, cols = integers(slots, "slot"), numbers(cols, "column")
        words = self.batch_read_node_props(label, wanted, cols)
        present = np.zeros(words.shape, bool)
        for place, col in enumerate(cols):
            present[:, place] = self._present(number(label, "label"), col, wanted)
        return words, present

    def _present(self, label: int, col: int, slots: I64) -> Bool:
        found, bits = self._words(label, col), self._bitmap(label, col)
        if found is None:
            return np.zeros(slots.size, bool)
        inside = slots < found.size
        if bits is None:
            return inside
        present = np.empty(slots.size, bool)
        kernels.bitmap.gather_bits(bits, read_only(slots), present)
        return present & inside

    def batch_read_node_columns(
        self, label: SupportsIndex, slots: ArrayLike, cols: Iterable[SupportsIndex]
    ) -> list[AnyColumn]:
        """Decode properties of many nodes to storage columns; text must be UTF-8.

        The deletion mark, and an absent property, are no values.
        """
        label, wanted = number(label, "label"), integers(slots, "slot")
        return [
            values.decode_words(words, present, self.heap, where, wanted)
            for words, present, where in self._parts(label, wanted, numbers(cols, "column"))
        ]

    def batch_read_node_values(
        self,
        label: SupportsIndex,
        slots: ArrayLike,
        cols: Iterable[SupportsIndex],
        binary: bool = False,
    ) -> list[tuple[np.ndarray, Bool | None]]:
        """Decode properties of many nodes to NumPy arrays.

        Parameters
        ----------
        label : int
        slots : (k,) integers
        cols : c integers
        binary : bool
            Whether byte strings come as ``bytes``, in an object array, rather than as text.

        Returns
        -------
        list of (values, valid)
            For each column. ``values`` is int64, float64, StringDType, or object where kinds
            differ or nothing is there; ``valid`` is None if every row has a value. The deletion
            mark is no value.

        Raises
        ------
        FormatError
            A pointer out of the heap; or bytes that are not UTF-8, unless ``binary``.
        """
        label, wanted = number(label, "label"), integers(slots, "slot")
        heap, found = self.heap, []
        for words, present, where in self._parts(label, wanted, numbers(cols, "column")):
            if binary and values.has_texts(words, present):
                found.append(values.decode_binary(words, present, heap, where, wanted))
            else:
                column = values.decode_words(words, present, heap, where, wanted)
                found.append(columns.to_user(column))
        return found

    def read_column_values(
        self, label: SupportsIndex, col: SupportsIndex, binary: bool = False
    ) -> tuple[np.ndarray, Bool | None]:
        """Decode a whole column, slots 0 to the mark, as ``batch_read_node_values`` does.

        Slots behind the end of the column, and removed nodes in column 0, have no value.
        """
        label, col = number(label, "label"), number(col, "column")
        count = self.disk_hwm_for_label(label)
        words, bits = self._words(label, col), self._bitmap(label, col)
        held = _NO_WORDS if words is None else words[:count]
        present = node_files.presence(words, bits, count)
        if held.size < count:
            held = np.concatenate([held, np.zeros(count - held.size, np.uint64)])
        if col == 0:
            present &= held != np.uint64(node_files.TOMBSTONE)
        where = node_files.column_path(self._root, label, col)
        if binary and values.has_texts(held, present):
            return values.decode_binary(held, present, self.heap, where)
        return columns.to_user(values.decode_words(held, present, self.heap, where))

    def disk_hwm_for_label(self, label: SupportsIndex) -> int:
        """Return the mark that the files of a label give; 0 for an unknown label."""
        self._check_open()
        return node_files.read_mark(self._root, number(label, "label"))[0]

    def _parts(self, label: int, slots: I64, cols: list[int]) -> list[tuple[U64, Bool, Path]]:
        parts = []
        for col in cols:
            words, present = self._gather(label, col, slots), self._present(label, col, slots)
            if col == 0:
                present &= words != np.uint64(node_files.TOMBSTONE)
            parts.append((words, present, node_files.column_path(self._root, label, col)))
        return parts

    # -- values --------------------------------------------------------------------------------

    def decode_raw_value(self, word: SupportsIndex) -> int | float | bytes:
        """Decode a word: an integer, a float or bytes.

        Raises
        ------
        FormatError
            It points out of the heap, or is a float whose length is not 8.
        """
        self._check_open()
        raw = number(word, "word", 1 << 64)
        heap = self._heap_of(raw)
        return values.decode_one(raw, heap, heap.path)

    def raw_str_matches(self, word: SupportsIndex, text: str | bytes) -> bool:
        """Whether a word holds exactly these bytes; text is compared as UTF-8.

        Numbers match nothing; nor does a pointer out of the heap.
        """
        self._check_open()
        raw = number(word, "word", 1 << 64)
        wanted = text.encode() if isinstance(text, str) else bytes(text)
        if raw >> 56 == values.INLINE:
            # As words, so that bytes behind a zero count; a zero at the end is no byte of a word.
            same = raw == values.INLINE << 56 | int.from_bytes(wanted, "little")
            return len(wanted) <= 7 and same and not wanted.endswith(b"\0")
        if raw >> 56 != values.HEAP:
            return False
        try:
            return values.decode_one(raw, self.heap, self.heap.path) == wanted
        except FormatError:
            return False

    def copy_compacted(
        self, path: str | os.PathLike[str], *, intern: bool = False
    ) -> tuple[int, int]:
        """Copy the whole database to a new directory, without heap bytes that nothing uses.

        Parameters
        ----------
        path : path
            A directory that is missing or empty.
        intern : bool
            Whether equal long strings of a column share their bytes.

        Returns
        -------
        (int, int)
            Bytes of the heap before and after.

        Raises
        ------
        GraphError
            The directory is not empty.
        FormatError
            A word points out of the heap.
        """
        self._check_open()
        return compaction.copy_compacted(self._root, Path(path), intern)

    @staticmethod
    def unpack_node_id(node: SupportsIndex) -> tuple[int, int]:
        """Label and slot of a node id.

        >>> NodeReads.unpack_node_id(12884901889)
        (3, 1)
        """
        return node_id(node)

    def close(self) -> None:
        """Let go of maps; arrays that were handed out stay valid. A second time does nothing."""
        self._maps.clear()
        self._closed = True

    def __fspath__(self) -> str:
        return os.fspath(self._root)
