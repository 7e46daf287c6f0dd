"""Betweenness by its definition: every path is walked. Imports nothing of nkgraph."""

from collections import deque
from fractions import Fraction


def shortest_paths(rows, source):
    """All shortest paths from a node, as lists of nodes; parallel edges give a path each."""
    depth, found, waiting = {source: 0}, {source: [[source]]}, deque([source])
    while waiting:
        node = waiting.popleft()
        for target in rows[node]:
            if target not in depth:
                depth[target] = depth[node] + 1
                found[target] = []
                waiting.append(target)
            if depth[target] == depth[node] + 1:
                found[target] += [[*path, target] for path in found[node]]
    return found


def betweenness(node_count, edges, sources, direction="out"):
    """Scores as fractions, by node; with "both" halved."""
    rows = [[] for _ in range(node_count)]
    for source, target in edges:
        if direction != "in":
            rows[source].append(target)
        if direction != "out":
            rows[target].append(source)
    scores = [Fraction(0)] * node_count
    for source in sources:
        for target, paths in shortest_paths(rows, source).items():
            if target != source:
                for path in paths:
                    for node in path[1:-1]:
                        scores[node] += Fraction(1, len(paths))
    return [score / 2 if direction == "both" else score for score in scores]
