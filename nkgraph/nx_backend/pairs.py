"""How likely an edge between two nodes is, by what they have in common."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from nkgraph import kernels
from nkgraph.dtypes import F64, I64
from nkgraph.nx_backend.graph import of
from nkgraph.nx_backend.library import Node, Number, nx

Pairs = Iterable[tuple[Node, Node]]
Scored = Iterator[tuple[Node, Node, Number]]


class _Asked:
    """The pairs that a user asks for."""

    def __init__(self, G: object, ebunch: Pairs) -> None:
        self.graph = of(G)
        self.pairs = list(ebunch)
        index = self.graph.index
        ends = list(chain.from_iterable((u, v) for u, v in self.pairs))
        try:
            found = np.fromiter(map(index.__getitem__, ends), np.uint32, len(ends))
        except KeyError as error:
            raise nx.NodeNotFound(f"Node {error.args[0]} not in G.") from None
        self.ones, self.others = found[0::2].copy(), found[1::2].copy()

    def scored(self, values: list[Number]) -> Scored:
        return ((u, v, p) for (u, v), p in zip(self.pairs, values, strict=True))


def _common(asked: _Asked, values: F64) -> tuple[F64, I64]:
    """Sum values over common neighbors; and count the nodes that are a neighbor of either."""
    n, count = len(asked.graph), asked.ones.size
    sums, sizes = np.empty(count), np.empty(count, np.int64)
    order = np.argsort(asked.ones, kind="stable")  # a row is marked once for all its pairs
    kernels.neighborhoods.common(
        *asked.graph.forward,
        asked.ones[order],
        asked.others[order],
        values,
        np.full(n, -1, np.int64),
        sums,
        sizes,
    )
    back = np.empty(count, np.int64)
    back[order] = np.arange(count)
    return sums[back], sizes[back]


def jaccard_coefficient(G: object, ebunch: Pairs | None = None) -> Scored:
    """Score pairs by the part of their neighbors that they share."""
    asked = _Asked(G, ebunch or [])
    shared, sizes = _common(asked, np.ones(len(asked.graph)))
    pairs = zip(shared.tolist(), sizes.tolist(), strict=True)
    return asked.scored([both / size if size else 0 for both, size in pairs])


def resource_allocation_index(G: object, ebunch: Pairs | None = None) -> Scored:
    """Score pairs by the sum of 1 / degree over the neighbors that they share."""
    asked = _Asked(G, ebunch or [])
    return _summed(asked, 1.0 / np.maximum(asked.graph.degrees, 1))


def adamic_adar_index(G: object, ebunch: Pairs | None = None) -> Scored:
    """Score pairs by the sum of 1 / log(degree) over the neighbors that they share."""
    asked = _Asked(G, ebunch or [])
    logs = np.log(np.maximum(asked.graph.degrees, 1))
    values = np.full(logs.size, np.inf)
    np.divide(1.0, logs, out=values, where=logs > 0)
    return _summed(asked, values)


def _summed(asked: _Asked, values: F64) -> Scored:
    sums, _ = _common(asked, values)
    if np.isinf(sums).any():  # 1 / log(1), of a node whose one neighbor is both ends
        raise ZeroDivisionError("float division by zero")
    return asked.scored([total if total else 0 for total in sums.tolist()])


def preferential_attachment(G: object, ebunch: Pairs | None = None) -> Scored:
    """Score pairs by the product of their degrees."""
    asked = _Asked(G, ebunch or [])
    degrees = asked.graph.degrees
    return asked.scored((degrees[asked.ones] * degrees[asked.others]).tolist())
