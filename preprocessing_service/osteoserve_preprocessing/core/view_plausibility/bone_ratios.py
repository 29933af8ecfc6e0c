"""Bones near one detector against bones that both see alike, within one view.

Ratios do not know the scale of the counts; medians keep single hot spots out of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from osteoserve_preprocessing.core.view_plausibility.landmarks import Box, LabelMap, box_of
from osteoserve_preprocessing.core.view_plausibility.midline import Midline
from osteoserve_preprocessing.core.view_plausibility.silhouette import Counts

#: Standard deviation of the blur, share of the columns: 1 of 256.
BLUR: Final = 1 / 256

#: Rows of the midline: 0 is the top of the chest, 1 that of the pelvis.
STERNUM, LOWER_THORACIC, LUMBAR = (0.08, 0.45), (0.5, 0.72), (0.72, 0.98)


class Part(NamedTuple):
    """Part of a box, shares of its height and width."""

    top: float
    bottom: float
    left: float
    right: float

    def of(self, counts: npt.NDArray[np.float64], box: Box) -> npt.NDArray[np.float64]:
        """(N,) the counts in it."""
        height, width = box.bottom - box.top, box.right - box.left
        rows = slice(int(box.top + self.top * height), int(box.top + self.bottom * height))
        columns = slice(int(box.left + self.left * width), int(box.left + self.right * width))
        return counts[rows, columns].ravel()


FACE, VAULT = Part(0.55, 1.0, 0.1, 0.9), Part(0.1, 0.5, 0.2, 0.8)
SACRUM = Part(0.12, 0.4, 0.38, 0.62)
WINGS = Part(0.12, 0.4, 0.08, 0.33), Part(0.12, 0.4, 0.67, 0.92)


def bone_ratios(counts: Counts, labels: LabelMap, names: Mapping[int, str]) -> dict[str, float]:
    """Natural logarithms of three ratios; those are left out whose regions were not found.

    Args:
        counts: (Y, X), rows from the head to the feet.
        labels: (Y, X) label map of the view. Only the edges of skull, chest and pelvis are used,
            which a detector finds alike in either half of its image.
        names: Of its labels.

    Returns:
        "column": lower thoracic and lumbar spine and sacrum over what lies in the middle of the
        upper chest, sternum or spine. "sacrum": the middle of the upper pelvis over its wings.
        "face": the upper quartile of the face over the vault of the skull.
    """
    blurred = ndimage.gaussian_filter(counts.astype(np.float64), BLUR * counts.shape[1])
    skull, chest, pelvis = (box_of(labels, names, bone) for bone in ("skull", "chest", "pelvis"))
    ratios = {}
    if skull:
        ratios["face"] = _upper_quartile(FACE.of(blurred, skull)), _median(VAULT.of(blurred, skull))
    if pelvis:
        sacrum = _median(SACRUM.of(blurred, pelvis))
        wings = np.concatenate([wing.of(blurred, pelvis) for wing in WINGS])
        ratios["sacrum"] = sacrum, _median(wings)
        if skull and chest and skull.centre[0] < chest.centre[0] < pelvis.top:
            midline = Midline(blurred, skull, chest, pelvis)
            lower = midline.level(*LOWER_THORACIC), midline.level(*LUMBAR), sacrum
            ratios["column"] = sum(lower) / len(lower), midline.level(*STERNUM)
    return {
        bone: float(np.log(over / under))
        for bone, (over, under) in ratios.items()
        if over > 0 and under > 0
    }


def _median(counts: npt.NDArray[np.float64]) -> float:
    return float(np.median(counts)) if counts.size else 0.0


def _upper_quartile(counts: npt.NDArray[np.float64]) -> float:
    return float(np.percentile(counts, 75)) if counts.size else 0.0
