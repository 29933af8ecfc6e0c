"""The soft outline: skin, fat under it, muscle within, and the fat of the abdominal cavity."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import WAIST_Z, Array, Box, SliceCanvas
from osteoserve_client.phantom.outline import CAVITY, HEAD, LEG, TRUNK, arm_path
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import (
    Capsules,
    chain,
    ellipse,
    ellipsoid,
    mirrored,
    rounded_box,
)

#: HU of soft tissues without contrast, as measured in clinical CT.
SKIN_HU, FAT_HU, MUSCLE_HU = 15.0, -102.0, 52.0
#: How far outside the skin its distance is known: room for cloth and lines.
MARGIN_MM = 14.0
#: Fat under the skin by height, as a share of that of the belly: thin over chest and neck.
FAT_LEVELS = ((850, 940, 1060, 1200, 1330, 1440, 1500), (1.3, 1.2, 1.1, 0.8, 0.55, 0.45, 0.25))

Shape = tuple[Box, Array]


class Body:
    """Outline and layers of one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        self._girth, self._fat = parameters.girth, parameters.fat_mm
        self._wall_mm = 8.0 + 3.0 / parameters.muscle_fat
        self._muscle_fat, self._breast = parameters.muscle_fat, parameters.breast_mm
        self._arms = _both_arms(parameters)

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint everything but organs and bones, and tell the canvas where the skin is."""
        trunk = self._trunk(canvas)
        if trunk is not None:
            self._layers(canvas, trunk, self._fat_at(canvas, trunk[0]))
        for leg in self._legs(canvas):
            self._layers(canvas, leg, 0.5 * self._fat + 3)
        arms = self._arm_field(canvas)
        if arms is not None:
            self._layers(canvas, arms, 0.3 * self._fat + 2)
        head = self._head(canvas)
        if head is not None:
            self._layers(canvas, head, 3.0)
        self._breasts(canvas)
        self._cavity(canvas)

    def _trunk(self, canvas: SliceCanvas) -> Shape | None:
        if not 770 <= canvas.z <= 1550:
            return None
        a, b, cy = _grown_trunk(canvas.z, self._girth)
        box = _box_around(canvas, 0.0, cy, a, b)
        if box is None:
            return None
        x, y = canvas.x[box], canvas.y[box] - np.float32(cy)
        # The buttocks end where the legs part.
        end = np.float32(max(0.0, 830 - canvas.z) * 2.6)
        return box, (rounded_box(x, y, a, b) + ellipse(x, y, a, b)) / 2 + end

    def _fat_at(self, canvas: SliceCanvas, box: Box) -> Array:
        level = np.float32(self._fat * np.interp(canvas.z, *FAT_LEVELS))
        # Uneven round the body, by the products of two waves.
        column, row = canvas.x[box][:1] / 37, canvas.y[box][:, :1] / 45
        sway: Array = 1 + np.float32(0.25) * np.sin(column) * np.cos(row)
        return level * sway + np.float32(1.5)

    def _legs(self, canvas: SliceCanvas) -> list[Shape]:
        if not -5 <= canvas.z <= 834:
            return []
        a, b, cx, cy = LEG(canvas.z)
        a, b = a * (0.3 + 0.7 * self._girth), b * (0.3 + 0.7 * self._girth)
        end = np.float32(max(0.0, 12 - canvas.z) * 2.5)
        legs: list[Shape] = []
        for s in (-1.0, 1.0):
            box = _box_around(canvas, s * cx, cy, a, b)
            if box is not None:
                x, y = canvas.x[box] - np.float32(s * cx), canvas.y[box] - np.float32(cy)
                legs.append((box, ellipse(x, y, a, b) + end))
        return legs

    def _arm_field(self, canvas: SliceCanvas) -> Shape | None:
        field = canvas.field()
        self._arms.unite(canvas, field)
        return field.take()

    def _head(self, canvas: SliceCanvas) -> Shape | None:
        if not 1486 <= canvas.z <= 1724:
            return None
        a, b, cy = HEAD(canvas.z)
        box = _box_around(canvas, 0.0, cy, a, b)
        if box is None:
            return None
        return box, ellipse(canvas.x[box], canvas.y[box] - np.float32(cy), a, b)

    def _layers(self, canvas: SliceCanvas, shape: Shape, fat_mm: float | Array) -> None:
        """Skin, fat and muscle under one outline."""
        box, distance = shape
        np.minimum(canvas.outline[box], distance, out=canvas.outline[box])
        canvas.paint(box, distance, SKIN_HU)
        canvas.paint(box, distance + np.float32(1.8), FAT_HU + 6 * canvas.strands[box])
        # Fat stands between the muscles where a smooth noise crosses zero, and within them.
        planes = np.exp(
            -np.square(canvas.planes[box] / np.float32(0.05 + 0.025 * self._muscle_fat))
        )
        within = np.float32(6 * self._muscle_fat) * np.clip(canvas.texture[box], -3, 0.5)
        muscle = np.float32(MUSCLE_HU + 3) + within - np.float32(100) * planes
        canvas.paint(box, distance + fat_mm, muscle)

    def _breasts(self, canvas: SliceCanvas) -> None:
        """Fat with strands of gland, in front of the ribs; they fall to the sides."""
        if self._breast <= 0:
            return
        for s in (-1.0, 1.0):
            radii = (52 + 0.5 * self._breast, 22 + 0.6 * self._breast, 50 + 0.4 * self._breast)
            centre = (s * (78 + 0.3 * self._breast), -80, 1290)
            found = ellipsoid(canvas, centre, radii, degrees=-s * 22)
            if found is None:
                continue
            box, d = found
            outside = canvas.coverage(-canvas.outline[box])
            gland = 140 * np.clip(canvas.strands[box] - 0.4, 0, 1) * (d < -8)
            hu = canvas.hu[box]
            inside = np.where(d > -2, SKIN_HU, FAT_HU + gland)
            hu += canvas.coverage(d) * outside * (inside - hu)
            np.minimum(canvas.outline[box], d, out=canvas.outline[box])

    def _cavity(self, canvas: SliceCanvas) -> None:
        if not 866 <= canvas.z <= 1232:
            return
        a, b, cy = CAVITY(canvas.z)
        wide = 1 + 0.8 * (self._girth - 1)
        cy -= 0.7 * (wide - 1) * b
        box = canvas.box(-a * wide, a * wide, cy - b * wide, cy + b * wide)
        if box is None:
            return
        # The wall of the belly: three sheets of muscle under the fat.
        wall = canvas.outline[box] + self._fat_at(canvas, box) + np.float32(self._wall_mm)
        inside = rounded_box(canvas.x[box], canvas.y[box] - np.float32(cy), a * wide, b * wide)
        distance = np.maximum(inside, wall)
        canvas.peritoneum[box] = distance
        canvas.paint(box, distance, FAT_HU + 4 * canvas.strands[box])


def lowest_skin(parameters: PhantomParameters, scale: float) -> float:
    """Y of the skin nearest the table, mm, patient frame: of back, buttocks or, prone, the front.

    Args:
        parameters: The patient.
        scale: Patient's over nominal stature.
    """
    side = -1.0 if parameters.prone else 1.0
    low = 0.0
    for z in range(800, 1460, 20):
        _, b, cy = _grown_trunk(float(z), parameters.girth)
        bulge = 0.5 * parameters.breast_mm if parameters.prone and 1240 <= z <= 1340 else 0.0
        lean = parameters.lean[1] * (z - WAIST_Z)
        low = max(low, side * (cy + lean) + b + bulge)
    # The outline is warped by some millimetres.
    return parameters.offset_mm[1] + side * (low + 4.0) * scale


def _grown_trunk(z: float, girth: float) -> list[float]:
    """Half-width, half-depth and middle of the trunk; a stout belly grows forwards."""
    a, b, cy = TRUNK(z)
    wide = 1 + (girth - 1) * float(np.interp(z, [1380, 1480], [1, 0.2]))
    return [a * wide, b * wide, cy - 0.8 * b * (wide - 1)]


def _box_around(canvas: SliceCanvas, cx: float, cy: float, a: float, b: float) -> Box | None:
    a, b = a + MARGIN_MM, b + MARGIN_MM
    return canvas.box(cx - a, cx + a, cy - b, cy + b)


def _both_arms(parameters: PhantomParameters) -> Capsules:
    width = 0.5 + 0.5 * parameters.girth
    if parameters.arms == "absent":
        # Only the caps of the shoulders: the arms were cut off by the reconstruction circle.
        path = [[170.0, 26.0, 1412.0, 46.0], [176.0, 27.0, 1385.0, 46.0]]
    else:
        path = arm_path(parameters.arms, parameters.arm_spread_mm)
    left = [[x, y, z, r * width] for x, y, z, r in path]
    return Capsules(chain(left) + chain(mirrored(left)))
