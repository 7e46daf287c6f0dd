"""``nkgraph convert A B``: a graph in another format."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nkgraph.cli import Commands


def add(commands: "Commands") -> None:
    """Add the command."""
    from nkgraph.converting import SOURCES, TARGETS

    text = "Write a graph in another format; refuse, or list, what that cannot hold."
    command: argparse.ArgumentParser = commands.add_parser("convert", help=text, description=text)
    command.add_argument("--json", action="store_true", help="print one JSON value")
    command.add_argument(
        "source", help="a graph directory, a dump, or files that can be imported (a prefix .v .e)"
    )
    command.add_argument("target", help="what to write; must not exist")
    command.add_argument(
        "--to",
        choices=TARGETS,
        help="the format to write (default: by the ending .rdst .parquet .csv .v .mtx .nt "
        ".graphml .kglite .sparrowdb; without an ending a native directory)",
    )
    command.add_argument(
        "--from",
        dest="source_format",
        choices=SOURCES,
        help="the format of the source (default: by its content)",
    )
    command.add_argument(
        "--lossy", action="store_true", help="leave out what the target cannot hold, and list it"
    )
    command.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> dict[str, object]:
    import time
    from dataclasses import asdict

    from nkgraph.converting import convert

    started = time.perf_counter()
    done = convert(
        options.source,
        options.target,
        options.to,
        source_format=options.source_format,
        lossy=options.lossy,
    )
    report = {**asdict(done), "path": str(done.path)}
    report["seconds"] = round(time.perf_counter() - started, 3)
    lines = [
        f"{done.path}: {done.target_format}, made from {done.source_format} in "
        f"{report['seconds']} s",
        f"{done.nodes:,} nodes, {done.edges:,} edges",
    ]
    if done.losses:
        lines.append(f"\nleft out: {len(done.losses)}")
        lines += [f"  {loss}" for loss in done.losses]
    return {"json": report, "text": "\n".join(lines)}
