"""How good a mask is: overlap with a reference, and the figures of Milara 2024."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import PairError
from osteoserve_export.specification.values import PIXEL_SPACING_MM, PIXEL_SPACING_RANGE_MM
from osteoserve_export.training.pairs import IGNORED
from osteoserve_preprocessing.core import (
    PreprocessingOptions,
    StretcherMethod,
    Window,
    in_plane_sampling,
    preprocess,
)
from osteoserve_preprocessing.geometry import Volume

#: From (N, H, W) uint8 grey values to (N, H, W) uint8 labels: a network, however it is run.
Segmenter = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Confusion:
    """Voxels by what they are and what they were taken for.

    Args:
        true_positive: The class found.
        false_positive: Something else taken for it.
        false_negative: The class missed.
        true_negative: Something else left alone.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @classmethod
    def of(cls, found: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> Confusion:
        """Count the voxels of two masks of one shape."""
        return cls(
            int(np.count_nonzero(found & true)),
            int(np.count_nonzero(found & ~true)),
            int(np.count_nonzero(~found & true)),
            int(np.count_nonzero(~found & ~true)),
        )

    def __add__(self, other: Confusion) -> Confusion:
        """The counts of both together."""
        return Confusion(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

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
        """TP / (TP + FN), recall; 1 where the class is absent."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 1 where nothing was taken for it."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); 1 where there is nothing else."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all; 1 where nothing was judged."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)


def compare(
    predicted: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8], label: int = 1
) -> Confusion:
    """Count the voxels of one class.

    Args:
        predicted: Any shape, uint8, the classes.
        target: Same shape, uint8: the classes, or 255, which is not counted.
        label: The class.

    Returns:
        The four counts.

    Raises:
        PairError: The shapes differ.
    """
    if predicted.shape != target.shape:
        raise PairError(f"masks of {predicted.shape} and {target.shape} cannot be compared")
    known = target != IGNORED
    return Confusion.of(predicted[known] == label, target[known] == label)


def segment(
    segmenter: Segmenter,
    volume: Volume,
    *,
    window: Window | None = None,
    classes: int = 1,
    size_multiple: int = 16,
    stretcher: StretcherMethod = StretcherMethod.BODY,
    batch: int = 8,
) -> npt.NDArray[np.uint8]:
    """Segment a study the way it is served.

    Args:
        segmenter: The network.
        volume: Canonical, HU.
        window: Range of HU that the network sees; 0..300 unless given.
        classes: That it tells apart, background left out.
        size_multiple: What H and W must be multiples of.
        stretcher: How the scanner table is found.
        batch: Slices in one pass; does not change the result.

    Returns:
        (Z, Y, X) uint8, labels on the volume's grid.
    """
    options = PreprocessingOptions(stretcher=stretcher, window=window or Window())
    prepared = preprocess(volume, options)
    sampling = in_plane_sampling(
        prepared.geometry,
        nominal_mm=PIXEL_SPACING_MM,
        range_mm=PIXEL_SPACING_RANGE_MM,
        size_multiple=size_multiple,
    )
    slices = sampling.forward(prepared.slices)
    parts = [segmenter(slices[n : n + batch]) for n in range(0, len(slices), batch)]
    return sampling.backward(np.concatenate(parts), classes)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
