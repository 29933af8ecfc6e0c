"""The one entry to stretcher removal: choose the method, count what goes, report it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.coarse import Coarse, coarsen
from osteoserve_preprocessing.core.options import StretcherMethod
from osteoserve_preprocessing.core.stretcher.body import DENSE_HU, find_patient
from osteoserve_preprocessing.core.stretcher.clearing import KEEP, codes_of, voxels_of
from osteoserve_preprocessing.core.stretcher.milara import milara_mask
from osteoserve_preprocessing.core.stretcher.sides import (
    BACK,
    FRONT,
    LEFT,
    RIGHT,
    Past,
    beside,
    cells_of,
)
from osteoserve_preprocessing.core.stretcher.table import find_loose, find_table
from osteoserve_preprocessing.core.voxel_mask import VoxelMask
from osteoserve_preprocessing.geometry import Volume

Mask = npt.NDArray[np.bool_]

#: Threshold of bone and table alike (Milara 2024, "Stretcher Removal").
TABLE_HU = 98
#: Bright matter beside the patient, in ml, that is worth a word when it is left.
WORTH_A_WORD_ML = 5.0
#: Axial section of the smallest body, cm2, whose thin parts are told from a table's shell: a
#: newborn's trunk has 80, a wrist 25.
SMALLEST_BODY_CM2 = 60.0
#: Air further than this round all that is dense is not looked at: more than anything is grown or
#: shrunk by, and a cell or two that see their neighbours.
MARGIN_MM = 16.0


@dataclass(frozen=True)
class StretcherReport:
    """What was removed as stretcher.

    Args:
        method: How it was found.
        removed_voxels: Voxels above 98 HU that were set to 0 HU.
        removed_ml: Their volume in millilitres.
        caution: Why nothing, or less, was removed; empty where the method was sure.
    """

    method: StretcherMethod
    removed_voxels: int
    removed_ml: float
    caution: str


@dataclass(frozen=True, eq=False)
class Stretcher:
    """The stretcher of one volume.

    Args:
        mask: (Z, Y, X), set where a voxel is to be set to 0 HU.
        report: What that removes.
    """

    mask: VoxelMask
    report: StretcherReport


def find_stretcher(volume: Volume, method: StretcherMethod) -> Stretcher:
    """Find the scanner table.

    Args:
        volume: Canonical.
        method: How to find it.

    Returns:
        Mask and report.
    """
    if method is StretcherMethod.BODY:
        mask, caution = _by_body(volume)
    elif method is StretcherMethod.MILARA:
        mask, caution = _by_milara(volume)
    else:
        mask, caution = VoxelMask(volume.geometry.shape), ""
    removed = sum(
        int(np.count_nonzero(slice_[gone] > TABLE_HU))
        for slice_, gone in zip(volume.voxels, mask, strict=True)
    )
    millilitres = removed * volume.geometry.voxel_volume_ml
    return Stretcher(mask, StretcherReport(method, removed, millilitres, caution))


def _by_body(volume: Volume) -> tuple[VoxelMask, str]:
    nothing = VoxelMask(volume.geometry.shape)
    extremes = coarsen(volume, above_hu=DENSE_HU, margin_mm=MARGIN_MM)
    patient = find_patient(extremes, TABLE_HU)
    coarse = extremes.densest()
    del extremes  # half of what the cells take
    largest = float(np.count_nonzero(patient, axis=(1, 2)).max()) * coarse.cell_cm2
    if largest < SMALLEST_BODY_CM2:
        found = f"a body of {largest:.0f} cm2" if largest else "no body"
        return nothing, f"{found} was found, so nothing was removed as stretcher"
    loose = find_loose(coarse, patient, TABLE_HU)
    sides = tuple(Past.of(patient, side) for side in (BACK, FRONT, LEFT, RIGHT))
    table = find_table(coarse, sides, loose)
    if table is None:
        return nothing, _what_was_left(coarse, loose.bright, sides)
    del loose  # the places of all its cells
    codes = codes_of(coarse, patient, table, TABLE_HU)
    left = table.shining & (codes == KEEP)
    return voxels_of(coarse, codes, volume, TABLE_HU), _what_was_left(coarse, left, sides)


def _by_milara(volume: Volume) -> tuple[VoxelMask, str]:
    mask, caution = milara_mask(volume, TABLE_HU)
    coarse = coarsen(volume)
    patient = find_patient(coarse, TABLE_HU).view(np.uint8)
    for k, rows, inside in coarse.expand(patient):
        bright = inside.view(np.bool_) & (volume.voxels[k, rows] > TABLE_HU)
        if (mask[k][rows] & bright).any():
            caution = f"the margin cuts into the body in slice {k}, so nothing was removed"
            return VoxelMask(volume.geometry.shape), caution
    return mask, caution


def _what_was_left(coarse: Coarse, left: Mask, sides: tuple[Past, ...]) -> str:
    millilitres = beside(sides, cells_of(left)) * coarse.cell_ml
    if millilitres < WORTH_A_WORD_ML:
        return ""
    return (
        f"about {millilitres:.0f} ml above {TABLE_HU} HU beside the body did not look like a "
        "table and were left"
    )
