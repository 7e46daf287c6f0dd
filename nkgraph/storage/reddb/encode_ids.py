"""Entity ids of nodes and edges, and what goes into the metadata of nodes: own ids, labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8
from nkgraph.errors import GraphError
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import MixedColumn, TextColumn
from nkgraph.storage.kglite.id_keys import integer_values, integers_of
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.any_graph import AnyGraph, NodeType
from nkgraph.storage.reddb.encode_columns import NO_STATES
from nkgraph.storage.text import TextArray

OWN_ID, LABELS = "nkgraph.id", "nkgraph.labels"
"""Metadata keys: an external id that is not the entity id, and secondary labels."""
NO_ROWS: I64 = np.zeros(0, np.int64)
_TAG = {entry.name: entry.code for entry in layout.METADATA}
_INT, _TEXT = 1, 2  # forms of an own id in dump_write


class TypeRows(NamedTuple):
    """The live nodes of one type."""

    name: str
    table: NodeType
    rows: I64
    """Rows of the columns; () where they are 0, 1, 2 …"""
    places: I64
    """Places among all live nodes."""


class ExternalIds(NamedTuple):
    """External ids of the nodes of one type, by place in the type."""

    forms: U8
    ints: I64
    texts: TextArray
    dense: bool


@dataclass
class Own:
    """Metadata of the nodes of one type, by place in the type."""

    forms: U8 = field(default_factory=lambda: NO_STATES)
    """0 none, 1 an integer, 2 a text; () is 0 all over."""
    ints: I64 = field(default_factory=lambda: NO_ROWS)
    texts: TextArray = field(default_factory=TextArray.empty)
    dense: bool = True
    """Whether texts go by place in the type; else by row."""
    label_of: I64 = field(default_factory=lambda: NO_ROWS)


def external_ids(part: TypeRows) -> ExternalIds:
    """Take the external ids of the nodes of a type apart.

    Raises
    ------
    GraphError
        One is neither an integer nor a text, with its row.
    """
    column = part.table.ids.read()
    count = part.places.size
    if isinstance(column, TextColumn) and column.valid is None:
        forms = np.full(count, _TEXT, np.uint8)
        return ExternalIds(forms, NO_ROWS, column.text, False)
    if part.rows.size:
        column = column.take(part.rows)
    rows, _ = integers_of(column)
    forms, ints = np.zeros(count, np.uint8), np.zeros(count, np.int64)
    forms[rows] = _INT
    ints[rows] = integer_values(column, rows)
    texts = TextArray.empty()
    if isinstance(column, MixedColumn):
        at = column.values.tags == kinds.TEXT
        forms[at] = _TEXT
        lengths = np.zeros(count + 1, np.int64)
        held = column.values.take(np.flatnonzero(at)).texts()
        lengths[1:][at] = np.diff(held.offsets)
        texts = TextArray(np.cumsum(lengths), held.data)
    elif isinstance(column, TextColumn):
        texts = column.text
        forms[column.valid] = _TEXT
    if not forms.all():
        row = int(np.argmin(forms))
        node = int(part.table.nodes[row])
        raise GraphError(
            f"{part.name}: row {row} (node {node}): its id is neither an integer nor a text: "
            "a dump has no form for it"
        )
    return ExternalIds(forms, ints, texts, True)


def entity_ids(parts: Sequence[TypeRows], external: Sequence[ExternalIds], count: int) -> I64:
    """Give each node and edge, (count,), its entity id: unique integers keep theirs."""
    ids = np.zeros(count, np.int64)
    for part, own in zip(parts, external, strict=True):
        if own.ints.size:
            fit = (own.forms == _INT) & (own.ints >= layout.FIRST_ID)
            ids[part.places[fit]] = own.ints[fit]
    kept = np.sort(ids[ids > 0])
    twice = kept[1:][kept[1:] == kept[:-1]]
    if twice.size:
        ids[np.isin(ids, twice)] = 0
        kept = kept[~np.isin(kept, twice)]
    at = np.flatnonzero(ids == 0)
    if at.size:
        taken = np.zeros(at.size + kept.size, bool)
        near = kept[kept - layout.FIRST_ID < taken.size] - layout.FIRST_ID
        taken[near] = True
        ids[at] = np.flatnonzero(~taken)[: at.size] + layout.FIRST_ID
    return ids


def own_metadata(external: ExternalIds, part: TypeRows, ids: I64, label_of: I64) -> Own:
    """Return what goes into metadata: ids that are not entity ids, and labels."""
    forms = external.forms
    if external.ints.size:
        forms = np.where((forms == _INT) & (ids[part.places] == external.ints), 0, forms)
    own = Own(label_of=read_only(label_of[part.places]) if label_of.size else NO_ROWS)
    if forms.any():
        own.forms = read_only(forms.astype(np.uint8))
        own.ints = read_only(external.ints)
        own.texts, own.dense = external.texts, external.dense
    return own


def label_fields(graph: AnyGraph, place_of: I64, count: int) -> tuple[TextArray, I64]:
    """Return encoded metadata fields, and which of them each live node has; () without any."""
    combinations: list[tuple[str, ...]] = [()]
    label_of = np.zeros(count, np.int64)
    for label, nodes in sorted(graph.secondary_labels.items()):
        places = place_of[nodes]
        places = places[places >= 0]
        used = np.zeros(len(combinations), bool)
        used[label_of[places]] = True
        become = np.zeros(used.size, np.int64)
        become[used] = len(combinations) + np.arange(np.count_nonzero(used))
        combinations += [(*combinations[old], label) for old in np.flatnonzero(used).tolist()]
        label_of[places] = become[label_of[places]]
    if len(combinations) == 1:
        return TextArray(np.zeros(2, np.int64), np.zeros(0, np.uint8)), NO_ROWS
    live = np.zeros(len(combinations), bool)
    live[label_of] = True
    fields = [
        _labels_field(names) if names and kept else b""
        for names, kept in zip(combinations, live.tolist(), strict=True)
    ]
    offsets = np.cumsum([0, *map(len, fields)])
    return TextArray(offsets, np.frombuffer(b"".join(fields), np.uint8)), label_of


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def field_head(key: str, tag: str) -> bytes:
    """Encode the key of a metadata field and the tag of its value."""
    return _u32(len(key.encode())) + key.encode() + bytes([_TAG[tag]])


def _labels_field(names: Sequence[str]) -> bytes:
    encoded = [name.encode() for name in names]
    items = b"".join(bytes([_TAG["string"]]) + _u32(len(name)) + name for name in encoded)
    return field_head(LABELS, "array") + _u32(len(encoded)) + items
