r"""The small files of a directory: counts, user-level metadata, property names per type.

disk_graph_meta.json               counts, lengths, free lists           GraphMeta
metadata.json                      aliases, caches, opaque settings      dict
node_type_metadata.bin.zst         type -> property -> type string       "KGLNTM1\0"
connection_type_metadata.bin.zst   name -> ends and properties           "KGLCTM1\0"
type_connectivity.bin.zst          (source, connection, target, count)   "KGLTCN1\0"
secondary_labels.bin.zst           label -> node ids                     "KGLSLBL1"
"""

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from nkgraph.dtypes import MAX_IDS, U32
from nkgraph.errors import FormatError, VersionError
from nkgraph.storage import files
from nkgraph.storage.kglite.cursor import Cursor
from nkgraph.storage.kglite.names import read_json

META = "disk_graph_meta.json"
MIGRATE = "open it with kglite 0.13.4 or older and save it, or export it"


@dataclass
class GraphMeta:
    """``disk_graph_meta.json``, in the order of its keys."""

    node_count: int
    node_slots_len: int
    edge_count: int
    next_edge_idx: int
    out_offsets_len: int
    out_edges_len: int
    in_offsets_len: int
    in_edges_len: int
    edge_endpoints_len: int
    free_node_slots: list[int]
    free_edge_slots: list[int]
    csr_sorted_by_type: bool = False
    has_tombstones: bool = True
    edge_properties_format: int = 0
    edge_properties_meta: dict[str, int] = field(
        default_factory=lambda: {"offsets_len": 0, "heap_len": 0}
    )
    csr_layout_version: int = 0
    sealed_nodes_bound: int = 0

    def to_json(self) -> bytes:
        """Encode as kglite does: two spaces, this key order."""
        return json.dumps(asdict(self), indent=2).encode()


def read_meta(directory: Path) -> GraphMeta:
    """Read and check ``disk_graph_meta.json``.

    Raises
    ------
    FormatError
        It is missing, damaged, or a value is missing, of another type or out of range.
    VersionError
        A codec or layout newer than kglite 0.13.3.
    """
    path = directory / META
    if not path.is_file():
        raise FormatError(path, "file", None, "a kglite meta file", "none")
    table = read_json(path)
    if not isinstance(table, dict):
        raise FormatError(path, "JSON", 0, "an object", type(table).__name__)
    _refuse_newer(path, table)
    values: dict[str, object] = {}
    for item in fields(GraphMeta):
        if item.name in table:
            values[item.name] = _checked(path, item.name, table[item.name])
        elif item.name in _REQUIRED:
            raise FormatError(path, item.name, None, "a value", "no such key")
    return GraphMeta(**values)  # type: ignore[arg-type]  # each value was checked by name


_LISTS = ("free_node_slots", "free_edge_slots")
_REQUIRED = frozenset(item.name for item in fields(GraphMeta)[:11])


def _refuse_newer(path: Path, table: Mapping[str, object]) -> None:
    for key, newest in (
        ("serde_codec_version", 1),
        ("disk_format", 0),
        ("edge_properties_format", 1),
        ("csr_layout_version", 1),
    ):
        found = table.get(key, 0)
        if isinstance(found, int) and found > newest:
            raise VersionError(path, key, None, f"<= {newest}", found, MIGRATE)


def _checked(path: Path, key: str, value: object) -> object:
    if key in _LISTS:
        if not isinstance(value, list) or not all(_is_count(item, MAX_IDS) for item in value):
            raise FormatError(path, key, None, "a list of ids", _short(value))
        return value
    if key in ("csr_sorted_by_type", "has_tombstones"):
        if not isinstance(value, bool):
            raise FormatError(path, key, None, "true or false", _short(value))
        return value
    if key == "edge_properties_meta":
        if not isinstance(value, dict):
            raise FormatError(path, key, None, "an object", _short(value))
        lengths = {name: value.get(name, 0) for name in ("offsets_len", "heap_len")}
        for name, length in lengths.items():
            if not _is_count(length, 2**63 - 1):
                raise FormatError(path, f"{key}.{name}", None, "a length", _short(length))
        return lengths
    limit = MAX_IDS if key in ("node_count", "node_slots_len", "edge_count") else 2**63 - 1
    if not _is_count(value, limit):
        raise FormatError(path, key, None, f"an integer in 0..{limit}", _short(value))
    return value


