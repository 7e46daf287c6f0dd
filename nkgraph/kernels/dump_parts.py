"""Parts of entities of a dump that few readers ask for: tails, metadata, references, texts.

The bytes have been walked (``nkgraph.kernels.dump``), so nothing is checked again.
"""

import numpy as np

from nkgraph.dtypes import I8, I64, U8, U64, Int
from nkgraph.kernels import dump_steps as s
from nkgraph.kernels._jit import lean, lean_step
from nkgraph.kernels.dump_reads import (
    entity_at,
    kind_at,
    length_at,
    number_at,
    skip_value,
)

_ONE = np.uint32(0x3F800000)
"""1.0 as a float32."""


@lean_step
def _skip_values(count: Int, data: U8, at: Int, steps: I8) -> Int:
    for _ in range(count):
        at = skip_value(data, at, steps)
    return at


@lean_step
def _skip_step(step: Int, data: U8, at: Int, steps: I8) -> Int:
    """Return the byte behind one step of a kind, of data or of a tail."""
    if step > 0:
        return at + step
    if step == s.FLAG or step == s.KIND_OF_REFERENCE:
        return at + 1
    if step == s.TEXT or step == s.BYTES:
        size, at = length_at(data, at)
        return at + size
    if step == s.FLOATS:
        size, at = length_at(data, at)
        return at + 4 * size
    if step == s.VALUE:
        return _skip_values(1, data, at, steps)
    if step == s.ARRAY:
        size, at = length_at(data, at)
        return _skip_values(size, data, at, steps)
    if step == s.PROPERTIES or step == s.TAGS:
        count, at = length_at(data, at)
        for _ in range(count):
            size, at = length_at(data, at)
            at += size
            if step == s.PROPERTIES:
                at = _skip_values(1, data, at, steps)
            else:
                size, at = length_at(data, at)
                at += size
        return at
    return number_at(data, at)[1]


@lean_step
def _skip_row(row: Int, data: U8, at: Int, steps: I8) -> Int:
    place = s.STEPS * row
    while steps[place] != s.END:
        if steps[place] == s.MAYBE:
            at += 1
            if s.byte_at(data, at - 1) == 0:
                place += 1
        else:
            at = _skip_step(np.int64(steps[place]), data, at, steps)
        place += 1
    return at


@lean_step
def _links_at(data: U8, at: Int, steps: I8) -> Int:
    """Return where the count of references stands in the entity that begins at ``at``."""
    _, at = number_at(data, at)
    at = _skip_row(s.KINDS + s.byte_at(data, at), data, at + 1, steps)
    at = _skip_row(s.DATA + s.byte_at(data, at), data, at + 1, steps)
    _, at = number_at(data, at)
    _, at = number_at(data, at)
    count, at = length_at(data, at)
    for _ in range(count):
        at = _skip_step(s.TEXT, data, at, steps)
        at = _skip_step(s.FLOATS, data, at, steps)
        at = _skip_step(s.TEXT, data, at, steps)
    return at


@lean_step
def _data_tag(data: U8, at: Int, steps: I8) -> Int:
    _, at = number_at(data, at)
    return s.byte_at(data, _skip_row(s.KINDS + s.byte_at(data, at), data, at + 1, steps))


@lean
def read_tails(data: U8, places: I64, magic: Int, steps: I8, queue_data: Int, tails: U64) -> None:
    """Write logical id, xmin and xmax of entities in records, (n, 3); an id without one is its own.

    ``places`` are items of a version that has records.
    """
    for row in range(places.size):
        start = entity_at(data, places[row], magic)
        stop = places[row] + 4 + s.u32_at(data, places[row])
        if start > places[row] + 4:
            stop = start + s.u32_at(data, start - 4)
        at = _links_at(data, start, steps)
        count, at = length_at(data, at)
        for _ in range(count):
            at = _skip_row(s.REFERENCE, data, at, steps)
        _, at = number_at(data, at)
        if at < stop and _data_tag(data, start, steps) == queue_data:
            at = _skip_row(s.QUEUE, data, at, steps)
        tails[row, 0] = number_at(data, start)[0]
        tails[row, 1] = tails[row, 2] = np.uint64(0)
        if at < stop and steps[s.STEPS * s.LOGICAL] != s.END:
            at += 1
            if s.byte_at(data, at - 1) != 0:
                tails[row, 0], at = number_at(data, at)
        if at < stop and steps[s.STEPS * s.MVCC] != s.END:
            tails[row, 1], at = number_at(data, at)
            tails[row, 2], at = number_at(data, at)


# -- texts ----------------------------------------------------------------------------------------


