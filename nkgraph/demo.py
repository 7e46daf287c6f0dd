"""``nkgraph demo``: the bundled social network, built, opened and queried, with timings."""

import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TypeVar

import numpy as np

from nkgraph import querying
from nkgraph.front import open_graph
from nkgraph.graph import Graph
from nkgraph.ingest import import_csv

Result = TypeVar("Result")
HOPS = ["Person_knows_Person", "Person_likes_Comment"]
PEERS = "Post_hasCreator_Person"


def run(path: str | None) -> dict[str, object]:
    """Build the network at ``path`` (a fresh temporary folder if None) and query it."""
    root = Path(tempfile.mkdtemp(prefix="nkgraph-demo-")) / "lsqb" if path is None else Path(path)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        result = work()
        seconds[name] = round(time.perf_counter() - started, 4)
        return result

    with resources.as_file(resources.files("nkgraph.data") / "lsqb") as folder:
        timed("import", lambda: import_csv(folder, root)).close()
    with timed("open", lambda: open_graph(root)) as graph:
        report: dict[str, object] = {
            "path": str(root),
            "nodes": graph.node_count,
            "edges": graph.edge_count,
            "node_types": graph.node_types,
            "connection_types": graph.connection_types,
        }
        report["two_hops"] = timed("two_hops", lambda: _two_hops(graph))
        timed("two_hops_warm", lambda: _two_hops(graph))
        report["top_peers"] = timed("top_peers", lambda: querying.top_peers(graph, PEERS, 5))
        report["properties"] = timed("property_read", lambda: _properties(graph))
    report["seconds"] = seconds
    return report


def _two_hops(graph: Graph) -> dict[str, object]:
    start = graph.nodes("Person")[:1]
    ends, paths = querying.expand(graph, start, HOPS)
    return {
        "from": graph.ids(start).tolist()[0],
        "hops": HOPS,
        "reached": int(ends.size),
        "paths": int(sum(paths.tolist())),
        "ids": graph.ids(ends[:5]).tolist(),
    }


def _properties(graph: Graph) -> dict[str, object]:
    table = graph.read_nodes("Person", ["id"])
    values = table["id"].values
    return {"rows": len(table), "smallest": int(values.min()), "largest": int(np.max(values))}


def render(report: dict[str, object]) -> str:
    """Lay the report out for a terminal."""
    seconds, hops, top = report["seconds"], report["two_hops"], report["top_peers"]
    nodes, edges = report["node_types"], report["connection_types"]
    read, path = report["properties"], report["path"]
    assert isinstance(seconds, dict)
    assert isinstance(hops, dict)
    assert isinstance(top, dict)
    assert isinstance(nodes, dict)
    assert isinstance(edges, dict)
    assert isinstance(read, dict)

    def took(name: str) -> str:
        return f"{seconds[name] * 1000:8.1f} ms"

    listed = ", ".join(f"{name} {count:,}" for name, count in nodes.items())
    lines = [
        f"The LSQB social network: {report['nodes']:,} nodes of {len(nodes)} types, "
        f"{report['edges']:,} edges of {len(edges)} types",
        f"  {listed}",
        "",
        f"{took('import')}  imported from CSV and saved to {path}",
        f"{took('open')}  opened again, memory-mapped",
        f"{took('two_hops')}  two typed hops, {' then '.join(hops['hops'])}:",
        f"               person {hops['from']}: {hops['paths']} paths to "
        f"{hops['reached']} comments, first {hops['ids'][:3]}",
        f"{took('two_hops_warm')}  the same again, kernels loaded",
        f"{took('top_peers')}  who wrote most posts:",
        *(f"               {row['type']} {row['id']}: {row['edges']} posts" for row in top["top"]),
        f"{took('property_read')}  read {read['rows']} ids of persons: "
        f"{read['smallest']} to {read['largest']}",
        "",
        "Next:",
        f"  nkgraph info {path}",
        f"  nkgraph query {path} --node Person {hops['from']}",
        f"  nkgraph query {path} --top-peers Forum_hasMember_Person",
        f"  python -c \"import nkgraph as nk; g = nk.open('{path}'); "
        "print(g.csr('Person_knows_Person'))\"",
    ]
    return "\n".join(lines)
