"""The slices of an enhanced multi-frame CT: each frame's attributes, from functional groups.

Enhanced and Legacy Converted Enhanced CT (PS3.3 A.38 and A.70) state position, orientation,
spacing and rescale in items of the Per-frame or the Shared Functional Groups Sequence.
"""

from __future__ import annotations

from pydicom import Dataset

from osteoserve_client.errors import (
    DerivedImageError,
    MissingAttributeError,
    MissingRescaleError,
    PixelDataError,
)
from osteoserve_client.reading.dicom.attributes import integer, item, text, texts, values
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.kinds import check_image_type
from osteoserve_client.reading.dicom.slices import Slice, SliceHeaders, slice_from
from osteoserve_client.reading.discretion import refusing


def multi_frame_slices(file: DicomFile) -> list[Slice]:
    """The slices of a multi-frame file, in the order of its frames.

    Raises:
        InputError: A frame lacks what a slice must have, is no slice, or the number of frames
            and of functional groups differ.
    """
    with refusing(MissingAttributeError, f"{file.name}: its functional groups cannot be read"):
        if file.dataset.get("ConcatenationUID"):
            raise PixelDataError(
                f"{file.name}: is one part of a concatenation; join the parts first"
            )
        frames = values(file.dataset, "PerFrameFunctionalGroupsSequence", file.name)
        declared = integer(file.dataset, "NumberOfFrames", file.name)
        if not frames or len(frames) != declared:
            raise PixelDataError(
                f"{file.name}: declares {declared} frames and describes {len(frames)}"
            )
        shared = item(file.dataset, "SharedFunctionalGroupsSequence", file.name) or Dataset()
        return [
            _frame_slice(file, index, groups, shared)
            for index, groups in enumerate(frames)
            if isinstance(groups, Dataset)
        ]


def _frame_slice(file: DicomFile, index: int, per_frame: Dataset, shared: Dataset) -> Slice:
    name = f"{file.name}, frame {index + 1}"

    def group(keyword: str) -> Dataset:
        # PS3.3 C.7.6.16.1.1: a macro stands in one of the two, never in both.
        return item(per_frame, keyword, name) or item(shared, keyword, name) or Dataset()

    _check_frame_type(group("CTImageFrameTypeSequence"), name)
    rescale = group("PixelValueTransformationSequence")
    if not rescale:
        raise MissingRescaleError(f"{name}: has no Pixel Value Transformation: no unit")
    headers = SliceHeaders(
        position=group("PlanePositionSequence"),
        orientation=group("PlaneOrientationSequence"),
        measures=group("PixelMeasuresSequence"),
        rescale=rescale,
        acquisition=group("CTAcquisitionDetailsSequence"),
    )
    return slice_from(headers, file, index, name)


def _check_frame_type(frame_type: Dataset, name: str) -> None:
    check_image_type(texts(frame_type, "FrameType", name), name)
    # PS3.3 C.8.16.2.1.2: SAMPLED are projections, DISTORTED are curved reformats.
    if text(frame_type, "VolumetricProperties", name).upper() in ("SAMPLED", "DISTORTED"):
        raise DerivedImageError(f"{name}: is a projection or curved reformat, not a slice")
