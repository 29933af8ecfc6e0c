"""The study as it is shown: axes along the patient's, whatever way it was stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.geometry import Geometry, Vector, Volume

#: What is fainter is air, HU.
AIR = -400

#: Rim that is left around the body, mm: letters and bars find room there.
RIM_MM = 12.0


@dataclass(frozen=True, eq=False)
class DisplayVolume:
    """Views of a study's arrays, flipped and permuted so that axes follow the patient's.

    Args:
        voxels: (Z, Y, X) int16, HU; z grows to the head, y to the back, x to the patient's left.
        labels: (Z, Y, X) uint8, likewise.
        spacing: (z, y, x) mm.
        heights: (Z,) z coordinate of every slice's centre in LPS, mm.
        source_slices: Index on the study's own grid of every slice; empty where its slices are
            not the axial ones.
        obliquity: Largest angle between an axis of the grid and the patient's axis that it is
            shown as, degrees.
    """

    voxels: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    spacing: Vector
    heights: npt.NDArray[np.float64]
    source_slices: tuple[int, ...]
    obliquity: float

    @property
    def extent(self) -> Vector:
        """(z, y, x) size in mm, from the outer face of the first voxel to that of the last."""
        z, y, x = (n * mm for n, mm in zip(self.voxels.shape, self.spacing, strict=True))
        return (z, y, x)

    def cropped(self) -> DisplayVolume:
        """Without the air around body, table and labels; every slice stays."""
        content = (self.voxels.max(axis=0) > AIR) | self.labels.any(axis=0)
        rows = _span(content.any(axis=1), self.spacing[1])
        columns = _span(content.any(axis=0), self.spacing[2])
        return replace(
            self, voxels=self.voxels[:, rows, columns], labels=self.labels[:, rows, columns]
        )


def _span(present: npt.NDArray[np.bool_], spacing: float) -> slice:
    where = np.flatnonzero(present)
    if not where.size:
        return slice(None)
    rim = round(RIM_MM / spacing)
    return slice(max(0, int(where[0]) - rim), int(where[-1]) + 1 + rim)


def display_volume(volume: Volume, labels: npt.NDArray[np.uint8]) -> DisplayVolume:
    """Turn a study's axes to the patient's nearest ones. Nothing is copied or resampled.

    Args:
        volume: Any orientation, oblique included.
        labels: (Z, Y, X) uint8 on the same grid.
    """
    geometry = volume.geometry
    columns = _columns(geometry)
    # Column c of the direction belongs to array axis 2 - c; display axes are (z, y, x).
    axes = tuple(2 - columns[patient] for patient in (2, 1, 0))
    signs = tuple(geometry.direction[patient, columns[patient]] for patient in (2, 1, 0))
    flips = tuple(slice(None, None, 1 if sign > 0 else -1) for sign in signs)
    slices = range(geometry.shape[0])[flips[0]] if axes[0] == 0 else ()
    return DisplayVolume(
        voxels=volume.voxels.transpose(axes)[flips],
        labels=labels.transpose(axes)[flips],
        spacing=(geometry.spacing[axes[0]], geometry.spacing[axes[1]], geometry.spacing[axes[2]]),
        heights=_heights(geometry, columns[2])[flips[0]],
        source_slices=tuple(slices),
        obliquity=float(np.degrees(np.arccos(min(1.0, min(abs(sign) for sign in signs))))),
    )


def _columns(geometry: Geometry) -> tuple[int, ...]:
    """Which column of the direction matrix runs along the patient's x, y and z."""
    return max(
        permutations(range(3)),
        key=lambda columns: sum(abs(geometry.direction[row, columns[row]]) for row in range(3)),
    )


def _heights(geometry: Geometry, column: int) -> npt.NDArray[np.float64]:
    """LPS z of the centre of every plane across the axis that runs along the patient's z."""
    sizes = geometry.shape[::-1]
    indices = np.tile([(n - 1) / 2 for n in sizes] + [1.0], (sizes[column], 1))
    indices[:, column] = np.arange(sizes[column])
    return np.asarray((indices @ geometry.affine.T)[:, 2])
