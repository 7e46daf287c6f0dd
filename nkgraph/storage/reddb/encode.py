"""A graph as the records of one collection of a dump, without a Python object per entity.

Every node type and connection type is handled on its own, column by column: sizes first, then the
records, each at the place that the order of node ids and edge ids gives it. What no column of one
kind holds is encoded value by value (``encode_values``), all else by kernels
(``nkgraph.kernels.dump_write``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U32
from nkgraph.errors import GraphError, LimitError
from nkgraph.storage.kglite.names import check_name
from nkgraph.storage.reddb import encode_columns, layout
from nkgraph.storage.reddb.any_graph import AnyGraph, Edges
from nkgraph.storage.reddb.encode_columns import F32, NO_WEIGHTS, WEIGHT, Source
from nkgraph.storage.reddb.encode_ids import (
    NO_ROWS,
    OWN_ID,
    ExternalIds,
    Own,
    TypeRows,
    entity_ids,
    external_ids,
    field_head,
    label_fields,
    own_metadata,
)
from nkgraph.storage.reddb.encode_values import Compress, Encoder, varint, with_length
from nkgraph.storage.reddb.layout import Remark
from nkgraph.storage.reddb.packing import packer
from nkgraph.storage.text import TextArray

MAX_COUNT = 2**32 - 1
"""What a u32 length or count can say."""
MIN_ROWS = 1 << 12
"""Fewer rows than this a thread are not worth starting it."""
BLOCK_BYTES = 1 << 18
"""Records that are written column by column stay in the cache."""

_MAGIC = int.from_bytes(layout.RECORD_MAGIC, "little")
_KIND = {entry.name: entry.code for entry in layout.KINDS}
_DATA = {entry.name: entry.code for entry in layout.DATA}
_FRAME = 16  # lengths of record, entity and metadata, and the magic
_TAIL = 3  # whether there is a logical id, xmin, xmax
_NO_COUNTS: U32 = np.zeros(0, np.uint32)


@dataclass(frozen=True)
class Encoded:
    """The records of one collection.

    Parameters
    ----------
    name : str
        The collection.
    data : (b,) uint8
        Records one after the other, each with its u32 length: nodes by node id, then edges by
        edge id.
    record_at : (k + 1,) int64
        Record i is ``data[record_at[i]:record_at[i + 1]]``.
    node_count : int
        How many of them are nodes.
    remarks : tuple of Remark
        What comes back as something else, by column.
    """

    name: str
    data: U8
    record_at: I64
    node_count: int
    remarks: tuple[Remark, ...] = ()


# -- parts ------------------------------------------------------------------------------------


class _Frame(NamedTuple):
    """What all records share."""

    ids: I64
    """Entity ids, (k,)."""
    stamp: U8
    own_keys: U8
    labels: TextArray
    """Encoded metadata fields, by combination of labels; the first is that of no label."""


class _Part:
    """Records of the rows of one node type or connection type."""

    def __init__(self, rows: I64, places: I64, sources: list[Source], own: Own) -> None:
        self.rows, self.places, self.own = read_only(rows), read_only(places), own
        self.sources = sources
        sizes = [source.everywhere for source in sources]
        self.given = sum(size is not None for size in sizes)
        self.fixed = sum(size or 0 for size in sizes)
        varying = self.given < len(sources)
        self.counts: U32 = np.zeros(places.size, np.uint32) if varying else _NO_COUNTS

    def add_all_sizes(self, frame: _Frame, sizes: I64) -> None:
        """Add the bytes of each record, on all threads."""
        spans = threads.split(self.places.size, least=MIN_ROWS)
        threads.run([partial(self._add_sizes, frame, sizes, span) for span in spans])

    def _add_sizes(self, frame: _Frame, sizes: I64, span: tuple[int, int]) -> None:
        for source in self.sources:
            if source.everywhere is None:
                source.add_sizes(self.rows, self.places, span, self.counts, sizes)
        base = _FRAME + _TAIL + self.fixed + encode_columns.constant_size(frame.stamp)
        self.add_rest(frame, base, span, sizes)

    def write_all(self, frame: _Frame, record_at: I64, out: U8) -> None:
        """Write the records, on all threads."""
        count = self.places.size
        mean = int(record_at[-1]) // max(record_at.size - 1, 1) + 1
        step = min(max(BLOCK_BYTES // mean, 64), 8192)
        spans = threads.split(count, least=MIN_ROWS)
        threads.run([partial(self._write, frame, record_at, out, step, span) for span in spans])

    def _write(
        self, frame: _Frame, record_at: I64, out: U8, step: int, span: tuple[int, int]
    ) -> None:
        cursor = np.empty(step, np.int64)
        for start in range(*span, step):
            block = start, min(start + step, span[1])
            bad = self.write_heads(frame, record_at, block, cursor, out)
            for source in self.sources:
                if bad < 0:
                    bad = source.write(self.rows, block, cursor, out)
            if bad < 0:
                bad = self._write_tails(frame, record_at, block, cursor, out)
            if bad >= 0:
                raise GraphError(f"record {self.places[bad]}: the graph was changed meanwhile")

    def _write_tails(
        self, frame: _Frame, record_at: I64, block: tuple[int, int], cursor: I64, out: U8
    ) -> int:
        own = self.own
        bad: int = kernels.dump_write.write_tails(
            record_at, self.rows, self.places, frame.ids, frame.stamp, read_only(own.forms),
            read_only(own.ints), own.texts.offsets, own.texts.data, own.dense, frame.own_keys,
            read_only(own.label_of), frame.labels.offsets, frame.labels.data, *block, cursor, out,
        )  # fmt: skip
        return bad

    def add_rest(self, frame: _Frame, base: int, span: tuple[int, int], sizes: I64) -> None:
        """Add all but the properties that vary; ``base`` is what every row has."""
        raise NotImplementedError

    def write_heads(
        self, frame: _Frame, record_at: I64, block: tuple[int, int], cursor: I64, out: U8
    ) -> int:
        """Write all before the properties."""
        raise NotImplementedError


class _NodePart(_Part):
    def __init__(
        self,
        name: str,
        rows: I64,
        places: I64,
        sources: list[Source],
        own: Own,
        titles: tuple[TextArray, U8],
    ) -> None:
        super().__init__(rows, places, sources, own)
        self.titles, self.title_states = titles
        self.middle = encode_columns.constant(with_length(name.encode()) + bytes([_DATA["node"]]))

    def add_rest(self, frame: _Frame, base: int, span: tuple[int, int], sizes: I64) -> None:
        own, key = self.own, frame.own_keys.size // 2
        base += 1 + encode_columns.constant_size(self.middle)
        kernels.dump_write.add_node_sizes(
            base, self.rows, self.places, frame.ids, read_only(self.counts), self.given,
            self.titles.offsets, read_only(self.title_states), read_only(own.forms),
            own.texts.offsets, own.dense, key, read_only(own.label_of), frame.labels.offsets,
            *span, sizes,
        )  # fmt: skip

    def write_heads(
        self, frame: _Frame, record_at: I64, block: tuple[int, int], cursor: I64, out: U8
    ) -> int:
        bad: int = kernels.dump_write.write_node_heads(
            record_at, self.rows, self.places, frame.ids, _MAGIC, _KIND["graph_node"],
            self.titles.offsets, self.titles.data, read_only(self.title_states), self.middle,
            read_only(self.counts), self.given, *block, cursor, out,
        )  # fmt: skip
        return bad


class _Ends(NamedTuple):
    """Ends of all edges: edge e of them is record ``before + e``."""

    before: int
    sources: U32
    targets: U32
    node_ids: I64
    """Entity ids by node id."""


class _EdgePart(_Part):
    def __init__(
        self, name: str, places: I64, sources: list[Source], ends: _Ends, weights: F32
    ) -> None:
        super().__init__(NO_ROWS, places, sources, Own())
        self.ends, self.weights = ends, weights
        kind = bytes([_KIND["graph_edge"]])
        self.label = encode_columns.constant(kind + with_length(name.encode()))

    def add_rest(self, frame: _Frame, base: int, span: tuple[int, int], sizes: I64) -> None:
        base += encode_columns.constant_size(self.label) + 2 + 4 + 1 + 4
        kernels.dump_write.add_edge_sizes(
            base, self.places, frame.ids, read_only(self.counts), self.given, *self.ends, *span,
            sizes,
        )  # fmt: skip

    def write_heads(
        self, frame: _Frame, record_at: I64, block: tuple[int, int], cursor: I64, out: U8
    ) -> int:
        bad: int = kernels.dump_write.write_edge_heads(
            record_at, self.places, frame.ids, _MAGIC, self.label, _DATA["edge"], *self.ends,
            read_only(self.weights), read_only(self.counts), self.given, *block, cursor, out,
        )  # fmt: skip
        return bad


# -- the graph --------------------------------------------------------------------------------


class _Notes:
    """Remarks in the making, and the encoders of columns."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []
        self.compress: Compress = packer(layout.COMPRESSION_LEVEL)

    def encoder(self, name: str) -> Encoder:
        return Encoder(name, self.compress)

    def take(self, encoder: Encoder) -> None:
        for problem, count in sorted(encoder.notes.items()):
            self.add(encoder.name, f"{count} {problem}")

    def add(self, name: str, problem: str) -> None:
        self.remarks.append(Remark(name, None, problem))


