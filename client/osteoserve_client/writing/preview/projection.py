"""Maximum-intensity projections with the mask as a translucent overlay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.display import DisplayVolume
from osteoserve_client.writing.preview.grey import PROJECTION_WINDOW, grey

View = Literal["coronal", "sagittal"]

#: Of the overlay: where the ray grazes the mask, and where it has passed through much of it.
THIN_ALPHA, THICK_ALPHA = 0.30, 0.60

#: Way through the mask after which the overlay is nearly as dense as it gets, mm.
THICK_MM = 25.0


@dataclass(frozen=True, eq=False)
class Projection:
    """One view of the whole volume, before it is brought to the picture's scale.

    Args:
        maximum: (rows, columns) int16, HU: the brightest voxel along each ray.
        depth: (rows, columns) float32, mm: way of each ray through labelled voxels.
        front: (rows, columns) uint8: the label that a viewer meets first; 0 where there is none.
        extent: (height, width) mm.
    """

    maximum: npt.NDArray[np.int16]
    depth: npt.NDArray[np.float32]
    front: npt.NDArray[np.uint8]
    extent: tuple[float, float]


def project(volume: DisplayVolume, view: View) -> Projection:
    """Project along the patient's y (coronal, seen from the front) or x (sagittal).

    Rows run from the head down. Coronal columns run to the patient's left, which is the viewer's
    right; sagittal ones to the back, as seen from the patient's left.
    """
    axis = 1 if view == "coronal" else 2
    passed, front = _along_rays(volume.labels, axis)
    height, across = volume.extent[0], volume.extent[3 - axis]
    return Projection(
        maximum=volume.voxels.max(axis=axis)[::-1],
        depth=passed[::-1] * np.float32(volume.spacing[axis]),
        front=front[::-1],
        extent=(height, across),
    )


def _along_rays(
    labels: npt.NDArray[np.uint8], axis: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """How many labelled voxels each ray passes, and the label that it meets first.

    Rays run along y from the front, or along x from the patient's left; slice by slice, for what
    is made of a whole volume would be as large as that.
    """
    shape = (len(labels), labels.shape[3 - axis])
    passed, front = np.empty(shape, dtype=np.uint16), np.empty(shape, dtype=np.uint8)
    for k, slice_ in enumerate(labels):
        rays = np.ascontiguousarray(slice_.T if axis == 1 else slice_[:, ::-1])
        labelled = rays != 0
        labelled.sum(axis=1, dtype=np.uint16, out=passed[k])
        front[k] = rays[np.arange(len(rays)), labelled.argmax(axis=1)]
    return passed, front


def render_projection(
    projection: Projection, size: tuple[int, int], colours: Mapping[int, Colour]
) -> Image.Image:
    """Draw a projection.

    Args:
        projection: What to draw.
        size: (width, height) in pixels of the picture.
        colours: RGB of every label.
    """
    base = Image.fromarray(grey(projection.maximum, PROJECTION_WINDOW))
    picture = base.resize(size, Image.Resampling.BICUBIC).convert("RGB")
    density = 1.0 - np.exp(-projection.depth / THICK_MM)
    alpha = np.where(projection.depth > 0, THIN_ALPHA + (THICK_ALPHA - THIN_ALPHA) * density, 0.0)
    cover = Image.fromarray(np.rint(alpha * 255).astype(np.uint8))
    table = np.zeros((256, 3), dtype=np.uint8)
    for value, colour in colours.items():
        table[value] = colour
    # Nearest for the labels, which have no values in between; smooth for how dense they are.
    front = Image.fromarray(projection.front).resize(size, Image.Resampling.NEAREST)
    paint = Image.fromarray(table[np.asarray(front)])
    mask = np.asarray(cover.resize(size, Image.Resampling.BILINEAR)) * (np.asarray(front) > 0)
    picture.paste(paint, mask=Image.fromarray(mask.astype(np.uint8)))
    return picture
