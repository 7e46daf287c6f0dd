"""Blocks of text to typed columns, on all threads, with errors that name file and line.

A column has no declared type as a rule: its type is what all its fields are, integers, floats,
booleans or text. Blocks are converted as they come, and where a later block shows that an earlier
one was taken for the wrong type, ``Restart`` asks the caller to begin again with that column as
text. Two kinds join without it: integers and floats, if every integer is exact as a float.
"""

import csv
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import F64, I64, U8, Bool
from nkgraph.errors import FormatError
from nkgraph.storage.columns import AnyColumn, concatenate
from nkgraph.storage.columns import absent as absent_column
from nkgraph.storage.textfile import read_blocks

PART = 1 << 17
"""Bytes of text that are worth a thread."""
_EXACT_FLOAT = 2**53
_KINDS: Final = ("int", "float", "bool", "text")
_ID_KINDS: Final = ("int", "text")
_NUMBERS: Final = ("int", "float")
_PLAIN: Final = re.compile("-?[1-9][0-9]{0,17}|0", re.ASCII)
_HARD_WIDTH: Final = 32
_PEEK: Final = 1 << 16
_WORDS: Final = {
    "int": "an integer of at most 64 bits, without leading zeros or plus sign",
    "float": "a number that fits a 64-bit float",
    "bool": "true or false",
}


class Restart(Exception):
    """Columns were taken for the wrong type; begin again with ``names`` as text.

    A signal between functions, never seen by users.
    """

    def __init__(self, names: set[tuple[str, ...]]) -> None:
        self.names = names
        super().__init__(names)


@dataclass(frozen=True)
class Texts:
    """Text i is ``data[offsets[i]:offsets[i + 1]]``, UTF-8."""

    offsets: I64
    data: U8

    def __getitem__(self, row: int) -> str:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes().decode()


@dataclass(frozen=True)
class Dialect:
    """How lines are cut into fields; ``delimiter`` None means runs of blanks and tabs."""

    delimiter: str | None
    comments: bool = False
    quotes: bool = False
    trim: bool = False

    @property
    def codes(self) -> tuple[int, int, bool]:
        """The two delimiter bytes, and whether runs of them count as one."""
        if self.delimiter is None:
            return ord(" "), ord("\t"), True
        return ord(self.delimiter), ord(self.delimiter), False


@dataclass(frozen=True)
class Want:
    """A column to read, or two whose values are wanted in turns (the ends of edges).

    ``kind`` is "int", "float", "bool", "text", "number" for int or float, or "any" for what the
    content is.
    """

    name: str
    fields: tuple[int, ...]
    key: tuple[str, ...]
    """What ``Restart`` names it by."""
    kind: str = "any"
    is_id: bool = False
    nan_words: bool = False
    """An id may be a word such as nan."""


@dataclass(frozen=True)
class Values:
    """The values of a ``Want`` for some rows; ``valid`` None means that all are there.

    Of kind "stored" ``data`` is a column as graphs hold it, its own validity included.
    """

    kind: str
    data: Any
    valid: Bool | None

    def __len__(self) -> int:
        if self.kind == "stored":
            return len(self.data)
        return self.data.offsets.size - 1 if self.kind == "text" else int(self.data.size)


@dataclass
class Rows:
    """A block, converted."""

    count: int
    columns: list[Values]
    line_of: Callable[[int], int]
    """Line number, from 1, of a row of this block; slow, for errors."""
    byte_count: int
    line_count: int


@dataclass
class _Part:
    rows: int
    columns: list[Values]
    problem: FormatError | None = None


class Source(Protocol):
    """What gives the rows of a table."""

    path: Path
    unit: ClassVar[str]

    def blocks(self) -> Iterator[Rows]:
        """Yield the converted blocks in file order."""


