from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_client.evaluation.comparison import StudyCounts
from osteoserve_client.evaluation.evaluation import (
    AVERAGE,
    AVERAGE_WITHOUT_KIDNEY,
    Evaluation,
    with_averages,
)
from osteoserve_preprocessing.metrics import Confusion, Figures

#: Yu 2023, table 2, DoubleU-Net: precision and sensitivity in per cent.
TABLE_2 = {
    "skull": (96.05, 96.13),
    "spine": (91.16, 91.30),
    "chest": (94.83, 94.52),
    "anterior_right_humerus": (89.65, 90.18),
    "anterior_left_humerus": (89.76, 90.12),
    "posterior_right_humerus": (88.68, 89.55),
    "posterior_left_humerus": (87.89, 88.78),
    "pelvis": (90.76, 90.83),
    "femurs": (86.08, 84.85),
    "kidney": (82.45, 82.73),
}


def study(name, unit_size=0.5, **labels):
    confusions = {label: Confusion(*counts) for label, counts in labels.items()}
    return StudyCounts(name, confusions, 1000, unit_size)


def three():
    return (
        study("a", spine=(60, 20, 40, 880), kidney=(0, 0, 10, 990)),
        study("b", spine=(90, 10, 10, 890), kidney=(10, 0, 0, 990)),
        study("c", spine=(80, 0, 0, 920)),
    )


def test_averages_are_those_of_the_papers_table():
    blank = dict.fromkeys(Figures.__dataclass_fields__, math.nan)
    rows = {
        name: Figures(**(blank | {"precision": precision, "sensitivity": sensitivity}))
        for name, (precision, sensitivity) in TABLE_2.items()
    }
    found = with_averages(rows)
    assert list(found) == [*TABLE_2, "Average", "Average (w/o kidney)"]
    assert found[AVERAGE].precision == pytest.approx(89.73, abs=0.01)
    assert found[AVERAGE].sensitivity == pytest.approx(89.90, abs=0.01)
    assert found[AVERAGE_WITHOUT_KIDNEY].precision == pytest.approx(90.54, abs=0.01)
    assert found[AVERAGE_WITHOUT_KIDNEY].sensitivity == pytest.approx(90.70, abs=0.01)
    # "The F1-scores are ... 90.62": of the averages without kidney.
    assert found[AVERAGE_WITHOUT_KIDNEY].f1 == pytest.approx(90.62, abs=0.01)


def test_pooled_counts_are_the_sums_of_the_studies():
    found = Evaluation(three(), planar=True)
    assert found.pooled["spine"] == Confusion(230, 30, 50, 2690)
    # Study c knows of no kidney: its pixels are all something else.
    assert found.pooled["kidney"] == Confusion(10, 0, 10, 2980)
    assert found.rows["spine"].precision == pytest.approx(230 / 260)
    assert found.median_dice("spine") == pytest.approx(0.9)


def test_folds_are_pooled_and_their_means_are_of_folds():
    found = Evaluation(three(), planar=True, folds={"1": ("a", "b"), "2": ("c",)})
    first, second = (found.rows_by_fold[fold]["spine"] for fold in ("1", "2"))
    assert first.precision == pytest.approx(150 / 180)
    assert second.precision == 1
    mean = found.mean_of_folds["spine"]
    assert mean.precision == pytest.approx((150 / 180 + 1) / 2)
    assert mean.sensitivity == pytest.approx((150 / 200 + 1) / 2)
    both = mean.precision + mean.sensitivity
    assert mean.f1 == pytest.approx(2 * mean.precision * mean.sensitivity / both)
    # No kidney in fold 2: the mean is fold 1's.
    assert math.isnan(found.rows_by_fold["2"]["kidney"].precision)
    assert found.mean_of_folds["kidney"].sensitivity == pytest.approx(0.5)


def test_sizes_are_compared_where_a_study_has_the_label():
    found = Evaluation(three(), planar=True).agreement["kidney"]
    assert found.reference == (5.0, 5.0)
    assert found.prediction == (0.0, 5.0)
    assert found.absolute.bias == pytest.approx(-2.5)
    assert found.per_cent.bias == pytest.approx(-100)


def test_one_size_unknown_makes_all_of_them_pixels():
    assert Evaluation(three(), planar=True).unit == "cm²"
    assert Evaluation(three(), planar=False).unit == "ml"
    mixed = Evaluation((*three(), study("d", None, spine=(1, 0, 0, 999))), planar=True)
    assert mixed.unit == "pixels"
    assert mixed.agreement["spine"].reference == (100, 100, 80, 1)


def test_one_label_has_no_average():
    alone = Evaluation((study("a", skeleton=(60, 20, 40, 880)),), planar=False)
    assert list(alone.rows) == ["skeleton"]


@given(st.permutations(range(3)), st.integers(1, 2))
def test_the_order_of_studies_does_not_matter(order, cut):
    names = ("a", "b", "c")
    folds = {"1": names[:cut], "2": names[cut:]}
    one = Evaluation(three(), planar=True, folds=folds)
    other = Evaluation(tuple(three()[n] for n in order), planar=True, folds=folds)
    assert other.pooled == one.pooled
    for label in one.labels:
        expected, found = one.mean_of_folds[label], other.mean_of_folds[label]
        assert np.array_equal(expected.precision, found.precision, equal_nan=True)
        assert found.f1 == pytest.approx(expected.f1)
        bias = other.agreement[label].absolute.bias
        assert bias == pytest.approx(one.agreement[label].absolute.bias)
