"""Files of text indexes that are damaged, though sizes and checksums agree with them.

An error of nkgraph's own comes of it or an answer, and what is wrong in an answer ``verify`` finds.
``NKGRAPH_DAMAGE`` sets how many seeded changes there are (CI uses the default).
"""

import itertools
import json
import os

import numpy as np
import pytest
from test_segment_damage import Copy, changes

import nkgraph as nk
from nkgraph.storage import sorted_texts
from nkgraph.storage.kglite.text_index_files import LIST, is_index_file

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))
PAIRS = (("Person", "name"), (None, "title"))
ASKED = ["", "né 3", "né 30", "né", "t1", "t12", "x" * 30, "\x7f"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two segments with two indexes; a node was removed, and its slot used again."""
    path = tmp_path_factory.mktemp("whole") / "g"
    with nk.create(path) as g:
        for part in range(2):
            keys = np.arange(100 * part, 100 * part + 90)
            names = [None if key % 3 else f"né {key % 40}" for key in keys]
            g.add_nodes("Person", keys, {"name": names}, titles=[f"t{key}" for key in keys])
            g.add_nodes("Town", [f"town {part}"], titles=["t1"])
            if not part:
                for pair in PAIRS:
                    g.create_index(*pair)
            g.seal()
        g.remove_nodes([3])
        g.add_nodes("Town", ["again"], titles=["t12"])
        g.seal()
    return path


def ask(path):
    with nk.open(path) as g:
        said = [g.indexes]
        for pair in PAIRS:
            for find in (g.find_by_text, g.find_by_prefix):
                said += [part.tolist() for part in find(*pair, ASKED)]
        said.append(g.read_nodes("Person", ["id"], where={"name": "né 3"}).rows.tolist())
        return repr(said)


def index_names(copy):
    return [name for name in copy.names if is_index_file(name)]


@pytest.fixture(params=["searched", "sampled"])
def copy(whole, tmp_path, request, monkeypatch):
    if request.param == "sampled":
        monkeypatch.setattr(sorted_texts, "STEP", 2)
        monkeypatch.setattr(sorted_texts, "SAMPLES_PAY", 10**9)
    return Copy(whole, tmp_path / "g", ask)


def test_damage_is_an_error_or_an_answer_and_verify_finds_it(copy):
    names, seen = index_names(copy), set()
    assert len(names) == 3 * 2 * 4 + 1
    for number, name in enumerate(names):
        blob = copy.blobs[name]
        for changed in [None, b"", *changes(np.random.default_rng(number), blob, ROUNDS)]:
            copy.put(name, changed, listed=True)
            kind, said = copy.outcome()
            seen.add(kind)
            assert kind == "error" or said == copy.state or copy.is_found(), name
        copy.mend(name)
    assert seen == {"error", "answer"}
    assert copy.outcome() == ("answer", copy.state)


def test_damage_that_checksums_show(copy):
    for number, name in enumerate(index_names(copy)):
        for changed in changes(np.random.default_rng(number), copy.blobs[name], 2):
            if changed != copy.blobs[name]:
                copy.put(name, changed)
                assert copy.is_found(), name
                if len(changed) != len(copy.blobs[name]):
                    kind, said = copy.outcome()
                    assert (kind, "file size" in said) == ("error", True)
        copy.mend(name)


FIELDS = {
    "meta": [(0, "<u8", 1, "count at byte 0: expected"), (8, "<u8", 1, "key_bytes at byte 8")],
    "offsets": [
        (0, "<u8", 1, r"offsets\[0\] at byte 0: expected ascending from 0"),
        (24, "<u8", 10**6, r"offsets\[3\] at byte 24|offsets\[4\] at byte 32"),
        (24, "<u8", 2**63, r"offsets\[\d+\] at byte \d+"),
        (16, "<u8", 2**64 - 1, r"offsets\[\d+\] at byte \d+"),
    ],
    "ids": [
        (8, "<u4", 2**32 - 1, r"ids\[2\] at byte 8: expected < "), (0, "<u4", 200, r"ids\[0\]"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("part", FIELDS)
def test_what_a_kernel_would_use_is_checked_first(whole, tmp_path, part):
    copy = Copy(whole, tmp_path / "g", ask)
    name = f"nkgraph_text/00001_000_{part}.bin"
    for at, dtype, value, said in FIELDS[part]:
        blob = bytearray(copy.blobs[name])
        size = np.dtype(dtype).itemsize
        old = int(np.frombuffer(blob[at : at + size], dtype)[0])
        new = (old + value) % 2 ** (8 * size) if value < 2**31 else value
        blob[at : at + size] = np.array([new], dtype).tobytes()
        copy.put(name, bytes(blob), listed=True)
        with nk.open(copy.path) as g, pytest.raises(nk.FormatError, match=said) as error:
            g.find_by_text("Person", "name", "né 3")
        assert error.value.path.endswith(name)
        assert copy.is_found()


def test_last_offset_and_cut_files(whole, tmp_path):
    copy = Copy(whole, tmp_path / "g", ask)
    name = "nkgraph_text/00001_000_offsets.bin"
    count = int(np.frombuffer(copy.blobs["nkgraph_text/00001_000_meta.bin"], "<u8")[0])
    offsets = np.frombuffer(copy.blobs[name], "<u8").copy()
    offsets[count] -= 1
    copy.put(name, offsets.tobytes(), listed=True)
    with nk.open(copy.path) as g, pytest.raises(nk.FormatError, match=rf"offsets\[{count}\]"):
        g.find_by_text("Person", "name", "né 3")
    for part in ("meta", "keys", "offsets", "ids"):
        name = f"nkgraph_text/00001_000_{part}.bin"
        copy.put(name, copy.blobs[name][:-1], listed=True)
        with pytest.raises(nk.FormatError, match=f"00001_000: expected {name} of "):
            nk.open(copy.path)
        copy.mend(name)


def leaves(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for key in range(len(value)):
            yield from leaves(value[key], (*path, key))


def replaced(table, path, value):
    table = json.loads(json.dumps(table))
    inner = table
    if not path:
        return value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return table


LIES = (None, 0, 1, -1, 2**63, 1.5, True, "x", "../x", "/x", [], [1], {}, {"Person": ["id", 90]},
        "nkgraph_text/00000_000", "seg_000/out")  # fmt: skip


def test_lies_in_the_list_are_errors_or_found_or_do_no_harm(whole, tmp_path):
    copy = Copy(whole, tmp_path / "g", ask)
    table = json.loads(copy.blobs[LIST])
    for path, lie in itertools.product(leaves(table), LIES):
        copy.put(LIST, json.dumps(replaced(table, path, lie)).encode(), listed=True)
        kind, said = copy.outcome()
        assert kind == "error" or said == copy.state or copy.is_found(), (path, lie)


@pytest.mark.parametrize(("path", "value", "error", "said"), [
    (("nkgraph_text_indexes",), 2, nk.VersionError, "version: expected 1, found 2"),
    (("nkgraph_text_indexes",), "1", nk.FormatError, "expected a version number, found 1"),
    (("indexes",), {}, nk.FormatError, "indexes: expected a list, found dict"),
    (("indexes", 0, "column"), "", nk.FormatError, r"indexes\[0\]: expected a node_type and"),
    (("indexes", 1), {"node_type": None, "column": "title", "parts": []}, nk.FormatError,
     r"indexes\[1\]: expected each index once"),
    (("indexes", 0, "parts"), [], nk.FormatError, r"parts: expected 3 parts, found 0"),
    (("indexes", 0, "parts", 1, "segment"), 0, nk.FormatError, r"parts\[1\]: expected the part of"),
    (("indexes", 0, "parts", 1, "count"), -1, nk.FormatError, r"parts\[1\].count: expected a num"),
    (("indexes", 0, "parts", 1, "stem"), "../x", nk.FormatError, r"stem ../x: expected"),
    (("indexes", 0, "parts", 1, "sources"), {"T": 1}, nk.FormatError, r"sources: expected kind"),
])  # fmt: skip
def test_what_is_said_of_a_damaged_list(whole, tmp_path, path, value, error, said):
    copy = Copy(whole, tmp_path / "g", ask)
    table = json.loads(copy.blobs[LIST])
    copy.put(LIST, json.dumps(replaced(table, path, value)).encode(), listed=True)
    with pytest.raises(error, match=said):
        nk.open(copy.path)
    if path == ("nkgraph_text_indexes",):
        copy.put(LIST, b"\xff{", listed=True)
        with pytest.raises(nk.FormatError):
            nk.open(copy.path)


def test_parts_in_the_place_of_others_are_found(whole, tmp_path):
    """As if someone had meant it: each file is what the list of files says."""
    copy = Copy(whole, tmp_path / "g", ask)
    table = json.loads(copy.blobs[LIST])
    stems = [part["stem"] for index in table["indexes"] for part in index["parts"]]
    for one, two in itertools.permutations(stems, 2):
        blob = copy.blobs[LIST].decode().replace(f'"{one}"', f'"{two}"').encode()
        copy.put(LIST, blob, listed=True)
        kind, said = copy.outcome()
        assert kind == "error" or said == copy.state or copy.is_found(), (one, two)
        assert copy.is_found(), (one, two)
