"""Run the recorded operations of SparrowDB against a node store."""

import hashlib
import json
import struct

from sparrow_twin import Refused, Twin, decode, encode, matches

from nkgraph.errors import GraphError, LimitError, NkgraphError, NotFoundError
from nkgraph.storage.sparrowdb import NodeStore

CASES = (
    "value_codec", "sparse_columns", "batch_and_hwm", "hwm_recovery",
    "rollback", "rollback_heap", "batch_read", "random_ops",
)  # fmt: skip


def load(data, case):
    return json.loads((data / "sparrowdb" / case / "expected.json").read_text())


def value_of(spelled):
    ((kind, content),) = spelled.items()
    if kind == "int" or kind == "str":
        return content
    if kind == "hex":
        return bytes.fromhex(content)
    if kind == "rep":
        return bytes([content[0]]) * content[1]
    return struct.unpack("<d", int(content, 16).to_bytes(8, "little"))[0]


def spelled(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float):
        return {"f64": f"0x{int.from_bytes(struct.pack('<d', value), 'little'):016x}"}
    return {"int": value}


def hexed(word):
    return None if word is None else f"0x{int(word):016x}"


def props_of(pairs):
    return [(col, value_of(value)) for col, value in pairs]


class Runner:
    """A store that takes recorded operations and spells its answers as the record does."""

    def __init__(self, root, **options):
        self.root = root
        self.options = options
        self.store = NodeStore.open(root, **options)

    def run(self, op):
        """The answer in the form of the record: {"ok": ...} or {"err": kind}."""
        try:
            return {"ok": getattr(self, "do_" + op["op"])(op)}
        except NotFoundError:
            return {"err": "NotFound"}
        except LimitError:
            return {"err": "Limit"}
        except GraphError:
            return {"err": "Graph"}
        except NkgraphError as error:
            return {"err": type(error).__name__}
        except OSError:
            return {"err": "Io"}

    def do_open(self, op):
        self.store.close()
        self.store = NodeStore.open(self.root, **self.options)

    def do_create(self, op):
        return self.store.create_node(op["label"], props_of(op["props"]))

    def do_peek(self, op):
        return self.store.peek_next_slot(op["label"])

    def do_create_at(self, op):
        return self.store.create_node_at_slot(op["label"], op["slot"], props_of(op["props"]))

    def do_batch(self, op):
        writes = [
            (label, col, slot, self.store.encode_value(value), True)
            for label, slot, props in op["rows"]
            for col, value in props_of(props)
        ]
        slots = [(label, slot) for label, slot, _ in op["rows"]]
        return self.store.batch_write_node_creates(writes, slots)

    def do_batch_raw(self, op):
        writes = [(lb, col, slot, int(word, 16), p) for lb, col, slot, word, p in op["writes"]]
        return self.store.batch_write_node_creates(writes, [tuple(s) for s in op["slots"]])

    def do_flush_hwms(self, op):
        return self.store.flush_hwms()

    def do_tombstone(self, op):
        return self.store.tombstone_node(op["node"])

    def do_set(self, op):
        return self.store.set_node_col(op["node"], op["col"], value_of(op["value"]))

    def do_upsert(self, op):
        return self.store.upsert_node_col(op["node"], op["col"], value_of(op["value"]))

    def do_hwm(self, op):
        return self.store.hwm_for_label(op["label"])

    def do_disk_hwm(self, op):
        return self.store.disk_hwm_for_label(op["label"])

    def do_cols(self, op):
        return self.store.col_ids_for_label(op["label"])

    def do_raw(self, op):
        return [[c, hexed(w)] for c, w in self.store.get_node_raw(op["node"], op["cols"])]

    def do_nullable(self, op):
        found = self.store.get_node_raw_nullable(op["node"], op["cols"])
        return [[col, hexed(word)] for col, word in found]

    def do_get(self, op):
        return [[col, spelled(v)] for col, v in self.store.get_node(op["node"], op["cols"])]

    def do_col_all(self, op):
        return [hexed(word) for word in self.store.read_col_all(op["label"], op["col"])]

    def do_batch_read(self, op):
        found = self.store.batch_read_node_props(op["label"], op["slots"], op["cols"])
        return [[hexed(word) for word in row] for row in found]

    def do_encode(self, op):
        return hexed(self.store.encode_value(value_of(op["value"])))

    def do_decode(self, op):
        return spelled(self.store.decode_raw_value(int(op["raw"], 16)))

    def do_str_match(self, op):
        return self.store.raw_str_matches(int(op["raw"], 16), op["s"])

    def do_read_file(self, op):
        path = self.root / op["path"]
        return path.read_bytes().hex() if path.exists() else None

    def do_write_file(self, op):
        path = self.root / op["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes.fromhex(op["hex"]))

    def do_remove_file(self, op):
        path = self.root / op["path"]
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def do_make_dir(self, op):
        (self.root / op["path"]).mkdir(parents=True)

    def do_remove_dir(self, op):
        (self.root / op["path"]).rmdir()
        return True


def wanted(op):
    """The engine's answer, without the details of an I/O failure."""
    result = op["result"]
    return {"err": result["err"]} if "err" in result else result


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def digests(root):
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents(root).items()}


