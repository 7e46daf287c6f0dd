"""Rows *filter*: which rows of a column satisfy a condition, against numpy, pandas and polars.

The rival is the fastest of those that users have for the same array. Members of ``in`` are given
as arrays, new to the filter in each call; half of them are in the column.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from nkgraph.dtypes import TEXT
from nkgraph.filtering import Condition, evaluate
from nkgraph.storage import intake
from perf.harness import Call, Row, Scale, timed


def condition(
    column: np.ndarray, operator: str, value: object, rivals: list[Call]
) -> tuple[Call, Call]:
    """Evaluate one condition; the rival that is faster here is the one that is timed."""
    held = intake.from_user(column, None, "x")
    for rival in rivals:
        rival()
    best = min(rivals, key=lambda rival: min(timed(rival, 1) for _ in range(3)))
    return lambda: evaluate(held, Condition("x", operator, value)), best


def numbers(count: int, operator: str) -> tuple[Call, Call]:
    """Compare integers with one."""
    column = np.random.default_rng(1).integers(-(2**40), 2**40, count)
    if operator == "==":
        wanted = int(column[count // 2])
        return condition(column, operator, wanted, [lambda: column == wanted])
    return condition(column, operator, 12345, [lambda: column < 12345])


def members(count: int, member_count: int, kind: str) -> tuple[Call, Call]:
    """Look for many integers, floats or texts."""
    import pandas
    import polars

    rng = np.random.default_rng(2)
    column: np.ndarray = rng.integers(-(2**40), 2**40, count)
    wanted = np.where(
        rng.random(member_count) < 0.5,
        rng.choice(column, member_count),
        rng.integers(-(2**40), 2**40, member_count),
    )
    if kind == "text":
        texts, sought = column.astype(TEXT), wanted.astype(TEXT)
        objects = pandas.Series(texts.astype(object))
        series = polars.Series(texts.tolist())
        listed = sought.astype(object)
        plain = polars.Series(sought.tolist())
        rivals: list[Call] = [
            lambda: objects.isin(listed).to_numpy(),
            lambda: series.is_in(plain.implode()),
        ]
        return condition(texts, "in", sought, rivals)
    if kind == "float64":
        column, wanted = column / 4, wanted / 4
    series, plain, objects = polars.Series(column), polars.Series(wanted), pandas.Series(column)
    rivals = [
        lambda: np.isin(column, wanted),
        lambda: objects.isin(wanted).to_numpy(),
        lambda: series.is_in(plain.implode()),
    ]
    return condition(column, "in", wanted, rivals)


def texts(count: int, operator: str) -> tuple[Call, Call]:
    """Compare texts of up to 40 bytes, many of which share their first bytes, with one."""
    import polars

    rng = np.random.default_rng(3)
    names = np.strings.add("person ", rng.integers(0, 10**9, count).astype(TEXT))
    long = rng.random(count) < 0.3
    names[long] = np.strings.add(names[long], " of the far and distant islands")
    wanted = str(names[count // 2])
    series = polars.Series(names.tolist())
    rivals: list[Call] = (
        [lambda: names == wanted, lambda: series == wanted]
        if operator == "=="
        else [lambda: names < np.array([wanted], TEXT), lambda: series < wanted]
    )
    return condition(names, operator, wanted, rivals)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    count = 4 * scale.node_count
    yield Row("filter ==", partial(numbers, count, "=="), 1.2, 1.0)
    yield Row("filter <", partial(numbers, count, "<"), 1.2, 1.0)
    yield Row("filter in 10", partial(members, count, 10, "int64"), 1.0, 0.5)
    for kind in ("int64", "float64", "text"):
        yield Row(f"filter in {kind}", partial(members, count, count >> 2, kind), 1.0, 0.5)
    yield Row("filter text ==", partial(texts, count, "=="), 1.0, 0.5)
    yield Row("filter text <", partial(texts, count, "<"), 1.0, 0.5)
