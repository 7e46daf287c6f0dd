"""Immutable maps from ids to nodes, and the one form in which their content is written.

An ``IntegerMap`` or ``GeneralMap`` is a payload of ``id_indices.bin``, mapped or in memory, with
what it takes to search it. Equal keys are those of ``id_keys``; a general payload of kglite may
hold one key in several *forms* (unique id 5, integer 5, float 5.0), and then gives the node of
the form that was asked for, else of the integer, the unique id or the float, in this order.

Written content depends on the entries alone, not on how they came:

* Integers that stand in one form become unique ids if that is what all ids of the type can be,
  and integers of 64 bits otherwise. Those in several forms stay as they are.
* Order: integers ascending, forms of one as above; then the rest by (``TextArray.hashes`` of
  the bincode bytes, the bytes, node).
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from nkgraph import threads
from nkgraph.dtypes import I64, MAX_IDS, NO_NODE, U8, U32, U64, Bool
from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import MixedColumn
from nkgraph.storage.keys import TextKeys
from nkgraph.storage.kglite import id_index_file, id_keys
from nkgraph.storage.kglite.id_index_file import Entry, GeneralIds, IntegerIds, StoredIds
from nkgraph.storage.kglite.id_keys import IdKeys, Integers
from nkgraph.storage.sorted_keys import (
    find_hashed,
    find_integers,
    find_items,
    find_sorted_u64,
    ordered_uint64,
)
from nkgraph.storage.text import TextArray
from nkgraph.storage.values import Values

CHUNK = 1 << 20
"""Entries that a whole-array check looks at in one step."""
_RANK = np.full(256, 3, np.uint8)
_RANK[[kinds.INT, kinds.UNIQUE_ID, kinds.FLOAT]] = 0, 1, 2


@dataclass(frozen=True)
class Entries:
    """Entries of a type, taken apart; in any order.

    Parameters
    ----------
    ints : (i,) int64
    forms : (i,) uint8
        Value tags.
    int_nodes : (i,) uint32
    rest : TextArray
        Bincode bytes of other ids.
    rest_nodes : (r,) uint32
    """

    ints: I64
    forms: U8
    int_nodes: U32
    rest: TextArray
    rest_nodes: U32


class IdMap(Protocol):
    """What a payload answers."""

    @property
    def count(self) -> int:
        """How many entries the directory gives it."""

    def find(self, keys: IdKeys) -> U32:
        """Return the node of each id, NO_NODE where absent."""

    def rows(self, keys: IdKeys) -> I64:
        """Return the rows of all entries that equal one of the keys, each once."""

    def entries(self, dead: I64) -> Entries:
        """Return all entries but the dead rows, checked."""


class IntegerMap:
    """Unique ids, searched where they lie."""

    def __init__(self, path: Path | str, ids: IntegerIds) -> None:
        self.path, self.ids = path, ids
        self._checked = False

    @property
    def count(self) -> int:
        """How many entries there are."""
        return int(self.ids.keys.size)

    def find(self, keys: IdKeys) -> U32:
        """Return the node of each id, NO_NODE where absent."""
        self.check()
        nodes = find_items(self.ids.keys, self.ids.nodes, keys.ints)
        if keys.int_rows is None:
            return nodes
        found = np.full(keys.count, NO_NODE, np.uint32)
        found[keys.int_rows] = nodes
        return found

    def rows(self, keys: IdKeys) -> I64:
        """Return the rows of all entries that equal one of the keys, each once."""
        self.check()
        positions = find_integers(self.ids.keys, keys.ints)
        return _distinct(positions[positions >= 0])

    def live(self, dead: I64) -> IntegerIds:
        """Return all entries but the dead rows, checked."""
        self.check()
        if not dead.size:
            return self.ids
        kept = _kept(self.count, dead)
        return IntegerIds(self.ids.keys[kept], self.ids.nodes[kept])

    def entries(self, dead: I64) -> Entries:
        """Return all entries but the dead rows, checked."""
        ids = self.live(dead)
        forms = np.full(ids.keys.size, kinds.UNIQUE_ID, np.uint8)
        nodes = np.ascontiguousarray(ids.nodes)
        none: U32 = np.zeros(0, np.uint32)
        return Entries(ids.keys.astype(np.int64), forms, nodes, TextArray.empty(), none)

    def check(self) -> None:
        """Check that keys ascend and that nodes are node ids; reads everything, once.

        Raises
        ------
        FormatError
        """
        if self._checked:
            return
        keys, nodes = self.ids.keys, self.ids.nodes
        for start in range(0, keys.size, CHUNK):
            first = max(0, start - 1)
            part = keys[first : start + CHUNK]
            fallen = np.flatnonzero(part[1:] <= part[:-1])
            if fallen.size:
                row = int(fallen[0])
                field, at = "keys of an id index", self._at(first + row + 1)
                raise FormatError(self.path, field, at, f"> {part[row]}", part[row + 1])
            wrong = np.flatnonzero(nodes[start : start + CHUNK] == NO_NODE)
            if wrong.size:
                raise _no_node(self.path, self._at(keys.size + start + int(wrong[0])))
        self._checked = True

    def _at(self, word: int) -> int | None:
        return None if self.ids.at is None else self.ids.at + 4 * word


def _distinct(rows: I64) -> I64:
    """``np.unique``, which in numpy 2.4 takes a hundred times as long as a sort."""
    rows = np.sort(rows)
    first = np.ones(rows.size, bool)
    first[1:] = rows[1:] != rows[:-1]
    return rows[first]


def _kept(count: int, dead: I64) -> Bool:
    kept = np.ones(count, bool)
    kept[dead] = False
    return kept


def _no_node(path: Path | str, at: int | None) -> FormatError:
    return FormatError(path, "node of an id index", at, f"< {MAX_IDS}", MAX_IDS)


@dataclass(frozen=True)
class _Tables:
    """A decoded general payload: row r is the r-th entry.

    ``spans`` holds 2 n texts, the bytes of value r at 2 r (and its node behind them), which
    are slices of the payload.
    """

    nodes: U32
    spans: TextArray
    int_keys: U64
    int_forms: U8
    int_rows: I64
    forms_differ: bool
    hashes: U64
    rest_rows: I64
    others: I64


class GeneralMap:
    """Ids of any kind: decoded, checked and sorted on first use, once, from any thread."""

    def __init__(self, stored: StoredIds) -> None:
        self.stored = stored
        self._lock = threading.Lock()
        self._made: _Tables | None = None

    @property
    def count(self) -> int:
        """How many entries there are."""
        return self.stored.count

    @property
    def tables(self) -> _Tables:
        """The sorted arrays.

        Raises
        ------
        FormatError
            The payload is damaged, or holds one id twice in one form.
        """
        with self._lock:
            if self._made is None:
                self._made = _tables(self.stored)
            return self._made

    def find(self, keys: IdKeys) -> U32:
        """Return the node of each id, NO_NODE where absent."""
        tables = self.tables
        found = np.full(keys.count, NO_NODE, np.uint32)
        if keys.ints.size and tables.int_keys.size:
            queries, wide = _as_int64(keys.ints)
            at = find_sorted_u64(tables.int_keys, ordered_uint64(queries))
            if wide is not None:
                at[wide] = -1
            if tables.forms_differ:
                _prefer_forms(tables, at, keys.forms)
            nodes = np.where(at >= 0, tables.nodes[tables.int_rows[at]], NO_NODE)
            found[keys.rows_of_ints] = nodes
        if keys.rest_rows.size and tables.hashes.size:
            at = _find_rest(tables, keys.rest)
            nodes = np.where(at >= 0, tables.nodes[tables.rest_rows[at]], NO_NODE)
            found[keys.rest_rows] = nodes
        return found

    def rows(self, keys: IdKeys) -> I64:
        """Return the rows of all entries that equal one of the keys, each once."""
        tables = self.tables
        rows: list[I64] = []
        if keys.ints.size and tables.int_keys.size:
            queries, wide = _as_int64(keys.ints)
            ordered = ordered_uint64(queries)
            at = find_sorted_u64(tables.int_keys, ordered)
            if wide is not None:
                at[wide] = -1
            hit = np.flatnonzero(at >= 0)
            while hit.size:  # as often as there are forms of an integer
                rows.append(tables.int_rows[at[hit]])
                at[hit] += 1
                hit = hit[at[hit] < tables.int_keys.size]
                hit = hit[tables.int_keys[at[hit]] == ordered[hit]]
        if keys.rest_rows.size and tables.hashes.size:
            at = _find_rest(tables, keys.rest)
            rows.append(tables.rest_rows[at[at >= 0]])
        return _distinct(np.concatenate([id_keys.NO_ROWS, *rows]))

    def entries(self, dead: I64) -> Entries:
        """Return all entries but the dead rows, checked."""
        tables = self.tables
        kept = _kept(tables.nodes.size, dead)
        ints = np.flatnonzero(kept[tables.int_rows])
        rest = np.concatenate([tables.rest_rows, tables.others])
        rest = rest[kept[rest]]
        return Entries(
            ordered_int64(tables.int_keys[ints]),
            tables.int_forms[ints],
            tables.nodes[tables.int_rows[ints]],
            tables.spans.take(2 * rest),
            tables.nodes[rest],
        )

    def check(self) -> None:
        """Decode and check everything, if that was not done."""
        self.tables  # noqa: B018 - decodes


def ordered_int64(keys: U64) -> I64:
    """Undo ``ordered_uint64``."""
    return (keys ^ np.uint64(1 << 63)).view(np.int64)


def _as_int64(ints: Integers) -> tuple[I64, Bool | None]:
    """Return integers as int64, and which do not fit it."""
    wide = None
    if ints.dtype == np.uint64:
        wide = ints > np.uint64(2**63 - 1)
    return ints.astype(np.int64, copy=False), wide


def map_of(path: Path | str, entry: Entry) -> IntegerMap | GeneralMap:
    """Make a payload searchable; nothing of it is read yet."""
    return IntegerMap(path, entry) if isinstance(entry, IntegerIds) else GeneralMap(entry)


def map_in_memory(ids: IntegerIds | GeneralIds) -> IntegerMap | GeneralMap:
    """Copy canonical entries to a payload in memory."""
    parts = [np.ascontiguousarray(part) for part in id_index_file.encode(ids)]
    data = np.frombuffer(b"".join(files.as_bytes(part) for part in parts), np.uint8)
    count = int(ids.nodes.size)
    if isinstance(ids, IntegerIds):
        return IntegerMap("memory", id_index_file.integers_at(data, 0, count))
    return GeneralMap(StoredIds("memory", data, 0, data.size, count))


# -- general payloads -------------------------------------------------------------------------


def _tables(stored: StoredIds) -> _Tables:
    path, ids = stored.path, stored.read()
    values = ids.values
    spans = _spans(values, stored.start)
    wrong = np.flatnonzero(ids.nodes == NO_NODE)
    if wrong.size:
        raise _no_node(path, int(spans.offsets[2 * wrong[0] + 1]))
    column = MixedColumn(values)
    int_rows, ints = id_keys.integers_of(column)
    rest_rows = id_keys.others_of(column)
    forms = values.tags[int_rows]
    order = np.lexsort((_RANK[forms], ints))
    ints, forms, int_rows = ints[order], forms[order], int_rows[order]
    again = ints[1:] == ints[:-1]
    twice = np.flatnonzero(again & (forms[1:] == forms[:-1]))
    if twice.size:
        raise _twice(path, spans, int(int_rows[twice[0] + 1]))
    hashes = hashes_of(spans)[2 * rest_rows]
    order = np.argsort(hashes, kind="stable")
    hashes, rest_rows = hashes[order], rest_rows[order]
    _check_once(path, spans, hashes, rest_rows)
    equal_to_none = np.ones(len(values), bool)
    equal_to_none[int_rows] = False
    equal_to_none[rest_rows] = False
    return _Tables(
        ids.nodes, spans, ordered_uint64(ints), forms, int_rows, bool(again.any()),
        hashes, rest_rows, np.flatnonzero(equal_to_none),
    )  # fmt: skip


def _spans(values: Values, start: int) -> TextArray:
    """Where values stand that were read as pairs from ``start``: a text each, and its node's."""
    offsets = np.empty(2 * len(values) + 1, np.int64)
    offsets[0] = start
    offsets[1::2] = values.sizes()
    offsets[2::2] = 4
    return TextArray(np.cumsum(offsets), values.heap)


