"""``id_indices.bin``: external id -> node id, per node type.

    header   0  8  magic "KGLIIDXR"     8  4  version 1     12  4  types T
            16  8  directory offset = 32               24  8  data offset = 32 + 48 T
    entry    u64 type hash (ascending), u8 variant, 7 zero, u64 entries n,
             u64 payload offset, u64 payload bytes, 8 zero
    payload  variant 0 (unique ids): u32 keys[n] strictly ascending, u32 nodes[n]
             variant 1 (general): bincode map: u64 n, n x (value, u32 node)

Integer payloads are written first, so that all of them lie at multiples of four.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
    """Unique ids: keys strictly ascending, and the node of each."""

    keys: U32
    nodes: U32


@dataclass(frozen=True)
class GeneralIds:
    """Ids of any kind, and the node of each; in any order."""

    values: Values
    nodes: U32


def read(path: Path) -> dict[int, IntegerIds | GeneralIds]:
    """Read the index; integer parts stay on the map, general ones are decoded."""
    file = files.map_array(path, np.dtype("u1"))
    header = files.read_header(path, file, HEADER, MAGIC, VERSION)
    end = HEADER.itemsize + ENTRY.itemsize * int(header["types"])
    if int(header["directory_at"]) != HEADER.itemsize or end > file.size:
        raise FormatError(path, "directory", 16, f"{HEADER.itemsize}, in the file", "elsewhere")
    entries = np.frombuffer(file[HEADER.itemsize : end].tobytes(), ENTRY)
    return {
        int(entry["type"]): _payload(path, file, entry, HEADER.itemsize + ENTRY.itemsize * row)
        for row, entry in enumerate(entries)
    }


def _payload(path: Path, file: U8, entry: np.void, entry_at: int) -> IntegerIds | GeneralIds:
    at, size, count = int(entry["at"]), int(entry["bytes"]), int(entry["count"])
    if at + size > file.size or count > size:
        raise FormatError(path, "payload", entry_at + 24, f"within {file.size} bytes", (at, size))
    if entry["variant"] == INTEGER:
        if size != 8 * count:
            raise FormatError(path, "payload bytes", entry_at + 32, 8 * count, size)
        part = file[at : at + size]
        words = part.view("<u4") if at % 4 == 0 else part.copy().view("<u4")
        return IntegerIds(words[:count], words[count:])
    if entry["variant"] != GENERAL:
        raise FormatError(path, "variant", entry_at + 8, "0 or 1", int(entry["variant"]))
    return read_general(path, file, at, at + size, count)


def read_general(path: Path, data: U8, at: int, stop: int, count: int) -> GeneralIds:
    """Decode a bincode map of (value, node)."""
    found = int.from_bytes(bytes(data[at : at + 8]), "little") if stop - at >= 8 else -1
    if found != count or count * 8 > stop - at:
        raise FormatError(path, "entries of a general index", at, count, found)
    tags, words = np.empty(count, np.uint8), np.empty(count, np.uint64)
    nodes, where = np.empty(count, np.uint32), np.zeros(2, np.int64)
    stack = np.zeros(kernels.values.STACK_SIZE, np.int64)
    end = kernels.values.read_pairs(read_only(data), at + 8, stop, tags, words, nodes, stack, where)
    if end < 0:
        raise values.status_error(path, data, end, int(where[0]), "id")
    if end != stop:
        raise FormatError(path, "end of a general index", end, stop, end)
    ids = Values(tags, words, data)
    values.check_texts(path, ids)
    return GeneralIds(ids, nodes)


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
        parts = _encode(index)
        size = sum(part.nbytes for part in parts)
        entries[value] = (value, variant, bytes(7), index.nodes.size, at, size, 0)
        payloads += parts
        at += size
    directory = np.array([entries[value] for value in sorted(entries)], ENTRY)
    return [header.tobytes(), directory.tobytes(), *payloads]


def _encode(index: IntegerIds | GeneralIds) -> list[np.ndarray]:
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
