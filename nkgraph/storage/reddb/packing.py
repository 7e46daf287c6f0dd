"""Compressed text and blobs: zstd frames whose declared size is not believed."""

from collections.abc import Callable

from nkgraph.storage.reddb.cursor import Cursor

_STEP = 1 << 10
"""Bytes given at a time: a block of 4 makes at most 128 KiB, so one step at most 32 MiB."""
_WINDOW = 1 << 27
"""The most that a frame may ask to look back, unless its value is longer."""


def packer(level: int) -> Callable[[bytes], bytes]:
    """Return what compresses to one frame with content size, without checksum.

    For many values on one thread: making it takes as long as compressing a short one.
    """
    import zstandard

    return zstandard.ZstdCompressor(level=level, write_content_size=True).compress


def pack(data: bytes, level: int) -> bytes:
    """Compress to one frame, as ``packer`` does."""
    return packer(level)(data)


def unpack(cursor: Cursor, field: str) -> bytes:
    """Read a declared length, a length, and so many bytes of frames; decompress them.

    Less than declared is filled up with NUL, as every reader of the format does, and is a remark.

    Raises
    ------
    FormatError
        No frame, one that is cut short, bytes behind the last one, or more than declared.
    LimitError
        The declared lengths are beyond the limits.
    """
    at = cursor.at
    declared = cursor.varint(field, 32)
    limits = cursor.limits
    if declared > limits.value_bytes:
        cursor.exceed(field, at, f"{declared} bytes", "value_bytes", limits.value_bytes)
    size = cursor.varint(field, 32)
    start = cursor.skip(size, field)
    cursor.unpacked += declared
    if cursor.unpacked > limits.total_bytes:
        total = f"{cursor.unpacked} bytes of compressed values"
        cursor.exceed(field, at, total, "total_bytes", limits.total_bytes)
    data = _decompress(cursor, field, start, declared)
    if len(data) < declared:
        problem = f"{len(data)} bytes are filled up with NUL to the {declared} declared"
        cursor.remark(field, at, problem, f"{declared} bytes")
        data = data.ljust(declared, b"\0")
    return data


def _decompress(cursor: Cursor, field: str, start: int, declared: int) -> bytes:
    import zstandard

    out: list[bytes] = []
    at, stop, total = start, cursor.at, 0
    window = max(_WINDOW, declared)
    try:
        while at < stop:
            frame = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()
            while not frame.eof and at < stop:
                step = cursor.data[at : min(at + _STEP, stop)]
                piece = frame.decompress(step)
                at += len(step)
                total += len(piece)
                if total > declared:
                    found = "a frame that goes on"
                    cursor.fail(field, start, f"{declared} bytes when decompressed", found)
                out.append(piece)
            if not frame.eof:
                cursor.fail(field, at, "more of a zstd frame", "its end")
            at -= len(frame.unused_data)
    except zstandard.ZstdError as error:
        cursor.fail(field, start, "a zstd frame", error)
    return b"".join(out)
