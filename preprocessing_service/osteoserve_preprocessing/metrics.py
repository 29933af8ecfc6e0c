"""How well label maps agree: the one arithmetic that client and export share.

A ratio whose denominator is 0 is undefined, and is NaN here: a label that neither map holds is
neither found (1) nor missed (0). Whoever averages leaves undefined figures out and says of how
many the average is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

#: Values that a label map of 8 bits may hold.
_VALUES: Final = 256


@dataclass(frozen=True)
class Confusion:
    """Voxels by what they are and what they were taken for.

    Args:
        true_positive: The label found.
        false_positive: Something else taken for it.
        false_negative: The label missed.
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
    def found(self) -> int:
        """TP + FP: voxels that were taken for the label."""
        return self.true_positive + self.false_positive

    @property
    def true(self) -> int:
        """TP + FN: voxels that are the label."""
        return self.true_positive + self.false_negative

    @property
    def precision(self) -> float:
        """TP / (TP + FP) (Yu 2023, equation 1); NaN where nothing was taken for the label."""
        return _ratio(self.true_positive, self.found)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), recall (Yu 2023, equation 2); NaN where the label is absent."""
        return _ratio(self.true_positive, self.true)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); NaN where there is nothing but the label."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all; NaN where nothing was judged."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self._wrong)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN): Yu 2023, equation 3, put into counts.

        Equal to the Dice index; 0 where the label was missed altogether, though precision is
        undefined there; NaN where neither map holds it.
        """
        return self.dice

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), "IoU (mask)" of Milara 2024; NaN where neither map holds it."""
        return _ratio(self.true_positive, self.true_positive + self._wrong)

    @property
    def iou_background(self) -> float:
        """TN / (TN + FP + FN), "IoU (background)" of Milara 2024."""
        return _ratio(self.true_negative, self.true_negative + self._wrong)

    @property
    def iou_mean(self) -> float:
        """Mean of mask and background (Milara 2024, equation 4); NaN where one of them is."""
        return (self.iou + self.iou_background) / 2

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), "Dice (mask)" (Milara 2024, equation 5)."""
        both = 2 * self.true_positive
        return _ratio(both, both + self._wrong)

    @property
    def dice_background(self) -> float:
        """2 TN / (2 TN + FP + FN), "Dice (background)" (Milara 2024, equation 6)."""
        both = 2 * self.true_negative
        return _ratio(both, both + self._wrong)

    @property
    def dice_mean(self) -> float:
        """Mean of mask and background (Milara 2024, equation 7); NaN where one of them is."""
        return (self.dice + self.dice_background) / 2

    @property
    def _wrong(self) -> int:
        return self.false_positive + self.false_negative


@dataclass(frozen=True)
class Figures:
    """What is reported of one label: each a share from 0 to 1, NaN where it is undefined.

    The fields are those of `Confusion` by the same name.
    """

    precision: float
    sensitivity: float
    f1: float
    specificity: float
    accuracy: float
    iou: float
    iou_background: float
    iou_mean: float
    dice: float
    dice_background: float
    dice_mean: float

    @classmethod
    def of(cls, confusion: Confusion) -> Figures:
        """The figures of one confusion."""
        return cls(**{field.name: getattr(confusion, field.name) for field in fields(cls)})

    @classmethod
    def mean(cls, several: Collection[Figures]) -> Figures:
        """The mean of each figure over those that are defined; NaN where none is.

        F1 alone is no mean: as under the tables of Yu 2023 it is equation 3 of mean precision and
        mean sensitivity.
        """
        means = {
            field.name: defined_mean(getattr(one, field.name) for one in several)
            for field in fields(cls)
        }
        means["f1"] = f1_score(means["precision"], means["sensitivity"])
        return cls(**means)


def f1_score(precision: float, sensitivity: float) -> float:
    """Harmonic mean of the two (Yu 2023, equation 3); NaN where one is NaN, or both are 0."""
    both = precision + sensitivity
    return 2 * precision * sensitivity / both if both else math.nan


def defined_mean(values: Iterable[float]) -> float:
    """Mean of those that are not NaN; NaN where none is left."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def joint_counts(
    found: npt.NDArray[np.uint8], true: npt.NDArray[np.uint8], *, ignored: int | None = None
) -> npt.NDArray[np.int64]:
    """Count the voxels of two label maps by both their labels.

    Args:
        found: Any shape, uint8.
        true: Same shape, uint8.
        ignored: Value of ``true`` that says "unknown": such voxels are not counted.

    Returns:
        (256, 256) int64; the element [t, f] counts the voxels that are t and were taken for f.

    Raises:
        ValueError: The shapes differ, or a map is not uint8.
    """
    if found.shape != true.shape or found.dtype != np.uint8 or true.dtype != np.uint8:
        raise ValueError(
            f"label maps must be uint8 of one shape, not {found.dtype} {found.shape} and "
            f"{true.dtype} {true.shape}"
        )
    counts = np.zeros(_VALUES * _VALUES, dtype=np.int64)
    # One slice at a time: bincount makes 64 bits of every voxel.
    for one, other in zip(np.atleast_2d(true), np.atleast_2d(found), strict=True):
        codes = one.astype(np.uint16) * np.uint16(_VALUES) + other
        counts += np.bincount(codes.ravel(), minlength=counts.size)
    table = counts.reshape(_VALUES, _VALUES)
    if ignored is not None:
        table[ignored] = 0
    return table


def label_confusion(
    joint: npt.NDArray[np.int64], found: Collection[int], true: Collection[int]
) -> Confusion:
    """The counts of one label, from those of `joint_counts`.

    Args:
        joint: (256, 256) int64.
        found: The values that mean the label in the map that was found; may be none.
        true: Those that mean it in the reference; may be none.
    """
    columns, rows = np.array(list(found), dtype=np.intp), np.array(list(true), dtype=np.intp)
    both = int(joint[np.ix_(rows, columns)].sum())
    all_found, all_true = int(joint[:, columns].sum()), int(joint[rows].sum())
    left = int(joint.sum()) - all_found - all_true + both
    return Confusion(both, all_found - both, all_true - both, left)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
