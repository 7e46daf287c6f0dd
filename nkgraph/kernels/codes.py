"""Count and group records by a 64-bit name hash.

Node slots and edge endpoints are passed as 64-bit words, (n, 2) uint64:

    slots      word 0: node type    word 1: row id, flags << 32
    endpoints  word 0: source, target << 32    word 1: connection type

``hashes`` is the ascending list of names that may occur; the code of a record is the position
of its hash there. Removed records (dead slots, tombstoned endpoints) are passed over.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32, U64
from nkgraph.kernels._jit import kernel, kernel_step

_TOMBSTONE = np.uint64(0xFFFFFFFF)
_ALIVE = np.uint64(1 << 32)


@kernel_step
def find_code(hashes: U64, value: np.uint64) -> int:
    """Return the position of ``value`` in ``hashes``, or -1."""
    low, high = 0, hashes.size
    while low < high:
        middle = (low + high) >> 1
        if hashes[middle] < value:
            low = middle + 1
        else:
            high = middle
    if low < hashes.size and hashes[low] == value:
        return low
    return -1


@kernel
def count_slots(words: U64, hashes: U64, start: int, stop: int, counts: I64) -> int:
    """Add live slots of ``start..stop`` to ``counts`` by code; the first unknown one, or -1."""
    last, code = np.uint64(0), -1
    for node in range(start, stop):
        if words[node, 1] & _ALIVE:
            value = words[node, 0]
            if value != last or code < 0:
                last, code = value, find_code(hashes, value)
                if code < 0:
                    return node
            counts[code] += 1
    return -1


@kernel
def group_slots(words: U64, hashes: U64, cursor: I64, nodes: U32) -> None:
    """Write live node ids, grouped by code and ascending; ``cursor`` is the start of each."""
    last, code = np.uint64(0), -1
    for node in range(words.shape[0]):
        if words[node, 1] & _ALIVE:
            value = words[node, 0]
            if value != last or code < 0:
                last, code = value, find_code(hashes, value)
            nodes[cursor[code]] = node
            cursor[code] += 1


@kernel
def count_endpoints(words: U64, hashes: U64, start: int, stop: int, counts: I64) -> int:
    """Add live edges of ``start..stop`` to ``counts`` by code; the first unknown one, or -1."""
    last, code = np.uint64(0), -1
    for edge in range(start, stop):
        if words[edge, 0] & _TOMBSTONE != _TOMBSTONE:
            value = words[edge, 1]
            if value != last or code < 0:
                last, code = value, find_code(hashes, value)
                if code < 0:
                    return edge
            counts[code] += 1
    return -1


@kernel
def join_endpoints(
    sources: U32, targets: U32, codes: U32, hashes: U64, start: int, stop: int, words: U64
) -> None:
    """Write endpoint records; edge e has the type ``hashes[codes[e]]``, or the only one."""
    for edge in range(start, stop):
        words[edge, 0] = np.uint64(sources[edge]) | np.uint64(targets[edge]) << np.uint64(32)
        words[edge, 1] = hashes[codes[edge]] if codes.size else hashes[0]


@kernel
def join_pairs(
    pairs: U64, codes: U32, hashes: U64, first: int, start: int, stop: int, words: U64
) -> None:
    """As ``join_endpoints`` for ends that lie in pairs: source in the low half of a word.

    Pair p is edge ``first + p`` of ``codes`` and ``words``.
    """
    for pair in range(start, stop):
        words[first + pair, 0] = pairs[pair]
        words[first + pair, 1] = hashes[codes[first + pair]] if codes.size else hashes[0]


@kernel
def select_endpoints(words: U64, value: np.uint64, edges: U32) -> int:
    """Write the ids of live edges of one connection type, ascending; return how many."""
    count = 0
    for edge in range(words.shape[0]):
        if words[edge, 1] == value and words[edge, 0] & _TOMBSTONE != _TOMBSTONE:
            edges[count] = edge
            count += 1
    return count


@kernel
def select_incident(words: U64, marks: U8, edges: U32) -> int:
    """Write the ids of live edges with a marked end, ascending; return how many."""
    count = 0
    for edge in range(words.shape[0]):
        ends = words[edge, 0]
        if ends & _TOMBSTONE == _TOMBSTONE:
            continue
        if marks[ends & _TOMBSTONE] | marks[ends >> np.uint64(32)]:
            edges[count] = edge
            count += 1
    return count


@kernel
def count_connectivity(words: U64, type_codes: U32, conn_hashes: U64, counts: I64) -> None:
    """Count live edges by (source type, connection type, target type).

    ``type_codes`` gives the code of each node; ``counts`` is (types, conn types, types).
    """
    last, code = np.uint64(0), -1
    for edge in range(words.shape[0]):
        ends = words[edge, 0]
        if ends & _TOMBSTONE != _TOMBSTONE:
            value = words[edge, 1]
            if value != last or code < 0:
                last, code = value, find_code(conn_hashes, value)
            source = type_codes[ends & _TOMBSTONE]
            target = type_codes[ends >> np.uint64(32)]
            counts[source, code, target] += 1


@kernel
def code_slots(words: U64, hashes: U64, codes: U32) -> int:
    """Write the code of each slot's node type, dead ones 0; the first unknown one, or -1."""
    last, code = np.uint64(0), -1
    for node in range(words.shape[0]):
        codes[node] = 0
        if words[node, 1] & _ALIVE:
            value = words[node, 0]
            if value != last or code < 0:
                last, code = value, find_code(hashes, value)
                if code < 0:
                    return node
            codes[node] = code
    return -1
