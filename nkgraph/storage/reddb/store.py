"""A dump in memory: named collections of entities, which may be decoded one at a time."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from os import PathLike
from typing import TYPE_CHECKING, Protocol, overload

from nkgraph.dtypes import U8
from nkgraph.storage.reddb import json_form
from nkgraph.storage.reddb.cursor import Remarks
from nkgraph.storage.reddb.entity import KIND_TAGS, Entity, StoreReference
from nkgraph.storage.reddb.layout import KINDS, VERSION, Remark

if TYPE_CHECKING:
    from nkgraph import Graph
    from nkgraph.storage.reddb.loading import Loaded


class EntitySource(Protocol):
    """Entities that lie somewhere, undecoded."""

    def __len__(self) -> int:
        """Count them."""

    def entity(self, row: int) -> Entity:
        """Decode one: a new object each time."""

    def kinds(self) -> U8:
        """Return the kind tag of each, (n,)."""

    def runs(self, start: int, stop: int) -> Iterator[tuple[memoryview | None, int]]:
        """Walk rows from ``start`` to ``stop`` in runs.

        A run is a number of rows and the bytes of their records of version 10, one after the
        other, just as the writer would write them; None if there are no such bytes.
        """


class Entities(MutableSequence[Entity]):
    """The entities of a collection: a list that decodes what is asked for.

    An entity that was asked for is kept, so that changes of it last, and is encoded when the
    store is saved; records of those that nobody asked for are copied. Walk ``decoded()`` to look
    at many without keeping them.

    Parameters
    ----------
    items : iterable of Entity
    source : EntitySource, optional
        Its entities come first.

    Examples
    --------
    >>> from nkgraph.storage.reddb import GraphNode, NodeData
    >>> people = Entities([Entity(1024, GraphNode("ann"), NodeData())])
    >>> people[0].kind.label, len(people)
    ('ann', 1)
    """

    __slots__ = ("_items", "_kept", "_source")

    def __init__(self, items: Iterable[Entity] = (), source: EntitySource | None = None) -> None:
        self._source = source
        self._kept: dict[int, Entity] = {}
        # Entities, and rows of the source; None as long as they are its rows in their order.
        self._items: list[Entity | int] | None = None
        if source is None:
            self._items = [_checked(item) for item in items]
        else:
            self.extend(items)

    def __len__(self) -> int:
        if self._items is not None:
            return len(self._items)
        return 0 if self._source is None else len(self._source)

    @overload
    def __getitem__(self, row: int) -> Entity: ...
    @overload
    def __getitem__(self, row: slice) -> list[Entity]: ...
    def __getitem__(self, row: int | slice) -> Entity | list[Entity]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        item = range(len(self))[row] if self._items is None else self._items[row]
        return item if isinstance(item, Entity) else self._keep(item)

    def _keep(self, row: int) -> Entity:
        """Return an entity of the source, the same object each time."""
        if row not in self._kept:
            self._kept[row] = self._decode(row)
        return self._kept[row]

    @overload
    def __setitem__(self, row: int, item: Entity) -> None: ...
    @overload
    def __setitem__(self, row: slice, item: Iterable[Entity]) -> None: ...
    def __setitem__(self, row: int | slice, item: Entity | Iterable[Entity]) -> None:
        if isinstance(row, slice):
            given = [item] if isinstance(item, Entity) else item
            self._listed()[row] = [_checked(each) for each in given]
        elif self._items is None:
            self._kept[range(len(self))[row]] = _checked(item)
        else:
            self._items[row] = _checked(item)

    def __delitem__(self, row: int | slice) -> None:
        del self._listed()[row]

    def insert(self, row: int, item: Entity) -> None:
        """Put an entity before ``row``."""
        self._listed().insert(row, _checked(item))

    def _listed(self) -> list[Entity | int]:
        """Return the list of items, which from now on may be in any order."""
        if self._items is None:
            self._items = list(range(len(self)))
        return self._items

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entities):
            return NotImplemented
        return len(self) == len(other) and all(
            a == b for a, b in zip(self.decoded(), other.decoded(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # can change

    def __repr__(self) -> str:
        return f"<{len(self)} entities>"

    def _decode(self, row: int) -> Entity:
        assert self._source is not None, "a row without a source"
        return self._source.entity(row)

    def decoded(self, start: int = 0, stop: int | None = None) -> Iterator[Entity]:
        """Walk the entities for reading only: a change of one may be lost."""
        rows = range(*slice(start, stop).indices(len(self)))
        items = rows if self._items is None else self._items[rows.start : rows.stop]
        for item in items:
            if isinstance(item, Entity):
                yield item
            else:
                yield self._kept.get(item) or self._decode(item)

    def to_save(self, start: int, stop: int) -> Iterator[tuple[int, memoryview | Entity]]:
        """Walk what is to be saved: a row, and records from there on as they lie, or an entity."""
        items = self._items
        if items is None:
            yield from self._to_save_in_order(start, stop)
            return
        row = start
        while row < stop:
            item, count = items[row], 1
            if isinstance(item, Entity):
                yield row, item
            elif item in self._kept:
                yield row, self._kept[item]
            else:
                while row + count < stop and items[row + count] == item + count:
                    if item + count in self._kept:
                        break
                    count += 1
                yield from self._from_source(row, item, item + count)
            row += count

    def _to_save_in_order(self, row: int, stop: int) -> Iterator[tuple[int, memoryview | Entity]]:
        """``to_save`` of the rows of the source as they are."""
        for kept in sorted(each for each in self._kept if row <= each < stop):
            yield from self._from_source(row, row, kept)
            yield kept, self._kept[kept]
            row = kept + 1
        yield from self._from_source(row, row, stop)

    def _from_source(
        self, row: int, start: int, stop: int
    ) -> Iterator[tuple[int, memoryview | Entity]]:
        """Walk rows of the source, as rows from ``row`` on."""
        if start == stop:
            return
        assert self._source is not None, "a row without a source"
        for records, count in self._source.runs(start, stop):
            if records is not None:
                yield row, records
            else:
                for each in range(count):
                    yield row + each, self._decode(start + each)
            row, start = row + count, start + count

    def kinds(self) -> list[int]:
        """Return the kind tag of each entity."""
        if self._items is None and self._source is not None:
            tags: list[int] = self._source.kinds().tolist()
            for row, entity in self._kept.items():
                tags[row] = KIND_TAGS[type(entity.kind)]
            return tags
        return [KIND_TAGS[type(entity.kind)] for entity in self.decoded()]

    @property
    def is_as_stored(self) -> bool:
        """Whether these are the entities of the source, unchanged."""
        return self._items is None and all(
            self._decode(row) == entity for row, entity in self._kept.items()
        )


def _checked(item: object) -> Entity:
    """Return an entity; a number would be taken for a row of the source."""
    if not isinstance(item, Entity):
        raise TypeError(f"a collection holds entities, not {type(item).__name__}")
    return item


class Store:
    """A dump: collections by name, references between entities, and what a file adds to them.

    ``Store()`` is empty and can be filled and saved.

    Attributes
    ----------
    format_version : int
        The version of the file; 10 is what is written, whatever this is.
    collections : dict of str to Entities
        A plain list of entities will do, too.
    cross_refs : list of StoreReference
        The cross-reference section.
    aux_metadata : bytes
        Opaque; kept as it is.
    trailing_bytes : int
        Bytes behind the content that were ignored, and are not written.
    remarks : list of Remark
        What is odd in the file but was accepted.
    path : str
        The file, for errors.
    image : object
        What ``lazy.image_of`` needs of a store that was read.

    Examples
    --------
    >>> from nkgraph.storage.reddb import GraphNode, NodeData
    >>> store = Store()
    >>> store.collections["people"] = Entities([Entity(1024, GraphNode("ann"), NodeData())])
    >>> list(store.to_json()["collections"][0])
    ['name', 'entities']
    """

    def __init__(
        self,
        collections: Mapping[str, MutableSequence[Entity]] | None = None,
        sections: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Take collections; ``sections`` are their lengths in a file that has a name twice."""
        self.format_version = VERSION
        self.collections: dict[str, MutableSequence[Entity]] = dict(collections or {})
        self._cross_refs: list[StoreReference] | None = []
        self._read_cross_refs: Callable[[], list[StoreReference]] = list
        self.aux_metadata = b""
        self.trailing_bytes = 0
        self.remarks: list[Remark] = Remarks()
        self.path: str | PathLike[str] = "store"
        self.image: object = None
        self._sections = tuple(sections)
        self._names = tuple(self.collections)

    @classmethod
    def of_sections(cls, sections: Iterable[tuple[str, Iterable[Entity]]]) -> "Store":
        """Make a store of collections as a file lists them, where a name may come twice."""
        merged: dict[str, MutableSequence[Entity]] = {}
        lengths: list[tuple[str, int]] = []
        for name, entities in sections:
            held = merged.setdefault(name, Entities())
            before = len(held)
            held.extend(entities)
            lengths.append((name, len(held) - before))
        return cls(merged, lengths)

    @property
    def cross_refs(self) -> list[StoreReference]:
        """The cross-reference section; decoded when it is first asked for."""
        if self._cross_refs is None:
            self._cross_refs = self._read_cross_refs()
        return self._cross_refs

    @cross_refs.setter
    def cross_refs(self, references: list[StoreReference]) -> None:
        self._cross_refs = references

    def defer_cross_refs(self, read: Callable[[], list[StoreReference]]) -> None:
        """Say how to read the cross-reference section when it is asked for."""
        self._cross_refs, self._read_cross_refs = None, read

    @property
    def is_as_stored(self) -> bool:
        """Whether entities and references are what was read, unchanged."""
        return (
            tuple(self.collections) == self._names
            and all(isinstance(e, Entities) and e.is_as_stored for e in self.collections.values())
            and (self._cross_refs is None or self._cross_refs == self._read_cross_refs())
        )

    def sections(self) -> list[tuple[str, int, int]]:
        """Return name, first row and end of each collection as it stands in a file.

        A name that the file had twice is there twice, as long as the collections have the lengths
        of the file; otherwise each collection is in one piece.
        """
        ends = dict.fromkeys(self.collections, 0)
        found = []
        for name, length in self._sections:
            start = ends.get(name, 0)
            ends[name] = start + length
            found.append((name, start, start + length))
        twice = len(self._sections) > len(self._names)
        if twice and ends == {name: len(e) for name, e in self.collections.items()}:
            return found
        return [(name, 0, len(entities)) for name, entities in self.collections.items()]

    def in_file_order(self) -> Iterator[tuple[str, Iterator[Entity]]]:
        """Walk the collections as ``sections`` has them, for reading only."""
        for name, start, stop in self.sections():
            yield name, _decoded(self.collections[name], start, stop)

    def to_json(self) -> dict[str, object]:
        """Spell the store so that nothing is lost; ``from_json`` reads it."""
        return json_form.to_json(self)

    def to_graph(
        self, *, snapshot: int | None = None, resolve: str = "id", cross_references: bool = False
    ) -> "Graph":
        """Make a graph in memory of the entities that are nodes and edges.

        Parameters
        ----------
        snapshot : int, optional
            Take what a reader at this transaction sees; without it the current state, which is
            what was not deleted.
        resolve : {"id", "logical", "label"}
            How the ends of edges name nodes: by exactly the decimal id; else by logical id, or by
            a label that one node has, where that fails.
        cross_references : bool
            Add references between nodes as edges, too, of the type's name and with a "weight".

        Returns
        -------
        Graph
            Node types are those of the nodes ("Node" where empty), connection types the labels
            of the edges ("EDGE" where empty), ids the entity ids, titles the labels of nodes;
            every edge has a "weight". Which type of value becomes what kind of column:
            ``docs/reddb_values.md``.

        Warns
        -----
        RuntimeWarning
            Something of the dump is odd or not in the graph, as edges that lead nowhere; the
            graph's ``verify`` lists it.

        Raises
        ------
        LimitError
            An id beyond 64 bits with sign, or more nodes or edges than a graph can have.

        Notes
        -----
        O(bytes), without a Python object an entity: of values that become columns of one kind.
        Entities of other kinds are not looked at. A store that was changed is encoded first.
        """
        from nkgraph.storage.reddb.graph import to_graph
        from nkgraph.storage.reddb.lazy import image_of

        image = image_of(self)
        graph, remarks = to_graph(
            image.data, image.found, snapshot=snapshot, resolve=resolve,
            cross_references=cross_references,
        )  # fmt: skip
        graph.remarked(self.path, [*self.remarks, *remarks])
        return graph

    def kind_counts(self) -> dict[str, dict[str, int]]:
        """Count the entities of each collection by the name of their kind."""
        counted = {}
        for name, entities in self.collections.items():
            held = entities if isinstance(entities, Entities) else Entities(entities)
            counts = Counter(held.kinds())
            counted[name] = {KINDS[tag].name: counts[tag] for tag in sorted(counts)}
        return counted

    def loaded(self, now: int = 0) -> "Loaded":
        """Return what an engine holds after loading this: see ``loading.Loaded``."""
        from nkgraph.storage.reddb.loading import Loaded

        return Loaded(self, now)

    def __eq__(self, other: object) -> bool:
        """Equal stores give equal bytes when they are saved."""
        if not isinstance(other, Store):
            return NotImplemented
        return (
            self.sections() == other.sections()
            and self.cross_refs == other.cross_refs
            and self.aux_metadata == other.aux_metadata
            and all(
                list(a) == list(b)
                for (_, a), (_, b) in zip(self.in_file_order(), other.in_file_order(), strict=True)
            )
        )

    __hash__ = None  # type: ignore[assignment]  # can change

    def __repr__(self) -> str:
        counts = ", ".join(f"{name!r}: {len(e)}" for name, e in self.collections.items())
        return f"<Store of version {self.format_version}: {counts or 'no collections'}>"


def to_save(
    entities: MutableSequence[Entity], start: int, stop: int
) -> Iterator[tuple[int, memoryview | Entity]]:
    """Walk what is to be saved, of any list of entities: see ``Entities.to_save``."""
    if isinstance(entities, Entities):
        return entities.to_save(start, stop)
    return enumerate(entities[start:stop], start)


def _decoded(entities: MutableSequence[Entity], start: int, stop: int) -> Iterator[Entity]:
    if isinstance(entities, Entities):
        return entities.decoded(start, stop)
    return iter(entities[start:stop])
