"""Imports end to end. ``nkgraph.graph`` answers; the counts are those of ``expected/``."""

import gzip
import io
import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import reference as reference
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from nkgraph import ingest
from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.ingest import import_csv, import_edges, import_graphalytics, import_triples
from nkgraph.storage import textfile


def stats(folder):
    return json.loads((folder / "expected" / "stats.json").read_text())


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def edge_list(graph):
    """(source id, target id) of each edge, as a user sees them."""
    sources, targets, _ = graph.edges()
    return list(zip(graph.ids(sources).tolist(), graph.ids(targets).tolist(), strict=True))


def column(graph, name, connection_type="EDGE"):
    found = graph.read_edges(connection_type)[name]
    values = found.values.tolist()
    if found.valid is None:
        return values
    return [value if ok else None for value, ok in zip(values, found.valid.tolist(), strict=True)]


# -- real data --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wiki-vote/edges.txt.gz", "bitcoin-otc/edges.csv.gz"])
def test_edge_lists_of_snap(data, name):
    lines = gzip.decompress((data / name).read_bytes()).decode().splitlines()
    mark = "," if name.endswith(".csv.gz") else None
    expected = [tuple(map(int, line.split(mark)[:2])) for line in lines if line[0] != "#"]
    graph = import_edges(data / name)
    assert edge_list(graph) == expected
    known = {}
    reference.number(known, [end for edge in expected for end in edge])
    assert graph.ids(graph.nodes()).tolist() == list(known)


def test_edge_properties_of_bitcoin_otc(data):
    lines = gzip.decompress((data / "bitcoin-otc/edges.csv.gz").read_bytes()).decode().split()
    fields = [line.split(",") for line in lines]
    graph = import_edges(
        data / "bitcoin-otc/edges.csv.gz", weight=2, properties={"time": 3}, delimiter=","
    )
    assert column(graph, "weight") == [int(row[2]) for row in fields]
    assert column(graph, "time") == [float(row[3]) for row in fields]


@pytest.mark.parametrize("name", ["umls", "fb15k-237"])
def test_triples(data, name):
    expected = stats(data / name)
    files = [data / name / f"{part}.tsv.gz" for part in ("train", "valid", "test")]
    graph = import_triples(files)
    assert graph.node_count == expected["entities"]
    assert graph.edge_count == expected["triples"]
    rows = (data / name / "expected/relation_counts.tsv").read_text().splitlines()
    counts = [row.split("\t") for row in rows if row.split("\t")[0].isdecimal()]
    assert graph.connection_types == {row[1]: int(row[2]) for row in counts}
    names = gzip.decompress((data / name / "expected/entities.txt.gz").read_bytes()).decode()
    assert sorted(graph.ids(graph.nodes()).tolist()) == names.splitlines()


def test_lsqb(data, lsqb):
    expected = stats(data / "lsqb-sf0.003")
    graph = import_csv(lsqb)
    assert graph.node_types == expected["node_types"]
    edges = {name: found["edges"] for name, found in expected["edge_types"].items()}
    assert graph.connection_types == edges
    for name, found in expected["edge_types"].items():
        sources, targets, _ = graph.edges(name)
        assert set(graph.types(sources).tolist()) == {found["source"]}
        assert set(graph.types(targets).tolist()) == {found["target"]}
    lines = (lsqb / "Person_knows_Person.csv").read_text().split()[1:]
    sources, targets, _ = graph.edges("Person_knows_Person")
    ends = zip(graph.ids(sources).tolist(), graph.ids(targets).tolist(), strict=True)
    assert [f"{a}|{b}" for a, b in ends] == lines


def test_graphalytics(data):
    folder = data / "graphalytics-validation"
    names = sorted(path.stem for path in folder.glob("*.v"))
    assert len(names) == 14
    for name in names:
        graph = import_graphalytics(folder / name)
        ids = [int(word) for word in (folder / f"{name}.v").read_text().split()]
        fields = [line.split() for line in (folder / f"{name}.e").read_text().splitlines()]
        assert graph.ids(graph.nodes()).tolist() == ids
        assert edge_list(graph) == [(int(row[0]), int(row[1])) for row in fields]
        if len(fields[0]) == 3:
            assert column(graph, "weight") == [float(row[2]) for row in fields]


# -- properties against the reference ---------------------------------------------------------

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\n\r", exclude_categories=["Cs"]))
INTEGER = st.one_of(st.integers(-20, 20), st.integers(-(2**63), 2**63 - 1)).map(str)
FIELD = st.one_of(
    INTEGER, st.floats().map(repr), st.sampled_from(["", "true", "False", "007", "1e5", "+3"]), WORD
)


