"""Arteries with calcified plaque, and veins: bright, round, and never bone."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, chain, ellipsoid, mirrored, smooth_path
from osteoserve_client.phantom.spine import CURVE

Path = list[tuple[float, float, float, float]]


def _beside(z: float, x: float, ahead: float, r: float) -> tuple[float, float, float, float]:
    """A point in front of the spine: (x, y, z, r)."""
    return (x, CURVE(z)[0] - ahead, z, r)


def aorta() -> Path:
    """From the valve over the arch to the bifurcation."""
    return [
        (2, -16, 1296, 14), (-14, -28, 1340, 15), (-8, -18, 1372, 14), (10, 6, 1384, 13),
        (24, 26, 1368, 12.5),
        _beside(1330, 25, 18, 12), _beside(1260, 22, 21, 11.5), _beside(1200, 14, 25, 11),
        _beside(1150, 9, 28, 10), _beside(1090, 8, 28, 9.5), _beside(1035, 5, 28, 9),
    ]  # fmt: skip


LEFT_ARTERIES: list[Path] = [
    [(6, -9, 1035, 6.5), (28, 6, 995, 6), (46, 14, 960, 5.5), (62, -22, 915, 5), (66, -46, 880, 5),
     (72, -44, 830, 4.8), (78, -30, 740, 4), (80, -6, 620, 3.6), (84, 22, 520, 3.4),
     (84, 24, 430, 3), (84, 18, 200, 1.8)],
    [(34, 10, 985, 4), (44, 44, 950, 3), (46, 56, 920, 2.4)],
    [(10, -6, 1130, 3.2), (32, 20, 1128, 3), (50, 42, 1127, 2.4)],
    [(16, 0, 1388, 5), (22, -4, 1450, 4), (26, 0, 1500, 3.6), (28, 2, 1560, 2.8)],
    [(18, 4, 1386, 5), (60, -4, 1428, 4.4), (110, 10, 1432, 4), (150, 22, 1400, 3.5),
     (196, 14, 1300, 2.8), (214, 18, 1130, 2.4)],
]  # fmt: skip
LEFT_VEINS: list[Path] = [
    [(-18, 2, 1030, 7), (14, 12, 1000, 6.5), (44, 24, 960, 6), (58, -14, 915, 6), (56, -40, 880, 6),
     (64, -36, 830, 5.5), (74, -20, 740, 4.8), (80, 4, 620, 4.4), (86, 28, 520, 4)],
    [(-14, 0, 1124, 5), (14, -14, 1126, 4.5), (50, 40, 1124, 4)],
    [(-14, -30, 1392, 5.5), (34, -16, 1445, 5.5), (38, 2, 1500, 5), (36, 6, 1560, 4.5)],
    [(30, -20, 1436, 5), (90, 2, 1428, 5), (150, 18, 1402, 4.2), (200, 6, 1300, 3.2)],
]  # fmt: skip
CAVA: list[Path] = [
    [_beside(1030, -20, 22, 10), _beside(1090, -20, 26, 11), _beside(1150, -22, 32, 12),
     (-28, 0, 1215, 12), (-28, -6, 1250, 12)],
    [(-26, -18, 1310, 10), (-24, -22, 1390, 9)],
    [(-30, -8, 1140, 6), (-40, -14, 1165, 7), (-58, -8, 1180, 6), (-78, 0, 1186, 4)],
    [(6, -32, 1310, 12), (14, -22, 1342, 13), (34, 4, 1338, 8), (46, 18, 1326, 5)],
    [(14, -16, 1342, 11), (-20, -2, 1336, 9), (-44, 14, 1324, 5)],
]  # fmt: skip


class Vessels:
    """The vessels of one patient, filled as the contrast phase asks."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 47])
        c, phase = parameters.contrast_hu, parameters.contrast
        blood = float(rng.uniform(35, 50))
        self._artery = blood + (c if phase != "none" else 0)
        share = {
            "none": 0.0,
            "arterial": float(rng.uniform(0.05, 0.5)),
            "portal": 0.92,
            "late": 0.95,
        }
        self._vein = blood + share[phase] * c
        self._tortuosity = float(rng.uniform(0, 5))
        widen = float(rng.uniform(0.85, 1.35))
        left = [smooth_path(p) for p in LEFT_ARTERIES]
        self._mesentery = Capsules(_mesenteric_vessels(rng))
        trunk = smooth_path(self._wind(aorta(), rng))
        trunk = [[x, y, z, r * widen] for x, y, z, r in trunk]
        self._arteries = Capsules(_pairs(left) + chain(trunk))
        veins = [smooth_path(p) for p in LEFT_VEINS]
        self._veins = Capsules(_pairs(veins) + [r for p in CAVA for r in chain(smooth_path(p))])
        self._liver, self._liver_hu = Capsules(_liver_vessels(rng)), self._vein + 12
        self._bolus, self._bolus_hu = Capsules(_bolus_path(rng)), parameters.bolus_hu
        self._plaques = _plaques(trunk, left, parameters.plaque, rng)

    def _wind(self, path: Path, rng: np.random.Generator) -> Path:
        phase = float(rng.uniform(0, 6.28))
        return [
            (x + (self._tortuosity * float(np.sin(z / 28 + phase)) if z < 1200 else 0), y, z, r)
            for x, y, z, r in path
        ]

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint veins, then arteries, then the plaques in their walls."""
        filled = [
            (self._liver, self._liver_hu),
            (self._mesentery, 0.5 * (self._artery + self._vein)),
            (self._veins, self._vein),
        ]
        if self._bolus_hu:
            filled.append((self._bolus, self._bolus_hu))
        for vessels, hu in (*filled, (self._arteries, self._artery)):
            field = canvas.field()
            vessels.unite(canvas, field)
            taken = field.take()
            if taken is not None:
                # Where an arm lies outside the field of view, its vessels do as well.
                box, distance = taken[0], np.maximum(taken[1], canvas.outline[taken[0]] + 3)
                canvas.paint(box, distance - np.float32(1.2), 45.0)
                canvas.paint(box, distance, hu)
        for centre, radii, turn, hu in self._plaques:
            found = ellipsoid(canvas, centre, radii, degrees=turn)
            if found is not None:
                canvas.paint(*found, hu)


def _bolus_path(rng: np.random.Generator) -> list[list[float]]:
    """The way of undiluted contrast from one arm to the heart."""
    arm, trunk = LEFT_VEINS[3], [*reversed(LEFT_VEINS[2][:2])]
    rods = chain(smooth_path(arm))
    if rng.random() < 0.5:
        rods = chain(mirrored(smooth_path(arm)))
        trunk = [(-30, -20, 1436, 5), (-26, -22, 1400, 6)]
    return rods + chain(smooth_path(trunk)) + chain(smooth_path(CAVA[1]))


def _mesenteric_vessels(rng: np.random.Generator) -> list[list[float]]:
    """Branches from the aorta's front into the fat between the loops of bowel."""
    rods: list[list[float]] = []
    for _ in range(26):
        at = np.array([rng.uniform(-8, 14), -14.0, rng.uniform(1040, 1150)])
        heading = np.array([rng.uniform(-1, 1), -0.8, rng.uniform(-1, 0.3)])
        radius = float(rng.uniform(1.4, 3.6))
        for _ in range(int(rng.integers(3, 8))):
            heading = heading / np.linalg.norm(heading) + rng.normal(0, 0.35, 3)
            after = np.clip(at + heading * 13, [-95, -66, 930], [95, 10, 1170])
            rods.append([*at, radius, *after, radius * 0.88])
            at, radius = after, radius * 0.88
    return rods


