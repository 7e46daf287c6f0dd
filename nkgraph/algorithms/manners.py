"""How every algorithm behaves: how many threads, who hears of its progress, how much memory."""

import sys
from collections.abc import Callable
from typing import TypeAlias

from nkgraph import threads as pool
from nkgraph.errors import GraphError

Report: TypeAlias = Callable[[str, int, int | None], object]
"""Called with the name of the algorithm, steps done, and steps in all if that is known."""


def thread_count(threads: int | None) -> int:
    """Return how many threads to use: those asked for, or ``NKGRAPH_THREADS``, or all cores.

    Raises
    ------
    GraphError
        Fewer than one.
    """
    if threads is None:
        return pool.thread_count()
    if threads < 1:
        raise GraphError(f"threads is {threads}, not at least 1")
    return threads


class Progress:
    """Tells of steps done: to stderr if ``progress`` is True, or by calling it.

    Parameters
    ----------
    name : str
    progress : bool or callable
        A callable gets the name, the steps done, and those in all (None if nobody knows).
    """

    def __init__(self, name: str, progress: bool | Report | None) -> None:
        self._name = name
        self._report: Report | None = None
        if callable(progress):
            self._report = progress
        elif progress:
            self._report = _print

    def step(self, done: int, total: int | None = None) -> None:
        """Say how far it is."""
        if self._report is not None:
            self._report(self._name, done, total)


def _print(name: str, done: int, total: int | None) -> None:
    of = "" if total is None else f" of {total}"
    sys.stderr.write(f"nkgraph {name}: {done}{of}\n")
    sys.stderr.flush()
