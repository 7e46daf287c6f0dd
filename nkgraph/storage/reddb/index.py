"""Where everything lies in a dump: one walk over its bytes, which checks them all.

Part of a dump that is found needs no further check: what the walk accepted, kernels follow
without looking again.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import NamedTuple, TypeAlias

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U8, U16, U64
from nkgraph.errors import FormatError, LimitError, NkgraphError, VersionError
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.cursor import Cursor, quoted
from nkgraph.storage.reddb.layout import Limits
from nkgraph.storage.reddb.steps import limits_of, steps_of
from nkgraph.storage.reddb.values import read_value

Path: TypeAlias = str | PathLike[str]
HEADER_BYTES = 8
FOOTER_BYTES = 4
_FIRST_ROOM = 1 << 12


class Record(NamedTuple):
    """Where an entity lies: its own bytes, and those of its metadata block (none: empty).

    From version 7 to the end of its slice, bytes behind its content included.
    """

    start: int
    stop: int
    metadata: int
    metadata_stop: int


@dataclass(frozen=True)
class Index:
    """All of a dump by position, entities in file order.

    Attributes
    ----------
    path : path
        What errors name.
    limits : Limits
        Those of the walk.
    version : int
    stop : int
        The byte behind everything but the footer.
    names : list of str
        Names of the collections, in file order; one may come twice.
    firsts : (c + 1,) int64
        Collection c holds the entities ``firsts[c]`` to ``firsts[c + 1]``.
    stops : (c,) int64
        The byte behind each collection.
    places : (n,) int64
        Where each entity's item begins: its record, or in versions before 7 itself.
    ids : (n,) uint64
    flags : (n,) uint16
        Kind in the lowest three bits, data in the next three, and bits of
        ``nkgraph.kernels.dump_steps``: ``IS_PLAIN`` (the item is, byte for byte, what a writer
        of version 10 makes, and holds nothing that one compresses), ``IS_ODD`` (a reader may have
        something to remark: look), ``IS_EXPIRED``, ``IS_VERSIONED``, ``WITH_METADATA``.
    packed : (p,) int64
        Places of the codes of compressed values.
    section_at, section_count : int
        The cross-reference section with its count; at 0 if there is none.
    aux_at, aux_bytes : int
        The aux blob, behind its length; at 0 if there is none.
    trailing_bytes : int
        Bytes behind all that, before the footer.
    odd_outside : bool
        Whether anything outside of the entities is to be remarked.

    Notes
    -----
    18 bytes an entity and 8 a compressed value, which is a tenth of the file for nodes and edges
    with some properties, and twice the file at most (of entities with nothing in them).
    """

    path: Path
    limits: Limits
    version: int
    stop: int
    names: list[str]
    firsts: I64
    stops: I64
    places: I64
    ids: U64
    flags: U16
    packed: I64
    section_at: int
    section_count: int
    aux_at: int
    aux_bytes: int
    trailing_bytes: int
    odd_outside: bool

    def __len__(self) -> int:
        return int(self.places.size)

    @property
    def kinds(self) -> U8:
        """Kind tag of each entity, (n,)."""
        return (self.flags & 7).astype(np.uint8)

    @property
    def data_tags(self) -> U8:
        """Data tag of each entity, (n,)."""
        return (self.flags >> 3 & 7).astype(np.uint8)

    def words(self, row: int) -> str:
        """Say which entity a row is: ``collection 'people', entity 3``."""
        number = self.collection_of(row)
        return f"collection {quoted(self.names[number])}, entity {row - int(self.firsts[number])}"

    def collection_of(self, row: int) -> int:
        """Return the number of the collection that holds an entity."""
        return int(np.searchsorted(self.firsts, row, side="right")) - 1

    def item_stop(self, row: int) -> int:
        """Return the byte behind an item."""
        collection = self.collection_of(row)
        if row + 1 < self.firsts[collection + 1]:
            return int(self.places[row + 1])
        return int(self.stops[collection])

    def record(self, data: U8, row: int) -> Record:
        """Return where an entity and its metadata lie."""
        start, end = int(self.places[row]), self.item_stop(row)
        if self.version < layout.RECORDS_FROM:
            return Record(start, end, end, end)
        start += 4
        size = end - start
        if size < 8 or bytes(data[start : start + 4]) != layout.RECORD_MAGIC:
            return Record(start, end, end, end)
        entity = start + 8
        behind = entity + _u32(data, start + 4)
        metadata = behind + 4
        return Record(entity, behind, metadata, metadata + _u32(data, behind))


def index(data: U8, path: Path = "dump", limits: Limits | None = None) -> Index:
    """Walk a dump and say where everything lies.

    Parameters
    ----------
    data : (b,) uint8
        The whole file; mapped ones are read once, on two threads if there is a checksum.
    path : path
        What errors name.
    limits : Limits, optional

    Raises
    ------
    VersionError
        A version that is not read.
    FormatError
        Anything that no reader accepts; with its offset and what was being read. The checksum is
        compared first.
    LimitError
        Beyond ``limits``.

    Notes
    -----
    O(bytes); allocates what the index keeps, and a compressed value at a time.

    Examples
    --------
    >>> from nkgraph.storage import reddb
    >>> found = index(np.frombuffer(reddb.dumps(reddb.Store()), np.uint8))
    >>> found.version, len(found), found.names
    (10, 0, [])
    """
    version, stop = _check_header(data, path)
    limits = limits or Limits()
    walk = _Walk(read_only(data), path, version, stop, limits)
    if version < layout.CRC_FROM:
        return walk.run()
    checksum = partial(zlib.crc32, data[:stop].data)
    found, outcome = threads.run([checksum, partial(_attempt, walk.run)])
    stored = _u32(data, stop)
    if found != stored:
        raise FormatError(path, "CRC-32", stop, f"{found:#010x}", f"{stored:#010x}")
    if isinstance(outcome, NkgraphError):
        raise outcome
    assert isinstance(outcome, Index)
    return outcome


def _attempt(job: Callable[[], Index]) -> Index | NkgraphError:
    """Return an error: the checksum's goes first."""
    try:
        return job()
    except NkgraphError as error:
        return error


