"""Whole dumps: recorded files, round trips, order, atomic saves."""

import json
import os
import stat
import zlib
from pathlib import Path

import numpy as np
import pytest
import reddb_strategies as some
from hypothesis import given, settings

from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.storage import reddb
from nkgraph.storage.reddb import (
    Entities,
    Entity,
    GraphNode,
    Limits,
    NodeData,
    Store,
    dump,
    records,
)
from nkgraph.storage.reddb import value_types as vt
from nkgraph.storage.reddb.cursor import Cursor

FOLDER = Path(__file__).parent / "data" / "reddb"
FILES = sorted(FOLDER.glob("*.rdst"))
NAMES = [path.stem for path in FILES]
ODD = {
    "quirk_bool_2": "a flag of 2 is taken as 1",
    "quirk_dup_keys": "'b' is repeated; the last counts",
    "quirk_empty_meta_count": "a block without fields counts as none",
    "quirk_frame_slack": "5 bytes behind its content are ignored",
    "quirk_ip_family_7": "an address of family 7 is taken as one of 6",
    "quirk_toast_small_padded": "5 bytes are filled up with NUL to the 8 declared",
    "quirk_trailing": "4 bytes behind the content are ignored",
    "quirk_v9_trailing": "4 bytes behind the content are ignored",
    "quirk_varint_overflow_bits": "bits above 32 are dropped",
    "v10_loader": "an unknown type 200 is taken as 9, RelatedTo",
}
"""The files that strict reading refuses, with the first remark of others."""


def expected(path):
    return json.loads(path.with_suffix(".expected.json").read_text())


def sealed(content):
    return content + zlib.crc32(content).to_bytes(4, "little")


def people():
    """Return the worked example of the format's section 8."""
    ann = Entity(
        1024,
        GraphNode("ann", "person"),
        NodeData({"age": 30}),
        created_at=1_700_000_000,
        updated_at=1_700_000_000,
        logical_id=1024,
    )
    store = Store()
    store.collections["people"] = Entities([ann])
    return store


EXAMPLE = bytes.fromhex(
    "52445354 0a000000 01 0670656f706c65 01 3b000000 52455231 2f000000 8008 01 03616e6e"
    "06706572736f6e 01 01 03616765 021e00000000000000 80e2cfaa06 80e2cfaa06 00 00 00 018008"
    "0000 00000000 00 00000000 b7c1814c"
)

# -- recorded files -----------------------------------------------------------------------------


def test_all_recorded_files_are_there():
    assert len(FILES) == 36
    assert {int(name[1:3]) for name in NAMES if name.startswith("v")} == set(range(1, 11))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_recorded_files(path):
    want = expected(path)["file"]
    store = reddb.load(path)
    assert store.to_json() == want
    assert [remark.problem for remark in store.remarks][:1] == [
        ODD[path.stem] for _ in range(path.stem in ODD)
    ]
    spelled = json.loads(json.dumps(store.to_json()))
    again = reddb.from_json(spelled)
    assert some.same(again, store)
    assert again == store
    assert again.to_json() == want
    data = reddb.dumps(store)
    back = dump.parse(data)
    assert some.same(back, store)
    assert {**back.to_json(), "version": 0, "trailing_bytes": 0} == {
        **want,
        "version": 0,
        "trailing_bytes": 0,
    }
    assert reddb.dumps(back) == data == reddb.dumps(again)
    assert not back.remarks or path.stem == "v10_loader"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_recorded_files_of_version_10_come_back_byte_for_byte(path):
    if path.stem == "v10_toast" or (path.stem in ODD and path.stem != "v10_loader"):
        return
    data = path.read_bytes()
    same = reddb.dumps(reddb.load(path)) == data
    rewritten = {"quirk_long_varints", "quirk_no_aux", "quirk_no_frame", "quirk_no_xrefs"}
    assert same == (data[4] == 10 and path.stem not in {*rewritten, "quirk_short_tail_v10"})


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_strict_reading(path):
    if path.stem not in ODD:
        assert not reddb.load(path, strict=True).remarks
        return
    with pytest.raises(FormatError) as caught:
        reddb.load(path, strict=True)
    first = reddb.load(path).remarks[0]
    assert (caught.value.field, caught.value.offset) == first[:2]
    assert first.problem in str(caught.value)


