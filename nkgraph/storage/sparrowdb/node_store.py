"""The node store of SparrowDB: properties as columns of tagged words, a string heap, marks.

Layout: ``node_files`` and ``string_heap``. What the original does wrong, it does right here, and
its files stay readable both ways:

* A call that fails changes nothing. The mark of a label, ``hwm.bin``, is the commit point of new
  nodes: it is raised after all they consist of is durable. A change of existing nodes is durable
  when the call returns.
* Integers beyond 56 bits, strings beyond 65,535 bytes and slots beyond the mark are refused before
  a byte is written; so are writes to deleted nodes.
* One writer at a time, any number of readers.
"""

import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U64
from nkgraph.errors import GraphError, LimitError, NotFoundError
from nkgraph.storage import files
from nkgraph.storage.sparrowdb import changes, column_writes, encoding, node_files, string_heap
from nkgraph.storage.sparrowdb.changes import Change
from nkgraph.storage.sparrowdb.column_writes import ColumnWrites, Fresh
from nkgraph.storage.sparrowdb.encoding import HeapTail
from nkgraph.storage.sparrowdb.node_arguments import (
    Group,
    Props,
    group_writes,
    integers,
    node_id,
    number,
    pairs,
    slot_arrays,
    write_arrays,
)
from nkgraph.storage.sparrowdb.node_files import SLOTS, TOMBSTONE
from nkgraph.storage.sparrowdb.node_reads import NodeReads


