"""Text indexes of a graph: which there are, what they answer, and what a save writes of them.

An index is of a column of one node type, or of all types that have it. Its entries lie in pieces:

    stored pieces   one a stored segment: its files, or built in memory where it has none, or none
                    that is believed (see ``storage.kglite.text_index_files``)
    added pieces    of the rows that were added since, by node type; few, each of a range of rows
    touched rows    those whose values were replaced since, by node type: they are passed over
                    in other pieces, and their values of now are a piece of their own

A piece is never changed. What it finds is compared with the slots: a node that was removed, or
whose slot means another node by now, is in the rows of no piece that names it. So an unchanged
segment keeps its files whatever is removed, and an answer is that of a look at every row.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nkgraph.dtypes import I64, U32
from nkgraph.errors import GraphError, NotFoundError
from nkgraph.nodes import NO_IDS, NodeTable
from nkgraph.storage.kglite import text_index_files
from nkgraph.storage.kglite.contents import LinkedSegment, SegmentContents
from nkgraph.storage.kglite.names import check_name, fnv1a
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.kglite.text_index_files import IndexContents, Listed, Pair, PartContents
from nkgraph.storage.sorted_texts import SortedTexts
from nkgraph.storage.text import TextArray
from nkgraph.text_columns import Ranges, Source, TextColumns, TouchedRows

Hits = tuple[I64, U32]
"""Which query each hit is of, and its node."""
NO_TOUCHED: Mapping[str, TouchedRows] = {}


@dataclass
class StoredPiece:
    """Entries of a stored segment, and what the column was in each type when they were taken."""

    kinds: Mapping[str, str]
    listed: Listed | None
    entries: SortedTexts | None = None


@dataclass
class Added:
    """Entries of the rows of one type that were added or touched."""

    kind: str
    pieces: list[tuple[int, int, SortedTexts]] = field(default_factory=list)
    touched: tuple[int, SortedTexts] | None = None
    """The touched rows as of a version of theirs."""


@dataclass(frozen=True)
class Piece:
    """Entries, the rows that they are of, and the type if these are its touched rows."""

    entries: SortedTexts
    ranges: Ranges
    touched_type: str | None = None

    def search(
        self,
        columns: TextColumns,
        queries: TextArray,
        is_prefix: bool,
        touched: Mapping[str, TouchedRows],
    ) -> Hits:
        """Find what queries meet among the entries whose nodes still have these rows."""
        of_query, nodes = self.entries.find(queries, is_prefix)
        if self.touched_type is None:
            kept = columns.valid(nodes, self.ranges, touched)
        else:
            rows = columns.nodes.slots.field("row_id", nodes)
            kept = columns.valid(nodes, self.ranges, NO_TOUCHED)
            kept &= touched[self.touched_type].hold(rows)
        return (of_query, nodes) if kept.all() else (of_query[kept], nodes[kept])


class TextIndexes:
    """See the module docstring.

    Parameters
    ----------
    nodes : NodeTable
    stored : Stored, optional
        The directory that the graph was opened from.
    """

    def __init__(self, nodes: NodeTable, stored: Stored | None) -> None:
        self._columns = TextColumns(nodes, stored)
        self._stored = stored
        self._pieces: dict[Pair, dict[int, StoredPiece]] = {}
        self._added: dict[tuple[str, str], Added] = {}
        self._touched: dict[str, dict[str, TouchedRows]] = {}
        """By column, then by node type."""
        self._lock = threading.RLock()  # readers on several threads build a piece once
        self.changed = False
        """Whether a save would write other indexes than there are files of."""
        if stored is not None and stored.native is not None:
            self._take_listed(stored)

    def _take_listed(self, stored: Stored) -> None:
        """Take the indexes of a native directory; parts that are stale are left out."""
        entries = stored.native or {}
        listed = text_index_files.read_list(stored.path, entries, len(stored.segments))
        for pair, parts in listed.items():
            held = self._pieces[pair] = {}
            for part in parts:
                if is_current(stored, part):
                    kinds = {name: kind for name, (kind, _) in part.sources.items()}
                    held[part.segment] = StoredPiece(kinds, part)
                else:
                    self.changed = True

    # -- which there are ----------------------------------------------------------------------

    def pairs(self) -> list[Pair]:
        """Return all indexes, those across types first."""
        return sorted(self._pieces, key=text_index_files.sort_key)

    def has(self, pair: Pair) -> bool:
        """Whether there is an index."""
        return pair in self._pieces

    def create(self, pair: Pair) -> None:
        """Build an index, unless it is there; see ``Graph.create_index``."""
        node_type, column = pair
        check_name(column, "column")
        if node_type is not None:
            table = self._columns.nodes.table(check_name(node_type, "node_type"))
            table.column(column, self._columns.aliases(node_type))  # says which there are
        if pair in self._pieces:
            return
        with self._lock:
            try:
                self._pieces[pair] = self._build(pair)
            finally:
                self._forget()
        self.changed = True

    def _build(self, pair: Pair) -> dict[int, StoredPiece]:
        """Build all pieces of an index; refuse one without an entry."""
        node_type, column = pair
        sources = self._columns.sources(pair)
        live = {name: source for name, source in sources.items() if source.table.count}
        if not live:
            raise NotFoundError(f"no node type has a property {column!r}")
        pieces = {
            number: self._build_stored(column, sources, number)
            for number in range(self._columns.part_count)
        }
        held = sum(len(piece.entries) for piece in pieces.values() if piece.entries)
        for name, source in live.items():
            held += sum(len(piece) for _, _, piece in self._added_pieces(name, column, source))
        if not held:
            where = "no node type" if node_type is None else f"no {node_type}"
            raise GraphError(f"{where} has a text as {column!r}: only texts are indexed")
        return pieces

    def drop(self, pair: Pair) -> None:
        """Forget an index."""
        self.check(pair)
        del self._pieces[pair]
        self.changed = True
        self._forget()

    def _forget(self) -> None:
        """Drop what no index needs: of columns without one, updates are not taken note of."""
        self._added = {key: held for key, held in self._added.items() if self._covers(*key)}
        for column, held in self._touched.items():
            kept = {name: rows for name, rows in held.items() if self._covers(name, column)}
            self._touched[column] = kept

    def _covers(self, node_type: str, column: str) -> bool:
        return (node_type, column) in self._pieces or (None, column) in self._pieces

    def check(self, pair: Pair) -> None:
        """Refuse to go on without an index."""
        if pair not in self._pieces:
            node_type, column = pair
            what = "across types" if node_type is None else f"of {node_type!r}"
            advice = f"create_index({node_type!r}, {column!r}) makes one"
            raise NotFoundError(f"no text index {what} on {column!r}: {advice}")

    # -- looking up ---------------------------------------------------------------------------

    def find(
        self, pair: Pair, queries: TextArray, is_prefix: bool, only: str | None = None
    ) -> tuple[I64, U32]:
        """Find the live nodes whose text equals, or starts with, each query.

        Parameters
        ----------
        pair : Pair
            An index that there is.
        queries : TextArray
        is_prefix : bool
        only : str, optional
            Of an index across types, only this type.

        Returns
        -------
        queries : (h,) int64
            Which query each hit is of, ascending.
        nodes : (h,) uint32
            Ascending within each query, each once.
        """
        column = pair[1]
        with self._lock:
            everything = self._columns.sources(pair)
            sources = everything if only is None else {
                name: source for name, source in everything.items() if name == only
            }  # fmt: skip
            pieces = self._all_pieces(pair, everything, sources)
            touched = dict(self._touched.get(column, NO_TOUCHED))
            for held in touched.values():
                held.sorted()
        found = [piece.search(self._columns, queries, is_prefix, touched) for piece in pieces]
        if pair[0] is None:
            found += self._empty(column, sources, queries)
        return joined(found)

    def _all_pieces(
        self, pair: Pair, everything: Mapping[str, Source], sources: Mapping[str, Source]
    ) -> list["Piece"]:
        """Return what is to be searched for ``sources``, which are some of ``everything``."""
        column, pieces = pair[1], []
        for number in range(self._columns.part_count):
            ranges = self._columns.part_ranges(sources, number)
            if any(start < stop for start, stop in ranges.values()):
                entries = self._stored_entries(pair, everything, number)
                pieces.append(Piece(entries, ranges))
        for name, source in sources.items():
            for start, stop, entries in self._added_pieces(name, column, source):
                pieces.append(Piece(entries, {name: (start, stop)}))
            if name in self._touched.get(column, NO_TOUCHED):
                entries = self._touched_entries(name, column, source)
                pieces.append(Piece(entries, {name: (0, source.table.row_count)}, name))
        return pieces

    def _touched_entries(self, name: str, column: str, source: Source) -> SortedTexts:
        touched, added = self._touched[column][name], self._added_of(name, column, source)
        if added.touched is None or added.touched[0] != touched.version:
            entries = self._columns.touched_entries(column, source, touched)
            added.touched = touched.version, entries
        return added.touched[1]

    def _empty(self, column: str, sources: Mapping[str, Source], queries: TextArray) -> list[Hits]:
        """Find what the files of an index across types have not: empty texts, row by row."""
        asked = np.flatnonzero(np.diff(queries.offsets) == 0)
        if not asked.size:
            return []
        nodes = self._columns.empty_texts(column, sources)
        return [(np.repeat(asked, nodes.size), np.tile(nodes, asked.size))]

    def touch(self, node_type: str, rows: I64, nodes: U32, properties: Iterable[str]) -> None:
        """Take note of values that were replaced."""
        for name in properties:
            if self._covers(node_type, name):
                held = self._touched.setdefault(name, {})
                held.setdefault(node_type, TouchedRows()).add(rows, nodes)

    # -- pieces -------------------------------------------------------------------------------

    def _stored_entries(
        self, pair: Pair, sources: Mapping[str, Source], number: int
    ) -> SortedTexts:
        """Return the entries of a stored part: of its files if they still fit."""
        piece = self._current_piece(pair, sources, number)
        if piece is None:
            piece = self._pieces[pair][number] = self._build_stored(pair[1], sources, number)
        if piece.entries is None:
            assert piece.listed is not None
            assert self._stored is not None
            limit = self._stored.slot_count
            piece.entries = text_index_files.read(self._stored.path, piece.listed, limit)
        return piece.entries

    def _current_piece(
        self, pair: Pair, sources: Mapping[str, Source], number: int
    ) -> StoredPiece | None:
        """Return a piece whose types had their values where they have them now.

        A type that got the column since has no values in stored rows but touched ones; one that
        has it no more lost a column without a value.
        """
        piece = self._pieces[pair].get(number)
        if piece is not None:
            for name, kind in piece.kinds.items():
                if name in sources and sources[name].kind != kind:
                    return None
        return piece

    def _build_stored(self, column: str, sources: Mapping[str, Source], number: int) -> StoredPiece:
        ranges = self._columns.part_ranges(sources, number)
        entries = self._columns.entries(column, sources, ranges)
        return StoredPiece(kinds_of(sources, ranges), None, entries)

    def _added_of(self, name: str, column: str, source: Source) -> Added:
        added = self._added.get((name, column))
        if added is None or added.kind != source.kind:
            added = self._added[name, column] = Added(source.kind)
        return added

    def _added_pieces(
        self, name: str, column: str, source: Source
    ) -> list[tuple[int, int, SortedTexts]]:
        """Return pieces that cover the added rows of a type.

        New rows become a piece; pieces of like size are made one, so that a row is sorted
        O(log n) times however many batches there are.
        """
        table = source.table
        pieces = self._added_of(name, column, source).pieces
        covered = pieces[-1][1] if pieces else table.base_rows
        if covered < table.row_count:
            start, stop = covered, table.row_count
            while pieces and pieces[-1][1] - pieces[-1][0] <= 2 * (stop - start):
                start = pieces.pop()[0]
            entries = self._columns.entries(column, {name: source}, {name: (start, stop)})
            pieces.append((start, stop, entries))
        return pieces

    # -- saving -------------------------------------------------------------------------------

    def contents(self, segments: Sequence[SegmentContents | LinkedSegment]) -> list[IndexContents]:
        """Collect what is to be written beside ``segments``.

        Files of a linked segment are linked too. A part of which only nodes were removed is
        filtered; all others are sorted anew.
        """
        with self._lock:
            found = []
            for pair in self.pairs():
                sources = self._columns.sources(pair)
                parts = [
                    self._part(pair, sources, segments, number) for number in range(len(segments))
                ]
                found.append(IndexContents(*pair, parts))
        return found

    def _part(
        self,
        pair: Pair,
        sources: Mapping[str, Source],
        segments: Sequence[SegmentContents | LinkedSegment],
        number: int,
    ) -> PartContents:
        segment = segments[number]
        counts = row_counts(segment)
        held = {name: counts.get(source.table.hash, 0) for name, source in sources.items()}
        stated = {name: (sources[name].kind, rows) for name, rows in held.items() if rows}
        if isinstance(segment, LinkedSegment):
            piece = self._current_piece(pair, sources, number)
            if piece is not None and piece.listed is not None:
                return PartContents(piece.listed.sources, piece.listed)
        added = any(source.table.row_count > source.table.base_rows for source in sources.values())
        if len(segments) == 1 and (added or self._columns.part_count != 1):
            ranges: Ranges = {n: (0, s.table.row_count) for n, s in sources.items()}
            number = -1
        else:
            ranges = self._columns.part_ranges(sources, number)
        entries = self._entries_now(pair, sources, ranges, number)
        if pair[0] is None:
            entries = entries.without_empty()
        return PartContents(stated, entries)

    def _entries_now(
        self, pair: Pair, sources: Mapping[str, Source], ranges: Ranges, number: int
    ) -> SortedTexts:
        """Return the entries of live nodes: those of a piece if it has them, else sorted anew."""
        touched = self._touched.get(pair[1], NO_TOUCHED)
        clean = not any(
            name in touched and touched[name].within(*span) for name, span in ranges.items()
        )
        entries = None
        if clean and 0 <= number < self._columns.part_count:
            entries = self._stored_entries(pair, sources, number)
        elif clean and len(sources) == 1:
            ((name, source),) = sources.items()
            pieces = self._added_pieces(name, pair[1], source)
            if len(pieces) == 1 and pieces[0][:2] == ranges[name]:
                entries = pieces[0][2]
        if entries is None:
            return self._columns.entries(pair[1], sources, ranges)
        return entries.keep(self._columns.valid(entries.nodes, ranges, NO_TOUCHED))


def is_current(stored: Stored, part: Listed) -> bool:
    """Whether a part of an index was taken from the columns that lie beside it."""
    rows = stored.segments[part.segment].row_counts
    stamp = text_index_files.stamp_of(stored.native or {}, part.segment, part.sources)
    stated = part.sources.items()
    return part.stamp == stamp and all(rows.get(fnv1a(n), 0) == count for n, (_, count) in stated)


def kinds_of(sources: Mapping[str, Source], ranges: Ranges) -> dict[str, str]:
    """What the column is in each type that has rows in a part."""
    return {n: source.kind for n, source in sources.items() if ranges[n][0] < ranges[n][1]}


def row_counts(segment: SegmentContents | LinkedSegment) -> dict[int, int]:
    """Rows by type hash, as the manifest will have them."""
    if isinstance(segment, LinkedSegment):
        return {int(value): count for value, count in segment.stated.node_type_counts.items()}
    return {fnv1a(store.name): store.row_count for store in segment.stores}


def joined(found: Sequence[Hits]) -> Hits:
    """Put hits together: by query, then by node, each once."""
    held = [hits for hits in found if hits[1].size]
    if not held:
        return np.zeros(0, np.int64), NO_IDS
    of_query = np.concatenate([hits[0] for hits in held])
    nodes = np.concatenate([hits[1] for hits in held])
    keys = (of_query.astype(np.uint64) << np.uint64(32)) | nodes
    if len(held) > 1 or not bool((keys[1:] > keys[:-1]).all()):
        keys.sort()
        first = np.ones(keys.size, bool)
        first[1:] = keys[1:] != keys[:-1]
        keys = keys[first]
        of_query = (keys >> np.uint64(32)).astype(np.int64)
        nodes = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return of_query, nodes


def as_texts(given: object, name: str) -> TextArray:
    """Take one text, or a sequence or an array of texts.

    Raises
    ------
    GraphError
        Something is no text, or holds a lone surrogate.
    """
    if isinstance(given, str):
        given = [given]
    if hasattr(given, "tolist"):
        given = np.asarray(given).tolist()
    if not isinstance(given, Iterable):
        raise GraphError(f"{name}: expected texts, found {type(given).__name__}")
    items = given if isinstance(given, (list, tuple)) else list(given)
    try:
        return TextArray.from_list(items, name)
    except TypeError:
        wrong = ((row, item) for row, item in enumerate(items) if not isinstance(item, str))
        row, item = next(wrong)
        raise GraphError(f"{name}: row {row} is {item!r:.60}, not a text") from None