def _liver_vessels(rng: np.random.Generator) -> list[list[float]]:
    """Branches of the portal and hepatic veins."""
    rods: list[list[float]] = []
    for _ in range(14):
        at = np.array([-34.0, -6.0, 1182.0]) + rng.normal(0, 6, 3)
        heading = np.array([rng.uniform(-1, 0.3), rng.uniform(-1, 1), rng.uniform(-0.8, 0.6)])
        radius = float(rng.uniform(2.5, 4.5))
        for _ in range(4):
            heading = heading / np.linalg.norm(heading) + rng.normal(0, 0.3, 3)
            after = at + heading * 12
            if ((after - [-62, -2, 1172]) ** 2 / [66**2, 74**2, 56**2]).sum() > 1:
                break
            rods.append([*at, radius, *after, radius * 0.8])
            at, radius = after, radius * 0.8
    return rods


def _pairs(paths: list[list[list[float]]]) -> list[list[float]]:
    return [row for p in paths for row in chain(p) + chain(mirrored(p))]


def _plaques(
    trunk: list[list[float]], sides: list[list[list[float]]], count: int, rng: np.random.Generator
) -> list[tuple[tuple[float, float, float], tuple[float, float, float], float, float]]:
    """Flat flecks that follow the wall: centre, half-axes, turn, HU."""
    places = trunk * 2 + [p for path in sides[:2] for q in (path, mirrored(path)) for p in q]
    out = []
    for _ in range(count):
        x, y, z, r = places[int(rng.integers(0, len(places)))]
        angle = float(rng.uniform(0, 360))
        at = (x + r * float(np.cos(np.deg2rad(angle))), y + r * float(np.sin(np.deg2rad(angle))), z)
        size = (
            float(rng.uniform(0.8, 2.2)),
            float(rng.uniform(1.5, 5.0)),
            float(rng.uniform(3, 12)),
        )
        out.append((at, size, angle, float(rng.uniform(350, 1200))))
    return out
