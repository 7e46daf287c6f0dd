"""Turn what a user passes to a node store into numbers and arrays, or say what is wrong."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U64, Bool
from nkgraph.errors import GraphError
from nkgraph.storage.sparrowdb.node_files import SLOTS

Props = Sequence[tuple[int, object]] | Mapping[int, object]
"""Values by column: (column, value) pairs, of which the last of a column wins, or a mapping."""
WRITES = np.dtype([
    ("label", "<u4"), ("col", "<u4"), ("slot", "<u4"), ("word", "<u8"), ("present", "?"),
])  # fmt: skip
"""A row of a structured array of writes."""
_NODES = np.dtype([("label", "<u4"), ("slot", "<u4")])
_GROUPS = 1 << 12


class Group(NamedTuple):
    """What is written to one column, in the order given."""

    label: int
    col: int
    slots: I64
    words: U64
    present: Bool | None


def number(value: SupportsIndex, what: str, limit: int = SLOTS) -> int:
    """Give an integer from 0 to ``limit - 1``."""
    try:
        found = value.__index__()
    except (AttributeError, TypeError):
        raise GraphError(f"{what} {value!r} is not an integer") from None
    if not 0 <= found < limit:
        raise GraphError(f"{what} {found} is not from 0 to {limit - 1}")
    return found


def node_id(node: SupportsIndex) -> tuple[int, int]:
    """Split a node id into label and slot."""
    found = number(node, "node id", 1 << 64)
    return found >> 32, found & 0xFFFF_FFFF


def numbers(values: Iterable[SupportsIndex], what: str) -> list[int]:
    """Give a list of u32."""
    if isinstance(values, np.ndarray):
        found: list[int] = integers(values, what).tolist()
        return found
    return [number(value, what) for value in values]


def integers(values: ArrayLike, what: str, limit: int = SLOTS) -> I64:
    """Give (k,) int64, each from 0 to ``limit - 1``."""
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        found = f"shape {array.shape}" if array.ndim != 1 else f"{array.dtype}"
        raise GraphError(f"{what}s: expected one dimension of integers, found {found}")
    if int(array.min()) < 0 or int(array.max()) >= limit:
        row = int(((array < 0) | (array >= limit)).argmax())
        raise GraphError(f"row {row}: {what} {array[row]} is not from 0 to {limit - 1}")
    return read_only(array.astype(np.int64, copy=False))


def pairs(props: Props) -> list[tuple[int, object]]:
    """Give (column, value) pairs; a value of None is none."""
    items = props.items() if isinstance(props, Mapping) else props
    found = []
    for item in items:
        try:
            col, value = item
        except (TypeError, ValueError):
            raise GraphError(f"property {item!r} is not a pair of column and value") from None
        if value is not None:
            found.append((number(col, "column"), value))
    return found


# -- writes -----------------------------------------------------------------------------------


def write_arrays(writes: object) -> tuple[I64, I64, I64, U64, Bool]:
    """Give labels, columns, slots, words and presence, each (n,).

    From a structured array, a tuple of five arrays or scalars, an (n, 5) array, or a sequence of
    rows.
    """
    if isinstance(writes, np.ndarray) and writes.dtype.names:
        missing = [name for name in WRITES.names or () if name not in writes.dtype.names]
        if missing:
            raise GraphError(f"writes have no field {missing[0]!r}; they need {WRITES.names}")
        parts = [writes[name] for name in WRITES.names or ()]
    elif isinstance(writes, tuple) and any(isinstance(part, np.ndarray) for part in writes):
        parts = list(writes)
    else:
        parts = _columns(writes, WRITES, "writes")
    if len(parts) != 5:
        raise GraphError(f"writes: {len(parts)} arrays, not label, column, slot, word, present")
    try:
        shaped = np.broadcast_arrays(*map(np.atleast_1d, parts))
    except ValueError:
        sizes = [np.size(part) for part in parts]
        raise GraphError(f"writes: arrays of {sizes} rows do not match") from None
    words = np.asarray(shaped[3])
    if words.size and words.dtype.kind not in "iu":
        raise GraphError(f"writes: words are uint64, not {words.dtype}")
    if words.dtype.kind == "i" and words.size and int(words.min()) < 0:
        raise GraphError(f"row {int((words < 0).argmax())}: a word is uint64, not negative")
    return (
        integers(shaped[0], "label"),
        integers(shaped[1], "column"),
        integers(shaped[2], "slot"),
        read_only(words.astype(np.uint64, copy=False)),
        read_only(np.asarray(shaped[4]).astype(bool, copy=False)),
    )


def slot_arrays(node_slots: object) -> tuple[I64, I64]:
    """Give labels and slots of nodes, each (k,).

    From a (k, 2) array, a tuple of two arrays or scalars, or a sequence of pairs.
    """
    if isinstance(node_slots, tuple) and any(isinstance(p, np.ndarray) for p in node_slots):
        parts = list(node_slots)
    else:
        parts = _columns(node_slots, _NODES, "node slots")
    if len(parts) != 2:
        raise GraphError(f"node slots: {len(parts)} arrays, not label and slot")
    try:
        labels, slots = np.broadcast_arrays(*map(np.atleast_1d, parts))
    except ValueError:
        sizes = [np.size(part) for part in parts]
        raise GraphError(f"node slots: arrays of {sizes} rows do not match") from None
    return integers(labels, "label"), integers(slots, "slot")


def _columns(rows: object, dtype: np.dtype, what: str) -> list[Any]:
    """Turn a sequence of rows, or an array with a column for each field, to columns."""
    names = dtype.names or ()
    if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == len(names):
        return list(rows.T)
    if isinstance(rows, np.ndarray) or not isinstance(rows, Iterable):
        raise GraphError(f"{what}: expected rows or arrays, found {type(rows).__name__}")
    items = rows if isinstance(rows, list) else list(rows)
    for row, item in enumerate(items):
        if not isinstance(item, (tuple, list)) or len(item) != len(names):
            raise GraphError(f"{what}: row {row} is no tuple of {len(names)}: {item!r}")
    kinds = set(map(type, chain.from_iterable(items)))
    if all(issubclass(kind, (int, np.integer, np.bool_)) for kind in kinds):
        with suppress(OverflowError):  # below, where the row is named
            table = np.fromiter(map(tuple, items), dtype, len(items))
            return [table[name] for name in names]
    for item in items:
        for name, value in zip(names, item, strict=True):
            if name != "present":
                number(value, name, 1 << (8 * dtype[name].itemsize))
    raise GraphError(f"{what}: {sorted(kind.__name__ for kind in kinds)} are no integers")


def group_writes(arrays: tuple[I64, I64, I64, U64, Bool]) -> list[Group]:
    """Split writes by column, keeping their order within each; columns ascend."""
    labels, cols, slots, words, present = arrays
    if not labels.size:
        return []
    keys = read_only((labels.astype(np.uint64) << np.uint64(32)) | cols.astype(np.uint64))
    groups, size = np.empty(keys.size, np.int64), _GROUPS
    while True:
        counts = np.zeros(size, np.int64)
        table, owners = np.empty(4 * size, np.uint64), np.full(4 * size, -1, np.int64)
        found = int(kernels.words.group_keys(keys, table, owners, groups, counts))
        if found >= 0:
            break
        size *= 16
    starts = np.zeros(found + 1, np.int64)
    np.cumsum(counts[:found], out=starts[1:])
    if found == 1:
        return [Group(int(labels[0]), int(cols[0]), slots, words, _unless_all(present))]
    rows = np.empty(keys.size, np.int64)
    kernels.words.place_rows(read_only(groups), starts[:-1].copy(), rows)
    split = []
    for group in range(found):
        part = rows[starts[group] : starts[group + 1]]
        first = part[0]
        side_by_side = part[-1] - first == part.size - 1
        chosen = slice(int(first), int(first) + part.size) if side_by_side else part
        split.append(
            Group(
                int(labels[first]), int(cols[first]),
                slots[chosen], words[chosen], _unless_all(present[chosen]),
            )
        )  # fmt: skip
    return sorted(split, key=lambda group: (group.label, group.col))


def _unless_all(present: Bool) -> Bool | None:
    return None if present.all() else present
