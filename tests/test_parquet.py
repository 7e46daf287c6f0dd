"""Parquet tables: columns of every Arrow type, headers, what is wrong with file and column."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.errors import FormatError, GraphError, NkgraphError
from nkgraph.interop import parquet as reading

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

DAY, STAMP = datetime.date(1969, 7, 20), datetime.datetime(1969, 7, 20, 20, 17, 40)
FRACTION = datetime.datetime(2000, 1, 1, 0, 0, 0, 250)


def write(folder, **tables):
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
    return folder


def read_column(tmp_path, array):
    """The only property of nodes 0, 1, ..."""
    ids = pa.array(range(len(array)))
    folder = write(tmp_path / "t", N={"id:ID(N)": ids, "x": array})
    return nk.import_parquet(folder).read_nodes("N")


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array([1, None, -3], pa.int8()), "int64"),
        (pa.array([2**63 - 1, None, -(2**63)], pa.int64()), "int64"),
        (pa.array([2**63 - 1, 0, None], pa.uint64()), "int64"),
        (pa.array([1.5, None, float("inf")], pa.float32()), "float64"),
        (pa.array([0.1, None, -0.0]), "float64"),
        (pa.array([True, None, False]), "bool"),
        (pa.array(["a", None, "é😀"]), "text"),
        (pa.array(["a", None, ""], pa.large_string()), "text"),
        (pa.array(["a", None, "a"]).dictionary_encode(), "text"),
        (pa.array([DAY, None, DAY], pa.date32()), "date"),
        (pa.array([DAY, None, DAY], pa.date64()), "date"),
        (pa.array([STAMP, None, STAMP], pa.timestamp("s")), "timestamp"),
        (pa.array([STAMP, None, STAMP], pa.timestamp("ns")), "timestamp"),
        (pa.array([STAMP, None, FRACTION], pa.timestamp("us")), "mixed"),
        (pa.array([[1, 2], None, []]), "mixed"),
        (pa.array([["a"], None, ["b", None]]), "mixed"),
        (pa.array([{"a": 1, "b": "x"}, None, {"a": 2, "b": None}]), "mixed"),
        (pa.array([{"latitude": 1.0, "longitude": 2.0}, None, None]), "mixed"),
    ],
)
def test_columns_of_every_type(tmp_path, array, kind):
    column = read_column(tmp_path, array)["x"]
    assert column.stored.kind == kind
    assert column.tolist() == array.to_pylist()


def test_a_column_without_values_is_none(tmp_path):
    assert list(read_column(tmp_path, pa.nulls(3))) == []
    assert list(read_column(tmp_path, pa.array([None, None], pa.int32()))) == []


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([b"x"]), "found binary"),
        (pa.array([datetime.time(1)]), "found time64"),
        (pa.array([datetime.timedelta(1)]), "found duration"),
        (pa.array([1], pa.decimal128(5)), "found decimal128"),
        (pa.array([STAMP], pa.timestamp("s", "UTC")), "timestamps without a zone, found UTC"),
        (
            pa.array([2**63], pa.uint64()),
            "integers of 64 bits with a sign, found 9223372036854775808",
        ),
        (pa.array([1], pa.timestamp("ns")), "to the microsecond, found nanoseconds"),
        (pa.array([[b"x"]]), "values that graphs have"),
    ],
)
def test_types_that_graphs_do_not_have(tmp_path, array, message):
    with pytest.raises(FormatError, match=f"N.parquet: column 'x', rows from 1: .*{message}"):
        read_column(tmp_path, array)


def test_types_labels_and_titles(tmp_path):
    folder = write(
        tmp_path / "t",
        people={
            "id:ID(P)": ["a", "b", "c"],
            ":LABEL": pa.array(["X", "Y", "X"]).dictionary_encode(),
            ":TITLE": ["A", None, ""],
            "n": [1, 2, 3],
        },
        node_Town={"key": [10, 20], "name": ["Bern", "Chur"]},
        links={
            ":START_ID(P)": ["a", "a", "b"],
            ":END_ID(Town)": [10, 20, 20],
            ":TYPE": ["E", "F", "E"],
        },
        edge_ROAD={"source": [10, 10], "target": [10, 20], "km": [1.5, None]},
    )
    assert nk.import_parquet(folder).node_types["Node"] == 2  # nothing says whose ids they are
    graph = nk.import_parquet(
        folder, columns={"source": ":START_ID(Town)", "target": ":END_ID(Town)"}
    )
    assert graph.node_types == {"Town": 2, "X": 2, "Y": 1}
    assert graph.connection_types == {"E": 2, "F": 1, "ROAD": 2}
    assert graph.titles(graph.nodes("X")).tolist() == ["A", ""]
    assert graph.read_nodes("X")["n"].tolist() == [1, 3]
    assert graph.read_edges("ROAD")["km"].tolist() == [1.5, None]
    sources, targets, _ = graph.edges("E")
    assert (graph.ids(sources).tolist(), graph.ids(targets).tolist()) == (["a", "b"], [10, 20])


def test_files_of_one_type_join_and_kinds_may_differ(tmp_path):
    folder = write(
        tmp_path / "t",
        a={"id:ID(N)": [1, 2], "x": [1, 2], "only": ["u", "v"]},
        b={"id:ID(N)": ["3"], "x": ["three"]},
        c={":START_ID(N)": [1], ":END_ID(N)": ["3"]},
    )
    graph = nk.import_parquet(folder)
    assert graph.ids(graph.nodes()).tolist() == ["1", "2", "3"]
    assert graph.read_nodes("N")["x"].tolist() == [1, 2, "three"]
    assert graph.read_nodes("N")["only"].tolist() == ["u", "v", None]
    assert graph.connection_types == {"c": 1}


def test_batches(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    count = 1000
    texts = [None if n % 7 == 0 else "t" * (n % 5) for n in range(count)]
    ends = rng.integers(0, count, (2, 3000))
    folder = write(
        tmp_path / "t",
        N={"id:ID(N)": np.arange(count) * 3, "text": texts},
        E={":START_ID(N)": ends[0] * 3, ":END_ID(N)": ends[1] * 3, "w": rng.random(3000)},
    )
    whole = nk.import_parquet(folder)
    monkeypatch.setattr(reading, "BATCH", 37)
    graph = nk.import_parquet(folder, tmp_path / "native")
    assert graph.format == "nkgraph"
    assert graph.read_nodes("N")["text"].tolist() == texts
    for mine, other in zip(graph.edges(), whole.edges(), strict=True):
        assert np.array_equal(mine, other)
    assert np.array_equal(graph.read_edges("E")["w"].values, whole.read_edges("E")["w"].values)
    write(tmp_path / "t", N2={"id:ID(N)": np.concatenate([np.arange(38) - 100, [0]])})
    with pytest.raises(GraphError, match=r"N2.parquet: row 39: N id 0 is given twice"):
        nk.import_parquet(folder)


@pytest.mark.parametrize(
    ("tables", "error", "message"),
    [
        ({"N": {"id:ID(N)": [1, 1]}}, GraphError, "N.parquet: row 2: N id 1 is given twice"),
        ({"N": {"id:ID(N)": [1, None]}}, FormatError, "row 2, column id: expected an id"),
        ({"N": {"id:ID(N)": [1.5]}}, FormatError, "integers or texts, found float64"),
        ({"N": {"a:ID(N)": [1], "b:ID(N)": [1]}}, FormatError, "one :ID column, found two"),
        ({"E": {":START_ID(N)": [1]}}, FormatError, "one :START_ID and one :END_ID"),
        (
            {"N": {"id:ID(N)": [1]}, "M": {":START_ID(N)": [1], ":END_ID(N)": [2]}},
            GraphError,
            "M.parquet: row 1: no N has id 2",
        ),
        (
            {"N": {"id:ID(N)": [1], ":LABEL": [None]}},
            GraphError,
            "N.parquet: row 1: no label",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, tables, error, message):
    with pytest.raises(error, match=message):
        nk.import_parquet(write(tmp_path / "t", **tables), tmp_path / "native")
    assert not (tmp_path / "native").exists()


def test_no_such_files_and_columns(tmp_path):
    (tmp_path / "t").mkdir()
    with pytest.raises(GraphError, match=r"expected .parquet files, found none"):
        nk.import_parquet(tmp_path / "t")
    with pytest.raises(FileNotFoundError):
        nk.import_parquet(tmp_path / "none.parquet")
    folder = write(tmp_path / "t", N={"a": [1]})
    with pytest.raises(GraphError, match="no file has a column 'b'"):
        nk.import_parquet(folder, columns={"b": "id:ID(N)"})
    (tmp_path / "x.parquet").write_bytes(b"not")
    with pytest.raises(FormatError, match="magic"):
        nk.import_parquet(tmp_path / "x.parquet")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    table = {
        "id:ID(N)": [f"n{n}" for n in range(40)],
        "x": [None if n % 3 else n for n in range(40)],
        "list": [[n] * (n % 3) for n in range(40)],
    }
    return folder, (write(folder / "t", N=table) / "N.parquet").read_bytes()


@given(data=st.data())
def test_damage_is_an_error_of_nkgraph(good, data):
    folder, whole = good
    cut = data.draw(st.booleans())
    at = data.draw(st.integers(0, len(whole) - 1))
    held = whole[:at] if cut else whole[:at] + data.draw(st.binary(min_size=1, max_size=1))
    path = folder / "damaged.parquet"
    path.write_bytes(held if cut else held + whole[at + 1 :])
    try:
        graph = nk.import_parquet(path)
    except NkgraphError:
        return
    assert graph.node_count <= 40