def _u32(data: U8, at: int) -> int:
    return int.from_bytes(bytes(data[at : at + 4]), "little")


def _check_header(data: U8, path: Path) -> tuple[int, int]:
    """Return the version, and the byte behind everything but the footer."""
    if data.size < HEADER_BYTES:
        raise FormatError(path, "file size", 0, f">= {HEADER_BYTES}", data.size)
    magic = bytes(data[:4])
    if magic != layout.MAGIC:
        raise FormatError(path, "magic", 0, layout.MAGIC, magic)
    version = _u32(data, 4)
    if version not in layout.VERSIONS:
        known = f"{layout.VERSIONS[0]} to {layout.VERSIONS[-1]}"
        raise VersionError(path, "version", 4, known, version, layout.newer_remedy(version))
    if version < layout.CRC_FROM:
        return version, int(data.size)
    if data.size < HEADER_BYTES + FOOTER_BYTES:
        raise FormatError(path, "file size", 0, f">= {HEADER_BYTES + FOOTER_BYTES}", data.size)
    return version, int(data.size) - FOOTER_BYTES


class _Walk:
    """The outputs of a walk, which grow as it goes."""

    def __init__(self, data: U8, path: Path, version: int, stop: int, limits: Limits) -> None:
        k = kernels.dump_steps
        self.data, self.path, self.version, self.stop = data, path, version, stop
        self.limits = limits
        self.steps = steps_of(version)
        self.table = read_only(limits_of(version, limits, stop))
        self.stack = np.empty(4 * (int(self.table[k.MOST_DEPTH]) + 2), np.int64)
        self.state = np.zeros(kernels.dump.STATES, np.int64)
        self.state[kernels.dump.NEXT] = HEADER_BYTES
        self.state[kernels.dump.COLLECTIONS_LEFT] = -1
        self.note = np.zeros(k.NOTES, np.int64)
        self.parts = np.empty((64, 4), np.int64)
        self.packed = np.empty(64, np.int64)
        self.places = np.empty(_FIRST_ROOM, np.int64)
        self.ids = np.empty(_FIRST_ROOM, np.uint64)
        self.flags = np.empty(_FIRST_ROOM, np.uint16)

    def run(self) -> Index:
        """Walk to the end."""
        k = kernels.dump_steps
        status = k.FULL
        while status == k.FULL:
            status = kernels.dump.walk(
                self.data, self.stop, self.steps, self.table, self.stack, self.state, self.parts,
                self.places, self.ids, self.flags, self.packed, self.note,
            )  # fmt: skip
            if status == k.FULL:
                self._grow()
        if status != k.OK:
            raise self._error(status)
        found = self._index()
        check_packed(self.data, found)
        return found

    def _grow(self) -> None:
        """Make room where it ended: half as much again as the bytes so far let expect."""
        k, w = kernels.dump_steps, kernels.dump
        at, row = int(self.state[w.NEXT]), int(self.state[w.ROW])
        if row == self.places.size:
            expected = row * (self.stop / at) * 1.02
            room = max(int(min(expected, 16 * row)), row + (row >> 1))
            self.places, self.ids, self.flags = (
                _grown(each, row, room) for each in (self.places, self.ids, self.flags)
            )
        if self.state[w.COLLECTION] == self.parts.shape[0]:
            self.parts = np.concatenate([self.parts, np.empty_like(self.parts)])
        if 2 * self.note[k.PACKED] >= self.packed.size:
            self.packed = _grown(self.packed, self.packed.size, 2 * self.packed.size)

    def _index(self) -> Index:
        k, w = kernels.dump_steps, kernels.dump
        state = self.state.tolist()
        count, rows = state[w.COLLECTION], state[w.ROW]
        parts = self.parts[:count]
        return Index(
            self.path,
            self.limits,
            self.version,
            self.stop,
            [bytes(self.data[a:b]).decode() for a, b in parts[:, :2].tolist()],
            np.append(parts[:, 2], rows),
            parts[:, 3].copy(),
            _shrunk(self.places, rows),
            _shrunk(self.ids, rows),
            _shrunk(self.flags, rows),
            self.packed[: int(self.note[k.PACKED])].copy(),
            state[w.SECTION_AT],
            state[w.SECTION_COUNT],
            state[w.AUX_AT],
            state[w.AUX_BYTES],
            state[w.TRAILING],
            state[w.ODD_OUTSIDE] != 0,
        )

    # -- errors -------------------------------------------------------------------------------

    def _error(self, status: int) -> NkgraphError:
        """Word what the walk found."""
        k = kernels.dump_steps
        note = self.note.tolist()
        at, found, left = note[k.AT], note[k.FOUND], note[k.LEFT]
        field = self._words()
        over = {
            k.TOO_DEEP: ("depth", f"arrays {found} deep"),
            k.TOO_LONG: ("value_bytes", f"{found} bytes"),
            k.TOO_MUCH: ("total_bytes", f"{found} bytes of compressed values"),
        }
        if status in over:
            name, what = over[status]
            words = f"{self.path}: {field} at byte {at}: {what}"
            return LimitError(f"{words}, over the limit of {left} ({name})")
        expected, seen = {
            k.SHORT: (f"{found} bytes", f"{left}"),
            k.LONG_VARINT: ("at most 5 or 10 bytes", "a number that goes on"),
            k.BAD_TEXT: ("UTF-8", "other bytes"),
            k.BAD_CODE: ("a known code", f"{found}"),
            k.BAD_COUNT: (f"at most {left}, for the bytes left", f"{found}"),
            k.BAD_RECORD: (f"at most {left} bytes, for the record", f"{found}"),
        }[status]
        return FormatError(self.path, field, at, expected, seen)

    def _words(self) -> str:
        """Say where the walk stopped: ``collection 'people', entity 3: value of 'age'``."""
        k, w = kernels.dump_steps, kernels.dump
        field = field_words()[int(self.note[k.FIELD])]
        key, key_stop = self.note[k.KEY], self.note[k.KEY_STOP]
        if key >= 0 and self.note[k.FIELD] == k.F_VALUE:
            field += f" of {_quoted(self.data, key, key_stop)}"
        if not self.state[w.INSIDE]:
            return field
        start, stop, first = self.parts[self.state[w.COLLECTION], :3].tolist()
        place = f"collection {_quoted(self.data, start, stop)}"
        return f"{place}, entity {self.state[w.ROW] - first}: {field}"


