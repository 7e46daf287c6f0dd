"""What a graph takes from a dump besides columns: visibility, ids, texts, references."""

from dataclasses import dataclass

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import F64, I64, U8, U64, Bool
from nkgraph.errors import GraphError, LimitError
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn, concatenate
from nkgraph.storage.keys import IntKeys, TextKeys
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.index import Index
from nkgraph.storage.reddb.steps import steps_of
from nkgraph.storage.text import TextArray

ID_KEY = "nkgraph.id"
"""Metadata that keeps an external id that cannot be an entity id."""
_MAGIC = int.from_bytes(layout.RECORD_MAGIC, "little")
_INT, _TEXT = (
    next(each.code for each in layout.METADATA if each.name == name) for name in ("int", "string")
)


def magic_of(version: int) -> int:
    """Return what a record begins with, as kernels want it: -1 in versions without records."""
    return _MAGIC if version >= layout.RECORDS_FROM else -1


# -- tails ----------------------------------------------------------------------------------------


def tails(data: U8, index: Index, rows: I64) -> U64:
    """Return logical id, xmin and xmax of entities, (k, 3); an id without one is its own."""
    found = np.zeros((rows.size, 3), np.uint64)
    found[:, 0] = index.ids[rows]
    if index.version >= layout.LOGICAL_ID_FROM:
        kernels.dump_parts.read_tails(
            data, read_only(index.places[rows]), magic_of(index.version), steps_of(index.version),
            layout.QUEUE_DATA, found,
        )  # fmt: skip
    return found


def visible(data: U8, index: Index, snapshot: int | None) -> Bool:
    """Say which entities a transaction saw, or without one, which have not been replaced."""
    k = kernels.dump_steps
    if snapshot is None:
        return np.asarray((index.flags & k.IS_EXPIRED) == 0)
    if isinstance(snapshot, bool) or not isinstance(snapshot, (int, np.integer)):
        raise GraphError(f"snapshot is {snapshot!r}, not a number")
    if not 0 <= snapshot < 1 << 64:
        raise GraphError(f"snapshot is {snapshot}, not a number of 64 bits without sign")
    seen = np.ones(len(index), bool)
    rows = np.flatnonzero(index.flags & k.IS_VERSIONED)
    _, since, until = tails(data, index, rows).T
    number = np.uint64(snapshot)
    seen[rows] = (since <= number) & ((until == 0) | (until > number))
    return seen


# -- texts ----------------------------------------------------------------------------------------


