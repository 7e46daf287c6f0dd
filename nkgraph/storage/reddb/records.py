"""Entities as bytes: bare, and in records with their metadata."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar, cast

from nkgraph.errors import GraphError, LimitError
from nkgraph.storage.reddb import layout as lay
from nkgraph.storage.reddb import metadata as meta
from nkgraph.storage.reddb.cursor import Cursor, quoted
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
    QueueData,
    StoreReference,
)
from nkgraph.storage.reddb.forms import FORMS, Form, expect, write_length, write_text
from nkgraph.storage.reddb.values import (
    read_value,
    value_from_json,
    value_to_json,
    write_value,
    write_values,
)

T = TypeVar("T")

# -- properties and tags ------------------------------------------------------------------------


def _read_pairs(cursor: Cursor, what: str, read: Callable[[Cursor], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    outer = cursor.key
    for _ in range(cursor.count(f"{what} count", what)):
        at = cursor.at
        key = cursor.text(f"{what} key")
        if key in found:
            problem = f"{quoted(key)} is repeated; the last counts"
            cursor.remark(f"{what} key", at, problem, "each key once")
        cursor.key = key
        found[key] = read(cursor)
        cursor.key = outer
    return found


def _write_pairs(
    out: bytearray, raw: object, what: str, write: Callable[[bytearray, object], None]
) -> None:
    pairs: dict[str, object] = expect(raw, dict, what)
    write_length(out, len(pairs), f"{what} count")
    for key in sorted(expect(key, str, f"{what} key") for key in pairs):
        write_text(out, key, f"{what} key")
        try:
            write(out, pairs[key])
        except (GraphError, LimitError) as error:
            raise type(error)(f"value of {quoted(key)}: {error}") from None


def _pairs_to_json(raw: object, spell: Callable[[object], object]) -> object:
    pairs: dict[str, object] = expect(raw, dict, "properties")
    return {str.__str__(key): spell(value) for key, value in pairs.items()}


def _pairs_from_json(item: object, what: str, unspell: Callable[[object], object]) -> object:
    pairs: dict[str, object] = expect(item, dict, what)
    return {key: unspell(value) for key, value in pairs.items()}


def _read_properties(cursor: Cursor, what: str) -> object:
    return _read_pairs(cursor, "property", read_value)


def _read_tags(cursor: Cursor, what: str) -> object:
    return _read_pairs(cursor, "tag", partial(Cursor.text, field="value"))


def _tag(raw: object) -> str:
    return expect(raw, str, "tag")


FORMS["properties"] = Form(
    _read_properties,
    lambda out, raw, what: _write_pairs(out, raw, "property", write_value),
    lambda raw: _pairs_to_json(raw, value_to_json),
    lambda item, what: _pairs_from_json(item, what, value_from_json),
)
FORMS["tags"] = Form(
    _read_tags,
    lambda out, raw, what: _write_pairs(out, raw, "tag", partial(write_text, what="tag")),
    lambda raw: _pairs_to_json(raw, _tag),
    lambda item, what: _pairs_from_json(item, what, _tag),
)

# -- fields -------------------------------------------------------------------------------------


def _read_fields(cursor: Cursor, layout: Iterable[tuple[str, str]]) -> list[object]:
    return [FORMS[form].read(cursor, name) for name, form in layout]


def write_fields(out: bytearray, layout: lay.Fields, item: object) -> None:
    """Append the fields of a layout, which ``item`` has as attributes."""
    for name, form in layout:
        FORMS[form].write(out, getattr(item, name), name)


def _gated(version: int) -> tuple[lay.Fields, ...]:
    """Fields of each data tag that a version has."""
    return tuple(
        tuple(f for f in row.fields if lay.DATA_SINCE.get((row.name, f[0]), 1) <= version)
        for row in lay.DATA
    )


def _named(what: str, layout: lay.Fields) -> lay.Fields:
    return tuple((f"{what} {name}", form) for name, form in layout)


_EMBEDDING = _named("embedding", lay.EMBEDDING)
_REFERENCE, _OWN_REFERENCE, _SHORT_REFERENCE = (
    _named("cross-reference", layout)
    for layout in (lay.REFERENCE, lay.OWN_REFERENCE, lay.SHORT_REFERENCE)
)
_DATA_FIELDS = {version: _gated(version) for version in lay.VERSIONS}

# -- reading ------------------------------------------------------------------------------------


def read_entity(cursor: Cursor) -> Entity:
    """Read a bare entity, up to what the cursor's version has; its tail ends with the slice.

    Raises
    ------
    FormatError, LimitError
    """
    number = cursor.varint("entity id")
    tag = _read_tag(cursor, "kind", len(KIND_CLASSES))
    make = cast("Callable[..., Kind]", KIND_CLASSES[tag])
    kind = make(*_read_fields(cursor, lay.KINDS[tag].fields))
    data = read_data(cursor)
    created_at, updated_at = cursor.varint("created_at"), cursor.varint("updated_at")
    embeddings = _read_embeddings(cursor)
    cross_refs = _read_own_references(cursor)
    entity = Entity(number, kind, data, created_at, updated_at, embeddings, cross_refs)
    entity.sequence_id = cursor.varint("sequence_id")
    _read_tail(cursor, entity)
    return entity


def _read_tag(cursor: Cursor, field: str, count: int) -> int:
    at = cursor.at
    tag = cursor.u8(field)
    if tag >= count:
        cursor.fail(field, at, f"a tag of at most {count - 1}", tag)
    return tag


def read_data(cursor: Cursor) -> Data:
    """Read tag and payload of data, without a queue message's tail."""
    tag = _read_tag(cursor, "data", len(DATA_CLASSES))
    make = cast("Callable[..., Data]", DATA_CLASSES[tag])
    return make(*_read_fields(cursor, _DATA_FIELDS[cursor.version][tag]))


