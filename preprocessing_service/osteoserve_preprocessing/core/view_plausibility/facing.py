"""From where a view shows the patient: from the front, or from behind.

A detector sees best what lies near it: tissue in between takes away about an eighth of the counts
for each centimetre, and blur grows with distance. Three bones of the middle lie near one detector:

- spine and sacrum lie near the back, but before the upper thoracic spine the sternum makes up for
  that in front. So against the upper chest the column below the sternum is bright from behind and
  dim from the front;
- the sacrum and its joints are bright from behind against the wings of the pelvis at its sides;
- the face is bright from the front against the vault of the skull.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from osteoserve_preprocessing.core.view_plausibility.bone_ratios import bone_ratios
from osteoserve_preprocessing.core.view_plausibility.landmarks import LabelMap
from osteoserve_preprocessing.core.view_plausibility.silhouette import Counts
from osteoserve_preprocessing.core.view_plausibility.verdict import Plausibility, judge

#: Of each logarithm of `bone_ratios`, +1 where it is larger from behind.
FROM_BEHIND: Final[Mapping[str, int]] = {"column": 1, "sacrum": 1, "face": -1}
#: Half-way between the medians of anterior and of posterior views, on 128 synthetic scans.
HALFWAY: Final[Mapping[str, float]] = {"column": -0.50, "sacrum": 0.41, "face": 0.39}
#: No bone alone may outweigh two that say the contrary.
LARGEST: Final = 0.3
#: Fewer bones than these decide nothing.
FEWEST: Final = 2

#: One view. Of the 456 views of 228 synthetic scans, 40 of them with thirty metastases each, none
#: had less than -0.07, and 382 had more than 0.1. Of 120 views that the detector was given under
#: the other name 106 had less than -0.1, with a quarter of the counts 102, and none more than 0.
#: The real anterior view: 0.17 as an anterior one, -0.16 as a posterior one.
LEAST_EVIDENCE: Final = 0.1
#: Both views. Of the same 228 scans none had less than 0.05; of 120 with their views exchanged none
#: had more than -0.08, nor of 60 of them with a tenth of the counts.
LEAST_CONTRAST: Final = 0.05

TAKEN_FROM: Final[Mapping[str, str]] = {"anterior": "the front", "posterior": "behind"}
OPPOSITE: Final[Mapping[str, str]] = {"anterior": "posterior", "posterior": "anterior"}


def check_view(
    counts: Counts, labels: LabelMap, names: Mapping[int, str], view: str
) -> Plausibility:
    """Check that one view looks as the file says.

    Evidence is the mean over the bones of what their logarithm lies beyond half-way between both
    views.

    Args:
        counts: (Y, X), rows from the head to the feet.
        labels: (Y, X) label map of the view, found for whichever view.
        names: Of its labels.
        view: What the file says, "anterior" or "posterior".
    """
    ratios = bone_ratios(counts, labels, names)
    beyond = {bone: FROM_BEHIND[bone] * (ratios[bone] - HALFWAY[bone]) for bone in ratios}
    if len(beyond) < FEWEST:
        return _too_few_regions()
    return judge(
        _mean(beyond) * (1 if view == "posterior" else -1),
        LEAST_EVIDENCE,
        plausible=f"the {view} view looks as if taken from {TAKEN_FROM[view]}",
        implausible=f"the {view} view looks as if taken from {TAKEN_FROM[OPPOSITE[view]]}: check "
        "the view codes",
        undetermined=f"the pixels do not show whether the {view} view was taken from "
        f"{TAKEN_FROM[view]}",
    )


def check_views(
    counts: Mapping[str, Counts], labels: Mapping[str, LabelMap], names: Mapping[int, str]
) -> Plausibility:
    """Check that of two views the posterior one looks more like one than the anterior one.

    Evidence is half of what the logarithms of `check_view` differ by. What is peculiar to the
    patient is in both views and falls out, so this is surer than either view alone. Views that do
    not differ show the patient from one side twice; then each is judged by itself.

    Args:
        counts: For "anterior" and "posterior" (Y, X).
        labels: For each (Y, X) label map.
        names: Of the labels.
    """
    front, back = (bone_ratios(counts[v], labels[v], names) for v in ("anterior", "posterior"))
    differ = {
        bone: FROM_BEHIND[bone] * (back[bone] - front[bone]) / 2 for bone in front if bone in back
    }
    if len(differ) < FEWEST:
        return _too_few_regions()
    contrast = judge(
        _mean(differ),
        LEAST_CONTRAST,
        plausible="the views look as if taken from the front and from behind as the file says",
        implausible="the views look exchanged, front for back: check the view codes",
        undetermined="the views do not differ as front and back do",
    )
    if contrast.verdict != "undetermined":
        return contrast
    alone = (check_view(counts[view], labels[view], names, view) for view in counts)
    return next((check for check in alone if check.verdict == "implausible"), contrast)


def _mean(evidence: Mapping[str, float]) -> float:
    return float(np.mean([np.clip(value, -LARGEST, LARGEST) for value in evidence.values()]))


def _too_few_regions() -> Plausibility:
    return Plausibility(
        "undetermined", 0.0, "too few regions were found to tell front from back by the pixels"
    )
