"""GraphML, against networkx; what XML may do to a reader is refused."""

import gzip

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.errors import FormatError, NkgraphError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
TAIL = "</graphml>\n"


def read(tmp_path, body, head=HEAD, tail=TAIL, **options):
    path = tmp_path / "a.graphml"
    path.write_text(head + body + tail, encoding="utf-8")
    return nk.import_graphml(path, **options)


def attributed(seed, directed):
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph() if directed else nx.Graph()
    for n in range(12):
        values = {"name": f'n<{n}> & "é"', "rank": int(rng.integers(-9, 9)), "on": bool(n % 2)}
        some = [key for key in values if rng.random() < 0.7]
        graph.add_node(f"v{n}", **{key: values[key] for key in some})
    for s, t in rng.integers(0, 12, (30, 2)).tolist():
        graph.add_edge(f"v{s}", f"v{t}", weight=float(rng.normal()), kind="a\nb\tc")
    return graph


def as_networkx(graph):
    """Nodes and edges with what they hold, as networkx lists them."""
    nodes = {}
    ids = graph.ids(graph.nodes()).tolist()
    table = graph.read_nodes("Node")
    for row, key in enumerate(ids):
        nodes[key] = {n: table[n].tolist()[row] for n in table}
    edges = []
    sources, targets, _ = graph.edges()
    held = graph.read_edges("EDGE")
    columns = {name: held[name].tolist() for name in held}
    for row, (s, t) in enumerate(zip(sources.tolist(), targets.tolist(), strict=True)):
        edges.append((ids[s], ids[t], {name: columns[name][row] for name in columns}))
    return {
        key: {n: v for n, v in data.items() if v is not None} for key, data in nodes.items()
    }, edges


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_networkx_writes(tmp_path, seed, directed):
    path = tmp_path / "a.graphml"
    nx.write_graphml_xml(attributed(seed, directed), path)
    expected = nx.read_graphml(path)
    nodes, edges = as_networkx(nk.import_graphml(path))
    assert nodes == dict(expected.nodes(data=True))
    seen = sorted(
        (*(pair if directed else sorted(pair)), sorted(data.items())) for *pair, data in edges
    )
    assert seen == sorted(
        (*(pair if directed else sorted(pair)), sorted(data.items()))
        for *pair, data in expected.edges(data=True)
    )


def test_networkx_reads_what_is_written(tmp_path):
    g = nk.Graph()
    nodes = g.add_nodes("Node", ["a", "b <&>", "c"], {"x": [1, None, 3], "t": ["\r\n\t", "", None]})
    g.add_edges("EDGE", nodes[[0, 1]], nodes[[1, 2]], {"w": [0.1, float("inf")]})
    g.save(tmp_path / "g")
    nk.convert(tmp_path / "g", tmp_path / "g.graphml")
    found = nx.read_graphml(tmp_path / "g.graphml")
    assert dict(found.nodes(data=True)) == {
        "a": {"x": 1, "t": "\r\n\t"},
        "b <&>": {"t": ""} if "t" in found.nodes["b <&>"] else {},
        "c": {"x": 3},
    }
    assert list(found.edges(data=True)) == [
        ("a", "b <&>", {"w": 0.1}),
        ("b <&>", "c", {"w": float("inf")}),
    ]


def test_keys_types_and_defaults(tmp_path):
    graph = read(
        tmp_path,
        """<key id="a" for="node" attr.name="color" attr.type="string"><default>red</default></key>
<key id="b" for="all" attr.name="n" attr.type="int"/><key id="c" for="edge"/>
<key id="d" for="node" attr.name="f" attr.type="float"/>
<key id="e" for="node" attr.name="n2" attr.type="long"/>
<key id="f" for="node" attr.name="n2" attr.type="string"/>
<graph id="G" edgedefault="undirected">
<node id="7"><data key="b"> 3 </data><data key="e">12</data></node>
<node id="8"><data key="a"/><data key="d">NaN</data><data key="f">x</data></node>
<edge source="8" target="7"><data key="c">text <![CDATA[<b>]]></data></edge>
<edge source="7" target="7" directed="true"><data key="b">-4</data></edge></graph>""",
    )
    assert graph.ids(graph.nodes()).tolist() == [7, 8]
    table = graph.read_nodes("Node")
    assert table["color"].tolist() == ["red", ""]
    assert table["n"].tolist() == [3, None]
    assert np.isnan(table["f"].tolist()[1])
    assert table["n2"].tolist() == [12, "x"]
    held = graph.read_edges("EDGE")
    assert held["c"].tolist() == ["text <b>", None]
    assert held["n"].tolist() == [None, -4]
    assert [part.tolist() for part in graph.edges()[:2]] == [[1, 0], [0, 0]]


def test_marks_of_types_ids_and_titles(tmp_path):
    graph = read(
        tmp_path,
        """<key id="i" for="node" attr.name=":ID" attr.type="long"/>
<key id="l" for="node" attr.name=":LABEL" attr.type="string"><default>Town</default></key>
<key id="t" for="node" attr.name=":TITLE"/><key id="y" for="edge" attr.name=":TYPE"/>
<graph edgedefault="directed">
<node id="n1"><data key="i">1</data></node>
<node id="n2"><data key="i">1</data><data key="l">Road</data><data key="t">Title</data></node>
<edge source="n1" target="n2"><data key="y">X</data></edge><edge source="n2" target="n2"/>
</graph>""",
        connection_type="DEFAULT",
    )
    assert graph.node_types == {"Road": 1, "Town": 1}
    assert graph.ids([0, 1]).tolist() == [1, 1]
    assert sorted(graph.titles(graph.nodes()).tolist()) == ["", "Title"]
    assert graph.connection_types == {"DEFAULT": 1, "X": 1}


