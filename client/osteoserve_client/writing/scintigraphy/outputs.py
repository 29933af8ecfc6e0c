"""Writes everything that one segmented bone scan leaves: the whole set, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from osteoserve_client.scintigram import Scintigram
from osteoserve_client.writing.colours import Colour, label_colours
from osteoserve_client.writing.output_names import (
    LABEL_IMAGES,
    NUMBER_IMAGES,
    OWNED_NAMES,
    PREVIEW,
    REGIONS,
    REGIONS_OBJECT,
    REPORT,
)
from osteoserve_client.writing.report import write_report
from osteoserve_client.writing.scintigraphy.agreement import check_scintigram_agreement
from osteoserve_client.writing.scintigraphy.label_images import write_label_image
from osteoserve_client.writing.scintigraphy.nm_source import check_references, nm_source
from osteoserve_client.writing.scintigraphy.preview import write_scintigram_preview
from osteoserve_client.writing.scintigraphy.regions_object import write_regions_object
from osteoserve_client.writing.scintigraphy.regions_table import write_regions
from osteoserve_client.writing.scintigraphy.report import scintigram_report_document
from osteoserve_client.writing.transaction import all_or_nothing
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

Pixels = npt.NDArray[np.uint8]
Writer = Callable[[Path], None]


def write_scintigram_outputs(
    scan: Scintigram,
    labels: Pixels,
    regions: Pixels,
    report: pb.ScintigramReport,
    out: Path,
    *,
    created: datetime | None = None,
) -> tuple[Path, ...]:
    """Write the segmentation object, label images, report, table and picture into ``out``.

    All of them appear, or none does and ``out`` stays as it was. What an earlier run left there
    is replaced, or removed where this run has no such file; other files are not touched.

    Args:
        scan: What was segmented.
        labels: (V, Y, X) uint8 on the scan's views: 0 background, else a label of the model.
        regions: (V, Y, X) uint8, likewise: 0 background, else the number of a region.
        report: The service's report on these regions.
        out: Folder of the outputs; made where it is missing.
        created: What the report states as its time; now, where none is given.

    Returns:
        The files, in the order of `SCINTIGRAM_OUTPUT_NAMES`; images for the views that there are,
        and no segmentation object for sources other than DICOM.

    Raises:
        ServiceError: Labels, regions and report contradict each other or the scan.
        MissingAttributeError: A DICOM source lacks what a segmentation object must refer to.
        InconsistentViewsError: No one segmentation object lies on the frames of a DICOM source.
        OutputError: A file could not be written.
    """
    out = Path(out)
    check_scintigram_agreement(scan, labels, regions, report)
    created = created or datetime.now(UTC)
    writers = _writers(scan, labels, regions, report, created)
    with all_or_nothing(out, owned=OWNED_NAMES) as transaction:
        for name, writer in writers.items():
            transaction.write(name, writer)
    return tuple(out / name for name in writers)


def check_scintigram(scan: Scintigram) -> None:
    """Refuse a scan whose outputs could not be written, before anybody waits for its regions.

    Raises:
        MissingAttributeError: A DICOM source lacks what a segmentation object must refer to.
        InconsistentViewsError: No one segmentation object lies on the frames of a DICOM source.
    """
    check_references(scan)


def _writers(
    scan: Scintigram,
    labels: Pixels,
    regions: Pixels,
    report: pb.ScintigramReport,
    created: datetime,
) -> dict[str, Writer]:
    writers: dict[str, Writer] = {}
    warnings: tuple[str, ...] = ()
    if scan.datasets:
        source = nm_source(scan)
        warnings = source.warnings
        writers[REGIONS_OBJECT] = lambda path: write_regions_object(
            path, scan, source, labels, report.model
        )
    writers |= dict(_images(scan, labels, regions, report))
    names = [*writers, REPORT, REGIONS, PREVIEW]
    document = scintigram_report_document(
        scan, report, created=created, outputs=names, warnings=warnings
    )
    writers[REPORT] = lambda path: write_report(path, document)
    writers[REGIONS] = lambda path: write_regions(path, report)
    count = len(scan.warnings) + len(report.warnings) + len(warnings)
    writers[PREVIEW] = lambda path: write_scintigram_preview(
        path, scan, labels, regions, report, warnings=count
    )
    return writers


def _images(
    scan: Scintigram, labels: Pixels, regions: Pixels, report: pb.ScintigramReport
) -> Iterator[tuple[str, Writer]]:
    of_labels = label_colours(label.value for label in report.model.labels)
    of_numbers: dict[int, Colour] = {
        region.number: of_labels[region.label] for region in report.regions
    }
    for names, values, colours in (
        (LABEL_IMAGES, labels, of_labels),
        (NUMBER_IMAGES, regions, of_numbers),
    ):
        for view, own in zip(scan.views, values, strict=True):
            yield (
                names[view.view],
                partial(write_label_image, view=view, values=own, colours=colours),
            )
