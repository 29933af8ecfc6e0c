"""Single spots: metastases, worn joints, the injection, contamination, a cold prosthesis."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.outline import arm_path
from osteoserve_client.phantom.scintigraphy.cloud import (
    Array,
    Cloud,
    Part,
    fill_ellipsoid,
    fill_rods,
    join,
)
from osteoserve_client.phantom.scintigraphy.parameters import ScintigraphyParameters
from osteoserve_client.phantom.shapes import Point

#: How likely metastases are, for each bone: they follow the red marrow.
_MARROW = {
    Part.SPINE: 0.33,
    Part.PELVIS: 0.24,
    Part.RIBS: 0.22,
    Part.STERNUM: 0.04,
    Part.GIRDLE: 0.06,
    Part.SKULL: 0.05,
    Part.FEMUR: 0.04,
    Part.HUMERUS: 0.02,
}
#: Joints that wear, on the left: part, centre, half-axes, nominal mm.
_JOINTS: list[tuple[Part, Point, Point]] = [
    (Part.GIRDLE, (168, 26, 1440), (11, 10, 9)),
    (Part.GIRDLE, (27, -46, 1418), (10, 9, 9)),
    (Part.HUMERUS, (168, 28, 1400), (9, 14, 16)),
    (Part.ARM, (212, -12, 850), (15, 10, 10)),
    (Part.ARM, (210, -14, 800), (8, 8, 10)),
    (Part.FEMUR, (94, 0, 912), (18, 12, 8)),
    (Part.LEG, (66, 0, 474), (11, 14, 8)),
    (Part.LEG, (106, 0, 474), (10, 14, 8)),
    (Part.LEG, (86, -46, 508), (15, 8, 15)),
    (Part.LEG, (88, 0, 84), (17, 16, 10)),
    (Part.LEG, (90, -56, 32), (14, 14, 9)),
    (Part.SPINE, (15, 48, 1018), (8, 9, 11)),
    (Part.SPINE, (14, 44, 1052), (8, 9, 11)),
    (Part.SPINE, (20, 12, 1085), (9, 9, 8)),
    (Part.SPINE, (12, 22, 1500), (8, 9, 10)),
    (Part.SPINE, (3, 8, 1470), (15, 10, 18)),
    (Part.SPINE, (4, 14, 1008), (18, 12, 10)),
]


def hot_spots(
    p: ScintigraphyParameters, rng: np.random.Generator, bones: list[Cloud]
) -> list[Cloud]:
    """Metastases: spots of any size and uptake, faint ones included, each inside a bone.

    Args:
        p: How many, and how bright.
        rng: Draws where.
        bones: The skeleton, whose points are the places that a spot can have.
    """
    chances = np.array([_MARROW.get(b.part, 0.0) / (2 if b.side else 1) for b in bones])
    spots = []
    for _ in range(p.hot_spots):
        bone = bones[int(rng.choice(len(bones), p=chances / chances.sum()))]
        at = bone.points[int(rng.integers(len(bone.points)))]
        radius = float(np.clip(np.exp(rng.normal(np.log(9), 0.4)), 4, 26))
        longer = rng.uniform(0.75, 1.35, size=3) * (0.7 if bone.part is Part.RIBS else 1.0)
        uptake = 7.0 * p.hot_spot_uptake * float(np.exp(rng.normal(0, 0.6)))
        filling = fill_ellipsoid(at.tolist(), (radius * longer).tolist(), uptake, count=400)
        spots.append(Cloud(bone.part, bone.side, *filling))
    return spots


def degenerative(p: ScintigraphyParameters, rng: np.random.Generator) -> list[Cloud]:
    """Worn joints, which take up more and are no metastases."""
    spots = []
    for _ in range(p.degenerative):
        part, centre, radii = _JOINTS[int(rng.integers(len(_JOINTS)))]
        sign = float(rng.choice([-1.0, 1.0]))
        at = np.array(centre) * np.array([sign, 1, 1]) + rng.normal(0, 3, size=3)
        uptake = float(np.exp(rng.normal(np.log(8), 0.6)))
        size = np.array(radii) * float(rng.uniform(0.7, 1.1))
        side = "" if part is Part.SPINE else ("left" if sign > 0 else "right")
        spots.append(
            Cloud(part, side, *fill_ellipsoid(at.tolist(), size.tolist(), uptake, count=500))
        )
    return spots


def injection(p: ScintigraphyParameters, rng: np.random.Generator, total: float) -> list[Cloud]:
    """What stayed where the tracer was injected, sometimes with a streak along the vein.

    Args:
        p: Site, side and share.
        rng: Draws where exactly.
        total: Activity of the skeleton.
    """
    if p.injection_site == "none":
        return []
    path = np.array(arm_path("down"))
    height = {"hand": 770.0, "forearm": 960.0, "elbow": 1100.0}[p.injection_site]
    height += float(rng.normal(0, 25))
    at = _on_path(path, height) + np.array([rng.normal(0, 10), -16.0, 0.0])
    above = _on_path(path, height + float(rng.uniform(40, 160))) + np.array([0, -14.0, 0])
    radius = float(rng.uniform(4, 12))
    spot = fill_ellipsoid(at, (radius, radius, 1.3 * radius), 1.0, count=1200)
    fillings = [(spot[0], spot[1] * p.injection * total / spot[1].sum())]
    if rng.random() < 0.3:
        vein = fill_rods([[*at, 3.5, *above, 3.0]], 1.0)
        fillings.append((vein[0], vein[1] * 0.15 * p.injection * total / vein[1].sum()))
    points, activity = join(fillings)
    mirror = np.array([1.0 if p.injection_side == "left" else -1.0, 1.0, 1.0])
    return [Cloud(Part.ARM, p.injection_side, points * mirror, activity)]


def contamination(p: ScintigraphyParameters, rng: np.random.Generator) -> list[Cloud]:
    """Urine on skin and cloth: near the hips, the thighs, a hand."""
    spots = []
    for _ in range(p.contamination):
        at = (float(rng.normal(0, 70)), -110.0, float(rng.normal(800, 70)))
        radii = np.array([8.0, 3.0, 8.0]) * rng.uniform(0.5, 2.2, size=3)
        uptake = float(np.exp(rng.normal(np.log(12), 0.8)))
        spots.append(Cloud(Part.TRUNK, "", *fill_ellipsoid(at, radii, uptake, count=400)))
    return spots


def with_prosthesis(p: ScintigraphyParameters, bones: list[Cloud]) -> list[Cloud]:
    """The same bones, with nothing taken up where a hip of metal stands."""
    if p.hip_prosthesis == "none":
        return bones
    sign = 1.0 if p.hip_prosthesis == "left" else -1.0
    return [_without_hip(b, sign) if b.part in (Part.FEMUR, Part.PELVIS) else b for b in bones]


def _without_hip(bone: Cloud, sign: float) -> Cloud:
    x, y, z = bone.points.T
    ball = np.square(x - sign * 90) + np.square(y) + np.square(z - 888) < 34**2
    stem = (np.abs(x - sign * 116) < 12) & (z < 880) & (z > 740)
    neck = (np.abs(x - sign * 104) < 16) & (np.abs(z - 876) < 16)
    metal = ball | ((stem | neck) & (bone.part is Part.FEMUR))
    # The bone round the stem answers with more uptake.
    rim = (z < 870) & (z > 715) & ~metal & (bone.part is Part.FEMUR) & (x * sign > 0)
    return bone.scaled(np.where(metal, 0.06, np.where(rim, 1.6, 1.0)))


def _on_path(path: Array, height: float) -> Array:
    """(x, y, z) of the arm's middle at a height."""
    order = path[::-1]
    x, y = (np.interp(height, order[:, 2], order[:, n]) for n in (0, 1))
    return np.array([float(x), float(y), height])
