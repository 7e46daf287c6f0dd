"""Graphs for the tests of triangles, clustering, cores and labels, in every form there is."""

import csv
import gzip
import io

import numpy as np
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.csr import CSR
from nkgraph.ingest import import_edges, import_graphalytics, import_triples


@st.composite
def edge_lists(draw):
    """How many nodes, and edges: loops, parallel and opposite ones, isolated nodes, none at all."""
    count = draw(st.integers(0, 14))
    node = st.integers(0, max(count - 1, 0))
    return count, draw(st.lists(st.tuples(node, node), max_size=60 if count else 0))


def csr_of(count, edges):
    ends = np.array(edges, np.int64).reshape(-1, 2)
    return CSR.from_edges(ends[:, 0], ends[:, 1], count)


def graph_of(count, edges, kinds=("EDGE",)):
    """A graph in memory whose edges have these connection types in turn."""
    graph = nk.Graph()
    graph.add_nodes("Node", list(range(count)))
    for turn, kind in enumerate(kinds):
        own = edges[turn :: len(kinds)]
        graph.add_edges(kind, [a for a, _ in own], [b for _, b in own])
    return graph


def random_edges(count, edge_count, seed):
    """Skewed random edges with loops, parallel and opposite ones."""
    ends = np.random.default_rng(seed).random((edge_count, 2)) ** 2.5 * count
    return [tuple(pair) for pair in ends.astype(int).tolist()]


def graphalytics(folder, algorithm):
    """(name, graph, ids, directed, expected lines, properties) of each with such an answer."""
    for path in sorted(folder.glob(f"*-{algorithm}")):
        name = path.name.removesuffix(f"-{algorithm}")
        graph = import_graphalytics(folder / name)
        properties = dict(
            [part.strip() for part in line.split("=")]
            for line in (folder / f"{name}.properties").read_text().splitlines()
            if "=" in line
        )
        expected = dict(line.split() for line in path.read_text().splitlines())
        directed = properties[f"graph.{name}.directed"] == "true"
        yield name, graph, graph.ids(graph.nodes()).tolist(), directed, expected, properties


def recorded(folder, name):
    """A recorded graph with integer ids, without loops and repeated edges, and its ids."""
    files = {"bitcoin-otc": "edges.csv.gz"}
    graph = import_edges(folder / name / files.get(name, "edges.txt.gz"))
    sources, targets, edges = graph.edges()
    first = np.unique(sources.astype("u8") << 32 | targets, return_index=True)[1]
    spare = np.ones(edges.size, bool)
    spare[first] = False
    graph.remove_edges(edges[spare | (sources == targets)])
    return graph, graph.ids(graph.nodes())


def answers(path):
    """The second column of an answer, by the first."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return dict(line.split() for line in lines)


def triples(folder):
    """A recorded knowledge graph and the entities' names by their recorded numbers."""
    graph = import_triples([folder / f"{part}.tsv.gz" for part in ("train", "valid", "test")])
    names = gzip.decompress((folder / "expected/entities.txt.gz").read_bytes()).decode()
    table = csv.reader(
        io.StringIO((folder / "expected/relation_counts.tsv").read_text()), delimiter="\t"
    )
    relations = {int(row[0]): row[1] for row in table if row and row[0].isdecimal()}
    return graph, names.splitlines(), relations
