"""Strongly connected components in one depth-first pass (Pearce, Inf. Process. Lett. 116, 2016).

    ranks  uint32  (n,)   0 of a node not seen; then the smallest visit number known to be reached
                          from it within its component; ``DONE`` when its component is complete
    stack  uint32  (n,)   from the front, the path from the root of the search to where it is;
                          from the back, nodes that were left and whose component is open
    slots  int64   (n,)   along the path: twice the slot to look at next, and 1 if something older
                          than the node is reached, so that it closes no component
    state  int64   (4,)   next root to try, length of the path, start of the open nodes, next
                          visit number

A node is on the path, or left and open, never both: so one array holds them. The pass stops after
so many slots as it was told, and goes on from ``state`` when called again. Serial.
"""

import numpy as np

from nkgraph.dtypes import I64, U32
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.intrinsics import prefetch

DONE = np.uint32(0xFFFFFFFF)
ROOT, PATH, OPEN, VISIT = range(4)
AHEAD = np.uint64(8)
ZERO, ONE, TWO = np.uint64(0), np.uint64(1), np.uint64(2)


@kernel
def find(
    offsets: I64,
    flat: U32,
    shift: int,
    steps: int,
    state: I64,
    ranks: U32,
    stack: U32,
    slots: I64,
    labels: U32,
) -> bool:
    """Look at about ``steps`` slots and nodes; return whether all is done.

    Parameters
    ----------
    offsets, flat, shift
        Rows along the edges.
    steps : int
    state : (4,) int64, updated in place
        At first 0, 0, n, 1.
    ranks, stack, slots : (n,) uint32, uint32, int64, updated in place
        ``ranks`` all 0 at first.
    labels : (n,) uint32, written
        Smallest node of each node's component.
    """
    u_shift = np.uint64(shift)
    count, size = np.uint64(ranks.size), np.uint64(flat.size) >> u_shift
    root, path = np.uint64(state[ROOT]), np.uint64(state[PATH])
    opened, visit = np.uint64(state[OPEN]), np.uint32(state[VISIT])
    while steps > 0:
        if path == ZERO:  # start anew at a node not seen
            while root < count and ranks[root] != 0 and steps > 0:
                root += ONE
                steps -= 1
            if root == count:
                break
            if ranks[root] != 0:
                continue
            ranks[root] = visit
            visit = np.uint32(visit + 1)
            stack[ZERO] = np.uint32(root)
            slots[ZERO] = offsets[root] << 1
            path = ONE
        level = path - ONE
        node = np.uint64(stack[level])
        held = np.uint64(slots[level])
        slot, older = held >> ONE, held & ONE
        row_end = np.uint64(offsets[node + ONE])
        rank = ranks[node]
        deeper = False
        while slot < row_end:
            if slot + AHEAD < size:
                prefetch(ranks, flat[(slot + AHEAD) << u_shift])
            target = np.uint64(flat[slot << u_shift])
            reached = ranks[target]
            if reached == 0:  # come back to this slot when the target is left
                ranks[node] = rank
                slots[level] = np.int64((slot << ONE) | older)
                ranks[target] = visit
                visit = np.uint32(visit + 1)
                stack[path] = np.uint32(target)
                slots[path] = offsets[target] << 1
                path += ONE
                deeper = True
                break
            if reached < rank:
                rank = reached
                older = ONE
            slot += ONE
            steps -= 1
        steps -= 1
        if deeper:
            continue
        ranks[node] = rank
        path -= ONE
        if older != ZERO:
            opened -= ONE
            stack[opened] = np.uint32(node)
            continue
        smallest = np.uint32(node)
        top = opened
        while top < count and ranks[np.uint64(stack[top])] >= rank:
            smallest = min(smallest, stack[top])
            top += ONE
        for at in range(opened, top):
            member = np.uint64(stack[at])
            labels[member] = smallest
            ranks[member] = DONE
            steps -= 1
        labels[node] = smallest
        ranks[node] = DONE
        opened = top
    state[ROOT], state[PATH] = np.int64(root), np.int64(path)
    state[OPEN], state[VISIT] = np.int64(opened), np.int64(visit)
    return bool(root == count and path == ZERO)
