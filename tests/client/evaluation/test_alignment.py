from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from osteoserve_client.errors import GridMismatchError
from osteoserve_client.evaluation.alignment import aligned
from osteoserve_client.evaluation.label_maps import LabelPlane, LabelPlanes, LabelVolume
from osteoserve_preprocessing.geometry import Geometry
from tests.client.evaluation.label_files import geometry, random_labels

ORIENTATIONS = list(product(permutations(range(3)), product((False, True), repeat=3)))


def stored(volume, axes, flips):
    """The same voxels at the same places with the axes permuted and reversed."""
    source = volume.geometry
    columns, origin, step = [], np.array(source.origin), source.direction * source.spacing[::-1]
    for axis, flip in zip(axes, flips, strict=True):
        column = 2 - axis
        if flip:
            origin = origin + step[:, column] * (source.shape[axis] - 1)
        columns.append(source.direction[:, column] * (-1 if flip else 1))
    place = Geometry(
        tuple(source.shape[axis] for axis in axes),
        tuple(source.spacing[axis] for axis in axes),
        tuple(origin),
        np.stack(columns[::-1], axis=1),
    )
    flipped = [n for n, flip in enumerate(flips) if flip]
    return LabelVolume(np.flip(volume.labels.transpose(axes), flipped), place)


def planes_of(volume):
    """Its slices as frames of a DICOM segmentation, empty ones left out, in no order."""
    planes = []
    for k, labels in enumerate(volume.labels):
        affine = volume.geometry.affine
        affine[:3, 3] = (affine @ (0, 0, k, 1))[:3]
        affine[:3, 2] = np.cross(volume.geometry.direction[:, 0], volume.geometry.direction[:, 1])
        planes += [
            LabelPlane(int(value), labels == value, affine)
            for value in np.unique(labels[labels > 0])
        ]
    return LabelPlanes(tuple(planes[::-1]))


@pytest.fixture
def volume():
    labels = random_labels(1)
    labels[1] = 0
    return LabelVolume(labels, geometry())


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_storage_axes_do_not_matter(volume, axes, flips):
    true, found, place = aligned(volume, stored(volume, axes, flips), "study")
    assert place is volume.geometry
    assert np.array_equal(true, volume.labels)
    assert np.array_equal(found, volume.labels)


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_planes_lie_where_they_say(volume, axes, flips):
    turned = stored(volume, axes, flips)
    true, found, _ = aligned(volume, planes_of(turned), "study")
    assert np.array_equal(found, true)
    true, found, place = aligned(planes_of(turned), volume, "study")
    assert np.array_equal(found, true)
    assert place is volume.geometry


def test_a_rotation_by_hand():
    # Rows and columns exchanged: the same voxel is [k, j, i] here and [k, i, j] there.
    labels = np.zeros((1, 2, 3), np.uint8)
    labels[0, 1, 2] = 7
    here = LabelVolume(labels, Geometry((1, 2, 3), (3, 2, 1)))
    swapped = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
    there = LabelVolume(
        labels.transpose(0, 2, 1), Geometry((1, 3, 2), (3, 1, 2), direction=swapped)
    )
    _, found, _ = aligned(here, there, "study")
    assert np.argwhere(found).tolist() == [[0, 1, 2]]


def test_rounded_headers_are_forgiven_and_half_voxels_are_not(volume):
    def moved(mm):
        x, y, z = volume.geometry.origin
        place = Geometry(volume.labels.shape, volume.geometry.spacing, (x + mm, y, z))
        return LabelVolume(volume.labels, place)

    assert np.array_equal(aligned(volume, moved(0.04), "study")[1], volume.labels)
    for mm in (0.06, 0.25, 0.5, 5.0):
        with pytest.raises(GridMismatchError, match=r"study: .*same voxels"):
            aligned(volume, moved(mm), "study")


@pytest.mark.parametrize(
    ("shape", "spacing", "direction"),
    [
        ((4, 5, 7), (2.5, 0.75, 0.5), np.eye(3)),
        ((4, 5, 6), (2.5, 0.75, 0.55), np.eye(3)),
        ((4, 5, 6), (2.5, 0.75, 0.5), np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])),
    ],
    ids=["size", "spacing", "rotation"],
)
def test_another_grid_is_refused(volume, shape, spacing, direction):
    place = Geometry(shape, spacing, volume.geometry.origin, direction)
    with pytest.raises(GridMismatchError):
        aligned(volume, LabelVolume(np.zeros(shape, np.uint8), place), "study")


def test_planes_outside_the_grid_are_refused(volume):
    (plane, *_) = planes_of(volume).planes
    affine = plane.affine.copy()
    affine[2, 3] += 25
    with pytest.raises(GridMismatchError, match="same voxels"):
        aligned(volume, LabelPlanes((LabelPlane(1, plane.mask, affine),)), "study")


def test_overlapping_segments_are_refused(volume):
    (plane, *_) = planes_of(volume).planes
    twice = LabelPlanes((plane, LabelPlane(9, plane.mask, plane.affine)))
    with pytest.raises(GridMismatchError, match="overlap"):
        aligned(volume, twice, "study")


def test_two_segmentations_have_no_grid(volume):
    planes = planes_of(volume)
    with pytest.raises(GridMismatchError, match="NIfTI"):
        aligned(planes, planes, "study")
