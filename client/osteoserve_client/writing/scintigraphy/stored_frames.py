"""From views as a detector sees the patient to frames as the files hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_client.scintigram import Scintigram, View


@dataclass(frozen=True, eq=False)
class StoredFrame:
    """One frame of a file, with the labels of the views that it shows.

    Args:
        file: Index into ``Scintigram.datasets``.
        frame: Number of the frame in that file, from 1.
        views: What it shows; two where both lie side by side.
        labels: (rows, columns) uint8, on exactly the stored frame.
    """

    file: int
    frame: int
    views: tuple[View, ...]
    labels: npt.NDArray[np.uint8]


def stored_frames(scan: Scintigram, labels: npt.NDArray[np.uint8]) -> tuple[StoredFrame, ...]:
    """Turn labels onto the frames of their files.

    Args:
        scan: Whose labels they are.
        labels: (V, Y, X) uint8, on the views, in their order.

    Returns:
        The frames that show a view, in the order of files and frames.
    """
    frames: dict[tuple[int, int], StoredFrame] = {}
    for view, own in zip(scan.views, labels, strict=True):
        place = (view.file, view.frame)
        empty = StoredFrame(*place, (), np.zeros(scan.stored_shapes[view.file], dtype=np.uint8))
        before = frames.get(place, empty)
        stored = before.labels.copy()
        stored[:, view.first_column : view.first_column + own.shape[1]] = view.as_stored(own)
        frames[place] = StoredFrame(*place, (*before.views, view.view), stored)
    return tuple(frames[place] for place in sorted(frames))