def hashes_of(text: TextArray) -> U64:
    """``TextArray.hashes``, on all threads."""
    spans = threads.split(len(text))
    parts = [partial(_hash_span, text, *span) for span in spans]
    hashes: list[U64] = [part for part in threads.run(parts) if isinstance(part, np.ndarray)]
    return np.concatenate(hashes)


def _hash_span(text: TextArray, start: int, stop: int) -> U64:
    return TextArray(text.offsets[start : stop + 1], text.data).hashes()


def _check_once(path: Path | str, spans: TextArray, hashes: U64, rows: I64) -> None:
    """Refuse ids that stand twice; only rows of equal hash are compared."""
    again = hashes[1:] == hashes[:-1]
    if again.any():
        shared = np.zeros(hashes.size, bool)
        shared[1:] |= again
        shared[:-1] |= again
        text = spans.take(2 * rows[shared])
        first = TextKeys().insert(text.offsets, text.data)
        known = np.maximum.accumulate(first)
        repeated = np.flatnonzero(known[1:] == known[:-1])
        if repeated.size:
            raise _twice(path, spans, int(rows[shared][repeated[0] + 1]))


def _twice(path: Path | str, spans: TextArray, row: int) -> FormatError:
    at = int(spans.offsets[2 * row])
    return FormatError(path, "ids of a general index", at, "each once", "one twice")