def test_worked_example():
    assert reddb.dumps(people()) == EXAMPLE
    assert some.same(dump.parse(EXAMPLE), people())


def test_smallest_file():
    assert reddb.dumps(Store()) == (FOLDER / "v10_empty.rdst").read_bytes()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda d: np.frombuffer(d, "u1")])
def test_sources(kind):
    store = dump.parse(kind(EXAMPLE), "x")
    assert store == people()
    with pytest.raises(FormatError, match="file size"):
        dump.parse(kind(b""))


# -- whole stores -------------------------------------------------------------------------------


@settings(max_examples=150)
@given(some.stores())
def test_stores_survive(tmp_path_factory, store):
    path = tmp_path_factory.getbasetemp() / "survives.rdst"
    reddb.save(store, path)
    back = reddb.load(path)
    assert some.same(back, store)
    assert back == store
    assert [part[:3] for part in back.sections()] == store.sections()
    data = path.read_bytes()
    assert reddb.dumps(back) == data == reddb.dumps(store)
    spelled = json.loads(json.dumps(store.to_json()))
    again = reddb.from_json(spelled)
    assert some.same(again, store)
    assert reddb.dumps(again) == data


@given(some.ENTITIES)
def test_bare_records_and_order_of_keys(entity):
    out = bytearray()
    records.write_record(out, entity)
    assert some.same(records.read_record(Cursor(out)), entity)
    for name in ("properties", "fields", "tags"):
        if hasattr(entity.data, name):
            pairs = getattr(entity.data, name)
            setattr(entity.data, name, dict(reversed(pairs.items())))
    entity.metadata = dict(reversed(entity.metadata.items()))
    again = bytearray()
    records.write_record(again, entity)
    assert again == out
    bare = bytearray()
    records.write_entity(bare, entity)
    framed = len(bare).to_bytes(4, "little") + bare
    entity.metadata = {}
    assert some.same(records.read_record(Cursor(framed)), entity)


def test_equality_is_of_bits():
    assert NodeData({"a": 1}) != NodeData({"a": vt.UInt(1)})
    assert NodeData({"a": 0.0}) != NodeData({"a": -0.0})
    assert NodeData({"a": float("nan")}) == NodeData({"a": float("nan")})
    assert NodeData({"a": np.zeros(2, "f4")}) == NodeData({"a": np.zeros(2, "f4")})
    assert reddb.EdgeData(0.5) == reddb.EdgeData(np.float32(0.5))
    assert reddb.QueueData(1, priority=1) != reddb.QueueData(1, priority=2)
    assert people() == people()
    other = people()
    other.collections["people"][0].xmax = 1
    assert other != people()
    assert people() != 5


def test_a_name_that_comes_twice():
    one, two, three = (Entity(n, GraphNode(str(n)), NodeData()) for n in (1, 2, 3))
    store = Store.of_sections([("a", [one]), ("b", [two]), ("a", [three]), ("b", [])])
    data = reddb.dumps(store)
    back = dump.parse(data)
    assert [(c["name"], len(c["entities"])) for c in back.to_json()["collections"]] == [
        ("a", 1),
        ("b", 1),
        ("a", 1),
        ("b", 0),
    ]
    assert [entity.id for entity in back.collections["a"]] == [1, 3]
    assert reddb.dumps(back) == data
    back.collections["a"].append(Entity(4, GraphNode(""), NodeData()))
    assert back.sections() == [("a", 0, 3), ("b", 0, 1)]
    assert dump.parse(reddb.dumps(back)).sections() == back.sections()
    del back.collections["b"]
    assert back.sections() == [("a", 0, 3)]