@dataclass
class Table:
    """One file: how to cut it, and what of it is wanted."""

    path: Path
    dialect: Dialect
    field_count: int
    wants: Sequence[Want]
    header: bool = False
    plain_integers: bool = field(default=True, init=False)
    unit: ClassVar[str] = "line"
    """What errors count."""

    def wanted(self) -> I64:
        """Output column of each field, -1 to skip."""
        fields = [number for want in self.wants for number in want.fields]
        columns = np.full(self.field_count, -1, np.int64)
        columns[fields] = np.arange(len(fields))
        return columns

    def blocks(self) -> Iterator[Rows]:
        """Yield the converted blocks in file order; one is converted while one is used."""
        return threads.ahead(self._blocks())

    def _blocks(self) -> Generator[Rows, None, None]:
        line = 1
        header = self.header
        for block in read_blocks(self.path):
            start = 0
            if header:
                start = data_start(block, self.dialect, header=True)
                header = start == block.size and not first_line(block, self.dialect)
            rows = self._convert(block, start, line)
            yield rows
            line += rows.line_count

    def _convert(self, block: U8, start: int, line: int) -> Rows:
        ends = cut_lines(block, start)
        counts = threads.run([partial(newlines, block[first:last]) for first, last in ends])
        lines = [count for count in counts if isinstance(count, int)]
        line_of = partial(_line_of, block, start, line, self.dialect)
        total = sum(lines) + newlines(block[:start])
        if self.plain_integers:
            values = self._plain_integers(block, ends, lines)
            if values is not None:
                columns = _split_integers(values, self.wants)
                return Rows(len(values), columns, line_of, block.size, total)
            self.plain_integers = False  # costs what follows nothing but a second look here
        jobs = [partial(self._part, block, *end, n) for end, n in zip(ends, lines, strict=True)]
        parts = [part for part in threads.run(jobs) if isinstance(part, _Part)]
        for part, (at, _) in zip(parts, ends, strict=True):
            if part.problem is not None:
                raise _at_line(part.problem, line + newlines(block[:at]))
        columns = []
        for number, want in enumerate(self.wants):
            columns.append(join([part.columns[number] for part in parts], want.key))
        return Rows(sum(part.rows for part in parts), columns, line_of, block.size, total)

    def _plain_integers(
        self, block: U8, ends: list[tuple[int, int]], lines: list[int]
    ) -> I64 | None:
        """Read a block of nothing but plain integers, (rows, c); None if it is anything else."""
        if not all(want.kind in ("any", "int", "number") for want in self.wants):
            return None
        wanted, dialect = self.wanted(), self.dialect
        places = np.concatenate([[0], np.cumsum(lines)])
        values = np.empty((int(places[-1]), int(wanted.max(initial=-1)) + 1), np.int64)
        slices = [values[first:last] for first, last in pairwise(places)]
        read = partial(kernels.parse.parse_int_rows, block)
        form = (*dialect.codes, dialect.comments, wanted)
        found = threads.run(
            [partial(read, *end, *form, part) for end, part in zip(ends, slices, strict=True)]
        )
        rows = [answer[0] for answer in found if isinstance(answer, tuple)]
        stops = [answer[1] for answer in found if isinstance(answer, tuple)]
        if stops != [stop for _, stop in ends]:
            return None
        if rows == lines:
            return values
        return np.concatenate([part[:row] for part, row in zip(slices, rows, strict=True)])

    def _part(self, block: U8, start: int, stop: int, lines: int) -> _Part:
        """Convert the lines of ``block[start:stop]``; a problem has its line in ``offset``."""
        wanted, dialect = self.wanted(), self.dialect
        width = int(wanted.max(initial=-1)) + 1
        bad = not_utf8(block[start:stop])
        if bad is not None:
            at, found = bad
            return _Part(0, [], self._problem(block, start, start + at, "", "UTF-8 text", found))
        starts = np.empty((lines, width), np.int64)
        stops = np.empty((lines, width), np.int64)
        rows, problem, at, found = kernels.parse.split_fields(
            block,
            start,
            stop,
            *dialect.codes,
            dialect.comments,
            dialect.quotes,
            dialect.trim,
            wanted,
            starts,
            stops,
        )
        if problem == kernels.parse.RAGGED:
            many = f"{self.field_count} field{'s' * (self.field_count != 1)}"
            return _Part(0, [], self._problem(block, start, at, "", many, found))
        if problem != kernels.parse.GOOD:
            last = "nothing" if problem == kernels.parse.AFTER_QUOTE else "a closing quote"
            what = "more text" if problem == kernels.parse.AFTER_QUOTE else "the end of the line"
            where = f", field {found}"
            return _Part(0, [], self._problem(block, start, at, where, f"{last} after it", what))
        return self._columns(block, start, starts, stops, rows)

    def _columns(self, block: U8, start: int, starts: I64, stops: I64, rows: int) -> _Part:
        columns = []
        column = 0
        for want in self.wants:
            which = np.arange(column, column + len(want.fields))
            fields = _Fields(block, starts, stops, rows, which, want.kind)
            column += len(want.fields)
            kind, row, values = fields.convert(want)
            if values is None:
                place = which[0]
                if fields.row_error is not None:
                    place = which[fields.row_error]
                expected = "an id" if want.is_id and kind == "id" else _WORDS.get(kind, kind)
                found = fields.show(row, int(place))
                at = int(starts[row].min()) if starts.shape[1] else start
                name = f", column {want.name}"
                return _Part(0, [], self._problem(block, start, at, name, expected, found))
            columns.append(values)
        return _Part(rows, columns)

    def _problem(
        self, block: U8, start: int, at: int, where: str, expected: str, found: object
    ) -> FormatError:
        """Word an error; ``offset`` counts the lines of the part before it until it is raised."""
        lines = newlines(block[start:at])
        return FormatError(self.path, where, lines, expected, found)


