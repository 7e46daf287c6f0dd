"""Dumps as graphs: against a slow twin that walks the entities of a store one by one."""

import datetime as dt
import ipaddress
import json
import random
import struct
import uuid
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reddb_graph_twin import (
    FILES,
    FOLDER,
    NAMES,
    Twin,
    check,
    compare,
    graph_of,
    rows_of,
)
from reddb_strategies import PROPERTIES, SINGLES, VALUES, stores
from test_reddb_damage import changed, content_of, sealed
from test_reddb_index import framed

from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.storage import reddb
from nkgraph.storage import values as kinds
from nkgraph.storage.reddb import Limits, graph_columns, layout
from nkgraph.storage.reddb import metadata as meta
from nkgraph.storage.reddb import value_types as vt
from nkgraph.storage.reddb import varint as numbers
from nkgraph.storage.reddb.dump import parse
from nkgraph.storage.reddb.graph import to_graph
from nkgraph.storage.reddb.index import index
from nkgraph.storage.reddb.values import write_value

# -- recorded files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["v10_graph", "v10_multi_graph", "v06_graph"])
@pytest.mark.parametrize("cross_references", [False, True])
def test_recorded_graphs(name, cross_references):
    recorded = json.loads((FOLDER / f"{name}.expected.json").read_text())["file"]
    twin = Twin(reddb.from_json(recorded), cross_references=cross_references)
    data = (FOLDER / f"{name}.rdst").read_bytes()
    graph, remarks = graph_of(data, cross_references=cross_references)
    compare(graph, twin)
    assert len(remarks) == twin.left_out
    assert graph.edge_count > 10


@pytest.mark.parametrize("path", FILES, ids=NAMES)
@pytest.mark.parametrize("resolve", ["id", "logical", "label"])
def test_recorded_files(path, resolve):
    check(path.read_bytes(), resolve=resolve, cross_references=True)


def test_a_recorded_graph_in_plain_words():
    graph, remarks = check((FOLDER / "v10_multi_graph.rdst").read_bytes())
    assert graph.node_types == {"host": 4, "person": 5}
    assert graph.titles(graph.find("person", [1636, 1637])).tolist() == ["p0", "p1"]
    assert [remark.problem for remark in remarks] == [
        "'p0' names no node: it is left out",
        "'999999' names no node: it is left out",
        "'' names no node: it is left out",
    ]
    assert remarks[0].field == "collection 'links', entity 12: from_node"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_changed_files(path):
    rng = random.Random(path.stem)
    content = content_of(path)
    for _ in range(12 if len(content) < 4000 else 3):
        data = sealed(changed(rng, content))
        try:
            store = parse(data)
        except (FormatError, LimitError):
            continue
        try:
            graph, _ = graph_of(data, cross_references=True)
        except LimitError as error:
            assert "beyond 63 bits" in str(error)  # noqa: PT017 - else it is compared
            continue
        compare(graph, Twin(store, cross_references=True))


# -- made ones ------------------------------------------------------------------------------------


def node(number, label="", kind="", **properties):
    return reddb.Entity(number, reddb.GraphNode(label, kind), reddb.NodeData(properties))


def edge(source, target, label="", stored=1.0, /, **properties):
    kind = reddb.GraphEdge(label, str(source), str(target), 1000)
    return reddb.Entity(10**6, kind, reddb.EdgeData(np.float32(stored), properties))


def dump(*entities, **more):
    store = reddb.Store()
    store.collections["c"] = reddb.Entities(entities)
    for name, held in more.items():
        store.collections[name] = reddb.Entities(held)
    return reddb.dumps(store)


def stored_kind(graph, name="v", node_type="Node"):
    return graph._nodes.tables[node_type].properties[name].read().kind


def read(data, name="v"):
    graph, _ = check(data)
    return graph, graph.read_nodes("Node")[name].tolist()


