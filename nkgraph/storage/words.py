"""Columns of 64-bit words: some of them by slot.

There are two ways to read ``k`` of ``n`` slots: as they are asked for, with the reads that come
next under way already; or sorted first, so that they ascend, up to a sweep of the whole column.
Measured on columns of 2**24 words in the page cache, one thread (ms):

    k                       2**10   2**14   2**17   2**20   2**22
    as asked for            0.002    0.05     1.4      10      42
    ascending               0.002    0.04     1.3       9       9
    sorting them first      0.03     0.80      10     146     720
    reading the column        30

The second way never pays for its sort, at any share of the slots, and slots that ascend anyway
are as fast the first way. So there is only the first, split over threads.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import cast

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import U32, U64

FEW = 64
"""Up to so many slots numpy answers, unless the kernel is loaded already."""
LEAST = 1 << 17
"""Fewer words than this a thread are not worth starting it: a read takes 2 to 8 nanoseconds."""
NEAR = 1 << 18
"""From so many slots on threads take turns at slots, else at columns."""


def gather_into(columns: Sequence[U64], slots: U32 | U64, found: U64) -> None:
    """Write the words at ``slots`` of each column.

    Parameters
    ----------
    columns : sequence of (n,) uint64
        Lengths may differ; read-only ones and maps will do. One that is not contiguous or not
        aligned is read with numpy, and not copied.
    slots : (k,) uint32 or uint64, in any order
        From the end of a column on, there is 0.
    found : (c, k) uint64, written in place
        Each of its rows is contiguous.

    Notes
    -----
    O(k c) time, on all threads.
    """
    few = slots.size <= FEW and "nkgraph.kernels.gather" not in sys.modules
    slots = cast(U32 | U64, read_only(slots))
    jobs = []
    for words, row in zip(columns, found, strict=True):
        if few or not (words.flags.c_contiguous and words.flags.aligned):
            row[:] = take_words(words, slots)
        else:
            jobs.append(partial(_gather, read_only(words), slots, row))
    if slots.size < NEAR:  # whole columns, so that no two threads want the same cache lines
        shares = threads.split(len(jobs), least=max(1, LEAST // max(slots.size, 1)))
        threads.run([partial(_run_all, jobs[a:b], 0, slots.size) for a, b in shares])
        return
    spans = threads.split(slots.size, least=LEAST // max(1, len(jobs)))
    threads.run([partial(_run_all, jobs, *span) for span in spans])


def _gather(words: U64, slots: U32 | U64, row: U64, start: int, stop: int) -> None:
    kernels.gather.gather_words(words, slots, start, stop, row)


def _run_all(jobs: list[partial[None]], start: int, stop: int) -> None:
    for job in jobs:
        job(start, stop)


def take_words(words: U64, slots: U32 | U64) -> U64:
    """Return the words at ``slots``, 0 beyond the end, by numpy: of columns of any layout."""
    inside = slots < words.size
    found = np.zeros(slots.size, np.uint64)
    found[inside] = words[slots[inside]]
    return found
