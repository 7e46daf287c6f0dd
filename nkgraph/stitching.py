"""Many segments as one: rows, type indexes and peer counts.

Arrays in, arrays out; arguments are trusted to be in range, since callers have checked them.
Answers do not depend on the number of threads.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.build import LONG_DIGIT, MAX_DIGIT, on_span, share_out
from nkgraph.dtypes import I64, U8, U16, U32, U64

WINDOW = 1 << 14
"""Edges aimed at in one window of nodes: records and rows of a window stay in an L2 cache."""
MAX_ROWS = 1 << 15
"""Nodes of a window at most."""
KEY_BITS = 32
"""Bits for a row of a window and a rank."""
TASK_NODES = 1 << 18
"""Nodes of a range that lists are merged in at least: its bitmap stays in cache."""
TASK_ITEMS = 1 << 14
"""Items that such a range has at least on average where there are few of them."""

Ranks: TypeAlias = U8 | U16 | U32
Allocate: TypeAlias = Callable[[str, int, np.dtype[Any]], NDArray[Any]]


class SegmentRows(NamedTuple):
    """Rows of one segment.

    A node outside ``first_node`` to ``first_node + rows`` has no entries in this segment.
    """

    first_node: int
    """Node of row 0: 0 for a full-range segment, the first own node for a local one."""
    first_edge: int
    """Global id of the edge whose local id is 0."""
    offsets: I64
    """(rows + 1,) int64: ascending, from 0 to the number of entries; rows may be 0."""
    entries: U32
    """(k, 2) uint32: global node id of the peer, and local edge id or ``TOMBSTONE``."""


def stitch(
    node_count: int,
    segments: Sequence[SegmentRows],
    ranks: Ranks | None,
    sorted_rows: bool = True,
    allocate: Allocate | None = None,
) -> tuple[I64, U32]:
    """Rows of all segments as one, without removed edges.

    Parameters
    ----------
    node_count : int
        No segment has a row of a node that is not below it.
    segments : sequence of SegmentRows
        In ascending order of ``first_edge``.
    ranks : (edges,) uint8, uint16 or uint32, or None
        Place of the connection type of each global edge id in the order wanted. The narrower,
        the faster. Not needed where rows are sorted and no node has entries in two segments.
    sorted_rows : bool
        Whether each segment's rows are ordered by (rank, edge id) already. Then a row that
        one segment alone has is copied; otherwise each row is sorted.
    allocate : callable, optional
        ``allocate(name, size, dtype)`` gives the array for "offsets", node_count + 1 of int64,
        then for "entries", 2 * m of uint32 on an 8-byte boundary. It is called once for each,
        with the exact size. ``np.empty`` if not given.

    Returns
    -------
    offsets : (node_count + 1,) int64
    entries : (m, 2) uint32
        Peer and global edge id; each row ordered by (rank, global edge id).

    Raises
    ------
    ValueError
        There are no ranks, and they are needed.

    Notes
    -----
    O(n + m) time. Scratch is, for each thread, 24 bytes an entry of the largest window that
    is not just copied: ``WINDOW`` entries, and at most one row more. Where ``allocate`` is
    given, entries are read once more beforehand, to count what is not removed; on the heap
    only if a removed edge turns up.
    """
    if ranks is None and not sorted_rows:
        raise ValueError("rows that are not sorted need ranks")
    held = [(read_only(s.offsets), read_only(as_words(s.entries))) for s in segments]
    table = segment_table(segments, held)
    place: Ranks = np.empty(0, np.uint8) if ranks is None else ranks
    place = cast(Ranks, read_only(cast(NDArray[Any], place)))
    done = kernels.stitch.DONE
    if allocate is None:  # removed edges are rare: suppose that there are none, and look on the way
        unread = read_only(np.zeros(len(segments), np.uint8))
        offsets, entries, status = fill(
            node_count, table, unread, place, sorted_rows, default_array
        )
        if status == done:
            return offsets, entries
    removed = find_removed(table)
    give = allocate or default_array
    offsets, entries, status = fill(node_count, table, removed, place, sorted_rows, give)
    if status != done:
        raise ValueError("a node has entries in two segments: ranks are needed")
    return offsets, entries


INT64 = np.dtype(np.int64)
UINT32 = np.dtype(np.uint32)


def default_array(name: str, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Allocate on the heap."""
    return np.empty(size, dtype)


