"""Key tables in memory: external ids to dense positions, in order of first appearance.

Keys come in batches, of any size and with repeats; each new key takes the next position. Batches
are looked up on all threads and only what was absent is inserted, serially, so that positions
depend on the order of the keys alone and never on the number of threads.
"""

from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, MAX_IDS, U8, U32
from nkgraph.errors import GraphError, LimitError

Word = TypeVar("Word", np.int64, np.uint8)

BATCH = 1 << 19
"""Keys looked up before the absent ones are inserted: their slots still lie in the cache then."""
SMALL_RANGE = 1 << 16
"""Integers that span no more than this have a direct table, however few they are."""
DIRECT_FACTOR = 4
"""Else the span may be this many times the number of keys."""


def _grown(array: NDArray[Word], used: int, needed: int) -> NDArray[Word]:
    """Return ``array`` or, where it is too short, a longer one that starts with its content."""
    if needed <= array.size:
        return array
    longer = np.empty(max(needed, array.size + (array.size >> 1), 64), array.dtype)
    longer[:used] = array[:used]
    return longer


class _Slots:
    """The pairs of an open addressing table; see ``nkgraph.kernels.keys``."""

    def __init__(self, capacity: int) -> None:
        bits = max(4, (capacity * 3 // 2).bit_length())
        self.slots: I64 = np.zeros(2 << bits, np.int64)
        self.shift = 64 - bits

    def reserve(self, count: int, more: int) -> None:
        """Make room for ``more`` keys; a third of the slots stays free."""
        if (count + more) * 3 <= self.slots.size:
            return
        # The new table first: a failed allocation leaves the old one in place.
        fresh = _Slots(max(count + more, self.slots.size // 2))
        kernels.keys.move_slots(self.slots, fresh.shift, fresh.slots)
        self.slots, self.shift = fresh.slots, fresh.shift


class IntKeys:
    """Integer keys and their positions.

    Parameters
    ----------
    capacity : int, optional
        Distinct keys to make room for at once.

    Notes
    -----
    About 24 to 60 bytes a distinct key. Keys that span at most four times their number are kept in
    a direct table of 4 bytes a value instead, until wider ones come.

    Examples
    --------
    >>> table = IntKeys()
    >>> table.insert(np.array([70, 7, 70, 5])).tolist()
    [0, 1, 0, 2]
    >>> table.find(np.array([5, 6])).tolist()
    [2, -1]
    >>> table.keys().tolist()
    [70, 7, 5]
    """

    def __init__(self, capacity: int = 0) -> None:
        self._count = 0
        self._keys: I64 = np.empty(capacity, np.int64)
        self._capacity = capacity
        self._slots: _Slots | None = None
        self._direct: U32 | None = np.zeros(0, np.uint32)
        self._base = 0

    def __len__(self) -> int:
        return self._count

    def keys(self) -> I64:
        """Return the keys in order of position, (len,) int64, read-only; no copy."""
        return read_only(self._keys[: self._count])

    def find(self, keys: NDArray[np.integer]) -> I64:
        """Return the position of each key, (k,) int64, -1 where it is absent; O(k)."""
        values, wide = _as_int64(keys)
        positions = np.empty(values.size, np.int64)
        self._find(values, positions)
        if wide is not None:
            positions[wide] = -1
        return positions

    def insert(self, keys: NDArray[np.integer]) -> I64:
        """Return the position of each key, (k,) int64; new keys take the next positions.

        Raises
        ------
        GraphError
            A key is above 2**63 - 1; nothing is inserted.
        LimitError
            More distinct keys than a graph can have nodes.
        """
        values, wide = _as_int64(keys)
        if wide is not None:
            row = int(wide.argmax())
            raise GraphError(f"key {row}: {keys[row]} does not fit a 64-bit signed integer")
        positions = np.empty(values.size, np.int64)
        if values.size == 0:
            return positions
        self._choose(int(values.min()), int(values.max()), values.size)
        for start in range(0, values.size, BATCH):
            part = slice(start, start + BATCH)
            self._insert(values[part], positions[part])
        return positions

    def _find(self, values: I64, positions: I64) -> int:
        if self._direct is not None:
            find = partial(kernels.keys.find_direct, self._direct, np.int64(self._base), values)
        elif self._slots is not None:
            find = partial(kernels.keys.find_ints, self._slots.slots, self._slots.shift, values)
        ranges = threads.split(values.size)
        return _total(threads.run([partial(find, *ends, positions) for ends in ranges]))

    def _insert(self, values: I64, positions: I64) -> None:
        missing = self._find(values, positions)
        if missing == 0:
            return
        _check_room(self._count + missing)
        self._keys = _grown(self._keys, self._count, self._count + missing)
        if self._direct is not None:
            base = np.int64(self._base)
            self._count = kernels.keys.insert_direct(
                self._direct, base, self._keys, self._count, values, positions
            )
        elif self._slots is not None:
            self._slots.reserve(self._count, missing)
            slots = self._slots
            self._count = kernels.keys.insert_ints(
                slots.slots, slots.shift, self._keys, self._count, values, positions
            )

    def _choose(self, low: int, high: int, size: int) -> None:
        """Widen the direct table over ``low..high``, or leave it for a hash table, for good."""
        if self._direct is None:
            return
        base, stop = self._base, self._base + self._direct.size
        if self._direct.size == 0:
            base, stop = low, high + 1
        elif base <= low and high < stop:
            return
        else:
            # Twice the old span at least, on the side that grew: widening is amortised.
            if low < base:
                base = max(min(low, stop - 2 * self._direct.size), -(2**63))
            if high >= stop:
                stop = max(high + 1, base + 2 * self._direct.size)
        most = max(self._capacity, self._count, size)
        if max(high + 1, stop) - base <= max(SMALL_RANGE, DIRECT_FACTOR * most):
            wider = np.zeros(stop - base, np.uint32)
            at = self._base - base if self._direct.size else 0
            wider[at : at + self._direct.size] = self._direct
            self._direct, self._base = wider, base
        else:
            slots = _Slots(max(self._capacity, self._count))
            kernels.keys.rehash(self._keys, self._count, slots.shift, slots.slots)
            self._slots, self._direct = slots, None


class TextKeys:
    """Texts and their positions; a text is bytes, compared byte by byte.

    Parameters
    ----------
    capacity : int, optional
        Distinct texts to make room for at once.

    Notes
    -----
    About 40 to 70 bytes a distinct text, and the text itself.

    Examples
    --------
    >>> table = TextKeys()
    >>> table.insert(np.array([0, 2, 3, 5]), np.frombuffer(b"abcab", np.uint8)).tolist()
    [0, 1, 0]
    >>> offsets, data = table.texts()
    >>> offsets.tolist(), data.tobytes()
    ([0, 2, 3], b'abc')
    """

    def __init__(self, capacity: int = 0) -> None:
        self._count = 0
        self._slots = _Slots(capacity)
        self._hashes: I64 = np.empty(capacity, np.int64)
        self._offsets: I64 = np.zeros(capacity + 1, np.int64)
        self._data: U8 = np.empty(0, np.uint8)

    def __len__(self) -> int:
        return self._count

    def texts(self) -> tuple[I64, U8]:
        """Return offsets (len + 1,) int64 and data uint8, in order of position; no copy."""
        data = self._data[: int(self._offsets[self._count])].view()
        data.flags.writeable = False
        return read_only(self._offsets[: self._count + 1]), data

    def find(self, offsets: I64, data: U8) -> I64:
        """Return the position of each text, (k,) int64, -1 where it is absent.

        Parameters
        ----------
        offsets : (k + 1,) int64
            Text i is ``data[offsets[i]:offsets[i + 1]]``.
        data : (b,) uint8

        Raises
        ------
        GraphError
            The offsets are not ascending, or reach over the data.
        """
        offsets, data = _as_texts(offsets, data)
        positions = np.empty(offsets.size - 1, np.int64)
        self._find(offsets, data, _hash(offsets, data), positions)
        return positions

    def insert(self, offsets: I64, data: U8) -> I64:
        """Return the position of each text, (k,) int64; new texts take the next positions.

        Raises as ``find``, and LimitError for more distinct texts than a graph can have nodes.
        """
        offsets, data = _as_texts(offsets, data)
        hashes = _hash(offsets, data)
        positions = np.empty(hashes.size, np.int64)
        for start in range(0, hashes.size, BATCH):
            part = slice(start, start + BATCH)
            self._insert(offsets[start : start + BATCH + 1], data, hashes[part], positions[part])
        return positions

    def _find(self, offsets: I64, data: U8, hashes: I64, positions: I64) -> int:
        find = partial(
            kernels.keys.find_texts,
            self._slots.slots,
            self._slots.shift,
            self._offsets,
            self._data,
            offsets,
            data,
            hashes,
        )
        ranges = threads.split(hashes.size)
        return _total(threads.run([partial(find, *ends, positions) for ends in ranges]))

    def _insert(self, offsets: I64, data: U8, hashes: I64, positions: I64) -> None:
        missing = self._find(offsets, data, hashes, positions)
        if missing == 0:
            return
        count = self._count
        _check_room(count + missing)
        absent = int(np.diff(offsets)[positions < 0].sum())
        used = int(self._offsets[count])
        self._hashes = _grown(self._hashes, count, count + missing)
        self._offsets = _grown(self._offsets, count + 1, count + missing + 1)
        self._data = _grown(self._data, used, used + absent)
        self._slots.reserve(count, missing)
        self._count = kernels.keys.insert_texts(
            self._slots.slots,
            self._slots.shift,
            self._hashes,
            self._offsets,
            self._data,
            count,
            offsets,
            data,
            hashes,
            positions,
        )


def _total(counts: list[object]) -> int:
    return sum(count for count in counts if isinstance(count, int))


def _check_room(count: int) -> None:
    if count > MAX_IDS:
        raise LimitError(f"{count} keys, but a graph can have at most {MAX_IDS} nodes")


def _as_int64(keys: NDArray[np.integer]) -> tuple[I64, NDArray[np.bool_] | None]:
    """Return the keys as int64, contiguous, read-only, and which of them do not fit it."""
    if keys.ndim != 1 or keys.dtype.kind not in "iu":
        raise GraphError(f"keys: expected a row of integers, found {keys.ndim}-d {keys.dtype}")
    wide = None
    if keys.dtype == np.uint64:
        above = keys > np.uint64(2**63 - 1)
        wide = above if above.any() else None
    return read_only(np.ascontiguousarray(keys).astype(np.int64, copy=False)), wide


def _as_texts(offsets: I64, data: U8) -> tuple[I64, U8]:
    if offsets.ndim != 1 or offsets.size == 0 or offsets.dtype != np.int64:
        raise GraphError("text offsets: expected a row of k + 1 int64")
    if data.ndim != 1 or data.dtype != np.uint8:
        raise GraphError(f"text data: expected a row of uint8, found {data.ndim}-d {data.dtype}")
    if offsets[0] < 0 or offsets[-1] > data.size or (offsets[1:] < offsets[:-1]).any():
        raise GraphError(f"text offsets: expected ascending ones in 0..{data.size}")
    view = np.ascontiguousarray(data).view()
    view.flags.writeable = False
    return read_only(np.ascontiguousarray(offsets)), view


def _hash(offsets: I64, data: U8) -> I64:
    hashes = np.empty(offsets.size - 1, np.int64)
    jobs = threads.split(hashes.size)
    threads.run([partial(kernels.keys.hash_texts, offsets, data, *job, hashes) for job in jobs])
    return read_only(hashes)
