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
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import Bool
from nkgraph.errors import GraphError
from nkgraph.storage import members as sets
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn, from_values
from nkgraph.storage.kglite import property_ranges
from nkgraph.storage.kglite.property_ranges import as_number, float_above, float_below
from nkgraph.storage.members import FAR, FRACTIONS, SECONDS, Members
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
        For ``in``, a list, tuple, set, range or one-dimensional array of values. An array is
        copied, anything else kept as a tuple.

    Attributes
    ----------
    given : tuple of Operand
        The value, or those of ``in``, one by one as they are compared.
    members : Members
        The same in arrays, one for each kind.

    Raises
    ------
    GraphError
        An unknown operator, a value that no column can hold, or ``in`` without values.

    Notes
    -----
    Arrays of numbers, texts and dates, and lists of int, float or str alone, are taken over
    whole, at NumPy's speed; any other values one by one.
    """

    column: str
    operator: str
    value: object
    members: Members = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what could not be evaluated."""
        if not isinstance(self.column, str) or not self.column:
            raise GraphError(f"a condition names a column by a string, not {self.column!r:.60}")
        if not isinstance(self.operator, str) or self.operator not in OPERATORS:
            known = " ".join(OPERATORS)
            raise GraphError(f"{self.column}: unknown operator {self.operator!r:.60}; use {known}")
        try:
            if self.operator == "in":
                object.__setattr__(self, "value", _collection(self.value))
            members = self._in_arrays()
            object.__setattr__(self, "members", members or _apart(self.given))
            if self.operator == "startswith" and self.given[0].kind != "text":
                raise GraphError(f"startswith takes a str, not {_shown(self.value)}")
        except GraphError as error:
            raise GraphError(f"{self.column}: {error}") from None

    def __eq__(self, other: object) -> bool:
        """Compare column, operator and value; an array by dtype and items."""
        if not isinstance(other, Condition):
            return NotImplemented
        if (self.column, self.operator) != (other.column, other.operator):
            return False
        mine: Any = self.value
        theirs: Any = other.value
        if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
            return mine.dtype == theirs.dtype and np.array_equal(mine, theirs)
        return type(mine) is type(theirs) and bool(mine == theirs)

    @cached_property
    def given(self) -> tuple[Operand, ...]:
        """Make operands of the values: for arrays, only where something asks for them."""
        if self.operator != "in":
            return (operand(self.value),)
        values: Any = self.value
        if isinstance(values, np.ndarray) and values.dtype.kind not in "mM":
            values = values.tolist()  # of some units it would turn dates into integers
        return tuple(map(operand, values))

    def _in_arrays(self) -> Members | None:
        if isinstance(self.value, np.ndarray) and self.operator == "in":
            return sets.from_array(self.value)
        if isinstance(self.value, tuple) and self.operator == "in":
            return sets.from_list(list(self.value))
        return None

    def may_match(self, known: property_ranges.Summary | None) -> bool:
        """Say whether a value of a column that is summarised so may satisfy this."""
        if self.operator in ("==", "in"):
            return property_ranges.may_hold(known, self.members)
        return property_ranges.may_match(known, self.operator, self.value)


def _collection(value: object) -> np.ndarray | tuple[object, ...]:
    """Return an array of at least one dimension as a copy, another collection as a tuple."""
    if hasattr(value, "__array__"):
        if np.ma.is_masked(value):
            raise GraphError("no condition compares with a masked value: absent ones satisfy none")
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        if value.dtype.kind == "O":
            return tuple(value.tolist())
        copy: np.ndarray = value.copy()
        copy.flags.writeable = False
        return copy
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (str, bytes, bytearray)):
        return tuple(value)
    raise GraphError(f"in takes a list, tuple, set or 1-d array of values, not {_shown(value)}")


def _apart(given: Sequence[Operand]) -> Members:
    """Put values into arrays, one for each kind; what no typed column can equal is left out."""
    held: dict[str, list[Any]] = {name: [] for name in ("number", *_REMEDIES, "nested")}
    for one in given:
        held[one.kind].append(one.exact)
    whole, floats = [], []
    for number in held["number"]:
        if isinstance(number, int) and _fits(number):
            whole.append(number)
        elif float_below(number) == float_above(number):
            floats.append(float(number))
    return Members(
        np.array(whole, np.int64),
        np.array(floats, np.float64),
        np.array(held["boolean"], bool),
        TextArray.from_strings(held["text"]),
        np.array(list(filter(_fits, held["date"])), np.int64),
        np.array([int(n) for n in held["timestamp"] if n == int(n) and _fits(n)], np.int64),
    )


