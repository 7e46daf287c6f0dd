"""Text files in blocks of whole lines: plain, gzip or zstd, told apart by their first bytes.

    content begins with   is
    1f 8b                 gzip, one or more members
    28 b5 2f fd           zstd, one or more frames
    anything else         text

Blocks are read, and decompressed, on a thread of their own, two ahead of the caller.
"""

import gzip
import stat
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import numpy as np

from nkgraph import threads
from nkgraph.dtypes import U8
from nkgraph.errors import FormatError, LimitError

BLOCK = 1 << 24
"""Bytes of text a block."""
LONGEST_LINE = 1 << 26
"""A longer line is refused: the file is not text in lines, and memory stays bounded."""
_ZSTD_STEP = 1 << 11  # a zstd block of 4 bytes may stand for 128 KiB: 64 MiB a step at most
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _Source(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class _Zstd:
    """Frames one after the other; unlike zstandard's own reader it notices a frame cut short."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        import zstandard

        self._file, self._path = file, path
        self._context = zstandard.ZstdDecompressor()
        self._frame = self._context.decompressobj()
        self._fresh = True  # no byte of this frame has been seen
        self._left = memoryview(b"")
        self._error = zstandard.ZstdError

    def readinto(self, buffer: memoryview) -> int:
        while not self._left:
            if not self._step():
                return 0
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _step(self) -> bool:
        packed = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame, self._fresh = self._context.decompressobj(), True
        packed = packed or self._file.read(_ZSTD_STEP)
        if not packed:
            if not self._fresh:
                at = self._file.tell()
                raise FormatError(self._path, "zstd frame", at, "more data", "end of file")
            return False
        try:
            self._left = memoryview(self._frame.decompress(packed))
        except self._error as error:
            at = self._file.tell()
            raise FormatError(self._path, "zstd data", at, "a valid frame", error) from None
        self._fresh = False
        return True


class _Gzip:
    """Members one after the other."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._reader = gzip.GzipFile(fileobj=file, mode="rb")

    def readinto(self, buffer: memoryview) -> int:
        try:
            return self._reader.readinto(buffer)
        except EOFError:
            at = self._file.tell()
            raise FormatError(self._path, "gzip data", at, "more data", "end of file") from None
        except (zlib.error, gzip.BadGzipFile) as error:
            at = self._file.tell()
            raise FormatError(self._path, "gzip data", at, "a valid member", error) from None


def read_blocks(path: Path, size: int | None = None) -> Iterator[U8]:
    """Yield the text of a file in blocks of about ``size`` bytes of whole lines.

    Each block ends with a newline, also where the last line has none, and is the caller's own,
    writable. A byte order mark at the start is left out.

    Raises
    ------
    FormatError
        Compressed data that is damaged or cut short.
    LimitError
        A line of more than ``LONGEST_LINE`` bytes.
    """
    return threads.ahead(_cut(path, size or BLOCK), 2)


def read_bytes(path: Path, size: int = 1 << 20) -> Iterator[memoryview]:
    """Yield the decompressed bytes of a file in blocks, wherever its lines end.

    Raises
    ------
    FormatError
        Compressed data that is damaged or cut short.
    """
    with path.open("rb") as file:
        source = _open(file, path)
        while True:
            block = memoryview(bytearray(size))
            filled = _fill(source, block, 0)
            if filled:
                yield block[:filled]
            if filled < size:
                return


def _cut(path: Path, least: int) -> Generator[U8, None, None]:
    with path.open("rb") as file:
        source = _open(file, path)
        rest = b""
        first = True
        while True:
            block = bytearray(max(least, len(rest) * 2))
            block[: len(rest)] = rest
            size = _fill(source, memoryview(block), len(rest))
            at_end = size < len(block)
            if at_end:
                if size and block[size - 1] != ord("\n"):
                    block[size : size + 1] = b"\n"
                    size += 1
                stop = size
            else:
                stop = block.rfind(b"\n") + 1
            start = len(_BYTE_ORDER_MARK) if first and block.startswith(_BYTE_ORDER_MARK) else 0
            if stop == 0 and size > LONGEST_LINE:
                expected = f"lines of at most {LONGEST_LINE} bytes"
                raise LimitError(f"{path}: expected {expected}, found a longer one")
            if stop > start:
                first = False
                yield np.frombuffer(block, np.uint8)[start:stop]
            if at_end:
                return
            rest = bytes(memoryview(block)[stop:size])


def _open(file: BinaryIO, path: Path) -> _Source:
    if not stat.S_ISREG(path.stat().st_mode):
        raise FormatError(path, "file", None, "a regular file", "a pipe or device")
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        return _Gzip(file, path)
    if magic == _ZSTD_MAGIC:
        return _Zstd(file, path)
    return cast(_Source, file)  # BinaryIO does not declare readinto


def _fill(source: _Source, buffer: memoryview, at: int) -> int:
    """Read until the buffer is full or the file ends; return how much is in it."""
    while at < len(buffer):
        size = source.readinto(buffer[at:])
        if not size:
            break
        at += size
    return at
