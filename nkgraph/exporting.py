"""What a graph holds, a table at a time, for those who write it; and what they cannot hold.

A writer takes columns as they come, makes of each what its format holds, and notes in ``Losses``
what that leaves out. Nothing is published before somebody has looked at these.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from nkgraph.dtypes import I64, Bool
from nkgraph.errors import GraphError
from nkgraph.printing import printed
from nkgraph.storage import columns, files
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.text import TextArray

if TYPE_CHECKING:
    from nkgraph.graph import Graph
    from nkgraph.table import Table

SCALARS: Final = ("int64", "float64", "bool", "text")
NOTHING: Final = TextArray.empty(1)


class Losses:
    """What a format cannot hold of a graph, in words, each once."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.found: list[str] = []

    def add(self, what: str) -> None:
        """Note a loss."""
        if what not in self.found:
            self.found.append(what)

    def count(self, rows: Bool, where: str, what: str) -> None:
        """Note that some rows of a column are concerned, if any is."""
        number = int(np.count_nonzero(rows))
        if number:
            self.add(f"{where}: {what} ({number:,} of {rows.size:,})")

    def refuse(self, what: str) -> GraphError:
        """Return the error for what cannot be left out."""
        return GraphError(f"{self.form} cannot hold {what}")


@dataclass
class Nodes:
    """The live nodes of a type, ascending."""

    name: str
    nodes: I64
    ids: AnyColumn
    titles: AnyColumn
    read: Callable[[], dict[str, AnyColumn]]

    def properties(self) -> dict[str, AnyColumn]:
        """Columns that have a value, by name."""
        return self.read()

    def has_titles(self) -> bool:
        """Whether a node has a title."""
        return has_text(self.titles)


@dataclass
class Edges:
    """The live edges of a connection type, ascending; of one pair of node types if cut so."""

    name: str
    sources: I64
    targets: I64
    rows: I64 | None
    read: Callable[[], dict[str, AnyColumn]]

    def properties(self) -> dict[str, AnyColumn]:
        """Columns that have a value, by name."""
        held = self.read()
        rows = self.rows
        if rows is None:
            return held
        cut = {name: columns.canonical(column.take(rows)) for name, column in held.items()}
        return {name: column for name, column in cut.items() if not columns.is_absent(column)}


class Contents:
    """A graph as tables. Columns are read when a table is asked for them."""

    def __init__(self, graph: "Graph") -> None:
        self.graph = graph

    @cached_property
    def node_types(self) -> list[str]:
        """Names of types that have nodes."""
        return list(self.graph.node_types)

    @cached_property
    def connection_types(self) -> list[str]:
        """Names of types that have edges."""
        return list(self.graph.connection_types)

    @cached_property
    def places(self) -> tuple[np.ndarray, I64]:
        """Of each node id: which of ``node_types``, and which row of it."""
        count = self.graph._nodes.slot_count
        types, rows = np.zeros(count, np.int32), np.zeros(count, np.int64)
        for number, name in enumerate(self.node_types):
            nodes = self.graph._nodes.tables[name].nodes
            types[nodes] = number
            rows[nodes] = np.arange(nodes.size)
        return types, rows

    def nodes(self) -> Iterator[Nodes]:
        """Yield the node types, names in code point order."""
        held = self.graph._nodes
        for name in self.node_types:
            table = held.tables[name]
            nodes = table.nodes
            rows = table.rows_of(held.slots, nodes)

            def read(name: str = name) -> dict[str, AnyColumn]:
                return _stored(self.graph.read_nodes(name))

            ids = columns.canonical(table.ids.take(rows))
            yield Nodes(name, nodes.astype(np.int64), _widened(ids), table.titles.take(rows), read)

    def edges(self) -> Iterator[Edges]:
        """Yield the connection types, names in code point order."""
        for name in self.connection_types:
            sources, targets, _ = self.graph.edges(name)

            def read(name: str = name) -> dict[str, AnyColumn]:
                return _stored(self.graph.read_edges(name))

            yield Edges(name, sources.astype(np.int64), targets.astype(np.int64), None, read)

    def edges_by_pair(self) -> Iterator[tuple[str, str, Edges]]:
        """Yield (source type, target type, edges) for each connection type and pair."""
        types, _ = self.places
        count = len(self.node_types)
        for edges in self.edges():
            pairs = types[edges.sources].astype(np.int64) * count + types[edges.targets]
            for pair in np.unique(pairs).tolist():
                rows = np.flatnonzero(pairs == pair)
                source, target = (self.node_types[number] for number in divmod(pair, count))
                whole = rows.size == pairs.size
                chosen = None if whole else rows
                part = Edges(
                    edges.name, edges.sources[rows], edges.targets[rows], chosen, edges.read
                )
                yield source, target, part

    def note_labels(self, losses: Losses) -> None:
        """Further labels of nodes are in few formats."""
        if self.graph.secondary_labels:
            names = ", ".join(sorted(self.graph.secondary_labels))
            losses.add(f"further labels of nodes: {names}")

    def note_titles(self, losses: Losses) -> None:
        """Titles are in few formats."""
        for table in self.nodes():
            if table.has_titles():
                losses.add(f"titles of {table.name}")


