"""The front door to graphs on disk: ``nkgraph.create`` and ``nkgraph.open``."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from nkgraph import saving
from nkgraph.errors import GraphError
from nkgraph.graph import Graph
from nkgraph.opening import open_path
from nkgraph.storage import generations
from nkgraph.storage.files import WriterLock


def create(path: str | PathLike[str]) -> Graph:
    """Make a new native directory and open it for writing.

    Parameters
    ----------
    path : path
        Must not exist, or be an empty directory.

    Returns
    -------
    Graph
        Empty, mode ``"r+"``. ``save()`` publishes what was added to it.

    Raises
    ------
    GraphError
        The path holds something.

    Examples
    --------
    >>> import nkgraph as nk, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with nk.create(folder + "/towns") as g:
    ...         _ = g.add_nodes("Town", ["Bern", "Chur"])
    ...         g.save()
    ...     with nk.open(folder + "/towns") as g:
    ...         print(g.node_count, g.find("Town", ["Chur"]))
    2 [1]
    """
    root = Path(path)
    saving.save_new(Graph(), root, None)
    return open_graph(root, "r+")


def open_graph(
    path: str | PathLike[str],
    mode: str = "r",
    cache: str | PathLike[str] | None = None,
    property_names: Iterable[str] = (),
) -> Graph:
    """Open a graph directory or a dump: ``nkgraph.open``.

    Parameters
    ----------
    path : path
        A native directory, one of kglite (flat, segmented, or behind ``CURRENT``), a
        SparrowDB database, or a RedDB dump (a file).
    mode : {"r", "r+"}
        ``"r"`` reads, and writes nothing at all. ``"r+"`` is for native directories: additions
        are kept in memory until ``save``, and other writers are locked out.

    cache : path, optional
        Folder for the rows of a graph of several segments, which ``csr`` and what needs all rows
        stitch together: they are then mapped files, kept for the next opening, instead of
        arrays on the heap. Without it only rows that would take more than half of the memory go
        to files, in ``NKGRAPH_CACHE_DIR`` or the system's folder for temporary files.
    property_names : iterable of str, optional
        Of a SparrowDB database: names to try for columns whose names its log no longer holds;
        without a name such a column is ``col_{number}``.

    Returns
    -------
    Graph

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    FormatError, VersionError
        It is no graph, is damaged, of a version that is not supported, or encrypted. Says what was
        looked for, what there is, and what reads that.
    GraphError
        ``"r+"`` for a directory that is not native.
    LockedError
        ``"r+"`` while another writer has it.

    Notes
    -----
    Reads the small files and maps the large ones: O(headers), whatever the size. Arrays are
    checked when they are first used. A dump has no arrays to map: it is read whole, checked, and
    becomes a graph in memory (``Store.to_graph``).
    """
    if mode not in ("r", "r+"):
        raise GraphError(f'mode is {mode!r}, not "r" or "r+"')
    root = Path(path)
    if root.is_file():
        from nkgraph.storage import reddb  # directories need none of it

        if reddb.is_dump(root):
            return _open_dump(root, mode)
    lock = None
    if mode == "r+":
        if not (root / generations.CURRENT).exists():
            open_path(root).close()  # words what is there, if it is no graph
            raise GraphError(f'{root} is no native directory: open it "r" and save it elsewhere')
        lock = WriterLock(root)
    try:
        opened = open_path(root, property_names)
        if mode == "r+" and opened.stored.native is None:
            opened.close()
            raise GraphError(
                f'{root} is of {opened.stored.format}: open it "r" and save it elsewhere'
            )
    except BaseException:
        if lock is not None:
            lock.close()
        raise
    graph = Graph()
    graph._cache = None if cache is None else Path(cache)
    graph._attach(opened)
    graph._root, graph._mode, graph._lock = root, mode, lock
    return graph


def _open_dump(path: Path, mode: str) -> Graph:
    from nkgraph.storage import reddb

    if mode == "r+":
        raise GraphError(f'{path} is a RedDB dump: open it "r" and save it elsewhere')
    graph: Graph = reddb.load(path).to_graph()
    graph._root, graph._mode, graph._form = path, "r", "reddb"
    return graph
