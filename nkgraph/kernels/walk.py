"""Walk files of length-prefixed records.

    catalog   tag u16, length u32, payload; single zero bytes between entries are skipped
    log       length u32, then (checked by a CRC): kind u8, lsn u64, txn u64, payload; crc u32
    names     byte strings in payloads of the log, kept once for each 32-bit FNV-1a hash

Little-endian, at any alignment. Nothing is read outside ``data``: each length is compared with
the bytes left before it is followed.
"""

from typing import TypeAlias

import numpy as np

from nkgraph.dtypes import I64, U8, U16, U32
from nkgraph.kernels._jit import inlined, kernel, kernel_step

Int: TypeAlias = int | np.int64
HEAD = 21
"""Bytes of kind, lsn, txn and crc: the least length of a record of the log."""
NODE_CREATE, NODE_UPDATE, EDGE_CREATE = 0x10, 0x11, 0x13
ENDED, TORN, CHECKSUM, KIND, PAYLOAD, FULL = range(6)
"""Why a walk of the log stopped: at its end, or why the record there is not believed."""
_BASIS = np.uint32(2166136261)
_PRIME = np.uint32(16777619)
_EMPTY = np.int64(-1)


@inlined
def read_u16(data: U8, at: Int) -> Int:
    """Read two bytes."""
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8


@inlined
def read_u32(data: U8, at: Int) -> Int:
    """Read four bytes."""
    low = np.int64(data[at]) | np.int64(data[at + 1]) << 8
    return low | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24


@kernel
def count_entries(data: U8, where: I64) -> Int:
    """Count the entries of a catalog; -1 if one is cut short, then ``where[0]`` is its byte."""
    at: Int = 0
    count = 0
    while at < data.size:
        if data[at] == 0:  # no tag starts with a zero byte
            at += 1
            continue
        left = data.size - at
        if left < 6 or read_u32(data, at + 2) > left - 6:
            where[0] = at
            return -1
        at += 6 + read_u32(data, at + 2)
        count += 1
    return count


@kernel
def list_entries(data: U8, tags: U16, starts: I64, lengths: I64) -> None:
    """Write tag, payload start and payload length of each entry that ``count_entries`` found."""
    at, entry = 0, 0
    while at < data.size and entry < tags.size:
        if data[at] == 0:
            at += 1
            continue
        tags[entry] = read_u16(data, at)
        lengths[entry] = read_u32(data, at + 2)
        starts[entry] = at + 6
        at += 6 + lengths[entry]
        entry += 1


@kernel
def count_further_labels(data: U8, starts: I64, lengths: I64) -> tuple[Int, Int]:
    """Count the labels of all label sets; returns (labels, the first entry cut short or -1)."""
    total: Int = np.int64(0)
    for entry in range(starts.size):
        count: Int = np.int64(-1)
        if lengths[entry] >= 8:
            count = read_u16(data, starts[entry] + 6)
        if lengths[entry] != 8 + 2 * count:
            return total, np.int64(entry)
        total += count
    return total, np.int64(-1)


@kernel
def list_further_labels(data: U8, starts: I64, primaries: U16, slots: U32, labels: U16) -> None:
    """Write (primary label, slot, further label) of each label of each label set."""
    row = 0
    for entry in range(starts.size):
        at = starts[entry]
        for number in range(read_u16(data, at + 6)):
            primaries[row] = read_u16(data, at)
            slots[row] = read_u32(data, at + 2)
            labels[row] = read_u16(data, at + 8 + 2 * number)
            row += 1


# -- the log ----------------------------------------------------------------------------------


@kernel
def fill_crc_table(polynomial: np.uint32, table: U32) -> None:
    """Write the (256,) table of a reflected CRC-32."""
    for byte in range(256):
        value = np.uint32(byte)
        for _ in range(8):
            odd = value & np.uint32(1)
            value = value >> np.uint32(1)
            if odd:
                value = value ^ polynomial
        table[byte] = value


@inlined
def crc32(data: U8, start: Int, stop: Int, table: U32) -> np.uint32:
    """Checksum of a range of bytes."""
    value = np.uint32(0xFFFFFFFF)
    for at in range(start, stop):
        value = table[(value ^ np.uint32(data[at])) & np.uint32(0xFF)] ^ (value >> np.uint32(8))
    return value ^ np.uint32(0xFFFFFFFF)


