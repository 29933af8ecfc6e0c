"""What was done to a bone scan, and what was found in it. Documented in docs/output.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from osteoserve_client.scintigram import Scintigram
from osteoserve_client.study import Json
from osteoserve_client.writing.report import envelope, optional
from osteoserve_client.writing.scintigraphy.region_names import (
    kind_of,
    label_names,
    side_of,
    view_of,
)
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def scintigram_report_document(
    scan: Scintigram,
    report: pb.ScintigramReport,
    *,
    created: datetime,
    outputs: Sequence[str],
    warnings: Sequence[str],
) -> dict[str, Json]:
    """Everything that ``report.json`` says of a bone scan; nothing of the patient.

    Args:
        scan: What was segmented.
        report: The service's.
        created: When the outputs were written.
        outputs: Names of the files of this run.
        warnings: Of writing, one line each.
    """
    names = label_names(report.model)
    return envelope(
        report,
        {
            "input": _input(scan, report),
            "preprocessing": _preprocessing(report.preprocessing),
            "regions": [_region(region, names[region.label]) for region in report.regions],
            "findings": [_finding(finding, names[finding.label]) for finding in report.findings],
        },
        created=created,
        outputs=outputs,
        warnings={"input": scan.warnings, "service": report.warnings, "output": warnings},
    )


def _input(scan: Scintigram, report: pb.ScintigramReport) -> dict[str, Json]:
    rows, columns = scan.views[0].counts.shape
    spacing = scan.pixel_spacing_mm
    totals = report.preprocessing.total_counts
    return {
        "source": scan.source,
        "modality": "NM",
        "shape_yx": [rows, columns],
        "spacing_yx_mm": None if spacing is None else list(spacing),
        "views": [
            {
                "view": view.view,
                "total_counts": total,
                "file": view.file + 1,
                "frame": view.frame,
                "first_column": view.first_column,
                "rows_reversed": view.rows_reversed,
                "columns_reversed": view.columns_reversed,
            }
            for view, total in zip(scan.views, totals, strict=True)
        ],
        "counts_sha256": report.input_sha256.hex(),
        "acquisition": dict(scan.description),
    }


def _preprocessing(preprocessing: pb.ScintigramPreprocessing) -> dict[str, Json]:
    return {
        "brightness": preprocessing.brightness,
        "white_counts": preprocessing.white_counts,
        "first_row": preprocessing.first_row,
        "end_row": preprocessing.end_row,
        "first_column": preprocessing.first_column,
        "end_column": preprocessing.end_column,
    }


def _region(region: pb.Region, name: str) -> dict[str, Json]:
    return {
        "number": region.number,
        "label": region.label,
        "region": name,
        "view": view_of(region),
        "side": side_of(region) or None,
        "score": region.score,
        "box_ltrb": list(region.box),
        "pixels": region.pixels,
        "area_mm2": optional(region, "square_millimetres"),
        "mean_counts": optional(region, "mean_counts"),
        "max_counts": optional(region, "max_counts"),
    }


def _finding(finding: pb.RegionFinding, name: str) -> dict[str, Json]:
    return {
        "kind": kind_of(finding),
        "label": finding.label,
        "region": name,
        "view": view_of(finding),
        "side": side_of(finding) or None,
    }
