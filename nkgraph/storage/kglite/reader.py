"""Open a directory: which files there are, what they claim, arrays over maps.

Opening reads the small files and maps the large ones; nothing is scanned. Two kinds of
directory share one layout:

* a native one has ``nkgraph.json`` (see ``extras``): its rows and indexes are canonical, and it
  carries sorted id look-ups;
* any other is foreign. Its node slots and edge endpoints are the truth. Rows and indexes of a
  foreign directory may be unsorted, stale or partial (tombstones, overflow, several segments),
  so they are not used: the graph rebuilds them from the endpoints, which hold every edge.
"""

import re
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from nkgraph.dtypes import CSR_EDGE, ENDPOINTS, NODE_SLOT, U8, U32, U64
from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage.kglite import extras, id_lookup, metadata, names
from nkgraph.storage.kglite.edge_properties import EdgeProperties, from_format_0
from nkgraph.storage.kglite.manifest import read_manifest
from nkgraph.storage.kglite.mapped_columns import read_mapped
from nkgraph.storage.kglite.node_columns import Store, read_sidecar

OPAQUE = ("embeddings.bin.zst", "timeseries.bin.zst")
"""Files that a graph reader does not look into; a save carries them over."""
_SEGMENT = re.compile(r"seg_(\d+)")
_CORE = (
    ("node_slots", NODE_SLOT, "node_slots_len"),
    ("out_offsets", np.dtype("<u8"), "out_offsets_len"),
    ("out_edges", CSR_EDGE, "out_edges_len"),
    ("in_offsets", np.dtype("<u8"), "in_offsets_len"),
    ("in_edges", CSR_EDGE, "in_edges_len"),
    ("edge_endpoints", ENDPOINTS, "edge_endpoints_len"),
)
CORE_DTYPES = {name: dtype for name, dtype, _ in _CORE}
Rows = tuple[U64, U32]
"""Offsets (n + 1,) and entries (m, 2): peer, edge id."""
Index = tuple[U64, U64, U32]
"""Type hashes (T,), offsets (T + 1,) and the flat u32 content."""


