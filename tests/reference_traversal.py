"""Slow, obvious answers on edge lists. Imports nothing of nkgraph."""

import heapq
from collections import Counter

NO_NODE = 2**32 - 1
MASK = 2**64 - 1


def arcs(sources, targets, direction, weights=None):
    """The (source, target, weight) that an algorithm may go along; a loop twice with "both"."""
    given = weights if weights is not None else [1.0] * len(sources)
    along = list(zip(sources, targets, given, strict=True))
    against = [(t, s, w) for s, t, w in along]
    return {"out": along, "in": against, "both": along + against}[direction]


def bfs(node_count, arcs, source):
    depths, parents = [-1] * node_count, [NO_NODE] * node_count
    depths[source], parents[source] = 0, source
    level, depth = {source}, 0
    while level:
        depth += 1
        found = {}
        for s, t, _ in arcs:
            if s in level and depths[t] < 0:
                found[t] = min(s, found.get(t, s))
        for t, s in found.items():
            depths[t], parents[t] = depth, s
        level = set(found)
    return depths, parents


def sssp(node_count, arcs, source):
    """Dijkstra."""
    rows = {}
    for s, t, w in arcs:
        rows.setdefault(s, []).append((t, w))
    distances = [float("inf")] * node_count
    distances[source] = 0.0
    heap = [(0.0, source)]
    while heap:
        distance, u = heapq.heappop(heap)
        if distance > distances[u]:
            continue
        for v, w in rows.get(u, []):
            if distance + w < distances[v]:
                distances[v] = distance + w
                heapq.heappush(heap, (distances[v], v))
    return distances


def k_hop(node_count, arcs, sources, hops):
    depths = dict.fromkeys(sources, 0)
    for depth in range(1, hops + 1):
        ends = {t for s, t, _ in arcs if depths.get(s) == depth - 1}
        depths.update({t: depth for t in ends if t not in depths})
    return sorted(depths), [depths[node] for node in sorted(depths)]


def path_counts(sources, steps):
    """Each step is a list of arcs."""
    counts = Counter(sources)
    for step in steps:
        following = Counter()
        for s, t, _ in step:
            if counts[s]:
                following[t] += counts[s]
        counts = following
    return dict(sorted(counts.items()))


def mixed(word):
    """The finalizer of splitmix64."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def random_walk(rows, source, length, seed, number):
    """``rows`` gives the targets of each node in the order of its row."""
    golden = 0x9E3779B97F4A7C15
    key = mixed((mixed((seed + golden) & MASK) + number * golden) & MASK)
    walk = [source]
    for step in range(length):
        row = rows[walk[-1]] if walk[-1] != NO_NODE else []
        word = mixed((key + (step + 1) * golden) & MASK)
        walk.append(row[((word >> 32) * len(row)) >> 32] if row else NO_NODE)
    return walk


def histogram(values):
    pairs = sorted(Counter(values).items())
    return [value for value, _ in pairs], [count for _, count in pairs]
