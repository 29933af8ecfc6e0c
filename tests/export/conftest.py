"""Small studies and networks for the tests of the export package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from osteoserve_export.training.pairs import TrainingPair
from osteoserve_preprocessing.geometry import Geometry, Volume


def tube_pair(slices: int = 6, *, spacing: float = 1.0, ignored: bool = False) -> TrainingPair:
    """A body of water with an off-centre tube of bone; target known everywhere unless ignored."""
    y, x = np.mgrid[:80, :80]
    body = (y - 40) ** 2 + (x - 40) ** 2 < 36**2
    bone = (y - 30) ** 2 + (x - 52) ** 2 < 9**2
    plane = np.where(bone, 700, np.where(body, 40, -1000)).astype(np.int16)
    target = bone.astype(np.uint8)
    if ignored:
        target[60:, :] = 255
    geometry = Geometry(shape=(slices, 80, 80), spacing=(3.0, spacing, spacing))
    volume = Volume(np.repeat(plane[None], slices, axis=0), geometry)
    return TrainingPair("tube", volume, np.repeat(target[None], slices, axis=0))


@pytest.fixture
def tube() -> TrainingPair:
    return tube_pair()


@pytest.fixture
def write_image(tmp_path: Path):
    """Writes an array as an image file with spacing (x, y, z), origin and direction."""

    def write(array, name, *, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
        image = SimpleITK.GetImageFromArray(array)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        if direction is not None:
            image.SetDirection(np.asarray(direction, dtype=float).ravel())
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        SimpleITK.WriteImage(image, str(path))
        return path

    return write
