"""Every recorded answer of the public graphs, through the import functions.

The READMEs beside the data say where it comes from, what each answer means and how closely to
compare. A file of answers that nothing here compares fails.
"""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest

import nkgraph as nk

FAR = 2**63 - 1
"""Recorded depth of what is not reached."""
EXACT, NEAR, LOOSE = 0.0, 1e-9, 1e-4
"""Relative tolerances. The last is the one that Graphalytics itself uses."""
PARTITION = -1.0
"""Instead of a tolerance: which nodes are together, whatever their number."""


def answers(path):
    """What is recorded: ids, and values as words."""
    data = path.read_bytes()
    words = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().split()
    return np.array(words[::2], np.int64), words[1::2]


def compare(found, words, tolerance):
    wanted = np.array(words, np.float64 if tolerance > 0 else np.int64)
    if tolerance == PARTITION:
        pairs = set(zip(found.tolist(), words, strict=True))
        assert len(pairs) == len(set(found.tolist())) == len(set(words))
    elif tolerance == EXACT:
        assert found.tolist() == wanted.tolist()
    else:
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=1e-12)


def depths(found):
    return np.where(found.depths < 0, FAR, found.depths.astype(np.int64))


# -- LDBC Graphalytics: 24 outputs ------------------------------------------------------------

GRAPHALYTICS = sorted(
    f"{name}-{form}-{kind}"
    for form in ("directed", "undirected")
    for name, kinds in {
        "example": ("BFS", "CDLP", "LCC", "PR", "SSSP", "WCC"),
        **{f"test-{kind.lower()}": (kind,) for kind in ("BFS", "CDLP", "LCC", "PR", "SSSP", "WCC")},
    }.items()
    for kind in kinds
)


def test_no_graphalytics_output_is_left_out(data):
    folder = data / "graphalytics-validation"
    assert [p.name for p in sorted(folder.iterdir()) if not p.suffix] == GRAPHALYTICS
    assert len(GRAPHALYTICS) == 24


@pytest.mark.parametrize("output", GRAPHALYTICS)
def test_graphalytics(data, output):
    name, _, kind = output.rpartition("-")
    folder = data / "graphalytics-validation"
    lines = (folder / f"{name}.properties").read_text().splitlines()
    settings = dict(line.split(" = ") for line in lines if line.startswith(f"graph.{name}."))
    settings = {key.removeprefix(f"graph.{name}."): value for key, value in settings.items()}
    graph = nk.import_graphalytics(folder / name)
    ids, words = answers(folder / output)
    nodes = graph.find("Node", ids)
    assert nodes.size == graph.node_count
    along = {"direction": "out" if settings["directed"] == "true" else "both"}

    def source():
        return int(graph.find("Node", [int(settings[f"{kind.lower()}.source-vertex"])])[0])

    if kind == "BFS":
        compare(depths(nk.bfs(graph, source(), **along))[nodes], words, EXACT)
    elif kind == "SSSP":
        compare(nk.sssp(graph, source(), weight="weight", **along)[nodes], words, NEAR)
    elif kind == "WCC":
        compare(nk.connected_components(graph)[nodes], words, PARTITION)
    elif kind == "CDLP":
        rounds, labels = int(settings["cdlp.max-iterations"]), graph.ids(graph.nodes())
        found = nk.label_propagation(graph, iterations=rounds, labels=labels, **along)
        compare(found[nodes], words, EXACT)
    elif kind == "LCC":
        compare(nk.local_clustering(graph, **along)[nodes], words, NEAR)
    else:
        rounds, damping = int(settings["pr.num-iterations"]), float(settings["pr.damping-factor"])
        found = nk.pagerank(graph, damping=damping, tolerance=0, max_iterations=rounds, **along)
        # What is recorded for "test-pr" had converged, rather than stopped after those rounds.
        compare(found[nodes], words, LOOSE if name.startswith("test") else NEAR)


