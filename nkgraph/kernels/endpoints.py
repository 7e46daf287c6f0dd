"""Rank connection types by their hashes, and take endpoint records apart.

Hashes are looked up in an open-addressed table of a power of two slots, at most a
quarter full:

    table_hashes  uint64  (size,)
    table_ranks   uint32  (size,)  EMPTY where no hash lies
"""

import numpy as np

from nkgraph.dtypes import U32, U64
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.csr import HALF, ONE

EMPTY = np.uint32(0xFFFFFFFF)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
REMOVED = np.uint32(0xFFFFFFFF)


@kernel
def fill_table(hashes: U64, shift: np.uint64, table_hashes: U64, table_ranks: U32) -> None:
    """Enter each hash with its position; ``shift`` is 64 minus the log of the table's size."""
    mask = np.uint64(table_ranks.size - 1)
    for rank in range(hashes.size):
        slot = (hashes[rank] * GOLDEN) >> shift
        while table_ranks[slot] != EMPTY:
            slot = (slot + ONE) & mask
        table_hashes[slot] = hashes[rank]
        table_ranks[slot] = rank


@kernel
def number_codes(
    codes: U64,
    shift: np.uint64,
    table_hashes: U64,
    table_ranks: U32,
    start: int,
    found: int,
    distinct: U64,
    numbers: U32,
) -> tuple[np.int64, np.int64]:
    """Number codes in the order in which they first occur, entering new ones in the table.

    Parameters
    ----------
    codes : (m,) uint64
        Those before ``start`` are done, and gave the ``found`` codes already in the table.
    distinct : (size / 4,) uint64, written in place
        The codes found. Once it is full, the work stops.
    numbers : (m,) uint32, written in place

    Returns
    -------
    done, found : int
        How many codes are numbered, and how many distinct ones there were so far.
    """
    mask = np.uint64(table_ranks.size - 1)
    for i in range(np.uint64(start), np.uint64(codes.size)):
        code = codes[i]
        place = (code * GOLDEN) >> shift
        while table_ranks[place] != EMPTY and table_hashes[place] != code:
            place = (place + ONE) & mask
        if table_ranks[place] == EMPTY:
            if found == distinct.size:
                return np.int64(i), np.int64(found)
            table_hashes[place] = code
            table_ranks[place] = np.uint32(found)
            distinct[found] = code
            found += 1
        numbers[i] = table_ranks[place]
    return np.int64(codes.size), np.int64(found)


@kernel
def count_kept(endpoints: U32, start: int, stop: int) -> int:
    """How many edges of a range are not removed."""
    kept = 0
    for edge in range(np.uint64(start), np.uint64(stop)):
        kept += endpoints[edge, 0] != REMOVED
    return kept


@kernel
def split_records(
    endpoints: U32,
    shift: np.uint64,
    table_hashes: U64,
    table_ranks: U32,
    start: int,
    stop: int,
    slot: int,
    sources: U32,
    targets: U32,
    ranks: U32,
    edges: U32,
) -> np.int64:
    """Write the edges of a range that are not removed, from ``slot`` on.

    Parameters
    ----------
    endpoints : (m, 4) uint32
        Source, target, low and high half of the type hash.

    Returns
    -------
    int
        The first edge whose hash is not in the table, or -1.
    """
    mask = np.uint64(table_ranks.size - 1)
    at = np.uint64(slot)
    for edge in range(np.uint64(start), np.uint64(stop)):
        source = endpoints[edge, 0]
        if source == REMOVED:
            continue
        code = np.uint64(endpoints[edge, 2]) | (np.uint64(endpoints[edge, 3]) << HALF)
        place = (code * GOLDEN) >> shift
        while table_hashes[place] != code or table_ranks[place] == EMPTY:
            if table_ranks[place] == EMPTY:
                return np.int64(edge)
            place = (place + ONE) & mask
        sources[at] = source
        targets[at] = endpoints[edge, 1]
        ranks[at] = table_ranks[place]
        edges[at] = np.uint32(edge)
        at += ONE
    return np.int64(-1)
