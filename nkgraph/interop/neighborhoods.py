"""A node and what is around it, drawn with matplotlib: a tree of rings, names outward."""

import math
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nkgraph.dtypes import F64, U32, Bool
from nkgraph.errors import GraphError
from nkgraph.graph import Graph
from nkgraph.interop.plots import COLOURS, GREY, name, new_axes
from nkgraph.looks import several

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["neighborhood"]

NAME = 18
"""Letters of the name of a node."""
NAMED = 100
"""Up to so many nodes have their names beside them."""
DRAWN = 1000
"""Arrows in a picture, at most."""
INCHES = 8.0
MARKERS = ("o", "s", "^", "D", "v", "p", "h", "P")
SIDES = ("out", "in")


class Arrow(NamedTuple):
    """Edges of one connection type from one node to another; nodes by their place."""

    source: int
    target: int
    type: str
    edges: int


class Surroundings(NamedTuple):
    """What is drawn.

    ``nodes`` are the node ids, the start first; by place, ``rings`` say how many hops away each
    is, and ``parents`` from which it was reached. ``found`` counts the peers that were met, more
    than were kept if ``cut``.
    """

    nodes: U32
    rings: list[int]
    parents: list[int]
    found: int
    cut: bool


def neighborhood(
    graph: Graph,
    node: int,
    hops: int = 1,
    limit: int = 50,
    ax: "Axes | None" = None,
    connection_type: str | None = None,
    seed: int = 0,
) -> "Axes":
    """Draw a node, its peers up to some hops away, and the edges among them all.

    Peers are those over edges of either direction. The node stands in the middle, what is one
    hop away on the first ring and so on, each beside the one that it was reached from. Colours
    of arrows are connection types, shapes are node types; parallel edges of one type are one
    arrow, thicker. Names are titles, or external ids where there is none, cut to 18 letters.

    Parameters
    ----------
    graph : Graph
    node : int
        Node id, as ``find`` gives it.
    hops : int
    limit : int
        Nodes to draw at most, the one in the middle included. Of more peers a sample is drawn,
        each hop having its share, and the title says so. Above 100 nodes no names are drawn.
    ax : matplotlib Axes, optional
    connection_type : str, optional
        Only edges of this type.
    seed : int
        Of the sample: the same seed, the same nodes.

    Returns
    -------
    Axes
        Its patches are the arrows, with ``source -> target: type`` in node ids as their ``gid``.

    Raises
    ------
    GraphError
        There is no such node, or ``hops`` or ``limit`` is less than 1.
    NotFoundError
        There is no such connection type.
    ImportError
        matplotlib is not installed.

    Notes
    -----
    Reads the edges of the nodes that are drawn: O(their degrees). In memory and for directories
    of other engines the rows of all nodes are built first. At most 1000 arrows are drawn, those
    of the tree first, and the title says so.

    Examples
    --------
    >>> g = nk.Graph()
    >>> towns = g.add_nodes("Town", ["Bern", "Chur", "Visp", "Genf"])
    >>> _ = g.add_edges("ROAD", towns[[0, 2, 1]], towns[[1, 0, 3]])
    >>> ax = nk.plots.neighborhood(g, towns[0])
    >>> [arrow.get_gid() for arrow in ax.patches]
    ['0 -> 1: ROAD', '2 -> 0: ROAD']
    """
    for what, given in (("hops", hops), ("limit", limit)):
        if given < 1:
            raise GraphError(f"{what} is {given}, not at least 1")
    start = graph._nodes.check(node, "node")
    if start.size != 1:
        raise GraphError(f"node holds {start.size} node ids, not one")
    table = None if connection_type is None else graph._edges.table(connection_type)
    value = None if table is None else table.hash
    ax = new_axes(ax, INCHES + 2.8, INCHES)
    around = surroundings(graph, int(start[0]), hops, limit, value, seed)
    arrows = arrows_among(graph, around, value)
    kinds, titles = [str(kind) for kind in graph.types(around.nodes)], names_of(graph, around.nodes)
    points = places(around, arrows, kinds)
    kept = arrows[:DRAWN]
    _draw(ax, around, kept, kinds, titles, points)
    more = f", {len(kept):,} of {len(arrows):,} drawn" if len(kept) < len(arrows) else ""
    edges = several(sum(arrow.edges for arrow in arrows), "edge")
    ax.set_title(f"{kinds[0]} {titles[0]}: {_extent(around, hops)}; {edges}{more}", fontsize=10)
    return ax


