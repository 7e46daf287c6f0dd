"""Row *cores*: of edges with loops and repetitions, against numpy.

The rival makes its simple rows by sorting, as ours does, and peels whole waves of nodes.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from nkgraph.algorithms.cores import core_numbers
from nkgraph.csr import CSR
from nkgraph.dtypes import I64
from perf import graphs
from perf.harness import Call, Row, Scale


def peel(csr: CSR) -> I64:
    """Core numbers of rows that are simple and undirected already."""
    degrees = np.diff(csr.offsets)
    cores = np.zeros(csr.node_count, np.int64)
    left = np.arange(csr.node_count)
    level = 0
    while left.size:
        level = max(level, int(degrees[left].min()))
        wave = left[degrees[left] <= level]
        while wave.size:
            cores[wave] = level
            degrees[wave] = -1
            sizes = csr.offsets[wave + 1] - csr.offsets[wave]
            starts = np.repeat(csr.offsets[wave] - np.cumsum(sizes) + sizes, sizes)
            peers = csr.targets[starts + np.arange(int(sizes.sum()))]
            peers = peers[degrees[peers] >= 0]
            np.subtract.at(degrees, peers, 1)
            wave = np.unique(peers[degrees[peers] <= level])
        left = left[degrees[left] >= 0]
    return cores


def make(kind: str, scale: int) -> tuple[Call, Call]:
    """Both get edges as they come."""
    ends = {"rmat": graphs.kronecker, "uniform": graphs.uniform}[kind](scale)
    csr = CSR.from_edges(*ends, 1 << scale)
    assert np.array_equal(core_numbers(csr), peel(graphs.simple(*ends, 1 << scale)))
    return lambda: core_numbers(csr), lambda: peel(graphs.simple(*ends, 1 << scale))


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    full = scale.node_count.bit_length() - 1
    for kind in ("rmat", "uniform"):
        yield Row(f"cores {kind}", partial(make, kind, full - 2), 0.4, 0.2)
