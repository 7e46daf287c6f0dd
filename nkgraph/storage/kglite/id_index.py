"""``IdIndex``: external id -> node id per node type, a mapped base and changes in memory.

A type is a base, which is a payload that never changes, and an overlay: hash tables with a node
for each key that was set, or a mark for each that was removed. What the overlay holds masks all
entries of an equal key in the base. Forms of files: ``id_index_file`` and ``id_index_legacy``;
what is equal, and how content is written: ``id_keys`` and ``id_maps``.
"""

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from nkgraph.arguments import uint32_array
from nkgraph.dtypes import I64, NO_NODE, U32, Bool
from nkgraph.errors import FormatError, GraphError, VersionError
from nkgraph.storage import columns, files
from nkgraph.storage import values as kinds
from nkgraph.storage.columns import AnyColumn, FixedColumn
from nkgraph.storage.keys import IntKeys, TextKeys
from nkgraph.storage.kglite import id_index_file, id_index_legacy, id_keys, id_maps
from nkgraph.storage.kglite.id_index_file import GeneralIds, IntegerIds
from nkgraph.storage.kglite.id_keys import NO_ROWS, IdKeys
from nkgraph.storage.kglite.id_maps import Entries, GeneralMap, IntegerMap
from nkgraph.storage.kglite.names import Names, check_name, fnv1a
from nkgraph.storage.mapped import MappedArray
from nkgraph.storage.text import TextArray

FILE = "id_indices.bin"
UNSET, REMOVED = -1, -2
"""What an overlay holds in place of a node: nothing yet, so that the base answers; no node."""

NodeType: TypeAlias = str | int
"""A name, or the hash of one."""


class _Overlay:
    """Hash tables over changed keys, and the state of each: a node, UNSET or REMOVED."""

    def __init__(self) -> None:
        self.ints, self.rest = IntKeys(), TextKeys()
        self._int_states, self._rest_states = MappedArray(np.int64), MappedArray(np.int64)

    def find(self, keys: IdKeys) -> I64:
        """Return the state of each key."""
        found = np.full(keys.count, UNSET, np.int64)
        if keys.ints.size and len(self.ints):
            at = self.ints.find(keys.ints)
            found[keys.rows_of_ints] = np.where(at >= 0, self._int_states.array[at], UNSET)
        if keys.rest_rows.size and len(self.rest):
            at = self.rest.find(keys.rest.offsets, keys.rest.data)
            found[keys.rest_rows] = np.where(at >= 0, self._rest_states.array[at], UNSET)
        return found

    def set(self, keys: IdKeys, states: I64) -> None:
        """Set states; of equal keys the last wins. All or, where memory ends, none."""
        try:
            ints = self.ints.insert(keys.ints) if keys.ints.size else NO_ROWS
            rest = self.rest.insert(keys.rest.offsets, keys.rest.data)
        finally:
            for table, held in ((self.ints, self._int_states), (self.rest, self._rest_states)):
                held.grow(len(table) - len(held))[:] = UNSET
        self._int_states.array[ints] = states[keys.rows_of_ints]
        self._rest_states.array[rest] = states[keys.rest_rows]

    @property
    def count(self) -> int:
        """How many keys have a node."""
        states = self._int_states.array, self._rest_states.array
        return sum(int(np.count_nonzero(part >= 0)) for part in states)

    def entries(self) -> Entries:
        """Return the keys that have a node."""
        ints = np.flatnonzero(self._int_states.array >= 0)
        rest = np.flatnonzero(self._rest_states.array >= 0)
        return Entries(
            self.ints.keys()[ints],
            np.full(ints.size, kinds.INT, np.uint8),
            self._int_states.array[ints].astype(np.uint32),
            TextArray(*self.rest.texts()).take(rest),
            self._rest_states.array[rest].astype(np.uint32),
        )