def test_what_has_no_place_is_said(tmp_path):
    body = """<desc>about</desc><key id="k" for="graph" attr.name="k"/>
<graph edgedefault="directed"><data key="k">v</data><node id="a"/>
<edge id="e1" source="a" target="a"/></graph>"""
    with pytest.warns(RuntimeWarning, match="a description: left out, and 2 more"):
        graph = read(tmp_path, body)
    problems = [finding.problem for finding in graph.verify().findings]
    assert problems == [
        "a description: left out",
        "data of the whole graph, 'k': left out",
        "ids of edges: left out",
    ]


def test_packed_one_line_and_other_encodings(tmp_path):
    nodes = "".join(f'<node id="n{n}"/>' for n in range(2000))
    text = f"{HEAD}<graph>{nodes}</graph>{TAIL}".replace("\n", "")
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(text.encode()))
    assert nk.import_graphml(path).node_count == 2000
    path.write_bytes(text.replace("UTF-8", "UTF-16").replace("n7", "é").encode("utf-16"))
    assert "é" in nk.import_graphml(path).ids(np.arange(10)).tolist()
    path.write_bytes(gzip.compress(text.encode())[:-20])
    with pytest.raises(FormatError, match="end of file"):
        nk.import_graphml(path)


LAUGHS = """<?xml version="1.0"?><!DOCTYPE graphml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<graphml><graph><node id="&b;"/></graph></graphml>"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "line 1: expected no declarations of entities, found entity 'a'"),
        ('<!DOCTYPE g SYSTEM "x.dtd"><graphml><graph>&x;</graph></graphml>', "entity"),
        ('<!DOCTYPE g [<!ENTITY x SYSTEM "/etc/passwd">]><graphml/>', "declarations of entities"),
        ("<graphml><graph>&x;</graph></graphml>", "line 1: expected well-formed XML"),
        ("<graphml><graph>", "well-formed XML, found no element found|unclosed"),
        ("", "well-formed XML, found no element found"),
        ("<svg/>", "a graphml element, found <svg>"),
        ("<graphml/>", "a graph element, found none"),
        ("<graphml><graph/><graph/></graphml>", "one graph, found a second one"),
        ("<graphml><graph><hyperedge/></graph></graphml>", "<hyperedge>; a graph has no place"),
        ("<graphml><graph><node id='a'><port/></node></graph></graphml>", "<port>"),
        ("<graphml><graph><node id='a'><graph/></node></graph></graphml>", "within a node"),
        ("<graphml><graph><node/></graph></graphml>", "id of <node>, found none"),
        ("<graphml><graph><node id='a'/><node id='a'/></graph></graphml>", "distinct ids"),
        ("<graphml><graph><edge source='a'/></graph></graphml>", "target of <edge>"),
        ("<graphml><graph><edge source='a' target='b'/></graph></graphml>", "source of edge 1"),
        ("<graphml><graph><data key='k'>1</data></graph></graphml>", "data of a declared key"),
        ("<graphml><key id='k'/><key id='k'/><graph/></graphml>", "distinct keys"),
        ("<graphml><key id='k' attr.type='date'/><graph/></graphml>", "attr.type"),
        ("<graphml><key id='k' for='nodes'/><graph/></graphml>", "for of a key"),
        ("<graphml><graph edgedefault='both'/></graphml>", "edgedefault"),
        ("<graphml><graph>text</graph></graphml>", "expected elements, found 'text'"),
        ("<graphml><graph><other/></graph></graphml>", "an element of GraphML"),
        ("<graphml><node id='a'/></graphml>", "<node> in graph, found one in <graphml>"),
        (
            "<graphml><key id='k' for='edge'/><graph><node id='a'><data key='k'/></node></graph>"
            "</graphml>",
            "data of a key for a node",
        ),
        (
            "<graphml><key id='k' attr.type='int'/><graph><node id='a'><data key='k'>1_0</data>"
            "</node></graph></graphml>",
            "'k' as int, found '1_0'",
        ),
        (
            "<graphml><key id='k' attr.type='long'/><graph><node id='a'>"
            "<data key='k'>9223372036854775808</data></node></graph></graphml>",
            "'k' as long",
        ),
        (
            "<graphml><key id='k'/><graph><node id='a'><data key='k'/><data key='k'/></node>"
            "</graph></graphml>",
            "'k' of a node once, found twice",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read(tmp_path, text, "", "")


GOOD = (
    f'{HEAD}<key id="k" for="node" attr.name="n" attr.type="int"><default>1</default></key>'
    '<graph edgedefault="directed"><node id="a"><data key="k">5</data></node><node id="b"/>'
    f'<edge source="a" target="b"/></graph>{TAIL}'
).encode()


@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.booleans())
@pytest.mark.filterwarnings("ignore:.*left out")
def test_damage_is_an_error_of_nkgraph(tmp_path_factory, at, byte, cut):
    path = tmp_path_factory.getbasetemp() / "damaged.graphml"
    path.write_bytes(GOOD[:at] if cut else GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
    try:
        graph = nk.import_graphml(path)
    except NkgraphError:
        return
    assert graph.node_count <= 2
