"""Checks of whole arrays from a file, at memory speed, before a kernel trusts them.

Each returns the position of the first bad item, or -1. Nothing is allocated.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, TOMBSTONE, U32, U64

LEAST = 1 << 18
"""Items a thread; fewer are read faster than a thread starts."""
NOTHING = np.uint64(2**64 - 1)
"""No uint32 value: what is allowed beside the values below a limit, if nothing is."""
BOTH_REMOVED = np.uint64(2**64 - 1)
"""Both ends of a removed edge, as one word."""


def first_hit(found: list[Any]) -> int:
    """The lowest position of what threads found, or -1."""
    return min((int(position) for position in found if position >= 0), default=-1)


def first_on_threads(count: int, check: Callable[[int, int], object], least: int = LEAST) -> int:
    """Run ``check(start, stop)`` over ``count`` items on all threads; the first position found."""
    found = threads.run([partial(check, *span) for span in threads.split(count, least=least)])
    return first_hit(found)


def first_bad_offset(offsets: U64 | I64, limit: int) -> int:
    """Check that offsets never descend and stay within 0 to ``limit``.

    Parameters
    ----------
    offsets : (n + 1,) uint64 or int64
    limit : int
        Items that the offsets point into; below 2**63.

    Returns
    -------
    int
        Position of the first offset that is below its predecessor (or negative) or above
        ``limit``; else -1. That the first is 0 and the last ``limit`` is for the caller.

    Notes
    -----
    O(n) time where all is well, and as offsets never descend only the last need be within
    the limit; where it is not, a search finds the first that is not.
    """
    unsigned = read_only(offsets).view(np.uint64)  # negative offsets become huge ones
    check = partial(kernels.check.first_descent, unsigned, np.uint64(0))
    descent = first_on_threads(unsigned.size, check)
    rising = unsigned if descent < 0 else unsigned[:descent]
    excess = int(rising.searchsorted(np.uint64(limit), side="right"))
    return excess if excess < rising.size else descent


def first_not_below(values: U32, limit: int, column: int = 0) -> int:
    """Check that values are below ``limit``.

    Parameters
    ----------
    values : (m,), or (m, c) of which one column is checked, uint32
    limit : int
    column : int
        Of a two-dimensional array.

    Returns
    -------
    int
        The first row that does not pass, or -1.
    """
    width = values.shape[1] if values.ndim == 2 else 1
    flat = read_only(values).reshape(-1)[column:]
    top = np.uint64(min(limit, 2**32))
    check = partial(kernels.check.first_not_below, flat, width, top, NOTHING)
    return first_on_threads(values.shape[0], check)


def first_bad_ends(endpoints: np.ndarray, limit: int) -> int:
    """Check that both ends of each edge are nodes below ``limit``, unless the edge is removed.

    ``endpoints`` : (m,) ENDPOINTS. Returns the first edge that does not pass, or -1.
    """
    words = read_only(endpoints.view("<u8"))
    sources = read_only(endpoints.view("<u4"))
    # The high half of the first word is the target, so one comparison sees it. A target may be
    # the tombstone only where the source is: kernels go by the source.
    top = min(limit, int(TOMBSTONE))
    check = kernels.check.first_not_below
    checks = (
        partial(check, sources, 4, np.uint64(top), np.uint64(TOMBSTONE)),
        partial(check, words, 2, np.uint64(top << 32), BOTH_REMOVED),
    )
    return first_hit([first_on_threads(endpoints.size, one) for one in checks])


def first_not_ascending(values: U32 | U64) -> int:
    """Check that values, (m,) uint32 or uint64, ascend strictly; the first that does not, or -1."""
    check = partial(kernels.check.first_descent, read_only(values), np.uint64(1))
    return first_on_threads(values.size, check)


def first_not_ascending_in_ranges(offsets: U64 | I64, values: U32, column: int = 0) -> int:
    """Check that values ascend strictly within each range of ``offsets``.

    Parameters
    ----------
    offsets : (r + 1,) uint64 or int64
        Checked: see ``first_bad_offset``, with at most the rows of ``values`` as limit.
    values : (m,), or (m, c) of which one column is checked, uint32
    column : int
        Of a two-dimensional array.

    Returns
    -------
    int
        The first row that is not above its predecessor in the same range, or -1.

    Notes
    -----
    Threads take ranges that hold about equally many values.
    """
    bounds = read_only(offsets).view(np.uint64)
    width = values.shape[1] if values.ndim == 2 else 1
    flat = read_only(values).reshape(-1)[column:]
    check = partial(kernels.check.first_descent_in_ranges, bounds, flat, width)
    total = int(bounds[-1]) if bounds.size else 0
    cuts = [start for start, _ in threads.split(total, least=LEAST)]
    starts = np.searchsorted(bounds, np.array(cuts[1:], np.uint64)).tolist()
    edges = [0, *starts, max(bounds.size - 1, 0)]
    spans = pairwise(edges)
    found = threads.run([partial(check, start, max(start, stop)) for start, stop in spans])
    return first_hit(found)
