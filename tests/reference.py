"""Slow, obvious answers. Imports nothing of nkgraph."""

import datetime
import struct
from collections import Counter
from itertools import pairwise

# -- rows, indexes, search, checks -----------------------------------------------------------------


def typed_rows(node_count, rows, peers, ranks):
    order = sorted(range(len(rows)), key=lambda e: (rows[e], ranks[e], e))
    return offsets_of(node_count, rows), [[peers[e], e] for e in order]


def untyped_rows(node_count, rows, peers):
    order = sorted(range(len(rows)), key=lambda e: rows[e])
    return offsets_of(node_count, rows), [peers[e] for e in order], order


def offsets_of(count, items):
    return [sum(item < bound for item in items) for bound in range(count + 1)]


def type_index(nodes, ranks, type_count):
    return distinct(nodes, ranks, type_count)[:2]


def peer_counts(nodes, ranks, type_count):
    return distinct(nodes, ranks, type_count)


def distinct(nodes, ranks, type_count):
    pairs = sorted(Counter(zip(ranks, nodes, strict=True)).items())
    offsets = [sum(rank < bound for (rank, _), _ in pairs) for bound in range(type_count + 1)]
    return offsets, [node for (_, node), _ in pairs], [count for _, count in pairs]


def find(keys, queries):
    places = {}
    for position, key in enumerate(keys):
        places.setdefault(key, position)
    return [places.get(query, -1) for query in queries]


def split_endpoints(records, hashes):
    kept = [e for e, record in enumerate(records) if record[0] != 2**32 - 1]
    unknown = next((e for e in kept if records[e][2] not in hashes), -1)
    if unknown >= 0:
        return unknown
    return (
        [records[e][0] for e in kept],
        [records[e][1] for e in kept],
        [hashes.index(records[e][2]) for e in kept],
        kept,
    )


def typed_range(row_types, wanted, start):
    before = sum(code < wanted for code in row_types)
    return start + before, start + before + sum(code == wanted for code in row_types)


def bad_offset(offsets, limit):
    for i, offset in enumerate(offsets):
        if not 0 <= offset <= limit or (i and offset < offsets[i - 1]):
            return i
    return -1


def not_below(values, limit):
    return next((i for i, v in enumerate(values) if v >= limit), -1)


def bad_ends(ends, limit):
    removed = 2**32 - 1
    for edge, (source, target) in enumerate(ends):
        if source == removed == target or (source == removed and target < limit):
            continue
        if source >= limit or target >= limit:
            return edge
    return -1


def not_ascending(values):
    return next((i for i in range(1, len(values)) if values[i] <= values[i - 1]), -1)


def not_ascending_in_ranges(offsets, values):
    for start, stop in pairwise(offsets):
        for i in range(start + 1, stop):
            if values[i] <= values[i - 1]:
                return i
    return -1


# -- bincode values and slots ----------------------------------------------------------------------


def value(item):
    if item is None:
        return struct.pack("<I", 7)
    if isinstance(item, bool):
        return struct.pack("<IB", 4, item)
    if isinstance(item, int):
        return struct.pack("<Iq", 1, item)
    if isinstance(item, float):
        return struct.pack("<Id", 2, item)
    if isinstance(item, str):
        return struct.pack("<I", 3) + text(item)
    if isinstance(item, datetime.date):
        return struct.pack("<I", 5) + text(item.isoformat())
    if isinstance(item, list):
        return struct.pack("<IQ", 13, len(item)) + b"".join(map(value, item))
    pairs = sorted(item.items(), key=lambda pair: pair[0].encode())
    return struct.pack("<IQ", 14, len(item)) + b"".join(text(k) + value(v) for k, v in pairs)


def text(item):
    data = item.encode()
    return struct.pack("<Q", len(data)) + data


def slots(edge_count, held):
    """``held``: edge -> {key hash: value}. Returns offsets and heap."""
    offsets, heap = [0], b""
    for edge in range(edge_count):
        pairs = {k: v for k, v in held.get(edge, {}).items() if v is not None}
        if pairs:
            heap += struct.pack("<Q", len(pairs))
            heap += b"".join(struct.pack("<Q", key) + value(pairs[key]) for key in sorted(pairs))
        offsets.append(len(heap))
    return offsets, heap


