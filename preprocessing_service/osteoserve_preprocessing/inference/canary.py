"""The image by which a model shows that it works."""

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


def canary_views(image_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A body in rough outline, once in either half.

    Args:
        image_size: (H, W), pixels.

    Returns:
        (1, H, W) uint8, 0..255.
    """
    height, width = image_size
    rows, columns = np.mgrid[:height, :width]
    across = (columns % max(1, width // 2)) / max(1, width // 2) - 0.5
    views = np.zeros((1, height, width), np.uint8)
    views[0, np.hypot(2 * across, 2 * rows / height - 1) < 0.8] = 40
    views[0, (np.abs(across) < 0.05) & (np.abs(rows / height - 0.4) < 0.2)] = 200
    return views
