"""The camera against numbers worked out by hand; clouds of points against volumes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from osteoserve_client.phantom.scintigraphy import VIEWS, ScintigraphyParameters
from osteoserve_client.phantom.scintigraphy.camera import Camera, Posed
from osteoserve_client.phantom.scintigraphy.cloud import (
    even_in_one,
    fill_column,
    fill_ellipsoid,
    fill_plate,
    fill_rods,
    other_side,
)
from osteoserve_client.phantom.shapes import Loft

SCAN = ScintigraphyParameters(pixel_spacing_mm=2.0, top_mm=100.0, gaps_mm=(40.0, 40.0))
SHAPE = (400, 200)
# Height 1500 mm: 100 + 1720 - 1500 = 320 mm below the first row. Legs' height: no lung there.
HIGH, LOW = 1500.0, 1100.0


def point(x: float, y: float, z: float, activity: float = 1.0) -> Posed:
    return Posed(np.array([[x, y, z]]), np.array([activity]))


#: A body from y = -100 to y = 100 about both points.
BODY = [point(x, y, z) for x in (0.0, 60.0) for y in (-100.0, 100.0) for z in (HIGH, LOW)]


def centre(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    return float((image * rows).sum() / image.sum()), float((image * columns).sum() / image.sum())


@pytest.mark.parametrize(("view", "at"), [("anterior", 129.5), ("posterior", 69.5)])
def test_a_point_falls_on_the_pixel_worked_out_by_hand(view: str, at: float) -> None:
    camera = Camera(SCAN, BODY, SHAPE)
    image = camera.project([point(60.0, 0.0, HIGH)], view)
    row, column = centre(image)
    # (100 + 1720 - 1500) / 2 rows down; 60 mm to the patient's left of the middle, column 99.5.
    assert row == pytest.approx(160.0, abs=0.01)
    assert column == pytest.approx(at, abs=0.01)


def test_depth_weakens_as_the_law_of_attenuation_says() -> None:
    camera = Camera(SCAN, BODY, SHAPE)
    near, deep = (camera.project([point(0, y, LOW)], "anterior").sum() for y in (-100.0, 60.0))
    assert near == pytest.approx(1.0, rel=5e-3)
    assert deep == pytest.approx(math.exp(-0.0125 * 160), rel=5e-3)
    mirrored = camera.project([point(0, 60.0, LOW)], "posterior").sum()
    assert mirrored == pytest.approx(math.exp(-0.0125 * 40), rel=5e-3)


def test_distance_blurs_as_a_collimator_does() -> None:
    camera = Camera(SCAN, BODY, SHAPE)
    # Low energy, high resolution: 7.4 mm at 100 mm, as data sheets say.
    assert camera.sigma_mm(100.0) * 2.3548 == pytest.approx(7.45, abs=0.1)
    for y, distance in ((-100.0, 40.0), (60.0, 200.0)):
        image = camera.project([point(0, y, LOW)], "anterior")
        row = (100 + 1720 - LOW) / 2
        near = image[round(row) - 9 : round(row) + 10].sum(axis=1)
        spread = (near * np.square(np.arange(-9, 10))).sum() / near.sum()
        # The blur is that of a slab of 45 mm.
        low, high = (camera.sigma_mm(distance + d) for d in (-22.5, 22.5))
        assert low <= math.sqrt(spread) * 2.0 <= high


def test_scatter_keeps_the_counts_and_leaves_a_trace_everywhere() -> None:
    camera = Camera(SCAN, BODY, SHAPE)
    image = camera.project([point(0, 0, HIGH, 1e4)], "anterior")
    strewn = camera.scattered(image)
    assert strewn.sum() == pytest.approx(1.004 * image.sum(), rel=1e-6)
    assert strewn.min() > 0
    assert strewn.max() < image.max()


def test_clouds_add_up_whatever_their_grouping() -> None:
    camera = Camera(SCAN, BODY, SHAPE)
    wide = Posed(np.array([[30.0, 10.0, HIGH]]), np.array([3.0]), 5.0)
    clouds = [point(0, 0, HIGH), wide, point(50, 20, LOW, 2.0)]
    for view in VIEWS:
        together = camera.project(clouds, view)
        apart = sum(camera.project([c], view) for c in clouds)
        assert together == pytest.approx(apart, abs=1e-9)


def test_fillings_hold_the_volume_of_their_shapes() -> None:
    rod = fill_rods([[0, 0, 0, 10, 0, 0, 100, 10]], 2.0)[1].sum()
    assert rod == pytest.approx(2 * math.pi * 100 * 100)
    pipe = fill_rods([[0, 0, 0, 10, 60, 0, 80, 10]], 1.0, hollow=0.5)[1].sum()
    assert pipe == pytest.approx(math.pi * 100 * 0.75 * 100)
    ball = fill_ellipsoid((0, 0, 0), (10, 20, 30), 1.0)[1].sum()
    assert ball == pytest.approx(4 / 3 * math.pi * 6000)
    column = fill_column(lambda _: (20.0, 10.0, 5.0, -5.0), 0, 50, 1.0)[1].sum()
    assert column == pytest.approx(math.pi * 200 * 50)
    flat = [(0, 0, 2), (50, 0, 2), (100, 0, 2)]
    plate = fill_plate(Loft([(0.0, flat), (40.0, flat)]), 0, 40, 1.0)[1].sum()
    assert plate == pytest.approx(4 * 100 * 40, rel=0.01)


def test_points_lie_inside_and_evenly() -> None:
    points, activity = fill_ellipsoid((1, 2, 3), (10, 20, 30), 1.0, count=4000)
    scaled = (points - np.array([1, 2, 3])) / np.array([10, 20, 30])
    assert np.linalg.norm(scaled, axis=1).max() <= 1 + 1e-9
    assert np.abs(np.average(scaled, axis=0, weights=activity)).max() < 0.01
    # The second moment of a ball is a fifth of its radius squared.
    assert np.square(scaled).mean(axis=0) == pytest.approx(0.2, abs=0.01)
    shell, _ = fill_ellipsoid((0, 0, 0), (10, 10, 10), 1.0, hollow=0.8)
    assert np.linalg.norm(shell, axis=1).min() >= 8 - 1e-9
    tube, _ = fill_rods([[0, 0, 0, 10, 30, 40, 0, 10]], 1.0, hollow=0.5)
    away = np.linalg.norm(np.cross(tube, [0.6, 0.8, 0.0]), axis=1)
    assert away.min() >= 5 - 1e-9
    assert away.max() <= 10 + 1e-9


def test_the_sequence_is_more_even_than_chance() -> None:
    points = even_in_one(4096)
    cells = np.histogramdd(points, bins=(8, 8, 8), range=[(0, 1)] * 3)[0]
    # Random points would scatter by the root of eight.
    assert cells.mean() == 8
    assert cells.std() < 0.6 * math.sqrt(8)


def test_the_other_side_is_a_mirror_image() -> None:
    points, activity = fill_rods([[10, 5, 0, 3, 40, 8, 60, 2]], 1.0)
    mirrored, same = other_side((points, activity))
    assert np.array_equal(mirrored * [-1, 1, 1], points)
    assert np.array_equal(same, activity)
