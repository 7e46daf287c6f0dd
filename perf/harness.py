"""Time several ways of doing one job, interleaved in one process, and compare.

A stage module holds ``rows(scale) -> Iterator[Row | Limit]``; a row is a name, what makes its
contenders, and the ratios to one of them that ours must reach and aims at. Data that a row needs
is made when the row is drawn, so that rows not asked for cost nothing.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from perf import machine

Call = Callable[[], object]
OURS = "nkgraph"
FASTEST = "fastest"
"""In the place of a rival's name: whichever of them is the fastest."""
HEAVY = frozenset({"GAP", "networkit", "igraph", "rustworkx", "graphblas"})
"""Rivals that ``--check`` leaves out: what the extras ``test`` and ``dev`` do not bring."""
SLOW = 5.0
"""A rival whose first call takes so many seconds is called no more."""
BUDGET = 8.0
"""A rival that has taken so many seconds is called no more."""

QUICK = 2.0
"""A rival that takes more seconds gets one trial a round, and its memory is not measured."""


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

    @property
    def bits(self) -> int:
        """Of a node id in RMAT and uniform graphs, which have ``2**bits`` nodes."""
        return max(1, (self.node_count - 1).bit_length())

    @property
    def degree(self) -> int:
        """Edges a node in RMAT and uniform graphs."""
        return max(1, self.edge_count >> self.bits)


@dataclass(frozen=True)
class Rival:
    """What a user would call instead.

    ``make`` brings the data in the form that it likes, which is not timed, and gives the call.
    ``agrees`` takes our answer and its, before anything is timed.
    """

    make: Callable[[], Call]
    agrees: Callable[[Any, Any], bool] | None = None


@dataclass(frozen=True)
class Contest:
    """Contenders for one row; ``moved`` is how many bytes the job must read and write at least."""

    ours: Call
    rivals: dict[str, Rival]
    moved: float | None = None


@dataclass(frozen=True)
class Row:
    """One comparison.

    ``make`` prepares the data and gives the contenders; or, where there is one rival alone, ours
    and the rival. ``repeat`` calls are timed as one, and the best of ``trials`` counts.
    ``rival`` names the one that ``must`` and ``aim`` are for.
    """

    name: str
    make: Callable[[], Contest | tuple[Call, Call]]
    must: float
    aim: float
    repeat: int = 1
    rival: str = "numpy"
    moved: float | None = None
    trials: int = 1


@dataclass(frozen=True)
class Limit:
    """A time to be kept, whatever rivals do: ``make`` gives a call that returns seconds.

    With ``full_only`` it is measured at full sizes, or when it is asked for by name.
    """

    name: str
    make: Callable[[], Callable[[], float]]
    seconds: float
    full_only: bool = False


@dataclass(frozen=True)
class Result:
    """Seconds a call of each contender, in the order of the rounds."""

    name: str
    must: float
    aim: float
    wanted: str = "numpy"
    times: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Rivals that are not installed, and what it is that is not."""
    floor: float | None = None
    """Seconds that moving the bytes takes at the bandwidth that was measured."""
    peaks: dict[str, int] = field(default_factory=dict)
    """Bytes of memory beyond the inputs, at the highest."""
    stage: str = ""
    is_limit: bool = False

    @property
    def rival_name(self) -> str | None:
        """The rival of the ratio: the wanted one, or the fastest where that is not there."""
        if self.wanted in self.times:
            return self.wanted
        rivals = [name for name in self.times if name != OURS]
        return min(rivals, key=lambda name: min(self.times[name]), default=None)

    @property
    def ours(self) -> float | None:
        """Our best time."""
        return min(self.times[OURS]) if OURS in self.times else None

    @property
    def rival(self) -> float | None:
        """The best time of the rival of the ratio."""
        return None if self.rival_name is None else min(self.times[self.rival_name])

    @property
    def ratio(self) -> float | None:
        """Ours over the rival's; below 1 is faster."""
        if self.ours is None or self.rival is None:
            return None
        return self.ours / self.rival

    @property
    def over_floor(self) -> float | None:
        """Our time in multiples of the physical limit."""
        return None if self.ours is None or not self.floor else self.ours / self.floor

    def verdict(self, full: bool = True) -> str:
        """ "aim", "ok" or "MISS"; "-" of sizes or against a rival that the targets are not for."""
        if self.ratio is None:
            return "-"
        judged = self.is_limit or (full and self.wanted in (FASTEST, self.rival_name))
        if not judged:
            return "-"
        if self.ratio > self.must:
            return "MISS"
        return "aim" if self.ratio <= self.aim else "ok"


class Clocked:
    """A call that keeps its own time: of a program, say, that must read its data first."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Run it; the seconds that count."""
        return self.seconds()


