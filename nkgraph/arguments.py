"""Turn what a user passes into the arrays that kernels take, or say which row is wrong."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nkgraph.dtypes import MAX_IDS, U32, Bool
from nkgraph.errors import GraphError

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1


def integer_array(values: ArrayLike, what: str) -> NDArray[np.integer[Any]]:
    """Give ``values`` as a one-dimensional integer array, of its own dtype if it has one.

    Floats are taken if whole and exact, as tables with gaps store integers so. A list of
    Python integers comes back as int64 if all fit, else as uint64.

    Raises
    ------
    GraphError
        Not one-dimensional, or a row that is no integer of 64 bits; ``what`` names it.
    """
    given = np.asarray(values)
    if given.size == 0 and given.ndim == 1:
        return given if given.dtype.kind in "iu" else np.empty(0, np.int64)
    if given.ndim != 1:
        raise GraphError(f"{what}s: expected one dimension, found shape {given.shape}")
    if given.dtype.kind in "iu":
        return given.astype(given.dtype.newbyteorder("="), copy=False)
    if given.dtype.kind == "f" and isinstance(values, np.ndarray):
        return whole_floats(given, what)
    return python_integers(np.asarray(values, object), what)


def whole_floats(values: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Convert floats that are integers up to 2**53."""
    wrong = ~((values == np.floor(values)) & (np.abs(values) <= 2.0**53))
    if wrong.any():
        row = int(wrong.argmax())
        raise GraphError(f"row {row}: {what} {values[row]} is not an integer")
    return values.astype(np.int64)


def python_integers(values: NDArray[np.object_], what: str) -> NDArray[np.integer[Any]]:
    """Convert objects one by one; only for lists and object arrays."""
    items: list[int] = []
    for row, value in enumerate(values.tolist()):
        whole = isinstance(value, float | np.floating) and float(value).is_integer()
        if isinstance(value, bool | np.bool_) or not (isinstance(value, int | np.integer) or whole):
            raise GraphError(f"row {row}: {what} {value!r} is not an integer")
        number = int(value)
        if not INTEGER_MIN <= number <= INTEGER_MAX:
            raise GraphError(f"row {row}: {what} {number} does not fit 64 bits")
        items.append(number)
    wide = max(items) >= 2**63
    if wide and min(items) < 0:
        row = items.index(min(items))
        raise GraphError(f"row {row}: {what} {items[row]} beside one of {max(items)}")
    return np.array(items, np.uint64 if wide else np.int64)


def uint32_array(values: ArrayLike, what: str) -> U32:
    """Give ``values`` as (m,) uint32 node ids, each from 0 to 2**32 - 2.

    Raises
    ------
    GraphError
        As ``integer_array``, or a row out of that range.
    """
    given = integer_array(values, what)
    if given.size and (int(given.max()) >= MAX_IDS or int(given.min()) < 0):
        wrong: Bool = (given < 0) | (given >= MAX_IDS)
        row = int(wrong.argmax())
        raise GraphError(f"row {row}: {what} {given[row]} is not from 0 to {MAX_IDS - 1}")
    return given.astype(np.uint32, copy=False)


def once(ids: U32) -> U32:
    """Return ids in the order given, each once: where it comes first."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    first = np.ones(ids.size, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return ids[np.sort(order[first])]
