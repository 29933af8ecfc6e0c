from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from osteoserve_client.writing.preview.display import RIM_MM, display_volume
from osteoserve_preprocessing.geometry import Geometry, Volume


def shown(factory, direction, labels=None):
    volume = Volume(factory.voxels(), factory.geometry(direction))
    return volume.geometry, display_volume(volume, factory.labels(1) if labels is None else labels)


def test_axes_grow_to_head_back_and_left_in_every_orientation(factory, orientation) -> None:
    # Mark a voxel by its label and compare its place in the patient with its place on display.
    geometry = factory.geometry(orientation)
    places = []
    for index in ((0, 0, 0), (4, 5, 6), (1, 4, 2)):
        labels = np.zeros(factory.shape, np.uint8)
        labels[index] = 1
        _, display = shown(factory, orientation, labels)
        lps = (geometry.affine @ (*index[::-1], 1))[:3]
        places.append((lps, np.argwhere(display.labels)[0] * display.spacing))
    for (lps, place), (other_lps, other_place) in pairwise(places):
        assert np.allclose((other_lps - lps)[::-1], other_place - place)


def test_nothing_is_lost_or_moved_apart(factory, orientation) -> None:
    _, display = shown(factory, orientation)
    labels = factory.labels(1)
    inside = np.sort(factory.voxels()[labels == 1])
    assert np.array_equal(np.sort(display.voxels[display.labels == 1]), inside)


def test_heights_are_those_of_the_slices(factory, orientation) -> None:
    geometry, display = shown(factory, orientation)
    assert np.allclose(np.diff(display.heights), display.spacing[0])
    corners = [geometry.affine @ (i, j, k, 1) for k in (0, 4) for j in (0, 5) for i in (0, 6)]
    assert display.heights[0] == pytest.approx(min(corner[2] for corner in corners))


def test_slices_keep_the_number_they_have_in_the_study(factory) -> None:
    _, head_first = shown(factory, np.eye(3))
    assert head_first.source_slices == (0, 1, 2, 3, 4)
    _, downwards = shown(factory, np.diag([1.0, -1.0, -1.0]))
    assert downwards.source_slices == (4, 3, 2, 1, 0)
    _, sagittal = shown(factory, np.eye(3)[:, [1, 2, 0]])
    assert sagittal.source_slices == ()


@pytest.mark.parametrize("degrees", [0.0, 12.0, 40.0])
def test_oblique_axes_go_to_the_nearest_and_say_how_far_off_they_are(factory, degrees) -> None:
    turn = np.radians(degrees)
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    _, display = shown(factory, rotation)
    assert display.obliquity == pytest.approx(degrees, abs=1e-5)
    assert np.array_equal(display.labels, factory.labels(1))


def test_cropping_takes_air_alone_and_leaves_a_rim() -> None:
    voxels = np.full((3, 60, 80), -1000, np.int16)
    voxels[1, 30, 40] = 50
    labels = np.zeros(voxels.shape, np.uint8)
    labels[2, 35, 20] = 1
    volume = Volume(voxels, Geometry(voxels.shape, (5.0, 1.0, 2.0)))
    cropped = display_volume(volume, labels).cropped()
    rows, columns = int(RIM_MM), int(RIM_MM / 2)
    assert cropped.labels.shape == (3, 6 + 2 * rows, 21 + 2 * columns)
    assert np.argwhere(cropped.labels).tolist() == [[2, rows + 5, columns]]
    assert cropped.voxels[1, rows, columns + 20] == 50


def test_air_throughout_is_not_cropped_away() -> None:
    voxels = np.full((3, 6, 8), -1000, np.int16)
    volume = Volume(voxels, Geometry(voxels.shape, (5.0, 1.0, 2.0)))
    cropped = display_volume(volume, np.zeros(voxels.shape, np.uint8)).cropped()
    assert cropped.voxels.shape == voxels.shape
