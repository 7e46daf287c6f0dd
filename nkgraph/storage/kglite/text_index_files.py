"""Text property indexes: four files each, and ``nkgraph_text_indexes.json`` that lists them.

    <stem>_meta.bin     META           ()           count n, and the bytes of all keys
    <stem>_keys.bin     u1             (key_bytes,) UTF-8 keys one after the other; >= 4096 bytes
    <stem>_offsets.bin  <u8            (n + 1,)     where keys start and stop; >= 64 items
    <stem>_ids.bin      <u4            (n,)         node ids; >= 64 items

Entries ascend by (key bytes, node id). An index is of a property of one node type, or across types;
the latter has no empty keys. Of each there is one set of files a segment, which covers the rows of
that segment; entries of nodes that were removed since may remain, and are passed over by whoever
looks up.

kglite takes an index for complete: it knows them by stems made of the names, in ``seg_000``, where
every character outside A-Z a-z 0-9 _ - is an underscore. So a file has such a stem only in a
directory of one segment, and only if no other type or property of the graph could be meant.
Otherwise it is ``nkgraph_text/<number of the index>_<segment>``, which kglite does not look for.
nkgraph finds files by the list alone, so names never decide what is answered:

    {"nkgraph_text_indexes": 1, "indexes": [{"node_type": "Person", "column": "nick", "parts": [
      {"segment": 0, "stem": "seg_000/property_index_Person_nick", "count": 3, "key_bytes": 12,
       "sources": {"Person": ["property", 5]}, "stamp": 123}]}]}

``sources`` says for each type whose values are there whether they are a property, the id or the
title, and of how many rows. ``stamp`` is a checksum of sizes and checksums of the column files
that the entries were taken from, as ``nkgraph.json`` has them. A part whose rows or stamp
are others is stale, and not believed.

A directory of kglite has no list. Its indexes are not kept up with changes, and to find out costs
as much as building them: they are not read.

version  change
1        first release
"""

import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nkgraph.errors import FormatError, VersionError
from nkgraph.storage import checks, files
from nkgraph.storage.kglite.extras import Entry
from nkgraph.storage.kglite.names import read_json
from nkgraph.storage.sorted_texts import SortedTexts
from nkgraph.storage.text import TextArray

LIST = "nkgraph_text_indexes.json"
FOLDER = "nkgraph_text"
VERSION = 1
META = np.dtype([("count", "<u8"), ("key_bytes", "<u8")])
OFFSETS = np.dtype("<u8")
NODES = np.dtype("<u4")
LEAST_BYTES, LEAST_ITEMS = 4096, 64
KINDS = ("property", "id", "title")
LONGEST_STEM = 200
_REPLACED = re.compile(r"[^A-Za-z0-9_-]")

Pair = tuple[str | None, str]
"""Node type, None for all of them, and column."""
Sources = Mapping[str, tuple[str, int]]
"""What the values of each type are, one of ``KINDS``, and its rows in the segment."""


@dataclass(frozen=True)
class Listed:
    """A part of an index as the list has it: what it covers, and where it lies."""

    segment: int
    stem: str
    count: int
    key_bytes: int
    sources: Sources
    stamp: int


@dataclass(frozen=True)
class PartContents:
    """A part to be written: new entries, or those of the generation before."""

    sources: Sources
    entries: SortedTexts | Listed


@dataclass(frozen=True)
class IndexContents:
    """An index to be written, with a part for each segment."""

    node_type: str | None
    column: str
    parts: Sequence[PartContents]


# -- names ------------------------------------------------------------------------------------


def sort_key(pair: Pair) -> tuple[bool, str, str]:
    """Order of indexes: those across types first."""
    return pair[0] is not None, pair[0] or "", pair[1]


def file_names(stem: str) -> dict[str, str]:
    """Names of the four files by what they hold."""
    return {part: f"{stem}_{part}.bin" for part in ("meta", "keys", "offsets", "ids")}


def _plain(name: str) -> str:
    return _REPLACED.sub("_", name)


