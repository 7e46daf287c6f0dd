"""Words by slot: against a slow twin, at the edges, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph import threads
from nkgraph.kernels import gather as kernel
from nkgraph.storage import words as storage

DTYPES = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
words = st.one_of(st.integers(0, 3), st.sampled_from([2**53 + 1, 2**63, 2**64 - 1]))


def column(values):
    return np.array(values, np.uint64)


@st.composite
def questions(draw):
    """(columns of different lengths, slots in and out of range)"""
    columns = draw(st.lists(st.lists(words, max_size=9).map(column), max_size=4))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    most = np.iinfo(dtype).max
    slot = st.one_of(st.integers(0, 9), st.integers(0, most), st.just(most))
    # Both sides of AHEAD, where the loop of the kernel changes.
    slots = draw(st.lists(slot, max_size=int(kernel.AHEAD) + 4))
    return columns, np.array(slots, dtype)


@given(questions())
def test_gather_matches_reference(question):
    columns, slots = question
    found = nk.gather(columns, slots)
    assert found.shape == (slots.size, len(columns))
    assert found.dtype == np.uint64
    assert found.tolist() == reference.gather(columns, slots)
    assert storage.take_words(column([7, 8, 9]), slots).tolist() == [
        row[0] for row in reference.gather([column([7, 8, 9])], slots)
    ]


@pytest.mark.parametrize("order", ["random", "ascending", "dense"])
@pytest.mark.parametrize("dtype", ["u4", "u8", "i8"])
def test_many_slots_on_threads(monkeypatch, order, dtype):
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(storage, "LEAST", 100)
    rng = np.random.default_rng(5)
    columns = [rng.integers(0, 2**64, size, np.uint64) for size in (5000, 4000, 0)]
    slots = rng.integers(0, 6000, 3001).astype(dtype)
    if order != "random":
        slots.sort()
    if order == "dense":
        slots = np.arange(5001, dtype=dtype)
    whole = np.zeros((slots.size, 3), np.uint64)
    for at, values in enumerate(columns):
        inside = slots < values.size
        whole[inside, at] = values[slots[inside]]
    found = nk.gather(columns, slots)
    assert np.array_equal(found, whole)
    assert all(found[:, at].flags.c_contiguous for at in range(3))


def test_nothing_to_gather():
    some = column([1, 2])
    assert nk.gather([], [0, 1, 5]).shape == (3, 0)
    assert nk.gather([], []).shape == (0, 0)
    assert nk.gather([some, some], []).shape == (0, 2)
    assert nk.gather([column([])], np.arange(100)).tolist() == [[0]] * 100
    assert nk.gather((some,), range(3)).tolist() == [[1], [2], [0]]
    assert nk.gather(iter([some]), [1.0, 0.0]).tolist() == [[2], [1]]


def test_slots_that_no_array_has():
    for far in (2, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1):
        for count in (1, 100):
            slots = np.full(count, far, np.uint64)
            assert nk.gather([column([5, 6])], slots).tolist() == [[0]] * count
            assert nk.gather([column([5, 6])], [far, 1]).tolist() == [[0], [6]]


def test_columns_of_any_layout(tmp_path):
    plain = np.random.default_rng(2).integers(0, 2**64, 500, np.uint64)
    np.r_[column([0]), plain].tofile(tmp_path / "words")
    raw = np.zeros(plain.nbytes + 3, np.uint8)
    unaligned = raw[3:].view(np.uint64)
    unaligned[:] = plain
    assert not unaligned.flags.aligned
    frozen = plain.copy()
    frozen.flags.writeable = False
    matrix = np.zeros((500, 2), np.uint64)
    matrix[:, 1] = plain
    mapped = np.memmap(tmp_path / "words", np.uint64, mode="r", offset=8)
    columns = [plain, unaligned, frozen, matrix[:, 1], plain[::-1].copy()[::-1], mapped]
    slots = np.random.default_rng(3).integers(0, 600, 200)
    expected = nk.gather([plain], slots)
    found = nk.gather(columns, slots)
    assert type(found) is np.ndarray
    assert np.array_equal(found, np.repeat(expected, len(columns), axis=1))
    assert plain.flags.writeable
    strided = np.repeat(slots, 2)[::2]
    assert np.array_equal(nk.gather(columns[:1], strided), expected)
    frozen_slots = slots.copy()
    frozen_slots.flags.writeable = False
    assert np.array_equal(nk.gather(columns[:1], frozen_slots), expected)
    assert np.array_equal(nk.gather(columns[:1], slots.astype(">i4")), expected)


def test_a_few_slots_load_no_kernel():
    code = (
        "import sys, numpy as np, nkgraph as nk\n"
        "assert nk.gather([np.arange(9, dtype=np.uint64)], [8, 9]).tolist() == [[8], [0]]\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("columns", "slots", "message"),
    [
        ([column([1])], [0, -3], "row 1: slot -3 is below 0"),
        ([column([1])], np.array([0] * 99 + [-(2**63)]), "row 99: slot -9223372036854775808 is"),
        ([column([1])], [0, 1.5], "row 1: slot 1.5 is not an integer"),
        ([column([1])], [True], "row 0: slot True is not an integer"),
        ([column([1])], [2**64], "row 0: slot 18446744073709551616 does not fit 64 bits"),
        ([column([1])], [[0]], r"slots: expected one dimension, found shape \(1, 1\)"),
        ([column([1])], 3, r"slots: expected one dimension, found shape \(\)"),
        (3, [0], "columns: expected a sequence of arrays, found int"),
        (column([1]), [0], "column 0: expected .n,. uint64, found uint64"),
        ([column([1]), [2]], [0], "column 1: expected .n,. uint64, found list$"),
        (
            [np.zeros(2)], [0],
            r"column 0: expected \(n,\) uint64, found \(2,\) float64; view",
        ),
        ([np.zeros((2, 2), "u8")], [0], r"column 0: expected \(n,\) uint64, found \(2, 2\) uint64"),
        ([np.zeros(2, ">u8")], [0], r"column 0: expected \(n,\) uint64, found \(2,\) >u8"),
    ],
)  # fmt: skip
def test_gather_says_what_is_wrong(columns, slots, message):
    with pytest.raises(nk.GraphError, match=message):
        nk.gather(columns, slots)
