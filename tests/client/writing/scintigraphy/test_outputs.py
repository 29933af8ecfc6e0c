from __future__ import annotations

import csv
import dataclasses
import json
import resource
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from osteoserve_client.errors import (
    InconsistentViewsError,
    MissingAttributeError,
    OutputError,
    ServiceError,
)
from osteoserve_client.writing import (
    OUTPUT_NAMES,
    SCINTIGRAM_OUTPUT_NAMES,
    check_scintigram,
    write_outputs,
    write_scintigram_outputs,
)
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from tests.client.writing.scintigraphy.conftest import SECRETS, Case, make_case, make_report

CREATED = datetime(2031, 2, 3, tzinfo=UTC)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def write(case: Case, out: Path, report: pb.ScintigramReport | None = None, **options):
    report = report or case.report
    return write_scintigram_outputs(case.scan, case.labels, case.regions, report, out, **options)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "regions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_views_of_dicom_leave_every_file_and_the_report_lists_them(tmp_path) -> None:
    written = write(make_case("one file"), tmp_path / "out")
    assert written == tuple(tmp_path / "out" / name for name in SCINTIGRAM_OUTPUT_NAMES)
    assert names(tmp_path / "out") == set(SCINTIGRAM_OUTPUT_NAMES)
    said = json.loads((tmp_path / "out" / "report.json").read_text())
    assert said["outputs"] == list(SCINTIGRAM_OUTPUT_NAMES)
    assert abs(datetime.fromisoformat(said["created"]) - datetime.now(UTC)).seconds < 60


def test_an_image_of_one_view_leaves_what_it_can(tmp_path) -> None:
    write(make_case("posterior alone", source="image"), tmp_path)
    assert names(tmp_path) == {
        "labels_posterior.png", "regions_posterior.png", "report.json", "regions.csv",
        "preview.png",
    }  # fmt: skip


