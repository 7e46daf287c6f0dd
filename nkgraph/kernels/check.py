"""Whole-array checks: the first bad position of a range, or -1.

Blocks are counted without a branch, which vectorises, and only a bad block is looked at
item by item. Ranges and positions are in items; indices are unsigned, since a start that
might be negative would keep a test in the inner loop.
"""

import numpy as np

from nkgraph.dtypes import U32, U64
from nkgraph.kernels._jit import kernel

BLOCK = np.uint64(4096)
ONE = np.uint64(1)


@kernel
def first_not_below(
    values: U32 | U64, stride: int, limit: np.uint64, allowed: np.uint64, start: int, stop: int
) -> np.int64:
    """First i in a range for which ``values[i * stride]`` is neither below limit nor allowed."""
    step = np.uint64(stride)
    end = np.uint64(stop)
    for first in range(np.uint64(start), end, BLOCK):
        last = min(first + BLOCK, end)
        bad = False
        if step == ONE:
            for i in range(first, last):
                value = np.uint64(values[i])
                bad |= (value >= limit) & (value != allowed)
        else:
            for i in range(first, last):
                value = np.uint64(values[i * step])
                bad |= (value >= limit) & (value != allowed)
        if bad:
            for i in range(first, last):
                value = np.uint64(values[i * step])
                if value >= limit and value != allowed:
                    return np.int64(i)
    return np.int64(-1)


@kernel
def first_descent(values: U32 | U64, gap: np.uint64, start: int, stop: int) -> np.int64:
    """First i >= 1 in a range whose value is below ``values[i - 1]``, or, if gap is 1, equal."""
    end = np.uint64(stop)
    strict = gap == ONE
    for first in range(max(np.uint64(start), ONE), end, BLOCK):
        last = min(first + BLOCK, end)
        bad = False
        if strict:
            for i in range(first, last):
                bad |= values[i] <= values[i - ONE]
        else:
            for i in range(first, last):
                bad |= values[i] < values[i - ONE]
        if bad:
            for i in range(first, last):
                if values[i] < values[i - ONE] or (strict and values[i] == values[i - ONE]):
                    return np.int64(i)
    return np.int64(-1)


@kernel
def first_descent_in_ranges(
    offsets: U64, values: U32, stride: int, start: int, stop: int
) -> np.int64:
    """First i, in the ranges ``start`` to ``stop`` of ``offsets``, not above its predecessor.

    Offsets do not descend and end within the values; value i is ``values[i * stride]``.
    """
    step = np.uint64(stride)
    for r in range(np.uint64(start), np.uint64(stop)):
        end = offsets[r + ONE]
        for first in range(offsets[r] + ONE, end, BLOCK):
            last = min(first + BLOCK, end)
            bad = False
            for i in range(first, last):
                bad |= values[i * step] <= values[(i - ONE) * step]
            if bad:
                for i in range(first, last):
                    if values[i * step] <= values[(i - ONE) * step]:
                        return np.int64(i)
    return np.int64(-1)
