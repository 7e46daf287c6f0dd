"""Pictures hold the numbers that they say they do, and touch nothing else."""

import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

import nkgraph as nk
from nkgraph import cli
from nkgraph.interop import neighborhoods, plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402 - after the backend is chosen
from matplotlib.axes import Axes  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def town_graph():
    """Two node types, three connection types; loops and parallel edges."""
    g = nk.Graph()
    people = g.add_nodes("Person", np.arange(40))
    towns = g.add_nodes("Town", ["Bern", "Chur", "$x$"], titles=["Bern", None, "_$a$_"])
    g.add_nodes("Alone", [1])
    random = np.random.default_rng(4)
    g.add_edges("KNOWS", people[random.integers(0, 40, 150)], people[random.integers(0, 20, 150)])
    g.add_edges("LIVES_IN", people, towns[random.integers(0, 3, 40)])
    g.add_edges("ROAD", towns[[0, 0, 0, 1]], towns[[1, 1, 2, 1]])
    return g


def drawn(ax):
    ax.figure.canvas.draw()
    return ax


# -- distributions ----------------------------------------------------------------------------


def share_of(numbers, over):
    values = sorted(set(numbers) - {0})
    return values, [sum(n >= value for n in numbers) / over for value in values]


@pytest.mark.parametrize("direction", ["out", "in", "both"])
@pytest.mark.parametrize("kind", [None, "KNOWS"])
def test_degrees(direction, kind):
    g = town_graph()
    ax = drawn(nk.plots.degree_distribution(g, kind, direction))
    assert isinstance(ax, Axes)
    sources, targets, _ = g.edges(kind)
    ends = {"out": [sources], "in": [targets], "both": [sources, targets]}[direction]
    degrees = np.bincount(np.concatenate(ends), minlength=g.node_count).tolist()
    x, y = ax.lines[0].get_data()
    want = share_of(degrees, g.node_count)
    assert x.tolist() == want[0]
    assert y.tolist() == pytest.approx(want[1])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_title() == "Degrees of 44 nodes"
    none = degrees.count(0)
    label = ax.get_legend().get_texts()[0].get_text()
    assert label.endswith(f"({none:,} without)")


def test_degrees_of_a_csr_on_given_axes():
    figure, ax = pyplot.subplots()
    csr = nk.CSR.from_edges([0, 0, 1], [1, 2, 2])
    assert nk.plots.degree_distribution(csr, ax=ax) is ax
    assert nk.plots.degree_distribution(csr, direction="in", ax=ax) is ax
    assert len(ax.lines) == 2
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[1].get_xdata().tolist() == [1, 2]
    assert pyplot.get_fignums() == [figure.number]


def test_peers():
    g = town_graph()
    ax = drawn(nk.plots.peer_distribution(g, "LIVES_IN"))
    into = Counter(g.edges("LIVES_IN")[1].tolist())
    x, y = ax.lines[0].get_data()
    want = share_of(list(into.values()), len(into))
    assert x.tolist() == want[0]
    assert y.tolist() == pytest.approx(want[1])
    assert ax.get_legend().get_texts()[0].get_text() == "LIVES_IN: 3 targets"


def test_shares_of_bundled_data(data):
    g = nk.import_edges([data / "ego-facebook" / "edges.txt.gz"])
    x, y = nk.plots.degree_distribution(g, direction="both").lines[0].get_data()
    values, counts = nk.degree_histogram(g, direction="both")
    assert x.tolist() == values.tolist()
    assert y[0] == 1.0  # every node has a friend
    assert np.diff(np.append(-y, 0)) * g.node_count == pytest.approx(counts)


# -- types ------------------------------------------------------------------------------------


def test_type_counts():
    ax = drawn(nk.plots.type_counts(town_graph()))
    assert [bar.get_width() for bar in ax.patches] == [150, 40, 4]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["KNOWS", "LIVES_IN", "ROAD"]
    assert ax.get_title() == "3 connection types: 194 edges"
    ax = nk.plots.type_counts(town_graph(), limit=2)
    assert len(ax.patches) == 2
    assert ax.get_title() == "2 of 3 connection types: 194 edges"
    with pytest.raises(nk.GraphError, match="limit is 0, not at least 1"):
        nk.plots.type_counts(town_graph(), limit=0)


