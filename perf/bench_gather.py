"""Rows *gather sparse* and *gather dense*, of random and of ascending slots.

The rival is the fastest of polars and of numpy's fancy indexing, each given slots of the dtype
that it likes best.
"""

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from nkgraph.dtypes import U64
from nkgraph.word_columns import gather
from perf.harness import FASTEST, Call, Contest, Rival, Row, Scale

COLUMNS = 4


@cache
def columns_of(count: int) -> list[U64]:
    """Columns of random words."""
    rng = np.random.default_rng(count)
    return [rng.integers(0, 2**63, count, np.uint64) for _ in range(COLUMNS)]


def against_both(count: int, slot_count: int, ordered: bool) -> Contest:
    """Gather rows."""
    columns = columns_of(count)
    slots = np.random.default_rng(slot_count).integers(0, count, slot_count, np.uint32)
    if ordered:
        slots.sort()
    wide = slots.astype(np.intp)

    def by_polars(lazy: bool) -> Call:
        import polars
        import pyarrow

        frame = polars.DataFrame(
            {str(at): polars.from_arrow(pyarrow.array(words)) for at, words in enumerate(columns)}
        )
        series = polars.Series(slots)
        if lazy:
            return lambda: frame.select(polars.all().gather(series))
        return lambda: frame[series]

    found = {
        "polars": Rival(partial(by_polars, False), same),
        "polars gather": Rival(partial(by_polars, True), same),
        "numpy": Rival(lambda: lambda: [words[wide] for words in columns], same),
        "numpy take": Rival(lambda: lambda: [words.take(wide, mode="clip") for words in columns]),
    }
    # slots, words written, and a line read for each word, if that is not all of them
    moved = 4 * slot_count + COLUMNS * (8 * slot_count + min(8 * count, 64 * slot_count))
    return Contest(lambda: gather(columns, slots), found, moved)


def same(ours: U64, theirs: Any) -> bool:
    """Whether the words are the same."""
    columns = theirs if isinstance(theirs, list) else [column.to_numpy() for column in theirs]
    return np.array_equal(ours, np.stack(columns, axis=1))


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
            yield Row(name, make, *targets, repeat=repeat, rival=FASTEST)
        dense = (targets[0], max(targets[1], 0.8))
        make = partial(against_both, large, large >> 2, ordered)
        yield Row(f"gather dense{order}", make, *dense, rival=FASTEST)
    columns_of.cache_clear()