def _read_embeddings(cursor: Cursor) -> list[Embedding]:
    count = cursor.count("embedding count", "embedding")
    make = cast("Callable[..., Embedding]", Embedding)
    return [make(*_read_fields(cursor, _EMBEDDING)) for _ in range(count)]


def _read_own_references(cursor: Cursor) -> list[CrossReference]:
    full = cursor.version >= lay.FULL_REFERENCES_FROM
    count = cursor.count("cross-reference count", "own reference" if full else "short reference")
    layout = _OWN_REFERENCE if full else _SHORT_REFERENCE
    return [
        cast(CrossReference, _read_reference(cursor, layout, CrossReference)) for _ in range(count)
    ]


def _read_reference(cursor: Cursor, layout: lay.Fields, kind: type) -> object:
    start = cursor.at
    found = kind(*_read_fields(cursor, layout))
    if found.ref_type >= len(lay.REF_TYPES):
        problem = f"an unknown type {found.ref_type} is taken as {lay.RELATED_TO}, RelatedTo"
        expected = f"at most {len(lay.REF_TYPES) - 1}"
        cursor.remark("cross-reference ref_type", start, problem, expected)
    return cast(object, found)


def read_store_reference(cursor: Cursor) -> StoreReference:
    """Read an entry of the cross-reference section."""
    return cast(StoreReference, _read_reference(cursor, _REFERENCE, StoreReference))


def _read_tail(cursor: Cursor, entity: Entity) -> None:
    data = entity.data
    parts: list[tuple[object, int, lay.Fields]] = [
        (entity, lay.LOGICAL_ID_FROM, lay.LOGICAL_ID_TAIL),
        (entity, lay.MVCC_FROM, lay.MVCC_TAIL),
    ]
    if isinstance(data, QueueData):
        parts.insert(0, (data, lay.QUEUE_TAIL_FROM, lay.QUEUE_TAIL))
    for holder, since, layout in parts:
        if cursor.version >= since and cursor.at < cursor.stop:
            for name, form in layout:
                setattr(holder, name, FORMS[form].read(cursor, name))