def _prefer_forms(tables: _Tables, at: I64, forms: U8 | None) -> None:
    """Move positions of integers to the entry of the form asked for, where there is one."""
    first = at.copy()
    wanted = np.full(at.size, kinds.INT, np.uint8) if forms is None else forms
    for step in (1, 2):
        open_rows = np.flatnonzero((first >= 0) & (first + step < tables.int_keys.size))
        candidates = first[open_rows] + step
        equal = tables.int_keys[candidates] == tables.int_keys[first[open_rows]]
        equal &= tables.int_forms[candidates] == wanted[open_rows]
        at[open_rows[equal]] = candidates[equal]


def _find_rest(tables: _Tables, rest: TextArray) -> I64:
    """Return positions among the hashes, -1 where absent."""

    def same(positions: I64, queries: I64) -> Bool:
        return tables.spans.equals(2 * tables.rest_rows[positions], rest, queries)

    return find_hashed(tables.hashes, hashes_of(rest), same)


# -- the canonical form -----------------------------------------------------------------------


def merged(base: IntegerIds, keys: U32, nodes: U32) -> IntegerIds:
    """Merge entries into sorted ones; no key is in both. O(n + k log k)."""
    order = np.argsort(keys, kind="stable")
    keys, nodes = keys[order], nodes[order]
    if not keys.size:
        return base
    at = np.searchsorted(base.keys, keys)
    return IntegerIds(np.insert(base.keys, at, keys), np.insert(base.nodes, at, nodes))


