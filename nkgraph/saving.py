"""Write a graph: to a new path, flat or native, or as the next generation of its directory."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nkgraph import summaries
from nkgraph.errors import LimitError, LockedError
from nkgraph.gathering import has_tail, stored_segment, tail_segment, whole_segment
from nkgraph.storage import columns, files, generations
from nkgraph.storage.kglite import writer
from nkgraph.storage.kglite.contents import Contents, LinkedSegment, SegmentContents
from nkgraph.storage.kglite.reader import OPAQUE

if TYPE_CHECKING:
    from nkgraph.graph import Graph

MAX_SEGMENTS = 64
"""A save that would make more writes one instead: a point query asks every segment."""


# -- to a new path ----------------------------------------------------------------------------


def save_new(graph: "Graph", path: Path, layout: str | None, canonical: bool = False) -> None:
    """Write ``graph`` as one segment to a path that holds nothing; on failure nothing is left."""
    generations.check_free(path)
    contents = describe(graph, [whole_segment(graph, canonical)], canonical)
    if layout == "flat":
        _refuse_timestamps(graph, contents)
        _save_flat(contents, path)
        return
    existed = path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        with files.WriterLock(path):
            generations.create_root(path)
            _publish(contents, path)
    except LockedError:
        raise  # what is there belongs to the other writer
    except BaseException:
        _remove(path, keep=existed)
        raise


def _save_flat(contents: Contents, path: Path) -> None:
    existed = path.exists()
    beside = files.beside_name(path)
    written = beside
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        for left, process in files.beside(path).items():
            if left == beside or not files.is_running(process):
                shutil.rmtree(left)
        beside.mkdir()
        writer.write(beside, contents, native=False)
        if existed:
            shutil.rmtree(path)  # holds nothing: see above
        beside.rename(path)
        written = path
        files.fsync_directory(path.parent)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        if existed:
            path.mkdir(exist_ok=True)
        raise


def _remove(path: Path, keep: bool) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if keep:
        path.mkdir(exist_ok=True)


def _refuse_timestamps(graph: "Graph", contents: Contents) -> None:
    held = [segment for segment in contents.segments if isinstance(segment, SegmentContents)]
    found = [
        (f"{store.name}.{name}", column)
        for segment in held
        for store in segment.stores
        for name, column in store.columns.items()
    ]
    tables = [table for table in graph._edges.tables.values() if table.count]
    found += [
        (f"{table.name}.{name}", table.read(name, None)) for table in tables for name in table.names
    ]
    for name, column in found:
        if columns.has_timestamps(column):
            raise LimitError(
                f"{name} holds timestamps, which kglite reads from 0.11.9 on and the flat layout "
                'does not: store dates or texts, or leave out layout="flat"'
            )


# -- the next generation ----------------------------------------------------------------------


def save_generation(graph: "Graph", root: Path, may_compact: bool) -> bool:
    """Publish the changes of an opened graph; False if there are none.

    What was added becomes a segment; stored segments that were changed are written anew, the
    others stay as they are. With ``may_compact`` a save that would pass ``MAX_SEGMENTS`` writes one
    segment.
    """
    assert graph._opened is not None
    stored = graph._opened.stored
    changed, tail = _changed_segments(graph), has_tail(graph)
    if not changed and not tail and not graph._text_indexes.changed:
        return False
    segments: list[SegmentContents | LinkedSegment]
    if may_compact and len(stored.segments) + tail > MAX_SEGMENTS:
        segments = [whole_segment(graph, canonical=False)]
    elif not stored.slot_count and not stored.edge_id_count and not _stored_rows(graph):
        segments = [tail_segment(graph)]
    else:
        alone = len(stored.segments) == 1
        segments = [
            stored_segment(graph, number) if number in changed else LinkedSegment(entry, alone)
            for number, entry in enumerate(stored.manifest)
        ]
        if tail:
            segments.append(tail_segment(graph))
    _publish(describe(graph, segments), root)
    return True


def compact_generation(graph: "Graph", root: Path) -> None:
    """Publish the graph as one canonical segment."""
    _publish(describe(graph, [whole_segment(graph, canonical=True)], canonical=True), root)


def _stored_rows(graph: "Graph") -> bool:
    return any(table.base_rows for table in graph._nodes.tables.values())


def _changed_segments(graph: "Graph") -> set[int]:
    nodes, edges = graph._nodes, graph._edges
    found = nodes.slots.changed | edges.records.changed
    for table in nodes.tables.values():
        found |= table.changed_segments()
    for edge_table in edges.tables.values():
        found |= edge_table.changed_segments()
    return found


def _publish(contents: Contents, root: Path) -> None:
    temporary = generations.begin(root)
    try:
        previous = generations.current(root) if (root / generations.CURRENT).exists() else None
        writer.write(temporary, contents, native=True, previous=previous)
        generations.publish(root, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def describe(
    graph: "Graph", segments: list[SegmentContents | LinkedSegment], canonical: bool = False
) -> Contents:
    """Add to the segments everything else that a directory holds."""
    opened = graph._opened
    joins = summaries.connectivity(graph)
    return Contents(
        meta=summaries.graph_meta(graph, segments),
        names=graph._names,
        settings={} if opened is None else dict(opened.stored.metadata),
        node_types=summaries.node_types(graph, segments),
        connection_types=summaries.connection_types(graph, joins, len(segments) == 1, canonical),
        connectivity=[(*key, count) for key, count in joins.items()],
        edge_type_counts=graph.connection_types,
        segments=segments,
        labels=graph.secondary_labels,
        opaque=[] if opened is None else [
            path for name in OPAQUE if (path := opened.stored.path / name).exists()
        ],
        text_indexes=graph._text_indexes.contents(segments),
    )  # fmt: skip
