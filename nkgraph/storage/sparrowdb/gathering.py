"""Words of chosen slots, from several columns at once."""

from collections.abc import Sequence

from nkgraph import kernels
from nkgraph.dtypes import I64, U64


def gather(columns: Sequence[U64], slots: I64, out: U64) -> None:
    """Write a row of words for each slot; 0 behind the end of a column.

    Parameters
    ----------
    columns : sequence of (n,) uint64
    slots : (k,) int64
        Not negative; in any order.
    out : (k, c) uint64, out
    """
    flat = out.reshape(-1)
    for place, words in enumerate(columns):
        kernels.words.gather_words(words, slots, place, len(columns), flat)
