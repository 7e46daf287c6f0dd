"""Graphs to GraphML: what ``import_graphml`` reads as the same graph."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from nkgraph.dtypes import Bool
from nkgraph.exporting import (
    Contents,
    Losses,
    Nodes,
    TextFile,
    plain_ids,
    present,
    scalars,
    title_texts,
    without,
)
from nkgraph.ingest_graphml import ID, LABEL, TITLE, TYPE
from nkgraph.printing import Piece, Replacement, lines, no_xml, plain_integers, printed, steps
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.text import TextArray

_XML: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_TEXT: Final = Replacement(_XML)
_QUOTED: Final = Replacement({**_XML, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
_TYPES: Final = {"int64": "long", "float64": "double", "bool": "boolean", "text": "string"}
_MARKS: Final = (ID, LABEL, TITLE, TYPE)


@dataclass
class _Keys:
    """Keys by (scope, name, type): ``k0``, ``k1``, ... in order of first use."""

    losses: Losses
    names: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def take(self, scope: str, name: str, kind: str) -> bytes:
        """Return what opens the data of a key."""
        place = (scope, name, kind)
        key = self.names.setdefault(place, f"k{len(self.names)}")
        return f'<data key="{key}">'.encode()

    def declared(self) -> bytes:
        """Return the declarations."""
        return b"".join(
            f'  <key id="{key}" for="{scope}" attr.name="'.encode()
            + _attribute(name, self.losses)
            + f'" attr.type="{kind}"/>\n'.encode()
            for (scope, name, kind), key in self.names.items()
        )


def write_graphml(contents: Contents, path: Path, losses: Losses) -> None:
    """Write a directed graph; its keys first, for which properties are looked through twice."""
    contents.note_labels(losses)
    keys = _Keys(losses)
    tables = list(contents.nodes())
    plain = _plain_ids(tables, losses)
    body = _Body(contents, keys, losses, plain)
    body.write(None)
    with TextFile(path, path.name) as file:
        file.write(b'<?xml version="1.0" encoding="UTF-8"?>\n')
        file.write(b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
        file.write(keys.declared())
        file.write(b'  <graph edgedefault="directed">\n')
        body.write(file)
        file.write(b"  </graph>\n</graphml>\n")


def _plain_ids(tables: list[Nodes], losses: Losses) -> bool:
    """Whether ids can stand as they are: of one type, and no texts that look like integers."""
    if len(tables) != 1:
        return not tables
    ids = plain_ids(tables[0], losses)
    if isinstance(ids, TextColumn):
        return not plain_integers(ids.text).all() and not no_xml(ids.text).any()
    return True


class _Body:
    """Nodes and edges; without a file only the keys are found."""

    def __init__(self, contents: Contents, keys: _Keys, losses: Losses, plain: bool) -> None:
        self.contents, self.keys, self.losses, self.plain = contents, keys, losses, plain
        self.terms = TextArray.empty()

    def write(self, file: TextFile | None) -> None:
        """Write all elements."""
        terms = []
        for table in self.contents.nodes():
            term = self._terms(table)
            terms.append((table.nodes, term))
            pieces = self._node_data(table)
            heads: list[Piece] = [b'    <node id="', term, b'">']
            _write(file, [*heads, *pieces, b"</node>\n"], table.nodes.size)
        if file is not None:
            self.terms = self._by_node(terms)
        for edges in self.contents.edges():
            pieces = []
            if edges.name != "EDGE":
                opening = self.keys.take("edge", TYPE, "string")
                pieces.append(opening + _element(edges.name, self.losses) + b"</data>")
            pieces += self._data("edge", f"{edges.name}.", edges.properties())
            if file is not None:
                ends: list[Piece] = [b'    <edge source="', self.terms.take(edges.sources)]
                ends += [b'" target="', self.terms.take(edges.targets), b'">']
                _write(file, [*ends, *pieces, b"</edge>\n"], edges.sources.size)

    def _terms(self, table: Nodes) -> TextArray:
        if self.plain:
            return _QUOTED(printed(plain_ids(table, self.losses)))
        numbers = FixedColumn("int64", table.nodes.astype(np.int64), None)
        return lines([b"n", printed(numbers)], table.nodes.size)

    def _by_node(self, terms: list[tuple[np.ndarray, TextArray]]) -> TextArray:
        whole = TextArray.concatenate([*(term for _, term in terms), TextArray.empty(1)])
        places = np.full(self.contents.graph._nodes.slot_count, len(whole) - 1)
        nodes = np.concatenate([np.zeros(0, np.uint32), *(nodes for nodes, _ in terms)])
        places[nodes] = np.arange(nodes.size)
        return whole.take(places)

    def _node_data(self, table: Nodes) -> list[Piece]:
        pieces: list[Piece] = []
        if not self.plain:
            ids = plain_ids(table, self.losses)
            if isinstance(ids, TextColumn) and no_xml(ids.text).any():
                raise self.losses.refuse(f"ids of {table.name} with control characters")
            pieces += self._field("node", ID, ids)
        if table.name != "Node":
            opening = self.keys.take("node", LABEL, "string")
            pieces.append(opening + _element(table.name, self.losses) + b"</data>")
        if table.has_titles():
            titles, there = title_texts(table.titles)
            held = self._held(TextColumn(titles, there), f"titles of {table.name}")
            pieces += self._field("node", TITLE, held)
        return pieces + self._data("node", f"{table.name}.", table.properties())

    def _data(self, scope: str, owner: str, properties: dict[str, AnyColumn]) -> list[Piece]:
        pieces: list[Piece] = []
        for name, given in properties.items():
            if name in _MARKS:
                raise self.losses.refuse(f"a property named {name!r}")
            column = scalars(given, owner + name, self.losses)
            if column is not None:
                if isinstance(column, TextColumn):
                    column = self._held(column, owner + name)
                pieces += self._field(scope, name, column)
        return pieces

    def _held(self, column: TextColumn, where: str) -> AnyColumn:
        broken = present(column) & no_xml(column.text)
        self.losses.count(broken, where, "texts with control characters")
        return without(column, broken) if broken.any() else column

    def _field(self, scope: str, name: str, column: AnyColumn) -> list[Piece]:
        there: Bool = present(column)
        opening = self.keys.take(scope, name, _TYPES[column.kind])
        return [(opening, there), _TEXT(printed(column)), (b"</data>", there)]


def _write(file: TextFile | None, pieces: list[Piece], count: int) -> None:
    if file is None:
        return
    for rows in steps(count):
        part: list[Piece] = []
        for piece in pieces:
            if isinstance(piece, TextArray):
                part.append(piece.take(rows))
            elif isinstance(piece, tuple):
                part.append((piece[0], piece[1][rows]))
            else:
                part.append(piece)
        file.write(lines(part, rows.size))


def _attribute(name: str, losses: Losses) -> bytes:
    return _named(name, _QUOTED, losses)


def _element(name: str, losses: Losses) -> bytes:
    return _named(name, _TEXT, losses)


def _named(name: str, replacement: Replacement, losses: Losses) -> bytes:
    text = TextArray.from_list([name])
    if no_xml(text).any():
        raise losses.refuse(f"the name {name!r}, which holds control characters")
    return replacement(text).data.tobytes()
