"""Outlines of bones in a projection, as one would draw them: closed, filled, smooth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK

from osteoserve_client.phantom.scintigraphy.cloud import Array

Mask = npt.NDArray[np.bool_]


def drawn_around(
    rows: Array, columns: Array, shape: tuple[int, int], *, bridge: int = 3, filled: bool = True
) -> Mask:
    """(Y, X) the outline of points that fill a bone.

    Args:
        rows: (N,) rows of the points; points outside the image do not count.
        columns: (N,) columns.
        shape: Rows and columns of the image.
        bridge: Gaps of up to twice this many pixels are closed.
        filled: Whether holes are filled.
    """
    hit = np.zeros(shape, dtype=np.uint8)
    j, i = np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)
    inside = (j >= 0) & (j < shape[0]) & (i >= 0) & (i < shape[1])
    hit[j[inside], i[inside]] = 1
    if not hit.any():
        return hit.astype(np.bool_)
    box = _box(hit, margin=bridge + 6)
    image = SimpleITK.GetImageFromArray(np.pad(hit[box], bridge + 6))
    image = SimpleITK.BinaryMorphologicalClosing(image, [bridge, bridge], SimpleITK.sitkBall, 1)
    if filled:
        image = SimpleITK.BinaryFillhole(image, False, 1)
    return _back(smooth(SimpleITK.GetArrayFromImage(image)), bridge + 6, box, shape)


def between_edges(rows: Array, columns: Array, shape: tuple[int, int]) -> Mask:
    """(Y, X) everything from the highest to the lowest point of each column: a rib cage's outline.

    Args:
        rows: (N,) rows of the points.
        columns: (N,) columns.
        shape: Rows and columns of the image.
    """
    i = np.rint(columns).astype(np.int64)
    low = int(i.min())
    top, bottom = np.full(int(np.ptp(i)) + 1, np.inf), np.full(int(np.ptp(i)) + 1, -np.inf)
    np.minimum.at(top, i - low, rows)
    np.maximum.at(bottom, i - low, rows)
    known = np.flatnonzero(np.isfinite(top))
    across = np.arange(len(top))
    # A moving mean takes the steps out of the edges, which single rib ends make.
    top = _moving_mean(np.interp(across, known, top[known]))
    bottom = _moving_mean(np.interp(across, known, bottom[known]))
    mask = np.zeros(shape, dtype=np.bool_)
    seen = (across + low >= 0) & (across + low < shape[1])
    down = np.arange(shape[0])[:, None]
    mask[:, across[seen] + low] = (down >= top[seen]) & (down <= bottom[seen])
    return mask


def smooth(mask: npt.NDArray[np.generic]) -> Mask:
    """(Y, X) the mask with its edge smoothed over a pixel or two."""
    image = SimpleITK.GetImageFromArray(mask.astype(np.float32))
    blurred = SimpleITK.GetArrayFromImage(SimpleITK.DiscreteGaussian(image, [1.5, 1.5]))
    edge: Mask = blurred > 0.45
    return edge


def _moving_mean(values: Array, width: int = 7) -> Array:
    padded = np.pad(values, width // 2, mode="edge")
    mean: Array = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    return mean


def _box(hit: npt.NDArray[np.uint8], margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def _back(mask: Mask, padding: int, box: tuple[slice, slice], shape: tuple[int, int]) -> Mask:
    whole = np.zeros(shape, dtype=np.bool_)
    whole[box] = mask[padding:-padding, padding:-padding]
    return whole
