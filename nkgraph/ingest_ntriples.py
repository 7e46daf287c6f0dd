"""N-Triples to graphs: resources are nodes, literals their properties.

    <http://a/ann> <http://a/knows> <http://a/bob> .        an edge
    <http://a/ann> <http://a/name> "Ann"@en .               a property of the subject
    _:b1 <http://a/age> "36"^^<http://www.w3.org/2001/XMLSchema#integer> .

The id of a node is its IRI, or ``_:`` and the label of a blank node. A property is named by its
predicate. Where a literal has a language or a datatype that its value does not tell, the name says
it, behind a blank, which no IRI holds: ``http://a/name @en``, ``http://a/size ^^http://a/cm``.
"""

from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U32, U64
from nkgraph.errors import FormatError, LimitError
from nkgraph.ingest_build import Forced, Paths, Progress, as_paths, joined, run, strings
from nkgraph.ingest_columns import Rows, Texts, cut_lines, newlines, not_utf8
from nkgraph.printing import lines
from nkgraph.storage import columns
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.keys import TextKeys
from nkgraph.storage.kglite.stitch import physical_memory
from nkgraph.storage.text import TextArray
from nkgraph.storage.textfile import read_blocks
from nkgraph.storage.values import Values

if TYPE_CHECKING:
    from nkgraph.graph import Graph

XSD: Final = "http://www.w3.org/2001/XMLSchema#"
TYPED: Final = {
    f"^^{XSD}integer": 1,
    f"^^{XSD}double": 2,
    f"^^{XSD}boolean": 3,
    f"^^{XSD}date": 4,
    f"^^{XSD}dateTime": 5,
}
"""What tag makes which kind of value; the numbers are those of the kernel."""
_FIXED: Final = {1: "int64", 2: "float64", 3: "bool", 4: "date", 5: "timestamp"}
_PLAIN: Final = ("", f"^^{XSD}string")
_EXPECTED: Final = {
    "NO_SUBJECT": "an IRI or a blank node as subject",
    "NO_PREDICATE": "an IRI as predicate",
    "NO_OBJECT": "an IRI, a blank node or a literal as object",
    "NO_END": "a point behind the object",
    "BAD_IRI": "a character that an IRI may hold, or >",
    "BAD_ESCAPE": "an escape of N-Triples",
    "BAD_LABEL": "the label of a blank node",
    "OPEN_LITERAL": "a quote at the end of the literal",
    "BAD_TAG": "a language tag, or ^^ and a datatype",
    "RELATIVE": "an absolute IRI",
    "AFTER_END": "the end of the line, or a comment",
}


def import_ntriples(
    files: Paths, path: str | PathLike[str] | None = None, *, node_type: str = "Resource"
) -> "Graph":
    r"""Import N-Triples: a triple of resources is an edge, one with a literal a property.

    Parameters
    ----------
    files : path or sequence of paths
        N-Triples of RDF 1.1; text, gzip or zstd. Labels of blank nodes belong to their file: with
        several files the first one's ``_:b`` is node ``_:f1.b``.
    path : path, optional
        Save the graph there, a new native directory, and open it. Without it: in memory.
    node_type : str
        Of all nodes.

    Returns
    -------
    Graph
        Node ids are IRIs, and ``_:label`` for blank nodes; the connection type is the IRI of the
        predicate. Literals of ``xsd:integer``, ``double``, ``boolean``, ``date`` and ``dateTime``
        become values of that kind where these hold them exactly; others stay texts, and the
        property is named by predicate and datatype: ``"IRI ^^DATATYPE"``. One of a language is
        named ``"IRI @en"``. Several literals of one property are a list, in order of lines.

    Raises
    ------
    FormatError
        A line that is no triple, with file and line; text that is not UTF-8; compressed data that
        is damaged or cut short.
    GraphError
        ``path`` holds something. Nothing is written then.
    LimitError
        So many properties that their columns do not fit in memory.

    Notes
    -----
    O(bytes), on all threads. A triple that comes twice is two edges, or twice in a list. A
    property takes a column over all nodes, 9 bytes a node and its texts.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "facts.nt"
    >>> _ = file.write_text('<x:ann> <x:knows> <x:bob> .\n<x:bob> <x:name> "Bob"@en .\n')
    >>> graph = nk.import_ntriples(file)
    >>> graph.ids(graph.nodes()), graph.connection_types
    (array(['x:ann', 'x:bob'], dtype=StringDType()), {'x:knows': 1})
    >>> graph.read_nodes("Resource")["x:name @en"].tolist()
    [None, 'Bob']
    """
    paths = as_paths(files)

    def read(forced: Forced, progress: Progress) -> "Graph":
        triples = _Triples()
        for number, file in enumerate(paths):
            scope = f"f{number + 1}." if len(paths) > 1 else ""
            triples.read(file, scope, progress)
        return triples.graph(node_type)

    return run(read, path)


