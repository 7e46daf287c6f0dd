"""``id_indices.bin.zst``: the older forms of the id index, both compressed with zstd.

    framed   magic "KGLIIDX1", u32 version 1, u32 types T, then T times:
             u64 type hash, u8 variant, 7 zero, u64 entries n, and
             variant 0: u32 keys[n], u32 nodes[n], in any order
             variant 1: u64 bytes, and a bincode map as in ``id_indices.bin``
    oldest   bincode map: u64 T, T x (name, u32 variant), and
             variant 0: u64 n, n x (u32 key, u32 node)
             variant 1: a bincode map

A decompressed file is small enough for memory, so integer entries are sorted at once.
"""

from pathlib import Path

import numpy as np

from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage.kglite.cursor import Cursor
from nkgraph.storage.kglite.id_index_file import (
    GENERAL,
    INTEGER,
    Entry,
    IntegerIds,
    StoredIds,
    read_general,
)
from nkgraph.storage.kglite.names import fnv1a

MAGIC = b"KGLIIDX1"
VERSION = 1


def read(path: Path) -> tuple[dict[int, Entry], list[str]]:
    """Read the index by type hash, and the names of types, which only the oldest form holds.

    Raises
    ------
    FormatError
        Damaged, or an integer key stands twice.
    VersionError
    """
    content = files.decompress(path)
    cursor = Cursor(path, content)
    if content.startswith(MAGIC):
        return _read_framed(cursor), []
    return _read_oldest(cursor)


def _read_framed(cursor: Cursor) -> dict[int, Entry]:
    cursor.magic(MAGIC, VERSION)
    entries: dict[int, Entry] = {}
    for _ in range(cursor.count32("types", 24)):
        at = cursor.at
        value = cursor.u64("type hash")
        if value in entries:
            raise FormatError(cursor.path, "type hash", at, "each once", value)
        variant = cursor.take(8, "variant")[0]
        count = cursor.count("entries", 8)
        if variant == INTEGER:
            words = np.frombuffer(cursor.take(8 * count, "keys and nodes"), "<u4")
            entries[value] = _sorted(cursor, words[:count], words[count:])
        elif variant == GENERAL:
            size = cursor.count("blob length", 1)
            start = cursor.at
            cursor.take(size, "blob")
            data = np.frombuffer(cursor.data, np.uint8)
            entries[value] = StoredIds(cursor.path, data, start, start + size, count)
        else:
            raise FormatError(cursor.path, "variant", at + 8, "0 or 1", variant)
    cursor.end()
    return entries


def _read_oldest(cursor: Cursor) -> tuple[dict[int, Entry], list[str]]:
    data = np.frombuffer(cursor.data, np.uint8)
    entries: dict[int, Entry] = {}
    names = []
    for _ in range(cursor.count("types", 20)):
        at = cursor.at
        name = cursor.text64("type name")
        value = fnv1a(name)
        if value in entries:
            raise FormatError(cursor.path, "type name", at, "each once", name)
        at = cursor.at
        variant = cursor.u32("variant")
        if variant == INTEGER:
            count = cursor.count("entries", 8)
            words = np.frombuffer(cursor.take(8 * count, "keys and nodes"), "<u4")
            entries[value] = _sorted(cursor, words[::2], words[1::2])
        elif variant == GENERAL:
            start = cursor.at
            found, cursor.at = read_general(cursor.path, data, start, data.size)
            entries[value] = StoredIds(cursor.path, data, start, cursor.at, len(found.values))
        else:
            raise FormatError(cursor.path, "variant", at, "0 or 1", variant)
        names.append(name)
    cursor.end()
    return entries, names


def _sorted(cursor: Cursor, keys: np.ndarray, nodes: np.ndarray) -> IntegerIds:
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if twice.size:
        raise FormatError(cursor.path, "keys", cursor.at, "each once", f"{keys[twice[0]]} twice")
    return IntegerIds(keys, nodes[order])
