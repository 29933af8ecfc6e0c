"""The head: vault with diploe, skull base, face, mandible and teeth, brain and airways."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import Bone, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import (
    Capsules,
    Path,
    chain,
    ellipse,
    ellipsoid,
    mirrored,
    smooth_path,
)

BRAIN_HU, CSF_HU, AIR_HU = 35.0, 8.0, -1000.0
VAULT_CENTRE = (0.0, 4.0, 1628.0)
VAULT_RADII = (70.0, 91.0, 84.0)


class Head:
    """Skull and contents of one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 41])
        dense = 0.95 * parameters.cortex_hu
        self._vault_mm = float(rng.uniform(5.0, 8.0))
        self._vault = Bone(1.7, dense, 0.8 * parameters.marrow_hu + 250, 60.0)
        self._face = Bone(1.0, 0.75 * parameters.cortex_hu, 0.7 * parameters.marrow_hu + 120, 60.0)
        self._petrous = Bone(1.0, 1.1 * parameters.cortex_hu, 0.75 * parameters.cortex_hu, 120.0)
        self._tooth = Bone(1.2, 2300.0, 1500.0, 60.0)
        self._filling = float(rng.choice([0, 2800], p=[0.6, 0.4]))
        self._mandible = Capsules(_mandible())
        self._skull_base = Capsules(_rods(BASE))
        self._face_rods = Capsules(_rods(FACE))
        self._atlas = Capsules(_rods(ATLAS))
        self._teeth = Capsules(_teeth())

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint everything above the neck."""
        if not 1480 <= canvas.z <= 1725:
            return
        self._paint_vault(canvas)
        self._paint_airways(canvas)
        for rods, bone in (
            (self._skull_base, self._petrous),
            (self._face_rods, self._face),
            (self._atlas, self._face),
            (self._mandible, self._face),
            (self._teeth, self._tooth),
        ):
            field = canvas.field()
            rods.unite(canvas, field)
            taken = field.take()
            if taken is not None:
                canvas.paint_bone(*taken, bone)
        self._paint_orbits(canvas)

    def _paint_vault(self, canvas: SliceCanvas) -> None:
        found = ellipsoid(canvas, VAULT_CENTRE, VAULT_RADII)
        if found is None or canvas.z < 1572:
            return
        box, outside = found
        # The skull base: a floor that rises to the front, above the face.
        y = canvas.y[box]
        floor = np.float32(1584) - np.float32(0.28) * np.clip(y + 20, -70, 60) - canvas.z
        shell = np.maximum(outside, 0.9 * floor)
        canvas.paint_bone(box, shell, self._vault)
        inside = np.maximum(outside + np.float32(self._vault_mm), 0.9 * floor + np.float32(2.2))
        canvas.carve(box, inside, CSF_HU)
        gyri = BRAIN_HU - 22 * np.clip(np.abs(canvas.strands[box]) < 0.12, 0, 1)
        canvas.carve(box, inside + np.float32(2.0), gyri)
        x = canvas.x[box]
        for s in (-1.0, 1.0):
            ventricle = ellipse(x - np.float32(s * 12), y - np.float32(6), 7, 28)
            canvas.paint(box, ventricle + np.float32(0.6 * abs(canvas.z - 1642)), CSF_HU)
        canvas.paint(box, np.abs(x) - np.float32(1.0) + 40 * (inside > -2), 48.0)

    def _paint_airways(self, canvas: SliceCanvas) -> None:
        z = canvas.z
        if 1500 <= z <= 1590:
            box = canvas.box(-20, 20, -50, 0)
            if box is not None:
                u, v = canvas.x[box], canvas.y[box] + np.float32(18)
                canvas.paint(box, ellipse(u, v, 11, 7), AIR_HU)
        for s in (-1.0, 1.0):
            for centre, radii in (
                ((s * 9, -62, 1562), (6, 30, 20)),
                ((s * 30, -58, 1556), (14, 17, 18)),
            ):
                found = ellipsoid(canvas, centre, radii)
                if found is None:
                    continue
                box, distance = found
                canvas.paint_bone(box, distance - np.float32(1.3), self._face)
                canvas.carve(box, distance, AIR_HU)

    def _paint_orbits(self, canvas: SliceCanvas) -> None:
        for s in (-1.0, 1.0):
            found = ellipsoid(canvas, (s * 32, -66, 1598), (18, 26, 18))
            if found is None:
                continue
            box, distance = found
            canvas.paint_bone(box, distance - np.float32(1.4), self._face)
            canvas.carve(box, distance, -90.0)
            eye = ellipsoid(canvas, (s * 32, -72, 1598), (12, 12, 12))
            if eye is not None:
                canvas.paint(*eye, 12.0)


# Rods (x, y, z, r) of the left side; mirrored. Heights in nominal mm.
BASE: list[Path] = [
    [(62, 10, 1580, 7), (40, -2, 1582, 8), (14, -16, 1586, 6)],
    [(58, 22, 1574, 9), (54, 26, 1556, 6)],
    [(8, -10, 1586, 8), (6, -4, 1578, 7)],
    [(10, 40, 1574, 5), (30, 44, 1578, 5)],
]
FACE: list[Path] = [
    [(68, -14, 1578, 3), (66, -38, 1575, 3.2), (54, -62, 1572, 5), (36, -76, 1574, 4)],
    [(54, -62, 1574, 5), (52, -66, 1598, 4), (46, -74, 1616, 4.5)],
    [(8, -92, 1582, 3), (4, -98, 1572, 2.5)],
    [(34, -78, 1578, 3), (20, -90, 1582, 3), (10, -88, 1600, 3.5)],
    [(26, -72, 1540, 6), (18, -86, 1538, 6), (4, -94, 1538, 5)],
    [(28, -46, 1542, 5), (26, -70, 1540, 6)],
    [(20, -30, 1572, 2.2), (20, -28, 1545, 2.2)],
    [(0, -44, 1545, 1.2), (0, -84, 1552, 1.2)],
    [(0, -60, 1546, 2.5), (20, -58, 1544, 2.5)],
    [(0, -88, 1616, 5), (26, -86, 1618, 5)],
]
ATLAS: list[Path] = [
    [(0, -10, 1572, 3.5), (18, -2, 1572, 5.5), (22, 8, 1571, 7), (18, 24, 1571, 4)],
    [(18, 24, 1571, 4), (0, 34, 1571, 3.5)],
    [(22, 8, 1571, 5), (38, 10, 1570, 4)],
    [(0, 0, 1556, 5.5), (0, -2, 1580, 5)],
]  # fmt: skip


def _rods(paths: list[Path]) -> list[list[float]]:
    return [row for p in paths for row in chain(p) + chain(mirrored(p))]


def _mandible() -> list[list[float]]:
    ramus = [(50, -2, 1574, 5.5), (47, -8, 1550, 4.5), (45, -14, 1526, 5.0)]
    coronoid = [(46, -22, 1562, 2.6), (45, -20, 1540, 4.5)]
    body = smooth_path([(45, -14, 1526, 5), (38, -44, 1518, 5.4), (24, -72, 1513, 5.6),
                        (0, -84, 1511, 6)], 4)  # fmt: skip
    upper = [[x * 0.94, y, z + 13, r * 0.9] for x, y, z, r in body[2:]]
    rods: list[list[float]] = []
    for path in ([list(p) for p in ramus], [list(p) for p in coronoid], body, upper):
        rods += chain(path) + chain(mirrored(path))
    return rods


def _teeth() -> list[list[float]]:
    rods: list[list[float]] = []
    for n in range(8):
        angle = np.pi * (0.08 + 0.42 * n / 7.5)
        x, y = 29 * np.cos(angle), -48 - 36 * np.sin(angle) ** 0.9
        r = 4.4 if n < 4 else 3.2
        for low, high in ((1523.0, 1531.0), (1532.5, 1541.0)):
            rods += [[s * x, y, low, r, s * x, y, high, r] for s in (-1, 1)]
    return rods