@dataclass
class _Part:
    """The triples of some lines, as the kernel found them."""

    spans: I64
    flags: U8


@dataclass
class _Literals:
    """Literals in order: of which node, of which property, and what."""

    subjects: U32
    properties: U32
    kinds: U8
    words: U64
    texts: TextArray
    """Empty where the kind is not text."""


class _Triples:
    """All triples of one import."""

    def __init__(self) -> None:
        self._nodes = TextKeys()
        self._predicates = TextKeys()
        self._connections = TextKeys()
        self._tags = TextKeys()
        self._sources: list[U32] = []
        self._targets: list[U32] = []
        self._codes: list[U32] = []
        self._literals: list[_Literals] = []

    def read(self, path: Path, scope: str, progress: Progress) -> None:
        """Read a file."""
        line = 1
        for block in read_blocks(path):
            ends = cut_lines(block, 0)
            jobs = [partial(_split, path, block, *end) for end in ends]
            counts: list[int] = []
            parts = []
            for (at, stop), found in zip(ends, threads.run(jobs), strict=True):
                if isinstance(found, FormatError):
                    raise _at_line(found, line + sum(counts))
                assert isinstance(found, _Part)
                counts.append(newlines(block[at:stop]))
                parts.append(found)
            spans = np.concatenate([part.spans for part in parts])
            flags = np.concatenate([part.flags for part in parts])
            self._add(block, spans, flags, scope)
            rows = Rows(flags.size, [], lambda row: row, block.size, sum(counts))
            progress.add(path, rows)
            line += rows.line_count

    def _add(self, block: U8, spans: I64, flags: U8, scope: str) -> None:
        k = kernels.ntriples
        objects = flags & k.OBJECT
        literal = objects == k.LITERAL
        escaped = (flags & k.ESCAPED) != 0
        # Subject and object take turns, so that nodes are numbered as they appear.
        ends = spans[:, [0, 1, 4, 5]].reshape(-1, 2)
        used = np.ones(len(ends), bool)
        used[1::2] = ~literal
        blank = np.empty(len(ends), bool)
        blank[0::2] = flags & k.SUBJECT_BLANK != 0
        blank[1::2] = objects == k.BLANK
        texts = _texts(block, ends[used], np.repeat(escaped, 2)[used])
        if blank.any():
            texts = lines([(f"_:{scope}".encode(), blank[used]), texts], len(texts))
        nodes = np.zeros(len(ends), np.uint32)
        nodes[used] = self._nodes.insert(texts.offsets, texts.data)
        subjects = nodes[0::2]
        predicates = _texts(block, spans[:, 2:4], escaped)
        if not literal.all():
            edges = np.flatnonzero(~literal)
            self._sources.append(subjects[edges])
            self._targets.append(nodes[1::2][edges])
            held = predicates.take(edges)
            codes = self._connections.insert(held.offsets, held.data)
            self._codes.append(codes.astype(np.uint32))
        rows = np.flatnonzero(literal)
        if rows.size:
            self._add_literals(block, spans[rows], flags[rows], subjects[rows], predicates, rows)

    def _add_literals(
        self, block: U8, spans: I64, flags: U8, subjects: U32, predicates: TextArray, rows: I64
    ) -> None:
        k = kernels.ntriples
        escaped = (flags & k.ESCAPED) != 0
        texts = _texts(block, spans[:, 4:6], escaped)
        marks: list[tuple[bytes, np.ndarray]] = [
            (b"@", flags & k.LANGUAGE != 0),
            (b"^^", flags & k.DATATYPE != 0),
        ]
        tags = lines([*marks, _texts(block, spans[:, 6:8], escaped)], rows.size)
        codes = self._tags.insert(tags.offsets, tags.data)
        names = strings(Texts(*self._tags.texts()))
        table = np.array([TYPED.get(name, 0) for name in names], np.uint8)
        wanted = table[codes]
        found = np.empty(rows.size, np.uint8)
        words = np.empty(rows.size, np.uint64)
        floats = words.view(np.float64)
        k.convert_values(texts.offsets, texts.data, read_only(wanted), found, words, floats)
        hard = np.flatnonzero(found == k.HARD)
        if hard.size:
            numbers = texts.take(hard).to_strings().astype(np.float64)
            floats[hard] = numbers
            found[hard] = np.where(np.isinf(numbers), k.TEXT, k.DOUBLE)
            words[hard[np.isinf(numbers)]] = 0
        self._tags.insert(np.zeros(2, np.int64), np.zeros(0, np.uint8))  # no tag has a number
        plain = self._tags.find(np.zeros(2, np.int64), np.zeros(0, np.uint8))[0]
        is_string = np.array([name in _PLAIN for name in names], bool)
        codes[(found != k.TEXT) | is_string[codes]] = plain
        held = predicates.take(rows)
        predicate = self._predicates.insert(held.offsets, held.data)
        properties = self._property_codes(predicate, codes)
        kept = np.where(found == k.TEXT, np.arange(rows.size), rows.size)
        texts = TextArray.concatenate([texts, TextArray.empty(1)]).take(kept)
        self._literals.append(_Literals(subjects, properties, found, words, texts))

    def _property_codes(self, predicates: I64, tags: I64) -> U32:
        """Pairs of predicate and tag; 16 bits of tags are far more than there are."""
        if len(self._tags) > _MOST_TAGS or len(self._predicates) > _MOST_TAGS:
            raise LimitError(f"more than {_MOST_TAGS} different predicates or tags of literals")
        return (predicates << 16 | tags).astype(np.uint32)

    # -- the graph ----------------------------------------------------------------------------

    def graph(self, node_type: str) -> "Graph":
        """Return the graph of all that was read."""
        from nkgraph.edges import Ends
        from nkgraph.graph import Graph

        graph = Graph()
        if not len(self._nodes):
            return graph
        properties = self._properties()
        graph._add_nodes_unchecked(node_type, TextArray(*self._nodes.texts()), properties)
        if self._sources:
            ends = Ends(joined(self._sources), joined(self._targets))
            names = strings(Texts(*self._connections.texts()))
            graph._append_edges(names, joined(self._codes), ends)
        return graph

    def _properties(self) -> dict[str, object]:
        if not self._literals:
            return {}
        codes = joined(part.properties for part in self._literals)
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=np.uint32(0)) != 0)
        starts = np.unique(np.concatenate([[0], starts]))
        needed, there = 9 * len(self._nodes) * starts.size, physical_memory()
        if needed > there:
            raise LimitError(
                f"{starts.size} properties of {len(self._nodes)} nodes take {needed} bytes, "
                f"there are {there}"
            )
        subjects = joined(part.subjects for part in self._literals)
        kinds_found = np.concatenate([part.kinds for part in self._literals])
        words = np.concatenate([part.words for part in self._literals])
        texts = TextArray.concatenate([part.texts for part in self._literals])
        self._literals.clear()
        predicates = strings(Texts(*self._predicates.texts()))
        tags = strings(Texts(*self._tags.texts()))
        found: dict[str, object] = {}
        for rows in np.split(order, starts[1:]):
            code = int(codes[rows[0]])
            tag = tags[code & 0xFFFF]
            name = f"{predicates[code >> 16]} {tag}" if tag else predicates[code >> 16]
            part = _column(kinds_found[rows], words[rows], texts, rows)
            found[name] = _spread(part, subjects[rows], len(self._nodes))
        return found


