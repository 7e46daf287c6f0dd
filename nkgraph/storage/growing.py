"""A column that grows and changes, over immutable parts that may still lie in files."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nkgraph.dtypes import I64
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn


@dataclass
class Part:
    """Rows of one stored segment, or what was appended.

    ``load`` gives the whole part and ``pick`` some rows of it; without them it is absent.
    """

    length: int
    load: Callable[[], AnyColumn] | None = None
    pick: Callable[[I64], AnyColumn] | None = None
    loaded: AnyColumn | None = None
    updates: list[tuple[I64, AnyColumn]] = field(default_factory=list)
    changed: bool = False
    """Whether a value was updated since the part was taken."""

    def read(self) -> AnyColumn:
        """Return the part as it is now."""
        if self.loaded is None:
            self.loaded = columns.absent(self.length) if self.load is None else self.load()
        while self.updates:
            self.loaded = columns.overlay(self.loaded, *self.updates[0])
            del self.updates[0]
        return self.loaded

    def take(self, rows: I64) -> AnyColumn:
        """Return some rows; a part that was neither read nor changed is not loaded for it."""
        if self.loaded is None and not self.updates and self.pick is not None:
            return self.pick(rows)
        return self.read().take(rows)


class GrowingColumn:
    """Stored parts, parts that were appended, and updates that came later.

    Parameters
    ----------
    length : int
        Rows of the stored parts together.
    stored : callable, optional
        Gives the stored parts on first use; without it their rows are absent.

    Notes
    -----
    Appending and updating keep references to what is given. The first read after a change
    copies the parts concerned once, so runs of changes cost one copy, not one each.
    """

    def __init__(self, length: int = 0, stored: Callable[[], Sequence[Part]] | None = None) -> None:
        self._stored_length = length
        self._length = length
        self._give = stored
        self._stored: list[Part] | None = None if length else []
        self._added: list[AnyColumn] = []
        self._tail = Part(0)
        self._whole: AnyColumn | None = None
        self._lock = threading.RLock()  # readers on several threads merge once

    def __len__(self) -> int:
        return self._length

    @property
    def changed(self) -> bool:
        """Whether anything was appended or updated since the stored parts were taken."""
        return self._length > self._stored_length or bool(self.changed_parts)

    @property
    def changed_parts(self) -> set[int]:
        """Which stored parts had a value updated."""
        return {number for number, part in enumerate(self._stored or []) if part.changed}

    @property
    def stored(self) -> list[Part]:
        """The stored parts."""
        if self._stored is None:
            given = [Part(self._stored_length)] if self._give is None else list(self._give())
            if sum(part.length for part in given) != self._stored_length:
                raise AssertionError("the parts of a column have the rows of the column")
            self._stored = given
        return self._stored

    def extend(self, column: AnyColumn) -> None:
        """Append rows."""
        if len(column):
            self._added.append(column)
            self._length += len(column)
            self._whole = None

    def pad(self, length: int) -> None:
        """Append absent rows up to ``length``."""
        if length > self._length:
            self.extend(columns.absent(length - self._length))

    def update(self, rows: I64, column: AnyColumn) -> None:
        """Replace the values of ``rows``; an absent value removes the one that was there."""
        with self._lock:
            for _, part, at, local in self._split(rows):
                part.updates.append((local, column.take(at)))
                part.changed = True
            self._whole = None

    def read(self) -> AnyColumn:
        """Return the column as it is now, in one piece."""
        with self._lock:
            if self._whole is None:
                parts = [part for part in self._all() if part.length]
                pieces = [part.read() for part in parts]
                self._whole = columns.concatenate(pieces) if pieces else columns.absent(0)
            return self._whole

    def take(self, rows: I64) -> AnyColumn:
        """Return some rows; asks only the parts that hold them."""
        with self._lock:
            if self._whole is not None:
                return self._whole.take(rows)
            split = self._split(rows)
            if not split:
                return columns.absent(0)
            return columns.gather([(at, _taker(part, local)) for _, part, at, local in split])

    def added(self) -> AnyColumn:
        """Return the rows that were appended."""
        with self._lock:
            return self._merged_tail().read()

    def _merged_tail(self) -> Part:
        if self._added:
            pieces = [self._tail.read(), *self._added] if self._tail.length else self._added
            merged = columns.concatenate(pieces)
            self._tail = Part(len(merged), loaded=merged)
            self._added = []
        return self._tail

    def _all(self) -> list[Part]:
        return [*self.stored, self._merged_tail()]

    def split(self, rows: I64) -> list[tuple[int, Part, I64, I64]]:
        """Take rows apart: (number, part, places in ``rows``, rows of the part).

        What was appended has the number behind the last stored part.
        """
        with self._lock:
            return self._split(rows)

    def _split(self, rows: I64) -> list[tuple[int, Part, I64, I64]]:
        parts = self._all()
        if len(parts) == 2 and not parts[1].length:
            return [(0, parts[0], np.arange(rows.size), rows)] if rows.size else []
        bases = np.cumsum([0, *(part.length for part in parts[:-1])])
        numbers = np.searchsorted(bases, rows, side="right") - 1
        found = []
        for number, part in enumerate(parts):
            at = np.flatnonzero(numbers == number)
            if at.size:
                found.append((number, part, at, rows[at] - bases[number]))
        return found


def _taker(part: Part, rows: I64) -> Callable[[], AnyColumn]:
    return lambda: part.take(rows)
