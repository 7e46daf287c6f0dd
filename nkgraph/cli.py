"""The shell face: ``nkgraph demo | import | export | info | query | run | …``, as ``--help`` lists.

Each takes ``--json``.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias, TypedDict, cast

import nkgraph
from nkgraph import __version__, cli_convert, cli_run, cli_warmup
from nkgraph.errors import NkgraphError

if TYPE_CHECKING:
    from nkgraph.graph import Graph


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, or 1 with a message on stderr or with findings."""
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("default")
            warnings.showwarning = _say
            result = options.run(options)
        if options.json:
            json.dump(result["json"], sys.stdout, indent=2, default=str, ensure_ascii=False)
            print()
        else:
            print(result["text"])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (head, a pager): not an error. Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (NkgraphError, OSError, ImportError) as error:  # ImportError: an extra is missing
        print(f"nkgraph: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nkgraph: interrupted", file=sys.stderr)
        return 130
    return 0 if result.get("ok", True) else 1


def _say(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning without the line of code that it came from."""
    print(f"nkgraph: warning: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nkgraph", description="Typed property graphs bigger than memory, as NumPy arrays."
    )
    parser.add_argument("--version", action="version", version=f"nkgraph {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_import(commands)
    _add_export(commands)
    _add_info(commands)
    _add_query(commands)
    cli_run.add(commands)
    _add_verify(commands)
    _add_compact(commands)
    cli_convert.add(commands)
    cli_warmup.add(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument("--json", action="store_true", help="print one JSON value")
    return command


# -- demo -------------------------------------------------------------------------------------


def _add_demo(commands: Commands) -> None:
    command = _command(
        commands, "demo", "Build the bundled social network on disk, open it again and query it."
    )
    command.add_argument("path", nargs="?", help="where to build it (default: a temporary folder)")
    command.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> dict[str, object]:
    from nkgraph import demo

    report = demo.run(options.path)
    return {"json": report, "text": demo.render(report)}


# -- import -----------------------------------------------------------------------------------


def _add_import(commands: Commands) -> None:
    command = _command(commands, "import", "Make a native directory from text files or a dump.")
    command.add_argument(
        "files", nargs="+", help="input files (.gz and .zst too), a folder, or a RedDB dump"
    )
    command.add_argument("-o", "--output", required=True, help="the directory to make")
    command.add_argument(
        "--format",
        choices=("auto", "edges", "csv", "triples", "graphalytics", "reddb", *_OTHERS),
        default="auto",
        help="what the files are (default: by their names and first lines)",
    )
    edges = command.add_argument_group("edge lists")
    edges.add_argument("--delimiter", help="between columns (default: found out; \\t is a tab)")
    edges.add_argument("--header", action="store_true", help="the first line names the columns")
    edges.add_argument("--source", default="0", help="column of sources, by position or name")
    edges.add_argument("--target", default="1", help="column of targets")
    edges.add_argument("--type", help="column of connection types")
    edges.add_argument("--weight", help="column kept as edge property 'weight'")
    edges.add_argument("--properties", help="further columns, separated by commas")
    edges.add_argument("--node-type", help="node type (default: Node, or Entity for triples)")
    edges.add_argument("--connection-type", default="EDGE", help="connection type (default EDGE)")
    command.set_defaults(run=_import)


def _import(options: argparse.Namespace) -> dict[str, object]:
    import time

    from nkgraph import ingest
    from nkgraph.storage import reddb

    started = time.perf_counter()
    kind = options.format
    if kind == "auto":
        is_dump = len(options.files) == 1 and reddb.is_dump(Path(options.files[0]))
        kind = "reddb" if is_dump else _other_format(options.files)
        kind = kind or ingest.guess_format(options.files)
    if kind == "reddb":
        graph = _import_dump(options)
    elif kind == "edges":
        graph = _import_edges(options)
    elif kind == "triples":
        node_type = options.node_type or "Entity"
        graph = ingest.import_triples(options.files, options.output, node_type=node_type)
    elif kind == "graphalytics":
        graph = ingest.import_graphalytics(options.files[0], options.output)
    else:
        files = options.files[0] if len(options.files) == 1 else options.files
        graph = _importer(kind)(files, options.output)
    with graph:
        report = _summary(graph)
    report["format_read"] = kind
    report["seconds"] = round(time.perf_counter() - started, 3)
    return {"json": report, "text": _render_summary(report)}


_OTHERS = ("parquet", "ntriples", "matrix-market", "graphml")
"""Formats that have no options and are known by their first bytes."""


def _other_format(files: Sequence[str]) -> str | None:
    from nkgraph.recognising import recognise

    found = recognise(Path(files[0]))
    return found if found in _OTHERS else None


def _importer(kind: str) -> "Callable[[object, str], Graph]":
    from nkgraph import recognising

    found: Callable[[object, str], Graph] = getattr(nkgraph, recognising.READERS[kind])
    return found


def _import_edges(options: argparse.Namespace) -> "Graph":
    from nkgraph import ingest

    def column(text: str) -> int | str:
        return int(text) if text.isdecimal() else text

    properties = options.properties
    return ingest.import_edges(
        options.files,
        options.output,
        delimiter=options.delimiter.replace("\\t", "\t") if options.delimiter else None,
        header=options.header,
        source=column(options.source),
        target=column(options.target),
        type=None if options.type is None else column(options.type),
        weight=None if options.weight is None else column(options.weight),
        properties=None if properties is None else [column(p) for p in properties.split(",")],
        node_type=options.node_type or "Node",
        connection_type=options.connection_type,
    )


def _import_dump(options: argparse.Namespace) -> "Graph":
    from nkgraph.errors import GraphError
    from nkgraph.front import open_graph
    from nkgraph.storage import reddb

    if len(options.files) != 1:
        raise GraphError(f"{len(options.files)} files: a dump is imported by itself")
    with reddb.load(options.files[0]).to_graph() as graph:
        graph.save(options.output)
    return open_graph(options.output)


# -- export -----------------------------------------------------------------------------------


def _add_export(commands: Commands) -> None:
    command = _command(commands, "export", "Write a graph as a portable file: a RedDB dump.")
    command.add_argument("path", help="a graph directory, or a dump")
    command.add_argument("-o", "--output", required=True, help="the dump to write")
    command.add_argument(
        "--collection", default="graph", help="name of the collection in the dump (default graph)"
    )
    command.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> dict[str, object]:
    import time

    from nkgraph.errors import GraphError
    from nkgraph.front import open_graph
    from nkgraph.storage import reddb

    started = time.perf_counter()
    if os.path.exists(options.output):
        raise GraphError(f"{options.output} exists: give a new name")
    with open_graph(options.path) as graph:
        reddb.save(reddb.from_graph(graph, options.collection), options.output)
        report: dict[str, object] = {
            "path": options.output,
            "format": "reddb",
            "version": reddb.VERSION,
            "nodes": graph.node_count,
            "edges": graph.edge_count,
            "bytes": os.path.getsize(options.output),
            "seconds": round(time.perf_counter() - started, 3),
        }
    text = (
        f"{report['path']}: RedDB dump, version {report['version']}, {_size(report['bytes'])}, "
        f"written in {report['seconds']} s\n"
        f"{report['nodes']:,} nodes, {report['edges']:,} edges"
    )
    return {"json": report, "text": text}


# -- info -------------------------------------------------------------------------------------


def _add_info(commands: Commands) -> None:
    command = _command(commands, "info", "Say what a graph directory or a dump holds.")
    command.add_argument("path", help="a graph directory, or a dump")
    command.add_argument("--plot", metavar="FILE", help="draw it, as .png, .svg or .pdf")
    command.set_defaults(run=_info)


def _info(options: argparse.Namespace) -> dict[str, object]:
    from nkgraph.front import open_graph

    if options.plot is not None:
        _check_picture(options.plot)
    with open_graph(options.path) as graph:
        report = _summary(graph)
        if graph.format == "reddb":
            report["dump"] = _dump_summary(options.path)
        if options.plot is not None:
            from nkgraph import plots

            plots.save_overview(graph, options.plot)
            report["plot"] = options.plot
    return {"json": report, "text": _render_summary(report)}


def _check_picture(path: str) -> None:
    """Refuse what cannot be drawn before anything is read."""
    from nkgraph.errors import GraphError
    from nkgraph.interop.plots import check_picture

    try:
        check_picture(path)
    except ImportError as error:
        raise GraphError(str(error)) from None


class _DumpSummary(TypedDict):
    version: int
    collections: dict[str, dict[str, int]]
    cross_references: int
    aux_bytes: int
    remarks: list[dict[str, object]]


def _dump_summary(path: str) -> _DumpSummary:
    """Say what a dump holds beside the graph."""
    from nkgraph.storage import reddb

    store = reddb.load(path)
    return {
        "version": store.format_version,
        "collections": store.kind_counts(),
        "cross_references": len(store.cross_refs),
        "aux_bytes": len(store.aux_metadata),
        "remarks": [remark._asdict() for remark in store.remarks],
    }


def _summary(graph: "Graph") -> dict[str, object]:
    return {
        "path": str(graph.path),
        "format": graph.format,
        "segments": graph.segment_count,
        "nodes": graph.node_count,
        "edges": graph.edge_count,
        "node_types": graph.node_types,
        "connection_types": graph.connection_types,
        "node_properties": {
            name: list(graph.read_nodes(name, nodes=[])) for name in graph.node_types
        },
        "edge_properties": {
            name: list(graph.read_edges(name, edges=[])) for name in graph.connection_types
        },
        "bytes": _bytes_of(graph.path),
    }


def _bytes_of(path: Path | None) -> int:
    if path is None:
        return 0
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _render_summary(report: dict[str, object]) -> str:
    from nkgraph import looks

    parts = "1 segment" if report["segments"] == 1 else f"{report['segments']} segments"
    dump = cast(_DumpSummary | None, report.get("dump"))
    what = f"{report['format']} directory, {parts}"
    if dump is not None:
        what = f"RedDB dump, version {dump['version']}"
    lines = [
        f"{report['path']}: {what}, {_size(report['bytes'])}",
        f"{report['nodes']:,} nodes, {report['edges']:,} edges",
    ]
    if dump is not None:
        lines += _render_dump(dump)
    if "seconds" in report:
        lines[0] += f", made from {report['format_read']} in {report['seconds']} s"
    for title, counts, properties in (
        ("node types", report["node_types"], report["node_properties"]),
        ("connection types", report["connection_types"], report["edge_properties"]),
    ):
        assert isinstance(counts, dict)
        assert isinstance(properties, dict)
        lines.append(f"\n{title}: {len(counts)}")
        lines += looks.type_lines(counts, 40, properties, " (--json lists all)")
    if "plot" in report:
        lines.append(f"\ndrawn: {report['plot']}")
    return "\n".join(lines)


def _render_dump(dump: _DumpSummary) -> list[str]:
    lines = [f"\ncollections: {len(dump['collections'])}"]
    width = max(map(len, dump["collections"]), default=0)
    for name, counts in dump["collections"].items():
        held = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
        lines.append(f"  {name:<{width}}  {held or 'empty'}")
    lines.append(
        f"{dump['cross_references']:,} cross-references, {_size(dump['aux_bytes'])} of aux blob"
    )
    if dump["remarks"]:
        lines.append(f"odd: {len(dump['remarks']):,} (nkgraph verify lists them)")
    return lines


def _size(count: object) -> str:
    from nkgraph import looks

    return looks.size(count if isinstance(count, int) else 0)


# -- query ------------------------------------------------------------------------------------


def _add_query(commands: Commands) -> None:
    command = _command(
        commands,
        "query",
        "Look up nodes by id: properties and peers; or the top peers of a connection type.",
    )
    command.add_argument("path", help="a graph directory")
    command.add_argument("--node", nargs=2, metavar=("TYPE", "ID"), help="start at this node")
    command.add_argument(
        "--hop",
        action="append",
        default=[],
        metavar="CONNECTION",
        help="follow this connection type; again for a further hop; -NAME follows it backwards",
    )
    command.add_argument("--top-peers", metavar="CONNECTION", help="most frequent targets")
    command.add_argument("--limit", type=int, default=10, help="rows to show (default 10)")
    command.set_defaults(run=_query)


def _query(options: argparse.Namespace) -> dict[str, object]:
    from nkgraph import querying
    from nkgraph.errors import GraphError
    from nkgraph.front import open_graph

    if (options.node is None) == (options.top_peers is None):
        raise GraphError("query wants either --node TYPE ID or --top-peers CONNECTION")
    with open_graph(options.path) as graph:
        if options.top_peers is not None:
            report = querying.top_peers(graph, options.top_peers, options.limit)
        else:
            node_type, key = options.node
            report = querying.walk(graph, node_type, key, options.hop, options.limit)
    return {"json": report, "text": querying.render(report)}


# -- verify and compact -----------------------------------------------------------------------


def _add_verify(commands: Commands) -> None:
    command = _command(
        commands,
        "verify",
        "Check every rule and checksum of a graph directory or a dump; read it whole.",
    )
    command.add_argument("path", help="a graph directory, or a dump")
    command.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> dict[str, object]:
    from dataclasses import asdict

    from nkgraph.front import open_graph

    with open_graph(options.path) as graph:
        report = graph.verify()
        segments = graph.segment_count
    count = len(report.findings)
    lines = [str(finding) for finding in report.findings]
    parts = "1 segment" if segments == 1 else f"{segments} segments"
    what = "RedDB dump" if graph.format == "reddb" else parts
    verdict = "every rule holds"
    if count:
        verdict = "1 finding" if count == 1 else f"{count} findings"
    lines.append(f"{options.path}: {what}, {verdict}")
    found = [asdict(finding) for finding in report.findings]
    value = {"path": options.path, "segments": segments, "ok": report.ok, "findings": found}
    return {"json": value, "text": "\n".join(lines), "ok": report.ok}


def _add_compact(commands: Commands) -> None:
    command = _command(
        commands, "compact", "Write a native graph as one segment without removed edges."
    )
    command.add_argument("path", help="a graph directory")
    command.add_argument("output", nargs="?", help="where to (default: in place)")
    command.set_defaults(run=_compact)


def _compact(options: argparse.Namespace) -> dict[str, object]:
    from nkgraph.front import open_graph

    with open_graph(options.path, "r" if options.output else "r+") as graph:
        before = graph.segment_count
        graph.compact(options.output)
    with open_graph(options.output or options.path) as graph:
        report = _summary(graph)
    report["segments_before"] = before
    return {"json": report, "text": _render_summary(report)}


if __name__ == "__main__":
    sys.exit(main())
