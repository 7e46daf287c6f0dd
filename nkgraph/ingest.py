"""Text files to graphs: edge lists, triples, Graphalytics; tables with headers: ``ingest_tables``.

Files are plain, gzip or zstd, whatever their names. They are read in blocks, so memory holds the
graph and a few blocks. Nodes are numbered in order of first appearance, the source of a line
before its target; edges in order of lines.

**Ids.** The ids of a node type are 64-bit integers if every one of them is written as a plain
integer: no plus sign, no leading zero, no fraction, in range. Otherwise all of them are texts,
exactly as written, so that 007 stays 007 and nothing is wrapped. An empty id is refused, and so is
a NaN or infinity word, except in triples.

**Properties** are integers, floats, booleans (true, false) or text, by all that the column holds;
an empty field is absent. A number that would lose digits, or a leading zero, makes its column
text. Weights, and columns that a header declares, are read as declared or refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from nkgraph.dtypes import U32
from nkgraph.errors import GraphError
from nkgraph.ingest_build import (
    Column,
    Forced,
    IdSpace,
    Paths,
    PathsOrFrame,
    Progress,
    TypeNames,
    as_ids,
    as_paths,
    as_properties,
    end_positions,
    joined,
    new_ids,
    run,
)
from nkgraph.ingest_columns import Dialect, Table, Want, first_text, split_line
from nkgraph.ingest_frames import EdgeColumns
from nkgraph.ingest_frames import read_edges as read_frame
from nkgraph.ingest_tables import import_csv, looks_typed
from nkgraph.interop import frames

if TYPE_CHECKING:
    from nkgraph.graph import Graph

__all__ = ["guess_format", "import_csv", "import_edges", "import_graphalytics", "import_triples"]

_Name = int | str


@dataclass(frozen=True)
class _EdgeList:
    """What the user said about the columns of an edge list."""

    delimiter: str | None
    header: bool
    source: _Name
    target: _Name
    type: _Name | None
    weight: _Name | None
    properties: Mapping[str, _Name] | Sequence[_Name]


def import_edges(
    files: PathsOrFrame,
    path: str | PathLike[str] | None = None,
    *,
    delimiter: str | None = None,
    header: bool = False,
    source: int | str = 0,
    target: int | str = 1,
    type: int | str | None = None,  # noqa: A002 - a public name
    weight: int | str | None = None,
    properties: Mapping[str, int | str] | Sequence[int | str] | None = None,
    node_type: str = "Node",
    connection_type: str = "EDGE",
) -> "Graph":
    r"""Import edge lists: a line, or a row of a frame, an edge.

    Parameters
    ----------
    files : path or sequence of paths, or frame
        Text, gzip or zstd. Blank lines, and lines that begin with # or %, are skipped. A frame
        is one of pandas, polars, Arrow, anything else with ``__arrow_c_stream__``, or a mapping
        of names to arrays; its columns have names and types, so ``delimiter`` and ``header`` do
        not go with it, and a text that spells an integer stays a text.
    path : path, optional
        Save the graph there, a new native directory, and open it. Without it: in memory.
    delimiter : str, optional
        One ASCII character. By default the first data line of each file tells: tab, comma,
        semicolon or bar if it has one, else runs of blanks. Fields may be quoted unless tabs or
        blanks separate them.
    header : bool
        The first data line of each file names the columns, and columns may be given by name.
    source, target : int or str
        Columns of the ends, by position from 0 or by name.
    type : int or str, optional
        Column of connection types; without it each edge is a ``connection_type``.
    weight : int or str, optional
        Column of numbers kept as edge property "weight".
    properties : sequence of columns, or mapping of property name to column, optional
        Further columns to keep. Without a header or a mapping, column 3 is named "column_3".
    node_type, connection_type : str

    Returns
    -------
    Graph

    Raises
    ------
    FormatError
        A line that does not fit (another number of fields, an id or weight that is none, not
        UTF-8), with file and line; compressed data that is damaged or cut short.
    GraphError
        A column that is not there; ``path`` holds something. Nothing is written then.

    Notes
    -----
    O(bytes), on all threads. Memory: the graph, about 16 bytes an edge more, the table of ids,
    and a few blocks of 16 MiB.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "edges.tsv").write_text("# from to\n70\t7\n7\t9\n")
    >>> graph = nk.import_edges(folder / "edges.tsv")
    >>> graph.node_count, graph.edge_count
    (3, 2)

    >>> import pandas as pd
    >>> roads = pd.DataFrame({"from": ["Bern", "Chur"], "to": ["Chur", "Visp"], "km": [241.0, 85]})
    >>> graph = nk.import_edges(roads, source="from", target="to", weight="km")
    >>> graph.ids(graph.nodes())
    array(['Bern', 'Chur', 'Visp'], dtype=StringDType())
    """
    if isinstance(properties, str):
        raise GraphError(f"properties: expected a sequence or a mapping, found {properties!r}")
    if isinstance(files, Mapping) or frames.is_frame(files):
        if delimiter is not None or header:
            raise GraphError("delimiter and header are for files: a frame has named columns")
        columns = EdgeColumns(source, target, type, weight, properties or ())
        return run(lambda *_: read_frame(files, columns, node_type, connection_type), path)
    paths = as_paths(files)
    _check_delimiter(delimiter)
    form = _EdgeList(delimiter, header, source, target, type, weight, properties or ())

    def read(forced: Forced, progress: Progress) -> "Graph":
        space = IdSpace(node_type, forced)
        edges = _Edges(space, connection_type if type is None else None)
        for file in paths:
            table = _edge_table(file, form, space, edges, forced)
            if table is not None:
                edges.read(table, progress)
        return edges.graph()

    return run(read, path)


def import_triples(
    files: PathsOrFrame, path: str | PathLike[str] | None = None, node_type: str = "Entity"
) -> "Graph":
    r"""Import triples, ``head TAB relation TAB tail`` a line; ids are texts, exactly as written.

    Parameters
    ----------
    files : path or sequence of paths, or frame
        Text, gzip or zstd; no comments, no quotes, blank lines are skipped. Or a frame, as in
        ``import_edges``, whose first three columns are texts.
    path : path, optional
        Save the graph there, a new native directory, and open it.
    node_type : str
        Node type of heads and tails. The relation is the connection type.

    Raises
    ------
    FormatError, GraphError
        As ``import_edges``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "facts.tsv").write_text("cat\teats\tfish\ndog\tchases\tcat\n")
    >>> nk.import_triples(folder / "facts.tsv").connection_types
    {'chases': 1, 'eats': 1}
    """
    if isinstance(files, Mapping) or frames.is_frame(files):
        columns = EdgeColumns(0, 2, 1, None, (), text_ids=True)
        return run(lambda *_: read_frame(files, columns, node_type, ""), path)
    paths = as_paths(files)

    def read(forced: Forced, progress: Progress) -> "Graph":
        space = IdSpace(node_type, forced | {("ids", node_type)})
        edges = _Edges(space, None)
        wants = [
            Want("head or tail", (0, 2), space.key, "text", is_id=True, nan_words=True),
            Want("relation", (1,), ("column", "relation"), "text"),
        ]
        for file in paths:
            edges.read(Table(file, Dialect("\t"), 3, wants), progress)
        return edges.graph()

    return run(read, path)


def import_graphalytics(
    prefix: str | PathLike[str], path: str | PathLike[str] | None = None
) -> "Graph":
    """Import an LDBC Graphalytics graph: ``PREFIX.v``, ``PREFIX.e`` and, if there, ``.properties``.

    Parameters
    ----------
    prefix : path
        Without ``.v`` and ``.e``; either may end in ``.gz`` or ``.zst`` besides.
    path : path, optional
        Save the graph there, a new native directory, and open it.

    Returns
    -------
    Graph
        Node type "Node" in the order of ``.v``, connection type "EDGE", property "weight" if the
        edges have a third column. An edge of an undirected graph is stored once, as listed.

    Raises
    ------
    FormatError, GraphError
        As ``import_edges``; a node listed twice; an edge that names an unknown node; counts other
        than those of the properties file.
    """
    vertex_file, edge_file = (_graphalytics_file(prefix, ending) for ending in (".v", ".e"))
    stated = _graphalytics_counts(Path(f"{fspath(prefix)}.properties"))

    def read(forced: Forced, progress: Progress) -> "Graph":
        space = IdSpace("Node", forced)
        blanks = Dialect(None, comments=True)
        want = Want("id", (0,), space.key, space.kind, is_id=True)
        read_new_ids(Table(vertex_file, blanks, 1, [want]), space, progress)
        edges = _Edges(space, "EDGE")
        first = _first(edge_file, blanks)
        if first is not None:
            count = 3 if len(first) == 3 else 2
            wants = [Want("source or target", (0, 1), space.key, space.kind, is_id=True)]
            if count == 3:
                key = ("column", "weight")
                wants.append(Want("weight", (2,), key, _weight_kind(key, forced)))
                edges.columns["weight"] = Column(wants[-1].key)
            edges.read(Table(edge_file, blanks, count, wants), progress)
        graph = edges.graph()
        counts = {"vertices": graph.node_count, "edges": graph.edge_count}
        for what, count in stated.items():
            if counts[what] != count:
                raise GraphError(f"{fspath(prefix)}: expected {count} {what}, found {counts[what]}")
        return graph

    return run(read, path)


def guess_format(files: Paths) -> str:
    """Say what files are, by their names and first lines: csv, graphalytics, triples or edges.

    A folder and files with a typed header are "csv"; ``PREFIX`` of ``PREFIX.v`` and ``PREFIX.e`` is
    "graphalytics"; three columns of which the first is no integer, between tabs, are "triples".
    """
    given = [files] if isinstance(files, (str, PathLike)) else list(files)
    if len(given) == 1:
        only = Path(fspath(given[0]))
        if only.is_dir():
            return "csv"
        if any(Path(f"{fspath(only)}.v{packed}").exists() for packed in ("", ".gz", ".zst")):
            return "graphalytics"
    first = as_paths(files)[0]
    line = first_text(first, Dialect("\t", comments=True))
    if looks_typed(line):
        return "csv"
    fields = line.split("\t")
    if len(fields) == 3 and not fields[0].lstrip("-").isdecimal():
        return "triples"
    return "edges"


# -- edges of one id space --------------------------------------------------------------------


class _Edges:
    """Edges among the nodes of one space, as they are read."""

    def __init__(self, space: IdSpace, connection_type: str | None) -> None:
        self.space = space
        self.connection_type = connection_type
        self.types = TypeNames()
        self.columns: dict[str, Column] = {}
        self._ends: list[U32] = []
        self._codes: list[U32] = []

    def read(self, table: Table, progress: Progress) -> None:
        """Read a table: ends first, then the connection type if there is one, then properties."""
        for rows in table.blocks():
            values = iter(rows.columns)
            self._ends.append(end_positions(table, rows, next(values), self.space))
            if self.connection_type is None:
                codes = self.types.codes(next(values), table, rows, "connection type")
                self._codes.append(codes)
            for column, part in zip(self.columns.values(), values, strict=True):
                column.append(part)
            progress.add(table.path, rows)

    def graph(self) -> "Graph":
        """Return the graph of all that was read."""
        from nkgraph.edges import PairedEnds
        from nkgraph.graph import Graph

        graph = Graph()
        if len(self.space):  # into an empty graph: node ids are positions
            graph._add_nodes_unchecked(self.space.name, as_ids(self.space.ids()))
        ends = PairedEnds(self._ends)
        self._ends.clear()
        properties = as_properties({name: column.finish() for name, column in self.columns.items()})
        if self.connection_type is None:
            codes = joined(self._codes)
            graph._append_edges(self.types.names(), codes, ends, properties)
        else:
            graph._append_edges([self.connection_type], None, ends, properties)
        return graph


def read_new_ids(table: Table, space: IdSpace, progress: Progress) -> None:
    """Read a table of nodes whose only column is the id; each must be new."""
    for rows in table.blocks():
        before = len(space)
        new_ids(table, rows, space.insert(rows.columns[0]), before, space.name, rows.columns[0])
        progress.add(table.path, rows)
    space.is_known = True


# -- the form of an edge list -----------------------------------------------------------------


def _edge_table(
    file: Path, form: _EdgeList, space: IdSpace, edges: _Edges, forced: Forced
) -> Table | None:
    """Find delimiter and columns by the first line; None for a file without data."""
    line = first_text(file, Dialect(form.delimiter, comments=True))
    if not line:
        return None
    delimiter = form.delimiter or _sniff(line)
    quotes = delimiter is not None and delimiter not in "\t "
    dialect = Dialect(delimiter, comments=True, quotes=quotes, trim=True)
    names = split_line(line, dialect)
    header = names if form.header else None

    def column(name: _Name) -> int:
        return _column(file, name, header, len(names))

    ends = (column(form.source), column(form.target))
    if ends[0] == ends[1]:
        raise GraphError(f"{file}: source and target are the same column, {form.source!r}")
    wants = [Want("source or target", ends, space.key, space.kind, is_id=True)]
    if form.type is not None:
        wants.append(Want("type", (column(form.type),), ("column", "type"), "text"))
    named = dict.fromkeys(["weight"], form.weight) if form.weight is not None else {}
    for name, place in _property_names(form, header):
        if name in named:
            raise GraphError(f"property {name!r} is named twice")
        named[name] = place
    for name, place in named.items():
        key = ("column", "edge", name)
        kind = "text" if key in forced else "any"
        if name == "weight" and form.weight is not None:
            kind = _weight_kind(key, forced)
        wants.append(Want(name, (column(place),), key, kind))
        edges.columns.setdefault(name, Column(key))
    used = [number for want in wants for number in want.fields]
    if len(set(used)) != len(used):
        raise GraphError(f"{file}: a column is asked for twice: {used}")
    return Table(file, dialect, len(names), wants, header=form.header)


def _weight_kind(key: tuple[str, ...], forced: Forced) -> str:
    """Read weights as numbers; as floats once some are, which refuses integers that they lose."""
    return "float" if key in forced else "number"


def _property_names(form: _EdgeList, header: list[str] | None) -> list[tuple[str, _Name]]:
    if isinstance(form.properties, Mapping):
        return list(form.properties.items())
    pairs: list[tuple[str, _Name]] = []
    for place in form.properties:
        if isinstance(place, str):
            pairs.append((place, place))
        elif header is not None and 0 <= place < len(header):
            pairs.append((header[place], place))
        else:
            pairs.append((f"column_{place}", place))
    return pairs


def _column(file: Path, name: _Name, header: list[str] | None, count: int) -> int:
    if isinstance(name, str):
        if header is None:
            raise GraphError(f"column {name!r}: columns have names only with header=True")
        if header.count(name) != 1:
            often = "no" if name not in header else "more than one"
            raise GraphError(f"{file}: {often} column {name!r} in {header}")
        return header.index(name)
    if not 0 <= name < count:
        raise GraphError(f"{file}: column {name} of {count} columns")
    return int(name)


def _check_delimiter(delimiter: str | None) -> None:
    if delimiter is None:
        return
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '\n\r"':
        raise GraphError(f"delimiter: expected one ASCII character, found {delimiter!r}")


def _sniff(line: str) -> str | None:
    """Find the delimiter of a line; None for blanks, also where tabs are nothing else."""
    if "\t" in line:
        pieces = [piece.strip() for piece in line.strip().split("\t")]
        return None if pieces == line.split() else "\t"
    return next((mark for mark in ",;|" if mark in line), None)


def _first(file: Path, dialect: Dialect) -> list[str] | None:
    line = first_text(file, dialect)
    return split_line(line, dialect) if line else None


# -- Graphalytics -----------------------------------------------------------------------------


def _graphalytics_file(prefix: str | PathLike[str], ending: str) -> Path:
    for packed in ("", ".gz", ".zst"):
        path = Path(f"{fspath(prefix)}{ending}{packed}")
        if path.exists():
            return path
    raise FileNotFoundError(f"{fspath(prefix)}{ending}: no such file, nor .gz or .zst of it")


def _graphalytics_counts(path: Path) -> dict[str, int]:
    """Read the node and edge counts that a properties file states, as far as it does."""
    counts: dict[str, int] = {}
    if not path.exists():
        return counts
    for line in path.read_text("utf-8", errors="replace").splitlines():
        key, _, value = line.partition("=")
        for what in ("vertices", "edges"):
            if key.strip().endswith(f".meta.{what}") and value.strip().isdecimal():
                counts[what] = int(value)
    return counts
