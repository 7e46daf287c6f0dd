"""Shared fixtures: where the data lies, and a Hypothesis profile for code that compiles."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A first call compiles kernels, so no deadline; derandomised, so that a run can be repeated.
settings.register_profile(
    "nkgraph",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("nkgraph")


def pytest_xdist_auto_num_workers(config):
    """All cores for the whole suite; for files that were named, this process alone."""
    whole = [Path(argument).resolve() for argument in config.args] == [Path(__file__).parent]
    return (os.cpu_count() or 1) if whole else 0


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of bundled test data."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def lsqb(data: Path) -> Path:
    """The folder of the LSQB tables; bundled with the package, where the demo finds them too."""
    bundled = Path(__file__).parent.parent / "nkgraph" / "data" / "lsqb"
    return bundled if (bundled / "City.csv").exists() else data / "lsqb-sf0.003"
