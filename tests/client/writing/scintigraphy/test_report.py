from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path

from osteoserve_client.writing.report import write_report
from osteoserve_client.writing.scintigraphy.report import scintigram_report_document
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from tests.client.writing.scintigraphy.conftest import make_case, make_report
from tests.client.writing.test_report import keys

CREATED = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def document(case, report, **changes):
    options = {"created": CREATED, "outputs": ("report.json",), "warnings": ()} | changes
    return scintigram_report_document(case.scan, report, **options)


def test_it_says_what_was_segmented_and_what_was_found(tmp_path) -> None:
    case = make_case("side by side, posterior first, turned")
    scan = dataclasses.replace(case.scan, warnings=("w1",), description={"tracer": "Tc-99m MDP"})
    case = dataclasses.replace(case, scan=scan)
    report = make_report(scan, case.labels, case.regions, sides={5: "left"})
    report.warnings.append("w2")
    report.preprocessing.brightness = 2.5
    report.findings.add(
        kind=pb.RegionFinding.KIND_MISSING, label=4, view=pb.VIEW_ANTERIOR, side=pb.SIDE_RIGHT
    )
    write_report(tmp_path / "report.json", document(case, report, warnings=("w3",)))
    said = json.loads((tmp_path / "report.json").read_text())
    assert said["schema_version"] == 1
    assert said["model"]["sha256"] == report.model.digest
    assert said["input"]["shape_yx"] == [19, 9]
    assert said["input"]["spacing_yx_mm"] == [2.5, 2.25]
    assert said["input"]["acquisition"] == {"tracer": "Tc-99m MDP"}
    assert said["input"]["counts_sha256"] == bytes(range(32)).hex()
    assert said["input"]["views"][0] == {
        "view": "anterior", "total_counts": int(scan["anterior"].counts.sum()), "file": 1,
        "frame": 1, "first_column": 12, "rows_reversed": True, "columns_reversed": True,
    }  # fmt: skip
    assert said["preprocessing"]["brightness"] == 2.5
    assert said["preprocessing"]["end_row"] == 19
    assert [region["number"] for region in said["regions"]] == list(range(1, 21))
    fifth = said["regions"][4]
    assert (fifth["region"], fifth["view"], fifth["side"]) == (
        "anterior_left_humerus", "anterior", "left",
    )  # fmt: skip
    assert fifth["box_ltrb"] == list(report.regions[4].box)
    assert said["findings"] == [
        {"kind": "missing", "label": 4, "region": "anterior_right_humerus", "view": "anterior",
         "side": "right"}
    ]  # fmt: skip
    assert [(each["from"], each["text"]) for each in said["warnings"]] == [
        ("input", "w1"),
        ("service", "w2"),
        ("output", "w3"),
    ]


def test_every_key_is_documented() -> None:
    documentation = Path(__file__).parents[4] / "docs" / "output.md"
    documented = set(re.findall(r"`([a-z0-9_.\[\]]+)`", documentation.read_text()))
    case = make_case("one file")
    report = case.report
    report.findings.add(kind=pb.RegionFinding.KIND_DOUBLED, label=1, view=pb.VIEW_ANTERIOR)
    missing = set(keys(document(case, report, warnings=("w",)))) - documented
    assert missing == set()
