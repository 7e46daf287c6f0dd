"""A slow twin for dumps: writes a graph, and reads a file, by the text of the format alone."""

import datetime
import json
import struct
import zlib

import numpy as np
import zstandard

WEIGHT = "weight"


# -- writing ----------------------------------------------------------------------------------


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def vbytes(data):
    return varint(len(data)) + data


def vstr(text):
    return vbytes(text.encode())


def lstr(text):
    return struct.pack("<I", len(text.encode())) + text.encode()


def value_of(value, column):
    """One value; ``column`` is the dtype of its column, object where kinds are mixed."""
    if value is None:
        return b"\x00"
    if isinstance(value, bool):
        return struct.pack("<BB", 1, value)
    if isinstance(value, int):
        return struct.pack("<BQ", 3, value) if column == np.uint32 else struct.pack("<Bq", 2, value)
    if isinstance(value, float):
        return struct.pack("<Bd", 4, value)
    if isinstance(value, str):
        data = value.encode()
        if len(data) >= 2048:
            packed = zstandard.ZstdCompressor(level=3).compress(data)
            if len(packed) < len(data):
                return b"\x85" + varint(len(data)) + vbytes(packed)
        return b"\x05" + vbytes(data)
    if isinstance(value, datetime.datetime):
        since = value - datetime.datetime(1970, 1, 1)
        if column is object:
            return struct.pack("<Bq", 29, since // datetime.timedelta(milliseconds=1))
        return struct.pack("<Bq", 7, since // datetime.timedelta(seconds=1))
    if isinstance(value, datetime.date):
        return struct.pack("<Bi", 24, (value - datetime.date(1970, 1, 1)).days)
    if type(value).__name__ == "Duration" and not value.months:
        return struct.pack("<Bq", 8, (value.days * 86400 + value.seconds) * 1000)
    if isinstance(value, list):
        return b"\x1c" + varint(len(value)) + b"".join(value_of(v, object) for v in value)
    if hasattr(value, "_asdict"):
        value = value._asdict()
    return b"\x0c" + vstr(
        json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    )


def table_of(table):
    """Rows of a table as {name: value}, absent ones left out, and the dtype of each column."""
    rows = [{} for _ in range(len(table))]
    for name in table:
        for row, value in zip(rows, table[name].tolist(), strict=True):
            if value is not None:
                row[name] = value
    dtypes = {name: table[name].values.dtype for name in table}
    return rows, {name: object if kind.kind == "O" else kind for name, kind in dtypes.items()}


def properties(row, dtypes):
    pairs = sorted(
        (name.encode(), value_of(value, dtypes.get(name))) for name, value in row.items()
    )
    return varint(len(pairs)) + b"".join(vbytes(key) + value for key, value in sorted(pairs))


def weight_of(row, dtypes):
    """The float32, and the row with what the property has to keep."""
    if WEIGHT not in dtypes:
        return np.float32(1), row
    value = row.get(WEIGHT)
    if value is None:
        return np.float32(1), row | {WEIGHT: None}
    if isinstance(value, (bool, str)) or not isinstance(value, (int, float)):
        return np.float32(1), row
    with np.errstate(over="ignore"):
        found = np.array([value]).astype(np.float32)
    if isinstance(value, float) and struct.pack("<d", value) == found.astype("<f8").tobytes():
        row = {name: held for name, held in row.items() if name != WEIGHT}
    return found[0], row


def record(entity_id, kind, data, now, sequence, metadata):
    entity = varint(entity_id) + kind + data + varint(now) + varint(now) + b"\0\0"
    entity += varint(sequence) + b"\x01" + varint(entity_id) + b"\0\0"
    meta = b"".join(lstr(key) + value for key, value in sorted(metadata.items()))
    meta = struct.pack("<I", len(metadata)) + meta if metadata else b""
    body = b"RER1" + struct.pack("<I", len(entity)) + entity + struct.pack("<I", len(meta)) + meta
    return struct.pack("<I", len(body)) + body


def entity_ids(externals, edge_count):
    counts = {}
    for external in externals:
        counts[external] = counts.get(external, 0) + 1
    keeps = [isinstance(e, int) and e >= 1024 and counts[e] == 1 for e in externals]
    used = {e for e, kept in zip(externals, keeps, strict=True) if kept}
    free = (i for i in range(1024, 2**63) if i not in used)
    ids = [e if kept else next(free) for e, kept in zip(externals, keeps, strict=True)]
    return ids, [next(free) for _ in range(edge_count)]


def records(graph, now=0):
    """Every record of a graph, asked for through its public face."""
    nodes = graph.nodes().tolist()
    types = dict(zip(nodes, graph.types(nodes).tolist(), strict=True))
    externals = graph.ids(nodes).tolist()
    titles = [str(title) if title is not None else "" for title in graph.titles(nodes).tolist()]
    ids, edge_ids = entity_ids(externals, graph.edge_count)
    further = {name: set(held.tolist()) for name, held in graph.secondary_labels.items()}
    rows, dtypes = {}, {}
    for name in graph.node_types:
        table = graph.read_nodes(name)
        found, dtypes[name] = table_of(table)
        rows.update(zip(table.rows.tolist(), found, strict=True))
    made = []
    for node, entity_id, external, title in zip(nodes, ids, externals, titles, strict=True):
        metadata = {}
        if external != entity_id:
            whole = isinstance(external, int)
            held = b"\x02" + struct.pack("<q", external) if whole else b"\x04" + lstr(external)
            metadata["nkgraph.id"] = held
        labels = sorted(name for name, held in further.items() if node in held)
        if labels:
            items = b"".join(b"\x04" + lstr(label) for label in labels)
            metadata["nkgraph.labels"] = b"\x06" + struct.pack("<I", len(labels)) + items
        kind = b"\x01" + vstr(title) + vstr(types[node])
        data = b"\x01" + properties(rows[node], dtypes[types[node]])
        made.append(record(entity_id, kind, data, now, len(made), metadata))
    return made + edge_records(graph, dict(zip(nodes, ids, strict=True)), edge_ids, now, len(made))


def edge_records(graph, ids, edge_ids, now, first):
    sources, targets, edges = (array.tolist() for array in graph.edges())
    of_edge = {}
    for name in graph.connection_types:
        table = graph.read_edges(name)
        found, dtypes = table_of(table)
        for edge, row in zip(table.rows.tolist(), found, strict=True):
            of_edge[edge] = name, row, dtypes
    made = []
    for at, (source, target, edge) in enumerate(zip(sources, targets, edges, strict=True)):
        name, row, dtypes = of_edge[edge]
        weight, row = weight_of(row, dtypes)
        with np.errstate(over="ignore"):
            scaled = weight * np.float32(1000)
        kind_weight = min(int(scaled), 2**32 - 1) if 0 < scaled < np.inf else 0
        if scaled == np.inf:
            kind_weight = 2**32 - 1
        kind = b"\x02" + vstr(name) + vstr(str(ids[source])) + vstr(str(ids[target]))
        kind += struct.pack("<I", kind_weight)
        data = b"\x02" + weight.tobytes() + properties(row, dtypes)
        made.append(record(edge_ids[at], kind, data, now, first + at, {}))
    return made


def whole_file(name, made):
    """A file of one collection; ``made`` are its records."""
    body = b"RDST\x0a\0\0\0\x01" + vstr(name) + varint(len(made)) + b"".join(made) + bytes(5)
    return body + struct.pack("<I", zlib.crc32(body))


# -- reading ----------------------------------------------------------------------------------


class Reader:
    """Reads what a careful writer writes, and fails on anything else."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert self.at + count <= len(self.data)
        self.at += count
        return self.data[self.at - count : self.at]

    def unpack(self, form):
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.unpack("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                assert byte or shift == 7, "not the shortest form"
                return value

    def vbytes(self):
        return self.take(self.varint())

    def vstr(self):
        return self.vbytes().decode()

    def lstr(self):
        return self.take(self.unpack("I")).decode()

    def value(self):
        code = self.unpack("B")
        simple = {1: "?", 2: "q", 3: "Q", 4: "d", 7: "q", 8: "q", 24: "i", 29: "q"}
        if code == 0:
            return 0, None
        if code in simple:
            return code, self.unpack(simple[code])
        if code == 5:
            return code, self.vstr()
        if code == 12:
            return code, json.loads(self.vbytes())
        if code == 28:
            return code, [self.value() for _ in range(self.varint())]
        assert code == 0x85
        length, packed = self.varint(), self.vbytes()
        assert 2048 <= length > len(packed)
        assert zstandard.frame_content_size(packed) == length
        return code, zstandard.ZstdDecompressor().decompress(packed).decode()

    def properties(self):
        pairs = [(self.vbytes(), self.value()) for _ in range(self.varint())]
        keys = [key for key, _ in pairs]
        assert keys == sorted(set(keys))
        return {key.decode(): value for key, value in pairs}

    def metadata(self):
        found = {}
        for _ in range(self.unpack("I")):
            key, tag = self.lstr(), self.unpack("B")
            if tag == 2:
                found[key] = self.unpack("q")
            elif tag == 4:
                found[key] = self.lstr()
            else:
                assert tag == 6
                count = self.unpack("I")
                found[key] = []
                for _ in range(count):
                    assert self.unpack("B") == 4
                    found[key].append(self.lstr())
        assert list(found) == sorted(found)
        return found


def read_record(data):
    outer = Reader(data)
    assert outer.unpack("I") == len(data) - 4
    assert outer.take(4) == b"RER1"
    inner = Reader(outer.take(outer.unpack("I")))
    found = {"id": inner.varint(), "metadata": {}}
    meta = Reader(outer.take(outer.unpack("I")))
    if meta.data:
        found["metadata"] = meta.metadata()
    assert outer.at == len(data)
    assert meta.at == len(meta.data)
    found["kind"] = inner.unpack("B")
    found["label"] = inner.vstr()
    if found["kind"] == 1:
        found["node_type"] = inner.vstr()
    else:
        found["ends"] = inner.vstr(), inner.vstr()
        found["kind_weight"] = inner.unpack("I")
    assert inner.unpack("B") == found["kind"]
    if found["kind"] == 2:
        found["weight"] = np.frombuffer(inner.take(4), "<f4")[0]
    found["properties"] = inner.properties()
    found["created_at"], found["updated_at"] = inner.varint(), inner.varint()
    assert inner.take(2) == b"\0\0"
    found["sequence_id"] = inner.varint()
    assert inner.unpack("B") == 1
    found["logical_id"] = inner.varint()
    assert inner.take(2) == b"\0\0"
    assert inner.at == len(inner.data)
    return found


def read_file(data):
    assert zlib.crc32(data[:-4]) == struct.unpack("<I", data[-4:])[0]
    reader = Reader(data[:-4])
    assert reader.take(9) == b"RDST\x0a\0\0\0\x01"
    name, found = reader.vstr(), []
    for _ in range(reader.varint()):
        (size,) = struct.unpack_from("<I", data, reader.at)
        found.append(read_record(reader.take(size + 4)))
    assert reader.take(5) == bytes(5)
    assert reader.at == len(data) - 4
    return name, found
