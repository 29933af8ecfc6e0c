"""Labels for studies that have none: a classical segmentation that says where it is unsure.

Bone is dense and connected: what is connected above a lower threshold and holds voxels above an
upper one (hysteresis, Canny 1986, applied to HU) is bone, its marrow is filled slice by slice.
Contrast in kidneys, bowel and vessels looks the same to any threshold, so whoever looks at the
result marks, in the recipe, points in what is no bone and boxes that are better ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from osteoserve_export.errors import RecipeError
from osteoserve_export.training.pairs import BACKGROUND, BONE, IGNORED
from osteoserve_preprocessing.geometry import Volume

#: (first slice, last, first row, last, first column, last) on the canonical grid, inclusive.
Box = tuple[int, int, int, int, int, int]
#: (slice, row, column) on the canonical grid.
Point = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class PseudoLabelOptions:
    """How bone is told from the rest in one study.

    Args:
        edge_hu: What is connected above this and holds a voxel above ``core_hu`` is bone.
        core_hu: Denser than any soft tissue of the study.
        closing_mm: Gaps in the cortex up to twice this are closed within a slice.
        largest_marrow_cm2: Enclosed areas up to this are marrow; larger ones (spinal canal,
            cranial cavity) are not bone.
        smallest_bone_ml: Smaller components are ignored rather than believed.
        unsure_hu: Unlabelled voxels denser than this next to bone are ignored.
        unsure_mm: How far "next to" reaches.
        not_bone: Points whose component was seen to be something else (contrast, an electrode).
        marrow: Boxes in which whatever bone encloses within a slice was seen to be marrow.
        soft: Boxes in which whatever is not labelled bone was seen to be none (a disc, say).
        ignored: Boxes that were seen to be wrong or unclear.

    Raises:
        RecipeError: The thresholds are not in ascending order.
    """

    edge_hu: int = 180
    core_hu: int = 300
    closing_mm: float = 2.0
    largest_marrow_cm2: float = 1.2
    smallest_bone_ml: float = 0.3
    unsure_hu: int = 110
    unsure_mm: float = 4.0
    not_bone: tuple[Point, ...] = ()
    marrow: tuple[Box, ...] = ()
    soft: tuple[Box, ...] = ()
    ignored: tuple[Box, ...] = ()

    def __post_init__(self) -> None:
        if not self.unsure_hu <= self.edge_hu < self.core_hu:
            raise RecipeError("pseudo-labels need unsure_hu <= edge_hu < core_hu")


def pseudo_labels(volume: Volume, options: PseudoLabelOptions) -> npt.NDArray[np.uint8]:
    """Label bone by density.

    Args:
        volume: Canonical, HU.
        options: Thresholds and what was corrected by eye.

    Returns:
        (Z, Y, X) uint8: 0 background, 1 bone, 255 ignored.
    """
    hounsfield = np.where(body(volume), volume.voxels, np.int16(-1000))
    dense, doubtful = _hysteresis(hounsfield, volume, options)
    closed = _close(dense, volume, options)
    bone = _fill(closed, volume, options)
    target = np.where(bone, np.uint8(BONE), np.uint8(BACKGROUND))
    # A closed gap that is no denser than soft tissue may as well be soft tissue.
    target[closed & ~dense & (hounsfield < options.unsure_hu)] = IGNORED
    near = _within(bone, volume, options.unsure_mm)
    target[near & ~bone & (hounsfield > options.unsure_hu)] = IGNORED
    target[doubtful & ~bone] = IGNORED
    _correct(target, bone, options)
    return target


def _correct(
    target: npt.NDArray[np.uint8], bone: npt.NDArray[np.bool_], options: PseudoLabelOptions
) -> None:
    """Write what was seen by eye into the target."""
    for box in options.marrow:
        for k in range(box[0], box[1] + 1):
            inside = _slices((k, k, *box[2:]))
            target[inside][0][ndimage.binary_fill_holes(bone[k])[inside[1:]]] = BONE
    for box in options.soft:
        target[_slices(box)][~bone[_slices(box)]] = BACKGROUND
    for box in options.ignored:
        target[_slices(box)] = IGNORED


def body(volume: Volume) -> npt.NDArray[np.bool_]:
    """Find the patient, without table, lines and blankets as far as they are thin.

    Args:
        volume: Canonical, HU.

    Returns:
        (Z, Y, X) bool; each slice's holes are filled, so lungs belong to it.
    """
    tissue = volume.voxels > -300
    _, y, x = volume.geometry.spacing
    opened = np.stack([ndimage.binary_opening(slice_, _disk(4.0, (y, x))) for slice_ in tissue])
    labels, count = ndimage.label(opened)
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * volume.geometry.voxel_volume_ml
    sizes[0] = 0
    # Arms beside the body are components of their own, of a tenth of a litre and more.
    large = np.isin(labels, np.flatnonzero(sizes > min(100.0, sizes.max() / 4)))
    return np.stack([ndimage.binary_fill_holes(slice_) for slice_ in large])


def _hysteresis(
    hounsfield: npt.NDArray[np.int16], volume: Volume, options: PseudoLabelOptions
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    labels, count = ndimage.label(hounsfield > options.edge_hu, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * volume.geometry.voxel_volume_ml
    cores = np.zeros(count + 1, dtype=bool)
    cores[np.unique(labels[hounsfield > options.core_hu])] = True
    cores[[0, *(labels[point] for point in options.not_bone)]] = False
    large = sizes >= options.smallest_bone_ml
    return (cores & large)[labels], (cores & ~large)[labels]


def _close(
    dense: npt.NDArray[np.bool_], volume: Volume, options: PseudoLabelOptions
) -> npt.NDArray[np.bool_]:
    _, y, x = volume.geometry.spacing
    disk = _disk(options.closing_mm, (y, x))
    margin = max(disk.shape)
    return np.stack(
        [
            ndimage.binary_closing(np.pad(slice_, margin), disk)[margin:-margin, margin:-margin]
            for slice_ in dense
        ]
    )


def _fill(
    bone: npt.NDArray[np.bool_], volume: Volume, options: PseudoLabelOptions
) -> npt.NDArray[np.bool_]:
    _, y, x = volume.geometry.spacing
    largest = options.largest_marrow_cm2 * 100 / (y * x)
    filled = bone.copy()
    for slice_ in filled:
        holes, count = ndimage.label(ndimage.binary_fill_holes(slice_) & ~slice_)
        small = np.bincount(holes.ravel(), minlength=count + 1) <= largest
        small[0] = False
        slice_ |= small[holes]
    return filled


def _within(
    bone: npt.NDArray[np.bool_], volume: Volume, distance_mm: float
) -> npt.NDArray[np.bool_]:
    _, y, x = volume.geometry.spacing
    return np.stack([ndimage.binary_dilation(s, _disk(distance_mm, (y, x))) for s in bone])


def _disk(radius_mm: float, spacing: tuple[float, float]) -> npt.NDArray[np.bool_]:
    rows, columns = (max(1, int(radius_mm / s)) for s in spacing)
    y, x = np.mgrid[-rows : rows + 1, -columns : columns + 1]
    return np.asarray((y * spacing[0]) ** 2 + (x * spacing[1]) ** 2 <= radius_mm**2 + 1e-6)


def _slices(box: Box) -> tuple[slice, slice, slice]:
    k0, k1, j0, j1, i0, i1 = box
    return slice(k0, k1 + 1), slice(j0, j1 + 1), slice(i0, i1 + 1)
