"""Values of a dump: the table of types, natural Python values, limits and compression."""

import datetime as dt
import ipaddress
import struct
import uuid
from decimal import Decimal, localcontext

import numpy as np
import pytest
import reddb_strategies as some
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.storage.reddb import layout, values, varint
from nkgraph.storage.reddb import metadata as meta
from nkgraph.storage.reddb import value_types as vt
from nkgraph.storage.reddb.cursor import Cursor
from nkgraph.storage.reddb.layout import Limits


def written(value):
    out = bytearray()
    values.write_value(out, value)
    return bytes(out)


def read(data, **options):
    cursor = Cursor(data, **options)
    value = values.read_value(cursor)
    assert cursor.at == len(data)
    return value


def read_with_remarks(data, **options):
    cursor = Cursor(data, **options)
    return values.read_value(cursor), [remark.problem for remark in cursor.remarks]


# -- numbers ------------------------------------------------------------------------------------


@given(some.U64, st.integers(0, 4))
def test_varints_come_back_padded_or_not(value, padding):
    out = bytearray()
    varint.write(out, value)
    assert len(out) == max(1, -(-value.bit_length() // 7))
    padding = min(padding, 10 - len(out))
    padded = bytes([*out[:-1], out[-1] | 0x80, *[0x80] * padding])[: len(out) + padding]
    padded = bytes(out) if not padding else padded[:-1] + b"\0"
    assert varint.read(memoryview(padded), 0, len(padded)) == (value, len(padded), False)
    if value < 1 << 32 and len(padded) <= 5:
        assert varint.read(memoryview(padded), 0, len(padded), 32) == (value, len(padded), False)


@pytest.mark.parametrize(
    ("data", "bits", "value", "dropped"),
    [
        ("8180808070", 32, 1, True),
        ("818080800f", 32, 0xF0000001, False),
        ("ffffffffffffffffff01", 64, 2**64 - 1, False),
        ("ffffffffffffffffff03", 64, 2**64 - 1, True),
        ("8180808080", 32, varint.TOO_LONG, False),
        ("8080808080808080808000", 64, varint.TOO_LONG, False),
        ("81808080", 32, varint.CUT_SHORT, False),
        ("", 64, varint.CUT_SHORT, False),
    ],
)
def test_varints_at_their_ends(data, bits, value, dropped):
    view = memoryview(bytes.fromhex(data))
    found, at, odd = varint.read(view, 0, len(view), bits)
    assert (found, odd) == (value, dropped)
    assert at <= len(view)


def test_varints_refuse_what_has_more_bits():
    for value, bits in ((-1, 64), (2**64, 64), (2**32, 32)):
        with pytest.raises(GraphError, match="bits without sign"):
            varint.write(bytearray(), value, bits)


# -- the table ----------------------------------------------------------------------------------


def test_each_code_has_its_row():
    assert [kind.code for kind in values.TYPES] == list(range(52))
    assert {*some.BY_TYPE, "array"} == {kind.name for kind in layout.VALUES}


@pytest.mark.parametrize("name", some.BY_TYPE)
def test_each_type_comes_back(name):
    code = values.BY_NAME[name].code

    @given(some.BY_TYPE[name])
    def check(value):
        data = written(value)
        packed = {layout.PACKED_TEXT: "text", layout.PACKED_BLOB: "blob"}
        assert data[0] == code or packed[data[0]] == name
        assert some.same(read(data), value)
        spelled = values.value_to_json(value)
        assert spelled["t"] == name
        assert some.same(values.value_from_json(spelled), value)

    check()


@given(some.VALUES)
def test_nested_values_come_back(value):
    assert some.same(read(written(value)), value)
    assert some.same(values.value_from_json(values.value_to_json(value)), value)


@given(some.METADATA)
def test_metadata_comes_back(fields):
    out = bytearray()
    meta.write_metadata(out, fields)
    cursor = Cursor(out)
    assert some.same(meta.read_metadata(cursor), fields)
    assert cursor.at == len(out)
    again = bytearray()
    meta.write_metadata(again, dict(reversed(fields.items())))
    assert again == out
    assert some.same(meta.metadata_from_json(meta.metadata_to_json(fields)), fields)


@pytest.mark.parametrize(
    ("value", "name", "payload"),
    [
        (2**63, "unsigned", struct.pack("<Q", 2**63)),
        (-(2**63), "integer", struct.pack("<q", -(2**63))),
        ((1, "x"), "array", b"\2\2" + struct.pack("<q", 1) + b"\5\1x"),
        (dt.timedelta(days=-1), "duration", struct.pack("<q", -86_400_000)),
        (Decimal("-1.5"), "decimal", struct.pack("<q", -15_000)),
        (Decimal("1.50000"), "decimal", struct.pack("<q", 15_000)),
        (Decimal("3E+2"), "decimal", struct.pack("<q", 3_000_000)),
        (Decimal("0E-99999"), "decimal", bytes(8)),
        (dt.date(1969, 12, 31), "date", struct.pack("<i", -1)),
        (dt.time(23, 59, 59, 999_000), "time", struct.pack("<I", 86_399_999)),
        (
            dt.datetime(1970, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            "timestamp_ms",
            bytes(8),
        ),
        (ipaddress.ip_address("10.0.0.1"), "ipaddr", b"\4\x0a\0\0\1"),
        (vt.Ipv4(0x0A000001), "ipv4", b"\1\0\0\x0a"),
        (vt.Money("EUR", 2, -1), "money", b"\3EUR\2" + b"\xff" * 8),
    ],
)
def test_what_is_written(value, name, payload):
    assert written(value) == bytes([values.BY_NAME[name].code]) + payload


def test_decimals_do_not_depend_on_the_context():
    with localcontext(prec=3):
        assert read(written(Decimal("123456789.0001"))) == Decimal("123456789.0001")
        assert vt.Money("X", 3, 123456789).amount.as_tuple().digits == tuple(range(1, 10))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**64, "integer|unsigned"),
        (-(2**63) - 1, "integer"),
        (vt.Port(65536), "port: 65536"),
        (vt.Port(-1), "port: -1"),
        (vt.Country2(b"USA"), "country2: expected 2 bytes, found 3"),
        (vt.Cidr(1, 256), "cidr prefix: 256"),
        (vt.Cidr(True, 1), "cidr ip"),
        (vt.Money("EUR", 2, 1.5), "money minor_units"),
        (vt.KeyRef("a", 1), "keyref key"),
        (dt.timedelta(microseconds=1), "milliseconds"),
        (dt.time(0, 0, 0, 1), "milliseconds"),
        (dt.time(0, tzinfo=dt.UTC), "time zone"),
        (dt.datetime(2020, 1, 1), "no time zone"),
        (dt.datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC), "milliseconds"),
        (Decimal("0.00001"), "four places"),
        (Decimal("1E-999999999"), "four places"),
        (Decimal("1E+999999"), "four places"),
        (Decimal("922337203685477.5808"), "64 bits"),
        (Decimal("NaN"), "four places"),
        (Decimal("-0"), "four places"),
        ("\ud800", "surrogate"),
        (vt.Email("\ud800"), "surrogate"),
        (ipaddress.ip_address("fe80::1%eth0"), "scope"),
        (ipaddress.ip_interface("10.0.0.1/8"), "IPv4Interface"),
        (np.zeros(2), "float32"),
        (np.zeros((1, 1), "f4"), "one dimension"),
        (np.float64(1), r"value.item\(\)"),
        (bytearray(b"x"), "bytearray"),
        ({}, "dict"),
        ([1, [object()]], "object"),
    ],
)
def test_what_is_not_exactly_storable_is_refused(value, message):
    with pytest.raises(GraphError, match=message):
        written(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (vt.UInt(7), "7"),
        (vt.Timestamp(1_700_000_000), "2023-11-14T22:13:20+00:00"),
        (vt.Timestamp(2**62), f"{2**62} s"),
        (vt.RawTimestampMs(2**62), f"{2**62} ms"),
        (vt.RawDuration(2**62), f"{2**62} ms"),
        (vt.RawDate(2**30), f"{2**30} days"),
        (vt.RawTime(90_061_001), "25:01:01.001"),
        (vt.MacAddr(bytes(range(10, 16))), "0a:0b:0c:0d:0e:0f"),
        (vt.Color(b"\xad\x73\x4e"), "#AD734E"),
        (vt.ColorAlpha(b"\xad\x73\x4e\0"), "#AD734E00"),
        (vt.Phone(4712345678), "+4712345678"),
        (vt.Semver(1_002_003), "1.2.3"),
        (vt.Semver(4_294_967_295), "4294.967.295"),
        (vt.Cidr(0x0A000000, 8), "10.0.0.0/8"),
        (vt.Subnet(0x0A000000, 0xFF00FF00), "10.0.0.0/255.0.255.0"),
        (vt.Ipv4(1), "0.0.0.1"),
        (vt.Ipv6(bytes(15) + b"\1"), "::1"),
        (vt.Latitude(-1), "-0.000001"),
        (vt.GeoPoint(59913900, -10752200), "59.913900,-10.752200"),
        (vt.Country2(b"NO"), "NO"),
        (vt.Lang5(b"pt-\xff\0"), "pt-\\xff\0"),
        (vt.Json(b'{"a":1}'), '{"a":1}'),
        (vt.VectorRef("c", 7), "c#7"),
        (vt.RowRef("c", 7), "c#7"),
        (vt.DocRef("c", 7), "c#7"),
        (vt.KeyRef("c", "k"), "c:k"),
        (vt.Money("EUR", 2, -1234), "-12.34 EUR"),
        (vt.Money("BTC", 0, 5), "5 BTC"),
        (vt.Secret(b"abc"), "***"),
        (vt.Url("https://example.org"), "https://example.org"),
    ],
)
def test_what_is_printed(value, text):
    assert str(value) == text
    assert f"{value}" == text


