"""Graphs as records of a dump, against a slow twin that was written from the format alone."""

import datetime
import struct
from itertools import pairwise

import numpy as np
import pytest
import reddb_twin as twin
from hypothesis import given, settings
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.errors import GraphError, LimitError
from nkgraph.storage import reddb
from nkgraph.storage.columns import FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.reddb import dump, encode, layout
from nkgraph.storage.reddb.encode import encode_graph
from nkgraph.storage.text import TextArray
from nkgraph.storage.values import Duration, Values

WORKED_EXAMPLE = """
52 44 53 54 0A 00 00 00 01 06 70 65 6F 70 6C 65 01 3B 00 00 00 52 45 52 31 2F 00 00 00 80 08 01
03 61 6E 6E 06 70 65 72 73 6F 6E 01 01 03 61 67 65 02 1E 00 00 00 00 00 00 00 80 E2 CF AA 06
80 E2 CF AA 06 00 00 00 01 80 08 00 00 00 00 00 00 00 00 00 00 00 B7 C1 81 4C
"""


def cut(found):
    edges = found.record_at.tolist()
    assert edges[0] == 0
    assert edges[-1] == found.data.size
    data = found.data.tobytes()
    return [data[start:stop] for start, stop in pairwise(edges)]


def check(graph, now=0):
    """Compare with the twin's bytes; return what the twin reads from them."""
    made = cut(encode_graph(graph, "things", now))
    expected = twin.records(graph, now)
    for at, (got, wanted) in enumerate(zip(made, expected, strict=True)):
        assert got == wanted, (at, twin.read_record(wanted))
    file = twin.whole_file("things", made)
    store = dump.parse(file, strict=True)
    assert [len(held) for held in store.collections.values()] == [len(made)]
    # every entity decoded and encoded again: the table-driven codec agrees with the kernels
    assert reddb.dumps(reddb.from_json(store.to_json())) == file
    name, entities = twin.read_file(file)
    assert name == "things"
    assert [entity["sequence_id"] for entity in entities] == list(range(len(made)))
    assert len({entity["id"] for entity in entities}) == len(made)
    assert all(entity["logical_id"] == entity["id"] >= 1024 for entity in entities)
    return entities


def test_worked_example_byte_for_byte():
    g = nk.Graph()
    g.add_nodes("person", [1024], {"age": [30]}, titles=["ann"])
    found = encode_graph(g, "people", now=1_700_000_000)
    assert twin.whole_file(found.name, cut(found)) == bytes.fromhex(WORKED_EXAMPLE)
    assert (found.node_count, found.remarks) == (1, ())


def test_empty_graph():
    found = encode_graph(nk.Graph())
    assert (found.data.size, found.record_at.tolist(), found.node_count) == (0, [0], 0)


EVERY_KIND = {
    "int": [2**63 - 1, None, -(2**63), 0],
    "float": [0.1, float("-inf"), None, -0.0],
    "bool": [True, False, None, True],
    "text": ["", "naïve 🌱\0", None, "x" * 127],
    "date": np.array(["1969-12-31", "NaT", "9999-12-31", "0001-01-01"], "M8[D]"),
    "stamp": np.array(["1969-12-31T23:59:59", "NaT", "2024-02-29", "1970-01-01"], "M8[s]"),
    "unique": FixedColumn("uniqueid", np.array([0, 1, 2**32 - 1, 7], "u4"), None),
    "list": [[], None, [1, 2.5, "x", None, True, [datetime.date(2020, 1, 2)]], ["y" * 3000]],
    "map": [{}, {"b": 1, "a": [1.0, None, "ü"]}, None, {"latitude": 1.5, "longitude": -2.0}],
    "mixed": [1, "one", 1.0, None],
    "stamps": [datetime.datetime(2024, 1, 1, 0, 0, 0, 250_000), None, 5, None],
    "span": [Duration(0, 1, 2), Duration(0, -3, 0), Duration(2, 0, 0), None],
    "none": [None] * 4,
    "ключ": [1, 2, 3, None],
}


