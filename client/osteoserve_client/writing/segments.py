"""A model's labels as segments, and the segmentation object that holds them (PS3.3 A.51)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

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
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from osteoserve_client.writing.colours import label_colours
from osteoserve_client.writing.privacy import no_values_in_warnings
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

MANUFACTURER = "Osteoserve"

#: Longest text of VR LO and CS (PS3.5 table 6.2-1).
LONG_STRING = 64

#: Added to the source's series number, so that the SEG sorts behind what the scanner made.
SERIES_OFFSET = 1000

#: The patient's side, where a label's name says one (PS3.16 CID 244).
LATERALITY = {"right": Code("24028007", "SCT", "Right"), "left": Code("7771000", "SCT", "Left")}


def segmentation_of(
    images: Sequence[Dataset],
    labels: npt.NDArray[np.uint8],
    model: pb.Model,
    *,
    series_number: int,
    further_images: Sequence[Dataset] = (),
) -> Segmentation:
    """Make a segmentation object.

    One segment per label of the model, numbered from 1 in the order of the labels' values; one
    without a pixel is described and has no frame. Frames without a pixel are left out, unless
    all are empty.

    Args:
        images: The source, as highdicom takes it: single frames, or one multi-frame image.
        labels: (F, Y, X) uint8, on the frames of the source.
        model: Whose labels they are.
        series_number: The source's.
        further_images: To be referenced too.
    """
    described = sorted(model.labels, key=lambda label: label.value)
    with no_values_in_warnings():
        return Segmentation(
            source_images=images,
            pixel_array=_segment_numbers(labels, described),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=_descriptions(described, model),
            # highdicom would keep all frames as well, and complain.
            omit_empty_frames=bool(labels.any()),
            series_instance_uid=generate_uid(),
            series_number=SERIES_OFFSET + max(series_number, 0),
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
            further_source_images=list(further_images) or None,
        )


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


def _descriptions(described: Sequence[pb.Label], model: pb.Model) -> list[SegmentDescription]:
    colours = label_colours(label.value for label in described)
    descriptions = [
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
    for description, label in zip(descriptions, described, strict=True):
        _state_side(description, label.name)
    return descriptions


def _state_side(description: SegmentDescription, name: str) -> None:
    """Segmented Property Type Modifier Code Sequence (PS3.3 C.8.20.2)."""
    words = name.lower().replace("_", " ").split()
    sides = [code for side, code in LATERALITY.items() if side in words]
    if len(sides) == 1:
        (kind,) = description.SegmentedPropertyTypeCodeSequence
        kind.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept.from_code(sides[0])]


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


def _long_string(text: str) -> str:
    return text[:LONG_STRING]
