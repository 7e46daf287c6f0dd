"""Words of a column by slot.

    words  uint64  (n,)    a column
    slots  uint32 or uint64  (k,)  positions in it, in any order; from n on there is 0
    found  uint64  (k,)    the answer

The reads do not wait for each other, so what counts is how many are under way: each word is
asked for ``AHEAD`` slots early.
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import U32, U64, Int
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.intrinsics import prefetch

AHEAD: Final = np.uint64(128)


@kernel
def gather_words(words: U64, slots: U32 | U64, start: Int, stop: Int, found: U64) -> None:
    """Write ``words[slots[i]]``, or 0, to ``found[i]`` for each i of a range; O(stop - start).

    Parameters
    ----------
    words : (n,) uint64
    slots : (k,) uint32 or uint64
        Any values: each is compared with n.
    start, stop : int
        0 <= start <= stop <= k.
    found : (k,) uint64, written in place
    """
    size, end = np.uint64(words.size), np.uint64(stop)
    calm = end - min(AHEAD, np.uint64(stop - start))
    for i in range(np.uint64(start), calm):
        prefetch(words, np.uint64(slots[i + AHEAD]))
        slot = np.uint64(slots[i])
        found[i] = words[slot] if slot < size else np.uint64(0)
    for i in range(calm, end):
        slot = np.uint64(slots[i])
        found[i] = words[slot] if slot < size else np.uint64(0)
