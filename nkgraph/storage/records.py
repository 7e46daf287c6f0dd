"""Records by id over several arrays: those of the stored segments, then what was added.

Stored arrays are maps and stay as they are: the first change to one copies it to memory.
"""

from collections.abc import Sequence

import numpy as np

from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U32
from nkgraph.storage.mapped import MappedArray


class Records:
    """An array in parts that grows at its end.

    Parameters
    ----------
    dtype : dtype
    stored : sequence of (n,) arrays, read-only
        The stored parts, in the order of their ids.
    """

    def __init__(self, dtype: np.dtype, stored: Sequence[np.ndarray] = ()) -> None:
        self.dtype = dtype
        self.parts = list(stored)
        """The stored parts, copies in memory of those that were changed."""
        self.bases: I64 = np.cumsum([0, *(part.size for part in stored)], dtype=np.int64)
        """(parts + 1,): the first id of each part; the last is that of what was added."""
        self.changed: set[int] = set()
        """Which stored parts were changed."""
        self._added = MappedArray(dtype)
        self._whole: np.ndarray | None = None

    @property
    def size(self) -> int:
        """How many records there are."""
        return self.stored_size + len(self._added)

    @property
    def stored_size(self) -> int:
        """How many records are stored ones."""
        return int(self.bases[-1])

    @property
    def added(self) -> np.ndarray:
        """The records that were added."""
        return self._added.array

    def all_parts(self) -> list[tuple[int, np.ndarray]]:
        """Return (first id, array) of each part, what was added last; empty ones are left out."""
        arrays = [*self.parts, self.added]
        pairs = zip(self.bases.tolist(), arrays, strict=True)
        return [(base, array) for base, array in pairs if array.size]

    def whole(self) -> np.ndarray:
        """Return all records as one array, read-only.

        One part is given as it lies; several are copied, once until the next change.
        """
        if self._whole is None:
            parts = [array for _, array in self.all_parts()]
            if not parts:
                self._whole = np.zeros(0, self.dtype)
            elif len(parts) == 1:
                self._whole = read_only(parts[0])
            else:
                self._whole = np.concatenate(parts)
                self._whole.flags.writeable = False
        return self._whole

    def field(self, name: str, ids: U32 | I64) -> np.ndarray:
        """Return one field of the records of ``ids``, each known to be in range."""
        if len(self.parts) <= 1 and not (self.parts and len(self._added)):
            array = self.parts[0] if self.parts else self.added
            found: np.ndarray = array[name][ids]
            return found
        values = np.empty(ids.size, self.dtype[name])
        for part, at, local in self.split(ids):
            array = self.added if part == len(self.parts) else self.parts[part]
            values[at] = array[name][local]
        return values

    def split(self, ids: U32 | I64) -> list[tuple[int, I64, I64]]:
        """Take ids apart: (part, their places, their positions in it) for each part concerned."""
        parts = np.searchsorted(self.bases, ids, side="right") - 1
        # An empty part starts where the next one does, and search takes the last of those.
        found = []
        for part in range(len(self.parts) + 1):
            at = np.flatnonzero(parts == part)
            if at.size:
                found.append((part, at, ids[at].astype(np.int64) - self.bases[part]))
        return found

    def grow(self, count: int) -> np.ndarray:
        """Add ``count`` records and return them, to be filled."""
        self._whole = None
        return self._added.grow(count)

    def put(self, ids: U32, records: np.ndarray) -> None:
        """Replace records; stored parts that are concerned are copied to memory first."""
        work = []
        for part, at, local in self.split(ids):
            if part == len(self.parts):
                array = self.added
            elif part in self.changed:
                array = self.parts[part]
            else:
                array = self.parts[part].copy()
            work.append((part, array, at, local))
        self._whole = None  # nothing above changes anything, and nothing below can fail
        for part, array, at, local in work:
            if part < len(self.parts):
                self.parts[part] = array
                self.changed.add(part)
            array[local] = records[at]