def as_words(entries: U32) -> U64:
    """View pairs of uint32 as uint64, copying only what is not contiguous."""
    return np.ascontiguousarray(entries).reshape(-1).view(np.uint64)


def address(array: NDArray[Any]) -> int:
    """Where the items of ``array`` lie."""
    at: int = array.__array_interface__["data"][0]
    return at


def segment_table(segments: Sequence[SegmentRows], held: Sequence[tuple[I64, U64]]) -> I64:
    """Table of the segments as ``kernels.stitch`` wants it; ``held`` must outlive it."""
    table = np.empty((len(segments), 6), np.int64)
    for i, (segment, (offsets, words)) in enumerate(zip(segments, held, strict=True)):
        first = segment.first_node, offsets.size - 1, segment.first_edge
        table[i] = (*first, words.size, address(offsets), address(words))
    return read_only(table)


def find_removed(table: I64) -> U8:
    """Which segments have removed edges, (s,) uint8."""
    kernel = kernels.stitch
    starts = read_only(np.concatenate([[0], np.cumsum(table[:, kernel.ENTRY_COUNT])]))
    spans = threads.split(int(starts[-1]))
    found = np.zeros((len(spans), table.shape[0]), np.uint8)
    find = partial(kernel.find_removed, table, starts)
    threads.run([partial(find, *span, found[i]) for i, span in enumerate(spans)])
    removed: U8 = found.max(axis=0)
    return read_only(removed)


def count_offsets(node_count: int, table: I64, removed: U8, offsets: I64) -> I64:
    """Write where the row of each node starts to ``offsets``, (node_count + 1,)."""
    kernel = kernels.stitch
    offsets[0] = 0
    ends = offsets[1:]
    spans = threads.split(node_count)
    count = partial(kernel.count_rows, table, removed)
    totals: list[Any] = threads.run([partial(count, *span, ends) for span in spans])
    before = np.cumsum([0, *totals])
    threads.run(
        [
            partial(kernel.move_rows, *span, int(start), ends)
            for span, start in zip(spans, before[:-1], strict=True)
            if start
        ]
    )
    return offsets


def fill(
    node_count: int, table: I64, removed: U8, ranks: Ranks, sorted_rows: bool, give: Allocate
) -> tuple[I64, U32, int]:
    """Offsets, entries, and what became of filling them; they are of use only if it is DONE."""
    offsets = count_offsets(node_count, table, removed, give("offsets", node_count + 1, INT64))
    edge_count = int(offsets[-1])
    entries = give("entries", 2 * edge_count, UINT32)
    words = as_words(entries)
    rank_bits = 8 if ranks.dtype == np.uint8 else int(ranks.max(initial=0)).bit_length()
    digit = rank_bits if rank_bits <= MAX_DIGIT else LONG_DIGIT
    windows = cut_windows(table, offsets, max(min(MAX_ROWS, 1 << (KEY_BITS - rank_bits)), 1))
    bounds = offsets[windows]
    row_count = int(np.diff(windows).max(initial=0))
    largest = int(np.diff(bounds).max(initial=0)) + 1
    bits = np.uint64(rank_bits), np.uint64(digit)
    kernel = kernels.stitch
    inputs = (table, removed, windows, read_only(offsets), ranks, *bits, sorted_rows)
    statuses: list[int] = []
    workers = []
    for _ in threads.split(edge_count):
        scratch = (
            np.empty(table.shape[0], np.int64),
            np.empty(row_count, np.uint32),
            np.empty(row_count, np.int64),
            np.empty(1 << max(digit, int(kernel.EDGE_DIGIT)), np.uint32),
            np.empty((2, largest), np.uint32),
            np.empty((2, largest), np.uint64),
        )
        work = on_span(kernel.fill_windows, inputs, (*scratch, words))
        workers.append(partial(note, statuses, work))
    share_out(bounds, workers)
    return offsets, entries.reshape(edge_count, 2), max(statuses, default=kernel.DONE)


