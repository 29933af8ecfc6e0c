from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from osteoserve_preprocessing.metrics import (
    Confusion,
    Figures,
    defined_mean,
    f1_score,
    joint_counts,
    label_confusion,
)

LABEL_MAPS = arrays(np.uint8, (2, 3, 4), elements=st.sampled_from([0, 1, 2, 7, 255]))
COUNTS = st.builds(Confusion, *[st.integers(0, 10_000)] * 4)


def test_figures_worked_out_by_hand():
    figures = Figures.of(Confusion(60, 20, 40, 880))
    assert figures.precision == pytest.approx(60 / 80)
    assert figures.sensitivity == pytest.approx(60 / 100)
    assert figures.specificity == pytest.approx(880 / 900)
    assert figures.accuracy == pytest.approx(940 / 1000)
    assert figures.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)
    assert figures.iou == pytest.approx(60 / 120)
    assert figures.iou_background == pytest.approx(880 / 940)
    assert figures.iou_mean == pytest.approx((0.5 + 880 / 940) / 2)
    assert figures.dice == pytest.approx(120 / 180)
    assert figures.dice_background == pytest.approx(1760 / 1820)
    assert figures.dice_mean == pytest.approx((120 / 180 + 1760 / 1820) / 2)


@pytest.mark.parametrize(
    ("precision", "sensitivity", "f1"),
    # Yu 2023: averages without kidney of tables 2 and 3, averages of table 5; F1 stands below.
    [
        (92.57, 87.02, 89.71),
        (90.54, 90.70, 90.62),
        (89.34, 88.64, 88.99),
        (91.61, 85.51, 88.45),
        (89.77, 88.86, 89.31),
        (91.42, 90.88, 91.15),
    ],
)
def test_f1_is_that_of_the_paper(precision, sensitivity, f1):
    assert f1_score(precision, sensitivity) == pytest.approx(f1, abs=0.01)


def test_a_label_in_neither_map_has_no_figure():
    nothing = Confusion(0, 0, 0, 24)
    for name in ("precision", "sensitivity", "f1", "iou", "iou_mean", "dice", "dice_mean"):
        assert math.isnan(getattr(nothing, name)), name
    assert (nothing.accuracy, nothing.specificity, nothing.iou_background) == (1, 1, 1)


def test_a_label_that_was_missed_has_no_precision_but_an_f1_of_nothing():
    missed = Confusion(0, 0, 9, 15)
    assert math.isnan(missed.precision)
    assert (missed.sensitivity, missed.f1, missed.iou) == (0, 0, 0)


def test_a_label_that_fills_everything_has_no_background():
    full = Confusion(24, 0, 0, 0)
    assert (full.dice, full.iou) == (1, 1)
    assert math.isnan(full.specificity)
    assert math.isnan(full.iou_mean)
    assert math.isnan(full.dice_mean)


def test_nothing_judged_is_nothing_known():
    assert all(math.isnan(value) for value in astuple(Figures.of(Confusion(0, 0, 0, 0))))


def test_means_leave_out_what_is_undefined():
    found = Figures.of(Confusion(60, 20, 40, 880))
    missed = Figures.of(Confusion(0, 0, 100, 900))
    mean = Figures.mean([found, missed])
    assert mean.precision == pytest.approx(0.75)
    assert mean.sensitivity == pytest.approx(0.3)
    assert mean.dice == pytest.approx(found.dice / 2)
    # Equation 3 of the means, not the mean of 2 / 3 and 0.
    assert mean.f1 == pytest.approx(2 * 0.75 * 0.3 / 1.05)
    assert math.isnan(defined_mean([math.nan]))
    assert math.isnan(Figures.mean([]).dice)


def test_f1_of_nothing_found_and_nothing_right_is_undefined():
    assert math.isnan(f1_score(0.0, 0.0))
    assert math.isnan(f1_score(math.nan, 0.5))


def test_voxels_are_counted_by_both_labels_and_unknown_ones_are_not():
    found = np.array([[1, 1, 0, 2, 1]], dtype=np.uint8)
    true = np.array([[1, 0, 1, 2, 255]], dtype=np.uint8)
    joint = joint_counts(found, true, ignored=255)
    assert joint.sum() == 4
    assert (joint[1, 1], joint[0, 1], joint[1, 0], joint[2, 2]) == (1, 1, 1, 1)
    assert joint_counts(found, true)[255, 1] == 1
    assert label_confusion(joint, [1], [1]) == Confusion(1, 1, 1, 1)


@given(LABEL_MAPS, LABEL_MAPS, st.sampled_from([1, 2, 7]))
def test_joint_counts_say_what_the_masks_say(found, true, label):
    known = true != 255
    joint = joint_counts(found, true, ignored=255)
    expected = Confusion.of(found[known] == label, true[known] == label)
    assert label_confusion(joint, [label], [label]) == expected


@given(LABEL_MAPS, LABEL_MAPS)
def test_a_label_may_have_several_values_or_none(found, true):
    joint = joint_counts(found, true)
    merged = Confusion.of(np.isin(found, (1, 2)), true == 7)
    assert label_confusion(joint, [1, 2], [7]) == merged
    assert label_confusion(joint, [], [7]).true_positive == 0
    assert sum(astuple(label_confusion(joint, [], []))) == found.size


@given(LABEL_MAPS, LABEL_MAPS, st.permutations(range(24)))
def test_neither_order_nor_axes_matter(found, true, order):
    joint = joint_counts(found, true)
    assert np.array_equal(joint, joint_counts(found.T, true.T))
    shuffled = joint_counts(found.ravel()[order], true.ravel()[order])
    assert np.array_equal(joint, shuffled)
    assert np.array_equal(joint.T, joint_counts(true, found))


@given(COUNTS, COUNTS)
def test_pooling_adds(one, other):
    total = one + other
    assert astuple(total) == tuple(np.add(astuple(one), astuple(other)))
    assert (total.found, total.true) == (one.found + other.found, one.true + other.true)


@given(COUNTS)
def test_figures_agree_with_each_other(counts):
    swapped = Confusion(
        counts.true_negative, counts.false_negative, counts.false_positive, counts.true_positive
    )
    assert counts.iou_background == pytest.approx(swapped.iou, nan_ok=True)
    assert counts.dice_background == pytest.approx(swapped.dice, nan_ok=True)
    assert counts.dice == pytest.approx(2 * counts.iou / (1 + counts.iou), nan_ok=True)
    if counts.true_positive:
        assert counts.f1 == pytest.approx(f1_score(counts.precision, counts.sensitivity))


@pytest.mark.parametrize(
    ("found", "true"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8)),
        (np.zeros((2, 3), np.int16), np.zeros((2, 3), np.uint8)),
    ],
)
def test_what_is_no_pair_of_label_maps_is_refused(found, true):
    with pytest.raises(ValueError, match="uint8 of one shape"):
        joint_counts(found, true)
