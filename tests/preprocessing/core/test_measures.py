from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from osteoserve_preprocessing.core import measure_labels
from osteoserve_preprocessing.errors import GeometryError
from osteoserve_preprocessing.geometry import Geometry

GEOMETRY = Geometry((3, 2, 2), (5.0, 2.0, 1.0))


def test_figures_worked_out_by_hand() -> None:
    labels = np.zeros((3, 2, 2), dtype=np.uint8)
    voxels = np.full((3, 2, 2), -1000, dtype=np.int16)
    labels[1, 0, 0], labels[1, 0, 1], labels[2, 1, 1] = 1, 1, 1
    voxels[1, 0, 0], voxels[1, 0, 1], voxels[2, 1, 1] = 100, 400, 700
    (measure,) = measure_labels(labels, voxels, GEOMETRY, {1: "skeleton"})
    assert (measure.value, measure.name, measure.voxels) == (1, "skeleton", 3)
    assert measure.millilitres == pytest.approx(0.03)
    assert measure.mean_hu == pytest.approx(400.0)
    assert measure.sd_hu == pytest.approx(244.94897)  # sqrt((300^2 + 0 + 300^2) / 3)
    assert (measure.first_slice, measure.last_slice) == (1, 2)


def test_a_label_without_a_voxel_has_no_density() -> None:
    labels = np.zeros((3, 2, 2), dtype=np.uint8)
    (measure,) = measure_labels(labels, labels.astype(np.int16), GEOMETRY, {7: "rib"})
    assert (measure.voxels, measure.millilitres) == (0, 0.0)
    assert measure.mean_hu is measure.sd_hu is measure.first_slice is measure.last_slice is None


@given(
    arrays.arrays(np.uint8, (3, 2, 2), elements=st.integers(0, 3)),
    arrays.arrays(np.int16, (3, 2, 2), elements=st.integers(-32768, 32767)),
)
def test_agrees_with_numpy_in_ascending_order(labels: np.ndarray, voxels: np.ndarray) -> None:
    measures = measure_labels(labels, voxels, GEOMETRY, {3: "c", 1: "a", 2: "b"})
    assert [m.value for m in measures] == [1, 2, 3]
    for measure in measures:
        of_label = voxels[labels == measure.value]
        assert measure.voxels == of_label.size
        if of_label.size:
            assert measure.mean_hu == pytest.approx(of_label.mean(), abs=1e-9)
            assert measure.sd_hu == pytest.approx(of_label.astype(float).std(), abs=1e-6)
            slices = np.flatnonzero((labels == measure.value).any(axis=(1, 2)))
            assert (measure.first_slice, measure.last_slice) == (slices[0], slices[-1])


def test_a_large_label_of_one_density_has_no_spread() -> None:
    geometry = Geometry((4, 300, 300), (1.0, 1.0, 1.0))
    labels = np.ones(geometry.shape, dtype=np.uint8)
    voxels = np.full(geometry.shape, 32767, dtype=np.int16)
    (measure,) = measure_labels(labels, voxels, geometry, {1: "a"})
    assert (measure.mean_hu, measure.sd_hu) == (32767.0, 0.0)


def test_different_grids_are_refused() -> None:
    labels = np.zeros((3, 2, 3), dtype=np.uint8)
    with pytest.raises(GeometryError, match="differ"):
        measure_labels(labels, np.zeros((3, 2, 2), dtype=np.int16), GEOMETRY, {1: "a"})
