"""A graph with every kind of column, and graphs as plain values, to compare before and after."""

import datetime
from collections import Counter

import numpy as np

import nkgraph as nk
from nkgraph.storage import columns

DATE, STAMP = datetime.date(2020, 2, 29), datetime.datetime(1999, 12, 31, 23, 59, 59)


def plain(value):
    """A value whose repr tells its type; arrays and their scalars as Python values."""
    if isinstance(value, np.generic):
        value = value.item()
    return repr(value)


def shown(graph, numbered=True):
    """(nodes, edges) as sets of what a user sees; the same for equal graphs, however numbered."""
    nodes, names = set(), {}
    for kind in graph.node_types:
        held = graph.nodes(kind)
        table = graph.read_nodes(kind)
        ids, titles = graph.ids(held).tolist(), graph.titles(held).tolist()
        rows = rows_of(table, held.size)
        for node, key, title, row in zip(held.tolist(), ids, titles, rows, strict=True):
            names[node] = (kind, plain(key))
            nodes.add((kind, plain(key), title, row))
    edges = Counter()
    for kind in graph.connection_types:
        sources, targets, _ = graph.edges(kind)
        rows = rows_of(graph.read_edges(kind), sources.size)
        for source, target, row in zip(sources.tolist(), targets.tolist(), rows, strict=True):
            edges[kind, names[source], names[target], row] += 1
    return nodes, edges


def rows_of(table, count):
    rows = [[] for _ in range(count)]
    for name in sorted(table):
        column = nk.Column(columns.canonical(table[name].stored))
        for row, value in zip(rows, column.tolist(), strict=True):
            if value is not None:
                row.append((name, plain(value)))
    return [tuple(row) for row in rows]


def everything():
    """Two node types, loops and parallel edges, absent values, every kind of column."""
    g = nk.Graph()
    texts = ["plain", "", 'a "quoted", text|;', "two\nlines", None, "\x00\x07 control", "é😀"]
    people = g.add_nodes(
        "Person",
        ["ann", "bob", "c, d", "e|f", 'g "h"', "i;j", "é"],
        {
            "age": [1, -(2**63), None, 2**63 - 1, 0, 7, 8],
            "score": [0.1, -0.0, float("inf"), float("nan"), None, 1e300, 3.0],
            "member": [True, False, None, True, True, False, None],
            "born": [DATE, None, DATE, DATE, None, DATE, DATE],
            "seen": [STAMP, None, STAMP, STAMP, None, STAMP, STAMP],
            "note": texts,
            "tags": [["a", "b"], ["c"], None, [], ["d"], ["e", "f"], ["g"]],
            "any": [1, "x", None, 2.5, True, [1, 2], DATE],
            "spot": [{"latitude": 1.5, "longitude": 2.5}] + [None] * 6,
        },
        ["Ann", "Bob", "", "E", "G", "I", "É"],
    )
    towns = g.add_nodes("Town (CH)", [10, 20, 30], {"population": [5, None, 7]})
    g.add_edges(
        "KNOWS",
        people[[0, 0, 0, 1, 6]],
        people[[0, 1, 1, 2, 5]],
        {"since": [1, None, 3, 4, 5], "why": ["x", "", None, "y, z", "ü"]},
    )
    g.add_edges("lives in", people[[0, 1, 2]], towns[[0, 0, 2]], {"weight": [0.5, 1.5, None]})
    g.add_edges("lives in", towns[:1], people[:1])
    return g


def tables():
    """What tables and GraphML hold without loss."""
    g = nk.Graph()
    people = g.add_nodes(
        "Person",
        ["ann", "bob", "c, d", "e|f", 'g "h"'],
        {
            "age": [1, -(2**63), None, 2**63 - 1, 0],
            "score": [0.1, -0.0, float("inf"), float("nan"), None],
            "member": [True, False, None, True, True],
            "note:int": ["plain", 'a "quoted", text|;', None, " blanks ", "é😀 <&>"],
        },
        ["Ann", "Bob", "", "E", "G"],
    )
    towns = g.add_nodes("Town", [10, 20, 30], {"population": [5, None, 7]})
    g.add_edges("KNOWS", people[[0, 0, 0, 1]], people[[0, 1, 1, 2]], {"since": [1, None, 3, 4]})
    g.add_edges("lives in", people[[0, 1, 2]], towns[[0, 0, 2]], {"weight": [0.5, 1.5, None]})
    g.add_edges("lives in", towns[:1], people[:1])
    return g


def weighted(count=9, kind=float):
    """What Graphalytics and Matrix Market hold without loss."""
    g = nk.Graph()
    nodes = g.add_nodes("Node", np.arange(1, count + 1))
    rng = np.random.default_rng(5)
    ends = rng.integers(0, count, (2, 30))
    weights = rng.random(30) if kind is float else rng.integers(-9, 9, 30)
    g.add_edges("EDGE", nodes[ends[0]], nodes[ends[1]], {"weight": weights})
    return g
