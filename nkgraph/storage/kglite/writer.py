"""Write a directory as kglite 0.10.24 lays it out.

Every file is written, synced and closed before ``disk_graph_meta.json`` and, in a native
directory, ``nkgraph.json``. Equal contents give equal bytes. Where files of a segment lie:

    seg_NNN/                arrays, index trios, edge properties, columns.bin
    columns/ or seg_NNN/columns/     sidecars, of the first segment or a later one
    ./ or seg_NNN/          type_indices.bin, id_indices.bin, nkgraph_ids/: of an only segment, or
                            of one among several, where kglite does not look for them and so does
                            not take a part for the whole
    see text_index_files    text indexes, and the list of them in a native directory
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nkgraph import threads
from nkgraph.dtypes import CSR_EDGE, U8
from nkgraph.errors import GraphError, LimitError
from nkgraph.storage import files
from nkgraph.storage.kglite import (
    extras,
    id_index_file,
    id_lookup,
    mapped_columns,
    metadata,
    node_columns,
    property_ranges,
    text_index_files,
    type_index_file,
)
from nkgraph.storage.kglite.contents import (
    Contents,
    LinkedSegment,
    SegmentContents,
)
from nkgraph.storage.kglite.manifest import write_manifest
from nkgraph.storage.kglite.names import fnv1a, write_names
from nkgraph.storage.kglite.property_ranges import TextSet
from nkgraph.storage.kglite.text_index_files import Listed
from nkgraph.storage.sorted_texts import SortedTexts

Part = bytes | np.ndarray
Files = list[tuple[str, Sequence[Part]]]
INDEXES = ("type_indices.bin", "id_indices.bin")
LARGE = 1 << 19
"""From so many bytes on a file is summed on a second thread while it is written."""


def segment_folder(number: int) -> str:
    """Name of the folder of a segment."""
    return f"seg_{number:03}"


def write(directory: Path, contents: Contents, native: bool, previous: Path | None = None) -> None:
    """Write all files into ``directory``, which exists and is empty.

    Files that are the same in ``previous``, a native directory, become hard links to those.

    Raises
    ------
    LimitError
        Something does not fit the format. OSError where the disk refuses.
    """
    old = None if previous is None else _Previous(previous)
    stems = _stems(contents, native)
    links = {**_links(contents, old), **_index_links(stems)}
    listed = [*_files(contents, native), *_text_index_files(stems)]
    for name in sorted({str(Path(name).parent) for name in [*links, *dict(listed)]}):
        (directory / name).mkdir(parents=True, exist_ok=True)
    entries: dict[str, extras.Entry] = {}
    written: list[str] = []
    for name, source in links.items():
        assert old is not None
        files.link_or_copy(old.directory / source, directory / name)
        entries[name] = old.entries[source]
    # A copy: the engine that owns the other may change it in place.
    listed += [(path.name, [files.map_array(path, np.dtype("u1"))]) for path in contents.opaque]
    for name, parts in listed:
        if old is not None and old.holds(name, parts):
            files.link_or_copy(old.directory / name, directory / name)
            entries[name] = old.entries[name]
        else:
            entries[name] = _write_one(directory / name, parts)
            written.append(name)
    if native and contents.text_indexes:
        name = text_index_files.LIST
        entries[name] = _write_one(directory / name, [_index_list(contents, stems, entries)])
        written.append(name)
    # Never a link: readers hold a generation by a lock on this file.
    entries[metadata.META] = _write_one(directory / metadata.META, [contents.meta.to_json()])
    written.append(metadata.META)
    if native:
        files.write_file(directory / extras.NAME, [extras.write(entries)], sync=False)
        written.append(extras.NAME)
    files.sync_files(directory / name for name in written)


def _links(contents: Contents, old: "_Previous | None") -> dict[str, str]:
    """Names of files that stay, and what they are called in the generation before."""
    found: dict[str, str] = {}
    several = len(contents.segments) > 1
    for number, segment in enumerate(contents.segments):
        if not isinstance(segment, LinkedSegment) or old is None:
            continue
        folder = f"{segment_folder(number)}/"
        new, was = (folder if several else ""), ("" if segment.was_only else folder)
        for name in old.entries:
            if text_index_files.is_index_file(name):
                continue
            if name.startswith(folder):
                inner = name.removeprefix(folder)
                found[_moved(inner, folder, new)] = name
            elif number == 0 and name.startswith("columns/"):
                found[name] = name
            elif was == "" and number == 0 and _is_index(name):
                found[new + name] = name
    return found


def _moved(inner: str, folder: str, new: str) -> str:
    return (new if _is_index(inner) else folder) + inner


def _is_index(name: str) -> bool:
    return name in INDEXES or name.startswith(f"{id_lookup.FOLDER}/")


class _Previous:
    """The generation before, to link to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.entries = extras.read(directory) or {}

    def holds(self, name: str, parts: Sequence[Part]) -> bool:
        """Whether a file is there with this very content."""
        known = self.entries.get(name)
        views = [files.as_bytes(part) for part in parts]
        if known is None or known.size != sum(len(view) for view in views):
            return False
        file = files.map_array(self.directory / name, np.dtype("u1"))
        at = 0
        for view in views:
            part = np.frombuffer(view, np.uint8)
            if not np.array_equal(file[at : at + part.size], part):
                return False
            at += part.size
        return True