def newlines(data: U8) -> int:
    """Count the lines that end in ``data``."""
    return int(np.count_nonzero(data == ord("\n")))


def _at_line(problem: FormatError, line: int) -> FormatError:
    number = line + (problem.offset or 0)
    where = f"line {number}{problem.field}"
    return FormatError(problem.path, where, None, problem.expected, problem.found)


def line_error(path: Path, line: int, expected: str, found: object) -> FormatError:
    """Make the error for a line whose content does not fit."""
    return FormatError(path, f"line {line}", None, expected, found)


class _Fields:
    """The fields of one ``Want`` in a part, to be converted."""

    def __init__(
        self, block: U8, starts: I64, stops: I64, rows: int, which: I64, kind: str
    ) -> None:
        self.kind = kind
        self.input = (block, starts, stops, rows, which)
        self.size = rows * which.size
        self.row_error: int | None = None

    def convert(self, want: Want) -> tuple[str, int, Values | None]:
        """Return (kind, row, values); values None: the row is not of that kind."""
        if want.kind == "any":
            kinds: tuple[str, ...] = _ID_KINDS if want.is_id else _KINDS
        else:
            kinds = _NUMBERS if want.kind == "number" else (want.kind,)
        for kind in kinds:
            row, values = getattr(self, f"_{kind}")()
            if values is not None:
                break
        if values is None:
            return kind, row, None
        if want.is_id:
            row = self._no_id(values, nan_words=want.nan_words)
            if row >= 0:
                return "id", row, None
        elif want.kind == "any" and values.valid is not None and not values.valid.any():
            values = Values("none", values.data, values.valid)
        return kind, -1, values

    def _int(self) -> tuple[int, Values | None]:
        data, valid = np.empty(self.size, np.int64), np.empty(self.size, bool)
        row = kernels.parse.parse_ints(*self.input, data, valid)
        return row, _values("int", data, valid) if row < 0 else None

    def _bool(self) -> tuple[int, Values | None]:
        data, valid = np.empty(self.size, bool), np.empty(self.size, bool)
        row = kernels.parse.parse_bools(*self.input, data, valid)
        return row, _values("bool", data, valid) if row < 0 else None

    def _float(self) -> tuple[int, Values | None]:
        data, valid = np.empty(self.size, np.float64), np.empty(self.size, bool)
        hard = np.empty(self.size, np.int64)
        zeros = self.kind != "any"
        row, count = kernels.parse.parse_floats(*self.input, zeros, data, valid, hard)
        if row >= 0:
            return row, None
        if count:
            data[hard[:count]] = self._hard_floats(hard[:count])
            over = np.flatnonzero(np.isinf(data[hard[:count]]))
            if over.size:
                return int(hard[over[0]]) // int(self.input[4].size), None
        return -1, _values("float", data, valid)

    def _hard_floats(self, places: I64) -> F64:
        """Have correctly rounded what the kernel could not; infinity where it overflows."""
        block, starts, stops, _, which = self.input
        rows, columns = places // which.size, which[places % which.size]
        first, last = starts[rows, columns], stops[rows, columns]
        values = np.empty(places.size, np.float64)
        short = np.flatnonzero(last - first <= _HARD_WIDTH)
        at = first[short, None] + np.arange(_HARD_WIDTH)
        texts = np.where(at < last[short, None], block[np.minimum(at, block.size - 1)], 0)
        values[short] = texts.astype(np.uint8).view(f"S{_HARD_WIDTH}")[:, 0].astype(np.float64)
        for row in np.flatnonzero(last - first > _HARD_WIDTH).tolist():  # rare, and long
            values[row] = float(block[first[row] : last[row]].tobytes())
        return values

    def _text(self) -> tuple[int, Values | None]:
        offsets = np.empty(self.size + 1, np.int64)
        kernels.parse.measure_texts(*self.input, offsets)
        data = np.empty(int(offsets[-1]), np.uint8)
        kernels.parse.copy_texts(*self.input, offsets, data)
        return -1, _values("text", Texts(offsets, data), offsets[1:] != offsets[:-1])

    def _no_id(self, values: Values, *, nan_words: bool) -> int:
        """Return the first row whose id is empty or a NaN word, or -1."""
        place = -1
        if values.valid is not None:
            place = int(values.valid.argmin())
        if values.kind == "text" and not nan_words:
            texts = values.data
            first = kernels.parse.find_no_id(read_only(texts.offsets), read_only(texts.data))
            place = first if place < 0 else min(place, first)
        if place < 0:
            return -1
        self.row_error = place % self.input[4].size
        return place // int(self.input[4].size)

    def show(self, row: int, column: int) -> str:
        """Quote a field for a message, cut short where it is long."""
        which = self.input[4]
        if self.row_error is None:  # of two ends, the one that is not a plain integer
            texts = [self._raw(row, int(number)) for number in which]
            odd = [text for text in texts if not _PLAIN.fullmatch(text)]
            text = (odd or texts)[0]
        else:
            text = self._raw(row, column)
        return repr(text if len(text) <= 40 else text[:40] + "...") if text else "nothing"

    def _raw(self, row: int, column: int) -> str:
        block, starts, stops, _, _ = self.input
        start, stop = int(starts[row, column]), int(stops[row, column])
        return block[start : stop if stop >= 0 else ~stop].tobytes().decode(errors="replace")


