"""Puts the views on one page: each alone and with its regions, the legend at the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.scintigram import PlanarView, Scintigram
from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.annotation import (
    BLACK,
    WHITE,
    bar_length,
    scale_bar,
    write,
)
from osteoserve_client.writing.preview.layout import (
    HEADER,
    INNER,
    LEGEND,
    MAIN,
    MARGIN,
    WHOLE_BODY,
)
from osteoserve_client.writing.preview.panels import BACKGROUND, GAP
from osteoserve_client.writing.scintigraphy.preview.panels import (
    draw_regions,
    draw_view,
    inverted_grey,
)

#: Room above a view for its name, pixels.
CAPTION = 34

#: A row with fewer counts than this share of the richest one's is air.
AIR_SHARE = 0.02

#: Rim that is left above and below the body, as a share of all rows.
RIM_SHARE = 0.04

#: Least that the page is wide without its margins: the header needs as much.
NARROWEST = 1080


@dataclass(frozen=True, eq=False)
class ViewsPage:
    """Pictures of the views, before there is a page.

    Args:
        views: For each view its name, the view alone, and the view with its regions.
    """

    views: tuple[tuple[str, Image.Image, Image.Image], ...]

    @property
    def legend(self) -> tuple[int, int]:
        """Upper left corner of the legend on the page."""
        return self._width - MARGIN - LEGEND, MARGIN + HEADER

    @property
    def _width(self) -> int:
        pictures = sum(2 * alone.width + 3 * GAP for _, alone, _ in self.views)
        return 2 * MARGIN + min(INNER, max(NARROWEST, pictures + LEGEND))

    def draw(self, *, legend_height: int) -> Image.Image:
        """The page with its pictures; header and legend are left free."""
        tallest = max(alone.height for _, alone, _ in self.views)
        height = MARGIN + HEADER + max(CAPTION + tallest, legend_height) + MARGIN
        picture = Image.new("RGB", (self._width, height), BACKGROUND)
        left, top = MARGIN, MARGIN + HEADER
        for name, alone, with_regions in self.views:
            middle = left + alone.width + GAP // 2
            write(picture, (middle, top), name.upper(), size=21, anchor="ma")
            picture.paste(alone, (left, top + CAPTION))
            picture.paste(with_regions, (left + alone.width + GAP, top + CAPTION))
            left += 2 * alone.width + 3 * GAP
        return picture


def arrange_views(
    scan: Scintigram,
    labels: npt.NDArray[np.uint8],
    regions: npt.NDArray[np.uint8],
    colours: Mapping[int, Colour],
    *,
    top_counts: float,
) -> ViewsPage:
    """Draw the panels, all at one scale and in true proportion.

    Args:
        scan: What is shown.
        labels: (V, Y, X) uint8, on its views.
        regions: (V, Y, X) uint8, likewise: numbers of regions.
        colours: RGB of every label.
        top_counts: Counts from which on the picture is black.
    """
    rows = body_rows(scan.counts, labels)
    # mm; pixels where their spacing is not known.
    between_rows, between_columns = scan.pixel_spacing_mm or (1.0, 1.0)
    height = (rows.stop - rows.start) * between_rows
    width = labels.shape[2] * between_columns
    count = len(scan.views)
    room = (MAIN - (3 * count - 2) * GAP) / (2 * count)
    scale = min(room / width, (WHOLE_BODY - CAPTION) / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    drawn = []
    for view, own, numbers in zip(scan.views, labels, regions, strict=True):
        alone = draw_view(inverted_grey(view.counts[rows], top_counts), size)
        with_regions = draw_regions(alone, own[rows], numbers[rows], colours)
        for panel in (alone, with_regions):
            _letter_sides(panel, view)
            if scan.pixel_spacing_mm is not None:
                scale_bar(panel, scale, bar_length(width), colour=BLACK, rim=WHITE)
        drawn.append((view.view, alone, with_regions))
    return ViewsPage(tuple(drawn))


def body_rows(counts: npt.NDArray[np.uint16], labels: npt.NDArray[np.uint8]) -> slice:
    """Rows that hold the body or a label in any view, with a rim; all where there is nothing.

    Args:
        counts: (V, Y, X).
        labels: (V, Y, X).
    """
    profile = counts.sum(axis=(0, 2), dtype=np.int64)
    shown = np.flatnonzero((profile > AIR_SHARE * profile.max()) | labels.any(axis=(0, 2)))
    if not shown.size:
        return slice(0, len(profile))
    rim = round(RIM_SHARE * len(profile))
    return slice(max(0, int(shown[0]) - rim), min(len(profile), int(shown[-1]) + 1 + rim))


def _letter_sides(panel: Image.Image, view: PlanarView) -> None:
    """Letters of the patient's sides beside the head, where there is no body."""
    at_left, at_right = ("R", "L") if view.view == "anterior" else ("L", "R")
    write(panel, (9, 7), at_left, size=22, colour=BLACK, rim=WHITE)
    write(panel, (panel.width - 9, 7), at_right, size=22, colour=BLACK, rim=WHITE, anchor="ra")
