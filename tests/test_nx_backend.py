"""The NetworkX backend: its answers against NetworkX's, its manners, and NetworkX's own tests."""

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import networkx as nx
import numpy as np
import nx_cases
import pytest

import _nkgraph_networkx
import nkgraph as nk
from _nkgraph_networkx import FUNCTIONS, HOMES, LIMITS
from nkgraph import nx_backend
from nkgraph.nx_backend import limits

ROOT = Path(_nkgraph_networkx.__file__).parent
GRAPHS = list(nx_cases.graphs())
FUNCTIONS_OF_NETWORKX = nx.utils.backends._registered_algorithms


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Where programs find this nkgraph, and NetworkX its entry points."""
    paths = [str(ROOT)]
    if not entry_points(group="networkx.backends", name="nkgraph"):  # run from the sources
        site = tmp_path_factory.mktemp("site")
        info = site / "nkgraph-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nkgraph\nVersion: 0\n")
        project = Path(__file__).parent.parent / "pyproject.toml"
        groups = tomllib.loads(project.read_text())["project"]["entry-points"]
        lines = [f"[{name}]\nnkgraph = {group['nkgraph']}\n" for name, group in groups.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))
        paths.append(str(site))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run(environment, *command):
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )


# -- answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOMES)
def test_signature_is_networkx_s(name):
    theirs = inspect.signature(FUNCTIONS_OF_NETWORKX[name].orig_func).parameters.values()
    ours = inspect.signature(getattr(nx_backend, name)).parameters.values()
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


def compared(name, graph):
    """Each call that the backend answers: its arguments, NetworkX's answer, and ours."""
    for args, kwargs in nx_cases.calls(name, graph):
        given = limits.arguments(name, (graph, *args), kwargs)
        if limits.reason_not_to_run(name, given) is not None:
            continue
        theirs = nx_cases.outcome(lambda: getattr(nx, name)(graph, *args, **kwargs))  # noqa: B023
        if theirs[:1] == (nx.NetworkXNotImplemented,) if isinstance(theirs, tuple) else False:
            continue  # refused before the backend is asked
        more = dict(kwargs)
        if "seed" in more:
            more["seed"] = nx.utils.create_py_random_state(more["seed"])
        converted = nx_backend.convert_from_nx(graph)
        ours = nx_cases.outcome(lambda: getattr(nx_backend, name)(converted, *args, **more))  # noqa: B023
        yield (args, kwargs), theirs, ours


@pytest.mark.parametrize("name", sorted(set(HOMES) - {"hits"}))
def test_answers_are_networkx_s(name):
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NetworkX divides by zero where degrees do not vary
        for graph in GRAPHS:
            for call, theirs, ours in compared(name, graph):
                count += 1
                if name == "degree_assortativity_coefficient" and not abs(theirs) < 1:
                    assert not abs(ours) < 1 - 1e-9  # 0 / 0, or what rounding makes of it
                    continue
                assert nx_cases.same(theirs, ours), (graph, call, theirs, ours)
    assert count >= 5


def test_hits():
    graph = nx_cases.random_graph(1, nx.DiGraph, 30, 200, "str", weights="float")
    theirs, ours = nx.hits(graph), nx_backend.hits(nx_backend.convert_from_nx(graph))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(other, abs=1e-8)
        assert list(mine) == list(other)
    assert nx_backend.hits(nx_backend.convert_from_nx(nx.Graph())) == ({}, {})
    with pytest.raises(nx.PowerIterationFailedConvergence):
        nx_backend.hits(nx_backend.convert_from_nx(graph), max_iter=0)


def test_more_than_one_word_of_sources():
    graph = nx_cases.random_graph(5, nx.DiGraph, 150, 900)
    for name in ("closeness_centrality", "harmonic_centrality", "betweenness_centrality"):
        for _, theirs, ours in compared(name, graph):
            assert nx_cases.same(theirs, ours), name


