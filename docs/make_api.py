"""Write ``docs/api.md``: every public name with the first line of its docstring.

python docs/make_api.py

A test compares the page with what this gives, so the page cannot go stale.
"""

import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import nkgraph as nk
from nkgraph.algorithms import HOMES

PAGE = Path(__file__).with_name("api.md")
HEAD = """# Names

Every public name, and the first line of its docstring; `help(nk.pagerank)` gives the rest:
arguments, shapes, dtypes, errors, costs and an example that runs. `docs/make_api.py` writes this.
"""
ALSO = {
    "NO_NODE": "What stands for no node in arrays of node ids: 2**32 - 1.",
    "offsets": "Where rows start: row u is `targets[offsets[u]:offsets[u + 1]]`; (n + 1,) int64.",
    "targets": "The target of each entry, (m,) uint32.",
    "edges": "The edge id of each entry, (m,) uint32.",
    "weights": "The weight of each entry, (m,) numbers, or None.",
    "VERSION": "The version of dumps that is written: 10.",
    "RefType": "What a cross-reference means, by its stored byte.",
}
"""Of names without a docstring of their own."""
CLASSES = ("Graph", "CSR", "Table", "Column")
SPECIAL = ("__arrow_c_stream__",)
PARTS = {
    "nkgraph.storage.reddb": None,
    "nkgraph.storage.sparrowdb": None,
    "nkgraph.storage.kglite.id_index": ("IdIndex",),
    "nkgraph.storage.mapped": ("MappedArray", "MappedBytes"),
}
"""Modules of which parts are public, and which; None for their ``__all__``."""
OPEN = ("NodeStore", "IdIndex", "MappedArray")
"""Classes of those whose members are listed."""


def page() -> str:
    """Return the page."""
    parts = [
        HEAD,
        "## `nkgraph`\n",
        table((f"nk.{name}", getattr(nk, name)) for name in nk.__all__),
    ]
    for name in nk.__all__:
        value = getattr(nk, name)
        if name in CLASSES:
            parts += [f"## `nk.{name}`\n", members(value)]
        elif isinstance(value, ModuleType):
            parts += [f"## `nk.{name}`\n", table((n, getattr(value, n)) for n in value.__all__)]
    for name, chosen in PARTS.items():
        module = import_module(name)
        names = module.__all__ if chosen is None else chosen
        parts += [f"## `{name}`\n", table((n, getattr(module, n)) for n in names)]
        for inner in (n for n in names if n in OPEN):
            parts += [f"### `{inner}`\n", members(getattr(module, inner))]
    return "\n".join(parts)


def members(kind: type) -> str:
    """Return the table of what a class has."""
    found: dict[str, object] = {}
    for base in reversed(kind.__mro__[:-1]):
        found |= {name: value for name, value in vars(base).items() if is_public(name, value)}
    return table(found.items())


def is_public(name: str, value: object) -> bool:
    """Whether a member is a method or a property for users."""
    if name.startswith("_") and name not in SPECIAL:
        return False
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    return inspect.isfunction(value) or inspect.isdatadescriptor(value)


def table(rows: object) -> str:
    """Return a table of names and summaries."""
    lines = ["| name | |", "|---|---|"]
    for name, value in rows:  # type: ignore[attr-defined]  # pairs
        called = callable(value) or isinstance(value, (classmethod, staticmethod))
        shown = f"`{name}()`" if called and not isinstance(value, type) else f"`{name}`"
        short = name.rpartition(".")[2]
        text = summary(short, value)
        if short in HOMES and name.startswith("nk."):
            text += f" [Definition](algorithms.md#{short})"
        lines.append(f"| {shown} | {text} |")
    return "\n".join(lines) + "\n"


def summary(name: str, value: object) -> str:
    """Return the first sentence or line of a docstring, as Markdown."""
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    own = inspect.isroutine(value) or isinstance(value, (type, ModuleType))
    text = inspect.getdoc(value) if own or inspect.isdatadescriptor(value) else None
    if name in ALSO and not inspect.isfunction(value):
        text = ALSO[name]
    assert text, f"{name} has no docstring"
    first = text.split("\n\n")[0].replace("\n", " ")
    return first.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
