"""The one decorator of all kernels."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import njit, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

P = ParamSpec("P")
R = TypeVar("R")
TRIED = (0, 61), (0, 68)
"""First and last version of numba with which what is not public of it was tried.

With others it is left alone: kernels do the same, and take several times as long to compile.
"""
KNOWN = TRIED[0] <= tuple(map(int, numba.__version__.split(".")[:2])) <= TRIED[1]
_LEAN: dict[str, Any] = {"_nrt": False} if KNOWN else {}
"""Numba's option to compile without its run time, which counts references."""
_ALL: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
"""Options of every kernel; there is no second entry, for calls by pointer, to compile."""


class _StepLibrary(JITCodeLibrary):
    """Code of a step: handed to its callers as it is, which optimise and translate it anyway."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        whole = self._final_module.clone()
        for function in whole.functions:
            if not function.is_declaration and function.linkage.name == "external":
                function.linkage = "linkonce_odr"  # as numba links what callers share
        self._shared_module = whole
        for function in self._final_module.functions:
            if not function.is_declaration:
                function.linkage = "available_externally"  # to optimise by, never to emit
        super()._finalize_final_module()  # type: ignore[no-untyped-call]  # numba has no types


class _StepCompiler(Compiler):
    """Numba's compiler with a ``_StepLibrary`` to write to."""

    def define_pipelines(self) -> Any:
        if self.state.library is None:
            name = self.state.func_id.func_qualname
            codegen = self.state.targetctx.codegen()
            self.state.library = _StepLibrary(codegen, name)  # type: ignore[no-untyped-call]  # numba has no types
            self.state.library.enable_object_caching()
        return super().define_pipelines()  # type: ignore[no-untyped-call]  # numba has no types


_STEP: dict[str, Any] = {**_ALL, "no_cpython_wrapper": True}
if KNOWN:
    _STEP["pipeline_class"] = _StepCompiler
"""Of what only kernels call: it has no entry for calls from Python, and no code of its own."""


def kernel(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    """Compile ``function`` on first call; cache on disk; release the GIL.

    Kernels are serial. Whole-array work is split over threads by
    ``nkgraph.threads``: that costs a fifth of the compile time of numba's own
    parallel loops, and is safe when two Python threads call at once, which
    numba's default threading layer is not.

    Where neither the package nor the user's cache directory can be written,
    kernels are compiled in each process, and one warning says so.
    """
    options |= _ALL
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError as error:  # numba: "cannot cache function ...: no locator available"
        if "cannot cache" not in str(error):
            raise
        _warn_once()
        compiled = njit(**options)(function)
    return cast(Callable[P, R], _once(compiled))


def kernel_step(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with the kernels that call it, and not by itself.

    Python cannot call it. Where a kernel is called by kernels alone, this costs a third of the
    compile time: what is compiled by itself is optimised and translated once more in each of its
    callers, theirs included.
    """
    return cast(Callable[P, R], _once(njit(**_STEP)(function)))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` into each kernel that calls it: for the inner steps of hot loops."""
    return cast(Callable[P, R], _once(njit(forceinline=True, **_STEP)(function)))


def lean(function: Callable[P, R]) -> Callable[P, R]:
    """As ``kernel``, for what is made of many small steps that pass arrays on to each other.

    Nothing in it counts references to arrays, which otherwise every call of a step does: so it
    must not make arrays, slices of them included.
    """
    return kernel(function, **_LEAN)


def lean_step(function: Callable[P, R]) -> Callable[P, R]:
    """As ``kernel_step``, for steps of lean kernels."""
    return cast(Callable[P, R], _once(njit(**_STEP, **_LEAN)(function)))


def lean_inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As ``inlined``, for steps of lean kernels."""
    return cast(Callable[P, R], _once(njit(forceinline=True, **_STEP, **_LEAN)(function)))


def lean_part(function: Callable[P, R]) -> Callable[P, R]:
    """Make ``function`` a part of the lean kernel that calls it, in one place.

    Its source is put there before anything is compiled.
    """
    return cast(Callable[P, R], _once(njit(inline="always", **_STEP, **_LEAN)(function)))


def _once(compiled: Any) -> Any:
    """Let kernels that call ``compiled`` with a constant use what is compiled for any number.

    Numba would compile it again for each constant.
    """
    if not KNOWN:
        return compiled
    ask: Callable[..., Any] = compiled.get_call_template
    plain: Callable[[Any], Any] = types.unliteral

    def get_call_template(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return ask(tuple(map(plain, args)), {name: plain(kind) for name, kind in kws.items()})

    compiled.get_call_template = get_call_template
    return compiled


@cache
def _warn_once() -> None:
    warnings.warn(
        "nkgraph: no writable directory for compiled kernels, so each process compiles "
        "them anew; set NUMBA_CACHE_DIR to a writable directory to keep them",
        RuntimeWarning,
        stacklevel=4,
    )
