"""Shoulder girdle, arms and legs: the tubular bones."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.body import arm_path
from osteoserve_client.phantom.canvas import Bone, DistanceField, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, Loft, chain, ellipsoid, mirrored, smooth_path

Path = list[list[float]]

SCAPULA = [
    (1292.0, [(92, 92, 2.5), (100, 90, 3.0), (108, 86, 3.5)]),
    (1330.0, [(84, 91, 2.4), (103, 88, 1.6), (122, 76, 4.0)]),
    (1370.0, [(78, 88, 2.2), (106, 83, 1.5), (136, 64, 5.0)]),
    (1400.0, [(78, 82, 2.2), (112, 74, 1.8), (148, 38, 8.0)]),
    (1418.0, [(86, 77, 2.0), (116, 66, 2.2), (142, 40, 5.0)]),
]


class Limbs:
    """Tubular bones of one patient.

    Three kinds are painted apart: shafts with fatty marrow in a thick cortex, spongy ends in a
    thin one, and the flat girdle.
    """

    def __init__(self, parameters: PhantomParameters) -> None:
        fatty = float(np.interp(parameters.marrow_hu, [20, 250], [-70, 40]))
        self._shaft = Bone(4.6, parameters.cortex_hu, fatty, 14.0, 20.0)
        self._thin_shaft = Bone(2.8, 0.95 * parameters.cortex_hu, fatty + 30, 18.0, 40.0)
        self._spongy = Bone(1.3, 0.65 * parameters.cortex_hu, 0.9 * parameters.marrow_hu + 60, 35.0)
        self._girdle = Bone(1.2, 0.8 * parameters.cortex_hu, 0.6 * parameters.marrow_hu + 60, 30.0)
        arms = _arm_bones(parameters.arms, parameters.arm_spread_mm)
        self._girdle_rods = Capsules(_both(_girdle_rods()))
        self._parts = [
            (Capsules(_both(arms[2] + _small_leg())), self._thin_shaft),
            (Capsules(_both(_leg_shafts() + arms[0])), self._shaft),
            (Capsules(_both(_leg_spongy() + arms[1])), self._spongy),
        ]
        self._scapulae = [
            Loft([(z, [(s * x, y, r) for x, y, r in p]) for z, p in SCAPULA]) for s in (1.0, -1.0)
        ]

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint every bone of arms and legs that crosses the slice."""
        field = canvas.field()
        self._girdle_rods.unite(canvas, field)
        for scapula in self._scapulae:
            scapula.unite(canvas, field)
        _paint(canvas, field, self._girdle)
        self._carve_joints(canvas)
        for capsules, bone in self._parts:
            field = canvas.field()
            capsules.unite(canvas, field)
            _paint(canvas, field, bone)

    def _carve_joints(self, canvas: SliceCanvas) -> None:
        """Cartilage between the heads and their sockets: what makes the sockets hollow."""
        for s in (-1.0, 1.0):
            for x, y, z, radius in ((88, 0, 890, 26.5), (177, 28, 1400, 25.5)):
                gap = ellipsoid(canvas, (s * x, y, z), (radius, radius, radius))
                if gap is not None:
                    canvas.carve(*gap, 65.0)


def _paint(canvas: SliceCanvas, field: DistanceField, bone: Bone) -> None:
    taken = field.take()
    if taken is not None:
        canvas.paint_bone(*taken, bone)


def _both(paths: list[Path]) -> list[list[float]]:
    return [row for p in paths for row in chain(p) + chain(mirrored(p))]


def _leg_shafts() -> list[Path]:
    femur = [(122, 6, 838, 15), (119, 4, 800, 14.5), (112, -8, 690, 13.5), (98, -6, 560, 14.5),
             (92, -2, 530, 17)]  # fmt: skip
    tibia = [(82, -10, 420, 16), (82, -12, 370, 13.5), (84, -6, 240, 12), (84, 2, 130, 12.5)]
    return [smooth_path(femur, 3), smooth_path(tibia, 3)]


def _small_leg() -> list[Path]:
    return [
        smooth_path([(108, 14, 440, 9), (110, 16, 400, 6.5), (108, 14, 240, 6.5),
                     (106, 12, 120, 8), (106, 12, 78, 8)], 3),  # fmt: skip
        *([(92 + 9.0 * n, -60, 28, 5.0), (92 + 11.0 * n, -125, 22, 4.2),
           (92 + 11.0 * n, -160, 16, 4.0)] for n in (-2, -1, 0, 1, 2)),
    ]  # fmt: skip


