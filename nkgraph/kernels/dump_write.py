"""Entities of a dump from columns: the size of each record, then the records themselves.

A record is (``formats``, section 3.1)

    u32 length, magic, u32 entity length, entity, u32 metadata length, metadata

and an entity: its id, what it is (kind and the head of its data), its properties, a tail. One call
is for the rows of one node type or connection type, and for one part of them:

    rows       int64  (n,) or ()  row of each in the columns; () where row i is i
    places     int64  (n,)        its place among the records
    record_at  int64  (k + 1,)    where each record begins; while sizes are added, ``sizes`` is
                                  ``record_at[1:]``
    ids        int64  (k,)        entity ids, none negative
    states     uint8  (r,) or ()  of a column, by row: 0 absent, 1 value, 2 null; () is 1 all over
    cursor     int64  (b,)        where row ``first + i`` of the block goes on

Parts are written from the head on, a block of rows at a time, so that its records stay in the
cache. Bytes are copied eight a step, so up to seven are written behind a part, where the next one
of the same record is written afterwards; the tail, at least 14 bytes, is written exactly.
Constants come with ``SLACK`` bytes more than they have. A writer checks that a part has room in
``out`` and returns the first row for which it has not, or -1: always, unless columns change
meanwhile.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nkgraph.dtypes import I64, U8, U32, Int
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.intrinsics import load_word, store_word

SLACK = 8
"""Bytes that a copy may touch behind its part."""
NULL = 2
"""State of a null that is written."""


@inlined
def varint_size(value: Int) -> Int:
    """Bytes of the shortest varint."""
    size = 1
    value >>= 7
    while value > 0:
        size += 1
        value >>= 7
    return size


@inlined
def digit_count(value: Int) -> Int:
    """Digits of a number that is not negative."""
    count, limit = 1, 10
    while count < 19 and value >= limit:
        count += 1
        limit *= 10
    return count


@inlined
def put_varint(out: U8, at: Int, value: Int) -> Int:
    """Write the shortest varint; return the position behind it."""
    while value >= 128:
        out[at] = np.uint8(value & 127 | 128)
        value >>= 7
        at += 1
    out[at] = np.uint8(value)
    return at + 1


@inlined
def put_u32(out: U8, at: Int, value: Int) -> Int:
    """Write four bytes; return the position behind them."""
    for k in range(4):
        out[at + k] = np.uint8(value >> (8 * k) & 255)
    return at + 4


@inlined
def put_digits(out: U8, at: Int, value: Int) -> Int:
    """Write the count of digits and a number as decimal text; return the position behind it."""
    count = digit_count(value)
    out[at] = np.uint8(count)
    rest = np.uint64(value)
    for k in range(count):
        out[at + count - k] = np.uint8(rest % np.uint64(10)) + np.uint8(48)
        rest //= np.uint64(10)
    return at + 1 + count


@inlined
def put_bytes(out: U8, at: Int, data: U8, start: Int, length: Int) -> Int:
    """Copy bytes, and up to seven more, with room for them; return the position behind them."""
    for k in range(0, length, 8):
        if start + k + 8 <= data.size:
            store_word(out, at + k, load_word(data, start + k))
        else:
            for j in range(k, length):
                out[at + j] = data[start + j]
    return at + length


@inlined
def put_exactly(out: U8, at: Int, data: U8, start: Int, length: Int) -> Int:
    """Copy bytes and none more; return the position behind them."""
    whole = length & ~7
    for k in range(0, whole, 8):
        store_word(out, at + k, load_word(data, start + k))
    for k in range(whole, length):
        out[at + k] = data[start + k]
    return at + length


# -- sizes ------------------------------------------------------------------------------------


@kernel
def add_fixed_sizes(
    rows: I64,
    places: I64,
    states: U8,
    key: Int,
    width: Int,
    first: Int,
    stop: Int,
    counts: U32,
    sizes: I64,
) -> None:
    """Add key and value of a column of one width, whose states are given."""
    for i in range(first, stop):
        state = states[rows[i] if rows.size else i]
        if state:
            sizes[places[i]] += key + (0 if state == NULL else width)
            counts[i] += 1


@kernel
def add_bytes_sizes(
    rows: I64,
    places: I64,
    offsets: I64,
    states: U8,
    key: Int,
    bare: bool,
    first: Int,
    stop: Int,
    counts: U32,
    sizes: I64,
) -> None:
    """Add key and value of a column of texts, or of values that are ``bare``: encoded already."""
    for i in range(first, stop):
        row = rows[i] if rows.size else i
        state = states[row] if states.size else 1
        if state:
            size: Int = key
            if state != NULL:
                length = offsets[row + 1] - offsets[row]
                size += length + (0 if bare else varint_size(length))
            sizes[places[i]] += size
            counts[i] += 1


@inlined
def text_length(offsets: I64, states: U8, row: Int) -> Int:
    """Length of a text that may be absent."""
    if offsets.size < 2 or (states.size and states[row] == 0):
        return 0
    return np.int64(offsets[row + 1] - offsets[row])


@inlined
def metadata_size(
    i: Int, row: Int, forms: U8, own_offsets: I64, dense: bool, key: Int, label_of: I64, labels: I64
) -> Int:
    """Bytes of the metadata of a row: its own id and its labels, as far as it has them."""
    size: Int = 0
    if forms.size and forms[i] == 1:
        size = key + 8
    elif forms.size and forms[i] == 2:
        at = i if dense else row
        size = key + 4 + own_offsets[at + 1] - own_offsets[at]
    if label_of.size:
        which = label_of[i]
        size += labels[which + 1] - labels[which]
    return size + 4 if size else 0


@kernel
def add_node_sizes(
    base: Int,
    rows: I64,
    places: I64,
    ids: I64,
    counts: U32,
    given: Int,
    title_offsets: I64,
    title_states: U8,
    forms: U8,
    own_offsets: I64,
    dense: bool,
    own_key: Int,
    label_of: I64,
    label_offsets: I64,
    first: Int,
    stop: Int,
    sizes: I64,
) -> None:
    """Add everything of a node but its properties; ``base`` is what all have."""
    for i in range(first, stop):
        row = rows[i] if rows.size else i
        place = places[i]
        title = text_length(title_offsets, title_states, row)
        count = given + (np.int64(counts[i]) if counts.size else 0)
        size = base + 2 * varint_size(ids[place]) + varint_size(place) + varint_size(count)
        size += varint_size(title) + title
        size += metadata_size(i, row, forms, own_offsets, dense, own_key, label_of, label_offsets)
        sizes[place] += size


@kernel
def add_edge_sizes(
    base: Int,
    places: I64,
    ids: I64,
    counts: U32,
    given: Int,
    before: Int,
    sources: U32,
    targets: U32,
    node_ids: I64,
    first: Int,
    stop: Int,
    sizes: I64,
) -> None:
    """Add everything of an edge but its properties; edge e of the ends is record ``before + e``."""
    for i in range(first, stop):
        place = places[i]
        count = given + (np.int64(counts[i]) if counts.size else 0)
        size = base + 2 * varint_size(ids[place]) + varint_size(place) + varint_size(count)
        size += digit_count(node_ids[sources[place - before]])
        size += digit_count(node_ids[targets[place - before]])
        sizes[place] += size


# -- records ----------------------------------------------------------------------------------


@inlined
def put_frame(out: U8, start: Int, stop: Int, magic: Int) -> Int:
    """Write the length of a record and the magic; the entity length is filled in at its end."""
    put_u32(out, start, stop - start - 4)
    put_u32(out, start + 4, magic)
    return start + 12


@kernel
def write_node_heads(
    record_at: I64,
    rows: I64,
    places: I64,
    ids: I64,
    magic: Int,
    tag: Int,
    title_offsets: I64,
    title_data: U8,
    title_states: U8,
    middle: U8,
    counts: U32,
    given: Int,
    first: Int,
    stop: Int,
    cursor: I64,
    out: U8,
) -> Int:
    """Write frame, id, kind and count of properties; ``middle`` is what follows the title."""
    fixed = middle.size - SLACK
    for i in range(first, stop):
        row = rows[i] if rows.size else i
        place = places[i]
        title = text_length(title_offsets, title_states, row)
        at = record_at[place]
        if at + 13 + varint_size(ids[place]) + varint_size(title) + title + fixed + 14 > out.size:
            return i
        at = put_frame(out, at, record_at[place + 1], magic)
        at = put_varint(out, at, ids[place])
        out[at] = np.uint8(tag)
        at = put_varint(out, at + 1, title)
        if title:
            at = put_bytes(out, at, title_data, title_offsets[row], title)
        at = put_bytes(out, at, middle, 0, fixed)
        count = given + (np.int64(counts[i]) if counts.size else 0)
        cursor[i - first] = put_varint(out, at, count)
    return -1


@kernel
def write_edge_heads(
    record_at: I64,
    places: I64,
    ids: I64,
    magic: Int,
    label: U8,
    tag: Int,
    before: Int,
    sources: U32,
    targets: U32,
    node_ids: I64,
    weights: NDArray[np.float32],
    counts: U32,
    given: Int,
    first: Int,
    stop: Int,
    cursor: I64,
    out: U8,
) -> Int:
    """Write frame, id, kind, weight and count of properties; ``label`` is the kind up to the ends.

    The weight of a kind is the float32 weight times 1000 in float32, as the engine does it.
    """
    fixed = label.size - SLACK
    bits = weights.view(np.uint32)
    for i in range(first, stop):
        place = places[i]
        source, target = node_ids[sources[place - before]], node_ids[targets[place - before]]
        at = record_at[place]
        need = 12 + varint_size(ids[place]) + fixed + 2 + digit_count(source) + digit_count(target)
        if at + need + 9 + 14 > out.size:
            return i
        at = put_frame(out, at, record_at[place + 1], magic)
        at = put_varint(out, at, ids[place])
        at = put_bytes(out, at, label, 0, fixed)
        at = put_digits(out, at, source)
        at = put_digits(out, at, target)
        weight = weights[i] if weights.size else np.float32(1)
        scaled = weight * np.float32(1000)
        whole: Int = 0
        if scaled >= np.float32(4294967296):
            whole = 4294967295
        elif scaled > 0:
            whole = np.int64(scaled)
        at = put_u32(out, at, whole)
        out[at] = np.uint8(tag)
        at = put_u32(out, at + 1, np.int64(bits[i]) if weights.size else 0x3F800000)
        count = given + (np.int64(counts[i]) if counts.size else 0)
        cursor[i - first] = put_varint(out, at, count)
    return -1


@kernel
def write_fixed(
    rows: I64,
    states: U8,
    key: U8,
    words: NDArray[Any],
    width: Int,
    first: Int,
    stop: Int,
    cursor: I64,
    out: U8,
) -> Int:
    """Write a column of one width; ``key`` is length, key and value code, ``words`` unsigned."""
    fixed = key.size - SLACK
    for i in range(first, stop):
        row = rows[i] if rows.size else i
        state = states[row] if states.size else 1
        if state == 0:
            continue
        at = cursor[i - first]
        if at + fixed + SLACK > out.size:
            return i
        at = put_bytes(out, at, key, 0, fixed)
        if state == NULL:
            out[at - 1] = 0
        else:
            store_word(out, at, np.uint64(words[row]))
            at += width
        cursor[i - first] = at
    return -1


@kernel
def write_bytes(
    rows: I64,
    states: U8,
    key: U8,
    offsets: I64,
    data: U8,
    bare: bool,
    first: Int,
    stop: Int,
    cursor: I64,
    out: U8,
) -> Int:
    """Write a column of texts, or of values that are ``bare``, whose code is not in the key."""
    fixed = key.size - SLACK
    for i in range(first, stop):
        row = rows[i] if rows.size else i
        state = states[row] if states.size else 1
        if state == 0:
            continue
        at = cursor[i - first]
        start = offsets[row]
        length = 0 if state == NULL else offsets[row + 1] - start
        if at + fixed + varint_size(length) + length + SLACK > out.size:
            return i
        at = put_bytes(out, at, key, 0, fixed)
        if state == NULL:
            out[at - 1] = 0
        else:
            if not bare:
                at = put_varint(out, at, length)
            at = put_bytes(out, at, data, start, length)
        cursor[i - first] = at
    return -1


@kernel
def write_tails(
    record_at: I64,
    rows: I64,
    places: I64,
    ids: I64,
    stamp: U8,
    forms: U8,
    own_ints: I64,
    own_offsets: I64,
    own_data: U8,
    dense: bool,
    own_keys: U8,
    label_of: I64,
    label_offsets: I64,
    label_data: U8,
    first: Int,
    stop: Int,
    cursor: I64,
    out: U8,
) -> Int:
    """Write what follows the properties, the metadata, and the entity length.

    ``stamp`` is the times and what an entity has none of; ``own_keys`` the metadata key of the
    own id with the tag of an integer, then with that of a text. Checks that the record ends where
    it should before it writes.
    """
    fixed = stamp.size - SLACK
    key = own_keys.size // 2
    for i in range(first, stop):
        row = rows[i] if rows.size else i
        place = places[i]
        at = cursor[i - first]
        start, end = record_at[place], record_at[place + 1]
        meta = metadata_size(i, row, forms, own_offsets, dense, key, label_of, label_offsets)
        length = fixed + varint_size(place) + 1 + varint_size(ids[place]) + 2
        if start < 0 or end > out.size or at < start or at + length + 4 + meta != end:
            return i
        at = put_bytes(out, at, stamp, 0, fixed)
        at = put_varint(out, at, place)
        out[at] = 1
        at = put_varint(out, at + 1, ids[place])
        out[at] = 0
        out[at + 1] = 0
        put_u32(out, start + 8, at + 2 - start - 12)
        at = put_u32(out, at + 2, meta)
        if meta == 0:
            continue
        form = forms[i] if forms.size else 0
        label = label_offsets[label_of[i]] if label_of.size else 0
        label_size = label_offsets[label_of[i] + 1] - label if label_of.size else 0
        at = put_u32(out, at, (form > 0) + (label_size > 0))
        if form == 1:
            at = put_exactly(out, at, own_keys, 0, key)
            value = own_ints[i]
            at = put_u32(out, at, value & 0xFFFFFFFF)
            at = put_u32(out, at, value >> 32 & 0xFFFFFFFF)
        elif form == 2:
            which = i if dense else row
            at = put_exactly(out, at, own_keys, key, key)
            size = own_offsets[which + 1] - own_offsets[which]
            at = put_u32(out, at, size)
            at = put_exactly(out, at, own_data, own_offsets[which], size)
        if label_size:
            put_exactly(out, at, label_data, label, label_size)
    return -1
