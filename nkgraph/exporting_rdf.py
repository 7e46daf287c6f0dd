"""Graphs to N-Triples: what ``import_ntriples`` reads as the same graph."""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, Bool
from nkgraph.exporting import Contents, Losses, Nodes, TextFile, plain_ids
from nkgraph.ingest_ntriples import TYPED, XSD
from nkgraph.printing import Piece, Replacement, byte_set, holding, lines, printed, steps
from nkgraph.storage import intake
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.text import TextArray

_NODE_TYPE: Final = "Resource"
_MINTED: Final = "urn:nkgraph:"
_ESCAPES: Final = Replacement({
    **{chr(byte): f"\\u{byte:04X}" for byte in (*range(32), 127)},
    "\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r",
})  # fmt: skip
_PLAIN: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_PERCENT: Final = Replacement(
    {chr(byte): f"%{byte:02X}" for byte in range(128) if chr(byte) not in _PLAIN}
)
_NO_IRI: Final = byte_set("".join(map(chr, range(33))) + '<>"{}|^`\\')
_NO_LABEL: Final = byte_set(
    "".join(chr(byte) for byte in range(128) if not (chr(byte).isalnum() or chr(byte) in "_:.-"))
)
_IRI: Final = re.compile(r'[A-Za-z][^\x00-\x20<>"{}|^`\\]*:[^\x00-\x20<>"{}|^`\\]*')
_TAG: Final = re.compile(r"@[A-Za-z]+(-[A-Za-z0-9]+)*")
_TYPES: Final = {
    "int64": "integer", "float64": "double", "bool": "boolean", "date": "date",
    "timestamp": "dateTime",
}  # fmt: skip
_WIDTHS: Final = {"date": 10, "timestamp": 19}
_FLOAT_WORDS: Final = {b"inf": b"INF", b"-inf": b"-INF", b"nan": b"NaN"}
_KINDS: Final = (str, int, float, bool, datetime.date, datetime.datetime)


def write_ntriples(contents: Contents, path: Path, losses: Losses) -> None:
    """Write a triple for each edge, and one for each value of a property of a node."""
    contents.note_labels(losses)
    contents.note_titles(losses)
    tables = list(contents.nodes())
    if [table.name for table in tables] not in ([], [_NODE_TYPE]):
        losses.add(f"node types: {', '.join(contents.node_types)}")
    terms = _terms(contents, tables, losses)
    seen = np.zeros(contents.graph._nodes.slot_count, bool)
    with TextFile(path, path.name) as file:
        for edges in contents.edges():
            for name in edges.properties():
                losses.add(f"{edges.name}.{name}: properties of edges")
            predicate = f" <{_name_iri(edges.name, 'edge', 'connection type', losses)}> ".encode()
            seen[edges.sources] = seen[edges.targets] = True
            for rows in steps(edges.sources.size):
                sources, targets = edges.sources[rows], edges.targets[rows]
                pieces: list[Piece] = [terms.take(sources), predicate, terms.take(targets), b" .\n"]
                file.write(lines(pieces, rows.size))
        for table in tables:
            for name, column in table.properties().items():
                _write_property(file, table, name, column, terms, seen, losses)
    for table in tables:
        losses.count(~seen[table.nodes], table.name, "nodes without edges and properties")


# -- terms ------------------------------------------------------------------------------------


def _terms(contents: Contents, tables: list[Nodes], losses: Losses) -> TextArray:
    """Return the term of each node, by node id."""
    texts = [_node_terms(table, len(tables) > 1, losses) for table in tables]
    whole = TextArray.concatenate([*texts, TextArray.empty(1)])
    places = np.full(contents.graph._nodes.slot_count, len(whole) - 1)
    nodes = np.concatenate([np.zeros(0, np.uint32), *(table.nodes for table in tables)])
    places[nodes] = np.arange(nodes.size)
    terms = whole.take(places)
    if len(tables) > 1:
        from nkgraph.storage.keys import TextKeys

        if np.unique(TextKeys().insert(whole.offsets, whole.data)).size < len(whole):
            raise losses.refuse("one id in several node types")
    return terms


def _node_terms(table: Nodes, several: bool, losses: Losses) -> TextArray:
    text = printed(plain_ids(table, losses))
    blank = text.starts_with("_:")
    good = np.where(blank, _is_label(text), _is_iri(text))
    if not good.all():
        losses.count(~good, f"ids of {table.name}", f"no IRIs, they become {_MINTED}node:...")
        kind = _PERCENT(TextArray.from_list([table.name])).data.tobytes()
        prefix = f"{_MINTED}node:".encode() + (kind + b":" if several else b"")
        minted = lines([prefix, _PERCENT(text)], len(text))
        places = np.where(good, np.arange(len(text)), len(text) + np.arange(len(text)))
        text = TextArray.concatenate([text, minted]).take(places)
    named = ~(blank & good)
    return lines([(b"<", named), text, (b">", named)], len(text))


def _is_iri(text: TextArray) -> Bool:
    first = _byte_at(text, text.offsets[:-1])
    letter = ((first | 32) >= ord("a")) & ((first | 32) <= ord("z"))
    return np.asarray(letter & ~holding(text, _NO_IRI) & holding(text, byte_set(":")))


def _is_label(text: TextArray) -> Bool:
    lengths = np.diff(text.offsets)
    first = _byte_at(text, text.offsets[:-1] + 2)
    last = _byte_at(text, text.offsets[1:] - 1)
    good = (lengths > 2) & (first != ord("-")) & (first != ord(".")) & (last != ord("."))
    return np.asarray(good & ~holding(text, _NO_LABEL))


