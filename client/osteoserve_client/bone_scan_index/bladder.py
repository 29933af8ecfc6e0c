"""Where urine in the bladder shows in a planar view, by the box of the pelvis.

No label is the bladder's: hot pixels there are taken for urine, by a rule that anybody can redraw.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

#: An ellipse in the box round the pelvis region: its middle, from the box's top, and its half-axes,
#: as shares of the box's height (down) and width (across). It lies above the pubic symphysis,
#: between the acetabula. Chosen on phantoms and one scan: docs/bone_scan_index.md has the figures.
CENTRE_DOWN: Final = 0.58
HALF_DOWN: Final = 0.20
HALF_ACROSS: Final = 0.20


def bladder_region(pelvis: Mask) -> Mask:
    """The part of a pelvis region in which hot pixels are taken for urine.

    Args:
        pelvis: (Y, X) bool, rows from the head to the feet; the region in one view.

    Returns:
        (Y, X) bool, inside ``pelvis``; empty where that is. Mirroring ``pelvis`` mirrors it.
    """
    region = np.zeros_like(pelvis)
    rows, columns = np.flatnonzero(pelvis.any(axis=1)), np.flatnonzero(pelvis.any(axis=0))
    if not rows.size:
        return region
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    down = (np.arange(height) + 0.5) / height - CENTRE_DOWN
    # Twice the distance from the middle is a whole number: exactly the same on both sides.
    across = (2 * np.arange(width) + 1 - width) / (2 * width)
    inside = np.square(down / HALF_DOWN)[:, None] + np.square(across / HALF_ACROSS) <= 1
    region[box] = inside & pelvis[box]
    return region