@given(st.lists(st.tuples(INTEGER, INTEGER, FIELD, FIELD), max_size=12), st.integers(16, 200))
def test_quoted_tables_match_reference(tmp_path_factory, rows, block):
    quoted = [[field.replace('"', '""') for field in row] for row in rows]
    text = "".join(f'{a},{b},"{c}","{d}"\r\n' for a, b, c, d in quoted)
    path = write(tmp_path_factory.mktemp("q") / "e.csv", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textfile, "BLOCK", block)
        patch.setattr("nkgraph.ingest_columns.PART", 8)
        patch.setenv("NKGRAPH_THREADS", "3")
        graph = import_edges(path, delimiter=",", properties={"c": 2, "d": 3})
    assert edge_list(graph) == [(int(row[0]), int(row[1])) for row in rows]
    for name, place in (("c", 2), ("d", 3)):
        expected = reference.typed([row[place] for row in rows])
        if any(value is not None for value in expected):
            assert repr(column(graph, name)) == repr(expected)
        elif rows:
            assert name not in graph.read_edges("EDGE").columns


@given(st.lists(st.tuples(FIELD, FIELD), max_size=12), st.integers(16, 200))
def test_ids_match_reference(tmp_path_factory, rows, block):
    rows = [row for row in rows if all(map(reference.is_id, row))]
    rows = [row for row in rows if not any("\t" in end or end != end.strip() for end in row)]
    rows = [row for row in rows if not row[0].startswith(("#", "%", "\ufeff"))]
    path = write(tmp_path_factory.mktemp("i") / "e.tsv", "".join(f"{a}\t{b}\n" for a, b in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textfile, "BLOCK", block)
        patch.setattr("nkgraph.ingest_columns.PART", 8)
        patch.setenv("NKGRAPH_THREADS", "3")
        graph = import_edges(path, delimiter="\t")
    ids = reference.ids([end for row in rows for end in row])
    known = {}
    reference.number(known, ids)
    assert edge_list(graph) == list(zip(ids[0::2], ids[1::2], strict=True))
    if rows:
        assert graph.ids(graph.nodes()).tolist() == list(known)


def test_any_number_of_threads_and_block_size_gives_the_same(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    ends = rng.integers(0, 5000, (60_000, 2)) * 10**12
    weights = rng.random(60_000)
    pairs = zip(ends.tolist(), weights.tolist(), strict=True)
    path = write(tmp_path / "e.txt", "".join(f"{a} {b} {w!r}\n" for (a, b), w in pairs))
    for threads, block in (("1", 1 << 24), ("3", 1 << 24), ("2", 100_000)):
        monkeypatch.setenv("NKGRAPH_THREADS", threads)
        monkeypatch.setattr(textfile, "BLOCK", block)
        graph = import_edges(path, weight=2)
        assert edge_list(graph) == [tuple(pair) for pair in ends.tolist()]
        assert column(graph, "weight") == weights.tolist()


# -- forms of edge lists ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1 2\n3 2\n",
        "1\t2\n3\t2",
        "1,2\r\n3,2\r\n",
        "# from to\n\n% more\n1 2\n\n3 2\n\n",
        "\ufeff1;2\n3;2\n",
        "  1   \t 2 \r\n 3 2\n",
        "1, 2\n3, 2\n",
        '"1","2"\n"3","2"\n',
        "1|2\n\r\n3|2\n",
    ],
)
def test_forms_of_one_list(tmp_path, text):
    graph = import_edges(write(tmp_path / "e", text))
    assert edge_list(graph) == [(1, 2), (3, 2)]


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
        zstandard.compress,
        lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
    ],
)
def test_compressed_whatever_the_name(tmp_path, pack):
    text = "".join(f"{n} {n * n}\n" for n in range(20_000)).encode()
    path = tmp_path / "edges.txt"
    path.write_bytes(pack(text))
    assert import_edges(path).edge_count == 20_000


def test_named_columns_types_and_properties(tmp_path):
    text = "kind,to,from,note,on\nlikes,b,a,x,true\nhates,a,c,,false\nlikes,c,b,007,\n"
    path = write(tmp_path / "e.csv", text)
    graph = import_edges(
        [path], header=True, source="from", target="to", type="kind", properties=["note", 4]
    )
    assert graph.connection_types == {"hates": 1, "likes": 2}
    assert sorted(edge_list(graph)) == [("a", "b"), ("b", "c"), ("c", "a")]
    assert column(graph, "note", "likes") == ["x", "007"]
    assert column(graph, "note", "hates") == [None]
    assert column(graph, "on", "likes") == [True, None]


