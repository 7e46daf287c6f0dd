"""Values as tagged words: one at a time, and a column at a time.

The word layout stands in ``nkgraph.kernels.words``.
"""

import struct
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from nkgraph import kernels, threads
from nkgraph.arrays import read_only
from nkgraph.dtypes import I64, U64, Bool
from nkgraph.errors import FormatError
from nkgraph.storage import columns
from nkgraph.storage.columns import AnyColumn, FixedColumn, MixedColumn, TextColumn
from nkgraph.storage.sparrowdb.node_files import TOMBSTONE
from nkgraph.storage.sparrowdb.string_heap import Heap
from nkgraph.storage.text import TextArray
from nkgraph.storage.values import Values

__all__ = ["FLOAT", "HEAP", "INLINE", "INT", "TOMBSTONE", "decode_words"]
INT, INLINE, HEAP, FLOAT = 0, 1, 2, 3
"""Tags; every other one reads as ``INT``."""
_LEAST = 1 << 21
"""Rows a thread; fewer are decoded faster than a thread starts."""
ALL_VALID = read_only(np.zeros(0, bool))
"""What kernels take where every row has a value."""


def decode_words(
    words: U64, valid: Bool | None, heap: Heap, where: Path, row_of: I64 | None = None
) -> AnyColumn:
    """Decode one column.

    Parameters
    ----------
    words : (n,) uint64
    valid : (n,) bool or None
        Which rows have a value; None if all.
    heap : Heap
    where : Path
        The file that errors name.
    row_of : (n,) int64, optional
        Slot of each row, for errors; without it the row is the slot.

    Returns
    -------
    AnyColumn
        Integers, floats or text, mixed where kinds differ. The deletion mark reads as -1.

    Raises
    ------
    FormatError
        A pointer out of the heap, a float whose length is not 8, bytes that are not UTF-8.

    Notes
    -----
    O(n) and the bytes of the texts. Pointers are checked, in one pass, before one is followed.
    """
    words = read_only(words)
    rows = ALL_VALID if valid is None or valid.all() else read_only(valid)
    valid = rows if rows.size else None
    if valid is not None and not valid.any():
        return columns.absent(words.size)
    numbers = np.empty(words.size, np.int64)
    if _decode_ints(words, rows, numbers):
        return FixedColumn("int64", numbers, valid)
    found = survey(words, rows, heap, where, row_of)
    ints, texts, floats = found[:3].tolist()
    if not texts and not floats:
        kernels.words.force_ints(words, rows, numbers)
        return FixedColumn("int64", numbers, valid)
    del numbers
    if not ints and not texts:
        bits = np.empty(words.size, np.uint64)
        kernels.words.decode_floats(words, rows, heap.data, bits)
        return FixedColumn("float64", bits.view(np.float64), valid)
    if not ints and not floats:
        text = gather_texts(words, rows, heap)
        _check_utf8(text, words, None, where, row_of)
        return TextColumn(text, valid)
    held = np.flatnonzero(_is_text(words) & (True if valid is None else valid))
    _check_utf8(gather_texts(words[held], ALL_VALID, heap), words, held, where, row_of)
    tags = np.empty(words.size, np.uint8)
    out = np.empty(words.size, np.uint64)
    own = np.empty(int(found[kernels.words.BYTES]) + 8 * texts, np.uint8)
    kernels.words.to_values(words, rows, heap.data, tags, out, own)
    return MixedColumn(Values(tags, out, own))


def survey(words: U64, rows: Bool, heap: Heap, where: Path, row_of: I64 | None = None) -> I64:
    """Count the kinds of valid rows and check their pointers.

    Returns the integers, texts, floats, and bytes of the texts; (5,) int64, the last of no use.
    """
    found = np.zeros(5, np.int64)
    bad = kernels.words.survey(words, read_only(rows), heap.data.size, found)
    if bad >= 0:
        raise _pointer_error(int(words[bad]), int(found[4]), heap, where, _slot(bad, row_of))
    return found


def gather_texts(words: U64, rows: Bool, heap: Heap) -> TextArray:
    """Copy out byte strings whose pointers were checked; rows without a value are empty."""
    words = read_only(words)
    offsets = np.empty(words.size + 1, np.int64)
    kernels.words.text_offsets(words, rows, offsets)
    offsets = read_only(offsets)
    data = np.empty(int(offsets[-1]), np.uint8)
    kernels.words.text_bytes(words, heap.data, offsets, data)
    return TextArray(offsets, data)


