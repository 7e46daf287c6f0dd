"""Tables with headers to graphs: a file for each node type and each connection type.

The header says what a table is, in the style of LSQB and of bulk loaders:

    id:ID(Person)|name|age:int                  nodes of the id space Person
    :START_ID(Person)|:END_ID(City)|since:int   edges from Person to City
    id:ID(P),name,:LABEL   :START_ID(P),:END_ID(P),:TYPE     types in a column
    id:ID(P),:TITLE                             titles of nodes

A table without such marks is a table of edges if its first two columns are named source and
target (or src dst, from to, start end, also with _id), else a table of nodes: the first column is
the id, the file name without its ending the type. The delimiter is the one of bar, comma, tab and
semicolon that the header holds most of.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from nkgraph.dtypes import I64, U32
from nkgraph.errors import FormatError, GraphError
from nkgraph.ingest_build import (
    Column,
    Forced,
    IdSpace,
    Paths,
    Progress,
    TypeNames,
    absent,
    as_ids,
    as_paths,
    as_properties,
    as_property,
    end_positions,
    joined,
    new_ids,
    run,
    stem,
    take,
)
from nkgraph.ingest_columns import (
    Dialect,
    Restart,
    Source,
    Table,
    Values,
    Want,
    first_text,
    join,
    split_line,
)

if TYPE_CHECKING:
    from nkgraph.graph import Graph

TITLE: Final = ":TITLE"
"""Column of titles; no property has this name, since a colon begins a mark."""
_MARK: Final = re.compile(
    r"(?P<name>[^:]*):(?P<mark>ID|START_ID|END_ID|LABEL|TYPE|TITLE|IGNORE)(\((?P<space>[^()]*)\))?"
)
_ENDS: Final = ({"source", "target"}, {"src", "dst"}, {"from", "to"}, {"start", "end"})
_DECLARED: Final = {
    **dict.fromkeys(("byte", "short", "int", "integer", "long"), "int"),
    **dict.fromkeys(("float", "double"), "float"),
    **dict.fromkeys(("boolean", "bool"), "bool"),
    **dict.fromkeys(("string", "char", "text", "date", "datetime", "time", "point"), "text"),
}
_ENDINGS: Final = (".csv", ".tsv")


def import_csv(directory_or_files: Paths, path: str | PathLike[str] | None = None) -> "Graph":
    r"""Import node and edge tables, each with a header line.

    Parameters
    ----------
    directory_or_files : path or sequence of paths
        A folder whose ``.csv`` and ``.tsv`` files (also ``.gz``, ``.zst``) are read in order of
        names, or the files themselves.
    path : path, optional
        Save the graph there, a new native directory, and open it. Without it: in memory.

    Returns
    -------
    Graph
        Node types are those of ``id:ID(Type)``, of a ``:LABEL`` column, or file names; titles those
        of a ``:TITLE`` column. The
        connection type of a table is its file name without the ending (``Person_knows_Person``),
        unless a ``:TYPE`` column gives one for each edge.

    Raises
    ------
    FormatError
        A line that does not fit its header or the types it declares (``age:int``), with file and
        line; compressed data that is damaged or cut short.
    GraphError
        An id given twice; an edge naming an id that is in no table of its type; a header that is
        neither of nodes nor of edges; ``path`` holds something. Nothing is written then.

    Notes
    -----
    Nodes of a type that no table lists are made as edges name them. Several labels, ``A;B``, are
    one node type of that name. Columns declared as dates, times, points or lists are kept as text.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "City.csv").write_text("id:ID(City)|name\n1|Rome\n2|Oslo\n")
    >>> _ = (folder / "road.csv").write_text(":START_ID(City)|:END_ID(City)|km:int\n1|2|2500\n")
    >>> graph = nk.import_csv(folder)
    >>> graph.node_types, graph.connection_types
    ({'City': 2}, {'road': 1})
    """
    files = _table_files(directory_or_files)

    def read(forced: Forced, progress: Progress) -> "Graph":
        return Tables([_read_header(path) for path in files], forced, progress).graph()

    return run(read, path)


def looks_typed(line: str) -> bool:
    """Say whether a first line is a header with ``:ID`` or ``:START_ID``."""
    return re.search(r":(ID|START_ID)\b", line) is not None


def is_mark(name: str) -> bool:
    """Say whether a column of this name means an id, an end, a type or a title."""
    return _MARK.fullmatch(name) is not None


def _table_files(given: Paths) -> list[Path]:
    if isinstance(given, (str, PathLike)) and Path(fspath(given)).is_dir():
        folder = Path(fspath(given))
        files = [
            path
            for path in sorted(folder.iterdir())
            if path.name.removesuffix(".gz").removesuffix(".zst").endswith(_ENDINGS)
        ]
        if not files:
            raise GraphError(f"{folder}: expected .csv or .tsv files, found none")
        return files
    return as_paths(given)


# -- headers ----------------------------------------------------------------------------------


@dataclass
class Header:
    """What the first line of a table says; places are column numbers, -1 where there is none."""

    path: Path
    dialect: Dialect
    field_count: int
    id_at: int = -1
    title_at: int = -1
    start_at: int = -1
    end_at: int = -1
    type_at: int = -1
    spaces: dict[str, str] = field(default_factory=dict)
    """Mark -> id space."""
    properties: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Name -> place and kind."""

    @property
    def is_edges(self) -> bool:
        """Whether it is a table of edges."""
        return self.start_at >= 0

    @property
    def name(self) -> str:
        """What names the type, where no column and no mark does."""
        return stem(self.path)

    def table(self, wants: Sequence[Want]) -> Source:
        """Return what gives the rows."""
        return Table(self.path, self.dialect, self.field_count, wants, header=True)


