"""Counts along the middle of the body, from the shoulders to the pelvis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from osteoserve_preprocessing.core.view_plausibility.landmarks import Box

#: Half the width of the middle, and how far a curved spine may lie from the straight line between
#: the regions, shares of the length from the top of the chest to that of the pelvis (some 40 cm).
HALF_WIDTH, ASIDE = 0.035, 0.10
#: Places across at which counts are looked up, and how many of them make up a band.
PLACES: Final = 41
BAND: Final = 9


@dataclass(frozen=True, eq=False)
class Midline:
    """Sternum and spine of one view.

    Args:
        counts: (Y, X) float64, blurred.
        skull: Edges of the skull.
        chest: Edges of the chest, the centre below that of the skull.
        pelvis: Edges of the pelvis, the top below that of the chest.
    """

    counts: npt.NDArray[np.float64]
    skull: Box
    chest: Box
    pelvis: Box

    def level(self, first: float, last: float) -> float:
        """Median over rows of the mean count in the middle.

        Args:
            first: Where the rows begin: 0 is the top of the chest, 1 that of the pelvis.
            last: Where they end.
        """
        length = self.pelvis.top - self.chest.top
        rows = np.arange(int(self.chest.top + first * length), int(self.chest.top + last * length))
        boxes = (self.skull, self.chest, self.pelvis)
        line = np.interp(rows, [b.centre[0] for b in boxes], [b.centre[1] for b in boxes])
        line += self._aside(rows, line, length)
        away = np.abs(np.arange(self.counts.shape[1]) - line[:, None])
        middle = away <= np.maximum(HALF_WIDTH * length, 0.5)
        sums = (self.counts[rows] * middle).sum(axis=1)
        return float(np.median(sums / np.maximum(middle.sum(axis=1), 1)))

    def _aside(
        self, rows: npt.NDArray[np.int64], line: npt.NDArray[np.float64], length: int
    ) -> float:
        """Columns from the straight line to the brightest band of these rows."""
        across = np.linspace(-ASIDE, ASIDE, PLACES) * length
        places = np.broadcast_arrays(rows[:, None], line[:, None] + across)
        sampled = ndimage.map_coordinates(self.counts, places, order=1, mode="nearest").sum(axis=0)
        whole = slice(BAND // 2, PLACES - BAND // 2)
        return float(across[whole][ndimage.uniform_filter1d(sampled, BAND)[whole].argmax()])
