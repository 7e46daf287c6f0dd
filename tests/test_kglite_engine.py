"""The real engine opens what is saved here, and answers the same."""

import datetime
import shutil

import kglite
import numpy as np
import pytest

import nkgraph as nk

# kglite maps the files writable, so every test gives it a directory of its own.


@pytest.fixture
def saved(tmp_path):
    """A graph with all kinds of columns and ids, and the engine's view of it."""
    rng = np.random.default_rng(5)
    g = nk.Graph()
    people = g.add_nodes(
        "Person",
        np.arange(10, 60),
        {
            "age": np.ma.masked_array(rng.integers(-5, 99, 50), np.arange(50) % 7 == 0),
            "score": [None if i % 5 == 0 else i / 4 for i in range(50)],
            "nick": [None if i % 3 == 0 else f"né {i}" for i in range(50)],
            "ok": [i % 2 == 0 for i in range(50)],
            "born": [datetime.date(1970, 1, 1) + datetime.timedelta(31 * i) for i in range(50)],
        },
        titles=[f"Title {i}" for i in range(50)],
    )
    towns = g.add_nodes("Town", ["Bern", "Zürich", "日本", ""], {"pop": [1, None, 3, 4]})
    wide = g.add_nodes("Wide", [2**40 + 1, -9, 7], {"mixed": [1, "a", 2.5]})
    g.add_edges("KNOWS", people[rng.integers(0, 50, 300)], people[rng.integers(0, 50, 300)])
    g.add_edges(
        "LIVES_IN",
        people,
        towns[rng.integers(0, 4, 50)],
        {"since": np.arange(50), "how": [None if i % 2 else f"by {i}" for i in range(50)]},
    )
    g.add_edges("SEES", wide, people[:3], {"x": [1.5, None, -0.0], "what": [[1, "z"], {"a": 1}, 3]})
    path = tmp_path / "flat"
    g.save(path, layout="flat")
    shutil.copytree(path, tmp_path / "engine")
    return g, kglite.load(str(tmp_path / "engine"))


def rows(engine, query):
    return [tuple(row.values()) for row in engine.cypher(query).to_list()]


def plain(value):
    return value.isoformat() if isinstance(value, datetime.date) else value


def test_counts(saved):
    g, engine = saved
    assert rows(engine, "MATCH (n) RETURN count(n) AS c") == [(g.node_count,)]
    assert rows(engine, "MATCH ()-[r]->() RETURN count(r) AS c") == [(g.edge_count,)]
    for kind, count in g.node_types.items():
        assert rows(engine, f"MATCH (n:{kind}) RETURN count(n) AS c") == [(count,)]
    for kind, count in g.connection_types.items():
        assert rows(engine, f"MATCH ()-[r:{kind}]->() RETURN count(r) AS c") == [(count,)]


@pytest.mark.parametrize("kind", ["Person", "Town", "Wide"])
def test_nodes_and_properties(saved, kind):
    g, engine = saved
    table = g.read_nodes(kind)
    names = list(table)
    returned = ", ".join(f"n.{name} AS {name}" for name in names)
    found = rows(engine, f"MATCH (n:{kind}) RETURN n.id AS id, n.title AS title, {returned}")
    titles = [title or None for title in g.titles(table.rows).tolist()]
    columns = [[plain(v) for v in table[name].tolist()] for name in names]
    want = list(zip(g.ids(table.rows).tolist(), titles, *columns, strict=True))
    assert sorted(map(repr, found)) == sorted(map(repr, want))


@pytest.mark.parametrize("kind", ["KNOWS", "LIVES_IN", "SEES"])
def test_edges_and_properties(saved, kind):
    g, engine = saved
    sources, targets, _ = g.edges(kind)
    table = g.read_edges(kind)
    names = list(table)
    returned = "".join(f", r.{name} AS {name}" for name in names)
    found = rows(engine, f"MATCH (a)-[r:{kind}]->(b) RETURN a.id AS s, b.id AS t{returned}")
    columns = [[plain(v) for v in table[name].tolist()] for name in names]
    want = zip(g.ids(sources).tolist(), g.ids(targets).tolist(), *columns, strict=True)
    assert sorted(map(repr, found)) == sorted(map(repr, want))


