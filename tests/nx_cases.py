"""Graphs of every kind, and calls of every function, to compare the backend with NetworkX."""

import inspect
import math
import random

import networkx as nx

KINDS = (nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph)
PAIRS = (
    "adamic_adar_index",
    "jaccard_coefficient",
    "preferential_attachment",
    "resource_allocation_index",
)


def named(node, naming):
    return {"int": node, "str": f"n{node}", "tuple": (node, "x"), "float": node + 0.5}[naming]


def random_graph(seed, kind, nodes, edges, naming="int", loops=True, weights=None, dag=False):
    """A graph whose nodes and edges come in no order."""
    rng = random.Random(seed)
    order = list(range(nodes))
    rng.shuffle(order)
    made = kind()
    made.add_nodes_from(named(node, naming) for node in order)
    for _ in range(edges):
        u, v = rng.choice(order), rng.choice(order)
        if u == v and (dag or not loops):
            continue
        if dag and order.index(u) > order.index(v):
            u, v = v, u
        weight = {None: {}, "int": {"weight": rng.randint(0, 5)}, "float": {"weight": rng.random()}}
        made.add_edge(named(u, naming), named(v, naming), **weight[weights])
    return made


def graphs():
    for at, kind in enumerate(KINDS):
        yield kind()
        yield random_graph(at, kind, 1, 0)
        yield random_graph(at, kind, 2, 2)
        yield random_graph(at, kind, 9, 12, "tuple", loops=False, weights="int")
        yield random_graph(at, kind, 24, 60, "str", weights="float")
        yield random_graph(at, kind, 20, 90, "float", loops=False)
        yield random_graph(at, kind, 30, 25, weights="int")
        if kind().is_directed():
            yield random_graph(at, kind, 20, 40, "str", dag=True)
        else:
            yield kind(nx.path_graph(9))


def sample(graph, seed):
    nodes = list(graph)
    rng = random.Random(seed)
    return [rng.choice(nodes), rng.choice(nodes)] if nodes else []


def parameters(name):
    return inspect.signature(getattr(nx, name)).parameters


def calls(name, graph):
    """Positional and named arguments behind the graph; some of them wrong."""
    some = sample(graph, 3)
    if name in PAIRS:
        rng, nodes = random.Random(4), list(graph)
        ebunch = [(rng.choice(nodes), rng.choice(nodes)) for _ in range(20)] if nodes else []
        yield (), {"ebunch": ebunch}
        yield (), {"ebunch": [("nope", "nope")]}
    elif name in SPECIAL:
        yield from SPECIAL[name](graph, some)
    elif any(required(parameters(name), end) for end in ("source", "target")):
        yield from from_one(name, some)
    else:
        yield from of_all(name, graph, some)


def required(given, name):
    return name in given and given[name].default is inspect.Parameter.empty


def from_one(name, some):
    given = parameters(name)
    yield ("nope",), {}
    for node in some:
        yield (node,), {}
        if "cutoff" in given:
            yield from (((node,), {"cutoff": cutoff}) for cutoff in (0, 1, 1.5, 2))
        if "reverse" in given:
            yield (node,), {"reverse": True}
            yield (node,), {"depth_limit": 2}
        if "weight" in given:
            yield (node,), {"weight": None}
    if name == "single_source_dijkstra" and some:
        yield (*some,), {}


def of_all(name, graph, some):
    given = parameters(name)
    yield (), {}
    if "nodes" in given and name not in ("reciprocity", "degree_assortativity_coefficient"):
        choices = [*some[:1], [*some, "nope"], "nope", 77]
        yield from (((), {"nodes": nodes}) for nodes in choices)
    if "v" in given:
        yield from (((), {"v": v}) for v in (*some[:1], some))
    if "u" in given:
        yield from (((), {"u": u}) for u in (*some[:1], "nope"))
        yield (), {"wf_improved": False}
    if "count_zeros" in given:
        yield (), {"count_zeros": False}
    if "k" in given:
        drawn = {"k": min(3, len(graph)), "seed": 7}
        yield from (((), more) for more in (drawn, {"normalized": False}))
        yield (), {**drawn, "normalized": False}
    if "endpoints" in given:
        yield (), {"endpoints": True}
        yield (), {"endpoints": True, "k": min(3, len(graph)), "seed": 3}
    if "source" in given and "target" in given:
        sides = ("in", "out", "in+out", "bad")
        yield from (((), {"source": a, "target": b}) for a in sides for b in sides)
    if "x" in given:
        yield from (((), {"x": a, "y": b}) for a in ("in", "out") for b in ("in", "out"))
    if name in ("flow_hierarchy", "eigenvector_centrality"):
        yield (), {"weight": "weight"}


def pagerank(graph, some):
    yield (), {}
    yield (), {"weight": None}
    yield (), {"max_iter": 1}
    for what in ("personalization", "dangling", "nstart"):
        yield from (((), {what: {node: 2}}) for node in some)
    yield from (((), {"personalization": {node: 0}}) for node in some[:1])


def katz(graph, some):
    yield (), {"alpha": 0.01}
    yield (), {"alpha": 0.01, "weight": "weight"}
    yield (), {"alpha": 0.01, "normalized": False}
    yield (), {"alpha": 0.01, "beta": dict.fromkeys(graph, 0.5)}
    yield (), {"alpha": 0.01, "beta": {"nope": 1}}
    yield (), {"alpha": 0.1, "max_iter": 2}


def lengths(graph, some):
    yield (), {}
    yield (), {"weight": "weight"}
    yield (), {"source": "nope"}
    yield (), {"method": "nope"}
    for node in some:
        yield from (((), {end: node}) for end in ("source", "target"))
        yield from (((), {end: node, "weight": "weight"}) for end in ("source", "target"))
    if some:
        yield (*some,), {}
        yield (*some,), {"weight": "weight"}


def several(graph, some):
    starts = list(dict.fromkeys(some))
    yield from (((starts,), {}), ((starts,), {"cutoff": 3}), (([],), {}), ((["nope"],), {}))


SPECIAL = {
    "bfs_layers": lambda graph, some: [
        *(((node,), {}) for node in some),
        ((some,), {}),
        ((["nope"],), {}),
    ],
    "descendants_at_distance": lambda graph, some: [
        (("nope", 1), {}),
        *(((node, distance), {}) for node in some for distance in (-1, 0, 1, 2)),
    ],
    "dijkstra_path_length": lambda graph, some: [
        (("nope", "nope"), {}),
        *([((*some,), {}), ((*some,), {"weight": None})] if some else []),
    ],
    "katz_centrality": katz,
    "multi_source_dijkstra": lambda graph, some: [
        *several(graph, some),
        *([((some[:1], some[1]), {})] if some else []),
    ],
    "multi_source_dijkstra_path_length": several,
    "node_connected_component": lambda graph, some: [
        *(((node,), {}) for node in some),
        (("nope",), {}),
    ],
    "pagerank": pagerank,
    "rich_club_coefficient": lambda graph, some: [((), {"normalized": False})],
    "shortest_path_length": lengths,
}


def drawn(found):
    return [drawn(each) for each in found] if hasattr(found, "__next__") else found


def outcome(call):
    """What comes back, drawn to its end; or the error's type and text."""
    try:
        return drawn(call())
    except NotImplementedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever NetworkX raises, so does the backend
        return type(error), str(error)


def same(one, other):
    """Equal in value, type, and order of dictionaries; floats up to rounding."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        close = math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
        return close or one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict):
        return list(one) == list(other) and same(list(one.values()), list(other.values()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
