"""The arithmetic: worked by hand, and its laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from osteoserve_client.bone_scan_index.index import (
    BLADDER,
    HOT,
    Area,
    BoneScanIndex,
    NamedRegion,
    bone_scan_index,
)
from osteoserve_client.errors import ServiceError
from osteoserve_client.scintigram import VIEWS, View

NAMES = ("skull", "spine", "pelvis", "kidney", "anterior_left_humerus", "posterior_left_humerus")
REGIONS = tuple(
    NamedRegion(n + 1 + 10 * v, name, view)
    for v, view in enumerate(VIEWS)
    for n, name in enumerate(NAMES)
    if not name.startswith(VIEWS[1 - v])
)


def by_hand() -> BoneScanIndex:
    """Anterior: 20 pixels of spine with 5 hot, 10 of kidney with 2 hot, 3 hot outside;
    posterior: 30 of spine with 10 hot, 50 of skull with none."""
    anterior, hot_anterior = np.zeros((10, 10), np.uint8), np.zeros((10, 10), bool)
    anterior[0:2], anterior[2] = 1, 2
    hot_anterior[0, :5] = hot_anterior[2, :2] = hot_anterior[9, :3] = True
    posterior, hot_posterior = np.zeros((10, 10), np.uint8), np.zeros((10, 10), bool)
    posterior[0:3], posterior[5:] = 3, 4
    hot_posterior[1] = True
    return bone_scan_index(
        {"anterior": anterior, "posterior": posterior},
        [
            NamedRegion(1, "spine", "anterior"),
            NamedRegion(2, "kidney", "anterior", "left"),
            NamedRegion(3, "spine", "posterior"),
            NamedRegion(4, "skull", "posterior"),
        ],
        {"anterior": hot_anterior, "posterior": hot_posterior},
    )


def test_figures_worked_by_hand() -> None:
    index = by_hand()
    assert index.skeleton == Area(20 + 30 + 50, 5 + 10)
    assert index.per_cent == pytest.approx(15.0)
    assert index.by_view == {"anterior": Area(20, 5), "posterior": Area(80, 10)}
    assert index.by_view["anterior"].per_cent == pytest.approx(25.0)
    assert index.by_region == {"spine": Area(50, 15), "skull": Area(50, 0)}
    assert index.not_counted("kidney") == Area(10, 2)
    assert index.not_counted("outside") == Area(70 + 20, 3)
    assert index.hot_pixels == 20


def test_a_humerus_of_both_views_is_one_region() -> None:
    numbers = {view: np.full((2, 5), n + 1, np.uint8) for n, view in enumerate(VIEWS)}
    named = [NamedRegion(n + 1, f"{v}_right_humerus", v, "right") for n, v in enumerate(VIEWS)]
    hot = {view: np.eye(2, 5, dtype=bool) for view in VIEWS}
    assert bone_scan_index(numbers, named, hot).by_region == {"right_humerus": Area(20, 4)}


def test_the_bladder_region_counts_neither_way_unless_it_is_kept() -> None:
    numbers = np.ones((100, 100), np.uint8)
    hot = np.zeros((100, 100), bool)
    hot[60:62, 49:51] = hot[2, 2] = True  # four pixels of urine, one of an iliac crest
    pelvis = [NamedRegion(1, "pelvis", "anterior")]
    without = bone_scan_index({"anterior": numbers}, pelvis, {"anterior": hot})
    assert without.skeleton.hot == 1
    assert without.not_counted("bladder_region").hot == 4
    assert (without.pictures["anterior"][60:62, 49:51] == BLADDER + HOT).all()
    kept = bone_scan_index({"anterior": numbers}, pelvis, {"anterior": hot}, exclude_bladder=False)
    assert kept.skeleton == Area(10_000, 5)
    assert kept.not_counted("bladder_region") == Area()
    assert without.skeleton + without.not_counted("bladder_region") == kept.skeleton


def test_a_view_without_hot_spots_is_left_out() -> None:
    numbers = {view: np.ones((4, 4), np.uint8) for view in VIEWS}
    named = [NamedRegion(1, "skull", view) for view in VIEWS]
    index = bone_scan_index(numbers, named, {"posterior": np.eye(4, dtype=bool)})
    assert index.skeleton == Area(16, 4)
    assert list(index.by_view) == ["posterior"]


@pytest.mark.parametrize("regions", [[], [NamedRegion(1, "kidney", "anterior")]])
def test_no_skeleton_is_no_index(regions: list[NamedRegion]) -> None:
    numbers = {"anterior": np.full((4, 4), len(regions), np.uint8)}
    with pytest.raises(ServiceError, match="no region of the skeleton"):
        bone_scan_index(numbers, regions, {"anterior": np.ones((4, 4), bool)})


def test_more_regions_than_can_be_told_apart_are_refused() -> None:
    numbers = {"anterior": np.full((4, 4), BLADDER, np.uint8)}
    with pytest.raises(ServiceError, match="126"):
        bone_scan_index(
            numbers,
            [NamedRegion(BLADDER, "skull", "anterior")],
            {"anterior": np.ones((4, 4), bool)},
        )


@st.composite
def scans(draw: st.DrawFn) -> tuple[dict[View, np.ndarray], dict[View, np.ndarray]]:
    shape = draw(st.tuples(st.integers(3, 12), st.integers(3, 12)))
    numbers: dict[View, np.ndarray] = {}
    for n, view in enumerate(VIEWS):
        own = [0, *(region.number for region in REGIONS if region.view == view)]
        numbers[view] = draw(arrays.arrays(np.uint8, shape, elements=st.sampled_from(own)))
        numbers[view][0, 0] = 1 + 10 * n  # some skull
    hot = {view: draw(arrays.arrays(np.bool_, shape)) for view in VIEWS}
    return numbers, hot


@given(scans(), st.booleans())
def test_laws(drawn, exclude_bladder) -> None:  # type: ignore[no-untyped-def]
    numbers, hot = drawn
    index = bone_scan_index(numbers, REGIONS, hot, exclude_bladder=exclude_bladder)
    assert 0 <= index.per_cent <= 100
    for sums in (index.by_region, index.by_view):
        assert sum(sums.values(), Area()) == index.skeleton
    # Every pixel, and every hot one, is one part's.
    pixels = [sum(p.area.pixels for p in index.parts if p.view == v) for v in VIEWS]
    assert pixels == [numbers[view].size for view in VIEWS]
    assert index.hot_pixels == sum(int(mask.sum()) for mask in hot.values())
    # The pictures hold every figure.
    for part in index.parts:
        picture = index.pictures[part.view]
        cold, warm = (int((picture == part.number + more).sum()) for more in (0, HOT))
        assert part.area == Area(cold + warm, warm)
    for view in VIEWS:
        assert np.array_equal(index.pictures[view] >= HOT, hot[view])


@given(scans())
def test_mirroring_changes_no_figure(drawn) -> None:  # type: ignore[no-untyped-def]
    numbers, hot = drawn
    index = bone_scan_index(numbers, REGIONS, hot)
    mirrored = bone_scan_index(
        {view: own[:, ::-1] for view, own in numbers.items()},
        REGIONS,
        {view: own[:, ::-1] for view, own in hot.items()},
    )
    assert mirrored.parts == index.parts


@given(scans())
def test_more_hot_pixels_never_lower_it(drawn) -> None:  # type: ignore[no-untyped-def]
    numbers, hot = drawn
    some = bone_scan_index(numbers, REGIONS, hot)
    every = bone_scan_index(numbers, REGIONS, {v: np.ones_like(m) for v, m in hot.items()})
    none = bone_scan_index(numbers, REGIONS, {v: np.zeros_like(m) for v, m in hot.items()})
    assert none.per_cent == 0
    assert every.per_cent == 100
    assert none.per_cent <= some.per_cent <= every.per_cent
