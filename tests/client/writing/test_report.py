from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from osteoserve_client.writing.report import report_document, write_report

CREATED = datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))


def document(study, report, **changes):
    options = {"created": CREATED, "outputs": ("report.json",), "warnings": ()} | changes
    return report_document(study, report, **options)


def test_it_says_what_was_segmented_with_what(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    study = dataclasses.replace(study, warnings=("w1",), description={"kvp": 120.0})
    report = report_of(study, labels)
    report.preprocessing.warnings.append("w2")
    write_report(tmp_path / "report.json", document(study, report, warnings=("w3",)))
    said = json.loads((tmp_path / "report.json").read_text())
    assert said["schema_version"] == 1
    assert said["created"] == "2031-02-03T02:05:06+00:00"
    assert said["model"]["sha256"] == report.model.digest
    assert said["model"]["precision"] == "fp32"
    assert said["input"]["shape_zyx"] == [5, 6, 7]
    assert said["input"]["spacing_zyx_mm"] == [2.5, 0.75, 0.5]
    assert said["input"]["acquisition"] == {"kvp": 120.0}
    assert said["input"]["voxels_sha256"] == bytes(range(32)).hex()
    assert said["preprocessing"]["stretcher"]["method"] == "body"
    assert said["preprocessing"]["stretcher"]["removed_voxels"] == 12
    assert said["preprocessing"]["normalisation"] == "interpatient"
    assert [(each["from"], each["text"]) for each in said["warnings"]] == [
        ("input", "w1"),
        ("service", "w2"),
        ("output", "w3"),
    ]
    assert said["labels"][0]["voxels"] == np.count_nonzero(labels)
    assert said["stages"] == [{"stage": "inference", "seconds": 0.5}]
    assert set(said["software"]) >= {"osteoserve", "service", "python", "highdicom", "pydicom"}


def test_what_a_label_without_a_voxel_lacks_is_null(factory, report_of) -> None:
    labels = np.zeros(factory.shape, np.uint8)
    (label,) = document(factory.dicom(), report_of(factory.dicom(), labels))["labels"]
    assert label == {
        "value": 1, "name": "Skeleton", "voxels": 0, "volume_ml": 0.0,
        "mean_hu": None, "sd_hu": None, "first_slice": None, "last_slice": None,
    }  # fmt: skip


def test_a_number_that_json_does_not_have_is_refused(factory, report_of, tmp_path) -> None:
    report = report_of(factory.dicom(), factory.labels(1))
    report.labels[0].mean_hu = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        write_report(tmp_path / "report.json", document(factory.dicom(), report))


def test_every_key_is_documented(factory, report_of) -> None:
    documentation = Path(__file__).parents[3] / "docs" / "output.md"
    documented = set(re.findall(r"`([a-z0-9_.\[\]]+)`", documentation.read_text()))
    study = factory.dicom()
    report = report_of(study, factory.labels(1))
    missing = set(keys(document(study, report, warnings=("w",)))) - documented
    assert missing == set()


def keys(value: object, prefix: str = ""):
    """Names of all keys, as docs/output.md writes them: ``labels[].value``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield prefix + key
            yield from keys(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{prefix.removesuffix('.')}[].")
