"""A label map in the memory of the volume that it is of, or in the caller's.

A volume that is being segmented is the largest thing in the service's memory. Once a slice has
labels, and they are measured, its HU are of no use any more, so the labels take their place. Where
the volume lies in the caller's memory, the labels go into another part of that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.measures import LabelMeasure, LabelTally
from osteoserve_preprocessing.core.orientation import Orientation
from osteoserve_preprocessing.geometry import Geometry


class LabelMap:
    """The labels of a volume, slice by slice.

    Args:
        voxels: (Z, Y, X) int16, HU, canonical. Without ``place`` it is in C order and overwritten,
            and must not be used for anything else from a slice's labels on.
        orientation: Between the source's grid and the canonical one.
        geometry: The source's grid.
        names: Value and name of each label.
        place: uint8 on the source's grid: where the labels go; None for the place of the voxels.
    """

    def __init__(
        self,
        voxels: npt.NDArray[np.int16],
        orientation: Orientation,
        geometry: Geometry,
        names: Mapping[int, str],
        place: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        slices = len(voxels)
        self._voxels, self._orientation = voxels, orientation
        self._labels = _in_place_of(voxels) if place is None else orientation.apply(place)
        self._labelled = np.zeros(slices, dtype=np.bool_)
        self._tally = LabelTally(geometry, names)

    def put(self, part: range, labels: npt.NDArray[np.uint8]) -> None:
        """Measure some slices' labels and put them into their place.

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


def _in_place_of(voxels: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """The first half of each slice's own bytes: a slice is whole, and no other is touched."""
    slices, rows, columns = voxels.shape
    return voxels.view(np.uint8).reshape(slices, 2, rows, columns)[:, 0]
