"""Finds slices of a tilted gantry, and resamples them onto a grid without shear when asked to.

A gantry tilted by an angle scans parallel slices that are shifted against each other within their
plane. Read as if they were a box, anatomy leans by that angle. The rectified grid keeps the
slices' planes (nothing is interpolated across slices), is as wide as all shifted slices together,
and has its third axis along their normal.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import GantryTiltError
from osteoserve_client.reading.dicom.rescale import AIR_HU
from osteoserve_client.reading.dicom.stack import Stack
from osteoserve_client.reading.itk import resampled
from osteoserve_client.study import ShearedGrid
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Shear, or stated tilt, up to which slices count as a box; degrees.
MAX_TILT_DEGREES = 0.1


def shear_degrees(stack: Stack) -> float:
    """Angle between the step from slice to slice and the slices' normal."""
    across = stack.step - stack.spacing * stack.normal
    return math.degrees(math.atan2(float(np.linalg.norm(across)), stack.spacing))


def is_tilted(stack: Stack, *, resample: bool) -> bool:
    """Whether the slices must be resampled; False when they form a box.

    Args:
        stack: The slices in order.
        resample: Whether the caller wants tilted slices resampled.

    Raises:
        GantryTiltError: They are sheared by more than 0.1 degree and resampling was not asked
            for; or Gantry/Detector Tilt says so, while their positions do not: where they lie is
            then unknown, and resampling does not help.
    """
    sheared = shear_degrees(stack)
    stated = max((one.tilt for one in stack.slices), key=abs)
    if sheared <= MAX_TILT_DEGREES and abs(stated) <= MAX_TILT_DEGREES:
        return False
    name = stack.slices[0].name
    if len(stack.slices) > 1 and sheared <= MAX_TILT_DEGREES:
        raise GantryTiltError(
            f"{name}: Gantry/Detector Tilt is {stated:g} degrees, but the slices' positions show "
            "none: where they lie is uncertain, and resampling cannot mend it"
        )
    if not resample:
        raise GantryTiltError(
            f"{name}: the gantry was tilted by {max(sheared, abs(stated)):.1f} degrees, so the "
            "slices form no box; ask for resampling (--resample-tilt) onto a rectified grid"
        )
    return len(stack.slices) > 1


def sheared_grid(stack: Stack, shape: tuple[int, int, int]) -> ShearedGrid:
    """Where the source's slices lie: (Z, Y, X) and the affine from (i, j, k, 1) to LPS, mm."""
    first = stack.slices[0]
    between_rows, between_columns = first.pixel_spacing
    affine = np.eye(4)
    affine[:3, 0] = first.row * between_columns
    affine[:3, 1] = first.column * between_rows
    affine[:3, 2] = stack.step
    affine[:3, 3] = first.position
    return ShearedGrid(shape, affine)


def rectify(voxels: npt.NDArray[np.int16], grid: ShearedGrid) -> Volume:
    """Resamples sheared slices onto a box, linearly within each slice.

    Args:
        voxels: (Z, Y, X) int16, HU, of the slices.
        grid: Where they lie.

    Returns:
        The volume on the rectified grid: slice k lies in the plane of source slice k; what no
        slice covers is air (-1024 HU).
    """
    geometry = _rectified(grid)
    # Floating point, rounded afterwards: for integers ITK cuts decimals off.
    found = resampled(
        voxels.astype(np.float32), grid.affine, geometry.affine, geometry.shape, outside=AIR_HU
    )
    return Volume(np.rint(found).astype(np.int16), geometry)


def shear_back(
    labels: npt.NDArray[np.uint8], geometry: Geometry, grid: ShearedGrid
) -> npt.NDArray[np.uint8]:
    """Labels of a rectified grid, brought onto the source's slices (nearest neighbour).

    Args:
        labels: (Z, Y, X) uint8 on ``geometry``.
        geometry: The rectified grid.
        grid: The source's slices.

    Returns:
        (Z, Y, X) uint8 with the shape of ``grid``.
    """
    return resampled(labels, geometry.affine, grid.affine, grid.shape, nearest=True)


def _rectified(grid: ShearedGrid) -> Geometry:
    """The smallest box around all slices whose pixels coincide with those of the first slice."""
    columns = grid.affine[:3, :3]
    spacing = np.linalg.norm(columns[:, :2], axis=0)
    row, column = (columns[:, :2] / spacing).T
    normal = np.cross(row, column)
    z, y, x = grid.shape
    # How many pixels the last slice is shifted along rows and columns.
    shift = np.array([columns[:, 2] @ row, columns[:, 2] @ column]) * (z - 1) / spacing
    before = np.ceil(np.maximum(-shift, 0) - 1e-6)
    after = np.ceil(np.maximum(shift, 0) - 1e-6)
    origin = grid.affine[:3, 3] - columns[:, :2] @ before
    shape = np.array([x, y]) + before + after
    return Geometry(
        shape=(z, int(shape[1]), int(shape[0])),
        spacing=(float(columns[:, 2] @ normal), float(spacing[1]), float(spacing[0])),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=np.stack([row, column, normal], axis=1),
    )
