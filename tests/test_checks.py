import numpy as np
import pytest
import reference as reference
from hypothesis import given
from hypothesis import strategies as st

from nkgraph import threads
from nkgraph.dtypes import ENDPOINTS
from nkgraph.storage import checks

NO_NODE = 2**32 - 1


@pytest.fixture(autouse=True)
def small_work(monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(checks, "LEAST", 10)
    monkeypatch.setattr(checks.first_on_threads, "__defaults__", (10,))


def frozen(values, dtype):
    array = np.array(values, dtype)
    array.flags.writeable = False
    return array


@given(
    st.lists(st.sampled_from((0, 1, 2, 3, 2**53, 2**53 + 1, 2**63 - 1)), max_size=60),
    st.sampled_from((0, 2, 2**53, 2**63 - 1)),
    st.booleans(),
)
def test_first_bad_offset_matches_reference(offsets, limit, in_order):
    offsets = sorted(offsets) if in_order else offsets
    expected = reference.bad_offset(offsets, limit)
    assert checks.first_bad_offset(frozen(offsets, np.int64), limit) == expected
    assert checks.first_bad_offset(frozen(offsets, np.uint64), limit) == expected


@pytest.mark.parametrize("bad", [-1, -(2**63)])
def test_a_negative_offset_is_found(bad):
    assert checks.first_bad_offset(np.array([0, 1, bad, 3], np.int64), 9) == 2
    assert checks.first_bad_offset(np.array([0, 1, 2, bad], np.int64), 9) == 3
    assert checks.first_bad_offset(np.array([bad], np.int64), 9) == 0


def test_an_offset_of_two_to_the_64_is_found():
    assert checks.first_bad_offset(np.array([0, 2**64 - 1], np.uint64), 2**63 - 1) == 1


@pytest.mark.parametrize("columns", [1, 2, 4])
@given(values=st.lists(st.sampled_from((0, 5, 6, 7, NO_NODE - 1, NO_NODE)), max_size=60))
def test_first_not_below_matches_reference(columns, values):
    flat = frozen(values, np.uint32)
    table = np.zeros((len(values), columns), np.uint32)
    for limit in (0, 6, NO_NODE, 2**32, 2**40):
        expected = reference.not_below(values, limit)
        assert checks.first_not_below(flat, limit) == expected
        for column in range(columns):
            table[:] = 0
            table[:, column] = flat
            assert checks.first_not_below(table, limit, column) == expected


ENDS = st.sampled_from((0, 4, 5, 8, 9, 2**31, NO_NODE - 1, NO_NODE))


@given(st.lists(st.tuples(ENDS, ENDS), max_size=60))
def test_first_bad_ends_matches_reference(ends):
    endpoints = np.zeros(len(ends), ENDPOINTS)
    for edge, (source, target) in enumerate(ends):
        endpoints[edge] = source, target, edge
    for limit in (0, 9, NO_NODE):
        assert checks.first_bad_ends(endpoints, limit) == reference.bad_ends(ends, limit)


def test_a_target_that_is_removed_while_its_source_is_not_is_found():
    endpoints = np.zeros(5000, ENDPOINTS)
    endpoints["source"][7] = endpoints["target"][7] = NO_NODE
    assert checks.first_bad_ends(endpoints, 1) == -1
    endpoints["target"][4321] = NO_NODE
    assert checks.first_bad_ends(endpoints, 1) == 4321


@given(st.lists(st.integers(0, 30), max_size=60), st.booleans(), st.sampled_from((0, 2**31)))
def test_first_not_ascending_matches_reference(values, ascend, base):
    values = sorted(set(values)) if ascend else values
    expected = reference.not_ascending(values)
    assert checks.first_not_ascending(frozen(values, np.uint32) + np.uint32(base)) == expected
    wide = (frozen(values, np.uint64) + np.uint64(base)) << np.uint64(31)
    assert checks.first_not_ascending(wide) == expected


@given(st.lists(st.lists(st.integers(0, 90), max_size=40), max_size=8), st.booleans())
def test_first_not_ascending_in_ranges_matches_reference(ranges, ascend):
    ranges = [sorted(set(part)) if ascend else part for part in ranges]
    values = [value for part in ranges for value in part]
    offsets = np.cumsum([0, *map(len, ranges)])
    expected = reference.not_ascending_in_ranges(offsets.tolist(), values)
    flat = frozen(values, np.uint32)
    pairs = np.stack([flat, flat[::-1]], axis=1)
    check = checks.first_not_ascending_in_ranges
    assert check(offsets.astype(np.uint64), flat) == expected
    assert check(offsets.astype(np.int64), pairs) == expected


@pytest.mark.parametrize("at", [1, 4095, 4096, 4097, 99_999])
def test_one_bad_value_in_many_is_found(at):
    values = np.arange(100_000, dtype=np.uint32)
    assert checks.first_not_ascending(values) == -1
    values[at] = values[at - 1]
    assert checks.first_not_ascending(values) == at
    values[at] = NO_NODE
    assert checks.first_not_below(values, 100_000) == at


def test_nothing_is_wrong_with_nothing():
    none = np.empty(0, np.uint32)
    assert checks.first_not_below(none, 0) == -1
    assert checks.first_not_ascending(none) == -1
    assert checks.first_bad_offset(np.empty(0, np.int64), 0) == -1
    assert checks.first_not_ascending_in_ranges(np.zeros(1, np.int64), none) == -1
    assert checks.first_not_ascending_in_ranges(np.empty(0, np.int64), none) == -1
