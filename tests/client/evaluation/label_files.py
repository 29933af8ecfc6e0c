"""Small label maps on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK
from PIL import Image

from osteoserve_preprocessing.geometry import Geometry

Labels = npt.NDArray[np.uint8]
SHAPE = (4, 5, 6)


def random_labels(seed: int, *values: int) -> Labels:
    """(4, 5, 6) that no flip or permutation maps onto itself."""
    choices = np.array([0, 0, *(values or (1, 2))], dtype=np.uint8)
    return np.random.default_rng(seed).choice(choices, SHAPE)


def geometry(direction: npt.NDArray[np.float64] | None = None) -> Geometry:
    return Geometry(
        SHAPE,
        (2.5, 0.75, 0.5),
        (-12.5, 30.25, -700.0),
        np.eye(3) if direction is None else direction,
    )


def write_volume(
    path: Path, labels: npt.NDArray[np.generic], place: Geometry | None = None
) -> Path:
    """Write labels in the format of the path's suffix, compressed unless its name says raw."""
    place = place or geometry()
    image = SimpleITK.GetImageFromArray(labels)
    image.SetSpacing(place.spacing[::-1])
    image.SetOrigin(place.origin)
    image.SetDirection(place.direction.ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), useCompression="raw" not in path.name)
    return path


def write_views(folder: Path, **views: Labels) -> Path:
    """Write a bone scan's label maps under the names that ``osteoserve segment`` gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for view, labels in views.items():
        Image.fromarray(labels).save(folder / f"labels_{view}.png")
    return folder
