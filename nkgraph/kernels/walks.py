"""Nodes within some hops, numbers of paths, and random walks.

    offsets, flat, shift   rows: the target of slot s of row u is flat[s << shift]

Random words are splitmix64's (Steele, Lea and Flood, OOPSLA 2014): of walk i and step j there is
one, whoever asks for it and when.
"""

import numpy as np

from nkgraph.dtypes import I64, NO_NODE, U32, U64
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.atomics import fetch_add
from nkgraph.kernels.intrinsics import prefetch

ONE = np.uint64(1)
SIX = np.uint64(6)
LOW = np.uint64(63)
HALF = np.uint64(32)
AHEAD = np.uint64(16)
GROUP = 64
"""Walks that go on together: the reads of all are under way at once."""
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)


@kernel
def take_new(nodes: U32, seen: U64, found: U32) -> int:
    """Write the nodes whose bit is not set in ``seen``, each once, and set it; how many."""
    count = np.uint64(0)
    for i in range(nodes.size):
        u = np.uint64(nodes[i])
        bit = ONE << (u & LOW)
        if seen[u >> SIX] & bit == np.uint64(0):
            seen[u >> SIX] |= bit
            found[count] = u
            count += ONE
    return int(count)


@kernel
def take_new_targets(
    offsets: I64, flat: U32, shift: int, nodes: U32, start: int, stop: int, seen: U64, found: U32
) -> int:
    """As ``take_new``, of the targets of a range of ``nodes``."""
    by, count, end = np.uint64(shift), np.uint64(0), np.uint64(stop)
    for at in range(np.uint64(start), end):
        prefetch(offsets, nodes[min(at + AHEAD, end - ONE)])
        u = np.uint64(nodes[at])
        for slot in range(np.uint64(offsets[u]), np.uint64(offsets[u + ONE])):
            v = np.uint64(flat[slot << by])
            bit = ONE << (v & LOW)
            if seen[v >> SIX] & bit == np.uint64(0):
                seen[v >> SIX] |= bit
                found[count] = v
                count += ONE
    return int(count)


@kernel
def add_paths(
    offsets: I64,
    flat: U32,
    shift: int,
    nodes: U32,
    start: int,
    stop: int,
    counts: U64,
    totals: U64,
) -> bool:
    """Add the count of each node of a range to the total of each of its targets.

    Parameters
    ----------
    counts : (n,) uint64
    totals : (n,) uint64, shared by threads, updated in place

    Returns
    -------
    bool
        Whether a total passed 2**64 - 1.
    """
    by, passed = np.uint64(shift), False
    for at in range(np.uint64(start), np.uint64(stop)):
        u = np.uint64(nodes[at])
        count = counts[u]
        for slot in range(np.uint64(offsets[u]), np.uint64(offsets[u + ONE])):
            before = fetch_add(totals, flat[slot << by], count)
            passed |= before + count < before
    return passed


@inlined
def mixed(word: np.uint64) -> np.uint64:
    """Mix the bits of a word: the last step of splitmix64."""
    word = (word ^ (word >> np.uint64(30))) * FIRST
    word = (word ^ (word >> np.uint64(27))) * SECOND
    return word ^ (word >> np.uint64(31))


@kernel
def walk(
    offsets: I64,
    flat: U32,
    shift: int,
    seed: np.uint64,
    start: int,
    stop: int,
    step_start: int,
    step_stop: int,
    keys: U64,
    slots: U64,
    walks: U32,
) -> None:
    """Continue a range of walks by a range of steps; the first step is 1.

    Parameters
    ----------
    keys, slots : (GROUP,) uint64, scratch
    walks : (k, length + 1) uint32
        Columns before the first step are given: column 0 is where walks start. Those of the steps
        are written: ``NO_NODE`` behind a node without targets.
    """
    by = np.uint64(shift)
    base = mixed(seed + GOLDEN)
    for first in range(start, stop, GROUP):
        size = min(GROUP, stop - first)
        for i in range(size):
            keys[i] = mixed(base + np.uint64(first + i) * GOLDEN)
        for step in range(step_start, step_stop):
            for i in range(size):
                prefetch(offsets, walks[first + i, step - 1])  # harmless where it is NO_NODE
            for i in range(size):
                slots[i] = np.uint64(0xFFFFFFFFFFFFFFFF)
                node = walks[first + i, step - 1]
                if node == NO_NODE:
                    continue
                u = np.uint64(node)
                row = np.uint64(offsets[u])
                degree = np.uint64(offsets[u + ONE]) - row
                if degree:
                    word = mixed(keys[i] + np.uint64(step) * GOLDEN)
                    slots[i] = (row + (((word >> HALF) * degree) >> HALF)) << by
                    prefetch(flat, slots[i])
            for i in range(size):
                target = NO_NODE
                if slots[i] != np.uint64(0xFFFFFFFFFFFFFFFF):
                    target = flat[slots[i]]
                walks[first + i, step] = target
