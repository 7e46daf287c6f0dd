"""Matrix Market coordinate files to graphs: an entry an edge.

%%MatrixMarket matrix coordinate FIELD SYMMETRY
% comments
rows columns entries
row column [value]      entries times, numbered from 1
"""

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from nkgraph.dtypes import I64, MAX_IDS, U32
from nkgraph.errors import FormatError, LimitError
from nkgraph.ingest_build import Forced, Progress, as_property, joined, run
from nkgraph.ingest_columns import Dialect, Rows, Table, Values, Want, first_text, join
from nkgraph.storage.kglite.stitch import physical_memory
from nkgraph.storage.textfile import read_blocks

if TYPE_CHECKING:
    from nkgraph.graph import Graph

BANNER: Final = "%%MatrixMarket"
_PEEK: Final = 1 << 16
_FIELDS: Final = {"real": "float", "double": "float", "integer": "int", "pattern": ""}
_SYMMETRIES: Final = ("general", "symmetric", "skew-symmetric")
_BLANKS: Final = Dialect(None, comments=True)
_NODE_BYTES: Final = 40
"""Memory that a node takes, about: its slot, its id, and its place in the look-up."""


def import_matrix_market(
    file: str | PathLike[str],
    path: str | PathLike[str] | None = None,
    *,
    node_type: str = "Node",
    column_type: str | None = None,
    connection_type: str = "EDGE",
    weight: str = "weight",
) -> "Graph":
    r"""Import a sparse matrix of the Matrix Market: an entry in row i, column j is an edge i to j.

    Parameters
    ----------
    file : path
        Text, gzip or zstd; ``coordinate`` format with ``real``, ``integer`` or ``pattern`` values.
    path : path, optional
        Save the graph there, a new native directory, and open it. Without it: in memory.
    node_type : str
        Nodes are the rows, and the columns too: their ids are 1 to n, as in the file.
    column_type : str, optional
        Columns are nodes of this type of their own; a matrix that is not square needs it.
    connection_type : str
    weight : str
        Edge property of the values; a ``pattern`` has none.

    Returns
    -------
    Graph
        Edges in the order of the entries. A ``symmetric`` file stores one of each two equal
        entries: the other one follows it as an edge back; so does, with the value negated, that of
        a ``skew-symmetric`` one. Entries on the diagonal are loops, once. An entry that comes
        twice is two edges.

    Raises
    ------
    FormatError
        Another number of entries than the file says, an index out of range, a value that is no
        number; ``array`` format, ``complex`` values and ``hermitian`` symmetry, which a graph has
        no place for.
    GraphError
        ``path`` holds something. Nothing is written then.
    LimitError
        More rows than node ids, or than fit in memory.

    Notes
    -----
    O(bytes), on all threads.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "a.mtx"
    >>> head = "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n"
    >>> _ = file.write_text(head + "2 1 0.5\n3 3 8.0\n")
    >>> graph = nk.import_matrix_market(file)
    >>> graph.edges("EDGE")[:2], graph.read_edges("EDGE")["weight"].values
    ((array([1, 0, 2], dtype=uint32), array([0, 1, 2], dtype=uint32)), array([0.5, 0.5, 8. ]))
    """
    source = Path(fspath(file))
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file")
    head = _read_head(source, column_type)
    types = (node_type, column_type or node_type)

    def read(forced: Forced, progress: Progress) -> "Graph":
        entries = _Entries(head)
        entries.read(progress)
        return entries.graph(types, connection_type, weight)

    return run(read, path)


@dataclass(frozen=True)
class _Head:
    """What the banner and the line of sizes say."""

    path: Path
    kind: str
    """Of values, as a ``Want`` names it; empty for a pattern."""
    symmetry: str
    shape: tuple[int, int]
    entries: int


def _read_head(path: Path, column_type: str | None) -> _Head:
    block = next(iter(read_blocks(path, _PEEK)), np.zeros(0, np.uint8))
    banner = block[:1024].tobytes().partition(b"\n")[0].decode("utf-8", "replace").split()
    if not banner or banner[0].lower() != BANNER.lower():
        found = repr(" ".join(banner)[:40])
        raise FormatError(path, "line 1", None, f"{BANNER} matrix coordinate ...", found)
    words = [word.lower() for word in banner[1:]]
    allowed = (("matrix",), ("coordinate",), tuple(_FIELDS), _SYMMETRIES)
    names = ("object", "format", "field", "symmetry")
    for name, known, place in zip(names, allowed, range(4), strict=True):
        found = words[place] if place < len(words) else "nothing"
        if found not in known:
            remedy = "a dense array is no edge list" if found == "array" else None
            if found in ("complex", "hermitian"):
                remedy = "a graph has no complex values: write real and imaginary part apart"
            expected = " or ".join(known)
            raise FormatError(path, f"line 1, {name}", None, expected, found, remedy)
    kind, symmetry = _FIELDS[words[2]], words[3]
    if symmetry == "skew-symmetric" and not kind:
        expected = "values with skew-symmetric"
        raise FormatError(path, "line 1, field", None, expected, "pattern")
    return _read_sizes(path, kind, symmetry, column_type)