def _leg_spongy() -> list[Path]:
    return [
        [[88, 0, 890, 23.5], [89, 0, 889, 23.5]],
        [[92, -1, 888, 17], [116, 2, 866, 15.5]],
        [[136, 14, 888, 9], [136, 12, 868, 14], [126, 8, 842, 16]],
        [[108, 22, 846, 8], [114, 14, 838, 11]],
        [[92, -3, 545, 16], [88, 0, 515, 24]],
        [[66, 10, 496, 20], [72, 2, 510, 19]],
        [[106, 10, 496, 20], [100, 2, 510, 19]],
        [[84, -18, 512, 12], [84, -8, 500, 16]],
        [[86, -46, 512, 13], [86, -45, 500, 15]],
        [[66, 6, 455, 18], [72, 2, 448, 19]],
        [[104, 6, 455, 18], [96, 2, 448, 19]],
        [[82, -6, 448, 23], [82, -10, 415, 16]],
        [[84, 2, 130, 13], [84, 6, 90, 18]],
        [[74, 4, 92, 9], [73, 4, 76, 8]],
        [[88, 0, 66, 20], [88, -22, 58, 15]],
        [[92, 16, 46, 16], [92, 36, 34, 17]],
        [[90, -36, 46, 15], [90, -58, 36, 14]],
    ]


def _girdle_rods() -> list[Path]:
    clavicle = [(20, -46, 1416, 8.5), (50, -44, 1422, 6), (95, -18, 1433, 5.5),
                (135, 18, 1445, 5.8), (160, 26, 1447, 6)]  # fmt: skip
    spine = [(80, 86, 1388, 3.5), (115, 84, 1404, 4.5), (150, 70, 1424, 6), (176, 46, 1433, 6.5),
             (172, 26, 1434, 6)]  # fmt: skip
    coracoid = [(142, 30, 1412, 7), (140, 4, 1420, 6), (150, -8, 1412, 5)]
    glenoid = [(146, 40, 1410, 8), (146, 40, 1388, 9)]
    return [smooth_path(clavicle), smooth_path(spine), [list(p) for p in coracoid], glenoid]


def _arm_bones(arms: str, spread: float) -> tuple[list[Path], list[Path], list[Path]]:
    """Shafts, spongy ends and thin shafts of the left arm."""
    head: Path = [[176, 28, 1402, 22.5], [178, 28, 1398, 22.5]]
    if arms == "absent":
        return [], [head], []
    p = arm_path(arms, spread)
    if arms == "up":
        humerus = [[176, 22, 1412, 17], [180, -2, 1490, 12], [172 + spread, -32, 1672, 11.5]]
        elbow, wrist = p[2], p[4]
    else:
        humerus = [[181, 29, 1385, 17], [204 + 0.48 * spread, 35, 1330, 12], [220 + spread, 39, 1230, 11.2],
                   [227 + spread, 36, 1120, 11.5]]  # fmt: skip
        elbow, wrist = p[3], p[5]
    e, w = np.array(elbow[:3]), np.array(wrist[:3])
    across = np.array([10.0, 8.0, 0.0])
    radius = [
        [*(e + across - 0.0), 9.0],
        [*((e + w) / 2 + across), 6.8],
        [*(w + 1.2 * across), 9.0],
    ]
    ulna = [[*(e - across), 11.0], [*((e + w) / 2 - across), 6.8], [*(w - 0.9 * across), 6.0]]
    ends: list[Path] = [
        head,
        [[*(e + np.array([16, 0, 4])), 13.0], [*(e - np.array([16, 0, -4])), 13.0]],
    ]
    thin: list[Path] = [smooth_path(radius, 3), smooth_path(ulna, 3)]
    if arms == "down":
        thin += _hand(w)
        ends.append([[*(w + [8, 2, -12]), 11.0], [*(w + [-8, -2, -14]), 11.0]])
    return [smooth_path(humerus, 3)], ends, thin


def _hand(wrist: np.ndarray) -> list[Path]:  # type: ignore[type-arg]
    rays: list[Path] = []
    for n in (-2, -1, 0, 1, 2):
        base = wrist + np.array([2.0 * n, 9.0 * n, -26.0])
        tip = wrist + np.array([2.5 * n - 4, 11.0 * n, -150.0 + 8 * abs(n)])
        rays.append([[*base, 4.4], [*(0.55 * base + 0.45 * tip), 3.8]])
        rays.append([[*(0.5 * base + 0.5 * tip), 4.2], [*tip, 3.0]])
    return rays
