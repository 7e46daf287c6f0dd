"""``ROOT/strings.bin``: long byte strings and floats of all labels, columns and edge properties.

Raw bytes: no header, no separators. Words point into it; nothing in it says where a value ends.
"""

from pathlib import Path

import numpy as np

from nkgraph.arrays import read_only
from nkgraph.dtypes import U8
from nkgraph.storage.sparrowdb.node_files import BYTES, map_items

NAME = "strings.bin"
LIMIT = 1 << 40
"""A pointer has 40 bits, so that no value can start at or behind this byte."""


class Heap:
    """The heap, mapped read-only as long as it was when it was opened.

    Attributes
    ----------
    path : Path
    data : (h,) uint8
        Empty where there is no file.
    """

    def __init__(self, path: Path, data: U8) -> None:
        self.path = path
        self.data = data

    @classmethod
    def open(cls, root: Path) -> "Heap":
        """Map the heap of a database directory."""
        path = root / NAME
        found = map_items(path, BYTES)
        return cls(path, read_only(np.zeros(0, np.uint8)) if found is None else found)

    def __len__(self) -> int:
        return int(self.data.size)
