"""What a radiologist reads off a label map: volume, density and extent of each label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import GeometryError
from osteoserve_preprocessing.geometry import Geometry


@dataclass(frozen=True)
class LabelMeasure:
    """Size, density and extent of one label.

    Args:
        value: The label's value in the map.
        name: Its name.
        voxels: How many voxels it has.
        millilitres: Their volume.
        mean_hu: Mean of their HU; None where it has no voxel.
        sd_hu: Standard deviation of their HU (population, divided by n); None likewise.
        first_slice: First index along the map's first axis that holds it; None likewise.
        last_slice: Last such index; None likewise.
    """

    value: int
    name: str
    voxels: int
    millilitres: float
    mean_hu: float | None
    sd_hu: float | None
    first_slice: int | None
    last_slice: int | None


class LabelTally:
    """Counts labelled voxels and sums their HU, a few slices at a time, in any order and thread.

    Args:
        geometry: The grid of the whole map.
        names: Value and name of each label.
    """

    def __init__(self, geometry: Geometry, names: Mapping[int, str]) -> None:
        self._geometry = geometry
        self._names = names
        self._counts = np.zeros((geometry.shape[0], 256), dtype=np.int64)
        self._sums = np.zeros(256, dtype=np.int64)
        self._squares = np.zeros(256, dtype=np.int64)
        self._adding = Lock()

    def add(
        self, labels: npt.NDArray[np.uint8], voxels: npt.NDArray[np.int16], *, first: int = 0
    ) -> None:
        """Count a part of the map, each voxel once in all.

        Args:
            labels: (n, ., .) uint8, 0 background.
            voxels: (n, ., .) int16, their HU.
            first: Index of the first of them along the map's first axis.
        """
        with self._adding:
            for k, (label, hounsfield) in enumerate(zip(labels, voxels, strict=True), first):
                found = label > 0
                value, hu = label[found], hounsfield[found].astype(np.int64)
                counts = np.bincount(value, minlength=256)
                self._counts[k] += counts
                for v in np.flatnonzero(counts):
                    of_v = hu[value == v]
                    self._sums[v] += of_v.sum()
                    self._squares[v] += (of_v * of_v).sum()

    def measures(self) -> tuple[LabelMeasure, ...]:
        """One measure per named label, by ascending value, those without a voxel included."""
        return tuple(
            _measure(
                v,
                self._names[v],
                self._counts[:, v],
                int(self._sums[v]),
                int(self._squares[v]),
                self._geometry,
            )
            for v in sorted(self._names)
        )


def measure_labels(
    labels: npt.NDArray[np.uint8],
    voxels: npt.NDArray[np.int16],
    geometry: Geometry,
    names: Mapping[int, str],
) -> tuple[LabelMeasure, ...]:
    """Measure every named label on the source grid.

    Args:
        labels: (Z, Y, X) uint8, 0 background.
        voxels: (Z, Y, X) int16, HU, on the same grid.
        geometry: That grid.
        names: Value and name of each label; measured in ascending order of value.

    Returns:
        One measure per named label, those without a voxel included.

    Raises:
        GeometryError: The shapes differ.
    """
    if not labels.shape == voxels.shape == geometry.shape:
        raise GeometryError(
            f"labels {labels.shape}, voxels {voxels.shape} and grid {geometry.shape} differ"
        )
    tally = LabelTally(geometry, names)
    tally.add(labels, voxels)
    return tally.measures()


def _measure(
    value: int,
    name: str,
    counts: npt.NDArray[np.int64],
    total: int,
    squares: int,
    geometry: Geometry,
) -> LabelMeasure:
    n = int(counts.sum())
    if n == 0:
        return LabelMeasure(value, name, 0, 0.0, None, None, None, None)
    slices = np.flatnonzero(counts)
    # n * squares - total**2 in Python's unbounded integers: no cancellation, never negative.
    sd = math.sqrt(n * squares - total * total) / n
    return LabelMeasure(
        value=value,
        name=name,
        voxels=n,
        millilitres=n * geometry.voxel_volume_ml,
        mean_hu=total / n,
        sd_hu=sd,
        first_slice=int(slices[0]),
        last_slice=int(slices[-1]),
    )
