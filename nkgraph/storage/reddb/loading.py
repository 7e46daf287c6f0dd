"""What an engine holds after loading a dump: ids given out, references indexed, order counted.

The rules are those of the format's section 10. Nothing is dropped silently, so that this differs
from what the original engine keeps, in four points:

    the original                                   here
    forgets metadata of an entity stored with      it goes to the new id
      id 0
    leaves no trace of an empty collection         it is there, without entities
    drops an entry of the cross-reference          it is in ``unresolved``, and each is a remark
      section that leads from or to nothing
    drops such entries beyond the 1000th           they are indexed, and a remark says how many
      reference of a source

The time that the original stamps on what it changes is the argument ``now``.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from nkgraph.errors import FormatError, LimitError
from nkgraph.storage.reddb.cursor import Remarks, quoted
from nkgraph.storage.reddb.entity import (
    CrossReference,
    Entity,
    GraphEdge,
    GraphNode,
    StoreReference,
    TableRow,
)
from nkgraph.storage.reddb.json_form import entity_to_json
from nkgraph.storage.reddb.layout import VERSION, Remark

if TYPE_CHECKING:
    from nkgraph.storage.reddb.store import Store

LAST_ID = (1 << 64) - 1
MOST_REFERENCES = 1000
"""What the original keeps of a source."""
_LOGICAL = (TableRow, GraphNode, GraphEdge)


class Forward(NamedTuple):
    """Where a reference leads: the index is by source."""

    target: int
    ref_type: int
    target_collection: str


class Reverse(NamedTuple):
    """Where a reference comes from: the index is by target."""

    source: int
    ref_type: int
    source_collection: str


class Counter:
    """The next free id; ``LimitError`` when all are taken."""

    def __init__(self, what: str) -> None:
        self.next = 1
        self._what = what
        self._last_taken = False

    def take(self) -> int:
        """Give out an id."""
        number = self.next
        self.pass_by(number)
        return number

    def pass_by(self, number: int) -> None:
        """Be above an id that is in use; at the last one, stay there."""
        if number == LAST_ID:
            self._last_taken = True
        self.next = max(self.next, min(number + 1, LAST_ID))

    def check(self) -> None:
        """Raise LimitError if there is none left to take."""
        if self._last_taken:
            raise LimitError(f"{self._what}: no id is left above {LAST_ID}")


class Loaded:
    """A store as an engine holds it. The store itself is not changed.

    Parameters
    ----------
    store : Store
    now : int
        Unix seconds for what is stamped.

    Attributes
    ----------
    collections : dict of str to list of Entity
        In the order of the store; sequence ids count from 0.
    next_row_ids : dict of str to int
    next_entity_id : int
    cross_refs : dict of int to list of Forward
        By source, each reference once.
    reverse_refs : dict of int to list of Reverse
        By target.
    unresolved : list of StoreReference
        Entries of the section whose ends are not there.
    remarks : list of Remark
    aux_metadata : bytes

    Raises
    ------
    FormatError
        Two entities of a collection have one id.
    LimitError
        An id is wanted and none is left.

    Notes
    -----
    O(entities + references).

    Examples
    --------
    >>> from nkgraph.storage.reddb import Entities, NodeData, Store
    >>> store = Store()
    >>> store.collections["c"] = Entities([Entity(0, GraphNode("a"), NodeData())])
    >>> loaded = store.loaded()
    >>> loaded.collections["c"][0].id, loaded.next_entity_id
    (1, 2)
    """

    def __init__(self, store: "Store", now: int = 0) -> None:
        self.format_version = VERSION
        self.aux_metadata = store.aux_metadata
        self.collections: dict[str, list[Entity]] = {name: [] for name in store.collections}
        self.next_row_ids: dict[str, int] = {}
        self.cross_refs: dict[int, list[Forward]] = {}
        self.reverse_refs: dict[int, list[Reverse]] = {}
        self.unresolved: list[StoreReference] = []
        self.remarks = Remarks()
        self._path = store.path
        self._seen: set[tuple[int, Forward]] = set()
        self._seen_back: set[tuple[int, Reverse]] = set()
        self._places: dict[str, dict[int, int]] = {name: {} for name in store.collections}
        self._first: dict[int, str] = {}
        ids = Counter("entity ids")
        rows = {name: Counter(f"row ids of collection {quoted(name)}") for name in self.collections}
        for name, entities in store.in_file_order():
            for entity in entities:
                self._add(name, entity, ids, rows[name])
        self.next_entity_id = ids.next
        self.next_row_ids = {name: counter.next for name, counter in rows.items()}
        self._resolve(store.cross_refs, now)

    # -- entities -----------------------------------------------------------------------------

    def _add(self, name: str, stored: Entity, ids: Counter, rows: Counter) -> None:
        held, places = self.collections[name], self._places[name]
        entity = replace(stored, cross_refs=list(stored.cross_refs), sequence_id=len(held))
        entity.id = _given(stored.id, ids)
        kind = stored.kind
        if isinstance(kind, TableRow):
            entity.kind = TableRow(kind.table, _given(kind.row_id, rows))
        if entity.logical_id is None and isinstance(kind, _LOGICAL):
            entity.logical_id = entity.id
        if entity.id in places:
            field = f"collection {quoted(name)}, entity {len(held)}: entity id"
            found = f"{entity.id}, as entity {places[entity.id]} has"
            raise FormatError(self._path, field, None, "each id once in a collection", found)
        places[entity.id] = len(held)
        self._first.setdefault(entity.id, name)
        held.append(entity)
        for own in entity.cross_refs:
            if own.target_collection:
                self._index(own.source, name, Forward(own.target, own.type, own.target_collection))

    def _index(self, source: int, name: str, forward: Forward) -> None:
        back = Reverse(source, forward.ref_type, name)
        if (source, forward) not in self._seen:
            self._seen.add((source, forward))
            self.cross_refs.setdefault(source, []).append(forward)
        if (forward.target, back) not in self._seen_back:
            self._seen_back.add((forward.target, back))
            self.reverse_refs.setdefault(forward.target, []).append(back)

    # -- the section --------------------------------------------------------------------------

    def _resolve(self, section: list[StoreReference], now: int) -> None:
        own: dict[tuple[str, int], set[Forward]] = {}
        beyond = 0
        for row, entry in enumerate(section):
            forward = Forward(entry.target, entry.type, entry.target_collection)
            name = self._first.get(entry.source, entry.target_collection)
            problem = self._missing(name, entry)
            if problem:
                self.unresolved.append(entry)
                self.remarks.add(Remark(f"cross-reference {row}", None, problem))
                continue
            if (entry.source, forward) not in self._seen:
                beyond += len(self.cross_refs.get(entry.source, ())) >= MOST_REFERENCES
            self._index(entry.source, name, forward)
            entity = self.collections[name][self._places[name][entry.source]]
            key = (name, entry.source)
            if key not in own:
                own[key] = {
                    Forward(each.target, each.type, each.target_collection)
                    for each in entity.cross_refs
                }
            if forward not in own[key]:
                own[key].add(forward)
                entity.cross_refs.append(CrossReference(entry.source, *_stored(forward)))
                entity.cross_refs[-1].created_at = entity.updated_at = now
        if beyond:
            problem = f"{beyond} are beyond the first {MOST_REFERENCES} of their source"
            self.remarks.add(Remark("cross-references", None, problem))

    def _missing(self, name: str, entry: StoreReference) -> str:
        """Say what an entry lacks; "" if nothing."""
        if entry.source not in self._places.get(name, ()):
            return f"there is no entity {entry.source}, its source"
        if entry.target not in self._places.get(entry.target_collection, ()):
            collection = quoted(entry.target_collection)
            return f"there is no entity {entry.target}, its target, in collection {collection}"
        return ""

    # -- JSON ---------------------------------------------------------------------------------

    def to_json(self) -> dict[str, object]:
        """Spell it as ``Store.to_json`` does a file: collections, sources and targets sorted."""
        return {
            "format_version": self.format_version,
            "next_entity_id": self.next_entity_id,
            "aux": self.aux_metadata.hex(),
            "collections": [
                {
                    "name": name,
                    "next_row_id": self.next_row_ids[name],
                    "entities": [entity_to_json(entity) for entity in self.collections[name]],
                }
                for name in sorted(self.collections)
            ],
            "cross_refs": [{"source": s, **_spelled(r)} for s, r in _sorted(self.cross_refs)],
            "reverse_refs": [{"target": t, **_spelled(r)} for t, r in _sorted(self.reverse_refs)],
        }


def _given(number: int, counter: Counter) -> int:
    """Return the id of an entity or row: a new one for 0."""
    if number == 0:
        counter.check()
        return counter.take()
    counter.pass_by(number)
    return number


def _stored(forward: Forward) -> tuple[int, int, str]:
    return forward.target, int(forward.ref_type), forward.target_collection


def _spelled(reference: Forward | Reverse) -> dict[str, object]:
    return {**reference._asdict(), "ref_type": int(reference.ref_type)}


def _sorted(
    index: dict[int, list[Forward]] | dict[int, list[Reverse]],
) -> Iterator[tuple[int, Forward | Reverse]]:
    for number in sorted(index):
        for reference in index[number]:
            yield number, reference
