"""Writes to the files of a store that are all made, or all taken back byte for byte.

A ``Change`` is first written down, then applied. Before its first write it reads the old bytes of
every range that it will touch, so that what fails half-way can be undone.

A process that dies cannot undo. New nodes need no more than the order of writes: until the mark
is raised nobody sees them. A change of existing nodes puts the old bytes aside first, in
``ROOT/.nkgraph-undo``, and the next writer takes it back:

    line 1  magic and version
    line 2  JSON: crc32 of line 3 and what follows it
    line 3  JSON: {"files": [[path below ROOT, size or null, [[byte, length], ...]], ...],
                   "marks": {directory: hwm.bin in hexadecimal, or null}}
    then    the old bytes, one range after the other

Files get their old sizes back only while the marks are as they were: else another program has
added nodes since, and what was appended is left alone. So are the bytes appended to the heap.
"""

import contextlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage.files import Part
from nkgraph.storage.sparrowdb.node_files import file_size

JOURNAL = ".nkgraph-undo"
MAGIC = b"nkgraph undo 1\n"


@dataclass(frozen=True)
class _Write:
    path: Path
    at: int
    data: Part


@dataclass(frozen=True)
class _Extend:
    path: Path
    size: int


@dataclass(frozen=True)
class _Publish:
    path: Path
    temporary: Path
    data: Part


@dataclass(frozen=True)
class _Rename:
    path: Path
    target: Path


@dataclass(frozen=True)
class _Barrier:
    pass


_Step: TypeAlias = _Write | _Extend | _Publish | _Rename | _Barrier


@dataclass
class _Before:
    """What a file was: its size, None if there was none, and the old bytes of ranges."""

    size: int | None
    ranges: list[tuple[int, bytes]]


