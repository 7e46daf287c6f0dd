"""Presence bitmaps: bit ``s mod 8`` of byte ``s div 8`` belongs to slot ``s``.

bitmap  uint8  (b,)  slots behind its end have bit 0
"""

import numpy as np

from nkgraph.dtypes import I64, U8, Bool
from nkgraph.kernels._jit import kernel


@kernel
def unpack_bits(bitmap: U8, present: Bool) -> None:
    """Write the bits of slots 0 to ``present.size - 1``."""
    whole = min(bitmap.size, present.size // 8)
    for byte in range(whole):
        bits = bitmap[byte]
        for k in range(8):
            present[8 * byte + k] = (bits >> np.uint8(k)) & np.uint8(1)
    for slot in range(8 * whole, present.size):
        byte = slot // 8
        present[slot] = byte < bitmap.size and (bitmap[byte] >> np.uint8(slot % 8)) & np.uint8(1)


@kernel
def gather_bits(bitmap: U8, slots: I64, present: Bool) -> None:
    """Write the bits of chosen slots, none of them negative."""
    for i in range(slots.size):
        byte = slots[i] >> 3
        bit = False
        if byte < bitmap.size:
            bit = (bitmap[byte] >> np.uint8(slots[i] & 7)) & np.uint8(1) != 0
        present[i] = bit


@kernel
def set_bits(slots: I64, first_byte: int, bits: U8) -> None:
    """Set the bits of slots. ``bits`` holds the bitmap from ``first_byte`` on."""
    for i in range(slots.size):
        bits[(slots[i] >> 3) - first_byte] |= np.uint8(1 << (slots[i] & 7))
