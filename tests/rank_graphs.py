"""Graphs for the tests of ranks and components: recorded ones with their answers, and odd ones."""

import gzip
import json

import numpy as np

import nkgraph as nk
from nkgraph.csr import CSR

DATA_SETS = ("wiki-vote", "bitcoin-otc", "ego-facebook")
FORMS = ("csr", "turned csr", "memory", "mapped")


def simple(ids, sources, targets):
    """A CSR of nodes in the order of their ids, without loops and parallel edges."""
    order = np.argsort(ids)
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    pairs = {(a, b) for a, b in zip(rank[sources], rank[targets], strict=True) if a != b}
    ends = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return CSR.from_edges(ends[:, 0], ends[:, 1], order.size)


def data_set(folder):
    """A recorded graph as a CSR, and its ids in the order of its nodes."""
    path = next(folder.glob("edges.*"))
    graph = nk.import_edges(path, delimiter="," if ".csv" in path.name else None)
    ids = graph.ids(graph.nodes())
    sources, targets, _ = graph.edges()
    return simple(ids, sources, targets), np.sort(ids)


def triples(folder, name):
    """One of the three graphs of a set of triples, over all of its entities."""
    graph = nk.import_triples([folder / f"{p}.tsv.gz" for p in ("train", "valid", "test")])
    found = json.loads((folder / "expected/stats.json").read_text())["graphs"][name]
    lines = (folder / "expected/relation_counts.tsv").read_text().splitlines()[1:]
    names = [line.split("\t")[1] for line in lines]
    kinds = [names[at] for at in found.get("relations", range(len(names)))]
    parts = [graph.edges(kind)[:2] for kind in kinds]
    sources, targets = np.concatenate(parts, axis=1)
    return simple(np.array(graph.ids(graph.nodes()).tolist()), sources, targets)


def expected(path):
    """Recorded answer: ids and values."""
    lines = gzip.decompress(path.read_bytes()).decode().split()
    return np.array(lines[::2], np.int64), np.array(lines[1::2], np.float64)


def typed(node_count, edges, tmp_path, form, removed=()):
    """A graph of edges (source, target, type) in one of ``FORMS``; types only in the last two."""
    ends = np.array([edge[:2] for edge in edges], np.int64).reshape(-1, 2)
    if "csr" in form:
        csr = CSR.from_edges(ends[:, 0], ends[:, 1], node_count)
        if form == "turned csr":
            csr._against()
        return csr
    graph = nk.Graph()
    graph.add_nodes("N", np.arange(node_count))
    for kind in sorted({edge[2] for edge in edges}):
        mine = ends[[edge[2] == kind for edge in edges]]
        graph.add_edges(kind, mine[:, 0], mine[:, 1])
    if removed:
        graph.remove_nodes(sorted(removed))
    if form == "memory":
        return graph
    graph.save(tmp_path / "g")
    return nk.open(tmp_path / "g")


def kept(edges, removed, kind=None):
    """Edges (source, target) that live, of one type if it is given."""
    return [
        (s, t) for s, t, k in edges if s not in removed and t not in removed and kind in (None, k)
    ]


def skewed(node_count, edge_count, seed):
    """Random edges of types A and B; low node ids have most of them, loops and parallels too."""
    rng = np.random.default_rng(seed)
    ends = (rng.random((2, edge_count)) ** 3 * node_count).astype(int).tolist()
    return list(zip(*ends, rng.choice(["A", "B"], edge_count).tolist(), strict=True))
