from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from osteoserve_preprocessing.core.coarse import Coarse, coarsen
from osteoserve_preprocessing.core.stretcher.morphology import dilate, erode, touch
from osteoserve_preprocessing.geometry import Geometry, Volume

MASK = arrays.arrays(np.bool_, (2, 11, 14))


def cells(dy: float, dx: float) -> Coarse:
    voxels = np.zeros((2, 11, 14), dtype=np.int16)
    return coarsen(Volume(voxels, Geometry(voxels.shape, (5.0, dy, dx))))


def disk(dy: float, dx: float, radius: float) -> np.ndarray:
    y, x = np.mgrid[-9:10, -9:10]
    return (np.hypot(y * dy, x * dx) <= radius + 1e-3)[None]


@given(
    MASK, st.sampled_from([(2.0, 2.0), (2.0, 1.5), (1.1, 1.9)]), st.sampled_from([2.0, 4.0, 7.0])
)
def test_agrees_with_scipy(mask: np.ndarray, size: tuple[float, float], radius: float) -> None:
    brush, coarse = disk(*size, radius), cells(*size)
    assert np.array_equal(dilate(coarse, mask, radius), ndimage.binary_dilation(mask, brush))
    eroded = ndimage.binary_erosion(mask, brush, border_value=1)
    assert np.array_equal(erode(coarse, mask, radius), eroded)


@given(MASK)
def test_touch_is_the_mask_and_its_eight_neighbours(mask: np.ndarray) -> None:
    assert np.array_equal(touch(mask), ndimage.binary_dilation(mask, np.ones((1, 3, 3))))


@pytest.mark.parametrize("radius", [0.5, 1.9])
def test_less_than_a_cell_changes_nothing(radius: float) -> None:
    mask = np.random.default_rng(0).random((2, 11, 14)) > 0.5
    assert np.array_equal(dilate(cells(2.0, 2.0), mask, radius), mask)
