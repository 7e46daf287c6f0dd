"""Conditions on property values, and which rows of a column satisfy them.

A value has one of the kinds number, boolean, text, date, timestamp and nested (a list, a map, a
duration). Values of different kinds are never equal and have no order; a boolean is no number.
An absent value satisfies no condition, not even ``!=``; NaN satisfies only ``!=``.

Numbers compare exactly, as Python's do. For that a value is replaced by two neighbours among
the numbers that the column can hold: ``floor``, the greatest that is not above it, and ``ceil``,
the least that is not below it. Then

    x < value     is   x < ceil          x > value     is   x > floor
    x <= value    is   x <= floor        x >= value    is   x >= ceil
    x == value    is   x == floor, where floor == ceil

Dates and timestamps are such numbers too: days and seconds since 1970-01-01.
"""

import datetime
import math
import operator as operators
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nkgraph.dtypes import I64, TEXT, Bool
from nkgraph.errors import GraphError
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn, from_values
from nkgraph.storage.kglite.property_ranges import as_number, float_above, float_below
from nkgraph.storage.text import TextArray

ORDERINGS = ("<", "<=", ">", ">=")
OPERATORS = ("==", "!=", *ORDERINGS, "in", "startswith")
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operators.eq, "!=": operators.ne, "<": operators.lt, "<=": operators.le,
    ">": operators.gt, ">=": operators.ge,
}  # fmt: skip
_COLUMN_KINDS = {
    "int64": "number", "uniqueid": "number", "float64": "number", "bool": "boolean",
    "text": "text", "date": "date", "timestamp": "timestamp",
}  # fmt: skip
_REMEDIES = {
    "number": "give a number",
    "boolean": "a boolean compares only by ==, != and in",
    "text": "give a str",
    "date": "give a datetime.date or text such as '1999-12-31'",
    "timestamp": "give a datetime.datetime or text such as '1999-12-31T23:59:59'",
}
_DAY = r"[+-]?[0-9]{4,9}-[0-9]{2}-[0-9]{2}"
_DATE = re.compile(_DAY)
_TIMESTAMP = re.compile(rf"({_DAY})[T ]([0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}})?)(\.[0-9]+)?")
_EPOCH = datetime.datetime(1970, 1, 1)
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_FRACTIONS = {"ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
_FAR = 10**12
"""No date lies so many months from 1970: NumPy's conversion to days is exact below it."""


class Operand(NamedTuple):
    """A value to compare with: its kind, and an exact form of it.

    A date is a number of days and a timestamp a number of seconds, maybe a fraction.
    """

    kind: str
    exact: Any


@dataclass(frozen=True)
class Condition:
    """``column operator value``.

    Parameters
    ----------
    column : str
    operator : str
        One of ``OPERATORS``.
    value : object
        For ``in``, a list, tuple, set, range or one-dimensional array of values, kept as a
        tuple.

    Attributes
    ----------
    given : tuple of Operand
        The value, or those of ``in``, as they are compared.

    Raises
    ------
    GraphError
        An unknown operator, a value that no column can hold, or ``in`` without values.
    """

    column: str
    operator: str
    value: object
    given: tuple[Operand, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what could not be evaluated."""
        if not isinstance(self.column, str) or not self.column:
            raise GraphError(f"a condition names a column by a string, not {self.column!r:.60}")
        if not isinstance(self.operator, str) or self.operator not in OPERATORS:
            known = " ".join(OPERATORS)
            raise GraphError(f"{self.column}: unknown operator {self.operator!r:.60}; use {known}")
        try:
            members: tuple[object, ...] = (self.value,)
            if self.operator == "in":
                members = _members(self.value)
                object.__setattr__(self, "value", members)
            object.__setattr__(self, "given", tuple(map(operand, members)))
            if self.operator == "startswith" and self.given[0].kind != "text":
                raise GraphError(f"startswith takes a str, not {_shown(self.value)}")
        except GraphError as error:
            raise GraphError(f"{self.column}: {error}") from None


def _members(value: object) -> tuple[object, ...]:
    if hasattr(value, "__array__"):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        # Dates stay as they are: tolist would turn some into integers.
        return tuple(value if value.dtype.kind == "M" else value.tolist())
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (str, bytes, bytearray)):
        return tuple(value)
    raise GraphError(f"in takes a list, tuple, set or 1-d array of values, not {_shown(value)}")


def _shown(value: object) -> str:
    return f"{type(value).__name__} {value!r:.60}"


# -- what a user gives ------------------------------------------------------------------------


def parse(where: object) -> list[Condition]:
    """Read conditions that must all hold.

    Parameters
    ----------
    where : mapping or sequence
        ``{"age": 36}`` says ``==``, and ``{"age": [36, 37]}`` says ``in``; or triples:
        ``[("age", ">=", 30), ("name", "!=", "Ann")]``.

    Raises
    ------
    GraphError
        Anything else; says what was given and what would be right.

    Examples
    --------
    >>> from nkgraph.filtering import parse
    >>> parse({"age": [36, 37]})
    [Condition(column='age', operator='in', value=(36, 37))]
    """
    if isinstance(where, Mapping):
        return [
            Condition(name, "in" if _is_collection(value) else "==", value)
            for name, value in where.items()
        ]
    if not isinstance(where, (list, tuple)):
        right = 'a mapping such as {"age": 36} or triples such as [("age", ">=", 30)]'
        raise GraphError(f"where: expected {right}, found {_shown(where)}")
    return [_from_triple(index, entry) for index, entry in enumerate(where)]


def _is_collection(value: object) -> bool:
    if isinstance(value, kinds.Duration):
        return False
    scalar = isinstance(value, np.generic)
    listed = isinstance(value, (list, tuple, range, Set))
    return listed or (hasattr(value, "__array__") and not scalar)


def _from_triple(index: int, entry: object) -> Condition:
    if isinstance(entry, Condition):
        return entry
    if isinstance(entry, (list, tuple)) and len(entry) == 3:
        return Condition(*entry)
    right = 'a triple such as ("age", ">=", 30)'
    advice = "; put a single triple in a list" if isinstance(entry, str) else ""
    raise GraphError(f"where: condition {index}: expected {right}, found {_shown(entry)}{advice}")


def operand(value: object) -> Operand:
    """Say of what kind a value is, and give its exact form.

    Raises
    ------
    GraphError
        None, NaT, a time zone, a lone surrogate, or a type that no column can hold.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.ndim else value[()]
    if hasattr(value, "to_datetime64") and getattr(value, "tzinfo", None) is None:
        value = value.to_datetime64()  # of pandas: it may be NaT, or hold nanoseconds
    if isinstance(value, np.datetime64):
        return _stamp_operand(value)
    if isinstance(value, (bool, np.bool_)):
        return Operand("boolean", bool(value))
    number = as_number(value)
    if number is not None:
        return Operand("number", number)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise GraphError(f"text {value!r:.60} holds a lone surrogate") from None
        return Operand("text", str(value))
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            raise GraphError(f"{value} has a time zone, which has no form here: convert it")
        since = value - _EPOCH
        seconds = Fraction(since.microseconds, 10**6) + since.days * 86400 + since.seconds
        return Operand("timestamp", seconds)
    if isinstance(value, datetime.date):
        return Operand("date", value.toordinal() - _EPOCH.toordinal())
    if isinstance(value, (list, tuple, Mapping)):
        return Operand("nested", value)
    if value is None:
        raise GraphError("no condition compares with None: absent values satisfy none")
    raise GraphError(f"no column can hold {_shown(value)}")


def _stamp_operand(value: np.datetime64) -> Operand:
    if np.isnat(value):
        raise GraphError("no condition compares with NaT: absent values satisfy none")
    unit, step = np.datetime_data(value.dtype)
    count = int(value.astype(np.int64)) * step
    if unit in ("Y", "M"):
        months = count * 12 if unit == "Y" else count
        if abs(months) > _FAR:
            raise GraphError(f"{months // 12} years from 1970 is out of the range of dates")
        return Operand("date", int(np.datetime64(months, "M").astype("M8[D]").astype(np.int64)))
    if unit in ("W", "D"):
        return Operand("date", count * 7 if unit == "W" else count)
    if unit in _SECONDS:
        return Operand("timestamp", count * _SECONDS[unit])
    return Operand("timestamp", Fraction(count, 10 ** _FRACTIONS[unit]))


def _days(text: str) -> int | None:
    """Read an ISO date as days since 1970-01-01; None if it is none."""
    return _numpy_count(text, "D") if _DATE.fullmatch(text) else None


def _seconds(text: str) -> int | Fraction | None:
    """Read an ISO timestamp as seconds since 1970-01-01; None if it is none."""
    found = _TIMESTAMP.fullmatch(text)
    whole = found and _numpy_count(f"{found[1]}T{found[2]}", "s")
    if not found or whole is None:
        return None
    try:
        return whole + Fraction(f"0{found[3]}") if found[3] else whole
    except ValueError:  # more digits than Python converts
        return None


def _numpy_count(text: str, unit: str) -> int | None:
    try:
        stamp = np.array(text.removeprefix("+"), f"datetime64[{unit}]")
        return int(stamp.astype(np.int64))
    except ValueError:  # a thirteenth month
        return None


# -- evaluation -------------------------------------------------------------------------------


def evaluate(column: AnyColumn, condition: Condition) -> Bool:
    """Say which rows of a column satisfy a condition.

    Returns
    -------
    (rows,) bool
        False where the value is absent.

    Raises
    ------
    GraphError
        The condition orders, and the values of a typed column have no order with its value. In
        a mixed column such values do not match.

    Notes
    -----
    Typed columns take no Python time a row. Ordering text decodes the column, 16 bytes a row.
    """
    if isinstance(column, MixedColumn):
        return _match_mixed(column, condition)
    found = _match_typed(column, condition)
    if found is None:
        kind, given = _COLUMN_KINDS[column.kind], condition.given[0].kind
        raise GraphError(
            f"{condition.column}: values of kind {kind} and {given} "
            f"{condition.value!r:.60} have no order for {condition.operator}: {_REMEDIES[kind]}"
        )
    return found if column.valid is None else found & column.valid


def _match_typed(column: FixedColumn | TextColumn, condition: Condition) -> Bool | None:
    """Match rows as if all were present; None where an ordering has no sense."""
    operator, kind = condition.operator, column.kind
    if operator == "in":
        members = [_exact(kind, member) for member in condition.given]
        return _match_members(column, [member for member in members if member is not None])
    if operator == "startswith":
        return _match_prefix(column, condition.given[0].exact)
    value = _exact(kind, condition.given[0])
    if operator in ORDERINGS and (value is None or kind == "bool"):
        return None
    if value is None:
        return np.full(len(column), operator == "!=")
    if isinstance(column, FixedColumn):
        return _match_number(column.data, operator, *_neighbours(kind, value))
    if operator in ORDERINGS:
        ordered: Bool = _COMPARE[operator](column.text.to_strings(), np.array([value], TEXT))
        return ordered
    found = _match_texts(column.text, [value])
    return found if operator == "==" else ~found


def _exact(kind: str, given: Operand) -> Any:
    """Return the exact form of a value for columns of a kind; None where the kinds differ."""
    wanted = _COLUMN_KINDS[kind]
    if given.kind == wanted:
        return given.exact
    if given.kind == "text" and wanted == "date":
        return _days(given.exact)
    if given.kind == "text" and wanted == "timestamp":
        return _seconds(given.exact)
    return None


def _neighbours(kind: str, value: Any) -> tuple[Any, Any]:
    """Return the greatest number not above ``value`` that the column can hold, and the least."""
    if kind == "float64":
        return float_below(value), float_above(value)
    if isinstance(value, float) and not math.isfinite(value):
        return value, value  # NumPy compares integers with these as it should
    return math.floor(value), math.ceil(value)


def _match_number(data: np.ndarray, operator: str, floor: Any, ceil: Any) -> Bool:
    # NumPy compares integers of any width with Python's exactly.
    if operator in ("==", "!=") and floor != ceil:  # NaN too differs from itself
        return np.full(data.size, operator == "!=")
    found: Bool = _COMPARE[operator](data, ceil if operator in ("<", ">=") else floor)
    return found


def _match_members(column: FixedColumn | TextColumn, members: list[Any]) -> Bool:
    if isinstance(column, TextColumn):
        return _match_texts(column.text, members)
    kind, dtype = column.kind, column.data.dtype
    pairs = [_neighbours(kind, member) for member in members]
    wanted = [floor for floor, ceil in pairs if floor == ceil]
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        wanted = [number for number in wanted if limits.min <= number <= limits.max]
    return np.isin(column.data, np.array(wanted, dtype))


def _match_prefix(column: FixedColumn | TextColumn, prefix: str) -> Bool:
    """Say which rows are texts that start with ``prefix``; no other value does."""
    if isinstance(column, TextColumn):
        return column.text.starts_with(prefix)
    return np.zeros(len(column), bool)


def _match_texts(text: TextArray, members: list[str]) -> Bool:
    """Say which rows equal any of ``members``: by hash, then byte by byte."""
    found = np.zeros(len(text), bool)
    if not members:
        return found
    wanted = TextArray.from_strings(members)
    hashes = wanted.hashes()
    order = np.argsort(hashes)
    ascending, own = hashes[order], text.hashes()
    slots: I64 = ascending.searchsorted(own)
    rows = np.arange(len(text))
    while rows.size:  # once, and again for each further member of the same hash
        near = (slots < order.size) & (ascending.take(slots, mode="clip") == own)
        rows, slots, own = rows[near], slots[near], own[near]
        found[rows] |= text.equals(rows, wanted, order[slots])
        slots = slots + 1
    return found


def only_texts(condition: Condition) -> list[str] | None:
    """Return the texts of a condition that texts alone can satisfy, for an index of texts.

    None where other values satisfy it too: a date equals the text that spells it.
    """
    texts: list[str] = [given.exact for given in condition.given if given.kind == "text"]
    if len(texts) < len(condition.given) or condition.operator not in ("==", "in", "startswith"):
        return None
    spelled = condition.operator != "startswith" and any(
        _days(text) is not None or _seconds(text) is not None for text in texts
    )
    return None if spelled else texts


# -- mixed columns ----------------------------------------------------------------------------


def _match_mixed(column: MixedColumn, condition: Condition) -> Bool:
    """Match the values of each tag as a column of their own."""
    tags = column.values.tags
    found = np.zeros(len(column), bool)
    for tag in np.unique(tags[tags != kinds.NULL]).tolist():
        rows = np.flatnonzero(tags == tag)
        part = column.values.take(rows)
        typed = from_values(part)
        if isinstance(typed, MixedColumn):
            found[rows] = _match_each(tag, part, condition)
        else:
            matches = _match_typed(typed, condition)
            found[rows] = False if matches is None else matches
    return found


def _match_each(tag: int, part: kinds.Values, condition: Condition) -> list[bool]:
    """Match values that have no array form, one by one."""
    operator, given = condition.operator, condition.given
    if operator == "startswith":
        return [False] * len(part)
    if tag == kinds.TIMESTAMP:  # with fractions of a second, or a spelling that is not known
        exact = [_exact("timestamp", member) for member in given]
        wanted = [number for number in exact if number is not None]
        texts = part.texts().to_strings().tolist()
        return [_match_one(_seconds(text), operator, wanted, operators.eq) for text in texts]
    nested = [member.exact for member in given if member.kind == "nested"]
    return [
        operator not in ORDERINGS and _match_one(item, operator, nested, _same)
        for item in part.tolist()
    ]


def _match_one(
    item: Any, operator: str, wanted: list[Any], same: Callable[[Any, Any], bool]
) -> bool:
    """Match one value with those of ``wanted``, which are of its kind."""
    if operator in ORDERINGS:
        return item is not None and any(_COMPARE[operator](item, value) for value in wanted)
    equal = any(same(item, value) for value in wanted)
    return not equal if operator == "!=" else equal


Nested: TypeAlias = Any
"""A decoded value: a scalar, a list, a dict or a Duration."""


def _same(item: Nested, value: Nested) -> bool:
    """Compare a stored value with one of a user: a boolean is no number, NaN equals nothing."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    if isinstance(item, bool) or isinstance(value, bool):
        return item is value
    if isinstance(item, kinds.Duration) or isinstance(value, kinds.Duration):
        return type(item) is type(value) and item == value
    if isinstance(item, list):
        fits = isinstance(value, (list, tuple)) and len(item) == len(value)
        return fits and all(map(_same, item, value))
    if isinstance(item, dict):
        fits = isinstance(value, Mapping) and item.keys() == value.keys()
        return fits and all(_same(item[key], value[key]) for key in item)
    return bool(item == value)
