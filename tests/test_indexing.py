"""Text indexes of a graph: answers through changes, seals and re-opening; what is refused."""

import datetime
import itertools
import json
import shutil
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph import indexing, selecting
from nkgraph.storage.kglite import reader, text_index_files
from nkgraph.storage.kglite.text_index_files import kglite_stem

FIXTURES = ("basic", "values", "columns_bin", "seg_local", "seg_full", "seg_props", "deleted",
            "recycled", "converted", "legacy")  # fmt: skip


def lists(found):
    offsets, nodes = found
    return [nodes[a:b].tolist() for a, b in itertools.pairwise(offsets.tolist())]


def scanned(g, node_type, column, texts, is_prefix):
    """The same by a look at every value, through ``read_nodes``."""
    held = []
    for kind in g.node_types if node_type is None else [node_type]:
        try:
            table = g.read_nodes(kind, [column])
        except nk.NotFoundError:
            continue
        held += zip(table.rows.tolist(), table[column].tolist(), strict=True)
    held = sorted((node, value) for node, value in held if isinstance(value, str))
    return [
        [n for n, v in held if (v.startswith(text) if is_prefix else v == text)] for text in texts
    ]


def agree(g, node_type, column, texts):
    texts = [*texts, "", "none such"]
    parts = sorted({text[:size] for text in texts for size in (0, 1, 3)})
    found = lists(g.find_by_text(node_type, column, texts))
    assert found == scanned(g, node_type, column, texts, False)
    found = lists(g.find_by_prefix(node_type, column, parts))
    assert found == scanned(g, node_type, column, parts, True)


def generation(path):
    return path / "generations" / (path / "CURRENT").read_text().strip()


def index_files(path):
    found = (file for file in generation(path).rglob("*") if file.is_file())
    names = (str(file.relative_to(generation(path))) for file in found)
    return sorted(filter(text_index_files.is_index_file, names))


@pytest.fixture
def towns(tmp_path):
    """A directory of two segments with an index of names, and one of titles across types."""
    path = tmp_path / "towns"
    with nk.create(path) as g:
        g.add_nodes("Town", [1, 2, 3], {"name": ["Bern", "Biel", None]}, titles=["a", "b", "c"])
        g.add_nodes("Lake", ["x", "y"], {"depth": [1, 2]}, titles=["b", None])
        g.create_index("Town", "name")
        g.create_index(None, "title")
        g.seal()
        g.add_nodes("Town", [4, 5], {"name": ["Bern", ""]}, titles=["a", ""])
        g.seal()
    return path


def test_answers_of_files(towns):
    with nk.open(towns) as g:
        assert g.indexes == [(None, "title"), ("Town", "name")]
        assert lists(g.find_by_text("Town", "name", ["Bern", "Genf", "", "Bern"])) == [
            [0, 5], [], [6], [0, 5],
        ]  # fmt: skip
        assert lists(g.find_by_prefix("Town", "name", ["B", ""])) == [[0, 1, 5], [0, 1, 5, 6]]
        assert lists(g.find_by_text(None, "title", ["b", "a", ""])) == [[1, 3], [0, 5], [6]]
        assert lists(g.find_by_prefix(None, "title", "")) == [[0, 1, 2, 3, 5, 6]]
        offsets, nodes = g.find_by_text("Town", "name", [])
        assert (offsets.tolist(), nodes.tolist()) == ([0], [])
        assert (offsets.dtype, nodes.dtype) == (np.int64, np.uint32)
        assert g.verify().ok


@pytest.mark.parametrize("given", [
    "Bern", ["Bern"], ("Bern",), np.array(["Bern"]), np.array(["Bern"], object),
    np.array(["Bern"], np.dtypes.StringDType()), iter(["Bern"]), [np.str_("Bern")],
])  # fmt: skip
def test_texts_may_be_given_as(towns, given):
    with nk.open(towns) as g:
        assert lists(g.find_by_text("Town", "name", given)) == [[0, 5]]