class Change:
    """Writes to be made together.

    Parameters
    ----------
    root : Path
    sync : bool
        Whether barriers are kept; without it nothing is synced.
    """

    def __init__(self, root: Path, sync: bool) -> None:
        self.root = root
        self.written: set[Path] = set()
        """Files that were written and not synced since."""
        self.named: set[Path] = set()
        """Directories in which names appeared that were not synced since."""
        self._sync = sync
        self._steps: list[_Step] = []
        self._before: dict[Path, _Before] = {}
        self._made: list[Path] = []
        self._journaled = self._settled = False
        self.broken = False
        """Whether taking back failed."""

    # -- writing down --------------------------------------------------------------------------

    def write(self, path: Path, at: int, data: Part) -> None:
        """Write bytes; what lies between the old end of the file and ``at`` becomes zero."""
        if len(files.as_bytes(data)):
            self._steps.append(_Write(path, at, data))

    def extend(self, path: Path, size: int) -> None:
        """Append zero bytes up to a size, if the file is shorter."""
        self._steps.append(_Extend(path, size))

    def publish(self, path: Path, data: Part, temporary: str | None = None) -> None:
        """Replace a file whole: written beside, synced, renamed over."""
        beside = path.with_name(temporary) if temporary else files.beside_name(path)
        self._steps.append(_Publish(path, beside, data))

    def rename(self, path: Path, target: Path) -> None:
        """Give a file another name in its directory, in place of what has that name."""
        self._steps.append(_Rename(path, target))

    def barrier(self) -> None:
        """Make what comes before durable before anything that comes after."""
        self._steps.append(_Barrier())

    # -- applying ------------------------------------------------------------------------------

    def apply(self, journal: bool = False) -> None:
        """Make the writes; if one fails, take all back and raise its error.

        With ``journal`` a process that dies is undone too, by ``recover``.
        """
        steps, self._steps = self._steps, []
        for step in steps:
            self._remember(step)
        try:
            if journal and self._before:
                self._write_journal()
            for path, group in _grouped(steps):
                if path is None:
                    self._apply_single(group[0])
                else:
                    self._apply_writes(path, group)
        except BaseException as error:
            self.undo(error)
            raise

    def settle(self) -> None:
        """Sync all that was written; then the old bytes are no longer wanted by a journal."""
        try:
            self.sync()
            if self._journaled:
                (self.root / JOURNAL).unlink()
                self._settled = True
                if self._sync:
                    files.fsync_directory(self.root)
        except BaseException as error:
            self.undo(error)
            raise

    def sync(self) -> None:
        """Make what was written durable."""
        if self._sync:
            for path in sorted(self.written):
                with contextlib.suppress(FileNotFoundError):  # who removed it wants it gone
                    files.sync_files([path])
            for path in sorted(self.named):
                files.fsync_directory(path)
        self.written.clear()
        self.named.clear()

    def undo(self, error: BaseException) -> None:
        """Take back all that was applied, the last first, so that a raised mark goes first.

        If that fails too, ``error`` gets a note, and ``broken`` is set: what is left is for
        ``recover``, or lies behind the mark, or it is the whole change.
        """
        if self.broken:
            return
        if self._settled:
            try:
                self._write_journal()
                self._settled = False
            except OSError:
                self.broken = True
                error.add_note("the change was made, and could not be taken back")
                return
        for path, before in reversed(self._before.items()):
            try:
                _restore(path, before)
            except OSError as failure:
                self.broken = True
                error.add_note(f"{path} could not be restored: {failure}")
                return
        for directory in reversed(self._made):
            with contextlib.suppress(OSError):
                directory.rmdir()
        if self._journaled:
            with contextlib.suppress(OSError):
                (self.root / JOURNAL).unlink()

    def _remember(self, step: _Step) -> None:
        if isinstance(step, _Barrier):
            return
        if isinstance(step, _Publish | _Rename):
            self._remember_range(step.path, 0, None)
            other = step.temporary if isinstance(step, _Publish) else step.target
            self._remember_range(other, 0, None)
        elif isinstance(step, _Extend):
            self._remember_range(step.path, 0, 0)
        else:
            self._remember_range(step.path, step.at, len(files.as_bytes(step.data)))

    def _remember_range(self, path: Path, at: int, length: int | None) -> None:
        before = self._before.get(path)
        if before is None:
            before = self._before[path] = _Before(file_size(path), [])
        if before.size is None or length == 0 or at >= before.size:
            return
        with path.open("rb") as file:
            file.seek(at)
            before.ranges.append((at, file.read() if length is None else file.read(length)))

    def _apply_single(self, step: _Step) -> None:
        if isinstance(step, _Barrier):
            self.sync()
        elif isinstance(step, _Publish):
            self._make_directory(step.path.parent)
            files.write_file(step.temporary, [step.data], sync=self._sync)
            step.temporary.replace(step.path)
            self.named.add(step.path.parent)
        elif isinstance(step, _Rename):
            step.path.replace(step.target)
            self.named.add(step.path.parent)

    def _apply_writes(self, path: Path, group: list[_Step]) -> None:
        """Make writes to one file, which is opened once."""
        fresh = file_size(path) is None
        if fresh:
            self._make_directory(path.parent)
            self.named.add(path.parent)
        self.written.add(path)
        with path.open("x+b" if fresh else "r+b", buffering=0) as file:
            for step in group:
                if isinstance(step, _Write):
                    file.seek(step.at)
                    view = files.as_bytes(step.data)
                    while len(view):
                        view = view[file.write(view) :]
                elif isinstance(step, _Extend) and file.seek(0, os.SEEK_END) < step.size:
                    file.truncate(step.size)

    def _make_directory(self, path: Path) -> None:
        missing = [path, *path.parents]
        missing = missing[: next(i for i, place in enumerate(missing) if place.exists())]
        for place in reversed(missing):
            place.mkdir()
            self._made.append(place)
            self.named.add(place.parent)

    def _write_journal(self) -> None:
        table: list[object] = []
        parts: list[bytes] = []
        for path, before in self._before.items():
            spans = [[at, len(old)] for at, old in before.ranges]
            table.append([path.relative_to(self.root).as_posix(), before.size, spans])
            parts += [old for _, old in before.ranges]
        places = {path.parent for path in self._before}
        marks = {p.relative_to(self.root).as_posix(): _mark_bytes(p) for p in sorted(places)}
        head = json.dumps({"files": table, "marks": marks}).encode() + b"\n"
        check = json.dumps({"crc32": files.checksum([head, *parts])}).encode() + b"\n"
        self._journaled = True
        files.write_file(self.root / JOURNAL, [MAGIC, check, head, *parts], sync=self._sync)
        if self._sync:
            files.fsync_directory(self.root)