def _decode_ints(words: U64, rows: Bool, out: I64) -> bool:
    """Decode on all threads; False if a word is no integer."""
    decode = kernels.words.decode_ints
    jobs = [
        partial(decode, words[start:stop], rows[start:stop], out[start:stop])
        for start, stop in threads.split(words.size, least=_LEAST)
    ]
    return all(threads.run(jobs))


def _is_text(words: U64) -> Bool:
    tags = words >> np.uint64(56)
    texts: Bool = (tags == INLINE) | (tags == HEAP)
    return texts


def _slot(row: int, row_of: I64 | None) -> int:
    return int(row) if row_of is None else int(row_of[row])


def _pointer_error(
    word: int, status: int, heap: Heap, where: Path, slot: int | None
) -> FormatError:
    at, length = pointer(word)
    field = f"word 0x{word:016x}" if slot is None else f"slot {slot}"
    offset = None if slot is None else 8 * slot
    if status == kernels.words.FLOAT_LENGTH:
        return FormatError(where, field, offset, "a float of 8 bytes", length)
    expected = f"bytes within the {len(heap)} of {heap.path.name}"
    return FormatError(where, field, offset, expected, f"{at} to {at + length}")


def _check_utf8(
    text: TextArray, words: U64, rows: I64 | None, where: Path, row_of: I64 | None
) -> None:
    if not text.data.size or int(text.data.max()) < 0x80:
        return  # ASCII
    bad = text.first_bad()
    if bad < 0:
        return
    row = bad if rows is None else int(rows[bad])
    slot = _slot(row, row_of)
    found = text.data[text.offsets[bad] : text.offsets[bad + 1]].tobytes()
    shown = repr(found[:40]) + ("..." if len(found) > 40 else "")
    raise FormatError(where, f"slot {slot}", 8 * slot, "text in UTF-8", shown)


def has_texts(words: U64, valid: Bool | None) -> bool:
    """Whether a valid row is a byte string."""
    return bool((_is_text(words) & (True if valid is None else valid)).any())


def decode_binary(
    words: U64, valid: Bool | None, heap: Heap, where: Path, row_of: I64 | None = None
) -> tuple[np.ndarray, Bool | None]:
    """Decode one column to an object array with byte strings as ``bytes``; None where absent."""
    rows = ALL_VALID if valid is None or valid.all() else read_only(valid)
    words = read_only(words)
    survey(words, rows, heap, where, row_of)
    result = np.full(words.size, None, object)
    texts = np.flatnonzero(_is_text(words) & (True if valid is None else valid))
    text = gather_texts(words[texts], ALL_VALID, heap)
    data, edges = text.data.tobytes(), text.offsets.tolist()
    pieces = np.empty(texts.size, object)
    pieces[:] = [data[start:stop] for start, stop in pairwise(edges)]
    result[texts] = pieces
    others = ~_is_text(words) & (True if valid is None else valid)
    for tag in (FLOAT, INT):
        chosen = np.flatnonzero(others & ((words >> np.uint64(56) == FLOAT) == (tag == FLOAT)))
        if chosen.size:
            column = decode_words(words[chosen], None, heap, where, chosen)
            result[chosen] = columns.to_user(column)[0].astype(object)
    return result, rows if rows.size else None


def decode_one(word: int, heap: Heap, where: Path, slot: int | None = None) -> int | float | bytes:
    """Decode one word: an integer, bytes or a float.

    Raises
    ------
    FormatError
        A pointer out of the heap, a float whose length is not 8.
    """
    tag = word >> 56
    if tag == INLINE:
        return (word & ((1 << 56) - 1)).to_bytes(7, "little").partition(b"\0")[0]
    if tag not in (HEAP, FLOAT):
        number = word & ((1 << 56) - 1)
        return number - (1 << 56) if number >> 55 else number
    at, length = pointer(word)
    if (tag == FLOAT and length != 8) or (length and at + length > len(heap)):
        status = kernels.words.FLOAT_LENGTH if tag == FLOAT and length != 8 else 0
        raise _pointer_error(word, status, heap, where, slot)
    data = heap.data[at : at + length].tobytes()
    found: float = struct.unpack("<d", data)[0] if tag == FLOAT else 0.0
    return found if tag == FLOAT else data


def pointer(word: int) -> tuple[int, int]:
    """Offset and length of a word that points into the heap."""
    return word & ((1 << 40) - 1), (word >> 40) & 0xFFFF
