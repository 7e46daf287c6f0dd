"""The regression suite itself: what it reads, measures, compares and writes; on tiny graphs."""

import json
import struct
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))  # perf/ is not installed

from perf import __main__ as suite  # noqa: E402
from perf import fresh, gap, graphs, harness, larger, machine, report, rivals  # noqa: E402
from perf.harness import OURS, Contest, Means, Result, Rival, Row, Scale  # noqa: E402

TINY = Scale(1 << 10, 1 << 13, 4, 1000, (1 << 10, 1 << 11), 1)
MUSTS = {  # what each row must reach: the table in the project's notes on performance
    "search 1": 0.5,
    "search 1k": 0.1,
    "search sorted": 0.2,
    "search skewed zipf": 0.5,
    "build": 0.3,
    "build untyped": 0.3,
    "type index": 0.2,
    "peer counts": 0.5,
    "stitch local": 1.1,
    "stitch full": 0.35,
    "merge index": 0.2,
    "merge counts": 0.45,
    "gather dense": 1.0,
    "pagerank rmat 20": 1.0,
    "pagerank uniform 18": 1.0,
    "bfs rmat 20": 2.0,
    "components uniform 20": 1.2,
    "sssp rmat 20": 2.0,
    "triangles rmat 20": 0.4,
    "clustering rmat 18": 0.6,
    "betweenness rmat 20": 2.0,
    "cores rmat 20": 0.8,
    "labels rmat 18": 0.2,
}


def result(name="row", ours=1.0, rival=2.0, **more):
    return Result(name, 0.5, 0.25, times={OURS: [3.0, ours], "numpy": [rival]}, **more)


# -- the command line -------------------------------------------------------------------------


def test_a_full_run_measures_everything_and_a_check_what_is_quick():
    full = suite.parse([])
    assert (full.memory, full.cold, full.light) == (True, True, False)
    few = suite.parse(["--rows", "bfs, sssp"])
    assert (few.wanted, few.memory, few.cold) == (["bfs", "sssp"], True, False)
    check = suite.parse(["--check"])
    assert (check.memory, check.cold, check.light, check.small) == (False, False, True, True)
    assert suite.parse(["--quick", "--cold", "--memory"]).cold
    assert not suite.parse(["--no-cold"]).cold


def test_sizes_are_read_from_the_arguments():
    def sizes(*arguments):
        scale = suite.scale_of(suite.parse(list(arguments)))
        return scale.node_count, scale.edge_count, scale.rounds

    assert sizes() == (1 << 20, 1 << 24, 7)
    assert sizes("--scale", "12") == (1 << 12, 1 << 16, 7)
    assert sizes("--scale", "12", "--edges", "99", "--rounds", "2") == (1 << 12, 99, 2)
    assert sizes("--quick", "--nodes", "3000") == (3000, 1 << 20, 5)
    assert Scale(3000, 1 << 20).bits == 12
    assert [suite.is_full(scale) for scale in (Scale(), Scale.quick(), TINY)] == [
        True,
        False,
        False,
    ]
    assert Scale(3000, 1 << 20).degree == 256


def test_rows_have_names_of_their_own_and_the_targets_of_the_table():
    rows = {}
    for stage, row in suite.all_rows(Scale()):
        assert row.name not in rows, row.name
        rows[row.name] = row
        assert (Path(suite.__file__).parent / f"{stage}.py").is_file()
    for name, must in MUSTS.items():
        assert rows[name].must == must, name
    quick = {row.name: row for _, row in suite.all_rows(Scale.quick())}
    known = json.loads(suite.BASELINE.read_text())
    assert set(known) <= set(quick)  # else every check would say that they vanished
    light = {name for name, row in quick.items() if harness.asked_for(row, [], light=True)}
    assert set(known) <= light
    assert "bfs rmat 16 scipy" in light
    assert "bfs rmat 16" not in light
    long = harness.Limit("long", lambda: lambda: 1.0, 2.0, full_only=True)
    assert harness.asked_for(long, [], light=False)
    assert not harness.asked_for(long, [], light=False, small=True)
    assert harness.asked_for(long, ["long"], light=True, small=True)


# -- measuring --------------------------------------------------------------------------------


def measured(rivals_given, ours=lambda: 7, **means):
    row = Row("row", lambda: Contest(ours, rivals_given, moved=1000), 0.5, 0.25, rival="one")
    return harness.measure(row, Means(3, **means))