def test_refusals(towns):
    with nk.open(towns) as g:
        say = r"no text index of 'Lake' on 'name': create_index\('Lake', 'name'\) makes one"
        for ask in (g.find_by_text, g.find_by_prefix):
            with pytest.raises(nk.NotFoundError, match=say):
                ask("Lake", "name", ["a"])
            with pytest.raises(nk.GraphError, match=r": row 1 is 5, not a text"):
                ask("Town", "name", ["a", 5])
            with pytest.raises(nk.GraphError, match="row 0 holds a lone surrogate"):
                ask("Town", "name", "\ud800")
            with pytest.raises(nk.GraphError, match=": expected texts, found int"):
                ask("Town", "name", 5)
        with pytest.raises(nk.NotFoundError, match="no text index across types on 'name'"):
            g.drop_index(None, "name")
        for pair, error, said in (
            (("Hut", "name"), nk.NotFoundError, "no node type 'Hut'"),
            (("Lake", "name"), nk.NotFoundError, "'Lake' has no property 'name'"),
            ((None, "nothing"), nk.NotFoundError, "no node type has a property 'nothing'"),
            (("Lake", "depth"), nk.GraphError, "no Lake has a text as 'depth'"),
            ((None, "depth"), nk.GraphError, "no node type has a text as 'depth'"),
            (("Town", ""), nk.GraphError, "column is empty"),
            (("Town", 5), nk.GraphError, "column must be a string"),
        ):
            with pytest.raises(error, match=said):
                g.create_index(*pair)
        assert g.indexes == [(None, "title"), ("Town", "name")]
        g.create_index("Town", "name")  # is there already
    for ask in (
        lambda: g.indexes, lambda: g.find_by_text("Town", "name", "a"),
        lambda: g.create_index("Town", "name"), lambda: g.drop_index("Town", "name"),
    ):  # fmt: skip
        with pytest.raises(nk.ClosedError):
            ask()


# -- through changes --------------------------------------------------------------------------


def test_removed_nodes_and_slots_used_again(towns):
    with nk.open(towns, "r+") as g:
        g.remove_nodes([0, 3])
        assert lists(g.find_by_text("Town", "name", "Bern")) == [[5]]
        assert g.add_nodes("Lake", ["z"], titles=["b"]).tolist() == [3]
        assert g.add_nodes("Town", [9], {"name": ["Biel"]}).tolist() == [0]
        for _ in range(2):
            assert lists(g.find_by_text("Town", "name", ["Bern", "Biel"])) == [[5], [0, 1]]
            assert lists(g.find_by_text(None, "title", "b")) == [[1, 3]]
            g.seal()
        g.remove_nodes([0])
        g.add_nodes("Town", [10], {"name": ["Chur"]})
        g.seal()
        assert lists(g.find_by_text("Town", "name", ["Biel", "Chur"])) == [[1], [0]]
        assert g.verify().ok


def test_a_row_of_a_later_segment_in_a_slot_of_an_earlier_one(towns):
    """The slot lies in segment 0, its row in segment 2; that one's index has it."""
    with nk.open(towns, "r+") as g:
        g.remove_nodes([1])
        g.add_nodes("Town", [7], {"name": ["Thun"]})
        g.seal()
        g.update_nodes([1], {"name": ["Zug"]})
        assert lists(g.find_by_text("Town", "name", ["Thun", "Zug", "Biel"])) == [[], [1], []]
        g.seal()
        assert lists(g.find_by_text("Town", "name", ["Thun", "Zug", "Biel"])) == [[], [1], []]
        g.update_nodes([1], {"name": [7]})
        assert lists(g.find_by_prefix("Town", "name", [""])) == [[0, 5, 6]]