# -- SNAP graphs ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["ego-facebook", "wiki-vote", "bitcoin-otc"])
def snap(request, data):
    """A graph, with the lengths of the shortest-path references as weights of its edges."""
    folder = data / request.param
    columns = {"weight": 2, "properties": {"time": 3}} if request.param == "bitcoin-otc" else {}
    graph = nk.import_edges(next(folder.glob("edges.*")), **columns)
    stats = json.loads((folder / "expected/stats.json").read_text())
    ids = graph.ids(graph.nodes())
    sources, targets, edges = graph.edges()
    ends = np.stack([ids[sources], ids[targets]])
    if not stats["directed"]:
        ends.sort(axis=0)
    assert edges.size == np.unique(ends, axis=1).shape[1] == stats["edges"]
    assert (sources != targets).all()
    graph.update_edges(edges, {"length": 1.0 + (31 * ends[0] + 17 * ends[1]) % 97})
    along = {"direction": "out" if stats["directed"] else "both"}
    source = int(graph.find("Node", [stats["source"]])[0])
    return SimpleNamespace(
        graph=graph, folder=folder / "expected", stats=stats, ids=ids, along=along, source=source
    )


def ratings(snap, ends):
    """Sums of the ratings of the edges of each node."""
    weights = snap.graph.read_edges("EDGE")["weight"].values
    return np.bincount(ends, weights, snap.graph.node_count).astype(np.int64)


def ranks(snap, tolerance, rounds):
    return nk.pagerank(snap.graph, tolerance=tolerance, max_iterations=rounds, **snap.along)


SNAP = {
    "BFS": (lambda s: depths(nk.bfs(s.graph, s.source, **s.along)), EXACT),
    "SSSP": (lambda s: nk.sssp(s.graph, s.source, weight="length", **s.along), NEAR),
    "WCC": (lambda s: nk.connected_components(s.graph), PARTITION),
    "SCC": (lambda s: nk.strongly_connected_components(s.graph), PARTITION),
    "CDLP": (lambda s: nk.label_propagation(s.graph, labels=s.ids), EXACT),
    "LCC": (lambda s: nk.local_clustering(s.graph, **s.along), NEAR),
    "PR": (lambda s: ranks(s, 0, s.stats["pr_iterations"]), NEAR),
    "PR_converged": (lambda s: ranks(s, 1e-13, 500), NEAR),
    "triangles": (lambda s: nk.triangles(s.graph), EXACT),
    "core_number": (lambda s: nk.core_numbers(s.graph), EXACT),
    "betweenness": (lambda s: nk.betweenness(s.graph, **s.along), NEAR),
    "in_rating_sum": (lambda s: ratings(s, s.graph.edges()[1]), EXACT),
    "out_rating_sum": (lambda s: ratings(s, s.graph.edges()[0]), EXACT),
}


def test_snap(snap):
    for path in sorted(snap.folder.glob("*.txt.gz")):
        call, tolerance = SNAP[path.name.removesuffix(".txt.gz")]
        ids, words = answers(path)
        nodes = snap.graph.find("Node", ids)
        assert nodes.size == snap.graph.node_count
        compare(call(snap)[nodes], ["inf" if w == "Infinity" else w for w in words], tolerance)


def test_totals(snap):
    graph, stats = snap.graph, snap.stats
    assert graph.node_count == stats["vertices"]
    assert nk.triangle_count(graph) == stats["triangles"]
    sizes = np.unique_counts(nk.connected_components(graph)).counts
    assert (sizes.size, sizes.max()) == (stats["weak_components"], stats["largest_weak_component"])
    if stats["directed"]:
        sizes = np.unique_counts(nk.strongly_connected_components(graph)).counts
        assert sizes.size == stats["strong_components"]
        assert sizes.max() == stats["largest_strong_component"]
    assert nk.core_numbers(graph).max() == stats["max_core"]
    reached = nk.bfs(graph, snap.source, **snap.along).depths
    assert ((reached >= 0).sum(), reached.max()) == (stats["reached_by_bfs"], stats["bfs_depth"])
    clustering = nk.local_clustering(graph, **snap.along).mean()
    assert clustering == pytest.approx(stats["average_lcc"], rel=NEAR)
    if stats["directed"]:
        assert nk.degree_histogram(graph).values.max() == stats["max_out_degree"]


