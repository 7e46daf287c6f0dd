"""What comes out of a run: the table, JSON, the chart, and what was lost against the baseline."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from perf import machine
from perf.harness import OURS, Result, Scale

SLACK = 1.25
"""A ratio may be worse than the baseline's by so much before ``--check`` fails."""
SEEDS = "fixed in the modules: graphs 27, the rest beside the data that they make"
HEADER = (
    f"{'row':32} {'ours ms':>10} {'rival ms':>10} {'ratio':>7} {'must':>5} {'aim':>5} "
    f"{'verdict':7} {'of limit':>8} {'peak MB':>8}  rival"
)


# -- the table --------------------------------------------------------------------------------


def lines(result: Result, full: bool = True) -> str:
    """Give the lines of a row: ours and its rival, and below it the further rivals.

    ``full``: the targets are for full sizes, so only those get a verdict.
    """
    if result.ratio is None or result.ours is None or result.rival is None:
        return f"{result.name:32} not measured: {missing(result)}"
    limit = "" if result.over_floor is None else f"{result.over_floor:.1f} x"
    peak = f"{result.peaks[OURS] / 1e6:.1f}" if OURS in result.peaks else ""
    text = [
        f"{result.name:32} {result.ours * 1e3:10.4f} {result.rival * 1e3:10.4f}"
        f" {result.ratio:7.3f} {result.must:5.2f} {result.aim:5.2f}"
        f" {result.verdict(full):7} {limit:>8} {peak:>8}  {result.rival_name}"
    ]
    for name, seconds in result.times.items():
        if name in (OURS, result.rival_name):
            continue
        best = min(seconds)
        peak = f"{result.peaks[name] / 1e6:.1f}" if name in result.peaks else ""
        once = ", once" if len(seconds) == 1 < len(result.times[OURS]) else ""
        text.append(
            f"{'':32} {'':10} {best * 1e3:10.4f} {result.ours / best:7.3f} {'':5} {'':5}"
            f" {'':7} {'':8} {peak:>8}  {name}{once}"
        )
    if result.missing:
        text.append(f"{'':32} without {missing(result)}")
    return "\n".join(text)


def missing(result: Result) -> str:
    """Say which rivals are not installed."""
    return ", ".join(
        what if what.startswith("GAP") else f"{name}: {what} is not installed"
        for name, what in result.missing.items()
    )


# -- JSON -------------------------------------------------------------------------------------


def content(
    results: Sequence[Result],
    scale: Scale,
    bandwidth: float | None = None,
    cold: dict[str, dict[str, object]] | None = None,
    full: bool = True,
) -> dict[str, Any]:
    """Everything that was measured, and on what."""
    return {
        "versions": machine.versions(),
        "machine": machine.description(),
        "bandwidth_bytes_per_s": bandwidth,
        "scale": asdict(scale),
        "full": full,
        "seeds": SEEDS,
        "rows": {result.name: row(result, full) for result in results},
        "cold": cold or {},
    }


def row(result: Result, full: bool = True) -> dict[str, Any]:
    """One row: the times of each contender, and what follows from them."""
    return {
        "stage": result.stage,
        "contenders": {
            name: {
                "min_s": min(seconds),
                "median_s": float(np.median(seconds)),
                "all_s": seconds,
                "peak_bytes": result.peaks.get(name),
            }
            for name, seconds in result.times.items()
        },
        "rival": result.rival_name,
        "ratio": result.ratio,
        "must": result.must,
        "aim": result.aim,
        "verdict": result.verdict(full),
        "limit_s": result.floor,
        "missing": result.missing,
    }


def write_json(table: dict[str, Any], path: Path) -> None:
    """Write what ``content`` or ``baseline`` gives."""
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


# -- the baseline -----------------------------------------------------------------------------


def baseline(results: Iterable[Result]) -> dict[str, Any]:
    """What ``--check`` compares with: for each row the best times, the rival, and the ratio."""
    return {
        r.name: {
            "ours_s": r.ours,
            "rival_s": r.rival,
            "ratio": r.ratio,
            "must": r.must,
            "rival": r.rival_name,
        }
        for r in results
        if r.ratio is not None
    }


def better(one: Result, other: Result) -> Result:
    """The one of two results of a row with the lower ratio."""
    if one.ratio is None or (other.ratio is not None and other.ratio < one.ratio):
        return other
    return one


def losses(results: Sequence[Result], before: dict[str, Any]) -> dict[str, str]:
    """Rows that lost more than a quarter against the baseline, or vanished.

    Where the baseline's rival is not installed there is nothing to compare, and nothing is lost.
    """
    lost = {}
    for result in results:
        known = before.get(result.name, {})
        if result.ratio is None:
            continue
        if result.is_limit:  # noise below it is no loss
            if result.ratio > 1.0:
                lost[result.name] = f"{result.name}: over the limit of {result.rival} s"
        elif known.get("ratio") is None or not same_rival(result, known):
            continue
        elif result.ratio > known["ratio"] * SLACK:
            lost[result.name] = f"{result.name}: ratio {result.ratio:.3f}, was {known['ratio']:.3f}"
    ran = {result.name for result in results}
    gone = [name for name in before if name not in ran]
    return lost | {name: f"{name}: no longer measured" for name in gone}


