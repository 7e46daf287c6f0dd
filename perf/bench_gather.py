"""Rows *gather sparse* and *gather dense*, of random and of ascending slots.

The rival is the better of polars and of numpy's fancy indexing, each given slots of the dtype
that it likes best.
"""

from collections.abc import Iterator
from functools import cache, partial

import numpy as np

from nkgraph.dtypes import U64
from nkgraph.word_columns import gather
from perf.harness import Call, Row, Scale, timed

COLUMNS = 4


@cache
def columns_of(count: int) -> list[U64]:
    """Columns of random words."""
    rng = np.random.default_rng(count)
    return [rng.integers(0, 2**63, count, np.uint64) for _ in range(COLUMNS)]


def against_both(count: int, slot_count: int, ordered: bool) -> tuple[Call, Call]:
    """Gather rows; the rival that is faster here is the one that is timed."""
    import polars
    import pyarrow

    columns = columns_of(count)
    slots = np.random.default_rng(slot_count).integers(0, count, slot_count, np.uint32)
    if ordered:
        slots.sort()
    wide = slots.astype(np.intp)
    frame = polars.DataFrame(
        {str(at): polars.from_arrow(pyarrow.array(words)) for at, words in enumerate(columns)}
    )
    series = polars.Series(slots)
    rivals: list[Call] = [
        lambda: frame[series],
        lambda: frame.select(polars.all().gather(series)),
        lambda: [words[wide] for words in columns],
        lambda: [words.take(wide, mode="clip") for words in columns],
    ]
    for rival in rivals:
        rival()
    return lambda: gather(columns, slots), min(
        rivals, key=lambda rival: min(timed(rival, 1) for _ in range(5))
    )


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    large = scale.key_counts[0]
    small = large >> 4
    # Ascending slots are a matter of bandwidth: there is nothing to win, so parity will do.
    for order, ordered, targets in (("", False, (1.0, 0.6)), (" sorted", True, (1.3, 1.0))):
        for count in (small, large):
            name = f"gather sparse{order} {count >> 10} K"
            repeat = 20 if count == small else 1
            make = partial(against_both, count, count >> 4, ordered)
            yield Row(name, make, *targets, repeat=repeat)
        dense = (targets[0], max(targets[1], 0.8))
        yield Row(f"gather dense{order}", partial(against_both, large, large >> 2, ordered), *dense)
    columns_of.cache_clear()
