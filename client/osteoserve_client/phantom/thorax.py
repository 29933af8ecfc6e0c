"""The thorax: lungs, ribs with their cartilage, sternum."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import Array, Bone, Box, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import (
    Capsules,
    Profile,
    chain,
    ellipse,
    mirrored,
    smooth_path,
)
from osteoserve_client.phantom.spine import CURVE, levels

#: Inside of the rib cage: half-width, half-depth, y of the middle.
CAGE = Profile(
    [
        (1100, 116, 82, 0),
        (1150, 124, 86, 2),
        (1220, 130, 90, 4),
        (1290, 130, 90, 6),
        (1340, 122, 83, 12),
        (1390, 100, 70, 22),
        (1420, 76, 54, 30),
        (1442, 44, 34, 36),
    ]
)
# Of ribs 1 to 12: how far the front end lies below the head, and how far round it goes, as an
# angle from the back in units of pi.
DROP_MM = (28, 48, 62, 74, 84, 92, 98, 100, 96, 88, 62, 36)
REACH = (0.78, 0.82, 0.83, 0.83, 0.82, 0.80, 0.77, 0.72, 0.67, 0.61, 0.46, 0.32)


def _on_cage(angle: float, z: float, outside_mm: float) -> tuple[float, float]:
    a, b, cy = CAGE(z)
    return (a + outside_mm) * float(np.sin(angle)), cy + (b + outside_mm) * float(np.cos(angle))


def rib_path(number: int) -> list[tuple[float, float, float, float]]:
    """The left rib's middle: (x, y, z, radius) from the vertebra to the cartilage."""
    vertebra = next(v for v in levels() if v.name == f"T{number}")
    z = vertebra.top - 3
    cy = CURVE(vertebra.middle)[0]
    radius = 3.8 if number < 11 else 3.1
    head = [
        (vertebra.half_width + 1.0, cy + 7, z, 4.2),
        (vertebra.half_width + 15.0, cy + 21, z - 1, 3.8),
    ]
    start = 0.17 if number > 1 else 0.3
    angles = np.linspace(start, REACH[number - 1], 9)
    shaft = []
    for t, angle in zip(np.linspace(0, 1, 9), angles, strict=True):
        at = z - 3 - DROP_MM[number - 1] * float(t) ** 1.15
        shaft.append((*_on_cage(float(angle) * np.pi, at, 5.5), at, radius))
    return head + shaft