def test_ids(saved):
    g, engine = saved
    for kind, key in (("Person", 17), ("Town", "日本"), ("Wide", 2**40 + 1), ("Wide", -9)):
        query = f"MATCH (n:{kind}) WHERE n.id = {key!r} RETURN n.id AS id"
        assert rows(engine, query) == [(key,)]
        assert g.ids(g.find(kind, [key])).tolist() == [key]


def test_typed_out_and_peer_counts(saved):
    g, engine = saved
    for kind in g.connection_types:
        targets, counts = g.peer_counts(kind)
        found = rows(engine, f"MATCH (a)-[r:{kind}]->(b) RETURN b.id AS b, count(a) AS c")
        want = zip(g.ids(targets).tolist(), counts.tolist(), strict=True)
        assert sorted(map(repr, found)) == sorted(map(repr, want))
    for node in g.nodes("Person")[:10]:
        key = g.ids([node])[0]
        found = rows(engine, f"MATCH (a:Person {{id: {key}}})-[:KNOWS]->(b) RETURN b.id AS b")
        assert sorted(b for (b,) in found) == sorted(g.ids(g.neighbors(node, "KNOWS")).tolist())


def test_a_native_generation_is_a_kglite_directory(saved, tmp_path):
    g, _ = saved
    g.save(tmp_path / "native")
    (generation,) = (tmp_path / "native" / "generations").iterdir()
    shutil.copytree(generation, tmp_path / "copy")
    engine = kglite.load(str(tmp_path / "copy"))
    assert rows(engine, "MATCH (n) RETURN count(n) AS c") == [(g.node_count,)]
    assert rows(engine, "MATCH ()-[r]->() RETURN count(r) AS c") == [(g.edge_count,)]


def test_a_graph_of_the_engine_survives_a_round_trip(data, tmp_path):
    with nk.open(data / "kglite" / "basic" / "graph") as g:
        g.save(tmp_path / "again", layout="flat")
        engine = kglite.load(str(tmp_path / "again"))
        query = "MATCH (n:Person) RETURN n.id AS id, n.pid AS pid, n.nick AS nick, n.rank AS rank"
        found = rows(engine, query)
        table = g.read_nodes("Person", ["id", "pid", "nick", "rank"])
        want = zip(*(column.tolist() for column in table.columns.values()), strict=True)
        assert sorted(map(repr, found)) == sorted(map(repr, want))


def test_the_engine_sees_all_segments_of_a_native_generation(tmp_path):
    with nk.create(tmp_path / "g") as g:
        people = g.add_nodes("Person", [1, 2, 3], {"age": [10, 20, 30]})
        g.add_edges("KNOWS", people[:2], people[1:], {"w": [1, 2]})
        g.save()
        new = g.add_nodes("Person", [4, 5])
        g.add_edges("KNOWS", new, new[::-1])
        g.seal()  # segment-local
        g.add_edges("LIKES", [0, 4], [4, 0])
        g.seal()  # full-range
        g.remove_edges([0])
        g.save()
    current = (tmp_path / "g" / "CURRENT").read_text().strip()
    shutil.copytree(tmp_path / "g" / "generations" / current, tmp_path / "engine")
    engine = kglite.load(str(tmp_path / "engine"))
    assert rows(engine, "MATCH (n:Person) RETURN count(n) AS c") == [(5,)]
    assert rows(engine, "MATCH (a)-[r:KNOWS]->(b) RETURN count(r) AS c") == [(3,)]
    assert rows(engine, "MATCH (a)-[r:LIKES]->(b) RETURN count(r) AS c") == [(2,)]
    # Properties and ids of later segments lie in files that it does not look for.
    ids = rows(engine, "MATCH (n:Person) RETURN n.id AS i")
    assert ids == [(1,), (2,), (3,), (None,), (None,)]


# -- text indexes -----------------------------------------------------------------------------