def test_unknown_types_of_references_keep_their_byte():
    store = people()
    ann = store.collections["people"][0]
    ann.cross_refs.append(reddb.CrossReference(1024, 5, 77))
    store.cross_refs.append(reddb.StoreReference(1024, 5, 77, "x"))
    back = dump.parse(reddb.dumps(store))
    assert back == store
    assert back.collections["people"][0].cross_refs[0].type is reddb.RefType.RelatedTo
    assert [remark.problem for remark in back.remarks] == [
        "an unknown type 77 is taken as 9, RelatedTo"
    ] * 2
    spelled = back.to_json()
    own = spelled["collections"][0]["entities"][0]["cross_refs"][0]
    assert (own["ref_type"], own["stored_ref_type"]) == (9, 77)
    assert spelled["cross_refs"][0]["ref_type"] == 77
    assert reddb.from_json(spelled) == store


def test_reference_types():
    from nkgraph.storage.reddb.entity import inverse_of

    kinds = reddb.RefType
    assert inverse_of(kinds.RowToVector) is kinds.VectorToRow
    assert inverse_of(kinds.NodeToVector) is kinds.VectorToNode
    assert inverse_of(kinds.SimilarTo) is kinds.SimilarTo
    assert inverse_of(kinds.Mentions) is None
    assert inverse_of(200) is kinds.RelatedTo
    for kind in kinds:
        back = inverse_of(kind)
        assert back is None or inverse_of(back) is kind


# -- lists that decode on demand ----------------------------------------------------------------


class Source:
    """Entities of a dump with one collection, and what was asked for."""

    def __init__(self, framed, copied=True):
        self.framed, self.copied, self.decoded = framed, copied, []

    def __len__(self):
        return len(self.framed)

    def entity(self, row):
        self.decoded.append(row)
        return records.read_record(Cursor(self.framed[row]))

    def kinds(self):
        return np.ones(len(self), np.uint8)

    def runs(self, start, stop):
        """Runs of at most two records."""
        for at in range(start, stop, 2):
            records = b"".join(self.framed[at : min(at + 2, stop)])
            yield memoryview(records) if self.copied else None, min(2, stop - at)


def source_of(count, copied=True):
    framed = []
    for number in range(count):
        out = bytearray()
        records.write_record(out, Entity(number, GraphNode(f"n{number}"), NodeData()))
        framed.append(bytes(out))
    return Source(framed, copied)


def of_source(source):
    store = Store()
    store.collections["c"] = Entities(source=source)
    return store


@pytest.mark.parametrize("copied", [True, False])
def test_untouched_entities_are_copied(copied):
    source = source_of(5, copied)
    store = of_source(source)
    plain = Store.of_sections([("c", [source.entity(row) for row in range(5)])])
    source.decoded.clear()
    assert reddb.dumps(store) == reddb.dumps(plain)
    assert source.decoded == ([] if copied else [0, 1, 2, 3, 4])
    assert store == plain
    assert store.to_json() == plain.to_json()
    source.decoded.clear()
    entities = store.collections["c"]
    assert entities[3] is entities[3]
    assert entities[-1].id == 4
    assert source.decoded == [3, 4]
    entities[3].id = 77
    plain.collections["c"][3].id = 77
    assert reddb.dumps(store) == reddb.dumps(plain)


def test_entities_are_a_list():
    store = of_source(source_of(6))
    entities, want = store.collections["c"], [0, 1, 2, 3, 4, 5]
    new = [Entity(number, GraphNode(""), NodeData()) for number in (70, 71, 72)]
    entities.append(new[0])
    want.append(70)
    del entities[1], want[1]
    entities.insert(0, new[1])
    want.insert(0, 71)
    entities[2] = new[2]
    want[2] = 72
    entities[4:5] = []
    del want[4:5]
    entities.reverse()
    want.reverse()
    assert [entity.id for entity in entities] == want
    assert [entity.id for entity in entities[1:4]] == want[1:4]
    assert [entity.id for entity in dump.parse(reddb.dumps(store)).collections["c"]] == want
    assert new[0] in entities
    assert entities.pop().id == want.pop()
    assert len(entities) == len(want)
    assert repr(entities) == f"<{len(want)} entities>"
    for wrong in (lambda: entities.__setitem__(0, 5), lambda: entities.insert(0, 5)):
        with pytest.raises(TypeError, match="holds entities, not int"):
            wrong()
    with pytest.raises(TypeError, match="holds entities, not str"):
        entities[0:1] = ["x"]
    with pytest.raises(IndexError):
        entities[99]
    plain = Store()
    plain.collections["c"] = list(entities)
    assert reddb.dumps(plain) == reddb.dumps(store)
    assert plain == store