def _read_header(path: Path) -> Header:
    line = first_text(path, Dialect("\t"))
    if not line:
        raise FormatError(path, "line 1", None, "a header", "an empty file")
    delimiter = max("|,\t;", key=line.count)
    dialect = Dialect(delimiter, quotes=True)
    names = split_line(line, dialect)
    header = Header(path, dialect, len(names))
    for place, name in take_marks(header, names, repr(line)):
        _add_property(header, place, name)
    return header


def take_marks(header: Header, names: Sequence[str], line: str) -> list[tuple[int, str]]:
    """Note what the names of columns say of ids and ends; return the others, with their places."""
    path = header.path
    plain = [
        (place, name) for place, name in enumerate(names) if not _take_mark(header, place, name)
    ]
    if header.id_at < 0 and header.start_at < 0 and header.end_at < 0:
        ends = {name.lower().removesuffix("_id").removesuffix("id") for name in names[:2]}
        if ends in _ENDS:
            backwards = names[0].lower().startswith(("target", "dst", "to", "end"))
            header.start_at, header.end_at = (1, 0) if backwards else (0, 1)
        else:
            header.id_at = 0
            header.spaces["ID"] = header.name
        plain = [(at, name) for at, name in plain if at not in _places(header)]
    elif (header.start_at < 0) != (header.end_at < 0) or (header.id_at >= 0) == header.is_edges:
        expected = "one :ID column, or one :START_ID and one :END_ID"
        raise FormatError(path, "line 1", None, expected, line)
    if header.title_at >= 0 and header.is_edges:
        raise FormatError(path, "line 1", None, "edges without a :TITLE column", "one")
    return plain


def _places(header: Header) -> tuple[int, ...]:
    return header.id_at, header.start_at, header.end_at, header.type_at


def _take_mark(header: Header, place: int, name: str) -> bool:
    """Note a column with a mark; say whether it was one."""
    match = _MARK.fullmatch(name)
    if match is None:
        return False
    mark = match["mark"]
    slots = {"ID": "id_at", "START_ID": "start_at", "END_ID": "end_at", "TITLE": "title_at"}
    slot = slots.get(mark, "type_at")
    if mark == "IGNORE":
        return True
    if getattr(header, slot) >= 0:
        raise FormatError(header.path, "line 1", None, f"one :{mark} column", "two")
    setattr(header, slot, place)
    if match["space"] is not None:
        header.spaces[mark] = match["space"]
    return True


def _add_property(header: Header, place: int, name: str) -> None:
    base, _, declared = name.rpartition(":")
    kind = "any"
    if base and (declared.lower() in _DECLARED or declared.endswith("[]")):
        name, kind = base, _DECLARED.get(declared.lower(), "text")
    if not name:
        raise FormatError(header.path, "line 1", None, f"a name of column {place}", "none")
    if name in header.properties:
        raise FormatError(header.path, "line 1", None, "distinct names", f"{name!r} twice")
    header.properties[name] = (place, kind)