def texts_at(data: U8, starts: I64, stops: I64) -> TextArray:
    """Copy runs of bytes."""
    offsets = np.zeros(starts.size + 1, np.int64)
    np.cumsum(stops - starts, out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    starts, stops = read_only(starts), read_only(stops)
    kernels.dump_parts.copy_spans(data, starts, stops, read_only(offsets), out)
    return TextArray(offsets, out)


def kind_texts(data: U8, index: Index, rows: I64, number: int) -> TextArray:
    """Return the ``number``-th text, from 0, of the kind of entities."""
    starts, stops = np.empty(rows.size, np.int64), np.empty(rows.size, np.int64)
    places = read_only(index.places[rows])
    kernels.dump_parts.text_spans(data, places, magic_of(index.version), number, starts, stops)
    return texts_at(data, starts, stops)


# -- external ids ---------------------------------------------------------------------------------


def external_ids(data: U8, index: Index, rows: I64) -> tuple[AnyColumn, I64]:
    """Return the external ids of nodes, and a number for each that equal ones share.

    Raises
    ------
    LimitError
        An entity id that no integer of a graph holds.
    """
    ids = index.ids[rows].astype(np.int64)
    flagged = np.flatnonzero(index.flags[rows] & kernels.dump_steps.WITH_METADATA)
    at = _find_metadata(data, index, rows[flagged], ID_KEY)
    flagged, at = flagged[at >= 0], at[at >= 0]
    tags = data[at]
    ints, texts = tags == _INT, tags == _TEXT
    ids[flagged[ints]] = _words_at(data, at[ints] + 1, np.dtype("<i8"))
    wide = index.ids[rows] > np.uint64(2**63 - 1)
    wide[flagged[ints | texts]] = False
    if wide.any():
        row = int(rows[np.argmax(wide)])
        raise LimitError(
            f"{index.path}: {index.words(row)}: id {index.ids[row]} at byte {index.places[row]} is"
            f" beyond 63 bits, which no id of a graph is"
        )
    if not texts.any():
        return FixedColumn("int64", ids, None), IntKeys(ids.size).insert(ids)
    starts = at[texts] + 5
    sizes = _words_at(data, at[texts] + 1, np.dtype("<u4")).astype(np.int64)
    spelled = texts_at(data, starts, starts + sizes)
    is_text = np.zeros(rows.size, bool)
    is_text[flagged[texts]] = True
    numbers = np.flatnonzero(~is_text)
    keys = IntKeys(numbers.size)
    codes = np.empty(rows.size, np.int64)
    codes[numbers] = keys.insert(ids[numbers])
    codes[is_text] = len(keys) + TextKeys(len(spelled)).insert(spelled.offsets, spelled.data)
    if not numbers.size:
        return TextColumn(spelled, None), codes
    order = np.empty(rows.size, np.int64)
    order[np.concatenate([numbers, np.flatnonzero(is_text)])] = np.arange(rows.size)
    both = concatenate([FixedColumn("int64", ids[numbers], None), TextColumn(spelled, None)])
    return both.take(order), codes


def _find_metadata(data: U8, index: Index, rows: I64, key: str) -> I64:
    """Return where the values of a metadata key stand, from their tags on; -1: absent."""
    found = np.full(rows.size, -1, np.int64)
    if rows.size:
        depth = max(0, min(index.limits.depth, index.stop))
        kernels.dump_parts.find_metadata(
            data, read_only(index.places[rows]), magic_of(index.version), steps_of(index.version),
            read_only(np.frombuffer(key.encode(), np.uint8)), np.empty(2 * depth + 4, np.int64),
            found,
        )  # fmt: skip
    return found


def _words_at(data: U8, at: I64, dtype: np.dtype) -> np.ndarray:
    """Read numbers at any bytes."""
    matrix = data[at[:, None] + np.arange(dtype.itemsize)]
    return np.ascontiguousarray(matrix).reshape(-1).view(dtype)


# -- references -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class References:
    """References between entities, each once: ids of source and target, type, weight, place."""

    ids: U64
    types: I64
    weights: F64
    places: I64

    def take(self, rows: I64 | Bool) -> "References":
        """Return the chosen ones."""
        return References(self.ids[rows], self.types[rows], self.weights[rows], self.places[rows])


def references(data: U8, index: Index, rows: I64) -> References:
    """Return the references that entities hold, then those of the section.

    One that comes again, with the same source, target, type and collection of the target, is left
    out: so those of the section that repeat an entity's own, whose weight is kept.
    """
    k = kernels.dump_parts
    places, steps = read_only(index.places[rows]), steps_of(index.version)
    magic = magic_of(index.version)
    counts = np.zeros(rows.size, np.int64)
    k.count_references(data, places, magic, steps, counts)
    own, count = int(counts.sum()), index.section_count
    ids, found = np.empty((own + count, 2), np.uint64), np.empty((own + count, 5), np.int64)
    k.list_references(data, places, magic, steps, ids[:own], found[:own])
    if count:
        k.list_section(data, index.section_at, ids[own:], found[own:])
    at, types, starts, stops, bits = found.T
    types = np.where(types < len(layout.REF_TYPES), types, layout.RELATED_TO)
    names = texts_at(data, starts, stops)
    names_by_code = TextKeys().insert(names.offsets, names.data)
    weights = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    order = np.lexsort((names_by_code, types, ids[:, 1], ids[:, 0]))
    same = np.ones(max(0, order.size - 1), bool)
    for each in (names_by_code, types, ids[:, 1], ids[:, 0]):
        same &= each[order[1:]] == each[order[:-1]]
    first = np.ones(order.size, bool)
    first[order[1:][same]] = False
    return References(ids, types, weights, at.copy()).take(first)
