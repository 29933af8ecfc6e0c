"""The one entry to stretcher removal: choose the method, count what goes, report it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.options import StretcherMethod
from osteoserve_preprocessing.geometry import Volume

#: Threshold of bone and table alike (Milara 2024, "Stretcher Removal").
TABLE_HU = 98


@dataclass(frozen=True)
class StretcherReport:
    """What was removed as stretcher.

    Args:
        method: How it was found.
        removed_voxels: Voxels above 98 HU that were set to 0 HU.
        removed_ml: Their volume in millilitres.
        caution: Why nothing, or less, was removed; empty where the method was sure.
    """

    method: StretcherMethod
    removed_voxels: int
    removed_ml: float
    caution: str


@dataclass(frozen=True, eq=False)
class Stretcher:
    """The stretcher of one volume.

    Args:
        mask: (Z, Y, X) bool, true where a voxel is to be set to 0 HU.
        report: What that removes.
    """

    mask: npt.NDArray[np.bool_]
    report: StretcherReport


def find_stretcher(volume: Volume, method: StretcherMethod) -> Stretcher:
    """Find the scanner table.

    Args:
        volume: Canonical.
        method: How to find it.

    Returns:
        Mask and report.
    """
    mask = np.zeros(volume.geometry.shape, dtype=np.bool_)
    caution = "" if method is StretcherMethod.NONE else "no stretcher was looked for"
    return Stretcher(mask, StretcherReport(method, 0, 0.0, caution))
