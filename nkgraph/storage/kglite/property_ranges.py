"""What a segment holds of each property, so that a filter can leave out whole segments.

A pair (hash of the node type, hash of the property name) has a ``NumericRange`` or a
``TextSet``. Ranges stand in ``seg_manifest.json`` as ``indexed_prop_ranges``. Text sets stand in
``nkgraph_text_sets.bin`` of the segment, which kglite ignores; the manifest has a placeholder for
them. The file is little-endian, each section at a multiple of 64 bytes:

    section    dtype      shape  content
    header     HEADER     ()     magic, version, sizes
    directory  DIRECTORY  (s,)   pairs in ascending order, and how many hashes each has
    hashes     <u8        (k,)   one section a pair: ``TextArray.hashes`` ascending, each once

version  change
1        first release
"""

import datetime
import math
import operator as operators
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nkgraph.dtypes import U8, U64, Bool
from nkgraph.errors import FormatError
from nkgraph.storage import files
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.members import Members
from nkgraph.storage.text import TextArray

NAME = "nkgraph_text_sets.bin"
MAGIC = b"nkgr.tst"
VERSION = 1
ALIGN = 64
HEADER = np.dtype([
    ("magic", "S8"), ("version", "<u4"), ("reserved", "<u4"),
    ("set_count", "<u8"), ("padding", "V40"),
])  # fmt: skip
DIRECTORY = np.dtype([("node_type", "<u8"), ("property", "<u8"), ("count", "<u8")])
HASHES = np.dtype("<u8")

PLACEHOLDER = "StringBloomPlaceholder"
NUMERIC = "NumericMinMax"
MAX_TEXTS = 1 << 16
"""A column with more different texts has no set: 8 bytes each, and it would seldom help."""
_STEP = 1 << 18
"""Rows hashed at a time: a column with too many texts is given up early."""

PLAIN = (
    bool, int, float, str, np.bool_, np.integer, np.float32, np.float16,
    datetime.date, np.datetime64,
)  # fmt: skip
"""Types of values that a filter knows: those of one kind never equal those of another."""
_ORDERS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "<": ("low", operators.lt),
    "<=": ("low", operators.le),
    ">": ("high", operators.gt),
    ">=": ("high", operators.ge),
}
"""Which end of a range has to satisfy an order."""

Pair: TypeAlias = tuple[int, int]
"""Hash of a node type, hash of a property name."""


