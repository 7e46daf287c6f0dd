"""A backend of NetworkX: its functions over the kernels of nkgraph.

    import networkx as nx
    nx.pagerank(G, backend="nkgraph")             # of a NetworkX graph, which is converted
    nx.pagerank(nk.open("graph"))                  # of an opened one, as it is
    nx.config.backend_priority = ["nkgraph"]       # wherever it is worth it, without being asked

Signatures, names of nodes, orders and exceptions are NetworkX's. What the backend cannot compute
(``can_run``) or is not worth converting a graph for (``should_run``) is left to NetworkX, which
says so in its log; with ``backend="nkgraph"`` the first is a ``NotImplementedError``.

``nx.config.backends.nkgraph`` has ``active`` (False: never chosen), ``min_edges`` (smaller graphs
are not converted unless ``backend="nkgraph"`` says so) and ``threads`` (None: all).

An ``nkgraph.Graph`` is a directed multigraph to NetworkX: nodes are called by their external ids if
all are of one type, else by node id; edges are of all connection types. ``view`` shows it as an
undirected or a simple graph. Modules are imported when a function of theirs is first called.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from _nkgraph_networkx import HOMES
from nkgraph.nx_backend import config, limits
from nkgraph.nx_backend.graph import BackendGraph, Converted, Opened, view
from nkgraph.nx_backend.library import NxGraph, nx


def __getattr__(name: str) -> Callable[..., object]:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function: Callable[..., object] = getattr(
        import_module(f"nkgraph.nx_backend.{HOMES[name]}"), name
    )
    globals()[name] = function
    return function


def convert_from_nx(graph: NxGraph, **_: object) -> BackendGraph:
    """Return a NetworkX graph as the functions of the backend take it.

    It is read when a function first needs something of it. Which attributes NetworkX thinks are
    needed makes no difference.
    """
    return Converted(graph)


def convert_to_nx(result: object, *, name: str | None = None) -> object:
    """Return a graph of the backend as a NetworkX graph; anything else as it is."""
    from nkgraph.graph import Graph
    from nkgraph.interop.networkx import to_networkx

    if isinstance(result, Converted):
        return result.original
    if isinstance(result, Opened):
        kinds = {
            (True, True): nx.MultiDiGraph,
            (True, False): nx.DiGraph,
            (False, True): nx.MultiGraph,
            (False, False): nx.Graph,
        }
        kind = kinds[result.is_directed(), result.is_multigraph()]
        return to_networkx(result.graph, create_using=kind)
    return to_networkx(result) if isinstance(result, Graph) else result


def can_run(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool | str:
    """Whether the backend can answer a call; or why it cannot."""
    if not config.active():
        return "nx.config.backends.nkgraph.active is False"
    try:
        given = limits.arguments(name, args, kwargs)
    except TypeError:  # arguments that do not fit: NetworkX says so
        return "the arguments do not fit"
    return limits.reason_not_to_run(name, given) or True


def should_run(name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool | str:
    """Whether to convert a graph is worth it; or why it is not."""
    given = limits.arguments(name, args, kwargs)
    return limits.reason_to_leave(name, given, config.min_edges()) or True


def on_start_tests(items: Iterable[Any]) -> None:  # of pytest, an optional library
    """Tell pytest which of NetworkX's tests no backend can pass."""
    from nkgraph.interop.arrow import require

    mark = require("pytest", "test").mark.xfail
    for item in items:
        reason = CANNOT_PASS.get(item.name)
        if reason is not None and "test_dag" in str(item.path):
            item.add_marker(mark(reason=reason, strict=True))


CANNOT_PASS = {
    "test_topological_sort6": "changes the graph while its nodes are drawn, and expects an error: "
    "a backend draws them from what it read at first",
}
"""Tests of NetworkX by name, and why."""

__all__ = ["can_run", "convert_from_nx", "convert_to_nx", "should_run", "view"]
