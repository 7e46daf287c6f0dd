"""A slow twin of graphs made of dumps: entity by entity, from what the Python reader gives."""

from pathlib import Path

import numpy as np

from nkgraph.storage import columns, reddb
from nkgraph.storage import values as kinds
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.dump import parse
from nkgraph.storage.reddb.graph import to_graph
from nkgraph.storage.reddb.graph_values import encode
from nkgraph.storage.reddb.index import index

FOLDER = Path(__file__).parent / "data" / "reddb"
FILES = sorted(FOLDER.glob("*.rdst"))
NAMES = [path.stem for path in FILES]
NULL = kinds.encode(None)
REFUSED = ("", "__id__", "__title__", "__overflow_offsets__", "__overflow_data__")


def properties_of(entity):
    if isinstance(entity.data, reddb.NodeData | reddb.EdgeData):
        return entity.data.properties
    return entity.data.fields if isinstance(entity.data, reddb.NamedRowData) else {}


def weight_of(entity):
    if isinstance(entity.data, reddb.EdgeData):
        return float(np.float32(entity.data.weight))
    return entity.kind.weight / 1000


def is_seen(entity, snapshot):
    if snapshot is None:
        return entity.xmax == 0
    return entity.xmin <= snapshot and (entity.xmax == 0 or entity.xmax > snapshot)


def external_id(entity):
    given = entity.metadata.get("nkgraph.id")
    return given if type(given) in (int, str) else entity.id


def encoded(value):
    try:
        return encode(value)
    except ValueError:
        return NULL


class Twin:
    """Nodes as (type, id, title, properties), edges as (type, source, target, properties)."""

    def __init__(self, store, snapshot=None, resolve="id", cross_references=False):
        self.entities = [e for _, held in store.in_file_order() for e in held]
        seen = [e for e in self.entities if is_seen(e, snapshot)]
        self.left_out = 0
        self.nodes, self.by_id, self.by_logical, self.by_label = [], {}, {}, {}
        known = set()
        for entity in seen:
            if not isinstance(entity.kind, reddb.GraphNode):
                continue
            node_type, key = entity.kind.node_type or "Node", external_id(entity)
            if (node_type, key) in known:
                self.left_out += 1
                continue
            known.add((node_type, key))
            number = len(self.nodes)
            logical = entity.id if entity.logical_id is None else entity.logical_id
            self.by_id.setdefault(str(entity.id), []).append(number)
            self.by_logical.setdefault(str(logical), []).append(number)
            self.by_label.setdefault(entity.kind.label, []).append(number)
            given = {k: encoded(v) for k, v in properties_of(entity).items() if k not in REFUSED}
            self.nodes.append((node_type, key, entity.kind.label, given))
        self.edges = []
        for entity in seen:
            if isinstance(entity.kind, reddb.GraphEdge):
                self.add_edge(entity, resolve)
        if cross_references:
            self.add_references(store, seen)

    def find(self, text, resolve):
        found = self.by_id.get(text, [])
        if not found and resolve == "logical":
            found = self.by_logical.get(text, [])
        if not found and resolve == "label":
            found = self.by_label.get(text, [])
        return found[0] if len(found) == 1 else None

    def add_edge(self, entity, resolve):
        source = self.find(entity.kind.from_node, resolve)
        target = self.find(entity.kind.to_node, resolve)
        if source is None or target is None:
            self.left_out += 1
            return
        given = {k: encoded(v) for k, v in properties_of(entity).items() if k}
        given.setdefault("weight", encoded(weight_of(entity)))
        self.edges.append((entity.kind.label or "EDGE", source, target, given))

    def add_references(self, store, seen):
        held = [r for e in seen if not isinstance(e.kind, reddb.GraphEdge) for r in e.cross_refs]
        known = set()
        for reference in [*held, *store.cross_refs]:
            code = reference.ref_type if reference.ref_type < 14 else 9
            key = (reference.source, reference.target, code, reference.target_collection)
            if key in known:
                continue
            known.add(key)
            source = self.find(str(reference.source), "id")
            target = self.find(str(reference.target), "id")
            if source is not None and target is not None:
                weight = encoded(float(getattr(reference, "weight", 1.0)))
                name = layout.REF_TYPES[code][0]
                self.edges.append((name, source, target, {"weight": weight}))


def rows_of(growing, count):
    """The values of a column, encoded: every bit of them."""
    column = growing.read()
    assert len(column) == count
    stream = kinds.encodings(columns.to_values(column))
    data = stream.data.tobytes()
    return [data[a:b] for a, b in zip(stream.offsets[:-1], stream.offsets[1:], strict=True)]


def properties_in(table, count):
    found = [{} for _ in range(count)]
    for name, growing in table.properties.items():
        for row, value in enumerate(rows_of(growing, count)):
            if value != NULL:
                found[row][name] = value
    return found


def compare(graph, twin):
    by_type = {}
    for number, node in enumerate(twin.nodes):
        by_type.setdefault(node[0], []).append(number)
    assert graph.node_types == {name: len(held) for name, held in sorted(by_type.items())}
    node_of = {}
    for name, held in by_type.items():
        ids = graph.nodes(name)
        assert graph.ids(ids).tolist() == [twin.nodes[number][1] for number in held]
        assert graph.titles(ids).tolist() == [twin.nodes[number][2] for number in held]
        node_of |= dict(zip(held, ids.tolist(), strict=True))
        found = properties_in(graph._nodes.tables[name], len(held))
        for row, number in enumerate(held):
            wanted = {k: v for k, v in twin.nodes[number][3].items() if v != NULL}
            assert found[row] == wanted
    sources, targets, edges = graph.edges()
    assert edges.tolist() == list(range(len(twin.edges)))
    assert sources.tolist() == [node_of[edge[1]] for edge in twin.edges]
    assert targets.tolist() == [node_of[edge[2]] for edge in twin.edges]
    by_type = {}
    for number, edge in enumerate(twin.edges):
        by_type.setdefault(edge[0], []).append(number)
    assert graph.connection_types == {name: len(held) for name, held in sorted(by_type.items())}
    for name, held in by_type.items():
        assert graph.edges(name)[2].tolist() == held
        found = properties_in(graph._edges.tables[name], len(held))
        for row, number in enumerate(held):
            wanted = {k: v for k, v in twin.edges[number][3].items() if v != NULL}
            assert found[row] == wanted


def graph_of(data, **options):
    array = np.frombuffer(data, np.uint8)
    return to_graph(array, index(array, "x.rdst"), **options)


def check(data, **options):
    """Make a graph and compare; return both, and the remarks."""
    twin = Twin(parse(data), **options)
    graph, remarks = graph_of(data, **options)
    compare(graph, twin)
    return graph, remarks
