"""Searches that meet nodes in the order in which rows name them, as a plain loop would.

    offsets  int64   (n + 1,)  row u is targets[offsets[u]:offsets[u + 1]]
    targets  uint32  (m,)      each below n; loops and parallel edges do no harm

Answers of a library that walks dictionaries depend on their order: which parent a node gets, in
which order nodes are listed. These kernels keep that order, and so run on one thread.
"""

import numpy as np

from nkgraph.dtypes import F64, I32, I64, NO_NODE, U8, U32, Int
from nkgraph.kernels._jit import inlined, kernel


@kernel
def search(
    offsets: I64,
    targets: U32,
    limit: Int,
    count: Int,
    depths: I32,
    parents: U32,
    order: U32,
) -> np.int64:
    """Search by breadth from the first ``count`` nodes of ``order``.

    Parameters
    ----------
    limit : int
        Nodes further away than this are not looked for.
    depths : (n,) int32, updated in place
        -1 before, but 0 for the sources.
    parents : (n,) uint32, written where a node is found
        The first node that names it.
    order : (n,) uint32, updated in place
        The sources at first; nodes as they are found are added.

    Returns
    -------
    int64
        How many nodes ``order`` holds.
    """
    head, tail = np.int64(0), np.int64(count)
    while head < tail:
        node = order[head]
        head += 1
        depth = depths[node]
        if depth >= limit:
            break
        for slot in range(offsets[node], offsets[np.int64(node) + 1]):
            target = targets[slot]
            if depths[target] < 0:
                depths[target] = depth + 1
                parents[target] = node
                order[tail] = target
                tail += 1
    return tail


@inlined
def before(keys: F64, counts: I64, one: np.uint32, other: np.uint32) -> bool:
    """Whether one node leaves the heap before another: nearer, or as near and pushed earlier."""
    if keys[one] != keys[other]:
        return bool(keys[one] < keys[other])
    return bool(counts[one] < counts[other])


@inlined
def rise(keys: F64, counts: I64, heap: U32, places: I64, at: np.int64) -> None:
    """Move the node at a place of the heap up to where it belongs."""
    node = heap[at]
    while at > 0:
        above = (at - 1) >> 1
        if not before(keys, counts, node, heap[above]):
            break
        heap[at] = heap[above]
        places[heap[at]] = at
        at = above
    heap[at] = node
    places[node] = at


@inlined
def sink(keys: F64, counts: I64, heap: U32, places: I64, size: np.int64) -> None:
    """Move the node at the top of the heap down to where it belongs."""
    node = heap[0]
    at = np.int64(0)
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and before(keys, counts, heap[below + 1], heap[below]):
            below += 1
        if not before(keys, counts, heap[below], node):
            break
        heap[at] = heap[below]
        places[heap[at]] = at
        at = below
    heap[at] = node
    places[node] = at


@kernel
def nearest_first(
    offsets: I64,
    targets: U32,
    weights: F64,
    sources: U32,
    goal: Int,
    cutoff: float,
    keys: F64,
    counts: I64,
    places: I64,
    heap: U32,
    parents: U32,
    order: U32,
) -> np.int64:
    """Dijkstra's search; of nodes equally far, the one that was reached earlier comes first.

    Parameters
    ----------
    weights : (m,) float64
        By slot, none negative or NaN.
    sources : (k,) uint32, each once
    goal : int
        Stop when this node is settled; -1 for none.
    cutoff : float
        Nodes further away are not reached.
    keys : (n,) float64, written where a node is reached
        Distances.
    counts, heap : (n,) int64, (n,) uint32, scratch
    places : (n,) int64, updated in place
        -1 before: not reached. -2 after: settled.
    parents : (n,) uint32, written where a node is reached
        ``NO_NODE`` of a source.
    order : (n,) uint32, written in place
        Nodes as they are settled.

    Returns
    -------
    int64
        How many are settled.
    """
    pushed, size, settled = np.int64(0), np.int64(0), np.int64(0)
    for node in sources:
        keys[node], counts[node], parents[node] = 0.0, pushed, NO_NODE
        pushed += 1
        heap[size] = node
        rise(keys, counts, heap, places, size)
        size += 1
    while size > 0:
        node = heap[0]
        size -= 1
        if size > 0:
            heap[0] = heap[size]
            sink(keys, counts, heap, places, size)
        places[node] = -2
        order[settled] = node
        settled += 1
        if np.int64(node) == goal:
            break
        distance = keys[node]
        for slot in range(offsets[node], offsets[np.int64(node) + 1]):
            target = targets[slot]
            longer = distance + weights[slot]
            place = places[target]
            if longer > cutoff or place == -2 or (place >= 0 and longer >= keys[target]):
                continue
            keys[target], counts[target], parents[target] = longer, pushed, node
            pushed += 1
            if place < 0:
                place = size
                heap[size] = target
                size += 1
            rise(keys, counts, heap, places, place)
    return settled


