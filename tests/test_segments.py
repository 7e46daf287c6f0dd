"""Several segments in one directory: what is written, what is linked, what is asked."""

import json
import os

import numpy as np
import pytest

import nkgraph as nk
from nkgraph import saving, stitching
from nkgraph.storage import mapped
from nkgraph.storage.kglite import reader


def base(path, nodes=40, edges=100):
    rng = np.random.default_rng(1)
    g = nk.create(path)
    people = g.add_nodes(
        "Person",
        np.arange(nodes),
        {"age": np.arange(nodes), "name": [f"n{i}" for i in range(nodes)]},
        titles=[f"t{i}" for i in range(nodes)],
    )
    ends = rng.choice(people, (2, edges))
    g.add_edges("KNOWS", *ends, {"w": np.arange(edges)})
    g.save()
    return g


def generation(path):
    return path / "generations" / (path / "CURRENT").read_text().strip()


def inodes(folder):
    return {
        str(file.relative_to(folder)): file.stat().st_ino
        for file in folder.rglob("*")
        if file.is_file()
    }


def sizes(g):
    return [(s.first_row, s.slots.size, s.endpoints.size) for s in g._opened.stored.segments]


def test_a_tail_within_itself_is_a_local_segment(tmp_path):
    with base(tmp_path / "g") as g:
        new = g.add_nodes("Person", [100, 101], {"age": [1, 2]})
        edges = g.add_edges("LIKES", new, new[::-1], {"since": [2001, 2002]})
        g.seal()
        assert sizes(g) == [(0, 40, 100), (40, 2, 2)]
        folder = generation(tmp_path / "g") / "seg_001"
        assert np.fromfile(folder / "out_offsets.bin", "<u8").tolist() == [0, 1, 2]
        assert np.fromfile(folder / "out_edges.bin", "<u4").tolist() == [41, 0, 40, 1]
        assert np.fromfile(folder / "edge_endpoints.bin", "<u4")[:2].tolist() == [40, 41]
        assert np.fromfile(folder / "conn_type_index_sources.bin", "<u4").tolist() == [0, 1]
        assert np.fromfile(folder / "peer_count_entries.bin", "<u4").tolist() == [40, 1, 41, 1]
        assert g.read_edges("LIKES", edges=edges)["since"].tolist() == [2001, 2002]
        assert g.neighbors(new[0]).tolist() == [41]
        assert g.sources("LIKES").tolist() == [40, 41]
        assert g.verify().ok


def test_an_edge_to_an_older_node_makes_a_full_range_segment(tmp_path):
    with base(tmp_path / "g") as g:
        before = g.neighbors(3).tolist()
        new = g.add_nodes("Town", ["Bern"])
        g.add_edges("IN", [3], new)
        g.seal()
        assert sizes(g) == [(0, 40, 100), (0, 1, 1)]
        folder = generation(tmp_path / "g") / "seg_001"
        assert np.fromfile(folder / "in_offsets.bin", "<u8").size == 42
        assert sorted(g.neighbors(3)) == sorted([*before, 40])
        assert g.neighbors(3, "IN").tolist() == [40]
        assert g.neighbors(40, "IN", "in").tolist() == [3]


def test_a_seal_links_what_did_not_change(tmp_path):
    with base(tmp_path / "g") as g:
        before = inodes(generation(tmp_path / "g"))
        g.add_edges("KNOWS", [1], [2])
        g.seal()
        after = inodes(generation(tmp_path / "g"))
        kept = {name for name in before if name.startswith("seg_000/")}
        assert len(kept) > 10
        assert all(after[name] == before[name] for name in kept)
        # Indexes of one segment among several lie where kglite does not look for them.
        assert after["seg_000/type_indices.bin"] == before["type_indices.bin"]
        assert "type_indices.bin" not in after
        assert "id_indices.bin" not in after


def test_a_removal_rewrites_only_its_segment(tmp_path):
    with base(tmp_path / "g") as g:
        for number in range(3):
            g.add_nodes("Person", [100 + number])
            g.add_edges("KNOWS", [number], [40 + number])
            g.seal()
        before = inodes(generation(tmp_path / "g"))
        g.remove_edges([101])
        g.save()
        after = inodes(generation(tmp_path / "g"))
        changed = {name for name in before if "/" in name and after.get(name) != before[name]}
        assert {name.split("/")[0] for name in changed} == {"seg_002"}
        assert "seg_002/node_slots.bin" not in changed
        meta = json.loads((generation(tmp_path / "g") / "disk_graph_meta.json").read_text())
        assert meta["free_edge_slots"] == [101]
        assert meta["has_tombstones"] is True
        assert g.edges()[2].tolist() == [*range(101), 102]
        assert g.verify().ok


