"""From stored numbers to counts, or a refusal of numbers that cannot be counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import CountsError

Numbers = npt.NDArray[np.integer[Any]]

_MOST = int(np.iinfo(np.uint16).max)


def to_counts(
    stored: Numbers, name: str, *, slope: float = 1.0, intercept: float = 0.0, lossy: bool = False
) -> npt.NDArray[np.uint16]:
    """Counts = slope x stored + intercept, where these are whole and fit.

    Args:
        stored: (Y, X) integers.
        name: How messages call the frame.
        slope: Rescale Slope.
        intercept: Rescale Intercept.
        lossy: Whether a lossy compression may have brought values below zero; these become 0.

    Returns:
        (Y, X) uint16.

    Raises:
        CountsError: Counts are negative, no whole numbers, above 65535, or all zero.
    """
    counts = stored.astype(np.float64) * slope + intercept
    whole = np.rint(counts)
    # A slope has six digits or so: 1e-3 of a count is its rounding, not a fraction.
    if not np.allclose(counts, whole, rtol=0, atol=1e-3):
        raise CountsError(f"{name}: its Rescale Slope or Intercept makes fractions of counts")
    if lossy:
        whole = np.maximum(whole, 0)
    if whole.min() < 0:
        raise CountsError(f"{name}: has negative counts")
    if whole.max() > _MOST:
        raise CountsError(f"{name}: has more than {_MOST} counts in a pixel")
    if not whole.any():
        raise CountsError(f"{name}: has no counts")
    found: npt.NDArray[np.uint16] = whole.astype(np.uint16)
    return found


def air_is_bright(pixels: npt.NDArray[np.number[Any]]) -> bool:
    """Whether the image's margin is brighter than the image: grey was inverted for display.

    Around the patient is air, which emits nothing.

    Args:
        pixels: (Y, X) numbers.
    """
    margin = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return bool(np.median(margin) > pixels.mean())