def _is_count(value: object, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_metadata(directory: Path) -> dict[str, object]:
    """Read ``metadata.json``; an absent one is empty."""
    path = directory / "metadata.json"
    if not path.exists():
        return {}
    table = read_json(path)
    if not isinstance(table, dict):
        raise FormatError(path, "JSON", 0, "an object", type(table).__name__)
    return table


def string_map(path: Path, table: Mapping[str, object], key: str) -> dict[str, str]:
    """Return ``table[key]``, checked to be an object of strings; an absent one is empty."""
    value = table.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise FormatError(path, key, None, "an object of strings", _short(value))
    return value


# -- node types -------------------------------------------------------------------------------

NodeTypes = dict[str, dict[str, str]]
"""Node type -> property -> type string."""


def read_node_types(directory: Path, metadata: Mapping[str, object]) -> NodeTypes:
    """Read property names and types per node type, from the sidecar or ``metadata.json``."""
    path = directory / "node_type_metadata.bin.zst"
    if path.exists():
        cursor = Cursor(path, files.decompress(path))
        cursor.magic(b"KGLNTM1\0", 1)
        table = {}
        for _ in range(cursor.count32("types", 8)):
            name = cursor.text32("type name")
            table[name] = _properties(cursor)
        cursor.end()
        return table
    path = directory / "metadata.json"
    inline = metadata.get("node_type_metadata", {})
    if not isinstance(inline, dict):
        raise FormatError(path, "node_type_metadata", None, "an object", _short(inline))
    return {name: string_map(path, inline, name) for name in inline}


def write_node_types(table: NodeTypes) -> bytes:
    """Encode ``node_type_metadata.bin.zst``, sorted by name."""
    parts = [b"KGLNTM1\0", struct.pack("<II", 1, len(table))]
    for name in sorted(table):
        parts += [_lp(name), _pack_properties(table[name])]
    return files.compress(b"".join(parts))


def _properties(cursor: Cursor) -> dict[str, str]:
    count = cursor.count32("properties", 8)
    return {cursor.text32("property name"): cursor.text32("property type") for _ in range(count)}


def _pack_properties(properties: Mapping[str, str]) -> bytes:
    packed = [struct.pack("<I", len(properties))]
    packed += [_lp(name) + _lp(properties[name]) for name in sorted(properties)]
    return b"".join(packed)


def _lp(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


# -- connection types -------------------------------------------------------------------------


@dataclass
class ConnectionType:
    """What the edges of one connection type join, and their properties with type strings."""

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)


def read_connection_types(
    directory: Path, metadata: Mapping[str, object]
) -> dict[str, ConnectionType]:
    """Read ends and properties per connection type, from the sidecar or ``metadata.json``."""
    path = directory / "connection_type_metadata.bin.zst"
    if path.exists():
        cursor = Cursor(path, files.decompress(path))
        cursor.magic(b"KGLCTM1\0", 1)
        table = {}
        for _ in range(cursor.count32("connection types", 16)):
            name = cursor.text32("connection type")
            sources = _strings(cursor, "source types")
            targets = _strings(cursor, "target types")
            table[name] = ConnectionType(sources, targets, _properties(cursor))
        cursor.end()
        return table
    path = directory / "metadata.json"
    inline = metadata.get("connection_type_metadata", {})
    if not isinstance(inline, dict) or not all(isinstance(v, dict) for v in inline.values()):
        raise FormatError(path, "connection_type_metadata", None, "an object", _short(inline))
    return {
        name: ConnectionType(
            _string_list(path, entry, "source_types"),
            _string_list(path, entry, "target_types"),
            string_map(path, entry, "property_types"),
        )
        for name, entry in inline.items()
    }


def _string_list(path: Path, entry: Mapping[str, object], key: str) -> list[str]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FormatError(path, key, None, "a list of strings", _short(value))
    return value


def _strings(cursor: Cursor, field: str) -> list[str]:
    return [cursor.text32(field) for _ in range(cursor.count32(field, 4))]


def write_connection_types(table: Mapping[str, ConnectionType]) -> bytes:
    """Encode ``connection_type_metadata.bin.zst``, sorted by name."""
    parts = [b"KGLCTM1\0", struct.pack("<II", 1, len(table))]
    for name in sorted(table):
        entry = table[name]
        parts.append(_lp(name))
        for ends in (entry.sources, entry.targets):
            parts.append(struct.pack("<I", len(ends)))
            parts += [_lp(end) for end in sorted(ends)]
        parts.append(_pack_properties(entry.properties))
    return files.compress(b"".join(parts))


def write_connectivity(rows: Iterable[tuple[int, int, int, int]]) -> bytes:
    """Encode ``type_connectivity.bin.zst``: (source type, connection, target type, count)."""
    ordered = sorted(rows)
    parts = [b"KGLTCN1\0", struct.pack("<II", 1, len(ordered))]
    parts += [struct.pack("<QQQQ", *row) for row in ordered]
    return files.compress(b"".join(parts))


def read_connectivity(directory: Path) -> dict[tuple[int, int, int], int]:
    """Read ``type_connectivity.bin.zst``: (source type, connection, target type) -> count."""
    path = directory / "type_connectivity.bin.zst"
    cursor = Cursor(path, files.decompress(path))
    cursor.magic(b"KGLTCN1\0", 1)
    fields = ("source type", "connection type", "target type", "count")
    rows = [[cursor.u64(name) for name in fields] for _ in range(cursor.count32("rows", 32))]
    cursor.end()
    return {(source, conn, target): count for source, conn, target, count in rows}


# -- secondary labels -------------------------------------------------------------------------


def read_labels(directory: Path, node_slots: int) -> dict[str, U32]:
    """Read ``secondary_labels.bin.zst``: label -> node ids, ascending."""
    path = directory / "secondary_labels.bin.zst"
    if not path.exists():
        return {}
    cursor = Cursor(path, files.decompress(path))
    cursor.magic(b"KGLSLBL1", 1)
    labels = {}
    for _ in range(cursor.count32("labels", 8)):
        label = cursor.text32("label")
        count = cursor.count32("nodes", 4)
        at = cursor.at
        nodes = np.unique(np.frombuffer(cursor.take(4 * count, "nodes"), "<u4"))
        if count and nodes[-1] >= node_slots:
            raise FormatError(path, f"node of {label!r}", at, f"< {node_slots}", int(nodes[-1]))
        labels[label] = nodes
    cursor.end()
    return labels


def write_labels(labels: Mapping[str, U32]) -> bytes:
    """Encode ``secondary_labels.bin.zst``, sorted by label."""
    parts = [b"KGLSLBL1", struct.pack("<II", 1, len(labels))]
    for label in sorted(labels):
        parts += [_lp(label), struct.pack("<I", labels[label].size), labels[label].tobytes()]
    return files.compress(b"".join(parts))
