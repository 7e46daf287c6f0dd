"""Compile ahead what first calls would compile: a tiny round through every public stage.

The arrays have the dtypes, and the sizes lie above the thresholds, with which real calls reach
the kernels; nothing else about them matters. Everything is written to a temporary folder.
"""

import importlib
import inspect
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nkgraph import kernels
from nkgraph.csr import CSR
from nkgraph.dtypes import TEXT
from nkgraph.graph import Graph
from nkgraph.second_process import SecondProcess

if TYPE_CHECKING:
    from nkgraph.kernels.compiling import Compiled

Hear: TypeAlias = Callable[["Compiled"], object]
NODES, EDGES, MANY = 1 << 13, 1 << 14, 1 << 18
"""Of graphs with properties; and items of plain arrays, enough to start threads."""
LETTERS = ("amber", "birch", "cedar", "dune", "elm", "fjord", "grove", "heath", "isle", "jade")
_alone = threading.Lock()


def warmup(*, report: Hear | None = None) -> "list[Compiled]":
    """Compile every kernel that a first call would compile, or fetch it from the cache.

    Later processes fetch what is compiled here from numba's cache on disk, at a few milliseconds
    a kernel: see ``NUMBA_CACHE_DIR``.

    Parameters
    ----------
    report : callable, optional
        Called with each ``Compiled`` as soon as it is ready.

    Returns
    -------
    list of Compiled
        In the order in which they got ready: ``name``, as "csr.count_buckets"; ``seconds``; and
        ``cached``, whether it came from the cache. Kernels that this process has used before are
        not among them. A kernel comes twice if it is compiled for two kinds of arrays.

    Notes
    -----
    Under a minute on two cores if nothing is cached, as a second process compiles too, from the
    last kernel to the first; a few seconds if all is. Needs about 200 MB of memory in each, and
    writes less than 100 MB to a temporary folder, which it removes.

    Examples
    --------
    >>> import nkgraph as nk
    >>> ready = nk.warmup()  # doctest: +SKIP
    >>> nk.warmup()  # doctest: +SKIP
    []
    """
    ready: list[Compiled] = []
    with SecondProcess() as second:

        def hear(compiled: "Compiled") -> None:
            if not compiled.cached and kernels.compiling.has_cache():
                second.start()
            seconds = second.compiled(compiled.name) if compiled.cached else None
            if seconds is not None:
                compiled = compiled._replace(seconds=seconds, cached=False)
            ready.append(compiled)
            if report is not None:
                report(compiled)

        with _alone:  # two callers would hear of each other's kernels
            go_through(STAGES, hear)
    return ready


def go_through(stages: "Sequence[Callable[[Path], None]]", hear: Hear) -> None:
    """Do stages in their order; ``hear`` is called with each kernel that gets ready."""
    with (
        kernels.compiling.watched(hear),
        tempfile.TemporaryDirectory(prefix="nkgraph-warmup-") as folder,
        warnings.catch_warnings(),
    ):
        for number, stage in enumerate(stages):
            place = Path(folder) / str(number)
            place.mkdir()
            stage(place)


# -- what graphs hold -------------------------------------------------------------------------


def _columns(count: int, seed: int = 0) -> dict[str, object]:
    """A column of each kind, and some of each kind with gaps."""
    rng = np.random.default_rng(seed)
    texts = _texts(count, rng)
    gaps = rng.random(count) < 0.2
    days = np.datetime64("2001-01-01") + rng.integers(0, 9000, count)
    columns: dict[str, object] = {
        "number": rng.integers(-(2**40), 2**40, count),
        "small": rng.integers(0, 100, count).astype(np.uint32),
        "score": rng.random(count),
        "flag": rng.random(count) < 0.5,
        "text": texts,
        "day": days,
        "second": days.astype("datetime64[s]") + rng.integers(0, 86400, count),
    }
    for name in ("number", "score", "flag", "text", "day"):
        held = np.asarray(columns[name]).tolist()
        columns[f"some {name}"] = _with_gaps(held, gaps.tolist())
    mixed = np.asarray(columns["number"]).tolist()
    columns["mixed"] = [
        str(value) if odd else value for value, odd in zip(mixed, gaps.tolist(), strict=True)
    ]
    return columns