# -- knowledge graphs -------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["umls", "fb15k-237"])
def triples(request, data):
    """A typed graph, the recorded numbers of its entities, and the names of its relations."""
    folder = data / request.param
    graph = nk.import_triples([folder / f"{p}.tsv.gz" for p in ("train", "valid", "test")])
    entities = gzip.decompress((folder / "expected/entities.txt.gz").read_bytes()).decode()
    rows = (folder / "expected/relation_counts.tsv").read_text().splitlines()[1:]
    return SimpleNamespace(
        graph=graph,
        folder=folder / "expected",
        stats=json.loads((folder / "expected/stats.json").read_text()),
        nodes=graph.find("Entity", entities.splitlines()),
        relations=[row.split("\t")[1] for row in rows],
    )


def part_of(triples, part):
    """One of the three recorded graphs: parallel edges and loops dropped, by recorded number."""
    kinds = triples.stats["graphs"][part].get("relations", range(len(triples.relations)))
    number = np.empty(triples.graph.node_count, np.int64)
    number[triples.nodes] = np.arange(number.size)
    ends = [triples.graph.edges(triples.relations[kind])[:2] for kind in kinds]
    sources, targets = number[np.concatenate(ends, axis=1)]
    arcs = np.unique(np.stack([sources, targets])[:, sources != targets], axis=1)
    assert arcs.shape[1] == triples.stats["graphs"][part]["distinct_arcs"]
    return nk.CSR.from_edges(*arcs, number.size)


TRIPLES = {
    "BFS": (lambda csr, source, rounds: depths(nk.bfs(csr, source)), EXACT),
    "WCC": (lambda csr, source, rounds: nk.connected_components(csr), EXACT),
    "SCC": (lambda csr, source, rounds: nk.strongly_connected_components(csr), EXACT),
    "PR": (
        lambda csr, source, rounds: nk.pagerank(csr, tolerance=0, max_iterations=rounds),
        NEAR,
    ),
    "triangles": (lambda csr, source, rounds: nk.triangles(csr), EXACT),
}


@pytest.mark.parametrize("part", ["all", "top1", "next5"])
def test_triples(triples, part):
    csr = part_of(triples, part)
    stats = triples.stats["graphs"][part]
    paths = sorted(triples.folder.glob(f"{part}-*.txt.gz"))
    assert len(paths) == len(TRIPLES)
    for path in paths:
        call, tolerance = TRIPLES[path.name.removesuffix(".txt.gz").removeprefix(f"{part}-")]
        ids, words = answers(path)
        assert ids.tolist() == list(range(csr.node_count))
        compare(call(csr, stats["source"], triples.stats["pr_iterations"]), words, tolerance)
    assert nk.triangle_count(csr) == stats["triangles"]


def test_one_relation_is_asked_for_by_its_name(triples):
    """Depths, components and triangles do not change with parallel edges and loops."""
    name = triples.relations[triples.stats["graphs"]["top1"]["relations"][0]]
    only = {"connection_type": name}
    nodes, source = triples.nodes, triples.nodes[triples.stats["graphs"]["top1"]["source"]]
    answer = lambda kind: answers(triples.folder / f"top1-{kind}.txt.gz")[1]  # noqa: E731
    compare(depths(nk.bfs(triples.graph, int(source), **only))[nodes], answer("BFS"), EXACT)
    compare(nk.triangles(triples.graph, **only)[nodes], answer("triangles"), EXACT)
    for kind, find in (
        ("WCC", nk.connected_components),
        ("SCC", nk.strongly_connected_components),
    ):
        compare(find(triples.graph, **only)[nodes], answer(kind), PARTITION)
