"""The texts of a column of one node type, or of all that have it, and whose nodes they are."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nkgraph.dtypes import I64, U32, Bool
from nkgraph.nodes import NO_IDS, NodeTable, TypeTable
from nkgraph.search import find_sorted
from nkgraph.storage import columns
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.kglite.text_index_files import Pair
from nkgraph.storage.sorted_texts import SortedTexts
from nkgraph.storage.text import TextArray

Ranges = Mapping[str, tuple[int, int]]
"""First row, and the one behind the last, by node type."""


class Source(NamedTuple):
    """Where a type has the values of a column: in a "property", its "id" or its "title"."""

    table: TypeTable
    kind: str


class TouchedRows:
    """Rows of one column whose values were replaced, and their nodes."""

    def __init__(self) -> None:
        self._batches: list[tuple[U32, U32]] = []
        self._pending = 0
        self._merged: tuple[U32, U32] = NO_IDS, NO_IDS
        self.version = 0
        """Counts what was added."""

    def add(self, rows: I64, nodes: U32) -> None:
        """Take further rows; memory stays in proportion to how many there are, each once."""
        self.version += 1
        self._batches.append((rows.astype(np.uint32), nodes))
        self._pending += rows.size
        if self._pending > 1024 + self._merged[0].size:
            self.sorted()

    def sorted(self) -> tuple[U32, U32]:
        """Return rows, ascending, each once, and the node of each."""
        if self._batches:
            batches = [self._merged, *self._batches]
            rows = np.concatenate([batch[0] for batch in batches])
            nodes = np.concatenate([batch[1] for batch in batches])
            order = np.argsort(rows, kind="stable")
            rows, nodes = rows[order], nodes[order]
            first = np.ones(rows.size, bool)
            first[1:] = rows[1:] != rows[:-1]
            self._merged = rows[first], nodes[first]
            self._batches, self._pending = [], 0
        return self._merged

    def hold(self, rows: U32) -> Bool:
        """Say which rows are among them."""
        return np.asarray(find_sorted(self.sorted()[0], rows) >= 0)

    def within(self, start: int, stop: int) -> bool:
        """Whether one of them is in a range."""
        low, high = np.searchsorted(self.sorted()[0], np.array([start, stop], np.uint64))
        return bool(low < high)


class TextColumns:
    """The text columns of a graph by name: their sources, ranges of rows, and entries.

    Parameters
    ----------
    nodes : NodeTable
    stored : Stored, optional
        The directory that the graph was opened from.
    """

    def __init__(self, nodes: NodeTable, stored: Stored | None) -> None:
        self.nodes = nodes
        self._stored = stored
        self._aliases: dict[str, dict[str, str]] = {}

    @property
    def part_count(self) -> int:
        """In how many parts the stored rows of a type come: one a segment of a native graph."""
        if self._stored is None:
            return 0
        return len(self._stored.segments) if self._stored.native is not None else 1

    def aliases(self, node_type: str) -> dict[str, str]:
        """What else the id and the title of a type are called."""
        if self._stored is None:
            return {}
        if node_type not in self._aliases:
            self._aliases[node_type] = self._stored.aliases(node_type)
        return self._aliases[node_type]

    def sources(self, pair: Pair) -> dict[str, Source]:
        """Return where the column lies, by node type; types that lack it are not among them."""
        node_type, name = pair
        tables = self.nodes.tables
        wanted = list(tables) if node_type is None else [node_type]
        found = {}
        for own in wanted:
            table = tables.get(own)
            kind = None if table is None else table.source(name, self.aliases(own))
            if table is not None and kind is not None:
                found[own] = Source(table, kind)
        return found

    def part_ranges(self, sources: Mapping[str, Source], number: int) -> Ranges:
        """Return the rows of a stored part, or those added behind the last one."""
        found = {}
        for name, source in sources.items():
            table = source.table
            if number >= self.part_count:
                found[name] = table.base_rows, table.row_count
            elif number < len(table.segment_rows):
                found[name] = table.first_rows[number], table.first_rows[number + 1]
            else:
                found[name] = 0, 0
        return found

    def valid(self, nodes: U32, ranges: Ranges, touched: Mapping[str, TouchedRows]) -> Bool:
        """Say which nodes are alive, of one of the types, in its range, and not touched."""
        slots = self.nodes.slots
        alive = slots.field("flags", nodes) & 1 != 0
        hashes, rows = slots.field("node_type", nodes), slots.field("row_id", nodes)
        kept = np.zeros(nodes.size, bool)
        if not nodes.size:
            return kept
        ordered = np.sort(hashes)
        there = {int(ordered[0]), *ordered[1:][ordered[1:] != ordered[:-1]].tolist()}
        for name, (start, stop) in ranges.items():
            value = self.nodes.tables[name].hash
            if value in there:
                own = alive & (hashes == np.uint64(value)) & (rows >= start) & (rows < stop)
                if name in touched:
                    own &= ~touched[name].hold(rows)
                kept |= own
        return kept

    def entries(self, name: str, sources: Mapping[str, Source], ranges: Ranges) -> SortedTexts:
        """Sort the texts that live nodes have in ranges of rows; O(bytes) time.

        Added rows alone cost what they are; stored ones a pass over the nodes of their types.
        """
        texts, nodes = [TextArray.empty()], [NO_IDS]
        for node_type, source in sources.items():
            start, stop = ranges[node_type]
            if start < stop:
                held, rows = self._live(source.table, start, stop)
                column = source.table.column(name, self.aliases(node_type))
                whole = rows.size == len(column) and bool((np.diff(rows) == 1).all())
                found, at = columns.texts(column.read() if whole else column.take(rows))
                texts.append(found)
                nodes.append(held[at])
        if len(texts) == 2:
            return SortedTexts.build(texts[1], nodes[1])
        return SortedTexts.build(TextArray.concatenate(texts), np.concatenate(nodes))

    def _live(self, table: TypeTable, start: int, stop: int) -> tuple[U32, I64]:
        """Live nodes whose rows are in a range, and the rows."""
        if start < table.base_rows:
            nodes = table.nodes
            rows = table.rows_of(self.nodes.slots, nodes)
            chosen = (rows >= start) & (rows < stop)
            return (nodes, rows) if chosen.all() else (nodes[chosen], rows[chosen])
        nodes, rows = table.added_nodes(start, stop), np.arange(start, stop)
        own = self._is_row(table, nodes, rows)
        return nodes[own], rows[own]

    def _is_row(self, table: TypeTable, nodes: U32, rows: I64) -> Bool:
        """Say which nodes are alive in these very rows: a slot may be used again by another."""
        slots = self.nodes.slots
        own = slots.field("node_type", nodes) == np.uint64(table.hash)
        own &= slots.field("row_id", nodes) == rows
        return np.asarray(own & (slots.field("flags", nodes) & 1 != 0))

    def touched_entries(self, name: str, source: Source, touched: TouchedRows) -> SortedTexts:
        """Sort the texts that touched rows have now."""
        rows, nodes = touched.sorted()
        own = self._is_row(source.table, nodes, rows.astype(np.int64))
        rows, nodes = rows[own], nodes[own]
        column = source.table.column(name, self.aliases(source.table.name))
        found, at = columns.texts(column.take(rows.astype(np.int64)))
        return SortedTexts.build(found, nodes[at])

    def empty_texts(self, name: str, sources: Mapping[str, Source]) -> U32:
        """Return the live nodes whose text is empty; reads the columns."""
        found = [NO_IDS]
        for node_type, source in sources.items():
            nodes = source.table.nodes
            rows = source.table.rows_of(self.nodes.slots, nodes)
            column = source.table.column(name, self.aliases(node_type))
            texts, at = columns.texts(column.take(rows))
            found.append(nodes[at[np.diff(texts.offsets) == 0]])
        return np.concatenate(found)
