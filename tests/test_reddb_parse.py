"""Parsing a dump: what is said of damage and where, and the smallest that is legal."""

import pytest
from test_reddb_dump import EXAMPLE, sealed

from nkgraph.errors import FormatError, VersionError
from nkgraph.storage import reddb
from nkgraph.storage.reddb import Store, dump, records
from nkgraph.storage.reddb import metadata as meta
from nkgraph.storage.reddb.cursor import Cursor

# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", FormatError, "file size at byte 0: expected >= 8, found 0"),
        (EXAMPLE[:7], FormatError, "file size at byte 0: expected >= 8, found 7"),
        (EXAMPLE[:11], FormatError, "file size at byte 0: expected >= 12, found 11"),
        (b"RDSX" + EXAMPLE[4:], FormatError, "magic at byte 0: expected b'RDST', found b'RDSX'"),
        (b"RDST\0\0\0\x0a" + EXAMPLE[8:], VersionError, "version at byte 4: expected 1 to 10"),
        (b"RDST\x0b\0\0\0" + EXAMPLE[8:], VersionError, "expected 1 to 10, found 11"),
        (b"RDST\0\0\0\0" + EXAMPLE[8:], VersionError, "expected 1 to 10, found 0"),
        (EXAMPLE[:-1] + b"\0", FormatError, "CRC-32 at byte 85: expected 0x4c81c1b7"),
        (sealed(EXAMPLE[:8]), FormatError, "collection count at byte 8"),
    ],
)
def test_headers(tmp_path, data, error, message):
    path = tmp_path / "x.rdst"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        reddb.load(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(FormatError, match="a directory"):
        reddb.load(tmp_path)
    with pytest.raises(FormatError, match="expected a file, found none"):
        reddb.load(tmp_path / "none")
    with pytest.raises(OSError):
        reddb.save(Store(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("at", "byte", "message"),
    [
        (16, 9, "collection 'people': entity count at byte 16: expected at most 4"),
        (17, 250, "collection 'people', entity 0: record length at byte 17: expected 250 bytes"),
        (25, 90, "collection 'people', entity 0: entity length at byte 25: expected 90 bytes"),
        (31, 6, "collection 'people', entity 0: kind at byte 31: expected a tag of at most 5"),
        (32, 99, "collection 'people', entity 0: label at byte 32: expected 99 bytes"),
        (43, 7, "collection 'people', entity 0: data at byte 43"),
        (45, 77, "collection 'people', entity 0: property key at byte 45"),
        (49, 88, "collection 'people', entity 0: value of 'age' at byte 49: expected a value code"),
        (76, 1, "collection 'people', entity 0: metadata length at byte 76: expected 1 bytes"),
    ],
)
def test_errors_say_where(at, byte, message):
    content = bytearray(EXAMPLE[:-4])
    content[at] = byte
    with pytest.raises(FormatError) as caught:
        dump.parse(sealed(bytes(content)), "x.rdst")
    assert message in str(caught.value), str(caught.value)


def test_reading_leaves_the_file_alone(tmp_path):
    path = tmp_path / "x.rdst"
    path.write_bytes(EXAMPLE)
    before = path.stat()
    reddb.load(path).collections["people"][0].id = 3
    assert path.read_bytes() == EXAMPLE
    assert path.stat().st_mtime_ns == before.st_mtime_ns


# -- slices and smallest elements ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (0, "entity id at byte 29: expected at most 10 bytes, found the end inside it"),
        (1, "entity id at byte 29"),
        (2, "kind at byte 31: expected a byte, found none"),
        (4, "label at byte 32: expected 3 bytes, found 0"),
        (20, "value of 'age' at byte 49: expected a byte, found none"),
        (24, "value of 'age' at byte 50: expected 8 bytes, found 3"),
        (30, "created_at at byte 58"),
        (41, "sequence_id at byte 70"),
        (43, "logical_id at byte 72: expected at most 10 bytes"),
        (46, "xmax at byte 75: expected at most 10 bytes"),
    ],
)
def test_an_entity_ends_with_its_slice(length, message):
    content = bytearray(EXAMPLE[:-4])
    content[25] = length
    with pytest.raises(FormatError) as caught:
        dump.parse(sealed(bytes(content)), "x.rdst")
    assert f"collection 'people', entity 0: {message}" in str(caught.value)


