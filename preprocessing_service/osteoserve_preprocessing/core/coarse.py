"""A thinned-out copy of a volume, on which patient and table are told apart.

Both are centimetres large, so cells of 2 mm in the slice and 4 mm between slices show them as
well as all voxels do, in a tenth of the time. What is decided here for a cell is carried out
voxel by voxel through ``Coarse.expand``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.geometry import Volume

Mask = npt.NDArray[np.bool_]

#: Largest size of a cell in mm, within and between slices; a finger bone is 8 mm wide.
IN_PLANE_MM, BETWEEN_MM = 2.0, 4.0

#: Slices of cells that are looked at together where slices do not see each other: what is made of
#: them on the way stays in the processor's cache, and never is a whole array of it.
BLOCK = 8
#: Soft tissue lies between plus and minus this; so many slices tell a scan's noise.
SOFT_HU, NOISE_SLICES = 150, 16


@dataclass(frozen=True, eq=False, kw_only=True)
class Coarse:
    """A canonical volume in cells of several voxels, and the densest voxel of each.

    In the slice, a cell covers its voxels; of the slices that it spans, it shows the first.

    Args:
        highest: (z, y, x) int16, HU of the densest voxel of each cell.
        spacing: (z, y, x) size of a cell in mm.
        step: (z, y, x) voxels per cell.
        shape: (Z, Y, X) of the volume.
        noise_hu: Standard deviation of the noise between neighbouring voxels of soft tissue.
        corner: (y, x) place of its first cell among all that the slices divide into; the cells
            before it and after the last are left out.
    """

    highest: npt.NDArray[np.int16]
    spacing: tuple[float, float, float]
    step: tuple[int, int, int]
    shape: tuple[int, int, int]
    noise_hu: float
    corner: tuple[int, int] = (0, 0)

    @property
    def cells(self) -> tuple[int, int, int]:
        """(z, y, x) how many there are."""
        z, y, x = self.highest.shape
        return z, y, x

    @property
    def cell_ml(self) -> float:
        """Volume of one cell in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    @property
    def cell_cm2(self) -> float:
        """Axial area of one cell in cm2."""
        return self.spacing[1] * self.spacing[2] / 100.0

    def blocks(self) -> Iterator[tuple[slice, Self]]:
        """Its slices of cells in order, `BLOCK` at a time: which, and what is in them."""
        for first in range(0, len(self.highest), BLOCK):
            block = slice(first, min(first + BLOCK, len(self.highest)))
            yield block, self._some(block)

    def _some(self, block: slice) -> Self:
        return replace(self, highest=self.highest[block])

    def expand(
        self, codes: npt.NDArray[np.uint8]
    ) -> Iterator[tuple[int, slice, npt.NDArray[np.uint8]]]:
        """The codes of the cells, slice by slice, as codes of voxels.

        Args:
            codes: (z, y, x) uint8, one per cell.

        Yields:
            Slice index of the volume; its rows that hold a code above 0; and (those rows, X)
            uint8. Slices without one are left out.
        """
        _, rows, columns = self.shape
        (z, y, x), (top, left) = self.step, self.corner
        for k in range(self.shape[0]):
            cells = codes[k // z]
            coded = np.flatnonzero(cells.any(axis=1))
            if coded.size:
                first, end = int(coded[0]), int(coded[-1]) + 1
                inside = np.repeat(np.repeat(cells[first:end], y, axis=0), x, axis=1)
                block = slice((top + first) * y, min((top + end) * y, rows))
                fine = np.zeros((block.stop - block.start, columns), dtype=np.uint8)
                covered = fine[:, left * x : left * x + inside.shape[1]]
                covered[:] = inside[: len(fine), : covered.shape[1]]
                yield k, block, fine


@dataclass(frozen=True, eq=False, kw_only=True)
class CoarseRange(Coarse):
    """The same with the least dense voxel of each cell, which only finding the patient needs.

    Args:
        lowest: (z, y, x) int16, HU of the least dense voxel of each cell.
    """

    lowest: npt.NDArray[np.int16]

    def densest(self) -> Coarse:
        """The cells without what is least dense, which takes half of their memory."""
        return Coarse(
            highest=self.highest,
            spacing=self.spacing,
            step=self.step,
            shape=self.shape,
            noise_hu=self.noise_hu,
            corner=self.corner,
        )

    def _some(self, block: slice) -> Self:
        return replace(self, highest=self.highest[block], lowest=self.lowest[block])


def coarsen(volume: Volume, *, above_hu: int | None = None, margin_mm: float = 0.0) -> CoarseRange:
    """Divide a canonical volume into cells as large as 2 mm in the slice and 4 mm between allow.

    Args:
        volume: The volume.
        above_hu: Where given, cells all round that hold nothing denser are left out, unless
            nothing at all is denser.
        margin_mm: So far beyond the last cell that holds something denser, cells are kept.
    """
    limits = (BETWEEN_MM, IN_PLANE_MM, IN_PLANE_MM)
    z, y, x = (
        max(1, int(limit / spacing + 1e-3))
        for limit, spacing in zip(limits, volume.geometry.spacing, strict=True)
    )
    dz, dy, dx = volume.geometry.spacing
    voxels, spacing = volume.voxels[::z], (dz * z, dy * y, dx * x)
    highest = _reduced(np.maximum, voxels, y, x)
    rows, columns = _region(highest, above_hu, margin_mm, spacing)
    inside = (
        slice(side.start * step, side.stop * step) for side, step in ((rows, y), (columns, x))
    )
    return CoarseRange(
        # A copy, so that what was left out holds no memory.
        highest=np.ascontiguousarray(highest[:, rows, columns]),
        lowest=_reduced(np.minimum, voxels[:, *inside], y, x),
        spacing=spacing,
        step=(z, y, x),
        shape=volume.geometry.shape,
        noise_hu=_noise(volume.voxels),
        corner=(rows.start, columns.start),
    )


def _region(
    highest: npt.NDArray[np.int16],
    above_hu: int | None,
    margin_mm: float,
    spacing: tuple[float, float, float],
) -> tuple[slice, slice]:
    """Rows and columns of cells to keep."""
    _, *sizes = highest.shape
    kept = [slice(0, size) for size in sizes]
    if above_hu is not None:
        dense = np.zeros(sizes, dtype=np.bool_)
        for slice_ in highest:
            dense |= slice_ > above_hu
        for axis in (0, 1) if dense.any() else ():
            filled = np.flatnonzero(dense.any(axis=1 - axis))
            reach = int(np.ceil(margin_mm / spacing[1 + axis]))
            first, end = int(filled[0]) - reach, int(filled[-1]) + 1 + reach
            kept[axis] = slice(max(0, first), min(end, sizes[axis]))
    rows, columns = kept
    return rows, columns


def _noise(voxels: npt.NDArray[np.int16]) -> float:
    """Standard deviation of noise, from the median difference of neighbours in soft tissue."""
    sample = voxels[:: max(1, len(voxels) // NOISE_SLICES), ::2].astype(np.int32)
    left, right = sample[:, :, :-1], sample[:, :, 1:]
    soft = np.abs(left + right) < 2 * SOFT_HU
    if not soft.any():
        return 0.0
    median = float(np.median(np.abs(right - left)[soft]))
    # For normal noise, |a - b| has the median 0.6745 * sqrt(2) standard deviations.
    return median / (0.6745 * float(np.sqrt(2.0)))


def _reduced(
    extreme: np.ufunc, voxels: npt.NDArray[np.int16], y: int, x: int
) -> npt.NDArray[np.int16]:
    """Minimum or maximum of every block of y times x; blocks cut by the border hold fewer."""
    slices, rows, columns = voxels.shape
    found = np.empty((slices, -(-rows // y), -(-columns // x)), dtype=np.int16)
    for slice_, out in zip(voxels, found, strict=True):
        whole = slice_
        if rows % y or columns % x:
            whole = np.pad(slice_, [(0, -rows % y), (0, -columns % x)], mode="edge")
        lines = reduce(extreme, (whole[i::y] for i in range(y)))
        out[:] = reduce(extreme, (lines[:, j::x] for j in range(x)))
    return found
