"""The words of the page: which regions, how large and how sure, what image, what to heed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from osteoserve_client.scintigram import Scintigram
from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.annotation import AMBER, MUTED
from osteoserve_client.writing.preview.legend import Legend, Line
from osteoserve_client.writing.scintigraphy.region_names import (
    kind_of,
    label_names,
    spoken,
    view_of,
)
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Regions of a view, and findings, that the legend has room for.
MOST_REGIONS, MOST_FINDINGS = 12, 6

MM2_PER_CM2 = 100.0


def legends(
    scan: Scintigram,
    report: pb.ScintigramReport,
    colours: Mapping[int, Colour],
    *,
    top_counts: float,
    warnings: int,
) -> tuple[Legend, ...]:
    """The regions of every view, then what the image is and what to heed.

    Args:
        scan: What was segmented.
        report: The service's.
        colours: RGB of every label.
        top_counts: Counts from which on the picture is black.
        warnings: How many the report holds.
    """
    names = label_names(report.model)
    of_views = [_of_view(view.view, report.regions, names, colours) for view in scan.views]
    heed = [(line, AMBER) for line in _cautions(report, names, warnings)]
    image = [(line, MUTED) for line in _image(scan, top_counts)]
    return (*of_views, Legend((), tuple(heed)), Legend((), tuple(image)))


def _of_view(
    view: str,
    regions: Sequence[pb.Region],
    names: Mapping[int, str],
    colours: Mapping[int, Colour],
) -> Legend:
    own = sorted(
        (region for region in regions if view_of(region) == view),
        key=lambda region: (region.label, -region.side, region.number),
    )
    rows = tuple(
        (spoken(region, names[region.label]), _amount(region), colours[region.label])
        for region in own[:MOST_REGIONS]
    )
    more = len(own) - len(rows)
    lines: tuple[Line, ...] = ((f"and {more} more: regions.csv", MUTED),) if more else ()
    if not own:
        lines = (("no region", AMBER),)
    return Legend(rows, lines, heading=(view.upper(), "area   score"))


def _amount(region: pb.Region) -> str:
    if not region.pixels:
        area = "hidden"
    elif region.HasField("square_millimetres"):
        area = f"{region.square_millimetres / MM2_PER_CM2:.0f} cm²"
    else:
        area = f"{region.pixels} px"
    return f"{area}   {region.score:.2f}"


def _cautions(report: pb.ScintigramReport, names: Mapping[int, str], warnings: int) -> list[str]:
    lines = []
    for finding in report.findings[:MOST_FINDINGS]:
        name = spoken(finding, names[finding.label])
        lines.append(f"{kind_of(finding).capitalize()}: {view_of(finding)} {name}")
    if len(report.findings) > MOST_FINDINGS:
        lines.append(f"and {len(report.findings) - MOST_FINDINGS} more: report.json")
    if warnings:
        lines.append(f"{warnings} warning{'s' * (warnings > 1)}: report.json")
    return lines


def _image(scan: Scintigram, top_counts: float) -> list[str]:
    rows, columns = scan.views[0].counts.shape
    lines = [f"{columns} x {rows} pixels"]
    if scan.pixel_spacing_mm is None:
        lines.append("of unknown size")
    else:
        between_rows, between_columns = scan.pixel_spacing_mm
        lines.append(f"of {between_columns:.2f} x {between_rows:.2f} mm")
    return [*lines, "R, L: the patient's right and left", f"Black: {top_counts:.3g} counts or more"]
