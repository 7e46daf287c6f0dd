"""Words of chosen slots, from several columns at once.

There are two ways to read ``k`` of ``n`` slots: as they are asked for, with the reads that come
next under way already; or sorted first, so that they ascend, up to a sweep of the whole column.
The engine changes from one to the other where half of the nodes are asked for. Measured on columns
of 2**24 words in the page cache, one thread (ms):

    k                       2**10   2**14   2**17   2**20   2**22
    as asked for            0.002    0.05     1.4      10      42
    ascending               0.002    0.04     1.3       9       9
    sorting them first      0.03     0.80      10     146     720
    reading the column        30

The second way never pays for its sort, at any share of the nodes, and slots that ascend anyway
are as fast the first way. So there is only the first, split over threads.
"""

from collections.abc import Sequence
from functools import partial

from nkgraph import kernels, threads
from nkgraph.dtypes import I64, U64

_LEAST = 1 << 16
"""Slots a thread; fewer are gathered faster than a thread starts."""


def gather(columns: Sequence[U64], slots: I64, out: U64) -> None:
    """Write a row of words for each slot; 0 behind the end of a column.

    Parameters
    ----------
    columns : sequence of (n,) uint64
    slots : (k,) int64
        Not negative; in any order.
    out : (k, c) uint64, out
    """
    width = len(columns)
    spans = threads.split(slots.size, least=_LEAST)
    threads.run([partial(_gather, columns, slots[a:b], out[a:b].reshape(-1), width)
                 for a, b in spans])  # fmt: skip


def _gather(columns: Sequence[U64], slots: I64, flat: U64, width: int) -> None:
    for place, words in enumerate(columns):
        kernels.words.gather_words(words, slots, place, width, flat)
