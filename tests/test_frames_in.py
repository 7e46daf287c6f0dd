"""Frames of pandas, polars, Arrow and DuckDB as properties, ids and edges."""

import datetime
import decimal
import math
import tracemalloc
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.errors import GraphError
from nkgraph.interop import frames
from nkgraph.storage import columns

UTC, DAY = datetime.UTC, datetime.date(1960, 2, 29)
MOMENT = datetime.datetime(1960, 2, 29, 23, 59, 59)


def listed(column):
    return nk.Column(column).tolist()


def shown(values):
    """Tell 1 from 1.0 and True."""
    return [(type(value), value) for value in values]


# -- Arrow columns of every type --------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MOMENTS = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
NESTED = st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=3)


def ints(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


ARROW = [
    *[(getattr(pa, f"int{bits}")(), ints(bits), "int64") for bits in (8, 16, 32, 64)],
    *[(getattr(pa, f"uint{bits}")(), st.integers(0, 2**bits - 1), "int64") for bits in (8, 16, 32)],
    (pa.uint64(), st.integers(0, 2**63 - 1), "int64"),
    (pa.float32(), st.floats(width=32, allow_nan=False), "float64"),
    (pa.float64(), st.floats(allow_nan=False), "float64"),
    (pa.bool_(), st.booleans(), "bool"),
    (pa.string(), TEXTS, "text"),
    (pa.large_string(), TEXTS, "text"),
    (pa.string_view(), TEXTS, "text"),
    (pa.dictionary(pa.int8(), pa.string()), TEXTS, "text"),
    (pa.date32(), st.dates(), "date"),
    (pa.date64(), st.dates(), "date"),
    *[(pa.timestamp(unit), MOMENTS, "timestamp") for unit in ("s", "ms", "us", "ns")],
    (pa.list_(pa.int64()), NESTED, "mixed"),
    (pa.large_list(pa.int64()), NESTED, "mixed"),
    (pa.struct({"a": pa.int64(), "b": pa.string()}),
     st.fixed_dictionaries({"a": ints(64), "b": TEXTS}), "mixed"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "stored"), ARROW, ids=lambda item: str(item)[:30])
@given(data=st.data())
def test_arrow_columns(kind, values, stored, data):
    """Sliced anywhere, in several chunks, with nulls: what Arrow's own Python values say."""
    items = data.draw(st.lists(st.one_of(st.none(), values), max_size=24))
    whole = pa.array(items, kind)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), min_size=2, max_size=4)))
    chunks = [whole[a:b] for a, b in pairwise(cuts)]
    chunked = pa.chunked_array(chunks, whole.type)
    want = items[cuts[0] : cuts[-1]]
    column = frames.as_column(chunked, len(want), "x")
    assert shown(listed(column)) == shown(want)
    if any(value is not None for value in want):
        assert column.kind == stored
    if isinstance(column, columns.TextColumn):
        lengths = np.diff(column.text.offsets)
        assert [int(size) for size in lengths] == [len((v or "").encode()) for v in want]
    # and by way of the C stream, as other libraries give it
    polars = kind not in (pa.date64(), pa.timestamp("s"), pa.float16())
    if polars and len(want) and stored != "mixed":
        series = pl.Series(chunked)
        assert listed(frames.as_column(series, len(want), "x")) == want


SPAN = pa.struct({"months": pa.int32(), "days": pa.int32(), "seconds": pa.int64()})


