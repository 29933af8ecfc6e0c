"""Whatever the order of its axes, a volume gets the same mask in patient space, to the voxel."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Geometry, Volume

MODEL, BRIGHT, EDGE = "edges", 1, 2

Axes = tuple[int, int, int]
ORIENTATIONS = [
    (axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)
]


def reordered(array: Any, axes: Axes, flips: tuple[bool, ...]) -> Any:
    flipped = tuple(axis for axis, flip in enumerate(flips) if flip)
    return np.ascontiguousarray(np.flip(np.transpose(array, axes), flipped))


def reordered_volume(canonical: Volume, axes: Axes, flips: tuple[bool, ...]) -> Volume:
    """The same voxels at the same places, stored in another order; worked out by hand.

    Axis a of the new array runs along axis ``axes[a]`` of the canonical one, whose axes 0, 1, 2
    run along patient axes 2, 1, 0 (head, back, left).
    """
    geometry = canonical.geometry
    origin, direction = np.array(geometry.origin), np.zeros((3, 3))
    for a, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        patient_axis = 2 - axis
        direction[patient_axis, 2 - a] = -1.0 if flip else 1.0
        if flip:
            origin[patient_axis] += (geometry.shape[axis] - 1) * geometry.spacing[axis]
    shape = tuple(geometry.shape[axis] for axis in axes)
    spacing = tuple(geometry.spacing[axis] for axis in axes)
    return Volume(
        reordered(canonical.voxels, axes, flips),
        Geometry(shape, spacing, tuple(origin), direction),  # type: ignore[arg-type]
    )


@pytest.mark.slow
@pytest.mark.parametrize("stretcher", ["none", "body"])
def test_all_48_orientations_give_the_same_mask_in_patient_space(
    client: ServiceClient, volume: Volume, stretcher: str
) -> None:
    from osteoserve_client.service import preprocessing_options

    options = preprocessing_options(stretcher=stretcher)
    expected, report = client.segment(volume, model=MODEL, options=options)
    assert {BRIGHT, EDGE} <= set(np.unique(expected))
    # The law says nothing about a mask that looks the same when mirrored or turned.
    assert all(
        not np.array_equal(expected, reordered(expected, axes, flips))
        for axes, flips in ORIENTATIONS[1:]
    )
    for axes, flips in ORIENTATIONS:
        source = reordered_volume(volume, axes, flips)
        labels, own = client.segment(source, model=MODEL, options=options)
        assert np.array_equal(labels, reordered(expected, axes, flips)), (axes, flips)
        assert [m.voxels for m in own.labels] == [m.voxels for m in report.labels]
        assert [m.mean_hu for m in own.labels] == [m.mean_hu for m in report.labels]


def test_preprocessed_volumes_are_on_the_grid_of_the_request(
    client: ServiceClient, volume: Volume
) -> None:
    expected = client.preprocess(volume, model=MODEL)
    for axes, flips in ORIENTATIONS[::7]:
        answer = client.preprocess(reordered_volume(volume, axes, flips), model=MODEL)
        assert np.array_equal(answer.slices, reordered(expected.slices, axes, flips))
        mask = reordered(expected.stretcher_mask, axes, flips)
        assert np.array_equal(answer.stretcher_mask, mask)