def test_edges_alone_and_rows_alone_make_segments(tmp_path):
    with base(tmp_path / "g") as g:
        g.add_edges("KNOWS", [0], [1])
        g.seal()
        g.remove_nodes([7])
        assert g.add_nodes("Person", ["again"]).tolist() == [7]
        g.seal()
        assert [size[1:] for size in sizes(g)] == [(40, 100), (0, 1), (0, 0)]
        assert g.find("Person", ["again"]).tolist() == [7]
        assert g.ids([6, 7]).tolist() == [6, "again"]
        assert g.degrees([7], direction="both").tolist() == [0]
        assert g.verify().ok
    with nk.open(tmp_path / "g") as g:
        assert g.find("Person", [7, "again"], missing="sentinel").tolist() == [nk.NO_NODE, 7]


def test_free_slots_are_a_stack_that_is_kept(tmp_path):
    with base(tmp_path / "g") as g:
        g.remove_nodes([5, 3])
        g.remove_nodes([9])
        g.save()
    with nk.open(tmp_path / "g", "r+") as g:
        assert g.add_nodes("Person", [500, 501, 502, 503]).tolist() == [9, 3, 5, 40]
        g.compact()
        assert g.node_count == 41
        g.remove_nodes([2])
        g.compact()
    with nk.open(tmp_path / "g", "r+") as g:
        assert g.add_nodes("Town", ["x", "y"]).tolist() == [2, 41]


def test_removing_a_node_removes_its_edges_and_labels(tmp_path):
    g = nk.Graph()
    a, b, c = g.add_nodes("P", [1, 2, 3]).tolist()
    g.add_edges("E", [a, b, c, c], [b, c, c, a])
    g.remove_nodes(c)
    assert g.edges()[2].tolist() == [0]
    assert (g.node_count, g.edge_count) == (2, 1)
    with pytest.raises(nk.GraphError, match="node 2 was removed"):
        g.neighbors(c)
    with pytest.raises(nk.NotFoundError):
        g.find("P", [3])
    with pytest.raises(nk.GraphError, match="edge 1 was removed"):
        g.read_edges("E", edges=[1])
    assert g.add_nodes("P", [3]).tolist() == [c]
    assert g.neighbors(c).tolist() == []


def test_many_saves_are_compacted(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "MAX_SEGMENTS", 4)
    with base(tmp_path / "g") as g:
        counts = []
        for number in range(7):
            g.add_edges("KNOWS", [number], [0], {"w": [1000 + number]})
            g.save()
            counts.append(len(sizes(g)))
        assert counts == [2, 3, 4, 1, 2, 3, 4]
        for _ in range(3):
            g.add_edges("KNOWS", [1], [0])
            g.seal()
        assert len(sizes(g)) == 7  # asked for by name, it is a segment
        assert g.edge_count == 110


def test_nothing_new_is_nothing_written(tmp_path):
    with base(tmp_path / "g") as g:
        current = (tmp_path / "g" / "CURRENT").read_text()
        g.save()
        g.seal()
        assert (tmp_path / "g" / "CURRENT").read_text() == current


def test_ranges_rule_segments_out(tmp_path, monkeypatch):
    with base(tmp_path / "g") as g:
        for first in (1000, 2000):
            ids = np.arange(first, first + 10)
            g.add_nodes("Person", ids, {"age": ids, "name": [f"m{i}" for i in ids]})
            g.seal()
        manifest = json.loads((generation(tmp_path / "g") / "seg_manifest.json").read_text())
        held = [entry["indexed_prop_ranges"] for entry in manifest["segments"]]
        assert [r[2] for ranges in held for r in ranges if r[2] != "StringBloomPlaceholder"] == [
            {"NumericMinMax": {"min": low, "max": high}}
            for low, high in ((0.0, 39.0), (1000.0, 1009.0), (2000.0, 2009.0))
        ]
    loaded = []
    stores = reader.Stored.store

    def watched(self, node_type, number):
        store = stores(self, node_type, number)
        column = store.column
        store.column = lambda name: (loaded.append((number, name)), column(name))[1]
        return store

    monkeypatch.setattr(reader.Stored, "store", watched)
    for where, found, asked in (
        ({"age": 1003}, [1003], {(1, "age")}),
        ([("age", ">", 2007)], [2008, 2009], {(2, "age")}),
        ([("age", "<", 2), ("age", ">=", 0)], [0, 1], {(0, "age")}),
        ({"name": "m2004"}, [2004], {(2, "name")}),
        ({"name": ["n3", "m1000"]}, [3, 1000], {(0, "name"), (1, "name")}),
        ({"age": 50}, [], set()),
    ):
        loaded.clear()
        with nk.open(tmp_path / "g") as g:
            table = g.read_nodes("Person", ["id"], where=where)
            assert table["id"].tolist() == found
            assert {item for item in loaded if item[1] != "id"} == asked


