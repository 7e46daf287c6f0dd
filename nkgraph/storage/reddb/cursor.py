"""Reading a dump from front to back: every step is checked against what is left.

A cursor knows where it is in the words of the format (collection, entity, property), so that an
error can say it, and collects what is odd but legal.
"""

import struct
from os import PathLike
from typing import NoReturn, TypeAlias

import numpy as np

from nkgraph.errors import FormatError, LimitError
from nkgraph.storage.reddb import varint
from nkgraph.storage.reddb.layout import SMALLEST, VERSION, Limits, Remark

Source: TypeAlias = bytes | bytearray | memoryview | np.ndarray
"""Bytes, in one piece."""
MOST_REMARKS = 1000
"""So many remarks are kept; of the others only their number."""
_LONGEST_NAME = 60
_LENGTH = struct.Struct("<I")


def quoted(name: str) -> str:
    """Return a name for a message: quoted, and cut if it is long."""
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")


class Remarks(list[Remark]):
    """Remarks in the order of the file: the first thousand, then how many there are besides."""

    def __init__(self) -> None:
        super().__init__()
        self.unlisted = 0

    def add(self, remark: Remark) -> None:
        """Add one, or count it."""
        if len(self) < MOST_REMARKS:
            self.append(remark)
            return
        self.unlisted += 1
        text = f"{self.unlisted} more are not listed"
        self[MOST_REMARKS:] = [Remark("remarks", None, text)]


