"""Reads hot spots from DICOM segmentation objects (PS3.3 A.51), by the frames they refer to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from highdicom.seg import segread

from osteoserve_client.bone_scan_index.planes import Placed, place_frame
from osteoserve_client.errors import HotSpotsError, UnreadableFileError
from osteoserve_client.reading.discretion import refusing, silenced_libraries
from osteoserve_client.scintigram import Scintigram

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SegmentationObject:
    """Hot spots of a segmentation object.

    Args:
        masks: Views with (Y, X) bool on their grids; of the views of every image that the object
            refers to, for frames in which nothing is hot may be left out.
        segments: The segments that were united.
    """

    masks: tuple[Placed, ...]
    segments: tuple[int, ...]


def read_segmentation(
    path: Path, name: str, scan: Scintigram, *, segments: Sequence[int]
) -> SegmentationObject:
    """Read a segmentation object of this very scan.

    Args:
        path: A DICOM file.
        name: How messages call it.
        scan: What it must refer to.
        segments: Which segments; all where none is named.

    Raises:
        UnreadableFileError: It is damaged, or no segmentation object.
        HotSpotsError: It refers to another image or does not say to which frame, has shares in
            place of masks, lacks a segment, or has another size.
    """
    if not scan.datasets:
        raise HotSpotsError(
            f"{name}: a segmentation object belongs to DICOM images, the scan is none"
        )
    with silenced_libraries():
        with refusing(UnreadableFileError, f"{name}: is no DICOM segmentation that can be read"):
            seg: Any = segread(path)
            kind = str(seg.SegmentationType)
            present = tuple(int(number) for number in seg.segment_numbers)
        if kind not in ("BINARY", "LABELMAP"):
            raise HotSpotsError(f"{name}: its segments are no masks but of type {kind}")
        chosen = _chosen(present, segments, name)
        files = {str(dataset.SOPInstanceUID): n for n, dataset in enumerate(scan.datasets)}
        with refusing(UnreadableFileError, f"{name}: its frames are truncated or damaged"):
            pixels = seg.pixel_array.reshape(-1, int(seg.Rows), int(seg.Columns))
        with refusing(HotSpotsError, f"{name}: does not say to which image its frames belong"):
            masks = tuple(_placed(seg, pixels, files, chosen, scan, name))
    return SegmentationObject(masks, chosen)


def _chosen(present: tuple[int, ...], wanted: Sequence[int], name: str) -> tuple[int, ...]:
    absent = sorted(set(wanted) - set(present))
    if absent:
        has = ", ".join(str(number) for number in present)
        raise HotSpotsError(f"{name}: has no segment {absent[0]}, but {has}")
    return tuple(sorted(set(wanted))) or present


def _placed(
    seg: Any,
    pixels: npt.NDArray[Any],
    files: dict[str, int],
    chosen: Collection[int],
    scan: Scintigram,
    name: str,
) -> Iterator[Placed]:
    for uid in _referenced(seg):
        if uid not in files:
            raise HotSpotsError(f"{name}: refers to another image than the scan's")
        for view in scan.views:
            if view.file == files[uid]:
                yield view.view, np.zeros(view.counts.shape, dtype=np.bool_)
    for groups, plane in zip(seg.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        hot = _hot(seg, groups, plane, chosen)
        source = _group(seg, groups, "DerivationImageSequence").SourceImageSequence
        for reference in source:
            uid = str(reference.ReferencedSOPInstanceUID)
            if uid not in files:
                raise HotSpotsError(f"{name}: refers to another image than the scan's")
            for frame in _frames(reference, scan, files[uid], name):
                found = list(place_frame(scan, files[uid], frame, hot, name))
                if hot.any() and not found:
                    raise HotSpotsError(f"{name}: refers to frame {frame}, which shows no view")
                yield from found


def _referenced(seg: Any) -> list[str]:
    return [
        str(instance.ReferencedSOPInstanceUID)
        for series in seg.get("ReferencedSeriesSequence", [])
        for instance in series.get("ReferencedInstanceSequence", [])
    ]


def _hot(seg: Any, groups: Any, plane: npt.NDArray[Any], chosen: Collection[int]) -> Mask:
    if seg.SegmentationType == "LABELMAP":
        labelled: Mask = np.isin(plane, list(chosen))
        return labelled
    segment = int(_group(seg, groups, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    hot: Mask = (plane != 0) & (segment in chosen)
    return hot


def _frames(reference: Any, scan: Scintigram, file: int, name: str) -> list[int]:
    """Numbers of the frames that a reference means."""
    if "ReferencedFrameNumber" in reference:
        return [int(number) for number in np.atleast_1d(reference.ReferencedFrameNumber)]
    if int(scan.datasets[file].get("NumberOfFrames") or 1) > 1:
        raise HotSpotsError(f"{name}: does not say which frame of the image it refers to")
    return [1]


def _group(seg: Any, groups: Any, keyword: str) -> Any:
    """A functional group of one frame: its own, or the one that all frames share."""
    holder = groups if keyword in groups else seg.SharedFunctionalGroupsSequence[0]
    return holder[keyword].value[0]