LONG = "é" * 2000
FINE = dt.datetime(2020, 1, 1, 0, 0, 0, 5000)
CASES = [
    (True, "bool", True), (-5, "int64", -5), (vt.BigInt(7), "int64", 7),
    (vt.UInt(2**63 - 1), "int64", 2**63 - 1), (vt.UInt(2**63), "text", str(2**63)),
    (vt.Phone(491234567), "int64", 491234567), (vt.Phone(2**64 - 1), "text", str(2**64 - 1)),
    (vt.Port(443), "int64", 443), (vt.EnumValue(200), "int64", 200),
    (vt.PageRef(2**32 - 1), "int64", 2**32 - 1), (1.5, "float64", 1.5), ("ä", "text", "ä"),
    (LONG, "text", LONG), (vt.NodeRef("1"), "text", "1"), (vt.EdgeRef("2"), "text", "2"),
    (vt.Email("a@b"), "text", "a@b"), (vt.Url("http://x"), "text", "http://x"),
    (vt.TableRef("t"), "text", "t"), (vt.Password("$x"), "text", "$x"),
    (vt.AssetCode("EUR"), "text", "EUR"), (dt.date(2020, 2, 29), "date", dt.date(2020, 2, 29)),
    (vt.RawDate(2**31 - 1), "date", None), (Decimal("-1.2345"), "float64", -1.2345),
    (vt.decimal_of(2**53), "float64", 2**53 / 10**4),
    (vt.decimal_of(2**53 + 1), "text", "900719925474.0993"),
    (vt.decimal_of(-(2**63)), "text", "-922337203685477.5808"),
    (vt.Latitude(-500000), "float64", -0.5), (vt.Longitude(179999999), "float64", 179.999999),
    (vt.Timestamp(86400), "timestamp", dt.datetime(1970, 1, 2)),
    (vt.Timestamp(-(2**63)), "text", str(-(2**63))),
    (dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "timestamp", dt.datetime(2020, 1, 1)),
    (dt.datetime(2020, 1, 1, 0, 0, 0, 5000, dt.UTC), "mixed", FINE),
    (dt.timedelta(days=1, seconds=-1), "mixed", kinds.Duration(0, 0, 86399)),
    (dt.timedelta(days=-2), "mixed", kinds.Duration(0, -2, 0)),
    (dt.timedelta(milliseconds=1500), "text", "PT1.5S"),
    (dt.timedelta(milliseconds=-50), "text", "PT-0.05S"),
    (vt.RawDuration(2**63 - 1), "text", "PT9223372036854775.807S"),
    (vt.GeoPoint(-1500000, 2), "mixed", {"latitude": -1.5, "longitude": 0.000002}),
    (np.array([1.5, -2], "f4"), "mixed", [1.5, -2.0]),
    ([1, "a", [True, None]], "mixed", [1, "a", [True, None]]),
    (vt.Json(b'{"b": [1, 2.5], "a": null}'), "mixed", {"a": None, "b": [1, 2.5]}),
    (vt.Json(b"12"), "int64", 12), (vt.Json(b"null"), "mixed", None),
    (vt.Json(b'{"latitude": 1.5, "longitude": 2.5}'), "mixed", {"latitude": 1.5, "longitude": 2.5}),
    (vt.Json(b'{"a": 1, "a": 2}'), "text", '{"a": 1, "a": 2}'), (vt.Json(b"NaN"), "text", "NaN"),
    (vt.Json(b"1e999"), "text", "1e999"), (vt.Json(b"{"), "text", "{"),
    (vt.Json(b"99999999999999999999"), "text", "99999999999999999999"),
    (vt.Json(b"[" * 300 + b"]" * 300), "text", "[" * 300 + "]" * 300),
    (vt.Json(b'"\\ud800"'), "text", '"\\ud800"'), (vt.Json(b"\xff\x00"), "text", "ff00"),
    (b"\x01\xfe", "text", "01fe"), (vt.Secret(b"key"), "text", "6b6579"),
    (uuid.UUID(int=5), "text", str(uuid.UUID(int=5))),
    (ipaddress.ip_address("10.0.0.1"), "text", "10.0.0.1"),
    (ipaddress.ip_address("::1"), "text", "::1"), (vt.Ipv4(1), "text", "0.0.0.1"),
    (vt.Ipv6(bytes(15) + b"\1"), "text", "::1"),
    (vt.MacAddr(b"\1\2\3\4\5\xff"), "text", "01:02:03:04:05:ff"),
    (vt.Color(b"\1\2\xff"), "text", "#0102FF"), (vt.ColorAlpha(b"\1\2\xff\0"), "text", "#0102FF00"),
    (vt.Semver(1002003), "text", "1.2.3"), (vt.Cidr(10 << 24, 8), "text", "10.0.0.0/8"),
    (vt.Subnet(10 << 24, 255 << 24), "text", "10.0.0.0/255.0.0.0"),
    (dt.time(1, 2, 3, 4000), "text", "01:02:03.004"),
    (vt.RawTime(90_000_000), "text", "25:00:00.000"),
    (vt.Country2(b"DE"), "text", "DE"), (vt.Country3(b"DEU"), "text", "DEU"),
    (vt.Lang2(b"de"), "text", "de"), (vt.Lang5(b"de-AT"), "text", "de-AT"),
    (vt.Currency(b"EUR"), "text", "EUR"), (vt.VectorRef("c", 5), "text", "c#5"),
    (vt.RowRef("c", 5), "text", "c#5"), (vt.DocRef("c", 5), "text", "c#5"),
    (vt.KeyRef("c", "k"), "text", "c:k"), (vt.Money("EUR", 2, 1234), "text", "12.34 EUR"),
    (None, "mixed", None),
]  # fmt: skip