def test_secrets_are_not_shown():
    assert repr(vt.Password("argon2")) == "Password('***')"
    assert "abc" not in repr(vt.Secret(b"abc"))
    assert repr([vt.Port(80), vt.Email("a@b")]) == "[Port(80), Email('a@b')]"


def test_conversions():
    assert vt.Timestamp(0).to_datetime() == dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert vt.Cidr(0x0A000001, 8).to_interface() == ipaddress.ip_interface("10.0.0.1/8")
    assert vt.Subnet(0x0A000001, 0xFFFFFF00).to_interface().network.prefixlen == 24
    assert vt.Subnet(1, 0).to_interface().network.prefixlen == 0
    assert vt.Subnet(1, 0xFFFFFFFF).to_interface().network.prefixlen == 32
    with pytest.raises(ValueError, match="ones of the mask"):
        vt.Subnet(0x0A000001, 0x000000FF).to_interface()
    with pytest.raises(ValueError):
        vt.Cidr(1, 33).to_interface()
    assert vt.GeoPoint(1_500_000, -1).degrees == (1.5, -0.000001)
    assert vt.Money("EUR", 2, 1234).amount == Decimal("12.34")
    assert vt.Json(b"[1]").parse() == [1]
    assert type(vt.Port(80) + 1) is int


