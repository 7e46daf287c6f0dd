"""Find out what a path holds, and open it."""

from dataclasses import dataclass
from pathlib import Path

from nkgraph.errors import FormatError
from nkgraph.storage import generations
from nkgraph.storage.files import ReadHold
from nkgraph.storage.kglite.metadata import META
from nkgraph.storage.kglite.reader import Stored


@dataclass
class Opened:
    """An opened directory and the hold that keeps its generation."""

    stored: Stored
    hold: ReadHold | None

    def close(self) -> None:
        """Let the generation go."""
        if self.hold is not None:
            self.hold.close()


def open_path(root: Path) -> Opened:
    """Open a native directory or a kglite one: behind CURRENT, segmented or flat.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    FormatError
        It is no graph directory, or a damaged one.
    VersionError
        A format version that is not supported.
    """
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such graph directory")
    if not root.is_dir():
        raise FormatError(root, "path", None, "a graph directory", "a file")
    if (root / generations.CURRENT).exists():
        directory, hold = generations.open_hold(root)
        try:
            return Opened(Stored(directory), hold)
        except BaseException:
            hold.close()
            raise
    if not (root / META).exists():
        found = sorted(child.name for child in root.iterdir())[:5]
        raise FormatError(
            root, "format", None,
            f"{generations.CURRENT} (native, kglite 0.13) or {META} (kglite)",
            ", ".join(found) or "an empty directory",
        )  # fmt: skip
    return Opened(Stored(root), None)
