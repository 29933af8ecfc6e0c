"""Where the large regions of a view lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from osteoserve_preprocessing.core.regions import RegionName

LabelMap: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
Mask: TypeAlias = npt.NDArray[np.bool_]

#: Pieces of a region that are smaller than this share of its largest are stray pixels.
STRAY = 0.2


class Box(NamedTuple):
    """Edges of a region, pixels; the last ones are one past it."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return (self.top + self.bottom) / 2, (self.left + self.right) / 2


def mask_of(labels: LabelMap, names: Mapping[int, str], bone: str) -> Mask:
    """(Y, X) bool, all labels whose name says this bone, whatever view or side it says."""
    values = [value for value, name in names.items() if RegionName.of(name).bone == bone]
    mask: Mask = np.isin(labels, values)
    return mask


def box_of(labels: LabelMap, names: Mapping[int, str], bone: str) -> Box | None:
    """Edges of a region without stray pixels; None where it was not found."""
    pieces, count = ndimage.label(mask_of(labels, names, bone))
    if not count:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    # The spine may cut the chest in two, which are both its own.
    mask = np.isin(pieces, 1 + np.flatnonzero(sizes >= STRAY * sizes.max()))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
