"""Rows *labels*: ten rounds of label propagation against sorting with numpy in each.

Libraries have label propagation too, but in random or asynchronous order: other answers, so they
are no rivals.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from nkgraph.algorithms.labels import label_propagation
from nkgraph.csr import CSR
from nkgraph.dtypes import I64, U64
from perf import graphs, rivals
from perf.harness import Contest, Rival, Row, Scale

ROUNDS = 10


def sorting(csr: CSR) -> U64:
    """Labels of rows that each edge stands in at both ends; pairs of node and label are sorted."""
    half = np.uint64(32)
    nodes = csr.row_ids().astype(np.uint64) << half
    labels = np.arange(csr.node_count, dtype=np.uint64)
    for _ in range(ROUNDS):
        pairs = nodes | labels[csr.targets]
        pairs.sort()
        first = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]]))
        counts: I64 = np.diff(np.append(first, pairs.size))
        rows = (pairs[first] >> half).astype(np.int64)
        most = np.zeros(csr.node_count, np.int64)
        np.maximum.at(most, rows, counts)
        winners = np.flatnonzero(counts == most[rows])[::-1]  # the least label is written last
        labels = labels.copy()
        labels[rows[winners]] = pairs[first[winners]] & np.uint64(0xFFFFFFFF)
    return labels


def make(kind: str, scale: int, degree: int) -> Contest:
    """Ours gets each edge once and reads its rows along and against; the rival gets both."""
    symmetric = graphs.graph(kind, scale, degree)
    sources = symmetric.row_ids()
    once = sources < symmetric.targets
    csr = CSR.from_edges(sources[once], symmetric.targets[once], symmetric.node_count)
    ours = partial(label_propagation, csr, iterations=ROUNDS)
    moved = ROUNDS * (4 * symmetric.edge_count + (8 + 8 + 8) * csr.node_count)
    return Contest(ours, {"numpy": Rival(lambda: lambda: sorting(symmetric), rivals.equal)}, moved)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    top, degree = scale.bits, scale.degree
    for kind in ("rmat", "uniform"):
        yield Row(f"labels {kind} {top - 2}", partial(make, kind, top - 2, degree), 0.2, 0.08)
    graphs.forget()
