"""Where the bones of shoulder, arms and legs run: middles and radii of the left side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.outline import arm_path
from osteoserve_client.phantom.shapes import Path, smooth_path

# Sections of the left shoulder blade: x, y, half the thickness.
SCAPULA: list[tuple[float, Path]] = [
    (1292.0, [(92, 92, 2.5), (100, 90, 3.0), (108, 86, 3.5)]),
    (1330.0, [(84, 91, 2.4), (103, 88, 1.6), (122, 76, 4.0)]),
    (1370.0, [(78, 88, 2.2), (106, 83, 1.5), (136, 64, 5.0)]),
    (1400.0, [(78, 82, 2.2), (112, 74, 1.8), (148, 38, 8.0)]),
    (1418.0, [(86, 77, 2.0), (116, 66, 2.2), (142, 40, 5.0)]),
]


def leg_shafts() -> list[Path]:
    """Femur and tibia between their ends."""
    femur: Path = [
        (122, 6, 838, 15),
        (119, 4, 800, 14.5),
        (112, -8, 690, 13.5),
        (98, -6, 560, 14.5),
        (92, -2, 530, 17),
    ]
    tibia: Path = [(82, -10, 420, 16), (82, -12, 370, 13.5), (84, -6, 240, 12), (84, 2, 130, 12.5)]
    return [smooth_path(femur, 3), smooth_path(tibia, 3)]


def leg_thin_shafts() -> list[Path]:
    """Fibula and the rays of the foot."""
    fibula = [(108, 14, 440, 9), (110, 16, 400, 6.5), (108, 14, 240, 6.5), (106, 12, 120, 8),
              (106, 12, 78, 8)]  # fmt: skip
    rays: list[Path] = [
        [
            (92 + 9.0 * n, -60, 28, 5.0),
            (92 + 11.0 * n, -125, 22, 4.2),
            (92 + 11.0 * n, -160, 16, 4.0),
        ]
        for n in (-2, -1, 0, 1, 2)
    ]
    return [smooth_path(fibula, 3), *rays]


def leg_ends() -> list[Path]:
    """Head, neck and trochanters of the femur, knee, ankle, heel."""
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


def girdle_rods() -> list[Path]:
    """Clavicle, spine of the scapula, coracoid and glenoid."""
    clavicle = [(20, -46, 1416, 8.5), (50, -44, 1422, 6), (95, -18, 1433, 5.5),
                (135, 18, 1445, 5.8), (160, 26, 1447, 6)]  # fmt: skip
    spine = [(80, 86, 1388, 3.5), (115, 84, 1404, 4.5), (150, 70, 1424, 6), (176, 46, 1433, 6.5),
             (172, 26, 1434, 6)]  # fmt: skip
    coracoid: Path = [(142, 30, 1412, 7), (140, 4, 1420, 6), (150, -8, 1412, 5)]
    glenoid: Path = [(146, 40, 1410, 8), (146, 40, 1388, 9)]
    return [smooth_path(clavicle), smooth_path(spine), coracoid, glenoid]


def arm_bones(arms: str, spread: float) -> tuple[list[Path], list[Path], list[Path]]:
    """Shafts, spongy ends and thin shafts of the left arm."""
    head: Path = [[176, 28, 1402, 22.5], [178, 28, 1398, 22.5]]
    if arms == "absent":
        return [], [head], []
    p = arm_path(arms, spread)
    if arms == "up":
        humerus: Path = [[176, 22, 1412, 17], [180, -2, 1490, 12], [172 + spread, -32, 1672, 11.5]]
        elbow, wrist = p[2], p[4]
    else:
        humerus = [
            [181, 29, 1385, 17],
            [204 + 0.48 * spread, 35, 1330, 12],
            [220 + spread, 39, 1230, 11.2],
            [227 + spread, 36, 1120, 11.5],
        ]
        elbow, wrist = p[3], p[5]
    e, w = np.array(elbow[:3]), np.array(wrist[:3])
    across = np.array([10.0, 8.0, 0.0])
    middle = (e + w) / 2
    radius = [_point(e + across, 9.0), _point(middle + across, 6.8), _point(w + 1.2 * across, 9.0)]
    ulna = [_point(e - across, 11.0), _point(middle - across, 6.8), _point(w - 0.9 * across, 6.0)]
    wide = np.array([16.0, 0.0, 0.0])
    up = np.array([0.0, 0.0, 4.0])
    ends: list[Path] = [head, [_point(e + up + wide, 13.0), _point(e + up - wide, 13.0)]]
    thin: list[Path] = [smooth_path(radius, 3), smooth_path(ulna, 3)]
    if arms == "down":
        thin += _hand(w)
        carpus = (np.array([8.0, 2.0, -12.0]), np.array([-8.0, -2.0, -14.0]))
        ends.append([_point(w + offset, 11.0) for offset in carpus])
    return [smooth_path(humerus, 3)], ends, thin


def _hand(wrist: npt.NDArray[np.float64]) -> list[Path]:
    """Metacarpals and fingers, side by side along the thigh."""
    rays: list[Path] = []
    for n in (-2, -1, 0, 1, 2):
        base = wrist + np.array([2.0 * n, 9.0 * n, -26.0])
        tip = wrist + np.array([2.5 * n - 4, 11.0 * n, -150.0 + 8 * abs(n)])
        rays.append([_point(base, 4.4), _point(0.55 * base + 0.45 * tip, 3.8)])
        rays.append([_point(0.5 * base + 0.5 * tip, 4.2), _point(tip, 3.0)])
    return rays


def _point(at: npt.NDArray[np.float64], radius: float) -> list[float]:
    return [float(at[0]), float(at[1]), float(at[2]), radius]
