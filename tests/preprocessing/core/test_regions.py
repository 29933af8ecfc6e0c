"""Laws of regions: on the view's own grid, on the right side, and never against their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_preprocessing.core.region_maps import (
    Finding,
    RegionFinding,
    expected_regions,
    map_regions,
    measure_regions,
    region_findings,
)
from osteoserve_preprocessing.core.regions import (
    FoundRegions,
    Region,
    RegionName,
    find_regions,
    side_of,
)
from osteoserve_preprocessing.core.scintigram import HALVES, ComposedViews, compose_views

NAMES = {
    1: "skull",
    2: "spine",
    3: "chest",
    4: "anterior_right_humerus",
    5: "anterior_left_humerus",
    6: "posterior_right_humerus",
    7: "posterior_left_humerus",
    8: "pelvis",
    9: "femurs",
    10: "kidney",
}
SHAPE = (1000, 240)
BOTH = ("anterior", "posterior")
COUNTS = np.random.default_rng(2).poisson(9, SHAPE).astype(np.uint16)

#: Label, view, and centre (row, column) on the view's grid, of whatever every patient has.
PATIENT = [
    (label, view, place)
    for view, right, left in (("anterior", 4, 5), ("posterior", 7, 6))
    for label, place in (
        (1, (120, 120)),
        (2, (300, 120)),
        (3, (260, 120)),
        (right, (230, 40)),
        (left, (230, 200)),
        (8, (440, 120)),
        (9, (520, 80)),
        (9, (520, 160)),
    )
]


def composed(*views: str) -> ComposedViews:
    return compose_views(*(COUNTS if view in views else None for view in BOTH))


def found(
    placed: list[tuple[int, str, tuple[int, int]]],
    views: tuple[str, ...] = BOTH,
    scores: list[float] | None = None,
    size: int = 12,
    least_score: float = 0.5,
) -> FoundRegions:
    """Regions of square detections about places on the views' grids."""
    image = composed(*views)
    boxes = np.zeros((len(placed), 4), np.float32)
    for box, (_, view, (row, column)) in zip(boxes, placed, strict=True):
        y, x = row - image.first_row, column - image.first_column + HALVES[view]
        box[:] = x - size, y - size, x + size, y + size
    return find_regions(
        boxes=boxes,
        labels=np.array([label for label, _, _ in placed], dtype=np.uint8),
        scores=np.array(scores or [0.9] * len(placed), dtype=np.float32),
        masks=np.ones((len(placed), 28, 28), np.float32),
        names=NAMES,
        composed=image,
        views=views,
        shape=SHAPE,
        least_score=least_score,
    )


