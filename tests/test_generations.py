"""Files and generations: limits, locks, and a crash at every step."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import zstandard

import nkgraph as nk
from nkgraph.storage import files


def test_map_array(tmp_path):
    path = tmp_path / "a"
    np.arange(5, dtype="<u4").tofile(path)
    array = files.map_array(path, np.dtype("<u4"))
    assert array.tolist() == [0, 1, 2, 3, 4]
    assert not array.flags.writeable
    assert array.flags.c_contiguous
    assert files.map_array(path, np.dtype("<u4"), 2).tolist() == [0, 1]
    assert files.map_array(path, np.dtype("<u4"), 0).size == 0
    for dtype, count, message in (("<u8", None, "a multiple of 8"), ("<u4", 6, ">= 24 bytes")):
        with pytest.raises(nk.FormatError, match=message):
            files.map_array(path, np.dtype(dtype), count)
    for target, message in ((tmp_path, "a directory"), (tmp_path / "b", "found none")):
        with pytest.raises(nk.FormatError, match=message):
            files.map_array(target, np.dtype("u1"))


def test_zstd_frames(tmp_path):
    data = os.urandom(1000) * 300
    frame = files.compress(data)
    path = tmp_path / "a.zst"
    path.write_bytes(frame)
    assert files.decompress(path) == data
    assert files.decompress(path, frame + files.compress(b"x")) == data + b"x"
    assert files.compress(data) == frame
    for cut in (1, 5, len(frame) // 2, len(frame) - 1):
        with pytest.raises(nk.FormatError, match="zstd frame"):
            files.decompress(path, frame[:cut])
    for bad in (b"", b"no frame at all", frame + b"rubbish", frame[:40] + b"\0" * 40 + frame[80:]):
        with pytest.raises(nk.FormatError, match="zstd frame"):
            files.decompress(path, bad)


def test_a_small_frame_that_expands_without_end_is_stopped(tmp_path):
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(1 << 28))
    assert len(bomb) < 1 << 17
    with pytest.raises(nk.LimitError, match="over 1000000 bytes"):
        files.decompress(tmp_path / "bomb", bomb, limit=1_000_000)
    lying = bytearray(files.compress(b"abc" * 100))
    lying[5] = 0xFF  # the declared content size
    with pytest.raises(nk.FormatError):
        files.decompress(tmp_path / "lying", bytes(lying))


def test_write_atomic_leaves_old_or_new(tmp_path, monkeypatch):
    path = tmp_path / "a"
    files.write_atomic(path, [b"old"])

    def fail(*_):
        raise OSError("disk")

    for name in ("fsync",):
        monkeypatch.setattr(os, name, fail)
        with pytest.raises(OSError, match="disk"):
            files.write_atomic(path, [b"new"])
        monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"old"
    files.write_atomic(path, [b"n", np.arange(2, dtype="<u2"), memoryview(b"w")])
    assert path.read_bytes() == b"n\0\0\1\0w"


def test_writer_lock(tmp_path):
    with (
        files.WriterLock(tmp_path),
        pytest.raises(nk.LockedError, match=f"process {os.getpid()} on "),
    ):
        files.WriterLock(tmp_path)
    files.WriterLock(tmp_path).close()
    code = f"""
from pathlib import Path
from nkgraph.storage.files import WriterLock
lock = WriterLock(Path({str(tmp_path)!r}))
print("held", flush=True)
input()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(nk.LockedError, match=f"process {holder.pid}"):
        files.WriterLock(tmp_path)
    holder.kill()
    holder.communicate()
    files.WriterLock(tmp_path).close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"gen_1\n", "gen_ and 20 digits"),
        (b"../../etc\n", "gen_ and 20 digits"),
        (b"", "gen_ and 20 digits"),
        (b"gen_00000000000000000009\n", "a generation that is there"),
        (b"\xff\xfe", "gen_ and 20 digits"),
    ],
)
def test_a_damaged_current(tmp_path, content, message):
    graph(1).save(tmp_path / "g")
    (tmp_path / "g" / "CURRENT").write_bytes(content)
    for mode in ("r", "r+"):
        with pytest.raises(nk.FormatError, match=message):
            nk.open(tmp_path / "g", mode)


def graph(nodes):
    g = nk.Graph()
    ids = g.add_nodes("N", np.arange(nodes), {"x": np.arange(nodes) / 2})
    g.add_edges("E", ids[:-1], ids[1:])
    return g


def test_left_overs_are_collected_and_others_are_not(tmp_path):
    root = tmp_path / "g"
    graph(3).save(root)
    folder = root / "generations"
    (folder / ".tmp_00000000000000000007").mkdir()
    (folder / "notes").mkdir()
    with nk.open(root, "r+") as g:
        g.save()
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["gen_00000000000000000000", "notes"]


class Crash(BaseException):
    """Not an Exception: nothing on the way may swallow it."""


