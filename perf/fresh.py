"""First calls in fresh processes: with an empty cache of kernels, and with a filled one.

``python -m perf.fresh STAGE ROW SCALE`` makes the data of a row, calls ours once, and prints JSON:
the seconds of the call; how many kernels were compiled in the process and how many fetched from
the cache, and in how many seconds (those that making the data took are among them).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from perf.harness import Limit, Row, Scale, contest_of

ROOT = Path(__file__).parent.parent
INSTEAD = {"search 1": "search sorted", "filter ==": "filter in int64"}
"""Where the first row of a stage runs no kernel."""


def chosen(rows: Iterable[tuple[str, Row | Limit]], wanted: list[str]) -> list[tuple[str, str]]:
    """Stage and name of the first row of each stage, or of every row that is named."""
    found: dict[str, list[str]] = {}
    for stage, row in rows:
        if isinstance(row, Limit):
            continue
        if wanted:
            if any(row.name.startswith(name) for name in wanted):
                found.setdefault(stage, []).append(row.name)
        else:
            found.setdefault(stage, [INSTEAD.get(row.name, row.name)])
    return [(stage, name) for stage, names in found.items() for name in names]


def measure(stage: str, name: str, scale: Scale) -> dict[str, Any]:
    """Run the row in two processes that share a cache, which is empty at first."""
    with tempfile.TemporaryDirectory(prefix="nkgraph-perf-cache-") as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "perf.fresh", stage, name, json.dumps(asdict(scale))]
        found = []
        for _ in ("empty", "filled"):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{name} in a fresh process: {done.stderr.strip()[-600:]}")
            found.append(json.loads(done.stdout.splitlines()[-1]))
    return {"row": name, "empty_cache": found[0], "filled_cache": found[1]}


def line(cold: dict[str, Any]) -> str:
    """One line of the table of first calls."""
    empty, filled = cold["empty_cache"], cold["filled_cache"]
    return (
        f"{cold['row']:32} {empty['first_s']:10.3f} {filled['first_s']:10.3f}"
        f" {empty['again_s']:10.4f} {empty['compiled']:8} {empty['compile_s']:10.2f}"
        f" {filled['fetch_s']:10.3f}"
    )


HEADER = (
    f"{'first call, small data':32} {'empty s':>10} {'filled s':>10} {'next s':>10}"
    f" {'kernels':>8} {'compile s':>10} {'fetch s':>10}"
)


def first_call(stage: str, name: str, scale: Scale) -> dict[str, float]:
    """Make the data, and time our first call and the next."""
    from nkgraph.kernels import compiling

    heard: list[compiling.Compiled] = []
    with compiling.watched(heard.append):
        rows = import_module(f"perf.{stage}").rows(scale)
        row = next(row for row in rows if row.name == name)
        ours = contest_of(row).ours
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            ours()
            seconds.append(time.perf_counter() - start)
    fetched = [kernel.seconds for kernel in heard if kernel.cached]
    compiled = [kernel.seconds for kernel in heard if not kernel.cached]
    return {
        "first_s": seconds[0],
        "again_s": seconds[1],
        "compiled": len(compiled),
        "compile_s": sum(compiled),
        "fetched": len(fetched),
        "fetch_s": sum(fetched),
    }


if __name__ == "__main__":
    given = json.loads(sys.argv[3])
    given["key_counts"] = tuple(given["key_counts"])
    print(json.dumps(first_call(sys.argv[1], sys.argv[2], Scale(**given))))
