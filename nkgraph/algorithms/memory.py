"""How much memory an algorithm allocates, and a refusal where there is not so much."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from nkgraph.algorithms import HOMES
from nkgraph.algorithms.view import AnyGraph, View
from nkgraph.errors import LimitError, NotFoundError

Need = Callable[[View], int]
"""Bytes that a call allocates on a graph, its answer included and rows that must be built."""
NEEDS: dict[str, Need] = {}
"""By name of the public function; each algorithm's module adds its own."""


def memory_estimate(
    name: str,
    graph: AnyGraph,
    *,
    connection_type: str | None = None,
    direction: str = "out",
    weight: str | None = None,
) -> int:
    """Return how many bytes a call of an algorithm will allocate.

    Parameters
    ----------
    name : str
        Of the function, as ``"pagerank"``.
    graph : Graph or CSR
    connection_type, direction, weight
        As the call will have them.

    Returns
    -------
    int
        Bytes on the heap at the highest, the answer included; maps of files are not counted.

    Raises
    ------
    NotFoundError
        There is no such algorithm.
    """
    if name not in HOMES:
        raise NotFoundError(f"no algorithm {name!r}; there are {', '.join(sorted(HOMES))}")
    import_module(f"{__package__}.{HOMES[name]}")  # which registers what it needs
    weighted = name == "sssp"
    return NEEDS[name](View(graph, connection_type, direction, weight, weighted))


def rows_bytes(view: View, sides: int = 1) -> int:
    """Return the bytes of rows that a view builds on the heap; 0 where they are mapped or given."""
    csr = not hasattr(view.graph, "connection_types")
    nodes, edges = view.node_count + 1, view.graph.edge_count
    weights = 8 * edges if view.weighted else 0
    if csr:
        turned = view.direction != "out"
        if view.direction == "both":
            return 8 * nodes + 16 * edges + 2 * weights
        return (sides - 1 + turned) * (8 * nodes + 8 * edges + weights)
    if view.connection_type is None and view.direction != "both":
        return sides * weights
    if view.connection_type is not None:
        edges = int(view.graph.connection_types.get(view.connection_type, 0))  # type: ignore[union-attr]  # a Graph
    both = 2 if view.direction == "both" else sides
    return both * (8 * nodes + 8 * edges + weights)


def refuse_too_much(name: str, needed: int) -> None:
    """Raise LimitError if so many bytes are more than this process can still get."""
    left = available()
    if needed > left:
        raise LimitError(
            f"{name} needs {needed:,} bytes, and {left:,} are available; "
            "a smaller graph, one connection type or more memory would do"
        )


def available() -> int:
    """Return bytes that this process can still allocate, as far as the system says."""
    found = [_of_system(), _of_group(), _of_limits()]
    return max(0, min(found))


_UNKNOWN = 1 << 62


def _of_system() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN


def _of_group() -> int:
    """What is left of the control group's limit; what it caches of files can be given up."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit == "max":
            return _UNKNOWN
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(limit) - used + int(stat.get("file", 0))
    except (OSError, ValueError):
        return _UNKNOWN


def _of_limits() -> int:
    """What is left below a limit on data or on address space set for this process."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            pages = [int(word) for word in file.read().split()]
    except (ImportError, OSError):
        return _UNKNOWN
    page, left = resource.getpagesize(), _UNKNOWN
    for name, used in ((resource.RLIMIT_DATA, pages[5]), (resource.RLIMIT_AS, pages[0])):
        limit = resource.getrlimit(name)[0]
        if limit != resource.RLIM_INFINITY:
            left = min(left, limit - used * page)
    return left
