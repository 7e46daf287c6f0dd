"""Graphs to measure on: RMAT with the GAP suite's parameters, and uniform; seeded.

The same call gives the same edges, for any number of threads: each block has a seed of its own.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nkgraph import threads
from nkgraph.csr import CSR
from nkgraph.dtypes import U32
from perf import gap

Fill: TypeAlias = Callable[[np.random.Generator, int, U32, U32], None]
BLOCK = 1 << 16
QUADRANTS = (0.57, 0.19, 0.19)
"""Chances that an edge goes to the upper left, upper right and lower left of the matrix."""


def kronecker(scale: int, degree: int = 16, seed: int = 27) -> tuple[U32, U32]:
    """Sources and targets, each (degree << scale,) uint32, of an RMAT graph of 2**scale nodes.

    In each bit of the ids the edge takes a quadrant with the chances of ``QUADRANTS``. Ids are
    permuted at random, so that they tell nothing of a node's degree. Loops and parallel edges
    are left in.
    """
    ((sources, targets),) = kronecker_parts(scale, degree << scale, degree << scale, seed)
    return sources, targets


def kronecker_parts(
    scale: int, edge_count: int, part: int, seed: int = 27
) -> Iterator[tuple[U32, U32]]:
    """Give so many edges of such a graph, ``part`` at a time, rounded up to whole blocks."""
    order = np.arange(1 << scale, dtype=np.uint32)
    np.random.default_rng([seed, 1]).shuffle(order)
    step = -(-part // BLOCK) * BLOCK
    for first in range(0, edge_count, step):
        count = min(step, edge_count - first)
        sources, targets = _blocks(scale, count, seed, _kronecker_block, first // BLOCK)
        yield order[sources], order[targets]


def uniform(scale: int, degree: int = 16, seed: int = 27) -> tuple[U32, U32]:
    """Sources and targets, each (degree << scale,) uint32, all pairs being equally likely."""
    return _blocks(scale, degree << scale, seed, _uniform_block)


def _blocks(scale: int, count: int, seed: int, fill: Fill, first: int = 0) -> tuple[U32, U32]:
    sources, targets = np.empty((2, count), np.uint32)

    def work(start: int, stop: int) -> None:
        for block in range(start, stop):
            at = slice(block * BLOCK, min(block * BLOCK + BLOCK, count))
            fill(np.random.default_rng([seed, 0, first + block]), scale, sources[at], targets[at])

    parts = threads.split(-(-count // BLOCK), least=1)
    threads.run([partial(work, start, stop) for start, stop in parts])
    return sources, targets


def _uniform_block(rng: np.random.Generator, scale: int, sources: U32, targets: U32) -> None:
    for nodes in (sources, targets):
        nodes[:] = rng.integers(0, 1 << scale, nodes.size, np.uint32)


def _kronecker_block(rng: np.random.Generator, scale: int, sources: U32, targets: U32) -> None:
    upper_left, upper_right, lower_left = (
        np.uint16(round(65536 * sum(QUADRANTS[: k + 1]))) for k in range(3)
    )
    sources[:] = targets[:] = 0
    for _ in range(scale):
        draw = rng.integers(0, 1 << 16, sources.size, np.uint16)
        lower = draw >= upper_right
        right = ((draw >= upper_left) & ~lower) | (draw >= lower_left)
        np.left_shift(sources, 1, out=sources)
        np.left_shift(targets, 1, out=targets)
        np.bitwise_or(sources, lower, out=sources, casting="unsafe")
        np.bitwise_or(targets, right, out=targets, casting="unsafe")


def simple(sources: U32, targets: U32, node_count: int, directed: bool = False) -> CSR:
    """Rows that ascend, without loops and parallel edges; either way, unless ``directed``."""
    width = np.uint64(max(1, (node_count - 1).bit_length()))
    keys = (sources.astype(np.uint64) << width) | targets
    if not directed:
        keys = np.concatenate([keys, (targets.astype(np.uint64) << width) | sources])
    keys.sort()
    rows = (keys >> width).astype(np.uint32)
    peers = (keys & ((np.uint64(1) << width) - np.uint64(1))).astype(np.uint32)
    kept = rows != peers
    kept[1:] &= keys[1:] != keys[:-1]
    peers = peers[kept]
    offsets = np.zeros(node_count + 1, np.int64)
    np.cumsum(np.bincount(rows[kept], minlength=node_count), out=offsets[1:])
    return CSR(offsets, peers, np.arange(peers.size, dtype=np.uint32))


@cache
def graph(kind: str, scale: int, degree: int = 16, directed: bool = False) -> CSR:
    """Give the simple graph of kind "rmat" or "uniform", as the suite's -g and -u; kept."""
    make = {"rmat": kronecker, "uniform": uniform}[kind]
    return simple(*make(scale, degree), 1 << scale, directed)


@cache
def weighted(kind: str, scale: int, degree: int = 16, directed: bool = False) -> CSR:
    """Give the same with int32 weights from 1 to 255, equal both ways of an edge; kept."""
    csr = graph(kind, scale, degree, directed)
    low, high = np.sort([csr.row_ids(), csr.targets], axis=0).astype(np.uint64)
    mixed = (low * np.uint64(0x9E3779B97F4A7C15)) ^ (high * np.uint64(0xC2B2AE3D27D4EB4F))
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    weights = (mixed >> np.uint64(33)) % np.uint64(255) + np.uint64(1)
    return CSR(csr.offsets, csr.targets, csr.edges, weights.astype(np.int32))


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """Where graphs are written for other programs; goes with the process."""
    return tempfile.TemporaryDirectory(prefix="nkgraph-perf-")


@cache
def serialized(kind: str, scale: int, degree: int = 16, directed: bool = False) -> Path:
    """File of ``graph`` in the suite's form."""
    path = Path(folder().name) / f"{kind}-{scale}-{degree}-{directed}.sg"
    return gap.write_graph(graph(kind, scale, degree, directed), path, directed)


@cache
def serialized_weighted(kind: str, scale: int, degree: int = 16, directed: bool = False) -> Path:
    """File of ``weighted`` in the suite's form."""
    path = Path(folder().name) / f"{kind}-{scale}-{degree}-{directed}.wsg"
    return gap.write_graph(weighted(kind, scale, degree, directed), path, directed, True)


def source_nodes(csr: CSR, count: int, seed: int = 27) -> U32:
    """Random nodes, (count,), of which each has an edge, as the suite picks them."""
    able = np.flatnonzero(np.diff(csr.offsets)).astype(np.uint32)
    return np.random.default_rng(seed).choice(able, count)


def forget() -> None:
    """Let go of the graphs that are kept."""
    for kept in (graph, weighted):
        kept.cache_clear()
