"""The measures of every label as a table."""

from __future__ import annotations

import csv
from pathlib import Path

from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

COLUMNS = (
    "label",
    "name",
    "voxels",
    "volume_ml",
    "mean_hu",
    "sd_hu",
    "first_slice",
    "last_slice",
)


def row(measure: pb.LabelMeasure) -> tuple[str, ...]:
    """One label's row, in the order of `COLUMNS`; what an empty label lacks is left empty."""

    def optional(field: str, decimals: int) -> str:
        return f"{getattr(measure, field):.{decimals}f}" if measure.HasField(field) else ""

    return (
        str(measure.value),
        measure.name,
        str(measure.voxels),
        f"{measure.millilitres:.3f}",
        optional("mean_hu", 2),
        optional("sd_hu", 2),
        optional("first_slice", 0),
        optional("last_slice", 0),
    )


def write_volumes(path: Path, report: pb.SegmentReport) -> None:
    """Write ``volumes.csv`` (RFC 4180, UTF-8, a dot as the decimal sign, one row per label).

    Raises:
        OSError: The file could not be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(row(measure) for measure in report.labels)
