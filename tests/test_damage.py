"""Damaged directories: an error of nkgraph's own, or an answer; never anything else.

``NKGRAPH_DAMAGE`` sets how many seeded changes each file kind gets (CI uses the default).
"""

import json
import os
import shutil
import warnings

import numpy as np
import pytest

import nkgraph as nk

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))


def native(path):
    g = nk.Graph()
    people = g.add_nodes(
        "Person",
        np.arange(40) * 3,
        {"age": np.arange(40), "name": [None if i % 3 else f"né {i}" for i in range(40)]},
        titles=[f"t{i}" for i in range(40)],
    )
    towns = g.add_nodes("Town", [f"town {i}" for i in range(9)], {"mixed": [1, "a", 2.5] * 3})
    g.add_nodes("Wide", [2**40, -5], {"l": [[1, {"a": None}], None]})
    rng = np.random.default_rng(1)
    g.add_edges("KNOWS", people[rng.integers(0, 40, 90)], people[rng.integers(0, 40, 90)])
    g.add_edges(
        "IN", people, towns[rng.integers(0, 9, 40)], {"w": rng.random(40), "s": ["x", None] * 20}
    )
    g.save(path)


def segments(path):
    """Four segments, local and full-range; removed nodes and edges, slots used again, updates."""
    native(path)
    with nk.open(path, "r+") as g:
        towns = g.add_nodes("Town", ["new 1", "new 2"], {"mixed": [None, 7]})
        g.add_edges("IN", towns, towns[::-1], {"w": [0.5, None]})
        g.seal()
        people = g.add_nodes("Person", [200, 201, 2**40], {"age": [1, 2, None]})
        g.add_edges("KNOWS", people, [0, 1, 2])
        g.add_edges("LIKES", people, people, {"since": [1, 2, 3]})
        g.seal()
        g.remove_nodes([3, 44])
        g.remove_edges(g.edges("IN")[2][:1])
        g.update_nodes([5], {"name": ["other"]})
        g.add_nodes("Person", ["again"])
        g.save()


def use(path):
    """Touch every part of a graph."""
    with nk.open(path) as g:
        for kind in g.node_types:
            nodes = g.nodes(kind)
            ids = g.ids(nodes)
            g.find(kind, ids, missing="sentinel")
            g.find(kind, ["town 3", 6, 2**40], missing="sentinel")
            g.titles(nodes)
            table = g.read_nodes(kind)
            for name in table:
                table[name].tolist()
        for kind in g.connection_types:
            table = g.read_edges(kind)
            for name in table:
                table[name].tolist()
            g.read_edges(kind, edges=table.rows[::2])
            g.sources(kind)
            g.peer_counts(kind)
            g.csr(kind, "both")
            g.degrees(g.nodes()[:2], kind)
        for node in g.nodes()[:10]:
            g.neighbors(node)
            for kind in g.connection_types:
                g.neighbors(node, kind, "both")
        g.csr()
        g.csr(direction="in")
        g.secondary_labels  # noqa: B018 - read for its errors


def attempt(path):
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*the arrays are believed", RuntimeWarning)
            use(path)
    except nk.NkgraphError as error:
        return str(error)
    return None


SOURCES = (
    "native", "segments", "basic", "values", "columns_bin", "legacy", "seg_full", "deleted",
    "overflow",
)  # fmt: skip
NATIVE = {"native": native, "segments": segments}


