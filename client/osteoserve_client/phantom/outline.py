"""Shapes of the soft outline: sections of trunk, head and legs, and the way of the arms.

Half-axes and middles in nominal mm (see canvas.py); the mean patient lying on the back.
"""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.shapes import Profile

# Half-width, half-depth of the trunk and y of its middle. The back is kept near y = 110.
TRUNK = Profile(
    [
        (775, 170, 92, 12),
        (820, 180, 104, 6),
        (890, 182, 110, 2),
        (960, 172, 106, 4),
        (1040, 158, 100, 8),
        (1100, 150, 99, 9),
        (1180, 155, 104, 6),
        (1260, 160, 108, 3),
        (1330, 166, 108, 4),
        (1385, 172, 100, 10),
        (1425, 170, 82, 22),
        (1452, 128, 66, 26),
        (1478, 70, 62, 18),
        (1500, 61, 62, 8),
        (1545, 62, 66, 6),
    ]
)
HEAD = Profile(
    [
        (1488, 30, 40, -34),
        (1502, 48, 58, -24),
        (1530, 64, 82, -10),
        (1565, 71, 94, -2),
        (1610, 77, 99, 0),
        (1650, 76, 97, 0),
        (1685, 64, 82, 0),
        (1708, 42, 54, 0),
        (1722, 8, 10, 0),
    ],
    smoothing_mm=8,
)
# Half-width, half-depth, x and y of the middle of the left leg.
LEG = Profile(
    [
        (0, 36, 100, 92, -46),
        (40, 40, 110, 92, -46),
        (75, 40, 66, 90, -18),
        (95, 35, 44, 88, 6),
        (160, 35, 40, 86, 12),
        (240, 43, 48, 85, 14),
        (350, 56, 62, 85, 16),
        (430, 54, 58, 84, 6),
        (480, 59, 62, 84, -2),
        (540, 63, 68, 86, 2),
        (650, 78, 84, 90, 6),
        (760, 90, 96, 94, 8),
        (850, 88, 100, 92, 6),
    ]
)
# Inside of the abdominal wall: half-width, half-depth, y of the middle.
CAVITY = Profile(
    [
        (868, 34, 40, 0),
        (885, 50, 58, -2),
        (930, 62, 72, -6),
        (975, 92, 78, -24),
        (1030, 126, 84, -34),
        (1100, 134, 88, -30),
        (1180, 128, 92, -10),
        (1230, 120, 90, -2),
    ]
)


def arm_path(arms: str, spread_mm: float = 0.0) -> list[list[float]]:
    """Middle of the left arm: (x, y, z, radius of the skin) from the shoulder to the hand."""
    path = _arm_path(arms)
    away = np.clip([abs(z - path[0][2]) / 150 for _, _, z, _ in path], 0, 1) * spread_mm
    return [[x + float(d), y, z, r] for (x, y, z, r), d in zip(path, away, strict=True)]


def _arm_path(arms: str) -> list[list[float]]:
    if arms == "up":
        return [
            [172, 26, 1400, 52],
            [182, -4, 1490, 50],
            [172, -34, 1680, 44],
            [120, -58, 1780, 36],
            [40, -66, 1840, 28],
        ]
    return [
        [178, 28, 1402, 52],
        [206, 36, 1330, 46],
        [222, 40, 1230, 43],
        [228, 34, 1100, 40],
        [222, 8, 960, 34],
        [212, -12, 850, 24],
        [208, -14, 800, 26],
        [204, -16, 690, 16],
    ]
