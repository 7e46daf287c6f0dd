"""Graphs to tables with headers, to Graphalytics, and to Matrix Market."""

import csv
import io
from pathlib import Path
from typing import Final

import numpy as np

from nkgraph import kernels
from nkgraph.exporting import (
    Contents,
    FileNames,
    Losses,
    Nodes,
    TextFile,
    plain_ids,
    present,
    scalars,
    title_texts,
    without,
)
from nkgraph.ingest_tables import is_mark
from nkgraph.printing import (
    Piece,
    Replacement,
    byte_set,
    holding,
    lines,
    plain_integers,
    printed,
    steps,
)
from nkgraph.storage.columns import AnyColumn, FixedColumn, TextColumn
from nkgraph.storage.text import TextArray

_WORDS: Final = {"int64": "int", "float64": "float", "bool": "boolean", "text": "string"}
_QUOTES: Final = Replacement({'"': '""'})
_SPECIAL: Final = byte_set('",|;\t\r')
_NEWLINE: Final = byte_set("\n")
_BLANKS: Final = byte_set(" \t\r\n")
_NO_SPACE: Final = "()\n\r"
_DEFAULTS: Final = ("Node", "EDGE", "weight")


# -- tables with headers ----------------------------------------------------------------------


def write_csv(contents: Contents, folder: Path, losses: Losses) -> None:
    """Write a folder of tables as ``import_csv`` reads them: ``node_*.csv`` and ``edge_*.csv``."""
    folder.mkdir()
    names = FileNames()
    contents.note_labels(losses)
    ids: dict[str, TextArray] = {}
    spaces: dict[str, str] = {}
    for number, table in enumerate(contents.nodes()):
        fits = table.name.strip() == table.name and not set(table.name) & set(_NO_SPACE)
        spaces[table.name] = table.name if fits else f"space {number}"
        ids[table.name] = _field(_id_texts(table, losses))
        path = folder / names.take("node_", table.name, ".csv")
        _write_nodes(table, ids[table.name], spaces[table.name], path, losses)
    if not ids:  # a folder without a table is nothing
        _write(folder / "node_Node.csv", ["id:ID(Node)"], [TextArray.empty()], 0, losses)
    _, rows = contents.places
    for source, target, edges in contents.edges_by_pair():
        name = names.take("edge_", edges.name, ".csv")
        heads = [f":START_ID({spaces[source]})", f":END_ID({spaces[target]})", ":TYPE"]
        _refuse_newline(edges.name, "the connection type", losses)
        kind = _field(TextArray.from_list([edges.name])).data.tobytes()
        ends = [ids[source].take(rows[edges.sources]), ids[target].take(rows[edges.targets])]
        fields = _properties(edges.properties(), f"{edges.name}.", losses, heads)
        _write(folder / name, heads, [*ends, kind, *fields], edges.sources.size, losses)


def _write_nodes(table: Nodes, ids: TextArray, space: str, path: Path, losses: Losses) -> None:
    heads, fields = [f"id:ID({space})"], [ids]
    pieces: list[Piece] = []
    if space != table.name:
        _refuse_newline(table.name, "the node type", losses)
        heads.append(":LABEL")
        pieces.append(_field(TextArray.from_list([table.name])).data.tobytes())
    if table.has_titles():
        heads.append(":TITLE")
        titles, there = title_texts(table.titles)
        held = _held(TextColumn(titles, there), f"titles of {table.name}", losses)
        pieces.append(_field(printed(held)))
    pieces += _properties(table.properties(), f"{table.name}.", losses, heads)
    _write(path, heads, [*fields, *pieces], table.nodes.size, losses)


def _properties(
    held: dict[str, AnyColumn], owner: str, losses: Losses, heads: list[str]
) -> list[TextArray]:
    """Return the fields of properties, and name them in ``heads``."""
    fields = []
    for name, given in held.items():
        column = scalars(given, owner + name, losses)
        if column is None:
            continue
        if name != name.strip() or is_mark(f"{name}:{_WORDS[column.kind]}"):
            raise losses.refuse(f"a property named {name!r}")
        _refuse_newline(name, "the property", losses)
        heads.append(f"{name}:{_WORDS[column.kind]}")
        if isinstance(column, TextColumn):
            fields.append(_field(printed(_held(column, owner + name, losses))))
        else:
            fields.append(printed(column))
    return fields


