"""The faults of the engine that first wrote this format, each with the test that would show it.

Numbers are those of the format's description, section 16. Faults in reading are shown on the
engine's own files; faults in writing by doing here what makes the engine fail.
"""

import json
import shutil

import numpy as np
import pytest

import nkgraph as nk
from nkgraph import gathering, stitching
from nkgraph.storage import files, generations
from nkgraph.storage.kglite import writer

TRUTHS = ("seg_full", "deleted", "overflow", "recycled")


def fixture(data, name):
    folder = data / "kglite" / name
    table = json.loads((folder / "expected.json").read_text())
    return nk.open(folder / "graph"), {**table["kglite"], **table["truth"]}


def key_of(g, node):
    return [*g.types([node]).tolist(), *g.ids([node]).tolist()]


def social(path):
    """Edges whose order of insertion is not that of their sources and types."""
    g = nk.create(path)
    people = g.add_nodes("Person", np.arange(6), {"age": np.arange(6)}, titles=[*"abcdef"])
    g.add_edges("KNOWS", people[[5, 0, 3]], people[[1, 2, 2]], {"w": [50, 0, 30]})
    g.add_edges("ADMIRES", people[[4, 0]], people[[1, 3]], {"w": [41, 1]})
    g.save()
    return g


def grow(g):
    """Add nodes and edges; return what the edges are and have."""
    first = g.node_count
    new = g.add_nodes("Person", [first + 100, first + 101], {"age": [7, 8]})
    g.add_edges("KNOWS", new[[1, 0, 1]], [0, int(new[1]), 2], {"w": [70, 71, 72]})
    g.add_edges("ADMIRES", new[[0, 1]], [5, 5], {"w": [80, 81]})
    return {
        (first + 1, 0, 70), (first, first + 1, 71), (first + 1, 2, 72),
        (first, 5, 80), (first + 1, 5, 81),
    }  # fmt: skip


def edges_of(g):
    found = set()
    for kind in g.connection_types:
        sources, targets, edges = g.edges(kind)
        values = g.read_edges(kind, ["w"], edges=edges)["w"].tolist()
        found |= set(zip(sources.tolist(), targets.tolist(), values, strict=True))
    return found


def read_all(path):
    with nk.open(path) as g:
        for kind in g.node_types:
            g.read_nodes(kind)
        for kind in g.connection_types:
            g.read_edges(kind)


