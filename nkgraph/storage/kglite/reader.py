"""Open a directory: which files there are, what they claim, segments over maps.

Opening reads the small files and maps the large ones; nothing is scanned. Two kinds of
directory share one layout:

* a native one has ``nkgraph.json`` (see ``extras``): the rows and indexes of each of its segments
  are canonical, removed edges stand in no row, and each segment carries sorted id look-ups;
* any other is foreign. Its node slots and edge endpoints are the truth. Rows and indexes of a
  foreign directory may be unsorted, stale or partial (tombstones, overflow, several segments),
  so they are not used: the graph rebuilds them from the endpoints, which hold every edge.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage.kglite import extras, metadata, names
from nkgraph.storage.kglite.edge_properties import (
    EdgeProperties,
    SegmentedEdgeProperties,
    from_format_0,
)
from nkgraph.storage.kglite.manifest import read_manifest
from nkgraph.storage.kglite.node_columns import Store
from nkgraph.storage.kglite.property_ranges import (
    NAME as TEXT_SETS,
)
from nkgraph.storage.kglite.property_ranges import (
    Pair,
    Summary,
    from_manifest,
    read_text_sets,
)
from nkgraph.storage.kglite.segment import CORE, Segment

OPAQUE = ("embeddings.bin.zst", "timeseries.bin.zst")
"""Files that a graph reader does not look into; a save carries them over."""
_SEGMENT = re.compile(r"seg_(\d+)")


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
        self.manifest = read_manifest(directory)
        folders = segment_directories(directory, self.meta.csr_layout_version)
        self.segments = self._one(folders[0]) if len(folders) == 1 else self._several(folders)
        self.slot_count = sum(int(segment.slots.size) for segment in self.segments)
        self.edge_id_count = sum(int(segment.endpoints.size) for segment in self.segments)
        self._ranges: dict[int, Mapping[Pair, Summary | None]] = {}
        self._check_counts()
        if self.native is not None:
            self._check_native()
        else:
            self._check_foreign()

    def _one(self, folder: Path) -> list[Segment]:
        lengths = {name: getattr(self.meta, f"{name}_len") for name in CORE}
        return [Segment(folder, self.path, self.path, lengths=lengths)]

    def _several(self, folders: list[Path]) -> list[Segment]:
        found: list[Segment] = []
        node, edge = 0, 0
        for folder in folders:
            sidecars = folder if found else self.path
            segment = Segment(folder, sidecars, folder, node, edge)
            node, edge = segment.last_node, edge + int(segment.endpoints.size)
            found.append(segment)
        return found

    @cached_property
    def edge_properties(self) -> EdgeProperties | SegmentedEdgeProperties:
        """Edge properties by edge id, of format 0 or 1."""
        if self.native is not None and len(self.segments) > 1:
            return SegmentedEdgeProperties(
                [(segment.first_edge, segment.edge_properties) for segment in self.segments]
            )
        folder, lengths = self.segments[0].folder, self.meta.edge_properties_meta
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
    def _mapped_stores(self) -> list[dict[str, Store]]:
        known = self.names.by_hash()
        found = [segment.mapped_stores(segment.folder, known) for segment in self.segments]
        if not found[0] and self.segments[0].folder != self.path:  # where older graphs have it
            found[0] = self.segments[0].mapped_stores(self.path, known)
        return found

    def store(self, node_type: str, number: int) -> Store | None:
        """Return the property store of a node type in a segment; None where it has none."""
        mapped = self._mapped_stores[number].get(node_type)
        if mapped is not None:
            return mapped
        value = np.uint64(names.fnv1a(node_type))
        rows = sum(int(np.count_nonzero(s.slots["node_type"] == value)) for s in self.segments)
        return self.segments[number].sidecar(node_type, self.names.by_hash(), rows)

    def ranges(self, number: int) -> Mapping[Pair, Summary | None]:
        """What is known of the property values of a native segment; nothing of a foreign one."""
        if number not in self._ranges:
            path, found = self.path / "seg_manifest.json", {}
            if self.native is not None:
                stated = self.manifest[number].indexed_prop_ranges
                sets = read_text_sets(self.segments[number].folder / TEXT_SETS)
                found = {**from_manifest(path, stated), **sets}
            self._ranges[number] = found
        return self._ranges[number]

    def aliases(self, node_type: str) -> dict[str, str]:
        """What else the id and the title of a type are called: name -> "id" or "title"."""
        path, found = self.path / "metadata.json", {}
        for key, meaning in (("id_field_aliases", "id"), ("title_field_aliases", "title")):
            name = metadata.string_map(path, self.metadata, key).get(node_type)
            if name is not None:
                found[name] = meaning
        return found

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

    # -- checks -------------------------------------------------------------------------------

    def _check_counts(self) -> None:
        path = self.path / metadata.META
        slots, edges = self.slot_count, self.edge_id_count
        checks: list[tuple[str, int, Callable[[int], bool], str]] = [
            ("node_slots_len", self.meta.node_slots_len, lambda v: v == slots, f"{slots} slots"),
            ("node_count", self.meta.node_count, lambda v: v <= slots, f"<= {slots} slots"),
            ("edge_count", self.meta.edge_count, lambda v: v <= edges, f"<= {edges} endpoints"),
            ("next_edge_idx", self.meta.next_edge_idx, lambda v: v == edges, f"{edges} endpoints"),
        ]
        for field, value, holds, expected in checks:
            if not holds(value):
                raise FormatError(path, field, None, expected, value)

    def _check_foreign(self) -> None:
        """A native directory that lost its list must not pass for one of kglite."""
        for segment in self.segments[1:]:
            own = segment.folder / "edge_prop_offsets.bin"
            if own.exists():  # kglite keeps the properties of all edges with the first segment
                expected = "the list of files of a native directory"
                found = f"none, though there is {own.relative_to(self.path)}"
                raise FormatError(self.path / extras.NAME, "file", None, expected, found)

    def _check_native(self) -> None:
        """The manifest must name the segments as they are."""
        path = self.path / "seg_manifest.json"
        if len(self.manifest) != len(self.segments):
            found = len(self.manifest)
            raise FormatError(path, "segments", None, f"{len(self.segments)} entries", found)
        for number, (entry, segment) in enumerate(zip(self.manifest, self.segments, strict=True)):
            stated = entry.segment_id, entry.node_id_lo, entry.node_id_hi
            found_range = number, segment.first_node, segment.last_node
            if stated != found_range:
                field = f"segments[{number}]: id, node_id_lo, node_id_hi"
                raise FormatError(path, field, None, found_range, stated)
            segment.check_rows()
            segment.row_counts = {
                int(value): count for value, count in entry.node_type_counts.items()
            }


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