def note(statuses: list[int], work: Callable[[int, int], Any], start: int, stop: int) -> None:
    """Do the work of a range, and keep what it returns."""
    statuses.append(int(work(start, stop)))


def cut_windows(table: I64, offsets: I64, max_rows: int) -> I64:
    """Cut nodes into windows of about ``WINDOW`` entries and at most ``max_rows`` nodes.

    Where local segments meet there is a cut too, unless they are very many, so that a
    window of local segments alone is one copy.
    """
    node_count, edge_count = offsets.size - 1, int(offsets[-1])
    cuts = [
        np.searchsorted(offsets, np.arange(WINDOW, edge_count, WINDOW)),
        np.arange(0, node_count, max_rows),
        np.array([node_count]),
    ]
    if table.shape[0] <= cuts[0].size:
        cuts.append(np.minimum(table[:, kernels.stitch.FIRST_NODE], node_count))
    edges = np.sort(np.concatenate(cuts))
    first = np.concatenate([[True], edges[1:] != edges[:-1]])
    return read_only(edges[first].astype(np.int64))


def edge_ranks(endpoints: Sequence[NDArray[np.void] | U32 | U64], hashes: U64) -> tuple[Ranks, int]:
    """Rank the connection type of each edge, as ``stitch`` wants it.

    Parameters
    ----------
    endpoints : sequence of (e,) ENDPOINTS, or the same bytes as integers
        Endpoint records of each segment, in the order of their edges.
    hashes : (t,) uint64, ascending

    Returns
    -------
    ranks : (edges,) uint8, uint16 or uint32
        Place in ``hashes``; of the narrowest dtype that holds them. 0 for a removed edge.
    unknown : int
        The first edge that is not removed and whose type is not in ``hashes``, or -1. Where
        it is not -1 the ranks must not be used.

    Notes
    -----
    O(edges + t) time; no scratch but a table of 48 to 96 bytes a type.
    """
    table_bits = max(4 * hashes.size, 4).bit_length()
    table_hashes = np.zeros(1 << table_bits, np.uint64)
    table_ranks = np.full(1 << table_bits, kernels.endpoints.EMPTY, np.uint32)
    shift = np.uint64(64 - table_bits)
    kernels.endpoints.fill_table(read_only(hashes), shift, table_hashes, table_ranks)
    records = [
        read_only(np.ascontiguousarray(part).reshape(-1).view(np.uint64).reshape(-1, 2))
        for part in endpoints
    ]
    starts = [0, *np.cumsum([part.shape[0] for part in records], dtype=np.int64).tolist()]
    ranks = np.empty(starts[-1], np.min_scalar_type(max(hashes.size - 1, 0)))
    for part, start in zip(records, starts, strict=False):
        own = ranks[start : start + part.shape[0]]
        look_up = partial(kernels.stitch.rank_edges, part, shift, table_hashes, table_ranks)
        spans = threads.split(part.shape[0])
        found: list[Any] = threads.run([partial(look_up, *span, own) for span in spans])
        unknown = min((int(edge) for edge in found if edge >= 0), default=-1)
        if unknown >= 0:
            return ranks, start + unknown
    return ranks, -1


# -- type indexes and peer counts ------------------------------------------------------------------


class IndexPart(NamedTuple):
    """Type index of one segment."""

    hashes: U64
    """(t,) uint64: connection types, ascending."""
    offsets: I64
    """(t + 1,) int64: type i has the nodes ``offsets[i]`` to ``offsets[i + 1]``."""
    nodes: U32
    """Ascending in each type, each once."""
    shift: int
    """Added to each node: not 0 where they count from the first own node of the segment."""


