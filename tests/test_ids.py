"""Look-ups over sorted ids: repeats, equal hashes, floats at the edge of the integers."""

import numpy as np

from nkgraph import ids
from nkgraph.dtypes import NO_NODE
from nkgraph.storage import intake
from nkgraph.storage.columns import FixedColumn
from nkgraph.storage.text import TextArray


def keys_of(values):
    return ids.split_keys(intake.from_user(values, None, "ids"))


def find(stored, queries):
    """Nodes of the queries, where row i of ``stored`` is node 10 + i; None where absent."""
    column = intake.from_user(stored, None, "ids")
    nodes = np.arange(10, 10 + len(stored), dtype=np.uint32)
    lookup = ids.build_sorted(ids.split_keys(column), nodes)

    def text_of(found):
        return ids.texts_of(column, found.astype(np.int64) - 10)

    found = ids.find_in_sorted(*lookup, keys_of(queries), text_of).tolist()
    return [None if node == NO_NODE else node for node in found]


def test_the_first_of_repeated_ids_is_found():
    stored = [7, "a", 0.5, True, "a", 7, 0.5, True, "b"]
    assert find(stored, [7, "a", 0.5, True, "b", 1]) == [10, 11, 12, 13, 18, None]


def test_texts_of_equal_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(TextArray, "hashes", lambda self: np.full(len(self), 7, np.uint64))
    assert find(["a", "b", "c", "d"], ["d", "x", "b", "c", "a"]) == [13, None, 11, 12, 10]


def test_floats_are_integers_as_far_as_these_go():
    values = np.array([2.0**62, 2.0**63, -(2.0**63), 0.5, np.inf])
    keys = ids.split_keys(FixedColumn("float64", values, None))
    assert keys.ints.tolist() == [2**62, -(2**63)]
    assert keys.int_rows.tolist() == [0, 2]
    assert sorted(keys.others) == [1, 3, 4]
