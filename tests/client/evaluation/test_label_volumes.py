from __future__ import annotations

import nibabel
import numpy as np
import pytest

from osteoserve_client.errors import AffineError, LabelMapError, PixelDataError
from osteoserve_client.evaluation.label_volumes import read_label_volume
from tests.client.evaluation.label_files import geometry, random_labels, write_volume

FORMATS = ("a.nii", "a.nii.gz", "a.nrrd", "a_raw.nrrd", "a.nhdr", "a.mha", "a_raw.mha", "a.mhd")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32])
def test_no_format_type_or_compression_changes_the_labels(tmp_path, name, dtype):
    labels = random_labels(1, 1, 104, 255)
    path = write_volume(tmp_path / name, labels.astype(dtype))
    found = read_label_volume(path, name)
    assert found.labels.dtype == np.uint8
    assert np.array_equal(found.labels, labels)
    assert found.geometry.matches(geometry())


def test_scaled_nifti_holds_its_scaled_labels(tmp_path):
    labels = np.array([[[0, 2], [4, 6]]], dtype=np.int16)
    image = nibabel.Nifti1Image(labels, np.eye(4))
    image.header.set_slope_inter(0.5, 1)
    nibabel.save(image, tmp_path / "a.nii")
    found = read_label_volume(tmp_path / "a.nii", "a.nii")
    assert np.array_equal(found.labels, labels.T // 2 + 1)


@pytest.mark.parametrize("value", [-1, 256, 0.5, np.nan, np.inf])
def test_what_is_no_label_is_refused(tmp_path, value):
    labels = random_labels(1).astype(np.float32)
    labels[2, 3, 4] = value
    path = write_volume(tmp_path / "a.nii.gz", labels)
    with pytest.raises(LabelMapError, match=r"^a\.nii\.gz: .*0 to 255"):
        read_label_volume(path, "a.nii.gz")


def test_a_label_map_that_lies_nowhere_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), None), tmp_path / "a.nii")
    with pytest.raises(AffineError):
        read_label_volume(tmp_path / "a.nii", "a.nii")


def test_a_truncated_label_map_is_refused(tmp_path):
    path = write_volume(tmp_path / "a_raw.nii", random_labels(1))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(PixelDataError):
        read_label_volume(path, "a_raw.nii")
