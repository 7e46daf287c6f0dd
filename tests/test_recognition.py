"""What ``open`` says of what it does not open, and what is recognised, by content."""

import gzip
import json
import os
import shutil

import numpy as np
import pytest
import sparrow_databases as sparrow

import nkgraph as nk
from nkgraph.errors import FormatError, VersionError
from nkgraph.recognising import recognise
from nkgraph.storage import reddb
from nkgraph.storage.sparrowdb import NodeStore, wal

LOOKED_FOR = (
    r"expected CURRENT \(native, kglite 0.13\), disk_graph_meta.json \(kglite\) or catalog.tlv "
    r"\(SparrowDB\)"
)


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def a_graph():
    g = nk.Graph()
    nodes = g.add_nodes("Town", ["Bern", "Chur"], {"height": [540, 593]})
    g.add_edges("ROAD", nodes[:1], nodes[1:], {"weight": [0.5]})
    return g


def same(graph):
    assert graph.node_types == {"Town": 2}
    assert graph.ids(graph.nodes()).tolist() == ["Bern", "Chur"]
    assert graph.read_nodes("Town")["height"].tolist() == [540, 593]
    assert graph.neighbors(0, "ROAD").tolist() == [1]
    assert graph.read_edges("ROAD")["weight"].tolist() == [0.5]


# -- what is opened ---------------------------------------------------------------------------


def test_each_format_gives_the_same_graph(tmp_path):
    g = a_graph()
    g.save(tmp_path / "native")
    g.save(tmp_path / "flat", layout="flat")
    reddb.save(reddb.from_graph(g), tmp_path / "dump")
    # kglite 0.13 keeps the flat files behind CURRENT.
    generation = tmp_path / "behind" / "generations" / "gen_00000000000000000007"
    shutil.copytree(tmp_path / "flat", generation)
    write(tmp_path / "behind" / "CURRENT", "gen_00000000000000000007\n")
    for name, form in (
        ("native", "nkgraph"), ("flat", "kglite"), ("behind", "kglite"), ("dump", "reddb"),
    ):  # fmt: skip
        with nk.open(tmp_path / name) as opened:
            assert opened.format == form
            same(opened)
    assert recognise(tmp_path / "native") == recognise(tmp_path / "behind") == "native"
    assert recognise(tmp_path / "flat") == "kglite"
    assert recognise(tmp_path / "dump") == "reddb"


def test_segments_and_databases_of_the_engines(data):
    with nk.open(data / "kglite" / "seg_full" / "graph") as graph:
        assert (graph.format, graph.segment_count > 1) == ("kglite", True)
    assert recognise(data / "kglite" / "seg_full" / "graph") == "kglite"
    (folder,) = [path.parent for path in (data / "sparrowdb").glob("*/db/catalog.tlv")][:1]
    assert recognise(folder) == "sparrowdb"


# -- what is not ------------------------------------------------------------------------------


def refused(path, message, error=FormatError):
    with pytest.raises(error, match=f"(?s){message}"):
        nk.open(path)


def test_folders_that_are_no_graph(tmp_path):
    refused(tmp_path, LOOKED_FOR + ", found an empty directory")
    for name in "abcdefg":
        write(tmp_path / name, "x")
    refused(tmp_path, LOOKED_FOR + ", found a, b, c, d, e and 2 more$")
    with pytest.raises(FileNotFoundError):
        nk.open(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("Town.csv", "id:ID(Town)\n1\n", "nkgraph.import_csv reads csv"),
        (
            "Town.tsv.gz",
            gzip.compress(b"id:ID(Town)\n1\n", mtime=0),
            "nkgraph.import_csv reads csv",
        ),
        ("Town.parquet", b"PAR1....", "nkgraph.import_parquet reads parquet"),
        ("facts.nt", "<x:a> <x:b> <x:c> .\n", "facts.nt is ntriples: nkgraph.import_ntriples"),
        ("a.mtx", "%%MatrixMarket matrix coordinate", "a.mtx is matrix-market"),
        ("dump", b"RDST\x0a\0\0\0", "dump is reddb: open that"),
    ],
)
def test_folders_of_what_can_be_imported(tmp_path, name, content, remedy):
    write(tmp_path / name, content)
    refused(tmp_path, f"{LOOKED_FOR}, found {name}; {remedy}")


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("id:ID(Town)|name\n1|Rome\n", "csv"),
        (b"PAR1....", "parquet"),
        ("%%MatrixMarket matrix coordinate real general\n", "matrix-market"),
        ('<?xml version="1.0"?>\n<!-- x -->\n<graphml xmlns="y">', "graphml"),
        ("# c\n_:b <http://x/y> 'no", None),
        ('# c\n_:b <http://x/y> "a" .\n', "ntriples"),
        ("cat\teats\tfish\n", "triples"),
        ("# from to\n1 2\n", "edges"),
        ("1,2,0.5\n", "edges"),
    ],
)
@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_files_that_can_be_imported(tmp_path, content, form, pack):
    data = content if isinstance(content, bytes) else content.encode()
    if data[:4] == b"PAR1":
        pack = bytes
    path = write(tmp_path / "file", pack(data))
    assert recognise(path) == form
    expected = "a RedDB dump, which begins with RDST, or a graph directory with CURRENT"
    found = "a file that begins" if form is None else f"found {form}; nkgraph.import_"
    refused(path, f"format: expected {expected}.*{found}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\1\2",
        b"hello world\n",
        b"SQLite format 3\0",
        b"\x1f\x8bbroken",
        b"<svg/>\n",
        b"1\n",
    ],
)
def test_nothing_is_recognised_by_what_it_is_not(tmp_path, content):
    path = write(tmp_path / "file", content)
    assert recognise(path) is None
    refused(path, "found a file that begins with b'")
    with pytest.raises(FormatError, match="expected the content of a graph: native"):
        nk.convert(path, tmp_path / "to")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "expected a regular file or a directory, found a pipe or device")