_MOST_TAGS: Final = 1 << 16


def _split(path: Path, block: U8, start: int, stop: int) -> _Part | FormatError:
    """Find the triples of whole lines; a problem has its line, from 0, in ``offset``."""
    bad = not_utf8(block[start:stop])
    if bad is not None:
        at, found = bad
        return FormatError(path, "", newlines(block[start : start + at]), "UTF-8 text", found)
    count = newlines(block[start:stop])
    spans, flags = np.empty((count, 8), np.int64), np.empty(count, np.uint8)
    split = kernels.ntriples.split_triples
    rows, problem, place = split(read_only(block), start, stop, spans, flags)
    if problem != kernels.ntriples.GOOD:
        expected = next(
            text for name, text in _EXPECTED.items() if getattr(kernels.ntriples, name) == problem
        )
        rest = block[place : min(place + 200, stop)].tobytes().split(b"\n")[0].rstrip(b"\r")
        shown = rest.decode("utf-8", "replace")
        shown = repr(shown if len(shown) <= 40 else shown[:40] + "...") if shown else "nothing"
        return FormatError(path, "", newlines(block[start:place]), expected, shown)
    return _Part(spans[:rows], flags[:rows])


def _at_line(problem: FormatError, line: int) -> FormatError:
    where = f"line {line + (problem.offset or 0)}"
    return FormatError(problem.path, where, None, problem.expected, problem.found)


