"""Variable-length integers: unsigned LEB128, as the format's section 2 has them.

A number of 32 bits takes up to 5 bytes, one of 64 up to 10. Padded forms are read too, and bits
that do not fit are dropped by every reader of the format; ``read`` says so.
"""

from nkgraph.errors import GraphError

CUT_SHORT, TOO_LONG = -1, -2
"""What ``read`` gives in place of a number that ends behind the buffer, or does not end."""


def read(data: memoryview, at: int, stop: int, bits: int = 64) -> tuple[int, int, bool]:
    """Read the number at ``at``.

    Parameters
    ----------
    data : memoryview of bytes
    at, stop : int
        Where it starts, and where the buffer ends.
    bits : 32 or 64

    Returns
    -------
    value : int
        Or ``CUT_SHORT`` or ``TOO_LONG``.
    at : int
        The byte behind it.
    dropped : bool
        Whether bits above ``bits`` were set; they are not in ``value``.

    Examples
    --------
    >>> read(memoryview(bytes.fromhex("8008")), 0, 2)
    (1024, 2, False)
    >>> read(memoryview(bytes.fromhex("8180808070")), 0, 5, 32)
    (1, 5, True)
    """
    value, shift, longest = 0, 0, at - (-bits // 7)
    for place in range(at, min(stop, longest)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            kept = value & ((1 << bits) - 1)
            return kept, place + 1, kept != value
        shift += 7
    return (CUT_SHORT if stop < longest else TOO_LONG), stop, False


def write(out: bytearray, value: int, bits: int = 64, what: str = "number") -> None:
    """Append ``value`` in its shortest form.

    Raises
    ------
    GraphError
        It is negative or has more bits; names ``what``.

    Examples
    --------
    >>> out = bytearray()
    >>> write(out, 1024)
    >>> out.hex()
    '8008'
    """
    if 0 <= value <= 0x7F:
        out.append(value)
        return
    if not 0 <= value < 1 << bits:
        raise GraphError(f"{what}: {value} is not a number of {bits} bits without sign")
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
