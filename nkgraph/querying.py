"""What ``nkgraph query`` and the demo ask of a graph, as plain values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nkgraph.dtypes import NO_NODE, U32
from nkgraph.errors import NotFoundError

if TYPE_CHECKING:
    from nkgraph.graph import Graph
    from nkgraph.reading import Direction

Report = dict[str, object]


def find_one(graph: "Graph", node_type: str, key: str) -> U32:
    """Find a node by an id from a command line: a text, or else the integer it spells."""
    found = graph.find(node_type, [key], missing="sentinel")
    if found[0] == NO_NODE and key.lstrip("-").isdecimal():
        found = graph.find(node_type, [int(key)], missing="sentinel")
    if found[0] == NO_NODE:
        raise NotFoundError(f"no {node_type} has the id {key!r}")
    return found


def expand(graph: "Graph", nodes: U32, hops: Sequence[str]) -> tuple[U32, np.ndarray]:
    """Follow connection types from nodes, one hop each; ``-NAME`` goes backwards.

    Returns the nodes reached, ascending, and how many paths lead to each (float64 would round;
    Python integers are exact).
    """
    ends = nodes
    paths = np.ones(nodes.size, object)
    for hop in hops:
        direction: Direction = "in" if hop.startswith("-") else "out"
        csr = graph.csr(hop.removeprefix("-"), direction)
        lengths = csr.offsets[ends.astype(np.int64) + 1] - csr.offsets[ends]
        reached = [csr.neighbors(int(node)) for node in ends]
        flat = np.concatenate(reached) if reached else ends[:0]
        ends, places = np.unique(flat, return_inverse=True)
        totals = np.zeros(ends.size, object)
        np.add.at(totals, places, np.repeat(paths, lengths))
        paths = totals
    return ends, paths


def walk(graph: "Graph", node_type: str, key: str, hops: Sequence[str], limit: int) -> Report:
    """Describe a node, and what is reached from it by hops."""
    start = find_one(graph, node_type, key)
    report: Report = {"node": describe(graph, start)[0]}
    if not hops:
        report["peers"] = peers(graph, start, limit)
        return report
    ends, paths = expand(graph, start, hops)
    order = sorted(range(ends.size), key=lambda row: (-paths[row], row))[:limit]
    rows = describe(graph, ends[order])
    report["hops"] = list(hops)
    report["reached"] = int(ends.size)
    report["paths"] = int(sum(paths.tolist()))
    report["ends"] = [{**row, "paths": int(paths[at])} for row, at in zip(rows, order, strict=True)]
    return report


def peers(graph: "Graph", node: U32, limit: int) -> Report:
    """Count the edges of one node by connection type and direction, and show some peers."""
    found: Report = {}
    for name in graph.connection_types:
        sides: tuple[tuple[Direction, str], ...] = (("out", name), ("in", f"-{name}"))
        for direction, shown in sides:
            ends = graph.neighbors(node, name, direction)
            if ends.size:
                found[shown] = {
                    "edges": int(ends.size),
                    "first": [_plain(value) for value in graph.ids(ends[:limit])],
                }
    return found


def top_peers(graph: "Graph", connection_type: str, limit: int) -> Report:
    """Return the targets with the most edges of a type; ties by node id."""
    targets, counts = graph.peer_counts(connection_type)
    order = np.argsort(-counts.astype(np.int64), kind="stable")[:limit]
    rows = describe(graph, targets[order])
    return {
        "connection_type": connection_type,
        "targets": int(targets.size),
        "top": [
            {**row, "edges": int(count)} for row, count in zip(rows, counts[order], strict=True)
        ],
    }


def describe(graph: "Graph", nodes: U32) -> list[dict[str, object]]:
    """Return type, id, title and properties of a few nodes."""
    rows = []
    for node in nodes:
        one = np.array([node], np.uint32)
        node_type = str(graph.types(one)[0])
        row = {"type": node_type, "id": _plain(graph.ids(one)[0])}
        title = graph.titles(one)[0]
        if title:
            row["title"] = _plain(title)
        table = graph.read_nodes(node_type, nodes=one)
        row.update({name: column.tolist()[0] for name, column in table.columns.items()})
        rows.append(row)
    return rows


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def render(report: Report) -> str:
    """Lay a report out for a terminal."""
    if "top" in report:
        lines = [
            f"{report['targets']:,} nodes are targets of {report['connection_type']}; the top:"
        ]
        return "\n".join(lines + _rows(report["top"]))
    node = report["node"]
    assert isinstance(node, dict)
    lines = [", ".join(f"{name} {value}" for name, value in node.items())]
    if "peers" in report:
        assert isinstance(report["peers"], dict)
        for name, found in report["peers"].items():
            some = ", ".join(str(value) for value in found["first"])
            more = "" if found["edges"] <= len(found["first"]) else ", …"
            lines.append(f"  {name}: {found['edges']:,} edges: {some}{more}")
    else:
        assert isinstance(report["hops"], list)
        route = " then ".join(report["hops"])
        lines.append(f"{route}: {report['paths']:,} paths to {report['reached']:,} nodes")
        lines += _rows(report["ends"])
    return "\n".join(lines)


def _rows(rows: object) -> list[str]:
    assert isinstance(rows, list)
    return [
        "  " + ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
        for row in rows
    ]
