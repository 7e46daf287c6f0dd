"""Shortest paths from one node, by steps of distance (Meyer and Sanders' delta-stepping, 2003).

    offsets, flat, shift   rows: the target of slot s of row u is flat[s << shift]
    weights    float64 (m,)   by slot, none negative or NaN
    distances  float64 (n,)   infinity where not reached
    near       uint64 (n / 64 + 1,)   bit u mod 64 of word u div 64: u is in the queue
    pending    uint64, as near        u was reached at ``limit`` or beyond, and waits

Nodes below ``limit`` are in the queue; each that is drawn lowers its targets, and those that got
lower are queued again, or wait. Once the queue is empty, distances below the limit are final: the
limit is raised, and the nodes that wait below it are collected. There are no buckets: the nodes
that wait are the set bits of ``pending``, so memory is bounded whatever the weights.

The least sum of weights, added up from the source on, is one number, as adding is monotone:
neither the limits nor the order of the queue show in the answer.
"""

import numpy as np

from nkgraph.dtypes import F64, I64, U32, U64
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.atomics import fetch_add, fetch_and, fetch_min, fetch_or
from nkgraph.kernels.intrinsics import prefetch, trailing_zeros

ZERO = np.uint64(0)
ONE = np.uint64(1)
SIX = np.uint64(6)
WORD = np.uint64(64)
LOW = np.uint64(63)
NEXT, TAIL = 0, 1
"""Items of ``state``: the start of the next piece, and the end of the queue that is written."""
PIECE = 64
"""Nodes drawn at a time."""
AHEAD, NEXT_ROWS = np.uint64(16), np.uint64(4)
"""How many slots of a row, or nodes of the queue, ahead of their use reads are asked for."""
BLOCK = 1 << 12


@kernel
def first_bad_weight(weights: F64, start: int, stop: int) -> int:
    """First weight of a range that is negative or NaN; -1 if there is none."""
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        good = 0
        for slot in range(np.uint64(first), np.uint64(last)):
            good += weights[slot] >= 0.0
        if good != last - first:
            for slot in range(first, last):
                if not weights[slot] >= 0.0:
                    return slot
    return -1


@kernel
def relax_alone(
    offsets: I64,
    flat: U32,
    shift: int,
    weights: F64,
    limit: float,
    enough: int,
    most: int,
    head: int,
    queue: U32,
    distances: F64,
    near: U64,
    pending: U64,
    counts: I64,
) -> None:
    """Draw nodes from the queue on one thread until it is empty, too long, or much is done.

    Parameters
    ----------
    enough, most : int
        Stop once more nodes than ``enough`` are queued, or ``most`` edges were looked at.
    head : int
        Where in ``queue``, a ring, the first one is.
    counts : (3,) int64, updated in place
        How many are queued; where the first of them is now; how many were drawn is added.
    """
    by, size = np.uint64(shift), np.uint64(queue.size)
    last = np.uint64(weights.size - 1)
    at, held = np.uint64(head), np.uint64(counts[0])
    end = at + held
    if end >= size:
        end -= size
    edges, drawn = np.uint64(0), 0
    while held > ZERO and held <= np.uint64(enough) and edges < np.uint64(most):
        u = np.uint64(queue[at])
        prefetch(offsets, queue[min(at + AHEAD, size - ONE)])  # queued or not, it is some node
        first = np.uint64(offsets[queue[min(at + NEXT_ROWS, size - ONE)]])
        prefetch(flat, first << by)
        prefetch(weights, first)
        at += ONE
        if at == size:
            at = ZERO
        held -= ONE
        drawn += 1
        near[u >> SIX] &= ~(ONE << (u & LOW))
        start, stop = np.uint64(offsets[u]), np.uint64(offsets[u + ONE])
        edges += stop - start + ONE
        if start == stop:
            continue
        distance = distances[u]
        for slot in range(start, min(start + AHEAD, stop)):
            prefetch(distances, flat[slot << by])
        for slot in range(start, stop):
            prefetch(distances, flat[min(slot + AHEAD, last) << by])
            v = np.uint64(flat[slot << by])
            longer = distance + weights[slot]
            if longer < distances[v]:
                distances[v] = longer
                word, bit = v >> SIX, ONE << (v & LOW)
                if longer >= limit:
                    pending[word] |= bit
                elif near[word] & bit == ZERO:
                    near[word] |= bit
                    queue[end] = v
                    end += ONE
                    if end == size:
                        end = ZERO
                    held += ONE
    counts[0], counts[1] = held, at
    counts[2] += drawn


