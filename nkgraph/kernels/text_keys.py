"""Texts in order: sort rows, find many texts and prefixes in sorted ones, walk what was found.

    offsets  int64   (n + 1,)  row i is data[offsets[i]:offsets[i + 1]]
    data     uint8   (b,)      UTF-8, compared byte by byte
    samples  uint64  (m,)      of every ``step``-th key 8 bytes, behind ``skip`` that all keys share

Eight bytes at a time are taken as one big-endian word, zeros behind the end of the text: words
order as texts do. Only where words are equal the lengths tell a text from a longer one.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32, U64, Bool, Int
from nkgraph.kernels._jit import inlined, kernel, kernel_step
from nkgraph.kernels.intrinsics import load_word, prefetch

GROUP = 64
"""Queries searched at once, so that their cache misses overlap."""
FEW = 24
"""Up to so many rows are sorted by insertion."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_BYTES = np.uint64(0x00FF00FF00FF00FF)
_PAIRS = np.uint64(0x0000FFFF0000FFFF)


@inlined
def swapped(word: np.uint64) -> np.uint64:
    """The bytes of a word in the other order; LLVM makes one instruction of it."""
    word = ((word & _BYTES) << np.uint64(8)) | ((word >> np.uint64(8)) & _BYTES)
    word = ((word & _PAIRS) << np.uint64(16)) | ((word >> np.uint64(16)) & _PAIRS)
    return (word << np.uint64(32)) | (word >> np.uint64(32))


@inlined
def word_at(data: U8, at: Int, stop: Int) -> np.uint64:
    """Eight bytes from ``at`` as a big-endian word, zeros from ``stop`` on."""
    left = stop - at
    word = np.uint64(0)
    if left > 0:
        if at + 8 <= data.size:
            word = swapped(load_word(data, at))
            if left < 8:
                word &= _ALL << np.uint64(64 - 8 * left)
        else:
            for k in range(min(left, 8)):
                word |= np.uint64(data[at + k]) << np.uint64(56 - 8 * k)
    return word


@inlined
def compare(data: U8, at: Int, stop: Int, other: U8, begin: Int, end: Int) -> Int:
    """Below, at or above 0 as the text ``data[at:stop]`` is to ``other[begin:end]``."""
    while True:
        one, two = word_at(data, at, stop), word_at(other, begin, end)
        if one != two:
            return -1 if one < two else 1
        if stop - at <= 8 or end - begin <= 8:
            return (stop - at) - (end - begin)
        at += 8
        begin += 8


@inlined
def meets(data: U8, at: Int, stop: Int, other: U8, begin: Int, end: Int, is_prefix: Int) -> bool:
    """Whether a text equals another, or with ``is_prefix`` starts with it."""
    size = end - begin
    if stop - at < size or (is_prefix == 0 and stop - at > size):
        return False
    return compare(data, at, at + size, other, begin, end) == 0


# -- sorting ----------------------------------------------------------------------------------


@kernel_step
def sort_by_words(
    order: U32, words: U64, other_order: U32, other_words: U64, counts: I64, start: Int, stop: Int
) -> None:
    """Sort a range of ``words``, and ``order`` with them, stable; others and counts are scratch."""
    if stop - start <= FEW:
        for i in range(start + 1, stop):
            word, row = words[i], order[i]
            k = i
            while k > start and words[k - 1] > word:
                words[k], order[k] = words[k - 1], order[k - 1]
                k -= 1
            words[k], order[k] = word, row
        return
    differing = np.uint64(0)
    for i in range(start, stop):
        differing |= words[i] ^ words[start]
    a_words, a_order, b_words, b_order = words, order, other_words, other_order
    moved = 0
    for digit in range(8):
        shift = np.uint64(8 * digit)
        if (differing >> shift) & np.uint64(255) == np.uint64(0):
            continue
        for k in range(256):
            counts[k] = 0
        for i in range(start, stop):
            counts[np.int64((a_words[i] >> shift) & np.uint64(255))] += 1
        place: Int = start
        for k in range(256):
            size = counts[k]
            counts[k] = place
            place += size
        for i in range(start, stop):
            value = np.int64((a_words[i] >> shift) & np.uint64(255))
            to = counts[value]
            counts[value] = to + 1
            b_words[to] = a_words[i]
            b_order[to] = a_order[i]
        a_words, b_words = b_words, a_words
        a_order, b_order = b_order, a_order
        moved ^= 1
    if moved:
        for i in range(start, stop):
            words[i] = other_words[i]
            order[i] = other_order[i]


