"""The files of a label, read only: columns, presence bitmaps, the mark.

    ROOT/nodes/{label}/hwm.bin             u64, how many slots were ever used (the mark)
    ROOT/nodes/{label}/hwm.bin.tmp         the same while being written
    ROOT/nodes/{label}/col_{col}.bin       u64 words, slot s at byte 8 * s
    ROOT/nodes/{label}/col_{col}_null.bin  presence bitmap of that column

``{label}`` and ``{col}`` are decimal u32 without leading zeros or sign. Little-endian; no headers.
Nothing here writes, renames or repairs.
"""

import errno
import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np

from nkgraph import kernels
from nkgraph.dtypes import I64, U8, U64, Bool
from nkgraph.errors import FormatError
from nkgraph.storage import files

WORDS = np.dtype("<u8")
BYTES = np.dtype(np.uint8)
TOMBSTONE = 0xFFFF_FFFF_FFFF_FFFF
"""Word of column 0 of a deleted node."""
TEMPORARY = "hwm.bin.tmp"
"""Name of a mark that is being written, beside ``hwm.bin``."""
SLOTS = 1 << 32
"""Slots that a label can have."""
_COLUMN = re.compile(r"col_(0|[1-9][0-9]{0,9})\.bin")
_LENIENT = re.compile(r"col_\+?([0-9]+)\.bin")


def is_column(name: str) -> bool:
    """Whether a file of this name is a column."""
    match = _COLUMN.fullmatch(name)
    return match is not None and int(match[1]) < 1 << 32


def label_path(root: Path, label: int) -> Path:
    """The directory of a label."""
    return root / "nodes" / str(label)


def column_path(root: Path, label: int, col: int) -> Path:
    """The words of a column."""
    return label_path(root, label) / f"col_{col}.bin"


def bitmap_path(root: Path, label: int, col: int) -> Path:
    """The presence bitmap of a column."""
    return label_path(root, label) / f"col_{col}_null.bin"


def mark_path(root: Path, label: int) -> Path:
    """The mark of a label."""
    return label_path(root, label) / "hwm.bin"


def file_size(path: Path) -> int | None:
    """Size of a file; None where there is none.

    Raises
    ------
    IsADirectoryError
        A directory stands in its place.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return found.st_size


def map_items(path: Path, dtype: np.dtype) -> "np.ndarray[Any, Any] | None":
    """Map the complete items of a file; None where there is no file."""
    size = file_size(path)
    return None if size is None else files.map_array(path, dtype, size // dtype.itemsize)


def words(root: Path, label: int, col: int) -> U64 | None:
    """Map the complete words of a column; None where there is no file.

    Raises
    ------
    OSError
        The file cannot be read, or a directory stands in its place.
    """
    return map_items(column_path(root, label, col), WORDS)


def bitmap(root: Path, label: int, col: int) -> U8 | None:
    """Map the presence bitmap of a column; None where there is no file."""
    return map_items(bitmap_path(root, label, col), BYTES)


def presence(words: U64 | None, bitmap: U8 | None, count: int) -> Bool:
    """Which of slots 0 to ``count - 1`` have a value, (count,) bool.

    A slot behind the end of the column has none. Without a bitmap all others have one, else its
    bit decides.
    """
    present = np.zeros(count, bool)
    held = 0 if words is None else min(words.size, count)
    if bitmap is None:
        present[:held] = True
    elif held:
        kernels.bitmap.unpack_bits(bitmap, present[:held])
    return present


def column_ids(root: Path, label: int) -> list[int]:
    """Ids of the columns of a label, ascending: files named exactly ``col_{u32}.bin``."""
    return sorted(int(name[4:-4]) for name in _names(root, label) if is_column(name))


def listed_column_ids(root: Path, label: int) -> list[int]:
    """Ids as the engine lists them: leading zeros and one leading plus sign are let pass."""
    found = (_LENIENT.fullmatch(name) for name in _names(root, label))
    ids = (int(match[1]) for match in found if match)
    return sorted(col for col in ids if col < 1 << 32)


def _names(root: Path, label: int) -> list[str]:
    try:
        return os.listdir(label_path(root, label))
    except FileNotFoundError:
        return []


def read_mark(root: Path, label: int) -> tuple[int, bool]:
    """Read the mark of a label, and say whether it had to be inferred from the columns.

    From ``hwm.bin``, else from ``hwm.bin.tmp``, else the longest column; 0 where there is none.
    An inferred mark misses nodes at the end that have no properties.

    Raises
    ------
    FormatError
        A mark beyond 2**32.
    """
    path = mark_path(root, label)
    for place in (path, path.with_name(TEMPORARY)):
        mark = stored_mark(place)
        if mark is not None:
            return mark, False
    sizes = (file_size(column_path(root, label, col)) for col in column_ids(root, label))
    mark = max((size // 8 for size in sizes if size is not None), default=0)
    return min(mark, SLOTS), mark > 0


def stored_mark(path: Path) -> int | None:
    """The mark that a file holds; None if it is missing or too short."""
    try:
        with path.open("rb") as file:
            data = file.read(8)
    except FileNotFoundError:
        return None
    if len(data) < 8:
        return None
    mark = int.from_bytes(data, "little")
    if mark > SLOTS:
        raise FormatError(path, "high-water mark", 0, f"<= {SLOTS}", mark)
    return mark


def deleted_slots(root: Path, label: int, mark: int) -> I64:
    """Slots below ``mark`` that are deleted, (k,) int64, ascending."""
    marks = words(root, label, 0)
    if marks is None:
        return np.zeros(0, np.int64)
    return np.flatnonzero(marks[:mark] == np.uint64(TOMBSTONE))
