"""N-Triples (W3C, RDF 1.1): lines to spans of terms, escapes, and values of known datatypes.

A block is bytes of valid UTF-8 that end with a newline. A row of ``spans`` is a triple:

    spans  int64  (>= rows, 8)  start and stop of subject, predicate, object, and tag
    flags  uint8  (>= rows,)    bits 0-1: the object is an IRI, a blank node or a literal;
                                bit 2: the subject is a blank node;
                                bits 3-4: the literal has no tag, a language or a datatype;
                                bit 5: some term holds an escape

Spans leave out angle brackets, quotes, ``_:`` and ``@``. A tag is a language or a datatype IRI.
"""

from typing import Final

import numpy as np

from nkgraph.dtypes import F64, I64, U8, U64
from nkgraph.kernels._jit import kernel, kernel_step
from nkgraph.kernels.parse import _parse_float

IRI: Final = 0
BLANK: Final = 1
LITERAL: Final = 2
OBJECT: Final = 3
SUBJECT_BLANK: Final = 4
LANGUAGE: Final = 8
DATATYPE: Final = 16
ESCAPED: Final = 32

GOOD: Final = 0
NO_SUBJECT: Final = 1
NO_PREDICATE: Final = 2
NO_OBJECT: Final = 3
NO_END: Final = 4
BAD_IRI: Final = 5
BAD_ESCAPE: Final = 6
BAD_LABEL: Final = 7
OPEN_LITERAL: Final = 8
BAD_TAG: Final = 9
RELATIVE: Final = 10
AFTER_END: Final = 11

TEXT: Final = 0
INTEGER: Final = 1
DOUBLE: Final = 2
BOOLEAN: Final = 3
DATE: Final = 4
TIMESTAMP: Final = 5
HARD: Final = 6
"""A float that takes more than one rounding: for the caller to read."""

_NEWLINE: Final = 10
_RETURN: Final = 13
_BACKSLASH: Final = 92


@kernel_step
def _blanks(data: U8, at: int) -> int:
    while data[at] == 32 or data[at] == 9:
        at += 1
    return at


@kernel_step
def _hex(byte: int) -> int:
    """The value of a hexadecimal digit, -1 if it is none."""
    if 48 <= byte <= 57:
        return byte - 48
    byte |= 32
    return byte - 87 if 97 <= byte <= 102 else -1


@kernel_step
def _code_point(data: U8, at: int) -> tuple[int, int]:
    """Read the escape uXXXX or UXXXXXXXX behind a backslash: code point, byte behind; -1 if bad."""
    digits = 4 if data[at] == 117 else 8
    at += 1
    point = 0
    for _ in range(digits):
        digit = _hex(data[at])  # a newline is no digit: nothing behind the block is read
        if digit < 0:
            return -1, at
        point = point * 16 + digit
        at += 1
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        return -1, at
    return point, at


@kernel_step
def _iri(data: U8, at: int) -> tuple[int, int, bool]:
    """Pass an IRI from behind its ``<``: problem, place of its ``>``, whether it has an escape."""
    first = at
    escaped = False
    scheme = False
    while data[at] != 62:
        byte = data[at]
        if byte == _BACKSLASH:
            escaped = True
            if data[at + 1] != 117 and data[at + 1] != 85:
                return BAD_ESCAPE, at, escaped
            point, behind = _code_point(data, at + 1)
            if point < 0:
                return BAD_ESCAPE, at, escaped
            # What may not stand in an IRI may not be escaped into one either.
            if point <= 32 or point in (34, 60, 62, 92, 94, 96, 123, 124, 125):
                return BAD_ESCAPE, at, escaped
            at = behind
            continue
        if byte <= 32 or byte in (34, 60, 94, 96, 123, 124, 125):
            return BAD_IRI, at, escaped
        scheme = scheme or (byte == 58 and at > first)
        at += 1
    letter = data[first] | 32
    if not scheme or letter < 97 or letter > 122:
        return RELATIVE, first, escaped
    return GOOD, at, escaped


