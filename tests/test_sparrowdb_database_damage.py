"""Damaged SparrowDB databases: an error of nkgraph's own, or what a slow reader makes of them.

``NKGRAPH_DAMAGE`` sets how many seeded changes each file gets, and at how many bytes it is cut.
"""

import os

import numpy as np
import pytest
import sparrow_databases as sparrow
from model import plain

import nkgraph as nk
from nkgraph.storage.sparrowdb import database

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))
STEP = max(1, 96 // ROUNDS)
"""Every so many bytes a file is cut short."""


def answers(g):
    """All that a graph holds, value by value."""
    nodes = g.nodes()
    properties = {node: {} for node in nodes.tolist()}
    for kind in g.node_types:
        table = g.read_nodes(kind)
        collect(table, properties)
        some = g.read_nodes(kind, nodes=table.rows[::2])
        for name in table:
            assert [plain(v) for v in some[name].tolist()] == [
                plain(v) for v in table[name].tolist()[::2]
            ]
        assert g.find(kind, g.ids(table.rows)).tolist() == table.rows.tolist()
    sources, targets, edges = (part.tolist() for part in g.edges())
    kinds, of_edges = {}, {edge: {} for edge in edges}
    for kind in g.connection_types:
        table = g.read_edges(kind)
        kinds.update(dict.fromkeys(table.rows.tolist(), kind))
        collect(table, of_edges)
    keys = zip(nodes.tolist(), g.types(nodes).tolist(), g.ids(nodes).tolist(), strict=True)
    rows = {direction: g.csr(direction=direction) for direction in ("out", "in", "both")}
    return {
        "nodes": [(*key, properties[key[0]]) for key in keys],
        "edges": [
            (s, t, kinds[e], of_edges[e]) for s, t, e in zip(sources, targets, edges, strict=True)
        ],
        "rows": {name: (csr.offsets.tolist(), csr.edges.tolist()) for name, csr in rows.items()},
        "labels": {name: found.tolist() for name, found in g.secondary_labels.items()},
    }


def collect(table, properties):
    for name in table:
        for row, value in zip(table.rows.tolist(), table[name].tolist(), strict=True):
            if value is not None:
                properties[row][name] = plain(value)


def answers_of(model):
    rows = {}
    for name, held in model.rows().items():
        offsets = [0]
        for row in held:
            offsets.append(offsets[-1] + len(row))
        rows[name] = offsets, [entry[1] for row in held for entry in row]
    spelled = lambda given: {name: plain(value) for name, value in given.items()}  # noqa: E731
    return {
        "nodes": [
            (n, v.kind, v.key, spelled(v.properties)) for n, v in sorted(model.nodes.items())
        ],
        "edges": [
            (v.source, v.target, v.kind, spelled(v.properties))
            for _, v in sorted(model.edges.items())
        ],
        "rows": rows,
        "labels": model.labels,
    }


def agree(root, files):
    """Compare a directory with what the slow twin makes of its bytes; returns what happened."""
    try:
        want = answers_of(sparrow.read(files))
    except sparrow.Damaged:
        want = None
    except sparrow.TooLarge:
        nk.open(root).close()
        return "large"
    found = None
    try:
        with nk.open(root) as g:
            found = answers(g)
    except nk.NkgraphError as error:
        said = str(error)
    if want is None:
        assert found is None
        assert str(root) in said
    else:
        assert found == want
    try:
        with nk.open(root) as g:
            report = g.verify()
    except nk.NkgraphError:
        return "refused"
    assert want is not None or not report.ok, report
    return "damaged" if want is None else "answered"


def changes(rng, blob):
    """Seeded damage: each cut, flipped bits, bytes put in, taken out and set, extreme numbers."""
    yield None
    for size in range(int(rng.integers(0, STEP)), len(blob), STEP):
        yield blob[:size]
    yield blob + b"\0"
    yield blob + rng.bytes(int(rng.integers(1, 40)))
    for _ in range(ROUNDS):
        changed = bytearray(blob or b"\0")
        at, kind = int(rng.integers(0, len(changed))), int(rng.integers(0, 6))
        if kind < 2:
            changed[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            changed[at] = int(rng.integers(0, 256))
        elif kind == 3:
            changed[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 4:
            del changed[at : at + int(rng.integers(1, 9))]
        else:
            width = int(rng.choice([1, 4, 8]))
            at -= at % width
            extreme = (b"\xff" * 8, b"\0" * 8, b"\xff" * 7 + b"\x7f")[int(rng.integers(0, 3))]
            changed[at : at + width] = extreme[-width:][: len(changed) - at]
        yield bytes(changed)


SOURCES = {"everything": lambda: sparrow.everything().files()}
SOURCES |= {f"random {seed}": lambda seed=seed: sparrow.random_database(seed)[0] for seed in (3, 5)}


@pytest.mark.parametrize("name", SOURCES)
def test_damage_is_an_error_or_the_answer_of_the_bytes(name, tmp_path):
    files = SOURCES[name]()
    sparrow.save(files, tmp_path)
    assert agree(tmp_path, files) == "answered"
    counts = {}
    for number, (path, blob) in enumerate(sorted(files.items())):
        for changed in changes(np.random.default_rng(number), blob):
            damaged = {**files, path: changed}
            if changed is None:
                del damaged[path]
                (tmp_path / path).unlink()
                if path == "catalog.tlv":
                    continue
            else:
                (tmp_path / path).write_bytes(changed)
            happened = agree(tmp_path, damaged)
            counts[happened] = counts.get(happened, 0) + 1
        (tmp_path / path).write_bytes(blob)
    assert counts["answered"] > 20
    assert counts.get("refused", 0) + counts.get("damaged", 0) > 20


# -- each error -------------------------------------------------------------------------------


def small():
    """Two labels and a table between them."""
    made = sparrow.Draft()
    person, town = made.label("Person", 3), made.label("Town", 2)
    made.column(person, "name", ["Ann", "Bartholomew", "C"], bitmap=None)
    made.column(person, "score", [0.5, 1.5, None])
    made.table(4, person, town, "IN")
    made.rows(4, [(0, 0), (0, 1), (2, 1)], 3)
    made.delta(4, person, town, [(1, 0), (0, 1)])
    made.edge_property(4, 0, 1, "since", "the year 2000")
    made.edge_property(4, 1, 0, "since", "the year 2001")
    log = sparrow.Log()
    log.node("name", "score", "since")
    made.log(log)
    return made.files()


NAME, SCORE = (sparrow.COLUMN.format(0, sparrow.fnv32(name)) for name in ("name", "score"))
ROWS, PENDING = sparrow.FORWARD.format(4), sparrow.DELTA.format(4)
VALUES, LOG = sparrow.PROPERTIES.format(4), sparrow.WAL.format(0)


def edit(at, new):
    return lambda data: data[:at] + new + data[at + len(new) :]


def cut(size):
    return lambda data: data[:size]


def word(tag, at, length):
    return sparrow.u64(tag << 56 | length << 40 | at)


LARGE = sparrow.u64(2**63)
ERRORS = [
    (LOG, edit(0, b"\3"), "version at byte 0: expected 2 or 21, found 3; written by a newer"),
    (ROWS, cut(0), "rows at byte 0: expected as many as there are offsets of, found no bytes"),
    (ROWS, cut(7), "rows at byte 0: expected as many as there are offsets of, found no bytes"),
    (ROWS, cut(8), "rows at byte 0: .* found 3 in a file of 8 bytes"),
    (ROWS, cut(39), "rows at byte 0: .* found 3 in a file of 39 bytes"),
    (ROWS, cut(63), "offset 3 at byte 32: expected offsets that ascend .* most 2, found 3"),
    (ROWS, edit(0, LARGE), f"rows at byte 0: .* found {2**63} in a file of 64 bytes"),
    (ROWS, edit(8, sparrow.u64(1)), "offset 0 at byte 8: expected offsets that ascend .*, found 1"),
    (ROWS, edit(16, sparrow.u64(3)), "offset 2 at byte 24: .* found 2"),
    (ROWS, edit(32, sparrow.u64(1)), "offset 3 at byte 32: .* found 1"),
    (ROWS, edit(32, sparrow.u64(4)), "offset 3 at byte 32: .* most 3, found 4"),
    (ROWS, edit(24, LARGE), f"offset 2 at byte 24: .* most 3, found {2**63}"),
    (ROWS, None, "file: expected the edges that base.bwd.csr holds, found no file"),
    (PENDING, cut(39), "file size at byte 0: expected a multiple of 20, found 39"),
    (PENDING, edit(36, b"\7"), "table of record 1 at byte 36: expected 4, found 7"),
    (PENDING, edit(24, b"\1"), "ends of record 1 at byte 20: expected 0 and 1, found 1 and 1"),
    (PENDING, edit(12, b"\0"), "ends of record 0 at byte 0: expected 0 and 1, found 0 and 0"),
    (VALUES, cut(55), "file size at byte 0: expected a multiple of 28, found 55"),
    (VALUES, edit(48, word(2, 900, 9)), "word of record 1 at byte 48: .* found 900 to 909"),
    (VALUES, edit(20, word(3, 0, 7)), "record 0 at byte 20: expected a float of 8 bytes, found 7"),
    (NAME, edit(8, word(2, 50, 4)), "slot 1 at byte 8: .* of strings.bin, found 50 to 54"),
    (NAME, edit(8, word(2, 2**40 - 1, 65535)), "slot 1 at byte 8: expected bytes within"),
    (NAME, edit(16, b"\xff"), r"slot 2 at byte 16: expected text in UTF-8, found b'\\xff'"),
    (SCORE, edit(8, word(3, 46, 8)), "slot 1 at byte 8: expected bytes within the 53 of "),
    (SCORE, edit(8, word(3, 0, 9)), "slot 1 at byte 8: expected a float of 8 bytes, found 9"),
    ("strings.bin", edit(3, b"\xc3"), r"slot 1 at byte 8: expected text in UTF-8, .*Bar\\xc3"),
    ("strings.bin", cut(0), "expected bytes within the 0 of strings.bin"),
    ("strings.bin", None, "expected bytes within the 0 of strings.bin"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_errors_say_where_and_what(tmp_path, name, change, message):
    files = small()
    sparrow.save(files, tmp_path)
    assert agree(tmp_path, files) == "answered"
    if change is None:
        (tmp_path / name).unlink()
        del files[name]
    else:
        files[name] = change(files[name])
        (tmp_path / name).write_bytes(files[name])
    assert agree(tmp_path, files) == "damaged"
    file = "" if name == "strings.bin" else rf"{name}: .*"
    with nk.open(tmp_path) as g, pytest.raises(nk.FormatError, match=file + message) as caught:
        [g.read_nodes("Person"), g.read_edges("IN")]
    assert isinstance(caught.value, nk.VersionError) == (name == LOG)


@pytest.mark.parametrize("name", ["hwm.bin", "hwm.bin.tmp"])
def test_marks_beyond_32_bits(tmp_path, name):
    files = small()
    held = files.pop(sparrow.HWM.format(0))
    files[f"nodes/0/{name}"] = sparrow.u64(2**32 + 1)
    sparrow.save(files, tmp_path)
    message = rf"{name}: high-water mark at byte 0: expected <= {2**32}, found {2**32 + 1}"
    with pytest.raises(nk.FormatError, match=message):
        nk.open(tmp_path)
    (tmp_path / "nodes" / "0" / name).write_bytes(held)
    assert nk.open(tmp_path).node_count == 5
    (tmp_path / "nodes" / "0" / name).write_bytes(sparrow.u64(2**32))
    with pytest.raises(nk.LimitError, match=f"{2**32 + 2} slots: node ids end at {2**32 - 2}"):
        nk.open(tmp_path)


def test_marks_that_take_more_memory_than_there_is(tmp_path, monkeypatch):
    """A mark is a number that no size of a file confirms."""
    sparrow.save(small(), tmp_path)
    (tmp_path / sparrow.HWM.format(1)).write_bytes(sparrow.u64(2**31))
    monkeypatch.setattr(database, "physical_memory", lambda: 1 << 30)
    with nk.open(tmp_path) as g:
        for ask in (lambda: g.node_count, g.edges, lambda: g.read_nodes("Person"), g.verify):
            with pytest.raises(
                nk.LimitError, match=r"slots take .*nodes.1.hwm\.bin: is it damaged"
            ):
                ask()
    monkeypatch.setattr(database, "physical_memory", lambda: 17 * 5)
    (tmp_path / sparrow.HWM.format(1)).write_bytes(sparrow.u64(2))
    with nk.open(tmp_path) as g:
        assert g.node_count == 5


def test_damage_to_what_was_deleted_is_no_matter(tmp_path):
    """Values of deleted nodes, and properties without an edge, are not decoded."""
    files = small()
    files[sparrow.COLUMN.format(0, 0)] = bytes(8) + sparrow.u64(2**64 - 1)
    files[NAME] = edit(8, word(2, 900, 9))(files[NAME])
    files[VALUES] = edit(48, word(2, 900, 9))(files[VALUES])
    sparrow.save(files, tmp_path)
    assert agree(tmp_path, files) == "answered"
    with nk.open(tmp_path) as g:
        assert g.read_nodes("Person")["name"].tolist() == ["Ann", "C"]
        g.create_index("Person", "name")  # reads the whole column
        assert g.find_by_prefix("Person", "name", [""])[1].tolist() == [0, 2]
        assert "nodes of Person" in str(g.verify())
        assert "expected bytes within" not in str(g.verify())
        assert g.read_edges("IN")["since"].tolist() == [
            None,
            "the year 2000",
            None,
            "the year 2000",
        ]