def test_every_kind_of_column():
    g = nk.Graph()
    g.add_nodes("T", ["a", "b", "c", "d"], EVERY_KIND)
    g.add_edges("E", [0, 1, 2, 3], [3, 3, 3, 3], EVERY_KIND)
    entities = check(g, now=2**64 - 1)
    for rows in (entities[:4], entities[4:]):
        first = rows[0]["properties"]
        assert first["unique"] == (3, 0)
        assert first["stamps"] == (29, 1_704_067_200_250)
        assert first["stamp"] == (7, -1)
        assert first["date"] == (24, -1)
        assert rows[1]["properties"]["text"] == (5, "naïve 🌱\0")
        assert rows[1]["properties"]["map"] == (12, {"a": [1.0, None, "ü"], "b": 1})
        assert rows[3]["properties"]["map"] == (12, {"latitude": 1.5, "longitude": -2.0})
        assert rows[3]["properties"]["list"] == (28, [(0x85, "y" * 3000)])
        assert rows[2]["properties"]["span"][0] == 12
        assert all("none" not in row["properties"] for row in rows)
        assert "int" not in rows[1]["properties"]
    remarks = encode_graph(g).remarks
    assert {remark.field for remark in remarks} == {"T.span", "E.span"}


def test_bits_of_floats_are_kept():
    bits = np.array([0x7FF0000000000001, 0x7FF8000000000000, 0xFFF8000000000123, 1 << 63], "u8")
    g = nk.Graph()
    g.add_nodes("T", [1, 2, 3, 4], {"f": bits.view("f8")})
    made = cut(encode_graph(g))
    at = [record.index(b"\x01f\x04") + 3 for record in made]
    kept = [record[a : a + 8] for record, a in zip(made, at, strict=True)]
    assert kept == [struct.pack("<Q", value) for value in bits.tolist()]


def test_long_texts_are_compressed():
    noise = "".join(map(chr, np.random.default_rng(5).integers(33, 0x2FFF, 4000).tolist()))
    texts = ["a" * 2047, "a" * 2048, "ü" * 1023, noise, None, "b" * 100_000, "", "ü" * 1024]
    g = nk.Graph()
    g.add_nodes("T", list("abcdefgh"), {"t": texts, "z": list(range(8))})
    found = [entity["properties"] for entity in check(g)]
    codes = [row.get("t", (None,))[0] for row in found]
    assert codes == [5, 0x85, 5, 0x85, None, 0x85, 5, 0x85]
    assert [row.get("t", (0, None))[1] for row in found] == texts


def test_texts_stay_as_they_are_where_compression_does_not_shorten_them(monkeypatch):
    monkeypatch.setattr(layout, "COMPRESSED_FROM", 8)  # no text of 2048 bytes is so dense
    g = nk.Graph()
    g.add_nodes("T", [5000, 6000, 7000], {"t": ["abcdefghij", "a" * 100, "b" * 7]})
    made = cut(encode_graph(g))
    assert [record.count(head) for record, head in zip(made, (
        b"\x01t\x05\x0aabcdefghij", b"\x01t\x85\x64", b"\x01t\x05\x07bbbbbbb",
    ), strict=True)] == [1, 1, 1]  # fmt: skip


