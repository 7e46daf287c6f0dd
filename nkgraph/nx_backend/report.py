"""NetworkX's own tests through the backend, and how much of them ran here.

    python -m nkgraph.nx_backend.report            all tests of the functions that there are
    python -m nkgraph.nx_backend.report --quick    those of a part of them, in seconds

pytest collects the tests that NetworkX is installed with, and NetworkX passes every call of a
function to the backend that can answer it (``NETWORKX_TEST_BACKEND``). Calls are counted where they
arrive. The exit status is that of pytest.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from _nkgraph_networkx import HOMES
from nkgraph.interop.arrow import require

QUICK = (
    "algorithms/assortativity/tests/test_connectivity.py",
    "algorithms/assortativity/tests/test_neighbor_degree.py",
    "algorithms/assortativity/tests/test_correlation.py",
    "algorithms/centrality/tests/test_betweenness_centrality.py",
    "algorithms/centrality/tests/test_closeness_centrality.py",
    "algorithms/centrality/tests/test_degree_centrality.py",
    "algorithms/centrality/tests/test_eigenvector_centrality.py",
    "algorithms/centrality/tests/test_harmonic_centrality.py",
    "algorithms/centrality/tests/test_katz_centrality.py",
    "algorithms/components/tests",
    "algorithms/link_analysis/tests",
    "algorithms/shortest_paths/tests/test_generic.py",
    "algorithms/shortest_paths/tests/test_unweighted.py",
    "algorithms/shortest_paths/tests/test_weighted.py",
    "algorithms/tests/test_cluster.py",
    "algorithms/tests/test_core.py",
    "algorithms/tests/test_dag.py",
    "algorithms/tests/test_distance_measures.py",
    "algorithms/tests/test_efficiency.py",
    "algorithms/tests/test_hierarchy.py",
    "algorithms/tests/test_isolate.py",
    "algorithms/tests/test_link_prediction.py",
    "algorithms/tests/test_reciprocity.py",
    "algorithms/tests/test_richclub.py",
    "algorithms/tests/test_smetric.py",
    "algorithms/tests/test_wiener.py",
    "algorithms/traversal/tests/test_bfs.py",
    "algorithms/tree/tests/test_recognition.py",
)
"""Where most functions are tested, by file of NetworkX."""
WHOLE = (
    *QUICK,
    "algorithms/assortativity/tests",
    "algorithms/centrality/tests",
    "algorithms/community/tests",
    "algorithms/connectivity/tests",
    "algorithms/shortest_paths/tests",
    "algorithms/traversal/tests",
    "algorithms/tree/tests",
    "algorithms/tests",
)
SLOW = ("square_clustering_adjacent_squares", "use_bounds_on_off", "pearson")
"""Left out of the quick ones: long, and little of them is for the backend."""


class Count:
    """A plugin of pytest that counts calls of the backend, and tests with such calls."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        self._before = 0

    def install(self, backend: ModuleType) -> None:
        """Count every call from now on."""
        for name in HOMES:
            setattr(backend, name, self._counting(name, getattr(backend, name)))
        can_run = backend.can_run

        def asked(name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> bool | str:
            found: bool | str = can_run(name, args, kwargs)
            if isinstance(found, str):
                self.left[name] += 1
            return found

        vars(backend)["can_run"] = asked

    def _counting(self, name: str, function: Callable[..., object]) -> Callable[..., object]:
        @wraps(function)
        def counted(*args: object, **kwargs: object) -> object:
            try:
                found = function(*args, **kwargs)
            except NotImplementedError:  # NetworkX takes over
                self.left[name] += 1
                raise
            except Exception:
                self.calls[name] += 1
                raise
            self.calls[name] += 1
            return found

        return counted

    def pytest_runtest_setup(self, item: object) -> None:
        """Note how many calls there were before a test."""
        self._before = self.calls.total()

    def pytest_runtest_logreport(self, report: Any) -> None:  # of pytest, an optional library
        """Count a test that ended, by outcome, and whether anything of it ran here."""
        if report.when != "call":
            return
        self.tests[report.outcome] += 1
        if self.calls.total() > self._before:
            self.tests["through nkgraph"] += 1

    def lines(self) -> list[str]:
        """The report."""
        used = {name for name in HOMES if self.calls[name]}
        head = f"{'function':44} {'calls':>7} {'left to NetworkX':>17}"
        rows = [f"{name:44} {self.calls[name]:7} {self.left[name]:17}" for name in sorted(HOMES)]
        return [
            "",
            head,
            *rows,
            "",
            f"tests: {self.tests['passed']} passed, {self.tests['failed']} failed, "
            f"{self.tests['skipped']} skipped or expected to fail",
            f"tests with calls through nkgraph: {self.tests['through nkgraph']}",
            f"calls through nkgraph: {self.calls.total()}, "
            f"to {len(used)} of {len(HOMES)} functions",
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests and print the report."""
    parser = argparse.ArgumentParser("nkgraph.nx_backend.report", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only some files of tests")
    options = parser.parse_args(arguments)
    os.environ["NETWORKX_TEST_BACKEND"] = "nkgraph"
    os.environ["NETWORKX_FALLBACK_TO_NX"] = "True"
    pytest = require("pytest", "test")
    nx = require("networkx", "networkx")
    if "nkgraph" not in nx.utils.backends.backends:
        sys.stderr.write("NetworkX does not know the backend: install nkgraph\n")
        return 2
    folder = Path(str(nx.__file__)).parent
    from nkgraph import nx_backend

    count = Count()
    count.install(nx_backend)
    files = [str(folder / name) for name in (QUICK if options.quick else WHOLE)]
    flags = ["-q", "--no-header", "-p", "no:cacheprovider", "-c", os.devnull]
    deselect = ["-k", " and ".join(f"not {name}" for name in SLOW)] if options.quick else []
    status = pytest.main([*flags, f"--rootdir={folder}", *deselect, *files], plugins=[count])
    sys.stdout.write("\n".join(count.lines()) + "\n")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