def test_signalling_nans_keep_their_bits():
    bits = bytes.fromhex("010000000000f47f")
    assert written(read(b"\4" + bits)) == b"\4" + bits
    vector = bytes.fromhex("0b01010080ff")
    assert written(read(vector)) == vector


# -- reading what is wrong or odd ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "value at byte 0: expected a byte, found none"),
        ("34", "value at byte 0: expected a value code up to 51, 133 or 134, found 52"),
        ("0201", "value at byte 1: expected 8 bytes, found 1"),
        ("05056162", "value at byte 1: expected 5 bytes, found 2"),
        ("0501ff", "expected UTF-8, found byte 0xff at 0"),
        ("0503eda080", "expected UTF-8"),
        ("0502c080", "expected UTF-8"),
        ("0b0200000000", "expected at most 1, for the bytes left, found 2"),
        ("1cffffffff0f", "expected at most 0, for the bytes left, found 4294967295"),
        ("0907" + "00" * 15, "expected 16 bytes, found 15"),
    ],
)
def test_damaged_values(data, message):
    with pytest.raises(FormatError) as caught:
        read(bytes.fromhex(data), path="x.rdst")
    assert message in str(caught.value)
    assert str(caught.value).startswith("x.rdst: value")


@pytest.mark.parametrize(
    ("data", "value", "problem"),
    [
        ("0102", True, "a flag of 2 is taken as 1"),
        ("0907" + "00" * 16, ipaddress.IPv6Address(0), "family 7 is taken as one of 6"),
        ("05818080807061", "a", "bits above 32 are dropped"),
    ],
)
def test_odd_values_are_remarks_or_errors(data, value, problem):
    found, remarks = read_with_remarks(bytes.fromhex(data))
    assert some.same(found, value)
    assert [problem in remark for remark in remarks] == [True]
    with pytest.raises(FormatError):
        read(bytes.fromhex(data), strict=True)


