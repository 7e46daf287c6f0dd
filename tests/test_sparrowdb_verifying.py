"""What ``verify`` says of SparrowDB databases: damage, and what a graph leaves out."""

import numpy as np
import pytest
import sparrow_databases as sparrow

import nkgraph as nk

PLACE = "edges/0"


def draft():
    """Two labels, checkpointed edges and pending ones; nothing wrong with it."""
    made = sparrow.Draft()
    person, town = made.label("Person", 4), made.label("Town", 2)
    made.column(person, "age", [1, 2, 3, 4])
    made.column(person, "name", ["Ann", "Bartholomew", None, "Z"])
    made.table(0, person, town, "IN")
    made.rows(0, [(0, 0), (0, 1), (2, 1)], 4)
    made.delta(0, person, town, [(3, 0), (0, 1)])
    made.edge_property(0, 0, 1, "since", 2000)
    made.edge_property(0, 0, 1, "since", "later than that")
    log = sparrow.Log()
    log.node("age", "name")
    log.edge("since")
    made.log(log)
    return made


def verified(tmp_path, files):
    """Findings as (file, field, offset, problem), files relative to the database."""
    root = tmp_path / "db"
    sparrow.save(files, root)
    with nk.open(root) as g:
        report = g.verify()
    assert report.ok == (not report.findings)
    return [
        (f.file.removeprefix(f"{root}/"), f.field, f.offset, f.problem) for f in report.findings
    ]


@pytest.mark.parametrize("name", ["graph_small", "graph_ldbc_mini"])
def test_what_the_engine_wrote(data, name):
    with nk.open(data / "sparrowdb" / name / "db") as g:
        report = g.verify()
    if name == "graph_ldbc_mini":
        assert report.ok
    else:
        assert [(f.field, f.offset) for f in report.findings] == [("nodes of Person", 24)]
        assert "1 are deleted, the first in slot 3: left out" in str(report)


def test_a_clean_database(tmp_path):
    assert verified(tmp_path, draft().files()) == []


def test_deleted_nodes_and_the_edges_that_are_left_out_with_them(tmp_path):
    made = draft()
    made.delete(0, [2, 3])
    made.delete(1, [1])
    left = "have no node at an end, deleted or never there: left out"
    name, text = sparrow.COLUMN, "the first in slot"
    assert verified(tmp_path, made.files()) == [
        (name.format(0, 0), "nodes of Person", 16, f"2 are deleted, {text} 2: left out"),
        (name.format(1, 0), "nodes of Town", 8, f"1 are deleted, {text} 1: left out"),
        (f"{PLACE}/base.fwd.csr", "edges of IN", None, f"2 {left}"),
        (f"{PLACE}/delta.log", "edges of IN", None, f"2 {left}"),
        (f"{PLACE}/edge_props.bin", "properties of IN", None,
         "1 are of pairs without an edge: one added there would inherit them"),
    ]  # fmt: skip


def test_edges_beyond_the_mark(tmp_path):
    made = draft()
    made.rows(0, [(0, 0), (0, 2), (5, 0)], 6)
    made.delta(0, 0, 1, [(4, 0), (0, 1), (0, 2**32 - 1)])
    assert [(file, problem[:18]) for file, _, _, problem in verified(tmp_path, made.files())] == [
        (f"{PLACE}/base.fwd.csr", "2 have no node at "),
        (f"{PLACE}/delta.log", "2 have no node at "),
    ]


def test_words_of_column_0_that_mark_nothing(tmp_path):
    made = draft()
    made.held[sparrow.COLUMN.format(0, 0)] = b"".join(map(sparrow.u64, [0, 5, 0]))
    assert verified(tmp_path, made.files()) == [
        (sparrow.COLUMN.format(0, 0), "slot 1", 8, "is neither 0 nor a deletion mark")
    ]


@pytest.mark.parametrize("left", [None, b"short"])
def test_an_inferred_mark(tmp_path, left):
    files = draft().files()
    del files[sparrow.HWM.format(0)]
    if left is not None:
        files[sparrow.HWM.format(0)] = left
    (found,) = verified(tmp_path, files)
    assert found[:3] == (sparrow.HWM.format(0), "high-water mark", None)
    assert "4 is the length of the longest column; nodes without properties behind" in found[3]
    with nk.open(tmp_path / "db") as g:
        assert g.node_types == {"Person": 4, "Town": 2}