# -- a whole graph ---------------------------------------------------------------------------------


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


class Graph:
    """A typed property graph as lists of tuples."""

    def __init__(self):
        self.nodes = []  # (type, id, title, {property: value})
        self.edges = []  # (connection type, source, target, {property: value})

    def add_nodes(self, node_type, ids, properties, titles):
        first = len(self.nodes)
        for row, key in enumerate(ids):
            held = {k: v[row] for k, v in properties.items() if v[row] is not None}
            self.nodes.append((node_type, key, titles[row], held))
        return list(range(first, len(self.nodes)))

    def add_edges(self, connection_type, sources, targets, properties):
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            held = {k: v[row] for k, v in properties.items() if v[row] is not None}
            self.edges.append((connection_type, source, target, held))

    def node_types(self):
        return {t: sum(n[0] == t for n in self.nodes) for t in sorted({n[0] for n in self.nodes})}

    def connection_types(self):
        types = sorted({e[0] for e in self.edges})
        return {t: sum(e[0] == t for e in self.edges) for t in types}

    def find(self, node_type, key):
        for node, (kind, own, _, _) in enumerate(self.nodes):
            if kind == node_type and own == key:
                return node
        return 2**32 - 1

    def entries(self, node, connection_type, direction):
        """(hash of the type, edge, side, peer) of one node, in the order of its row."""
        found = []
        for edge, (kind, source, target, _) in enumerate(self.edges):
            if connection_type in (None, kind):
                if direction in ("out", "both") and source == node:
                    found.append((fnv1a(kind), edge, 0, target))
                if direction in ("in", "both") and target == node:
                    found.append((fnv1a(kind), edge, 1, source))
        return sorted(found)

    def csr(self, connection_type, direction):
        offsets, targets, edges = [0], [], []
        for node in range(len(self.nodes)):
            row = self.entries(node, connection_type, direction)
            targets += [entry[3] for entry in row]
            edges += [entry[1] for entry in row]
            offsets.append(len(targets))
        return offsets, targets, edges

    def sources(self, connection_type):
        return sorted({e[1] for e in self.edges if e[0] == connection_type})

    def peer_counts(self, connection_type):
        ends = [e[2] for e in self.edges if e[0] == connection_type]
        return [(target, ends.count(target)) for target in sorted(set(ends))]

    def node_column(self, node_type, name):
        return [held.get(name) for kind, _, _, held in self.nodes if kind == node_type]

    def edge_column(self, connection_type, name):
        return [held.get(name) for kind, _, _, held in self.edges if kind == connection_type]


# -- keys and text ---------------------------------------------------------------------------------


def number(known, keys):
    """Position of each key in order of first appearance; ``known`` is a dict, updated."""
    return [known.setdefault(key, len(known)) for key in keys]


def is_int(text):
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdecimal() and (digits[0] != "0" or text == "0")
    return plain and -(2**63) <= int(text) < 2**63


def is_id(text):
    if text[:1] in ("+", "-") and text[1:].lower() in {"nan", "inf", "infinity"}:
        return False
    return text != "" and text.lower() not in {"nan", "inf", "infinity"}


def is_float(text):
    digits = text.lstrip("+-")
    if not text.isascii() or "_" in text or text != text.strip():
        return False
    if digits[:1] == "0" and digits[1:2].isdecimal():
        return False
    try:
        value = float(text)
    except ValueError:
        return False
    return abs(value) != float("inf") or "inf" in text.lower()


def ids(texts):
    """All integers, or else all text."""
    return [int(text) for text in texts] if all(map(is_int, texts)) else list(texts)


