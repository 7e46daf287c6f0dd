"""Stitched rows in files: kept, believed only whole, and out of the way of the graph."""

import numpy as np
import pytest

import nkgraph as nk
from nkgraph.storage.kglite import stitch


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(5)
    with nk.create(tmp_path / "g") as g:
        for number in range(4):
            nodes = g.add_nodes("P", np.arange(50) + 100 * number)
            ends = rng.integers(0, g.node_count, (2, 80)) if number else rng.choice(nodes, (2, 80))
            g.add_edges("AB"[number % 2], *ends)
            g.add_edges("C", *rng.choice(nodes, (2, 30)))
            g.seal()
    return tmp_path / "g"


def rows(g):
    found = [g.csr(direction=side) for side in ("out", "in")]
    return [[part.offsets.tolist(), part.targets.tolist(), part.edges.tolist()] for part in found]


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_rows_are_stitched_once_for_a_generation(path, tmp_path, monkeypatch):
    before = listing(path)
    with nk.open(path) as g:
        expected = rows(g)
    with nk.open(path, cache=tmp_path / "c") as g:
        assert rows(g) == expected
    files = listing(tmp_path / "c")
    assert [name.rsplit("/")[-1] for name in files] == [
        "in.json", "in_edges.bin", "in_offsets.bin", "out.json", "out_edges.bin", "out_offsets.bin",
    ]  # fmt: skip
    monkeypatch.setattr("nkgraph.stitching.stitch", lambda *_, **__: pytest.fail("stitched again"))
    with nk.open(path, cache=tmp_path / "c") as g:
        assert rows(g) == expected
    assert listing(path) == before  # reading never writes there


def test_a_new_generation_has_rows_of_its_own(path, tmp_path):
    with nk.open(path, "r+", cache=tmp_path / "c") as g:
        rows(g)
        first = {name.split("/")[1] for name in listing(tmp_path / "c")}
        g.add_edges("A", [0], [1])
        with_added = rows(g)  # not of a generation: on the heap
        assert {name.split("/")[1] for name in listing(tmp_path / "c")} == first
        g.seal()
        assert rows(g) == with_added
        second = {name.split("/")[1] for name in listing(tmp_path / "c")}
        assert len(second) == 1
        assert second != first


@pytest.mark.parametrize("name", ["out_offsets.bin", "out_edges.bin", "out.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone"])
def test_damage_is_not_believed(path, tmp_path, name, damage):
    with nk.open(path, cache=tmp_path / "c") as g:
        expected = rows(g)
    file = next((tmp_path / "c").rglob(name))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.unlink()
    if damage != "gone":
        file.write_bytes({"flip": data, "cut": data[:-8], "empty": b""}[damage])
    with nk.open(path, cache=tmp_path / "c") as g:
        assert rows(g) == expected


def test_a_failed_stitch_leaves_nothing(path, tmp_path, monkeypatch):
    monkeypatch.setattr("os.posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with nk.open(path, cache=tmp_path / "c") as g:
        with pytest.raises(OSError, match="full"):
            g.csr()
        assert listing(tmp_path / "c") == []
        assert g.neighbors(0).size == np.count_nonzero(g.edges()[0] == 0)


def test_large_rows_go_to_files_unasked(path, tmp_path, monkeypatch):
    monkeypatch.setattr(stitch, "physical_memory", lambda: 1000)
    monkeypatch.setenv("NKGRAPH_CACHE_DIR", str(tmp_path / "d"))
    with nk.open(path) as g:
        expected = rows(g)
        assert len(listing(tmp_path / "d")) == 6
    monkeypatch.undo()
    with nk.open(path) as g:
        assert rows(g) == expected


def test_an_edgeless_graph_has_rows_in_files_too(tmp_path):
    with nk.create(tmp_path / "g") as g:
        for number in range(2):
            g.add_nodes("P", [number])
            g.seal()
        g._cache = tmp_path / "c"
        g._attach(g._opened)
        assert g.csr().offsets.tolist() == [0, 0, 0]
