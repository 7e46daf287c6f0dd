"""Breadth-first search that changes direction (Beamer, Asanović and Patterson, SC 2012).

    offsets, flat, shift   rows: the target of slot s of row u is flat[s << shift]
    queue    uint32 (n,)   nodes in the order of their levels; one level is a slice of it
    parents  uint32 (n,)   NO_NODE where not reached; the smallest node of the level before
    depths   int32  (n,)   -1 where not reached
    visited  uint64 (n / 64 + 1,)   bit u mod 64 of word u div 64: u is of an earlier level

Going down, each node of a level looks at its targets, and claims those that are not visited: the
parent of a node is lowered to the smallest that claims it, and who claims it first adds it to the
queue. The order of the queue hangs on chance, the rest does not. Going up, each node that is not
visited looks in its row of sources for one that is in the front, a bitmap.

Threads share the work of a level in pieces, by drawing the start of the next one from ``state``.
Any graph will do: loops and parallel edges change nothing.
"""

import numpy as np

from nkgraph.dtypes import I32, I64, NO_NODE, U32, U64
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.atomics import fetch_add, fetch_min, fetch_or
from nkgraph.kernels.intrinsics import prefetch, trailing_zeros

ZERO = np.uint64(0)
ONE = np.uint64(1)
SIX = np.uint64(6)
WORD = np.uint64(64)
LOW = np.uint64(63)
NEXT, TAIL = 0, 1
"""Items of ``state``: the start of the next piece, and the end of the queue."""
PIECE = 64
"""Nodes of a level drawn at a time."""
PIECE_WORDS = 64
"""Words of a bitmap drawn at a time."""
FAR, NEAR = np.uint64(16), np.uint64(4)
"""How many nodes, or slots of a row, ahead of their use reads are asked for."""


@kernel
def go_down(
    offsets: I64,
    flat: U32,
    shift: int,
    stop: int,
    state: I64,
    buffer: U32,
    visited: U64,
    queue: U32,
    parents: U32,
) -> None:
    """Claim the targets of a level: the queue up to ``stop``, in pieces that threads share.

    Parameters
    ----------
    state : (2,) int64, shared
    buffer : (k,) uint32, scratch of this thread
    """
    by = np.uint64(shift)
    held = 0
    while True:
        first = fetch_add(state, NEXT, PIECE)
        if first >= stop:
            break
        for at in range(np.uint64(first), np.uint64(min(first + PIECE, stop))):
            u, last = queue[at], np.uint64(stop - 1)
            prefetch(offsets, queue[min(at + FAR, last)])
            prefetch(flat, np.uint64(offsets[queue[min(at + NEAR, last)]]) << by)
            begin, end = np.uint64(offsets[u]), np.uint64(offsets[np.uint64(u) + ONE])
            for slot in range(begin, min(begin + FAR, end)):
                prefetch(parents, flat[slot << by])
            for slot in range(begin, end):
                prefetch(parents, flat[min(slot + FAR, end - ONE) << by])
                v = np.uint64(flat[slot << by])
                if (visited[v >> SIX] >> (v & LOW)) & ONE:
                    continue
                if parents[v] <= u:
                    continue
                if fetch_min(parents, v, u) == NO_NODE:
                    buffer[np.uint64(held)] = v
                    held += 1
                    if held == buffer.size:
                        tail = fetch_add(state, TAIL, held)
                        for i in range(np.uint64(held)):
                            queue[np.uint64(tail) + i] = buffer[i]
                        held = 0
    tail = fetch_add(state, TAIL, held)
    for i in range(np.uint64(held)):
        queue[np.uint64(tail) + i] = buffer[i]


@kernel
def settle(
    offsets: I64, queue: U32, start: int, stop: int, level: int, visited: U64, depths: I32
) -> int:
    """Give the nodes of a range of the queue their depth; return how many edges leave them."""
    edges = np.int64(0)
    for at in range(np.uint64(start), np.uint64(stop)):
        ahead = queue[min(at + FAR, np.uint64(stop - 1))]
        prefetch(offsets, ahead)
        prefetch(depths, ahead)
        u = np.uint64(queue[at])
        depths[u] = level
        fetch_or(visited, u >> SIX, ONE << (u & LOW))
        edges += offsets[u + ONE] - offsets[u]
    return int(edges)