def encode_graph(graph: AnyGraph, collection: str = "graph", now: int = 0) -> Encoded:
    r"""Encode the live nodes and edges of a graph as records of one collection.

    Parameters
    ----------
    graph : Graph
    collection : str
    now : int
        Seconds since 1970 that entities are created and updated at.

    Returns
    -------
    Encoded

    Raises
    ------
    GraphError
        A value or an id that a dump cannot hold exactly, with property and row.
    LimitError
        A record of 4 GiB, or 2**32 of them.

    Notes
    -----
    Integer ids of 1024 and more that are unique over all node types are entity ids; other nodes,
    then edges, get free ones in order, and such a node keeps its own id in its metadata, as it
    keeps its secondary labels. Equal graphs give equal bytes, on any number of threads.

    Reads every column as the graph holds it. Allocates, beside the records, 24 bytes a record,
    16 more an edge and up to 25 a node; and the encoded bytes of values in mixed columns and of
    compressed texts: together less than the records for all but the smallest.

    Examples
    --------
    >>> import nkgraph as nk
    >>> g = nk.Graph()
    >>> people = g.add_nodes("person", [1024], {"age": [30]}, titles=["ann"])
    >>> found = encode_graph(g, "people", now=1_700_000_000)
    >>> found.record_at.tolist(), found.data[:12].tobytes()
    ([0, 63], b';\x00\x00\x00RER1/\x00\x00\x00')
    """
    if not 0 <= now < 2**64:
        raise GraphError(f"now is {now}, not a time of 64 bits")
    check_name(collection, "collection")
    notes = _Notes()
    parts, place_of, count = _live_rows(graph)
    sources, targets, codes, _ = graph._edges.split()
    total = count + int(sources.size)
    if total > MAX_COUNT:
        raise LimitError(f"{total} nodes and edges; a collection can hold {MAX_COUNT}")
    external = [external_ids(part) for part in parts]
    ids = read_only(entity_ids(parts, external, total))
    labels, label_of = label_fields(graph, place_of, count)
    made: list[_Part] = [
        _node_part(part, own, ids, label_of, notes)
        for part, own in zip(parts, external, strict=True)
    ]
    node_ids = (
        ids[:count] if count == place_of.size else _ids_of_live(ids, place_of, sources, targets)
    )
    ends = _Ends(count, read_only(sources), read_only(targets), read_only(node_ids))
    made += _edge_parts(graph._edges, codes, ends, notes)
    stamp = encode_columns.constant(2 * varint(now) + bytes(2))
    own_keys = np.frombuffer(field_head(OWN_ID, "int") + field_head(OWN_ID, "string"), np.uint8)
    frame = _Frame(ids, stamp, read_only(own_keys), labels)
    del external, place_of, label_of
    return _encode(collection, made, frame, count, tuple(notes.remarks))


