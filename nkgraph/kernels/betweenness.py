"""Betweenness of nodes: shortest paths counted outwards, shares of them summed inwards.

Brandes, A Faster Algorithm for Betweenness Centrality (2001): from each source, first count the
shortest paths to every node, level by level; then, from the deepest level back, sum for each node
the share of those paths that go on through it,

    delta[u] = sum over edges u -> v to the next level of  sigma[u] / sigma[v] * (1 + delta[v]).

Parallel edges are paths of their own; loops lie on none. All is done in one array of n numbers,

    values  float64  (n,)   0: not reached;
                            s > 0: reached by s paths;
                            -s < 0 going out: reached by s paths so far, in the level under way;
                            -y < 0 coming back: of the level below, y = (1 + delta) / sigma

so that each edge costs one read at random: going out, ``max(value, 0)`` of a node's predecessors
sums to its paths, as those of levels further in cannot be its predecessors; coming back,
``max(-value, 0)`` of a node's successors sums to ``delta / sigma``, likewise. A level is settled
(its sign changed) when all of it is known.

A level is found by pushing from the frontier, or, where that has many edges, by pulling to every
node that is not reached. Both visit in a fixed order, so the bits of the sums do not depend on
anything else. Work is cut in pieces: ``advance`` goes on where it stopped.

    order   uint32  (n,)      nodes as they are reached
    starts  uint32  (n + 2,)  where in ``order`` each level starts
    state   int64   (STATE,)  what is next, see below; zeros to begin with
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import F64, I64, U32, Int
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.intrinsics import prefetch

STATE: Final = 8
SOURCE: Final = 0  # position in ``sources``
PHASE: Final = 1
LEVEL: Final = 2  # whose nodes are pushed from, pulled to the next of, or summed
AT: Final = 3  # next position in ``order``; while pulling, next node
TAIL: Final = 4  # how many nodes are reached
BEYOND: Final = 5  # edges to nodes not reached, at most
START: Final = 0
PUSH: Final = 1
PULL: Final = 2
RETURN: Final = 3
PULL_COST: Final = 2
"""Pulling over an edge takes about half the time of pushing over one: it never writes."""
AHEAD: Final = np.uint64(48)
MOST_PATHS: Final = 2.0**1000
"""Beyond it ``y`` could be too small for a float64."""


@inlined
def push(
    offsets: I64,
    flat: U32,
    shift: np.uint64,
    order: U32,
    at: np.uint64,
    stop: np.uint64,
    tail: np.uint64,
    budget: np.int64,
    values: F64,
) -> tuple[np.uint64, np.uint64, np.int64]:
    """Add the paths of frontier nodes to their targets; where it stopped, tail, budget left."""
    end = np.uint64(flat.size) - np.uint64(1)
    while at < stop and budget > 0:
        node = order[at]
        paths = values[node]
        first, last = np.uint64(offsets[node]), np.uint64(offsets[node + np.uint64(1)])
        for slot in range(first, last):
            prefetch(values, flat[min((slot + AHEAD) << shift, end)])
            target = flat[slot << shift]
            value = values[target]
            if value <= 0.0:
                if value == 0.0:
                    order[tail] = target
                    tail += np.uint64(1)
                values[target] = value - paths
        budget -= np.int64(last - first) + 1
        at += np.uint64(1)
    return at, tail, budget


@inlined
def pull(
    offsets: I64,
    flat: U32,
    shift: np.uint64,
    order: U32,
    node: np.uint64,
    tail: np.uint64,
    budget: np.int64,
    values: F64,
) -> tuple[np.uint64, np.uint64, np.int64]:
    """Sum the paths to each node not reached yet; next node, tail, budget left."""
    end = np.uint64(flat.size) - np.uint64(1)
    while node < np.uint64(values.size) and budget > 0:
        budget -= 1
        if values[node] == 0.0:
            first, last = np.uint64(offsets[node]), np.uint64(offsets[node + np.uint64(1)])
            paths = 0.0
            for slot in range(first, last):
                prefetch(values, flat[min((slot + AHEAD) << shift, end)])
                value = values[flat[slot << shift]]
                paths += value if value > 0.0 else 0.0
            if paths > 0.0:
                values[node] = -paths
                order[tail] = node
                tail += np.uint64(1)
            budget -= np.int64(last - first)
        node += np.uint64(1)
    return node, tail, budget


@inlined
def settle(order: U32, start: np.uint64, stop: np.uint64, values: F64) -> float:
    """Make the paths to a new level count; the most paths to a node of it."""
    most = 0.0
    for at in range(start, stop):
        node = order[at]
        values[node] = -values[node]
        most = max(most, values[node])
    return most


@inlined
def degrees_of(offsets: I64, order: U32, start: np.uint64, stop: np.uint64) -> np.int64:
    """Sum the degrees of a level's nodes."""
    total = np.int64(0)
    for at in range(start, stop):
        node = order[at]
        total += offsets[node + np.uint64(1)] - offsets[node]
    return total


