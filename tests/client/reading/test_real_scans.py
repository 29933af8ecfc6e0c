"""Real scans, awkward ones among them: read right, or refused for the right reason."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

import osteoserve_client.errors as errors
from osteoserve_client.reading import list_series, onto_source_slices, read_study
from tests.client.reading.conftest import Refuses

pytestmark = pytest.mark.real_data

SYNTAX = "ct_transfer_syntaxes/CTImage.dcm_{}.dcm"


def test_feet_first_with_instance_numbers_against_z(shared_data: Path) -> None:
    study = read_study(shared_data / "ct_abdomen_table")

    assert study.volume.geometry.shape == (41, 512, 512)
    assert study.volume.geometry.spacing == pytest.approx((5.0, 0.796875, 0.796875))
    assert np.array_equal(study.volume.geometry.direction, np.eye(3))
    z = [float(dataset.ImagePositionPatient[2]) for dataset in study.datasets]
    assert z == sorted(z)
    numbers = [int(dataset.InstanceNumber) for dataset in study.datasets]
    assert numbers == sorted(numbers, reverse=True)
    assert int(study.volume.voxels.min()) == -3024
    assert study.description["patient_position"] == "FFS"


def test_jpeg_2000_without_identifiers(shared_data: Path) -> None:
    study = read_study(shared_data / "ct_abdomen_j2k" / "example_ct_dicom")

    assert study.volume.geometry.shape == (20, 512, 512)
    assert study.volume.geometry.spacing == pytest.approx((2.0, 0.9765625, 0.9765625))
    assert (int(study.volume.voxels.min()), int(study.volume.voxels.max())) == (-1024, 1839)
    assert study.warnings == ("StudyInstanceUID is absent", "SeriesInstanceUID is absent")
    assert len({dataset.SOPInstanceUID for dataset in study.datasets}) == 20


def test_masks_given_for_a_series_lie_on_its_bones(shared_data: Path) -> None:
    """The mask is another file, made by another tool: our axes against theirs."""
    folder = shared_data / "ct_abdomen_j2k"
    volume = read_study(folder / "example_ct_dicom").volume
    given = nibabel.load(folder / "example_seg_dicom.nii.gz")

    labels = np.asarray(given.dataobj)
    # README of the data: these numbers are bones.
    bones = ((labels >= 25) & (labels <= 50)) | ((labels >= 69) & (labels <= 78))
    bones |= (labels >= 91) & (labels <= 116)
    places = np.argwhere(bones) @ given.affine[:3, :3].T + given.affine[:3, 3]
    lps = np.c_[places * (-1, -1, 1), np.ones(len(places))]
    i, j, k = np.rint(lps @ np.linalg.inv(volume.geometry.affine).T).astype(int).T[:3]

    mirrored = volume.voxels[:, :, ::-1]
    assert np.median(volume.voxels[k, j, i]) > 200
    assert np.median(mirrored[k, j, i]) < 100


@pytest.mark.parametrize(
    ("study", "shape", "position"),
    [
        ("STS_001", (59, 202, 198), "HFS"),
        ("STS_013", (114, 215, 252), "FFS"),
        ("STS_040", (66, 204, 194), "HFS"),
    ],
)
def test_limbs_that_are_not_square(
    shared_data: Path, study: str, shape: tuple[int, int, int], position: str
) -> None:
    found = read_study(shared_data / "ct_limbs_nonsquare" / study / "CT")

    assert found.volume.geometry.shape == shape
    assert found.volume.geometry.spacing == pytest.approx((3.27, 0.976562, 0.976562))
    assert found.description["patient_position"] == position
    assert found.warnings == ("1 file was ignored: no DICOM image",)  # its RT structure set


def test_several_studies_in_one_folder_are_listed(shared_data: Path, refuses: Refuses) -> None:
    folder = shared_data / "ct_limbs_nonsquare"

    refuses(folder, errors.SeriesChoiceError, "3 CT series")
    assert sorted(one.slices for one in list_series(folder)) == [59, 66, 114]
    assert read_study(folder, series="2.1").volume.geometry.shape[0] in (59, 66, 114)


def test_nifti_of_a_pelvis(shared_data: Path) -> None:
    path = shared_data / "ct_pelvis_3mm" / "example_ct.nii.gz"
    study = read_study(path)

    source = nibabel.load(path)
    assert study.volume.geometry.shape == (112, 101, 122)
    assert study.volume.geometry.spacing == pytest.approx((3, 3, 3))
    assert np.array_equal(study.volume.voxels, np.asarray(source.dataobj).T)
    lps = np.diag([-1, -1, 1, 1]) @ source.affine
    assert np.allclose(study.volume.geometry.affine, lps, atol=1e-9)


def test_a_label_map_is_no_ct(shared_data: Path, refuses: Refuses) -> None:
    path = shared_data / "ct_pelvis_3mm" / "bone_union_from_masks.nii.gz"

    refuses(path, errors.HounsfieldError, "label map")


@pytest.mark.parametrize(
    "syntax",
    [
        "LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2",
        "BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2",
        "DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99",
        "JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90",
        "JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80",
        "JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57",
        "JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70",
        "RLELosslessTransferSyntax_1.2.840.10008.1.2.5",
    ],
)
def test_lossless_transfer_syntaxes_hold_the_same_hu(shared_data: Path, syntax: str) -> None:
    plain = SYNTAX.format("LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1")
    expected = read_study(shared_data / plain).volume.voxels

    found = read_study(shared_data / SYNTAX.format(syntax))

    assert np.array_equal(found.volume.voxels, expected)
    assert len(found.warnings) == 1  # a single slice


@pytest.mark.parametrize(
    ("syntax", "mean_error"),
    [
        ("JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91", 1),
        ("JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81", 1),
        ("JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50", 20),
    ],
)
def test_lossy_transfer_syntaxes_come_close_and_are_named(
    shared_data: Path, syntax: str, mean_error: float
) -> None:
    plain = SYNTAX.format("LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1")
    expected = read_study(shared_data / plain).volume.voxels.astype(float)

    found = read_study(shared_data / SYNTAX.format(syntax))

    assert np.abs(found.volume.voxels - expected).mean() <= mean_error
    assert "pixels were compressed with loss: HU are not exact" in found.warnings


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        *(
            (SYNTAX.format(f"JPEGProcess{name}"), errors.TransferSyntaxError, "cannot be decoded")
            for name in (
                "2_4TransferSyntax_1.2.840.10008.1.2.4.51",
                "6_8TransferSyntax_1.2.840.10008.1.2.4.53",
                "10_12TransferSyntax_1.2.840.10008.1.2.4.55",
            )
        ),
        ("ct_gantry_tilt", errors.GantryTiltError, "18.5 degrees"),
        (
            "ct_bad_geometry_noise/gantrytilting/001",
            errors.GantryTiltError,
            "14.0 degrees",
        ),
        (
            "ct_bad_geometry_noise/sliceincrement/001",
            errors.MissingSliceError,
            "IM-0001-0009-0001.dcm and IM-0001-0010-0001.dcm",
        ),
        ("ct_bad_geometry_noise/sliceincrement/002", errors.MissingSliceError, "1 slice"),
        ("ct_bad_geometry_noise/notavolume/001", errors.DuplicateSliceError, "same place"),
        ("ct_odd_single_files/GH342.dcm", errors.LocalizerError, "GH342.dcm"),
        ("ct_odd_single_files/GH1308.dcm", errors.GantryTiltError, "5.5 degrees"),
        ("ct_odd_single_files/J2K_pixelrep_mismatch.dcm", errors.GantryTiltError, "22.0 degrees"),
        ("ct_odd_single_files/dcmqi_liver_seg.dcm", errors.ModalityError, "SEG"),
        ("ct_odd_single_files/eCT_Supplemental.dcm", errors.DerivedImageError, "RCBF"),
        ("ct_odd_single_files/explicit_VR-UN.dcm", errors.MissingAttributeError, "SliceThickness"),
        (
            "ct_odd_single_files/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm",
            errors.UnreadableFileError,
            "GH177",
        ),
        ("scintigraphy_whole_body/JPLY", errors.ModalityError, "NM"),
        ("ct_limbs_nonsquare/STS_001/CT/mask", errors.NoImageError, "1 files"),
    ],
)
def test_what_is_not_safe_is_refused(
    shared_data: Path, refuses: Refuses, path: str, error: type[errors.InputError], words: str
) -> None:
    refuses(shared_data / path, error, words)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("CT_small.dcm", -896, 1167),
        ("693_UNCR.dcm", -3024, 1468),
        ("693_J2KR.dcm", -3024, 1468),
        ("D_CLUNIE_CT1_RLE_FRAGS.dcm", -3024, 1254),
        ("bad_sequence.dcm", -1011, 1243),
        ("dicompyler_ct0_couch.dcm", -1000, 1457),
    ],
)
def test_single_slices(shared_data: Path, name: str, lowest: int, highest: int) -> None:
    study = read_study(shared_data / "ct_odd_single_files" / name)

    assert study.volume.geometry.shape[0] == 1
    assert (int(study.volume.voxels.min()), int(study.volume.voxels.max())) == (lowest, highest)


def test_a_legacy_converted_enhanced_image(shared_data: Path) -> None:
    path = shared_data / "ct_odd_single_files" / "dcmqi_legacy_enhanced_ct_24x38x3.dcm"
    study = read_study(path)

    assert study.volume.geometry.shape == (3, 38, 24)
    assert study.volume.geometry.spacing == (2.5, 0.7, 0.7)
    assert study.volume.geometry.origin == (46.4649, 5.01881, -177.75)
    assert study.frames == (1, 2, 3)


def test_a_tilted_gantry_resampled(shared_data: Path) -> None:
    study = read_study(shared_data / "ct_gantry_tilt", series="201", resample_tilt=True)

    assert study.sheared is not None
    assert study.volume.geometry.shape == (12, 531, 512)
    assert study.volume.geometry.spacing == pytest.approx(
        (2.5 * np.cos(np.radians(18.5)), 0.4824, 0.4824), abs=1e-3
    )
    skull = (study.volume.voxels > 300).astype(np.uint8)
    upright = onto_source_slices(study, skull)
    stored = {
        one.SOPInstanceUID: one.pixel_array.astype(int) - 1024
        for one in map(pydicom.dcmread, (shared_data / "ct_gantry_tilt" / "tilted").iterdir())
    }
    sheared = np.stack([stored[dataset.SOPInstanceUID] > 300 for dataset in study.datasets])
    dice = 2 * (upright & sheared).sum() / (upright.sum() + sheared.sum())
    assert dice > 0.97


def test_reading_is_repeatable_to_the_bit(shared_data: Path) -> None:
    digests = {
        hashlib.sha256(read_study(shared_data / "ct_abdomen_j2k").volume.voxels).hexdigest()
        for _ in range(2)
    }
    assert len(digests) == 1
