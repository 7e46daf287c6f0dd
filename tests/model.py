"""A typed property graph as dictionaries, with everything that may be done to it.

The slow twin of a graph that is changed, saved, sealed, compacted and opened again. Imports
nothing of nkgraph.
"""

import copy
import datetime
import operator as operators
from collections import Counter
from dataclasses import dataclass, field

from reference import fnv1a


@dataclass
class Node:
    kind: str
    key: int | str
    title: str
    properties: dict = field(default_factory=dict)


@dataclass
class Edge:
    kind: str
    source: int
    target: int
    properties: dict = field(default_factory=dict)


class Model:
    """Nodes and edges by id; ids of removed nodes on a stack, those of removed edges given up."""

    def __init__(self):
        self.nodes: dict[int, Node] = {}
        self.edges: dict[int, Edge] = {}
        self.free: list[int] = []
        self.slots = 0
        self.next_edge = 0
        self.indexes = set()

    def copy(self):
        return copy.deepcopy(self)

    # -- changing -----------------------------------------------------------------------------

    def add_nodes(self, kind, keys, properties, titles):
        given = []
        for row, key in enumerate(keys):
            if self.free:
                node = self.free.pop()
            else:
                node, self.slots = self.slots, self.slots + 1
            title = "" if titles is None or titles[row] is None else titles[row]
            self.nodes[node] = Node(kind, key, title, present(properties, row))
            given.append(node)
        return given

    def add_edges(self, kind, sources, targets, properties):
        given = []
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            self.edges[self.next_edge] = Edge(kind, source, target, present(properties, row))
            given.append(self.next_edge)
            self.next_edge += 1
        return given

    def remove_nodes(self, nodes):
        for node in dict.fromkeys(nodes):
            del self.nodes[node]
            self.free.append(node)
            gone = [e for e, edge in self.edges.items() if node in (edge.source, edge.target)]
            self.remove_edges(gone)

    def remove_edges(self, edges):
        for edge in dict.fromkeys(edges):
            del self.edges[edge]

    def update_nodes(self, nodes, properties):
        update([self.nodes[node].properties for node in nodes], properties)

    def update_edges(self, edges, properties):
        update([self.edges[edge].properties for edge in edges], properties)

    def renumbered(self, canonical):
        """A copy with dense edge ids: by (source, type, id), or by id alone."""
        other = self.copy()
        order = sorted(self.edges)
        if canonical:
            order.sort(key=lambda e: (self.edges[e].source, fnv1a(self.edges[e].kind), e))
        other.edges = {new: other.edges[old] for new, old in enumerate(order)}
        other.next_edge = len(order)
        return other

    # -- answers ------------------------------------------------------------------------------

    def node_types(self):
        return dict(sorted(Counter(node.kind for node in self.nodes.values()).items()))

    def connection_types(self):
        return dict(sorted(Counter(edge.kind for edge in self.edges.values()).items()))

    def nodes_of(self, kind=None):
        return sorted(n for n, node in self.nodes.items() if kind in (None, node.kind))

    def edges_of(self, kind=None):
        return sorted(e for e, edge in self.edges.items() if kind in (None, edge.kind))

    def keys_of(self, kind):
        return {node.key: n for n, node in self.nodes.items() if node.kind == kind}

    def rows(self, kind=None):
        """Direction -> node id -> [(type hash, edge, side, peer)] in the order of answers."""
        found = {side: [[] for _ in range(self.slots)] for side in ("out", "in", "both")}
        for e in self.edges_of(kind):
            edge = self.edges[e]
            ranked = fnv1a(edge.kind)
            for side, own, peer in ((0, edge.source, edge.target), (1, edge.target, edge.source)):
                found[("out", "in")[side]][own].append((ranked, e, side, peer))
                found["both"][own].append((ranked, e, side, peer))
        for rows in found.values():
            for row in rows:
                row.sort()
        return found

    def values_of(self, kind, column):
        """Node -> value of a column, its titles or its ids; of all types if ``kind`` is None."""
        own = {"title": lambda node: node.title, "id": lambda node: node.key}
        take = own.get(column, lambda node: node.properties.get(column))
        return {n: take(self.nodes[n]) for n in self.nodes_of(kind)}

    def found(self, kind, column, texts, is_prefix):
        """Nodes of which a text equals, or starts with, each of ``texts``."""
        held = [(n, v) for n, v in self.values_of(kind, column).items() if isinstance(v, str)]
        return [
            [n for n, v in held if (v.startswith(text) if is_prefix else v == text)]
            for text in texts
        ]

    def sources(self, kind):
        return sorted({self.edges[e].source for e in self.edges_of(kind)})

    def peer_counts(self, kind):
        return sorted(Counter(self.edges[e].target for e in self.edges_of(kind)).items())


def present(properties, row):
    return {name: values[row] for name, values in properties.items() if values[row] is not None}


def update(held, properties):
    for row, own in enumerate(held):
        for name, values in properties.items():
            own.pop(name, None)
            if values[row] is not None:
                own[name] = values[row]


def plain(value):
    """A value as text that tells 1 from 1.0 and True, and knows equal maps as equal."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {plain(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(plain, value)) + "]"
    if isinstance(value, datetime.datetime):
        return f"datetime {value.isoformat()}"
    return f"{type(value).__name__} {value!r}"


# -- conditions -------------------------------------------------------------------------------

ORDERED = ("number", "text", "date", "timestamp")
COMPARE = {
    "==": operators.eq, "!=": operators.ne, "<": operators.lt, "<=": operators.le,
    ">": operators.gt, ">=": operators.ge,
}  # fmt: skip


def kind_of(value):
    if isinstance(value, bool):
        return "boolean"
    for kind, types in (
        ("number", (int, float)), ("text", str), ("timestamp", datetime.datetime),
        ("date", datetime.date),
    ):  # fmt: skip
        if isinstance(value, types):
            return kind
    return "nested"


def satisfies(value, operator, other):
    """Values of different kinds are never equal and have no order; absent ones satisfy nothing."""
    if value is None:
        return False
    if operator == "startswith":
        return isinstance(value, str) and value.startswith(other)
    if kind_of(value) != kind_of(other):
        return operator == "!="
    return COMPARE[operator](value, other)
