"""The segmentation object as validators see it."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_validator.spec_reader.edition_reader import EditionReader
from dicom_validator.validator.dicom_info import DicomInfo

from osteoserve_client.writing.dicom_source import dicom_source
from osteoserve_client.writing.segmentation_object import write_segmentation_object
from tests.client.dicom_checks import dciodvfy_errors, module_errors, tables_of_highdicom

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"

#: Where ``validate_iods`` keeps the standard once it has fetched it.
STANDARD = Path.home() / "dicom-validator"

KINDS = ("plain", "several", "empty", "bare", "enhanced", "single")


@pytest.fixture(params=KINDS)
def written(request: pytest.FixtureRequest, factory, report_of, tmp_path) -> Path:
    """Segmentation objects of every kind of source and label map."""
    study, labels, names = factory.dicom(), factory.labels(1), {1: "Skeleton"}
    match request.param:
        case "several":
            labels, names = factory.labels(1, 4), {1: "Spine", 2: "Skull", 4: "Femur"}
        case "empty":
            labels = np.zeros_like(labels)
        case "bare":
            study = bare(factory)
        case "enhanced":
            study = factory.enhanced((2, 1, 3, 5, 4))
        case "single":
            study, labels = dataclasses.replace(factory, shape=(1, 6, 7)).dicom(), labels[1:2]
    path = tmp_path / "seg.dcm"
    model = report_of(study, labels, names).model
    write_segmentation_object(path, study, dicom_source(study), labels, model)
    return path


def bare(factory):
    """Of a source that has lost all that is not needed to place its voxels."""
    study = factory.dicom()
    kept = {"SOPInstanceUID", "Rows", "Columns", "PixelSpacing", "Modality"}
    kept |= {"ImageOrientationPatient", "ImagePositionPatient"}
    for dataset in study.datasets:
        for element in list(dataset):
            if element.keyword not in kept:
                del dataset[element.tag]
    return study


@cache
def tables() -> DicomInfo:
    return tables_of_highdicom("segmentation", "Segmentation", SEGMENTATION_STORAGE)


def errors(path: Path, info: DicomInfo) -> dict[str, Any]:
    return module_errors(path, info, SEGMENTATION_STORAGE)


def test_dicom_validator_finds_no_error(written: Path) -> None:
    assert errors(written, tables()) == {}


@pytest.mark.parametrize("keyword", ["PatientName", "SegmentSequence", "DeviceSerialNumber"])
def test_dicom_validator_would_find_one(factory, report_of, tmp_path, keyword) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    path = tmp_path / "seg.dcm"
    model = report_of(study, labels).model
    write_segmentation_object(path, study, dicom_source(study), labels, model)
    seg = pydicom.dcmread(path)
    delattr(seg, keyword)
    seg.save_as(path)
    assert errors(path, tables()) != {}


def test_dicom_validator_finds_no_error_by_the_whole_standard(written: Path) -> None:
    reader = EditionReader(STANDARD)
    if not STANDARD.is_dir() or not (edition := reader.get_edition("local")):
        pytest.skip(
            "the DICOM standard is absent: run `validate_iods FILE` once where "
            "dicom.nema.org can be reached, which keeps it in ~/dicom-validator"
        )
    assert errors(written, reader.load_dicom_info(edition)) == {}


def test_dciodvfy_finds_no_error(written: Path) -> None:
    assert dciodvfy_errors(written, "Segmentation") == []
