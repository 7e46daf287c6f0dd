"""Write a directory of one segment, as kglite 0.10.24 reads it.

Every file is written, synced and closed before ``disk_graph_meta.json`` and, in a native
directory, ``nkgraph.json``. Equal contents give equal bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nkgraph import threads
from nkgraph.dtypes import CSR_EDGE, I64, U8, U32, U64
from nkgraph.errors import GraphError, LimitError
from nkgraph.storage import files
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.kglite import (
    extras,
    id_index_file,
    id_lookup,
    mapped_columns,
    metadata,
    node_columns,
    type_index_file,
)
from nkgraph.storage.kglite.manifest import Segment, write_manifest
from nkgraph.storage.kglite.names import Names, fnv1a, write_names

Part = bytes | np.ndarray
SEGMENT = "seg_000"
ID, TITLE = "__id__", "__title__"


@dataclass
class StoreContents:
    """Columns of one node type by name, ``__id__`` and ``__title__`` among them."""

    name: str
    row_count: int
    columns: dict[str, AnyColumn]
    id_index: id_index_file.IntegerIds | id_index_file.GeneralIds | None
    lookup: id_lookup.SortedIds | None


@dataclass
class Contents:
    """Everything that a directory holds. ``rows`` has the sides "out" and "in"."""

    meta: metadata.GraphMeta
    names: Names
    settings: dict[str, object]
    node_types: metadata.NodeTypes
    connection_types: Mapping[str, metadata.ConnectionType]
    connectivity: Sequence[tuple[int, int, int, int]]
    edge_type_counts: Mapping[str, int]
    slots: np.ndarray
    endpoints: np.ndarray
    rows: Mapping[str, tuple[I64, U32]]
    index: tuple[U64, I64, U32]
    peers: tuple[U64, I64, U32, U64]
    edge_properties: tuple[U64, U8]
    stores: list[StoreContents]
    type_nodes: Mapping[int, U32]
    labels: Mapping[str, U32]
    opaque: Sequence[Path]


def write(directory: Path, contents: Contents, native: bool, previous: Path | None = None) -> None:
    """Write all files into ``directory``, which exists and is empty.

    Files that are the same in ``previous``, a native directory, become hard links to those.

    Raises
    ------
    LimitError
        Something does not fit the format. OSError where the disk refuses.
    """
    for name in sorted(_folders(contents, native)):
        (directory / name).mkdir(parents=True, exist_ok=True)
    old = None if previous is None else _Previous(previous)
    listed = dict(_files(contents, native))
    entries = {name: _write_one(directory, name, parts, old) for name, parts in listed.items()}
    for path in contents.opaque:  # a copy: the engine that owns the other may change it in place
        data = files.map_array(path, np.dtype("u1"))
        entries[path.name] = _write_one(directory, path.name, [data], old)
    meta = {metadata.META: [contents.meta.to_json()]}
    for name, parts in meta.items():
        # Never a link: readers hold a generation by a lock on this file.
        entries[name] = _write_one(directory, name, parts)
    if native:
        files.write_file(directory / extras.NAME, [extras.write(entries)])


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


def _write_one(
    directory: Path, name: str, parts: Sequence[Part], old: _Previous | None = None
) -> extras.Entry:
    """Write a file and take its checksum, at the same time; or link to the old one."""
    if old is not None and old.holds(name, parts):
        files.link_or_copy(old.directory / name, directory / name)
        return old.entries[name]
    sums: list[extras.Entry] = []
    threads.run(
        [
            partial(files.write_file, directory / name, parts),
            lambda: sums.append(_checksum(parts)),
        ]
    )
    return sums[0]


def _checksum(parts: Sequence[Part]) -> extras.Entry:
    size = sum(len(files.as_bytes(part)) for part in parts)
    return extras.Entry(size, files.checksum(parts))


def _folders(contents: Contents, native: bool) -> set[str]:
    folders = {SEGMENT}
    folders |= {f"columns/{_folder_name(store.name)}" for store in _sidecars(contents)}
    if native and any(store.lookup is not None for store in contents.stores):
        folders.add(id_lookup.FOLDER)
    return folders


def _folder_name(node_type: str) -> str:
    """Check that a node type can name a folder: its properties may have to lie there."""
    if "/" in node_type or "\0" in node_type or node_type in (".", ".."):
        raise GraphError(f"node type {node_type!r} cannot name a folder, and its columns need one")
    if len(node_type.encode()) > 255:
        raise LimitError(
            f"node type {node_type[:40]!r}... is over 255 bytes, too long for a folder"
        )
    return node_type


def _mapped(contents: Contents) -> list[StoreContents]:
    return [store for store in contents.stores if mapped_columns.fits_mapped(store.columns)]


def _sidecars(contents: Contents) -> list[StoreContents]:
    return [store for store in contents.stores if not mapped_columns.fits_mapped(store.columns)]


def _files(contents: Contents, native: bool) -> list[tuple[str, Sequence[Part]]]:
    return [
        ("interner.bin.zst", [write_names(contents.names)]),
        ("metadata.json", [_metadata_json(contents)]),
        ("node_type_metadata.bin.zst", [metadata.write_node_types(contents.node_types)]),
        (
            "connection_type_metadata.bin.zst",
            [metadata.write_connection_types(contents.connection_types)],
        ),
        ("type_connectivity.bin.zst", [metadata.write_connectivity(contents.connectivity)]),
        ("seg_manifest.json", [write_manifest([_segment(contents)])]),
        ("type_indices.bin", type_index_file.write(contents.type_nodes)),
        ("id_indices.bin", id_index_file.write(_id_indices(contents))),
        *_label_files(contents),
        *_core_files(contents),
        *_store_files(contents),
        *(_lookup_files(contents) if native else []),
    ]


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


def _segment(contents: Contents) -> Segment:
    return Segment(
        segment_id=0,
        node_id_lo=0,
        node_id_hi=contents.meta.node_slots_len,
        edge_count=contents.meta.edge_count,
        conn_types=[int(value) for value in contents.index[0]],
        node_type_counts={
            str(value): count
            for value, count in sorted(
                (fnv1a(store.name), store.row_count) for store in contents.stores
            )
        },
    )


def _id_indices(
    contents: Contents,
) -> dict[int, id_index_file.IntegerIds | id_index_file.GeneralIds]:
    return {
        fnv1a(store.name): store.id_index for store in contents.stores if store.id_index is not None
    }


def _core_files(contents: Contents) -> list[tuple[str, Sequence[Part]]]:
    found: list[tuple[str, Sequence[Part]]] = [
        (f"{SEGMENT}/node_slots.bin", [_bytes(contents.slots)]),
        (f"{SEGMENT}/edge_endpoints.bin", [_bytes(contents.endpoints)]),
    ]
    for side in ("out", "in"):
        offsets, entries = contents.rows[side]
        found += [
            (f"{SEGMENT}/{side}_offsets.bin", [_bytes(offsets)]),
            (f"{SEGMENT}/{side}_edges.bin", [_bytes(entries)]),
        ]
    hashes, offsets, sources = contents.index
    stem = f"{SEGMENT}/conn_type_index"
    found += [
        (f"{stem}_types.bin", [_bytes(hashes)]),
        (f"{stem}_offsets.bin", [_bytes(offsets)]),
        (f"{stem}_sources.bin", [_bytes(sources)]),
    ]
    if contents.meta.edge_count:
        hashes, offsets, targets, counts = contents.peers
        if counts.size and int(counts.max()) > 0xFFFFFFFF:
            raise LimitError("a peer count passes the 32 bits that the format has for it")
        pairs = np.empty(targets.size, CSR_EDGE)
        pairs["peer"], pairs["edge_idx"] = targets, counts
        stem = f"{SEGMENT}/peer_count"
        found += [
            (f"{stem}_types.bin", [_bytes(hashes)]),
            (f"{stem}_offsets.bin", [_bytes(offsets)]),
            (f"{stem}_entries.bin", [_bytes(pairs)]),
        ]
    offsets_now, heap = contents.edge_properties
    return [
        *found,
        (f"{SEGMENT}/edge_prop_offsets.bin", [_bytes(offsets_now)]),
        (f"{SEGMENT}/edge_prop_heap.bin", [_bytes(heap)]),
    ]


def _bytes(array: np.ndarray) -> U8:
    return np.ascontiguousarray(array).reshape(-1).view("u1")


def _store_files(contents: Contents) -> list[tuple[str, Sequence[Part]]]:
    found: list[tuple[str, Sequence[Part]]] = []
    for store in _sidecars(contents):
        data = node_columns.write_sidecar(store.columns, store.row_count)
        name = f"columns/{_folder_name(store.name)}/columns.zst"
        found.append((name, [files.compress(data, level=1)]))
    mapped = {store.name: store.columns for store in _mapped(contents)}
    if mapped:
        parts, meta = mapped_columns.write_mapped(mapped)
        found += [
            (f"{SEGMENT}/columns.bin", parts),
            (f"{SEGMENT}/columns_meta.bin.zst", [files.compress(meta)]),
        ]
    return found


def _lookup_files(contents: Contents) -> list[tuple[str, Sequence[Part]]]:
    return [
        (id_lookup.file_name(store.name), id_lookup.write(store.lookup))
        for store in contents.stores
        if store.lookup is not None
    ]
