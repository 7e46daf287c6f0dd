"""Whole stores for Hypothesis, and what it means that two things hold the same bits."""

import dataclasses
import datetime as dt
import ipaddress
import struct
import uuid
from decimal import Decimal

import numpy as np
from hypothesis import strategies as st

from nkgraph.storage import reddb
from nkgraph.storage.reddb import metadata as meta
from nkgraph.storage.reddb import value_types as vt

U64 = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 127, 128, 1023, 2**63, 2**64 - 1])
U32 = st.integers(0, 2**32 - 1) | st.sampled_from([0, 127, 128, 2**32 - 1])
I64 = st.integers(-(2**63), 2**63 - 1)
I32 = st.integers(-(2**31), 2**31 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# Quiet and signalling NaNs with payloads, both zeros, infinities, the least subnormal.
BITS64 = U64 | st.sampled_from(
    [0x7FF0000000000001, 0xFFF4DEADBEEF0000, 0x7FF8000000000001, 1 << 63, 0x7FF0000000000000, 1]
)
BITS32 = U32 | st.sampled_from([0x7F800001, 0xFFA0BEEF, 0x7FC00001, 1 << 31, 0x7F800000, 1])
DOUBLES = BITS64.map(lambda bits: struct.unpack("<d", bits.to_bytes(8, "little"))[0])
SINGLES = BITS32.map(lambda bits: np.array([bits], "<u4").view("<f4")[0])
VECTORS = st.lists(BITS32, max_size=5).map(lambda bits: np.array(bits, "<u4").view("<f4"))


def raw(kind, size):
    return st.binary(min_size=size, max_size=size).map(kind)


MILLISECONDS = dt.timedelta(milliseconds=1)
LONG_TEXT = st.builds(lambda part, times: part * times, TEXT, st.integers(200, 3000))
LONG_BYTES = st.integers(2040, 2060).map(bytes) | st.integers(0, 2**31).map(
    lambda seed: np.random.default_rng(seed).bytes(2100)
)
BY_TYPE = {
    "null": st.none(),
    "boolean": st.booleans(),
    "integer": I64,
    "unsigned": U64.map(vt.UInt),
    "float": DOUBLES,
    "text": TEXT | LONG_TEXT,
    "blob": st.binary(max_size=6) | LONG_BYTES,
    "timestamp": I64.map(vt.Timestamp),
    "duration": I64.map(vt.duration_of),
    "ipaddr": st.ip_addresses(),
    "macaddr": raw(vt.MacAddr, 6),
    "vector": VECTORS,
    "json": st.binary(max_size=6).map(vt.Json),
    "uuid": st.binary(min_size=16, max_size=16).map(lambda data: uuid.UUID(bytes=data)),
    "noderef": TEXT.map(vt.NodeRef),
    "edgeref": TEXT.map(vt.EdgeRef),
    "vectorref": st.builds(vt.VectorRef, TEXT, U64),
    "rowref": st.builds(vt.RowRef, TEXT, U64),
    "color": raw(vt.Color, 3),
    "email": TEXT.map(vt.Email),
    "url": TEXT.map(vt.Url),
    "phone": U64.map(vt.Phone),
    "semver": U32.map(vt.Semver),
    "cidr": st.builds(vt.Cidr, U32, st.integers(0, 255)),
    "date": I32.map(vt.date_of),
    "time": U32.map(vt.time_of) | st.integers(0, 86_399_999).map(vt.time_of),
    "decimal": I64.map(vt.decimal_of),
    "enum": st.integers(0, 255).map(vt.EnumValue),
    "timestamp_ms": (I64 | st.integers(-(10**14), 10**14)).map(vt.timestamp_of),
    "ipv4": U32.map(vt.Ipv4),
    "ipv6": raw(vt.Ipv6, 16),
    "subnet": st.builds(vt.Subnet, U32, U32),
    "port": st.integers(0, 65535).map(vt.Port),
    "latitude": I32.map(vt.Latitude),
    "longitude": I32.map(vt.Longitude),
    "geopoint": st.builds(vt.GeoPoint, I32, I32),
    "country2": raw(vt.Country2, 2),
    "country3": raw(vt.Country3, 3),
    "lang2": raw(vt.Lang2, 2),
    "lang5": raw(vt.Lang5, 5),
    "currency": raw(vt.Currency, 3),
    "color_alpha": raw(vt.ColorAlpha, 4),
    "bigint": I64.map(vt.BigInt),
    "keyref": st.builds(vt.KeyRef, TEXT, TEXT),
    "docref": st.builds(vt.DocRef, TEXT, U64),
    "tableref": TEXT.map(vt.TableRef),
    "pageref": U32.map(vt.PageRef),
    "secret": st.binary(max_size=6).map(vt.Secret),
    "password": TEXT.map(vt.Password),
    "asset_code": TEXT.map(vt.AssetCode),
    "money": st.builds(vt.Money, TEXT, st.integers(0, 255), I64),
}
"""Values of each type but arrays, as they come back."""
VALUES = st.recursive(
    st.one_of(*BY_TYPE.values()), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)
TARGETS = st.builds(
    meta.Target, st.sampled_from(["table_row", "node", "edge", "vector", "entity"]), TEXT, U64
)
METADATA = st.dictionaries(
    TEXT,
    st.recursive(
        st.none()
        | st.booleans()
        | I64
        | DOUBLES
        | TEXT
        | st.binary(max_size=6)
        | U64.map(meta.Instant)
        | st.builds(meta.Geo, DOUBLES, DOUBLES)
        | TARGETS
        | st.lists(TARGETS, max_size=3).map(meta.Targets),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)
PROPERTIES = st.dictionaries(TEXT, VALUES, max_size=3)
KINDS = st.one_of(
    st.builds(reddb.TableRow, TEXT, U64),
    st.builds(reddb.GraphNode, TEXT, TEXT),
    st.builds(reddb.GraphEdge, TEXT, TEXT, TEXT, U32),
    st.builds(reddb.VectorEntry, TEXT),
    st.builds(reddb.TimeSeriesPoint, TEXT, TEXT),
    st.builds(reddb.QueueMessage, TEXT, U64),
)
DATA = st.one_of(
    st.builds(reddb.RowData, st.lists(VALUES, max_size=3)),
    st.builds(reddb.NodeData, PROPERTIES),
    st.builds(reddb.EdgeData, SINGLES, PROPERTIES),
    st.builds(reddb.VectorData, VECTORS, st.none() | TEXT),
    st.builds(reddb.TimeSeriesData, TEXT, U64, DOUBLES, st.dictionaries(TEXT, TEXT, max_size=3)),
    st.builds(reddb.QueueData, VALUES, U64, U32, st.none() | I32, U32, st.booleans()),
    st.builds(reddb.NamedRowData, PROPERTIES),
)
OWN_REFERENCES = st.builds(reddb.CrossReference, U64, U64, st.integers(0, 255), TEXT, SINGLES, U64)
ENTITIES = st.builds(
    reddb.Entity,
    U64,
    KINDS,
    DATA,
    U64,
    U64,
    st.lists(st.builds(reddb.Embedding, TEXT, VECTORS, TEXT), max_size=2),
    st.lists(OWN_REFERENCES, max_size=2),
    U64,
    st.none() | U64,
    U64,
    U64,
    METADATA,
)
REFERENCES = st.builds(reddb.StoreReference, U64, U64, st.integers(0, 255), TEXT)


@st.composite
def stores(draw):
    """Draw a store; a name may come twice, as in a file."""
    sections = st.lists(st.tuples(TEXT, st.lists(ENTITIES, max_size=3)), max_size=3)
    store = reddb.Store.of_sections(draw(sections))
    store.cross_refs = draw(st.lists(REFERENCES, max_size=3))
    store.aux_metadata = draw(st.binary(max_size=10))
    return store


def same(one, other):
    """Whether two things are of the same types and hold the same bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, np.ndarray | np.float32):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, Decimal):
        return one.as_tuple() == other.as_tuple()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, reddb.Entities):
        return same(list(one), list(other))
    if isinstance(one, reddb.Store):
        names = ("collections", "cross_refs", "aux_metadata")
        return list(one.collections) == list(other.collections) and all(
            same(getattr(one, name), getattr(other, name)) for name in names
        )
    if dataclasses.is_dataclass(one):
        names = [each.name for each in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    plain = (type(None), bool, int, str, bytes, dt.date, dt.time, dt.timedelta, uuid.UUID)
    assert isinstance(one, (*plain, ipaddress.IPv4Address, ipaddress.IPv6Address)), type(one)
    return one == other
