"""Open graphs of other engines, say what is odd, and save them natively, flat and as a dump.

    python examples/repair_and_convert.py OUTPUT [GRAPH ...]

Graphs are directories of kglite or SparrowDB, or dumps of RedDB. What they come from is not
changed.
"""

import sys
import warnings
from pathlib import Path

import nkgraph as nk
from nkgraph.storage import reddb

SAMPLES = (
    "tests/data/kglite/deleted/graph",
    "tests/data/sparrowdb/graph_small/db",
    "tests/data/reddb/v10_multi_graph.rdst",
)


def convert(source: Path, output: Path) -> None:
    """Save a graph in three forms, and check each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd in a dump is among the findings
        graph = nk.open(source)
    with graph:
        report = graph.verify()
        print(f"{source}: {graph.format}, {graph.node_count} nodes, {graph.edge_count} edges")
        for finding in report.findings:
            print(f"  {Path(finding.file).name}: {finding.field}: {finding.problem}")
        graph.save(output / "native")  # rows and indexes are made from the edges, hence right
        graph.save(output / "for_kglite", layout="flat")
        reddb.save(reddb.from_graph(graph), output / "graph.rdst")
        counts = graph.node_types, graph.connection_types
    for name in ("native", "for_kglite", "graph.rdst"):
        with nk.open(output / name) as again:
            assert (again.node_types, again.connection_types) == counts
            print(f"  {name}: {again.format}, {again.verify()}")


def main() -> None:
    """Convert each graph to a folder of its own."""
    output, *sources = sys.argv[1:] or ["converted"]
    for number, source in enumerate(sources or SAMPLES):
        folder = Path(output) / str(number)
        folder.mkdir(parents=True)
        convert(Path(source), folder)


if __name__ == "__main__":
    main()
