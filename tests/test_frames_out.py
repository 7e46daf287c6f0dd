"""Tables to Arrow, pandas, polars and DuckDB: values, nulls, types, and what shares memory."""

import datetime
import math
import mmap
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import nkgraph as nk
from nkgraph.errors import GraphError
from nkgraph.storage.columns import FixedColumn, TextColumn

DAY, MOMENT = datetime.date(1969, 12, 31), datetime.datetime(2020, 2, 29, 1, 2, 3)
FRACTION = datetime.datetime(2020, 2, 29, 1, 2, 3, 4)
FULL = {
    "integer": [1, -(2**63), 2**63 - 1],
    "float": [0.5, math.inf, -0.0],
    "flag": [True, False, True],
    "day": [DAY, datetime.date(1, 1, 1), datetime.date(9999, 12, 31)],
    "moment": [MOMENT, datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)],
    "text": ["", "é", "a\0日本" * 30],
    "fraction": [FRACTION, MOMENT, MOMENT],
    "span": [nk.Duration(-1, 2, 2**62), nk.Duration(0, 0, 0), nk.Duration(5, -6, -7)],
    "point": [{"latitude": float(row), "longitude": -1.5} for row in range(3)],
    "list": [[1, 2], [], [None]],
    "map": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": None, "b": "z"}],
    "number": [2.5, 1, 2**53],
}
ARROW = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "flag": pa.bool_(),
    "day": pa.date32(),
    "moment": pa.timestamp("s"),
    "text": pa.large_string(),
    "fraction": pa.timestamp("us"),
    "span": pa.struct({"months": pa.int32(), "days": pa.int32(), "seconds": pa.int64()}),
    "point": pa.struct({"latitude": pa.float64(), "longitude": pa.float64()}),
    "list": pa.list_(pa.int64()),
    "map": pa.struct({"a": pa.int64(), "b": pa.string()}),
    "number": pa.float64(),
    "nothing": pa.null(),
}
SHARED = ("integer", "float", "day", "moment", "text")


def gapped(values):
    return [values[0], None, values[2]]


COLUMNS = {
    **FULL,
    **{f"{name}?": gapped(values) for name, values in FULL.items()},
    "nothing": [None] * 3,
}


def plain(value):
    return value._asdict() if isinstance(value, nk.Duration) else value


WANT = {name: [plain(value) for value in values] for name, values in COLUMNS.items()}


@pytest.fixture(scope="module", params=["heap", "mapped"])
def table(request, tmp_path_factory):
    g = nk.Graph()
    g.add_nodes("N", [10, 20, 30], COLUMNS)
    if request.param == "heap":
        yield g.read_nodes("N")
        return
    path = tmp_path_factory.mktemp("frames") / "g"
    g.save(path)
    with nk.open(path) as opened:
        yield opened.read_nodes("N")


def shown(value):
    """Tell 1 from 1.0 and True, and NaN from nothing."""
    return repr(value)


def test_arrow_has_the_values_and_the_types(table):
    arrow = table.to_arrow()
    arrow.validate(full=True)
    for name, want in WANT.items():
        column = arrow.column(name)
        kind = ARROW[name.removesuffix("?")]
        assert column.type == kind, name
        if name.startswith("number"):
            want = [None if value is None else float(value) for value in want]
        assert shown(column.to_pylist()) == shown(want), name
        assert column.null_count == want.count(None)
    assert list(arrow.column_names) == sorted(WANT)


