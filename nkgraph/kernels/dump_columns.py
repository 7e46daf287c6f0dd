"""Nodes and edges of a dump to columns, without an object an entity.

The bytes have been walked (``nkgraph.kernels.dump``), so nothing is checked again. Two passes over
the entities of one kind: ``survey`` numbers types and properties and says what each holds, then
room is made, and ``fill`` writes the values.

    tables, columns   int64 (capacity, WIDTH)   a row for each type; for each type and key
    slots             int64 (2**k,)             hash table of names: row + 1, or 0

A type's name or a key is ``data[row[START]:row[STOP]]``; START is ``MADE`` where it is not in the
data: a type without a name, and the weight, which every type of edges has. A key mostly follows
the same key as last time, so that is tried before its hash.

    general positions  int64   where the value's code stands; ``ABSENT``; a weight that is no
                               property: -2 - 2 * position, one less for one of a kind
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import F64, I8, I32, I64, U8, U32, U64, Bool, Int
from nkgraph.kernels import dump_steps as s
from nkgraph.kernels._jit import lean, lean_inlined, lean_step
from nkgraph.kernels.dump_reads import (
    kind_at,
    length_at,
    properties_at,
    same_bytes,
    skip_value,
    word_of,
)
from nkgraph.kernels.intrinsics import load_word

(
    START, STOP, OWNER, HASH, FOLLOW, COUNT, MASK, BYTES, LAST, OUT, BASE, VALID, TEXT_AT,
) = range(13)  # fmt: skip
WIDTH: Final = 13
"""Of a row of ``tables`` or ``columns``: its name; the type that a key belongs to (-1); its hash;
the column that came next (of a type: first) last time; entities or values; classes of values seen
(of a type of edges: its weight's column); bytes of text (of a type: of its labels); the row that
had the key last (of a type: rows written); the form of the output, and where its items, its
validity (-1: none) and its text begin."""
MADE: Final = -1
(ROW, TABLES, COLUMNS, DEFAULT, PATCHES) = range(5)
STATES: Final = 5
"""Of ``state``: where to go on, rows of ``tables`` and ``columns`` in use, the type without a name
(-1), compressed texts to be filled in."""

(
    NULL, BOOL, U8_INT, U16_INT, U32_INT, I64_INT, U64_INT, FLOAT, DECIMAL, MICRO, DATE, SECONDS,
    MILLIS, TEXT, PACKED, OTHER,
) = range(16)  # fmt: skip
"""How a payload is read; by code in ``forms``."""
IS_BOOL, IS_INT, IS_FLOAT, IS_DATE, IS_TIMESTAMP, IS_TEXT, IS_OTHER = 1, 2, 4, 8, 16, 32, 64
"""Classes of values, as bits: kinds of columns, and whatever needs a look at each value."""
SKIP, WORDS, BYTE, DAYS, TEXTS, GENERAL = range(6)
"""Forms of outputs: none; 8 bytes, 1 byte or 4 bytes a row; text; positions."""
ABSENT: Final = -1
FULL: Final = 1

_WEIGHT: Final = np.uint64(int.from_bytes(b"weight", "little"))
_WEIGHT_BYTES: Final = 6
_MIX_1: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_2: Final = np.uint64(0xD6E8FEB86659FD93)
_32: Final = np.uint64(32)
_EXACT: Final = 1 << 53
_LEAST: Final = -(1 << 63)


# -- names ----------------------------------------------------------------------------------------


@lean_inlined
def _hash(data: U8, start: Int, stop: Int, owner: Int) -> np.uint64:
    code = np.uint64(owner + 2) * _MIX_2 + np.uint64(stop - start)
    while start < stop:
        size = min(8, stop - start)
        code = (code ^ word_of(data, start, size)) * _MIX_1
        code ^= code >> _32
        start += 8
    code *= _MIX_2
    return code ^ (code >> _32)


@lean_step
def _intern(
    data: U8, start: Int, stop: Int, owner: Int, slots: I64, entries: I64, count: Int
) -> Int:
    """Return the row of a name, which is ``count`` if it is new; -1 if there is no room."""
    code = np.int64(_hash(data, start, stop, owner))
    mask = slots.size - 1
    slot = code & mask
    while slots[slot] != 0:
        found: Int = slots[slot] - 1
        if entries[found, HASH] == code and entries[found, OWNER] == owner:
            first = entries[found, START]
            size = stop - start
            if entries[found, STOP] - first == size and same_bytes(data, first, start, size):
                return found
        slot = (slot + 1) & mask
    if count == entries.shape[0]:
        return -1
    slots[slot] = count + 1
    _begin(entries, count, start, stop, owner, code)
    return count


@lean_step
def _begin(entries: I64, row: Int, start: Int, stop: Int, owner: Int, code: Int) -> None:
    for place in range(WIDTH):
        entries[row, place] = 0
    entries[row, START], entries[row, STOP] = start, stop
    entries[row, OWNER], entries[row, HASH] = owner, code
    entries[row, FOLLOW] = entries[row, LAST] = entries[row, VALID] = -1


@lean
def fill_slots(entries: I64, count: Int, slots: I64) -> None:
    """Fill the zeroed, wider ``slots`` with the rows in use."""
    mask = slots.size - 1
    for row in range(count):
        if entries[row, START] != MADE:
            slot = entries[row, HASH] & mask
            while slots[slot] != 0:
                slot = (slot + 1) & mask
            slots[slot] = row + 1


@lean_step
def _new_table(row: Int, edges: bool, tables: I64, columns: I64, state: I64) -> Int:
    """Take a type into use, which for edges needs a column of weights; -1 if there is no room."""
    if edges:
        if state[COLUMNS] == columns.shape[0]:
            return -1
        _begin(columns, state[COLUMNS], MADE, MADE, row, 0)
        tables[row, MASK] = state[COLUMNS]
        state[COLUMNS] += 1
    state[TABLES] = row + 1
    return row


@lean_inlined
def _table_of(
    data: U8, start: Int, stop: Int, default: np.uint64, default_bytes: Int, edges: bool,
    table_slots: I64, tables: I64, columns: I64, state: I64,
) -> Int:  # fmt: skip
    """Number a type's name; the empty one is ``default``, of at most eight bytes."""
    size = stop - start
    if size == 0 or (size == default_bytes and word_of(data, start, size) == default):
        if state[DEFAULT] < 0:
            if state[TABLES] == tables.shape[0]:
                return -1
            _begin(tables, state[TABLES], MADE, MADE, -1, 0)
            row = _new_table(state[TABLES], edges, tables, columns, state)
            if row < 0:
                return row
            state[DEFAULT] = row
        return np.int64(state[DEFAULT])
    if edges and state[COLUMNS] == columns.shape[0]:
        return -1
    row = _intern(data, start, stop, -1, table_slots, tables, state[TABLES])
    if row == state[TABLES]:
        return _new_table(row, edges, tables, columns, state)
    return row


@lean_inlined
def _column_of(
    data: U8, start: Int, stop: Int, table: Int, guess: Int, edges: bool, slots: I64,
    tables: I64, columns: I64, state: I64,
) -> Int:  # fmt: skip
    size = stop - start
    if edges and size == _WEIGHT_BYTES and word_of(data, start, size) == _WEIGHT:
        return np.int64(tables[table, MASK])
    if guess >= 0 and columns[guess, START] != MADE:
        first = columns[guess, START]
        if columns[guess, STOP] - first == size and same_bytes(data, first, start, size):
            return guess
    column = _intern(data, start, stop, table, slots, columns, state[COLUMNS])
    if column == state[COLUMNS]:
        state[COLUMNS] += 1
    return column


# -- the survey -----------------------------------------------------------------------------------


@lean_inlined
def _class_of(data: U8, at: Int, form: Int) -> Int:
    """Say of which class a value is, whose payload is at ``at``."""
    if form == NULL:
        return 0
    if form == BOOL:
        return IS_BOOL
    if form >= U8_INT and form <= I64_INT:
        return IS_INT
    if form == FLOAT or form == MICRO:
        return IS_FLOAT
    if form == TEXT or form == PACKED:
        return IS_TEXT
    if form == DATE:
        return IS_DATE
    if form == OTHER:
        return IS_OTHER
    value = np.int64(load_word(data, at))
    if form == U64_INT:
        return IS_INT if value >= 0 else IS_OTHER
    if form == DECIMAL:
        return IS_FLOAT if -_EXACT <= value <= _EXACT else IS_OTHER
    if form == SECONDS:
        return IS_TIMESTAMP if value != _LEAST else IS_OTHER
    return IS_TIMESTAMP if value % 1000 == 0 else IS_OTHER


@lean_step
def parse_id(data: U8, start: Int, stop: Int) -> tuple[np.uint64, bool]:
    """Read a decimal id as it is written: no sign, no zeros before it, 64 bits."""
    size = stop - start
    value = np.uint64(0)
    if size < 1 or size > 20 or (size > 1 and s.byte_at(data, start) == 48):
        return value, False
    for place in range(start, stop):
        digit = np.uint64(s.byte_at(data, place)) - np.uint64(48)
        if digit > 9:
            return value, False
        if place - start == 19 and (
            value > np.uint64(1844674407370955161)
            or (value == np.uint64(1844674407370955161) and digit > 5)
        ):
            return value, False
        value = value * np.uint64(10) + digit
    return value, True


@lean_step
def _survey_properties(
    data: U8, at: Int, row: Int, table: Int, edges: bool, steps: I8, forms: U8, slots: I64,
    tables: I64, columns: I64, state: I64,
) -> Int:  # fmt: skip
    """Take down the properties of an entity; -1 if there is no room for a new key."""
    count, at = length_at(data, at)
    guess: Int = tables[table, FOLLOW]
    last: Int = np.int64(-1)
    for _ in range(count):
        size, start = length_at(data, at)
        at = start + size
        column = _column_of(data, start, at, table, guess, edges, slots, tables, columns, state)
        if column < 0:
            return -1
        if last < 0:
            tables[table, FOLLOW] = column
        else:
            columns[last, FOLLOW] = column
        last, guess = column, columns[column, FOLLOW]
        form = np.int64(forms[np.uint64(s.byte_at(data, at))])
        seen = _class_of(data, at + 1, form)
        if seen == IS_TEXT:
            columns[column, BYTES] += length_at(data, at + 1)[0]
        if columns[column, LAST] == row:
            seen |= IS_OTHER  # a key that is repeated: the last value counts
        columns[column, LAST] = row
        columns[column, MASK] |= seen
        columns[column, COUNT] += seen != 0
        at = skip_value(data, at, steps)
    return at


@lean
def survey(
    data: U8, places: I64, magic: Int, steps: I8, forms: U8, edges: bool, default: np.uint64,
    default_bytes: Int, table_slots: I64, tables: I64, slots: I64, columns: I64, state: I64,
    table_of: U32, ends: U64, known: Bool,
) -> Int:  # fmt: skip
    """Number types and keys of nodes or edges, and take down what their values are.

    Parameters
    ----------
    places : (n,) int64
        Items of the entities, all nodes or all edges.
    table_of : (n,) uint32, written in place
    ends : (n, 2) uint64, written in place
        Of edges: the ids at both ends; of nodes: (0, 2).
    known : (n, 2) bool, written in place
        Whether an end is an id at all.

    Returns
    -------
    int
        0, or ``FULL``: to go on, with more room, and without ``LAST`` of row ``state[ROW]``.
    """
    for row in range(state[ROW], places.size):
        state[ROW] = row
        size, label = length_at(data, kind_at(data, places[row], magic))
        behind = label + size
        label_bytes = size
        size, start = length_at(data, behind)
        at = start + size
        name, name_stop = start, at
        if edges:
            name, name_stop = label, behind
            ends[row, 0], known[row, 0] = parse_id(data, start, at)
            size, start = length_at(data, at)
            at = start + size
            ends[row, 1], known[row, 1] = parse_id(data, start, at)
            at += 4
        table = _table_of(
            data, name, name_stop, default, default_bytes, edges, table_slots, tables, columns,
            state,
        )  # fmt: skip
        if table < 0:
            return FULL
        at, _ = properties_at(data, at, steps)
        if at >= 0:
            at = _survey_properties(
                data, at, row, table, edges, steps, forms, slots, tables, columns, state
            )
            if at < 0:
                return FULL
        if edges and columns[tables[table, MASK], LAST] != row:
            columns[tables[table, MASK], MASK] |= IS_FLOAT
            columns[tables[table, MASK], COUNT] += 1
        table_of[row] = table
        tables[table, COUNT] += 1
        tables[table, BYTES] += label_bytes
    state[ROW] = places.size
    return 0


# -- filling --------------------------------------------------------------------------------------


@lean_inlined
def _copy(data: U8, start: Int, size: Int, out: U8, to: Int) -> None:
    """Copy bytes, eight a step: up to seven are written behind, where there is room."""
    at, target = np.uint64(start), np.uint64(to)
    stop = np.uint64(start + size)
    last = np.uint64(max(data.size - 8, 0))
    while at < stop and at <= last:
        word = load_word(data, at)
        for k in range(8):
            out[target + np.uint64(k)] = np.uint8(word >> np.uint64(8 * k) & np.uint64(255))
        at += np.uint64(8)
        target += np.uint64(8)
    while at < stop:
        out[target] = data[at]
        at += np.uint64(1)
        target += np.uint64(1)


@lean_inlined
def _i32_at(data: U8, at: Int) -> Int:
    return np.int64(np.int32(s.u32_at(data, at)))


@lean_step
def _rare_word(data: U8, at: Int, form: Int, place: Int, words: I64, floats: F64) -> None:
    if form == DECIMAL:
        floats[place] = np.float64(np.int64(load_word(data, at))) / 10000.0
    elif form == MICRO:
        floats[place] = np.float64(_i32_at(data, at)) / 1000000.0
    elif form == MILLIS:
        words[place] = np.int64(load_word(data, at)) // 1000
    elif form == U8_INT:
        words[place] = s.byte_at(data, at)
    elif form == U16_INT:
        words[place] = s.byte_at(data, at) | s.byte_at(data, at + 1) << 8
    else:
        words[place] = s.u32_at(data, at)


@lean_inlined
def _fill_text(
    data: U8, at: Int, form: Int, entry: Int, row: Int, entries: I64, words: I64, text: U8,
    state: I64, patches: I64,
) -> None:  # fmt: skip
    size, start = length_at(data, at)
    to = entries[entry, TEXT_AT]
    if form == PACKED:
        patches[state[PATCHES], 0], patches[state[PATCHES], 1] = at - 1, to
        state[PATCHES] += 1
    else:
        _copy(data, start, size, text, to)
    words[entries[entry, BASE] + row + 1] = size
    entries[entry, TEXT_AT] = to + size


@lean_inlined
def _fill_value(
    data: U8, at: Int, form: Int, column: Int, row: Int, columns: I64, words: I64, floats: F64,
    small: U8, days: I32, text: U8, state: I64, patches: I64,
) -> None:  # fmt: skip
    """Write a value, whose code is at ``at``."""
    out = columns[column, OUT]
    place = columns[column, BASE] + row
    if out == GENERAL:
        words[place] = at
        return
    if form == NULL or out == SKIP:
        return
    if columns[column, VALID] >= 0:
        small[columns[column, VALID] + row] = 1
    if out == WORDS:
        if form == I64_INT or form == FLOAT or form == U64_INT or form == SECONDS:
            words[place] = np.int64(load_word(data, at + 1))
        else:
            _rare_word(data, at + 1, form, place, words, floats)
    elif out == TEXTS:
        _fill_text(data, at + 1, form, column, row, columns, words, text, state, patches)
    elif out == BYTE:
        small[place] = s.byte_at(data, at + 1) != 0
    else:
        days[place] = np.int32(s.u32_at(data, at + 1))


@lean_inlined
def _fill_weight(
    data: U8, weight: Int, kind_weight: Int, column: Int, row: Int, columns: I64, words: I64,
    floats: F64, small: U8,
) -> None:  # fmt: skip
    """Write the weight of an edge that has no property of that name."""
    place = columns[column, BASE] + row
    if columns[column, OUT] == GENERAL:
        words[place] = -2 - 2 * weight if weight >= 0 else -3 - 2 * kind_weight
        return
    if columns[column, VALID] >= 0:
        small[columns[column, VALID] + row] = 1
    if weight >= 0:
        floats[place] = np.float64(np.uint32(s.u32_at(data, weight)).view(np.float32))
    else:
        floats[place] = np.float64(s.u32_at(data, kind_weight)) / 1000.0


@lean
def fill(
    data: U8, places: I64, magic: Int, steps: I8, forms: U8, edges: bool, table_of: U32,
    slots: I64, tables: I64, columns: I64, state: I64, words: I64, floats: F64, small: U8,
    days: I32, text: U8, patches: I64,
) -> None:  # fmt: skip
    """Write labels of nodes and values of properties to where ``tables`` and ``columns`` say.

    Parameters
    ----------
    places : (n,) int64
        Items of the entities that stay, in their order.
    table_of : (n,) uint32
        The type of each.
    tables : updated in place
        ``LAST`` is 0 to begin with.
    columns : updated in place
        ``LAST`` is -1 to begin with; it becomes the last row of the type that had the key.
    words, floats : the same memory, as int64 and float64
        Texts: lengths, from their second item on. General columns are filled with ``ABSENT``.
    small, days, text : validity and booleans; dates; text with eight bytes to spare a column
    patches : (p, 2) int64, written in place
        Compressed texts: where the code stands, and where in ``text`` it goes.
    """
    for i in range(places.size):
        table = np.int64(table_of[i])
        row = tables[table, LAST]
        tables[table, LAST] = row + 1
        at = kind_at(data, places[i], magic)
        if not edges:
            _fill_text(data, at, TEXT, table, row, tables, words, text, state, patches)
        size, at = length_at(data, at)
        size, at = length_at(data, at + size)
        at += size
        kind_weight = at
        if edges:
            size, at = length_at(data, at)
            kind_weight = at + size
            at = kind_weight + 4
        at, weight = properties_at(data, at, steps)
        count: Int = np.int64(0)
        if at >= 0:
            count, at = length_at(data, at)
        guess = tables[table, FOLLOW]
        last = np.int64(-1)
        for _ in range(count):
            size, start = length_at(data, at)
            at = start + size
            column = _column_of(data, start, at, table, guess, edges, slots, tables, columns, state)
            if last < 0:
                tables[table, FOLLOW] = column
            else:
                columns[last, FOLLOW] = column
            last, guess = np.int64(column), columns[column, FOLLOW]
            columns[column, LAST] = row
            form = np.int64(forms[np.uint64(s.byte_at(data, at))])
            _fill_value(
                data, at, form, column, row, columns, words, floats, small, days, text, state,
                patches,
            )  # fmt: skip
            at = skip_value(data, at, steps)
        if edges and columns[tables[table, MASK], LAST] != row:
            column = tables[table, MASK]
            columns[column, LAST] = row
            _fill_weight(data, weight, kind_weight, column, row, columns, words, floats, small)
