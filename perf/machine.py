"""What the machine is, how fast it moves memory, and how much memory a call takes."""

import ctypes
import gc
import importlib.metadata
import os
import platform
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from nkgraph import threads

PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "zstandard",
    "scipy",
    "pandas",
    "polars",
    "pyarrow",
    "orjson",
    "networkit",
    "igraph",
    "rustworkx",
    "python-graphblas",
    "networkx",
    "matplotlib",
)
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def versions() -> dict[str, str | None]:
    """Versions of Python, nkgraph and everything that is compared; None if not installed."""
    import nkgraph

    found: dict[str, str | None] = {
        "python": platform.python_version(),
        "nkgraph": nkgraph.__version__,
    }
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def description() -> dict[str, object]:
    """Processor, cores, caches, memory and system."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads.thread_count(),
        "caches": caches(),
        "memory_bytes": memory(),
    }


def processor() -> str:
    """The name of the processor, as far as it is known."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def caches() -> dict[str, str]:
    """Caches of the first core by level and kind, as ``{"L2 Unified": "1024K"}``; Linux alone."""
    found = {}
    for place in sorted(CACHES.glob("index*")):
        try:
            level, kind, size = (
                (place / name).read_text(encoding="utf-8").strip()
                for name in ("level", "type", "size")
            )
        except OSError:
            continue
        found[f"L{level} {kind}"] = size
    return found


def memory() -> int | None:
    """Bytes of physical memory, as far as they are known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def sorting() -> float:
    """Seconds that numpy takes to sort 2**20 words: the speed of many rivals hangs on that.

    On some processors numpy's AVX-512 sort is several times slower than its AVX2 one, which
    ``NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL"`` selects; that is the stricter test.
    """
    values = np.random.default_rng(0).integers(0, 2**62, 1 << 20, np.uint64)
    return best_of(5, lambda: np.sort(values))


def bandwidth(size: int = 1 << 28) -> float:
    """Bytes a second, read and written, of a copy of ``size`` bytes by all threads; best of 7."""
    words = np.ones(size // 8, np.uint64)
    copy = np.empty_like(words)
    parts = threads.split(words.size)
    jobs = [partial(np.copyto, copy[a:b], words[a:b]) for a, b in parts]
    single = partial(np.copyto, copy, words)
    seconds = min(best_of(7, lambda: threads.run(jobs)), best_of(3, single))
    return 2 * words.nbytes / seconds


def best_of(count: int, call: Callable[[], object]) -> float:
    """The least of ``count`` times."""
    from perf.harness import timed

    return min(timed(call) for _ in range(count))


# -- memory -----------------------------------------------------------------------------------


def status_bytes(name: str) -> int:
    """A size that Linux keeps of this process, as ``"VmRSS"``."""
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise KeyError(name)


def peak_memory(call: Callable[[], object]) -> int:
    """Bytes that ``call`` has beyond what was there before, at the highest.

    Of two calls the larger figure: what the process has resident at its highest, less what it had
    before (Linux alone; pages of maps that were resident already do not count); and what Python
    and numpy allocate at their highest, touched or not, as ``tracemalloc`` sees it.
    """
    gc.collect()
    _give_back()
    return max(_resident(call), _allocated(call))


def _give_back() -> None:
    """Let glibc give back what it keeps of freed memory, so that it counts when used again."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _resident(call: Callable[[], object]) -> int:
    try:
        CLEAR.write_text("5", encoding="utf-8")  # the high-water mark begins anew
        before = status_bytes("VmRSS")
        kept = call()
        peak = status_bytes("VmHWM")
    except OSError:
        return 0
    del kept
    return max(0, peak - before)


def _allocated(call: Callable[[], object]) -> int:
    if tracemalloc.is_tracing():
        return 0
    gc.collect()
    tracemalloc.start()
    try:
        kept = call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    del kept
    return peak


def line(bytes_a_second: float | None) -> str:
    """One line that says what is measured on."""
    found = versions()
    text = f"Python {sys.version.split()[0]}, numpy {found['numpy']}, numba {found['numba']}; "
    text += f"{threads.thread_count()} threads; np.sort of 2**20 uint64: {sorting() * 1e3:.1f} ms; "
    if bytes_a_second is not None:
        text += f"copy {bytes_a_second / 1e9:.1f} GB/s; "
    return text + "warm page cache"