def _write_one(path: Path, parts: Sequence[Part]) -> extras.Entry:
    """Write a file, not yet synced, and take its checksum."""
    write = partial(files.write_file, path, parts, sync=False)
    if sum(len(files.as_bytes(part)) for part in parts) < LARGE:
        write()
        return _checksum(parts)
    sums: list[extras.Entry] = []
    threads.run([write, lambda: sums.append(_checksum(parts))])
    return sums[0]


def _checksum(parts: Sequence[Part]) -> extras.Entry:
    size = sum(len(files.as_bytes(part)) for part in parts)
    return extras.Entry(size, files.checksum(parts))


def _folder_name(node_type: str) -> str:
    """Check that a node type can name a folder: its properties may have to lie there."""
    if "/" in node_type or "\0" in node_type or node_type in (".", ".."):
        raise GraphError(f"node type {node_type!r} cannot name a folder, and its columns need one")
    if len(node_type.encode()) > 255:
        raise LimitError(
            f"node type {node_type[:40]!r}... is over 255 bytes, too long for a folder"
        )
    return node_type


def _files(contents: Contents, native: bool) -> Files:
    several = len(contents.segments) > 1
    entries = [segment.entry(number) for number, segment in enumerate(contents.segments)]
    found: Files = [
        ("interner.bin.zst", [write_names(contents.names)]),
        ("metadata.json", [_metadata_json(contents)]),
        ("node_type_metadata.bin.zst", [metadata.write_node_types(contents.node_types)]),
        (
            "connection_type_metadata.bin.zst",
            [metadata.write_connection_types(contents.connection_types)],
        ),
        ("type_connectivity.bin.zst", [metadata.write_connectivity(contents.connectivity)]),
        ("seg_manifest.json", [write_manifest(entries)]),
        *_label_files(contents),
    ]
    for number, segment in enumerate(contents.segments):
        if isinstance(segment, SegmentContents):
            folder = f"{segment_folder(number)}/"
            found += _core_files(folder, segment)
            found += _store_files(folder, folder if number else "", segment)
            found += _index_files(folder if several else "", segment, native)
            sets = {
                pair: held for pair, held in segment.ranges.items() if isinstance(held, TextSet)
            }
            if native and sets:
                found.append((folder + property_ranges.NAME, property_ranges.write_text_sets(sets)))
    return found


def _label_files(contents: Contents) -> list[tuple[str, Sequence[Part]]]:
    if not contents.labels:
        return []
    return [("secondary_labels.bin.zst", [metadata.write_labels(contents.labels)])]


def _metadata_json(contents: Contents) -> bytes:
    table = {"core_data_version": 2, **contents.settings}
    table.update(
        node_type_metadata={},
        connection_type_metadata={},
        edge_type_counts=dict(sorted(contents.edge_type_counts.items())),
    )
    return json.dumps(table, indent=2, ensure_ascii=False).encode()


def _index_files(folder: str, segment: SegmentContents, native: bool) -> Files:
    indexes = {
        fnv1a(store.name): store.id_index for store in segment.stores if store.id_index is not None
    }
    found: Files = [
        (f"{folder}type_indices.bin", type_index_file.write(segment.type_nodes)),
        (f"{folder}id_indices.bin", id_index_file.write(indexes)),
    ]
    if native:
        found += [
            (folder + id_lookup.file_name(store.name), id_lookup.write(store.lookup))
            for store in segment.stores
            if store.lookup is not None
        ]
    return found


