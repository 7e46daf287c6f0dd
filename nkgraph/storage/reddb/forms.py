"""How the fields of a layout are read, written, and spelled in JSON: one row for each form.

What a form holds in memory is plain: bool, int, float, ``numpy.float32``, str, bytes, a float32
array, an address. ``values`` and ``entity`` make values and entities of them.
"""

import ipaddress
import struct
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from nkgraph.errors import GraphError, LimitError
from nkgraph.storage.reddb import varint
from nkgraph.storage.reddb.cursor import Cursor
from nkgraph.storage.reddb.layout import Fields

T = TypeVar("T")


class Form(NamedTuple):
    """Four functions for one form; each is told what the field is called."""

    read: Callable[[Cursor, str], object]
    write: Callable[[bytearray, object, str], None]
    to_json: Callable[[object], object]
    from_json: Callable[[object, str], object]


def expect(item: object, kind: type[T] | tuple[type[T], ...], what: str) -> T:
    """Return ``item`` if it is of a type; a bool is no number."""
    if type(item) is kind:
        return item
    if not isinstance(item, kind) or (isinstance(item, bool) and kind is not bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(each.__name__ for each in kinds)
        raise GraphError(f"{what}: expected {names}, found {type(item).__name__}")
    return item


def member(item: object, name: str, what: str) -> object:
    """Return an entry of a JSON object."""
    entries: dict[str, object] = expect(item, dict, what)
    if name not in entries:
        raise GraphError(f"{what}: there is no {name!r}")
    return entries[name]


def from_hex(item: object, what: str) -> bytes:
    """Return the bytes that two digits each spell."""
    text = expect(item, str, what)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise GraphError(f"{what}: {text[:40]!r} is not hexadecimal") from None


# -- lengths, text and bytes --------------------------------------------------------------------


def write_length(out: bytearray, size: int, what: str, long: bool = False) -> None:
    """Append a length or a count, which the format keeps in 32 bits."""
    if size >= 1 << 32:
        raise LimitError(f"{what}: {size} does not fit in the 32 bits of a length or count")
    if long:
        out += size.to_bytes(4, "little")
    else:
        varint.write(out, size, 32, what)


def write_blob(out: bytearray, raw: object, what: str, long: bool = False) -> None:
    """Append a length and bytes."""
    data = expect(raw, bytes, what)
    write_length(out, len(data), what, long)
    out += data


def encode(raw: object, what: str) -> bytes:
    """Return a text in UTF-8."""
    try:
        return expect(raw, str, what).encode()
    except UnicodeEncodeError as error:
        place = f"a lone surrogate at {error.start}"
        raise GraphError(f"{what}: {place} has no UTF-8") from None


def write_text(out: bytearray, raw: object, what: str, long: bool = False) -> None:
    """Append a length and UTF-8."""
    write_blob(out, encode(raw, what), what, long)


def _plain_text(raw: object) -> object:
    return str.__str__(expect(raw, str, "text"))


def _text_from_json(item: object, what: str) -> object:
    return expect(item, str, what)


def _hex(raw: object) -> object:
    return expect(raw, bytes, "bytes").hex()


def _text_form(long: bool) -> Form:
    read: Callable[[Cursor, str], object] = partial(Cursor.text, long=long)
    return Form(read, partial(write_text, long=long), _plain_text, _text_from_json)


def _blob_form(long: bool) -> Form:
    read: Callable[[Cursor, str], object] = partial(Cursor.blob, long=long)
    return Form(read, partial(write_blob, long=long), _hex, from_hex)


def _raw_form(size: int) -> Form:
    """Bytes of a fixed number."""

    def read(cursor: Cursor, field: str) -> object:
        at = cursor.skip(size, field)
        return bytes(cursor.data[at : cursor.at])

    def write(out: bytearray, raw: object, what: str) -> None:
        data = expect(raw, bytes, what)
        if len(data) != size:
            raise GraphError(f"{what}: expected {size} bytes, found {len(data)}")
        out += data

    return Form(read, write, _hex, from_hex)


# -- numbers ------------------------------------------------------------------------------------


def whole(raw: object, what: str) -> int:
    """Return an integer of Python or NumPy as int."""
    if isinstance(raw, bool) or not isinstance(raw, int | np.integer):
        raise GraphError(f"{what}: expected int, found {type(raw).__name__}")
    return int(raw)


def _number(item: object, what: str) -> object:
    return expect(item, int, what)


def _to_int(raw: object) -> object:
    return whole(raw, "number")


def _integer_form(code: str) -> Form:
    layout = struct.Struct(f"<{code}")

    def read(cursor: Cursor, field: str) -> object:
        value: int = layout.unpack_from(cursor.data, cursor.skip(layout.size, field))[0]
        return value

    def write(out: bytearray, raw: object, what: str) -> None:
        number = whole(raw, what)
        try:
            out += layout.pack(number)
        except struct.error:
            sign = "with" if code.islower() else "without"
            text = f"{what}: {number} is not a number of {8 * layout.size} bits {sign} sign"
            raise GraphError(text) from None

    return Form(read, write, _to_int, _number)


def _varint_form(bits: int) -> Form:
    def write(out: bytearray, raw: object, what: str) -> None:
        varint.write(out, whole(raw, what), bits, what)

    read: Callable[[Cursor, str], object] = partial(Cursor.varint, bits=bits)
    return Form(read, write, _to_int, _number)


def _write_flag(out: bytearray, raw: object, what: str) -> None:
    out.append(expect(raw, bool, what))


def _to_bool(raw: object) -> object:
    return bool(raw)


def _bool_from_json(item: object, what: str) -> object:
    return expect(item, bool, what)


# -- floats -------------------------------------------------------------------------------------

_DOUBLE = struct.Struct("<d")


def double_bits(raw: object, what: str) -> bytes:
    """Return the eight bytes of a float; of an integer only if there is a float for it."""
    if isinstance(raw, float):
        return _DOUBLE.pack(raw)
    number = whole(raw, what)
    try:
        data = _DOUBLE.pack(number)
    except OverflowError:
        data = b""
    if not data or _DOUBLE.unpack(data)[0] != number:
        raise GraphError(f"{what}: {number} is not exactly a float")
    return data


def single_bits(raw: object, what: str) -> bytes:
    """Return the four bytes of a float32; of another number only if it is one exactly."""
    if isinstance(raw, np.float32):
        return raw.tobytes()
    wide = double_bits(raw, what)
    with np.errstate(all="ignore"):
        single = np.frombuffer(wide, "<f8").astype("<f4")
        back = single.astype("<f8").tobytes()
    if back != wide:
        remedy = f"numpy.float32({raw}) rounds it"
        raise GraphError(f"{what}: {raw} is not exactly a float32; {remedy}")
    return single.tobytes()


def _read_double(cursor: Cursor, field: str) -> object:
    value: float = _DOUBLE.unpack_from(cursor.data, cursor.skip(8, field))[0]
    return value


def _write_double(out: bytearray, raw: object, what: str) -> None:
    out += double_bits(raw, what)


def _double_to_json(raw: object) -> object:
    return double_bits(raw, "float")[::-1].hex()


def _sized(item: object, size: int, what: str) -> bytes:
    data = from_hex(item, what)
    if len(data) != size:
        raise GraphError(f"{what}: expected {2 * size} hexadecimal digits, found {item!r}")
    return data[::-1]


def _double_from_json(item: object, what: str) -> object:
    value: float = _DOUBLE.unpack(_sized(item, 8, what))[0]
    return value


def _read_single(cursor: Cursor, field: str) -> object:
    return np.frombuffer(cursor.data, "<f4", 1, cursor.skip(4, field))[0]


def _write_single(out: bytearray, raw: object, what: str) -> None:
    out += single_bits(raw, what)


def _single_to_json(raw: object) -> object:
    return single_bits(raw, "float32")[::-1].hex()


def _single_from_json(item: object, what: str) -> object:
    return np.frombuffer(_sized(item, 4, what), "<f4")[0]


def _floats(raw: object, what: str) -> np.ndarray:
    array: np.ndarray = expect(raw, np.ndarray, what)
    if array.dtype != np.dtype("<f4") or array.ndim != 1:
        found = f"{array.dtype} of {array.ndim} dimensions"
        raise GraphError(f"{what}: expected a float32 array of one dimension, found {found}")
    return array


def _write_floats(out: bytearray, raw: object, what: str) -> None:
    array = _floats(raw, what)
    write_length(out, array.size, what)
    out += array.tobytes()


def _floats_to_json(raw: object) -> object:
    text = _floats(raw, "vector").astype("<f4").byteswap().tobytes().hex()
    return [text[at : at + 8] for at in range(0, len(text), 8)]


def _floats_from_json(item: object, what: str) -> object:
    items: list[object] = expect(item, list, what)
    return np.frombuffer(b"".join(_sized(each, 4, what) for each in items), "<f4").copy()


# -- addresses ----------------------------------------------------------------------------------


def _read_address(cursor: Cursor, field: str) -> object:
    family = cursor.u8(field)
    if family not in (4, 6):
        problem = f"an address of family {family} is taken as one of 6"
        cursor.remark(field, cursor.at - 1, problem, "4 or 6")
    size = 4 if family == 4 else 16
    at = cursor.skip(size, field)
    data = bytes(cursor.data[at : cursor.at])
    return ipaddress.IPv4Address(data) if family == 4 else ipaddress.IPv6Address(data)


def _address(raw: object, what: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(raw, ipaddress.IPv4Address):
        return raw
    return expect(raw, ipaddress.IPv6Address, what)


def _write_address(out: bytearray, raw: object, what: str) -> None:
    address = _address(raw, what)
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise GraphError(f"{what}: the scope of {address} cannot be stored")
    out.append(address.version)
    out += address.packed


def _address_to_json(raw: object) -> object:
    address = _address(raw, "address")
    return {"family": address.version, "hex": address.packed.hex()}


def _address_from_json(item: object, what: str) -> object:
    data = from_hex(member(item, "hex", what), what)
    family = expect(member(item, "family", what), int, what)
    if len(data) != {4: 4, 6: 16}.get(family):
        raise GraphError(f"{what}: {len(data)} bytes are no address of family {family}")
    return ipaddress.ip_address(data)


# -- all of them --------------------------------------------------------------------------------


def optional(form: Form) -> Form:
    """Make a form of one that may be absent: a flag, and it if the flag is set."""

    def read(cursor: Cursor, field: str) -> object:
        return form.read(cursor, field) if cursor.flag(f"{field} flag") else None

    def write(out: bytearray, raw: object, what: str) -> None:
        out.append(raw is not None)
        if raw is not None:
            form.write(out, raw, what)

    def to_json(raw: object) -> object:
        return None if raw is None else form.to_json(raw)

    def from_json(item: object, what: str) -> object:
        return None if item is None else form.from_json(item, what)

    return Form(read, write, to_json, from_json)


FORMS: dict[str, Form] = {
    "?": Form(Cursor.flag, _write_flag, _to_bool, _bool_from_json),
    **{code: _integer_form(code) for code in "BHIQiq"},
    **{f"{size}s": _raw_form(size) for size in (2, 3, 4, 5, 6, 16)},
    "varint": _varint_form(64),
    "varint32": _varint_form(32),
    "d": Form(_read_double, _write_double, _double_to_json, _double_from_json),
    "f": Form(_read_single, _write_single, _single_to_json, _single_from_json),
    "floats": Form(Cursor.floats, _write_floats, _floats_to_json, _floats_from_json),
    "text": _text_form(long=False),
    "bytes": _blob_form(long=False),
    "long_text": _text_form(long=True),
    "long_bytes": _blob_form(long=True),
    "ip": Form(_read_address, _write_address, _address_to_json, _address_from_json),
}
"""By the names of ``layout``. Forms that hold values or entities are added by their modules."""
FORMS.update({f"{name}?": optional(FORMS[name]) for name in ("i", "varint", "text")})


def fields_to_json(fields: Fields, raws: tuple[object, ...]) -> dict[str, object]:
    """Spell the fields of one payload; an address gives two entries."""
    found: dict[str, object] = {}
    for (name, form), raw in zip(fields, raws, strict=True):
        item = FORMS[form].to_json(raw)
        if form == "ip" and isinstance(item, dict):
            found.update(item)
        else:
            found[name] = item
    return found


def fields_from_json(fields: Fields, item: object, what: str) -> tuple[object, ...]:
    """Read the fields of one payload back; GraphError if one is not what could be stored."""
    found = []
    for name, form in fields:
        given = item if form == "ip" else member(item, name, what)
        raw = FORMS[form].from_json(given, f"{what}.{name}")
        FORMS[form].write(bytearray(), raw, f"{what}.{name}")
        found.append(raw)
    return tuple(found)
