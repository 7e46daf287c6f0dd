"""How a node store is opened, and how it writes: the lock, marks, changes that are undone.

Three things are known of a label besides its files:

    marks   the mark that this store goes by; ``dirty`` labels have a lower one on disk
    clean   slots below are nodes, or were written by this store: see ``column_writes``
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self, SupportsIndex

import numpy as np

from nkgraph.dtypes import I64
from nkgraph.errors import GraphError, NotFoundError
from nkgraph.storage import files
from nkgraph.storage.sparrowdb import changes, column_writes, node_files, string_heap
from nkgraph.storage.sparrowdb.changes import Change
from nkgraph.storage.sparrowdb.column_writes import ColumnWrites, Fresh
from nkgraph.storage.sparrowdb.encoding import HeapTail
from nkgraph.storage.sparrowdb.node_arguments import number
from nkgraph.storage.sparrowdb.node_files import TOMBSTONE
from nkgraph.storage.sparrowdb.node_reads import NodeReads


class NodeWriting(NodeReads):
    """The part of ``NodeStore`` that all writes share."""

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
        else:
            changes.refuse_unfinished(root)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        mode: str = "r+",
        *,
        sync: bool = True,
        missing_bitmap: str = column_writes.NONZERO,
    ) -> Self:
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
        FormatError
            A writer died in the middle of a change, and the mode is "r": the next writer takes
            that change back.
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

    def __enter__(self) -> Self:
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

    def _first_mark(self, change: Change, label: int) -> bool:
        """Give a new label a mark of 0, or a dead writer's columns would be taken for nodes.

        Returns whether the mark has still the name of one that is being written.
        """
        path = node_files.mark_path(self._root, label)
        temporary = path.with_name(node_files.TEMPORARY)
        first = node_files.stored_mark(path) is None
        if first and node_files.stored_mark(temporary) is None:
            if self._load_mark(label):  # from the columns; its file is in order now
                return False
            change.write(temporary, 0, bytes(8))
            change.barrier()
        return first

    def _put_mark(self, change: Change, label: int, mark: int, first: bool = False) -> None:
        path = node_files.mark_path(self._root, label)
        if first:  # at no time may there be half a mark and no other
            change.rename(path.with_name(node_files.TEMPORARY), path)
        change.publish(path, mark.to_bytes(8, "little"), node_files.TEMPORARY)

    def flush_hwms(self) -> None:
        """Make all that was written durable, then the marks: this commits new nodes."""
        with self._writing() as change:
            if not self._dirty and not self._unsynced:
                return
            self._sync_earlier(change)
            for label in sorted(self._dirty):
                first = self._first_mark(change, label)
                self._put_mark(change, label, self._marks[label], first)
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
        gone: I64 = inside[marks[inside] == np.uint64(TOMBSTONE)]
        return gone

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