class NodeStore(NodeReads):
    """Nodes of a SparrowDB database: see ``NodeStore.open``.

    A node id is ``label << 32 | slot``. Slots of a label are handed out in order and never again;
    the *mark* of a label is how many there are. A word of 64 bits holds a property of a node: a
    small integer, up to 7 bytes, or a pointer into the heap.

    Examples
    --------
    >>> with NodeStore.open("people", sync=False) as store:
    ...     ada = store.create_node(3, {7: 36, 8: "Ada"})
    ...     more = store.write_nodes(3, None, {7: [41, None], 8: ["Grace Hopper", "Emmy"]})
    ...     store.flush_hwms()
    ...     (ages, known), (names, _) = store.batch_read_node_values(3, [0, 1, 2], [7, 8])
    >>> store.unpack_node_id(ada)
    (3, 0)
    >>> ages, known, names
    (array([36, 41,  0]), array([ True,  True, False]), array(['Ada', 'Grace Hopper', 'Emmy'], dtype=StringDType()))
    """  # noqa: E501 - one line of output

    def __init__(self, root: Path, mode: str, sync: bool, missing_bitmap: str) -> None:
        super().__init__(root)
        self.mode = mode
        self._sync = sync
        self._missing_bitmap = missing_bitmap
        self._lock = threading.RLock()
        self._marks: dict[int, int] = {}
        self._dirty: set[int] = set()
        self._clean: dict[int, int] = {}
        self._inferred: set[int] = set()
        self._unsynced: set[Path] = set()
        self._unnamed: set[Path] = set()
        self._writer: files.WriterLock | files.DirectoryLock | None = None
        if mode == "r+":
            with suppress(FileExistsError):
                root.mkdir()
            self._writer = files.lock_directory(root)
            self._release = weakref.finalize(self, self._writer.close)
            try:
                changes.recover(root, sync)
            except BaseException:
                self._release()
                raise

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        mode: str = "r+",
        *,
        sync: bool = True,
        missing_bitmap: str = column_writes.NONZERO,
    ) -> "NodeStore":
        """Open the node store of a database directory.

        Parameters
        ----------
        path : path
            With "r+" it is made if it is missing, but not its parent.
        mode : str
            "r+" to read and write; "r" writes nothing, renames and repairs nothing.
        sync : bool
            Whether writes are made durable. Without it a failure of power, but not of the
            process, may lose or mix what was written.
        missing_bitmap : str
            Databases older than SparrowDB 0.1.6 have columns without a presence bitmap. When such
            a column must get one, its words other than 0 count as values ("nonzero"), or all
            of them do ("all").

        Raises
        ------
        LockedError
            Another writer has the directory, in this process or another.
        """
        if mode not in ("r", "r+"):
            raise GraphError(f'mode is {mode!r}, not "r" or "r+"')
        if missing_bitmap not in (column_writes.NONZERO, column_writes.ALL):
            raise GraphError(f'missing_bitmap is {missing_bitmap!r}, not "nonzero" or "all"')
        return cls(Path(path), mode, sync, missing_bitmap)

    def close(self) -> None:
        """Let go of files and of the right to write. Marks that were not flushed are lost."""
        with self._lock:
            super().close()
            if self._writer is not None:
                self._release()
                self._writer = None

    def __enter__(self) -> "NodeStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- marks ---------------------------------------------------------------------------------

    def hwm_for_label(self, label: SupportsIndex) -> int:
        """Return the mark of a label, slots not yet flushed included; 0 for an unknown label."""
        label = number(label, "label")
        with self._lock:
            self._check_open()
            return self._marks[label] if label in self._marks else self._load_mark(label)

    def disk_hwm_for_label(self, label: SupportsIndex) -> int:
        """Return the mark that the files of a label give.

        Where ``hwm.bin`` is missing or damaged, ``hwm.bin.tmp`` gives it, else the longest column
        does. A store opened "r+" then puts ``hwm.bin`` in order.
        """
        with self._lock:
            self._check_open()
            return self._load_mark(number(label, "label"))

    def mark_was_inferred(self, label: SupportsIndex) -> bool:
        """Whether this store had to take the mark of a label from the length of its columns.

        Such a mark misses nodes at the end that have no properties.
        """
        self.hwm_for_label(label)
        return number(label, "label") in self._inferred

    def _load_mark(self, label: int) -> int:
        mark, inferred = node_files.read_mark(self._root, label)
        if inferred:
            self._inferred.add(label)
        if self._writer is not None:
            with suppress(OSError):  # the mark is known; the next to write it puts it in order
                self._repair_mark(label, mark, inferred)
        return mark

    def _repair_mark(self, label: int, mark: int, inferred: bool) -> None:
        path = node_files.mark_path(self._root, label)
        temporary = path.with_name(node_files.TEMPORARY)
        if inferred:
            change = Change(self._root, self._sync)
            self._put_mark(change, label, mark)
            change.apply()
            change.settle()
        elif node_files.stored_mark(path) is None and temporary.exists():
            temporary.replace(path)
            if self._sync:
                files.fsync_directory(path.parent)

    def _cached_mark(self, label: int) -> int:
        if label not in self._marks:
            self._marks[label] = self._load_mark(label)
        return self._marks[label]

    def _clean_below(self, label: int) -> int:
        """Slots below this are nodes or were written by this store; what lies above is stale."""
        if label not in self._clean:
            self._clean[label] = self._load_mark(label)
        return self._clean[label]

    def _put_mark(self, change: Change, label: int, mark: int) -> None:
        path = node_files.mark_path(self._root, label)
        change.publish(path, mark.to_bytes(8, "little"), node_files.TEMPORARY)

    def flush_hwms(self) -> None:
        """Make all that was written durable, then the marks: this commits new nodes."""
        with self._writing() as change:
            if not self._dirty and not self._unsynced:
                return
            self._sync_earlier(change)
            for label in sorted(self._dirty):
                self._put_mark(change, label, self._marks[label])
            self._finish(change, durable=True)
            self._dirty.clear()

    # -- how writes are made -------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[Change]:
        """Hold the right to write; a failure leaves files and store as they were."""
        with self._lock:
            self._check_open()
            if self._writer is None:
                raise GraphError(f'{self._root} was opened "r"; open it "r+" to write')
            before = (
                dict(self._marks), set(self._dirty), dict(self._clean),
                set(self._unsynced), set(self._unnamed),
            )  # fmt: skip
            change = Change(self._root, self._sync)
            try:
                yield change
            except BaseException as error:
                self._maps.clear()
                if not change.broken:
                    change.undo(error)
                marks, dirty, clean, unsynced, unnamed = before
                self._marks, self._dirty, self._clean = marks, dirty, clean
                self._unsynced, self._unnamed = unsynced, unnamed
                if change.broken:
                    error.add_note(f"the node store of {self._root} was closed: open it again")
                    self.close()
                raise

    def _sync_earlier(self, change: Change) -> None:
        """Make earlier writes, and those of ``change`` so far, durable before what follows."""
        change.written |= self._unsynced
        change.named |= self._unnamed
        self._unsynced, self._unnamed = set(), set()
        change.barrier()

    def _finish(self, change: Change, durable: bool, journal: bool = False) -> None:
        """Make the writes of a change, and if wanted make them durable."""
        change.apply(journal)
        if durable:
            change.settle()
        else:
            self._unsynced |= change.written
            self._unnamed |= change.named

    def _tail(self) -> HeapTail:
        path = self._root / string_heap.NAME
        return HeapTail(lambda: node_files.file_size(path) or 0)

    def _append(self, change: Change, tail: HeapTail) -> None:
        if len(tail):
            change.write(self._root / string_heap.NAME, tail.base, tail.joined())

    def _column(self, change: Change, label: int, col: int, fresh: Fresh) -> ColumnWrites:
        return ColumnWrites(change, label, col, fresh, self._missing_bitmap)

    def _fresh(self, label: int, until: int) -> Fresh:
        """Slots of a label that this change touches first; they count as touched from now on."""
        clean = self._clean_below(label)
        self._clean[label] = max(clean, until)
        return Fresh(clean, max(clean, until))

    def _removed(self, label: int, slots: I64) -> I64:
        """Those of some slots whose nodes are deleted."""
        marks = self._words(label, 0)
        if marks is None:
            return slots[:0]
        inside = slots[slots < min(marks.size, self._clean_below(label))]
        return inside[marks[inside] == np.uint64(TOMBSTONE)]

    def _check_live(self, label: int, slots: I64) -> None:
        """Refuse slots of deleted nodes."""
        gone = self._removed(label, slots)
        if gone.size:
            raise GraphError(f"label {label}: the node of slot {gone[0]} was removed")

    def _check_node(self, label: int, slot: int) -> None:
        """Refuse a slot that is no node."""
        mark = self.hwm_for_label(label)
        if slot >= mark:
            raise NotFoundError(f"label {label}: there is no slot {slot}, the mark is {mark}")

    # -- new nodes -----------------------------------------------------------------------------

    def _next_slot(self, label: int) -> int:
        slot = self._cached_mark(label)
        if slot >= SLOTS:
            raise LimitError(f"label {label} has all of its {SLOTS} slots in use")
        return slot

    def create_node(self, label: SupportsIndex, props: Props = ()) -> int:
        """Make a node of the next slot, and commit it.

        Parameters
        ----------
        label : int
        props : pairs of column and value, or a mapping
            Integers of 56 bits, floats, bytes, text; None is no value. Of a column that comes
            twice the last counts.

        Returns
        -------
        int
            The node id.

        Raises
        ------
        LimitError
            A value that the format cannot hold, or no slot is left.

        Notes
        -----
        Synced before it returns: for many nodes use ``write_nodes`` or
        ``batch_write_node_creates``. Other columns of the label get the word 0 at the slot.
        """
        label, items = number(label, "label"), pairs(props)
        with self._writing() as change:
            slot = self._next_slot(label)
            words = self._encode_pairs(change, items)
            fresh, at = self._fresh(label, slot + 1), np.array([slot], np.int64)
            others = set(node_files.column_ids(self._root, label)) - set(words)
            for col in sorted(words):
                self._column(change, label, col, fresh).add(at, _one(words[col]), None)
            for col in sorted(others):
                self._column(change, label, col, fresh).add(at, _one(0), np.zeros(1, bool))
            self._sync_earlier(change)
            self._put_mark(change, label, slot + 1)
            self._finish(change, durable=True)
            self._marks[label] = slot + 1
        return label << 32 | slot

    def _encode_pairs(self, change: Change, items: list[tuple[int, object]]) -> dict[int, int]:
        """Encode all, in their order, and append what goes to the heap."""
        tail = self._tail()
        words = {col: encoding.encode_one(value, tail) for col, value in items}
        self._append(change, tail)
        return words

    def peek_next_slot(self, label: SupportsIndex) -> int:
        """Reserve the next slot of a label; files do not change."""
        label = number(label, "label")
        with self._writing():
            slot = self._next_slot(label)
            self._marks[label] = slot + 1
        return slot

    def create_node_at_slot(
        self, label: SupportsIndex, slot: SupportsIndex, props: Props = ()
    ) -> int:
        """Make a node of a slot of your choice; ``flush_hwms`` commits it.

        A slot that is a node already keeps its other properties. Other columns are not padded.

        Raises
        ------
        GraphError
            The node of that slot was removed.
        """
        label, slot, items = number(label, "label"), number(slot, "slot"), pairs(props)
        at = np.array([slot], np.int64)
        with self._writing() as change:
            self._check_live(label, at)
            words = self._encode_pairs(change, items)
            groups = [Group(label, col, at, _one(words[col]), None) for col in sorted(words)]
            self._write_groups(change, groups, {label: slot + 1})
            self._raise_mark(label, slot + 1)
        return label << 32 | slot

    def _raise_mark(self, label: int, mark: int) -> None:
        self._marks[label] = max(self._cached_mark(label), mark)
        self._dirty.add(label)

    def _write_groups(self, change: Change, groups: list[Group], tops: dict[int, int]) -> None:
        """Write columns of labels whose slots below ``tops`` are nodes, or written, from now on."""
        overwrites = any(int(g.slots.min()) < self._clean_below(g.label) for g in groups)
        for label, top in sorted(tops.items()):
            fresh = self._fresh(label, top)
            own = [group for group in groups if group.label == label]
            column_writes.blank_stale(
                change, label, fresh, {group.col for group in own}, self._missing_bitmap
            )
            for group in own:
                column = self._column(change, label, group.col, fresh)
                column.add(group.slots, group.words, group.present)
        self._finish(change, durable=overwrites, journal=overwrites)

    def batch_write_node_creates(self, writes: object, node_slots: object) -> None:
        """Write encoded words of many nodes; ``flush_hwms`` commits them.

        Parameters
        ----------
        writes : rows (label, column, slot, word, present)
            A structured array with these fields ("col" for the column), a tuple of five arrays
            or scalars, or a sequence of tuples. ``present`` says that the word is a value;
            False leaves the presence of the slot as it is. Rows apply in their order: of two
            for the same slot of a column the last counts.
        node_slots : rows (label, slot)
            The nodes that are made: a (k, 2) array, a tuple of two arrays or scalars, or a
            sequence of pairs.

        Raises
        ------
        GraphError
            Not of these forms, or the node of a slot was removed.

        Notes
        -----
        Each file is written once. What overwrites existing nodes is durable on return, and
        survives the death of the process whole or not at all.
        """
        arrays = write_arrays(writes)
        labels, slots = slot_arrays(node_slots)
        with self._writing() as change:
            groups = group_writes(arrays)
            tops: dict[int, int] = {}
            marks: dict[int, int] = {}
            for label in np.unique(labels).tolist():
                own = slots[labels == label]
                self._check_live(label, own)
                marks[label] = tops[label] = int(own.max()) + 1
            for group in groups:
                self._check_live(group.label, group.slots)
                top = int(group.slots.max()) + 1
                tops[group.label] = max(tops.get(group.label, 0), top)
            self._write_groups(change, groups, tops)
            for label, mark in marks.items():
                self._raise_mark(label, mark)

    def write_nodes(
        self,
        label: SupportsIndex,
        slots: ArrayLike | None,
        columns: Mapping[int, object],
        *,
        intern: bool = False,
    ) -> U64:
        """Make many nodes of a label, a column at a time; ``flush_hwms`` commits them.

        Parameters
        ----------
        label : int
        slots : (k,) integers, or None for the next k slots
        columns : mapping of column to k values
            Arrays of integers, floats, booleans or text, a ``TextArray``, or sequences that may
            mix kinds. None, and masked entries, are no values.
        intern : bool
            Whether equal long strings of a column share their bytes in the heap.

        Returns
        -------
        (k,) uint64
            The node ids.

        Notes
        -----
        O(values). Each file is written once; nothing is synced before ``flush_hwms`` unless
        existing nodes are overwritten.
        """
        label = number(label, "label")
        with self._writing() as change:
            found, tail = {}, self._tail()
            for col, values in columns.items():
                name = f"column {number(col, 'column')}"
                found[int(col)] = encoding.encode_column(values, tail, name, intern)
            wanted = self._wanted_slots(label, slots, {c: e.words.size for c, e in found.items()})
            if not wanted.size:
                return np.zeros(0, np.uint64)
            self._check_live(label, wanted)
            self._append(change, tail)
            groups = [_present_group(label, col, wanted, part) for col, part in found.items()]
            top = int(wanted.max()) + 1
            self._write_groups(change, [g for g in groups if g.slots.size], {label: top})
            self._raise_mark(label, top)
        return wanted.astype(np.uint64) | np.uint64(label << 32)

    def _wanted_slots(self, label: int, slots: ArrayLike | None, sizes: dict[int, int]) -> I64:
        if slots is None:
            if not sizes:
                raise GraphError("without slots and without columns there is nothing to write")
            start, count = self._cached_mark(label), next(iter(sizes.values()))
            if start + count > SLOTS:
                raise LimitError(f"label {label} has {SLOTS - start} slots left, not {count}")
            wanted = np.arange(start, start + count)
        else:
            wanted = integers(slots, "slot")
        for col, size in sizes.items():
            if size != wanted.size:
                raise GraphError(f"column {col} has {size} values, there are {wanted.size} slots")
        return read_only(wanted)

    # -- existing nodes ------------------------------------------------------------------------

    def set_node_col(self, node: SupportsIndex, col: SupportsIndex, value: object) -> None:
        """Change a property of a node, in a column that exists.

        Raises
        ------
        NotFoundError
            The label has no such column, or no such slot.
        GraphError
            The node was removed.
        """
        (label, slot), col = node_id(node), number(col, "column")
        with self._writing() as change:
            path = node_files.column_path(self._root, label, col)
            try:
                size = node_files.file_size(path)
            except OSError:
                size = None
            if size is None:
                raise NotFoundError(f"label {label} has no column {col}")
            self._set(change, label, slot, col, value)

    def upsert_node_col(self, node: SupportsIndex, col: SupportsIndex, value: object) -> None:
        """Change a property of a node; a new column is made where there is none.

        Raises
        ------
        NotFoundError
            The label has no such slot.
        GraphError
            The node was removed.
        """
        (label, slot), col = node_id(node), number(col, "column")
        with self._writing() as change:
            self._set(change, label, slot, col, value)

    def _set(self, change: Change, label: int, slot: int, col: int, value: object) -> None:
        self._check_node(label, slot)
        at = np.array([slot], np.int64)
        self._check_live(label, at)
        tail = self._tail()
        word = encoding.encode_one(value, tail)
        fresh = self._fresh(label, slot + 1)
        column_writes.blank_stale(change, label, fresh, {col}, self._missing_bitmap)
        self._append(change, tail)
        change.barrier()
        column = self._column(change, label, col, fresh)
        # In a column without a bitmap a slot has a value as soon as the file holds it.
        held = not column.has_bitmap and slot < min(column.old, fresh.clean)
        column.add(at, _one(word), np.zeros(1, bool) if held else None, ordered=True)
        self._finish(change, durable=True)

    def tombstone_node(self, node: SupportsIndex) -> None:
        """Remove a node: mark it deleted in column 0. Its slot is not used again.

        Its other properties stay as they are. Removing it again does nothing.

        Raises
        ------
        NotFoundError
            The label has no such slot.
        """
        label, slot = node_id(node)
        with self._writing() as change:
            self._check_node(label, slot)
            at = np.array([slot], np.int64)
            if self._removed(label, at).size:
                return
            fresh, mark = self._fresh(label, slot + 1), self.hwm_for_label(label)
            column_writes.blank_stale(change, label, fresh, {0}, self._missing_bitmap)
            column = self._column(change, label, 0, fresh)
            column.add(at, _one(TOMBSTONE), np.zeros(1, bool))
            column.extend(mark)
            self._finish(change, durable=True)

    # -- values --------------------------------------------------------------------------------

    def encode_value(self, value: object) -> int:
        """Encode a value to a word; long strings and floats are appended to the heap.

        Raises
        ------
        GraphError
            No integer, float, text or bytes.
        LimitError
            An integer beyond 56 bits, more than 65,535 bytes, or the heap is full.
        """
        with self._lock:
            self._check_open()
            tail = self._tail()
            word = encoding.encode_one(value, tail)
            if len(tail):
                with self._writing() as change:
                    self._append(change, tail)
                    self._finish(change, durable=False)
        return word

    def encode_values(self, values: object, *, intern: bool = False) -> U64:
        """Encode a column to words, (k,) uint64, with one append to the heap.

        ``values`` is what ``write_nodes`` takes for a column, without absent ones.
        """
        with self._writing() as change:
            tail = self._tail()
            found = encoding.encode_column(values, tail, "values", intern)
            if found.present is not None:
                row = int((~found.present).argmax())
                raise GraphError(f"values: row {row} is absent: there is no word for that")
            self._append(change, tail)
            self._finish(change, durable=False)
        return found.words


def _one(word: int) -> U64:
    return np.array([word], np.uint64)


def _present_group(label: int, col: int, slots: I64, part: encoding.Encoded) -> Group:
    """What to write of a column: absent rows are left out."""
    if part.present is None:
        return Group(label, col, slots, part.words, None)
    return Group(label, col, slots[part.present], part.words[part.present], None)
