"""Whole SparrowDB databases in plain Python: written, and read to the model that a graph must be.

A database is a dict of path -> bytes, so that damage to a file needs no disk. ``Draft`` writes one
and ``read`` reads it; both follow the format text alone, slowly, and import nothing of nkgraph.
"""

import struct
import zlib
from functools import partial
from itertools import count, pairwise

import numpy as np
from model import Edge, Model, Node
from sparrow_twin import TOMBSTONE, Refused, decode, encode

HWM = "nodes/{}/hwm.bin"
COLUMN = "nodes/{}/col_{}.bin"
BITMAP = "nodes/{}/col_{}_null.bin"
FORWARD, BACKWARD = "edges/{}/base.fwd.csr", "edges/{}/base.bwd.csr"
DELTA, PROPERTIES = "edges/{}/delta.log", "edges/{}/edge_props.bin"
WAL = "wal/segment-{:020}.wal"
SLOTS = 2**32
MAX_IDS = 2**32 - 1


class Damaged(Exception):
    """What no reader may answer."""


class TooLarge(Exception):
    """More slots than this slow twin can list."""


def fnv32(name):
    value = 2166136261
    for byte in name.encode() if isinstance(name, str) else name:
        value = (value ^ byte) * 16777619 % 2**32
    return value


def castagnoli(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def number(data, at, width):
    if at + width > len(data):
        raise Damaged("cut short")
    return int.from_bytes(data[at : at + width], "little")


def u16(value):
    return value.to_bytes(2, "little")


def u32(value):
    return value.to_bytes(4, "little")


def u64(value):
    return value.to_bytes(8, "little")


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return u32(len(data)) + data


def save(files, root):
    """Write a database to a directory."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(data))


def load(root):
    """Take a directory for a database."""
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


# -- writing ----------------------------------------------------------------------------------


class Log:
    """The records of one segment, each with its checksum."""

    def __init__(self, version=2):
        self.data = bytearray([] if version is None else [version])
        self.crc = castagnoli if version == 2 else zlib.crc32
        self.lsn = count(1)

    def record(self, kind, payload=b""):
        body = bytes([kind]) + u64(next(self.lsn)) + u64(1) + payload
        self.data += u32(len(body) + 4) + body + u32(self.crc(body))

    def node(self, *names):
        self.record(0x10, u64(0) + u32(0) + self.properties(names))

    def update(self, name):
        self.record(0x11, u64(0) + u32(fnv32(name)) + text(name) + text(b"\0" * 8) + text(b""))

    def edge(self, *names):
        self.record(0x13, u64(0) + u64(0) + u64(1) + text("KNOWS") + self.properties(names))

    def properties(self, names):
        return u32(len(names)) + b"".join(text(name) + text(b"\0" * 8) for name in names)


class Draft:
    """A database that is being written; ``files()`` gives it."""

    def __init__(self):
        self.catalog = bytearray()
        self.heap = bytearray()
        self.held = {}
        self.labels = []

    def files(self):
        return {"catalog.tlv": bytes(self.catalog), "strings.bin": bytes(self.heap), **self.held}

    def entry(self, tag, payload):
        self.catalog += u16(tag) + u32(len(payload)) + payload

    def label(self, name, mark=None, identity=None):
        label = len(self.labels) if identity is None else identity
        self.labels.append(label)
        data = name.encode() if isinstance(name, str) else name
        self.entry(1, u16(label) + u16(len(data)) + data)
        if mark is not None:
            self.held[HWM.format(label)] = u64(mark)
        return label

    def table(self, identity, source, target, kind):
        data = kind.encode()
        self.entry(2, u64(identity) + u16(source) + u16(target) + u16(len(data)) + data)
        return identity

    def label_set(self, label, slot, further):
        self.entry(6, u16(label) + u32(slot) + u16(len(further)) + b"".join(map(u16, further)))

    def column(self, label, name, values, bitmap=True, words=()):
        """``values`` by slot, None where absent; ``words`` follow as they are.

        ``bitmap`` None: there is none, so that padding counts as 0.
        """
        col = name if isinstance(name, int) else fnv32(name)
        held = [0 if value is None else encode(value, self.heap) for value in values]
        self.held[COLUMN.format(label, col)] = b"".join(map(u64, [*held, *words]))
        if bitmap:
            there = [slot for slot, value in enumerate(values) if value is not None]
            bits = bytearray(max(there, default=-8) // 8 + 1)
            for slot in there:
                bits[slot // 8] |= 1 << slot % 8
            self.held[BITMAP.format(label, col)] = bytes(bits)

    def delete(self, label, slots):
        words = [TOMBSTONE if slot in slots else 0 for slot in range(max(slots) + 1)]
        self.held[COLUMN.format(label, 0)] = b"".join(map(u64, words))

    def rows(self, table, pairs, size):
        """Checkpointed edges of slots, in both files."""
        for name, held in ((FORWARD, pairs), (BACKWARD, [pair[::-1] for pair in pairs])):
            rows = [sorted({t for s, t in held if s == row}) for row in range(size)]
            flat = [slot for row in rows for slot in row]
            starts = [sum(map(len, rows[:row])) for row in range(size + 1)]
            self.held[name.format(table)] = b"".join(map(u64, [size, *starts, *flat]))

    def delta(self, table, source_label, target_label, pairs):
        records = [
            u64(source_label << 32 | s) + u64(target_label << 32 | t) + u32(table) for s, t in pairs
        ]
        self.held[DELTA.format(table)] = b"".join(records)

    def edge_property(self, table, source, target, name, value):
        col = name if isinstance(name, int) else fnv32(name)
        word = encode(value, self.heap)
        name = PROPERTIES.format(table)
        held = u64(source) + u64(target) + u32(col) + u64(word)
        self.held[name] = self.held.get(name, b"") + held

    def log(self, log, segment=0):
        self.held[WAL.format(segment)] = bytes(log.data)


# -- reading ----------------------------------------------------------------------------------


def entries(data):
    at = 0
    while at < len(data):
        if not data[at]:
            at += 1
            continue
        tag, size = number(data, at, 2), number(data, at + 2, 4)
        at += 6 + size
        if at > len(data):
            raise Damaged("entry cut short")
        if not 1 <= tag <= 6:
            raise Damaged("unknown tag")
        yield tag, data[at - size : at]


def name_at(payload, at):
    size = number(payload, at, 2)
    if at + 2 + size != len(payload):
        raise Damaged("length of a name")
    try:
        found = payload[at + 2 :].decode()
    except UnicodeDecodeError:
        raise Damaged("name") from None
    if not found:
        raise Damaged("empty name")
    return found


def read_catalog(data):
    """Labels by id, (source, target, type) by table, and (label, slot, further label)."""
    labels, tables, sets = {}, {}, []
    for tag, payload in entries(data):
        if tag == 1:
            label, name = number(payload, 0, 2), name_at(payload, 2)
            if label in labels or name in labels.values():
                raise Damaged("label twice")
            labels[label] = name
        elif tag == 2:
            table, ends = number(payload, 0, 8), (number(payload, 8, 2), number(payload, 10, 2))
            if table in tables:
                raise Damaged("table twice")
            tables[table] = (*ends, name_at(payload, 12))
        elif tag == 6:
            label, slot, size = number(payload, 0, 2), number(payload, 2, 4), number(payload, 6, 2)
            if len(payload) != 8 + 2 * size:
                raise Damaged("label set")
            sets += [(label, slot, number(payload, 8 + 2 * i, 2)) for i in range(size)]
    for source, target, _ in tables.values():
        if source not in labels or target not in labels:
            raise Damaged("label of a table")
    return labels, tables, sets


def read_blob(data, at, stop):
    size = number(data[:stop], at, 4)
    if at + 4 + size > stop:
        raise Damaged("blob")
    return at + 4 + size, data[at + 4 : at + 4 + size]


def keys_of(kind, payload):
    """Property names of one record of the log; Damaged if it cannot be read."""
    found, stop = [], len(payload)
    if kind == 0x11:
        at, key = read_blob(payload, 12, stop)
        at = read_blob(payload, read_blob(payload, at, stop)[0], stop)[0]
        if at != stop:
            raise Damaged("update")
        return [key]
    if kind not in (0x10, 0x13):
        return []
    at = 12 if kind == 0x10 else read_blob(payload, 24, stop)[0]
    size = number(payload, at, 4)
    at += 4
    for _ in range(size):
        at, key = read_blob(payload, at, stop)
        at = read_blob(payload, at, stop)[0]
        found.append(key)
    if at != stop:
        raise Damaged("properties")
    return found


def walk(data, at, checksum):
    """Property names up to the first record that is not believed, and where that is."""
    found = []
    while len(data) - at >= 4:
        size = number(data, at, 4)
        if size < 21 or at + 4 + size > len(data):
            break
        body = data[at + 4 : at + size]
        if checksum(body) != number(data, at + size, 4):
            break
        if body[0] not in (*range(1, 7), *range(0x10, 0x15)):
            break
        try:
            found += keys_of(body[0], body[17:])
        except Damaged:
            break
        at += 4 + size
    return found, at


def read_names(files, given=()):
    """Property names by their hash; none where there are two."""
    found = []
    for name in sorted(files):
        if name.startswith("wal/segment-") and files[name]:
            data = files[name]
            if data[0] == 2:
                keys, _ = walk(data, 1, castagnoli)
            elif data[0] == 21:
                keys, at = walk(data, 1, zlib.crc32)
                keys = keys if at > 1 else walk(data, 0, zlib.crc32)[0]
            else:
                raise Damaged("version of the log")
            found += keys
    names = {}
    for key in [*found, *given]:
        try:
            name = key if isinstance(key, str) else key.decode()
        except UnicodeDecodeError:
            continue
        names.setdefault(fnv32(name), set()).add(name)
    return {col: held.pop() for col, held in names.items() if len(held) == 1}


def read_mark(files, label):
    for name in (HWM.format(label), HWM.format(label) + ".tmp"):
        if len(files.get(name, b"")) >= 8:
            mark = number(files[name], 0, 8)
            if mark > SLOTS:
                raise Damaged("mark")
            return mark
    return max((len(data) // 8 for _, data in columns_of(files, label)), default=0)


def columns_of(files, label):
    """(column id, bytes) of the columns of a label."""
    start = f"nodes/{label}/col_"
    for name, data in files.items():
        digits = name[len(start) : -4]
        if name.startswith(start) and name.endswith(".bin") and digits.isdecimal():
            col = int(digits)
            yield from [(col, data)] * (str(col) == digits and col < 2**32)


def words(data):
    return [number(data, at, 8) for at in range(0, len(data) - 7, 8)]


def value_of(word, heap):
    try:
        found = decode(word, heap)
        return found.decode() if isinstance(found, bytes) else found
    except (Refused, UnicodeDecodeError):
        raise Damaged("value") from None


def read(files, given=(), most=4096):
    """Make the model of a database; ``labels`` of it are the nodes that carry a further label.

    Raises Damaged where a graph must raise, and TooLarge where the marks are out of reach here.
    """
    labels, tables, sets = read_catalog(files["catalog.tlv"])
    marks = {label: read_mark(files, label) for label in sorted(labels)}
    if sum(marks.values()) > MAX_IDS:
        raise Damaged("more slots than node ids")
    if sum(marks.values()) > most:
        raise TooLarge
    model, heap = Model(), files.get("strings.bin", b"")
    edge_records = {table: read_properties(files, table) for table in tables}
    name = partial(names_for, read_names(files, given))
    node_of = {}
    for label, mark in marks.items():
        gone = words(files.get(COLUMN.format(label, 0), b""))
        for slot in range(mark):
            node, model.slots = model.slots, model.slots + 1
            if slot < len(gone) and gone[slot] == TOMBSTONE:
                model.free.append(node)
                continue
            node_of[label, slot] = node
            model.nodes[node] = Node(labels[label], label << 32 | slot, "")
        for col, data in columns_of(files, label):
            bits = files.get(BITMAP.format(label, col))
            for slot, word in enumerate(words(data)[:mark]):
                there = bits is None or (slot // 8 < len(bits) and bits[slot // 8] >> slot % 8 & 1)
                if col and there and (label, slot) in node_of:
                    own = model.nodes[node_of[label, slot]].properties
                    own[name(col)] = value_of(word, heap)
    for table in sorted(tables):
        source, target, kind = tables[table]
        last = {(s, t, col): word for s, t, col, word in edge_records[table]}
        for s, t in [*read_rows(files, table), *read_delta(files, table, source, target)]:
            if (source, s) in node_of and (target, t) in node_of:
                own = [(c, w) for (a, b, c), w in last.items() if (a, b) == (s, t)]
                held = {name(col): value_of(word, heap) for col, word in own}
                edge = Edge(kind, node_of[source, s], node_of[target, t], held)
                model.edges[model.next_edge] = edge
                model.next_edge += 1
    model.labels = read_sets(sets, labels, marks, node_of)
    return model


def names_for(names, col):
    return names.get(col, f"col_{col}")


def read_sets(sets, labels, marks, node_of):
    found = {}
    for label, slot, further in sets:
        if further not in labels or slot >= marks.get(label, 0):
            raise Damaged("label set")
        nodes = found.setdefault(labels[further], set())
        if (label, slot) in node_of:
            nodes.add(node_of[label, slot])
    return {name: sorted(nodes) for name, nodes in found.items()}


def read_rows(files, table):
    data = files.get(FORWARD.format(table))
    if data is None:
        if BACKWARD.format(table) in files:
            raise Damaged("only the other file")
        return []
    size = number(data, 0, 8)
    if size > len(data):
        raise Damaged("rows")
    offsets = [number(data, 8 + 8 * row, 8) for row in range(size + 1)]
    slots = words(data)[size + 2 :]
    if offsets != sorted(offsets) or offsets[0] or offsets[-1] > len(slots):
        raise Damaged("offsets")
    spans = enumerate(pairwise(offsets))
    return [(row, slot) for row, (start, stop) in spans for slot in slots[start:stop]]


def read_delta(files, table, source, target):
    data, found = files.get(DELTA.format(table), b""), []
    if len(data) % 20:
        raise Damaged("delta log")
    for at in range(0, len(data), 20):
        s, t, own = struct.unpack_from("<QQI", data, at)
        if (s >> 32, t >> 32, own) != (source, target, table):
            raise Damaged("delta record")
        found.append((s % SLOTS, t % SLOTS))
    return found


def read_properties(files, table):
    data = files.get(PROPERTIES.format(table), b"")
    if len(data) % 28:
        raise Damaged("edge properties")
    return [struct.unpack_from("<QQIQ", data, at) for at in range(0, len(data), 28)]


# -- databases to test with -------------------------------------------------------------------


def everything():
    """A small database with a case of each kind."""
    draft = Draft()
    person = draft.label("Person", 9)
    draft.catalog += b"\0\0\0"
    town = draft.label("Town", 4)
    nothing = draft.label("Nothing")
    bare = draft.label("Bare", 2, identity=300)
    draft.entry(5, u16(1))
    draft.table(0, person, person, "KNOWS")
    draft.catalog += b"\0"
    draft.table(1, person, town, "IN")
    draft.table(2, town, town, "KNOWS")
    draft.table(5, person, nothing, "EMPTY")
    draft.table(6, bare, town, "AT")
    draft.label_set(person, 0, [town, bare])
    draft.label_set(person, 4, [bare])
    draft.label_set(bare, 0, [])
    draft.label_set(bare, 1, [town])
    draft.column(person, "age", [31, None, -7, 0, 5, 2**55 - 1, -(2**55), None, 8])
    draft.column(
        person, "name", ["Ann", "Bartholomew", "", None, "gone", "e\u0301\u0301n\u00e9 long"]
    )
    draft.column(person, "score", [0.5, None, -0.0, float("inf")], bitmap=None)
    draft.column(
        person, "mixed", [1, "a", 2.5, "a text of more", None, -1, 0.0, "", 3], words=[1, 2]
    )
    draft.column(person, "nobody knows this", [None, 4, 4])
    draft.column(person, "empty", [])
    draft.delete(person, [4, 7])
    draft.column(town, "name", ["Bern", "Genf", "Z\u00fcrich am See", "Biel"], bitmap=None)
    draft.held[BITMAP.format(town, fnv32("name"))] = b"\x0b"
    draft.column(town, "late", [None, 9], bitmap=None)
    draft.rows(0, [(0, 1), (0, 2), (2, 2), (3, 4), (4, 1), (8, 0), (11, 1), (1, 12)], 13)
    draft.delta(0, person, person, [(0, 1), (5, 6), (0, 1), (7, 0), (1, 9), (6, 6)])
    draft.rows(1, [(0, 3), (1, 0), (1, 3)], 10)
    draft.delta(2, town, town, [(3, 3), (0, 1), (1, 0)])
    draft.delta(6, bare, town, [(1, 2)])
    for s, t, name, value in (
        (0, 1, "since", 2001), (0, 1, "how", "at the well"), (0, 1, "since", 2002),
        (2, 2, "weight", 0.25), (5, 6, "since", "then"), (7, 0, "since", 1), (3, 3, "since", 4),
        (6, 6, "nobody knows that", 1),
    ):  # fmt: skip
        draft.edge_property(0, s, t, name, value)
    draft.edge_property(1, 1, 3, "since", 1999)
    draft.held[PROPERTIES.format(2)] = b""
    first, second, old = Log(), Log(21), Log(None)
    first.record(1)
    first.node("name", "age", "score")
    first.record(0x12, u64(4))
    first.record(3)
    first.data += bytes(9)
    second.record(1)
    second.update("mixed")
    second.update("empty")
    old.record(1)
    old.edge("since", "how", "weight")
    old.node("late", "age")
    for segment, log in enumerate((first, second, old)):
        draft.log(log, segment)
    return draft


NAMES = ("age", "name", "score", "note", "caf\u00e9", "x", "a longer name of a property")


def random_database(seed):
    """A database of random shape, and the names that one might be told."""
    rng = np.random.default_rng(seed)
    draft = Draft()
    known = [name for name in NAMES if rng.random() < 0.7]
    marks = {}
    for name in rng.permutation(["Person", "Town", "Ding", "\u6771\u4eac"])[: rng.integers(1, 5)]:
        mark = int(rng.choice([0, 1, 3, 8, 17, 40]))
        stated = mark if rng.random() < 0.85 else None
        label = draft.label(str(name), stated, None if rng.random() < 0.8 else 50 + len(marks))
        if stated is None and rng.random() < 0.5:
            draft.held[HWM.format(label)] = b"short"
            draft.held[HWM.format(label) + ".tmp"] = u64(mark)
        marks[label] = mark
        draft.catalog += bytes(int(rng.integers(0, 3)))
        random_columns(rng, draft, label, mark)
    marks = {label: read_mark(draft.held, label) for label in marks}
    random_tables(rng, draft, marks)
    for _ in range(rng.integers(0, 4)):
        label = int(rng.choice(list(marks)))
        if marks[label]:
            further = rng.choice(list(marks), rng.integers(0, 3), replace=True).tolist()
            draft.label_set(label, int(rng.integers(0, marks[label])), further)
    random_logs(rng, draft, known)
    return draft.files(), [name for name in NAMES if rng.random() < 0.3]


def random_value(rng, kind):
    kind = int(rng.integers(0, 4)) if kind == 4 else kind
    if kind == 0:
        return int(rng.choice([0, 1, -1, 7, 2**55 - 1, -(2**55), int(rng.integers(-999, 999))]))
    if kind == 1:
        return float(rng.choice([0.0, -0.0, 1.5, float("inf"), float("-inf"), rng.random()]))
    if kind == 2:
        return str(rng.choice(["", "a", "seven..", "\u00e9", "\U0001f600"]))
    return str(
        rng.choice(["eight...", "\u6771\u4eac\u6771\u4eac", "nul \0 nul", "x" * 300, "\0", "b\0c"])
    )


def random_columns(rng, draft, label, mark):
    for name in rng.permutation(NAMES)[: rng.integers(0, 6)]:
        kind = int(rng.integers(0, 5))
        size = int(rng.choice([0, mark // 2, mark, mark + 3]))
        values = [random_value(rng, kind) if rng.random() < 0.7 else None for _ in range(size)]
        form = int(rng.integers(0, 4))
        draft.column(label, str(name), values, bitmap=form > 0, words=[5] * int(form == 3))
        if form == 1 and rng.random() < 0.4:  # a bitmap that is shorter, or says nothing
            path = BITMAP.format(label, fnv32(str(name)))
            draft.held[path] = draft.held[path][: int(rng.integers(0, 2))]
        if form == 2:
            draft.held[COLUMN.format(label, fnv32(str(name)))] += b"odd"
    if mark and rng.random() < 0.6:
        draft.delete(label, set(rng.integers(0, mark, rng.integers(1, 5)).tolist()))


def random_tables(rng, draft, marks):
    labels = list(marks)
    for table in range(rng.integers(0, 6)):
        source, target = (int(rng.choice(labels)) for _ in range(2))
        draft.table(table, source, target, str(rng.choice(["KNOWS", "IN", "Person"])))
        size = max(marks[source], marks[target]) + 2
        pairs = [tuple(rng.integers(0, size, 2).tolist()) for _ in range(int(rng.integers(1, 30)))]
        pairs += [(slot, slot) for slot in rng.integers(0, size, 2).tolist()]
        cut = int(rng.integers(0, len(pairs)))
        form = int(rng.integers(0, 4))
        if form & 1:
            draft.rows(table, pairs[:cut], size)
        if form & 2:
            pending = [pairs[at] for at in rng.integers(0, len(pairs), len(pairs) - cut + 1)]
            draft.delta(table, source, target, pending)
        for _ in range(rng.integers(0, 25)):
            s, t = pairs[int(rng.integers(0, len(pairs)))]
            name = str(rng.choice(NAMES[:4]))
            draft.edge_property(table, s, t, name, random_value(rng, int(rng.integers(0, 5))))


def random_logs(rng, draft, known):
    for segment in range(rng.integers(0, 4)):
        log = Log([2, 21, None][int(rng.integers(0, 3))])
        log.record(1)
        for name in known[segment::3]:
            record = (log.node, log.update, log.edge)[int(rng.integers(0, 3))]
            record(name)
        log.record(3)
        tail = int(rng.integers(0, 3))
        log.data += (b"", bytes(40), b"\x30\0\0\0torn")[tail]
        draft.log(log, segment)
