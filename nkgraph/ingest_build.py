"""From columns to a graph: id spaces, errors of meaning, the finished graph, the progress line."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nkgraph import threads
from nkgraph.dtypes import I64, U32
from nkgraph.errors import GraphError
from nkgraph.ingest_columns import Restart, Rows, Source, Texts, Values, join
from nkgraph.storage.keys import IntKeys, TextKeys

if TYPE_CHECKING:
    from nkgraph.graph import Graph

Paths: TypeAlias = "str | PathLike[str] | Sequence[str | PathLike[str]]"
PathsOrFrame: TypeAlias = object
"""Paths, or a table: a mapping of names to columns, or a frame (``nkgraph.interop.frames``)."""
Forced: TypeAlias = "frozenset[tuple[str, ...]]"
"""Keys of columns and id spaces that are text, because an earlier round found so."""


def as_paths(files: object) -> list[Path]:
    """Return one path or a sequence of them as a list; each must exist."""
    if not isinstance(files, (str, PathLike, Iterable)):
        raise GraphError(f"files: expected paths or a frame, found a {type(files).__name__}")
    given = [files] if isinstance(files, (str, PathLike)) else list(files)
    paths = [Path(fspath(path)) for path in given]
    if not paths:
        raise GraphError("files: expected at least one, found an empty sequence")
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file")
    return paths


def stem(path: Path) -> str:
    """File name without .gz or .zst and without the ending before it."""
    name = path.name
    for ending in (".gz", ".zst"):
        name = name.removesuffix(ending)
    return name.rsplit(".", 1)[0] if "." in name[1:] else name


class IdSpace:
    """The ids of one node type: all integers, or else all texts, and their positions."""

    def __init__(self, name: str, forced: Forced) -> None:
        self.name = name
        self.key = ("ids", name)
        self.is_text = self.key in forced
        self.is_known = False
        """Node tables give its ids, so that edges may name no others."""
        self._ints = IntKeys()
        self._texts = TextKeys()

    def __len__(self) -> int:
        return len(self._texts) if self.is_text else len(self._ints)

    @property
    def kind(self) -> str:
        """What a column of these ids is to be read as."""
        if self.is_text:
            return "text"
        return "int" if self.is_known and len(self) else "any"

    def insert(self, values: Values) -> I64:
        """Return positions; new ids take the next ones."""
        if not len(values):
            return np.zeros(0, np.int64)
        if (values.kind == "text") != self.is_text:
            if len(self) or values.kind != "text":
                raise Restart({self.key})
            self.is_text = True
        if self.is_text:
            return self._texts.insert(values.data.offsets, values.data.data)
        return self._ints.insert(values.data)

    def find(self, values: Values) -> I64:
        """Return positions, -1 where absent."""
        if self.is_text and values.kind == "text":
            return self._texts.find(values.data.offsets, values.data.data)
        if self.is_text or values.kind == "text":
            return np.full(len(values), -1, np.int64)
        return self._ints.find(values.data)

    def ids(self) -> Values:
        """Return the ids in order of position."""
        if self.is_text:
            return Values("text", Texts(*self._texts.texts()), None)
        return Values("int", self._ints.keys(), None)


class Column:
    """A property, block by block."""

    def __init__(self, key: tuple[str, ...]) -> None:
        self.key = key
        self._parts: list[Values] = []
        self._kind = "none"

    def append(self, values: Values) -> None:
        """Add the next rows; asks for a restart as soon as the kinds do not fit."""
        if not len(values):
            return
        kinds = {self._kind, values.kind} - {"none"}
        if len(kinds) == 2 and kinds != {"int", "float"}:
            raise Restart({self.key})
        self._kind = "float" if len(kinds) == 2 else next(iter(kinds), "none")
        self._parts.append(values)

    def finish(self) -> Values:
        """Return the whole column."""
        return (
            join(self._parts, self.key) if self._parts else Values("none", np.zeros(0, int), None)
        )


def as_property(values: Values) -> object:
    """Turn a column into what ``Graph`` takes."""
    if values.kind == "stored":
        return values.data
    if values.kind == "text":
        from nkgraph.storage.columns import TextColumn
        from nkgraph.storage.text import TextArray

        return TextColumn(TextArray(values.data.offsets, values.data.data), values.valid)
    if values.valid is None:
        return values.data
    return np.ma.MaskedArray(values.data, ~values.valid)


def as_properties(columns: Mapping[str, Values]) -> dict[str, object] | None:
    """Turn columns into properties; a column without any value is left out."""
    named = {name: as_property(values) for name, values in columns.items() if values.kind != "none"}
    return named or None


def take(values: Values, rows: I64) -> Values:
    """Return some rows."""
    if rows.size == len(values) and (rows.size == 0 or (np.diff(rows) == 1).all()):
        return values
    if values.kind == "stored":
        return Values(values.kind, values.data.take(rows), None)
    valid = None if values.valid is None else values.valid[rows]
    if values.kind != "text":
        return Values(values.kind, values.data[rows], valid)
    from nkgraph.storage.text import TextArray

    texts = TextArray(values.data.offsets, values.data.data).take(rows)
    return Values("text", Texts(texts.offsets, texts.data), valid)


def absent(count: int) -> Values:
    """Return a column without any value."""
    return Values("none", np.zeros(count, np.int64), np.zeros(count, bool))


def as_ids(values: Values) -> object:
    """Turn ids into what ``Graph`` takes."""
    if values.kind != "text":
        return values.data
    from nkgraph.storage.text import TextArray

    return TextArray(values.data.offsets, values.data.data)


def strings(texts: Texts) -> list[str]:
    """Return a few texts as ``str``: names of types, not ids."""
    return [texts[row] for row in range(texts.offsets.size - 1)]


def show_id(values: Values, row: int) -> str:
    """Return an id as a message shows it."""
    value = values.data[row]
    return repr(value) if values.kind == "text" else str(value)


def end_positions(table: Source, rows: Rows, ends: Values, space: IdSpace, columns: int = 1) -> U32:
    """Return positions of the ends of edges; unknown ones are refused where nodes are known.

    ``columns`` says in how many columns the ends come: in one, sources and targets take turns.
    """
    if not space.is_known:
        return _narrowed(space.insert(ends))
    positions = space.find(ends)
    missing = positions < 0
    if missing.any():
        place = int(missing.argmax())
        line = rows.line_of(place // (3 - columns))
        raise GraphError(
            f"{table.path}: {table.unit} {line}: no {space.name} has id {show_id(ends, place)}"
        )
    return _narrowed(positions)


def _narrowed(positions: I64) -> U32:
    """Node ids of positions, which a key table keeps below 2**32."""
    nodes = np.empty(positions.size, np.uint32)

    def copy(start: int, stop: int) -> None:
        nodes[start:stop] = positions[start:stop]

    threads.run([partial(copy, *span) for span in threads.split(positions.size)])
    return nodes


def new_ids(
    table: Source, rows: Rows, positions: I64, before: int, name: str, values: Values
) -> None:
    """Refuse an id that was there before."""
    repeated = positions != np.arange(before, before + positions.size)
    if repeated.any():
        row = int(repeated.argmax())
        line = rows.line_of(row)
        found = show_id(values, row)
        raise GraphError(f"{table.path}: {table.unit} {line}: {name} id {found} is given twice")


class TypeNames:
    """Names of types in a column, numbered."""

    def __init__(self) -> None:
        self._keys = TextKeys()

    def codes(self, values: Values, table: Source, rows: Rows, what: str) -> U32:
        """Return the code of each row; an empty name is refused."""
        if values.valid is not None:
            row = int(values.valid.argmin())
            raise GraphError(f"{table.path}: {table.unit} {rows.line_of(row)}: no {what}")
        return self._keys.insert(values.data.offsets, values.data.data).astype(np.uint32)

    def names(self) -> list[str]:
        """Return the names by code."""
        return strings(Texts(*self._keys.texts()))


class Progress:
    """One line on stderr, for imports of more than a second, if it is a terminal."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._start = time.monotonic()
        self._bytes = 0
        self._rows = 0
        self._live = sys.stderr is not None and sys.stderr.isatty()

    def add(self, path: Path, rows: Rows) -> None:
        """Count a block."""
        self._bytes += rows.byte_count
        self._rows += rows.count
        now = time.monotonic()
        if self._live and now - self._start > 1 and now - self._shown > 0.2:
            self._shown = now
            line = f"{path.name}: {self._rows:,} rows, {self._bytes / 1e6:,.0f} MB"
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    def close(self) -> None:
        """Wipe the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = 0.0


def joined(parts: Iterable[U32]) -> U32:
    """Concatenate, also nothing."""
    return np.concatenate([np.zeros(0, np.uint32), *parts])


def run(read: Callable[[Forced, Progress], "Graph"], path: str | PathLike[str] | None) -> "Graph":
    """Read until no column changes its type, then save and reopen where there is a path.

    Each restart names a column, or id space, that was not text before: they are few.
    """
    root = None if path is None else Path(fspath(path))
    if root is not None and root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise GraphError(f"{root}: expected no such path, or an empty directory")
    forced: Forced = frozenset()
    progress = Progress()
    try:
        while True:
            try:
                graph = read(forced, progress)
                break
            except Restart as again:
                if again.names <= forced:
                    raise AssertionError(f"restart without progress: {again.names}") from again
                forced |= again.names
    finally:
        progress.close()
    return graph if root is None else _saved(graph, root)


def _saved(graph: "Graph", root: Path) -> "Graph":
    from nkgraph.front import open_graph

    was_there = root.exists()
    try:
        graph.save(root)
    except BaseException:
        if not was_there:
            shutil.rmtree(root, ignore_errors=True)
        raise
    graph.close()
    return open_graph(root)
