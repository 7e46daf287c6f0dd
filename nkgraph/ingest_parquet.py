"""Parquet tables to graphs: a file for each node type and each connection type, as in ``csv``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as data_field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from nkgraph.errors import FormatError, GraphError
from nkgraph.ingest_build import Forced, Paths, Progress, as_paths, run, stem
from nkgraph.ingest_columns import Dialect, Rows, Source, Texts, Values, Want
from nkgraph.ingest_tables import Header, Tables, take_marks
from nkgraph.interop.parquet import ParquetFile, open_parquet
from nkgraph.printing import printed
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn, is_absent

if TYPE_CHECKING:
    from nkgraph.graph import Graph

TYPE_NOTE: Final = "nkgraph.type"
"""Key of the file's metadata that names the type; without it the file name does."""
ENDING: Final = ".parquet"
NODES, EDGES = "node_", "edge_"


def import_parquet(
    directory_or_files: Paths,
    path: str | PathLike[str] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
) -> "Graph":
    """Import node and edge tables of Parquet; needs pyarrow.

    Parameters
    ----------
    directory_or_files : path or sequence of paths
        A folder whose ``.parquet`` files are read in order of names, or the files themselves.
    path : path, optional
        Save the graph there, a new native directory, and open it. Without it: in memory.
    columns : mapping of str to str, optional
        What columns are to be called, by the name they have: ``{"user": "id:ID(User)"}``. For
        files whose names of columns say nothing of ids and ends.

    Returns
    -------
    Graph
        What columns mean, their names tell as in ``import_csv``: ``id:ID(Person)``, ``:LABEL`` and
        ``:TITLE`` of nodes, ``:START_ID(Person)``, ``:END_ID(City)`` and ``:TYPE`` of edges;
        without such marks columns named source and target make a table of edges, and else the
        first column is the id. All others are properties, named as they are. A type that no column
        gives is what ``nkgraph convert`` noted in the file, else the file name without its ending,
        and without ``node_`` or ``edge_`` before it.

    Raises
    ------
    FormatError
        No Parquet file, or a damaged one; a column of a type that graphs do not have (times of
        day, durations, decimals, bytes, time zones), with file and column.
    GraphError
        An id that is missing or given twice, an edge naming an id that is in no table of its type;
        ``path`` holds something. Nothing is written then.
    ModuleNotFoundError
        pyarrow is not installed; the message says how to get it.

    Notes
    -----
    Read in batches of 131,072 rows: memory holds the graph and one of them. Numbers, texts and
    dates are copied as arrays; only lists, structs and fractions of a second are taken value by
    value.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> import pyarrow as pa, pyarrow.parquet
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> towns = pa.table({"id:ID(Town)": ["Bern", "Chur"], "height": [540, 593]})
    >>> roads = pa.table({":START_ID(Town)": ["Bern"], ":END_ID(Town)": ["Chur"], "km": [241.0]})
    >>> pa.parquet.write_table(towns, folder / "node_Town.parquet")
    >>> pa.parquet.write_table(roads, folder / "edge_ROAD.parquet")
    >>> graph = nk.import_parquet(folder)
    >>> graph.node_types, graph.connection_types
    ({'Town': 2}, {'ROAD': 1})
    """
    files = _files(directory_or_files)
    given = dict(columns or {})

    def read(forced: Forced, progress: Progress) -> "Graph":
        headers = [_read_header(open_parquet(path), given) for path in files]
        unused = set(given) - {name for header in headers for name in header.file.names}
        if unused:
            raise GraphError(f"columns: no file has a column {sorted(unused)[0]!r}")
        return Tables(headers, forced, progress).graph()

    return run(read, path)


def _files(given: Paths) -> list[Path]:
    if isinstance(given, (str, PathLike)) and Path(fspath(given)).is_dir():
        folder = Path(fspath(given))
        files = [path for path in sorted(folder.iterdir()) if path.name.endswith(ENDING)]
        if not files:
            raise GraphError(f"{folder}: expected {ENDING} files, found none")
        return files
    return as_paths(given)