def test_remarks_are_bounded():
    found, remarks = read_with_remarks(b"\x1c\x88\x27" + b"\1\2" * 5000)
    assert found == [True] * 5000
    assert len(remarks) == 1001
    assert remarks[-1] == "4000 more are not listed"


@pytest.mark.parametrize("depth", [1, 7, 256])
def test_depth_of_arrays(depth):
    limits = Limits(depth=depth)
    fits, deeper = b"\x1c\1" * depth + b"\0", b"\x1c\1" * (depth + 1) + b"\0"
    value = read(fits, limits=limits)
    with pytest.raises(LimitError, match=rf"arrays {depth + 1} deep, over the limit of {depth}"):
        read(deeper, limits=limits)
    out = bytearray()
    values.write_value(out, value, depth)
    assert out == fits
    with pytest.raises(LimitError, match=f"more than {depth} deep"):
        values.write_value(bytearray(), [value], depth)


def test_very_deep_arrays_do_not_recurse():
    data = b"\x1c\1" * 100_000 + b"\0"
    with pytest.raises(LimitError):
        read(data)
    value = read(data, limits=Limits(depth=100_000))
    out = bytearray()
    values.write_value(out, value, 100_000)
    assert out == data
    spelled = values.value_to_json(value)
    out.clear()
    values.write_value(out, values.value_from_json(spelled), 100_000)
    assert out == data


def test_a_list_that_holds_itself_is_refused(monkeypatch):
    monkeypatch.setattr(values, "DEEPEST", 1000)
    loop = []
    loop.append(loop)
    with pytest.raises(LimitError):
        written(loop)
    with pytest.raises(LimitError):
        values.value_to_json(loop)


def test_deep_metadata():
    for open_tag, step in ((b"\6", b"\1\0\0\0"), (b"\7", b"\1\0\0\0\0\0\0\0")):
        block = b"\1\0\0\0\0\0\0\0" + (open_tag + step) * 256 + b"\0"
        cursor = Cursor(block)
        fields = meta.read_metadata(cursor)
        out = bytearray()
        meta.write_metadata(out, fields)
        assert out == block
        deeper = b"\1\0\0\0\0\0\0\0" + (open_tag + step) * 257 + b"\0"
        with pytest.raises(LimitError, match="metadata 257 deep"):
            meta.read_metadata(Cursor(deeper))
        with pytest.raises(LimitError, match="more than 256 deep"):
            meta.write_metadata(bytearray(), {"": [fields[""]]})


@pytest.mark.parametrize("data", ["0504", "0604", "0c04", "3004", "0b01"])
def test_long_values(data):
    data = bytes.fromhex(data) + bytes(4)
    read(data, limits=Limits(value_bytes=4))
    with pytest.raises(LimitError, match=r"4 bytes, over the limit of 3 \(value_bytes\)"):
        read(data, limits=Limits(value_bytes=3))


# -- compression --------------------------------------------------------------------------------


def packed(declared, data, code=layout.PACKED_BLOB):
    out = bytearray([code])
    varint.write(out, declared)
    varint.write(out, len(data))
    return bytes(out + data)


def frame(data, **options):
    return zstandard.ZstdCompressor(**options).compress(data)


def test_when_values_are_compressed():
    noise = np.random.default_rng(3).bytes(4096)
    assert written("a" * 2047)[0] == 5
    assert written("a" * 2048)[0] == layout.PACKED_TEXT
    assert written("ø" * 1024)[0] == layout.PACKED_TEXT
    assert written(bytes(2048))[0] == layout.PACKED_BLOB
    assert written(noise)[0] == 6
    assert written(vt.Json(bytes(5000)))[0] == 12
    assert written(vt.Password("a" * 5000))[0] == 49
    data = written(bytes(2048))
    assert data[:3] == bytes([layout.PACKED_BLOB, 0x80, 0x10])
    assert data[4:8] == bytes.fromhex("28b52ffd")
    assert zstandard.frame_content_size(data[4:]) == 2048
    assert not zstandard.get_frame_parameters(data[4:]).has_checksum


