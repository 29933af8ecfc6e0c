from __future__ import annotations

import dataclasses
import gzip
import json
import resource
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osteoserve_client.errors import MissingAttributeError, OutputError, ServiceError
from osteoserve_client.writing import OUTPUT_NAMES, write_outputs

CREATED = datetime(2031, 2, 3, tzinfo=UTC)
WITHOUT_SEG = tuple(name for name in OUTPUT_NAMES if name != "skeleton.seg.dcm")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_dicom_leaves_five_files_and_the_report_lists_them(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    written = write_outputs(study, labels, report_of(study, labels), tmp_path / "out")
    assert written == tuple(tmp_path / "out" / name for name in OUTPUT_NAMES)
    assert names(tmp_path / "out") == set(OUTPUT_NAMES)
    said = json.loads((tmp_path / "out" / "report.json").read_text())
    assert said["outputs"] == list(OUTPUT_NAMES)
    assert abs(datetime.fromisoformat(said["created"]) - datetime.now(UTC)).seconds < 60


def test_other_sources_leave_no_segmentation_object(factory, report_of, tmp_path) -> None:
    study, labels = factory.nifti(), factory.labels(1)
    write_outputs(study, labels, report_of(study, labels), tmp_path)
    assert names(tmp_path) == set(WITHOUT_SEG)


def test_no_file_of_an_earlier_study_stays_beside_the_new_ones(
    factory, report_of, tmp_path
) -> None:
    labels = factory.labels(1)
    for study in (factory.dicom(), factory.nifti()):
        (tmp_path / "notes.txt").write_text("mine")
        write_outputs(study, labels, report_of(study, labels), tmp_path)
    assert names(tmp_path) == {*WITHOUT_SEG, "notes.txt"}


def test_what_the_source_lacks_is_a_warning_in_the_report(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(StudyInstanceUID=None), factory.labels(1)
    write_outputs(study, labels, report_of(study, labels), tmp_path)
    (warning,) = json.loads((tmp_path / "report.json").read_text())["warnings"]
    assert warning["from"] == "output"
    assert "StudyInstanceUID" in warning["text"]


@pytest.mark.parametrize("limit", [40, 400, 1200, 4000, 20000])
def test_a_disk_that_is_full_at_any_of_the_files_leaves_nothing_new(
    factory, report_of, tmp_path, limit
) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    report = report_of(study, labels)
    (tmp_path / "report.json").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OutputError, match="could not be written: File too large") as caught:
            write_outputs(study, labels, report, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 6
    assert names(tmp_path) == {"report.json"}
    assert (tmp_path / "report.json").read_text() == "old"


def test_a_source_that_cannot_be_referred_to_leaves_nothing(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(SOPInstanceUID=None), factory.labels(1)
    with pytest.raises(MissingAttributeError):
        write_outputs(study, labels, report_of(study, labels), tmp_path / "out")
    assert names(tmp_path) == set()


def contradictions(labels):
    other = labels.copy()
    other[1, 1, 1] = 9
    fewer = labels.copy()
    fewer[tuple(np.argwhere(labels)[0])] = 0
    return {
        "a value that is no label": other,
        "fewer voxels than reported": fewer,
        "another grid": labels[1:],
        "the axes in another order": labels.T,
        "another type": labels.astype(np.int16),
    }


@pytest.mark.parametrize(
    "kind",
    ["a value that is no label", "fewer voxels than reported", "another grid",
     "the axes in another order", "another type"],
)  # fmt: skip
def test_labels_that_contradict_their_report_are_refused(
    factory, report_of, tmp_path, kind
) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    report = report_of(study, labels)
    with pytest.raises(ServiceError):
        write_outputs(study, contradictions(labels)[kind], report, tmp_path / "out")
    assert names(tmp_path) == set()


def test_no_output_but_the_segmentation_object_knows_the_patient(
    factory, report_of, tmp_path, secrets
) -> None:
    labels = factory.labels(1)
    one, other = factory.dicom(), factory.dicom(
        PatientName="Andere^Person", PatientID="PID-1", PatientBirthDate="20010203",
        AccessionNumber="ACC-1", StudyDate="20050607", PatientSex="M",
    )  # fmt: skip
    for name, study in (("one", one), ("other", other)):
        report = report_of(study, labels)
        write_outputs(study, labels, report, tmp_path / name, created=CREATED)
    for name in WITHOUT_SEG:
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("one", "other"))
        # Were anything of the patient in it, two patients' files would differ.
        assert first == second
        plain = gzip.decompress(first) if name.endswith(".gz") else first
        for secret in (*secrets, *secrets[0].split("^"), "1.2.826.0.1"):
            assert secret.encode() not in plain
    assert secrets[0].encode() in (tmp_path / "one" / "skeleton.seg.dcm").read_bytes()


def test_the_picture_holds_no_text_chunks(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    write_outputs(study, labels, report_of(study, labels), tmp_path)
    with Image.open(tmp_path / "preview.png") as picture:
        assert picture.info == {}


@pytest.mark.parametrize("shape", [(1, 6, 7), (2, 1, 7), (3, 9, 1), (40, 3, 3)])
def test_studies_of_odd_shapes(factory, report_of, tmp_path, shape) -> None:
    factory = dataclasses.replace(factory, shape=shape)
    labels = np.ones(shape, np.uint8)
    write_outputs(factory.dicom(), labels, report_of(factory.dicom(), labels), tmp_path)
    assert names(tmp_path) == set(OUTPUT_NAMES)
