"""What a segmentation object takes over from a CT: references, places, patient and study.

From each source image only what a segmentation object needs is carried over (`source_headers`).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.study import Study
from osteoserve_client.writing.output_names import SEGMENTATION_OBJECT
from osteoserve_client.writing.source_headers import (
    SERIES_UIDS,
    DicomSource,
    common_headers,
    instances_of,
    patient_and_study,
    stated,
)

#: Bind a segmentation object to study, series and space of its source.
UIDS = (*SERIES_UIDS, "FrameOfReferenceUID")


def check_references(study: Study) -> None:
    """Refuse a study to whose slices a segmentation object could not refer.

    Raises:
        MissingAttributeError: A slice has no SOP Instance UID of its own.
    """
    instances_of(study.datasets, "slice")


def dicom_source(study: Study) -> DicomSource:
    """Reduce a study's headers to what a segmentation object takes over.

    Raises:
        MissingAttributeError: A slice has no SOP Instance UID of its own, so that a segmentation
            object could not refer to it.
    """
    with silenced_libraries():
        return _reduced(study)


def _reduced(study: Study) -> DicomSource:
    first = study.datasets[0]
    instances = instances_of(study.datasets, "slice")
    common, uid_warnings = common_headers(first, instances, UIDS, SEGMENTATION_OBJECT)
    common.SOPClassUID = _sop_class(first)
    common.PositionReferenceIndicator = None
    patient, patient_warnings = patient_and_study(first, SEGMENTATION_OBJECT)
    orientation = None if study.frames else first.ImageOrientationPatient
    images: list[Dataset] = []
    for source, instance in zip(study.datasets, instances, strict=True):
        image = Dataset()
        image.update(common)
        image.SOPInstanceUID = instance
        image.update({} if images else patient)
        image.update(_frames(source) if study.frames else _plane(source, orientation))
        if not image.get("SliceThickness") and not study.frames:
            image.SliceThickness = study.volume.geometry.spacing[0]
        images.append(image)
    return DicomSource(tuple(images), (*uid_warnings, *patient_warnings))


def _sop_class(first: Dataset) -> str:
    """The source's SOP class; what a CT image's must be, where none is stated."""
    multi_frame = "PerFrameFunctionalGroupsSequence" in first
    expected = EnhancedCTImageStorage if multi_frame else CTImageStorage
    return stated(first, "SOPClassUID", "MediaStorageSOPClassUID") or expected


def _plane(source: Dataset, orientation: Any) -> Dataset:
    """Place of one single-frame image, its numbers as the source writes them."""
    plane = Dataset()
    plane.ImagePositionPatient = source.ImagePositionPatient
    # highdicom compares orientations to the last decimal; reading has found them to agree.
    plane.ImageOrientationPatient = orientation
    plane.PixelSpacing = source.PixelSpacing
    plane.SliceThickness = source.get("SliceThickness")
    return plane


def _frames(source: Dataset) -> Dataset:
    """Places of the frames of a multi-frame image, its numbers as the source writes them."""
    shared = source.SharedFunctionalGroupsSequence[0]
    per_frame = source.PerFrameFunctionalGroupsSequence
    # Orientation and spacing may stand per frame; reading has found them to agree.
    groups = Dataset()
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        # Copied, for highdicom adds what it works out to the items that it is given.
        groups[keyword] = deepcopy((shared if keyword in shared else per_frame[0])[keyword])
    frames = Dataset()
    frames.NumberOfFrames = len(per_frame)
    frames.SharedFunctionalGroupsSequence = [groups]
    frames.PerFrameFunctionalGroupsSequence = [_position(frame) for frame in per_frame]
    return frames


def _position(frame: Dataset) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = deepcopy(frame.PlanePositionSequence)
    return groups
