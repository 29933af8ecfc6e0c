from __future__ import annotations

import numpy as np
import pytest

from osteoserve_export.errors import PairError
from osteoserve_export.training.evaluation import Confusion, compare, segment
from osteoserve_preprocessing.core import StretcherMethod


def test_figures_worked_out_by_hand():
    figures = Confusion(true_positive=60, false_positive=20, false_negative=40, true_negative=880)
    assert figures.dice == pytest.approx(120 / 180)
    assert figures.iou == pytest.approx(60 / 120)
    assert figures.sensitivity == pytest.approx(0.6)
    assert figures.precision == pytest.approx(0.75)
    assert figures.specificity == pytest.approx(880 / 900)
    assert figures.accuracy == pytest.approx(0.94)


def test_dice_and_iou_say_the_same():
    figures = Confusion(7, 3, 2, 11)
    assert figures.dice == pytest.approx(2 * figures.iou / (1 + figures.iou))


def test_voxels_are_counted_and_ignored_ones_are_not():
    predicted = np.array([1, 1, 0, 0, 1, 0], dtype=np.uint8)
    target = np.array([1, 0, 1, 0, 255, 255], dtype=np.uint8)
    assert compare(predicted, target) == Confusion(1, 1, 1, 1)


def test_empty_masks_agree():
    nothing = np.zeros((2, 3), dtype=np.uint8)
    assert compare(nothing, nothing).dice == 1.0


def test_masks_of_different_shape_are_refused():
    with pytest.raises(PairError):
        compare(np.zeros(3, dtype=np.uint8), np.zeros(4, dtype=np.uint8))


def test_a_study_goes_the_way_it_is_served(tube):
    seen = []

    def bright(slices):
        seen.append(slices.shape)
        return (slices > 200).astype(np.uint8)

    mask = segment(bright, tube.volume, stretcher=StretcherMethod.NONE, batch=4)
    assert np.array_equal(mask, tube.target)
    assert seen == [(4, 80, 80), (2, 80, 80)]


@pytest.mark.parametrize("batch", [1, 5, 6, 32])
def test_the_batch_does_not_change_the_result(tube, batch):
    def bright(slices):
        return (slices > 200).astype(np.uint8)

    mask = segment(bright, tube.volume, stretcher=StretcherMethod.NONE, batch=batch)
    assert np.array_equal(mask, tube.target)