@pytest.mark.parametrize(
    "data",
    [
        frame(b"hello there"),
        frame(b"hello there", write_content_size=False),
        frame(b"hello there", write_checksum=True),
        frame(b"hello ") + frame(b"there"),
        frame(b"") + frame(b"hello there") + frame(b""),
        frame(b"hello there")[:0] + zstandard.ZstdCompressor(level=19).compress(b"hello there"),
    ],
)
def test_frames_that_are_read(data):
    assert read(packed(11, data)) == b"hello there"
    assert read(packed(11, data, layout.PACKED_TEXT), strict=True) == "hello there"


def test_a_long_value_of_several_steps():
    data = np.random.default_rng(1).integers(0, 9, 300_000, np.uint8).tobytes()
    assert read(written(data)) == data
    assert read(packed(300_000, frame(data[:150_000]) + frame(data[150_000:]))) == data


def test_empty_and_short_frames():
    assert read(packed(0, b""), strict=True) == b""
    assert read(packed(0, frame(b"")), strict=True) == b""
    for data in (frame(b"hi"), frame(b"h") + frame(b"i")):
        value, remarks = read_with_remarks(packed(5, data))
        assert value == b"hi\0\0\0"
        assert remarks == ["2 bytes are filled up with NUL to the 5 declared"]
        with pytest.raises(FormatError, match="filled up"):
            read(packed(5, data), strict=True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (frame(b"hello!"), "expected 5 bytes when decompressed"),
        (frame(b"hello") + frame(b"!"), "expected 5 bytes when decompressed"),
        (frame(b"hello") + b"garbage", "a zstd frame"),
        (frame(b"hello")[:-1], "more of a zstd frame"),
        (frame(b"hello") + frame(b"")[:-1], "more of a zstd frame"),
        (b"\0" + frame(b"hello"), "a zstd frame"),
        (b"hello", "a zstd frame"),
    ],
)
def test_frames_that_are_refused(data, message):
    with pytest.raises(FormatError, match=message):
        read(packed(5, data))


def test_compressed_text_is_checked():
    with pytest.raises(FormatError, match="UTF-8"):
        read(packed(2, frame(b"\xff\xfe"), layout.PACKED_TEXT))


def test_limits_of_compressed_values():
    data = packed(100, frame(bytes(100)))
    array = b"\x1c\3" + data * 3
    assert read(array, limits=Limits(value_bytes=100, total_bytes=300)) == [bytes(100)] * 3
    with pytest.raises(LimitError, match=r"100 bytes, over the limit of 99 \(value_bytes\)"):
        read(data, limits=Limits(value_bytes=99))
    with pytest.raises(LimitError, match=r"300 bytes of compressed .* 299 \(total_bytes\)"):
        read(array, limits=Limits(total_bytes=299))


# -- JSON that spells nothing -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (5, "expected dict, found int"),
        ({}, "there is no 't'"),
        ({"t": "colour"}, "no type 'colour'"),
        ({"t": []}, "expected str"),
        ({"t": "integer"}, "there is no 'v'"),
        ({"t": "integer", "v": "1"}, "expected int"),
        ({"t": "integer", "v": True}, "expected int"),
        ({"t": "integer", "v": 2**63}, "64 bits"),
        ({"t": "boolean", "v": 1}, "expected bool"),
        ({"t": "time", "v": -1}, "32 bits"),
        ({"t": "uuid", "hex": "00"}, "expected 16 bytes"),
        ({"t": "blob", "hex": "0g"}, "hexadecimal"),
        ({"t": "float", "bits": "00"}, "16 hexadecimal digits"),
        ({"t": "vector", "f32": ["00"]}, "8 hexadecimal digits"),
        ({"t": "ipaddr", "family": 4, "hex": "00" * 16}, "no address of family 4"),
        ({"t": "array", "items": {}}, "expected list"),
        ({"t": "array", "items": [None]}, "expected dict"),
        ({"t": "text", "v": "\ud800"}, "surrogate"),
    ],
)
def test_json_that_is_no_value(item, message):
    with pytest.raises(GraphError, match=message):
        values.value_from_json(item)


def test_uuids_are_in_the_order_of_their_text():
    number = uuid.UUID("41a252ed-df94-07e9-7203-650d08165178")
    assert written(number) == b"\x0d" + bytes.fromhex("41a252eddf9407e97203650d08165178")
