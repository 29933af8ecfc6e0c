"""Between protobuf messages and the service's own types; protobuf stops here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from osteoserve_preprocessing.core import LabelMeasure, Normalisation, StretcherMethod
from osteoserve_preprocessing.errors import OptionError, UploadError
from osteoserve_preprocessing.inference.contract import (
    Modality,
    ModelContract,
    SegmentationContract,
)
from osteoserve_preprocessing.inference.labels import Code
from osteoserve_preprocessing.server.exchange import (
    PreprocessedAnswer,
    PreprocessingSummary,
    Progress,
    SegmentedAnswer,
    Stage,
    VolumeRequest,
)
from osteoserve_preprocessing.server.stages import StageTime
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import (
    frames,
    geometry_from_message,
    geometry_to_message,
)

Value = TypeVar("Value")

MODALITIES: dict[int, Modality] = {pb.MODALITY_CT: "CT", pb.MODALITY_NM: "NM"}
STRETCHERS = {
    pb.STRETCHER_METHOD_UNSPECIFIED: StretcherMethod.BODY,
    pb.STRETCHER_METHOD_NONE: StretcherMethod.NONE,
    pb.STRETCHER_METHOD_MILARA: StretcherMethod.MILARA,
    pb.STRETCHER_METHOD_BODY: StretcherMethod.BODY,
}
NORMALISATIONS = {
    pb.NORMALISATION_UNSPECIFIED: None,
    pb.NORMALISATION_INTERPATIENT: Normalisation.INTERPATIENT,
    pb.NORMALISATION_INPATIENT: Normalisation.INPATIENT,
}
_MODALITY_MESSAGES = {"CT": pb.MODALITY_CT, "NM": pb.MODALITY_NM}
_STRETCHER_MESSAGES = {value: key for key, value in STRETCHERS.items() if key}
_NORMALISATION_MESSAGES = {value: key for key, value in NORMALISATIONS.items() if key}
_STAGE_MESSAGES = {
    Stage.QUEUED: pb.Progress.STAGE_QUEUED,
    Stage.RECEIVING: pb.Progress.STAGE_RECEIVING,
    Stage.PREPROCESSING: pb.Progress.STAGE_PREPROCESSING,
    Stage.INFERENCE: pb.Progress.STAGE_INFERENCE,
}


def volume_request(header: pb.SegmentHeader | pb.PreprocessHeader) -> VolumeRequest:
    """Unpack and check a header.

    Raises:
        GeometryError: The grid is impossible.
        OptionError: An enumeration has a value that is not documented, or the element type is
            not that of the modality.
    """
    volume, options = header.volume, header.options
    if volume.element_type != pb.ELEMENT_TYPE_INT16:
        raise OptionError("element_type must be ELEMENT_TYPE_INT16: HU")
    return VolumeRequest(
        geometry=geometry_from_message(volume.geometry),
        modality=known(MODALITIES, volume.modality, "modality"),
        model=header.model,
        stretcher=known(STRETCHERS, options.stretcher, "stretcher"),
        normalisation=known(NORMALISATIONS, options.normalisation, "normalisation"),
        clip_femur_to_head=options.clip_femur_to_head,
    )


def known(table: dict[Any, Value], number: int, name: str) -> Value:
    """What a number of an enumeration stands for.

    Raises:
        OptionError: It stands for nothing.
    """
    if number not in table:
        raise OptionError(f"{name} has no value {number}")
    return table[number]


def header_of(message: Any) -> Any:
    """The header in the first message of a stream.

    Raises:
        UploadError: The first message is something else.
    """
    kind = message.WhichOneof("payload")
    if kind != "header":
        raise UploadError(f"a stream begins with its header, not with {kind or 'nothing'}")
    return message.header


def progress_message(progress: Progress) -> pb.Progress:
    """Pack progress."""
    return pb.Progress(
        stage=_STAGE_MESSAGES[progress.stage], done=progress.done, total=progress.total
    )


def segment_progress(progress: Progress) -> pb.SegmentResponse:
    """Progress as a response of Segment."""
    return pb.SegmentResponse(progress=progress_message(progress))


def preprocess_progress(progress: Progress) -> pb.PreprocessResponse:
    """Progress as a response of Preprocess."""
    return pb.PreprocessResponse(progress=progress_message(progress))


def segment_responses(
    answer: SegmentedAnswer, *, chunk_bytes: int, request_id: str = ""
) -> Iterator[pb.SegmentResponse]:
    """The messages of an answer to Segment: header, chunks unless labels are shared, trailer."""
    yield pb.SegmentResponse(
        header=pb.SegmentResultHeader(
            geometry=geometry_to_message(answer.geometry),
            report=_segment_report(answer, request_id),
        )
    )
    if answer.labels_shared:
        yield pb.SegmentResponse(trailer=pb.Trailer(byte_count=answer.labels.nbytes))
        return
    for frame in frames(answer.labels, chunk_bytes=chunk_bytes):
        yield (
            pb.SegmentResponse(chunk=frame)
            if isinstance(frame, bytes)
            else pb.SegmentResponse(trailer=frame)
        )


def preprocess_responses(
    answer: PreprocessedAnswer, *, chunk_bytes: int
) -> Iterator[pb.PreprocessResponse]:
    """The messages of an answer to Preprocess: header, chunks, trailer."""
    yield pb.PreprocessResponse(
        header=pb.PreprocessResultHeader(
            geometry=geometry_to_message(answer.geometry),
            report=_preprocessing_report(answer.summary),
        )
    )
    mask = answer.stretcher_mask.view(np.uint8)
    for frame in frames(answer.slices, mask, chunk_bytes=chunk_bytes):
        yield (
            pb.PreprocessResponse(chunk=frame)
            if isinstance(frame, bytes)
            else pb.PreprocessResponse(trailer=frame)
        )


def _segment_report(answer: SegmentedAnswer, request_id: str) -> pb.SegmentReport:
    return pb.SegmentReport(
        model=model_message(answer.contract, ready=True),
        preprocessing=_preprocessing_report(answer.summary),
        labels=[_measure_message(measure) for measure in answer.measures],
        stages=stage_messages(answer.stages),
        input_sha256=answer.input_sha256,
        service_version=answer.service_version,
        request_id=request_id,
    )


def _preprocessing_report(summary: PreprocessingSummary) -> pb.PreprocessingReport:
    stretcher = summary.stretcher
    return pb.PreprocessingReport(
        stretcher=pb.StretcherReport(
            method=_STRETCHER_MESSAGES[stretcher.method],
            removed_voxels=stretcher.removed_voxels,
            removed_ml=stretcher.removed_ml,
            caution=stretcher.caution,
        ),
        window_hu=(summary.window.lower, summary.window.upper),
        normalisation=_NORMALISATION_MESSAGES[summary.normalisation],
        clip_first=summary.clip.start,
        clip_end=summary.clip.stop,
        warnings=summary.warnings,
    )


def stage_messages(stages: Iterable[StageTime]) -> list[pb.StageTime]:
    """Pack wall times."""
    return [pb.StageTime(stage=time.stage, seconds=time.seconds) for time in stages]


def _measure_message(measure: LabelMeasure) -> pb.LabelMeasure:
    return pb.LabelMeasure(
        value=measure.value,
        name=measure.name,
        voxels=measure.voxels,
        millilitres=measure.millilitres,
        mean_hu=measure.mean_hu,
        sd_hu=measure.sd_hu,
        first_slice=measure.first_slice,
        last_slice=measure.last_slice,
    )


def model_message(contract: ModelContract, *, ready: bool) -> pb.Model:
    """Pack a model's contract; what only segmentation has stays unset for another task."""
    message = pb.Model(
        name=contract.name,
        version=contract.version,
        modality=_MODALITY_MESSAGES[contract.modality],
        labels=[
            pb.Label(
                value=label.value,
                name=label.name,
                category=_code_message(label.category),
                type=_code_message(label.type),
            )
            for label in contract.labels
        ],
        digest=contract.digest,
        precision=contract.answered_in,
        ready=ready,
        input=contract.input_name,
        max_batch=contract.max_batch,
    )
    if isinstance(contract, SegmentationContract):
        message.window_hu.extend((contract.window.lower, contract.window.upper))
        message.normalisation = _NORMALISATION_MESSAGES[contract.normalisation]
        message.pixel_spacing_mm = contract.pixel_spacing_mm
        message.pixel_spacing_range_mm.extend(contract.pixel_spacing_range_mm)
        message.output = contract.output_name
        message.size_multiple = contract.size_multiple
    return message


def _code_message(code: Code) -> pb.Code:
    return pb.Code(value=code.value, scheme=code.scheme, meaning=code.meaning)