def _read_sizes(path: Path, kind: str, symmetry: str, column_type: str | None) -> _Head:
    line = first_text(path, _BLANKS)
    sizes = line.split()
    if len(sizes) != 3 or not all(size.isascii() and size.isdecimal() for size in sizes):
        expected = "three sizes: rows, columns, entries"
        raise FormatError(path, "line of sizes", None, expected, repr(line[:40]))
    rows, columns, entries = map(int, sizes)
    if symmetry != "general" and rows != columns:
        raise FormatError(path, "line of sizes", None, f"a square {symmetry} matrix", line)
    if rows != columns and column_type is None:
        remedy = "give column_type= to make the columns nodes of their own"
        raise FormatError(path, "line of sizes", None, "as many rows as columns", line, remedy)
    nodes = rows if column_type is None else rows + columns
    if nodes > MAX_IDS:
        raise LimitError(f"{path}: {nodes} nodes: node ids end at {MAX_IDS - 1}")
    if nodes * _NODE_BYTES > physical_memory():
        raise LimitError(f"{path}: {nodes} nodes do not fit in memory")
    return _Head(path, kind, symmetry, (rows, columns), entries)


class _Entries:
    """The entries as they are read."""

    def __init__(self, head: _Head) -> None:
        self.head = head
        self.ends: list[U32] = []
        self.values: list[Values] = []

    def read(self, progress: Progress) -> None:
        """Read all entries, checked."""
        head = self.head
        wants = [Want("row or column", (0, 1), ("column", "ends"), "int")]
        if head.kind:
            wants.append(Want("value", (2,), ("column", "value"), head.kind))
        table = Table(head.path, _BLANKS, 2 + bool(head.kind), wants, header=True)
        count = 0
        for rows in table.blocks():
            self._check(rows)
            count += rows.count
            progress.add(head.path, rows)
        if count != head.entries:
            raise FormatError(head.path, "entries", None, head.entries, count)

    def _check(self, rows: Rows) -> None:
        head = self.head
        pairs = rows.columns[0].data.reshape(-1, 2)
        for number, (name, limit) in enumerate(zip(("row", "column"), head.shape, strict=True)):
            bad = (pairs[:, number] < 1) | (pairs[:, number] > limit)
            if bad.any():
                row = int(bad.argmax())
                where = f"line {rows.line_of(row)}, {name}"
                found = int(pairs[row, number])
                raise FormatError(head.path, where, None, f"1 to {limit}", found)
        self._check_present(rows)
        ends = (pairs - 1).astype(np.uint32)
        if head.symmetry == "general":
            self.ends.append(ends)
            if head.kind:
                self.values.append(rows.columns[1])
            return
        mirrored = ends[:, 0] != ends[:, 1]
        if head.symmetry == "skew-symmetric" and not mirrored.all():
            where = f"line {rows.line_of(int(mirrored.argmin()))}"
            expected = "no entry on the diagonal of a skew-symmetric matrix"
            raise FormatError(head.path, where, None, expected, "one")
        order, backwards = _with_mirrors(mirrored)
        ends = ends[order]
        ends[backwards] = ends[backwards][:, ::-1]
        self.ends.append(ends)
        if head.kind:
            data = rows.columns[1].data[order]
            if head.symmetry == "skew-symmetric":
                lowest = np.iinfo(np.int64).min
                if data.dtype.kind == "i" and (data == lowest).any():
                    expected = "a value that can be negated"
                    raise FormatError(head.path, "value", None, expected, lowest)
                data[backwards] = -data[backwards]
            self.values.append(Values(head.kind, data, None))

    def _check_present(self, rows: Rows) -> None:
        """An empty field would be absent; between blanks there is none, but keep it said."""
        for values in rows.columns:
            if values.valid is not None:
                where = f"line {rows.line_of(0)}"
                raise FormatError(self.head.path, where, None, "a number", "nothing")

    def graph(self, types: tuple[str, str], connection_type: str, weight: str) -> "Graph":
        """Return the graph of all entries."""
        from nkgraph.edges import Ends
        from nkgraph.graph import Graph

        graph = Graph()
        shape, first_column = self.head.shape, 0
        if shape[0]:
            graph._add_nodes_unchecked(types[0], np.arange(1, shape[0] + 1))
        if types[0] != types[1]:
            first_column = shape[0]
            if shape[1]:
                graph._add_nodes_unchecked(types[1], np.arange(1, shape[1] + 1))
        ends = joined(part.ravel() for part in self.ends).reshape(-1, 2)
        sources = np.ascontiguousarray(ends[:, 0])
        targets = ends[:, 1] + np.uint32(first_column)
        properties = None
        if self.head.kind and len(ends):
            properties = {weight: as_property(join(self.values, ("value",)))}
        graph._append_edges([connection_type], None, Ends(sources, targets), properties)
        return graph


def _with_mirrors(mirrored: np.ndarray) -> tuple[I64, np.ndarray]:
    """Repeat entries that have a mirror; say which of the repeated ones are the mirrors."""
    order = np.repeat(np.arange(mirrored.size), 1 + mirrored)
    backwards = np.zeros(order.size, bool)
    backwards[1:] = order[1:] == order[:-1]
    return order, backwards