@lean
def text_spans(data: U8, places: I64, magic: Int, number: int, starts: I64, stops: I64) -> None:
    """Write where the ``number``-th text, from 0, of each entity's kind stands."""
    for row in range(places.size):
        at = kind_at(data, places[row], magic)
        size, at = length_at(data, at)
        for _ in range(number):
            size, at = length_at(data, at + size)
        starts[row], stops[row] = at, at + size


@lean
def copy_spans(data: U8, starts: I64, stops: I64, offsets: I64, out: U8) -> None:
    """Copy runs of bytes one after the other."""
    for row in range(starts.size):
        to = offsets[row]
        for at in range(starts[row], stops[row]):
            out[to] = data[np.uint64(at)]
            to += 1


# -- metadata -------------------------------------------------------------------------------------


@lean_step
def _skip_metadata(data: U8, at: Int, steps: I8, stack: I64) -> Int:
    """Return the byte behind a metadata value, whose tag is at ``at``."""
    level = np.int64(0)
    stack[0], stack[1] = 1, 0
    while level >= 0:
        if stack[2 * level] == 0:
            level -= 1
            continue
        stack[2 * level] -= 1
        if stack[2 * level + 1] != 0:
            at += 4 + s.u32_at(data, at)
        place = s.STEPS * (s.METADATA + s.byte_at(data, at))
        at += 1
        while steps[place] != s.END:
            step = np.int64(steps[place])
            if step == s.ITEMS or step == s.FIELDS:
                level += 1
                stack[2 * level], stack[2 * level + 1] = s.u32_at(data, at), step == s.FIELDS
                at += 4
            elif step == s.TARGET:
                at += 1
                at += 4 + s.u32_at(data, at) + 8
            elif step == s.TARGET_LIST:
                count = s.u32_at(data, at)
                at += 4
                for _ in range(count):
                    at += 1
                    at += 4 + s.u32_at(data, at) + 8
            elif step == s.WIDE_TEXT or step == s.WIDE_BYTES:
                at += 4 + s.u32_at(data, at)
            else:
                at += 1 if step == s.FLAG else step
            place += 1
    return at


@lean
def find_metadata(
    data: U8, places: I64, magic: Int, steps: I8, key: U8, stack: I64, found: I64
) -> None:
    """Write where the value, from its tag on, of a metadata key stands; -1 where it is absent.

    ``places`` are records with metadata; of a key that is repeated, the last counts.
    """
    for row in range(places.size):
        found[row] = -1
        start = entity_at(data, places[row], magic)
        at = start + s.u32_at(data, start - 4) + 4
        count = s.u32_at(data, at)
        at += 4
        for _ in range(count):
            size = s.u32_at(data, at)
            at += 4
            same = size == key.size
            step = 0
            while same and step < size:
                same = data[np.uint64(at + step)] == key[step]
                step += 1
            at += size
            if same:
                found[row] = at
            at = _skip_metadata(data, at, steps, stack)


# -- references -----------------------------------------------------------------------------------


@lean
def count_references(data: U8, places: I64, magic: Int, steps: I8, counts: I64) -> None:
    """Write how many references each entity has."""
    for row in range(places.size):
        at = _links_at(data, entity_at(data, places[row], magic), steps)
        counts[row] = length_at(data, at)[0]


@lean_step
def _reference(data: U8, at: Int, own: bool, full: bool, place: Int, ids: U64, parts: I64) -> Int:
    source, behind = number_at(data, at)
    target, behind = number_at(data, behind)
    kind = s.byte_at(data, behind)
    behind += 1
    ids[place, 0], ids[place, 1] = source, target
    parts[place, 0], parts[place, 1] = at, kind
    parts[place, 2] = parts[place, 3] = behind
    parts[place, 4] = np.int64(_ONE)
    if full:
        size, behind = length_at(data, behind)
        parts[place, 2], parts[place, 3] = behind, behind + size
        behind += size
        if own:
            parts[place, 4] = s.u32_at(data, behind)
            _, behind = number_at(data, behind + 4)
    return behind


@lean
def list_references(data: U8, places: I64, magic: Int, steps: I8, ids: U64, parts: I64) -> None:
    """Write the references of entities, one after the other.

    ids : (r, 2) uint64
        Source and target.
    parts : (r, 5) int64
        Where it stands, its type, where the name of the target's collection starts and stops, and
        the bits of its weight.
    """
    full = steps[s.STEPS * s.REFERENCE + 3] != s.END
    place = 0
    for row in range(places.size):
        at = _links_at(data, entity_at(data, places[row], magic), steps)
        count, at = length_at(data, at)
        for _ in range(count):
            at = _reference(data, at, True, full, place, ids, parts)
            place += 1


@lean
def list_section(data: U8, at: Int, ids: U64, parts: I64) -> None:
    """Write the references of the cross-reference section, whose count is at ``at``, likewise."""
    count, place = length_at(data, at)
    for row in range(count):
        place = _reference(data, place, False, True, row, ids, parts)
