"""Column ids of property names: FNV-1a, 32 bit, over their UTF-8 bytes.

No file maps ids back to names, so two names with one hash would silently share a column.
"""

from collections.abc import Iterable

from nkgraph.errors import GraphError

_OFFSET_BASIS = 2166136261
_PRIME = 16777619
_MASK = 0xFFFF_FFFF


def fnv1a_32(name: str) -> int:
    """Hash a name.

    >>> fnv1a_32("name")
    2369371622
    """
    value = _OFFSET_BASIS
    for byte in name.encode():
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def column_id(name: str) -> int:
    """Return the column id of a property name.

    Raises
    ------
    GraphError
        The name hashes to 0, the column of deletion marks, or holds a lone surrogate.

    Examples
    --------
    >>> column_id("age")
    742476188
    """
    try:
        found = fnv1a_32(name)
    except UnicodeEncodeError:
        raise GraphError(f"property name {name!r} holds a lone surrogate") from None
    if found == 0:
        raise GraphError(f"property name {name!r} hashes to 0, the column of deletion marks")
    return found


def column_ids(names: Iterable[str]) -> dict[str, int]:
    """Return the column ids of several names, in their order.

    Raises
    ------
    GraphError
        As ``column_id``, or two names have one id.

    Examples
    --------
    >>> column_ids(["age", "name"])
    {'age': 742476188, 'name': 2369371622}
    """
    found: dict[str, int] = {}
    owners: dict[int, str] = {}
    for name in names:
        col = column_id(name)
        owner = owners.setdefault(col, name)
        if owner != name:
            raise GraphError(f"property names {owner!r} and {name!r} have one column id, {col}")
        found[name] = col
    return found
