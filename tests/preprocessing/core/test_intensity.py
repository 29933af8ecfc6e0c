from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from osteoserve_preprocessing.core import Normalisation, VoxelMask, Window
from osteoserve_preprocessing.core.intensity import grey_table, normalise

HOUNSFIELD = arrays.arrays(np.int16, (4, 3, 5), elements=st.integers(-32768, 32767))
NOTHING = np.zeros((4, 3, 5), dtype=np.bool_)


def grey_of(voxels: np.ndarray, **changed: object) -> np.ndarray:
    options = {
        "window": Window(),
        "normalisation": Normalisation.INTERPATIENT,
        "kept": range(len(voxels)),
        "removed": VoxelMask(voxels.shape),
    }
    return normalise(voxels, **{**options, **changed}).of(range(len(voxels)))


@pytest.mark.parametrize(
    ("hounsfield", "grey"),
    [
        # 255 * v / 300, rounded half up: 10 HU is 8.5, 30 HU is 25.5, 299 HU is 254.15.
        (-32768, 0),
        (-1000, 0),
        (0, 0),
        (1, 1),
        (10, 9),
        (30, 26),
        (100, 85),
        (150, 128),
        (299, 254),
        (300, 255),
        (3071, 255),
        (32767, 255),
    ],
)
def test_grey_values_worked_out_by_hand(hounsfield: int, grey: int) -> None:
    voxels = np.full((1, 1, 1), hounsfield, dtype=np.int16)
    assert grey_of(voxels).item() == grey


@given(HOUNSFIELD, st.integers(-2000, 2000), st.integers(1, 5000))
def test_every_window_follows_equation_1(voxels: np.ndarray, lower: int, width: int) -> None:
    window = Window(lower, lower + width)
    exact = 255 * (np.clip(voxels.astype(np.int64), lower, lower + width) - lower) / width
    assert np.abs(grey_of(voxels, window=window) - exact).max() <= 0.5


@given(HOUNSFIELD, st.integers(1, 3))
def test_chunks_do_not_change_the_result(voxels: np.ndarray, split: int) -> None:
    whole = grey_of(voxels)
    parts = np.concatenate([grey_of(voxels[:split]), grey_of(voxels[split:])])
    assert np.array_equal(whole, parts)


@given(HOUNSFIELD, st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_a_part_is_a_part_of_the_whole(
    voxels: np.ndarray, first: int, end: int, clipped: int
) -> None:
    grey = normalise(
        voxels,
        VoxelMask.of(voxels > 1000),
        window=Window(-500, 500),
        normalisation=Normalisation.INPATIENT,
        kept=range(clipped, 4),
    )
    assert np.array_equal(grey.of(range(first, end)), grey.of(range(4))[first:end])
    assert not grey.of(range(clipped)).any(), "clipped away"


@given(HOUNSFIELD)
def test_memory_layout_does_not_change_the_result(voxels: np.ndarray) -> None:
    assert np.array_equal(grey_of(voxels[:, ::-1, ::-1])[:, ::-1, ::-1], grey_of(voxels))
    assert np.array_equal(grey_of(np.asfortranarray(voxels)), grey_of(voxels))


def test_inpatient_stretches_between_the_volumes_own_extremes() -> None:
    voxels = np.array([[[50, 100, 150, 250]]], dtype=np.int16)
    grey = grey_of(voxels, normalisation=Normalisation.INPATIENT)
    # 255 * (v - 50) / 200: 63.75, 127.5
    assert grey.ravel().tolist() == [0, 64, 128, 255]


def test_inpatient_equals_interpatient_where_the_volume_fills_the_window() -> None:
    voxels = np.linspace(-1000, 1500, 60).astype(np.int16).reshape(4, 3, 5)
    inpatient = grey_of(voxels, normalisation=Normalisation.INPATIENT)
    assert np.array_equal(inpatient, grey_of(voxels))


@pytest.mark.parametrize("hounsfield", [-1000, 0, 120, 300, 3000])
def test_a_constant_volume_is_background_under_inpatient(hounsfield: int) -> None:
    voxels = np.full((4, 3, 5), hounsfield, dtype=np.int16)
    assert not grey_of(voxels, normalisation=Normalisation.INPATIENT).any()


def test_inpatient_looks_at_kept_slices_and_past_the_stretcher() -> None:
    voxels = np.zeros((3, 1, 2), dtype=np.int16)
    voxels[0] = 300  # clipped away
    voxels[1] = [[200, 280]]
    removed = np.zeros(voxels.shape, dtype=np.bool_)
    removed[1, 0, 1] = True
    grey = grey_of(
        voxels,
        normalisation=Normalisation.INPATIENT,
        kept=range(1, 3),
        removed=VoxelMask.of(removed),
    )
    assert grey.tolist() == [[[0, 0]], [[255, 0]], [[0, 0]]]


@pytest.mark.parametrize("normalisation", Normalisation)
def test_removed_voxels_are_background(normalisation: Normalisation) -> None:
    voxels = np.full((4, 3, 5), 300, dtype=np.int16)
    voxels[0] = 0
    removed = NOTHING.copy()
    removed[2, 1] = True
    grey = grey_of(voxels, removed=VoxelMask.of(removed), normalisation=normalisation)
    assert not grey[removed].any()
    assert (grey[1:][~removed[1:]] == 255).all()


def test_the_table_of_a_constant_volume_is_black() -> None:
    assert not grey_table(120, 120).any()