class Thorax:
    """Rib cage and lungs of one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 37])
        self._rib = Bone(0.9, 0.8 * parameters.cortex_hu, 0.6 * parameters.marrow_hu + 40, 30.0)
        self._sternum = Bone(0.9, 0.55 * parameters.cortex_hu, 0.7 * parameters.marrow_hu + 20)
        self._cartilage_hu = float(rng.uniform(80, 125))
        self._calcified = float(rng.choice([0.0, 120.0, 250.0]))
        self._lung_hu = float(rng.uniform(-890, -800))
        self._dome = float(rng.normal(0, 8))
        ribs = [smooth_path(rib_path(n), 3) for n in range(1, 13)]
        rods = [row for p in ribs for row in chain(p) + chain(mirrored(p))]
        self._ribs = Capsules(rods, stretch=1.75)
        self._cartilages = Capsules(self._cartilage_rods(), stretch=1.5)
        # With age cartilage turns to chalk, first where it meets the rib and along its surface.
        self._chalk_hu = float(rng.uniform(250, 750)) if rng.random() < 0.6 else 0.0
        self._chalk = Capsules(self._chalk_rods(rng), stretch=1.5)
        self._vessels = Capsules(_lung_vessels(rng))

    @staticmethod
    def _cartilage_rods() -> list[list[float]]:
        rods: list[list[float]] = []
        for number in range(1, 11):
            x, y, z, _ = rib_path(number)[-1]
            inner = max(1412 - 21.0 * (number - 1), 1276)
            if number <= 7:
                _, b, cy = CAGE(inner)
                end = (20.0, cy - b - 7, inner, 5.0)
            else:
                x1, y1, z1, _ = rib_path(number - 1)[-1]
                end = (0.6 * x1 + 8, y1 - 6, z1 - 2, 4.5)
            middle = ((x + end[0]) / 2 + 5, (y + end[1]) / 2 - 6, min(z, end[2]) - 4, 5.0)
            path = smooth_path([(x, y, z, 4.6), middle, end], 4)
            rods += chain(path) + chain(mirrored(path))
        return rods

    @staticmethod
    def _chalk_rods(rng: np.random.Generator) -> list[list[float]]:
        """Where cartilage is calcified: caps at the ribs' ends, of uneven length and width."""
        rods: list[list[float]] = []
        for number in range(1, 11):
            x, y, z, _ = rib_path(number)[-1]
            for side in (1.0, -1.0):
                length, radius = rng.uniform(4, 40), rng.uniform(1.5, 4.8)
                end = (side * (x - 0.75 * length), y - 0.35 * length, z - 0.3 * length)
                rods.append([side * x, y, z, radius, *end, 0.6 * radius])
        return rods

    def paint_lungs(self, canvas: SliceCanvas) -> None:
        """Paint both lungs with their vessels."""
        if not 1130 <= canvas.z <= 1445:
            return
        a, b, cy = CAGE(canvas.z)
        box = canvas.box(-a, a, cy - b, cy + b)
        if box is None:
            return
        x, y = canvas.x[box], canvas.y[box]
        lung = np.maximum(ellipse(x, y - np.float32(cy), a, b), -self._mediastinum(canvas, x, y))
        lung = np.maximum(lung, self._diaphragm(canvas, x, y))
        # Behind the necks of the ribs lie the muscles of the back, no lung.
        back = np.float32(CURVE(canvas.z)[0] + 11) + np.float32(0.85) * (np.abs(x) - 20)
        lung = np.maximum(lung, np.float32(0.76) * (y - back))
        gravity = 0.25 * (y - np.float32(cy))
        canvas.paint(box, lung, self._lung_hu + gravity + 12 * canvas.texture[box])
        field = canvas.field()
        self._vessels.unite(canvas, field)
        taken = field.take()
        if taken is not None:
            inside, distance = taken
            whole = np.full_like(canvas.hu, 9.0)
            whole[box] = lung
            canvas.paint(inside, np.maximum(distance, whole[inside]), 30.0)

    def _mediastinum(self, canvas: SliceCanvas, x: Array, y: Array) -> Array:
        """Distance to what lies between the lungs: heart, great vessels, spine."""
        sx, sy = 0.0, CURVE(canvas.z)[0]
        z = canvas.z
        spine = np.maximum(np.abs(x - np.float32(sx)) - 24, np.float32(sy - 12) - y)
        width = float(np.interp(z, [1150, 1230, 1290, 1340, 1380, 1440], [60, 62, 54, 40, 32, 34]))
        cx = float(np.interp(z, [1230, 1290, 1350], [16, 14, 2]))
        middle = ellipse(x - np.float32(cx), y + np.float32(25), width, 66)
        wall = ellipse(x, y + np.float32(10), 17, 90)
        return np.minimum(np.minimum(spine, middle), wall)

    def _diaphragm(self, canvas: SliceCanvas, x: Array, y: Array) -> Array:
        """Height of the diaphragm above the slice: positive below the domes."""
        top = np.where(x < 0, np.float32(1236 + self._dome), np.float32(1224 + self._dome))
        u = (np.abs(x) - np.float32(62)) / np.float32(62)
        v = (y + np.float32(8)) / np.float32(88)
        fall = u * u + v * v
        surface = top - 42 * fall - 26 * fall * fall
        height: Array = 0.7 * (surface - np.float32(canvas.z))
        return height

    def paint_bones(self, canvas: SliceCanvas) -> None:
        """Paint cartilage, ribs and sternum."""
        if not 1060 <= canvas.z <= 1450:
            return
        for capsules, bone in ((self._cartilages, None), (self._ribs, self._rib)):
            field = canvas.field()
            capsules.unite(canvas, field)
            taken = field.take()
            if taken is None:
                continue
            if bone is None:
                self._paint_cartilage(canvas, *taken)
            else:
                canvas.paint_bone(*taken, bone)
        self._paint_sternum(canvas)

    def _paint_cartilage(self, canvas: SliceCanvas, box: Box, distance: Array) -> None:
        distance = canvas.under_skin(box, distance)
        flecks = np.clip(canvas.strands[box] - 0.6, 0, 1) * self._calcified
        canvas.paint(box, distance, self._cartilage_hu + flecks)
        if not self._chalk_hu:
            return
        shell = np.abs(distance + np.float32(0.8)) - np.float32(0.7)
        patches = np.float32(2.0) * np.clip(0.4 - canvas.strands[box], 0, 1)
        canvas.paint(box, shell + patches, 0.7 * self._chalk_hu)
        field = canvas.field()
        self._chalk.unite(canvas, field)
        taken = field.take()
        if taken is not None:
            canvas.paint(taken[0], canvas.under_skin(*taken), self._chalk_hu)

    def _paint_sternum(self, canvas: SliceCanvas) -> None:
        z = canvas.z
        if not 1238 <= z <= 1424:
            return
        half = float(np.interp(z, [1238, 1262, 1300, 1372, 1376, 1390, 1424],
                               [3, 8, 15, 11, 20, 25, 28]))  # fmt: skip
        _, b, cy = CAGE(z)
        y = cy - b - 8.0
        notch = max(0.0, 1242 - z, z - 1420) * 0.8
        rods = Capsules([[-half, y + 2, z, 5.4, 0, y, z, 5.6], [0, y, z, 5.6, half, y + 2, z, 5.4]])
        field = canvas.field()
        rods.unite(canvas, field)
        taken = field.take()
        if taken is not None:
            joint = np.float32(max(0.0, 1.5 - abs(z - 1374)))
            canvas.paint_bone(taken[0], taken[1] + joint + np.float32(notch), self._sternum)


def _lung_vessels(rng: np.random.Generator) -> list[list[float]]:
    """Branches that leave the hila, thinner outwards."""
    rods: list[list[float]] = []
    for side in (-1.0, 1.0):
        for _ in range(26):
            at = np.array([side * 38.0, 12.0, 1320.0]) + rng.normal(0, 8, 3)
            heading = np.array([side * rng.uniform(0.2, 1), rng.uniform(-1, 1), rng.uniform(-1, 1)])
            radius = float(rng.uniform(2.2, 5.0))
            while radius > 0.7:
                heading = heading / np.linalg.norm(heading) + rng.normal(0, 0.28, 3)
                after = at + heading * 14
                rods.append([*at, radius, *after, radius * 0.84])
                if rng.random() < 0.5:
                    twig = after + rng.normal(0, 14, 3)
                    rods.append([*after, radius * 0.6, *twig, radius * 0.35])
                at, radius = after, radius * 0.84
    return rods
