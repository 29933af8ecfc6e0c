"""The labels of a bone scan as one DICOM segmentation object on the frames of its files.

highdicom takes, of images without a place in the patient, a single frame. So each frame becomes a
segmentation object of its own, and their frames are put into one, told apart by Frame Label
(PS3.3 C.7.6.16.2.2), which is made for dimensions that are no place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from highdicom.seg import Segmentation
from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.pixels.utils import pack_bits
from pydicom.uid import SecondaryCaptureImageStorage

from osteoserve_client.scintigram import Scintigram
from osteoserve_client.writing.privacy import no_values_in_warnings
from osteoserve_client.writing.scintigraphy.stored_frames import StoredFrame, stored_frames
from osteoserve_client.writing.segments import segmentation_of
from osteoserve_client.writing.source_headers import DicomSource, series_number
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def write_regions_object(
    path: Path,
    scan: Scintigram,
    source: DicomSource,
    labels: npt.NDArray[np.uint8],
    model: pb.Model,
) -> None:
    """Write ``regions.seg.dcm``.

    One segment per label of the model, as of a CT. A frame of it covers the whole stored frame,
    and refers to its file and, where its SOP class has frames, to the frame's number. Every file
    is referenced.

    Args:
        path: Where.
        scan: What was segmented, from DICOM.
        source: The scan's headers, reduced.
        labels: (V, Y, X) uint8, on the views.
        model: Whose labels they are.

    Raises:
        OSError: The file could not be written.
    """
    frames = stored_frames(scan, labels)
    shown = [frame for frame in frames if frame.labels.any()] or frames
    parts = [_single(scan, source, frame, model) for frame in shown]
    with no_values_in_warnings():
        whole = _together(parts, [" AND ".join(frame.views).upper() for frame in shown])
        _state_sop_classes(whole, source)
        whole.save_as(path, enforce_file_format=True)


def _single(
    scan: Scintigram, source: DicomSource, frame: StoredFrame, model: pb.Model
) -> Segmentation:
    image, *others = _first(source.images, frame.file)
    header = scan.datasets[frame.file]
    part = segmentation_of(
        [_as_single_frame(image)],
        frame.labels[np.newaxis],
        model,
        series_number=series_number(header),
        further_images=[_as_single_frame(other) for other in others],
    )
    # Of a class with many frames also where there is one: readers that look frames up find it.
    several = int(header.get("NumberOfFrames") or 1) > 1
    if several or image.SOPClassUID != SecondaryCaptureImageStorage:
        for reference in _derivations(part):
            reference.ReferencedFrameNumber = frame.frame
    return part


def _first(images: tuple[Dataset, ...], file: int) -> tuple[Dataset, ...]:
    return (images[file], *images[:file], *images[file + 1 :])


def _as_single_frame(image: Dataset) -> Dataset:
    """The image as of a class that has one frame: of others highdicom wants functional groups."""
    single = Dataset()
    single.update(image)
    # A new element: both data sets share theirs.
    single["SOPClassUID"] = DataElement("SOPClassUID", "UI", SecondaryCaptureImageStorage)
    return single


def _together(parts: list[Segmentation], names: list[str]) -> Segmentation:
    """Put the frames of all parts into the first, by segment, then by source frame."""
    frames = []
    for n, (part, name) in enumerate(zip(parts, names, strict=True), start=1):
        pixels = part.pixel_array.reshape(-1, part.Rows, part.Columns)
        for group, plane in zip(part.PerFrameFunctionalGroupsSequence, pixels, strict=True):
            (content,) = group.FrameContentSequence
            segment = int(np.atleast_1d(content.DimensionIndexValues)[0])
            content.DimensionIndexValues = [segment, n]
            content.FrameLabel = name
            frames.append(((segment, n), group, plane))
    frames.sort(key=lambda frame: frame[0])
    whole = parts[0]
    # Type 2C (PS3.3 C.7.6.1), and two views have no one orientation: the source's frames tell.
    whole.PatientOrientation = None
    whole.PerFrameFunctionalGroupsSequence = [group for _, group, _ in frames]
    whole.NumberOfFrames = len(frames)
    whole.PixelData = pack_bits(np.stack([plane for _, _, plane in frames]))
    whole.DimensionIndexSequence.append(_frame_label_dimension(whole))
    return whole


def _frame_label_dimension(whole: Segmentation) -> Dataset:
    dimension = Dataset()
    dimension.DimensionOrganizationUID = whole.DimensionIndexSequence[0].DimensionOrganizationUID
    dimension.DimensionIndexPointer = tag_for_keyword("FrameLabel")
    dimension.FunctionalGroupPointer = tag_for_keyword("FrameContentSequence")
    dimension.DimensionDescriptionLabel = "Frame Label"
    return dimension


def _derivations(seg: Segmentation) -> Iterator[Dataset]:
    for group in seg.PerFrameFunctionalGroupsSequence:
        yield from group.DerivationImageSequence[0].SourceImageSequence


def _state_sop_classes(whole: Segmentation, source: DicomSource) -> None:
    """Name the files' own SOP classes wherever they are referred to."""
    classes = {image.SOPInstanceUID: image.SOPClassUID for image in source.images}
    references = [*_derivations(whole), *whole.SourceImageSequence]
    for series in whole.ReferencedSeriesSequence:
        references.extend(series.ReferencedInstanceSequence)
    for reference in references:
        reference.ReferencedSOPClassUID = classes[reference.ReferencedSOPInstanceUID]
