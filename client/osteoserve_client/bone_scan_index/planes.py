"""From masks as they lie in files onto the views of a scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import HotSpotsError, UsageError
from osteoserve_client.scintigram import PlanarView, Scintigram, View

Mask = npt.NDArray[np.bool_]
Placed = tuple[View, Mask]


def place_frame(
    scan: Scintigram, file: int, frame: int, plane: Mask, name: str
) -> Iterator[Placed]:
    """A mask of a whole stored frame, on each view that the frame shows.

    Args:
        scan: Whose hot spots they are.
        file: Index into the scan's files.
        frame: Number of the frame in that file, from 1.
        plane: (rows, columns) bool, as the frame is stored.
        name: How messages call the mask.

    Yields:
        The view, and (Y, X) bool on its grid.

    Raises:
        HotSpotsError: The frame has another size.
    """
    _check(plane, scan.stored_shapes[file], name)
    for view in scan.views:
        if (view.file, view.frame) == (file, frame):
            columns = slice(view.first_column, view.first_column + view.counts.shape[1])
            # The flips that lead to the stored frame lead back from it.
            yield view.view, view.as_stored(plane[:, columns])


def place_planes(
    scan: Scintigram, planes: Sequence[Mask], view: View | None, name: str
) -> Iterator[Placed]:
    """Masks that say of themselves neither view nor frame, each on its view.

    Args:
        scan: Whose hot spots they are.
        planes: (rows, columns) bool each, as the frames are stored: the part of the frame that
            shows a view, or whole frames; in the order of files, frames, and columns.
        view: Which view the only plane is; None where that is plain.
        name: How messages call the mask.

    Yields:
        The view, and (Y, X) bool on its grid.

    Raises:
        HotSpotsError: Number or size of the planes do not fit the scan.
        UsageError: The scan does not have the view, or which one is meant must be said.
    """
    views = sorted(scan.views, key=lambda each: (each.file, each.frame, each.first_column))
    frames = list(dict.fromkeys((each.file, each.frame) for each in views))
    if view is not None:
        if all(each.view != view for each in views):
            raise UsageError(f"{name}: the scan has no {view} view")
        views, frames = [scan[view]], []
    if len(planes) == len(views) and planes[0].shape == views[0].counts.shape:
        yield from (_as_seen(each, plane) for each, plane in zip(views, planes, strict=True))
        return
    if len(planes) == len(frames):
        for (file, frame), plane in zip(frames, planes, strict=True):
            yield from place_frame(scan, file, frame, plane, name)
        return
    if len(planes) == 1 and view is None:
        raise UsageError(
            f"{name}: is one image and the scan has two views; say which it is: "
            "--hotspots anterior=FILE or --hotspots posterior=FILE"
        )
    if len(planes) != len(views):
        raise HotSpotsError(
            f"{name}: has {len(planes)} slices where {len(views)} would fit, one for each view"
        )
    _check(planes[0], views[0].counts.shape, name)


def _as_seen(view: PlanarView, plane: Mask) -> Placed:
    return view.view, view.as_stored(plane)


def _check(plane: Mask, shape: tuple[Any, ...], name: str) -> None:
    if plane.shape != shape:
        rows, columns = plane.shape
        raise HotSpotsError(
            f"{name}: has {rows} rows and {columns} columns, the scan {shape[0]} and {shape[1]}"
        )