class Stored:
    """An opened directory; see the module docstring."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self.meta = metadata.read_meta(directory)
        self.native = extras.read(directory)
        self.names = names.read_names(directory)
        self.metadata = metadata.read_metadata(directory)
        self.node_types = metadata.read_node_types(directory, self.metadata)
        self.connection_types = metadata.read_connection_types(directory, self.metadata)
        self.segments = segment_directories(directory, self.meta.csr_layout_version)
        self.manifest = read_manifest(directory)
        if len(self.segments) == 1:
            self._core = self._map_one()
        else:
            self._core = self._join()
        self._check_counts()

    @property
    def slots(self) -> np.ndarray:
        """Node slots, (n,) NODE_SLOT, read-only."""
        return self._core["node_slots"]

    @property
    def endpoints(self) -> np.ndarray:
        """Edge endpoints, (e,) ENDPOINTS, removed edges included, read-only."""
        return self._core["edge_endpoints"]

    def rows(self, direction: str) -> Rows | None:
        """Rows of a native directory, as they lie in the file; None in a foreign one."""
        return None if self.native is None else self.raw_rows(direction)

    def raw_rows(self, direction: str) -> Rows:
        """Rows as they lie in the files of a one-segment directory, right or wrong."""
        entries = self._core[f"{direction}_edges"]
        return self._core[f"{direction}_offsets"], entries.view("<u4").reshape(-1, 2)

    def index(self, stem: str, content: str) -> Index | None:
        """An index trio of a native directory; None in a foreign one, where it may be stale."""
        return None if self.native is None else self.raw_index(stem, content)

    def raw_index(self, stem: str, content: str) -> Index:
        """An index trio as it lies in the first segment, right or stale; empty if there is none."""
        folder = self.segments[0]
        types_path = folder / f"{stem}_types.bin"
        if not types_path.exists():
            empty = np.zeros(0, "<u8")
            return empty, np.zeros(1, "<u8"), np.zeros(0, "<u4")
        types = files.map_array(types_path, np.dtype("<u8"))
        offsets_path = folder / f"{stem}_offsets.bin"
        offsets = files.map_array(offsets_path, np.dtype("<u8"))
        flat = files.map_array(folder / f"{stem}_{content}.bin", np.dtype("<u4"))
        width = 2 if content == "entries" else 1
        if offsets.size != types.size + 1:
            raise FormatError(offsets_path, "elements", 0, types.size + 1, offsets.size)
        steps = np.diff(offsets.astype(np.int64))
        if offsets[0] != 0 or (steps < 0).any() or int(offsets[-1]) * width != flat.size:
            raise FormatError(offsets_path, "offsets", 0, f"0 up to {flat.size // width}", "others")
        return types, offsets, flat

    @cached_property
    def edge_properties(self) -> EdgeProperties:
        """Edge properties by edge id, of format 0 or 1."""
        folder, lengths = self.segments[0], self.meta.edge_properties_meta
        offsets_path = folder / "edge_prop_offsets.bin"
        legacy = self.path / "edge_properties.bin.zst"
        if self.meta.edge_properties_format == 0 or (
            lengths["offsets_len"] == 0 and not offsets_path.exists()
        ):
            if not legacy.exists():
                return EdgeProperties.empty()
            return self._legacy_properties(legacy)
        if not offsets_path.exists() or lengths["offsets_len"] == 0:
            return EdgeProperties.empty()
        offsets = files.map_array(offsets_path, np.dtype("<u8"), lengths["offsets_len"])
        heap_path = folder / "edge_prop_heap.bin"
        heap = files.map_array(heap_path, np.dtype("u1"), lengths["heap_len"])
        return EdgeProperties(offsets, heap, heap_path)

    def _legacy_properties(self, path: Path) -> EdgeProperties:
        data = files.decompress(path)
        count = self.meta.next_edge_idx
        offsets, heap, strings = from_format_0(path, data, count)
        for string in strings:
            self.names.intern(string)
        return EdgeProperties(offsets, heap, path)

    @cached_property
    def _mapped_stores(self) -> dict[str, Store]:
        for folder in (self.segments[0], self.path):
            columns_path = folder / "columns.bin"
            if columns_path.exists():
                columns = files.map_array(columns_path, np.dtype("u1"))
                meta_path = folder / "columns_meta.bin.zst"
                if meta_path.exists():
                    meta = files.decompress(meta_path)
                else:
                    meta_path = folder / "columns_meta.json"
                    with files.open_binary(meta_path) as file:
                        meta = file.read()
                known = self.names.by_hash()
                return dict(read_mapped(columns_path, columns, meta, meta_path, known))
        return {}

    def store(self, node_type: str) -> Store | None:
        """Return the property store of a node type; None where it has none."""
        mapped = self._mapped_stores.get(node_type)
        if mapped is not None:
            return mapped
        if "/" in node_type or "\0" in node_type or node_type in (".", ".."):
            return None  # no folder can have this name, and none outside may be read
        path = self.path / "columns" / node_type / "columns.zst"
        if not path.exists():
            return None
        value = names.fnv1a(node_type)
        rows = int(np.count_nonzero(self.slots["node_type"] == value))
        return read_sidecar(path, files.decompress(path), rows, self.names.by_hash())

    def lookup(self, node_type: str) -> id_lookup.SortedIds | None:
        """Sorted id look-up of a node type in a native directory; None in a foreign one."""
        return None if self.native is None else id_lookup.read(self.path, node_type)

    def array(self, relative: str, dtype: np.dtype, count: int | None = None) -> U8:
        """Map a further file of the directory."""
        return files.map_array(self.path / relative, dtype, count)

    def compare(self, field: str, found: int, what: str) -> None:
        """Warn where a count of the meta file is not what the arrays hold.

        kglite removes in the files at once and writes the counts only when it saves, so a
        session that was not saved leaves them apart. What the arrays hold is answered.
        """
        stated = getattr(self.meta, field)
        if stated != found:
            warnings.warn(
                f"{self.path / metadata.META}: {field} is {stated}, but there are {found} {what}: "
                "an unsaved change, or damage; the arrays are believed",
                RuntimeWarning,
                stacklevel=2,
            )

    # -- core arrays --------------------------------------------------------------------------

    def _map_one(self) -> dict[str, np.ndarray]:
        folder = self.segments[0]
        return {
            name: self._map_core(folder, name, dtype, getattr(self.meta, key))
            for name, dtype, key in _CORE
        }

    def _map_core(self, folder: Path, name: str, dtype: np.dtype, count: int) -> np.ndarray:
        path = folder / f"{name}.bin"
        packed = folder / f"{name}.bin.zst"
        if not path.exists() and packed.exists():
            data = files.decompress(packed)
            if len(data) < count * dtype.itemsize:
                expected = f">= {count * dtype.itemsize}"
                raise FormatError(packed, "decompressed size", 0, expected, len(data))
            array = np.frombuffer(data, dtype, count)
            array.flags.writeable = False
            return array
        if not path.exists():
            if count == 0:
                return np.zeros(0, dtype)
            raise FormatError(path, "file", None, f"{count} elements", "no file")
        return files.map_array(path, dtype, count)

    def _join(self) -> dict[str, np.ndarray]:
        """Concatenate slots and endpoints of several segments; both hold global ids."""
        core: dict[str, np.ndarray] = {}
        for name, count in (
            ("node_slots", self.meta.node_slots_len),
            ("edge_endpoints", self.meta.next_edge_idx),
        ):
            dtype = CORE_DTYPES[name]
            parts = [files.map_array(folder / f"{name}.bin", dtype) for folder in self.segments]
            found = sum(part.size for part in parts)
            if found != count:
                raise FormatError(
                    self.path, f"{name} of {len(parts)} segments", None, f"{count} elements", found
                )
            core[name] = np.concatenate(parts)
            core[name].flags.writeable = False
        return core

    def _check_counts(self) -> None:
        path = self.path / metadata.META
        slots, edges = self.slots.size, self.endpoints.size
        checks: list[tuple[str, int, Callable[[int], bool], str]] = [
            ("node_count", self.meta.node_count, lambda v: v <= slots, f"<= {slots} slots"),
            ("edge_count", self.meta.edge_count, lambda v: v <= edges, f"<= {edges} endpoints"),
            ("next_edge_idx", self.meta.next_edge_idx, lambda v: v == edges, f"{edges} endpoints"),
        ]
        if self.native is not None:
            for side in ("out", "in"):
                length = self._core[f"{side}_offsets"].size
                checks.append(
                    (f"{side}_offsets_len", length, lambda v: v == slots + 1, f"{slots + 1}")
                )
        for field, value, holds, expected in checks:
            if not holds(value):
                raise FormatError(path, field, None, expected, value)


def segment_directories(directory: Path, layout: int) -> list[Path]:
    """List the segment folders in numeric order; the directory itself in the flat layout."""
    if layout == 0:
        return [directory]
    found = []
    for child in directory.iterdir():
        match = _SEGMENT.fullmatch(child.name)
        if match and child.is_dir():
            found.append((int(match[1]), child))
    if not found:
        raise FormatError(directory / "seg_000", "segment", None, "a directory", "none")
    return [child for _, child in sorted(found)]
