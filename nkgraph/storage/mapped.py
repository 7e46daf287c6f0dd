"""MappedArray, MappedBytes: arrays that grow, on the heap or over a file.

An array has ``len`` elements, all of them valid, in a block of ``capacity`` elements. Growing
doubles the block. ``array`` is a view of the elements as they are now:

* On the heap a grown array has a new block. A view taken before keeps the old block alive: it goes
  on showing the elements that it had, and no longer sees what is written to the array.
* Over a file the file is extended and mapped anew. A view taken before keeps the old map, of the
  same file: it shows the elements that it covers, changes included.

No file is ever cut short while a view of it may be alive, because touching a page that is no
longer there kills the process. ``trim`` and ``save`` to the own path therefore write a file beside
and rename it over the old one; older views keep the old file, which has no name any more. (What
another process does to a mapped file cannot be guarded against.)
"""

import contextlib
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from nkgraph.dtypes import U8
from nkgraph.errors import ClosedError, FormatError, GraphError
from nkgraph.storage import files

LEAST_ELEMENTS = 64
LEAST_BYTES = 4096
ADVICE = {
    "normal": "MADV_NORMAL",
    "random": "MADV_RANDOM",
    "sequential": "MADV_SEQUENTIAL",
    "willneed": "MADV_WILLNEED",
    "dontneed": "MADV_DONTNEED",
}


