from __future__ import annotations

import numpy as np
import pytest

from osteoserve_export.errors import PairError
from osteoserve_export.training.classes import class_target
from osteoserve_export.training.evaluation import compare, segment
from osteoserve_preprocessing.core import StretcherMethod, Window
from osteoserve_preprocessing.metrics import Confusion


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


def test_classes_are_counted_each_on_its_own():
    predicted = np.array([0, 1, 1, 2, 2, 1, 2], dtype=np.uint8)
    target = np.array([0, 1, 2, 2, 1, 0, 255], dtype=np.uint8)
    assert compare(predicted, target, 1) == Confusion(1, 2, 1, 2)
    assert compare(predicted, target, 2) == Confusion(1, 1, 1, 3)


def test_empty_masks_have_no_overlap_to_speak_of():
    nothing = np.zeros((2, 3), dtype=np.uint8)
    assert np.isnan(compare(nothing, nothing).dice)


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


def test_a_study_goes_through_the_network_s_window_and_size(tube):
    seen = []

    def three_greys(slices):
        seen.append(slices)
        return np.digitize(slices, [64, 200]).astype(np.uint8)

    mask = segment(
        three_greys,
        tube.volume,
        window=Window(-300, 700),
        classes=2,
        size_multiple=32,
        stretcher=StretcherMethod.NONE,
    )
    assert seen[0].shape == (6, 96, 96)
    # Water: 255 * (40 + 300) / 1000.
    assert set(np.unique(seen[0])) == {0, 87, 255}
    assert np.array_equal(mask, class_target(tube, ("patient", "bone")))


@pytest.mark.parametrize("batch", [1, 5, 6, 32])
def test_the_batch_does_not_change_the_result(tube, batch):
    def bright(slices):
        return (slices > 200).astype(np.uint8)

    mask = segment(bright, tube.volume, stretcher=StretcherMethod.NONE, batch=batch)
    assert np.array_equal(mask, tube.target)
