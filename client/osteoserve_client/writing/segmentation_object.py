"""The labels of a CT as a DICOM segmentation object that lies on the source images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from highdicom.seg import Segmentation

from osteoserve_client.study import Study
from osteoserve_client.writing.privacy import no_values_in_warnings
from osteoserve_client.writing.segments import segmentation_of
from osteoserve_client.writing.source_headers import DicomSource, series_number
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def segmentation_object(
    study: Study, source: DicomSource, labels: npt.NDArray[np.uint8], model: pb.Model
) -> Segmentation:
    """Make the segmentation object; see `segmentation_of`. Every source image is referenced.

    Args:
        study: What was segmented, from DICOM.
        source: The study's headers, reduced.
        labels: (Z, Y, X) uint8, on the slices that ``study.datasets`` describe.
        model: Whose labels they are.
    """
    return segmentation_of(
        source.images,
        _frame_order(study, labels),
        model,
        series_number=series_number(study.datasets[0]),
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


def _frame_order(study: Study, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """From the order of the volume's slices to that of a multi-frame source's frames."""
    if not study.frames or study.frames == tuple(range(1, len(study.frames) + 1)):
        return labels
    frames = len(study.datasets[0].PerFrameFunctionalGroupsSequence)
    ordered = np.zeros((frames, *labels.shape[1:]), dtype=np.uint8)
    ordered[np.array(study.frames) - 1] = labels
    return ordered
