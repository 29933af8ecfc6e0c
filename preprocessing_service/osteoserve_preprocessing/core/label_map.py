"""A label map in the memory of the volume that it is of.

A volume that is being segmented is the largest thing in the service's memory. Once a slice has
labels, and they are measured, its HU are of no use any more, so the labels take their place.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.measures import LabelMeasure, LabelTally
from osteoserve_preprocessing.core.orientation import Orientation
from osteoserve_preprocessing.geometry import Geometry


class LabelMap:
    """The labels of a volume, slice by slice in the place of its voxels.

    Args:
        voxels: (Z, Y, X) int16, HU, canonical, in C order; it is overwritten, and must not be used
            for anything else from a slice's labels on.
        orientation: Between the source's grid and the canonical one.
        geometry: The source's grid.
        names: Value and name of each label.
    """

    def __init__(
        self,
        voxels: npt.NDArray[np.int16],
        orientation: Orientation,
        geometry: Geometry,
        names: Mapping[int, str],
    ) -> None:
        slices, rows, columns = voxels.shape
        self._voxels, self._orientation = voxels, orientation
        # The first half of each slice's own bytes: a slice is whole, and no other is touched.
        halves = voxels.view(np.uint8).reshape(slices, 2, rows, columns)
        self._labels = halves[:, 0]
        self._labelled = np.zeros(slices, dtype=np.bool_)
        self._tally = LabelTally(geometry, names)

    def put(self, part: range, labels: npt.NDArray[np.uint8]) -> None:
        """Measure some slices' labels and put them in the place of the slices' HU.

        Args:
            part: Which slices, each once in all.
            labels: (n, Y, X) uint8, canonical.

        Raises:
            RuntimeError: One of them has labels already, and no HU any more.
        """
        place = slice(part.start, part.stop)
        if self._labelled[place].any():
            raise RuntimeError(f"slices {part} have labels already")
        self._tally.add(
            self._orientation.restore(labels),
            self._orientation.restore(self._voxels[place]),
            first=self._orientation.first_restored(part, len(self._voxels)),
        )
        self._labels[place] = labels
        self._labelled[place] = True

    def clear(self, part: range) -> None:
        """Say of some slices that they hold no label; as `put`."""
        for k in part:
            self.put(range(k, k + 1), np.zeros_like(self._labels[k : k + 1]))

    def whole(self) -> npt.NDArray[np.uint8]:
        """All labels on the source's grid, a view.

        Raises:
            RuntimeError: A slice has none, and would show its HU as labels.
        """
        if not self._labelled.all():
            raise RuntimeError(f"{np.count_nonzero(~self._labelled)} slices have no labels")
        return self._orientation.restore(self._labels)

    def measures(self) -> tuple[LabelMeasure, ...]:
        """What the labels measure on the source's grid."""
        return self._tally.measures()
