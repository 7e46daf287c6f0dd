"""Foreign graphs saved here, natively and flat: the same graph, read again by both."""

import shutil
import threading

import kglite
import numpy as np
import pytest
import reference

import nkgraph as nk
from nkgraph import kernels
from nkgraph.arrays import read_only

FIXTURES = (
    "basic", "compacted", "converted", "legacy", "nodes_only", "values", "columns_bin",
    "seg_local", "seg_full", "seg_props_ok", "deleted", "recycled", "overflow",
)  # fmt: skip


def contents(g):
    """All that a graph says, edge ids aside (those of removed edges are given up by a save)."""
    nodes = g.nodes()
    keys = zip(g.types(nodes).tolist(), g.ids(nodes).tolist(), strict=True)
    table = {"counts": (g.node_types, g.connection_types), "nodes": nodes.tolist()}
    table["titles"] = [str(title) for title in g.titles(nodes)]
    for kind in g.node_types:
        read = g.read_nodes(kind)
        table[kind] = {name: repr(read[name].tolist()) for name in read}
        aliases = g.read_nodes(kind, ["id", "title"])
        table[kind, "alias"] = [repr(aliases[name].tolist()) for name in aliases]
    for kind in g.connection_types:
        sources, targets, _ = g.edges(kind)
        read = g.read_edges(kind)
        columns = [read[name].tolist() for name in read]
        rows = zip(sources.tolist(), targets.tolist(), *columns, strict=True)
        table[kind] = list(read), sorted(map(repr, rows))
        targets, counts = g.peer_counts(kind)
        table[kind, "peers"] = targets.tolist(), counts.tolist()
        table[kind, "sources"] = g.sources(kind).tolist()
    table["labels"] = {label: found.tolist() for label, found in g.secondary_labels.items()}
    table["keys"] = list(keys)
    return table


@pytest.mark.parametrize("name", FIXTURES)
def test_saved_again(data, tmp_path, name):
    shutil.copytree(data / "kglite" / name / "graph", tmp_path / "source")
    (tmp_path / "source" / "embeddings.bin.zst").write_bytes(b"opaque")
    with nk.open(tmp_path / "source") as g:
        want = contents(g)
        g.save(tmp_path / "native")
        g.save(tmp_path / "flat", layout="flat")
        assert contents(g) == want
    for layout, form in (("native", "nkgraph"), ("flat", "kglite")):
        with nk.open(tmp_path / layout) as g:
            assert g.format == form
            assert contents(g) == want
    (generation,) = (tmp_path / "native" / "generations").iterdir()
    for folder in (generation, tmp_path / "flat"):
        assert (folder / "embeddings.bin.zst").read_bytes() == b"opaque"
        assert not (folder / "overflow_edges.bin.zst").exists()
    shutil.rmtree(tmp_path / "flat" / "embeddings", ignore_errors=True)
    (tmp_path / "flat" / "embeddings.bin.zst").unlink()
    engine = kglite.load(str(tmp_path / "flat"))
    nodes, edges = sum(want["counts"][0].values()), sum(want["counts"][1].values())
    assert engine.cypher("MATCH (n) RETURN count(n) AS c").to_list() == [{"c": nodes}]
    assert engine.cypher("MATCH ()-[r]->() RETURN count(r) AS c").to_list() == [{"c": edges}]


def test_settings_that_are_not_ours_are_kept(data, tmp_path):
    with nk.open(data / "kglite" / "basic" / "graph") as g:
        g.save(tmp_path / "flat", layout="flat")
        g.save(tmp_path / "native")
    with nk.open(tmp_path / "native") as g:
        assert g.read_nodes("Person", ["pid"])["pid"].tolist() == g.ids(g.nodes("Person")).tolist()
    text = (tmp_path / "flat" / "metadata.json").read_text()
    assert '"auto_vacuum_threshold": 0.3' in text
    assert '"Person": "pid"' in text


def test_a_graph_behind_current_of_kglite_is_read(data, tmp_path):
    folder = tmp_path / "generations" / "gen_00000000000000000004"
    shutil.copytree(data / "kglite" / "basic" / "graph", folder)
    (tmp_path / "CURRENT").write_text("gen_00000000000000000004\n")
    (tmp_path / "seg_000").mkdir()
    with nk.open(tmp_path) as g:
        assert (g.format, g.node_count) == ("kglite", 46)
    with pytest.raises(nk.GraphError, match="is of kglite"):
        nk.open(tmp_path, "r+")


def read_on_threads(source, count):
    answers = []
    work = [threading.Thread(target=lambda: answers.append(contents(source))) for _ in range(count)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    return answers


def test_readers_on_many_threads(tmp_path):
    rng = np.random.default_rng(2)
    g = nk.Graph()
    ids = g.add_nodes("N", [f"n{i}" for i in range(500)], {"x": np.arange(500)})
    for start in range(0, 400, 100):
        ends = ids[rng.integers(0, 500, (2, 100))]
        g.add_edges("E", ends[0], ends[1], {"w": np.arange(start, start + 100)})
    g.save(tmp_path / "g")
    want = contents(g)
    for source in (nk.open(tmp_path / "g"), nk.open(tmp_path / "g", "r+"), g):
        assert read_on_threads(source, 8) == [want] * 8
        source.close()


def test_codes_against_the_reference():
    rng = np.random.default_rng(6)
    hashes = np.sort(rng.integers(0, 2**64, 5, np.uint64))
    for size in (0, 1, 300):
        types = hashes[rng.integers(0, 5, size)]
        alive = rng.random(size) < 0.8
        slots = read_only(np.stack([types, alive.astype(np.uint64) << np.uint64(32)], 1))
        counts = np.zeros(5, np.int64)
        assert kernels.codes.count_slots(slots, read_only(hashes), 0, size, counts) == -1
        groups = reference.group_slots(types.tolist(), alive.tolist(), hashes.tolist())
        assert counts.tolist() == [len(group) for group in groups]
        nodes = np.empty(counts.sum(), np.uint32)
        cursor = np.concatenate([[0], np.cumsum(counts)[:-1]])
        kernels.codes.group_slots(slots, read_only(hashes), cursor, nodes)
        assert nodes.tolist() == [node for group in groups for node in group]
        ends = np.where(alive, rng.integers(0, 99, size), 2**32 - 1).astype(np.uint64)
        records = read_only(np.stack([ends, types], 1))
        counts[:] = 0
        assert kernels.codes.count_endpoints(records, read_only(hashes), 0, size, counts) == -1
        assert counts.tolist() == [len(group) for group in groups]
        edges = np.empty(size, np.uint32)
        found = kernels.codes.select_endpoints(records, hashes[2], edges)
        assert edges[:found].tolist() == groups[2]
        if size > 1:
            few = read_only(hashes[:4])
            unknown = [i for i in range(size) if alive[i] and types[i] == hashes[4]]
            counts[:] = 0
            assert kernels.codes.count_slots(slots, few, 0, size, counts) == unknown[0]
            assert kernels.codes.count_endpoints(records, few, 0, size, counts) == unknown[0]
