"""Tagged words of SparrowDB: survey, decode, encode, gather, group.

    words  uint64  (n,)  bits 56 to 63 are the tag, the others the payload
    valid  bool    (n,)  which rows have a value; of size 0 where all have one
    heap   uint8   (h,)  long byte strings and floats

    tag    kind     payload
    1      bytes    up to 7 bytes, the first in the lowest bits; they end at the first zero byte
    2      bytes    bits 0 to 39 the offset into the heap, bits 40 to 55 the length
    3      float    as 2; the length is 8
    other  integer  56 bits, two's complement

Decoding kernels follow pointers that ``survey`` has passed.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U64, Bool, Int
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.intrinsics import load_word
from nkgraph.kernels.values import store_u64

OUTSIDE = 1
"""Status: a pointer that leaves the heap."""
FLOAT_LENGTH = 2
"""Status: a float whose length is not 8."""
INTS, TEXTS, FLOATS, BYTES, STATUS = range(5)
"""What ``survey`` counts: values of each kind, bytes of all texts; and its status."""

MAX_LENGTH = 65_535
INT_LIMIT = 1 << 55
_TAG = np.uint64(56)
_EIGHT = np.uint64(8)
_ONE = np.uint64(1)
_BYTE = np.uint64(0xFF)
_LENGTH_AT = np.uint64(40)
_LENGTH = np.uint64(0xFFFF)
_OFFSET = np.uint64((1 << 40) - 1)
_PAYLOAD = np.uint64((1 << 56) - 1)
_INLINE_TAG = np.uint64(1 << 56)
_HEAP_TAG = np.uint64(2 << 56)
_BLOCK = 1024


@inlined
def inline_length(word: np.uint64) -> Int:
    """Bytes of an inline string: those before the first zero byte, at most 7."""
    length: Int = 0
    payload = word
    while length < 7 and payload & _BYTE:
        length += 1
        payload >>= _EIGHT
    return length


@inlined
def to_int(word: np.uint64) -> Int:
    """Sign-extend the payload of a word."""
    return np.int64(word << _EIGHT) >> np.int64(8)


# -- decoding ---------------------------------------------------------------------------------


@kernel
def decode_ints(words: U64, valid: Bool, out: I64) -> bool:
    """Write integers, 0 where there is no value; False, early, if a word is no integer.

    Words without a value are looked at too.
    """
    for first in range(0, words.size, _BLOCK):
        # Slices, so that positions start at 0 and the compiler sees that none is negative.
        last = min(first + _BLOCK, words.size)
        part, numbers = words[first:last], out[first:last]
        others = False
        if valid.size == 0:
            for row in range(part.size):
                others |= ((part[row] >> _TAG) - _ONE) < np.uint64(3)
                numbers[row] = to_int(part[row])
        else:
            there = valid[first:last]
            for row in range(part.size):
                others |= ((part[row] >> _TAG) - _ONE) < np.uint64(3)
                numbers[row] = to_int(part[row]) * np.int64(there[row])
        if others:
            return False
    return True


@kernel
def force_ints(words: U64, valid: Bool, out: I64) -> None:
    """Write integers, 0 where there is no value, whatever words without a value are."""
    for row in range(words.size):
        out[row] = to_int(words[row]) * np.int64(valid[row])


@kernel
def survey(words: U64, valid: Bool, heap_size: Int, found: I64) -> Int:
    """Count kinds and the bytes of texts, and check all pointers, in one pass.

    Returns the first row whose pointer is wrong, with the status in ``found``, else -1.
    """
    for row in range(words.size):
        if valid.size != 0 and not valid[row]:
            continue
        word = words[row]
        tag = word >> _TAG
        if tag == np.uint64(1):
            found[TEXTS] += 1
            found[BYTES] += inline_length(word)
        elif tag == np.uint64(2) or tag == np.uint64(3):
            at = np.int64(word & _OFFSET)
            length = np.int64((word >> _LENGTH_AT) & _LENGTH)
            if tag == np.uint64(3) and length != 8:
                found[STATUS] = FLOAT_LENGTH
                return row
            if length != 0 and at + length > heap_size:
                found[STATUS] = OUTSIDE
                return row
            if tag == np.uint64(2):
                found[TEXTS] += 1
                found[BYTES] += length
            else:
                found[FLOATS] += 1
        else:
            found[INTS] += 1
    return -1


@kernel
def decode_floats(words: U64, valid: Bool, heap: U8, out: U64) -> None:
    """Write the bits of floats; 0 where there is no value."""
    for row in range(words.size):
        if valid.size != 0 and not valid[row]:
            out[row] = np.uint64(0)
        else:
            out[row] = load_word(heap, np.int64(words[row] & _OFFSET))


@kernel
def text_offsets(words: U64, valid: Bool, offsets: I64) -> None:
    """Write where each text starts when all stand one after the other."""
    total: Int = 0
    offsets[0] = 0
    for row in range(words.size):
        if valid.size == 0 or valid[row]:
            word = words[row]
            if word >> _TAG == np.uint64(1):
                total += inline_length(word)
            else:
                total += np.int64((word >> _LENGTH_AT) & _LENGTH)
        offsets[row + 1] = total


@inlined
def copy_text(word: np.uint64, heap: U8, length: Int, out: U8, to: Int) -> None:
    """Copy the bytes of one text."""
    if word >> _TAG == np.uint64(1):
        for k in range(length):
            out[to + k] = np.uint8((word >> np.uint64(8 * k)) & _BYTE)
    else:
        # Unsigned, so that the compiler need not think of negative positions.
        at, start = word & _OFFSET, np.uint64(to)
        for j in range(np.uint64(length)):
            out[start + j] = heap[at + j]


@kernel
def text_bytes(words: U64, heap: U8, offsets: I64, out: U8) -> None:
    """Copy the bytes of texts to their offsets; a row without a value has no bytes."""
    for row in range(words.size):
        to = offsets[row]
        copy_text(words[row], heap, offsets[row + 1] - to, out, to)


@kernel
def to_values(words: U64, valid: Bool, heap: U8, tags: U8, out_words: U64, out_heap: U8) -> None:
    """Turn words to tagged values (``kernels.values``): 1 integer, 2 float, 3 text, 7 null."""
    end: Int = 0
    for row in range(words.size):
        word = words[row]
        tag = word >> _TAG
        if valid.size != 0 and not valid[row]:
            tags[row], out_words[row] = 7, np.uint64(0)
        elif tag == np.uint64(1) or tag == np.uint64(2):
            length: Int = np.int64((word >> _LENGTH_AT) & _LENGTH)
            if tag == np.uint64(1):
                length = inline_length(word)
            tags[row], out_words[row] = 3, np.uint64(end)
            store_u64(out_heap, end, np.uint64(length))
            copy_text(word, heap, length, out_heap, end + 8)
            end += 8 + length
        elif tag == np.uint64(3):
            tags[row], out_words[row] = 2, load_word(heap, np.int64(word & _OFFSET))
        else:
            tags[row], out_words[row] = 1, np.uint64(to_int(word))


# -- encoding ---------------------------------------------------------------------------------


@kernel
def encode_ints(values: I64, words: U64) -> Int:
    """Write words of integers; the first row that does not fit 56 bits, or -1."""
    for first in range(0, values.size, _BLOCK):
        bad = False
        last = min(first + _BLOCK, values.size)
        for row in range(first, last):
            value = values[row]
            bad |= (value < -INT_LIMIT) | (value >= INT_LIMIT)
            words[row] = np.uint64(value) & _PAYLOAD
        if bad:
            for row in range(first, last):
                if values[row] < -INT_LIMIT or values[row] >= INT_LIMIT:
                    return row
    return -1


@inlined
def is_inline(data: U8, start: Int, stop: Int) -> bool:
    """Whether a byte string fits a word and comes back whole: at most 7 bytes, none of them 0."""
    if stop - start > 7:
        return False
    for at in range(start, stop):  # noqa: SIM110 - numba has no generators here
        if data[at] == 0:
            return False
    return True


@kernel
def heap_need(offsets: I64, data: U8, found: I64) -> Int:
    """Add up the heap bytes of texts in ``found[0]``; the first that is too long, or -1."""
    total: Int = 0
    for row in range(offsets.size - 1):
        start, stop = offsets[row], offsets[row + 1]
        if stop - start > MAX_LENGTH:
            return row
        if not is_inline(data, start, stop):
            total += stop - start
    found[0] = total
    return -1


@kernel
def encode_texts(offsets: I64, data: U8, base: Int, words: U64, out: U8) -> None:
    """Write words of texts, and the heap bytes of the long ones, which will stand at ``base``."""
    end: Int = 0
    for row in range(words.size):
        start, stop = offsets[row], offsets[row + 1]
        if is_inline(data, start, stop):
            word = _INLINE_TAG
            for k in range(stop - start):
                word |= np.uint64(data[start + k]) << np.uint64(8 * k)
            words[row] = word
        else:
            length = stop - start
            words[row] = _HEAP_TAG | np.uint64(length) << _LENGTH_AT | np.uint64(base + end)
            at, to = np.uint64(start), np.uint64(end)
            for j in range(np.uint64(length)):
                out[to + j] = data[at + j]
            end += length


# -- columns ----------------------------------------------------------------------------------


@kernel
def scatter_words(slots: I64, words: U64, first_slot: int, out: U64) -> None:
    """Write words at their slots; ``out`` starts at ``first_slot``. A later word wins."""
    for i in range(slots.size):
        out[slots[i] - first_slot] = words[i]


@kernel
def group_keys(keys: U64, table: U64, owners: I64, groups: I64, counts: I64) -> Int:
    """Number keys in the order in which they come first, and count each.

    Parameters
    ----------
    keys : (n,) uint64
    table : (t,) uint64
        Scratch; t a power of two.
    owners : (t,) int64
        All -1.
    groups : (n,) int64, out
        Number of each key.
    counts : (c,) int64, out
        All 0; 2 * c <= t.

    Returns
    -------
    int
        How many keys there are, or -1 if there are more than c.
    """
    mask = np.uint64(table.size - 1)
    found: Int = 0
    last_key, last_group = np.uint64(0), np.int64(-1)
    for i in range(keys.size):
        key = keys[i]
        if last_group >= 0 and key == last_key:
            groups[i] = last_group
            counts[last_group] += 1
            continue
        at = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32) & mask
        while owners[at] >= 0 and table[at] != key:
            at = (at + _ONE) & mask
        if owners[at] < 0:
            if found == counts.size:
                return -1
            table[at] = key
            owners[at] = found
            found += 1
        last_key, last_group = key, owners[at]
        groups[i] = last_group
        counts[last_group] += 1
    return found


@kernel
def place_rows(groups: I64, cursor: I64, rows: I64) -> None:
    """Write the rows of each group from ``cursor[group]`` on, in their order."""
    for i in range(groups.size):
        group = groups[i]
        rows[cursor[group]] = i
        cursor[group] += 1