TEXT_QUERIES = {
    "MATCH (n:Person {nick: 'né 7'}) RETURN n.id AS i": ("Person", "nick", "né 7", False),
    "MATCH (n:Person) WHERE n.nick STARTS WITH 'né 1' RETURN n.id AS i": (
        "Person", "nick", "né 1", True,
    ),
    "MATCH (n {nick: 'né 7'}) RETURN n.id AS i": (None, "nick", "né 7", False),
    "MATCH (n) WHERE n.title STARTS WITH 'Title 2' RETURN n.id AS i": (
        None, "title", "Title 2", True,
    ),
    "MATCH (n:Wide {mixed: 'a'}) RETURN n.id AS i": ("Wide", "mixed", "a", False),
}  # fmt: skip


def engine_of(path, copy):
    shutil.copytree(path, copy)
    return kglite.load(str(copy)), copy


def test_the_engine_uses_the_text_indexes(saved, tmp_path):
    """It answers from them alone: emptied ones show that, whole ones give all."""
    g, _ = saved
    for kind, column in (
        ("Person", "nick"), (None, "nick"), (None, "title"), ("Wide", "mixed"), (None, "mixed"),
    ):  # fmt: skip
        g.create_index(kind, column)
    g.save(tmp_path / "native")
    g.save(tmp_path / "flat again", layout="flat")
    (generation,) = (tmp_path / "native" / "generations").iterdir()
    for number, path in enumerate((generation, tmp_path / "flat again")):
        engine, copy = engine_of(path, tmp_path / f"whole {number}")
        for query, (kind, column, text, is_prefix) in TEXT_QUERIES.items():
            find = g.find_by_prefix if is_prefix else g.find_by_text
            want = g.ids(find(kind, column, text)[1]).tolist()
            assert want
            assert sorted(i for (i,) in rows(engine, query)) == sorted(want), query
        for node in ("n:Wide", "n"):
            query = f"MATCH ({node} {{mixed: 1}}) RETURN n.id AS i"
            assert rows(engine, query) == [(2**40 + 1,)]
        for meta in copy.rglob("*_index_*_meta.bin"):
            meta.write_bytes(bytes(16))
        engine, _ = engine_of(copy, tmp_path / f"emptied {number}")
        assert [rows(engine, query) for query in list(TEXT_QUERIES)[:2]] == [[], []]


def test_the_engine_gets_no_part_of_a_text_index_for_the_whole(tmp_path):
    with nk.create(tmp_path / "g") as g:
        g.add_nodes("Person", [1, 2], {"nick": ["a", "b"]}, titles=["x", "y"])
        g.create_index("Person", "nick")
        g.create_index(None, "title")
        g.save()
        g.add_nodes("Person", [3], {"nick": ["c"]}, titles=["x"])
        g.seal()
        current = (tmp_path / "g" / "CURRENT").read_text().strip()
        generation = tmp_path / "g" / "generations" / current
        assert not list(generation.glob("seg_*/*_index_*_keys.bin"))
        engine, _ = engine_of(generation, tmp_path / "several")
        assert rows(engine, "MATCH (n:Person {nick: 'a'}) RETURN n.id AS i") == [(1,)]
        g.compact()
        (generation,) = (tmp_path / "g" / "generations").iterdir()
        engine, _ = engine_of(generation, tmp_path / "one")
        assert rows(engine, "MATCH (n:Person {nick: 'c'}) RETURN n.id AS i") == [(3,)]
        found = rows(engine, "MATCH (n {title: 'x'}) RETURN n.id AS i")
        assert sorted(found) == [(1,), (3,)]


def test_the_engine_is_not_fooled_by_names_that_share_files(tmp_path):
    g = nk.Graph()
    g.add_nodes("A_b", [1], {"c": ["value"]})
    g.add_nodes("A", [2, 3], {"b_c": ["value", "other"]})
    g.create_index("A_b", "c")
    g.save(tmp_path / "flat", layout="flat")
    engine, _ = engine_of(tmp_path / "flat", tmp_path / "copy")
    assert rows(engine, "MATCH (n:A_b {c: 'value'}) RETURN n.id AS i") == [(1,)]
    assert rows(engine, "MATCH (n:A {b_c: 'value'}) RETURN n.id AS i") == [(2,)]
