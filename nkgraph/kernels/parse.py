"""Text to columns: split lines into fields, and fields into numbers and texts.

A block is bytes that end with a newline, so that a scan for one needs no other bound. Splitting
writes where each wanted field lies, a row of ``c`` fields a line:

    starts  int64  (>= rows, c)  first byte
    stops   int64  (>= rows, c)  behind the last byte; ``~stop`` where "" inside quotes is one quote

Converting takes ``which``, (w,) int64, the columns to read, and writes ``rows * w`` values, row by
row: the ends of edges come out as source, target, source, target, ... Fields are converted only
in the one form that can be turned back into the same text: integers have no plus sign and no
leading zero. A kernel that meets another form returns its row, and the caller tries the next kind.
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import F64, I64, U8, Bool, Int
from nkgraph.kernels._jit import inlined, kernel, kernel_step
from nkgraph.kernels.intrinsics import load_word, trailing_zeros

GOOD: Final = 0
RAGGED: Final = 1
OPEN_QUOTE: Final = 2
AFTER_QUOTE: Final = 3

_NEWLINE: Final = 10
_RETURN: Final = 13
_SPACE: Final = 32
_TAB: Final = 9
_QUOTE: Final = 34
_HASH: Final = 35
_PERCENT: Final = 37
_PLUS: Final = 43
_MINUS: Final = 45
_POINT: Final = 46
_ZERO: Final = 48
_E: Final = 101
_LOWER: Final = 32

_ZEROS: Final = np.uint64(0x3030303030303030)
_LOW_BITS: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_NINES: Final = np.uint64(0x7676767676767676)
_PAIRS: Final = np.uint64(0x00FF00FF00FF00FF)
_FOURS: Final = np.uint64(0x0000FFFF0000FFFF)
_EIGHT: Final = np.uint64(0x00000000FFFFFFFF)
_TENS: Final = np.array([10**power for power in range(9)], np.uint64)
_POWERS: Final = np.array([10.0**power for power in range(23)])


@kernel_step
def quoted_field(data: U8, at: int) -> tuple[int, int, int]:
    """Pass a quoted field from behind its first quote: its stop, the byte behind, a problem."""
    escaped = False
    while True:
        while data[at] != _QUOTE and data[at] != _NEWLINE:
            at += 1
        if data[at] == _NEWLINE:
            return at, at, OPEN_QUOTE
        if data[at + 1] != _QUOTE:
            break
        escaped = True
        at += 2
    last = ~at if escaped else at
    at += 1
    if data[at] == _RETURN and data[at + 1] == _NEWLINE:
        at += 1
    return last, at, GOOD


@kernel
def split_fields(
    data: U8,
    start: int,
    stop: int,
    delimiter: int,
    other: int,
    runs: bool,
    comments: bool,
    quotes: bool,
    trim: bool,
    wanted: I64,
    starts: I64,
    stops: I64,
) -> tuple[int, int, int, int]:
    """Find the wanted fields of each line of ``data[start:stop]``.

    Parameters
    ----------
    delimiter, other : int
        Bytes that end a field; the same twice where there is one.
    runs : bool
        A run of delimiters counts as one, and blanks at both ends of a line are nothing.
    comments, quotes, trim : bool
        Skip lines that begin with # or %; fields may be quoted; strip blanks of unquoted fields.
    wanted : (field_count,) int64
        Column of ``starts`` for each field, -1 to skip it.
    starts, stops : (>= lines, c) int64, written in place

    Returns
    -------
    rows, problem, at, found : int
        ``at`` is the first byte of the line of a problem, ``found`` its number of fields.
    """
    rows = 0
    at = start
    while at < stop:
        line = at
        if runs:
            while data[at] == delimiter or data[at] == other:
                at += 1
        byte = data[at]
        if byte == _NEWLINE or (byte == _RETURN and data[at + 1] == _NEWLINE):
            at += 1 if byte == _NEWLINE else 2
            continue
        if comments and byte in (_HASH, _PERCENT):
            while data[at] != _NEWLINE:
                at += 1
            at += 1
            continue
        field = 0
        while True:
            first = at
            if quotes and data[at] == _QUOTE:
                first += 1
                last, at, problem = quoted_field(data, first)
                byte = data[at]
                if problem == GOOD and (byte != delimiter and byte != other and byte != _NEWLINE):
                    problem = AFTER_QUOTE
                if problem != GOOD:
                    return rows, problem, line, field + 1
            else:
                while data[at] != delimiter and data[at] != other and data[at] != _NEWLINE:
                    at += 1
                last = at
                if data[at] == _NEWLINE and last > first and data[last - 1] == _RETURN:
                    last -= 1
                if trim:
                    while first < last and (data[first] == _SPACE or data[first] == _TAB):
                        first += 1
                    while first < last and (data[last - 1] == _SPACE or data[last - 1] == _TAB):
                        last -= 1
            if field < wanted.size and wanted[field] >= 0:
                starts[rows, wanted[field]] = first
                stops[rows, wanted[field]] = last
            field += 1
            if data[at] == _NEWLINE:
                break
            at += 1
            if runs:
                while data[at] == delimiter or data[at] == other:
                    at += 1
                if data[at] == _RETURN and data[at + 1] == _NEWLINE:
                    at += 1
                if data[at] == _NEWLINE:
                    break
        if field != wanted.size:
            return rows, RAGGED, line, field
        at += 1
        rows += 1
    return rows, GOOD, stop, 0


@inlined
def read_digits(word: np.uint64) -> tuple[np.uint64, np.uint64]:
    """How many of eight characters are digits before the first that is none, and their value."""
    digits = word ^ _ZEROS
    # A byte is above 9 if it has a high bit, or gets one when 0x76 is added to the rest of it.
    others = (((digits & _LOW_BITS) + _NINES) | digits) & _HIGH_BITS
    count = trailing_zeros(others) >> np.uint64(3)
    if count == 0:
        return count, np.uint64(0)
    digits <<= np.uint64(64) - (count << np.uint64(3))
    digits = (digits * np.uint64(10) + (digits >> np.uint64(8))) & _PAIRS
    digits = (digits * np.uint64(100) + (digits >> np.uint64(16))) & _FOURS
    return count, (digits * np.uint64(10_000) + (digits >> np.uint64(32))) & _EIGHT


@inlined
def read_int(data: U8, at: np.uint64, last_word: np.uint64) -> tuple[np.int64, np.uint64]:
    """Read a plain integer of at most 18 digits: its value and the byte behind, 0 if it is none.

    Words are read up to ``last_word``, behind which the block may end too soon for them.
    """
    one = np.uint64(1)
    negative = data[at] == _MINUS
    if negative:
        at += one
    first = at
    value = np.uint64(0)
    if at < last_word:
        count = np.uint64(8)
        while count == 8 and at - first <= 18:
            count, part = read_digits(load_word(data, at))
            value = value * _TENS[count] + part
            at += count
    else:
        digit = np.uint8(data[at] - _ZERO)
        while digit < 10 and at - first <= 18:
            value = value * np.uint64(10) + np.uint64(digit)
            at += one
            digit = np.uint8(data[at] - _ZERO)
    length = at - first
    if length == 0 or length > 18 or (data[first] == _ZERO and (length > 1 or negative)):
        return np.int64(0), np.uint64(0)
    return -np.int64(value) if negative else np.int64(value), at


@kernel
def parse_int_rows(
    data: U8,
    start: int,
    stop: int,
    delimiter: int,
    other: int,
    runs: bool,
    comments: bool,
    wanted: I64,
    values: I64,
) -> tuple[Int, Int]:
    """Read lines whose wanted fields are all plain integers of at most 18 digits.

    A short cut for ``split_fields`` and ``parse_ints``: ``values`` is (>= lines, c). Returns the
    rows read and the byte where it stopped: ``stop``, or the first line that is anything else.
    """
    rows = 0
    one = np.uint64(1)  # unsigned positions need no test for negative ones
    at, end = np.uint64(start), np.uint64(stop)
    last_word = np.uint64(max(data.size - 32, 0))  # 19 digits are read in three words at most
    while at < end:
        line = at
        byte = data[at]
        if byte == _NEWLINE:
            at += one
            continue
        if comments and byte in (_HASH, _PERCENT):
            while data[at] != _NEWLINE:
                at += one
            at += one
            continue
        for field in range(wanted.size):
            if field > 0:
                if data[at] != delimiter and data[at] != other:
                    return rows, np.int64(line)
                at += one
                if runs:
                    while data[at] == delimiter or data[at] == other:
                        at += one
            column = wanted[field]
            if column < 0:
                while data[at] != delimiter and data[at] != other and data[at] != _NEWLINE:
                    at += one
                continue
            value, behind = read_int(data, at, last_word)
            if behind == 0:
                return rows, np.int64(line)
            values[rows, column] = value
            at = behind
        if data[at] == _RETURN:
            at += one
        if data[at] != _NEWLINE:
            return rows, np.int64(line)
        at += one
        rows += 1
    return rows, stop


@kernel
def parse_ints(
    data: U8, starts: I64, stops: I64, rows: int, which: I64, values: I64, valid: Bool
) -> int:
    """Convert fields to int64; empty ones are not valid. Returns the first other row, or -1."""
    place = 0
    for row in range(rows):
        for column in which:
            at = starts[row, column]
            stop = stops[row, column]
            values[place] = 0
            valid[place] = stop != at
            if stop != at:
                negative = stop > at and data[at] == _MINUS
                if negative:
                    at += 1
                length = stop - at
                if length < 1 or length > 19:
                    return row
                if data[at] == _ZERO and (length > 1 or negative):
                    return row
                value = np.uint64(0)
                for step in range(length):
                    digit = np.uint8(data[at + step] - _ZERO)
                    if digit > 9:
                        return row
                    value = value * np.uint64(10) + np.uint64(digit)
                if value > np.uint64(0x7FFFFFFFFFFFFFFF) + np.uint64(negative):
                    return row
                values[place] = np.int64(np.uint64(0) - value) if negative else np.int64(value)
            place += 1
    return -1


@kernel_step
def _is_word(data: U8, at: int, stop: int) -> int:
    """1 for nan, 2 for inf or infinity, in any mixture of cases, else 0."""
    length = stop - at
    if length == 3:
        first, second, third = data[at] | _LOWER, data[at + 1] | _LOWER, data[at + 2] | _LOWER
        if first == 110 and second == 97 and third == 110:
            return 1
        if first == 105 and second == 110 and third == 102:
            return 2
    if length == 8:
        code = np.uint64(0)
        for step in range(8):
            code = (code << np.uint64(8)) | np.uint64(data[at + step] | _LOWER)
        if code == np.uint64(0x696E66696E697479):
            return 2
    return 0


@kernel_step
def _parse_float(data: U8, at: int, stop: int, zeros: bool) -> tuple[int, float]:
    """(1, value) if exact here, (0, 0) if the text is a float to be read by others, else (-1, 0).

    Digits alone that pass 2**53 are not taken for a float: it would not keep them. Nor are, unless
    ``zeros``, numbers with a leading zero such as 007: they are codes.

    W. D. Clinger, How to read floating point numbers accurately, PLDI 1990: an integer up to
    2**53 times or over a power of ten up to 10**22 is rounded once.
    """
    negative = stop > at and data[at] == _MINUS
    if negative or (stop > at and data[at] == _PLUS):
        at += 1
    word = _is_word(data, at, stop)
    if word != 0:
        value = np.nan if word == 1 else np.inf
        return 1, -value if negative else value
    if not zeros and stop - at > 1 and data[at] == _ZERO and np.uint8(data[at + 1] - _ZERO) <= 9:
        return -1, 0.0
    mantissa = np.uint64(0)
    digits = 0
    seen = 0
    scale = 0
    point = False
    while at < stop:
        digit = np.uint8(data[at] - _ZERO)
        if digit <= 9:
            seen += 1
            if digits < 19:
                mantissa = mantissa * np.uint64(10) + np.uint64(digit)
            digits += mantissa != 0
            scale -= point
        elif data[at] == _POINT and not point:
            point = True
        else:
            break
        at += 1
    if seen == 0:
        return -1, 0.0
    if at == stop and not point and (digits > 19 or mantissa > np.uint64(1 << 53)):
        return -1, 0.0
    if at < stop:
        if data[at] | _LOWER != _E:
            return -1, 0.0
        at += 1
        down = at < stop and data[at] == _MINUS
        if down or (at < stop and data[at] == _PLUS):
            at += 1
        if at == stop:
            return -1, 0.0
        power = 0
        for place in range(at, stop):
            digit = np.uint8(data[place] - _ZERO)
            if digit > 9:
                return -1, 0.0
            if power < 100_000:  # farther is infinity or zero all the same
                power = power * 10 + int(digit)
        scale += -power if down else power
    if digits > 19 or mantissa > np.uint64(1 << 53) or scale < -22 or scale > 22:
        return 0, 0.0
    value = np.float64(mantissa)
    value = value / _POWERS[-scale] if scale < 0 else value * _POWERS[scale]
    return 1, -value if negative else value


@kernel
def parse_floats(
    data: U8,
    starts: I64,
    stops: I64,
    rows: int,
    which: I64,
    zeros: bool,
    values: F64,
    valid: Bool,
    hard: I64,
) -> tuple[int, int]:
    """Convert fields to float64; empty ones are not valid. ``zeros`` allows leading ones.

    Returns the first row that is no float, or -1, and how many places of ``values`` are listed in
    ``hard``: floats that take more than one rounding here, for the caller to read.
    """
    place = 0
    hard_count = 0
    for row in range(rows):
        for column in which:
            at = starts[row, column]
            stop = stops[row, column]
            values[place] = 0.0
            valid[place] = stop != at
            if stop != at:
                state, value = _parse_float(data, at, stop, zeros)
                if state < 0:
                    return row, hard_count
                values[place] = value
                if state == 0:
                    hard[hard_count] = place
                    hard_count += 1
            place += 1
    return -1, hard_count


@kernel
def parse_bools(
    data: U8, starts: I64, stops: I64, rows: int, which: I64, values: Bool, valid: Bool
) -> int:
    """Convert true and false, in any case; empty is not valid. Returns the first other row."""
    place = 0
    for row in range(rows):
        for column in which:
            at = starts[row, column]
            length = stops[row, column] - at
            values[place] = False
            valid[place] = length != 0
            if length != 0:
                if length != 4 and length != 5:
                    return row
                code = np.uint64(0)
                for step in range(length):
                    code = (code << np.uint64(8)) | np.uint64(data[at + step] | _LOWER)
                if code == np.uint64(0x74727565):
                    values[place] = True
                elif code != np.uint64(0x66616C7365):
                    return row
            place += 1
    return -1


@kernel
def measure_texts(data: U8, starts: I64, stops: I64, rows: int, which: I64, offsets: I64) -> None:
    """Write where each text will lie, ``offsets`` (rows * w + 1,)."""
    place = 0
    offsets[0] = 0
    for row in range(rows):
        for column in which:
            stop = stops[row, column]
            at = starts[row, column]
            length = stop - at
            if stop < 0:
                length = ~stop - at
                while at < ~stop:
                    if data[at] == _QUOTE:
                        at += 1
                        length -= 1
                    at += 1
            offsets[place + 1] = offsets[place] + length
            place += 1


@kernel
def copy_texts(
    data: U8, starts: I64, stops: I64, rows: int, which: I64, offsets: I64, texts: U8
) -> None:
    """Copy the texts that ``measure_texts`` measured; two quotes become one."""
    place = 0
    for row in range(rows):
        for column in which:
            at = starts[row, column]
            escaped = stops[row, column] < 0
            for target in range(offsets[place], offsets[place + 1]):
                texts[target] = data[at]
                if escaped and data[at] == _QUOTE:
                    at += 1
                at += 1
            place += 1


@kernel
def find_no_id(offsets: I64, texts: U8) -> int:
    """Return the first text that cannot be an id, or -1: empty, or a NaN or infinity word.

    The words are taken in the forms that programs write (nan NaN NAN, inf INF, Infinity, with or
    without a sign); Nan and Inf are names.
    """
    for row in range(offsets.size - 1):
        at = offsets[row]
        stop = offsets[row + 1]
        if at == stop:
            return row
        if texts[at] == _PLUS or texts[at] == _MINUS:
            at += 1
        word = _is_word(texts, at, stop)
        if word == 0:
            continue
        lower_first = texts[at] & _LOWER != 0
        lower_second = texts[at + 1] & _LOWER != 0
        lower_third = texts[at + 2] & _LOWER != 0
        capital = not lower_first and lower_second and lower_third and stop - at == 3
        if not capital:
            return row
    return -1
