"""Agreement of two label maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import ParityError


@dataclass(frozen=True)
class LabelAgreement:
    """How well two label maps agree on one label.

    Args:
        label: Its name.
        pixels: How many pixels have it in the expected map.
        dice: 2 |A and B| / (|A| + |B|); 1 where neither has a pixel.
    """

    label: str
    pixels: int
    dice: float


def compare_masks(
    expected: npt.NDArray[np.uint8], found: npt.NDArray[np.generic], names: Mapping[int, str]
) -> tuple[LabelAgreement, ...]:
    """Compare label by label.

    Args:
        expected: (N, H, W) uint8.
        found: The same, from an exported file.
        names: Of the label values; background is left out.

    Raises:
        ParityError: Type or shape differ, or a value is no label.
    """
    if found.shape != expected.shape or found.dtype != np.uint8:
        raise ParityError(f"the answer is {found.dtype} {found.shape}, not uint8 {expected.shape}")
    strange = sorted(set(np.unique(found).tolist()) - {0, *names})
    if strange:
        raise ParityError(f"the answer holds {strange}, which are no labels")
    return tuple(
        label_agreement(name, expected == value, found == value) for value, name in names.items()
    )


def label_agreement(
    name: str, expected: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]
) -> LabelAgreement:
    """Compare one label.

    Args:
        name: Of the label.
        expected: Its pixels, any shape.
        found: The same, from an exported file.
    """
    pixels, others = int(np.count_nonzero(expected)), int(np.count_nonzero(found))
    both = int(np.count_nonzero(expected & found))
    dice = 2.0 * both / (pixels + others) if pixels + others else 1.0
    return LabelAgreement(name, pixels, dice)
