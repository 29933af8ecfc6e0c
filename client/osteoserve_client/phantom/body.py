"""The soft outline: skin, fat under it, muscle within, and the fat of the abdominal cavity."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import FAR, Array, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import (
    Capsules,
    Profile,
    chain,
    ellipse,
    ellipsoid,
    rounded_box,
)

#: HU of soft tissues without contrast, as measured in clinical CT.
SKIN_HU, FAT_HU, MUSCLE_HU = 15.0, -102.0, 52.0

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


class Body:
    """Outline and layers of one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        self._girth = parameters.girth
        self._fat = parameters.fat_mm
        self._wall_mm = 8.0 + 3.0 / parameters.muscle_fat
        self._muscle_fat, self._breast = parameters.muscle_fat, parameters.breast_mm
        self._arms = _both_sides(parameters)

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint everything but organs and bones, and tell the canvas where the skin is."""
        trunk = self._trunk(canvas)
        for distance, fat in (
            (trunk, self._fat_at(canvas)),
            (self._legs(canvas), 0.5 * self._fat + 3),
            (self._arm_field(canvas), 0.3 * self._fat + 2),
            (self._head(canvas), 3.0),
        ):
            if distance is not None:
                _layers(canvas, distance, fat, self._muscle_fat)
                np.minimum(canvas.outline, distance, out=canvas.outline)
        self._breasts(canvas)
        self._cavity(canvas)

    def _breasts(self, canvas: SliceCanvas) -> None:
        """Fat with strands of gland, in front of the ribs; they fall to the sides."""
        if self._breast <= 0:
            return
        for s in (-1.0, 1.0):
            radii = (52 + 0.5 * self._breast, 22 + 0.6 * self._breast, 50 + 0.4 * self._breast)
            found = ellipsoid(
                canvas, (s * (78 + 0.3 * self._breast), -80, 1290), radii, degrees=-s * 22
            )
            if found is None:
                continue
            box, d = found
            outside = canvas.coverage(-canvas.outline[box])
            gland = 140 * np.clip(canvas.strands[box] - 0.4, 0, 1) * (d < -8)
            hu = canvas.hu[box]
            inside = np.where(d > -2, SKIN_HU, FAT_HU + gland)
            hu += canvas.coverage(d) * outside * (inside - hu)
            np.minimum(canvas.outline[box], d, out=canvas.outline[box])

    def _fat_at(self, canvas: SliceCanvas) -> Array:
        # Thick over belly and buttocks, thin over chest and neck, thickest at the sides.
        level = float(
            np.interp(
                canvas.z,
                [850, 940, 1060, 1200, 1330, 1440, 1500],
                [1.3, 1.2, 1.1, 0.8, 0.55, 0.45, 0.25],
            )
        )
        sway = np.float32(1) + np.float32(0.25) * np.sin(canvas.x / 37) * np.cos(canvas.y / 45)
        return np.float32(level * self._fat) * sway + np.float32(1.5)

    def _trunk(self, canvas: SliceCanvas) -> Array | None:
        if not 770 <= canvas.z <= 1550:
            return None
        a, b, cy = TRUNK(canvas.z)
        wide = 1 + (self._girth - 1) * float(np.interp(canvas.z, [1380, 1480], [1, 0.2]))
        # A stout belly grows forwards: the back stays on the table.
        a, grown = a * wide, b * wide
        cy -= 0.8 * (grown - b)
        box = canvas.box(-a - 12, a + 12, cy - grown - 12, cy + grown + 12)
        if box is None:
            return None
        x, y = canvas.x[box], canvas.y[box] - np.float32(cy)
        # The buttocks end where the legs part.
        end = np.float32(max(0.0, 830 - canvas.z) * 1.6)
        trunk = np.full_like(canvas.hu, FAR)
        trunk[box] = (rounded_box(x, y, a, grown) + ellipse(x, y, a, grown)) / 2 + end
        return trunk

    def _legs(self, canvas: SliceCanvas) -> Array | None:
        if not -5 <= canvas.z <= 850:
            return None
        a, b, cx, cy = LEG(canvas.z)
        wide = 1 + 0.7 * (self._girth - 1)
        x = np.abs(canvas.x) - np.float32(cx)
        end = np.float32(max(0.0, 12 - canvas.z) * 2.5)
        return ellipse(x, canvas.y - np.float32(cy), a * wide, b * wide) + end

    def _arm_field(self, canvas: SliceCanvas) -> Array | None:
        field = canvas.field()
        self._arms.unite(canvas, field)
        taken = field.take()
        if taken is None:
            return None
        whole = np.full_like(canvas.hu, FAR)
        whole[taken[0]] = taken[1]
        return whole

    def _head(self, canvas: SliceCanvas) -> Array | None:
        if not 1486 <= canvas.z <= 1724:
            return None
        a, b, cy = HEAD(canvas.z)
        return ellipse(canvas.x, canvas.y - np.float32(cy), a, b)

    def _cavity(self, canvas: SliceCanvas) -> None:
        if not 866 <= canvas.z <= 1232:
            return
        a, b, cy = CAVITY(canvas.z)
        wide = 1 + 0.8 * (self._girth - 1)
        cy -= 0.7 * (wide - 1) * b
        box = canvas.box(-a * wide, a * wide, cy - b * wide, cy + b * wide)
        if box is None:
            return
        x, y = canvas.x[box], canvas.y[box] - np.float32(cy)
        # The wall of the belly: three sheets of muscle under the fat.
        wall = canvas.outline[box] + self._fat_at(canvas)[box] + np.float32(self._wall_mm)
        distance = np.maximum(rounded_box(x, y, a * wide, b * wide), wall)
        canvas.peritoneum[box] = distance
        canvas.paint(box, distance, FAT_HU + 4 * canvas.strands[box])


def _layers(canvas: SliceCanvas, distance: Array, fat_mm: float | Array, muscle_fat: float) -> None:
    """Skin, fat and muscle under one outline."""
    rows = np.flatnonzero((distance < 2).any(axis=1))
    columns = np.flatnonzero((distance < 2).any(axis=0))
    if len(rows) == 0 or len(columns) == 0:
        return
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    d, strands = distance[box], canvas.strands[box]
    fat = fat_mm if isinstance(fat_mm, float) else fat_mm[box]
    canvas.paint(box, d, SKIN_HU)
    canvas.paint(box, d + np.float32(1.8), FAT_HU + 6 * strands)
    # Septa in the fat, and fat between the muscles: the zero lines of a smooth noise.
    planes = np.exp(-np.square(canvas.planes[box] / np.float32(0.055 + 0.03 * muscle_fat)))
    within = 6 * muscle_fat * np.clip(canvas.texture[box], -3, 0.5)
    muscle = MUSCLE_HU + 3 + within - 100 * planes
    canvas.paint(box, d + fat, muscle)


def _both_sides(parameters: PhantomParameters) -> Capsules:
    width = 0.5 + 0.5 * parameters.girth
    if parameters.arms == "absent":
        # Only the caps of the shoulders: the arms were cut off by the reconstruction circle.
        path = [[170.0, 26.0, 1412.0, 46.0], [176.0, 27.0, 1385.0, 46.0]]
    else:
        path = arm_path(parameters.arms, parameters.arm_spread_mm)
    left = [[x, y, z, r * width] for x, y, z, r in path]
    right = [[-x, y, z, r] for x, y, z, r in left]
    return Capsules(chain(left) + chain(right))