def _stored(table: "Table") -> dict[str, AnyColumn]:
    found = {}
    for name, column in table.columns.items():
        held = _widened(columns.canonical(column.stored))
        if not columns.is_absent(held) and len(held):
            found[name] = held
    return found


def _widened(column: AnyColumn) -> AnyColumn:
    """Unique ids are integers to everybody else."""
    if isinstance(column, FixedColumn) and column.kind == "uniqueid":
        return FixedColumn("int64", column.data.astype(np.int64), column.valid)
    return column


def has_text(column: AnyColumn) -> bool:
    """Whether a column holds a text that is not empty."""
    texts, _ = columns.texts(column)
    return bool((np.diff(texts.offsets) > 0).any())


def title_texts(column: AnyColumn) -> tuple[TextArray, Bool]:
    """Return titles, empty where there is none, and where there are."""
    texts, rows = columns.texts(column)
    places = np.full(len(column), len(texts))
    places[rows] = np.arange(rows.size)
    whole = TextArray.concatenate([texts, NOTHING]).take(places)
    return whole, np.diff(whole.offsets) > 0


def present(column: AnyColumn) -> Bool:
    """Say which rows have a value."""
    return np.ones(len(column), bool) if column.valid is None else column.valid


def without(column: AnyColumn, gone: Bool) -> AnyColumn:
    """Return a column with some values absent; one of texts or of one width."""
    valid = present(column) & ~gone
    if isinstance(column, TextColumn):
        return TextColumn(column.text, valid)
    assert isinstance(column, FixedColumn)
    return FixedColumn(column.kind, column.data, valid)


def scalars(column: AnyColumn, where: str, losses: Losses) -> AnyColumn | None:
    """Return a column of integers, floats, booleans or texts; None if there is nothing of it."""
    if isinstance(column, MixedColumn):
        losses.add(f"{where}: lists, maps and values of several kinds")
        return None
    if column.kind in ("date", "timestamp"):
        losses.add(f"{where}: {column.kind}s become texts")
        return TextColumn(printed(column), column.valid)
    return column


def plain_ids(table: Nodes, losses: Losses) -> FixedColumn | TextColumn:
    """Return ids that are all integers or all texts; others are refused."""
    ids = table.ids
    if isinstance(ids, FixedColumn) and ids.kind == "int64" and ids.valid is None:
        return ids
    if isinstance(ids, TextColumn) and ids.valid is None:
        return ids
    raise losses.refuse(f"the ids of {table.name}, which are neither all integers nor all texts")


class FileNames:
    """Names of files for names of types: plain characters, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, start: str, name: str, ending: str) -> str:
        """Return a name that no other type has."""
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:80]
        found, number = f"{start}{plain}", 1
        while found.casefold() in self._taken:
            number += 1
            found = f"{start}{plain}-{number}"
        self._taken.add(found.casefold())
        return found + ending


class TextFile:
    """A text file that is being written, packed if its name says so."""

    def __init__(self, path: Path, final_name: str) -> None:
        self._raw: BinaryIO = path.open("xb")
        self._file: BinaryIO = self._raw
        if final_name.endswith(".gz"):
            import gzip
            from typing import cast

            packed = gzip.GzipFile("", "wb", 6, self._raw, mtime=0)  # the same bytes every time
            self._file = cast(BinaryIO, packed)
        elif final_name.endswith(".zst"):
            import zstandard

            self._file = zstandard.ZstdCompressor().stream_writer(self._raw, closefd=False)

    def write(self, text: TextArray | bytes) -> None:
        """Append bytes."""
        self._file.write(text if isinstance(text, bytes) else files.as_bytes(text.data))

    def close(self) -> None:
        """Finish the file, and make it durable."""
        import os

        if self._file is not self._raw:
            self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()

    def __enter__(self) -> "TextFile":
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self.close()
        else:
            self._raw.close()
