"""Row *import*: an edge list into a graph, against ``pandas.read_csv`` and ``factorize``.

Warm page cache. Ids are dense numbers, and numbers far apart.
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nkgraph.ingest import import_edges
from perf.harness import Contest, Rival, Row, Scale


def write_edges(path: Path, edges: int, nodes: int, spread: int) -> None:
    """Write ``source TAB target`` lines; ids are multiples of ``spread``."""
    rng = np.random.default_rng(27)
    with path.open("wb") as file:
        for start in range(0, edges, 1 << 20):
            ends = rng.integers(0, nodes, (min(1 << 20, edges - start), 2)) * spread
            text = np.strings.add(
                np.strings.add(ends[:, 0].astype("S"), b"\t"), ends[:, 1].astype("S")
            )
            file.write(b"\n".join(text.tolist()) + b"\n")


def by_pandas(path: Path) -> Any:
    """Do what a user would without nkgraph: dense codes of both columns."""
    import pandas as pd

    frame = pd.read_csv(path, sep="\t", header=None)
    return pd.factorize(frame.to_numpy().ravel())


def against_pandas(edges: int, nodes: int, spread: int) -> Contest:
    """Read one file both ways."""
    folder = tempfile.TemporaryDirectory(prefix="nkgraph-perf-")
    path = Path(folder.name) / "edges.tsv"
    write_edges(path, edges, nodes, spread)

    def ours() -> object:
        return import_edges(path), folder  # the folder lives as long as the call

    moved = path.stat().st_size + 16 * edges  # of a graph's edges: ends and type
    return Contest(ours, {"pandas": Rival(lambda: partial(by_pandas, path))}, moved)


def rows(scale: Scale) -> Iterator[Row]:
    """Give the rows of this stage."""
    for name, spread in (("import dense ids", 1), ("import sparse ids", 1_000_003)):
        make = partial(against_pandas, scale.edge_count, scale.node_count, spread)
        yield Row(name, make, 1 / 3, 0.2, rival="pandas")
