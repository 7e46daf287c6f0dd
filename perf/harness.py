"""Time two ways of doing one job, interleaved in one process, and compare.

A stage module holds ``rows(scale) -> Iterator[Row]``; a row is a name, ours, the rival, and the
ratios that it must reach and aims at. Data that a row needs is made when the row is drawn,
so that rows not asked for cost nothing.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], object]
SLACK = 1.25
"""A ratio may be worse than the baseline's by so much before ``--check`` fails."""


@dataclass(frozen=True)
class Scale:
    """Sizes of the data: the full ones of the table, or small ones for a quick check."""

    node_count: int = 1 << 20
    edge_count: int = 1 << 24
    type_count: int = 64
    query_count: int = 10**7
    key_counts: tuple[int, ...] = (1 << 24, 1 << 26)
    rounds: int = 7

    @classmethod
    def quick(cls) -> "Scale":
        """Give sizes that take seconds in all."""
        return cls(1 << 16, 1 << 20, 64, 10**6, (1 << 20, 1 << 22), 5)


@dataclass(frozen=True)
class Row:
    """One comparison.

    ``make`` prepares the data and gives ours and the rival; ``repeat`` calls are timed as one.
    """

    name: str
    make: Callable[[], tuple[Call, Call]]
    must: float
    aim: float
    repeat: int = 1


@dataclass(frozen=True)
class Limit:
    """A time to be kept, whatever rivals do: ``make`` gives a call that returns seconds.

    ``full_only`` is for what takes long: with small data it runs only where it is named.
    """

    name: str
    make: Callable[[], Callable[[], float]]
    seconds: float
    full_only: bool = False


@dataclass(frozen=True)
class Result:
    """Best times of both, in seconds a call; None where the rival is not installed."""

    name: str
    ours: float | None
    rival: float | None
    must: float
    aim: float
    missing: str | None = None

    @property
    def is_limit(self) -> bool:
        """Whether the rival's time is a limit."""
        return self.must == self.aim == 1.0

    @property
    def ratio(self) -> float | None:
        """Ours over the rival's; below 1 is faster."""
        if self.ours is None or self.rival is None:
            return None
        return self.ours / self.rival


class Clocked:
    """A call that keeps its own time: of a program, say, that must read its data first."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Run it; the seconds that count."""
        return self.seconds()


def timed(call: Call, repeat: int) -> float:
    """Seconds of one call, averaged over ``repeat``; or what it says itself if ``Clocked``."""
    if isinstance(call, Clocked):
        return call.seconds()
    start = time.perf_counter()
    for _ in range(repeat):
        call()
    return (time.perf_counter() - start) / repeat


def measure(row: Row, rounds: int) -> Result:
    """Run both in turn, ``rounds`` times, and keep the best of each."""
    try:
        ours, rival = row.make()
        ours(), rival()  # compile and warm up outside the clock
    except ModuleNotFoundError as error:
        return Result(row.name, None, None, row.must, row.aim, missing=error.name)
    best_ours = best_rival = float("inf")
    for _ in range(rounds):
        best_ours = min(best_ours, timed(ours, row.repeat))
        best_rival = min(best_rival, timed(rival, row.repeat))
    return Result(row.name, best_ours, best_rival, row.must, row.aim)


def measure_limit(limit: Limit, rounds: int) -> Result:
    """Keep the best of ``rounds`` calls; the limit stands where the rival's time would."""
    call = limit.make()
    call()
    best = min(call() for _ in range(rounds))
    return Result(limit.name, best, limit.seconds, 1.0, 1.0)


def cycle(items: list[Any], call: Callable[[Any], object]) -> Call:
    """Call with the next item each time: data that no earlier call has brought into cache."""
    state = {"next": 0}

    def step() -> object:
        state["next"] = (state["next"] + 1) % len(items)
        return call(items[state["next"]])

    return step


def show(result: Result, full: bool = True) -> str:
    """One line of the table; the targets are for full sizes, so only those get a verdict."""
    if result.ratio is None or result.ours is None or result.rival is None:
        return f"{result.name:28} not measured: rival {result.missing} is not installed"
    verdict = "aim" if result.ratio <= result.aim else "ok"
    if result.ratio > result.must:
        verdict = "MISS"
    if not full and not result.is_limit:
        verdict = "-"
    return (
        f"{result.name:28} {result.ours * 1e3:11.4f} {result.rival * 1e3:11.4f}"
        f" {result.ratio:7.3f} {result.must:6.2f} {result.aim:6.2f}  {verdict}"
    )


HEADER = f"{'row':28} {'ours ms':>11} {'rival ms':>11} {'ratio':>7} {'must':>6} {'aim':>6}"


def run_rows(
    rows: Iterable[Row | Limit], wanted: list[str], rounds: int, full: bool = True
) -> list[Result]:
    """Measure the rows whose names start with one of ``wanted`` (all, if none), printing each."""
    print(machine())
    print(HEADER, flush=True)
    results = []
    for row in rows:
        if wanted and not any(row.name.startswith(name) for name in wanted):
            continue
        if isinstance(row, Limit):
            if row.full_only and not (full or wanted):
                continue
            results.append(measure_limit(row, rounds))
        else:
            results.append(measure(row, rounds))
        print(show(results[-1], full), flush=True)
    return results


def machine() -> str:
    """Versions, and how fast numpy sorts here: its rivals' speed hangs on that.

    On some processors numpy's AVX-512 sort is several times slower than its AVX2 one, which
    ``NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL"`` selects; that is the stricter test.
    """
    values = np.random.default_rng(0).integers(0, 2**62, 1 << 20, np.uint64)
    best = min(timed(lambda: np.sort(values), 1) for _ in range(5))
    return (
        f"Python {sys.version.split()[0]}, numpy {np.__version__}; "
        f"np.sort of 2**20 uint64: {best * 1e3:.1f} ms; warm page cache"
    )


def write_json(results: list[Result], path: Path) -> None:
    """Write name, times and ratio of each row."""
    table = {
        r.name: {"ours_s": r.ours, "rival_s": r.rival, "ratio": r.ratio, "must": r.must}
        for r in results
    }
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def better(one: Result, other: Result) -> Result:
    """The one of two results of a row with the lower ratio."""
    if one.ratio is None or (other.ratio is not None and other.ratio < one.ratio):
        return other
    return one


def losses(results: list[Result], baseline: dict[str, Any]) -> dict[str, str]:
    """Rows that lost more than a quarter against the baseline, could not run, or vanished."""
    lost = {}
    for result in results:
        before = baseline.get(result.name, {}).get("ratio")
        if result.ratio is None:
            lost[result.name] = f"{result.name}: rival {result.missing} is not installed"
        elif result.is_limit:  # noise below it is no loss
            if result.ratio > 1.0:
                lost[result.name] = f"{result.name}: over the limit of {result.rival} s"
        elif before is not None and result.ratio > before * SLACK:
            lost[result.name] = f"{result.name}: ratio {result.ratio:.3f}, was {before:.3f}"
    ran = {result.name for result in results}
    gone = [name for name in baseline if name not in ran]
    return lost | {name: f"{name}: no longer measured" for name in gone}