def listing(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", TRUTHS)
def test_fault_01_typed_search_over_unsorted_rows(data, name):
    g, want = fixture(data, name)
    for query, peers in want["typed_out"].items():
        head, kind = query.rsplit(":", 1)
        node_type, key = head.split(":")
        node = g.find(node_type, [int(key) if key.isdecimal() else key])[0]
        found = [key_of(g, peer) for peer in g.neighbors(node, kind)]
        assert sorted(map(str, found)) == sorted(map(str, peers))
        assert g.degrees([node], kind).tolist() == [len(peers)]


def test_fault_02_sources_twice_after_joining_segments(data):
    g, want = fixture(data, "seg_full")
    for kind, pairs in want["typed_pairs"].items():
        sources = g.sources(kind)
        assert (np.diff(sources.astype(np.int64)) > 0).all()
        ends = {tuple(key_of(g, node)) for node in sources}
        assert ends == {tuple(pair[:2]) for pair in pairs}
        assert g.degrees(connection_type=kind).sum() == len(pairs)


def test_fault_03_properties_stay_on_their_edges_at_a_seal(tmp_path):
    with social(tmp_path / "g") as g:
        before = edges_of(g)
        new = grow(g)
        g.seal()
        assert edges_of(g) == before | new
        new = grow(g) | new
        g.seal()
    with nk.open(tmp_path / "g") as g:
        assert edges_of(g) == before | new


def test_fault_04_unchanged_edge_properties_survive_every_save(tmp_path):
    with social(tmp_path / "g") as g:
        before = edges_of(g)
        for number in range(4):
            g.add_nodes("Town", [number])
            g.save()
            assert edges_of(g) == before
        g.update_edges([0], {"w": [51]})
        g.save()
        assert edges_of(g) == before - {(5, 1, 50)} | {(5, 1, 51)}


def test_fault_05_sealed_edges_are_seen_at_once(tmp_path):
    with social(tmp_path / "g") as g:
        grow(g)
        shown = g.edge_count, g.neighbors(7).tolist(), g.csr().targets.tolist()
        g.seal()
        assert (g.edge_count, g.neighbors(7).tolist(), g.csr().targets.tolist()) == shown


def test_fault_06_ranges_count_slots_not_live_nodes(tmp_path):
    with social(tmp_path / "g") as g:
        new = g.add_nodes("Person", [100, 101, 102, 103])
        g.add_edges("KNOWS", new[[2, 3]], new[[3, 2]], {"w": [1, 2]})
        g.remove_nodes(new[:2])
        g.remove_nodes([0])
        g.seal()
        assert g._opened.stored.meta.sealed_nodes_bound == 10
        assert [s.last_node for s in g._opened.stored.segments] == [6, 10]
    with nk.open(tmp_path / "g") as g:
        assert g.ids(g.nodes("Person")).tolist() == [1, 2, 3, 4, 5, 102, 103]
        assert g.neighbors(8).tolist() == [9]
        assert g.verify().ok


def test_fault_07_removals_reach_no_file_before_a_save(tmp_path):
    social(tmp_path / "g").close()
    before = listing(tmp_path / "g")
    with nk.open(tmp_path / "g", "r+") as g:
        g.remove_nodes([5])
        g.remove_edges([1])
        g.update_nodes([2], {"age": [99]})
        assert (g.node_count, g.edge_count) == (5, 3)
    assert listing(tmp_path / "g") == before | {".lock": (tmp_path / "g" / ".lock").read_bytes()}
    with nk.open(tmp_path / "g") as g:
        assert (g.node_count, g.edge_count) == (6, 5)


def test_fault_08_overflow_is_counted_once(data, tmp_path):
    g, want = fixture(data, "overflow")
    assert g.edge_count == want["edge_count"]
    for layout in (None, "flat"):
        path = tmp_path / str(layout)
        g.save(path, layout=layout)
        assert not list(path.rglob("overflow_edges*"))
        with nk.open(path) as again:
            assert again.edge_count == want["edge_count"]


def test_fault_08_a_stale_overflow_file_adds_nothing(data, tmp_path):
    """As the engine leaves it when it seals in place: the edges are in the rows as well."""
    g, want = fixture(data, "overflow")
    g.save(tmp_path / "g", layout="flat")
    shutil.copy(g.path / "overflow_edges.bin.zst", tmp_path / "g")
    with nk.open(tmp_path / "g") as again:
        assert again.edge_count == again.csr().edge_count == want["edge_count"]
        assert sum(again.neighbors(node).size for node in again.nodes()) == want["edge_count"]
        assert {finding.field for finding in again.verify().findings} == {"overflow"}


def test_fault_09_rows_added_after_opening_have_all_columns(tmp_path):
    social(tmp_path / "g").close()
    for number in range(3):
        with nk.open(tmp_path / "g", "r+") as g:
            g.add_nodes("Person", [100 + number], {"nick": [f"n{number}"]})
            g.save()
    with nk.open(tmp_path / "g") as g:
        table = g.read_nodes("Person", ["id", "title", "age", "nick"])
        assert table["id"].tolist()[-4:] == [5, 100, 101, 102]
        assert table["age"].tolist()[-4:] == [5, None, None, None]
        assert table["nick"].tolist()[-4:] == [None, "n0", "n1", "n2"]


@pytest.mark.parametrize("start", ["own", "columns_bin"])
def test_fault_10_mapped_columns_are_written_again(data, tmp_path, start):
    if start == "own":
        social(tmp_path / "g").close()
        kind, name = "Person", "age"
    else:
        g, _ = fixture(data, "columns_bin")
        g.save(tmp_path / "g")
        kind, name = "City", "P1082"
    with nk.open(tmp_path / "g", "r+") as g:
        node = int(g.nodes(kind)[1])
        new = int(g.add_nodes(kind, [10**6], {name: [123]})[0])
        g.update_nodes([node], {name: [456]})
        g.save()
    with nk.open(tmp_path / "g") as g:
        assert g.read_nodes(kind, [name], nodes=[new, node])[name].tolist() == [123, 456]


@pytest.mark.parametrize("name", TRUTHS)
def test_fault_11_indexes_follow_removals_and_overflow(data, tmp_path, name):
    g, _ = fixture(data, name)
    g.save(tmp_path / "g")
    with nk.open(tmp_path / "g", "r+") as native:
        native.remove_edges(native.edges()[2][:3])
        native.save()
        for graph in (g, native):
            for kind in graph.connection_types:
                sources, targets, _ = graph.edges(kind)
                assert graph.sources(kind).tolist() == sorted(set(sources.tolist()))
                peers, counts = graph.peer_counts(kind)
                assert peers.tolist() == sorted(set(targets.tolist()))
                assert counts.tolist() == [targets.tolist().count(peer) for peer in peers]


def test_fault_12_foreign_property_indexes_are_not_believed(data, tmp_path):
    """The engine indexes titles in place of ``nid`` there, and so finds nothing."""
    g, _ = fixture(data, "columns_bin")
    nids = g.read_nodes("City", ["nid"])["nid"].tolist()
    titles = g.titles(g.nodes("City")).tolist()
    found = g.read_nodes("City", ["nid"], where={"nid": nids[3]})
    assert found["nid"].tolist() == [nids[3]]
    assert len(g.read_nodes("City", where={"nid": titles[3]})) == 0
    shutil.copytree(g.path, tmp_path / "g")
    for file in (tmp_path / "g").rglob("*_index_*"):
        file.unlink()
    with nk.open(tmp_path / "g") as bare:
        assert bare.read_nodes("City", ["nid"], where={"nid": nids[3]}).rows == found.rows


def test_fault_13_type_lists_ascend_after_slots_are_used_again(data, tmp_path):
    g, _ = fixture(data, "recycled")
    g.save(tmp_path / "g")
    with nk.open(tmp_path / "g", "r+") as native:
        kind = next(iter(native.node_types))
        native.remove_nodes(native.nodes(kind)[:2])
        native.add_nodes(kind, [10**6, 10**6 + 1, 10**6 + 2])
        native.save()
        for graph in (g, native):
            for name in graph.node_types:
                nodes = graph.nodes(name)
                assert (np.diff(nodes.astype(np.int64)) > 0).all()
                assert set(graph.types(nodes).tolist()) == {name}
        stored = [s.type_nodes() for s in native._opened.stored.segments]
        assert all(
            (np.diff(n.astype(np.int64)) > 0).all() for part in stored for n in part.values()
        )


def test_fault_14_a_failure_leaves_the_old_state(tmp_path, monkeypatch):
    with social(tmp_path / "g") as g:
        before = edges_of(g)
        new = grow(g)
        monkeypatch.setattr(generations, "write_atomic", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            g.seal()
        with nk.open(tmp_path / "g") as reader:
            assert edges_of(reader) == before
        monkeypatch.undo()
        assert edges_of(g) == before | new
        g.seal()
        assert edges_of(g) == before | new


def test_fault_15_nothing_wraps_at_32_bits(tmp_path):
    hashes, offsets = np.array([7], np.uint64), np.array([0, 1])
    part = stitching.CountPart(hashes, offsets, np.array([3], "u4"), np.array([2**31], np.uint64))
    merged = stitching.merge_counts(9, [part] * 4)
    assert merged[3].tolist() == [2**33]
    with social(tmp_path / "g") as g:
        segment = gathering.whole_segment(g, canonical=True)
        segment.peers = merged
        with pytest.raises(nk.LimitError, match="32 bits"):
            writer._core_files("seg_000/", segment)


@pytest.mark.parametrize("at", [0, 8])
def test_fault_16_a_wrong_magic_or_version_is_not_an_absent_file(data, tmp_path, at):
    shutil.copytree(data / "kglite" / "basic" / "graph", tmp_path / "f")
    file = tmp_path / "f" / "node_type_metadata.bin.zst"
    blob = bytearray(files.decompress(file))
    blob[at] ^= 0x40
    file.write_bytes(files.compress(bytes(blob)))
    with pytest.raises(nk.FormatError, match="node_type_metadata"):
        nk.open(tmp_path / "f")
    social(tmp_path / "g").close()
    for name in ("type_indices.bin", "id_indices.bin"):
        (file,) = (tmp_path / "g").rglob(name)
        good = file.read_bytes()
        file.write_bytes(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :])
        with nk.open(tmp_path / "g") as g, pytest.raises(nk.FormatError, match=name):
            g.find("Person", [1])
        file.write_bytes(good)


@pytest.mark.parametrize("name", ["type_indices.bin", "id_indices.bin"])
def test_fault_16_an_index_that_cannot_be_read_empties_nothing(data, tmp_path, name):
    shutil.copytree(data / "kglite" / "basic" / "graph", tmp_path / "f")
    (tmp_path / "f" / name).write_bytes(b"KGLIIDX0" + bytes(40))
    want, _ = fixture(data, "basic")
    with nk.open(tmp_path / "f") as g:
        assert g.node_types == want.node_types
        for kind in g.node_types:
            nodes = want.nodes(kind)
            assert g.nodes(kind).tolist() == nodes.tolist()
            assert g.find(kind, want.ids(nodes)).tolist() == nodes.tolist()


@pytest.mark.parametrize("name", ["basic", "seg_full"])
def test_fault_17_rows_and_indexes_cut_short_change_no_answer(data, tmp_path, name):
    """The engine ends the process; what can be told from other files is, and verify sees it."""
    want, _ = fixture(data, name)
    shutil.copytree(want.path, tmp_path / "g")
    cut, refused = 0, []
    for file in sorted((tmp_path / "g").glob("seg_*/*.bin")):
        if not file.name.startswith(("out_", "in_", "conn_type", "peer_count")):
            continue
        good = file.read_bytes()
        file.write_bytes(good[: len(good) // 2])
        try:
            with nk.open(tmp_path / "g") as g:
                cut += 1
                assert not g.verify().ok
                for kind in g.connection_types:
                    assert g.csr(kind).targets.tolist() == want.csr(kind).targets.tolist()
                    assert g.sources(kind).tolist() == want.sources(kind).tolist()
                    assert g.peer_counts(kind)[1].tolist() == want.peer_counts(kind)[1].tolist()
                    assert g.neighbors(0, kind).tolist() == want.neighbors(0, kind).tolist()
        except nk.FormatError as error:
            refused.append((file.name, str(error)))
        file.write_bytes(good)
    assert cut > 0
    assert all(name in text for name, text in refused)


@pytest.mark.parametrize("name", ["basic", "seg_full", "columns_bin"])
def test_fault_17_a_file_cut_short_is_an_error(data, tmp_path, name):
    shutil.copytree(data / "kglite" / name / "graph", tmp_path / "g")
    for stem in ("node_slots", "edge_endpoints", "columns", "edge_prop_offsets", "edge_prop_heap"):
        for file in (tmp_path / "g").rglob(f"{stem}.bin"):
            good = file.read_bytes()
            if not good:
                continue
            file.write_bytes(good[: len(good) // 2])
            with pytest.raises(nk.FormatError):
                read_all(tmp_path / "g")
            file.write_bytes(good)


def test_fault_18_segments_stay_on_their_maps(tmp_path):
    with social(tmp_path / "g") as g:
        for _ in range(3):
            grow(g)
            g.seal()
            g.remove_nodes(g.nodes()[-2:])  # so that the same ids can come again
            g.save()
    with nk.open(tmp_path / "g") as g:
        g.neighbors(3)
        g.find("Person", [3])
        g.read_nodes("Person", ["age"], nodes=[3])
        for records in (g._nodes.slots, g._edges.records):
            assert records._whole is None
            assert len(records.parts) > 3
            for part in records.parts:
                assert not part.size or not part.flags.owndata  # a map, no copy


def test_fault_19_a_typed_look_up_answers_only_its_type(tmp_path):
    with social(tmp_path / "g") as g:
        g.add_edges("ADMIRES", [5, 5], [1, 0])
        g.seal()
        g.add_edges("LIKES", [5], [1])
        for _ in range(2):
            assert g.neighbors(5, "KNOWS").tolist() == [1]
            assert g.neighbors(5, "ADMIRES").tolist() == [1, 0]
            assert g.neighbors(5, "LIKES").tolist() == [1]
            assert g.degrees([5], "LIKES").tolist() == [1]
            g.seal()


def test_fault_20_equal_edges_of_later_batches_stay_apart(tmp_path):
    with social(tmp_path / "g") as g:
        for number in range(3):
            g.add_edges("KNOWS", [5, 5], [1, 1], {"w": [number, number]})
            g.save()
        assert g.neighbors(5, "KNOWS").tolist() == [1] * 7
        assert g.read_edges("KNOWS")["w"].tolist() == [50, 0, 30, 0, 0, 1, 1, 2, 2]
        g.compact()
        assert g.neighbors(5, "KNOWS").tolist() == [1] * 7
