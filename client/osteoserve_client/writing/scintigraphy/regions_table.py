"""The measures of every region as a table."""

from __future__ import annotations

import csv
from pathlib import Path

from osteoserve_client.writing.scintigraphy.region_names import label_names, side_of, view_of
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

COLUMNS = (
    "number",
    "label",
    "region",
    "view",
    "side",
    "pixels",
    "area_mm2",
    "mean_counts",
    "max_counts",
    "score",
)


def row(region: pb.Region, name: str) -> tuple[str, ...]:
    """One region's row, in the order of `COLUMNS`; what is not known is left empty."""

    def optional(field: str, decimals: int) -> str:
        return f"{getattr(region, field):.{decimals}f}" if region.HasField(field) else ""

    return (
        str(region.number),
        str(region.label),
        name,
        view_of(region),
        side_of(region),
        str(region.pixels),
        optional("square_millimetres", 2),
        optional("mean_counts", 3),
        optional("max_counts", 0),
        f"{region.score:.4f}",
    )


def write_regions(path: Path, report: pb.ScintigramReport) -> None:
    """Write ``regions.csv`` (RFC 4180, UTF-8, a dot as the decimal sign, one row per region).

    Raises:
        OSError: The file could not be written.
    """
    names = label_names(report.model)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(row(region, names[region.label]) for region in report.regions)