def test_other_arrow_forms():
    cases = [
        (pa.nulls(2), [None, None]),
        (pa.array(np.array([1.5, 2], np.float16)), [1.5, 2.0]),
        (pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), ["x", "y"]), list("xxy")),
        (pa.array([decimal.Decimal(7), None], pa.decimal128(20, 0)), [7, None]),
        (pa.array([{"k": 1}, None], pa.map_(pa.string(), pa.int64())), [{"k": 1}, None]),
        (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), [[1, 2]]),
        (pa.array([(1, -2, 3 * 10**9), None], pa.month_day_nano_interval()),
         [nk.Duration(1, -2, 3), None]),
        (pa.DictionaryArray.from_arrays([0, None, 1], pa.array(["a", None])), ["a", None, None]),
        (pa.array([b"\xc3\xa9"]).cast(pa.string()), ["é"]),
        (pa.array([(1, -2, 3), None], SPAN), [nk.Duration(1, -2, 3), None]),
        (pa.array([(k, 2 * k, 3 * k) for k in range(5)], SPAN)[1:3],
         [nk.Duration(1, 2, 3), nk.Duration(2, 4, 6)]),
        (pa.array([(k, 2 * k, 10**9) for k in range(5)], pa.month_day_nano_interval())[1:2],
         [nk.Duration(1, 2, 1)]),
        (pa.array([(1, None, 3)], SPAN), [{"days": None, "months": 1, "seconds": 3}]),
        (pa.array(["{}"], pa.json_(pa.string())), ["{}"]),
        (pa.chunked_array([], pa.string()), []),
        (nk.Table({}, np.zeros(0)), None),
    ]  # fmt: skip
    for array, want in cases[:-1]:
        assert shown(listed(frames.as_column(array, len(want), "x"))) == shown(want)
    with pytest.raises(GraphError, match="x is a Table: give one of its columns"):
        frames.as_column(cases[-1][0], None, "x")


def test_bytes_under_nulls_do_not_matter():
    valid, offsets = pa.py_buffer(b"\x05"), pa.py_buffer(np.array([0, 1, 3, 4], "i4"))
    text = pa.Array.from_buffers(pa.string(), 3, [valid, offsets, pa.py_buffer(b"a\xff\xffb")])
    column = frames.as_column(text, 3, "x")
    assert listed(column) == ["a", None, "b"]
    assert column.text.data.tobytes() == b"ab"
    wide = pa.Array.from_buffers(
        pa.uint64(), 3, [valid, pa.py_buffer(np.array([1, 2**64 - 1, 2], np.uint64))]
    )
    found = frames.as_column(wide, 3, "x")
    assert (listed(found), found.data.tolist()) == ([1, None, 2], [1, 0, 2])


def damaged(offsets, data):
    return pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array(offsets, "i4")), pa.py_buffer(data)]
    )


REFUSED = [
    (damaged([0, 1, 2], b"a\xff"), "x, of the Arrow type string: .*UTF8"),
    (damaged([0, 2, 1], b"ab"), "x, of the Arrow type string: .*offset"),
    (pa.chunked_array([[1], [2**63]], pa.uint64()), "x: row 1: 9223372036854775808 does not fit"),
    (pa.array([None, 1500], pa.timestamp("ms")), "x: row 1: 1970-01-01T00:00:01.500, of a timest"
     "amp in ms, is finer than a second"),
    (pa.array([1], pa.timestamp("ns")), "timestamp in ns"),
    (pa.array([MOMENT], pa.timestamp("us", "UTC")), "x has a time zone"),
    (pa.Array.from_buffers(pa.date64(), 1, [None, pa.py_buffer(np.array([5]))]), "no whole day"),
    (pa.array([b"x"]), "x is of the Arrow type binary, which has no form here: cast it"),
    (pa.array([decimal.Decimal("1.5")]), "Arrow type decimal128"),
    (pa.array([datetime.timedelta(1)]), "Arrow type duration"),
    (pa.array([datetime.time(1)]), "Arrow type time64"),
    (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "interval in ns is finer"),
    (pa.array([[b"x"]]), "x: row 0: bytes"),
    (pa.array([[decimal.Decimal(1)]]), "x: row 0: Decimal"),
    (pa.array([None, [2**63]], pa.list_(pa.uint64())), "x: row 1: an integer beyond 64 bits"),
    (pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())), "the Arrow type map"),
    (pl.Series([1], dtype=pl.Int128), "x is a Series with no Arrow form"),
    (pl.Series(["1.5"]).cast(pl.Decimal(5, 2)), "decimal128"),
    (pa.table({"a": [1]}), "x is a Table: give one of its columns"),
    (pl.DataFrame({"a": [1]}), "x is a DataFrame: give one of its columns"),
    (pd.DataFrame({"a": [1]}), "x is a DataFrame: give one of its columns"),
    (pd.Series([pd.Timedelta(1)]), "x holds timedelta64"),
    (pd.Series([pd.Timestamp("2020-01-01 00:00:00.5")]), "row 0: .* finer than a second"),
    (pd.Series([MOMENT.replace(tzinfo=UTC)]), "time zone"),
    (pd.Series([decimal.Decimal(1)]), "x: row 0: Decimal"),
    (pd.MultiIndex.from_tuples([(1, 2)]), "x is a MultiIndex: give one of its levels"),
    (pl.Series([object()], dtype=pl.Object), "Arrow type fixed_size_binary"),
    (pa.array([b"0" * 16], pa.uuid()), "Arrow type extension<arrow.uuid>"),
    (pa.UnionArray.from_sparse(pa.array([0], "int8"), [pa.array([1])]), "sparse_union"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"), REFUSED, ids=[message[:30] for _, message in REFUSED]
)
def test_what_has_no_exact_form_is_refused_by_name(given, message):
    with pytest.raises(GraphError, match=message):
        frames.as_column(given, None, "x")


