"""Bytes in, bytes out: maps, zstd with limits, atomic writes, locks.

All that differs between platforms is kept here.
"""

import contextlib
import json
import mmap
import os
import re
import shutil
import socket
import sys
import threading
import weakref
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from nkgraph.errors import FormatError, LimitError, LockedError, VersionError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Part = bytes | memoryview | np.ndarray
DECOMPRESSED_LIMIT = 1 << 36
"""Most bytes that one compressed file may hold: 64 GiB."""
_CHUNK = 1 << 22


# -- maps -------------------------------------------------------------------------------------


def map_array(
    path: Path, dtype: np.dtype, count: int | None = None, field: str | None = None
) -> np.ndarray:
    """Map a file as a read-only array.

    Parameters
    ----------
    path : Path
    dtype : dtype
    count : int, optional
        Elements that must be there; the file may be longer (capacity). Without it the file is
        the array, to the last byte.
    field : str, optional
        What to call the content in an error.

    Returns
    -------
    (count,) ndarray
        Read-only and contiguous; keeps the map alive for as long as it is referenced.

    Raises
    ------
    FormatError
        The file is too short, or not a whole number of elements.
    """
    with open_binary(path) as file:
        size = os.fstat(file.fileno()).st_size
        if count is None:
            count, rest = divmod(size, dtype.itemsize)
            if rest:
                expected = f"a multiple of {dtype.itemsize}"
                raise FormatError(path, field or "file size", 0, expected, size)
        elif size < count * dtype.itemsize:
            expected = f">= {count * dtype.itemsize} bytes"
            raise FormatError(path, field or "file size", 0, expected, size)
        if count == 0:
            array = np.zeros(0, dtype)
            array.flags.writeable = False
            return array
        # Memory has no file; a map of the exact size keeps a later append out of sight.
        view = mmap.mmap(file.fileno(), count * dtype.itemsize, access=mmap.ACCESS_READ)
    _MAPS[view] = str(path)
    return np.frombuffer(view, dtype, count)


_MAPS: weakref.WeakKeyDictionary[mmap.mmap, str] = weakref.WeakKeyDictionary()


def release_pages(directory: Path, least: int) -> None:
    """Give up the resident pages of the maps of a directory; the next use maps them again.

    Only if they are ``least`` bytes or more in all.

    The system maps 64 KiB for each page that a look-up touches, so that a few thousand look-ups
    would make a large graph resident whole. Arrays stay valid. Does nothing where the system
    cannot.
    """
    if hasattr(mmap, "MADV_DONTNEED") and sys.platform != "win32":
        start = f"{directory}{os.sep}"
        views = [view for view, path in list(_MAPS.items()) if path.startswith(start)]
        if sum(map(len, views)) >= least:
            for view in views:
                view.madvise(mmap.MADV_DONTNEED)


def mapped_bytes(directory: Path) -> int:
    """How many bytes of the files of a directory are mapped, each file taken once."""
    start = f"{directory}{os.sep}"
    held = {path: len(view) for view, path in list(_MAPS.items()) if path.startswith(start)}
    return sum(held.values())


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading; a directory or a missing file is said in a sentence."""
    if path.is_dir():
        raise FormatError(path, "path", None, "a file", "a directory")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise FormatError(path, "file", None, "a file", "none") from None


def read_header(
    path: Path, file: np.ndarray, header: np.dtype, magic: bytes, version: int
) -> np.void:
    """Check the fields "magic" and "version" at the start of a mapped file; return its header."""
    if file.size < header.itemsize:
        raise FormatError(path, "file size", 0, f">= {header.itemsize}", file.size)
    found: np.void = np.frombuffer(file[: header.itemsize].tobytes(), header)[0]
    if found["magic"] != magic:
        raise FormatError(path, "magic", 0, magic, bytes(found["magic"]))
    if found["version"] != version:
        raise VersionError(path, "version", len(magic), version, int(found["version"]))
    return found


# -- zstd -------------------------------------------------------------------------------------


def decompress(path: Path, data: bytes | None = None, limit: int = DECOMPRESSED_LIMIT) -> bytes:
    """Decompress zstd frames, of ``data`` or else of the file at ``path``.

    The size that a frame declares is not believed: memory grows with what really comes out.

    Raises
    ------
    FormatError
        Damaged or cut short, or something else follows the frames.
    LimitError
        More than ``limit`` bytes come out.
    """
    import zstandard

    if data is None:
        with open_binary(path) as file:
            data = file.read()
    out: list[bytes] = []
    total, at = 0, 0
    try:
        while at < len(data):
            frame = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
            while not frame.eof and at < len(data):
                # Small steps bound what one call can give: zstd expands 128 KiB blocks.
                step = data[at : at + (1 << 16)]
                piece = frame.decompress(step)
                at += len(step)
                total += len(piece)
                if total > limit:
                    raise LimitError(f"{path}: over {limit} bytes when decompressed")
                out.append(piece)
            if not frame.eof:
                raise FormatError(path, "zstd frame", at, "more bytes", "the end of the file")
            at -= len(frame.unused_data)
    except zstandard.ZstdError as error:
        raise FormatError(path, "zstd frame", at, "a zstd frame", str(error)) from None
    if not data:
        raise FormatError(path, "zstd frame", 0, "a zstd frame", "an empty file")
    return b"".join(out)


def compress(data: bytes, level: int = 3) -> bytes:
    """Compress to one zstd frame with content size and checksum; equal input, equal output."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=True)
    return compressor.compress(data)


