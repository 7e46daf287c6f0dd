import numpy as np
import pytest
import reference as reference
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.errors import GraphError, LimitError
from nkgraph.storage import keys
from nkgraph.storage.keys import IntKeys, TextKeys

INT64 = st.integers(-(2**63), 2**63 - 1)
NEAR = st.integers(-70_000, 70_000)
EDGES = st.sampled_from([0, -1, 2**32 - 2, 2**53 + 1, 2**63 - 1, -(2**63), 2**40, 2**40 + 1])
BATCHES = st.lists(st.lists(st.one_of(NEAR, EDGES, INT64), max_size=20), max_size=6)


def packed(texts):
    lengths = [len(text) for text in texts]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return offsets, np.frombuffer(b"".join(texts), np.uint8)


def unpacked(offsets, data):
    ends = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    return [data[start:stop].tobytes() for start, stop in ends]


@given(st.one_of(BATCHES, st.lists(st.lists(NEAR, max_size=30), max_size=6)))
def test_int_keys_match_reference(batches):
    table, known = IntKeys(), {}
    for batch in batches:
        array = np.array(batch, np.int64)
        before = [known.get(key, -1) for key in batch]
        assert table.find(array).tolist() == before
        assert table.insert(array).tolist() == reference.number(known, batch)
        assert len(table) == len(known)
        assert table.keys().tolist() == list(known)
    everything = [*known, 5, -(2**62)]
    assert table.find(np.array(everything)).tolist() == [known.get(k, -1) for k in everything]


@given(st.lists(st.lists(st.binary(max_size=40), max_size=20), max_size=5))
def test_text_keys_match_reference(batches):
    table, known = TextKeys(), {}
    for batch in batches:
        texts = packed(batch)
        assert table.find(*texts).tolist() == [known.get(key, -1) for key in batch]
        assert table.insert(*texts).tolist() == reference.number(known, batch)
        assert unpacked(*table.texts()) == list(known)
    assert len(table) == len(known)


@pytest.mark.parametrize("factor", [1, 1_000_003, 2**40, 2**44 + 1])
def test_int_keys_grow_over_many_batches_on_any_number_of_threads(monkeypatch, factor):
    monkeypatch.setattr(keys, "BATCH", 70_000)
    values = np.random.default_rng(5).integers(-(2**18), 2**18, 300_000) * factor
    answers = []
    for threads in ("1", "3"):
        monkeypatch.setenv("NKGRAPH_THREADS", threads)
        table = IntKeys()
        positions = np.concatenate([table.insert(part) for part in np.array_split(values, 3)])
        assert (table.keys()[positions] == values).all()
        assert (table.find(values) == positions).all()
        answers.append(positions)
    assert (answers[0] == answers[1]).all()
    firsts = np.sort(np.unique(answers[0], return_index=True)[1])
    assert (answers[0][firsts] == np.arange(firsts.size)).all()


def test_text_keys_grow_over_many_batches_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(keys, "BATCH", 70_000)
    numbers = np.random.default_rng(6).integers(0, 2**17, 200_000)
    texts = packed([b"key number %d" % n for n in numbers.tolist()])
    known = {}
    expected = reference.number(known, numbers.tolist())
    for threads in ("1", "3"):
        monkeypatch.setenv("NKGRAPH_THREADS", threads)
        table = TextKeys(1000)
        assert table.insert(*texts).tolist() == expected
        assert table.find(*texts).tolist() == expected
        assert len(table) == len(known)


@pytest.mark.parametrize("pattern", ["ascending", "high bits", "low bits", "multiples"])
def test_int_keys_with_regular_patterns_stay_fast(pattern):
    counter = np.arange(1 << 16, dtype=np.int64)
    values = {
        "ascending": counter * 64,
        "high bits": counter << 47,
        "low bits": counter + (2**62),
        "multiples": counter * (2**32 + 2**16),
    }[pattern]
    table = IntKeys()
    assert (table.insert(np.concatenate([values, [-1]])) == np.arange(values.size + 1)).all()
    if table._slots is not None:  # linear probing: long runs of taken slots mean bad mixing
        taken = table._slots.slots[1::2] != 0
        runs = np.diff(np.flatnonzero(~taken))
        assert runs.max() < 400


def test_texts_of_equal_hash_are_told_apart(monkeypatch):
    from nkgraph import kernels

    def constant(offsets, data, start, stop, hashes):
        hashes[start:stop] = 7

    kernels.keys  # noqa: B018 - import it
    monkeypatch.setattr("nkgraph.kernels.keys.hash_texts", constant)
    table = TextKeys()
    assert table.insert(*packed([b"a", b"b", b"", b"a", b"ab"])).tolist() == [0, 1, 2, 0, 3]
    assert table.find(*packed([b"ab", b"ba", b""])).tolist() == [3, -1, 2]


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", "<u4", "<i4", "<u8", ">i8"])
def test_int_keys_take_any_integer_type(dtype):
    table = IntKeys()
    assert table.insert(np.array([3, 1, 3], dtype)).tolist() == [0, 1, 0]
    assert table.find(np.array([1, 2, 3, 4], dtype)[::2]).tolist() == [1, 0]


def test_unsigned_keys_above_int64_are_refused_and_never_found():
    table = IntKeys()
    table.insert(np.array([-1, 2]))
    wide = np.array([2**64 - 1, 2], np.uint64)  # 2**64 - 1 has the bits of -1
    assert table.find(wide).tolist() == [-1, 1]
    with pytest.raises(GraphError, match="key 0: 18446744073709551615 does not fit"):
        table.insert(wide)
    assert len(table) == 2


@pytest.mark.parametrize("bad", [np.array([1.5]), np.array([True]), np.zeros((2, 2), int)])
def test_int_keys_refuse_what_is_not_a_row_of_integers(bad):
    with pytest.raises(GraphError, match="expected a row of integers"):
        IntKeys().find(bad)


@pytest.mark.parametrize("offsets", [[0, 3], [-1, 2], [2, 1], [0, 2, 1]])
def test_text_keys_refuse_offsets_outside_the_data(offsets):
    with pytest.raises(GraphError, match=r"expected ascending ones in 0\.\.2"):
        TextKeys().insert(np.array(offsets), np.zeros(2, np.uint8))


def test_text_keys_refuse_other_dtypes():
    with pytest.raises(GraphError, match="k \\+ 1 int64"):
        TextKeys().find(np.array([0], np.int32), np.zeros(0, np.uint8))
    with pytest.raises(GraphError, match="row of uint8"):
        TextKeys().find(np.array([0]), np.zeros(0, np.int8))


def test_more_keys_than_nodes_are_refused(monkeypatch):
    monkeypatch.setattr(keys, "MAX_IDS", 2)
    table = IntKeys()
    table.insert(np.array([1, 2]))
    with pytest.raises(LimitError, match="3 keys"):
        table.insert(np.array([3]))
    assert len(table) == 2


def test_empty_tables_answer():
    assert IntKeys().find(np.array([1, 2**63 - 1])).tolist() == [-1, -1]
    assert IntKeys().insert(np.zeros(0, np.int64)).tolist() == []
    assert TextKeys().find(*packed([])).tolist() == []
    assert TextKeys().find(*packed([b""])).tolist() == [-1]
    assert IntKeys(100).keys().size == 0