@kernel_step
def put_ended_first(
    offsets: I64, done: Int, order: U32, other: U32, counts: I64, start: Int, stop: Int
) -> Int:
    """Order rows whose words are equal by length, up to one past the word; stable.

    Returns the start of the rows that go on behind the word, which begins at byte ``done``.
    """
    for k in range(10):
        counts[k] = 0
    for i in range(start, stop):
        counts[min(offsets[order[i] + 1] - offsets[order[i]] - done, 9)] += 1
    going: Int = stop - counts[9]
    for k in range(10):
        if counts[k] == stop - start:
            return going
    place: Int = start
    for k in range(10):
        size = counts[k]
        counts[k] = place
        place += size
    for i in range(start, stop):
        k = min(offsets[order[i] + 1] - offsets[order[i]] - done, 9)
        other[counts[k]] = order[i]
        counts[k] += 1
    for i in range(start, stop):
        order[i] = other[i]
    return going


@kernel
def sort_rows(
    offsets: I64,
    data: U8,
    order: U32,
    words: U64,
    other_order: U32,
    other_words: U64,
    ranges: U32,
    next_ranges: U32,
    counts: I64,
) -> None:
    """Sort rows by their texts, stable: eight bytes a round, equal ones again by the next eight.

    Parameters
    ----------
    order : (n,) uint32, sorted in place
        Rows, each once.
    words, other_words : (n,) uint64, scratch
    other_order : (n,) uint32, scratch
    ranges, next_ranges : (n + 2,) uint32, scratch
        Where runs of rows start and stop that are equal so far.
    counts : (256,) int64, scratch

    Notes
    -----
    O(bytes) time: each word of a text is looked at once, as far as another text shares it.
    """
    ranges[0], ranges[1] = 0, order.size
    held = 2 if order.size > 1 else 0
    done = 0
    while held:
        kept = 0
        for k in range(0, held, 2):
            start, stop = np.int64(ranges[k]), np.int64(ranges[k + 1])
            for i in range(start, stop):
                row = order[i]
                words[i] = word_at(data, offsets[row] + done, offsets[row + 1])
            sort_by_words(order, words, other_order, other_words, counts, start, stop)
            at = start
            while at < stop:
                end = at + 1
                while end < stop and words[end] == words[at]:
                    end += 1
                if end - at > 1:
                    going = put_ended_first(offsets, done, order, other_order, counts, at, end)
                    if end - going > 1:
                        next_ranges[kept], next_ranges[kept + 1] = going, end
                        kept += 2
                at = end
        ranges, next_ranges = next_ranges, ranges
        held = kept
        done += 8


@kernel
def first_out_of_order(offsets: I64, data: U8, nodes: U32) -> int:
    """The first entry that is not above the one before by (text, node), or -1."""
    for i in range(1, nodes.size):
        sign = compare(data, offsets[i - 1], offsets[i], data, offsets[i], offsets[i + 1])
        if sign > 0 or (sign == 0 and nodes[i - 1] >= nodes[i]):
            return i
    return -1


# -- searching --------------------------------------------------------------------------------


@kernel
def fill_samples(offsets: I64, data: U8, skip: int, step: int, samples: U64) -> None:
    """Write the word behind the first ``skip`` bytes of every ``step``-th key."""
    for i in range(samples.size):
        row = i * step
        samples[i] = word_at(data, offsets[row] + skip, offsets[row + 1])


@inlined
def narrow_by_samples(
    offsets: I64,
    data: U8,
    samples: U64,
    skip: Int,
    step: Int,
    query_offsets: I64,
    queries: U8,
    first: Int,
    lanes: Int,
    words: U64,
    lows: I64,
    highs: I64,
) -> None:
    """Take a group of queries down to the keys between two samples, or to none."""
    count = offsets.size - 1
    for lane in range(lanes):
        begin, end = query_offsets[first + lane], query_offsets[first + lane + 1]
        shared = min(end - begin, skip)
        sign = compare(queries, begin, begin + shared, data, offsets[0], offsets[0] + skip)
        words[lane] = word_at(queries, begin + skip, end)
        lows[lane], highs[lane] = 0, samples.size
        if sign != 0:  # above or below all keys
            lows[lane] = highs[lane] = -1 if sign < 0 else -2
    size = samples.size
    while size > 1:
        half = size >> 1
        size -= half
        for lane in range(lanes):
            base = lows[lane]
            if base >= 0:
                lows[lane] = base + half * np.int64(samples[base + half - 1] < words[lane])
    for lane in range(lanes):
        base = lows[lane]
        if base < 0:
            lows[lane] = highs[lane] = 0 if base == -1 else count
            continue
        word = words[lane]
        below = base + np.int64(samples[base] < word)
        above, jump = below, 1
        while above < samples.size and samples[above] == word:
            above = min(above + jump, samples.size)
            jump += jump
        lows[lane] = (below - 1) * step + 1 if below else 0
        highs[lane] = min(above * step, count)


