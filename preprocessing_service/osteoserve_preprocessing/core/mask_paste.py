"""From the small mask in each box to masks in the grid of the image (He 2017, "Inference")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Cells of zeros around a mask, so that its contour can close at the edge of its box.
PADDING = 1
#: Probability above which a pixel belongs to the detection.
THRESHOLD = 0.5

Float = npt.NDArray[np.float32]


def paste_masks(boxes: Float, masks: Float, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Enlarge masks to their boxes and cut them at one half, as torchvision does.

    A box is first made larger by the padding around its mask, then its corners are cut down to
    whole pixels, and the mask is interpolated between the centres of its cells.

    Args:
        boxes: (K, 4) float32, x1, y1, x2, y2 in pixels of the grid; edges, not centres.
        masks: (K, M, M) float32, probability 0..1 in M x M cells of each box, rows from above.
        shape: (H, W) of the grid, pixels.

    Returns:
        (K, H, W) bool.

    Raises:
        ValueError: The shapes do not fit each other, or a box is not finite.
    """
    count, cells = masks.shape[0], masks.shape[-1]
    if boxes.shape != (count, 4) or masks.shape != (count, cells, cells):
        raise ValueError(f"boxes {boxes.shape} and masks {masks.shape} do not belong together")
    if not np.isfinite(boxes).all():
        raise ValueError("a box is not finite")
    pasted = np.zeros((count, *shape), dtype=np.bool_)
    padded = np.pad(masks, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    enlarged = _enlarge(boxes.astype(np.float32), np.float32((cells + 2 * PADDING) / cells))
    for grid, mask, (x1, y1, x2, y2) in zip(pasted, padded, enlarged, strict=True):
        rows, down = _interpolation(int(y1), int(y2), shape[0], mask.shape[0])
        columns, across = _interpolation(int(x1), int(x2), shape[1], mask.shape[1])
        grid[rows, columns] = down @ mask @ across.T > THRESHOLD
    return pasted


def _enlarge(boxes: Float, scale: np.float32) -> npt.NDArray[np.int64]:
    """(K, 4) int64: boxes grown about their centres, corners cut down towards zero."""
    low, high = boxes[:, :2], boxes[:, 2:]
    half, centre = (high - low) * np.float32(0.5) * scale, (high + low) * np.float32(0.5)
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.int64)


def _interpolation(first: int, last: int, length: int, cells: int) -> tuple[slice, Float]:
    """How a mask's cells are spread along one axis of the grid.

    Args:
        first: First pixel of the box.
        last: Its last pixel, which belongs to it.
        length: Of the grid, pixels.
        cells: Of the mask.

    Returns:
        The pixels of the box that lie in the grid, and (pixels, cells) float32, what each cell
        contributes to each of them.
    """
    size = max(last - first + 1, 1)
    start, stop = max(first, 0), max(min(last + 1, length), 0)
    pixels = np.arange(start, max(start, stop), dtype=np.float32) - first
    # Centres lie half a cell, or pixel, from the edges.
    place = np.maximum((pixels + np.float32(0.5)) * np.float32(cells / size) - np.float32(0.5), 0)
    before = np.minimum(place.astype(np.int64), cells - 1)
    after = np.minimum(before + 1, cells - 1)
    share = (place - before).astype(np.float32)
    weights = np.zeros((pixels.size, cells), dtype=np.float32)
    each = np.arange(pixels.size)
    np.add.at(weights, (each, before), 1.0 - share)
    np.add.at(weights, (each, after), share)
    return slice(start, start + pixels.size), weights
