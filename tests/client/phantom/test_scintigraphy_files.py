"""The NM study, the label images and the command say exactly what the phantom is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from pydicom.sr.codedict import codes
from pydicom.uid import NuclearMedicineImageStorage

from osteoserve_client.phantom.scintigraphy import (
    REGIONS,
    VIEWS,
    PhantomScintigraphy,
    make_scintigraphy_phantom,
    write_labels,
    write_scintigraphy_study,
)
from tests.client.dicom_checks import (
    dciodvfy_errors,
    module_errors,
    tables_of_highdicom,
    without_synthetic_data,
)


@pytest.fixture(scope="module")
def phantom() -> PhantomScintigraphy:
    return make_scintigraphy_phantom(0)


def view_of(ds: pydicom.Dataset, frame: int) -> str:
    """The way of PS3.3 C.8.4.8 and C.8.4.11: frame, detector vector, detector, view code."""
    detector = ds.DetectorInformationSequence[int(np.atleast_1d(ds.DetectorVector)[frame]) - 1]
    item = detector.ViewCodeSequence[0]
    known = {
        codes.cid26.AnteriorProjection: "anterior",
        codes.cid26.PosteriorProjection: "posterior",
    }
    code = pydicom.sr.coding.Code(item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning)
    return known[code]


@pytest.mark.parametrize("views", [VIEWS, VIEWS[::-1], ("posterior",)])
def test_each_frame_is_the_view_that_its_detector_says(
    phantom: PhantomScintigraphy, tmp_path: Path, views: tuple[str, ...]
) -> None:
    (path,) = write_scintigraphy_study(phantom, tmp_path / "study", views=views)
    ds = pydicom.dcmread(path)
    frames = ds.pixel_array.reshape(-1, 1024, 256)
    assert len(frames) == len(views) == ds.NumberOfFrames == ds.NumberOfDetectors
    for n, (frame, view) in enumerate(zip(frames, views, strict=True)):
        assert view_of(ds, n) == view
        assert np.array_equal(frame, phantom.counts[view])
    assert ds.CountsAccumulated == frames.sum(dtype=np.int64)


def test_separate_files_hold_one_view_each(phantom: PhantomScintigraphy, tmp_path: Path) -> None:
    files = write_scintigraphy_study(phantom, tmp_path / "study", separate=True)
    headers = [pydicom.dcmread(f) for f in files]
    assert [view_of(ds, 0) for ds in headers] == list(VIEWS)
    assert len({ds.SOPInstanceUID for ds in headers}) == 2
    assert len({ds.SeriesInstanceUID for ds in headers}) == 1
    for ds, view in zip(headers, VIEWS, strict=True):
        assert np.array_equal(ds.pixel_array, phantom.counts[view])


def test_the_study_says_what_it_is(phantom: PhantomScintigraphy, tmp_path: Path) -> None:
    (path,) = write_scintigraphy_study(phantom, tmp_path / "study")
    ds = pydicom.dcmread(path)
    assert ds.SOPClassUID == NuclearMedicineImageStorage == ds.file_meta.MediaStorageSOPClassUID
    assert ds.Modality == "NM"
    assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    assert [int(tag) for tag in ds.FrameIncrementPointer] == [0x00540010, 0x00540020]
    assert str(ds.PatientName) == "PHANTOM^OSTEOSERVE"
    assert ds.SyntheticData == "YES"
    assert [float(s) for s in ds.PixelSpacing] == pytest.approx([phantom.pixel_spacing_mm] * 2)
    gantry = ds.PatientGantryRelationshipCodeSequence[0]
    assert gantry.CodeValue == codes.cid21.Headfirst.value
    assert all(ds[k].value.is_valid for k in ("SOPInstanceUID", "SeriesInstanceUID"))


def test_the_same_phantom_gives_the_same_files(
    phantom: PhantomScintigraphy, tmp_path: Path
) -> None:
    first, again = (
        write_scintigraphy_study(p, tmp_path / name)[0].read_bytes()
        for p, name in ((phantom, "a"), (make_scintigraphy_phantom(0), "b"))
    )
    assert first == again


def test_simpleitk_reads_the_same_counts(phantom: PhantomScintigraphy, tmp_path: Path) -> None:
    (path,) = write_scintigraphy_study(phantom, tmp_path / "study")
    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(
        SimpleITK.GetArrayFromImage(image), np.stack([phantom.counts[v] for v in VIEWS])
    )
    assert image.GetSpacing()[:2] == pytest.approx([phantom.pixel_spacing_mm] * 2, abs=1e-4)


def faults(path: Path) -> dict[str, Any]:
    """By the NM Image IOD's modules that must or do occur."""
    sop_class = str(NuclearMedicineImageStorage)
    info = tables_of_highdicom(
        "nuclear-medicine-image",
        "Nuclear Medicine Image",
        sop_class,
        included=lambda module: (
            module["usage"] == "M" or module["key"] in ("frame-of-reference", "voi-lut")
        ),
    )
    return module_errors(path, info, sop_class)


