"""Edge properties: ``edge_prop_offsets.bin`` and ``edge_prop_heap.bin`` (format 1), and the
older ``edge_properties.bin.zst`` (format 0).

    offsets  <u8  (edges + 1,)  edge i has heap[offsets[i]:offsets[i + 1]]
    heap     u1   (b,)          slots: empty, or u64 count and count x (u64 key hash, value)

Both are empty when no edge has a property. Properties of a slot are written by ascending hash.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U32, U64
from nkgraph.errors import FormatError
from nkgraph.storage import columns, values
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.kglite.cursor import Cursor
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.values import Values

Batch = tuple[U32, Mapping[int, AnyColumn]]
"""Edge ids, each at most once over all batches, and columns by key hash."""


def _stack() -> I64:
    return np.zeros(kernels.values.STACK_SIZE, np.int64)


class EdgeProperties:
    """Slots by edge id; edges beyond the last slot have no properties."""

    def __init__(self, offsets: U64, heap: U8, path: Path) -> None:
        self.offsets: U64 = read_only(offsets)
        self.heap: U8 = read_only(heap)
        self.path = path

    @classmethod
    def empty(cls) -> "EdgeProperties":
        """Return slots of no edge."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.uint8), Path("edge_prop_heap.bin"))

    def keys(self, edges: U32) -> U64:
        """Return the distinct key hashes in the slots of edges, ascending. O(their bytes)."""
        keys, known = np.zeros(64, np.uint64), 0
        if not self.offsets.size or not edges.size:
            return keys[:0]
        where = np.zeros(2, np.int64)
        while True:
            known = kernels.slots.slot_keys(
                self.offsets, self.heap, read_only(edges), keys, known, _stack(), where
            )
            if known < 0:
                raise self._error(known, where, edges)
            if known < keys.size:
                return np.sort(keys[:known])
            keys = np.concatenate([keys, np.zeros(keys.size, np.uint64)])

    def read(self, edges: U32, key: int) -> AnyColumn:
        """Return one property of edges. Allocates 9 bytes an edge; O(bytes of their slots)."""
        tags = np.full(edges.size, values.NULL, np.uint8)
        words = np.zeros(edges.size, np.uint64)
        where = np.zeros(2, np.int64)
        if self.offsets.size:
            status = kernels.slots.read_slots(
                self.offsets, self.heap, read_only(edges), np.uint64(key), tags, words,
                _stack(), where,
            )  # fmt: skip
            if status < 0:
                raise self._error(status, where, edges)
        found = Values(tags, words, self.heap)
        values.check_texts(self.path, found)
        return columns.from_values(found, self.path)

    def _error(self, status: int, where: I64, edges: U32) -> FormatError:
        field = f"property slot of edge {edges[int(where[1])]}"
        at = int(where[0])
        if status == kernels.values.UNKNOWN_TAG:
            return values.status_error(self.path, self.heap, status, at + 8, field)
        return values.status_error(self.path, self.heap, status, at, field)


class SegmentedEdgeProperties:
    """Slots of several segments, each by its local edge ids; asked by global ones."""

    def __init__(self, parts: Sequence[tuple[int, EdgeProperties]]) -> None:
        self._parts = [held for _, held in parts]
        self._bases: I64 = np.array([base for base, _ in parts], np.int64)

    @property
    def path(self) -> Path:
        """The heap of the first segment."""
        return self._parts[0].path

    def _split(self, edges: U32) -> list[tuple[EdgeProperties, I64, U32]]:
        places = np.searchsorted(self._bases, edges, side="right") - 1
        found = []
        for number, held in enumerate(self._parts):
            at = np.flatnonzero(places == number)
            if at.size:
                local = edges[at] - np.uint32(self._bases[number])
                found.append((held, at, local))
        return found

    def keys(self, edges: U32) -> U64:
        """Return the distinct key hashes in the slots of edges, ascending."""
        found: set[int] = set()
        for held, _, local in self._split(edges):
            found.update(held.keys(local).tolist())
        return np.array(sorted(found), np.uint64)

    def read(self, edges: U32, key: int) -> AnyColumn:
        """Return one property of edges; asks the segments concerned."""
        if not edges.size:
            return columns.absent(0)
        return columns.gather(
            [(at, partial(held.read, local, key)) for held, at, local in self._split(edges)]
        )


