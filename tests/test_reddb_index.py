"""The walk over a dump: what it finds and refuses is what the reader in Python finds and refuses.

``NKGRAPH_DAMAGE`` sets how many seeded changes each file gets, and at how many bytes it is cut.
"""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from reddb_strategies import stores
from test_reddb_damage import BOMBS, changed, content_of, packed_bombs, sealed, varint

from nkgraph import kernels
from nkgraph.errors import FormatError, LimitError, VersionError
from nkgraph.storage import reddb
from nkgraph.storage.reddb import Limits, dump
from nkgraph.storage.reddb.cursor import Cursor
from nkgraph.storage.reddb.entity import DATA_TAGS, KIND_TAGS
from nkgraph.storage.reddb.index import index
from nkgraph.storage.reddb.metadata import read_metadata
from nkgraph.storage.reddb.records import read_entity, write_record

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))
FOLDER = Path(__file__).parent / "data" / "reddb"
FILES = sorted(FOLDER.glob("*.rdst"))
NAMES = [path.stem for path in FILES]
LIMITS = Limits(value_bytes=1 << 20, total_bytes=1 << 22)
FLAGS = kernels.dump_steps


def as_array(data):
    return np.frombuffer(data, np.uint8)


def refusal(read, data, limits):
    try:
        return read(data, "x.rdst", limits), None
    except (FormatError, LimitError) as error:
        return None, error


def check(data, limits=LIMITS):
    """Compare with the reader in Python; return the index, or None where both refuse."""
    store, wanted = refusal(dump.parse, data, limits)
    found, error = refusal(lambda d, *rest: index(as_array(d), *rest), data, limits)
    assert type(error) is type(wanted), (error, wanted)
    if error is not None:
        assert str(error).startswith("x.rdst: ")
        assert "at byte" in str(error)
        if isinstance(error, FormatError):
            assert 0 <= error.offset <= len(data)
        return None
    compare(as_array(data), found, store)
    return found


def compare(data, found, store):
    sections = [(name, list(held)) for name, held in store.in_file_order()]
    entities = [entity for _, held in sections for entity in held]
    assert found.version == store.format_version
    assert found.names == [name for name, _ in sections]
    assert np.diff(found.firsts).tolist() == [len(held) for _, held in sections]
    assert found.ids.tolist() == [entity.id for entity in entities]
    assert found.kinds.tolist() == [KIND_TAGS[type(entity.kind)] for entity in entities]
    assert found.data_tags.tolist() == [DATA_TAGS[type(entity.data)] for entity in entities]
    assert found.section_count == len(store.cross_refs)
    aux = data[found.aux_at : found.aux_at + found.aux_bytes]
    assert aux.tobytes() == store.aux_metadata
    assert found.trailing_bytes == store.trailing_bytes
    spans = []
    for row, entity in enumerate(entities):
        flags, start, stop = int(found.flags[row]), int(found.places[row]), found.item_stop(row)
        spans.append((start, stop, bool(flags & FLAGS.IS_ODD)))
        assert bool(flags & FLAGS.IS_EXPIRED) == (entity.xmax != 0)
        assert bool(flags & FLAGS.IS_VERSIONED) == (entity.xmax != 0 or entity.xmin != 0)
        assert bool(flags & FLAGS.WITH_METADATA) == bool(entity.metadata)
        assert found.names[found.collection_of(row)] == sections[found.collection_of(row)][0]
        spot = found.record(data, row)
        options = {"stop": spot.stop, "version": found.version, "limits": found.limits}
        assert read_entity(Cursor(data, at=spot.start, **options)).kind == entity.kind
        if spot.metadata_stop > spot.metadata:
            cursor = Cursor(data, at=spot.metadata, stop=spot.metadata_stop, limits=found.limits)
            assert read_metadata(cursor).keys() == entity.metadata.keys()
        if flags & FLAGS.IS_PLAIN:
            out = bytearray()
            write_record(out, entity)
            assert data[start:stop].tobytes() == bytes(out)
    for remark in store.remarks:
        if remark.offset is None:
            continue
        odd = [is_odd for start, stop, is_odd in spans if start <= remark.offset < stop]
        assert (odd == [True]) if odd else found.odd_outside, remark


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_recorded_files(path):
    data = path.read_bytes()
    found = check(data, Limits())
    expected = json.loads((FOLDER / f"{path.stem}.expected.json").read_text())["file"]
    assert found.names == [each["name"] for each in expected["collections"]]
    kept = [entity for each in expected["collections"] for entity in each["entities"]]
    assert found.ids.tolist() == [entity["id"] for entity in kept]
    assert found.section_count == len(expected["cross_refs"])
    assert found.trailing_bytes == expected["trailing_bytes"]
    if path.stem.startswith("v10") and path.stem != "v10_toast":
        assert (found.flags & FLAGS.IS_PLAIN).all()
        assert not (found.flags & FLAGS.IS_ODD).any()
    if path.stem.startswith("v0"):
        assert not (found.flags & FLAGS.IS_PLAIN).any()


