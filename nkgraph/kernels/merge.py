"""Sorted lists of nodes, one list a connection type and segment, as one list a type.

As in ``kernels.stitch``, the parts are given by a table of where their arrays lie:

    parts  int64  (p, 5)  columns NODES_AT to SHIFT

A *task* is a range of nodes of one type: the items ``starts[task, part]`` to
``stops[task, part]`` of each part. Its union is found in one of two forms, whichever takes
fewer words, and held until it is known where the results go:

    bitmap   a bit for each node of the range
    records  node << 32 | number of the item, sorted; numbers run from part to part

Kernels trust their inputs; ``nkgraph.stitching`` prepares them. Nodes count from the first
one of the range.
"""

import numpy as np

from nkgraph.dtypes import I64, U32, U64, Int
from nkgraph.kernels._jit import inlined, kernel, kernel_step
from nkgraph.kernels.csr import HALF, LOW, ONE, scan_counts
from nkgraph.kernels.intrinsics import trailing_zeros
from nkgraph.kernels.stitch import uint32_at, uint64_at, view_at

NODES_AT, COUNTS_AT, ITEM_COUNT, WIDE, SHIFT = range(5)
DIGIT = np.uint64(11)
WORD_BITS = np.uint64(6)
IN_WORD = np.uint64(63)
ZERO = np.uint64(0)
COUNTERS = 1 << 13
"""Nodes that are counted at once."""
COUNTER_WORDS = COUNTERS >> 6


@inlined
def nodes_of(parts: I64, p: Int) -> U32:
    """View the nodes of part ``p``."""
    nodes: U32 = view_at(uint32_at(parts[p, NODES_AT]), (parts[p, ITEM_COUNT],))
    return nodes


@inlined
def popcount(word: np.uint64) -> np.uint64:
    """How many bits are set; LLVM knows this form and takes the machine's instruction."""
    word -= (word >> ONE) & np.uint64(0x5555555555555555)
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@inlined
def find_node(nodes: U32, node: Int, start: Int, stop: Int) -> Int:
    """Position of the first item of a range that is at least ``node``."""
    while start < stop:
        middle = (start + stop) >> 1
        if np.int64(nodes[middle]) < node:
            start = middle + 1
        else:
            stop = middle
    return start


@kernel
def cut_lists(
    parts: I64,
    types: I64,
    firsts: I64,
    lasts: I64,
    type_starts: I64,
    type_stops: I64,
    start: int,
    stop: int,
    starts: I64,
    stops: I64,
    sizes: I64,
) -> None:
    """Find the items of each part in a range of tasks; O(parts * log(items)) a task.

    Parameters
    ----------
    types, firsts, lasts : (tasks,) int64
        Type of each task, and its nodes, from first up to last.
    type_starts, type_stops : (types, p) int64
        Items of each type in each part.
    starts, stops : (tasks, p) int64, written in place
    sizes : (tasks,) int64, written in place
        Items in all parts.
    """
    for task in range(start, stop):
        conn_type = types[task]
        size = np.int64(0)
        for p in range(parts.shape[0]):
            nodes = nodes_of(parts, p)
            low, high = type_starts[conn_type, p], type_stops[conn_type, p]
            low = find_node(nodes, firsts[task] - parts[p, SHIFT], low, high)
            high = find_node(nodes, lasts[task] - parts[p, SHIFT], low, high)
            starts[task, p], stops[task, p] = low, high
            size += high - low
        sizes[task] = size


@kernel_step
def sort_nodes(span: np.uint64, counts: U32, records: U64, other: U64) -> None:
    """Radix sort in place of records whose nodes are below ``span``.

    ``counts`` is (2**DIGIT,) scratch, ``other`` is as long as ``records``.
    """
    mask = (ONE << DIGIT) - ONE
    low = HALF
    flipped = False
    while (span - ONE) >> (low - HALF):
        counts[:] = 0
        for i in range(np.uint64(records.size)):
            counts[(records[i] >> low) & mask] += np.uint32(1)
        scan_counts(counts)
        for i in range(np.uint64(records.size)):
            digit = (records[i] >> low) & mask
            slot = counts[digit]
            counts[digit] = slot + np.uint32(1)
            other[slot] = records[i]
        records, other = other, records
        flipped = not flipped
        low += DIGIT
    if flipped:
        other[:] = records


