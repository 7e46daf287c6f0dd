"""What a dump is made of, as data: codes, names and layouts that reader, writer and kernels share.

The layout of a value, a kind or a data record is a row of fields, each a name (that of the JSON
form) and a form:

    form           bytes
    ?  B H I Q  i q  d     fixed width, little-endian, as in ``struct``
    2s 3s ...      that many raw bytes
    f              float32, its bits kept
    varint         an unsigned LEB128 number of 64 bits
    varint32       the same of 32 bits
    text           varu32 length and UTF-8
    bytes          varu32 length and bytes
    floats         varu32 count and that many float32
    ip             u8 family; 4 bytes after a family of 4, 16 after any other
    values         varu32 count and that many values (code and payload)
    packed_text, packed_bytes   varu32 length, varu32 compressed length, a zstd frame
    value          code and payload of one value
    properties     varu32 count and that many pairs of a text and a value
    tags           varu32 count and that many pairs of texts
    i? varint? text?   u8 flag, and if it is not 0 an i, a varint, a text
"""

from typing import NamedTuple, TypeAlias

Fields: TypeAlias = tuple[tuple[str, str], ...]

MAGIC = b"RDST"
VERSION = 10
"""The version that is written."""
VERSIONS = range(1, 11)
_NEWER = "written by a newer RedDB: dump it with RedDB 1.22 or older, or use a newer nkgraph"
RECORD_MAGIC = b"RER1"
AUX_FROM = 10
MVCC_FROM = 9
LOGICAL_ID_FROM = 8
RECORDS_FROM = 7
CONTENT_FROM = 6
TAGS_FROM = 5
QUEUE_TAIL_FROM = 4
CRC_FROM = 3
FULL_REFERENCES_FROM = 2
"""First version that has each part; table 5.6 of the format."""

COMPRESSED_FROM = 2048
"""Text and blobs of so many bytes or more are compressed where that makes them shorter."""
COMPRESSION_LEVEL = 3
PACKED_TEXT, PACKED_BLOB = 0x85, 0x86
FIRST_ID = 1024
"""Entity ids below are the engine's own."""


class Limits(NamedTuple):
    """What reading a dump may cost; beyond is a ``LimitError``."""

    depth: int = 256
    """Arrays in arrays, also of metadata; the outermost is level 1."""
    value_bytes: int = 256 << 20
    """Bytes of one text, blob or vector, after decompression."""
    total_bytes: int = 1 << 30
    """Bytes of all compressed values together, after decompression."""


class Remark(NamedTuple):
    """What was accepted although no writer makes it: of what, where, and what is odd."""

    field: str
    offset: int | None
    problem: str


class Layout(NamedTuple):
    """One type: its code, its name in the JSON form, and the fields of its payload."""

    code: int
    name: str
    fields: Fields


def _one(form: str) -> Fields:
    return (("hex" if form == "bytes" or form[0].isdigit() else "v", form),)


_VALUES: list[tuple[str, Fields | str]] = [
    ("null", ()),
    ("boolean", "?"),
    ("integer", "q"),
    ("unsigned", "Q"),
    ("float", (("bits", "d"),)),
    ("text", "text"),
    ("blob", "bytes"),
    ("timestamp", "q"),
    ("duration", "q"),
    ("ipaddr", (("family", "ip"),)),
    ("macaddr", "6s"),
    ("vector", (("f32", "floats"),)),
    ("json", "bytes"),
    ("uuid", "16s"),
    ("noderef", "text"),
    ("edgeref", "text"),
    ("vectorref", (("collection", "text"), ("id", "Q"))),
    ("rowref", (("collection", "text"), ("id", "Q"))),
    ("color", "3s"),
    ("email", "text"),
    ("url", "text"),
    ("phone", "Q"),
    ("semver", "I"),
    ("cidr", (("ip", "I"), ("prefix", "B"))),
    ("date", "i"),
    ("time", "I"),
    ("decimal", "q"),
    ("enum", "B"),
    ("array", (("items", "values"),)),
    ("timestamp_ms", "q"),
    ("ipv4", "I"),
    ("ipv6", "16s"),
    ("subnet", (("ip", "I"), ("mask", "I"))),
    ("port", "H"),
    ("latitude", "i"),
    ("longitude", "i"),
    ("geopoint", (("lat", "i"), ("lon", "i"))),
    ("country2", "2s"),
    ("country3", "3s"),
    ("lang2", "2s"),
    ("lang5", "5s"),
    ("currency", "3s"),
    ("color_alpha", "4s"),
    ("bigint", "q"),
    ("keyref", (("collection", "text"), ("key", "text"))),
    ("docref", (("collection", "text"), ("id", "Q"))),
    ("tableref", "text"),
    ("pageref", "I"),
    ("secret", "bytes"),
    ("password", "text"),
    ("asset_code", "text"),
    ("money", (("asset_code", "text"), ("scale", "B"), ("minor_units", "q"))),
]
VALUES: tuple[Layout, ...] = tuple(
    Layout(code, name, _one(fields) if isinstance(fields, str) else fields)
    for code, (name, fields) in enumerate(_VALUES)
)
"""All types of values by code. Two further codes hold compressed text and blobs."""


