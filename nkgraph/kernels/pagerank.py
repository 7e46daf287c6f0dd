"""PageRank: one round, pulled over in-edges.

A round gives each node the teleporting mass and its share of every node that has an edge to it:

    score'[u] = base * spread[u] + damping * sum of shares[v] over in-edges (v, u)
    shares[v] = score[v] / out_degree(v), or 0 of a node without out-edges

    spread   float64  (n,) or (1,)   where teleporting mass goes; one item: the same for all
    scores   float64  (n,)
    shares   float64  (n,)           two of them, of this round and of the next

Blocks of ``BLOCK`` nodes are the unit of work, and tickets the order: ticket t is block
``t % blocks`` of round ``t // blocks``. Threads draw tickets, and wait for a round to open, which
it does when the last block of the one before is done. So threads run through many rounds without
sleeping between them (to wake one takes as long as a small round where other programs use its
core); no thread waits for one that has not begun; and any one alone gets through. What a block
adds up (the change, the mass of nodes without out-edges) is kept by block and added in their order,
so that the answer has the same bits whoever did which. Loops and parallel edges count as they
stand.
"""

import numpy as np

from nkgraph.dtypes import F64, I64, U32
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.atomics import fetch_add, give_way
from nkgraph.kernels.intrinsics import prefetch

BLOCK = 1024
"""Nodes in a block."""
AHEAD = 128
"""Slots between a prefetch and its use."""
AHEAD_U64 = np.uint64(AHEAD)
WIDE = np.uint64(1 << 19)
"""Nodes above which every read is asked for ahead: of fewer, whose shares are half in the second
cache level, asking for every other one is faster."""
LOOKS = 1000
"""How often a thread looks whether a round is open before it gives way to others each time."""
ZERO, ONE, TWO, THREE, FOUR = (np.uint64(number) for number in range(5))


TICKET, DONE, ROUND, LAST = 0, 8, 16, 24
"""Places in ``marks``, each on a cache line of its own."""
MARKS = 32
HUNG, CHANGE = 0, 1
"""Places in ``totals``."""


@kernel
def sweep(
    offsets: I64,
    flat: U32,
    shift: int,
    out_offsets: I64,
    spread: F64,
    damping: float,
    tolerance: float,
    until: int,
    marks: I64,
    totals: F64,
    scores: F64,
    even_shares: F64,
    odd_shares: F64,
    changes: F64,
    dangling: F64,
) -> None:
    """Do the blocks of all tickets that are left below ``until``, together with other threads.

    Parameters
    ----------
    offsets, flat, shift
        In-edges: the source of slot s is ``flat[s << shift]``. At least one node.
    out_offsets : (n + 1,) int64
        Of out-edges, for the degrees.
    spread : (n,) or (1,) float64
    damping, tolerance : float
        A round whose change is not above ``tolerance`` is the last, unless that is 0.
    until : int
    marks : (MARKS,) int64, shared by the threads
        Next ticket, blocks done, rounds done, and rounds to do.
    totals : (2,) float64, shared by the threads
        Of the last round: mass of nodes without out-edges, and sum of all absolute changes.
    scores : (n,) float64, updated in place
    even_shares, odd_shares : (n,) float64, updated in place
        Shares that rounds 0, 2, ... read and 1, 3, ... write; and the other way round.
    changes, dangling : (blocks,) float64, scratch of a round, kept between calls

    Notes
    -----
    Four sums run side by side in each row (slot s adds to sum s modulo 4 from the row's start, and
    the up to three last slots to the first), which hides the latency of additions.
    """
    u_shift = np.uint64(shift)
    count, size = np.uint64(scores.size), np.uint64(flat.size) >> u_shift
    uniform = spread.size == 1 and scores.size != 1
    wide = count > WIDE
    blocks = changes.size
    while True:
        ticket = fetch_add(marks, TICKET, 1)
        if ticket >= until:
            return
        turn = ticket // blocks
        block = ticket - turn * blocks
        opened = fetch_add(marks, ROUND, 0)
        looks = 0
        while opened < turn and opened < marks[LAST]:
            looks += 1
            if looks > LOOKS:  # who is waited for may be waiting for this core
                give_way()
            opened = fetch_add(marks, ROUND, 0)
        if turn >= marks[LAST]:
            return
        shares, next_shares = even_shares, odd_shares
        if turn & 1:
            shares, next_shares = odd_shares, even_shares
        base = 1.0 - damping + damping * totals[HUNG]
        start = np.uint64(block * BLOCK)
        end = min(start + np.uint64(BLOCK), count)
        change = 0.0
        hung = 0.0
        slot = np.uint64(offsets[start])
        for node in range(start, end):
            row_end = np.uint64(offsets[node + ONE])
            # Rows so near the end that there is nothing so far ahead prefetch their own.
            ahead = AHEAD_U64 if row_end + AHEAD_U64 <= size else ZERO
            first = second = third = fourth = 0.0
            while slot + FOUR <= row_end:
                far = slot + ahead
                prefetch(shares, flat[far << u_shift])
                prefetch(shares, flat[(far + TWO) << u_shift])
                if wide:
                    prefetch(shares, flat[(far + ONE) << u_shift])
                    prefetch(shares, flat[(far + THREE) << u_shift])
                first += shares[flat[slot << u_shift]]
                second += shares[flat[(slot + ONE) << u_shift]]
                third += shares[flat[(slot + TWO) << u_shift]]
                fourth += shares[flat[(slot + THREE) << u_shift]]
                slot += FOUR
            while slot < row_end:
                prefetch(shares, flat[(slot + ahead) << u_shift])
                first += shares[flat[slot << u_shift]]
                slot += ONE
            total = (first + second) + (third + fourth)
            score = base * spread[ZERO if uniform else node] + damping * total
            change += abs(score - scores[node])
            scores[node] = score
            degree = out_offsets[node + ONE] - out_offsets[node]
            if degree == 0:
                hung += score
                next_shares[node] = 0.0
            else:
                next_shares[node] = score / degree
        changes[block] = change
        dangling[block] = hung
        if fetch_add(marks, DONE, 1) == (turn + 1) * blocks - 1:
            change = hung = 0.0
            for at in range(blocks):
                change += changes[at]
                hung += dangling[at]
            totals[CHANGE] = change
            totals[HUNG] = hung
            if tolerance > 0.0 and change <= tolerance:
                marks[LAST] = turn + 1
            fetch_add(marks, ROUND, 1)
