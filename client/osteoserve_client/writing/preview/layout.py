"""Puts projections, slices and words on one page, as the patient's proportions ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.display import DisplayVolume
from osteoserve_client.writing.preview.panels import (
    BACKGROUND,
    GAP,
    GUTTER,
    Block,
    Lettered,
    axial_slices,
    projections,
)

WIDTH, MARGIN, LEGEND = 1680, 28, 330
INNER = WIDTH - 2 * MARGIN

#: What is left beside the legend.
MAIN = INNER - 2 * GAP - LEGEND

#: Room for the page's first line, pixels.
HEADER = 52

#: Tallest that projections above the slices, or a slice alone, may get; and projections of a
#: body so tall that the slices find room beside them, pixels.
TALLEST, WHOLE_BODY = 860, 1460

#: Below this a projection is a line: no projections are drawn, and the page says so.
LEAST_SLICES, LEAST_MM = 4, 20.0

Colours = Mapping[int, Colour]


@dataclass(frozen=True, eq=False)
class Page:
    """Blocks with their places below the header.

    Args:
        blocks: (left, top), and what stands there.
        legend: (left, top) of the legend.
        height: Of all, pixels.
    """

    blocks: tuple[tuple[tuple[int, int], Block], ...]
    legend: tuple[int, int]
    height: int

    def draw(self) -> Image.Image:
        """The page with its pictures; header and legend are left free."""
        size = (WIDTH, MARGIN + HEADER + self.height + MARGIN)
        picture = Image.new("RGB", size, BACKGROUND)
        for place, block in self.blocks:
            block.onto(picture, self.on_page(place))
        return picture

    @staticmethod
    def on_page(place: tuple[int, int]) -> tuple[int, int]:
        """From below the header to the page's own pixels."""
        return MARGIN + place[0], MARGIN + HEADER + place[1]


def worth_projecting(volume: DisplayVolume) -> bool:
    """Whether there are slices enough for a projection to show anything."""
    return len(volume.voxels) >= LEAST_SLICES and volume.extent[0] >= LEAST_MM


def arrange(
    volume: DisplayVolume, slices: Sequence[int], colours: Colours, *, legend_height: int
) -> Page:
    """Choose how the page is laid out, and draw its panels.

    Args:
        volume: What is shown.
        slices: Which axial slices, along z, the one nearest the head first.
        colours: RGB of every label.
        legend_height: Pixels to keep free for the legend.
    """
    lettered = {chr(ord("a") + n): k for n, k in enumerate(slices)}
    if not worth_projecting(volume):
        return _slices_alone(volume, lettered, colours, legend_height)
    z, y, x = volume.extent
    if (x + y) * TALLEST / z < MAIN / 2:
        return _slices_beside(volume, lettered, colours, legend_height)
    return _slices_below(volume, lettered, colours, legend_height)


def _slices_alone(
    volume: DisplayVolume, slices: Lettered, colours: Colours, legend_height: int
) -> Page:
    _, y, x = volume.extent
    columns = min(3, len(slices)) if len(slices) != 4 else 2
    scale = min(_column(MAIN, columns) / x, TALLEST / y)
    block = axial_slices(volume, slices, colours, scale=scale, columns=columns)
    return Page(
        blocks=(((0, 0), block),),
        legend=(INNER - LEGEND, 0),
        height=max(block.size[1], legend_height),
    )


def _slices_below(
    volume: DisplayVolume, slices: Lettered, colours: Colours, legend_height: int
) -> Page:
    z, y, x = volume.extent
    beside = min((MAIN - 2 * GUTTER - GAP) / (x + y), TALLEST / z)
    stacked = min((MAIN - GUTTER) / max(x, y), (TALLEST - GAP) / (2 * z))
    # Beside each other they compare level by level: stacked only where that gains much.
    stack = stacked > 1.5 * beside
    above = projections(volume, slices, colours, scale=stacked if stack else beside, stacked=stack)
    scale = min(_column(INNER, 3) / x, TALLEST / y)
    below = axial_slices(volume, slices, colours, scale=scale, columns=3)
    top = max(above.size[1], legend_height) + 2 * GAP
    return Page(
        blocks=(((0, 0), above), ((0, top), below)),
        legend=(INNER - LEGEND, 0),
        height=top + below.size[1],
    )


def _slices_beside(
    volume: DisplayVolume, slices: Lettered, colours: Colours, legend_height: int
) -> Page:
    z, y, x = volume.extent
    left = projections(volume, slices, colours, scale=WHOLE_BODY / z)
    free = (INNER - left.size[0] - 2 * GAP, WHOLE_BODY - legend_height - GAP)
    rows = -(-len(slices) // 2)
    scale = min(_column(free[0], 2) / x, _column(free[1], rows) / y)
    right = axial_slices(volume, slices, colours, scale=scale, columns=2)
    across = left.size[0] + 2 * GAP
    return Page(
        blocks=(((0, 0), left), ((across, legend_height + GAP), right)),
        legend=(across, 0),
        height=max(left.size[1], legend_height + GAP + right.size[1]),
    )


def _column(room: int, count: int) -> float:
    """Width of one of several columns, or height of one of several rows."""
    return (room - (count - 1) * GAP) / count