def test_every_code_has_a_case():
    from nkgraph.storage.reddb.values import type_of

    assert {type_of(value).name for value, _, _ in CASES} == {each.name for each in layout.VALUES}


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    CASES,
    ids=[f"{type(c[0]).__name__}-{i}" for i, c in enumerate(CASES)],
)
def test_values(value, kind, wanted):
    """Alone, with an absent one, and in a column of other kinds."""
    graph, found = read(dump(node(1, v=value)))
    assert stored_kind(graph) == kind
    if wanted is not None:
        assert found == [wanted]
    _, more = read(dump(node(1, v=value), node(2), node(3, v=value), node(4, v=None)))
    assert more[0::2] == found * 2
    assert more[1] is None or more[1] == 0 or not graph.read_nodes("Node")["v"].valid
    mixed, _ = check(dump(node(1, v=value), node(2, v="text"), node(3, v=7), node(4, v=[1])))
    stored = rows_of(mixed._nodes.tables["Node"].properties["v"], 4)
    alone = rows_of(graph._nodes.tables["Node"].properties["v"], 1)
    assert stored[0] == alone[0]


def test_absent_values():
    graph, _ = check(dump(node(1, a=1, b="x", c=True), node(2), node(3, a=None, b="", c=False)))
    table = graph.read_nodes("Node")
    assert table["a"].valid.tolist() == [True, False, False]
    assert table["b"].valid.tolist() == [True, False, True]
    assert table["c"].values.tolist() == [True, False, False]


def test_arrays_too_deep_for_a_graph_are_remarked():
    value = [1]
    for _ in range(150):
        value = [value]
    graph, remarks = check(dump(node(1, v=value), node(2, v=[2])))
    assert graph.read_nodes("Node")["v"].tolist() == [None, [2]]
    assert "deep: it is left out" in remarks[0].problem


REPEATED = [
    ("first", "second"), ("longer than the second", "x"), (1, None), (None, 1), (1, "x"), (1.5, 2),
    (True, False), (dt.date(2020, 1, 1), "x"), (LONG, "x"), ("x", LONG), ([1], [2]), (5, 6),
]  # fmt: skip


def raw_entities(*entities):
    """A dump of version 6: (kind, data with properties of pairs) as bytes."""
    out = bytearray(b"RDST\6\0\0\0\1\1c")
    numbers.write(out, len(entities))
    for number, (kind, tag, pairs) in enumerate(entities):
        numbers.write(out, number)
        out += kind + tag
        numbers.write(out, len(pairs))
        for key, value in pairs:
            numbers.write(out, len(key))
            out += key.encode()
            write_value(out, value)
        out += bytes(5)
    return sealed(bytes(out))


