"""Whether two ways found the same, by the files that they left on disk."""

# nibabel's methods carry no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.metrics import Confusion

#: Of a voxel's place, mm.
TOLERANCE_MM = 1e-3


def dice(found: Path, expected: Path) -> float:
    """Dice index of two label maps in patient space.

    Args:
        found: NIfTI; 0 is background, all else the skeleton.
        expected: The same, with axes stored in any order and direction.

    Returns:
        0..1; NaN where neither holds a voxel.

    Raises:
        ValueError: They do not lie on the same voxels of the patient.
    """
    (one, one_affine), (other, other_affine) = map(_canonical, (found, expected))
    if one.shape != other.shape or np.abs(one_affine - other_affine).max() > TOLERANCE_MM:
        raise ValueError(f"{found.parent.name} and {expected.parent.name} left different grids")
    return Confusion.of(one, other).dice


def _canonical(path: Path) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Voxels and affine with axes to the right, front and head."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    return np.asanyarray(image.dataobj) > 0, image.affine
