"""``nkgraph.json``: what makes a directory native, and the files that it vouches for.

kglite ignores it. It lists every other file of the directory with size and CRC-32, so that a
copy cut short, a changed file and a missing one are told from a whole graph:

    {"nkgraph": 1, "files": {"seg_000/out_edges.bin": {"bytes": 96, "crc32": 123}, …}}

version  change
1        first release
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nkgraph.errors import FormatError, VersionError
from nkgraph.storage.kglite.names import read_json

NAME = "nkgraph.json"
VERSION = 1


@dataclass(frozen=True)
class Entry:
    """Size and CRC-32 of one file."""

    size: int
    crc32: int


def write(files: Mapping[str, Entry]) -> bytes:
    """Encode the list, names in code point order."""
    listed = {name: {"bytes": files[name].size, "crc32": files[name].crc32} for name in files}
    table = {"nkgraph": VERSION, "files": dict(sorted(listed.items()))}
    return json.dumps(table, indent=1, ensure_ascii=False).encode()


def read(directory: Path) -> dict[str, Entry] | None:
    """Read the list and compare the sizes; None where the directory is a foreign one.

    Raises
    ------
    FormatError
        The list is damaged, or a listed file is missing or has another size.
    VersionError
        A later version of the list.
    """
    path = directory / NAME
    if not path.exists():
        return None
    table = read_json(path)
    version = table.get("nkgraph") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(version, int):
        raise FormatError(path, "nkgraph", None, "a version number", version)
    if version != VERSION:
        raise VersionError(path, "nkgraph", None, VERSION, version, "use a newer nkgraph")
    entries = table.get("files")
    if not isinstance(entries, dict):
        raise FormatError(path, "files", None, "an object", type(entries).__name__)
    listed = {name: _entry(path, name, entry) for name, entry in entries.items()}
    for name, entry in listed.items():
        target = directory / name
        try:
            found: object = target.stat().st_size
        except FileNotFoundError:
            found = "no file"
        if found != entry.size:
            raise FormatError(target, "file size", None, entry.size, found, "restore the file")
    return listed


def _entry(path: Path, name: str, entry: object) -> Entry:
    size = entry.get("bytes") if isinstance(entry, dict) else None
    crc32 = entry.get("crc32") if isinstance(entry, dict) else None
    outside = Path(name).is_absolute() or ".." in Path(name).parts
    if outside or not isinstance(size, int) or not isinstance(crc32, int):
        raise FormatError(path, f"files[{name!r}]", None, "bytes and crc32", entry)
    return Entry(size, crc32)