@pytest.mark.parametrize("pair", REPEATED, ids=range(len(REPEATED)))
@pytest.mark.parametrize("key", ["k", "weight"])
def test_repeated_keys(key, pair):
    """The last value counts, whatever was before it, and other rows are not touched."""
    edge_kind = b"\2\1R\1\x30\1\x30" + bytes(4)
    twice = [(key, pair[0]), ("z", 1), (key, pair[1]), ("y", "text")]
    once = [(key, pair[1]), ("y", "more")]
    data = raw_entities(
        (b"\1\1a\0", b"\1", once), (b"\1\1b\0", b"\1", twice), (b"\1\1c\0", b"\1", once),
        (edge_kind, b"\1", once), (edge_kind, b"\1", twice), (edge_kind, b"\1", []),
    )  # fmt: skip
    graph, _ = check(data)
    assert (graph.node_count, graph.edge_count) == (3, 3)


def test_an_id_in_metadata_that_comes_twice():
    key = b"\x0a\0\0\0nkgraph.id"
    whole = lambda number: b"\2" + number.to_bytes(8, "little")  # noqa: E731
    text = b"\4\2\0\0\0ab"
    entity = bytes.fromhex("8008 01 01 61 00 01 00 00 00 00 00 00 00 00 00")
    for values, wanted in [
        ((whole(5), whole(6)), 6),
        ((whole(5), text), "ab"),
        ((text, b"\0"), 1024),
    ]:
        block = b"\2\0\0\0" + b"".join(key + value for value in values)
        graph, _ = check(framed(entity, block))
        assert graph.ids(graph.nodes()).tolist() == [wanted]


def test_names_that_a_graph_does_not_take():
    data = dump(node(1, **{"": 1, "__id__": 2, "ok": 3}), edge(1, 1, **{"": 1, "__id__": 2}))
    graph, remarks = check(data)
    assert list(graph.read_nodes("Node")) == ["ok"]
    assert list(graph.read_edges("EDGE")) == ["__id__", "weight"]
    fields = [remark.field for remark in remarks]
    assert fields == [
        "property '' of 'Node'",
        "property '__id__' of 'Node'",
        "property '' of 'EDGE'",
    ]


def test_values_that_were_counted_twice(monkeypatch):
    """The second row finds no room for its second key, and is surveyed again."""
    monkeypatch.setattr(graph_columns, "_FIRST_ROOM", 1)
    graph, _ = check(dump(node(1, a=1), node(2, a=2, b=1), node(3)))
    assert graph.read_nodes("Node")["a"].valid.tolist() == [True, True, False]


def test_types_without_a_name():
    data = dump(
        node(1, "a"), node(2, "b", "Node"), node(3, "c", "Other"), node(4, "d"),
        edge(1, 2), edge(2, 3, "EDGE"), edge(3, 4, "EDGE!"), edge(4, 1),
    )  # fmt: skip
    graph, _ = check(data)
    assert graph.node_types == {"Node": 3, "Other": 1}
    assert graph.connection_types == {"EDGE": 3, "EDGE!": 1}


def test_weights():
    tenth = 0.1
    data = dump(
        node(1),
        edge(1, 1, "A", 0.5), edge(1, 1, "A", tenth), edge(1, 1, "A", 2, weight=tenth),
        edge(1, 1, "B", 2, weight=7), edge(1, 1, "B", 3),
        edge(1, 1, "C", 2, weight=None), edge(1, 1, "C", float("nan")),
        reddb.Entity(9, reddb.GraphEdge("D", "1", "1", 1234), reddb.NodeData({"p": 1})),
        reddb.Entity(9, reddb.GraphEdge("D", "1", "1", 2**32 - 1), reddb.NamedRowData({"p": 1})),
        reddb.Entity(9, reddb.GraphEdge("D", "1", "1", 0), reddb.RowData([5])),
        reddb.Entity(9, reddb.GraphEdge("E", "1", "1", 1234), reddb.NodeData({"weight": "heavy"})),
        reddb.Entity(9, reddb.GraphEdge("E", "1", "1", 1500), reddb.NodeData({})),
    )  # fmt: skip
    graph, remarks = check(data)
    read_weights = lambda name: graph.read_edges(name)["weight"].tolist()  # noqa: E731
    assert read_weights("A") == [0.5, float(np.float32(tenth)), tenth]
    assert read_weights("B") == [7, 3.0]
    assert graph.read_edges("C")["weight"].valid.tolist() == [False, True]
    assert read_weights("D") == [1.234, 4294967.295, 0.0]
    assert read_weights("E") == ["heavy", 1.5]
    assert [remark.problem for remark in remarks] == ["of kind row: it is left out"]


