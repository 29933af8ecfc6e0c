"""HU to grey levels for display."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Lower and upper limit, HU. Slices: bone, with soft tissue still to be told from air and fat.
SLICE_WINDOW = (-250, 850)

#: Projections show the brightest voxel of a whole ray, which is hardly ever below soft tissue.
PROJECTION_WINDOW = (-150, 1050)


def grey(values: npt.NDArray[np.int16], window: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Map HU linearly to 0..255, black below the window and white above it.

    Args:
        values: int16, HU, any shape.
        window: Lower and upper limit, HU.

    Returns:
        uint8, the same shape.
    """
    lower, upper = window
    scaled = (values.astype(np.float32) - lower) * (255.0 / (upper - lower))
    return np.asarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