def test_several_files_are_one_list_and_text_anywhere_makes_all_ids_text(tmp_path):
    files = [write(tmp_path / "a", "1 2\n"), write(tmp_path / "b", "2 007\n")]
    assert edge_list(import_edges(files)) == [("1", "2"), ("2", "007")]
    assert edge_list(import_edges(files[:1])) == [(1, 2)]


@pytest.mark.parametrize(
    "word", ["007", "+1", "-0", "1.0", "9223372036854775808", "-9223372036854775809", "1" * 400]
)
def test_what_is_no_plain_integer_makes_ids_text(tmp_path, word):
    assert edge_list(import_edges(write(tmp_path / "e", f"1 {word}\n"))) == [("1", word)]


def test_widest_integers_stay_integers(tmp_path):
    edge = (2**63 - 1, -(2**63))
    assert edge_list(import_edges(write(tmp_path / "e", f"{edge[0]} {edge[1]}\n"))) == [edge]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["1", "2.5"], [1.0, 2.5]),
        (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
        (["9223372036854775807", ""], [2**63 - 1, None]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["1e400", "1"], ["1e400", "1"]),
        (["1e-400", "-0.0"], [0.0, -0.0]),
        (["2.2250738585072011e-308", "1.7e308"], [2.225073858507201e-308, 1.7e308]),
        (["inf", "-Infinity"], [float("inf"), float("-inf")]),
        (["TRUE", "false"], [True, False]),
        (["true", "1"], ["true", "1"]),
        (["1_000", "0x10"], ["1_000", "0x10"]),
        (["Zürich", "東京"], ["Zürich", "東京"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("block", [8, 1 << 20])
def test_types_of_properties(tmp_path, monkeypatch, words, values, block):
    monkeypatch.setattr(textfile, "BLOCK", block)
    text = "".join(f"1,2,{word}\n" for word in words)
    graph = import_edges(write(tmp_path / "e", text), properties=[2])
    assert repr(column(graph, "column_2")) == repr(values)


def test_empty_files_give_empty_graphs(tmp_path):
    for text in ("", "\n\n", "# nothing\n"):
        graph = import_edges(write(tmp_path / "e", text))
        assert (graph.node_count, graph.edge_count) == (0, 0)
    assert import_triples(write(tmp_path / "e", "")).edge_count == 0
    assert import_edges(write(tmp_path / "h", "a,b\n"), header=True).edge_count == 0


# -- tables -----------------------------------------------------------------------------------


def test_tables_with_properties_and_labels(tmp_path):
    write(tmp_path / "P.csv", 'id:ID(P),name,:LABEL,age:int\n7,"O""Hara, J",Man,3\n9,Kim,Dog,\n')
    write(tmp_path / "Q.csv", "id:ID(Q),open\nq1,true\nq2,\n")
    write(tmp_path / "E.csv", ":START_ID(P),:END_ID(Q),:TYPE,since\n9,q2,SAW,1.5\n7,q1,LIKES,2\n")
    graph = import_csv(tmp_path)
    assert graph.node_types == {"Dog": 1, "Man": 1, "Q": 2}
    assert graph.read_nodes("Man")["name"].values.tolist() == ['O"Hara, J']
    assert graph.read_nodes("Man")["age"].values.tolist() == [3]
    assert graph.connection_types == {"LIKES": 1, "SAW": 1}
    assert edge_list(graph) == [(9, "q2"), (7, "q1")]
    assert column(graph, "since", "LIKES") == [2.0]


def test_plain_tables(tmp_path):
    write(tmp_path / "City.csv", "code\tname\n1\tRome\n2\tOslo\n")
    write(tmp_path / "road.csv", "source\ttarget\tkm\n2\t1\t2500\n")
    graph = import_csv(tmp_path)
    assert graph.node_types == {"City": 2}
    assert edge_list(graph) == [(2, 1)]
    assert column(graph, "km", "road") == [2500]


def test_one_id_space_with_two_tables_and_types_without_a_table(tmp_path):
    write(tmp_path / "a.csv", "id:ID(P)|x\n1|5\n")
    write(tmp_path / "b.csv", "id:ID(P)|y\n2|z\n")
    write(tmp_path / "e.csv", ":START_ID(P)|:END_ID(R)\n2|r\n1|s\n2|r\n")
    graph = import_csv([tmp_path / "e.csv", tmp_path / "a.csv", tmp_path / "b.csv"])
    assert graph.node_types == {"P": 2, "R": 2}
    assert edge_list(graph) == [(2, "r"), (1, "s"), (2, "r")]


# -- bad input --------------------------------------------------------------------------------

EDGE_ERRORS = [
    ("1 2\n3\n", r"e: line 2: expected 2 fields, found 1"),
    ("1 2\n# c\n\n3 4 5\n", r"e: line 4: expected 2 fields, found 3"),
    ("1,2\n3,\n", r"e: line 2, column source or target: expected an id, found nothing"),
    ("1,2\nNaN,4\n", r"line 2, .*expected an id, found 'NaN'"),
    ("1,2\n3,-inf\n", r"line 2, .*expected an id, found '-inf'"),
    (b"1 2\n3 4\n5 \xff\n", r"line 3: expected UTF-8 text, found byte 0xff"),
    ('1,2\n3,"4\n', r"line 2, field 2: expected a closing quote after it, found the end"),
    ('1,2\n"3"x,4\n', r"line 2, field 1: expected nothing after it, found more text"),
]


@pytest.mark.parametrize(("text", "message"), EDGE_ERRORS)
@pytest.mark.parametrize("threads", ["1", "3"])
def test_bad_lines_are_named(tmp_path, monkeypatch, text, message, threads):
    monkeypatch.setenv("NKGRAPH_THREADS", threads)
    monkeypatch.setattr("nkgraph.ingest_columns.PART", 1)
    for block in (6, 1 << 20):
        monkeypatch.setattr(textfile, "BLOCK", block)
        with pytest.raises(FormatError, match=message):
            import_edges(write(tmp_path / "e", text), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_bad_weight_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"line 3, column weight: expected a number.*'x'"):
        import_edges(write(tmp_path / "e", "1 2 1\n2 3 .5\n3 4 x\n"), weight=2)


def test_weights_that_a_float_would_lose_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "e", "1 2 9007199254740993\n2 3 0.5\n")
    for block in (8, 1 << 20):
        monkeypatch.setattr(textfile, "BLOCK", block)
        with pytest.raises(FormatError, match=r"line 1, column weight: .*'9007199254740993'"):
            import_edges(path, weight=2)


def test_properties_of_one_label_in_two_tables_are_of_one_type(tmp_path):
    write(tmp_path / "a.csv", "id:ID(A),:LABEL,x\n1,P,5\n")
    write(tmp_path / "b.csv", "id:ID(A),:LABEL,x\n2,P,007\n3,Q,\n")
    graph = import_csv(tmp_path)
    assert graph.read_nodes("P")["x"].values.tolist() == ["5", "007"]
    assert graph.node_types == {"P": 2, "Q": 1}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("P.csv", "id:ID(P)|x\n1|5\n2|6\n1|7\n", "P.csv: line 4: P id 1 is given twice"),
        ("P.csv", "id:ID(P)|x:int\n1|5\n2|six\n", "line 3, column x: expected an integer.*'six'"),
        ("P.csv", "id:ID(P)|x\n1|5\n|6\n", "line 3, column id: expected an id, found nothing"),
        ("P.csv", "id:ID(P)|x|x\n1|5|6\n", "line 1: expected distinct names, found 'x' twice"),
        ("P.csv", "", "P.csv: line 1: expected a header, found an empty file"),
        ("E.csv", ":START_ID(Q)|:END_ID(Q)\n1|2\n2|9\n", "E.csv: line 3: no Q has id 9"),
        ("E.csv", ":START_ID(Q)|:END_ID(R)\n1|2\n7|2\n", "E.csv: line 3: no Q has id 7"),
        ("E.csv", ":START_ID(Q)|:END_ID(Q)\n1|x\n", "line 2, .*expected an integer.*found 'x'"),
        ("E.csv", ":START_ID(Q)|:END_ID(Q)\n1|02\n", "line 2, .*leading zeros.*found '02'"),
        ("E.csv", ":START_ID(Q)|x\n1|2\n", "expected one :ID column, or one :START_ID"),
        ("E.csv", ":START_ID(Q)|:END_ID(Q)|:TYPE\n1|2|\n", "E.csv: line 2: no connection type"),
    ],
)
def test_bad_tables_are_named(tmp_path, name, text, message):
    write(tmp_path / "Q.csv", "id:ID(Q)\n1\n2\n")
    write(tmp_path / name, text)
    with pytest.raises((FormatError, GraphError), match=message):
        import_csv(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_graphalytics_are_named(tmp_path):
    write(tmp_path / "g.v", "1\n2\n2\n")
    write(tmp_path / "g.e", "1 2\n")
    with pytest.raises(GraphError, match=r"g\.v: line 3: Node id 2 is given twice"):
        import_graphalytics(tmp_path / "g")
    write(tmp_path / "g.v", "1\n2\n")
    write(tmp_path / "g.e", "1 2\n3 1\n")
    with pytest.raises(GraphError, match=r"g\.e: line 2: no Node has id 3"):
        import_graphalytics(tmp_path / "g")
    write(tmp_path / "g.e", "1 2\n")
    write(tmp_path / "g.properties", "graph.g.meta.edges = 2\n")
    with pytest.raises(GraphError, match="expected 2 edges, found 1"):
        import_graphalytics(tmp_path / "g")
    with pytest.raises(FileNotFoundError, match=r"h\.v"):
        import_graphalytics(tmp_path / "h")


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress]
)
def test_damaged_compression_is_named(tmp_path, pack):
    rng = np.random.default_rng(8)
    whole = pack("".join(f"{n} 1\n" for n in rng.integers(0, 2**60, 5000)).encode())
    for cut in (5, 40, len(whole) // 2, len(whole) - 1):
        with pytest.raises(FormatError, match=r"e\.txt: (gzip|zstd) "):
            import_edges(write(tmp_path / "e.txt", whole[:cut]), tmp_path / "out")
    hurt = bytearray(whole)
    hurt[len(hurt) // 2] ^= 0xFF
    with pytest.raises(FormatError, match=r"e\.txt: "):
        import_edges(write(tmp_path / "e.txt", bytes(hurt)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(textfile, "LONGEST_LINE", 1 << 10)
    monkeypatch.setattr(textfile, "BLOCK", 1 << 8)
    path = write(tmp_path / "e", b"1 2\n" + b"7" * 100_000)
    with pytest.raises(LimitError, match="lines of at most 1024 bytes"):
        import_edges(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": 5}, "column 5 of 2 columns"),
        ({"source": "a"}, "names only with header"),
        ({"source": "z", "header": True}, r"no column 'z' in \['1', '2'\]"),
        ({"source": 1}, "same column"),
        ({"delimiter": "ab"}, "one ASCII character"),
        ({"weight": 1}, "asked for twice"),
        ({"properties": "x"}, "sequence or a mapping"),
    ],
)
def test_bad_arguments_are_named(tmp_path, options, message):
    with pytest.raises(GraphError, match=message):
        import_edges(write(tmp_path / "e", "1 2\n"), **options)


def test_a_path_that_holds_something_is_refused_before_reading(tmp_path):
    write(tmp_path / "out", "x")
    with pytest.raises(GraphError, match="an empty directory"):
        import_edges(write(tmp_path / "e", "1 2\n3\n"), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="missing"):
        import_edges(tmp_path / "missing")
    with pytest.raises(GraphError, match="at least one"):
        import_edges([])


def test_saved_and_opened_again(tmp_path):
    path = write(tmp_path / "e", "1 2 0.5\n3 2 1\n")
    with import_edges(path, tmp_path / "out", weight=2) as graph:
        assert Path(graph.path) == tmp_path / "out"
        assert edge_list(graph) == [(1, 2), (3, 2)]
        assert column(graph, "weight") == [0.5, 1.0]


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def save(graph, path):
        path.mkdir()
        (path / "half").write_text("x")
        raise OSError("disk full")

    monkeypatch.setattr("nkgraph.graph.Graph.save", save)
    with pytest.raises(OSError, match="disk full"):
        import_edges(write(tmp_path / "e", "1 2\n"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals_only(tmp_path, monkeypatch, terminal):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    stream = Stream()
    clock = itertools.count(step=2)
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("nkgraph.ingest_build.time", SimpleNamespace(monotonic=lambda: next(clock)))
    import_edges(write(tmp_path / "edges.txt", "1 2\n3 4\n"))
    assert ("edges.txt: 2 rows" in stream.getvalue()) == terminal
    assert stream.getvalue().endswith("\r\x1b[K") == terminal


def test_ingest_is_light_to_import():
    code = "import sys, nkgraph.ingest; print({'numba', 'zstandard'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"set()"


def test_guess_format(data, lsqb, tmp_path):
    assert ingest.guess_format([lsqb]) == "csv"
    assert ingest.guess_format([lsqb / "City.csv"]) == "csv"
    assert (
        ingest.guess_format([data / "graphalytics-validation/example-directed"]) == "graphalytics"
    )
    assert ingest.guess_format(data / "umls/train.tsv.gz") == "triples"
    assert ingest.guess_format([data / "wiki-vote/edges.txt.gz"]) == "edges"
