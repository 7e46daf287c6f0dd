"""What a directory is written from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nkgraph.dtypes import I64, U8, U32, U64
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.kglite import manifest, metadata
from nkgraph.storage.kglite.id_index_file import GeneralIds, IntegerIds
from nkgraph.storage.kglite.id_lookup import SortedIds
from nkgraph.storage.kglite.names import Names, fnv1a
from nkgraph.storage.kglite.property_ranges import Pair, Summary, to_manifest
from nkgraph.storage.kglite.text_index_files import IndexContents

ID, TITLE = "__id__", "__title__"


@dataclass
class StoreContents:
    """Columns of one node type in a segment by name, ``__id__`` and ``__title__`` among them.

    There are none where the segment has only slots that were used again: their rows came later.
    """

    name: str
    row_count: int
    columns: dict[str, AnyColumn]
    id_index: IntegerIds | GeneralIds | None
    lookup: SortedIds | None


@dataclass
class SegmentContents:
    """One segment. ``rows`` has the sides "out" and "in"; edge ids in it are local."""

    first_node: int
    slots: np.ndarray
    endpoints: np.ndarray
    rows: Mapping[str, tuple[I64, U32]]
    index: tuple[U64, I64, U32]
    peers: tuple[U64, I64, U32, U64]
    edge_properties: tuple[U64, U8]
    stores: list[StoreContents]
    type_nodes: Mapping[int, U32]
    ranges: Mapping[Pair, Summary]
    """What the property values of its rows lie in, by (type hash, property hash)."""

    def entry(self, number: int) -> manifest.Segment:
        """Return the entry of the manifest."""
        return manifest.Segment(
            segment_id=number,
            node_id_lo=self.first_node,
            node_id_hi=self.first_node + int(self.slots.size),
            edge_count=int(self.rows["out"][1].shape[0]),
            conn_types=[int(value) for value in self.index[0]],
            node_type_counts={
                str(value): count
                for value, count in sorted(
                    (fnv1a(store.name), store.row_count) for store in self.stores if store.row_count
                )
            },
            indexed_prop_ranges=to_manifest(self.ranges),
        )


@dataclass(frozen=True)
class LinkedSegment:
    """A segment that stays as it lies in the generation before."""

    stated: manifest.Segment
    was_only: bool
    """Whether its indexes lie where those of an only segment do."""

    def entry(self, number: int) -> manifest.Segment:
        """Return the entry of the manifest."""
        if number != self.stated.segment_id:
            raise AssertionError("segments keep their numbers")
        return self.stated


@dataclass
class Contents:
    """Everything that a directory holds."""

    meta: metadata.GraphMeta
    names: Names
    settings: Mapping[str, object]
    node_types: metadata.NodeTypes
    connection_types: Mapping[str, metadata.ConnectionType]
    connectivity: Sequence[tuple[int, int, int, int]]
    edge_type_counts: Mapping[str, int]
    segments: Sequence[SegmentContents | LinkedSegment]
    labels: Mapping[str, U32]
    opaque: Sequence[Path]
    text_indexes: Sequence[IndexContents] = ()
