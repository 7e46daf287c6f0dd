"""The rows of several segments as one: count, scan, then fill a window of nodes at a time.

How many segments there are is known only at run time, and numba compiles a tuple of arrays
for each number of them. So kernels are given a table of where the arrays lie, one line a
segment, and view them by address; the caller keeps the arrays alive:

    segments  int64  (s, 6)  columns FIRST_NODE to ENTRIES_AT

An entry is one word: peer in the low, edge id in the high 32 bits. All ones in the high half
mark a removed edge. A *window* is a range of nodes. Where one segment alone has entries in
it they are copied; elsewhere a row that one segment has is copied, and the entries of all
other rows become records, which are sorted stably by rank and then by row:

    keys    uint32  row within the window << rank_bits | rank
    words   uint64  the entry, with its global edge id

Kernels trust their inputs; ``nkgraph.stitching`` prepares them.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from nkgraph.dtypes import I64, U8, U16, U32, U64, Int
from nkgraph.kernels._jit import inlined, kernel, kernel_step
from nkgraph.kernels.csr import HALF, ONE, scan_counts
from nkgraph.kernels.endpoints import EMPTY, GOLDEN
from nkgraph.kernels.intrinsics import prefetch

FIRST_NODE, ROWS, FIRST_EDGE, ENTRY_COUNT, OFFSETS_AT, ENTRIES_AT = range(6)
ZERO = np.uint64(0)
REMOVED = np.uint64(0xFFFFFFFF)
REMOVED_WORD = np.uint64(0xFFFFFFFF00000000)
"""The least entry of a removed edge."""
BLOCK = 1 << 12
"""Nodes whose counts stay in cache while one segment after another is added."""
EDGE_DIGIT = np.uint64(11)
AHEAD = np.uint64(64)  # entries between asking for a rank, which lies anywhere, and reading it
DONE, NEEDS_RANKS, HAS_REMOVED = range(3)  # what became of filling

Ranks: TypeAlias = U8 | U16 | U32


def address_of(item: Any) -> Callable[..., Any]:
    """Typing of an intrinsic that makes an int64 a pointer to ``item``."""

    def type_address(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> ir.Value:
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return cast(Any, types.CPointer)(item)(types.int64), codegen

    return type_address


int64_at = cast(Callable[[Int], Any], intrinsic(address_of(types.int64)))
uint64_at = cast(Callable[[Int], Any], intrinsic(address_of(types.uint64)))
uint32_at = cast(Callable[[Int], Any], intrinsic(address_of(types.uint32)))
ask = cast(Callable[[Ranks, np.uint64], None], prefetch)
view_at = cast(Callable[[Any, tuple[Int]], Any], carray)
"""``view_at(pointer, shape)``: the items there as an array."""


@inlined
def offsets_of(segments: I64, s: Int) -> I64:
    """View the offsets of segment ``s``."""
    offsets: I64 = view_at(int64_at(segments[s, OFFSETS_AT]), (segments[s, ROWS] + 1,))
    return offsets


@inlined
def entries_of(segments: I64, s: Int) -> U64:
    """View the entries of segment ``s``, as words."""
    words: U64 = view_at(uint64_at(segments[s, ENTRIES_AT]), (segments[s, ENTRY_COUNT],))
    return words


@inlined
def overlap(segments: I64, s: Int, first: Int, last: Int) -> tuple[Int, Int]:
    """Rows of segment ``s`` that lie among the nodes ``first`` to ``last``; may be none."""
    base = segments[s, FIRST_NODE]
    return max(first - base, 0), min(last - base, segments[s, ROWS])


@kernel
def find_removed(segments: I64, starts: I64, start: int, stop: int, removed: U8) -> None:
    """Set ``removed[s]`` where a range of the entries, end to end, has a removed edge.

    ``starts``, (s + 1,) int64: where each segment's entries begin among all entries.
    """
    for s in range(segments.shape[0]):
        low, high = max(start, starts[s]), min(stop, starts[s + 1])
        if low < high:
            found = ZERO
            for word in entries_of(segments, s)[low - starts[s] : high - starts[s]]:
                found += np.uint64(word >= REMOVED_WORD)
            removed[s] |= np.uint8(found > ZERO)


@inlined
def count_live(words: U64) -> Int:
    """How many entries are not removed."""
    live = np.int64(0)
    for word in words:
        live += np.int64(word < REMOVED_WORD)
    return live


@kernel
def count_rows(segments: I64, removed: U8, start: int, stop: int, ends: I64) -> Int:
    """Write where the row of each node of a range ends, from the range's first entry; give the sum.

    ``removed``, (s,) uint8: which segments must be read to count what is not removed.
    """
    total = np.int64(0)
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        block = ends[first:last]
        block[:] = 0
        for s in range(segments.shape[0]):
            low, high = overlap(segments, s, first, last)
            if low >= high:
                continue
            offsets = offsets_of(segments, s)[low : high + 1]
            at = low + segments[s, FIRST_NODE] - first
            own = block[at : at + high - low]
            if removed[s]:
                words = entries_of(segments, s)
                for row in range(own.size):
                    own[row] += count_live(words[offsets[row] : offsets[row + 1]])
            else:
                starts, stops = offsets[:-1], offsets[1:]
                for row in range(own.size):
                    own[row] += stops[row] - starts[row]
        for row in range(block.size):
            total += block[row]
            block[row] = total
    return total


@kernel
def move_rows(start: int, stop: int, before: int, ends: I64) -> None:
    """Add to the ends of a range of rows how many entries lie ``before`` the range."""
    for row in range(np.uint64(start), np.uint64(stop)):
        ends[row] += before


@kernel_step
def find_active(segments: I64, first: int, last: int, active: I64) -> Int:
    """List the segments that have entries among the nodes ``first`` to ``last``."""
    found = np.int64(0)
    for s in range(segments.shape[0]):
        low, high = overlap(segments, s, first, last)
        if low < high:
            offsets = offsets_of(segments, s)
            if offsets[low] < offsets[high]:
                active[found] = s
                found += 1
    return found


@inlined
def copy_words(words: U64, first_edge: Int, out: U64) -> bool:
    """Copy entries, adding ``first_edge`` to their edge ids; whether none is removed."""
    shift = np.uint64(first_edge) << HALF
    found = ZERO
    for i in range(words.size):
        found += np.uint64(words[i] >= REMOVED_WORD)
        out[i] = words[i] + shift
    return bool(found == ZERO)


@kernel_step
def cover_rows(segments: I64, active: I64, removed: U8, first: int, last: int, cover: U32) -> None:
    """Count in how many of the ``active`` segments each row of a window has entries."""
    cover[:] = 0
    for s in active:
        low, high = overlap(segments, s, first, last)
        offsets = offsets_of(segments, s)[low : high + 1]
        at = low + segments[s, FIRST_NODE] - first
        own = cover[at : at + high - low]
        if removed[s]:
            words = entries_of(segments, s)
            for row in range(own.size):
                live = count_live(words[offsets[row] : offsets[row + 1]])
                own[row] += np.uint32(live > 0)
        else:
            starts, stops = offsets[:-1], offsets[1:]
            for row in range(own.size):
                own[row] += np.uint32(stops[row] > starts[row])


@inlined
def count_shared(offsets: I64, cover: U32) -> Int:
    """How many entries lie in rows that more than one segment has."""
    starts, stops = offsets[:-1], offsets[1:]
    shared = np.int64(0)
    for row in range(cover.size):
        shared += (stops[row] - starts[row]) * np.int64(cover[row] > np.uint32(1))
    return shared


@kernel_step
def gather_rows(
    segments: I64,
    s: int,
    removed: bool,
    first: int,
    last: int,
    ranks: Ranks,
    rank_bits: np.uint64,
    cover: U32,
    cursor: I64,
    size: Int,
    keys: U32,
    words: U64,
    entries: U64,
) -> Int:
    """Copy the rows that a segment has alone, and append those it shares to the records.

    Parameters
    ----------
    removed : bool
        Whether removed edges are expected.
    cover : uint32, one for each row of the window
        At most 1 where the segment's row, if it has entries, is the only one.
    cursor : int64, one for each row of the window, updated in place
        Where the row's next entry goes in ``entries``, those of the window.
    size : int
        Records so far.

    Returns
    -------
    int
        Records now, or -1 if there is a removed edge that was not expected.
    """
    low, high = overlap(segments, s, first, last)
    base = segments[s, FIRST_NODE] - first
    shift = np.uint64(segments[s, FIRST_EDGE]) << HALF
    offsets = offsets_of(segments, s)
    own = entries_of(segments, s)
    at = np.uint64(size)
    stop = offsets[low]
    for row in range(low, high):
        start = stop
        stop = offsets[row + 1]
        if start == stop:
            continue
        node = np.uint64(base + row)
        alone = cover[node] <= np.uint32(1)
        slot = np.uint64(cursor[node])
        for word in own[start:stop]:
            if word >= REMOVED_WORD:
                if removed:
                    continue
                return np.int64(-1)
            entry = word + shift
            if alone:
                entries[slot] = entry
                slot += ONE
            else:
                keys[at] = np.uint32((node << rank_bits) | np.uint64(ranks[entry >> HALF]))
                words[at] = entry
                at += ONE
        cursor[node] = np.int64(slot)
    return np.int64(at)


@kernel_step
def stream_rows(
    segments: I64,
    s: int,
    first: int,
    last: int,
    ranks: Ranks,
    rank_bits: np.uint64,
    size: Int,
    keys: U32,
    words: U64,
) -> Int:
    """Append all rows of a segment to the records: as ``gather_rows``, with no branch a row.

    ``keys`` and ``words`` have room for one record more. None of the edges may be removed;
    otherwise gives -1.
    """
    low, high = overlap(segments, s, first, last)
    base = np.uint32(segments[s, FIRST_NODE] - first + low)
    shift = np.uint64(segments[s, FIRST_EDGE]) << HALF
    offsets = offsets_of(segments, s)[low : high + 1]
    own = entries_of(segments, s)[offsets[0] : offsets[offsets.size - 1]]
    to_keys = keys[size : size + own.size + 1]
    to_words = words[size : size + own.size]
    to_keys[:] = 0  # how many rows end before each entry
    for end in offsets[1:]:
        to_keys[np.uint64(end - offsets[0])] += np.uint32(1)
    row = np.uint64(base)
    last_word = np.uint64(own.size) - ONE
    for i in range(np.uint64(own.size)):
        ask(ranks, (own[min(i + AHEAD, last_word)] + shift) >> HALF)
        word = own[i]
        if word >= REMOVED_WORD:
            return np.int64(-1)
        entry = word + shift
        row += np.uint64(to_keys[i])
        to_keys[i] = np.uint32((row << rank_bits) | np.uint64(ranks[entry >> HALF]))
        to_words[i] = entry
    return np.int64(size + own.size)


@inlined
def is_ordered(keys: U32, words: U64) -> bool:
    """Whether records ascend by key and edge id."""
    before = ZERO
    falls = ZERO
    for i in range(np.uint64(keys.size)):
        place = (np.uint64(keys[i]) << HALF) | (words[i] >> HALF)
        falls += np.uint64(place < before)
        before = place
    return bool(falls == ZERO)


@kernel_step
def sort_by_rank(
    low: np.uint64, mask: np.uint64, counts: U32, keys: U32, words: U64, to_keys: U32, to_words: U64
) -> None:
    """Move records, stably by the bits ``mask`` of their keys from ``low`` on."""
    counts[:] = 0
    for i in range(np.uint64(keys.size)):
        counts[(np.uint64(keys[i]) >> low) & mask] += np.uint32(1)
    scan_counts(counts)
    for i in range(np.uint64(keys.size)):
        digit = (np.uint64(keys[i]) >> low) & mask
        slot = counts[digit]
        counts[digit] = slot + np.uint32(1)
        to_keys[slot] = keys[i]
        to_words[slot] = words[i]


@kernel_step
def sort_by_edge(
    low: np.uint64, mask: np.uint64, counts: U32, keys: U32, words: U64, to_keys: U32, to_words: U64
) -> None:
    """Move records, stably by the bits ``mask`` of their edge ids from ``low`` on."""
    counts[:] = 0
    for i in range(np.uint64(keys.size)):
        counts[(words[i] >> (HALF + low)) & mask] += np.uint32(1)
    scan_counts(counts)
    for i in range(np.uint64(keys.size)):
        digit = (words[i] >> (HALF + low)) & mask
        slot = counts[digit]
        counts[digit] = slot + np.uint32(1)
        to_keys[slot] = keys[i]
        to_words[slot] = words[i]


@kernel_step
def place_records(rank_bits: np.uint64, keys: U32, words: U64, cursor: I64, entries: U64) -> None:
    """Move records to their rows, stably."""
    for i in range(np.uint64(keys.size)):
        row = np.uint64(keys[i]) >> rank_bits
        slot = cursor[row]
        cursor[row] = slot + 1
        entries[np.uint64(slot)] = words[i]


@kernel_step
def sort_records(
    rank_bits: np.uint64,
    digit: np.uint64,
    by_edge: bool,
    size: Int,
    counts: U32,
    keys: U32,
    words: U64,
    cursor: I64,
    entries: U64,
) -> None:
    """Sort records by rank, before that by edge id if need be, and move them to their rows.

    Parameters
    ----------
    counts : (2**max(digit, EDGE_DIGIT),) uint32, scratch
    keys, words : (2, >= size) uint32 and uint64
        Line 0 holds the records; overwritten.
    """
    one_keys, two_keys = keys[0, :size], keys[1, :size]
    one, two = words[0, :size], words[1, :size]
    if by_edge:
        used = counts[: 1 << EDGE_DIGIT]
        for at in range(ZERO, HALF, EDGE_DIGIT):
            mask = (ONE << EDGE_DIGIT) - ONE
            sort_by_edge(np.uint64(at), mask, used, one_keys, one, two_keys, two)
            one_keys, one, two_keys, two = two_keys, two, one_keys, one
    if digit:
        for at in range(ZERO, rank_bits, digit):
            width = min(digit, rank_bits - np.uint64(at))
            used, mask = counts[: 1 << width], (ONE << width) - ONE
            sort_by_rank(np.uint64(at), mask, used, one_keys, one, two_keys, two)
            one_keys, one, two_keys, two = two_keys, two, one_keys, one
    if entries.size > size:  # rows that were copied lie between
        place_records(rank_bits, one_keys, one, cursor, entries)
        return
    # Rows are put together in cache, since writes to and fro in new memory wait for it.
    place_records(rank_bits, one_keys, one, cursor, two)
    for slot in range(np.uint64(size)):
        entries[slot] = two[slot]


@kernel_step
def fill_shared(
    segments: I64,
    active: I64,
    removed: U8,
    first: int,
    last: int,
    offsets: I64,
    ranks: Ranks,
    rank_bits: np.uint64,
    digit: np.uint64,
    in_order: bool,
    cover: U32,
    cursor: I64,
    counts: U32,
    keys: U32,
    words: U64,
    entries: U64,
) -> int:
    """Write the rows of one window that is not just copied; a status as of ``fill_windows``.

    ``active`` are the segments with entries in it, ``offsets`` those of its rows, ``cover`` and
    ``cursor`` as long as it has rows.
    """
    own = entries[offsets[0] : offsets[offsets.size - 1]]
    for row in range(cursor.size):
        cursor[row] = offsets[row] - offsets[0]
    shared: Int = own.size
    if in_order:
        cover_rows(segments, active, removed, first, last, cover)
        shared = count_shared(offsets, cover)
        if shared > 0 and ranks.size == 0:
            return NEEDS_RANKS
    streamed = 2 * shared > own.size
    if streamed:  # rows that a segment has alone are sorted with the others
        cover[:] = 2
    size: Int = np.int64(0)
    by_edge = False
    own_keys, own_words = keys[0], words[0]
    for s in active:
        before = size
        if streamed and not removed[s]:
            size = stream_rows(
                segments, s, first, last, ranks, rank_bits, size, own_keys, own_words
            )
        else:
            size = gather_rows(
                segments, s, removed[s] > 0, first, last, ranks, rank_bits, cover, cursor, size,
                own_keys, own_words, own,
            )  # fmt: skip
        if size < 0:
            return HAS_REMOVED
        if not in_order:
            by_edge |= not is_ordered(own_keys[before:size], own_words[before:size])
    if active.size == 1 and not by_edge:
        digit = ZERO  # in order as they are
    sort_records(rank_bits, digit, by_edge, size, counts, keys, words, cursor, own)
    return DONE


@kernel
def fill_windows(
    segments: I64,
    removed: U8,
    windows: I64,
    offsets: I64,
    ranks: Ranks,
    rank_bits: np.uint64,
    digit: np.uint64,
    in_order: bool,
    start: int,
    stop: int,
    active: I64,
    cover: U32,
    cursor: I64,
    counts: U32,
    keys: U32,
    words: U64,
    entries: U64,
) -> int:
    """Write the rows of a range of windows.

    Parameters
    ----------
    removed : (s,) uint8
        Whether the segment has removed edges.
    windows : (w + 1,) int64
        Window i is the nodes ``windows[i]`` to ``windows[i + 1]``.
    offsets : (n + 1,) int64
        Where each row goes.
    ranks : (edges,) uint8, uint16 or uint32, each below ``2**rank_bits``; or (0,)
    digit : uint64
        Bits of a rank to sort by at once; 0 for none.
    in_order : bool
        Whether the entries of each segment's row ascend by rank and edge id.
    active : (s,) int64, scratch
    cover, cursor : uint32 and int64, as long as the longest window, scratch
    counts, keys, words : scratch
        See ``sort_records``; lines as long as the entries of the largest window, and one more.
    entries : (m,) uint64, written in place

    Returns
    -------
    int
        DONE; or NEEDS_RANKS, if a row lies in two segments and there are no ranks; or
        HAS_REMOVED, if a segment has removed edges although ``removed`` says no. The work
        stops there.

    Notes
    -----
    O(n + m) time for a bounded number of ranks, and O(windows * segments).
    """
    for w in range(stop - 1, start - 1, -1):
        # Downwards: Linux clears a huge page in less time when its end is touched first
        # (128 MiB of fresh entries: 11 ms against 18).
        first, last = windows[w], windows[w + 1]
        if offsets[first] == offsets[last]:
            continue
        found = find_active(segments, first, last, active)
        s = active[0]
        if found == 1 and in_order and not removed[s]:
            low, high = overlap(segments, s, first, last)
            own = offsets_of(segments, s)
            inputs = entries_of(segments, s)[own[low] : own[high]]
            outputs = entries[offsets[first] : offsets[last]]
            if not copy_words(inputs, segments[s, FIRST_EDGE], outputs):
                return HAS_REMOVED
            continue
        row_count = last - first
        status = fill_shared(
            segments, active[:found], removed, first, last, offsets[first : last + 1], ranks,
            rank_bits, digit, in_order, cover[:row_count], cursor[:row_count], counts, keys,
            words, entries,
        )  # fmt: skip
        if status != DONE:
            return status
    return DONE


@kernel
def rank_edges(
    records: U64,
    shift: np.uint64,
    table_hashes: U64,
    table_ranks: U32,
    start: int,
    stop: int,
    ranks: Ranks,
) -> Int:
    """Look up the connection types of a range of edges.

    Parameters
    ----------
    records : (m, 2) uint64
        Endpoint records: source and target; hash of the type.
    shift, table_hashes, table_ranks
        See ``kernels.endpoints``.
    ranks : (m,) uint8, uint16 or uint32, written in place
        0 for a removed edge.

    Returns
    -------
    int
        The first edge whose hash is not in the table, or -1.
    """
    mask = np.uint64(table_ranks.size - 1)
    for edge in range(np.uint64(start), np.uint64(stop)):
        code = records[edge, 1]
        place = (code * GOLDEN) >> shift
        rank = table_ranks[place]
        if table_hashes[place] != code or rank == EMPTY:
            if records[edge, 0] & REMOVED == REMOVED:
                ranks[edge] = 0
                continue
            while table_hashes[place] != code or rank == EMPTY:
                if rank == EMPTY:
                    return np.int64(edge)
                place = (place + ONE) & mask
                rank = table_ranks[place]
        ranks[edge] = rank
    return np.int64(-1)
