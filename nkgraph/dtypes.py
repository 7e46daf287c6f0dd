"""Record layouts, sentinels and array types that every layer shares."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

U8: TypeAlias = NDArray[np.uint8]
I8: TypeAlias = NDArray[np.int8]
U16: TypeAlias = NDArray[np.uint16]
U32: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = NDArray[np.uint64]
I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]
F64: TypeAlias = NDArray[np.float64]
Int: TypeAlias = int | np.int64
"""An integer of a kernel: Python's from outside, int64 within."""
Bool: TypeAlias = NDArray[np.bool_]

NO_NODE: Final = np.uint32(0xFFFFFFFF)
"""In a node id array: no node. Never a valid node id."""
TOMBSTONE: Final = np.uint32(0xFFFFFFFF)
"""In ``edge_idx``, and in both ends of an endpoint record: a removed edge."""
NO_SLOT: Final = np.int64(-1)
"""In a position array: absent."""
MAX_IDS: Final = 2**32 - 1
"""How many node ids, or edge ids, a graph can give: 0 .. 2**32 - 2."""

NODE_SLOT: Final = np.dtype([("node_type", "<u8"), ("row_id", "<u4"), ("flags", "<u4")])
"""A node: hash of its node type, row in the property store of that type, flags."""
ALIVE: Final = np.uint32(1)
"""Bit 0 of ``flags``."""
CSR_EDGE: Final = np.dtype([("peer", "<u4"), ("edge_idx", "<u4")])
"""An entry of a row: the other end and the edge id."""
ENDPOINTS: Final = np.dtype([("source", "<u4"), ("target", "<u4"), ("connection_type", "<u8")])
"""An edge: both ends and the hash of its connection type."""

TEXT: Final = np.dtypes.StringDType()
"""Text as NumPy holds it."""
