"""CSR: rows of targets, with edge ids and optional weights."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nkgraph import build
from nkgraph.arguments import integer_array, uint32_array
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, MAX_IDS, U32
from nkgraph.errors import GraphError, LimitError
from nkgraph.storage import checks

if TYPE_CHECKING:
    from nkgraph.algorithms.simple import SimpleRows


class CSR:
    """Compressed sparse rows: the targets of each node, one after another.

    Parameters
    ----------
    offsets : (n + 1,) int64
        Row u is ``targets[offsets[u]:offsets[u + 1]]``; from 0 to m, never descending.
    targets : (m,) uint32
        Each below n.
    edges : (m,) uint32
        Edge id of each entry.
    weights : (m,) numbers, optional
        All four are shared, not copied, and can only be read through the CSR. Whoever changes
        them by another name gets answers that mix the old and the new.

    Raises
    ------
    GraphError
        A wrong shape or dtype, or an offset or target out of range; the row is named.
    LimitError
        More than 2**32 - 1 nodes.

    Notes
    -----
    The arrays are kept, not copied. Checking them is O(n + m).

    Examples
    --------
    >>> from nkgraph.csr import CSR
    >>> csr = CSR.from_edges([0, 2, 0], [1, 0, 2])
    >>> csr.offsets.tolist(), csr.targets.tolist(), csr.edges.tolist()
    ([0, 2, 2, 3], [1, 2, 0], [0, 2, 1])
    """

    __slots__ = ("_ascends", "_simple", "_turned", "edges", "offsets", "targets", "weights")
    _ascends: dict[str, bool]
    _turned: tuple[I64, U32, NDArray[Any] | None] | None
    _simple: "SimpleRows"

    def __init__(
        self, offsets: I64, targets: U32, edges: U32, weights: NDArray[Any] | None = None
    ) -> None:
        expect(offsets, "offsets", np.int64)
        expect(targets, "targets", np.uint32)
        expect(edges, "edges", np.uint32, targets.size)
        if weights is not None:
            expect(weights, "weights", None, targets.size)
        if offsets.size == 0:
            raise GraphError("offsets: expected (n + 1,), found none")
        check_node_count(offsets.size - 1)
        check_rows(offsets, targets)
        self._hold(offsets, targets, edges, weights)

    def _hold(self, offsets: I64, targets: U32, edges: U32, weights: NDArray[Any] | None) -> None:
        """Keep views that cannot be written: rows against the edges and others are made of them."""
        self.offsets, self.targets = read_only(offsets), read_only(targets)
        self.edges = read_only(edges)
        self.weights = None if weights is None else read_only(weights)

    @classmethod
    def _trusted(
        cls, offsets: I64, targets: U32, edges: U32, weights: NDArray[Any] | None
    ) -> "CSR":
        """Make a CSR of arrays that were built here, without checking them again."""
        csr = cls.__new__(cls)
        csr._hold(offsets, targets, edges, weights)
        return csr

    @classmethod
    def from_edges(
        cls,
        sources: ArrayLike,
        targets: ArrayLike,
        node_count: int | None = None,
        weights: ArrayLike | None = None,
    ) -> "CSR":
        """Group an edge list by source.

        Parameters
        ----------
        sources, targets : (m,) integers
            Node ids, from 0 to 2**32 - 2. Loops and parallel edges are kept.
        node_count : int, optional
            Above every id; without it, the largest id and one.
        weights : (m,) numbers, optional
            Booleans, integers and floats keep their dtype.

        Returns
        -------
        CSR
            Edge ids are positions in the input, and ascend within each row.

        Raises
        ------
        GraphError
            Lengths differ, or an id is no integer, negative, or not below ``node_count``; the
            row is named.
        LimitError
            More than 2**32 - 1 nodes or edges.

        Notes
        -----
        O(n + m) time; 8 bytes a node and edge are allocated for the answer and 16 an edge as
        scratch, besides copies of what is not uint32.
        """
        starts = uint32_array(sources, "source")
        ends = uint32_array(targets, "target")
        if starts.size != ends.size:
            raise GraphError(f"{starts.size} sources but {ends.size} targets")
        if starts.size > MAX_IDS:
            raise LimitError(f"{starts.size} edges are more than {MAX_IDS}")
        highest = max(int(starts.max(initial=0)), int(ends.max(initial=0)))
        if node_count is None:
            node_count = highest + 1 if starts.size else 0
        check_node_count(node_count)
        if starts.size and highest >= node_count:
            raise_first_above(starts, ends, node_count)
        kept = None if weights is None else weight_array(weights, starts.size)
        offsets, row_targets, edges = build.untyped_rows(node_count, starts, ends)
        return cls._trusted(offsets, row_targets, edges, None if kept is None else kept.take(edges))

    @property
    def node_count(self) -> int:
        """How many rows."""
        return self.offsets.size - 1

    @property
    def edge_count(self) -> int:
        """How many entries."""
        return self.targets.size

    def __repr__(self) -> str:
        from nkgraph import looks

        return looks.csr_grid(self).text()

    def _repr_html_(self) -> str:
        from nkgraph import looks

        return looks.csr_grid(self).html()

    def neighbors(self, node: int) -> U32:
        """Give the targets of one node, (degree,) uint32, as a view.

        Raises
        ------
        GraphError
            ``node`` is not from 0 to ``node_count`` - 1.
        """
        if not 0 <= node < self.node_count:
            raise GraphError(f"node {node} is not below {self.node_count}")
        return self.targets[self.offsets[node] : self.offsets[node + 1]]

    def reverse(self) -> "CSR":
        """Swap the ends of each edge; edge ids are kept, and O(n + m) is allocated.

        Within a row, entries follow the order of their sources.
        """
        offsets, sources, slots = build.untyped_rows(self.node_count, self.targets, self.row_ids())
        weights = None if self.weights is None else self.weights.take(slots)
        return CSR._trusted(offsets, sources, self.edges.take(slots), weights)

    def symmetrized(self) -> "CSR":
        """Put each edge in the rows of both its ends; a loop twice in its one row.

        Both entries of an edge keep its id and weight. Within a row the outgoing edges come
        first. O(n + m) is allocated.

        Raises
        ------
        LimitError
            More than 2**32 - 1 entries would come out.
        """
        if 2 * self.edge_count > MAX_IDS:
            raise LimitError(f"{2 * self.edge_count} entries are more than {MAX_IDS}")
        sources = self.row_ids()
        rows = np.concatenate([sources, self.targets])
        peers = np.concatenate([self.targets, sources])
        offsets, row_peers, slots = build.untyped_rows(self.node_count, rows, peers)
        edges = np.concatenate([self.edges, self.edges]).take(slots)
        weights = None
        if self.weights is not None:
            weights = np.concatenate([self.weights, self.weights]).take(slots)
        return CSR._trusted(offsets, row_peers, edges, weights)

    def _against(self) -> tuple[I64, U32, NDArray[Any] | None]:
        """Offsets, sources and weights of the edges into each node; kept, as algorithms ask again.

        The rows of a symmetric CSR are their own, and take no memory.
        """
        kept = getattr(self, "_turned", None)
        if kept is None:
            offsets, sources, slots = build.untyped_rows(
                self.node_count, self.targets, self.row_ids()
            )
            weights = None if self.weights is None else self.weights.take(slots)
            kept = offsets, sources, weights
            same = np.array_equal(offsets, self.offsets) and np.array_equal(sources, self.targets)
            if same and (weights is None or np.array_equal(weights, self.weights)):  # type: ignore[arg-type]  # both have some
                kept = self.offsets, self.targets, self.weights
            self._turned = kept
        return kept

    def row_ids(self) -> U32:
        """Give the source of each entry, (m,) uint32, newly allocated."""
        nodes = np.arange(self.node_count, dtype=np.uint32)
        return np.repeat(nodes, np.diff(self.offsets))

    # -- other libraries ----------------------------------------------------------------------

    def to_scipy(self, *, copy: bool = False) -> Any:
        """Give a ``scipy.sparse.csr_array`` of the weights, or of ones (float64).

        Parameters
        ----------
        copy : bool
            Copy all arrays, so that they may be changed in place.

        Returns
        -------
        (n, n) csr_array
            Parallel edges stay apart, and add up where scipy adds; rows are not sorted by target.

        Notes
        -----
        scipy wants one signed index dtype. Up to 2**31 nodes and 2**31 - 1 edges that is int32:
        targets and weights are shared and 4 bytes a node are allocated for the offsets; beyond
        that offsets and weights are shared and the targets become int64. What is shared is
        read-only, since scipy sorts and sums in place what it is given: where it says so, copy.

        Examples
        --------
        >>> csr = CSR.from_edges([0, 0, 2], [1, 1, 0], weights=[1.5, 2.0, 3.0])
        >>> csr.to_scipy().toarray().tolist()
        [[0.0, 3.5, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]
        """
        from nkgraph.interop import scipy

        return scipy.to_scipy(self, copy)

    @classmethod
    def from_scipy(cls, matrix: object) -> "CSR":
        """Take a sparse matrix or array of scipy as weighted rows.

        Parameters
        ----------
        matrix : (n, n) csr, csc or coo matrix or array
            Entry (u, v) is an edge from u to v with that weight. Explicit zeros are edges, and
            entries that come twice are parallel edges: nothing is summed.

        Returns
        -------
        CSR
            Edge ids are the positions of the entries in ``matrix.data``. Nothing is shared.

        Raises
        ------
        GraphError
            Not square, of another form, complex, or with indices out of range.

        Examples
        --------
        >>> from scipy.sparse import coo_array
        >>> csr = CSR.from_scipy(coo_array(([5, 7], ([0, 0], [1, 1])), shape=(2, 2)))
        >>> csr.targets.tolist(), csr.weights.tolist()
        ([1, 1], [5, 7])
        """
        from nkgraph.interop import scipy

        return scipy.from_scipy(matrix)

    def to_igraph(self) -> Any:
        """Give a directed ``igraph.Graph``: edge attributes "edge" and, if any, "weight"."""
        from nkgraph.interop import igraph

        return igraph.from_csr(self)

    def to_networkit(self) -> Any:
        """Give a directed ``networkit.Graph``, weighted if this is; weights become float64.

        networkit adds up nothing: parallel edges and loops stay.
        """
        from nkgraph.interop import networkit

        return networkit.from_csr(self)


def expect(array: object, name: str, dtype: type | None, size: int | None = None) -> None:
    """Check that an argument is a one-dimensional array of a dtype and size."""
    wanted = f"({'n' if size is None else size},) {'numbers' if dtype is None else dtype.__name__}"
    if not isinstance(array, np.ndarray):
        raise GraphError(f"{name}: expected {wanted}, found {type(array).__name__}")
    fits = array.dtype.kind in "biuf" if dtype is None else array.dtype == dtype
    if array.ndim != 1 or not fits or (size is not None and array.size != size):
        raise GraphError(f"{name}: expected {wanted}, found {array.shape} {array.dtype}")


def check_node_count(node_count: int) -> None:
    """Refuse a negative number of nodes, and one that uint32 ids cannot give."""
    if node_count < 0:
        raise GraphError(f"node_count {node_count} is negative")
    if node_count > MAX_IDS:
        raise LimitError(f"{node_count} nodes are more than {MAX_IDS}")


def check_rows(offsets: I64, targets: U32) -> None:
    """Check that offsets lead from 0 to the end of the targets, and targets are nodes."""
    n, m = offsets.size - 1, targets.size
    bad = checks.first_bad_offset(offsets, m)
    if bad < 0 and offsets[0] != 0:
        bad = 0
    if bad < 0 and offsets[n] != m:
        bad = n
    if bad >= 0:
        raise GraphError(f"offsets[{bad}]: {offsets[bad]} does not lead from 0 to {m} ascending")
    bad = checks.first_not_below(targets, n)
    if bad >= 0:
        raise GraphError(f"row {bad}: target {targets[bad]} is not below {n}")


def raise_first_above(sources: U32, targets: U32, node_count: int) -> None:
    """Name the first edge whose source or target is not below ``node_count``."""
    row = int(((sources >= node_count) | (targets >= node_count)).argmax())
    end, node = ("source", sources[row])
    if node < node_count:
        end, node = ("target", targets[row])
    raise GraphError(f"row {row}: {end} {node} is not below {node_count}")


def weight_array(weights: ArrayLike, size: int) -> NDArray[Any]:
    """Give weights as a (size,) array of numbers."""
    given = np.asarray(weights)
    if given.dtype.kind == "O":
        given = integer_array(given, "weight")
    if given.size == 0 and given.ndim == 1:
        given = given.astype(np.float64) if given.dtype.kind not in "biuf" else given
    expect(given, "weights", None, size)
    return given


__all__ = ["CSR"]