def test_folders_that_the_catalog_does_not_know(tmp_path):
    files = draft().files()
    files |= {"nodes/7/hwm.bin": sparrow.u64(1), "edges/x/delta.log": b"", "nodes/note": b""}
    problem = "are not in the catalog: left out"
    assert verified(tmp_path, files) == [
        ("nodes/7", "nodes", None, problem),
        ("edges/x", "edges", None, problem),
    ]


def test_bytes_that_are_no_word(tmp_path):
    files = draft().files()
    name = sparrow.COLUMN.format(0, sparrow.fnv32("age"))
    files[name] += b"odd"
    assert verified(tmp_path, files) == [(name, "file size", 32, "35 is no multiple of 8")]


def torn(change):
    log = sparrow.Log()
    log.node("age", "name", "since")
    start = len(log.data)
    log.record(3)
    change(log)
    return start, bytes(log.data)


def cut(log):
    del log.data[-1]


def flip(log):
    log.data[-9] ^= 1


def unknown(log):
    log.data[-25:] = b""
    log.record(7)


def undecodable(log):
    log.data[-25:] = b""
    log.record(0x10, bytes(12) + sparrow.u32(9))


def longer_create(log):
    log.data[-25:] = b""
    log.record(0x10, bytes(12) + sparrow.u32(0) + b"x")


def longer_update(log):
    log.data[-25:] = b""
    log.record(0x11, bytes(12) + sparrow.text("lost") + sparrow.text("") + sparrow.text("") + b"x")


def short_edge(log):
    log.data[-25:] = b""
    log.record(0x13, bytes(20))


def short(log):
    log.data[-25:] = sparrow.u32(20) + bytes(20)


def lengthy(log):
    log.data[-25:] = b"\xff" * 25


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (cut, "a record is cut short"),
        (short, "a record is cut short"),
        (lengthy, "a record is cut short"),
        (flip, "a checksum does not fit its record"),
        (unknown, "a record is of an unknown kind"),
        (undecodable, "a payload cannot be read: it may be encrypted"),
        (longer_create, "a payload cannot be read: it may be encrypted"),
        (longer_update, "a payload cannot be read: it may be encrypted"),
        (short_edge, "a payload cannot be read: it may be encrypted"),
    ],
)
def test_a_torn_log(tmp_path, change, problem):
    start, data = torn(change)
    name = sparrow.WAL.format(0)
    found = verified(tmp_path, {**draft().files(), name: data})
    assert found == [(name, "log", start, f"{problem}: names behind it are not known")]
    with nk.open(tmp_path / "db") as g:  # what stands before is believed
        assert list(g.read_nodes("Person")) == ["age", "name"]


@pytest.mark.parametrize("data", [b"", b"\2", b"\x15", b"\2" + bytes(40), b"\x15" + bytes(40)])
def test_a_log_without_records_is_whole(tmp_path, data):
    name = sparrow.WAL.format(0)
    assert verified(tmp_path, {**draft().files(), name: data}) == []


def test_a_name_that_is_no_text(tmp_path):
    log = sparrow.Log()
    log.node(b"\xff\xfe", "age", "name", "since")
    name = sparrow.WAL.format(0)
    made = draft()
    made.log(log)
    (found,) = verified(tmp_path, made.files())
    assert found[:2] == (name, "log")
    assert found[3].startswith("a property name is not UTF-8")
    with nk.open(tmp_path / "db") as g:
        assert list(g.read_nodes("Person")) == ["age", "name"]


ALIKE = ("col174616y", "col563780u")
"""Two names with one hash, from a search among random ones."""


