"""What nkgraph raises.

    NkgraphError
    ├── GraphError       (also ValueError)   the request does not fit the graph
    ├── NotFoundError    (also LookupError)  a name or id that is not there
    ├── FormatError                          a file is not what it claims to be
    │   └── VersionError                     a version that is not supported
    ├── LimitError                           a size that a format or a set limit forbids
    ├── LockedError                          another writer holds the directory
    └── ClosedError                          the graph or array was closed

Failures of the operating system stay ``OSError``.
"""

from os import PathLike, fspath


class NkgraphError(Exception):
    """Base of all errors that nkgraph raises itself."""


class GraphError(NkgraphError, ValueError):
    """The request does not fit the graph: wrong shape, type, range or state."""


class NotFoundError(NkgraphError, LookupError):
    """A name or an external id that the graph does not hold."""


class FormatError(NkgraphError):
    """A file is damaged or is not what it claims to be.

    Parameters
    ----------
    path : str or PathLike
        The file.
    field : str
        What was being read, in the words of the format description.
    offset : int or None
        Byte position in the file (or in its decompressed content); None where
        no single byte is at fault.
    expected, found : object
        Shown in the message with ``str``.
    remedy : str, optional
        What the user can do, as a clause.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        field: str,
        offset: int | None,
        expected: object,
        found: object,
        remedy: str | None = None,
    ) -> None:
        self.path = fspath(path)
        self.field = field
        self.offset = offset
        self.expected = expected
        self.found = found
        self.remedy = remedy
        at = "" if offset is None else f" at byte {offset}"
        advice = "" if remedy is None else f"; {remedy}"
        super().__init__(f"{self.path}: {field}{at}: expected {expected}, found {found}{advice}")

    def __reduce__(self) -> tuple[type["FormatError"], tuple[object, ...]]:
        """Rebuild from the parts, so that the error crosses process borders."""
        return type(self), (
            self.path,
            self.field,
            self.offset,
            self.expected,
            self.found,
            self.remedy,
        )


class VersionError(FormatError):
    """A file of a version that nkgraph does not read."""


class LimitError(NkgraphError):
    """A size that the format, or a limit set by the caller, forbids."""


class LockedError(NkgraphError):
    """Another writer holds the directory."""


class ClosedError(NkgraphError):
    """The graph or array has been closed."""
