"""Triangles, clustering, cores and labels, slow and obvious. Imports nothing of nkgraph.

A graph is how many nodes, and pairs of a source and a target.
"""

from collections import Counter
from itertools import combinations


def peers(count, edges):
    """The neighbors of each node in the simple undirected graph, as sets."""
    found = [set() for _ in range(count)]
    for source, target in edges:
        if source != target:
            found[source].add(target)
            found[target].add(source)
    return found


def triangles(count, edges):
    around = peers(count, edges)
    return [
        sum(b in around[a] for a, b in combinations(sorted(around[node]), 2))
        for node in range(count)
    ]


def local_clustering(count, edges, undirected=False):
    around = peers(count, edges)
    arcs = {(a, b) for a, b in edges if a != b}
    if undirected:
        arcs |= {(b, a) for a, b in arcs}
    found = []
    for node in range(count):
        degree = len(around[node])
        inner = sum(a in around[node] and b in around[node] for a, b in arcs)
        found.append(inner / (degree * (degree - 1)) if degree > 1 else 0.0)
    return found


def core_numbers(count, edges):
    around = peers(count, edges)
    cores, left = [0] * count, set(range(count))
    level = 0
    while left:
        low = [node for node in left if len(around[node] & left) <= level]
        for node in low:
            cores[node] = level
        left.difference_update(low)
        level += not low
    return cores


def label_propagation(count, edges, iterations, labels):
    labels = list(labels)
    for _ in range(iterations):
        tallies = [Counter() for _ in range(count)]
        for source, target in edges:
            tallies[source][labels[target]] += 1
            tallies[target][labels[source]] += 1
        labels = [
            min(tally, key=lambda label, tally=tally: (-tally[label], label)) if tally else own
            for tally, own in zip(tallies, labels, strict=True)
        ]
    return labels


def local_clustering_fast(count, edges):
    """As ``local_clustering``, by rows of arcs, for larger graphs."""
    around = peers(count, edges)
    leaving = [set() for _ in range(count)]
    for source, target in edges:
        if source != target:
            leaving[source].add(target)
    found = []
    for node in range(count):
        degree = len(around[node])
        inner = sum(len(leaving[peer] & around[node]) for peer in around[node])
        found.append(inner / (degree * (degree - 1)) if degree > 1 else 0.0)
    return found