@dataclass(frozen=True)
class NumericRange:
    """A closed interval that holds every present value of a numeric column but NaN."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class TextSet:
    """Hashes of the present texts of a column: (k,) uint64, ascending, each once."""

    hashes: U64


Summary: TypeAlias = NumericRange | TextSet


# -- from columns -----------------------------------------------------------------------------


def of_column(column: AnyColumn) -> Summary | None:
    """Summarise the present values of a column.

    Returns
    -------
    NumericRange, TextSet or None
        None where nothing can be said: no present value (NaN does not count), more than
        ``MAX_TEXTS`` texts, or a kind that is neither a number nor text.
    """
    if isinstance(column, TextColumn):
        return _text_set(column.text, column.valid)
    if isinstance(column, FixedColumn) and column.kind in ("int64", "uniqueid", "float64"):
        present = column.data if column.valid is None else column.data[column.valid]
        if column.kind == "float64":
            present = present[~np.isnan(present)]
        if present.size:
            low, high = present.min().item(), present.max().item()
            return NumericRange(float_below(low), float_above(high))
    return None


def _text_set(text: TextArray, valid: Bool | None) -> TextSet | None:
    known = np.zeros(0, np.uint64)
    for start in range(0, len(text), _STEP):
        rows = slice(start, start + _STEP)
        hashes = TextArray(text.offsets[start : start + _STEP + 1], text.data).hashes()
        known = np.unique(np.concatenate([known, hashes if valid is None else hashes[valid[rows]]]))
        if known.size > MAX_TEXTS:
            return None
    return TextSet(known) if known.size else None


def float_below(number: int | float) -> float:
    """Return the greatest float that is not above ``number``; NaN stays NaN."""
    nearest = _nearest(number)
    return math.nextafter(nearest, -math.inf) if nearest > number else nearest


def float_above(number: int | float) -> float:
    """Return the least float that is not below ``number``; NaN stays NaN."""
    nearest = _nearest(number)
    return math.nextafter(nearest, math.inf) if nearest < number else nearest


def _nearest(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


# -- the manifest -----------------------------------------------------------------------------


def to_manifest(ranges: Mapping[Pair, Summary]) -> list[object]:
    """Give ``indexed_prop_ranges``, in ascending order of the pairs.

    A range with an infinite end has no entry, because JSON has no infinity.
    """
    entries: list[object] = []
    for pair, found in sorted(ranges.items(), key=lambda item: item[0]):
        if isinstance(found, TextSet):
            entries.append([*pair, PLACEHOLDER])
        elif math.isfinite(found.low) and math.isfinite(found.high):
            entries.append([*pair, {NUMERIC: {"min": found.low, "max": found.high}}])
    return entries


def from_manifest(path: Path | str, entries: object) -> dict[Pair, NumericRange | None]:
    """Read ``indexed_prop_ranges`` of one segment; None stands for a placeholder.

    Parameters
    ----------
    path : Path or str
        Named in errors.
    entries : object
        What JSON gave. Integers are taken for floats, rounded outwards.

    Raises
    ------
    FormatError
        Not a list of triples, no 64-bit hash, an unknown range, an end that is no finite
        number, ``min`` above ``max``, or two numeric ranges for one pair.
    """
    name = "indexed_prop_ranges"
    if not isinstance(entries, list):
        raise FormatError(path, name, None, "a list", type(entries).__name__)
    ranges: dict[Pair, NumericRange | None] = {}
    for index, entry in enumerate(entries):
        field = f"{name}[{index}]"
        if not isinstance(entry, list) or len(entry) != 3:
            raise FormatError(path, field, None, "[type hash, property hash, range]", entry)
        pair = _hash(path, f"{field}[0]", entry[0]), _hash(path, f"{field}[1]", entry[1])
        found = _range(path, f"{field}[2]", entry[2])
        if found is not None and ranges.get(pair) is not None:
            raise FormatError(path, field, None, f"one numeric range for {pair}", "another one")
        ranges[pair] = found or ranges.get(pair)
    return ranges


def _hash(path: Path | str, field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise FormatError(path, field, None, "a hash of 64 bits", value)
    return value


def _range(path: Path | str, field: str, entry: object) -> NumericRange | None:
    if entry == PLACEHOLDER:
        return None
    ends = entry.get(NUMERIC) if isinstance(entry, dict) and len(entry) == 1 else None
    if not isinstance(ends, dict):
        raise FormatError(path, field, None, f"{PLACEHOLDER} or {NUMERIC}", entry)
    field = f"{field}.{NUMERIC}"
    low = float_below(_end(path, f"{field}.min", ends.get("min")))
    high = float_above(_end(path, f"{field}.max", ends.get("max")))
    if low > high:
        raise FormatError(path, field, None, "min <= max", f"min {low} and max {high}")
    return NumericRange(low, high)


def _end(path: Path | str, field: str, value: object) -> int | float:
    number = as_number(value)
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        raise FormatError(path, field, None, "a finite number", value)
    return number


# -- the file of text sets --------------------------------------------------------------------


def _starts(counts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the byte position and the size of each set, then the end of the file and 0."""
    counts = list(counts)
    at = HEADER.itemsize + len(counts) * DIRECTORY.itemsize
    for count in counts:
        at = -(-at // ALIGN) * ALIGN
        yield at, count * HASHES.itemsize
        at += count * HASHES.itemsize
    yield at, 0


def write_text_sets(sets: Mapping[Pair, TextSet]) -> list[bytes | U8]:
    """Encode ``nkgraph_text_sets.bin`` as parts to be written one after the other."""
    pairs = sorted(sets)
    hashes = [np.ascontiguousarray(sets[pair].hashes, HASHES) for pair in pairs]
    header = np.zeros((), HEADER)
    header["magic"], header["version"], header["set_count"] = MAGIC, VERSION, len(pairs)
    rows = [(*pair, part.size) for pair, part in zip(pairs, hashes, strict=True)]
    directory = np.array(rows, DIRECTORY)
    parts: list[bytes | U8] = [header.tobytes(), directory.tobytes()]
    at = HEADER.itemsize + directory.nbytes
    starts = _starts(part.size for part in hashes)
    for part, (start, size) in zip(hashes, starts, strict=False):
        parts += [bytes(start - at), part.view(np.uint8)]
        at = start + size
    return parts


def read_text_sets(path: Path) -> dict[Pair, TextSet]:
    """Map the text sets of a segment; there are none where the file is absent.

    The hashes are not read, and so not checked: where they do not ascend, a segment may be left
    out wrongly, and nothing worse.

    Raises
    ------
    FormatError
        Cut short or damaged; VersionError: of a later version.
    """
    if not path.exists():
        return {}
    file = files.map_array(path, np.dtype(np.uint8))
    header = files.read_header(path, file, HEADER, MAGIC, VERSION)
    set_count, most = int(header["set_count"]), (file.size - HEADER.itemsize) // DIRECTORY.itemsize
    if set_count > most:
        raise FormatError(path, "set_count", 16, f"<= {most}", set_count)
    end = HEADER.itemsize + set_count * DIRECTORY.itemsize
    rows = np.frombuffer(file[HEADER.itemsize : end].tobytes(), DIRECTORY).tolist()
    starts = list(_starts(count for _, _, count in rows))
    if starts[-1][0] != file.size:
        raise FormatError(path, "file size", 0, starts[-1][0], file.size)
    sets: dict[Pair, TextSet] = {}
    last = (-1, -1)
    for index, ((node_type, prop, _), (start, size)) in enumerate(zip(rows, starts, strict=False)):
        if (node_type, prop) <= last:
            at = HEADER.itemsize + index * DIRECTORY.itemsize
            raise FormatError(path, f"directory[{index}]", at, f"> {last}", (node_type, prop))
        last = (node_type, prop)
        sets[last] = TextSet(file[start : start + size].view(HASHES))
    return sets


# -- the question -----------------------------------------------------------------------------


def may_match(found: Summary | None, operator: str, value: object) -> bool:
    """Say whether a present value may satisfy a condition.

    Parameters
    ----------
    found : NumericRange, TextSet or None
        What is known of the column; None: nothing.
    operator : str
        One of ``nkgraph.filtering.OPERATORS``.
    value : object
        What it compares with; for ``in``, a sequence of such values.

    Returns
    -------
    bool
        False only if no present value satisfies the condition. Values of a kind that has no
        order with those of the column are no such case: to refuse them is up to the filter.
    """
    if found is None:
        return True
    if operator not in ("==", "in"):  # != may hold for NaN, or a text of the same hash
        return not isinstance(found, NumericRange) or _may_order(found, operator, value)
    members = list(value) if operator == "in" and isinstance(value, Iterable) else [value]
    if isinstance(found, NumericRange):
        return any(_may_hold(found, member) for member in members)
    texts = [member for member in members if isinstance(member, str)]
    others = (member for member in members if not isinstance(member, str))
    return _may_hold_text(found, texts) or not all(isinstance(other, PLAIN) for other in others)


def may_hold(found: Summary | None, members: Members) -> bool:
    """Say whether a present value may be one of ``members``; O(log) of them for a range.

    As ``may_match`` with ``in``. The numbers are sorted, and the texts hashed, once for all calls.
    """
    if found is None:
        return True
    if isinstance(found, NumericRange):
        numbers = members.ascending
        at = int(numbers.searchsorted(found.low))
        return at < numbers.size and bool(numbers[at] <= found.high)
    return _may_share(found.hashes, members.hashes)


def _may_share(hashes: U64, wanted: U64) -> bool:
    """Whether two ascending arrays may have an item in common: the shorter is looked up."""
    if hashes.size < wanted.size:
        hashes, wanted = wanted, hashes
    slots = hashes.searchsorted(wanted)
    return bool(wanted.size and (hashes.take(slots, mode="clip") == wanted).any())


def _may_order(found: NumericRange, operator: str, value: object) -> bool:
    number = as_number(value)
    if operator not in _ORDERS or number is None:
        return True
    end, holds = _ORDERS[operator]
    return bool(holds(getattr(found, end), number))


def _may_hold(found: NumericRange, value: object) -> bool:
    number = as_number(value)
    if number is None:
        return not isinstance(value, PLAIN)
    return found.low <= number <= found.high


def _may_hold_text(found: TextSet, texts: list[str]) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return True  # a lone surrogate has no hash; the filter refuses it
    if not (texts and found.hashes.size):
        return False
    return _may_share(found.hashes, np.sort(TextArray.from_strings(texts).hashes()))


def as_number(value: object) -> int | float | None:
    """Return a number as Python holds it exactly; None for a boolean and anything else."""
    if isinstance(value, (np.datetime64, np.timedelta64)):  # of some units item() is an integer
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value