@kernel
def unite(
    parts: I64,
    firsts: I64,
    lasts: I64,
    starts: I64,
    stops: I64,
    sizes: I64,
    held_at: I64,
    start: int,
    stop: int,
    counts: U32,
    other: U64,
    held: U64,
    distinct: I64,
) -> None:
    """Find the union of each task of a range, and how many nodes it has.

    Parameters
    ----------
    held_at : (tasks + 1,) int64
        Task i has the words ``held_at[i]`` to ``held_at[i + 1]`` of ``held``: one for each
        item if it is sorted records, fewer if it is a bitmap.
    counts : (2**DIGIT,) uint32, scratch
    other : uint64, scratch
        As long as the largest task of records.
    held : uint64, written in place
    distinct : (tasks,) int64, written in place
    """
    for task in range(start, stop):
        words = held[held_at[task] : held_at[task + 1]]
        bitmap = words.size < sizes[task]
        words[:] = 0
        item = ZERO
        for p in range(parts.shape[0]):
            nodes = nodes_of(parts, p)[starts[task, p] : stops[task, p]]
            shift = np.uint64(parts[p, SHIFT] - firsts[task])
            if bitmap:
                for node in nodes:
                    at = np.uint64(node) + shift
                    words[at >> WORD_BITS] |= ONE << (at & IN_WORD)
            else:
                for node in nodes:
                    words[item] = ((np.uint64(node) + shift) << HALF) | item
                    item += ONE
        found = ZERO
        if bitmap:
            for word in words:
                found += popcount(word)
        elif words.size:
            sort_nodes(np.uint64(lasts[task] - firsts[task]), counts, words, other[: words.size])
            found = ONE
            for i in range(np.uint64(words.size - 1)):
                found += np.uint64(words[i] >> HALF != words[i + ONE] >> HALF)
        distinct[task] = np.int64(found)


@kernel_step
def emit_bits(words: U64, first: np.uint64, nodes: U32) -> None:
    """Write the nodes of a bitmap; ``first`` is that of its lowest bit."""
    slot = ZERO
    base = np.uint64(first)
    for word in words:
        bits = word
        while bits:
            nodes[slot] = np.uint32(base + trailing_zeros(bits))
            slot += ONE
            bits &= bits - ONE
        base += np.uint64(64)


@kernel
def emit_nodes(
    firsts: I64,
    sizes: I64,
    held_at: I64,
    held: U64,
    slots: I64,
    start: int,
    stop: int,
    nodes: U32,
) -> None:
    """Write the nodes of each task of a range from ``nodes[slots[task]]`` on."""
    for task in range(start, stop):
        words = held[held_at[task] : held_at[task + 1]]
        out = nodes[slots[task] : slots[task + 1]]
        first = np.uint64(firsts[task])
        if words.size < sizes[task]:
            emit_bits(words, first, out)
            continue
        slot = np.int64(-1)
        before = ~ZERO
        for word in words:
            node = word >> HALF
            slot += np.int64(node != before)
            before = node
            out[np.uint64(slot)] = np.uint32(node + first)


@inlined
def add_counts(parts: I64, p: Int, start: Int, stop: Int, nodes: U32, shift: np.uint64,
               counters: U64) -> None:  # fmt: skip
    """Add the counts of a range of items of part ``p`` to the counters of their nodes."""
    if parts[p, WIDE]:
        counts = view_at(uint64_at(parts[p, COUNTS_AT]), (parts[p, ITEM_COUNT],))
        for i in range(np.uint64(start), np.uint64(stop)):
            counters[np.uint64(nodes[i]) + shift] += counts[i]
    else:
        narrow = view_at(uint32_at(parts[p, COUNTS_AT]), (parts[p, ITEM_COUNT],))
        for i in range(np.uint64(start), np.uint64(stop)):
            counters[np.uint64(nodes[i]) + shift] += np.uint64(narrow[i])


