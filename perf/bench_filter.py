"""Rows *filter*: which rows of a column satisfy a condition, against numpy, pandas and polars.

The rival is the fastest of those that users have for the same array. Members of ``in`` are given
as arrays, new to the filter in each call; half of them are in the column.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from nkgraph.dtypes import TEXT
from nkgraph.filtering import Condition, evaluate
from nkgraph.storage import intake
from perf.harness import FASTEST, Call, Contest, Rival, Row, Scale


def condition(
    column: np.ndarray, operator: str, value: object, rivals: dict[str, Call], moved: int
) -> Contest:
    """Evaluate one condition; ``moved`` bytes are those of the column and of what is sought."""
    held = intake.from_user(column, None, "x")
    found = {name: Rival(partial(give, rival), same) for name, rival in rivals.items()}
    return Contest(lambda: evaluate(held, Condition("x", operator, value)), found, moved)


def give(call: Call) -> Call:
    """What a rival makes, where its data is made already."""
    return call


def same(ours: np.ndarray, theirs: Any) -> bool:
    """Whether the same rows were found."""
    return np.array_equal(ours, np.asarray(theirs))


def numbers(count: int, operator: str) -> Contest:
    """Compare integers with one."""
    column = np.random.default_rng(1).integers(-(2**40), 2**40, count)
    if operator == "==":
        wanted = int(column[count // 2])
        return condition(column, operator, wanted, {"numpy": lambda: column == wanted}, 9 * count)
    return condition(column, operator, 12345, {"numpy": lambda: column < 12345}, 9 * count)


def members(count: int, member_count: int, kind: str) -> Contest:
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
        rivals: dict[str, Call] = {
            "pandas": lambda: objects.isin(listed).to_numpy(),
            "polars": lambda: series.is_in(plain.implode()),
        }
        return condition(texts, "in", sought, rivals, text_bytes(texts) + text_bytes(sought))
    if kind == "float64":
        column, wanted = column / 4, wanted / 4
    series, plain, objects = polars.Series(column), polars.Series(wanted), pandas.Series(column)
    rivals = {
        "numpy": lambda: np.isin(column, wanted),
        "pandas": lambda: objects.isin(wanted).to_numpy(),
        "polars": lambda: series.is_in(plain.implode()),
    }
    return condition(column, "in", wanted, rivals, 9 * count + 8 * member_count)


def text_bytes(texts: np.ndarray) -> int:
    """Bytes of the texts, their places, and one for each that says whether it is found."""
    return int(np.strings.str_len(texts).sum()) + (8 + 1) * texts.size


def texts(count: int, operator: str) -> Contest:
    """Compare texts of up to 40 bytes, many of which share their first bytes, with one."""
    import polars

    rng = np.random.default_rng(3)
    names = np.strings.add("person ", rng.integers(0, 10**9, count).astype(TEXT))
    long = rng.random(count) < 0.3
    names[long] = np.strings.add(names[long], " of the far and distant islands")
    wanted = str(names[count // 2])
    series = polars.Series(names.tolist())
    rivals: dict[str, Call] = (
        {"numpy": lambda: names == wanted, "polars": lambda: series == wanted}
        if operator == "=="
        else {"numpy": lambda: names < np.array([wanted], TEXT), "polars": lambda: series < wanted}
    )
    return condition(names, operator, wanted, rivals, text_bytes(names))


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    count = 4 * scale.node_count
    yield Row("filter ==", partial(numbers, count, "=="), 1.2, 1.0, rival=FASTEST)
    yield Row("filter <", partial(numbers, count, "<"), 1.2, 1.0, rival=FASTEST)
    make = partial(members, count, 10, "int64")
    yield Row("filter in 10", make, 1.0, 0.5, rival=FASTEST)
    for kind in ("int64", "float64", "text"):
        make = partial(members, count, count >> 2, kind)
        yield Row(f"filter in {kind}", make, 1.0, 0.5, rival=FASTEST)
    yield Row("filter text ==", partial(texts, count, "=="), 1.0, 0.5, rival=FASTEST)
    yield Row("filter text <", partial(texts, count, "<"), 1.0, 0.5, rival=FASTEST)