def encode(edge_count: int, batches: Sequence[Batch]) -> tuple[U64, U8]:
    """Write slots for ``edge_count`` edges.

    Parameters
    ----------
    edge_count : int
    batches : sequence of (edge ids, {key hash: column})
        No edge stands in two batches.

    Returns
    -------
    offsets : (edge_count + 1,) uint64, or (0,)
    heap : (b,) uint8

    Notes
    -----
    Two passes over the columns. Allocates 20 bytes an edge and the heap.
    """
    sizes = np.zeros(edge_count + 1, np.int64)
    counts = np.zeros(edge_count, np.uint32)
    work = []
    for edges, held in batches:
        for key in sorted(held):
            found = columns.to_values(held[key])
            work.append((read_only(edges), key, found))
            bad = kernels.slots.add_slot_sizes(
                read_only(edges), found.tags, found.words, found.heap, sizes[1:], counts, _stack()
            )
            if bad >= 0:
                raise AssertionError(f"value {bad} does not lie in its heap")
    if not counts.any():
        return np.zeros(0, np.uint64), np.zeros(0, np.uint8)
    offsets = np.cumsum(sizes, out=sizes).view(np.uint64)
    heap = np.empty(int(offsets[-1]), np.uint8)
    cursor = np.empty(edge_count, np.int64)
    kernels.slots.write_slot_counts(read_only(offsets), counts, cursor, heap)
    for edges, key, found in work:
        kernels.slots.write_slots(
            edges, np.uint64(key), found.tags, found.words, found.heap, cursor, heap, _stack()
        )
    return offsets, heap


def from_format_0(path: Path, data: bytes, edge_count: int) -> tuple[U64, U8, list[str]]:
    """Turn the content of ``edge_properties.bin.zst`` into slots of format 1.

    The older form is a map: u64 n, n x (u32 edge, u64 count, count x (text key, value)). It is
    read edge by edge: engines stopped writing it long before graphs grew large.

    Returns the slots and the names of the properties.
    """
    cursor = Cursor(path, data)
    array = np.frombuffer(data, np.uint8)
    stack = _stack()
    slots: dict[int, bytes] = {}
    names: set[str] = set()
    for _ in range(cursor.count("edges", 12)):
        at = cursor.at
        edge = cursor.u32("edge id")
        if edge >= edge_count:
            raise FormatError(path, "edge id", at, f"< {edge_count}", edge)
        found: dict[int, bytes] = {}
        for _ in range(cursor.count("properties", 12)):
            name = cursor.text64("property name")
            names.add(name)
            found[fnv1a(name)] = _value_bytes(cursor, array, stack)
        if found:
            head = len(found).to_bytes(8, "little")
            pairs = [key.to_bytes(8, "little") + found[key] for key in sorted(found)]
            slots[edge] = head + b"".join(pairs)
    cursor.end()
    sizes = np.zeros(edge_count + 1, np.int64)
    for edge, slot in slots.items():
        sizes[edge + 1] = len(slot)
    heap = b"".join(slots[edge] for edge in sorted(slots))
    return np.cumsum(sizes).view(np.uint64), np.frombuffer(heap, np.uint8), sorted(names)


def _value_bytes(cursor: Cursor, array: U8, stack: I64) -> bytes:
    at = cursor.at
    tag = cursor.u32("value tag")
    end = kernels.values.skip_payload(read_only(array), cursor.at, array.size, tag, stack)
    if end < 0:
        raise values.status_error(cursor.path, array, end, at, "value")
    cursor.at = end
    return cursor.data[at:end]