@kernel_step
def _label(data: U8, at: int) -> tuple[int, int]:
    """Pass the label of a blank node from behind its ``_:``: problem, byte behind."""
    first = at
    while True:
        byte = data[at]
        letter = byte | 32
        plain = 97 <= letter <= 122 or 48 <= byte <= 58 or byte == 95 or byte >= 128
        if not plain and (at == first or (byte != 45 and byte != 46)):
            break
        at += 1
    while at > first and data[at - 1] == 46:  # a label does not end with a point
        at -= 1
    return (GOOD if at > first else BAD_LABEL), at


@kernel_step
def _literal(data: U8, at: int) -> tuple[int, int, bool]:
    """Pass a literal from behind its first quote: problem, place of the other one, escapes."""
    escaped = False
    while data[at] != 34:
        byte = data[at]
        if byte == _NEWLINE or byte == _RETURN:
            return OPEN_LITERAL, at, escaped
        if byte == _BACKSLASH:
            escaped = True
            after = data[at + 1]
            if after == 117 or after == 85:
                point, behind = _code_point(data, at + 1)
                if point < 0:
                    return BAD_ESCAPE, at, escaped
                at = behind
                continue
            if after not in (116, 98, 110, 114, 102, 34, 39, _BACKSLASH):
                return BAD_ESCAPE, at, escaped
            at += 1
        at += 1
    return GOOD, at, escaped


@kernel_step
def _language(data: U8, at: int) -> tuple[int, int]:
    """Pass a language tag from behind its ``@``: problem, byte behind."""
    part = at
    first = True
    while True:
        byte = data[at]
        letter = byte | 32
        if 97 <= letter <= 122 or (not first and 48 <= byte <= 57):
            at += 1
        elif byte == 45 and at > part:
            at += 1
            part = at
            first = False
        else:
            return (GOOD if at > part else BAD_TAG), at


@kernel
def split_triples(data: U8, start: int, stop: int, spans: I64, flags: U8) -> tuple[int, int, int]:
    """Find the terms of each triple of ``data[start:stop]``, whole lines.

    Returns
    -------
    rows, problem, at : int
        ``at`` is the byte where the problem stands.
    """
    rows = 0
    at = start
    while at < stop:
        at = _blanks(data, at)
        if data[at] == _RETURN and data[at + 1] == _NEWLINE:
            at += 1
        if data[at] == _NEWLINE:
            at += 1
            continue
        if data[at] == 35:
            while data[at] != _NEWLINE:
                at += 1
            at += 1
            continue
        flag = 0
        escaped = False
        any_escape = False
        if data[at] == 60:
            spans[rows, 0] = at + 1
            problem, at, any_escape = _iri(data, at + 1)
            if problem != GOOD:
                return rows, problem, at
            spans[rows, 1] = at
            at += 1
        elif data[at] == 95 and data[at + 1] == 58:
            flag |= SUBJECT_BLANK
            spans[rows, 0] = at + 2
            problem, at = _label(data, at + 2)
            if problem != GOOD:
                return rows, problem, at
            spans[rows, 1] = at
        else:
            return rows, NO_SUBJECT, at
        at = _blanks(data, at)
        if data[at] != 60:
            return rows, NO_PREDICATE, at
        spans[rows, 2] = at + 1
        problem, at, escaped = _iri(data, at + 1)
        any_escape = any_escape or escaped
        if problem != GOOD:
            return rows, problem, at
        spans[rows, 3] = at
        at = _blanks(data, at + 1)
        spans[rows, 6] = at
        spans[rows, 7] = at
        if data[at] == 60:
            spans[rows, 4] = at + 1
            problem, at, escaped = _iri(data, at + 1)
            any_escape = any_escape or escaped
            if problem != GOOD:
                return rows, problem, at
            spans[rows, 5] = at
            at += 1
        elif data[at] == 95 and data[at + 1] == 58:
            flag |= BLANK
            spans[rows, 4] = at + 2
            problem, at = _label(data, at + 2)
            if problem != GOOD:
                return rows, problem, at
            spans[rows, 5] = at
        elif data[at] == 34:
            flag |= LITERAL
            spans[rows, 4] = at + 1
            problem, at, escaped = _literal(data, at + 1)
            any_escape = any_escape or escaped
            if problem != GOOD:
                return rows, problem, at
            spans[rows, 5] = at
            at += 1
            if data[at] == 64:
                flag |= LANGUAGE
                spans[rows, 6] = at + 1
                problem, at = _language(data, at + 1)
                if problem != GOOD:
                    return rows, problem, at
                spans[rows, 7] = at
            elif data[at] == 94:
                flag |= DATATYPE
                if data[at + 1] != 94 or data[at + 2] != 60:
                    return rows, BAD_TAG, at
                spans[rows, 6] = at + 3
                problem, at, escaped = _iri(data, at + 3)
                any_escape = any_escape or escaped
                if problem != GOOD:
                    return rows, problem, at
                spans[rows, 7] = at
                at += 1
        else:
            return rows, NO_OBJECT, at
        at = _blanks(data, at)
        if data[at] != 46:
            return rows, NO_END, at
        at = _blanks(data, at + 1)
        if data[at] == 35:
            while data[at] != _NEWLINE:
                at += 1
        if data[at] == _RETURN and data[at + 1] == _NEWLINE:
            at += 1
        if data[at] != _NEWLINE:
            return rows, AFTER_END, at
        at += 1
        flags[rows] = flag | (ESCAPED if any_escape else 0)
        rows += 1
    return rows, GOOD, stop