def field_words() -> list[str]:
    """Return what the fields of the walk are called."""
    return [
        "collection name", "entity count", "record length", "entity length", "metadata length",
        "entity id", "kind", "data", "property key", "value", "columns", "tag", "created_at",
        "updated_at", "embedding", "cross-reference", "sequence_id", "queue tail", "logical_id",
        "xmin and xmax", "metadata", "cross-reference section", "aux blob", "collection count",
        "property count",
    ]  # fmt: skip


def _quoted(data: U8, start: int, stop: int) -> str:
    return quoted(bytes(data[start:stop]).decode())


def _grown(array: np.ndarray, used: int, room: int) -> np.ndarray:
    longer = np.empty(room, array.dtype)
    longer[:used] = array[:used]
    return longer


def _shrunk(array: np.ndarray, used: int) -> np.ndarray:
    """Return the first rows; a copy only where much would be kept for nothing."""
    kept = array[:used]
    return kept if 8 * used >= 7 * array.size else kept.copy()


# -- compressed values ----------------------------------------------------------------------------


def check_packed(data: U8, found: Index) -> None:
    """Decompress each compressed value once; those shorter than declared make an entity odd."""
    cursor = Cursor(data, found.path, limits=found.limits)
    rows = np.searchsorted(found.places, found.packed, side="right") - 1
    for at, row in zip(found.packed.tolist(), rows.tolist(), strict=True):
        number = found.collection_of(row)
        cursor.collection, cursor.entity = found.names[number], row - int(found.firsts[number])
        before = len(cursor.remarks)
        cursor.at, cursor.unpacked = at, 0
        read_value(cursor)
        if len(cursor.remarks) > before:
            found.flags[row] |= kernels.dump_steps.IS_ODD
            cursor.remarks.clear()