def _values(kind: str, data: Any, valid: Bool) -> Values:
    return Values(kind, data, None if valid.all() else valid)


def _split_integers(values: I64, wants: Sequence[Want]) -> list[Values]:
    columns = []
    column = 0
    for want in wants:
        width = len(want.fields)
        columns.append(Values("int", values[:, column : column + width].ravel(), None))
        column += width
    return columns


def cut_lines(block: U8, start: int) -> list[tuple[int, int]]:
    """Cut ``block[start:]`` into ranges of whole lines, one a thread."""
    bounds = [start]
    for _, stop in threads.split(block.size - start, least=PART)[:-1]:
        at = max(start + stop, bounds[-1])
        if at < block.size:
            bounds.append(_line_stop(block, at))
    bounds.append(block.size)
    ends = [(first, last) for first, last in pairwise(bounds) if first < last]
    return ends or [(block.size, block.size)]


def _line_stop(block: U8, at: int) -> int:
    """Return the byte behind the line that holds byte ``at``."""
    window = 256
    while not (ends := block[at : at + window] == ord("\n")).any():
        window *= 2
    return at + int(ends.argmax()) + 1


def not_utf8(data: U8) -> tuple[int, str] | None:
    """Return where ``data`` stops being UTF-8, and what stands there; None if it does not."""
    if data.size == 0 or int(data.max()) < 128:
        return None
    try:
        str(data.data, "utf-8")
    except UnicodeDecodeError as error:
        return error.start, f"byte 0x{data[error.start]:02x} ({error.reason})"
    return None


# -- lines, one by one: headers and errors ----------------------------------------------------