@kernel
def unescape(offsets: I64, data: U8, escaped: U8, out_offsets: I64, out: U8) -> None:
    """Copy texts, the escapes of those that are ``escaped`` undone; no text grows.

    ``out_offsets`` is (n + 1,), ``out`` at least as long as ``data``.
    """
    to = 0
    out_offsets[0] = 0
    for row in range(escaped.size):
        at = offsets[row]
        stop = offsets[row + 1]
        if escaped[row] == 0:
            for k in range(at, stop):
                out[to] = data[k]
                to += 1
            out_offsets[row + 1] = to
            continue
        while at < stop:
            byte = data[at]
            at += 1
            if byte == _BACKSLASH and at < stop:
                byte = data[at]
                if byte == 117 or byte == 85:
                    point, at = _code_point(data, at)
                    if point < 0x80:
                        out[to] = point
                        to += 1
                        continue
                    if point < 0x800:
                        out[to] = 0xC0 | (point >> 6)
                    else:
                        if point < 0x10000:
                            out[to] = 0xE0 | (point >> 12)
                        else:
                            out[to] = 0xF0 | (point >> 18)
                            to += 1
                            out[to] = 0x80 | ((point >> 12) & 63)
                        to += 1
                        out[to] = 0x80 | ((point >> 6) & 63)
                    to += 1
                    out[to] = 0x80 | (point & 63)
                    to += 1
                    continue
                at += 1
                if byte == 116:
                    byte = np.uint8(9)
                elif byte == 98:
                    byte = np.uint8(8)
                elif byte == 110:
                    byte = np.uint8(10)
                elif byte == 114:
                    byte = np.uint8(13)
                elif byte == 102:
                    byte = np.uint8(12)
            out[to] = byte
            to += 1
        out_offsets[row + 1] = to


# -- values -----------------------------------------------------------------------------------


@kernel_step
def _digits(data: U8, at: int, count: int) -> int:
    """The value of ``count`` digits, -1 if one is none."""
    value = 0
    for k in range(at, at + count):
        digit = data[k] - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@kernel_step
