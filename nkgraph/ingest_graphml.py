"""GraphML to graphs: nodes, edges, and their data by keys with types and defaults.

The file is parsed as it is read, by the standard library's expat. Entities that a document
declares are refused, and so are references to any but the five that XML has.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

import numpy as np

from nkgraph.dtypes import U32
from nkgraph.errors import FormatError, GraphError
from nkgraph.ingest_build import Forced, Progress, as_ids, run
from nkgraph.ingest_columns import Rows, Texts, Values
from nkgraph.printing import plain_integers
from nkgraph.storage.keys import TextKeys
from nkgraph.storage.text import TextArray
from nkgraph.storage.textfile import read_bytes

if TYPE_CHECKING:
    from nkgraph.graph import Graph

ID, LABEL, TITLE, TYPE = ":ID", ":LABEL", ":TITLE", ":TYPE"
"""Names of data that say what a node or an edge is, as in headers of tables."""
_MARKS: Final = {"node": (ID, LABEL, TITLE), "edge": (TYPE,)}
_TRUE: Final = {"true": True, "1": True, "false": False, "0": False}
_NOT_HERE: Final = ("hyperedge", "port", "endpoint", "locator")
_LIMIT: Final = 1 << 26
"""Characters of one value."""


def _integer(text: str) -> int:
    value = int(text)
    if not text.strip().lstrip("+-").isdecimal() or not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _boolean(text: str) -> bool:
    return _TRUE[text.strip().lower()]


def _number(text: str) -> float:
    if "_" in text:
        raise ValueError
    return float(text)


_TYPES: Final[dict[str, Callable[[str], object]]] = {
    "boolean": _boolean, "int": _integer, "long": _integer, "float": _number, "double": _number,
    "string": str,
}  # fmt: skip


def import_graphml(
    file: str | PathLike[str],
    path: str | PathLike[str] | None = None,
    *,
    node_type: str = "Node",
    connection_type: str = "EDGE",
) -> "Graph":
    r"""Import a GraphML file.

    Parameters
    ----------
    file : path
        XML, plain, gzip or zstd.
    path : path, optional
        Save the graph there, a new native directory, and open it. Without it: in memory.
    node_type, connection_type : str
        Of nodes and edges that do not say one.

    Returns
    -------
    Graph
        Node ids are integers if every one of the file is written as a plain integer, else texts.
        An edge of an undirected graph is stored once, as listed. Data is a property named by the
        ``attr.name`` of its key, else by the key, of the ``attr.type``; a default of a key is the
        value of all that do not say another. Data named ``:LABEL`` is the node type, ``:ID`` the
        id, ``:TITLE`` the title and ``:TYPE`` the connection type: so ``nkgraph convert`` writes
        graphs of several types.

    Raises
    ------
    FormatError
        XML that is not well-formed, is cut short, or declares entities; no GraphML; an edge that
        names no node, a node that comes twice; data without a key, or not of its type; hyperedges,
        ports and graphs within nodes, which a graph has no place for.
    GraphError
        ``path`` holds something. Nothing is written then.

    Warns
    -----
    RuntimeWarning
        Descriptions, data of the whole graph and ids of edges: what has no place is said, and
        listed by ``Graph.verify``.

    Notes
    -----
    O(bytes), a call of Python an element: about a million elements in some seconds.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import nkgraph as nk
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "roads.graphml"
    >>> _ = file.write_text('''<graphml><key id="k" for="edge" attr.name="km" attr.type="double"/>
    ... <graph edgedefault="directed"><node id="Bern"/><node id="Chur"/>
    ... <edge source="Bern" target="Chur"><data key="k">241</data></edge></graph></graphml>''')
    >>> graph = nk.import_graphml(file)
    >>> graph.ids(graph.nodes()), graph.read_edges("EDGE")["km"].values
    (array(['Bern', 'Chur'], dtype=StringDType()), array([241.]))
    """
    source = Path(fspath(file))
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file")

    def read(forced: Forced, progress: Progress) -> "Graph":
        document = _Document(source)
        document.read(progress)
        return document.graph(node_type, connection_type)

    return run(read, path)


@dataclass
class _Key:
    """A key: what data of it is called, of what type, and what stands where it is not said."""

    name: str
    scopes: tuple[str, ...]
    convert: Callable[[str], object]
    type: str
    default: object = None


@dataclass
class _Data:
    """The values of a property: whose they are, and what."""

    rows: list[int] = field(default_factory=list)
    values: list[object] = field(default_factory=list)


class _Elements:
    """Nodes, or edges: how many, and their data by name."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.count = 0
        self.data: dict[str, _Data] = {}

    def add(self, name: str, value: object) -> bool:
        """Add a value of the last element; False if it has one already."""
        data = self.data.setdefault(name, _Data())
        if data.rows and data.rows[-1] == self.count - 1:
            return False
        data.rows.append(self.count - 1)
        data.values.append(value)
        return True

    def column(self, name: str, keys: list[_Key]) -> list[object]:
        """Return the values of all elements, defaults of keys included."""
        default = next((key.default for key in keys if key.default is not None), None)
        column: list[object] = [default] * self.count
        data = self.data.get(name, _Data())
        for row, value in zip(data.rows, data.values, strict=True):
            column[row] = value
        return column