@pytest.mark.parametrize("saved", [False, True])
def test_type_matrix(tmp_path, saved):
    g = town_graph()
    if saved:
        g.save(tmp_path / "g")
        g = nk.open(tmp_path / "g", "r+")
        g.add_edges("ROAD", g.nodes("Town"), g.nodes("Town"))
    ax = drawn(nk.plots.type_matrix(g))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Person", "Town"]
    roads = 7 if saved else 4
    assert ax.images[0].get_array().tolist() == [[150, 40], [None, roads]]
    assert {text.get_text() for text in ax.texts} == {"150", "40", str(roads)}
    ax = nk.plots.type_matrix(g, "ROAD")
    assert ax.images[0].get_array().tolist() == [[roads]]
    with pytest.raises(nk.NotFoundError, match="no connection type 'X'"):
        nk.plots.type_matrix(g, "X")
    g.close()


def test_a_matrix_of_damaged_counts(tmp_path, monkeypatch):
    town_graph().save(tmp_path / "g")
    monkeypatch.setattr(plots, "connectivity", lambda graph: {(1, 2, 3): 4})
    with (
        nk.open(tmp_path / "g") as g,
        pytest.raises(nk.FormatError, match="one that has nodes, found 0x1"),
    ):
        nk.plots.type_matrix(g)


def test_a_matrix_of_many_types_shows_the_first():
    g = nk.Graph()
    for number in range(40):
        nodes = g.add_nodes(f"T{number:02}", [1])
        g.add_edges("E", np.repeat(nodes, 40 - number), np.repeat(nodes, 40 - number))
    ax = nk.plots.type_matrix(g)
    assert ax.get_title() == "Edges between node types (the first 30 of 40 types)"
    assert np.diag(ax.images[0].get_array()).tolist() == list(range(40, 10, -1))
    assert not ax.texts


@pytest.mark.parametrize(
    ("count", "spelled"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (16080, "16.1k"), (99950, "100k"), (10**6, "1.0M"),
     (999999, "1.0M"), (2 * 10**9, "2.0G"), (4 * 10**12, "4000G")],
)  # fmt: skip
def test_brief_numbers(count, spelled):
    assert plots.brief(count) == spelled


# -- segments ---------------------------------------------------------------------------------


def test_segment_map(tmp_path):
    with nk.create(tmp_path / "g") as g:
        first = g.add_nodes("N", np.arange(100))
        g.add_edges("E", first[:-1], first[1:])
        g.seal()
        second = g.add_nodes("N", np.arange(100, 150))
        g.add_edges("E", second[:10], second[10:20])
        g.seal()
        third = g.add_nodes("N", np.arange(150, 160))
        g.add_edges("E", third, first[:10])
        g.seal()
        g.add_nodes("N", [1000, 1001])
        g.add_edges("E", [0], [1])
        ax = drawn(nk.plots.segment_map(g))
        spans = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
        assert spans == [(0, 100), (100, 50), (150, 10), (160, 2), (0, 160)]
        labels = [tick.get_text() for tick in ax.get_yticklabels()]
        assert labels == [
            "segment 0: 99 edges", "segment 1: 10 edges", "segment 2: 10 edges",
            "not saved: 1 edge",
        ]  # fmt: skip
        assert ax.get_title() == "3 segments: node ids and edges"


def test_many_segments_are_coloured(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "NAMED_SEGMENTS", 4)
    with nk.create(tmp_path / "g") as g:
        for number in range(plots.NAMED_SEGMENTS + 1):
            nodes = g.add_nodes("N", [2 * number, 2 * number + 1])
            g.add_edges("E", np.repeat(nodes[:1], number), np.repeat(nodes[1:], number))
            g.seal()
        ax = drawn(nk.plots.segment_map(g))
        assert len(ax.patches) == g.segment_count == plots.NAMED_SEGMENTS + 1
        assert len({bar.get_facecolor() for bar in ax.patches}) == plots.NAMED_SEGMENTS
        assert ax.get_ylabel() == "segment"


def test_segments_of_other_graphs(data):
    ax = nk.plots.segment_map(town_graph())
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["in memory: 194 edges"]
    with nk.open(data / "kglite" / "seg_full" / "graph") as g:
        ax = nk.plots.segment_map(g)
        assert sum(bar.get_width() for bar in ax.patches) == g.nodes().size == 68


# -- neighborhoods ----------------------------------------------------------------------------


def arrows(ax):
    return Counter(patch.get_gid() for patch in ax.patches)


