"""What a dump is made of, as data: codes, names and layouts that reader, writer and kernels share.

The layout of a value, a kind or a data record is a row of fields, each a name (that of the JSON
form) and a form:

    form           bytes
    ?  B H I Q  i q  d     fixed width, little-endian, as in ``struct``
    2s 3s ...      that many raw bytes
    f              float32, its bits kept
    varint         an unsigned LEB128 number of 64 bits
    text           varu32 length and UTF-8
    bytes          varu32 length and bytes
    floats         varu32 count and that many float32
    ip             u8 family; 4 bytes after a family of 4, 16 after any other
    values         varu32 count and that many values (code and payload)
    packed_text, packed_bytes   varu32 length, varu32 compressed length, a zstd frame
"""

from typing import NamedTuple, TypeAlias

Fields: TypeAlias = tuple[tuple[str, str], ...]

MAGIC = b"RDST"
VERSION = 10
"""The version that is written."""
VERSIONS = range(1, 11)
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


class Layout(NamedTuple):
    """One type of value: its code, its name in the JSON form, and the fields of its payload."""

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