@pytest.mark.parametrize(
    "name", ["bool_2", "dup_keys", "empty_meta_count", "frame_slack", "ip_family_7"]
)
def test_odd_files_are_marked(name):
    found = index(as_array((FOLDER / f"quirk_{name}.rdst").read_bytes()))
    assert found.flags[0] & FLAGS.IS_ODD
    assert not found.flags[0] & FLAGS.IS_PLAIN


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_files_cut_short(path):
    """At every byte of small files, and all along larger ones; the CRC fits."""
    content = content_of(path)
    step = max(1, len(content) ** 2 // (8_000 * ROUNDS))
    for size in sorted({*range(0, len(content), step), *range(len(content) - 20, len(content))}):
        check(sealed(content[:size]))
    data = path.read_bytes()
    for size in range(0, len(data), 7):
        if data[4] >= 3:
            with pytest.raises(FormatError):
                index(as_array(data[:size]))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_changed_files(path):
    rng = random.Random(path.stem)
    content = content_of(path)
    for _ in range(ROUNDS * 6 if len(content) < 4000 else ROUNDS // 4):
        check(sealed(changed(rng, content)))


def test_any_bytes():
    rng = random.Random(7)
    for _ in range(ROUNDS * 40):
        version = rng.randrange(1, 11)
        content = b"RDST" + version.to_bytes(4, "little") + rng.randbytes(rng.randrange(60))
        check(sealed(content))


@given(stores())
def test_stores(store):
    found = check(reddb.dumps(store), Limits())
    for row in np.flatnonzero((found.flags & FLAGS.IS_PLAIN) == 0).tolist():
        start, stop = int(found.places[row]), found.item_stop(row)
        packed = ((found.packed > start) & (found.packed < stop)).any()
        assert packed or stop - start >= 2048 or found.flags[row] & FLAGS.IS_ODD


@pytest.mark.parametrize("version", [6, 7, 10])
@pytest.mark.parametrize("name", BOMBS)
def test_counts_that_no_file_can_hold(name, version):
    head = b"RDST" + version.to_bytes(4, "little")
    found = check(sealed(head + bytes.fromhex(BOMBS[name])))
    assert found is None or version != 6 or name in ("aux", "record length")


def test_compressed_values_that_are_too_long():
    for content in packed_bombs().values():
        data = sealed(b"RDST\6\0\0\0" + content)
        with pytest.raises((FormatError, LimitError)):
            index(as_array(data))


# -- what else ------------------------------------------------------------------------------------


def row_of(value):
    """A dump of version 6 with one row of one value."""
    return sealed(b"RDST\6\0\0\0\1\1c\1\7\3\0\0\1" + value + bytes(6))


def nested(depth):
    return b"\x1c\1" * (depth - 1) + b"\x1c\0"


@pytest.mark.parametrize("limit", [1, 2, 256, 5000])
def test_depth_of_arrays(limit):
    limits = Limits(depth=limit)
    assert len(check(row_of(nested(limit)), limits)) == 1
    with pytest.raises(LimitError, match=r"collection 'c', entity 0: .* \(depth\)"):
        index(as_array(row_of(nested(limit + 1))), "x.rdst", limits)
    assert check(row_of(nested(limit + 1)), limits) is None


def test_very_deep_arrays_take_no_time_or_stack():
    with pytest.raises(LimitError):
        index(as_array(row_of(nested(1_000_000))))
    assert len(index(as_array(row_of(nested(100_000))), limits=Limits(depth=1 << 40))) == 1


@pytest.mark.parametrize("size", [9, 10, 11])
@pytest.mark.parametrize("code", ["05", "06", "0c", "0e"])
def test_long_values(code, size):
    data = row_of(bytes.fromhex(code) + varint(size) + b"a" * size)
    assert (check(data, Limits(value_bytes=10)) is None) == (size > 10)


def test_the_sum_of_compressed_values():
    empty = b"\x86\x0a\x00"  # ten NULs
    data = sealed(b"RDST\6\0\0\0\1\1c\1\7\3\0\0\3" + empty * 3 + bytes(6))
    assert check(data, Limits(total_bytes=30)).packed.size == 3
    assert check(data, Limits(total_bytes=29)) is None


TEXTS = [
    b"", b"a", b"\x00", b"abcdefgh", "ä".encode(), "€uro".encode(), "𝄞".encode(), b"abcdefg\xff",
    b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xed\xa0\x80",
    b"\xee\x80\x80", b"\xf0\x80\x80\x80", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9d\x84",
    b"\xe2\x28\xa1", b"\xe2\x82\x28", b"12345678\xc3\xa4", b"1234567\xc3\xa4", b"1234567\xc3",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=[text.hex() or "empty" for text in TEXTS])
@pytest.mark.parametrize("before", [0, 1, 6, 7, 8, 17])
def test_text_is_utf8(text, before):
    raw = b"x" * before + text
    legal = True
    try:
        raw.decode()
    except UnicodeDecodeError:
        legal = False
    found = check(row_of(b"\5" + varint(len(raw)) + raw))
    assert (found is not None) == legal


def framed(entity, metadata=b"", version=10):
    """A dump of one record, of bytes as they are given."""
    record = b"RER1" + long(entity) + long(metadata)
    head = b"RDST" + version.to_bytes(4, "little")
    return sealed(head + b"\1\1c\1" + long(record) + bytes(5))


def long(data):
    return len(data).to_bytes(4, "little") + data


@pytest.mark.parametrize("version", range(7, 11))
@pytest.mark.parametrize("data", ["01 00", "05 00 00 00"])
@pytest.mark.parametrize("logical", ["00", "01 07", "02 07", "01 8700", "01 ffffffffffffffffff7f"])
def test_tails_of_every_length(version, data, logical):
    """Each part is there or not; where a part is missing, no writer made it."""
    front = bytes.fromhex("07 01 01 61 00" + data + "00 00 00 00 00")
    queue = bytes.fromhex("01 05000000 03 01") if data[1] == "5" else b""
    tail = queue + bytes.fromhex(logical) + bytes.fromhex("05 8101 ff")
    legal = []
    for size in range(len(tail) + 1):
        found = check(framed(front + tail[:size], version=version))
        if found is not None and version == 10:
            legal.append((len(tail) - size, bool(found.flags[0] & FLAGS.IS_PLAIN)))
    if version == 10:  # the last byte is slack
        assert dict(legal)[1] == (logical in ("00", "01 07"))
        assert not any(is_plain for left, is_plain in legal if left != 1)


def test_many_collections_and_entities():
    """More of everything than the first outputs hold, in every combination."""
    rng = random.Random(3)
    sections = []
    for number in range(300):
        held = [
            reddb.Entity(1024 + row, reddb.GraphNode("x"), reddb.NodeData({"k": "é" * 1024}))
            if rng.random() < 0.1
            else reddb.Entity(rng.randrange(2**64), reddb.TableRow("t"), reddb.RowData([row]))
            for row in range(rng.choice([0, 0, 1, 30, 60]))
        ]
        sections.append((f"c{number % 250}", held))
    store = reddb.Store.of_sections(sections)
    found = check(reddb.dumps(store), Limits())
    assert len(found) > 4096
    assert found.packed.size > 64
    again = index(as_array(reddb.dumps(store)))
    assert again.places.tolist() == found.places.tolist()


HEADERS = [
    (b"", FormatError, "file size"),
    (b"RDST\n\0\0", FormatError, "file size"),
    (b"RDSU\n\0\0\0" + bytes(8), FormatError, "magic"),
    (b"RDST\n\0\0\0", FormatError, "file size"),
    (b"RDST\n\0\0\0" + bytes(9), FormatError, "CRC-32"),
    (b"RDST\0\0\0\x0a" + bytes(9), VersionError, "version"),
    (b"RDST\x0b\0\0\0" + bytes(9), VersionError, "expected 1 to 10, found 11"),
    (b"RDST\1\0\0\0", FormatError, "collection count"),
]


@pytest.mark.parametrize(("data", "error", "message"), HEADERS)
def test_headers(data, error, message):
    with pytest.raises(error, match=message):
        index(as_array(data), "x.rdst")
    check(data)


def test_the_checksum_is_compared_first():
    """A file that is cut short says so, and not where its parts end."""
    data = (FOLDER / "v10_graph.rdst").read_bytes()
    with pytest.raises(FormatError, match="CRC-32 at byte 4996"):
        index(as_array(data[:5000]))


MESSAGES = [
    (b"\5\3ab\xff", "collection 'c', entity 0: columns at byte 19: expected UTF-8"),
    (b"\x34", "columns at byte 17: expected a known code, found 52"),
    (b"\2" + bytes(1), "columns at byte 18: expected 8 bytes, found 7"),
    (b"\5" + b"\xff" * 6, "columns at byte 18: expected at most 5 or 10 bytes"),
    (b"\x1c\x7f", "columns at byte 18: expected at most 6, for the bytes left, found 127"),
]


@pytest.mark.parametrize(("value", "message"), MESSAGES)
def test_errors_say_where(value, message):
    with pytest.raises(FormatError, match=message):
        index(as_array(row_of(value)))


def test_errors_name_the_property():
    data = sealed(b"RDST\6\0\0\0\1\1c\1\7\1\0\0\1\1\3age\x63" + bytes(8))
    with pytest.raises(FormatError, match="entity 0: value of 'age' at byte 22"):
        index(as_array(data))
