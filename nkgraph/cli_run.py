"""``nkgraph run`` and ``nkgraph bench``: algorithms from the shell."""

import argparse
import csv
import inspect
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nkgraph.errors import GraphError

if TYPE_CHECKING:
    import numpy as np

    from nkgraph.graph import Graph

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
SCORES = ("pagerank", "betweenness", "triangles", "local_clustering", "core_numbers")
GROUPS = ("connected_components", "strongly_connected_components", "label_propagation")
DISTANCES = ("bfs", "sssp")
ROWS = 1 << 16
"""Rows of a CSV file that are made at a time."""


def add(commands: Commands) -> None:
    """Add both commands."""
    text = "Run an algorithm on a graph: the highest scores, largest groups, or distances."
    run = commands.add_parser("run", help=text, description=text)
    run.add_argument("algorithm", choices=(*SCORES, *GROUPS, *DISTANCES), metavar="ALGORITHM",
                     help=", ".join((*SCORES, *GROUPS, *DISTANCES)))  # fmt: skip
    run.add_argument("path", help="a graph directory, or a dump")
    run.add_argument("--source", nargs=2, metavar=("TYPE", "ID"), help="where distances start")
    run.add_argument("--type", help="go along this connection type only")
    run.add_argument("--direction", choices=("out", "in", "both"), help="default: out")
    run.add_argument("--weight", help="edge property with the lengths (sssp)")
    run.add_argument("--option", action="append", default=[], metavar="NAME=VALUE",
                     help="a further argument, as damping=0.9; again for more")  # fmt: skip
    run.add_argument("--threads", type=int, help="default: all cores")
    run.add_argument("--limit", type=int, default=10, help="rows to show (default 10)")
    run.add_argument("-o", "--output", type=Path, metavar="FILE",
                     help=".npy (values by node id) or .csv (type, id, value)")  # fmt: skip
    run.set_defaults(run=_run)
    text = "Time the algorithms on a graph: first and second call, and the memory they allocate."
    bench = commands.add_parser("bench", help=text, description=text)
    bench.add_argument("path", nargs="?", help="a graph directory (default: a random graph)")
    bench.add_argument("--nodes", type=int, default=1 << 17, help="of the random graph")
    bench.add_argument("--edges", type=int, default=1 << 21, help="of the random graph")
    bench.add_argument("--threads", type=int, help="default: all cores")
    bench.set_defaults(run=_bench)
    for command in (run, bench):
        command.add_argument("--json", action="store_true", help="print one JSON value")


# -- run --------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> dict[str, object]:
    import numpy as np

    import nkgraph as nk
    from nkgraph import querying
    from nkgraph.front import open_graph

    if options.output is not None and options.output.suffix not in (".npy", ".csv"):
        raise GraphError(f"{options.output}: expected a name that ends in .npy or .csv")
    function = getattr(nk, options.algorithm)
    with open_graph(options.path) as graph:
        given = _arguments(options, function)
        if options.algorithm in DISTANCES:
            if options.source is None:
                raise GraphError(f"{options.algorithm} wants --source TYPE ID")
            given["source"] = int(querying.find_one(graph, *options.source)[0])
        elif options.source is not None:
            raise GraphError(f"{options.algorithm} takes no --source")
        start = time.perf_counter()
        answer = function(graph, **given)
        seconds = time.perf_counter() - start
        values: np.ndarray = answer.depths if options.algorithm == "bfs" else answer
        report: dict[str, object] = {"algorithm": options.algorithm, "path": options.path}
        report |= {"nodes": graph.node_count, "seconds": seconds}
        if options.algorithm in SCORES:
            report["top"] = _top(graph, values, options.limit)
        elif options.algorithm in GROUPS:
            report |= _groups(graph, values, options.limit)
        else:
            report |= _distances(graph, values)
        if options.output is not None:
            _write(graph, values, options.output)
            report["output"] = str(options.output)
    return {"json": report, "text": _render(report)}


def _arguments(options: argparse.Namespace, function: Callable[..., object]) -> dict[str, object]:
    """What the command line says, as arguments of the function."""
    given: dict[str, object] = {
        "connection_type": options.type,
        "direction": options.direction,
        "weight": options.weight,
        "threads": options.threads,
    }
    given = {name: value for name, value in given.items() if value is not None}
    for option in options.option:
        name, equals, text = option.partition("=")
        if not equals:
            raise GraphError(f"--option {option}: expected NAME=VALUE")
        try:
            given[name] = json.loads(text)
        except ValueError:
            given[name] = text
    known = [name for name in inspect.signature(function).parameters if name != "graph"]
    for name in given:
        if name not in known:
            raise GraphError(f"{options.algorithm} has no {name}; it has {', '.join(known)}")
    return given


def _top(graph: "Graph", values: "np.ndarray", limit: int) -> list[dict[str, object]]:
    import numpy as np

    nodes = graph.nodes()
    scores = values[nodes]
    limit = min(max(limit, 0), scores.size)
    best = np.argpartition(-scores, limit - 1)[:limit] if limit else np.zeros(0, np.int64)
    best = best[np.lexsort((nodes[best], -scores[best]))]
    return _rows(graph, nodes[best], scores[best])


def _rows(graph: "Graph", nodes: "np.ndarray", values: "np.ndarray") -> list[dict[str, object]]:
    parts = graph.types(nodes).tolist(), graph.ids(nodes).tolist(), values.tolist()
    return [{"type": t, "id": i, "value": v} for t, i, v in zip(*parts, strict=True)]


