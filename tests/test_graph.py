"""Graph against its slow twin, in memory and after every way of saving."""

import datetime
import math

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import nkgraph as nk

NODE_TYPES = ("Person", "Ört", "T")
CONNECTIONS = ("KNOWS", "a", "LIVES_IN", "日本")
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.dates(),
)


def columns(rows):
    """Property columns: some of one kind, some mixed."""
    kinds = [
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=rows, max_size=rows),
        st.lists(st.none() | st.text(max_size=5), min_size=rows, max_size=rows),
        st.lists(st.none() | st.floats(allow_nan=False), min_size=rows, max_size=rows),
        st.lists(VALUES, min_size=rows, max_size=rows),
    ]
    return st.dictionaries(st.sampled_from(("x", "y", "né")), st.one_of(kinds), max_size=2)


@st.composite
def programs(draw):
    """Steps that build a graph: ids are new, nodes exist."""
    steps, used, count = [], set(), 0
    for _ in range(draw(st.integers(0, 5))):
        if count == 0 or draw(st.booleans()):
            kind = draw(st.sampled_from(NODE_TYPES))
            keys = draw(
                st.lists(
                    st.one_of(
                        st.integers(-3, 6), st.integers(-(2**63), 2**63 - 1), st.text(max_size=3)
                    ),
                    max_size=5,
                    unique=True,
                )
            )
            keys = [key for key in keys if (kind, key) not in used]
            used |= {(kind, key) for key in keys}
            count += len(keys)
            titles = draw(st.lists(st.text(max_size=3), min_size=len(keys), max_size=len(keys)))
            steps.append(("nodes", kind, keys, draw(columns(len(keys))), titles))
        else:
            size = draw(st.integers(0, 8))
            ends = st.lists(st.integers(0, count - 1), min_size=size, max_size=size)
            kind = draw(st.sampled_from(CONNECTIONS))
            steps.append(("edges", kind, draw(ends), draw(ends), draw(columns(size))))
    return steps


def build(steps, g=None):
    g = nk.Graph() if g is None else g
    twin = reference.Graph()
    for step in steps:
        if step[0] == "nodes":
            _, kind, keys, props, titles = step
            found = g.add_nodes(kind, keys, props, titles)
            assert found.tolist() == twin.add_nodes(kind, keys, props, titles)
        else:
            _, kind, sources, targets, props = step
            edges = g.add_edges(kind, sources, targets, props)
            assert edges.tolist() == list(range(len(twin.edges), len(twin.edges) + len(sources)))
            twin.add_edges(kind, sources, targets, props)
    return g, twin


def python(value):
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[D]").item()
    return value


def typed(values):
    return [(type(python(v)), python(v)) for v in values]


def agree(g, twin):
    """Every public answer of ``g`` is that of its twin."""
    assert (g.node_count, g.edge_count) == (len(twin.nodes), len(twin.edges))
    assert list(g.node_types.items()) == list(twin.node_types().items())
    assert list(g.connection_types.items()) == list(twin.connection_types().items())
    everyone = g.nodes()
    assert everyone.tolist() == list(range(len(twin.nodes)))
    assert g.ids(everyone).tolist() == [node[1] for node in twin.nodes]
    assert g.titles(everyone).tolist() == [node[2] for node in twin.nodes]
    assert g.types(everyone).tolist() == [node[0] for node in twin.nodes]
    for kind in twin.node_types():
        keys = [node[1] for node in twin.nodes if node[0] == kind]
        queries = [*keys, 4, "4", -77, "no", 2**62]
        found = g.find(kind, queries, missing="sentinel")
        assert found.tolist() == [twin.find(kind, key) for key in queries]
        table = g.read_nodes(kind)
        for name in table:
            assert typed(table[name].tolist()) == typed(twin.node_column(kind, name))
    agree_on_edges(g, twin)


