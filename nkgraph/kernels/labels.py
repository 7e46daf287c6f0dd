"""Label propagation: one synchronous round over rows along the edges and against them.

    labels    uint32  (n,)  of the round before, as places in the sorted list of all labels
    counters  uint64  (l,)  of each label: the stamp of the node that counted it last, in the high,
                            and how often, in the low 32 bits

A counter with another stamp is 0, so that nothing needs to be cleared after a node; stamps begin
at 1 in new counters and are never used twice.
"""

import numpy as np

from nkgraph.dtypes import I64, U32, U64, Int
from nkgraph.kernels._jit import inlined, kernel
from nkgraph.kernels.intrinsics import prefetch, prefetch_write

ONE = np.uint64(1)
HALF = np.uint64(32)
AHEAD = np.uint64(64)  # slots
SOON = np.uint64(16)  # counters


@inlined
def read_labels(
    first: np.uint64,
    last: np.uint64,
    flat: U32,
    shift: np.uint64,
    labels: U32,
    found: U32,
    at: np.uint64,
) -> np.uint64:
    """Append the labels of the targets of a row to ``found`` and give its new end."""
    end = np.uint64(flat.size) - ONE
    for slot in range(first, last):
        prefetch(labels, flat[min((slot + AHEAD) << shift, end)])
        found[at] = labels[np.uint64(flat[slot << shift])]
        at += ONE
    return at


@kernel
def spread_labels(
    start: Int,
    stop: Int,
    offsets: I64,
    flat: U32,
    shift: np.uint64,
    in_offsets: I64,
    in_flat: U32,
    in_shift: np.uint64,
    labels: U32,
    stamp: np.uint64,
    counters: U64,
    found: U32,
    new_labels: U32,
) -> int:
    """Give each node of a range the label that most of its neighbors have, the least of those.

    Parameters
    ----------
    stamp : uint64
        The first of ``stop - start`` that ``counters`` have not seen.
    counters : (l,) uint64, updated in place
    found : uint32, scratch
        As long as the two longest rows of a node together.
    new_labels : (n,) uint32, written in place
        Nodes without edges keep their label.

    Returns
    -------
    int
        How many nodes have another label than before.
    """
    changed = 0
    for node in range(np.uint64(start), np.uint64(stop)):
        count = read_labels(
            np.uint64(offsets[node]), np.uint64(offsets[node + ONE]),
            flat, shift, labels, found, np.uint64(0),
        )  # fmt: skip
        count = read_labels(
            np.uint64(in_offsets[node]), np.uint64(in_offsets[node + ONE]),
            in_flat, in_shift, labels, found, count,
        )  # fmt: skip
        own = labels[node]
        if count == np.uint64(0):
            new_labels[node] = own
            continue
        mark = stamp << HALF
        stamp += ONE
        best, most = found[0], np.uint64(0)
        differing = np.uint32(0)
        for i in range(count):
            differing |= found[i] ^ best
        for i in range(count if differing else np.uint64(0)):
            label = found[i]
            prefetch_write(counters, found[min(np.uint64(i) + SOON, count - ONE)])
            counter = counters[np.uint64(label)]
            counter = max(counter, mark) + ONE
            counters[np.uint64(label)] = counter
            if counter > most or (counter == most and label < best):
                best, most = label, counter
        new_labels[node] = best
        changed += best != own
    return changed
