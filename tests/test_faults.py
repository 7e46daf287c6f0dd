"""Every call of a save that changes files fails in turn, and the process ends there in turn.

The directory then holds the old graph or the new one, whole; the graph in memory answers as
before and can be saved again.
"""

import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from faults import at_step, die, ended, fail, start, state

import nkgraph as nk

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")

IN_PLACE = {
    "save": lambda g: g.save(),
    "seal": lambda g: g.seal(),
    "compact": lambda g: g.compact(),
}
ELSEWHERE = {
    "save": lambda g, path: g.save(path),
    "flat": lambda g, path: g.save(path, layout="flat"),
    "compact": lambda g, path: g.compact(path),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A directory of two segments."""
    path = tmp_path_factory.mktemp("saved") / "g"
    with nk.create(path) as g:
        nodes = g.add_nodes("N", [1, 2, "c"], {"x": [0.5, None, 2]})
        g.add_edges("E", nodes, nodes[[1, 2, 2]], {"w": [1, 2, None]})
        g.save()
        more = g.add_nodes("N", [7, "h"])
        g.add_edges("E", more, nodes[:2], {"w": [3, 4]})
        g.seal()
    return path


def change(g, operation):
    """Leave something to seal, and touch a stored segment unless the operation is a plain seal."""
    if operation != "seal":
        g.remove_nodes([1])
        g.update_nodes([0], {"x": [9]})
    added = g.add_nodes("N", [20, 21], {"x": [None, 3]})
    g.add_edges("E", added, np.array([0, 2]), {"w": [5, 6]})


def said(path):
    """What a directory holds; it must be without fault."""
    with nk.open(path) as g:
        report = g.verify()
        assert report.ok, str(report)
        return state(g)


class Reader:
    """Says what a native directory holds; asks again only where files are others."""

    def __init__(self):
        self.known = {}

    def said(self, root):
        name = (root / "CURRENT").read_text().strip()
        files = []
        for path in sorted((root / "generations" / name).rglob("*")):
            stat = path.stat()
            files.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns))
        key = tuple(file for file in files if Path(file[0]).is_file())
        if key not in self.known:
            self.known[key] = said(root)
        return self.known[key]


def assert_clean(root):
    assert {path.name for path in root.iterdir()} == {"CURRENT", "generations", ".lock"}
    assert len(list((root / "generations").iterdir())) == 1


def whole_or_nothing(path, want):
    """Whether a path holds the graph; if not, it must be no graph at all."""
    try:
        found = said(path)
    except (FileNotFoundError, nk.FormatError):
        return False
    assert found == want
    return True


class Place:
    """A copy of the saved directory, opened and changed, again and again."""

    def __init__(self, saved, root, operation):
        self.saved, self.root, self.operation = saved, root, operation
        self.before = said(saved)
        self.g = None
        self.renew()
        self.after = state(self.g)

    def renew(self):
        if self.g is not None:
            self.g.close()
            shutil.rmtree(self.root)
        shutil.copytree(self.saved, self.root)
        self.g = nk.open(self.root, "r+")
        change(self.g, self.operation)


ONWARDS = {False: "once", True: "from there on"}


@pytest.mark.parametrize("onwards", ONWARDS, ids=ONWARDS.get)
@pytest.mark.parametrize("operation", IN_PLACE)
def test_a_failure_at_any_call_leaves_the_old_graph_or_the_new(saved, tmp_path, operation, onwards):
    place, reader = Place(saved, tmp_path / "g", operation), Reader()
    for step in itertools.count(1):
        failed = False
        with at_step(step, fail, onwards) as calls:
            try:
                IN_PLACE[operation](place.g)
            except OSError:
                failed = True
        assert state(place.g) == place.after
        found = reader.said(place.root)
        assert found in (place.before, place.after)
        if len(calls) < step:
            break
        assert failed or found == place.after
        if found == place.before and not onwards:
            assert_clean(place.root)
        if found == place.after:  # it was published all the same, or no harm was done
            place.g.save()
            assert_clean(place.root)
            assert reader.said(place.root) == state(place.g) == place.after
            place.renew()
    assert step > 80
    assert not failed
    assert found == place.after
    assert_clean(place.root)
    place.g.close()


@pytest.mark.parametrize("onwards", ONWARDS, ids=ONWARDS.get)
@pytest.mark.parametrize("exists", [False, True], ids=["new", "empty"])
@pytest.mark.parametrize("operation", ELSEWHERE)
def test_a_failure_at_any_call_leaves_nothing_elsewhere(
    saved, tmp_path, operation, exists, onwards
):
    want = said(saved)
    target = tmp_path / "folder" / "to"
    (target if exists else target.parent).mkdir(parents=True)
    with nk.open(saved) as g:
        for step in itertools.count(1):
            failed = False
            with at_step(step, fail, onwards) as calls:
                try:
                    ELSEWHERE[operation](g, target)
                except OSError:
                    failed = True
            if len(calls) < step:
                break
            if failed and not onwards:
                assert list(target.parent.rglob("*")) == ([target] if exists else [])
            elif whole_or_nothing(target, want):  # the disk let nothing be taken back
                shutil.rmtree(target)
            else:
                assert failed
            if exists:
                target.mkdir(exist_ok=True)
        assert step > 50
        assert not failed
        assert state(g) == said(target) == want
    assert list(target.parent.iterdir()) == [target]


@needs_fork
@pytest.mark.parametrize("operation", IN_PLACE)
def test_the_end_at_any_call_leaves_the_old_graph_or_the_new(saved, tmp_path, operation):
    root, reader = tmp_path / "g", Reader()
    shutil.copytree(saved, root)
    outcomes = []
    with nk.open(root, "r+") as g:
        before = state(g)
        change(g, operation)
        after = state(g)

    def work(step):
        with nk.open(root, "r+") as g:
            change(g, operation)
            with at_step(step, die):
                IN_PLACE[operation](g)

    for step in itertools.count(1):
        whole = ended(start(lambda step=step: work(step)))
        found = reader.said(root)
        assert found in (before, after)
        with nk.open(root, "r+") as g:  # nobody holds the lock, and what was left is swept
            g.save()
        assert_clean(root)
        assert reader.said(root) == found
        outcomes.append(found == after)
        if whole:
            break
        if found == after:
            shutil.rmtree(root)
            shutil.copytree(saved, root)
    assert step > 80
    assert outcomes == sorted(outcomes)
    assert found == after


@needs_fork
@pytest.mark.parametrize("exists", [False, True], ids=["new", "empty"])
@pytest.mark.parametrize("operation", ELSEWHERE)
def test_the_end_at_any_call_leaves_nothing_or_all_elsewhere(saved, tmp_path, operation, exists):
    target = tmp_path / "to"
    want = said(saved)

    def work(step):
        with at_step(step, die):
            ELSEWHERE[operation](g, target)

    with nk.open(saved) as g:
        for step in itertools.count(1):
            if exists:
                target.mkdir(exist_ok=True)
            whole = ended(start(lambda step=step: work(step)))
            found = whole_or_nothing(target, want)
            if whole:
                break
            if found:
                shutil.rmtree(target)
    assert step > 50
    assert found
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("operation", IN_PLACE)
def test_all_is_synced_before_current_names_it(saved, tmp_path, monkeypatch, operation):
    """What was linked was synced by the save that wrote it."""
    place = Place(saved, tmp_path / "g", operation)
    synced, unsynced, order = set(), [], []
    replace, rename = os.replace, os.rename

    def fsync(handle):
        synced.add(os.fstat(handle).st_ino)
        order.append(os.fstat(handle).st_ino)

    def renamed(source, target):
        rename(source, target)
        order.append("renamed")

    def replaced(source, target):
        (new,) = set((place.root / "generations").iterdir()) - old
        for path in [new, *new.rglob("*"), Path(source)]:
            stat = path.stat()
            if stat.st_ino not in synced and (path.is_dir() or stat.st_nlink == 1):
                unsynced.append(path)
        replace(source, target)
        order.append("replaced")

    old = set((place.root / "generations").iterdir())
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.setattr(os, "replace", replaced)
    IN_PLACE[operation](place.g)
    monkeypatch.undo()
    folder, root = ((place.root / name).stat().st_ino for name in ("generations", "."))
    assert not unsynced
    assert folder in order[order.index("renamed") : order.index("replaced")]
    assert root in order[order.index("replaced") :]
    place.g.close()
