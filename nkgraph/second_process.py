"""A second process that compiles while ``warmup`` does, from the last stage to the first.

Both write to numba's cache on disk. What one has compiled the other fetches, so that they meet in
the middle; the first goes on through all stages and misses nothing, whatever the second did.
"""

import json
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from nkgraph.second_process import work
work()
"""


class SecondProcess:
    """Starts when it is asked to, and ends with the block."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def start(self) -> None:
        """Begin, unless it has begun or there can be no other process: then all is done here."""
        if self._process is not None:
            return
        root = Path(__file__).parent.parent
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", CODE, str(root)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:
            return
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def compiled(self, name: str) -> float | None:
        """Return how long it compiled a kernel, each time it did once; None if it did not."""
        return self._seconds[name].pop() if self._seconds[name] else None

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            name, seconds = json.loads(line)
            self._seconds[name].append(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None or self._reader is None:
            return
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def work() -> None:
    """Do what the second process does: a line of JSON for each kernel that it compiles."""
    from nkgraph import kernels, warm

    def tell(one: "kernels.compiling.Compiled") -> None:
        if not one.cached:
            sys.stdout.write(json.dumps([one.name, one.seconds]) + "\n")
            sys.stdout.flush()

    warm.go_through(tuple(reversed(warm.STAGES)), tell)
