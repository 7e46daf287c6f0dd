"""External ids: from what a user gives to node ids, and back.

An id is an integer or a text. Equal numbers are one id whatever their type (1, 1.0 and
``np.uint8(1)``); a text is never a number. Foreign graphs may also hold booleans, dates and
other values as ids: those match exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nkgraph.dtypes import I64, NO_NODE, U32, Bool
from nkgraph.errors import GraphError
from nkgraph.interop import frames
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, MixedColumn, TextColumn
from nkgraph.storage.keys import IntKeys, TextKeys
from nkgraph.storage.kglite.id_keys import integers_of, others_of
from nkgraph.storage.kglite.id_lookup import SortedIds
from nkgraph.storage.mapped import MappedArray
from nkgraph.storage.sorted_keys import (
    find_hashed,
    find_integers,
    find_sorted_u64,
    ordered_uint64,
)
from nkgraph.storage.text import TextArray
from nkgraph.storage.values import TEXT


@dataclass
class Keys:
    """A column of ids, taken apart by what can be looked up; rows point into the column."""

    count: int
    int_rows: I64
    ints: I64
    text_rows: I64
    texts: TextArray
    others: dict[int, object] = field(default_factory=dict)

    def null_row(self) -> int:
        """Return the first row that is no id at all, or -1."""
        if self.int_rows.size + self.text_rows.size + len(self.others) == self.count:
            return -1
        seen = np.zeros(self.count, bool)
        seen[self.int_rows] = True
        seen[self.text_rows] = True
        seen[list(self.others)] = True
        return int(np.argmin(seen))


def split_keys(column: AnyColumn) -> Keys:
    """Take a column of ids apart; absent values and NaN are in none of the parts."""
    int_rows, ints = integers_of(column)
    none = np.zeros(0, np.int64)
    keys = Keys(len(column), int_rows, ints, none, TextArray.empty())
    others = others_of(column)
    if isinstance(column, TextColumn):
        keys.text_rows = others
        full = others.size == len(column)
        keys.texts = column.text if full else column.text.take(others)
        return keys
    if isinstance(column, MixedColumn):
        are_texts = column.values.tags[others] == TEXT
        keys.text_rows = others[are_texts]
        keys.texts = column.values.take(keys.text_rows).texts()
        others = others[~are_texts]
    _add_others(column, others, keys)
    return keys


def _add_others(column: AnyColumn, rows: I64, keys: Keys) -> None:
    if rows.size:
        values, _ = columns.to_user(column.take(rows))
        # repr tells True from 1 and keeps unhashable values comparable.
        keys.others = dict(zip(rows.tolist(), map(repr, values.tolist()), strict=True))


def from_user(ids: object, name: str) -> AnyColumn:
    """Turn ids that a user gave into a column; a scalar is one id."""
    if isinstance(ids, TextArray):
        return TextColumn(ids, None)
    if isinstance(ids, (str, int, float, np.generic)):
        ids = [ids]
    return frames.as_column(ids, None, name)


def checked_keys(column: AnyColumn, name: str) -> Keys:
    """Split ids that are to be added: each must be an integer or a text."""
    keys = split_keys(column)
    row = keys.null_row()
    if row >= 0:
        raise GraphError(f"{name}: row {row} has no id (None, NaN or masked)")
    if keys.others:
        row, value = next(iter(keys.others.items()))
        raise GraphError(f"{name}: row {row}: {value} is neither an integer nor a text")
    return keys


# -- look-ups over sorted arrays --------------------------------------------------------------


def build_sorted(keys: Keys, nodes: U32) -> tuple[SortedIds, dict[object, int]]:
    """Sort keys into a look-up; ``nodes[row]`` is the node of each row. O(n log n)."""
    int_order = np.argsort(keys.ints, kind="stable")
    hashes = keys.texts.hashes()
    text_order = np.argsort(hashes, kind="stable")
    ids = SortedIds(
        ordered_uint64(keys.ints[int_order]),
        nodes[keys.int_rows[int_order]],
        hashes[text_order],
        nodes[keys.text_rows[text_order]],
    )
    others: dict[object, int] = {}
    for row, value in keys.others.items():
        others.setdefault(value, int(nodes[row]))
    return ids, others


def find_in_sorted(
    ids: SortedIds,
    others: dict[object, int],
    queries: Keys,
    text_of: Callable[[U32], TextArray],
) -> U32:
    """Look keys up; NO_NODE where absent. ``text_of(nodes)`` gives the text ids of nodes."""
    found = np.full(queries.count, NO_NODE, np.uint32)
    if queries.ints.size and ids.int_keys.size:
        if ids.int_keys.dtype == np.uint32:
            at = find_integers(ids.int_keys.view(np.uint32), queries.ints)
        else:
            at = find_sorted_u64(ids.int_keys.view(np.uint64), ordered_uint64(queries.ints))
        hit = at >= 0
        found[queries.int_rows[hit]] = ids.int_nodes[at[hit]]
    if queries.text_rows.size and ids.text_hashes.size:
        found[queries.text_rows] = _find_texts(ids, queries.texts, text_of)
    for row, value in queries.others.items():
        found[row] = others.get(value, NO_NODE)
    return found


def _find_texts(ids: SortedIds, texts: TextArray, text_of: Callable[[U32], TextArray]) -> U32:
    def same(positions: I64, queries: I64) -> Bool:
        return text_of(ids.text_nodes[positions]).equals(np.arange(queries.size), texts, queries)

    at = find_hashed(ids.text_hashes, texts.hashes(), same)
    return np.where(at >= 0, ids.text_nodes[at], NO_NODE)


# -- look-ups over what was added -------------------------------------------------------------


class AddedIds:
    """Hash tables over the ids of added rows: key -> the last row that came with it."""

    def __init__(self) -> None:
        self.ints = IntKeys()
        self.texts = TextKeys()
        self._int_rows = MappedArray(np.int64)
        self._text_rows = MappedArray(np.int64)

    def add(self, keys: Keys, first_row: int) -> None:
        """Take keys, each once; row ``r`` of them is row ``first_row + r``.

        A key that is here already, since its node was removed, gets the new row.
        """
        if keys.ints.size:
            at = self.ints.insert(keys.ints)
            self._int_rows.grow(len(self.ints) - len(self._int_rows))
            self._int_rows.array[at] = keys.int_rows + first_row
        if keys.text_rows.size:
            at = self.texts.insert(keys.texts.offsets, keys.texts.data)
            self._text_rows.grow(len(self.texts) - len(self._text_rows))
            self._text_rows.array[at] = keys.text_rows + first_row

    def find(self, queries: Keys) -> I64:
        """Return the row of each id, -1 where absent."""
        found = np.full(queries.count, -1, np.int64)
        if queries.ints.size and len(self.ints):
            at = self.ints.find(queries.ints)
            hit = at >= 0
            found[queries.int_rows[hit]] = self._int_rows.array[at[hit]]
        if queries.text_rows.size and len(self.texts):
            at = self.texts.find(queries.texts.offsets, queries.texts.data)
            hit = at >= 0
            found[queries.text_rows[hit]] = self._text_rows.array[at[hit]]
        return found


def first_repeat(keys: Keys) -> int:
    """Return the first row whose id stands further up already, or -1."""
    rows = []
    if keys.ints.size:
        rows.append(_first_repeat(keys.ints, keys.int_rows))
    if keys.text_rows.size:
        order = TextKeys().insert(keys.texts.offsets, keys.texts.data)
        rows.append(_first_repeat(order, keys.text_rows))
    return min((row for row in rows if row >= 0), default=-1)


def _first_repeat(values: I64, rows: I64) -> int:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    repeated = order[1:][ordered[1:] == ordered[:-1]]
    return int(rows[repeated.min()]) if repeated.size else -1


def texts_of(column: AnyColumn, rows: I64) -> TextArray:
    """Return the text ids of rows; what is no text comes back empty."""
    if isinstance(column, TextColumn):
        return column.text.take(rows)
    picked = column.take(rows)
    keys = split_keys(picked)
    lengths = np.zeros(rows.size, np.int64)
    lengths[keys.text_rows] = np.diff(keys.texts.offsets)
    return TextArray(np.concatenate([[0], np.cumsum(lengths)]), keys.texts.data)
