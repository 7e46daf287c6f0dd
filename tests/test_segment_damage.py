"""Directories of several segments whose files lie, though sizes and checksums agree with them.

An error of nkgraph's own or an answer comes of it, and what is wrong in an answer ``verify`` finds.
Damage that checksums show is in ``test_damage.py``. ``NKGRAPH_DAMAGE`` sets how many seeded changes
there are (CI uses the default).
"""

import faulthandler
import itertools
import json
import os
import shutil
import warnings
import zlib

import numpy as np
import pytest
from faults import state

import nkgraph as nk

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))
LIST = "nkgraph.json"
PATIENCE = 300
"""Seconds after which a test is taken to hang: Python then prints where, and ends."""


@pytest.fixture(autouse=True)
def _hang():
    faulthandler.dump_traceback_later(PATIENCE * max(1, ROUNDS // 12), exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Four segments, local and full-range, of which nodes, edges and values were taken."""
    path = tmp_path_factory.mktemp("whole") / "g"
    rng = np.random.default_rng(1)
    with nk.create(path) as g:
        for part in range(4):
            keys = np.arange(10 * part, 10 * part + 10)
            people = g.add_nodes(
                "Person",
                keys,
                {"age": keys / 2, "name": [None if key % 3 else f"né {key}" for key in keys]},
                titles=[f"t{key}" for key in keys],
            )
            towns = g.add_nodes("Town", [f"town {part}", part + 2**40], {"mixed": [part, "a"]})
            old = rng.choice(g.nodes("Person"), 8) if part % 2 else people[:8]
            g.add_edges("KNOWS", people[:8], old, {"w": rng.random(8), "s": ["x", None] * 4})
            g.add_edges("IN", people[:2], towns, {"l": [[1, {"a": None}], None]})
            g.seal()
        g.remove_nodes([3, 14, 40])
        g.remove_edges(g.edges("KNOWS")[2][[1, 12]])
        g.update_nodes([1], {"age": [None]})
        g.save()
        assert len(list((path / "generations").glob("*/seg_[0-9]*"))) == 4
    return path


class Copy:
    """A copy whose files are damaged and mended."""

    def __init__(self, whole, path, ask=None):
        shutil.copytree(whole, path)
        self.path = path
        self.ask = ask or everything
        (self.generation,) = (path / "generations").iterdir()
        found = sorted(file for file in self.generation.rglob("*") if file.is_file())
        self.blobs = {str(file.relative_to(self.generation)): file.read_bytes() for file in found}
        self.names = [name for name in self.blobs if name != LIST]
        self.state = self.ask(path)

    def put(self, name, blob, listed=False):
        """Change a file, or remove it; ``listed``: as one whose size and checksum are right."""
        file = self.generation / name
        if blob is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(blob)
        if listed:
            table = json.loads(self.blobs[LIST])
            del table["files"][name]
            if blob is not None:
                table["files"][name] = {"bytes": len(blob), "crc32": zlib.crc32(blob)}
            (self.generation / LIST).write_text(json.dumps(table))

    def mend(self, *names):
        for name in (*names, LIST):
            (self.generation / name).write_bytes(self.blobs[name])

    def outcome(self):
        """ "error" and its text, or "answer" and what the graph says; nothing else may come."""
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "(?s).*the arrays are believed", RuntimeWarning)
                return "answer", self.ask(self.path)
        except nk.NkgraphError as error:
            return "error", str(error)

    def is_found(self):
        """Whether opening fails, or ``verify`` finds something."""
        try:
            with nk.open(self.path) as g:
                return not g.verify().ok
        except nk.NkgraphError:
            return True


def everything(path):
    """Every answer of a graph, as text."""
    with nk.open(path) as g:
        said = [state(g)]
        for kind in g.node_types:
            found = g.find(kind, ["town 1", 6, 2**40, "no"], missing="sentinel")
            table = g.read_nodes(kind, ["id"])
            said += [found.tolist(), table["id"].tolist()]
            if "age" in g.read_nodes(kind):
                said.append(g.read_nodes(kind, where=[("age", ">=", 7)]).rows.tolist())
        for kind in g.connection_types:
            table = g.read_edges(kind)
            again = g.read_edges(kind, edges=table.rows[::-2])
            said += [again[name].tolist() for name in again]
            said.append(g.degrees(g.nodes()[::2], kind, "both").tolist())
        said += [[*g.csr(direction=side).targets.tolist()] for side in ("out", "in", "both")]
        said += [g.neighbors(node, direction="both").tolist() for node in g.nodes().tolist()]
        said.append({name: nodes.tolist() for name, nodes in g.secondary_labels.items()})
        return repr(said)


def changes(rng, blob, rounds):
    """Seeded damage: cut, extended, flipped, huge numbers, rubbish."""
    yield blob[: int(rng.integers(0, len(blob)))] if blob else b"x"
    yield blob + bytes(int(rng.integers(1, 40)))
    for _ in range(rounds):
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


def test_damage_behind_right_checksums_is_an_error_or_an_answer(whole, tmp_path):
    """As if someone had meant it: the list of files agrees with what they hold."""
    copy = Copy(whole, tmp_path / "g")
    seen = set()
    for number, name in enumerate(copy.names):
        blob = copy.blobs[name]
        for changed in [None, b"", *changes(np.random.default_rng(number), blob, ROUNDS // 4)]:
            copy.put(name, changed, listed=True)
            seen.add(copy.outcome()[0])
            copy.is_found()
        copy.mend(name)
    assert seen == {"error", "answer"}
    assert copy.outcome() == ("answer", copy.state)


def test_a_changed_list_of_files_is_found_or_does_no_harm(whole, tmp_path):
    copy = Copy(whole, tmp_path / "g")
    rng, blob = np.random.default_rng(3), copy.blobs[LIST]
    for at in rng.integers(0, len(blob), 30 * ROUNDS).tolist():
        changed = bytearray(blob)
        changed[at] ^= 1 << int(rng.integers(0, 8))
        copy.put(LIST, bytes(changed))
        assert copy.is_found() or copy.outcome() == ("answer", copy.state), f"byte {at}"


def test_files_of_one_segment_in_another_are_found(whole, tmp_path):
    """As if someone had meant it: the list of files agrees with what they hold."""
    copy = Copy(whole, tmp_path / "g")
    by_name = {}
    for name in copy.names:
        if name.startswith("seg_0"):
            by_name.setdefault(name.partition("/")[2], []).append(name)
    pairs = [pair for names in by_name.values() for pair in itertools.combinations(names, 2)]
    assert len(pairs) > 60
    for first, second in pairs:
        if copy.blobs[first] != copy.blobs[second]:
            copy.put(first, copy.blobs[second], listed=True)
            kind, said = copy.outcome()
            right = kind == "error" or said == copy.state
            assert right or copy.is_found(), f"{second} as {first}"
            copy.mend(first)


def lies(value, rng):
    """Other values for what a JSON file says of lengths and counts."""
    if isinstance(value, bool):
        return [not value, 1, None]
    if isinstance(value, int):
        return [value + 1, max(value - 1, 0), -1, 2**31, 2**63, 2**64, 1.5, str(value), None]
    if isinstance(value, list):
        return [
            [],
            [*value, 0],
            [*value, *value],
            [2**40],
            [-1],
            {},
            rng.permutation(len(value)).tolist(),
        ]
    if isinstance(value, dict):
        return [{}, [], None, {**value, "x": 1}]
    return [0, "", None, []]


def leaves(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value[:2]):
            yield from leaves(inner, (*path, at))


def replaced(value, path, new):
    if not path:
        return new
    other = dict(value) if isinstance(value, dict) else list(value)
    other[path[0]] = replaced(value[path[0]], path[1:], new)
    return other


def looked_up(value, path):
    for key in path:
        value = value[key]
    return value


@pytest.mark.parametrize("name", ["disk_graph_meta.json", "seg_manifest.json", "metadata.json"])
def test_lies_about_lengths_and_counts(whole, tmp_path, name):
    """Nothing but an error or an answer; verify finds what an answer may be wrong by."""
    copy = Copy(whole, tmp_path / "g")
    table, rng = json.loads(copy.blobs[name]), np.random.default_rng(5)
    for path in leaves(table):
        for lie in lies(looked_up(table, path), rng):
            if lie == looked_up(table, path) and type(lie) is type(looked_up(table, path)):
                continue
            copy.put(name, json.dumps(replaced(table, path, lie)).encode(), listed=True)
            kind, said = copy.outcome()
            right = kind == "error" or said == copy.state
            assert right or copy.is_found(), f"{name}: {path} = {lie!r}"


def test_a_removed_target_of_an_edge_that_is_not(whole, tmp_path):
    """Kernels took the tombstone for a node, and wrote far outside their arrays."""
    copy = Copy(whole, tmp_path / "g")
    name = "seg_001/edge_endpoints.bin"
    ends = np.frombuffer(copy.blobs[name], "<u4").copy()
    edge = int(np.argmax(ends[0::4] != 2**32 - 1))
    ends[4 * edge + 1] = 2**32 - 1
    copy.put(name, ends.tobytes(), listed=True)
    kind, text = copy.outcome()
    assert kind == "error"
    assert f"ends of edge {10 + edge} at byte {16 * edge}: expected nodes" in text
    assert copy.is_found()


@pytest.mark.parametrize("name", ["seg_full", "overflow", "columns_bin", "legacy"])
def test_verify_of_damaged_directories_of_the_engine_only_reports(data, tmp_path, name):
    path = tmp_path / "g"
    shutil.copytree(data / "kglite" / name / "graph", path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for number, file in enumerate(files):
        if "_index_" in file.name and file.name.startswith(("property", "global")):
            continue  # not read
        blob = file.read_bytes()
        for changed in changes(np.random.default_rng(number), blob, ROUNDS // 2):
            file.write_bytes(changed)
            try:
                with nk.open(path) as g:
                    g.verify()
            except nk.NkgraphError:
                pass
        file.write_bytes(blob)
