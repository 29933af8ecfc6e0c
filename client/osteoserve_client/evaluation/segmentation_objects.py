"""Reads label maps from DICOM segmentation objects (PS3.3 A.51), one slice after the other.

A segmentation object may leave out the slices that hold nothing, so its frames form no grid:
each is placed by its own position.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from highdicom.seg import segread

from osteoserve_client.errors import LabelMapError, MissingAttributeError, UnreadableFileError
from osteoserve_client.evaluation.label_maps import LabelPlane, LabelPlanes, Names
from osteoserve_client.reading.discretion import refusing, silenced_libraries

LARGEST_LABEL: Final = 255


def read_segmentation_object(path: Path, name: str) -> LabelPlanes:
    """Read a segmentation object; a segment's number is the label's value.

    Args:
        path: A DICOM file.
        name: How messages call it.

    Raises:
        UnreadableFileError: It is damaged, or no segmentation object.
        MissingAttributeError: It does not say where its frames lie.
        LabelMapError: Its segments are shares (FRACTIONAL), or too many.
    """
    with silenced_libraries():
        with refusing(UnreadableFileError, f"{name}: is no DICOM segmentation that can be read"):
            segmentation: Any = segread(path)
            kind = str(segmentation.SegmentationType)
            numbers = [int(number) for number in segmentation.segment_numbers]
            names = {
                number: str(segmentation.get_segment_description(number).segment_label)
                for number in numbers
            }
        if kind not in ("BINARY", "LABELMAP"):
            raise LabelMapError(f"{name}: its segments are no masks but of type FRACTIONAL")
        if max(numbers, default=0) > LARGEST_LABEL:
            raise LabelMapError(f"{name}: has segments beyond number {LARGEST_LABEL}")
        with refusing(UnreadableFileError, f"{name}: its frames are truncated or damaged"):
            pixels = segmentation.pixel_array
        with refusing(
            MissingAttributeError,
            f"{name}: does not say where its frames lie, or of which segment they are",
        ):
            planes = tuple(_planes(segmentation, pixels, kind))
    return LabelPlanes(planes, _named(names))


def _planes(segmentation: Any, pixels: npt.NDArray[Any], kind: str) -> Iterator[LabelPlane]:
    rows, columns = int(segmentation.Rows), int(segmentation.Columns)
    frames = segmentation.PerFrameFunctionalGroupsSequence
    for groups, frame in zip(frames, pixels.reshape(-1, rows, columns), strict=True):
        affine = _affine(segmentation, groups)
        if kind == "BINARY":
            identification = _group(segmentation, groups, "SegmentIdentificationSequence")
            yield LabelPlane(int(identification.ReferencedSegmentNumber), frame != 0, affine)
            continue
        for value in np.unique(frame[frame != 0]).tolist():
            yield LabelPlane(int(value), frame == value, affine)


def _affine(segmentation: Any, groups: Any) -> npt.NDArray[np.float64]:
    """PS3.3 C.7.6.2.1.1, the third column a unit normal."""
    measures = _group(segmentation, groups, "PixelMeasuresSequence")
    cosines = _group(segmentation, groups, "PlaneOrientationSequence").ImageOrientationPatient
    position = _group(segmentation, groups, "PlanePositionSequence").ImagePositionPatient
    between_rows, between_columns = (float(mm) for mm in measures.PixelSpacing)
    along_row, along_column = np.array(cosines, dtype=np.float64).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along_row * between_columns, along_column * between_rows
    affine[:3, 2] = np.cross(along_row, along_column)
    affine[:3, 3] = np.array(position, dtype=np.float64)
    return affine


def _group(segmentation: Any, groups: Any, keyword: str) -> Any:
    """A functional group of one frame: its own, or the one that all frames share."""
    holder = groups if keyword in groups else segmentation.SharedFunctionalGroupsSequence[0]
    (item,) = holder[keyword].value
    return item


def _named(names: dict[int, str]) -> Names:
    return {number: " ".join(label.split()) for number, label in names.items() if label.strip()}
