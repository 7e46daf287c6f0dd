"""One node type of a graph: its columns by row, its nodes, and its ids."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate

import numpy as np

from nkgraph import ids
from nkgraph.dtypes import I64, NO_NODE, U32, Bool
from nkgraph.errors import FormatError, GraphError, NotFoundError
from nkgraph.search import find_sorted
from nkgraph.storage import checks, columns
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.growing import GrowingColumn, Part
from nkgraph.storage.kglite.id_lookup import SortedIds
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.storage.kglite.node_columns import Store
from nkgraph.storage.kglite.property_ranges import Pair, Summary
from nkgraph.storage.mapped import MappedArray
from nkgraph.storage.records import Records
from nkgraph.storage.stored import PickingStore, StoredGraph
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
    stored : StoredGraph, optional
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
        stored: StoredGraph | None = None,
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
            pick = None
            if known and isinstance(store, PickingStore):
                pick = partial(store.pick, part, name)
            found.append(Part(rows, load, pick))
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
