"""The nodes of a graph: slots, and per node type the ids, titles and properties.

A node id is a position in ``slots``. A slot names the node type and the row of the node in
that type's columns; rows of a type are given in order and never re-used.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate

import numpy as np

from nkgraph import ids, kernels
from nkgraph.dtypes import I64, MAX_IDS, NO_NODE, NODE_SLOT, TEXT, U32, U64, Bool
from nkgraph.errors import FormatError, GraphError, LimitError, NotFoundError
from nkgraph.search import find_sorted
from nkgraph.storage import checks, columns
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.growing import GrowingColumn, Part
from nkgraph.storage.kglite.id_lookup import SortedIds
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.node_columns import Store
from nkgraph.storage.kglite.property_ranges import Pair, Summary
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.mapped import MappedArray
from nkgraph.storage.records import Records
from nkgraph.storage.text import TextArray

NO_IDS = np.zeros(0, np.uint32)


class IdSet:
    """Ids that come in batches, each once."""

    def __init__(self) -> None:
        self._batches: list[U32] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: U32) -> None:
        """Take further ids."""
        self._batches.append(np.sort(ids))
        self._count += ids.size

    def sorted(self) -> U32:
        """Return all ids, ascending."""
        if len(self._batches) != 1:
            joined = np.concatenate(self._batches) if self._batches else NO_IDS
            self._batches = [np.sort(joined)]
        return self._batches[0]

    def holds(self, ids: U32) -> Bool:
        """Say which ids are in the set."""
        if not self._count:
            return np.zeros(ids.size, bool)
        return np.asarray(find_sorted(self.sorted(), ids) >= 0)


class TypeTable:
    """One node type: its columns by row, and its ids.

    Parameters
    ----------
    name : str
    stored : Stored, optional
        The directory that holds the first rows.
    segment_rows : sequence of int
        How many rows the store of each segment has.
    segment_nodes : sequence of (k,) uint32
        Live stored nodes of each segment, ascending.
    checked : bool
        Whether the nodes are known to be ascending and in range; else checked when first used.
    """

    def __init__(
        self,
        name: str,
        stored: Stored | None = None,
        segment_rows: Sequence[int] = (),
        segment_nodes: Sequence[U32] = (),
        checked: bool = True,
    ) -> None:
        self.name = name
        self.hash = fnv1a(name)
        self.segment_rows = list(segment_rows)
        self.first_rows = [0, *accumulate(segment_rows)]
        self.base_rows = self.first_rows[-1]
        self.row_count = self.base_rows
        self._stored = stored
        self.ids = GrowingColumn(self.base_rows, partial(self._parts, "ids"))
        self.titles = GrowingColumn(self.base_rows, partial(self._parts, "titles"))
        self._segment_nodes = list(segment_nodes)
        self._checked = checked
        self._removed = IdSet()
        self._added_nodes = MappedArray(np.dtype(np.uint32))
        self._added_ids = ids.AddedIds()
        self._dead_rows = IdSet()
        self._nodes: U32 | None = None
        self._lookups: list[tuple[SortedIds, dict[object, int]] | None]
        self._lookups = [None] * len(self._segment_nodes)
        self._properties: dict[str, GrowingColumn] | None = None if self.base_rows else {}

    # -- columns ------------------------------------------------------------------------------

    @cached_property
    def _stores(self) -> list[Store | None]:
        """The stored columns of each segment; None where there are none."""
        found: list[Store | None] = []
        for number, rows in enumerate(self.segment_rows):
            stored = self._stored
            store = stored.store(self.name, number) if stored is not None and rows else None
            if stored is not None and store is not None and store.row_count < rows:
                field = f"rows of {self.name} in segment {number}"
                raise FormatError(stored.path, field, None, f">= {rows}", store.row_count)
            found.append(store)
        return found

    def _parts(self, part: str, name: str | None = None) -> list[Part]:
        found = []
        for rows, store in zip(self.segment_rows, self._stores, strict=True):
            known = store is not None and (name is None or name in store.names)
            load = partial(self._load, store, rows, part, name) if store and known else None
            found.append(Part(rows, load))
        return found

    def _load(self, store: Store, rows: int, part: str, name: str | None) -> AnyColumn:
        column = store.column(name) if name is not None else getattr(store, part)()
        if len(column) > rows:  # trailing rows belong to removed nodes
            column = column.take(np.arange(rows))
        return column

    @property
    def properties(self) -> dict[str, GrowingColumn]:
        """Columns by property name."""
        if self._properties is None:
            self._properties = {
                name: GrowingColumn(self.base_rows, partial(self._parts, "column", name))
                for name in self.stored_names()
            }
        return self._properties

    def stored_names(self) -> list[str]:
        """Names of the properties that the stored rows have."""
        return sorted({name for store in self._stores if store for name in store.names})

    def ranges(self, number: int) -> Mapping[Pair, Summary | None]:
        """What is known of the property values that a stored segment holds."""
        if self._stored is None or number >= len(self.segment_rows):
            return {}
        return self._stored.ranges(number)

    def changed_segments(self) -> set[int]:
        """Segments whose stored rows had a value updated."""
        held = (self._properties or {}).values()
        return {number for column in held for number in column.changed_parts}

    # -- nodes --------------------------------------------------------------------------------

    @cached_property
    def base_nodes(self) -> U32:
        """Live stored nodes as they were when the directory was opened, ascending, in range."""
        parts = self._segment_nodes
        nodes = parts[0] if len(parts) == 1 else np.concatenate([NO_IDS, *parts])
        if not self._checked:
            assert self._stored is not None
            limit = self._stored.slot_count
            at = checks.first_not_below(nodes, limit)
            if at < 0:
                at = checks.first_not_ascending(nodes)
            if at >= 0:
                path = self._stored.segments[0].index_folder / "type_indices.bin"
                expected = f"ascending nodes below {limit}"
                raise FormatError(path, f"nodes of {self.name}", None, expected, int(nodes[at]))
        return nodes

    @property
    def count(self) -> int:
        """How many live nodes there are."""
        stored = sum(nodes.size for nodes in self._segment_nodes) - len(self._removed)
        return stored + len(self._added_nodes) - len(self._dead_rows)

    @property
    def nodes(self) -> U32:
        """Live nodes, ascending."""
        if self._nodes is None:
            base, added = self.base_nodes, self._added_nodes.array
            if len(self._removed):
                base = base[~self._removed.holds(base)]
            if len(self._dead_rows):
                added = np.delete(added, self._dead_rows.sorted())
            nodes = base if not added.size else np.concatenate([base, added])
            if added.size and not (nodes[1:] > nodes[:-1]).all():  # slots were used again
                nodes.sort()
            self._nodes = nodes
        return self._nodes

    def added_nodes(self, start: int, stop: int) -> U32:
        """Nodes, removed ones too, of added rows: ``base_rows <= start <= stop``."""
        return self._added_nodes.array[start - self.base_rows : stop - self.base_rows]

    def update(self, rows: I64, properties: Mapping[str, AnyColumn]) -> None:
        """Set checked values of rows."""
        for name, values in properties.items():
            self._column_of(name, self.row_count).update(rows, values)

    def _column_of(self, name: str, length: int) -> GrowingColumn:
        """The column of a property; a new one is absent in all of its ``length`` rows."""
        column = self.properties.get(name)
        if column is None:
            column = GrowingColumn(self.base_rows, partial(self._parts, "column", name))
            column.pad(length)
            self.properties[name] = column
        return column

    def column(self, name: str, aliases: Mapping[str, str]) -> GrowingColumn:
        """Return a property column; ``id``, ``title`` and their aliases where no property has
        the name.
        """
        if name in self.properties:
            return self.properties[name]
        alias = aliases.get(name, name)
        if alias == "id":
            return self.ids
        if alias == "title":
            return self.titles
        raise NotFoundError(
            f"node type {self.name!r} has no property {name!r}; it has {sorted(self.properties)}"
        )

    def source(self, name: str, aliases: Mapping[str, str]) -> str | None:
        """Say what ``column`` gives for a name: "property", "id", "title"; None: nothing.

        Reads no column of a native directory, whose names stand in its metadata too.
        """
        stored, names = self._stored, self._properties
        native = stored is not None and stored.native is not None
        if names is None and stored is not None and native and not name.startswith("__"):
            known = name in stored.node_types.get(self.name, ())
        else:
            known = name in self.properties
        alias = aliases.get(name, name)
        return "property" if known else alias if alias in ("id", "title") else None

    # -- ids ----------------------------------------------------------------------------------

    def find(self, queries: ids.Keys, slots: Records) -> U32:
        """Return the node of each id, NO_NODE where there is none."""
        found = np.full(queries.count, NO_NODE, np.uint32)
        for number, nodes in enumerate(self._segment_nodes):
            if nodes.size:
                lookup = self._lookup(number, slots)
                part = ids.find_in_sorted(*lookup, queries, partial(self._texts, slots))
                if len(self._removed):
                    part[self._removed.holds(part)] = NO_NODE
                self._check_found(part, slots)
                np.minimum(found, part, out=found)  # NO_NODE is the largest
        rows = self._added_ids.find(queries) - self.base_rows
        hit = np.flatnonzero(rows >= 0)
        if hit.size and len(self._dead_rows):
            hit = hit[~self._dead_rows.holds(rows[hit].astype(np.uint32))]
        found[hit] = self._added_nodes.array[rows[hit]]
        return found

    def _lookup(self, number: int, slots: Records) -> tuple[SortedIds, dict[object, int]]:
        made = self._lookups[number]
        if made is None:
            stored = self._stored
            native = stored is not None and stored.native is not None
            lookup = stored.segments[number].lookup(self.name) if stored and native else None
            if lookup is not None:
                made = lookup, {}
            else:
                nodes = self._segment_nodes[number]
                if not self._checked:
                    self.base_nodes  # noqa: B018 - checks them
                if len(self._removed):
                    nodes = nodes[~self._removed.holds(nodes)]
                keys = ids.split_keys(self.ids.take(self.rows_of(slots, nodes)))
                made = ids.build_sorted(keys, nodes)
            self._lookups[number] = made
        return made

    def _check_found(self, found: U32, slots: Records) -> None:
        """A look-up file must name live nodes of this type."""
        nodes = found[found != NO_NODE]
        wrong = nodes >= slots.size
        if not wrong.any():
            other = slots.field("node_type", nodes) != self.hash
            wrong = other | (slots.field("flags", nodes) & 1 == 0)
        if wrong.any() and self._stored is not None:
            node = int(nodes[np.argmax(wrong)])
            expected = f"a live node of {self.name}"
            raise FormatError(self._stored.path, f"ids of {self.name}", None, expected, node)

    def _texts(self, slots: Records, nodes: U32) -> TextArray:
        if nodes.size and int(nodes.max()) >= slots.size:
            raise FormatError(
                self._stored.path if self._stored else self.name,
                f"ids of {self.name}", None, f"nodes < {slots.size}", int(nodes.max()),
            )  # fmt: skip
        rows = np.zeros(nodes.size, np.int64)  # a removed node's slot may hold another type's row
        kept = ~self._removed.holds(nodes)
        rows[kept] = self.rows_of(slots, nodes[kept])
        return ids.texts_of(self.ids.take(rows), np.arange(rows.size))

    def rows_of(self, slots: Records, nodes: U32) -> I64:
        """Return the rows of nodes of this type, each known to be in range."""
        rows = slots.field("row_id", nodes).astype(np.int64)
        if rows.size and int(rows.max()) >= self.row_count:
            path = self._stored.path if self._stored else "memory"
            field = f"row_id of a {self.name}"
            raise FormatError(path, field, None, f"< {self.row_count}", int(rows.max()))
        return rows

    def check_new(self, keys: ids.Keys, slots: Records) -> None:
        """Refuse ids that the type has already, or that come twice."""
        row = ids.first_repeat(keys)
        if self.count:
            known = self.find(keys, slots) != NO_NODE
            if known.any():
                first = int(np.argmax(known))
                row = first if row < 0 else min(row, first)
        if row >= 0:
            raise GraphError(f"ids: row {row}: {self.name} has this id already, or it comes twice")

    # -- changing -----------------------------------------------------------------------------

    def add(
        self,
        nodes: U32,
        column: AnyColumn,
        keys: ids.Keys,
        titles: AnyColumn | None,
        properties: Mapping[str, AnyColumn],
    ) -> None:
        """Append checked rows; ``keys`` are the split ids."""
        first, count = self.row_count, nodes.size
        for name, values in properties.items():
            self._column_of(name, first).extend(values)
        self._added_ids.add(keys, first)
        self.row_count += count
        self.ids.extend(column)
        self.titles.extend(columns.absent(count) if titles is None else titles)
        for target in self.properties.values():
            target.pad(self.row_count)
        self._added_nodes.extend(nodes)
        self._nodes = None

    def remove(self, nodes: U32, rows: I64) -> None:
        """Take live nodes and their rows out; the rows stay in the columns."""
        added = rows >= self.base_rows
        if added.any():
            self._dead_rows.add((rows[added] - self.base_rows).astype(np.uint32))
        if not added.all():
            self._removed.add(nodes[~added])
        self._nodes = None


class NodeTable:
    """All nodes of a graph.

    Holds 16 bytes a node that was added. Slots of an opened graph stay on their maps until one
    of them is removed or used again: then those of its segment are copied to memory.
    """

    def __init__(self, stored: Stored | None = None) -> None:
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
        if self._stored is not None and self._stored.native is not None:
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


def _native_groups(stored: Stored) -> Groups:
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


def _scanned_groups(stored: Stored) -> Groups:
    slots = Records(NODE_SLOT, [segment.slots for segment in stored.segments]).whole()
    words = slots.view("<u8").reshape(-1, 2)
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


def candidate_hashes(stored: Stored) -> U64:
    """Hashes of all names of a directory, ascending, read-only: any may be a type."""
    hashes = np.array(sorted(stored.names.by_hash()), np.uint64)
    hashes.flags.writeable = False
    return hashes
