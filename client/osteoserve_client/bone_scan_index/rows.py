"""The figures as rows: one for each part of each view, then the sums."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from osteoserve_client.bone_scan_index.index import Area
from osteoserve_client.bone_scan_index.result import ScanIndex

COLUMNS: Final = (
    "row",
    "view",
    "region",
    "side",
    "number",
    "pixels",
    "area_mm2",
    "hot_pixels",
    "hot_mm2",
    "per_cent",
    "per_cent_of_skeleton",
)


@dataclass(frozen=True)
class Row:
    """One row.

    Args:
        row: "counted", "excluded", "outside", or "sum".
        view: "anterior", "posterior", or "all".
        region: Name of a label, "bladder_region", "outside", or "skeleton".
        side: The patient's "left" or "right"; "" in the middle, and for both.
        number: What ``bsi_anterior.png`` and ``bsi_posterior.png`` hold there, plus 128 where it is
            hot; None for sums.
        area: Pixels.
        share: Hot pixels in per cent of the whole skeleton: those of all counted rows add up to the
            index. None where they are not counted.
    """

    row: str
    view: str
    region: str
    side: str
    number: int | None
    area: Area
    share: float | None


def rows(result: ScanIndex) -> Iterator[Row]:
    """Every part, then sums by region, by view, and over all."""
    index, whole = result.index, result.index.skeleton.pixels

    def share(area: Area) -> float:
        return 100 * area.hot / whole

    for part in index.parts:
        counted = share(part.area) if part.standing == "counted" else None
        yield Row(part.standing, part.view, part.region, part.side, part.number, part.area, counted)
    for name, area in index.by_region.items():
        yield Row("sum", "all", name, "", None, area, share(area))
    for view, area in index.by_view.items():
        yield Row("sum", view, "skeleton", "", None, area, share(area))
    yield Row("sum", "all", "skeleton", "", None, index.skeleton, share(index.skeleton))


def write_table(path: Path, result: ScanIndex) -> None:
    """Write ``bsi.csv`` (RFC 4180, UTF-8, a dot as the decimal sign).

    Raises:
        OSError: The file could not be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(_cells(row, result.pixel_mm2) for row in rows(result))


def _cells(row: Row, pixel_mm2: float | None) -> tuple[str, ...]:
    def square(pixels: int) -> str:
        return "" if pixel_mm2 is None else f"{pixels * pixel_mm2:.2f}"

    area = row.area
    # Of what is not counted a per cent would be read as part of the index.
    own = area.per_cent if row.share is not None else None
    return (
        row.row,
        row.view,
        row.region,
        row.side,
        "" if row.number is None else str(row.number),
        str(area.pixels),
        square(area.pixels),
        str(area.hot),
        square(area.hot),
        "" if own is None else f"{own:.4f}",
        "" if row.share is None else f"{row.share:.4f}",
    )
