"""A column that grows and changes, over an immutable one that may still lie in a file."""

import threading
from collections.abc import Callable

from nkgraph.dtypes import I64
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn


class GrowingColumn:
    """Parts that were appended and updates that came later, merged when read.

    Parameters
    ----------
    length : int
        Rows that the base has.
    load : callable, optional
        Gives the base on first use; without it the base rows are absent.

    Notes
    -----
    Appending and updating keep references to what is given. The first read after a change
    copies the whole column once, so runs of changes cost one copy, not one each.
    """

    def __init__(self, length: int = 0, load: Callable[[], AnyColumn] | None = None) -> None:
        self._length = length
        self._base_length = length
        self._load = load
        self._parts: list[AnyColumn] = []
        self._updates: list[tuple[I64, AnyColumn]] = []
        self._lock = threading.Lock()  # readers on several threads merge once
        self.changed = False
        """Whether anything was appended or updated since the base was taken."""

    def __len__(self) -> int:
        return self._length

    def extend(self, column: AnyColumn) -> None:
        """Append rows."""
        if len(column):
            self._parts.append(column)
            self._length += len(column)
            self.changed = True

    def pad(self, length: int) -> None:
        """Append absent rows up to ``length``."""
        if length > self._length:
            self.extend(columns.absent(length - self._length))

    def update(self, rows: I64, column: AnyColumn) -> None:
        """Replace the values of ``rows``; an absent value removes the one that was there."""
        if rows.size:
            self._updates.append((rows, column))
            self.changed = True

    def read(self) -> AnyColumn:
        """Return the column as it is now."""
        with self._lock:
            return self._merged()

    def _merged(self) -> AnyColumn:
        if self._base_length:
            base = columns.absent(self._base_length) if self._load is None else self._load()
            self._parts.insert(0, base)
            self._load = None
            self._base_length = 0
        if len(self._parts) != 1:
            merged = columns.concatenate(self._parts) if self._parts else columns.absent(0)
            self._parts = [merged]
        for rows, column in self._updates:
            self._parts = [columns.overlay(self._parts[0], rows, column)]
        self._updates = []
        return self._parts[0]
