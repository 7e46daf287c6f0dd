"""Core numbers by peeling levels off simple undirected rows.

At level k nodes with k neighbors left are taken away, and those that have no more than k left
through this, until none is left; then k is the fewest neighbors that a node has left (after
Batagelj and Zaversnik, An O(m) algorithm for cores decomposition of networks, 2003, but with lists
instead of nodes kept in order: of a neighbor only its degree is touched). What counts the neighbors
left stops at the level at which its node goes, so in the end it holds the core numbers.
"""

import numpy as np

from nkgraph.dtypes import I64, U32, Int
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.intrinsics import prefetch

ONE = np.uint64(1)
FAR, NEAR = np.uint64(16), np.uint64(6)  # rows
AHEAD = np.uint64(32)  # slots
LEVEL, HEAD, TAIL, LEFT = 0, 1, 2, 3


@kernel
def peel(
    offsets: I64, peers: U32, budget: Int, degrees: U32, left: U32, queue: U32, state: I64
) -> bool:
    """Take nodes away until about ``budget`` slots are read.

    Parameters
    ----------
    offsets, peers : simple undirected rows
    degrees : (n,) uint32, updated in place
        How many neighbors are left; in the end the core numbers.
    left : (n,) uint32, updated in place
        The nodes not taken at lower levels: the first ``state[LEFT]``, ascending.
    queue : (n + 1,) uint32, written in place
        The nodes taken, in order. The last item is never read.
    state : (4,) int64, updated in place
        The level, how many nodes of the queue are done and how many it holds, and how many are
        in ``left``. (-1, 0, 0, n) to begin with.

    Returns
    -------
    bool
        Whether any work is left.
    """
    level = state[LEVEL]
    head, tail = np.uint64(state[HEAD]), np.uint64(state[TAIL])
    count = np.uint64(state[LEFT])
    last = np.uint64(peers.size - 1) if peers.size else np.uint64(0)
    work = np.int64(0)
    going = True
    while work < budget:
        if head == tail:
            kept = np.uint64(0)
            lowest = np.int64(1 << 32)
            for i in range(count):
                node = left[i]
                degree = np.int64(degrees[np.uint64(node)])
                left[kept] = node
                if degree > level:
                    kept += ONE
                    lowest = min(lowest, degree)
            work += np.int64(count)
            count = kept
            if count == np.uint64(0):
                going = False
                break
            level = lowest
            for i in range(count):
                queue[tail] = left[i]
                if np.int64(degrees[np.uint64(left[i])]) == level:
                    tail += ONE
            continue
        prefetch(offsets, queue[min(head + FAR, tail - ONE)])
        prefetch(peers, offsets[np.uint64(queue[min(head + NEAR, tail - ONE)])])
        node = np.uint64(queue[head])
        head += ONE
        first, stop = np.uint64(offsets[node]), np.uint64(offsets[node + ONE])
        for slot in range(first, stop):
            prefetch(degrees, peers[min(slot + AHEAD, last)])
            peer = peers[slot]
            degree = np.int64(degrees[np.uint64(peer)])
            if degree > level:
                degrees[np.uint64(peer)] = np.uint32(degree - 1)
                queue[tail] = peer
                if degree - 1 == level:
                    tail += ONE
        work += np.int64(stop - first)
    state[LEVEL] = level
    state[HEAD], state[TAIL] = np.int64(head), np.int64(tail)
    state[LEFT] = np.int64(count)
    return going
