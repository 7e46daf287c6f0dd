"""Edge lists that are frames already: columns to nodes and edges, without text in between.

The rules of ``nkgraph.ingest`` hold but for types, which a frame has: ids are what their columns
are, all integers or all texts, and a text that spells an integer stays a text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nkgraph import ids
from nkgraph.dtypes import I64, U32
from nkgraph.errors import GraphError
from nkgraph.interop import frames
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.keys import IntKeys, TextKeys
from nkgraph.storage.text import TextArray

if TYPE_CHECKING:
    from nkgraph.graph import Graph

Place: TypeAlias = int | str
"""A column, by position from 0 or by name."""
_NUMBERS = ("int64", "uniqueid", "float64")


@dataclass(frozen=True)
class EdgeColumns:
    """Which columns of a frame mean what; as the arguments of ``nkgraph.import_edges``."""

    source: Place
    target: Place
    type: Place | None
    weight: Place | None
    properties: Mapping[str, Place] | Sequence[Place]
    text_ids: bool = False


class _Frame:
    """The columns of a frame; each may be taken once."""

    def __init__(self, frame: object) -> None:
        self._held: dict[object, object] = {}
        self._held.update(frames.as_mapping(frame, "the frame") or {})
        self._names = list(self._held)
        self._taken: set[object] = set()

    def name(self, place: Place) -> object:
        """Return the name of a column, or say which there are."""
        if isinstance(place, str) and place in self._held:
            return place
        if isinstance(place, int) and 0 <= place < len(self._names):
            return self._names[place]
        raise GraphError(f"no column {place!r}; the frame has {self._names}")

    def take(self, place: Place) -> tuple[str, AnyColumn]:
        """Return a column, and what to call it in an error."""
        name = self.name(place)
        if name in self._taken:
            raise GraphError(f"column {name!r} is asked for twice")
        self._taken.add(name)
        shown = f"column {name!r}"
        return shown, frames.as_column(self._held[name], None, shown)


def read_edges(frame: object, form: EdgeColumns, node_type: str, connection_type: str) -> "Graph":
    """Make a graph in memory of a frame's rows, an edge each."""
    from nkgraph.edges import Ends
    from nkgraph.graph import Graph

    held = _Frame(frame)
    given, positions = _numbered(held.take(form.source), held.take(form.target), form.text_ids)
    codes: U32 | None = None
    names = [connection_type]
    if form.type is not None:
        codes, names = _type_codes(*held.take(form.type))
    properties = _properties(held, form)
    graph = Graph()
    if len(given):  # into an empty graph: node ids are positions
        graph._add_nodes_unchecked(node_type, given)
    ends = Ends(positions[0::2].astype(np.uint32), positions[1::2].astype(np.uint32))
    graph._append_edges(names, codes, ends, properties)
    return graph


def _numbered(
    source: tuple[str, AnyColumn], target: tuple[str, AnyColumn], text_ids: bool
) -> tuple[np.ndarray | TextArray, I64]:
    """Number ids in order of first appearance, the source of a row before its target.

    Returns the distinct ids, and the places of sources and targets in turns.
    """
    first, second = (ids.checked_keys(column, name) for name, column in (source, target))
    count = first.count
    if not text_ids and first.ints.size + second.ints.size == 2 * count:
        integers = np.empty(2 * count, np.int64)
        integers[0::2], integers[1::2] = first.ints, second.ints
        numbers = IntKeys()
        positions = numbers.insert(integers)
        return numbers.keys(), positions
    if len(first.texts) + len(second.texts) == 2 * count:
        turns = np.arange(2 * count).reshape(2, count).T.reshape(-1)
        text = TextArray.concatenate([first.texts, second.texts]).take(turns)
        texts = TextKeys()
        positions = texts.insert(text.offsets, text.data)
        return TextArray(*texts.texts()), positions
    kinds = " and ".join(f"{name} holds {column.kind}" for name, column in (source, target))
    expected = "texts" if text_ids else "integers alone or texts alone"
    raise GraphError(f"ids: {kinds}: expected {expected}; cast them")


def _type_codes(name: str, column: AnyColumn) -> tuple[U32, list[str]]:
    """Number the connection types; a row without one is refused."""
    if not isinstance(column, TextColumn):
        raise GraphError(f"{name} is to name connection types, but holds {column.kind}")
    if column.valid is not None and not column.valid.all():
        raise GraphError(f"{name}: row {int(np.argmin(column.valid))} has no connection type")
    keys = TextKeys()
    codes = keys.insert(column.text.offsets, column.text.data).astype(np.uint32)
    names: list[str] = TextArray(*keys.texts()).to_strings().tolist()
    return codes, names


def _properties(held: _Frame, form: EdgeColumns) -> dict[str, object]:
    """Take what is to be kept; a column without any value is left out."""
    pairs: list[tuple[str, Place]] = []
    if isinstance(form.properties, Mapping):
        pairs += form.properties.items()
    else:
        for place in form.properties:
            name = held.name(place)
            pairs.append((name if isinstance(name, str) else f"column_{name}", place))
    found: dict[str, object] = {}
    if form.weight is not None:
        shown, column = held.take(form.weight)
        if not (isinstance(column, FixedColumn) and column.kind in _NUMBERS):
            raise GraphError(f"{shown} is to be the weight, but holds {column.kind}, not numbers")
        found["weight"] = column
    for name, place in pairs:
        if name in found:
            raise GraphError(f"property {name!r} is named twice")
        _, column = held.take(place)
        if len(column) == 0 or not columns.is_absent(column):
            found[name] = column
    return found
