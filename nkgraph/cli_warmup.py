"""``nkgraph warmup``: compile every kernel now, a line each as it gets ready."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nkgraph.kernels.compiling import Compiled


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    text = "Compile every kernel, so that no first call has to; about a minute, and once."
    command: argparse.ArgumentParser = commands.add_parser("warmup", help=text, description=text)
    command.add_argument("--json", action="store_true", help="print one JSON value")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> dict[str, object]:
    import time

    from nkgraph.warm import warmup

    start = time.perf_counter()
    ready = warmup(report=None if options.json else _show)
    seconds = time.perf_counter() - start
    cached = sum(one.cached for one in ready)
    report = {
        "kernels": [one._asdict() | {"seconds": round(one.seconds, 4)} for one in ready],
        "compiled": len(ready) - cached,
        "cached": cached,
        "seconds": round(seconds, 3),
    }
    text = f"{len(ready) - cached} compiled, {cached} from the cache, in {seconds:.1f} s"
    return {"json": report, "text": text}


def _show(one: "Compiled") -> None:
    how = "cached" if one.cached else "compiled"
    print(f"{one.name:<32} {one.seconds:8.3f} s  {how}", flush=True)