def equal(ours, theirs):
    return ours == theirs


def missing_rival():
    raise ModuleNotFoundError("no such thing", name="thing")


def test_contenders_are_called_in_turn():
    calls = []
    given = {
        name: Rival(partial(lambda name: partial(calls.append, name), name))
        for name in ("one", "two")
    }
    found = measured(given, partial(calls.append, OURS), bandwidth=100.0)
    assert calls == [OURS, "one", "two"] * 4
    assert {name: len(seconds) for name, seconds in found.times.items()} == {
        OURS: 3,
        "one": 3,
        "two": 3,
    }
    assert found.floor == 10.0
    assert found.over_floor == found.ours / 10.0


def test_what_is_not_installed_is_left_out_and_named():
    found = measured({"one": Rival(missing_rival), "two": Rival(lambda: lambda: 7)})
    assert found.missing == {"one": "thing"}
    assert found.rival_name == "two"
    assert found.verdict() == "-"
    assert "one: thing is not installed" in report.lines(found)
    alone = measured({"one": Rival(missing_rival)})
    assert alone.ratio is None
    assert "not measured" in report.lines(alone)
    pair = harness.measure(Row("row", missing_rival, 1.0, 1.0, rival="one"), Means(1))
    assert pair.missing == {"one": "thing"}


def test_another_answer_stops_the_run():
    with pytest.raises(AssertionError, match="row: one gives another answer"):
        measured({"one": Rival(lambda: lambda: 8, equal)})
    assert measured({"one": Rival(lambda: lambda: 7, equal)}).ratio > 0


def test_a_slow_rival_is_called_once(monkeypatch):
    monkeypatch.setattr(harness, "SLOW", 0.0)
    calls = []
    found = measured({"one": Rival(lambda: partial(calls.append, 1))})
    assert len(calls) == len(found.times["one"]) == 1
    assert len(found.times[OURS]) == 3


def test_programs_say_their_own_times():
    found = measured({"one": Rival(lambda: harness.Clocked(lambda: 0.5))})
    assert found.rival == 0.5


def test_a_check_leaves_heavy_rivals_out():
    given = {"GAP bfs": Rival(missing_rival), "scipy": Rival(lambda: lambda: 7)}
    found = measured(given, light=True)
    assert list(found.times) == [OURS, "scipy"]
    assert not found.missing


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the peak")
def test_memory_is_that_of_a_call_beyond_what_was_there():
    held = np.ones(1 << 22)
    size = 40 << 20
    assert size <= machine.peak_memory(lambda: np.ones(size, np.uint8)) < 2 * size
    assert machine.peak_memory(held.sum) < 10 << 20
    found = measured({"one": Rival(lambda: lambda: np.zeros(1))}, memory=True)
    assert set(found.peaks) == {OURS, "one"}


def test_bandwidth_is_that_of_a_machine():
    assert 1e8 < machine.bandwidth(1 << 22) < 1e13


# -- comparing --------------------------------------------------------------------------------


def test_the_ratio_is_that_of_best_times():
    assert result(ours=1.0, rival=2.0).ratio == 0.5
    assert [result(ours=ours).verdict() for ours in (0.4, 0.9, 1.1)] == ["aim", "ok", "MISS"]
    assert result(ours=9.0).verdict(full=False) == "-"
    fastest = Result("r", 1.0, 0.5, "fastest", {OURS: [1.0], "a": [4.0], "b": [3.0, 2.0]})
    assert (fastest.rival_name, fastest.ratio, fastest.verdict()) == ("b", 0.5, "aim")
    assert Result("limit", 1.0, 1.0, "limit", {OURS: [2.0], "limit": [1.0]}, is_limit=True).verdict(
        full=False
    ) == ("MISS")


def test_a_loss_is_more_than_a_quarter():
    before = {"row": {"ratio": 0.5}}
    assert not report.losses([result(ours=1.24)], before)
    assert list(report.losses([result(ours=1.26)], before).values()) == [
        "row: ratio 0.630, was 0.500"
    ]
    assert "no longer measured" in report.losses([], before)["row"]
    assert not report.losses([result("new", ours=99.0)], {})


def test_a_rival_that_is_not_there_is_no_loss():
    before = {"row": {"ratio": 0.5, "rival": "numpy"}}
    without = Result("row", 0.5, 0.25, missing={"numpy": "numpy"})
    assert not report.losses([without], before)
    other = Result("row", 0.5, 0.25, times={OURS: [9.0], "scipy": [1.0]})
    assert not report.losses([other], before)
    fastest = Result("row", 0.5, 0.25, "fastest", {OURS: [9.0], "scipy": [1.0]})
    assert report.losses([fastest], before)


