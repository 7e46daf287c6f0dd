"""What random programs (``test_model.py``) found wrong once, each as a short case."""

import os
import subprocess
import sys

import numpy as np
import pytest

import nkgraph as nk


def test_the_text_id_of_a_removed_node_whose_slot_has_another_type(tmp_path):
    g = nk.create(tmp_path / "g")
    g.add_nodes("T", ["a", "b"])
    g.add_nodes("Other", [1, 2, 3])
    g.save()
    g.remove_nodes([0])
    assert g.add_nodes("Other", [4]).tolist() == [0]
    assert g.find("T", ["a", "b"], missing="sentinel").tolist() == [nk.NO_NODE, 1]
    g.close()


def test_timestamps_of_edges_are_refused_by_the_flat_layout(tmp_path):
    """kglite 0.11.0 showed them as absent, without a word."""
    g = nk.Graph()
    nodes = g.add_nodes("N", [1, 2])
    times = np.array(["2024-01-01T10:00:01"], "M8[s]")
    g.add_edges("E", nodes[:1], nodes[1:], {"at": times})
    with pytest.raises(nk.LimitError, match=r"E\.at holds timestamps"):
        g.save(tmp_path / "flat", layout="flat")
    assert list(tmp_path.iterdir()) == []


def test_compact_forgets_when_ids_were_narrowed_and_columns_lost(tmp_path):
    """Equal graphs had other bytes if a save had come between."""
    for path, pause in ((tmp_path / "at once", False), (tmp_path / "in steps", True)):
        with nk.create(path) as g:
            (node,) = g.add_nodes("N", [1], {"gone": [True]})
            if pause:
                g.save()
            nodes = g.add_nodes("N", ["a", 2**40])
            g.remove_nodes([node])
            if pause:
                g.save()
            g.add_nodes("N", [7])
            g.add_edges("E", nodes, nodes[::-1], {"w": [1, 2]})
            g.update_edges([0, 1], {"w": [None, None]})
            g.compact()
            assert list(g.read_nodes("N")) == []
            assert list(g.read_edges("E")) == []
    contents = []
    for name in ("at once", "in steps"):
        (generation,) = (tmp_path / name / "generations").iterdir()
        files = sorted(file for file in generation.rglob("*") if file.is_file())
        contents.append([(file.relative_to(generation), file.read_bytes()) for file in files])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("layout", [None, "flat"])
def test_a_path_where_a_save_was_killed_can_be_saved_to(tmp_path, layout):
    """What was to become CURRENT, or the folder, lay in the way for ever."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "g"
    if layout is None:
        path.mkdir()
        (path / f".CURRENT.{ended.pid}-1.tmp").write_text("gen_")
    else:
        (tmp_path / f".g.{ended.pid}-1.tmp").mkdir()
    g = nk.Graph()
    g.add_nodes("N", [1])
    g.save(path, layout=layout)
    assert list(tmp_path.iterdir()) == [path]
    assert not list(path.glob(".CURRENT*"))
    with nk.open(path) as saved:
        assert saved.node_count == 1


def test_a_lock_that_cannot_be_signed_is_let_go(tmp_path, monkeypatch):
    """A full disk left the directory locked until the process ended."""

    def full(*_):
        raise OSError("no space left")

    nk.create(tmp_path / "g").close()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="no space"):
        nk.open(tmp_path / "g", "r+")
    monkeypatch.undo()
    nk.open(tmp_path / "g", "r+").close()