@pytest.mark.parametrize("views", [VIEWS, ("anterior",)])
def test_dicom_validator_finds_no_fault(
    phantom: PhantomScintigraphy, tmp_path: Path, views: tuple[str, ...]
) -> None:
    (path,) = write_scintigraphy_study(phantom, tmp_path / "study", views=views)
    assert faults(path) == {}


@pytest.mark.parametrize("keyword", ["NumberOfDetectors", "PatientName", "ImageType"])
def test_dicom_validator_would_find_one(
    phantom: PhantomScintigraphy, tmp_path: Path, keyword: str
) -> None:
    (path,) = write_scintigraphy_study(phantom, tmp_path / "study")
    ds = pydicom.dcmread(path)
    delattr(ds, keyword)
    ds.save_as(path)
    assert faults(path) != {}


def test_dciodvfy_finds_no_error(phantom: PhantomScintigraphy, tmp_path: Path) -> None:
    (path,) = write_scintigraphy_study(phantom, tmp_path / "study")
    assert without_synthetic_data(dciodvfy_errors(path, "NMImage")) == []


@pytest.mark.parametrize("views", [(), ("anterior", "anterior"), ("lateral",)])
def test_impossible_views_are_refused(
    phantom: PhantomScintigraphy, tmp_path: Path, views: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="views must be some of"):
        write_scintigraphy_study(phantom, tmp_path / "study", views=views)
    assert not (tmp_path / "study").exists()


def test_a_folder_that_holds_something_is_refused(
    phantom: PhantomScintigraphy, tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"")
    for write in (write_scintigraphy_study, write_labels):
        with pytest.raises(FileExistsError, match="not empty"):
            write(phantom, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["other"]


def test_the_label_images_are_the_regions(phantom: PhantomScintigraphy, tmp_path: Path) -> None:
    index = json.loads(write_labels(phantom, tmp_path / "labels").read_text())
    assert index["names"] == {str(n): name for n, name in enumerate(REGIONS, start=1)}
    assert len(index["regions"]) == len(phantom.regions)
    for entry, r in zip(index["regions"], phantom.regions, strict=True):
        image = np.asarray(Image.open(tmp_path / "labels" / entry["file"]))
        assert np.array_equal(image, np.where(r.mask, 255, 0))
        assert (entry["name"], entry["view"], entry["side"]) == (r.name, r.view, r.side)
        assert entry["pixels"] == int(r.mask.sum())
    named = {entry["file"] for entry in index["regions"]} | {"regions.json"}
    for view, files in index["views"].items():
        labels, hot = (np.asarray(Image.open(tmp_path / "labels" / f)) for f in files.values())
        assert np.array_equal(labels, phantom.labels[view])
        assert np.array_equal(hot > 0, phantom.hot_spots[view])
        named |= set(files.values())
    assert named == {p.name for p in (tmp_path / "labels").iterdir()}


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "osteoserve_client",
            "phantom",
            "scintigraphy",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_writes_the_phantom_of_its_seed(
    phantom: PhantomScintigraphy, tmp_path: Path
) -> None:
    done = command("-o", tmp_path / "out", "--seed", "0", "--labels", "--json")
    assert done.returncode == 0, done.stderr
    written = json.loads(done.stdout)
    assert written["seed"] == 0
    (path,) = Path(written["dicom"]).iterdir()
    (same,) = write_scintigraphy_study(phantom, tmp_path / "same")
    assert path.read_bytes() == same.read_bytes()
    assert (Path(written["labels"]) / "regions.json").is_file()


@pytest.mark.parametrize("name", ["dicom", "labels"])
def test_the_command_refuses_a_folder_that_holds_something(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "other").write_bytes(b"")
    done = command("-o", tmp_path, "--labels")
    assert done.returncode == 6
    assert done.stderr.count("\n") == 1
    assert "is not empty" in done.stderr
    assert [p.name for p in tmp_path.rglob("*")] == [name, "other"]
