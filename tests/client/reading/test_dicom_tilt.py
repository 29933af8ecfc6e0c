"""A tilted gantry is refused, or resampled when asked to: anatomy then stands where it stood."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

import osteoserve_client.errors as errors
from osteoserve_client.reading import onto_source_slices, read_study
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import Series, field, places


def tilted(degrees: float, **changes: object) -> Series:
    """Slices turned about x while the table moves along z: sheared, as a tilted gantry scans."""
    angle = math.radians(degrees)
    column = (0.0, math.cos(angle), math.sin(angle))
    series = Series(slices=6, rows=24, columns=16, pixel_spacing=(1.0, 1.0), column=column)
    return series.with_(**changes)


@pytest.mark.parametrize("degrees", [-18.5, 0.2, 30.0])
def test_tilt_is_refused_whatever_the_header_says_of_it(
    tmp_path: Path, refuses: Refuses, degrees: float
) -> None:
    folder = tilted(degrees).write(tmp_path)

    message = refuses(folder, errors.GantryTiltError, "--resample-tilt")
    assert f"{abs(degrees):.1f} degrees" in message


def test_a_shear_of_a_twentieth_of_a_degree_is_none(tmp_path: Path) -> None:
    assert read_study(tilted(0.05).write(tmp_path)).sheared is None


def test_tilt_that_only_the_tag_states_cannot_be_mended(tmp_path: Path, refuses: Refuses) -> None:
    def tag(dataset: Dataset, index: int) -> None:
        dataset.GantryDetectorTilt = -18.5

    folder = Series().write(tmp_path, tag)

    refuses(folder, errors.GantryTiltError, "positions show none", resample_tilt=True)


def test_a_single_slice_of_a_tilted_gantry_needs_no_resampling(
    tmp_path: Path, refuses: Refuses
) -> None:
    def tag(dataset: Dataset, index: int) -> None:
        dataset.GantryDetectorTilt = -18.5

    folder = tilted(-18.5, slices=1).write(tmp_path, tag)

    refuses(folder, errors.GantryTiltError, "18.5 degrees")
    assert read_study(folder, resample_tilt=True).sheared is None


@pytest.mark.parametrize("degrees", [-18.5, 12.0, 30.0])
@pytest.mark.parametrize("step", [3.0, -3.0])
def test_resampled_anatomy_stands_where_it_stood(
    tmp_path: Path, degrees: float, step: float
) -> None:
    study = read_study(tilted(degrees, step=(0.0, 0.0, step)).write(tmp_path), resample_tilt=True)

    assert study.sheared is not None
    geometry, voxels = study.volume.geometry, study.volume.voxels
    assert np.linalg.det(geometry.direction) == pytest.approx(1)
    where = places(geometry)
    ones = np.ones((*geometry.shape, 1))
    i, j, k = np.moveaxis(
        np.concatenate([where, ones], axis=-1) @ np.linalg.inv(study.sheared.affine).T, -1, 0
    )[:3]
    assert np.abs(k - np.rint(k)).max() < 1e-6  # every slice stays in its plane
    covered = (j > -1e-6) & (j < 23 + 1e-6) & (i > -1e-6) & (i < 15 + 1e-6)
    # The field is linear, so linear interpolation restores it, to rounding: twice half a HU.
    assert np.abs(voxels - field(where))[covered].max() <= 1
    assert (voxels[(j < -0.51) | (j > 23.51)] == -1024).all()
    assert covered.sum() >= 6 * 23 * 16  # of each slice no more than one row is lost
    assert "resampled" in study.warnings[-1]


@pytest.mark.parametrize("degrees", [-18.5, 12.0])
def test_a_mask_comes_back_onto_the_slices_it_was_drawn_on(tmp_path: Path, degrees: float) -> None:
    series = tilted(degrees)
    study = read_study(series.write(tmp_path), resample_tilt=True)
    # A half space in the patient: y above 5 mm.
    labels = (places(study.volume.geometry)[..., 1] > 5).astype(np.uint8)

    back = onto_source_slices(study, labels)

    assert study.sheared is not None
    assert back.shape == study.sheared.shape == (6, 24, 16)
    j = np.arange(24)
    for index, dataset in enumerate(study.datasets):
        origin = np.array([float(c) for c in dataset.ImagePositionPatient])
        y = origin[1] + j * series.column[1]
        sure = np.abs(y - 5) > 0.5  # nearest neighbour: half a pixel
        assert (back[index] == (y > 5)[:, None])[sure].all()


def test_a_mask_of_an_upright_study_comes_back_as_it_is(tmp_path: Path) -> None:
    study = read_study(Series().write(tmp_path), resample_tilt=True)
    labels = np.ones(study.volume.geometry.shape, dtype=np.uint8)

    assert study.sheared is None
    assert onto_source_slices(study, labels) is labels


def test_a_mask_of_another_shape_is_no_mask_of_the_study(tmp_path: Path) -> None:
    study = read_study(Series().write(tmp_path))

    with pytest.raises(ValueError, match="labels are"):
        onto_source_slices(study, np.zeros((1, 2, 3), dtype=np.uint8))