# -- saving -------------------------------------------------------------------------------------


def test_save_keeps_mode_and_follows_links(tmp_path):
    path, link = tmp_path / "a.b.rdst", tmp_path / "link"
    reddb.save(people(), path)
    assert path.read_bytes() == EXAMPLE
    path.chmod(0o640)
    link.symlink_to(path)
    reddb.save(Store(), link)
    assert link.is_symlink()
    assert path.read_bytes() == reddb.dumps(Store())
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(child.name for child in tmp_path.iterdir()) == ["a.b.rdst", "link"]


def test_save_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reddb.save(people(), "x.rdst")
    assert reddb.load("x.rdst") == people()


def test_save_over_the_file_that_is_read(tmp_path):
    path = tmp_path / "x.rdst"
    path.write_bytes(EXAMPLE)
    store = reddb.load(path)
    store.collections["people"][0].id = 5
    reddb.save(store, path)
    assert reddb.load(path).collections["people"][0].id == 5


class Full(Exception):
    pass


@pytest.mark.parametrize("step", ["write", "fsync", "replace", "value", "interrupt"])
def test_a_save_that_fails_changes_nothing(step, tmp_path, monkeypatch):
    path = tmp_path / "x.rdst"
    path.write_bytes(b"old")
    store, error = people(), Full

    def fail(*args):
        raise KeyboardInterrupt if step == "interrupt" else Full

    if step == "write":
        monkeypatch.setattr(dump, "_write_whole", fail)
    elif step in ("fsync", "interrupt"):
        monkeypatch.setattr(os, "fsync", fail)
        error = KeyboardInterrupt if step == "interrupt" else Full
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        store.collections["people"][0].data.properties["zeta"] = object()
        error = GraphError
    with pytest.raises(error):
        reddb.save(store, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_large_stores_are_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(dump, "_PIECE", 64)
    store = Store.of_sections(
        (name, [Entity(n, GraphNode("x" * n), NodeData()) for n in range(50)]) for name in "abc"
    )
    store.cross_refs = [reddb.StoreReference(n, n, 0, "a") for n in range(50)]
    store.aux_metadata = bytes(200)
    reddb.save(store, tmp_path / "x")
    monkeypatch.undo()
    assert (tmp_path / "x").read_bytes() == reddb.dumps(store)
    assert reddb.load(tmp_path / "x") == store


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda e: setattr(e, "id", 2**64),
            "collection 'people', entity 0: id: 18446744073709551616",
        ),
        (lambda e: setattr(e, "id", -1), "id: -1"),
        (lambda e: setattr(e, "id", True), "id: expected int, found bool"),
        (lambda e: setattr(e, "kind", None), "kind is a NoneType, not one of TableRow"),
        (lambda e: setattr(e, "data", {}), "data is a dict, not one of RowData"),
        (lambda e: setattr(e.kind, "label", b"x"), "label: expected str, found bytes"),
        (lambda e: e.data.properties.update(x=2**64), "value of 'x': integer|unsigned"),
        (lambda e: e.data.properties.update({5: 1}), "property key: expected str"),
        (lambda e: e.data.properties.update({"\ud800": 1}), "property key: a lone surrogate"),
        (lambda e: e.metadata.update(x=2**63), "metadata int: 9223372036854775808"),
        (lambda e: e.metadata.update(x=(1,)), "metadata: no tag for a tuple"),
        (
            lambda e: setattr(e, "data", reddb.EdgeData(0.1)),
            r"exactly a float32; numpy.float32\(0.1\)",
        ),
        (lambda e: setattr(e, "data", reddb.EdgeData(1e300)), "exactly a float32"),
        (lambda e: setattr(e, "data", reddb.TimeSeriesData("m", 0, 2**53 + 1)), "exactly a float"),
        (lambda e: setattr(e, "data", reddb.TimeSeriesData("m", 0, 1.0, {"a": 1})), "expected str"),
        (lambda e: setattr(e, "data", reddb.QueueData(priority=2**31)), "priority: 2147483648"),
        (lambda e: setattr(e, "data", reddb.QueueData(acked=1)), "acked: expected bool"),
        (lambda e: setattr(e, "data", reddb.VectorData([1.0])), "dense: expected ndarray"),
        (lambda e: e.embeddings.append(reddb.Embedding("a", np.zeros(1), "m")), "float32 array"),
        (lambda e: e.cross_refs.append(reddb.CrossReference(1, 2, 256)), "ref_type: 256"),
    ],
)
def test_what_cannot_be_stored_is_refused(change, message):
    store = people()
    change(store.collections["people"][0])
    with pytest.raises(GraphError, match=message) as caught:
        reddb.dumps(store)
    assert str(caught.value).startswith("collection 'people', entity 0: ")


