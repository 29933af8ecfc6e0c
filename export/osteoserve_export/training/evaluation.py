"""How good a mask is: overlap with a reference, and the figures of Milara 2024."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import PairError
from osteoserve_export.specification import PIXEL_SPACING_MM, PIXEL_SPACING_RANGE_MM
from osteoserve_export.training.pairs import BONE, IGNORED
from osteoserve_preprocessing.core import (
    PreprocessingOptions,
    StretcherMethod,
    in_plane_sampling,
    preprocess,
)
from osteoserve_preprocessing.geometry import Volume

#: From (N, H, W) uint8 grey values to (N, H, W) uint8 labels: a network, however it is run.
Segmenter = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]

#: H and W must be multiples of it, for a U-Net with four downsamplings.
SIZE_MULTIPLE = 16


@dataclass(frozen=True)
class Confusion:
    """Voxels by what they are and what they were taken for.

    Args:
        true_positive: Bone found.
        false_positive: Background taken for bone.
        false_negative: Bone missed.
        true_negative: Background left alone.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN); 1 where neither mask holds anything."""
        both = 2 * self.true_positive
        return _ratio(both, both + self.false_positive + self.false_negative)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), intersection over union; 1 where neither mask holds anything."""
        union = self.true_positive + self.false_positive + self.false_negative
        return _ratio(self.true_positive, union)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), recall; 1 where there is no bone."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 1 where nothing was taken for bone."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); 1 where there is no background."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all; 1 where nothing was judged."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)


def compare(predicted: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8]) -> Confusion:
    """Count voxels.

    Args:
        predicted: Any shape, uint8; not 0 means bone.
        target: Same shape, uint8: 0, 1, or 255, which is not counted.

    Returns:
        The four counts.

    Raises:
        PairError: The shapes differ.
    """
    if predicted.shape != target.shape:
        raise PairError(f"masks of {predicted.shape} and {target.shape} cannot be compared")
    known, found, bone = target != IGNORED, predicted != 0, target == BONE
    return Confusion(
        int(np.count_nonzero(found & bone)),
        int(np.count_nonzero(found & known & ~bone)),
        int(np.count_nonzero(~found & bone)),
        int(np.count_nonzero(~found & known & ~bone)),
    )


def segment(
    segmenter: Segmenter,
    volume: Volume,
    *,
    stretcher: StretcherMethod = StretcherMethod.BODY,
    batch: int = 8,
) -> npt.NDArray[np.uint8]:
    """Segment a study the way it is served.

    Args:
        segmenter: The network.
        volume: Canonical, HU.
        stretcher: How the scanner table is found.
        batch: Slices in one pass; does not change the result.

    Returns:
        (Z, Y, X) uint8, labels on the volume's grid.
    """
    prepared = preprocess(volume, PreprocessingOptions(stretcher=stretcher))
    sampling = in_plane_sampling(
        prepared.geometry,
        nominal_mm=PIXEL_SPACING_MM,
        range_mm=PIXEL_SPACING_RANGE_MM,
        size_multiple=SIZE_MULTIPLE,
    )
    slices = sampling.forward(prepared.slices)
    parts = [segmenter(slices[n : n + batch]) for n in range(0, len(slices), batch)]
    return sampling.backward(np.concatenate(parts), 1)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