def test_a_neighborhood_is_what_is_around_a_node():
    g = town_graph()
    for kind in (None, "KNOWS", "LIVES_IN"):
        ax = drawn(nk.plots.neighborhood(g, 3, connection_type=kind))
        types = {edge: name for name in g.connection_types for edge in g.edges(name)[2].tolist()}
        sources, targets, edges = (array.tolist() for array in g.edges(kind))
        around = {3}
        around |= {t for s, t in zip(sources, targets, strict=True) if s == 3}
        around |= {s for s, t in zip(sources, targets, strict=True) if t == 3}
        want = {
            f"{s} -> {t}: {types[e]}"
            for s, t, e in zip(sources, targets, edges, strict=True)
            if s in around and t in around
        }
        assert arrows(ax) == Counter(want)
        points = np.concatenate([dots.get_offsets() for dots in ax.collections])
        assert points.shape == (len(around), 2)
        assert np.unique(points.round(6), axis=0).shape == points.shape
        radii = np.hypot(*points.T)
        assert sorted(radii.tolist()) == pytest.approx([0, *[1] * (len(around) - 1)])
        peers = "1 peer" if len(around) == 2 else f"{len(around) - 1} peers"
        assert ax.get_title().startswith(f"Person 3: {peers}; ")


def test_parallel_edges_and_loops():
    g = town_graph()
    bern = g.find("Town", ["Bern"])[0]
    ax = drawn(nk.plots.neighborhood(g, bern, connection_type="ROAD"))
    assert ax.get_title() == "Town Bern: 2 peers; 4 edges"
    assert arrows(ax) == Counter(["40 -> 41: ROAD", "40 -> 42: ROAD", "41 -> 41: ROAD"])
    widths = {patch.get_gid(): patch.get_linewidth() for patch in ax.patches}
    assert widths["40 -> 41: ROAD"] > widths["40 -> 42: ROAD"]


def test_names_are_titles_or_ids_and_no_formulas():
    g = town_graph()
    ax = drawn(nk.plots.neighborhood(g, 40, connection_type="ROAD"))
    assert [text.get_text() for text in ax.texts] == ["Bern", "Chur", r" _\$a\$_"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ROAD", "Town"]


def test_names_are_cut_in_their_middle():
    assert plots.name("a" * 100, 10) == "aaa…aaaaaa"
    assert len(plots.name("abc" * 1000)) == plots.LETTERS
    assert plots.name("a\nb") == r"a\nb"


def test_two_hops_are_rings_beyond_their_parents():
    g = nk.Graph()
    n = g.add_nodes("N", np.arange(8))
    g.add_edges("E", n[[0, 0, 1, 1, 2, 5]], n[[1, 2, 3, 4, 5, 6]])
    ax = nk.plots.neighborhood(g, 0, hops=2)
    points = np.concatenate([dots.get_offsets() for dots in ax.collections])
    assert np.hypot(*points.T).round(6).tolist() == [0, 1, 1, 1.9, 1.9, 1.9]
    angles = [math.atan2(y, x) for x, y in points]
    for parent, children in ((1, (3, 4)), (2, (5,))):
        middle = np.mean([np.exp(1j * angles[child]) for child in children])
        assert np.angle(middle / np.exp(1j * angles[parent])) == pytest.approx(0, abs=1e-9)
    assert ax.get_title() == "N 0: 5 peers within 2 hops; 5 edges"


def test_many_peers_are_sampled_by_the_seed():
    g = nk.Graph()
    n = g.add_nodes("N", np.arange(1001))
    g.add_edges("E", np.repeat(n[:1], 1000), n[1:])
    g.add_edges("E", n[1:], n[1:])
    ax = nk.plots.neighborhood(g, 0, limit=30)
    assert ax.get_title() == "N 0: 29 of 1,000 peers; 58 edges"
    same, other = (nk.plots.neighborhood(g, 0, limit=30, seed=seed) for seed in (0, 1))
    assert arrows(ax) == arrows(same)
    assert arrows(ax) != arrows(other)
    ax = nk.plots.neighborhood(g, 0, hops=2, limit=30)
    assert ax.get_title().startswith("N 0: 14 of at least 1,000 peers within 2 hops")
    ax = nk.plots.neighborhood(g, 1, hops=3, limit=10)  # each ring has its share
    assert ax.get_title() == "N 1: 6 of at least 1,000 peers within 3 hops; 12 edges"
    assert nk.plots.neighborhood(g, 0, limit=1).get_title() == "N 0: 0 of 1,000 peers; 0 edges"
    ax = nk.plots.neighborhood(g, 0, limit=150)
    assert not ax.texts  # names would lie upon each other


def test_all_peers_that_fit_are_drawn():
    g = nk.Graph()
    n = g.add_nodes("N", np.arange(30))
    s, t = (side.ravel() for side in np.meshgrid(n[:25], n[:25]))
    g.add_edges("E", s, t)
    g.add_edges("E", n[24:29], n[25:])
    ax = nk.plots.neighborhood(g, 0, hops=4, limit=28)
    assert ax.get_title().startswith("N 0: 27 peers within 4 hops; ")
    ax = nk.plots.neighborhood(g, 0, hops=4, limit=27)
    drawn = int(ax.get_title().split()[2])
    assert drawn < 27
    assert f"{drawn} of at least 24 peers" in ax.get_title()


def test_arrows_are_limited_and_it_is_said(monkeypatch):
    monkeypatch.setattr(neighborhoods, "DRAWN", 3)
    g = nk.Graph()
    n = g.add_nodes("N", np.arange(4))
    s, t = (side.ravel() for side in np.meshgrid(n, n))
    g.add_edges("E", s, t)
    ax = nk.plots.neighborhood(g, 0)
    assert len(ax.patches) == 3
    assert ax.get_title() == "N 0: 3 peers; 16 edges, 3 of 16 drawn"


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"node": 99}, nk.GraphError, "node 99 is not below 44"),
        ({"node": [1, 2]}, nk.GraphError, "node holds 2 node ids, not one"),
        ({"node": 0, "hops": 0}, nk.GraphError, "hops is 0, not at least 1"),
        ({"node": 0, "limit": 0}, nk.GraphError, "limit is 0, not at least 1"),
        ({"node": 0, "connection_type": "X"}, nk.NotFoundError, "no connection type 'X'"),
    ],
)
def test_what_cannot_be_drawn(given, error, message):
    with pytest.raises(error, match=message):
        nk.plots.neighborhood(town_graph(), **given)
    assert pyplot.get_fignums() == []