def test_parts_of_graphs(tmp_path):
    a_graph().save(tmp_path / "g")
    (tmp_path / "g" / "CURRENT").unlink()
    refused(tmp_path / "g", "found .lock, generations; CURRENT is missing")
    segment = tmp_path / "s" / "seg_000"
    segment.mkdir(parents=True)
    refused(tmp_path / "s", "found seg_000; segments of kglite without disk_graph_meta.json")
    with NodeStore.open(tmp_path / "n", sync=False) as store:
        store.create_node(0, {1: 2})
    refused(tmp_path / "n", "nkgraph.storage.sparrowdb.NodeStore opens nodes without a catalog")
    (tmp_path / "rocks").mkdir()
    write(tmp_path / "rocks" / "CURRENT", "MANIFEST-000004\n")
    refused(tmp_path / "rocks", "CURRENT: name at byte 0: expected gen_ and 20 digits")
    assert recognise(tmp_path / "rocks") is None


# -- newer ones, and sealed ones ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"), [("serde_codec_version", 2), ("disk_format", 1), ("csr_layout_version", 2)]
)
def test_newer_kglite(tmp_path, key, value):
    a_graph().save(tmp_path / "g", layout="flat")
    path = tmp_path / "g" / "disk_graph_meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    remedy = "open it with kglite 0.13.4 or older and save it, or export it"
    refused(tmp_path / "g", f"{key}: expected .*, found {value}; {remedy}", VersionError)


def test_newer_reddb(tmp_path):
    path = write(tmp_path / "new.rdst", b"RDST" + (11).to_bytes(4, "little") + bytes(50))
    remedy = "written by a newer RedDB: dump it with RedDB 1.22 or older"
    refused(path, f"version at byte 4: expected 1 to 10, found 11; {remedy}", VersionError)


def test_newer_sparrowdb(tmp_path):
    draft = sparrow.Draft()
    draft.label("Person", mark=1)
    draft.entry(7, b"new")
    sparrow.save(draft.files(), tmp_path / "db")
    remedy = "written by a newer engine: export the database with that engine"
    refused(tmp_path / "db", f"expected 1 to 6, found 7; {remedy}", VersionError)
    sparrow.save({**sealed(0), sparrow.WAL.format(0): b"\x03abc"}, tmp_path / "db2")
    remedy = "written by a newer engine, or damaged: export the database with that engine"
    with (
        nk.open(tmp_path / "db2") as graph,
        pytest.raises(
            VersionError, match=f"version at byte 0: expected 2 or 21, found 3; {remedy}"
        ),
    ):
        graph.read_nodes("Person")


def sealed(records):
    """A database whose log is encrypted: payloads are noise under right checksums."""
    draft = sparrow.Draft()
    label = draft.label("Person", mark=2)
    draft.column(label, "age", [36, 41])
    log = sparrow.Log()
    rng = np.random.default_rng(8)
    log.record(0x01)
    for _ in range(records):
        log.record(0x10, rng.bytes(24 + 30 + 16))
    log.record(0x03)
    return {**draft.files(), sparrow.WAL.format(0): bytes(log.data)}


def test_an_encrypted_sparrowdb(tmp_path):
    sparrow.save(sealed(3), tmp_path / "db")
    message = "first payload at byte .*the log is encrypted; the columns are not encrypted.*export"
    refused(tmp_path / "db", message, VersionError)
    with nk.open(tmp_path / "db", property_names=["age"]) as graph:
        assert graph.read_nodes("Person")["age"].tolist() == [36, 41]


def test_a_log_in_the_clear_is_not_taken_for_an_encrypted_one(tmp_path):
    files = sealed(0)
    log = sparrow.Log()
    log.record(0x01)
    log.node("age", "a name that makes the record as long as an encrypted one would be")
    files[sparrow.WAL.format(0)] = bytes(log.data)
    sparrow.save(files, tmp_path / "db")
    with nk.open(tmp_path / "db") as graph:
        assert list(graph.read_nodes("Person")) == ["age"]


def test_the_log_that_names_columns_is_as_the_twin_writes_it():
    log = sparrow.Log()
    log.record(0x01)
    for label, names in ((0, ("age", "é")), (2, ("x",))):
        pairs = b"".join(sparrow.text(name) + sparrow.text(bytes(8)) for name in names)
        body = sparrow.u64(label << 32) + sparrow.u32(label) + sparrow.u32(len(names)) + pairs
        log.record(0x10, body)
    log.record(0x03)
    assert wal.encode_names({2: ["x"], 0: ["age", "é"]}) == bytes(log.data)
