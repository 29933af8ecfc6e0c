"""Labels in the place of a volume's voxels: no voxel is lost before it was counted."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from osteoserve_preprocessing.core import LabelMap, Orientation, measure_labels
from osteoserve_preprocessing.geometry import Geometry

NAMES = {1: "bone", 3: "patient"}
ORIENTATIONS = [
    Orientation(axes, flips)
    for axes in permutations(range(3))
    for flips in product((False, True), repeat=3)
]


def parts(count: int) -> list[range]:
    return [range(first, min(first + 3, count)) for first in range(0, count, 3)]


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_labels_and_measures_are_those_of_the_whole_map(
    orientation: Orientation, elsewhere: bool
) -> None:
    rng = np.random.default_rng(7)
    voxels = rng.integers(-2000, 3000, (7, 5, 4), dtype=np.int16)  # on the source's grid
    labels = rng.choice(np.array([0, 1, 3], np.uint8), voxels.shape)
    labels[:, 0] = 0
    geometry = Geometry(voxels.shape, (3.0, 2.0, 1.0))
    canonical = orientation.apply(labels)
    place = np.full_like(labels, 9) if elsewhere else None
    stored = orientation.apply(voxels).copy()
    stored.flags.writeable = not elsewhere
    found = LabelMap(stored, orientation, geometry, NAMES, place)
    for part in reversed(parts(len(canonical))):
        found.put(part, canonical[part.start : part.stop])
    assert np.array_equal(found.whole(), labels)
    assert place is None or np.array_equal(place, labels)
    assert found.measures() == measure_labels(labels, voxels, geometry, NAMES)


def test_a_slice_without_labels_is_never_shown() -> None:
    voxels = np.full((4, 2, 2), 257, np.int16)
    identity = Orientation((0, 1, 2), (False, False, False))
    found = LabelMap(voxels, identity, Geometry(voxels.shape, (1.0, 1.0, 1.0)), NAMES)
    found.put(range(3), np.ones((3, 2, 2), np.uint8))
    with pytest.raises(RuntimeError, match="1 slices have no labels"):
        found.whole()
    found.clear(range(3, 4))
    assert [int(slice_.sum()) for slice_ in found.whole()] == [4, 4, 4, 0]


def test_a_slice_is_labelled_once() -> None:
    voxels = np.zeros((2, 2, 2), np.int16)
    identity = Orientation((0, 1, 2), (False, False, False))
    found = LabelMap(voxels, identity, Geometry(voxels.shape, (1.0, 1.0, 1.0)), NAMES)
    found.clear(range(2))
    with pytest.raises(RuntimeError, match="have labels already"):
        found.put(range(1), np.ones((1, 2, 2), np.uint8))
