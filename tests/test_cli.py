"""The shell commands, as a user types them."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from nkgraph import cli
from nkgraph.storage import reddb


def run(capsys, *arguments):
    status = cli.main(list(arguments))
    output = capsys.readouterr()
    return status, output.out, output.err


@pytest.fixture
def social(tmp_path):
    (tmp_path / "edges.txt").write_text("# votes\n1 2\n1 3\n2 3\n3 3\n")
    return tmp_path


def test_demo(capsys, tmp_path):
    status, out, _ = run(capsys, "demo", str(tmp_path / "lsqb"))
    assert status == 0
    assert "31,524 nodes of 11 types, 49,680 edges of 25 types" in out
    assert "8 paths to 8 comments" in out
    assert "Person 32: 402 posts" in out
    assert f"nkgraph info {tmp_path / 'lsqb'}" in out
    status, out, _ = run(capsys, "info", str(tmp_path / "lsqb"), "--json")
    assert (status, json.loads(out)["nodes"]) == (0, 31524)
    status, _, err = run(capsys, "demo", str(tmp_path / "lsqb"))
    assert status == 1
    assert "lsqb" in err


def test_demo_json(capsys, tmp_path):
    status, out, _ = run(capsys, "demo", str(tmp_path / "g"), "--json")
    report = json.loads(out)
    assert status == 0
    assert len(report["node_types"]) == 11
    assert len(report["connection_types"]) == 25
    assert report["two_hops"]["paths"] == 8
    assert report["top_peers"]["top"][0]["edges"] == 402
    assert report["properties"]["rows"] == 50


def test_import_info_query(capsys, social):
    where = str(social / "g")
    status, out, _ = run(capsys, "import", str(social / "edges.txt"), "-o", where)
    assert status == 0
    assert "made from edges" in out
    assert "3 nodes, 4 edges" in out
    status, out, _ = run(capsys, "info", where)
    assert status == 0
    assert "nkgraph directory" in out
    assert "connection types: 1" in out
    status, out, _ = run(capsys, "query", where, "--node", "Node", "1")
    assert status == 0
    assert "EDGE: 2 edges: 2, 3" in out
    status, out, _ = run(
        capsys, "query", where, "--node", "Node", "1", "--hop", "EDGE", "--hop", "EDGE"
    )
    assert "EDGE then EDGE: 3 paths" not in out
    assert "EDGE then EDGE: 2 paths to 1 nodes" in out
    status, out, _ = run(capsys, "query", where, "--node", "Node", "3", "--hop=-EDGE", "--json")
    report = json.loads(out)
    assert (report["reached"], report["paths"]) == (3, 3)
    assert {end["id"] for end in report["ends"]} == {1, 2, 3}
    status, out, _ = run(capsys, "query", where, "--top-peers", "EDGE", "--limit", "1")
    assert "2 nodes are targets of EDGE" in out
    assert "id 3, edges 3" in out


def test_import_options(capsys, tmp_path):
    (tmp_path / "a.csv").write_text("who;to;kind;km\nann;bob;ROAD;1.5\nbob;cid;RAIL;2\n")
    arguments = ["--format", "edges", "--delimiter", ";", "--header", "--source", "who"]
    arguments += ["--target", "to", "--type", "kind", "--properties", "km", "--node-type", "Town"]
    status, out, _ = run(
        capsys, "import", str(tmp_path / "a.csv"), "-o", str(tmp_path / "g"), *arguments, "--json"
    )
    report = json.loads(out)
    assert status == 0
    assert report["node_types"] == {"Town": 3}
    assert report["connection_types"] == {"RAIL": 1, "ROAD": 1}
    assert report["edge_properties"]["ROAD"] == ["km"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nowhere"], "nowhere: no such graph directory"),
        (["query", "nowhere"], "wants either --node"),
        (["import", "nowhere.txt", "-o", "g", "--format", "edges"], "nowhere.txt"),
    ],
)
def test_errors_are_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (1, "")
    assert err.startswith("nkgraph: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_query_says_what_there_is(capsys, social):
    where = str(social / "g")
    run(capsys, "import", str(social / "edges.txt"), "-o", where)
    _, _, err = run(capsys, "query", where, "--node", "Nodes", "1")
    assert "no node type 'Nodes'; there are ['Node']" in err
    _, _, err = run(capsys, "query", where, "--node", "Node", "77")
    assert "no Node has the id '77'" in err
    _, _, err = run(capsys, "query", where, "--node", "Node", "1", "--hop", "X")
    assert "no connection type 'X'; there are ['EDGE']" in err


def test_a_closed_pipe_is_no_error(social):
    command = [sys.executable, "-m", "nkgraph", "import", "--help"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first.stdout.close()
    assert first.stderr.read() == b""
    first.wait()
    first.stderr.close()


def test_help_loads_nothing_heavy():
    code = """
import sys
from nkgraph import cli
try:
    cli.main(["--help"])
except SystemExit:
    pass
print([m for m in ("numba", "zstandard", "pandas", "nkgraph.graph") if m in sys.modules])
"""
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - start < 20  # a hang, not a stopwatch: perf/ measures the time


def test_dumps(capsys, social):
    where, dump, again = (str(social / name) for name in ("g", "g.rdst", "again"))
    run(capsys, "import", str(social / "edges.txt"), "-o", where)
    status, out, _ = run(capsys, "export", where, "-o", dump)
    assert status == 0
    assert "RedDB dump, version 10" in out
    assert "3 nodes, 4 edges" in out
    status, _, err = run(capsys, "export", where, "-o", dump)
    assert (status, "exists: give a new name" in err) == (1, True)

    status, out, _ = run(capsys, "info", dump)
    assert status == 0
    assert f"{dump}: RedDB dump, version 10" in out
    assert "graph  3 graph_node, 4 graph_edge" in out
    status, out, _ = run(capsys, "info", dump, "--json")
    report = json.loads(out)
    assert (report["format"], report["nodes"], report["dump"]["version"]) == ("reddb", 3, 10)
    status, out, _ = run(capsys, "query", dump, "--node", "Node", "1", "--hop", "EDGE")
    assert status == 0

    status, out, _ = run(capsys, "verify", dump)
    assert (status, f"{dump}: RedDB dump, every rule holds" in out) == (0, True)
    status, out, _ = run(capsys, "import", dump, "-o", again)
    assert (status, "made from reddb" in out) == (0, True)
    status, out, _ = run(capsys, "info", again, "--json")
    assert json.loads(out)["connection_types"] == {"EDGE": 4}
    status, _, err = run(capsys, "compact", dump)
    assert (status, "is a RedDB dump" in err) == (1, True)
    status, _, err = run(capsys, "import", dump, dump, "--format", "reddb", "-o", again)
    assert (status, "imported by itself" in err) == (1, True)


def test_odd_dumps(capsys, tmp_path):
    store = reddb.Store()
    ends = [("1024", "1024"), ("1024", "7")]
    store.collections["c"] = reddb.Entities([
        reddb.Entity(1024, reddb.GraphNode("a", "N"), reddb.NodeData({})),
        *(reddb.Entity(1025 + i, reddb.GraphEdge("E", *e, 0), reddb.EdgeData(np.float32(1), {}))
          for i, e in enumerate(ends)),
    ])  # fmt: skip
    path = tmp_path / "odd.rdst"
    reddb.save(store, path)
    status, out, err = run(capsys, "verify", str(path))
    assert status == 1
    assert err.startswith("nkgraph: warning: ")
    assert "'7' names no node" in err
    assert "odd.rdst: RedDB dump, 1 finding" in out