@pytest.mark.parametrize("size", [1, 127, 128, 129, 16383, 16384])
def test_lengths_at_the_steps_of_varints(size):
    g = nk.Graph()
    text = np.random.default_rng(size).bytes(size // 2 + 1).hex()[:size]
    g.add_nodes("T" * size, ["x"], {"k" * size: [text]}, titles=[text])
    g.add_edges("E" * size, [0], [0], {"k" * size: [text]})
    check(g)


@pytest.mark.parametrize("count", [0, 127, 128])
def test_counts_of_properties_at_the_steps_of_varints(count):
    g = nk.Graph()
    g.add_nodes("T", [1, 2], {f"p{i}": [i, i] for i in range(count)})
    g.add_nodes("U", [1, 2], {f"p{i}": [i, None] for i in range(count)})
    check(g)


@pytest.mark.parametrize("now", [0, 127, 128, 2**32, 2**63])
def test_now(now):
    g = nk.Graph()
    g.add_nodes("T", [1])
    assert check(g, now)[0]["created_at"] == now


def test_what_lies_under_absent_texts_is_not_written():
    text = TextArray.from_strings(["secret " * 400, "ann", "secret"])
    column = TextColumn(text, np.array([False, True, False]))
    g = nk.Graph()
    nodes = g.add_nodes("T", [5000, 6000, 7000], {"t": column})
    g.add_edges("E", nodes, nodes, {"weight": column})
    found = check(g)
    assert [row["properties"] for row in found] == [
        {}, {"t": (5, "ann")}, {},
        {"weight": (0, None)}, {"weight": (5, "ann")}, {"weight": (0, None)},
    ]  # fmt: skip
    g.add_nodes("U", [5000, 6000, 7000], titles=column)
    titled = map(twin.read_record, cut(encode_graph(g))[3:6])
    assert [row["label"] for row in titled] == ["", "ann", ""]


# -- ids, titles, labels ----------------------------------------------------------------------


def test_ids():
    g = nk.Graph()
    g.add_nodes("A", [5000, 1023, 1025, -7, 0])
    g.add_nodes("B", [5000, 1024, 2**63 - 1, -(2**63)])
    g.add_nodes("C", ["1026", "", "ü"])
    g.add_nodes("D", [1026, "mixed", 1030])
    g.add_edges("E", np.arange(15)[::-1].copy(), np.arange(15))
    entities = check(g)
    own = [entity["metadata"].get("nkgraph.id", entity["id"]) for entity in entities[:15]]
    assert own == g.ids(np.arange(15)).tolist()
    kept = [e["id"] for e in entities[:15] if "nkgraph.id" not in e["metadata"]]
    assert kept == [1025, 1024, 2**63 - 1, 1026, 1030]
    assert [e["id"] for e in entities[:4]] == [1027, 1028, 1025, 1029]
    ends = [tuple(map(int, entity["ends"])) for entity in entities[15:]]
    ids = [entity["id"] for entity in entities[:15]]
    assert ends == [(ids[14 - i], ids[i]) for i in range(15)]


def test_a_free_id_may_be_the_external_one():
    g = nk.Graph()
    g.add_nodes("A", [1024])
    g.add_nodes("B", [1024])
    entities = check(g)
    assert [(e["id"], e["metadata"]) for e in entities] == [
        (1024, {}), (1025, {"nkgraph.id": 1024}),
    ]  # fmt: skip


def test_titles():
    g = nk.Graph()
    g.add_nodes("A", [1, 2, 3], titles=["ann", None, ""])
    g.add_nodes("B", [1, 2])
    g.add_nodes("C", [1, 2, 3, 4], titles=[7, "x", None, 2.5])
    g.add_nodes("D", [1, 2], titles=[10, -3])
    entities = check(g)
    labels = [entity["label"] for entity in entities]
    assert labels == ["ann", "", "", "", "", "7", "x", "", "2.5", "10", "-3"]
    remarks = encode_graph(g).remarks
    assert [(r.field, r.problem.split()[0]) for r in remarks] == [
        ("C: titles", "2"), ("D: titles", "2"),
    ]  # fmt: skip


def test_secondary_labels():
    g = nk.Graph()
    g.add_nodes("A", [5000, 2, 3, 4])
    g.add_nodes("B", ["x", "y"])
    g.remove_nodes([2])
    g._labels = {
        "zebra": np.array([0, 1, 2], "u4"),
        "ant": np.array([1, 5], "u4"),
        "ünder": np.array([1], "u4"),
    }
    entities = check(g)
    found = [entity["metadata"].get("nkgraph.labels") for entity in entities]
    assert found == [["zebra"], ["ant", "zebra", "ünder"], None, None, ["ant"]]
    assert "nkgraph.id" not in entities[0]["metadata"]


# -- edges ------------------------------------------------------------------------------------


def weights_of(values):
    g = nk.Graph()
    g.add_nodes("T", [5000, 6000])
    g.add_edges("E", np.zeros(len(values), int), np.ones(len(values), int), {"weight": values})
    found = check(g)[2:]
    return [(e["weight"], e["kind_weight"], e["properties"].get("weight")) for e in found]


def test_weights_of_floats():
    values = [0.1, 1.0, None, float("inf"), -2.5, 1e300, 0.0, -0.0, 5e-324, 0.009, 4294967.5]
    found = weights_of(values)
    kept = [part[2] for part in found]
    assert kept == [
        (4, 0.1), None, (0, None), None, None, (4, 1e300), None, None, (4, 5e-324), (4, 0.009),
        None,
    ]  # fmt: skip
    with np.errstate(over="ignore"):
        expected = np.array([1.0 if v is None else v for v in values]).astype("f4")
    assert np.array([part[0] for part in found]).tobytes() == expected.tobytes()
    assert [part[1] for part in found] == [
        100, 1000, 1000, 2**32 - 1, 0, 2**32 - 1, 0, 0, 0, 9, 2**32 - 1,
    ]  # fmt: skip


def test_weights_that_are_not_a_number():
    (quiet,) = weights_of([float("nan")])
    assert np.isnan(quiet[0])
    assert quiet[1:] == (0, None)
    g = nk.Graph()
    g.add_nodes("T", [5000])
    odd = np.array([0x7FF0000000000001, 0x7FF8000000000001], "u8").view("f8")
    g.add_edges("E", [0, 0], [0, 0], {"weight": odd})
    found = cut(encode_graph(g))[1:]
    assert [record.count(b"\x06weight\x04") for record in found] == [1, 1]
    assert all(odd[i : i + 1].tobytes() in found[i] for i in range(2))


def test_weights_of_other_kinds():
    assert weights_of([1, 2**53 + 1, None]) == [
        (1, 1000, (2, 1)), (np.float32(2**53), 2**32 - 1, (2, 2**53 + 1)), (1, 1000, (0, None)),
    ]  # fmt: skip
    assert weights_of(["heavy", None]) == [(1, 1000, (5, "heavy")), (1, 1000, (0, None))]
    assert weights_of([None, None]) == [(1, 1000, (0, None))] * 2
    assert weights_of([0.5, 0.1, 3, "x", None]) == [
        (0.5, 500, None), (np.float32(0.1), 100, (4, 0.1)), (3, 3000, (2, 3)),
        (1, 1000, (5, "x")), (1, 1000, (0, None)),
    ]  # fmt: skip


def test_weights_of_several_types():
    g = nk.Graph()
    g.add_nodes("T", [1, 2])
    g.add_edges("A", [0, 1], [1, 0], {"weight": [2.0, 0.25]})
    g.add_edges("B", [0, 1], [1, 0], {"w": [2.0, 0.25]})
    g.add_edges("A", [0], [0])
    found = check(g)[2:]
    assert [e["weight"] for e in found] == [2, 0.25, 1, 1, 1]
    assert found[4]["properties"] == {"weight": (0, None)}


def test_parallel_edges_loops_and_types_that_take_turns():
    g = nk.Graph()
    nodes = [g.add_nodes(f"T{i % 3}", [10 * i], {f"p{i % 2}": [i]})[0] for i in range(9)]
    for i in range(30):
        ends = nodes[i % 4], nodes[i % 2]
        g.add_edges(f"E{i % 5}", [ends[0]], [ends[1]], {f"q{i % 3}": [f"v{i}"]})
    found = check(g)
    assert [e["label"] for e in found[9:]] == [f"E{i % 5}" for i in range(30)]
    assert [e["node_type"] for e in found[:9]] == [f"T{i % 3}" for i in range(9)]


def test_removed_nodes_and_edges():
    g = nk.Graph()
    a = g.add_nodes("A", np.arange(20), {"x": np.arange(20), "t": [f"a{i}" for i in range(20)]})
    b = g.add_nodes("B", [f"b{i}" for i in range(10)], {"y": [[i] for i in range(10)]})
    edges = g.add_edges(
        "E", np.repeat(a, 2), np.tile(b, 4), {"w": np.arange(40), "weight": [0.3] * 40}
    )
    g.add_edges("F", a, a)
    g.remove_edges(edges[::7])
    g.remove_nodes(np.concatenate([a[3:6], b[:2]]))
    check(g)
    g.add_nodes("B", ["again", "and again"], {"x": [1.5, None]}, titles=["t", None])
    g.update_nodes([10], {"t": ["changed"], "x": [None]})
    check(g)
    g.remove_nodes(g.nodes("A"))
    check(g)
    g.remove_nodes(g.nodes())
    assert check(g) == []


# -- other graphs -----------------------------------------------------------------------------


def test_native_graphs(tmp_path):
    with nk.create(tmp_path / "g") as g:
        g.add_nodes("T", ["a", "b", "c", "d"], EVERY_KIND, titles=["1", None, "3", "4"])
        g.add_edges("E", [0, 1, 2, 3], [3, 3, 3, 3], EVERY_KIND)
        in_memory = encode_graph(g).data.tobytes()
        g.save()
        g.add_nodes("T", [10, 11])
        g.add_edges("F", [4], [0], {"weight": [0.1]})
        g.seal()
        g.remove_edges([1])
    with nk.open(tmp_path / "g") as g:
        assert len(check(g)) == 11
        held = encode_graph(g)
    assert held.node_count == 6
    assert in_memory[:40] == held.data.tobytes()[:40]


@pytest.mark.parametrize("name", ["basic", "deleted", "recycled", "nodes_only", "seg_props_ok"])
def test_kglite_graphs(data, name):
    with nk.open(data / "kglite" / name / "graph") as g:
        check(g)


@pytest.mark.parametrize("name", ["graph_small", "graph_ldbc_mini"])
def test_sparrowdb_graphs(data, name):
    with nk.open(data / "sparrowdb" / name / "db") as g:
        assert check(g)


# -- what cannot be held ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": float("nan")}, r"T\.p: row 1: nan in a map or a point has no exact form"),
        ({"latitude": float("inf"), "longitude": 0.0}, r"T\.p: row 1: inf in a map"),
        ([{"d": datetime.date(2020, 1, 1)}], r"T\.p: row 1: a date or a timestamp in a map"),
        (datetime.datetime(2020, 1, 1, 0, 0, 0, 1), r"T\.p: row 1: timestamp '2020.*finer than"),
        ([0], r"T\.p: row 1: \d+ as date"),
    ],
)
def test_values_that_have_no_form(value, message):
    g = nk.Graph()
    if value == [0]:  # a list with a date that no user can give
        blob = struct.pack("<IQIQ", 13, 1, 5, 14) + b"+7000000-01-01"
        heap = np.frombuffer(blob[4:], np.uint8)
        held = Values(np.array([7, 13], "u1"), np.array([0, 0], "u8"), heap)
        g.add_nodes("T", [1, 2], {"p": MixedColumn(held)})
    else:
        g.add_nodes("T", [1, 2], {"p": ["x", value]})
    with pytest.raises(GraphError, match=message):
        encode_graph(g)