@inlined
def same_bytes(data: U8, first: Int, second: Int, length: Int) -> bool:
    """Whether two ranges hold the same bytes."""
    step = 0
    while step < length and data[first + step] == data[second + step]:
        step += 1
    return step == length


@inlined
def keep_name(data: U8, at: Int, length: Int, table: I64, names: I64, count: Int) -> Int:
    """Keep a name unless it is known; returns how many there are, -1 if there is no room.

    A name whose hash is that of another name is kept too: the reader must hear of both.
    """
    value = _BASIS
    for step in range(length):
        value = np.uint32((value ^ np.uint32(data[at + step])) * _PRIME)
    mask = table.size - 1
    place = np.int64(value) & mask
    while table[place] != _EMPTY:
        known = table[place]
        if names[known, 1] == length and same_bytes(data, names[known, 0], at, length):
            return count
        place = (place + 1) & mask
    if count == names.shape[0]:
        return -1
    names[count, 0], names[count, 1] = at, length
    table[place] = count
    return count + 1


@inlined
def skip_blob(data: U8, at: Int, stop: Int) -> Int:
    """Where the bytes behind a u32 length end; -1 if they pass ``stop``."""
    if stop - at < 4 or read_u32(data, at) > stop - at - 4:
        return -1
    return at + 4 + read_u32(data, at)


@kernel_step
def walk_properties(data: U8, at: Int, stop: Int, table: I64, names: I64, count: Int) -> Int:
    """Keep the keys of (u32 count, then key and value each); names so far, -1 full, -2 damaged."""
    if stop - at < 4:
        return -2
    pairs = read_u32(data, at)
    at += 4
    for _ in range(pairs):
        value_at = skip_blob(data, at, stop)
        end = skip_blob(data, value_at, stop) if value_at >= 0 else -1
        if end < 0:
            return -2
        count = keep_name(data, at + 4, value_at - at - 4, table, names, count)
        if count < 0:
            return -1
        at = end
    return count if at == stop else -2


@kernel_step
def walk_payload(
    data: U8, kind: Int, at: Int, stop: Int, table: I64, names: I64, count: Int
) -> Int:
    """Keep the property names of one record; names so far, -1 full, -2 damaged."""
    if kind == NODE_CREATE:
        return walk_properties(data, at + 12, stop, table, names, count)
    if kind == EDGE_CREATE:
        type_end = skip_blob(data, at + 24, stop)
        if type_end < 0:
            return -2
        return walk_properties(data, type_end, stop, table, names, count)
    if kind == NODE_UPDATE:
        before = skip_blob(data, at + 12, stop)
        after = skip_blob(data, before, stop) if before >= 0 else -1
        end = skip_blob(data, after, stop) if after >= 0 else -1
        if end != stop:
            return -2
        return keep_name(data, at + 16, before - at - 16, table, names, count)
    return count


@kernel
def walk_log(data: U8, start: Int, crc_table: U32, table: I64, names: I64, found: I64) -> Int:
    """Read records from byte ``start`` to the first that is not believed.

    Parameters
    ----------
    crc_table : (256,) uint32
    table : (size,) int64, filled with -1
        Scratch: a hash table of a power of two slots, at least twice the rows of ``names``.
    names : (k, 2) int64, written in place
        Byte position and length of each property name, once each.
    found : (2,) int64, written in place
        Byte where the walk stopped, and the number of names.

    Returns
    -------
    int
        ``ENDED``, or what is wrong with the record at ``found[0]``; ``FULL`` asks for more room.
    """
    at: Int = start
    count: Int = 0
    status = ENDED
    while at < data.size:
        left = data.size - at
        length: Int = read_u32(data, at) if left >= 4 else 0
        if length == 0:  # padding, if nothing but zero bytes follows
            rest = at
            while rest < data.size and data[rest] == 0:
                rest += 1
            status = ENDED if rest == data.size else TORN
            break
        if length < HEAD or length > left - 4:
            status = TORN
            break
        stop = at + length  # where the checksum stands
        stored = np.uint32(read_u32(data, stop))
        if crc32(data, at + 4, stop, crc_table) != stored:
            status = CHECKSUM
            break
        kind = np.int64(data[at + 4])
        if not (1 <= kind <= 6 or 0x10 <= kind <= 0x14):
            status = KIND
            break
        kept = walk_payload(data, kind, at + HEAD, stop, table, names, count)
        if kept < 0:
            status = FULL if kept == -1 else PAYLOAD
            break
        count = kept
        at = stop + 4
    found[0], found[1] = at, count
    return status
