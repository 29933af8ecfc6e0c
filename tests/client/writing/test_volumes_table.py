from __future__ import annotations

import csv

import numpy as np
import pytest

from osteoserve_client.writing.volumes_table import COLUMNS, write_volumes


def test_the_table_says_what_the_report_says(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(), factory.labels(1, 2)
    report = report_of(study, labels, {1: "Spine", 2: 'Skull, "upper"'})
    write_volumes(tmp_path / "volumes.csv", report)
    with (tmp_path / "volumes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    for row, measure in zip(rows, report.labels, strict=True):
        assert (int(row["label"]), row["name"]) == (measure.value, measure.name)
        assert int(row["voxels"]) == np.count_nonzero(labels == measure.value)
        assert float(row["volume_ml"]) == pytest.approx(measure.millilitres, abs=5e-4)
        assert float(row["mean_hu"]) == pytest.approx(measure.mean_hu, abs=5e-3)
        assert float(row["sd_hu"]) == pytest.approx(measure.sd_hu, abs=5e-3)
        assert int(row["first_slice"]) == measure.first_slice
        assert int(row["last_slice"]) == measure.last_slice


def test_what_a_label_without_a_voxel_lacks_is_left_empty(factory, report_of, tmp_path) -> None:
    report = report_of(factory.dicom(), np.zeros(factory.shape, np.uint8))
    write_volumes(tmp_path / "volumes.csv", report)
    text = (tmp_path / "volumes.csv").read_text()
    assert text.splitlines()[1] == "1,Skeleton,0,0.000,,,,"


def test_a_slice_numbered_0_is_not_taken_for_none(factory, report_of, tmp_path) -> None:
    report = report_of(factory.dicom(), np.ones(factory.shape, np.uint8))
    write_volumes(tmp_path / "volumes.csv", report)
    assert (tmp_path / "volumes.csv").read_text().splitlines()[1].endswith(",0,4")