def test_data_of_another_kind():
    data = dump(
        reddb.Entity(1, reddb.GraphNode("a"), reddb.EdgeData(np.float32(3), {"p": 1})),
        reddb.Entity(2, reddb.GraphNode("b"), reddb.NamedRowData({"p": 2})),
        reddb.Entity(3, reddb.GraphNode("c"), reddb.QueueData("payload")),
    )
    graph, remarks = check(data)
    assert graph.read_nodes("Node")["p"].tolist()[:2] == [1, 2]
    assert [(remark.offset > 0, remark.problem) for remark in remarks] == [
        (True, "of kind edge: its weight is left out"),
        (True, "of kind queue_message: it is left out"),
    ]


# -- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["01", "+1", " 1", "1 ", "1.0", "0x1", "", "-1", "18446744073709551616", "1e0", "¹", "9" * 30],
)
def test_ends_are_compared_as_text(text):
    nodes = [node(1), node(2**63 - 1), node(0)]
    graph, remarks = check(dump(*nodes, edge(1, text), edge(text, 2**63 - 1)))
    assert graph.edge_count == 0
    assert [remark.field.rsplit(" ")[-1] for remark in remarks] == ["to_node", "from_node"]


def test_ends_with_large_ids():
    named = node(2**64 - 1, "x")
    named.metadata = {"nkgraph.id": "top"}
    graph, remarks = check(dump(named, node(0), edge(2**64 - 1, 0), edge(0, 2**64 - 1)))
    assert (graph.edge_count, remarks) == (2, [])


def test_resolving():
    one, two = node(1, "one"), node(2, "two")
    one.logical_id, two.logical_id = 77, 2
    same = [node(5, "same"), node(6, "same")]
    for each in same:
        each.logical_id = 88
    edges = [edge(1, 77), edge("one", "two"), edge(88, 1), edge("same", 1), edge(2, 1)]
    data = dump(one, two, *same, *edges)
    assert {how: check(data, resolve=how)[0].edge_count for how in ("id", "logical", "label")} == {
        "id": 1,
        "logical": 2,
        "label": 2,
    }
    assert "'88' names more than one node" in str(check(data, resolve="logical")[1])
    assert "'same' names more than one node" in str(check(data, resolve="label")[1])
    with pytest.raises(GraphError, match="resolve is 'x'"):
        check_options(data, resolve="x")


def check_options(data, **options):
    array = np.frombuffer(data, np.uint8)
    return to_graph(array, index(array), **options)


def test_duplicate_and_ambiguous_ids():
    data = dump(
        node(1, "first", "A"), edge(1, 2), edge(2, 2), edge(3, 2),
        other=[node(1, "again", "A"), node(2, "b", "A"), node(3, "c", "A"), node(3, "c", "B")],
    )  # fmt: skip
    graph, remarks = check(data)
    assert graph.node_types == {"A": 3, "B": 1}
    assert graph.titles(graph.find("A", [1])).tolist() == ["first"]
    assert graph.edge_count == 2
    assert [remark.problem for remark in remarks] == [
        "'A' has this id already: the node is left out",
        "'3' names more than one node: it is left out",
    ]


def test_only_the_first_thousand_are_named():
    _, remarks = check(dump(node(1), *[edge(1, 2)] * 2500))
    assert len(remarks) == 1001
    assert remarks[-1].problem == "1500 more are not listed"


def versions():
    old, new, later = node(1, "old"), node(1, "new"), node(2, "later")
    (old.xmin, old.xmax), (new.xmin, new.xmax), (later.xmin, later.xmax) = (
        (0, 10),
        (10, 0),
        (20, 30),
    )
    gone = edge(1, 1)
    gone.xmin, gone.xmax = 5, 12
    message = reddb.Entity(3, reddb.GraphNode("message"), reddb.QueueData([1], 5, 6, priority=-1))
    message.embeddings = [reddb.Embedding("e", np.zeros(3, "f4"), "m")]
    message.cross_refs = [reddb.CrossReference(3, 1, 9, "other")]
    message.logical_id, message.xmin, message.xmax = 12, 7, 11
    point = reddb.Entity(4, reddb.GraphNode("point"), reddb.TimeSeriesData("m", 1, 2.0, {"a": "b"}))
    vector = reddb.Entity(5, reddb.GraphNode("vector"), reddb.VectorData(np.ones(2, "f4"), "text"))
    row = reddb.Entity(6, reddb.GraphNode("row"), reddb.RowData([1, [2, "x"], None]))
    for each in (point, vector, row):
        each.xmax = 11
    return dump(old, later, gone, edge(1, 1), message, point, vector, row, other=[new])


