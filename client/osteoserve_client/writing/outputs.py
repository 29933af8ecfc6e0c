"""Writes everything that one segmentation leaves: the whole set, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import ServiceError
from osteoserve_client.label_counts import check_counts
from osteoserve_client.reading import onto_source_slices
from osteoserve_client.study import Study
from osteoserve_client.writing.dicom_source import check_references, dicom_source
from osteoserve_client.writing.nifti import write_label_map
from osteoserve_client.writing.output_names import (
    LABEL_MAP,
    OUTPUT_NAMES,
    OWNED_NAMES,
    PREVIEW,
    REPORT,
    SEGMENTATION_OBJECT,
    VOLUMES,
)
from osteoserve_client.writing.preview import write_preview
from osteoserve_client.writing.report import report_document, write_report
from osteoserve_client.writing.segmentation_object import write_segmentation_object
from osteoserve_client.writing.transaction import all_or_nothing
from osteoserve_client.writing.volumes_table import write_volumes
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

Writers = dict[str, Callable[[Path], None]]


def write_outputs(
    study: Study,
    labels: npt.NDArray[np.uint8],
    report: pb.SegmentReport,
    out: Path,
    *,
    created: datetime | None = None,
) -> tuple[Path, ...]:
    """Write the label map, the segmentation object, report, table and picture into ``out``.

    All of them appear, or none does and ``out`` stays as it was. What an earlier run left there
    is replaced, or removed where this run has no such file; other files are not touched.

    Args:
        study: What was segmented.
        labels: (Z, Y, X) uint8 on the study's grid: 0 background, else a label of the model.
        report: The service's report on these labels.
        out: Folder of the outputs; made where it is missing.
        created: What the report states as its time; now, where none is given.

    Returns:
        The files, in the order of `OUTPUT_NAMES`; no segmentation object for sources other than
        DICOM.

    Raises:
        ServiceError: Labels and report contradict each other or the study.
        MissingAttributeError: A DICOM source lacks what a segmentation object must refer to.
        OutputError: A file could not be written.
    """
    out = Path(out)
    check_agreement(study, labels, report)
    created = created or datetime.now(UTC)
    writers = _writers(study, labels, report, created)
    with all_or_nothing(out, owned=OWNED_NAMES) as transaction:
        # The segmentation object keeps the interpreter's lock, picture and label map mostly do not.
        transaction.write_two_at_a_time(writers)
    return tuple(out / name for name in writers)


def check_study(study: Study) -> None:
    """Refuse a study whose outputs could not be written, before anybody waits for its labels.

    Raises:
        MissingAttributeError: A DICOM source lacks what a segmentation object must refer to.
    """
    check_references(study)


def check_agreement(study: Study, labels: npt.NDArray[np.uint8], report: pb.SegmentReport) -> None:
    """Refuse a label map that is not the one which the report speaks of.

    Raises:
        ServiceError: Wrong grid or type, a value that is no label of the model, or a label whose
            number of voxels is not the reported one.
    """
    if labels.dtype != np.uint8 or labels.shape != study.volume.geometry.shape:
        raise ServiceError(
            f"the label map is {labels.dtype} {labels.shape}, the study needs uint8 "
            f"{study.volume.geometry.shape}"
        )
    check_counts(labels, report)


def _writers(
    study: Study, labels: npt.NDArray[np.uint8], report: pb.SegmentReport, created: datetime
) -> Writers:
    writers: Writers = {LABEL_MAP: lambda path: write_label_map(path, study, labels)}
    warnings: tuple[str, ...] = ()
    if study.datasets:
        source = dicom_source(study)
        warnings = source.warnings
        on_slices = onto_source_slices(study, labels) if study.sheared else labels
        writers[SEGMENTATION_OBJECT] = lambda path: write_segmentation_object(
            path, study, source, on_slices, report.model
        )
    names = [name for name in OUTPUT_NAMES if study.datasets or name != SEGMENTATION_OBJECT]
    document = report_document(study, report, created=created, outputs=names, warnings=warnings)
    writers[REPORT] = lambda path: write_report(path, document)
    writers[VOLUMES] = lambda path: write_volumes(path, report)
    count = len(study.warnings) + len(report.preprocessing.warnings) + len(warnings)
    writers[PREVIEW] = lambda path: write_preview(path, study, labels, report, warnings=count)
    return writers