# -- reading ----------------------------------------------------------------------------------


@dataclass
class _Nodes:
    """What a node table gave: positions ``first..stop`` of a space."""

    space: IdSpace
    node_type: str
    first: int
    stop: int
    labels: TypeNames | None
    codes: U32
    columns: dict[str, Values]


@dataclass
class _Edges:
    """What an edge table gave."""

    start: IdSpace
    end: IdSpace
    connection_type: str
    ends: U32
    """Source, target, source, ... where both are of one space, else all sources, all targets."""
    types: TypeNames | None
    codes: U32
    columns: dict[str, Values]

    def nodes(self, numbers: dict[str, U32]) -> tuple[U32, U32]:
        """Return sources and targets as node ids."""
        if self.start is self.end:
            sources, targets = self.ends[0::2], self.ends[1::2]
        else:
            sources, targets = np.split(self.ends, 2)
        return numbers[self.start.name][sources], numbers[self.end.name][targets]


class Tables:
    """All tables of one import; nodes before edges, each in the order given."""

    def __init__(self, headers: Sequence["Header"], forced: Forced, progress: Progress) -> None:
        self._forced = forced
        self._progress = progress
        self._spaces: dict[str, IdSpace] = {}
        self._nodes = [self._read_nodes(header) for header in headers if not header.is_edges]
        for nodes in self._nodes:
            nodes.space.is_known = True
        self._edges = [self._read_edges(header) for header in headers if header.is_edges]

    def _space(self, name: str) -> IdSpace:
        return self._spaces.setdefault(name, IdSpace(name, self._forced))

    def _property_wants(self, header: Header, scope: str) -> list[Want]:
        wants = []
        for name, (place, kind) in header.properties.items():
            key = ("column", scope, name)
            wants.append(Want(name, (place,), key, "text" if key in self._forced else kind))
        return wants

    def _read_nodes(self, header: Header) -> _Nodes:
        space = self._space(header.spaces.get("ID", ""))
        node_type = header.spaces.get("ID") or header.name
        labels = TypeNames() if header.type_at >= 0 else None
        wants = [Want("id", (header.id_at,), space.key, "text" if space.is_text else "any", True)]
        if labels is not None:
            wants.append(Want(":LABEL", (header.type_at,), ("column", ":LABEL"), "text"))
        titles = Column(("column", ":TITLE"))
        if header.title_at >= 0:
            wants.append(Want(":TITLE", (header.title_at,), titles.key, "text"))
        properties = self._property_wants(header, _node_scope(node_type))
        table = header.table([*wants, *properties])
        columns = {want.name: Column(want.key) for want in properties}
        codes = []
        first = len(space)
        for rows in table.blocks():
            values = iter(rows.columns)
            ids = next(values)
            before = len(space)
            new_ids(table, rows, space.insert(ids), before, node_type, ids)
            if labels is not None:
                codes.append(labels.codes(next(values), table, rows, "label"))
            if header.title_at >= 0:
                titles.append(next(values))
            for column, part in zip(columns.values(), values, strict=True):
                column.append(part)
            self._progress.add(header.path, rows)
        done = {name: column.finish() for name, column in columns.items()}
        if header.title_at >= 0:
            done[TITLE] = titles.finish()
        return _Nodes(space, node_type, first, len(space), labels, joined(codes), done)

    def _read_edges(self, header: Header) -> _Edges:
        name = header.name
        start, end = (self._space(end) for end in self._end_spaces(header, name))
        wants = [
            Want("start", (header.start_at,), start.key, start.kind, is_id=True),
            Want("end", (header.end_at,), end.key, end.kind, is_id=True),
        ]
        if start is end:
            both = (header.start_at, header.end_at)
            wants = [Want("start or end", both, start.key, start.kind, is_id=True)]
        end_count = len(wants)
        types = TypeNames() if header.type_at >= 0 else None
        if types is not None:
            wants.append(Want(":TYPE", (header.type_at,), ("column", ":TYPE"), "text"))
        properties = self._property_wants(header, f"edge {name}")
        table = header.table([*wants, *properties])
        columns = {want.name: Column(want.key) for want in properties}
        ends: list[list[U32]] = [[] for _ in range(end_count)]
        codes = []
        for rows in table.blocks():
            values = iter(rows.columns)
            for part, space in zip(ends, (start, end), strict=False):
                part.append(end_positions(table, rows, next(values), space, end_count))
            if types is not None:
                codes.append(types.codes(next(values), table, rows, "connection type"))
            for column, piece in zip(columns.values(), values, strict=True):
                column.append(piece)
            self._progress.add(header.path, rows)
        done = {key: column.finish() for key, column in columns.items()}
        places = joined(piece for part in ends for piece in part)
        return _Edges(start, end, name, places, types, joined(codes), done)

    def _end_spaces(self, header: Header, name: str) -> tuple[str, str]:
        """Return the id spaces of both ends: as marked, as the file is named, or the only one."""
        marked = "START_ID" in header.spaces or "END_ID" in header.spaces
        if marked or "" in self._spaces:
            return header.spaces.get("START_ID", ""), header.spaces.get("END_ID", "")
        words = name.split("_")
        if words[0] in self._spaces and words[-1] in self._spaces:
            return words[0], words[-1]
        only = next(iter(self._spaces)) if len(self._spaces) == 1 else "Node"
        return only, only

    # -- the graph ----------------------------------------------------------------------------

    def graph(self) -> "Graph":
        """Return the graph of all that was read."""
        from nkgraph.edges import Ends
        from nkgraph.graph import Graph

        graph = Graph()
        numbers = {name: np.zeros(len(space), np.uint32) for name, space in self._spaces.items()}
        for (node_type, name), pieces in self._groups().items():
            space = self._spaces[name]
            positions = np.concatenate([piece.positions for piece in pieces])
            ids = as_ids(take(space.ids(), positions))
            values = _union(pieces)
            titles = values.pop(TITLE, absent(0))
            held = None if titles.kind == "none" else as_property(titles)
            properties = as_properties(values)
            numbers[name][positions] = graph.add_nodes(node_type, ids, properties, held)
        for edges in self._edges:
            if edges.ends.size == 0:
                continue
            ends = Ends(*edges.nodes(numbers))
            properties = as_properties(edges.columns)
            if edges.types is None:
                graph._append_edges([edges.connection_type], None, ends, properties)
            else:
                names = edges.types.names()
                graph._append_edges(names, edges.codes, ends, properties)
        return graph

    def _groups(self) -> dict[tuple[str, str], list["_Piece"]]:
        """Return the rows of each (node type, id space), types in order of first appearance."""
        groups: dict[tuple[str, str], list[_Piece]] = {}
        for nodes in self._nodes:
            positions = np.arange(nodes.first, nodes.stop)
            scope = _node_scope(nodes.node_type)
            if nodes.labels is None:
                groups.setdefault((nodes.node_type, nodes.space.name), []).append(
                    _Piece(positions, nodes.columns, scope)
                )
                continue
            for code, label in enumerate(nodes.labels.names()):
                rows = np.flatnonzero(nodes.codes == code)
                columns = {name: take(values, rows) for name, values in nodes.columns.items()}
                groups.setdefault((label, nodes.space.name), []).append(
                    _Piece(positions[rows], columns, scope)
                )
        for name, space in self._spaces.items():
            if not space.is_known and len(space):
                groups[name or "Node", name] = [_Piece(np.arange(len(space)), {}, "")]
        return {
            key: pieces for key, pieces in groups.items() if any(p.positions.size for p in pieces)
        }


def _node_scope(node_type: str) -> str:
    return f"node {node_type}"


@dataclass
class _Piece:
    """Some nodes of a type: positions in their space, and properties in the same order."""

    positions: I64
    columns: dict[str, Values]
    scope: str
    """What ``Restart`` names the properties of the table by."""


def _union(pieces: list[_Piece]) -> dict[str, Values]:
    """Join the properties of pieces; where a piece lacks one, it is absent."""
    names = dict.fromkeys(name for piece in pieces for name in piece.columns)
    union = {}
    for name in names:
        parts = [piece.columns.get(name) or absent(piece.positions.size) for piece in pieces]
        try:
            union[name] = join(parts, ())
        except Restart:
            raise Restart({("column", piece.scope, name) for piece in pieces}) from None
    return union
