"""Find out what a path holds, and open it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nkgraph import recognising
from nkgraph.storage import generations
from nkgraph.storage.files import ReadHold
from nkgraph.storage.kglite.metadata import META
from nkgraph.storage.kglite.reader import Stored
from nkgraph.storage.sparrowdb import database
from nkgraph.storage.stored import StoredGraph


@dataclass
class Opened:
    """An opened directory and the hold that keeps its generation."""

    stored: StoredGraph
    hold: ReadHold | None

    def close(self) -> None:
        """Let the generation go."""
        if self.hold is not None:
            self.hold.close()


def open_path(root: Path, property_names: Iterable[str] = ()) -> Opened:
    """Open a native directory, one of kglite (behind CURRENT, segmented or flat) or of SparrowDB.

    ``property_names`` are tried for columns of SparrowDB whose names are not known.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    FormatError
        It is no graph directory, or a damaged one; says what was looked for and what there is.
    VersionError
        A format version that is not supported, or an encrypted database.
    """
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such graph directory")
    if not root.is_dir():
        raise recognising.unknown_file(root)
    if (root / generations.CURRENT).exists():
        directory, hold = generations.open_hold(root)
        try:
            return Opened(Stored(directory), hold)
        except BaseException:
            hold.close()
            raise
    if (root / META).exists():
        return Opened(Stored(root), None)
    if database.is_database(root):
        return Opened(database.Database(root, property_names), None)
    raise recognising.unknown_directory(root, database.is_node_store(root))
