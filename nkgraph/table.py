"""What a property read returns: named columns of equal length."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from nkgraph.dtypes import Bool
from nkgraph.errors import NotFoundError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn


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

    def to_arrow(self) -> object:
        """Return a ``pyarrow.Table``; fixed-width and text columns share memory."""
        from nkgraph.interop import arrow

        return arrow.to_arrow(self)

    def to_pandas(self) -> object:
        """Return a ``pandas.DataFrame`` of Arrow-backed columns, absent values as NA."""
        from nkgraph.interop import arrow

        return arrow.to_pandas(self)

    def to_polars(self) -> object:
        """Return a ``polars.DataFrame``."""
        from nkgraph.interop import arrow

        return arrow.to_polars(self)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the table through the Arrow C stream interface."""
        from nkgraph.interop import arrow

        return arrow.to_arrow(self).__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        from nkgraph import looks

        return looks.table_grid(self, looks.WIDTH).text()

    def _repr_html_(self) -> str:
        from nkgraph import looks

        return looks.table_grid(self, None).html()