class _Document:
    """One file, as its elements come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity
        self._parser.SkippedEntityHandler = self._skipped
        self._parser.ExternalEntityRefHandler = self._external
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            name: getattr(self, f"_start_{name}") for name in _STARTS
        }
        self._stack: list[str] = []
        self._text: list[str] | None = None
        self._text_size = 0
        self._keys: dict[str, _Key] = {}
        self._open_key: _Key | None = None
        self._data_key = ""
        self._graphs = 0
        self._ids: list[str] = []
        self._sources: list[str] = []
        self._targets: list[str] = []
        self._nodes, self._edges = _Elements("node"), _Elements("edge")
        self._remarks: list[tuple[str, int | None, str]] = []
        self._remarked: set[str] = set()

    # -- parsing ------------------------------------------------------------------------------

    def read(self, progress: Progress) -> None:
        """Parse the file."""
        done = 0
        try:
            for block in read_bytes(self.path):
                self._parser.Parse(block, False)
                total = self._nodes.count + self._edges.count
                progress.add(self.path, Rows(total - done, [], lambda row: row, len(block), 0))
                done = total
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            where = f"line {error.lineno}"
            found = expat.errors.messages[error.code]
            raise FormatError(self.path, where, None, "well-formed XML", found) from None
        except ValueError as error:  # an encoding that expat does not know
            raise self._error("XML in a known encoding", error) from None
        if not self._graphs:
            raise FormatError(self.path, "graphml", None, "a graph element", "none")

    def _error(self, expected: str, found: object, remedy: str | None = None) -> FormatError:
        where = f"line {self._parser.CurrentLineNumber}"
        return FormatError(self.path, where, None, expected, found, remedy)

    def _entity(self, name: str, *rest: object) -> None:
        remedy = "write what it stands for in its place"
        raise self._error("no declarations of entities", f"entity {name[:40]!r}", remedy)

    def _skipped(self, name: str, is_parameter: bool) -> None:
        raise self._error("an entity of XML", f"{name[:40]!r}")

    def _external(self, *rest: object) -> int:
        raise self._error("an entity of XML", "one of another file")

    def _remark(self, what: str) -> None:
        if what not in self._remarked:
            self._remarked.add(what)
            where = f"line {self._parser.CurrentLineNumber}"
            self._remarks.append((where, None, f"{what}: left out"))

    def _start(self, full_name: str, attributes: dict[str, str]) -> None:
        name = full_name.rpartition(" ")[2]
        parent = self._stack[-1] if self._stack else ""
        self._stack.append(name)
        if not parent and name != "graphml":
            raise self._error("a graphml element", f"<{name[:40]}>")
        if name in _NOT_HERE or (name == "graph" and parent not in ("graphml", "")):
            what = "a graph within a node or an edge" if name == "graph" else f"<{name}>"
            raise self._error("nodes, edges and data", what, "a graph has no place for it")
        if parent == "data" or parent == "default":
            raise self._error(f"text within <{parent}>", f"<{name[:40]}>")
        start = self._starts.get(name)
        if start is not None:
            if parent not in _STARTS[name]:
                raise self._error(f"<{name}> in {' or '.join(_STARTS[name])}", f"one in <{parent}>")
            start(attributes)
        elif name == "desc":
            self._remark("a description")
        elif name != "graphml" or parent:
            raise self._error("an element of GraphML", f"<{name[:40]}>")

    def _end(self, full_name: str) -> None:
        name = self._stack.pop()
        if name == "data":
            self._end_data()
        elif name == "default" and self._open_key is not None:
            self._open_key.default = self._converted(self._open_key, self._taken())
        elif name == "key":
            self._open_key = None

    def _characters(self, text: str) -> None:
        if self._text is None:
            if text.strip() and self._stack and self._stack[-1] != "desc":
                raise self._error("elements", repr(text.strip()[:40]))
            return
        self._text.append(text)
        self._text_size += len(text)
        if self._text_size > _LIMIT:
            raise self._error(f"values of at most {_LIMIT} characters", "a longer one")

    def _taken(self) -> str:
        text = "".join(self._text or ())
        self._text, self._text_size = None, 0
        return text

    def _wanted(self, attributes: dict[str, str], name: str, element: str) -> str:
        if name not in attributes:
            raise self._error(f"{name} of <{element}>", "none")
        return attributes[name]

    def _start_key(self, attributes: dict[str, str]) -> None:
        key = self._wanted(attributes, "id", "key")
        if key in self._keys:
            raise self._error("distinct keys", f"{key[:40]!r} twice")
        scope = attributes.get("for", "all")
        if scope not in (
            "node",
            "edge",
            "graph",
            "graphml",
            "all",
            "port",
            "hyperedge",
            "endpoint",
        ):
            raise self._error("for of a key: node, edge, graph or all", repr(scope[:40]))
        scopes = ("node", "edge", "graph", "graphml") if scope == "all" else (scope,)
        kind = attributes.get("attr.type", "string")
        if kind not in _TYPES:
            raise self._error(f"attr.type: {', '.join(_TYPES)}", repr(kind[:40]))
        name = attributes.get("attr.name", key)
        if not name:
            raise self._error("attr.name of a key", "an empty one")
        self._open_key = self._keys[key] = _Key(name, scopes, _TYPES[kind], kind)

    def _start_default(self, attributes: dict[str, str]) -> None:
        self._text = []

    def _start_graph(self, attributes: dict[str, str]) -> None:
        self._graphs += 1
        if self._graphs > 1:
            raise self._error("one graph", "a second one", "put each graph into a file of its own")
        default = attributes.get("edgedefault", "directed")
        if default not in ("directed", "undirected"):
            raise self._error("edgedefault directed or undirected", repr(default[:40]))

    def _start_node(self, attributes: dict[str, str]) -> None:
        self._ids.append(self._wanted(attributes, "id", "node"))
        self._nodes.count += 1

    def _start_edge(self, attributes: dict[str, str]) -> None:
        self._sources.append(self._wanted(attributes, "source", "edge"))
        self._targets.append(self._wanted(attributes, "target", "edge"))
        for end in ("sourceport", "targetport"):
            if end in attributes:
                raise self._error("edges without ports", end, "a graph has no place for it")
        if "id" in attributes:
            self._remark("ids of edges")
        self._edges.count += 1

    def _start_data(self, attributes: dict[str, str]) -> None:
        self._data_key = self._wanted(attributes, "key", "data")
        if self._data_key not in self._keys:
            raise self._error("data of a declared key", repr(self._data_key[:40]))
        self._text = []

    def _end_data(self) -> None:
        key, text = self._keys[self._data_key], self._taken()
        scope = self._stack[-1]
        if scope in ("graph", "graphml"):
            self._remark(f"data of the whole graph, {key.name!r}")
            return
        if scope not in key.scopes:
            raise self._error(f"data of a key for a {scope}", repr(self._data_key[:40]))
        elements = self._nodes if scope == "node" else self._edges
        if not elements.add(key.name, self._converted(key, text)):
            raise self._error(f"{key.name!r} of a {scope} once", "twice")

    def _converted(self, key: _Key, text: str) -> object:
        try:
            return key.convert(text)
        except (ValueError, KeyError):
            shown = repr(text if len(text) <= 40 else text[:40] + "...")
            raise self._error(f"{key.name!r} as {key.type}", shown) from None

    # -- the graph ----------------------------------------------------------------------------

    def _keys_by_name(self, scope: str) -> dict[str, list[_Key]]:
        found: dict[str, list[_Key]] = {}
        for key in self._keys.values():
            if scope in key.scopes:
                found.setdefault(key.name, []).append(key)
        return found

    def graph(self, node_type: str, connection_type: str) -> "Graph":
        """Return the graph of all that was read."""
        from nkgraph.edges import Ends
        from nkgraph.graph import Graph

        graph = Graph()
        keys = TextKeys()
        listed = TextArray.from_list(self._ids, "ids")
        places = keys.insert(listed.offsets, listed.data)
        twice = np.flatnonzero(places != np.arange(places.size))
        if twice.size:
            found = f"{self._ids[int(twice[0])][:40]!r} twice"
            raise FormatError(self.path, "node", None, "distinct ids", found)
        numbers = self._add_nodes(graph, listed, node_type)
        ends = []
        for name, given in (("source", self._sources), ("target", self._targets)):
            text = TextArray.from_list(given, name)
            at = keys.find(text.offsets, text.data)
            missing = np.flatnonzero(at < 0)
            if missing.size:
                row = int(missing[0])
                where = f"{name} of edge {row + 1}"
                raise FormatError(self.path, where, None, "the id of a node", repr(given[row][:40]))
            ends.append(numbers[at])
        keys_of = self._keys_by_name("edge")
        names = [connection_type] * self._edges.count
        if TYPE in keys_of:
            names = self._names(self._edges, TYPE, keys_of.pop(TYPE), connection_type)
        properties = self._columns(self._edges, keys_of)
        for name, rows in _groups(names):
            part = {key: _picked(column, rows) for key, column in properties.items()}
            pair = Ends(ends[0][rows], ends[1][rows])
            graph._append_edges([name], None, pair, _without_empty(part))
        if self._remarks:
            graph.remarked(self.path, self._remarks)
        return graph

    def _add_nodes(self, graph: "Graph", listed: TextArray, node_type: str) -> U32:
        keys_of = self._keys_by_name("node")
        names = [node_type] * self._nodes.count
        if LABEL in keys_of:
            names = self._names(self._nodes, LABEL, keys_of.pop(LABEL), node_type)
        numbers = np.zeros(self._nodes.count, np.uint32)
        ids: object = None
        own: list[object] | None = None
        titles: list[object] | None = None
        if ID in keys_of:
            own = self._nodes.column(ID, keys_of.pop(ID))
            ids = [text if key is None else key for key, text in zip(own, self._ids, strict=True)]
        if TITLE in keys_of:
            titles = self._nodes.column(TITLE, keys_of.pop(TITLE))
        if ids is None:
            ids = _own_ids(listed)
        properties = self._columns(self._nodes, keys_of)
        for name, rows in _groups(names):
            part = {key: _picked(column, rows) for key, column in properties.items()}
            held = ids.take(rows) if isinstance(ids, TextArray) else _picked(ids, rows)
            title = None if titles is None else _picked(titles, rows)
            if title is not None and not any(value is not None for value in title):
                title = None
            try:
                numbers[rows] = graph.add_nodes(name, held, _without_empty(part), title)
            except GraphError as error:
                raise FormatError(self.path, f"nodes of {name}", None, "valid ids", error) from None
        return numbers

    def _names(self, elements: _Elements, mark: str, keys: list[_Key], default: str) -> list[str]:
        names = []
        for value in elements.column(mark, keys):
            if value is not None and (not isinstance(value, str) or not value):
                raise FormatError(self.path, f"data {mark}", None, "a name", repr(value))
            names.append(default if value is None else str(value))
        return names

    def _columns(
        self, elements: _Elements, keys_of: dict[str, list[_Key]]
    ) -> dict[str, list[object]]:
        return {name: elements.column(name, keys) for name, keys in keys_of.items()}


_STARTS: Final = {
    "key": ("graphml",),
    "default": ("key",),
    "graph": ("graphml",),
    "node": ("graph",),
    "edge": ("graph",),
    "data": ("node", "edge", "graph", "graphml"),
}
"""What may stand in what."""


def _own_ids(listed: TextArray) -> object:
    """Ids as in all imports of text: integers if all of them are, else texts."""
    if len(listed) and plain_integers(listed).all():
        return listed.to_strings().astype(np.int64)
    return as_ids(Values("text", Texts(listed.offsets, listed.data), None))


def _groups(names: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each name, in order of first appearance, and its rows."""
    if not names:
        return
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(numbers))
    yield from zip(numbers, np.split(order, np.cumsum(counts)[:-1]), strict=True)


def _picked(values: object, rows: np.ndarray) -> list[object]:
    assert isinstance(values, (list, np.ndarray))
    if rows.size == len(values):
        return list(values)
    return [values[row] for row in rows.tolist()]


def _without_empty(columns: dict[str, list[object]]) -> dict[str, object]:
    return {
        name: column
        for name, column in columns.items()
        if any(value is not None for value in column)
    }
