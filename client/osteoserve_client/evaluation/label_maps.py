"""What is compared: label maps of a CT on their grid, and of a bone scan by view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.geometry import Geometry

Labels = npt.NDArray[np.uint8]
#: What the values of a label map mean; empty where its file does not say.
Names = Mapping[int, str]

NAMELESS: Final[Names] = MappingProxyType({})


def _nameless() -> Names:
    return NAMELESS


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """Labels of every voxel of a grid.

    Args:
        labels: (Z, Y, X) uint8, 0 background.
        geometry: Where they lie.
        names: What the values mean.
    """

    labels: Labels
    geometry: Geometry
    names: Names = field(default_factory=_nameless)


@dataclass(frozen=True, eq=False)
class LabelPlane:
    """One slice of one label.

    Args:
        value: The label, 1 to 255.
        mask: (Y, X) bool.
        affine: 4x4, from (i, j, 0, 1), column and row index, to (x, y, z, 1) in LPS, mm.
    """

    value: int
    mask: npt.NDArray[np.bool_]
    affine: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelPlanes:
    """Slices that hold labels, as a DICOM segmentation object lists them: the rest is background.

    Args:
        planes: In any order.
        names: What the values mean.
    """

    planes: tuple[LabelPlane, ...]
    names: Names = field(default_factory=_nameless)


@dataclass(frozen=True, eq=False)
class LabelViews:
    """Label maps of a bone scan.

    Args:
        views: "anterior" or "posterior", or both: (Y, X) uint8, 0 background.
        pixel_spacing_mm: (between rows, between columns); None where no file says.
        names: What the values mean.
    """

    views: Mapping[str, Labels]
    pixel_spacing_mm: tuple[float, float] | None = None
    names: Names = field(default_factory=_nameless)


LabelMap = LabelVolume | LabelPlanes | LabelViews