class MappedArray:
    """A growable array of one dtype, on the heap or over a mapped file.

    Parameters
    ----------
    dtype : dtype
        Any of fixed width, records included.
    capacity : int, optional
        Elements to make room for; the length starts at 0.

    Examples
    --------
    >>> import numpy as np
    >>> from nkgraph.storage.mapped import MappedArray
    >>> a = MappedArray(np.uint32)
    >>> a.extend([3, 1, 4])
    >>> before = a.array
    >>> a.extend(range(100))
    >>> before.tolist(), len(a)
    ([3, 1, 4], 103)
    """

    _LEAST = LEAST_ELEMENTS

    def __init__(self, dtype: DTypeLike, capacity: int = 0) -> None:
        self._dtype = np.dtype(dtype)
        if self._dtype.hasobject or self._dtype.itemsize == 0:
            raise GraphError(f"dtype {self._dtype} has no fixed width")
        self._length = 0
        self._block = np.empty(_count(capacity, "capacity"), self._dtype)
        self._path: Path | None = None
        self._map: mmap.mmap | None = None
        self._mode = "r+"
        self._closed = False

    # -- making -------------------------------------------------------------------------------

    @classmethod
    def zeros(cls, dtype: DTypeLike, length: int) -> "MappedArray":
        """Return ``length`` zeros on the heap."""
        return cls.filled(dtype, length, None)

    @classmethod
    def filled(cls, dtype: DTypeLike, length: int, value: object) -> "MappedArray":
        """Return ``length`` copies of ``value`` on the heap; zeros for None."""
        array = cls(dtype)
        array._block = np.zeros(_count(length, "length"), array._dtype)
        if value is not None:
            array._block[...] = value
        array._length = length
        return array

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        dtype: DTypeLike,
        capacity: int = 0,
        length: int = 0,
        value: object = None,
    ) -> "MappedArray":
        """Make a new file and map it.

        Parameters
        ----------
        path : path
            Must not exist.
        dtype : dtype
        capacity : int
            Elements to make room for; at least 64, or 4096 bytes for ``MappedBytes``.
        length : int
            Elements that are there from the start, zero or ``value``.
        value : scalar, optional

        Raises
        ------
        FileExistsError
            There is something at the path.
        """
        array = cls(dtype)
        _count(length, "length")
        capacity = max(_count(capacity, "capacity"), length, cls._LEAST)
        target = Path(path)
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o644)
        try:
            os.ftruncate(descriptor, capacity * array._dtype.itemsize)
            array._attach(target, descriptor, capacity, length)
            if value is not None and length:
                array._block[:length] = value
        except BaseException:
            with contextlib.suppress(OSError):
                target.unlink()
            raise
        finally:
            os.close(descriptor)
        return array

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        dtype: DTypeLike,
        length: int | None = None,
        mode: str = "r",
    ) -> "MappedArray":
        """Map a file that is there.

        Parameters
        ----------
        path : path
        dtype : dtype
        length : int, optional
            Elements that are valid; the file may be longer (capacity). Without it the file is
            the array, to the last byte.
        mode : {"r", "r+"}

        Raises
        ------
        FormatError
            The file is shorter than ``length``, or not a whole number of elements.
        IsADirectoryError, PermissionError, FileNotFoundError
            As the system says.
        """
        if mode not in ("r", "r+"):
            raise GraphError(f'mode is {mode!r}, not "r" or "r+"')
        array = cls(dtype)
        target = Path(path)
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a directory, not an array file")
        descriptor = os.open(target, (os.O_RDWR if mode == "r+" else os.O_RDONLY) | _BINARY)
        try:
            size = os.fstat(descriptor).st_size
            capacity, rest = divmod(size, array._dtype.itemsize)
            if length is None:
                if rest:
                    expected = f"a multiple of {array._dtype.itemsize}"
                    raise FormatError(target, "file size", 0, expected, size)
                length = capacity
            elif _count(length, "length") > capacity:
                needed = length * array._dtype.itemsize
                raise FormatError(target, "file size", 0, f">= {needed}", size)
            array._mode = mode
            array._attach(target, descriptor, capacity, length)
        finally:
            os.close(descriptor)
        return array

    def _attach(self, path: Path, descriptor: int, capacity: int, length: int) -> None:
        """Take a map of an open file; nothing is changed if there can be none."""
        size = capacity * self._dtype.itemsize
        access = mmap.ACCESS_READ if self._mode == "r" else mmap.ACCESS_WRITE
        view = mmap.mmap(descriptor, size, access=access) if size else None
        block = np.empty(0, self._dtype)
        if view is not None:
            block = np.frombuffer(view, self._dtype, capacity)
        self._path, self._map, self._block, self._length = path, view, block, length

    # -- looking ------------------------------------------------------------------------------

    @property
    def dtype(self) -> np.dtype:
        """The element type."""
        return self._dtype

    @property
    def path(self) -> Path | None:
        """The file, None on the heap."""
        return self._path

    @property
    def is_mapped(self) -> bool:
        """Whether the elements lie in a file."""
        return self._path is not None

    @property
    def capacity(self) -> int:
        """Elements that fit before the array has to grow."""
        return int(self._live().size)

    @property
    def array(self) -> np.ndarray:
        """The elements, (len,); writable unless loaded ``"r"``. See the module for growth."""
        return self._live()[: self._length]

    @property
    def heap_bytes(self) -> int:
        """Bytes of memory that the array holds."""
        return 0 if self.is_mapped else int(self._live().nbytes)

    @property
    def mapped_bytes(self) -> int:
        """Bytes of file that the array maps."""
        return int(self._live().nbytes) if self.is_mapped else 0

    def raw_bytes(self) -> memoryview:
        """Return the elements as read-only bytes, without a copy."""
        if not self._length:
            self._live()
            return memoryview(b"")
        return self.array.view(np.uint8).data.toreadonly()

    def __len__(self) -> int:
        return self._length

    def get(self, index: SupportsIndex) -> np.generic:
        """Return the element at ``index``."""
        element: np.generic = self.array[self._index(index)]
        return element

    def set(self, index: SupportsIndex, value: object) -> None:
        """Replace the element at ``index``."""
        self._writable()
        self._block[self._index(index)] = value

    def __getitem__(self, index: SupportsIndex) -> np.generic:
        return self.get(index)

    def __setitem__(self, index: SupportsIndex, value: object) -> None:
        self.set(index, value)

    def _index(self, index: SupportsIndex) -> int:
        at = index.__index__()
        if not -self._length <= at < self._length:
            raise IndexError(f"index {at} is out of range for {self._length} elements")
        return at % self._length

    def __repr__(self) -> str:
        if self._closed:
            return f"<{type(self).__name__}, closed>"
        where = "on the heap" if self._path is None else f"over {self._path}"
        return f"<{type(self).__name__} of {self._length} {self._dtype}, {where}>"

    # -- changing -----------------------------------------------------------------------------

    def append(self, value: object) -> None:
        """Add one element; amortised O(1), but a Python call: prefer ``extend``."""
        if self._dtype.names is None:
            self.extend(np.asarray([value]))
        else:
            item = np.empty(1, self._dtype)
            item[0] = value
            self.extend(item)

    def extend(self, values: ArrayLike | Sequence[object]) -> None:
        """Add elements; amortised O(their number). Nothing is changed if there is no room."""
        self._writable()
        added = self._exact(values)
        if added.ndim != 1:
            raise GraphError(f"values have {added.ndim} dimensions, not 1")
        self.grow(added.size)[...] = added

    def _exact(self, values: ArrayLike | Sequence[object]) -> np.ndarray:
        """Convert values to the element type; a value that would change is refused."""
        given = values if isinstance(values, np.ndarray) else np.asarray(values)
        if given.dtype == self._dtype or self._dtype.names is not None:
            return np.asarray(values, self._dtype)
        try:
            with np.errstate(all="ignore"):
                converted = np.asarray(values, self._dtype)
        except OverflowError as error:
            raise GraphError(f"a value does not fit {self._dtype}: {error}") from None
        exact = np.asarray(values, object) if given.dtype.kind == "f" else given
        changed = (converted != exact) & (exact == exact)  # NaN stays NaN
        if np.any(changed):
            row = int(np.argmax(changed))
            raise GraphError(f"value {given.flat[row]} in row {row} does not fit {self._dtype}")
        return converted

    def grow(self, count: int) -> np.ndarray:
        """Add ``count`` elements of no particular value; return them, to be filled in place."""
        self._writable()
        needed = self._length + _count(count, "count")
        if needed > self._block.size:
            self._grow(needed)
        added = self._block[self._length : needed]
        self._length = needed
        return added

    def _grown_capacity(self, needed: int) -> int:
        return max(needed, 2 * int(self._block.size), self._LEAST)

    def _grow(self, needed: int) -> None:
        capacity = self._grown_capacity(needed)
        if self._path is None:
            block = np.empty(capacity, self._dtype)
            block[: self._length] = self._block[: self._length]
            self._block = block
            return
        descriptor = os.open(self._path, os.O_RDWR | _BINARY)
        try:
            size = os.fstat(descriptor).st_size
            if size < self._block.nbytes:
                raise FormatError(self._path, "file size", 0, f">= {self._block.nbytes}", size)
            os.ftruncate(descriptor, max(size, capacity * self._dtype.itemsize))
            self._attach(self._path, descriptor, capacity, self._length)
        finally:
            os.close(descriptor)

    # -- moving -------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write exactly the elements to a file, atomically; to the own path too."""
        target = Path(path)
        if self._path is not None and target.exists() and target.samefile(self._path):
            self.trim()
            return
        files.write_atomic(target, [self.array])

    def trim(self) -> None:
        """Give up spare capacity; a file is written beside, renamed over, and mapped anew."""
        self._writable()
        if self._length == self._block.size:
            self.flush()
            return
        if self._path is None:
            self._block = self._block[: self._length].copy()
            return
        files.write_atomic(self._path, [self.array])
        self._remap(self._path)

    def _remap(self, path: Path) -> None:
        descriptor = os.open(path, (os.O_RDONLY if self._mode == "r" else os.O_RDWR) | _BINARY)
        try:
            self._attach(path, descriptor, self._length, self._length)
        finally:
            os.close(descriptor)

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Move the elements to a new file and map it; views keep the old block."""
        self._writable()
        target = Path(path)
        if target.exists():
            raise FileExistsError(f"{target} exists")
        files.write_atomic(target, [self.array])
        self._remap(target)

    def to_heap(self) -> None:
        """Copy the elements to memory and let the file go; the file stays as it is."""
        block = self._live()[: self._length].copy()
        self._block, self._map, self._path, self._mode = block, None, None, "r+"

    def clone(self) -> "MappedArray":
        """Return a copy on the heap."""
        copy = type(self)(self._dtype)
        copy._block = self._live()[: self._length].copy()
        copy._length = self._length
        return copy

    # -- the system ---------------------------------------------------------------------------

    def flush(self) -> None:
        """Write changed pages to the disk; nothing to do on the heap."""
        self._live()
        if self._map is not None and self._mode == "r+":
            self._map.flush()

    def advise(self, advice: str) -> None:
        """Say how the map will be read: normal, random, sequential, willneed or dontneed.

        Does nothing on the heap, or where the system takes no advice. "dontneed" loses nothing:
        changed pages are flushed first.
        """
        self._live()
        if advice not in ADVICE:
            raise GraphError(f"advice is {advice!r}, not one of {', '.join(ADVICE)}")
        option = getattr(mmap, ADVICE[advice], None)
        if self._map is not None and option is not None:
            if advice == "dontneed":
                self.flush()
            self._map.madvise(option)

    def drop_cache(self) -> None:
        """Ask the system to forget the pages of the file, after flushing them."""
        self.flush()
        self.advise("dontneed")
        if self._path is not None and hasattr(os, "posix_fadvise"):
            descriptor = os.open(self._path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)

    def flush_and_release(self) -> None:
        """Flush, and give the memory of the pages back; they are read again when touched."""
        self.flush()
        self.advise("dontneed")

    def close(self) -> None:
        """Flush and let the block go. Views that were taken stay good."""
        if not self._closed:
            self.flush()
            self._block = np.empty(0, self._dtype)
            self._map = None
            self._length = 0
            self._closed = True

    def __enter__(self) -> "MappedArray":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _live(self) -> np.ndarray:
        if self._closed:
            raise ClosedError("the array is closed")
        return self._block

    def _writable(self) -> None:
        self._live()
        if self._mode == "r":
            raise GraphError(f'{self._path} is loaded "r": load it "r+" to change it')


class MappedBytes(MappedArray):
    """A growable buffer of bytes; grows to twice of what is needed, files from 4096 bytes on.

    Examples
    --------
    >>> from nkgraph.storage.mapped import MappedBytes
    >>> b = MappedBytes()
    >>> b.extend(b"graph")
    >>> bytes(b.raw_bytes())
    b'graph'
    """

    _LEAST = LEAST_BYTES

    def __init__(self, dtype: DTypeLike = np.uint8, capacity: int = 0) -> None:
        if np.dtype(dtype) != np.uint8:
            raise GraphError(f"bytes have dtype uint8, not {np.dtype(dtype)}")
        super().__init__(np.uint8, capacity)

    def extend(self, values: ArrayLike | Sequence[object] | bytes | memoryview) -> None:
        """Add bytes: a bytes-like object or numbers 0 to 255."""
        if isinstance(values, (bytes, bytearray, memoryview)):
            array: U8 = np.frombuffer(values, np.uint8)
            super().extend(array)
        else:
            super().extend(values)

    def _grown_capacity(self, needed: int) -> int:
        return max(2 * needed, 2 * int(self._block.size), self._LEAST)


_BINARY = getattr(os, "O_BINARY", 0) if sys.platform == "win32" else 0


def _count(value: int, name: str) -> int:
    if value < 0:
        raise GraphError(f"{name} is {value}, below 0")
    return value
