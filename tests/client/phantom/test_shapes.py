"""Distances of the phantom's shapes against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from osteoserve_client.phantom.canvas import BodyFrame, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import (
    Capsules,
    Loft,
    Profile,
    chain,
    ellipse,
    mirrored,
    rounded_box,
    smooth_path,
)

AXIS = (np.arange(200) - 99.5) * 1.0


@pytest.fixture
def canvas() -> SliceCanvas:
    frame = BodyFrame(PhantomParameters(), AXIS, AXIS, 1.0)
    blank = np.zeros((200, 200), dtype=np.float32)
    return SliceCanvas(frame, 1000.0, blank.copy(), (blank, blank, blank))


def test_ellipse_and_box_are_zero_on_the_surface_and_negative_inside() -> None:
    x = np.array([0.0, 30.0, 0.0, 29.0, 31.0, 0.0], dtype=np.float32)
    y = np.array([20.0, 0.0, 0.0, 0.0, 0.0, 21.0], dtype=np.float32)
    for shape in (ellipse, rounded_box):
        d = shape(x, y, 30.0, 20.0)
        assert d[:2] == pytest.approx([0, 0], abs=1e-3)
        assert d[3:] == pytest.approx([-1, 1, 1], abs=0.1)
    assert ellipse(x, y, 30.0, 20.0)[1] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("height", [0.0, 6.0, -8.0])
def test_a_short_rod_is_a_ball(canvas: SliceCanvas, height: float) -> None:
    field = canvas.field()
    Capsules([[10, -5, 1000 + height, 12, 10, -5, 1000 + height, 12]]).unite(canvas, field)
    taken = field.take()
    assert taken is not None
    box, distance = taken
    expected = np.sqrt((canvas.x[box] - 10) ** 2 + (canvas.y[box] + 5) ** 2 + height**2) - 12
    near = expected < 2
    assert near.any()
    assert distance[near] == pytest.approx(expected[near], abs=1e-3)


def test_a_rod_is_found_wherever_the_slice_cuts_it(canvas: SliceCanvas) -> None:
    # From (-60, 0, 970) to (60, 0, 1030): it crosses z = 1000 at x = 0.
    field = canvas.field()
    Capsules([[-60, 0, 970, 4, 60, 0, 1030, 4]]).unite(canvas, field)
    taken = field.take()
    assert taken is not None
    box, distance = taken
    inside = distance < 0
    assert canvas.x[box][inside].mean() == pytest.approx(0, abs=0.5)
    # The cut through a rod that rises by 1 in 2 is an ellipse of half-axes 4 sqrt(5) and 4.
    assert inside.sum() == pytest.approx(np.pi * 4 * 4 * np.sqrt(5), rel=0.06)


def test_a_rod_out_of_reach_draws_nothing(canvas: SliceCanvas) -> None:
    field = canvas.field()
    Capsules([[0, 0, 900, 5, 10, 0, 950, 5]]).unite(canvas, field)
    assert field.take() is None


def test_the_field_is_clean_after_it_was_taken(canvas: SliceCanvas) -> None:
    for _ in range(2):
        field = canvas.field()
        Capsules([[0, 0, 1000, 5, 0, 0, 1000, 5]]).unite(canvas, field)
        assert field.take() is not None
    assert canvas.field().take() is None


def test_a_plate_is_interpolated_between_its_sections() -> None:
    plate = Loft([(0.0, [(0, 0, 1), (10, 0, 3)]), (10.0, [(4, 2, 3), (14, 2, 5)])])
    assert plate.section(5.0).tolist() == [[2, 1, 2], [12, 1, 4]]
    assert plate.section(-3.0).tolist() == [[0, 0, 1], [10, 0, 3]]


def test_a_profile_is_constant_beyond_its_keys_and_smooth_between() -> None:
    profile = Profile([(0, 1), (100, 3)], smoothing_mm=5)
    assert profile(-50) == [1]
    assert profile(50) == pytest.approx([2])
    assert profile(500) == [3]
    with pytest.raises(ValueError, match="grow"):
        Profile([(0, 1), (0, 2)])


def test_paths_pass_through_their_points() -> None:
    points = [(0, 0, 0, 1), (10, 5, 0, 2), (20, 0, 10, 1)]
    path = smooth_path(points, 4)
    assert path[0] == [0, 0, 0, 1]
    assert path[4] == [10, 5, 0, 2]
    assert path[-1] == [20, 0, 10, 1]
    assert len(chain(path)) == len(path) - 1
    assert mirrored(mirrored(path)) == path


def test_bone_is_labelled_and_what_is_carved_from_it_is_not(canvas: SliceCanvas) -> None:
    from osteoserve_client.phantom.canvas import Bone

    whole = (slice(None), slice(None))
    radius = np.hypot(canvas.x, canvas.y)
    canvas.outline[:] = radius - 60
    canvas.paint_bone(whole, radius - 30, Bone(3.0, 1200.0, 100.0, 0.0, 0.0))
    canvas.carve(whole, radius - 8, 20.0)
    assert canvas.bone[radius < 6].max() == 0
    assert canvas.bone[(radius > 10) & (radius < 28)].min() == 1
    assert canvas.hu[(radius > 28) & (radius < 29)].min() > 1100
    assert canvas.hu[(radius > 12) & (radius < 24)] == pytest.approx(100)
