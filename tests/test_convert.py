"""Graphs from format to format and back: equal, or each loss named."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from converting_graphs import everything, shown, tables, weighted

import nkgraph as nk
from nkgraph.cli import main
from nkgraph.converting import TARGETS
from nkgraph.errors import FormatError, GraphError, NkgraphError

FACTS = """<http://a/ann> <http://a/knows> <http://a/bob> .
<http://a/ann> <http://a/knows> <http://a/bob> .
<http://a/bob> <http://a/knows> _:b.1 .
<http://a/ann> <http://a/name> "Ann \\"A\\" \\u00e9\\n\\u0000" .
<http://a/ann> <http://a/name> "Anne"@fr .
<http://a/ann> <http://a/size> "1.70"^^<http://www.w3.org/2001/XMLSchema#decimal> .
<http://a/ann> <http://a/age> "36"^^<http://www.w3.org/2001/XMLSchema#integer> .
<http://a/bob> <http://a/age> "1.5"^^<http://www.w3.org/2001/XMLSchema#double> .
<http://a/bob> <http://a/age> "INF"^^<http://www.w3.org/2001/XMLSchema#double> .
<http://a/bob> <http://a/age> "-INF"^^<http://www.w3.org/2001/XMLSchema#double> .
<http://a/bob> <http://a/odd> "NaN"^^<http://www.w3.org/2001/XMLSchema#double> .
_:b.1 <http://a/age> "true"^^<http://www.w3.org/2001/XMLSchema#boolean> .
_:b.1 <http://a/age> "seven" .
_:b.1 <http://a/born> "2020-02-29"^^<http://www.w3.org/2001/XMLSchema#date> .
_:b.1 <http://a/seen> "2020-02-29T10:00:00"^^<http://www.w3.org/2001/XMLSchema#dateTime> .
"""


def opened(path):
    with nk.open(path) as graph:
        return shown(graph)


def there_and_back(tmp_path, start, to, **options):
    """Convert to a format and on to a native directory; the two graphs, and the losses."""
    done = nk.convert(start, tmp_path / "there", to, **options)
    nk.convert(tmp_path / "there", tmp_path / "back", "native", source_format=to)
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
    return opened(tmp_path / "back"), done.losses


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Graphs on disk, by name."""
    folder = tmp_path_factory.mktemp("made")
    facts = folder / "facts.nt"
    facts.write_text(FACTS)
    for name, graph in (
        ("everything", everything()),
        ("tables", tables()),
        ("weighted", weighted()),
        ("counted", weighted(kind=int)),
        ("facts", nk.import_ntriples(facts)),
    ):
        graph.save(folder / name)
    return folder


LOSSLESS = [
    *(("everything", to) for to in ("native",)),
    *(("tables", to) for to in ("native", "kglite", "parquet", "csv", "graphml")),
    *(("facts", to) for to in ("native", "ntriples")),
    *(("weighted", to) for to in TARGETS if to not in ("sparrowdb", "ntriples")),
    *(("counted", to) for to in TARGETS if to not in ("sparrowdb", "ntriples", "reddb")),
]


@pytest.mark.parametrize(("name", "to"), LOSSLESS)
def test_there_and_back_without_loss(made, tmp_path, name, to):
    found, losses = there_and_back(tmp_path, made / name, to)
    assert losses == ()
    assert found == opened(made / name)


def test_between_formats_that_are_no_stores(made, tmp_path):
    """Parquet to CSV to GraphML to Matrix Market to Graphalytics to RedDB to kglite."""
    path = made / "weighted"
    for to in ("parquet", "csv", "graphml", "matrix-market", "graphalytics", "reddb", "kglite"):
        done = nk.convert(path, tmp_path / f"g-{to}", to)
        assert (done.target_format, done.nodes, done.edges) == (to, 9, 30)
        path = done.path
    assert opened(path) == opened(made / "weighted")


