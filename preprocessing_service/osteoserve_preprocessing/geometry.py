"""Where voxels lie in the patient: the one definition that client, service and export share.

The frame is DICOM's patient coordinate system, LPS (PS3.3 C.7.6.2.1.1): x grows to the patient's
left, y to the back, z to the head, in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import GeometryError, VoxelError

Vector = tuple[float, float, float]

#: How far the direction matrix may be from orthonormal, per element. DICOM writes cosines with
#: as few as four decimals; a shear by 0.1 degree (gantry tilt) is 1.7e-3.
DIRECTION_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Geometry:
    """A regular grid of voxels in the patient.

    The centre of voxel (k, j, i) lies at
    ``origin + direction @ (i * spacing_x, j * spacing_y, k * spacing_z)`` in LPS, mm.

    Args:
        shape: (Z, Y, X) number of slices, rows and columns; each at least 1.
        spacing: (z, y, x) distance of voxel centres in mm; each above 0.
        origin: (x, y, z) centre of voxel (0, 0, 0) in LPS, mm.
        direction: 3 rows of 3; column 0 is the LPS unit vector along which the column index i
            grows, column 1 that of the row index j, column 2 that of the slice index k.

    Raises:
        GeometryError: A size or spacing is not positive, a number is not finite, or the
            direction is not orthonormal (a sheared grid, as of a tilted gantry).
    """

    shape: tuple[int, int, int]
    spacing: Vector
    origin: Vector = (0.0, 0.0, 0.0)
    direction: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        direction = np.array(self.direction, dtype=np.float64)
        direction.flags.writeable = False
        object.__setattr__(self, "direction", direction)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "spacing", tuple(float(s) for s in self.spacing))
        object.__setattr__(self, "origin", tuple(float(c) for c in self.origin))
        self._check()

    def _check(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(f"shape must be three positive sizes (Z, Y, X), not {self.shape}")
        if len(self.spacing) != 3 or not np.isfinite(self.spacing).all() or min(self.spacing) <= 0:
            raise GeometryError(
                f"spacing must be three positive distances in mm (z, y, x), not {self.spacing}"
            )
        if len(self.origin) != 3 or not np.isfinite(self.origin).all():
            raise GeometryError(f"origin must be three finite coordinates in mm, not {self.origin}")
        if self.direction.shape != (3, 3) or not np.isfinite(self.direction).all():
            raise GeometryError("direction must be a finite 3x3 matrix")
        gram = self.direction.T @ self.direction
        if np.abs(gram - np.eye(3)).max() > DIRECTION_TOLERANCE:
            raise GeometryError("direction is not orthonormal: the grid is sheared or scaled")

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """4x4 matrix from (i, j, k, 1), column, row and slice index, to (x, y, z, 1) in LPS, mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction * np.array(self.spacing[::-1])
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    def matches(self, other: Geometry, *, tolerance_mm: float = 1e-3) -> bool:
        """Whether every corner voxel of the two grids lies at the same place."""
        if self.shape != other.shape:
            return False
        corners = np.array(
            [
                (i, j, k, 1)
                for k in (0, self.shape[0] - 1)
                for j in (0, self.shape[1] - 1)
                for i in (0, self.shape[2] - 1)
            ]
        ).T
        return bool(np.abs((self.affine - other.affine) @ corners).max() <= tolerance_mm)


@dataclass(frozen=True, eq=False)
class Volume:
    """A CT volume.

    Args:
        voxels: (Z, Y, X) int16, HU.
        geometry: Where they lie.

    Raises:
        VoxelError: The dtype is not int16.
        GeometryError: The array's shape is not the geometry's.
    """

    voxels: npt.NDArray[np.int16]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.voxels.dtype != np.int16:
            raise VoxelError(f"voxels must be int16 HU, not {self.voxels.dtype}")
        if self.voxels.shape != self.geometry.shape:
            raise GeometryError(
                f"voxels have shape {self.voxels.shape}, the geometry says {self.geometry.shape}"
            )
