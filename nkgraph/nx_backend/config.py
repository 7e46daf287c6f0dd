"""What a user sets in ``networkx.config.backends.nkgraph``."""

from typing import Any

from _nkgraph_networkx import DEFAULTS
from nkgraph.nx_backend.library import nx


def _setting(name: str) -> Any:  # of whatever type the user gave it
    """A setting; its default where nkgraph runs from its sources, unknown to NetworkX."""
    own = getattr(nx.config.backends, "nkgraph", None)
    return DEFAULTS[name] if own is None else getattr(own, name)


def threads() -> int | None:
    """How many threads to use; None for all cores, or what ``NKGRAPH_THREADS`` says."""
    count: int | None = _setting("threads")
    return count


def min_edges() -> int:
    """Graphs with fewer edges are left to NetworkX, where that is asked."""
    count: int = _setting("min_edges")
    return count


def active() -> bool:
    """Whether NetworkX may choose the backend at all."""
    return bool(_setting("active"))