def kglite_stem(pair: Pair, known: Mapping[str, Iterable[str]]) -> str | None:
    """Return the stem that kglite knows an index by, None where it could mean another.

    Parameters
    ----------
    pair : Pair
    known : mapping of str to names
        The columns that each node type of the graph has, by any name.

    Notes
    -----
    Letters are compared without case, as some file systems do.
    """
    node_type, column = pair
    own = _plain(column).lower()
    if node_type is None:
        stem = f"global_index_{_plain(column)}"
        others: Iterable[str] = (name for names in known.values() for name in names)
    else:
        stem = f"property_index_{_plain(node_type)}_{_plain(column)}"
        rest = f"{_plain(node_type)}_{own}".lower()
        starts = (f"{_plain(name)}_".lower() for name in known if name != node_type)
        if any(map(rest.startswith, starts)):
            return None
        others = known.get(node_type, ())
    if any(name != column and _plain(name).lower() == own for name in others):
        return None
    return stem if len(stem) <= LONGEST_STEM else None


def is_index_file(name: str) -> bool:
    """Whether a file of a native directory belongs to a text index, or is their list."""
    inner = name.partition("/")[2]
    return (
        name == LIST
        or name.startswith(f"{FOLDER}/")
        or (name.startswith("seg_") and inner.startswith(("property_index_", "global_index_")))
    )


# -- writing ----------------------------------------------------------------------------------


def write(entries: SortedTexts) -> dict[str, list[bytes | np.ndarray]]:
    """Encode the four files, each as parts to be written one after the other."""
    texts, count = entries.texts, len(entries)
    first, last = int(texts.offsets[0]), int(texts.offsets[-1])
    meta = np.zeros((), META)
    meta["count"], meta["key_bytes"] = count, last - first
    offsets = np.ascontiguousarray(texts.offsets - first, OFFSETS)
    nodes = np.ascontiguousarray(entries.nodes, NODES)
    return {
        "meta": [meta.tobytes()],
        "keys": [texts.data[first:last], bytes(max(LEAST_BYTES - (last - first), 0))],
        "offsets": [offsets, bytes(max(LEAST_ITEMS - offsets.size, 0) * OFFSETS.itemsize)],
        "ids": [nodes, bytes(max(LEAST_ITEMS - count, 0) * NODES.itemsize)],
    }


def stamp_of(entries: Mapping[str, Entry], segment: int, types: Iterable[str]) -> int:
    """Sum up the listed column files of types in a segment."""
    folder = f"seg_{segment:03}/"
    sidecars = folder if segment else ""
    names = [f"{folder}columns.bin"]
    names += [f"{sidecars}columns/{name}/columns.zst" for name in sorted(types)]
    held = [(name, entries[name]) for name in names if name in entries]
    return zlib.crc32(json.dumps([[name, e.size, e.crc32] for name, e in held]).encode())


def write_list(indexes: Iterable[tuple[Pair, Sequence[Listed]]]) -> bytes:
    """Encode the list; equal indexes give equal bytes."""
    found = []
    for (node_type, column), parts in indexes:
        entries = [
            {
                "segment": part.segment, "stem": part.stem, "count": part.count,
                "key_bytes": part.key_bytes,
                "sources": {name: list(part.sources[name]) for name in sorted(part.sources)},
                "stamp": part.stamp,
            }
            for part in parts
        ]  # fmt: skip
        found.append({"node_type": node_type, "column": column, "parts": entries})
    table = {"nkgraph_text_indexes": VERSION, "indexes": found}
    return json.dumps(table, indent=1, ensure_ascii=False).encode()


# -- reading ----------------------------------------------------------------------------------


def read_list(
    directory: Path, entries: Mapping[str, Entry], segment_count: int
) -> dict[Pair, list[Listed]]:
    """Read which indexes a native directory has; ``entries`` is its list of all files.

    Raises
    ------
    FormatError
        The list is damaged, names a file that is not there, or one of another size.
    VersionError
        A later version of the list.
    """
    if LIST not in entries:
        return {}
    path = directory / LIST
    table = read_json(path)
    version = table.get("nkgraph_text_indexes") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not _is_count(version):
        raise FormatError(path, "nkgraph_text_indexes", None, "a version number", version)
    if version != VERSION:
        raise VersionError(path, "version", None, VERSION, version, "use a newer nkgraph")
    found: dict[Pair, list[Listed]] = {}
    listed = table.get("indexes")
    if not isinstance(listed, list):
        raise FormatError(path, "indexes", None, "a list", type(listed).__name__)
    for number, index in enumerate(listed):
        field = f"indexes[{number}]"
        pair = _pair(path, field, index)
        if pair in found:
            raise FormatError(path, field, None, "each index once", pair)
        parts = index.get("parts")
        if not isinstance(parts, list) or len(parts) != segment_count:
            shown = len(parts) if isinstance(parts, list) else parts
            raise FormatError(path, f"{field}.parts", None, f"{segment_count} parts", shown)
        found[pair] = [
            _part(path, f"{field}.parts[{segment}]", segment, part)
            for segment, part in enumerate(parts)
        ]
        for part in found[pair]:
            _check_sizes(path, part, entries)
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _count(path: Path, field: str, value: object) -> int:
    if isinstance(value, int) and _is_count(value):
        return value
    raise FormatError(path, field, None, "a number from 0 to 2**63 - 1", value)


