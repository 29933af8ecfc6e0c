"""What lies past the patient on each of the four sides of a slice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.coarse import Mask

#: Sides, as the patient has them.
BACK, FRONT, LEFT, RIGHT = range(4)

#: Indices (z, y, x) of cells, each (n,).
Cells = tuple[npt.NDArray[np.intp], ...]


@dataclass(frozen=True, eq=False)
class Past:
    """The cells past the patient on one side.

    Past the last cell of the patient in the same line of the slice, seen from the other side;
    where a line holds none, past the last cell in the slice; in slices without patient, past the
    last of all. Known by those last cells, which are fewer by far than the cells past them.

    Args:
        side: Of the patient.
        last: (z, line) int16, how deep the patient's last cell lies, counted towards that side.
        shape: (z, y, x) of the cells.
    """

    side: int
    last: npt.NDArray[np.int16]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, patient: Mask, side: int) -> Past:
        """Look at a patient, (z, y, x) bool and not empty, from the other side."""
        axis = _axis(side)
        # From 1, so that 0 is left for lines that hold none.
        depths = _depths(side, patient.shape)[:, None] + np.int16(1)
        numbers = depths if axis == 1 else depths.T
        last = np.empty((len(patient), patient.shape[3 - axis]), dtype=np.int16)
        for slice_, deepest in zip(patient, last, strict=True):
            np.max(slice_ * numbers, axis=axis - 1, out=deepest)
        last -= 1
        lowest = last.max(axis=1)
        lowest[lowest < 0] = lowest.max()
        return cls(side, np.where(last < 0, lowest[:, None], last), patient.shape)

    def holds(self, cells: Cells) -> npt.NDArray[np.bool_]:
        """Which of these cells lie there, (n,) bool."""
        axis = _axis(self.side)
        deep = _depths(self.side, self.shape)[cells[axis]]
        past: npt.NDArray[np.bool_] = deep > self.last[cells[0], cells[3 - axis]]
        return past

    def mask(self, block: slice) -> Mask:
        """All of them in some slices, (z, y, x) bool."""
        if _axis(self.side) == 1:
            return _depths(self.side, self.shape)[None, :, None] > self.last[block, None, :]
        return _depths(self.side, self.shape)[None, None, :] > self.last[block, :, None]


def cells_of(mask: Mask) -> Cells:
    """The cells that are set, in C order; by one index, which numpy finds many times faster."""
    return np.unravel_index(np.flatnonzero(mask), mask.shape)


def beside(sides: Iterable[Past], cells: Cells) -> int:
    """How many of these cells lie past the patient on any side; in lung and gut none does."""
    return int(np.count_nonzero(np.logical_or.reduce([past.holds(cells) for past in sides])))


def _axis(side: int) -> int:
    return 1 if side in (BACK, FRONT) else 2


def _backwards(side: int) -> bool:
    return side in (FRONT, RIGHT)


def _depths(side: int, shape: tuple[int, ...]) -> npt.NDArray[np.int16]:
    """How deep the lines across that side lie, counted towards it."""
    depths = np.arange(shape[_axis(side)], dtype=np.int16)
    return depths[::-1] if _backwards(side) else depths