@pytest.mark.parametrize("told", [False, True])
def test_ambiguous_names(tmp_path, told):
    one, other = ALIKE
    col = sparrow.fnv32(one)
    assert one != other
    assert col == sparrow.fnv32(other)
    made = draft()
    made.column(0, one, [7])
    log = sparrow.Log()
    log.node("age", "name", "since", one)
    log.update("age" if told else other)
    log.node(one)
    made.log(log)
    found = verified(tmp_path, made.files())
    with nk.open(tmp_path / "db", property_names=[other, other] if told else []) as g:
        assert list(g.read_nodes("Person")) == sorted(["age", f"col_{col}", "name"])
        assert g.read_nodes("Person")[f"col_{col}"].tolist() == [7, None, None, None]
        report = g.verify()
    assert len(found) == (0 if told else 1)
    (problem,) = report.findings
    assert problem.field == f"name of column {col}"
    assert problem.problem == f"may be {one!r} or {other!r}: all have this number"


def backward(words):
    return b"".join(map(sparrow.u64, words))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (backward([4, 0, 1, 3, 3, 3, 0, 0, 2]), None),
        (backward([2, 0, 1, 3, 0, 0, 2]), None),
        (backward([2, 0, 1, 3, 0, 0, 2]) + b"behind", None),
        (backward([2, 0, 1, 3, 0, 0, 1]), "are not those of base.fwd.csr"),
        (backward([2, 0, 1, 2, 0, 0]), "are not those of base.fwd.csr"),
        (backward([0, 0]), "are not those of base.fwd.csr"),
        (b"", "expected as many as there are offsets of, found no bytes"),
        (None, "is missing beside base.fwd.csr"),
    ],
)
def test_the_other_direction(tmp_path, change, problem):
    files, name = draft().files(), sparrow.BACKWARD.format(0)
    assert files[name] == backward([4, 0, 1, 3, 3, 3, 0, 0, 2])
    del files[name]
    if change is not None:
        files[name] = change
    found = verified(tmp_path, files)
    assert [entry[3] for entry in found] == ([] if problem is None else [problem])
    with nk.open(tmp_path / "db") as g:  # it is not needed
        assert g.edge_count == 5


def test_neighbours_out_of_order(tmp_path):
    files, name = draft().files(), sparrow.FORWARD.format(0)
    words = np.frombuffer(files[name], "<u8").copy()
    words[6:8] = words[7:5:-1]
    files[name] = words.tobytes()
    assert verified(tmp_path, files) == [(name, "neighbours", 56, "do not ascend in a row")]
    with nk.open(tmp_path / "db") as g:
        assert g.edges()[1].tolist() == [5, 4, 5, 4, 5]


def test_leftover_properties(tmp_path):
    made = draft()
    made.edge_property(0, 1, 1, "since", 1)
    made.edge_property(0, 1, 1, "since", 2)
    made.edge_property(0, 0, 9, "name", "never seen, never there")
    assert verified(tmp_path, made.files()) == [
        (f"{PLACE}/edge_props.bin", "properties of IN", None,
         "2 are of pairs without an edge: one added there would inherit them")
    ]  # fmt: skip


def test_properties_of_slots_beyond_32_bits_are_left_over_too(tmp_path):
    made = draft()
    made.edge_property(0, 2**32, 1, "since", 1)
    made.edge_property(0, 0, 2**40, "since", 1)
    assert verified(tmp_path, made.files()) == [
        (f"{PLACE}/edge_props.bin", "properties of IN", None,
         "2 are of pairs without an edge: one added there would inherit them")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        (sparrow.DELTA.format(0), b"odd", "file size"),
        (sparrow.DELTA.format(0), bytes(20), "labels of the ends of record 0"),
        (sparrow.PROPERTIES.format(0), b"odd", "file size"),
        (sparrow.FORWARD.format(0), b"", "rows"),
        (sparrow.WAL.format(0), b"\3", "version"),
        (sparrow.COLUMN.format(0, sparrow.fnv32("name")), sparrow.u64(3 << 56), "slot 0"),
    ],
)
def test_what_no_call_can_read_is_found_too(tmp_path, name, data, field):
    found = verified(tmp_path, {**draft().files(), name: data})
    assert (name, field) in [entry[:2] for entry in found]
    with nk.open(tmp_path / "db") as g, pytest.raises(nk.FormatError, match=field):
        g.read_nodes("Person")
    with nk.open(tmp_path / "db") as g:
        g.close()
        with pytest.raises(nk.ClosedError):
            g.verify()
