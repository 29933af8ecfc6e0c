"""The patient's body: what is thick.

A patient is thick and a table is a thin shell round foam or air: after eroding everything denser
than lung by 4 mm within the slice, of the patient a core is left in the trunk and every limb, and
of the table next to nothing. The patient is that core, grown back. See docs/decisions/0002.
"""

from __future__ import annotations

from typing import Any, TypeVar

import cc3d
import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.coarse import CoarseRange, Mask
from osteoserve_preprocessing.core.stretcher.cavities import close_cavities
from osteoserve_preprocessing.core.stretcher.morphology import dilate, erode

Integer = TypeVar("Integer", np.uint8, np.int32)

#: Above this lie fat, muscle and bone, also where noise is strong; below it lung, foam and air.
DENSE_HU = -250
#: Half the thickness that makes a patient. Table shells above ``DENSE_HU`` measured up to 7 mm
#: thick; fingers are 15 mm, the thinnest chest wall is 8 mm.
HALF_THICKNESS_MM = 4.0
#: Largest axial section, in cm2, that a separate part of the patient has somewhere along its
#: length. Solid table rails cut by the image's border measured up to 2.6, a child's arm is 10.
SMALLEST_SECTION_CM2 = 4.0
#: Two table shells close together pass for one thick part. It is less than this thick, and less
#: than this share of it is fat or soft tissue (measured 0.2 to 0.5; fingers 0.65, arms 0.86 and
#: more). Both are asked, since an arm that the field of view cuts is bright all over, by
#: truncation artefact, but thick.
SHELLS_HALF_THICKNESS_MM, SHELLS_SHARE_SOFT = 8.0, 0.6
#: Noise, as a standard deviation, above which single voxels say too little. Low-dose scans
#: through shoulders have 100 HU.
NOISY_HU = 40.0


def find_patient(coarse: CoarseRange, bright_hu: int) -> Mask:
    """The cells that belong to the patient.

    Args:
        coarse: Cells of a canonical volume.
        bright_hu: HU above which table and bone look alike.

    Returns:
        (z, y, x) bool. Every thick part of trunk and limbs, with the cavities that they enclose;
        skin folds thinner than 8 mm are left out. Empty where there is no thick part.
    """
    return close_cavities(coarse, _thick_parts(coarse, bright_hu), DENSE_HU)


def _thick_parts(coarse: CoarseRange, bright_hu: int) -> Mask:
    parts = cc3d.connected_components(_opened(coarse), connectivity=26)
    large = _largest_sections(parts) * coarse.cell_cm2 >= SMALLEST_SECTION_CM2
    large[0] = False
    patient = np.zeros(parts.shape, dtype=np.bool_)
    for number in np.flatnonzero(large):
        part = parts == number
        if not _is_shells(coarse, part, bright_hu):
            patient |= part
    return patient


def _opened(coarse: CoarseRange) -> Mask:
    """What is dense, without what is thin."""
    thick = np.empty(coarse.cells, dtype=np.bool_)
    for block, cells in coarse.blocks():
        core = erode(cells, _dense(cells), HALF_THICKNESS_MM)
        grown = dilate(cells, core, HALF_THICKNESS_MM)
        np.logical_and(grown, cells.highest > DENSE_HU, out=thick[block])
    return thick


def _is_shells(coarse: CoarseRange, part: Mask, bright_hu: int) -> bool:
    soft = sum(
        int(np.count_nonzero(cells & (low <= bright_hu)))
        for cells, low in zip(part, coarse.lowest, strict=True)
    )
    if soft >= SHELLS_SHARE_SOFT * np.count_nonzero(part):
        return False
    # Of whole slices: at the edge of its own box a part would be taken to go on.
    eroded = (
        erode(cells, part[block], SHELLS_HALF_THICKNESS_MM) for block, cells in coarse.blocks()
    )
    return not any(thick.any() for thick in eroded)


def _dense(coarse: CoarseRange) -> Mask:
    """Cells that are dense throughout; where the scan is noisy, that are dense on average."""
    if coarse.noise_hu > NOISY_HU:
        middle = (coarse.lowest.astype(np.int32) + coarse.highest) // 2
        return np.greater(_sum_3x3(middle), 9 * DENSE_HU)
    # A voxel here and there is noise all the same: most of its neighbours decide.
    cells = coarse.lowest > DENSE_HU
    return cells | (_sum_3x3(cells.view(np.uint8)) >= 6)


def _sum_3x3(cells: npt.NDArray[Integer]) -> npt.NDArray[Integer]:
    """Sum of each cell and its neighbours in the slice; the border goes on."""
    return _sum_of_three(_sum_of_three(cells, 1), 2)


def _sum_of_three(cells: npt.NDArray[Integer], axis: int) -> npt.NDArray[Integer]:
    total = cells.copy()
    sums, single = np.moveaxis(total, axis, 0), np.moveaxis(cells, axis, 0)
    sums[0] += single[0]
    sums[1:] += single[:-1]
    sums[:-1] += single[1:]
    sums[-1] += single[-1]
    return total


def _largest_sections(parts: npt.NDArray[np.unsignedinteger[Any]]) -> npt.NDArray[np.int64]:
    """Cells in each part's largest slice, indexed by the part's number."""
    largest = np.zeros(int(parts.max()) + 1, dtype=np.int64)
    for section in parts:
        np.maximum(largest, np.bincount(section.ravel(), minlength=largest.size), out=largest)
    return largest