def _held(column: TextColumn, where: str, losses: Losses) -> AnyColumn:
    """Return the texts that a field can hold."""
    there = present(column)
    empty = there & (np.diff(column.text.offsets) == 0)
    losses.count(empty, where, "empty texts, which are absent in a table")
    broken = there & holding(column.text, _NEWLINE)
    losses.count(broken, where, "texts of several lines")
    return without(column, broken)


def _refuse_newline(name: str, what: str, losses: Losses) -> None:
    if "\n" in name:
        raise losses.refuse(f"{what} {name!r}, which has several lines")


def _id_texts(table: Nodes, losses: Losses) -> TextArray:
    ids = plain_ids(table, losses)
    text = printed(ids)
    if isinstance(ids, TextColumn):
        row = kernels.parse.find_no_id(text.offsets, text.data)
        broken = np.flatnonzero(holding(text, _NEWLINE))
        row = int(broken[0]) if row < 0 and broken.size else int(row)
        if row >= 0:
            shown = text.take(np.array([row])).data[:40].tobytes().decode("utf-8", "replace")
            raise losses.refuse(f"{shown!r} as an id of {table.name}")
        _note_integers(table, text, losses)
    return text


def _note_integers(table: Nodes, text: TextArray, losses: Losses) -> None:
    """Ids of a text file are integers where all of them can be."""
    if len(text) and plain_integers(text).all():
        losses.add(f"ids of {table.name}: texts that look like integers become integers")


def _field(text: TextArray) -> TextArray:
    """Quote what needs it."""
    quoted = holding(text, _SPECIAL)
    if not quoted.any():
        return text
    return lines([(b'"', quoted), _QUOTES(text), (b'"', quoted)], len(text))


def _write(path: Path, heads: list[str], fields: list[Piece], count: int, losses: Losses) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(heads)
    header = out.getvalue()
    if len(heads) > 1 and max("|,\t;", key=header.count) != ",":
        raise losses.refuse(f"names of properties that hold more of another mark: {header[:80]!r}")
    with TextFile(path, path.name) as file:
        file.write(header.encode())
        for rows in steps(count):
            pieces: list[Piece] = []
            for field in fields:
                pieces += [field.take(rows) if isinstance(field, TextArray) else field, b","]
            pieces[-1] = b"\n"
            file.write(lines(pieces, rows.size))


# -- one weight, one node type ----------------------------------------------------------------


def _one_type(contents: Contents, losses: Losses) -> list[Nodes]:
    """Return the node types, after noting what ids alone do not tell."""
    contents.note_labels(losses)
    contents.note_titles(losses)
    tables = list(contents.nodes())
    if [table.name for table in tables] not in ([], [_DEFAULTS[0]]):
        losses.add(f"node types: {', '.join(contents.node_types)}")
    for table in tables:
        for name in table.properties():
            losses.add(f"{table.name}.{name}")
    return tables


def _weights(contents: Contents, losses: Losses) -> dict[str, AnyColumn]:
    """Return the weight of each connection type, if all edges have one of one kind."""
    if contents.connection_types not in ([], [_DEFAULTS[1]]):
        losses.add(f"connection types: {', '.join(contents.connection_types)}")
    found: dict[str, AnyColumn] = {}
    for edges in contents.edges():
        for name, column in edges.properties().items():
            numbers = column.kind in ("int64", "float64") and column.valid is None
            if name == _DEFAULTS[2] and numbers:
                found[edges.name] = column
            else:
                losses.add(f"{edges.name}.{name}")
    kinds = {column.kind for column in found.values()}
    if found and (len(found) < len(contents.connection_types) or len(kinds) > 1):
        losses.add("weights, which not all edges have, or not of one kind")
        return {}
    return found


def _edge_lines(
    file: TextFile, contents: Contents, ids: TextArray, weights: dict[str, AnyColumn]
) -> None:
    for edges in contents.edges():
        weight = printed(weights[edges.name]) if edges.name in weights else None
        for rows in steps(edges.sources.size):
            pieces: list[Piece] = [ids.take(edges.sources[rows]), b" "]
            pieces += [ids.take(edges.targets[rows])]
            if weight is not None:
                pieces += [b" ", weight.take(rows)]
            file.write(lines([*pieces, b"\n"], rows.size))