def _texts(block: U8, spans: I64, escaped: np.ndarray) -> TextArray:
    """Copy spans of a block, (k, 2), and undo their escapes."""
    count = len(spans)
    spans = np.ascontiguousarray(spans)
    which = np.zeros(1, np.int64)
    starts, stops = spans[:, :1].copy(), spans[:, 1:].copy()
    offsets = np.empty(count + 1, np.int64)
    kernels.parse.measure_texts(block, starts, stops, count, which, offsets)
    data = np.empty(int(offsets[-1]), np.uint8)
    kernels.parse.copy_texts(block, starts, stops, count, which, offsets, data)
    if not escaped.any():
        return TextArray(offsets, data)
    out_offsets, out = np.empty(count + 1, np.int64), np.empty(data.size, np.uint8)
    marks = read_only(escaped.astype(np.uint8))
    kernels.ntriples.unescape(read_only(offsets), read_only(data), marks, out_offsets, out)
    return TextArray(out_offsets, out[: out_offsets[-1]])


# -- columns of literals ----------------------------------------------------------------------


def _column(found: U8, words: U64, texts: TextArray, rows: I64) -> AnyColumn:
    """Return some literals as a column, in their order; ``rows`` are theirs in ``texts``."""
    held = np.unique(found).tolist()
    if len(held) == 1:
        return _of_kind(held[0], words, texts, rows)
    places = [np.flatnonzero(found == kind) for kind in held]
    parts = [
        _of_kind(kind, words[at], texts, rows[at]) for kind, at in zip(held, places, strict=True)
    ]
    order = np.empty(rows.size, np.int64)
    order[np.concatenate(places)] = np.arange(rows.size)
    return columns.concatenate(parts).take(order)


def _of_kind(kind: int, words: U64, texts: TextArray, rows: I64) -> AnyColumn:
    if kind == kernels.ntriples.TEXT:
        return TextColumn(texts.take(rows), None)
    name = _FIXED[kind]
    if name in ("int64", "float64"):
        return FixedColumn(name, words.view(columns.DTYPES[name]), None)
    return FixedColumn(name, words.view(np.int64).astype(columns.DTYPES[name]), None)


def _spread(part: AnyColumn, subjects: U32, count: int) -> AnyColumn:
    """Give each of ``count`` nodes its literal; several become a list, in their order."""
    order = np.argsort(subjects, kind="stable")
    ordered = subjects[order]
    first = np.ones(order.size, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(first)
    part = part.take(order)
    if starts.size < order.size:
        part = _listed(part, starts)
    places = np.full(count, len(part))
    places[ordered[starts]] = np.arange(starts.size)
    return columns.concatenate([part, columns.absent(1)]).take(places)


def _listed(column: AnyColumn, starts: I64) -> MixedColumn:
    """Make one value of each run: itself if it is alone, else a list (count and encoded values)."""
    values = columns.to_values(column)
    sizes = np.diff(np.append(starts, len(values)))
    several = np.flatnonzero(sizes > 1)
    alone = values.take(starts[sizes == 1])
    heads = TextArray(8 * np.arange(several.size + 1), sizes[several].astype("<u8").view(np.uint8))
    encoded = kinds.encodings(values)
    # The head of each list, then its values: all in one gather.
    member = np.repeat(sizes > 1, sizes)
    keys = np.concatenate([2 * starts[several], 2 * np.flatnonzero(member) + 1])
    rows = np.concatenate([np.arange(several.size), several.size + np.flatnonzero(member)])
    order = np.argsort(keys, kind="stable")
    laid = TextArray.concatenate([heads, encoded]).take(rows[order])
    words = laid.offsets[:-1][order < several.size].astype(np.uint64)
    lists = Values(np.full(several.size, kinds.LIST, np.uint8), words, laid.data)
    places = np.empty(starts.size, np.int64)
    places[sizes == 1] = np.arange(len(alone))
    places[several] = len(alone) + np.arange(several.size)
    return MixedColumn(Values.concatenate([alone, lists]).take(places))
