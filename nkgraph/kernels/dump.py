"""Walk a dump of a store: every byte checked once, every entity found.

A walk can be taken up again where it had to stop because an output was full; ``state`` keeps how
far it came. Steps, limits and notes: ``nkgraph.kernels.dump_steps``.

    state    int64   (STATES,)   see the names ``NEXT``, ... below
    parts    int64   (c, 4)      collections: name start, name stop, first row, byte behind the last
    places   int64   (n,)        entities: the item, which is a record from its length on, or bare
    ids      uint64  (n,)
    flags    uint16  (n,)        kind, data << 3 and the bits of ``dump_steps``
    packed   int64   (p,)        compressed values: their codes

Metadata is walked with a stack of four words a level: what is left of it, whether there are keys,
and where the last key stands.
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import I8, I64, U8, U16, U64, Int
from nkgraph.kernels import dump_steps as s
from nkgraph.kernels._jit import lean, lean_inlined, lean_part, lean_step

(
    NEXT, COLLECTIONS_LEFT, COLLECTION, ITEMS_LEFT, ROW, SECTION_AT, SECTION_COUNT, AUX_AT,
    AUX_BYTES, TRAILING, ODD_OUTSIDE, INSIDE,
) = range(12)  # fmt: skip
STATES: Final = 12
"""Of ``state``: the byte to go on at; what is left and done; the cross-reference section (0: none),
the aux blob and the bytes behind; whether anything outside of entities is odd; whether a
collection has been opened."""


# -- metadata -------------------------------------------------------------------------------------


@lean_inlined
def _wide_text(data: U8, at: Int, stop: Int, limits: I64, note: I64) -> tuple[Int, Int]:
    start, end = s.read_wide(data, at, stop, limits, note)
    if end >= 0:
        end = s.check_text(data, start, end, note)
    return start, end


@lean_step
def _target(data: U8, at: Int, stop: Int, limits: I64, note: I64) -> Int:
    if at >= stop:
        return s.fail(note, s.SHORT, at, 1, 0)
    if s.byte_at(data, at) >= limits[s.TARGET_KINDS]:
        return s.fail(note, s.BAD_CODE, at, s.byte_at(data, at), 0)
    _, at = _wide_text(data, at + 1, stop, limits, note)
    if at < 0:
        return at
    return at + 8 if stop - at >= 8 else s.fail(note, s.SHORT, at, 8, stop - at)


@lean_step
def _plain_metadata(step: Int, data: U8, at: Int, stop: Int, limits: I64, note: I64) -> Int:
    """Walk a step of metadata that holds no other metadata."""
    if step == s.WIDE_TEXT:
        return _wide_text(data, at, stop, limits, note)[1]
    if step == s.WIDE_BYTES:
        return s.read_wide(data, at, stop, limits, note)[1]
    if step == s.TARGET:
        return _target(data, at, stop, limits, note)
    if step == s.TARGET_LIST:
        count, at = s.read_wide_count(data, at, stop, limits[s.LEAST_TARGET], note)
        for _ in range(count):
            if at < 0:
                break
            at = _target(data, at, stop, limits, note)
        return at
    return s.walk_step(step, data, at, stop, limits, note)


@lean_step
def _open_level(
    data: U8, at: Int, stop: Int, step: Int, limits: I64, stack: I64, level: Int, note: I64
) -> Int:
    if level > limits[s.MOST_DEPTH]:
        return s.fail(note, s.TOO_DEEP, at - 1, level, limits[s.MOST_DEPTH])
    keyed = step == s.FIELDS
    least = limits[s.LEAST_FIELD if keyed else s.LEAST_METADATA]
    count, at = s.read_wide_count(data, at, stop, least, note)
    if at >= 0:
        stack[4 * level], stack[4 * level + 1] = count, keyed
        stack[4 * level + 2], stack[4 * level + 3] = -1, -1
    return at


@lean_step
def walk_metadata(
    data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, note: I64
) -> Int:
    """Walk a metadata block; return the byte behind its last field."""
    note[s.FIELD], note[s.KEY] = s.F_METADATA, -1
    at = _open_level(data, at, stop, s.FIELDS, limits, stack, 0, note)
    if at >= 0:
        if stack[0] == 0:
            note[s.ODD] = note[s.ROUGH] = 1  # as if there were none
        note[s.HAS_METADATA] = stack[0] > 0
    level = 0
    while at >= 0 and level >= 0:
        top = 4 * level
        if stack[top] == 0:
            level -= 1
            continue
        stack[top] -= 1
        if stack[top + 1] != 0:
            start, at = _wide_text(data, at, stop, limits, note)
            if at < 0:
                return at
            last, last_stop = stack[top + 2], stack[top + 3]
            if last >= 0 and s.compare_texts(data, last, last_stop, start, at) >= 0:
                note[s.ODD] = note[s.ROUGH] = 1
            stack[top + 2], stack[top + 3] = start, at
        if at >= stop:
            return s.fail(note, s.SHORT, at, 1, 0)
        place = s.STEPS * (s.METADATA + s.byte_at(data, at))
        at += 1
        while steps[place] != s.END and at >= 0:
            step = np.int64(steps[place])
            if step > 0:
                at = at + step if stop - at >= step else s.fail(note, s.SHORT, at, step, stop - at)
            elif step == s.UNKNOWN:
                return s.fail(note, s.BAD_CODE, at - 1, s.byte_at(data, at - 1), 0)
            elif step == s.ITEMS or step == s.FIELDS:
                level += 1
                at = _open_level(data, at, stop, step, limits, stack, level, note)
            else:
                at = _plain_metadata(step, data, at, stop, limits, note)
            place += 1
    if at >= 0 and at < stop:
        note[s.ODD] = note[s.ROUGH] = 1
    return at


# -- entities -------------------------------------------------------------------------------------


@lean_step
def _rare_step(
    step: Int, data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, packed: I64,
    note: I64,
) -> Int:  # fmt: skip
    """Walk a step that stands in few kinds and data: values by position, tags, floats, ..."""
    if step == s.ARRAY:
        note[s.FIELD] = s.F_VALUES
        count, at = s.read_count(data, at, stop, limits[s.LEAST_VALUE], note)
        for _ in range(count):
            if at < 0:
                return at
            at = s.walk_value_apart(data, at, stop, steps, limits, stack, packed, note)
        return at
    if step == s.VALUE:
        return s.walk_value_apart(data, at, stop, steps, limits, stack, packed, note)
    if step == s.TAGS:
        return s.walk_tags(data, at, stop, limits, note)
    return s.walk_step(step, data, at, stop, limits, note)


@lean_step
def _embeddings(count: Int, data: U8, at: Int, stop: Int, limits: I64, note: I64) -> Int:
    for _ in range(count):
        if at >= 0:
            _, at = s.read_text(data, at, stop, limits, note)
        if at >= 0:
            at = s.walk_step(s.FLOATS, data, at, stop, limits, note)
        if at >= 0:
            _, at = s.read_text(data, at, stop, limits, note)
        if at < 0:
            return at
    return at


@lean_step
def _references(
    row: Int, count: Int, data: U8, at: Int, stop: Int, steps: I8, limits: I64, note: I64
) -> Int:
    for _ in range(count):
        if at < 0:
            return at
        at = s.walk_steps(row, data, at, stop, steps, limits, note)
    return at


@lean_step
def _linked(data: U8, at: Int, stop: Int, steps: I8, limits: I64, note: I64) -> Int:
    """Walk embeddings and references, of which there are mostly none."""
    note[s.FIELD] = s.F_EMBEDDINGS
    count, at = s.read_count(data, at, stop, limits[s.LEAST_EMBEDDING], note)
    if at >= 0 and count > 0:
        at = _embeddings(count, data, at, stop, limits, note)
    if at >= 0:
        note[s.FIELD] = s.F_REFERENCES
        count, at = s.read_count(data, at, stop, limits[s.LEAST_REFERENCE], note)
        if at >= 0 and count > 0:
            at = _references(s.REFERENCE, count, data, at, stop, steps, limits, note)
    return at


@lean_step
def _tail(data: U8, at: Int, stop: Int, steps: I8, limits: I64, note: I64) -> Int:
    """Walk what follows the sequence id, as far as the version has it and bytes remain."""
    if note[s.TAG_DATA] == limits[s.QUEUE_DATA] and steps[s.STEPS * s.QUEUE] != s.END:
        note[s.FIELD] = s.F_QUEUE
        if at >= stop:
            note[s.ROUGH] = 1
        else:
            at = s.walk_steps(s.QUEUE, data, at, stop, steps, limits, note)
            if at < 0:
                return at
    if steps[s.STEPS * s.LOGICAL] != s.END:
        note[s.FIELD] = s.F_LOGICAL
        if at >= stop:
            note[s.ROUGH] = 1
        else:
            at = s.read_flag(data, at, stop, note)
            if at >= 0 and s.byte_at(data, at - 1) != 0:
                _, at = s.read_varint(data, at, stop, 10, note)
            if at < 0:
                return at
    if steps[s.STEPS * s.MVCC] != s.END:
        note[s.FIELD] = s.F_MVCC
        if at >= stop:
            note[s.ROUGH] = 1
        else:
            xmin, at = s.read_varint(data, at, stop, 10, note)
            if at < 0:
                return at
            xmax, at = s.read_varint(data, at, stop, 10, note)
            note[s.EXPIRED] = xmax != 0
            note[s.VERSIONED] = xmin != 0 or xmax != 0
    return at


@lean_inlined
def _number(data: U8, at: Int, stop: Int, field: Int, note: I64) -> tuple[np.uint64, Int]:
    note[s.FIELD] = field
    return s.read_varint(data, at, stop, 10, note)


@lean_part
def _tagged(
    data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, packed: I64, note: I64
) -> Int:
    """Walk kind and data, each a tag and what belongs to it."""
    for block in (s.KINDS, s.DATA):
        note[s.FIELD] = s.F_KIND if block == s.KINDS else s.F_DATA
        if at >= stop:
            return s.fail(note, s.SHORT, at, 1, 0)
        tag = s.byte_at(data, at)
        note[s.TAG_KIND if block == s.KINDS else s.TAG_DATA] = tag
        place = np.uint64(s.STEPS * (block + tag))
        at += 1
        step = np.int64(steps[place])
        while step != s.END:
            if step > 0:
                at = at + step if stop - at >= step else s.fail(note, s.SHORT, at, step, stop - at)
            elif step == s.TEXT:
                _, at = s.read_text(data, at, stop, limits, note)
            elif step == s.PROPERTIES:
                at = s.walk_properties(data, at, stop, steps, limits, stack, packed, note)
                note[s.KEY] = -1 if at >= 0 else note[s.KEY]
            elif step == s.MAYBE:
                at = s.read_flag(data, at, stop, note)
                if at >= 0 and s.byte_at(data, at - 1) == 0:
                    place += np.uint64(1)
            elif step == s.UNKNOWN:
                return s.fail(note, s.BAD_CODE, at - 1, tag, 0)
            else:
                at = _rare_step(step, data, at, stop, steps, limits, stack, packed, note)
            if at < 0:
                return at
            place += np.uint64(1)
            step = np.int64(steps[place])
    return at


@lean_part
def walk_entity(
    data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, packed: I64, note: I64
) -> Int:
    """Walk an entity that ends at ``stop`` or before; return the byte behind it."""
    number, at = _number(data, at, stop, s.F_ID, note)
    note[s.ID] = np.int64(number)
    if at >= 0:
        at = _tagged(data, at, stop, steps, limits, stack, packed, note)
    if at >= 0:
        _, at = _number(data, at, stop, s.F_CREATED, note)
    if at >= 0:
        _, at = _number(data, at, stop, s.F_UPDATED, note)
    if at >= 0:
        at = _linked(data, at, stop, steps, limits, note)
    if at >= 0:
        _, at = _number(data, at, stop, s.F_SEQUENCE, note)
    if at >= 0:
        at = _tail(data, at, stop, steps, limits, note)
    return at


@lean_step
def _open_record(data: U8, at: Int, stop: Int, limits: I64, note: I64) -> tuple[Int, Int, Int]:
    """Read a record's length and head: where its entity starts and stops, and where it ends.

    They are the same if it is an entity without a head. ``FAILED`` first if it is cut short.
    """
    note[s.FIELD] = s.F_RECORD_LENGTH
    if stop - at < 4:
        return s.fail(note, s.SHORT, at, 4, stop - at), at, at
    size = s.u32_at(data, at)
    if size > stop - at - 4:
        return s.fail(note, s.SHORT, at, size, stop - at - 4), at, at
    start = at + 4
    end = start + size
    if size < 8 or s.u32_at(data, start) != limits[s.RECORD_MAGIC]:
        note[s.ROUGH] = 1
        return start, end, end
    size = s.u32_at(data, start + 4)
    note[s.FIELD] = s.F_ENTITY_LENGTH
    if size > end - start - 8:
        return s.fail(note, s.BAD_RECORD, start + 4, size, end - start - 8), end, end
    if start + 8 + size > end - 4:
        note[s.FIELD] = s.F_METADATA_LENGTH
        behind = start + 8 + size
        return s.fail(note, s.SHORT, behind, 4, end - behind), end, end
    return start + 8, start + 8 + size, end


@lean_step
def _metadata_of(
    data: U8, behind: Int, end: Int, steps: I8, limits: I64, stack: I64, note: I64
) -> Int:
    """Walk what follows the entity in a record, when that is more than a length of 0."""
    note[s.FIELD] = s.F_METADATA_LENGTH
    size = s.u32_at(data, behind)
    if size > end - behind - 4:
        return s.fail(note, s.BAD_RECORD, behind, size, end - behind - 4)
    stop = behind + 4 + size
    if stop < end:
        note[s.ODD] = note[s.ROUGH] = 1
    if size == 0:
        return end
    at = walk_metadata(data, behind + 4, stop, steps, limits, stack, note)
    return at if at < 0 else end


@lean_part
def _item(
    data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, packed: I64, note: I64
) -> Int:
    """Walk an item of a collection: a record, or in early versions an entity."""
    start, behind, end = at, stop, stop
    records = limits[s.RECORDS] != 0
    if records:
        start, behind, end = _open_record(data, at, stop, limits, note)
        if start < 0:
            return start
    at = walk_entity(data, start, behind, steps, limits, stack, packed, note)
    if not records or at < 0:
        return at
    if at < behind:
        note[s.ODD] = note[s.ROUGH] = 1
    if behind < end and (s.u32_at(data, behind) != 0 or behind + 4 < end):
        return _metadata_of(data, behind, end, steps, limits, stack, note)
    return end


# -- the file -------------------------------------------------------------------------------------


@lean_step
def _open_collection(data: U8, stop: Int, limits: I64, state: I64, parts: I64, note: I64) -> Int:
    """Read name and count of the next collection."""
    note[s.FIELD] = s.F_COLLECTION_NAME
    start, end = s.read_text(data, state[NEXT], stop, limits, note)
    if end < 0:
        return end
    part = state[COLLECTION]
    parts[part, 0], parts[part, 1], parts[part, 2] = start, end, state[ROW]
    note[s.FIELD] = s.F_ENTITY_COUNT
    count, at = s.read_count(data, end, stop, limits[s.LEAST_ITEM], note)
    if at >= 0:
        state[ITEMS_LEFT], state[NEXT] = count, at
    return at


@lean_inlined
def _flags_of(note: I64) -> Int:
    flags: Int = note[s.TAG_KIND] | note[s.TAG_DATA] << 3
    if note[s.ROUGH] == 0:
        flags |= s.IS_PLAIN
    if note[s.ODD] != 0:
        flags |= s.IS_ODD
    if note[s.VERSIONED] != 0:
        flags |= s.IS_VERSIONED
    if note[s.EXPIRED] != 0:
        flags |= s.IS_EXPIRED
    if note[s.HAS_METADATA] != 0:
        flags |= s.WITH_METADATA
    return flags


@lean_inlined
def _clear(note: I64, limits: I64) -> None:
    note[s.ODD] = note[s.EXPIRED] = note[s.VERSIONED] = note[s.HAS_METADATA] = 0
    note[s.ROUGH] = 1 - limits[s.CURRENT]
    note[s.KEY] = -1


@lean_step
def _rest(data: U8, stop: Int, steps: I8, limits: I64, state: I64, note: I64) -> Int:
    """Walk what follows the collections, as far as it is there."""
    at = state[NEXT]
    if at < stop:
        state[SECTION_AT] = at
        note[s.FIELD] = s.F_SECTION
        state[SECTION_COUNT], at = s.read_count(data, at, stop, limits[s.LEAST_LINK], note)
        at = _references(s.SECTION, state[SECTION_COUNT], data, at, stop, steps, limits, note)
        if at < 0:
            return np.int64(note[s.STATUS])
    if at < stop and limits[s.AUX] != 0:
        note[s.FIELD] = s.F_AUX
        if stop - at < 4 or s.u32_at(data, at) > stop - at - 4:
            size = 4 if stop - at < 4 else 4 + s.u32_at(data, at)
            s.fail(note, s.SHORT, at, size, stop - at)
            return s.SHORT
        state[AUX_AT], state[AUX_BYTES] = at + 4, s.u32_at(data, at)
        at += 4 + state[AUX_BYTES]
    state[NEXT] = at
    state[TRAILING] = stop - at
    if note[s.ODD] != 0 or at < stop:
        state[ODD_OUTSIDE] = 1
    return s.OK


@lean
def walk(
    data: U8, stop: Int, steps: I8, limits: I64, stack: I64, state: I64, parts: I64, places: I64,
    ids: U64, flags: U16, packed: I64, note: I64,
) -> Int:  # fmt: skip
    """Walk collections, references and aux; return a status, ``FULL`` where an output is.

    To begin with, ``state`` holds the byte behind the version in ``NEXT``, ``COLLECTIONS_LEFT``
    -1, and zeros. O(bytes), no allocation.
    """
    _clear(note, limits)
    if state[COLLECTIONS_LEFT] < 0:
        note[s.FIELD] = s.F_COLLECTION_COUNT
        count, at = s.read_count(data, state[NEXT], stop, limits[s.LEAST_COLLECTION], note)
        if at < 0:
            return np.int64(note[s.STATUS])
        state[COLLECTIONS_LEFT], state[NEXT] = count, at
        state[ODD_OUTSIDE] |= note[s.ODD]
    while state[INSIDE] != 0 or state[COLLECTIONS_LEFT] > 0:
        if state[INSIDE] == 0:
            if state[COLLECTION] == parts.shape[0]:
                return s.FULL
            _clear(note, limits)
            if _open_collection(data, stop, limits, state, parts, note) < 0:
                return np.int64(note[s.STATUS])
            state[INSIDE] = 1
            state[ODD_OUTSIDE] |= note[s.ODD]
        while state[ITEMS_LEFT] > 0:
            row, at = state[ROW], state[NEXT]
            if row == places.size:
                return s.FULL
            _clear(note, limits)
            kept, unpacked = note[s.PACKED], note[s.UNPACKED]
            at = _item(data, at, stop, steps, limits, stack, packed, note)
            if at < 0:
                if note[s.STATUS] == s.FULL:
                    note[s.PACKED], note[s.UNPACKED] = kept, unpacked
                return np.int64(note[s.STATUS])
            places[row], ids[row] = state[NEXT], np.uint64(note[s.ID])
            flags[row] = _flags_of(note)
            state[NEXT], state[ROW] = at, row + 1
            state[ITEMS_LEFT] -= 1
        parts[state[COLLECTION], 3] = state[NEXT]
        state[COLLECTION] += 1
        state[COLLECTIONS_LEFT] -= 1
        state[INSIDE] = 0
    _clear(note, limits)
    return _rest(data, stop, steps, limits, state, note)
