"""Nodes or edges of a dump as columns: one for each type and key, and labels of nodes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U32, U64, Bool
from nkgraph.errors import LimitError
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn, absent
from nkgraph.storage.reddb.graph_values import NULL, Decoder, column_of, forms
from nkgraph.storage.reddb.layout import RECORD_MAGIC, RECORDS_FROM
from nkgraph.storage.reddb.steps import steps_of
from nkgraph.storage.text import TextArray

_FIRST_ROOM = 1 << 10
_MOST_SPARSE = 64
"""Columns may take so many times the bytes of the file, or ``_ALWAYS``, before that is refused."""
_ALWAYS = 1 << 30
_WEIGHT = "weight"
_SPARE = 8
"""Bytes that copying writes behind a text."""


@dataclass(frozen=True)
class Table:
    """The nodes or edges of one type.

    Attributes
    ----------
    name : str
    rows : (k,) int64
        Which of the entities that stay are of the type, ascending.
    titles : TextArray or None
        Labels of nodes.
    properties : dict of str to column
    """

    name: str
    rows: I64
    titles: TextArray | None
    properties: dict[str, AnyColumn]


class Survey:
    """Types and keys of nodes or of edges, what values they have, and the ends of edges.

    Parameters
    ----------
    data : (b,) uint8
        A dump that has been walked.
    version : int
    places : (n,) int64
        Items of the entities: all nodes, or all edges.
    default : str
        What a type without a name is called, at most eight bytes.
    edges : bool

    Attributes
    ----------
    table_of : (n,) uint32
        The type of each, by number.
    ends : (n, 2) uint64; known : (n, 2) bool
        Ids at the ends of edges, and whether the text there is an id.

    Notes
    -----
    One pass over the front of each entity; 4 bytes a node, 22 an edge.
    """

    def __init__(self, data: U8, version: int, places: I64, default: str, edges: bool) -> None:
        self.data, self.places, self.edges = data, read_only(places), edges
        self.default = default
        self.steps = steps_of(version)
        magic = int.from_bytes(RECORD_MAGIC, "little")
        self.magic = magic if version >= RECORDS_FROM else -1
        self.table_of: U32 = np.empty(places.size, np.uint32)
        count = places.size if edges else 0
        self.ends: U64 = np.empty((count, 2), np.uint64)
        self.known: Bool = np.empty((count, 2), bool)
        self.exact = True  # whether the counts of values are
        self._run()

    def _run(self) -> None:
        k = kernels.dump_columns
        self._table_slots, self.slots = (np.zeros(4 * _FIRST_ROOM, np.int64) for _ in range(2))
        self.tables, self.columns = (np.empty((_FIRST_ROOM, k.WIDTH), np.int64) for _ in range(2))
        self.state = np.zeros(k.STATES, np.int64)
        self.state[k.DEFAULT] = -1
        word = np.uint64(int.from_bytes(self.default.encode(), "little"))
        while k.survey(
            self.data, self.places, self.magic, self.steps, forms(), self.edges, word,
            len(self.default), self._table_slots, self.tables, self.slots, self.columns,
            self.state, self.table_of, self.ends, self.known,
        ):  # fmt: skip
            self._grow()
        self.tables = self.tables[: self.state[k.TABLES]]
        self.columns = self.columns[: self.state[k.COLUMNS]]

    def _grow(self) -> None:
        """Make room for further names; a row that found none is counted again."""
        k = kernels.dump_columns
        self.exact = False
        if self.state[k.TABLES] + 1 >= self.tables.shape[0]:
            self.tables, self._table_slots = _wider(self.tables, int(self.state[k.TABLES]))
        if self.state[k.COLUMNS] + 1 >= self.columns.shape[0]:
            self.columns, self.slots = _wider(self.columns, int(self.state[k.COLUMNS]))
        used = self.columns[: self.state[k.COLUMNS]]
        used[used[:, k.LAST] == self.state[k.ROW], k.LAST] = -1

    def spelled(self, entry: I64) -> str | None:
        """Return the name of a row of ``tables`` or ``columns``; None if the data has it not."""
        k = kernels.dump_columns
        if entry[k.START] == k.MADE:
            return None
        return bytes(self.data[entry[k.START] : entry[k.STOP]]).decode()

    def name_of(self, table: int) -> str:
        """Return the name of a type."""
        found = self.spelled(self.tables[table])
        return self.default if found is None else found


def _wider(entries: I64, used: int) -> tuple[I64, I64]:
    """Return entries with twice the room, and a hash table over them."""
    wider = np.empty((2 * entries.shape[0], entries.shape[1]), np.int64)
    wider[:used] = entries[:used]
    slots = np.zeros(4 * wider.shape[0], np.int64)
    kernels.dump_columns.fill_slots(wider, used, slots)
    return wider, slots


class Filled:
    """The columns of a survey, in pools: each column is a part of one.

    Parameters
    ----------
    survey : Survey
    keep : (n,) bool or None
        Which entities stay; None: all of them.
    decoder : Decoder
    packed_count : int
        Compressed values in the dump.

    Attributes
    ----------
    counts : (t,) int64
        Entities that stay, by type.
    problems : list of (int, str)
        Values that a graph cannot hold: where they stand, and why. They are absent.

    Notes
    -----
    One pass over the entities. Allocates the columns, at most 9 bytes a value and the text.
    """

    def __init__(
        self, survey: Survey, keep: Bool | None, decoder: Decoder, packed_count: int
    ) -> None:
        k = kernels.dump_columns
        self.survey, self.decoder = survey, decoder
        self.problems: list[tuple[int, str]] = []
        self._tables, self._columns = survey.tables.copy(), survey.columns.copy()
        places, table_of = survey.places, survey.table_of
        self._exact = survey.exact and (keep is None or bool(keep.all()))
        if keep is not None and not keep.all():
            places, table_of = places[keep], table_of[keep]
        self.table_of = table_of
        self.counts: I64 = np.bincount(table_of, minlength=len(self._tables))
        self._lay_out()
        self._patches = np.empty((packed_count, 2), np.int64)
        state = survey.state.copy()
        state[k.PATCHES] = 0
        k.fill(
            survey.data, read_only(places), survey.magic, survey.steps, forms(), survey.edges,
            read_only(table_of), survey.slots, self._tables, self._columns, state, self._words,
            self._words.view(np.float64), self._small, self._days, self._text, self._patches,
        )  # fmt: skip
        for at, to in self._patches[: state[k.PATCHES]].tolist():
            text = decoder.text(at)
            self._text[to : to + len(text)] = np.frombuffer(text, np.uint8)

    # -- room ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Give each column its form and its places in the pools."""
        k = kernels.dump_columns
        columns, tables = self._columns, self._tables
        rows = self.counts[columns[:, k.OWNER]]
        form = np.where(rows > 0, _forms_of(columns[:, k.MASK]), k.SKIP)
        text, general = form == k.TEXTS, form == k.GENERAL
        flagged = (form != k.SKIP) & ~general
        if self._exact:
            flagged &= columns[:, k.COUNT] != rows
        titled = (self.counts > 0) & (not self.survey.edges)
        self._refuse_sparse(int(8 * rows[form != k.SKIP].sum()))
        titles_at, words = _places(titled * (self.counts + 1), 0)
        words_at, words = _places(((form == k.WORDS) | general) * rows + text * (rows + 1), words)
        bools_at, small = _places((form == k.BYTE) * rows, 0)
        valid_at, small = _places(flagged * rows, small)
        days_at, days = _places((form == k.DAYS) * rows, 0)
        labels_at, size = _places(titled * (tables[:, k.BYTES] + _SPARE), 0)
        text_at, size = _places(text * (columns[:, k.BYTES] + _SPARE), size)
        columns[:, k.OUT], columns[:, k.LAST] = form, -1
        at = np.where(form == k.BYTE, bools_at, words_at)
        columns[:, k.BASE] = np.where(form == k.DAYS, days_at, at)
        columns[:, k.VALID] = np.where(flagged, valid_at, -1)
        columns[:, k.TEXT_AT], self._text_at = text_at, text_at.copy()
        tables[:, k.BASE], tables[:, k.LAST] = titles_at, 0
        tables[:, k.TEXT_AT], self._labels_at = labels_at, labels_at.copy()
        self._words: I64 = np.zeros(words, np.int64)
        for column in np.flatnonzero(general).tolist():
            at = columns[column, k.BASE]
            self._words[at : at + rows[column]] = k.ABSENT
        self._small: U8 = np.zeros(small, np.uint8)
        self._days = np.zeros(days, np.int32)
        self._text: U8 = np.empty(size, np.uint8)

    def _refuse_sparse(self, needed: int) -> None:
        """Refuse columns out of all proportion: a graph holds each property for every row."""
        size = int(self.survey.data.size)
        if needed > max(_MOST_SPARSE * size, _ALWAYS):
            what = "edges" if self.survey.edges else "nodes"
            found = f"{len(self._columns)} properties of {int(self.counts.sum())} {what}"
            raise LimitError(
                f"{found} need {needed} bytes, for a file of {size}: a graph holds every property"
                " of a type for all of its rows"
            )

    # -- columns ------------------------------------------------------------------------------

    def tables(self) -> Iterator[Table]:
        """Yield the types that are in use, in the order of their first entity in the file."""
        k = kernels.dump_columns
        order = _grouped(self.table_of, self.counts.size)
        stops = np.cumsum(self.counts)
        by_owner = np.argsort(self._columns[:, k.OWNER], kind="stable")
        ends = np.searchsorted(self._columns[by_owner, k.OWNER], np.arange(self.counts.size + 1))
        for number, count in enumerate(self.counts.tolist()):
            if not count:
                continue
            properties = {
                self._key(column): self._column(column, count)
                for column in by_owner[ends[number] : ends[number + 1]].tolist()
                if self._columns[column, k.LAST] >= 0
            }
            titles = None
            if not self.survey.edges:
                at = int(self._tables[number, k.BASE])
                titles = self._texts(at, int(self._labels_at[number]), count)
            rows = order[stops[number] - count : stops[number]]
            yield Table(self.survey.name_of(number), rows, titles, properties)

    def _key(self, column: int) -> str:
        found = self.survey.spelled(self._columns[column])
        return _WEIGHT if found is None else found

    def _column(self, column: int, count: int) -> AnyColumn:
        k = kernels.dump_columns
        mask, form, at = self._columns[column, [k.MASK, k.OUT, k.BASE]].tolist()
        if form == k.SKIP:
            return absent(count)
        if form == k.GENERAL:
            return column_of(map(self._encoded, self._words[at : at + count].tolist()), count)
        valid = self._valid(int(self._columns[column, k.VALID]), count)
        if form == k.TEXTS:
            return TextColumn(self._texts(at, int(self._text_at[column]), count), valid)
        if form == k.BYTE:
            return FixedColumn("bool", self._small[at : at + count].view(np.bool_), valid)
        if form == k.DAYS:
            return FixedColumn("date", self._days[at : at + count], valid)
        words = self._words[at : at + count]
        if mask == k.IS_FLOAT:
            return FixedColumn("float64", words.view(np.float64), valid)
        return FixedColumn("int64" if mask == k.IS_INT else "timestamp", words, valid)

    def _valid(self, at: int, count: int) -> Bool | None:
        if at < 0:
            return None
        valid = self._small[at : at + count].view(np.bool_)
        return None if valid.all() else valid

    def _texts(self, at: int, text_at: int, count: int) -> TextArray:
        offsets = self._words[at : at + count + 1]
        np.cumsum(offsets, out=offsets)  # from lengths
        return TextArray(offsets, self._text[text_at : text_at + int(offsets[-1])])

    def _encoded(self, place: int) -> bytes:
        try:
            return self.decoder.encoded(place)
        except ValueError as error:
            self.problems.append((place, str(error)))
            return NULL


def _places(sizes: I64, first: int) -> tuple[I64, int]:
    """Put parts one after the other, from ``first`` on; return where they begin and end."""
    ends = first + np.cumsum(sizes)
    return ends - sizes, int(ends[-1]) if ends.size else first


def _forms_of(masks: I64) -> I64:
    """Return the form of columns by the classes of their values."""
    k = kernels.dump_columns
    found = np.full(masks.size, k.GENERAL, np.int64)
    forms = {
        0: k.SKIP, k.IS_BOOL: k.BYTE, k.IS_INT: k.WORDS, k.IS_FLOAT: k.WORDS, k.IS_DATE: k.DAYS,
        k.IS_TIMESTAMP: k.WORDS, k.IS_TEXT: k.TEXTS,
    }  # fmt: skip
    for mask, form in forms.items():
        found[masks == mask] = form
    return found


def _grouped(codes: U32, count: int) -> I64:
    """Return rows by code, ascending within each."""
    if count <= 1:
        return np.arange(codes.size)
    narrow = codes.astype(np.uint16) if count <= 1 << 16 else codes  # a radix sort
    return np.argsort(narrow, kind="stable")