class CountPart(NamedTuple):
    """Peer counts of one segment."""

    hashes: U64
    """(t,) uint64: connection types, ascending."""
    offsets: I64
    """(t + 1,) int64: type i has the targets ``offsets[i]`` to ``offsets[i + 1]``."""
    targets: U32
    """Global node ids: ascending in each type, each once."""
    counts: U64 | U32


class Lists(NamedTuple):
    """Parts and the types in them, as ``kernels.merge`` wants them."""

    table: I64
    """(p, 5): where the arrays of each part lie; valid as long as ``held`` is."""
    held: list[NDArray[Any]]
    hashes: U64
    """(t,): the types that have items."""
    starts: I64
    stops: I64
    """(t, p): items of each type in each part."""
    lows: I64
    highs: I64
    """(t,): least and greatest node of each type."""


class Tasks(NamedTuple):
    """Ranges of nodes, each of one type, and the union of the lists in each."""

    types: I64
    firsts: I64
    lasts: I64
    """(tasks,): type, and nodes, from first up to last."""
    starts: I64
    stops: I64
    """(tasks, p): items of each part."""
    sizes: I64
    """(tasks,): items of all parts."""
    held_at: I64
    held: U64
    """Unions as bitmaps or sorted records: see ``kernels.merge``."""
    largest: int
    """Items of the largest task of records."""
    slots: I64
    """(tasks + 1,): where the nodes of each task go."""


def merge_index(node_count: int, parts: Sequence[IndexPart]) -> tuple[U64, I64, U32]:
    """Unite the type indexes of several segments.

    Parameters
    ----------
    node_count : int
        Every node is below it.
    parts : sequence of IndexPart
        In any order; there may be none.

    Returns
    -------
    hashes : (t,) uint64
        Ascending: the types that have nodes.
    offsets : (t + 1,) int64
    nodes : (s,) uint32
        Ascending within each type, each once.

    Notes
    -----
    O(items) time for a bounded number of parts and types. Scratch is at most 8 bytes an
    item, however large ``node_count`` is, and less where a bitmap is smaller; and 16 bytes
    for each type and part.
    """
    lists = list_types([(*part, None) for part in parts])
    tasks = unite(lists)
    nodes = np.empty(int(tasks.slots[-1]), np.uint32)
    inputs = (tasks.firsts, tasks.sizes, tasks.held_at, tasks.held, tasks.slots)
    emit = on_span(kernels.merge.emit_nodes, inputs, (nodes,))
    share_out(tasks.slots, [emit] * len(threads.split(nodes.size)))
    return lists.hashes, type_offsets(lists, tasks), nodes


def merge_counts(node_count: int, parts: Sequence[CountPart]) -> tuple[U64, I64, U32, U64]:
    """Add up the peer counts of several segments.

    Parameters
    ----------
    node_count : int
        Every target is below it.
    parts : sequence of CountPart
        In any order; there may be none.

    Returns
    -------
    hashes : (t,) uint64
        Ascending: the types that have targets.
    offsets : (t + 1,) int64
    targets : (p,) uint32
        Ascending within each type, each once.
    counts : (p,) uint64
        Sums in 64 bits.

    Notes
    -----
    As ``merge_index``.
    """
    lists = list_types([(p.hashes, p.offsets, p.targets, 0, p.counts) for p in parts])
    tasks = unite(lists)
    nodes = np.empty(int(tasks.slots[-1]), np.uint32)
    counts = np.empty(nodes.size, np.uint64)
    inputs = (lists.table, tasks.firsts, tasks.starts, tasks.stops, tasks.sizes)
    unions = (tasks.held_at, tasks.held, tasks.slots)
    workers = []
    for _ in threads.split(nodes.size):
        cursor = np.empty(len(parts), np.int64)
        counters = np.zeros(kernels.merge.COUNTERS, np.uint64)
        listed = np.empty(tasks.largest, np.uint64)
        outputs = (cursor, counters, listed, nodes, counts)
        workers.append(on_span(kernels.merge.emit_counts, (*inputs, *unions), outputs))
    share_out(tasks.slots, workers)
    return lists.hashes, type_offsets(lists, tasks), nodes, counts


