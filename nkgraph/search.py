"""Batched look-ups in sorted arrays."""

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from nkgraph.arguments import integer_array
from nkgraph.dtypes import I64, U32
from nkgraph.errors import GraphError
from nkgraph.storage import sorted_keys
from nkgraph.storage.sorted_keys import find_one

UINT32 = np.dtype(np.uint32)


def find_sorted(keys: U32, queries: ArrayLike) -> I64:
    """Find the position of each query in sorted keys.

    Parameters
    ----------
    keys : (n,) uint32, ascending, each once
        May be read-only, a map, or at any byte of one; a strided one is copied. That they
        ascend is not checked, which would cost more than the search: where they do not, some
        positions are wrong or missing, and nothing worse.
    queries : (q,) integers, in any order
        Of any width and sign. A value that uint32 cannot hold is absent.

    Returns
    -------
    (q,) int64
        Positions; -1 where the key is absent.

    Raises
    ------
    GraphError
        ``keys`` are not (n,) uint32, or ``queries`` are not (q,) integers.

    Notes
    -----
    O(q log n) time, on all threads. Many queries build a search tree of n / 15 uint32 for the
    call; queries that are not uint32 are copied. Ascending queries are walked.

    Examples
    --------
    >>> import numpy as np
    >>> from nkgraph.search import find_sorted
    >>> find_sorted(np.array([2, 3, 5, 7], np.uint32), [5, 4, -1]).tolist()
    [2, -1, -1]
    """
    if (
        type(keys) is type(queries) is ndarray
        and keys.dtype is queries.dtype is UINT32
        and queries.size == keys.ndim == queries.ndim == 1
    ):
        return find_one(keys, queries)  # half of its time would go to the checks below
    if not (isinstance(keys, np.ndarray) and keys.dtype == UINT32 and keys.ndim == 1):
        raise GraphError(f"keys: expected (n,) uint32, found {describe(keys)}")
    if isinstance(queries, np.ndarray) and queries.dtype == UINT32 and queries.ndim == 1:
        if queries.size == 1:
            return find_one(keys, queries)
        return sorted_keys.find_uint32(keys, queries)
    return sorted_keys.find_integers(keys, integer_array(queries, "query"))


def describe(value: object) -> str:
    """Shape and dtype of an array, or the type of anything else."""
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}"
    return type(value).__name__