@pytest.mark.parametrize("edges", [99, 150, 400])
def test_components_of_a_sample(edges):
    graph = nx_cases.random_graph(edges, nx.Graph, 200, edges, "tuple")
    for name in ("connected_components", "number_connected_components"):
        for _, theirs, ours in compared(name, graph):
            assert nx_cases.same(theirs, ours), name


@pytest.mark.parametrize("kind", nx_cases.KINDS)
def test_views_of_networkx_graphs(kind):
    """Rows of some say that they are longer than they are."""
    graph = nx_cases.random_graph(6, kind, 12, 50, weights="int")
    some = list(graph.edges)[::3]
    views = [graph.edge_subgraph(some), graph.subgraph(list(graph)[::2])]
    views += (
        [graph.reverse(copy=False)] if graph.is_directed() else [nx.restricted_view(graph, [0], [])]
    )
    for view in views:
        for name in ("connected_components", "bfs_edges", "pagerank", "dijkstra_path_length"):
            for call, theirs, ours in compared(name, view):
                assert nx_cases.same(theirs, ours), (name, view, call)


def test_rows_that_do_not_fit_are_refused():
    class Lying(dict):
        def __len__(self):
            return super().__len__() + 1

    graph = nx.path_graph(5)
    graph._adj[2] = Lying(graph._adj[2])
    with pytest.raises(NotImplementedError, match="other nodes than they say"):
        nx_backend.pagerank(nx_backend.convert_from_nx(graph))
    graph = nx.path_graph(5)
    graph._adj[0][9] = {}
    for name in ("pagerank", "is_connected"):
        with pytest.raises((NotImplementedError, nk.GraphError)):
            getattr(nx_backend, name)(nx_backend.convert_from_nx(graph))


def test_weights_read_after_a_change_are_refused():
    graph = nx.path_graph(5)
    converted = nx_backend.convert_from_nx(graph)
    assert list(nx_backend.bfs_edges(converted, 0))
    graph.add_edge(0, 4)
    with pytest.raises(NotImplementedError, match="other nodes than they say"):
        nx_backend.pagerank(converted)


def test_rows_are_read_once_and_answers_stay():
    graph = nx_cases.random_graph(3, nx.Graph, 30, 40, "str")
    converted = nx_backend.convert_from_nx(graph)
    before = list(nx_backend.connected_components(converted))
    rows = converted.forward
    assert list(nx_backend.connected_components(converted)) == before
    assert converted.forward is rows


# -- weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-1, "negative"),
        (float("nan"), "negative or NaN"),
        (None, "NoneType"),
        ("far", "str"),
        (2**60, r"2\*\*53"),
    ],
)
def test_weights_that_are_left_to_networkx(weight, message):
    graph = nx.path_graph(3)
    graph[0][1]["weight"] = weight
    with pytest.raises(NotImplementedError, match=message):
        nx_backend.single_source_dijkstra_path_length(nx_backend.convert_from_nx(graph), 0)
    with pytest.raises(NotImplementedError, match=message):
        nx_backend.all_pairs_dijkstra_path_length(nx_backend.convert_from_nx(graph))


def test_no_argument_is_ignored():
    graph = nx.path_graph(4)
    for name in LIMITS:
        given = inspect.signature(FUNCTIONS_OF_NETWORKX[name].orig_func).parameters
        for argument in ("weight", "distance", "sp", "attr", "sort_neighbors", "usebounds"):
            if argument not in given or name in ("dijkstra_path_length", "shortest_path_length"):
                continue
            if name == "flow_hierarchy":
                continue
            found = limits.reason_not_to_run(name, {"G": graph, argument: "weight"})
            assert found is not None, (name, argument)
    for name in HOMES:
        if "weight" in inspect.signature(FUNCTIONS_OF_NETWORKX[name].orig_func).parameters:
            given = {"G": graph, "weight": lambda u, v, data: 1}
            assert limits.reason_not_to_run(name, given) is not None, name


# -- graphs of nkgraph ------------------------------------------------------------------------