def typed(texts):
    """Values of a property column, None where empty; one type for all."""
    present = [text for text in texts if text]
    if all(map(is_int, present)):
        convert = int
    elif all(map(is_float, present)) and all(
        abs(int(text)) <= 2**53 for text in present if text.lstrip("+-").isdecimal()
    ):
        convert = float
    elif all(text.lower() in ("true", "false") for text in present):
        convert = is_true
    else:
        convert = str
    return [convert(text) if text else None for text in texts]


def is_true(text):
    return text.lower() == "true"


# -- names as codes -----------------------------------------------------------------------------


def group_slots(types, alive, hashes):
    return [
        [node for node, held in enumerate(types) if alive[node] and held == value]
        for value in hashes
    ]


# -- conditions ---------------------------------------------------------------------------------


def family(value):
    """Values of two families are never equal and have no order."""
    for name, types in (
        ("boolean", bool), ("number", (int, float)), ("text", str),
        ("timestamp", datetime.datetime), ("date", datetime.date),
    ):  # fmt: skip
        if isinstance(value, types):
            return name
    return "nested"


def from_iso(name, text):
    """Read text as a value of the family of what it is compared with, if it is ISO 8601."""
    kind, size = {"date": (datetime.date, 10), "timestamp": (datetime.datetime, 19)}[name]
    try:
        return kind.fromisoformat(text) if len(text) >= size and text[4] == "-" else text
    except ValueError:
        return text


def same(value, wanted):
    if family(value) != family(wanted):
        return False
    if isinstance(value, dict) and isinstance(wanted, dict):
        keys = value.keys() | wanted.keys()
        return all(k in value and k in wanted and same(value[k], wanted[k]) for k in keys)
    if isinstance(value, (list, tuple)) and isinstance(wanted, (list, tuple)):
        return len(value) == len(wanted) and all(map(same, value, wanted))
    return value == wanted


def satisfies(value, operator, wanted):
    """Whether one value, None where absent, satisfies a condition."""
    if value is None:
        return False
    if operator == "in":
        return any(satisfies(value, "==", one) for one in wanted)
    if operator == "startswith":
        return isinstance(value, str) and value.startswith(wanted)
    if isinstance(wanted, str) and family(value) in ("date", "timestamp"):
        wanted = from_iso(family(value), wanted)
    if operator in ("==", "!="):
        return same(value, wanted) == (operator == "==")
    if family(value) != family(wanted) or family(value) in ("boolean", "nested"):
        return False
    return {
        "<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted,
    }[operator]  # fmt: skip


def has_order(name, wanted):
    """Whether all values of a family have an order with ``wanted``."""
    if isinstance(wanted, str) and name in ("date", "timestamp"):
        wanted = from_iso(name, wanted)
    return name == family(wanted) and name not in ("boolean", "nested")


# -- several segments as one ---------------------------------------------------------------------


def stitch(node_count, segments, ranks):
    """``segments``: (first node, first edge, rows of (peer, local edge or None))."""
    rows = [[] for _ in range(node_count)]
    for first_node, first_edge, own in segments:
        for row, entries in enumerate(own):
            kept = [[peer, first_edge + edge] for peer, edge in entries if edge is not None]
            rows[first_node + row] += kept
    if ranks is not None:
        for row in rows:
            row.sort(key=lambda entry: (ranks[entry[1]], entry[1]))
    offsets = [sum(map(len, rows[:node])) for node in range(node_count + 1)]
    return offsets, [entry for row in rows for entry in row]


def merge_counts(parts):
    """``parts``: (shift, {type hash: {node: count}})."""
    total = {}
    for shift, types in parts:
        for code, counts in types.items():
            for node, count in counts.items():
                held = total.setdefault(code, Counter())
                held[node + shift] += count
    hashes = sorted(total)
    offsets = [sum(len(total[code]) for code in hashes[:i]) for i in range(len(hashes) + 1)]
    pairs = [pair for code in hashes for pair in sorted(total[code].items())]
    return hashes, offsets, [node for node, _ in pairs], [count for _, count in pairs]


def gather(columns, slots):
    """Rows of words; 0 from the end of a column on."""
    return [
        [int(column[slot]) if slot < len(column) else 0 for column in columns]
        for slot in slots.tolist()
    ]