# -- writing ----------------------------------------------------------------------------------


def write_file(path: Path, parts: Sequence[Part], sync: bool = True) -> None:
    """Write parts one after the other to a new file, and sync it unless the caller will."""
    with path.open("wb") as file:
        for part in parts:
            file.write(as_bytes(part))
        file.flush()
        if sync:
            os.fsync(file.fileno())


def sync_files(paths: Iterable[Path]) -> None:
    """Make the content of written files durable.

    Syncing many files after all are written costs little more than syncing one: the first
    sync carries most of the others with it.
    """
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def as_bytes(part: Part) -> memoryview:
    """View a part as bytes, without a copy."""
    if isinstance(part, np.ndarray):
        if not part.size:
            return memoryview(b"")
        return np.ascontiguousarray(part).reshape(-1).view("u1").data
    return memoryview(part)


def beside_name(path: Path) -> Path:
    """Return a name beside ``path`` that no other thread or process uses."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")


def beside(path: Path) -> dict[Path, int]:
    """Return what lies beside ``path`` under such names, with the process that wrote it."""
    name = re.compile(rf"\.{re.escape(path.name)}\.(\d+)-\d+\.tmp")
    matches = (name.fullmatch(child.name) for child in path.parent.iterdir())
    return {path.with_name(match.string): int(match[1]) for match in matches if match}


def is_running(process: int) -> bool:
    """Say whether a process of this machine still runs; True where that cannot be known."""
    if sys.platform == "win32":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_atomic(path: Path, parts: Sequence[Part]) -> None:
    """Write beside ``path``, sync, and rename over it: the old content or the new one."""
    other = beside_name(path)
    try:
        write_file(other, parts)
        other.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            other.unlink()
        raise
    fsync_directory(path.parent)


def fsync_directory(path: Path) -> None:
    """Make names in a directory durable; Windows does so by itself."""
    if sys.platform != "win32":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name; copy and sync it where links are not to be had."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())


def checksum(parts: Sequence[Part]) -> int:
    """CRC-32 of parts one after the other."""
    value = 0
    for part in parts:
        view = as_bytes(part)
        for at in range(0, len(view), _CHUNK):
            value = zlib.crc32(view[at : at + _CHUNK], value)
    return value


# -- locks ------------------------------------------------------------------------------------


def _try_lock(handle: int, shared: bool) -> bool:
    """Take a lock on an open file if nobody's is in the way."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class WriterLock:
    """The right to change a native directory: an exclusive lock on ``ROOT/.lock``.

    The file says who holds it. The system drops the lock when its holder ends, however that
    happens; the file stays and means nothing by itself.

    Raises
    ------
    LockedError
        Another writer has it, in this process or another.
    """

    NAME = ".lock"

    def __init__(self, root: Path) -> None:
        self.path = root / self.NAME
        self._handle: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _try_lock(self._handle, shared=False):
            holder = self._holder()
            self.close()
            raise LockedError(f"{root} is being written by {holder}")
        who = {"pid": os.getpid(), "host": socket.gethostname()}
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(who).encode(), 0) if hasattr(os, "pwrite") else None
        except BaseException:
            self.close()
            raise

    def _holder(self) -> str:
        try:
            who = json.loads(self.path.read_bytes())
            return f"process {who['pid']} on {who['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def close(self) -> None:
        """Let another writer in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> "WriterLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class DirectoryLock:
    """The right to change a directory in which no file of ours may lie: a lock on itself.

    Use ``lock_directory``, which knows where there is no such lock.
    """

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def close(self) -> None:
        """Let another writer in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def lock_directory(root: Path) -> DirectoryLock | WriterLock:
    """Take the right to change a directory; leaves no file there if the system allows it.

    Windows, and some file systems of a network, lock files alone: there it is ``ROOT/.lock``.

    Raises
    ------
    LockedError
        Another writer has it, in this process or another.
    """
    if sys.platform == "win32":
        return WriterLock(root)
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise LockedError(f"{root} is being written by another writer") from None
    except OSError:
        os.close(handle)
        return WriterLock(root)
    return DirectoryLock(handle)


def is_unlocked(root: Path) -> bool:
    """Whether no writer has ``lock_directory`` on a directory; nothing is written."""
    path = root / WriterLock.NAME
    if sys.platform != "win32" and not path.exists():
        path = root
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return not path.exists()
    try:
        return _try_lock(handle, shared=True)
    finally:
        os.close(handle)


class ReadHold:
    """What keeps a generation from being removed while a reader has it.

    A shared lock on a file in it, which is only read. Where the system has no such locks, the
    open file itself prevents removal (Windows).
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self._handle: int | None = os.open(directory / name, os.O_RDONLY)
        if sys.platform != "win32" and not _try_lock(self._handle, shared=True):
            self.close()
            raise FileNotFoundError(f"{directory} is being removed")

    def close(self) -> None:
        """Let the generation go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def remove_unless_held(directory: Path, name: str, remove: Callable[[Path], object]) -> bool:
    """Remove a directory if no ``ReadHold`` is on it; say whether it is gone."""
    try:
        handle = os.open(directory / name, os.O_RDONLY)
    except FileNotFoundError:
        remove(directory)
        return True
    try:
        if sys.platform != "win32" and not _try_lock(handle, shared=False):
            return False
        if sys.platform != "win32":
            remove(directory)
            return True
    finally:
        os.close(handle)
    try:
        remove(directory)
    except OSError:
        return False
    return True
