"""Pictures of a graph, drawn with matplotlib: degrees, peers, types and segments.

Every function takes ``ax``, the Axes to draw on, and makes a figure of its own without it; each
returns the Axes and shows nothing: ``ax.figure.savefig("out.png")`` or the notebook does. Numbers
are exact: nothing is sampled, and what does not fit a picture is said in it.
"""

from collections.abc import Mapping
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nkgraph.algorithms.histograms import Histogram, degree_histogram, peer_histogram
from nkgraph.algorithms.view import AnyGraph, Direction
from nkgraph.dtypes import F64
from nkgraph.errors import FormatError, GraphError
from nkgraph.graph import Graph
from nkgraph.interop.arrow import require
from nkgraph.looks import LEFT_OUT, by_count, several, shorten
from nkgraph.summaries import connectivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["degree_distribution", "peer_distribution", "segment_map", "type_counts", "type_matrix"]

SUFFIXES = (".pdf", ".png", ".svg")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#806000")
"""Told apart by most people who see colours otherwise, and in print."""
GREY = "#8c8c8c"
LETTERS = 30
"""Letters of a name in a picture."""
MATRIX, NUMBERED = 30, 14
"""Node types of a matrix, at most; and with numbers in its cells."""
NAMED_SEGMENTS = 30
"""Up to so many segments have their numbers beside them; of more, colours tell."""
PEER_TYPES = 5
"""Connection types whose peers stand in an overview."""


# -- what all share ---------------------------------------------------------------------------


def new_axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the given Axes, or those of a new figure of so many inches.

    Raises
    ------
    ImportError
        matplotlib is not installed; the message says how to install it.
    """
    require("matplotlib", "plot")
    if ax is not None:
        return ax
    from matplotlib import pyplot

    made: Axes = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    return made


def name(text: object, width: int = LETTERS) -> str:
    """Cut a text of the user's in its middle, and keep dollars from being taken for formulas."""
    short = shorten(str(text), 1 << 10)
    if len(short) > width:
        head = width // 3
        short = short[:head] + LEFT_OUT + short[head + 1 - width :]
    short = short.replace("$", r"\$")
    return f" {short}" if short.startswith("_") else short  # a legend would leave it out


def brief(count: int) -> str:
    """Spell a number in five letters or fewer, as ``16.1k``."""
    value = float(count)
    for unit in ("", "k", "M", "G"):
        if value < 999.5 or unit == "G":
            break
        value /= 1000
    if not unit:
        return str(count)
    return f"{value:.1f}{unit}" if value < 99.95 else f"{value:.0f}{unit}"


