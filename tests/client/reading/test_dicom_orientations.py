"""Every orientation that DICOM can express puts each voxel at the same place of the patient."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from osteoserve_client.reading import read_study
from tests.client.reading.ct_series import Series, field, places, save

AXES = [tuple(sign * float(i == axis) for i in range(3)) for axis in range(3) for sign in (1, -1)]
#: All 24 pairs of perpendicular axes: axial, coronal and sagittal, each turned and flipped.
PLANES = [(row, column) for row, column in permutations(AXES, 2) if not np.dot(row, column)]


@pytest.mark.parametrize("direction", [1, -1], ids=["along", "against"])
@pytest.mark.parametrize(("row", "column"), PLANES)
def test_voxels_lie_where_the_header_says(
    tmp_path: Path, row: tuple[float, ...], column: tuple[float, ...], direction: int
) -> None:
    step = tuple(direction * 3 * float(c) for c in np.cross(row, column))
    series = Series(slices=4, row=row, column=column, step=step)

    volume = read_study(series.write(tmp_path)).volume

    assert volume.geometry.shape == (4, 6, 7)
    assert np.array_equal(volume.geometry.direction[:, 0], row)
    assert np.array_equal(volume.geometry.direction[:, 1], column)
    assert np.linalg.det(volume.geometry.direction) == pytest.approx(1)
    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


def test_there_are_24_planes() -> None:
    assert len(PLANES) == 24
    assert len(list(product(PLANES, (1, -1)))) == 48


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_frames_of_an_enhanced_image_lie_where_their_groups_say(
    tmp_path: Path, order: list[int]
) -> None:
    series = Series(slices=4)
    path = save(series.enhanced(order), tmp_path / "multi.dcm")

    for given in (path, tmp_path):
        study = read_study(given)
        assert np.array_equal(study.volume.voxels, field(places(study.volume.geometry)))
        assert study.volume.geometry.origin == series.origin
        assert study.frames == tuple(order.index(k) + 1 for k in range(4))
        assert len(study.datasets) == 1
