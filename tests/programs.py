"""Seeded random programs: ids, values and steps over a graph and its model.

A program prints its steps as it goes, so that a failing one says how it came there.
"""

import datetime
import json

import numpy as np
import pytest
from comparing import agree, agree_on_counts, agree_on_indexes
from model import Edge, Model, Node, present

import nkgraph as nk

TYPES = ("Person", "Ört", "T", "Wide")
CONNECTIONS = ("KNOWS", "a", "LIVES_IN", "日本")
POOL = 60
KEYS = {
    "Person": [*range(POOL)],
    "Ört": ["", *(f"né {i}" for i in range(POOL))],
    "T": [*range(-3, POOL // 2), *(str(i) for i in range(POOL // 2))],
    "Wide": [i * 2**57 - 2**61 for i in range(POOL)],
}
USUAL = {
    "i": "int", "f": "float", "b": "bool", "t": "text", "né": "text", "d": "date", "n": "nested",
}  # fmt: skip
VALUES = {
    "int": [0, 1, -1, 7, 2**31, 2**63 - 1, -(2**63)],
    "float": [0.0, -0.0, 0.5, 1e300, float("nan"), float("-inf")],
    "bool": [True, False],
    "text": ["", "a", "é", "日本", "a\0b", "long " * 60],
    "date": [datetime.date(1969, 12, 31), datetime.date(2024, 2, 29), datetime.date(1, 1, 1)],
    "stamp": [datetime.datetime(1969, 12, 31, 23, 59, 59), datetime.datetime(2024, 1, 1)],
    "nested": [[], [1, ["x", None]], {"k": 2.5, "a": [True]}, {"latitude": 1.5, "longitude": 2.0}],
}
DTYPES = {"int": "i8", "float": "f8", "bool": "?", "text": np.dtypes.StringDType()}
MOST_NODES, MOST_EDGES = 40, 70

WEIGHTS = {
    "add_nodes": 14, "add_edges": 18, "remove_nodes": 6, "remove_edges": 7, "update_nodes": 8,
    "update_edges": 8, "refused": 4, "save": 6, "seal": 7, "compact": 2, "reopen": 4,
    "abandon": 2, "open_reader": 4, "close_reader": 3, "copy": 3, "create_index": 8,
    "drop_index": 1,
}  # fmt: skip
IN_MEMORY = ("add_nodes", "add_edges", "remove_nodes", "remove_edges", "update_nodes",
             "update_edges", "refused", "copy", "create_index", "drop_index")  # fmt: skip


def learned(g):
    """The model of a graph that has no removed edges: what it says itself."""
    model = Model()
    model.slots = g.csr().node_count
    (meta,) = g.path.glob("generations/*/disk_graph_meta.json")
    model.free = json.loads(meta.read_text())["free_node_slots"]
    for kind in g.node_types:
        table = g.read_nodes(kind)
        ids, titles = g.ids(table.rows).tolist(), g.titles(table.rows).tolist()
        for row, node in enumerate(table.rows.tolist()):
            model.nodes[node] = Node(kind, ids[row], titles[row], held_by(table, row))
    for kind in g.connection_types:
        sources, targets, edges = (part.tolist() for part in g.edges(kind))
        table = g.read_edges(kind)
        for row, edge in enumerate(edges):
            model.edges[edge] = Edge(kind, sources[row], targets[row], held_by(table, row))
    model.next_edge = len(model.edges)
    return model


def held_by(table, row):
    return present({name: table[name].tolist() for name in table}, row)


class Program:
    """A graph, its model, and the steps that change both."""

    def __init__(self, seed, folder, in_memory=None, cache=None):
        self.rng = np.random.default_rng(seed)
        self.folder = folder
        self.path = folder / "g"
        self.cache = cache
        self.model, self.saved = Model(), Model()
        self.gone = set()
        self.calls = []
        self.readers = []
        self.copies = 0
        self.most_nodes, self.most_edges = MOST_NODES, MOST_EDGES
        self.count = 0
        self.stamps = self.chance(0.25)
        self.in_memory = self.chance(0.5) if in_memory is None else in_memory
        self.g = nk.Graph() if self.in_memory else nk.create(self.path)

    def run(self, steps):
        settle = int(self.rng.integers(1, steps // 2)) if self.in_memory else -1
        for self.count in range(steps):
            if self.count == settle:
                self.settle()
            name = self.step()
            self.compare(0.5 if name in ("save", "seal", "compact", "reopen") else 0.12)
        self.finish()

    def step(self):
        names = IN_MEMORY if self.in_memory else tuple(WEIGHTS)
        weights = np.array([WEIGHTS[name] for name in names], float)
        name = self.rng.choice(names, p=weights / weights.sum())
        getattr(self, name)()
        return name

    def build(self, steps):
        """Only change the graph; the calls that did are in ``calls``."""
        for self.count in range(steps):
            self.step()

    def compare(self, often):
        agree_on_counts(self.g, self.model)
        for reader, model in self.readers:
            agree_on_counts(reader, model)
        agree_on_indexes(self.g, self.model)
        if self.chance(often):
            agree(self.g, self.model, self.gone, self.rng)

    def finish(self):
        agree(self.g, self.model, self.gone, self.rng)
        while self.readers:
            self.close_reader()
        self.reopen()
        agree(self.g, self.model, self.gone, self.rng)
        self.compact()
        agree(self.g, self.model, self.gone, self.rng)
        self.g.close()

    def call(self, name, *arguments):
        self.calls.append((name, arguments))
        return getattr(self.g, name)(*arguments)

    def say(self, *words):
        print(self.count, *words)

    # -- chance -------------------------------------------------------------------------------

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def pick(self, items):
        return items[int(self.rng.integers(0, len(items)))]

    def some(self, items, most):
        """Up to ``most`` of the items, each once, in any order."""
        count = min(len(items), int(self.rng.integers(0, most + 1)))
        return [items[at] for at in self.rng.permutation(len(items))[:count]]

    def values(self, kind, rows):
        """Values of mostly one kind, some absent; a typed array where that holds them all."""
        mixed = [name for name in VALUES if self.stamps or name != "stamp"]
        odd = self.chance(0.15)
        found = []
        for _ in range(rows):
            own = self.pick(mixed) if odd and self.chance(0.3) else kind
            found.append(None if self.chance(0.2) else self.pick(VALUES[own]))
        whole = not odd and None not in found
        if whole and kind in DTYPES and self.chance(0.5):
            return np.array(found, DTYPES[kind]), found
        return found, found

    def columns(self, rows, most=3):
        """Property columns as they are given, and as lists."""
        given, known = {}, {}
        for name in self.some(list(USUAL), most):
            given[name], known[name] = self.values(USUAL[name], rows)
        if self.stamps and self.chance(0.3):
            given["s"], known["s"] = self.values("stamp", rows)
        return given, known

    # -- changes ------------------------------------------------------------------------------

    def add_nodes(self):
        kind = self.pick(TYPES)
        known = self.model.keys_of(kind)
        room = max(self.most_nodes - len(self.model.nodes), 0)
        keys = self.some([key for key in KEYS[kind] if key not in known], min(6, room))
        given, columns = self.columns(len(keys))
        titles = self.pick([None, [self.pick(["", "Title", "ß", None]) for _ in keys]])
        self.say("add_nodes", kind, keys, columns, titles)
        found = self.call("add_nodes", kind, keys, given, titles)
        assert found.tolist() == self.model.add_nodes(kind, keys, columns, titles)

    def add_edges(self):
        nodes = self.model.nodes_of()
        room = max(self.most_edges - len(self.model.edges), 0)
        size = int(self.rng.integers(0, min(9, room + 1))) if nodes else 0
        kind = self.pick(CONNECTIONS)
        near = nodes[-8:] if self.chance(0.3) else nodes  # keeps some segments local
        sources, targets = ([self.pick(near) for _ in range(size)] for _ in range(2))
        given, columns = self.columns(size, most=2)
        if self.chance(0.8):
            given["key"] = columns["key"] = [1000 * self.count + row for row in range(size)]
        self.say("add_edges", kind, sources, targets, columns)
        found = self.call("add_edges", kind, sources, targets, given)
        assert found.tolist() == self.model.add_edges(kind, sources, targets, columns)

    def remove_nodes(self):
        nodes = self.some(self.model.nodes_of(), 5)
        if self.chance(0.1):
            nodes = self.model.nodes_of(self.pick(TYPES))
        if nodes and self.chance(0.1):
            nodes = [*nodes, nodes[0]]
        self.say("remove_nodes", nodes)
        self.gone |= {(self.model.nodes[n].kind, self.model.nodes[n].key) for n in nodes}
        self.call("remove_nodes", nodes)
        self.model.remove_nodes(nodes)

    def remove_edges(self):
        edges = self.some(self.model.edges_of(), 6)
        if self.chance(0.1):
            edges = self.model.edges_of(self.pick(CONNECTIONS))
        if edges and self.chance(0.1):
            edges = [*edges, edges[0]]
        self.say("remove_edges", edges)
        self.call("remove_edges", edges)
        self.model.remove_edges(edges)

    def update_nodes(self):
        nodes = self.some(self.model.nodes_of(), 6)
        given, columns = self.columns(len(nodes))
        self.say("update_nodes", nodes, columns)
        self.call("update_nodes", nodes, given)
        self.model.update_nodes(nodes, columns)

    def update_edges(self):
        edges = self.some(self.model.edges_of(), 6)
        given, columns = self.columns(len(edges))
        self.say("update_edges", edges, columns)
        self.call("update_edges", edges, given)
        self.model.update_edges(edges, columns)

    def create_index(self):
        pair = self.pick([None, *TYPES]), self.pick(["t", "t", "né", "i", "title", "id", "new"])
        held = self.model.values_of(*pair).values()
        self.say("create_index", *pair)
        if any(isinstance(value, str) and value for value in held) or pair in self.model.indexes:
            if pair[0] is not None and not held:
                return  # of a type without a node, where it is not taken
            self.call("create_index", *pair)
            self.model.indexes.add(pair)
        elif not any(value == "" for value in held):
            with pytest.raises(nk.NkgraphError):
                self.g.create_index(*pair)

    def drop_index(self):
        if self.model.indexes:
            pair = self.pick(sorted(self.model.indexes, key=str))
            self.say("drop_index", *pair)
            self.call("drop_index", *pair)
            self.model.indexes.remove(pair)

    def refused(self):
        """A call that cannot be, of which nothing may stay."""
        g, model = self.g, self.model
        calls = [lambda: g.add_nodes("Person", [100, 100]), lambda: g.add_nodes("New", [1, 2.5])]
        calls.append(lambda: g.add_edges("KNOWS", [0], [model.slots]))
        if model.nodes:
            node, held = next(iter(model.nodes.items()))
            dead = model.free[-1] if model.free else model.slots
            calls += [
                lambda: g.add_nodes(held.kind, ["never there", held.key]),
                lambda: g.add_edges("NEW", [node, node], [node, dead]),
                lambda: g.remove_nodes([node, dead]),
                lambda: g.update_nodes([node, dead], {"x": [1, 2]}),
                lambda: g.update_nodes([node, node], {"x": [1, 2]}),
                lambda: g.update_nodes([node], {"x": [object()]}),
            ]
        if model.edges:
            edge = next(iter(model.edges))
            gone = next(e for e in range(model.next_edge + 1) if e not in model.edges)
            calls += [
                lambda: g.remove_edges([edge, gone]),
                lambda: g.update_edges([edge, gone], {"x": [1, 2]}),
                lambda: g.update_edges([edge], {"x": [1, 2]}),
            ]
        at = int(self.rng.integers(0, len(calls)))
        self.say("refused", at)
        with pytest.raises(nk.GraphError):
            calls[at]()

    # -- files --------------------------------------------------------------------------------

    def settle(self):
        """Save what was built in memory, and go on with the directory."""
        self.say("settle")
        self.g.save(self.path)
        self.g = nk.open(self.path, "r+", cache=self.cache)
        self.model = self.model.renumbered(canonical=False)
        self.saved = self.model.copy()
        self.in_memory = False
        agree(self.g, self.model, self.gone, self.rng)

    def adopt(self, foreign):
        """Go on with a copy of a graph that is not of this program."""
        self.g.close()
        with nk.open(foreign) as g:
            g.save(self.path)
        self.g = nk.open(self.path, "r+", cache=self.cache)
        self.model = learned(self.g)
        self.saved = self.model.copy()
        self.in_memory = False
        self.most_nodes += len(self.model.nodes)
        self.most_edges += len(self.model.edges)
        agree(self.g, self.model, self.gone, self.rng)

    def save(self):
        self.say("save")
        before = self.segments()
        self.g.save()
        if self.segments() < before:  # there would have been too many
            self.model = self.model.renumbered(canonical=False)
        self.saved = self.model.copy()

    def segments(self):
        generation = self.path / "generations" / (self.path / "CURRENT").read_text().strip()
        return len(list(generation.glob("seg_[0-9]*")))

    def seal(self):
        self.say("seal")
        self.g.seal()
        self.saved = self.model.copy()

    def compact(self):
        self.say("compact")
        self.g.compact()
        self.model = self.model.renumbered(canonical=True)
        self.saved = self.model.copy()

    def reopen(self):
        self.save()
        self.say("reopen")
        self.g.close()
        self.g = nk.open(self.path, "r+", cache=self.cache)

    def abandon(self):
        self.say("abandon")
        self.g.close()
        self.g = nk.open(self.path, "r+", cache=self.cache)
        self.model = self.saved.copy()

    def open_reader(self):
        if len(self.readers) < 3:
            self.say("open_reader")
            self.readers.append((nk.open(self.path), self.saved.copy()))

    def close_reader(self):
        if self.readers:
            at = int(self.rng.integers(0, len(self.readers)))
            self.say("close_reader", at)
            reader, model = self.readers.pop(at)
            agree(reader, model, self.gone, self.rng)
            reader.close()

    def has_stamps(self):
        held = [*self.model.nodes.values(), *self.model.edges.values()]
        values = [value for item in held for value in item.properties.values()]
        return any(isinstance(value, datetime.datetime) for value in values)

    def copy(self):
        """Save to another place, in one of the forms, and compare there."""
        form = self.pick(["native", "flat", "compact"])
        self.say("copy", form)
        self.copies += 1
        path = self.folder / f"copy{self.copies}"
        if form == "compact":
            self.g.compact(path)
        elif form == "native":
            self.g.save(path)
        elif self.has_stamps():  # kglite has no timestamps
            with pytest.raises(nk.LimitError, match="timestamps"):
                self.g.save(path, layout="flat")
            assert not path.exists()
            return
        else:
            self.g.save(path, layout="flat")
        other = self.model.renumbered(canonical=form == "compact")
        if form == "flat":  # kglite's own indexes are not believed
            other.indexes = set()
        with nk.open(path, "r" if form == "flat" else "r+") as opened:
            agree(opened, other, self.gone, self.rng)
            if form != "flat":
                count = len(other.free) + 2
                again = opened.add_nodes("Copy", list(range(count)))
                assert again.tolist() == other.add_nodes("Copy", range(count), {}, None)
