"""From the cells of a table to the voxels that are set to 0 HU, sparing the skin beside them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.coarse import Coarse, Mask
from osteoserve_preprocessing.core.stretcher.contact import find_buried_shell
from osteoserve_preprocessing.core.stretcher.morphology import dilate
from osteoserve_preprocessing.core.stretcher.table import Table
from osteoserve_preprocessing.core.voxel_mask import VoxelMask
from osteoserve_preprocessing.geometry import Volume

#: What to do with the voxels of a cell.
KEEP, CLEAR, CLEAR_BRIGHT = 0, 1, 2

#: So close to the patient, only table that persists is cleared: a finger may rest on it.
NEAR_MM = 10.0
#: So close to the patient, skin may share a cell with the table, and only bright voxels go.
SKIN_MM = 4.0
#: Round a table, cells that hold the rest of its shell.
SHELL_MM = 4.0


def codes_of(coarse: Coarse, patient: Mask, table: Table, bright_hu: int) -> npt.NDArray[np.uint8]:
    """Decide for every cell.

    Args:
        coarse: Cells of a canonical volume.
        patient: (z, y, x) bool.
        table: The table beside it.
        bright_hu: HU above which table and bone look alike.

    Returns:
        (z, y, x) uint8: ``KEEP``, ``CLEAR`` (every voxel) or ``CLEAR_BRIGHT`` (only those as
        bright as bone; skin is not). In the patient always ``KEEP``, but for a shell that it
        lies on.
    """
    codes = np.empty(patient.shape, dtype=np.uint8)
    for block, cells in coarse.blocks():
        near = dilate(cells, _along(patient, block, round(NEAR_MM / coarse.spacing[0])), NEAR_MM)
        far = dilate(cells, table.cells[block], SHELL_MM)
        far |= table.past.mask(block)
        far &= ~near
        clear = dilate(cells, table.bright(block), SHELL_MM)
        clear &= near
        clear &= table.persistent[block]
        clear |= far
        clear &= ~_guarded(cells, patient, block)
        skin = dilate(cells, patient[block], SKIN_MM)
        skin &= clear
        codes[block] = clear  # KEEP and CLEAR
        np.copyto(codes[block], CLEAR_BRIGHT, where=skin)
    np.copyto(codes, CLEAR_BRIGHT, where=find_buried_shell(coarse, patient, table, bright_hu))
    return codes


def voxels_of(
    coarse: Coarse, codes: npt.NDArray[np.uint8], volume: Volume, bright_hu: int
) -> VoxelMask:
    """Carry the decision out voxel by voxel.

    Args:
        coarse: Cells of the volume.
        codes: (z, y, x) uint8, one per cell.
        volume: The volume itself.
        bright_hu: HU above which table and bone look alike.

    Returns:
        (Z, Y, X), set where a voxel is to be set to 0 HU.
    """
    mask = VoxelMask(volume.geometry.shape)
    for k, rows, fine in coarse.expand(codes):
        bright = (fine == CLEAR_BRIGHT) & (volume.voxels[k, rows] > bright_hu)
        mask.set(k, rows, (fine == CLEAR) | bright)
    return mask


def _guarded(coarse: Coarse, patient: Mask, block: slice) -> Mask:
    """The patient; with the patient of both neighbours where a cell shows one slice of several."""
    return _along(patient, block, 1 if coarse.step[0] > 1 else 0)


def _along(mask: Mask, block: slice, reach: int) -> Mask:
    """Some slices of a mask, each with what so many others before and behind it have."""
    along = mask[block].copy()
    for step in range(1, reach + 1):
        before = mask[max(0, block.start - step) : max(0, block.stop - step)]
        along[len(along) - len(before) :] |= before
        behind = mask[block.start + step : block.stop + step]
        along[: len(behind)] |= behind
    return along
