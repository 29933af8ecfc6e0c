"""Uptake of arms and legs; humerus and femur end at mid-shaft, as the regions do."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.limb_paths import arm_bones, leg_ends, leg_shafts, leg_thin_shafts
from osteoserve_client.phantom.scintigraphy.cloud import (
    Array,
    Cloud,
    Filling,
    Part,
    fill_ellipsoid,
    fill_knobs,
    fill_rods,
    join,
    other_side,
)
from osteoserve_client.phantom.shapes import chain

#: Middle of the shafts, nominal mm: what lies above is region (Yu 2023, section 2.2).
HUMERUS_MIDDLE_Z = 1265.0
FEMUR_MIDDLE_Z = 690.0


def limb_bones(rng: np.random.Generator, unevenness: float) -> list[Cloud]:
    """Both arms and both legs.

    Args:
        rng: Draws the uptake of shafts and joints.
        unevenness: Relative standard deviation between sides and bones.
    """
    clouds = []
    for side in ("left", "right"):
        for filling, middle, upper, lower in (
            (_arm(rng, unevenness), HUMERUS_MIDDLE_Z, Part.HUMERUS, Part.ARM),
            (_leg(rng, unevenness), FEMUR_MIDDLE_Z, Part.FEMUR, Part.LEG),
        ):
            points, activity = filling if side == "left" else other_side(filling)
            above = points[:, 2] >= middle
            clouds.append(Cloud(upper, side, points[above], activity[above]))
            clouds.append(Cloud(lower, side, points[~above], activity[~above]))
    return clouds


def _factors(rng: np.random.Generator, unevenness: float, count: int) -> Array:
    factors: Array = np.exp(rng.normal(0, 1.5 * unevenness, size=count))
    return factors


def _arm(rng: np.random.Generator, unevenness: float) -> Filling:
    shafts, ends, thin = arm_bones("down", 0.0)
    head, shaft, elbow, hand = _factors(rng, unevenness, 4)
    return join(
        [
            fill_rods(chain(ends[0]), 3.4 * head),
            # The head as a ball: its rod is too short to hold it.
            fill_ellipsoid((177, 28, 1400), (23, 23, 23), 3.2 * head),
            fill_ellipsoid((190, 26, 1408), (11, 14, 14), 2.6 * head),
            fill_rods([row for p in shafts for row in chain(p)], 3.0 * shaft, hollow=0.4),
            fill_knobs(ends[1:2], 1.5 * elbow),
            fill_knobs(ends[2:], 1.6 * hand),
            fill_rods([row for p in thin[:2] for row in chain(p)], 3.6 * elbow),
            fill_rods([row for p in thin[2:] for row in chain(p)], 4.0 * hand),
        ]
    )


def _leg(rng: np.random.Generator, unevenness: float) -> Filling:
    hip, shaft, knee, shin, foot = _factors(rng, unevenness, 5)
    femur, tibia = leg_shafts()
    fibula, *rays = leg_thin_shafts()
    ends = leg_ends()
    proximal = [p for p in ends if p[0][2] > 800]
    round_knee = [p for p in ends if 400 < p[0][2] < 600]
    ankle = [p for p in ends if p[0][2] < 200]
    return join(
        [
            fill_ellipsoid((88, 0, 890), (23.5, 23.5, 23.5), 3.6 * hip),
            fill_rods([row for p in proximal for row in chain(p)], 5.0 * hip),
            fill_knobs(proximal[2:], 2.2 * hip),
            fill_rods(chain(femur), 4.6 * shaft, hollow=0.45),
            fill_knobs(round_knee, 0.8 * knee),
            fill_ellipsoid((86, -45, 507), (20, 9, 22), 2.6 * knee),
            fill_rods(chain(tibia), 2.9 * shin, hollow=0.5),
            fill_rods(chain(fibula), 2.6 * shin, hollow=0.4),
            fill_knobs(ankle, 1.1 * foot),
            fill_rods([row for p in rays for row in chain(p)], 3.0 * foot),
        ]
    )
