"""What is shown at a prompt and in a notebook: what it says, and what it does not cost."""

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import nkgraph as nk
from nkgraph import looks
from nkgraph.storage import columns
from nkgraph.table import Column, Table

SCREEN = 24


def small():
    g = nk.Graph()
    people = g.add_nodes(
        "Person",
        ["ann", "bob", "cid"],
        {
            "age": [36, None, 41],
            "day": np.array(["2024-01-01", "NaT", "2020-02-29"], "M8[D]"),
            "m": [1, "x", [1, 2]],
            "name": ["Ann", "日本", "a\x1b[31m\nb"],
            "score": [0.5, 1 / 3, 1e300],
        },
    )
    g.add_nodes("Town", [1], {"name": ["Bern"]})
    g.add_edges("KNOWS", people[[0, 0, 1]], people[[1, 2, 2]], {"w": [1.5, 2.5, 3.5]})
    return g


class Checked(HTMLParser):
    """Every tag is closed in its turn; keeps the text of each cell."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.cells, self.rows = [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def fits(text):
    lines = text.split("\n")
    return len(lines) <= SCREEN and max(map(len, lines)) <= looks.WIDTH


# -- graphs -----------------------------------------------------------------------------------


def test_a_graph_in_memory():
    assert repr(nk.Graph()) == "Graph in memory\n0 nodes of 0 types\n0 edges of 0 types"
    assert repr(small()) == (
        "Graph in memory\n4 nodes of 2 types\n  Person  3\n  Town    1\n"
        "3 edges of 1 type\n  KNOWS  3"
    )


def test_a_directory_and_a_closed_graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small().save("g")
    with nk.open("g") as g, nk.open("g") as again:
        mapped = 16 * 4 + 16 * 3  # slots and endpoints, of both graphs once
        assert f"{again!r}\n".startswith(
            f"Graph g (nkgraph, mode r, 1 segment, {mapped} bytes mapped)\n4 nodes of 2 types\n"
        )
    assert repr(g) == "Graph g (nkgraph, closed)"
    assert Checked(g._repr_html_()).tags == ["div", "p"]
    memory = small()
    memory.close()
    assert repr(memory) == "Graph in memory (closed)"


def test_unsaved_nodes_are_counted_and_segments_too(tmp_path):
    with nk.create(tmp_path / "g") as g:
        for start in (0, 10):
            g.add_nodes("N", range(start, start + 10))
            g.seal()
        g.add_nodes("N", [100])
        shown = repr(g)
    assert "(nkgraph, mode r+, 2 segments, " in shown
    assert "21 nodes of 1 type" in shown


def test_a_foreign_directory_is_not_counted_for_it(data):
    with nk.open(data / "kglite" / "basic" / "graph") as g:
        before = repr(g)
        assert before.endswith(
            "46 nodes and 180 edges, as its files state; nodes and edges are counted on first use"
        )
        assert not g._attached
        assert Checked(g._repr_html_()).tags == ["div", "p", "p"]
        assert (sum(g.node_types.values()), sum(g.connection_types.values())) == (46, 180)
        assert "46 nodes of" in repr(g)
    with nk.open(data / "sparrowdb" / "graph_small" / "db") as g:
        assert repr(g).endswith("\nnodes and edges are counted on first use")
        assert not g._attached


def test_a_damaged_directory_is_shown(tmp_path):
    small().save(tmp_path / "g")
    with nk.open(tmp_path / "g") as g:
        g._opened.stored.metadata["edge_type_counts"] = 7
        assert "its counts cannot be read: " in repr(g)
        assert "edge_type_counts" in repr(g)
        Checked(g._repr_html_())


def test_a_dump_is_in_memory(data):
    with nk.open(data / "reddb" / "v10_graph.rdst") as g:
        assert repr(g).split("\n")[0].endswith("v10_graph.rdst (reddb, mode r, in memory)")


@pytest.mark.parametrize(("nodes", "edges"), [(1, 40), (40, 1), (40, 40), (9, 9), (18, 0), (3, 15)])
def test_many_types_stay_on_one_screen(nodes, edges):
    g = nk.Graph()
    for number in range(nodes):
        g.add_nodes(f"Type{number}", np.arange(number + 1))
    for number in range(edges):
        g.add_edges(f"EDGE_{number}", [0] * (number + 1), [0] * (number + 1))
    shown = repr(g)
    assert fits(shown)
    lines = shown.split("\n")
    at = lines.index(
        f"{looks.several(edges * (edges + 1) // 2, 'edge')} of {looks.several(edges, 'type')}"
    )
    for part, count in ((lines[2:at], nodes), (lines[at + 1 :], edges)):
        named = [line for line in part if "more" not in line]
        left = [int(line.split()[2]) for line in part if "more" in line]
        assert len(named) + sum(left) == count
        counts = [int(line.split()[1].replace(",", "")) for line in named]
        assert counts == list(range(count, count - len(counts), -1))
    if nodes + edges <= looks.TYPES:
        assert "more" not in shown
    html = Checked(g._repr_html_())
    assert len(html.rows) <= 2 + 2 * looks.TYPES
    counted = [int(row[1].replace(",", "")) for row in html.rows if row[1][:1].isdecimal()]
    assert sum(counted) == nodes * (nodes + 1) // 2 + edges * (edges + 1) // 2


def test_long_and_hostile_names():
    g = nk.Graph()
    evil = "<script>alert(1)</script>&\x1b[2J\n" + "x" * 10_000
    g.add_nodes(evil, [1], {evil: ["<b>"]})
    shown = repr(g)
    assert fits(shown)
    assert "\x1b" not in shown
    assert shown.count("\n") == 3
    for html in (g._repr_html_(), g.read_nodes(evil)._repr_html_()):
        tags = set(Checked(html).tags)
        assert tags <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
        assert len(html) < 5000
    assert ["0", "<b>"] in Checked(g.read_nodes(evil)._repr_html_()).rows


def test_a_long_path_is_cut_at_its_start(tmp_path):
    path = tmp_path / ("d" * 120) / "end"
    path.parent.mkdir()
    small().save(path)
    with nk.open(path) as g:
        title = repr(g).split("\n")[0]
    assert title.startswith("Graph …ddd")
    assert "ddd/end (nkgraph, " in title
    assert len(title) == looks.WIDTH


CODE = """
import sys
import numpy as np
import nkgraph as nk
def loaded():
    return "numba" in sys.modules
