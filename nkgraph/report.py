"""What a check of a directory found."""

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from nkgraph.errors import FormatError


@dataclass(frozen=True)
class Finding:
    """One rule that does not hold: where, and what is wrong."""

    file: str
    field: str
    offset: int | None
    problem: str

    def __str__(self) -> str:
        at = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.file}: {self.field}{at}: {self.problem}"


@dataclass(frozen=True)
class Report:
    """What ``Graph.verify`` found; ``ok`` if nothing."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every rule holds."""
        return not self.findings

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "every rule holds"


Check = Callable[[], Iterator[Finding]]


def guarded(check: Check) -> Iterator[Finding]:
    """Run a check; what cannot even be read is a finding too."""
    try:
        with warnings.catch_warnings():
            # Differing counts are a finding of their own.
            warnings.filterwarnings("ignore", "(?s).*the arrays are believed", RuntimeWarning)
            yield from check()
    except FormatError as error:
        problem = f"expected {error.expected}, found {error.found}"
        yield Finding(error.path, error.field, error.offset, problem)


def warn(message: str) -> None:
    """Warn as if from the first caller outside of this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).split(".")[0] == "nkgraph":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, RuntimeWarning, stacklevel=level)
