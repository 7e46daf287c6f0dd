"""``wal/segment-{20 digits}.wal``: read for the names of properties, and for nothing else.

Byte 0 is the version: 2 (CRC-32C); 21 is one with CRC-32, or the first byte of the first record
where there is no version byte (0.1.0). Records follow:

    length u32 (21 + payload), kind u8, lsn u64, txn u64, payload, crc u32 over kind to payload

The engine never replays this log, overwrites parts of it after a checkpoint, and cuts values
short in it: no content is taken from it. But columns are files named by a hash, and the names
stand only here, as keys of creates and updates.
"""

import re
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


def _read_segment(path: Path, data: U8, names: PropertyNames) -> None:
    version = int(data[0])
    if version not in (VERSION, LEGACY):
        remedy = "the database was written by a newer engine, or the file is damaged"
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
