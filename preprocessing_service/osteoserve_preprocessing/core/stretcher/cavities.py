"""Air inside the patient, with walls that are as thin as a table's shell.

The front wall of a frontal sinus and the chest wall of an infant are thinner than 8 mm, and bone
lies in them. They are told from a table by what they enclose.
"""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.coarse import Coarse, CoarseRange, Mask
from osteoserve_preprocessing.core.stretcher.morphology import dilate, erode, touch

#: Walls of a cavity are thinner than this, or they would be thick enough to be patient anyway.
WALL_MM = 8.0
#: A wall of a sinus is mostly next to it; a table goes on beyond the gap that it closes off
#: under a hollow back. Nor is a sinus larger than this.
SMALLEST_SHARE_NEXT, LARGEST_SINUS_MM = 0.6, 130.0
#: Lung has a median HU in this range, infants' at its upper end; foam and gas lie below it.
LUNG_HU = (-890, -400)
#: What is shallower is a slit between back and table.
SHALLOWEST_MM = 8.0


def close_cavities(coarse: CoarseRange, patient: Mask, dense_hu: int) -> Mask:
    """Add to the patient the cavities that it encloses, and their walls.

    Args:
        coarse: Cells of a canonical volume.
        patient: (z, y, x) bool, what is thick.
        dense_hu: HU above which a cell is no air.

    Returns:
        (z, y, x) bool, with lung, gas and sinuses filled in, slice by slice.
    """
    closed = np.empty(patient.shape, dtype=np.bool_)
    for block, cells in coarse.blocks():
        closed[block] = _closed(cells, patient[block], dense_hu)
    return closed


def _closed(coarse: CoarseRange, patient: Mask, dense_hu: int) -> Mask:
    dense = coarse.highest > dense_hu
    # Cells at the outline hold skin, and would close off every cavity without the patient.
    outline = touch(patient)
    cavities = np.full_like(patient, False)
    for k in np.flatnonzero(patient.any(axis=(1, 2))):
        cavities[k] = _candidates(outline[k], dense[k])
    loose = dense & ~outline
    # Only where something loose walls a cavity can it be the table's.
    doubtful = np.flatnonzero((touch(cavities) & loose).any(axis=(1, 2)))
    deep = erode(coarse, cavities[doubtful], SHALLOWEST_MM / 2)
    next_to = dilate(coarse, cavities[doubtful], WALL_MM) & loose[doubtful]
    for n, k in enumerate(doubtful):
        cavities[k] = _own(coarse, int(k), cavities[k], deep[n], loose[k], next_to[n])
    walls = dilate(coarse, cavities, WALL_MM) & dense
    closed: Mask = patient | cavities | walls
    return closed


def _candidates(body: Mask, dense: Mask) -> Mask:
    """Air of a slice that is closed off, but by the table alone."""
    enclosed = _enclosed(dense)
    numbers, holes = _holes(dense & ~body)
    holds_patient = np.zeros(holes.size, dtype=np.bool_)
    holds_patient[numbers[body]] = True
    hollow = (holes & ~holds_patient)[numbers]
    candidates: Mask = enclosed & ~hollow
    return candidates


def _enclosed(solid: Mask) -> Mask:
    numbers, holes = _holes(solid)
    enclosed: Mask = holes[numbers]
    return enclosed


def _holes(solid: Mask) -> tuple[npt.NDArray[np.unsignedinteger[Any]], Mask]:
    """Numbers of the regions between what is solid, and which of them the border does not reach."""
    around = np.ones((solid.shape[0] + 2, solid.shape[1] + 2), dtype=np.bool_)
    np.logical_not(solid, out=around[1:-1, 1:-1])
    numbers = cc3d.connected_components(around, connectivity=4)
    holes = np.ones(int(numbers.max()) + 1, dtype=np.bool_)
    holes[[0, int(numbers[0, 0])]] = False
    return numbers[1:-1, 1:-1], holes


def _own(
    coarse: CoarseRange, k: int, candidates: Mask, deep: Mask, loose: Mask, next_to: Mask
) -> Mask:
    """Those cavities of a slice that are the patient's: thick-walled, lung, or a sinus."""
    parts = cc3d.connected_components(loose, connectivity=8)
    cells = np.bincount(parts.ravel())
    near = np.bincount(parts[next_to], minlength=cells.size)
    table = loose & (near < SMALLEST_SHARE_NEXT * cells)[parts]
    numbers = cc3d.connected_components(candidates, connectivity=4)
    boxes = cc3d.statistics(numbers)["bounding_boxes"]
    own = np.arange(len(boxes)) > 0
    is_deep = set(np.unique(numbers[deep]))
    thin_walled, at_table = (
        set(np.unique(numbers[touch(beside[None])[0] & candidates])) for beside in (loose, table)
    )
    for number in thin_walled:
        median = np.median(coarse.lowest[k][numbers == number])
        lung = LUNG_HU[0] <= median <= LUNG_HU[1]
        large = max(_extent_mm(coarse, boxes[number])) > LARGEST_SINUS_MM
        sinus = not (large or number in at_table)
        own[number] = number in is_deep and (lung or sinus)
    cavities: Mask = own[numbers]
    return cavities


def _extent_mm(coarse: Coarse, box: tuple[slice, slice]) -> tuple[float, float]:
    height, width = (
        (side.stop - side.start) * coarse.spacing[axis]
        for axis, side in zip((1, 2), box[-2:], strict=True)
    )
    return height, width
