"""Graphs from one format to another, with what the other cannot hold said or refused."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from nkgraph import recognising
from nkgraph.errors import GraphError
from nkgraph.exporting import Contents, Losses
from nkgraph.storage import files

if TYPE_CHECKING:
    from nkgraph.graph import Graph

AnyPath: TypeAlias = "str | PathLike[str]"
Write: TypeAlias = Callable[[Contents, Path, Losses], None]

TARGETS: Final = (
    "native", "kglite", "reddb", "sparrowdb", "parquet", "csv", "graphalytics",
    "matrix-market", "ntriples", "graphml",
)  # fmt: skip
"""What can be written."""
SOURCES: Final = (*TARGETS, "edges", "triples")
"""What can be read."""
_ENDINGS: Final = {
    ".rdst": "reddb", ".parquet": "parquet", ".csv": "csv", ".v": "graphalytics",
    ".e": "graphalytics", ".mtx": "matrix-market", ".nt": "ntriples", ".graphml": "graphml",
    ".kglite": "kglite", ".sparrowdb": "sparrowdb", ".tsv": "edges",
}  # fmt: skip
_STORES: Final = ("native", "kglite", "sparrowdb", "reddb")
_PACKED: Final = ("matrix-market", "ntriples", "graphml")
"""Formats of one text file, which may be packed."""


@dataclass(frozen=True)
class Conversion:
    """What ``convert`` did.

    Attributes
    ----------
    source_format, target_format : str
    path : Path
    nodes, edges : int
        Of the source.
    losses : tuple of str
        What the target does not hold.
    """

    source_format: str
    target_format: str
    path: Path
    nodes: int
    edges: int
    losses: tuple[str, ...]


def convert(
    source: AnyPath,
    target: AnyPath,
    to: str | None = None,
    *,
    source_format: str | None = None,
    lossy: bool = False,
) -> Conversion:
    r"""Write a graph in another format.

    Parameters
    ----------
    source : path
        Anything that ``nkgraph.open`` reads, or a file or folder that an ``import_`` function
        does; known by its content. For Graphalytics the prefix of its files.
    target : path
        Must not exist.
    to : str, optional
        "native", "kglite" (its flat layout), "reddb" (a dump), "sparrowdb" (a database of nodes),
        "parquet" or "csv" (folders), "graphalytics" (prefix of files), "matrix-market", "ntriples"
        or "graphml". Without it the ending says: ``.rdst .parquet .csv .v .e .mtx .nt .graphml
        .kglite .sparrowdb``; a name without an ending is a native directory.
    source_format : str, optional
        What the source is, where its content does not tell: also "edges" and "triples".
    lossy : bool
        Leave out what the target cannot hold, and list it in ``Conversion.losses``. Without it
        that is refused.

    Returns
    -------
    Conversion

    Raises
    ------
    GraphError
        The target exists or cannot hold all of the graph; formats that are none.
    FormatError
        The source is no graph that is known, or damaged.

    Notes
    -----
    Written under a temporary name beside the target, and renamed when it is whole. Nodes and edges
    may be numbered otherwise afterwards: ids tell nodes, edges come in the order of their types.
    Text indexes are made anew where they are wanted, except from native to native. What a source
    holds and no graph does is warned of, as by ``nkgraph.open``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "roads.tsv").write_text("1\t2\n2\t3\n")
    >>> done = nk.convert(folder / "roads.tsv", folder / "roads.graphml")
    >>> done.source_format, done.target_format, done.edges, done.losses
    ('edges', 'graphml', 2, ())
    >>> nk.import_graphml(folder / "roads.graphml").ids([0, 1, 2])
    array([1, 2, 3])
    """
    start, end = Path(fspath(source)), Path(fspath(target))
    form = target_format(end, to)
    end = _stem(end, form)
    for path in _written(end, form):
        if path.exists() or path.is_symlink():
            raise GraphError(f"{path} exists: give a new name")
    if not end.parent.is_dir():
        raise FileNotFoundError(f"{end.parent}: no such folder")
    own_format, graph = read(start, source_format)
    with graph:
        losses = Losses(form)
        _write(Contents(graph), end, form, losses, lossy)
        counts = graph.node_count, graph.edge_count
    return Conversion(own_format, form, end, *counts, tuple(losses.found))


def target_format(path: Path, to: str | None) -> str:
    """Return the format to write: as said, or as the name says."""
    if to is not None:
        if to not in TARGETS:
            raise GraphError(f"to is {to!r}, not one of {', '.join(TARGETS)}")
        return to
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    ending = Path(name).suffix.lower()
    if not ending:
        return "native"
    found = _ENDINGS.get(ending)
    if found not in TARGETS:
        known = ", ".join(TARGETS)
        raise GraphError(f"{path}: the ending says no format: give one of {known}")
    if name != path.name and found not in _PACKED:
        raise GraphError(f"{path}: {found} is not written packed")
    return found


def read(path: Path, form: str | None = None) -> "tuple[str, Graph]":
    """Open or import what a path holds; return its format too."""
    if form is not None and form not in SOURCES:
        raise GraphError(f"source_format is {form!r}, not one of {', '.join(SOURCES)}")
    found = form or recognising.recognise(path)
    if found is None:
        if path.exists():
            raise recognising.unknown_source(path, SOURCES)
        raise FileNotFoundError(f"{path}: no such file or folder")
    if found in _STORES:
        from nkgraph.front import open_graph

        return found, open_graph(path)
    import nkgraph

    prefix = _stem(path, found)
    graph: Graph = getattr(nkgraph, recognising.READERS[found])(prefix)
    return found, graph


# -- writing ----------------------------------------------------------------------------------


def _stem(path: Path, form: str) -> Path:
    """Return the prefix of Graphalytics files for one of them; any other path as it is."""
    if form != "graphalytics":
        return path
    return path.with_name(re.sub(r"\.[ve](\.gz|\.zst)?$", "", path.name) or path.name)


def _written(path: Path, form: str) -> list[Path]:
    if form != "graphalytics":
        return [path]
    return [path.with_name(f"{path.name}{ending}") for ending in (".e", ".properties", ".v")]


def _write(contents: Contents, path: Path, form: str, losses: Losses, lossy: bool) -> None:
    """Write beside, look at what is lost, then publish."""
    suffix = "".join(re.findall(r"\.(?:gz|zst)$", path.name))
    beside = files.beside_name(path)
    beside = beside.with_name(beside.name + suffix)
    _remove(beside)
    try:
        if form == "graphalytics":
            from nkgraph.exporting_text import write_graphalytics

            write_graphalytics(contents, beside, losses, path.name)
        else:
            _writer(form)(contents, beside, losses)
        if losses.found and not lossy:
            listed = "; ".join(losses.found[:20])
            more = len(losses.found) - 20
            rest = f"; and {more} more" if more > 0 else ""
            raise GraphError(
                f"{form} cannot hold all of the graph: {listed}{rest}; "
                "lossy=True (--lossy) leaves these out"
            )
        if form == "graphalytics":
            for place in _written(path, form):  # the nodes last: they make it a graph
                (beside / place.name).rename(place)
            beside.rmdir()
        else:
            beside.rename(path)
        files.fsync_directory(path.parent)
    except BaseException:
        _remove(beside)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _writer(form: str) -> Write:
    """Return what writes a format; each is loaded when it is asked for."""
    from importlib import import_module

    module, name = {
        "native": ("stores", "write_native"),
        "kglite": ("stores", "write_flat"),
        "reddb": ("stores", "write_dump"),
        "sparrowdb": ("stores", "write_sparrow"),
        "parquet": ("parquet", "write_parquet"),
        "csv": ("text", "write_csv"),
        "matrix-market": ("text", "write_matrix_market"),
        "ntriples": ("rdf", "write_ntriples"),
        "graphml": ("graphml", "write_graphml"),
    }[form]
    found: Write = getattr(import_module(f"nkgraph.exporting_{module}"), name)
    return found