class _TypeIds:
    """The ids of one type. Without changes it is immutable, and read without a lock."""

    def __init__(self, base: IntegerMap | GeneralMap | None) -> None:
        self.base = base
        self.overlay: _Overlay | None = None
        self.dead: list[I64] = []
        self.lock = threading.RLock()

    @property
    def count(self) -> int:
        with self.lock:
            count = self.base.count if self.base else 0
            count -= sum(rows.size for rows in self.dead)
            return count + (self.overlay.count if self.overlay else 0)

    def find(self, keys: IdKeys) -> U32:
        if self.overlay is None and self.base is not None:
            return self.base.find(keys)
        with self.lock:
            found = np.full(keys.count, NO_NODE, np.uint32)
            if self.base is not None:
                found = self.base.find(keys)
            if self.overlay is not None:
                states = self.overlay.find(keys)
                found[states == REMOVED] = NO_NODE
                found[states >= 0] = states[states >= 0]
            return found

    def set(self, keys: IdKeys, states: I64) -> None:
        """Set or remove keys; masks their entries of the base."""
        with self.lock:
            overlay = self.overlay or _Overlay()
            dead = NO_ROWS
            if self.base is not None and keys.count:
                fresh = np.flatnonzero(overlay.find(keys) == UNSET)
                dead = self.base.rows(keys if fresh.size == keys.count else keys.take(fresh))
            overlay.set(keys, states)
            self.dead.append(dead)
            self.overlay = overlay

    def entries(self) -> IntegerIds | GeneralIds:
        """Return all live entries in their canonical form."""
        with self.lock:
            dead = np.concatenate([NO_ROWS, *self.dead])
            base, added = self.base, self.overlay.entries() if self.overlay else None
            if isinstance(base, IntegerMap) and not (added and len(added.rest)):
                live, added = base.live(dead), added or NO_ENTRIES
                keys = added.ints.astype(np.uint32)
                if (keys == added.ints).all():
                    return id_maps.merged(live, keys, added.int_nodes)
            parts = [base.entries(dead)] if base is not None else []
            return id_maps.canonical([NO_ENTRIES, *parts, added or NO_ENTRIES])

    def materialized(self) -> "_TypeIds":
        """Return the same entries, all in memory."""
        return _TypeIds(id_maps.map_in_memory(self.entries()))


NO_NODES: U32 = np.zeros(0, np.uint32)
NO_ENTRIES = Entries(NO_ROWS, np.zeros(0, np.uint8), NO_NODES, TextArray.empty(), NO_NODES)


