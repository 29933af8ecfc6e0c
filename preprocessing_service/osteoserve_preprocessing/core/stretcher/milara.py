"""The stretcher after Milara et al. 2024, doi 10.1007/s10278-024-01127-5, "Stretcher Removal".

The paper draws the table at the left margin; here it lies at the bottom of the canonical slice,
at large row indices. It names the three margin lines and the eight points of the polyline, and
leaves open how the lines are found; what is ours is said where it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cc3d
import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.voxel_mask import VoxelMask
from osteoserve_preprocessing.geometry import Volume

Mask = npt.NDArray[np.bool_]

#: Ours: the table is where bright voxels stay in at least half of the slices.
PERSISTENCE = 0.5
#: Ours: a table's shell, seen along a column, is no thicker than this; organs and bones are.
THICKEST_SHELL_MM = 15.0
#: Ours: from column to column, a shell goes up or down by at most so many rows; noise jumps.
STEEPEST_ROWS = 3
#: Ours: a shell crosses at least this share of a band's columns; a spinous process does not.
SMALLEST_COVERAGE = 0.75
#: Ours: distance of a margin line from the shell, and width of the dilation in each slice.
CLEARANCE_MM = 2.0
#: Equal bands across the table's width, R1..R8 from left to right.
BANDS = 8


@dataclass(frozen=True)
class Margins:
    """Rows of the three margin lines between table and body, counted from the top.

    Args:
        central: i1, in R4 and R5.
        inclined: i2, in R3 and R6, where the table curves.
        ends: i3, in R2 and R7, and on to the image's borders.
    """

    central: int
    inclined: int
    ends: int


def find_margins(bright: Mask, *, row_mm: float) -> Margins | None:
    """Find the three margin lines in the table's mean image.

    Args:
        bright: (Y, X) bool, where voxels above 98 HU persist along the patient; table at the
            bottom.
        row_mm: Distance of rows in mm.

    Returns:
        The lines; None where no shell crosses the central bands, or the slice is too narrow to be
        divided into eight. Where none crosses the outer ones, their line is that of the next
        inner band.
    """
    if bright.shape[1] < BANDS:
        return None
    edges = _band_edges(bright.shape[1])
    clearance = max(1, round(CLEARANCE_MM / row_mm))
    thickest = round(THICKEST_SHELL_MM / row_mm)
    lines: list[int] = []
    for left, right in ((3, 4), (2, 5), (1, 6)):
        tops = [
            top
            for band in (left, right)
            if (top := _shell_top(bright[:, edges[band] : edges[band + 1]], thickest)) is not None
        ]
        if not tops and not lines:
            return None
        lines.append(min([top - clearance for top in tops] + lines[-1:]))
    return Margins(*lines)


def polyline(margins: Margins, columns: int) -> npt.NDArray[np.float64]:
    """Row of the margin between table and body in every column.

    Args:
        margins: The three lines.
        columns: Width of the slice, X.

    Returns:
        (X,) float. Through the paper's eight points, in our reading of its figure 1c: i3 at both
        edges of R2, i2 in the middle of R3, i1 at the outer edge of R4, and likewise on the other
        side; i3 beyond.
    """
    b = _band_edges(columns)
    i1, i2, i3 = margins.central, margins.inclined, margins.ends
    points = [
        (b[1], i3),
        (b[2], i3),
        ((b[2] + b[3]) / 2, i2),
        (b[3], i1),
        (b[5], i1),
        ((b[5] + b[6]) / 2, i2),
        (b[6], i3),
        (b[7], i3),
    ]
    x, y = zip(*points, strict=True)
    line: npt.NDArray[np.float64] = np.interp(np.arange(columns), x, y)
    return line


def milara_mask(volume: Volume, bright_hu: int) -> tuple[VoxelMask, str]:
    """The stretcher mask of a volume.

    Args:
        volume: Canonical.
        bright_hu: Threshold of binarisation; 98 HU in the paper.

    Returns:
        (Z, Y, X), and why nothing, or less, is in it (empty where it is sure).
    """
    share = sum((slice_ > bright_hu).astype(np.int32) for slice_ in volume.voxels)
    persistent = np.asarray(share) >= PERSISTENCE * len(volume.voxels)
    row_mm = volume.geometry.spacing[1]
    mask = VoxelMask(volume.geometry.shape)
    for turned in (
        slice(None),
        slice(None, None, -1),
    ):  # supine, then prone: table on the other side
        margins = find_margins(persistent[turned], row_mm=row_mm)
        if margins is not None:
            return mask, _fill(volume, mask, turned, margins, bright_hu)
    return mask, "no table was found in the central bands, so nothing was removed as stretcher"


def _fill(volume: Volume, mask: VoxelMask, turned: slice, margins: Margins, bright_hu: int) -> str:
    rows, columns = volume.geometry.shape[1:]
    base = np.arange(rows)[:, None] >= polyline(margins, columns)[None, :]
    crossed = 0
    for k, slice_ in enumerate(volume.voxels[:, turned]):
        adapted, left = _adapt(base, slice_ > bright_hu)
        mask.set(k, slice(None), adapted[turned])
        crossed += left
    if crossed == 0:
        return ""
    return f"the margin crosses bright matter in {crossed} slices, which was left there"


def _adapt(base: Mask, bright: Mask) -> tuple[Mask, bool]:
    """The mask of one slice, and whether something bright that crosses the margin was left.

    Bright components that lie mostly in the mask are the table's or its accessories', and are
    taken whole. Ours: those that lie mostly outside are the patient's, and are left whole.
    """
    parts = cc3d.connected_components(bright, connectivity=8)
    count = int(parts.max()) + 1
    total = np.bincount(parts.ravel(), minlength=count)
    inside = np.bincount(parts[base], minlength=count)
    taken = 2 * inside >= total
    taken[0] = False
    left = (inside > 0) & ~taken
    left[0] = False
    adapted: Mask = base & ~left[parts] | taken[parts]
    return adapted, bool(left.any())


def _band_edges(columns: int) -> list[int]:
    return [round(columns * band / BANDS) for band in range(BANDS + 1)]


def _shell_top(band: Mask, thickest: int) -> int | None:
    """Top row of the uppermost shell of the table in a band; None where no shell crosses it.

    Follows the shells upwards from the bottom, and stops at the first layer that is too thick, or
    crosses too few columns, to be the table's.
    """
    rows = band.shape[0]
    below = np.full(band.shape[1], rows)  # rows from here down were followed already
    top: int | None = None
    while True:
        layers = [_next_layer(column[:end]) for column, end in zip(band.T, below, strict=True)]
        tops = _smooth(layers, thickest)
        if len(tops) < SMALLEST_COVERAGE * len(layers):
            return top
        top = min(tops)
        below = np.array([layer[0] if layer else 0 for layer in layers])


def _smooth(layers: list[tuple[int, int] | None], thickest: int) -> list[int]:
    """Top rows of those columns where the layer is thin and goes on in the column before."""
    return [
        layer[0]
        for before, layer in pairwise([*layers[:1], *layers])
        if before
        and layer
        and layer[1] - layer[0] <= thickest
        and abs(layer[0] - before[0]) <= STEEPEST_ROWS
    ]


def _next_layer(column: Mask) -> tuple[int, int] | None:
    """(first, end) row of the lowest run of bright cells in a column."""
    set_rows = np.flatnonzero(column)
    if set_rows.size == 0:
        return None
    end = int(set_rows[-1]) + 1
    dark = np.flatnonzero(~column[:end])
    return (int(dark[-1]) + 1 if dark.size else 0), end