def timed(call: Call, repeat: int = 1, trials: int = 1) -> float:
    """Seconds of one call, averaged over ``repeat``; or what it says itself if ``Clocked``."""
    if isinstance(call, Clocked):
        return call.seconds()
    best = float("inf")
    for _ in range(trials):
        start = time.perf_counter()
        for _ in range(repeat):
            call()
        best = min(best, (time.perf_counter() - start) / repeat)
    return best


def is_heavy(rival: str) -> bool:
    """Whether ``--check`` leaves a rival out."""
    return rival.partition(" ")[0] in HEAVY


def contest_of(row: Row) -> Contest:
    """Make the contenders of a row."""
    made = row.make()
    if isinstance(made, Contest):
        return made
    ours, rival = made
    return Contest(ours, {row.rival: Rival(lambda: rival)}, row.moved)


@dataclass(frozen=True)
class Means:
    """How rows are measured."""

    rounds: int
    light: bool = False
    """Leave heavy rivals out."""
    memory: bool = False
    """Measure how much memory the contenders take."""
    small: bool = False
    """Leave out what is measured at full sizes alone."""
    bandwidth: float | None = None
    """Bytes a second, for the physical limit."""


def measure(row: Row, means: Means) -> Result:
    """Compare the answers, time all contenders in turn, and see how much memory they take."""
    result = Result(row.name, row.must, row.aim, row.rival)
    try:
        contest = contest_of(row)
        calls = _entered(row.name, contest, means.light, result)
    except ModuleNotFoundError as error:
        result.missing[row.rival] = str(error.name)
        return result
    for _ in range(means.rounds):
        for name, call in calls.items():
            known = result.times[name]
            if name == OURS or (sum(known) < BUDGET and max(known, default=0.0) < SLOW):
                quick = name == OURS or max(known, default=0.0) < QUICK
                known.append(timed(call, row.repeat, row.trials if quick else 1))
    if means.memory:
        for name, call in calls.items():
            if not isinstance(call, Clocked) and (name == OURS or min(result.times[name]) < QUICK):
                result.peaks[name] = machine.peak_memory(call)
    moved = row.moved if contest.moved is None else contest.moved
    floor = moved / means.bandwidth if moved and means.bandwidth else None
    return replace(result, floor=floor)


def _entered(name: str, contest: Contest, light: bool, result: Result) -> dict[str, Call]:
    """Call each contender once, outside the clock; give those that can be timed.

    Those that are missing, and the time of rivals that are called no more, go to ``result``.
    """
    calls = {OURS: contest.ours}
    found = contest.ours()
    result.times[OURS] = []
    for rival_name, rival in contest.rivals.items():
        if light and is_heavy(rival_name):
            continue
        try:
            call = rival.make()
        except (ModuleNotFoundError, AttributeError) as error:  # or a version that lacks something
            result.missing[rival_name] = str(error.name)
            continue
        start = time.perf_counter()
        theirs = call()
        seconds = time.perf_counter() - start
        if rival.agrees is not None and not rival.agrees(found, theirs):
            raise AssertionError(f"{name}: {rival_name} gives another answer")
        slow = seconds > SLOW and not isinstance(call, Clocked)
        result.times[rival_name] = [seconds] if slow else []
        calls[rival_name] = call
    return calls


def measure_limit(limit: Limit, rounds: int) -> Result:
    """Take the times of ``rounds`` calls; the limit stands where the rival's time would."""
    call = limit.make()
    call()
    times = {OURS: [call() for _ in range(rounds)], "limit": [limit.seconds]}
    return Result(limit.name, 1.0, 1.0, "limit", times, is_limit=True)


def cycle(items: list[Any], call: Callable[[Any], object]) -> Call:
    """Call with the next item each time: data that no earlier call has brought into cache."""
    state = {"next": 0}

    def step() -> object:
        state["next"] = (state["next"] + 1) % len(items)
        return call(items[state["next"]])

    return step


def asked_for(row: Row | Limit, wanted: list[str], light: bool, small: bool = False) -> bool:
    """Whether a row is run: its name begins with one of ``wanted`` (if any), and it is light."""
    if light and isinstance(row, Row) and is_heavy(row.rival):
        return False
    if isinstance(row, Limit) and row.full_only and not wanted:
        return not small
    return not wanted or any(row.name.startswith(name) for name in wanted)


def run_rows(
    rows: Iterable[tuple[str, Row | Limit]],
    wanted: list[str],
    means: Means,
    show: Callable[[Result], str],
) -> list[Result]:
    """Measure the rows that are asked for, printing each; they come with the stage's name."""
    results = []
    for stage, row in rows:
        if not asked_for(row, wanted, means.light, means.small):
            continue
        result = measure_limit(row, means.rounds) if isinstance(row, Limit) else measure(row, means)
        results.append(replace(result, stage=stage))
        print(show(results[-1]), flush=True)
    return results
