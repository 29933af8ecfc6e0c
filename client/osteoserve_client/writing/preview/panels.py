"""Panels of the page: pictures with letters, levels and scale bars, in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.annotation import (
    LEVEL,
    bar_length,
    level_lines,
    orientation_letters,
    scale_bar,
    write,
)
from osteoserve_client.writing.preview.display import DisplayVolume
from osteoserve_client.writing.preview.projection import View, project, render_projection
from osteoserve_client.writing.preview.slices import render_slice

#: Between panels, and left of a projection for the letters of the slices, pixels.
GAP, GUTTER = 18, 26

BACKGROUND: Colour = (14, 15, 18)

#: Which slices are shown: index along z by letter, the one nearest the head first.
Lettered = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Block:
    """Part of the page: panels with their places, and how much room they take.

    Args:
        panels: (left, top) in the block, and what stands there.
        size: (width, height) in pixels.
    """

    panels: tuple[tuple[tuple[int, int], Image.Image], ...]
    size: tuple[int, int]

    def onto(self, page: Image.Image, place: tuple[int, int]) -> None:
        """Paste every panel, the block's corner at ``place``."""
        for (left, top), panel in self.panels:
            page.paste(panel, (place[0] + left, place[1] + top))


def projections(
    volume: DisplayVolume,
    slices: Lettered,
    colours: Mapping[int, Colour],
    *,
    scale: float,
    stacked: bool = False,
) -> Block:
    """Coronal and sagittal projection, beside each other or one above the other.

    Args:
        volume: What is shown.
        slices: Whose levels are marked.
        colours: RGB of every label.
        scale: Pixels per mm, of both.
        stacked: One above the other.
    """
    coronal = _projection(volume, "coronal", scale, slices, colours)
    sagittal = _projection(volume, "sagittal", scale, slices, colours)
    place = (0, coronal.height + GAP) if stacked else (coronal.width + GAP, 0)
    size = (max(coronal.width, place[0] + sagittal.width), place[1] + sagittal.height)
    return Block((((0, 0), coronal), (place, sagittal)), size)


def _projection(
    volume: DisplayVolume,
    view: View,
    scale: float,
    slices: Lettered,
    colours: Mapping[int, Colour],
) -> Image.Image:
    projection = project(volume, view)
    height, width = (max(1, round(mm * scale)) for mm in projection.extent)
    panel = render_projection(projection, (width, height), colours)
    # Row 0 is the head end: slice k, of thickness dz, is centred (Z - k - 1/2) dz below it.
    count, dz = len(volume.voxels), volume.spacing[0]
    levels = {letter: (count - k - 0.5) * dz * scale for letter, k in slices.items()}
    level_lines(panel, levels)
    left, right = ("R", "L") if view == "coronal" else ("A", "P")
    orientation_letters(panel, left=left, right=right, top="H", bottom="F")
    scale_bar(panel, scale, bar_length(min(volume.extent[1:])))
    framed = Image.new("RGB", (width + GUTTER, height), BACKGROUND)
    framed.paste(panel, (GUTTER, 0))
    for letter, y in levels.items():
        write(framed, (GUTTER - 6, y), letter, size=15, colour=LEVEL, anchor="rm")
    return framed


def axial_slices(
    volume: DisplayVolume,
    slices: Lettered,
    colours: Mapping[int, Colour],
    *,
    scale: float,
    columns: int,
) -> Block:
    """The chosen slices in rows.

    Args:
        volume: What is shown.
        slices: Which.
        colours: RGB of every label.
        scale: Pixels per mm, of all.
        columns: How many stand in a row.
    """
    _, y, x = volume.extent
    width, height = max(1, round(x * scale)), max(1, round(y * scale))
    panels = []
    for n, (letter, k) in enumerate(slices.items()):
        row, column = divmod(n, columns)
        panel = render_slice(volume, k, (width, height), colours)
        orientation_letters(panel, left="R", right="L", top="A", bottom="P")
        scale_bar(panel, scale, bar_length(x))
        write(panel, (10, 8), letter, size=22, colour=LEVEL)
        write(panel, (34, 12), _caption(volume, k), size=16)
        panels.append(((column * (width + GAP), row * (height + GAP)), panel))
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    return Block(tuple(panels), size)


def _caption(volume: DisplayVolume, index: int) -> str:
    height = f"z {volume.heights[index]:.1f} mm"
    if not volume.source_slices:
        return height
    return f"{height}, slice {volume.source_slices[index]}"
