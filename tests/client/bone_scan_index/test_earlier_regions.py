"""Regions of an earlier run stand in for a service's, for the same scan alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osteoserve_client.bone_scan_index import read_earlier_regions
from osteoserve_client.errors import InputNotFoundError, UnreadableFileError
from osteoserve_client.writing.scintigraphy import write_scintigram_outputs
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from tests.client.bone_scan_index.conftest import Patient, sha256_of
from tests.client.writing.scintigraphy.conftest import make_case, make_report


@pytest.mark.parametrize(
    "storage", ["one file", "two files", "turned by 180 degrees", "side by side", "anterior alone"]
)
def test_what_was_written_comes_back(storage: str, tmp_path: Path) -> None:
    case = make_case(storage)
    report = case.report
    report.input_sha256 = sha256_of(case.scan)
    report.findings.add(label=4, kind="KIND_MISSING", view=pb.VIEW_ANTERIOR, side=pb.SIDE_RIGHT)
    report.warnings.append("a word of the service")
    write_scintigram_outputs(case.scan, case.labels, case.regions, report, tmp_path)
    regions, read = read_earlier_regions(tmp_path, case.scan)
    assert np.array_equal(regions, case.regions)
    for field in ("regions", "findings", "warnings", "input_sha256", "service_version"):
        assert getattr(read, field) == getattr(report, field)
    assert read.preprocessing == report.preprocessing
    assert (read.model.name, read.model.digest) == (report.model.name, report.model.digest)
    assert list(read.model.labels) == list(report.model.labels)


def test_an_image_without_spacing_comes_back(tmp_path: Path) -> None:
    case = make_case("one file", source="image")
    scan = replace(case.scan, pixel_spacing_mm=None)
    report = make_report(scan, case.labels, case.regions)
    report.input_sha256 = sha256_of(scan)
    write_scintigram_outputs(scan, case.labels, case.regions, report, tmp_path)
    regions, read = read_earlier_regions(tmp_path, scan)
    assert np.array_equal(regions, case.regions)
    assert read.regions == report.regions


@pytest.fixture
def written(patient: Patient, tmp_path: Path) -> Path:
    case = patient.case
    write_scintigram_outputs(case.scan, case.labels, case.regions, patient.report, tmp_path)
    return tmp_path


def test_regions_of_another_scan_are_refused(patient: Patient, written: Path) -> None:
    view = patient.scan.views[0]
    counts = view.counts.copy()
    counts[500, 128] += 1
    other = replace(patient.scan, views=(replace(view, counts=counts), patient.scan.views[1]))
    with pytest.raises(UnreadableFileError, match="another scan"):
        read_earlier_regions(written, other)


def test_regions_that_were_changed_are_refused(patient: Patient, written: Path) -> None:
    path = written / "regions_anterior.png"
    image = Image.open(path)
    changed = np.array(image)
    changed[np.unravel_index(changed.argmax(), changed.shape)] = 0
    Image.fromarray(changed).save(path)
    with pytest.raises(UnreadableFileError, match="disagree"):
        read_earlier_regions(written, patient.scan)
    path.write_bytes(b"no image")
    with pytest.raises(UnreadableFileError, match=r"regions_anterior\.png"):
        read_earlier_regions(written, patient.scan)
    path.unlink()
    with pytest.raises(InputNotFoundError, match=r"regions_anterior\.png"):
        read_earlier_regions(written, patient.scan)


def test_a_report_of_something_else_is_refused(patient: Patient, written: Path) -> None:
    path = written / "report.json"
    document = json.loads(path.read_text())
    del document["regions"]
    path.write_text(json.dumps(document))
    with pytest.raises(UnreadableFileError, match="no report on a segmented bone scan"):
        read_earlier_regions(written, patient.scan)
    path.unlink()
    with pytest.raises(InputNotFoundError, match=r"report\.json"):
        read_earlier_regions(written, patient.scan)
