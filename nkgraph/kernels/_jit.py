"""The one decorator of all kernels."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")
_LEAN: dict[str, Any] = {"_nrt": False}
"""Numba's option to compile without its run time, which counts references."""


def kernel(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    """Compile ``function`` on first call; cache on disk; release the GIL.

    Kernels are serial. Whole-array work is split over threads by
    ``nkgraph.threads``: that costs a fifth of the compile time of numba's own
    parallel loops, and is safe when two Python threads call at once, which
    numba's default threading layer is not.

    Where neither the package nor the user's cache directory can be written,
    kernels are compiled in each process, and one warning says so.
    """
    try:
        compiled = njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    except RuntimeError as error:  # numba: "cannot cache function ...: no locator available"
        if "cannot cache" not in str(error):
            raise
        _warn_once()
        compiled = njit(nogil=True, error_model="numpy", **options)(function)
    return cast(Callable[P, R], compiled)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` into each kernel that calls it: for the inner steps of hot loops."""
    return cast(Callable[P, R], njit(nogil=True, error_model="numpy", forceinline=True)(function))


def lean(function: Callable[P, R]) -> Callable[P, R]:
    """As ``kernel``, for what is made of many small steps that pass arrays on to each other.

    Nothing in it counts references to arrays, which otherwise every call of a step does: so it
    must not make arrays, slices of them included.
    """
    return kernel(function, **_LEAN)


def lean_inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As ``inlined``, for steps of lean kernels."""
    options: dict[str, Any] = {"forceinline": True, **_LEAN}
    return cast(Callable[P, R], njit(nogil=True, error_model="numpy", **options)(function))


def lean_part(function: Callable[P, R]) -> Callable[P, R]:
    """Make ``function`` a part of the lean kernel that calls it, in one place.

    Its source is put there before anything is compiled. A function that is compiled by itself is
    optimised again in each of its callers, theirs included: a chain of ten costs ten times.
    """
    options: dict[str, Any] = {"inline": "always", **_LEAN}
    return cast(Callable[P, R], njit(nogil=True, error_model="numpy", **options)(function))


@cache
def _warn_once() -> None:
    warnings.warn(
        "nkgraph: no writable directory for compiled kernels, so each process compiles "
        "them anew; set NUMBA_CACHE_DIR to a writable directory to keep them",
        RuntimeWarning,
        stacklevel=4,
    )
