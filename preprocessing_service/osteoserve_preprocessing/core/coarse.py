"""A thinned-out copy of a volume, on which patient and table are told apart.

Both are centimetres large, so cells of 2 mm in the slice and 4 mm between slices show them as
well as all voxels do, in a tenth of the time. What is decided here for a cell is carried out
voxel by voxel through ``Coarse.expand``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce

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


@dataclass(frozen=True, eq=False)
class Coarse:
    """A canonical volume in cells of several voxels.

    In the slice, a cell covers its voxels; of the slices that it spans, it shows the first.

    Args:
        lowest: (z, y, x) int16, HU of the least dense voxel of each cell.
        highest: (z, y, x) int16, HU of the densest.
        spacing: (z, y, x) size of a cell in mm.
        step: (z, y, x) voxels per cell.
        shape: (Z, Y, X) of the volume.
        noise_hu: Standard deviation of the noise between neighbouring voxels of soft tissue.
        corner: (y, x) place of its first cell among all that the slices divide into; the cells
            before it and after the last are left out.
    """

    lowest: npt.NDArray[np.int16]
    highest: npt.NDArray[np.int16]
    spacing: tuple[float, float, float]
    step: tuple[int, int, int]
    shape: tuple[int, int, int]
    noise_hu: float
    corner: tuple[int, int] = (0, 0)

    @property
    def cell_ml(self) -> float:
        """Volume of one cell in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    @property
    def cell_cm2(self) -> float:
        """Axial area of one cell in cm2."""
        return self.spacing[1] * self.spacing[2] / 100.0

    def blocks(self) -> Iterator[tuple[slice, Coarse]]:
        """Its slices of cells in order, `BLOCK` at a time: which, and what is in them."""
        for first in range(0, len(self.lowest), BLOCK):
            block = slice(first, min(first + BLOCK, len(self.lowest)))
            yield block, replace(self, lowest=self.lowest[block], highest=self.highest[block])

    def within(self, highest_hu: int, margin_mm: float) -> Coarse:
        """Its cells without those all round that hold nothing denser.

        Args:
            highest_hu: In what is left out, no voxel lies above this.
            margin_mm: So far beyond the last cell that does, cells are kept.

        Returns:
            A view: no cell is copied. The same where nothing is denser.
        """
        dense = np.zeros(self.highest.shape[1:], dtype=np.bool_)
        for slice_ in self.highest:
            dense |= slice_ > highest_hu
        if not dense.any():
            return self
        kept = []
        for axis, spacing in enumerate(self.spacing[1:]):
            filled = np.flatnonzero(dense.any(axis=1 - axis))
            reach = int(np.ceil(margin_mm / spacing))
            kept.append(slice(max(0, int(filled[0]) - reach), int(filled[-1]) + 1 + reach))
        rows, columns = kept
        return replace(
            self,
            lowest=self.lowest[:, rows, columns],
            highest=self.highest[:, rows, columns],
            corner=(self.corner[0] + rows.start, self.corner[1] + columns.start),
        )

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


def coarsen(volume: Volume) -> Coarse:
    """Divide a canonical volume into cells as large as 2 mm in the slice and 4 mm between allow."""
    limits = (BETWEEN_MM, IN_PLANE_MM, IN_PLANE_MM)
    z, y, x = (
        max(1, int(limit / spacing + 1e-3))
        for limit, spacing in zip(limits, volume.geometry.spacing, strict=True)
    )
    voxels = volume.voxels[::z]
    shape = (voxels.shape[0], -(-voxels.shape[1] // y), -(-voxels.shape[2] // x))
    lowest, highest = np.empty(shape, dtype=np.int16), np.empty(shape, dtype=np.int16)
    for k, slice_ in enumerate(voxels):
        lowest[k], highest[k] = _extremes(slice_, y, x)
    dz, dy, dx = volume.geometry.spacing
    return Coarse(
        lowest=lowest,
        highest=highest,
        spacing=(dz * z, dy * y, dx * x),
        step=(z, y, x),
        shape=volume.geometry.shape,
        noise_hu=_noise(volume.voxels),
    )


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


def _extremes(
    slice_: npt.NDArray[np.int16], y: int, x: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Minimum and maximum of every block of y times x; blocks cut by the border hold fewer."""
    missing = [(-size) % step for size, step in zip(slice_.shape, (y, x), strict=True)]
    if any(missing):
        slice_ = np.pad(slice_, [(0, n) for n in missing], mode="edge")
    rows = [slice_[i::y] for i in range(y)]
    low, high = reduce(np.minimum, rows), reduce(np.maximum, rows)
    return (
        reduce(np.minimum, (low[:, j::x] for j in range(x))),
        reduce(np.maximum, (high[:, j::x] for j in range(x))),
    )
