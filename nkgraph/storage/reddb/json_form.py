"""The JSON form: what a dump stores, with nothing lost, as ``json`` can write it.

Numbers of 64 bits stay integers, floats are spelled by their bits, bytes in hexadecimal. The one
thing that is folded is an unknown type byte of an entity's own reference, which reads as 9 in
every reader; the byte then stands beside it, as "stored_ref_type".
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from nkgraph.errors import GraphError
from nkgraph.storage.reddb import layout as lay
from nkgraph.storage.reddb.entity import (
    DATA_CLASSES,
    DATA_TAGS,
    KIND_CLASSES,
    KIND_TAGS,
    CrossReference,
    Data,
    Embedding,
    Entity,
    Kind,
    StoreReference,
)
from nkgraph.storage.reddb.forms import FORMS, expect, from_hex, member
from nkgraph.storage.reddb.metadata import metadata_from_json, metadata_to_json
from nkgraph.storage.reddb.records import tag_of

if TYPE_CHECKING:
    from nkgraph.storage.reddb.store import Store

_HEAD: lay.Fields = (("id", "varint"), ("created_at", "varint"), ("updated_at", "varint"))
_TAIL: lay.Fields = (("sequence_id", "varint"), *lay.LOGICAL_ID_TAIL, *lay.MVCC_TAIL)


def _spell(layout: lay.Fields, item: object) -> dict[str, object]:
    return {name: FORMS[form].to_json(getattr(item, name)) for name, form in layout}


def _unspell(layout: lay.Fields, item: object, what: str) -> dict[str, object]:
    return {
        name: FORMS[form].from_json(member(item, name, what), f"{what}.{name}")
        for name, form in layout
    }


def _tagged(layouts: tuple[lay.Layout, ...], item: object, what: str) -> lay.Layout:
    name = member(item, "t", what)
    for layout in layouts:
        if layout.name == name:
            return layout
    raise GraphError(f"{what}: there is no {name!r}")


def _data_fields(layout: lay.Layout) -> lay.Fields:
    return (*layout.fields, *lay.QUEUE_TAIL) if layout.code == lay.QUEUE_DATA else layout.fields


def _items(item: object, name: str, what: str) -> list[object]:
    items: list[object] = expect(member(item, name, what), list, f"{what}.{name}")
    return items


# -- to JSON ------------------------------------------------------------------------------------


def entity_to_json(entity: Entity) -> dict[str, object]:
    """Spell an entity."""
    kind = lay.KINDS[tag_of(entity.kind, KIND_TAGS, "kind")]
    data = lay.DATA[tag_of(entity.data, DATA_TAGS, "data")]
    return {
        **_spell(_HEAD, entity),
        **_spell(_TAIL, entity),
        "kind": {"t": kind.name, **_spell(kind.fields, entity.kind)},
        "data": {"t": data.name, **_spell(_data_fields(data), entity.data)},
        "embeddings": [_spell(lay.EMBEDDING, each) for each in entity.embeddings],
        "cross_refs": [_reference_to_json(each) for each in entity.cross_refs],
        "metadata": metadata_to_json(entity.metadata),
    }


def _reference_to_json(reference: CrossReference) -> dict[str, object]:
    found = _spell(lay.OWN_REFERENCE, reference)
    if reference.type != reference.ref_type:
        found["stored_ref_type"] = reference.ref_type
        found["ref_type"] = int(reference.type)
    return found


def to_json(store: "Store") -> dict[str, object]:
    """Spell a store: what its file holds, in the order of the file.

    Examples
    --------
    >>> from nkgraph.storage.reddb import Store
    >>> to_json(Store())["collections"]
    []
    """
    return {
        "version": store.format_version,
        "collections": [
            {"name": name, "entities": [entity_to_json(each) for each in entities]}
            for name, entities in store.in_file_order()
        ],
        "cross_refs": [_spell(lay.REFERENCE, each) for each in store.cross_refs],
        "aux": store.aux_metadata.hex(),
        "trailing_bytes": store.trailing_bytes,
    }


# -- from JSON ----------------------------------------------------------------------------------


def entity_from_json(item: object, what: str = "entity") -> Entity:
    """Return the entity that ``entity_to_json`` spelled; GraphError if it spelled none."""
    kind = _tagged(lay.KINDS, member(item, "kind", what), f"{what}.kind")
    data = _tagged(lay.DATA, member(item, "data", what), f"{what}.data")
    kind_class = cast("Callable[..., Kind]", KIND_CLASSES[kind.code])
    data_class = cast("Callable[..., Data]", DATA_CLASSES[data.code])
    embedding_class = cast("Callable[..., Embedding]", Embedding)
    entity_class = cast("Callable[..., Entity]", Entity)
    return entity_class(
        **_unspell(_HEAD, item, what),
        **_unspell(_TAIL, item, what),
        kind=kind_class(**_unspell(kind.fields, member(item, "kind", what), f"{what}.kind")),
        data=data_class(**_unspell(_data_fields(data), member(item, "data", what), f"{what}.data")),
        embeddings=[
            embedding_class(**_unspell(lay.EMBEDDING, each, f"{what}.embeddings"))
            for each in _items(item, "embeddings", what)
        ],
        cross_refs=[
            _reference_from_json(each, f"{what}.cross_refs")
            for each in _items(item, "cross_refs", what)
        ],
        metadata=metadata_from_json(member(item, "metadata", what)),
    )


def _reference_from_json(item: object, what: str) -> CrossReference:
    make = cast("Callable[..., CrossReference]", CrossReference)
    found = make(**_unspell(lay.OWN_REFERENCE, item, what))
    entries: dict[str, object] = expect(item, dict, what)
    if "stored_ref_type" in entries:
        found.ref_type = expect(entries["stored_ref_type"], int, what)
    return found


def from_json(item: object) -> "Store":
    """Return the store that ``to_json`` spelled.

    Raises
    ------
    GraphError
        It spelled none; names what is wrong and where.

    Examples
    --------
    >>> from nkgraph.storage.reddb import Store
    >>> from_json(to_json(Store())) == Store()
    True
    """
    from nkgraph.storage.reddb.store import Store

    sections: list[tuple[str, list[Entity]]] = []
    for each in _items(item, "collections", "store"):
        name = expect(member(each, "name", "collection"), str, "collection.name")
        rows = enumerate(_items(each, "entities", f"collection {name!r}"))
        where = f"collection {name!r}, entity"
        sections.append((name, [entity_from_json(e, f"{where} {row}") for row, e in rows]))
    make = cast("Callable[..., StoreReference]", StoreReference)
    store = Store.of_sections(sections)
    store.cross_refs += [
        make(**_unspell(lay.REFERENCE, each, "store.cross_refs"))
        for each in _items(item, "cross_refs", "store")
    ]
    store.aux_metadata = from_hex(member(item, "aux", "store"), "store.aux")
    store.trailing_bytes = expect(member(item, "trailing_bytes", "store"), int, "trailing_bytes")
    store.format_version = expect(member(item, "version", "store"), int, "version")
    if store.format_version not in lay.VERSIONS:
        raise GraphError(f"version: there is no version {store.format_version}")
    return store