def _extent(around: Surroundings, hops: int) -> str:
    drawn = around.nodes.size - 1
    within = "" if hops == 1 else f" within {hops} hops"
    if not around.cut:
        return several(drawn, "peer") + within
    least = "" if hops == 1 else "at least "
    return f"{drawn:,} of {least}{several(around.found, 'peer')}{within}"


# -- what there is ----------------------------------------------------------------------------


def surroundings(
    graph: Graph, start: int, hops: int, limit: int, value: int | None, seed: int
) -> Surroundings:
    """Collect peers ring by ring; where there are too many, a sample of them, fair to each ring."""
    whole = _rings(graph, start, value, [limit] * hops, None)
    if not whole.cut:
        return whole
    random = np.random.default_rng(seed)
    shares = [1 + (limit - 1) * hop // hops for hop in range(1, hops + 1)]
    return _rings(graph, start, value, shares, random)


def _rings(
    graph: Graph,
    start: int,
    value: int | None,
    limits: list[int],
    random: np.random.Generator | None,
) -> Surroundings:
    """Collect rings up to so many nodes each with those before; without ``random`` stop at more."""
    nodes = np.array([start], np.uint32)
    rings, parents, ring, met, cut = [0], [0], [0], nodes, False
    for hop, limit in enumerate(limits, 1):
        peers, reached_from = _peers(graph, nodes, ring, value)
        met = np.union1d(met, peers)
        room = max(limit - nodes.size, 0)
        if peers.size > room:
            cut = True
            if random is None:
                break
            kept = np.sort(random.choice(peers.size, room, replace=False))
            peers, reached_from = peers[kept], reached_from[kept]
        ring = list(range(nodes.size, nodes.size + peers.size))
        nodes = np.concatenate([nodes, peers])
        rings += [hop] * len(ring)
        parents += [int(place) for place in reached_from]
    return Surroundings(nodes, rings, parents, met.size - 1, cut)


def _peers(graph: Graph, nodes: U32, ring: list[int], value: int | None) -> tuple[U32, Any]:
    """New peers of the nodes of a ring, ascending, and the place of the first that has each."""
    pieces, places = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    for place in ring:
        for side in SIDES:
            ends = np.unique(graph._rows.row(side, int(nodes[place]), value)[:, 0])
            ends = ends[~np.isin(ends, nodes)]
            pieces.append(ends)
            places.append(np.full(ends.size, place))
    peers, first = np.unique(np.concatenate(pieces), return_index=True)
    return peers, np.concatenate(places)[first]


def arrows_among(graph: Graph, around: Surroundings, value: int | None) -> list[Arrow]:
    """Count the edges among the nodes by source, target and type; those of the tree come first."""
    nodes = around.nodes
    order = np.argsort(nodes)
    type_names = {table.hash: table.name for table in graph._edges.tables.values()}
    found: Counter[tuple[int, int, str]] = Counter()
    for place, node in enumerate(nodes.tolist()):
        entries = graph._rows.row("out", node, value)
        inside: Bool = np.isin(entries[:, 0], nodes)
        entries = entries[inside]
        ends = order[np.searchsorted(nodes, entries[:, 0], sorter=order)]
        pairs = np.empty(ends.size, [("target", "i8"), ("type", "u8")])
        pairs["target"], pairs["type"] = ends, graph._edges.types(entries[:, 1])
        for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
            found[place, int(pair["target"]), type_names[int(pair["type"])]] = int(count)
    arrows = [Arrow(*key, count) for key, count in found.items()]

    def beyond(arrow: Arrow) -> bool:
        source, target = arrow.source, arrow.target
        return target != around.parents[source] and source != around.parents[target]

    return sorted(arrows, key=lambda arrow: (beyond(arrow), arrow))


def names_of(graph: Graph, nodes: U32) -> list[str]:
    """Titles, or external ids where there is none, cut short."""
    pairs = zip(graph.titles(nodes).tolist(), graph.ids(nodes).tolist(), strict=True)
    return [name(title or given, NAME) for title, given in pairs]


# -- where it stands --------------------------------------------------------------------------


def places(around: Surroundings, arrows: list[Arrow], kinds: list[str]) -> F64:
    """Give each node its place, (n, 2): rings around the first, each node beyond its parent.

    A node's share of the circle goes by how many leaves are beyond it; peers of one parent stand
    by the type of the edge between, then by their own type.
    """
    count = around.nodes.size
    between: dict[tuple[int, int], str] = {}
    for arrow in arrows:
        between.setdefault((arrow.source, arrow.target), f"0{arrow.type}")
        between.setdefault((arrow.target, arrow.source), f"1{arrow.type}")
    children: list[list[int]] = [[] for _ in range(count)]
    for node in range(1, count):
        children[around.parents[node]].append(node)
    leaves = [1] * count
    for node in range(count - 1, -1, -1):  # parents come before their children
        if children[node]:
            leaves[node] = sum(leaves[child] for child in children[node])
    starts, points = [math.pi / 2] * count, np.zeros((count, 2))
    for node in range(count):
        at = starts[node]
        for child in sorted(
            children[node], key=lambda c: (between.get((node, c), ""), kinds[c], c)
        ):
            starts[child] = at
            at += 2 * math.pi * leaves[child] / leaves[0]
        if node:
            angle = starts[node] + math.pi * leaves[node] / leaves[0]
            points[node] = _radius(around.rings[node]) * np.array(
                [math.cos(angle), math.sin(angle)]
            )
    return points


def _radius(ring: int) -> float:
    """The first ring has most to name, and is larger than the steps beyond."""
    return 1 + 0.9 * (ring - 1)


# -- drawing ----------------------------------------------------------------------------------


def _draw(
    ax: "Axes",
    around: Surroundings,
    arrows: list[Arrow],
    kinds: list[str],
    titles: list[str],
    points: F64,
) -> None:
    colours = _assign([arrow.type for arrow in arrows for _ in range(arrow.edges)], COLOURS, GREY)
    shapes = _assign(kinds, MARKERS, ".")
    count = around.nodes.size
    size = 90.0 if count <= 60 else 36.0
    for arrow, bend in zip(arrows, _bends(arrows), strict=True):
        patch = _patch(arrow, bend, points, colours[arrow.type], size, max(around.rings))
        source, target = around.nodes[[arrow.source, arrow.target]].tolist()
        patch.set_gid(f"{source} -> {target}: {arrow.type}")
        ax.add_patch(patch)
    for kind in shapes:
        at = [place for place in range(count) if kinds[place] == kind]
        face = ["black" if place == 0 else "white" for place in at]
        ax.scatter(
            points[at, 0], points[at, 1], s=size, marker=shapes[kind], c=face,
            edgecolors="black", linewidths=1, zorder=3,
        )  # fmt: skip
    named = count <= NAMED
    if named:
        _write_names(ax, around, titles, points, size)
    _legend(ax, colours, shapes)
    # Room for names: in inches, so many letters of so many points.
    letters = max(map(len, titles[1:]), default=0) if named else 0
    ring = _radius(max(around.rings) or 1)
    pad = 0.25 + 0.075 * letters
    reach = ring * (1 + pad / (INCHES / 2 - 0.3 - pad))
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set_anchor("W")  # the legend is on the right
    ax.set_axis_off()


def _assign(found: list[str], given: tuple[str, ...], rest: str) -> dict[str, str]:
    """Give the most frequent of what was found one each, and the others the rest."""
    counts = Counter(found)
    names = sorted(counts, key=lambda one: (-counts[one], one))
    return {one: given[at] if at < len(given) else rest for at, one in enumerate(names)}


def _bends(arrows: list[Arrow]) -> list[float]:
    """How far each arrow bends, so that those between the same two nodes lie apart."""

    def ends(at: int) -> tuple[int, int]:
        arrow = arrows[at]
        return min(arrow.source, arrow.target), max(arrow.source, arrow.target)

    bends = [0.0] * len(arrows)
    for _, group in groupby(sorted(range(len(arrows)), key=ends), key=ends):
        same = list(group)
        step = min(0.24, 0.6 / max(len(same) - 1, 1))
        for number, at in enumerate(same):
            turned = 1 if arrows[at].source <= arrows[at].target else -1
            bends[at] = step * turned * (number - (len(same) - 1) / 2)
    return bends


def _patch(arrow: Arrow, bend: float, points: F64, colour: str, size: float, rings: int) -> Any:
    from matplotlib.patches import Circle, FancyArrowPatch

    width = min(1.1 + 0.5 * math.log2(arrow.edges), 5)
    start, stop = points[arrow.source], points[arrow.target]
    if arrow.source == arrow.target:
        radius = 0.045 * max(rings, 1)
        length = float(np.hypot(*start))
        inward = np.array([0.0, -1.0]) if not length else -start / length
        centre = start + 1.3 * radius * inward + abs(bend) * radius * inward
        return Circle(
            (centre[0], centre[1]), radius, fill=False, edgecolor=colour, linewidth=width, zorder=2
        )
    shrink = math.sqrt(size) / 2 + 1
    return FancyArrowPatch(
        (start[0], start[1]), (stop[0], stop[1]), arrowstyle="-|>", mutation_scale=8,
        shrinkA=shrink, shrinkB=shrink, connectionstyle=f"arc3,rad={bend:.3f}",
        color=colour, linewidth=width, alpha=0.75, zorder=1,
    )  # fmt: skip


def _write_names(
    ax: "Axes", around: Surroundings, titles: list[str], points: F64, size: float
) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    away = math.sqrt(size) / 2 + 3
    font = 8 if around.nodes.size <= 60 else 6
    for place, title in enumerate(titles):
        x, y = points[place]
        if place == 0:
            written = ax.annotate(
                title, (x, y), (0, -away), textcoords="offset points", ha="center", va="top",
                fontsize=font + 1, fontweight="bold", zorder=5, path_effects=halo,
            )  # fmt: skip
            written.set_in_layout(False)
            continue
        angle = math.atan2(y, x)
        left = math.cos(angle) < -1e-9
        written = ax.annotate(
            title, (x, y), (away * math.cos(angle), away * math.sin(angle)),
            textcoords="offset points", ha="right" if left else "left", va="center",
            rotation=math.degrees(angle) - (180 if left else 0), rotation_mode="anchor",
            fontsize=font, zorder=4, path_effects=halo,
        )  # fmt: skip
        written.set_in_layout(False)  # it has room within the limits


def _legend(ax: "Axes", colours: dict[str, str], shapes: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, linewidth=2, label=name(one))
        for one, colour in list(colours.items())[: len(COLOURS)]
    ]
    more = len(colours) - len(COLOURS)
    if more > 0:
        label = several(more, "other type")
        handles.append(Line2D([], [], color=GREY, linewidth=2, label=label))
    handles += [
        Line2D([], [], color="black", markerfacecolor="white", marker=shape, linewidth=0,
               label=name(one))
        for one, shape in list(shapes.items())[: len(MARKERS)]
    ]  # fmt: skip
    more = len(shapes) - len(MARKERS)
    if more > 0:
        label = several(more, "other node type")
        handles.append(Line2D([], [], color="black", marker=".", linewidth=0, label=label))
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False
    )
