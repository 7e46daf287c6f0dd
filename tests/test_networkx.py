"""Graphs from NetworkX and to it."""

import networkx as nx
import numpy as np
import nx_cases
import pytest

import nkgraph as nk


def twin(graph):
    """A NetworkX graph with the types that a round trip adds."""
    made = graph.copy()
    for data in made.nodes.values():
        data.setdefault("node_type", "Node")
    for *_, data in made.edges(data=True):
        data.setdefault("connection_type", "EDGE")
    return made


@pytest.mark.parametrize("kind", nx_cases.KINDS)
@pytest.mark.parametrize("naming", ["int", "str", "tuple"])
def test_round_trip(kind, naming):
    graph = nx_cases.random_graph(8, kind, 20, 60, naming, weights="float")
    own = nk.from_networkx(graph)
    assert (own.node_count, own.edge_count) == (graph.number_of_nodes(), graph.size())
    nodes = list(graph) if naming == "tuple" else None
    back = own.to_networkx(nodes=nodes, create_using=kind)
    assert nx.utils.graphs_equal(back, twin(graph))
    assert list(back) == list(graph)


def test_attributes_and_types():
    graph = nx.DiGraph()
    graph.add_node("a", node_type="Town", title="Aarau", people=[1, 2], height=384)
    graph.add_node("b", node_type="Town", height=None)
    graph.add_node(7, node_type="River", length=1.5)
    graph.add_edge("a", "b", connection_type="ROAD", km=12)
    graph.add_edge("a", 7, connection_type="AT")
    graph.add_edge("b", 7)
    own = nk.from_networkx(graph, connection_type="NEAR")
    assert own.node_types == {"River": 1, "Town": 2}
    assert own.connection_types == {"AT": 1, "NEAR": 1, "ROAD": 1}
    assert own.titles(own.find("Town", ["a", "b"])).tolist() == ["Aarau", ""]
    back = own.to_networkx(nodes=["a", "b", 7])
    assert back.nodes["a"] == graph.nodes["a"]
    assert back.nodes["b"] == {"node_type": "Town"}  # None is absent
    assert back.get_edge_data("a", "b") == {0: {"connection_type": "ROAD", "km": 12}}
    assert list(own.to_networkx()) == [0, 1, 2]  # ids of several types may be equal


def test_keys_of_parallel_edges():
    graph = nx.MultiDiGraph([(0, 1), (0, 1), (1, 0)])
    assert "key" not in nk.from_networkx(graph).read_edges("EDGE").columns
    graph.add_edge(0, 1, key="fast", km=3)
    back = nk.from_networkx(graph).to_networkx()
    assert sorted(back.edges(keys=True), key=str) == sorted(graph.edges(keys=True), key=str)
    graph.add_edge(0, 1, key="own", **{"key ": 1})
    graph.edges[0, 1, "own"]["key"] = 1
    with pytest.raises(nk.GraphError, match="rename"):
        nk.from_networkx(graph)


def test_an_undirected_graph_is_searched_both_ways():
    graph = nx.path_graph(4)
    own = nk.from_networkx(graph)
    assert nk.bfs(own, 3, direction="both").depths.tolist() == [3, 2, 1, 0]
    assert nk.from_networkx(nx.Graph()).node_count == 0


def test_nodes_that_are_no_ids_are_positions():
    graph = nx.Graph([(1, True), (2.5, "x")])
    own = nk.from_networkx(graph)
    assert own.ids(own.nodes()).tolist() == list(range(len(graph)))
    mixed = nk.from_networkx(nx.Graph([(1, "x")]))
    assert mixed.ids(mixed.nodes()).tolist() == [1, "x"]
    huge = nk.from_networkx(nx.Graph([(2**70, 1)]))
    assert huge.ids(huge.nodes()).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ([], "found a list"),
        (nx.Graph([(0, 1, {3: 4})]), "the attribute 3 is not named by a text"),
        (nx.Graph([(0, 1, {"connection_type": 4})]), "connection_type is 4, not a text"),
    ],
)
def test_what_is_wrong_is_said(graph, message):
    with pytest.raises(nk.GraphError, match=message):
        nk.from_networkx(graph)


def test_titles_must_be_texts():
    graph = nx.Graph()
    graph.add_node(0, title=3)
    with pytest.raises(nk.GraphError, match="title"):
        nk.from_networkx(graph)


def test_names_for_nodes_are_checked():
    own = nk.Graph()
    own.add_nodes("N", np.arange(3))
    with pytest.raises(nk.GraphError, match="expected 3 of them, found 2"):
        own.to_networkx(nodes=["a", "b"])
    with pytest.raises(nk.GraphError, match="twice"):
        own.to_networkx(nodes=["a", "b", "a"])