def test_a_limit_is_lost_when_it_is_passed():
    found = Result("l", 1.0, 1.0, "limit", {OURS: [0.5], "limit": [1.0]}, is_limit=True)
    assert not report.losses([found], {"l": {"ratio": 0.1}})
    over = replace(found, times={OURS: [1.5], "limit": [1.0]})
    assert "over the limit of 1.0 s" in report.losses([over], {})["l"]


def test_the_baseline_is_what_a_check_reads():
    written = report.baseline([result(), Result("gone", 1.0, 1.0)])
    assert written == {
        "row": {"ours_s": 1.0, "rival_s": 2.0, "ratio": 0.5, "must": 0.5, "rival": "numpy"}
    }
    assert not report.losses([result()], written)
    assert report.better(result(ours=1.0), result(ours=0.5)).ours == 0.5


# -- what comes out ---------------------------------------------------------------------------


def test_two_rows_are_run_and_written(tmp_path, capsys):
    path = tmp_path / "found.json"
    sizes = ["--nodes", "1024", "--edges", "8192", "--rounds", "2"]
    code = suite.main(
        ["--quick", "--memory", *sizes, "--rows", "degrees,walks rmat", "--json", str(path)]
    )
    assert code == 0
    said = capsys.readouterr().out
    assert "degrees skewed" in said
    found = json.loads(path.read_text())
    assert set(found) == {
        "versions", "machine", "bandwidth_bytes_per_s", "scale", "full", "seeds", "rows", "cold"
    }  # fmt: skip
    assert found["versions"]["numpy"] == np.__version__
    assert found["scale"]["node_count"] == 1024
    assert list(found["rows"]) == ["degrees", "degrees skewed", "walks rmat 10"]
    row = found["rows"]["degrees"]
    ours = row["contenders"][OURS]
    assert len(ours["all_s"]) == 2
    assert min(ours["all_s"]) == ours["min_s"] <= ours["median_s"]
    assert row["ratio"] == ours["min_s"] / row["contenders"]["numpy"]["min_s"]
    assert row["limit_s"] == (4 * 8192 + 8 * 1024) / found["bandwidth_bytes_per_s"]
    assert {"stage", "rival", "must", "aim", "verdict", "missing"} <= set(row)
    assert row["stage"] == "bench_build"
    assert suite.main(["--quick", "--rows", "no such row"]) == 1


def test_a_chart_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "chart.png"
    many = [result(f"row {number}", floor=0.001) for number in range(70)]
    slow = Result("limit", 1.0, 1.0, times={OURS: [2.0], "limit": [1.0]}, is_limit=True)
    report.write_chart([*many, slow], path, "title")
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1500  # two panels
    assert height > 500
    with pytest.raises(ValueError, match="no row has times"):
        report.write_chart([slow], path)


def test_first_calls_are_those_of_one_row_a_stage_or_of_named_ones():
    rows = list(suite.all_rows(Scale.quick()))
    first = fresh.chosen(rows, [])
    stages = [stage for stage, _ in first]
    assert ("bench_build", "build") in first
    assert ("bench_search", "search sorted") in first  # one search needs no kernel
    assert {name for _, name in first} <= {row.name for _, row in rows}
    assert len(stages) == len(set(stages)) > 10
    assert fresh.chosen(rows, ["type index"]) == [
        ("bench_build", "type index"),
        ("bench_build", "type index skewed"),
    ]
    found = fresh.first_call("bench_build", "degrees", TINY)
    assert found["first_s"] > 0
    assert {"again_s", "compiled", "compile_s", "fetched", "fetch_s"} <= set(found)
    both = {"row": "degrees", "empty_cache": found, "filled_cache": found}
    assert fresh.line(both).startswith("degrees")


# -- graphs and rivals ------------------------------------------------------------------------


def test_a_graph_in_parts_is_the_same_graph():
    whole = graphs.kronecker(14, 12)
    for part in (1, 70_000, 1 << 20):
        pieces = list(graphs.kronecker_parts(14, 12 << 14, part))
        for side in (0, 1):
            assert np.array_equal(np.concatenate([piece[side] for piece in pieces]), whole[side])
    assert len(list(graphs.kronecker_parts(14, 12 << 14, 1))) == 3