def test_parts_after_the_sequence_id_are_optional_but_whole():
    content = EXAMPLE[:-4]
    for size, logical_id, xmax in ((42, None, 0), (45, 1024, 0), (47, 1024, 0)):
        entity = content[29 : 29 + size]
        record = b"RER1" + size.to_bytes(4, "little") + entity + bytes(4)
        data = sealed(content[:17] + len(record).to_bytes(4, "little") + record + bytes(5))
        found = dump.parse(data).collections["people"][0]
        assert (found.logical_id, found.xmax) == (logical_id, xmax)
    for size in (43, 44, 46):
        entity = content[29 : 29 + size]
        record = b"RER1" + size.to_bytes(4, "little") + entity + bytes(4)
        data = sealed(content[:17] + len(record).to_bytes(4, "little") + record + bytes(5))
        with pytest.raises(FormatError, match=r"entity 0: (logical_id|xmax)"):
            dump.parse(data)


def test_the_smallest_of_everything():
    least = bytes.fromhex("01 03 00 00 00 00 00 00 00 00")
    for version in (1, 2, 3, 6):
        head = b"RDST" + bytes([version, 0, 0, 0])
        store = dump.parse(sealed_as(version, head + b"\1\0\5" + least * 5))
        assert len(store.collections[""]) == 5
        assert store.cross_refs == []
        references = sealed_as(version, head + b"\0\3" + bytes(12))
        assert len(dump.parse(references).cross_refs) == 3
        names = dump.parse(sealed_as(version, head + b"\2\1a\0\1b\0"))
        assert list(names.collections) == ["a", "b"]
    framed = b"\x0a\0\0\0" + least
    store = dump.parse(sealed(b"RDST\x07\0\0\0" + b"\1\0\4" + framed * 4))
    assert len(store.collections[""]) == 4
    names = dump.parse(sealed(b"RDST\x07\0\0\0" + b"\2\0\0\0\0"))
    assert list(names.collections) == [""]


def sealed_as(version, content):
    return sealed(content) if version >= 3 else content


def read_entity(text, version=10):
    data = bytes.fromhex(text)
    cursor = Cursor(data, version=version)
    entity = records.read_entity(cursor)
    assert cursor.at == len(data)
    return entity


def test_the_smallest_elements_of_an_entity():
    assert len(read_entity(f"01 0300 03 00 00 00 00 14 {20 * '000000'} 00 00", 9).embeddings) == 20
    assert len(read_entity("01 0300 0000 00 00 00 02 000000 000000 00", 1).cross_refs) == 2
    own = "000000 00 00000000 00"
    assert len(read_entity(f"01 0300 0000 00 00 00 02 {own} {own} 00", 2).cross_refs) == 2
    node = read_entity(f"01 0300 01 14 {20 * '0000'} 00 00 00 00 00", 7)
    assert node.data == reddb.NodeData({"": None})
    point = read_entity(f"01 0300 04 00 00 {16 * '0'} 14 {20 * '0000'} 00 00 00 00 00", 5)
    assert point.data == reddb.TimeSeriesData("", 0, 0.0, {"": ""})


def test_metadata_of_least_size_and_odd_metadata():
    def metadata(text, **options):
        cursor = Cursor(bytes.fromhex(text), **options)
        return meta.read_metadata(cursor), [remark.problem for remark in cursor.remarks]

    target = "00 00000000 0000000000000000"
    fields, _ = metadata("01000000 00000000 0b 02000000" + target * 2)
    assert fields == {"": meta.Targets([meta.Target("table_row", "", 0)] * 2)}
    assert metadata("02000000 00000000 00 0100000061 00") == ({"": None, "a": None}, [])
    nested = "01000000 00000000 07 02000000 00000000 00 00000000 01 01"
    assert metadata(nested) == ({"": {"": True}}, ["'' is repeated; the last counts"])
    assert metadata("02000000 00000000 00 00000000 01 01") == (
        {"": True},
        ["'' is repeated; the last counts"],
    )
    for text in (nested, "00000000", "01000000 00000000 01 02"):
        with pytest.raises(FormatError, match="metadata"):
            metadata(text, strict=True)
    for text, message in (
        (
            "01000000 00000000 0a 05 00000000 0000000000000000",
            "target kind of '' at byte 9: expected at most 4, found 5",
        ),
        ("01000000 00000000 0c", "metadata tag of '' at byte 8: expected at most 11, found 12"),
        ("02000000 00000000 00", "metadata field count at byte 0: expected at most 1"),
    ):
        with pytest.raises(FormatError, match=message):
            metadata(text)
