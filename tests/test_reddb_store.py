"""Stores over the bytes of a dump: the same as reading it whole, and cheap to save again."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import reddb_strategies as some
from hypothesis import given, settings
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.storage import reddb
from nkgraph.storage.reddb import Entity, GraphNode, NodeData, dump

FOLDER = Path(__file__).parent / "data" / "reddb"
FILES = sorted(FOLDER.glob("*.rdst"))
NAMES = [path.stem for path in FILES]


def node(number, **properties):
    return Entity(number, GraphNode(f"n{number}", "N"), NodeData(properties), sequence_id=number)


def nodes(count):
    return [node(1024 + number, age=number, name="x" * number) for number in range(count)]


def written(entities):
    """What is saved of the entities, from Python objects alone."""
    return reddb.dumps(reddb.Store({"c": reddb.Entities(list(entities))}))


@pytest.fixture
def stored():
    """A store over bytes, of twenty nodes."""
    return reddb.loads(written(nodes(20)))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_recorded_files(path):
    wanted = dump.parse(path.read_bytes(), path)
    store = reddb.load(path)
    assert store.to_json() == json.loads(path.with_suffix(".expected.json").read_text())["file"]
    assert store.remarks == wanted.remarks
    assert store == wanted
    assert store.kind_counts() == wanted.kind_counts()
    assert reddb.dumps(store) == reddb.dumps(reddb.load(path)) == reddb.dumps(wanted)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_strict_reading(path):
    wanted = dump.parse(path.read_bytes(), path).remarks
    if not wanted:
        assert reddb.load(path, strict=True) == reddb.load(path)
        return
    with pytest.raises(nk.FormatError, match=r"at byte \d+"):
        reddb.load(path, strict=True)


@settings(max_examples=100)
@given(some.stores())
def test_stores_survive(store):
    data = reddb.dumps(store)
    again = reddb.loads(data)
    assert some.same(again, store)
    assert reddb.dumps(reddb.loads(data)) == data
    for entities in again.collections.values():  # every entity was asked for, and is encoded anew
        list(entities)
    assert reddb.dumps(again) == data


def test_what_a_writer_would_write_is_copied(stored, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("was encoded")

    wanted = written(nodes(20))
    with monkeypatch.context() as patch:
        patch.setattr(dump, "write_record", refuse)
        assert reddb.dumps(stored) == wanted
        stored.collections["c"][3].data.properties["age"] = 77
        with pytest.raises(AssertionError, match="was encoded"):
            reddb.dumps(stored)


@pytest.mark.parametrize("version", [6, 9])
def test_older_versions_are_encoded_anew(version):
    path = FOLDER / f"v{version:02}_kinds.rdst"
    again = reddb.loads(reddb.dumps(reddb.load(path)))
    assert again == reddb.load(path)
    assert again.format_version == 10


def test_reading_an_entity_changes_nothing(stored):
    assert stored.collections["c"][4] is stored.collections["c"][4]
    assert stored.is_as_stored
    assert reddb.dumps(stored) == written(nodes(20))
    stored.collections["c"][4].updated_at = 5
    assert not stored.is_as_stored


steps = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.integers(-25, 25)),
        st.tuples(st.just("delete"), st.integers(0, 25)),
        st.tuples(st.just("change"), st.integers(0, 25)),
        st.tuples(st.just("set"), st.integers(0, 25)),
        st.tuples(st.just("look"), st.integers(0, 25)),
        st.tuples(st.just("cut"), st.integers(0, 25)),
        st.tuples(st.just("reverse"), st.just(0)),
    ),
    max_size=8,
)


def edit(entities, step, at):
    """Do one step, to a list or to Entities; a row that is not there does nothing."""
    if step == "insert":
        entities.insert(at, node(9000 + at))
    elif step == "reverse":
        entities.reverse()
    elif step == "cut":
        entities[at : at + 2] = [node(7000)]
    elif at < len(entities):
        if step == "delete":
            del entities[at]
        elif step == "set":
            entities[at] = node(8000 + at)
        elif step == "look":
            assert entities[at].id
        else:
            entities[at].data.properties["age"] = -1


@given(steps)
def test_edits_are_those_of_a_list(program):
    store, twin = reddb.loads(written(nodes(12))), nodes(12)
    for step, at in program:
        edit(store.collections["c"], step, at)
        edit(twin, step, at)
    assert reddb.dumps(store) == written(twin)
    assert [e.id for e in store.collections["c"]] == [e.id for e in twin]
    assert store.kind_counts() == {"c": {"graph_node": len(twin)} if twin else {}}


def test_a_replaced_file_does_not_change_the_store(tmp_path):
    path = tmp_path / "a.rdst"
    path.write_bytes(written(nodes(5)))
    store = reddb.load(path)
    reddb.save(reddb.Store(), path)
    assert [e.id for e in store.collections["c"]] == [1024, 1025, 1026, 1027, 1028]
    reddb.save(store, path)  # over the file that is mapped, or was
    assert path.read_bytes() == written(nodes(5))


def test_references_are_decoded_when_they_are_asked_for():
    path = FOLDER / "v10_loader.rdst"
    store = reddb.load(path)
    wanted = dump.parse(path.read_bytes()).cross_refs
    assert store.cross_refs == wanted
    assert store.cross_refs is store.cross_refs
    assert store.is_as_stored
    store.cross_refs.append(dataclasses.replace(wanted[0], source=99))
    assert not store.is_as_stored
    assert reddb.loads(reddb.dumps(store)).cross_refs == [*wanted, store.cross_refs[-1]]


def test_limits():
    data = written([node(1024, name="x" * 100, deep=[[1]])])
    for limits, name in (
        (reddb.Limits(value_bytes=99), "value_bytes"),
        (reddb.Limits(depth=1), "depth"),
    ):
        with pytest.raises(nk.LimitError, match=name):
            reddb.loads(data, limits)
    packed = written([node(1024, name="x" * 5000)])
    with pytest.raises(nk.LimitError, match="total_bytes"):
        reddb.loads(packed, reddb.Limits(total_bytes=4999))
    assert reddb.loads(packed, reddb.Limits(total_bytes=5000)).to_json()


def test_graphs_become_stores_whose_entities_can_be_edited():
    g = nk.Graph()
    towns = g.add_nodes("Town", ["Bern", "Chur"], {"height": [540, 593]})
    g.add_edges("ROAD", towns[:1], towns[1:], {"weight": [0.5]})
    store = reddb.from_graph(g, "places", now=7)
    assert store.kind_counts() == {"places": {"graph_node": 2, "graph_edge": 1}}
    places = store.collections["places"]
    assert [e.created_at for e in places.decoded()] == [7, 7, 7]
    data = reddb.dumps(store)
    places[1].data.properties["height"] = 600
    again = reddb.loads(reddb.dumps(store)).to_graph()
    assert again.read_nodes("Town")["height"].values.tolist() == [540, 600]
    assert again.ids(again.nodes()).tolist() == ["Bern", "Chur"]
    assert reddb.dumps(reddb.from_graph(g, "places", now=7)) == data


def test_is_dump(tmp_path):
    assert reddb.is_dump(FILES[0])
    assert not reddb.is_dump(tmp_path)
    assert not reddb.is_dump(tmp_path / "nothing")
    (tmp_path / "text").write_text("RDS")
    assert not reddb.is_dump(tmp_path / "text")


def test_bytes_in_any_form():
    data = written(nodes(3))
    for form in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        assert len(reddb.loads(form).collections["c"]) == 3