@inlined
def sum_shares(
    offsets: I64,
    flat: U32,
    shift: np.uint64,
    order: U32,
    at: np.uint64,
    stop: np.uint64,
    budget: np.int64,
    values: F64,
    sums: F64,
) -> tuple[np.uint64, np.int64]:
    """Sum ``y`` over the successors of a level's nodes; where it stopped, budget left."""
    end = np.uint64(flat.size) - np.uint64(1)
    while at < stop and budget > 0:
        node = order[at]
        first, last = np.uint64(offsets[node]), np.uint64(offsets[node + np.uint64(1)])
        shares = 0.0
        for slot in range(first, last):
            prefetch(values, flat[min((slot + AHEAD) << shift, end)])
            value = values[flat[slot << shift]]
            shares -= value if value < 0.0 else 0.0
        sums[at] = shares
        budget -= np.int64(last - first) + 1
        at += np.uint64(1)
    return at, budget


@inlined
def settle_shares(
    order: U32, start: np.uint64, stop: np.uint64, values: F64, sums: F64, scores: F64
) -> None:
    """Score a level's nodes, and make their shares count for the level before."""
    for at in range(start, stop):
        node = order[at]
        paths = values[node]
        scores[node] += paths * sums[at]
        values[node] = -(sums[at] + 1.0 / paths)


@kernel
def advance(
    offsets: I64,
    flat: U32,
    shift: Int,
    back_offsets: I64,
    back_flat: U32,
    back_shift: Int,
    pulls: bool,
    sources: U32,
    budget: Int,
    state: I64,
    order: U32,
    starts: U32,
    values: F64,
    sums: F64,
    scores: F64,
) -> bool:
    """Add the dependencies of sources on every node to ``scores``, a piece at a time.

    Parameters
    ----------
    offsets, flat, shift : (n + 1,) int64, uint32, {0, 1}
        Rows along the edges, checked.
    back_offsets, back_flat, back_shift
        Rows against the edges; not looked at unless ``pulls``.
    pulls : bool
        Whether levels may be found by pulling.
    sources : (k,) uint32
        Each below n.
    budget : int
        Stop after about so many edges and nodes.
    state : (STATE,) int64
        Zeros at first; afterwards as the call before left it.
    order, starts : (n,) uint32, (n + 2,) uint32, scratch
        Untouched between calls, as are the next two.
    values : (n,) float64, scratch
        Zeros at first, and again at the end.
    sums : (n,) float64, scratch
    scores : (n,) float64, added to in place

    Returns
    -------
    bool
        Whether there is nothing left to do, or nothing can be: ``state[SOURCE] < k`` then says
        which source has a node with more than ``MOST_PATHS`` paths to it.

    Notes
    -----
    O(n + m) a source: every edge that can be reached is pushed or pulled over once, or pulled
    over a few times, and looked at once on the way back.
    """
    go, back = np.uint64(shift), np.uint64(back_shift)
    left = np.int64(budget)
    while state[SOURCE] < sources.size:
        if left <= 0:
            return False
        phase, level, tail = state[PHASE], state[LEVEL], np.uint64(state[TAIL])
        at = np.uint64(state[AT])
        if phase == START:
            source = sources[state[SOURCE]]
            order[0], values[source] = source, 1.0
            starts[0], starts[1] = 0, 1
            state[PHASE], state[LEVEL], state[AT], state[TAIL] = PUSH, 0, 0, 1
            state[BEYOND] = np.int64(flat.size) >> np.int64(shift)
            continue
        start, stop = np.uint64(starts[level]), np.uint64(starts[level + 1])
        if phase == RETURN:
            at, left = sum_shares(offsets, flat, go, order, at, stop, left, values, sums)
            state[AT] = at
            if at < stop:
                continue
            if level > 0:  # the source itself lies between no two others
                settle_shares(order, start, stop, values, sums, scores)
                state[LEVEL], state[AT] = level - 1, starts[level - 1]
                continue
            for reached in range(tail):
                values[order[reached]] = 0.0
            left -= np.int64(tail)
            state[SOURCE] += 1
            state[PHASE] = START
            continue
        if phase == PUSH:
            at, tail, left = push(offsets, flat, go, order, at, stop, tail, left, values)
            ended = at == stop
        else:
            at, tail, left = pull(back_offsets, back_flat, back, order, at, tail, left, values)
            ended = at == np.uint64(values.size)
        state[AT], state[TAIL] = at, tail
        if not ended:
            continue
        left -= np.int64(tail - stop)
        if tail == stop:  # nothing new: back, over a deepest level through which no path goes
            for last in range(start, stop):
                sums[last] = 0.0
            state[PHASE], state[AT] = RETURN, stop
            continue
        if settle(order, stop, tail, values) > MOST_PATHS:
            return True
        starts[level + 2] = tail
        state[LEVEL], state[AT], state[PHASE] = level + 1, stop, PUSH
        if pulls:
            frontier = degrees_of(offsets, order, stop, tail)
            state[BEYOND] -= degrees_of(back_offsets, order, stop, tail)
            if frontier * PULL_COST > state[BEYOND] + (np.int64(values.size) >> 2):
                state[PHASE], state[AT] = PULL, 0
    return True
