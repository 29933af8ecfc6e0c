"""Takes the regions that ``osteoserve segment`` wrote of the same scan, in place of a service's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.errors import InputNotFoundError, ServiceError, UnreadableFileError
from osteoserve_client.reading.discretion import refusing
from osteoserve_client.reading.files import display_name
from osteoserve_client.scintigram import PlanarView, Scintigram
from osteoserve_client.service.options import VIEW_MESSAGES
from osteoserve_client.writing.output_names import NUMBER_IMAGES, REPORT
from osteoserve_client.writing.scintigraphy import check_scintigram_agreement
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames

Pixels = npt.NDArray[np.uint8]
_SIDES = {"left": pb.SIDE_LEFT, "right": pb.SIDE_RIGHT, None: pb.SIDE_UNSPECIFIED}


def read_earlier_regions(folder: Path, scan: Scintigram) -> tuple[Pixels, pb.ScintigramReport]:
    """Read ``report.json`` and the images of the regions' numbers, and hold them against the scan.

    Args:
        folder: Where ``osteoserve segment`` wrote them.
        scan: What they must be of.

    Returns:
        regions: (V, Y, X) uint8 on the scan's views, 0 or the number of a region.
        report: What the service said then, as far as the file holds it.

    Raises:
        InputNotFoundError: The folder does not hold them.
        UnreadableFileError: They are of another scan, changed since, or damaged.
    """
    path, name = folder / REPORT, display_name(folder / REPORT, folder)
    if not path.is_file():
        raise InputNotFoundError(f"there is no {name} in the folder of the regions")
    with refusing(UnreadableFileError, f"{name}: is no report on a segmented bone scan"):
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        report = _report(document)
        views = [view["view"] for view in document["input"]["views"]]
    if views != [view.view for view in scan.views] or report.input_sha256 != _sha256(scan):
        raise UnreadableFileError(f"{name}: is a report on another scan")
    regions = np.stack([_numbers(folder, view) for view in scan.views])
    table = np.zeros(256, dtype=np.uint8)
    for region in report.regions:
        table[region.number] = region.label
    try:
        check_scintigram_agreement(scan, table[regions], regions, report)
    except ServiceError as error:
        raise UnreadableFileError(f"{name} and the images beside it disagree: {error}") from error
    return regions, report


def _sha256(scan: Scintigram) -> bytes:
    """Of the counts as they are sent to a service."""
    return b"".join(f.sha256 for f in frames(scan.counts) if isinstance(f, pb.Trailer))


def _numbers(folder: Path, view: PlanarView) -> Pixels:
    name = NUMBER_IMAGES[view.view]
    if not (folder / name).is_file():
        raise InputNotFoundError(f"there is no {name} in the folder of the regions")
    with (
        refusing(UnreadableFileError, f"{name}: is no PNG image that can be read"),
        Image.open(folder / name, formats=("PNG",)) as image,
    ):
        stored = np.array(image) if image.size == view.counts.shape[::-1] else None
    if stored is None or stored.dtype != np.uint8 or stored.shape != view.counts.shape:
        raise UnreadableFileError(f"{name}: has not the size of the view, or is in colour")
    return view.as_stored(stored)


def _report(document: Any) -> pb.ScintigramReport:
    report = pb.ScintigramReport(
        model=_model(document["model"]),
        preprocessing=_preprocessing(document),
        regions=[_region(region) for region in document["regions"]],
        findings=[_finding(finding) for finding in document["findings"]],
        warnings=[one["text"] for one in document["warnings"] if one["from"] == "service"],
        input_sha256=bytes.fromhex(document["input"]["counts_sha256"]),
    )
    if document["software"]["service"]:
        report.service_version = document["software"]["service"]
    return report


def _model(model: Any) -> pb.Model:
    return pb.Model(
        name=model["name"],
        version=model["version"],
        digest=model["sha256"],
        precision=model["precision"],
        labels=[
            pb.Label(
                value=label["value"],
                name=label["name"],
                category=pb.Code(**label["category"]),
                type=pb.Code(**label["type"]),
            )
            for label in model["labels"]
        ],
    )


def _preprocessing(document: Any) -> pb.ScintigramPreprocessing:
    totals = [view["total_counts"] for view in document["input"]["views"]]
    return pb.ScintigramPreprocessing(**document["preprocessing"], total_counts=totals)


def _region(region: Any) -> pb.Region:
    return pb.Region(
        number=region["number"],
        label=region["label"],
        view=VIEW_MESSAGES[region["view"]],
        side=_SIDES[region["side"]],
        score=region["score"],
        box=region["box_ltrb"],
        pixels=region["pixels"],
        square_millimetres=region["area_mm2"],
        mean_counts=region["mean_counts"],
        max_counts=region["max_counts"],
    )


def _finding(finding: Any) -> pb.RegionFinding:
    return pb.RegionFinding(
        kind=f"KIND_{finding['kind'].upper()}",
        label=finding["label"],
        view=VIEW_MESSAGES[finding["view"]],
        side=_SIDES[finding["side"]],
    )