@pytest.fixture(scope="module", params=SOURCES)
def original(request, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "g"
    if request.param in NATIVE:
        NATIVE[request.param](folder)
    else:
        shutil.copytree(data / "kglite" / request.param / "graph", folder)
    return folder


def changes(rng, blob):
    """Seeded damage: cut, extended, zeroed, flipped, huge numbers."""
    yield blob[: rng.integers(0, len(blob))] if len(blob) else b"x"
    yield b""
    yield blob + bytes(int(rng.integers(1, 40)))
    for _ in range(ROUNDS):
        changed = bytearray(blob or b"\0")
        at = int(rng.integers(0, len(changed)))
        kind = rng.integers(0, 3)
        if kind == 0:
            changed[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            changed[at : at + 8] = b"\xff" * len(changed[at : at + 8])
        else:
            changed[at : at + 4] = rng.bytes(len(changed[at : at + 4]))
        yield bytes(changed)


def test_any_damage_is_an_error_or_an_answer(original, tmp_path):
    path = tmp_path / "g"
    shutil.copytree(original, path)
    assert attempt(path) is None
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != ".lock")
    for number, file in enumerate(files):
        if "_index_" in file.name and file.name.startswith(("property", "global")):
            continue  # not read
        blob = file.read_bytes()
        for changed in changes(np.random.default_rng(number), blob):
            file.write_bytes(changed)
            attempt(path)
        file.unlink()
        attempt(path)
        file.write_bytes(blob)
    assert attempt(path) is None


@pytest.mark.parametrize("make", NATIVE.values())
def test_native_directories_miss_nothing(tmp_path, make):
    """Every file is listed: cut short, grown or gone, the name of the file is in the error."""
    make(tmp_path / "g")
    (generation,) = (tmp_path / "g" / "generations").iterdir()
    files = [file for file in generation.rglob("*") if file.is_file()]
    assert len(files) > 20
    for file in files:
        blob = file.read_bytes()
        for changed in (blob[:-1], blob + b"x", None):
            if changed is None:
                file.unlink()
            else:
                file.write_bytes(changed)
            if file.name == "nkgraph.json" and changed is None and make is native:
                assert attempt(tmp_path / "g") is None  # a plain kglite directory now
            elif blob or changed != b"":
                assert file.name in (attempt(tmp_path / "g") or "")
            file.write_bytes(blob)
    assert attempt(tmp_path / "g") is None


def sound(path):
    """Whether a directory opens and all of its rules and checksums hold."""
    try:
        with nk.open(path) as g:
            return g.verify().ok
    except nk.NkgraphError:
        return False


@pytest.mark.parametrize("make", NATIVE.values())
def test_verify_finds_every_flip_and_swap_in_a_native_directory(tmp_path, make):
    path = tmp_path / "g"
    make(path)
    (generation,) = (path / "generations").iterdir()
    files = sorted(file for file in generation.rglob("*") if file.stat().st_size and file.is_file())
    rng = np.random.default_rng(11)
    for file in (path / "CURRENT", *files):
        blob = file.read_bytes()
        for _ in range(ROUNDS):
            changed = bytearray(blob)
            changed[rng.integers(0, len(blob))] ^= 1 << int(rng.integers(0, 8))
            file.write_bytes(changed)
            assert not sound(path), file.name
        file.write_bytes(blob)
    contents = [file.read_bytes() for file in files]
    for _ in range(4 * ROUNDS):
        one, other = (int(i) for i in rng.choice(len(files), 2, replace=False))
        if contents[one] != contents[other]:
            files[one].write_bytes(contents[other])
            files[other].write_bytes(contents[one])
            attempt(path)
            assert not sound(path), (files[one].name, files[other].name)
            files[one].write_bytes(contents[one])
            files[other].write_bytes(contents[other])
    assert sound(path)


META = [
    ("node_count", 10**6, "node_count: expected <= 46 slots, found 1000000"),
    ("node_count", -1, "node_count: expected an integer in"),
    ("node_count", "46", "node_count: expected an integer in"),
    ("node_slots_len", 47, "node_slots.bin: file size at byte 0: expected >= 752 bytes, found 736"),
    ("edge_endpoints_len", 2**60, "edge_endpoints.bin: file size"),
    ("next_edge_idx", 181, "next_edge_idx: expected 180 endpoints, found 181"),
    ("free_node_slots", {}, "free_node_slots: expected a list"),
    ("csr_sorted_by_type", 1, "csr_sorted_by_type: expected true or false"),
    ("edge_properties_meta", {"heap_len": -1}, "edge_properties_meta.heap_len"),
    ("edge_properties_format", 2, "edge_properties_format: expected <= 1, found 2; open it with"),
    ("serde_codec_version", 2, "serde_codec_version: expected <= 1, found 2; open it with"),
    ("disk_format", 3, "disk_format: expected <= 0, found 3; open it with kglite 0.13.4"),
    ("csr_layout_version", 2, "csr_layout_version: expected <= 1, found 2"),
]


@pytest.mark.parametrize(("key", "value", "message"), META)
def test_meta(data, tmp_path, key, value, message):
    shutil.copytree(data / "kglite" / "basic" / "graph", tmp_path / "g")
    path = tmp_path / "g" / "disk_graph_meta.json"
    table = json.loads(path.read_text())
    path.write_text(json.dumps({**table, key: value}))
    error = nk.VersionError if "open it with" in message or "layout" in key else nk.FormatError
    with pytest.raises(error, match=message):
        nk.open(tmp_path / "g")
    del table["node_count"]
    path.write_text(json.dumps(table))
    with pytest.raises(nk.FormatError, match="node_count: expected a value, found no such key"):
        nk.open(tmp_path / "g")


def words(path, dtype):
    return np.fromfile(path, dtype)


@pytest.mark.parametrize(
    ("name", "dtype", "at", "value", "message"),
    [
        ("edge_endpoints", "<u4", 4, 46, "ends of edge 1 at byte 16: expected nodes below 46"),
        ("edge_endpoints", "<u8", 3, 5, "connection_type at byte 24: expected the hash of a name"),
        ("node_slots", "<u8", 2, 5, "node_type at byte 16: expected the hash of a known name"),
    ],
)
def test_what_foreign_arrays_point_at(data, tmp_path, name, dtype, at, value, message):
    shutil.copytree(data / "kglite" / "basic" / "graph", tmp_path / "g")
    path = tmp_path / "g" / "seg_000" / f"{name}.bin"
    array = words(path, dtype)
    array[at] = value
    array.tofile(path)
    assert message in attempt(tmp_path / "g")


@pytest.mark.parametrize(
    ("name", "dtype", "at", "value", "call", "message"),
    [
        ("out_edges.bin", "<u4", 6, 51, lambda g: g.csr(), "peer at byte 24: expected < 51"),
        ("out_edges.bin", "<u4", 7, 130, lambda g: g.csr(), "edge_idx at byte 28: expected < 130"),
        ("in_offsets.bin", "<u8", 3, 131, lambda g: g.csr(direction="in"), "in_offsets.bin"),
        ("out_offsets.bin", "<u8", 51, 129, lambda g: g.csr(), "offsets"),
        ("out_offsets.bin", "<u8", 1, 2**63, lambda g: g.neighbors(0), "out_offsets.bin: row"),
        ("out_edges.bin", "<u4", 0, 99, lambda g: g.neighbors(0), "out_edges.bin: row"),
        ("conn_type_index_sources.bin", "<u4", 1, 0, lambda g: g.sources("IN"), "ascending nodes"),
        ("peer_count_entries.bin", "<u4", 0, 51, lambda g: g.peer_counts("IN"), "ascending nodes"),
        ("conn_type_index_offsets.bin", "<u8", 1, 999, lambda g: g.sources("IN"), "offsets"),
        ("../type_indices.bin", "<u4", 30, 51, lambda g: g.nodes("Person"), "ascending nodes"),
        ("../id_indices.bin", "<u4", -1, 3, lambda g: g.find("Wide", [-5]), None),
    ],
)  # fmt: skip
def test_what_native_arrays_point_at(tmp_path, name, dtype, at, value, call, message):
    native(tmp_path / "g")
    (generation,) = (tmp_path / "g" / "generations").iterdir()
    path = generation / "seg_000" / name
    raw = bytearray(path.read_bytes())
    size = np.dtype(dtype).itemsize
    start = at * size if at >= 0 else len(raw) + at * size
    raw[start : start + size] = int(value).to_bytes(size, "little")
    path.write_bytes(bytes(raw))
    with nk.open(tmp_path / "g") as g:
        if message is None:
            call(g)
        else:
            with pytest.raises(nk.FormatError, match=message):
                call(g)


@pytest.mark.parametrize("name", ["..", "a/b", "/abs", "a\0b"])
def test_type_names_reach_no_file_outside(tmp_path, name):
    (tmp_path / "columns.zst").write_bytes(b"outside")
    g = nk.Graph()
    g.add_nodes(name, [1], {"x": [[1]]})
    with pytest.raises(nk.GraphError, match="cannot name a folder"):
        g.save(tmp_path / "g")
    assert not (tmp_path / "g").exists()
    plain = nk.Graph()
    plain.add_nodes(name, [1], {"x": [1]})
    plain.save(tmp_path / "g")
    with nk.open(tmp_path / "g") as g:
        assert g.read_nodes(name)["x"].tolist() == [1]


def test_paths_that_are_no_graph(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(nk.FormatError, match=r"expected a RedDB dump, .* begins with b'x'"):
        nk.open(tmp_path / "file")
    with pytest.raises(
        nk.FormatError, match=r"CURRENT .* disk_graph_meta.json .* catalog.tlv .* found file"
    ):
        nk.open(tmp_path)


def test_counts_that_an_unsaved_session_left_behind_are_said(data, tmp_path):
    """kglite removes in the mapped files at once: the fault of its section 13.2."""
    shutil.copytree(data / "kglite" / "basic" / "graph", tmp_path / "g")
    path = tmp_path / "g" / "seg_000" / "edge_endpoints.bin"
    array = np.fromfile(path, "<u8").reshape(-1, 2)
    array[:12] = (2**64 - 1, 0)
    array.tofile(path)
    with nk.open(tmp_path / "g") as g:
        with pytest.warns(RuntimeWarning, match="edge_count is 180, but there are 168 live"):
            assert g.edge_count == 168
        assert g.csr().edge_count == 168
