"""Graph: what a user holds."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from nkgraph import ids as external_ids
from nkgraph import saving
from nkgraph.arguments import once
from nkgraph.dtypes import U32
from nkgraph.edges import Ends
from nkgraph.errors import GraphError
from nkgraph.interop import frames
from nkgraph.nodes import as_ids
from nkgraph.opening import open_path
from nkgraph.reading import GraphReader
from nkgraph.report import Finding, Report, warn
from nkgraph.storage import generations
from nkgraph.storage.columns import AnyColumn
from nkgraph.storage.kglite.names import Names, check_name, fnv1a
from nkgraph.storage.kglite.node_columns import RESERVED
from nkgraph.verifying import verify

if TYPE_CHECKING:
    from nkgraph.interop.networkx import NxGraph

Properties = Mapping[str, object] | None
AnyProperties = Properties | Sequence[Properties]
Frame = object
"""A mapping of names to columns, a frame, or None: see ``nkgraph.interop.frames``."""


class Graph(GraphReader):
    """A typed property graph, in memory or over an opened directory.

    ``Graph()`` is empty and in memory; ``nkgraph.open`` and ``nkgraph.create`` give graphs on
    disk. Nodes have a node type, an external id that is unique within it (an integer or a
    text), a title and properties; edges are directed and have a connection type and
    properties. Parallel edges and loops are kept. Node and edge ids are dense uint32 numbers.

    A graph may be read from several threads at once; changing it needs the caller's lock.

    Examples
    --------
    >>> import nkgraph as nk
    >>> g = nk.Graph()
    >>> people = g.add_nodes("Person", ["ann", "bob", "cid"], {"age": [36, 41, None]})
    >>> edges = g.add_edges("KNOWS", people[[0, 0, 1]], people[[1, 2, 2]])
    >>> g.neighbors(people[0], "KNOWS")
    array([1, 2], dtype=uint32)
    >>> g.ids(g.sources("KNOWS"))
    array(['ann', 'bob'], dtype=StringDType())
    """

    __networkx_backend__ = "nkgraph"  # networkx passes it on as it is; see nkgraph.nx_backend

    # -- changing -----------------------------------------------------------------------------

    def add_nodes(
        self, node_type: str, ids: object, properties: Frame = None, titles: object = None
    ) -> U32:
        """Add nodes of one type.

        Parameters
        ----------
        node_type : str
        ids : (k,) integers or texts
            External ids, new and distinct within the type. Whole floats are integers.
        properties : mapping of str to (k,) columns, or frame, optional
            Arrays, sequences, or columns of pandas, polars or Arrow; or a frame of those, or of
            anything else with ``__arrow_c_stream__``. None, NaT, masked and null entries are
            absent, and in pandas NaN, which elsewhere is a value. An index is not looked at.
        titles : (k,) texts, optional

        Returns
        -------
        (k,) uint32
            The node ids, in the order of ``ids``: those of removed nodes, the last removed first,
            then the next new numbers.

        Raises
        ------
        GraphError
            An id is missing, of another kind, or not new; lengths differ; a value cannot be
            stored. Nothing is changed then.
        LimitError
            Node ids would pass 2**32 - 2.

        Notes
        -----
        Values are copied; text of Arrow passes through no Python strings. What has no exact form
        here (a timestamp finer than a second, a decimal, bytes, a time zone) is refused.

        Examples
        --------
        >>> import pandas as pd
        >>> import nkgraph as nk
        >>> towns = pd.DataFrame({"name": ["Bern", "Chur"], "height": [540, 593]})
        >>> g = nk.Graph()
        >>> nodes = g.add_nodes("Town", towns["name"], towns.drop(columns="name"))
        >>> g.read_nodes("Town")["height"].values.tolist()
        [540, 593]
        """
        return self._add_nodes(node_type, ids, properties, titles, known_new=False)

    def _add_nodes_unchecked(
        self, node_type: str, ids: object, properties: Frame = None, titles: object = None
    ) -> U32:
        """``add_nodes`` for ids that the caller knows to be new and distinct."""
        return self._add_nodes(node_type, ids, properties, titles, known_new=True)

    def _add_nodes(
        self, node_type: str, given: object, properties: Frame, titles: object, known_new: bool
    ) -> U32:
        self._check_writable()
        check_name(node_type, "node_type")
        column = external_ids.from_user(given, "ids")
        count = len(column)
        checked = self._columns(properties, count, RESERVED)
        title_column = None if titles is None else frames.as_column(titles, count, "titles")
        if not count:
            return np.zeros(0, np.uint32)
        names = self._with_names([node_type, *checked])
        nodes = self._nodes.add(node_type, column, checked, title_column, known_new)
        self._names = names
        self._adjacency.changed()
        return nodes

    def add_edges(
        self, connection_type: str, sources: object, targets: object, properties: Frame = None
    ) -> U32:
        """Add edges of one connection type.

        Parameters
        ----------
        connection_type : str
        sources, targets : (k,) integers
            Node ids of live nodes.
        properties : mapping of str to (k,) columns, or frame, optional
            As in ``add_nodes``.

        Returns
        -------
        (k,) uint32
            The edge ids: the next numbers, in order.

        Raises
        ------
        GraphError
            A node does not exist, lengths differ, or a value cannot be stored. Nothing is
            changed then.
        LimitError
            Edge ids would pass 2**32 - 2.
        """
        columns = frames.as_mapping(properties)
        return self._add_edges([connection_type], None, sources, targets, columns)

    def _add_edges_typed(
        self,
        names: list[str],
        codes: U32,
        sources: object,
        targets: object,
        properties: AnyProperties = None,
    ) -> U32:
        """Add edges of several connection types at once; ``names[codes[i]]`` is that of edge i.

        ``properties`` are of all edges, or for each name those of its edges, in their order.
        """
        codes = as_ids(codes, len(names), "codes", "type")
        return self._add_edges(names, codes, sources, targets, properties)

    def _add_edges(
        self,
        names: list[str],
        codes: U32 | None,
        sources: object,
        targets: object,
        properties: AnyProperties,
    ) -> U32:
        self._check_writable()
        source_ids = self._nodes.check(sources, "sources")
        target_ids = self._nodes.check(targets, "targets")
        if source_ids.size != target_ids.size:
            raise GraphError(f"{source_ids.size} sources but {target_ids.size} targets")
        if codes is not None and codes.size != source_ids.size:
            raise GraphError(f"{source_ids.size} sources but {codes.size} codes")
        ids = self._append_edges(names, codes, Ends(source_ids, target_ids), properties)
        return np.arange(ids.start, ids.stop, dtype=np.uint32)

    def _append_edges(
        self,
        names: list[str],
        codes: U32 | None,
        ends: Ends,
        properties: AnyProperties = None,
    ) -> range:
        """Add edges whose ends and codes are known to be in range; return their ids."""
        for name in names:
            check_name(name, "connection_type")
        checked: dict[str, AnyColumn] | list[dict[str, AnyColumn]]
        if properties is None or isinstance(properties, Mapping):
            checked = self._columns(properties, ends.count)
        else:
            given = zip(properties, _counts(codes, len(names), ends.count), strict=True)
            checked = [self._columns(part, count) for part, count in given]
        if not ends.count:
            return range(0)
        parts = [checked] if isinstance(checked, dict) else checked
        interned = self._with_names([*names, *(name for part in parts for name in part)])
        edges = self._edges.add(names, codes, ends, checked)
        self._names = interned
        self._adjacency.changed()
        return edges

    def remove_nodes(self, nodes: object) -> None:
        """Remove nodes, and every edge that starts or ends in one of them.

        Parameters
        ----------
        nodes : (k,) integers
            Node ids; one that comes twice is removed once.

        Raises
        ------
        GraphError
            A node does not exist. Nothing is changed then.

        Notes
        -----
        The slots stay: ``add_nodes`` uses them again, the one removed last first, so that a node
        id may come to mean another node. A few nodes cost what their neighbors cost; many, one
        pass over all edges (1 byte a node). Of an opened graph, slots and edges of the segments
        concerned are copied to memory, 16 bytes each.

        Examples
        --------
        >>> g = nk.Graph()
        >>> nodes = g.add_nodes("Town", ["Bern", "Chur", "Genf"])
        >>> _ = g.add_edges("ROAD", nodes[[0, 1]], nodes[[1, 2]])
        >>> g.remove_nodes(nodes[2])
        >>> g.edge_count, g.add_nodes("Town", ["Thun", "Biel"]).tolist()
        (1, [2, 3])
        """
        self._check_writable()
        array = once(self._nodes.check(nodes))
        if not array.size:
            return
        labels = {
            name: np.setdiff1d(held, array, assume_unique=True)
            for name, held in self.secondary_labels.items()
        }
        edges = self._adjacency.incident(array)
        self._nodes.prepare_removal(array)
        if edges.size:
            self._edges.remove(edges)
        self._nodes.remove(array)
        self._labels = {name: held for name, held in labels.items() if held.size}
        self._adjacency.changed()

    def remove_edges(self, edges: object) -> None:
        """Remove edges.

        Parameters
        ----------
        edges : (k,) integers
            Edge ids; one that comes twice is removed once.

        Raises
        ------
        GraphError
            An edge does not exist. Nothing is changed then.

        Notes
        -----
        The ids of removed edges are not given again until ``compact`` renumbers all. Of an opened
        graph, the edges of the segments concerned are copied to memory, 16 bytes each.

        Examples
        --------
        >>> g = nk.Graph()
        >>> nodes = g.add_nodes("Town", ["Bern", "Chur"])
        >>> roads = g.add_edges("ROAD", nodes[[0, 0]], nodes[[1, 1]])
        >>> g.remove_edges(roads[0])
        >>> g.edges("ROAD")[2].tolist()
        [1]
        """
        self._check_writable()
        array = once(self._edges.check(edges))
        if array.size:
            self._edges.remove(array)
            self._adjacency.changed()

    def update_nodes(self, nodes: object, properties: Frame) -> None:
        """Set properties of nodes; None removes a value.

        Parameters
        ----------
        nodes : (k,) integers
            Node ids, each once.
        properties : mapping of str to (k,) columns, or frame
            As in ``add_nodes``.

        Raises
        ------
        GraphError
            A node does not exist or comes twice, or a value cannot be stored. Nothing is
            changed then.
        """
        self._check_writable()
        array = self._distinct(self._nodes.check(nodes), "nodes")
        checked = self._columns(properties, array.size, RESERVED)
        names = self._with_names(list(checked))
        parts = list(self._nodes.by_type(array))
        for table, _, _ in parts:
            table.properties  # noqa: B018 - what cannot be read must fail before a change
        for table, at, rows in parts:
            table.update(rows, {name: column.take(at) for name, column in checked.items()})
            self._text_indexes.touch(table.name, rows, array[at], checked)
        self._names = names

    def update_edges(self, edges: object, properties: Frame) -> None:
        """Set properties of edges; None removes a value. See ``update_nodes``."""
        self._check_writable()
        array = self._distinct(self._edges.check(edges), "edges")
        checked = self._columns(properties, array.size)
        names = self._with_names(list(checked))
        hashes = self._edges.types(array)
        parts = []
        for table in self._edges.tables.values():
            at = np.flatnonzero(hashes == np.uint64(table.hash))
            if at.size:
                table.properties  # noqa: B018 - what cannot be read must fail before a change
                parts.append((table, at, table.rows(array[at])))
        for table, at, rows in parts:
            table.update(rows, {name: column.take(at) for name, column in checked.items()})
        self._names = names

    def _distinct(self, array: U32, name: str) -> U32:
        ordered = np.sort(array)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if twice.size:
            raise GraphError(f"{name}: {twice[0]} comes twice")
        return array

    def _columns(
        self, properties: Frame, count: int, taken: Sequence[str] = ()
    ) -> dict[str, AnyColumn]:
        checked = {}
        for name, values in (frames.as_mapping(properties) or {}).items():
            if check_name(name, "a property name") in taken:
                raise GraphError(f"{name!r} names something else on disk: give it another name")
            column = frames.as_column(values, count, f"properties[{name!r}]")
            checked[name] = column
        return checked

    def _with_names(self, names: list[str]) -> Names:
        """Return the names with further ones; a copy only if there is a new one."""
        if all(self._names.name_of(fnv1a(name)) == name for name in names):
            return self._names
        extended = self._names.copy()
        for name in names:
            extended.intern(name)
        return extended

    # -- other libraries ----------------------------------------------------------------------

    def to_igraph(self, connection_type: str | None = None, weight: str | None = None) -> Any:
        """Return a directed ``igraph.Graph`` whose vertex numbers are node ids.

        Edges of one connection type if given, with the property ``weight``, which every edge must
        have, as attribute "weight". Other attributes: "id" and "type" of vertices, which are None
        where a node was removed, "edge" (the edge id) and "type" of edges.
        """
        from nkgraph.interop import igraph

        return igraph.from_graph(self, connection_type, weight)

    def to_networkit(self, connection_type: str | None = None, weight: str | None = None) -> Any:
        """Return a directed ``networkit.Graph`` whose node numbers are node ids.

        Arguments as of ``to_igraph``; networkit has no attributes, and lacks removed nodes too.
        """
        from nkgraph.interop import networkit

        return networkit.from_graph(self, connection_type, weight)

    def is_directed(self) -> bool:
        """Return True: edges have a direction."""
        return True

    def is_multigraph(self) -> bool:
        """Return True: there may be parallel edges."""
        return True

    def to_networkx(
        self, *, nodes: Sequence[Hashable] | None = None, create_using: object = None
    ) -> "NxGraph":
        """Make a NetworkX graph; see ``nkgraph.interop.networkx.to_networkx``."""
        from nkgraph.interop.networkx import to_networkx

        return to_networkx(self, nodes=nodes, create_using=create_using)

    # -- files --------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str] | None = None, layout: str | None = None) -> None:
        """Write the graph.

        Parameters
        ----------
        path : path, optional
            A new directory, which must not exist or be empty; it gets one segment. Without it the
            changes are published in the graph's own directory, and this graph goes on with them;
            readers keep the generation that they opened.
        layout : {None, "flat"}
            ``"flat"`` writes a plain kglite directory (read by kglite 0.10.18 to 0.13.4), which
            needs a path.

        Raises
        ------
        GraphError
            The path holds something; there is no path to save to.
        LimitError
            A value that the format cannot hold.

        Notes
        -----
        In its own directory a graph is saved as ``seal`` does, in proportion to what was added;
        only a save that would make more than 64 segments writes one instead. Node ids stay. Edge
        ids stay too, unless edges were removed and one segment is written: then they are
        renumbered densely there. A crash or an error leaves the old state or the new one.
        """
        self._check_open()
        if layout not in (None, "flat"):
            raise GraphError(f'layout is {layout!r}, not None or "flat"')
        if path is not None:
            saving.save_new(self, Path(path), layout)
            return
        root = self._own_root("save")
        if layout is not None:
            raise GraphError('layout="flat" needs a path of its own')
        self._save_generation(root, may_compact=True)

    def seal(self) -> None:
        """Publish what was added as a new segment, and other changes beside it.

        The segment is segment-local where no new edge leaves the new nodes: its cost is in
        proportion to what is new. Otherwise it is full-range, and has two offsets more for each
        node of the graph. Segments of which something was removed or updated are written anew,
        the others are linked. Nothing is written if nothing was changed. All ids stay.

        Raises
        ------
        GraphError
            The graph is in memory, or opened "r".
        LimitError
            A value that the format cannot hold.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, nk.create(folder + "/g") as g:
        ...     for year in (2020, 2021):
        ...         days = g.add_nodes("Day", [100 * year + day for day in range(1, 4)])
        ...         _ = g.add_edges("NEXT", days[:-1], days[1:])
        ...         g.seal()
        ...     print(g.segment_count, g.edge_count)
        2 4
        """
        self._check_open()
        self._save_generation(self._own_root("seal"), may_compact=False)

    def _own_root(self, what: str) -> Path:
        if self._root is None:
            raise GraphError(f"the graph is in memory: {what} needs a path")
        self._check_writable()
        return self._root

    def _save_generation(self, root: Path, may_compact: bool) -> None:
        if saving.save_generation(self, root, may_compact):
            self._reopen(root)
        else:
            generations.collect(root)

    def _reopen(self, root: Path) -> None:
        opened = open_path(root)
        if self._opened is not None:
            self._opened.close()
        self._attach(opened)
        generations.collect(root)

    def compact(self, path: str | PathLike[str] | None = None) -> None:
        """Write one segment without removed edges, in place or to a new path.

        Parameters
        ----------
        path : path, optional
            As for ``save``.

        Notes
        -----
        Node ids stay, and free slots with the order in which they are used again. Edge ids are
        renumbered densely, by (source, connection type, id); properties follow. Equal graphs give
        equal bytes, whatever was sealed when. Takes as long as a save to a new path.
        """
        self._check_open()
        if path is not None:
            saving.save_new(self, Path(path), None, canonical=True)
            return
        root = self._own_root("compact")
        saving.compact_generation(self, root)
        self._reopen(root)

    def verify(self) -> Report:
        """Check every rule of the directory that was opened.

        Returns
        -------
        Report
            ``ok``, and ``findings`` with file, field, byte offset and what is wrong. A graph in
            memory has no files, hence no findings; one made from a dump has what was odd in the
            dump, and what could not become part of a graph.

        Notes
        -----
        Reads every byte, and builds rows and indexes anew to compare: 40 bytes an edge. Unsaved
        changes are not looked at.

        Examples
        --------
        >>> import nkgraph as nk, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with nk.create(folder + "/g") as g:
        ...         print(g.verify().ok)
        True
        """
        self._check_not_closed()  # tables of a damaged directory cannot be made
        if self._opened is None:
            return Report(list(self._findings))
        return verify(self._opened.stored)

    def remarked(self, path: object, remarks: Iterable[tuple[str, int | None, str]]) -> None:
        """Keep what was odd in the file that this was made from, for ``verify``; warn of it.

        Parameters
        ----------
        path : str or PathLike
        remarks : iterable of (field, offset, problem)
        """
        self._findings = [Finding(str(path), *remark) for remark in remarks]
        if self._findings:
            count = len(self._findings)
            rest = "" if count == 1 else f", and {count - 1} more that verify() lists"
            warn(f"{self._findings[0]}{rest}")

    def close(self) -> None:
        """Release the directory; unsaved changes are lost. Arrays that were handed out stay."""
        if not self._closed:
            self._closed = True
            if self._opened is not None:
                self._opened.close()
            if self._lock is not None:
                self._lock.close()

    def __enter__(self) -> "Graph":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _counts(codes: U32 | None, names: int, count: int) -> list[int]:
    """Return how many edges each name has."""
    return [count] if codes is None else np.bincount(codes, minlength=names).tolist()
