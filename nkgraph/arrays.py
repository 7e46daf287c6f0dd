"""The one form in which kernels are given arrays that they only read."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """View ``array`` as read-only, C-contiguous and aligned: the one form that kernels compile for.

    A read-only array is another type to numba than a writable one, and file arrays are
    read-only. Copies only what is not contiguous or not aligned.
    """
    flags = array.flags
    whole = array if flags.c_contiguous and flags.aligned else np.require(array, None, ["C", "A"])
    view = whole.view(np.ndarray)
    view.flags.writeable = False
    return view