def _fits(number: int | Fraction) -> bool:
    return -(2**63) <= number < 2**63


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
        if abs(months) > FAR:
            raise GraphError(f"{months // 12} years from 1970 is out of the range of dates")
        return Operand("date", int(np.datetime64(months, "M").astype("M8[D]").astype(np.int64)))
    if unit in ("W", "D"):
        return Operand("date", count * 7 if unit == "W" else count)
    if unit in SECONDS:
        return Operand("timestamp", count * SECONDS[unit])
    return Operand("timestamp", Fraction(count, 10 ** FRACTIONS[unit]))


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
    Typed columns take no Python time a row, and none a value of ``in`` that came in an array.
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
        return _match_members(column, condition.members)
    if operator == "startswith":
        return _match_prefix(column, condition.given[0].exact)
    value = _exact(kind, condition.given[0])
    if operator in ORDERINGS and (value is None or kind == "bool"):
        return None
    if value is None:
        return np.full(len(column), operator == "!=")
    if isinstance(column, FixedColumn):
        return _match_number(column.data, operator, *_neighbours(kind, value))
    return _match_text(column.text, operator, value)


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


def _match_members(column: FixedColumn | TextColumn, members: Members) -> Bool:
    if isinstance(column, TextColumn):
        return members.among_texts(column.text)
    if column.kind == "bool":
        return members.among_booleans(column.data)
    if column.kind in ("date", "timestamp"):
        return sets.among_counts(column.data, _counts(column.kind, members))
    return members.among_numbers(column)


def _counts(kind: str, members: Members) -> np.ndarray:
    """Return the days, or seconds, that members stand for: texts that spell them too."""
    texts = _like_stamps(members.texts)
    if kind == "date":
        days = [number for number in map(_days, texts) if number is not None]
        return np.concatenate([members.days, np.array(days, np.int64)])
    found = [number for number in map(_seconds, texts) if number is not None]
    whole = [int(number) for number in found if number == int(number)]
    return np.concatenate([members.seconds, np.array(whole, np.int64)])


def _like_stamps(texts: TextArray) -> list[str]:
    """Return the texts that may spell a date or a timestamp."""
    rows = np.flatnonzero(np.diff(texts.offsets) >= len("1999-12-31"))
    first = texts.data[texts.offsets[rows]]
    begins = (first >= ord("0")) & (first <= ord("9")) | (first == ord("-")) | (first == ord("+"))
    spelled: list[str] = texts.take(rows[begins]).to_strings().tolist()
    return spelled


def _match_prefix(column: FixedColumn | TextColumn, prefix: str) -> Bool:
    """Say which rows are texts that start with ``prefix``; no other value does."""
    if isinstance(column, TextColumn):
        return column.text.starts_with(prefix)
    return np.zeros(len(column), bool)


def _match_text(text: TextArray, operator: str, value: str) -> Bool:
    """Compare each row with one text, in the order of code points."""
    wanted = read_only(np.frombuffer(value.encode(), np.uint8))
    holds = [bool(_COMPARE[operator](order, 0)) for order in (-1, 0, 1)]
    found = np.empty(len(text), bool)
    compare = partial(kernels.compare.compare_text, text.offsets, text.data, wanted, *holds)
    threads.run([partial(compare, *span, found) for span in threads.split(len(text))])
    return found


def only_texts(condition: Condition) -> TextArray | None:
    """Return the texts of a condition that texts alone can satisfy, for an index of texts.

    None where other values satisfy it too: a date equals the text that spells it.
    """
    texts, value, operator = condition.members.texts, condition.value, condition.operator
    count = len(value) if operator == "in" and isinstance(value, (tuple, np.ndarray)) else 1
    if operator not in ("==", "in", "startswith") or len(texts) < count:
        return None
    spelled = operator != "startswith" and any(
        _days(text) is not None or _seconds(text) is not None for text in _like_stamps(texts)
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