@pytest.mark.parametrize("snapshot", [None, 0, 4, 5, 9, 10, 11, 12, 20, 29, 30, 2**64 - 1])
def test_snapshots(snapshot):
    graph, _ = check(versions(), snapshot=snapshot)
    titles = graph.titles(graph.nodes()).tolist()
    assert ("old" in titles) == (snapshot is not None and snapshot < 10)
    assert ("message" in titles) == (snapshot is not None and 7 <= snapshot < 11)
    for name in ("point", "vector", "row"):
        assert (name in titles) == (snapshot is not None and snapshot < 11)
    assert ("later" in titles) == (snapshot is not None and 20 <= snapshot < 30)


@pytest.mark.parametrize("snapshot", [-1, 2**64, "1", 1.0, True])
def test_snapshots_that_are_none(snapshot):
    with pytest.raises(GraphError, match="snapshot is"):
        check_options(versions(), snapshot=snapshot)


# -- external ids ---------------------------------------------------------------------------------


def with_id(entity, key, **more):
    entity.metadata = {"a": [1, {"b": [meta.Targets((meta.Target("node", "c", 1),))]}], **more}
    entity.metadata["nkgraph.id"] = key
    entity.metadata["z"] = {"k": meta.Geo(1.0, 2.0), "l": b"x", "m": meta.Instant(5), "n": None}
    return entity


@pytest.mark.parametrize(
    "keys",
    [
        [5, -7, 2**63 - 1], ["a", "", "ä"], ["a", 5, "5"], [1.5, True, None], [5, 5, "a"],
        ["a", "a", "b"], [[5], {"nkgraph.id": 5}, b"5"], [meta.Instant(5), 1, 2],
    ],
)  # fmt: skip
def test_external_ids_in_metadata(keys):
    held = [with_id(node(1024 + row), key) for row, key in enumerate(keys)]
    graph, remarks = check(dump(*held, node(7), edge(1024, 1025), edge(1026, 7)))
    assert graph.node_count + len(remarks) >= 4


def test_ids_beyond_63_bits():
    with pytest.raises(
        LimitError, match=r"x\.rdst: collection 'c', entity 1: id 9223372036854775808"
    ):
        graph_of(dump(node(1), node(2**63)))


def test_metadata_of_early_versions_is_none():
    graph, _ = check((FOLDER / "v06_graph.rdst").read_bytes())
    assert graph.ids(graph.nodes())[0] >= 1024


# -- references -----------------------------------------------------------------------------------


def test_references():
    ref = reddb.CrossReference
    one, two = node(1), node(2)
    one.cross_refs = [
        ref(1, 2, 12, "c", np.float32(0.25)), ref(1, 2, 12, "c", np.float32(9)),
        ref(1, 2, 8, "c", np.float32(1)), ref(1, 3, 9, "c", np.float32(1)),
        ref(1, 99, 9, "c", np.float32(1)), ref(2, 1, 77, "c", np.float32(2)),
    ]  # fmt: skip
    row = reddb.Entity(3, reddb.TableRow("t"), reddb.RowData([]))
    row.cross_refs = [ref(3, 1, 0, "c", np.float32(1))]
    joined = edge(1, 2)
    joined.cross_refs = [ref(10**6, 1, 10, "c", np.float32(1)), ref(1, 2, 10, "c", np.float32(1))]
    store = reddb.Store()
    store.collections["c"] = reddb.Entities([one, two, row, joined])
    store.cross_refs = [
        reddb.StoreReference(1, 2, 12, "c"), reddb.StoreReference(2, 1, 11, "c"),
        reddb.StoreReference(50, 1, 11, "c"), reddb.StoreReference(10**6, 1, 10, "c"),
    ]  # fmt: skip
    graph, remarks = check(reddb.dumps(store), cross_references=True)
    assert graph.connection_types == {
        "Contains": 1, "EDGE": 1, "Mentions": 1, "RelatedTo": 1, "SimilarTo": 1,
    }  # fmt: skip
    assert graph.read_edges("Contains")["weight"].tolist() == [0.25]
    assert [remark.problem for remark in remarks] == [
        "no entity has the id 99: the reference is left out",
        "no entity has the id 50: the reference is left out",
    ]
    assert remarks[0].field == "cross-reference target"