def test_a_condition_sees_changes(tmp_path):
    with base(tmp_path / "g") as g:
        g.add_nodes("Person", [77], {"age": [-5]})
        g.update_nodes([3], {"age": [-6]})
        assert g.read_nodes("Person", ["id"], where=[("age", "<", 0)])["id"].tolist() == [3, 77]
        g.seal()
        assert g.read_nodes("Person", ["id"], where=[("age", "<", 0)])["id"].tolist() == [3, 77]
        g.update_nodes([3], {"age": ["old"]})  # the column is mixed now, in one segment
        assert g.read_nodes("Person", ["id"], where=[("age", "<", 0)])["id"].tolist() == [77]
        with pytest.raises(nk.GraphError, match="name"):
            g.read_nodes("Person", where=[("name", "<", 3)])


def test_limits_are_checked_before_anything_changes(tmp_path, monkeypatch):
    path = tmp_path / "g"
    base(path).close()
    with nk.open(path, "r+") as g:
        # Records that end just below the limit, in files that are holes: 64 GiB each.
        for records, name in ((g._nodes.slots, "slots"), (g._edges.records, "edges")):
            count = 2**32 - 3 - records.size
            hole = tmp_path / name
            with hole.open("wb") as file:
                os.truncate(file.fileno(), count * 16)
            records._added = mapped.MappedArray.load(hole, records.dtype, count)
        g._nodes._change = len(g._nodes.slots.added)  # as if all of them were alive
        with pytest.raises(nk.LimitError, match=r"4294967293 \+ 3 nodes: node ids end"):
            g.add_nodes("Person", [1000, 1001, 1002])
        with pytest.raises(nk.LimitError, match=r"4294967293 \+ 3 edges: edge ids end"):
            g.add_edges("KNOWS", [0, 0, 0], [1, 1, 1])
        assert g._nodes.slot_count == g._edges.id_count == 2**32 - 3
        assert g._nodes.tables["Person"].count == 40
        assert g._edges.tables["KNOWS"].count == 100


@pytest.mark.parametrize("name", ["seg_local", "seg_full", "seg_props", "deleted", "recycled"])
def test_foreign_segments_can_be_stitched_as_they_lie(data, name):
    """Unsorted rows, tombstones and all: the same as what the endpoints say."""
    with nk.open(data / "kglite" / name / "graph") as g:
        held = g._opened.stored.segments
        hashes = g._edges.hashes
        ranks, unknown = stitching.edge_ranks([segment.endpoints for segment in held], hashes)
        assert unknown == -1
        for side in ("out", "in"):
            parts = []
            for segment in held:
                offsets, entries = segment.rows(side)
                first = segment.first_row, segment.first_edge
                parts.append(stitching.SegmentRows(*first, offsets.view(np.int64), entries))
            found = stitching.stitch(g._nodes.slot_count, parts, ranks, sorted_rows=False)
            expected = g.csr(direction=side)
            assert found[0].tolist() == expected.offsets.tolist()
            assert found[1][:, 0].tolist() == expected.targets.tolist()
            assert found[1][:, 1].tolist() == expected.edges.tolist()


def test_degrees_and_look_ups_do_not_stitch(tmp_path, monkeypatch):
    with base(tmp_path / "g") as g:
        for number in range(5):
            new = g.add_nodes("Person", [100 + number, 200 + number], {"age": [1, 2]})
            g.add_edges("KNOWS", new, [0, int(new[0])], {"w": [-1, -2]})
            g.seal()
        csr = g.csr("KNOWS")
        expected = g.degrees(), g.degrees([0, 3, 49], "KNOWS", "both"), csr.neighbors(48)
    monkeypatch.setattr(stitching, "stitch", lambda *_, **__: pytest.fail("stitched"))
    with nk.open(tmp_path / "g") as g:
        assert g.degrees().tolist() == expected[0].tolist()
        assert g.degrees([0, 3, 49], "KNOWS", "both").tolist() == expected[1].tolist()
        assert g.neighbors(48, "KNOWS").tolist() == expected[2].tolist()
        assert g.find("Person", [204, 3]).tolist() == [49, 3]
        assert g.read_nodes("Person", ["age"], nodes=[49, 3])["age"].tolist() == [2, 3]
        assert g.read_edges("KNOWS", ["w"], edges=[109, 4])["w"].tolist() == [-2, 4]