def test_updates_again_and_again(towns):
    with nk.open(towns, "r+") as g:
        for number in range(40):
            g.update_nodes([0, 5], {"name": [f"n{number}", None if number % 2 else "Biel"]})
            want = [[0], [], [1] if number % 2 else [1, 5]]
            found = g.find_by_text("Town", "name", [f"n{number}", f"n{number - 1}", "Biel"])
            assert lists(found) == want
        g.add_nodes("Town", [50], {"name": ["n39"]})
        g.update_nodes([7], {"name": ["n38"]})
        assert lists(g.find_by_text("Town", "name", ["n39", "n38"])) == [[0], [7]]


@pytest.mark.parametrize("indexed_first", [False, True])
def test_a_slot_that_several_added_rows_had(indexed_first):
    """The node is alive, but not in the rows that had its slot before."""
    g = nk.Graph()
    g.add_nodes("T", [0, 1], {"t": ["kept", "first"]})
    if indexed_first:
        g.create_index("T", "t")
    for number, text in enumerate(["second", "third", "fourth"]):
        g.update_nodes([1], {"t": [f"{text} before"]})
        if indexed_first:
            assert lists(g.find_by_text("T", "t", [f"{text} before", text])) == [[1], []]
        g.remove_nodes([1])
        assert g.add_nodes("T", [10 + number], {"t": [text]}).tolist() == [1]
        if indexed_first:
            assert lists(g.find_by_text("T", "t", [f"{text} before", text])) == [[], [1]]
        if number == 1:
            g.update_nodes([1], {"t": ["now"]})
    g.create_index("T", "t")
    texts = ["kept", "first", "second", "third", "now", "fourth before", "fourth"]
    assert lists(g.find_by_text("T", "t", texts)) == [[0], [], [], [], [], [], [1]]


def test_many_batches_are_merged(monkeypatch):
    """Rows that were sorted once are seldom sorted again."""
    g, built = nk.Graph(), []
    g.add_nodes("T", [0], {"t": ["0"]})
    g.create_index("T", "t")
    original = indexing.TextColumns.entries

    def counted(self, name, sources, ranges):
        built.append(sum(stop - start for start, stop in ranges.values()))
        return original(self, name, sources, ranges)

    monkeypatch.setattr(indexing.TextColumns, "entries", counted)
    for number in range(1, 200):
        g.add_nodes("T", [number], {"t": [str(number)]})
        assert lists(g.find_by_text("T", "t", [str(number), "0"])) == [[number], [0]]
    assert sum(built) < 200 * 12
    assert len(g._text_indexes._added["T", "t"].pieces) < 12


def test_a_property_that_takes_the_place_of_the_title(towns):
    with nk.open(towns, "r+") as g:
        g.update_nodes([1], {"title": ["new"]})
        agree(g, None, "title", ["a", "b", "new"])
        assert lists(g.find_by_text(None, "title", ["a", "b", "new"])) == [[], [3], [1]]
        g.seal()
        agree(g, None, "title", ["a", "b", "new"])
        assert g.verify().ok
    with nk.open(towns) as g:
        agree(g, None, "title", ["a", "b", "new"])


def test_values_that_are_no_texts(tmp_path):
    g = nk.Graph()
    g.add_nodes("T", [1, 2, 3, 4], {"v": ["7", 7, None, [1]]})
    g.create_index("T", "v")
    assert lists(g.find_by_text("T", "v", "7")) == [[0]]
    assert g.read_nodes("T", where={"v": 7}).rows.tolist() == [1]
    g.save(tmp_path / "g")
    with nk.open(tmp_path / "g", "r+") as opened:
        agree(opened, "T", "v", ["7"])
        opened.update_nodes([0], {"v": [8]})  # not one text is left
        agree(opened, "T", "v", ["7"])
        opened.save()
        agree(opened, "T", "v", ["7"])
        opened.remove_nodes([0, 1, 2, 3])  # not one node
        assert lists(opened.find_by_text("T", "v", "7")) == [[]]
        opened.compact()
        assert lists(opened.find_by_prefix("T", "v", "")) == [[]]
        opened.add_nodes("T", [5], {"v": ["seven"]})
        assert lists(opened.find_by_prefix("T", "v", "s")) == [[3]]


