"""MappedArray and MappedBytes: growth, files, views that outlive them, clear errors."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nkgraph.dtypes import ENDPOINTS
from nkgraph.errors import ClosedError, FormatError, GraphError
from nkgraph.storage.mapped import MappedArray, MappedBytes


@pytest.fixture(params=["heap", "file"])
def empty(request, tmp_path):
    if request.param == "heap":
        return MappedArray(np.uint32)
    return MappedArray.create(tmp_path / "a.bin", np.uint32)


def test_growth_keeps_what_a_caller_holds(empty):
    empty.extend([1, 2, 3])
    held = empty.array
    for step in range(12):
        empty.extend(np.full(100 * step + 1, step))
    assert held.tolist() == [1, 2, 3]
    assert empty.array[:3].tolist() == [1, 2, 3]
    assert len(empty) == 3 + 12 + 100 * 66
    held[0] = 9  # a heap view has its own old block; a file view is the same file
    assert empty[0] == (9 if empty.is_mapped else 1)


@given(st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=90), max_size=12))
def test_extend_is_list_extend(tmp_path_factory, batches):
    path = tmp_path_factory.mktemp("m") / "a.bin"
    arrays = [MappedArray(np.uint32), MappedArray.create(path, np.uint32)]
    want = []
    for batch in batches:
        want += batch
        for array in arrays:
            if len(batch) == 1:
                array.append(batch[0])
            else:
                array.extend(batch)
            assert array.array.tolist() == want
            assert array.capacity >= len(want)
    arrays[1].trim()
    assert path.stat().st_size == 4 * len(want)
    assert MappedArray.load(path, np.uint32).array.tolist() == want


def test_amortised():
    array, blocks = MappedArray(np.uint8), set()
    for _ in range(5000):
        array.append(7)
        blocks.add(array.capacity)
    assert len(blocks) < 10


def test_new_files_are_padded_and_length_is_kept(tmp_path):
    array = MappedArray.create(tmp_path / "a", "<u8", capacity=3)
    assert (array.capacity, len(array)) == (64, 0)
    assert (tmp_path / "a").stat().st_size == 512
    buffer = MappedBytes.create(tmp_path / "b", np.uint8)
    assert buffer.capacity == 4096
    filled = MappedArray.create(tmp_path / "c", "<u4", length=70, value=5)
    assert filled.array.tolist() == [5] * 70
    zeros = MappedArray.create(tmp_path / "d", "<u4", length=3)
    assert zeros.array.tolist() == [0, 0, 0]
    assert MappedArray.zeros("<u4", 2).array.tolist() == [0, 0]
    assert MappedArray.filled("<u4", 2, 8).array.tolist() == [8, 8]
    array.close()
    with pytest.raises(FileExistsError):
        MappedArray.create(tmp_path / "a", "<u8")


def test_load_with_a_length(tmp_path):
    path = tmp_path / "a"
    np.arange(10, dtype="<u4").tofile(path)
    assert MappedArray.load(path, "<u4").array.tolist() == list(range(10))
    part = MappedArray.load(path, "<u4", length=4, mode="r+")
    assert (part.array.tolist(), part.capacity) == ([0, 1, 2, 3], 10)
    part.extend([77, 78])
    assert MappedArray.load(path, "<u4").array.tolist() == [0, 1, 2, 3, 77, 78, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("size", "length", "message"),
    [
        (41, None, "file size at byte 0: expected a multiple of 4, found 41"),
        (39, 10, "file size at byte 0: expected >= 40, found 39"),
        (0, 1, "expected >= 4, found 0"),
    ],
)
def test_sizes_that_do_not_fit(tmp_path, size, length, message):
    path = tmp_path / "a"
    path.write_bytes(bytes(size))
    with pytest.raises(FormatError, match=message):
        MappedArray.load(path, "<u4", length=length)


def test_paths_that_do_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError):
        MappedArray.load(tmp_path / "none", "<u4")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        MappedArray.load(tmp_path, "<u4")
    with pytest.raises(GraphError, match="mode"):
        MappedArray.load(tmp_path, "<u4", mode="w")
    with pytest.raises(GraphError, match="length is -1"):
        MappedArray.zeros("u1", -1)
    with pytest.raises(GraphError, match="no fixed width"):
        MappedArray(object)


def test_read_only(tmp_path):
    path = tmp_path / "a"
    np.arange(4, dtype="<u4").tofile(path)
    array = MappedArray.load(path, "<u4")
    assert not array.array.flags.writeable
    for change in (
        lambda: array.append(1),
        lambda: array.set(0, 1),
        array.trim,
        lambda: array.to_file(tmp_path / "b"),
    ):
        with pytest.raises(GraphError, match='is loaded "r"'):
            change()
    array.to_heap()
    array.append(4)
    assert array.array.tolist() == [0, 1, 2, 3, 4]
    assert path.stat().st_size == 16


def test_a_file_that_may_not_be_written(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(bytes(8))
    path.chmod(stat.S_IRUSR)
    if os.access(path, os.W_OK):  # root may write any file: answer as the system answers others

        def refuse(target, flags, mode=0o777):
            raise PermissionError(13, "Permission denied", str(target))

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        MappedArray.load(path, "<u4", mode="r+")


def test_trim_and_save_leave_older_views_whole(tmp_path):
    path = tmp_path / "a"
    array = MappedArray.create(path, "<u8", capacity=100_000)
    array.extend(np.arange(10))
    spare = np.asarray(array._block)  # reaches far behind what trim keeps
    held = array.array
    array.trim()
    assert (array.capacity, path.stat().st_size) == (10, 80)
    assert spare.sum() == 45  # every page is still there
    array.extend([10])
    assert held.tolist() == list(range(10))
    array.save(path)
    assert path.stat().st_size == 88
    array.append(11)
    array.save(tmp_path / "b")
    assert np.fromfile(tmp_path / "b", "<u8").tolist() == list(range(12))
    assert array.path == path


def test_moving(tmp_path):
    array = MappedArray(np.int16)
    array.extend([1, -2])
    assert (array.heap_bytes > 0, array.mapped_bytes) == (True, 0)
    held = array.array
    array.to_file(tmp_path / "a")
    assert (array.heap_bytes, array.mapped_bytes, array.is_mapped) == (0, 4, True)
    with pytest.raises(FileExistsError):
        array.to_file(tmp_path / "a")
    copy = array.clone()
    array.set(0, 5)
    array.flush()
    assert (held.tolist(), copy.array.tolist(), copy.is_mapped) == ([1, -2], [1, -2], False)
    array.to_heap()
    array.set(0, 6)
    assert np.fromfile(tmp_path / "a", "<i2").tolist() == [5, -2]


def test_elements(empty):
    empty.extend([5, 6, 7])
    assert (empty[0], empty[-1], empty.get(1)) == (5, 7, 6)
    empty[-1] = 8
    assert empty.array.tolist() == [5, 6, 8]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index {index} is out of range for 3"):
            empty.get(index)
        with pytest.raises(IndexError):
            empty.set(index, 1)
    for value in (2**32, -1, 1.5):
        with pytest.raises(GraphError, match="does not fit uint32"):
            empty.append(value)
        with pytest.raises(GraphError, match="does not fit uint32"):
            empty.extend(np.array([1, value]))
    with pytest.raises(GraphError, match="does not fit uint32"):
        empty.extend([1, 2**63])
    with pytest.raises(GraphError, match="2 dimensions"):
        empty.extend([[1]])
    assert empty.array.tolist() == [5, 6, 8]
    assert bytes(empty.raw_bytes()) == np.array([5, 6, 8], "<u4").tobytes()


def test_records():
    array = MappedArray(ENDPOINTS)
    array.append((1, 2, 2**63))
    assert array.array["connection_type"].tolist() == [2**63]


def test_bytes_grow_to_twice_what_is_needed():
    buffer = MappedBytes()
    buffer.extend(b"x" * 5000)
    assert buffer.capacity == 10_000
    buffer.extend(memoryview(b"yz"))
    buffer.extend([1, 2])
    assert bytes(buffer.raw_bytes()[-4:]) == b"yz\1\2"
    with pytest.raises(GraphError, match="uint8"):
        MappedBytes("<u4")


def test_advice_and_cache(empty):
    empty.extend(range(5000))
    for advice in ("willneed", "sequential", "random", "normal", "dontneed"):
        empty.advise(advice)
    empty.drop_cache()
    empty.flush_and_release()
    assert empty.array.tolist() == list(range(5000))
    with pytest.raises(GraphError, match="advice is 'soon'"):
        empty.advise("soon")


def test_close(empty):
    empty.extend([1, 2])
    held = empty.array
    with empty:
        pass
    assert held.tolist() == [1, 2]
    assert "closed" in repr(empty)
    for call in (lambda: empty.array, lambda: empty.append(1), empty.flush, empty.clone):
        with pytest.raises(ClosedError):
            call()
    empty.close()


def test_a_failed_growth_changes_nothing(tmp_path, monkeypatch):
    array = MappedArray.create(tmp_path / "a", "<u4")
    array.extend(range(64))

    def full(descriptor, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "ftruncate", full)
    with pytest.raises(OSError, match="No space"):
        array.extend([1])
    monkeypatch.undo()
    assert array.array.tolist() == list(range(64))
    array.extend([64])
    assert array.array.tolist() == list(range(65))


def test_a_file_cut_short_by_others_is_refused_on_growth(tmp_path):
    path = tmp_path / "a"
    array = MappedArray.create(path, "<u4")
    array.extend(range(64))
    os.truncate(path, 16)
    with pytest.raises(FormatError, match="file size"):
        array.extend([1])


def test_views_survive_trim_in_a_process_that_would_die(tmp_path):
    """The fault that kills a process is tried in one of its own."""
    code = """
import sys, numpy as np
from nkgraph.storage.mapped import MappedArray
a = MappedArray.create(sys.argv[1], np.uint8, capacity=1 << 20)
a.extend(np.ones(10, np.uint8))
views = [np.asarray(a._block)]
a.trim(); a.save(sys.argv[1]); a.extend(np.ones(5000, np.uint8)); views.append(a.array); a.trim()
a.close()
print([int(view.sum()) for view in views])
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[10, 5010]"
