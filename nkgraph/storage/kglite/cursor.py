"""Read small little-endian blobs field by field, never past their end."""

import struct
from pathlib import Path

from nkgraph.errors import FormatError, VersionError


class Cursor:
    """A position in the bytes of a file; every read names what it reads.

    For metadata only: each read is a Python call.
    """

    def __init__(self, path: Path, data: bytes, at: int = 0) -> None:
        self.path = path
        self.data = data
        self.at = at

    def take(self, size: int, field: str) -> bytes:
        """Return the next ``size`` bytes."""
        left = len(self.data) - self.at
        if size > left:
            raise FormatError(self.path, field, self.at, f"{size} bytes", f"{left} left")
        self.at += size
        return self.data[self.at - size : self.at]

    def u32(self, field: str) -> int:
        """Read a u32."""
        return int(struct.unpack("<I", self.take(4, field))[0])

    def u64(self, field: str) -> int:
        """Read a u64."""
        return int(struct.unpack("<Q", self.take(8, field))[0])

    def count(self, field: str, least: int) -> int:
        """Read a u64 count of items of at least ``least`` bytes; check that they can be there."""
        at = self.at
        return self._checked(self.u64(field), field, least, at)

    def count32(self, field: str, least: int) -> int:
        """Read a u32 count of items of at least ``least`` bytes; check that they can be there."""
        at = self.at
        return self._checked(self.u32(field), field, least, at)

    def _checked(self, count: int, field: str, least: int, at: int) -> int:
        left = len(self.data) - self.at
        if count * least > left:
            raise FormatError(self.path, field, at, f"at most {left // least}", count)
        return count

    def text32(self, field: str) -> str:
        """Read u32 length + UTF-8."""
        return self._text(self.u32(field), field)

    def text64(self, field: str) -> str:
        """Read u64 length + UTF-8."""
        return self._text(self.u64(field), field)

    def _text(self, size: int, field: str) -> str:
        at = self.at
        try:
            return self.take(size, field).decode()
        except UnicodeDecodeError as error:
            raise FormatError(self.path, field, at + error.start, "UTF-8", error.reason) from None

    def magic(self, expected: bytes, version: int) -> None:
        """Check a magic number and the u32 version behind it."""
        found = self.take(len(expected), "magic")
        if found != expected:
            raise FormatError(self.path, "magic", self.at - len(expected), expected, found)
        number = self.u32("version")
        if number != version:
            newer = "written by a newer kglite: open it with 0.13.4 or older and save it"
            remedy = newer if number > version else None
            raise VersionError(self.path, "version", self.at - 4, version, number, remedy)

    def end(self) -> None:
        """Check that nothing is left."""
        left = len(self.data) - self.at
        if left:
            raise FormatError(self.path, "end", self.at, "end of content", f"{left} bytes more")
