"""``id_indices.bin``: external id -> node id, per node type.

    header   0  8  magic "KGLIIDXR"     8  4  version 1     12  4  types T
            16  8  directory offset = 32               24  8  data offset = 32 + 48 T
    entry    u64 type hash (ascending), u8 variant, 7 zero, u64 entries n,
             u64 payload offset, u64 payload bytes, 8 zero
    payload  variant 0 (unique ids): u32 keys[n] strictly ascending, u32 nodes[n]
             variant 1 (general): bincode map: u64 n, n x (value, u32 node)

Payloads follow each other without gaps, so an integer payload may start at any byte. Here they
are written first, so that all of them lie at multiples of four.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import U8, U32
from nkgraph.errors import FormatError
from nkgraph.storage import files, values
from nkgraph.storage.values import Values

MAGIC = b"KGLIIDXR"
VERSION = 1
HEADER = np.dtype([
    ("magic", "S8"), ("version", "<u4"), ("types", "<u4"),
    ("directory_at", "<u8"), ("data_at", "<u8"),
])  # fmt: skip
ENTRY = np.dtype([
    ("type", "<u8"), ("variant", "u1"), ("zero", "V7"), ("count", "<u8"),
    ("at", "<u8"), ("bytes", "<u8"), ("reserved", "<u8"),
])  # fmt: skip
INTEGER, GENERAL = 0, 1


@dataclass(frozen=True)
class IntegerIds:
    """Unique ids: keys strictly ascending, and the node of each.

    Where they lie on a map they may be at any byte, so numpy may hold them to be unaligned.
    ``at`` is this byte, for errors.
    """

    keys: U32
    nodes: U32
    at: int | None = None


@dataclass(frozen=True)
class GeneralIds:
    """Ids of any kind, and the node of each; in any order."""

    values: Values
    nodes: U32


class StoredIds:
    """A general payload as it lies; nothing of it is read before ``read``.

    Parameters
    ----------
    path : Path or str
        What to call it in errors.
    data : (b,) uint8
        May be a whole file.
    at, stop : int
        Where the payload starts and ends; in ``data``.
    count : int
        Entries that it must hold.

    Attributes
    ----------
    start : int
        Where the first entry starts.
    """

    def __init__(self, path: Path | str, data: U8, at: int, stop: int, count: int) -> None:
        self.path, self.count = path, count
        self.start = at + 8
        self._data, self._at, self._stop = data, at, stop

    def read(self) -> GeneralIds:
        """Decode the payload and check it.

        Raises
        ------
        FormatError
        """
        ids, end = read_general(self.path, self._data, self._at, self._stop)
        if ids.nodes.size != self.count:
            field = "entries of a general index"
            raise FormatError(self.path, field, self._at, self.count, ids.nodes.size)
        if end != self._stop:
            raise FormatError(self.path, "end of a general index", end, self._stop, end)
        return ids


Entry: TypeAlias = IntegerIds | StoredIds


def read(path: Path) -> dict[int, Entry]:
    """Map the index, by type hash; checks the directory and reads no payload. O(types).

    Raises
    ------
    FormatError
        There is no file, or its header or directory is damaged.
    VersionError
    """
    file = files.map_array(path, np.dtype("u1"))
    header = files.read_header(path, file, HEADER, MAGIC, VERSION)
    end = HEADER.itemsize + ENTRY.itemsize * int(header["types"])
    if end > file.size:
        raise FormatError(path, "types", 12, f"a directory in {file.size} bytes", f"{end} bytes")
    for field, expected in (("directory_at", HEADER.itemsize), ("data_at", end)):
        if int(header[field]) != expected:
            at = HEADER.fields[field][1] if HEADER.fields else None
            raise FormatError(path, field, at, expected, int(header[field]))
    entries = np.frombuffer(file[HEADER.itemsize : end].tobytes(), ENTRY)
    _check_directory(path, entries, end, file.size)
    return {
        int(entry["type"]): _payload(path, file, entry, HEADER.itemsize + ENTRY.itemsize * row)
        for row, entry in enumerate(entries)
    }


def _check_directory(path: Path, entries: np.ndarray, first: int, stop: int) -> None:
    """Check that hashes ascend, and that payloads fill the file without gaps."""
    hashes = entries["type"]
    fallen = np.flatnonzero(hashes[1:] <= hashes[:-1])
    if fallen.size:
        row = int(fallen[0]) + 1
        at = HEADER.itemsize + ENTRY.itemsize * row
        raise FormatError(path, "type", at, f"> {hashes[row - 1]}", int(hashes[row]))
    order = np.lexsort((entries["bytes"], entries["at"]))
    for row in order.tolist():
        at, size = int(entries["at"][row]), int(entries["bytes"][row])
        entry_at = HEADER.itemsize + ENTRY.itemsize * row
        if at != first:
            raise FormatError(path, "payload offset", entry_at + 24, first, at)
        if size > stop - at:
            raise FormatError(path, "payload bytes", entry_at + 32, f"<= {stop - at}", size)
        first = at + size
    if first != stop:
        raise FormatError(path, "file size", 0, first, stop)


def _payload(path: Path, file: U8, entry: np.void, entry_at: int) -> Entry:
    at, size, count = int(entry["at"]), int(entry["bytes"]), int(entry["count"])
    if entry["variant"] == INTEGER:
        if size != 8 * count:
            raise FormatError(path, "payload bytes", entry_at + 32, 8 * count, size)
        return integers_at(file, at, count)
    if entry["variant"] != GENERAL:
        raise FormatError(path, "variant", entry_at + 8, "0 or 1", int(entry["variant"]))
    if 8 * count + 8 > size:
        limit = max(0, size - 8) // 8
        raise FormatError(path, "entries", entry_at + 16, f"<= {limit}", count)
    return StoredIds(path, file, at, at + size, count)


def integers_at(data: U8, at: int, count: int) -> IntegerIds:
    """View an integer payload that lies in ``data``, at any byte."""
    keys = np.ndarray(count, "<u4", data, at)
    return IntegerIds(keys, np.ndarray(count, "<u4", data, at + 4 * count), at)


def read_general(path: Path | str, data: U8, at: int, stop: int) -> tuple[GeneralIds, int]:
    """Decode a bincode map of (value, node); return it and the byte behind it."""
    room = stop - at - 8
    count = int.from_bytes(bytes(data[at : at + 8]), "little") if room >= 0 else -1
    if not 0 <= count <= room // 8:
        raise FormatError(path, "entries of a general index", at, f"<= {room // 8}", count)
    tags, words = np.empty(count, np.uint8), np.empty(count, np.uint64)
    nodes, where = np.empty(count, np.uint32), np.zeros(2, np.int64)
    stack = np.zeros(kernels.values.STACK_SIZE, np.int64)
    end = kernels.values.read_pairs(read_only(data), at + 8, stop, tags, words, nodes, stack, where)
    if end < 0:
        raise values.status_error(path, data, end, int(where[0]), "id")
    ids = Values(tags, words, data)
    values.check_texts(path, ids)
    return GeneralIds(ids, nodes), int(end)


def write(indexes: Mapping[int, IntegerIds | GeneralIds]) -> list[bytes | np.ndarray]:
    """Encode the file as parts; entries by ascending hash, integer payloads first."""
    order = sorted(indexes, key=lambda value: (isinstance(indexes[value], GeneralIds), value))
    directory_at = HEADER.itemsize
    at = directory_at + ENTRY.itemsize * len(order)
    header = np.zeros((), HEADER)
    header["magic"], header["version"], header["types"] = MAGIC, VERSION, len(order)
    header["directory_at"], header["data_at"] = directory_at, at
    entries, payloads = {}, []
    for value in order:
        index = indexes[value]
        variant = INTEGER if isinstance(index, IntegerIds) else GENERAL
        parts = encode(index)
        size = sum(part.nbytes for part in parts)
        entries[value] = (value, variant, bytes(7), index.nodes.size, at, size, 0)
        payloads += parts
        at += size
    directory = np.array([entries[value] for value in sorted(entries)], ENTRY)
    return [header.tobytes(), directory.tobytes(), *payloads]


def encode(index: IntegerIds | GeneralIds) -> list[np.ndarray]:
    """Encode a payload as parts."""
    if isinstance(index, IntegerIds):
        return [np.ascontiguousarray(index.keys, "<u4"), np.ascontiguousarray(index.nodes, "<u4")]
    found = index.values
    offsets = np.zeros(len(found) + 1, np.int64)
    np.cumsum(found.sizes(extra=4), out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    kernels.values.write_pairs(
        found.tags, found.words, found.heap, read_only(index.nodes), offsets, out
    )
    return [np.array([len(found)], "<u8"), out]