KINDS: tuple[Layout, ...] = (
    Layout(0, "table_row", (("table", "text"), ("row_id", "varint"))),
    Layout(1, "graph_node", (("label", "text"), ("node_type", "text"))),
    Layout(
        2,
        "graph_edge",
        (("label", "text"), ("from_node", "text"), ("to_node", "text"), ("weight", "I")),
    ),
    Layout(3, "vector", (("collection", "text"),)),
    Layout(4, "timeseries_point", (("series", "text"), ("metric", "text"))),
    Layout(5, "queue_message", (("queue", "text"), ("position", "varint"))),
)
"""What an entity is, by tag."""
DATA: tuple[Layout, ...] = (
    Layout(0, "row", (("columns", "values"),)),
    Layout(1, "node", (("properties", "properties"),)),
    Layout(2, "edge", (("weight", "f"), ("properties", "properties"))),
    Layout(3, "vector", (("dense", "floats"), ("content", "text?"))),
    Layout(
        4,
        "timeseries",
        (("metric", "text"), ("timestamp_ns", "varint"), ("value", "d"), ("tags", "tags")),
    ),
    Layout(
        5,
        "queue_message",
        (("payload", "value"), ("enqueued_at_ns", "varint"), ("attempts", "varint32")),
    ),
    Layout(6, "named_row", (("fields", "properties"),)),
)
"""What an entity holds, by tag; the rest of a queue message stands in ``QUEUE_TAIL``."""
QUEUE_DATA = 5
DATA_SINCE = {("vector", "content"): CONTENT_FROM, ("timeseries", "tags"): TAGS_FROM}
"""Fields of data that are not in every version."""
QUEUE_TAIL: Fields = (("priority", "i?"), ("max_attempts", "varint32"), ("acked", "?"))
LOGICAL_ID_TAIL: Fields = (("logical_id", "varint?"),)
MVCC_TAIL: Fields = (("xmin", "varint"), ("xmax", "varint"))
"""The parts after an entity's sequence id, in order."""

EMBEDDING: Fields = (("name", "text"), ("vector", "floats"), ("model", "text"))
REFERENCE: Fields = (
    ("source", "varint"),
    ("target", "varint"),
    ("ref_type", "B"),
    ("target_collection", "text"),
)
"""An entry of the cross-reference section; an entity's own has two fields more."""
OWN_REFERENCE: Fields = (*REFERENCE, ("weight", "f"), ("created_at", "varint"))
SHORT_REFERENCE: Fields = REFERENCE[:3]
"""An entity's own reference before ``FULL_REFERENCES_FROM``."""
REF_TYPES: tuple[tuple[str, int | None], ...] = (
    ("RowToNode", 2),
    ("RowToEdge", None),
    ("NodeToRow", 0),
    ("RowToVector", 4),
    ("VectorToRow", 3),
    ("NodeToVector", 7),
    ("EdgeToVector", None),
    ("VectorToNode", 5),
    ("SimilarTo", 8),
    ("RelatedTo", 9),
    ("DerivesFrom", None),
    ("Mentions", None),
    ("Contains", None),
    ("DependsOn", None),
)
"""Types of references by code: name, and the code of the inverse."""
RELATED_TO = 9
"""What every other code reads as."""

METADATA: tuple[Layout, ...] = (
    Layout(0, "null", ()),
    Layout(1, "bool", (("v", "?"),)),
    Layout(2, "int", (("v", "q"),)),
    Layout(3, "float", (("bits", "d"),)),
    Layout(4, "string", (("v", "long_text"),)),
    Layout(5, "bytes", (("hex", "long_bytes"),)),
    Layout(6, "array", (("items", "metadata"),)),
    Layout(7, "object", (("fields", "metadata_fields"),)),
    Layout(8, "timestamp", (("v", "Q"),)),
    Layout(9, "geo", (("lat_bits", "d"), ("lon_bits", "d"))),
    Layout(10, "reference", (("target", "target"),)),
    Layout(11, "references", (("targets", "targets"),)),
)
"""Metadata values by tag. Lengths and counts of metadata are u32, not varints."""
TARGETS = ("table_row", "node", "edge", "vector", "entity")
"""Kinds of a reference's target by code. Then follow the collection, a long text, and a u64 id."""

SMALLEST = {
    "value": 1,
    "f32": 4,
    "property": 2,
    "tag": 2,
    "embedding": 3,
    "short reference": 3,
    "own reference": 9,
    "reference": 4,
    "collection": 2,
    "entity": 10,
    "record": 14,
    "metadata value": 1,
    "metadata field": 5,
    "target": 13,
}
"""Fewest bytes that one of them takes; a record with its length."""


def newer_remedy(version: int) -> str | None:
    """What to do about a version that is not known."""
    return _NEWER if version > VERSION else None
