"""What is varied from one scintigraphy phantom to the next: patient, uptake, pose, scan."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SIDES = ("left", "right")
INJECTION_SITES = ("hand", "forearm", "elbow", "none")

# Chosen so that seed 0, the demo, is an unremarkable patient.
_STREAM = 9940


@dataclass(frozen=True, kw_only=True)
class ScintigraphyParameters:
    """One patient, one pose, one whole-body bone scan.

    Lengths are in mm, angles in degrees; pairs are (left, right). Uptake is a concentration
    relative to what is usual. `draw_scintigraphy_parameters` draws a plausible set from a seed;
    `dataclasses.replace` changes single values.

    Args:
        seed: Feeds everything that has no parameter of its own (single bones, foci, noise).
        stature_mm: Height of the standing patient; scales the whole body.
        frame: Width of the skeleton relative to its height, about 1.
        girth: Scale of the soft outline outside the skeleton, about 1.
        male: Decides on breasts and on where urine shows.
        scoliosis_mm: Amplitude of the sideways curve of the spine.
        lean: Sideways shift per mm along the body: a slight tilt of the long axis.
        roll_deg: Rotation of the body about its long axis.
        head_turn_deg: Of the face to the patient's left.
        head_tilt_deg: Of the head to the patient's left shoulder.
        head_nod_deg: Of the chin to the chest.
        shoulder_lift_mm: How far the shoulders are drawn to the head.
        arm_abduction_deg: Of the upper arms, beyond the usual few degrees.
        elbow_deg: Of the forearms towards the body.
        forearm_lift_deg: Of the forearms to the front: hands on the thighs.
        leg_abduction_deg: Of the legs.
        leg_rotation_deg: Outward rotation of the legs about their own axes.
        foot_flexion_deg: How far the soles point away from the head.
        soft_tissue: Uptake of soft tissue; high in poor scans.
        skeleton: Uptake of bone.
        unevenness: Relative standard deviation between bones.
        kidneys: Uptake of the kidneys; 0 for a kidney that is not there.
        bladder: Uptake of the bladder.
        bladder_ml: Its volume.
        thyroid: Uptake of the thyroid; 0 for none to be seen.
        injection_site: One of `INJECTION_SITES`.
        injection_side: "left" or "right".
        injection: Activity left there, relative to that of the whole skeleton.
        hot_spots: Number of metastases.
        hot_spot_uptake: Their median uptake, relative to the bone they lie in.
        degenerative: Number of joints with increased uptake.
        contamination: Number of urine spots on skin and cloth.
        hip_prosthesis: Side of a metal hip, "left", "right" or "none".
        pixel_spacing_mm: Distance of pixel centres, both ways.
        counts: Expected counts of the anterior view; the posterior one takes as long.
        scatter: Share of counts that arrive from elsewhere.
        resolution: Width of the point spread relative to a high-resolution collimator's.
        gaps_mm: From the body to the (anterior, posterior) detector.
        top_mm: From the first row to the vertex.
        scan_length_mm: How far the scan goes from its start, which may leave out the feet.
        field_width_mm: Width that the detector sees, which may cut off the arms.
        offset_mm: Shift of the body to the patient's left of the middle column.
    """

    seed: int = 0
    stature_mm: float = 1720.0
    frame: float = 1.0
    girth: float = 1.0
    male: bool = True
    scoliosis_mm: float = 0.0
    lean: float = 0.0
    roll_deg: float = 0.0
    head_turn_deg: float = 0.0
    head_tilt_deg: float = 0.0
    head_nod_deg: float = 0.0
    shoulder_lift_mm: float = 10.0
    arm_abduction_deg: tuple[float, float] = (4.0, 4.0)
    elbow_deg: tuple[float, float] = (10.0, 10.0)
    forearm_lift_deg: tuple[float, float] = (0.0, 0.0)
    leg_abduction_deg: tuple[float, float] = (0.0, 0.0)
    leg_rotation_deg: tuple[float, float] = (12.0, 12.0)
    foot_flexion_deg: float = 30.0
    soft_tissue: float = 1.0
    skeleton: float = 1.0
    unevenness: float = 0.1
    kidneys: tuple[float, float] = (1.0, 1.0)
    bladder: float = 1.0
    bladder_ml: float = 120.0
    thyroid: float = 0.0
    injection_site: str = "none"
    injection_side: str = "left"
    injection: float = 0.01
    hot_spots: int = 0
    hot_spot_uptake: float = 4.0
    degenerative: int = 0
    contamination: int = 0
    hip_prosthesis: str = "none"
    pixel_spacing_mm: float = 2.26
    counts: float = 1.5e6
    scatter: float = 0.08
    resolution: float = 1.0
    gaps_mm: tuple[float, float] = (35.0, 25.0)
    top_mm: float = 180.0
    scan_length_mm: float = 2000.0
    field_width_mm: float = 540.0
    offset_mm: float = 0.0

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.injection_site, INJECTION_SITES),
            (self.injection_side, SIDES),
            (self.hip_prosthesis, ("none", *SIDES)),
        ):
            if value not in allowed:
                raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
        for name, low, high in (
            ("stature_mm", 1000.0, 2300.0),
            ("pixel_spacing_mm", 0.5, 20.0),
            ("counts", 1e3, 1e8),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must lie in {low:g}..{high:g}, not {getattr(self, name)}")


def draw_scintigraphy_parameters(seed: int) -> ScintigraphyParameters:
    """A plausible patient and scan, the same for the same seed."""
    rng = np.random.default_rng([seed, _STREAM])
    girth = float(np.clip(rng.normal(1.05, 0.11), 0.84, 1.38))
    male = bool(rng.random() < 0.6)
    stature = float(np.clip(rng.normal(1710 if male else 1600, 75), 1420, 1960))
    spacing = float(rng.choice([2.26, 2.4, 2.8, rng.uniform(2.2, 2.8)], p=[0.4, 0.2, 0.15, 0.25]))
    top = float(rng.uniform(40, 240))
    cut = float(rng.uniform(200, 700)) if rng.random() < 0.12 else -float(rng.uniform(80, 250))
    return ScintigraphyParameters(
        seed=seed,
        stature_mm=stature,
        frame=float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12)),
        girth=girth,
        male=male,
        scoliosis_mm=float(rng.normal(0, 7)),
        lean=float(rng.normal(0, 0.012)),
        roll_deg=float(rng.normal(0, 4)),
        head_turn_deg=float(rng.normal(0, 9) if rng.random() < 0.85 else rng.normal(0, 40)),
        head_tilt_deg=float(rng.normal(0, 4)),
        head_nod_deg=float(rng.normal(0, 7)),
        shoulder_lift_mm=float(np.clip(rng.normal(18, 18), -12, 65)),
        # A stout trunk pushes the arms away.
        arm_abduction_deg=_pair(rng, 4 + 30 * max(0.0, girth - 1), 5, -5, 28),
        elbow_deg=_pair(rng, 12, 10, -6, 42),
        forearm_lift_deg=_pair(rng, 0, 10, -12, 35),
        leg_abduction_deg=_pair(rng, -0.5 + 8 * max(0.0, girth - 1), 2.0, -3.0, 12),
        leg_rotation_deg=_pair(rng, 14, 10, -12, 42),
        foot_flexion_deg=float(np.clip(rng.normal(32, 12), 0, 58)),
        soft_tissue=_spread(rng, 1.15, 0.33),
        skeleton=_spread(rng, 1.0, 0.18),
        unevenness=float(rng.uniform(0.05, 0.2)),
        kidneys=_draw_kidneys(rng),
        bladder=_spread(rng, 1.0, 0.8),
        bladder_ml=_spread(rng, 110.0, 0.7),
        thyroid=_spread(rng, 1.0, 0.5) if rng.random() < 0.3 else 0.0,
        injection_site=str(rng.choice(INJECTION_SITES, p=[0.3, 0.15, 0.3, 0.25])),
        injection_side=str(rng.choice(SIDES)),
        injection=_spread(rng, 0.006, 1.0),
        hot_spots=_draw_hot_spots(rng),
        hot_spot_uptake=_spread(rng, 3.0, 0.5),
        degenerative=int(rng.poisson(5)),
        contamination=int(rng.poisson(1.2)) if rng.random() < 0.45 else 0,
        hip_prosthesis=str(rng.choice(["none", *SIDES], p=[0.92, 0.04, 0.04])),
        pixel_spacing_mm=spacing,
        counts=float(np.exp(rng.uniform(math.log(3.5e5), math.log(3.8e6)))),
        scatter=float(rng.uniform(0.03, 0.14)),
        resolution=float(rng.uniform(0.85, 1.5)),
        gaps_mm=(float(rng.uniform(15, 110)), float(rng.uniform(15, 60))),
        top_mm=top,
        scan_length_mm=top + stature - cut,
        field_width_mm=float(rng.uniform(505, 600)),
        offset_mm=float(np.clip(rng.normal(0, 12), -35, 35)),
    )


def _pair(
    rng: np.random.Generator, mean: float, sd: float, low: float, high: float
) -> tuple[float, float]:
    """Left and right: alike, for the patient lies as a whole, but not the same."""
    both, left, right = rng.normal(0, sd, size=3)
    pair = np.clip(mean + 0.8 * both + 0.6 * np.array([left, right]), low, high)
    return float(pair[0]), float(pair[1])


def _spread(rng: np.random.Generator, median: float, sigma: float) -> float:
    """Log-normal about a median, cut at two standard deviations."""
    return float(median * np.exp(sigma * np.clip(rng.normal(), -2, 2)))


def _draw_kidneys(rng: np.random.Generator) -> tuple[float, float]:
    both = _spread(rng, 1.0, 0.45)
    pair = [both * _spread(rng, 1.0, 0.18) for _ in SIDES]
    if rng.random() < 0.04:
        pair[int(rng.integers(2))] = 0.0
    return pair[0], pair[1]


def _draw_hot_spots(rng: np.random.Generator) -> int:
    """None in four of ten patients, few in most others, a skeleton full of them in some."""
    kind = rng.random()
    if kind < 0.4:
        return 0
    return int(rng.integers(1, 9)) if kind < 0.85 else int(rng.integers(9, 50))
