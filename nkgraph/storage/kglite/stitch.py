"""Stitched rows in files: for graphs of several segments whose rows should not lie on the heap.

    FOLDER/<path of the graph, hashed>/<generation>-<checksum of nkgraph.json>/
        out_offsets.bin  out_edges.bin  in_offsets.bin  in_edges.bin    as in one segment
        out.json  in.json      sizes and CRC-32 of the two; written last

A cache belongs to one published generation and is never changed. What is missing, damaged or of
another size is stitched anew. When a generation is cached, those before it are removed.
"""

import contextlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nkgraph import threads
from nkgraph.dtypes import I64, U32
from nkgraph.errors import GraphError
from nkgraph.storage import checks, files
from nkgraph.storage.kglite import extras
from nkgraph.storage.kglite.names import fnv1a

Rows = tuple[I64, U32]
Allocate = Callable[[str, int, np.dtype], np.ndarray]
NAMES = {"offsets": "offsets", "entries": "edges"}


class RowCache:
    """Where the stitched rows of one generation are kept.

    Parameters
    ----------
    directory : Path
        The generation.
    folder : Path, optional
        Asked for by the user: every stitch goes there. Without it only rows that would take
        more than half of the memory do, to a folder that is this user's alone: of the
        environment variable ``NKGRAPH_CACHE_DIR``, or of temporary files.
    """

    def __init__(self, directory: Path, folder: Path | None) -> None:
        self._directory = directory
        self._folder = folder

    def wanted(self, nodes: int, edges: int) -> bool:
        """Whether rows of this size go to files."""
        return self._folder is not None or 8 * (nodes + 1 + edges) > physical_memory() // 2

    @property
    def path(self) -> Path:
        """The folder of this generation."""
        folder = self._folder or default_folder()
        root = fnv1a(str(self._directory.parent.parent.resolve()))
        data = (self._directory / extras.NAME).read_bytes()
        return folder / f"{root:016x}" / f"{self._directory.name}-{files.checksum([data]):08x}"

    def read(self, side: str, nodes: int, edges: int, edge_ids: int) -> Rows | None:
        """Map the rows of a side; None where they are not there, or not as they were written."""
        stated = self._stated(side)
        paths = {name: self.path / f"{side}_{part}.bin" for name, part in NAMES.items()}
        if stated is None or not all(path.is_file() for path in paths.values()):
            return None
        expected = {"offsets": 8 * (nodes + 1), "entries": 8 * edges}
        if any(path.stat().st_size != expected[name] for name, path in paths.items()):
            return None
        offsets: I64 = files.map_array(paths["offsets"], np.dtype("<i8"))
        flat: U32 = files.map_array(paths["entries"], np.dtype("<u4"))
        sums = threads.run([lambda: files.checksum([offsets]), lambda: files.checksum([flat])])
        if stated != {"offsets": sums[0], "entries": sums[1]}:
            return None
        entries = flat.reshape(-1, 2)
        whole = (
            checks.first_bad_offset(offsets, edges) < 0
            and int(offsets[-1]) == edges
            and checks.first_not_below(entries, nodes, 0) < 0
            and checks.first_not_below(entries, edge_ids, 1) < 0
        )
        return (offsets, entries) if whole else None

    def _stated(self, side: str) -> object:
        try:
            return json.loads((self.path / f"{side}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    @contextlib.contextmanager
    def write(self, side: str) -> Iterator[Allocate]:
        """Give what makes the arrays of a side on maps; keep the files when all went well."""
        path = self.path
        path.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".tmp_", dir=path.parent))
        maps: dict[str, mmap.mmap] = {}

        def allocate(name: str, size: int, dtype: np.dtype) -> np.ndarray:
            if not size:
                (beside / name).touch()
                return np.zeros(0, dtype)
            maps[name] = map_new(beside / name, size * dtype.itemsize)
            return np.frombuffer(maps[name], dtype, size)

        try:
            yield allocate
            sums = dict.fromkeys(NAMES, 0)
            for name, view in maps.items():
                view.flush()
                sums[name] = files.checksum([np.frombuffer(view, np.uint8)])
            for name, part in NAMES.items():
                (beside / name).replace(path / f"{side}_{part}.bin")
            files.write_atomic(path / f"{side}.json", [json.dumps(sums).encode()])
            self._remove_older(path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _remove_older(self, path: Path) -> None:
        for other in path.parent.iterdir():
            if other != path and other.name < path.name and not other.name.startswith("."):
                shutil.rmtree(other, ignore_errors=True)


def map_new(path: Path, size: int) -> mmap.mmap:
    """Make a file of ``size`` bytes and map it for writing; the space is taken at once.

    A map of a file with holes would end the process when the disk is full.
    """
    with path.open("w+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            for at in range(0, size, 1 << 22):
                file.write(bytes(min(1 << 22, size - at)))
            file.flush()
        return mmap.mmap(file.fileno(), size)


def default_folder() -> Path:
    """The folder for caches nobody asked for; made if it is not there, for this user alone."""
    stated = os.environ.get("NKGRAPH_CACHE_DIR")
    if stated:
        return Path(stated)
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"nkgraph-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.lstat().st_uid != user:
        raise GraphError(f"{folder} belongs to another user: set NKGRAPH_CACHE_DIR to a folder")
    return folder


def physical_memory() -> int:
    """Bytes of memory of the machine; a huge number where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 62
