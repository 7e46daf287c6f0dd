"""Rows of a node type that satisfy conditions; segments that cannot hold one are not read.

A condition that a text index answers is left to it, where that is less work than to look at all
rows; then the others are evaluated on what it found alone.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nkgraph.dtypes import I64, U32, Bool
from nkgraph.errors import GraphError
from nkgraph.filtering import Condition, evaluate, only_texts
from nkgraph.indexing import TextIndexes
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, MixedColumn
from nkgraph.storage.growing import GrowingColumn
from nkgraph.storage.kglite.names import fnv1a
from nkgraph.type_table import TypeTable

ROWS_PAY = 64
"""Rows that are looked at in the time of one look-up in an index."""


def select_indexed(
    indexes: TextIndexes, table: TypeTable, count: int, conditions: Sequence[Condition]
) -> tuple[U32 | None, list[Condition]]:
    """Let a text index answer one of the conditions on ``count`` nodes, if that pays.

    Returns
    -------
    nodes : (k,) uint32 or None
        Those that satisfy it, ascending; None where none was answered.
    conditions : list of Condition
        The others.
    """
    for place, condition in enumerate(conditions):
        pairs = (table.name, condition.column), (None, condition.column)
        pair = next(filter(indexes.has, pairs), None)
        pays = len(condition.members.texts) * ROWS_PAY <= count
        texts = only_texts(condition) if pair is not None and pays else None
        if pair is not None and texts is not None:
            is_prefix = condition.operator == "startswith"
            nodes = indexes.find(pair, texts, is_prefix, table.name)[1]
            if len(texts) > 1:
                nodes = np.sort(nodes)
                nodes = nodes[np.concatenate([[True], nodes[1:] != nodes[:-1]])[: nodes.size]]
            return nodes, [*conditions[:place], *conditions[place + 1 :]]
    return None, list(conditions)


def select_rows(
    table: TypeTable, rows: I64, conditions: Sequence[Condition], aliases: Mapping[str, str]
) -> Bool:
    """Say which of ``rows`` satisfy all conditions.

    O(rows) time for each condition, less the rows of segments whose ranges rule it out, and
    those that an earlier condition ruled out.
    """
    chosen = np.ones(rows.size, bool)
    held = [table.column(condition.column, aliases) for condition in conditions]
    for condition, column in zip(conditions, held, strict=True):
        at = np.flatnonzero(chosen)
        chosen[at] = _satisfying(table, column, rows[at], condition)
    return chosen


def _satisfying(table: TypeTable, column: GrowingColumn, rows: I64, condition: Condition) -> Bool:
    found = np.zeros(rows.size, bool)
    is_property = condition.column in table.properties
    for number, part, at, local in column.split(rows):
        pruned = is_property and not part.changed and _ruled_out(table, number, condition)
        if not pruned:
            found[at] = _evaluate(column, part.take(local), condition)
    return found


def _ruled_out(table: TypeTable, number: int, condition: Condition) -> bool:
    ranges = table.ranges(number)
    known = ranges.get((table.hash, fnv1a(condition.column)))
    return not condition.may_match(known)


def _evaluate(column: GrowingColumn, part: AnyColumn, condition: Condition) -> Bool:
    """Evaluate a part as one of its column: whose kind may differ from segment to segment."""
    try:
        return evaluate(part, condition)
    except GraphError:
        whole = column.read()
        # A part whose values were all removed may be of a kind that the column has no more.
        stray = columns.is_absent(part) and whole.kind != part.kind
        if isinstance(whole, MixedColumn) or stray:
            return evaluate(MixedColumn(columns.to_values(part)), condition)
        raise