def agree_on_edges(g, twin):
    sources, targets, edges = g.edges()
    assert edges.tolist() == list(range(len(twin.edges)))
    assert sources.tolist() == [e[1] for e in twin.edges]
    assert targets.tolist() == [e[2] for e in twin.edges]
    for kind in (None, *twin.connection_types()):
        for direction in ("out", "in", "both"):
            csr = g.csr(kind, direction)
            found = csr.offsets.tolist(), csr.targets.tolist(), csr.edges.tolist()
            assert found == twin.csr(kind, direction)
            assert g.degrees(None, kind, direction).tolist() == np.diff(found[0]).tolist()
            some = np.arange(len(twin.nodes))[::-2]
            want = np.diff(found[0])[::-2].tolist()
            assert g.degrees(some, kind, direction).tolist() == want
            for node in range(len(twin.nodes)):
                row = [entry[3] for entry in twin.entries(node, kind, direction)]
                assert g.neighbors(node, kind, direction).tolist() == row
        if kind is not None:
            assert g.sources(kind).tolist() == twin.sources(kind)
            peers, counts = g.peer_counts(kind)
            assert list(zip(peers.tolist(), counts.tolist(), strict=True)) == twin.peer_counts(kind)
            table = g.read_edges(kind)
            for name in table:
                assert typed(table[name].tolist()) == typed(twin.edge_column(kind, name))
            if len(table):
                last = table.rows[::-1]
                again = g.read_edges(kind, edges=last)
                for name in table:
                    assert typed(again[name].tolist()) == typed(table[name].tolist()[::-1])


@given(programs())
def test_in_memory(steps):
    agree(*build(steps))


@settings(max_examples=25)
@given(programs(), programs())
def test_saved_opened_extended_and_saved_again(tmp_path_factory, steps, more):
    folder = tmp_path_factory.mktemp("graph")
    g, twin = build(steps)
    g.save(folder / "native")
    g.save(folder / "flat", layout="flat")
    agree(g, twin)
    for name, form in (("native", "nkgraph"), ("flat", "kglite")):
        with nk.open(folder / name) as opened:
            assert opened.format == form
            agree(opened, twin)
    known = {(kind, key) for kind, key, _, _ in twin.nodes}
    with nk.open(folder / "native", "r+") as grown:
        for step in more:
            if step[0] == "nodes":
                _, kind, keys, props, titles = step
                rows = [row for row, key in enumerate(keys) if (kind, key) not in known]
                known |= {(kind, keys[row]) for row in rows}
                keys, titles = ([part[row] for row in rows] for part in (keys, titles))
                props = {name: [values[row] for row in rows] for name, values in props.items()}
                grown.add_nodes(kind, keys, props, titles)
                twin.add_nodes(kind, keys, props, titles)
            elif twin.nodes:
                _, kind, sources, targets, props = step
                sources = [node % len(twin.nodes) for node in sources]
                targets = [node % len(twin.nodes) for node in targets]
                grown.add_edges(kind, sources, targets, props)
                twin.add_edges(kind, sources, targets, props)
        agree(grown, twin)
        grown.save()
        agree(grown, twin)
    with nk.open(folder / "native") as opened:
        agree(opened, twin)