def opened(tmp_path):
    """A directory with parallel edges, loops and removed nodes, and NetworkX's like of it."""
    rng = np.random.default_rng(2)
    with nk.create(tmp_path / "g") as graph:
        nodes = graph.add_nodes("Town", [f"t{i}" for i in range(30)])
        ends = rng.choice(nodes, (2, 90))
        graph.add_edges("ROAD", ends[0], ends[1], {"weight": rng.random(90)})
        more = rng.choice(nodes, (2, 20))
        graph.add_edges("RAIL", more[0], more[1], {"weight": rng.integers(1, 4, 20)})
        graph.remove_nodes(nodes[[3, 17]])
        graph.save()
    reopened = nk.open(tmp_path / "g")
    return reopened, reopened.to_networkx()


IN_ANY_ORDER = {"bfs_edges", "single_source_dijkstra", "single_source_shortest_path"}
"""Which of several shortest paths is found hangs on the order of the edges in a row."""


def test_an_opened_graph_is_passed_as_it_is(tmp_path):
    graph, twin = opened(tmp_path)
    compared_functions = 0
    for name in sorted(set(HOMES) - IN_ANY_ORDER - {"hits", *nx_cases.SPECIAL, *nx_cases.PAIRS}):
        for args, kwargs in nx_cases.calls(name, twin):
            given = limits.arguments(name, (twin, *args), kwargs)
            if "seed" in kwargs or limits.reason_not_to_run(name, given) is not None:
                continue
            theirs = nx_cases.outcome(lambda: getattr(nx, name)(twin, *args, **kwargs))  # noqa: B023
            if isinstance(theirs, tuple) and theirs[:1] == (nx.NetworkXNotImplemented,):
                continue
            ours = nx_cases.outcome(lambda: getattr(nx_backend, name)(graph, *args, **kwargs))  # noqa: B023
            compared_functions += 1
            if isinstance(theirs, dict):
                theirs = {node: theirs[node] for node in ours}
            if isinstance(theirs, list) and name.endswith(("components", "length", "sort")):
                continue  # order
            assert nx_cases.same(theirs, ours), (name, args, kwargs, theirs, ours)
    assert compared_functions > 60
    ranks = nx_backend.pagerank(graph)
    assert ranks == pytest.approx(nx.pagerank(twin), abs=1e-9)
    lengths = nx_backend.single_source_dijkstra_path_length(graph, "t0")
    assert lengths == pytest.approx(nx.single_source_dijkstra_path_length(twin, "t0"))


def test_views_of_an_opened_graph(tmp_path):
    graph, twin = opened(tmp_path)
    simple = nx_backend.view(graph, directed=False, multigraph=False)
    assert (simple.is_directed(), simple.is_multigraph()) == (False, False)
    other = nx.Graph(twin)
    assert nx_backend.triangles(simple) == nx.triangles(other)
    assert nx_backend.clustering(simple) == pytest.approx(nx.clustering(other))
    with pytest.raises(nx.NetworkXNotImplemented, match="self loops"):
        nx_backend.core_number(simple)
    ranks = nx_backend.pagerank(nx_backend.view(graph, multigraph=False), weight=None)
    assert ranks == pytest.approx(nx.pagerank(nx.DiGraph(twin), weight=None), abs=1e-9)
    assert simple.number_of_edges() == other.number_of_edges()
    both = nx_backend.view(graph, directed=False)
    many = nx.MultiGraph()
    many.add_nodes_from(twin)
    many.add_edges_from(twin.edges())
    assert both.number_of_edges() == many.size()
    assert nx_backend.degree_centrality(both) == nx.degree_centrality(many)
    assert nx.utils.graphs_equal(nx_backend.convert_to_nx(graph), twin)
    assert nx_backend.convert_to_nx(simple).edges == other.edges
    assert nx_backend.convert_to_nx(nx_backend.convert_from_nx(other)) is other