def _byte_at(text: TextArray, places: I64) -> np.ndarray:
    if not text.data.size:
        return np.zeros(places.size, np.uint8)
    return text.data[np.clip(places, 0, text.data.size - 1)]


def _name_iri(name: str, kind: str, what: str, losses: Losses) -> str:
    if _IRI.fullmatch(name):
        return name
    minted = _PERCENT(TextArray.from_list([name])).data.tobytes().decode()
    found = f"{_MINTED}{kind}:{minted}"
    losses.add(f"{what} {name!r}, no IRI: it becomes {found}")
    return found


# -- literals ---------------------------------------------------------------------------------


def _write_property(
    file: TextFile,
    table: Nodes,
    name: str,
    column: AnyColumn,
    terms: TextArray,
    seen: Bool,
    losses: Losses,
) -> None:
    where = f"{table.name}.{name}"
    iri, _, tag = name.partition(" ")
    is_tag = _TAG.fullmatch(tag) or (tag.startswith("^^") and _IRI.fullmatch(tag[2:]))
    if tag and not (is_tag and _IRI.fullmatch(iri)):
        iri, tag = name, ""
    predicate = f" <{_name_iri(iri, 'property', 'property', losses)}> ".encode()
    for rows, part in _parts(column, where, losses):
        if tag and not isinstance(part, TextColumn):
            losses.add(f"{where}: values that are no texts, in spite of its name")
            continue
        objects = _objects(part, tag, where, losses)
        nodes = table.nodes[rows]
        seen[nodes] = True
        for step in steps(rows.size):
            subjects = terms.take(nodes[step])
            file.write(lines([subjects, predicate, objects.take(step), b" .\n"], step.size))


def _parts(column: AnyColumn, where: str, losses: Losses) -> Iterator[tuple[I64, AnyColumn]]:
    """Yield rows and their values, all there and of one kind; a row of a list several times."""
    if not isinstance(column, MixedColumn):
        rows = np.flatnonzero(column.valid) if column.valid is not None else np.arange(len(column))
        yield rows, column.take(rows)
        return
    flat: list[object] = []
    owners: list[int] = []
    for row, value in enumerate(column.values.tolist()):  # values of several kinds are few
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) and len(value) < 2:
            losses.add(f"{where}: lists of less than two values are no lists any more")
        for item in items:
            if type(item) in _KINDS:
                flat.append(item)
                owners.append(row)
            elif item is not None or isinstance(value, list):
                losses.add(f"{where}: maps, points, durations and lists within lists")
    kinds = np.array([_KINDS.index(type(item)) for item in flat], np.int64)
    # Values of one row keep their order: a new part begins where the kind changes.
    if kinds.size:
        ends = np.flatnonzero(np.diff(kinds)) + 1
        for places in _runs(kinds, np.array(owners), ends):
            held = intake.from_user([flat[place] for place in places.tolist()], None, where)
            rows = np.array(owners, np.int64)[places]
            if isinstance(held, MixedColumn):  # fractions of a second
                losses.add(f"{where}: fractions of a second")
            else:
                yield rows, held


def _runs(kinds: I64, owners: I64, ends: I64) -> Iterator[I64]:
    """Cut into parts of one kind: all rows of a kind at once, if no list mixes kinds."""
    mixes = (np.diff(owners) == 0) & (np.diff(kinds) != 0)
    if mixes.any():
        yield from np.split(np.arange(kinds.size), ends)
    else:
        yield from (np.flatnonzero(kinds == kind) for kind in np.unique(kinds))


def _objects(column: AnyColumn, tag: str, where: str, losses: Losses) -> TextArray:
    count = len(column)
    if isinstance(column, TextColumn):
        pieces: list[Piece] = [b'"', _ESCAPES(column.text), b'"']
        if tag:
            pieces.append(f"^^<{tag[2:]}>".encode() if tag.startswith("^^") else tag.encode())
        _note_typed(column, tag, where, losses)
        return lines(pieces, count)
    assert isinstance(column, FixedColumn)
    text = printed(column)
    if column.kind == "float64":
        text = _float_words(column, text)
    if column.kind in _WIDTHS:
        odd = np.diff(text.offsets) != _WIDTHS[column.kind]
        losses.count(odd, where, f"{column.kind}s of years that are not of four digits")
    return lines([b'"', text, f'"^^<{XSD}{_TYPES[column.kind]}>'.encode()], count)


def _note_typed(column: TextColumn, tag: str, where: str, losses: Losses) -> None:
    """A text whose name gives it a datatype may come back as a value of that."""
    if tag == f"^^{XSD}string":
        losses.add(f"{where}: texts of {tag} come back without it")
    if tag not in TYPED:
        return
    text, count = column.text, len(column)
    wanted, found = np.full(count, TYPED[tag], np.uint8), np.empty(count, np.uint8)
    words = np.empty(count, np.uint64)
    kernels.ntriples.convert_values(
        text.offsets, text.data, read_only(wanted), found, words, words.view(np.float64)
    )
    losses.count(found != kernels.ntriples.TEXT, where, f"texts that {tag} makes values")


def _float_words(column: FixedColumn, text: TextArray) -> TextArray:
    odd = np.flatnonzero(~np.isfinite(column.data))
    if not odd.size:
        return text
    words = [_FLOAT_WORDS[word] for word in (b"inf", b"-inf", b"nan")]
    fixed = TextArray.from_list([word.decode() for word in words])
    places = np.arange(len(text))
    data = column.data[odd]
    places[odd] = len(text) + np.where(np.isnan(data), 2, np.where(data > 0, 0, 1))
    return TextArray.concatenate([text, fixed]).take(places)
