"""Brings label maps onto one grid by where they lie in the patient, never by index.

Nothing is resampled: axes are swapped and reversed. Where that is not enough, the two are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import GridMismatchError
from osteoserve_client.evaluation.label_maps import LabelPlanes, Labels, LabelVolume
from osteoserve_preprocessing.geometry import Geometry

#: How far a voxel's centre may lie from that of its counterpart, as a part of the least spacing.
TOLERANCE: Final = 0.1


def aligned(
    reference: LabelVolume | LabelPlanes, prediction: LabelVolume | LabelPlanes, study: str
) -> tuple[Labels, Labels, Geometry]:
    """Both label maps on one grid: the reference's, or the prediction's where it alone has one.

    Args:
        reference: What is true.
        prediction: What was found.
        study: How messages call the study.

    Returns:
        (Z, Y, X) uint8 of the reference, the same of the prediction, and their grid.

    Raises:
        GridMismatchError: They do not lie on the same voxels, or neither has a grid.
    """
    if isinstance(reference, LabelVolume):
        geometry = reference.geometry
    elif isinstance(prediction, LabelVolume):
        geometry = prediction.geometry
    else:
        raise GridMismatchError(
            f"{study}: reference and prediction are both DICOM segmentations, which leave out "
            "empty slices: give one of them as NIfTI, NRRD or MetaImage"
        )
    try:
        return _onto(reference, geometry), _onto(prediction, geometry), geometry
    except GridMismatchError as error:
        raise GridMismatchError(f"{study}: {error}") from None


def _onto(labels: LabelVolume | LabelPlanes, target: Geometry) -> Labels:
    if isinstance(labels, LabelPlanes):
        return _collected(labels, target)
    if labels.geometry is target:
        return labels.labels
    if sorted(labels.geometry.shape) != sorted(target.shape):
        raise GridMismatchError(
            f"the prediction has {_shown(labels.geometry)} voxels, the reference {_shown(target)}"
        )
    placement = _placement(labels.geometry.shape, labels.geometry.affine, target)
    return np.ascontiguousarray(placement.turned(labels.labels))


def _collected(labels: LabelPlanes, target: Geometry) -> Labels:
    collected = np.zeros(target.shape, dtype=np.uint8)
    for plane in labels.planes:
        placement = _placement((1, *plane.mask.shape), plane.affine, target)
        part, mask = collected[placement.box], placement.turned(plane.mask[None])
        if (part[mask] != 0).any():
            raise GridMismatchError("segments of the DICOM segmentation overlap: no label map")
        part[mask] = plane.value
    return collected


@dataclass(frozen=True)
class _Placement:
    """How an array lies in a target grid.

    Args:
        axes: For the target's axes Z, Y, X in turn, the array's axis that it is.
        flips: For the target's axes Z, Y, X in turn, whether the array runs backwards.
        box: The part of the target that the array covers.
    """

    axes: tuple[int, ...]
    flips: tuple[int, ...]
    box: tuple[slice, ...]

    def turned(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.flip(np.transpose(array, self.axes), self.flips)


def _placement(
    shape: tuple[int, ...], affine: npt.NDArray[np.float64], target: Geometry
) -> _Placement:
    """Where the voxels (Z, Y, X) with that affine from (i, j, k, 1) lie in the target grid."""
    matrix = np.linalg.inv(target.affine) @ affine
    # Row r of the matrix moves along the target's i, j or k; a column's largest element says
    # which of them the source's index runs along. Its size does not matter where there is but one.
    nearest = np.abs(matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)).argmax(axis=0)
    if sorted(nearest.tolist()) != [0, 1, 2]:
        raise GridMismatchError("the axes of prediction and reference do not fit each other")
    whole = np.zeros((3, 4))
    for column, row in enumerate(nearest):
        whole[row, column] = np.sign(matrix[row, column])
    whole[:, 3] = np.rint(matrix[:3, 3])
    sizes = np.array(shape[::-1])
    corners = np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in sizes))]).T
    found = whole @ corners
    _check(matrix[:3] @ corners, found, target)
    low, high = found.min(axis=1), found.max(axis=1)
    source_of = np.argsort(nearest)
    return _Placement(
        axes=tuple(2 - int(source_of[row]) for row in (2, 1, 0)),
        flips=tuple(axis for axis, row in enumerate((2, 1, 0)) if whole[row, source_of[row]] < 0),
        box=tuple(slice(int(low[row]), int(high[row]) + 1) for row in (2, 1, 0)),
    )


def _check(
    exact: npt.NDArray[np.float64], found: npt.NDArray[np.float64], target: Geometry
) -> None:
    spacing = np.array(target.spacing[::-1])
    apart = float(np.linalg.norm((exact - found) * spacing[:, None], axis=0).max())
    outside = found.min() < 0 or (found.max(axis=1) >= np.array(target.shape[::-1])).any()
    if apart > TOLERANCE * min(target.spacing) or outside:
        raise GridMismatchError(
            "prediction and reference do not lie on the same voxels of the patient"
        )


def _shown(geometry: Geometry) -> str:
    return "x".join(str(n) for n in geometry.shape)
