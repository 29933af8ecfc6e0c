"""Uptake of spine, ribs, sternum, shoulder girdle and pelvis, along the CT phantom's bones."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.limb_paths import SCAPULA, girdle_rods
from osteoserve_client.phantom.pelvis import ACETABULUM, ILIUM, SACRUM
from osteoserve_client.phantom.scintigraphy.cloud import (
    Cloud,
    Filling,
    Part,
    fill_column,
    fill_ellipsoid,
    fill_plate,
    fill_rods,
    join,
    other_side,
)
from osteoserve_client.phantom.shapes import Loft, Path, chain, mirrored, smooth_path
from osteoserve_client.phantom.spine import CURVE, Vertebra, levels
from osteoserve_client.phantom.thorax import CAGE, rib_path

#: Ends of the sternum, nominal mm.
STERNUM_Z = (1240.0, 1422.0)

# Rods (x, y, z, r) of the left side.
_RAMI: list[Path] = [
    [(74, -22, 884, 10), (48, -42, 877, 8), (24, -54, 868, 8), (10, -57, 858, 9)],
    [(10, -56, 862, 9), (10, -54, 842, 8)],
    [(10, -53, 844, 7), (26, -32, 826, 6), (44, -4, 812, 7), (54, 18, 812, 11)],
    [(76, 30, 880, 13), (70, 38, 858, 13), (60, 30, 830, 14), (55, 20, 812, 12)],
]
#: The sacroiliac joint of the left side, brighter than what is round it.
_SACROILIAC: Path = [(50, 52, 985, 7), (47, 62, 960, 8), (40, 72, 932, 6)]


def trunk_bones(rng: np.random.Generator, unevenness: float) -> list[Cloud]:
    """All bones of the trunk.

    Args:
        rng: Draws the uptake of single vertebrae, ribs and plates.
        unevenness: Relative standard deviation between them.
    """
    return [
        Cloud(Part.SPINE, "", *_spine(rng, unevenness)),
        *_ribs(rng, unevenness),
        Cloud(Part.STERNUM, "", *_sternum(rng)),
        *_girdle(rng, unevenness),
        Cloud(Part.PELVIS, "", *_pelvis(rng, unevenness)),
    ]


def _spine(rng: np.random.Generator, unevenness: float) -> Filling:
    arch = float(np.exp(rng.normal(0, 0.2)))
    fillings = []
    for v in levels():
        uptake = (
            float(np.exp(rng.normal(0, unevenness))) * {"C": 7.0, "T": 7.0, "L": 8.5}[v.name[0]]
        )
        fillings.append(_body(v, uptake))
        fillings.append(fill_rods(_arch(v), uptake * 1.15 * arch))
    return join(fillings)


def _body(v: Vertebra, uptake: float) -> Filling:
    def section(z: float) -> tuple[float, float, float, float]:
        # End plates take up more than the waist: a wider section stands for it.
        rim = 1.02 - 0.12 * (1 - min(1.0, (2 * (z - v.middle) / (v.top - v.bottom)) ** 2))
        return v.half_width * rim, v.half_depth * rim, 0.0, CURVE(z)[0]

    return fill_column(section, v.bottom, v.top, uptake)


def _arch(v: Vertebra) -> list[list[float]]:
    """Facets, transverse and spinous processes, which the posterior view shows."""
    back = CURVE(v.middle)[0] + 0.8 * v.half_depth
    kind = v.name[0]
    facet, depth = {"L": (17.0, 17.0), "T": (12.0, 16.0), "C": (15.0, 12.0)}[kind]
    reach, drop = {"L": (26, 9), "T": (18, 26), "C": (14, 9)}[kind]
    tip = v.half_width + {"L": 20.0, "T": 15.0, "C": 8.0}[kind]
    r = {"L": 4.0, "T": 3.6, "C": 3.4}[kind]
    side: list[Path] = [
        [(facet, back + 0.5 * depth, v.top + 2, 5.2), (facet, back + 0.6 * depth, v.bottom, 5.2)],
        [(facet, back + 0.4 * depth, v.middle, r), (tip, back + 0.6 * depth, v.middle + 3, r)],
    ]
    rods = [row for p in side for row in chain(p) + chain(mirrored(p))]
    roof = (0.0, back + depth, v.middle, 3.4)
    return rods + chain([roof, (0.0, back + depth + reach, v.middle - drop, 4.0)])


def _ribs(rng: np.random.Generator, unevenness: float) -> list[Cloud]:
    calcified = float(rng.choice([0.3, 1.0, 2.2], p=[0.5, 0.35, 0.15]))
    clouds = []
    for side in ("left", "right"):
        bony, soft = [], []
        for number in range(1, 13):
            uptake = 5.6 * float(np.exp(rng.normal(0, unevenness)))
            rods = chain(smooth_path(rib_path(number), 3))
            bony.append(fill_rods(rods, uptake, stretch=1.75))
            # The costochondral junction, where the anterior view shows a row of beads.
            x, y, z, _ = rib_path(number)[-1]
            bony.append(fill_ellipsoid((x, y, z), (6, 6, 8), 0.7 * uptake))
            if number <= 10:
                soft.append(fill_rods(_cartilage(number), calcified, stretch=1.5))
        for part, fillings in ((Part.RIBS, bony), (Part.CARTILAGE, soft)):
            filling = join(fillings)
            clouds.append(Cloud(part, side, *(filling if side == "left" else other_side(filling))))
    return clouds


def _cartilage(number: int) -> list[list[float]]:
    """Of a left rib: to the sternum, or from the eighth on to the cartilage above."""
    x, y, z, _ = rib_path(number)[-1]
    inner = max(1412 - 21.0 * (number - 1), 1276)
    if number <= 7:
        _, b, cy = CAGE(inner)
        end = (20.0, cy - b - 7, inner, 5.0)
    else:
        above = rib_path(number - 1)[-1]
        end = (0.6 * above[0] + 8, above[1] - 6, above[2] - 2, 4.5)
    middle = ((x + end[0]) / 2 + 5, (y + end[1]) / 2 - 6, min(z, end[2]) - 4, 5.0)
    return chain(smooth_path([(x, y, z, 4.6), middle, end], 4))


def _sternum(rng: np.random.Generator) -> Filling:
    uptake = 8.5 * float(np.exp(rng.normal(0, 0.25)))
    low, high = STERNUM_Z

    def section(z: float) -> tuple[float, float, float, float]:
        half = float(
            np.interp(z, [low, 1262, 1300, 1368, 1378, 1394, high], [5, 11, 19, 15, 24, 30, 28])
        )
        _, b, cy = CAGE(z)
        return half, 6.0, 0.0, cy - b - 8

    body = fill_column(section, low, high, uptake, fullness=3.0)
    # Manubriosternal and sternoclavicular joints take up more.
    _, b, cy = CAGE(1374.0)
    angle = fill_ellipsoid((0, cy - b - 8, 1374), (16, 6, 6), 0.6 * uptake)
    joint = fill_ellipsoid((26, -46, 1418), (9, 8, 9), uptake * float(rng.uniform(0.4, 1.1)))
    return join([body, angle, joint, other_side(joint)])


def _girdle(rng: np.random.Generator, unevenness: float) -> list[Cloud]:
    clouds = []
    blade = Loft(SCAPULA)
    clavicle, spine, coracoid, glenoid = girdle_rods()
    for side in ("left", "right"):
        flat, rods, joints = 5.5 * np.exp(rng.normal(0, 2 * unevenness, size=3))
        low, high = SCAPULA[0][0], SCAPULA[-1][0]
        filling = join(
            [
                fill_plate(blade, low, high, 0.9 * flat),
                fill_rods(
                    chain([(108, 87, 1292, 5), (122, 77, 1330, 5), (140, 58, 1385, 6)]), flat
                ),
                fill_rods(chain(clavicle), 0.75 * rods),
                fill_rods(chain(spine), rods),
                fill_rods(chain(coracoid) + chain(glenoid), 1.15 * joints),
                # Acromioclavicular joint.
                fill_ellipsoid((166, 26, 1440), (9, 9, 7), 0.7 * joints),
            ]
        )
        filling = filling if side == "left" else other_side(filling)
        clouds.append(Cloud(Part.GIRDLE, side, *filling))
    return clouds


def _pelvis(rng: np.random.Generator, unevenness: float) -> Filling:
    wing, ring, sacral = 5.0 * np.exp(rng.normal(0, 1.5 * unevenness, size=3))
    fillings = [_sacrum(sacral)]
    for mirror in (False, True):
        hip = join(
            [
                _wing(0.85 * wing),
                fill_plate(Loft(ACETABULUM), ACETABULUM[0][0], ACETABULUM[-1][0], 0.65 * ring),
                fill_rods([row for p in _RAMI for row in chain(p)], 0.8 * ring),
                fill_rods(chain(_SACROILIAC), 1.9 * sacral * float(np.exp(rng.normal(0, 0.2)))),
                # The anterior spine and the crest stand nearest the detector.
                fill_rods(
                    chain([(119, -50, 988, 6), (120, -30, 1020, 5), (117, 0, 1045, 5)]), 0.4 * wing
                ),
            ]
        )
        fillings.append(other_side(hip) if mirror else hip)
    return join(fillings)


def _wing(uptake: float) -> Filling:
    points, activity = fill_plate(Loft(ILIUM), ILIUM[0][0], ILIUM[-1][0], uptake)
    # Over the hip the plate is thick but mostly fat.
    return points, activity * np.interp(points[:, 2], [905, 950], [0.6, 1.0])


def _sacrum(uptake: float) -> Filling:
    def section(z: float) -> tuple[float, float, float, float]:
        y, depth, wide = SACRUM(z)
        return wide, depth, 0.0, y + 4

    crest = fill_rods(chain([(0, 62, 980, 5), (0, 92, 950, 5), (0, 102, 920, 5)]), uptake)
    return join([fill_column(section, 868, 988, 0.95 * uptake), crest])
