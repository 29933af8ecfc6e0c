from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.core import Orientation, canonical_orientation
from osteoserve_preprocessing.errors import GeometryError
from osteoserve_preprocessing.geometry import Geometry, Volume

ALL_48 = [
    Orientation(axes, flips)
    for axes in permutations(range(3))
    for flips in product((False, True), repeat=3)
]


def canonical_volume() -> Volume:
    voxels = np.arange(4 * 3 * 5, dtype=np.int16).reshape(4, 3, 5)
    return Volume(voxels, Geometry(voxels.shape, (2.5, 0.8, 0.7), (-10.0, 20.0, 300.0)))


def as_stored(canonical: Volume, orientation: Orientation) -> Volume:
    """The study that ``orientation`` brings to the canonical volume, worked out the long way."""
    voxels = np.ascontiguousarray(orientation.restore(canonical.voxels))
    spacing, columns = [0.0] * 3, [np.zeros(3)] * 3
    corner = [0, 0, 0]  # canonical (z, y, x) index of the stored array's first voxel
    for axis, (stored_axis, flip) in enumerate(
        zip(orientation.axes, orientation.flips, strict=True)
    ):
        spacing[stored_axis] = canonical.geometry.spacing[axis]
        unit = np.zeros(3)
        unit[2 - axis] = -1.0 if flip else 1.0
        columns[2 - stored_axis] = unit
        corner[axis] = canonical.voxels.shape[axis] - 1 if flip else 0
    z, y, x = corner
    origin = canonical.geometry.affine @ np.array([x, y, z, 1.0])
    geometry = Geometry(voxels.shape, tuple(spacing), tuple(origin[:3]), np.stack(columns, axis=1))
    return Volume(voxels, geometry)


@pytest.mark.parametrize("orientation", ALL_48)
def test_every_orientation_becomes_the_same_volume(orientation: Orientation) -> None:
    canonical = canonical_volume()
    stored = as_stored(canonical, orientation)
    found = canonical_orientation(stored.geometry)
    assert found == orientation
    volume = found.volume(stored)
    assert np.array_equal(volume.voxels, canonical.voxels)
    assert volume.geometry.matches(canonical.geometry)
    assert volume.voxels.flags.c_contiguous
    assert np.array_equal(found.restore(volume.voxels), stored.voxels)


@given(
    orientation=st.sampled_from(ALL_48),
    shape=st.tuples(*[st.integers(1, 5)] * 3),
)
def test_restore_undoes_apply(orientation: Orientation, shape: tuple[int, int, int]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    assert np.array_equal(orientation.restore(orientation.apply(array)), array)
    assert np.array_equal(orientation.apply(orientation.restore(array)), array)


@given(orientation=st.sampled_from(ALL_48), degrees=st.floats(0, 25), index=st.integers(0, 59))
def test_a_voxel_stays_where_it_is_in_an_oblique_patient(
    orientation: Orientation, degrees: float, index: int
) -> None:
    stored = as_stored(canonical_volume(), orientation)
    turn = np.radians(degrees)
    rotation = np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    g = stored.geometry
    geometry = Geometry(g.shape, g.spacing, g.origin, rotation @ g.direction)
    canonical = orientation.volume(Volume(stored.voxels, geometry))
    k, j, i = np.argwhere(stored.voxels == index)[0]
    c, b, a = np.argwhere(canonical.voxels == index)[0]
    before = geometry.affine @ (i, j, k, 1)
    assert np.allclose(canonical.geometry.affine @ (a, b, c, 1), before, atol=1e-9)


def test_a_feet_first_study_by_hand() -> None:
    # Slices run from the head down, columns to the right: the origin is the voxel that is
    # furthest to the right and down, 3 mm * 4 columns and 5 mm * 2 slices from the stored one.
    geometry = Geometry((3, 2, 5), (5.0, 2.0, 3.0), (100.0, 10.0, 50.0), np.diag([-1.0, 1.0, -1.0]))
    orientation = canonical_orientation(geometry)
    assert orientation == Orientation((0, 1, 2), (True, False, True))
    canonical = orientation.geometry(geometry)
    assert canonical.origin == (88.0, 10.0, 40.0)
    assert np.array_equal(canonical.direction, np.eye(3))


def test_a_sagittal_study_by_hand() -> None:
    # Rows run down the patient, columns to the back, slices from left to right.
    direction = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    geometry = Geometry((4, 6, 5), (3.0, 1.0, 2.0), (30.0, 0.0, 0.0), direction)
    orientation = canonical_orientation(geometry)
    assert orientation == Orientation(axes=(1, 2, 0), flips=(True, False, True))
    canonical = orientation.geometry(geometry)
    assert canonical.shape == (6, 5, 4)
    assert canonical.spacing == (1.0, 2.0, 3.0)
    assert canonical.origin == (21.0, 0.0, -5.0)


@pytest.mark.parametrize(("degrees", "ok"), [(29.9, True), (30.1, False), (45.0, False)])
def test_an_axis_between_two_patient_axes_is_refused(degrees: float, ok: bool) -> None:
    turn = np.radians(degrees)
    direction = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    geometry = Geometry((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), direction)
    if ok:
        assert canonical_orientation(geometry).is_identity
    else:
        with pytest.raises(GeometryError, match=r"axis i .* degrees off .* left axis"):
            canonical_orientation(geometry)


def test_axes_must_be_a_permutation() -> None:
    with pytest.raises(GeometryError, match="no orientation"):
        Orientation((0, 0, 2), (False, False, False))