def _pair(path: Path, field: str, index: object) -> Pair:
    if isinstance(index, dict) and {"node_type", "column"} <= index.keys():
        node_type, column = index["node_type"], index["column"]
        named = node_type is None or (isinstance(node_type, str) and node_type)
        if named and isinstance(column, str) and column:
            return node_type, column
    raise FormatError(path, field, None, "a node_type and a column", index)


def _part(path: Path, field: str, segment: int, part: object) -> Listed:
    if not isinstance(part, dict) or part.get("segment") != segment:
        raise FormatError(path, field, None, f"the part of segment {segment}", part)
    count, key_bytes, stamp = (
        _count(path, f"{field}.{name}", part.get(name)) for name in ("count", "key_bytes", "stamp")
    )
    stem, sources = part.get("stem"), part.get("sources")
    if not isinstance(stem, str):
        raise FormatError(path, f"{field}.stem", None, "a string", stem)
    if not isinstance(sources, dict) or not all(map(_is_source, sources.values())):
        raise FormatError(path, f"{field}.sources", None, "kind and rows of types", sources)
    held = {name: (kind, rows) for name, (kind, rows) in sources.items()}
    return Listed(segment, stem, count, key_bytes, held, stamp)


def _is_source(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] in KINDS and _is_count(value[1])


def _check_sizes(path: Path, part: Listed, entries: Mapping[str, Entry]) -> None:
    """Compare with the list of all files: what it names is there, and inside the directory."""
    sizes = {
        "meta": META.itemsize,
        "keys": max(LEAST_BYTES, part.key_bytes),
        "offsets": OFFSETS.itemsize * max(LEAST_ITEMS, part.count + 1),
        "ids": NODES.itemsize * max(LEAST_ITEMS, part.count),
    }
    for name, file in file_names(part.stem).items():
        entry = entries.get(file)
        if entry is None or entry.size != sizes[name]:
            found = "no listed file" if entry is None else f"{entry.size} bytes"
            expected = f"{file} of {sizes[name]} bytes"
            raise FormatError(path, f"stem {part.stem}", None, expected, found)


def read(directory: Path, part: Listed, node_limit: int) -> SortedTexts:
    """Map the files of a part; every offset and node id is checked, the order is not.

    Raises
    ------
    FormatError
        A file is damaged.
    """
    names = {name: directory / file for name, file in file_names(part.stem).items()}
    meta = files.map_array(names["meta"], META, 1)[0]
    for field, stated in (("count", part.count), ("key_bytes", part.key_bytes)):
        if int(meta[field]) != stated:
            fields = META.fields
            assert fields is not None
            raise FormatError(names["meta"], field, fields[field][1], stated, int(meta[field]))
    offsets = files.map_array(names["offsets"], OFFSETS, part.count + 1).view(np.int64)
    bad = checks.first_bad_offset(offsets, part.key_bytes)
    if bad < 0 and (offsets[0] != 0 or offsets[-1] != part.key_bytes):
        bad = 0 if offsets[0] != 0 else part.count
    if bad >= 0:
        expected = f"ascending from 0 to {part.key_bytes}"
        raise FormatError(names["offsets"], f"offsets[{bad}]", 8 * bad, expected, int(offsets[bad]))
    nodes = files.map_array(names["ids"], NODES, part.count)
    bad = checks.first_not_below(nodes, node_limit)
    if bad >= 0:
        raise FormatError(names["ids"], f"ids[{bad}]", 4 * bad, f"< {node_limit}", int(nodes[bad]))
    keys = files.map_array(names["keys"], np.dtype("u1"), part.key_bytes)
    return SortedTexts(TextArray(offsets, keys), nodes)
