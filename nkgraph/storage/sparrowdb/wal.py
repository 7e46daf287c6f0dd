"""``wal/segment-{20 digits}.wal``: read and written for the names of properties, nothing else.

Byte 0 is the version: 2 (CRC-32C); 21 is one with CRC-32, or the first byte of the first record
where there is no version byte (0.1.0). Records follow:

    length u32 (21 + payload), kind u8, lsn u64, txn u64, payload, crc u32 over kind to payload

The engine never replays this log, overwrites parts of it after a checkpoint, and cuts values
short in it: no content is taken from it. But columns are files named by a hash, and the names
stand only here, as keys of creates and updates.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U32
from nkgraph.errors import VersionError
from nkgraph.storage import files
from nkgraph.storage.sparrowdb.names import fnv1a_32

FOLDER = "wal"
VERSION, LEGACY = 2, 21
CASTAGNOLI, IEEE = 0x82F63B78, 0xEDB88320
_SEGMENT = re.compile(r"segment-[0-9]{20}\.wal")
SEGMENT = "segment-00000000000000000000.wal"
_BEGIN, _COMMIT, _CREATE = 0x01, 0x03, 0x10
_BARE, _SEAL = 21, 24 + 16
"""Bytes of a record without payload, and those that encryption adds to one: nonce and tag."""
_SEALED = (
    "the columns are not encrypted, only their names are: give property_names= to open it with "
    "those, or open it with its key in SparrowDB and export it"
)
_REASONS = {
    "TORN": "a record is cut short",
    "CHECKSUM": "a checksum does not fit its record",
    "KIND": "a record is of an unknown kind",
    "PAYLOAD": "a payload cannot be read: it may be encrypted",
}


@dataclass
class PropertyNames:
    """Names of properties, by the column id that is their hash.

    Attributes
    ----------
    by_id : dict of int to str
    ambiguous : dict of int to list of str
        Column ids for which there are several names; they stand in ``by_id`` no more.
    stops : list of (Path, int, str)
        Segments that are not believed from a byte on, and why.
    """

    by_id: dict[int, str] = field(default_factory=dict)
    ambiguous: dict[int, list[str]] = field(default_factory=dict)
    stops: list[tuple[Path, int, str]] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Take a name."""
        number = fnv1a_32(name)
        if number in self.ambiguous:
            if name not in self.ambiguous[number]:
                self.ambiguous[number].append(name)
        elif self.by_id.setdefault(number, name) != name:
            self.ambiguous[number] = [self.by_id.pop(number), name]


def read_names(root: Path) -> PropertyNames:
    """Collect the property names that the log of a database mentions, committed or not.

    Raises
    ------
    VersionError
        A segment starts with a version that is not known.

    Notes
    -----
    One pass over the log at about the speed of a bytewise checksum; allocates for the names.
    """
    names = PropertyNames()
    folder = root / FOLDER
    if not folder.is_dir():
        return names
    for path in sorted(child for child in folder.iterdir() if _SEGMENT.fullmatch(child.name)):
        data = files.map_array(path, np.dtype("u1"))
        if data.size:
            _read_segment(path, read_only(data), names)
    return names


def encode_names(properties: Mapping[int, Sequence[str]]) -> bytes:
    """Encode the one segment of a log that names the properties of labels, and changes nothing.

    One transaction creates slot 0 of each label, with a property for each name. Newer engines
    replay the log at every open: they pass over creates of slots that exist, so ``properties``
    may only have labels with nodes.
    """
    table: U32 = np.empty(256, np.uint32)
    kernels.walk.fill_crc_table(np.uint32(CASTAGNOLI), table)
    crcs: list[int] = table.tolist()
    records = [(_BEGIN, b"")]
    for label in sorted(properties):
        held = [name.encode() for name in properties[label]]
        pairs = [struct.pack("<I", len(name)) + name + struct.pack("<IQ", 8, 0) for name in held]
        head = struct.pack("<QII", label << 32, label, len(pairs))
        records.append((_CREATE, head + b"".join(pairs)))
    records.append((_COMMIT, b""))
    out = bytearray([VERSION])
    for lsn, (kind, payload) in enumerate(records, 1):
        body = struct.pack("<BQQ", kind, lsn, 1) + payload
        out += struct.pack("<I", len(body) + 4) + body + struct.pack("<I", _crc(body, crcs))
    return bytes(out)