@given(programs())
@settings(max_examples=10)
def test_same_calls_same_bytes(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("bytes")
    contents = []
    for name in ("a", "b"):
        build(steps)[0].save(folder / name)
        files = sorted(p for p in (folder / name).rglob("*") if p.is_file() and p.name != ".lock")
        contents.append([(str(p.relative_to(folder / name)), p.read_bytes()) for p in files])
    assert contents[0] == contents[1]


@pytest.fixture
def small():
    g = nk.Graph()
    people = g.add_nodes("Person", [1, 2, 3], {"age": [30, None, 50]}, ["a", "b", "c"])
    g.add_nodes("Town", ["Bern"])
    g.add_edges("KNOWS", people[:2], people[1:], {"w": [0.5, math.nan]})
    return g


def state(g):
    return (
        g.node_count, g.edge_count, g.node_types, g.connection_types,
        repr(g.read_nodes("Person")["age"].tolist()), repr(g.read_edges("KNOWS")["w"].tolist()),
        list(g.read_nodes("Person")), len(g._names),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda g: g.add_nodes("Person", [4, 1]), nk.GraphError, "row 1: Person has this id"),
        (lambda g: g.add_nodes("Person", [4, 4]), nk.GraphError, "row 1: .*comes twice"),
        (lambda g: g.add_nodes("Person", [4.5]), nk.GraphError, "row 0: 4.5 is neither"),
        (lambda g: g.add_nodes("Person", [4, None]), nk.GraphError, "row 1 has no id"),
        (lambda g: g.add_nodes("Person", [float("nan")]), nk.GraphError, "row 0 has no id"),
        (lambda g: g.add_nodes("Person", [2**64]), nk.GraphError, "row 0"),
        (lambda g: g.add_nodes("Person", [True]), nk.GraphError, "row 0: True is neither"),
        (lambda g: g.add_nodes("", [4]), nk.GraphError, "node_type is empty"),
        (lambda g: g.add_nodes("Person", [4], {"x": [1, 2]}), nk.GraphError, "properties\\['x'\\]"),
        (lambda g: g.add_nodes("New", [4], {"x": [object()]}), nk.GraphError, "row 0"),
        (lambda g: g.add_nodes("New", [4], {"": [1]}), nk.GraphError, "property name is empty"),
        (lambda g: g.add_nodes("New", ["\ud800"]), nk.GraphError, "row 0"),
        (lambda g: g.add_edges("KNOWS", [0], [4]), nk.GraphError, "targets: row 0: node 4 is not"),
        (lambda g: g.add_edges("KNOWS", [0], [-1]), nk.GraphError, "targets: row 0: node -1"),
        (lambda g: g.add_edges("KNOWS", [0, 1], [1]), nk.GraphError, "2 sources but 1 targets"),
        (lambda g: g.add_edges("KNOWS", [0.0], [1]), nk.GraphError, "sources holds float64"),
        (lambda g: g.add_edges(7, [0], [1]), nk.GraphError, "must be a string, not int"),
        (lambda g: g.add_edges("E", [0], [1], {"x": [1j]}), nk.GraphError, "properties"),
        (lambda g: g.update_nodes([0, 0], {"age": [1, 2]}), nk.GraphError, "0 comes twice"),
        (lambda g: g.update_nodes([9], {"age": [1]}), nk.GraphError, "node 9 is not below 4"),
        (lambda g: g.update_edges([9], {"w": [1]}), nk.GraphError, "edge 9 is not below 2"),
        (lambda g: g.update_edges([0], {"w": [1j]}), nk.GraphError, "properties"),
        (lambda g: g.find("Nobody", [1]), nk.NotFoundError, "no node type 'Nobody'; there are"),
        (lambda g: g.find("Person", [1, 9]), nk.NotFoundError, "1 of 2 ids .* 9 in row 1"),
        (lambda g: g.find("Person", [1], missing="x"), nk.GraphError, "missing is 'x'"),
        (lambda g: g.csr("NOPE"), nk.NotFoundError, "no connection type 'NOPE'; there are"),
        (lambda g: g.csr(direction="up"), nk.GraphError, "direction is 'up'"),
        (lambda g: g.neighbors([0, 1]), nk.GraphError, "holds 2 node ids"),
        (lambda g: g.read_nodes("Person", ["x"]), nk.NotFoundError, "no property 'x'; it has"),
        (lambda g: g.read_nodes("Person", nodes=[3]), nk.GraphError, "node 3 is a Town"),
        (lambda g: g.read_edges("KNOWS", ["x"]), nk.NotFoundError, "no property 'x'"),
        (lambda g: g.save(), nk.GraphError, "in memory: save needs a path"),
        (lambda g: g.save("x", layout="odd"), nk.GraphError, "layout is 'odd'"),
    ],
)
def test_a_failed_call_says_why_and_changes_nothing(small, call, error, message):
    before = state(small)
    with pytest.raises(error, match=message):
        call(small)
    assert state(small) == before


def test_updates(small, tmp_path):
    small.save(tmp_path / "g")
    for g in (small, nk.open(tmp_path / "g", "r+")):
        g.update_nodes([2, 0], {"age": [None, 7], "new": ["x", None]})
        g.update_edges([1], {"w": [2], "note": ["é"]})
        table = g.read_nodes("Person")
        assert table["age"].tolist() == [7, None, None]
        assert table["new"].tolist() == [None, None, "x"]
        edges = g.read_edges("KNOWS")
        assert edges["w"].tolist() == [0.5, 2]
        assert edges["note"].tolist() == [None, "é"]
        assert g.read_edges("KNOWS", ["w"], [1])["w"].tolist() == [2]
    g.save()
    g.close()
    with nk.open(tmp_path / "g") as g:
        assert g.read_nodes("Person")["age"].tolist() == [7, None, None]
        assert g.read_edges("KNOWS")["w"].tolist() == [0.5, 2]


