"""Matrix Market files, against scipy's reader; damage is named."""

import gzip

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph import ingest_matrix
from nkgraph.errors import FormatError, GraphError, LimitError, NkgraphError

HEAD = "%%MatrixMarket matrix coordinate "


def write(tmp_path, text, name="a.mtx"):
    path = tmp_path / name
    path.write_text(text)
    return path


def matrix_of(graph, shape):
    """The sum of the weights of each pair, as scipy sums entries that come twice."""
    sources, targets, _ = graph.edges()
    weights = np.ones(sources.size)
    if sources.size and "weight" in graph.read_edges("EDGE").columns:
        weights = graph.read_edges("EDGE")["weight"].values
    rows, columns = graph.ids(sources) - 1, graph.ids(targets) - 1
    return scipy.sparse.coo_matrix((weights, (rows, columns)), shape).toarray()


KINDS = [
    (symmetry, field)
    for symmetry in ("general", "symmetric", "skew-symmetric")
    for field in ("real", "integer", "pattern")
    if (symmetry, field) != ("skew-symmetric", "pattern")  # the format has none
]


@pytest.mark.parametrize(("symmetry", "field"), KINDS)
def test_what_scipy_reads(tmp_path, symmetry, field):
    rng = np.random.default_rng(3)
    pairs = {tuple(sorted(pair, reverse=True)) for pair in rng.integers(1, 9, (20, 2)).tolist()}
    if symmetry == "skew-symmetric":
        pairs = {pair for pair in pairs if pair[0] != pair[1]}
    values = {"real": "{:.17g}", "integer": "{:.0f}", "pattern": ""}[field]
    lines = [f"{i} {j} {values.format(9 * rng.normal())}" for i, j in sorted(pairs)]
    text = f"{HEAD}{field} {symmetry}\n% a comment\n\n8 8 {len(lines)}\n" + "\n".join(lines)
    path = write(tmp_path, text)
    twin = path
    if field == "pattern":  # scipy 1.17 ends the process over some patterns: give it ones
        ones = text.replace("pattern", "integer").replace(" \n", " 1\n") + "1"
        twin = write(tmp_path, ones, "ones.mtx")
    expected = scipy.io.mmread(twin).toarray()
    graph = nk.import_matrix_market(path)
    assert graph.node_types == {"Node": 8}
    assert graph.ids(graph.nodes()).tolist() == list(range(1, 9))
    assert np.array_equal(matrix_of(graph, (8, 8)), expected)


@pytest.mark.parametrize("kind", ["float", "int"])
def test_what_scipy_writes(tmp_path, kind):
    rng = np.random.default_rng(4)
    data = rng.random((6, 6)) if kind == "float" else rng.integers(-99, 99, (6, 6))
    matrix = scipy.sparse.coo_matrix(data * (rng.random((6, 6)) < 0.4))
    path = tmp_path / "w.mtx"
    scipy.io.mmwrite(path, matrix, symmetry="general")
    graph = nk.import_matrix_market(path, tmp_path / "native")
    assert graph.format == "nkgraph"
    assert np.array_equal(matrix_of(graph, (6, 6)), matrix.toarray())
    assert graph.read_edges("EDGE")["weight"].values.dtype == (
        np.float64 if kind == "float" else np.int64
    )


def test_a_mirror_follows_its_entry_and_loops_have_none(tmp_path):
    text = f"{HEAD}integer skew-symmetric\n3 3 2\n2 1 5\n3 2 -7\n"
    graph = nk.import_matrix_market(write(tmp_path, text))
    assert [part.tolist() for part in graph.edges()[:2]] == [[1, 0, 2, 1], [0, 1, 1, 2]]
    assert graph.read_edges("EDGE")["weight"].tolist() == [5, -5, -7, 7]
    text = f"{HEAD}pattern symmetric\n2 2 2\n2 2\n2 1\n"
    graph = nk.import_matrix_market(write(tmp_path, text))
    assert [part.tolist() for part in graph.edges()[:2]] == [[1, 1, 0], [1, 0, 1]]