def owner(array):
    """What an array's memory belongs to."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


def address(array):
    return array.__array_interface__["data"][0]


def buffers_of(column):
    """Offsets and bytes of text, or the values."""
    if isinstance(column.stored, TextColumn):
        return [column.stored.text.offsets, column.stored.text.data]
    assert isinstance(column.stored, FixedColumn)
    return [column.stored.data]


def test_arrow_shares_memory(table):
    arrow = table.to_arrow()
    for name in [*SHARED, *(f"{name}?" for name in SHARED)]:
        buffers = arrow.column(name).chunk(0).buffers()[1:]
        assert [buffer.address for buffer in buffers] == list(map(address, buffers_of(table[name])))


def test_arrow_shares_the_map_of_a_file(tmp_path):
    names = ["integer", "integer?", "float", "day?", "text", "text?"]
    g = nk.Graph()
    g.add_nodes("N", [10, 20, 30], {name: COLUMNS[name] for name in names})
    g.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as opened:
        table = opened.read_nodes("N")
        arrow = table.to_arrow()
        for name in names:
            data = buffers_of(table[name])[-1]
            assert isinstance(owner(data), mmap.mmap), name
            assert arrow.column(name).chunk(0).buffers()[-1].address == address(data)
    assert arrow.to_pydict() == {name: COLUMNS[name] for name in sorted(names)}  # closed by now


def test_unique_ids_are_uint32(tmp_path):
    g = nk.Graph()
    g.add_nodes("N", [7, 2**32 - 1])
    g.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as opened:
        arrow = opened.read_nodes("N", ["id"]).to_arrow()
    assert arrow.column("id").type == pa.uint32()
    assert arrow.column("id").to_pylist() == [7, 2**32 - 1]  # the graph is closed by now


def test_pandas(table):
    frame = table.to_pandas()
    for name, want in WANT.items():
        column = frame[name]
        assert column.dtype == pd.ArrowDtype(ARROW[name.removesuffix("?")])
        assert column.isna().tolist() == [value is None for value in want]
        if name.startswith(("integer", "text", "flag", "float")):
            given = [None if value is pd.NA else value for value in column.tolist()]
            assert shown(given) == shown(want)
    for name in SHARED:
        mine = table.to_arrow().column(name).chunk(0).buffers()
        theirs = frame[name].array.__arrow_array__().chunk(0).buffers()
        assert [part.address for part in theirs[1:]] == [part.address for part in mine[1:]]


def test_polars(table):
    frame = table.to_polars()
    types = {
        "integer": pl.Int64, "float": pl.Float64, "flag": pl.Boolean, "day": pl.Date,
        "moment": pl.Datetime("ms"), "text": pl.String, "list": pl.List(pl.Int64),
        "nothing": pl.Null,
    }  # fmt: skip
    for name, kind in types.items():
        assert frame.schema[name] == kind
    for name, want in WANT.items():
        if name.startswith("number"):
            want = [None if value is None else float(value) for value in want]
        assert shown(frame[name].to_list()) == shown(want), name
    for name in ("integer", "float"):
        assert frame[name].to_numpy(allow_copy=False).ctypes.data == address(table[name].values)
    assert pl.DataFrame(table).equals(frame)


DUCKDB_TYPES = {
    "integer": "BIGINT", "float?": "DOUBLE", "flag?": "BOOLEAN", "day": "DATE",
    "moment?": "TIMESTAMP_S", "fraction": "TIMESTAMP", "text": "VARCHAR", "list": "BIGINT[]",
}  # fmt: skip


def test_duckdb_reads_the_stream(table):
    chosen = nk.Table({name: table[name] for name in COLUMNS}, table.rows)
    connection = duckdb.connect()
    relation = connection.from_arrow(chosen)
    found = dict(zip(relation.columns, zip(*relation.fetchall(), strict=True), strict=True))
    for name in COLUMNS:
        want = WANT[name]
        if name.startswith("number"):
            want = [None if value is None else float(value) for value in want]
        assert shown(list(found[name])) == shown(want), name
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert [types[name] for name in DUCKDB_TYPES] == list(DUCKDB_TYPES.values())
    total = connection.execute('SELECT sum("integer?"), count("text?") FROM chosen').fetchall()
    assert total == [(2**63 - 1 + 1, 2)]
    connection.close()


def test_pyarrow_reads_the_stream(table):
    assert pa.table(table).equals(table.to_arrow())
    assert pa.RecordBatchReader.from_stream(table).read_all().equals(table.to_arrow())


def test_numbers_that_floats_would_round_are_mixed():
    g = nk.Graph()
    g.add_nodes("N", [1, 2], {"x": [2**53 + 1, 0.5]})
    with pytest.raises(GraphError, match="column 'x' holds float and integer values"):
        g.read_nodes("N").to_arrow()
    found = g.read_nodes("N").to_arrow(mixed="json").column("x").to_pylist()
    assert found == ["9007199254740993", "0.5"]


MIXED = [1, "é\"", None, 2.5, math.nan, -math.inf, True, [1, {"a": DAY}], FRACTION,
         nk.Duration(1, 2, 3), DAY, math.inf]  # fmt: skip
SPELLED = ["1", '"é\\""', None, "2.5", '"NaN"', '"-Infinity"', "true",
           '[1, {"a": "1969-12-31"}]', '"2020-02-29T01:02:03.000004"',
           '{"months": 1, "days": 2, "seconds": 3}', '"1969-12-31"', '"Infinity"']  # fmt: skip


def test_mixtures_are_refused_or_json():
    g = nk.Graph()
    g.add_nodes("N", range(len(MIXED)), {"x": MIXED, "y": range(len(MIXED))})
    table = g.read_nodes("N")
    message = r"column 'x' holds boolean and date .* leave it out with columns=.* mixed=\"json\""
    for export in (table.to_arrow, table.to_pandas, table.to_polars, table.__arrow_c_stream__):
        with pytest.raises(GraphError, match=message):
            export()
    arrow = table.to_arrow(mixed="json")
    assert arrow.column("x").type == pa.large_string()
    assert arrow.column("x").to_pylist() == SPELLED
    assert table.to_pandas(mixed="json")["x"].isna().tolist() == [v is None for v in MIXED]
    assert table.to_polars(mixed="json")["x"].to_list() == SPELLED
    assert g.read_nodes("N", ["y"]).to_arrow().column_names == ["y"]
    with pytest.raises(GraphError, match='mixed is \'text\', not "error" or "json"'):
        table.to_arrow(mixed="text")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        [[1, "a"]],
        [[1], ["a"]],
        [{"a": 1}, {"a": [1]}],
        [[True], [1]],
        [[DAY], [MOMENT]],  # Arrow alone would cut the time off
        [{"a": DAY}, {"a": MOMENT}],
        [[2**53 + 1, 0.5]],
        [DAY, MOMENT],
        [[1], {"a": 1}],
        [[np.datetime64("20000-01-01")], [DAY]],
        [[np.datetime64("20000-01-01")]],
    ],
    ids=str,
)
def test_nested_values_with_no_type_in_common_are_mixtures(values):
    g = nk.Graph()
    g.add_nodes("N", range(len(values)), {"x": values})
    with pytest.raises(GraphError, match="column 'x' holds"):
        g.read_nodes("N").to_arrow()


def test_nested_values_that_fit():
    values = [{"day": DAY, "at": MOMENT, "x": [1.0, 2.5]}, None, {"x": [math.nan, None], "k": {}}]
    g = nk.Graph()
    g.add_nodes("N", range(3), {"x": values})
    found = g.read_nodes("N").to_arrow().column("x").to_pylist()
    empty = {"day": None, "at": None, "x": [math.nan, None], "k": {}}
    assert repr([found[0], found[1]]) == repr([{**sorted_(values[0]), "k": None}, None])
    assert repr(sorted_(found[2])) == repr(sorted_(empty))


def sorted_(item):
    """Keys are kept in the order of their bytes."""
    return dict(sorted(item.items()))


def test_timestamps_that_polars_would_wrap_are_refused():
    g = nk.Graph()
    far = np.array([5, 2**62], "datetime64[s]")
    g.add_nodes("N", [1, 2], {"x": far})
    assert g.read_nodes("N").to_arrow().column("x").cast("int64").to_pylist() == [5, 2**62]
    with pytest.raises(
        GraphError, match=f"column 'x' holds a timestamp {2**62} s .* polars counts"
    ):
        g.read_nodes("N").to_polars()


def test_durations_within_lists_keep_their_fields():
    g = nk.Graph()
    g.add_nodes("N", [1], {"x": [[nk.Duration(1, 2, 3)]]})
    found = g.read_nodes("N").to_arrow().column("x").to_pylist()
    assert found == [[{"months": 1, "days": 2, "seconds": 3}]]


def test_edges_and_chosen_rows():
    g = nk.Graph()
    nodes = g.add_nodes("N", ["a", "b", "c"], {"t": ["x", None, "z"]})
    g.add_edges("E", nodes[:2], nodes[1:], {"w": [1.5, None]})
    assert g.read_edges("E").to_arrow().to_pydict() == {"w": [1.5, None]}
    table = g.read_nodes("N", nodes=nodes[[2, 1]])
    assert table.to_arrow().to_pydict() == {"t": ["z", None]}
    assert g.read_nodes("N", ["id", "t"]).to_polars().rows() == [
        ("a", "x"),
        ("b", None),
        ("c", "z"),
    ]


def test_row_ids_as_a_column():
    g = nk.Graph()
    nodes = g.add_nodes("N", ["a", "b", "c"], {"t": ["x", None, "z"]})
    table = g.read_nodes("N", nodes=nodes[[2, 0]]).with_rows("node")
    arrow = table.to_arrow()
    assert arrow.column_names == ["node", "t"]
    assert arrow.column("node").type == pa.uint32()
    assert arrow.to_pydict() == {"node": [2, 0], "t": ["z", "x"]}
    assert list(g.read_nodes("N")) == ["t"]
    with pytest.raises(GraphError, match="column 't' already"):
        table.with_rows("t")
    g.add_edges("E", nodes[:2], nodes[1:])
    assert g.read_edges("E").with_rows("edge").to_arrow().to_pydict() == {"edge": [0, 1]}


def test_no_rows_and_no_columns():
    g = nk.Graph()
    g.add_nodes("N", [1, 2, 3], COLUMNS)
    empty = g.read_nodes("N", nodes=[])
    assert len(empty.to_arrow()) == len(empty.to_pandas()) == len(empty.to_polars()) == 0
    assert empty.to_arrow().column_names == sorted(COLUMNS)
    with pytest.raises(GraphError, match="no columns"):
        g.read_nodes("N", []).to_arrow()


# -- libraries that are not there -------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "extra", "call"),
    [
        (["pyarrow"], "arrow", "to_arrow"),
        (["pyarrow"], "arrow", "__arrow_c_stream__"),
        (["pandas"], "pandas", "to_pandas"),
        (["polars"], "polars", "to_polars"),
        (["scipy", "scipy.sparse"], "scipy", "to_scipy"),
        (["igraph"], "igraph", "to_igraph"),
        (["networkit"], "networkit", "to_networkit"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(monkeypatch, modules, extra, call):
    g = nk.Graph()
    nodes = g.add_nodes("N", [1, 2], {"x": [1, 2]})
    g.add_edges("E", nodes[:1], nodes[1:])
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    owners = [g.read_nodes("N"), g.csr(), g]
    calls = [getattr(one, call) for one in owners if hasattr(one, call)]
    assert calls
    for export in calls:
        with pytest.raises(ImportError, match=rf"{modules[0]} is not .* 'nkgraph\[{extra}\]'"):
            export()


def test_no_library_is_imported_before_it_is_asked_for():
    # numba looks for scipy when a kernel runs; tests/test_layers.py sees to it before that
    code = """
import sys
import numpy as np
import nkgraph as nk
g = nk.Graph()
n = g.add_nodes("N", ["a", "b"], {"x": [1, None], "y": np.array(["u", "v"])})
g.add_edges("E", n[:1], n[1:], {"w": np.ma.masked_array([1.5], [True])})
h = nk.import_edges({"s": [1, 2], "t": [2, 3]}, source="s", target="t")
m = nk.Graph()
m.add_nodes("N", [1, 2], g.read_nodes("N"))
table = g.read_nodes("N")
repr(table), table["x"].values, g.csr("E").reverse(), nk.CSR.from_edges([0], [1])
heavy = "pandas pyarrow polars duckdb igraph networkit networkx matplotlib".split()
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