def test_graph_parts_as_values_are_refused():
    payload = struct.pack("<IQQ", 3, 0, 0)  # a node without labels and properties
    for tag, heap in ((10, payload), (13, struct.pack("<QI", 1, 10) + payload)):
        held = Values(np.array([tag], "u1"), np.zeros(1, "u8"), np.frombuffer(heap, "u1"))
        g = nk.Graph()
        g.add_nodes("T", [1], {"p": MixedColumn(held)})
        with pytest.raises(GraphError, match="row 0: a node has no exact form"):
            encode_graph(g)


def test_bad_arguments():
    g = nk.Graph()
    for now in (-1, 2**64):
        with pytest.raises(GraphError, match="now is"):
            encode_graph(g, now=now)
    with pytest.raises(GraphError, match="lone surrogate"):
        encode_graph(g, "\ud800")


def test_ids_of_other_kinds_are_refused(monkeypatch):
    g = nk.Graph()
    g.add_nodes("T", [1, 2])
    odd = FixedColumn("bool", np.array([True, False]), None)
    monkeypatch.setattr(g._nodes.tables["T"].ids, "read", lambda: odd)
    with pytest.raises(GraphError, match=r"T: row 0 \(node 0\): its id is neither"):
        encode_graph(g)


def test_records_beyond_the_limit(monkeypatch):
    g = nk.Graph()
    g.add_nodes("T", [1, 2, 3])
    g.add_edges("E", [0, 1], [0, 1], {"t": ["a", "b" * 500]})
    monkeypatch.setattr(encode, "MAX_COUNT", 400)
    with pytest.raises(LimitError, match="record of edge 1, of live ones, takes 5"):
        encode_graph(g)
    monkeypatch.setattr(encode, "MAX_COUNT", 4)
    with pytest.raises(LimitError, match="5 nodes and edges"):
        encode_graph(g)


