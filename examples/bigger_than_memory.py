"""Build a graph in parts, open it mapped, and rank its nodes.

    python examples/bigger_than_memory.py --nodes 100000000 --degree 16 --parts 50 --folder big

Memory holds one part of the graph while it is built, and what PageRank allocates afterwards; the
graph itself stays in files. The small sizes that are used without arguments take a second.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import nkgraph as nk


def build(path: Path, nodes: int, degree: int, parts: int) -> None:
    """Add papers in parts, each with citations of earlier ones, and seal each part."""
    with nk.create(path) as graph:
        for part in range(parts):
            first, stop = part * nodes // parts, (part + 1) * nodes // parts
            added = graph.add_nodes("Paper", np.arange(first, stop))
            rng = np.random.default_rng(part)
            sources = np.repeat(added, degree)
            chance = rng.random(sources.size) ** 2  # older papers are cited more
            targets = (chance * sources).astype(np.uint32)
            graph.add_edges("CITES", sources, targets)
            graph.seal()
        print(f"{graph.segment_count} segments, {graph.edge_count:,} edges")


def rank(path: Path, cache: Path) -> None:
    """Rank what was built; rows of all segments are stitched into files of the cache."""
    with nk.open(path, cache=cache) as graph:
        needed = nk.memory_estimate("pagerank", graph)
        mapped = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        print(f"{mapped:,} bytes of files, {needed:,} bytes of memory for PageRank")
        scores = nk.pagerank(graph, tolerance=1e-4)
        top = np.argsort(scores)[::-1][:3]
        for node in top:
            print(f"{scores[node]:.2e}  Paper {graph.ids(node)[0]}")


def main() -> None:
    """Build and rank in a folder that is given, or in a temporary one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--degree", type=int, default=8)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where to build it, and leave it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        build(folder / "papers", options.nodes, options.degree, options.parts)
        rank(folder / "papers", folder / "rows")


if __name__ == "__main__":
    main()
