"""Counts the voxels of one study by label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import GridMismatchError, LabelMapError, StudyMatchError
from osteoserve_client.evaluation.alignment import aligned
from osteoserve_client.evaluation.label_maps import LabelMap, LabelViews, Names
from osteoserve_client.evaluation.names import distinct, key, values_of
from osteoserve_preprocessing.metrics import Confusion, joint_counts, label_confusion

#: Value of a reference's voxels of which nothing is known, unless another is given.
UNKNOWN: Final = 255


@dataclass(frozen=True)
class StudyCounts:
    """One study's voxels, or pixels of all its views together.

    Args:
        study: Its name.
        confusions: By label, in the order of the labels' values.
        voxels: How many were judged.
        unit_size: Millilitres of a voxel, or square centimetres of a pixel; None where no file
            says.
    """

    study: str
    confusions: Mapping[str, Confusion]
    voxels: int
    unit_size: float | None

    def confusion(self, label: str) -> Confusion:
        """The counts of a label, which this study may know nothing of."""
        for name, confusion in self.confusions.items():
            if key(name) == key(label):
                return confusion
        return Confusion(0, 0, 0, self.voxels)


def compare(
    study: str,
    reference: LabelMap,
    prediction: LabelMap,
    *,
    names: Names | None = None,
    ignored: int = UNKNOWN,
) -> StudyCounts:
    """Count one study.

    Labels are matched by name where both label maps name theirs, otherwise by value.

    Args:
        study: Its name.
        reference: What is true.
        prediction: What was found.
        names: What the values mean in both, whatever their files say.
        ignored: Value of the reference that is not counted.

    Raises:
        GridMismatchError: The two do not lie on the same voxels or pixels.
        LabelMapError: They have no label's name in common.
        StudyMatchError: A view is missing, or one is of a CT, the other of a bone scan.
    """
    true_names = names or reference.names or prediction.names
    found_names = names or prediction.names or reference.names
    if true_names and not {key(n) for n in true_names.values()} & {
        key(n) for n in found_names.values()
    }:
        raise LabelMapError(
            f"{study}: reference and prediction have no label's name in common: say with --labels "
            "what the values of both mean"
        )
    if isinstance(reference, LabelViews) and isinstance(prediction, LabelViews):
        joint, size = _planar(study, reference, prediction, ignored)
    elif isinstance(reference, LabelViews) or isinstance(prediction, LabelViews):
        raise StudyMatchError(f"{study}: a CT cannot be compared with a bone scan")
    else:
        true, found, geometry = aligned(reference, prediction, study)
        joint, size = joint_counts(found, true, ignored=ignored), geometry.voxel_volume_ml
    confusions = _confusions(
        joint, _complete(true_names, joint.sum(1)), _complete(found_names, joint.sum(0))
    )
    return StudyCounts(study, confusions, int(joint.sum()), size)


def _planar(
    study: str, reference: LabelViews, prediction: LabelViews, ignored: int
) -> tuple[npt.NDArray[np.int64], float | None]:
    if set(reference.views) != set(prediction.views):
        raise StudyMatchError(
            f"{study}: the reference has {_views(reference)}, the prediction {_views(prediction)}"
        )
    joint = np.zeros((256, 256), dtype=np.int64)
    for view, true in reference.views.items():
        found = prediction.views[view]
        if found.shape != true.shape:
            raise GridMismatchError(
                f"{study}: the {view} view has {_shape(found)} pixels in the prediction and "
                f"{_shape(true)} in the reference"
            )
        joint += joint_counts(found, true, ignored=ignored)
    spacing = reference.pixel_spacing_mm or prediction.pixel_spacing_mm
    return joint, spacing[0] * spacing[1] / 100 if spacing else None


def _complete(names: Names, counts: npt.NDArray[np.int64]) -> Names:
    """The names, and one for every other value that occurs."""
    found = (int(value) for value in np.flatnonzero(counts) if value)
    return {**names, **{value: f"label {value}" for value in found if value not in names}}


def _confusions(joint: npt.NDArray[np.int64], true: Names, found: Names) -> dict[str, Confusion]:
    named = sorted([*true.items(), *found.items()], key=lambda item: item[0])
    return {
        name: label_confusion(joint, found=values_of(found, name), true=values_of(true, name))
        for name in distinct([name for _, name in named])
    }


def _views(labels: LabelViews) -> str:
    return " and ".join(sorted(labels.views)) + (" views" if len(labels.views) > 1 else " view")


def _shape(labels: npt.NDArray[np.uint8]) -> str:
    return "x".join(str(n) for n in labels.shape)
