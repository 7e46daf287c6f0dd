"""``*.rdst``: one dump as one file, ``RDST``, read in versions 1 to 10 and written in 10.

    part                 layout
    magic, version       b"RDST", u32
    collections          varu32 count; each: text name, varu32 count, entities or records
    cross-references     varu32 count; each: ``layout.REFERENCE``; may be absent
    aux                  u32 length and bytes; from version 10 on, may be absent
    CRC-32               u32, of all bytes before it; from version 3 on

``parse`` reads all of it, in Python: it is what faster readers have to agree with, and it words
their errors.
"""

import contextlib
import os
import stat
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from nkgraph.errors import FormatError, GraphError, LimitError, VersionError
from nkgraph.storage.files import beside_name, fsync_directory
from nkgraph.storage.reddb import layout as lay
from nkgraph.storage.reddb.cursor import Cursor, Source, quoted
from nkgraph.storage.reddb.entity import Entity
from nkgraph.storage.reddb.forms import expect, write_length, write_text
from nkgraph.storage.reddb.records import (
    read_record,
    read_store_reference,
    write_record,
    write_store_reference,
)
from nkgraph.storage.reddb.store import Store, to_save

__all__ = ["dumps", "parse", "read_record", "read_rest", "save", "start"]
_HEADER_BYTES, _CRC_BYTES = 8, 4
_BINARY: int = getattr(os, "O_BINARY", 0)
_PIECE = 1 << 20
"""Bytes that are collected before they are written."""


# -- reading ------------------------------------------------------------------------------------


def parse(
    data: Source,
    path: str | PathLike[str] = "dump",
    limits: lay.Limits | None = None,
    strict: bool = False,
) -> Store:
    """Read the bytes of a dump, entity by entity; ``path`` is what errors name.

    Nothing of the store refers to ``data`` afterwards.

    Raises
    ------
    FormatError, LimitError
        As ``lazy.load``.

    Examples
    --------
    >>> parse(dumps(Store())).format_version
    10
    """
    cursor = start(data, path, limits, strict)
    sections: list[tuple[str, list[Entity]]] = []
    for _ in range(cursor.count("collection count", "collection")):
        sections.append(_read_collection(cursor))
        cursor.collection = None
    store = Store.of_sections(sections)
    read_rest(cursor, store)
    return store


def start(
    data: Source,
    path: str | PathLike[str] = "dump",
    limits: lay.Limits | None = None,
    strict: bool = False,
) -> Cursor:
    """Check header and CRC; return a cursor at the count of collections, which ends at the CRC.

    Raises
    ------
    FormatError, VersionError
    """
    cursor = Cursor(data, path, limits=limits, strict=strict)
    size = cursor.stop
    if size < _HEADER_BYTES:
        raise FormatError(path, "file size", 0, f">= {_HEADER_BYTES}", size)
    magic = bytes(cursor.data[: len(lay.MAGIC)])
    if magic != lay.MAGIC:
        raise FormatError(path, "magic", 0, lay.MAGIC, magic)
    cursor.at = len(lay.MAGIC)
    cursor.version = cursor.u32("version")
    if cursor.version not in lay.VERSIONS:
        expected = f"{lay.VERSIONS[0]} to {lay.VERSIONS[-1]}"
        remedy = lay.newer_remedy(cursor.version)
        raise VersionError(path, "version", len(lay.MAGIC), expected, cursor.version, remedy)
    if cursor.version >= lay.CRC_FROM:
        if size < _HEADER_BYTES + _CRC_BYTES:
            raise FormatError(path, "file size", 0, f">= {_HEADER_BYTES + _CRC_BYTES}", size)
        stop = size - _CRC_BYTES
        stored = int.from_bytes(cursor.data[stop:], "little")
        found = zlib.crc32(cursor.data[:stop])
        if stored != found:
            raise FormatError(path, "CRC-32", stop, f"{found:#010x}", f"{stored:#010x}")
        cursor.stop = stop
    return cursor


def _read_collection(cursor: Cursor) -> tuple[str, list[Entity]]:
    name = cursor.collection = cursor.text("collection name")
    framed = cursor.version >= lay.RECORDS_FROM
    count = cursor.count("entity count", "record" if framed else "entity")
    entities = []
    for cursor.entity in range(count):
        entities.append(read_record(cursor))
    cursor.entity = None
    return name, entities