@kernel
def forget(order: U32, count: Int, places: I64, depths: I32) -> None:
    """Make the nodes of a search unknown again; ``places`` or ``depths`` may be (0,)."""
    for at in range(count):
        if places.size:
            places[order[at]] = -1
        if depths.size:
            depths[order[at]] = -1


@kernel
def strong(
    offsets: I64, targets: U32, ranks: U32, lows: U32, slots: I64, path: U32, stack: U32, found: U32
) -> np.int64:
    """Number strongly connected components in the order in which depth-first search ends them.

    Tarjan, Depth-first search and linear graph algorithms (1972), without recursion.

    Parameters
    ----------
    ranks, lows : (n,) uint32, scratch
        0 before.
    slots : (n,) int64, scratch
    path, stack : (n,) uint32, scratch
    found : (n,) uint32, written in place
        The number of the component of each node; ``NO_NODE`` before.

    Returns
    -------
    int64
        How many components there are.
    """
    components, rank = np.int64(0), np.uint32(0)
    held = np.int64(0)
    for root in range(offsets.size - 1):
        if ranks[root]:
            continue
        path[0] = root
        depth = np.int64(1)
        while depth > 0:
            node = np.int64(path[depth - 1])
            if ranks[node] == 0:
                rank += np.uint32(1)
                ranks[node] = lows[node] = rank
                slots[node] = offsets[node]
                stack[held] = node
                held += 1
            deeper = False
            slot = slots[node]
            while slot < offsets[node + 1]:
                target = np.int64(targets[slot])
                slot += 1
                if ranks[target] == 0:
                    path[depth] = target
                    depth += 1
                    deeper = True
                    break
                if found[target] == NO_NODE and ranks[target] < lows[node]:
                    lows[node] = ranks[target]
            slots[node] = slot
            if deeper:
                continue
            depth -= 1
            if lows[node] == ranks[node]:
                while True:
                    held -= 1
                    member = stack[held]
                    found[member] = components
                    if np.int64(member) == node:
                        break
                components += 1
            if depth > 0:
                above = path[depth - 1]
                lows[above] = min(lows[above], lows[node])
    return components


@kernel
def generations(
    offsets: I64, targets: U32, counts: I64, degrees: I64, order: U32, starts: I64
) -> np.int64:
    """List nodes by generations: each is of the first in which nothing leads to it any more.

    Parameters
    ----------
    counts : (m,) int64, or (0,)
        How many parallel edges a slot stands for.
    degrees : (n,) int64, updated in place
        In-degrees, parallel edges counted.
    order : (n,) uint32, written in place
    starts : (n + 1,) int64, written in place
        Where in ``order`` each generation starts, and the last ends.

    Returns
    -------
    int64
        How many generations there are; some nodes are in none if there is a cycle.
    """
    tail = np.int64(0)
    for node in range(degrees.size):
        if degrees[node] == 0:
            order[tail] = node
            tail += 1
    head, count = np.int64(0), np.int64(0)
    starts[0] = 0
    while head < tail:
        stop = tail
        while head < stop:
            node = order[head]
            head += 1
            for slot in range(offsets[node], offsets[np.int64(node) + 1]):
                target = targets[slot]
                degrees[target] -= counts[slot] if counts.size else 1
                if degrees[target] == 0:
                    order[tail] = target
                    tail += 1
        count += 1
        starts[count] = stop
    return count


@kernel
def onion(
    offsets: I64, peers: U32, degrees: I64, left: U32, marks: U8, last: I64, layers: I32
) -> None:
    """Give each node the layer in which it goes when cores are peeled in rounds.

    Parameters
    ----------
    offsets, peers : simple undirected rows
    degrees : (n,) int64, updated in place
    left : (n,) uint32, scratch
    marks : (n,) uint8, scratch
        0 before.
    last : (n,) int64, written in place
        How many neighbors a node has left when its layer is chosen.
    layers : (n,) int32, written in place
        From 1.
    """
    count, layer, core = np.int64(0), 1, np.int64(1)
    for node in range(degrees.size):
        if degrees[node] == 0:
            layers[node], last[node] = layer, 0
        else:
            left[count] = node
            count += 1
    if count < degrees.size:
        layer = 2
    while count > 0:
        lowest = degrees[left[0]]
        for at in range(count):
            lowest = min(lowest, degrees[left[at]])
        core = max(core, lowest)
        kept = np.int64(0)
        for at in range(count):
            node = left[at]
            if degrees[node] <= core:
                layers[node], last[node] = layer, degrees[node]
                marks[node] = 1
        for at in range(count):
            node = left[at]
            if marks[node]:
                for slot in range(offsets[node], offsets[np.int64(node) + 1]):
                    degrees[peers[slot]] -= 1
        for at in range(count):
            node = left[at]
            if marks[node]:
                marks[node] = 0
            else:
                left[kept] = node
                kept += 1
        count = kept
        layer += 1
