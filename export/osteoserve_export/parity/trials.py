"""What an export is tried on: images with structure, since noise proves nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Trial:
    """Images of one study: slices, or two views side by side.

    Args:
        name: How the report calls the study; nothing of a patient.
        images: (N, H, W) uint8, as the service would send them to the model.
        anatomical: Whether they show a patient, or a phantom of one.
    """

    name: str
    images: npt.NDArray[np.uint8]
    anatomical: bool = True


def ellipses(count: int, height: int, width: int, *, seed: int = 0) -> Trial:
    """Noise with bright ellipses, for sizes that no study has.

    Args:
        count: N.
        height: H, pixels.
        width: W, pixels.
        seed: Of everything random.
    """
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    grey = random.normal(40.0, 12.0, (count, height, width))
    for slice_ in grey:
        for _ in range(12):
            row, column = random.uniform(0, height), random.uniform(0, width)
            radius, longer = random.uniform(4, 16), random.uniform(1, 3)
            inside = ((y - row) / radius) ** 2 + ((x - column) / radius / longer) ** 2 < 1
            slice_[inside] = random.uniform(120, 255)
    images = np.clip(grey, 0, 255).astype(np.uint8)
    return Trial(f"ellipses {height}x{width}", images, anatomical=False)
