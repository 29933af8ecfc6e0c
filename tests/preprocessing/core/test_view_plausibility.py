"""Laws of the checks: what is right is accepted, what was changed is found, scale is no matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from osteoserve_client.phantom.scintigraphy import (
    REGIONS,
    VIEWS,
    PhantomScintigraphy,
    ScintigraphyParameters,
    draw_scintigraphy_parameters,
    make_scintigraphy_phantom,
)
from osteoserve_preprocessing.core.view_plausibility import (
    Plausibility,
    check_pair_mirrored,
    check_scan,
    check_upright,
    check_view,
    check_views,
)

NAMES = dict(enumerate(REGIONS, start=1))
ANTERIOR, POSTERIOR = VIEWS
OPPOSITE = {"plausible": "implausible", "implausible": "plausible", "undetermined": "undetermined"}

#: Edges of regions of the real scan, read off it: first and last row, first and last column.
REAL_BOXES = {
    "femurs": (419, 528, 76, 199),
    "skull": (92, 178, 100, 170),
    "chest": (189, 333, 62, 204),
    "pelvis": (361, 474, 89, 196),
}

Counts = npt.NDArray[np.uint16]
Labels = npt.NDArray[np.uint8]


@cache
def made(seed: int, hot_spots: int | None = None) -> PhantomScintigraphy:
    drawn = draw_scintigraphy_parameters(seed)
    if hot_spots is not None:
        drawn = replace(drawn, hot_spots=hot_spots)
    return make_scintigraphy_phantom(parameters=drawn)


@pytest.fixture(params=[(0, None), (1005, None), (1009, None), (12, 30)], ids=str)
def phantom(request: pytest.FixtureRequest) -> PhantomScintigraphy:
    """Patients as they come; single views of 0 and 1009 say little, the last has metastases."""
    return made(*request.param)


@pytest.fixture
def usual() -> PhantomScintigraphy:
    """A patient of whom each view alone shows whether it is one, as of most."""
    return made(1005)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> tuple[Counts, Labels]:
    """The real anterior view, and rectangles for its regions."""
    path = shared_data / "scintigraphy_whole_body" / "REF" / "NM1_UNC"
    counts = pydicom.dcmread(path).pixel_array.astype(np.uint16)
    labels = np.zeros(counts.shape, np.uint8)
    for name, (top, bottom, left, right) in REAL_BOXES.items():
        labels[top:bottom, left:right] = REGIONS.index(name) + 1
    return counts, labels


def verdicts(checks: tuple[Plausibility, ...]) -> list[str]:
    return [check.verdict for check in checks]


def exchanged(views: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.generic]]:
    return {ANTERIOR: views[POSTERIOR], POSTERIOR: views[ANTERIOR]}


def test_a_right_scan_is_plausible(phantom: PhantomScintigraphy) -> None:
    checks = check_scan(phantom.counts, phantom.labels, NAMES)
    assert verdicts(checks) == ["plausible"] * 4
    assert all(check.reason and "\n" not in check.reason for check in checks)


def test_exchanged_views_are_found(phantom: PhantomScintigraphy) -> None:
    counts, labels = exchanged(phantom.counts), exchanged(phantom.labels)
    wrong = check_views(counts, labels, NAMES)  # type: ignore[arg-type]
    right = check_views(phantom.counts, phantom.labels, NAMES)
    assert (wrong.verdict, right.verdict) == ("implausible", "plausible")
    assert wrong.evidence == pytest.approx(-right.evidence)
    assert "exchanged" in wrong.reason


def test_a_flipped_view_is_found_whichever_it_is(phantom: PhantomScintigraphy) -> None:
    front, back = phantom.counts[ANTERIOR], phantom.counts[POSTERIOR]
    right = check_pair_mirrored(front, back)
    for wrong in (
        check_pair_mirrored(front, back[:, ::-1]),
        check_pair_mirrored(front[:, ::-1], back),
    ):
        assert wrong.verdict == "implausible"
        assert wrong.evidence == pytest.approx(-right.evidence, abs=0.02)


def test_mirrored_does_not_ask_which_view_is_which(usual: PhantomScintigraphy) -> None:
    front, back = usual.counts[ANTERIOR], usual.counts[POSTERIOR]
    evidence = check_pair_mirrored(front, back).evidence
    assert check_pair_mirrored(back, front).evidence == pytest.approx(evidence, abs=1e-6)
    both = check_pair_mirrored(front[:, ::-1], back[:, ::-1])
    assert both.evidence == pytest.approx(evidence, abs=0.02)


def test_one_view_given_twice_is_found(phantom: PhantomScintigraphy) -> None:
    front = phantom.counts[ANTERIOR]
    twice = check_pair_mirrored(front, front)
    assert twice.verdict == "implausible"
    assert twice.evidence == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("view", VIEWS)
def test_a_mirrored_copy_for_the_other_view_is_found(view: str, usual: PhantomScintigraphy) -> None:
    """It passes for a mirror image, so that each view is judged by itself."""
    other = next(v for v in VIEWS if v != view)
    counts = {view: usual.counts[view], other: usual.counts[view][:, ::-1]}
    labels = {view: usual.labels[view], other: usual.labels[view][:, ::-1]}
    assert check_pair_mirrored(counts[ANTERIOR], counts[POSTERIOR]).verdict == "plausible"
    check = check_views(counts, labels, NAMES)
    assert check.verdict == "implausible"
    assert check.reason.startswith(f"the {other} view")


def test_a_body_that_is_its_own_mirror_image_decides_nothing(usual: PhantomScintigraphy) -> None:
    front = usual.counts[ANTERIOR]
    check = check_pair_mirrored(front + front[:, ::-1], front + front[:, ::-1])
    assert check.verdict == "undetermined"
    assert check.evidence == pytest.approx(0, abs=1e-6)


def test_a_symmetric_patient_is_never_refused() -> None:
    plain = make_scintigraphy_phantom(parameters=ScintigraphyParameters(seed=3000, counts=6e5))
    assert check_pair_mirrored(*(plain.counts[v] for v in VIEWS)).verdict != "implausible"


def test_heads_that_are_not_quite_opposite_are_no_matter(phantom: PhantomScintigraphy) -> None:
    front, back = phantom.counts[ANTERIOR], phantom.counts[POSTERIOR]
    shifted = np.zeros_like(back)
    shifted[12:, 8:] = back[:-12, :-8]
    assert check_pair_mirrored(front, shifted).verdict == "plausible"


@pytest.mark.parametrize("view", VIEWS)
def test_one_view_speaks_as_much_for_one_name_as_against_the_other(
    view: str, phantom: PhantomScintigraphy
) -> None:
    other = next(v for v in VIEWS if v != view)
    counts, labels = phantom.counts[view], phantom.labels[view]
    right, wrong = (check_view(counts, labels, NAMES, each) for each in (view, other))
    assert right.verdict != "implausible"
    assert wrong.verdict == OPPOSITE[right.verdict]
    assert wrong.evidence == -right.evidence


@pytest.mark.parametrize("view", VIEWS)
def test_a_usual_view_under_the_other_name_is_found(view: str, usual: PhantomScintigraphy) -> None:
    other = next(v for v in VIEWS if v != view)
    upright, sides, facing = check_scan(
        {other: usual.counts[view]}, {other: usual.labels[view]}, NAMES
    )
    assert upright.verdict == "plausible"
    assert sides.verdict == "undetermined"
    assert facing.verdict == "implausible"
    assert "check the view codes" in facing.reason


def test_a_flip_of_one_view_changes_nothing_but_that_sides_are_unknown(
    usual: PhantomScintigraphy,
) -> None:
    counts, labels = usual.counts[ANTERIOR], usual.labels[ANTERIOR]
    right = check_scan({ANTERIOR: counts}, {ANTERIOR: labels}, NAMES)
    flipped = check_scan({ANTERIOR: counts[:, ::-1]}, {ANTERIOR: labels[:, ::-1]}, NAMES)
    assert verdicts(flipped) == verdicts(right) == ["plausible", "undetermined", "plausible"]
    assert "left and right are what the file says" in flipped[1].reason


@pytest.mark.parametrize("columns", [slice(None), slice(None, None, -1)], ids=["rows", "turned"])
@pytest.mark.parametrize("regions", ["all", "two", "none"])
def test_a_view_on_its_head_is_found(
    columns: slice, regions: str, phantom: PhantomScintigraphy
) -> None:
    for view in VIEWS:
        counts, labels = phantom.counts[view], phantom.labels[view].copy()
        if regions == "two":
            labels[~np.isin(labels, [REGIONS.index("skull") + 1, REGIONS.index("pelvis") + 1])] = 0
        if regions == "none":
            labels[:] = 0
        right = check_upright(counts, labels, NAMES)
        wrong = check_upright(counts[::-1, columns], labels[::-1, columns], NAMES)
        assert (right.verdict, wrong.verdict) == ("plausible", "implausible")
        assert wrong.evidence == pytest.approx(-right.evidence, abs=0.02)


def test_what_stands_on_its_head_is_asked_nothing_else(usual: PhantomScintigraphy) -> None:
    counts = {view: usual.counts[view][::-1, ::-1] for view in VIEWS}
    labels = {view: usual.labels[view][::-1, ::-1] for view in VIEWS}
    checks = check_scan(counts, labels, NAMES)
    assert verdicts(checks) == ["implausible"] * 2
    assert "180 degrees" in checks[0].reason


@pytest.mark.parametrize("factor", [3, 40])
def test_brightness_changes_nothing(factor: int, usual: PhantomScintigraphy) -> None:
    brighter = {view: usual.counts[view] * np.uint32(factor) for view in VIEWS}
    before = check_scan(usual.counts, usual.labels, NAMES)
    after = check_scan(brighter, usual.labels, NAMES)
    assert verdicts(after) == verdicts(before)
    assert [c.evidence for c in after] == pytest.approx([c.evidence for c in before])


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_fewer_counts_change_no_verdict(share: float, phantom: PhantomScintigraphy) -> None:
    random = np.random.default_rng(4)
    thinned = {v: random.binomial(phantom.counts[v], share).astype(np.uint16) for v in VIEWS}
    assert verdicts(check_scan(thinned, phantom.labels, NAMES)) == ["plausible"] * 4


def test_regions_a_few_pixels_off_change_no_verdict(phantom: PhantomScintigraphy) -> None:
    for shift in ((-5, 3), (5, -3)):
        labels = {v: np.roll(phantom.labels[v], shift, axis=(0, 1)) for v in VIEWS}
        assert verdicts(check_scan(phantom.counts, labels, NAMES)) == ["plausible"] * 4


@pytest.mark.parametrize("kept", [[], ["pelvis"], ["chest", "femurs"]])
def test_too_few_regions_decide_nothing_of_front_and_back(
    kept: list[str], usual: PhantomScintigraphy
) -> None:
    values = [REGIONS.index(name) + 1 for name in kept]
    labels = {v: usual.labels[v] * np.isin(usual.labels[v], values) for v in VIEWS}
    assert check_views(usual.counts, labels, NAMES).verdict == "undetermined"
    for view in VIEWS:
        check = check_view(usual.counts[view], labels[view], NAMES, view)
        assert check.verdict == "undetermined"
        assert "too few regions" in check.reason


def test_the_real_scan_is_an_anterior_view_and_no_posterior_one(
    real: tuple[Counts, Labels],
) -> None:
    counts, labels = real
    right = check_scan({ANTERIOR: counts}, {ANTERIOR: labels}, NAMES)
    wrong = check_scan({POSTERIOR: counts}, {POSTERIOR: labels}, NAMES)
    assert verdicts(right) == ["plausible", "undetermined", "plausible"]
    assert verdicts(wrong) == ["plausible", "undetermined", "implausible"]


def test_the_real_scan_stands_on_its_feet(real: tuple[Counts, Labels]) -> None:
    counts, labels = real
    nothing = np.zeros_like(labels)
    for found in (labels, nothing):
        assert check_upright(counts, found, NAMES).verdict == "plausible"
        turned = check_upright(counts[::-1, ::-1], found[::-1, ::-1], NAMES)
        assert turned.verdict == "implausible"


def test_the_real_scan_and_its_mirror_image_are_a_pair(real: tuple[Counts, Labels]) -> None:
    counts, _ = real
    assert check_pair_mirrored(counts, counts[:, ::-1]).verdict == "plausible"
    assert check_pair_mirrored(counts, counts).verdict == "implausible"


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 1024)])
def test_a_body_without_halves_says_nothing_of_up_and_down(shape: tuple[int, int]) -> None:
    """Found by fuzzing: a view of few columns or rows ended in an error of NumPy's."""
    found = check_upright(np.full(shape, 9, np.uint16), np.zeros(shape, np.uint8), {})
    assert found.verdict == "undetermined"
