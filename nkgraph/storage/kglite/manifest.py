"""``seg_manifest.json``: one summary per segment."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nkgraph.dtypes import MAX_IDS
from nkgraph.errors import FormatError
from nkgraph.storage.kglite.names import read_json


@dataclass
class Segment:
    """What a segment holds: nodes ``node_id_lo <= id < node_id_hi``.

    ``node_id_hi`` counts slots, dead ones included (kglite writes live nodes for its first
    segment, which is too small once a node was removed). ``node_type_counts`` has the decimal
    hash as key.
    """

    segment_id: int
    node_id_lo: int
    node_id_hi: int
    edge_count: int
    conn_types: list[int] = field(default_factory=list)
    node_type_counts: dict[str, int] = field(default_factory=dict)
    indexed_prop_ranges: list[object] = field(default_factory=list)


def write_manifest(segments: list[Segment]) -> bytes:
    """Encode the manifest."""
    return json.dumps({"segments": [asdict(segment) for segment in segments]}, indent=2).encode()


def read_manifest(directory: Path) -> list[Segment]:
    """Read the manifest; an absent one is empty. Integers above 2**53 stay exact."""
    path = directory / "seg_manifest.json"
    if not path.exists():
        return []
    table = read_json(path)
    entries = table.get("segments") if isinstance(table, dict) else None
    if not isinstance(entries, list):
        raise FormatError(path, "segments", None, "a list", type(entries).__name__)
    return [_segment(path, index, entry) for index, entry in enumerate(entries)]


def _segment(path: Path, index: int, entry: object) -> Segment:
    if not isinstance(entry, dict):
        raise FormatError(path, f"segments[{index}]", None, "an object", type(entry).__name__)
    for key in ("segment_id", "node_id_lo", "node_id_hi", "edge_count"):
        if not _is_count(entry.get(key)):
            raise FormatError(path, f"segments[{index}].{key}", None, "a count", entry.get(key))
    counts = entry.get("node_type_counts", {})
    if not isinstance(counts, dict) or not all(map(_is_hash, counts)):
        field_name = f"segments[{index}].node_type_counts"
        raise FormatError(path, field_name, None, "an object by decimal hashes", counts)
    for value, count in counts.items():
        if not _is_count(count):
            field_name = f"segments[{index}].node_type_counts[{value}]"
            raise FormatError(path, field_name, None, "a count", count)
    for key in ("conn_types", "indexed_prop_ranges"):
        if not isinstance(entry.get(key, []), list):
            raise FormatError(path, f"segments[{index}].{key}", None, "a list", entry[key])
    known = {key: entry[key] for key in Segment.__dataclass_fields__ if key in entry}
    return Segment(**known)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_IDS


def _is_hash(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) < 2**64
