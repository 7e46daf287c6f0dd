"""Breadth-first search, in the order of NetworkX."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np

from nkgraph import kernels
from nkgraph.dtypes import I32, I64, U32
from nkgraph.nx_backend.graph import BackendGraph, Rows
from nkgraph.nx_backend.library import Node

NONE: I64 = np.empty(0, np.int64)


@dataclass
class Search:
    """Searches in one graph, one after the other, with the same scratch.

    Parameters
    ----------
    rows : Rows
    """

    rows: Rows

    def __post_init__(self) -> None:
        n = self.rows[0].size - 1
        self.depths: I32 = np.full(n, -1, np.int32)
        self.parents: U32 = np.empty(n, np.uint32)
        self._order: U32 = np.empty(n, np.uint32)
        self.count = 0

    def run(self, sources: Iterable[int], limit: float | None = None) -> U32:
        """Search from some nodes, each given once; return what is reached, in order."""
        kernels.ordered.forget(self._order, self.count, NONE, self.depths)
        starts = list(sources)
        self._order[: len(starts)] = starts
        self.depths[starts] = 0
        self.count = int(
            kernels.ordered.search(
                *self.rows, levels(limit), len(starts), self.depths, self.parents, self._order
            )
        )
        return self._order[: self.count]


def levels(limit: float | None) -> int:
    """As many whole levels as a cutoff allows."""
    if limit is None or limit >= 1 << 31:
        return 1 << 31
    return max(0, math.ceil(limit))


@dataclass(frozen=True)
class Found:
    """What a search reached.

    Parameters
    ----------
    nodes : list of nodes
        In the order in which they were found, the sources first.
    ends : list of int
        Where each level ends in ``nodes``.
    parents : list of nodes
        The node that named each one, of those that are no sources.
    """

    nodes: list[Node]
    ends: list[int]
    parents: list[Node]

    def levels(self) -> Iterable[list[Node]]:
        """The nodes of each level."""
        start = 0
        for stop in self.ends:
            yield self.nodes[start:stop]
            start = stop

    def depths(self) -> Iterable[int]:
        """How far each node is."""
        sizes = map(int.__sub__, self.ends, chain([0], self.ends))
        return chain.from_iterable(repeat(depth, size) for depth, size in enumerate(sizes))


def walk(
    graph: BackendGraph, sources: list[Node], limit: float | None = None, against: bool = False
) -> Found:
    """Search by breadth from some nodes, each given once, along edges or against them."""
    search = Search(graph.backward if against else graph.forward)
    order = search.run([graph.index[node] for node in sources], limit)
    depths = search.depths[order]
    ends = [*(np.flatnonzero(np.diff(depths)) + 1).tolist(), depths.size]
    parents = graph.names(search.parents[order[len(sources) :]])
    return Found(graph.names(order), ends, parents)