LOSSES = {
    "kglite": ["Person.seen: timestamps, which kglite reads from 0.11.9 on"],
    "reddb": ["KNOWS: edges without a weight, they get one of 1.0"],
    "parquet": ["Person.any: values of kinds that no Arrow type holds together"],
    "csv": [
        "Person.any: lists, maps and values of several kinds",
        "Person.born: dates become texts",
        "Person.note: empty texts, which are absent in a table (1 of 7)",
        "Person.note: texts of several lines (1 of 7)",
        "Person.seen: timestamps become texts",
        "Person.spot: lists, maps and values of several kinds",
        "Person.tags: lists, maps and values of several kinds",
        "KNOWS.why: empty texts, which are absent in a table (1 of 5)",
    ],
    "graphml": [
        "Person.any: lists, maps and values of several kinds",
        "Person.born: dates become texts",
        "Person.note: texts with control characters (1 of 7)",
        "Person.seen: timestamps become texts",
        "Person.spot: lists, maps and values of several kinds",
        "Person.tags: lists, maps and values of several kinds",
    ],
    "sparrowdb": [
        "titles of Person",
        "edges: KNOWS, lives in",
        "Person.age: integers beyond 56 bits (2 of 7)",
        "Person.any: values that are no integers, floats or texts",
        "Person.born: dates become texts",
        "Person.member: booleans become 0 and 1",
        "Person.seen: timestamps become texts",
        "Person.spot: values that are no integers, floats or texts",
        "Person.tags: values that are no integers, floats or texts",
        "ids of Person: kept as property 'external_id'",
        "ids of Town (CH): kept as property 'external_id'",
    ],
    "matrix-market": [
        "titles of Person",
        "node types: Person, Town (CH)",
        *(f"Person.{name}" for name in ("age", "any", "born", "member", "note", "score")),
        *(f"Person.{name}" for name in ("seen", "spot", "tags")),
        "Town (CH).population",
        "connection types: KNOWS, lives in",
        "KNOWS.since",
        "KNOWS.why",
        "lives in.weight",
        "ids of nodes: they become 1 to 10, in order",
    ],
}


def lossy_there_and_back(made, tmp_path, to):
    with pytest.raises(GraphError, match=f"{to} cannot hold all of the graph: .*--lossy"):
        nk.convert(made / "everything", tmp_path / "there", to)
    assert not list(tmp_path.iterdir())
    return there_and_back(tmp_path, made / "everything", to, lossy=True)


@pytest.mark.parametrize("to", LOSSES)
def test_each_loss_is_listed_and_nothing_else_is_lost(made, tmp_path, to):
    (nodes, edges), losses = lossy_there_and_back(made, tmp_path, to)
    assert sorted(losses) == sorted(LOSSES[to])
    expected_nodes, expected_edges = opened(made / "everything")
    if to in ("sparrowdb", "matrix-market"):
        return
    assert {node[:3] for node in nodes} == {node[:3] for node in expected_nodes}
    assert {edge[:3] for edge in edges} == {edge[:3] for edge in expected_edges}
    kept = {loss.partition(":")[0].partition(".")[2] for loss in losses}
    held = {(node[:2], pair) for node in expected_nodes for pair in node[3] if pair[0] not in kept}
    assert held <= {(node[:2], pair) for node in nodes for pair in node[3]}


def test_what_becomes_another_value(made, tmp_path):
    (nodes, _), _ = lossy_there_and_back(made, tmp_path, "csv")
    (ann,) = [dict(node[3]) for node in nodes if node[1] == "'ann'"]
    assert (ann["born"], ann["seen"]) == ("'2020-02-29'", "'1999-12-31T23:59:59'")
    assert "tags" not in ann


def test_ids_that_are_no_iris(made, tmp_path):
    done = nk.convert(made / "tables", tmp_path / "t.nt", lossy=True)
    assert "ids of Person: no IRIs, they become urn:nkgraph:node:... (5 of 5)" in done.losses
    assert (
        "connection type 'lives in', no IRI: it becomes urn:nkgraph:edge:lives%20in" in done.losses
    )
    assert "Town: nodes without edges and properties (1 of 3)" in done.losses
    graph = nk.import_ntriples(tmp_path / "t.nt")
    assert "urn:nkgraph:node:Person:c%2C%20d" in graph.ids(graph.nodes()).tolist()
    assert "urn:nkgraph:node:Town:10" in graph.ids(graph.nodes()).tolist()
    assert sum(graph.connection_types.values()) == 8


# -- SparrowDB --------------------------------------------------------------------------------


