"""The reading half of a graph: counts, look-ups, rows and property tables."""

import threading
from pathlib import Path
from typing import Literal

import numpy as np

from nkgraph import build, ids
from nkgraph.adjacency import SIDES, Adjacency, slice_of
from nkgraph.csr import CSR
from nkgraph.dtypes import I64, NO_NODE, TEXT, U32, U64
from nkgraph.edges import EdgeTable
from nkgraph.errors import ClosedError, GraphError, NotFoundError
from nkgraph.indexing import TextIndexes, as_texts
from nkgraph.nodes import NodeTable
from nkgraph.opening import Opened
from nkgraph.report import Finding
from nkgraph.storage import files
from nkgraph.storage.files import WriterLock
from nkgraph.storage.kglite.names import Names
from nkgraph.storage.kglite.stitch import RowCache
from nkgraph.table import Column, Table
from nkgraph.type_table import TypeTable

Direction = Literal["out", "in", "both"]
RELEASE_AFTER = 64
"""Look-ups after which the pages that they touched are given up."""
RESIDENT = 1 << 27
"""Maps of so many bytes in all may stay resident."""


class GraphReader:
    """What a graph answers. ``Graph`` adds changing and saving; this class is not for users."""

    def __init__(self) -> None:
        self._opened: Opened | None = None
        self._lock: WriterLock | None = None
        self._root: Path | None = None
        self._mode, self._form = "r+", "memory"
        self._findings: list[Finding] = []
        self._closed = False
        self._look_ups = 0
        self._cache: Path | None = None
        self._making = threading.Lock()
        self._attach(None)

    def _attach(self, opened: Opened | None) -> None:
        """Take an opened directory, or an empty graph.

        Tables are made when they are first used, where that takes more than headers.
        """
        self._opened = opened
        self._attached = opened is None or opened.stored.native is not None
        if self._attached:
            self._make_tables()

    def _make_tables(self) -> None:
        stored = None if self._opened is None else self._opened.stored
        self._names = Names() if stored is None else stored.names.copy()
        self._nodes_table = NodeTable(stored)
        self._edges_table = EdgeTable(stored)
        native = stored is not None and stored.native is not None
        cache = RowCache(stored.path, self._cache) if stored is not None and native else None
        self._adjacency = Adjacency(self._nodes_table, self._edges_table, stored, cache)
        self._labels: dict[str, U32] | None = {} if stored is None else None
        self._text_indexes = TextIndexes(self._nodes_table, stored)

    # -- state --------------------------------------------------------------------------------

    @property
    def _nodes(self) -> NodeTable:
        self._check_open()
        return self._nodes_table

    @property
    def _edges(self) -> EdgeTable:
        self._check_open()
        return self._edges_table

    @property
    def _rows(self) -> Adjacency:
        self._check_open()
        return self._adjacency

    def _check_not_closed(self) -> None:
        if self._closed:
            raise ClosedError("the graph is closed")

    def _check_open(self) -> None:
        self._check_not_closed()
        if not self._attached:
            with self._making:
                if not self._attached:
                    self._make_tables()
                    self._attached = True

    def _touched(self, count: int) -> None:
        """Take note of ``count`` look-ups on maps, and keep what they leave resident bounded."""
        self._look_ups += count
        if self._look_ups >= RELEASE_AFTER and self._opened is not None:
            self._look_ups = 0
            if count < RELEASE_AFTER:
                files.release_pages(self._opened.stored.path, RESIDENT)

    def _check_writable(self) -> None:
        self._check_open()
        if self._mode != "r+":
            advice = 'open it with mode "r+"'
            if self.format != "nkgraph":
                advice = "save it elsewhere and open that one"
            raise GraphError(f'{self._root} is opened "r": {advice} to change it')

    @property
    def path(self) -> Path | None:
        """The directory or dump, None for a graph in memory."""
        return self._root

    @property
    def mode(self) -> str:
        """``"r"`` or ``"r+"``."""
        return self._mode

    @property
    def format(self) -> str:
        """``"memory"``, ``"nkgraph"``, ``"kglite"``, ``"sparrowdb"`` or ``"reddb"``."""
        return self._form if self._opened is None else self._opened.stored.format

    @property
    def segment_count(self) -> int:
        """Number of segments in the directory; 0 for a graph in memory and a dump."""
        return 0 if self._opened is None else self._opened.stored.segment_count

    @property
    def node_count(self) -> int:
        """Number of live nodes."""
        return self._nodes.live_count

    @property
    def edge_count(self) -> int:
        """Number of live edges."""
        return self._edges.live_count

    @property
    def node_types(self) -> dict[str, int]:
        """Live nodes by node type, names in code point order."""
        return {name: table.count for name, table in self._nodes.tables.items() if table.count}

    @property
    def connection_types(self) -> dict[str, int]:
        """Live edges by connection type, names in code point order."""
        return {name: table.count for name, table in self._edges.tables.items() if table.count}

    @property
    def secondary_labels(self) -> dict[str, U32]:
        """Nodes that carry a further label, by label; read-only."""
        self._check_open()
        if self._labels is None:
            assert self._opened is not None
            self._labels = self._opened.stored.labels()
        return dict(self._labels)

    def __repr__(self) -> str:
        from nkgraph import looks

        return looks.graph_text(self)

    def _repr_html_(self) -> str:
        from nkgraph import looks

        return looks.graph_html(self)

    # -- looking up ---------------------------------------------------------------------------

    def find(self, node_type: str, ids: object, missing: str = "raise") -> U32:
        """Return the node of each external id.

        Parameters
        ----------
        node_type : str
        ids : (k,) integers or texts
            Equal numbers match whatever their type; a text matches only an equal text.
        missing : {"raise", "sentinel"}
            What to do where there is no such node: raise, or answer ``nkgraph.NO_NODE``.

        Returns
        -------
        (k,) uint32

        Raises
        ------
        NotFoundError
            The node type, or with ``missing="raise"`` an id, is not there.
        """
        if missing not in ("raise", "sentinel"):
            raise GraphError(f'missing is {missing!r}, not "raise" or "sentinel"')
        table = self._nodes.table(node_type)
        queries = _keys(ids)
        self._touched(queries.count * max(self.segment_count, 1))
        found = table.find(queries, self._nodes.slots)
        if missing == "raise":
            absent = found == NO_NODE
            if absent.any():
                row = int(np.argmax(absent))
                given = np.atleast_1d(np.asarray(ids, dtype=object))[row]
                count = int(np.count_nonzero(absent))
                raise NotFoundError(
                    f"{count} of {found.size} ids are not in {node_type!r}; "
                    f"the first is {given!r} in row {row}"
                )
        return found

    # -- text indexes -------------------------------------------------------------------------

    @property
    def indexes(self) -> list[tuple[str | None, str]]:
        """(node type, column) of each text index; None stands for the one across types."""
        self._check_open()
        return self._text_indexes.pairs()

    def create_index(self, node_type: str | None, column: str) -> None:
        """Make an index of the texts of a column, for equality and prefixes.

        It is kept up with every change from then on, and written by the next ``save`` or ``seal``.
        ``read_nodes(where=)`` uses it. Values that are no texts are not in it. Nothing happens
        where the index is there already.

        Parameters
        ----------
        node_type : str or None
            None makes the index across all types that have the column.
        column : str
            A property, ``"title"`` or ``"id"``, or what else a kglite graph calls those two.

        Raises
        ------
        NotFoundError
            No such node type or column.
        GraphError
            There is not one text in it.

        Notes
        -----
        O(bytes of texts) time; 16 bytes an entry and the texts, until it is opened from its files.
        A graph opened "r" keeps it in memory only.

        Examples
        --------
        >>> g = nk.Graph()
        >>> _ = g.add_nodes("Town", [1, 2, 3, 4], {"name": ["Bern", "Biel", "Chur", "Bern"]})
        >>> g.create_index("Town", "name")
        >>> offsets, nodes = g.find_by_text("Town", "name", ["Bern", "Genf"])
        >>> offsets, nodes
        (array([0, 2, 2]), array([0, 3], dtype=uint32))
        >>> g.find_by_prefix("Town", "name", ["B"])[1]
        array([0, 1, 3], dtype=uint32)
        >>> g.drop_index("Town", "name")
        >>> g.indexes
        []
        """
        self._check_open()
        self._text_indexes.create((node_type, column))

    def drop_index(self, node_type: str | None, column: str) -> None:
        """Forget an index; its files go with the next ``save`` or ``seal``.

        Raises
        ------
        NotFoundError
            There is none.
        """
        self._check_open()
        self._text_indexes.drop((node_type, column))

    def find_by_text(self, node_type: str | None, column: str, texts: object) -> tuple[I64, U32]:
        """Find the nodes of which an indexed column equals each text.

        Parameters
        ----------
        node_type : str or None
            None asks the index across types.
        column : str
        texts : (k,) texts, or one
            Compared byte by byte as UTF-8.

        Returns
        -------
        offsets : (k + 1,) int64
            The nodes of text i are ``nodes[offsets[i]:offsets[i + 1]]``.
        nodes : (h,) uint32
            Ascending for each text.

        Raises
        ------
        NotFoundError
            There is no such index: see ``create_index``.
        GraphError
            Something is no text.

        Notes
        -----
        O(log n) time a text and O(1) a node, in each segment. The first look-up in a file checks
        it, at the speed of memory; the first after changes sorts what was added or updated. The
        index across types has no empty texts: for those all rows are looked at.
        """
        return self._find_texts(node_type, column, texts, "texts")

    def find_by_prefix(
        self, node_type: str | None, column: str, prefixes: object
    ) -> tuple[I64, U32]:
        """Find the nodes of which an indexed column starts with each text; see ``find_by_text``."""
        return self._find_texts(node_type, column, prefixes, "prefixes")

    def _find_texts(
        self, node_type: str | None, column: str, given: object, name: str
    ) -> tuple[I64, U32]:
        self._check_open()
        self._text_indexes.check((node_type, column))
        queries = as_texts(given, name)
        self._touched(len(queries) * max(self.segment_count, 1))
        pair = node_type, column
        of_query, nodes = self._text_indexes.find(pair, queries, name == "prefixes")
        offsets = np.zeros(len(queries) + 1, np.int64)
        np.cumsum(np.bincount(of_query, minlength=len(queries)), out=offsets[1:])
        return offsets, nodes

    # -- of nodes and edges -------------------------------------------------------------------

    def ids(self, nodes: object) -> np.ndarray:
        """Return the external id of each node: int64, StringDType, or object for both kinds."""
        array = self._nodes.check(nodes)
        self._touched(array.size)
        return self._nodes.ids(array)

    def titles(self, nodes: object) -> np.ndarray:
        """Return the title of each node, StringDType; empty where a node has none."""
        array = self._nodes.check(nodes)
        self._touched(array.size)
        return self._nodes.titles(array)

    def types(self, nodes: object) -> np.ndarray:
        """Return the node type of each node, StringDType."""
        array = self._nodes.check(nodes)
        self._touched(array.size)
        result = np.zeros(array.size, TEXT)
        for table, at, _ in self._nodes.by_type(array):
            result[at] = table.name
        return result

    def nodes(self, node_type: str | None = None) -> U32:
        """Return live nodes, ascending; of one node type or secondary label if given."""
        if node_type is None:
            if self._nodes.live_count == self._nodes.slot_count:
                return np.arange(self._nodes.slot_count, dtype=np.uint32)
            parts = self._nodes.slots.all_parts()
            alive = [base + np.flatnonzero(part["flags"] & 1) for base, part in parts]
            return np.concatenate(alive).astype(np.uint32) if alive else np.zeros(0, np.uint32)
        if node_type not in self.node_types and node_type in self.secondary_labels:
            labelled = self.secondary_labels[node_type]
            alive = self._nodes.slots.field("flags", labelled) & 1 != 0
            return np.asarray(labelled[alive])
        return self._nodes.table(node_type).nodes.copy()

    def edges(self, connection_type: str | None = None) -> tuple[U32, U32, U32]:
        """Return (sources, targets, edge ids) of live edges, ascending by edge id."""
        if connection_type is None:
            sources, targets, _, edges = self._edges.split()
            return sources, targets, edges
        edges = self._edges.table(connection_type).edges.copy()
        self._edges.checked_parts()
        records = self._edges.records
        return records.field("source", edges), records.field("target", edges), edges

    def neighbors(
        self, node: object, connection_type: str | None = None, direction: Direction = "out"
    ) -> U32:
        """Return the peers of one node, once for each edge, by (connection type, edge id).

        O(log degree + answer); reads nothing else. With direction ``"both"`` a loop counts
        twice.
        """
        array = self._nodes.check(node, "node")
        if array.size != 1:
            raise GraphError(f"node holds {array.size} node ids, not one; see csr()")
        self._touched(max(self.segment_count, 1))
        value = None if connection_type is None else self._edges.table(connection_type).hash
        parts = [self._rows.row(side, int(array[0]), value) for side in _sides(direction)]
        if len(parts) == 1:
            return parts[0][:, 0].copy()
        entries = np.concatenate(parts)
        types = self._edges.types(entries[:, 1])
        return np.asarray(entries[np.lexsort((entries[:, 1], types)), 0])

    def csr(self, connection_type: str | None = None, direction: Direction = "out") -> CSR:
        """Return the rows of all nodes as flat arrays.

        Parameters
        ----------
        connection_type : str, optional
            Only edges of this type.
        direction : {"out", "in", "both"}
            Rows by source, by target, or each edge in both rows (a loop twice).

        Returns
        -------
        CSR
            ``node_count`` counts all node ids, removed ones included. Rows are ordered by
            (connection type, edge id), types by the order of their hashes. Allocates 8 bytes an
            edge and 8 a node.
        """
        sides = _sides(direction)
        if connection_type is None and len(sides) == 1:
            offsets, entries = self._rows.rows(sides[0])
            return CSR._trusted(offsets, entries[:, 0].copy(), entries[:, 1].copy(), None)
        return self._selected_csr(connection_type, sides)

    def _selected_csr(self, connection_type: str | None, sides: tuple[str, ...]) -> CSR:
        count = self._nodes.slot_count
        if connection_type is None:
            sources, targets, ranks, edges = self._edges.split()
            both = _interleave(sources, targets), _interleave(targets, sources)
            types = int(self._edges.hashes.size)
            offsets, entries = build.typed_rows(count, *both, np.repeat(ranks, 2), types)
            return CSR._trusted(offsets, entries[:, 0].copy(), edges[entries[:, 1] >> 1], None)
        sources, targets, edges = self.edges(connection_type)
        if len(sides) == 2:
            both = _interleave(sources, targets), _interleave(targets, sources)
            offsets, peers, places = build.untyped_rows(count, *both)
            return CSR._trusted(offsets, peers, edges[places >> 1], None)
        rows, others = (sources, targets) if sides[0] == "out" else (targets, sources)
        offsets, peers, places = build.untyped_rows(count, rows, others)
        return CSR._trusted(offsets, peers, edges[places], None)

    def sources(self, connection_type: str) -> U32:
        """Return the nodes with at least one outgoing edge of a type, ascending, each once."""
        value = self._edges.table(connection_type).hash
        hashes, offsets, flat = self._rows.index()
        return flat[slice_of(hashes, offsets, value)].copy()

    def peer_counts(self, connection_type: str) -> tuple[U32, U64]:
        """Return the targets of a type, ascending, and how many edges end in each."""
        value = self._edges.table(connection_type).hash
        hashes, offsets, targets, counts = self._rows.peers()
        part = slice_of(hashes, offsets, value)
        return targets[part].copy(), counts[part].copy()

    def degrees(
        self,
        nodes: object = None,
        connection_type: str | None = None,
        direction: Direction = "out",
    ) -> I64:
        """Count the edges of each node.

        Parameters
        ----------
        nodes : (k,) integers, optional
            All node ids if not given, removed ones included (their degree is 0).
        connection_type : str, optional
        direction : {"out", "in", "both"}
            A loop counts once for each of its ends.

        Returns
        -------
        (k,) int64
        """
        chosen = None if nodes is None else self._nodes.check(nodes)
        table = None if connection_type is None else self._edges.table(connection_type)
        total: I64 | None = None
        for side in _sides(direction):
            if table is None:
                found = self._rows.degrees(side, chosen)
            elif chosen is None:
                ends = self.edges(table.name)[SIDES.index(side)]
                found = build.degrees(ends, self._nodes.slot_count)
            else:
                found = self._rows.typed_degrees(side, chosen, table.hash)
            total = found if total is None else total + found
        assert total is not None
        return total

    # -- properties ---------------------------------------------------------------------------

    def read_nodes(
        self,
        node_type: str,
        columns: list[str] | None = None,
        nodes: object = None,
        where: object = None,
    ) -> Table:
        """Read properties of the nodes of one type.

        Parameters
        ----------
        node_type : str
        columns : list of str, optional
            Property names, all in code point order if not given. ``"id"`` and ``"title"`` (and
            the names that a kglite graph knows them by) give ids and titles where no property
            has that name.
        nodes : (k,) integers, optional
            Node ids of this type, in any order; all, ascending, if not given.
        where : mapping or sequence of (column, operator, value), optional
            Only nodes that satisfy every condition: ``{"age": 36}``, ``{"age": [36, 41]}`` or
            ``[("age", ">=", 30), ("name", "!=", "ann")]``. Operators are ``== != < <= > >= in``
            and ``startswith``. An absent value satisfies none. Segments whose ranges rule a
            condition out are not read; a text index is used where there is one.

        Returns
        -------
        Table

        Raises
        ------
        NotFoundError
            No such node type or property.
        GraphError
            A node is not of this type, or a condition makes no sense for its column.
        """
        table = self._nodes.table(node_type)
        chosen = None if nodes is None else self._nodes_of(table, nodes)
        if where is None:
            chosen = table.nodes.copy() if chosen is None else chosen
            self._touched(chosen.size)
            rows = table.rows_of(self._nodes.slots, chosen)
        else:
            chosen, rows = self._select(table, chosen, where)
        whole = rows.size == table.row_count and bool((np.diff(rows) == 1).all())
        names = sorted(table.properties) if columns is None else list(columns)
        result = {}
        for name in names:
            column = table.column(name, self._aliases(node_type))
            result[name] = Column(column.read() if whole else column.take(rows))
        return Table(result, chosen)

    def _nodes_of(self, table: TypeTable, nodes: object) -> U32:
        """Check that nodes are of one type."""
        chosen = self._nodes.check(nodes)
        wrong = self._nodes.slots.field("node_type", chosen) != np.uint64(table.hash)
        if wrong.any():
            row = int(np.argmax(wrong))
            found = self.types(chosen[row])[0]
            raise GraphError(
                f"nodes: row {row}: node {chosen[row]} is a {found}, not a {table.name}"
            )
        return chosen

    def _select(self, table: TypeTable, chosen: U32 | None, where: object) -> tuple[U32, I64]:
        """Return the nodes that satisfy conditions, of all of the type or of some; their rows."""
        from nkgraph import filtering, selecting

        conditions = filtering.parse(where)
        aliases = self._aliases(table.name)
        for condition in conditions:
            if table.source(condition.column, aliases) is None:
                table.column(condition.column, aliases)  # says which there are
        count = table.count if chosen is None else chosen.size
        indexes = self._text_indexes
        found, conditions = selecting.select_indexed(indexes, table, count, conditions)
        if found is None:
            chosen = table.nodes.copy() if chosen is None else chosen
        else:
            chosen = found if chosen is None else chosen[np.isin(chosen, found)]
        self._touched(chosen.size)
        rows = table.rows_of(self._nodes.slots, chosen)
        kept = selecting.select_rows(table, rows, conditions, aliases)
        return chosen[kept], rows[kept]

    def _aliases(self, node_type: str) -> dict[str, str]:
        """What else the id and the title of a type are called."""
        return {} if self._opened is None else self._opened.stored.aliases(node_type)

    def read_edges(
        self, connection_type: str, columns: list[str] | None = None, edges: object = None
    ) -> Table:
        """Read properties of the edges of one type; as ``read_nodes``."""
        table = self._edges.table(connection_type)
        chosen = None if edges is None else self._edges.check(edges)
        if chosen is not None:
            self._touched(chosen.size)
            wrong = self._edges.types(chosen) != np.uint64(table.hash)
            if wrong.any():
                row = int(np.argmax(wrong))
                raise GraphError(
                    f"edges: row {row}: edge {chosen[row]} is not of type {connection_type!r}"
                )
        names = table.names if columns is None else list(columns)
        result = {name: Column(table.read(name, chosen)) for name in names}
        return Table(result, table.edges.copy() if chosen is None else chosen)


def _keys(given: object) -> ids.Keys:
    return ids.split_keys(ids.from_user(given, "ids"))


def _sides(direction: str) -> tuple[str, ...]:
    if direction == "both":
        return SIDES
    if direction not in SIDES:
        raise GraphError(f'direction is {direction!r}, not "out", "in" or "both"')
    return (direction,)


def _interleave(first: U32, second: U32) -> U32:
    both = np.empty(2 * first.size, np.uint32)
    both[0::2], both[1::2] = first, second
    return both