def read_record(cursor: Cursor) -> Entity:
    """Read a record with its length, which versions from 7 on have, or else a bare entity.

    Raises
    ------
    FormatError, LimitError
    """
    if cursor.version < lay.RECORDS_FROM:
        return read_entity(cursor)
    outer = cursor.enter(cursor.u32("record length"), "record length")
    start = cursor.at
    head = bytes(cursor.data[start : start + len(lay.RECORD_MAGIC)])
    if cursor.left < 2 * len(head) or head != lay.RECORD_MAGIC:
        entity = read_entity(cursor)
        cursor.leave(outer, "record")
        return entity
    cursor.at += len(head)
    record = cursor.enter(cursor.u32("entity length"), "entity length")
    entity = read_entity(cursor)
    cursor.leave(record, "entity")
    size = cursor.u32("metadata length")
    record = cursor.enter(size, "metadata length")
    if size:
        entity.metadata = meta.read_metadata(cursor)
    cursor.leave(record, "metadata")
    cursor.leave(outer, "record")
    return entity


# -- writing ------------------------------------------------------------------------------------


def tag_of(item: object, tags: Mapping[type, int], what: str) -> int:
    """Return the tag of a kind or of data; GraphError if it is neither."""
    tag = tags.get(type(item))
    if tag is None:
        names = ", ".join(kind.__name__ for kind in tags)
        raise GraphError(f"{what} is a {type(item).__name__}, not one of {names}")
    return tag


def write_data(out: bytearray, data: Data, depth: int = lay.Limits().depth) -> None:
    """Append tag and payload of data, without a queue message's tail."""
    tag = tag_of(data, DATA_TAGS, "data")
    out.append(tag)
    for name, form in lay.DATA[tag].fields:
        raw = getattr(data, name)
        if form == "values":
            write_values(out, raw, depth)
        elif form == "value":
            write_value(out, raw, depth)
        elif form == "properties":
            _write_pairs(out, raw, "property", partial(write_value, depth=depth))
        else:
            FORMS[form].write(out, raw, name)


def write_entity(out: bytearray, entity: Entity, depth: int = lay.Limits().depth) -> None:
    """Append a bare entity of version 10.

    Raises
    ------
    GraphError
        Something in it cannot be stored exactly.
    LimitError
        Arrays more than ``depth`` deep, or a length beyond 32 bits.
    """
    write = FORMS["varint"].write
    write(out, entity.id, "id")
    tag = tag_of(entity.kind, KIND_TAGS, "kind")
    out.append(tag)
    write_fields(out, lay.KINDS[tag].fields, entity.kind)
    write_data(out, entity.data, depth)
    write(out, entity.created_at, "created_at")
    write(out, entity.updated_at, "updated_at")
    write_length(out, len(entity.embeddings), "embeddings")
    for embedding in entity.embeddings:
        write_fields(out, lay.EMBEDDING, embedding)
    write_length(out, len(entity.cross_refs), "cross_refs")
    for reference in entity.cross_refs:
        write_fields(out, lay.OWN_REFERENCE, reference)
    write(out, entity.sequence_id, "sequence_id")
    if isinstance(entity.data, QueueData):
        write_fields(out, lay.QUEUE_TAIL, entity.data)
    write_fields(out, (*lay.LOGICAL_ID_TAIL, *lay.MVCC_TAIL), entity)


def write_record(out: bytearray, entity: Entity, depth: int = lay.Limits().depth) -> None:
    """Append a record of version 10 with its length: the entity and its metadata.

    Raises
    ------
    GraphError, LimitError
        As ``write_entity``.
    """
    start = len(out)
    out += bytes(4)
    out += lay.RECORD_MAGIC
    _write_part(out, "entity", partial(write_entity, entity=entity, depth=depth))
    if entity.metadata:
        write = partial(meta.write_metadata, fields=entity.metadata, depth=depth)
        _write_part(out, "metadata", write)
    else:
        out += bytes(4)
    _patch_length(out, start, "record")


def _write_part(out: bytearray, what: str, write: Callable[[bytearray], None]) -> None:
    start = len(out)
    out += bytes(4)
    write(out)
    _patch_length(out, start, what)


def _patch_length(out: bytearray, start: int, what: str) -> None:
    length = bytearray()
    write_length(length, len(out) - start - 4, f"{what} length", long=True)
    out[start : start + 4] = length


def write_store_reference(out: bytearray, reference: StoreReference) -> None:
    """Append an entry of the cross-reference section."""
    write_fields(out, lay.REFERENCE, expect(reference, StoreReference, "cross-reference"))