def test_no_file_of_an_earlier_study_stays_beside_the_new_ones(
    factory, report_of, tmp_path
) -> None:
    labels = factory.labels(1)
    write_outputs(factory.dicom(), labels, report_of(factory.dicom(), labels), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    write(make_case("one file"), tmp_path)
    assert names(tmp_path) == {*SCINTIGRAM_OUTPUT_NAMES, "notes.txt"}
    write_outputs(factory.dicom(), labels, report_of(factory.dicom(), labels), tmp_path)
    assert names(tmp_path) == {*OUTPUT_NAMES, "notes.txt"}


def test_the_tables_sums_are_those_of_the_images(case: Case, tmp_path) -> None:
    write(case, tmp_path)
    rows = rows_of(tmp_path)
    for view, counts in ((view.view, view.counts) for view in case.scan.views):
        with Image.open(tmp_path / f"regions_{view}.png") as image:
            numbers = case.scan[view].as_stored(np.asarray(image))
        own = [row for row in rows if row["view"] == view]
        assert sum(int(row["pixels"]) for row in own) == np.count_nonzero(numbers)
        for row in own:
            held = counts[numbers == int(row["number"])]
            assert int(row["pixels"]) == held.size
            assert float(row["area_mm2"]) == pytest.approx(held.size * 2.5 * 2.25, abs=0.01)
            assert float(row["mean_counts"]) == pytest.approx(held.mean(), abs=0.001)
            assert int(row["max_counts"]) == held.max()
    assert len(rows) == len(case.report.regions)


def test_the_phantoms_regions_are_told_by_name_view_and_side(of_phantom, phantom, tmp_path) -> None:
    case, report = of_phantom
    write(case, tmp_path, report)
    told = {
        (row["region"], row["view"], row["side"]): int(row["pixels"]) for row in rows_of(tmp_path)
    }
    assert told == {
        (region.name, region.view, region.side): int(phantom.visible(region).sum())
        for region in phantom.regions
        if phantom.visible(region).any()
    }
    seg = pydicom.dcmread(tmp_path / "regions.seg.dcm")
    assert int(seg.pixel_array.sum()) == np.count_nonzero(case.labels) == sum(told.values())


def test_a_region_that_lost_all_its_pixels_is_a_row_of_none(tmp_path) -> None:
    case = make_case("one file")
    report = case.report
    report.regions.add(number=99, label=3, view=pb.VIEW_POSTERIOR, score=0.51, box=[1, 2, 3, 4])
    write(case, tmp_path, report)
    row = rows_of(tmp_path)[-1]
    assert (row["number"], row["pixels"], row["area_mm2"], row["max_counts"]) == ("99", "0", "", "")


@pytest.mark.parametrize("limit", [40, 300, 900, 1500, 4000, 20000])
def test_a_disk_that_is_full_at_any_of_the_files_leaves_nothing_new(tmp_path, limit) -> None:
    case = make_case("one file")
    report = case.report
    (tmp_path / "report.json").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OutputError, match="could not be written: File too large") as caught:
            write(case, tmp_path, report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 6
    assert names(tmp_path) == {"report.json"}
    assert (tmp_path / "report.json").read_text() == "old"


@pytest.mark.parametrize("stated", ["", "1.2.826.0.1.3680043.8.498.1.1"], ids=["absent", "twice"])
def test_a_source_that_cannot_be_referred_to_is_refused_early(tmp_path, stated) -> None:
    case = make_case("two files")
    case.scan.datasets[1].SOPInstanceUID = stated
    with pytest.raises(MissingAttributeError, match="file 1 has no SOP Instance UID"):
        check_scintigram(case.scan)
    with pytest.raises(MissingAttributeError):
        write(case, tmp_path / "out")
    assert names(tmp_path) == set()


def test_frames_of_two_sizes_are_refused_early() -> None:
    scan = make_case("two files").scan
    check_scintigram(scan)
    with pytest.raises(InconsistentViewsError):
        check_scintigram(dataclasses.replace(scan, stored_shapes=((19, 9), (19, 21))))


def test_an_image_needs_no_references() -> None:
    check_scintigram(make_case("one file", source="image").scan)


def contradict(kind: str, case: Case, report: pb.ScintigramReport) -> Case:
    """The case, with one thing wrong with it."""
    labels, regions = case.labels.copy(), case.regions.copy()
    match kind:
        case "another label of one pixel":
            labels[tuple(np.argwhere(labels == 2)[0])] = 3
        case "a pixel without a region":
            regions[tuple(np.argwhere(regions)[0])] = 0
        case "fewer pixels than reported":
            place = tuple(np.argwhere(regions)[0])
            labels[place] = regions[place] = 0
        case "a region that is not reported":
            del report.regions[-1]
        case "a region in the other view":
            report.regions[0].view = pb.VIEW_POSTERIOR
        case "a region of no view":
            report.regions[0].view = 0
        case "views exchanged":
            labels, regions = labels[::-1], regions[::-1]
        case "views mirrored":
            labels, regions = labels[..., ::-1], regions[..., ::-1]
        case "another grid":
            labels = labels[:, 1:]
        case "another type":
            regions = regions.astype(np.int16)
        case "two regions of one number":
            report.regions[1].number = report.regions[0].number
        case "a label that the model does not have":
            report.regions[0].label = 77
            labels = np.where(regions == report.regions[0].number, 77, labels).astype(np.uint8)
        case "another mean":
            report.regions[0].mean_counts *= 1.01
        case "another maximum":
            report.regions[0].max_counts += 1
        case "another area":
            report.regions[0].square_millimetres *= 2
        case "no area":
            report.regions[0].ClearField("square_millimetres")
        case "other total counts":
            report.preprocessing.total_counts[1] += 1
        case "no box":
            report.regions[0].ClearField("box")
        case "no window":
            report.preprocessing.white_counts = 0
        case "a finding in no view":
            report.findings.add(kind=pb.RegionFinding.KIND_MISSING, label=1)
    return dataclasses.replace(case, labels=labels, regions=regions)


@pytest.mark.parametrize(
    "kind",
    ["another label of one pixel", "a pixel without a region", "fewer pixels than reported",
     "a region that is not reported", "a region in the other view", "a region of no view",
     "views exchanged", "views mirrored", "another grid", "another type",
     "two regions of one number", "a label that the model does not have", "another mean",
     "another maximum", "another area", "no area", "other total counts", "no box", "no window",
     "a finding in no view"],
)  # fmt: skip
def test_an_answer_that_contradicts_itself_or_the_scan_is_refused(tmp_path, kind) -> None:
    case = make_case("one file")
    report = case.report
    wrong = contradict(kind, case, report)
    with pytest.raises(ServiceError):
        write(wrong, tmp_path / "out", report)
    assert names(tmp_path) == set()


def test_what_the_source_lacks_is_a_warning_in_the_report_once(tmp_path) -> None:
    case = make_case("two files")
    for dataset in case.scan.datasets:
        del dataset.StudyInstanceUID
    write(case, tmp_path)
    (warning,) = json.loads((tmp_path / "report.json").read_text())["warnings"]
    assert warning["from"] == "output"
    assert "StudyInstanceUID" in warning["text"]
    assert "regions.seg.dcm" in warning["text"]


def test_no_output_but_the_segmentation_object_knows_the_patient(tmp_path) -> None:
    one, other = make_case("one file"), make_case("one file")
    for dataset in other.scan.datasets:
        dataset.PatientName, dataset.PatientID = "Andere^Person", "PID-1"
        dataset.PatientBirthDate, dataset.StudyDate = "20010203", "20050607"
        dataset.AccessionNumber, dataset.PatientSex = "ACC-1", "M"
    for name, case in (("one", one), ("other", other)):
        write(case, tmp_path / name, created=CREATED)
    for name in names(tmp_path / "one") - {"regions.seg.dcm"}:
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("one", "other"))
        # Were anything of the patient in it, two patients' files would differ.
        assert first == second
        for secret in (*SECRETS, *SECRETS[0].split("^"), "1.2.826.0.1"):
            assert secret.encode() not in first
    assert SECRETS[0].encode() in (tmp_path / "one" / "regions.seg.dcm").read_bytes()


def test_pictures_hold_no_text_chunks(tmp_path) -> None:
    write(make_case("one file"), tmp_path)
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.info == {}


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (40, 3)], ids=str)
def test_scans_of_odd_shapes(tmp_path, shape) -> None:
    case = make_case("one file", shape=shape)
    write(case, tmp_path)
    assert names(tmp_path) == set(SCINTIGRAM_OUTPUT_NAMES)


def test_the_spacing_may_be_unknown(tmp_path) -> None:
    case = make_case("one file")
    scan = dataclasses.replace(case.scan, pixel_spacing_mm=None)
    report = make_report(scan, case.labels, case.regions)
    write(dataclasses.replace(case, scan=scan), tmp_path, report)
    assert {row["area_mm2"] for row in rows_of(tmp_path)} == {""}
    said = json.loads((tmp_path / "report.json").read_text())
    assert said["input"]["spacing_yx_mm"] is None
    assert {region["area_mm2"] for region in said["regions"]} == {None}
