"""The nodes of a graph: slots, and per node type the ids, titles and properties.

A node id is a position in ``slots``. A slot names the node type and the row of the node in
that type's columns; rows of a type are given in order and never re-used.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, partial

import numpy as np

from nkgraph import ids, kernels
from nkgraph.dtypes import I64, MAX_IDS, NO_NODE, NODE_SLOT, TEXT, U32, U64
from nkgraph.errors import FormatError, GraphError, LimitError, NotFoundError
from nkgraph.storage import checks, columns
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.growing import GrowingColumn
from nkgraph.storage.kglite import type_index_file
from nkgraph.storage.kglite.id_lookup import SortedIds
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.node_columns import Store
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.mapped import MappedArray
from nkgraph.storage.text import TextArray

NO_IDS = np.zeros(0, np.uint32)


class TypeTable:
    """One node type: its columns by row, and its ids.

    Parameters
    ----------
    name : str
    stored : Stored, optional
        The directory that holds the first ``base_rows`` rows.
    base_rows : int
    base_nodes : callable
        Gives the live stored nodes, ascending.
    """

    def __init__(self, name: str, stored: Stored | None = None, base_rows: int = 0) -> None:
        self.name = name
        self.hash = fnv1a(name)
        self.base_rows = base_rows
        self.row_count = base_rows
        self._stored = stored
        self.ids = GrowingColumn(base_rows, self._loader("ids"))
        self.titles = GrowingColumn(base_rows, self._loader("titles"))
        self._base_nodes = NO_IDS
        self._base_checked = True
        self.added_nodes = MappedArray(np.dtype(np.uint32))
        self._added_ids = ids.AddedIds()
        self._sorted: tuple[SortedIds, dict[object, int]] | None = None
        self._properties: dict[str, GrowingColumn] | None = None if base_rows else {}

    def _loader(self, part: str) -> partial[AnyColumn]:
        return partial(self._load, part)

    def _load(self, part: str, name: str | None = None) -> AnyColumn:
        store = self.store
        if store is None:
            return columns.absent(self.base_rows)
        column = store.column(name) if name is not None else getattr(store, part)()
        if len(column) > self.base_rows:  # trailing rows belong to removed nodes
            column = column.take(np.arange(self.base_rows))
        return column

    @cached_property
    def store(self) -> Store | None:
        """The stored columns; None where there are none."""
        store = None if self._stored is None else self._stored.store(self.name)
        if store is not None and store.row_count < self.base_rows:
            expected = f">= {self.base_rows}"
            path = self._stored.path if self._stored else self.name
            raise FormatError(path, f"rows of {self.name}", None, expected, store.row_count)
        return store

    @property
    def properties(self) -> dict[str, GrowingColumn]:
        """Columns by property name."""
        if self._properties is None:
            store = self.store
            known = [] if store is None else store.names
            self._properties = {
                name: GrowingColumn(self.base_rows, partial(self._load, "column", name))
                for name in known
            }
        return self._properties

    def set_base_nodes(self, nodes: U32, checked: bool) -> None:
        """Give the stored live nodes; unchecked ones are checked when first read."""
        self._base_nodes = nodes
        self._base_checked = checked

    @property
    def base_nodes(self) -> U32:
        """Stored live nodes, ascending, in range."""
        if not self._base_checked:
            assert self._stored is not None
            at = checks.first_not_below(self._base_nodes, self._stored.slots.size)
            if at < 0:
                at = checks.first_not_ascending(self._base_nodes)
            if at >= 0:
                path = self._stored.path / "type_indices.bin"
                expected = f"ascending nodes below {self._stored.slots.size}"
                found = int(self._base_nodes[at])
                raise FormatError(path, f"nodes of {self.name}", None, expected, found)
            self._base_checked = True
        return self._base_nodes

    @property
    def count(self) -> int:
        """How many live nodes there are."""
        return int(self._base_nodes.size) + len(self.added_nodes)

    @property
    def nodes(self) -> U32:
        """Live nodes, ascending."""
        added = self.added_nodes.array
        if not added.size:
            return self.base_nodes
        return np.concatenate([self.base_nodes, added]) if self.base_nodes.size else added

    @property
    def changed(self) -> bool:
        """Whether a row was added or a value changed since the directory was opened."""
        properties = self._properties or {}
        return self.row_count > self.base_rows or any(c.changed for c in properties.values())

    def update(self, rows: I64, properties: Mapping[str, AnyColumn]) -> None:
        """Set checked values of rows."""
        for name, values in properties.items():
            target = self.properties.setdefault(name, GrowingColumn(self.row_count))
            target.update(rows, values)

    def column(self, name: str, aliases: Mapping[str, str]) -> AnyColumn:
        """Return a property column; ``id``, ``title`` and their aliases where no property has
        the name.
        """
        if name in self.properties:
            return self.properties[name].read()
        alias = aliases.get(name, name)
        if alias == "id":
            return self.ids.read()
        if alias == "title":
            return self.titles.read()
        raise NotFoundError(
            f"node type {self.name!r} has no property {name!r}; it has {sorted(self.properties)}"
        )

    def find(self, queries: ids.Keys, slots: np.ndarray) -> U32:
        """Return the node of each id, NO_NODE where there is none."""
        found = np.full(queries.count, NO_NODE, np.uint32)
        if self.base_nodes.size:
            base, others = self._lookup(slots)
            found = ids.find_in_sorted(base, others, queries, partial(self._texts, slots))
            self._check_found(found, slots)
        if len(self.added_nodes):
            rows = self._added_ids.find(queries)
            hit = rows >= 0
            found[hit] = self.added_nodes.array[rows[hit] - self.base_rows]
        return found

    def _lookup(self, slots: np.ndarray) -> tuple[SortedIds, dict[object, int]]:
        if self._sorted is None:
            lookup = None if self._stored is None else self._stored.lookup(self.name)
            if lookup is not None:
                self._sorted = lookup, {}
            else:
                rows = self.rows_of(slots, self.base_nodes)
                keys = ids.split_keys(self.ids.read().take(rows))
                self._sorted = ids.build_sorted(keys, self.base_nodes)
        return self._sorted

    def _check_found(self, found: U32, slots: np.ndarray) -> None:
        """A look-up file must name live nodes of this type."""
        nodes = found[found != NO_NODE]
        wrong = nodes >= slots.size
        if not wrong.any():
            wrong = (slots["node_type"][nodes] != self.hash) | (slots["flags"][nodes] & 1 == 0)
        if wrong.any() and self._stored is not None:
            node = int(nodes[np.argmax(wrong)])
            expected = f"a live node of {self.name}"
            raise FormatError(self._stored.path, f"ids of {self.name}", None, expected, node)

    def _texts(self, slots: np.ndarray, nodes: U32) -> TextArray:
        if nodes.size and int(nodes.max()) >= slots.size:
            raise FormatError(
                self._stored.path if self._stored else self.name,
                f"ids of {self.name}", None, f"nodes < {slots.size}", int(nodes.max()),
            )  # fmt: skip
        return ids.texts_of(self.ids.read(), self.rows_of(slots, nodes))

    def rows_of(self, slots: np.ndarray, nodes: U32) -> I64:
        """Return the rows of nodes of this type, each known to be in range."""
        rows = slots["row_id"][nodes].astype(np.int64)
        if rows.size and int(rows.max()) >= self.row_count:
            path = self._stored.path if self._stored else "memory"
            field = f"row_id of a {self.name}"
            raise FormatError(path, field, None, f"< {self.row_count}", int(rows.max()))
        return rows

    def check_new(self, keys: ids.Keys, slots: np.ndarray) -> None:
        """Refuse ids that the type has already, or that come twice."""
        row = self._added_ids.duplicate(keys)
        if self.base_nodes.size:
            known = self.find(keys, slots) != NO_NODE
            if known.any():
                first = int(np.argmax(known))
                row = first if row < 0 else min(row, first)
        if row >= 0:
            raise GraphError(f"ids: row {row}: {self.name} has this id already, or it comes twice")

    def add(
        self,
        nodes: U32,
        column: AnyColumn,
        keys: ids.Keys | None,
        titles: AnyColumn | None,
        properties: Mapping[str, AnyColumn],
    ) -> None:
        """Append checked rows; ``keys`` are the split ids."""
        first, count = self.row_count, nodes.size
        for name, values in properties.items():
            target = self.properties.setdefault(name, GrowingColumn(first))
            target.extend(values)
        if keys is not None:
            self._added_ids.add(keys, first)
        self.row_count += count
        self.ids.extend(column)
        self.titles.extend(columns.absent(count) if titles is None else titles)
        for target in self.properties.values():
            target.pad(self.row_count)
        self.added_nodes.extend(nodes)


class NodeTable:
    """All nodes of a graph.

    Holds 16 bytes a node for an in-memory graph, and nothing of its own for an opened one until
    a node is added: then the slots are copied to memory.
    """

    def __init__(self, stored: Stored | None = None) -> None:
        self._stored = stored
        self._grown: MappedArray | None = None if stored else MappedArray(NODE_SLOT)
        self._tables: dict[str, TypeTable] | None = None if stored else {}
        self._added = 0

    @property
    def slots(self) -> np.ndarray:
        """Node slots, (n,) NODE_SLOT."""
        if self._grown is not None:
            return self._grown.array
        assert self._stored is not None
        return self._stored.slots

    @property
    def slot_count(self) -> int:
        """How many node ids were ever given."""
        return int(self.slots.size)

    @property
    def live_count(self) -> int:
        """How many nodes are alive."""
        if self._stored is None:
            return self.slot_count
        if self._stored.native is not None:
            return self._stored.meta.node_count + self._added
        return sum(table.count for table in self.tables.values())

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
        if found is None:
            raise NotFoundError(f"no node type {node_type!r}; there are {list(self.tables)}")
        return found

    def check(self, nodes: object, name: str = "nodes") -> U32:
        """Return node ids as uint32, each in range and alive."""
        array = as_ids(nodes, self.slot_count, name, "node")
        if self._stored is not None and self._stored.meta.node_count < self._stored.slots.size:
            dead = self.slots["flags"][array] & 1 == 0
            if dead.any():
                row = int(np.argmax(dead))
                raise GraphError(f"{name}: row {row}: node {array[row]} was removed")
        return array

    def by_type(self, nodes: U32) -> Iterator[tuple[TypeTable, I64, I64]]:
        """Yield (type, positions in ``nodes``, rows of the type) for each type that occurs."""
        slots = self.slots
        hashes = slots["node_type"][nodes]
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
        if first + count > MAX_IDS:
            raise LimitError(f"{first} + {count} nodes: node ids end at {MAX_IDS - 1}")
        table = self.tables.get(node_type) or TypeTable(node_type)
        table.properties  # noqa: B018 - what cannot be read must fail before a change
        if not known_new:
            table.check_new(keys, self.slots)
        nodes = np.arange(first, first + count, dtype=np.uint32)
        slots = np.empty(count, NODE_SLOT)
        slots["node_type"] = table.hash
        slots["row_id"] = np.arange(table.row_count, table.row_count + count)
        slots["flags"] = 1
        if self._grown is None:
            grown = MappedArray(NODE_SLOT, first + count)
            grown.extend(self.slots)
            self._grown = grown
        self._grown.extend(slots)
        table.add(nodes, column, keys, titles, properties)
        self._added += count
        if node_type not in self.tables:
            self._tables = dict(sorted([*self.tables.items(), (node_type, table)]))
        return nodes

    def ids(self, nodes: U32) -> np.ndarray:
        """Return the external id of each node."""
        return self._gather(nodes, "ids")

    def titles(self, nodes: U32) -> np.ndarray:
        """Return the title of each node."""
        return self._gather(nodes, "titles")

    def _gather(self, nodes: U32, part: str) -> np.ndarray:
        pieces, places = [], []
        for table, at, rows in self.by_type(nodes):
            pieces.append(getattr(table, part).read().take(rows))
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
    array = np.atleast_1d(np.asarray(values))
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


def _stored_tables(stored: Stored) -> dict[str, TypeTable]:
    groups, rows = _native_groups(stored) if stored.native else _scanned_groups(stored)
    tables = {}
    for value, nodes in groups.items():
        name = stored.names.name_of(value)
        if name is None:
            raise FormatError(
                stored.path / "interner.bin.zst", "names", None,
                f"a name with hash {value:#018x}, a node type", "none",
            )  # fmt: skip
        table = TypeTable(name, stored, rows[value])
        table.set_base_nodes(nodes, checked=stored.native is None)
        tables[name] = table
    return tables


Groups = tuple[dict[int, U32], dict[int, int]]
"""Live nodes and number of rows by type hash."""


def _native_groups(stored: Stored) -> Groups:
    groups = type_index_file.read(stored.path / "type_indices.bin")
    counts = stored.manifest[0].node_type_counts if stored.manifest else {}
    rows = {value: int(counts.get(str(value), nodes.size)) for value, nodes in groups.items()}
    return groups, rows


def _scanned_groups(stored: Stored) -> Groups:
    words = stored.slots.view("<u8").reshape(-1, 2)
    hashes = candidate_hashes(stored)
    counts = np.zeros(hashes.size, np.int64)
    node = kernels.codes.count_slots(words, hashes, 0, words.shape[0], counts)
    if node >= 0:
        value = int(words[node, 0])
        path = stored.segments[0] / "node_slots.bin"
        raise FormatError(path, "node_type", 16 * node, "the hash of a known name", hex(value))
    stored.compare("node_count", int(counts.sum()), "live slots")
    offsets = np.concatenate([[0], np.cumsum(counts)])
    nodes = np.empty(offsets[-1], np.uint32)
    kernels.codes.group_slots(words, hashes, offsets[:-1].copy(), nodes)
    nodes.flags.writeable = False
    groups, rows = {}, {}
    for code in np.flatnonzero(counts):
        value = int(hashes[code])
        groups[value] = nodes[offsets[code] : offsets[code + 1]]
        rows[value] = int(stored.slots["row_id"][groups[value]].max()) + 1
    return groups, rows


def candidate_hashes(stored: Stored) -> U64:
    """Hashes of all names of a directory, ascending, read-only: any may be a type."""
    hashes = np.array(sorted(stored.names.by_hash()), np.uint64)
    hashes.flags.writeable = False
    return hashes
