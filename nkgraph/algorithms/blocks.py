"""Work in blocks of nodes that threads take from a common cursor.

A kernel that takes blocks is called by each thread with the cursor and the block to stop before;
it takes the next one with ``fetch_add`` until there is none. So a core that others keep busy holds
up one block, not its half of the graph.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from nkgraph import threads
from nkgraph.dtypes import I64

AT_ONCE = 1 << 27
"""Slots and nodes of one call of a kernel: well below a second, so that Ctrl-C is heard."""
LEAST = 1 << 15
"""Fewer slots and nodes than this a thread are not worth starting it."""


def run_blocks(
    job: Callable[[I64, int], object],
    node_count: int,
    block: int,
    thread_count: int,
    offsets: I64 | None = None,
) -> None:
    """Call ``job(cursor, stop)`` on each thread, for all blocks of ``block`` nodes.

    Parameters
    ----------
    job : callable
        Takes blocks of ``cursor``, (1,) int64, as long as they are below ``stop``.
    node_count, block, thread_count : int
    offsets : (n + 1,) int64, optional
        Of the rows that ``job`` reads whole: how much work there is.
    """
    for start, stop in chunks(node_count, block, offsets):
        cursor = np.full(1, start, np.int64)
        last = min(stop * block, node_count)
        work = last - start * block
        if offsets is not None:
            work += int(offsets[last] - offsets[start * block])
        count = len(threads.split(work, thread_count, LEAST))
        threads.run([partial(job, cursor, stop)] * min(count, stop - start))


def chunks(node_count: int, block: int, offsets: I64 | None = None) -> list[tuple[int, int]]:
    """Ranges of blocks of about ``AT_ONCE`` slots and nodes; one, unless the graph is large."""
    blocks = -(-node_count // block)
    work = node_count + (0 if offsets is None else int(offsets[-1]))
    if blocks == 0 or work <= AT_ONCE:
        return [(0, blocks)][:blocks]
    before = np.arange(blocks, dtype=np.int64) * block  # nodes and slots before each block
    if offsets is not None:
        before += offsets[before]
    cuts = np.searchsorted(before, np.arange(0, work, AT_ONCE)).tolist()
    edges = sorted({*cuts, blocks})
    return list(pairwise(edges))
