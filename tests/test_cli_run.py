"""``nkgraph run`` and ``nkgraph bench``."""

import csv
import json

import numpy as np
import pytest

import nkgraph as nk
from nkgraph import cli


@pytest.fixture
def path(tmp_path):
    with nk.Graph() as graph:
        graph.add_nodes("Town", ["Bern", "Chur", "Visp", "Zug"])
        graph.add_edges("ROAD", [0, 1, 2], [1, 2, 1], {"km": [241.0, 85.0, 85.0]})
        graph.save(tmp_path / "towns")
    return str(tmp_path / "towns")


def run(capsys, *arguments):
    status = cli.main(["run", *arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_scores(capsys, path):
    status, out, _ = run(capsys, "pagerank", path, "--limit", "2", "--json")
    report = json.loads(out)
    with nk.open(path) as graph:
        ranks = nk.pagerank(graph)
    assert status == 0
    assert [row["id"] for row in report["top"]] == ["Chur", "Visp"]
    assert report["top"][0] == {"type": "Town", "id": "Chur", "value": ranks[1]}
    status, out, _ = run(capsys, "core_numbers", path)
    assert "Town Bern" in out
    assert out.startswith("core_numbers of 4 nodes")
    assert run(capsys, "pagerank", path, "--limit", "0")[0] == 0


def test_groups_and_distances(capsys, path):
    _, out, _ = run(capsys, "connected_components", path, "--json")
    assert json.loads(out)["largest"] == [{"label": 0, "nodes": 3}, {"label": 3, "nodes": 1}]
    _, out, _ = run(capsys, "bfs", path, "--source", "Town", "Bern")
    assert "reached 3; the farthest at 2" in out
    where = ("--source", "Town", "Bern", "--weight", "km", "--type", "ROAD", "--json")
    report = json.loads(run(capsys, "sssp", path, *where)[1])
    assert (report["reached"], report["farthest"]) == (3, 326.0)


def test_values_go_to_files(capsys, path, tmp_path):
    for name in ("v.npy", "v.csv"):
        assert run(capsys, "triangles", path, "-o", str(tmp_path / name))[0] == 0
    assert np.load(tmp_path / "v.npy").tolist() == [0, 0, 0, 0]
    rows = list(csv.reader((tmp_path / "v.csv").read_text().splitlines()))
    assert rows[:2] == [["type", "id", "value"], ["Town", "Bern", "0"]]
    assert len(rows) == 5
    status, _, err = run(capsys, "triangles", path, "-o", str(tmp_path / "v.npy"))
    assert (status, "v.npy" in err) == (1, True)  # nothing is written over


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bfs"], "bfs wants --source TYPE ID"),
        (["pagerank", "--source", "Town", "Bern"], "pagerank takes no --source"),
        (["bfs", "--source", "Town", "Genf"], "no Town has the id 'Genf'"),
        (["pagerank", "--option", "dampin=1"], "pagerank has no dampin; it has damping, "),
        (["pagerank", "--option", "damping"], "--option damping: expected NAME=VALUE"),
        (["pagerank", "--option", "damping=2"], "damping is 2, not from 0 to 1"),
        (["triangles", "-o", "x.txt"], "x.txt: expected a name that ends in .npy or .csv"),
        (["pagerank", "--type", "RAIL"], "'RAIL'"),
    ],
)
def test_what_is_wrong_is_named(capsys, path, arguments, message):
    status, out, err = run(capsys, arguments[0], path, *arguments[1:])
    assert (status, out) == (1, "")
    assert message in err


def test_bench(capsys, path):
    for graph in ([path], ["--nodes", "500", "--edges", "2000"]):
        assert cli.main(["bench", *graph, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert {row["name"] for row in report["rows"]} >= {"bfs", "pagerank", "betweenness"}
        assert all(row["second"] > 0 and row["bytes"] >= 0 for row in report["rows"])
    assert cli.main(["bench", path]) == 0
    assert "4 nodes, 3 edges" in capsys.readouterr().out
