"""Values that a column is searched for, as arrays: one for each kind of value.

    integers  int64    that fit 64 bits with their sign
    floats    float64  and integers beyond those, where a float is equal
    booleans  bool
    texts     TextArray
    days      int64    dates, since 1970-01-01
    seconds   int64    timestamps, since 1970-01-01, without a fraction

What no typed column can hold has no place here. Arrays of values are taken over whole; nothing
is done value by value.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import F64, I64, U64, Bool
from nkgraph.errors import GraphError
from nkgraph.storage.columns import FixedColumn
from nkgraph.storage.keys import TextKeys
from nkgraph.storage.text import TextArray

FAR = 10**12
"""No date lies so many months from 1970: NumPy's conversion to days is exact below it."""
SECONDS = {"h": 3600, "m": 60, "s": 1}
FRACTIONS = {"ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
FEW = 1 << 12
"""Up to so many pairs of a row and a member, numpy is faster than building a set."""
SHORT = 32
"""Up to so many members, each row is compared with all."""
_TOP = 2.0**63


def _no_integers() -> I64:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Members:
    """The values of one search, apart by kind."""

    integers: I64 = field(default_factory=_no_integers)
    floats: F64 = field(default_factory=lambda: np.zeros(0))
    booleans: Bool = field(default_factory=lambda: np.zeros(0, bool))
    texts: TextArray = field(default_factory=TextArray.empty)
    days: I64 = field(default_factory=_no_integers)
    seconds: I64 = field(default_factory=_no_integers)

    @cached_property
    def whole(self) -> I64:
        """Numbers that an integer column can hold."""
        within = self.floats[(self.floats >= -_TOP) & (self.floats < _TOP)]
        within = within[np.floor(within) == within]
        return np.concatenate([self.integers, within.astype(np.int64)])

    @cached_property
    def real(self) -> F64:
        """Numbers that a float column can hold, -0.0 as 0.0; not NaN, which equals nothing."""
        near = self.integers.astype(np.float64)
        exact = near < _TOP  # those that were rounded up to it do not convert back
        exact[exact] = near[exact].astype(np.int64) == self.integers[exact]
        return np.concatenate([self.floats[~np.isnan(self.floats)], near[exact]]) + 0.0

    @cached_property
    def ascending(self) -> F64:
        """All numbers, each rounded to the nearest float."""
        known = self.floats[~np.isnan(self.floats)]
        return np.sort(np.concatenate([known, self.integers.astype(np.float64)]))

    @cached_property
    def hashes(self) -> U64:
        """``TextArray.hashes`` of the texts, ascending."""
        return np.sort(self.texts.hashes())

    @cached_property
    def _whole_set(self) -> "_Set":
        return _Set(self.whole.view(np.uint64))

    @cached_property
    def _real_set(self) -> "_Set":
        return _Set(self.real.view(np.uint64), real=True)

    @cached_property
    def _hash_set(self) -> "_Set":
        return _Set(_hashes(self.texts))

    @cached_property
    def _text_table(self) -> TextKeys:
        table = TextKeys(len(self.texts))
        table.insert(self.texts.offsets, self.texts.data)
        return table

    def among_texts(self, text: TextArray) -> Bool:
        """Say which texts are members; O(rows + members), and O(rows) from the second call."""
        if not len(self.texts) or not len(text):
            return np.zeros(len(text), bool)
        hashes = _hashes(text)
        found = self._hash_set.holds(hashes)
        rows = np.flatnonzero(found)
        same = _equal(text, rows, self.texts, self._hash_set.places(hashes[rows]))
        if not same.all():  # another text of the same hash, which may be a member or not
            rows = rows[~same]
            rest = text.take(rows)
            found[rows] = self._text_table.find(rest.offsets, rest.data) >= 0
        return found

    def among_numbers(self, column: FixedColumn) -> Bool:
        """Say which numbers of an integer or float column are members; costs as for texts."""
        if column.kind == "float64":
            return _among(column.data, self.real, lambda: self._real_set)
        return _among(column.data, self.whole, lambda: self._whole_set)

    def among_booleans(self, data: Bool) -> Bool:
        """Say which booleans are members."""
        return np.isin(data, self.booleans)


def among_counts(data: np.ndarray, wanted: I64) -> Bool:
    """Say which days or seconds are among ``wanted``."""
    return _among(data, wanted, lambda: _Set(wanted.view(np.uint64)))


def _among(data: np.ndarray, wanted: np.ndarray, make: Callable[[], "_Set"]) -> Bool:
    if wanted.size * data.size <= FEW:
        return np.isin(data, wanted)
    words = data.astype(np.int64) if data.dtype.itemsize < 8 else data
    return make().holds(words.view(np.uint64))


def _hashes(text: TextArray) -> U64:
    """Hash texts on all threads, never to 0."""
    spans = threads.split(len(text))
    parts = [TextArray(text.offsets[start : stop + 1], text.data) for start, stop in spans]
    hashes = np.concatenate([np.zeros(0, np.uint64), *threads.run([p.hashes for p in parts])])
    return hashes | np.uint64(1)


def _equal(text: TextArray, rows: I64, other: TextArray, other_rows: I64) -> Bool:
    """Say which rows equal their partners."""
    same = np.empty(rows.size, bool)
    pairs = text.offsets, text.data, read_only(rows), other.offsets, other.data
    compare = partial(kernels.compare.equal_pairs, *pairs, read_only(other_rows))
    threads.run([partial(compare, *span, same) for span in threads.split(rows.size)])
    return same


class _Set:
    """A set of words; see ``nkgraph.kernels.members``."""

    def __init__(self, words: U64, real: bool = False) -> None:
        self._real = real
        self._few: U64 | None = None
        if words.size <= SHORT:
            rounds = -(-words.size // 16) * 16
            self._few = read_only(np.resize(words, rounds))
        bits = max(6, (2 * words.size - 1).bit_length())
        self._shift = 64 - bits
        self._slots = np.zeros(1 << bits, np.uint64)
        self._places = np.empty(1 << bits, np.uint32)
        self._bits = np.zeros(1 << (bits - 3), np.uint64)
        self._zero = bool((words == 0).any())
        kernels.members.insert_words(
            read_only(words), real, self._shift, self._slots, self._places, self._bits
        )

    def holds(self, words: U64) -> Bool:
        """Say which words are in the set."""
        found = np.empty(words.size, bool)
        find: partial[None]
        if self._few is not None:
            find = partial(kernels.members.find_few, read_only(words), self._real, self._few)
        else:
            tables = self._shift, self._slots, self._bits
            find = partial(
                kernels.members.find_words, read_only(words), self._real, self._zero, *tables
            )
        threads.run([partial(find, *span, found) for span in threads.split(words.size)])
        return found

    def places(self, words: U64) -> I64:
        """Return where each word, all of which the set holds, came first."""
        found = np.empty(words.size, np.int64)
        kernels.members.place_words(read_only(words), self._shift, self._slots, self._places, found)
        return found


# -- from arrays ------------------------------------------------------------------------------


def from_array(values: np.ndarray) -> Members | None:
    """Take over an array of numbers, booleans, texts or dates; None for any other.

    Raises
    ------
    GraphError
        A text holds a lone surrogate, a date is NaT or out of the range of dates.
    """
    kind, dtype = values.dtype.kind, values.dtype
    if kind == "i" or (kind == "u" and dtype.itemsize < 8):
        return Members(integers=values.astype(np.int64))
    if kind == "u":
        wide = values[values > np.uint64(2**63 - 1)].astype(np.uint64)
        near = wide.astype(np.float64)
        exact = near < 2 * _TOP
        exact[exact] = near[exact].astype(np.uint64) == wide[exact]
        small = values[values <= np.uint64(2**63 - 1)].astype(np.int64)
        return Members(integers=small, floats=near[exact])
    if kind == "f" and dtype.itemsize <= 8:
        return Members(floats=values.astype(np.float64))
    if kind == "b":
        return Members(booleans=values.astype(bool))
    if kind == "U" or (kind == "T" and not hasattr(dtype, "na_object")):
        return Members(texts=TextArray.from_list(values.tolist(), "texts"))
    return _from_stamps(values) if kind == "M" else None


def from_list(values: list[Any]) -> Members | None:
    """Take over values that are all of type str, int or float; None for any others."""
    types = set(map(type, values))
    if types == {str}:
        return Members(texts=TextArray.from_list(values, "texts"))
    if types == {float}:
        return Members(floats=np.array(values, np.float64))
    if types == {int}:
        try:
            return Members(integers=np.array(values, np.int64))
        except OverflowError:
            return None
    return None


def _from_stamps(stamps: np.ndarray) -> Members | None:
    """Take over datetime64 of any unit: a date up to the day, below it a timestamp."""
    unit, step = np.datetime_data(stamps.dtype)
    missing = np.isnat(stamps)
    if missing.any():
        row = int(missing.argmax())
        raise GraphError(f"row {row}: no condition compares with NaT: absent values satisfy none")
    counts = stamps.astype(stamps.dtype.newbyteorder("=")).view(np.int64)
    if step != 1:
        counts = _times(counts, step)
        if counts.size < stamps.size:
            return None
    if unit in ("Y", "M"):
        months = _times(counts, 12) if unit == "Y" else counts
        if months.size < stamps.size or (np.abs(months) > FAR).any():
            return None  # value by value it is said which
        return Members(days=months.view("M8[M]").astype("M8[D]").view(np.int64))
    if unit in ("W", "D"):
        return Members(days=_times(counts, 7) if unit == "W" else counts)
    if unit in SECONDS:
        return Members(seconds=_times(counts, SECONDS[unit]))
    whole, rest = np.divmod(counts, 10 ** FRACTIONS[unit])
    return Members(seconds=whole[rest == 0])


def _times(counts: I64, factor: int) -> I64:
    """Multiply, leaving out what does not fit: no column can hold it."""
    most = (2**63 - 1) // factor
    fits = (counts <= most) & (counts >= -most)
    return (counts if fits.all() else counts[fits]) * factor
