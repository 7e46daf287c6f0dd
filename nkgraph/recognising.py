"""What a file or folder holds, by its content: for ``convert``, and for errors of ``open``.

    content                                   is                which is read by
    CURRENT naming gen_<20 digits>            nkgraph, kglite   nkgraph.open
    disk_graph_meta.json                      kglite            nkgraph.open
    catalog.tlv                               sparrowdb         nkgraph.open
    RDST at byte 0                            reddb             nkgraph.open
    PAR1 at byte 0; a folder of such          parquet           nkgraph.import_parquet
    a header with :ID or :START_ID; a folder  csv               nkgraph.import_csv
    PREFIX.v beside PREFIX.e                  graphalytics      nkgraph.import_graphalytics
    %%MatrixMarket                            matrix-market     nkgraph.import_matrix_market
    a first line <IRI> <IRI> ...              ntriples          nkgraph.import_ntriples
    XML with a graphml element                graphml           nkgraph.import_graphml
    three columns between tabs, no numbers    triples           nkgraph.import_triples
    a first line of two integers, or more     edges             nkgraph.import_edges

Text may be gzip or zstd. What is none of these is nothing that is known: there is no last resort.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from nkgraph.errors import FormatError, LimitError
from nkgraph.storage import generations
from nkgraph.storage.kglite.metadata import META
from nkgraph.storage.sparrowdb import catalog

READERS: Final = {
    "parquet": "import_parquet",
    "csv": "import_csv",
    "graphalytics": "import_graphalytics",
    "matrix-market": "import_matrix_market",
    "ntriples": "import_ntriples",
    "graphml": "import_graphml",
    "triples": "import_triples",
    "edges": "import_edges",
}
"""What reads each format that is no graph directory."""
LOOKED_FOR: Final = (
    f"{generations.CURRENT} (native, kglite 0.13), {META} (kglite) or {catalog.NAME} (SparrowDB)"
)
_PEEK: Final = 1 << 16
_TABLES: Final = (".csv", ".tsv")
_TRIPLE: Final = re.compile(r'\s*(<[^<>"\s]+>|_:[^\s<]+)\s*<[^<>"\s]+>\s*(<|_:|")')
_INTEGERS: Final = re.compile(r"\s*-?\d+\s*[\s,;|]\s*-?\d+\s*([\s,;|].*)?")


def recognise(path: Path) -> str | None:
    """Return the format of a file, folder or prefix of files; None if it is none that is known."""
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        return "graphalytics" if _has_graphalytics(path) else None
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"RDST"):
        return "reddb"
    if start.startswith(b"PAR1"):
        return "parquet"
    return _of_text(path)


def _of_folder(path: Path) -> str | None:
    if (path / generations.CURRENT).is_file():
        content = (path / generations.CURRENT).read_bytes()[:64]
        return "native" if content.startswith(b"gen_") else None
    if (path / META).is_file():
        return "kglite"
    if (path / catalog.NAME).is_file():
        return "sparrowdb"
    for name in sorted(child.name for child in path.iterdir()):
        plain = name.removesuffix(".gz").removesuffix(".zst")
        if plain.endswith(_TABLES):
            return "csv"
        if name.endswith(".parquet") and recognise(path / name) == "parquet":
            return "parquet"
    return None


def _has_graphalytics(prefix: Path) -> bool:
    return all(
        any(Path(f"{prefix}{ending}{packed}").is_file() for packed in ("", ".gz", ".zst"))
        for ending in (".v", ".e")
    )


def _of_text(path: Path) -> str | None:
    from nkgraph.storage.textfile import read_blocks

    try:
        block = next(iter(read_blocks(path, _PEEK)), None)
    except (FormatError, LimitError):
        return None
    if block is None or (block == 0).any():
        return None
    text = block[:_PEEK].tobytes().decode("utf-8", "replace")
    if text[:14].lower() == "%%matrixmarket":
        return "matrix-market"
    if text.lstrip().startswith("<") and re.search(r"<(\w+:)?graphml[\s>]", text):
        return "graphml"
    return _of_lines(text.splitlines())


def _of_lines(lines: Iterable[str]) -> str | None:
    from nkgraph.ingest_tables import looks_typed

    data = (line for line in lines if line.strip() and not line.startswith(("#", "%")))
    line = next(data, "")
    if _TRIPLE.match(line):
        return "ntriples"
    if looks_typed(line):
        return "csv"
    fields = line.split("\t")
    if len(fields) == 3 and not fields[0].lstrip("-").isdecimal():
        return "triples"
    return "edges" if _INTEGERS.fullmatch(line) else None


# -- errors of open ---------------------------------------------------------------------------


def unknown_directory(root: Path, is_node_store: bool) -> FormatError:
    """Return the error for a folder that is no graph: what was looked for, what there is."""
    names = sorted(child.name for child in root.iterdir())
    found = ", ".join(names[:5]) or "an empty directory"
    if len(names) > 5:
        found += f" and {len(names) - 5} more"
    remedy = None
    if is_node_store:
        remedy = "nkgraph.storage.sparrowdb.NodeStore opens nodes without a catalog"
    elif (root / generations.FOLDER).is_dir():
        remedy = (
            f"{generations.CURRENT} is missing: write into it the name of the newest generation"
        )
    elif any(re.fullmatch(r"seg_\d+", name) for name in names):
        remedy = f"segments of kglite without {META} cannot be read: copy the whole directory"
    else:
        remedy = _import_remedy(recognise(root))
        if remedy is None:
            remedy = _inner_remedy(root, names)
    return FormatError(root, "format", None, LOOKED_FOR, found, remedy)


def _inner_remedy(root: Path, names: list[str]) -> str | None:
    """Point to a graph, or a file that can be imported, within a folder of a few things."""
    for name in names[:20]:
        kind = recognise(root / name)
        if kind in READERS:
            return f"{name} is {kind}: nkgraph.{READERS[kind]} reads it"
        if kind is not None:
            return f"{name} is {kind}: open that"
    return None


def unknown_file(path: Path) -> FormatError:
    """Return the error for a file that is no graph."""
    kind, start = recognise(path), _start(path)
    found = kind if kind in READERS else f"a file that begins with {start!r}"
    expected = f"a RedDB dump, which begins with RDST, or a graph directory with {LOOKED_FOR}"
    return FormatError(path, "format", None, expected, found, _import_remedy(kind))


def unknown_source(path: Path, known: Iterable[str]) -> FormatError:
    """Return the error for what ``convert`` does not recognise."""
    if path.is_dir():
        is_node_store = any(child.name.isdecimal() for child in path.glob("nodes/*"))
        return unknown_directory(path, is_node_store)
    expected = "the content of a graph: " + ", ".join(known)
    found = f"a file that begins with {_start(path)!r}"
    remedy = "say what it is with source_format= (--from)"
    return FormatError(path, "format", None, expected, found, remedy)


def _start(path: Path) -> bytes:
    if not path.is_file():  # reading could wait for ever
        raise FormatError(path, "file", None, "a regular file or a directory", "a pipe or device")
    with path.open("rb") as file:
        return file.read(8)


def _import_remedy(kind: str | None) -> str | None:
    if kind is None or kind not in READERS:
        return None
    return f"nkgraph.{READERS[kind]} reads {kind}"
