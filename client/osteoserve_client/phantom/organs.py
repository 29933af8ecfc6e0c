"""Soft organs: muscles beside the spine, liver, spleen, kidneys, heart, bowel, bladder."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.body import FAT_HU, MUSCLE_HU
from osteoserve_client.phantom.bowel import Bowel
from osteoserve_client.phantom.canvas import Array, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import (
    Profile,
    ellipse,
    ellipsoid,
)
from osteoserve_client.phantom.spine import CURVE
from osteoserve_client.phantom.thorax import CAGE

# Psoas: x, y beside the column, half-width, half-depth.
PSOAS = Profile(
    [(890, 84, -38, 12, 12), (940, 72, -28, 18, 16), (990, 54, 4, 21, 19), (1050, 44, 20, 18, 18),
     (1110, 34, 26, 11, 13), (1160, 28, 34, 4, 5)]
)  # fmt: skip


class Organs:
    """Organs of one patient, enhanced as the contrast phase asks."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 43])
        c, phase = parameters.contrast_hu, parameters.contrast
        self._liver = 58 + {"none": 0.0, "arterial": 0.08, "portal": 0.32, "late": 0.4}[phase] * c
        self._spleen = 48 + {"none": 0.0, "arterial": 0.25, "portal": 0.42, "late": 0.45}[phase] * c
        self._cortex = 35 + {"none": 0.0, "arterial": 0.55, "portal": 1.05, "late": 1.5}[phase] * c
        self._medulla = 32 + {"none": 0.0, "arterial": 0.1, "portal": 0.8, "late": 1.6}[phase] * c
        self._pelvis = {"none": 5.0, "arterial": 5.0, "portal": 60.0, "late": 700.0}[phase]
        self._left_heart = 45 + (0.95 * c if phase != "none" else 0)
        self._right_heart = 45 + (0.8 * c if phase != "none" else 0)
        self._wall = 50 + (0.3 * c if phase != "none" else 0)
        self._bladder = float(rng.choice([5, 90, 350]) if phase in ("portal", "late") else 6)
        self._shift = rng.normal(0, 5, size=(6, 3))
        self._up = -1.0 if not parameters.prone else 1.0
        self._bowel = Bowel(rng, parameters.oral_contrast_hu, self._up)

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint the organs that cross the slice."""
        self._paint_back_muscles(canvas)
        self._paint_upper_abdomen(canvas)
        if canvas.z < 1240:
            self._bowel.paint(canvas)
        self._paint_kidneys(canvas)
        self._paint_heart(canvas)
        self._paint_pelvis(canvas)

    def _paint_back_muscles(self, canvas: SliceCanvas) -> None:
        z = canvas.z
        if not 880 <= z <= 1560:
            return
        sy = CURVE(z)[0]
        lumbar = float(np.interp(z, [1150, 1250], [1, 0]))
        a, b = 20 + 9 * lumbar, 13 + 8 * lumbar
        muscle = [(27 + 9 * lumbar, sy + 38 + 6 * lumbar, a, b)] if 985 < z < 1385 else []
        if z < 1165:
            x, y, a, b = PSOAS(z)
            muscle.append((x, y, a, b))
        for s in (-1.0, 1.0):
            for x, y, a, b in muscle:
                box = canvas.box(s * x - a, s * x + a, y - b, y + b)
                if box is not None:
                    u, v = canvas.x[box] - np.float32(s * x), canvas.y[box] - np.float32(y)
                    streak = -70 * np.exp(-np.square(canvas.planes[box] / np.float32(0.1)))
                    inside = np.maximum(ellipse(u, v, a, b), canvas.outline[box] + 4)
                    canvas.paint(box, inside, MUSCLE_HU + 8 + streak)

    def _inside_cage(self, canvas: SliceCanvas, box: tuple[slice, slice]) -> Array:
        a, b, cy = CAGE(canvas.z)
        return ellipse(canvas.x[box], canvas.y[box] - np.float32(cy), a - 3, b - 3)

    def _paint_upper_abdomen(self, canvas: SliceCanvas) -> None:
        for centre, radii, hu, turn in (
            ((-62, -2, 1172), (74, 84, 66), self._liver, 0.0),
            ((0, -42, 1188), (66, 34, 44), self._liver, 0.0),
            ((90, 38, 1186), (27, 46, 44), self._spleen, 20.0),
        ):
            found = ellipsoid(canvas, centre, radii, degrees=turn)
            if found is not None:
                box, d = found
                d = np.maximum(d + 2.5 * canvas.strands[box], self._inside_cage(canvas, box))
                canvas.paint(box, d, hu + 5 * canvas.texture[box])
        gallbladder = ellipsoid(canvas, (-40 + self._shift[5, 0], -44, 1132), (13, 15, 26))
        if gallbladder is not None:
            canvas.paint(*gallbladder, 10.0)
        stomach = ellipsoid(canvas, (48 + self._shift[0, 0], -28, 1184), (44, 38, 46), degrees=25)
        if stomach is not None:
            self._bowel.fill(canvas, *stomach, content=25.0, level=-34.0)

    def _paint_kidneys(self, canvas: SliceCanvas) -> None:
        for s, z0, shift in ((-1.0, 1116.0, self._shift[1]), (1.0, 1128.0, self._shift[2])):
            centre = (s * 58 + 0.4 * shift[0], 48 + 0.4 * shift[1], z0 + shift[2])
            fat = ellipsoid(canvas, centre, (36, 38, 66))
            if fat is not None:
                canvas.paint(fat[0], fat[1] + 2 * canvas.strands[fat[0]], FAT_HU)
            kidney = ellipsoid(canvas, centre, (24, 30, 54), degrees=-s * 30)
            if kidney is None:
                continue
            box, d = kidney
            hilum = (centre[0] - s * 14, centre[1] - 8)
            sinus = ellipse(
                canvas.x[box] - np.float32(hilum[0]), canvas.y[box] - np.float32(hilum[1]), 11, 10
            )
            sinus = sinus + np.float32(0.016 * (canvas.z - centre[2]) ** 2)
            canvas.paint(box, d, self._cortex)
            pyramids = d + np.float32(7) + 3 * np.abs(canvas.strands[box])
            canvas.paint(box, pyramids, self._medulla)
            canvas.paint(box, np.maximum(sinus, d - 2), FAT_HU + 20)
            canvas.paint(box, np.maximum(sinus + np.float32(6), d - 2), self._pelvis)

    def _paint_heart(self, canvas: SliceCanvas) -> None:
        if not 1200 <= canvas.z <= 1345:
            return
        for centre, radii, turn, hu in (
            ((16, -30, 1268), (58, 46, 62), 35.0, self._wall),
            ((40, -28, 1262), (24, 36, 40), 40.0, self._left_heart),
            ((-4, -46, 1264), (28, 24, 42), 20.0, self._right_heart),
            ((-34, -22, 1284), (22, 26, 34), 0.0, self._right_heart),
            ((14, 6, 1292), (30, 20, 26), 0.0, self._left_heart),
        ):
            found = ellipsoid(canvas, centre, radii, degrees=turn)
            if found is not None:
                canvas.paint(*found, hu)

    def _paint_pelvis(self, canvas: SliceCanvas) -> None:
        bladder = ellipsoid(canvas, (0, -24, 912 + self._shift[3, 2]), (44, 36, 38))
        if bladder is not None:
            canvas.paint(*bladder, 35.0)
            layered = 1 / (1 + np.exp(self._up * (canvas.y[bladder[0]] + 20) / 6))
            canvas.paint(bladder[0], bladder[1] + 3, 6 + (self._bladder - 6) * layered)
        for centre, radii, hu in (
            ((0, -6, 868), (24, 18, 16), 48.0),
            ((0, 24, 912), (30, 16, 28), 62.0),
        ):
            found = ellipsoid(canvas, centre, radii)
            if found is not None:
                canvas.paint(*found, hu)
        rectum = ellipsoid(canvas, (0, 48, 905), (20, 15, 62))
        if rectum is not None:
            self._bowel.fill(canvas, *rectum, content=30.0, level=42.0)
