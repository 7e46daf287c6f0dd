"""Which kernels there are, and which of them are compiled or fetched from the cache, and how long.

Numba tells of each compilation; of what it fetches it does not, so for as long as somebody watches,
the caches of the kernels are asked through a clock.
"""

import pkgutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

from numba.core import event, types


class Compiled(NamedTuple):
    """A kernel that was made ready."""

    name: str
    """Module and function, as ``csr.count_buckets``."""
    seconds: float
    """Of compiling it, and what it calls; or of fetching it."""
    cached: bool
    """Whether it came from the cache on disk."""


Hear: TypeAlias = Callable[[Compiled], object]


def kernels() -> dict[str, Any]:
    """Every kernel by module and name, as ``csr.count_buckets``; all kernel modules are imported.

    Steps that are only compiled into kernels are not among them.
    """
    package = import_module(__package__)
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            home = import_module(f"{__package__}.{module.name}")
            for name, value in vars(home).items():
                of_this = getattr(getattr(value, "py_func", None), "__module__", "")
                if of_this == home.__name__ and not _is_step(value):
                    found[f"{module.name}.{name}"] = value
    return found


def has_cache() -> bool:
    """Whether kernels are kept on disk, where other processes find them."""
    return any(kernel._cache.cache_path is not None for kernel in kernels().values())


def _is_step(dispatcher: Any) -> bool:
    options = dispatcher.targetoptions
    return bool(options.get("no_cpython_wrapper"))


def compile_for(name: str, arguments: str) -> None:
    """Compile a kernel, or fetch it from the cache, without calling it.

    ``arguments`` are numba's names of scalars; ``uint8[]`` is an array that is read, ``uint8[]!``
    one that is written, ``uint8[,]`` has two dimensions.
    """
    module, _, function = name.partition(".")
    kernel = getattr(import_module(f"{__package__}.{module}"), function)
    kernel.compile(tuple(map(_type_of, arguments.split())))


def _type_of(argument: str) -> Any:
    scalar, bracket, rest = argument.partition("[")
    kind = getattr(types, "bool_" if scalar == "bool" else scalar)
    if not bracket:
        return kind
    return types.Array(kind, 1 + rest.count(","), "C", readonly=not rest.endswith("!"))


def _name(dispatcher: Any) -> str:
    function = dispatcher.py_func
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


class _Listener(event.Listener):
    """Hears of compilations; those within another, of what a kernel calls, are parts of that."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._within = threading.local()

    def on_start(self, event: Any) -> None:
        starts: list[float] = self._within.__dict__.setdefault("starts", [])
        starts.append(time.perf_counter())

    def on_end(self, event: Any) -> None:
        starts: list[float] = self._within.__dict__.setdefault("starts", [])
        if not starts:  # it began before anybody listened
            return
        start = starts.pop()
        if not starts:
            name = _name(event.data["dispatcher"])
            self._hear(Compiled(name, time.perf_counter() - start, False))


@contextmanager
def watched(hear: Hear) -> Iterator[None]:
    """Call ``hear`` for each kernel that is compiled, or fetched from the cache, meanwhile."""
    caches = [(kernel, kernel._cache) for kernel in kernels().values()]
    caches = [(kernel, cache) for kernel, cache in caches if hasattr(cache, "load_overload")]
    for kernel, cache in caches:
        cache.load_overload = _clocked(cache.load_overload, _name(kernel), hear)
    listener = _Listener(hear)
    event.register("numba:compile", listener)  # type: ignore[no-untyped-call]  # numba has no types
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)  # type: ignore[no-untyped-call]  # the same
        for _, cache in caches:
            del cache.load_overload


def _clocked(load: Callable[..., Any], name: str, hear: Hear) -> Callable[..., Any]:
    def clocked(*given: Any) -> Any:
        start = time.perf_counter()
        found = load(*given)
        if found is not None:
            hear(Compiled(name, time.perf_counter() - start, True))
        return found

    return clocked