def read_rest(cursor: Cursor, store: Store) -> None:
    """Read what follows the collections, and give the store what the cursor has learnt."""
    if cursor.left:
        count = cursor.count("cross-reference count", "reference")
        store.cross_refs = [read_store_reference(cursor) for _ in range(count)]
    if cursor.left and cursor.version >= lay.AUX_FROM:
        size = cursor.u32("aux length")
        at = cursor.skip(size, "aux")
        store.aux_metadata = bytes(cursor.data[at : cursor.at])
    store.trailing_bytes = cursor.left
    if cursor.left:
        problem = f"{cursor.left} bytes behind the content are ignored"
        cursor.remark("trailing bytes", cursor.at, problem, "the end")
    store.format_version = cursor.version
    store.remarks = cursor.remarks
    store.path = cursor.path


# -- writing ------------------------------------------------------------------------------------


def dumps(store: Store, limits: lay.Limits | None = None) -> bytes:
    """Return the bytes that ``save`` writes.

    Raises
    ------
    GraphError, LimitError
        As ``save``.

    Examples
    --------
    >>> len(dumps(Store()))
    18
    """
    pieces = [bytes(piece) for piece in _pieces(store, (limits or lay.Limits()).depth)]
    crc = 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
    return b"".join([*pieces, crc.to_bytes(_CRC_BYTES, "little")])


def save(store: Store, path: str | PathLike[str], limits: lay.Limits | None = None) -> None:
    """Write a dump of version 10: the old file stays as it is, or the new one is there whole.

    Collections, entities and references keep their order, keys are sorted: equal stores give
    equal bytes. An existing file keeps its mode.

    Parameters
    ----------
    store : Store
    path : str or PathLike
    limits : Limits, optional
        Its depth is that of arrays and metadata, as ``load`` will have it.

    Raises
    ------
    GraphError
        A value cannot be stored exactly; names collection, entity and property.
    LimitError
        A length or count is beyond 32 bits, or arrays are too deep.
    """
    path = Path(path).resolve()
    other = beside_name(path)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    # The temporary file is never readable by more than the file that it is to replace.
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY
    handle = os.open(other, flags, 0o666 if mode is None else mode)
    try:
        with open(handle, "wb", buffering=0) as file:
            _write_pieces(file, store, (limits or lay.Limits()).depth)
            os.fsync(handle)
        if mode is not None:
            other.chmod(mode)
        other.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            other.unlink()
        raise
    with contextlib.suppress(OSError):  # the new file is there; not every system syncs names
        fsync_directory(path.parent)


def _write_pieces(file: BinaryIO, store: Store, depth: int) -> None:
    crc = 0
    for piece in _pieces(store, depth):
        crc = zlib.crc32(piece, crc)
        _write_whole(file, memoryview(piece))
    _write_whole(file, memoryview(crc.to_bytes(_CRC_BYTES, "little")))


def _write_whole(file: BinaryIO, piece: memoryview) -> None:
    while piece:
        piece = piece[file.write(piece) :]


def _pieces(store: Store, depth: int) -> Iterator[bytearray | memoryview]:
    """Walk the file up to its CRC in pieces of a megabyte or a record."""
    out = bytearray(lay.MAGIC + lay.VERSION.to_bytes(4, "little"))
    sections = store.sections()
    write_length(out, len(sections), "collection count")
    for name, first, stop in sections:
        write_text(out, name, "collection name")
        write_length(out, stop - first, f"entity count of collection {quoted(name)}")
        for row, item in to_save(store.collections[name], first, stop):
            if not isinstance(item, memoryview):
                _write_entity(out, item, name, row, depth)
            elif len(item) < _PIECE:
                out += item
            else:
                yield out
                yield item
                out = bytearray()
            if len(out) >= _PIECE:
                yield out
                out = bytearray()
    write_length(out, len(store.cross_refs), "cross-reference count")
    for row, reference in enumerate(store.cross_refs):
        try:
            write_store_reference(out, reference)
        except (GraphError, LimitError) as error:
            raise type(error)(f"cross-reference {row}: {error}") from None
        if len(out) >= _PIECE:
            yield out
            out = bytearray()
    aux = expect(store.aux_metadata, bytes, "aux")
    write_length(out, len(aux), "aux", long=True)
    yield out
    yield memoryview(aux)


def _write_entity(out: bytearray, entity: object, name: str, row: int, depth: int) -> None:
    where = f"collection {quoted(name)}, entity {row}"
    try:
        write_record(out, expect(entity, Entity, "item"), depth)
    except (GraphError, LimitError) as error:
        raise type(error)(f"{where}: {error}") from None
