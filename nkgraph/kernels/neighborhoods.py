"""What nodes have in common, and sums over rows.

    offsets  int64   (n + 1,)  row u is peers[offsets[u]:offsets[u + 1]]
    peers    uint32  (m,)      each below n, each once in a row

A row is compared with others by marks in an array of n items, which are taken away again.
"""

import numpy as np

from nkgraph.dtypes import F64, I64, NO_NODE, U8, U32, Int
from nkgraph.kernels._jit import kernel


@kernel
def distinct(offsets: I64, targets: U32, marks: U32, groups: U32, firsts: I64, peers: U32) -> None:
    """Keep the first of equal targets in each row.

    Parameters
    ----------
    marks : (n,) uint32, scratch
    groups : (m,) uint32, written in place
        The new slot of each old one.
    firsts : (n + 1,) int64, written in place
        The new offsets.
    peers : (m,) uint32, written in place
        The new targets; only the first ``firsts[n]`` are.
    """
    marks[:] = NO_NODE
    kept = np.int64(0)
    firsts[0] = 0
    for node in range(offsets.size - 1):
        start = kept
        for slot in range(offsets[node], offsets[node + 1]):
            target = targets[slot]
            place = np.int64(marks[target])
            if place == np.int64(NO_NODE) or place < start:
                place = kept
                peers[kept] = target
                marks[target] = kept
                kept += 1
            groups[slot] = place
        firsts[node + 1] = kept


@kernel
def push_values(offsets: I64, targets: U32, weights: F64, values: F64, sums: F64) -> None:
    """Add to ``sums``, (n,), each node's value times the weight at every target of its row.

    ``weights`` may be (0,): then they are 1.
    """
    weighted = weights.size > 0
    for node in range(offsets.size - 1):
        value = values[node]
        for slot in range(offsets[node], offsets[node + 1]):
            sums[targets[slot]] += value * weights[slot] if weighted else value


@kernel
def common(
    offsets: I64, peers: U32, ones: U32, others: U32, values: F64, marks: I64, sums: F64, sizes: I64
) -> None:
    """Sum values over the common neighbors of pairs of nodes.

    Parameters
    ----------
    ones, others : (k,) uint32
    values : (n,) float64
    marks : (n,) int64, scratch
        -1 before.
    sums : (k,) float64, written in place
        Over the nodes in both rows, the pair itself left out.
    sizes : (k,) int64, written in place
        How many nodes are in either row.
    """
    last, stamp = np.int64(-1), np.int64(-1)
    for pair in range(ones.size):
        one, other = np.int64(ones[pair]), np.int64(others[pair])
        if one != last:  # stamps ascend, so what was marked before counts no more
            last, stamp = one, np.int64(pair)
            for slot in range(offsets[one], offsets[one + 1]):
                marks[peers[slot]] = stamp
        total, both = 0.0, np.int64(0)
        for slot in range(offsets[other], offsets[other + 1]):
            peer = np.int64(peers[slot])
            if marks[peer] == stamp:
                both += 1
                if peer != one and peer != other:
                    total += values[peer]
        sums[pair] = total
        sizes[pair] = offsets[one + 1] - offsets[one] + offsets[other + 1] - offsets[other] - both


@kernel
def triangles_both_ways(
    start: Int, stop: Int, offsets: I64, peers: U32, ways: U8, marks: U8, counts: I64
) -> None:
    """Count the directed triangles through each node of a range.

    Parameters
    ----------
    ways : (m,) uint8
        How many edges join the two: 1, or 2 if there is one each way.
    marks : (n,) uint8, scratch
        0 before and after.
    counts : (n,) int64, written in place
        The sum over pairs of neighbors (j, k) of the product of the three numbers of edges.
    """
    for node in range(start, stop):
        for slot in range(offsets[node], offsets[node + 1]):
            marks[peers[slot]] = ways[slot]
        total = np.int64(0)
        for slot in range(offsets[node], offsets[node + 1]):
            peer = np.int64(peers[slot])
            part = np.int64(0)
            for further in range(offsets[peer], offsets[peer + 1]):
                part += np.int64(marks[peers[further]]) * np.int64(ways[further])
            total += part * np.int64(ways[slot])
        counts[node] = total
        for slot in range(offsets[node], offsets[node + 1]):
            marks[peers[slot]] = 0


@kernel
def squares(
    nodes: U32,
    offsets: I64,
    peers: U32,
    marks: U8,
    hits: I64,
    queue: U32,
    found: I64,
    possible: I64,
) -> None:
    """Count the squares through nodes, and how many there could be.

    Lind, González and Herrmann, Cycles and clustering in bipartite networks (2005), as networkx
    counts them.

    Parameters
    ----------
    nodes : (k,) uint32
    offsets, peers : rows without loops
    marks, hits : (n,) uint8, (n,) int64, scratch
        0 before and after.
    queue : (n,) uint32, scratch
    found, possible : (k,) int64, written in place
    """
    for at in range(nodes.size):
        node = np.int64(nodes[at])
        degree = offsets[node + 1] - offsets[node]
        found[at] = possible[at] = 0
        if degree < 2:
            continue
        for slot in range(offsets[node], offsets[node + 1]):
            marks[peers[slot]] = 1
        count, ends = np.int64(0), np.int64(0)
        for slot in range(offsets[node], offsets[node + 1]):
            peer = np.int64(peers[slot])
            ends += (offsets[peer + 1] - offsets[peer]) * (degree - 1)
            for further in range(offsets[peer], offsets[peer + 1]):
                other = np.int64(peers[further])
                if other != node:
                    if hits[other] == 0:
                        queue[count] = other
                        count += 1
                    hits[other] += 1
        twice, triangles = np.int64(0), np.int64(0)
        for i in range(count):
            other = np.int64(queue[i])
            twice += hits[other] * (hits[other] - 1)
            if marks[other]:
                triangles += hits[other]
            hits[other] = 0
        for slot in range(offsets[node], offsets[node + 1]):
            marks[peers[slot]] = 0
        found[at] = twice // 2
        possible[at] = ends - degree * (degree - 1) - triangles - twice // 2