def _with_gaps(values: list[object], gaps: list[bool]) -> list[object]:
    return [None if gap else value for value, gap in zip(values, gaps, strict=True)]


def _texts(count: int, rng: np.random.Generator) -> np.ndarray:
    words = np.array(LETTERS, TEXT)[rng.integers(0, len(LETTERS), count)]
    numbers = rng.integers(0, 10**9, count).astype(TEXT)
    long = np.where(rng.random(count) < 0.3, " of the far and distant é islands", "").astype(TEXT)
    return np.strings.add(np.strings.add(words, numbers), long)


def _filled(nodes: int, edges: int, graph: Graph | None = None, seed: int = 0) -> Graph:
    """A graph of three node types, whose ids are integers, texts and both, and two of edges."""
    made = Graph() if graph is None else graph
    rng = np.random.default_rng(seed)
    first = 1024 + seed * NODES
    third = nodes // 3
    ids = [
        made.add_nodes("Number", np.arange(first, first + third), _columns(third, seed)),
        made.add_nodes(
            "Text",
            np.strings.add("key ", np.arange(first, first + third).astype(TEXT)),
            _columns(third, seed + 1),
            titles=_texts(third, rng),
        ),
        made.add_nodes("Both", [7 + first, f"a{first}", f"b{first}"]),
    ]
    every = np.concatenate(ids)
    for name in ("A", "B"):
        sources, targets = every[rng.integers(0, every.size, (2, edges // 2))]
        made.add_edges(name, sources, targets, _columns(edges // 2, seed))
    return made


# -- stages -----------------------------------------------------------------------------------


def _rows(_: Path) -> None:
    """Edge lists to rows; a graph in memory asked everything."""
    rng = np.random.default_rng(0)
    sources, targets = rng.integers(0, NODES, (2, MANY), dtype=np.uint32)
    csr = CSR.from_edges(sources, targets, NODES, rng.random(MANY))
    CSR(csr.offsets, csr.targets, csr.edges)
    csr.reverse()
    csr.symmetrized()
    from nkgraph.build import count_peers
    from nkgraph.search import find_sorted
    from nkgraph.word_columns import gather

    count_peers(rng.integers(0, 9, MANY, dtype=np.uint64), targets)
    count_peers(rng.integers(0, 9, MANY), targets)
    keys = np.unique(sources)
    for count in (1, 32, 1000, MANY):
        find_sorted(keys, targets[:count])
        find_sorted(keys, np.sort(targets[:count]))
    for slots in (targets, np.sort(targets), targets.astype(np.int64), targets[:9]):
        gather([rng.integers(0, 2**63, MANY, np.uint64)] * 2, slots)


def _graph(folder: Path) -> None:
    """Build, ask, save, open, ask, change, seal, compact, verify."""
    from nkgraph.front import open_graph

    graph = _filled(NODES, EDGES)
    _ask(graph)
    for node_type, column in (("Text", "text"), (None, "some text")):
        graph.create_index(node_type, column)
    graph.save(folder / "g")
    plain = Graph()  # the flat layout has no timestamps
    nodes = plain.add_nodes("Number", np.arange(NODES), {"number": np.arange(NODES)})
    plain.add_edges("A", nodes[:-1], nodes[1:], {"score": np.arange(NODES - 1.0)})
    plain.save(folder / "flat", layout="flat")
    with open_graph(folder / "flat") as flat:
        flat.csr("A")
        flat.find("Number", np.arange(99))
        flat.read_nodes("Number")
        flat.read_edges("A")
    with open_graph(folder / "g", "r+") as grown:
        _ask(grown)
        for seed in (1, 2):
            _filled(NODES // 4, EDGES // 4, grown, seed)
            _ask(grown)
            grown.seal()
            _ask(grown)
        nodes = grown.nodes("Number")
        grown.update_nodes(nodes[:9], {"number": np.arange(9), "text": ["new"] * 9})
        edges = grown.edges("A")[2]
        grown.update_edges(edges[:9], {"score": np.arange(9.0)})
        grown.remove_edges(edges[9:99])
        grown.remove_nodes(nodes[-9:])
        _ask(grown)
        grown.seal()
        grown.verify()
        grown.compact()
        _ask(grown)
    with open_graph(folder / "g") as last:
        _ask(last)
        last.verify()


def _ask(graph: Graph) -> None:
    """Ask for rows, indexes, ids and properties."""
    nodes = graph.nodes()
    for direction in ("out", "in", "both"):
        for name in (None, "A"):
            graph.csr(name, direction)
            graph.degrees(None, name, direction)
            graph.degrees(nodes[:99], name, direction)
            graph.neighbors(nodes[3], name, direction)
    graph.sources("A")
    graph.peer_counts("A")
    graph.edges("A")
    graph.edges()
    graph.ids(nodes)
    graph.titles(nodes)
    graph.types(nodes)
    for name in graph.node_types:
        keys = graph.ids(graph.nodes(name))
        for wanted in (keys[:3], keys):
            graph.find(name, wanted)
            graph.find(name, wanted, missing="sentinel")
        graph.read_nodes(name)
        graph.read_nodes(name, nodes=graph.nodes(name)[::3])
    edges = graph.edges("A")[2]
    for rows in (None, edges[::3], edges[:5]):
        graph.read_edges("A", edges=rows)
    _filter(graph)
    for node_type, column in graph.indexes:
        texts = graph.read_nodes("Text", ["text"])["text"].values
        for wanted in (texts[:2], texts[:2000]):
            graph.find_by_text(node_type, column, wanted)
            graph.find_by_prefix(node_type, column, wanted)


def _filter(graph: Graph) -> None:
    """Conditions of each operator on columns of each kind."""
    rng = np.random.default_rng(1)
    values: list[tuple[str, object, Sequence[object]]] = [
        ("number", 5, [rng.integers(-(2**40), 2**40, 2000), np.arange(50), [1, 2, 2.5]]),
        ("score", 0.5, [rng.random(2000), [1, 2.5]]),
        ("flag", True, [[True]]),
        ("text", "birch5", [_texts(2000, rng), ["amber", "dune"]]),
        ("day", np.datetime64("2010-01-01"), [np.arange("2010", "2015", dtype="datetime64[D]")]),
        ("second", np.datetime64("2010-01-01T00:00:01"), []),
        ("mixed", "birch5", [["amber", 5]]),
    ]
    for column, value, members in values:
        for name in (column, f"some {column}"):
            if name not in graph.read_nodes("Number", nodes=[]).columns:
                continue
            ordered = () if column == "flag" else ("<", "<=", ">", ">=")
            for operator in ("==", "!=", *ordered):
                graph.read_nodes("Number", [], where=[(name, operator, value)])
            for wanted in members:
                graph.read_nodes("Number", [], where=[(name, "in", wanted)])
    for text in ("text", "some text", "mixed"):
        graph.read_nodes("Number", [], where=[(text, "startswith", "birch")])


def _imports(folder: Path) -> None:
    """Text files of each form."""
    from nkgraph import ingest

    rng = np.random.default_rng(2)
    count = 1 << 14
    ends = rng.integers(0, 9000, (count, 2)) + 17
    texts = _texts(count, rng).tolist()
    pairs = ends.tolist()
    plain = folder / "plain.txt"
    plain.write_text("".join(f"{u}\t{v}\n" for u, v in pairs))
    table = folder / "table.csv"
    table.write_text(
        "from,to,kind,weight,when,name,flag\n"
        + "".join(
            f'{u},{v},{"ab"[u % 2]},{u / 7},2010-01-0{1 + u % 9},"{name}, so",{u % 2 == 0}\n'
            for (u, v), name in zip(pairs, texts, strict=True)
        )
    )
    triples = folder / "triples.tsv"
    triples.write_text(
        "".join(f"{name}\t{'rs'[u % 2]}\tn{v}\n" for (u, v), name in zip(pairs, texts, strict=True))
    )
    (folder / "g.v").write_text("".join(f"{u}\n" for u in range(9017)))
    (folder / "g.e").write_text("".join(f"{u} {v} {u / 9}\n" for u, v in pairs))
    people, knows = folder / "Person.csv", folder / "Person_knows_Person.csv"
    people.write_text(
        "id:ID(Person)|name|age\n" + "".join(f"{u}|{texts[u]}|{u % 99}\n" for u in range(9017))
    )
    knows.write_text(
        ":START_ID(Person)|:END_ID(Person)|since\n" + "".join(f"{u}|{v}|2010\n" for u, v in pairs)
    )
    for graph in (
        ingest.import_edges(plain),
        ingest.import_edges(
            table, header=True, source="from", target="to", type="kind", weight="weight",
            properties=["when", "name", "flag"],
        ),
        ingest.import_triples(triples),
        ingest.import_graphalytics(folder / "g"),
        ingest.import_csv([people, knows]),
        ingest.import_edges(plain, folder / "saved"),
    ):  # fmt: skip
        graph.close()


def _conversions(folder: Path) -> None:
    """Written as text of each form, and read back."""
    from nkgraph.converting import convert

    plain, rich = Graph(), Graph()
    numbers = rich.add_nodes("Number", np.arange(1 << 10), _columns(1 << 10))
    texts = rich.add_nodes("Text", ['"1"', "a\\b", "c d"], {"text": ["<&>", 'a"b', None]})
    rich.add_edges("A", numbers, texts[numbers % 3], _columns(1 << 10, 1))
    rich.save(folder / "rich")
    numbers = plain.add_nodes("Number", np.arange(1 << 10))
    plain.add_edges("A", numbers, numbers[::-1], {"weight": np.random.default_rng(6).random(1024)})
    plain.save(folder / "plain")
    forms = {
        "rich": ("csv", "ntriples", "graphml", "matrix-market"),
        "plain": ("graphalytics", "matrix-market"),
    }
    for source, targets in forms.items():
        for form in targets:
            made = folder / f"{source} {form}"
            convert(folder / source, made, form, lossy=True)
            convert(made, folder / f"{made} again", "native", source_format=form, lossy=True)


def _dumps(folder: Path) -> None:
    """A dump written and read."""
    from nkgraph.front import open_graph
    from nkgraph.storage import reddb

    graph = _filled(NODES // 8, NODES // 8)
    reddb.save(reddb.from_graph(graph), folder / "d.rdst")
    with open_graph(folder / "d.rdst") as opened:
        opened.read_nodes("Text")
        opened.verify()
    store = reddb.load(folder / "d.rdst")
    store.to_graph().close()


def _store(folder: Path) -> None:
    """A node store of SparrowDB: written, read, and its values decoded."""
    from nkgraph.storage.sparrowdb import NodeStore

    rng = np.random.default_rng(3)
    count = 1 << 14
    columns = {1: rng.integers(-(2**50), 2**50, count), 2: rng.random(count), 3: _texts(count, rng)}
    with NodeStore.open(folder, sync=False) as store:
        store.write_nodes(1, None, columns)
        gaps = (np.arange(count) % 3 == 0).tolist()
        store.write_nodes(1, None, {4: _with_gaps(list(range(count)), gaps)})
        words = rng.integers(0, 2**40, 2 * count).astype(np.uint64)
        slots = np.repeat(np.arange(count), 2)
        store.batch_write_node_creates(
            (np.full(slots.size, 2), np.tile([1, 2], count), slots, words, slots % 2 == 0),
            (np.full(count, 2), np.arange(count)),
        )
        node = store.create_node(3, {1: 5, 2: "a text of the heap"})
        store.set_node_col(node, 1, 6)
        store.tombstone_node(node)
        store.flush_hwms()
        for wanted in (np.arange(9), rng.integers(0, count, count)):
            store.batch_read_node_props(1, wanted, [1, 2, 3])
            store.batch_read_node_props_nullable(1, wanted, [1, 2, 3, 4])
            store.batch_read_node_values(1, wanted, [1, 2, 3, 4])
        for column in (1, 2, 3, 4):
            store.read_column_values(1, column)


def _algorithms(folder: Path) -> None:
    """Every algorithm that is registered, on a graph in memory, a mapped one and a CSR."""
    from nkgraph.front import open_graph

    rng = np.random.default_rng(4)
    made = Graph()
    nodes = made.add_nodes("N", np.arange(4096))
    sources, targets = nodes[rng.integers(0, nodes.size, (2, EDGES))]
    made.add_edges("E", sources, targets, {"weight": rng.random(EDGES)})
    made.save(folder / "g")
    with open_graph(folder / "g") as mapped:
        for graph in (made, mapped, made.csr()):
            for call in _calls():
                call(graph)
    from nkgraph.algorithms.traversal import bfs

    sources, targets = rng.integers(0, NODES, (2, MANY), dtype=np.uint32)
    bfs(CSR.from_edges(sources, targets, NODES), 0, threads=2)  # enough edges to share


def _calls() -> "Iterator[Callable[[object], object]]":
    """Calls of the public functions of ``nkgraph.algorithms``."""
    from nkgraph.algorithms import HOMES

    for name in sorted(HOMES):
        function = getattr(importlib.import_module(f"nkgraph.algorithms.{HOMES[name]}"), name)
        for direction in ("out", "both"):
            yield partial(_call, function, direction)
        if "weight" in inspect.signature(function).parameters:
            yield partial(_call_weighted, function)


def _call(function: Callable[..., object], direction: str, graph: object) -> object:
    """Call with what must be given: a node or some where nodes are asked for, else defaults."""
    parameters = inspect.signature(function).parameters
    given = {
        name: GIVEN[name]
        for name, parameter in parameters.items()
        if name in GIVEN and (parameter.default is parameter.empty or name in SHORTER)
    }
    if "direction" in parameters:
        given["direction"] = direction
    return function(graph, **given)


def _call_weighted(function: Callable[..., object], graph: object) -> object:
    parameters = inspect.signature(function).parameters
    given = {name: GIVEN[name] for name in parameters if name in GIVEN}
    weight = {} if isinstance(graph, CSR) else {"weight": "weight"}
    return function(graph, **given, **weight)


GIVEN: dict[str, object] = {
    "source": 0,
    "sources": [0, 1],
    "connection_types": [None, None],
    "length": 3,
    "hops": 2,
    "seed": 0,
    "samples": 4,
}
"""Arguments of algorithms by name, where they have no default."""
SHORTER = {"samples"}
"""Those that are given in any case: they make a call short."""


def _by_types(_: Path) -> None:
    """What is met in files of other engines, in damaged ones, and in very large graphs only."""
    for name, arguments in RARE:
        kernels.compiling.compile_for(name, arguments)


ENTITIES = "uint8[] int64[] int64"
PROPERTIES = "uint8[] uint8[] uint64 uint64 uint64 int64 uint64[,]!"
ROWS = "int64[] uint32[]"
RARE: tuple[tuple[str, str], ...] = (
    # a dump's metadata, references, further columns and texts
    ("dump_columns.fill_slots", "int64[,]! int64 int64[]!"),
    ("dump_parts.count_references", f"{ENTITIES} int8[] int64[]!"),
    ("dump_parts.list_references", f"{ENTITIES} int8[] uint64[,]! int64[,]!"),
    ("dump_parts.list_section", "uint8[] int64 uint64[,]! int64[,]!"),
    ("dump_parts.read_tails", f"{ENTITIES} int8[] int64 uint64[,]!"),
    ("dump_parts.text_spans", f"{ENTITIES} int64 int64[]! int64[]!"),
    # integer ids that leave no table by position
    ("keys.find_ints", "int64[]! int64 int64[] int64 int64 int64[]!"),
    ("keys.insert_ints", "int64[]! int64 int64[]! int64 int64[] int64[]!"),
    ("keys.rehash", "int64[]! int64 int64 int64[]!"),
    ("parse.find_no_id", "int64[] uint8[]"),
    # databases of SparrowDB
    ("relations.join_delta", f"uint32[,] uint32 uint32 uint32 {PROPERTIES}"),
    ("relations.join_keys", "uint64[,] uint64 uint64 uint64[]!"),
    ("relations.join_rows", f"uint64[] uint64[] {PROPERTIES}"),
    ("relations.select_properties", "uint32[,] uint32 uint64[]! uint64[]! uint32[]!"),
    ("walk.count_entries", "uint8[] int64[]!"),
    ("walk.list_entries", "uint8[] uint16[]! int64[]! int64[]!"),
    ("walk.count_further_labels", "uint8[] int64[] int64[]"),
    ("walk.list_further_labels", "uint8[] int64[] uint16[]! uint32[]! uint16[]!"),
    ("walk.fill_crc_table", "uint32 uint32[]!"),
    ("walk.walk_log", "uint8[] int64 uint32[] int64[]! int64[,]! int64[]!"),
    ("words.force_ints", "uint64[] bool[] int64[]!"),
    # directories of kglite
    ("codes.select_incident", "uint64[,] uint8[] uint32[]!"),
    ("slots.bag_keys", "uint64[] uint8[] uint64[]! int64"),
    ("slots.bag_texts", "uint64[] uint8[] int64[]!"),
    ("slots.copy_behind", "uint64[] uint8[] int64[]! uint8[]! int64"),
    ("slots.read_bags", "uint64[] uint8[] uint64 uint8[]! uint64[]! int64[]!"),
    ("values.read_pairs", "uint8[] int64 int64 uint8[]! uint64[]! uint32[]! int64[]! int64[]!"),
    ("words.to_values", "uint64[] bool[] uint8[] uint8[]! uint64[]! uint8[]!"),
    # many segments with removed or many kinds of edges
    ("stitch.find_removed", "int64[,] int64[] int64 int64 uint8[]!"),
    ("stitch.move_rows", "int64 int64 int64 int64[]!"),
    ("stitch.rank_edges", "uint64[,] uint64 uint64[]! uint32[]! int64 int64 uint8[]!"),
    ("search.take_found", "uint32[] int64[] uint32[]!"),
    ("search.take_found", "uint8[] int64[] uint32[]!"),
    # what NetworkX asks of its backend
    (
        "distances.sum_up",
        f"{ROWS} uint32[]! uint64[]! uint64[]! uint64[]! uint32[]! uint32[]!"
        " int64[]! int64[]! int64[]! int64[]! float64[]! int64[]!",
    ),
    ("distances.share_edges", f"{ROWS} uint32 uint32[]! int64[]! float64[]! float64[]! float64[]!"),
    ("neighborhoods.distinct", f"{ROWS} uint32[]! uint32[]! int64[]! uint32[]!"),
    ("neighborhoods.push_values", f"{ROWS} float64[]! float64[]! float64[]!"),
    ("neighborhoods.common", f"{ROWS} uint32[]! uint32[]! float64[]! int64[]! float64[]! int64[]!"),
    ("neighborhoods.triangles_both_ways", f"int64 int64 {ROWS} uint8[]! uint8[]! int64[]!"),
    ("neighborhoods.squares", f"uint32[]! {ROWS} uint8[]! int64[]! uint32[]! int64[]! int64[]!"),
    ("ordered.search", f"{ROWS} int64 int64 int32[]! uint32[]! uint32[]!"),
    (
        "ordered.nearest_first",
        f"{ROWS} float64[]! uint32[]! int64 float64 float64[]! int64[]! int64[]!"
        " uint32[]! uint32[]! uint32[]!",
    ),
    ("ordered.forget", "uint32[]! int64 int64[]! int32[]!"),
    ("ordered.strong", f"{ROWS} uint32[]! uint32[]! int64[]! uint32[]! uint32[]! uint32[]!"),
    ("ordered.generations", f"{ROWS} int64[]! int64[]! uint32[]! int64[]!"),
    ("ordered.onion", f"{ROWS} int64[]! uint32[]! uint8[]! int64[]! int32[]!"),
)
"""Kernels that no other stage calls, and their arguments, see ``compile_for``."""
STAGES: tuple[Callable[[Path], None], ...] = (
    _rows,
    _graph,
    _imports,
    _conversions,
    _dumps,
    _store,
    _algorithms,
    _by_types,
)