def test_rows_and_columns_apart(tmp_path):
    path = write(tmp_path, f"{HEAD}pattern general\n2 3 2\n1 3\n2 1\n")
    with pytest.raises(FormatError, match=r"as many rows as columns.*column_type"):
        nk.import_matrix_market(path)
    graph = nk.import_matrix_market(path, node_type="User", column_type="Item")
    assert graph.node_types == {"Item": 3, "User": 2}
    sources, targets, _ = graph.edges("EDGE")
    assert graph.types(targets).tolist() == ["Item", "Item"]
    assert list(zip(graph.ids(sources).tolist(), graph.ids(targets).tolist(), strict=True)) == [
        (1, 3),
        (2, 1),
    ]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_packed(tmp_path, pack):
    path = tmp_path / "a"
    path.write_bytes(pack(f"{HEAD}real general\r\n2 2 1\r\n1 2 1e-3\r\n".encode()))
    assert nk.import_matrix_market(path).read_edges("EDGE")["weight"].tolist() == [1e-3]


def test_nothing_at_all(tmp_path):
    graph = nk.import_matrix_market(write(tmp_path, f"{HEAD}real general\n0 0 0\n"))
    assert (graph.node_count, graph.edge_count) == (0, 0)
    graph = nk.import_matrix_market(write(tmp_path, f"{HEAD}real general\n4 4 0\n"))
    assert (graph.node_count, graph.edge_count) == (4, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected %%MatrixMarket"),
        ("1 2 3\n", "line 1: expected %%MatrixMarket"),
        ("%%MatrixMarket vector coordinate real general\n", "object: expected matrix"),
        ("%%MatrixMarket matrix array real general\n2 2\n1\n", "found array; a dense array"),
        (f"{HEAD}complex general\n1 1 0\n", "found complex; a graph has no complex"),
        (f"{HEAD}real hermitian\n1 1 0\n", "symmetry: expected general.*found hermitian"),
        (f"{HEAD}real\n1 1 0\n", "symmetry: .*found nothing"),
        (f"{HEAD}pattern skew-symmetric\n1 1 0\n", "values with skew-symmetric"),
        (f"{HEAD}real general\n", "line of sizes: expected three sizes"),
        (f"{HEAD}real general\n2 2\n", "line of sizes: expected three sizes"),
        (f"{HEAD}real general\n2 2 -1\n", "line of sizes: expected three sizes"),
        (f"{HEAD}real symmetric\n2 3 0\n", "a square symmetric matrix"),
        (f"{HEAD}real general\n2 2 2\n1 1 1\n", "entries: expected 2, found 1"),
        (f"{HEAD}real general\n2 2 1\n1 1 1\n1 2 1\n", "entries: expected 1, found 2"),
        (f"{HEAD}real general\n2 2 1\n0 1 1\n", "line 3, row: expected 1 to 2, found 0"),
        (f"{HEAD}real general\n2 2 1\n1 3 1\n", "line 3, column: expected 1 to 2, found 3"),
        (f"{HEAD}real general\n2 2 1\n1 2\n", "line 3: expected 3 fields, found 2"),
        (f"{HEAD}real general\n2 2 1\n1 2 x\n", "line 3, column value: expected a number"),
        (f"{HEAD}integer general\n2 2 1\n1 2 1.5\n", "line 3, column value: expected an integer"),
        (f"{HEAD}real skew-symmetric\n2 2 1\n2 2 1\n", "line 3: expected no entry on the diagonal"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(FormatError, match=message):
        nk.import_matrix_market(path, tmp_path / "native")
    assert not (tmp_path / "native").exists()


def test_sizes_that_do_not_fit(tmp_path, monkeypatch):
    path = write(tmp_path, f"{HEAD}real general\n4294967296 4294967296 0\n")
    with pytest.raises(LimitError, match="node ids end"):
        nk.import_matrix_market(path)
    monkeypatch.setattr(ingest_matrix, "physical_memory", lambda: 1000)
    with pytest.raises(LimitError, match="do not fit in memory"):
        nk.import_matrix_market(write(tmp_path, f"{HEAD}real general\n26 26 0\n"))


def test_what_is_there_stays(tmp_path):
    with pytest.raises(FileNotFoundError):
        nk.import_matrix_market(tmp_path / "none.mtx")
    path = write(tmp_path, f"{HEAD}real general\n1 1 0\n")
    with pytest.raises(GraphError, match="expected no such path"):
        nk.import_matrix_market(path, tmp_path)


GOOD = f"{HEAD}real symmetric\n% c\n4 4 3\n2 1 0.5\n3 3 -8e3\n4 1 7\n".encode()


@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_damage_is_an_error_of_nkgraph(tmp_path_factory, at, byte, cut):
    data = GOOD[:at] if cut else GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]
    path = tmp_path_factory.getbasetemp() / "damaged.mtx"
    path.write_bytes(data)
    try:
        graph = nk.import_matrix_market(path)
    except NkgraphError:
        return
    assert graph.edge_count <= 6