def _walk(block: U8, start: int, dialect: Dialect) -> Iterator[tuple[int, int]]:
    """Yield (first, behind the last byte) of each line that holds data; a Python loop."""
    text = block.tobytes()
    while start < len(text):
        stop = text.index(b"\n", start)
        line = text[start:stop].strip(b" \t\r") if dialect.delimiter is None else text[start:stop]
        if line.rstrip(b"\r") and not (dialect.comments and line.startswith((b"#", b"%"))):
            yield start, stop
        start = stop + 1


def first_line(block: U8, dialect: Dialect) -> bytes:
    """Return the first line that is neither blank nor comment, empty if there is none."""
    for start, stop in _walk(block, 0, dialect):
        return block[start:stop].tobytes().rstrip(b"\r")
    return b""


def data_start(block: U8, dialect: Dialect, *, header: bool) -> int:
    """Return the byte behind the header line."""
    for _, stop in _walk(block, 0, dialect):
        return stop + 1 if header else 0
    return int(block.size)


def _line_of(block: U8, start: int, line: int, dialect: Dialect, row: int) -> int:
    for number, (at, _) in enumerate(_walk(block, start, dialect)):
        if number == row:
            return line + int(np.count_nonzero(block[:at] == ord("\n")))
    return line


def split_line(line: str, dialect: Dialect) -> list[str]:
    """Cut one line, a header or the first one, as the kernel would."""
    if dialect.delimiter is None:
        return line.split()
    if not dialect.quotes:
        return [name.strip() for name in line.split(dialect.delimiter)]
    row = next(csv.reader([line], delimiter=dialect.delimiter), [])
    return [name.strip() for name in row]


def first_text(file: Path, dialect: Dialect) -> str:
    """Return the first line of data, empty if there is none."""
    for block in read_blocks(file, _PEEK):
        line = first_line(block, dialect)
        if line:
            try:
                return line.decode()
            except UnicodeDecodeError as error:
                found = f"byte 0x{line[error.start]:02x}"
                raise FormatError(file, "first line", None, "UTF-8 text", found) from None
    return ""


# -- joining ----------------------------------------------------------------------------------


def join(parts: Sequence[Values], key: tuple[str, ...]) -> Values:
    """Append columns of the same kind, or kinds that fit; ``Restart`` asks for text otherwise."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    kinds = {part.kind for part in parts} - {"none"}
    if len(parts) == 1 or not kinds:
        kind = parts[0].kind
    elif len(kinds) == 1:
        kind = kinds.pop()
    elif kinds == {"int", "float"} and all(_is_exact(part) for part in parts):
        kind = "float"
    else:
        raise Restart({key})
    if len(parts) == 1:
        return parts[0]
    if kind == "stored":
        return Values(kind, concatenate([_as_stored(part) for part in parts]), None)
    valid = None
    if any(part.valid is not None for part in parts):
        every = [np.ones(len(part), bool) if part.valid is None else part.valid for part in parts]
        valid = np.concatenate(every)
    if kind == "text":
        return Values(kind, _join_texts([_as_texts(part) for part in parts]), valid)
    dtype = {"int": np.int64, "float": np.float64, "bool": np.bool_}.get(kind, np.int64)
    return Values(
        kind, np.concatenate([part.data.astype(dtype, copy=False) for part in parts]), valid
    )


def _is_exact(part: Values) -> bool:
    if part.kind != "int" or part.data.size == 0:
        return True
    return bool(part.data.max() <= _EXACT_FLOAT and part.data.min() >= -_EXACT_FLOAT)


def _as_stored(part: Values) -> AnyColumn:
    if part.kind == "stored":
        return part.data  # type: ignore[no-any-return]  # Values.data is as its kind says
    return absent_column(len(part))


def _as_texts(part: Values) -> Texts:
    if part.kind == "text":
        return part.data  # type: ignore[no-any-return]  # Values.data is as its kind says
    return Texts(np.zeros(len(part) + 1, np.int64), np.zeros(0, np.uint8))


def _join_texts(parts: Sequence[Texts]) -> Texts:
    offsets = [np.zeros(1, np.int64)]
    base = 0
    for part in parts:
        offsets.append(part.offsets[1:] + base)
        base += int(part.offsets[-1])
    return Texts(np.concatenate(offsets), np.concatenate([part.data for part in parts]))