def test_what_cannot_be_stored_beside_entities():
    store = people()
    store.cross_refs = [reddb.StoreReference(1, 2, 3, "a"), reddb.StoreReference(1, -2, 3, "a")]
    with pytest.raises(GraphError, match="cross-reference 1: target: -2"):
        reddb.dumps(store)
    store = people()
    store.aux_metadata = "text"
    with pytest.raises(GraphError, match="aux: expected bytes"):
        reddb.dumps(store)
    store = people()
    store.collections["\ud800"] = []
    with pytest.raises(GraphError, match="surrogate"):
        reddb.dumps(store)
    store = Store()
    store.collections["c"] = [5]
    with pytest.raises(GraphError, match="collection 'c', entity 0: item: expected Entity"):
        reddb.dumps(store)


class Long(bytes):
    """Bytes that say they are longer than 32 bits can tell."""

    def __len__(self):
        return 1 << 32


class LongList(list):
    def __len__(self):
        return 1 << 32


def test_lengths_beyond_32_bits_are_refused(tmp_path):
    path = tmp_path / "x.rdst"
    cases = [
        lambda s: setattr(s.collections["people"][0], "cross_refs", LongList()),
        lambda s: setattr(s, "aux_metadata", Long()),
        lambda s: setattr(s.collections["people"][0].data, "properties", {"a": vt_long()}),
        lambda s: setattr(s, "cross_refs", LongList()),
    ]
    for change in cases:
        store = people()
        change(store)
        with pytest.raises(LimitError, match="4294967296 does not fit in the 32 bits"):
            reddb.save(store, path)
        assert not path.exists()


def vt_long():
    class LongJson(vt.Json):
        def __len__(self):
            return 1 << 32

    from nkgraph.storage.reddb import values

    values.BY_TYPE.setdefault(LongJson, values.BY_NAME["json"])
    return LongJson()


def test_depth_when_saving(tmp_path):
    nested = []
    for _ in range(299):
        nested = [nested]
    store = people()
    store.collections["people"][0].data.properties["x"] = nested
    with pytest.raises(LimitError, match="entity 0: value of 'x': arrays are more than 256 deep"):
        reddb.save(store, tmp_path / "x")
    reddb.save(store, tmp_path / "x", Limits(depth=300))
    with pytest.raises(LimitError, match="entity 0: value of 'x' at byte"):
        reddb.load(tmp_path / "x")
    back = reddb.load(tmp_path / "x", Limits(depth=300))
    assert reddb.dumps(back, Limits(depth=300)) == (tmp_path / "x").read_bytes()


def test_save_keeps_a_mode_wider_than_new_files_get(tmp_path):
    path = tmp_path / "x"
    reddb.save(people(), path)
    for mode in (0o666, 0o600, 0o444):
        path.chmod(mode)
        reddb.save(people(), path)
        assert stat.S_IMODE(path.stat().st_mode) == mode


# -- JSON ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, "store: expected dict"),
        ({}, "there is no 'collections'"),
        ({"collections": [{"name": "a", "entities": [{}]}]}, "collection 'a', entity 0"),
        ({"version": 11}, "there is no version 11"),
        ({"aux": "x"}, "hexadecimal"),
    ],
)
def test_json_that_is_no_store(item, message):
    if isinstance(item, dict) and item and "collections" not in item:
        item = {**Store().to_json(), **item}
    with pytest.raises(GraphError, match=message):
        reddb.from_json(item)