def same_rival(result: Result, known: dict[str, Any]) -> bool:
    """Whether a ratio is with the rival of the baseline; with the fastest, any will do."""
    return result.wanted == "fastest" or known.get("rival", result.wanted) == result.rival_name


# -- the chart --------------------------------------------------------------------------------

COLOURS = {
    OURS: "#c0392b",
    "GAP": "#1f3a5f",
    "networkit": "#2e7d6b",
    "igraph": "#6aa84f",
    "rustworkx": "#b45f06",
    "graphblas": "#674ea7",
    "scipy": "#3d85c6",
    "numpy": "#7f8c8d",
    "pandas": "#8e44ad",
    "polars": "#45818e",
}
OTHER = "#b5a642"
BAR = 0.24
"""Inches of height that a bar takes."""
PANEL = 60
"""Bars of one panel, about; further rows stand beside it."""


def write_chart(results: Sequence[Result], path: Path, title: str = "") -> None:
    """Draw the best time of each contender, row by row, on a log scale, as a PNG.

    A black mark stands at the physical limit of a row. Limits in seconds are left out.
    """
    import_module("matplotlib").use("Agg")
    pyplot = import_module("matplotlib.pyplot")

    rows = [r for r in results if r.ours is not None and not r.is_limit]
    if not rows:
        raise ValueError("no row has times to draw")
    panels = _panels(rows)
    tallest = max(sum(len(r.times) + 0.8 for r in panel) for panel in panels)
    size = (8.5 * len(panels), max(2.6, BAR * tallest + 1.5))
    figure, found = pyplot.subplots(1, len(panels), figsize=size, layout="constrained")
    shown: dict[str, Any] = {}
    for axes, panel in zip(np.ravel(found), panels, strict=True):
        shown |= _draw(axes, panel)
        axes.set_ylim(tallest - 0.4, -0.8)
    if title:
        figure.suptitle(title, fontsize=9)
    order = sorted(shown, key=lambda name: list(COLOURS).index(name) if name in COLOURS else 99)
    figure.legend(
        [shown[name] for name in order],
        order,
        loc="outside lower center",
        ncols=8,
        fontsize=8,
        frameon=False,
    )
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _panels(rows: Sequence[Result]) -> list[list[Result]]:
    """Cut the rows into panels of about as many bars."""
    bars = sum(len(row.times) for row in rows)
    most = bars / max(1, round(bars / PANEL))
    panels: list[list[Result]] = [[]]
    drawn = 0
    for row in rows:
        if drawn >= most * len(panels):
            panels.append([])
        panels[-1].append(row)
        drawn += len(row.times)
    return panels


def _draw(axes: Any, rows: Sequence[Result]) -> dict[str, Any]:
    """Draw one panel; give one bar of each library, and a mark, for the legend."""
    bars: dict[str, list[tuple[float, float, str]]] = {}
    floors, ticks, at = [], [], 0.0
    for result in rows:
        first = at
        for name, seconds in result.times.items():
            library, best = name.partition(" ")[0], min(seconds)
            library = library if library in COLOURS else "other"
            times = "" if name == OURS else f"{name} {best / (result.ours or best):.3g}×"
            bars.setdefault(library, []).append((at, best, times))
            at += 1.0
        if result.floor is not None:
            floors.append((first - 0.5, at - 0.5, result.floor))
        ticks.append((first + at - 1) / 2)
        at += 0.8
    shown = {}
    for library, found in bars.items():
        places, widths, labels = zip(*found, strict=True)
        shown[library] = axes.barh(places, widths, 0.86, color=COLOURS.get(library, OTHER))
        axes.bar_label(shown[library], labels=labels, padding=3, fontsize=7, color="#444444")
    for low, high, floor in floors:
        (shown["physical limit"],) = axes.plot([floor, floor], [low, high], color="black", lw=1.8)
    drawn = [best for found in bars.values() for _, best, _ in found]
    lowest = min([*drawn, *(floor for _, _, floor in floors)])
    axes.set_xscale("log")
    left, right = 10 ** math.floor(math.log10(lowest) - 0.2), max(drawn)
    axes.set_xlim(left, right * (right / left) ** 0.3)  # room for the labels
    axes.set_yticks(ticks, [row.name for row in rows], fontsize=8)
    axes.set_xlabel("seconds a call, the best (log scale); × multiples of nkgraph", fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labeltop=True, top=True, labelsize=8)
    axes.grid(axis="x", which="major", color="#dddddd", lw=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return shown