def crash_at(monkeypatch, step):
    """Let the ``step``-th call that touches files raise; return how many there were."""
    calls = []

    def wrap(owner, name):
        original = getattr(owner, name)

        def counted(*arguments, **options):
            calls.append(name)
            if len(calls) == step:
                raise Crash
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    for owner, name in (
        (os, "fsync"),
        (os, "link"),
        (pathlib.Path, "rename"),
        (pathlib.Path, "replace"),
        (pathlib.Path, "mkdir"),
        (pathlib.Path, "open"),
    ):
        wrap(owner, name)
    return calls


def test_a_crash_at_any_step_of_a_save_leaves_the_old_graph_or_the_new(tmp_path, monkeypatch):
    graph(3).save(tmp_path / "start")
    step, outcomes = 1, []
    while True:
        root = tmp_path / "g"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tmp_path / "start", root)
        g = nk.open(root, "r+")
        g.add_nodes("N", [10])
        calls = crash_at(monkeypatch, step)
        try:
            g.save()
            crashed = False
        except Crash:
            crashed = True
        finally:
            monkeypatch.undo()
            total = len(calls)
            g.close()
        with nk.open(root) as after:
            outcomes.append(after.node_count)
            assert after.node_count in (3, 4)
            assert after.read_nodes("N")["x"].tolist()[:3] == [0, 0.5, 1]
        with nk.open(root, "r+") as again:
            again.save()
        assert len(list((root / "generations").iterdir())) == 1
        if not crashed:
            break
        step += 3  # every kind of step is met; each of them would take a minute
    assert total > 40
    assert outcomes[0] == 3
    assert outcomes[-1] == 4
    assert outcomes == sorted(outcomes)


@pytest.mark.parametrize("layout", [None, "flat"])
def test_a_crash_in_a_first_save_leaves_nothing(tmp_path, monkeypatch, layout):
    g = graph(3)
    for step in (2, 9, 17, 30):
        for exists in (False, True):
            root = tmp_path / "g"
            if exists:
                root.mkdir()
            crash_at(monkeypatch, step)
            with pytest.raises(Crash):
                g.save(root, layout=layout)
            monkeypatch.undo()
            assert root.exists() == exists
            if exists:
                assert list(root.iterdir()) == []
                root.rmdir()
            assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_in_the_middle_of_a_save(tmp_path):
    root = tmp_path / "g"
    graph(3).save(root)
    code = f"""
import os, pathlib, sys
import nkgraph as nk
g = nk.open({str(root)!r}, "r+")
g.add_nodes("N", [10])
left = [int(sys.argv[1])]
original = os.fsync
def fsync(handle):
    left[0] -= 1
    if left[0] == 0:
        os._exit(7)
    original(handle)
os.fsync = fsync
g.save()
"""
    for step in (1, 4, 8):
        result = subprocess.run([sys.executable, "-c", code, str(step)], check=False)
        assert result.returncode == 7
        with nk.open(root) as g:
            assert g.node_count == 3
    with nk.open(root, "r+") as g:
        g.save()
    assert len(list((root / "generations").iterdir())) == 1


def test_a_read_only_directory_is_read(tmp_path):
    root = tmp_path / "g"
    graph(3).save(root)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with nk.open(root) as g:
            assert g.node_count == 3
            assert g.csr("E").targets.tolist() == [1, 2]
    finally:
        for path in [root, *root.rglob("*")]:
            path.chmod(0o755)


def test_files_that_did_not_change_are_links(tmp_path):
    root = tmp_path / "g"
    graph(1000).save(root)
    with nk.open(root) as reader, nk.open(root, "r+") as g:
        g.update_nodes([3], {"x": [7.5]})
        g.save()
        old, new = sorted((root / "generations").iterdir())
        linked = {
            str(path.relative_to(new))
            for path in new.rglob("*")
            if path.is_file() and path.samefile(old / path.relative_to(new))
        }
        written = {str(p.relative_to(new)) for p in new.rglob("*") if p.is_file()} - linked
        assert written == {"seg_000/columns.bin", "disk_graph_meta.json", "nkgraph.json"}
        assert reader.read_nodes("N")["x"].values[3] == 1.5
        assert g.read_nodes("N")["x"].values[3] == 7.5


def test_what_a_killed_first_save_left_is_in_nobodys_way(tmp_path):
    root = tmp_path / "g"
    (root / "generations" / "gen_00000000000000000000").mkdir(parents=True)
    (root / "generations" / ".tmp_00000000000000000001").mkdir()
    (root / ".lock").write_text("{}")
    with pytest.raises(nk.FormatError, match="CURRENT"):
        nk.open(root)
    graph(3).save(root)
    with nk.open(root) as g:
        assert g.node_count == 3
    for other in ("notes.txt", "generations/notes.txt"):
        folder = tmp_path / other.replace("/", "-")
        (folder / other).parent.mkdir(parents=True)
        (folder / other).write_text("mine")
        for layout in (None, "flat"):
            with pytest.raises(nk.GraphError, match="holds something"):
                graph(3).save(folder, layout=layout)
        assert (folder / other).read_text() == "mine"
