"""Where the patient lies on the bare shell, and both look like one thick thing."""

from __future__ import annotations

import cc3d
import numpy as np

from osteoserve_preprocessing.core.coarse import Coarse, Mask
from osteoserve_preprocessing.core.stretcher.morphology import dilate
from osteoserve_preprocessing.core.stretcher.table import Table

#: A shell that was taken for skin lies no deeper than this below the patient's surface, mm.
DEPTH_MM = 6.0


def find_buried_shell(coarse: Coarse, patient: Mask, table: Table, bright_hu: int) -> Mask:
    """The cells of the patient that are the table's shell.

    Args:
        coarse: Cells of a canonical volume.
        patient: (z, y, x) bool.
        table: The table beside it.
        bright_hu: HU above which table and bone look alike.

    Returns:
        (z, y, x) bool: bright cells of the patient's surface that go on, bright all the way, in
        the table. Bone is parted from it by skin; and what goes on deeper into the patient is
        taken for bone even where it is not.
    """
    surface = np.empty(patient.shape, dtype=np.bool_)
    touches = False
    for block, cells in coarse.blocks():
        deep = dilate(cells, table.past.mask(block), DEPTH_MM)
        np.logical_and(deep, patient[block], out=surface[block])
        near = dilate(cells, table.bright(block), DEPTH_MM)
        near &= surface[block]
        touches |= bool((near & (cells.highest > bright_hu)).any())
    if not touches:
        return np.zeros_like(patient)
    bright = coarse.highest > bright_hu
    bone = bright & patient
    buried = bone & surface
    buried &= _connected(bright & (surface | ~patient), table.bright(slice(None)))
    np.greater(buried, _connected(bone, bone & ~surface), out=buried)
    return buried


def _connected(mask: Mask, seeds: Mask) -> Mask:
    """The parts of a mask that hold a seed."""
    parts = cc3d.connected_components(mask, connectivity=26)
    seeded = np.zeros(int(parts.max()) + 1, dtype=np.bool_)
    seeded[parts[seeds]] = True
    seeded[0] = False
    connected: Mask = seeded[parts]
    return connected
