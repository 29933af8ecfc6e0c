"""The slice by which a model shows that it works."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Least height and width; enough for a network with four downsamplings.
_LEAST_SIZE = 64


def canary_slices(size_multiple: int) -> npt.NDArray[np.uint8]:
    """A patient in rough outline: air, soft tissue, a ring of cortical bone around marrow.

    Args:
        size_multiple: Height and width are multiples of it.

    Returns:
        (1, H, W) uint8, 0..255.
    """
    size = -(-_LEAST_SIZE // size_multiple) * size_multiple
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    radius = np.hypot(rows, columns)
    slices = np.zeros((1, size, size), np.uint8)
    slices[0, radius < 0.45] = 40
    slices[0, radius < 0.25] = 255
    slices[0, radius < 0.15] = 110
    return slices
