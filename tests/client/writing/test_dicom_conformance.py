"""The segmentation object as validators see it."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_validator.spec_reader.edition_reader import EditionReader
from dicom_validator.validator.dicom_file_validator import DicomFileValidator
from dicom_validator.validator.dicom_info import DicomInfo
from pydicom.datadict import tag_for_keyword

from osteoserve_client.writing.dicom_source import dicom_source
from osteoserve_client.writing.segmentation_object import write_segmentation_object

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
def tables_of_highdicom() -> DicomInfo:
    """The modules of the Segmentation IOD, from the copy of PS3.3 that highdicom carries.

    It knows which attributes there are, how they nest and their types, but not the conditions
    of types 1C and 2C.
    """
    folder = Path(highdicom.__file__).parent / "_standard"
    modules = json.loads((folder / "module_attribute_map.json").read_text())
    iods = json.loads((folder / "iod_module_map.json").read_text())
    used = {module["key"]: module["usage"] for module in iods["segmentation"]}
    iod = {
        "title": "Segmentation",
        "modules": {key: {"ref": key, "use": usage} for key, usage in used.items()},
        "group_macros": {},
    }
    return DicomInfo(
        dictionary={},
        iods={SEGMENTATION_STORAGE: iod},
        modules={key: nested(modules[key]) for key in used},
    )


def nested(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for attribute in attributes:
        level = root
        for keyword in attribute["path"]:
            level = level[name_of(keyword)].setdefault("items", {})
        in_group = attribute["path"][:1] in (
            ["SharedFunctionalGroupsSequence"],
            ["PerFrameFunctionalGroupsSequence"],
        )
        # A macro stands in one of the two groups, which this table cannot express.
        kind = "3" if in_group and len(attribute["path"]) == 1 else attribute["type"]
        level[name_of(attribute["keyword"])] = {"type": kind, "name": attribute["keyword"]}
    return root


def name_of(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def errors(path: Path, info: DicomInfo) -> dict[str, Any]:
    mode = pydicom.config.settings._reading_validation_mode
    try:
        (result,) = DicomFileValidator(info, log_level=logging.CRITICAL).validate(path).values()
    finally:
        # The validator sets it for the whole process.
        pydicom.config.settings._reading_validation_mode = mode
    assert result.sop_class_uid == SEGMENTATION_STORAGE
    return {str(module): found for module, found in result.module_errors.items()}


def test_dicom_validator_finds_no_error(written: Path) -> None:
    assert errors(written, tables_of_highdicom()) == {}


@pytest.mark.parametrize("keyword", ["PatientName", "SegmentSequence", "DeviceSerialNumber"])
def test_dicom_validator_would_find_one(factory, report_of, tmp_path, keyword) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    path = tmp_path / "seg.dcm"
    model = report_of(study, labels).model
    write_segmentation_object(path, study, dicom_source(study), labels, model)
    seg = pydicom.dcmread(path)
    delattr(seg, keyword)
    seg.save_as(path)
    assert errors(path, tables_of_highdicom()) != {}


def test_dicom_validator_finds_no_error_by_the_whole_standard(written: Path) -> None:
    reader = EditionReader(STANDARD)
    if not STANDARD.is_dir() or not (edition := reader.get_edition("local")):
        pytest.skip(
            "the DICOM standard is absent: run `validate_iods FILE` once where "
            "dicom.nema.org can be reached, which keeps it in ~/dicom-validator"
        )
    assert errors(written, reader.load_dicom_info(edition)) == {}


def test_dciodvfy_finds_no_error(written: Path) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is absent: apt-get install dicom3tools")
    done = subprocess.run([program, written], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == []
    assert "Segmentation" in done.stderr
