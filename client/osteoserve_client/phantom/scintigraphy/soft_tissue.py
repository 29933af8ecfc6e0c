"""Uptake outside bone: soft tissue, kidneys, bladder, thyroid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.outline import HEAD, LEG, TRUNK, arm_path
from osteoserve_client.phantom.scintigraphy.cloud import (
    Array,
    Cloud,
    Filling,
    Part,
    fill_column,
    fill_ellipsoid,
    fill_rods,
    join,
    mottled,
    other_side,
)
from osteoserve_client.phantom.scintigraphy.parameters import ScintigraphyParameters
from osteoserve_client.phantom.shapes import chain
from osteoserve_client.phantom.thorax import CAGE

#: Where trunk and legs meet, nominal mm.
CROTCH_Z = 826.0
#: Points of soft tissue relative to bone, and what each stands for: it is smooth and large.
_DENSITY = 0.04
_SPREAD_MM = 5.0


def soft_tissue(p: ScintigraphyParameters, rng: np.random.Generator) -> list[Cloud]:
    """Everything inside the skin that is neither bone nor organ with uptake of its own.

    Args:
        p: The patient.
        rng: Draws how uptake is spread over trunk and limbs.
    """
    trunk, head = np.exp(rng.normal(0, 0.12, size=2))
    head_points = fill_column(_head, 1495, 1722, 0.42 * head * p.soft_tissue, density=2 * _DENSITY)
    clouds = [
        Cloud(Part.TRUNK, "", *_trunk(p, rng, trunk), _SPREAD_MM),
        Cloud(Part.HEAD, "", *head_points, _SPREAD_MM),
    ]
    if not p.male:
        clouds += _breasts(p, rng)
    for side in ("left", "right"):
        leg = fill_column(_leg(p.girth), 2, CROTCH_Z, 0.44 * p.soft_tissue, density=2 * _DENSITY)
        path = [[x, y, z, r * (0.55 + 0.45 * p.girth)] for x, y, z, r in arm_path("down")]
        arm = fill_rods(chain(path), 0.5 * p.soft_tissue, density=2 * _DENSITY)
        for part, filling in ((Part.LEG, leg), (Part.ARM, arm)):
            points, activity = filling if side == "left" else other_side(filling)
            clouds.append(Cloud(part, side, points, activity, _SPREAD_MM))
    return clouds


def organs(p: ScintigraphyParameters, rng: np.random.Generator) -> list[Cloud]:
    """Kidneys, and what urine and thyroid show.

    Args:
        p: The patient.
        rng: Draws where the organs lie.
    """
    clouds = [
        _kidney(rng, side, uptake)
        for side, uptake in zip(("left", "right"), p.kidneys, strict=True)
        if uptake > 0
    ]
    clouds.append(Cloud(Part.PELVIS, "", *_bladder(p, rng)))
    if p.thyroid > 0:
        lobe = fill_ellipsoid((17, -34, 1462), (8, 8, 20), 3.5 * p.thyroid)
        clouds.append(Cloud(Part.TRUNK, "", *join([lobe, other_side(lobe)])))
    return clouds


def _head(z: float) -> tuple[float, float, float, float]:
    a, b, y = HEAD(z)
    return a, b, 0.0, y


def _leg(girth: float) -> Callable[[float], tuple[float, float, float, float]]:
    def section(z: float) -> tuple[float, float, float, float]:
        a, b, x, y = LEG(z)
        # Feet do not grow; at the top the legs are as wide as the trunk that they meet.
        wide = 1 + (girth - 1) * float(np.interp(z, [80, 300, 600, 800], [0.1, 0.6, 0.6, 1]))
        apart = 1 + (girth - 1) * float(np.interp(z, [500, CROTCH_Z], [0, 1]))
        return a * wide, b * wide, x * apart, y

    return section


def _trunk(p: ScintigraphyParameters, rng: np.random.Generator, level: float) -> Filling:
    def section(z: float) -> tuple[float, float, float, float]:
        a, b, y = TRUNK(z)
        wide = 1 + (p.girth - 1) * float(np.interp(z, [1380, 1480], [1, 0.2]))
        return a * wide, b * wide, 0.0, y - 0.8 * b * (wide - 1)

    points, activity = fill_column(
        section, CROTCH_Z, 1500, 0.40 * p.soft_tissue, density=_DENSITY, fullness=2.6
    )
    activity = activity * np.where(_in_lung(points), 0.5, 1.0)
    # Muscle of hips, buttocks and shoulders takes up more than the fat and bowel of the belly.
    activity *= np.interp(points[:, 2], [830, 930, 1020, 1180, 1330], [1.08, 1.05, 0.9, 0.95, 1.15])
    # Where the legs begin, the trunk is as bright as they are.
    own = np.clip((points[:, 2] - CROTCH_Z) / 150, 0, 1)
    activity *= 1 + own * (level * mottled(rng, points, 0.12, 260.0) - 1)
    return points, activity


def _in_lung(points: Array) -> npt.NDArray[np.bool_]:
    x, y, z = points.T
    heights = np.arange(1190.0, 1441.0, 10.0)
    a, b, cy = np.array([CAGE(float(h)) for h in heights]).T
    a, b, cy = (np.interp(z, heights, column) for column in (a, b, cy))
    inside = np.square(x / a) + np.square((y - cy) / b) < 0.9
    mediastinum = np.abs(x - 12) < np.interp(z, [1240, 1340, 1420], [52, 38, 26])
    high = (z > 1190 + 40 * (np.abs(x) < 60)) & (z < 1440)
    lung: npt.NDArray[np.bool_] = inside & high & ~mediastinum
    return lung


def _breasts(p: ScintigraphyParameters, rng: np.random.Generator) -> list[Cloud]:
    size = float(np.clip(rng.normal(1.0, 0.22) * p.girth, 0.6, 1.6))
    uptake = p.soft_tissue * float(rng.uniform(0.15, 0.6))
    breast = fill_ellipsoid((80, -96, 1288), (56 * size, 30 * size, 52 * size), uptake, count=6000)
    return [Cloud(Part.TRUNK, "", *join([breast, other_side(breast)]), _SPREAD_MM)]


def _kidney(rng: np.random.Generator, side: str, uptake: float) -> Cloud:
    """Cortex round a pelvis in which urine may stand; the right one lies lower."""
    high = 1128.0 if side == "left" else 1112.0
    centre = (59 + rng.normal(0, 5), 44 + rng.normal(0, 5), high + rng.normal(0, 14))
    size = float(np.clip(rng.normal(1, 0.09), 0.78, 1.25))
    radii = (25 * size, 22 * size, 52 * size)
    cortex = fill_ellipsoid((0, 0, 0), radii, 3.4 * uptake, hollow=0.45)
    urine = fill_ellipsoid(
        (-8, -2, rng.normal(0, 10)), (9, 8, 16), uptake * float(rng.uniform(2, 14))
    )
    points, activity = join([cortex, urine])
    # The upper pole lies nearer the spine, and nearer the back.
    tilt, lean = np.tan(np.deg2rad(rng.normal([14, 10], 4)))
    points = points + points[:, 2:] * np.array([-tilt, lean, 0.0])
    filling = points + np.array(centre), activity
    return Cloud(Part.KIDNEY, side, *(filling if side == "left" else other_side(filling)))


def _bladder(p: ScintigraphyParameters, rng: np.random.Generator) -> Filling:
    """The bladder, and urine below it: in the urethra, or between the thighs."""
    size = np.cbrt(p.bladder_ml * 1e3 * 3 / (4 * np.pi))
    radii = (1.12 * size, 0.95 * size, 0.92 * size)
    centre = (float(rng.normal(0, 6)), -30.0, 868 + 0.8 * size)
    bladder = fill_ellipsoid(centre, radii, 9.0 * p.bladder, count=3000)
    below = float(rng.gamma(1.2, 1.0))
    if p.male:
        at = (float(rng.normal(0, 14)), -105.0, 815 + float(rng.normal(0, 16)))
        return join([bladder, fill_ellipsoid(at, (17, 18, 34), 0.6 + 1.3 * below, count=1500)])
    return join([bladder, fill_ellipsoid((0, -25, 828), (8, 14, 16), below, count=600)])
