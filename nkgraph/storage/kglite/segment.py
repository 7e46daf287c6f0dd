"""One segment of a directory: its ranges, and arrays over maps.

    node_slots · edge_endpoints           the nodes and edges that were new when it was sealed
    out_offsets out_edges in_offsets in_edges   rows: of the own nodes in a segment-local segment,
                                          of all nodes up to its last in a full-range one; peers
                                          are global, edge ids local
    conn_type_index_* · peer_count_*      local nodes in a segment-local one, else global

In a native directory each segment has files of its own that kglite does not look for: edge
properties by local edge id, node columns, and type and id indexes (those of an only segment lie
where kglite expects them).
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from nkgraph.dtypes import CSR_EDGE, ENDPOINTS, NODE_SLOT, U32, U64
from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage.kglite import id_lookup, type_index_file
from nkgraph.storage.kglite.edge_properties import EdgeProperties
from nkgraph.storage.kglite.mapped_columns import read_mapped
from nkgraph.storage.kglite.node_columns import Store, read_sidecar

CORE = {
    "node_slots": NODE_SLOT,
    "out_offsets": np.dtype("<u8"),
    "out_edges": CSR_EDGE,
    "in_offsets": np.dtype("<u8"),
    "in_edges": CSR_EDGE,
    "edge_endpoints": ENDPOINTS,
}
Rows = tuple[U64, U32]
"""Offsets (n + 1,) and entries (m, 2): peer, edge id."""
Index = tuple[U64, U64, U32]
"""Type hashes (T,), offsets (T + 1,) and the flat u32 content."""


class Segment:
    """A segment folder, opened.

    Parameters
    ----------
    folder : Path
        Where the arrays lie.
    sidecar_folder, index_folder : Path
        Where sidecars, and type and id indexes lie.
    first_node, first_edge : int
        Ids of the first slot and the first endpoint.
    lengths : mapping of str to int, optional
        Elements by array name; the files may be longer. Without it the files are the arrays.
    """

    def __init__(
        self,
        folder: Path,
        sidecar_folder: Path,
        index_folder: Path,
        first_node: int = 0,
        first_edge: int = 0,
        lengths: Mapping[str, int] | None = None,
    ) -> None:
        self.folder = folder
        self.sidecar_folder = sidecar_folder
        self.index_folder = index_folder
        self.first_node = first_node
        self.first_edge = first_edge
        self._lengths = lengths
        self.slots = self._map("node_slots")
        self.endpoints = self._map("edge_endpoints")
        self.row_counts: dict[int, int] = {}
        """Rows of the property stores by type hash; of native directories."""

    @property
    def last_node(self) -> int:
        """The node id behind the last slot."""
        return self.first_node + int(self.slots.size)

    @cached_property
    def first_row(self) -> int:
        """The node of the first row: 0 in a full-range segment."""
        count = self._map("out_offsets").size
        return self.first_node if count <= self.slots.size + 1 else 0

    def rows(self, side: str) -> Rows:
        """Rows as they lie in the files, right or wrong."""
        entries = self._map(f"{side}_edges")
        return self._map(f"{side}_offsets"), entries.view("<u4").reshape(-1, 2)

    def check_rows(self) -> None:
        """Compare the number of offsets with the ranges, as a native segment must have them."""
        for side in ("out", "in"):
            count = self._map(f"{side}_offsets").size
            if count != self.last_node - self.first_row + 1:
                expected = f"{self.slots.size + 1} or {self.last_node + 1} offsets"
                raise FormatError(self.folder / f"{side}_offsets.bin", "size", 0, expected, count)

    def _map(self, name: str) -> np.ndarray:
        dtype = CORE[name]
        path, packed = self.folder / f"{name}.bin", self.folder / f"{name}.bin.zst"
        count = None if self._lengths is None else self._lengths[name]
        if path.exists():
            return files.map_array(path, dtype, count)
        if count == 0:
            return np.zeros(0, dtype)
        if not packed.exists():
            expected = "a file" if count is None else f"{count} elements"
            raise FormatError(path, "file", None, expected, "no file")
        data = files.decompress(packed)
        count = len(data) // dtype.itemsize if count is None else count
        if len(data) < count * dtype.itemsize:
            expected = f">= {count * dtype.itemsize}"
            raise FormatError(packed, "decompressed size", 0, expected, len(data))
        array = np.frombuffer(data, dtype, count)
        array.flags.writeable = False
        return array

    def index(self, stem: str, content: str) -> Index:
        """An index trio as it lies in the files, right or stale; empty if there is none."""
        folder = self.folder
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

    # -- what native segments have of their own -----------------------------------------------

    @cached_property
    def edge_properties(self) -> EdgeProperties:
        """Edge properties by local edge id."""
        offsets_path = self.folder / "edge_prop_offsets.bin"
        if not offsets_path.exists():
            return EdgeProperties.empty()
        heap_path = self.folder / "edge_prop_heap.bin"
        offsets = files.map_array(offsets_path, np.dtype("<u8"))
        return EdgeProperties(offsets, files.map_array(heap_path, np.dtype("u1")), heap_path)

    def mapped_stores(self, folder: Path, names: Mapping[int, str]) -> dict[str, Store]:
        """Stores of ``columns.bin`` in a folder, by type name."""
        columns_path = folder / "columns.bin"
        if not columns_path.exists():
            return {}
        columns = files.map_array(columns_path, np.dtype("u1"))
        meta_path = folder / "columns_meta.bin.zst"
        if meta_path.exists():
            meta = files.decompress(meta_path)
        else:
            meta_path = folder / "columns_meta.json"
            with files.open_binary(meta_path) as file:
                meta = file.read()
        return dict(read_mapped(columns_path, columns, meta, meta_path, names))

    def sidecar(self, node_type: str, names: Mapping[int, str], rows_if_old: int) -> Store | None:
        """The sidecar of a node type; None where it has none."""
        if "/" in node_type or "\0" in node_type or node_type in (".", ".."):
            return None  # no folder can have this name, and none outside may be read
        path = self.sidecar_folder / "columns" / node_type / "columns.zst"
        if not path.exists():
            return None
        return read_sidecar(path, files.decompress(path), rows_if_old, names)

    def type_nodes(self) -> dict[int, U32]:
        """Live nodes by type hash, as the type index has them."""
        return type_index_file.read(self.index_folder / "type_indices.bin")

    def lookup(self, node_type: str) -> id_lookup.SortedIds | None:
        """Sorted id look-up of a node type."""
        return id_lookup.read(self.index_folder, node_type)