# -- threads, many ----------------------------------------------------------------------------


def large_graph(seed, count):
    rng = np.random.default_rng(seed)
    g = nk.Graph()
    text = np.array([f"text {i}" * (i % 5) for i in range(count)])
    for name in ("A", "B"):
        g.add_nodes(name, np.arange(count) + 900, {
            "i": np.ma.array(rng.integers(-9, 9, count), mask=rng.random(count) < 0.3),
            "f": rng.random(count), "t": text, "b": rng.random(count) < 0.5,
        }, titles=text[::-1])  # fmt: skip
    for name in ("E", "F", "E"):
        ends = rng.integers(0, 2 * count, (2, count))
        g.add_edges(name, *ends, {"weight": rng.integers(0, 9, count) / 8, "t": text})
    g.remove_nodes(rng.permutation(2 * count)[: count // 10])
    return g


def test_threads_and_calls_give_the_same_bytes(monkeypatch):
    g = large_graph(1, 20_000)
    made = []
    for threads in ("1", "2", "5", "2"):
        monkeypatch.setenv("NKGRAPH_THREADS", threads)
        made.append(encode_graph(g, now=77))
    for other in made[1:]:
        assert np.array_equal(made[0].data, other.data)
        assert np.array_equal(made[0].record_at, other.record_at)
    sample = np.random.default_rng(3).integers(0, made[0].record_at.size - 1, 500).tolist()
    records = cut(made[0])
    assert [twin.read_record(records[at])["sequence_id"] for at in sample] == sample


def test_a_few_thousand_rows_against_the_twin(monkeypatch):
    monkeypatch.setattr(encode, "MIN_ROWS", 64)
    monkeypatch.setattr(encode, "BLOCK_BYTES", 4096)
    check(large_graph(2, 700))


VALUES = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(),
    "bool": st.booleans(),
    "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    "date": st.dates(),
}
VALUES["list"] = st.lists(st.one_of(*VALUES.values(), st.none()), max_size=3)
VALUES["mixed"] = st.one_of(*VALUES.values())
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
ROWS = st.integers(0, 6)


@st.composite
def columns(draw, count):
    found = {}
    for name in draw(st.lists(st.one_of(NAMES, st.just("weight")), max_size=4, unique=True)):
        if name.startswith("__"):
            continue
        kind = VALUES[draw(st.sampled_from(sorted(VALUES)))]
        found[name] = [draw(st.one_of(st.none(), kind)) for _ in range(count)]
    return found


@st.composite
def graphs(draw):
    g = nk.Graph()
    ids = st.one_of(
        st.integers(1020, 1030), st.integers(-(2**63), 2**63 - 1), st.text("ab", max_size=3)
    )
    for name in draw(st.lists(NAMES, max_size=3)):
        taken = {} if name not in g.node_types else dict.fromkeys(g.ids(g.nodes(name)).tolist())
        chosen = [i for i in draw(st.lists(ids, max_size=6, unique=True)) if i not in taken]
        titles = [draw(VALUES["text"]) for _ in chosen] if draw(st.booleans()) else None
        g.add_nodes(name, chosen, draw(columns(len(chosen))), titles)
    if g.node_count:
        for name in draw(st.lists(NAMES, max_size=3)):
            ends = draw(st.lists(st.tuples(*2 * [st.integers(0, g.node_count - 1)]), max_size=6))
            table = draw(columns(len(ends)))
            g.add_edges(name, [a for a, _ in ends], [b for _, b in ends], table)
        nodes = st.lists(st.sampled_from(g.nodes().tolist()), max_size=2)
        edges = g.edges()[2].tolist()
        if edges:
            g.remove_edges(np.array(draw(st.lists(st.sampled_from(edges), max_size=3)), int))
        g.remove_nodes(np.array(draw(nodes), int))
    return g


@settings(max_examples=150)
@given(graphs())
def test_random_graphs_match_the_twin(g):
    check(g, now=5)
