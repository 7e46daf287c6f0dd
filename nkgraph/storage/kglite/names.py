"""Names and their hashes; ``interner.bin.zst`` and the older ``interner.json``.

Binary files hold type, connection and property names only as the 64-bit FNV-1a
hash of their UTF-8 bytes; the strings stand once, in the interner:

    interner.bin.zst   zstd of bincode Vec<String>: u64 n, then n x (u64 length, bytes)
    interner.json      older; an object whose values are the strings

Wherever connection types are ordered, they are ordered by these unsigned hashes.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from nkgraph.errors import FormatError, GraphError, LimitError
from nkgraph.storage import files
from nkgraph.storage.kglite.cursor import Cursor

_OFFSET_BASIS = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF


def fnv1a(name: str) -> int:
    """Hash a name: FNV-1a, 64 bit, over its UTF-8 bytes."""
    value = _OFFSET_BASIS
    for byte in name.encode():
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def check_name(name: object, what: str) -> str:
    """Return ``name`` if it can be a type or property name, else say what is wrong with it."""
    if not isinstance(name, str):
        raise GraphError(f"{what} must be a string, not {type(name).__name__}")
    if not name:
        raise GraphError(f"{what} is empty")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise GraphError(f"{what} {name!r} holds a lone surrogate") from None
    return name


class Names:
    """Strings by hash. Two names with one hash are refused, never merged."""

    def __init__(self, strings: Iterable[str] = ()) -> None:
        self._by_hash: dict[int, str] = {}
        self._hashes: dict[str, int] = {}
        for string in strings:
            self.intern(string)

    def intern(self, name: str) -> int:
        """Return the hash of ``name``, and keep the name.

        Raises
        ------
        LimitError
            Another name has this hash: the format cannot hold both.
        """
        known = self._hashes.get(name)
        if known is not None:
            return known
        value = fnv1a(name)
        other = self._by_hash.setdefault(value, name)
        if other != name:
            raise LimitError(
                f"the names {other!r} and {name!r} have one hash, {value:#018x}: rename one of them"
            )
        self._hashes[name] = value
        return value

    def name_of(self, value: int) -> str | None:
        """Return the name behind a hash, or None."""
        return self._by_hash.get(value)

    def copy(self) -> "Names":
        """Return an independent copy."""
        names = Names()
        names._by_hash = dict(self._by_hash)
        names._hashes = dict(self._hashes)
        return names

    def by_hash(self) -> dict[int, str]:
        """Return hash -> name of every name."""
        return dict(self._by_hash)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._hashes))

    def __len__(self) -> int:
        return len(self._hashes)


def read_names(directory: Path) -> Names:
    """Read the interner of a directory; the JSON form only where the binary one is absent.

    Raises
    ------
    FormatError
        Neither file is there, or one is damaged.
    """
    path = directory / "interner.bin.zst"
    if path.exists():
        cursor = Cursor(path, files.decompress(path))
        count = cursor.count("strings", 8)
        strings = [cursor.text64(f"string {index}") for index in range(count)]
        cursor.end()
        return Names(strings)
    path = directory / "interner.json"
    if not path.exists():
        missing = directory / "interner.bin.zst"
        raise FormatError(missing, "interner", None, "a file with the names", "none")
    table = read_json(path)
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table.values()):
        raise FormatError(path, "interner", None, "an object of strings", "something else")
    return Names(table.values())


def write_names(names: Names) -> bytes:
    """Encode ``interner.bin.zst``, names in code point order."""
    parts = [len(names).to_bytes(8, "little")]
    for name in names:
        data = name.encode()
        parts += [len(data).to_bytes(8, "little"), data]
    return files.compress(b"".join(parts))


def read_json(path: Path) -> object:
    """Parse a JSON file; integers stay exact."""
    try:
        return json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(path, "JSON", getattr(error, "pos", None), "JSON", str(error)) from None