def _with_commas(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _say_empty(ax: "Axes", what: str) -> None:
    ax.text(0.5, 0.5, what, transform=ax.transAxes, ha="center", va="center", color=GREY)
    ax.set_xticks([])
    ax.set_yticks([])


# -- distributions ----------------------------------------------------------------------------


def degree_distribution(
    graph: AnyGraph,
    connection_type: str | None = None,
    direction: Direction = "out",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw which share of the nodes has k edges or more, for each k; both axes logarithmic.

    The complementary cumulative distribution needs no bins, and a power law is a straight line
    in it. Nodes without an edge, which such axes have no place for, count in the shares; the
    legend says how many they are. Draw on the same ``ax`` again to compare.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Count edges of this type only; of a ``Graph`` alone.
    direction : {"out", "in", "both"}
        As for ``degree_histogram``.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    GraphError, NotFoundError
        As ``degree_histogram``.
    ImportError
        matplotlib is not installed.

    Notes
    -----
    Costs what ``degree_histogram`` does.

    Examples
    --------
    >>> ax = nk.plots.degree_distribution(nk.CSR.from_edges([0, 0, 1], [1, 2, 2]))
    >>> x, y = ax.lines[0].get_data()
    >>> x.tolist(), [round(share, 2) for share in y.tolist()]
    ([1, 2], [0.67, 0.33])
    """
    ax = new_axes(ax, 6, 4.2)
    found = degree_histogram(graph, connection_type, direction)
    nodes = int(found.counts.sum())
    none = int(found.counts[found.values == 0].sum())
    of = "" if connection_type is None else f", {name(connection_type)}"
    kind = {"out": "out-degree", "in": "in-degree", "both": "degree"}[direction]
    without = f" ({none:,} without)" if none else ""
    title = f"Degrees of {several(nodes, 'node')}"
    _draw_shares(ax, found, f"{kind}{of}{without}", title, ("edges of a node", "nodes"))
    return ax


def peer_distribution(
    graph: AnyGraph, connection_type: str | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw which share of the targets of a connection type has k edges into it or more.

    As ``degree_distribution``, from the stored peer counts where there are some: what is not a
    target of the type does not count.

    Parameters
    ----------
    graph : Graph or CSR
    connection_type : str, optional
        Of a ``Graph`` alone; edges of any type if not given.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    GraphError, NotFoundError
        As ``peer_histogram``.
    ImportError
        matplotlib is not installed.

    Notes
    -----
    Costs what ``peer_histogram`` does.

    Examples
    --------
    >>> ax = nk.plots.peer_distribution(nk.CSR.from_edges([0, 0, 1], [1, 2, 2]))
    >>> [values.tolist() for values in ax.lines[0].get_data()]
    [[1, 2], [1.0, 0.5]]
    """
    ax = new_axes(ax, 6, 4.2)
    found = peer_histogram(graph, connection_type)
    of = "all types" if connection_type is None else name(connection_type)
    label = f"{of}: {several(int(found.counts.sum()), 'target')}"
    _draw_shares(ax, found, label, "Peers", ("edges into a target", "targets"))
    return ax


def shares(found: Histogram) -> F64:
    """For each value, which share of all is as large or larger; (k,) float64, descending."""
    above = np.cumsum(found.counts[::-1])[::-1]
    return np.asarray(above / max(int(found.counts.sum()), 1), np.float64)


def _draw_shares(
    ax: "Axes", found: Histogram, label: str, title: str, words: tuple[str, str]
) -> None:
    ax.set_title(title, fontsize=10)
    ax.set_xlabel(f"{words[0]}, k")
    ax.set_ylabel(f"share of {words[1]} with k or more")
    kept = found.values > 0
    if not kept.any() and not ax.lines:
        _say_empty(ax, "no edges")
        return
    values, above = found.values[kept], shares(found)[kept]
    colour = COLOURS[len(ax.lines) % len(COLOURS)]
    ax.plot(
        values, above, drawstyle="steps-pre", marker="o", markersize=2.5, linewidth=1,
        color=colour, label=label,
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.grid(True, alpha=0.3)
    ax.legend(fontsize=7, loc="best")


# -- types ------------------------------------------------------------------------------------


def type_counts(graph: Graph, limit: int = 20, ax: "Axes | None" = None) -> "Axes":
    """Draw how many edges there are of each connection type, the most frequent first.

    Parameters
    ----------
    graph : Graph
    limit : int
        Types to draw, at most; the title says how many there are.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    GraphError
        ``limit`` is less than 1.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> g = nk.Graph()
    >>> nodes = g.add_nodes("Town", ["Bern", "Chur"])
    >>> _ = g.add_edges("ROAD", nodes, nodes[::-1])
    >>> [int(bar.get_width()) for bar in nk.plots.type_counts(g).patches]
    [2]
    """
    if limit < 1:
        raise GraphError(f"limit is {limit}, not at least 1")
    counts = graph.connection_types
    names = by_count(counts)[:limit]
    ax = new_axes(ax, 6, max(2.4, 0.9 + 0.24 * len(names)))
    of = f"{len(names)} of {several(len(counts), 'connection type')}"
    what = several(len(counts), "connection type") if len(names) == len(counts) else of
    ax.set_title(f"{what}: {several(graph.edge_count, 'edge')}", fontsize=10)
    if not names:
        _say_empty(ax, "no edges")
        return ax
    numbers = [counts[one] for one in names]
    bars = ax.barh(range(len(names)), [float(count) for count in numbers], color=COLOURS[0])
    ax.bar_label(bars, [f"{count:,}" for count in numbers], padding=3, fontsize=8)
    ax.set_yticks(range(len(names)), [name(one, 40) for one in names], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.2 * max(numbers))
    _with_commas(ax.xaxis)
    ax.set_xlabel("edges")
    return ax


def type_matrix(
    graph: Graph, connection_type: str | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw how many edges lead from each node type to each other, as a matrix.

    Node types without such an edge are left out. Colours are logarithmic, white where there is
    no edge; up to 14 types have the numbers in their cells. Of more than 30 types those with the
    most edges are drawn, and the title says so.

    Parameters
    ----------
    graph : Graph
    connection_type : str, optional
        Count edges of this type only.
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        Its only image holds the counts, masked where there are none; row: source, column: target.

    Raises
    ------
    NotFoundError
        There is no such connection type.
    ImportError
        matplotlib is not installed.

    Notes
    -----
    A native directory states the counts, so that only what was added is counted; of any other
    graph one pass over the edges counts them, and two bytes to four a node are allocated.

    Examples
    --------
    >>> g = nk.Graph()
    >>> people, towns = g.add_nodes("Person", [1, 2]), g.add_nodes("Town", [1])
    >>> _ = g.add_edges("LIVES_IN", people, towns[[0, 0]])
    >>> nk.plots.type_matrix(g).images[0].get_array().tolist()
    [[None, 2], [None, None]]
    """
    names, counts = _between_types(graph, connection_type)
    shown = min(len(names), MATRIX)
    ax = new_axes(ax, 3.2 + 0.42 * shown, 2.4 + 0.42 * shown)
    of = "" if connection_type is None else f" of {name(connection_type)}"
    part = f" (the first {shown} of {len(names)} types)" if shown < len(names) else ""
    ax.set_title(f"Edges{of} between node types{part}", fontsize=10)
    if not counts.any():
        _say_empty(ax, "no edges")
        return ax
    from matplotlib.colors import LogNorm

    counts = counts[:shown, :shown]
    norm = LogNorm(1, max(int(counts.max()), 2))
    image = ax.imshow(np.ma.masked_equal(counts, 0), cmap="Blues", norm=norm)
    assert ax.figure is not None
    ax.figure.colorbar(image, ax=ax, label="edges", shrink=0.8)
    if shown <= NUMBERED:
        for row, column in zip(*np.nonzero(counts), strict=True):
            count = int(counts[row, column])
            colour = "white" if norm(count) > 0.6 else "black"
            ax.text(column, row, brief(count), ha="center", va="center", color=colour, fontsize=7)
    labels = [name(one) for one in names[:shown]]
    ax.set_xticks(range(shown), labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set_yticks(range(shown), labels, fontsize=8)
    ax.set_xlabel("target")
    ax.set_ylabel("source")
    return ax


def _between_types(graph: Graph, connection_type: str | None) -> tuple[list[str], np.ndarray]:
    """Node types with edges, the most first, and edges from each (row) to each (column)."""
    wanted = None if connection_type is None else graph._edges.table(connection_type).hash
    by_hash = {table.hash: name for name, table in graph._nodes.tables.items() if table.count}
    at = {value: place for place, value in enumerate(by_hash)}
    counts = np.zeros((len(at), len(at)), np.int64)
    for (source, conn, target), count in connectivity(graph).items():
        if wanted in (None, conn):
            if source not in at or target not in at:
                found = hex(source if source not in at else target)
                field, where = "node type of an edge", graph.path or "memory"
                raise FormatError(where, field, None, "one that has nodes", found)
            counts[at[source], at[target]] += count
    either = counts.sum(0) + counts.sum(1)
    order = np.argsort(-either, kind="stable")[: np.count_nonzero(either)]
    known = list(by_hash.values())
    return [known[place] for place in order.tolist()], counts[np.ix_(order, order)]


# -- segments ---------------------------------------------------------------------------------


class Span(NamedTuple):
    """Where a segment lies: its nodes, the nodes that its rows are of, and edges."""

    label: str
    first: int
    stop: int
    rows_from: int
    edges: int


def segment_map(graph: Graph, ax: "Axes | None" = None) -> "Axes":
    """Draw which node ids each segment holds, and how many edges.

    A thick bar is where the nodes of a segment lie; a thin one, the nodes that it has rows of:
    edges into older nodes make a segment reach back. What is not saved yet is another bar.

    Parameters
    ----------
    graph : Graph
    ax : matplotlib Axes, optional

    Returns
    -------
    Axes
        Its patches are the thick bars, then the thin ones.

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Notes
    -----
    O(segments). Removed nodes and edges keep their place, and are counted.

    Examples
    --------
    >>> g = nk.Graph()
    >>> _ = g.add_nodes("Town", ["Bern", "Chur"])
    >>> int(nk.plots.segment_map(g).patches[0].get_width())
    2
    """
    spans = segment_spans(graph)
    ax = new_axes(ax, 7, min(1.6 + 0.28 * max(len(spans), 2), 10))
    ax.set_title(f"{several(graph.segment_count, 'segment')}: node ids and edges", fontsize=10)
    ax.set_xlabel("node id")
    if not spans:
        _say_empty(ax, "no nodes")
        return ax
    places = np.arange(len(spans), dtype=float)
    rows = np.array([[span.first, span.stop, span.rows_from] for span in spans], float)
    many = len(spans) > NAMED_SEGMENTS
    widths = rows[:, 1] - rows[:, 0]
    bars = ax.barh(places, widths, left=rows[:, 0], height=0.8, color=COLOURS[0], label="its nodes")
    reach = rows[:, 2] < rows[:, 0]
    if reach.any():
        left, right = rows[reach, 2], rows[reach, 1]
        what = "nodes it has rows of"
        ax.barh(places[reach], right - left, left=left, height=0.2, color=COLOURS[4], label=what)
        ax.legend(fontsize=8, loc="upper right")  # where the last nodes are not
    if many:
        _colour_by_edges(ax, list(bars), [span.edges for span in spans])
        _with_commas(ax.yaxis)
        ax.set_ylabel("segment")
    else:
        labels = [f"{span.label}: {several(span.edges, 'edge')}" for span in spans]
        ax.set_yticks(places.tolist(), labels, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, max(float(rows[:, 1].max()), 1))
    _with_commas(ax.xaxis)
    return ax


def segment_spans(graph: Graph) -> list[Span]:
    """Say where each segment lies, and what was added after them or is in memory."""
    nodes, edges = graph._nodes, graph._edges
    stored = None if graph._opened is None else graph._opened.stored
    native = stored is not None and stored.native is not None
    spans = []
    for number, segment in enumerate([] if stored is None else stored.segments):
        first, stop = segment.first_node, segment.last_node
        rows_from = segment.first_row if native else first
        label = f"segment {number}"
        spans.append(Span(label, first, stop, rows_from, int(segment.endpoints.size)))
    first, stop = nodes.slots.stored_size, nodes.slot_count
    added = int(edges.records.added.size)
    if stop > first or added:
        label = "in memory" if stored is None else "not saved"
        spans.append(Span(label, first, stop, first, added))
    return spans


def _colour_by_edges(ax: "Axes", bars: list[Any], edges: list[int]) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    least = max(min(edges), 1)
    most = max(least + 1, max(edges))
    scale = ScalarMappable(LogNorm(least, most), colormaps["viridis"])
    colours = scale.to_rgba(np.maximum(edges, 1))
    for bar, colour in zip(bars, colours, strict=True):
        bar.set_facecolor(colour)
    assert ax.figure is not None
    ax.figure.colorbar(scale, ax=ax, label="edges")


# -- overview ---------------------------------------------------------------------------------


def overview(graph: Graph) -> "Figure":
    """Draw what applies to a graph in one figure, without pyplot: nothing else is touched."""
    require("matplotlib", "plot")
    from matplotlib.figure import Figure

    several_types, connections = len(graph.node_types) > 1, graph.connection_types
    panels = ["degrees", "peers"] if connections else ["degrees"]
    if several_types and connections:
        panels.append("matrix")
    if len(connections) > 1:
        panels.append("types")
    if graph.segment_count > 1:
        panels.append("segments")
    pairs = [panels[at : at + 2] for at in range(0, len(panels), 2)]
    figure = Figure(figsize=(7 * min(len(panels), 2), 0.4 + 5 * len(pairs)), layout="constrained")
    figure.suptitle(_overview_title(graph))
    bands = figure.subfigures(len(pairs), 1, squeeze=False)[:, 0]
    for band, pair in zip(bands, pairs, strict=True):
        # Parts of the figure, whose margins are their own business.
        parts = band.subfigures(1, len(pair), squeeze=False)[0]
        for part, panel in zip(parts, pair, strict=True):
            _draw_panel(graph, panel, part.subplots(), connections)
    return figure


def _overview_title(graph: Graph) -> str:
    where = "Graph in memory" if graph.path is None else name(graph.path.name, 60)
    return f"{where}: {several(graph.node_count, 'node')}, {several(graph.edge_count, 'edge')}"


def _draw_panel(graph: Graph, panel: str, ax: "Axes", connections: Mapping[str, int]) -> None:
    if panel == "degrees":
        degree_distribution(graph, direction="out", ax=ax)
        degree_distribution(graph, direction="in", ax=ax)
    elif panel == "peers":
        kept = by_count(connections)[:PEER_TYPES]
        for one in kept:
            peer_distribution(graph, one, ax=ax)
        some = f" by the {len(kept)} most frequent types" if len(connections) > len(kept) else ""
        ax.set_title(f"Peers{some}", fontsize=10)
    elif panel == "matrix":
        type_matrix(graph, ax=ax)
    elif panel == "types":
        type_counts(graph, ax=ax)
    else:
        segment_map(graph, ax=ax)


def check_picture(path: str | PathLike[str]) -> Path:
    """Refuse a name that does not say a format of pictures, and a folder that is not there.

    Raises
    ------
    GraphError
        The suffix is not one of .pdf, .png and .svg.
    FileNotFoundError
        There is no such folder.
    ImportError
        matplotlib is not installed.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise GraphError(f"{target}: the name of a picture ends in {', '.join(SUFFIXES)}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent}: no such folder")
    require("matplotlib", "plot")
    return target


def save_overview(graph: Graph, path: str | PathLike[str]) -> None:
    """Write ``overview`` to a file, in the format that its suffix says; equal graphs, equal bytes.

    Raises
    ------
    GraphError, FileNotFoundError, ImportError
        As ``check_picture``, before anything is done.
    """
    target = check_picture(path)
    kind = target.suffix.lower()[1:]
    from matplotlib import rc_context

    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
    made = BytesIO()
    with rc_context({"svg.hashsalt": "nkgraph"}):
        overview(graph).savefig(made, format=kind, metadata=dates[kind])
    target.write_bytes(made.getvalue())