def _core_files(folder: str, segment: SegmentContents) -> Files:
    found: Files = [
        (f"{folder}node_slots.bin", [_bytes(segment.slots)]),
        (f"{folder}edge_endpoints.bin", [_bytes(segment.endpoints)]),
    ]
    for side in ("out", "in"):
        offsets, entries = segment.rows[side]
        found += [
            (f"{folder}{side}_offsets.bin", [_bytes(offsets)]),
            (f"{folder}{side}_edges.bin", [_bytes(entries)]),
        ]
    hashes, offsets, sources = segment.index
    stem = f"{folder}conn_type_index"
    found += [
        (f"{stem}_types.bin", [_bytes(hashes)]),
        (f"{stem}_offsets.bin", [_bytes(offsets)]),
        (f"{stem}_sources.bin", [_bytes(sources)]),
    ]
    if segment.rows["out"][1].size:
        hashes, offsets, targets, counts = segment.peers
        if counts.size and int(counts.max()) > 0xFFFFFFFF:
            raise LimitError("a peer count passes the 32 bits that the format has for it")
        pairs = np.empty(targets.size, CSR_EDGE)
        pairs["peer"], pairs["edge_idx"] = targets, counts
        stem = f"{folder}peer_count"
        found += [
            (f"{stem}_types.bin", [_bytes(hashes)]),
            (f"{stem}_offsets.bin", [_bytes(offsets)]),
            (f"{stem}_entries.bin", [_bytes(pairs)]),
        ]
    slots, heap = segment.edge_properties
    return [
        *found,
        (f"{folder}edge_prop_offsets.bin", [_bytes(slots)]),
        (f"{folder}edge_prop_heap.bin", [_bytes(heap)]),
    ]


def _bytes(array: np.ndarray) -> U8:
    return np.ascontiguousarray(array).reshape(-1).view("u1")


def _store_files(folder: str, sidecars: str, segment: SegmentContents) -> Files:
    found: Files = []
    mapped = {}
    for store in segment.stores:
        if not store.columns:
            continue
        if mapped_columns.fits_mapped(store.columns):
            mapped[store.name] = store.columns
        else:
            data = node_columns.write_sidecar(store.columns, store.row_count)
            name = f"{sidecars}columns/{_folder_name(store.name)}/columns.zst"
            found.append((name, [files.compress(data, level=1)]))
    if mapped:
        parts, meta = mapped_columns.write_mapped(mapped)
        found += [
            (f"{folder}columns.bin", parts),
            (f"{folder}columns_meta.bin.zst", [files.compress(meta)]),
        ]
    return found


# -- text indexes -----------------------------------------------------------------------------

Stems = dict[tuple[int, int], tuple[str, SortedTexts | Listed]]
"""Stem and entries by (number of the index, segment)."""


def _stems(contents: Contents, native: bool) -> Stems:
    """Name the parts of all text indexes; a flat directory has only those that kglite finds."""
    known = _known_columns(contents)
    several = len(contents.segments) > 1
    found: Stems = {}
    for number, index in enumerate(contents.text_indexes):
        pair = index.node_type, index.column
        stem = None if several else text_index_files.kglite_stem(pair, known)
        for segment, part in enumerate(index.parts):
            own = f"{text_index_files.FOLDER}/{number:05}_{segment:03}"
            if stem is not None:
                found[number, segment] = f"{segment_folder(0)}/{stem}", part.entries
            elif native:
                found[number, segment] = own, part.entries
    return found


def _known_columns(contents: Contents) -> dict[str, set[str]]:
    """Every name by which a column of each node type may be asked for."""
    known = {name: {"id", "title", *held} for name, held in contents.node_types.items()}
    for key in ("id_field_aliases", "title_field_aliases"):
        aliases = contents.settings.get(key)
        if isinstance(aliases, dict):
            for name, alias in aliases.items():
                if isinstance(alias, str):
                    known.setdefault(name, {"id", "title"}).add(alias)
    return known


def _index_links(stems: Stems) -> dict[str, str]:
    links = {}
    for stem, entries in stems.values():
        if isinstance(entries, Listed):
            old = text_index_files.file_names(entries.stem)
            new = text_index_files.file_names(stem)
            links.update({new[part]: old[part] for part in new})
    return links


def _text_index_files(stems: Stems) -> Files:
    found: Files = []
    for stem, entries in stems.values():
        if not isinstance(entries, Listed):
            names = text_index_files.file_names(stem)
            found += [(names[part], data) for part, data in text_index_files.write(entries).items()]
    return found


def _index_list(contents: Contents, stems: Stems, entries: dict[str, extras.Entry]) -> bytes:
    """Make the list, when the checksums of the columns are known."""
    found = []
    for number, index in enumerate(contents.text_indexes):
        parts = []
        for segment, part in enumerate(index.parts):
            stem, held = stems[number, segment]
            count, size = (
                (held.count, held.key_bytes)
                if isinstance(held, Listed)
                else (len(held), int(held.texts.offsets[-1] - held.texts.offsets[0]))
            )
            stamp = text_index_files.stamp_of(entries, segment, part.sources)
            parts.append(Listed(segment, stem, count, size, part.sources, stamp))
        found.append(((index.node_type, index.column), parts))
    return text_index_files.write_list(found)