def list_types(
    parts: Sequence[tuple[U64, I64, U32, int, U64 | U32 | None]],
) -> Lists:
    """Line up the types of (hashes, offsets, nodes, shift, counts) of each part."""
    every = np.sort(np.concatenate([np.empty(0, np.uint64), *(part[0] for part in parts)]))
    first = np.ones(every.size, np.bool_)
    first[1:] = every[1:] != every[:-1]
    hashes = every[first]
    table = np.zeros((len(parts), 5), np.int64)
    starts, stops = np.zeros((2, hashes.size, len(parts)), np.int64)
    lows = np.full(hashes.size, np.iinfo(np.int64).max)
    highs = np.full(hashes.size, -1)
    held: list[NDArray[Any]] = []
    for p, (own, offsets, nodes, shift, counts) in enumerate(parts):
        nodes = read_only(nodes)
        times = read_only(np.empty(0, np.uint32) if counts is None else counts)
        held += nodes, times
        table[p] = address(nodes), address(times), nodes.size, times.itemsize == 8, shift
        used = offsets[1:] > offsets[:-1]
        types = np.searchsorted(hashes, own[used])
        low, high = offsets[:-1][used], offsets[1:][used]
        starts[types, p], stops[types, p] = low, high
        lows[types] = np.minimum(lows[types], nodes[low].astype(np.int64) + shift)
        highs[types] = np.maximum(highs[types], nodes[high - 1].astype(np.int64) + shift)
    used = highs >= 0
    if not used.all():
        hashes, starts, stops = hashes[used], starts[used], stops[used]
        lows, highs = lows[used], highs[used]
    return Lists(read_only(table), held, hashes, starts, stops, lows, highs)


def unite(lists: Lists) -> Tasks:
    """Cut types into tasks and find the union of each."""
    kernel = kernels.merge
    span = lists.highs - lists.lows + 1
    sizes = (lists.stops - lists.starts).sum(axis=1)
    width = np.maximum(TASK_NODES, span // np.maximum(sizes // TASK_ITEMS, 1))
    parts = -(-span // width)
    types = np.repeat(np.arange(span.size), parts)
    index = np.arange(types.size) - np.repeat(np.cumsum(parts) - parts, parts)
    firsts = lists.lows[types] + index * width[types]
    lasts = np.minimum(firsts + width[types], lists.highs[types] + 1)

    starts, stops = np.empty((2, types.size, len(lists.table)), np.int64)
    sizes = np.empty(types.size, np.int64)
    ranges = firsts, lasts
    places = (lists.table, types, *ranges, lists.starts, lists.stops)
    cut = on_span(kernel.cut_lists, places, (starts, stops, sizes))
    threads.run([partial(cut, *span) for span in threads.split(types.size, least=1 << 8)])

    words = (lasts - firsts + 63) >> 6
    held_at = np.concatenate([[0], np.cumsum(np.minimum(words, sizes))])
    held = np.empty(int(held_at[-1]), np.uint64)
    largest = int(sizes[words >= sizes].max(initial=0))
    distinct = np.empty(types.size, np.int64)
    workers = []
    for _ in threads.split(int(sizes.sum())):
        counts = np.empty(1 << int(kernel.DIGIT), np.uint32)
        outputs = (counts, np.empty(largest, np.uint64), held, distinct)
        inputs = (lists.table, *ranges, starts, stops, sizes, held_at)
        workers.append(on_span(kernel.unite, inputs, outputs))
    share_out(np.concatenate([[0], np.cumsum(sizes)]), workers)
    slots = np.concatenate([[0], np.cumsum(distinct)])
    return Tasks(types, *ranges, starts, stops, sizes, held_at, held, largest, slots)


def type_offsets(lists: Lists, tasks: Tasks) -> I64:
    """Where the nodes of each type go, (t + 1,) int64."""
    first = np.searchsorted(tasks.types, np.arange(lists.hashes.size + 1))
    offsets: I64 = tasks.slots[first]
    return offsets
