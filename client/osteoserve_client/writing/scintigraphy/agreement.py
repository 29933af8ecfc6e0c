"""Holds an answer against itself and against the scan before anything of it is written."""

from __future__ import annotations

from math import isclose

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import ServiceError
from osteoserve_client.scintigram import Scintigram
from osteoserve_client.writing.scintigraphy.region_names import kind_of, label_names, view_of
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Which of a mean's or an area's digits may differ: it may have been summed in another order.
TOLERANCE = 1e-5

Pixels = npt.NDArray[np.uint8]


def check_scintigram_agreement(
    scan: Scintigram, labels: Pixels, regions: Pixels, report: pb.ScintigramReport
) -> None:
    """Refuse regions that are not those which the report speaks of.

    Raises:
        ServiceError: Wrong grid or type; labels that are not those of the regions; regions whose
            view, pixels, area or counts are not the reported ones; total counts of another scan.
    """
    shape = scan.counts.shape
    for name, array in (("label map", labels), ("region map", regions)):
        if array.dtype != np.uint8 or array.shape != shape:
            raise ServiceError(
                f"the {name} is {array.dtype} {array.shape}, the scan needs uint8 {shape}"
            )
    _check_numbers(labels, regions, report)
    _check_findings(scan, report)
    _check_preprocessing(scan, report)
    for region in report.regions:
        _check_region(scan, regions == region.number, region)


def _check_numbers(labels: Pixels, regions: Pixels, report: pb.ScintigramReport) -> None:
    known = label_names(report.model)
    numbers = [region.number for region in report.regions]
    if len(set(numbers)) < len(numbers) or not all(0 < number < 256 for number in numbers):
        raise ServiceError("the regions of the report have no numbers of their own")
    labelled = {region.label for region in report.regions}
    labelled |= {finding.label for finding in report.findings}
    if not labelled <= set(known):
        raise ServiceError("the report speaks of labels that the model does not have")
    if not set(np.unique(regions).tolist()) <= {0, *numbers}:
        raise ServiceError("the region map holds regions of which the report does not speak")
    table = np.zeros(256, dtype=np.uint8)
    for region in report.regions:
        table[region.number] = region.label
    if not np.array_equal(table[regions], labels):
        raise ServiceError("the labels are not those of the regions")


def _check_findings(scan: Scintigram, report: pb.ScintigramReport) -> None:
    views = {view.view for view in scan.views}
    if not all(kind_of(finding) and view_of(finding) in views for finding in report.findings):
        raise ServiceError("the report finds something in a view that the scan does not have")


def _check_preprocessing(scan: Scintigram, report: pb.ScintigramReport) -> None:
    totals = [int(view.counts.sum(dtype=np.int64)) for view in scan.views]
    if totals != list(report.preprocessing.total_counts):
        raise ServiceError("the report's total counts are not those of the scan's views")
    if not report.preprocessing.white_counts * report.preprocessing.brightness > 0:
        raise ServiceError("the report does not say how counts became grey")


def _check_region(scan: Scintigram, chosen: npt.NDArray[np.bool_], region: pb.Region) -> None:
    views: list[str] = [view.view for view in scan.views]
    if view_of(region) not in views:
        raise ServiceError(f"region {region.number} lies in a view that the scan does not have")
    own = chosen[views.index(view_of(region))]
    pixels = int(np.count_nonzero(own))
    if pixels != np.count_nonzero(chosen):
        raise ServiceError(f"region {region.number} does not lie in its view alone")
    if len(region.box) != 4:
        raise ServiceError(f"region {region.number} has no box")
    counts = scan[view_of(region)].counts[own]
    measured = {
        "square_millimetres": _area(scan, pixels),
        "mean_counts": float(counts.mean(dtype=np.float64)) if pixels else None,
        "max_counts": int(counts.max()) if pixels else None,
    }
    reported = {
        field: getattr(region, field) if region.HasField(field) else None for field in measured
    }
    if pixels != region.pixels or any(
        not _agree(measured[field], reported[field]) for field in measured
    ):
        raise ServiceError(
            f"region {region.number} does not hold the pixels and counts that its report says"
        )


def _area(scan: Scintigram, pixels: int) -> float | None:
    if scan.pixel_spacing_mm is None:
        return None
    rows, columns = scan.pixel_spacing_mm
    return pixels * rows * columns


def _agree(measured: float | None, reported: float | None) -> bool:
    if measured is None or reported is None:
        # Of no pixels an area of nothing may be stated or left out.
        return not measured and not reported
    return isclose(measured, reported, rel_tol=TOLERANCE)
