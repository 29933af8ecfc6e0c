"""Laws of the scintigraphy phantom: determinism, counts, sides, truth of the regions."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_client.phantom.scintigraphy import (
    REGIONS,
    VIEWS,
    PhantomScintigraphy,
    Region,
    ScintigraphyParameters,
    draw_scintigraphy_parameters,
    make_scintigraphy_phantom,
)

# The nominal patient, with nothing that could hide what is asked for.
PLAIN = ScintigraphyParameters(counts=3e6, unevenness=0.05)
MIDDLE = (256 - 1) / 2
SEEDS = range(4)


@cache
def made(parameters: ScintigraphyParameters = PLAIN) -> PhantomScintigraphy:
    return make_scintigraphy_phantom(parameters=parameters)


@cache
def drawn(seed: int) -> PhantomScintigraphy:
    return make_scintigraphy_phantom(seed)


def region(phantom: PhantomScintigraphy, name: str, view: str, side: str = "") -> Region:
    (found,) = [
        r for r in phantom.regions if (r.name, r.view) == (name, view) and side in ("", r.side)
    ]
    return found


def column(mask: npt.NDArray[np.bool_]) -> float:
    return float(np.flatnonzero(mask.any(axis=0)).mean())


def mean_rate(phantom: PhantomScintigraphy, view: str, mask: npt.NDArray[np.bool_]) -> float:
    """Counts a pixel, relative to all counts of the anterior view."""
    return float(phantom.counts[view][mask].mean() / phantom.counts["anterior"].sum())


def test_the_same_seed_gives_the_same_phantom() -> None:
    first, again, other = drawn(3), make_scintigraphy_phantom(3), drawn(2)
    for view in VIEWS:
        assert first.counts[view].tobytes() == again.counts[view].tobytes()
        assert first.labels[view].tobytes() == again.labels[view].tobytes()
        assert first.hot_spots[view].tobytes() == again.hot_spots[view].tobytes()
        assert first.counts[view].tobytes() != other.counts[view].tobytes()
    assert [r.mask.tobytes() for r in first.regions] == [r.mask.tobytes() for r in again.regions]


def test_both_views_have_the_matrix_of_a_whole_body_scan() -> None:
    phantom = made()
    assert set(phantom.counts) == set(phantom.labels) == set(phantom.hot_spots) == set(VIEWS)
    for view in VIEWS:
        assert phantom.counts[view].shape == (1024, 256) == phantom.labels[view].shape
        assert phantom.counts[view].dtype == np.uint16
        assert phantom.labels[view].dtype == np.uint8
    assert phantom.pixel_spacing_mm == PLAIN.pixel_spacing_mm
    # From the vertex to the toes the body has its stature, and some for the toes' own length.
    rows = np.flatnonzero((phantom.counts["anterior"] > 8).any(axis=1))
    assert 1700 < np.ptp(rows) * 2.26 < 1900


@pytest.mark.parametrize("counts", [4e5, 3.6e6])
def test_the_anterior_view_has_the_counts_asked_for(counts: float) -> None:
    phantom = made(replace(PLAIN, counts=counts))
    # Six standard deviations of a Poisson number.
    assert abs(int(phantom.counts["anterior"].sum()) - counts) < 6 * counts**0.5
    assert 0.6 < phantom.counts["posterior"].sum() / counts < 2.0


def test_counts_vary_as_poisson_numbers_do() -> None:
    # Two thighs' width of soft tissue, where neighbours are expected to be alike.
    counts = made(replace(PLAIN, counts=4e5)).counts["posterior"].astype(float)
    body = counts[560:640]
    left, right = body[:, :-1:2], body[:, 1::2]
    assert body.mean() > 0.4
    assert 0.9 < np.square(left - right).sum() / (left + right).sum() < 1.15


def test_left_and_right_are_the_patients() -> None:
    phantom = made(replace(PLAIN, injection_site="hand", injection_side="left", injection=0.03))
    for view, sign in (("anterior", 1), ("posterior", -1)):
        for side, patient in (("left", 1), ("right", -1)):
            for name in (f"{view}_{side}_humerus", "femurs"):
                found = region(phantom, name, view, side)
                assert sign * patient * (column(found.mask) - MIDDLE) > 20
        brightest = int(phantom.counts[view].max(axis=0).argmax())
        assert sign * (brightest - MIDDLE) > 60


def test_the_posterior_view_mirrors_the_anterior_one() -> None:
    phantom = made(replace(PLAIN, offset_mm=17.0, lean=0.02, arm_abduction_deg=(0.0, 14.0)))
    names = ["skull", "spine", "pelvis"]
    pairs = [(n, n, "") for n in names] + [("femurs", "femurs", s) for s in ("left", "right")]
    pairs += [(f"anterior_{s}_humerus", f"posterior_{s}_humerus", s) for s in ("left", "right")]
    for front, back, side in pairs:
        a = region(phantom, front, "anterior", side).mask
        b = region(phantom, back, "posterior", side).mask[:, ::-1]
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.98, front


@pytest.mark.parametrize("seed", SEEDS)
def test_every_region_is_in_both_views(seed: int) -> None:
    phantom = make_scintigraphy_phantom(
        parameters=replace(
            draw_scintigraphy_parameters(seed), scan_length_mm=2300.0, field_width_mm=579.0,
            kidneys=(1.2, 0.9),
        )
    )  # fmt: skip
    for view in VIEWS:
        here = {(r.name, r.side) for r in phantom.regions if r.view == view}
        assert {("skull", ""), ("spine", ""), ("chest", ""), ("pelvis", "")} <= here
        assert {(f"{view}_{s}_humerus", s) for s in ("left", "right")} <= here
        assert {("femurs", "left"), ("femurs", "right")} <= here
        assert {name for name, _ in here} <= set(REGIONS)
    posterior = {r.side for r in phantom.regions if (r.name, r.view) == ("kidney", "posterior")}
    assert posterior == {"left", "right"}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_label_map_is_made_of_the_masks(seed: int) -> None:
    phantom = drawn(seed)
    for view in VIEWS:
        labels = phantom.labels[view]
        masks = {n: np.zeros(labels.shape, dtype=bool) for n in range(1, 11)}
        for r in phantom.regions:
            if r.view == view:
                masks[r.label] |= r.mask
                assert phantom.visible(r).sum() > 0.4 * r.mask.sum() or r.name == "spine"
        for label, mask in masks.items():
            assert not (labels == label)[~mask].any()
        # All that is in a mask has a label, but for the spine's edges beside the sternum.
        others = np.logical_or.reduce([m for n, m in masks.items() if REGIONS[n - 1] != "spine"])
        assert (labels[others] > 0).all()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["skull", "spine", "chest", "pelvis", "femurs", "humerus"])
def test_a_regions_pixels_are_brighter_than_what_is_round_it(view: str, name: str) -> None:
    phantom = made()
    counts, labels = phantom.counts[view].astype(float), phantom.labels[view]
    for r in phantom.regions:
        if r.view == view and r.name.endswith(name):
            inside = phantom.visible(r)
            rows = np.flatnonzero(inside.any(axis=1))
            ring = np.zeros_like(inside)
            for step in (5, 6, 7, 8):
                ring |= np.roll(inside, step, axis=1) | np.roll(inside, -step, axis=1)
            ring &= (labels == 0) & (np.arange(1024)[:, None] >= rows[0] + 4)
            assert counts[inside].mean() > 1.2 * counts[ring].mean(), r.name


def test_the_nearer_detector_sees_a_bone_brighter() -> None:
    phantom = made()
    for side in ("left", "right"):
        kidney = region(phantom, "kidney", "posterior", side).mask
        mirrored = kidney[:, ::-1]
        rate = mean_rate(phantom, "posterior", kidney)
        assert rate > 1.3 * mean_rate(phantom, "anterior", mirrored)
    spine = {v: region(phantom, "spine", v) for v in VIEWS}
    lumbar = phantom.visible(spine["anterior"])
    rate = mean_rate(phantom, "posterior", phantom.visible(spine["posterior"]))
    assert rate > 1.5 * mean_rate(phantom, "anterior", lumbar)
    # Before the thoracic spine the anterior view shows the sternum, as part of the chest.
    sternum = spine["anterior"].mask & (phantom.labels["anterior"] == REGIONS.index("chest") + 1)
    assert sternum.sum() > 500
    shown = mean_rate(phantom, "anterior", sternum)
    assert shown > 1.2 * mean_rate(phantom, "anterior", lumbar)


def test_hot_spots_are_where_metastases_are() -> None:
    many = replace(PLAIN, hot_spots=12, hot_spot_uptake=8.0)
    with_spots, without = made(many), made()
    for view in VIEWS:
        assert not without.hot_spots[view].any()
        hot = with_spots.hot_spots[view]
        assert hot.sum() > 100
        more = with_spots.counts[view][hot].mean() / without.counts[view][hot].mean()
        elsewhere = ~hot & (without.labels[view] > 0)
        rest = with_spots.counts[view][elsewhere].mean() / without.counts[view][elsewhere].mean()
        assert more > 1.4 * rest
        # The regions are those of the body, not of the disease.
        assert np.array_equal(with_spots.labels[view] > 0, without.labels[view] > 0)


def test_a_hip_of_metal_is_cold_but_still_a_femur() -> None:
    phantom = made(replace(PLAIN, hip_prosthesis="left"))
    bare = made()
    means = {}
    for side in ("left", "right"):
        mask = region(phantom, "femurs", "posterior", side).mask
        assert np.array_equal(mask, region(bare, "femurs", "posterior", side).mask)
        top = np.flatnonzero(mask.any(axis=1))[0]
        means[side] = phantom.counts["posterior"][top : top + 25][mask[top : top + 25]].mean()
    assert means["left"] < 0.75 * means["right"]


def test_nothing_is_counted_where_the_detector_did_not_pass() -> None:
    cut = replace(PLAIN, field_width_mm=420.0, scan_length_mm=1500.0, top_mm=200.0)
    phantom = made(cut)
    columns = np.abs(np.arange(256) - MIDDLE) * 2.26 > 210
    for view in VIEWS:
        for image in (phantom.counts[view], phantom.labels[view], phantom.hot_spots[view]):
            assert not image[:, columns].any()
            assert not image[round(1500 / 2.26) + 1 :].any()
    whole, part = (region(p, "femurs", "anterior", "left").mask for p in (made(), phantom))
    assert 0 < part.sum() <= whole.sum()
    assert not any(r.mask[:, columns].any() for r in phantom.regions)


@pytest.mark.parametrize(
    ("change", "name", "sign"),
    [
        ({"arm_abduction_deg": (16.0, 4.0)}, "anterior_left_humerus", 1),
        ({"arm_abduction_deg": (4.0, 16.0)}, "anterior_right_humerus", -1),
        ({"lean": 0.05}, "skull", 1),
        ({"head_tilt_deg": 15.0}, "skull", 1),
        ({"offset_mm": -20.0}, "pelvis", -1),
    ],
)
def test_the_pose_moves_what_it_names(change: dict[str, object], name: str, sign: int) -> None:
    moved = made(replace(PLAIN, **change))  # type: ignore[arg-type]
    before, after = (region(p, name, "anterior").mask for p in (made(), moved))
    assert sign * (column(after) - column(before)) > 4


def test_a_turned_head_shows_its_bright_face_on_that_side() -> None:
    face = {}
    for turn in (-40.0, 40.0):
        phantom = made(replace(PLAIN, head_turn_deg=turn))
        skull = region(phantom, "skull", "anterior").mask
        rows = np.flatnonzero(skull.any(axis=1))
        low = skull & (np.arange(1024)[:, None] > rows.mean())
        weights = np.where(low, phantom.counts["anterior"], 0).sum(axis=0).astype(float)
        face[turn] = float((weights * np.arange(256)).sum() / weights.sum())
    assert face[40.0] - MIDDLE > 4
    assert MIDDLE - face[-40.0] > 4


def test_every_drawn_patient_is_plausible_and_repeatable() -> None:
    parameters = [draw_scintigraphy_parameters(seed) for seed in range(300)]
    assert parameters == [draw_scintigraphy_parameters(seed) for seed in range(300)]
    assert all(3.5e5 <= p.counts <= 3.8e6 for p in parameters)
    assert all(2.2 <= p.pixel_spacing_mm <= 2.8 for p in parameters)
    # The matrix holds the whole body.
    assert all((p.top_mm + p.stature_mm) / p.pixel_spacing_mm < 1010 for p in parameters)
    assert {p.hip_prosthesis for p in parameters} == {"none", "left", "right"}
    assert {p.injection_site for p in parameters} == {"hand", "forearm", "elbow", "none"}
    assert min(p.hot_spots for p in parameters) == 0
    assert max(p.hot_spots for p in parameters) > 30


@pytest.mark.parametrize(
    "wrong",
    [{"injection_site": "foot"}, {"injection_side": "both"}, {"hip_prosthesis": "x"},
     {"stature_mm": 300.0}, {"counts": 0.0}, {"pixel_spacing_mm": -1.0}],
)  # fmt: skip
def test_impossible_patients_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"none of|must lie in"):
        ScintigraphyParameters(**wrong)  # type: ignore[arg-type]