def test_a_node_store_by_the_safe_recipe(tmp_path):
    g = nk.Graph()
    g.add_nodes("B", [1 << 32, (1 << 32) + 1], {"name": ["a long enough name", ""], "n": [0, None]})
    g.add_nodes("A", [0, 1, 2], {"x": [0.5, None, -1.0], "any": [1, "é", None]})
    g.add_nodes("C", [2 << 32])
    g.save(tmp_path / "g")
    found, losses = there_and_back(tmp_path, tmp_path / "g", "sparrowdb")
    assert losses == ()
    assert found == opened(tmp_path / "g")
    names = sorted(
        path.relative_to(tmp_path / "there").as_posix()
        for path in (tmp_path / "there").rglob("*")
        if path.is_file() and not path.name.startswith("col_")
    )
    assert names == [
        "catalog.tlv", "nodes/0/hwm.bin", "nodes/1/hwm.bin", "nodes/2/hwm.bin", "strings.bin",
        "wal/segment-00000000000000000000.wal",
    ]  # fmt: skip
    with nk.open(tmp_path / "there") as graph:
        assert graph.verify().ok
    # and once more: a database as the source
    nk.convert(tmp_path / "there", tmp_path / "again", "sparrowdb")
    assert opened(tmp_path / "again") == found


def test_ids_go_into_a_property(tmp_path):
    g = nk.Graph()
    g.add_nodes("A", ["a", "b"])
    g.save(tmp_path / "g")
    done = nk.convert(tmp_path / "g", tmp_path / "db", "sparrowdb", lossy=True)
    assert done.losses == ("ids of A: kept as property 'external_id'",)
    with nk.open(tmp_path / "db") as graph:
        assert graph.read_nodes("A")["external_id"].tolist() == ["a", "b"]
    g.add_nodes("__SO_x", ["a"])
    g.save(tmp_path / "g2")
    with pytest.raises(GraphError, match="are reserved"):
        nk.convert(tmp_path / "g2", tmp_path / "db2", "sparrowdb", lossy=True)
    assert not (tmp_path / "db2").exists()


# -- sources and targets ----------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["basic", "seg_full", "deleted"])
def test_graphs_of_kglite(data, tmp_path, folder):
    start = data / "kglite" / folder / "graph"
    expected = opened(start)
    done = nk.convert(start, tmp_path / "native")
    assert (done.source_format, done.target_format, done.losses) == ("kglite", "native", ())
    assert opened(tmp_path / "native") == expected
    nk.convert(tmp_path / "native", tmp_path / "flat", "kglite")
    assert opened(tmp_path / "flat") == expected


def test_dumps_and_databases_of_the_engines(data, tmp_path):
    catalogs = sorted((data / "sparrowdb").glob("*/db/catalog.tlv"))
    assert len(catalogs) >= 2
    for number, start in enumerate([path.parent for path in catalogs[:3]]):
        nk.convert(start, tmp_path / f"s{number}", "native")
        assert opened(tmp_path / f"s{number}") == opened(start)
    start = data / "reddb" / "v03_kinds.rdst"
    with pytest.warns(RuntimeWarning, match="it is left out, and 2 more"):
        nk.convert(start, tmp_path / "r", "native")
    with pytest.warns(RuntimeWarning, match="it is left out"):
        expected = opened(start)
    assert opened(tmp_path / "r") == expected


def test_text_of_all_kinds(data, lsqb, tmp_path):
    done = nk.convert(data / "graphalytics-validation" / "example-directed", tmp_path / "g")
    assert (done.source_format, done.nodes, done.edges) == ("graphalytics", 10, 17)
    done = nk.convert(data / "wiki-vote" / "edges.txt.gz", tmp_path / "w")
    assert (done.source_format, done.nodes, done.edges) == ("edges", 7115, 103689)
    done = nk.convert(tmp_path / "w", tmp_path / "w.mtx.gz", lossy=True)
    assert done.losses == ("ids of nodes: they become 1 to 7,115, in order",)
    assert nk.import_matrix_market(tmp_path / "w.mtx.gz").edge_count == 103689
    done = nk.convert(lsqb, tmp_path / "l.parquet")
    assert (done.source_format, done.target_format) == ("csv", "parquet")
    nk.convert(tmp_path / "l.parquet", tmp_path / "l")
    assert opened(tmp_path / "l") == shown(nk.import_csv(lsqb))


@pytest.mark.parametrize("ending", [".nt", ".nt.gz", ".nt.zst"])
def test_packed_targets(made, tmp_path, ending):
    nk.convert(made / "facts", tmp_path / f"a{ending}")
    start = (tmp_path / f"a{ending}").read_bytes()[:2]
    assert start == {".nt": b"<h", ".nt.gz": b"\x1f\x8b", ".nt.zst": b"\x28\xb5"}[ending]
    assert shown(nk.import_ntriples(tmp_path / f"a{ending}")) == opened(made / "facts")


