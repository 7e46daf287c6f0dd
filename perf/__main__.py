"""``python -m perf``: measure, compare with the targets, or with the last release.

A line is a row: our best time and the rival's, their ratio, the ratios that it must reach and aims
at, our time in multiples of the physical limit (the bytes that must move, at the bandwidth of a
copy measured in this run), and how much memory ours takes beyond its inputs. Below it stand the
further rivals. Rivals that are not installed are left out, and named; those that take more than
5 seconds are called once.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from perf import (
    bench_betweenness,
    bench_build,
    bench_components,
    bench_cores,
    bench_dump,
    bench_filter,
    bench_gather,
    bench_ingest,
    bench_labels,
    bench_open,
    bench_pagerank,
    bench_search,
    bench_segments,
    bench_sparrowdb,
    bench_stitch,
    bench_story,
    bench_text_index,
    bench_traversal,
    bench_triangles,
    bench_warmup,
    fresh,
    larger,
    machine,
    report,
)
from perf.harness import Limit, Means, Result, Row, Scale, run_rows

RETRIES = 3
BASELINE_RUNS = 4
STAGES = (
    bench_build,
    bench_stitch,
    bench_story,
    bench_segments,
    bench_search,
    bench_gather,
    bench_filter,
    bench_text_index,
    bench_ingest,
    bench_open,
    bench_sparrowdb,
    bench_dump,
    bench_traversal,
    bench_pagerank,
    bench_components,
    bench_triangles,
    bench_cores,
    bench_labels,
    bench_betweenness,
    bench_warmup,
)
BASELINE = Path(__file__).with_name("baseline.json")
MEMORY_HELP = """measure peak memory: after the clock, in two more calls, what the process has
resident at its highest (VmHWM, begun anew; Linux alone) less what it had before, and what Python
and numpy allocate at their highest (tracemalloc); the larger counts. On in a full run."""
COLD_HELP = """time first calls in fresh processes, with an empty cache of kernels and with the
cache that this leaves, on small data: the first row of each stage, or every row that --rows names.
On in a full run of all rows."""
LARGER_HELP = """only this: build a graph in --folder in bounded memory, open it mapped, search and
rank it (see perf/larger.py); sizes by --scale or --nodes, and --edges"""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m perf", description=__doc__)
    parser.add_argument("--rows", default="", help="names, or starts of names, with commas")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    sizes = parser.add_argument_group("sizes")
    sizes.add_argument("--scale", type=int, metavar="N", help="2**N nodes, and 16 edges each")
    sizes.add_argument("--nodes", type=int, help="nodes of the graphs")
    sizes.add_argument("--edges", type=int, help="edges of the graphs")
    sizes.add_argument("--rounds", type=int, help="best of so many")
    sizes.add_argument("--quick", action="store_true", help="small data")
    asked = parser.add_argument_group("what is measured")
    onoff = argparse.BooleanOptionalAction
    asked.add_argument("--memory", action=onoff, help=MEMORY_HELP)
    asked.add_argument("--cold", action=onoff, help=COLD_HELP)
    asked.add_argument("--larger-than-memory", action="store_true", help=LARGER_HELP)
    asked.add_argument("--folder", type=Path, help="where that graph is written, and kept")
    asked.add_argument(
        "--limit-memory", type=int, metavar="BYTES", help="how much it may take beyond the kernels"
    )
    out = parser.add_argument_group("what comes of it")
    out.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    out.add_argument("--chart", type=Path, metavar="FILE.png", help="draw the results")
    out.add_argument(
        "--check",
        action="store_true",
        help="small data, one thread; fail on a loss of more than a quarter against baseline.json",
    )
    out.add_argument(
        "--write-baseline", action="store_true", help="measure what --check compares with"
    )
    options = parser.parse_args(arguments)
    options.light = options.check or options.write_baseline
    options.small = options.quick or options.light
    options.wanted = [name.strip() for name in options.rows.split(",") if name.strip()]
    if options.memory is None:
        options.memory = not options.small
    if options.cold is None:
        options.cold = not options.small and not options.wanted
    return options


def scale_of(options: argparse.Namespace) -> Scale:
    """Give the sizes that the options ask for."""
    scale = Scale() if not options.small else Scale.quick()
    nodes, edges = scale.node_count, scale.edge_count
    if options.scale is not None:
        nodes, edges = 1 << options.scale, 16 << options.scale
    return replace(
        scale,
        node_count=options.nodes or nodes,
        edge_count=options.edges or edges,
        rounds=options.rounds or scale.rounds,
    )


def is_full(scale: Scale) -> bool:
    """Whether the sizes are those of the targets, or larger."""
    least = Scale()
    return scale.node_count >= least.node_count and scale.edge_count >= least.edge_count


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 1 if a check fails."""
    options = parse(arguments)
    if options.light:
        # The rivals use one thread: so must we, or a core that others keep busy looks like a loss.
        os.environ["NKGRAPH_THREADS"] = "1"
    scale = scale_of(options)
    if options.list:
        print("\n".join(row.name for _, row in all_rows(scale)))
        return 0
    if options.larger_than_memory:
        return run_larger(options, scale)
    if options.write_baseline:
        write_baseline(scale)
        return 0
    return run(options, scale)