class Cursor:
    """A place in a dump, and what reading needs to know there.

    Parameters
    ----------
    data : bytes-like of bytes
        The file, or a part of it that starts at byte ``base``.
    path : str or PathLike
        What errors name.
    at, stop : int
        Where to read from, and the end: of the file, or of the slice that is being read.
    version : int
    limits : Limits
    strict : bool
        Raise FormatError for what otherwise is a remark.
    base : int

    Attributes
    ----------
    collection, entity, key : str, int, str or None
        Where the cursor is; the first words of an error's field.
    remarks : Remarks
    unpacked : int
        Declared bytes of all compressed values so far.
    """

    __slots__ = (
        "at",
        "base",
        "collection",
        "data",
        "entity",
        "key",
        "limits",
        "path",
        "remarks",
        "stop",
        "strict",
        "unpacked",
        "version",
    )

    def __init__(
        self,
        data: Source,
        path: str | PathLike[str] = "dump",
        *,
        at: int = 0,
        stop: int | None = None,
        version: int = VERSION,
        limits: Limits | None = None,
        strict: bool = False,
        base: int = 0,
    ) -> None:
        view = data.data if isinstance(data, np.ndarray) else memoryview(data)
        self.data = view.cast("B") if view.nbytes else memoryview(b"")
        self.path = path
        self.at = at
        self.stop = len(self.data) if stop is None else stop
        self.version = version
        self.limits = limits or Limits()
        self.strict = strict
        self.base = base
        self.remarks = Remarks()
        self.unpacked = 0
        self.collection: str | None = None
        self.entity: int | None = None
        self.key: str | None = None

    # -- errors -------------------------------------------------------------------------------

    def words(self, field: str) -> str:
        """Say where ``field`` is: ``collection 'people', entity 3: value of 'age'``."""
        if self.key is not None:
            field = f"{field} of {quoted(self.key)}"
        if self.collection is None:
            return field
        where = f"collection {quoted(self.collection)}"
        if self.entity is not None:
            where += f", entity {self.entity}"
        return f"{where}: {field}"

    def fail(self, field: str, at: int, expected: object, found: object) -> NoReturn:
        """Raise FormatError."""
        raise FormatError(self.path, self.words(field), self.base + at, expected, found)

    def exceed(self, field: str, at: int, found: str, name: str, limit: int) -> NoReturn:
        """Raise LimitError for one of ``limits``."""
        words = f"{self.words(field)} at byte {self.base + at}: {found}"
        raise LimitError(f"{self.path}: {words}, over the limit of {limit} ({name})")

    def remark(self, field: str, at: int, problem: str, expected: object) -> None:
        """Note what is odd; in strict mode raise FormatError."""
        if self.strict:
            self.fail(field, at, expected, problem)
        self.remarks.add(Remark(self.words(field), self.base + at, problem))

    # -- numbers ------------------------------------------------------------------------------

    @property
    def left(self) -> int:
        """Bytes up to the end of the slice."""
        return self.stop - self.at

    def skip(self, size: int, field: str) -> int:
        """Go over ``size`` bytes that must be there; return where they start."""
        at = self.at
        if size > self.stop - at:
            self.fail(field, at, f"{size} bytes", f"{self.stop - at}")
        self.at = at + size
        return at

    def u8(self, field: str) -> int:
        """Read a byte."""
        at = self.at
        if at >= self.stop:
            self.fail(field, at, "a byte", "none")
        self.at = at + 1
        return self.data[at]

    def flag(self, field: str) -> bool:
        """Read a byte that is 0 or not; other ones than 0 and 1 are a remark."""
        byte = self.u8(field)
        if byte > 1:
            self.remark(field, self.at - 1, f"a flag of {byte} is taken as 1", "0 or 1")
        return byte != 0

    def u32(self, field: str) -> int:
        """Read four bytes."""
        value: int = _LENGTH.unpack_from(self.data, self.skip(4, field))[0]
        return value

    def varint(self, field: str, bits: int = 64) -> int:
        """Read a number of variable length."""
        at = self.at
        if at < self.stop:
            byte = self.data[at]
            if byte < 0x80:
                self.at = at + 1
                return byte
        value, self.at, dropped = varint.read(self.data, at, self.stop, bits)
        if value < 0:
            cut = value == varint.CUT_SHORT
            found = "the end inside it" if cut else "a number that goes on"
            self.fail(field, at, f"at most {-(-bits // 7)} bytes", found)
        if dropped:
            self.remark(field, at, f"bits above {bits} are dropped", f"{bits} bits")
        return value

    def count(self, field: str, element: str) -> int:
        """Read a varint count of elements, each of which takes bytes that must be there."""
        at = self.at
        return self.counted(self.varint(field, 32), field, at, element)

    def long_count(self, field: str, element: str) -> int:
        """Read a u32 count likewise."""
        at = self.at
        return self.counted(self.u32(field), field, at, element)

    def counted(self, count: int, field: str, at: int, element: str) -> int:
        """Check a count against the bytes left."""
        if count * SMALLEST[element] > self.stop - self.at:
            most = (self.stop - self.at) // SMALLEST[element]
            self.fail(field, at, f"at most {most}, for the bytes left", count)
        return count

    # -- bytes and text -----------------------------------------------------------------------

    def length(self, field: str, long: bool = False) -> int:
        """Read the length of what follows, and check it."""
        at = self.at
        size = self.u32(field) if long else self.varint(field, 32)
        if size > self.stop - self.at:
            self.fail(field, at, f"{size} bytes", f"{self.stop - self.at}")
        if size > self.limits.value_bytes:
            self.exceed(field, at, f"{size} bytes", "value_bytes", self.limits.value_bytes)
        return size

    def text(self, field: str, long: bool = False) -> str:
        """Read a length and UTF-8."""
        at = self.skip(self.length(field, long), field)
        return self.decode(self.data[at : self.at], field, at)

    def decode(self, data: memoryview | bytes, field: str, at: int) -> str:
        """Decode UTF-8."""
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError as error:
            byte = f"byte 0x{data[error.start]:02x} at {error.start} of it ({error.reason})"
            self.fail(field, at, "UTF-8", byte)

    def blob(self, field: str, long: bool = False) -> bytes:
        """Read a length and bytes."""
        at = self.skip(self.length(field, long), field)
        return bytes(self.data[at : self.at])

    def floats(self, field: str) -> np.ndarray:
        """Read a count and float32, bits as they are; a copy that owns its memory."""
        start = self.at
        count = self.count(field, "f32")
        if 4 * count > self.limits.value_bytes:
            limit = self.limits.value_bytes
            self.exceed(field, start, f"{4 * count} bytes", "value_bytes", limit)
        return np.frombuffer(self.data, "<f4", count, self.skip(4 * count, field)).copy()

    # -- slices -------------------------------------------------------------------------------

    def enter(self, size: int, field: str) -> int:
        """Make the next ``size`` bytes the slice that is read; return the end for ``leave``."""
        outer = self.stop
        if size > outer - self.at:
            self.fail(field, self.at - 4, f"{size} bytes", f"{outer - self.at}")
        self.stop = self.at + size
        return outer

    def leave(self, outer: int, field: str) -> None:
        """Go to the end of the slice, and on with the one around it."""
        if self.at < self.stop:
            problem = f"{self.stop - self.at} bytes behind its content are ignored"
            self.remark(field, self.at, problem, "the end")
            self.at = self.stop
        self.stop = outer
