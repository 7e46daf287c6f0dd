"""PageRank: one round, pulled over in-edges.

A round gives each node the teleporting mass and its share of every node that has an edge to it:

    score'[u] = base * spread[u] + damping * sum of shares[v] over in-edges (v, u)
    shares[v] = score[v] / out_degree(v), or 0 of a node without out-edges

    spread   float64  (n,) or (1,)   where teleporting mass goes; one item: the same for all
    scores   float64  (n,)
    shares   float64  (n,)           two of them, of this round and of the next

Blocks of ``BLOCK`` nodes are the unit of work: threads take the next one from a common cursor, and
what a block adds up (the change, the mass of nodes without out-edges) is kept by block, so that
the answer has the same bits whoever did which. Loops and parallel edges count as they stand.
"""

import numpy as np

from nkgraph.dtypes import F64, I64, U32
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.intrinsics import fetch_add, prefetch

BLOCK = 1024
"""Nodes in a block."""
AHEAD = 128
"""Slots between a prefetch and its use."""
AHEAD_U64 = np.uint64(AHEAD)
ZERO, ONE, TWO, THREE, FOUR = (np.uint64(number) for number in range(5))


@kernel
def sweep(
    offsets: I64,
    flat: U32,
    shift: int,
    out_offsets: I64,
    spread: F64,
    base: float,
    damping: float,
    shares: F64,
    cursor: I64,
    stop: int,
    scores: F64,
    next_shares: F64,
    changes: F64,
    dangling: F64,
) -> None:
    """Do a round for the blocks that ``cursor`` gives out, below ``stop``.

    Parameters
    ----------
    offsets, flat, shift
        In-edges: the source of slot s is ``flat[s << shift]``.
    out_offsets : (n + 1,) int64
        Of out-edges, for the degrees.
    spread : (n,) or (1,) float64
    base, damping : float
    shares : (n,) float64
    cursor : (1,) int64, shared by the threads
    stop : int
    scores : (n,) float64, updated in place
    next_shares : (n,) float64, written
    changes, dangling : (blocks,) float64, written
        Sum of the absolute changes of a block's scores; its mass without out-edges.

    Notes
    -----
    Four sums run side by side in each row (slot s adds to sum s modulo 4 from the row's start, and
    the up to three last slots to the first), which hides the latency of additions.
    """
    u_shift = np.uint64(shift)
    count, size = np.uint64(scores.size), np.uint64(flat.size) >> u_shift
    uniform = spread.size == 1 and scores.size != 1
    block = fetch_add(cursor, 0, 1)
    while block < stop:
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
                prefetch(shares, flat[(far + ONE) << u_shift])
                prefetch(shares, flat[(far + TWO) << u_shift])
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
        block = fetch_add(cursor, 0, 1)