def show(what):
    before = loaded()
    repr(what), what._repr_html_()
    assert loaded() == before, type(what)
for path in sys.argv[1:]:
    g = nk.open(path)
    show(g)
    assert not loaded() or "sparrowdb" in path, path
    g.close()
    show(g)
g = nk.Graph()
nodes = np.arange(50)
g.add_nodes("N", nodes, {"t": [f"t{n}" for n in nodes], "f": nodes / 3})
t = g.read_nodes("N")
show(g), show(t), show(t["t"])
"""


def test_no_kernel_is_loaded_for_it(tmp_path, data):
    small().save(tmp_path / "g")
    paths = [tmp_path / "g", data / "kglite" / "seg_full" / "graph"]
    paths.append(data / "sparrowdb" / "graph_small" / "db")
    result = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


# -- rows -------------------------------------------------------------------------------------


def test_a_csr():
    csr = nk.CSR.from_edges([0, 0, 2], [1, 2, 0], weights=np.array([1, 2, 3], np.int16))
    assert repr(csr) == (
        "CSR(3 nodes, 3 edges, weights int16, 62 bytes)\n"
        "  node  degree  targets\n"
        "     0       2  1 2\n"
        "     1       0\n"
        "     2       1  0"
    )
    assert Checked(csr._repr_html_()).rows[1:] == [
        ["0", "2", "1 2"],
        ["1", "0", ""],
        ["2", "1", "0"],
    ]
    assert repr(nk.CSR.from_edges([], [], 0)) == "CSR(0 nodes, 0 edges, 8 bytes)"
    Checked(nk.CSR.from_edges([], [], 0)._repr_html_())


def test_a_large_csr_shows_its_ends():
    n = 2000
    csr = nk.CSR.from_edges(np.repeat(np.arange(n), 100), np.tile(np.arange(n - 100, n), n))
    shown = repr(csr)
    assert fits(shown)
    assert shown.startswith("CSR(2,000 nodes, 200,000 edges, 1.6 MB)")
    lines = shown.split("\n")
    assert lines[2].split() == ["0", "100", *map(str, range(1900, 1908)), "…"]
    assert lines[-1].split()[0] == "1999"
    assert len(lines) == 2 + looks.ROWS + 1


# -- tables and columns -----------------------------------------------------------------------


def test_a_table():
    assert repr(small().read_nodes("Person")) == (
        "Table of 3 rows, 5 columns\n"
        "  .rows       age  day            m       name             score\n"
        "            int64  datetime64[D]  mixed   text           float64\n"
        "         1 absent  1 absent\n"
        "      0        36  2024-01-01     1       Ann                0.5\n"
        "      1      <NA>  <NA>           'x'     日本          0.333333\n"
        "      2        41  2020-02-29     [1, 2]  a\\x1b[31m\\nb    1e+300"
    )


def test_columns():
    t = small().read_nodes("Person")
    assert repr(t["age"]) == "Column of 3 int64, 1 absent: 36, <NA>, 41"
    assert repr(t["m"]) == "Column of 3 mixed: 1, 'x', [1, 2]"
    assert repr(Column(columns.FixedColumn("int64", np.arange(50) << 50, None))) == (
        "Column of 50 int64: 0, 1125899906842624, …, 54043195528445952, 55169095435288576"
    )
    assert repr(t["name"]) == r"Column of 3 text: 'Ann', '日本', 'a\x1b[31m\nb'"
    assert Checked(t["age"]._repr_html_()).rows == [
        ["row", "int64"], ["0", "36"], ["1", "<NA>"], ["2", "41"],
    ]  # fmt: skip
    empty = small().read_nodes("Person", nodes=[])
    assert repr(empty["age"]) == "Column of 0 mixed"
    assert repr(empty).startswith("Table of 0 rows, 5 columns\n")
    Checked(empty._repr_html_())


def test_what_is_shown_is_what_the_values_are():
    when = np.array(["1969-12-31T23:59:59", "2024-02-29T01:02:03"], "M8[s]")
    g = nk.Graph()
    g.add_nodes("N", [1, 2], {"b": [True, False], "f": [-0.0, np.nan], "s": when})
    t = g.read_nodes("N")
    for name in t:
        held = t[name].stored
        assert looks.cells(held, [0, 1]) == [str(value) for value in t[name].values]
        assert looks.dtype_of(held) == t[name].values.dtype.name


def test_many_rows_and_columns_are_cut():
    n = 1000
    held = {
        f"c{i:02}": Column(columns.FixedColumn("int64", np.arange(n) * i, None)) for i in range(40)
    }
    t = Table(held, np.arange(n, dtype=np.uint32))
    shown = repr(t)
    lines = shown.split("\n")
    assert fits(shown)
    assert lines[0] == "Table of 1,000 rows, 40 columns"
    assert lines[1].split() == [".rows", *(f"c{i:02}" for i in range(looks.COLUMNS))]
    assert lines[8].split() == ["…"] * (1 + looks.COLUMNS)
    assert [line.split()[0] for line in lines[3:-1]] == [
        *"01234", "…", *(str(row) for row in range(995, 1000)),
    ]  # fmt: skip
    assert lines[-1].startswith("… and 28 more: c12, c13")
    wide = {
        f"{'long' * 5}{i}": Column(columns.FixedColumn("int64", np.arange(n), None))
        for i in range(9)
    }
    shown = repr(Table(wide, np.arange(n, dtype=np.uint32)))
    assert fits(shown)
    assert "… and 5 more: " in shown
    assert len(Checked(t._repr_html_()).rows[0]) == 1 + looks.COLUMNS


def test_no_column_is_decoded_for_it(monkeypatch):
    g = nk.Graph()
    g.add_nodes("N", range(1000), {"t": [f"text {n}" for n in range(1000)], "m": [1, "x"] * 500})
    t = g.read_nodes("N")
    for name in t:
        monkeypatch.setattr(type(t[name].stored), "take", None)
    monkeypatch.setattr(columns, "to_user", None)
    assert "text 999" in repr(t)
    assert "'text 999'" in repr(t["t"])
    t._repr_html_()


def test_absent_values_of_very_long_columns_are_not_counted(monkeypatch):
    monkeypatch.setattr(looks, "COUNTED", 2)
    t = small().read_nodes("Person")
    assert repr(t["age"]).startswith("Column of 3 int64, some absent: ")
    assert repr(t["score"]).startswith("Column of 3 float64: ")


def test_bytes_that_are_no_text_are_shown():
    text = columns.TextArray(np.array([0, 2]), np.array([0x61, 0xFF], np.uint8))
    assert looks.cells(columns.TextColumn(text, None), [0]) == ["a\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize(
    ("count", "spelled"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (2_500_000, "2.5 MB"),
        (10**13, "10.0 TB"),
    ],
)
def test_sizes(count, spelled):
    assert looks.size(count) == spelled
