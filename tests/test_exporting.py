"""Any graph to any format: what comes back is the same, or the writer says that it is not."""

import itertools
import shutil

import pytest
from converting_graphs import shown
from hypothesis import given, settings
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.converting import _writer
from nkgraph.errors import GraphError, LimitError
from nkgraph.exporting import Contents, Losses
from nkgraph.printing import Replacement, lines, of_bytes, plain_integers, printed
from nkgraph.storage.columns import FixedColumn, TextColumn
from nkgraph.storage.text import TextArray

TEXT = st.text(
    st.one_of(st.sampled_from('ab",;|\t\n\r\\<>&:/_-.#% 01é\x00\x7f\ufffe'), st.characters()),
    max_size=6,
).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text))
NAME = st.one_of(
    st.sampled_from(["Node", "EDGE", "weight", "Resource", "x:p", "x:p @en", "a:int"]),
    TEXT.filter(bool),
)
SCALARS = [
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    TEXT,
    st.dates(),
    st.lists(TEXT, max_size=3),
]
VALUES = st.sampled_from(SCALARS).flatmap(
    lambda kind: st.lists(st.none() | kind, min_size=4, max_size=4)
)
IDS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4, unique=True),
    st.lists(TEXT, min_size=4, max_size=4, unique=True),
    st.just([1, 2, 3, 4]),
    st.just(["x:a", "_:b", "urn:é", "x:b"]),
)
FORMATS = {
    "csv": (nk.import_csv, ""),
    "parquet": (nk.import_parquet, ""),
    "graphml": (nk.import_graphml, ".graphml"),
    "ntriples": (nk.import_ntriples, ".nt"),
    "matrix-market": (nk.import_matrix_market, ".mtx"),
    "sparrowdb": (nk.open, ""),
    "reddb": (nk.open, ".rdst"),
    "kglite": (nk.open, ""),
}


@st.composite
def graphs(draw):
    g = nk.Graph()
    nodes = []
    for kind in draw(st.lists(NAME, min_size=1, max_size=2, unique=True)):
        properties = draw(st.dictionaries(NAME, VALUES, max_size=2))
        titles = draw(st.none() | st.lists(TEXT, min_size=4, max_size=4))
        nodes += g.add_nodes(kind, draw(IDS), properties, titles).tolist()
    for kind in draw(st.lists(NAME, max_size=2, unique=True)):
        ends = st.lists(st.sampled_from(nodes), min_size=4, max_size=4)
        g.add_edges(kind, draw(ends), draw(ends), draw(st.dictionaries(NAME, VALUES, max_size=1)))
    return g


COUNTER = itertools.count()


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=25)
@given(graph=graphs())
def test_the_same_or_a_loss(tmp_path_factory, form, graph):
    read, ending = FORMATS[form]
    path = tmp_path_factory.getbasetemp() / f"{form}-{next(COUNTER)}{ending}"
    losses = Losses(form)
    try:
        _writer(form)(Contents(graph), path, losses)
    except (GraphError, LimitError):
        found = None
    else:
        with read(path) as back:
            found = shown(back)
            names = sorted(back.node_types)
    if path.is_dir():
        shutil.rmtree(path)
    if found is not None and not losses.found:
        assert found == shown(graph)
    if found is not None and form in ("csv", "parquet", "graphml", "kglite", "reddb", "sparrowdb"):
        assert names == sorted(graph.node_types)


def test_lines_and_replacements():
    text = TextArray.from_list(["", "a&b", "é&&"])
    replaced = Replacement({"&": "&amp;", "a": ""})(text)
    assert replaced.to_strings().tolist() == ["", "&amp;b", "é&amp;&amp;"]
    import numpy as np

    shown_rows = np.array([True, False, True])
    made = lines([b"<", text, (b"!", shown_rows), b">"], 3)
    assert made.to_strings().tolist() == ["<!>", "<a&b>", "<é&&!>"]
    assert of_bytes(np.array([b"1", b"", b"-2.5"])).to_strings().tolist() == ["1", "", "-2.5"]
    texts = ["0", "-0", "01", "-9223372036854775808", "9223372036854775808", "", "-", "1a", "+1"]
    assert np.flatnonzero(plain_integers(TextArray.from_list(texts))).tolist() == [0, 3]
    column = FixedColumn(
        "float64", np.array([0.1, -0.0, 1e22, 5e-324]), np.array([1, 1, 0, 1], bool)
    )
    assert printed(column).to_strings().tolist() == ["0.1", "-0.0", "", "5e-324"]
    assert printed(TextColumn(text, shown_rows)).to_strings().tolist() == ["", "", "é&&"]