@pytest.mark.parametrize(
    "wrap", [pl.Series, pd.Series, pa.array], ids=["polars", "pandas", "pyarrow"]
)
def test_text_makes_no_python_strings(wrap):
    """A string takes 50 bytes and more: 200,000 of them would take 10 MB."""
    rows = 200_000
    given = wrap([f"name {row}" for row in range(rows)])
    tracemalloc.start()
    column = frames.as_column(given, rows, "x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    held = column.text.data.nbytes + column.text.offsets.nbytes
    assert held < peak < 2 * held + rows  # NumPy's own arrays are counted, Arrow's are not
    assert column.text.take([0, rows - 1]).to_strings().tolist() == ["name 0", f"name {rows - 1}"]


# -- pandas -----------------------------------------------------------------------------------

PANDAS = [
    (pd.Series([1, 2], dtype="uint8"), "int64", [1, 2]),
    (pd.Series([1, None], dtype="Int32"), "int64", [1, None]),
    (pd.Series([2**63 - 1, None], dtype="UInt64"), "int64", [2**63 - 1, None]),
    (pd.Series([1.5, None], dtype="Float64"), "float64", [1.5, None]),
    (pd.Series([True, None], dtype="boolean"), "bool", [True, None]),
    (pd.Series(["a", None]), "text", ["a", None]),
    (pd.Series(["a", None], dtype=object), "text", ["a", None]),
    (pd.Series(["a", None], dtype="string[python]"), "text", ["a", None]),
    (pd.Series(["a", None], dtype="string[pyarrow]"), "text", ["a", None]),
    (pd.Series(["é", None], dtype=pd.ArrowDtype(pa.string())), "text", ["é", None]),
    (pd.Series([1, None], dtype="int64[pyarrow]"), "int64", [1, None]),
    (pd.Series([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), "mixed", [[1], None]),
    (pd.Series(["b", None, "a", "b"], dtype="category"), "text", ["b", None, "a", "b"]),
    (pd.Series([7, 7, 5], dtype="category"), "int64", [7, 7, 5]),
    (pd.Series([None, None], dtype="category"), "mixed", [None, None]),
    (pd.Series([MOMENT, None]), "timestamp", [MOMENT, None]),
    (pd.Series([DAY, None]), "date", [DAY, None]),
    (pd.Series([1, "x", None, [2]]), "mixed", [1, "x", None, [2]]),
    (pd.Index(["a", "b"]), "text", ["a", "b"]),
    (pd.Index([5, 6]), "int64", [5, 6]),
    (pd.array([5, None], dtype="Int64"), "int64", [5, None]),
    (pd.Series([5, 6], index=[9, 3]), "int64", [5, 6]),
]


@pytest.mark.parametrize(("given", "kind", "want"), PANDAS, ids=lambda item: str(item)[:12])
def test_pandas_columns(given, kind, want):
    column = frames.as_column(given, len(want), "x")
    assert column.kind == kind
    assert shown(listed(column)) == shown(want)
    held = pd.DataFrame({"a": given}) if not isinstance(given, pd.Index) else given.to_frame()
    (again,) = frames.as_mapping(held).values()
    assert shown(listed(frames.as_column(again, len(want), "x"))) == shown(want)


def test_nan_of_floats_is_a_value_and_null_is_not():
    for floats in (pl.Series([math.nan]), pa.array([math.nan]), np.array([math.nan])):
        column = frames.as_column(floats, 1, "x")
        assert column.valid is None
        assert math.isnan(column.data[0])


def test_what_pandas_calls_missing_is_absent():
    for series, kind in (
        (pd.Series([1.5, None]), "float64"),
        (pd.Series([1.5, math.nan], dtype="float32"), "float64"),
        (pd.Series([1.5, math.nan], dtype=object), "float64"),
        (pd.Index([1.5, math.nan]), "float64"),
        (pd.Series(["a", math.nan], dtype=object), "text"),
        (pd.DataFrame({"x": [1.5, pd.NA]}, dtype=object)["x"], "float64"),
    ):
        column = frames.as_column(series, 2, "x")
        assert column.kind == kind
        assert listed(column)[1] is None
        assert listed(column)[0] in (1.5, "a")
    g = nk.Graph()
    with pytest.raises(GraphError, match="row 1 has no id"):
        g.add_nodes("N", pd.Series([1.0, None]))


def test_pandas_needs_no_arrow(monkeypatch):
    frame = pd.DataFrame({"i": [1, 2], "m": pd.array([1, None], dtype="Int64"), "f": [1.5, 2]})
    frame["c"] = pd.Categorical.from_codes([1, 0], categories=pd.Index([3, 4]))
    frame["s"] = pd.Series(["a", None], dtype=pd.StringDtype("python"))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    g = nk.Graph()
    g.add_nodes("N", frame["i"], frame)
    table = g.read_nodes("N")
    assert {name: table[name].tolist() for name in table} == {
        "i": [1, 2], "m": [1, None], "f": [1.5, 2], "c": [4, 3], "s": ["a", None],
    }  # fmt: skip
    with pytest.raises(ImportError, match=r"pyarrow is not installed: .*nkgraph\[arrow\]"):
        g.add_nodes("N", pl.Series([5, 6]))


# -- frames as properties ---------------------------------------------------------------------

DATA = {
    "id": ["a", "b", "c"],
    "int": [1, None, 3],
    "text": ["é", "", None],
    "flag": [True, None, False],
    "day": [DAY, None, DAY],
    "list": [[1], [], None],
}


class Stream:
    """An object of which nothing is known but its stream."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


ARROW_TABLE = pa.table(DATA)
FRAMES = {
    "dict": lambda: DATA,
    "arrow": lambda: ARROW_TABLE,
    "batch": lambda: ARROW_TABLE.to_batches()[0],
    "reader": lambda: ARROW_TABLE.to_reader(),
    "stream": lambda: Stream(ARROW_TABLE),
    "chunks": lambda: pa.concat_tables([ARROW_TABLE[:1], ARROW_TABLE[1:]]),
    "polars": lambda: pl.DataFrame(DATA),
    "pandas": lambda: ARROW_TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "objects": lambda: pd.DataFrame(DATA, dtype=object),
    "duckdb": lambda: duckdb.from_arrow(ARROW_TABLE),
}


def contents(table):
    return {name: table[name].tolist() for name in table}


@pytest.mark.parametrize("form", FRAMES)
def test_frames_as_properties_of_nodes_and_edges(form):
    g = nk.Graph()
    nodes = g.add_nodes("N", DATA["id"], FRAMES[form]())
    assert contents(g.read_nodes("N")) == dict(sorted(DATA.items()))
    g.add_edges("E", nodes, nodes[::-1], FRAMES[form]())
    assert contents(g.read_edges("E")) == dict(sorted(DATA.items()))
    swapped = nodes[::-1].copy()
    g.update_nodes(swapped, FRAMES[form]())
    assert contents(g.read_nodes("N", nodes=swapped)) == dict(sorted(DATA.items()))
    g.update_edges(g.edges()[2][::-1].copy(), FRAMES[form]())
    assert g.read_edges("E")["int"].tolist() == [3, None, 1]


def test_a_table_of_a_graph_is_a_frame():
    g = nk.Graph()
    g.add_nodes("N", DATA["id"], DATA)
    table = g.read_nodes("N", ["id", "int", "list"])
    other = nk.Graph()
    other.add_nodes("N", table["id"], table)
    assert contents(other.read_nodes("N", ["id", "int", "list"])) == contents(table)


def gappy(make):
    return make({"a": pd.array([0, None], "Int64") if make is pd.DataFrame else [0, None]})


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_columns_as_ids_titles_and_ends(make):
    frame = make({"key": [70, 7], "name": ["x", "y"], "end": [1, 0]})
    g = nk.Graph()
    nodes = g.add_nodes("N", frame["key"], titles=frame["name"])
    assert g.find("N", frame["key"]).tolist() == nodes.tolist() == [0, 1]
    assert g.titles(nodes).tolist() == ["x", "y"]
    g.add_edges("E", frame["end"], frame["end"])
    assert g.edges()[0].tolist() == [1, 0]
    assert g.find("N", make({"key": [1, 7]})["key"], missing="sentinel").tolist() == [nk.NO_NODE, 1]
    with pytest.raises(GraphError, match="sources: row 1 has no value"):
        g.add_edges("E", gappy(make)["a"], [0, 0])
    with pytest.raises(GraphError, match="row 1 has no id"):
        g.add_nodes("M", make({"a": ["x", None]})["a"])


def test_the_main_form():
    frame = pl.DataFrame({"id": ["a", "b"], "x": [1, None]})
    g = nk.Graph()
    g.add_nodes("T", frame["id"], frame.drop("id"))
    assert contents(g.read_nodes("T", ["id", "x"])) == {"id": ["a", "b"], "x": [1, None]}


def test_what_a_frame_owner_changes_does_not_change_a_graph():
    numbers = np.arange(3)
    texts = np.array(["a", "b", "c"])
    frame = pd.DataFrame({"i": numbers}, copy=False)
    g = nk.Graph()
    g.add_nodes("N", [1, 2, 3], frame)
    g.add_nodes("A", [1, 2, 3], {"i": pa.array(numbers), "t": texts})
    numbers[:] = 9
    texts[:] = "z"
    frame.loc[:, "i"] = 8
    assert g.read_nodes("N")["i"].tolist() == [0, 1, 2]
    assert contents(g.read_nodes("A")) == {"i": [0, 1, 2], "t": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.DataFrame({"a": [1]}), r"properties\['a'\] has 1 rows, not 2"),
        (pl.DataFrame({"a": [1, 2], "b": [b"x", b"y"]}), r"properties\['b'\] is of the Arrow type"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "two columns named 'a'"),
        (pa.table([[1, 2], [1, 2]], names=["a", "a"]), "two columns named 'a'"),
        (pd.DataFrame([[1], [2]]), "a property name must be a string, not int"),
        (pd.Series([1, 2]), "properties is a Series, neither a mapping .* nor a frame"),
        (pl.Series([1, 2]), "properties is a Series that Arrow reads as no table"),
        (pa.chunked_array([[1, 2]]), "properties is a ChunkedArray that Arrow reads as no table"),
        (pl.LazyFrame({"a": [1, 2]}), r"properties is a LazyFrame, .*: collect\(\) it first"),
        ([1, 2], "properties is a list, neither"),
        (pd.DataFrame({"__id__": [1, 2]}), "names something else on disk"),
    ],
)
def test_frames_that_do_not_fit_change_nothing(given, message):
    g = nk.Graph()
    nodes = g.add_nodes("N", [1, 2], {"x": [1, 2]})
    g.add_edges("E", nodes, nodes)
    with pytest.raises(GraphError, match=message):
        g.add_nodes("N", [3, 4], given)
    if "disk" not in message:  # edges may be called so
        with pytest.raises(GraphError, match=message):
            g.add_edges("E", nodes, nodes, given)
    with pytest.raises(GraphError, match=message):
        g.update_nodes(nodes, given)
    assert (g.node_count, g.edge_count, list(g.read_nodes("N"))) == (2, 2, ["x"])


# -- edge lists -------------------------------------------------------------------------------

ROADS = {
    "from": ["b", "a", "b", "c"],
    "to": ["a", "a", "c", "b"],
    "km": [1.5, None, 3.5, 4.5],
    "kind": ["R", "S", "R", "R"],
    "toll": [True, False, None, True],
}
MAKERS = {"pandas": lambda d: pd.DataFrame(d).convert_dtypes(), "polars": pl.DataFrame,
          "arrow": pa.table, "dict": dict}  # fmt: skip


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_import_edges_of_frames(make, tmp_path):
    frame = make(ROADS)
    for path in (None, tmp_path / "g"):
        g = nk.import_edges(
            frame, path, source="from", target="to", type="kind", weight="km",
            properties={"has_toll": "toll"}, node_type="Town",
        )  # fmt: skip
        assert g.ids(g.nodes("Town")).tolist() == ["b", "a", "c"]
        assert g.connection_types == {"R": 3, "S": 1}
        assert g.edges()[0].tolist() == [0, 1, 0, 2]
        assert g.edges()[1].tolist() == [1, 1, 2, 0]
        assert contents(g.read_edges("R")) == {
            "has_toll": [True, None, True],
            "weight": [1.5, 3.5, 4.5],
        }
        assert g.read_edges("S")["weight"].tolist() == [None]
        g.close()


def test_import_edges_of_a_frame_and_of_its_file_agree(tmp_path):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"s": rng.integers(0, 50, 300), "t": rng.integers(0, 50, 300)})
    frame["x"] = rng.random(300).round(3)
    frame.to_csv(tmp_path / "edges.csv", index=False)
    wanted = {"source": "s", "target": "t", "weight": "x"}
    ours = nk.import_edges(frame, **wanted)
    files = nk.import_edges(tmp_path / "edges.csv", header=True, **wanted)
    for a, b in zip(ours.edges(), files.edges(), strict=True):
        assert a.tolist() == b.tolist()
    assert ours.ids(ours.nodes()).tolist() == files.ids(files.nodes()).tolist()
    assert contents(ours.read_edges("EDGE")) == contents(files.read_edges("EDGE"))
    by_place = nk.import_edges(frame, properties=[2])
    assert by_place.read_edges("EDGE")["x"].tolist() == frame["x"].tolist()
    unnamed = nk.import_edges(pd.DataFrame([[1, 2, 5]]), properties=[2])
    assert unnamed.read_edges("EDGE")["column_2"].tolist() == [5]


def test_texts_that_spell_integers_stay_texts():
    g = nk.import_edges({"s": ["1", "07"], "t": ["07", "1"]}, source="s", target="t")
    assert g.ids(g.nodes()).tolist() == ["1", "07"]
    empty = nk.import_edges(pl.DataFrame({"s": [], "t": []}, schema={"s": pl.Int64, "t": pl.Int64}))
    assert (empty.node_count, empty.edge_count) == (0, 0)


def test_import_triples_of_a_frame():
    facts = pl.DataFrame({"h": ["cat", "dog"], "r": ["eats", "sees"], "t": ["fish", "cat"]})
    g = nk.import_triples(facts)
    assert g.ids(g.nodes("Entity")).tolist() == ["cat", "fish", "dog"]
    assert g.connection_types == {"eats": 1, "sees": 1}
    with pytest.raises(GraphError, match="column 't' holds int64: expected texts"):
        nk.import_triples(facts.with_columns(t=pl.Series([1, 2])))


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"source": "nothing"}, r"no column 'nothing'; the frame has \['from', 'to'"),
        ({}, {"source": 9}, "no column 9"),
        ({}, {"target": "from"}, "column 'from' is asked for twice"),
        ({}, {"properties": ["km", "km"]}, "'km' is named twice|asked for twice"),
        ({}, {"weight": "km", "properties": {"weight": "toll"}}, "'weight' is named twice"),
        ({}, {"weight": "kind"}, "column 'kind' is to be the weight, but holds text"),
        ({}, {"type": "km"}, "column 'km' is to name connection types, but holds float64"),
        ({"kind": ["R", None, "R", "R"]}, {"type": "kind"}, "'kind': row 1 has no connection type"),
        ({"to": ["a", None, "c", "b"]}, {}, "column 'to': row 1 has no id"),
        ({"to": [1, 2, 3, 4]}, {}, "column 'from' holds text and column 'to' holds int64"),
        ({"to": [0.5, 2, 3, 4]}, {}, "column 'to': row 0: .*neither an integer nor a text"),
        ({}, {"header": True}, "delimiter and header are for files"),
        ({}, {"delimiter": ","}, "delimiter and header are for files"),
        ({}, {"properties": "km"}, "expected a sequence or a mapping"),
    ],
)
def test_edge_frames_that_do_not_fit(change, arguments, message, tmp_path):
    frame = pa.table({**ROADS, **change})
    arguments = {"source": "from", "target": "to", **arguments}
    with pytest.raises(GraphError, match=message):
        nk.import_edges(frame, tmp_path / "g", **arguments)
    assert not (tmp_path / "g").exists()


def test_neither_files_nor_a_frame():
    with pytest.raises(GraphError, match="files: expected paths or a frame, found a int"):
        nk.import_edges(7)