@kernel
def relax(
    offsets: I64,
    flat: U32,
    shift: int,
    weights: F64,
    limit: float,
    queue: U32,
    stop: int,
    state: I64,
    buffer: U32,
    distances: F64,
    near: U64,
    pending: U64,
    following: U32,
) -> None:
    """Draw the nodes of a queue up to ``stop``, in pieces that threads share.

    Parameters
    ----------
    state : (2,) int64, shared
    buffer : (k,) uint32, scratch of this thread
    following : (n,) uint32, shared
        The next queue.
    """
    by, last = np.uint64(shift), np.uint64(weights.size - 1)
    held = 0
    while True:
        first = fetch_add(state, NEXT, PIECE)
        if first >= stop:
            break
        for at in range(np.uint64(first), np.uint64(min(first + PIECE, stop))):
            u = np.uint64(queue[at])
            end = np.uint64(stop - 1)
            prefetch(offsets, queue[min(at + AHEAD, end)])
            begin = np.uint64(offsets[queue[min(at + NEXT_ROWS, end)]])
            prefetch(flat, begin << by)
            prefetch(weights, begin)
            fetch_and(near, u >> SIX, ~(ONE << (u & LOW)))  # from here on it may be queued again
            distance = distances[u]
            begin, end = np.uint64(offsets[u]), np.uint64(offsets[u + ONE])
            for slot in range(begin, min(begin + AHEAD, end)):
                prefetch(distances, flat[slot << by])
            for slot in range(begin, end):
                prefetch(distances, flat[min(slot + AHEAD, last) << by])
                v = np.uint64(flat[slot << by])
                longer = distance + weights[slot]
                if not longer < distances[v] or not longer < fetch_min(distances, v, longer):
                    continue
                word, bit = v >> SIX, ONE << (v & LOW)
                if longer >= limit:
                    if pending[word] & bit == ZERO:
                        fetch_or(pending, word, bit)
                elif fetch_or(near, word, bit) & bit == ZERO:
                    buffer[np.uint64(held)] = v
                    held += 1
                    if held == buffer.size:
                        tail = fetch_add(state, TAIL, held)
                        for i in range(np.uint64(held)):
                            following[np.uint64(tail) + i] = buffer[i]
                        held = 0
    tail = fetch_add(state, TAIL, held)
    for i in range(np.uint64(held)):
        following[np.uint64(tail) + i] = buffer[i]


@kernel
def collect(
    final: float,
    limit: float,
    start: int,
    stop: int,
    state: I64,
    distances: F64,
    near: U64,
    pending: U64,
    queue: U32,
) -> float:
    """Queue the nodes of a range of words that wait below a limit; the least of the others.

    Parameters
    ----------
    final : float
        Distances below are final: such nodes waited, were lowered, and have been drawn.
    """
    least = np.inf
    for word in range(np.uint64(start), np.uint64(stop)):
        todo = pending[word]
        if todo == ZERO:
            continue
        taken, drawn = ZERO, ZERO
        while todo != ZERO:
            bit = trailing_zeros(todo)
            todo &= todo - ONE
            distance = distances[word * WORD + bit]
            if distance >= limit:
                least = min(least, distance)
                continue
            taken |= ONE << bit
            if distance >= final:
                drawn |= ONE << bit
        pending[word] &= ~taken
        if drawn == ZERO:
            continue
        near[word] |= drawn
        count, todo = 0, drawn
        while todo != ZERO:
            count += 1
            todo &= todo - ONE
        at = np.uint64(fetch_add(state, TAIL, count))
        while drawn != ZERO:
            queue[at] = word * WORD + trailing_zeros(drawn)
            drawn &= drawn - ONE
            at += ONE
    return least