def _groups(graph: "Graph", values: "np.ndarray", limit: int) -> dict[str, object]:
    import numpy as np

    labels, counts = np.unique_counts(np.sort(values[graph.nodes()]))
    best = np.argsort(-counts, kind="stable")[: max(limit, 0)]
    rows = zip(labels[best].tolist(), counts[best].tolist(), strict=True)
    largest = [{"label": label, "nodes": count} for label, count in rows]
    return {"groups": int(labels.size), "largest": largest}


def _distances(graph: "Graph", values: "np.ndarray") -> dict[str, object]:
    import numpy as np

    distances = values[graph.nodes()]
    reached = distances[(distances >= 0) & np.isfinite(distances)]
    report: dict[str, object] = {"reached": int(reached.size), "farthest": reached.max().item()}
    if reached.dtype.kind == "i":
        report["by_depth"] = np.bincount(reached).tolist()
    else:
        report["mean"] = float(reached.mean())
    return report


def _write(graph: "Graph", values: "np.ndarray", path: Path) -> None:
    import numpy as np

    if path.suffix == ".npy":
        with path.open("xb") as file:
            np.save(file, values)
        return
    nodes = graph.nodes()
    with path.open("x", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(["type", "id", "value"])
        for first in range(0, nodes.size, ROWS):
            part = nodes[first : first + ROWS]
            columns = graph.types(part), graph.ids(part), values[part]
            writer.writerows(zip(*(column.tolist() for column in columns), strict=True))


def _render(report: dict[str, object]) -> str:
    lines = [f"{report['algorithm']} of {report['nodes']:,} nodes: {report['seconds']:.3f} s"]
    top = _list(report, "top")
    lines += [f"  {row['value']:>12.6g}  {row['type']} {row['id']}" for row in top]
    if "groups" in report:
        lines.append(f"  {report['groups']:,} groups; the largest, by label:")
    lines += [f"  {row['nodes']:>12,}  {row['label']}" for row in _list(report, "largest")]
    if "reached" in report:
        lines.append(f"  reached {report['reached']:,}; the farthest at {report['farthest']:.6g}")
    for depth, count in enumerate(_list(report, "by_depth")):
        lines.append(f"  {count:>12,}  at depth {depth}")
    if "output" in report:
        lines.append(f"  values in {report['output']}")
    return "\n".join(lines)


def _list(report: dict[str, object], name: str) -> list[Any]:  # rows of what JSON has
    found = report.get(name, [])
    assert isinstance(found, list)
    return found


# -- bench ------------------------------------------------------------------------------------


def _bench(options: argparse.Namespace) -> dict[str, object]:
    import nkgraph as nk
    from nkgraph.algorithms import HOMES
    from nkgraph.front import open_graph

    if options.path is None:
        graph = _random(options.nodes, options.edges)
    else:
        graph = open_graph(options.path)
    rows: list[dict[str, object]] = []
    with graph:
        counts = {"nodes": graph.node_count, "edges": graph.edge_count}
        if not graph.node_count:
            raise GraphError("there is no node to start at")
        calls = dict(_calls(graph, options.threads))
        for name in HOMES:
            seconds = [_seconds(calls[name]) for _ in range(2)]
            first, second = seconds
            needed = nk.memory_estimate(name, graph)
            rows.append({"name": name, "first": first, "second": second, "bytes": needed})
    lines = [f"{counts['nodes']:,} nodes, {counts['edges']:,} edges"]
    lines.append(f"{'':32}{'first call':>12}{'second':>12}{'allocates':>14}")
    lines += [
        f"{row['name']:32}{row['first']:>10.4f} s{row['second']:>10.4f} s{row['bytes']:>12,} B"
        for row in rows
    ]
    return {"json": {"path": options.path, **counts, "rows": rows}, "text": "\n".join(lines)}


def _random(nodes: int, edges: int) -> "Graph":
    """A skewed graph, the same for the same sizes: half of all edges meet a 30th of the nodes."""
    import numpy as np

    import nkgraph as nk

    if nodes < 1 or edges < 0:
        raise GraphError(f"{nodes} nodes and {edges} edges: expected at least 1 and 0")
    graph = nk.Graph()
    made = graph.add_nodes("Node", np.arange(nodes))
    ends = (np.random.default_rng(1).random((2, edges)) ** 5 * nodes).astype(np.int64)
    graph.add_edges("EDGE", made[ends[0]], made[ends[1]])
    return graph


def _calls(graph: "Graph", threads: int | None) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each algorithm with what it must be given."""
    from functools import partial

    import numpy as np

    import nkgraph as nk
    from nkgraph.algorithms import HOMES

    nodes = graph.nodes()
    source = int(nodes[np.argmax(graph.degrees(nodes))])
    some = nodes[: min(nodes.size, 10_000)]
    given: dict[str, dict[str, object]] = {
        "bfs": {"source": source},
        "sssp": {"source": source},
        "k_hop": {"sources": source, "hops": 2},
        "path_counts": {"sources": source, "connection_types": [None, None]},
        "random_walks": {"sources": some, "length": 10, "seed": 1},
        "betweenness": {"samples": min(4, nodes.size)},
    }
    for name in HOMES:
        yield name, partial(getattr(nk, name), graph, threads=threads, **given.get(name, {}))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