class IdIndex:
    """External ids to node ids, per node type; see the module for how.

    Two ids are equal as section 9.1 of the format has it: integers and whole floats by their
    value (``1``, ``1.0``, ``np.uint8(1)``), a text only to the same text, booleans, dates,
    points and other values only to the same value of the same kind. NaN, None, NaT and masked
    entries equal nothing: looked up they are absent, and they cannot be inserted. Integers
    beyond 64 bits with a sign are absent too.

    Notes
    -----
    All methods may be called from several threads. Look-ups in a type that was not changed run
    side by side; those in a changed type wait for each other, and use all cores in turn. A
    failed call changes nothing. No look-up writes to a file.

    ``node_type`` is a name, or the hash that files hold in its place (``names.fnv1a``).
    Answers are by name where one is known (from ``open``, from the oldest files, or from a
    call that added the type), else by hash.

    Examples
    --------
    >>> import numpy as np
    >>> from nkgraph.storage.kglite.id_index import IdIndex
    >>> index = IdIndex()
    >>> index.insert("Person", [7, "ada", 9], [0, 1, 2])
    >>> index.find("Person", [9.0, "ada", "7", None]).tolist()
    [2, 1, 4294967295, 4294967295]
    >>> index.remove("Person", [9, 10]).tolist()
    [True, False]
    >>> index.counts()
    {'Person': 2}
    >>> index.write("id_indices.bin")
    >>> IdIndex.open("id_indices.bin").contains("Person", np.array([7, 9])).tolist()
    [True, False]
    """

    def __init__(self) -> None:
        self._types: dict[int, _TypeIds] = {}
        self._names = Names()
        self._lock = threading.RLock()
        self._locks: dict[int, threading.RLock] = {}

    @classmethod
    def open(cls, path: str | os.PathLike[str], names: Iterable[str] = ()) -> "IdIndex":
        """Open an index; reads its directory and maps the rest.

        Parameters
        ----------
        path : path
            A graph directory (one that holds the file itself), an ``id_indices.bin``, or an
            ``id_indices.bin.zst``. The compressed forms of older versions are read where the
            ``.bin`` is absent, or has another magic number or version; never in place of a
            damaged one. A native graph of several segments has an index for each of them: give
            the file.
        names : iterable of str, optional
            Node types, to give answers by name.

        Raises
        ------
        FileNotFoundError
            There is no index: it has to be built.
        FormatError
            The index is damaged. Damage within a payload is found when it is used.
        VersionError
            A version that is not known, and no older form beside it.

        Notes
        -----
        O(types) for ``id_indices.bin``. The compressed forms are decompressed whole.
        """
        index = cls()
        entries, known, label = _read(Path(path))
        index._types = {value: _TypeIds(id_maps.map_of(label, e)) for value, e in entries.items()}
        index._names = Names([*known, *names])
        return index

    # -- looking up ---------------------------------------------------------------------------

    def find(self, node_type: NodeType, ids: object) -> U32:
        """Find the node of each id.

        Parameters
        ----------
        node_type : str or int
        ids : (k,) array, masked array, sequence or column, or one id
            Integers are fastest as an array.

        Returns
        -------
        (k,) uint32
            ``NO_NODE`` where absent, and for all ids of a type that is not there.

        Raises
        ------
        FormatError
            The payload of the type is damaged.
        GraphError
            ``ids`` are not one-dimensional, or hold what the format has no form for.

        Notes
        -----
        O(k log n) and on all threads. An integer payload is checked on first use: O(n), at the
        speed of the memory. A general one is decoded and sorted by hash on
        first use: O(n log n) time, about 45 bytes an id.

        Examples
        --------
        >>> index = IdIndex()
        >>> index.insert("Town", ["Ulm", True], [3, 4])
        >>> index.find("Town", ["Ulm", 1, True]).tolist()
        [3, 4294967295, 4]
        """
        keys = id_keys.from_user(ids, looked_up=True)
        state = self._types.get(_hash(node_type))
        return np.full(keys.count, NO_NODE, np.uint32) if state is None else state.find(keys)

    def find_or_build(
        self, node_type: NodeType, ids: object, build: Callable[[], tuple[object, ArrayLike]]
    ) -> U32:
        """As ``find``, in a type that is built if it is not there.

        Parameters
        ----------
        build : callable
            Returns (ids, nodes) of the whole type, as ``replace`` takes them. Called at most
            once a type, however many threads ask for it; the others wait. If it raises, the
            type stays absent, and the next call builds.

        Examples
        --------
        >>> index = IdIndex()
        >>> index.find_or_build("Town", "Ulm", lambda: (["Ulm", "Linz"], [0, 1])).tolist()
        [0]
        """
        value = self._claim(node_type)
        keys = id_keys.from_user(ids, looked_up=True)
        state = self._types.get(value)
        if state is None:
            with self._changes(value):
                state = self._types.get(value)
                if state is None:
                    state = _built(*build())
                    self._publish(node_type, value, state)
        return state.find(keys)

    def contains(self, node_type: NodeType, ids: object) -> Bool:
        """Say which ids are there, (k,) bool; as ``find``."""
        return np.not_equal(self.find(node_type, ids), NO_NODE)

    def has_type(self, node_type: NodeType) -> bool:
        """Say whether the type is there, though it may be empty; if not, it has to be built."""
        return _hash(node_type) in self._types

    @property
    def types(self) -> list[NodeType]:
        """The types, ascending by hash; names where they are known."""
        return [self._label(value) for value in sorted(self._types)]

    def count(self, node_type: NodeType) -> int:
        """Return how many entries a type has; 0 if it is not there."""
        state = self._types.get(_hash(node_type))
        return 0 if state is None else state.count

    def counts(self) -> dict[NodeType, int]:
        """Return how many entries each type has. O(changes), and no payload is read."""
        return {self._label(value): state.count for value, state in self._sorted()}

    def items(self, node_type: NodeType) -> tuple[AnyColumn, U32]:
        """Return all live entries of a type.

        Returns
        -------
        ids : column
            What ``nkgraph.storage.columns.to_user`` gives to a user; integers of 32 bits are
            of kind "uniqueid".
        nodes : (n,) uint32

        Raises
        ------
        FormatError
            The payload of the type is damaged, or its keys do not ascend.

        Notes
        -----
        In the order in which they are written: integers ascending, then the rest in an order
        that depends on the ids alone. O(n log n) where changed or general.

        Examples
        --------
        >>> index = IdIndex()
        >>> index.insert("Town", [30, 4], [1, 2])
        >>> ids, nodes = index.items("Town")
        >>> ids.data.tolist(), nodes.tolist()
        ([4, 30], [2, 1])
        """
        state = self._types.get(_hash(node_type))
        return _to_column(IntegerIds(NO_NODES, NO_NODES) if state is None else state.entries())

    def snapshot(self) -> dict[NodeType, tuple[AnyColumn, U32]]:
        """Return all live entries of all types, as ``items``; no later change is seen in it."""
        return {self._label(value): _to_column(state.entries()) for value, state in self._sorted()}

    # -- changing -----------------------------------------------------------------------------

    def insert(self, node_type: NodeType, ids: object, nodes: ArrayLike) -> None:
        """Set the nodes of ids; what is there already is replaced.

        Parameters
        ----------
        ids : (k,) as for ``find``
            Of equal ids in one call the last wins.
        nodes : (k,) integers from 0 to 2**32 - 2

        Raises
        ------
        GraphError
            Not as many nodes as ids; an id that is absent or NaN, or an integer beyond 64 bits.
        FormatError
            The payload of the type is damaged.

        Notes
        -----
        O(k), and O(k log n) to mask the base. About 40 bytes a changed id.
        """
        value = self._claim(node_type)
        keys, states = _checked(ids, nodes)
        with self._changes(value):
            state = self._types.get(value) or _TypeIds(None)
            state.set(keys, states)
            self._publish(node_type, value, state)

    def get_or_insert(self, node_type: NodeType, ids: object, nodes: ArrayLike) -> U32:
        """Return the node of each id, after setting those that were absent.

        Of equal ids that were absent the first one sets the node. Arguments and errors as for
        ``insert``.

        Examples
        --------
        >>> index = IdIndex()
        >>> index.insert("Town", [30], [1])
        >>> index.get_or_insert("Town", [5, 30, 5], [7, 8, 9]).tolist()
        [7, 1, 7]
        """
        value = self._claim(node_type)
        keys, states = _checked(ids, nodes)
        with self._changes(value):
            state = self._types.get(value) or _TypeIds(None)
            with state.lock:
                found = state.find(keys)
                missing = np.flatnonzero(found == NO_NODE)
                if missing.size:
                    absent = keys.take(missing[::-1])  # the last one set is the first
                    state.set(absent, states[missing[::-1]])
                    found[missing] = state.find(absent)[::-1]
            self._publish(node_type, value, state)
            return found

    def remove(self, node_type: NodeType, ids: object) -> Bool:
        """Remove ids, in all forms in which a general payload may hold an integer.

        Returns
        -------
        (k,) bool
            Which were there before the call.
        """
        keys = id_keys.from_user(ids, looked_up=True)
        value = _hash(node_type)
        with self._changes(value):
            state = self._types.get(value)
            if state is None:
                return np.zeros(keys.count, bool)
            with state.lock:
                there: Bool = np.not_equal(state.find(keys), NO_NODE)
                rows = np.flatnonzero(there)
                if rows.size:
                    state.set(keys.take(rows), np.full(rows.size, REMOVED, np.int64))
                return there

    def clear(self, node_type: NodeType | None = None) -> None:
        """Drop a type, or all; it is then absent, and is not written."""
        if node_type is None:
            self._types = {}
            return
        value = _hash(node_type)
        with self._changes(value):
            self._types.pop(value, None)

    def replace(self, node_type: NodeType, ids: object, nodes: ArrayLike) -> None:
        """Make these the only entries of a type; of equal ids the last wins.

        Arguments and errors as for ``insert``. Empty ones give an empty type, which is there.
        """
        value = self._claim(node_type)
        state = _built(ids, nodes)
        with self._changes(value):
            self._publish(node_type, value, state)

    def materialize(self, node_type: NodeType) -> None:
        """Bring a type wholly into memory: it needs the file no more. No entry changes.

        Does nothing for a type that is not there. Raises FormatError as ``items`` does.
        """
        value = _hash(node_type)
        with self._changes(value):
            state = self._types.get(value)
            if state is not None:
                self._publish(node_type, value, state.materialized())

    # -- files --------------------------------------------------------------------------------

    def verify(self) -> None:
        """Check all payloads, each of which is else checked when it is first used.

        Raises
        ------
        FormatError
            A payload is damaged, its keys do not ascend, or an id stands twice.
        """
        for _, state in self._sorted():
            if state.base is not None:
                state.base.check()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write all live entries to a fresh file, as ``id_indices.bin``.

        Parameters
        ----------
        path : path
            The file, or an existing directory to put ``id_indices.bin`` into. May be what this
            index was opened from: it goes on reading the old file.

        Raises
        ------
        FormatError
            A payload is damaged; nothing is written.

        Notes
        -----
        Written beside, synced and renamed over ``path``, and its directory synced: the old
        content or the new one. Equal entries give equal bytes, whatever happened before:
        types ascend by hash, integer payloads come first, and each payload has the form that
        ``id_maps`` describes. A type whose ids are all integers of 32 bits is written as
        unique ids. Types of unknown name are kept.
        """
        target = Path(path)
        contents = {value: state.entries() for value, state in self._sorted()}
        files.write_atomic(
            target / FILE if target.is_dir() else target, id_index_file.write(contents)
        )

    # -- parts --------------------------------------------------------------------------------

    def _claim(self, node_type: NodeType) -> int:
        """Return the hash of a type that is to be added; another name may not have it."""
        value = _hash(node_type)
        known = self._names.name_of(value)
        if isinstance(node_type, str) and known is not None:
            Names([known, node_type])
        return value

    def _changes(self, value: int) -> threading.RLock:
        """Return the lock under which a type is built or changed: one at a time."""
        return self._locks.setdefault(value, threading.RLock())

    def _publish(self, node_type: NodeType, value: int, state: _TypeIds) -> None:
        with self._lock:
            if isinstance(node_type, str):
                self._names.intern(node_type)
            self._types[value] = state

    def _label(self, value: int) -> NodeType:
        name = self._names.name_of(value)
        return value if name is None else name

    def _sorted(self) -> list[tuple[int, _TypeIds]]:
        return sorted(self._types.copy().items(), key=lambda item: item[0])


def _hash(node_type: NodeType) -> int:
    if isinstance(node_type, (int, np.integer)) and not isinstance(node_type, bool):
        if not 0 <= int(node_type) < 2**64:
            raise GraphError(f"type hash {node_type} is not from 0 to 2**64 - 1")
        return int(node_type)
    return fnv1a(check_name(node_type, "node type"))


def _checked(ids: object, nodes: ArrayLike) -> tuple[IdKeys, I64]:
    """Check entries that are to be added."""
    keys = id_keys.from_user(ids)
    row = keys.missing_row()
    if row >= 0:
        raise GraphError(f"ids: row {row} has no id (None, NaN or masked)")
    if keys.ints.dtype == np.uint64 and keys.ints.size and int(keys.ints.max()) >= 2**63:
        row = int(np.argmax(keys.ints))
        raise GraphError(f"ids: row {row}: {keys.ints[row]} does not fit 64 bits with a sign")
    given = np.reshape(nodes, 1) if np.ndim(nodes) == 0 else nodes
    checked = uint32_array(given, "node")
    if checked.size != keys.count:
        raise GraphError(f"{keys.count} ids, but {checked.size} nodes")
    return keys, checked.astype(np.int64)


def _built(ids: object, nodes: ArrayLike) -> _TypeIds:
    keys, states = _checked(ids, nodes)
    entries = id_maps.last_of_equal(keys, states.astype(np.uint32))
    return _TypeIds(id_maps.map_in_memory(id_maps.canonical([entries])))


def _to_column(ids: IntegerIds | GeneralIds) -> tuple[AnyColumn, U32]:
    if isinstance(ids, IntegerIds):
        keys, nodes = (np.array(part, np.uint32) for part in (ids.keys, ids.nodes))
        return FixedColumn("uniqueid", keys, None), nodes
    return columns.from_values(ids.values), ids.nodes


def _read(path: Path) -> tuple[dict[int, id_index_file.Entry], list[str], Path]:
    """Read the index at a path, in whichever form it is there."""
    target = path / FILE if path.is_dir() else path
    if target.suffix == ".zst":
        return *id_index_legacy.read(_existing(target)), target
    older = target.with_name(target.name + ".zst")
    if not target.exists() and older.exists():
        return *id_index_legacy.read(older), older
    try:
        return id_index_file.read(_existing(target)), [], target
    except FormatError as error:
        other = isinstance(error, VersionError) or (error.field == "magic")
        if other and older.exists():
            return *id_index_legacy.read(older), older
        raise


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no id index: build it")
    return path
