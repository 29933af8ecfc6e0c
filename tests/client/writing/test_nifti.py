from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from osteoserve_client.reading import read_study
from osteoserve_client.writing.nifti import write_label_map

#: Byte ranges of a NIfTI-1 header: pixdim; qform_code to srow_z.
PLACE = (slice(76, 108), slice(252, 328))


def source_header(affine: np.ndarray, shape: tuple[int, ...]) -> nibabel.Nifti1Header:
    image = nibabel.Nifti1Image(np.zeros(shape, np.int16), affine)
    return image.header


def saved(path: Path, study, labels) -> nibabel.Nifti1Image:
    write_label_map(path, study, labels)
    return nibabel.load(path)


@pytest.mark.parametrize("codes", [(1, 1), (0, 2), (1, 0), (4, 3)])
def test_a_nifti_source_keeps_its_place_bit_for_bit(factory, tmp_path, orientation, codes) -> None:
    # Numbers that float32 cannot hold exactly, so that any recomputation would show.
    affine = np.eye(4)
    affine[:3, :3] = orientation * (0.7, 0.71, 2.3)
    affine[:3, 3] = (1 / 3, -1e3 / 7, 0.1)
    header = source_header(affine, factory.shape[::-1])
    header.set_qform(affine, code=codes[0])
    header.set_sform(affine, code=codes[1])
    study, labels = factory.nifti(header), factory.labels(1)
    image = saved(tmp_path / "label.nii.gz", study, labels)
    for part in PLACE:
        assert image.header.binaryblock[part] == header.binaryblock[part]
    assert image.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(image.dataobj), labels.T)


def test_axes_of_length_one_and_display_range_of_a_source(factory, tmp_path) -> None:
    header = source_header(np.eye(4), (*factory.shape[::-1], 1))
    header["cal_max"], header["descrip"] = 400, b"free text"
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Geheim^Person"))
    image = saved(tmp_path / "label.nii.gz", factory.nifti(header), factory.labels(1))
    assert image.shape == (*factory.shape[::-1], 1)
    assert image.header["cal_max"] == 0
    assert list(image.header.extensions) == []
    assert image.header.get_intent()[0] == "label"


def test_a_dicom_source_lies_where_its_slices_lie(factory, tmp_path, dicom_orientation) -> None:
    study, labels = factory.dicom(dicom_orientation), factory.labels(1)
    image = saved(tmp_path / "label.nii.gz", study, labels)
    k, j, i = 3, 2, 5
    lps = study.volume.geometry.affine @ (i, j, k, 1)
    assert np.allclose(image.affine @ (i, j, k, 1), lps * (-1, -1, 1, 1), atol=1e-4)
    for matrix, code in (image.get_qform(coded=True), image.get_sform(coded=True)):
        assert code == 1
        assert np.allclose(matrix, image.affine, atol=1e-4)
    assert np.asarray(image.dataobj)[i, j, k] == labels[k, j, i]


def test_itk_and_so_itk_snap_finds_the_very_geometry(factory, tmp_path, dicom_orientation) -> None:
    study, labels = factory.dicom(dicom_orientation), factory.labels(1)
    write_label_map(tmp_path / "label.nii.gz", study, labels)
    image = SimpleITK.ReadImage(str(tmp_path / "label.nii.gz"))
    geometry = study.volume.geometry
    assert np.allclose(image.GetOrigin(), geometry.origin, atol=1e-4)
    assert np.allclose(image.GetSpacing(), geometry.spacing[::-1], atol=1e-5)
    assert np.allclose(np.reshape(image.GetDirection(), (3, 3)), geometry.direction, atol=1e-5)
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), labels)


def test_by_hand_the_first_voxel_is_right_and_front_of_its_lps_coordinates(factory, tmp_path):
    image = saved(tmp_path / "label.nii.gz", factory.dicom(), factory.labels(1))
    assert image.affine[:3, 3] == pytest.approx((12.5, -30.25, -700.0))
    assert np.diag(image.affine)[:3] == pytest.approx((-0.5, -0.75, 2.5))


def test_the_same_labels_give_the_same_bytes(factory, tmp_path) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    write_label_map(tmp_path / "a.nii.gz", study, labels)
    write_label_map(tmp_path / "b.nii.gz", study, labels)
    first, second = (tmp_path / name for name in ("a.nii.gz", "b.nii.gz"))
    # The gzip header holds the file's own name, and must hold no time.
    assert first.read_bytes().replace(b"a.nii", b"b.nii") == second.read_bytes()


@pytest.mark.real_data
def test_the_pelvis_keeps_every_byte_that_places_it(factory, shared_data, tmp_path) -> None:
    source = nibabel.load(shared_data / "ct_pelvis_3mm" / "example_ct.nii.gz")
    study = read_study(shared_data / "ct_pelvis_3mm" / "example_ct.nii.gz")
    labels = (study.volume.voxels > 300).astype(np.uint8)
    image = saved(tmp_path / "label.nii.gz", study, labels)
    for part in PLACE:
        assert image.header.binaryblock[part] == source.header.binaryblock[part]
    assert np.array_equal(np.asarray(image.dataobj) == 1, np.asarray(source.dataobj) > 300)
