"""Weakly connected components: Afforest (Sutton, Ben-Nun and Barak, IPDPS 2018).

    comp  uint32  (n,)   parent of each node in a forest; roots are their own

A node's parent is never above it, and only a root is given another parent, by compare-and-swap,
below it. So whoever links first, in the end each tree's root is the smallest node of its component,
and ``comp``, compressed, is the answer. Between rounds threads read what others may write: an old
parent is still an ancestor, and a link that meets one looks again.

First each node is linked with its first two targets. Most graphs then have nearly all of a giant
component in one tree; what is left to look at are the edges of nodes outside it, either way. A node
that gets into that tree meanwhile may be passed over: an edge is lost only if both its ends are.

Blocks of ``BLOCK`` nodes are the unit of work: threads take the next one from a common cursor.
Loops and parallel edges do no harm.
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.atomics import compare_and_swap, fetch_add
from nkgraph.kernels.intrinsics import prefetch

BLOCK = 4096
"""Nodes in a block."""
AHEAD = np.uint64(16)
"""Rows between a prefetch and its use; the targets in the row are asked for twice as early."""
FAR = np.uint64(64)
"""Slots between a prefetch and its use."""
FIRST = 2
"""So many targets of each node are linked before the giant component is looked for."""
ZERO, ONE, TWO, THREE = (np.uint64(number) for number in range(4))
SEVEN = np.uint64(7)


@inlined
def link(u: np.uint32, v: np.uint32, comp: U32) -> None:
    """Put two nodes into one tree: hang the higher root below the lower."""
    one, other = comp[u], comp[v]
    while one != other:
        high, low = max(one, other), min(one, other)
        parent = comp[high]
        if parent == low:
            return
        if parent == high and compare_and_swap(comp, high, high, low) == high:
            return
        one, other = comp[comp[high]], comp[low]


@kernel
def link_first(offsets: I64, flat: U32, shift: int, cursor: I64, stop: int, comp: U32) -> None:
    """Link each node with its first ``FIRST`` targets; blocks of ``cursor`` below ``stop``."""
    u_shift = np.uint64(shift)
    count, size = np.uint64(comp.size), np.uint64(flat.size) >> u_shift
    block = fetch_add(cursor, 0, 1)
    while block < stop:
        start = np.uint64(block * BLOCK)
        end = min(start + np.uint64(BLOCK), count)
        for node in range(start, end):
            near = node + AHEAD
            if near + AHEAD < count:
                prefetch(flat, np.uint64(offsets[near + AHEAD]) << u_shift)
                slot = np.uint64(offsets[near])
                if slot + ONE < size:
                    prefetch(comp, flat[slot << u_shift])
                    prefetch(comp, flat[(slot + ONE) << u_shift])
            slot = np.uint64(offsets[node])
            row_end = min(np.uint64(offsets[node + ONE]), slot + np.uint64(FIRST))
            while slot < row_end:
                link(np.uint32(node), flat[slot << u_shift], comp)
                slot += ONE
        block = fetch_add(cursor, 0, 1)


@kernel
def compress(cursor: I64, stop: int, comp: U32) -> None:
    """Make each node a child of its root; blocks of ``cursor`` below ``stop``."""
    count = np.uint64(comp.size)
    block = fetch_add(cursor, 0, 1)
    while block < stop:
        start = np.uint64(block * BLOCK)
        for node in range(start, min(start + np.uint64(BLOCK), count)):
            parent = comp[node]
            root = comp[parent]
            if root != parent:
                while root != comp[root]:
                    root = comp[root]
                comp[node] = root
        block = fetch_add(cursor, 0, 1)


@kernel
def link_outside(
    offsets: I64, flat: U32, shift: int, giant: int, skip: int, cursor: I64, stop: int, comp: U32
) -> None:
    """Link each node that is not in the tree ``giant`` with its targets but the first ``skip``."""
    u_shift, u_giant = np.uint64(shift), np.uint32(giant)
    count = np.uint64(comp.size)
    block = fetch_add(cursor, 0, 1)
    while block < stop:
        start = np.uint64(block * BLOCK)
        for node in range(start, min(start + np.uint64(BLOCK), count)):
            if comp[node] != u_giant:
                slot = np.uint64(offsets[node]) + np.uint64(skip)
                row_end = np.uint64(offsets[node + ONE])
                while slot < row_end:
                    link(np.uint32(node), flat[slot << u_shift], comp)
                    slot += ONE
        block = fetch_add(cursor, 0, 1)


@kernel
def mark_outside(comp: U32, giant: int, start: int, stop: int, outside: U8) -> np.int64:
    """Set bit u of ``outside``, (n + 7) // 8 bytes, for each node u not in the tree ``giant``.

    Bytes ``start`` to ``stop``; returns how many bits are set in them.
    """
    count, u_giant, found = np.uint64(comp.size), np.uint32(giant), np.int64(0)
    for byte in range(np.uint64(start), np.uint64(stop)):
        bits = ZERO
        first = byte << THREE
        for bit in range(min(np.uint64(8), count - first)):
            differs = np.uint64(comp[first + bit] != u_giant)
            bits |= differs << bit
            found += np.int64(differs)
        outside[byte] = np.uint8(bits)
    return found


@kernel
def link_by_marks(
    offsets: I64, flat: U32, shift: int, outside: U8, cursor: I64, stop: int, comp: U32
) -> None:
    """Link across every edge that has an end marked in ``outside``, (n + 7) // 8 bytes.

    For graphs without rows against the edges: every edge is looked at, but those of unmarked
    nodes only in ``outside``, one bit a node, which stays in cache where ``comp`` does not. The
    first ``FIRST`` targets of a marked node are left out.
    """
    u_shift = np.uint64(shift)
    count = np.uint64(comp.size)
    block = fetch_add(cursor, 0, 1)
    while block < stop:
        start = np.uint64(block * BLOCK)
        for node in range(start, min(start + np.uint64(BLOCK), count)):
            slot, row_end = np.uint64(offsets[node]), np.uint64(offsets[node + ONE])
            if outside[node >> THREE] >> (node & SEVEN) & ONE != ZERO:
                slot += np.uint64(FIRST)
                while slot < row_end:
                    link(np.uint32(node), flat[slot << u_shift], comp)
                    slot += ONE
            while slot < row_end:
                target = np.uint64(flat[slot << u_shift])
                if outside[target >> THREE] >> (target & SEVEN) & ONE != ZERO:
                    link(np.uint32(node), np.uint32(target), comp)
                slot += ONE
        block = fetch_add(cursor, 0, 1)