def run(options: argparse.Namespace, scale: Scale) -> int:
    """Measure rows, and whatever else was asked for; 1 if a check fails."""
    bandwidth = None if options.light else machine.bandwidth(1 << 26 if options.small else 1 << 28)
    print(machine.line(bandwidth))
    print(report.HEADER, flush=True)
    means = Means(scale.rounds, options.light, options.memory, options.small, bandwidth)
    full = is_full(scale)
    show = partial(report.lines, full=full)
    results = run_rows(all_rows(scale), options.wanted, means, show)
    if options.wanted and not results:
        print(f"no row starts with {', '.join(options.wanted)}")
        return 1
    cold = run_cold(options.wanted) if options.cold else {}
    write(options, results, report.content(results, scale, bandwidth, cold, full))
    return check(results, scale, options.wanted) if options.check else 0


def run_cold(wanted: list[str]) -> dict[str, Any]:
    """Time first calls, by stage and row."""
    print(fresh.HEADER)
    small, found = Scale.quick(), {}
    for stage, name in fresh.chosen(all_rows(small), wanted):
        found[f"{stage}: {name}"] = cold = fresh.measure(stage, name, small)
        print(fresh.line(cold), flush=True)
    return found


def run_larger(options: argparse.Namespace, scale: Scale) -> int:
    """Build and run a graph that is larger than the memory it may have."""
    with tempfile.TemporaryDirectory(prefix="nkgraph-perf-") as temporary:
        folder = options.folder or Path(temporary)
        results = larger.run(folder, scale.bits, scale.edge_count, options.limit_memory)
    write(options, results, report.content(results, scale))
    return 0


def write(options: argparse.Namespace, results: list[Result], table: dict[str, Any]) -> None:
    """Write JSON and chart, as far as they are asked for."""
    if options.json:
        report.write_json(table, options.json)
        print(f"wrote {options.json}")
    if options.chart:
        report.write_chart(results, options.chart, machine.line(table["bandwidth_bytes_per_s"]))
        print(f"wrote {options.chart}")


def check(results: list[Result], scale: Scale, wanted: list[str]) -> int:
    """Compare with the baseline; what seems lost is measured again, with twice the rounds."""
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    if wanted:
        baseline = {r.name: baseline[r.name] for r in results if r.name in baseline}
    lost = report.losses(results, baseline)
    means = Means(2 * scale.rounds, light=True, small=True)
    for _ in range(RETRIES):  # a loss that does not repeat was a busy machine
        names = {result.name for result in results if result.name in lost}
        again = [(stage, row) for stage, row in all_rows(scale) if row.name in names]
        if not again:
            break
        print(f"again: {', '.join(sorted(names))}")
        show = partial(report.lines, full=False)
        retried = {r.name: r for r in run_rows(again, [], means, show)}
        results = [report.better(r, retried.get(r.name, r)) for r in results]
        lost = report.losses(results, baseline)
    print("\n".join(["lost against baseline.json:", *lost.values()] if lost else ["no row lost"]))
    return 1 if lost else 0


def write_baseline(scale: Scale) -> None:
    """Measure several times and keep the worst ratio of each row: what noise alone can do."""
    worst: dict[str, Result] = {}
    means = Means(scale.rounds, light=True, small=True)
    for _ in range(BASELINE_RUNS):
        print(report.HEADER)
        show = partial(report.lines, full=False)
        for result in run_rows(all_rows(scale), [], means, show):
            known = worst.setdefault(result.name, result)
            if (result.ratio or 0) > (known.ratio or 0):
                worst[result.name] = result
    report.write_json(report.baseline(worst.values()), BASELINE)


def all_rows(scale: Scale) -> Iterator[tuple[str, Row | Limit]]:
    """Rows of every stage, in the order of the stages, with the stage's module."""
    for stage in STAGES:
        name = stage.__name__.rpartition(".")[2]
        for row in stage.rows(scale):
            yield name, row


if __name__ == "__main__":
    sys.exit(main())
