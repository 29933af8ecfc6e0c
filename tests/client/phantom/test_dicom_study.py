"""The DICOM study says exactly what the phantom is, whatever the patient's position."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import CTImageStorage

from osteoserve_client.phantom import (
    PhantomCT,
    PhantomParameters,
    make_ct_phantom,
    write_dicom_study,
)
from tests.client.dicom_checks import dciodvfy_errors, without_synthetic_data

SUPINE = PhantomParameters(padding_hu=-3024, roll_deg=3.0)


def _make(parameters: PhantomParameters, seed: int = 0) -> PhantomCT:
    return make_ct_phantom(
        slices=4, rows=96, columns=128, pixel_spacing_mm=4.2, region="thorax", seed=seed,
        parameters=parameters,
    )  # fmt: skip


@pytest.fixture(scope="module")
def supine() -> PhantomCT:
    return _make(SUPINE)


@pytest.fixture(scope="module")
def prone() -> PhantomCT:
    return _make(replace(SUPINE, prone=True))


@pytest.mark.parametrize("position", ["HFS", "FFS", "HFP", "FFP"])
def test_every_pixel_lies_where_the_file_says(
    supine: PhantomCT, prone: PhantomCT, tmp_path: Path, position: str
) -> None:
    phantom = prone if position.endswith("P") else supine
    files = write_dicom_study(phantom, tmp_path / "study", patient_position=position)
    to_index = np.linalg.inv(phantom.volume.geometry.affine)
    rng = np.random.default_rng(0)
    for path in files:
        ds = pydicom.dcmread(path)
        assert ds.PatientPosition == position
        hu = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        along_row, along_column = (np.array(ds.ImageOrientationPatient).reshape(2, 3)).astype(float)
        for j, i in rng.integers(0, (96, 128), size=(40, 2)):
            # PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1
            where = (
                np.array(ds.ImagePositionPatient, dtype=float)
                + along_row * float(ds.PixelSpacing[1]) * i
                + along_column * float(ds.PixelSpacing[0]) * j
            )
            x, y, z = np.rint(to_index @ [*where, 1])[:3].astype(int)
            assert hu[j, i] == phantom.volume.voxels[z, y, x]


def test_instances_run_from_the_end_that_enters_first(supine: PhantomCT, tmp_path: Path) -> None:
    for position, sign in (("HFS", -1), ("FFS", 1)):
        files = write_dicom_study(supine, tmp_path / position, patient_position=position)
        headers = [pydicom.dcmread(f, stop_before_pixels=True) for f in files]
        assert [h.InstanceNumber for h in headers] == [1, 2, 3, 4]
        heights = [float(h.ImagePositionPatient[2]) for h in headers]
        assert sign * np.diff(heights) == pytest.approx(supine.volume.geometry.spacing[0])


def test_the_same_phantom_gives_the_same_files(supine: PhantomCT, tmp_path: Path) -> None:
    first = write_dicom_study(supine, tmp_path / "a")
    again = write_dicom_study(_make(SUPINE), tmp_path / "b")
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in again]
    other = write_dicom_study(_make(replace(SUPINE, seed=9)), tmp_path / "c")
    uids = {pydicom.dcmread(f).SOPInstanceUID for f in (*first, *other)}
    assert len(uids) == 8
    assert all(uid.is_valid for uid in uids)


def test_the_study_says_that_it_is_synthetic(supine: PhantomCT, tmp_path: Path) -> None:
    for path in write_dicom_study(supine, tmp_path / "study"):
        ds = pydicom.dcmread(path)
        assert ds.SOPClassUID == CTImageStorage == ds.file_meta.MediaStorageSOPClassUID
        assert str(ds.PatientName) == "PHANTOM^OSTEOSERVE"
        assert ds.SyntheticData == "YES"


def test_the_study_has_what_the_ct_image_iod_requires(supine: PhantomCT, tmp_path: Path) -> None:
    required = _required_attributes("ct-image")
    assert {"RescaleSlope", "KVP", "FrameOfReferenceUID", "PatientBirthDate"} <= set(required)
    for path in write_dicom_study(supine, tmp_path / "study"):
        ds = pydicom.dcmread(path)
        for keyword, kind in required.items():
            assert keyword in ds, keyword
            assert kind == "2" or ds[keyword].VM > 0, keyword


def _required_attributes(iod: str) -> dict[str, str]:
    """Types 1 and 2 of the mandatory modules, by the copy of PS3.3 that highdicom carries."""
    folder = Path(highdicom.__file__).parent / "_standard"
    modules = json.loads((folder / "iod_module_map.json").read_text())[iod]
    attributes = json.loads((folder / "module_attribute_map.json").read_text())
    return {
        attribute["keyword"]: attribute["type"]
        for module in modules
        if module["usage"] == "M"
        for attribute in attributes[module["key"]]
        if attribute["type"] in ("1", "2") and not attribute["path"]
    }


def test_dciodvfy_finds_no_error(supine: PhantomCT, tmp_path: Path) -> None:
    files = write_dicom_study(supine, tmp_path / "study")
    assert without_synthetic_data(dciodvfy_errors(files[0], "CTImage")) == []


def test_other_readers_find_the_same_grid(supine: PhantomCT, tmp_path: Path) -> None:
    files = write_dicom_study(supine, tmp_path / "study")
    geometry = supine.volume.geometry
    volume = highdicom.get_volume_from_series([pydicom.dcmread(f) for f in files])
    volume = volume.to_patient_orientation("HPL")
    assert volume.affine[:, [2, 1, 0, 3]] == pytest.approx(geometry.affine, abs=1e-4)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "study")))
    image = reader.Execute()
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), supine.volume.voxels)
    assert image.GetOrigin() == pytest.approx(geometry.origin, abs=1e-4)
    assert image.GetSpacing() == pytest.approx(geometry.spacing[::-1], abs=1e-4)


def test_a_position_on_the_other_side_is_refused(supine: PhantomCT, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lies supine"):
        write_dicom_study(supine, tmp_path / "study", patient_position="HFP")
    with pytest.raises(ValueError, match="none of"):
        write_dicom_study(supine, tmp_path / "study", patient_position="HFDR")


def test_a_folder_that_holds_something_is_refused(supine: PhantomCT, tmp_path: Path) -> None:
    (tmp_path / "other.dcm").write_bytes(b"")
    with pytest.raises(FileExistsError, match="not empty"):
        write_dicom_study(supine, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["other.dcm"]
