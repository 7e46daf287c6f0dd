"""What ``verify`` finds, and what it does not."""

import numpy as np
import pytest

import nkgraph as nk

CLEAN = ("basic", "values", "columns_bin", "converted", "legacy", "nodes_only", "seg_local")


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_found_where_nothing_is_wrong(data, name):
    with nk.open(data / "kglite" / name / "graph") as g:
        report = g.verify()
    assert report.ok, str(report)
    assert str(report) == "every rule holds"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("deleted", {"node_id_hi", "csr_sorted_by_type", "conn_type_index", "peer_count"}),
        ("overflow", {"conn_type_index", "peer_count"}),
        ("recycled", {"node_id_hi"}),
        ("seg_full", {"csr_sorted_by_type", "conn_type_index"}),
    ],
)
def test_what_kglite_leaves_behind_is_found(data, name, fields):
    with nk.open(data / "kglite" / name / "graph") as g:
        report = g.verify()
    assert not report.ok
    assert {finding.field for finding in report.findings} == fields


@pytest.mark.parametrize("name", ["basic", "deleted", "overflow"])
def test_a_save_mends_what_was_found(data, tmp_path, name):
    with nk.open(data / "kglite" / name / "graph") as g:
        g.save(tmp_path / "native")
        g.save(tmp_path / "flat", layout="flat")
    for layout in ("native", "flat"):
        with nk.open(tmp_path / layout) as g:
            assert g.verify().ok, str(g.verify())


def test_a_changed_byte_anywhere_in_a_native_directory_is_found(tmp_path):
    g = nk.Graph()
    ids = g.add_nodes("N", np.arange(50), {"x": np.arange(50) / 2})
    g.add_edges("E", ids[:-1], ids[1:], {"w": np.arange(49)})
    assert g.verify().ok
    g.save(tmp_path / "g")
    (generation,) = (tmp_path / "g" / "generations").iterdir()
    for file in sorted(generation.rglob("*.bin")):
        blob = bytearray(file.read_bytes())
        blob[len(blob) // 2] ^= 1
        file.write_bytes(bytes(blob))
        with nk.open(tmp_path / "g") as opened:
            report = opened.verify()
        assert file.name in str(report), file.name
        blob[len(blob) // 2] ^= 1
        file.write_bytes(bytes(blob))
    with nk.open(tmp_path / "g", "r+") as opened:
        assert opened.verify().ok
        opened.compact()
        assert opened.verify().ok