def test_values_come_back_in_their_types(small, tmp_path):
    day = datetime.date(2024, 2, 29)
    g = nk.Graph()
    g.add_nodes(
        "N",
        [1, 2, 3],
        {
            "i": np.array([1, 2, 3], np.int16),
            "f": np.array([0.5, np.nan, -0.0], np.float32),
            "b": [True, None, False],
            "d": [day, None, day],
            "t": np.array(["a", "", "日本"]),
            "s": np.array(["2024-01-01T10:00:01", "NaT", "1969-12-31"], "datetime64[s]"),
            "m": [1, "x", None],
            "l": [[1, ["a", None]], {"k": 2.5}, None],
            "u": np.array([1, 2, 3], np.uint64),
        },
    )
    g.save(tmp_path / "g")
    for source in (g, nk.open(tmp_path / "g")):
        t = source.read_nodes("N")
        dtypes = {name: str(column.values.dtype) for name, column in t.columns.items()}
        assert dtypes == {
            "i": "int64", "f": "float64", "b": "bool", "d": "datetime64[D]", "t": "StringDType()",
            "s": "datetime64[s]", "m": "object", "l": "object", "u": "int64",
        }  # fmt: skip
        assert t["i"].valid is None
        assert repr(t["f"].values.tolist()) == "[0.5, nan, -0.0]"
        assert t["b"].tolist() == [True, None, False]
        assert t["d"].tolist() == [day, None, day]
        assert t["t"].tolist() == ["a", "", "日本"]
        assert t["s"].valid.tolist() == [True, False, True]
        assert t["s"].values[[0, 2]].tolist() == [
            datetime.datetime(2024, 1, 1, 10, 0, 1), datetime.datetime(1969, 12, 31),
        ]  # fmt: skip
        assert t["m"].tolist() == [1, "x", None]
        assert t["l"].tolist() == [[1, ["a", None]], {"k": 2.5}, None]
    with pytest.raises(nk.LimitError, match=r"N\.s holds timestamps"):
        g.save(tmp_path / "flat", layout="flat")
    assert not (tmp_path / "flat").exists()


def test_closed(small, tmp_path):
    small.save(tmp_path / "g")
    g = nk.open(tmp_path / "g")
    csr = g.csr("KNOWS")
    g.close()
    g.close()
    assert csr.targets.tolist() == [1, 2]
    assert repr(g).endswith("(nkgraph, closed)")
    for call in (lambda: g.node_count, lambda: g.find("Person", [1]), lambda: g.csr(), g.save):
        with pytest.raises(nk.ClosedError):
            call()


def test_modes_locks_and_readers(small, tmp_path):
    path = tmp_path / "g"
    small.save(path)
    with pytest.raises(nk.GraphError, match="holds something"):
        small.save(path)
    with pytest.raises(nk.GraphError, match="holds something"):
        nk.create(path)
    with nk.open(path) as reader:
        with pytest.raises(nk.GraphError, match='"r"'):
            reader.add_nodes("Person", [9])
        with nk.open(path, "r+") as writer:
            with pytest.raises(nk.LockedError, match="process"):
                nk.open(path, "r+")
            writer.add_nodes("Person", [9])
            writer.save()
            assert len(list((path / "generations").iterdir())) == 2
            assert (reader.node_count, writer.node_count) == (4, 5)
            assert reader.find("Person", [9], missing="sentinel").tolist() == [nk.NO_NODE]
    with nk.open(path, "r+") as writer:
        writer.save()
        assert writer.node_count == 5
        assert len(list((path / "generations").iterdir())) == 1
    small.save(tmp_path / "flat", layout="flat")
    with pytest.raises(nk.GraphError, match="no native directory"):
        nk.open(tmp_path / "flat", "r+")
    with pytest.raises(FileNotFoundError):
        nk.open(tmp_path / "nothing")
    with pytest.raises(nk.GraphError, match="mode is 'w'"):
        nk.open(path, "w")


def test_exports(small, tmp_path):
    import pandas
    import polars
    import pyarrow

    g = nk.Graph()
    g.add_nodes(
        "N", [1, 2], {"a": [1, None], "t": ["é", None], "b": [True, False], "f": [0.5, 1.5]}
    )
    g.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as opened:
        table = opened.read_nodes("N")
        arrow = table.to_arrow()
        rows = [
            {"a": 1, "b": True, "f": 0.5, "t": "é"},
            {"a": None, "b": False, "f": 1.5, "t": None},
        ]
        assert arrow.to_pylist() == rows
        assert pyarrow.table(table).to_pylist() == rows
        assert table.to_polars().to_dicts() == rows
        assert isinstance(table.to_polars(), polars.DataFrame)
        frame = table.to_pandas()
        assert isinstance(frame, pandas.DataFrame)
        assert frame["a"].isna().tolist() == [False, True]
        assert frame["t"].tolist()[0] == "é"


@pytest.mark.parametrize("name", ["__id__", "__title__"])
def test_names_that_mean_something_else_on_disk_are_refused_at_once(name):
    g = nk.Graph()
    with pytest.raises(nk.GraphError, match="names something else on disk"):
        g.add_nodes("N", [1], {name: [5]})
    nodes = g.add_nodes("N", [1], {"x": [5]})
    with pytest.raises(nk.GraphError, match="names something else on disk"):
        g.update_nodes(nodes, {name: [6]})
    assert sorted(g.read_nodes("N").columns) == ["x"]
