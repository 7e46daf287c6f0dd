"""Steps of a walk over a dump of a store: numbers, texts, values, properties.

What follows what is a table of steps, made for one version of the format:

    steps    int8   (ROWS * STEPS,)  row r is steps[STEPS * r:STEPS * (r + 1)], ended by END
             rows: values by code from ``VALUES``, kinds from ``KINDS`` and data from ``DATA`` by
             tag, metadata by tag from ``METADATA``, then ``REFERENCE``, ``SECTION``, ``QUEUE``,
             ``LOGICAL`` and ``MVCC``; a step > 0 is so many bytes, the others are named below
    limits   int64  (LIMITS,)        see the names ``MOST_...`` below
    note     int64  (NOTES,)         what was found, and after a failure what, where and how much

Nothing is read outside ``data[:stop]``: each length and count is compared with the bytes left
before it is followed, and arrays in arrays are walked with a stack. Steps return the byte behind
what they walked, or ``FAILED``; then ``note`` says why.
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import I8, I64, U8, Int
from nkgraph.kernels._jit import lean_inlined, lean_step
from nkgraph.kernels.intrinsics import load_word

STEPS: Final = 8
VALUES, KINDS, DATA, METADATA = 0, 256, 512, 768
REFERENCE, SECTION, QUEUE, LOGICAL, MVCC = range(1024, 1029)
ROWS: Final = 1029

END: Final = 0
UNKNOWN: Final = -1
FLAG: Final = -2
TEXT: Final = -3
BYTES: Final = -4
LONG_TEXT: Final = -5  # a text that a writer compresses where it is long
LONG_BYTES: Final = -6
FLOATS: Final = -7
ADDRESS: Final = -8
NUMBER: Final = -9  # varu64
COUNT: Final = -10  # varu32
KIND_OF_REFERENCE: Final = -11
MAYBE: Final = -12  # a flag; where it is 0, the next step is left out
PACKED_TEXT: Final = -13
PACKED_BYTES: Final = -14
ARRAY: Final = -15
PROPERTIES: Final = -16
TAGS: Final = -17
VALUE: Final = -18
WIDE_TEXT: Final = -19  # a length of four bytes
WIDE_BYTES: Final = -20
ITEMS: Final = -21
FIELDS: Final = -22
TARGET: Final = -23
TARGET_LIST: Final = -24

(
    MOST_DEPTH, MOST_VALUE, MOST_PACKED, LONG_FROM, RECORDS, RECORD_MAGIC, AUX, QUEUE_DATA,
    REFERENCE_KINDS, TARGET_KINDS, CURRENT, LEAST_COLLECTION, LEAST_ITEM, LEAST_VALUE,
    LEAST_FLOAT, LEAST_PROPERTY, LEAST_TAG, LEAST_EMBEDDING, LEAST_REFERENCE, LEAST_LINK,
    LEAST_FIELD, LEAST_METADATA, LEAST_TARGET,
) = range(23)  # fmt: skip
LIMITS: Final = 23
"""Of ``limits``: levels of arrays, bytes of a value, bytes of all compressed ones; bytes from which
text is compressed; whether there are records, their magic, whether there can be an aux blob; the
data tag of a queue message; known kinds of references and of targets; whether the version is the
one written; and the fewest bytes of what is counted, a link being an entry of the section."""

(
    STATUS, AT, FOUND, LEFT, FIELD, KEY, KEY_STOP, ODD, ROUGH, PACKED, UNPACKED, ID, TAG_KIND,
    TAG_DATA, EXPIRED, VERSIONED, HAS_METADATA,
) = range(17)  # fmt: skip
NOTES: Final = 17
FAILED: Final = -1

(
    OK, SHORT, LONG_VARINT, BAD_TEXT, BAD_CODE, BAD_COUNT, TOO_DEEP, TOO_LONG, TOO_MUCH, FULL,
    BAD_RECORD,
) = range(11)  # fmt: skip
"""Statuses: bytes missing, a varint that goes on, text that is no UTF-8, an unknown code, a count
beyond the bytes left, the three limits, no room in the outputs, a length beyond its record."""

(
    F_COLLECTION_NAME, F_ENTITY_COUNT, F_RECORD_LENGTH, F_ENTITY_LENGTH, F_METADATA_LENGTH, F_ID,
    F_KIND, F_DATA, F_KEY, F_VALUE, F_VALUES, F_TAGS, F_CREATED, F_UPDATED, F_EMBEDDINGS,
    F_REFERENCES, F_SEQUENCE, F_QUEUE, F_LOGICAL, F_MVCC, F_METADATA, F_SECTION, F_AUX,
    F_COLLECTION_COUNT, F_PROPERTY_COUNT,
) = range(25)  # fmt: skip
"""Of ``note[FIELD]``: what was being read."""

IS_PLAIN, IS_ODD, IS_EXPIRED, IS_VERSIONED, WITH_METADATA = 64, 128, 256, 512, 1024
"""Of an entity's flags, above three bits of kind and three of data: exactly what a writer makes;
something to remark; xmax is not 0; xmin or xmax is not 0; there is metadata."""

_HIGH: Final = np.uint64(0x8080808080808080)
_ONES: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_EIGHT: Final = np.uint64(8)


@lean_inlined
def byte_at(data: U8, at: Int) -> Int:
    """Read a byte at a position that is known to be in ``data``."""
    return np.int64(data[np.uint64(at)])


@lean_inlined
def u32_at(data: U8, at: Int) -> Int:
    """Read four bytes."""
    place = np.uint64(at)
    low = np.int64(data[place]) | np.int64(data[place + np.uint64(1)]) << 8
    high = np.int64(data[place + np.uint64(2)]) | np.int64(data[place + np.uint64(3)]) << 8
    return low | high << 16


@lean_step
def fail(note: I64, status: Int, at: Int, found: Int, left: Int) -> Int:
    """Take down what is wrong; return ``FAILED``."""
    note[STATUS], note[AT], note[FOUND], note[LEFT] = status, at, found, left
    return FAILED


# -- numbers, text, bytes ------------------------------------------------------------------------


@lean_step
def _long_varint(data: U8, at: Int, stop: Int, most: Int, note: I64) -> tuple[np.uint64, Int]:
    value = np.uint64(0)
    last = min(most, stop - at)
    for step in range(last):
        byte = np.uint64(byte_at(data, at + step))
        value |= (byte & np.uint64(127)) << np.uint64(7 * step)
        if byte < 128:
            if byte == 0 and step > 0:
                note[ROUGH] = 1  # padded
            if most == 5:
                if value >> np.uint64(32) != 0:
                    note[ODD] = note[ROUGH] = 1
                value &= np.uint64(0xFFFFFFFF)
            elif step == 9 and byte > 1:
                note[ODD] = note[ROUGH] = 1
            return value, at + step + 1
    return value, fail(note, SHORT if last < most else LONG_VARINT, at, 1, stop - at)


@lean_inlined
def read_varint(data: U8, at: Int, stop: Int, most: Int, note: I64) -> tuple[np.uint64, Int]:
    """Read a number of at most ``most`` bytes, 5 or 10."""
    if at < stop and byte_at(data, at) < 128:
        return np.uint64(byte_at(data, at)), at + 1
    return _long_varint(data, at, stop, most, note)


@lean_step
def _is_utf8(data: U8, at: Int, stop: Int) -> bool:
    while at < stop:
        first = byte_at(data, at)
        if first < 0x80:
            at += 1
            continue
        if first < 0xC2 or first > 0xF4:
            return False
        length = 2 if first < 0xE0 else (3 if first < 0xF0 else 4)
        if at + length > stop:
            return False
        second = byte_at(data, at + 1)
        low = 0xA0 if first == 0xE0 else (0x90 if first == 0xF0 else 0x80)
        high = 0x9F if first == 0xED else (0x8F if first == 0xF4 else 0xBF)
        if second < low or second > high:
            return False
        for k in range(2, length):
            if byte_at(data, at + k) & 0xC0 != 0x80:
                return False
        at += length
    return True


@lean_inlined
def _is_ascii(data: U8, at: Int, stop: Int) -> bool:
    found = np.uint64(0)
    while stop - at >= 8:
        found |= load_word(data, at)
        at += 8
    if at < stop:
        if at + 8 <= data.size:
            found |= load_word(data, at) & (_ONES >> (_EIGHT * np.uint64(8 - (stop - at))))
        else:
            for place in range(at, stop):
                found |= np.uint64(byte_at(data, place))
    return bool((found & _HIGH) == 0)


@lean_inlined
def check_text(data: U8, start: Int, stop: Int, note: I64) -> Int:
    """Return ``stop``, or fail at ``start``."""
    if _is_ascii(data, start, stop) or _is_utf8(data, start, stop):
        return stop
    return fail(note, BAD_TEXT, start, 0, 0)


@lean_inlined
def _room(size: Int, head: Int, at: Int, stop: Int, limits: I64, note: I64) -> Int:
    """Return the byte behind ``size`` bytes from ``at``, whose length stands at ``head``."""
    if size > stop - at:
        return fail(note, SHORT, head, size, stop - at)
    if size > limits[MOST_VALUE]:
        return fail(note, TOO_LONG, head, size, limits[MOST_VALUE])
    return at + size


@lean_inlined
def _sized(data: U8, at: Int, stop: Int, limits: I64, note: I64) -> tuple[Int, Int]:
    """Read a varu32 length; return where its bytes start and stop."""
    size, start = read_varint(data, at, stop, 5, note)
    if start < 0:
        return start, start
    return start, _room(np.int64(size), at, start, stop, limits, note)


@lean_inlined
def read_wide(data: U8, at: Int, stop: Int, limits: I64, note: I64) -> tuple[Int, Int]:
    """Read a u32 length likewise."""
    if stop - at < 4:
        return at, fail(note, SHORT, at, 4, stop - at)
    return at + 4, _room(u32_at(data, at), at, at + 4, stop, limits, note)


@lean_inlined
def read_text(data: U8, at: Int, stop: Int, limits: I64, note: I64) -> tuple[Int, Int]:
    """Read a text; return where it starts and stops."""
    start, end = _sized(data, at, stop, limits, note)
    if end >= 0:
        end = check_text(data, start, end, note)
    return start, end


@lean_inlined
def read_count(data: U8, at: Int, stop: Int, least: Int, note: I64) -> tuple[Int, Int]:
    """Read a varu32 count of things of at least ``least`` bytes each."""
    count, behind = read_varint(data, at, stop, 5, note)
    if behind >= 0 and np.int64(count) * least > stop - behind:
        return np.int64(count), fail(note, BAD_COUNT, at, np.int64(count), (stop - behind) // least)
    return np.int64(count), behind


@lean_inlined
def read_wide_count(data: U8, at: Int, stop: Int, least: Int, note: I64) -> tuple[Int, Int]:
    """Read a u32 count likewise."""
    if stop - at < 4:
        return np.int64(0), fail(note, SHORT, at, 4, stop - at)
    count = u32_at(data, at)
    if count * least > stop - at - 4:
        return count, fail(note, BAD_COUNT, at, count, (stop - at - 4) // least)
    return count, at + 4


@lean_inlined
def compare_texts(data: U8, start: Int, stop: Int, other: Int, other_stop: Int) -> Int:
    """Compare two texts of ``data``, byte by byte: below, equal or above 0."""
    for step in range(min(stop - start, other_stop - other)):
        difference = byte_at(data, start + step) - byte_at(data, other + step)
        if difference != 0:
            return difference
    return (stop - start) - (other_stop - other)


# -- one step -------------------------------------------------------------------------------------


@lean_inlined
def read_flag(data: U8, at: Int, stop: Int, note: I64) -> Int:
    """Walk a byte that should be 0 or 1."""
    if at >= stop:
        return fail(note, SHORT, at, 1, 0)
    if byte_at(data, at) > 1:
        note[ODD] = note[ROUGH] = 1
    return at + 1


@lean_step
def walk_step(step: Int, data: U8, at: Int, stop: Int, limits: I64, note: I64) -> Int:
    """Walk one step that holds nothing further."""
    if step > 0:
        return at + step if stop - at >= step else fail(note, SHORT, at, step, stop - at)
    if step == TEXT or step == LONG_TEXT:
        start, end = read_text(data, at, stop, limits, note)
        if step == LONG_TEXT and end - start >= limits[LONG_FROM]:
            note[ROUGH] = 1
        return end
    if step == BYTES or step == LONG_BYTES:
        start, end = _sized(data, at, stop, limits, note)
        if step == LONG_BYTES and end - start >= limits[LONG_FROM]:
            note[ROUGH] = 1
        return end
    if step == NUMBER or step == COUNT:
        return read_varint(data, at, stop, 10 if step == NUMBER else 5, note)[1]
    if step == FLAG:
        return read_flag(data, at, stop, note)
    if step == FLOATS:
        count, start = read_count(data, at, stop, limits[LEAST_FLOAT], note)
        return start if start < 0 else _room(4 * count, at, start, stop, limits, note)
    if step == KIND_OF_REFERENCE:
        if at >= stop:
            return fail(note, SHORT, at, 1, 0)
        if byte_at(data, at) >= limits[REFERENCE_KINDS]:
            note[ODD] = note[ROUGH] = 1
        return at + 1
    if step == ADDRESS:
        if at >= stop:
            return fail(note, SHORT, at, 1, 0)
        family = byte_at(data, at)
        if family != 4 and family != 6:
            note[ODD] = note[ROUGH] = 1
        size = 4 if family == 4 else 16
        if stop - at - 1 < size:
            return fail(note, SHORT, at + 1, size, stop - at - 1)
        return at + 1 + size
    return fail(note, BAD_CODE, at, step, 0)


@lean_step
def walk_steps(row: Int, data: U8, at: Int, stop: Int, steps: I8, limits: I64, note: I64) -> Int:
    """Walk a row of such steps."""
    place = STEPS * row
    while steps[place] != END:
        if steps[place] == MAYBE:
            at = read_flag(data, at, stop, note)
            if at >= 0 and byte_at(data, at - 1) == 0:
                place += 1
        else:
            at = walk_step(np.int64(steps[place]), data, at, stop, limits, note)
        if at < 0:
            return at
        place += 1
    return at


# -- values ---------------------------------------------------------------------------------------


@lean_step
def _packed(data: U8, at: Int, stop: Int, limits: I64, packed: I64, note: I64) -> Int:
    """Walk what is behind the code of a compressed value; keep the place of the code."""
    declared, behind = read_varint(data, at, stop, 5, note)
    if behind < 0:
        return behind
    if np.int64(declared) > limits[MOST_VALUE]:
        return fail(note, TOO_LONG, at, np.int64(declared), limits[MOST_VALUE])
    size, start = read_varint(data, behind, stop, 5, note)
    if start < 0:
        return start
    if np.int64(size) > stop - start:
        return fail(note, SHORT, behind, np.int64(size), stop - start)
    note[UNPACKED] += np.int64(declared)
    if note[UNPACKED] > limits[MOST_PACKED]:
        return fail(note, TOO_MUCH, at, note[UNPACKED], limits[MOST_PACKED])
    note[ROUGH] = 1
    if size != 0 or declared != 0:
        if note[PACKED] == packed.size:
            return fail(note, FULL, at, 0, 0)
        packed[note[PACKED]] = at - 1
        note[PACKED] += 1
    return start + np.int64(size)


@lean_inlined
def walk_value(
    data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, packed: I64, note: I64
) -> Int:
    """Walk a code and its payload; arrays in arrays with a stack of how much is left of each."""
    level = 0
    while True:
        if at >= stop:
            return fail(note, SHORT, at, 1, 0)
        place = np.uint64(STEPS * byte_at(data, at))
        at += 1
        opened = False
        step = np.int64(steps[place])
        while step != END:
            if step > 0:
                if stop - at < step:
                    return fail(note, SHORT, at, step, stop - at)
                at += step
            elif step == LONG_TEXT:
                start, at = read_text(data, at, stop, limits, note)
                if at - start >= limits[LONG_FROM]:
                    note[ROUGH] = 1
            elif step == FLAG:
                at = read_flag(data, at, stop, note)
            elif step == ARRAY:
                if level >= limits[MOST_DEPTH]:
                    return fail(note, TOO_DEEP, at - 1, level + 1, limits[MOST_DEPTH])
                count, at = read_count(data, at, stop, limits[LEAST_VALUE], note)
                if at >= 0 and count > 0:
                    stack[level] = count
                    level += 1
                    opened = True
            elif step == PACKED_TEXT or step == PACKED_BYTES:
                at = _packed(data, at, stop, limits, packed, note)
            elif step == UNKNOWN:
                return fail(note, BAD_CODE, at - 1, byte_at(data, at - 1), 0)
            else:
                at = walk_step(step, data, at, stop, limits, note)
            if at < 0:
                return at
            place += np.uint64(1)
            step = np.int64(steps[place])
        while level > 0 and not opened:
            stack[level - 1] -= 1
            if stack[level - 1] > 0:
                break
            level -= 1
        if level == 0:
            return at


@lean_step
def walk_value_apart(
    data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, packed: I64, note: I64
) -> Int:
    """As ``walk_value``, which is compiled into where it matters; elsewhere it is called."""
    return walk_value(data, at, stop, steps, limits, stack, packed, note)


@lean_inlined
def walk_properties(
    data: U8, at: Int, stop: Int, steps: I8, limits: I64, stack: I64, packed: I64, note: I64
) -> Int:
    """Walk pairs of a key and a value. Keys that do not ascend may repeat: they are odd."""
    note[FIELD] = F_PROPERTY_COUNT
    count, at = read_count(data, at, stop, limits[LEAST_PROPERTY], note)
    if at < 0:
        return at
    last, last_stop = at, at
    for number in range(count):
        note[FIELD] = F_KEY
        start, at = read_text(data, at, stop, limits, note)
        if at < 0:
            return at
        if number > 0 and compare_texts(data, last, last_stop, start, at) >= 0:
            note[ODD] = note[ROUGH] = 1
        last, last_stop = start, at
        note[FIELD], note[KEY], note[KEY_STOP] = F_VALUE, start, at
        at = walk_value(data, at, stop, steps, limits, stack, packed, note)
        if at < 0:
            return at
    return at


@lean_step
def walk_tags(data: U8, at: Int, stop: Int, limits: I64, note: I64) -> Int:
    """Walk pairs of texts, likewise."""
    note[FIELD] = F_TAGS
    count, at = read_count(data, at, stop, limits[LEAST_TAG], note)
    last, last_stop = at, at
    for number in range(count):
        if at < 0:
            return at
        start, at = read_text(data, at, stop, limits, note)
        if at < 0:
            return at
        if number > 0 and compare_texts(data, last, last_stop, start, at) >= 0:
            note[ODD] = note[ROUGH] = 1
        last, last_stop = start, at
        _, at = read_text(data, at, stop, limits, note)
    return at
