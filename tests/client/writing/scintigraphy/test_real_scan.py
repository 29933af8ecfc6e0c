"""The real scan, read as the command reads it, and written back onto its frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.seg import segread
from PIL import Image

from osteoserve_client.reading import read_scintigram
from osteoserve_client.writing import write_scintigram_outputs
from tests.client.dicom_checks import dciodvfy_errors
from tests.client.writing.scintigraphy.conftest import make_report

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def file(shared_data: Path) -> Path:
    return shared_data / "scintigraphy_whole_body" / "REF" / "NM1_UNC"


@pytest.fixture(scope="module")
def out(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No regions of the body, but some that each pixel's counts tell."""
    scan = read_scintigram(file, view="anterior")
    labels = (scan.counts // 40).astype(np.uint8)
    report = make_report(scan, labels, labels, white_counts=126.0)
    folder = tmp_path_factory.mktemp("real")
    write_scintigram_outputs(scan, labels, labels, report, folder)
    return folder


def test_every_pixel_of_the_stored_frame_has_its_label(file: Path, out: Path) -> None:
    source = pydicom.dcmread(file)
    expected = source.pixel_array // 40
    with Image.open(out / "labels_anterior.png") as image:
        assert np.array_equal(image, expected)
    seg = segread(out / "regions.seg.dcm")
    found = seg.get_pixels_by_source_instance([source.SOPInstanceUID], combine_segments=True)
    assert np.array_equal(found[0], expected)


def test_the_segmentation_object_belongs_to_the_scans_study(file: Path, out: Path) -> None:
    source = pydicom.dcmread(file, stop_before_pixels=True)
    seg = pydicom.dcmread(out / "regions.seg.dcm")
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName"):
        assert seg[keyword].value == source[keyword].value
    (reference,) = seg.SourceImageSequence
    assert reference.ReferencedSOPClassUID == source.SOPClassUID
    assert dciodvfy_errors(out / "regions.seg.dcm", "Segmentation") == []


def test_nothing_else_knows_the_patient(file: Path, out: Path) -> None:
    source = pydicom.dcmread(file, stop_before_pixels=True)
    words = (*str(source.PatientName).split("^"), str(source.PatientID))
    for path in out.iterdir():
        if path.suffix != ".dcm":
            data = path.read_bytes()
            assert not any(word.encode() in data for word in words)
    assert json.loads((out / "report.json").read_text())["input"]["views"][0]["frame"] == 1
