"""``python -m perf``: measure, compare with the targets, or with the last release."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
    bench_text_index,
    bench_traversal,
    bench_triangles,
    bench_warmup,
)
from perf.harness import Limit, Result, Row, Scale, better, losses, run_rows, write_json

RETRIES = 3
BASELINE_RUNS = 4
STAGES = (
    bench_build,
    bench_stitch,
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


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("perf", description=__doc__)
    parser.add_argument("--rows", default="", help="names, or starts of names, with commas")
    parser.add_argument("--nodes", type=int, help="nodes of the graphs")
    parser.add_argument("--edges", type=int, help="edges of the graphs")
    parser.add_argument("--rounds", type=int, help="best of so many")
    parser.add_argument("--quick", action="store_true", help="small data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument(
        "--check", action="store_true", help="small data; fail on a loss of more than a quarter"
    )
    parser.add_argument(
        "--write-baseline", action="store_true", help="measure what --check compares with"
    )
    options = parser.parse_args(arguments)
    options.small = options.quick or options.check or options.write_baseline
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 1 if a check fails."""
    options = parse(arguments)
    if options.check or options.write_baseline:
        # The rivals use one thread: so must we, or a core that others keep busy looks like a loss.
        os.environ["NKGRAPH_THREADS"] = "1"
    scale = Scale() if not options.small else Scale.quick()
    scale = replace(
        scale,
        node_count=options.nodes or scale.node_count,
        edge_count=options.edges or scale.edge_count,
        rounds=options.rounds or scale.rounds,
    )
    wanted = [name.strip() for name in options.rows.split(",") if name.strip()]
    if options.write_baseline:
        write_baseline(scale)
        return 0
    results = run_rows(all_rows(scale), wanted, scale.rounds, not options.small)
    if wanted and not results:
        print(f"no row starts with {', '.join(wanted)}")
        return 1
    if options.json:
        write_json(results, options.json)
    if not options.check:
        return 0
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    if wanted:
        baseline = {r.name: baseline[r.name] for r in results if r.name in baseline}
    lost = losses(results, baseline)
    for _ in range(RETRIES):  # a loss that does not repeat was a busy machine
        names = {name for name in lost if name in baseline}
        again = [row for row in all_rows(scale) if row.name in names]
        if not again:
            break
        print(f"again: {', '.join(sorted(names))}")
        retried = {r.name: r for r in run_rows(again, [], 2 * scale.rounds, False)}
        results = [better(r, retried.get(r.name, r)) for r in results]
        lost = losses(results, baseline)
    print("\n".join(["lost against baseline.json:", *lost.values()] if lost else ["no row lost"]))
    return 1 if lost else 0


def write_baseline(scale: Scale) -> None:
    """Measure several times and keep the worst ratio of each row: what noise alone can do."""
    worst: dict[str, Result] = {}
    for _ in range(BASELINE_RUNS):
        for result in run_rows(all_rows(scale), [], scale.rounds, full=False):
            known = worst.setdefault(result.name, result)
            if (result.ratio or 0) > (known.ratio or 0):
                worst[result.name] = result
    write_json(list(worst.values()), BASELINE)


def all_rows(scale: Scale) -> Iterator[Row | Limit]:
    """Rows of every stage, in the order of the stages."""
    for stage in STAGES:
        yield from stage.rows(scale)


if __name__ == "__main__":
    sys.exit(main())