@dataclass
class _Header(Header):
    """What the names of the columns of a file say."""

    file: ParquetFile = data_field(kw_only=True)

    @property
    def name(self) -> str:
        """The type, where no column gives it."""
        noted = self.file.notes.get(TYPE_NOTE)
        if noted:
            return noted
        name = stem(self.path)
        for start in (NODES, EDGES):
            if len(name) > len(start):
                name = name.removeprefix(start)
        return name

    def table(self, wants: Sequence[Want]) -> Source:
        """Return what gives the rows."""
        return _Table(self.path, self.file, wants)


def _read_header(file: ParquetFile, given: Mapping[str, str]) -> _Header:
    names = [given.get(name, name) for name in file.names]
    header = _Header(file.path, Dialect(None), len(names), file=file)
    if not names:
        raise FormatError(file.path, "schema", None, "columns", "none")
    for place, name in take_marks(header, names, str(list(names))):
        if not name:
            raise FormatError(file.path, "schema", None, f"a name of column {place}", "none")
        if name in header.properties:
            raise FormatError(file.path, "schema", None, "distinct names", f"{name!r} twice")
        header.properties[name] = (place, "stored")
    return header


@dataclass
class _Table:
    """The rows of a file, as ``ingest_columns.Table`` gives those of text."""

    path: Path
    file: ParquetFile
    wants: Sequence[Want]
    unit: ClassVar[str] = "row"

    def blocks(self) -> Iterator[Rows]:
        """Yield batches of rows."""
        places = [place for want in self.wants for place in want.fields]
        first = 1
        size = self.path.stat().st_size // max(self.file.row_count, 1)
        for held in self.file.batches(places):
            count = len(held[0])
            columns, at = [], 0
            for want in self.wants:
                parts = held[at : at + len(want.fields)]
                at += len(want.fields)
                columns.append(self._values(want, parts, first))
            yield Rows(count, columns, first.__add__, size * count, 0)
            first += count

    def _values(self, want: Want, parts: list[AnyColumn], first: int) -> Values:
        is_type = want.key[-1] in (":LABEL", ":TYPE", ":TITLE")
        if not want.is_id and not is_type:
            kind = "none" if is_absent(parts[0]) and len(parts[0]) else "stored"
            return Values(kind, parts[0] if kind == "stored" else _zeros(parts[0]), None)
        values = [self._plain(want, part, first) for part in parts]
        return values[0] if len(values) == 1 else _in_turns(values)

    def _plain(self, want: Want, column: AnyColumn, first: int) -> Values:
        """Return ids or names of types: integers or texts."""
        if want.is_id and column.valid is not None:
            row = first + int(column.valid.argmin())
            raise FormatError(self.path, f"row {row}, column {want.name}", None, "an id", "nothing")
        if isinstance(column, TextColumn):
            return Values("text", Texts(column.text.offsets, column.text.data), column.valid)
        if isinstance(column, FixedColumn) and column.kind == "int64":
            if want.kind == "text":
                text = printed(column)
                return Values("text", Texts(text.offsets, text.data), column.valid)
            return Values("int", column.data, column.valid)
        if not len(column) or (is_absent(column) and not want.is_id):
            texts = Texts(np.zeros(len(column) + 1, np.int64), np.zeros(0, np.uint8))
            return Values("text", texts, np.zeros(len(column), bool))
        where = f"column {want.name}"
        raise FormatError(self.path, where, None, "integers or texts", f"{column.kind} values")


def _zeros(column: AnyColumn) -> np.ndarray:
    return np.zeros(len(column), np.int64)


def _in_turns(values: list[Values]) -> Values:
    """Put two columns of ids into one, in turns."""
    if {part.kind for part in values} == {"int"}:
        return Values("int", np.stack([part.data for part in values], axis=1).ravel(), None)
    from nkgraph.storage.text import TextArray

    texts = []
    for part in values:
        if part.kind == "int":
            texts.append(printed(FixedColumn("int64", part.data, None)))
        else:
            texts.append(TextArray(part.data.offsets, part.data.data))
    count = len(texts[0])
    order = np.stack([np.arange(count), count + np.arange(count)], axis=1).ravel()
    joined = TextArray.concatenate(texts).take(order)
    return Values("text", Texts(joined.offsets, joined.data), None)