def _days(data: U8, at: int) -> tuple[bool, int]:
    """Days since 1970 of YYYY-MM-DD; H. Hinnant, chrono-compatible date algorithms (2013)."""
    year, month, day = _digits(data, at, 4), _digits(data, at + 5, 2), _digits(data, at + 8, 2)
    if year < 0 or month < 1 or month > 12 or day < 1 or data[at + 4] != 45 or data[at + 7] != 45:
        return False, 0
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    length = 31
    if month == 2:
        length = 29 if leap else 28
    elif month in (4, 6, 9, 11):
        length = 30
    if day > length:
        return False, 0
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return True, era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@kernel_step
def _is(data: U8, at: int, stop: int, word: int, length: int) -> bool:
    """Whether a text is the bytes of a number, the first one highest."""
    if stop - at != length:
        return False
    value = np.int64(0)
    for k in range(at, stop):
        value = (value << 8) | np.int64(data[k])
    return bool(value == word)


@kernel
def convert_values(offsets: I64, data: U8, wanted: U8, kinds: U8, words: U64, floats: F64) -> None:
    """Convert texts to the value that their datatype says, where that is exact.

    Parameters
    ----------
    offsets, data : texts
    wanted : (n,) uint8
        TEXT, INTEGER, DOUBLE, BOOLEAN, DATE or TIMESTAMP.
    kinds : (n,) uint8, written in place
        As wanted, or TEXT where the text is no such value; HARD for a float that is left out.
    words : (n,) uint64; floats : (n,) float64, the same memory; written in place
    """
    for row in range(wanted.size):
        at, stop = offsets[row], offsets[row + 1]
        kind = wanted[row]
        kinds[row] = TEXT
        words[row] = 0
        if kind == INTEGER:
            negative = stop > at and data[at] == 45
            first = at + 1 if negative else at
            length = stop - first
            if length < 1 or length > 19 or (data[first] == 48 and (length > 1 or negative)):
                continue
            value = np.uint64(0)
            others = 0
            for k in range(first, stop):
                digit = np.uint8(data[k] - 48)
                others += int(digit > 9)
                value = value * np.uint64(10) + np.uint64(digit)
            if others == 0 and value <= np.uint64(0x7FFFFFFFFFFFFFFF) + np.uint64(negative):
                words[row] = np.uint64(0) - value if negative else value
                kinds[row] = INTEGER
        elif kind == DOUBLE:
            if _is(data, at, stop, 0x4E614E, 3):
                floats[row] = np.nan
                kinds[row] = DOUBLE
            elif _is(data, at, stop, 0x494E46, 3) or _is(data, at, stop, 0x2B494E46, 4):
                floats[row] = np.inf
                kinds[row] = DOUBLE
            elif _is(data, at, stop, 0x2D494E46, 4):
                floats[row] = -np.inf
                kinds[row] = DOUBLE
            else:
                state, number = _parse_float(data, at, stop, True)
                if state == 1 and np.isfinite(number):
                    floats[row] = number
                    kinds[row] = DOUBLE
                elif state == 0:
                    kinds[row] = HARD
        elif kind == BOOLEAN:
            true = _is(data, at, stop, 0x74727565, 4) or _is(data, at, stop, 0x31, 1)
            if true or _is(data, at, stop, 0x66616C7365, 5) or _is(data, at, stop, 0x30, 1):
                words[row] = np.uint64(true)
                kinds[row] = BOOLEAN
        elif kind == DATE and stop - at == 10:
            good, days = _days(data, at)
            if good:
                words[row] = np.uint64(np.int64(days))
                kinds[row] = DATE
        elif kind == TIMESTAMP and stop - at == 19:
            good, days = _days(data, at)
            hour, minute = _digits(data, at + 11, 2), _digits(data, at + 14, 2)
            second = _digits(data, at + 17, 2)
            good = good and data[at + 10] == 84 and data[at + 13] == 58 and data[at + 16] == 58
            good = good and 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60
            if good:
                words[row] = np.uint64(np.int64(days * 86400 + hour * 3600 + minute * 60 + second))
                kinds[row] = TIMESTAMP
