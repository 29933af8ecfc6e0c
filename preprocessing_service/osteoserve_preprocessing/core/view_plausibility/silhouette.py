"""The body's outline, soft enough for few counts and blind to hot spots."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from osteoserve_preprocessing.core.scintigram import BODY_SHARE

Counts: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
Silhouette: TypeAlias = npt.NDArray[np.float64]

#: Columns of a view for each column of the blur's standard deviation: 4 of 256, about 1 cm.
COLUMNS_PER_SIGMA = 64


def silhouette(counts: Counts) -> Silhouette:
    """Blurred counts, saturated at those of soft tissue.

    Counts ``c`` become ``c / (c + m)`` with ``m`` the median within the body. Air is 0, soft tissue
    about one half, and the hottest spot stays below 1, so that the outline and the limbs weigh more
    than what one detector sees and the other does not. The scale of the counts cancels.

    Args:
        counts: (Y, X), some above 0.

    Returns:
        (Y, X) float64, 0..1.
    """
    blurred = ndimage.gaussian_filter(
        counts.astype(np.float64), counts.shape[1] / COLUMNS_PER_SIGMA, mode="constant"
    )
    inside = blurred > BODY_SHARE * float(counts.mean())
    # Of a view of few rows the blur leaves next to nothing, and none of that is inside.
    tissue = float(np.median(blurred[inside]) if inside.any() else blurred.max())
    soft: Silhouette = blurred / (blurred + tissue)
    return soft
