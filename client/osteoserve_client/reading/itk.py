"""The few calls of SimpleITK that are needed, on NumPy arrays and affines."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import SimpleITK

#: SimpleITK's own stubs leave most of its calls untyped.
sitk: Any = SimpleITK

Voxel = TypeVar("Voxel", bound=np.generic)


def resampled(
    voxels: npt.NDArray[Voxel],
    source: npt.NDArray[np.float64],
    target: npt.NDArray[np.float64],
    shape: tuple[int, int, int],
    *,
    outside: float = 0.0,
    nearest: bool = False,
) -> npt.NDArray[Voxel]:
    """An image on another grid; either may be sheared.

    Args:
        voxels: (Z, Y, X) on the source grid.
        source: 4x4 affine from (i, j, k, 1) of the source grid to (x, y, z, 1) in LPS, mm.
        target: The same of the target grid.
        shape: (Z, Y, X) of the target grid.
        outside: Value where the source has none.
        nearest: Nearest neighbour instead of linear interpolation.

    Returns:
        (Z, Y, X) of ``shape``, of the same dtype.
    """
    reference = sitk.Image([int(n) for n in shape[::-1]], sitk.sitkUInt8)
    _place(reference, target)
    image = sitk.GetImageFromArray(voxels)
    _place(image, source)
    interpolator = sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear
    found = sitk.Resample(image, reference, sitk.Transform(), interpolator, float(outside))
    return np.asarray(sitk.GetArrayFromImage(found), dtype=voxels.dtype)


def _place(image: Any, affine: npt.NDArray[np.float64]) -> None:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    # ITK maps indices through spacing and direction; it needs these invertible, not orthogonal.
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