def last_of_equal(keys: IdKeys, nodes: U32) -> Entries:
    """Return a batch without missing rows as entries: of equal keys the last one."""
    ints = keys.ints.astype(np.int64, copy=False)
    order = np.argsort(ints, kind="stable")
    ints = ints[order]
    last = np.ones(ints.size, bool)
    last[:-1] = ints[1:] != ints[:-1]
    table = TextKeys()
    positions = table.insert(keys.rest.offsets, keys.rest.data)
    rows = np.empty(len(table), np.int64)
    rows[positions] = np.arange(positions.size)
    return Entries(
        ints[last],
        np.full(np.count_nonzero(last), kinds.INT, np.uint8),
        nodes[keys.rows_of_ints][order[last]],
        keys.rest.take(rows),
        nodes[keys.rest_rows[rows]],
    )


def canonical(parts: Sequence[Entries]) -> IntegerIds | GeneralIds:
    """Put entries into the form and order in which they are written; O(n log n)."""
    ints = np.concatenate([part.ints for part in parts])
    forms = np.concatenate([part.forms for part in parts])
    nodes = np.concatenate([part.int_nodes for part in parts])
    order = np.lexsort((_RANK[forms], ints))
    ints, forms, nodes = ints[order], forms[order], nodes[order]
    single = np.ones(ints.size, bool)
    again = ints[1:] == ints[:-1]
    single[1:] &= ~again
    single[:-1] &= ~again
    rest = TextArray.concatenate([part.rest for part in parts])
    if not len(rest) and bool(single.all()) and (not ints.size or _all_unique_ids(ints)):
        return IntegerIds(ints.astype(np.uint32), nodes)
    forms = np.where(single, np.uint8(kinds.INT), forms)
    words = ints.view(np.uint64).copy()
    floats = forms == kinds.FLOAT
    words[floats] = ints[floats].astype(np.float64).view(np.uint64)
    rest_nodes = np.concatenate([part.rest_nodes for part in parts])
    order = _rest_order(rest, rest_nodes)
    text = rest.take(order)
    others, _ = kinds.read_stream("memory", text.data, 0, text.data.size, len(text))
    all_values = Values.concatenate([Values(forms, words, np.zeros(0, np.uint8)), others])
    return GeneralIds(all_values, np.concatenate([nodes, rest_nodes[order]]))


def _all_unique_ids(ints: I64) -> bool:
    return int(ints[0]) >= 0 and int(ints[-1]) <= np.iinfo(np.uint32).max


def _rest_order(rest: TextArray, nodes: U32) -> I64:
    hashes = hashes_of(rest)
    order = np.lexsort((nodes, hashes))
    runs = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    if runs.size and not rest.equals(order[runs], rest, order[runs + 1]).all():
        # Different ids of one hash, which chance does not give: compare their bytes.
        shared = np.union1d(runs, runs + 1)
        edges, data = rest.offsets.tolist(), rest.data.tobytes()

        def key(row: int) -> tuple[int, bytes, int]:
            return int(hashes[row]), data[edges[row] : edges[row + 1]], int(nodes[row])

        order[shared] = sorted(order[shared].tolist(), key=key)
    return order