# -- whatever there is ----------------------------------------------------------------------------

SMALL_IDS = st.integers(0, 5)
TYPES = st.sampled_from(
    ["", "Node", "EDGE", "a", "longer than eight bytes", "longer than eight byt€s"]
)
KEYS = st.dictionaries(st.sampled_from(["weight", "v", "w", "weigh", "x" * 20]), VALUES, max_size=4)
NODES = st.builds(
    reddb.Entity,
    SMALL_IDS,
    st.builds(reddb.GraphNode, TYPES, TYPES),
    st.builds(reddb.NodeData, KEYS | PROPERTIES) | st.builds(reddb.NamedRowData, KEYS),
    metadata=st.fixed_dictionaries(
        {}, optional={"nkgraph.id": SMALL_IDS | TYPES | st.booleans(), "a": st.lists(TYPES)}
    ),
    xmax=st.sampled_from([0, 0, 0, 3]),
)
EDGES = st.builds(
    reddb.Entity,
    SMALL_IDS,
    st.builds(reddb.GraphEdge, TYPES, SMALL_IDS.map(str), SMALL_IDS.map(str), SMALL_IDS),
    st.builds(reddb.EdgeData, SINGLES, KEYS | PROPERTIES) | st.builds(reddb.NodeData, KEYS),
    xmin=st.sampled_from([0, 0, 2]),
)


@given(st.lists(NODES | EDGES, max_size=12), st.sampled_from([None, 1, 2, 3]))
def test_any_graphs(entities, snapshot):
    check(dump(*entities), snapshot=snapshot)


@given(stores())
def test_any_stores(store):
    data = reddb.dumps(store)
    try:
        check(data, cross_references=True, resolve="label")
    except LimitError as error:
        assert "beyond 63 bits" in str(error)  # noqa: PT017 - what else is legal


@pytest.mark.parametrize("room", [1, 2, 16])
def test_many_types_and_keys(room, monkeypatch):
    """More than the first tables hold, whichever is full first."""
    monkeypatch.setattr(graph_columns, "_FIRST_ROOM", room)
    rng = random.Random(room)
    held = []
    for row in range(150):
        properties = {f"k{rng.randrange(60)}": rng.randrange(100) for _ in range(3)}
        held.append(node(row, f"n{row}", f"t{rng.randrange(row // 3 + 1)}", **properties))
        held.append(edge(row, 7, f"e{rng.randrange(row // 2 + 1)}", row, **{f"k{row}": "x"}))
        held.append(edge(row, 7, "", row, **{f"k{row // 4}": "x", "weight": row}))
    check(dump(*held))


def test_too_sparse_for_a_graph(monkeypatch):
    monkeypatch.setattr(graph_columns, "_ALWAYS", 0)
    data = dump(*[node(row, **{f"k{row}": 1}) for row in range(2000)])
    with pytest.raises(LimitError, match="2000 properties of 2000 nodes need"):
        graph_of(data)


def test_bits_of_floats():
    bits = [0x7FF0000000000001, 0xFFF8000000000000, 1 << 63, 1]
    values = [struct.unpack("<d", each.to_bytes(8, "little"))[0] for each in bits]
    graph, _ = check(dump(*[node(row, v=value) for row, value in enumerate(values)]))
    assert graph.read_nodes("Node")["v"].values.view("u8").tolist() == bits


def test_limits_are_those_of_the_index():
    value = [1]
    for _ in range(300):
        value = [value]
    store = reddb.Store()
    store.collections["c"] = reddb.Entities([node(1, v=value), node(2, v=1)])
    data = np.frombuffer(reddb.dumps(store, Limits(depth=400)), np.uint8)
    graph, remarks = to_graph(data, index(data, limits=Limits(depth=400)))
    assert graph.read_nodes("Node")["v"].tolist() == [None, 1]
    assert len(remarks) == 1