def _ids_of_live(ids: I64, place_of: I64, sources: U32, targets: U32) -> I64:
    """Return entity ids by node id, with no edge that ends in a removed node."""
    for nodes in (sources, targets):
        lost = place_of[nodes] < 0
        if lost.any():
            node = int(nodes[np.argmax(lost)])
            raise GraphError(f"an edge ends in node {node}, which was removed: see Graph.verify()")
    node_ids = np.zeros(place_of.size, np.int64)
    live = place_of >= 0
    node_ids[live] = ids[place_of[live]]
    return node_ids


def _encode(
    name: str, parts: Sequence[_Part], frame: _Frame, count: int, remarks: tuple[Remark, ...]
) -> Encoded:
    record_at = np.zeros(frame.ids.size + 1, np.int64)
    for part in parts:
        part.add_all_sizes(frame, record_at[1:])
    largest = int(record_at[1:].max(initial=0))
    if largest > MAX_COUNT:
        which = int(np.argmax(record_at)) - 1
        what = f"node {which}" if which < count else f"edge {which - count}"
        raise LimitError(f"the record of {what}, of live ones, takes {largest} bytes: 4 GiB end it")
    np.cumsum(record_at, out=record_at)
    record_at = read_only(record_at)
    out = np.empty(int(record_at[-1]), np.uint8)
    for part in parts:
        part.write_all(frame, record_at, out)
    return Encoded(name, read_only(out), record_at, count, remarks)


