"""Dilation and erosion by a disk within each slice, many times faster than by its every cell.

A disk is a stack of rows; a mask grown sideways by each row's half width, step by step, is put
together row by row. All slices at once: give it blocks, which stay in the processor's cache.
"""

from __future__ import annotations

import numpy as np

from osteoserve_preprocessing.core.coarse import Coarse, Mask


def dilate(coarse: Coarse, mask: Mask, millimetres: float) -> Mask:
    """Grow a mask by a disk of that radius within each slice.

    Args:
        coarse: Tells the size of the cells.
        mask: (z, y, x) bool.
        millimetres: Radius; a cell is reached where its centre is no further than this.

    Returns:
        (z, y, x) bool.
    """
    return _spread(mask, _half_widths(coarse, millimetres))


def erode(coarse: Coarse, mask: Mask, millimetres: float) -> Mask:
    """Shrink a mask likewise; beyond the image's border it is taken to go on."""
    around = _spread(~mask, _half_widths(coarse, millimetres))
    return np.logical_not(around, out=around)


def touch(mask: Mask) -> Mask:
    """A mask with the eight neighbours in the slice of each of its cells."""
    return _spread(mask, [1, 1, 1])


def _half_widths(coarse: Coarse, radius_mm: float) -> list[int]:
    """Half the width of a disk in cells, row by row from top to bottom."""
    _, dy, dx = coarse.spacing
    radius_mm += 1e-3
    reach = int(radius_mm / dy)
    heights = np.arange(-reach, reach + 1) * dy
    return [int(width) for width in np.sqrt(radius_mm**2 - heights**2) / dx]


def _spread(mask: Mask, half_widths: list[int]) -> Mask:
    spread = np.zeros(mask.shape, dtype=np.bool_)
    if not mask.any():
        return spread
    up, side = len(half_widths) // 2, max(half_widths)
    slices, rows, columns = mask.shape
    padded = np.zeros((slices, rows + 2 * up, columns + 2 * side), dtype=np.bool_)
    padded[:, up : up + rows, side : side + columns] = mask
    wide = padded[:, :, side : side + columns].copy()
    for width in range(side + 1):
        if width:
            wide |= padded[:, :, side - width : side - width + columns]
            wide |= padded[:, :, side + width : side + width + columns]
        for row, half_width in enumerate(half_widths):
            if half_width == width:
                spread |= wide[:, row : row + rows]
    return spread