def test_nodes_of_several_types_are_called_by_node_id():
    graph = nk.Graph()
    towns, rivers = graph.add_nodes("Town", ["a"]), graph.add_nodes("River", ["a"])
    graph.add_edges("AT", towns, rivers)
    assert list(nx_backend.descendants(graph, 0)) == [1]


def test_a_graph_of_another_library_is_refused():
    with pytest.raises(nk.GraphError, match="found a list"):
        nx_backend.pagerank([1, 2])


# -- NetworkX's side --------------------------------------------------------------------------

MANNERS = """
import json, sys
import networkx as nx
before = sorted({"numpy", "nkgraph"} & set(sys.modules))
info = nx.utils.backends.backend_info["nkgraph"]
import nkgraph as nk
graph = nx.gnm_random_graph(300, 2000, seed=1)
small = nx.path_graph(4)
said = {"before": before, "functions": len(info["functions"])}
said["config"] = dict(nx.config.backends.nkgraph)
nx.config.warnings_to_ignore.add("cache")
want = nx.pagerank(graph, backend="networkx")
got = nx.pagerank(graph, backend="nkgraph")
said["close"] = max(abs(want[n] - got[n]) for n in graph) < 1e-12 and list(want) == list(got)
graph.__networkx_cache__.clear()
calls = []
from nkgraph import nx_backend
def counting(name, own):
    return lambda *args, **kwargs: calls.append(name) or own(*args, **kwargs)
for name in ("pagerank", "triangles", "is_connected", "shortest_path_length"):
    setattr(nx_backend, name, counting(name, getattr(nx_backend, name)))
with nx.config(backend_priority=["nkgraph"]):
    nx.pagerank(graph), nx.pagerank(small), nx.triangles(graph), nx.triangles(graph, 0)
    nx.is_connected(graph), nx.shortest_path_length(graph, 0)
    nx.config.backends.nkgraph.active = False
    nx.pagerank(graph)
    nx.config.backends.nkgraph.active = True
    nx.config.backends.nkgraph.min_edges = 0
    nx.config.backends.nkgraph.threads = 1
    nx.is_connected(small)
said["calls"] = list(calls)
def refused(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
said["weight"] = refused(lambda: nx.clustering(graph, weight="w", backend="nkgraph"))
said["directed"] = refused(lambda: nx.triangles(nx.DiGraph(graph), backend="nkgraph"))
small[0][1]["weight"] = -1
said["negative"] = refused(lambda: nx.dijkstra_path_length(small, 1, 3, backend="nkgraph"))
own = nk.Graph()
nodes = own.add_nodes("N", ["a", "b", "c"])
own.add_edges("E", nodes[[0, 1]], nodes[[1, 2]])
said["own"] = sorted(nx.descendants(own, "a"))
said["own refused"] = refused(lambda: nx.triangles(own))
said["view"] = nx.triangles(nx_backend.view(own, directed=False, multigraph=False))
print(json.dumps(said))
"""


def test_manners(environment):
    result = run(environment, "-W", "error", "-c", MANNERS)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["before"] == []  # who imports networkx does not import nkgraph
    assert said["functions"] == len(HOMES) == sum(map(len, FUNCTIONS.values())) >= 45
    assert said["config"] == {"active": True, "min_edges": 500, "threads": None}
    assert said["close"]
    assert said["calls"] == ["pagerank", "triangles", "is_connected"]
    assert said["weight"] == said["negative"] == "NotImplementedError"
    assert said["directed"] == said["own refused"] == "NetworkXNotImplemented"
    assert said["own"] == ["b", "c"]
    assert said["view"] == {"a": 0, "b": 0, "c": 0}


def test_networkx_s_own_tests_pass(environment, tmp_path):
    """And run here: calls that fell back to NetworkX are not counted."""
    command = ["-m", "nkgraph.nx_backend.report", "--quick"]
    result = run(environment, *command)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    tests = int(re.search(r"tests with calls through nkgraph: (\d+)", result.stdout)[1])
    assert tests >= 450
    assert f"to {len(HOMES)} of {len(HOMES)} functions" in result.stdout
