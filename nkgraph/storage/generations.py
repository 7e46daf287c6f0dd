"""Generations of a native directory: old graph or new graph, never a mixture.

    ROOT/CURRENT                       name of the published generation and a newline
    ROOT/generations/gen_<20 digits>/  a complete directory
    ROOT/generations/.tmp_<20 digits>/ one being written; readers never look at it
    ROOT/.lock                         one writer at a time

Publishing syncs every file and directory of the new generation, renames it, syncs the folder,
then replaces CURRENT by a rename and syncs the root. Whatever stops the process, CURRENT names
a whole generation.
"""

import os
import re
import shutil
from pathlib import Path

from nkgraph.errors import FormatError, GraphError
from nkgraph.storage.files import (
    ReadHold,
    WriterLock,
    beside,
    fsync_directory,
    remove_unless_held,
    write_atomic,
)

CURRENT = "CURRENT"
FOLDER = "generations"
_NAME = re.compile(r"gen_(\d{20})")
_TEMPORARY = re.compile(r"\.tmp_\d{20}")
_META = "disk_graph_meta.json"
_ATTEMPTS = 100


def check_free(root: Path) -> None:
    """Refuse a path that holds something; what a killed first save left behind is nothing."""
    if not root.exists():
        return
    left = {root / FOLDER, root / WriterLock.NAME}
    if not root.is_dir() or set(root.iterdir()) - left - set(beside(root / CURRENT)):
        raise GraphError(f"{root} holds something: a new graph needs a new path")
    folder = root / FOLDER
    if folder.exists() and (
        not folder.is_dir()
        or not all(
            _NAME.fullmatch(c.name) or _TEMPORARY.fullmatch(c.name) for c in folder.iterdir()
        )
    ):
        raise GraphError(f"{folder} holds something: a new graph needs a new path")


def create_root(root: Path) -> None:
    """Make an empty native directory. For the holder of the writer lock, after ``check_free``."""
    check_free(root)
    folder = root / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    _remove_left(root)


def _remove_left(root: Path) -> None:
    """Remove what was to become CURRENT. For the holder of the writer lock."""
    for path in beside(root / CURRENT):
        path.unlink(missing_ok=True)


def current(root: Path) -> Path:
    """Return the directory that CURRENT names.

    Raises
    ------
    FormatError
        CURRENT is missing or names no generation that is there.
    """
    path = root / CURRENT
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FormatError(path, "file", None, "the name of a generation", "no file") from None
    name = data.decode("ascii", "replace").removesuffix("\n")
    if not _NAME.fullmatch(name):
        raise FormatError(path, "name", 0, "gen_ and 20 digits", repr(name[:40]))
    directory = root / FOLDER / name
    if not directory.is_dir():
        raise FormatError(path, "name", 0, "a generation that is there", name)
    return directory


def open_hold(root: Path) -> tuple[Path, ReadHold]:
    """Return the current generation and a hold that keeps it; writes nothing."""
    for _ in range(_ATTEMPTS):
        try:
            directory = current(root)
            hold = ReadHold(directory, _META)
        except FormatError:
            # A writer may have published and collected between two steps; else CURRENT is bad.
            if _is_settled(root):
                raise
            continue
        except FileNotFoundError:
            if _is_settled(root):
                missing = directory / _META
                raise FormatError(missing, "file", None, "a kglite meta file", "none") from None
            continue
        if (directory / _META).exists():
            return directory, hold
        hold.close()
    raise FormatError(root / CURRENT, "name", 0, "a generation that stays", "constant change")


def _is_settled(root: Path) -> bool:
    """Whether CURRENT names the same generation twice in a row, there or not."""
    path = root / CURRENT
    try:
        first = path.read_bytes()
        directory = current(root)
    except (FileNotFoundError, FormatError):
        return not path.exists() or path.read_bytes() == first
    return not (directory / _META).exists()


def _numbers(root: Path) -> list[int]:
    matches = (_NAME.fullmatch(child.name) for child in (root / FOLDER).iterdir())
    return sorted(int(match[1]) for match in matches if match)


def begin(root: Path) -> Path:
    """Make the folder for the next generation under its temporary name."""
    number = max(_numbers(root), default=-1) + 1
    temporary = root / FOLDER / f".tmp_{number:020d}"
    if temporary.exists():
        shutil.rmtree(temporary)
    temporary.mkdir()
    return temporary


def publish(root: Path, temporary: Path) -> Path:
    """Make a written generation the current one. Its files must be synced already."""
    for folder, _, _ in os.walk(temporary):
        fsync_directory(Path(folder))
    directory = temporary.with_name(temporary.name.replace(".tmp_", "gen_"))
    temporary.rename(directory)
    try:
        fsync_directory(directory.parent)
        write_atomic(root / CURRENT, [f"{directory.name}\n".encode()])
    except BaseException:
        # The failure may have come after CURRENT was replaced.
        if not (root / CURRENT).exists() or current(root) != directory:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory


def collect(root: Path) -> list[Path]:
    """Remove what nobody needs: older generations without a hold, and what killed saves left.

    For the holder of the writer lock. Returns what was removed.
    """
    keep = current(root)
    _remove_left(root)
    removed = []
    for child in sorted((root / FOLDER).iterdir()):
        unfinished = _TEMPORARY.fullmatch(child.name) is not None
        if child == keep or not (unfinished or _NAME.fullmatch(child.name)):
            continue
        if remove_unless_held(child, _META, shutil.rmtree):
            removed.append(child)
    return removed
