"""One view as a picture: counts dark on white, and the regions over them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.slices import OVERSAMPLING, outline

#: How much of a region's colour stains what lies beneath.
STAIN = 0.4

#: An outline is the region's colour, this much of it: on white a light one would be lost.
INK = 0.62


def inverted_grey(counts: npt.NDArray[np.uint16], top: float) -> npt.NDArray[np.uint8]:
    """Counts as they are read in nuclear medicine: nothing is white, bone is dark.

    Args:
        counts: (Y, X) uint16.
        top: Counts from which on it is black, above 0.

    Returns:
        (Y, X) uint8, 255 where there are no counts.
    """
    shown = np.minimum(counts.astype(np.float32) / np.float32(top), 1.0)
    return np.asarray(np.rint(255.0 * (1.0 - shown)).astype(np.uint8))


def draw_view(grey: npt.NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """Draw a view alone, in RGB.

    Args:
        grey: (Y, X) uint8.
        size: (width, height) in pixels of the picture.
    """
    return Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")


def draw_regions(
    picture: Image.Image,
    labels: npt.NDArray[np.uint8],
    regions: npt.NDArray[np.uint8],
    colours: Mapping[int, Colour],
) -> Image.Image:
    """Stain every region with its label's colour and outline it.

    Args:
        picture: The view alone.
        labels: (Y, X) uint8.
        regions: (Y, X) uint8, numbers of the regions, so that two of one label stay apart.
        colours: RGB of every label.

    Returns:
        A new picture.
    """
    table = np.full((256, 3), 255, dtype=np.uint8)
    for value, colour in colours.items():
        table[value] = colour
    shown = np.asarray(_enlarged(labels, picture.size))
    stain = 1.0 - STAIN * (1.0 - table[shown] / 255.0)
    stained = Image.fromarray(np.rint(np.asarray(picture) * stain).astype(np.uint8))
    fine = (picture.width * OVERSAMPLING, picture.height * OVERSAMPLING)
    enlarged = np.asarray(_enlarged(regions, fine))
    for number in np.unique(regions[regions > 0]):
        red, green, blue = colours[int(labels[regions == number][0])]
        line = Image.fromarray(outline(enlarged == number).astype(np.uint8) * 255)
        ink = (round(INK * red), round(INK * green), round(INK * blue))
        stained.paste(ink, mask=line.resize(picture.size, Image.Resampling.BOX))
    return stained


def _enlarged(values: npt.NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(values)).resize(size, Image.Resampling.NEAREST)