@kernel
def go_down_alone(
    offsets: I64,
    flat: U32,
    shift: int,
    enough: int,
    most: int,
    progress: I64,
    visited: U64,
    queue: U32,
    parents: U32,
    depths: I32,
) -> None:
    """Go down levels on one thread for as long as few edges leave them.

    Parameters
    ----------
    enough : int
        Stop before a level that more edges leave than this.
    most : int
        Stop after so many edges in all.
    progress : (5,) int64, updated in place
        Start and stop of the level in the queue, its depth, how many edges leave it, and how
        many leave the levels that are done.
    """
    by = np.uint64(shift)
    start, stop, level, leaving = progress[0], progress[1], progress[2], progress[3]
    done = np.int64(0)
    while start < stop and leaving <= enough and done < most:
        tail = np.uint64(stop)
        for at in range(np.uint64(start), np.uint64(stop)):
            u = queue[at]
            for slot in range(np.uint64(offsets[u]), np.uint64(offsets[np.uint64(u) + ONE])):
                v = np.uint64(flat[slot << by])
                if (visited[v >> SIX] >> (v & LOW)) & ONE:
                    continue
                if parents[v] > u:
                    if parents[v] == NO_NODE:
                        queue[tail] = v
                        tail += ONE
                    parents[v] = u
        done += leaving
        progress[4] += leaving
        level += 1
        leaving = np.int64(0)
        for at in range(np.uint64(stop), tail):
            u = np.uint64(queue[at])
            depths[u] = level
            visited[u >> SIX] |= ONE << (u & LOW)
            leaving += offsets[u + ONE] - offsets[u]
        start, stop = stop, np.int64(tail)
    progress[0], progress[1], progress[2], progress[3] = start, stop, level, leaving


@kernel
def go_up(
    offsets: I64,
    flat: U32,
    shift: int,
    ascending: bool,
    stop: int,
    level: int,
    state: I64,
    front: U64,
    visited: U64,
    following: U64,
    parents: U32,
    depths: I32,
) -> int:
    """Find a parent in the front for nodes that are not visited; return how many have one.

    Parameters
    ----------
    offsets, flat, shift
        Rows of sources.
    ascending : bool
        Whether sources ascend within each row, so that the first found is the smallest.
    stop : int
        Words of the bitmaps up to here, drawn in pieces from ``state``.
    visited : uint64, updated in place
        Those that were found, and nodes without any source, are marked at once.
    following : uint64, written in place
        The next front.
    """
    by = np.uint64(shift)
    count = 0
    while True:
        first = fetch_add(state, NEXT, PIECE_WORDS)
        if first >= stop:
            return count
        for word in range(np.uint64(first), np.uint64(min(first + PIECE_WORDS, stop))):
            todo = ZERO
            if word + ONE < np.uint64(stop):
                todo = ~visited[word + ONE]
            while todo != ZERO:  # rows of the next word, while those of this one are searched
                u = (word + ONE) * WORD + trailing_zeros(todo)
                todo &= todo - ONE
                prefetch(flat, np.uint64(offsets[u]) << by)
            todo = ~visited[word]
            found, without = ZERO, ZERO
            while todo != ZERO:
                bit = trailing_zeros(todo)
                todo &= todo - ONE
                u = word * WORD + bit
                slot, end = np.uint64(offsets[u]), np.uint64(offsets[u + ONE])
                if slot == end:
                    without |= ONE << bit
                parent = NO_NODE
                while slot < end:
                    v = flat[slot << by]
                    inside = (front[np.uint64(v) >> SIX] >> (np.uint64(v) & LOW)) & ONE
                    if inside != ZERO and v < parent:
                        parent = v
                        if ascending:
                            break
                    slot += ONE
                if parent != NO_NODE:
                    found |= ONE << bit
                    parents[u] = parent
                    depths[u] = level
                    count += 1
            following[word] = found
            visited[word] |= found | without


@kernel
def mark_front(queue: U32, start: int, stop: int, front: U64) -> None:
    """Set the bits of the nodes of a level in ``front``, which is 0 before."""
    for at in range(np.uint64(start), np.uint64(stop)):
        u = np.uint64(queue[at])
        front[u >> SIX] |= ONE << (u & LOW)


@kernel
def list_front(offsets: I64, front: U64, queue: U32) -> int:
    """Write the nodes of a front, ascending, from the start of the queue; edges that leave them."""
    count, edges = ZERO, np.int64(0)
    for word in range(np.uint64(front.size)):
        todo = front[word]
        while todo != ZERO:
            u = word * WORD + trailing_zeros(todo)
            todo &= todo - ONE
            queue[count] = u
            count += ONE
            edges += offsets[u + ONE] - offsets[u]
    return int(edges)


@kernel
def rows_ascend(offsets: I64, flat: U32, shift: int, start: int, stop: int) -> bool:
    """Whether the targets of no row in a range descend anywhere."""
    by = np.uint64(shift)
    for u in range(np.uint64(start), np.uint64(stop)):
        last = np.uint32(0)
        descents = 0
        for slot in range(np.uint64(offsets[u]), np.uint64(offsets[u + ONE])):
            v = flat[slot << by]
            descents += v < last
            last = v
        if descents:
            return False
    return True