def _live_rows(graph: AnyGraph) -> tuple[list[TypeRows], I64, int]:
    """Return the types that have nodes; the place of each node id, -1 if removed; and the count."""
    table = graph._nodes
    live = graph.nodes()
    place_of = np.full(table.slot_count, -1, np.int64)
    place_of[live] = np.arange(live.size)
    parts = []
    for name, node_type in table.tables.items():
        if node_type.count:
            nodes = node_type.nodes
            rows = node_type.rows_of(table.slots, nodes)
            if rows.size == node_type.row_count and bool((np.diff(rows) == 1).all()):
                rows = NO_ROWS
            parts.append(TypeRows(name, node_type, rows, place_of[nodes]))
    return parts, place_of, int(live.size)


def _node_part(
    part: TypeRows, external: ExternalIds, ids: I64, label_of: I64, notes: _Notes
) -> _NodePart:
    sources: list[Source] = []
    for name in sorted(part.table.properties):
        encoder = notes.encoder(f"{part.name}.{name}")
        sources += encode_columns.sources(name, part.table.properties[name].read(), encoder)
        notes.take(encoder)
    texts, states, others = encode_columns.titles(part.table.titles.read())
    if others:
        notes.add(f"{part.name}: titles", f"{others} that are no texts are written as texts")
    own = own_metadata(external, part, ids, label_of)
    return _NodePart(part.name, part.rows, part.places, sources, own, (texts, states))


def _edge_parts(edges: Edges, codes: U32, ends: _Ends, notes: _Notes) -> list[_Part]:
    tables = {table.hash: table for table in edges.tables.values()}
    hashes = edges.hashes.tolist()
    small = codes.astype(np.uint16) if len(hashes) <= 1 << 16 else codes  # radix sort
    order = np.argsort(small, kind="stable")
    stops = np.cumsum(np.bincount(codes, minlength=len(hashes))).tolist()
    parts: list[_Part] = []
    start = 0
    for value, stop in zip(hashes, stops, strict=True):
        table, places = tables[value], order[start:stop] + ends.before
        start = stop
        sources: list[Source] = []
        weights = NO_WEIGHTS
        for name in table.names:
            encoder = notes.encoder(f"{table.name}.{name}")
            column = table.read(name, None)
            if name == WEIGHT:
                weights, found = encode_columns.weights(column, encoder)
            else:
                found = encode_columns.sources(name, column, encoder)
            sources += found
            notes.take(encoder)
        parts.append(_EdgePart(table.name, places, sources, ends, weights))
    return parts
