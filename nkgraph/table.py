"""What a property read returns: named columns of equal length."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nkgraph.dtypes import Bool
from nkgraph.errors import GraphError, NotFoundError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn

if TYPE_CHECKING:
    from nkgraph.interop.arrow import Mixed


class Column:
    """Values of one property, in the order of the table's rows.

    ``values`` is made on first use: integers, floats, booleans and dates without a copy where
    the file allows it, text as NumPy ``StringDType``. Where ``valid`` is False the value stands
    for nothing: zero, NaT, the empty text or None.

    Examples
    --------
    >>> import nkgraph as nk
    >>> g = nk.Graph()
    >>> nodes = g.add_nodes("Person", [1, 2], {"age": [36, None]})
    >>> age = g.read_nodes("Person")["age"]
    >>> age.values.tolist(), age.valid.tolist()
    ([36, 0], [True, False])
    """

    def __init__(self, column: AnyColumn) -> None:
        self._column = column

    @cached_property
    def _public(self) -> tuple[np.ndarray, Bool | None]:
        return columns.to_user(self._column)

    @property
    def stored(self) -> AnyColumn:
        """The column as storage holds it: what exports are made of."""
        return self._column

    @property
    def values(self) -> np.ndarray:
        """The values, (k,): int64, uint32, float64, bool, datetime64, StringDType or object."""
        return self._public[0]

    @property
    def valid(self) -> Bool | None:
        """Which rows have a value, (k,) bool; None if all have."""
        return self._public[1]

    def tolist(self) -> list[object]:
        """Return Python values, None where absent."""
        values: list[object] = self.values.tolist()
        if self.valid is None:
            return values
        return [v if ok else None for v, ok in zip(values, self.valid.tolist(), strict=True)]

    def __len__(self) -> int:
        return len(self._column)

    def __repr__(self) -> str:
        from nkgraph import looks

        return looks.column_text(self)

    def _repr_html_(self) -> str:
        from nkgraph import looks

        return looks.column_html(self)


class Table:
    """Columns by name, all of ``len(table)`` rows.

    ``rows`` are the node or edge ids that the rows belong to, (k,) uint32.
    """

    def __init__(self, table_columns: Mapping[str, Column], rows: np.ndarray) -> None:
        self.columns = dict(table_columns)
        self.rows = rows

    def __len__(self) -> int:
        return int(self.rows.size)

    def __getitem__(self, name: str) -> Column:
        try:
            return self.columns[name]
        except KeyError:
            raise NotFoundError(f"no column {name!r}; there are {list(self.columns)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def with_rows(self, name: str = "row") -> "Table":
        """Return the table with the node or edge ids as its first column, uint32.

        Raises
        ------
        GraphError
            There is a column of that name.

        Examples
        --------
        >>> import nkgraph as nk
        >>> g = nk.Graph()
        >>> nodes = g.add_nodes("Person", ["ann", "bob"], {"age": [36, 41]})
        >>> table = g.read_nodes("Person", ["id", "age"]).with_rows("node")
        >>> list(table), table["node"].values.tolist()
        (['node', 'id', 'age'], [0, 1])
        """
        if name in self.columns:
            raise GraphError(f"the table has a column {name!r} already: give the ids another name")
        ids = np.ascontiguousarray(self.rows, np.uint32)
        rows = Column(columns.FixedColumn("uniqueid", ids, None))
        return Table({name: rows, **self.columns}, self.rows)

    def to_arrow(self, mixed: "Mixed" = "error") -> Any:
        """Return a ``pyarrow.Table``; fixed-width and text columns share memory.

        Parameters
        ----------
        mixed : {"error", "json"}
            What to do with a column whose values have no Arrow type in common, such as numbers
            beside texts: raise, or give each value as JSON text (dates in ISO 8601, NaN and
            infinities as texts).

        Raises
        ------
        GraphError
            Such a column, by name; a table without columns.
        ImportError
            pyarrow is not installed; says which extra to install.

        Notes
        -----
        Integers, floats, dates, timestamps and text are not copied; absent values cost a bit a
        row; booleans are packed. Only lists, maps and mixtures pass through Python objects. The
        types: ``nkgraph.interop.arrow``.
        """
        from nkgraph.interop import arrow

        return arrow.to_arrow(self, mixed)

    def to_pandas(self, mixed: "Mixed" = "error") -> Any:
        """Return a ``pandas.DataFrame`` of Arrow-backed columns, absent values as NA.

        As ``to_arrow``, whose memory it shares.
        """
        from nkgraph.interop import arrow

        return arrow.to_pandas(self, mixed)

    def to_polars(self, mixed: "Mixed" = "error") -> Any:
        """Return a ``polars.DataFrame``; as ``to_arrow``. Polars copies text, not numbers."""
        from nkgraph.interop import arrow

        return arrow.to_polars(self, mixed)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the table through the Arrow C stream interface; as ``to_arrow``.

        What DuckDB, polars, pyarrow, pandas and others call when they are given the table:
        ``duckdb.sql("SELECT * FROM table")``, ``polars.DataFrame(table)``.
        """
        from nkgraph.interop import arrow

        return arrow.to_arrow(self).__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        from nkgraph import looks

        return looks.table_grid(self, looks.WIDTH).text()

    def _repr_html_(self) -> str:
        from nkgraph import looks

        return looks.table_grid(self, None).html()