def test_updates_between_two_indexes():
    """Of a column without an index no update is taken note of: nothing of the old one may stay."""
    g = nk.Graph()
    g.add_nodes("T", [0, 1, 2], {"t": ["a", "b", "c"]})
    g.add_nodes("U", [0], {"t": ["a"]})
    g.create_index("U", "t")
    g.create_index("T", "t")
    g.update_nodes([0], {"t": ["x"]})
    assert lists(g.find_by_text("T", "t", ["a", "x"])) == [[], [0]]
    g.drop_index("T", "t")
    g.update_nodes([0, 1], {"t": ["y", "z"]})
    g.create_index("T", "t")
    assert lists(g.find_by_text("T", "t", ["a", "x", "y", "b", "z"])) == [[], [], [0], [], [1]]
    g.drop_index("U", "t")
    g.update_nodes([3], {"t": ["w"]})
    g.create_index(None, "t")
    g.drop_index("T", "t")
    g.update_nodes([1], {"t": ["w"]})
    assert lists(g.find_by_text(None, "t", ["w", "y", "a"])) == [[1, 3], [0], []]


def test_a_refused_create_keeps_nothing():
    g = nk.Graph()
    g.add_nodes("T", [0, 1], {"t": [1, 2]})
    for kind in ("T", None):
        with pytest.raises(nk.GraphError):
            g.create_index(kind, "t")
    g.update_nodes([1], {"t": ["a"]})
    g.create_index("T", "t")
    assert lists(g.find_by_text("T", "t", "a")) == [[1]]


def test_a_failed_create_leaves_nothing(monkeypatch):
    g = nk.Graph()
    g.add_nodes("T", [1], {"v": ["7"]})

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(indexing.TextColumns, "entries", fail)
    with pytest.raises(MemoryError):
        g.create_index("T", "v")
    assert g.indexes == []
    monkeypatch.undo()
    g.create_index("T", "v")
    assert lists(g.find_by_text("T", "v", "7")) == [[0]]