def test_a_node_alone_and_a_graph_without_edges():
    g = town_graph()
    alone = g.find("Alone", [1])[0]
    assert drawn(nk.plots.neighborhood(g, alone)).get_title() == "Alone 1: 0 peers; 0 edges"
    empty = nk.Graph()
    for draw in (nk.plots.degree_distribution, nk.plots.type_counts, nk.plots.type_matrix):
        assert [text.get_text() for text in drawn(draw(empty)).texts] == ["no edges"]
    assert [text.get_text() for text in nk.plots.segment_map(empty).texts] == ["no nodes"]


def test_closed_graphs():
    g = town_graph()
    g.close()
    for draw in (nk.plots.type_counts, nk.plots.type_matrix, nk.plots.segment_map):
        with pytest.raises(nk.ClosedError):
            draw(g)


# -- overview and the command -----------------------------------------------------------------


def titles(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_an_overview_has_what_applies(tmp_path):
    g = town_graph()
    figure = nk.plots.overview(g)
    assert titles(figure) == [
        "Degrees of 44 nodes", "Peers", "Edges between node types",
        "3 connection types: 194 edges",
    ]  # fmt: skip
    assert len(figure.axes[1].lines) == 3
    assert titles(nk.plots.overview(nk.Graph())) == ["Degrees of 0 nodes"]
    with nk.create(tmp_path / "g") as h:
        for _ in range(2):
            nodes = h.add_nodes("N", h.node_count + np.arange(3))
            h.add_edges("E", nodes, nodes)
            h.seal()
        assert titles(nk.plots.overview(h)) == [
            "Degrees of 6 nodes", "Peers", "2 segments: node ids and edges",
        ]  # fmt: skip
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("suffix", "magic"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")],
)
def test_info_draws(capsys, tmp_path, suffix, magic):
    town_graph().save(tmp_path / "g")
    out = tmp_path / f"out.{suffix.upper() if suffix == 'png' else suffix}"
    assert cli.main(["info", str(tmp_path / "g"), "--plot", str(out)]) == 0
    assert capsys.readouterr().out.endswith(f"\ndrawn: {out}\n")
    held = out.read_bytes()
    assert held.startswith(magic)
    if suffix == "svg":  # which would name the day and draw lots
        with nk.open(tmp_path / "g") as g:
            nk.plots.save_overview(g, out)
        assert out.read_bytes() == held


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("out.jpg", "out.jpg: the name of a picture ends in .pdf, .png, .svg"),
        ("out", "out: the name of a picture ends in"),
        ("none/out.png", "none: no such folder"),
    ],
)
def test_info_refuses_before_it_reads(capsys, tmp_path, monkeypatch, picture, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["info", "nowhere", "--plot", picture]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    assert output.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'nkgraph\[plot\]'"):
        nk.plots.type_counts(town_graph())
    assert cli.main(["info", "nowhere", "--plot", str(tmp_path / "out.png")]) == 1
    assert "pip install 'nkgraph[plot]'" in capsys.readouterr().err


def test_matplotlib_is_imported_when_something_is_drawn():
    code = (
        "import sys, nkgraph as nk, nkgraph.plots\n"
        "assert nk.plots is nkgraph.plots and 'plots' in dir(nk)\n"
        "assert 'matplotlib' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
