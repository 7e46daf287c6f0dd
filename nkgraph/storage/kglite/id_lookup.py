"""``nkgraph_ids/<hash>.ids``: external id -> node id of one node type, searched on the map.

kglite ignores it. Types whose ids all fit 32 bits need no such file: their part of
``id_indices.bin`` is already sorted and is used as it lies. Little-endian, each section at a
multiple of 64 bytes:

    section      dtype  shape  content
    header       HEADER ()     magic, version, sizes
    int_keys     <u8    (i,)   integer ids with their sign bit flipped, ascending
    int_nodes    <u4    (i,)   their node ids
    text_hashes  <u8    (t,)   ``TextArray.hashes`` of text ids, ascending; equal ones adjacent
    text_nodes   <u4    (t,)   their node ids

version  change
1        first release
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nkgraph.dtypes import U8, U32, U64
from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage.kglite import id_index_file
from nkgraph.storage.kglite.names import fnv1a

FOLDER = "nkgraph_ids"
MAGIC = b"nkgr.ids"
VERSION = 1
ALIGN = 64
HEADER = np.dtype([
    ("magic", "S8"), ("version", "<u4"), ("reserved", "<u4"),
    ("int_count", "<u8"), ("text_count", "<u8"), ("padding", "V32"),
])  # fmt: skip
SECTIONS: tuple[tuple[str, np.dtype, str], ...] = (
    ("int_keys", np.dtype("<u8"), "int_count"),
    ("int_nodes", np.dtype("<u4"), "int_count"),
    ("text_hashes", np.dtype("<u8"), "text_count"),
    ("text_nodes", np.dtype("<u4"), "text_count"),
)


@dataclass(frozen=True)
class SortedIds:
    """Sorted keys and the node id of each.

    ``int_keys`` holds uint32 ids as they are, or any integer ids as uint64 with their sign bit
    flipped, which keeps their order.
    """

    int_keys: U32 | U64
    int_nodes: U32
    text_hashes: U64
    text_nodes: U32


def file_name(node_type: str) -> str:
    """Return the path of the file within the directory."""
    return f"{FOLDER}/{fnv1a(node_type):016x}.ids"


def section_bounds(int_count: int, text_count: int) -> list[tuple[int, int]]:
    """Byte position and element count of each section, and (end of file, 0)."""
    at, bounds = HEADER.itemsize, []
    for _, dtype, counted in SECTIONS:
        count = int_count if counted == "int_count" else text_count
        at = -(-at // ALIGN) * ALIGN
        bounds.append((at, count))
        at += count * dtype.itemsize
    return [*bounds, (at, 0)]


def write(ids: SortedIds) -> list[bytes | U8]:
    """Encode the file as parts to be written one after the other."""
    header = np.zeros((), HEADER)
    header["magic"], header["version"] = MAGIC, VERSION
    header["int_count"], header["text_count"] = ids.int_keys.size, ids.text_hashes.size
    parts: list[bytes | U8] = [header.tobytes()]
    at = HEADER.itemsize
    bounds = section_bounds(ids.int_keys.size, ids.text_hashes.size)
    for (name, dtype, _), (start, count) in zip(SECTIONS, bounds, strict=False):
        section = np.ascontiguousarray(getattr(ids, name), dtype)
        parts += [bytes(start - at), section.view("u1")]
        at = start + count * dtype.itemsize
    return parts


def read(directory: Path, node_type: str) -> SortedIds | None:
    """Map the look-up of a type in a native directory; None where it has to be built."""
    path = directory / file_name(node_type)
    if path.exists():
        return _read_file(path)
    index_path = directory / "id_indices.bin"
    if not index_path.exists():
        return None
    found = id_index_file.read(index_path).get(fnv1a(node_type))
    if not isinstance(found, id_index_file.IntegerIds):
        return None
    none = np.zeros(0, "<u8")
    return SortedIds(found.keys, found.nodes, none, none.astype("<u4"))


def _read_file(path: Path) -> SortedIds:
    file = files.map_array(path, np.dtype("u1"))
    header = files.read_header(path, file, HEADER, MAGIC, VERSION)
    counts = int(header["int_count"]), int(header["text_count"])
    if max(counts) > file.size:
        raise FormatError(path, "counts", 16, f"<= {file.size}", counts)
    bounds = section_bounds(*counts)
    if bounds[-1][0] != file.size:
        raise FormatError(path, "file size", 0, bounds[-1][0], file.size)
    sections = [
        file[at : at + count * dtype.itemsize].view(dtype)
        for (_, dtype, _), (at, count) in zip(SECTIONS, bounds, strict=False)
    ]
    return SortedIds(*sections)
