"""The nodes of a graph: slots, and per node type the ids, titles and properties.

A node id is a position in ``slots``. A slot names the node type and the row of the node in
that type's columns; rows of a type are given in order and never re-used.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from nkgraph import ids, kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, MAX_IDS, NODE_SLOT, TEXT, U32, U64, Bool
from nkgraph.errors import FormatError, GraphError, LimitError, NotFoundError
from nkgraph.interop import frames
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.records import Records
from nkgraph.storage.stored import StoredGraph
from nkgraph.type_table import NO_IDS, TypeTable


class NodeTable:
    """All nodes of a graph.

    Holds 16 bytes a node that was added. Slots of an opened graph stay on their maps until one
    of them is removed or used again: then those of its segment are copied to memory.
    """

    def __init__(self, stored: StoredGraph | None = None) -> None:
        self._stored = stored
        parts = [] if stored is None else [segment.slots for segment in stored.segments]
        self.slots = Records(NODE_SLOT, parts)
        self._tables: dict[str, TypeTable] | None = None if stored else {}
        self._change = 0
        self._free: list[int] | None = None if stored else []

    @property
    def slot_count(self) -> int:
        """How many node ids were ever given."""
        return self.slots.size

    @property
    def live_count(self) -> int:
        """How many nodes are alive."""
        if self._stored is None:
            return self._change
        if self._stored.native is not None:
            return self._stored.meta.node_count + self._change
        return sum(table.count for table in self.tables.values())

    @property
    def free(self) -> list[int]:
        """Removed node ids as a stack: the last is used again first."""
        if self._free is None:
            assert self._stored is not None
            free = self._stored.meta.free_node_slots
            path = self._stored.path / "disk_graph_meta.json"
            dead = self.slot_count - self.live_count
            ids = as_ids(free, max(self.slot_count, MAX_IDS), "free_node_slots", "node")
            ids = ids[ids < self.slot_count]
            if ids.size != dead or np.unique(ids).size != dead or self._alive(ids).any():
                if self._stored.native is not None:
                    expected = f"the {dead} removed nodes, each once"
                    raise FormatError(path, "free_node_slots", None, expected, f"{ids.size} others")
                # kglite does not list the gaps of a graph that it converted.
                free = np.flatnonzero(self.slots.whole()["flags"] & 1 == 0).tolist()
            self._free = list(free)
        return self._free

    def _alive(self, nodes: U32) -> Bool:
        return np.asarray(self.slots.field("flags", nodes) & 1 != 0)

    @property
    def counted(self) -> bool:
        """Whether the tables are made already."""
        return self._tables is not None

    @property
    def tables(self) -> dict[str, TypeTable]:
        """Node types by name, in code point order."""
        if self._tables is None:
            assert self._stored is not None
            self._tables = dict(sorted(_stored_tables(self._stored).items()))
        return self._tables

    def table(self, node_type: str) -> TypeTable:
        """Return one node type, or say which there are."""
        found = self.tables.get(node_type)
        if found is None or not found.count:
            known = [name for name, table in self.tables.items() if table.count]
            raise NotFoundError(f"no node type {node_type!r}; there are {known}")
        return found

    def check(self, nodes: object, name: str = "nodes") -> U32:
        """Return node ids as uint32, each in range and alive."""
        array = as_ids(nodes, self.slot_count, name, "node")
        if self.live_count < self.slot_count:
            dead = ~self._alive(array)
            if dead.any():
                row = int(np.argmax(dead))
                raise GraphError(f"{name}: row {row}: node {array[row]} was removed")
        return array

    def by_type(self, nodes: U32) -> Iterator[tuple[TypeTable, I64, I64]]:
        """Yield (type, positions in ``nodes``, rows of the type) for each type that occurs."""
        slots = self.slots
        hashes = slots.field("node_type", nodes)
        left = nodes.size
        for table in self.tables.values():
            at = np.flatnonzero(hashes == np.uint64(table.hash))
            if at.size:
                left -= at.size
                yield table, at, table.rows_of(slots, nodes[at])
        if left:
            path = self._stored.path if self._stored else "memory"
            raise FormatError(path, "node_type of a slot", None, "a node type", "another hash")

    def add(
        self,
        node_type: str,
        given: object,
        properties: Mapping[str, AnyColumn],
        titles: AnyColumn | None,
        known_new: bool,
    ) -> U32:
        """Append nodes; see ``Graph.add_nodes``."""
        column = ids.from_user(given, "ids")
        keys = ids.checked_keys(column, "ids")
        count, first = len(column), self.slot_count
        again = min(count, self.slot_count - self.live_count)
        if first + count - again > MAX_IDS:
            more = f"{first} + {count - again} nodes"
            raise LimitError(f"{more}: node ids end at {MAX_IDS - 1}")
        table = self.tables.get(node_type) or TypeTable(node_type)
        if table.row_count + count > MAX_IDS:
            raise LimitError(f"{node_type}: rows end at {MAX_IDS - 1}; compact() drops unused ones")
        table.properties  # noqa: B018 - what cannot be read must fail before a change
        if not known_new:
            table.check_new(keys, self.slots)
        used = np.array(self.free[len(self.free) - again :][::-1] if again else [], np.uint32)
        nodes = np.concatenate([used, np.arange(first, first + count - again, dtype=np.uint32)])
        slots = np.empty(count, NODE_SLOT)
        slots["node_type"] = table.hash
        slots["row_id"] = np.arange(table.row_count, table.row_count + count)
        slots["flags"] = 1
        if again:
            self.slots.put(used, slots[:again])
            del self.free[len(self.free) - again :]
        self.slots.grow(count - again)[:] = slots[again:]
        table.add(nodes, column, keys, titles, properties)
        self._change += count
        if node_type not in self.tables:
            self._tables = dict(sorted([*self.tables.items(), (node_type, table)]))
        return nodes

    def prepare_removal(self, nodes: U32) -> None:
        """Read what ``remove`` needs: what cannot be read must fail before a change."""
        self.free  # noqa: B018
        for _ in self.by_type(nodes):
            pass

    def remove(self, nodes: U32) -> None:
        """Mark live nodes, each once, as removed; their slots can be used again."""
        parts, free = list(self.by_type(nodes)), self.free
        slots = np.zeros(nodes.size, NODE_SLOT)  # flags 0: dead
        for name in ("node_type", "row_id"):
            slots[name] = self.slots.field(name, nodes)
        self.slots.put(nodes, slots)
        for table, at, rows in parts:
            table.remove(nodes[at], rows)
        free.extend(nodes.tolist())
        self._change -= int(nodes.size)

    def ids(self, nodes: U32) -> np.ndarray:
        """Return the external id of each node."""
        return self._gather(nodes, "ids")

    def titles(self, nodes: U32) -> np.ndarray:
        """Return the title of each node."""
        return self._gather(nodes, "titles")

    def _gather(self, nodes: U32, part: str) -> np.ndarray:
        pieces, places = [], []
        for table, at, rows in self.by_type(nodes):
            pieces.append(getattr(table, part).take(rows))
            places.append(at)
        if not pieces:
            return np.zeros(0, np.int64 if part == "ids" else TEXT)
        values, valid = columns.to_user(columns.concatenate(pieces))
        if values.dtype == np.uint32:
            values = values.astype(np.int64)
        if part == "ids" and valid is not None:
            values = values.astype(object)
            values[~valid] = None
        if part == "titles" and values.dtype != TEXT:
            if valid is None or valid.any():
                values = values.astype(object)
            else:
                values = np.zeros(values.size, TEXT)
        result = np.empty_like(values)
        result[np.concatenate(places)] = values
        return result


def as_ids(values: object, limit: int, name: str, what: str) -> U32:
    """Return ids as a 1-d uint32 array, each an integer below ``limit``."""
    array = np.atleast_1d(np.asarray(frames.as_numbers(values, name)))
    if array.ndim != 1:
        raise GraphError(f"{name} has {array.ndim} dimensions, not 1")
    if array.size == 0:
        return NO_IDS
    if array.dtype.kind not in "iu":
        raise GraphError(f"{name} holds {array.dtype}, not integers: {what} ids are wanted here")
    if int(array.min()) < 0 or int(array.max()) >= limit:
        row = int(np.argmax((array < 0) | (array >= limit)))
        raise GraphError(f"{name}: row {row}: {what} {array[row]} is not below {limit}")
    return np.ascontiguousarray(array, np.uint32)


def _stored_tables(stored: StoredGraph) -> dict[str, TypeTable]:
    groups = _native_groups(stored) if stored.native is not None else _scanned_groups(stored)
    tables = {}
    for value, (rows, nodes) in groups.items():
        name = stored.names.name_of(value)
        if name is None:
            raise FormatError(
                stored.path / "interner.bin.zst", "names", None,
                f"a name with hash {value:#018x}, a node type", "none",
            )  # fmt: skip
        tables[name] = TypeTable(name, stored, rows, nodes, checked=stored.native is None)
    return tables


Groups = dict[int, tuple[list[int], list[U32]]]
"""Number of rows and live nodes in each segment, by type hash."""


def _native_groups(stored: StoredGraph) -> Groups:
    nodes = [segment.type_nodes() for segment in stored.segments]
    rows = [segment.row_counts for segment in stored.segments]
    known = sorted({value for part in nodes for value in part} | {v for part in rows for v in part})
    return {
        value: (
            [part.get(value, 0) for part in rows],
            [part.get(value, NO_IDS) for part in nodes],
        )
        for value in known
    }


def _scanned_groups(stored: StoredGraph) -> Groups:
    slots = Records(NODE_SLOT, [segment.slots for segment in stored.segments]).whole()
    words = read_only(slots.view("<u8").reshape(-1, 2))
    hashes = candidate_hashes(stored)
    counts = np.zeros(hashes.size, np.int64)
    node = kernels.codes.count_slots(words, hashes, 0, words.shape[0], counts)
    if node >= 0:
        value = int(words[node, 0])
        path = stored.segments[0].folder / "node_slots.bin"
        raise FormatError(path, "node_type", 16 * node, "the hash of a known name", hex(value))
    stored.compare("node_count", int(counts.sum()), "live slots")
    offsets = np.concatenate([[0], np.cumsum(counts)])
    nodes = np.empty(offsets[-1], np.uint32)
    kernels.codes.group_slots(words, hashes, offsets[:-1].copy(), nodes)
    nodes.flags.writeable = False
    groups: Groups = {}
    for code in np.flatnonzero(counts):
        held = nodes[offsets[code] : offsets[code + 1]]
        groups[int(hashes[code])] = [int(slots["row_id"][held].max()) + 1], [held]
    return groups


def candidate_hashes(stored: StoredGraph) -> U64:
    """Hashes of all names of a directory, ascending, read-only: any may be a type."""
    hashes = np.array(sorted(stored.names.by_hash()), np.uint64)
    hashes.flags.writeable = False
    return hashes