def test_readers_on_several_threads(towns):
    rng = np.random.default_rng(1)
    with nk.open(towns, "r+") as g:
        names = [f"name {i}" for i in rng.integers(0, 50, 3000)]
        g.add_nodes("Town", np.arange(100, 3100), {"name": names})
        want = scanned(g, "Town", "name", names[:40], False)
        found = []
        jobs = [
            threading.Thread(
                target=lambda: found.append(lists(g.find_by_text("Town", "name", names[:40])))
            )
            for _ in range(6)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        assert found == [want] * 6


# -- conditions -------------------------------------------------------------------------------


@pytest.fixture
def words(monkeypatch):
    """A graph with an index, and how often it was asked."""
    rng = np.random.default_rng(2)
    g, asked = nk.Graph(), []
    values = [f"w{i}" if i % 9 else None for i in rng.integers(0, 40, 1000)]
    values[7] = "2024-02-29"
    g.add_nodes("T", np.arange(1000), {"t": values, "n": np.arange(1000) % 5})
    g.add_nodes("Other", [1], {"t": ["w1"]})
    original = indexing.TextIndexes.find

    def counted(self, pair, *rest):
        asked.append(pair)
        return original(self, pair, *rest)

    monkeypatch.setattr(indexing.TextIndexes, "find", counted)
    return g, asked


CONDITIONS = [
    {"t": "w1"}, {"t": "none"}, {"t": ["w1", "w2", "w1"]}, [("t", "startswith", "w1")],
    [("t", "startswith", "")], {"t": "w1", "n": 3}, [("n", ">", 2), ("t", "==", "w1")],
    [("t", "==", "w1"), ("t", "startswith", "w")], [("t", "==", "w1"), ("t", "!=", "w1")],
    {"t": []},
]  # fmt: skip


@pytest.mark.parametrize("pair", [("T", "t"), (None, "t")])
def test_conditions_use_an_index(words, pair):
    g, asked = words
    some = np.arange(999, 100, -3)
    without = [g.read_nodes("T", where=where).rows.tolist() for where in CONDITIONS]
    chosen = [g.read_nodes("T", nodes=some, where=w).rows.tolist() for w in CONDITIONS]
    assert asked == []
    g.create_index(*pair)
    assert [g.read_nodes("T", where=where).rows.tolist() for where in CONDITIONS] == without
    assert asked == [pair] * len(CONDITIONS)
    assert [g.read_nodes("T", nodes=some, where=w).rows.tolist() for w in CONDITIONS] == chosen
    table = g.read_nodes("T", ["n", "t"], where={"t": "w2"})
    assert set(table["t"].tolist()) == {"w2"}


VALUES = st.one_of(
    st.none(), st.sampled_from(["", "a", "a\0", "ab", "é", "2024-02-29", "1970-01-01T00:00:00"]),
    st.sampled_from([1, 2.5, True, datetime.date(2024, 2, 29), [1], datetime.datetime(1970, 1, 1)]),
)  # fmt: skip
TEXTS = st.sampled_from(["", "a", "ab", "a\0", "é", "2024-02-29", "1970-01-01T00:00:00", "none"])
WHERE = st.one_of(
    st.tuples(st.just("t"), st.sampled_from(["==", "startswith"]), TEXTS),
    st.tuples(st.just("t"), st.just("in"), st.lists(st.one_of(TEXTS, st.just(1)), max_size=4)),
    st.tuples(st.just("n"), st.just(">"), st.integers(0, 9)),
)


@given(st.lists(VALUES, min_size=1, max_size=30), st.lists(WHERE, max_size=3), st.data())
def test_an_index_changes_no_answer(values, where, data):
    g = nk.Graph()
    g.add_nodes("T", np.arange(len(values)), {"t": values, "n": np.arange(len(values)) % 10})
    some = data.draw(st.lists(st.integers(0, len(values) - 1), unique=True))
    want = [g.read_nodes("T", nodes=own, where=where).rows.tolist() for own in (None, some)]
    pair = data.draw(st.sampled_from([("T", "t"), (None, "t")]))
    if not any(isinstance(value, str) for value in values):
        with pytest.raises(nk.GraphError):
            g.create_index(*pair)
        return
    g.create_index(*pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selecting, "ROWS_PAY", 0)
        for nodes, rows in zip((None, some), want, strict=True):
            assert g.read_nodes("T", nodes=nodes, where=where).rows.tolist() == rows
    agree(g, *pair, ["", "a", "ab", "é"])


def test_conditions_that_leave_an_index_alone(words):
    g, asked = words
    g.create_index("T", "t")
    many = [f"w{i}" for i in range(1000 // selecting.ROWS_PAY + 1)]
    for where in (
        {"t": 5}, {"t": ["w1", 5]}, [("t", "!=", "w1")], [("t", "<", "w1")], {"n": 3}, {"t": many},
        {"t": "2024-02-29"}, {"t": "2024-02-29T12:00:00"},  # dates equal these texts
    ):  # fmt: skip
        g.read_nodes("T", where=where)
    assert g.read_nodes("T", nodes=[1, 2, 3], where={"t": "w1"}).rows.size <= 3
    assert asked == []


def test_a_date_in_a_mixed_column_equals_its_text(words):
    g, _ = words
    g.create_index("T", "t")
    g.update_nodes([3], {"t": [datetime.date(2024, 2, 29)]})
    assert g.read_nodes("T", where={"t": "2024-02-29"}).rows.tolist() == [3, 7]
    assert g.read_nodes("T", where=[("t", "startswith", "2024")]).rows.tolist() == [7]


def test_conditions_on_a_column_that_went_away(tmp_path):
    with nk.create(tmp_path / "g") as g:
        g.add_nodes("T", np.arange(100), {"t": ["a"] * 100})
        g.create_index("T", "t")
        g.save()
        g.update_nodes(np.arange(100), {"t": [None] * 100})
        g.compact()
        assert lists(g.find_by_text("T", "t", "a")) == [[]]
        with pytest.raises(nk.NotFoundError, match="has no property 't'"):
            g.read_nodes("T", where={"t": "a"})
        g.update_nodes([4], {"t": ["a"]})
        assert g.read_nodes("T", where={"t": "a"}).rows.tolist() == [4]


# -- files ------------------------------------------------------------------------------------


def test_files_of_one_segment_and_of_several(tmp_path):
    path = tmp_path / "g"
    four = ("ids", "keys", "meta", "offsets")
    with nk.create(path) as g:
        g.add_nodes("Town", [1, 2], {"name": ["b", "a"]})
        g.create_index("Town", "name")
        g.save()
        stem = "seg_000/property_index_Town_name_"
        assert index_files(path) == [text_index_files.LIST, *(f"{stem}{x}.bin" for x in four)]
        folder = generation(path) / "seg_000"
        keys = (folder / "property_index_Town_name_keys.bin").read_bytes()
        assert (keys[:2], len(keys), set(keys[2:])) == (b"ab", 4096, {0})
        offsets = np.fromfile(folder / "property_index_Town_name_offsets.bin", "<u8")
        assert (offsets[:3].tolist(), offsets.size) == ([0, 1, 2], 64)
        ids = np.fromfile(folder / "property_index_Town_name_ids.bin", "<u4")
        assert (ids[:2].tolist(), ids.size) == ([1, 0], 64)
        meta = np.fromfile(folder / "property_index_Town_name_meta.bin", "<u8")
        assert meta.tolist() == [2, 2]
        inode = (folder / "property_index_Town_name_keys.bin").stat().st_ino
        for segment in (1, 2):
            g.add_nodes("Town", [10 * segment], {"name": ["c"]})
            g.seal()
            stems = [f"nkgraph_text/00000_{n:03}" for n in range(segment + 1)]
            listed = [f"{own}_{x}.bin" for own in stems for x in four]
            assert index_files(path) == [*listed, text_index_files.LIST]
            kept = generation(path) / "nkgraph_text/00000_000_keys.bin"
            assert kept.stat().st_ino == inode
        g.drop_index("Town", "name")
        g.save()
        assert index_files(path) == []
        assert g.indexes == []
        assert g.verify().ok


def test_a_seal_writes_only_what_is_new(towns):
    before = {name: (generation(towns) / name).stat().st_ino for name in index_files(towns)}
    with nk.open(towns, "r+") as g:
        g.add_nodes("Town", [77], {"name": ["Bern"]})
        g.remove_nodes([0])  # segment 0 is written anew, segment 1 stays
        g.seal()
        new = [
            n for n in index_files(towns) if before.get(n) != (generation(towns) / n).stat().st_ino
        ]
        assert not [name for name in new if "_001_" in name]
        table = json.loads((generation(towns) / text_index_files.LIST).read_text())
        assert [part["count"] for part in table["indexes"][1]["parts"]] == [1, 2, 1]
        assert [name for name in new if "_002_ids" in name]
        assert lists(g.find_by_text("Town", "name", "Bern")) == [[5, 7]]
        assert g.verify().ok


def test_an_index_alone_is_a_change_to_save(towns):
    with nk.open(towns, "r+") as g:
        current = generation(towns)
        g.save()
        assert generation(towns) == current
        g.create_index(None, "name")
        g.seal()
        assert generation(towns) != current
        agree(g, None, "name", ["Bern", "Biel"])
        assert g.verify().ok
    with nk.open(towns) as g:
        assert (None, "name") in g.indexes
        agree(g, None, "name", ["Bern", "Biel"])


def test_a_graph_opened_for_reading_keeps_an_index_in_memory(towns):
    before = index_files(towns)
    with nk.open(towns) as g:
        g.create_index("Lake", "id")
        assert lists(g.find_by_text("Lake", "id", ["y", "q"])) == [[4], []]
        g.drop_index("Town", "name")
        g.save(towns.parent / "copy")
    assert index_files(towns) == before
    with nk.open(towns.parent / "copy") as g:
        assert g.indexes == [(None, "title"), ("Lake", "id")]
        assert lists(g.find_by_text("Lake", "id", ["y", "q"])) == [[4], []]


def test_look_ups_read_neither_columns_nor_more_than_they_need(towns, monkeypatch):
    reads = []
    original = text_index_files.read

    def counted(directory, part, limit):
        reads.append(part.stem)
        return original(directory, part, limit)

    def fail(*_):
        raise AssertionError("a column was read")

    monkeypatch.setattr(text_index_files, "read", counted)
    monkeypatch.setattr(reader.Stored, "store", fail)
    with nk.open(towns) as g:
        assert reads == []
        assert lists(g.find_by_text("Town", "name", "Bern")) == [[0, 5]]
        assert lists(g.find_by_prefix("Town", "name", "Bi")) == [[1]]
        assert len(reads) == 2


NAMES = [("A_b", "c"), ("A", "b_c"), ("né", "t"), ("n_", "t"), ("n", "__t"), ("P", "é"), ("P", "è"),
         ("a", "B_C"), ("long" * 60, "t"), ("T", "x/y"), ("T", "..")]  # fmt: skip


@pytest.mark.parametrize("several", [False, True])
def test_names_that_would_share_files(tmp_path, several):
    with nk.create(tmp_path / "g") as g:
        for number, (kind, column) in enumerate(NAMES):
            g.add_nodes(kind, [number], {column: [f"value {number}"]})
            g.create_index(kind, column)
            if (None, column) not in g.indexes:
                g.create_index(None, column)
        g.save()
        if several:
            g.add_nodes("A", [100], {"b_c": ["value 100"]})
            g.save()
    with nk.open(tmp_path / "g") as g:
        texts = [f"value {number}" for number in range(len(NAMES))]
        for kind, column in g.indexes:
            agree(g, kind, column, texts)
        assert g.verify().ok


def test_stems_that_kglite_may_take_for_another_are_not_used():
    known = {"A_b": ["c"], "A": ["b_c"], "T": ["é", "x", "X y", "X_y"], "Tx": ["x"], "Ö": ["t"]}
    assert kglite_stem(("T", "x"), known) == "property_index_T_x"
    assert kglite_stem(("Tx", "x"), known) == "property_index_Tx_x"
    assert kglite_stem(("T", "é"), known) == "property_index_T__"
    assert kglite_stem(("Ö", "t"), known) == "property_index___t"
    assert kglite_stem((None, "x"), known) == "global_index_x"
    for pair in (
        ("A", "b_c"),
        ("A_b", "c"),
        ("A_b", "d"),
        ("T", "X y"),
        ("T", "X_y"),
        (None, "X y"),
    ):
        assert kglite_stem(pair, known) is None, pair
    assert kglite_stem(("t", "x"), {**known, "t": ["x"]}) is None
    assert kglite_stem(("T", "x" * 300), known) is None


def test_a_flat_directory_has_the_files_that_kglite_finds(tmp_path):
    g = nk.Graph()
    g.add_nodes("Town", [1], {"name": ["Bern"], "é": ["a"], "è": ["b"]})
    for column in ("name", "é", "è"):
        g.create_index("Town", column)
    g.save(tmp_path / "flat", layout="flat")
    names = sorted(file.name for file in (tmp_path / "flat").rglob("*_index_*_meta.bin"))
    assert names == ["property_index_Town_name_meta.bin"]
    assert not (tmp_path / "flat" / text_index_files.LIST).exists()
    with nk.open(tmp_path / "flat") as opened:
        assert opened.indexes == []


# -- what is not believed ---------------------------------------------------------------------


@pytest.mark.parametrize("name", FIXTURES)
def test_directories_of_the_engine(data, name, tmp_path):
    """Its index files are passed over, whatever they say; an own index answers as a scan does."""
    path = tmp_path / "g"
    shutil.copytree(data / "kglite" / name / "graph", path)
    for file in path.rglob("*_index_*_ids.bin"):
        if file.name.startswith(("property", "global")):
            file.write_bytes(b"\xff" * file.stat().st_size)
    made = 0
    with nk.open(path) as g:
        assert g.indexes == []
        for kind in g.node_types:
            for column in [*g.read_nodes(kind), "id", "title", *g._aliases(kind)]:
                for own in (kind, None):
                    try:
                        g.create_index(own, column)
                    except nk.GraphError:  # no text
                        continue
                    made += 1
                    values = g.read_nodes(kind, [column])[column].tolist()
                    agree(g, own, column, [v for v in values if isinstance(v, str)][:50])
        assert made > 1
        g.save(tmp_path / "own")
        pairs = g.indexes
    with nk.open(tmp_path / "own") as g:
        assert g.indexes == pairs
        for kind, column in pairs:
            agree(g, kind, column, ["Amber 213", "a", "Q10"])
        assert g.verify().ok


def test_types_without_a_column_are_not_found_by_their_titles(data):
    """kglite finds nothing here, or titles: see its format description, section 9.3."""
    with nk.open(data / "kglite" / "columns_bin" / "graph") as g:
        g.create_index(None, "nid")
        found = lists(g.find_by_text(None, "nid", ["Q10"]))[0]
        assert len(found) == 1
        kind = g.types(found)[0]
        assert g.read_nodes(kind, ["nid"], found)["nid"].tolist() == ["Q10"]
        title = g.titles(found)[0]
        assert lists(g.find_by_text(None, "nid", [title])) == [[]]


def relist(path, change):
    """Change the list of indexes, as one whose size and checksum are right."""
    folder = generation(path)
    table = json.loads((folder / text_index_files.LIST).read_text())
    change(table)
    blob = json.dumps(table).encode()
    (folder / text_index_files.LIST).unlink()
    (folder / text_index_files.LIST).write_bytes(blob)
    whole = json.loads((folder / "nkgraph.json").read_text())
    whole["files"][text_index_files.LIST] = {"bytes": len(blob), "crc32": zlib.crc32(blob)}
    (folder / "nkgraph.json").write_text(json.dumps(whole))


@pytest.mark.parametrize("field", ["stamp", "rows", "kind"])
def test_a_stale_index_is_not_believed(towns, field):
    def change(table):
        part = table["indexes"][1]["parts"][0]
        if field == "stamp":
            part["stamp"] += 1
        else:
            part["sources"]["Town"][field == "rows"] = 9 if field == "rows" else "title"

    relist(towns, change)
    with nk.open(towns, "r+") as g:
        assert "is stale" in str(g.verify())
        agree(g, "Town", "name", ["Bern", "Biel"])
        g.add_nodes("Lake", ["q"])
        g.save()  # written anew
        agree(g, "Town", "name", ["Bern", "Biel"])
        assert g.verify().ok


def test_a_stale_part_alone_is_a_change_to_save(towns):
    relist(towns, lambda table: table["indexes"][1]["parts"][0].update(stamp=1))
    with nk.open(towns, "r+") as g:
        g.save()
        assert g.verify().ok
        agree(g, "Town", "name", ["Bern"])


def test_verify_finds_files_of_no_index(towns):
    relist(towns, lambda table: table["indexes"].pop(0))
    with nk.open(towns) as g:
        assert "belongs to no text index" in str(g.verify())
