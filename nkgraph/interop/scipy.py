"""Sparse matrices of scipy, and rows."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nkgraph.errors import GraphError
from nkgraph.interop.arrow import require

if TYPE_CHECKING:
    from nkgraph.csr import CSR

Matrix = Any  # scipy.sparse.csr_array and its kin: the library is optional and has no types
_FORMATS: Final = ("csr", "csc", "coo")
_NARROW: Final = 2**31
"""Node ids below it, and positions below it, fit int32."""


def to_scipy(csr: "CSR", copy: bool) -> Matrix:
    """Return a ``csr_array``; see ``CSR.to_scipy``."""
    sparse = require("scipy.sparse", "scipy")
    data = np.ones(csr.edge_count) if csr.weights is None else csr.weights
    offsets: np.ndarray = csr.offsets
    if csr.node_count <= _NARROW and csr.edge_count < _NARROW:
        offsets, targets = offsets.astype(np.int32), csr.targets.view(np.int32)
    else:
        targets = csr.targets.astype(np.int64)
    matrix = sparse.csr_array((csr.node_count, csr.node_count), dtype=data.dtype)
    matrix.indptr, matrix.indices, matrix.data = (
        array.copy() if copy else _guarded(array) for array in (offsets, targets, data)
    )
    return matrix


def _guarded(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def from_scipy(matrix: Matrix) -> "CSR":
    """Return rows of a matrix; see ``CSR.from_scipy``."""
    from nkgraph.csr import CSR, check_node_count

    sparse = require("scipy.sparse", "scipy")
    if not sparse.issparse(matrix):
        raise GraphError(f"matrix: expected one of scipy.sparse, found {type(matrix).__name__}")
    if matrix.format not in _FORMATS:
        expected = "expected csr, csc or coo"
        raise GraphError(f"matrix: {expected}, found {matrix.format}: convert it with .tocoo()")
    if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1]:
        raise GraphError(f"matrix: expected a square one, found the shape {matrix.shape}")
    count = int(matrix.shape[0])
    check_node_count(count)
    if matrix.format == "coo":
        return CSR.from_edges(matrix.row, matrix.col, count, matrix.data)
    major = _repeated(matrix)
    if matrix.format == "csc":
        return CSR.from_edges(matrix.indices, major, count, matrix.data)
    return CSR.from_edges(major, matrix.indices, count, matrix.data)


def _repeated(matrix: Matrix) -> np.ndarray:
    """The row (of csc: the column) of each entry."""
    ends = np.asarray(matrix.indptr)
    counts = np.diff(ends)
    if int(ends[0]) != 0 or int(ends[-1]) != matrix.data.size or (counts < 0).any():
        raise GraphError("matrix: indptr does not lead from 0 to the end of the data, ascending")
    return np.repeat(np.arange(counts.size, dtype=np.uint32), counts)
