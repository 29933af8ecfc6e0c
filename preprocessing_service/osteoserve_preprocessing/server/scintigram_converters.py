"""Between the messages of SegmentScintigram and the service's own types."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from osteoserve_preprocessing.core.region_maps import Finding, RegionFinding, RegionMeasure
from osteoserve_preprocessing.core.regions import Region
from osteoserve_preprocessing.errors import OptionError, ScintigramError
from osteoserve_preprocessing.server.converters import (
    known,
    model_message,
    progress_message,
    stage_messages,
)
from osteoserve_preprocessing.server.exchange import (
    Progress,
    ScintigramAnswer,
    ScintigramRequest,
)
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames

VIEWS = {pb.VIEW_ANTERIOR: "anterior", pb.VIEW_POSTERIOR: "posterior"}
_VIEW_MESSAGES = {name: number for number, name in VIEWS.items()}
_SIDE_MESSAGES = {"": pb.SIDE_UNSPECIFIED, "left": pb.SIDE_LEFT, "right": pb.SIDE_RIGHT}
_FINDING_MESSAGES = {
    Finding.MISSING: pb.RegionFinding.KIND_MISSING,
    Finding.DOUBLED: pb.RegionFinding.KIND_DOUBLED,
}

#: Yu 2023, section 2.4.
RETRY_BRIGHTNESS = 2.5
LEAST_SCORE = 0.5


def scintigram_request(header: pb.SegmentScintigramHeader) -> ScintigramRequest:
    """Unpack and check a header.

    Raises:
        ScintigramError: There is no view, one is there twice, or the pixel spacing is impossible.
        OptionError: An option or enumeration has a value that is not documented, or the element
            type is not that of counts.
    """
    scan, options = header.scintigram, header.options
    if scan.element_type != pb.ELEMENT_TYPE_UINT16:
        raise OptionError("element_type must be ELEMENT_TYPE_UINT16: counts")
    views = tuple(known(VIEWS, view, "view") for view in scan.views)
    if not views or len(set(views)) < len(views):
        raise ScintigramError("views must be anterior, posterior or both, each once")
    request = ScintigramRequest(
        views=views,
        image_shape=(scan.rows, scan.columns),
        pixel_spacing_mm=_spacing(tuple(scan.pixel_spacing)),
        model=header.model,
        brightness=options.brightness if options.HasField("brightness") else 1.0,
        retry_brightness=(
            options.retry_brightness if options.HasField("retry_brightness") else RETRY_BRIGHTNESS
        ),
        least_score=options.least_score if options.HasField("least_score") else LEAST_SCORE,
        views_confirmed=options.views_confirmed,
    )
    _check_options(request)
    return request


def _spacing(stated: tuple[float, ...]) -> tuple[float, float] | None:
    if not stated:
        return None
    if len(stated) != 2 or not all(0 < mm < math.inf for mm in stated):
        raise ScintigramError(f"pixel_spacing must be two lengths above 0 mm, not {stated}")
    return stated[0], stated[1]


def _check_options(request: ScintigramRequest) -> None:
    if not 0 < request.brightness < math.inf:
        raise OptionError(f"brightness must be above 0, not {request.brightness}")
    if not 0 <= request.retry_brightness < math.inf:
        raise OptionError(f"retry_brightness must be 0 or above, not {request.retry_brightness}")
    if not 0 < request.least_score <= 1:
        raise OptionError(f"least_score must lie in 0..1, above 0, not {request.least_score}")


def scintigram_progress(progress: Progress) -> pb.SegmentScintigramResponse:
    """Progress as a response of SegmentScintigram."""
    return pb.SegmentScintigramResponse(progress=progress_message(progress))


def scintigram_responses(
    answer: ScintigramAnswer, *, chunk_bytes: int, request_id: str = ""
) -> Iterator[pb.SegmentScintigramResponse]:
    """The messages of an answer to SegmentScintigram: header, chunks, trailer."""
    yield pb.SegmentScintigramResponse(
        header=pb.SegmentScintigramResultHeader(
            scintigram=_header(answer.request), report=_report(answer, request_id)
        )
    )
    for frame in frames(answer.maps.labels, answer.maps.numbers, chunk_bytes=chunk_bytes):
        yield (
            pb.SegmentScintigramResponse(chunk=frame)
            if isinstance(frame, bytes)
            else pb.SegmentScintigramResponse(trailer=frame)
        )


def _header(request: ScintigramRequest) -> pb.ScintigramHeader:
    rows, columns = request.image_shape
    return pb.ScintigramHeader(
        rows=rows,
        columns=columns,
        views=[_VIEW_MESSAGES[view] for view in request.views],
        pixel_spacing=request.pixel_spacing_mm or (),
        element_type=pb.ELEMENT_TYPE_UINT16,
    )


def _report(answer: ScintigramAnswer, request_id: str) -> pb.ScintigramReport:
    rows, columns = answer.kept
    numbered = enumerate(zip(answer.regions, answer.measures, strict=True), start=1)
    return pb.ScintigramReport(
        model=model_message(answer.contract, ready=True),
        preprocessing=pb.ScintigramPreprocessing(
            brightness=answer.brightness,
            white_counts=answer.white,
            first_row=rows.start,
            end_row=rows.stop,
            first_column=columns.start,
            end_column=columns.stop,
            total_counts=answer.total_counts,
        ),
        regions=[region_message(n, region, measure) for n, (region, measure) in numbered],
        findings=[_finding_message(finding) for finding in answer.findings],
        warnings=answer.warnings,
        stages=stage_messages(answer.stages),
        input_sha256=answer.input_sha256,
        service_version=answer.service_version,
        request_id=request_id,
    )


def region_message(number: int, region: Region, measure: RegionMeasure) -> pb.Region:
    """Pack a region and its measures."""
    rows, columns = (np.flatnonzero(region.mask.any(axis=axis)) for axis in (1, 0))
    cut = region.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return pb.Region(
        number=number,
        label=region.label,
        view=_VIEW_MESSAGES[region.view],
        side=_SIDE_MESSAGES[region.side],
        score=region.score,
        box=region.box,
        mask=pb.RegionMask(
            first_row=rows[0],
            first_column=columns[0],
            rows=cut.shape[0],
            columns=cut.shape[1],
            bits=np.packbits(cut).tobytes(),
        ),
        pixels=measure.pixels,
        square_millimetres=measure.square_millimetres,
        mean_counts=measure.mean_counts,
        max_counts=measure.max_counts,
    )


def _finding_message(finding: RegionFinding) -> pb.RegionFinding:
    return pb.RegionFinding(
        kind=_FINDING_MESSAGES[finding.finding],
        label=finding.label,
        view=_VIEW_MESSAGES[finding.view],
        side=_SIDE_MESSAGES[finding.side],
    )