def write_graphalytics(contents: Contents, folder: Path, losses: Losses, prefix: str) -> None:
    """Write ``PREFIX.v``, ``PREFIX.e`` and ``PREFIX.properties`` into a folder."""
    folder.mkdir()
    tables = _one_type(contents, losses)
    weights = _weights(contents, losses)
    ids = _unique_ids(contents, tables, losses)
    with TextFile(folder / f"{prefix}.v", f"{prefix}.v") as file:
        nodes = np.sort(np.concatenate([np.zeros(0, np.uint32), *(t.nodes for t in tables)]))
        for rows in steps(nodes.size):
            file.write(lines([ids.take(nodes[rows]), b"\n"], rows.size))
    with TextFile(folder / f"{prefix}.e", f"{prefix}.e") as file:
        _edge_lines(file, contents, ids, weights)
    counts = {"vertices": contents.graph.node_count, "edges": contents.graph.edge_count}
    stated = [f"graph.{prefix}.{key} = {value}\n" for key, value in (
        ("vertex-file", f"{prefix}.v"), ("edge-file", f"{prefix}.e"),
        ("meta.vertices", counts["vertices"]), ("meta.edges", counts["edges"]),
        ("directed", "true"),
    )]  # fmt: skip
    if weights:
        kind = "integer" if next(iter(weights.values())).kind == "int64" else "real"
        stated.append(f"graph.{prefix}.edge-properties.names = weight\n")
        stated.append(f"graph.{prefix}.edge-properties.types = {kind}\n")
    with TextFile(folder / f"{prefix}.properties", prefix) as file:
        file.write("".join(stated).encode())


def _unique_ids(contents: Contents, tables: list[Nodes], losses: Losses) -> TextArray:
    """Return the id of each node as a text, by node id."""
    texts = []
    for table in tables:
        text = _id_texts(table, losses)
        starts = holding(text, _BLANKS) | text.starts_with("#") | text.starts_with("%")
        if starts.any():
            raise losses.refuse(f"ids of {table.name} that hold blanks or begin with # or %")
        texts.append(text)
    whole = TextArray.concatenate(texts)
    if len(tables) > 1:
        from nkgraph.storage.keys import TextKeys

        if len(np.unique(TextKeys().insert(whole.offsets, whole.data))) < len(whole):
            raise losses.refuse("one id in several node types")
    places = np.full(contents.graph._nodes.slot_count, len(whole))
    nodes = np.concatenate([np.zeros(0, np.uint32), *(table.nodes for table in tables)])
    places[nodes] = np.arange(nodes.size)
    return TextArray.concatenate([whole, TextArray.empty(1)]).take(places)


def write_matrix_market(contents: Contents, path: Path, losses: Losses) -> None:
    """Write the adjacency matrix in coordinate format: entry i, j is an edge i to j."""
    tables = _one_type(contents, losses)
    weights = _weights(contents, losses)
    nodes = np.sort(np.concatenate([np.zeros(0, np.uint32), *(t.nodes for t in tables)]))
    ids = tables[0].ids if len(tables) == 1 else None
    expected = np.arange(1, nodes.size + 1)
    if nodes.size and not (
        isinstance(ids, FixedColumn) and ids.kind == "int64" and np.array_equal(ids.data, expected)
    ):
        losses.add(f"ids of nodes: they become 1 to {nodes.size:,}, in order")
    numbers = np.zeros(contents.graph._nodes.slot_count, np.int64)
    numbers[nodes] = expected
    field = "pattern"
    if weights:
        field = "integer" if next(iter(weights.values())).kind == "int64" else "real"
    elif not contents.graph.edge_count:
        field = "real"  # readers expect a field for a matrix of nothing
    with TextFile(path, path.name) as file:
        count = contents.graph.edge_count
        head = f"%%MatrixMarket matrix coordinate {field} general\n"
        file.write(f"{head}{nodes.size} {nodes.size} {count}\n".encode())
        _edge_lines(file, contents, printed(FixedColumn("int64", numbers, None)), weights)
