"""What graphs, rows and tables look like: at a prompt as text, in a notebook as HTML.

One screen at most, and no cost that grows with the graph: counts are those that are known without
a look at the arrays, and of arrays a few elements are read. No kernel is called, nothing is
stitched or built. Text of the user's (names, values, paths) is cut short, and what a terminal
would act upon is escaped; in HTML all of it is.
"""

import reprlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nkgraph.errors import NkgraphError
from nkgraph.storage import columns, files
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.values import decode

if TYPE_CHECKING:
    from nkgraph.csr import CSR
    from nkgraph.reading import GraphReader
    from nkgraph.table import Column, Table

WIDTH = 100
"""Columns of a line of text, at most."""
TYPES = 18
"""Lines of a graph that name types, at most."""
ROWS, COLUMNS, CELL = 10, 12, 24
"""Rows and columns of a table, and letters of a cell."""
VALUES = (10, 6, 4, 2)
"""Values of a column on one line: the most that fit."""
PEERS = 8
"""Targets of a row."""
COUNTED = 1 << 24
"""Rows of which absent values are counted; of more it is only said that there are some."""
ABSENT = "<NA>"
LEFT_OUT = "…"
_NUMBERS = ("int64", "float64", "uint32")
_DTYPES = {"uniqueid": "uint32", "date": "datetime64[D]", "timestamp": "datetime64[s]"}
"""How kinds of columns are called to the user, where he does not call them so himself."""
_short = reprlib.Repr()
_short.maxstring = _short.maxother = CELL


# -- words ------------------------------------------------------------------------------------


