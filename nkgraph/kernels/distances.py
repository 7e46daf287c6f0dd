"""Distances from many nodes at once: breadth-first searches in the bits of a word.

    offsets  int64   (n + 1,)  row u is targets[offsets[u]:offsets[u + 1]]
    targets  uint32  (m,)      each below n

Up to 64 searches go on together, bit b of a word being that of source b (Then et al., The More the
Merrier: Efficient Multi-Source Graph Traversal, PVLDB 2014): a node that several of them reach in
one level has its row read once. Loops and parallel edges change nothing.
"""

import numpy as np

from nkgraph.dtypes import F64, I64, U32, U64
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.intrinsics import trailing_zeros

ZERO = np.uint64(0)
ONE = np.uint64(1)


@kernel
def sum_up(
    offsets: I64,
    targets: U32,
    sources: U32,
    seen: U64,
    front: U64,
    following: U64,
    active: U32,
    touched: U32,
    levels: I64,
    reached: I64,
    sums: I64,
    farthest: I64,
    inverses: F64,
    arrivals: I64,
) -> None:
    """Sum up the distances from each of at most 64 sources.

    Parameters
    ----------
    sources : (k,) uint32, k <= 64
    seen, front, following : (n,) uint64, scratch
        ``front`` and ``following`` are 0 before and after.
    active, touched : (n,) uint32, scratch
    levels : (64,) int64, scratch
    reached, sums, farthest : (k,) int64, written in place
        How many nodes a source reaches, itself counted; the sum of their distances; the largest.
    inverses : (k,) float64, written in place
        The sum of 1 / distance over the other nodes.
    arrivals : (n,) int64, added to in place
        From how many sources other than itself a node is reached.
    """
    seen[:] = ZERO
    count = np.int64(0)
    for b in range(sources.size):
        node = sources[b]
        if front[node] == ZERO:
            active[count] = node
            count += 1
        front[node] |= ONE << np.uint64(b)
        seen[node] = front[node]
        reached[b], sums[b], farthest[b], inverses[b] = 1, 0, 0, 0.0
    depth = np.int64(0)
    while count > 0:
        depth += 1
        found = np.int64(0)
        for at in range(count):
            node = np.int64(active[at])
            bits = front[node]
            front[node] = ZERO
            for slot in range(offsets[node], offsets[node + 1]):
                target = targets[slot]
                if following[target] == ZERO:
                    touched[found] = target
                    found += 1
                following[target] |= bits
        levels[:] = 0
        count = np.int64(0)
        for at in range(found):
            node = np.int64(touched[at])
            fresh = following[node] & ~seen[node]
            following[node] = ZERO
            if fresh == ZERO:
                continue
            seen[node] |= fresh
            front[node] = fresh
            active[count] = node
            count += 1
            while fresh != ZERO:
                levels[np.int64(trailing_zeros(fresh))] += 1
                arrivals[node] += 1
                fresh &= fresh - ONE
        for b in range(sources.size):
            if levels[b]:
                reached[b] += levels[b]
                sums[b] += levels[b] * depth
                inverses[b] += levels[b] / depth
                farthest[b] = depth


@kernel
def share_edges(
    offsets: I64,
    targets: U32,
    source: np.uint32,
    order: U32,
    depths: I64,
    paths: F64,
    shares: F64,
    scores: F64,
) -> None:
    """Add to each slot the share of shortest paths from one source that go over it.

    Brandes, A Faster Algorithm for Betweenness Centrality (2001).

    Parameters
    ----------
    order : (n,) uint32, scratch
    depths : (n,) int64, scratch
        -1 before and after.
    paths, shares : (n,) float64, scratch
        0 before and after.
    scores : (m,) float64, added to in place
    """
    order[0] = source
    depths[source], paths[source] = 0, 1.0
    head, tail = np.int64(0), np.int64(1)
    while head < tail:
        node = np.int64(order[head])
        head += 1
        for slot in range(offsets[node], offsets[node + 1]):
            target = targets[slot]
            if depths[target] < 0:
                depths[target] = depths[node] + 1
                order[tail] = target
                tail += 1
            if depths[target] == depths[node] + 1:
                paths[target] += paths[node]
    for back in range(tail):
        node = np.int64(order[tail - 1 - back])
        for slot in range(offsets[node], offsets[node + 1]):
            target = targets[slot]
            if depths[target] == depths[node] + 1:
                share = paths[node] / paths[target] * (1.0 + shares[target])
                scores[slot] += share
                shares[node] += share
    for at in range(tail):
        node = np.int64(order[at])
        depths[node], paths[node], shares[node] = -1, 0.0, 0.0
