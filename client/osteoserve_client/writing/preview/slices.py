"""Axial slices with the mask's outline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.display import DisplayVolume
from osteoserve_client.writing.preview.grey import SLICE_WINDOW, grey

#: Outlines are drawn finer than the picture and averaged down, so that they look smooth.
OVERSAMPLING = 3


def choose_slices(volume: DisplayVolume, count: int) -> tuple[int, ...]:
    """Slices to show: evenly through those that hold a label, or through all where none does.

    Returns:
        Up to ``count`` indices along z, the one nearest the head first.
    """
    labelled = np.flatnonzero(volume.labels.any(axis=(1, 2)))
    if labelled.size:
        candidates = np.arange(labelled[0], labelled[-1] + 1)
    else:
        candidates = np.arange(len(volume.labels))
    # The middles of equal parts: ends of a volume show little.
    places = (np.arange(count) + 0.5) / count * candidates.size
    return tuple(int(k) for k in np.unique(candidates[places.astype(int)])[::-1])


def render_slice(
    volume: DisplayVolume, index: int, size: tuple[int, int], colours: Mapping[int, Colour]
) -> Image.Image:
    """Draw one axial slice as seen from the feet: the patient's right is the viewer's left.

    Args:
        volume: What is shown.
        index: Which slice, along z.
        size: (width, height) in pixels of the picture.
        colours: RGB of every label.
    """
    base = Image.fromarray(grey(volume.voxels[index], SLICE_WINDOW))
    picture = base.resize(size, Image.Resampling.BICUBIC).convert("RGB")
    labels = volume.labels[index]
    fine = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    enlarged = np.asarray(
        Image.fromarray(np.ascontiguousarray(labels)).resize(fine, Image.Resampling.NEAREST)
    )
    for value in np.unique(labels[labels > 0]):
        line = Image.fromarray(outline(enlarged == value).astype(np.uint8) * 255)
        picture.paste(colours[int(value)], mask=line.resize(size, Image.Resampling.BOX))
    return picture


def outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A line of four pixels that straddles the edge of a mask.

    Args:
        mask: (rows, columns) bool.

    Returns:
        (rows, columns) bool.
    """
    grown, shrunk = mask, ~mask
    for _ in range(2):
        grown, shrunk = _dilate(grown), _dilate(shrunk)
    return grown & shrunk


def _dilate(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