def centre(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def test_a_whole_patient_is_found_where_he_lies() -> None:
    regions = found(PATIENT)
    assert not regions.warnings
    assert not region_findings(regions.regions, BOTH, NAMES)
    for region, (label, view, place) in zip(regions.regions, PATIENT, strict=True):
        assert (region.label, region.view) == (label, view)
        assert region.mask.shape == SHAPE
        assert centre(region.mask) == pytest.approx(place, abs=1.01)
        left, top, right, bottom = region.box
        assert ((top + bottom) / 2, (left + right) / 2) == pytest.approx(place, abs=1e-3)


def test_sides_are_the_patients_in_both_views() -> None:
    sides = {
        (region.view, region.name, centre(region.mask)[1] < 110): region.side
        for region in found(PATIENT).regions
    }
    assert sides["anterior", "femurs", True] == "right"
    assert sides["posterior", "femurs", True] == "left"
    assert sides["anterior", "anterior_right_humerus", True] == "right"
    assert sides["posterior", "posterior_left_humerus", True] == "left"
    assert sides["anterior", "spine", False] == sides["posterior", "skull", False] == ""


def test_nothing_shows_the_middle() -> None:
    regions = found([(9, "anterior", (520, 80)), (4, "anterior", (230, 40))]).regions
    assert [(region.name, region.side) for region in regions] == [
        ("femurs", ""),
        ("anterior_right_humerus", "right"),
    ]
    assert side_of(np.ones((3, 3), np.bool_), "anterior", None) == ""


@pytest.mark.parametrize(
    ("label", "view", "column", "words"),
    [
        (4, "anterior", 200, "on the patient's left: left out"),
        (7, "posterior", 200, "on the patient's right: left out"),
        (6, "anterior", 40, "in the anterior view: left out"),
        (5, "posterior", 40, "in the posterior view: left out"),
    ],
)
def test_what_lies_elsewhere_than_its_name_says_is_left_out(
    label: int, view: str, column: int, words: str
) -> None:
    regions = found([(8, view, (440, 120)), (label, view, (230, column))])
    assert [region.name for region in regions.regions] == ["pelvis"]
    assert [words in warning for warning in regions.warnings] == [True]
    assert NAMES[label] in regions.warnings[0]


def test_nothing_is_found_in_a_view_that_is_not_there() -> None:
    regions = found([(1, "posterior", (120, 120)), (1, "anterior", (120, 120))], ("anterior",))
    assert [region.view for region in regions.regions] == ["anterior"]
    assert "where there is no view" in regions.warnings[0]


def test_unsure_detections_are_no_regions() -> None:
    placed = [(1, "anterior", (120, 120)), (8, "anterior", (440, 120))]
    regions = found(placed, scores=[0.49, 0.51]).regions
    assert [region.name for region in regions] == ["pelvis"]
    assert len(found(placed, scores=[0.49, 0.51], least_score=0.4).regions) == 2


def test_the_surer_region_has_the_pixels_that_two_hold() -> None:
    placed = [(8, "anterior", (440, 120)), (9, "anterior", (450, 130))]
    for scores, winner in (([0.9, 0.8], 8), ([0.8, 0.9], 9)):
        regions = found(placed, scores=scores).regions
        maps = map_regions(regions, BOTH, SHAPE)
        overlap = regions[0].mask & regions[1].mask
        assert overlap.any()
        assert set(maps.labels[0][overlap]) == {winner}
        assert set(maps.numbers[0][overlap]) == {1}
        assert not maps.labels[1].any()
        either = regions[0].mask | regions[1].mask
        assert np.array_equal(maps.labels[0] > 0, either)


def test_every_pixel_is_measured_once() -> None:
    regions = found(PATIENT, size=40).regions
    maps = map_regions(regions, BOTH, SHAPE)
    counts = np.stack([COUNTS, COUNTS[::-1]])
    measures = measure_regions(maps, counts, len(regions), (2.0, 2.5))
    assert sum(measure.pixels for measure in measures) == np.count_nonzero(maps.labels)
    total = sum((m.mean_counts or 0) * m.pixels for m in measures)
    assert total == pytest.approx(counts[maps.labels > 0].sum())
    for measure in measures:
        assert measure.square_millimetres == pytest.approx(measure.pixels * 5.0)
    (hidden,) = measure_regions(maps, counts, 1, None)[:1]
    assert hidden.square_millimetres is None


@pytest.mark.parametrize("left_out", range(len(PATIENT)))
def test_what_a_patient_has_and_is_not_found_is_missing(left_out: int) -> None:
    placed = [each for n, each in enumerate(PATIENT) if n != left_out]
    label, view, (_, column) = PATIENT[left_out]
    (finding,) = region_findings(found(placed).regions, BOTH, NAMES)
    assert (finding.finding, finding.label, finding.view) == (Finding.MISSING, label, view)
    paired = RegionName.of(NAMES[label]).paired
    on_right = (column < 120) == (view == "anterior")
    assert finding.side == (("right" if on_right else "left") if paired else "")


def test_what_is_found_twice_is_doubled() -> None:
    again = [*PATIENT, (1, "anterior", (700, 120)), (9, "posterior", (560, 160))]
    assert set(region_findings(found(again).regions, BOTH, NAMES)) == {
        RegionFinding(Finding.DOUBLED, 1, "anterior", ""),
        RegionFinding(Finding.DOUBLED, 9, "posterior", "right"),
    }


def test_a_single_view_misses_nothing_of_the_other() -> None:
    front = [each for each in PATIENT if each[1] == "anterior"]
    regions = found(front, ("anterior",)).regions
    assert not region_findings(regions, ("anterior",), NAMES)
    assert expected_regions("anterior", NAMES) == expected_regions("posterior", NAMES) == 8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("anterior_right_humerus", ("humerus", "anterior", "right")),
        ("Left Femur", ("femur", "", "left")),
        ("femurs", ("femurs", "", "")),
        ("spine", ("spine", "", "")),
    ],
)
def test_names_are_taken_apart(name: str, said: tuple[str, str, str]) -> None:
    assert tuple(RegionName.of(name)) == said


def test_order_of_detections_does_not_matter() -> None:
    scores = [0.5 + 0.02 * n for n in range(len(PATIENT))]

    def mapped(order: list[int]) -> Any:
        regions: tuple[Region, ...] = found(
            [PATIENT[n] for n in order], scores=[scores[n] for n in order], size=30
        ).regions
        return map_regions(regions, BOTH, SHAPE).numbers

    straight = list(range(len(PATIENT)))
    assert np.array_equal(mapped(straight), mapped(straight[::-1]))
