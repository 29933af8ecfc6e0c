"""Sections of a volume: neighbouring slices that are cut to one rectangle around the body.

Legs, head and trunk are of different sizes, so one rectangle for a whole volume holds much air.
What a slice is cut to must not depend on how slices are dealt out to requests: sections are counted
from the first slice of the volume, whatever is asked together afterwards.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

#: Slices of a section. Of a whole-body phantom of 500 slices one rectangle for each 16 has 0.60 of
#: the area of one for all, 0.55 for each slice, 0.64 for 32, 0.67 for 64.
SECTION: Final = 16

#: Indices of slices, ascending.
Indices = npt.NDArray[np.intp]


def sections(slices: npt.NDArray[np.uint8]) -> list[Indices]:
    """Deal a volume out.

    Args:
        slices: (N, Y, X) uint8, grey values, all of the volume.

    Returns:
        Indices of the slices of each section that hold anything above the window's floor; a
        section without any is left out.
    """
    filled = np.flatnonzero(slices.any(axis=(1, 2)))
    ends = np.arange(SECTION, len(slices), SECTION)
    dealt = np.split(filled, np.searchsorted(filled, ends))
    return [section for section in dealt if len(section)]
