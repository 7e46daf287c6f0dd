"""Run kernels on several threads: split, start, wait.

Kernels release the GIL, so plain threads are enough. A thread waits for further
work when it has done its own: to wake it costs half of what a new one does. A
caller takes threads that wait, or new ones, and never waits for those of another
caller; after a ``fork`` the child starts its own. Waking one costs about 30
microseconds, so jobs below ``MIN_ITEMS`` stay in the calling thread.
"""

import _thread
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")

MIN_ITEMS = 1 << 15
"""Fewer items than this a thread are not worth starting it."""


MAX_IDLE = 64
"""So many threads wait for work at most."""


def thread_count() -> int:
    """Threads to use: ``NKGRAPH_THREADS`` if set, else the cores this process may run on."""
    setting = os.environ.get("NKGRAPH_THREADS", "")
    if setting.isdecimal() and int(setting) > 0:
        return int(setting)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def split(count: int, parts: int | None = None, least: int = MIN_ITEMS) -> list[tuple[int, int]]:
    """Cut ``range(count)`` into at most ``parts`` even half-open ranges of >= ``least`` items.

    Always at least one range, so that a kernel runs (and checks) empty input too.
    """
    if parts is None:
        parts = thread_count()
    parts = max(1, min(parts, count // max(least, 1)))
    edges = [count * part // parts for part in range(parts + 1)]
    return list(pairwise(edges))


def run(jobs: Sequence[Callable[[], object]]) -> list[object]:
    """Run ``jobs``, each on a thread of its own, the last on this one; return their results.

    Raises the error of the first job, in order, that failed, after all have ended.
    """
    results: list[object] = [None] * len(jobs)
    failures: list[BaseException | None] = [None] * len(jobs)

    def work(index: int) -> None:
        try:
            results[index] = jobs[index]()
        except BaseException as error:  # noqa: BLE001 - carried to the caller, raised below
            failures[index] = error

    waiting = [_begin(partial(work, index)) for index in range(len(jobs) - 1)]
    if jobs:
        work(len(jobs) - 1)
    for ended in waiting:
        ended.acquire()
    for failure in failures:
        if failure is not None:
            raise failure
    return results


_idle: list["_Worker"] = []
"""Threads that wait for work, the one that waited least last."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a child has none of them


class _Worker:
    """A thread that does one job after the other."""

    def __init__(self) -> None:
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self._job: tuple[Callable[[], None], _thread.LockType] | None = None
        _thread.start_new_thread(self._live, ())

    def begin(self, work: Callable[[], None]) -> _thread.LockType:
        """Start ``work``, which raises nothing; the lock is free when it has ended."""
        ended = _thread.allocate_lock()
        ended.acquire()
        self._job = work, ended
        self._wake.release()
        return ended

    def _live(self) -> None:
        stays = True
        while stays:
            self._wake.acquire()
            assert self._job is not None
            work, ended = self._job
            self._job = None
            work()
            del work  # its arrays are the caller's again
            stays = len(_idle) < MAX_IDLE
            if stays:
                _idle.append(self)  # from here on another caller may give it work
            ended.release()


def _begin(work: Callable[[], None]) -> _thread.LockType:
    """Start ``work`` on a waiting thread, on a new one, or do it here if there can be none."""
    try:
        worker = _idle.pop()
    except IndexError:
        try:
            worker = _Worker()
        except RuntimeError:  # no more threads are to be had
            work()
            return _thread.allocate_lock()
    return worker.begin(work)


def ahead(items: Generator[Item, None, None], depth: int = 1) -> Iterator[Item]:
    """Draw ``items`` on a thread of its own, up to ``depth`` before they are asked for.

    An error of the iterator is raised here, in its place. Leaving early closes the iterator.
    """
    drawn: queue.Queue[Item | BaseException | None] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def offer(item: Item | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                drawn.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    if not offer(item):
                        return
            offer(None)
        except BaseException as error:  # noqa: BLE001 - carried to the caller, raised below
            offer(error)

    drawer = threading.Thread(target=work, daemon=True)
    drawer.start()
    try:
        while (item := drawn.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        drawer.join()
