"""A store over the bytes of a dump: one walk checks them, entities are decoded when asked for."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from nkgraph import kernels
from nkgraph.dtypes import I64, U8
from nkgraph.storage.files import map_array
from nkgraph.storage.reddb.any_graph import AnyGraph
from nkgraph.storage.reddb.cursor import Cursor, Remarks
from nkgraph.storage.reddb.dump import dumps, read_rest
from nkgraph.storage.reddb.encode import Encoded, encode_graph
from nkgraph.storage.reddb.entity import KIND_TAGS, Entity, GraphEdge, GraphNode, StoreReference
from nkgraph.storage.reddb.index import HEADER_BYTES, Index, index
from nkgraph.storage.reddb.layout import VERSION, Limits
from nkgraph.storage.reddb.records import read_record, read_store_reference
from nkgraph.storage.reddb.store import Entities, Store

AnyPath: TypeAlias = str | PathLike[str]


class Image(NamedTuple):
    """The bytes of a dump, and where everything lies in them."""

    data: U8
    found: Index
    path: AnyPath
    limits: Limits

    def cursor(self, at: int) -> Cursor:
        """Return a cursor at a byte."""
        version, stop = self.found.version, self.found.stop
        return Cursor(
            self.data, self.path, at=at, stop=stop, version=version, limits=self.limits
        )  # fmt: skip

    def entity(self, row: int) -> Entity:
        """Decode the entity of a row of the index."""
        return read_record(self.cursor(int(self.found.places[row])))

    def references(self) -> list[StoreReference]:
        """Decode the cross-reference section."""
        if not self.found.section_at:
            return []
        cursor = self.cursor(self.found.section_at)
        count = cursor.count("cross-reference count", "reference")
        return [read_store_reference(cursor) for _ in range(count)]


class ImageSource:
    """Some entities of a dump, as a source of ``Entities``.

    Parameters
    ----------
    image : Image
    rows : (n,) int64
        Rows of its index.
    """

    def __init__(self, image: Image, rows: I64) -> None:
        self.image, self.rows = image, rows

    def __len__(self) -> int:
        return int(self.rows.size)

    def entity(self, row: int) -> Entity:
        """Decode one."""
        return self.image.entity(int(self.rows[row]))

    def kinds(self) -> U8:
        """Return the kind tag of each."""
        return self.image.found.kinds[self.rows]

    def runs(self, start: int, stop: int) -> Iterator[tuple[memoryview | None, int]]:
        """Walk runs of records that are as the writer would write them, and of others."""
        rows, found = self.rows[start:stop], self.image.found
        plain = found.flags[rows] & kernels.dump_steps.IS_PLAIN != 0
        ends = np.flatnonzero((plain[1:] != plain[:-1]) | (np.diff(rows) != 1)) + 1
        for a, b in pairwise((0, *ends.tolist(), rows.size)):
            if plain[a]:
                records = self.image.data[found.places[rows[a]] : found.item_stop(rows[b - 1])]
                yield records.data, b - a
            else:
                yield None, b - a


class EncodedSource:
    """The records of an encoded graph, as a source of ``Entities``."""

    def __init__(self, encoded: Encoded) -> None:
        self.data, self.record_at = encoded.data, encoded.record_at
        self.node_count = encoded.node_count

    def __len__(self) -> int:
        return int(self.record_at.size) - 1

    def entity(self, row: int) -> Entity:
        """Decode one."""
        return read_record(Cursor(self.data, at=int(self.record_at[row]), version=VERSION))

    def kinds(self) -> U8:
        """Return the kind tag of each: nodes come first."""
        kinds = np.full(len(self), KIND_TAGS[GraphEdge], np.uint8)
        kinds[: self.node_count] = KIND_TAGS[GraphNode]
        return kinds

    def runs(self, start: int, stop: int) -> Iterator[tuple[memoryview | None, int]]:
        """All rows are one run."""
        records = self.data[self.record_at[start] : self.record_at[stop]]
        yield records.data, stop - start


# -- dumps --------------------------------------------------------------------------------------


def load(path: str | PathLike[str], limits: Limits | None = None, strict: bool = False) -> Store:
    """Read a dump of version 1 to 10.

    All bytes are checked now, in one walk; entities are decoded when they are asked for, from the
    mapped file.

    Parameters
    ----------
    path : str or PathLike
    limits : Limits, optional
        Nesting (256), bytes of a value (256 MiB) and of all that is decompressed (1 GiB).
    strict : bool
        Refuse what is odd but legal; else it stands in the store's ``remarks``.

    Raises
    ------
    FormatError
        The file is damaged; VersionError if it is of a version beyond 10.
    LimitError
        It is beyond ``limits``.

    Notes
    -----
    O(bytes). Keeps 26 bytes an entity, and what ``index.index`` says.

    Examples
    --------
    >>> from nkgraph.storage import reddb
    >>> reddb.save(reddb.Store(), "empty.rdst")
    >>> reddb.load("empty.rdst")
    <Store of version 10: no collections>
    """
    return _open(map_array(Path(path), np.dtype(np.uint8)), path, limits, strict)


def loads(data: bytes, limits: Limits | None = None, strict: bool = False) -> Store:
    """Read the bytes of a dump, which the store then refers to: see ``load``.

    Examples
    --------
    >>> from nkgraph.storage import reddb
    >>> reddb.loads(reddb.dumps(reddb.Store())).format_version
    10
    """
    return _open(np.frombuffer(data, np.uint8), "dump", limits, strict)


def _open(data: U8, path: AnyPath, limits: Limits | None, strict: bool) -> Store:
    limits = limits or Limits()
    return _store(Image(data, index(data, path, limits), path, limits), strict)


def _store(image: Image, strict: bool) -> Store:
    found = image.found
    firsts = found.firsts.tolist()
    rows: dict[str, list[I64]] = {}
    for name, (first, stop) in zip(found.names, pairwise(firsts), strict=True):
        rows.setdefault(name, []).append(np.arange(first, stop))
    store = Store(
        {
            name: Entities(source=ImageSource(image, np.concatenate(parts)))
            for name, parts in rows.items()
        },
        list(zip(found.names, np.diff(found.firsts).tolist(), strict=True)),
    )
    store.format_version = found.version
    store.defer_cross_refs(image.references)
    store.aux_metadata = bytes(image.data[found.aux_at : found.aux_at + found.aux_bytes])
    store.trailing_bytes = found.trailing_bytes
    store.remarks = _remarks(image, strict)
    store.path = image.path
    store.image = image
    return store


def _remarks(image: Image, strict: bool) -> Remarks:
    """Decode what the walk found odd, and collect what is to be said of it, in file order.

    Raises
    ------
    FormatError
        There is something, and ``strict`` refuses it.
    """
    found = image.found
    cursor = image.cursor(HEADER_BYTES)
    cursor.strict = strict
    for row in np.flatnonzero(found.flags & kernels.dump_steps.IS_ODD):
        collection = found.collection_of(int(row))
        cursor.collection, cursor.at = found.names[collection], int(found.places[row])
        cursor.entity = int(row - found.firsts[collection])
        cursor.unpacked = 0
        read_record(cursor)
    cursor.collection = cursor.entity = None
    if found.odd_outside:
        cursor.at = HEADER_BYTES
        cursor.count("collection count", "collection")
        for stop in found.stops.tolist():
            cursor.text("collection name")
            cursor.count("entity count", "entity")
            cursor.at = stop
        read_rest(cursor, Store())
    cursor.remarks.sort(key=lambda remark: (remark.offset is None, remark.offset))
    return cursor.remarks


# -- graphs -------------------------------------------------------------------------------------


def image_of(store: Store) -> Image:
    """Return the bytes that a store stands for: those it came from, if nothing was changed."""
    if isinstance(store.image, Image) and store.is_as_stored:
        return store.image
    data = np.frombuffer(dumps(store), np.uint8)
    limits = Limits(value_bytes=max(data.size, 1), total_bytes=sys.maxsize)
    return Image(data, index(data, store.path, limits), store.path, limits)


def from_graph(graph: AnyGraph, collection: str = "graph", now: int = 0) -> Store:
    """Make a store of the live nodes and edges of a graph: see ``encode.encode_graph``.

    Parameters
    ----------
    graph : Graph
    collection : str
        Holds all of it: nodes first, then edges.
    now : int
        Unix seconds that entities are said to be created at.

    Returns
    -------
    Store
        What comes back as something else stands in its ``remarks``.

    Raises
    ------
    GraphError
        A value that no type of the format holds exactly; names property and row.
    LimitError
        A record, count or id beyond what the format holds.

    Examples
    --------
    >>> from nkgraph.storage import reddb
    >>> g = nk.Graph()
    >>> towns = g.add_nodes("Town", ["Bern", "Chur"])
    >>> _ = g.add_edges("ROAD", towns[:1], towns[1:], {"weight": [0.5]})
    >>> store = reddb.from_graph(g)
    >>> store.collections["graph"][2].kind
    GraphEdge(label='ROAD', from_node='1024', to_node='1025', weight=500)
    >>> store.to_graph().node_types
    {'Town': 2}
    """
    encoded = encode_graph(graph, collection, now)
    store = Store({collection: Entities(source=EncodedSource(encoded))})
    store.remarks.extend(encoded.remarks)
    return store