def _grouped(
    steps: list[_Step],
) -> Iterator[tuple[Path | None, list[_Step]]]:
    """Put the writes to one file together, between what must keep its place."""
    groups: dict[Path, list[_Step]] = {}
    for step in steps:
        if isinstance(step, (_Write, _Extend)):
            groups.setdefault(step.path, []).append(step)
        else:
            yield from groups.items()
            groups = {}
            yield None, [step]
    yield from groups.items()


def _restore(path: Path, before: _Before) -> None:
    """Give a file the size and the bytes that it had."""
    size = file_size(path)
    if before.size is None:
        if size is not None:
            path.unlink()
        return
    with path.open("wb" if size is None else "r+b", buffering=0) as file:
        if size != before.size:
            file.truncate(before.size)
        for at, old in before.ranges:
            file.seek(at)
            view = memoryview(old)
            while len(view):
                view = view[file.write(view) :]


# -- what a dead writer left ------------------------------------------------------------------


def is_unfinished(root: Path) -> bool:
    """Whether a writer is in the middle of a change, or died there: see ``recover``."""
    return (root / JOURNAL).exists()


def refuse_unfinished(root: Path) -> None:
    """Refuse to read what a dead writer left half-way.

    Raises
    ------
    FormatError
        There is such a change, and no writer holds the lock.
    """
    if is_unfinished(root) and files.is_unlocked(root):
        found = "a change that a dead writer left half-way"
        remedy = 'open it as a NodeStore with mode "r+" once to take it back'
        raise FormatError(root / JOURNAL, "store", None, "no unfinished change", found, remedy)


def recover(root: Path, sync: bool) -> None:
    """Take back a change that a dead writer left half-way. Only for who holds the lock.

    Raises
    ------
    FormatError
        The file of old bytes is whole, but names a place outside the store.
    """
    path = root / JOURNAL
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for place, before, same_mark in _read_journal(root, path, data):
        size = file_size(place)
        if not same_mark or place.parent == root:
            before.size = size
        if before.size is None and size is None:
            continue
        before.ranges = [(at, old) for at, old in before.ranges if size and at + len(old) <= size]
        _restore(place, before)
        if sync and before.size is not None:
            files.sync_files([place])
    path.unlink()
    if sync:
        files.fsync_directory(root)


def _mark_bytes(directory: Path) -> str | None:
    try:
        return (directory / "hwm.bin").read_bytes().hex()
    except FileNotFoundError:
        return None


def _read_journal(root: Path, path: Path, data: bytes) -> list[tuple[Path, _Before, bool]]:
    """The files of a whole journal; none of one cut short, for then nothing was changed yet."""
    lines = data[len(MAGIC) :].split(b"\n", 2)
    if not data.startswith(MAGIC) or len(lines) < 3:
        return []
    try:
        wanted = json.loads(lines[0])["crc32"]
        if zlib.crc32(data[len(MAGIC) + len(lines[0]) + 1 :]) != wanted:
            return []
        head = json.loads(lines[1])
        rows = [
            (root / name, None if size is None else int(size), [(int(a), int(n)) for a, n in spans])
            for name, size, spans in head["files"]
        ]
        marks = {root / name: mark for name, mark in head["marks"].items()}
    except (ValueError, KeyError, TypeError):
        return []
    found, start = [], 0
    for place, size, spans in rows:
        if ".." in place.parts or not place.is_relative_to(root) or place.is_dir():
            raise FormatError(path, "path", None, f"a file below {root}", place)
        if min([size or 0, *chain.from_iterable(spans)]) < 0:
            raise FormatError(path, "ranges", None, ">= 0", spans)
        ranges = []
        for at, length in spans:
            ranges.append((at, lines[2][start : start + length]))
            start += length
        same = marks.get(place.parent) == _mark_bytes(place.parent)
        found.append((place, _Before(size, ranges), same))
    return found
