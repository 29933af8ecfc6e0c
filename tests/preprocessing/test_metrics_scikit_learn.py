"""The same figures, computed independently."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, jaccard_score, precision_recall_fscore_support

from osteoserve_preprocessing.metrics import Figures, joint_counts, label_confusion

LABELS = [1, 2, 3]
LABEL_MAPS = arrays(np.uint8, (60,), elements=st.integers(0, 3))


@given(LABEL_MAPS, LABEL_MAPS)
def test_figures_are_those_of_scikit_learn(found, true):
    joint = joint_counts(found, true)
    figures = [Figures.of(label_confusion(joint, [label], [label])) for label in LABELS]
    # Undefined is NaN there, too.
    expected = precision_recall_fscore_support(true, found, labels=LABELS, zero_division=np.nan)
    for n, name in enumerate(("precision", "sensitivity", "f1")):
        ours = [getattr(each, name) for each in figures]
        assert ours == pytest.approx(list(expected[n]), nan_ok=True), name


@given(LABEL_MAPS, LABEL_MAPS)
def test_overlap_of_mask_and_background_is_that_of_scikit_learn(found, true):
    joint = joint_counts(found, true)
    for label in LABELS:
        is_true, is_found = true == label, found == label
        figures = Figures.of(label_confusion(joint, [label], [label]))
        assert figures.accuracy == pytest.approx(accuracy_score(is_true, is_found))
        if (is_true | is_found).any() and not (is_true & is_found).all():
            mask, background = (
                jaccard_score(is_true, is_found, pos_label=of) for of in (True, False)
            )
            assert figures.iou == pytest.approx(mask)
            # Milara 2024, equation 4.
            assert figures.iou_mean == pytest.approx((mask + background) / 2)
