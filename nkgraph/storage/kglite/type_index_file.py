"""``type_indices.bin``: node type -> live node ids, ascending.

header   0  8  magic "KGLTIDXR"     8  4  version 1     12  4  types T
16  8  ids in all          24  8  data offset = 32 + 24 T
entry    u64 type hash (ascending), u64 payload offset, u64 payload bytes
payload  u32 node ids
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nkgraph.dtypes import U32
from nkgraph.errors import FormatError
from nkgraph.storage import files

MAGIC = b"KGLTIDXR"
VERSION = 1
HEADER = np.dtype([
    ("magic", "S8"), ("version", "<u4"), ("types", "<u4"), ("total", "<u8"), ("data_at", "<u8"),
])  # fmt: skip
ENTRY = np.dtype([("type", "<u8"), ("at", "<u8"), ("bytes", "<u8")])


def read(path: Path) -> dict[int, U32]:
    """Map the lists of a file; their content is not looked at."""
    file = files.map_array(path, np.dtype("u1"))
    header = files.read_header(path, file, HEADER, MAGIC, VERSION)
    count = int(header["types"])
    data_at = HEADER.itemsize + ENTRY.itemsize * count
    if int(header["data_at"]) != data_at or data_at > file.size:
        raise FormatError(path, "data offset", 24, f"{data_at} in the file", int(header["data_at"]))
    entries = np.frombuffer(file[HEADER.itemsize : data_at].tobytes(), ENTRY)
    lists = {}
    for row, entry in enumerate(entries):
        at, size = int(entry["at"]), int(entry["bytes"])
        if at < data_at or size % 4 or at % 4 or at + size > file.size:
            where = HEADER.itemsize + ENTRY.itemsize * row + 8
            raise FormatError(path, "payload", where, f"within {file.size} bytes", (at, size))
        lists[int(entry["type"])] = file[at : at + size].view("<u4")
    return lists


def write(lists: Mapping[int, U32]) -> list[bytes | np.ndarray]:
    """Encode the file as parts, types by ascending hash; empty lists are left out."""
    held = {value: lists[value] for value in sorted(lists) if lists[value].size}
    header = np.zeros((), HEADER)
    header["magic"], header["version"], header["types"] = MAGIC, VERSION, len(held)
    header["total"] = sum(nodes.size for nodes in held.values())
    at = HEADER.itemsize + ENTRY.itemsize * len(held)
    header["data_at"] = at
    entries = np.zeros(len(held), ENTRY)
    for row, (value, nodes) in enumerate(held.items()):
        entries[row] = (value, at, 4 * nodes.size)
        at += 4 * nodes.size
    payload = [np.ascontiguousarray(nodes, "<u4") for nodes in held.values()]
    return [header.tobytes(), entries.tobytes(), *payload]
