"""Check a SparrowDB database, and say what was left out when it was opened."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from nkgraph.dtypes import I64
from nkgraph.report import Check, Finding, Report, guarded
from nkgraph.storage.sparrowdb import node_files
from nkgraph.storage.sparrowdb.database import Database
from nkgraph.storage.sparrowdb.edges import RelationFiles, RowFile, read_rows


def verify_database(stored: Database) -> Report:
    """Run all checks. Reads every byte; decodes a column at a time.

    What the engine leaves behind and no graph shows is found too: deleted nodes, edges without a
    node at an end, properties of edges that are not there.
    """
    checks: list[Check] = [partial(_marks, stored), partial(_folders, stored)]
    checks += [partial(_names, stored), partial(_labels, stored)]
    for label in stored.catalog.labels:
        checks.append(partial(_deleted, stored, label))
        checks += [
            partial(_column, stored, label, col)
            for col in node_files.column_ids(stored.path, label)
            if col
        ]
    found = [finding for check in checks for finding in guarded(check)]
    unread = list(guarded(partial(_read_edges, stored)))
    if not unread:
        for table in stored.relations:
            found += guarded(partial(_relation, table))
            found += guarded(partial(_properties, stored, table))
    return Report(list(dict.fromkeys([*found, *unread])))


def _finding(path: Path, field: str, problem: str, at: int | None = None) -> Finding:
    return Finding(str(path), field, at, problem)


def _marks(stored: Database) -> Iterator[Finding]:
    for label in stored.inferred:
        path = node_files.mark_path(stored.path, label)
        problem = (
            f"is missing: {stored.marks[label]} is the length of the longest column; nodes "
            "without properties behind it are not seen"
        )
        yield _finding(path, "high-water mark", problem)


def _folders(stored: Database) -> Iterator[Finding]:
    """Find nodes and edges that the catalog does not know."""
    known = {
        "nodes": {str(label) for label in stored.catalog.labels},
        "edges": {str(table.number) for table in stored.catalog.tables},
    }
    for name, listed in known.items():
        folder = stored.path / name
        children = sorted(folder.iterdir()) if folder.is_dir() else []
        for child in children:
            if child.is_dir() and child.name not in listed:
                yield _finding(child, name, "are not in the catalog: left out")


def _names(stored: Database) -> Iterator[Finding]:
    names = stored.property_names
    for path, at, problem in names.stops:
        yield _finding(path, "log", f"{problem}: names behind it are not known", at)
    for col, several in names.ambiguous.items():
        problem = f"may be {' or '.join(map(repr, several))}: all have this number"
        yield _finding(stored.path / "wal", f"name of column {col}", problem)


def _labels(stored: Database) -> Iterator[Finding]:
    stored.labels()
    return iter(())


def _deleted(stored: Database, label: int) -> Iterator[Finding]:
    gone = node_files.deleted_slots(stored.path, label, stored.marks[label])
    path, name = node_files.column_path(stored.path, label, 0), stored.catalog.labels[label]
    if gone.size:
        problem = f"{gone.size} are deleted, the first in slot {gone[0]}: left out"
        yield _finding(path, f"nodes of {name}", problem, 8 * int(gone[0]))
    words = node_files.words(stored.path, label, 0)
    if words is not None:
        other = (words != 0) & (words != np.uint64(node_files.TOMBSTONE))
        if other.any():
            slot = int(np.argmax(other))
            yield _finding(path, f"slot {slot}", "is neither 0 nor a deletion mark", 8 * slot)


def _column(stored: Database, label: int, col: int) -> Iterator[Finding]:
    """Decode every value, and find bytes that belong to no word."""
    path = node_files.column_path(stored.path, label, col)
    size = node_files.file_size(path) or 0
    if size % 8:
        yield _finding(path, "file size", f"{size} is no multiple of 8", size // 8 * 8)
    store = stored.store(stored.catalog.labels[label], 0)
    assert store is not None
    store.column(stored.column_names[col])


def _read_edges(stored: Database) -> Iterator[Finding]:
    stored.segments  # noqa: B018 - reads all edges
    stored.edge_properties  # noqa: B018
    return iter(())


def _relation(table: RelationFiles) -> Iterator[Finding]:
    """Count edges that were left out, and compare the two CSR files."""
    rows, path = table.rows, table.folder / "base.fwd.csr"
    pending = int(table.delta.shape[0])
    stored = 0 if rows is None else int(rows.neighbours.size)
    places = (path, stored), (table.folder / "delta.log", pending)
    for (where, count), kept in zip(places, table.kept.tolist(), strict=True):
        if count > kept:
            problem = f"{count - kept} have no node at an end, deleted or never there: left out"
            yield _finding(where, f"edges of {table.table.type}", problem)
    if rows is None:
        return
    pairs = _pairs(rows)
    falls = np.flatnonzero(pairs[1:] <= pairs[:-1])
    if falls.size:
        at = 8 * (rows.offsets.size + 2 + int(falls[0]))
        yield _finding(path, "neighbours", "do not ascend in a row", at)
    other = table.folder / "base.bwd.csr"
    back = read_rows(other)
    if back is None:
        yield _finding(other, "file", "is missing beside base.fwd.csr")
        return
    low = np.uint64(0xFFFFFFFF)
    turned = _pairs(back)
    turned = np.sort(turned << np.uint64(32) | turned >> np.uint64(32) & low)
    if not np.array_equal(np.sort(pairs), turned):
        yield _finding(other, "edges", "are not those of base.fwd.csr")


def _pairs(rows: RowFile) -> np.ndarray:
    """Row << 32 | neighbour of each edge."""
    ends: I64 = rows.offsets.view(np.int64)
    of_row = np.repeat(np.arange(ends.size - 1, dtype=np.uint64), ends[1:] - ends[:-1])
    found: np.ndarray = of_row << np.uint64(32) | rows.neighbours & np.uint64(0xFFFFFFFF)
    return found


def _properties(stored: Database, table: RelationFiles) -> Iterator[Finding]:
    """Decode every property, and find those of pairs without an edge."""
    everything = np.arange(table.keys.size, dtype=np.uint32)
    records = table.properties
    lost = int(np.count_nonzero(records[:, 1] | records[:, 3]))  # slots that no node can have
    for col in table.columns:
        keys, _, _ = table.last_words(col)
        lost += int(np.count_nonzero(~np.isin(keys, table.keys)))
        table.read(col, everything, stored.path)
    if lost:
        problem = f"{lost} are of pairs without an edge: one added there would inherit them"
        yield _finding(table.property_path, f"properties of {table.table.type}", problem)
