"""The labels as a DICOM segmentation object (PS3.3 A.51) that lies on the source images."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from osteoserve_client.study import Study
from osteoserve_client.writing.colours import label_colours
from osteoserve_client.writing.dicom_source import DicomSource
from osteoserve_client.writing.privacy import no_values_in_warnings
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

MANUFACTURER = "Osteoserve"

#: Longest text of VR LO and CS (PS3.5 table 6.2-1).
LONG_STRING = 64

#: Added to the source's series number, so that the SEG sorts behind what the scanner made.
SERIES_OFFSET = 1000


def segmentation_object(
    study: Study, source: DicomSource, labels: npt.NDArray[np.uint8], model: pb.Model
) -> Segmentation:
    """Make the segmentation object.

    One segment per label of the model, numbered from 1 in the order of the labels' values; one
    without a voxel is described and has no frame. Frames without a voxel are left out, unless
    all are empty. Every source image is referenced, those without a frame too.

    Args:
        study: What was segmented, from DICOM.
        source: The study's headers, reduced.
        labels: (Z, Y, X) uint8, on the slices that ``study.datasets`` describe.
        model: Whose labels they are.
    """
    described = sorted(model.labels, key=lambda label: label.value)
    with no_values_in_warnings():
        return Segmentation(
            source_images=source.images,
            pixel_array=_frame_order(study, _segment_numbers(labels, described)),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=_descriptions(described, model),
            # highdicom would keep all frames as well, and complain.
            omit_empty_frames=bool(labels.any()),
            series_instance_uid=generate_uid(),
            series_number=SERIES_OFFSET + _series_number(study),
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=_long_string(model.name),
            software_versions=version("osteoserve"),
            # Type 1 (PS3.3 C.7.5.2); a program has none, and the digest tells models apart.
            device_serial_number=_long_string(model.digest),
            content_label="OSTEOSERVE",
            content_description="Automatic segmentation, not a medical device",
            series_description=_long_string(f"Osteoserve {model.name}"),
        )


def write_segmentation_object(
    path: Path,
    study: Study,
    source: DicomSource,
    labels: npt.NDArray[np.uint8],
    model: pb.Model,
) -> None:
    """Write ``skeleton.seg.dcm``; see `segmentation_object`.

    Raises:
        OSError: The file could not be written.
    """
    with no_values_in_warnings():
        segmentation_object(study, source, labels, model).save_as(path, enforce_file_format=True)


def _segment_numbers(
    labels: npt.NDArray[np.uint8], described: Sequence[pb.Label]
) -> npt.NDArray[np.uint8]:
    """Label values to segment numbers, which must run from 1 without a gap (PS3.3 C.8.20.2)."""
    if [label.value for label in described] == list(range(1, len(described) + 1)):
        return labels
    numbers = np.zeros(256, dtype=np.uint8)
    for number, label in enumerate(described, start=1):
        numbers[label.value] = number
    return numbers[labels]


def _frame_order(study: Study, numbers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """From the order of the volume's slices to that of a multi-frame source's frames."""
    if not study.frames or study.frames == tuple(range(1, len(study.frames) + 1)):
        return numbers
    frames = len(study.datasets[0].PerFrameFunctionalGroupsSequence)
    ordered = np.zeros((frames, *numbers.shape[1:]), dtype=np.uint8)
    ordered[np.array(study.frames) - 1] = numbers
    return ordered


def _descriptions(described: Sequence[pb.Label], model: pb.Model) -> list[SegmentDescription]:
    colours = label_colours(label.value for label in described)
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=_long_string(label.name),
            segmented_property_category=_code(label.category),
            segmented_property_type=_code(label.type),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=_algorithm(model),
            display_color=CIELabColor.from_rgb(*colours[label.value]),
        )
        for number, label in enumerate(described, start=1)
    ]


def _algorithm(model: pb.Model) -> AlgorithmIdentificationSequence:
    return AlgorithmIdentificationSequence(
        name=_long_string(model.name),
        family=codes.DCM.ArtificialIntelligence,
        version=_long_string(model.version),
        source=MANUFACTURER,
        parameters={"sha256": model.digest, "precision": model.precision},
    )


def _code(code: pb.Code) -> Code:
    return Code(code.value, code.scheme, code.meaning)


def _series_number(study: Study) -> int:
    number = study.datasets[0].get("SeriesNumber")
    return max(int(number), 0) if number is not None else 0


def _long_string(text: str) -> str:
    return text[:LONG_STRING]
