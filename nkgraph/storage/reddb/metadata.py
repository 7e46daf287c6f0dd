"""The metadata of an entity: a block of named values, with tags and lengths of its own.

Python                code          Python          code
None                  null          list            array
bool                  bool          dict            object
int                   int           Instant         timestamp
float                 float         Geo             geo
str                   string        Target          reference
bytes                 bytes         Targets         references
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar, cast

from nkgraph.errors import GraphError, LimitError
from nkgraph.storage.reddb.cursor import Cursor, quoted
from nkgraph.storage.reddb.forms import (
    FORMS,
    Form,
    expect,
    fields_from_json,
    fields_to_json,
    member,
    write_length,
    write_text,
)
from nkgraph.storage.reddb.layout import METADATA, TARGETS, Fields, Limits
from nkgraph.storage.reddb.value_types import _Int
from nkgraph.storage.reddb.values import Children, transform

MetadataValue = object
T = TypeVar("T")


class Instant(_Int):
    """A timestamp without sign; its unit depends on the key."""

    __slots__ = ()


class Geo(NamedTuple):
    """Degrees north and east."""

    lat: float
    lon: float


class Target(NamedTuple):
    """What a reference leads to: ``kind`` is one of ``layout.TARGETS``."""

    kind: str
    collection: str
    id: int


class Targets(tuple[Target, ...]):
    """Several targets."""

    __slots__ = ()


# -- targets ------------------------------------------------------------------------------------


def _read_target(cursor: Cursor, field: str) -> object:
    at = cursor.at
    code = cursor.u8(field)
    if code >= len(TARGETS):
        cursor.fail(f"{field} target kind", at, f"at most {len(TARGETS) - 1}", code)
    collection = cursor.text(field, long=True)
    return Target(TARGETS[code], collection, cast(int, FORMS["Q"].read(cursor, field)))


def _write_target(out: bytearray, raw: object, what: str) -> None:
    target = expect(raw, Target, what)
    out.append(_target_code(target.kind, what))
    write_text(out, target.collection, what, long=True)
    FORMS["Q"].write(out, target.id, what)


def _target_code(kind: object, what: str) -> int:
    if kind not in TARGETS:
        raise GraphError(f"{what}: a target is one of {', '.join(TARGETS)}, not {kind!r}")
    return TARGETS.index(kind)


def _target_to_json(raw: object) -> object:
    target = expect(raw, Target, "target")
    return {"t": target.kind, "collection": target.collection, "id": int(target.id)}


def _target_from_json(item: object, what: str) -> object:
    kind = TARGETS[_target_code(member(item, "t", what), what)]
    collection = expect(member(item, "collection", what), str, what)
    return Target(kind, collection, expect(member(item, "id", what), int, what))


def _read_targets(cursor: Cursor, field: str) -> object:
    count = cursor.long_count(f"{field} target count", "target")
    return Targets(cast(Target, _read_target(cursor, field)) for _ in range(count))


def _write_targets(out: bytearray, raw: object, what: str) -> None:
    targets = expect(raw, Targets, what)
    write_length(out, len(targets), what, long=True)
    for target in targets:
        _write_target(out, target, what)


def _targets_to_json(raw: object) -> object:
    return [_target_to_json(target) for target in expect(raw, Targets, "targets")]


def _targets_from_json(item: object, what: str) -> object:
    items: list[object] = expect(item, list, what)
    return Targets(cast(Target, _target_from_json(each, what)) for each in items)


FORMS["target"] = Form(_read_target, _write_target, _target_to_json, _target_from_json)
FORMS["targets"] = Form(_read_targets, _write_targets, _targets_to_json, _targets_from_json)

# -- the table ----------------------------------------------------------------------------------

_PYTHON: dict[str, type] = {
    "null": type(None),
    "bool": bool,
    "int": int,
    "float": float,
    "string": str,
    "bytes": bytes,
    "array": list,
    "object": dict,
    "timestamp": Instant,
    "geo": Geo,
    "reference": Target,
    "references": Targets,
}
_BY_TYPE = {_PYTHON[layout.name]: layout for layout in METADATA}
_BY_NAME = {layout.name: layout for layout in METADATA}
_ARRAY, _OBJECT, _GEO = (_BY_NAME[name] for name in ("array", "object", "geo"))
_WRAPPED = {_BY_NAME["timestamp"].code: Instant}


def _make(code: int, raws: Iterable[object]) -> MetadataValue:
    parts = list(raws)
    if code == _GEO.code:
        return Geo(*cast(list[float], parts))
    if code in _WRAPPED:
        return _WRAPPED[code](*cast(list[int], parts))
    return parts[0] if parts else None


def _parts(fields: Fields, value: MetadataValue) -> tuple[object, ...]:
    if isinstance(value, Geo):
        return tuple(value)
    return (value,) if fields else ()


# -- reading and writing ------------------------------------------------------------------------


def read_metadata(cursor: Cursor, field: str = "metadata") -> dict[str, MetadataValue]:
    """Read a block: a count and so many keys and values; nested ones without recursion.

    Raises
    ------
    FormatError, LimitError
    """
    at = cursor.at
    found: dict[str, MetadataValue] = {}
    count = cursor.long_count(f"{field} field count", "metadata field")
    if not count:
        cursor.remark(field, at, "a block without fields counts as none", "at least one field")
    place: dict[str, MetadataValue] | list[MetadataValue] = found
    outer: list[tuple[dict[str, MetadataValue] | list[MetadataValue], int]] = []
    while True:
        while count:
            count -= 1
            key = ""
            if isinstance(place, dict):
                key = _read_key(cursor, field, place)
                if not outer:
                    cursor.key = key
            at = cursor.at
            code = cursor.u8(f"{field} tag")
            if code >= len(METADATA):
                cursor.fail(f"{field} tag", at, f"at most {len(METADATA) - 1}", code)
            value: MetadataValue
            inner: dict[str, MetadataValue] | list[MetadataValue] | None = None
            if code in (_ARRAY.code, _OBJECT.code):
                value = inner = {} if code == _OBJECT.code else []
            else:
                forms = METADATA[code].fields
                value = _make(code, [FORMS[form].read(cursor, field) for _, form in forms])
            if isinstance(place, dict):
                place[key] = value
            else:
                place.append(value)
            if inner is not None:
                if len(outer) >= cursor.limits.depth:
                    deep = f"metadata {len(outer) + 1} deep"
                    cursor.exceed(field, at, deep, "depth", cursor.limits.depth)
                outer.append((place, count))
                element = "metadata field" if code == _OBJECT.code else "metadata value"
                place, count = inner, cursor.long_count(f"{field} count", element)
        if not outer:
            cursor.key = None
            return found
        place, count = outer.pop()


def _read_key(cursor: Cursor, field: str, place: Mapping[str, MetadataValue]) -> str:
    at = cursor.at
    key = cursor.text(f"{field} key", long=True)
    if key in place:
        cursor.remark(f"{field} key", at, f"{quoted(key)} is repeated; the last counts", "once")
    return key


def write_metadata(
    out: bytearray, fields: Mapping[str, MetadataValue], depth: int = Limits().depth
) -> None:
    """Append a block; keys ascend.

    Raises
    ------
    GraphError
        A value that metadata has no tag for.
    LimitError
        More than ``depth`` levels, or a length beyond 32 bits.
    """
    stack: list[tuple[str | None, MetadataValue, int]] = []
    push = partial(_push_fields, out, stack)
    push(fields, 1)
    while stack:
        key, value, level = stack.pop()
        if key is not None:
            write_text(out, key, "metadata key", long=True)
        layout = _BY_TYPE.get(type(value))
        if layout is None:
            raise GraphError(f"metadata: no tag for a {type(value).__name__}")
        out.append(layout.code)
        if layout not in (_ARRAY, _OBJECT):
            what = f"metadata {layout.name}"
            for (_, form), part in zip(layout.fields, _parts(layout.fields, value), strict=True):
                FORMS[form].write(out, part, what)
            continue
        if level > depth:
            raise LimitError(f"metadata is more than {depth} deep")
        if isinstance(value, dict):
            push(value, level + 1)
        else:
            items: list[MetadataValue] = expect(value, list, "metadata array")
            write_length(out, len(items), "metadata array", long=True)
            stack.extend((None, item, level + 1) for item in reversed(items))


def _push_fields(
    out: bytearray,
    stack: list[tuple[str | None, MetadataValue, int]],
    fields: Mapping[str, MetadataValue],
    level: int,
) -> None:
    write_length(out, len(fields), "metadata fields", long=True)
    keys = sorted((expect(key, str, "metadata key") for key in fields), reverse=True)
    stack.extend((key, fields[key], level) for key in keys)


# -- JSON ---------------------------------------------------------------------------------------


def metadata_to_json(fields: Mapping[str, MetadataValue]) -> object:
    """Spell a block as an object of values; None if it is empty."""
    if not fields:
        return None
    return {key: transform(value, _spell) for key, value in fields.items()}


def metadata_from_json(item: object) -> dict[str, MetadataValue]:
    """Return the block that ``metadata_to_json`` spelled."""
    if item is None:
        return {}
    fields: dict[str, object] = expect(item, dict, "metadata")
    return {key: transform(value, _unspell) for key, value in fields.items()}


def _spell(value: object) -> tuple[object, Children]:
    layout = _BY_TYPE.get(type(value))
    if layout is None:
        raise GraphError(f"metadata: no tag for a {type(value).__name__}")
    if isinstance(value, dict):
        fields = dict.fromkeys(value)
        children = ((fields, key, item) for key, item in value.items())
        return {"t": layout.name, "fields": fields}, children
    if type(value) is list:
        items: list[object] = [None] * len(value)
        return {"t": layout.name, "items": items}, _children(items, value)
    spelled = fields_to_json(layout.fields, _parts(layout.fields, value))
    return {"t": layout.name, **spelled}, iter(())


def _children(places: list[object], items: list[object]) -> Children:
    return ((places, place, item) for place, item in enumerate(items))


def _unspell(item: object) -> tuple[object, Children]:
    name = expect(member(item, "t", "metadata"), str, "metadata.t")
    layout = _BY_NAME.get(name)
    if layout is None:
        raise GraphError(f"metadata: there is no type {name!r}")
    if layout is _OBJECT:
        given: dict[str, object] = expect(member(item, "fields", name), dict, name)
        fields = dict.fromkeys(given)
        return fields, ((fields, key, each) for key, each in given.items())
    if layout is _ARRAY:
        items: list[object] = expect(member(item, "items", name), list, name)
        places: list[object] = [None] * len(items)
        return places, _children(places, items)
    return _make(layout.code, fields_from_json(layout.fields, item, name)), iter(())