def size(count: int) -> str:
    """Spell a number of bytes, as ``1.5 MB``."""
    if count < 1000:
        return f"{count} bytes"
    value = float(count)
    for unit in ("KB", "MB", "GB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def several(count: int, what: str) -> str:
    """Spell a number of things, as ``1 segment`` or ``1,234 nodes``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def shorten(text: str, width: int) -> str:
    """Cut a text to some letters, on one line and without what a terminal would act upon."""
    if len(text) > 4 * width:
        text = text[: 4 * width] + LEFT_OUT
    if not text.isprintable():
        letters = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        text = "".join(letters)
    return text if len(text) <= width else text[: width - 1] + LEFT_OUT


def _columns_of(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian letters two, combining ones none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _padded(text: str, width: int, right: bool) -> str:
    blank = " " * (width - _columns_of(text))
    return blank + text if right else text + blank


@dataclass
class Grid:
    """Cells under heads, as text or HTML.

    ``heads`` are lines of cells too; each line has a cell for each of ``right``, which says
    where numbers stand. ``notes`` follow.
    """

    title: str
    heads: list[list[str]]
    rows: list[list[str]]
    right: list[bool]
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Lay it out for a terminal."""
        lines = [*self.heads, *self.rows]
        widths = [max(map(_columns_of, cells)) for cells in zip(*lines, strict=True)]
        laid = ["  ".join(map(_padded, line, widths, self.right)) for line in lines if any(line)]
        return "\n".join([self.title, *(f"  {line}".rstrip() for line in laid), *self.notes])

    def html(self) -> str:
        """Lay it out for a notebook."""
        head = "".join(_html_row(line, "th", self.right) for line in self.heads if any(line))
        body = "".join(_html_row(line, "td", self.right) for line in self.rows)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
        return f"<div><p>{escape(self.title)}</p>{table}{notes}</div>"


def _html_row(line: Sequence[str], tag: str, right: Sequence[bool]) -> str:
    cells = "".join(
        f'<{tag} style="text-align:{"right" if at_right else "left"}">{escape(cell)}</{tag}>'
        for cell, at_right in zip(line, right, strict=True)
    )
    return f"<tr>{cells}</tr>"


def shown_rows(count: int, limit: int) -> list[int | None]:
    """Choose rows to show, the first and the last of many; None where others are left out."""
    if count <= limit:
        return list(range(count))
    half = limit // 2
    return [*range(half), None, *range(count - half, count)]


# -- graphs -----------------------------------------------------------------------------------


def by_count(counts: Mapping[str, int]) -> list[str]:
    """Order names by their counts, the largest first."""
    return sorted(counts, key=lambda name: (-counts[name], name))


def type_lines(
    counts: Mapping[str, int],
    limit: int,
    notes: Mapping[str, Sequence[str]] | None = None,
    where: str = "",
) -> list[str]:
    """Give a line for each of the most frequent types: name, count, and what there is to note.

    ``where`` says where the others are.
    """
    names = by_count(counts)
    if len(names) > limit:
        names = names[: limit - 1]
    shown = [shorten(name, 60) for name in names]
    width = max(map(_columns_of, shown), default=0)
    digits = 12 if notes else max((len(f"{count:,}") for count in counts.values()), default=0)
    lines = []
    for name, text in zip(names, shown, strict=True):
        held = ", ".join((notes or {}).get(name, ()))
        lines.append(f"  {_padded(text, width, False)}  {counts[name]:>{digits},}  {held}".rstrip())
    if len(names) < len(counts):
        lines.append(f"  {LEFT_OUT} and {len(counts) - len(names):,} more{where}")
    return lines


def graph_text(graph: "GraphReader") -> str:
    """Say where a graph is and what is in it."""
    lines = [_graph_title(graph)]
    if not graph._closed:
        counts = _counts(graph)
        if isinstance(counts, str):
            return f"{lines[0]}\n{shorten(counts, 2 * WIDTH)}"
        limits = _limits(len(counts[0]), len(counts[1]))
        for what, types, limit in zip(("node", "edge"), counts, limits, strict=True):
            lines += [_sum_line(what, types), *type_lines(types, limit)]
    return "\n".join(lines)


def graph_html(graph: "GraphReader") -> str:
    """Say the same in HTML, the two lists of types side by side."""
    title = f"<p>{escape(_graph_title(graph))}</p>"
    if graph._closed:
        return f"<div>{title}</div>"
    counts = _counts(graph)
    if isinstance(counts, str):
        return f"<div>{title}<p>{escape(shorten(counts, 2 * WIDTH))}</p></div>"
    tables = []
    for what, types in zip(("node", "edge"), counts, strict=True):
        names = by_count(types)
        kept = names if len(names) <= TYPES else names[: TYPES - 1]
        rows = [[shorten(name, 60), f"{types[name]:,}"] for name in kept]
        if len(kept) < len(names):
            left = sum(types[name] for name in names[len(kept) :])
            rows.append([f"{LEFT_OUT} and {len(names) - len(kept):,} more", f"{left:,}"])
        heads = [["node type" if what == "node" else "connection type", f"{what}s"]]
        tables.append(Grid(_sum_line(what, types), heads, rows, [False, True]).html())
    both = f'<div style="display:flex;gap:2em;align-items:flex-start">{"".join(tables)}</div>'
    return f"<div>{title}{both}</div>"


def _sum_line(what: str, types: Mapping[str, int]) -> str:
    return f"{several(sum(types.values()), what)} of {several(len(types), 'type')}"


def _limits(nodes: int, connections: int) -> tuple[int, int]:
    """Share the lines out: each list may take what the other does not need."""
    half = TYPES // 2
    return max(half, TYPES - connections), max(half, TYPES - nodes)


def _graph_title(graph: "GraphReader") -> str:
    root = graph._root
    said = []
    if root is not None:
        said.append(graph.format)
    if graph._closed:
        said.append("closed")
    elif root is not None:
        said.append(f"mode {graph._mode}")
        if graph._opened is None:
            said.append("in memory")
        else:
            path = graph._opened.stored.path
            said.append(several(graph.segment_count, "segment"))
            said.append(f"{size(files.mapped_bytes(path))} mapped")
    if root is None:
        return "Graph in memory" + (f" ({said[0]})" if said else "")
    rest = f" ({', '.join(said)})"
    return f"Graph {_path(root, WIDTH - 6 - len(rest))}{rest}"


def _path(path: Path, width: int) -> str:
    """Cut a path at its start: the end says which it is."""
    text = shorten(str(path), 1 << 12)
    return text if len(text) <= width else LEFT_OUT + text[1 - width :]


def _counts(graph: "GraphReader") -> tuple[dict[str, int], dict[str, int]] | str:
    """Live nodes and edges by type; a sentence where they cannot be had without counting."""
    stored = None if graph._opened is None else graph._opened.stored
    if stored is not None and stored.native is None and not _is_counted(graph):
        stated = ""
        if stored.format == "kglite":  # believed of native directories alone
            meta = stored.meta
            nodes, edges = several(meta.node_count, "node"), several(meta.edge_count, "edge")
            stated = f"{nodes} and {edges}, as its files state; "
        return f"{stated}nodes and edges are counted on first use"
    try:
        return graph.node_types, graph.connection_types
    except (NkgraphError, OSError) as error:
        return f"its counts cannot be read: {error}"


def _is_counted(graph: "GraphReader") -> bool:
    """Whether types were counted already."""
    return graph._attached and graph._nodes_table.counted and graph._edges_table.counted


# -- rows -------------------------------------------------------------------------------------


def csr_grid(csr: "CSR") -> Grid:
    """Show the first and last rows, and a few targets of each."""
    taken, weighted = csr.offsets.nbytes + csr.targets.nbytes + csr.edges.nbytes, ""
    if csr.weights is not None:
        taken, weighted = taken + csr.weights.nbytes, f", weights {csr.weights.dtype}"
    counts = f"{several(csr.node_count, 'node')}, {several(csr.edge_count, 'edge')}"
    title = f"CSR({counts}{weighted}, {size(taken)})"
    rows = []
    for node in shown_rows(csr.node_count, ROWS):
        if node is None:
            rows.append([LEFT_OUT] * 3)
            continue
        start, stop = int(csr.offsets[node]), int(csr.offsets[node + 1])
        peers = " ".join(map(str, csr.targets[start : min(stop, start + PEERS)].tolist()))
        more = f" {LEFT_OUT}" if stop - start > PEERS else ""
        rows.append([str(node), f"{stop - start:,}", peers + more])
    heads = [["node", "degree", "targets"]] if rows else []
    return Grid(title, heads, rows, [True, True, False])


# -- columns and tables -----------------------------------------------------------------------


def dtype_of(column: AnyColumn) -> str:
    """Say what values a column holds, as NumPy would; "text", or "mixed" for several kinds."""
    return _DTYPES.get(column.kind, column.kind)


def absent_of(column: AnyColumn) -> str:
    """Say how many values are absent; nothing if none is."""
    if len(column) > COUNTED:
        some = not isinstance(column, columns.MixedColumn) and column.valid is None
        return "" if some else "some absent"
    valid = column.valid
    count = 0 if valid is None else len(column) - int(np.count_nonzero(valid))
    return f"{count:,} absent" if count else ""


def cells(column: AnyColumn, rows: Sequence[int], quoted: bool = False) -> list[str]:
    """Spell a few values; texts in quotes if asked for, as they always are among other kinds."""
    return [shorten(_cell(column, row, quoted), CELL) for row in rows]


def _cell(column: AnyColumn, row: int, quoted: bool) -> str:
    if isinstance(column, columns.MixedColumn):
        return _mixed_cell(column, row)
    if column.valid is not None and not column.valid[row]:
        return ABSENT
    if isinstance(column, TextColumn):
        start, stop = int(column.text.offsets[row]), int(column.text.offsets[row + 1])
        kept = min(stop, start + 4 * CELL + 4)  # of a letter at the end may remain a part
        text = column.text.data[start:kept].tobytes().decode(errors="replace")
        return repr(text) if quoted else text
    return _number(column, row)


def _number(column: FixedColumn, row: int) -> str:
    value = column.data[row]
    if column.kind in ("date", "timestamp"):
        return str(value.astype(dtype_of(column)))
    if column.kind != "float64":
        return str(value)
    text = repr(float(value))
    return text if len(text) <= CELL // 2 else f"{float(value):.6g}"


def _mixed_cell(column: columns.MixedColumn, row: int) -> str:
    held = column.values
    try:
        value = decode(int(held.tags[row]), int(held.words[row]), held.heap)
    except NkgraphError:  # bytes of a text that are none; reading the values says which
        return "<damaged>"
    return ABSENT if value is None else _short.repr(value)


def column_text(column: "Column") -> str:
    """Say what a column holds, and its first and last values, on one line."""
    held = column.stored
    line = title = _column_title(held)
    for limit in VALUES if len(held) else ():
        rows = shown_rows(len(held), limit)
        spelled = iter(cells(held, [row for row in rows if row is not None], quoted=True))
        values = ", ".join(LEFT_OUT if row is None else next(spelled) for row in rows)
        line = f"{title}: {values}"
        if len(line) <= WIDTH:
            break
    return line


def column_html(column: "Column") -> str:
    """Show the first and last values under each other."""
    held, rows = column.stored, shown_rows(len(column), ROWS)
    spelled = iter(cells(held, [row for row in rows if row is not None]))
    lines = [[LEFT_OUT] * 2 if row is None else [str(row), next(spelled)] for row in rows]
    right = dtype_of(held) in _NUMBERS
    heads = [["row", dtype_of(held)]]
    return Grid(_column_title(held), heads, lines, [True, right]).html()


def _column_title(held: AnyColumn) -> str:
    absent = absent_of(held)
    return f"Column of {len(held):,} {dtype_of(held)}" + (f", {absent}" if absent else "")


def table_grid(table: "Table", width: int | None) -> Grid:
    """Show the first and last rows of as many columns as fit ``width``, or of ``COLUMNS``."""
    rows = shown_rows(len(table), ROWS)
    chosen = [row for row in rows if row is not None]
    shown = list(table.columns)[:COLUMNS]
    lines = {name: _head(name, table.columns[name].stored) for name in shown}
    for name in shown:
        spelled = iter(cells(table.columns[name].stored, chosen))
        lines[name] += [LEFT_OUT if row is None else next(spelled) for row in rows]
    ids = [".rows", "", "", *(LEFT_OUT if row is None else str(table.rows[row]) for row in rows)]
    if width is not None:
        shown = _fitting(ids, lines, width)
    laid = [list(line) for line in zip(ids, *(lines[name] for name in shown), strict=True)]
    title = f"Table of {several(len(table), 'row')}, {several(len(table.columns), 'column')}"
    right = [True, *(dtype_of(table.columns[name].stored) in _NUMBERS for name in shown)]
    grid = Grid(title, laid[:3], laid[3:], right)
    left = list(table.columns)[len(shown) :]
    if left:
        names = ", ".join(shorten(name, CELL) for name in left[:COLUMNS])
        more = f"{LEFT_OUT} and {len(left):,} more: {names}"
        grid.notes = [shorten(more, WIDTH)]
    return grid


def _head(name: str, held: AnyColumn) -> list[str]:
    return [shorten(name, CELL), dtype_of(held), absent_of(held)]


def _fitting(ids: list[str], lines: Mapping[str, list[str]], width: int) -> list[str]:
    left, fitting = width - 2 - max(map(_columns_of, ids)), []
    for name, column in lines.items():
        left -= 2 + max(map(_columns_of, column))
        if left < 0:
            break
        fitting.append(name)
    return fitting