def _crc(data: bytes, table: Sequence[int]) -> int:
    value = 0xFFFFFFFF
    for byte in data:  # names of properties, and they are few
        value = value >> 8 ^ table[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF


def refuse_encrypted(root: Path) -> None:
    """Refuse a database whose log is encrypted: the names of its properties cannot be read.

    Only the first record with a payload is looked at: with a key every payload is a nonce, cipher
    text and a tag, and its checksum, which is over those, is right.

    Raises
    ------
    VersionError
        It is.
    """
    folder = root / FOLDER
    if not folder.is_dir():
        return
    for path in sorted(child for child in folder.iterdir() if _SEGMENT.fullmatch(child.name)):
        data = files.map_array(path, np.dtype("u1"))
        if data.size and int(data[0]) == VERSION:
            at, stop = _first_payload(data)
            if at:
                _refuse_sealed(path, read_only(data[:stop]), at)
                return


def _first_payload(data: U8) -> tuple[int, int]:
    """Return where the first record with a payload starts and stops; (0, 0) if there is none."""
    at = 1
    while at + 4 <= data.size:
        length = int.from_bytes(data[at : at + 4].tobytes(), "little")
        stop = at + 4 + length
        if length < _BARE or stop > data.size:
            break
        if length > _BARE:
            return at, stop
        at = stop
    return 0, 0


def _refuse_sealed(path: Path, data: U8, at: int) -> None:
    length = data.size - at - 4
    if length - _BARE < _SEAL:
        return
    names = PropertyNames()
    _read_segment(path, data, names)
    if not names.by_id and any(problem == _REASONS["PAYLOAD"] for _, _, problem in names.stops):
        found = f"{length - _BARE} bytes that are none: the log is encrypted"
        raise VersionError(path, "first payload", at + 21, "a record in the clear", found, _SEALED)


def _read_segment(path: Path, data: U8, names: PropertyNames) -> None:
    version = int(data[0])
    if version not in (VERSION, LEGACY):
        remedy = "written by a newer engine, or damaged: export the database with that engine"
        raise VersionError(path, "version", 0, f"{VERSION} or {LEGACY}", version, remedy)
    if version == VERSION:
        status, at, found = _walk(data, 1, CASTAGNOLI)
    else:
        status, at, found = _walk(data, 1, IEEE)
        if at == 1 and status != kernels.walk.ENDED:
            status, at, found = _walk(data, 0, IEEE)
    for start, length in found.tolist():
        held = data[start : start + length].tobytes()
        try:
            names.add(held.decode())
        except UnicodeDecodeError:
            names.stops.append((path, start, "a property name is not UTF-8"))
    for reason, problem in _REASONS.items():
        if status == getattr(kernels.walk, reason):
            names.stops.append((path, at, problem))


def _walk(data: U8, start: int, polynomial: int) -> tuple[int, int, I64]:
    """Walk records; why it stopped, where, and (position, length) of each name."""
    crc_table: U32 = np.empty(256, np.uint32)
    kernels.walk.fill_crc_table(np.uint32(polynomial), crc_table)
    found, room = np.zeros(2, np.int64), 1 << 10
    while True:
        names = np.empty((room, 2), np.int64)
        table = np.full(2 * room, -1, np.int64)
        status = kernels.walk.walk_log(data, start, read_only(crc_table), table, names, found)
        if status != kernels.walk.FULL:
            return status, int(found[0]), names[: int(found[1])]
        room *= 4