def test_a_graph_is_written_as_the_programs_of_the_suite_read_it(tmp_path, monkeypatch):
    csr = graphs.simple(np.array([0, 2], "u4"), np.array([1, 0], "u4"), 3)
    data = gap.write_graph(csr, tmp_path / "g.sg").read_bytes()
    assert data == struct.pack("<?qq4q4i", False, 4, 3, 0, 2, 3, 4, 1, 2, 0, 0)
    monkeypatch.setenv(gap.FOLDER, str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="GAP bfs"):
        gap.rival("bfs", tmp_path / "g.sg")


def test_parts_are_the_same_whatever_their_labels():
    assert rivals.same_parts([0, 0, 2, 2], [5, 5, 1, 1])
    assert not rivals.same_parts([0, 0, 2, 2], [5, 5, 5, 5])
    assert not rivals.same_parts([0, 0, 0, 0], [5, 5, 1, 1])
    assert not rivals.same_parts([0, 0], [5, 5, 5])


@pytest.mark.parametrize("name", ["networkit", "igraph"])
def test_a_library_gets_the_same_graph(name):
    """Of the others, which tests do not need, the answers are compared in each run."""
    csr = graphs.graph("rmat", 6, 4)
    made = getattr(rivals, name)("rmat", 6, 4)
    if name == "networkit":
        counts = made.numberOfNodes(), made.numberOfEdges()
    else:
        counts = made.vcount(), made.ecount()
    assert counts == (csr.node_count, csr.edge_count // 2)
    rivals.forget()


# -- larger than memory -----------------------------------------------------------------------


def test_a_graph_is_built_in_parts_and_searched_on_its_maps(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(larger, "WARM_BITS", 10)
    monkeypatch.setattr(larger, "SEGMENTS", 3)
    larger.build(tmp_path, 10, 200_000, 1 << 24)
    larger.build(tmp_path, 10, 200_000, 1 << 24)
    larger.algorithms(tmp_path, None)
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["step"] for step in steps] == [
        "build", "build", "open", "rows", "bfs", "components", "pagerank, 5 rounds"
    ]  # fmt: skip
    assert "3 segments of at most 131,072 edges" in steps[0]["says"]
    assert steps[1]["says"] == "is there already"
    assert all(step["floor"] > 0 and step["seconds"] > 0 for step in steps[3:])
    assert {path.name for path in tmp_path.iterdir()} == {"graph", "rows"}
    with pytest.raises(AssertionError, match="another graph: 1024 nodes, 200000 edges"):
        larger.build(tmp_path, 10, 99, None)


# -- the check --------------------------------------------------------------------------------


def test_a_check_measures_again_what_seems_lost(tmp_path, monkeypatch, capsys):
    path = tmp_path / "baseline.json"
    monkeypatch.setattr(suite, "BASELINE", path)
    monkeypatch.setattr(suite, "RETRIES", 1)
    monkeypatch.setenv("NKGRAPH_THREADS", "2")  # put back afterwards: a check sets it
    arguments = ["--check", "--nodes", "1024", "--edges", "8192", "--rounds", "1"]
    arguments += ["--rows", "degrees skewed"]
    path.write_text('{"degrees skewed": {"ratio": 1e-9}, "others": {"ratio": 1.0}}')
    assert suite.main(arguments) == 1
    said = capsys.readouterr().out
    assert "again: degrees skewed" in said
    assert "degrees skewed: ratio" in said
    assert "others" not in said  # it was not asked for
    path.write_text('{"degrees skewed": {"ratio": 1e9}}')
    assert suite.main(arguments) == 0
    assert "no row lost" in capsys.readouterr().out


def test_a_baseline_keeps_the_worst_of_several_runs(tmp_path, monkeypatch, capsys):
    path = tmp_path / "baseline.json"
    ratios = iter([0.5, 0.75, 0.25])
    monkeypatch.setattr(suite, "BASELINE", path)
    monkeypatch.setattr(suite, "BASELINE_RUNS", 3)
    monkeypatch.setattr(suite, "all_rows", lambda scale: [])
    monkeypatch.setattr(suite, "run_rows", lambda *given: [result(ours=2.0 * next(ratios))])
    suite.write_baseline(TINY)
    assert json.loads(path.read_text())["row"]["ratio"] == 0.75
    assert "rival" in capsys.readouterr().out