@pytest.mark.parametrize("to", TARGETS)
def test_the_same_calls_give_the_same_bytes(made, tmp_path, to):
    def bytes_of(path):
        prefix = [p for p in sorted(tmp_path.rglob("*")) if p.is_file()]
        return {
            p.relative_to(tmp_path).as_posix().replace("two", "one"): p.read_bytes().replace(
                b"two", b"one"
            )
            for p in prefix
            if p.relative_to(tmp_path).parts[0].startswith(path)
        }

    for name in ("one", "two"):
        nk.convert(made / "counted", tmp_path / name, to, lossy=True)
    assert bytes_of("one") == bytes_of("two") != {}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a", "native"),
        ("a.rdst", "reddb"),
        ("a.parquet", "parquet"),
        ("a.csv", "csv"),
        ("a.v", "graphalytics"),
        ("a.MTX", "matrix-market"),
        ("a.nt.zst", "ntriples"),
        ("a.graphml.gz", "graphml"),
        ("a.kglite", "kglite"),
    ],
)
def test_the_ending_says_the_format(tmp_path, name, form):
    from nkgraph.converting import target_format

    assert target_format(tmp_path / name, None) == form


def test_what_is_refused(made, tmp_path):
    (tmp_path / "here").write_text("")
    start = made / "weighted"
    for target, options, message in (
        ("here", {}, "here exists: give a new name"),
        ("x.tsv", {}, "the ending says no format"),
        ("x.foo", {}, "the ending says no format"),
        ("x.rdst.gz", {}, "reddb is not written packed"),
        ("x", {"to": "edges"}, "to is 'edges', not one of native"),
        ("x", {"source_format": "nothing"}, "source_format is 'nothing'"),
    ):
        with pytest.raises(GraphError, match=message):
            nk.convert(start, tmp_path / target, **options)
    (tmp_path / "p.e").write_text("")
    with pytest.raises(GraphError, match=r"p.e exists"):
        nk.convert(start, tmp_path / "p.v")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        nk.convert(start, tmp_path / "none" / "x")
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        nk.convert(tmp_path / "none", tmp_path / "x")
    with pytest.raises(FormatError):
        nk.convert(tmp_path / "here", tmp_path / "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "p.e"]


@pytest.mark.parametrize("to", ["csv", "graphml", "parquet"])
def test_names_and_ids_that_no_text_can_hold(tmp_path, to):
    """Odd names either come back as they were, or are refused with nothing left behind."""
    for number, (kind, key, name) in enumerate(
        [
            ("A\nB", "k", "p"),
            ('A "B"', "k", "p,q|r"),
            ("A(B)", "k", "x:ID"),
            ("A:B", "a\nb", "p"),
            ("A", "nan", "p"),
            ("A", "12", ":ID"),
            ("A", "\x01", "p"),
            ("A", "k", " p "),
            ("A;B|C\tD", "k", "p|q|r|s"),
            ("é", "_:b", "p\tq"),
            ("aux.", "<&>", "p\x02"),
        ]
    ):
        g = nk.Graph()
        nodes = g.add_nodes(kind, [key, "other"], {name: ["x", None]})
        g.add_edges(kind + "!", nodes[:1], nodes[1:], {name: [1]})
        g.save(tmp_path / f"g{number}")
        (tmp_path / str(number)).mkdir()
        error = None
        try:
            found = there_and_back(tmp_path / str(number), tmp_path / f"g{number}", to)
        except GraphError as problem:
            error = str(problem)
        if error is None:
            assert found == (opened(tmp_path / f"g{number}"), ())
        else:
            assert "cannot hold" in error
            assert not list((tmp_path / str(number)).iterdir())


@pytest.mark.parametrize("to", TARGETS)
def test_empty_graphs(tmp_path, to):
    nk.Graph().save(tmp_path / "g")
    found, losses = there_and_back(tmp_path, tmp_path / "g", to)
    assert (found, losses) == ((set(), {}), ())


def test_titles_in_tables(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "Town.csv").write_text("id:ID(Town),name:TITLE\n1,Rome\n2,\n")
    graph = nk.import_csv(tmp_path / "t")
    assert graph.titles(graph.nodes()).tolist() == ["Rome", ""]
    assert list(graph.read_nodes("Town")) == []
    (tmp_path / "t" / "road.csv").write_text(":START_ID(Town),:END_ID(Town),:TITLE\n1,2,x\n")
    with pytest.raises(FormatError, match="edges without a :TITLE column, found one"):
        nk.import_csv(tmp_path / "t")
    (tmp_path / "t" / "Town.csv").write_text("id:ID(Town),a:TITLE,b:TITLE\n1,Rome,x\n")
    with pytest.raises(FormatError, match="one :TITLE column, found two"):
        nk.import_csv(tmp_path / "t")


# -- the command ------------------------------------------------------------------------------


def test_the_command(made, tmp_path, capsys):
    assert main(["convert", str(made / "weighted"), str(tmp_path / "w.mtx"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["source_format"], report["target_format"]) == ("native", "matrix-market")
    assert report["losses"] == []
    assert main(["convert", str(made / "tables"), str(tmp_path / "t.rdst")]) == 1
    assert "KNOWS: edges without a weight" in capsys.readouterr().err
    assert main(["convert", str(made / "tables"), str(tmp_path / "t.rdst"), "--lossy"]) == 0
    out = capsys.readouterr().out
    assert "left out: 1\n  KNOWS: edges without a weight, they get one of 1.0" in out
    path = tmp_path / "names"
    path.write_text("ann bob\n")
    assert main(["convert", str(path), str(tmp_path / "n")]) == 1
    assert "--from" in capsys.readouterr().err
    assert main(["convert", str(path), str(tmp_path / "n"), "--from", "edges"]) == 0


@pytest.mark.parametrize("ending", [".nt", ".graphml", ".mtx", ".parquet"])
def test_the_import_command_knows_them_too(made, tmp_path, capsys, ending):
    name = "facts" if ending == ".nt" else "weighted"
    path = nk.convert(made / name, tmp_path / f"x{ending}").path
    assert main(["import", str(path), "-o", str(tmp_path / "out")]) == 0
    assert "made from" in capsys.readouterr().out
    assert opened(tmp_path / "out") == opened(made / name)


def test_datatypes_in_names(tmp_path):
    xsd = "http://www.w3.org/2001/XMLSchema#"
    g = nk.Graph()
    names = {f"x:p ^^{xsd}integer": ["01", "x"], f"x:q ^^{xsd}double": ["1", "one"]}
    names |= {f"x:r ^^{xsd}string": ["a", None], "x:s @en": ["a", 1], "x:t @": ["a", None]}
    g.add_nodes("Resource", ["x:a", "x:b"], names)
    g.save(tmp_path / "g")
    done = nk.convert(tmp_path / "g", tmp_path / "g.nt", lossy=True)
    assert done.losses == (
        f"Resource.x:q ^^{xsd}double: texts that ^^{xsd}double makes values (1 of 2)",
        f"Resource.x:r ^^{xsd}string: texts of ^^{xsd}string come back without it",
        "Resource.x:s @en: values that are no texts, in spite of its name",
        "property 'x:t @', no IRI: it becomes urn:nkgraph:property:x%3At%20%40",
    )


def test_the_command_in_a_process_of_its_own(tmp_path):
    (tmp_path / "e").write_text("1 2\n")
    code = "from nkgraph.cli import main; raise SystemExit(main())"
    call = [sys.executable, "-c", code, "convert", str(tmp_path / "e"), str(tmp_path / "e.nt")]
    result = subprocess.run(call, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ntriples cannot hold all of the graph" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


@pytest.mark.parametrize("ending", [".parquet", ".mtx", ".nt", ".graphml"])
def test_a_source_that_is_cut_short(made, tmp_path, ending):
    name = "facts" if ending == ".nt" else "weighted"
    nk.convert(made / name, tmp_path / f"x{ending}")
    path = tmp_path / f"x{ending}"
    if path.is_dir():
        path = sorted(path.iterdir())[0]
    whole = path.read_bytes()
    for size in np.linspace(0, 0.9 * len(whole), 6).astype(int).tolist():
        if ending == ".nt" and whole[size - 1 : size] == b"\n":
            continue  # whole lines are a whole file
        path.write_bytes(whole[:size])
        with pytest.raises(NkgraphError):
            nk.convert(tmp_path / f"x{ending}", tmp_path / "out", "native")
        assert not (tmp_path / "out").exists()


def test_gzip_holds_no_time(made, tmp_path):
    nk.convert(made / "facts", tmp_path / "a.nt.gz")
    data = (tmp_path / "a.nt.gz").read_bytes()
    assert data[4:8] == bytes(4)
    assert gzip.decompress(data).count(b"\n") == 15
