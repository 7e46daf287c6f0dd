"""Texts in order with a node each: what equality and prefix look-ups search."""

from functools import partial

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U32, U64, Bool
from nkgraph.storage.text import TextArray

STEP = 8
"""Keys between two samples."""
SAMPLES_PAY = 64
"""Samples are taken once there was a query for so many keys."""
LEAST = 1 << 10
"""Queries a thread."""


class SortedTexts:
    """Entries ordered by (text, node); a text may come with several nodes.

    Parameters
    ----------
    texts : TextArray
        (n,) keys.
    nodes : (n,) uint32
        The caller has checked that they are in range.
    """

    def __init__(self, texts: TextArray, nodes: U32) -> None:
        self.texts = texts
        self.nodes: U32 = read_only(nodes)
        self._asked = 0
        self._samples: tuple[U64, int] = np.zeros(0, np.uint64), 0

    def __len__(self) -> int:
        return int(self.nodes.size)

    @classmethod
    def build(cls, texts: TextArray, nodes: U32) -> "SortedTexts":
        """Sort texts, (n,), and their nodes; O(bytes) time, 32 bytes a text of scratch."""
        order = sorted_rows(texts, None if is_ascending(nodes) else np.argsort(nodes))
        return cls(texts.take(order.astype(np.int64)), nodes[order])

    def keep(self, chosen: Bool) -> "SortedTexts":
        """Return the entries that are chosen."""
        if chosen.all():
            return self
        return SortedTexts(self.texts.take(np.flatnonzero(chosen)), self.nodes[chosen])

    def without_empty(self) -> "SortedTexts":
        """Return the entries whose text is not empty."""
        return self.keep(np.diff(self.texts.offsets) > 0)

    def first_out_of_order(self) -> int:
        """Return the first entry that is not above the one before by (text, node), or -1."""
        texts = self.texts
        return int(kernels.text_keys.first_out_of_order(texts.offsets, texts.data, self.nodes))

    def equals(self, other: "SortedTexts") -> bool:
        """Whether two have the same entries."""
        if not np.array_equal(self.nodes, other.nodes):
            return False
        rows = np.arange(len(self))
        return bool(self.texts.equals(rows, other.texts, rows).all())

    def find(self, queries: TextArray, is_prefix: bool) -> tuple[I64, U32]:
        """Find the entries whose text equals, or starts with, each query.

        Returns
        -------
        queries : (h,) int64
            Which query each hit is of, ascending.
        nodes : (h,) uint32
            By (text, node) within each query.

        Notes
        -----
        O(log n) time a query and O(1) a hit, on all threads.
        """
        count = len(queries)
        starts, stops = np.empty(count, np.int64), np.empty(count, np.int64)
        texts = self.texts
        samples, skip = self._sampled(count)
        search = partial(
            kernels.text_keys.find_runs, texts.offsets, texts.data, read_only(samples), skip, STEP,
            queries.offsets, queries.data, int(is_prefix),
        )  # fmt: skip
        spans = threads.split(count, least=LEAST)
        threads.run([partial(search, *span, starts, stops) for span in spans])
        offsets = np.concatenate([[0], np.cumsum(stops - starts)])
        nodes, of_query = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.int64)
        kernels.text_keys.fill_hits(
            read_only(starts), read_only(stops), self.nodes, read_only(offsets), nodes, of_query
        )
        return of_query, nodes

    def _sampled(self, queries: int) -> tuple[U64, int]:
        """Samples, and the bytes that all keys share; samples only where they pay by now."""
        self._asked += queries
        samples, skip = self._samples
        if samples.size or self._asked * SAMPLES_PAY < len(self) or len(self) <= 2 * STEP:
            return samples, skip
        texts = self.texts
        first = texts.data[texts.offsets[0] : texts.offsets[1]]
        skip = shared_bytes(first, texts.data[texts.offsets[-2] : texts.offsets[-1]])
        samples = np.empty(-(-len(self) // STEP), np.uint64)
        kernels.text_keys.fill_samples(texts.offsets, texts.data, skip, STEP, samples)
        self._samples = read_only(samples), skip
        return self._samples


def shared_bytes(first: U8, last: U8) -> int:
    """How many bytes two texts have in common at their start: so do all texts between them."""
    size = min(first.size, last.size)
    differs = first[:size] != last[:size]
    return int(np.argmax(differs)) if differs.any() else size


def is_ascending(nodes: U32) -> bool:
    """Whether nodes never descend."""
    return bool((nodes[1:] >= nodes[:-1]).all())


def sorted_rows(texts: TextArray, first: I64 | None = None) -> U32:
    """Return the rows of texts in the order of their bytes, equal ones as in ``first``."""
    count = len(texts)
    order = np.arange(count, dtype=np.uint32) if first is None else first.astype(np.uint32)
    words, other_words = np.empty((2, count), np.uint64)
    ranges, next_ranges = np.empty((2, count + 2), np.uint32)
    kernels.text_keys.sort_rows(
        texts.offsets, texts.data, order, words, np.empty_like(order), other_words,
        ranges, next_ranges, np.empty(256, np.int64),
    )  # fmt: skip
    return order
