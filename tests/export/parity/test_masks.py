from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from osteoserve_export.errors import ParityError
from osteoserve_export.parity.masks import compare_masks

NAMES = {1: "patient", 2: "bone"}

label_maps = arrays.arrays(np.uint8, (2, 5, 4), elements=st.integers(0, 2))


@given(label_maps)
def test_a_map_agrees_with_itself(labels: np.ndarray) -> None:
    assert [item.dice for item in compare_masks(labels, labels, NAMES)] == [1.0, 1.0]


@given(label_maps, label_maps)
def test_dice_is_symmetric_and_counts_what_differs(first: np.ndarray, second: np.ndarray) -> None:
    there, back = compare_masks(first, second, NAMES), compare_masks(second, first, NAMES)
    for value, one, other in zip(NAMES, there, back, strict=True):
        assert one.dice == other.dice
        assert (one.dice == 1.0) == np.array_equal(first == value, second == value)


def test_a_worked_example() -> None:
    expected = np.array([[[1, 1, 1, 2]]], np.uint8)
    found = np.array([[[1, 1, 0, 0]]], np.uint8)
    patient, bone = compare_masks(expected, found, NAMES)
    assert (patient.label, patient.pixels, patient.dice) == ("patient", 3, 4 / 5)
    assert (bone.label, bone.pixels, bone.dice) == ("bone", 1, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 4, 5), np.uint8),
        np.zeros((1, 5, 4), np.int64),
        np.full((1, 5, 4), 3, np.uint8),
    ],
)
def test_what_is_no_label_map_of_the_model_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ParityError):
        compare_masks(np.zeros((1, 5, 4), np.uint8), wrong, NAMES)