@inlined
def run_end(
    offsets: I64, data: U8, at: Int, queries: U8, begin: Int, end: Int, is_prefix: Int
) -> Int:
    """Where the keys from ``at`` on that meet the query end; ``at`` itself if none does."""
    count = offsets.size - 1
    if at >= count or not meets(data, offsets[at], offsets[at + 1], queries, begin, end, is_prefix):
        return at
    step = 1
    low: Int = at + 1
    high: Int = count
    while at + step < count:
        probe = at + step
        if not meets(data, offsets[probe], offsets[probe + 1], queries, begin, end, is_prefix):
            high = probe
            break
        at = probe
        low = at + 1
        step += step
    while low < high:
        probe = (low + high) >> 1
        if meets(data, offsets[probe], offsets[probe + 1], queries, begin, end, is_prefix):
            low = probe + 1
        else:
            high = probe
    return low


@kernel
def find_runs(
    offsets: I64,
    data: U8,
    samples: U64,
    skip: int,
    step: int,
    query_offsets: I64,
    queries: U8,
    is_prefix: int,
    start: int,
    stop: int,
    starts: I64,
    stops: I64,
) -> None:
    """Find the run of keys that equal, or start with, each query of a range.

    Parameters
    ----------
    offsets : (n + 1,) int64
        Of sorted keys; checked.
    samples : (m,) uint64
        None of them: all keys are searched.
    is_prefix : int
        1: keys that start with the query; 0: that equal it.
    starts, stops : (q,) int64, written in place

    Notes
    -----
    O(log n) comparisons a query, ``GROUP`` queries step by step together, what each will read
    next prefetched. Keys that are not sorted give other runs, never a read out of bounds.
    """
    if samples.size == 0:
        skip = 0
    words = np.empty(GROUP, np.uint64)
    lows = np.empty(GROUP, np.int64)
    highs = np.empty(GROUP, np.int64)
    for first in range(start, stop, GROUP):
        lanes = min(GROUP, stop - first)
        if samples.size:
            narrow_by_samples(
                offsets, data, samples, skip, step, query_offsets, queries, first, lanes,
                words, lows, highs,
            )  # fmt: skip
        else:
            lows[:] = 0
            highs[:] = offsets.size - 1
        going = True
        while going:
            going = False
            for lane in range(lanes):
                if lows[lane] < highs[lane]:
                    prefetch(offsets, (lows[lane] + highs[lane]) >> 1)
            for lane in range(lanes):
                if lows[lane] < highs[lane]:
                    prefetch(data, offsets[(lows[lane] + highs[lane]) >> 1] + skip)
            for lane in range(lanes):
                if lows[lane] < highs[lane]:
                    key = (lows[lane] + highs[lane]) >> 1
                    begin, end = query_offsets[first + lane], query_offsets[first + lane + 1]
                    at, stop_at = offsets[key] + skip, offsets[key + 1]
                    if compare(data, at, stop_at, queries, begin + skip, end) < 0:
                        lows[lane] = key + 1
                    else:
                        highs[lane] = key
                    going = going or lows[lane] < highs[lane]
        for lane in range(lanes):
            begin, end = query_offsets[first + lane], query_offsets[first + lane + 1]
            starts[first + lane] = lows[lane]
            stops[first + lane] = run_end(offsets, data, lows[lane], queries, begin, end, is_prefix)


@kernel
def fill_hits(
    starts: I64, stops: I64, nodes: U32, hit_offsets: I64, hit_nodes: U32, hit_queries: I64
) -> None:
    """Write the nodes of each run, and the query that it belongs to."""
    for query in range(starts.size):
        to = hit_offsets[query]
        for k in range(stops[query] - starts[query]):
            hit_nodes[to + k] = nodes[starts[query] + k]
            hit_queries[to + k] = query


@kernel
def starts_with(offsets: I64, data: U8, prefix: U8, found: Bool) -> None:
    """Say which rows start with ``prefix``."""
    for row in range(found.size):
        found[row] = meets(data, offsets[row], offsets[row + 1], prefix, 0, prefix.size, 1)