@inlined
def list_counts(parts: I64, p: Int, start: Int, stop: Int, out: U64) -> None:
    """Write the counts of a range of items of part ``p``."""
    first = np.uint64(start)
    if parts[p, WIDE]:
        counts = view_at(uint64_at(parts[p, COUNTS_AT]), (parts[p, ITEM_COUNT],))
        for i in range(np.uint64(stop - start)):
            out[i] = counts[first + i]
    else:
        narrow = view_at(uint32_at(parts[p, COUNTS_AT]), (parts[p, ITEM_COUNT],))
        for i in range(np.uint64(stop - start)):
            out[i] = np.uint64(narrow[first + i])


@kernel_step
def sum_dense(
    parts: I64,
    words: U64,
    first: int,
    cursor: I64,
    stops: I64,
    counters: U64,
    nodes: U32,
    counts: U64,
) -> None:
    """Sum counts, ``COUNTERS`` nodes at a time, and write them where the bitmap has a bit.

    Parameters
    ----------
    words : uint64
        The bitmap; ``first`` is the node of its lowest bit.
    cursor, stops : (p,) int64
        Items of each part; ``cursor`` is moved to the end.
    counters : (COUNTERS,) uint64, scratch
        All 0, before and after.
    """
    slot = ZERO
    for low in range(0, words.size, COUNTER_WORDS):
        part_words = words[low : low + COUNTER_WORDS]
        base = first + (low << 6)
        for p in range(parts.shape[0]):
            own = nodes_of(parts, p)
            shift = np.uint64(parts[p, SHIFT] - base)
            start = cursor[p]
            # most windows hold about as many items as the one before: search near the cursor
            step = np.int64(64)
            bound = base + COUNTERS - parts[p, SHIFT]
            while start + step < stops[p] and np.int64(own[start + step]) < bound:
                step += step
            stop = find_node(own, bound, start, min(start + step, stops[p]))
            add_counts(parts, p, start, stop, own, shift, counters)
            cursor[p] = stop
        at = ZERO
        for word in part_words:
            bits = word
            while bits:
                bit = at + trailing_zeros(bits)
                nodes[slot] = np.uint32(np.uint64(base) + bit)
                counts[slot] = counters[bit]
                counters[bit] = ZERO
                slot += ONE
                bits &= bits - ONE
            at += np.uint64(64)


@kernel
def emit_counts(
    parts: I64,
    firsts: I64,
    starts: I64,
    stops: I64,
    sizes: I64,
    held_at: I64,
    held: U64,
    slots: I64,
    start: int,
    stop: int,
    cursor: I64,
    counters: U64,
    listed: U64,
    nodes: U32,
    counts: U64,
) -> None:
    """As ``emit_nodes``, and the sum of each node's counts.

    Parameters
    ----------
    cursor : (p,) int64, scratch
    counters : (COUNTERS,) uint64, scratch
        All 0, before and after.
    listed : uint64, scratch
        As long as the largest task of records.
    """
    for task in range(start, stop):
        words = held[held_at[task] : held_at[task + 1]]
        out = nodes[slots[task] : slots[task + 1]]
        sums = counts[slots[task] : slots[task + 1]]
        if words.size < sizes[task]:
            for p in range(cursor.size):
                cursor[p] = starts[task, p]
            sum_dense(parts, words, firsts[task], cursor, stops[task], counters, out, sums)
            continue
        size = np.int64(0)
        for p in range(parts.shape[0]):
            low, high = starts[task, p], stops[task, p]
            list_counts(parts, p, low, high, listed[size : size + high - low])
            size += high - low
        slot = np.int64(-1)
        before = ~ZERO
        for word in words:
            node = word >> HALF
            if node != before:
                slot += 1
                before = node
                out[slot] = np.uint32(node + np.uint64(firsts[task]))
                sums[slot] = ZERO
            sums[slot] += listed[word & LOW]
