"""Words gathered from columns by slot."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from nkgraph.arguments import integer_array
from nkgraph.dtypes import U32, U64
from nkgraph.errors import GraphError
from nkgraph.storage.words import gather_into

WORD = np.dtype(np.uint64)


def gather(columns: Iterable[U64], slots: ArrayLike) -> U64:
    """Read the words at some slots of each column.

    Parameters
    ----------
    columns : sequence of (n,) uint64
        Their lengths may differ. Maps and read-only arrays are read in place, and so are strided
        or unaligned ones, at numpy's speed.
    slots : (k,) integers, in any order, repeats allowed
        Of any width and sign. From the end of a column on, its word is 0.

    Returns
    -------
    (k, c) uint64
        Row i holds the words at ``slots[i]``. In memory each column is contiguous.

    Raises
    ------
    GraphError
        A column is not (n,) uint64, or ``slots`` are not (k,) integers of 0 or more.

    Notes
    -----
    O(k c) time, on all threads. The answer is allocated; signed slots below 64 bits are copied.

    Examples
    --------
    >>> import numpy as np
    >>> from nkgraph.word_columns import gather
    >>> ages, heights = np.array([36, 51, 8], np.uint64), np.array([170, 181], np.uint64)
    >>> gather([ages, heights], [2, 0, 9])
    array([[  8,   0],
           [ 36, 170],
           [  0,   0]], dtype=uint64)
    """
    words = columns_of_words(columns)
    wanted = slot_array(slots)
    found = np.empty((len(words), wanted.size), np.uint64)
    gather_into(words, wanted, found)
    return found.T


def columns_of_words(columns: Iterable[U64]) -> list[U64]:
    """Check that each column is (n,) uint64, and give them as plain arrays."""
    words: list[U64] = []
    if not isinstance(columns, Iterable):
        raise GraphError(f"columns: expected a sequence of arrays, found {type(columns).__name__}")
    for number, column in enumerate(columns):
        if not isinstance(column, np.ndarray):
            found = type(column).__name__
        elif column.ndim != 1 or column.dtype != WORD:
            found = f"{column.shape} {column.dtype}"
        else:
            words.append(column.view(np.ndarray))
            continue
        advice = "; view 8-byte numbers as uint64" if "64" in found else ""
        raise GraphError(f"column {number}: expected (n,) uint64, found {found}{advice}")
    return words


def slot_array(slots: ArrayLike) -> U32 | U64:
    """Give slots as uint32 or uint64; copies only what is of another width.

    Raises
    ------
    GraphError
        As ``integer_array``, or a slot below 0; names its row.
    """
    given = integer_array(slots, "slot")
    if given.dtype.kind == "i":
        if given.size and given.min() < 0:
            row = int((given < 0).argmax())
            raise GraphError(f"row {row}: slot {given[row]} is below 0")
        return given.astype(np.int64, copy=False).view(np.uint64)
    if given.dtype.itemsize <= 4:
        return given.astype(np.uint32, copy=False)
    return given.astype(np.uint64, copy=False)