def twin_of(root):
    """The twin of a database directory."""
    twin = Twin()
    heap = root / "strings.bin"
    twin.heap = bytearray(heap.read_bytes() if heap.exists() else b"")
    for path in root.glob("nodes/*/*.bin"):
        label, data = int(path.parent.name), path.read_bytes()
        if path.name == "hwm.bin":
            twin.disk[label] = int.from_bytes(data[:8], "little")
            continue
        col = int(path.name.split("_")[1].split(".")[0])
        if path.name.endswith("_null.bin"):
            twin.bits[label, col] = {s for s in range(8 * len(data)) if data[s // 8] >> s % 8 & 1}
        else:
            count = len(data) // 8
            twin.words[label, col] = list(struct.unpack(f"<{count}Q", data[: 8 * count]))
    return twin


class TwinRunner:
    """The twin behind the same operations; None for what it does not know (plain file access)."""

    def __init__(self):
        self.twin = Twin()

    def run(self, op):
        act = getattr(self, "do_" + op["op"], None)
        if act is None:
            return None
        try:
            return {"ok": act(self.twin, op)}
        except Refused as error:
            return {"err": str(error)}

    def do_open(self, twin, op):
        twin.open()

    def do_create(self, twin, op):
        return twin.create(op["label"], props_of(op["props"]))

    def do_peek(self, twin, op):
        return twin.peek(op["label"])

    def do_create_at(self, twin, op):
        return twin.create_at(op["label"], op["slot"], props_of(op["props"]))

    def do_batch(self, twin, op):
        writes = [
            (label, col, slot, encode(value, twin.heap), True)
            for label, slot, props in op["rows"]
            for col, value in props_of(props)
        ]
        twin.batch(writes, [(label, slot) for label, slot, _ in op["rows"]])

    def do_batch_raw(self, twin, op):
        writes = [(lb, col, slot, int(word, 16), p) for lb, col, slot, word, p in op["writes"]]
        twin.batch(writes, [tuple(s) for s in op["slots"]])

    def do_flush_hwms(self, twin, op):
        twin.flush()

    def do_tombstone(self, twin, op):
        twin.tombstone(*divmod(op["node"], 2**32))

    def do_set(self, twin, op):
        twin.set(*divmod(op["node"], 2**32), op["col"], value_of(op["value"]))

    def do_upsert(self, twin, op):
        twin.upsert(*divmod(op["node"], 2**32), op["col"], value_of(op["value"]))

    def do_hwm(self, twin, op):
        return twin.hwm(op["label"])

    def do_disk_hwm(self, twin, op):
        return twin.disk_hwm(op["label"])

    def do_cols(self, twin, op):
        return twin.columns(op["label"])

    def do_raw(self, twin, op):
        found = twin.raw(*divmod(op["node"], 2**32), op["cols"])
        return [[col, hexed(word)] for col, word in found]

    def do_nullable(self, twin, op):
        found = twin.nullable(*divmod(op["node"], 2**32), op["cols"])
        return [[col, hexed(word)] for col, word in found]

    def do_get(self, twin, op):
        found = twin.get(*divmod(op["node"], 2**32), op["cols"])
        return [[col, spelled(value)] for col, value in found]

    def do_col_all(self, twin, op):
        return [hexed(word) for word in twin.words.get((op["label"], op["col"]), [])]

    def do_batch_read(self, twin, op):
        rows = twin.batch_read(op["label"], op["slots"], op["cols"])
        return [[hexed(word) for word in row] for row in rows]

    def do_encode(self, twin, op):
        return hexed(encode(value_of(op["value"]), twin.heap))

    def do_decode(self, twin, op):
        return spelled(decode(int(op["raw"], 16), twin.heap))

    def do_str_match(self, twin, op):
        return matches(int(op["raw"], 16), op["s"].encode(), twin.heap)
